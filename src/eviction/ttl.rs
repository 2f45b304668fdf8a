//! TTL: the entry that expires next goes, since it would not have stayed anyway.
//!
//! Entries without a deadline go when there is none left with one. Of equal deadlines, and of those
//! without, the one that was inserted first goes first, so without deadlines it is FIFO. An access
//! changes nothing; a deadline that is set anew does, but the entry keeps its age.
//! It is what Redis calls `volatile-ttl`, except that Redis samples and refuses to evict an entry
//! without a TTL.
//!
//! The order is kept in a search tree: O(log n) to insert, remove, evict, and set a deadline.

use std::collections::BTreeSet;

use super::list::grow_to;
use super::{EvictionPolicy, Slot};
use crate::time::Instant;

/// The entry goes whose deadline is nearest. About 64 bytes an entry.
#[derive(Clone, Default)]
pub struct Ttl {
    /// Victims in order, the next one first.
    queue: BTreeSet<(Rank, Slot)>,
    /// By slot; stale for those that are not in the queue.
    ranks: Vec<Rank>,
    /// Insertions up to now.
    insertions: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// `Instant::MAX` for an entry without one: it is later than any deadline.
    deadline: Instant,
    /// The number of its insertion.
    insertion: u64,
}

impl EvictionPolicy for Ttl {
    fn resize(&mut self, _: usize) {}

    fn evict(&mut self) -> Option<Slot> {
        self.queue.pop_first().map(|(_, victim)| victim)
    }

    fn insert(&mut self, slot: Slot, _: u64) -> Option<Slot> {
        self.insertions += 1;
        let rank = Rank {
            deadline: Instant::MAX,
            insertion: self.insertions,
        };
        grow_to(&mut self.ranks, slot, rank);
        self.ranks[slot as usize] = rank;
        self.queue.insert((rank, slot));
        None
    }

    fn access(&mut self, _: Slot) -> Option<Slot> {
        None
    }

    fn remove(&mut self, slot: Slot) {
        self.queue.remove(&(self.ranks[slot as usize], slot));
    }

    fn set_deadline(&mut self, slot: Slot, deadline: Option<Instant>) {
        self.remove(slot);
        let rank = &mut self.ranks[slot as usize];
        rank.deadline = deadline.unwrap_or(Instant::MAX);
        self.queue.insert((*rank, slot));
    }

    /// 16 for the rank, 24 for the place in the tree, whose nodes are little more than half full.
    fn validate(&self, slots: &[Slot]) {
        let mut queued: Vec<Slot> = self.queue.iter().map(|&(_, slot)| slot).collect();
        queued.sort_unstable();
        assert_eq!(queued, slots);
        let mut queue = self.queue.iter();
        assert!(queue.all(|&(rank, slot)| self.ranks[slot as usize] == rank));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::super::tests::{Naive, agrees, conforms};
    use super::*;
    use crate::rng::Rng;

    /// What it is without deadlines.
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

    /// Slots in order of insertion, with their deadlines.
    #[derive(Default)]
    struct Deadlines(Vec<(Slot, Option<Instant>)>);

    impl Deadlines {
        fn slots(&self) -> Vec<Slot> {
            let mut slots: Vec<Slot> = self.0.iter().map(|entry| entry.0).collect();
            slots.sort_unstable();
            slots
        }

        fn evict(&mut self) -> Option<Slot> {
            let with_deadline = self.0.iter().filter(|entry| entry.1.is_some());
            let nearest = with_deadline.min_by_key(|entry| entry.1);
            let victim = nearest.or(self.0.first())?.0;
            self.0.retain(|entry| entry.0 != victim);
            Some(victim)
        }
    }

    /// A deadline out of a few, so that many are equal, or none.
    fn deadline(rng: &mut Rng) -> Option<Instant> {
        let millis = rng.below(8);
        (millis > 0).then(|| Instant::from_millis(millis))
    }

    #[test]
    fn it_conforms() {
        conforms(Ttl::default);
    }

    #[test]
    fn without_deadlines_it_is_fifo() {
        let naive = |capacity| Queue {
            capacity,
            queue: VecDeque::new(),
        };
        agrees(Ttl::default, naive, &[1, 2, 3, 10, 37]);
    }

    #[test]
    fn the_nearest_deadline_goes_first() {
        let mut policy = Ttl::default();
        for (slot, millis) in [(0, 30), (1, 0), (2, 10), (3, 0), (4, 10)] {
            policy.insert(slot, 0);
            policy.set_deadline(slot, (millis > 0).then(|| Instant::from_millis(millis)));
        }
        policy.access(2);
        let victims: Vec<Slot> = std::iter::from_fn(|| policy.evict()).collect();
        assert_eq!(victims, [2, 4, 0, 1, 3]);
    }

    #[test]
    fn it_agrees_with_the_definition() {
        let mut rng = Rng::new(9);
        let (mut policy, mut naive) = (Ttl::default(), Deadlines::default());
        for _ in 0..10_000 {
            let slot = Slot::try_from(rng.below(30)).expect("small");
            let at = naive.0.iter().position(|entry| entry.0 == slot);
            match (at, rng.below(4)) {
                (_, 0) => assert_eq!(policy.evict(), naive.evict()),
                (None, _) => {
                    policy.insert(slot, 0);
                    naive.0.push((slot, None));
                }
                (Some(at), 1) => {
                    policy.remove(slot);
                    naive.0.remove(at);
                }
                (Some(at), _) => {
                    naive.0[at].1 = deadline(&mut rng);
                    policy.set_deadline(slot, naive.0[at].1);
                }
            }
            policy.validate(&naive.slots());
        }
    }
}
