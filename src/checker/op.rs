//! The calls on one key as the checker sees them: encoded as integers, without calls that constrain
//! nothing.

use super::value::{Texts, Value};
use crate::history::{Call, Content, Outcome};
use crate::operation::Operation;
use crate::time::Instant;

/// No deadline, and no end.
pub(super) const NEVER: u64 = u64::MAX;
/// A deadline at an unknown time: the value may vanish at any moment. Only the start of a window
/// has it.
pub(super) const ANY_TIME: u64 = u64::MAX - 1;

/// [`Operation`], with values and deadlines in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Store a value with a deadline.
    Put(Value, u64),
    /// Remove the value.
    Delete,
    /// Read.
    Get,
    /// Store if absent.
    Add(Value, u64),
    /// Store the second if the first is there.
    Cas(Value, Value, u64),
    /// Change the deadline if something is there.
    SetDeadline(u64),
    /// Add to a number.
    Incr(i64),
}

/// The result, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Nothing.
    Nothing,
    /// Whether it took effect.
    Applied(bool),
    /// The value that it found or made.
    Value(Option<Value>),
}

/// One operation on the key. `begin` and `end` are numbers of events in the history, `from` and
/// `until` nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Op {
    /// The number of its call, or [`Op::START`].
    pub id: u64,
    /// The operation.
    pub act: Act,
    /// The result, as far as it is known.
    pub told: Told,
    /// Whether it certainly took effect. If not, it may have, within its span.
    pub sure: bool,
    /// When it was invoked.
    pub begin: u64,
    /// When it was completed; [`NEVER`] if it may take effect later than that.
    pub end: u64,
    /// It takes effect no earlier.
    pub from: u64,
    /// It takes effect no later.
    pub until: u64,
}

impl Op {
    /// The id of an operation that replaces forgotten calls: a write of a value that was there at
    /// the cut, or a change of deadline. It may have taken effect, before the cut. The search does
    /// not put it in line.
    pub(super) const START: u64 = u64::MAX;

    /// What stands for forgotten calls up to the event `cut`.
    pub(super) fn before(cut: u64, act: Act) -> Self {
        Self {
            id: Self::START,
            act,
            told: Told::Nothing,
            sure: false,
            begin: cut,
            end: cut,
            from: 0,
            until: NEVER,
        }
    }

    /// Whether it stands for forgotten calls.
    pub(super) fn is_start(&self) -> bool {
        self.id == Self::START
    }

    /// Whether the result is independent of the register's state.
    pub(super) fn is_overwrite(&self) -> bool {
        match self.act {
            Act::Put(..) => true,
            Act::Delete => self.told == Told::Nothing,
            _ => false,
        }
    }

    /// Whether it certainly writes nothing.
    pub(super) fn is_observer(&self) -> bool {
        self.act == Act::Get || self.told == Told::Applied(false)
    }

    /// The same, if its outcome were unknown but it could take effect no later.
    pub(super) fn unsure(mut self) -> Self {
        (self.sure, self.told) = (false, Told::Nothing);
        self
    }
}

/// The operation of a call; `None` if it says and does nothing: it was refused, or is a read
/// without a result.
pub(super) fn op<'a>(call: &'a Call, texts: &mut Texts<'a>) -> Option<Op> {
    let is_open = call.is_open();
    let is_told = !is_open && !call.is_blurred;
    if call.outcome == Some(Outcome::Refused) || is_failed_swap(call) {
        return None;
    }
    let told = if is_told {
        told(call, texts)
    } else {
        Told::Nothing
    };
    if call.operation == Operation::Get && told == Told::Nothing {
        return None;
    }
    Some(Op {
        id: call.id.0,
        act: act(&call.operation, texts),
        told,
        sure: is_told,
        begin: call.span.begin,
        end: call.span.end.filter(|_| !is_open).unwrap_or(NEVER),
        from: call.earliest().as_nanos(),
        until: call.latest().map_or(NEVER, Instant::as_nanos),
    })
}

/// A swap that was not applied says only that the value or the deadline was another.
fn is_failed_swap(call: &Call) -> bool {
    let is_swap = matches!(call.operation, Operation::Swap { .. });
    is_swap && call.outcome == Some(Outcome::Applied(false))
}

/// A deadline in nanoseconds.
pub(super) fn nanos(deadline: Option<Instant>) -> u64 {
    deadline.map_or(NEVER, Instant::as_nanos)
}

fn act<'a>(operation: &'a Operation<Content>, texts: &mut Texts<'a>) -> Act {
    match operation {
        Operation::Put { value, deadline } => Act::Put(texts.value(value), nanos(*deadline)),
        // The deadline that a swap expects is not judged.
        Operation::Delete | Operation::Swap { new: None, .. } => Act::Delete,
        Operation::Get => Act::Get,
        Operation::Add { value, deadline } => Act::Add(texts.value(value), nanos(*deadline)),
        Operation::Cas {
            expected,
            new,
            deadline,
        }
        | Operation::Swap {
            expected,
            new: Some(new),
            deadline,
            ..
        } => Act::Cas(texts.value(expected), texts.value(new), nanos(*deadline)),
        Operation::SetDeadline { deadline } => Act::SetDeadline(nanos(*deadline)),
        Operation::Incr { delta } => Act::Incr(*delta),
    }
}

/// An outcome that does not fit its operation says only that it was done.
fn told<'a>(call: &'a Call, texts: &mut Texts<'a>) -> Told {
    match (&call.operation, call.outcome.as_ref()) {
        (Operation::Get, Some(Outcome::Value(value))) => {
            Told::Value(value.as_ref().map(|value| texts.value(value)))
        }
        (Operation::Incr { .. }, Some(Outcome::Value(Some(value)))) => {
            Told::Value(Some(texts.value(value)))
        }
        (Operation::Put { .. } | Operation::Get | Operation::Incr { .. }, _) => Told::Nothing,
        (_, Some(Outcome::Applied(applied))) => Told::Applied(*applied),
        _ => Told::Nothing,
    }
}
