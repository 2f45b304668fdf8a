//! The slab: one small record for every entry, named by its place.

use std::ops::{Index, IndexMut};

use super::places::MAX_LEN;
use super::{Slot, grow_gently};
use crate::time::Instant;

/// Where a vacant list ends.
const NONE: Slot = Slot::MAX;
/// `Entry::timer` of an entry that is not in the wheel.
const NO_TIMER: u32 = u32::MAX;
/// `Entry::timer` of a vacant slot.
const VACANT: u32 = u32::MAX - 1;

/// What the slab knows of an entry. 16 bytes.
pub struct Entry {
    /// [`Instant::MAX`] stands for "none".
    deadline: Instant,
    /// The entry's block in the arena; in a vacant slot, the next vacant one.
    pub block: u32,
    /// The entry's place within its bucket of the wheel.
    timer: u32,
}

impl Entry {
    /// When the entry expires; `None`: never.
    #[inline]
    pub fn deadline(&self) -> Option<Instant> {
        (self.deadline != Instant::MAX).then_some(self.deadline)
    }

    /// The deadline and the place in the wheel's bucket, for an entry that is in the wheel.
    pub fn timer(&self) -> Option<(Instant, u32)> {
        (self.timer < VACANT).then_some((self.deadline, self.timer))
    }

    /// Notes that the wheel holds the entry, at `place` of the bucket for `deadline`.
    pub fn set_timer(&mut self, deadline: Instant, place: u32) {
        self.deadline = deadline;
        self.timer = place;
    }

    /// Notes that the wheel no longer holds the entry, which has no deadline from now on.
    pub fn clear_timer(&mut self) {
        self.deadline = Instant::MAX;
        self.timer = NO_TIMER;
    }
}

/// A vector of entries in which vacant places are linked and used again.
pub struct Slab {
    entries: Vec<Entry>,
    vacant: Slot,
}

impl Default for Slab {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            vacant: NONE,
        }
    }
}

impl Slab {
    /// Whether all slot numbers are taken.
    pub fn is_full(&self) -> bool {
        self.vacant == NONE && self.entries.len() >= MAX_LEN
    }

    /// Puts an entry without a deadline into a vacant place. The slab must not be full.
    pub fn insert(&mut self, block: u32) -> Slot {
        let entry = Entry {
            deadline: Instant::MAX,
            block,
            timer: NO_TIMER,
        };
        if self.vacant == NONE {
            let slot = Slot::try_from(self.entries.len()).expect("the slab is not full");
            grow_gently(&mut self.entries, 1);
            self.entries.push(entry);
            return slot;
        }
        let slot = self.vacant;
        self.vacant = self[slot].block;
        self[slot] = entry;
        slot
    }

    /// Makes a place vacant.
    pub fn remove(&mut self, slot: Slot) {
        let next = self.vacant;
        self[slot] = Entry {
            deadline: Instant::MAX,
            block: next,
            timer: VACANT,
        };
        self.vacant = slot;
    }

    /// The first occupied slot from `slot` on.
    pub fn occupied_from(&self, slot: Slot) -> Option<Slot> {
        let rest = self.entries.get(slot as usize..)?;
        let found = rest.iter().zip(slot..);
        let mut found = found.filter(|(entry, _)| entry.timer != VACANT);
        found.next().map(|(_, slot)| slot)
    }

    /// The occupied slots in order.
    pub fn occupied(&self) -> impl Iterator<Item = Slot> + '_ {
        let numbered = (0..).zip(&self.entries);
        numbered
            .filter(|(_, entry)| entry.timer != VACANT)
            .map(|(slot, _)| slot)
    }
}

impl Index<Slot> for Slab {
    type Output = Entry;

    #[inline]
    fn index(&self, slot: Slot) -> &Entry {
        &self.entries[slot as usize]
    }
}

impl IndexMut<Slot> for Slab {
    #[inline]
    fn index_mut(&mut self, slot: Slot) -> &mut Entry {
        &mut self.entries[slot as usize]
    }
}
