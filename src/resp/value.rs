//! The results of commands.

use std::borrow::Cow;

use super::{Frames, Protocol};
use crate::operation::{Bytes, CountError, Outcome, PutError, Refusal};

/// The reply of a command that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `OK`.
    Ok,
    /// A simple string.
    Simple(&'static str),
    /// A simple string that is made; it holds no line end.
    Line(String),
    /// A whole number.
    Integer(i64),
    /// A string of bytes.
    Bulk(Bytes),
    /// Text for people.
    Text(String),
    /// No value.
    Null,
    /// No array.
    NullArray,
    /// Yes or no, 1 or 0 in RESP2.
    Boolean(bool),
    /// Values in order.
    Array(Vec<Value>),
    /// Pairs in order: an array of pairs, or of all their values in RESP2.
    Pairs(Vec<(Value, Value)>),
    /// Different values.
    Set(Vec<Value>),
    /// Pairs of a key and a value.
    Map(Vec<(Value, Value)>),
    /// An error inside of an array.
    Error(String),
    /// A frame that is written already; empty: no reply.
    Raw(Vec<u8>),
    /// The reply comes later.
    Later,
}

impl Value {
    /// A string of these bytes.
    #[must_use]
    pub fn bulk(bytes: impl AsRef<[u8]>) -> Self {
        Self::Bulk(bytes.as_ref().into())
    }

    /// A number of things.
    #[must_use]
    pub fn count(count: usize) -> Self {
        Self::Integer(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// Writes it.
    pub fn write(&self, frames: &mut Frames<'_>) {
        match self {
            Self::Ok => frames.ok(),
            Self::Simple(text) => frames.simple(text),
            Self::Line(text) => frames.simple(text),
            Self::Integer(number) => frames.integer(*number),
            Self::Bulk(bytes) => frames.bulk(bytes),
            Self::Text(text) => frames.text(text),
            Self::Null => frames.null(),
            Self::NullArray => frames.null_array(),
            Self::Boolean(yes) => frames.boolean(*yes),
            Self::Error(text) => frames.error(text),
            Self::Raw(frame) => frames.raw(frame),
            Self::Later => {}
            Self::Array(values) => {
                frames.array(values.len());
                for value in values {
                    value.write(frames);
                }
            }
            Self::Pairs(pairs) => {
                let is_nested = frames.protocol() == Protocol::Resp3;
                frames.array(pairs.len() * if is_nested { 1 } else { 2 });
                for (one, other) in pairs {
                    if is_nested {
                        frames.array(2);
                    }
                    one.write(frames);
                    other.write(frames);
                }
            }
            Self::Set(values) => {
                frames.set(values.len());
                for value in values {
                    value.write(frames);
                }
            }
            Self::Map(pairs) => {
                frames.map(pairs.len());
                for (key, value) in pairs {
                    key.write(frames);
                    value.write(frames);
                }
            }
        }
    }

    /// Its frame.
    #[must_use]
    pub fn to_frame(&self, protocol: Protocol) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut Frames::new(&mut out, protocol));
        out
    }
}

impl From<Option<Bytes>> for Value {
    fn from(bytes: Option<Bytes>) -> Self {
        bytes.map_or(Self::Null, Self::Bulk)
    }
}

/// Why a command has no reply of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// An error, as the client reads it: a word in capitals and a sentence.
    Error(Cow<'static, str>),
    /// It is not known whether the command was carried out. The client gets no reply.
    Unknown,
}

impl Failure {
    /// An argument is no whole number.
    pub const NOT_AN_INTEGER: Self = Self::text("ERR value is not an integer or out of range");
    /// An argument or a value is no number.
    pub const NOT_A_FLOAT: Self = Self::text("ERR value is not a valid float");
    /// The arguments do not follow the syntax.
    pub const SYNTAX: Self = Self::text("ERR syntax error");
    /// The key holds a value of another type.
    pub const WRONG_TYPE: Self =
        Self::text("WRONGTYPE Operation against a key holding the wrong kind of value");

    /// An error with this text.
    #[must_use]
    pub const fn text(text: &'static str) -> Self {
        Self::Error(Cow::Borrowed(text))
    }

    /// An error with a text that is made.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self::Error(Cow::Owned(text.into()))
    }

    /// The failure that an outcome is; `None` if the operation was carried out, or was not by its own
    /// condition.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Option<Self> {
        match outcome {
            Outcome::Refused(refusal) => Some(Self::refused(refusal)),
            Outcome::Unknown(_) => Some(Self::Unknown),
            _ => None,
        }
    }

    fn refused(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Count(CountError::NotANumber) => Self::NOT_AN_INTEGER,
            Refusal::Count(CountError::Overflow) => {
                Self::text("ERR increment or decrement would overflow")
            }
            Refusal::Put(
                PutError::Full
                | PutError::NodeFull
                | PutError::NoCapacity
                | PutError::NeverFits { .. },
            ) => Self::text("OOM command not allowed when used memory > 'maxmemory'."),
            Refusal::Put(error) => Self::new(format!("ERR {error}")),
            Refusal::Quorum(short) if short.answered.is_empty() => {
                Self::text("CLUSTERDOWN The cluster is down")
            }
            Refusal::Quorum(_) => Self::text("NOREPLICAS Not enough good replicas to write."),
        }
    }
}
