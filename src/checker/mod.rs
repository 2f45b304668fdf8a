//! What a history shows that the cache kept of its promises.
//!
//! A key behaves like a register with expiry if all its operations can be put in one order, each
//! at an instant between its invocation and its answer, in which a register that forgets its value
//! at the deadline gives all the answers that were given. That is the strongest promise. A cache
//! that was restarted cold cannot keep it, and still must not lie; the weaker promises say in
//! what ways. Each [`Promise`] is implied by the stronger ones, so the strongest that holds says
//! it all. The keys are judged one by one: keys are independent, and a history is linearizable if
//! it is so for each (Herlihy, Wing, "Linearizability", ACM TOPLAS 12(3), 1990).
//!
//! ```
//! use shardlab::checker::{Promise, check};
//! use shardlab::history::{Action, History, Outcome};
//! use shardlab::time::Instant;
//!
//! let mut history = History::new(1_000);
//! let at = Instant::from_millis;
//! let mut run = |now, action, outcome| {
//!     let id = history.invoke(now, 0, b"apple", action);
//!     history.complete(id, now, outcome);
//! };
//! run(at(0), Action::put(b"red", None), Outcome::Done);
//! run(at(1), Action::Delete, Outcome::Done);
//! run(at(2), Action::Get, Outcome::Value(None));
//! run(at(3), Action::Get, Outcome::value(b"red"));
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
//! - A write whose outcome is pending or unknown may have taken effect at any time after it was
//!   invoked, also after everything else, once or never.
//! - An operation *reads* if it tells something about a value that it found (see `reads.rs`); a miss reads
//!   nothing. A *source* of a read is a write of that value that may have happened and was
//!   invoked before the read returned.
//! - A number is the decimal text of 64 bits as an increment writes it. An increment that answers
//!   over any other text is wrong.
//!
//! Caveats: what no client was told cannot be wrong, so a cache that answers nothing keeps every
//! promise; check besides that the nodes agree once they are at rest. Recording must start with
//! an empty cache. Values tell most if all writes differ: a stale value that somebody writes
//! again is not stale. Keys with some hundreds of operations are what this is for: with thousands and
//! many timeouts the steps run out, or the excerpt stays long. A duplicate that changes nothing is not seen.

mod excerpt;
mod judge;
mod reads;
mod register;
mod search;

use std::fmt;

use crate::hash::rapidhash;
use crate::history::{History, OpId};
use excerpt::Excerpts;
use judge::{Judge, Range};
use reads::Flaw;
use register::{Op, Texts};

/// What a cache can promise of a key, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Promise {
    /// Nothing: a value was read that nobody wrote.
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

/// Whether a promise was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It was.
    Yes,
    /// It was broken.
    No,
    /// The steps ran out, or the history is not complete.
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

/// What is wrong with the operations of an excerpt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A read of what nobody wrote.
    Invented,
    /// A read of what had expired.
    Expired,
    /// A read of what had been overwritten.
    Stale,
    /// A read of what had been deleted.
    Resurrected,
    /// No order gives the answers, even if values may be lost.
    NoOrder,
    /// No order gives the answers unless a value was lost.
    Lost,
}

/// Operations on one key that break a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The weakest promise that they break.
    pub promise: Promise,
    /// In what way.
    pub fault: Fault,
    /// The operations, by the order of their invocation. No other operation on the key can excuse
    /// them, and each is needed, or is what one that is needed reads from.
    pub excerpt: Vec<OpId>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.fault {
            Fault::Invented => "a value was read that nobody wrote",
            Fault::Expired => "an expired value was read",
            Fault::Stale => "an overwritten value was read",
            Fault::Resurrected => "a deleted value came back",
            Fault::NoOrder => "no order explains the answers",
            Fault::Lost => "a value was lost",
        })
    }
}

/// What the recorded operations on one key show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyVerdict {
    /// The key.
    pub key: Box<[u8]>,
    /// How many operations on it were recorded.
    pub operations: usize,
    /// The strongest promise that is shown to hold for them.
    pub at_least: Promise,
    /// The strongest promise that is not shown to be broken: the same, unless the steps ran out.
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
    /// steps ran out or the history is not complete.
    pub at_most: Promise,
    /// The keys that are not shown to be [`Promise::Linearizable`], in the order of their bytes.
    pub keys: Vec<KeyVerdict>,
    /// How many keys there are.
    pub checked_keys: usize,
    /// How many operations were recorded.
    pub operations: usize,
    /// How many were not. If there are any, the verdict is on what came before the first of them.
    pub unrecorded: u64,
    /// How many steps it took.
    pub steps: u64,
}

impl Verdict {
    /// Whether `promise` was kept for every key.
    #[must_use]
    pub fn kept(&self, promise: Promise) -> Kept {
        match promise {
            _ if promise <= self.at_least => Kept::Yes,
            _ if promise > self.at_most => Kept::No,
            _ => Kept::Unknown,
        }
    }
}

/// The most steps that are worth waiting for at a prompt: some tenths of a second a key.
pub const DEFAULT_STEPS: u64 = 1_000_000;

/// Judges a history. For each key at most about `steps` steps are taken for each promise, and as
/// many for the excerpt: what is said of a key does not depend on the others.
///
/// Cost: about a quarter of a microsecond for each operation of a history without fault, and a
/// tenth for each further step; see `search.rs` for the worst case. Memory: up to 40 bytes a step.
#[must_use]
pub fn check(history: &History, steps: u64) -> Verdict {
    let mut checker = Checker::new(history, steps);
    let mut verdict = Verdict {
        at_least: Promise::Linearizable,
        at_most: Promise::Linearizable,
        keys: Vec::new(),
        checked_keys: 0,
        operations: history.operations().len(),
        unrecorded: history.unrecorded(),
        steps: 0,
    };
    for ids in by_key(history).chunk_by(|one, other| one.0 == other.0 && one.1 == other.1) {
        verdict.checked_keys += 1;
        let ids: smallvec::SmallVec<[u64; 64]> = ids.iter().map(|it| it.2).collect();
        verdict.note(checker.key(&ids));
    }
    verdict
        .keys
        .sort_unstable_by(|one, other| one.key.cmp(&other.key));
    if verdict.unrecorded > 0 {
        verdict.at_least = Promise::Nothing;
    }
    verdict.steps = checker.judge.search.steps;
    verdict
}

impl Verdict {
    fn note(&mut self, key: Option<KeyVerdict>) {
        let Some(key) = key else { return };
        self.at_least = self.at_least.min(key.at_least);
        self.at_most = self.at_most.min(key.at_most);
        self.keys.push(key);
    }
}

/// The numbers of all operations, those on one key together and in order.
fn by_key(history: &History) -> Vec<(u64, &[u8], u64)> {
    let all = (0..).zip(history.operations());
    let mut keys: Vec<_> = all
        .map(|(id, it)| (rapidhash(&it.key), &*it.key, id))
        .collect();
    keys.sort_unstable();
    keys
}

/// The work on one history.
struct Checker<'a> {
    history: &'a History,
    judge: Judge,
    texts: Texts<'a>,
    ops: Vec<Op>,
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
            ops: Vec::new(),
        }
    }

    /// Judges one key; `None` if it is linearizable.
    fn key(&mut self, ids: &[u64]) -> Option<KeyVerdict> {
        register::read(self.history, ids, &mut self.texts, &mut self.ops);
        let range = self.judge.range(&self.ops);
        if range.at_least == Promise::Linearizable {
            return None;
        }
        Some(KeyVerdict {
            key: self.history.get(OpId(*ids.first()?))?.key.clone(),
            operations: ids.len(),
            at_least: range.at_least,
            at_most: range.at_most,
            violation: self.violation(&range),
        })
    }

    fn violation(&mut self, range: &Range) -> Option<Violation> {
        let at_most = range.at_most;
        let promise = *Promise::ALL.get(at_most as usize + 1)?;
        let limit = self.judge.search.steps.saturating_add(self.judge.steps);
        let mut excerpts = Excerpts {
            judge: &mut self.judge,
            ops: &self.ops,
            at_most,
            limit,
        };
        let places = excerpts.find(range);
        let excerpt = places.iter().map(|&place| OpId(self.ops[place].id));
        let fault = match range.finding.as_ref().map(|finding| finding.flaw) {
            Some(Flaw::Invented) => Fault::Invented,
            Some(Flaw::Expired) => Fault::Expired,
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
