//! What a cluster promises, and the record of requests by which that can be judged.

use super::{Cluster, FIRST_VERSION};
use crate::checker::{Promise, fold};
use crate::config::{Config, ConfigError};
use crate::eviction::Eviction;
use crate::history::{History, OpId};
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

    /// The promise for every key: the weakest of [`Cluster::promise_of`].
    #[must_use]
    pub fn promise(&self) -> Promise {
        let limits = &self.limits;
        let promise = self.common_promise().min(limits.restarts);
        limits.of_some_key(promise)
    }

    /// The promise for a key, by which CHECK judges: the weakest that held at any time since the
    /// history began. N is the number of owners of a key.
    ///
    /// - With W + R > N: a linearizable register with expiry.
    /// - With W = N and R = 1 < N: no stale read. A read sees every acknowledged write; but it repairs
    ///   nothing, so a write whose outcome is unknown may be seen, and then not be seen.
    /// - With W + R <= N, or with several owners on nodes that evict: no expired read. An owner that is
    ///   asked may have an old copy. An old copy does not have a new deadline, so for a key on which
    ///   EXPIRE, PERSIST or INCR was used: no invented value.
    /// - With one owner: linearizable but for losses as soon as a crash or an eviction may lose a value.
    /// - After W nodes have been crashed or resynchronizing at the same time: no expired read. The
    ///   same holds after any crash where nodes have a capacity and the policy `none`: a node that
    ///   returns may have no room for what it had. And after a restart `cold`, `hints` or `stale`
    ///   with several owners.
    /// - While a clock is wrong: at most no stale read, as a value may expire too early and be there
    ///   again.
    /// - A key on which ADD, CAS, INCR, EXPIRE or PERSIST was in flight together with another write: at
    ///   most no expired read, or as above no invented value. It may bring back what the other has
    ///   overwritten.
    /// - A key on which one of these had an unknown outcome, or followed a write with an unknown outcome
    ///   before an acknowledged PUT or DEL: at most no stale read. See [`crate::replica`] for the reason.
    ///
    #[must_use]
    pub fn promise_of(&self, key: &[u8]) -> Promise {
        self.promise_with_resync(key).min(self.limits.restarts)
    }

    /// What [`Cluster::promise_of`] would be if each node had restarted with `resync`. A simulation
    /// judges the other ways of a restart by this.
    #[must_use]
    pub fn promise_with_resync(&self, key: &[u8]) -> Promise {
        self.limits.of_key(key, self.common_promise())
    }

    fn common_promise(&self) -> Promise {
        self.limits.weakest.min(self.settings_promise())
    }

    /// The promise of the present settings.
    fn settings_promise(&self) -> Promise {
        let Config {
            replicas: n,
            write_quorum: w,
            read_quorum: r,
            ..
        } = self.config;
        match self.evicts() {
            true if n == 1 => Promise::MayLose,
            true => Promise::NoExpiredRead,
            false if w + r <= n => Promise::NoExpiredRead,
            false if r == 1 && n > 1 => Promise::NoStaleRead,
            false => Promise::Linearizable,
        }
    }

    /// Forgets what limited the promise before, for a history that begins. A clock that is wrong
    /// limits it still.
    fn forget_limits(&mut self) {
        self.limits.restart();
        if self.skews().next().is_some() {
            self.weaken_to(Promise::NoStaleRead);
        }
    }

    /// Whether full nodes evict.
    pub(super) fn evicts(&self) -> bool {
        self.is_bounded && self.eviction() != Some(Eviction::None)
    }

    /// Notes that the settings matter: a request is carried out by them, or entries leave by them.
    pub(super) fn weaken(&mut self) {
        self.limits.weakest = self.common_promise();
    }

    fn weaken_to(&mut self, most: Promise) {
        self.limits.weakest = self.limits.weakest.min(most);
    }

    /// Notes a wrong clock.
    pub(super) fn note_skew(&mut self, nanos: i64) {
        if nanos != 0 {
            self.weaken_to(Promise::NoStaleRead);
        }
    }

    /// Notes that a node loses its memory. If W nodes are without it, an acknowledged write may be
    /// nowhere. If nodes may be full, one that returns may have no room for what it had.
    pub(super) fn note_crash(&mut self, node: NodeId) {
        let lacks = |it: NodeId| it == node || self.lacks_memory(it);
        let lacking = self.node_ids().filter(|&it| lacks(it)).count();
        let is_bounded = self.is_bounded;
        if self.config.replicas == 1 {
            self.weaken_to(Promise::MayLose);
        } else if is_bounded || lacking >= self.config.write_quorum {
            self.weaken_to(Promise::NoExpiredRead);
        }
    }

    /// Notes how a node comes back. Only `resync` merges the records of the others before it serves.
    pub(super) fn note_restart(&mut self, how: Restart) {
        let most = match (self.config.replicas, how) {
            (_, Restart::Resync) => return,
            (1, Restart::Stale) => Promise::NoStaleRead,
            (1, _) => Promise::MayLose,
            _ => Promise::NoExpiredRead,
        };
        self.limits.restarts = self.limits.restarts.min(most);
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
        self.forget_limits();
        if self.clients.in_flight() > 0 {
            self.weaken();
        }
        let now = self.present;
        let mut history = History::new(calls, fold);
        if self.clock > FIRST_VERSION || self.rough_size() > 0 {
            history.begin_late(now);
            self.limits.may_have_old_deadlines();
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
        self.forget_limits();
    }

    pub(super) fn record_call(&mut self, now: Instant, request: &Request<'_>) -> Option<OpId> {
        if request.is_look || self.history.is_none() {
            return None;
        }
        self.weaken();
        let history = self.history.as_mut()?;
        let id = history.invoke(now, request.client, request.key, request.operation);
        history.name_latest(request.name);
        self.limits.note_call(request, id);
        Some(id)
    }

    /// Notes that a write that is recorded has been sent, and has no outcome yet.
    pub(super) fn note_sent(&mut self, request: &Request<'_>, call: Option<OpId>) {
        if let Some(call) = call.filter(|_| !request.operation.is_read()) {
            self.limits.note_sent(request, call);
        }
    }

    /// Notes the outcome of a write.
    fn note_outcome(&mut self, id: OpId, outcome: &Outcome) {
        let is_unknown = matches!(outcome, Outcome::Unknown(_));
        if !is_unknown && !self.limits.has_writes() {
            return;
        }
        let call = self.history.as_ref().and_then(|history| history.get(id));
        if let Some(call) = call.filter(|it| !it.operation.is_read()) {
            self.limits.note_outcome(call, outcome);
        }
    }

    /// Records an outcome.
    pub(super) fn record_outcome(
        &mut self,
        now: Instant,
        call: Option<OpId>,
        is_delete: bool,
        outcome: &Outcome,
    ) {
        if let Some(call) = call {
            self.note_outcome(call, outcome);
        }
        if let (Some(call), Some(history)) = (call, &mut self.history) {
            history.record_outcome(call, now, is_delete, outcome);
        }
    }
}
