//! The register with expiry that the operations on one key act on.

use super::op::{ANY_TIME, Act, NEVER, Op, Told};
use super::value::Value;

/// The register: a value, when it expires, and the earliest instant that it can be.
///
/// A register of which nothing is known has [`Value::Any`] with the deadline [`ANY_TIME`]: it may
/// have any value, and it may be absent, as the value may have just expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// `None`: absent.
    pub value: Option<Value>,
    /// At this instant the value is gone. 0 if there is none.
    pub deadline: u64,
    /// Whatever comes next takes effect no earlier.
    pub time: u64,
}

impl State {
    /// A register that was never used.
    pub(super) const EMPTY: Self = Self::absent(0);

    /// A register of which nothing is known.
    pub(super) const UNKNOWN: Self = Self {
        value: Some(Value::Any),
        deadline: ANY_TIME,
        time: 0,
    };

    /// A register without a value.
    pub(super) const fn absent(time: u64) -> Self {
        let (value, deadline) = (None, 0);
        Self {
            value,
            deadline,
            time,
        }
    }

    fn with(self, value: Value, deadline: u64) -> Self {
        let value = Some(value);
        Self {
            value,
            deadline,
            ..self
        }
        .at(self.time)
    }

    /// The same, at this instant or later.
    fn at(mut self, time: u64) -> Self {
        self.time = self.time.max(time);
        if self.deadline <= self.time && self.deadline < ANY_TIME {
            return Self::absent(self.time);
        }
        self
    }

    /// Whether two differ in more than the time.
    pub(super) fn is_changed(&self, other: &Self) -> bool {
        (self.value, self.deadline) != (other.value, other.deadline)
    }

    /// What can become of the register if `op` takes effect now: as it is, or with the value gone
    /// first, because its deadline has come or because it was lost.
    pub(super) fn after(self, op: &Op, may_lose: bool) -> [Option<Self>; 2] {
        if self.time > op.until {
            return [None; 2];
        }
        let here = self.at(op.from);
        let first = here.effect(op);
        if here.value.is_none() || op.is_overwrite() {
            return [first, None];
        }
        let may_vanish = may_lose || here.deadline == ANY_TIME;
        let gone = if may_vanish { here.time } else { here.deadline };
        let second = (gone <= op.until && gone != NEVER)
            .then(|| Self::absent(gone).effect(op))
            .flatten();
        [first, second]
    }

    fn effect(self, op: &Op) -> Option<Self> {
        let after = self.result(op)?;
        (op.sure || after.is_changed(&self)).then_some(after)
    }

    /// The register after `op`, if the result is the one that is known.
    fn result(self, op: &Op) -> Option<Self> {
        let [yes, no] = [Told::Applied(false), Told::Applied(true)].map(|not| op.told != not);
        match (op.act, self.value) {
            (Act::Get | Act::Incr(_), Some(Value::Any)) => self.found(op),
            (Act::Get, found) => (op.told == Told::Value(found)).then_some(self),
            (Act::Put(value, deadline), _) => Some(self.with(value, deadline)),
            (Act::Add(value, deadline), None) => yes.then(|| self.with(value, deadline)),
            (Act::Cas(_, new, deadline), Some(Value::Any)) if op.told == Told::Applied(true) => {
                Some(self.with(new, deadline))
            }
            (Act::Cas(expected, new, deadline), Some(found)) if found == expected => {
                yes.then(|| self.with(new, deadline))
            }
            (Act::SetDeadline(deadline), Some(found)) => yes.then(|| self.with(found, deadline)),
            (Act::Delete, Some(_)) => yes.then(|| Self::absent(self.time)),
            (Act::Incr(delta), found) => self.increment(op, delta, found),
            (Act::Add(..) | Act::Cas(..) | Act::SetDeadline(_) | Act::Delete, _) => {
                no.then_some(self)
            }
        }
    }

    /// A register with any value, after an operation that may tell which it has now.
    fn found(self, op: &Op) -> Option<Self> {
        match (op.act, op.told) {
            (_, Told::Value(None)) | (Act::Incr(_), Told::Value(Some(Value::Text(_)))) => None,
            (_, Told::Value(Some(value))) => Some(self.with(value, self.deadline)),
            _ => Some(self),
        }
    }

    fn increment(self, op: &Op, delta: i64, found: Option<Value>) -> Option<Self> {
        let (number, deadline) = match found {
            None => (0, NEVER),
            Some(Value::Number(number)) => (number, self.deadline),
            Some(_) => return None,
        };
        let sum = Value::Number(number.checked_add(delta)?);
        let as_told = op.told == Told::Nothing || op.told == Told::Value(Some(sum));
        as_told.then(|| self.with(sum, deadline))
    }
}
