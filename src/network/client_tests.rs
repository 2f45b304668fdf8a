//! Clients as endpoints.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Endpoint::Node;
use super::tests::{A, B, C, CLIENT, Lab, NOTHING, at, balanced, millis, percent};
use super::*;

#[test]
fn links_between_clients_and_nodes_have_faults_too() {
    let mut lab = Lab::new();
    let [one, two] = [1, 2].map(Endpoint::Client);
    lab.0
        .partition(&[B.into(), Party::Clients], &[A.into()], false)
        .expect("sides");
    lab.0
        .delay(Party::Clients, B, millis(20), Duration::ZERO)
        .expect("two");
    for (number, from, to) in [
        (1, one, Node(A)),
        (2, Node(A), two),
        (3, two, Node(B)),
        (4, Node(B), one),
        (5, one, Node(C)),
    ] {
        lab.send(0, from, to, number);
    }
    assert_eq!(lab.get(0), [5]);
    assert_eq!(lab.get(20), [3, 4]);
    assert!(lab.0.is_cut(one, A) && lab.0.is_cut(A, CLIENT) && !lab.0.is_cut(one, B));
    let faults = ["PARTITION clients,1 | 0", "DELAY clients 1 20ms"];
    assert_eq!(lab.faults(), faults);
    assert_eq!(lab.0.faults()[0].nodes(), [B, A]);
}

#[test]
fn each_client_keeps_its_own_order_and_has_its_own_numbers() {
    let mut lab = Lab::new();
    let [one, two] = [1, 2].map(Endpoint::Client);
    lab.0
        .delay(A, Party::Clients, millis(20), Duration::ZERO)
        .expect("two");
    lab.send(0, A, one, 1);
    lab.0
        .delay(A, Party::Clients, millis(1), Duration::ZERO)
        .expect("two");
    lab.send(0, A, one, 2);
    lab.send(0, A, two, 3);
    assert_eq!(lab.get(1), [3]);
    assert_eq!(lab.get(20), [1, 2]);

    lab.0.drop(A, Party::Clients, percent("50%")).expect("two");
    let mut arrived = |from: Endpoint, to: Endpoint| {
        (0..64).for_each(|number| lab.send(30, from, to, number));
        lab.get(50)
    };
    let ways = [
        (Node(A), one),
        (Node(A), two),
        (one, Node(A)),
        (two, Node(A)),
    ];
    let all: BTreeSet<Vec<u32>> = ways.map(|(from, to)| arrived(from, to)).into();
    assert_eq!(all.len(), 4, "{all:?}");
}

#[test]
fn held_messages_of_clients_wait_for_their_link() {
    let mut lab = Lab::new();
    let [one, two] = [1, 2].map(Endpoint::Client);
    lab.0.hold(A, Party::Clients).expect("two");
    lab.0.hold(A, B).expect("two");
    for (number, from, to) in [
        (1, two, Node(A)),
        (2, Node(A), one),
        (3, Node(B), Node(A)),
        (4, one, Node(A)),
    ] {
        lab.send(0, from, to, number);
    }
    assert_eq!(lab.get(0), NOTHING);
    assert_eq!(lab.0.in_flight_count(), 4);
    lab.0.release(at(1), Party::Clients, A).expect("two");
    assert_eq!(lab.get(1), [1, 2, 4]);
    lab.send(2, two, A, 5);
    lab.0.hold(A, Party::Clients).expect("two");
    lab.send(2, two, A, 6);
    lab.send(2, one, A, 7);
    lab.0.forget(at(2), two);
    lab.0.heal(at(2));
    assert_eq!(lab.get(2), [3, 7]);
    assert!(balanced(&lab.0));
}
