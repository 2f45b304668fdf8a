//! What clients invoked and what they learned, in the order in which it happened.
//!
//! A history is a list of calls. Each has two moments: its invocation, and its completion with an
//! outcome. One call precedes another if it was completed before the other was invoked; all others
//! overlap, and either order is possible. Many calls share one instant under virtual time, so
//! instants do not say what precedes what. The order of recording does: each invocation and each
//! completion is an event with a number, and the numbers decide.
//!
//! ```
//! use shardlab::history::{History, Outcome};
//! use shardlab::operation::Operation;
//! use shardlab::time::Instant;
//!
//! let mut history = History::new(1_000, shardlab::checker::fold);
//! let (start, later) = (Instant::START, Instant::from_millis(3));
//! let put = history.invoke(start, 0, b"apple", Operation::put(b"red", None));
//! let get = history.invoke(start, 1, b"apple", Operation::Get);
//! history.complete(get, start, Outcome::Value(None));
//! history.complete(put, later, Outcome::Done);
//! let [put, get] = history.calls() else { panic!("two calls") };
//! assert_eq!(put.returned, Some(later));
//! assert!(get.span.begin < put.span.end.expect("it is over"), "they overlap");
//! ```
//!
//! A history keeps the latest calls. At its capacity it forgets the oldest ones and keeps what
//! follows from them; see `window.rs`. So the calls that it has can be judged however many came
//! before.
//!
//! # Bounds
//!
//! - Calls: the capacity. A value takes at most 64 bytes; a key is kept whole, once for all its
//!   calls.
//! - Keys without a call in the window: 100,000 and the capacity, or 16 MiB. Beyond that they are
//!   forgotten, and every key that comes anew may start with anything.
//! - For each key at most 16 possible states, and 16 values that a read may find.
//! - For the values that forgotten calls wrote at most 1 MiB.
//!
//! Caveat: a write that was in flight when the recording began is not known. If it takes effect
//! later, a read of its value is called wrong.

mod call;
mod content;
mod keys;
mod old_values;
mod start;
mod window;

use std::sync::Arc;
use std::time::Duration;

pub use call::{Call, OpId, Outcome, Span};
pub use content::{Content, MAX_WHOLE};
pub use keys::MAX_KEYS;
pub use old_values::OldValues;
pub use start::{Fold, Folded, MAX_STATES, Past, Prefix, Source, Start, State};

use crate::operation::{self, Operation};
use crate::time::Instant;
use keys::Keys;

/// An operation whose values are kept for people and for the checker, in the way of requests.
pub type Action = Operation<Box<[u8]>>;

/// The latest calls in the order of their invocation, and what follows from those before them.
#[derive(Clone)]
pub struct History {
    capacity: usize,
    fold: Fold,
    calls: Vec<Call>,
    keys: Keys,
    /// What forgotten calls wrote and no key holds any more.
    old_values: OldValues,
    /// Events so far.
    events: u64,
    /// Calls so far.
    invoked: u64,
    /// The latest instant that was named.
    now: Instant,
    judged_from: Instant,
    /// In microseconds.
    clock_error: u32,
}

impl History {
    /// An empty history of at most `capacity` calls, at least 1. Every key starts absent. `fold`
    /// computes what follows from calls that are forgotten.
    #[must_use]
    pub fn new(capacity: usize, fold: Fold) -> Self {
        Self {
            capacity: capacity.max(1),
            fold,
            calls: Vec::new(),
            keys: Keys::new(capacity),
            old_values: OldValues::new(capacity),
            events: 0,
            invoked: 0,
            now: Instant::START,
            judged_from: Instant::START,
            clock_error: 0,
        }
    }

    /// Allows for clocks that differ: instants of later calls may be wrong by so much, at most about an
    /// hour, on the clock that expires keys.
    pub fn set_clock_error(&mut self, most: Duration) {
        let micros = most.as_nanos().div_ceil(1000);
        self.clock_error = u32::try_from(micros).unwrap_or(u32::MAX);
    }

    /// Begins the recording at `now`, after the cache was used. From then on no value can be
    /// called invented: it may be an old one. Ignored once a call was recorded.
    pub fn begin_late(&mut self, now: Instant) {
        if self.invoked == 0 {
            self.now = self.now.max(now);
            self.judged_from = self.now;
            self.old_values.add_all();
        }
    }

    /// Lets a key start with this value, which is stored when the recording begins. Ignored once a
    /// call was recorded. Beyond [`MAX_KEYS`] such keys, every other key may start with anything.
    pub fn start_from(&mut self, key: &[u8], value: &[u8], deadline: Option<Instant>) {
        if self.invoked > 0 {
            return;
        }
        if self.keys.is_full() {
            return self.start_unknown();
        }
        let number = self.keys.number(key);
        let value = value.into();
        self.keys.get_mut(number).start = Start::Value { value, deadline };
    }

    /// Lets every key that was not named yet start with anything, or absent. Ignored once a call
    /// was recorded.
    pub fn start_unknown(&mut self) {
        if self.invoked == 0 {
            self.keys.others = Start::Unknown;
        }
    }

    /// Records that `client` asks for something. An instant before the latest that was named
    /// counts as the latest.
    ///
    /// Cost: constant, beside one pass over the key and the values. One call in some is dearer: at
    /// the capacity an eighth of the calls is forgotten at once, which takes about two microseconds for
    /// each.
    pub fn invoke(
        &mut self,
        now: Instant,
        client: u32,
        key: &[u8],
        operation: Operation<&[u8]>,
    ) -> OpId {
        if self.calls.len() >= self.capacity {
            self.make_room();
        }
        let (begin, id) = (self.event(now), OpId(self.invoked));
        self.invoked += 1;
        let key_number = self.keys.number(key);
        self.calls.push(Call {
            id,
            client,
            key: Arc::clone(&self.keys.get(key_number).bytes),
            name: None,
            operation: operation.map(Content::from),
            invoked: self.now,
            returned: None,
            outcome: None,
            span: Span { begin, end: None },
            key_number,
            clock_error: self.clock_error,
            is_blurred: false,
        });
        id
    }

    /// Names the command that the latest call is a part of.
    pub(crate) fn name_latest(&mut self, name: Option<&'static str>) {
        if let Some(call) = self.calls.last_mut() {
            call.name = name;
        }
    }

    /// Records the outcome of a call. Only the first one counts, and only for a call that is not
    /// forgotten. Cost: at most logarithmic in the capacity, beside one pass over the value.
    pub fn complete(&mut self, id: OpId, now: Instant, outcome: Outcome<&[u8]>) {
        let end = self.event(now);
        let Some(place) = self.place(id) else { return };
        let call = &mut self.calls[place];
        if call.outcome.is_none() {
            call.span.end = Some(end);
            call.returned = Some(self.now);
            call.outcome = Some(outcome.map(Content::from));
        }
    }

    /// Records the outcome of a request. Whether a delete found something is no promise, since two
    /// deletes at once may both find it: it counts as done.
    pub(crate) fn record_outcome(
        &mut self,
        id: OpId,
        now: Instant,
        is_delete: bool,
        outcome: &operation::Outcome,
    ) {
        use operation::Outcome as Of;
        let number;
        let told = match outcome {
            Of::Done => Outcome::Done,
            Of::Applied(_) if is_delete => Outcome::Done,
            Of::Applied(applied) => Outcome::Applied(*applied),
            Of::Value(found) => Outcome::Value(found.as_ref().map(|it| &*it.value)),
            Of::Number(sum) => {
                number = sum.to_string();
                Outcome::value(number.as_bytes())
            }
            Of::Refused(_) => Outcome::Refused,
            Of::Unknown(_) => Outcome::Unknown,
        };
        self.complete(id, now, told);
    }

    fn event(&mut self, now: Instant) -> u64 {
        self.now = self.now.max(now);
        self.events += 1;
        self.events
    }

    fn place(&self, id: OpId) -> Option<usize> {
        // Where no call after it was forgotten, numbers tell the place.
        let after = self.invoked.checked_sub(id.0 + 1)?;
        let place = self
            .calls
            .len()
            .checked_sub(usize::try_from(after).ok()? + 1);
        place
            .filter(|&place| self.calls[place].id == id)
            .or_else(|| self.calls.binary_search_by_key(&id, |call| call.id).ok())
    }

    /// The calls that are not forgotten, in the order of their invocation.
    #[must_use]
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// One call; `None` if it is forgotten, or was never invoked.
    #[must_use]
    pub fn get(&self, id: OpId) -> Option<&Call> {
        Some(&self.calls[self.place(id)?])
    }

    /// How many calls are forgotten.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.invoked - self.calls.len() as u64
    }

    /// The instant from which calls are judged: the end of the last one that is forgotten, or when
    /// the recording began.
    #[must_use]
    pub fn judged_from(&self) -> Instant {
        self.judged_from
    }

    /// The values that forgotten calls wrote.
    pub(crate) fn old_values(&self) -> &OldValues {
        &self.old_values
    }

    /// What the key with this number starts with.
    pub(crate) fn start(&self, key_number: u32) -> &Start {
        &self.keys.get(key_number).start
    }
}

#[cfg(test)]
mod tests;
