//! HISTORY and CHECK: what clients were told, and what that shows.

use super::simulated::SimulatedCluster;
use crate::checker::{self, Kept, Promise, Verdict};
use crate::history::{Call, History};
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
    ) -> Reply<'static> {
        match request {
            HistoryRequest::Show(count) => return self.history(now, count),
            HistoryRequest::Record(true) => self.cluster.begin_history(now, CALLS),
            HistoryRequest::Record(false) => self.cluster.end_history(),
            HistoryRequest::Clear => self.restart_history(now),
        }
        Reply::Done
    }

    fn history(&mut self, now: Instant, count: usize) -> Reply<'static> {
        let history = self.recorded(now);
        let operations = history.calls();
        let skipped = operations.len().saturating_sub(count);
        Reply::History {
            operations: operations.iter().skip(skipped).cloned().collect(),
            forgotten: history.forgotten(),
        }
    }

    /// Judges what clients were told, by the promise that was asked for or by that of the settings.
    pub(super) fn check(&mut self, now: Instant, asked: Option<Promise>) -> Reply<'static> {
        let promised = self.cluster.promise();
        let state = self.cluster.verify(now);
        let history = self.recorded(now);
        let verdict = checker::check(history, checker::DEFAULT_STEPS);
        Reply::Check(Box::new(Judgement {
            excerpts: excerpts(history, &verdict),
            broken: broken(promised, asked, &verdict),
            promised,
            verdict,
            state,
        }))
    }

    /// The history starts again, if one is kept.
    pub(super) fn restart_history(&mut self, now: Instant) {
        if self.cluster.history().is_some() {
            self.cluster.end_history();
            self.cluster.begin_history(now, CALLS);
        }
    }

    /// The history, which begins now if none is kept.
    fn recorded(&mut self, now: Instant) -> &History {
        self.cluster.begin_history(now, CALLS);
        self.cluster.history().expect("it has begun")
    }
}

/// The calls that break a promise, for each key that does.
fn excerpts(history: &History, verdict: &Verdict) -> Vec<Vec<Call>> {
    let keys = verdict.keys.iter();
    let ids = keys.map(|key| key.violation.iter().flat_map(|it| &it.excerpt));
    ids.map(|ids| ids.filter_map(|&id| history.get(id).cloned()).collect())
        .collect()
}

fn broken(promised: Promise, asked: Option<Promise>, verdict: &Verdict) -> Option<Error> {
    let (promise, source) = match asked {
        Some(asked) => (asked, "asked for"),
        None => (promised, "of these settings"),
    };
    match verdict.kept(promise) {
        Kept::Yes => None,
        Kept::No => {
            let message = format!("the promise {source}, {promise}, was broken");
            Some(Error::new(ErrorKind::Broken, message))
        }
        Kept::Unknown => {
            let message = format!(
                "undecided: whether the promise {source}, {promise}, was kept is not known"
            );
            Some(Error::new(ErrorKind::Undecided, message))
        }
    }
}
