//! Joins, leaves and changes of placement: every key can be read at every step, with its deadline.

use proptest::prelude::*;
use shardlab::cache::Cache;
use shardlab::cluster::{MoveCost, MoveError};
use shardlab::config::{Capacity, MAX_NODES};
use shardlab::event::{Event, EventKind, EventLog};
use shardlab::eviction::Eviction;
use shardlab::id::NodeId;
use shardlab::placement::{Member, PlacementKind};
use shardlab::time::Instant;
use shardlab::{Cluster, Config};

use super::model::{self, Model, apply, told};

#[derive(Clone, Debug)]
enum Step {
    Ask(model::Step),
    Join(u32),
    Leave(usize),
    Place(PlacementKind),
    Move(usize),
}

fn kind() -> impl Strategy<Value = PlacementKind> {
    prop::sample::select(PlacementKind::ALL)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => model::step().prop_map(Step::Ask),
        1 => (1..4_u32).prop_map(Step::Join),
        1 => (0..8_usize).prop_map(Step::Leave),
        1 => kind().prop_map(Step::Place),
        4 => (1..5_usize).prop_map(Step::Move),
    ]
}

/// Whatever the cluster refuses must leave it as it was; the comparison goes on to show it.
fn change(step: &Step, now: Instant, cluster: &mut Cluster) {
    let moving = cluster.is_moving();
    let refused = match *step {
        Step::Ask(_) => return,
        Step::Join(weight) => cluster.join(now, weight).err(),
        Step::Leave(at) => {
            let ids: Vec<NodeId> = cluster.node_ids().collect();
            cluster.leave(now, ids[at % ids.len()]).err()
        }
        Step::Place(kind) => cluster.set_placement(now, kind).err(),
        Step::Move(limit) => {
            let _ = cluster.move_some(now, limit);
            return;
        }
    };
    assert_eq!(
        refused == Some(MoveError::Moving),
        moving,
        "one move at a time"
    );
}

/// How many events concern a key.
fn about_keys(cluster: &Cluster) -> usize {
    let events = cluster.events().iter();
    events.filter(|it| it.kind.has_key()).count()
}

/// What expired, whatever the node.
fn expired(log: &EventLog) -> Vec<(Instant, Vec<u8>)> {
    let has_key = told(log).into_iter().filter(|it| it.kind.has_key());
    let expired = has_key.map(|it: &Event| {
        assert_eq!(it.kind, EventKind::Expired);
        (it.at, it.key.to_vec())
    });
    let mut expired: Vec<_> = expired.collect();
    expired.sort_unstable();
    expired
}

fn check_all_keys(now: Instant, cluster: &mut Cluster, model: &mut Model) {
    model.tick(now);
    for (key, row) in &model.rows {
        let entry = cluster.peek(now, key).expect("an answer");
        let entry = entry.expect("every key can be read");
        assert_eq!(
            (&*entry.value, entry.deadline),
            (&row.value[..], row.deadline)
        );
    }
    assert_eq!(
        cluster.stats(now).keys,
        model.rows.len() as u64,
        "each once"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_cluster_that_changes_does_what_the_model_does(
        nodes in 1..5_u32,
        placement in kind(),
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let config = Config::new().nodes(nodes).placement(placement);
        let mut cluster = Cluster::new(config).expect("a cluster");
        let (mut model, mut now) = (Model::new(nodes), Instant::START);
        for step in &steps {
            match step {
                Step::Ask(step) => apply(step, &mut now, &mut cluster, &mut model),
                step => {
                    change(step, now, &mut cluster);
                    model.tick(now);
                }
            }
        }
        let cost = cluster.move_all(now);
        prop_assert_eq!(cost.lost, 0);
        check_all_keys(now, &mut cluster, &mut model);
        let keys = cluster.keys(now, None, |_| true);
        for key in keys {
            let owner = cluster.owner(&key);
            let there = cluster.keys(now, Some(owner), |it| it == key);
            prop_assert_eq!(there.len(), 1, "every key is where it belongs");
        }
        prop_assert_eq!(expired(cluster.events()), expired(model.events()));
    }
}

fn key(n: u32) -> Vec<u8> {
    format!("key:{n}").into_bytes()
}

fn full_cluster(placement: PlacementKind, nodes: u32, keys: u32) -> Cluster {
    let config = Config::new().nodes(nodes).placement(placement);
    let mut cluster = Cluster::new(config).expect("a cluster");
    for n in 0..keys {
        let deadline = Instant::from_millis(60_000 + u64::from(n));
        let put = cluster.put(Instant::START, &key(n), &n.to_le_bytes(), Some(deadline));
        put.expect("room");
    }
    cluster
}

/// Without the help of anybody who asks: all keys are there before, during and after.
#[test]
fn every_key_is_somewhere_at_every_step() {
    const KEYS: u32 = 500;
    let now = Instant::from_millis(1);
    for &kind in PlacementKind::ALL {
        let mut cluster = full_cluster(kind, 4, KEYS);
        cluster.join(now, 1).expect("a fifth node");
        while cluster.move_some(now, 7).is_none() {
            assert_eq!(
                cluster.keys(now, None, |_| true).len(),
                KEYS as usize,
                "{kind}"
            );
        }
        cluster.leave(now, NodeId(1)).expect("there are others");
        while cluster.move_some(now, 7).is_none() {
            assert_eq!(
                cluster.keys(now, None, |_| true).len(),
                KEYS as usize,
                "{kind}"
            );
        }
        assert_eq!(
            cluster.node_ids().map(|id| id.0).collect::<Vec<_>>(),
            [0, 2, 3, 4]
        );
        for n in 0..KEYS {
            let entry = cluster.peek(now, &key(n)).expect("an answer");
            let entry = entry.expect("it is there");
            assert_eq!(
                entry.deadline,
                Some(Instant::from_millis(60_000 + u64::from(n)))
            );
        }
        assert_eq!(
            cluster.join(now, 1),
            Ok(NodeId(5)),
            "numbers are not reused"
        );
    }
}

#[test]
fn the_cost_says_what_moved() {
    let mut cluster = full_cluster(PlacementKind::Modulo, 3, 3000);
    let now = Instant::from_millis(1);
    cluster.join(now, 1).expect("room for a node");
    let cost = cluster.move_all(now);
    assert_eq!((cost.keys, cost.optimum, cost.lost), (3000, 750, 0));
    assert_eq!(cost.fair_share, Some(750));
    assert!(
        (2200..2300).contains(&cost.moved),
        "three quarters: {}",
        cost.moved
    );
    let leaving = cluster.keys(now, Some(NodeId(0)), |_| true).len() as u64;
    cluster.leave(now, NodeId(0)).expect("others stay");
    assert_eq!(cluster.move_all(now).optimum, leaving);
    let nothing = MoveCost {
        keys: 3000,
        ..MoveCost::default()
    };
    assert_eq!(cluster.move_all(now), nothing);
}

#[test]
fn a_key_that_expires_on_its_way_expires_once() {
    let mut cluster = full_cluster(PlacementKind::Modulo, 3, 100);
    cluster.join(Instant::START, 1).expect("room for a node");
    let _ = cluster.move_some(Instant::START, 30);
    let end = Instant::from_millis(61_000);
    cluster.tick(end);
    assert_eq!(about_keys(&cluster), 100);
    assert_eq!(cluster.move_all(end).lost, 0);
    assert_eq!(cluster.stats(end).keys, 0);
}

#[test]
fn a_leave_without_room_is_refused_before_anything_moves() {
    let now = Instant::START;
    let mut cluster = full_cluster(PlacementKind::Modulo, 2, 20);
    cluster.set_eviction(now, Eviction::None);
    let capacity = |entries| Capacity {
        entries: Some(entries),
        bytes: None,
    };
    cluster.set_capacity(now, capacity(19));
    let before = cluster.node_stats(now);
    let refused = cluster.leave(now, NodeId(1)).map(drop);
    let Err(MoveError::NoRoom { node, needed, .. }) = refused else {
        panic!("{refused:?}: 20 keys do not fit");
    };
    assert_eq!((node, needed.0), (NodeId(0), 20));
    assert!(!cluster.is_moving());
    assert_eq!(cluster.node_stats(now), before);
    assert_eq!(about_keys(&cluster), 0);

    cluster.set_capacity(now, capacity(20));
    cluster.leave(now, NodeId(1)).expect("room for all");
    assert_eq!(cluster.move_all(now).lost, 0);
    assert_eq!(cluster.stats(now).keys, 20);
}

#[test]
fn what_cannot_be_is_refused() {
    let now = Instant::START;
    let mut cluster = full_cluster(PlacementKind::Modulo, 1, 10);
    assert_eq!(cluster.leave(now, NodeId(0)), Err(MoveError::LastNode));
    assert_eq!(
        cluster.leave(now, NodeId(7)),
        Err(MoveError::NoSuchNode(NodeId(7)))
    );
    assert_eq!(cluster.join(now, 0), Err(MoveError::Weight(0)));
    assert_eq!(cluster.join(now, 101), Err(MoveError::Weight(101)));
    assert_eq!(cluster.join(now, 2), Err(MoveError::Unweighted("modulo")));
    let mut heavy = full_cluster(PlacementKind::Ring, 1, 10);
    heavy.join(now, 2).expect("a ring has weights");
    heavy.move_all(now);
    let member = Member {
        node: NodeId(1),
        weight: 2,
    };
    let placement = "jump";
    assert_eq!(
        heavy.set_placement(now, PlacementKind::Jump),
        Err(MoveError::Weighted { placement, member })
    );
    cluster.join(now, 1).expect("room for a node");
    assert_eq!(cluster.join(now, 1), Err(MoveError::Moving));
    let config = Config::new().nodes(MAX_NODES);
    let mut full = Cluster::new(config).expect("a cluster");
    assert_eq!(full.join(now, 1), Err(MoveError::TooManyNodes));
}

/// What moves when an eleventh node joins, as a part of the fewest keys that must.
fn cost_of_a_join(kind: PlacementKind) -> f64 {
    let mut cluster = full_cluster(kind, 10, KEYS);
    let now = Instant::from_millis(1);
    cluster.join(now, 1).expect("room for a node");
    ratio(cluster.move_all(now))
}

fn cost_of_a_leave(kind: PlacementKind, node: u32) -> f64 {
    let mut cluster = full_cluster(kind, 10, KEYS);
    let now = Instant::from_millis(1);
    cluster.leave(now, NodeId(node)).expect("others stay");
    ratio(cluster.move_all(now))
}

fn ratio(cost: MoveCost) -> f64 {
    assert_eq!((cost.keys, cost.lost), (u64::from(KEYS), 0));
    f64::from(u32::try_from(cost.moved).expect("few"))
        / f64::from(u32::try_from(cost.fair_share.unwrap_or(cost.optimum)).expect("few"))
}

/// A tenth of a million: with that, chance alone is 1 %.
const KEYS: u32 = 100_000;

/// All but modulo. For jump, the node at the end; any other node takes that one's keys along.
#[test]
fn a_change_moves_at_most_a_tenth_more_than_it_must() {
    for &kind in PlacementKind::ALL {
        let last = if kind == PlacementKind::Jump { 9 } else { 4 };
        let (join, leave) = (cost_of_a_join(kind), cost_of_a_leave(kind, last));
        if kind == PlacementKind::Modulo {
            assert!((9.9..10.1).contains(&join), "of 11 parts 10 move: {join}");
            assert!((8.7..9.3).contains(&leave), "of 10 parts 9 move: {leave}");
            continue;
        }
        assert!((0.9..1.1).contains(&join), "{kind}: {join}");
        let exact = !matches!(kind, PlacementKind::Maglev | PlacementKind::Bounded);
        let bounds = if exact { 1.0..=1.0 } else { 1.0..=1.1 };
        assert!(bounds.contains(&leave), "{kind}: {leave}");
    }
}

#[test]
fn jump_moves_twice_the_share_of_a_node_in_the_middle() {
    let leave = cost_of_a_leave(PlacementKind::Jump, 4);
    assert!((1.8..2.0).contains(&leave), "{leave}");
}

/// With weights, ketama gives everybody other points.
#[test]
fn a_weight_is_worth_its_part() {
    let weighted = PlacementKind::ALL.iter().filter(|kind| kind.is_weighted());
    for &kind in weighted {
        let mut cluster = full_cluster(kind, 4, 20_000);
        let now = Instant::from_millis(1);
        cluster.join(now, 4).expect("room for a node");
        let cost = cluster.move_all(now);
        assert_eq!(cost.fair_share, Some(10_000), "half of all");
        let most = if kind == PlacementKind::Ketama {
            12_000
        } else {
            11_000
        };
        assert!((9_000..most).contains(&cost.moved), "{kind}: {cost:?}");
    }
}

#[test]
fn how_far_a_move_has_come_only_grows() {
    for &kind in PlacementKind::ALL {
        let mut cluster = full_cluster(kind, 4, 2000);
        let now = Instant::from_millis(1);
        assert_eq!(cluster.move_progress(), None);
        cluster.leave(now, NodeId(2)).expect("others stay");
        let (mut part, mut moved) = (0.0, 0);
        while cluster.move_some(now, 100).is_none() {
            let progress = cluster.move_progress().expect("it goes on");
            assert!((part..=1.0).contains(&progress.part), "{kind}: {part}");
            assert!(progress.moved >= moved, "{kind}");
            (part, moved) = (progress.part, progress.moved);
        }
        assert!(part > 0.8, "{kind}: {part}");
    }
}

/// 3,000 keys on three nodes.
fn many_keys(config: Config) -> Cluster {
    let mut cluster = Cluster::new(config).expect("a cluster");
    for n in 0..3_000_u32 {
        let put = cluster.put(Instant::START, &key(n), b"1", None);
        put.expect("room");
    }
    cluster
}

/// Four nodes have room for all, though some hold more in between.
#[test]
fn a_join_evicts_nothing_while_there_is_room_at_the_end() {
    for eviction in [Eviction::Lru, Eviction::Sieve, Eviction::None] {
        let mut cluster = many_keys(Config::new().eviction(eviction));
        let now = Instant::START;
        cluster.set_capacity(now, Capacity::entries(1100));
        cluster.join(now, 1).expect("room");
        let cost = cluster.move_all(now);
        assert_eq!((cost.evicted, cost.lost, cost.waiting), (0, 0, 0));
        assert_eq!(cluster.size(now), 3_000, "{eviction}");
        assert_eq!(about_keys(&cluster), 0);
    }
}

/// Without room for all at the end, the reply counts what the policy has evicted.
#[test]
fn what_a_move_evicts_is_counted() {
    let mut cluster = many_keys(Config::default());
    let now = Instant::START;
    cluster.set_capacity(now, Capacity::entries(1100));
    cluster.leave(now, NodeId(0)).expect("two stay");
    let cost = cluster.move_all(now);
    assert_eq!((cost.evicted, cost.lost, cost.waiting), (800, 0, 0));
    assert_eq!(cluster.size(now), 2_200);
    assert_eq!(about_keys(&cluster), 800);
}

/// Every copy is there after a join into nodes that evict nothing, so a crash loses no key.
#[test]
fn a_join_leaves_no_key_with_one_copy() {
    let mut cluster = many_keys(Config::new().replicas(2).eviction(Eviction::None));
    let now = Instant::START;
    cluster.set_capacity(now, Capacity::entries(2200));
    cluster.join(now, 1).expect("room");
    let cost = cluster.move_all(now);
    assert_eq!((cost.missing, cost.lost, cost.waiting), (0, 0, 0));
    assert_eq!(cluster.replicas_missing(), 0);
    cluster.crash(now, NodeId(0)).expect("it runs");
    assert_eq!(cluster.size(now), 3_000);
}

/// Copies that there was no room for are counted, and a repair makes them when there is.
#[test]
fn a_repair_makes_the_copies_that_are_missing() {
    let mut cluster = Cluster::new(
        Config::new()
            .replicas(2)
            .eviction(Eviction::None)
            .capacity(Capacity::entries(1600)),
    )
    .expect("a cluster");
    let now = Instant::START;
    // The last ones have room at one owner only, or at none.
    let stored = (0..3_000_u32).filter(|&n| cluster.put(now, &key(n), b"1", None).is_ok());
    let stored = stored.count() as u64;
    let missing = cluster.replicas_missing();
    assert!(missing > 0);
    assert_eq!(cluster.stats(now).replicas_missing, missing);
    cluster.rebalance(now);
    assert_eq!(cluster.move_all(now).missing, missing, "there is no room");
    cluster.set_capacity(now, Capacity::entries(2000));
    cluster.rebalance(now);
    let cost = cluster.move_all(now);
    assert_eq!((cost.moved, cost.missing), (missing, 0));
    assert_eq!(cluster.verify(now), []);
    cluster.crash(now, NodeId(2)).expect("it runs");
    assert_eq!(cluster.size(now), stored);
}
