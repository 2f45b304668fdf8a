//! Belady's MIN: the entry that is asked for last goes. No policy misses less often, so it is the bound
//! that the others are held against; but it has to know the future.
//!
//! Belady: *A Study of Replacement Algorithms for a Virtual-Storage Computer*, IBM Systems Journal
//! 5(2), 1966, the algorithm MIN. A new entry always comes in, even if it is itself asked for last.
//!
//! For whole traces only: it is made of all requests there will be, in their order, and each
//! announced entry and each access is the next of them. If other things are asked for it still
//! evicts, but by a future that does not come true; what is asked for after the last request is taken as
//! never asked for again. The least number of misses is meant for objects of one size without TTLs.
//!
//! An operation is O(log n) in the entries. The requests cost 8 bytes each, beside the entries.

use std::collections::BTreeSet;
use std::mem;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::list::grow_to;
use super::{EvictionPolicy, Slot};

/// The place of a request that does not come.
const NEVER: usize = usize::MAX;

/// The entry goes whose next request is farthest away. It is made of the whole trace.
#[derive(Clone)]
pub struct Belady {
    /// By request: the place of the next request of the same key.
    next_requests: Vec<usize>,
    /// How many requests there were.
    now: usize,
    /// The next request of the announced entry.
    announced: usize,
    /// By slot: its next request.
    next: Vec<usize>,
    /// All entries by their next request.
    order: BTreeSet<(usize, Slot)>,
}

impl Belady {
    /// A policy for requests of keys with exactly these hashes, in this order.
    #[must_use]
    pub fn new(future: &[u64]) -> Self {
        Self {
            next_requests: next_requests(future),
            now: 0,
            announced: NEVER,
            next: Vec::new(),
            order: BTreeSet::new(),
        }
    }

    /// Goes on to the next request; returns when its key is requested again.
    fn step(&mut self) -> usize {
        let next = self.next_requests.get(self.now).copied();
        self.now += 1;
        next.unwrap_or(NEVER)
    }

    fn place(&mut self, slot: Slot, next: usize) {
        self.next[slot as usize] = next;
        self.order.insert((next, slot));
    }
}

/// For each request the place of the next request of the same key.
fn next_requests(future: &[u64]) -> Vec<usize> {
    let mut next = vec![NEVER; future.len()];
    let mut earliest: HashTable<usize> = HashTable::new();
    for (at, &hash) in future.iter().enumerate().rev() {
        match earliest.entry(hash, |&it| future[it] == hash, |&it| future[it]) {
            Entry::Occupied(mut entry) => next[at] = mem::replace(entry.get_mut(), at),
            Entry::Vacant(entry) => drop(entry.insert(at)),
        }
    }
    next
}

impl EvictionPolicy for Belady {
    fn resize(&mut self, _: usize) {}

    fn admit(&mut self, _: u64) {
        self.announced = self.step();
    }

    fn evict(&mut self) -> Option<Slot> {
        let (_, victim) = self.order.pop_last()?;
        Some(victim)
    }

    fn insert(&mut self, slot: Slot, _: u64) -> Option<Slot> {
        grow_to(&mut self.next, slot, NEVER);
        let next = mem::replace(&mut self.announced, NEVER);
        self.place(slot, next);
        None
    }

    fn access(&mut self, slot: Slot) -> Option<Slot> {
        self.remove(slot);
        let next = self.step();
        self.place(slot, next);
        None
    }

    fn remove(&mut self, slot: Slot) {
        self.order.remove(&(self.next[slot as usize], slot));
    }

    /// 8 for the next request, and 16 in the ordered set, whose nodes are about two thirds full.
    fn validate(&self, slots: &[Slot]) {
        let mut held: Vec<Slot> = self.order.iter().map(|&(_, slot)| slot).collect();
        held.sort_unstable();
        assert_eq!(held, slots);
        for &(next, slot) in &self.order {
            assert_eq!(self.next[slot as usize], next, "a slot knows its place");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{
        Naive, agrees_foreseeing, conforms, hash, matches_reference_foreseeing, trace,
    };
    use super::*;

    struct Seer {
        capacity: usize,
        /// The requests that are still to come.
        future: Vec<u64>,
        entries: Vec<u64>,
    }

    impl Seer {
        fn distance(&self, id: u64) -> usize {
            let next = self.future.iter().position(|&it| it == id);
            next.unwrap_or(NEVER)
        }
    }

    impl Naive for Seer {
        fn request(&mut self, id: u64) -> bool {
            assert_eq!(self.future.remove(0), id);
            if self.entries.contains(&id) {
                return true;
            }
            if self.entries.len() == self.capacity {
                let places = 0..self.capacity;
                let farthest = places.max_by_key(|&at| self.distance(self.entries[at]));
                self.entries.remove(farthest.expect("it is full"));
            }
            self.entries.push(id);
            false
        }
    }

    fn foreseeing(trace: &[u64]) -> Belady {
        let future: Vec<u64> = trace.iter().map(|&id| hash(id)).collect();
        Belady::new(&future)
    }

    #[test]
    fn it_conforms() {
        conforms(|| Belady::new(&[]));
        conforms(|| foreseeing(&trace(1, 300, 60)));
    }

    #[test]
    fn it_agrees_with_the_definition() {
        let naive = |capacity, trace: &[u64]| Seer {
            capacity,
            future: trace.to_vec(),
            entries: Vec::new(),
        };
        agrees_foreseeing(foreseeing, naive, &[1, 2, 3, 10, 37]);
    }

    #[test]
    fn it_misses_as_the_reference_does() {
        matches_reference_foreseeing("belady", foreseeing, 0.0);
    }
}
