//! SIEVE: a FIFO queue in which a hand walks from the oldest entry to the newest. Entries that were
//! accessed since the hand last came by are spared and stay where they stand; the first other one
//! goes, and the hand waits there. New entries come in at the end that the hand walks towards, and
//! are soon sieved out unless they are accessed; the spared ones it meets again only after it has
//! reached that end and starts anew.
//!
//! Zhang, Yang, Yue, Vigfusson, Rashmi: *SIEVE is Simpler than LRU: an Efficient Turn-Key Eviction
//! Algorithm for Web Caches*, NSDI 2024, section 3, algorithm 1.
//!
//! An eviction is O(1) amortized: each step of the hand pays off one access. SIEVE does not resist
//! loops larger than the store: there it misses always, as FIFO and LRU do.

use std::mem;

use super::list::{Links, List, grow_to, sorted};
use super::{EvictionPolicy, Slot};

/// A FIFO queue with a hand that spares entries that were used since it last passed. 9 bytes an entry.
#[derive(Clone, Default)]
pub struct Sieve {
    queue: List,
    links: Links,
    /// The entry that is looked at next; `None`: the oldest.
    hand: Option<Slot>,
    /// Whether the entry in a slot was accessed since it came in or the hand came by.
    visited: Vec<bool>,
}

impl EvictionPolicy for Sieve {
    fn resize(&mut self, _: usize) {}

    fn evict(&mut self) -> Option<Slot> {
        let mut victim = self.hand.or(self.queue.back())?;
        while mem::take(&mut self.visited[victim as usize]) {
            victim = self.links.newer(victim).or(self.queue.back())?;
        }
        self.hand = Some(victim);
        self.remove(victim);
        Some(victim)
    }

    fn insert(&mut self, slot: Slot, _: u64) -> Option<Slot> {
        self.queue.push_front(&mut self.links, slot);
        grow_to(&mut self.visited, slot, false);
        self.visited[slot as usize] = false;
        None
    }

    fn access(&mut self, slot: Slot) -> Option<Slot> {
        self.visited[slot as usize] = true;
        None
    }

    fn remove(&mut self, slot: Slot) {
        if self.hand == Some(slot) {
            self.hand = self.links.newer(slot);
        }
        self.queue.remove(&mut self.links, slot);
    }

    fn validate(&self, slots: &[Slot]) {
        assert_eq!(sorted(&[self.queue], &self.links), slots);
        if let Some(hand) = self.hand {
            assert!(slots.binary_search(&hand).is_ok(), "the hand is on a slot");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Naive, agrees, conforms, matches_reference};
    use super::*;

    struct Queue {
        capacity: usize,
        /// Objects and whether they were visited, the oldest first.
        entries: Vec<(u64, bool)>,
        hand: usize,
    }

    impl Naive for Queue {
        fn request(&mut self, id: u64) -> bool {
            if let Some(entry) = self.entries.iter_mut().find(|entry| entry.0 == id) {
                entry.1 = true;
                return true;
            }
            if self.entries.len() == self.capacity {
                while self.entries[self.hand].1 {
                    self.entries[self.hand].1 = false;
                    self.hand = (self.hand + 1) % self.capacity;
                }
                self.entries.remove(self.hand);
                if self.hand == self.entries.len() {
                    self.hand = 0;
                }
            }
            self.entries.push((id, false));
            false
        }
    }

    #[test]
    fn it_conforms() {
        conforms(Sieve::default);
    }

    #[test]
    fn it_agrees_with_the_definition() {
        let naive = |capacity| Queue {
            capacity,
            entries: Vec::new(),
            hand: 0,
        };
        agrees(Sieve::default, naive, &[1, 2, 3, 10, 37]);
    }

    #[test]
    fn it_misses_as_the_reference_does() {
        matches_reference("sieve", Sieve::default, 0.0);
    }
}
