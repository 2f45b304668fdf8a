//! How a coordinator asks the owners of a key what they know, and finds the latest of it.

use super::coordinator::{Pending, Phase};
use super::decision::{Decision, Then, decide};
use super::message::{Answer, Bytes, Message, Record, Refusal, Request, RequestId, Version};
use super::owners::{Places, Quorum};
use super::writing::Writing;
use super::{Context, Replica};
use crate::config::Plant;
use crate::history::Action;
use crate::network::Endpoint;
use crate::time::Instant;

/// The owners are being asked.
#[derive(Default)]
pub struct Reading {
    asked: Places,
    answered: Places,
    failed: Places,
    /// The latest write that any of them knows, and who knows it.
    latest: Option<Record>,
    holders: Places,
    /// Whether all were asked after a timeout.
    asked_all: bool,
    /// When the first was asked, by the time and by the logical clock.
    since: Instant,
    stamp: Version,
    /// Whether one that knows nothing may have forgotten it since the first was asked: then what
    /// another knew before may be out of date.
    forgotten: bool,
    /// Whether all owners are to have the same afterwards.
    repairs: bool,
}

impl Reading {
    pub fn starting_at(ctx: &Context<'_>) -> Self {
        Self {
            since: ctx.now,
            stamp: *ctx.clock,
            ..Self::default()
        }
    }

    /// How many have to answer.
    fn quorum(&self) -> Quorum {
        if self.repairs {
            Quorum::All
        } else {
            Quorum::Read
        }
    }

    /// Whether this answers a question of this round.
    pub fn is_of(&self, round: Option<Version>) -> bool {
        round == Some(self.stamp)
    }

    /// An owner is down, or does not serve.
    pub fn fail(&mut self, place: usize) {
        self.failed.add(place);
    }

    /// The life of an owner is over: what it knew may be lost.
    pub fn discount(&mut self, place: usize) {
        self.holders.remove(place);
        if self.answered.has(place) {
            self.answered.remove(place);
            self.failed.add(place);
        }
    }

    /// Whether the latest write was there when the first owner was asked, and has expired since:
    /// then something later may be there now, and nobody can say.
    fn has_expired_meanwhile(&self, now: Instant) -> bool {
        let deadline = self.latest.as_ref().and_then(|latest| latest.deadline);
        deadline.is_some_and(|deadline| self.since < deadline && deadline <= now)
    }

    /// Notes what an owner knows.
    fn hear(&mut self, place: usize, record: Option<Record>, floor: Version) {
        self.answered.add(place);
        let Some(record) = record else {
            self.forgotten |= floor > 0 && floor >= self.stamp;
            return;
        };
        let known = self.latest.as_ref().map_or(0, |latest| latest.version);
        if record.version > known {
            self.holders = Places::default();
            self.latest = Some(record);
            self.holders.add(place);
        } else if record.version == known {
            self.holders.add(place);
            // One whose clock is ahead may have let it expire already.
            if self.latest.as_ref().is_some_and(|it| it.value.is_none()) && record.value.is_some() {
                self.latest = Some(record);
            }
        }
    }
}

impl Replica {
    /// Asks as many owners as have to answer.
    pub(super) fn read(&mut self, ctx: &mut Context<'_>, id: RequestId, mut pending: Box<Pending>) {
        for place in 0..pending.owners.len() {
            if let Phase::Reading(reading) = &pending.phase
                && pending
                    .owners
                    .wants(place, reading.asked, reading.quorum(), ctx.rules)
            {
                self.ask(ctx, id, &mut pending, place);
            }
        }
        self.read_on(ctx, id, pending);
    }

    /// Asks one owner what it knows.
    fn ask(&mut self, ctx: &mut Context<'_>, id: RequestId, pending: &mut Pending, place: usize) {
        let owner = pending.owners[place];
        let touch = pending.request.counts;
        let Phase::Reading(reading) = &mut pending.phase else {
            return;
        };
        reading.asked.add(place);
        if owner != self.id() {
            let (key, round) = (pending.key.clone(), reading.stamp);
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
            reading.hear(place, record, self.floor);
        } else {
            reading.failed.add(place);
        }
    }

    pub(super) fn found(
        &mut self,
        ctx: &mut Context<'_>,
        (id, round): (RequestId, Version),
        from: Endpoint,
        record: Option<Record>,
        floor: Version,
    ) {
        let Some((mut pending, place)) = self.take(id, from) else {
            return;
        };
        if let Phase::Reading(reading) = &mut pending.phase
            && reading.is_of(Some(round))
        {
            reading.hear(place, record, floor);
            self.read_on(ctx, id, pending);
        } else {
            self.pending.insert(id, pending);
        }
    }

    /// Goes on with a read: asks others in place of those that failed, or of those that know nothing;
    /// decides when enough have answered.
    pub(super) fn read_on(
        &mut self,
        ctx: &mut Context<'_>,
        id: RequestId,
        mut pending: Box<Pending>,
    ) {
        loop {
            let Phase::Reading(reading) = &pending.phase else {
                return;
            };
            let is_waiting = reading.asked != reading.answered.and(reading.failed);
            let owners = &pending.owners;
            let enough = owners.suffice(reading.answered, reading.quorum(), ctx.rules);
            if enough && reading.latest.is_some() {
                break;
            }
            if is_waiting {
                self.pending.insert(id, pending);
                return;
            }
            match owners.first_beside(reading.asked) {
                // One that failed, or a plain miss, falls through to the next owner.
                Some(place) => self.ask(ctx, id, &mut pending, place),
                None if enough => break,
                None => return self.fail_read(ctx, id, &pending),
            }
        }
        self.decide(ctx, id, pending);
    }

    fn fail_read(&mut self, ctx: &mut Context<'_>, id: RequestId, pending: &Pending) {
        let Phase::Reading(reading) = &pending.phase else {
            return;
        };
        let shortfall = pending.shortfall(ctx, reading.quorum(), reading.answered);
        let answer = Answer::Refused(Refusal::Quorum(shortfall));
        self.answer(ctx, id, pending, answer);
    }

    /// Reads again: what was known is out of date. What is answered to the questions before can be
    /// told from what comes now.
    pub(super) fn read_anew(
        &mut self,
        ctx: &mut Context<'_>,
        id: RequestId,
        mut pending: Box<Pending>,
    ) {
        *ctx.clock += 1;
        let (repairs, asked_all) = match &pending.phase {
            Phase::Reading(reading) => (reading.repairs, reading.asked_all),
            Phase::Writing(_) => (false, false),
        };
        pending.phase = Phase::Reading(Reading {
            asked_all,
            repairs,
            ..Reading::starting_at(ctx)
        });
        self.read(ctx, id, pending);
    }

    /// Nobody has said more for as long as one waits: asks all others, once; then goes by what is
    /// known.
    pub(super) fn read_or_fail(
        &mut self,
        ctx: &mut Context<'_>,
        id: RequestId,
        mut pending: Box<Pending>,
    ) {
        let Phase::Reading(reading) = &mut pending.phase else {
            return;
        };
        if !reading.asked_all {
            reading.asked_all = true;
            let asked = reading.asked;
            for place in (0..pending.owners.len()).filter(|&place| !asked.has(place)) {
                self.ask(ctx, id, &mut pending, place);
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

    /// Enough owners have said what they know.
    fn decide(&mut self, ctx: &mut Context<'_>, id: RequestId, pending: Box<Pending>) {
        let Phase::Reading(reading) = &pending.phase else {
            return;
        };
        let late = ctx.is_planted(Plant::LateDeadline);
        let is_over = reading.has_expired_meanwhile(ctx.now);
        if is_over && !late || reading.forgotten {
            return self.read_anew(ctx, id, pending);
        }
        let is_live = |it: &Record| it.is_live(ctx.now) || late && it.deadline == Some(ctx.now);
        let latest = &reading.latest;
        let live = latest.clone().filter(is_live);
        let version = latest.as_ref().map_or(0, |record| record.version);
        match decide(&pending.request, live, version) {
            Decision::Tell(then) => self.pass_on(ctx, id, pending, then),
            Decision::Write(record, base, answer) => {
                let writing = Writing::new(record, base, answer.into());
                self.write(ctx, id, pending, writing);
            }
        }
    }

    /// Tells what was read, when so many have it that every later read meets one of them.
    fn pass_on(&mut self, ctx: &mut Context<'_>, id: RequestId, pending: Box<Pending>, then: Then) {
        let Phase::Reading(reading) = &pending.phase else {
            return;
        };
        let (have, stamp) = (reading.holders, reading.stamp);
        let quorum = if reading.repairs {
            Quorum::All
        } else {
            Quorum::Meeting
        };
        match &reading.latest {
            Some(record) if reading.repairs || ctx.rules.read_quorum > 1 => {
                let record = record.clone();
                if reading.repairs || !pending.owners.suffice(have, quorum, ctx.rules) {
                    let writing = Writing::passing_on(record, have, stamp, quorum, then);
                    return self.write(ctx, id, pending, writing);
                }
                self.repair(ctx, &pending, &record);
            }
            _ => {}
        }
        self.answer(ctx, id, &pending, then.answer);
    }

    /// Tells those who answered with something older, and waits for nobody.
    fn repair(&mut self, ctx: &mut Context<'_>, pending: &Pending, record: &Record) {
        let Phase::Reading(reading) = &pending.phase else {
            return;
        };
        let behind = reading.answered.without(reading.holders);
        for node in pending.owners.at(behind) {
            let (key, record, stamp) = (pending.key.clone(), record.clone(), reading.stamp);
            if node == self.id() {
                self.merge(ctx, &key, &record, None, stamp);
            } else {
                let id = RequestId::default();
                ctx.send(
                    node,
                    Message::Write {
                        id,
                        key,
                        record,
                        base: None,
                        stamp,
                    },
                );
            }
        }
    }

    /// Sees to it that all owners of a key have the same: some took a write that others turned away,
    /// or took it late.
    pub(super) fn start_repair(&mut self, ctx: &mut Context<'_>, key: Bytes) {
        let id = self.own_id();
        let reading = Reading {
            repairs: true,
            ..Reading::starting_at(ctx)
        };
        let request = Request {
            action: Action::Get,
            counts: false,
            version: 0,
        };
        let from = self.id().into();
        let repair = Pending::new(ctx, from, key, request, Phase::Reading(reading));
        self.read(ctx, id, Box::new(repair));
    }
}
