//! What clients invoked and what they were told, in the order in which it happened.
//!
//! A history is a list of operations, each with two moments: when it was invoked and when its
//! client was told the outcome. One operation precedes another if its client was told before the
//! other was invoked; all others overlap, and nobody can say which came first. Many operations
//! share one instant under virtual time, so it is not instants that say what precedes what but
//! the order of recording: every call of [`History::invoke`] and [`History::complete`] has a
//! number, and the numbers decide.
//!
//! ```
//! use shardlab::history::{Action, History, Outcome};
//! use shardlab::time::Instant;
//!
//! let mut history = History::new(1_000);
//! let (start, later) = (Instant::START, Instant::from_millis(3));
//! let put = history.invoke(start, 0, b"apple", Action::put(b"red", None));
//! let get = history.invoke(start, 1, b"apple", Action::Get);
//! history.complete(get, start, Outcome::Value(None));
//! history.complete(put, later, Outcome::Done);
//! assert!(!history.precedes(put, get) && !history.precedes(get, put));
//! assert_eq!(history.get(put).map(|put| put.returned), Some(Some(later)));
//! ```
//!
//! Caveats: a history starts with every key absent and nothing under way. It is full at its
//! capacity and then records no further operations (they are counted): what it has is the
//! beginning of what happened, of which something can still be said; of the end of what happened,
//! nothing could. Its bound is in operations; a value may be as long as the cache allows.

use crate::time::Instant;

/// The number of an operation: 0 for the first that was invoked, and so on without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId(pub u64);

/// What a client asked for. Deadlines are absolute: at its deadline a key is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Store the value, whatever was there.
    Put {
        /// The value.
        value: Box<[u8]>,
        /// When it expires; `None`: never.
        deadline: Option<Instant>,
    },
    /// Remove the key.
    Delete,
    /// Read the value.
    Get,
    /// Store the value only if the key is absent.
    Add {
        /// The value.
        value: Box<[u8]>,
        /// When it expires; `None`: never.
        deadline: Option<Instant>,
    },
    /// Store the new value only if the key has the expected one.
    Cas {
        /// The value that must be there.
        expected: Box<[u8]>,
        /// The value that takes its place.
        new: Box<[u8]>,
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

impl Action {
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

    /// A put of these bytes.
    #[must_use]
    pub fn put(value: &[u8], deadline: Option<Instant>) -> Self {
        let value = value.into();
        Self::Put { value, deadline }
    }

    /// An add of these bytes.
    #[must_use]
    pub fn add(value: &[u8], deadline: Option<Instant>) -> Self {
        let value = value.into();
        Self::Add { value, deadline }
    }

    /// A compare-and-set of these bytes.
    #[must_use]
    pub fn cas(expected: &[u8], new: &[u8], deadline: Option<Instant>) -> Self {
        Self::Cas {
            expected: expected.into(),
            new: new.into(),
            deadline,
        }
    }
}

/// What a client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing yet.
    Pending,
    /// That nobody knows, as after a timeout: it may have happened, may yet happen at any later
    /// time, or never.
    Unknown,
    /// That it was not done. It certainly never happens.
    Refused,
    /// That it was done.
    Done,
    /// The value that a get found (`None`: a miss) or that an increment made.
    Value(Option<Box<[u8]>>),
    /// Whether an add, a compare-and-set or a change of deadline took effect, or a delete found
    /// something.
    Applied(bool),
}

impl Outcome {
    /// A hit with these bytes.
    #[must_use]
    pub fn value(value: &[u8]) -> Self {
        Self::Value(Some(value.into()))
    }
}

/// One operation of one client on one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Who asked.
    pub client: u32,
    /// The key.
    pub key: Box<[u8]>,
    /// What was asked.
    pub action: Action,
    /// When it was asked. The operation took effect no earlier.
    pub invoked: Instant,
    /// When the client was told; `None` while [`Outcome::Pending`]. Unless the outcome is
    /// [`Outcome::Unknown`], the operation took effect no later.
    pub returned: Option<Instant>,
    /// What the client was told.
    pub outcome: Outcome,
}

/// The numbers of the two calls that recorded an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The number of the call of [`History::invoke`].
    pub begin: u64,
    /// The number of the call of [`History::complete`], larger than `begin`; `None` while pending.
    pub end: Option<u64>,
}

/// Operations in the order of their invocation. See the module's docs.
#[derive(Clone, Debug)]
pub struct History {
    capacity: usize,
    operations: Vec<Operation>,
    spans: Vec<Span>,
    /// Calls so far.
    calls: u64,
    /// The latest instant that was named.
    now: Instant,
    /// The number of the first call of `invoke` that found no room.
    cut: Option<u64>,
    unrecorded: u64,
}

impl History {
    /// An empty history of at most `capacity` operations.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            operations: Vec::new(),
            spans: Vec::new(),
            calls: 0,
            now: Instant::START,
            cut: None,
            unrecorded: 0,
        }
    }

    /// Records that `client` asks for something. An instant before the latest that was named
    /// counts as the latest. Cost: constant, beside the copy of the key.
    pub fn invoke(&mut self, now: Instant, client: u32, key: &[u8], action: Action) -> OpId {
        let begin = self.call(now);
        let id = self.invoked();
        if self.operations.len() >= self.capacity {
            self.cut.get_or_insert(begin);
            self.unrecorded += 1;
            return id;
        }
        self.operations.push(Operation {
            client,
            key: key.into(),
            action,
            invoked: self.now,
            returned: None,
            outcome: Outcome::Pending,
        });
        self.spans.push(Span { begin, end: None });
        id
    }

    /// Records what the client was told. Only the first time counts, and only for an operation
    /// that was recorded. [`Outcome::Pending`] is nothing to be told.
    pub fn complete(&mut self, id: OpId, now: Instant, outcome: Outcome) {
        let end = self.call(now);
        let Some(place) = self.place(id) else { return };
        let (operation, span) = (&mut self.operations[place], &mut self.spans[place]);
        if span.end.is_some() || outcome == Outcome::Pending {
            return;
        }
        span.end = Some(end);
        operation.returned = Some(self.now);
        operation.outcome = outcome;
    }

    fn call(&mut self, now: Instant) -> u64 {
        self.now = self.now.max(now);
        self.calls += 1;
        self.calls
    }

    fn place(&self, id: OpId) -> Option<usize> {
        let place = usize::try_from(id.0).ok()?;
        (place < self.operations.len()).then_some(place)
    }

    /// How many operations were invoked, recorded or not.
    fn invoked(&self) -> OpId {
        OpId(self.operations.len() as u64 + self.unrecorded)
    }

    /// The operations that were recorded, by their number.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// One operation; `None` if it was not recorded.
    #[must_use]
    pub fn get(&self, id: OpId) -> Option<&Operation> {
        Some(&self.operations[self.place(id)?])
    }

    /// The place of an operation in the order of recording; `None` if it was not recorded.
    #[must_use]
    pub fn span(&self, id: OpId) -> Option<Span> {
        Some(self.spans[self.place(id)?])
    }

    /// Whether the first was over before the second was invoked: an operation whose outcome is
    /// pending or unknown precedes nothing, and one that was not recorded neither.
    #[must_use]
    pub fn precedes(&self, first: OpId, second: OpId) -> bool {
        let (Some(first), Some(second)) = (self.settled(first), self.span(second)) else {
            return false;
        };
        first < second.begin
    }

    /// The number of the call that settled the fate of an operation.
    fn settled(&self, id: OpId) -> Option<u64> {
        let known = self.get(id)?.outcome != Outcome::Unknown;
        self.span(id)?.end.filter(|_| known)
    }

    /// How many operations were invoked after the history was full.
    #[must_use]
    pub fn unrecorded(&self) -> u64 {
        self.unrecorded
    }

    /// The number of the first call that was lost because the history was full. Up to it the
    /// history is complete.
    #[must_use]
    pub fn cut(&self) -> Option<u64> {
        self.cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_millis(5);

    #[test]
    fn the_order_of_recording_decides_what_precedes_what() {
        let mut history = History::new(9);
        let put = history.invoke(NOW, 0, b"k", Action::put(b"v", None));
        history.complete(put, NOW, Outcome::Done);
        let get = history.invoke(NOW, 1, b"k", Action::Get);
        assert!(history.precedes(put, get), "at one instant");
        assert!(!history.precedes(get, put) && !history.precedes(put, put));
    }

    #[test]
    fn an_unknown_operation_precedes_nothing() {
        let mut history = History::new(9);
        let put = history.invoke(NOW, 0, b"k", Action::put(b"v", None));
        history.complete(put, NOW, Outcome::Unknown);
        let get = history.invoke(NOW, 0, b"k", Action::Get);
        assert!(!history.precedes(put, get));
    }

    #[test]
    fn a_full_history_counts_what_it_leaves_out() {
        let mut history = History::new(1);
        let kept = history.invoke(NOW, 0, b"k", Action::Get);
        let left_out = history.invoke(NOW, 1, b"k", Action::Delete);
        history.complete(left_out, NOW, Outcome::Done);
        history.complete(kept, NOW, Outcome::Value(None));
        assert_eq!((kept, left_out), (OpId(0), OpId(1)));
        assert_eq!((history.operations().len(), history.unrecorded()), (1, 1));
        assert_eq!((history.cut(), history.get(left_out)), (Some(2), None));
    }

    #[test]
    fn an_outcome_is_told_once_and_time_does_not_run_backwards() {
        let mut history = History::new(9);
        let get = history.invoke(NOW, 0, b"k", Action::Get);
        history.complete(get, Instant::START, Outcome::value(b"v"));
        history.complete(get, Instant::MAX, Outcome::Refused);
        let get = history.get(get).expect("recorded");
        assert_eq!(
            (get.returned, &get.outcome),
            (Some(NOW), &Outcome::value(b"v"))
        );
    }
}
