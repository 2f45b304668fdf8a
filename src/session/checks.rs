//! What clients were told, and what that shows.

use super::Session;
use crate::checker::{self, Kept, Promise, Verdict};
use crate::history::{History, Operation};
use crate::language::{Error, ErrorKind};
use crate::reply::{Judgement, Reply};
use crate::time::Instant;

/// How many operations are recorded.
pub(super) const OPERATIONS: usize = 10_000;

impl Session {
    pub(super) fn history(&mut self, now: Instant, count: usize) -> Result<Reply<'static>, Error> {
        let history = self.recorded(now)?;
        let operations = history.operations();
        let skipped = operations.len().saturating_sub(count);
        Ok(Reply::History {
            operations: operations.iter().skip(skipped).cloned().collect(),
            unrecorded: history.unrecorded(),
        })
    }

    /// Judges what clients were told.
    pub(super) fn check_history(&mut self, now: Instant) -> Result<Reply<'static>, Error> {
        let promised = self.cluster.promise();
        let state = self.cluster.verify(now);
        let history = self.recorded(now)?;
        let verdict = checker::check(history, checker::DEFAULT_STEPS);
        Ok(Reply::Check(Box::new(Judgement {
            excerpts: excerpts(history, &verdict),
            broken: broken(promised, &verdict),
            promised,
            verdict,
            state,
        })))
    }

    /// The clock starts anew, and with it the history.
    pub(super) fn forget_history(&mut self) {
        if self.cluster.history().is_some() {
            let now = self.now();
            self.cluster.record_history(0);
            self.cluster.begin_history(now, OPERATIONS);
        }
    }

    /// The history, which begins now if it has not begun.
    fn recorded(&mut self, now: Instant) -> Result<&History, Error> {
        self.cluster.begin_history(now, OPERATIONS);
        let message = "nothing is recorded, as there were more than 100,000 keys when it should \
                       have begun: CLEAR, and ask for HISTORY again";
        let history = self.cluster.history();
        history.ok_or_else(|| Error::new(ErrorKind::Refused, message))
    }
}

/// The operations that break a promise, for each key that does.
fn excerpts(history: &History, verdict: &Verdict) -> Vec<Vec<Operation>> {
    let keys = verdict.keys.iter();
    let ids = keys.map(|key| key.violation.iter().flat_map(|it| &it.excerpt));
    ids.map(|ids| ids.filter_map(|&id| history.get(id).cloned()).collect())
        .collect()
}

fn broken(promised: Promise, verdict: &Verdict) -> Option<Error> {
    let message = format!("the promise of these settings, {promised}, was broken");
    let broken = verdict.kept(promised) == Kept::No;
    broken.then(|| Error::new(ErrorKind::Broken, message))
}
