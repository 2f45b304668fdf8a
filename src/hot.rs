//! The most requested keys, in bounded memory.
//!
//! Space-Saving (Metwally, Agrawal, El Abbadi, "Efficient Computation of Frequent and Top-k
//! Elements in Data Streams", ICDT 2005): a fixed number of counters, each with a key. A key that
//! has one is counted there; any other key takes over the counter with the smallest count, goes on
//! from that count, and remembers it as its possible error. So a count is never too small, at most
//! its `error` too large, and every key with more than 1 in `counters` of all requests has a
//! counter.
//!
//! Cost: O(1) amortised. A hand goes round the counters and stops at one that has the smallest
//! count; a whole round without one finds the next smallest. Keys are known by their 64-bit hash,
//! so two keys with the same hash would be counted as one.

use hashbrown::HashTable;

/// A key and how often it was requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HotKey {
    /// The key.
    pub key: Vec<u8>,
    /// How often it was requested, at most.
    pub count: u64,
    /// By how much the count may be too large.
    pub error: u64,
}

#[derive(Clone)]
struct Counter {
    hash: u64,
    key: Vec<u8>,
    count: u64,
    error: u64,
}

/// Counts the most requested keys with a fixed number of counters. Cost of a request: O(1) amortised.
#[derive(Clone)]
pub struct Hot {
    counters: Vec<Counter>,
    /// From a key's hash to its counter.
    index: HashTable<u32>,
    capacity: usize,
    hand: usize,
    /// At most the smallest count of all counters.
    smallest: u64,
    requests: u64,
}

impl Hot {
    /// No requests yet; at least one and at most 65,536 counters.
    #[must_use]
    pub fn new(counters: usize) -> Self {
        Self {
            counters: Vec::new(),
            index: HashTable::new(),
            capacity: counters.clamp(1, 1 << 16),
            hand: 0,
            smallest: 0,
            requests: 0,
        }
    }

    /// Starts to count anew.
    pub fn clear(&mut self) {
        *self = Self::new(self.capacity);
    }

    /// All requests that were recorded.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Counts a request for `key`, whose hash is `hash`.
    #[inline]
    pub fn record(&mut self, hash: u64, key: &[u8]) {
        self.requests += 1;
        let counters = &mut self.counters;
        let found = self
            .index
            .find(hash, |&at| counters[at as usize].hash == hash);
        match found {
            Some(&at) => counters[at as usize].count += 1,
            None => self.take_over(hash, key),
        }
    }

    fn take_over(&mut self, hash: u64, key: &[u8]) {
        let at = if self.counters.len() < self.capacity {
            self.counters.push(Counter {
                hash,
                key: key.to_vec(),
                count: 1,
                error: 0,
            });
            self.counters.len() - 1
        } else {
            self.replace_smallest(hash, key)
        };
        let at = u32::try_from(at).expect("at most 65,536 counters");
        let counters = &self.counters;
        let hash_of = |&at: &u32| counters[at as usize].hash;
        self.index.insert_unique(hash, at, hash_of);
    }

    fn replace_smallest(&mut self, hash: u64, key: &[u8]) -> usize {
        let at = self.find_smallest();
        let counter = &mut self.counters[at];
        let old = self.index.find_entry(counter.hash, |&it| it as usize == at);
        if let Ok(entry) = old {
            entry.remove();
        }
        counter.hash = hash;
        counter.key.clear();
        counter.key.extend_from_slice(key);
        counter.error = counter.count;
        counter.count += 1;
        at
    }

    fn find_smallest(&mut self) -> usize {
        loop {
            let rest = &self.counters[self.hand..];
            if let Some(steps) = rest.iter().position(|it| it.count <= self.smallest) {
                self.hand += steps;
                return self.hand;
            }
            // Counts only grow, so what the hand has passed in this round is larger, too.
            self.hand = 0;
            let counts = self.counters.iter().map(|counter| counter.count);
            self.smallest = counts.min().unwrap_or(0);
        }
    }

    /// The `count` keys that were requested most, by falling count, and by key where counts are
    /// equal. Cost: a sort of the counters.
    #[must_use]
    pub fn top(&self, count: usize) -> Vec<HotKey> {
        let mut counters: Vec<&Counter> = self.counters.iter().collect();
        counters.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.key.cmp(&b.key)));
        let top = counters.into_iter().take(count).map(|counter| HotKey {
            key: counter.key.clone(),
            count: counter.count,
            error: counter.error,
        });
        top.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::hash::rapidhash;
    use crate::rng::Rng;

    fn record(hot: &mut Hot, key: &str) {
        hot.record(rapidhash(key.as_bytes()), key.as_bytes());
    }

    #[test]
    fn few_keys_are_counted_exactly() {
        let mut hot = Hot::new(3);
        for key in ["b", "a", "c", "a", "b", "a"] {
            record(&mut hot, key);
        }
        let top = hot.top(2);
        assert_eq!(
            (top[0].key.as_slice(), top[0].count, top[0].error),
            (&b"a"[..], 3, 0)
        );
        assert_eq!((top[1].key.as_slice(), top[1].count), (&b"b"[..], 2));
        assert_eq!(hot.top(9).len(), 3);
    }

    #[test]
    fn a_newcomer_takes_over_the_smallest_count_as_its_error() {
        let mut hot = Hot::new(2);
        for key in ["a", "a", "b", "c"] {
            record(&mut hot, key);
        }
        let top = hot.top(2);
        assert_eq!(
            (top[1].key.as_slice(), top[1].count, top[1].error),
            (&b"c"[..], 2, 1)
        );
    }

    /// The promises of the paper, against exact counts.
    #[test]
    fn counts_keep_their_bounds() {
        for seed in 0..50 {
            let mut rng = Rng::new(seed);
            let (mut hot, mut exact) = (Hot::new(20), BTreeMap::new());
            for _ in 0..5000 {
                let key = format!("{}", rng.below(200).min(rng.below(200)).min(rng.below(200)));
                record(&mut hot, &key);
                *exact.entry(key.into_bytes()).or_insert(0) += 1;
            }
            let top = hot.top(usize::MAX);
            assert_eq!(
                top.iter().map(|it| it.count).sum::<u64>(),
                5000,
                "seed {seed}"
            );
            for HotKey { key, count, error } in &top {
                let exact = exact[key];
                assert!(*count >= exact && count - error <= exact, "seed {seed}");
            }
            for (key, count) in exact {
                let kept = top.iter().any(|it| it.key == key);
                assert!(kept || count <= 5000 / 20, "seed {seed}: {count}");
            }
        }
    }
}
