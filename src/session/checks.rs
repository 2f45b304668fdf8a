//! HISTORY and CHECK: the answers that clients got, and the promise that they keep.

use super::judging::{broken, judge};
use super::simulated::SimulatedCluster;
use crate::checker::Promise;
use crate::history::History;
use crate::language::{Error, ErrorKind, HistoryRequest};
use crate::reply::{Reply, State};
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
        let mut judgement = judge(history, promised, State::Copies(state));
        judgement.broken = match asked {
            Some(asked) => broken(&judgement.verdict, "asked for", |_| asked),
            None => broken(&judgement.verdict, "of these settings", |key| {
                self.cluster.promise_of(key)
            }),
        };
        Ok(Reply::Check(Box::new(judgement)))
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
