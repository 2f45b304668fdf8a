//! The slab: the facts about an entry that are looked up by its slot number, in columns.
//!
//! The first column leads to the entry's record in the arena. The columns for deadlines and for
//! versions grow up to the highest slot that needs them: a store without deadlines or without
//! versions does not pay for them.

#![allow(
    clippy::cast_possible_truncation,
    reason = "a deadline is cut into two halves, and slots are 32 bits"
)]

use super::record::Record;
use super::{Slot, bits, grow_gently};
use crate::time::Instant;

/// The end of the list of vacant slots.
const NONE: Slot = Slot::MAX;
/// The state of an entry that never got a version: version 1, not settled.
const FIRST_VERSION: u64 = 1 << 1;
/// The bit of a version's state that says that it is settled.
const SETTLED: u64 = 1;

/// When an entry expires, and where the wheel holds it. 12 bytes, so that three cache lines of 64
/// bytes hold 16 of them.
#[derive(Clone, Copy)]
struct Timer {
    deadline_low: u32,
    deadline_high: u32,
    /// The entry's position in its bucket of the wheel.
    position: u32,
}

impl Timer {
    /// No deadline. [`Instant::MAX`] stands for it.
    const NONE: Self = Self {
        deadline_low: u32::MAX,
        deadline_high: u32::MAX,
        position: u32::MAX,
    };

    fn deadline(self) -> Option<Instant> {
        let nanos = u64::from(self.deadline_high) << 32 | u64::from(self.deadline_low);
        let deadline = Instant::from_nanos(nanos);
        (deadline != Instant::MAX).then_some(deadline)
    }
}

/// Columns by slot number: record, deadline and version.
#[derive(Clone)]
pub(super) struct Slab {
    /// The record of an occupied slot; the number of the next vacant slot in a vacant one.
    records: Vec<u32>,
    /// A bit for each slot: whether it is occupied.
    occupied: Vec<u64>,
    /// The first vacant slot.
    vacant: Slot,
    /// [`Timer::NONE`] for vacant slots; entries beyond the end have no deadline.
    timers: Vec<Timer>,
    /// Version << 1 | settled; [`FIRST_VERSION`] for vacant slots and beyond the end.
    versions: Vec<u64>,
}

impl Default for Slab {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            occupied: Vec::new(),
            vacant: NONE,
            timers: Vec::new(),
            versions: Vec::new(),
        }
    }
}

impl Slab {
    /// The slot that the next entry gets.
    pub(super) fn next_slot(&self) -> Slot {
        match self.vacant {
            NONE => self.records.len() as Slot,
            vacant => vacant,
        }
    }

    /// Puts an entry into [`Slab::next_slot`], without a deadline and with version 1.
    pub(super) fn insert(&mut self, record: Record) {
        let slot = self.next_slot() as usize;
        if self.vacant == NONE {
            grow_gently(&mut self.records, 1);
            self.records.push(record.0);
            if slot / 64 == self.occupied.len() {
                grow_gently(&mut self.occupied, 1);
                self.occupied.push(0);
            }
        } else {
            self.vacant = self.records[slot];
            self.records[slot] = record.0;
        }
        bits::set(&mut self.occupied, slot);
    }

    /// Makes a slot vacant. Its entry must not be in the wheel.
    pub(super) fn remove(&mut self, slot: Slot) {
        self.records[slot as usize] = self.vacant;
        self.vacant = slot;
        bits::clear(&mut self.occupied, slot as usize);
        if let Some(version) = self.versions.get_mut(slot as usize) {
            *version = FIRST_VERSION;
        }
    }

    /// The record of an occupied slot.
    #[inline]
    pub(super) fn record(&self, slot: Slot) -> Record {
        Record(self.records[slot as usize])
    }

    /// Sets the record of an occupied slot.
    pub(super) fn set_record(&mut self, slot: Slot, record: Record) {
        self.records[slot as usize] = record.0;
    }

    /// When the entry expires; `None`: never.
    #[inline]
    pub(super) fn deadline(&self, slot: Slot) -> Option<Instant> {
        self.timers.get(slot as usize)?.deadline()
    }

    /// The deadline and the position in the wheel's bucket, for an entry that is in the wheel.
    pub(super) fn timer(&self, slot: Slot) -> Option<(Instant, u32)> {
        let timer = self.timers.get(slot as usize)?;
        Some((timer.deadline()?, timer.position))
    }

    /// Notes that the wheel holds the entry, at `position` of the bucket for `deadline`.
    pub(super) fn set_timer(&mut self, slot: Slot, deadline: Instant, position: u32) {
        let nanos = deadline.as_nanos();
        *cell(&mut self.timers, slot, Timer::NONE) = Timer {
            deadline_low: nanos as u32,
            deadline_high: (nanos >> 32) as u32,
            position,
        };
    }

    /// Notes that the wheel no longer holds the entry, which has no deadline from now on.
    pub(super) fn clear_timer(&mut self, slot: Slot) {
        if let Some(timer) = self.timers.get_mut(slot as usize) {
            *timer = Timer::NONE;
        }
    }

    /// The entry's version.
    #[inline]
    pub(super) fn version(&self, slot: Slot) -> u64 {
        self.version_state(slot) >> 1
    }

    /// Whether the entry's version is settled.
    #[inline]
    pub(super) fn is_settled(&self, slot: Slot) -> bool {
        self.version_state(slot) & SETTLED != 0
    }

    fn version_state(&self, slot: Slot) -> u64 {
        self.versions
            .get(slot as usize)
            .copied()
            .unwrap_or(FIRST_VERSION)
    }

    /// Gives an entry a version, which is not settled.
    pub(super) fn set_version(&mut self, slot: Slot, version: u64) {
        *cell(&mut self.versions, slot, FIRST_VERSION) = version << 1;
    }

    /// Marks the entry's version as settled.
    pub(super) fn settle(&mut self, slot: Slot) {
        *cell(&mut self.versions, slot, FIRST_VERSION) |= SETTLED;
    }

    /// Whether the column of versions is in use.
    pub(super) fn has_versions(&self) -> bool {
        !self.versions.is_empty()
    }

    /// The first occupied slot from `slot` on.
    pub(super) fn occupied_from(&self, slot: Slot) -> Option<Slot> {
        let first_word = slot as usize / 64;
        let rest = bits::ones(self.occupied.get(first_word..)?);
        let mut slots = rest.map(|bit| (first_word * 64 + bit) as Slot);
        slots.find(|&occupied| occupied >= slot)
    }

    /// The occupied slots, ascending.
    pub(super) fn occupied(&self) -> impl Iterator<Item = Slot> + '_ {
        bits::ones(&self.occupied).map(|slot| slot as Slot)
    }
}

/// The cell of a slot in a column, which grows up to the slot if it is shorter.
fn cell<T: Clone>(column: &mut Vec<T>, slot: Slot, default: T) -> &mut T {
    let len = slot as usize + 1;
    if column.len() < len {
        grow_gently(column, len - column.len());
        column.resize(len, default);
    }
    &mut column[slot as usize]
}
