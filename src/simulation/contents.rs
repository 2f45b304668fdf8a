//! Compares the contents at the end with the acknowledged writes.
//!
//! When all faults are repaired and the cluster is at rest, a read must find what the last write left,
//! if that was acknowledged, its deadline has not passed, and nothing excuses that it is missing. The
//! last write is the one with the latest version, that is, the one that was sent last.

use super::failure::Failure;
use super::losses::Losses;
use super::setup::Setup;
use crate::history::{Call, Content, History, OpId, Outcome};
use crate::operation::Operation;
use crate::time::Instant;

/// What the last write to a key has left.
enum Left<'a> {
    Nothing,
    Value(&'a Content, Option<Instant>),
    /// Some value, until the deadline.
    Some(Option<Instant>),
}

/// The first read from `first_read` on that did not find what it should.
pub(super) fn verify(
    setup: &Setup,
    losses: &Losses,
    history: &History,
    first_read: OpId,
) -> Option<Failure> {
    let (before, reads) =
        (history.calls().iter()).partition::<Vec<&Call>, _>(|call| call.id < first_read);
    let wrong = reads.into_iter().find_map(|read| {
        let write = before.iter().rev().find(|it| is_write(it, &read.key))?;
        let excuse = |deadline| losses.excuse(setup, &read.key, write.invoked, deadline);
        (!is_explained(write, read, excuse)).then_some((*write, read))
    });
    wrong.map(|(write, read)| Failure::Lost {
        write: Box::new(write.clone()),
        read: Box::new(read.clone()),
    })
}

/// Whether a call may have written to a key.
fn is_write(call: &Call, key: &[u8]) -> bool {
    let was_not_done = matches!(
        call.outcome,
        Some(Outcome::Refused | Outcome::Applied(false))
    );
    *call.key == *key && !call.operation.is_read() && !was_not_done
}

fn is_explained(write: &Call, read: &Call, excuse: impl Fn(Option<Instant>) -> bool) -> bool {
    let (Some(left), Some(Outcome::Value(found))) = (left_by(write), &read.outcome) else {
        return true;
    };
    let is_over = |deadline: Option<Instant>| deadline.is_some_and(|it| it <= read.invoked);
    match left {
        Left::Nothing => found.is_none() || excuse(None),
        Left::Value(_, deadline) | Left::Some(deadline) if is_over(deadline) => {
            found.is_none() || excuse(deadline)
        }
        Left::Value(value, deadline) => found.as_ref() == Some(value) || excuse(deadline),
        Left::Some(deadline) => found.is_some() || excuse(deadline),
    }
}

/// What a write has left; `None` if that is not certain.
fn left_by(write: &Call) -> Option<Left<'_>> {
    let is_done = matches!(
        write.outcome,
        Some(Outcome::Done | Outcome::Applied(true) | Outcome::Value(Some(_)))
    );
    match &write.operation {
        _ if !is_done => None,
        Operation::Delete | Operation::Swap { new: None, .. } => Some(Left::Nothing),
        Operation::Put { value, deadline }
        | Operation::Add { value, deadline }
        | Operation::Cas {
            new: value,
            deadline,
            ..
        }
        | Operation::Swap {
            new: Some(value),
            deadline,
            ..
        } => Some(Left::Value(value, *deadline)),
        Operation::SetDeadline { deadline } => Some(Left::Some(*deadline)),
        // The deadline of the value before stays.
        Operation::Incr { .. } | Operation::Get => None,
    }
}
