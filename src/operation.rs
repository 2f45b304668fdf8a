//! What a client asks of one key, and what comes of it.

use std::fmt;
use std::sync::Arc;

use crate::id::NodeId;
use crate::time::Instant;

/// A key or a value that several owners share: a copy costs a counter.
pub type Bytes = Arc<[u8]>;

/// An operation on one key.
///
/// `V` is how values are held: borrowed while a request is submitted, shared while it is in
/// flight, and cut down to what a judge needs in a history. Deadlines are absolute: at its
/// deadline a key is gone.
///
/// ```
/// use shardlab::cluster::Request;
/// use shardlab::operation::{Operation, Outcome};
/// use shardlab::time::Instant;
/// use shardlab::{Cluster, Config};
///
/// let mut cluster = Cluster::new(Config::new())?;
/// let mut outcome = |operation| {
///     let ticket = cluster.submit(Instant::START, Request::new(b"visits", operation));
///     ticket.map(|ticket| cluster.take(ticket).expect("nothing is disturbed").outcome)
/// };
/// assert_eq!(outcome(Operation::Incr { delta: 2 })?, Outcome::Number(2));
/// assert_eq!(outcome(Operation::add(b"1", None))?, Outcome::Applied(false));
/// assert_eq!(outcome(Operation::cas(b"2", b"5", None))?, Outcome::Applied(true));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    /// Store or remove the value only if the key has exactly the expected value and deadline: the
    /// second half of a read-modify-write.
    Swap {
        /// The value that must be there.
        expected: V,
        /// The deadline that it must have.
        until: Option<Instant>,
        /// The value that takes its place; `None`: the key is removed.
        new: Option<V>,
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
        /// The increment.
        delta: i64,
    },
}

impl<V> Operation<V> {
    /// The command that asks for it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Put { .. } => "PUT",
            Self::Delete | Self::Swap { new: None, .. } => "DEL",
            Self::Get => "GET",
            Self::Add { .. } => "ADD",
            Self::Cas { .. } | Self::Swap { new: Some(_), .. } => "CAS",
            Self::SetDeadline { deadline: None } => "PERSIST",
            Self::SetDeadline { .. } => "EXPIRE",
            Self::Incr { .. } => "INCR",
        }
    }

    /// The deadline that it sets, if it sets one.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Put { deadline, .. }
            | Self::Add { deadline, .. }
            | Self::Cas { deadline, .. }
            | Self::Swap { deadline, .. }
            | Self::SetDeadline { deadline } => *deadline,
            Self::Get | Self::Delete | Self::Incr { .. } => None,
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
            Self::Swap {
                expected,
                until,
                new,
                deadline,
            } => Operation::Swap {
                expected: hold(expected),
                until,
                new: new.map(hold),
                deadline,
            },
            Self::SetDeadline { deadline } => Operation::SetDeadline { deadline },
            Self::Incr { delta } => Operation::Incr { delta },
        }
    }
}

impl<'a, V: From<&'a [u8]>> Operation<V> {
    /// A put of these bytes.
    #[must_use]
    pub fn put(value: &'a [u8], deadline: Option<Instant>) -> Self {
        let value = value.into();
        Self::Put { value, deadline }
    }

    /// An add of these bytes.
    #[must_use]
    pub fn add(value: &'a [u8], deadline: Option<Instant>) -> Self {
        let value = value.into();
        Self::Add { value, deadline }
    }

    /// A compare-and-set of these bytes.
    #[must_use]
    pub fn cas(expected: &'a [u8], new: &'a [u8], deadline: Option<Instant>) -> Self {
        Self::Cas {
            expected: expected.into(),
            new: new.into(),
            deadline,
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
            Self::Swap {
                expected,
                until,
                new,
                deadline,
            } => Operation::Swap {
                expected: expected.as_ref(),
                until: *until,
                new: new.as_ref().map(AsRef::as_ref),
                deadline: *deadline,
            },
            Self::SetDeadline { deadline } => Operation::SetDeadline {
                deadline: *deadline,
            },
            Self::Incr { delta } => Operation::Incr { delta: *delta },
        }
    }
}

/// The outcome of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The write is acknowledged.
    Done,
    /// The value of the key, or a miss.
    Value(Option<Found>),
    /// The number that an increment made.
    Number(i64),
    /// Whether a conditional write was done, or a delete found something.
    Applied(bool),
    /// It was not done, and never will be.
    Refused(Refusal),
    /// It is not known whether it was done, or may still be.
    Unknown(Box<Shortfall>),
}

impl Outcome {
    /// Whether the operation was carried out, for certain.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        !matches!(self, Self::Refused(_) | Self::Unknown(_))
    }

    /// Whether it failed because nodes did not answer in time.
    #[must_use]
    pub fn has_timed_out(&self) -> bool {
        match self {
            Self::Refused(Refusal::Quorum(short)) | Self::Unknown(short) => {
                !short.silent.is_empty()
            }
            _ => false,
        }
    }
}

/// A value that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The value.
    pub value: Bytes,
    /// When it expires; `None`: never.
    pub deadline: Option<Instant>,
    /// The version of the write that stored it.
    pub version: u64,
}

/// Why an operation was certainly not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The entry has no place in a store.
    #[error(transparent)]
    Put(#[from] PutError),
    /// The value is no number that could be counted up.
    #[error(transparent)]
    Count(#[from] CountError),
    /// Too few owners answered, and nothing was changed.
    #[error("{0}")]
    Quorum(Box<Shortfall>),
}

/// Why an entry was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PutError {
    /// The key is longer than the bound in the config.
    #[error("the key is {len} bytes long; at most {max} are allowed")]
    KeyTooLong {
        /// Bytes of the key.
        len: usize,
        /// The bound.
        max: usize,
    },
    /// The value is longer than the bound in the config.
    #[error("the value is {len} bytes long; at most {max} are allowed")]
    ValueTooLong {
        /// Bytes of the value.
        len: usize,
        /// The bound.
        max: usize,
    },
    /// The node's capacity is 0 entries.
    #[error("the capacity is 0 entries: nothing can be stored")]
    NoCapacity,
    /// The entry alone is larger than the node's capacity.
    #[error("the entry takes {cost} bytes, more than the capacity of a node, {max}")]
    NeverFits {
        /// What the entry would take, in bytes.
        cost: usize,
        /// The bound.
        max: u64,
    },
    /// The node is at its capacity, and its policy evicts nothing.
    #[error("the node is full and evicts nothing: remove something, or see EVICTION and CAPACITY")]
    Full,
    /// The node's store is at the end of its address space: 16 GiB, or 2^32 - 1024 entries.
    #[error("the node is full: a store holds at most 16 GiB")]
    NodeFull,
}

/// Why a value cannot be counted up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CountError {
    /// The stored value is no whole number in the range of an `i64`.
    #[error("the value is not a whole number between -2^63 and 2^63-1")]
    NotANumber,
    /// The sum is out of the range of an `i64`.
    #[error("the sum is out of range: it must lie between -2^63 and 2^63-1")]
    Overflow,
}

/// A stored value as the number it spells, as strictly as `i64` prints it; `None` if it spells none.
#[must_use]
pub fn number(value: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(value).ok()?.parse().ok()?;
    (number.to_string().as_bytes() == value).then_some(number)
}

/// The sum of a stored number and `delta`; an absent number counts as 0.
///
/// # Errors
/// [`CountError`].
pub fn sum(old: Option<&[u8]>, delta: i64) -> Result<i64, CountError> {
    let old = old.map_or(Ok(0), |value| number(value).ok_or(CountError::NotANumber))?;
    old.checked_add(delta).ok_or(CountError::Overflow)
}

/// Which nodes answered a request, and why the others did not. Each list is in the order of the
/// owners.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shortfall {
    /// How many nodes had to do what was asked.
    pub needed: usize,
    /// The nodes that did it.
    pub answered: Vec<NodeId>,
    /// The nodes that were asked and have not answered in time.
    pub silent: Vec<NodeId>,
    /// The nodes that were asked and are down, or do not serve.
    pub down: Vec<NodeId>,
    /// The nodes that refused, and why.
    pub refused: Vec<(NodeId, PutError)>,
    /// The nodes that turned the write away, since a later one is there or may have been.
    pub outdated: Vec<NodeId>,
    /// Which nodes these are.
    pub group: Group,
}

/// Which nodes were asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Group {
    /// The owners of the key.
    #[default]
    Owners,
    /// The owners that the key had before it began to move.
    OwnersBefore,
    /// The nodes that the client asked to coordinate.
    Coordinators,
}

impl Shortfall {
    /// The nodes that were asked and did not do it, for whatever reason.
    #[must_use]
    pub fn missing(&self) -> Vec<NodeId> {
        let refused = self.refused.iter().map(|(node, _)| *node);
        let others = self.silent.iter().chain(&self.down).chain(&self.outdated);
        others.copied().chain(refused).collect()
    }
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            needed, answered, ..
        } = self;
        write!(
            f,
            "{} of the {needed} required owners answered",
            answered.len()
        )?;
        if !answered.is_empty() {
            write!(f, " ({})", node_list(answered))?;
        }
        let missing = self.missing();
        if !missing.is_empty() {
            write!(f, "; {} did not", node_list(&missing))?;
        }
        Ok(())
    }
}

/// `nodes 0, 1`, by ascending number.
#[must_use]
pub fn node_list(nodes: &[NodeId]) -> String {
    let s = if nodes.len() == 1 { "" } else { "s" };
    let mut nodes = nodes.to_vec();
    nodes.sort_unstable();
    let nodes: Vec<String> = nodes.iter().map(ToString::to_string).collect();
    format!("node{s} {}", nodes.join(", "))
}
