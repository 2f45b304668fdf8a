//! What a request comes to when it is known what is there.

use super::message::{Answer, Base, Bytes, Record, Refusal, Request, Version};
use crate::cache;
use crate::history::Action;
use crate::time::Instant;

/// What is to be done.
pub enum Decision {
    Tell(Then),
    /// Write this if nothing later has come in between, and then tell.
    Write(Record, Option<Base>, Answer),
}

/// What is to be told, and until when it is true: until what was read expires.
pub struct Then {
    pub answer: Answer,
    pub until: Option<Instant>,
}

impl From<Answer> for Then {
    /// True for ever.
    fn from(answer: Answer) -> Self {
        Self {
            answer,
            until: None,
        }
    }
}

/// What a request comes to when `live` can be read and `version` is the latest write known.
pub fn decide(request: &Request, live: Option<Record>, version: Version) -> Decision {
    let record = |value: Option<&[u8]>, deadline| Record {
        version: request.version,
        value: value.map(Bytes::from),
        deadline,
    };
    let until = live.as_ref().and_then(|live| live.deadline);
    let unless = Some(Base { version, until });
    let tell = |answer| Decision::Tell(Then { answer, until });
    match (&request.action, live) {
        (Action::Get | Action::Put { .. }, live) => tell(Answer::Value(live)),
        (Action::Delete, live) => {
            let found = Answer::Applied(live.is_some());
            Decision::Write(record(None, None), None, found)
        }
        (Action::Add { .. }, Some(_)) | (Action::Cas { .. } | Action::SetDeadline { .. }, None) => {
            tell(Answer::Applied(false))
        }
        (Action::Add { value, deadline }, None) => Decision::Write(
            record(Some(value), *deadline),
            unless,
            Answer::Applied(true),
        ),
        (
            Action::Cas {
                expected,
                new,
                deadline,
            },
            Some(live),
        ) => {
            if live.value.as_deref() == Some(&**expected) {
                Decision::Write(record(Some(new), *deadline), unless, Answer::Applied(true))
            } else {
                tell(Answer::Applied(false))
            }
        }
        (Action::SetDeadline { deadline }, Some(live)) => {
            let record = record(live.value.as_deref(), *deadline);
            Decision::Write(record, unless, Answer::Applied(true))
        }
        (Action::Incr { delta }, live) => {
            let deadline = live.as_ref().and_then(|live| live.deadline);
            let old = live.as_ref().and_then(|live| live.value.as_deref());
            match cache::sum(old, *delta) {
                Ok(sum) => {
                    let record = record(Some(sum.to_string().as_bytes()), deadline);
                    Decision::Write(record, unless, Answer::Number(sum))
                }
                Err(error) => tell(Answer::Refused(Refusal::Count(error))),
            }
        }
    }
}
