//! HISTORY and CHECK: the answers that clients got, and the promise that they keep.

use super::simulated::SimulatedCluster;
use crate::checker::{self, Kept, KeyVerdict, Promise, Verdict};
use crate::history::{Call, History, OpId};
use crate::language::{Error, ErrorKind, HistoryRequest};
use crate::reply::{Judgement, Reply};
use crate::time::Instant;

/// How many calls a history keeps.
pub(super) const CALLS: usize = 10_000;

impl SimulatedCluster {
    /// Shows the history, or starts, stops or empties it.
    pub(super) fn answer_history(
        &mut self,
        now: Instant,
        request: HistoryRequest,
    ) -> Result<Reply<'static>, Error> {
        match request {
            HistoryRequest::Show(count) => return self.history(now, count),
            HistoryRequest::Record(is_on) => {
                self.is_history_off = !is_on;
                if !is_on {
                    self.cluster.end_history();
                }
                self.record(now);
            }
            HistoryRequest::Clear => self.restart_history(now),
        }
        Ok(Reply::Done)
    }

    fn history(&mut self, now: Instant, count: usize) -> Result<Reply<'static>, Error> {
        let history = self.recorded(now)?;
        let operations = history.calls();
        let skipped = operations.len().saturating_sub(count);
        Ok(Reply::History {
            operations: operations.iter().skip(skipped).cloned().collect(),
            forgotten: history.forgotten(),
        })
    }

    /// Judges the answers that clients got, by the promise that was asked for or by that of the settings.
    pub(super) fn check(
        &mut self,
        now: Instant,
        asked: Option<Promise>,
    ) -> Result<Reply<'static>, Error> {
        let promised = self.cluster.promise();
        let state = self.cluster.verify(now);
        let history = self.recorded(now)?;
        let verdict = checker::check(history, checker::DEFAULT_STEPS);
        let excerpts = excerpts(history, &verdict);
        let sent_again = checker::sent_again(history, checker::DEFAULT_STEPS);
        let sent_again = sent_again.iter().map(|ids| calls(history, ids)).collect();
        Ok(Reply::Check(Box::new(Judgement {
            excerpts,
            sent_again,
            broken: self.broken(asked, &verdict),
            promised,
            verdict,
            state,
        })))
    }

    /// The history starts again, if one is kept.
    pub(super) fn restart_history(&mut self, now: Instant) {
        if self.cluster.history().is_some() {
            self.cluster.end_history();
            self.cluster.begin_history(now, CALLS);
        }
    }

    /// Starts to record requests, unless the user has turned that off.
    pub(super) fn record(&mut self, now: Instant) {
        if !self.is_history_off {
            self.cluster.begin_history(now, CALLS);
        }
    }

    /// The history, which begins now if none is kept.
    ///
    /// # Errors
    /// If the user has turned it off.
    fn recorded(&mut self, now: Instant) -> Result<&History, Error> {
        self.record(now);
        let off = || {
            Error::new(
                ErrorKind::Refused,
                "the history is off; HISTORY on starts it",
            )
        };
        self.cluster.history().ok_or_else(off)
    }
}

/// The calls that break a promise, for each key that does.
fn excerpts(history: &History, verdict: &Verdict) -> Vec<Vec<Call>> {
    let violations = verdict.keys.iter().map(|key| key.violation.as_ref());
    let ids = violations.map(|it| it.map_or(&[][..], |it| &it.excerpt));
    ids.map(|ids| calls(history, ids)).collect()
}

fn calls(history: &History, ids: &[OpId]) -> Vec<Call> {
    let found = ids.iter().filter_map(|&id| history.get(id));
    found.cloned().collect()
}

/// How the worst of some keys has kept the promise that it has.
fn worst<'a>(
    keys: impl Iterator<Item = &'a KeyVerdict>,
    promise_of: impl Fn(&[u8]) -> Promise,
) -> Option<(Promise, Kept)> {
    let kept = keys.map(|key| {
        let promise = promise_of(&key.key);
        (promise, key.kept(promise))
    });
    let is_broken = |it: &(Promise, Kept)| it.1 == Kept::No;
    kept.filter(|it| it.1 != Kept::Yes)
        .min_by_key(|it| (!is_broken(it), it.0))
}

impl SimulatedCluster {
    /// Whether a key has less than was promised of it, or than was asked for.
    fn broken(&self, asked: Option<Promise>, verdict: &Verdict) -> Option<Error> {
        let promise_of = |key: &[u8]| asked.unwrap_or_else(|| self.cluster.promise_of(key));
        let (promise, kept) = worst(verdict.keys.iter(), promise_of)?;
        let source = match asked {
            Some(_) => "asked for",
            None => "of these settings",
        };
        let (kind, message) = if kept == Kept::No {
            let message = format!("the promise {source}, {promise}, was broken");
            (ErrorKind::Broken, message)
        } else {
            let what = format!("whether the promise {source}, {promise}, was kept is not known");
            (ErrorKind::Undecided, format!("undecided: {what}"))
        };
        Some(Error::new(kind, message))
    }
}
