//! The requests that a replica coordinates.

use std::collections::{BTreeMap, VecDeque};

use super::Context;
use super::message::{Request, RequestId};
use super::owners::{OwnerSet, Owners, Quorum};
use super::reading::Reading;
use super::timers::Timers;
use super::writing::Writing;
use crate::network::Endpoint;
use crate::operation::{Bytes, Group, Shortfall};
use crate::time::Instant;

/// The most writes whose client has its answer and whose other owners have not answered. Beyond it
/// the oldest is not waited for any longer.
const MAX_BACKGROUND: usize = 10_000;

/// A request that is being carried out.
#[derive(Clone)]
pub(super) struct Pending {
    pub from: Endpoint,
    pub key: Bytes,
    pub request: Request,
    pub owners: Owners,
    pub phase: Phase,
    pub started: Instant,
    pub due: Instant,
    /// The time for which a timer is set.
    timer: Instant,
}

/// What a request waits for.
#[derive(Clone)]
pub(super) enum Phase {
    Reading(Reading),
    Writing(Writing),
}

impl Pending {
    pub(super) fn new(
        ctx: &Context<'_>,
        from: Endpoint,
        key: Bytes,
        request: Request,
        phase: Phase,
    ) -> Box<Self> {
        Box::new(Self {
            from,
            owners: ctx.rules.owners(&key),
            key,
            request,
            phase,
            started: ctx.now,
            due: ctx.now.saturating_add(ctx.rules.timeout),
            timer: Instant::MAX,
        })
    }

    /// Whether it is a repair that has started in this instant: another one could learn nothing new.
    pub(super) fn is_fresh_repair(&self, now: Instant) -> bool {
        matches!(self.from, Endpoint::Node(_)) && self.started == now
    }

    /// Why there are too few owners, given those that have done it.
    pub(super) fn shortfall(
        &self,
        ctx: &Context<'_>,
        quorum: Quorum,
        done: OwnerSet,
    ) -> Box<Shortfall> {
        let (group, needed) = self.owners.short_of(done, quorum, ctx.rules);
        let (down, outdated, refused) = match &self.phase {
            Phase::Reading(reading) => (reading.failed, OwnerSet::default(), &[][..]),
            Phase::Writing(writing) => (writing.down, writing.outdated, &writing.refused[..]),
        };
        let mut full = OwnerSet::default();
        for &(index, _) in refused {
            full.add(index);
        }
        let named = done.union(down).union(outdated).union(full);
        let nodes = |set: OwnerSet| self.owners.nodes(group.intersection(set));
        let refused = refused.iter().filter(|(index, _)| group.has(*index));
        Box::new(Shortfall {
            needed,
            answered: nodes(done),
            silent: nodes(group.difference(named)),
            down: nodes(down.difference(done)),
            outdated: nodes(outdated),
            refused: refused
                .map(|&(index, error)| (self.owners[index], error))
                .collect(),
            group: if self.owners.is_before(group) {
                Group::OwnersBefore
            } else {
                Group::Owners
            },
        })
    }
}

/// The requests that a replica coordinates.
#[derive(Clone, Default)]
pub(super) struct PendingRequests {
    pub requests: BTreeMap<RequestId, Box<Pending>>,
    timers: Timers<RequestId>,
    /// Writes whose client has its answer, oldest first. Some may be over.
    background: VecDeque<RequestId>,
}

impl PendingRequests {
    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.requests.clear();
        self.timers.clear();
        self.background.clear();
    }

    pub(super) fn insert(&mut self, id: RequestId, mut pending: Box<Pending>) {
        let due = pending.due;
        if pending.timer != due {
            pending.timer = due;
            let Self {
                requests, timers, ..
            } = self;
            let is_live = |due, id| requests.get(&id).is_some_and(|it| it.due == due);
            timers.push(due, id, requests.len() + 1, is_live);
        }
        self.requests.insert(id, pending);
    }

    /// The earliest due time, and whose it is.
    pub(super) fn first_due(&mut self) -> Option<(Instant, RequestId)> {
        let requests = &self.requests;
        let is_live = |due, id| requests.get(&id).is_some_and(|it| it.due == due);
        self.timers.first(is_live)
    }

    /// Adds a write to those in the background; returns one that is too many.
    pub(super) fn add_background(&mut self, id: RequestId) -> Option<RequestId> {
        self.background.push_back(id);
        if self.background.len() <= MAX_BACKGROUND {
            while let Some(first) = self.background.front()
                && *first != id
                && !self.requests.contains_key(first)
            {
                self.background.pop_front();
            }
            return None;
        }
        self.background.pop_front()
    }
}
