//! S3-FIFO: three static FIFO queues. Most entries are never asked for again, so a new one has to prove
//! itself in a small queue; what was accessed there moves to the main queue, the rest leaves early and
//! is remembered in a queue of ghosts, from which it returns straight to the main queue. The main
//! queue gives each access a further round. An access only counts: nothing moves.
//!
//! Yang, Zhang, Qiu, Yue, Rashmi: *FIFO Queues are All You Need for Cache Eviction*, SOSP 2023,
//! section 4, algorithm 1. The small queue is a tenth of the capacity, there are ghosts for nine
//! tenths, and two accesses are needed to move to the main queue.
//!
//! The small queue has a place for at least one entry, so the policy works at every capacity. (The
//! authors' simulator caches nothing below a capacity of 20, so there is nothing to compare with.) With
//! a capacity of 1 there is neither a main queue nor a ghost, and the one entry is always replaced.
//! An eviction is O(1) amortized: each entry that it spares pays with accesses.

use std::mem;

use super::ghosts::{ByHash, Ghosts, Identity, Keys};
use super::list::{Links, List, grow_to, sorted};
use super::{EvictionPolicy, Slot};

/// So many accesses in the small queue lead to the main queue.
const PROOF: u8 = 2;

/// No more accesses than this are counted.
const MOST: u8 = 3;

/// A small FIFO queue for new entries, a main one for those that are used twice, and ghosts. About 49
/// bytes an entry, ghosts included.
#[derive(Clone)]
pub struct S3Fifo<I: Identity = ByHash> {
    main_size: u64,
    ghosts_size: u64,
    small: List,
    main: List,
    links: Links<I::Sizes>,
    /// By slot.
    entries: Vec<Entry>,
    keys: I::Keys,
    ghosts: I::Ghosts,
    /// Whether the announced entry was a ghost.
    returns: bool,
}

#[derive(Clone, Copy, Default)]
struct Entry {
    in_main: bool,
    /// Accesses that still count, up to `MOST`.
    accesses: u8,
}

impl<I: Identity> Default for S3Fifo<I> {
    fn default() -> Self {
        Self {
            main_size: 0,
            ghosts_size: 0,
            small: List::default(),
            main: List::default(),
            links: Links::default(),
            entries: Vec::new(),
            keys: I::Keys::default(),
            ghosts: I::Ghosts::default(),
            returns: false,
        }
    }
}

impl<I: Identity> S3Fifo<I> {
    fn evict_small(&mut self) -> Option<Slot> {
        while let Some(slot) = self.small.pop_back(&mut self.links) {
            if self.entries[slot as usize].accesses < PROOF {
                self.remember(slot);
                return Some(slot);
            }
            self.enter_main(slot);
        }
        None
    }

    fn evict_main(&mut self) -> Option<Slot> {
        loop {
            let slot = self.main.pop_back(&mut self.links)?;
            let accesses = &mut self.entries[slot as usize].accesses;
            if *accesses == 0 {
                return Some(slot);
            }
            *accesses -= 1;
            self.main.push_front(&mut self.links, slot);
        }
    }

    fn enter_main(&mut self, slot: Slot) {
        self.main.push_front(&mut self.links, slot);
        self.entries[slot as usize] = Entry {
            in_main: true,
            accesses: 0,
        };
    }

    fn enter_small(&mut self, slot: Slot) {
        self.small.push_front(&mut self.links, slot);
        self.entries[slot as usize] = Entry::default();
    }

    fn remember(&mut self, slot: Slot) {
        if self.links.size(slot) > self.ghosts_size {
            return;
        }
        let key = self.keys.get(slot);
        self.ghosts.push(&mut self.links, key);
        self.ghosts.shrink_to(&mut self.links, self.ghosts_size);
    }
}

impl<I: Identity> EvictionPolicy for S3Fifo<I> {
    fn resize(&mut self, capacity: usize) {
        let capacity = capacity as u64;
        self.main_size = capacity - (capacity / 10).max(1);
        self.ghosts_size = capacity - capacity.div_ceil(10);
        self.ghosts.shrink_to(&mut self.links, self.ghosts_size);
    }

    fn announce_size(&mut self, size: u64) {
        self.links.announce(size);
    }

    fn admit(&mut self, key: u64) {
        self.returns = self.ghosts.remove(&mut self.links, key);
    }

    fn evict(&mut self) -> Option<Slot> {
        if self.main.size() > self.main_size {
            return self.evict_main();
        }
        self.evict_small().or_else(|| self.evict_main())
    }

    fn insert(&mut self, slot: Slot, key: u64) -> Option<Slot> {
        self.links.settle(slot);
        grow_to(&mut self.entries, slot, Entry::default());
        self.keys.set(slot, key);
        if mem::take(&mut self.returns) {
            self.enter_main(slot);
        } else {
            self.enter_small(slot);
        }
        None
    }

    fn access(&mut self, slot: Slot) -> Option<Slot> {
        let accesses = &mut self.entries[slot as usize].accesses;
        *accesses = (*accesses + 1).min(MOST);
        None
    }

    fn remove(&mut self, slot: Slot) {
        if self.entries[slot as usize].in_main {
            self.main.remove(&mut self.links, slot);
        } else {
            self.small.remove(&mut self.links, slot);
        }
    }

    fn validate(&self, slots: &[Slot]) {
        assert_eq!(sorted(&[self.small, self.main], &self.links), slots);
        for (list, main) in [(self.small, false), (self.main, true)] {
            let agree = |slot: Slot| self.entries[slot as usize].in_main == main;
            assert!(list.iter(&self.links).all(agree), "a slot knows its list");
        }
        assert!(self.ghosts.size() <= self.ghosts_size);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::super::tests::{Naive, agrees, conforms, matches_larger};
    use super::*;

    /// Objects and their frequencies, the oldest first.
    type Queue = VecDeque<(u64, u32)>;

    struct Queues {
        capacity: usize,
        small: Queue,
        main: Queue,
        ghosts: VecDeque<u64>,
    }

    impl Queues {
        fn main_size(&self) -> usize {
            self.capacity - (self.capacity / 10).max(1)
        }

        fn evict_small(&mut self) {
            while let Some((id, frequency)) = self.small.pop_front() {
                if frequency >= 2 {
                    self.main.push_back((id, 0));
                    continue;
                }
                self.ghosts.push_back(id);
                if self.ghosts.len() > self.capacity * 9 / 10 {
                    self.ghosts.pop_front();
                }
                return;
            }
        }

        fn evict_main(&mut self) {
            while let Some((id, frequency)) = self.main.pop_front() {
                if frequency == 0 {
                    return;
                }
                self.main.push_back((id, frequency.min(3) - 1));
            }
        }
    }

    impl Naive for Queues {
        fn request(&mut self, id: u64) -> bool {
            let mut all = self.small.iter_mut().chain(&mut self.main);
            if let Some(entry) = all.find(|entry| entry.0 == id) {
                entry.1 += 1;
                return true;
            }
            let ghost = self.ghosts.iter().position(|&it| it == id);
            if let Some(at) = ghost {
                self.ghosts.remove(at);
            }
            while self.small.len() + self.main.len() + 1 > self.capacity {
                if self.main.len() > self.main_size() || self.small.is_empty() {
                    self.evict_main();
                } else {
                    self.evict_small();
                }
            }
            if ghost.is_some() {
                self.main.push_back((id, 0));
            } else {
                self.small.push_back((id, 0));
            }
            false
        }
    }

    #[test]
    fn it_conforms() {
        conforms(<S3Fifo>::default);
    }

    #[test]
    fn it_agrees_with_the_definition() {
        let naive = |capacity| Queues {
            capacity,
            small: VecDeque::new(),
            main: VecDeque::new(),
            ghosts: VecDeque::new(),
        };
        agrees(<S3Fifo>::default, naive, &[1, 2, 3, 10, 37]);
    }

    #[test]
    fn it_misses_as_its_authors_program_does() {
        matches_larger("s3-fifo", <S3Fifo>::default, 0.0);
    }
}
