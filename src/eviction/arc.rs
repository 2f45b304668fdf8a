//! ARC: adaptive replacement. Entries that were seen once are in one LRU list, those that were seen
//! again in another, and each list has its ghosts. A hit among the ghosts of one says that this list
//! was too short: the part of the store that it aims at grows, at the cost of the other. So ARC moves
//! between recency and frequency as the load asks for it, without a knob.
//!
//! Megiddo, Modha: *ARC: A Self-Tuning, Low Overhead Replacement Cache*, FAST 2003, section IV,
//! figure 4. Here `once` and `again` are the paper's `T1` and `T2`, their ghosts `B1` and `B2`, and
//! `target` is its `p`, which is a real number: it moves by the real quotient of the ghosts.
//!
//! `once` and its ghosts hold at most as much as the store, everything together twice as much. A list
//! that alone fills the store with entries seen once leaves no ghosts: on a loop larger than the store
//! ARC always misses. With a capacity of 1 it is LRU.

use std::mem;

use super::ghosts::{ByHash, Ghosts, Identity, Keys};
use super::list::{Links, List, grow_to, sorted};
use super::{EvictionPolicy, Slot};

/// Two LRU lists, for entries that were seen once and for those seen again, whose sizes adapt. Not a
/// pointer. 42 bytes an entry, ghosts included.
#[derive(Clone)]
pub struct Arc<I: Identity = ByHash> {
    capacity: u64,
    /// How long `once` should be, from 0 to `capacity`.
    target: f64,
    once: List,
    again: List,
    links: Links<I::Sizes>,
    /// By slot: whether it is in `again`.
    is_again: Vec<bool>,
    keys: I::Keys,
    once_ghosts: I::Ghosts,
    again_ghosts: I::Ghosts,
    announced: Announced,
}

/// Where the announced entry was remembered.
#[derive(Clone, Copy, Default, PartialEq)]
enum Announced {
    #[default]
    Nowhere,
    Once,
    Again,
}

impl<I: Identity> Default for Arc<I> {
    fn default() -> Self {
        Self {
            capacity: 0,
            target: 0.0,
            once: List::default(),
            again: List::default(),
            links: Links::default(),
            is_again: Vec::new(),
            keys: I::Keys::default(),
            once_ghosts: I::Ghosts::default(),
            again_ghosts: I::Ghosts::default(),
            announced: Announced::default(),
        }
    }
}

impl<I: Identity> Arc<I> {
    /// The paper's REPLACE: the list that is longer than it should be gives up its oldest entry.
    fn replace(&mut self) -> Option<Slot> {
        let once = real(self.once.size());
        let at_target = self.announced == Announced::Again && once >= self.target;
        let too_long = !self.once.is_empty() && (once > self.target || at_target);
        let (list, ghosts) = if too_long || self.again.is_empty() {
            (&mut self.once, &mut self.once_ghosts)
        } else {
            (&mut self.again, &mut self.again_ghosts)
        };
        let victim = list.pop_back(&mut self.links)?;
        ghosts.push(&mut self.links, self.keys.get(victim));
        Some(victim)
    }

    /// Forgets the ghosts that are too many.
    fn trim(&mut self) {
        let once = self.capacity.saturating_sub(self.once.size());
        self.once_ghosts.shrink_to(&mut self.links, once);
        let again = self.again_ghosts_size();
        self.again_ghosts.shrink_to(&mut self.links, again);
    }

    fn again_ghosts_size(&self) -> u64 {
        let others = self.once.size() + self.once_ghosts.size() + self.again.size();
        self.capacity.saturating_mul(2).saturating_sub(others)
    }
}

impl<I: Identity> EvictionPolicy for Arc<I> {
    fn resize(&mut self, capacity: usize) {
        self.capacity = capacity as u64;
        self.target = self.target.min(real(self.capacity));
        self.trim();
    }

    fn announce_size(&mut self, size: u64) {
        self.links.announce(size);
    }

    fn admit(&mut self, key: u64) {
        let once = real(self.once_ghosts.size());
        let again = real(self.again_ghosts.size());

        self.announced = if self.once_ghosts.remove(&mut self.links, key) {
            self.target = (self.target + (again / once).max(1.0)).min(real(self.capacity));
            Announced::Once
        } else if self.again_ghosts.remove(&mut self.links, key) {
            self.target = (self.target - (once / again).max(1.0)).max(0.0);
            Announced::Again
        } else {
            Announced::Nowhere
        };
    }

    fn evict(&mut self) -> Option<Slot> {
        let victim = if self.announced == Announced::Nowhere
            && self.once.size() + self.links.announced() > self.capacity
        {
            self.once.pop_back(&mut self.links)
        } else {
            self.replace()
        };
        self.trim();
        victim
    }

    fn insert(&mut self, slot: Slot, key: u64) -> Option<Slot> {
        self.links.settle(slot);
        grow_to(&mut self.is_again, slot, false);
        self.keys.set(slot, key);
        let returns = mem::take(&mut self.announced) != Announced::Nowhere;
        self.is_again[slot as usize] = returns;
        if returns {
            self.again.push_front(&mut self.links, slot);
        } else {
            self.once.push_front(&mut self.links, slot);
        }
        self.trim();
        None
    }

    fn access(&mut self, slot: Slot) -> Option<Slot> {
        self.remove(slot);
        self.again.push_front(&mut self.links, slot);
        self.is_again[slot as usize] = true;
        None
    }

    fn remove(&mut self, slot: Slot) {
        if self.is_again[slot as usize] {
            self.again.remove(&mut self.links, slot);
        } else {
            self.once.remove(&mut self.links, slot);
        }
    }

    fn validate(&self, slots: &[Slot]) {
        assert_eq!(sorted(&[self.once, self.again], &self.links), slots);
        for (list, again) in [(self.once, false), (self.again, true)] {
            let agree = |slot: Slot| self.is_again[slot as usize] == again;
            assert!(list.iter(&self.links).all(agree), "a slot knows its list");
        }
        assert!((0.0..=real(self.capacity)).contains(&self.target));
        assert!(self.once_ghosts.size() <= self.capacity.saturating_sub(self.once.size()));
        assert!(self.again_ghosts.size() <= self.again_ghosts_size());
    }
}

/// A size as a real number; exact up to 2^53.
#[expect(clippy::cast_precision_loss)]
fn real(size: u64) -> f64 {
    size as f64
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::super::tests::{Naive, agrees, conforms, matches_reference};
    use super::*;

    /// The paper's lists, the oldest first.
    struct Lists {
        n: usize,
        p: f64,
        t1: VecDeque<u64>,
        t2: VecDeque<u64>,
        b1: VecDeque<u64>,
        b2: VecDeque<u64>,
    }

    fn take(list: &mut VecDeque<u64>, id: u64) -> bool {
        let at = list.iter().position(|&it| it == id);
        at.and_then(|at| list.remove(at)).is_some()
    }

    impl Lists {
        fn is_full(&self) -> bool {
            self.t1.len() + self.t2.len() == self.n
        }

        fn replace(&mut self, in_b2: bool) {
            let t1 = real(self.t1.len() as u64);
            if t1 > 0.0 && (t1 > self.p || (in_b2 && t1 >= self.p)) || self.t2.is_empty() {
                self.b1.extend(self.t1.pop_front());
            } else {
                self.b2.extend(self.t2.pop_front());
            }
        }

        fn make_room(&mut self) {
            let seen_once = self.t1.len() + self.b1.len();
            if seen_once + 1 > self.n {
                if self.b1.pop_front().is_some() {
                    self.replace(false);
                } else {
                    self.t1.pop_front();
                }
                return;
            }
            if seen_once + self.t2.len() + self.b2.len() >= 2 * self.n {
                self.b2.pop_front();
            }
            self.replace(false);
        }
    }

    impl Naive for Lists {
        fn request(&mut self, id: u64) -> bool {
            let (b1, b2) = (real(self.b1.len() as u64), real(self.b2.len() as u64));
            if take(&mut self.t1, id) || take(&mut self.t2, id) {
                self.t2.push_back(id);
                return true;
            }
            if take(&mut self.b1, id) {
                self.p = (self.p + (b2 / b1).max(1.0)).min(real(self.n as u64));
                self.replace(false);
                self.t2.push_back(id);
            } else if take(&mut self.b2, id) {
                self.p = (self.p - (b1 / b2).max(1.0)).max(0.0);
                self.replace(true);
                self.t2.push_back(id);
            } else {
                if self.is_full() {
                    self.make_room();
                }
                self.t1.push_back(id);
            }
            false
        }
    }

    #[test]
    fn it_conforms() {
        conforms(<Arc>::default);
    }

    #[test]
    fn it_agrees_with_the_definition() {
        let naive = |n| Lists {
            n,
            p: 0.0,
            t1: VecDeque::new(),
            t2: VecDeque::new(),
            b1: VecDeque::new(),
            b2: VecDeque::new(),
        };
        agrees(<Arc>::default, naive, &[1, 2, 3, 10, 37]);
    }

    #[test]
    fn it_misses_as_the_reference_does() {
        matches_reference("arc", <Arc>::default, 0.0);
    }
}
