//! Random faults: what the seed decides, that no fault depends on another, and how often and how far
//! they go.

use std::collections::BTreeSet;
use std::time::Duration;

use super::tests::{A, B, C, Lab, at, balanced, millis, percent};
use super::*;

/// All that chance can do.
fn chance(network: &mut Network<u32>) {
    network.drop(A, B, percent("20%")).expect("two");
    network.duplicate(A, B, percent("20%")).expect("two");
    network.delay(A, B, millis(20), millis(50)).expect("two");
    network.reorder(A, B, percent("20%")).expect("two");
}

/// What arrives of 1,000 messages from A to B, with all that chance can do, while something is done
/// to the network.
fn fates(seed: u64, mut meanwhile: impl FnMut(u32, &mut Network<u32>)) -> Vec<(u64, u32)> {
    let mut network = Network::new(seed);
    chance(&mut network);
    for number in 0..1000 {
        meanwhile(number, &mut network);
        network.send(at(u64::from(number)), A.into(), B.into(), number);
    }
    let all = std::iter::from_fn(|| network.deliver(Instant::MAX));
    let link = all.filter(|it| (it.from, it.to) == (A.into(), B.into()));
    link.map(|it| (it.arrives.as_nanos(), it.message)).collect()
}

#[test]
fn the_seed_decides_and_it_is_pinned() {
    let fate = fates(7, |_, _| ());
    assert_eq!(fate, fates(7, |_, _| ()));
    assert_ne!(fate, fates(8, |_, _| ()));
    let first = fate
        .iter()
        .take(6)
        .map(|&(at, number)| (at / 1_000_000, number));
    assert!(first.eq([(23, 3), (67, 1), (74, 4), (74, 5), (74, 5), (74, 6)]));
}

#[test]
fn a_fault_on_one_link_changes_nothing_on_another() {
    let alone = fates(7, |_, _| ());
    let others = fates(7, |number, network| {
        network.drop(B, C, percent("50%")).expect("two");
        network.slow(C, millis(3)).expect("room");
        network
            .partition(&[A], &[C], number % 2 == 0)
            .expect("sides");
        network.send(at(u64::from(number)), B.into(), A.into(), number);
        network.send(at(u64::from(number)), B.into(), C.into(), number);
    });
    assert_eq!(alone, others);
}

#[test]
fn a_fault_changes_nothing_of_what_another_does() {
    let numbers = |fate: Vec<(u64, u32)>| fate.into_iter().map(|it| it.1).collect::<BTreeSet<_>>();
    let all = numbers(fates(7, |_, _| ()));
    let fewer = fates(7, |_, network| {
        network.duplicate(A, B, Percent::NONE).expect("two");
        network
            .delay(A, B, Duration::ZERO, Duration::ZERO)
            .expect("two");
    });
    assert_eq!(numbers(fewer), all);
    let held = fates(7, |number, network| match number {
        300 => network.hold(A, B).expect("two"),
        600 => assert_eq!(network.release(at(600), A, B), Ok(vec![])),
        _ => (),
    });
    assert_eq!(numbers(held), all);
}

#[test]
fn a_partition_changes_nothing_for_those_after_it() {
    let after = |cut: bool| {
        let fate = fates(7, |number, network| match number {
            100 if cut => network.partition(&[A], &[B], true).expect("sides"),
            200 => {
                network.heal(at(200));
                chance(network);
            }
            _ => (),
        });
        let after = fate.into_iter().filter(|&(_, number)| number >= 200);
        after.collect::<Vec<_>>()
    };
    assert_eq!(after(true), after(false));
}

#[test]
fn jitter_takes_tenths_of_its_bound_and_keeps_the_order() {
    let mut lab = Lab::new();
    lab.0.delay(A, B, millis(20), millis(10)).expect("two");
    let mut late = BTreeSet::new();
    for number in 0..200 {
        lab.send(u64::from(number) * 100, A, B, number);
        let envelope = lab.0.deliver(Instant::MAX).expect("in flight");
        late.insert(
            envelope
                .arrives
                .saturating_duration_since(envelope.sent)
                .as_millis(),
        );
    }
    assert_eq!(late, (20..=30).collect());

    for number in 0..200 {
        lab.send(50_000 + u64::from(number), A, B, number);
    }
    let all = lab.all();
    assert!(all.iter().map(|it| it.message).eq(0..200));
    assert!(all.is_sorted_by_key(|it| it.arrives));
    assert_eq!(lab.faults(), ["DELAY 0 1 20ms JITTER 10ms"]);
}

#[test]
fn a_message_is_dropped_as_often_as_said() {
    for (text, expected) in [
        ("0.0001%", 0..=5),
        ("5%", 4_700..=5_300),
        ("100%", 100_000..=100_000),
    ] {
        let mut lab = Lab::new();
        lab.0.drop(A, B, percent(text)).expect("two");
        (0..100_000).for_each(|number| lab.send(0, A, B, number));
        let dropped = lab.0.counts().dropped;
        assert!(expected.contains(&dropped), "{text}: {dropped}");
        assert_eq!(lab.get(0).len() as u64 + dropped, 100_000);
        assert_eq!(lab.faults(), [format!("DROP 0 1 {text}")]);
        lab.0.drop(A, B, Percent::NONE).expect("two");
        assert_eq!(lab.0.faults(), []);
    }
}

#[test]
fn a_message_is_duplicated_as_often_as_said() {
    let mut lab = Lab::new();
    lab.0.duplicate(A, B, percent("5%")).expect("two");
    (0..100_000).for_each(|number| lab.send(0, B, A, number));
    let copies = lab.get(0);
    let duplicated = lab.0.counts().duplicated;
    assert!((4_700..=5_300).contains(&duplicated), "{duplicated}");
    assert_eq!(copies.len() as u64, 100_000 + duplicated);
    assert!(copies.is_sorted(), "a copy follows its original");
    assert_eq!(lab.faults(), ["DUP 0 1 5%"]);

    lab.0.duplicate(A, B, Percent::ALL).expect("two");
    lab.send(1, A, B, 7);
    let sequences: Vec<u64> = lab.all().iter().map(|it| it.sequence).collect();
    assert_eq!(sequences.len(), 2);
    assert_eq!(sequences[0] + 1, sequences[1]);
    assert!(balanced(&lab.0));
}

#[test]
fn a_message_is_overtaken_within_the_bound() {
    for (delay, bound) in [(0, 10), (40, 40)] {
        let mut lab = Lab::new();
        lab.0
            .delay(A, B, millis(delay), Duration::ZERO)
            .expect("two");
        lab.0.reorder(A, B, percent("30%")).expect("two");
        (0..10_000).for_each(|number| lab.send(u64::from(number), A, B, number));
        let all = lab.all();
        let late = |it: &Envelope<u32>| {
            it.arrives
                .saturating_duration_since(it.sent.saturating_add(millis(delay)))
        };
        let overtaken = all.iter().filter(|it| !late(it).is_zero());
        let times: BTreeSet<_> = overtaken.clone().map(late).collect();
        assert_eq!(
            times,
            (1..=10).map(|part| millis(bound) * part / 10).collect()
        );
        let count = overtaken.count() as u64;
        assert_eq!(count, lab.0.counts().reordered);
        assert!((2_800..=3_200).contains(&count), "{count}");
        let others = all.iter().filter(|it| late(it).is_zero());
        assert!(others.is_sorted_by_key(|it| it.message));
    }
}
