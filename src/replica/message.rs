//! The messages between clients and nodes, and between nodes.

use std::fmt;

use super::crash_vector::CrashVector;
use crate::network::Payload;
use crate::operation::{Bytes, Operation, Outcome, PutError};
use crate::time::Instant;

/// The place of a write in the order of all writes of a cluster, from its one logical clock. 0 is
/// before all writes; 1 is the version of every entry that was written before versions were kept.
pub type Version = u64;

/// The number of a request, different for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// The latest write to a key that a node knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Which write that is.
    pub version: Version,
    /// The value that it stored; `None`: it deleted the key, or the value has expired.
    pub value: Option<Bytes>,
    /// When the value expires, or expired; `None`: never, or the key was deleted. It is absolute,
    /// and copied unchanged.
    pub deadline: Option<Instant>,
}

impl Record {
    /// Whether the key can be read at `now`: strictly before the deadline.
    #[must_use]
    pub fn is_live(&self, now: Instant) -> bool {
        self.value.is_some() && self.deadline.is_none_or(|deadline| now < deadline)
    }
}

/// An operation of a client, as a coordinator gets it.
#[derive(Clone, Debug)]
pub struct Request {
    /// What to do.
    pub operation: Operation<Bytes>,
    /// Whether a get counts as a hit or a miss, and as an access.
    pub counts: bool,
    /// The version of the write, if there is one. It is assigned when the client submits the
    /// request, so that asking a second coordinator repeats the same write.
    pub version: Version,
}

/// The state that the condition of a write was checked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// The latest write that was known.
    pub version: Version,
    /// When the value of that write expires, if it had one.
    pub until: Option<Instant>,
}

impl Base {
    /// Whether the value that the condition was checked on has expired.
    #[must_use]
    pub fn is_over(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

/// What an owner did with a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The owner has this write, or a later one.
    Applied,
    /// The owner knows a later write than the one that the condition was checked on.
    Conflict,
    /// The message was under way for so long that the owner may have forgotten a later write, or
    /// does not own the key any more.
    TooLate,
    /// The store has no room. The owner keeps what it had.
    Refused(PutError),
}

/// A message between a client and a node, or between nodes.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the fields are what their types say")]
pub enum Message {
    /// From a client to the node that coordinates.
    Request {
        id: RequestId,
        key: Bytes,
        request: Request,
    },
    /// From the coordinator to the client.
    Answer { id: RequestId, outcome: Outcome },
    /// Store this, unless a later write is there. With a `base`: only if no later write than that
    /// is there.
    Write {
        id: RequestId,
        key: Bytes,
        record: Record,
        base: Option<Base>,
        /// The logical clock before anything was known of the state that the write is based on.
        based_on: Version,
    },
    /// What the owner did with it.
    Written {
        id: RequestId,
        /// The version of the write.
        version: Version,
        outcome: Written,
        crashes: CrashVector,
    },
    /// Send the latest write to this key.
    Read {
        id: RequestId,
        key: Bytes,
        touch: bool,
        /// The logical clock when the first owner was asked: a coordinator may have to ask again.
        round: Version,
    },
    /// The latest write; `None`: the owner knows none.
    Found {
        id: RequestId,
        record: Option<Record>,
        /// The clock value from the request.
        round: Version,
        /// Up to which logical clock the owner may have forgotten tombstones.
        forgotten: Version,
        crashes: CrashVector,
    },
    /// The node is down, or does not serve yet.
    Unavailable {
        id: RequestId,
        /// The clock value from the request, if it was a read.
        round: Option<Version>,
    },
    /// Every owner has this write.
    Settled {
        key: Bytes,
        version: Version,
        clock: Version,
    },
    /// Others have this write, for which the receiver has no room: an older one is out of date.
    Superseded { key: Bytes, version: Version },
    /// Send all records of keys that I own; or only the hints that you kept for me.
    Sync {
        id: RequestId,
        hints: bool,
        crashes: CrashVector,
    },
    /// These records.
    Records {
        id: RequestId,
        records: Vec<(Bytes, Record)>,
        based_on: Version,
        /// How many tombstones the sender had made so far.
        mark: u64,
        /// Up to which logical clock the sender rejects writes.
        forgotten: Version,
        crashes: CrashVector,
    },
    /// The records with this mark are merged.
    Merged { mark: u64, crashes: CrashVector },
}

/// Bytes that a message takes besides keys and values.
const ENVELOPE: usize = 96;

impl Message {
    /// The kinds of messages.
    pub const KINDS: [&str; 12] = [
        "request",
        "answer",
        "write",
        "written",
        "read",
        "found",
        "unavailable",
        "settled",
        "superseded",
        "sync",
        "records",
        "merged",
    ];

    /// The kind of message, in one word.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        Self::KINDS[self.index()]
    }

    /// The index of its kind in [`Message::KINDS`].
    #[must_use]
    pub fn index(&self) -> usize {
        match self {
            Self::Request { .. } => 0,
            Self::Answer { .. } => 1,
            Self::Write { .. } => 2,
            Self::Written { .. } => 3,
            Self::Read { .. } => 4,
            Self::Found { .. } => 5,
            Self::Unavailable { .. } => 6,
            Self::Settled { .. } => 7,
            Self::Superseded { .. } => 8,
            Self::Sync { .. } => 9,
            Self::Records { .. } => 10,
            Self::Merged { .. } => 11,
        }
    }

    /// The answer of a node that is down, so that the sender need not wait.
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

impl Payload for Message {
    /// About how many bytes the message takes in a queue: keys and values, and a fixed part.
    fn bytes(&self) -> usize {
        let value = |value: &Option<Bytes>| value.as_ref().map_or(0, |value| value.len());
        ENVELOPE
            + match self {
                Self::Request { key, request, .. } => {
                    let mut values = 0;
                    let operation = request.operation.borrowed();
                    let _ = operation.map(|value| values += value.len());
                    key.len() + values
                }
                Self::Write { key, record, .. } => key.len() + value(&record.value),
                Self::Found { record, .. } => record.as_ref().map_or(0, |it| value(&it.value)),
                Self::Answer {
                    outcome: Outcome::Value(Some(found)),
                    ..
                } => found.value.len(),
                Self::Read { key, .. }
                | Self::Settled { key, .. }
                | Self::Superseded { key, .. } => key.len(),
                Self::Records { records, .. } => {
                    let sizes = records.iter();
                    sizes
                        .map(|(key, it)| ENVELOPE + key.len() + value(&it.value))
                        .sum()
                }
                _ => 0,
            }
    }
}

impl Message {
    /// One line for people: `write apple v3`. `name` renders a key.
    pub fn describe(&self, name: impl Fn(&[u8]) -> String) -> String {
        match self {
            Self::Request { key, request, .. } => {
                format!("{} {}", request.operation.name(), name(key))
            }
            Self::Answer { outcome, .. } => format!("answer: {}", Answer(outcome)),
            Self::Write { key, record, .. } => {
                let deleted = if record.value.is_some() {
                    ""
                } else {
                    ": deleted"
                };
                format!("write {} v{}{deleted}", name(key), record.version)
            }
            Self::Written { outcome, .. } => match outcome {
                Written::Applied => "written".into(),
                Written::Conflict => "not written: a later write is there".into(),
                Written::TooLate => "not written: too late".into(),
                Written::Refused(error) => format!("not written: {error}"),
            },
            Self::Read { key, .. } => format!("read {}", name(key)),
            Self::Found { record: None, .. } => "found nothing".into(),
            Self::Found {
                record: Some(record),
                ..
            } => {
                let what = if record.value.is_some() { "" } else { ": gone" };
                format!("found v{}{what}", record.version)
            }
            Self::Unavailable { .. } => "unavailable".into(),
            Self::Settled { key, version, .. } => format!("settled {} v{version}", name(key)),
            Self::Superseded { key, version } => format!("superseded {} v{version}", name(key)),
            Self::Sync { hints: true, .. } => "sync: hints".into(),
            Self::Sync { .. } => "sync".into(),
            Self::Records { records, .. } if records.len() == 1 => "1 record".into(),
            Self::Records { records, .. } => format!("{} records", records.len()),
            Self::Merged { .. } => "merged".into(),
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |key: &[u8]| String::from_utf8_lossy(key).escape_debug().to_string();
        f.write_str(&self.describe(name))
    }
}

/// An outcome, for people.
struct Answer<'a>(&'a Outcome);

impl fmt::Display for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Outcome::Done => f.write_str("done"),
            Outcome::Value(None) => f.write_str("a miss"),
            Outcome::Value(Some(found)) => write!(f, "v{}", found.version),
            Outcome::Number(number) => number.fmt(f),
            Outcome::Applied(true) => f.write_str("applied"),
            Outcome::Applied(false) => f.write_str("not applied"),
            Outcome::Refused(refusal) => write!(f, "refused: {refusal}"),
            Outcome::Unknown(shortfall) => write!(f, "unknown: {shortfall}"),
        }
    }
}
