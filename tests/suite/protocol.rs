//! Bugs of the protocol that the simulation has found, one scenario each.

use shardlab::cache::Cache;
use shardlab::eviction::Lru;
use shardlab::history::Action;
use shardlab::id::NodeId;
use shardlab::network::Percent;
use shardlab::node::Node;
use shardlab::replica::{Answer, RequestId, Restart};
use shardlab::time::Instant;
use shardlab::{Cluster, Config};
use std::time::Duration;

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// Lets time pass until there is an answer.
fn wait(cluster: &mut Cluster, mut now: Instant, action: Action) -> (Instant, Answer) {
    let id = cluster.ask(now, 0, None, b"apple", action);
    loop {
        if let Some((_, answer)) = cluster.answer(id) {
            return (now, answer);
        }
        now = cluster.next_deadline().expect("somebody gives up").max(now);
        cluster.tick(now);
    }
}

/// Five nodes, of which three own "apple", in order, and one that does not.
fn five() -> (Cluster, [NodeId; 4]) {
    let config = Config {
        nodes: 5,
        replicas: 3,
        write_quorum: 2,
        read_quorum: 2,
        ..Config::default()
    };
    let cluster = Cluster::new(config).expect("a cluster");
    let mut owners = Vec::new();
    let hash = cluster.placement().hash(b"apple");
    cluster.placement().owners(hash, 3, &mut owners);
    let other = cluster.node_ids().find(|node| !owners.contains(node));
    let [first, second, third] = owners[..] else {
        panic!("three owners");
    };
    (cluster, [first, second, third, other.expect("five nodes")])
}

fn delay(cluster: &mut Cluster, a: NodeId, b: NodeId, millis: u64) {
    let time = Duration::from_millis(millis);
    let set = cluster.network().delay(a, b, time, Duration::ZERO);
    set.expect("two nodes");
}

/// Lets time pass until this request has its answer.
fn wait_for(cluster: &mut Cluster, mut now: Instant, id: RequestId) -> Answer {
    loop {
        if let Some((_, answer)) = cluster.answer(id) {
            return answer;
        }
        now = cluster.next_deadline().expect("somebody gives up").max(now);
        cluster.tick(now);
    }
}

#[test]
fn what_expires_during_a_read_is_no_miss_if_something_came_after_it() {
    let (mut cluster, [a, b, c, _]) = five();
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
    let (mut cluster, [a, b, c, _]) = five();
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
    let (mut cluster, [a, b, c, other]) = five();
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
    let (mut cluster, [a, b, c, other]) = five();
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
