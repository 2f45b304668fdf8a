//! What every policy goes through: a naive store drives it, alone and beside a naive reference.

#![allow(clippy::cast_possible_truncation, reason = "small numbers")]

use std::collections::{BTreeMap, VecDeque};
use std::fs;

use super::traces::{larger_traces, reference_rows, traces};
use super::{EvictionPolicy, Slot};

/// A policy written to be read: what is in the cache after each request, by the definition.
pub(crate) trait Naive {
    /// A get of this object and, if that misses, its insertion; `true` if it hit.
    fn request(&mut self, id: u64) -> bool;
}

/// A store that has nothing but slots: objects of size one, got and then inserted on a miss.
pub(crate) struct Driver<P> {
    pub policy: P,
    capacity: usize,
    slots: BTreeMap<u64, Slot>,
    ids: BTreeMap<Slot, u64>,
    vacant: VecDeque<Slot>,
}

/// A hash as good as the store's: the finalizer of splitmix64.
pub(crate) fn hash(id: u64) -> u64 {
    let mut x = id.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl<P: EvictionPolicy> Driver<P> {
    pub(crate) fn new(mut policy: P, capacity: usize) -> Self {
        policy.resize(capacity);
        Self {
            policy,
            capacity,
            slots: BTreeMap::new(),
            ids: BTreeMap::new(),
            vacant: (0..=u32::try_from(capacity).expect("small")).collect(),
        }
    }

    /// A get of this object and, if that misses, its insertion; `true` if it hit.
    pub(crate) fn request(&mut self, id: u64) -> bool {
        if let Some(&slot) = self.slots.get(&id) {
            let pushed = self.policy.access(slot);
            self.forget(pushed);
            return true;
        }
        self.policy.admit(hash(id));
        while self.slots.len() >= self.capacity {
            let victim = self.policy.evict();
            assert!(victim.is_some(), "a full store can evict");
            self.forget(victim);
        }
        let slot = self.vacant.pop_front().expect("there is room");
        self.slots.insert(id, slot);
        self.ids.insert(slot, id);
        let pushed = self.policy.insert(slot, hash(id));
        self.forget(pushed);
        false
    }

    /// Deletes an object, if it is there.
    pub(crate) fn delete(&mut self, id: u64) {
        if let Some(&slot) = self.slots.get(&id) {
            self.policy.remove(slot);
            self.forget(Some(slot));
        }
    }

    /// Changes the capacity; what no longer fits leaves.
    pub(crate) fn resize(&mut self, capacity: usize) {
        let more = u32::try_from(self.capacity.max(capacity) + 1).expect("small");
        let known = self.ids.len() + self.vacant.len();
        self.vacant
            .extend(u32::try_from(known).expect("small")..more);
        self.capacity = capacity;
        self.policy.resize(capacity);
        while self.slots.len() > capacity {
            let victim = self.policy.evict();
            assert!(victim.is_some(), "a store that is too full can evict");
            self.forget(victim);
        }
    }

    /// Evicts so many objects, as a limit in bytes may do for one big object.
    pub(crate) fn evict(&mut self, count: u64) {
        for _ in 0..count {
            let victim = self.policy.evict();
            assert_eq!(victim.is_none(), self.slots.is_empty());
            self.forget(victim);
        }
    }

    fn forget(&mut self, slot: Option<Slot>) {
        let Some(slot) = slot else { return };
        let id = self.ids.remove(&slot).expect("a victim is in the store");
        self.slots.remove(&id);
        self.vacant.push_front(slot);
    }

    pub(crate) fn validate(&self) {
        let slots: Vec<Slot> = self.ids.keys().copied().collect();
        self.policy.validate(&slots);
    }

    pub(crate) fn misses(&mut self, trace: &[u64]) -> usize {
        trace.iter().filter(|&&id| !self.request(id)).count()
    }
}

/// Random numbers for traces: the same for the same seed.
pub(crate) struct Random(pub u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(1);
        hash(self.0) % bound
    }
}

/// A trace in which a few objects are popular, with scans and loops in between.
pub(crate) fn trace(seed: u64, len: usize, objects: u64) -> Vec<u64> {
    let mut random = Random(seed << 32);
    let mut trace = Vec::new();
    while trace.len() < len {
        match random.below(20) {
            0 => {
                let (start, count) = (random.below(objects), random.below(objects));
                trace.extend((start..start + count).map(|id| id % (objects * 2)));
            }
            1 => {
                let count = 1 + random.below(objects / 2 + 1);
                for _ in 0..2 + random.below(3) {
                    trace.extend(objects..objects + count);
                }
            }
            _ => {
                let spread = random.below(objects) + 1;
                trace.push(random.below(spread));
            }
        }
    }
    trace.truncate(len);
    trace
}

/// Requests, deletions, changes of capacity, announcements that lead to nothing and evictions
/// without an announcement at random: whatever the policy is told, it holds
/// exactly what the store holds.
pub(crate) fn conforms<P: EvictionPolicy>(make: impl Fn() -> P) {
    for seed in 0..60 {
        let mut random = Random(seed << 40);
        let capacity = [1, 2, 3, 5, 10, 40][random.below(6) as usize];
        let mut driver = Driver::new(make(), capacity);
        for id in trace(seed, 600, 60) {
            match random.below(12) {
                0 => driver.delete(id),
                1 if random.below(4) == 0 => driver.resize(1 + random.below(50) as usize),
                2 if random.below(4) == 0 => driver.policy.admit(hash(id)),
                3 if random.below(4) == 0 => driver.evict(random.below(6)),
                _ => drop(driver.request(id)),
            }
            driver.validate();
        }
        while let Some(slot) = driver.policy.evict() {
            driver.forget(Some(slot));
            driver.validate();
        }
        assert!(
            driver.slots.is_empty(),
            "seed {seed}: every entry can be evicted"
        );
    }
}

/// The policy hits exactly where its naive reference hits.
pub(crate) fn agrees<P: EvictionPolicy, N: Naive>(
    policy: impl Fn() -> P,
    naive: impl Fn(usize) -> N,
    capacities: &[usize],
) {
    agrees_foreseeing(|_| policy(), |capacity, _| naive(capacity), capacities);
}

/// As [`agrees`], for policies that are made of the trace.
pub(crate) fn agrees_foreseeing<P: EvictionPolicy, N: Naive>(
    policy: impl Fn(&[u64]) -> P,
    naive: impl Fn(usize, &[u64]) -> N,
    capacities: &[usize],
) {
    for &capacity in capacities {
        for seed in 0..12 {
            let trace = trace(seed, 1500, 4 * capacity as u64 + 4);
            let mut driver = Driver::new(policy(&trace), capacity);
            let mut naive = naive(capacity, &trace);
            for (at, id) in trace.into_iter().enumerate() {
                let (hit, expected) = (driver.request(id), naive.request(id));
                assert_eq!(
                    hit, expected,
                    "capacity {capacity}, seed {seed}, request {at}"
                );
            }
            driver.validate();
        }
    }
}

/// What the reference simulator misses on the generated traces.
pub(crate) const MISSES: &str = include_str!("../../tests/data/misses.csv");

/// Compares the misses on the generated traces, and on the larger ones if they are there, with those
/// of the reference simulator; `tolerance` is a part of the misses.
pub(crate) fn matches_reference<P: EvictionPolicy>(
    name: &str,
    make: impl Fn() -> P,
    tolerance: f64,
) {
    matches_reference_foreseeing(name, |_| make(), tolerance);
}

/// As [`matches_reference`], for policies that are made of the trace.
pub(crate) fn matches_reference_foreseeing<P: EvictionPolicy>(
    name: &str,
    make: impl Fn(&[u64]) -> P,
    tolerance: f64,
) {
    let traces: BTreeMap<_, _> = traces().into_iter().collect();
    let compared = compare(
        MISSES,
        name,
        |trace| traces[trace].clone(),
        &make,
        tolerance,
    );
    assert!(compared > 10, "{name} is in the reference");
    matches_larger_foreseeing(name, make, tolerance);
}

/// As [`matches_reference`], on the larger traces only: for policies that the reference simulator has
/// in another form. What they do in every clone is compared by [`agrees`].
pub(crate) fn matches_larger<P: EvictionPolicy>(name: &str, make: impl Fn() -> P, tolerance: f64) {
    matches_larger_foreseeing(name, |_| make(), tolerance);
}

fn matches_larger_foreseeing<P: EvictionPolicy>(
    name: &str,
    make: impl Fn(&[u64]) -> P,
    tolerance: f64,
) {
    let Some(folder) = larger_traces() else {
        return;
    };
    let read = |file: String| fs::read_to_string(folder.join(file)).expect("a file");
    let trace = |trace: &str| {
        let text = read(format!("{trace}.txt"));
        text.lines()
            .map(|line| line.parse().expect("an id"))
            .collect()
    };
    let compared = compare(&read("reference.csv".into()), name, trace, make, tolerance);
    assert!(compared > 0, "{name} is in the reference");
}

/// Compares the rows of a policy, and returns how many there are.
fn compare<P: EvictionPolicy>(
    reference: &str,
    name: &str,
    trace: impl Fn(&str) -> Vec<u64>,
    make: impl Fn(&[u64]) -> P,
    tolerance: f64,
) -> usize {
    let rows = reference_rows(reference);
    let rows: Vec<_> = rows.filter(|row| row.policy == name).collect();
    for row in &rows {
        let trace = trace(row.trace);
        let found = Driver::new(make(&trace), row.size).misses(&trace);
        let off = found.abs_diff(row.misses) as f64;
        assert!(
            off <= tolerance * row.misses as f64,
            "{name}, {} at {}: {found} misses, the reference has {}",
            row.trace,
            row.size,
            row.misses
        );
    }
    rows.len()
}
