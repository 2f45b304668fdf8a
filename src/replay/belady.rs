//! Belady's MIN: the object goes whose next request is farthest away. By objects of one size and
//! without TTLs no policy misses less often, so it is the floor that others are held against.
//!
//! Belady: *A Study of Replacement Algorithms for a Virtual-Storage Computer*, IBM Systems Journal
//! 5(2), 1966, the algorithm MIN. A new object always comes in, even if its own next request is the
//! farthest. It needs the next request of each request ([`next_requests`]): 4 bytes a request, shared
//! by all its simulations. The heap takes 8 bytes an entry, at most four entries an object.
//!
//! Each [`admit`](EvictionPolicy::admit) and each [`access`](EvictionPolicy::access) is the next
//! request of the trace, so it works only where every request is a get that stores on a miss.

use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::eviction::{EvictionPolicy, Slot};

/// The place of a request that does not come.
const NEVER: u32 = u32::MAX;
/// The next request of an object that is not in the cache: no entry of the heap has it.
const GONE: u32 = u32::MAX - 1;

/// By request: the place of the next request of the same object, `u32::MAX` if there is none.
/// Cost: one pass from the end.
pub fn next_requests(ids: &[u32], objects: u32) -> Vec<u32> {
    let mut next = vec![NEVER; ids.len()];
    let mut earliest = vec![NEVER; objects as usize];
    for (at, &id) in ids.iter().enumerate().rev() {
        let place = u32::try_from(at).expect("a trace has fewer than 2^32 - 1 requests");
        next[at] = std::mem::replace(&mut earliest[id as usize], place);
    }
    next
}

/// Belady's MIN for a trace.
#[derive(Clone)]
pub struct Belady {
    next_requests: Arc<[u32]>,
    /// How many requests there were.
    now: usize,
    /// By slot: its next request, or `GONE`.
    next: Vec<u32>,
    /// The next request of the announced object.
    announced: u32,
    /// Next requests with their slots; those that are not in `next` do not count.
    order: BinaryHeap<(u32, Slot)>,
}

impl Belady {
    pub fn new(next_requests: Arc<[u32]>, objects: u32) -> Self {
        Self {
            next_requests,
            now: 0,
            next: vec![GONE; objects as usize],
            announced: NEVER,
            order: BinaryHeap::new(),
        }
    }

    fn step(&mut self) -> u32 {
        let next = self.next_requests.get(self.now).copied();
        self.now += 1;
        next.unwrap_or(NEVER)
    }

    fn place(&mut self, slot: Slot, next: u32) {
        self.next[slot as usize] = next;
        self.order.push((next, slot));
        if self.order.len() > 64 && self.order.len() > 4 * self.next.len() {
            let next = &self.next;
            self.order.retain(|&(at, slot)| next[slot as usize] == at);
        }
    }
}

impl EvictionPolicy for Belady {
    fn resize(&mut self, _: usize) {}

    fn admit(&mut self, _: u64) {
        self.announced = self.step();
    }

    fn evict(&mut self) -> Option<Slot> {
        loop {
            let (next, slot) = self.order.pop()?;
            if self.next[slot as usize] == next {
                self.next[slot as usize] = GONE;
                return Some(slot);
            }
        }
    }

    fn insert(&mut self, slot: Slot, _: u64) -> Option<Slot> {
        self.place(slot, self.announced);
        None
    }

    fn access(&mut self, slot: Slot) -> Option<Slot> {
        let next = self.step();
        self.place(slot, next);
        None
    }

    fn remove(&mut self, slot: Slot) {
        self.next[slot as usize] = GONE;
    }

    fn validate(&self, slots: &[Slot]) {
        let held = (0..).zip(&self.next).filter(|&(_, &next)| next != GONE);
        assert!(held.map(|(slot, _)| slot).eq(slots.iter().copied()));
    }
}
