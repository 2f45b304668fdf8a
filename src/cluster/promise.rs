//! What a cluster promises, and the record of requests by which that can be judged.

use super::{Cluster, FIRST_VERSION};
use crate::checker::{Promise, fold};
use crate::config::{Config, ConfigError};
use crate::history::{History, OpId, Outcome as Told};
use crate::id::NodeId;
use crate::operation::Outcome;
use crate::replica::Restart;
use crate::time::Instant;

use super::Request;

/// How many keys a history that begins late starts with, each with its value.
const MAX_KEYS_AT_START: u64 = 100_000;

impl Cluster {
    /// From now on a write is acknowledged when `write` owners have it, and a read asks `read`
    /// owners. Requests in flight use the old numbers or the new ones.
    ///
    /// # Errors
    /// [`ConfigError::Quorum`] if one is not between 1 and the number of replicas; nothing has
    /// changed then.
    pub fn set_quorum(
        &mut self,
        now: Instant,
        write: usize,
        read: usize,
    ) -> Result<(), ConfigError> {
        self.tick(now);
        let config = Config {
            write_quorum: write,
            read_quorum: read,
            ..self.config
        };
        config.check_quorums()?;
        if self.clients.in_flight() > 0 {
            self.weaken();
        }
        self.config = config;
        Ok(())
    }

    /// The promise for every key, by which CHECK judges: the weakest that held at any time since
    /// the history began.
    ///
    /// - With W + R > N, W > N / 2 and R > 1: a linearizable register with expiry.
    /// - With W = N and R = 1: no stale read. A read sees every acknowledged write; but it asks one
    ///   owner only, so a write whose outcome is unknown may be seen, and then not be seen.
    /// - With one owner: a linearizable register that may lose its value by a crash.
    /// - Everything else answers faster, and promises no invented value. The same holds with copies
    ///   on nodes with a capacity, since nodes evict what a quorum counts on; after W nodes have been
    ///   without their memory at a time; and after a restart `cold`, `hints` or `stale`. (An expired
    ///   read is possible there: an old copy knows nothing of a new deadline.)
    /// - While a clock is wrong: at most no stale read, as a value may expire too early and be there
    ///   again.
    #[must_use]
    pub fn promise(&self) -> Promise {
        self.weakest.min(self.settings_promise())
    }

    /// The promise of the present settings.
    fn settings_promise(&self) -> Promise {
        let Config {
            replicas: n,
            write_quorum: w,
            read_quorum: r,
            ..
        } = self.config;
        match (n, r) {
            (1, _) => Promise::MayLose,
            _ if self.config.capacity.is_bounded() => Promise::NoInventedValue,
            (_, 1) if w == n => Promise::NoStaleRead,
            (_, 2..) if w + r > n && 2 * w > n => Promise::Linearizable,
            _ => Promise::NoInventedValue,
        }
    }

    /// Forgets what held before, for a history that begins.
    fn forget_weakest(&mut self) {
        let has_skew = self.skews().next().is_some();
        self.weakest = if has_skew {
            Promise::NoStaleRead
        } else {
            Promise::Linearizable
        };
    }

    /// Notes that the settings matter: a request is carried out by them, or entries leave by them.
    pub(super) fn weaken(&mut self) {
        self.weakest = self.promise();
    }

    fn weaken_to(&mut self, most: Promise) {
        self.weakest = self.weakest.min(most);
    }

    /// Notes a wrong clock.
    pub(super) fn note_skew(&mut self, nanos: i64) {
        if nanos != 0 {
            self.weaken_to(Promise::NoStaleRead);
        }
    }

    /// Notes that a node loses its memory. If W nodes are without it, an acknowledged write may be
    /// nowhere.
    pub(super) fn note_crash(&mut self, node: NodeId) {
        let lacks = |it: NodeId| it == node || self.lacks_memory(it);
        let lacking = self.node_ids().filter(|&it| lacks(it)).count();
        if self.config.replicas > 1 && lacking >= self.config.write_quorum {
            self.weaken_to(Promise::NoInventedValue);
        }
    }

    /// Notes how a node comes back. Only `resync` merges the records of the others before it serves.
    pub(super) fn note_restart(&mut self, how: Restart) {
        if how == Restart::Resync {
            return;
        }
        let most = match (self.config.replicas, how) {
            (1, Restart::Stale) => Promise::NoStaleRead,
            (1, _) => Promise::MayLose,
            _ => Promise::NoInventedValue,
        };
        self.weaken_to(most);
    }

    /// The history of requests, if one is kept.
    #[must_use]
    pub fn history(&self) -> Option<&History> {
        self.history.as_ref()
    }

    /// Starts to record requests, if that is off, and keeps the latest `calls` of them. Every key
    /// starts with the value that is stored; if there are more than 100,000, with anything. Cost: a
    /// look at every copy.
    pub fn begin_history(&mut self, now: Instant, calls: usize) {
        if self.history.is_some() {
            return;
        }
        self.tick(now);
        self.forget_weakest();
        if self.clients.in_flight() > 0 {
            self.weaken();
        }
        let now = self.present;
        let mut history = History::new(calls, fold);
        if self.clock > FIRST_VERSION || self.rough_size() > 0 {
            history.begin_late(now);
        }
        if self.rough_size() > MAX_KEYS_AT_START {
            history.start_unknown();
        } else {
            self.for_each_key(|key, value, deadline| history.start_from(key, value, deadline));
        }
        self.history = Some(history);
    }

    /// Stops recording, and forgets what was recorded.
    pub fn end_history(&mut self) {
        self.history = None;
        self.forget_weakest();
    }

    pub(super) fn record_call(&mut self, now: Instant, request: &Request<'_>) -> Option<OpId> {
        if request.is_look || self.history.is_none() {
            return None;
        }
        self.weaken();
        let history = self.history.as_mut()?;
        Some(history.invoke(now, request.client, request.key, request.operation))
    }

    /// Records an outcome. Whether a delete found something is no promise: two deletes at once may
    /// both find it.
    pub(super) fn record_outcome(
        &mut self,
        now: Instant,
        call: Option<OpId>,
        is_delete: bool,
        outcome: &Outcome,
    ) {
        if let (Some(call), Some(history)) = (call, &mut self.history) {
            let number;
            let told = match outcome {
                Outcome::Done => Told::Done,
                Outcome::Applied(_) if is_delete => Told::Done,
                Outcome::Applied(applied) => Told::Applied(*applied),
                Outcome::Value(found) => Told::Value(found.as_ref().map(|it| &*it.value)),
                Outcome::Number(sum) => {
                    number = sum.to_string();
                    Told::value(number.as_bytes())
                }
                Outcome::Refused(_) => Told::Refused,
                Outcome::Unknown(_) => Told::Unknown,
            };
            history.complete(call, now, told);
        }
    }
}
