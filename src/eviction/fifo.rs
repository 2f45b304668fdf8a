//! FIFO: first in, first out. An access changes nothing.

use super::list::{Links, List, sorted};
use super::{EvictionPolicy, Slot};

/// First in, first out: the entry that came first goes. 8 bytes an entry.
#[derive(Clone, Default)]
pub struct Fifo {
    queue: List,
    links: Links,
}

impl EvictionPolicy for Fifo {
    fn resize(&mut self, _: usize) {}

    fn evict(&mut self) -> Option<Slot> {
        self.queue.pop_back(&mut self.links)
    }

    fn insert(&mut self, slot: Slot, _: u64) -> Option<Slot> {
        self.queue.push_front(&mut self.links, slot);
        None
    }

    fn access(&mut self, _: Slot) -> Option<Slot> {
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
        queue: VecDeque<u64>,
    }

    impl Naive for Queue {
        fn request(&mut self, id: u64) -> bool {
            if self.queue.contains(&id) {
                return true;
            }
            if self.queue.len() == self.capacity {
                self.queue.pop_front();
            }
            self.queue.push_back(id);
            false
        }
    }

    #[test]
    fn it_conforms() {
        conforms(Fifo::default);
    }

    #[test]
    fn it_agrees_with_the_definition() {
        let naive = |capacity| Queue {
            capacity,
            queue: VecDeque::new(),
        };
        agrees(Fifo::default, naive, &[1, 2, 3, 10, 37]);
    }

    #[test]
    fn it_misses_as_the_reference_does() {
        matches_reference("fifo", Fifo::default, 0.0);
    }
}
