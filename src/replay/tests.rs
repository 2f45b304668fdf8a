//! Replays beside naive references, and beside the policies as a store drives them.

#![allow(clippy::cast_possible_truncation, reason = "small numbers")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::*;
use crate::eviction::Eviction;
use crate::eviction::tests::{Driver, Random, hash, trace};
use crate::trace::{Column, Columns, Op};

/// The columns of these keys.
fn columns(keys: &[u64]) -> Columns {
    let mut numbers = BTreeMap::new();
    let ids = keys.iter().map(|key| {
        let next = numbers.len() as u32;
        *numbers.entry(*key).or_insert(next)
    });
    let ids: Vec<u32> = ids.collect();
    Columns {
        ids,
        objects: numbers.len() as u32,
        ..Columns::default()
    }
}

/// The keys by number, as the columns number them.
fn numbered(keys: &[u64]) -> Vec<u64> {
    let mut seen = BTreeSet::new();
    keys.iter()
        .copied()
        .filter(|key| seen.insert(*key))
        .collect()
}

fn counts(columns: &Columns, policy: Policy, size: u64, unit: Unit, rules: Rules) -> Counts {
    let prepared = Prepared::new(columns);
    let mut simulation = simulate(&prepared, policy, size, unit, rules, 7);
    // In two parts, since a replay may be interrupted anywhere.
    let half = columns.ids.len() / 2;
    simulation.run(columns, 0..half);
    simulation.run(columns, half..columns.ids.len());
    simulation.counts()
}

#[test]
fn a_policy_misses_as_often_as_in_a_store() {
    for &eviction in Eviction::ALL {
        // They choose by slots, which a store gives out in another order.
        if matches!(eviction, Eviction::None | Eviction::Hyperbolic) {
            continue;
        }
        for seed in 0..20 {
            for capacity in [1, 2, 3, 10, 37, 200] {
                let keys = trace(seed, 3000, 300);
                let columns = columns(&keys);
                let expected = Driver::new(eviction.policy(7), capacity).misses(&keys);
                let mut prepared = Prepared::new(&columns);
                let hashes: Vec<u64> = numbered(&keys).into_iter().map(hash).collect();
                prepared.hashes = Some(hashes.into());
                let size = capacity as u64;
                let policy = Policy::Node(eviction);
                let rules = Rules::default();
                let mut simulation = simulate(&prepared, policy, size, Unit::Objects, rules, 7);
                simulation.run(&columns, 0..keys.len());
                let found = simulation.counts();
                assert_eq!(
                    found.misses, expected as u64,
                    "{eviction}, seed {seed}, capacity {capacity}"
                );
                assert_eq!(found.compulsory, u64::from(columns.objects));
            }
        }
    }
}

#[test]
fn by_bytes_with_objects_of_one_byte_is_by_objects() {
    for policy in Policy::all() {
        for seed in 0..4 {
            let mut columns = columns(&trace(seed, 2000, 200));
            columns.sizes = Column::Narrow(vec![1; columns.ids.len()]);
            let rules = Rules::default();
            // S3-FIFO stores no object larger than a tenth of the bytes.
            for size in [10, 37, 100] {
                let objects = counts(&columns, policy, size, Unit::Objects, rules);
                let bytes = counts(&columns, policy, size, Unit::Bytes, rules);
                assert_eq!(objects, bytes, "{policy}, seed {seed}, size {size}");
            }
        }
    }
}

#[test]
fn the_curve_of_lru_is_lru_at_every_size() {
    for seed in 0..10 {
        let columns = columns(&trace(seed, 3000, 150));
        let sizes: Vec<usize> = (0..=columns.objects as usize + 2).collect();
        let [_, curve] = lru_curve(&columns.ids, columns.objects, 1000);
        let lru = Policy::Node(Eviction::Lru);
        for (size, found) in sizes.iter().zip(curve.counts_at(&sizes)).skip(1) {
            let expected = counts(&columns, lru, *size as u64, Unit::Objects, Rules::default());
            assert_eq!(found, expected, "seed {seed}, size {size}");
        }
    }
}

#[test]
fn belady_evicts_what_is_requested_last() {
    for seed in 0..12 {
        for capacity in [1, 2, 3, 10, 37] {
            let keys = trace(seed, 800, 4 * capacity + 4);
            let mut cached: Vec<u64> = Vec::new();
            let mut misses = 0;
            for (at, key) in keys.iter().enumerate() {
                if cached.contains(key) {
                    continue;
                }
                misses += 1;
                if cached.len() as u64 == capacity {
                    let next = |key: &u64| {
                        let later = keys[at + 1..].iter().position(|it| it == key);
                        later.unwrap_or(usize::MAX)
                    };
                    let farthest = cached.iter().map(next).enumerate().max_by_key(|it| it.1);
                    cached.remove(farthest.expect("it is full").0);
                }
                cached.push(*key);
            }
            let columns = columns(&keys);
            let found = counts(
                &columns,
                Policy::Belady,
                capacity,
                Unit::Objects,
                Rules::default(),
            );
            assert_eq!(found.misses, misses, "seed {seed}, capacity {capacity}");
        }
    }
}

#[test]
fn lru_and_fifo_by_bytes_are_as_defined() {
    for seed in 0..20 {
        let mut random = Random(seed << 20);
        let mut columns = columns(&trace(seed, 2000, 200));
        let sizes = columns.ids.iter().map(|_| 1 + random.below(50) as u32);
        columns.sizes = Column::Narrow(sizes.collect());
        for (eviction, touches) in [(Eviction::Lru, true), (Eviction::Fifo, false)] {
            let capacity = [10, 49, 500, 2000][random.below(4) as usize];
            let expected = naive_bytes(&columns, capacity, touches);
            let policy = Policy::Node(eviction);
            let found = counts(&columns, policy, capacity, Unit::Bytes, Rules::default());
            let found = (found.misses, found.missed_bytes);
            assert_eq!(
                found, expected,
                "{eviction}, seed {seed}, capacity {capacity}"
            );
        }
    }
}

/// Misses and missed bytes of LRU, or of FIFO if a hit does not touch.
fn naive_bytes(columns: &Columns, capacity: u64, touches: bool) -> (u64, u64) {
    let mut queue: VecDeque<(u32, u64)> = VecDeque::new();
    let (mut misses, mut bytes) = (0, 0);
    for (at, &id) in columns.ids.iter().enumerate() {
        let size = columns.sizes.get(at).expect("a size");
        if let Some(found) = queue.iter().position(|entry| entry.0 == id) {
            if touches {
                let entry = queue.remove(found).expect("found");
                queue.push_back(entry);
            }
            continue;
        }
        misses += 1;
        bytes += size;
        if size > capacity {
            continue;
        }
        while queue.iter().map(|entry| entry.1).sum::<u64>() + size > capacity {
            queue.pop_front();
        }
        queue.push_back((id, size));
    }
    (misses, bytes)
}

#[test]
fn an_object_is_gone_at_its_deadline_and_not_before() {
    let ids = vec![0, 0, 0, 1, 0];
    let second = 1_000_000_000;
    let columns = Columns {
        times: vec![
            0,
            10 * second - 1,
            10 * second,
            10 * second,
            20 * second - 1,
        ],
        objects: 2,
        ids,
        ..Columns::default()
    };
    for expiry in [Expiry::Eager, Expiry::Lazy] {
        let rules = Rules {
            ttl: Ttl::Fixed(Duration::from_secs(10)),
            expiry,
            ..Rules::default()
        };
        let lru = Policy::Node(Eviction::Lru);
        let found = counts(&columns, lru, 2, Unit::Objects, rules);
        assert_eq!((found.misses, found.expired_misses), (3, 1), "{expiry:?}");
        assert_eq!((found.compulsory, found.evicted), (2, 0));
    }
}

#[test]
fn eager_expiry_makes_room_and_lazy_expiry_does_not() {
    let second = 1_000_000_000;
    // 0 expires before 2 comes, but lazily it still takes up room, and 1 is older than it by use.
    let columns = Columns {
        ids: vec![1, 0, 1, 2, 1],
        times: vec![5, 5, 6, 11, 11]
            .into_iter()
            .map(|at| at * second)
            .collect(),
        ttls: Column::Narrow(vec![0, 3000, 0, 0, 0]),
        objects: 3,
        ..Columns::default()
    };
    let run = |expiry| {
        let rules = Rules {
            ttl: Ttl::Trace,
            expiry,
            ..Rules::default()
        };
        counts(
            &columns,
            Policy::Node(Eviction::Fifo),
            2,
            Unit::Objects,
            rules,
        )
    };
    let (eager, lazy) = (run(Expiry::Eager), run(Expiry::Lazy));
    assert_eq!((eager.misses, eager.expired, eager.evicted), (3, 1, 0));
    assert_eq!((lazy.misses, lazy.expired, lazy.evicted), (4, 0, 2));
}

#[test]
fn by_the_operations_of_the_trace_only_gets_count_and_only_sets_store() {
    let columns = Columns {
        ids: vec![0, 0, 0, 0, 0, 1],
        ops: vec![Op::Get, Op::Set, Op::Get, Op::Delete, Op::Get, Op::Add],
        objects: 2,
        ..Columns::default()
    };
    let rules = Rules {
        ops: Ops::Trace,
        ..Rules::default()
    };
    let found = counts(
        &columns,
        Policy::Node(Eviction::Lru),
        5,
        Unit::Objects,
        rules,
    );
    assert_eq!((found.requests, found.misses), (3, 2));
}

#[test]
fn the_parts_of_a_split_trace_are_the_whole() {
    let keys = trace(3, 5000, 400);
    let mut columns = columns(&keys);
    columns.sizes = Column::Narrow((0..5000).collect());
    let owners: Vec<u16> = (0..columns.objects).map(|id| (id % 3) as u16).collect();
    let parts = split(&columns, &owners, 3, &[0, 2500, 5000]);
    let requests: usize = parts.iter().map(|part| part.trace.ids.len()).sum();
    assert_eq!(requests, 5000);
    let halves: usize = parts.iter().map(|part| part.bounds[1]).sum();
    assert_eq!((halves, parts[0].bounds[0]), (2500, 0));
    let mut whole: Vec<(u64, u32)> = Vec::new();
    for part in &parts {
        for (at, &id) in part.trace.ids.iter().enumerate() {
            let size = part.trace.sizes.get(at).expect("a size");
            whole.push((size, part.objects[id as usize]));
        }
    }
    whole.sort_unstable();
    let expected: Vec<(u64, u32)> = (0..).zip(columns.ids.iter().copied()).collect();
    assert_eq!(whole, expected);
}

#[test]
fn replays_miss_as_the_reference_simulator_does() {
    let generated = crate::eviction::traces::traces();
    let mut compared = 0;
    for row in crate::eviction::traces::reference_rows(crate::eviction::tests::MISSES) {
        let keys = generated.iter().find(|(name, _)| *name == row.trace);
        let columns = columns(&keys.expect("a generated trace").1);
        let policy: Policy = row.policy.parse().expect("a policy");
        let size = row.size as u64;
        let found = counts(&columns, policy, size, Unit::Objects, Rules::default());
        assert_eq!(
            found.misses, row.misses as u64,
            "{policy} {} {size}",
            row.trace
        );
        compared += 1;
    }
    assert_eq!(compared, 180);
}
