//! No eviction: a store that is full refuses writes.
//!
//! It keeps one byte a slot, only so that it can be checked like the other policies.

use super::list::grow_to;
use super::{EvictionPolicy, Slot};

/// Nothing goes: a store that is full refuses writes. One byte an entry.
#[derive(Clone, Default)]
pub struct NoEviction {
    /// By slot: whether it was inserted and not removed.
    held: Vec<bool>,
}

impl EvictionPolicy for NoEviction {
    fn resize(&mut self, _: usize) {}

    fn evict(&mut self) -> Option<Slot> {
        None
    }

    fn insert(&mut self, slot: Slot, _: u64) -> Option<Slot> {
        grow_to(&mut self.held, slot, false);
        self.held[slot as usize] = true;
        None
    }

    fn access(&mut self, _: Slot) -> Option<Slot> {
        None
    }

    fn remove(&mut self, slot: Slot) {
        self.held[slot as usize] = false;
    }

    fn is_ordered(&self) -> bool {
        false
    }

    fn validate(&self, slots: &[Slot]) {
        let all = (0..).zip(&self.held);
        let held: Vec<Slot> = all
            .filter_map(|(slot, &held)| held.then_some(slot))
            .collect();
        assert_eq!(held, slots);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::tests::hash;
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn it_holds_what_it_was_told_and_never_names_a_victim() {
        let mut rng = Rng::new(1);
        let mut policy = NoEviction::default();
        let mut slots = BTreeSet::new();
        for _ in 0..2_000 {
            let slot = Slot::try_from(rng.below(40)).expect("small");
            if slots.insert(slot) {
                policy.resize(1 + slot as usize);
                policy.admit(hash(slot.into()));
                assert_eq!(policy.evict(), None);
                assert_eq!(policy.insert(slot, hash(slot.into())), None);
            } else if rng.below(2) == 0 {
                assert_eq!(policy.access(slot), None);
            } else {
                slots.remove(&slot);
                policy.remove(slot);
            }
            policy.validate(&slots.iter().copied().collect::<Vec<_>>());
        }
    }
}
