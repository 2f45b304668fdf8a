//! The replay of a split trace beside the same replay through a real cluster, and faults in it.

#![allow(clippy::cast_possible_truncation, reason = "small numbers")]

use std::time::Duration;

use super::*;
use crate::cluster::Restart;
use crate::eviction::Eviction;
use crate::eviction::tests::{Random, trace};
use crate::hash::rapidhash;
use crate::id::NodeId;
use crate::placement::{Members, PlacementKind};
use crate::trace::{Column, Columns, Input, Limits, Op, Spec, Wanted};

/// A trace of these keys, read as a program reads one.
fn read(keys: &[u64]) -> Columns {
    let text: Vec<String> = keys.iter().map(|key| format!("{key}\n")).collect();
    let text = text.concat().into_bytes();
    let input = Input::new(Box::new(std::io::Cursor::new(text)), "keys", None).expect("text");
    let mut trace = "txt"
        .parse::<Spec>()
        .expect("a format")
        .read(input)
        .expect("a trace");
    let wanted = Wanted {
        keys: true,
        ..Wanted::default()
    };
    let mut limits = Limits {
        requests: u64::MAX,
        go_on: &mut |_| true,
    };
    Columns::read(&mut trace, wanted, &mut limits).expect("a trace")
}

/// The same with times, sizes, operations and TTLs.
fn adorned(seed: u64, keys: &[u64]) -> Columns {
    let mut columns = read(keys);
    let mut random = Random(seed << 24);
    let mut time = 5_000_000_000;
    for _ in keys {
        time += random.below(3) * 1_000_000;
        columns.times.push(time);
        columns.ops.push(match random.below(10) {
            0 => Op::Delete,
            1 => Op::Add,
            2 | 3 => Op::Set,
            _ => Op::Get,
        });
        columns.sizes.push(1 + random.below(9));
        columns
            .ttls
            .push([0, 20, 100, 100, 2000][random.below(5) as usize]);
    }
    columns
}

fn deployed(nodes: u32, placement: PlacementKind, eviction: Eviction, entries: u64) -> Deployed {
    Deployed {
        nodes,
        placement,
        replicas: 1,
        eviction,
        entries,
        seed: 7,
    }
}

/// What each node counts, by the simulations of a split trace. The first `warm` requests do not count.
fn by_split(
    columns: &Columns,
    keys: &Keys,
    rules: Rules,
    how: &Deployed,
    warm: usize,
) -> Vec<Counts> {
    let placement = how.placement.place(Members::first(how.nodes));
    let owner = |object| placement.owner(placement.hash(keys.get(object))).0 as u16;
    let owners: Vec<u16> = (0..columns.objects).map(owner).collect();
    let end = columns.ids.len();
    let parts = split(columns, &owners, how.nodes as usize, &[warm, warm, end]);
    let time = |at: usize| {
        at.checked_sub(1)
            .and_then(|at| columns.times.get(at))
            .copied()
    };
    let grid = Grid {
        policies: vec![Policy::Node(how.eviction)],
        sizes: vec![how.entries],
        unit: Unit::Objects,
        rules,
        seed: how.seed,
    };
    let shards = parts.iter().map(|part| {
        let mut prepared = Prepared::new(&part.trace);
        let hash = |object: &u32| rapidhash(keys.get(*object));
        prepared.hashes = Some(part.objects.iter().map(hash).collect());
        Shard {
            prepared,
            bounds: [part.bounds[0], part.bounds[1], part.bounds[2]],
            times: [warm, warm, end].map(|at| time(at).unwrap_or(0)),
            share: Share::Whole,
        }
    });
    let shards: Vec<Shard<'_>> = shards.collect();
    let mut tasks = grid.tasks(&shards);
    tasks.sort_by_key(|task| task.shard);
    let run = |task: &Task| grid.run(task, &shards[task.shard])[0].all;
    tasks.iter().map(run).collect()
}

fn by_cluster(
    columns: &Columns,
    keys: &Keys,
    rules: Rules,
    how: &Deployed,
    warm: usize,
) -> Vec<Counts> {
    replayed(columns, keys, rules, how, warm, &[]).1
}

/// A replay in windows of 500 requests, with these events.
fn replayed(
    columns: &Columns,
    keys: &Keys,
    rules: Rules,
    how: &Deployed,
    warm: usize,
    events: &[(usize, Action)],
) -> (Windows, Vec<Counts>) {
    let mut replay = ClusterReplay::new(columns, keys, rules, how).expect("a cluster");
    replay.run(0..warm);
    replay.start_counting(warm);
    let mut from = warm;
    while from < columns.ids.len() {
        for (_, action) in events.iter().filter(|event| event.0 == from) {
            replay.carry_out(from, action).expect("an event");
        }
        let to = (from + 500).min(columns.ids.len());
        replay.run(from..to);
        replay.end_window(to);
        from = to;
    }
    replay.finish()
}

fn assert_equal(columns: &Columns, rules: Rules, how: &Deployed, warm: usize, name: &str) {
    let keys = Keys::new(&columns.keys).indexed();
    let split = by_split(columns, &keys, rules, how, warm);
    let mut cluster = by_cluster(columns, &keys, rules, how, warm);
    cluster.resize(split.len(), Counts::default());
    assert_eq!(split, cluster, "{name}: {how:?}, {rules:?}");
}

#[test]
fn a_split_trace_counts_as_the_cluster_does() {
    for &eviction in Eviction::ALL {
        for (at, &placement) in PlacementKind::ALL.iter().enumerate() {
            let seed = at as u64;
            let columns = read(&trace(seed, 3000, 400));
            let nodes = [1, 2, 3, 5][at % 4];
            let entries = [1, 7, 40, 90, 150][at % 5];
            let how = deployed(nodes, placement, eviction, entries);
            let warm = [0, 500][at % 2];
            assert_equal(
                &columns,
                Rules::default(),
                &how,
                warm,
                &format!("seed {seed}"),
            );
        }
    }
}

#[test]
fn with_ttls_and_operations_a_split_trace_counts_as_the_cluster_does() {
    for &eviction in Eviction::ALL {
        for seed in 0..6 {
            let columns = adorned(seed, &trace(seed, 3000, 300));
            let ttls = [
                Ttl::Trace,
                Ttl::Fixed(Duration::from_millis(150)),
                Ttl::Fixed(Duration::from_secs(2)),
                Ttl::None,
            ];
            let rules = Rules {
                ops: [Ops::Fill, Ops::Trace][seed as usize % 2],
                ttl: ttls[seed as usize % 4],
                expiry: Expiry::Eager,
            };
            let nodes = [1, 3, 4][seed as usize % 3];
            let how = deployed(nodes, PlacementKind::Ring, eviction, 30 + seed * 20);
            assert_equal(&columns, rules, &how, 200, &format!("seed {seed}"));
        }
    }
}

#[test]
fn prefixes_are_cut_alike_on_one_node() {
    for seed in 0..8 {
        let mut columns = read(&trace(seed, 3000, 300));
        let mut random = Random(seed);
        columns.follows = columns.ids.iter().map(|_| random.below(4) > 0).collect();
        columns.follows[0] = false;
        let eviction = [Eviction::Lru, Eviction::WTinyLfu][seed as usize % 2];
        let how = deployed(1, PlacementKind::Modulo, eviction, 100);
        assert_equal(&columns, Rules::default(), &how, 0, &format!("seed {seed}"));
        let keys = Keys::new(&columns.keys);
        let found = by_cluster(&columns, &keys, Rules::default(), &how, 0)[0];
        assert!(found.prefix_misses > 0, "seed {seed}");
        // A block hits if all from the start of its request on are there.
        let plain = Columns {
            follows: Vec::new(),
            ..columns.clone()
        };
        let plain = by_cluster(&plain, &keys, Rules::default(), &how, 0)[0];
        assert_eq!(plain.misses + found.prefix_misses, found.misses);
        assert_eq!(plain.evicted, found.evicted);
    }
}

#[test]
fn a_block_hits_only_behind_blocks_that_hit() {
    let mut columns = read(&[1, 2, 3, 1, 4, 3, 1, 4, 3]);
    columns.follows = [false, true, true].repeat(3);
    let keys = Keys::new(&columns.keys);
    let how = deployed(2, PlacementKind::Modulo, Eviction::Lru, 10);
    let (windows, _) = replayed(&columns, &keys, Rules::default(), &how, 0, &[]);
    let found = windows.counts[0];
    // 4 misses in the second request, and so 3 does, which is there.
    assert_eq!(
        (found.misses, found.compulsory, found.prefix_misses),
        (5, 4, 1)
    );
}

#[test]
fn a_crash_costs_what_the_node_held_and_replicas_save_it() {
    let keys: Vec<u64> = (0..10_000).map(|at| at % 100).collect();
    let columns = Columns {
        times: (0..10_000).map(|at| at * 1_000_000).collect(),
        ..read(&keys)
    };
    let keys = Keys::new(&columns.keys);
    let rules = Rules::default();
    let mut how = deployed(3, PlacementKind::Modulo, Eviction::Lru, 1000);
    let events = [
        (5000, Action::Crash(NodeId(1))),
        (6000, Action::Restart(NodeId(1), Restart::Resync)),
    ];
    let (calm, by_node) = replayed(&columns, &keys, rules, &how, 1000, &[]);
    assert_eq!(calm.counts.iter().map(|it| it.misses).sum::<u64>(), 0);
    let held = by_node[1].requests / 90;
    let (broken, _) = replayed(&columns, &keys, rules, &how, 1000, &events);
    let costs = impacts(&broken, &calm, &[5000, 6000]);
    let down = held * 10;
    assert_eq!(
        (costs[0].failed, costs[0].extra_misses),
        (down, down.cast_signed())
    );
    assert_eq!((costs[0].requests, costs[0].end), (1000, End::NextEvent));
    // Each key of the node misses once, and then it is there again.
    assert_eq!(costs[1].extra_misses, held.cast_signed());
    assert_eq!(
        (costs[1].failed, costs[1].requests, costs[1].end),
        (0, 500, End::Recovered)
    );
    assert_eq!(costs[1].nanos, 500_000_000);
    how.replicas = 2;
    let (saved, _) = replayed(&columns, &keys, rules, &how, 1000, &events);
    assert_eq!(saved.counts, calm.counts);
}

#[test]
fn a_paused_node_fails_requests_without_delaying_the_trace() {
    let keys: Vec<u64> = (0..20_000).map(|at| at % 100).collect();
    let columns = Columns {
        times: (0..20_000).map(|at| at * 1_000_000).collect(),
        ..read(&keys)
    };
    let keys = Keys::new(&columns.keys);
    let how = deployed(3, PlacementKind::Modulo, Eviction::Lru, 1000);
    let events = [
        (5000, Action::Pause(NodeId(0))),
        (15_000, Action::Resume(NodeId(0))),
    ];
    let (broken, by_node) = replayed(&columns, &keys, Rules::default(), &how, 1000, &events);
    let requests: u64 = broken.counts.iter().map(|it| it.requests).sum();
    assert_eq!(requests, 19_000);
    assert_eq!(by_node.iter().map(|it| it.requests).sum::<u64>(), 19_000);
    let failed: u64 = broken.counts.iter().map(|it| it.failed).sum();
    // A client gives up after 3 s, and what was sent in the last 3 s of the pause is answered after it.
    let of_node = by_node[0].requests as f64 / 19_000.0;
    assert!(
        (failed as f64 - of_node * 7000.0).abs() < 100.0,
        "{failed} of {of_node}"
    );
    // They count in the window in which they were sent.
    assert!(broken.counts[8].failed > 0 && broken.counts[7].failed == 0);
    assert_eq!(broken.counts[23].failed, 0);
}

#[test]
fn a_join_moves_before_the_next_request() {
    let keys: Vec<u64> = (0..4000).map(|at| at % 100).collect();
    let columns = read(&keys);
    let keys = Keys::new(&columns.keys);
    let how = deployed(3, PlacementKind::Ring, Eviction::Lru, 1000);
    let events = [(1000, Action::Join(1)), (2000, Action::Leave(NodeId(0)))];
    let (windows, by_node) = replayed(&columns, &keys, Rules::default(), &how, 0, &events);
    let misses: Vec<u64> = windows.counts.iter().map(|it| it.misses).collect();
    assert_eq!(misses, [100, 0, 0, 0, 0, 0, 0, 0]);
    assert!(by_node.len() == 4 && by_node[3].requests > 0);
    assert!(
        by_node[0].requests > 0,
        "one that has left keeps its counts"
    );
}

#[test]
fn what_cannot_be_done_is_refused_with_the_reason() {
    let columns = read(&[1, 2, 3]);
    let keys = Keys::new(&columns.keys);
    let how = deployed(2, PlacementKind::Modulo, Eviction::Lru, 10);
    let mut replay =
        ClusterReplay::new(&columns, &keys, Rules::default(), &how).expect("a cluster");
    replay.start_counting(0);
    let mut refused = |action| replay.carry_out(0, &action).expect_err("it is refused");
    assert_eq!(refused(Action::Crash(NodeId(7))), "there is no node 7");
    assert_eq!(
        refused(Action::Restart(NodeId(1), Restart::Resync)),
        "node 1 has not crashed"
    );
    let isolate = Action::Network(crate::network::Fault::Isolate(NodeId(2)));
    assert_eq!(refused(isolate), "there is no node 2");
}

#[test]
fn the_hottest_objects_of_a_node_are_counted() {
    let columns = read(&[5, 6, 5, 7, 5, 6, 8]);
    let owners = [0, 0, 1, 0];
    let found = hottest(&columns, Ops::Fill, &owners, 0, 1, 2);
    assert_eq!(
        (found.requests, found.objects.as_slice()),
        (5, &[(0, 2), (1, 2)][..])
    );
    assert!((found.share() - 0.8).abs() < 1e-9);
}

#[test]
fn keys_are_found_by_their_text() {
    let columns = read(&[12, 3, 45, 6]);
    let keys = Keys::new(&columns.keys).indexed();
    for number in 0..4 {
        assert_eq!(keys.number(keys.get(number)), Some(number));
    }
    assert_eq!(
        (keys.get(2), keys.number(b"7"), keys.get(4)),
        (&b"45"[..], None, &b""[..])
    );
}

/// Columns stay narrow while their numbers are.
#[test]
fn adorned_columns_are_as_long_as_the_trace() {
    let columns = adorned(1, &trace(1, 100, 10));
    assert!(matches!(columns.ttls, Column::Narrow(_)) && columns.ttls.len() == columns.ids.len());
}
