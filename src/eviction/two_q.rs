//! 2Q: two queues. A new entry goes through a short FIFO queue, in which accesses change nothing, so
//! a burst of them counts as one. The hashes of those that leave it are remembered; an entry that
//! comes back while it is remembered is worth keeping and goes into an LRU queue.
//!
//! Johnson, Shasha: *2Q: A Low Overhead High Performance Buffer Management Replacement Algorithm*,
//! VLDB 1994, the full version. Here `fresh` is the paper's `A1in`, `ghosts` its `A1out` and
//! `kept` its `Am`, with the sizes that it recommends: a quarter of the capacity for `fresh`, ghosts
//! for half of the capacity, the rest for `kept`.
//!
//! The sizes say which queue gives up an entry when the store is full; until then both may grow.
//! Below a capacity of 4 `fresh` may hold nothing once the store is full, so what is in it goes first;
//! with a capacity of 1 there are no ghosts either, and the one entry is always replaced.

use std::mem;

use super::ghosts::{ByHash, Ghosts, Identity, Keys};
use super::list::{Links, List, grow_to, sorted};
use super::{EvictionPolicy, Slot};

/// A short FIFO queue for new entries, and an LRU queue for those that come back soon after they left
/// it. About 30 bytes an entry, ghosts included.
#[derive(Clone)]
pub struct TwoQ<I: Identity = ByHash> {
    /// How many entries `fresh` may keep in a full store.
    fresh_size: u64,
    ghosts_size: u64,
    fresh: List,
    kept: List,
    links: Links<I::Sizes>,
    /// By slot: whether it is in `kept`.
    is_kept: Vec<bool>,
    keys: I::Keys,
    ghosts: I::Ghosts,
    /// Whether the announced entry was a ghost.
    returns: bool,
}

impl<I: Identity> Default for TwoQ<I> {
    fn default() -> Self {
        Self {
            fresh_size: 0,
            ghosts_size: 0,
            fresh: List::default(),
            kept: List::default(),
            links: Links::default(),
            is_kept: Vec::new(),
            keys: I::Keys::default(),
            ghosts: I::Ghosts::default(),
            returns: false,
        }
    }
}

impl<I: Identity> TwoQ<I> {
    fn remember(&mut self, slot: Slot) {
        if self.links.size(slot) > self.ghosts_size {
            return;
        }
        let key = self.keys.get(slot);
        self.ghosts.push(&mut self.links, key);
        self.ghosts.shrink_to(&mut self.links, self.ghosts_size);
    }
}

impl<I: Identity> EvictionPolicy for TwoQ<I> {
    fn resize(&mut self, capacity: usize) {
        let capacity = capacity as u64;
        self.fresh_size = capacity / 4;
        self.ghosts_size = capacity / 2;
        self.ghosts.shrink_to(&mut self.links, self.ghosts_size);
    }

    fn announce_size(&mut self, size: u64) {
        self.links.announce(size);
    }

    fn admit(&mut self, key: u64) {
        self.returns = self.ghosts.remove(&mut self.links, key);
    }

    fn evict(&mut self) -> Option<Slot> {
        if self.fresh.size() <= self.fresh_size && !self.kept.is_empty() {
            return self.kept.pop_back(&mut self.links);
        }
        let victim = self.fresh.pop_back(&mut self.links)?;
        self.remember(victim);
        Some(victim)
    }

    fn insert(&mut self, slot: Slot, key: u64) -> Option<Slot> {
        self.links.settle(slot);
        grow_to(&mut self.is_kept, slot, false);
        self.keys.set(slot, key);
        let returns = mem::take(&mut self.returns);
        self.is_kept[slot as usize] = returns;
        if returns {
            self.kept.push_front(&mut self.links, slot);
        } else {
            self.fresh.push_front(&mut self.links, slot);
        }
        None
    }

    fn access(&mut self, slot: Slot) -> Option<Slot> {
        if self.is_kept[slot as usize] {
            self.kept.move_to_front(&mut self.links, slot);
        }
        None
    }

    fn remove(&mut self, slot: Slot) {
        if self.is_kept[slot as usize] {
            self.kept.remove(&mut self.links, slot);
        } else {
            self.fresh.remove(&mut self.links, slot);
        }
    }

    fn validate(&self, slots: &[Slot]) {
        assert_eq!(sorted(&[self.fresh, self.kept], &self.links), slots);
        for (list, kept) in [(self.fresh, false), (self.kept, true)] {
            let agree = |slot: Slot| self.is_kept[slot as usize] == kept;
            assert!(list.iter(&self.links).all(agree), "a slot knows its list");
        }
        assert!(self.ghosts.size() <= self.ghosts_size);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::super::tests::{Naive, agrees, conforms, matches_reference};
    use super::*;

    /// The paper's queues, the oldest first.
    struct Queues {
        capacity: usize,
        a1in: VecDeque<u64>,
        a1out: VecDeque<u64>,
        am: VecDeque<u64>,
    }

    impl Queues {
        fn reclaim(&mut self) {
            let (kin, kout) = (self.capacity / 4, self.capacity / 2);
            while self.a1in.len() + self.am.len() + 1 > self.capacity {
                if self.a1in.len() > kin {
                    self.a1out.extend(self.a1in.pop_front());
                    if self.a1out.len() > kout {
                        self.a1out.pop_front();
                    }
                } else {
                    self.am.pop_front();
                }
            }
        }
    }

    impl Naive for Queues {
        fn request(&mut self, id: u64) -> bool {
            if let Some(at) = self.am.iter().position(|&it| it == id) {
                self.am.remove(at);
                self.am.push_back(id);
                return true;
            }
            if self.a1in.contains(&id) {
                return true;
            }
            let ghost = self.a1out.iter().position(|&it| it == id);
            if let Some(at) = ghost {
                self.a1out.remove(at);
            }
            self.reclaim();
            if ghost.is_some() {
                if self.am.len() == self.capacity - self.capacity / 4 {
                    self.am.pop_front();
                }
                self.am.push_back(id);
            } else {
                self.a1in.push_back(id);
            }
            false
        }
    }

    #[test]
    fn it_conforms() {
        conforms(<TwoQ>::default);
    }

    #[test]
    fn it_agrees_with_the_definition() {
        let naive = |capacity| Queues {
            capacity,
            a1in: VecDeque::new(),
            a1out: VecDeque::new(),
            am: VecDeque::new(),
        };
        agrees(<TwoQ>::default, naive, &[1, 2, 3, 4, 10, 37]);
    }

    #[test]
    fn it_misses_as_the_reference_does() {
        matches_reference("2q", <TwoQ>::default, 0.0);
    }
}
