//! What an operation says of values and deadlines by itself.

use super::op::{Act, NEVER, Op, Told};
use super::value::Value;

/// The value that a read found or a write left, as far as the outcome shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// It was this value.
    Value(Value),
    /// There was some value.
    Some,
}

/// The value that an operation found, as far as its outcome shows it; `None` if it is no read.
pub(super) fn wanted(op: &Op) -> Option<Want> {
    match (op.act, op.told) {
        (Act::Get, Told::Value(value)) => value.map(Want::Value),
        (Act::Cas(expected, ..), Told::Applied(true)) => Some(Want::Value(expected)),
        (Act::Add(..), Told::Applied(false))
        | (Act::SetDeadline(_) | Act::Delete, Told::Applied(true)) => Some(Want::Some),
        (Act::Incr(delta), Told::Value(Some(Value::Number(sum)))) if sum != delta => {
            let before = sum.checked_sub(delta)?;
            Some(Want::Value(Value::Number(before)))
        }
        _ => None,
    }
}

/// What an operation wrote, if it did or may have; `None` if it writes no value.
pub(super) fn written(op: &Op) -> Option<Want> {
    match (op.act, op.told) {
        (Act::Delete | Act::Get | Act::SetDeadline(_), _) | (_, Told::Applied(false)) => None,
        (Act::Put(Value::Any, _), _) => Some(Want::Some),
        (Act::Put(value, _) | Act::Add(value, _) | Act::Cas(_, value, _), _) => {
            Some(Want::Value(value))
        }
        (Act::Incr(_), Told::Value(Some(value))) => Some(Want::Value(value)),
        (Act::Incr(_), _) => Some(Want::Some),
    }
}

/// What an operation must have found to be the source of a read of `want`.
pub(super) fn needed(op: &Op, want: Want) -> Option<Want> {
    match (op.act, op.told, want) {
        (Act::Cas(expected, ..), ..) => Some(Want::Value(expected)),
        (Act::Incr(delta), Told::Nothing, Want::Value(Value::Number(sum))) if sum != delta => sum
            .checked_sub(delta)
            .map(|it| Want::Value(Value::Number(it))),
        _ => wanted(op),
    }
}

/// Whether a sure operation certainly leaves nothing of the value before.
pub(super) fn ends(op: &Op) -> bool {
    match op.act {
        Act::Put(..) | Act::Delete | Act::Incr(_) => true,
        Act::Add(..) | Act::Cas(..) => op.told == Told::Applied(true),
        Act::Get | Act::SetDeadline(_) => false,
    }
}

/// Whether an operation changes the deadline of a value that it leaves, if it does or may have.
pub(super) fn is_change(op: &Op) -> bool {
    matches!(op.act, Act::SetDeadline(_)) && op.told != Told::Applied(false)
}

/// Whether an operation keeps the deadline of the value before.
pub(super) fn inherits(op: &Op) -> bool {
    matches!(op.act, Act::Incr(_))
}

/// Whether an operation may set the deadline of the value that it writes.
pub(super) fn gives_deadline(op: &Op) -> bool {
    match op.act {
        Act::Incr(delta) => {
            let from_nothing = Told::Value(Some(Value::Number(delta)));
            op.told == Told::Nothing || op.told == from_nothing
        }
        _ => true,
    }
}

/// The deadline that an operation gives.
pub(super) fn deadline(op: &Op) -> u64 {
    match op.act {
        Act::Put(_, deadline)
        | Act::Add(_, deadline)
        | Act::Cas(_, _, deadline)
        | Act::SetDeadline(deadline) => deadline,
        Act::Delete | Act::Get | Act::Incr(_) => NEVER,
    }
}
