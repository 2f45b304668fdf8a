//! Decides a read-modify-write, given the stored value.
//!
//! Every conditional command is one primitive: read the latest write, decide, and write on the
//! condition that no later version has come in between.

use std::borrow::Cow;

use super::message::Version;
use crate::operation::{self, Found, Operation, Outcome, Refusal};
use crate::time::Instant;

/// The value of a key that can be read.
#[derive(Clone, Copy)]
pub struct Live<'a> {
    pub value: &'a [u8],
    pub deadline: Option<Instant>,
    pub version: Version,
}

/// The decision.
pub(crate) enum Decision<'a> {
    /// Answer.
    Answer(Outcome),
    /// Write `value` (`None`: a tombstone), then answer.
    Write {
        value: Option<Cow<'a, [u8]>>,
        deadline: Option<Instant>,
        /// Whether the write depends on what was read.
        conditional: bool,
        outcome: Outcome,
    },
}

/// Decides what an operation does to what is stored.
pub(crate) fn decide<'a>(operation: &Operation<&'a [u8]>, live: Option<Live<'a>>) -> Decision<'a> {
    let write = |value: &'a [u8], deadline, outcome| Decision::Write {
        value: Some(Cow::Borrowed(value)),
        deadline,
        conditional: true,
        outcome,
    };
    let applied = |applied| Decision::Answer(Outcome::Applied(applied));
    match (*operation, live) {
        (Operation::Get | Operation::Put { .. }, live) => {
            Decision::Answer(Outcome::Value(live.map(Live::found)))
        }
        (Operation::Delete, live) => Decision::Write {
            value: None,
            deadline: None,
            conditional: false,
            outcome: Outcome::Applied(live.is_some()),
        },
        (Operation::Add { .. }, Some(_))
        | (Operation::Cas { .. } | Operation::Swap { .. } | Operation::SetDeadline { .. }, None) => {
            applied(false)
        }
        (Operation::Add { value, deadline }, None) => {
            write(value, deadline, Outcome::Applied(true))
        }
        (
            Operation::Cas {
                expected,
                new,
                deadline,
            },
            Some(live),
        ) => {
            if live.value == expected {
                write(new, deadline, Outcome::Applied(true))
            } else {
                applied(false)
            }
        }
        (
            Operation::Swap {
                expected,
                until,
                new,
                deadline,
            },
            Some(live),
        ) => {
            if live.value != expected || live.deadline != until {
                return applied(false);
            }
            Decision::Write {
                value: new.map(Cow::Borrowed),
                deadline,
                conditional: true,
                outcome: Outcome::Applied(true),
            }
        }
        (Operation::SetDeadline { deadline }, Some(live)) => {
            write(live.value, deadline, Outcome::Applied(true))
        }
        (Operation::Incr { delta }, live) => increment(delta, live),
    }
}

fn increment(delta: i64, live: Option<Live<'_>>) -> Decision<'_> {
    match operation::sum(live.map(|live| live.value), delta) {
        Ok(sum) => Decision::Write {
            value: Some(Cow::Owned(sum.to_string().into_bytes())),
            deadline: live.and_then(|live| live.deadline),
            conditional: true,
            outcome: Outcome::Number(sum),
        },
        Err(error) => Decision::Answer(Outcome::Refused(Refusal::Count(error))),
    }
}

impl Live<'_> {
    fn found(self) -> Found {
        Found {
            value: self.value.into(),
            deadline: self.deadline,
            version: self.version,
        }
    }
}
