//! How a replica carries out what a client asks: it asks the owners (see `reading.rs`) and tells
//! them (see `writing.rs`), and counts who has answered, as a set of owners and never as a number.

use super::decision::Then;
use super::message::{Answer, Bytes, Message, Record, Request, RequestId, Shortfall, Version};
use super::owners::{Owners, Places, Quorum};
use super::reading::Reading;
use super::writing::Writing;
use super::{Context, Replica};
use crate::history::Action;
use crate::id::NodeId;
use crate::network::Endpoint;
use crate::time::Instant;

/// A request that is being carried out.
pub struct Pending {
    from: Endpoint,
    pub key: Bytes,
    pub request: Request,
    pub owners: Owners,
    pub phase: Phase,
    /// When it began.
    begun: Instant,
    pub due: Instant,
}

pub enum Phase {
    Reading(Reading),
    Writing(Writing),
}

impl Pending {
    pub fn new(
        ctx: &Context<'_>,
        from: Endpoint,
        key: Bytes,
        request: Request,
        phase: Phase,
    ) -> Self {
        Self {
            from,
            owners: ctx.rules.owners(&key),
            key,
            request,
            phase,
            begun: ctx.now,
            due: ctx.now.later(ctx.rules.timeout),
        }
    }

    /// Whether it is no client's request, and all that it can see in this instant has been seen.
    pub fn is_vain(&self, now: Instant) -> bool {
        self.from != Endpoint::Client && self.begun == now
    }

    /// Who of those that are too few has answered, and who has not.
    pub fn shortfall(&self, ctx: &Context<'_>, quorum: Quorum, answered: Places) -> Shortfall {
        let (group, needed) = self.owners.short_of(answered, quorum, ctx.rules);
        let missing = group.without(answered);
        Shortfall {
            needed,
            answered: self.owners.at(group.without(missing)),
            missing: self.owners.at(missing),
            before: self.owners.are_before(group),
        }
    }
}

impl Replica {
    /// Begins what a client asks.
    pub(super) fn begin(
        &mut self,
        ctx: &mut Context<'_>,
        id: RequestId,
        from: Endpoint,
        key: Bytes,
        request: Request,
    ) {
        let write = match &request.action {
            Action::Put { value, deadline } => Some(Record {
                version: request.version,
                value: Some(Bytes::from(&**value)),
                deadline: *deadline,
            }),
            _ => None,
        };
        let phase = Phase::Reading(Reading::starting_at(ctx));
        let pending = Box::new(Pending::new(ctx, from, key, request, phase));
        match write {
            Some(record) => {
                let writing = Writing::new(record, None, Then::from(Answer::Done));
                self.write(ctx, id, pending, writing);
            }
            None => self.read(ctx, id, pending),
        }
    }

    /// A node has crashed since it answered: what it acknowledged may be lost.
    pub(super) fn discount(&mut self, node: NodeId) {
        for pending in self.pending.values_mut() {
            let Some(place) = pending.owners.place_of(node) else {
                continue;
            };
            match &mut pending.phase {
                Phase::Reading(reading) => reading.discount(place),
                Phase::Writing(writing) => writing.discount(place),
            }
        }
    }

    /// An owner is down, or does not serve.
    pub(super) fn unavailable(
        &mut self,
        ctx: &mut Context<'_>,
        (id, round): (RequestId, Option<Version>),
        from: Endpoint,
    ) {
        let Some((mut pending, place)) = self.take(id, from) else {
            return self.caught_up_with(ctx, id, from);
        };
        match &mut pending.phase {
            Phase::Reading(reading) if reading.is_of(round) => {
                reading.fail(place);
                self.read_on(ctx, id, pending);
            }
            Phase::Writing(writing) if round.is_none() => {
                writing.fail(place);
                self.write_on(ctx, id, pending);
            }
            // It could not answer a question that is of no interest any more.
            Phase::Reading(_) | Phase::Writing(_) => {
                self.pending.insert(id, pending);
            }
        }
    }

    /// The owners of keys have changed: what is under way goes by the new ones from now on.
    pub(super) fn change_owners(&mut self, ctx: &mut Context<'_>) {
        let ids: Vec<RequestId> = self.pending.keys().copied().collect();
        for id in ids {
            let Some(mut pending) = self.pending.remove(&id) else {
                continue;
            };
            let owners = ctx.rules.owners(&pending.key);
            if owners == pending.owners {
                self.pending.insert(id, pending);
                continue;
            }
            match &pending.phase {
                Phase::Writing(_) => self.write_to_others(ctx, id, pending),
                Phase::Reading(_) => {
                    pending.owners = owners;
                    pending.due = ctx.now.later(ctx.rules.timeout);
                    self.read_anew(ctx, id, pending);
                }
            }
        }
    }

    /// Gives up waiting where the time has come.
    pub(super) fn time_out(&mut self, ctx: &mut Context<'_>) {
        while self.next_wait().is_some_and(|due| due <= ctx.now) {
            if self.sync.as_ref().is_some_and(|sync| sync.due <= ctx.now) {
                self.ask_again(ctx);
            }
            let late = self.pending.iter().find(|(_, it)| it.due <= ctx.now);
            let Some(id) = late.map(|(id, _)| *id) else {
                continue;
            };
            if let Some(pending) = self.pending.remove(&id) {
                self.lose_patience(ctx, id, pending);
            }
        }
    }

    fn lose_patience(&mut self, ctx: &mut Context<'_>, id: RequestId, mut pending: Box<Pending>) {
        pending.due = ctx.now.later(ctx.rules.timeout);
        let all = pending.owners.all();
        match &mut pending.phase {
            Phase::Writing(writing) => {
                writing.lose_patience(all);
                self.write_on(ctx, id, pending);
            }
            Phase::Reading(_) => self.read_or_fail(ctx, id, pending),
        }
    }

    /// The request and the place of an owner that says something about it.
    pub(super) fn take(&mut self, id: RequestId, from: Endpoint) -> Option<(Box<Pending>, usize)> {
        let Endpoint::Node(node) = from else {
            return None;
        };
        let place = self.pending.get(&id)?.owners.place_of(node)?;
        let pending = self.pending.remove(&id)?;
        Some((pending, place))
    }

    /// Tells the client.
    pub(super) fn answer(
        &mut self,
        ctx: &mut Context<'_>,
        id: RequestId,
        pending: &Pending,
        answer: Answer,
    ) {
        if let (true, Answer::Value(found)) = (pending.request.counts, &answer) {
            self.node.count_get(&pending.key, found.is_some());
        }
        ctx.send(pending.from, Message::Answer { id, answer });
    }
}
