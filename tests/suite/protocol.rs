//! Bugs of the protocol that the simulation has found, one scenario each.

use shardlab::cache::Cache;
use shardlab::cluster::Restart;
use shardlab::cluster::Status;
use shardlab::event::EventLog;
use shardlab::eviction::{Eviction, Lru};
use shardlab::id::NodeId;
use shardlab::network::Percent;
use shardlab::node::Node;
use shardlab::operation::Outcome;
use shardlab::placement::PlacementKind;
use shardlab::{Cluster, Config};
use std::time::Duration;

use super::story::{Action, ask, at, five, hit, put, wait, wait_for};

fn delay(cluster: &mut Cluster, a: NodeId, b: NodeId, millis: u64) {
    let time = Duration::from_millis(millis);
    let set = cluster.network().delay(a, b, time, Duration::ZERO);
    set.expect("two nodes");
}

#[test]
fn what_expires_during_a_read_is_no_miss_if_something_came_after_it() {
    let (mut cluster, [a, b, c, _]) = five(|_| ());
    cluster
        .put(at(0), b"apple", b"red", Some(at(100)))
        .expect("acknowledged");
    delay(&mut cluster, a, b, 45);
    delay(&mut cluster, a, c, 45);
    let get = ask(&mut cluster, at(50), 0, Some(a), Action::Get);
    let green = put(b"green", None);
    let put = ask(&mut cluster, at(97), 1, Some(b), green);
    assert_eq!(wait_for(&mut cluster, at(97), put), Outcome::Done);
    let answer = wait_for(&mut cluster, at(97), get);
    let Outcome::Value(Some(found)) = answer else {
        panic!("{answer:?}: red was there, and then green");
    };
    assert_eq!(&*found.value, b"green");
}

#[test]
fn what_a_second_coordinator_refuses_a_silent_first_may_have_done() {
    let (mut cluster, [a, b, c, _]) = five(|_| ());
    cluster
        .put(at(0), b"apple", b"red", None)
        .expect("acknowledged");
    cluster.pause(at(0), a).expect("it runs");
    cluster.network().isolate(b).expect("room for a fault");
    cluster.network().isolate(c).expect("room for a fault");
    let (_, answer) = wait(&mut cluster, at(1), Action::Delete);
    assert!(matches!(answer, Outcome::Unknown(_)), "{answer:?}");
}

#[test]
fn nothing_is_refused_while_an_owner_may_still_do_it() {
    let (mut cluster, [a, b, c, other]) = five(|_| ());
    cluster.crash(at(0), a).expect("it runs");
    cluster.crash(at(0), b).expect("it runs");
    delay(&mut cluster, c, other, 50);
    let put = ask(&mut cluster, at(0), 0, Some(other), put(b"red", None));
    let answer = wait_for(&mut cluster, at(0), put);
    assert!(matches!(answer, Outcome::Unknown(_)), "{answer:?}");
    assert_eq!(cluster.keys(at(60), Some(c), |_| true), [b"apple"]);
}

#[test]
fn what_a_node_acknowledged_before_it_crashed_does_not_count() {
    let (mut cluster, [a, b, c, other]) = five(|_| ());
    delay(&mut cluster, b, other, 100);
    let dropped = cluster.network().drop(c, other, Percent::ALL);
    dropped.expect("two nodes");
    let red = put(b"red", None);
    let put = ask(&mut cluster, at(0), 0, Some(other), red);
    assert_eq!(cluster.keys(at(1), Some(a), |_| true), [b"apple"]);
    cluster.crash(at(10), a).expect("it runs");
    cluster
        .restart(at(20), a, Restart::Resync)
        .expect("it crashed");
    let answer = wait_for(&mut cluster, at(20), put);
    assert!(
        matches!(answer, Outcome::Unknown(_)),
        "{answer:?}, and one owner has it"
    );
}

#[test]
fn a_clock_that_is_set_back_loses_no_deadline() {
    let mut log = EventLog::new(10);
    let mut node = Node::<Lru>::new(NodeId(0));
    let put = |node: &mut Node<Lru>, log: &mut EventLog, now, key: &[u8], deadline| {
        let stored = node.put(at(now), key, b"v", Some(at(deadline)), log);
        stored.expect("there is room");
    };
    put(&mut node, &mut log, 0, b"a", 3_000);
    node.tick(at(3_000), &mut log);
    put(&mut node, &mut log, 1_000, b"b", 1_500);
    assert_eq!(node.get(at(1_499), b"b", &mut log), Some(&b"v"[..]));
    assert_eq!(node.get(at(1_500), b"b", &mut log), None);
    put(&mut node, &mut log, 1_500, b"c", 90_000);
    assert!(node.delete(at(1_600), b"c", &mut log), "it has not expired");
}

#[test]
fn what_expires_while_it_is_passed_on_is_not_told() {
    let (mut cluster, [a, b, c, other]) = five(|_| ());
    for owner in [a, c] {
        let dropped = cluster.network().drop(b, owner, Percent::ALL);
        dropped.expect("two nodes");
    }
    let red = put(b"red", Some(at(100)));
    ask(&mut cluster, at(0), 0, Some(b), red);
    delay(&mut cluster, a, other, 30);
    delay(&mut cluster, c, other, 30);
    let get = ask(&mut cluster, at(20), 1, Some(other), Action::Get);
    let answer = wait_for(&mut cluster, at(20), get);
    assert_eq!(cluster.status(b), Some(Status::Up), "it has red");
    let is_found = matches!(&answer, Outcome::Value(Some(_)));
    assert!(!is_found, "{answer:?}: gone for 40 ms");
}

#[test]
fn an_expiry_under_way_does_not_revive_what_has_expired() {
    let (mut cluster, [a, b, c, other]) = five(|_| ());
    cluster
        .put(at(0), b"apple", b"red", Some(at(100)))
        .expect("acknowledged");
    for owner in [a, b, c] {
        delay(&mut cluster, owner, other, 30);
    }
    let later = Action::SetDeadline {
        deadline: Some(at(9_000)),
    };
    let expire = ask(&mut cluster, at(20), 0, Some(other), later);
    let answer = wait_for(&mut cluster, at(20), expire);
    assert_ne!(answer, Outcome::Applied(true));
    assert_eq!(cluster.get(at(200), b"apple"), Ok(None));
}

#[test]
fn a_condition_checked_before_a_delete_does_not_bring_the_only_copy_back() {
    let config = Config::new().nodes(5);
    let mut cluster = Cluster::new(config).expect("a cluster");
    let owner = cluster.owner(b"apple");
    let other = cluster.node_ids().find(|node| *node != owner);
    let other = other.expect("five nodes");
    cluster
        .put(at(0), b"apple", b"red", None)
        .expect("acknowledged");
    delay(&mut cluster, owner, other, 20);
    let persist = Action::SetDeadline { deadline: None };
    let persist = ask(&mut cluster, at(1), 0, Some(other), persist);
    assert_eq!(cluster.delete(at(30), b"apple"), Ok(true));
    let answer = wait_for(&mut cluster, at(30), persist);
    assert_ne!(answer, Outcome::Applied(true));
    assert_eq!(cluster.get(at(200), b"apple"), Ok(None));
}

#[test]
fn records_for_a_life_that_is_over_bring_nothing_back() {
    let config = Config::new()
        .quorums(2, 2)
        .nodes(3)
        .replicas(3)
        .grace(Duration::from_millis(50));
    let mut cluster = Cluster::new(config).expect("a cluster");
    let [zero, one, two] = [0, 1, 2].map(NodeId);
    cluster
        .put(at(0), b"apple", b"red", None)
        .expect("acknowledged");
    cluster.crash(at(1), one).expect("it runs");
    delay(&mut cluster, one, two, 20);
    let restarted = cluster.restart(at(10), one, Restart::Resync);
    restarted.expect("it crashed");
    cluster.tick(at(20));
    cluster.network().hold(one, two).expect("two nodes");
    let delete = ask(&mut cluster, at(40), 0, Some(zero), Action::Delete);
    let answer = wait_for(&mut cluster, at(40), delete);
    assert_eq!(answer, Outcome::Applied(true));
    cluster.tick(at(500));
    assert_eq!(cluster.tombstones(), 0, "all owners had it");
    cluster.crash(at(600), one).expect("it runs");
    delay(&mut cluster, zero, one, 30);
    let restarted = cluster.restart(at(610), one, Restart::Resync);
    restarted.expect("it crashed");
    cluster.heal(at(620));
    assert_eq!(cluster.get(at(700), b"apple"), Ok(None));
    assert_eq!(cluster.verify(at(700)), []);
}

/// Another placement, with which other nodes own "apple": these, primary first.
fn elsewhere(cluster: &Cluster, fits: impl Fn(&[NodeId]) -> bool) -> (PlacementKind, Vec<NodeId>) {
    let members = cluster.placement().members();
    let owners = |kind: &PlacementKind| {
        let placement = kind.place(members.clone());
        let mut owners = Vec::new();
        placement.owners(placement.hash(b"apple"), 3, &mut owners);
        owners
    };
    let mut kinds = PlacementKind::ALL.iter();
    let kind = kinds.find(|kind| fits(&owners(kind)));
    let kind = kind.expect("one of them places it so");
    (*kind, owners(kind))
}

#[test]
fn a_write_that_comes_late_to_a_node_that_owns_the_key_no_more_is_not_kept() {
    let (mut cluster, [a, _, c, _]) = five(|_| ());
    delay(&mut cluster, a, c, 100);
    cluster
        .put(at(0), b"apple", b"red", None)
        .expect("two owners have it");
    let (kind, _) = elsewhere(&cluster, |owners| !owners.contains(&c));
    cluster.set_placement(at(10), kind).expect("another one");
    assert_eq!(cluster.move_all(at(10)).waiting, 0);
    cluster.tick(at(1000));
    assert_eq!(cluster.verify(at(1000)), []);
    assert_eq!(cluster.keys(at(1000), Some(c), |_| true).len(), 0);
}

#[test]
fn a_write_that_is_under_way_when_a_key_moves_comes_to_its_new_owners() {
    let (mut cluster, [a, b, c, _]) = five(|_| ());
    delay(&mut cluster, a, b, 50);
    delay(&mut cluster, a, c, 50);
    let put = ask(&mut cluster, at(0), 0, Some(a), put(b"red", None));
    let is_new = |node: &NodeId| ![a, b, c].contains(node);
    let (kind, owners) = elsewhere(&cluster, |owners| {
        owners.iter().filter(|it| is_new(it)).count() == 2
    });
    cluster.set_placement(at(10), kind).expect("another one");
    cluster.move_all(at(10));
    assert_eq!(wait_for(&mut cluster, at(10), put), Outcome::Done);
    cluster.tick(at(1000));
    assert_eq!(cluster.verify(at(1000)), []);
    for node in owners {
        assert_eq!(cluster.keys(at(1000), Some(node), |_| true), [b"apple"]);
    }
}

#[test]
fn a_key_that_cannot_move_is_not_read_from_its_new_owners_alone() {
    let (mut cluster, [a, b, c, _]) = five(|_| ());
    cluster
        .put(at(0), b"apple", b"red", None)
        .expect("acknowledged");
    let nodes: Vec<NodeId> = cluster.node_ids().collect();
    let is_cut_off = |node: &NodeId| [b, c].contains(node);
    let (left, right): (Vec<_>, Vec<_>) = nodes.into_iter().partition(is_cut_off);
    let cut = cluster.network().partition(&left, &right, false);
    cut.expect("two sides");
    let put = ask(&mut cluster, at(1), 0, Some(b), put(b"green", None));
    assert_eq!(wait_for(&mut cluster, at(1), put), Outcome::Done);
    let (kind, owners) = elsewhere(&cluster, |owners| {
        owners.iter().filter(|node| !is_cut_off(node)).count() >= 2
    });
    cluster.set_placement(at(500), kind).expect("another one");
    assert!(cluster.move_all(at(500)).waiting > 0, "{owners:?}");
    let get = ask(&mut cluster, at(501), 0, Some(a), Action::Get);
    let answer = wait_for(&mut cluster, at(501), get);
    assert!(
        matches!(answer, Outcome::Refused(_)),
        "{answer:?}: red was overwritten"
    );
    cluster.heal(at(2000));
    assert_eq!(cluster.move_all(at(2000)).waiting, 0);
    assert_eq!(cluster.get(at(2000), b"apple"), hit(b"green"));
    assert_eq!(cluster.verify(at(2000)), []);
}

#[test]
fn a_refused_write_leaves_the_older_values_while_an_owner_is_silent() {
    let (mut cluster, [_, _, third, _]) = five(|config| {
        config.eviction = Eviction::None;
        config.capacity.bytes = Some(110);
    });
    cluster
        .put(at(0), b"apple", b"red", None)
        .expect("acknowledged");
    for n in 0..20 {
        // Each node takes as many as it has room for.
        let _ = cluster.put(at(0), format!("k{n}").as_bytes(), b"", None);
    }
    cluster.pause(at(1), third).expect("it runs");
    let long = put(b"a value for which there is no room", None);
    let (now, answer) = wait(&mut cluster, at(1), long);
    assert!(matches!(answer, Outcome::Unknown(_)), "{answer:?}");
    let (_, answer) = wait(&mut cluster, now, Action::Get);
    let Outcome::Value(Some(found)) = answer else {
        panic!("{answer:?}: red is the latest that was acknowledged");
    };
    assert_eq!(&*found.value, b"red");
}

#[test]
fn a_write_that_too_few_owners_have_leaves_the_older_values_at_the_others() {
    let (mut cluster, [first, second, third, _]) = five(|config| {
        config.eviction = Eviction::None;
        config.capacity.bytes = Some(95);
    });
    cluster
        .put(at(0), b"apple", b"red", None)
        .expect("acknowledged");
    let owners = |key: &[u8]| {
        let mut owners = Vec::new();
        let placement = cluster.placement();
        placement.owners(placement.hash(key), 3, &mut owners);
        owners
    };
    let mut keys = (0..100).map(|n| format!("k{n}").into_bytes());
    let filler = keys.find(|key| {
        let owners = owners(key);
        owners.contains(&first) && owners.contains(&second) && !owners.contains(&third)
    });
    let filler = filler.expect("one of a hundred");
    cluster
        .put(at(0), &filler, b"", None)
        .expect("acknowledged");
    let (now, answer) = wait(&mut cluster, at(1), put(b"a longer value than red", None));
    assert!(
        matches!(answer, Outcome::Unknown(_)),
        "{answer:?}: one has room"
    );
    cluster.network().isolate(third).expect("room for a fault");
    let get = ask(&mut cluster, now, 0, Some(first), Action::Get);
    let answer = wait_for(&mut cluster, now, get);
    let Outcome::Value(Some(found)) = answer else {
        panic!("{answer:?}: red is the latest that was acknowledged");
    };
    assert_eq!(&*found.value, b"red");
}
