//! The fast simulation: objects of size 1, every request a get that stores on a miss, no TTLs.

use std::ops::Range;

use super::bits::Bits;
use super::counts::Counts;
use super::prefix::Prefix;
use super::simulation::Simulation;
use crate::eviction::{EvictionPolicy, Slot};
use crate::trace::Columns;

/// A cache with room for a number of objects.
pub struct Fast<P, K> {
    policy: P,
    /// Gives the policy's key for an object.
    key: K,
    resident: Bits,
    len: usize,
    capacity: usize,
    /// Objects below this number were requested before.
    seen: Slot,
    prefix: Prefix,
    counts: Counts,
}

impl<P: EvictionPolicy, K: Fn(Slot) -> u64> Fast<P, K> {
    pub fn new(mut policy: P, key: K, objects: u32, capacity: usize) -> Self {
        policy.resize(capacity);
        Self {
            policy,
            key,
            resident: Bits::new(objects as usize),
            len: 0,
            capacity,
            seen: 0,
            prefix: Prefix::default(),
            counts: Counts::default(),
        }
    }

    /// A get of an object, and its insertion if that misses; `true` if it misses.
    #[inline]
    fn misses(&mut self, object: Slot) -> bool {
        if self.resident.has(object as usize) {
            let pushed = self.policy.access(object);
            self.forget(pushed);
            return false;
        }
        self.store(object);
        true
    }

    #[inline]
    fn store(&mut self, object: Slot) {
        if self.capacity == 0 {
            return;
        }
        let key = (self.key)(object);
        self.policy.admit(key);
        while self.len >= self.capacity {
            let victim = self.policy.evict();
            if victim.is_none() {
                return;
            }
            self.forget(victim);
        }
        let pushed = self.policy.insert(object, key);
        self.resident.insert(object as usize);
        self.len += 1;
        self.forget(pushed);
    }

    /// Requests of which each may need those before it to hit. Returns misses and missed bytes.
    fn run_prefixes(&mut self, trace: &Columns, range: Range<usize>) -> (u64, u64) {
        let (mut misses, mut bytes) = (0, 0);
        for at in range {
            let object = trace.ids[at];
            let misses_itself = self.misses(object);
            if self.prefix.hits(trace.follows[at], !misses_itself) {
                continue;
            }
            misses += 1;
            bytes += trace.sizes.get(at).unwrap_or(1);
            self.counts.prefix_misses += u64::from(!misses_itself);
        }
        (misses, bytes)
    }

    #[inline]
    fn forget(&mut self, slot: Option<Slot>) {
        if let Some(slot) = slot {
            self.resident.remove(slot as usize);
            self.len -= 1;
            self.counts.evicted += 1;
        }
    }
}

impl<P: EvictionPolicy, K: Fn(Slot) -> u64 + Send> Simulation for Fast<P, K> {
    fn run(&mut self, trace: &Columns, range: Range<usize>) {
        let ids = &trace.ids[range.clone()];
        let mut misses = 0;
        let mut missed_bytes = 0;
        if !trace.follows.is_empty() {
            (misses, missed_bytes) = self.run_prefixes(trace, range.clone());
            let size = |at| trace.sizes.get(at).unwrap_or(1);
            self.counts.bytes += range.map(size).sum::<u64>();
        } else if trace.sizes.is_empty() {
            for &id in ids {
                misses += u64::from(self.misses(id));
            }
            self.counts.bytes += ids.len() as u64;
            missed_bytes = misses;
        } else {
            for (at, &id) in range.zip(ids) {
                let size = trace.sizes.get(at).unwrap_or(1);
                self.counts.bytes += size;
                if self.misses(id) {
                    misses += 1;
                    missed_bytes += size;
                }
            }
        }
        let newest = ids.iter().max().map_or(0, |newest| newest + 1);
        self.counts.compulsory += u64::from(newest.saturating_sub(self.seen));
        self.seen = self.seen.max(newest);
        self.counts.requests += ids.len() as u64;
        self.counts.misses += misses;
        self.counts.missed_bytes += missed_bytes;
    }

    fn counts(&self) -> Counts {
        self.counts
    }
}
