//! Segmented LRU: an entry has to be used twice before it may stay for long.
//!
//! Entries come into a small *probation* segment. One that is used there moves to the larger
//! *protected* segment; when that is over its size, its least recently used entry goes back to
//! probation as the newest, with another chance. Victims are probation's least recently used, so a
//! scan passes through probation and leaves the protected alone. Source: Karedla, Love, Wherry,
//! "Caching Strategies to Improve Disk System Performance", IEEE Computer 27(3), 1994.
//!
//! Probation has a fifth of the capacity, at least 1, and protected four fifths, both rounded down.
//! While the cache fills, what does not fit into probation comes straight into protected. Where
//! rounding leaves one place to neither, a full cache holds one entry more in probation than
//! belongs there; the first demotion pushes it out. That is how an access can evict. With capacity 1
//! nothing is protected.

use super::list::{Links, List, Sizes, UnitSizes, grow_to, sorted};
use super::{EvictionPolicy, Slot};

/// Two LRU lists: entries that were used once go before those that were used again. 9 bytes an entry.
#[derive(Clone, Default)]
pub struct Slru<S: Sizes = UnitSizes> {
    probation: List,
    protected: List,
    links: Links<S>,
    /// By slot: which of the two segments it is in.
    is_protected: Vec<bool>,
    probation_capacity: u64,
    /// Never exceeded.
    protected_capacity: u64,
}

impl<S: Sizes> Slru<S> {
    /// Makes a slot that is in no segment the newest of probation.
    fn put_on_probation(&mut self, slot: Slot) {
        self.is_protected[slot as usize] = false;
        self.probation.push_front(&mut self.links, slot);
    }

    /// Makes a slot that is in no segment the newest of protected.
    fn protect(&mut self, slot: Slot) {
        self.is_protected[slot as usize] = true;
        self.protected.push_front(&mut self.links, slot);
    }

    /// Sends the protected that are too many back to probation; `true` if there were any.
    fn demote(&mut self) -> bool {
        let before = self.protected.len();
        while self.protected.size() > self.protected_capacity
            && let Some(oldest) = self.protected.pop_back(&mut self.links)
        {
            self.put_on_probation(oldest);
        }
        self.protected.len() < before
    }
}

impl<S: Sizes> EvictionPolicy for Slru<S> {
    fn resize(&mut self, capacity: usize) {
        let capacity = capacity as u64;
        self.probation_capacity = (capacity / 5).max(1);
        self.protected_capacity = capacity - capacity.div_ceil(5);
        self.demote();
    }

    fn announce_size(&mut self, size: u64) {
        self.links.announce(size);
    }

    fn evict(&mut self) -> Option<Slot> {
        let victim = self.probation.pop_back(&mut self.links);
        victim.or_else(|| self.protected.pop_back(&mut self.links))
    }

    fn insert(&mut self, slot: Slot, _: u64) -> Option<Slot> {
        self.links.settle(slot);
        grow_to(&mut self.is_protected, slot, false);
        let size = self.links.size(slot);
        let has_room = self.probation.size() + size <= self.probation_capacity;
        if has_room || self.protected.size() + size > self.protected_capacity {
            self.put_on_probation(slot);
        } else {
            self.protect(slot);
        }
        None
    }

    fn access(&mut self, slot: Slot) -> Option<Slot> {
        if self.is_protected[slot as usize] {
            self.protected.move_to_front(&mut self.links, slot);
            return None;
        }
        self.probation.remove(&mut self.links, slot);
        self.protect(slot);
        if self.demote() && self.probation.size() > self.probation_capacity {
            return self.probation.pop_back(&mut self.links);
        }
        None
    }

    fn remove(&mut self, slot: Slot) {
        let segment = if self.is_protected[slot as usize] {
            &mut self.protected
        } else {
            &mut self.probation
        };
        segment.remove(&mut self.links, slot);
    }

    fn validate(&self, slots: &[Slot]) {
        assert_eq!(
            sorted(&[self.probation, self.protected], &self.links),
            slots
        );
        let is_protected = |slot: Slot| self.is_protected[slot as usize];
        assert!(!self.probation.iter(&self.links).any(is_protected));
        assert!(self.protected.iter(&self.links).all(is_protected));
        assert!(self.protected.size() <= self.protected_capacity);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::super::tests::{Driver, Naive, agrees, conforms, matches_reference};
    use super::*;

    /// Both segments with the least recently used in front.
    struct Segments {
        capacity: usize,
        probation: VecDeque<u64>,
        protected: VecDeque<u64>,
    }

    impl Segments {
        fn new(capacity: usize) -> Self {
            Self {
                capacity,
                probation: VecDeque::new(),
                protected: VecDeque::new(),
            }
        }

        fn promote(&mut self, id: u64) {
            self.protected.push_back(id);
            while self.protected.len() > self.capacity * 4 / 5 {
                self.probation.extend(self.protected.pop_front());
                while self.probation.len() > (self.capacity / 5).max(1) {
                    self.probation.pop_front();
                }
            }
        }

        fn make_room(&mut self) {
            while self.probation.len() + self.protected.len() >= self.capacity {
                if self.probation.pop_front().is_none() {
                    self.protected.pop_front();
                }
            }
        }
    }

    impl Naive for Segments {
        fn request(&mut self, id: u64) -> bool {
            if let Some(at) = self.protected.iter().position(|&it| it == id) {
                self.protected.remove(at);
                self.protected.push_back(id);
                return true;
            }
            if let Some(at) = self.probation.iter().position(|&it| it == id) {
                self.probation.remove(at);
                self.promote(id);
                return true;
            }
            self.make_room();
            let full = self.probation.len() >= (self.capacity / 5).max(1);
            if full && self.protected.len() < self.capacity * 4 / 5 {
                self.protected.push_back(id);
            } else {
                self.probation.push_back(id);
            }
            false
        }
    }

    #[test]
    fn it_conforms() {
        conforms(<Slru>::default);
    }

    #[test]
    fn it_agrees_with_the_definition() {
        let capacities = [1, 2, 3, 4, 5, 6, 9, 10, 37];
        agrees(<Slru>::default, Segments::new, &capacities);
    }

    #[test]
    fn it_misses_as_the_reference_does() {
        matches_reference("slru", <Slru>::default, 0.0);
    }

    #[test]
    fn an_access_can_push_an_entry_out() {
        let mut driver = Driver::new(<Slru>::default(), 9);
        // Probation has 1 of the 9 places, protected 7, so 8 is the second on probation.
        assert_eq!(driver.misses(&[0, 1, 2, 3, 4, 5, 6, 7, 8]), 9);
        assert!(driver.request(8), "pushes out 0, the older one there");
        assert!(!driver.request(0));
    }
}
