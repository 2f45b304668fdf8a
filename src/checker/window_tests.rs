//! Compares the verdicts of a bounded and an unbounded history.

#![expect(clippy::cast_possible_truncation, reason = "the numbers are small")]

use super::chance_tests::{Numbers, Outcome, by_chance, of_length};
use super::cluster_tests::{Simulation, hit, put};
use super::oracle_tests::promise;
use super::tests::show;
use super::{DEFAULT_STEPS, Fault, Kept, Promise, Verdict, check, fold};
use crate::history::{Action, History};
use crate::rng::Rng;
use crate::time::Instant;

/// The same calls in the same order, recorded by a history of this capacity.
fn replay(history: &History, capacity: usize) -> History {
    let mut events = Vec::new();
    for call in history.calls() {
        events.push((call.span.begin, call, true));
        events.extend(call.span.end.map(|end| (end, call, false)));
    }
    events.sort_unstable_by_key(|it| it.0);
    let mut small = History::new(capacity, fold);
    for (_, call, is_begin) in events {
        if is_begin {
            let operation = call.operation.clone().map(|it| it.head().to_vec());
            let id = small.invoke(call.invoked, call.client, &call.key, operation.borrowed());
            assert_eq!(id, call.id);
            continue;
        }
        let outcome = call.outcome.clone().expect("over");
        let outcome = outcome.map(|it| it.head().to_vec());
        let returned = call.returned.expect("over");
        small.complete(call.id, returned, outcome.borrowed());
    }
    small
}

fn judge(history: &History, capacity: usize) -> Verdict {
    let small = replay(history, capacity);
    assert!(small.calls().len() <= capacity);
    let verdict = check(&small, DEFAULT_STEPS);
    let all = verdict.calls as u64 + verdict.forgotten;
    assert_eq!(all, history.calls().len() as u64);
    verdict
}

#[test]
fn a_window_of_a_linearizable_history_is_linearizable() {
    let mut kept = 0;
    for seed in 0..600 {
        let mut simulation = Simulation::new(seed, 2 + seed as usize % 4);
        simulation.registers.truncate(1 + seed as usize % 5);
        simulation.timeouts = [0, 10, 30][seed as usize % 3];
        let simulation = simulation.run(150);
        for capacity in [8, 17, 40] {
            let verdict = judge(&simulation.history, capacity);
            assert_ne!(
                verdict.kept(Promise::Linearizable),
                Kept::No,
                "seed {seed}, capacity {capacity}: {verdict:#?} {}",
                show(&simulation.history)
            );
            kept += u32::from(verdict.kept(Promise::Linearizable) == Kept::Yes);
        }
    }
    assert_eq!(kept, 1_800, "all are decided");
}

#[test]
fn a_window_of_a_register_that_loses_values_keeps_its_promise() {
    for seed in 0..300 {
        let mut simulation = Simulation::new(seed, 4);
        simulation.registers.truncate(1 + seed as usize % 3);
        (simulation.losses, simulation.timeouts) = (20, seed % 2 * 20);
        let simulation = simulation.run(150);
        for capacity in [8, 17, 40] {
            let verdict = judge(&simulation.history, capacity);
            assert_ne!(
                verdict.kept(Promise::MayLose),
                Kept::No,
                "seed {seed}, capacity {capacity}: {verdict:#?} {}",
                show(&simulation.history)
            );
        }
    }
}

/// Whether a window names no violation that the whole history does not have.
fn is_sound(whole: Promise, history: &History, capacity: usize, seed: u64) {
    let verdict = judge(history, capacity);
    assert!(
        verdict.at_most >= whole,
        "seed {seed}, capacity {capacity}: {verdict:#?} instead of {whole} {}",
        show(history)
    );
}

#[test]
fn a_window_never_names_a_violation_that_the_oracle_does_not_see() {
    for seed in 0..6_000 {
        let history = by_chance(&mut Rng::new(seed), Numbers::Without);
        let (whole, _) = promise(&history);
        for capacity in 1..history.calls().len() {
            is_sound(whole, &history, capacity, seed);
        }
    }
}

#[test]
fn a_window_never_names_a_violation_that_the_whole_history_does_not_have() {
    for seed in 0..3_000 {
        let rng = &mut Rng::new(seed);
        let numbers = [Numbers::With, Numbers::Without][seed as usize % 2];
        let length = 7 + rng.below(50) as usize;
        let history = of_length(rng, numbers, length);
        let whole = check(&history, DEFAULT_STEPS).at_most;
        for capacity in [1, 2, 3, 5, 8, 13, 40] {
            is_sound(whole, &history, capacity, seed);
        }
    }
}

/// Plants a fault at the end of many histories: what was done, what was then answered wrongly, and
/// how a window must name it.
fn is_found(fault: Fault, timeouts: u64, ending: impl Fn(&mut Simulation)) {
    for seed in 0..200 {
        let mut simulation = Simulation::new(seed, 4);
        simulation.timeouts = seed % 2 * timeouts;
        let keys = if simulation.timeouts > 0 { 5 } else { 1 };
        simulation.registers.truncate(keys + seed as usize % 3);
        let mut simulation = simulation.run(150);
        simulation.then(1, Action::Delete, Outcome::Done);
        ending(&mut simulation);
        for capacity in [if timeouts == 0 { 8 } else { 30 }, 40] {
            let verdict = judge(&simulation.history, capacity);
            let violation = verdict.keys.first().and_then(|key| key.violation.as_ref());
            assert_eq!(
                violation.map(|it| it.fault),
                Some(fault),
                "seed {seed}, capacity {capacity}: {verdict:#?} {}",
                show(&simulation.history)
            );
        }
    }
}

/// Calls on another key, until what came before is forgotten.
fn pass(simulation: &mut Simulation) {
    for n in 0..50_u8 {
        let now = Instant::from_nanos(simulation.now);
        let operation = put(&[n]);
        let id = simulation
            .history
            .invoke(now, 0, b"z", operation.borrowed());
        simulation
            .history
            .complete(id, now, Outcome::Done.borrowed());
    }
}

#[test]
fn a_stale_read_in_the_window_is_found() {
    is_found(Fault::Stale, 20, |simulation| {
        simulation.then(1, put(b"first"), Outcome::Done);
        simulation.then(1, put(b"last"), Outcome::Done);
        simulation.then(1, Action::Get, hit(b"first"));
    });
}

#[test]
fn an_invented_value_in_the_window_is_found() {
    is_found(Fault::Invented, 20, |simulation| {
        simulation.then(1, Action::Get, hit(b"no client's"));
    });
}

#[test]
fn an_expired_read_in_the_window_is_found() {
    is_found(Fault::Expired, 0, |simulation| {
        let deadline = Instant::from_nanos(simulation.now + 10);
        let action = Action::put(b"last", Some(deadline));
        simulation.then(0, action, Outcome::Done);
        simulation.then(10, Action::Get, hit(b"last"));
    });
}

#[test]
fn a_value_that_was_lost_and_returns_in_the_window_is_found() {
    is_found(Fault::NoOrder, 20, |simulation| {
        simulation.then(1, put(b"last"), Outcome::Done);
        simulation.then(1, Action::Get, Outcome::Value(None));
        simulation.then(1, Action::Get, hit(b"last"));
    });
}

#[test]
fn a_read_of_what_had_ended_before_the_window_is_found() {
    is_found(Fault::Outdated, 20, |simulation| {
        simulation.then(1, put(b"first"), Outcome::Done);
        simulation.then(1, put(b"last"), Outcome::Done);
        pass(simulation);
        simulation.then(1, Action::Get, hit(b"first"));
    });
}

#[test]
fn a_read_of_what_expired_before_the_window_is_found() {
    is_found(Fault::Expired, 0, |simulation| {
        let deadline = Instant::from_nanos(simulation.now + 10);
        let action = Action::put(b"last", Some(deadline));
        simulation.then(0, action, Outcome::Done);
        pass(simulation);
        simulation.then(10, Action::Get, hit(b"last"));
    });
}

#[test]
fn the_loss_of_what_was_written_before_the_window_is_found() {
    is_found(Fault::Lost, 0, |simulation| {
        simulation.then(1, put(b"last"), Outcome::Done);
        pass(simulation);
        simulation.then(1, Action::Get, Outcome::Value(None));
    });
}

/// A history of one key that is as small as can be, with each call over when the next begins.
fn line(capacity: usize, calls: &[(Action, Outcome)]) -> Verdict {
    let mut history = History::new(capacity, fold);
    for (now, (action, outcome)) in (1..).zip(calls) {
        let now = Instant::from_nanos(now);
        let id = history.invoke(now, 0, b"k", action.borrowed());
        history.complete(id, now, outcome.borrowed());
    }
    check(&history, DEFAULT_STEPS)
}

#[test]
fn a_write_that_took_effect_before_the_window_does_not_take_effect_again() {
    let put_unknown = (put(b"v"), Outcome::Unknown);
    let done = |value: &[u8]| (put(value), Outcome::Done);
    let get = |value: &[u8]| (Action::Get, hit(value));
    let seen = [put_unknown, get(b"v"), done(b"w"), done(b"x"), get(b"v")];
    let verdict = line(2, &seen);
    assert_eq!(verdict.at_most, Promise::NoExpiredRead, "{verdict:?}");
    let (_, unseen) = seen.split_first().expect("five");
    let unseen: Vec<_> = std::iter::once(seen[0].clone())
        .chain(unseen[1..].iter().cloned())
        .collect();
    let verdict = line(4, &unseen);
    assert_eq!(verdict.at_least, Promise::Linearizable, "{verdict:?}");
}

#[test]
fn the_verdict_says_what_was_judged() {
    let done = |n: u8| (put(&[n]), Outcome::Done);
    let calls: Vec<_> = (0..20).map(done).collect();
    let verdict = line(16, &calls);
    let at = Instant::from_nanos;
    assert_eq!((verdict.calls, verdict.forgotten), (16, 4));
    assert_eq!((verdict.judged_from, verdict.is_decided()), (at(4), true));
    assert_eq!(verdict.kept(Promise::Linearizable), Kept::Yes);
    let verdict = line(20, &calls);
    assert_eq!((verdict.calls, verdict.forgotten), (20, 0));
    assert_eq!(verdict.judged_from, Instant::START);
}

#[test]
fn long_values_are_told_apart() {
    let long = |last: u8| {
        let mut value = vec![b'x'; 65];
        value[64] = last;
        value
    };
    for length in [64, 65] {
        let value = |last: u8| long(last)[65 - length..].to_vec();
        let calls = |found: u8| {
            let get = Outcome::Value(Some(value(found).into()));
            [(put(&value(b'a')), Outcome::Done), (Action::Get, get)]
        };
        assert_eq!(line(9, &calls(b'a')).at_least, Promise::Linearizable);
        assert_eq!(line(9, &calls(b'b')).at_most, Promise::Nothing);
    }
}

#[test]
fn numbers_are_known_after_the_cut() {
    let incr = |sum: &[u8]| (Action::Incr { delta: 1 }, hit(sum));
    let right = [incr(b"1"), incr(b"2"), incr(b"3")];
    assert_eq!(line(1, &right).at_least, Promise::Linearizable);
    let wrong = [incr(b"1"), incr(b"2"), incr(b"2")];
    assert_eq!(line(1, &wrong).at_most, Promise::NoExpiredRead);
}

#[test]
fn a_start_that_may_be_anything_explains_the_first_read_only() {
    let read = |values: &[&[u8]]| {
        let mut history = History::new(9, fold);
        history.start_unknown();
        for value in values {
            let get = history.invoke(Instant::START, 0, b"k", Action::Get.borrowed());
            history.complete(get, Instant::START, hit(value).borrowed());
        }
        check(&history, DEFAULT_STEPS).at_most
    };
    assert_eq!(read(&[b"v", b"v"]), Promise::Linearizable);
    assert_eq!(read(&[b"v", b"w"]), Promise::NoStaleRead);
}

#[test]
fn what_is_stored_when_the_recording_begins_is_known() {
    let read = |late: bool, now: u64, outcome: Outcome| {
        let mut history = History::new(9, fold);
        if late {
            history.begin_late(Instant::START);
        }
        let deadline = Some(Instant::from_nanos(5));
        history.start_from(b"k", b"v", deadline);
        let now = Instant::from_nanos(now);
        let get = history.invoke(now, 0, b"k", Action::Get.borrowed());
        history.complete(get, now, outcome.borrowed());
        check(&history, DEFAULT_STEPS).at_most
    };
    let miss = || Outcome::Value(None);
    assert_eq!(read(true, 4, hit(b"v")), Promise::Linearizable);
    assert_eq!(read(true, 4, miss()), Promise::MayLose);
    assert_eq!(read(true, 5, miss()), Promise::Linearizable);
    assert_eq!(read(true, 4, hit(b"w")), Promise::NoExpiredRead);
    assert_eq!(read(false, 4, hit(b"w")), Promise::Nothing);
    assert_eq!(read(false, 5, hit(b"v")), Promise::NoInventedValue);
    assert_eq!(read(true, 5, hit(b"v")), Promise::NoExpiredRead);
}
