//! Second chance, also known as CLOCK: a FIFO queue in which an entry that was used since it was
//! last looked at goes round once more.
//!
//! Every entry has a bit: clear when it comes in, set by an access. The oldest entry goes, but if
//! its bit is set it is cleared and the entry starts again as the newest, and the next oldest is
//! looked at. Source: Corbató, "A Paging Experiment with the Multics System", MIT Project MAC Report
//! MAC-M-384, 1968.
//!
//! One eviction may look at every entry, but each look after the first is paid for by an access.

use super::list::{Links, List, grow_to, sorted};
use super::{EvictionPolicy, Slot};

/// The oldest entry goes that was not used since it was last spared. 9 bytes an entry.
#[derive(Clone, Default)]
pub struct SecondChance {
    queue: List,
    links: Links,
    /// By slot: whether the entry was used since it came in or was last looked at.
    used: Vec<bool>,
}

impl EvictionPolicy for SecondChance {
    fn resize(&mut self, _: usize) {}

    fn evict(&mut self) -> Option<Slot> {
        let mut oldest = self.queue.back()?;
        while self.used[oldest as usize] {
            self.used[oldest as usize] = false;
            self.queue.move_to_front(&mut self.links, oldest);
            oldest = self.queue.back()?;
        }
        self.queue.pop_back(&mut self.links)
    }

    fn insert(&mut self, slot: Slot, _: u64) -> Option<Slot> {
        grow_to(&mut self.used, slot, false);
        self.used[slot as usize] = false;
        self.queue.push_front(&mut self.links, slot);
        None
    }

    fn access(&mut self, slot: Slot) -> Option<Slot> {
        self.used[slot as usize] = true;
        None
    }

    fn remove(&mut self, slot: Slot) {
        self.queue.remove(&mut self.links, slot);
    }

    fn validate(&self, slots: &[Slot]) {
        assert_eq!(sorted(&[self.queue], &self.links), slots);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::super::tests::{Naive, agrees, conforms, matches_reference};
    use super::*;

    struct Queue {
        capacity: usize,
        /// Objects and their bits, the oldest first.
        queue: VecDeque<(u64, bool)>,
    }

    impl Naive for Queue {
        fn request(&mut self, id: u64) -> bool {
            if let Some(entry) = self.queue.iter_mut().find(|entry| entry.0 == id) {
                entry.1 = true;
                return true;
            }
            if self.queue.len() == self.capacity {
                while let Some((oldest, true)) = self.queue.pop_front() {
                    self.queue.push_back((oldest, false));
                }
            }
            self.queue.push_back((id, false));
            false
        }
    }

    #[test]
    fn it_conforms() {
        conforms(SecondChance::default);
    }

    #[test]
    fn it_agrees_with_the_definition() {
        let naive = |capacity| Queue {
            capacity,
            queue: VecDeque::new(),
        };
        agrees(SecondChance::default, naive, &[1, 2, 3, 10, 37]);
    }

    #[test]
    fn it_misses_as_the_reference_does() {
        matches_reference("second-chance", SecondChance::default, 0.0);
    }

    #[test]
    fn a_slot_that_is_used_again_starts_unused() {
        let mut policy = SecondChance::default();
        policy.insert(0, 0);
        policy.access(0);
        policy.remove(0);
        policy.insert(0, 0);
        policy.insert(1, 0);
        assert_eq!(policy.evict(), Some(0));
    }
}
