//! LRU: the least recently used entry goes.

use super::list::{Links, List, sorted};
use super::{EvictionPolicy, Slot};

/// The least recently used entry goes. 8 bytes an entry.
#[derive(Clone, Default)]
pub struct Lru {
    recency: List,
    links: Links,
}

impl EvictionPolicy for Lru {
    fn resize(&mut self, _: usize) {}

    fn evict(&mut self) -> Option<Slot> {
        self.recency.pop_back(&mut self.links)
    }

    fn insert(&mut self, slot: Slot, _: u64) -> Option<Slot> {
        self.recency.push_front(&mut self.links, slot);
        None
    }

    fn access(&mut self, slot: Slot) -> Option<Slot> {
        self.recency.move_to_front(&mut self.links, slot);
        None
    }

    fn remove(&mut self, slot: Slot) {
        self.recency.remove(&mut self.links, slot);
    }

    fn validate(&self, slots: &[Slot]) {
        assert_eq!(sorted(&[self.recency], &self.links), slots);
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
            if let Some(at) = self.queue.iter().position(|&it| it == id) {
                let entry = self.queue.remove(at).expect("found");
                self.queue.push_back(entry);

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
        conforms(Lru::default);
    }

    #[test]
    fn it_agrees_with_the_definition() {
        let naive = |capacity| Queue {
            capacity,
            queue: VecDeque::new(),
        };
        agrees(Lru::default, naive, &[1, 2, 3, 10, 37]);
    }

    #[test]
    fn it_misses_as_the_reference_does() {
        matches_reference("lru", Lru::default, 0.0);
    }
}
