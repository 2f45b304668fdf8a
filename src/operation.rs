//! What a client asks of one key, and what it is told.

use crate::time::Instant;

/// An operation on one key.
///
/// `V` is how values are held: borrowed while a request is submitted, shared while it is in
/// flight, and cut down to what a judge needs in a history. Deadlines are absolute: at its
/// deadline a key is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation<V> {
    /// Read the value.
    Get,
    /// Store the value, whatever was there.
    Put {
        /// The value.
        value: V,
        /// When it expires; `None`: never.
        deadline: Option<Instant>,
    },
    /// Remove the key.
    Delete,
    /// Store the value only if the key is absent.
    Add {
        /// The value.
        value: V,
        /// When it expires; `None`: never.
        deadline: Option<Instant>,
    },
    /// Store the new value only if the key has the expected one.
    Cas {
        /// The value that must be there.
        expected: V,
        /// The value that takes its place.
        new: V,
        /// When the new value expires; `None`: never.
        deadline: Option<Instant>,
    },
    /// Change the deadline only if the key is there (EXPIRE, and PERSIST with `None`).
    SetDeadline {
        /// When the value expires from now on; `None`: never.
        deadline: Option<Instant>,
    },
    /// Add to the number that is there, whose deadline stays; an absent key counts as 0 without
    /// a deadline.
    Incr {
        /// What is added.
        delta: i64,
    },
}

impl<V> Operation<V> {
    /// The command that asks for it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Put { .. } => "PUT",
            Self::Delete => "DEL",
            Self::Get => "GET",
            Self::Add { .. } => "ADD",
            Self::Cas { .. } => "CAS",
            Self::SetDeadline { deadline: None } => "PERSIST",
            Self::SetDeadline { .. } => "EXPIRE",
            Self::Incr { .. } => "INCR",
        }
    }

    /// Whether it only reads.
    #[must_use]
    pub fn is_read(&self) -> bool {
        matches!(self, Self::Get)
    }

    /// Whether what it does depends on what is stored: a read-modify-write.
    #[must_use]
    pub fn is_conditional(&self) -> bool {
        !matches!(self, Self::Get | Self::Put { .. } | Self::Delete)
    }

    /// The same operation with its values held in another way.
    #[must_use]
    pub fn map<U>(self, mut hold: impl FnMut(V) -> U) -> Operation<U> {
        match self {
            Self::Get => Operation::Get,
            Self::Delete => Operation::Delete,
            Self::Put { value, deadline } => Operation::Put {
                value: hold(value),
                deadline,
            },
            Self::Add { value, deadline } => Operation::Add {
                value: hold(value),
                deadline,
            },
            Self::Cas {
                expected,
                new,
                deadline,
            } => Operation::Cas {
                expected: hold(expected),
                new: hold(new),
                deadline,
            },
            Self::SetDeadline { deadline } => Operation::SetDeadline { deadline },
            Self::Incr { delta } => Operation::Incr { delta },
        }
    }
}

impl<V: AsRef<[u8]>> Operation<V> {
    /// The same operation with borrowed values.
    #[must_use]
    pub fn borrowed(&self) -> Operation<&[u8]> {
        match self {
            Self::Get => Operation::Get,
            Self::Delete => Operation::Delete,
            Self::Put { value, deadline } => Operation::Put {
                value: value.as_ref(),
                deadline: *deadline,
            },
            Self::Add { value, deadline } => Operation::Add {
                value: value.as_ref(),
                deadline: *deadline,
            },
            Self::Cas {
                expected,
                new,
                deadline,
            } => Operation::Cas {
                expected: expected.as_ref(),
                new: new.as_ref(),
                deadline: *deadline,
            },
            Self::SetDeadline { deadline } => Operation::SetDeadline {
                deadline: *deadline,
            },
            Self::Incr { delta } => Operation::Incr { delta: *delta },
        }
    }
}
