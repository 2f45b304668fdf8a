//! When which request times out.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::time::Instant;

/// A heap of due times. A request that is over, or has another due time by now, leaves its entry
/// behind until it reaches the top, or until more than half of the entries are such.
#[derive(Clone)]
pub(crate) struct Timers<K> {
    heap: BinaryHeap<Reverse<(Instant, K)>>,
}

impl<K: Ord> Default for Timers<K> {
    fn default() -> Self {
        Self {
            heap: BinaryHeap::new(),
        }
    }
}

impl<K: Ord + Copy> Timers<K> {
    /// Sets a timer. `live` is the number of requests there are, and `is_live` says whether an entry
    /// is the due time of one. Cost: O(log n), amortised.
    pub(crate) fn push(
        &mut self,
        due: Instant,
        request: K,
        live: usize,
        is_live: impl Fn(Instant, K) -> bool,
    ) {
        if self.heap.len() > 2 * live + 64 {
            self.heap.retain(|Reverse((due, it))| is_live(*due, *it));
        }
        self.heap.push(Reverse((due, request)));
    }

    /// The earliest due time, and whose it is.
    pub(crate) fn first(&mut self, is_live: impl Fn(Instant, K) -> bool) -> Option<(Instant, K)> {
        while let Some(&Reverse((due, request))) = self.heap.peek() {
            if is_live(due, request) {
                return Some((due, request));
            }
            self.heap.pop();
        }
        None
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.heap.clear();
    }
}
