//! Histories made by hand, by a register, and by chance; what the oracle says of them.

use super::chance_tests::{Numbers, by_chance};
use super::oracle_tests::promise;
use super::{DEFAULT_STEPS, Fault, Kept, Promise, Verdict, check, fold};
use crate::history::{History, OpId, Outcome};
use crate::operation::Operation;
use crate::rng::Rng;
use crate::time::Instant;
use std::time::Duration;

type Action<'a> = Operation<&'a [u8]>;

const fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

/// A history of one key, told operation by operation.
struct Story(History);

impl Story {
    fn new() -> Self {
        Self(History::new(1_000, fold))
    }

    fn begin(&mut self, now: u64, action: Action<'_>) -> OpId {
        self.0.invoke(at(now), 0, b"k", action)
    }

    fn end(&mut self, id: OpId, now: u64, outcome: Outcome<&[u8]>) {
        self.0.complete(id, at(now), outcome);
    }

    /// One operation at one instant.
    fn then(mut self, now: u64, action: Action<'_>, outcome: Outcome<&[u8]>) -> Self {
        let id = self.begin(now, action);
        self.end(id, now, outcome);
        self
    }

    fn put(self, now: u64, value: &[u8], deadline: Option<u64>) -> Self {
        self.then(now, Action::put(value, deadline.map(at)), Outcome::Done)
    }

    fn lost_put(self, now: u64, value: &[u8]) -> Self {
        self.then(now, Action::put(value, None), Outcome::Unknown)
    }

    fn delete(self, now: u64) -> Self {
        self.then(now, Action::Delete, Outcome::Done)
    }

    fn hit(self, now: u64, value: &[u8]) -> Self {
        self.then(now, Action::Get, Outcome::value(value))
    }

    fn miss(self, now: u64) -> Self {
        self.then(now, Action::Get, Outcome::Value(None))
    }

    fn expire(self, now: u64, deadline: Option<u64>, changed: bool) -> Self {
        let deadline = deadline.map(at);
        self.then(
            now,
            Action::SetDeadline { deadline },
            Outcome::Applied(changed),
        )
    }

    fn incr(self, now: u64, delta: i64, sum: &[u8]) -> Self {
        self.then(now, Action::Incr { delta }, Outcome::value(sum))
    }

    fn check(&self) -> Verdict {
        let verdict = check(&self.0, DEFAULT_STEPS);
        assert_eq!(verdict.at_least, verdict.at_most, "decided");
        verdict
    }

    /// Checks the promise, and the operations of the excerpt.
    fn gives(&self, promise: Promise, fault: Fault, excerpt: &[u64]) {
        let verdict = self.check();
        assert_eq!(verdict.at_least, promise);
        let violation = verdict.keys[0].violation.as_ref().expect("a violation");
        let ids: Vec<u64> = violation.excerpt.iter().map(|id| id.0).collect();
        assert_eq!((violation.fault, &ids[..]), (fault, excerpt));
        assert_eq!(Promise::ALL[violation.promise as usize - 1], promise);
    }

    fn is_linearizable(&self) {
        let verdict = self.check();
        assert_eq!(verdict.at_least, Promise::Linearizable, "{verdict:?}");
        assert!(verdict.keys.is_empty());
    }
}

#[test]
fn nothing_is_linearizable() {
    Story::new().is_linearizable();
    Story::new().miss(0).is_linearizable();
}

#[test]
fn a_value_is_there_until_its_deadline() {
    let put = || Story::new().put(0, b"v", Some(5));
    put().hit(4, b"v").miss(5).is_linearizable();
    put().put(3, b"w", None).hit(9, b"w").is_linearizable();
    put()
        .hit(5, b"v")
        .gives(Promise::NoInventedValue, Fault::Expired, &[0, 1]);
    put().miss(4).gives(Promise::MayLose, Fault::Lost, &[0, 1]);
}

#[test]
fn a_read_over_the_deadline_may_see_either() {
    for outcome in [Outcome::value(b"v"), Outcome::Value(None)] {
        let mut story = Story::new().put(0, b"v", Some(5));
        let get = story.begin(4, Action::Get);
        story.end(get, 5, outcome);
        story.is_linearizable();
    }
}

#[test]
fn a_value_that_was_seen_to_expire_is_not_seen_again() {
    let mut story = Story::new().put(0, b"v", Some(5));
    let slow = story.begin(3, Action::Get);
    let mut story = story.miss(5);
    story.end(slow, 6, Outcome::value(b"v"));
    story.is_linearizable();
    let mut story = Story::new().put(0, b"v", Some(5));
    let first = story.begin(4, Action::Get);
    story.end(first, 6, Outcome::Value(None));
    story
        .hit(6, b"v")
        .gives(Promise::NoInventedValue, Fault::Expired, &[0, 2]);
}

#[test]
fn a_put_after_its_own_deadline_stores_nothing() {
    let mut story = Story::new();
    let put = story.begin(0, Action::put(b"v", Some(at(2))));
    story.end(put, 9, Outcome::Done);
    story.miss(9).is_linearizable();
}

#[test]
fn deadlines_are_changed() {
    let put = || Story::new().put(0, b"v", Some(5));
    put().expire(1, None, true).hit(9, b"v").is_linearizable();
    put().expire(1, Some(3), true).miss(3).is_linearizable();
    let story = put().expire(1, Some(3), true).hit(4, b"v");
    story.gives(Promise::NoInventedValue, Fault::Expired, &[0, 1, 2]);
    put().expire(5, Some(9), false).is_linearizable();
    let revived = put().expire(5, Some(9), true);
    revived.gives(Promise::NoInventedValue, Fault::Expired, &[0, 1]);
    let unsure = Action::SetDeadline { deadline: None };
    put()
        .then(1, unsure, Outcome::Unknown)
        .hit(9, b"v")
        .is_linearizable();
}

#[test]
fn an_invented_value_breaks_everything() {
    Story::new()
        .hit(0, b"v")
        .gives(Promise::Nothing, Fault::Invented, &[0]);
    let early = Story::new().hit(0, b"v").put(1, b"v", None);
    early.gives(Promise::Nothing, Fault::Invented, &[0]);
}

#[test]
fn a_refused_write_is_none() {
    let put = Action::put(b"v", None);
    let story = Story::new().then(0, put, Outcome::Refused);
    story.miss(1).is_linearizable();
    let story = Story::new()
        .put(0, b"u", None)
        .then(1, put, Outcome::Refused);
    story
        .hit(2, b"v")
        .gives(Promise::Nothing, Fault::Invented, &[2]);
    let story = Story::new().put(0, b"u", None);
    let story = story.then(1, Action::add(b"v", None), Outcome::Applied(false));
    story
        .hit(2, b"v")
        .gives(Promise::Nothing, Fault::Invented, &[2]);
}

#[test]
fn an_unknown_write_may_surface_later_once() {
    let story = || {
        Story::new()
            .lost_put(0, b"v")
            .put(1, b"w", None)
            .hit(2, b"w")
    };
    story().is_linearizable();
    story().hit(3, b"v").is_linearizable();
    let back = story().hit(3, b"v").put(4, b"x", None).hit(5, b"v");
    back.gives(Promise::NoExpiredRead, Fault::Stale, &[0, 3, 4, 5]);
    let deleted = story().hit(3, b"v").delete(4).hit(5, b"v");
    deleted.gives(Promise::NoExpiredRead, Fault::Resurrected, &[0, 3, 4, 5]);
}

#[test]
fn a_pending_write_may_be_seen() {
    let mut story = Story::new();
    story.begin(0, Action::put(b"v", None));
    story.miss(1).hit(2, b"v").is_linearizable();
}

#[test]
fn stale_and_resurrected_reads_are_told_apart() {
    let stale = Story::new()
        .put(0, b"v", None)
        .put(1, b"w", None)
        .hit(2, b"v");
    stale.gives(Promise::NoExpiredRead, Fault::Stale, &[0, 1, 2]);
    let back = Story::new()
        .put(0, b"v", None)
        .hit(1, b"v")
        .delete(2)
        .hit(3, b"v");
    back.gives(Promise::NoExpiredRead, Fault::Resurrected, &[0, 2, 3]);
}

#[test]
fn what_was_lost_must_not_return() {
    let story = Story::new().put(0, b"v", None).miss(1).hit(2, b"v");
    story.gives(Promise::NoStaleRead, Fault::NoOrder, &[0, 1, 2]);
}

#[test]
fn concurrent_writes_have_one_order_for_all() {
    let puts = || {
        let mut story = Story::new();
        let [one, two] = [b"1", b"2"].map(|value| story.begin(0, Action::put(value, None)));
        story.end(one, 1, Outcome::Done);
        story.end(two, 1, Outcome::Done);
        story
    };
    puts().hit(2, b"1").hit(3, b"1").is_linearizable();
    puts().hit(2, b"2").hit(3, b"2").is_linearizable();
    let both = puts().hit(2, b"1").hit(3, b"2");
    both.gives(Promise::NoStaleRead, Fault::NoOrder, &[0, 1, 2, 3]);
}

#[test]
fn conditions_are_reads_too() {
    let add = |applied| (Action::add(b"v", None), Outcome::Applied(applied));
    let ((action, first), (again, second)) = (add(true), add(true));
    let twice = Story::new().then(0, action, first).then(1, again, second);
    twice.gives(Promise::MayLose, Fault::Lost, &[0, 1]);
    let (action, outcome) = add(false);
    let taken = Story::new().then(0, action, outcome);
    taken.gives(Promise::Nothing, Fault::Invented, &[0]);
    let cas = Action::cas(b"v", b"w", None);
    let story = Story::new()
        .put(0, b"v", None)
        .then(1, cas, Outcome::Applied(true));
    story
        .hit(2, b"w")
        .then(3, cas, Outcome::Applied(false))
        .is_linearizable();
    let gone = Story::new().put(0, b"v", None).delete(1);
    let gone = gone.then(2, Action::Delete, Outcome::Applied(true));
    gone.gives(Promise::NoExpiredRead, Fault::Resurrected, &[0, 1, 2]);
}

#[test]
fn increments_add_up_and_keep_the_deadline() {
    Story::new()
        .incr(0, 5, b"5")
        .incr(1, -7, b"-2")
        .hit(2, b"-2")
        .is_linearizable();
    let put = || Story::new().put(0, b"1", Some(5)).incr(1, 1, b"2");
    put()
        .hit(4, b"2")
        .miss(5)
        .incr(6, 1, b"1")
        .hit(99, b"1")
        .is_linearizable();
    put()
        .hit(5, b"2")
        .gives(Promise::NoInventedValue, Fault::Expired, &[0, 1, 2]);
    let lost = Story::new()
        .incr(0, 1, b"1")
        .incr(1, 1, b"2")
        .incr(2, 1, b"2");
    lost.gives(Promise::NoExpiredRead, Fault::Stale, &[0, 1, 2]);
    let counted = Story::new().put(0, b"1", None);
    let counted = counted.then(1, Action::Incr { delta: 1 }, Outcome::Unknown);
    counted.hit(2, b"2").is_linearizable();
}

#[test]
fn the_worst_key_decides_and_keys_come_in_order() {
    let mut history = History::new(99, fold);
    for key in ["c", "a", "b"] {
        let get = history.invoke(at(0), 0, key.as_bytes(), Action::Get);
        let outcome = if key == "b" {
            Outcome::Value(None)
        } else {
            Outcome::value(b"v")
        };
        history.complete(get, at(0), outcome);
    }
    let verdict = check(&history, DEFAULT_STEPS);
    let keys: Vec<&[u8]> = verdict.keys.iter().map(|it| &*it.key).collect();
    assert_eq!((verdict.checked_keys, keys), (3, vec![&b"a"[..], b"c"]));
    assert_eq!(verdict.kept(Promise::NoInventedValue), Kept::No);
    assert_eq!(verdict.kept(Promise::Nothing), Kept::Yes);
}

#[test]
fn out_of_steps_is_unknown() {
    let mut story = Story::new();
    let puts: Vec<OpId> = (0..12)
        .map(|n: u8| story.begin(0, Action::put(&[b'a' + n], None)))
        .collect();
    for put in puts {
        story.end(put, 1, Outcome::Done);
    }
    let story = (0..6).fold(story, |story, n: u8| story.hit(2, &[b'a' + n % 2]));
    let verdict = check(&story.0, 500);
    assert_eq!(verdict.kept(Promise::Linearizable), Kept::Unknown);
    assert_eq!(verdict.kept(Promise::NoStaleRead), Kept::Yes);
    assert!(verdict.keys[0].violation.is_none());
    assert!(verdict.steps < 10_000, "{}", verdict.steps);
    assert_eq!(story.check().at_least, Promise::NoStaleRead);
}

/// The calls of an excerpt, as a history of their own.
fn alone(history: &History, excerpt: &[OpId]) -> History {
    let mut events = Vec::new();
    for &id in excerpt {
        let span = history.get(id).expect("recorded").span;
        events.push((span.begin, id, true));
        events.extend(span.end.map(|end| (end, id, false)));
    }
    events.sort_unstable();
    let (mut alone, mut ids) = (History::new(99, fold), Vec::new());
    for (_, id, is_begin) in events {
        let call = history.get(id).expect("recorded");
        if is_begin {
            let operation = call.operation.clone();
            let operation = operation.map(|it| it.head().to_vec());
            ids.push((
                id,
                alone.invoke(call.invoked, 0, b"k", operation.borrowed()),
            ));
            continue;
        }
        let (_, new) = ids.iter().find(|it| it.0 == id).expect("invoked");
        let outcome = call.outcome.clone().expect("over");
        let outcome = outcome.map(|it| it.head().to_vec());
        alone.complete(*new, call.returned.expect("over"), outcome.borrowed());
    }
    alone
}

/// A history in a few lines.
pub(super) fn show(history: &History) -> String {
    let lines = history.calls().iter().map(|it| {
        format!(
            "\n{} {:?} -> {:?} {:?} {:?}..{:?}",
            it.id.0, it.operation, it.outcome, it.span, it.invoked, it.returned
        )
    });
    lines.collect()
}

const CASES: u64 = 6_000;

#[test]
fn the_oracle_agrees_on_every_promise() {
    let mut counts = [0; 6];
    for seed in 0..CASES {
        let history = by_chance(&mut Rng::new(seed), Numbers::Without);
        let (strongest, holds) = promise(&history);
        let verdict = check(&history, DEFAULT_STEPS);
        let found = (verdict.at_least, verdict.at_most);
        assert_eq!(
            found,
            (strongest, strongest),
            "seed {seed}: {}",
            show(&history)
        );
        let implied = holds.is_sorted_by(|weaker, stronger| weaker >= stronger);
        assert!(implied, "seed {seed}: {holds:?}");
        counts[strongest as usize] += 1;
    }
    assert!(counts.iter().all(|&count| count > 0), "{counts:?}");
}

/// With increments, the oracle knows only the strong promises.
#[test]
fn the_oracle_agrees_on_orders_with_increments() {
    for seed in CASES..CASES * 2 {
        let history = by_chance(&mut Rng::new(seed), Numbers::With);
        let (_, holds) = promise(&history);
        let verdict = check(&history, DEFAULT_STEPS);
        let strong = [Promise::MayLose, Promise::Linearizable];
        let expected = strong.map(|promise| holds[promise as usize]);
        let found = strong.map(|promise| verdict.kept(promise) == Kept::Yes);
        assert_eq!(
            found,
            expected,
            "seed {seed}: {verdict:#?} {}",
            show(&history)
        );
    }
}

#[test]
fn an_excerpt_is_as_bad_as_the_whole() {
    let mut count = 0;
    for seed in 0..CASES * 2 {
        let history = by_chance(&mut Rng::new(seed), Numbers::With);
        let verdict = check(&history, DEFAULT_STEPS);
        let Some(key) = verdict.keys.first() else {
            continue;
        };
        let violation = key.violation.as_ref().expect("a violation");
        let part = alone(&history, &violation.excerpt);
        let again = check(&part, DEFAULT_STEPS);
        assert_eq!(
            again.at_most,
            key.at_most,
            "seed {seed}: {violation:?} {}",
            show(&history)
        );
        count += 1;
    }
    assert!(count > 1_000);
}

#[test]
fn clocks_that_differ_excuse_reads_around_a_deadline() {
    let deadline = Instant::from_millis(100);
    // (the error of the clocks, when a read comes, whether it finds the value) and the verdict.
    let cases = [
        (0, 99, true, Promise::Linearizable),
        (0, 100, true, Promise::NoInventedValue),
        (0, 99, false, Promise::MayLose),
        (3, 102, true, Promise::Linearizable),
        (3, 103, true, Promise::NoInventedValue),
        (3, 97, false, Promise::Linearizable),
        (3, 96, false, Promise::MayLose),
    ];
    for (error, at, is_hit, expected) in cases {
        let mut history = History::new(10, fold);
        history.set_clock_error(Duration::from_millis(error));
        let put = history.invoke(
            Instant::START,
            0,
            b"k",
            Operation::put(b"v", Some(deadline)),
        );
        history.complete(put, Instant::START, Outcome::Done);
        let at = Instant::from_millis(at);
        let get = history.invoke(at, 0, b"k", Operation::Get);
        let found: Option<&[u8]> = is_hit.then_some(b"v");
        history.complete(get, at, Outcome::Value(found));
        let verdict = check(&history, DEFAULT_STEPS);
        assert_eq!(verdict.at_most, expected, "{error} ms, {at:?}, {is_hit}");
    }
}
