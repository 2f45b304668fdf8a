//! Slots in no order, out of which one can be drawn at random. Everything is O(1).

use super::Slot;
use super::list::grow_to;
use crate::rng::Rng;

/// A dense vector of slots, and each slot's place in it: 8 bytes a slot.
#[derive(Clone, Default)]
pub(super) struct Pool {
    slots: Vec<Slot>,
    /// By slot; stale for those that are not in the pool.
    places: Vec<u32>,
}

impl Pool {
    /// The slots, in no order that means anything.
    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Adds a slot that is not in the pool.
    pub(super) fn insert(&mut self, slot: Slot) {
        let place = u32::try_from(self.slots.len()).expect("slots are numbered densely");
        grow_to(&mut self.slots, place, slot);
        grow_to(&mut self.places, slot, place);
        self.places[slot as usize] = place;
    }

    /// Takes a slot out, which must be in the pool. The last one moves into its place.
    pub(super) fn remove(&mut self, slot: Slot) {
        let place = self.places[slot as usize];
        self.slots.swap_remove(place as usize);
        if let Some(&moved) = self.slots.get(place as usize) {
            self.places[moved as usize] = place;
        }
    }

    /// Any of the slots, all equally likely; it stays in the pool.
    pub(super) fn draw(&self, rng: &mut Rng) -> Option<Slot> {
        let place = usize::try_from(rng.below(self.slots.len() as u64)).ok()?;
        self.slots.get(place).copied()
    }

    /// Checks that these (sorted) are the slots, and that each has its place.
    pub(super) fn validate(&self, slots: &[Slot]) {
        let mut sorted = self.slots.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, slots);
        for &slot in slots {
            let place = self.places[slot as usize] as usize;
            assert_eq!(self.slots[place], slot, "a slot knows its place");
        }
    }
}
