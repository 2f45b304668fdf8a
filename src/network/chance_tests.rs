//! What the seed decides, and what does not depend on what else happens.

use std::collections::BTreeSet;
use std::time::Duration;

use super::tests::{A, B, C, at, millis, percent};
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
    let all = std::iter::from_fn(|| network.step());
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
        600 => drop(network.release(at(600), A, B).expect("two")),
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
