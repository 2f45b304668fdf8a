//! The coordinator of a request: it reads from the owners of the key (see `reading.rs`), decides
//! (`decision.rs`), and writes to them (`writing.rs`). It counts the owners that have answered as a
//! set, never as a number.

use super::decision::{Decision, decide};
use super::message::{Base, Message, Record, Request, RequestId, Version, Written};
use super::owners::{Owners, Quorum};
use super::pending::{Pending, Phase};
use super::reading::{NextRead, Reading};
use super::writing::{NextWrite, PendingAnswer, Writing};
use super::{Context, Replica};
use crate::config::InjectedBug;
use crate::hash::Hashed;
use crate::id::NodeId;
use crate::network::Endpoint;
use crate::node::Origin;
use crate::operation::{Bytes, Operation, Outcome, Refusal};

impl Replica {
    /// Starts what a client asks.
    pub(super) fn begin(
        &mut self,
        ctx: &mut Context<'_>,
        id: RequestId,
        from: Endpoint,
        key: Bytes,
        request: Request,
    ) {
        let write = match &request.operation {
            Operation::Put { value, deadline } => Some(Record {
                version: request.version,
                value: Some(value.clone()),
                deadline: *deadline,
            }),
            _ => None,
        };
        let phase = Phase::Reading(Reading::starting_at(ctx.now, *ctx.clock));
        let pending = Pending::new(ctx, from, key, request, phase);
        match write {
            Some(record) => {
                let writing = Writing::new(record, None, Outcome::Done.into());
                self.write_if_it_fits(ctx, id, pending, writing);
            }
            None => self.read(ctx, id, pending),
        }
    }

    /// A node has crashed since it answered: what it acknowledged may be lost.
    pub(super) fn discount(&mut self, node: NodeId) {
        for pending in self.pending.requests.values_mut() {
            let Some(index) = pending.owners.index_of(node) else {
                continue;
            };
            match &mut pending.phase {
                Phase::Reading(reading) => reading.discount(index),
                Phase::Writing(writing) => writing.discount(index),
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
        let Some((mut pending, index)) = self.take(id, from) else {
            return self.caught_up_with(ctx, id, from);
        };
        match &mut pending.phase {
            Phase::Reading(reading) if reading.is_of(round) => {
                reading.failed.add(index);
                self.read_on(ctx, id, pending);
            }
            Phase::Writing(writing) if round.is_none() => {
                writing.fail(index);
                self.write_on(ctx, id, pending);
            }
            // The answer to an earlier question.
            Phase::Reading(_) | Phase::Writing(_) => self.pending.insert(id, pending),
        }
    }

    /// The owners of keys have changed: pending requests use the new ones from now on.
    pub(super) fn change_owners(&mut self, ctx: &mut Context<'_>) {
        let ids: Vec<RequestId> = self.pending.requests.keys().copied().collect();
        for id in ids {
            let Some(mut pending) = self.pending.requests.remove(&id) else {
                continue;
            };
            let owners = ctx.rules.owners(&pending.key);
            if owners == pending.owners {
                self.pending.insert(id, pending);
                continue;
            }
            match &pending.phase {
                Phase::Writing(_) => self.write_to_new_owners(ctx, id, pending, owners),
                Phase::Reading(_) => {
                    pending.owners = owners;
                    pending.due = ctx.now.saturating_add(ctx.rules.timeout);
                    self.read_again(ctx, id, pending);
                }
            }
        }
    }

    /// Handles the requests that have timed out.
    pub(super) fn time_out(&mut self, ctx: &mut Context<'_>) {
        if self.sync.as_ref().is_some_and(|sync| sync.due <= ctx.now) {
            self.ask_again(ctx);
        }
        while let Some((due, id)) = self.pending.first_due()
            && due <= ctx.now
        {
            self.on_timeout(ctx, id);
        }
    }

    fn on_timeout(&mut self, ctx: &mut Context<'_>, id: RequestId) {
        let Some(mut pending) = self.pending.requests.remove(&id) else {
            return;
        };
        pending.due = ctx.now.saturating_add(ctx.rules.timeout);
        let all = pending.owners.all();
        match &mut pending.phase {
            Phase::Writing(writing) => {
                writing.on_timeout(all);
                self.write_on(ctx, id, pending);
            }
            Phase::Reading(_) => self.read_or_fail(ctx, id, pending),
        }
    }

    /// The request and the index of an owner that has sent something about it.
    fn take(&mut self, id: RequestId, from: Endpoint) -> Option<(Box<Pending>, usize)> {
        let Endpoint::Node(node) = from else {
            return None;
        };
        let index = self.pending.requests.get(&id)?.owners.index_of(node)?;
        let pending = self.pending.requests.remove(&id)?;
        Some((pending, index))
    }

    /// Answers the client.
    fn answer(
        &mut self,
        ctx: &mut Context<'_>,
        id: RequestId,
        pending: &Pending,
        outcome: Outcome,
    ) {
        if let (true, Outcome::Value(found)) = (pending.request.counts, &outcome) {
            self.node
                .count_get(Hashed::of(&pending.key), found.is_some());
        }
        ctx.send(pending.from, Message::Answer { id, outcome });
    }

    /// Asks as many owners as have to answer.
    fn read(&mut self, ctx: &mut Context<'_>, id: RequestId, mut pending: Box<Pending>) {
        for index in 0..pending.owners.len() {
            if let Phase::Reading(reading) = &pending.phase
                && pending
                    .owners
                    .still_needs(index, reading.asked, reading.quorum(), ctx.rules)
            {
                self.send_read(ctx, id, &mut pending, index);
            }
        }
        self.read_on(ctx, id, pending);
    }

    /// Asks one owner for the latest write that it knows.
    fn send_read(
        &mut self,
        ctx: &mut Context<'_>,
        id: RequestId,
        pending: &mut Pending,
        index: usize,
    ) {
        let owner = pending.owners[index];
        let touch = pending.request.counts;
        let Phase::Reading(reading) = &mut pending.phase else {
            return;
        };
        reading.asked.add(index);
        if owner != self.id() {
            let (key, round) = (pending.key.clone(), reading.based_on);
            let read = Message::Read {
                id,
                key,
                touch,
                round,
            };
            return ctx.send(owner, read);
        }
        if self.serving {
            let record = self.record(ctx, &pending.key, touch);
            reading.record_answer(index, record, self.forgotten_up_to);
        } else {
            reading.failed.add(index);
        }
    }

    pub(super) fn found(
        &mut self,
        ctx: &mut Context<'_>,
        (id, round): (RequestId, Version),
        from: Endpoint,
        record: Option<Record>,
        forgotten: Version,
    ) {
        let Some((mut pending, index)) = self.take(id, from) else {
            return;
        };
        if let Phase::Reading(reading) = &mut pending.phase
            && reading.is_of(Some(round))
        {
            reading.record_answer(index, record, forgotten);
            self.read_on(ctx, id, pending);
        } else {
            self.pending.insert(id, pending);
        }
    }

    fn read_on(&mut self, ctx: &mut Context<'_>, id: RequestId, mut pending: Box<Pending>) {
        while let Phase::Reading(reading) = &pending.phase {
            match reading.next(&pending.owners, ctx.rules) {
                NextRead::Decide => return self.decide(ctx, id, pending),
                NextRead::Wait => return self.pending.insert(id, pending),
                NextRead::Ask(index) => self.send_read(ctx, id, &mut pending, index),
                NextRead::Fail => return self.fail_read(ctx, id, &pending),
            }
        }
    }

    fn fail_read(&mut self, ctx: &mut Context<'_>, id: RequestId, pending: &Pending) {
        let Phase::Reading(reading) = &pending.phase else {
            return;
        };
        let shortfall = pending.shortfall(ctx, reading.quorum(), reading.answered);
        let outcome = Outcome::Refused(Refusal::Quorum(shortfall));
        self.answer(ctx, id, pending, outcome);
    }

    /// Reads again, since the state that was read is out of date. Answers to the questions before
    /// belong to another round.
    fn read_again(&mut self, ctx: &mut Context<'_>, id: RequestId, mut pending: Box<Pending>) {
        *ctx.clock += 1;
        let again = match &pending.phase {
            Phase::Reading(reading) => reading.restarted_at(ctx.now, *ctx.clock),
            Phase::Writing(_) => Reading::starting_at(ctx.now, *ctx.clock),
        };
        pending.phase = Phase::Reading(again);
        self.read(ctx, id, pending);
    }

    /// A read has timed out: asks all other owners, once. Then it decides by what is known.
    fn read_or_fail(&mut self, ctx: &mut Context<'_>, id: RequestId, mut pending: Box<Pending>) {
        let Phase::Reading(reading) = &mut pending.phase else {
            return;
        };
        if !reading.asked_all {
            reading.asked_all = true;
            let asked = reading.asked;
            for index in (0..pending.owners.len()).filter(|&index| !asked.has(index)) {
                self.send_read(ctx, id, &mut pending, index);
            }
            self.read_on(ctx, id, pending);
        } else if pending
            .owners
            .suffice(reading.answered, Quorum::Read, ctx.rules)
        {
            self.decide(ctx, id, pending);
        } else {
            self.fail_read(ctx, id, &pending);
        }
    }

    /// Enough owners have answered.
    fn decide(&mut self, ctx: &mut Context<'_>, id: RequestId, pending: Box<Pending>) {
        let Phase::Reading(reading) = &pending.phase else {
            return;
        };
        let late = ctx.has_bug(InjectedBug::LateDeadline);
        let is_over = reading.has_expired_meanwhile(ctx.now);
        if is_over && !late || reading.forgotten {
            return self.read_again(ctx, id, pending);
        }
        let is_live = |it: &Record| it.is_live(ctx.now) || late && it.deadline == Some(ctx.now);
        let latest = reading.latest.as_ref();
        let live = latest.and_then(|latest| latest.live_if(is_live));
        let version = latest.map_or(0, |record| record.version);
        let until = live.and_then(|live| live.deadline);
        match decide(&pending.request.operation.borrowed(), live) {
            Decision::Answer(outcome) => {
                let answer = PendingAnswer {
                    outcome,
                    valid_until: until,
                };
                self.answer_read(ctx, id, pending, answer);
            }
            Decision::Write {
                value,
                deadline,
                conditional,
                outcome,
            } => {
                let record = Record {
                    version: pending.request.version,
                    value: value.map(|value| Bytes::from(&*value)),
                    deadline,
                };
                let base = conditional.then_some(Base { version, until });
                let writing = Writing::new(record, base, outcome.into());
                self.write_if_it_fits(ctx, id, pending, writing);
            }
        }
    }

    /// Refuses a write that could never be stored before any owner gets it.
    fn write_if_it_fits(
        &mut self,
        ctx: &mut Context<'_>,
        id: RequestId,
        pending: Box<Pending>,
        writing: Writing,
    ) {
        let value = writing.record.value.as_deref();
        let fits = value.map_or(Ok(()), |value| {
            self.node.check_size(pending.key.len(), value.len())
        });
        match fits {
            Ok(()) => self.write(ctx, id, pending, writing),
            Err(error) => {
                let outcome = Outcome::Refused(Refusal::Put(error));
                self.answer(ctx, id, &pending, outcome);
            }
        }
    }

    /// Answers a read, when so many owners have the value that every later read quorum includes one.
    fn answer_read(
        &mut self,
        ctx: &mut Context<'_>,
        id: RequestId,
        pending: Box<Pending>,
        answer: PendingAnswer,
    ) {
        let Phase::Reading(reading) = &pending.phase else {
            return;
        };
        let (have, based_on) = (reading.holders, reading.based_on);
        let quorum = if reading.repairs {
            Quorum::All
        } else {
            Quorum::Intersecting
        };
        match &reading.latest {
            Some(record) if reading.repairs || ctx.rules.read_quorum > 1 => {
                let record = record.clone();
                if reading.repairs || !pending.owners.suffice(have, quorum, ctx.rules) {
                    let writing = Writing::read_repair(record, have, based_on, quorum, answer);
                    return self.write(ctx, id, pending, writing);
                }
                self.repair(ctx, &pending, &record);
            }
            _ => {}
        }
        self.answer(ctx, id, &pending, answer.outcome);
    }

    /// Sends the latest write to the owners that answered with an older one, and waits for none.
    fn repair(&mut self, ctx: &mut Context<'_>, pending: &Pending, record: &Record) {
        let Phase::Reading(reading) = &pending.phase else {
            return;
        };
        let behind = reading.answered.difference(reading.holders);
        for node in pending.owners.nodes(behind) {
            let (key, record, based_on) = (pending.key.clone(), record.clone(), reading.based_on);
            if node == self.id() {
                self.merge(ctx, &key, &record, None, based_on, Origin::Copy);
            } else {
                let id = RequestId::default();
                ctx.send(
                    node,
                    Message::Write {
                        id,
                        key,
                        record,
                        base: None,
                        based_on,
                    },
                );
            }
        }
    }

    /// Makes all owners of a key agree: some have applied a write that others rejected, or applied
    /// it late.
    pub(super) fn start_repair(&mut self, ctx: &mut Context<'_>, key: Bytes) {
        let id = self.own_id();
        let reading = Reading::repairing(ctx.now, *ctx.clock);
        let request = Request {
            operation: Operation::Get,
            counts: false,
            version: 0,
        };
        let from = self.id().into();
        let repair = Pending::new(ctx, from, key, request, Phase::Reading(reading));
        self.read(ctx, id, repair);
    }

    /// Sends a write to all owners that do not have it.
    fn write(
        &mut self,
        ctx: &mut Context<'_>,
        id: RequestId,
        mut pending: Box<Pending>,
        writing: Writing,
    ) {
        let have = writing.acked;
        pending.phase = Phase::Writing(writing);
        for index in 0..pending.owners.len() {
            if !have.has(index) {
                self.send_write(ctx, id, &mut pending, index);
            }
        }
        pending.due = ctx.now.saturating_add(ctx.rules.timeout);
        self.write_on(ctx, id, pending);
    }

    /// Sends a write to one owner.
    fn send_write(
        &mut self,
        ctx: &mut Context<'_>,
        id: RequestId,
        pending: &mut Pending,
        index: usize,
    ) {
        let (owner, key) = (pending.owners[index], pending.key.clone());
        let Phase::Writing(writing) = &mut pending.phase else {
            return;
        };
        let (record, base, based_on) = (writing.record.clone(), writing.base, writing.based_on);
        if owner == self.id() {
            let outcome = self.merge(ctx, &key, &record, base, based_on, Origin::Client);
            writing.record_ack(index, &outcome);
        } else if ctx.has_bug(InjectedBug::NoReplication) {
            writing.acked.add(index);
        } else {
            ctx.send(
                owner,
                Message::Write {
                    id,
                    key,
                    record,
                    base,
                    based_on,
                },
            );
        }
    }

    /// The key has other owners than before: the new ones get the write, too.
    fn write_to_new_owners(
        &mut self,
        ctx: &mut Context<'_>,
        id: RequestId,
        mut pending: Box<Pending>,
        owners: Owners,
    ) {
        let before = std::mem::replace(&mut pending.owners, owners);
        let Phase::Writing(writing) = &mut pending.phase else {
            return;
        };
        // A former owner may have applied the write: it can not be said any more that it was not done.
        let rest = before.all().difference(writing.failed);
        let mut may_have_it = before.nodes(rest).into_iter();
        writing.timed_out |= may_have_it.any(|node| !pending.owners.contains(&node));
        let translate = |set| before.translate(set, &pending.owners);
        writing.acked = translate(writing.acked);
        writing.failed = translate(writing.failed);
        writing.down = translate(writing.down);
        writing.outdated = translate(writing.outdated);
        let refused = std::mem::take(&mut writing.refused).into_iter();
        writing.refused = refused
            .filter_map(|(index, error)| Some((pending.owners.index_of(before[index])?, error)))
            .collect();
        for index in 0..pending.owners.len() {
            if !before.contains(&pending.owners[index]) {
                self.send_write(ctx, id, &mut pending, index);
            }
        }
        pending.due = ctx.now.saturating_add(ctx.rules.timeout);
        self.write_on(ctx, id, pending);
    }

    pub(super) fn written(
        &mut self,
        ctx: &mut Context<'_>,
        (id, version): (RequestId, Version),
        from: Endpoint,
        outcome: &Written,
    ) {
        let Some((mut pending, index)) = self.take(id, from) else {
            return;
        };
        if let Phase::Writing(writing) = &mut pending.phase
            && writing.record.version == version
        {
            writing.record_ack(index, outcome);
        }
        self.write_on(ctx, id, pending);
    }

    /// Goes on with a write: answers the client as soon as the outcome is known, and ends when every
    /// owner has answered or has timed out.
    fn write_on(&mut self, ctx: &mut Context<'_>, id: RequestId, mut pending: Box<Pending>) {
        let Phase::Writing(writing) = &mut pending.phase else {
            return self.pending.insert(id, pending);
        };
        match writing.next(&pending.owners, ctx.rules, ctx.now) {
            NextWrite::ReadAgain => self.read_again(ctx, id, pending),
            NextWrite::Wait => self.pending.insert(id, pending),
            NextWrite::Finish => self.finish_write(ctx, &pending),
            NextWrite::Fail => {
                writing.answered = true;
                let outcome = failure(ctx, &pending);
                self.answer(ctx, id, &pending, outcome);
                self.finish_write(ctx, &pending);
            }
            NextWrite::Succeed { done } => {
                writing.answered = true;
                let outcome = writing.answer.outcome.clone();
                self.answer(ctx, id, &pending, outcome);
                if done {
                    return self.finish_write(ctx, &pending);
                }
                self.pending.insert(id, pending);
                if let Some(oldest) = self.pending.add_background(id) {
                    self.on_timeout(ctx, oldest);
                }
            }
        }
    }

    /// Every owner has answered or has timed out. Hints are kept for those that may lack the write.
    fn finish_write(&mut self, ctx: &mut Context<'_>, pending: &Pending) {
        let Phase::Writing(writing) = &pending.phase else {
            return;
        };
        let record = &writing.record;
        if writing.failed.is_empty() {
            if pending.owners.len() > 1 && writing.leaves_tombstone() {
                self.send_settled(ctx, pending, record.version);
            }
            return;
        }
        if writing.is_nowhere() {
            return;
        }
        // Where too few owners have the write, an older value is still the latest that counts.
        let owners = &pending.owners;
        let is_written = owners.suffice(writing.acked, Quorum::Write, ctx.rules);
        for &(index, _) in writing.refused.iter().filter(|_| is_written) {
            self.send_superseded(ctx, pending.owners[index], &pending.key, record.version);
        }
        let mut missed = writing.failed;
        (writing.refused.iter()).for_each(|&(index, _)| missed.remove(index));
        for node in pending.owners.nodes(missed) {
            self.keep_hint(node, &pending.key, record);
        }
        let disagree = !writing.outdated.is_empty() && !writing.acked.is_empty();
        if disagree && !pending.is_fresh_repair(ctx.now) {
            self.start_repair(ctx, pending.key.clone());
        }
    }

    fn send_superseded(
        &mut self,
        ctx: &mut Context<'_>,
        node: NodeId,
        key: &Bytes,
        version: Version,
    ) {
        if node == self.id() {
            return self.supersede(ctx.now, key, version, ctx.log);
        }
        let key = key.clone();
        ctx.send(node, Message::Superseded { key, version });
    }

    fn send_settled(&mut self, ctx: &mut Context<'_>, pending: &Pending, version: Version) {
        let clock = ctx.next_clock();
        for &owner in pending.owners.iter() {
            let key = pending.key.clone();
            if owner == self.id() {
                self.settle(&key, version, clock);
            } else {
                ctx.send(
                    owner,
                    Message::Settled {
                        key,
                        version,
                        clock,
                    },
                );
            }
        }
    }
}

/// The outcome of a write that too few owners have.
fn failure(ctx: &Context<'_>, pending: &Pending) -> Outcome {
    let Phase::Writing(writing) = &pending.phase else {
        return Outcome::Unknown(Box::default());
    };
    let shortfall = pending.shortfall(ctx, writing.quorum, writing.acked);
    if !writing.is_nowhere() {
        return Outcome::Unknown(shortfall);
    }
    let all_refused = writing.refused.len() == pending.owners.len();
    match writing.refused.first() {
        Some((_, error)) if all_refused => Outcome::Refused(Refusal::Put(*error)),
        _ => Outcome::Refused(Refusal::Quorum(shortfall)),
    }
}
