//! Which promises the calls of a history kept.
//!
//! A key behaves like a register with expiry if all its operations can be put in one order, each
//! at an instant between its invocation and its completion, in which a register that forgets its
//! value at the deadline gives all the results that clients got. That is the strongest promise. A
//! cache that was restarted cold cannot keep it, and still must not give wrong values; the weaker
//! promises say which values are wrong. Each [`Promise`] is implied by the stronger ones, so the
//! strongest that holds says it all. The keys are judged one by one: keys are independent, and a history
//! is linearizable if it is so for each (Herlihy, Wing, "Linearizability", ACM TOPLAS 12(3), 1990).
//!
//! ```
//! use shardlab::checker::{Promise, check, fold};
//! use shardlab::history::{History, Outcome};
//! use shardlab::operation::Operation;
//! use shardlab::time::Instant;
//!
//! let mut history = History::new(1_000, fold);
//! let at = Instant::from_millis;
//! let mut run = |now, operation, outcome| {
//!     let id = history.invoke(now, 0, b"apple", operation);
//!     history.complete(id, now, outcome);
//! };
//! run(at(0), Operation::put(b"red", None), Outcome::Done);
//! run(at(1), Operation::Delete, Outcome::Done);
//! run(at(2), Operation::Get, Outcome::Value(None));
//! run(at(3), Operation::Get, Outcome::value(b"red"));
//!
//! let verdict = check(&history, 100_000);
//! assert_eq!(verdict.at_most, Promise::NoExpiredRead);
//! let fault = verdict.keys[0].violation.as_ref().expect("a violation");
//! assert_eq!(fault.to_string(), "a deleted value came back");
//! let ids: Vec<u64> = fault.excerpt.iter().map(|id| id.0).collect();
//! assert_eq!(ids, [0, 1, 3]);
//! ```
//!
//! # What counts as what
//!
//! - A write that was refused is no write: a read of its value reads an invented one.
//! - A write whose outcome is unknown, or that is pending, may have taken effect at any time after
//!   it was invoked, also after everything else, once or never.
//! - An operation *reads* if its outcome depends on the value that it found (see `reads`); a miss
//!   reads nothing. A *source* of a read is a write of that value that may have happened and was
//!   invoked before the read returned.
//! - A number is the decimal text of 64 bits as an increment writes it. An increment that answers
//!   over any other text is wrong.
//!
//! # Histories that have forgotten calls
//!
//! A history keeps a bounded number of calls, and [`fold`] computes what follows from the others.
//! The verdict is on the calls that are kept. It never names a violation that the whole
//! history does not have; it may miss one that only forgotten calls show.
//!
//! # Caveats
//!
//! - Only results can be wrong, so a cache that gives none keeps every promise: check besides that
//!   the nodes agree once they are at rest.
//! - Give every write a distinct value: a stale value that a client writes again is not stale.
//! - Keys with some hundreds of calls are what this is for: with thousands and many timeouts the
//!   steps run out, or the excerpt stays long.
//! - A duplicate that changes nothing is not seen.

mod excerpt;
mod facts;
mod fold;
mod judge;
mod op;
mod past;
mod reads;
mod ring;
mod search;
mod seen;
mod sent_again;
mod sequence;
mod state;
mod value;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

pub use fold::fold;
pub use sent_again::sent_again;

use crate::history::{Call, History, OldValues, OpId, Start};
use crate::time::Instant;
use excerpt::Excerpts;
use judge::{Judge, Range};
use op::Op;
use past::Past;
use reads::Flaw;
use state::State;
use value::Texts;

/// What a cache can promise of a key, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Promise {
    /// Nothing: a value was read that no client wrote.
    Nothing,
    /// Every read has a source.
    NoInventedValue,
    /// Every read has a source whose value had, at the latest of the invocations of both, a
    /// deadline that had not come: the one that it was written with, or one of a later change that may have
    /// happened. A deadline does not count if a change of deadline that was acknowledged certainly
    /// came between it and the read.
    NoExpiredRead,
    /// Every read has such a source that was not written over or deleted by an acknowledged
    /// operation that certainly came between the source and the read. It may miss, and hit again later:
    /// the regular register of Lamport ("On Interprocess Communication", Distributed Computing
    /// 1(2), 1986), with misses.
    NoStaleRead,
    /// All operations have one order in which a register with expiry gives all the answers, if it
    /// may lose its value at any moment, as by eviction or a cold restart. What is lost or
    /// overwritten never returns.
    MayLose,
    /// All operations have one order in which a register with expiry gives all the answers.
    Linearizable,
}

impl Promise {
    /// All, the weakest first.
    pub const ALL: [Self; 6] = [
        Self::Nothing,
        Self::NoInventedValue,
        Self::NoExpiredRead,
        Self::NoStaleRead,
        Self::MayLose,
        Self::Linearizable,
    ];
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "nothing",
            Self::NoInventedValue => "no invented value",
            Self::NoExpiredRead => "no expired read",
            Self::NoStaleRead => "no stale read",
            Self::MayLose => "linearizable but for losses",
            Self::Linearizable => "linearizable",
        })
    }
}

/// The error of parsing a [`Promise`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no such promise; the promises are \"nothing\", \"no invented value\", \
     \"no expired read\", \"no stale read\", \"linearizable but for losses\" and \"linearizable\""
)]
pub struct UnknownPromise;

impl FromStr for Promise {
    type Err = UnknownPromise;

    fn from_str(name: &str) -> Result<Self, UnknownPromise> {
        let named = |it: &Self| name.eq_ignore_ascii_case(&it.to_string());
        Self::ALL.into_iter().find(named).ok_or(UnknownPromise)
    }
}

/// Whether a promise was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It was.
    Yes,
    /// It was broken.
    No,
    /// The steps ran out.
    Unknown,
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yes => "kept",
            Self::No => "broken",
            Self::Unknown => "unknown",
        })
    }
}

/// The fault that the operations of an excerpt show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A read of a value that no client wrote.
    Invented,
    /// A read of a value that had expired.
    Expired,
    /// A read of a value that was neither there when the judged calls began nor written since.
    Outdated,
    /// A read of a value that had been overwritten.
    Stale,
    /// A read of a value that had been deleted.
    Resurrected,
    /// No order gives the answers, even if values may be lost.
    NoOrder,
    /// No order gives the answers unless a value was lost.
    Lost,
}

/// Calls on one key that break a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The weakest promise that they break.
    pub promise: Promise,
    /// In what way.
    pub fault: Fault,
    /// The calls, in the order of their invocation. No other call on the key can excuse them, and
    /// each is needed, or is what one that is needed reads from. What the key started with belongs to
    /// them; see [`KeyVerdict::start`].
    pub excerpt: Vec<OpId>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.fault {
            Fault::Invented => "a value was read that no client wrote",
            Fault::Outdated => "a value was read that was gone before the recorded operations",
            Fault::Expired => "an expired value was read",
            Fault::Stale => "an overwritten value was read",
            Fault::Resurrected => "a deleted value came back",
            Fault::NoOrder => "no order explains the answers",
            Fault::Lost => "a value was lost",
        })
    }
}

/// What the calls on one key show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyVerdict {
    /// The key.
    pub key: Arc<[u8]>,
    /// How many calls on it were judged.
    pub calls: usize,
    /// The state of the key before them, as far as it is known.
    pub start: Start,
    /// The strongest promise that is proved to hold for them.
    pub at_least: Promise,
    /// The strongest promise that is not proved to be broken: the same, unless the steps ran out.
    pub at_most: Promise,
    /// Why it is not [`Promise::Linearizable`]; `None` if that is only not known.
    pub violation: Option<Violation>,
}

/// What a history shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The strongest promise that is shown to hold for every key.
    pub at_least: Promise,
    /// The strongest promise that is not shown to be broken for any key: the same, unless the
    /// steps ran out.
    pub at_most: Promise,
    /// The keys that are not shown to be [`Promise::Linearizable`], in the order of their bytes.
    pub keys: Vec<KeyVerdict>,
    /// How many keys were judged.
    pub checked_keys: usize,
    /// How many calls were judged.
    pub calls: usize,
    /// How many calls were not: the history has forgotten them, or knows too little of their key.
    pub forgotten: u64,
    /// The instant from which calls were judged.
    pub judged_from: Instant,
    /// How many steps it took.
    pub steps: u64,
}

impl Kept {
    fn new(promise: Promise, at_least: Promise, at_most: Promise) -> Self {
        match promise {
            _ if promise <= at_least => Self::Yes,
            _ if promise > at_most => Self::No,
            _ => Self::Unknown,
        }
    }
}

impl KeyVerdict {
    /// Whether `promise` was kept for this key.
    #[must_use]
    pub fn kept(&self, promise: Promise) -> Kept {
        Kept::new(promise, self.at_least, self.at_most)
    }
}

impl Verdict {
    /// Whether `promise` was kept for every key.
    #[must_use]
    pub fn kept(&self, promise: Promise) -> Kept {
        Kept::new(promise, self.at_least, self.at_most)
    }

    /// Whether it is certain for each promise whether the calls that were judged keep it. If not,
    /// the steps ran out.
    #[must_use]
    pub fn is_decided(&self) -> bool {
        self.at_least == self.at_most
    }
}

/// The most steps that are worth waiting for at a prompt: some tenths of a second a key.
pub const DEFAULT_STEPS: u64 = 1_000_000;

/// Judges a history. For each key at most about `steps` steps are taken for each promise, and as
/// many for the excerpt: what is said of a key does not depend on the others.
///
/// Cost: about a quarter of a microsecond for each call of a history without fault, and a
/// tenth for each further step; see `search.rs` for the worst case. Memory: up to 40 bytes a step.
#[must_use]
pub fn check(history: &History, steps: u64) -> Verdict {
    let mut checker = Checker::new(history, steps);
    let mut verdict = Verdict {
        at_least: Promise::Linearizable,
        at_most: Promise::Linearizable,
        keys: Vec::new(),
        checked_keys: 0,
        calls: 0,
        forgotten: history.forgotten(),
        judged_from: history.judged_from(),
        steps: 0,
    };
    for calls in by_key(history).chunk_by(|one, other| one.0 == other.0) {
        verdict.note(&mut checker, calls);
    }
    verdict
        .keys
        .sort_unstable_by(|one, other| one.key.cmp(&other.key));
    verdict.steps = checker.judge.search.steps;
    verdict
}

impl Verdict {
    fn note(&mut self, checker: &mut Checker<'_>, calls: &[KeyedCall]) {
        if *checker.history.start(calls[0].0) == Start::Unjudged {
            self.forgotten += calls.len() as u64;
            return;
        }
        self.checked_keys += 1;
        self.calls += calls.len();
        let Some(key) = checker.key(calls) else {
            return;
        };
        self.at_least = self.at_least.min(key.at_least);
        self.at_most = self.at_most.min(key.at_most);
        self.keys.push(key);
    }
}

/// The number of a call's key, and the place of the call in the history.
type KeyedCall = (u32, usize);

/// All calls, those on one key together and in order.
fn by_key(history: &History) -> Vec<KeyedCall> {
    let calls = (0..).zip(history.calls());
    let mut keyed: Vec<_> = calls.map(|(at, it)| (it.key_number, at)).collect();
    keyed.sort_unstable();
    keyed
}

/// One key: what is known at the start, and the operations in the order of their invocation. The
/// first of these stand for forgotten calls; see [`Op::before`].
struct Key {
    past: Past,
    ops: Vec<Op>,
}

impl Default for Key {
    fn default() -> Self {
        Self {
            past: Past::new(State::EMPTY),
            ops: Vec::new(),
        }
    }
}

impl Key {
    /// Reads the calls on a key, in the place of what was read before.
    fn read<'a>(
        &mut self,
        start: &'a Start,
        calls: impl Iterator<Item = &'a Call>,
        key: &[u8],
        old: &OldValues,
        texts: &mut Texts<'a>,
    ) {
        self.ops.clear();
        self.past = Past::read(start, texts, &mut self.ops);
        self.ops
            .extend(calls.filter_map(|call| op::op(call, texts)));
        self.past.note_old(&self.ops, key, old, texts);
    }
}

/// The work on one history.
struct Checker<'a> {
    history: &'a History,
    judge: Judge,
    texts: Texts<'a>,
    key: Key,
}

impl<'a> Checker<'a> {
    fn new(history: &'a History, steps: u64) -> Self {
        Self {
            history,
            judge: Judge {
                steps,
                ..Judge::default()
            },
            texts: Texts::default(),
            key: Key::default(),
        }
    }

    /// Judges one key; `None` if it is linearizable.
    fn key(&mut self, calls: &[KeyedCall]) -> Option<KeyVerdict> {
        let history = self.history;
        let &(number, first) = calls.first()?;
        let (start, key) = (history.start(number), &history.calls()[first].key);
        self.read(calls);
        let range = self.judge.range(&self.key.past, &self.key.ops);
        if range.at_least == Promise::Linearizable {
            return None;
        }
        Some(KeyVerdict {
            key: Arc::clone(key),
            calls: calls.len(),
            start: start.clone(),
            at_least: range.at_least,
            at_most: range.at_most,
            violation: self.violation(&range),
        })
    }

    /// Reads the calls on one key.
    fn read(&mut self, calls: &[KeyedCall]) {
        let history = self.history;
        let Some(&(number, first)) = calls.first() else {
            return;
        };
        let all = calls.iter().map(|&(_, at)| &history.calls()[at]);
        let (start, key) = (history.start(number), &history.calls()[first].key);
        let old = history.old_values();
        self.key.read(start, all, key, old, &mut self.texts);
    }

    fn violation(&mut self, range: &Range) -> Option<Violation> {
        let at_most = range.at_most;
        let promise = *Promise::ALL.get(at_most as usize + 1)?;
        let limit = self.judge.search.steps.saturating_add(self.judge.steps);
        let mut excerpts = Excerpts {
            judge: &mut self.judge,
            past: &self.key.past,
            ops: &self.key.ops,
            at_most,
            limit,
        };
        let places = excerpts.find(range);
        let excerpt = places.iter().map(|&place| OpId(self.key.ops[place].id));
        let fault = match range.finding.as_ref().map(|finding| finding.flaw) {
            Some(Flaw::Invented) => Fault::Invented,
            Some(Flaw::Expired) => Fault::Expired,
            Some(Flaw::Outdated) => Fault::Outdated,
            Some(Flaw::Stale) => Fault::Stale,
            Some(Flaw::Resurrected) => Fault::Resurrected,
            None if promise == Promise::MayLose => Fault::NoOrder,
            None => Fault::Lost,
        };
        Some(Violation {
            promise,
            fault,
            excerpt: excerpt.collect(),
        })
    }
}

#[cfg(test)]
mod chance_tests;
#[cfg(test)]
mod cluster_tests;
#[cfg(test)]
mod oracle_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod window_tests;
