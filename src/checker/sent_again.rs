//! Writes that took effect although their reply was lost, and that were sent again.
//!
//! A client library that gets no reply may send its command again without telling its user. The cluster
//! keeps its promise then, but an increment counts twice. A history shows it where a write of
//! unknown outcome must have taken effect: without it, the answers break a stronger promise than with it.
//!
//! Caveat: that two equal commands are one that was sent twice is likely, not certain. A client may have
//! meant both.

use super::{Checker, KeyedCall, by_key};
use crate::history::{Call, History, OpId, Outcome, Start};
use crate::operation::Operation;

/// The most keys that are named.
const MAX_KEYS: usize = 10;
/// The most calls that are named for a key.
const MAX_CALLS: usize = 10;

/// For each key whose write took effect without a reply and was sent again: the calls without a reply,
/// at least one of which took effect, and the first equal one that got a reply. At most 10 keys, in
/// the order of their first calls, with at most 10 calls each.
///
/// Increments count, and writes on the condition that the key is absent or has a value. Cost: for each
/// key with such calls that of judging it twice, at most about `steps` steps for each promise.
#[must_use]
pub fn sent_again(history: &History, steps: u64) -> Vec<Vec<OpId>> {
    let mut checker = Checker::new(history, steps);
    let mut found = Vec::new();
    for calls in by_key(history).chunk_by(|one, other| one.0 == other.0) {
        if found.len() == MAX_KEYS {
            break;
        }
        found.extend(of_key(&mut checker, calls));
    }
    found.sort_unstable_by_key(|ids: &Vec<OpId>| ids.first().map_or(0, |id| id.0));
    found
}

fn of_key(checker: &mut Checker<'_>, keyed: &[KeyedCall]) -> Option<Vec<OpId>> {
    let history = checker.history;
    if *history.start(keyed.first()?.0) == Start::Unjudged {
        return None;
    }
    let calls: Vec<&Call> = keyed.iter().map(|&(_, at)| &history.calls()[at]).collect();
    let lost = calls.iter().filter(|call| is_lost(call));
    let mut asked: Vec<&Call> = Vec::new();
    for &first in lost {
        if asked.iter().any(|call| is_same(call, first)) {
            continue;
        }
        asked.push(first);
        if let Some(ids) = again(checker, keyed, &calls, first) {
            return Some(ids);
        }
    }
    None
}

/// The calls like `first` without a reply, and the one with a reply that was sent after them.
fn again(
    checker: &mut Checker<'_>,
    keyed: &[KeyedCall],
    calls: &[&Call],
    first: &Call,
) -> Option<Vec<OpId>> {
    let same = || calls.iter().filter(|call| is_same(call, first));
    let given_up = first.span.end?;
    let answered = same().find(|call| !call.is_open() && call.span.begin > given_up)?;
    let lost = same().filter(|call| is_lost(call) && call.id < answered.id);
    let mut ids: Vec<OpId> = lost.map(|call| call.id).collect();
    if !checker.needs(keyed, &ids) {
        return None;
    }
    ids.truncate(MAX_CALLS - 1);
    ids.push(answered.id);
    Some(ids)
}

/// Whether a call got no reply, and would have another effect or another reply if it is carried out twice.
fn is_lost(call: &Call) -> bool {
    let is_unlike_twice = matches!(
        call.operation,
        Operation::Incr { .. } | Operation::Add { .. } | Operation::Cas { .. }
    );
    is_unlike_twice && call.outcome == Some(Outcome::Unknown)
}

/// Whether two calls ask for the same. A TTL gives another deadline later.
fn is_same(one: &Call, other: &Call) -> bool {
    use Operation::{Add, Cas, Incr};
    match (&one.operation, &other.operation) {
        (Incr { delta }, Incr { delta: other }) => delta == other,
        (Add { value, .. }, Add { value: other, .. }) => value == other,
        (
            Cas { expected, new, .. },
            Cas {
                expected: other_expected,
                new: other_new,
                ..
            },
        ) => expected == other_expected && new == other_new,
        _ => false,
    }
}

impl Checker<'_> {
    /// Whether a stronger promise certainly holds with these calls than without them: so one of them has
    /// taken effect.
    fn needs(&mut self, keyed: &[KeyedCall], ids: &[OpId]) -> bool {
        self.read(keyed);
        let with = self.judge.range(&self.key.past, &self.key.ops).at_least;
        let ops = &mut self.key.ops;
        ops.retain(|op| op.is_start() || !ids.contains(&OpId(op.id)));
        let without = self.judge.range(&self.key.past, &self.key.ops).at_most;
        without < with
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::{DEFAULT_STEPS, Promise, check, fold};
    use crate::time::Instant;

    type Told = Outcome<&'static [u8]>;

    /// What CHECK names, for calls one after the other, each of another client.
    fn named(calls: &[(Operation<&'static [u8]>, Told)]) -> Vec<Vec<u64>> {
        let mut history = History::new(1_000, fold);
        for (at, (operation, told)) in (0..).zip(calls) {
            let now = Instant::from_millis(u64::from(at));
            let id = history.invoke(now, at, b"key", *operation);
            history.complete(id, now, *told);
        }
        let is_fine = check(&history, DEFAULT_STEPS).at_least == Promise::Linearizable;
        assert!(is_fine, "an unknown outcome breaks no promise");
        let found = sent_again(&history, DEFAULT_STEPS);
        let ids = |ids: Vec<OpId>| ids.into_iter().map(|id| id.0).collect();
        found.into_iter().map(ids).collect()
    }

    const INCR: Operation<&[u8]> = Operation::Incr { delta: 1 };

    #[test]
    fn an_increment_that_counted_twice_is_named() {
        let told = [(INCR, Outcome::Unknown), (INCR, Outcome::value(b"2"))];
        assert_eq!(named(&told), [[0, 1]]);
    }

    #[test]
    fn an_increment_that_counted_once_is_not() {
        let told = [(INCR, Outcome::Unknown), (INCR, Outcome::value(b"1"))];
        assert_eq!(named(&told), [[0; 0]; 0]);
        let other = Operation::Incr { delta: 5 };
        let told = [(INCR, Outcome::Unknown), (other, Outcome::value(b"6"))];
        assert_eq!(
            named(&told),
            [[0; 0]; 0],
            "another increment is not a repetition"
        );
        let told = [(INCR, Outcome::value(b"1")), (INCR, Outcome::value(b"2"))];
        assert_eq!(named(&told), [[0; 0]; 0], "both got a reply");
    }

    #[test]
    fn of_several_without_a_reply_it_is_enough_if_one_counted() {
        let lost = (INCR, Outcome::Unknown);
        assert_eq!(
            named(&[lost, lost, (INCR, Outcome::value(b"2"))]),
            [[0, 1, 2]]
        );
        assert_eq!(
            named(&[lost, lost, (INCR, Outcome::value(b"1"))]),
            [[0; 0]; 0]
        );
    }

    #[test]
    fn a_lock_that_its_owner_was_refused_is_named() {
        let add = Operation::add(b"token", None);
        let told = [(add, Outcome::Unknown), (add, Outcome::Applied(false))];
        assert_eq!(named(&told), [[0, 1]]);
        let told = [(add, Outcome::Unknown), (add, Outcome::Applied(true))];
        assert_eq!(named(&told), [[0; 0]; 0]);
        let other = Operation::add(b"other", None);
        let told = [
            (other, Outcome::Done),
            (add, Outcome::Unknown),
            (add, Outcome::Applied(false)),
        ];
        assert_eq!(named(&told), [[0; 0]; 0], "another client has the lock");
    }
}
