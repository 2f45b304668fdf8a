//! What limits the promise since the history began: for all keys, and for single ones.
//!
//! Bounds: 10,000 keys of each kind. Beyond that the limit holds for every key.

use std::collections::{BTreeMap, BTreeSet};

use super::Request;
use crate::checker::Promise;
use crate::history::{Call, OpId};
use crate::operation::{Operation, Outcome};

/// The most keys of each kind.
const MAX_KEYS: usize = 10_000;

type Key = Box<[u8]>;

/// The weakest promise since the history began: for all keys, and for at most 10,000 single ones.
#[derive(Clone)]
pub(super) struct Limits {
    /// The weakest promise of the settings, the clocks and the memory of nodes.
    pub weakest: Promise,
    /// The weakest promise of the ways in which nodes have restarted.
    pub restarts: Promise,
    /// Whether any key may have copies with different deadlines.
    old_deadlines: bool,
    /// The keys on which EXPIRE, PERSIST or INCR was used.
    redated: BTreeSet<Key>,
    /// The keys on which a conditional write may not have been one step, and their promise.
    doubtful: BTreeMap<Key, Promise>,
    /// The keys with a write in flight, or with one whose outcome is unknown.
    writes: BTreeMap<Key, Writes>,
}

/// The writes to a key that matter for a conditional one.
#[derive(Clone, Default)]
struct Writes {
    in_flight: u32,
    /// How many of those in flight are conditional.
    conditional: u32,
    /// Whether a write has an unknown outcome, and no later overwrite is acknowledged.
    is_unknown: bool,
    /// A PUT or DEL that was sent when no write was in flight.
    overwrite: Option<OpId>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            weakest: Promise::Linearizable,
            restarts: Promise::Linearizable,
            old_deadlines: false,
            redated: BTreeSet::new(),
            doubtful: BTreeMap::new(),
            writes: BTreeMap::new(),
        }
    }
}

impl Limits {
    /// A new history begins. What copies of single keys may be like stays.
    pub(super) fn restart(&mut self) {
        self.weakest = Promise::Linearizable;
        self.restarts = Promise::Linearizable;
    }

    /// Notes that copies may have deadlines of which nothing is known.
    pub(super) fn may_have_old_deadlines(&mut self) {
        self.old_deadlines = true;
        self.redated.clear();
    }

    /// Whether a write is in flight or has an unknown outcome.
    #[inline]
    pub(super) fn has_writes(&self) -> bool {
        !self.writes.is_empty()
    }

    /// The promise of a key, if it is otherwise this.
    pub(super) fn of_key(&self, key: &[u8], promise: Promise) -> Promise {
        let is_redated = self.old_deadlines || self.redated.contains(key);
        let most = self.doubtful.get(key).copied();
        for_redated(promise.min(most.unwrap_or(promise)), is_redated)
    }

    /// The weakest promise of any key, if it is otherwise this.
    pub(super) fn of_some_key(&self, promise: Promise) -> Promise {
        let is_redated = self.old_deadlines || !self.redated.is_empty();
        let most = self.doubtful.values().min().copied();
        for_redated(promise.min(most.unwrap_or(promise)), is_redated)
    }

    /// Notes a call.
    #[inline]
    pub(super) fn note_call(&mut self, request: &Request<'_>, id: OpId) {
        if carries_deadline(&request.operation) && !self.old_deadlines {
            self.note_carried(request.key);
        }
        if self.writes.is_empty() || request.operation.is_read() {
            return;
        }
        let Some(writes) = self.writes.get_mut(request.key) else {
            return;
        };
        if request.operation.is_conditional() {
            self.doubt(request.key, Promise::NoStaleRead);
        } else {
            writes.overwrite = Some(id).filter(|_| writes.in_flight == 0);
        }
    }

    fn note_carried(&mut self, key: &[u8]) {
        if !self.redated.contains(key) {
            self.redated.insert(key.into());
        }
        if self.redated.len() > MAX_KEYS {
            self.may_have_old_deadlines();
        }
    }

    /// A key keeps at most this promise.
    fn doubt(&mut self, key: &[u8], most: Promise) {
        let promise = self.doubtful.entry(key.into()).or_insert(most);
        *promise = most.min(*promise);
        if self.doubtful.len() > MAX_KEYS {
            self.weakest = self.weakest.min(Promise::NoExpiredRead);
            self.doubtful.clear();
        }
    }

    /// Notes that a write has been sent, and has no outcome yet.
    pub(super) fn note_sent(&mut self, request: &Request<'_>, call: OpId) {
        if self.writes.len() >= MAX_KEYS {
            self.weakest = self.weakest.min(Promise::NoExpiredRead);
            self.writes.clear();
        }
        let is_conditional = request.operation.is_conditional();
        let writes = self.writes.entry(request.key.into()).or_default();
        let is_alone = writes.in_flight == 0;
        writes.overwrite = Some(call).filter(|_| is_alone && !is_conditional);
        writes.in_flight += 1;
        writes.conditional += u32::from(is_conditional);
        if !is_alone && writes.conditional > 0 {
            // The conditional write may have read before the other, and be the later one: then it
            // brings back what the other has overwritten.
            self.doubt(request.key, Promise::NoExpiredRead);
        }
    }

    /// Notes the outcome of a write.
    pub(super) fn note_outcome(&mut self, call: &Call, outcome: &Outcome) {
        let is_conditional = call.operation.is_conditional();
        let is_unknown = matches!(outcome, Outcome::Unknown(_));
        let writes = self.writes.entry((*call.key).into()).or_default();
        writes.in_flight = writes.in_flight.saturating_sub(1);
        let conditional = u32::from(is_conditional);
        writes.conditional = writes.conditional.saturating_sub(conditional);
        let ends = writes.overwrite == Some(call.id) && outcome.is_certain();
        writes.is_unknown = is_unknown || writes.is_unknown && !ends;
        if writes.in_flight == 0 && !writes.is_unknown {
            self.writes.remove(&*call.key);
        }
        if is_unknown && is_conditional {
            self.doubt(&call.key, Promise::NoStaleRead);
        }
    }
}

/// Where old copies may be read, one may have an old deadline, and INCR keeps that.
fn for_redated(promise: Promise, is_redated: bool) -> Promise {
    match promise {
        Promise::NoExpiredRead if is_redated => Promise::NoInventedValue,
        promise => promise,
    }
}

fn carries_deadline<V>(operation: &Operation<V>) -> bool {
    matches!(
        operation,
        Operation::SetDeadline { .. } | Operation::Incr { .. }
    )
}
