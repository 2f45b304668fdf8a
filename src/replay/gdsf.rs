//! GDSF: Greedy Dual Size Frequency. The object with the lowest priority goes, and the priority of an
//! object is the age of the cache at its last request plus its uses divided by its size. The age is the
//! priority of the last victim.
//!
//! Cherkasova: *Improving WWW Proxies Performance with Greedy-Dual-Size-Frequency Caching Policy*, HP
//! Labs HPL-98-69, 1998. As in libCacheSim an object is inserted first, and then evicted if its own
//! priority is the lowest. Of equal priorities the one that was set first goes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::eviction::{EvictionPolicy, Slot};

/// GDSF.
#[derive(Clone, Default)]
pub struct Gdsf {
    age: f64,
    /// How many priorities were set.
    now: u64,
    announced: u64,
    /// By slot.
    entries: Vec<Entry>,
    /// Priorities by order; those whose number is not the entry's do not count.
    order: BinaryHeap<Reverse<(Priority, u64, Slot)>>,
    len: usize,
}

#[derive(Clone, Copy, Default)]
struct Entry {
    uses: u64,
    size: u64,
    /// When its priority was set; 0: it is not in the cache.
    set: u64,
}

#[derive(Clone, Copy, PartialEq)]
struct Priority(f64);

impl Eq for Priority {}

impl PartialOrd for Priority {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Priority {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl Gdsf {
    fn place(&mut self, slot: Slot) {
        self.now += 1;
        let entry = &mut self.entries[slot as usize];
        entry.set = self.now;
        let priority = self.age + entry.uses as f64 / entry.size.max(1) as f64;
        self.order
            .push(Reverse((Priority(priority), self.now, slot)));
        if self.order.len() > 64 && self.order.len() > 4 * self.len {
            let entries = &self.entries;
            self.order
                .retain(|Reverse((_, set, slot))| entries[*slot as usize].set == *set);
        }
    }
}

impl EvictionPolicy for Gdsf {
    fn resize(&mut self, _: usize) {}

    fn announce_size(&mut self, size: u64) {
        self.announced = size;
    }

    fn evict(&mut self) -> Option<Slot> {
        loop {
            let Reverse((priority, set, slot)) = self.order.pop()?;
            let entry = &mut self.entries[slot as usize];
            if entry.set == set {
                entry.set = 0;
                self.len -= 1;
                self.age = priority.0;
                return Some(slot);
            }
        }
    }

    fn insert(&mut self, slot: Slot, _: u64) -> Option<Slot> {
        if self.entries.len() <= slot as usize {
            self.entries.resize(slot as usize + 1, Entry::default());
        }
        let size = self.announced;
        self.entries[slot as usize] = Entry {
            uses: 1,
            size,
            set: 0,
        };
        self.len += 1;
        self.place(slot);
        None
    }

    fn access(&mut self, slot: Slot) -> Option<Slot> {
        self.entries[slot as usize].uses += 1;
        self.place(slot);
        None
    }

    fn remove(&mut self, slot: Slot) {
        self.entries[slot as usize].set = 0;
        self.len -= 1;
    }

    fn validate(&self, slots: &[Slot]) {
        let held = (0..).zip(&self.entries).filter(|(_, entry)| entry.set != 0);
        assert!(held.map(|(slot, _)| slot).eq(slots.iter().copied()));
        assert_eq!(self.len, slots.len());
    }
}
