//! Which promise the operations on one key keep: the cheap questions first.

use super::Promise;
use super::op::Op;
use super::past::Past;
use super::reads::{Finding, Flaw, Reads};
use super::search::{Answer, Search};

/// The memory of judging, which serves one key after another, and the bound on it.
#[derive(Default)]
pub(super) struct Judge {
    /// The search for an order.
    pub search: Search,
    /// The most steps for each promise.
    pub steps: u64,
}

/// The result.
pub(super) struct Range {
    /// The strongest promise that is shown to hold.
    pub at_least: Promise,
    /// The strongest promise that is not shown to be broken.
    pub at_most: Promise,
    /// The read that breaks a promise, if a read by itself does.
    pub finding: Option<Finding>,
}

impl Range {
    fn new(at_least: Promise, at_most: Promise) -> Self {
        let finding = None;
        Self {
            at_least,
            at_most,
            finding,
        }
    }

    fn exactly(promise: Promise) -> Self {
        Self::new(promise, promise)
    }
}

impl Judge {
    /// Judges the operations on one key, in the order of their invocation, that follow this past.
    ///
    /// Nearly always there is an order, and the search seldom backtracks. If there seems to be
    /// none, a read that is wrong by itself says so at once. Only then is it worth a long search.
    pub(super) fn range(&mut self, past: &Past, ops: &[Op]) -> Range {
        let few = self.steps.min(4 * ops.len() as u64 + 64);
        let quick = self.search.run(past, ops, false, few);
        if quick == Answer::Yes {
            return Range::exactly(Promise::Linearizable);
        }
        match Reads::new(past, ops).worst(self.steps) {
            Err(_) => Range::new(Promise::Nothing, Promise::Linearizable),
            Ok(None) => self.orders(past, ops, quick),
            Ok(Some(finding)) => {
                let finding = Some(finding);
                let below = finding
                    .as_ref()
                    .map_or(Promise::Nothing, |it| it.flaw.leaves());
                Range {
                    finding,
                    ..Range::exactly(below)
                }
            }
        }
    }

    /// No read is stale; which of the two strongest promises holds besides?
    fn orders(&mut self, past: &Past, ops: &[Op], quick: Answer) -> Range {
        let strict = match quick {
            Answer::Unknown => self.search.run(past, ops, false, self.steps),
            known => known,
        };
        if strict == Answer::Yes {
            return Range::exactly(Promise::Linearizable);
        }
        let is_unknown = strict == Answer::Unknown;
        let best = if is_unknown {
            Promise::Linearizable
        } else {
            Promise::MayLose
        };
        match self.search.run(past, ops, true, self.steps) {
            Answer::Yes => Range::new(Promise::MayLose, best),
            Answer::No => Range::exactly(Promise::NoStaleRead),
            Answer::Unknown => Range::new(Promise::NoStaleRead, best),
        }
    }
}

impl Flaw {
    /// The strongest promise that it does not break.
    fn leaves(self) -> Promise {
        match self {
            Self::Invented => Promise::Nothing,
            Self::Expired => Promise::NoInventedValue,
            Self::Outdated | Self::Stale | Self::Resurrected => Promise::NoExpiredRead,
        }
    }
}
