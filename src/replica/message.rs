//! What nodes and clients say to each other.

use std::fmt;
use std::sync::Arc;

use super::lives::Lives;
use crate::cache::{CountError, PutError};
use crate::history::Action;
use crate::id::NodeId;
use crate::time::Instant;

/// A key or a value in a message: copies of a message share it.
pub type Bytes = Arc<[u8]>;

/// The place of a write in the order of all writes of a cluster, from its one logical clock. 0 is
/// before all writes.
pub type Version = u64;

/// The number of a request, different for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// What is known of a key: the latest write to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Which write that was.
    pub version: Version,
    /// What it stored; `None`: it deleted the key, or what it stored has expired.
    pub value: Option<Bytes>,
    /// When the value expires, or expired; `None`: never, or it was deleted. It is absolute, and
    /// copied unchanged.
    pub deadline: Option<Instant>,
}

impl Record {
    /// Whether the key can be read at `now`: strictly before the deadline.
    #[must_use]
    pub fn is_live(&self, now: Instant) -> bool {
        self.value.is_some() && self.deadline.is_none_or(|deadline| now < deadline)
    }
}

/// What a client wants done with a key.
#[derive(Clone, Debug)]
pub struct Request {
    /// What to do.
    pub action: Action,
    /// Whether a get counts as a hit or a miss, and touches the entry.
    pub counts: bool,
    /// The version of the write, if it comes to one. It was taken when the client asked, so
    /// that asking a second coordinator is the same write.
    pub version: Version,
}

/// What a coordinator tells a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The write is acknowledged.
    Done,
    /// What was found, or a miss.
    Value(Option<Record>),
    /// The number that an increment made.
    Number(i64),
    /// Whether a conditional write was done, or a delete found something.
    Applied(bool),
    /// It was not done, and never will be.
    Refused(Refusal),
    /// Nobody knows: it may have been done, or may still be.
    Unknown(Shortfall),
}

/// Why something was certainly not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The owners' stores refused.
    Put(PutError),
    /// The value cannot be counted up.
    Count(CountError),
    /// Too few owners answered, and nothing was changed.
    Quorum(Shortfall),
}

/// Which owners of a key answered, and which did not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shortfall {
    /// How many had to answer.
    pub needed: usize,
    /// Who did, in the order of the owners.
    pub answered: Vec<NodeId>,
    /// Who did not, in the order of the owners.
    pub missing: Vec<NodeId>,
    /// Whether those are the owners that a key had before it began to move.
    pub before: bool,
}

/// What the condition of a write was checked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// The latest write that was known.
    pub version: Version,
    /// When what that wrote expires, if the condition needs it.
    pub until: Option<Instant>,
}

impl Base {
    /// Whether what the condition needs has expired.
    #[must_use]
    pub fn is_over(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

/// What became of a write at one owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The owner has this write, or a later one.
    Applied,
    /// A later write than the one that the condition was checked on is there.
    Conflict,
    /// It was under way for so long that something later may have been forgotten since, or that
    /// the node does not own the key any more.
    TooLate,
    /// The store has no room.
    Refused(PutError),
}

/// A message between a client and a node, or between nodes.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the fields are what their types say")]
pub enum Message {
    /// From a client to the node that is to coordinate.
    Request {
        id: RequestId,
        key: Bytes,
        request: Request,
    },
    /// The coordinator's answer.
    Answer { id: RequestId, answer: Answer },
    /// Store this, unless something later is there. With a `base`: only if nothing later than that
    /// is there.
    Write {
        id: RequestId,
        key: Bytes,
        record: Record,
        base: Option<Base>,
        /// The logical clock before anything was known of what this is based on: what is no later
        /// than a collected tombstone is turned away.
        stamp: Version,
    },
    /// What became of it.
    Written {
        id: RequestId,
        /// Which write.
        version: Version,
        outcome: Written,
        lives: Lives,
    },
    /// What do you know of this key?
    Read {
        id: RequestId,
        key: Bytes,
        touch: bool,
        /// The logical clock when the first owner was asked: a coordinator may have to ask anew.
        round: Version,
    },
    /// This; `None`: nothing at all.
    Found {
        id: RequestId,
        record: Option<Record>,
        /// As it was in the question.
        round: Version,
        /// Up to where the sender may have forgotten what it knew.
        floor: Version,
        lives: Lives,
    },
    /// The node is down, or does not serve yet.
    Unavailable {
        id: RequestId,
        /// As it was in the question, if it was one.
        round: Option<Version>,
    },
    /// Every owner has this write.
    Settled {
        key: Bytes,
        version: Version,
        stamp: Version,
    },
    /// Send me all that I own; or only what you kept for me.
    Sync {
        id: RequestId,
        hints: bool,
        lives: Lives,
    },
    /// Here it is.
    Records {
        id: RequestId,
        records: Vec<(Bytes, Record)>,
        stamp: Version,
        /// How many tombstones the sender had made so far.
        mark: u64,
        /// Up to where the sender turns writes away.
        floor: Version,
        lives: Lives,
    },
    /// I have merged what you sent with that mark.
    Merged { mark: u64, lives: Lives },
}

impl Message {
    /// The kinds of messages.
    pub const KINDS: [&str; 11] = [
        "request",
        "answer",
        "write",
        "written",
        "read",
        "found",
        "unavailable",
        "settled",
        "sync",
        "records",
        "merged",
    ];

    /// The kind of message, in one word.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        Self::KINDS[self.place()]
    }

    /// The place of its kind in [`Message::KINDS`].
    #[must_use]
    pub fn place(&self) -> usize {
        match self {
            Self::Request { .. } => 0,
            Self::Answer { .. } => 1,
            Self::Write { .. } => 2,
            Self::Written { .. } => 3,
            Self::Read { .. } => 4,
            Self::Found { .. } => 5,
            Self::Unavailable { .. } => 6,
            Self::Settled { .. } => 7,
            Self::Sync { .. } => 8,
            Self::Records { .. } => 9,
            Self::Merged { .. } => 10,
        }
    }

    /// What a node that is down answers, so that the sender need not wait.
    #[must_use]
    pub fn unavailable(&self) -> Option<Self> {
        let (id, round) = match self {
            Self::Request { id, .. } | Self::Write { id, .. } | Self::Sync { id, .. } => {
                (*id, None)
            }
            Self::Read { id, round, .. } => (*id, Some(*round)),
            _ => return None,
        };
        Some(Self::Unavailable { id, round })
    }
}

/// One line for people: `write apple v3`.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = |key: &Bytes| String::from_utf8_lossy(key).escape_debug().to_string();
        match self {
            Self::Request {
                key: it, request, ..
            } => {
                write!(f, "{} {}", request.action.name(), key(it))
            }
            Self::Answer { answer, .. } => write!(f, "answer: {answer}"),
            Self::Write {
                key: it, record, ..
            } if record.value.is_none() => {
                write!(f, "write {} v{}: deleted", key(it), record.version)
            }
            Self::Write {
                key: it, record, ..
            } => write!(f, "write {} v{}", key(it), record.version),
            Self::Written { outcome, .. } => match outcome {
                Written::Applied => f.write_str("written"),
                Written::Conflict => f.write_str("not written: a later write is there"),
                Written::TooLate => f.write_str("not written: too late"),
                Written::Refused(error) => write!(f, "not written: {error}"),
            },
            Self::Read { key: it, .. } => write!(f, "read {}", key(it)),
            Self::Found { record: None, .. } => f.write_str("found nothing"),
            Self::Found {
                record: Some(record),
                ..
            } => {
                let what = if record.value.is_some() { "" } else { ": gone" };
                write!(f, "found v{}{what}", record.version)
            }
            Self::Unavailable { .. } => f.write_str("unavailable"),
            Self::Settled {
                key: it, version, ..
            } => write!(f, "settled {} v{version}", key(it)),
            Self::Sync { hints: true, .. } => f.write_str("sync: hints"),
            Self::Sync { .. } => f.write_str("sync"),
            Self::Records { records, .. } if records.len() == 1 => f.write_str("1 record"),
            Self::Records { records, .. } => write!(f, "{} records", records.len()),
            Self::Merged { .. } => f.write_str("merged"),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Value(None) => f.write_str("a miss"),
            Self::Value(Some(record)) => write!(f, "v{}", record.version),
            Self::Number(number) => number.fmt(f),
            Self::Applied(applied) => f.write_str(if *applied { "applied" } else { "not applied" }),
            Self::Refused(refusal) => write!(f, "refused: {refusal}"),
            Self::Unknown(shortfall) => write!(f, "unknown: {shortfall}"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(error) => error.fmt(f),
            Self::Count(error) => error.fmt(f),
            Self::Quorum(shortfall) => shortfall.fmt(f),
        }
    }
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            needed,
            answered,
            missing,
            ..
        } = self;
        write!(f, "{} of {needed} owners needed answered", answered.len())?;
        if !answered.is_empty() {
            write!(f, " ({})", List(answered))?;
        }
        if !missing.is_empty() {
            write!(f, "; {} did not", List(missing))?;
        }
        Ok(())
    }
}

/// `servers 0, 1`.
struct List<'a>(&'a [NodeId]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.len() == 1 {
            "server"
        } else {
            "servers"
        })?;
        for (at, node) in self.0.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            write!(f, "{comma} {node}")?;
        }
        Ok(())
    }
}
