//! What the cluster promises while nodes crash and the network misbehaves, one scenario each.

use std::time::Duration;

use proptest::prelude::*;
use shardlab::cache::{Cache, Error};
use shardlab::cluster::Restart;
use shardlab::cluster::{MoveError, Status};
use shardlab::config::Capacity;
use shardlab::event::EventKind;
use shardlab::id::NodeId;
use shardlab::operation::{Outcome, Refusal};
use shardlab::placement::PlacementKind;
use shardlab::rng::Rng;
use shardlab::time::Instant;
use shardlab::{Cluster, Config};

use super::model::{Model, apply, step, told};
use super::story::{Action, add, ask, at, hit, is_short, put, wait};

fn cluster(write_quorum: usize, read_quorum: usize) -> Cluster {
    let config = Config::new()
        .quorums(write_quorum, read_quorum)
        .nodes(3)
        .replicas(3);
    Cluster::new(config).expect("a cluster")
}

#[test]
fn copies_are_on_all_owners_and_one_crash_loses_nothing() {
    use EventKind::{Crashed, Expired, Restarted};

    let mut cluster = cluster(1, 1);
    cluster
        .put(at(0), b"apple", b"red", Some(at(5000)))
        .expect("acknowledged");
    for node in 0..3 {
        assert_eq!(
            cluster.keys(at(0), Some(NodeId(node)), |_| true),
            [b"apple"]
        );
    }
    assert_eq!(cluster.size(at(0)), 1);
    cluster.crash(at(1), NodeId(2)).expect("it runs");
    assert_eq!(cluster.status(NodeId(2)), Some(Status::Crashed));
    assert_eq!(cluster.get(at(1), b"apple"), hit(b"red"));
    cluster
        .put(at(2), b"apple", b"green", Some(at(5000)))
        .expect("two are there");
    cluster
        .restart(at(3), NodeId(2), Restart::Resync)
        .expect("it crashed");
    assert_eq!(cluster.status(NodeId(2)), Some(Status::Up));
    assert_eq!(cluster.keys(at(3), Some(NodeId(2)), |_| true), [b"apple"]);
    assert_eq!(
        cluster.get_from(at(3), b"apple"),
        Ok((NodeId(2), Some(b"green"[..].into())))
    );
    assert_eq!(cluster.get(at(5000), b"apple"), Ok(None));
    let kinds: Vec<EventKind> = cluster.events().iter().map(|it| it.kind.clone()).collect();
    assert_eq!(kinds, [Crashed, Restarted, Expired, Expired, Expired]);
}

#[test]
fn a_node_that_comes_back_stale_serves_what_was_overwritten() {
    let mut cluster = cluster(1, 1);
    cluster
        .put(at(0), b"apple", b"red", None)
        .expect("acknowledged");
    cluster.crash(at(1), NodeId(2)).expect("it runs");
    cluster
        .put(at(2), b"apple", b"green", None)
        .expect("acknowledged");
    cluster
        .restart(at(3), NodeId(2), Restart::Stale)
        .expect("it crashed");
    assert_eq!(cluster.get(at(3), b"apple"), hit(b"red"));
}

#[test]
fn a_delete_that_a_node_missed_stays_a_delete() {
    let mut cluster = cluster(1, 1);
    cluster
        .put(at(0), b"apple", b"red", None)
        .expect("acknowledged");
    cluster.crash(at(1), NodeId(2)).expect("it runs");
    assert_eq!(cluster.delete(at(2), b"apple"), Ok(true));
    cluster
        .restart(at(3), NodeId(2), Restart::Resync)
        .expect("it crashed");
    assert_eq!(cluster.get(at(4), b"apple"), Ok(None));
}

#[test]
fn a_minority_acknowledges_nothing() {
    let mut cluster = cluster(2, 2);
    cluster
        .put(at(0), b"apple", b"red", None)
        .expect("acknowledged");
    cluster
        .network()
        .isolate(NodeId(2))
        .expect("room for a fault");
    let (now, answer) = wait(&mut cluster, at(1), put(b"green", None));
    assert!(matches!(answer, Outcome::Unknown(_)), "{answer:?}");
    assert_eq!(now, at(1001), "after a timeout");
    let (_, answer) = wait(&mut cluster, now, Action::Get);
    assert!(is_short(&answer), "{answer:?}");
    cluster.heal(now.saturating_add(Duration::from_secs(5)));
    let (_, answer) = wait(
        &mut cluster,
        now.saturating_add(Duration::from_secs(5)),
        Action::Get,
    );
    assert!(matches!(answer, Outcome::Value(Some(_))), "{answer:?}");
}

#[test]
fn with_all_owners_down_nothing_is_stored() {
    let mut cluster = cluster(1, 1);
    for node in 0..3 {
        cluster.crash(at(0), NodeId(node)).expect("it runs");
    }
    let put = cluster.put(at(1), b"apple", b"red", None);
    let Err(Error::Refused(Refusal::Quorum(shortfall))) = put else {
        panic!("{put:?}: no node runs");
    };
    assert_eq!(shortfall.down, [2, 0, 1].map(NodeId), "in the order asked");
    let get = cluster.get(at(1), b"apple");
    assert!(
        matches!(get, Err(Error::Refused(Refusal::Quorum(_)))),
        "{get:?}: not a miss"
    );
}

#[test]
fn conditions_count_and_deadlines_are_the_same_everywhere() {
    let mut cluster = cluster(2, 2);
    assert_eq!(cluster.add(at(0), b"k", b"1", Some(at(100))), Ok(true));
    assert_eq!(cluster.add(at(0), b"k", b"2", None), Ok(false));
    assert_eq!(
        cluster.compare_and_set(at(1), b"k", b"2", b"3", None),
        Ok(false)
    );
    assert_eq!(cluster.incr(at(1), b"k", 41), Ok(42));
    assert_eq!(
        cluster
            .peek(at(2), b"k")
            .map(|it| it.and_then(|it| it.deadline)),
        Ok(Some(at(100)))
    );
    assert_eq!(cluster.set_deadline(at(2), b"k", Some(at(200))), Ok(true));
    assert_eq!(cluster.get(at(199), b"k"), hit(b"42"));
    assert_eq!(cluster.get(at(200), b"k"), Ok(None));
    assert_eq!(
        cluster.set_deadline(at(201), b"k", None),
        Ok(false),
        "an expired key stays gone"
    );
    assert_eq!(cluster.add(at(202), b"k", b"new", None), Ok(true));
}

fn full(nodes: u32, replicas: usize, keys: u32) -> Cluster {
    let config = Config::new().nodes(nodes).replicas(replicas);
    let mut cluster = Cluster::new(config).expect("a cluster");
    for n in 0..keys {
        let put = cluster.put(at(0), &key(n), b"value", Some(at(60_000)));
        put.expect("acknowledged");
    }
    cluster
}

fn key(n: u32) -> Vec<u8> {
    format!("key:{n}").into_bytes()
}

/// Every key is at its owners, and nowhere else, with its deadline.
fn check_copies(cluster: &mut Cluster, now: Instant, replicas: usize, keys: u32) {
    for n in 0..keys {
        let (mut owners, key) = (Vec::new(), key(n));
        let placement = cluster.placement();
        placement.owners(placement.hash(&key), replicas, &mut owners);
        let ids: Vec<NodeId> = cluster.node_ids().collect();
        for id in ids {
            let there = cluster.keys(now, Some(id), |it| it == key).len();
            assert_eq!(there, usize::from(owners.contains(&id)), "key {n} at {id}");
        }
        let entry = cluster.peek(now, &key).expect("an answer");
        let entry = entry.expect("it can be read");
        assert_eq!(entry.deadline, Some(at(60_000)));
    }
}

#[test]
fn copies_move_when_nodes_come_and_go_and_stay_readable() {
    for &kind in PlacementKind::ALL {
        let mut cluster = full(4, 3, 100);
        cluster.set_placement(at(1), kind).expect("no weights");
        cluster.move_all(at(1));
        check_copies(&mut cluster, at(1), 3, 100);
        cluster.join(at(2), 1).expect("room");
        while cluster.move_some(at(2), 5).is_none() {
            assert_eq!(cluster.size(at(2)), 100, "{kind}");
        }
        check_copies(&mut cluster, at(2), 3, 100);
        cluster.leave(at(3), NodeId(1)).expect("four stay");
        assert!(
            (0..100).all(|n| matches!(cluster.get(at(3), &key(n)), Ok(Some(_)))),
            "pulled"
        );
        let cost = cluster.move_all(at(3));
        assert_eq!((cost.lost, cost.waiting), (0, 0), "{kind}");
        check_copies(&mut cluster, at(3), 3, 100);
    }
}

#[test]
fn something_may_break_in_the_middle_of_a_move() {
    for middle in [0, 1, 40, 100, 250] {
        let mut cluster = full(4, 1, 300);
        cluster.join(at(1), 1).expect("room");
        cluster.move_some(at(1), middle);
        cluster.network().isolate(NodeId(3)).expect("a fault");
        cluster.network().heal(at(2));
        assert_eq!(cluster.size(at(2)), 300, "after {middle} slots");
        for n in 0..300 {
            let get = cluster.get(at(3), &key(n));
            assert!(matches!(get, Ok(Some(_))), "key {n}");
        }
        let added = cluster.add(at(3), &key(7), b"other", None);
        assert_eq!(added, Ok(false), "it is there");
        let cost = cluster.move_all(at(4));
        assert_eq!((cost.keys, cost.lost, cost.waiting), (300, 0, 0));
        check_copies(&mut cluster, at(4), 1, 300);
        assert_eq!(cluster.verify(at(4)), []);
    }
}

#[test]
fn replicas_can_be_more_or_fewer() {
    let mut cluster = full(3, 1, 100);
    cluster.set_replicas(at(1), 3).expect("three nodes");
    let cost = cluster.move_all(at(1));
    assert_eq!((cost.keys, cost.moved, cost.optimum), (100, 200, 200));
    check_copies(&mut cluster, at(1), 3, 100);
    assert!(
        cluster.set_replicas(at(1), 4).is_err(),
        "there are three nodes"
    );
    assert!(matches!(
        cluster.leave(at(1), NodeId(0)),
        Err(MoveError::TooFewNodes { replicas: 3 })
    ));
    cluster.set_replicas(at(2), 1).expect("fewer");
    assert_eq!(cluster.move_all(at(2)).moved, 0);
    check_copies(&mut cluster, at(2), 1, 100);
}

#[test]
fn what_cannot_move_waits_and_rebalance_moves_it() {
    let mut cluster = full(4, 2, 100);
    cluster.crash(at(1), NodeId(2)).expect("it runs");
    cluster.join(at(2), 1).expect("room");
    let cost = cluster.move_all(at(2));
    assert!(cost.waiting > 0 && cost.lost == 0, "{cost:?}");
    assert!(cluster.is_moving());
    cluster
        .restart(at(3), NodeId(2), Restart::Resync)
        .expect("it crashed");
    let cost = cluster.move_all(at(3));
    assert_eq!((cost.waiting, cost.lost), (0, 0), "{cost:?}");
    check_copies(&mut cluster, at(3), 2, 100);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// A cluster that records its messages has to send them. Both ways do the same.
    #[test]
    fn the_short_way_and_the_long_way_lead_to_the_same(
        replicas in 1..4_usize,
        quorums in (0..3_usize, 0..3_usize),
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let config = Config::new().quorums(1 + quorums.0 % replicas, 1 + quorums.1 % replicas).nodes(4).replicas(replicas).grace(Duration::from_secs(2));
        let mut short = Cluster::new(config).expect("a cluster");
        let mut long = Cluster::new(config).expect("a cluster");
        long.start_trace();
        let (mut one, mut other) = (Model::new(4), Model::new(4));
        let (mut now, mut then) = (at(0), at(0));
        for step in &steps {
            apply(step, &mut now, &mut short, &mut one);
            apply(step, &mut then, &mut long, &mut other);
            prop_assert_eq!(short.next_expiry(), long.next_expiry());
        }
        prop_assert_eq!(short.node_stats(now), long.node_stats(now));
        prop_assert_eq!(told(short.events()), told(long.events()));
    }
}

#[test]
fn full_nodes_evict_the_same_on_the_short_way_and_the_long_way() {
    for (write_quorum, read_quorum) in [(1, 1), (2, 2), (3, 1)] {
        let config = Config::new()
            .quorums(write_quorum, read_quorum)
            .nodes(4)
            .replicas(3)
            .capacity(Capacity::entries(4));
        let mut short = Cluster::new(config).expect("a cluster");
        let mut long = Cluster::new(config).expect("a cluster");
        long.start_trace();
        let mut rng = Rng::new(7);
        for turn in 0..2_000 {
            let (key, action) = (rng.below(12).to_string(), rng.below(10));
            let (now, key) = (at(turn), key.as_bytes());
            let [one, other] = [&mut short, &mut long].map(|cluster| match action {
                0 => format!("{:?}", cluster.delete(now, key)),
                1..4 => format!("{:?}", cluster.put(now, key, b"value", None)),
                _ => format!("{:?}", cluster.get(now, key)),
            });
            assert_eq!(one, other, "turn {turn}, key {key:?}, {action}");
            assert_eq!(short.node_stats(now), long.node_stats(now), "turn {turn}");
        }
        assert_eq!(told(short.events()), told(long.events()));
    }
}

#[test]
fn a_node_that_has_crashed_can_leave_and_its_keys_get_other_owners() {
    let mut cluster = full(4, 3, 100);
    cluster.crash(at(1), NodeId(1)).expect("it runs");
    cluster.leave(at(2), NodeId(1)).expect("three stay");
    let cost = cluster.move_all(at(2));
    assert_eq!((cost.lost, cost.waiting), (0, 0), "{cost:?}");
    check_copies(&mut cluster, at(2), 3, 100);
    assert_eq!(cluster.put(at(3), b"new", b"value", None), Ok(()));
}

#[test]
fn a_node_that_was_paused_during_a_heal_catches_up_when_it_goes_on() {
    let mut cluster = cluster(1, 1);
    let isolated = cluster.network().isolate(NodeId(1));
    isolated.expect("room for a fault");
    cluster.put(at(0), b"apple", b"red", None).expect("stored");
    cluster.pause(at(1), NodeId(1)).expect("it runs");
    cluster.tick(at(5000));
    cluster.heal(at(5000));
    cluster.resume(at(5001), NodeId(1)).expect("it is paused");
    assert_eq!(
        cluster.keys(at(5001), Some(NodeId(1)), |_| true),
        [b"apple"]
    );
}

#[test]
fn a_write_that_was_refused_is_kept_for_nobody() {
    let mut cluster = cluster(2, 2);
    let (zero, one) = (NodeId(0), NodeId(1));
    for (a, b) in [(zero, one), (zero, NodeId(2))] {
        let delayed = cluster
            .network()
            .delay(a, b, Duration::from_millis(10), Duration::ZERO);
        delayed.expect("room for a fault");
    }
    let add = ask(&mut cluster, at(0), 0, Some(zero), add(b"never", None));
    cluster.tick(at(30));
    // The others have said that they know nothing; before that is heard, somebody else writes.
    for node in [zero, one] {
        let put = put(b"red", None);
        ask(&mut cluster, at(31), 1, Some(node), put);
    }
    cluster.tick(at(100));
    let answer = cluster.take(add).expect("an outcome").outcome;
    assert!(is_short(&answer), "{answer:?}");
    cluster.crash(at(101), one).expect("it runs");
    cluster
        .restart(at(101), one, Restart::Hints)
        .expect("it crashed");
    cluster.tick(at(1000));
    assert_eq!(cluster.keys(at(1000), Some(one), |_| true).len(), 0);
}
