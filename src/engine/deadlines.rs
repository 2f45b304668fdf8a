//! The deadlines of keys that the session wrote.
//!
//! A server removes a key some time after its deadline, and its `expired` event comes only then: with
//! many keys half a minute late. A question for the key at its deadline makes the server remove it at
//! once. So each key is asked for when it is due.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::data::Done;
use crate::operation::{Operation, Outcome};
use crate::time::Instant;

/// The most keys whose deadlines are followed. The expiry of others is not told.
pub const MAX_KEYS: usize = 1 << 20;
/// When a key is asked for again whose server does not answer, or still has it.
pub const AGAIN: Duration = Duration::from_millis(200);

/// Keys by their deadlines. Memory: two copies of each key.
#[derive(Default)]
pub struct Deadlines {
    /// By the instant to ask at.
    due: BTreeSet<(Instant, Box<[u8]>)>,
    /// The instant to ask at, and the deadline.
    keys: BTreeMap<Box<[u8]>, (Instant, Instant)>,
}

impl Deadlines {
    /// Follows what an operation has done to the deadline of a key.
    pub fn note(&mut self, key: &[u8], operation: &Operation<&[u8]>, done: &Done) {
        let outcome = done.as_ref().ok().map(|it| &it.1);
        let is_done = matches!(outcome, Some(Outcome::Done | Outcome::Applied(true)));
        let may_be_done = is_done || done.as_ref().is_err_and(|failed| failed.is_unknown);
        if !may_be_done || matches!(operation, Operation::Get | Operation::Incr { .. }) {
            return;
        }
        match operation.deadline() {
            Some(deadline) => self.insert(key, deadline, deadline),
            None => self.remove(key),
        }
    }

    fn insert(&mut self, key: &[u8], at: Instant, deadline: Instant) {
        self.remove(key);
        if self.keys.len() < MAX_KEYS {
            self.due.insert((at, key.into()));
            self.keys.insert(key.into(), (at, deadline));
        }
    }

    /// No longer follows a key.
    pub fn remove(&mut self, key: &[u8]) {
        if let Some((at, _)) = self.keys.remove(key) {
            self.due.remove(&(at, key.into()));
        }
    }

    /// Follows no key.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether a key is followed.
    #[must_use]
    pub fn has(&self, key: &[u8]) -> bool {
        self.keys.contains_key(key)
    }

    /// Whether no key is followed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// When to ask for the next key.
    #[must_use]
    pub fn next_at(&self) -> Option<Instant> {
        self.due.first().map(|it| it.0)
    }

    /// Takes the keys to ask for at `now`, with their deadlines, at most so many.
    pub fn take_due(&mut self, now: Instant, limit: usize) -> Vec<(Box<[u8]>, Instant)> {
        let mut taken = Vec::new();
        while taken.len() < limit && self.next_at().is_some_and(|at| at <= now) {
            let Some((_, key)) = self.due.pop_first() else {
                break;
            };
            if let Some((_, deadline)) = self.keys.remove(&key) {
                taken.push((key, deadline));
            }
        }
        taken
    }

    /// Asks for a key again at `at`, unless it has another deadline by now.
    pub fn again(&mut self, key: &[u8], at: Instant, deadline: Instant) {
        if !self.has(key) {
            self.insert(key, at, deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeId;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    /// Notes the outcome of an operation.
    fn note(deadlines: &mut Deadlines, key: &[u8], operation: Operation<&[u8]>, outcome: Outcome) {
        deadlines.note(key, &operation, &Ok((NodeId(0), outcome)));
    }

    #[test]
    fn the_latest_deadline_counts() {
        let mut deadlines = Deadlines::default();
        note(
            &mut deadlines,
            b"a",
            Operation::put(b"1", Some(at(5))),
            Outcome::Done,
        );
        note(
            &mut deadlines,
            b"a",
            Operation::put(b"2", Some(at(9))),
            Outcome::Done,
        );
        note(
            &mut deadlines,
            b"b",
            Operation::add(b"1", Some(at(7))),
            Outcome::Applied(true),
        );
        note(
            &mut deadlines,
            b"c",
            Operation::add(b"1", Some(at(1))),
            Outcome::Applied(false),
        );
        assert_eq!(deadlines.next_at(), Some(at(7)));
        assert!(deadlines.take_due(at(6), 9).is_empty());
        assert_eq!(deadlines.take_due(at(7), 9), [(b"b"[..].into(), at(7))]);
        note(
            &mut deadlines,
            b"a",
            Operation::Delete,
            Outcome::Applied(true),
        );
        assert!(deadlines.is_empty() && deadlines.next_at().is_none());
    }

    #[test]
    fn a_key_is_asked_for_again() {
        let mut deadlines = Deadlines::default();
        deadlines.again(b"a", at(8), at(5));
        assert_eq!(deadlines.take_due(at(8), 9), [(b"a"[..].into(), at(5))]);
        note(
            &mut deadlines,
            b"a",
            Operation::put(b"1", Some(at(20))),
            Outcome::Done,
        );
        deadlines.again(b"a", at(9), at(5));
        assert_eq!(deadlines.next_at(), Some(at(20)));
    }
}
