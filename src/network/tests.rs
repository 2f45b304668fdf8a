use std::collections::BTreeSet;
use std::time::Duration;

use super::Endpoint::Node;
use super::*;

pub(super) const A: NodeId = NodeId(0);
pub(super) const B: NodeId = NodeId(1);
pub(super) const C: NodeId = NodeId(2);
pub(super) const CLIENT: Endpoint = Endpoint::Client(0);
pub(super) const NOTHING: [u32; 0] = [];

impl Payload for u32 {
    fn bytes(&self) -> usize {
        *self as usize % 5
    }
}

pub(super) fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

pub(super) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) fn percent(text: &str) -> Percent {
    text.parse().expect("a percentage")
}

/// A network that carries numbers, as a story.
pub(super) struct Lab(pub(super) Network<u32>);

impl Lab {
    pub(super) fn new() -> Self {
        Self(Network::new(7))
    }

    pub(super) fn send(
        &mut self,
        now: u64,
        from: impl Into<Endpoint>,
        to: impl Into<Endpoint>,
        number: u32,
    ) {
        self.0.send(at(now), from.into(), to.into(), number);
    }

    /// The numbers that are delivered at an instant.
    pub(super) fn get(&mut self, now: u64) -> Vec<u32> {
        self.due(at(now))
    }

    fn due(&mut self, now: Instant) -> Vec<u32> {
        std::iter::from_fn(|| self.0.deliver(now))
            .map(|it| it.message)
            .collect()
    }

    pub(super) fn all(&mut self) -> Vec<Envelope<u32>> {
        std::iter::from_fn(|| self.0.deliver(Instant::MAX)).collect()
    }

    pub(super) fn faults(&self) -> Vec<String> {
        self.0.faults().iter().map(ToString::to_string).collect()
    }
}

/// Nothing is lost from the counts.
pub(super) fn balanced<M: Payload>(network: &Network<M>) -> bool {
    let travels = |it: &InFlight<M>| it.envelope.travels();
    let in_flight = network.in_flight().iter().filter(|it| travels(it)).count();
    let counts = network.counts();
    counts.sent + counts.duplicated == counts.delivered + counts.dropped + in_flight as u64
}

#[test]
fn a_healthy_network_delivers_in_the_same_instant_in_order_of_sending() {
    let mut lab = Lab::new();
    assert_eq!((lab.0.next_at(), lab.0.deliver(Instant::MAX)), (None, None));
    lab.send(5, A, B, 1);
    lab.send(5, CLIENT, A, 2);
    lab.send(5, B, B, 3);
    assert_eq!(lab.0.next_at(), Some(at(5)));
    assert_eq!(lab.get(4), NOTHING);
    assert_eq!(lab.get(5), [1, 2, 3]);
    let counts = lab.0.counts();
    assert_eq!((counts.sent, counts.delivered), (2, 2));
}

#[test]
fn the_ends_of_a_link_have_names() {
    let ends = [Endpoint::Client(0), Endpoint::Client(3), Node(B)];
    assert_eq!(
        ends.map(|end| format!("{end:>9}|")).join(""),
        "   client| client 3|        1|"
    );
    assert_eq!(
        format!("{:>8}|{:>2}", Party::Clients, Party::Node(B)),
        " clients| 1"
    );
}

#[test]
fn a_partition_cuts_both_ways_or_one() {
    let mut lab = Lab::new();
    lab.0.partition(&[B, A, A], &[C], false).expect("sides");
    for (number, from, to) in [(1, A, C), (2, C, A), (3, B, C), (4, A, B)] {
        lab.send(0, from, to, number);
    }
    lab.send(0, CLIENT, C, 5);
    lab.send(0, C, CLIENT, 6);
    assert_eq!(lab.get(0), [4, 5, 6]);
    assert_eq!(lab.faults(), ["PARTITION 0,1 | 2"]);

    lab.0.heal(at(1));
    lab.0.partition(&[C], &[A, B], true).expect("sides");
    lab.send(1, C, A, 1);
    lab.send(1, A, C, 2);
    assert_eq!(lab.get(1), [2]);
    assert_eq!(lab.faults(), ["PARTITION 2 | 0,1 ONEWAY"]);
    assert_eq!(lab.0.counts().dropped, 4);
    assert!(balanced(&lab.0));
}

#[test]
fn partitions_add_up_and_each_is_there_once() {
    let mut lab = Lab::new();
    for (left, right) in [(A, B), (B, A), (B, C), (A, B)] {
        lab.0.partition(&[left], &[right], false).expect("sides");
    }
    lab.0.partition(&[B], &[A], true).expect("sides");
    let all = [
        "PARTITION 0 | 1",
        "PARTITION 1 | 2",
        "PARTITION 1 | 0 ONEWAY",
    ];
    assert_eq!(lab.faults(), all);
    let wrong = [
        (lab.0.partition(&[A], &[], false), NetworkError::NoNodes),
        (
            lab.0.partition(&[A, B], &[B], false),
            NetworkError::BothSides(B.into()),
        ),
        (lab.0.hold(A, A), NetworkError::Itself(A.into())),
        (
            lab.0.release(at(0), B, B).map(|_| ()),
            NetworkError::Itself(B.into()),
        ),
    ];
    for (result, error) in wrong {
        assert_eq!(result, Err(error));
    }
    assert_eq!(lab.faults(), all);
}

#[test]
fn what_is_in_flight_when_the_link_is_cut_is_lost() {
    let mut lab = Lab::new();
    lab.0.delay(A, B, millis(10), Duration::ZERO).expect("two");
    lab.send(0, A, B, 1);
    lab.send(5, A, B, 2);
    lab.0.isolate(B).expect("room");
    assert_eq!(lab.0.next_at(), Some(at(10)), "it is lost on arrival");
    assert_eq!(lab.get(10), NOTHING);
    assert_eq!(lab.0.counts().dropped, 1);
    lab.0.heal(at(12));
    assert_eq!(lab.get(12), [2], "healed before it arrived");
}

#[test]
fn an_isolated_node_is_alone_but_for_the_client() {
    let mut lab = Lab::new();
    lab.0.isolate(B).expect("room");
    for (number, from, to) in [(1, A, B), (2, B, C), (3, A, C), (4, B, B)] {
        lab.send(0, from, to, number);
    }
    lab.send(0, CLIENT, B, 5);
    lab.send(0, B, CLIENT, 6);
    assert_eq!(lab.get(0), [3, 4, 5, 6]);
    assert_eq!(lab.faults(), ["ISOLATE 1"]);
}

#[test]
fn a_delay_ends_at_its_instant_and_not_before() {
    let mut lab = Lab::new();
    lab.0.delay(B, A, millis(20), Duration::ZERO).expect("two");
    lab.send(100, A, B, 1);
    lab.send(100, B, A, 2);
    lab.send(100, A, C, 3);
    assert_eq!(lab.get(100), [3]);
    assert_eq!(lab.0.next_at(), Some(at(120)));
    assert_eq!(lab.due(Instant::from_nanos(119_999_999)), NOTHING);
    let first = lab.0.deliver(at(120)).expect("due");
    assert_eq!(
        (first.sent, first.arrives, first.message),
        (at(100), at(120), 1)
    );
    assert_eq!(lab.get(120), [2]);
    assert_eq!(lab.faults(), ["DELAY 0 1 20ms"]);
    lab.0.delay(A, B, Duration::ZERO, millis(5)).expect("two");
    assert_eq!(lab.0.faults(), []);
}

#[test]
fn a_message_waits_for_those_ahead_of_it_when_a_delay_is_lifted() {
    let mut lab = Lab::new();
    lab.0.delay(A, B, millis(20), Duration::ZERO).expect("two");
    lab.send(0, A, B, 1);
    lab.0
        .delay(A, B, Duration::ZERO, Duration::ZERO)
        .expect("two");
    lab.send(5, A, B, 2);
    lab.send(5, B, A, 3);
    assert_eq!(lab.get(5), [3]);
    assert_eq!(lab.get(19), NOTHING);
    lab.send(20, A, B, 4);
    assert_eq!(lab.get(20), [1, 2, 4]);
}

#[test]
fn held_messages_go_on_in_order_when_the_link_is_released() {
    let mut lab = Lab::new();
    lab.0.hold(A, B).expect("two");
    lab.0.hold(C, B).expect("two");
    for (number, from, to) in [(1, A, B), (2, B, A), (3, C, B), (4, A, C), (5, A, B)] {
        lab.send(0, from, to, number);
    }
    assert_eq!(lab.get(99), [4]);
    let in_flight = lab.0.in_flight();
    let held = in_flight.iter().map(|it| (it.envelope.message, it.held));
    assert!(held.eq([(1, true), (2, true), (3, true), (5, true)]));
    assert_eq!(lab.0.next_at(), None);
    assert_eq!(lab.faults(), ["HOLD 0 1", "HOLD 1 2"]);

    lab.send(100, A, C, 6);
    lab.0.release(at(100), B, A).expect("two");
    lab.send(100, A, B, 7);
    let first = lab.0.deliver(at(100)).expect("due");
    assert_eq!(first.message, 6);
    let second = lab.0.deliver(at(100)).expect("due");
    assert_eq!(
        (second.message, second.sent, second.arrives),
        (1, at(0), at(100))
    );
    assert_eq!(lab.get(100), [2, 5, 7]);
    assert_eq!(lab.faults(), ["HOLD 1 2"]);
    assert_eq!(lab.0.counts().held, 4);
    assert!(balanced(&lab.0));
}

#[test]
fn released_messages_meet_the_faults_that_are_in_force_then() {
    let mut lab = Lab::new();
    lab.0.hold(A, B).expect("two");
    lab.send(0, A, B, 1);
    lab.0.delay(A, B, millis(20), Duration::ZERO).expect("two");
    lab.0.release(at(5), A, B).expect("two");
    assert_eq!(lab.0.next_at(), Some(at(25)));

    lab.0.hold(A, B).expect("two");
    lab.send(10, A, B, 2);
    lab.0.isolate(A).expect("room");
    lab.send(10, A, B, 3);
    assert_eq!(lab.0.counts().dropped, 1, "a cut link holds nothing back");
    lab.0.release(at(10), A, B).expect("two");
    assert_eq!(lab.0.counts().dropped, 2);
}

#[test]
fn a_slow_node_gets_each_message_later() {
    let mut lab = Lab::new();
    lab.0.slow(B, millis(10)).expect("room");
    lab.0.delay(A, B, millis(5), Duration::ZERO).expect("two");
    lab.send(0, A, B, 1);
    lab.send(0, B, A, 2);
    lab.send(0, CLIENT, B, 3);
    lab.send(0, B, CLIENT, 4);
    assert_eq!(lab.get(0), [4]);
    assert_eq!(lab.get(9), [2]);
    assert_eq!(lab.get(10), [3]);
    assert_eq!(lab.get(14), NOTHING);
    assert_eq!(lab.get(15), [1]);
    assert_eq!(lab.faults(), ["DELAY 0 1 5ms", "SLOW 1 10ms"]);
    lab.0.slow(B, Duration::ZERO).expect("room");
    assert_eq!(lab.faults(), ["DELAY 0 1 5ms"]);
}

#[test]
fn every_message_in_flight_has_a_number_of_its_own() {
    let mut lab = Lab::new();
    lab.0.hold(A, B).expect("two");
    lab.0.delay(A, C, millis(9), Duration::ZERO).expect("two");
    for number in 0..9 {
        let to = if number % 2 == 0 { B } else { C };
        lab.send(0, A, to, number);
    }
    let in_flight = lab.0.in_flight();
    let numbers: BTreeSet<u64> = in_flight.iter().map(|it| it.envelope.sequence).collect();
    assert_eq!(numbers.len(), 9);
}

#[test]
fn healing_lifts_everything_and_lets_everything_arrive() {
    let mut lab = Lab::new();
    lab.0
        .delay(A, B, Duration::MAX, Duration::MAX)
        .expect("two");
    lab.0.slow(B, Duration::MAX).expect("room");
    lab.0.reorder(A, B, Percent::ALL).expect("two");
    lab.0.hold(B, C).expect("two");
    lab.send(0, B, C, 1);
    lab.send(0, A, B, 2);
    assert_eq!(lab.0.next_at(), Some(Instant::MAX));
    lab.send(9, A, B, 3);
    lab.0.heal(at(10));
    assert_eq!(lab.0.faults(), []);
    lab.send(10, A, B, 5);
    assert_eq!(lab.get(10), [2, 3, 1, 5]);
    assert!(balanced(&lab.0) && lab.0.in_flight().is_empty());
}

#[test]
fn a_node_that_leaves_takes_its_messages_and_faults_along() {
    let mut lab = Lab::new();
    lab.0.partition(&[A, B], &[C], false).expect("sides");
    lab.0.partition(&[A], &[C], false).expect("sides");
    lab.0.partition(&[B], &[C], true).expect("sides");
    lab.0.isolate(B).expect("room");
    lab.0.hold(A, B).expect("two");
    lab.0.delay(A, C, millis(9), Duration::ZERO).expect("two");
    lab.0.slow(B, Duration::MAX).expect("room");
    for (number, from, to) in [(1, A, C), (2, A, B), (3, B, B)] {
        lab.send(0, from, to, number);
    }
    lab.send(0, CLIENT, B, 4);
    lab.send(0, B, CLIENT, 5);
    lab.send(0, CLIENT, A, 6);
    lab.0.forget(at(0), B);
    assert_eq!(lab.faults(), ["PARTITION 0 | 2", "DELAY 0 2 9ms"]);
    assert_eq!(lab.get(99), [6]);
    assert!(lab.0.in_flight().is_empty() && balanced(&lab.0));
}

#[test]
fn faults_are_shown_in_a_fixed_order_as_they_are_typed() {
    let mut lab = Lab::new();
    let (second, zero) = (Duration::from_secs(1), Duration::ZERO);
    lab.0.slow(C, millis(1500)).expect("room");
    lab.0.slow(A, second).expect("room");
    lab.0.reorder(B, A, percent("1")).expect("two");
    lab.0.hold(A, B).expect("two");
    lab.0.duplicate(A, B, percent("2.50%")).expect("two");
    lab.0.drop(C, A, percent("0.25%")).expect("two");
    lab.0
        .delay(A, B, Duration::from_mins(90), second)
        .expect("two");
    lab.0.delay(C, B, millis(5), zero).expect("two");
    lab.0.isolate(C).expect("room");
    lab.0.isolate(A).expect("room");
    lab.0.partition(&[C], &[B, A], false).expect("sides");
    let typed = [
        "PARTITION 0,1 | 2",
        "ISOLATE 0",
        "ISOLATE 2",
        "DELAY 0 1 1h30m JITTER 1s",
        "DUP 0 1 2.5%",
        "REORDER 0 1 1%",
        "HOLD 0 1",
        "DROP 0 2 0.25%",
        "DELAY 1 2 5ms",
        "SLOW 0 1s",
        "SLOW 2 1s500ms",
    ];
    assert_eq!(lab.faults(), typed);
}

#[test]
fn time_that_goes_back_does_no_harm() {
    let mut lab = Lab::new();
    lab.send(9, A, B, 1);
    lab.send(5, A, B, 2);
    lab.send(7, A, B, 3);
    assert_eq!(lab.get(9), [2, 3, 1]);
}

#[test]
fn lost_messages_are_kept_while_a_caller_watches() {
    let mut lab = Lab::new();
    lab.0.partition(&[A], &[B], false).expect("two sides");
    assert!(lab.0.is_cut(A, B) && lab.0.is_cut(B, A) && !lab.0.is_cut(A, C));
    lab.send(0, A, B, 1);
    assert_eq!(lab.0.losses(), Losses::default(), "the watch has not begun");
    lab.0.watch_losses();
    lab.0.heal(at(1));
    lab.0.delay(A, B, millis(10), Duration::ZERO).expect("two");
    lab.send(1, A, B, 2);
    lab.0.partition(&[A], &[B], false).expect("two sides");
    assert_eq!(lab.get(11), NOTHING);
    lab.0.delay(A, C, millis(10), Duration::ZERO).expect("two");
    lab.send(12, A, C, 3);
    lab.0.forget(at(13), C);
    let lost = lab.0.losses();
    let seen = lost.kept.iter().map(|it| (it.message, it.sent, it.arrives));
    assert!(seen.eq([(2, at(1), at(11)), (3, at(12), at(13))]));
    assert_eq!(lost.omitted, 0);
    assert_eq!(lab.0.losses(), Losses::default(), "they are given once");
}

#[test]
fn it_is_undisturbed_without_faults_and_without_messages() {
    let mut lab = Lab::new();
    assert!(lab.0.is_undisturbed());
    lab.send(0, A, B, 1);
    assert!(!lab.0.is_undisturbed(), "a message is in flight");
    lab.get(0);
    assert!(lab.0.is_undisturbed());
    lab.0.hold(A, B).expect("two");
    assert!(!lab.0.is_undisturbed(), "a fault is in force");
    lab.send(0, A, B, 1);
    lab.0.release(at(0), A, B).expect("held");
    lab.get(0);
    assert!(lab.0.is_undisturbed());
}
