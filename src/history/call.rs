//! One call of one client, and what the client learned of it.

use std::sync::Arc;
use std::time::Duration;

use super::content::Content;
use crate::operation::Operation;
use crate::time::Instant;

/// The number of a call: 0 for the first that was invoked, and so on without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId(pub u64);

/// The answer to a call. `V` is how values are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<V> {
    /// No certain answer, as after a timeout: the call may have taken effect, may yet take effect
    /// at any later time, or never.
    Unknown,
    /// It was not done, and it never will be.
    Refused,
    /// It was done.
    Done,
    /// The value that a get found (`None`: a miss) or that an increment made.
    Value(Option<V>),
    /// Whether an add, a compare-and-set or a change of deadline took effect, or a delete found
    /// something.
    Applied(bool),
}

impl<'a> Outcome<&'a [u8]> {
    /// A hit with these bytes.
    #[must_use]
    pub const fn value(value: &'a [u8]) -> Self {
        Self::Value(Some(value))
    }
}

impl<V> Outcome<V> {
    /// The same outcome with its value held in another way.
    #[must_use]
    pub fn map<U>(self, hold: impl FnOnce(V) -> U) -> Outcome<U> {
        match self {
            Self::Unknown => Outcome::Unknown,
            Self::Refused => Outcome::Refused,
            Self::Done => Outcome::Done,
            Self::Value(value) => Outcome::Value(value.map(hold)),
            Self::Applied(applied) => Outcome::Applied(applied),
        }
    }
}

impl<V: AsRef<[u8]>> Outcome<V> {
    /// The same outcome with a borrowed value.
    #[must_use]
    pub fn borrowed(&self) -> Outcome<&[u8]> {
        match self {
            Self::Unknown => Outcome::Unknown,
            Self::Refused => Outcome::Refused,
            Self::Done => Outcome::Done,
            Self::Value(value) => Outcome::Value(value.as_ref().map(AsRef::as_ref)),
            Self::Applied(applied) => Outcome::Applied(*applied),
        }
    }
}

/// One operation that one client invoked on one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its number.
    pub id: OpId,
    /// The number of the client.
    pub client: u32,
    /// The key. Calls on one key share the bytes.
    pub key: Arc<[u8]>,
    /// The command that the client sent, in lower case, where the operation is only a part of it or
    /// has another name. It is for people: nothing is judged by it.
    pub name: Option<&'static str>,
    /// What the client asked for.
    pub operation: Operation<Content>,
    /// When it was invoked. The operation took effect no earlier.
    pub invoked: Instant,
    /// When the client got the outcome; `None` while the call is pending. Unless the outcome is
    /// [`Outcome::Unknown`], the operation took effect no later.
    pub returned: Option<Instant>,
    /// The outcome; `None` while the call is pending.
    pub outcome: Option<Outcome<Content>>,
    /// Its place in the order of recording.
    pub span: Span,
    /// The number of its key in the history. Calls on one key have the same.
    pub(crate) key_number: u32,
    /// By how many microseconds its instants may be wrong on the clock that expires its key.
    pub(crate) clock_error: u32,
    /// Whether it is not certain what it found and whether it took effect, as that may depend on
    /// what is forgotten. It took effect no later than it returned.
    pub(crate) is_blurred: bool,
}

/// The numbers of the two events that recorded a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The number of its invocation.
    pub begin: u64,
    /// The number of its completion, larger than `begin`; `None` while it is pending.
    pub end: Option<u64>,
}

impl Call {
    /// Whether it may still take effect: it is pending, or its outcome is unknown.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.outcome, None | Some(Outcome::Unknown))
    }

    /// The earliest instant at which it can have taken effect, on the clock that expires its key.
    #[must_use]
    pub fn earliest(&self) -> Instant {
        self.invoked.saturating_sub(self.error())
    }

    /// The latest such instant; `None`: it may come yet.
    #[must_use]
    pub fn latest(&self) -> Option<Instant> {
        let returned = self.returned.filter(|_| !self.is_open())?;
        Some(returned.saturating_add(self.error()))
    }

    fn error(&self) -> Duration {
        Duration::from_micros(self.clock_error.into())
    }
}
