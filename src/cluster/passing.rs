//! Advances the time of the cluster.
//!
//! A tick leads to an instant. It expires the entries whose deadlines have come, in the order of
//! deadline, node and writing, delivers messages and runs timeouts.

use super::Cluster;
use super::delivery::rules;
use crate::id::NodeId;
use crate::time::Instant;

impl Cluster {
    /// Expires entries, delivers messages and handles timeouts, up to `now`.
    #[inline]
    pub fn tick(&mut self, now: Instant) {
        while self.tick_some(now, usize::MAX) {}
    }

    /// Like [`Cluster::tick`], but stops after `limit` expiries; `true` if more is due.
    #[inline]
    pub fn tick_some(&mut self, now: Instant, limit: usize) -> bool {
        self.log.trim();
        self.advance(now, limit)
    }

    /// Like [`Cluster::tick_some`] within a command: drops no event of it.
    #[inline]
    pub(super) fn advance(&mut self, now: Instant, limit: usize) -> bool {
        let now = now.max(self.present);
        if self.is_idle_until(now) {
            self.present = now;
            return false;
        }
        self.tick_due(now, limit)
    }

    /// Whether nothing is due at `now`; `false` if that takes a look at messages or requests.
    #[inline]
    fn is_idle_until(&self, now: Instant) -> bool {
        let is_later = |due: Option<Instant>| due.is_none_or(|due| due > now);
        self.quiescent == Some(true)
            && self.network.is_undisturbed()
            && is_later(self.timeouts.next())
            && is_later(self.deadlines.next())
    }

    fn tick_due(&mut self, now: Instant, limit: usize) -> bool {
        let mut left = limit;
        while let Some(at) = self.next_step().filter(|&at| at <= now) {
            let at = at.max(self.present);
            if self.expire_some(at, &mut left) {
                return true;
            }
            self.present = at;
            self.step_at(at);
            self.is_quiescent();
        }
        if self.expire_some(now, &mut left) {
            return true;
        }
        self.present = now;
        false
    }

    /// When [`Cluster::tick`] has something to do next: at or before the earliest deadline. `None`
    /// as long as nothing is scheduled.
    #[inline]
    pub fn next_deadline(&mut self) -> Option<Instant> {
        match (self.deadlines.next(), self.next_step()) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// When the next key expires, at the earliest; `None` as long as no key has a deadline.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// Expires entries that are due at `now`, at most `left`; `true` if there are more.
    #[inline]
    pub(super) fn expire_some(&mut self, now: Instant, left: &mut usize) -> bool {
        if self.deadlines.next().is_none_or(|next| next > now) {
            return false;
        }
        while *left > 0 {
            if !self.expire_next(now) {
                return false;
            }
            *left -= 1;
        }
        true
    }

    /// Expires the entry that is first by deadline, node and order of writing.
    #[inline(never)]
    fn expire_next(&mut self, now: Instant) -> bool {
        let alone = self.config.replicas == 1 && self.moving.is_none() && self.is_quiescent();
        let rules = rules(
            &self.config,
            &*self.placement,
            self.moving.as_ref(),
            self.layout_version,
        );
        while let Some((at, id)) = self.deadlines.first().filter(|(at, _)| *at <= now) {
            let Some(hosted) = self.nodes.get_mut(id) else {
                return false;
            };
            let found = hosted.replica.next_due(now) == Some(at);
            let moved = found && self.moving.is_some() && self.has_moved(id);
            let Some(hosted) = self.nodes.get_mut(id) else {
                return false;
            };
            let replica = &mut hosted.replica;
            if found {
                let (clock, log) = (&mut self.clock, &mut self.log);
                replica.expire_next(self.present, clock, &rules, (alone, moved), log);
            }
            let next = replica.next_due(now).or_else(|| replica.next_expiry());
            self.deadlines.set(id, next);
            if !alone {
                self.timeouts.set(id, replica.next_timeout());
            }
            if found {
                return true;
            }
        }
        false
    }

    /// Whether the entry of a node that is due belongs to other nodes now, and one of those has it, or
    /// had it.
    fn has_moved(&self, node: NodeId) -> bool {
        let replica = &self.nodes[node].replica;
        let Some((_, slot)) = replica.node.peek_due() else {
            return false;
        };
        let (key, version) = (replica.node.entry(slot).0, replica.node.version(slot));
        let owners = self.rules().layout.owners(key);
        let has_it = |owner: &NodeId| {
            let hosted = self.nodes.get(*owner);
            hosted.is_some_and(|it| it.runs() && it.replica.locate(key).version() >= version)
        };
        let is_copied = self.moving.as_ref().is_some_and(|moving| moving.copied);
        !owners.contains(&node) && (is_copied || owners.iter().any(has_it))
    }

    /// Notes that an entry of a node may expire at `deadline`.
    #[inline]
    pub(super) fn expect(&mut self, node: NodeId, deadline: Option<Instant>) {
        if let Some(deadline) = deadline {
            self.deadlines.expect(node, deadline);
        }
    }
}
