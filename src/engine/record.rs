//! HISTORY and CHECK: what clients were told, and the promise that it keeps.
//!
//! The servers promise nothing, so CHECK alone reports; CHECK of a promise fails if that was broken.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::checker::{self, Promise};
use crate::history::{History, OpId, Outcome as Told};
use crate::language::{Error, ErrorKind, HistoryRequest};
use crate::operation::{Operation, Outcome};
use crate::reply::{Reply, State};
use crate::session::{broken, judge};
use crate::time::Instant;

/// How many calls a history keeps.
const CALLS: usize = 100_000;
const PERSIST: Operation<&[u8]> = Operation::SetDeadline { deadline: None };

/// The history of all clients, which several threads record.
#[derive(Clone, Default)]
pub struct Record {
    history: Arc<Mutex<Option<History>>>,
    clock_error: Duration,
}

impl Record {
    /// A history that is on. `is_fresh`: the servers are empty. Otherwise a key may start with
    /// anything. The clocks of the servers may be off by `clock_error`.
    #[must_use]
    pub fn new(is_fresh: bool, clock_error: Duration) -> Self {
        let record = Self {
            clock_error,
            ..Self::default()
        };
        record.begin(Instant::START, is_fresh);
        record
    }

    fn lock(&self) -> MutexGuard<'_, Option<History>> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, now: Instant, is_fresh: bool) {
        let mut history = History::new(CALLS, checker::fold);
        history.set_clock_error(self.clock_error);
        if !is_fresh {
            history.begin_late(now);
            history.start_unknown();
        }
        *self.lock() = Some(history);
    }

    /// Records that a client asks for something.
    pub fn invoke(
        &self,
        now: Instant,
        client: u32,
        key: &[u8],
        operation: &Operation<&[u8]>,
    ) -> Option<OpId> {
        let mut history = self.lock();
        Some(history.as_mut()?.invoke(now, client, key, *operation))
    }

    /// Records what it was told.
    pub fn complete(
        &self,
        now: Instant,
        call: Option<OpId>,
        operation: &Operation<&[u8]>,
        outcome: &Outcome,
    ) {
        let mut history = self.lock();
        let (Some(history), Some(call)) = (history.as_mut(), call) else {
            return;
        };
        // PERSIST of a key without a deadline and of an absent key have one answer.
        if *operation == PERSIST && *outcome == Outcome::Applied(false) {
            return history.complete(call, now, Told::Refused);
        }
        let is_delete = *operation == Operation::Delete;
        history.record_outcome(call, now, is_delete, outcome);
    }

    /// What was done outside of the history, such as CLEAR, makes it begin anew.
    pub fn restart(&self, now: Instant) {
        if self.lock().is_some() {
            self.begin(now, false);
        }
    }

    /// Answers HISTORY.
    ///
    /// # Errors
    /// If it is off.
    pub fn answer(&self, now: Instant, request: HistoryRequest) -> Result<Reply<'static>, Error> {
        match request {
            HistoryRequest::Show(count) => return self.show(count),
            HistoryRequest::Record(true) if self.lock().is_none() => self.begin(now, false),
            HistoryRequest::Record(true) => {}
            HistoryRequest::Record(false) => *self.lock() = None,
            HistoryRequest::Clear => self.restart(now),
        }
        Ok(Reply::Done)
    }

    fn show(&self, count: usize) -> Result<Reply<'static>, Error> {
        let history = self.lock();
        let history = history.as_ref().ok_or_else(off)?;
        let operations = history.calls();
        let skipped = operations.len().saturating_sub(count);
        Ok(Reply::History {
            operations: operations.iter().skip(skipped).cloned().collect(),
            forgotten: history.forgotten(),
        })
    }

    /// Judges what clients were told. `state` is that of the servers.
    ///
    /// # Errors
    /// If the history is off.
    pub fn check(&self, asked: Option<Promise>, state: State) -> Result<Reply<'static>, Error> {
        let history = self.lock();
        let history = history.as_ref().ok_or_else(off)?;
        let promised = asked.unwrap_or(Promise::Nothing);
        let mut judgement = judge(history, promised, state);
        judgement.broken =
            asked.and_then(|asked| broken(&judgement.verdict, "asked for", |_| asked));
        Ok(Reply::Check(Box::new(judgement)))
    }
}

fn off() -> Error {
    Error::new(
        ErrorKind::Refused,
        "the history is off; HISTORY on starts it",
    )
}
