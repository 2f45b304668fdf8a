//! Every bound holds, and what is lost to one is reported.

use std::time::Duration;

use super::tests::{A, B, C, CLIENT, at, balanced, millis};
use super::*;

/// A message of a size.
#[derive(Clone, Debug, PartialEq)]
struct Sized(usize);

impl Payload for Sized {
    fn bytes(&self) -> usize {
        self.0
    }
}

fn send(
    network: &mut Network<Sized>,
    from: impl Into<Endpoint>,
    to: impl Into<Endpoint>,
    n: usize,
) {
    network.send(at(0), from.into(), to.into(), Sized(n));
}

#[test]
fn the_messages_in_flight_have_a_bound() {
    let mut network = Network::new(0);
    network.duplicate(A, C, Percent::ALL).expect("two");
    network.hold(A, B).expect("two");
    network.watch_losses();
    send(&mut network, A, B, 0);
    for _ in 0..MAX_IN_FLIGHT / 2 {
        send(&mut network, A, C, 0);
    }
    assert_eq!(network.counts().dropped, 1, "the last second copy");
    send(&mut network, A, B, 0);
    send(&mut network, B, C, 0);
    assert_eq!((network.counts().dropped, network.counts().held), (3, 1));
    assert_eq!(network.counts().overflowed, 3);
    assert_eq!(network.losses().kept.len(), 3);
    assert_eq!((network.overflow(B), network.overflow(C)), (1, 2));
    assert_eq!(network.heal(at(0)), [B, C]);
    send(&mut network, A, B, 0);
    assert_eq!(network.overflow(B), 1);
    assert_eq!(network.in_flight_count(), MAX_IN_FLIGHT);
    assert!(balanced(&network));
}

#[test]
fn the_bytes_of_late_messages_have_a_bound() {
    let mut network = Network::new(0);
    let half = MAX_LATE_BYTES / 2;
    network.delay(A, B, millis(9), Duration::ZERO).expect("two");
    for _ in 0..3 {
        send(&mut network, A, B, half);
    }
    assert_eq!((network.in_flight_count(), network.overflow(B)), (2, 1));
    send(&mut network, A, B, 0);
    assert_eq!(network.overflow(B), 1, "nothing is no more");
    assert_eq!(
        network.deliver(at(9)).map(|it| it.message),
        Some(Sized(half))
    );
    send(&mut network, A, B, half);
    assert_eq!(network.overflow(B), 1, "there is room again");
    assert_eq!(network.heal(at(9)), [B]);
    assert_eq!((network.heal(at(9)), network.overflow(B)), (vec![], 0));
    network.forget(at(9), A);
    network.delay(C, B, millis(9), Duration::ZERO).expect("two");
    send(&mut network, C, B, 2 * half);
    assert_eq!(network.overflow(B), 0, "what was forgotten takes no room");
}

#[test]
fn held_messages_are_bounded_by_destination() {
    let mut network = Network::new(0);
    for (a, b) in [(A, B), (C, B), (A, C)] {
        network.hold(a, b).expect("two");
    }
    for _ in 0..MAX_HELD / 2 {
        send(&mut network, A, B, 1);
        send(&mut network, C, B, 1);
    }
    assert_eq!(network.overflow(B), 0);
    send(&mut network, A, B, 1);
    send(&mut network, C, B, 1);
    send(&mut network, C, B, 0);
    send(&mut network, A, C, 1);
    send(&mut network, B, A, 1);
    assert_eq!([A, B, C].map(|node| network.overflow(node)), [0, 3, 0]);
    assert_eq!(network.counts().overflowed, 3);

    assert_eq!(network.release(at(0), A, C), Ok(vec![]));
    assert_eq!(network.release(at(0), B, A), Ok(vec![B]));
    assert_eq!(network.overflow(B), 2, "that link holds still");
    send(&mut network, C, B, 1);
    assert_eq!(network.overflow(B), 2, "there is room again");
    network.forget(at(0), C);
    assert_eq!(network.overflow(B), 2, "B lacks what C sent");
    assert_eq!(network.heal(at(0)), [B]);
    assert_eq!(network.overflow(B), 0);
    assert!(balanced(&network));
}

#[test]
fn held_bytes_are_bounded_by_destination() {
    let mut network = Network::new(0);
    network.hold(A, B).expect("two");
    network.hold(A, Party::Clients).expect("two");
    send(&mut network, A, B, MAX_HELD_BYTES - 1);
    send(&mut network, A, B, 1);
    send(&mut network, A, B, 1);
    send(&mut network, A, B, 0);
    assert_eq!((network.overflow(B), network.counts().held), (1, 3));
    send(&mut network, A, CLIENT, MAX_HELD_BYTES);
    send(&mut network, A, Endpoint::Client(7), 1);
    assert_eq!(network.counts().overflowed, 2, "all clients together");
    assert_eq!(network.release(at(0), B, A), Ok(vec![B]));
    assert_eq!(network.release(at(0), Party::Clients, A), Ok(vec![]));
    network.hold(A, B).expect("two");
    send(&mut network, A, B, MAX_HELD_BYTES + 1);
    assert_eq!(network.overflow(B), 1, "one that never has room");
    network.forget(at(0), B);
    assert_eq!(network.overflow(B), 0);
}

#[test]
fn watched_losses_have_a_bound_and_the_rest_is_counted() {
    let mut network = Network::new(0);
    network.isolate(B).expect("room");
    network.watch_losses();
    for number in 0..10_003 {
        send(&mut network, A, B, number);
    }
    let losses = network.losses();
    assert_eq!((losses.kept.len(), losses.omitted), (5793, 4210), "16 MiB");
    assert!(losses.kept.iter().map(|it| it.message.0).eq(0..5793));
    network.watch_losses();
    (0..10_003).for_each(|_| send(&mut network, A, B, 0));
    let losses = network.losses();
    assert_eq!((losses.kept.len(), losses.omitted), (10_000, 3));
}

#[test]
fn faults_have_bounds() {
    let mut network = Network::<Sized>::new(0);
    let nodes: Vec<NodeId> = (1..=1025).map(NodeId).collect();
    assert!(network.partition(&[A], &nodes, false).is_err());
    for &node in &nodes[..1024] {
        network.partition(&[A], &[node], false).expect("room");
        network.isolate(node).expect("room");
        network.slow(node, millis(1)).expect("room");
    }
    for node in [nodes[1024], nodes[1023]] {
        let there = node == nodes[1023];
        assert_eq!(network.partition(&[A], &[node], false).is_ok(), there);
        assert_eq!(network.isolate(node).is_ok(), there);
        assert_eq!(network.slow(node, millis(1)).is_ok(), there);
    }
}

/// Flows without messages under way are forgotten: a client for each message does not fill memory.
#[test]
fn flows_have_a_bound() {
    let mut flows = Flows::default();
    let none = Endpoint::from(A);
    for client in 0..3 * u32::try_from(MAX_IN_FLIGHT).expect("small") {
        flows.rng(0, at(1), Endpoint::Client(client), none);
    }
    assert!(flows.len() <= MAX_IN_FLIGHT, "{}", flows.len());
}
