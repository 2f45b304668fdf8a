//! Bugs of the protocol that the simulation has found, one scenario each.

use shardlab::cache::Cache;
use shardlab::cluster::Status;
use shardlab::eviction::Lru;
use shardlab::history::Action;
use shardlab::id::NodeId;
use shardlab::network::Percent;
use shardlab::node::Node;
use shardlab::placement::PlacementKind;
use shardlab::replica::{Answer, Restart};
use shardlab::{Cluster, Config};
use std::time::Duration;

use super::story::{at, five, wait, wait_for};

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
    let get = cluster.ask(at(50), 0, Some(a), b"apple", Action::Get);
    let green = Action::put(b"green", None);
    let put = cluster.ask(at(97), 1, Some(b), b"apple", green);
    assert_eq!(wait_for(&mut cluster, at(97), put), Answer::Done);
    let answer = wait_for(&mut cluster, at(97), get);
    let Answer::Value(Some(found)) = answer else {
        panic!("{answer:?}: red was there, and then green");
    };
    assert_eq!(found.value.as_deref(), Some(&b"green"[..]));
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
    assert!(matches!(answer, Answer::Unknown(_)), "{answer:?}");
}

#[test]
fn nothing_is_refused_while_an_owner_may_still_do_it() {
    let (mut cluster, [a, b, c, other]) = five(|_| ());
    cluster.crash(at(0), a).expect("it runs");
    cluster.crash(at(0), b).expect("it runs");
    delay(&mut cluster, c, other, 50);
    let put = cluster.ask(at(0), 0, Some(other), b"apple", Action::put(b"red", None));
    let answer = wait_for(&mut cluster, at(0), put);
    assert!(matches!(answer, Answer::Unknown(_)), "{answer:?}");
    assert_eq!(cluster.keys(at(60), Some(c), |_| true), [b"apple"]);
}

#[test]
fn what_a_node_acknowledged_before_it_crashed_does_not_count() {
    let (mut cluster, [a, b, c, other]) = five(|_| ());
    delay(&mut cluster, b, other, 100);
    let dropped = cluster.network().drop(c, other, Percent::ALL);
    dropped.expect("two nodes");
    let red = Action::put(b"red", None);
    let put = cluster.ask(at(0), 0, Some(other), b"apple", red);
    assert_eq!(cluster.keys(at(1), Some(a), |_| true), [b"apple"]);
    cluster.crash(at(10), a).expect("it runs");
    cluster
        .restart(at(20), a, Restart::Resync)
        .expect("it crashed");
    let answer = wait_for(&mut cluster, at(20), put);
    assert!(
        matches!(answer, Answer::Unknown(_)),
        "{answer:?}, and one owner has it"
    );
}

#[test]
fn a_clock_that_is_set_back_loses_no_deadline() {
    let mut node = Node::<Lru>::new(NodeId(0), 10);
    let put = |node: &mut Node<Lru>, now, key: &[u8], deadline| {
        let stored = node.put(at(now), key, b"v", Some(at(deadline)));
        stored.expect("there is room");
    };
    put(&mut node, 0, b"a", 3_000);
    node.tick(at(3_000));
    put(&mut node, 1_000, b"b", 1_500);
    assert_eq!(node.get(at(1_499), b"b"), Some(&b"v"[..]));
    assert_eq!(node.get(at(1_500), b"b"), None);
    put(&mut node, 1_500, b"c", 90_000);
    assert!(node.delete(at(1_600), b"c"), "it has not expired");
}

#[test]
fn what_expires_while_it_is_passed_on_is_not_told() {
    let (mut cluster, [a, b, c, other]) = five(|_| ());
    for owner in [a, c] {
        let dropped = cluster.network().drop(b, owner, Percent::ALL);
        dropped.expect("two nodes");
    }
    let red = Action::put(b"red", Some(at(100)));
    cluster.ask(at(0), 0, Some(b), b"apple", red);
    delay(&mut cluster, a, other, 30);
    delay(&mut cluster, c, other, 30);
    let get = cluster.ask(at(20), 1, Some(other), b"apple", Action::Get);
    let answer = wait_for(&mut cluster, at(20), get);
    assert_eq!(cluster.status(b), Some(Status::Up), "it has red");
    let told = matches!(&answer, Answer::Value(Some(record)) if record.value.is_some());
    assert!(!told, "{answer:?}: gone for 40 ms");
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
    let expire = cluster.ask(at(20), 0, Some(other), b"apple", later);
    let answer = wait_for(&mut cluster, at(20), expire);
    assert_ne!(answer, Answer::Applied(true));
    assert_eq!(cluster.get(at(200), b"apple"), None);
}

#[test]
fn a_condition_checked_before_a_delete_does_not_bring_the_only_copy_back() {
    let config = Config {
        nodes: 5,
        ..Config::default()
    };
    let mut cluster = Cluster::new(config).expect("a cluster");
    cluster.set_versioned(at(0));
    let owner = cluster.owner(b"apple");
    let other = cluster.node_ids().find(|node| *node != owner);
    let other = other.expect("five nodes");
    cluster
        .put(at(0), b"apple", b"red", None)
        .expect("acknowledged");
    delay(&mut cluster, owner, other, 20);
    let persist = Action::SetDeadline { deadline: None };
    let persist = cluster.ask(at(1), 0, Some(other), b"apple", persist);
    assert!(cluster.delete(at(30), b"apple"));
    let answer = wait_for(&mut cluster, at(30), persist);
    assert_ne!(answer, Answer::Applied(true));
    assert_eq!(cluster.get(at(200), b"apple"), None);
}

#[test]
fn records_for_a_life_that_is_over_bring_nothing_back() {
    let config = Config {
        nodes: 3,
        replicas: 3,
        write_quorum: 2,
        read_quorum: 2,
        grace: Duration::from_millis(50),
        ..Config::default()
    };
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
    let delete = cluster.ask(at(40), 0, Some(zero), b"apple", Action::Delete);
    let answer = wait_for(&mut cluster, at(40), delete);
    assert_eq!(answer, Answer::Applied(true));
    cluster.tick(at(500));
    assert_eq!(cluster.tombstones(), 0, "all owners had it");
    cluster.crash(at(600), one).expect("it runs");
    delay(&mut cluster, zero, one, 30);
    let restarted = cluster.restart(at(610), one, Restart::Resync);
    restarted.expect("it crashed");
    cluster.heal(at(620));
    assert_eq!(cluster.get(at(700), b"apple"), None);
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
    let put = cluster.ask(at(0), 0, Some(a), b"apple", Action::put(b"red", None));
    let is_new = |node: &NodeId| ![a, b, c].contains(node);
    let (kind, owners) = elsewhere(&cluster, |owners| {
        owners.iter().filter(|it| is_new(it)).count() == 2
    });
    cluster.set_placement(at(10), kind).expect("another one");
    cluster.move_all(at(10));
    assert_eq!(wait_for(&mut cluster, at(10), put), Answer::Done);
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
    let put = cluster.ask(at(1), 0, Some(b), b"apple", Action::put(b"green", None));
    assert_eq!(wait_for(&mut cluster, at(1), put), Answer::Done);
    let (kind, owners) = elsewhere(&cluster, |owners| {
        owners.iter().filter(|node| !is_cut_off(node)).count() >= 2
    });
    cluster.set_placement(at(500), kind).expect("another one");
    assert!(cluster.move_all(at(500)).waiting > 0, "{owners:?}");
    let get = cluster.ask(at(501), 0, Some(a), b"apple", Action::Get);
    let answer = wait_for(&mut cluster, at(501), get);
    assert!(
        matches!(answer, Answer::Refused(_)),
        "{answer:?}: red was overwritten"
    );
    cluster.heal(at(2000));
    assert_eq!(cluster.move_all(at(2000)).waiting, 0);
    assert_eq!(cluster.get(at(2000), b"apple"), Some(&b"green"[..]));
    assert_eq!(cluster.verify(at(2000)), []);
}
