//! Why a run failed.

use std::fmt;

use super::step;
use crate::checker::{Promise, Violation};
use crate::cluster::Disorder;
use crate::history::{Call, Outcome};

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Clients got answers that the promise excludes.
    Broken {
        /// The promise.
        promise: Promise,
        /// The key.
        key: Vec<u8>,
        /// What breaks it.
        violation: Violation,
        /// The operations of the violation's excerpt.
        excerpt: Vec<Call>,
    },
    /// When everything was repaired, a read did not find what the last acknowledged write left.
    Lost {
        /// The last write to the key.
        write: Box<Call>,
        /// The read.
        read: Box<Call>,
    },
    /// A client got another answer than in the same run without read-only commands.
    Looks {
        /// The operation with its answer.
        with: Box<Call>,
        /// The same operation in the run without them.
        without: Option<Box<Call>>,
    },
    /// The nodes do not agree, or their counts are wrong.
    Disorder(Vec<Disorder>),
    /// The cluster did not come to rest.
    Restless(Vec<Disorder>),
}

impl Failure {
    /// The kind of failure in a word or two: the same for runs that fail in the same way.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Broken { violation, .. } => match violation.promise {
                Promise::Nothing | Promise::NoInventedValue => "invented value",
                Promise::NoExpiredRead => "expired read",
                Promise::NoStaleRead => "stale read",
                Promise::MayLose => "no order",
                Promise::Linearizable => "lost value",
            },
            Self::Lost { .. } => "wrong contents",
            Self::Looks { .. } => "looks change answers",
            Self::Disorder(found) => found.first().map_or("disorder", Disorder::kind),
            Self::Restless(_) => "no rest",
        }
    }

    /// The command that shows it at the end of a script. For what clients cannot see it shows the
    /// state of the nodes, and succeeds.
    #[must_use]
    pub fn check(&self) -> String {
        match self {
            Self::Broken { promise, .. } => format!("CHECK {}", quoted(*promise)),
            Self::Lost { .. } => format!("CHECK {}", Promise::Linearizable),
            Self::Looks { .. } | Self::Disorder(_) | Self::Restless(_) => "CHECK".into(),
        }
    }
}

fn quoted(promise: Promise) -> String {
    match promise.to_string() {
        word if word.contains(' ') => format!("\"{word}\""),
        word => word,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken {
                promise,
                key,
                violation,
                excerpt,
            } => {
                let key = String::from_utf8_lossy(key);
                write!(f, "{violation}: {key} (promised: {promise})")?;
                let mut lines = excerpt.iter();
                lines.try_for_each(|it| write!(f, "\n  {}", Shown(it)))
            }
            Self::Lost { write, read } => write!(
                f,
                "a value was lost, or an old one is there\n  {}\n  {}",
                Shown(write),
                Shown(read)
            ),
            Self::Looks { with, without } => {
                write!(f, "read-only commands change an answer\n  {}", Shown(with))?;
                match without {
                    Some(call) => write!(f, "\n  without them: {}", Shown(call)),
                    None => f.write_str("\n  without them there is no such operation"),
                }
            }
            Self::Disorder(found) | Self::Restless(found) => {
                let mut lines = found.iter().map(Disorder::to_string);
                f.write_str(&lines.next().unwrap_or_default())?;
                lines.try_for_each(|line| write!(f, "\n  {line}"))
            }
        }
    }
}

/// An operation for people: `client 1: 120ms..140ms GET k0 = 17`.
struct Shown<'a>(&'a Call);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = self.0;
        let invoked = call.invoked;
        write!(f, "client {}: {}ms..", call.client, invoked.as_millis())?;
        if let Some(returned) = call.returned {
            write!(f, "{}ms", returned.as_millis())?;
        }
        let operation = call.operation.clone().map(|it| it.to_string());
        let key = String::from_utf8_lossy(&call.key);
        write!(f, " {} = ", step::command(&key, &operation, invoked))?;
        f.write_str(&match &call.outcome {
            None => "no answer yet".into(),
            Some(Outcome::Unknown) => "unknown".into(),
            Some(Outcome::Refused) => "refused".into(),
            Some(Outcome::Done | Outcome::Applied(true)) => "done".into(),
            Some(Outcome::Applied(false)) => "not done".to_owned(),
            Some(Outcome::Value(None)) => "nothing".into(),
            Some(Outcome::Value(Some(value))) => value.to_string(),
        })
    }
}
