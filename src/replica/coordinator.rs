//! How a replica carries out what a client asks: it asks and tells the owners, and counts who has
//! answered, as a set of owners and never as a number.

use super::message::{
    Answer, Base, Bytes, Message, Record, Refusal, Request, RequestId, Shortfall, Version, Written,
};
use super::{Context, Owners, Replica};
use crate::cache::PutError;
use crate::config::Plant;
use crate::history::Action;
use crate::id::NodeId;
use crate::network::Endpoint;
use crate::time::Instant;

/// A set of owners of one key, by their places among the owners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Places(u64);

impl Places {
    fn all(count: usize) -> Self {
        Self(if count >= 64 {
            u64::MAX
        } else {
            (1 << count) - 1
        })
    }

    fn add(&mut self, place: usize) {
        self.0 |= 1 << place;
    }

    fn remove(&mut self, place: usize) {
        self.0 &= !(1 << place);
    }

    fn has(self, place: usize) -> bool {
        self.0 >> place & 1 == 1
    }

    fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The first of `count` places that is not in the set.
    fn first_missing(self, count: usize) -> Option<usize> {
        (0..count).find(|&place| !self.has(place))
    }
}

/// A request that is being carried out.
pub struct Pending {
    from: Endpoint,
    key: Bytes,
    request: Request,
    owners: Owners,
    phase: Phase,
    pub due: Instant,
}

enum Phase {
    Reading(Reading),
    Writing(Writing),
}

/// The owners are being asked.
#[derive(Default)]
struct Reading {
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

/// The owners are being told.
struct Writing {
    record: Record,
    acked: Places,
    failed: Places,
    /// Acknowledgements as a number: wrong, and only for [`Plant::CountedAcks`].
    counted: usize,
    /// Whether an owner was waited for in vain: it may have the write.
    timed_out: bool,
    refused: Option<PutError>,
    /// Whether an owner turned it away.
    turned_away: bool,
    needed: usize,
    /// What to tell the client when enough have it.
    then: Then,
    told: bool,
}

/// What a request comes to when it is known what is there.
enum Decision {
    Tell(Then),
    /// Write this if nothing later has come in between, and then tell.
    Write(Record, Option<Base>, Answer),
}

/// What is to be told, and until when it is true: until what was read expires.
struct Then {
    answer: Answer,
    until: Option<Instant>,
}

impl From<Answer> for Then {
    /// True for ever.
    fn from(answer: Answer) -> Self {
        Self {
            answer,
            until: None,
        }
    }
}

impl Pending {
    fn place_of(&self, node: NodeId) -> Option<usize> {
        self.owners.iter().position(|&owner| owner == node)
    }

    fn nodes(&self, places: Places) -> Vec<NodeId> {
        let owners = self.owners.iter().enumerate();
        let chosen = owners.filter(|(place, _)| places.has(*place));
        chosen.map(|(_, &node)| node).collect()
    }

    fn shortfall(&self, needed: usize, answered: Places) -> Shortfall {
        let missing = Places(Places::all(self.owners.len()).0 & !answered.0);
        Shortfall {
            needed,
            answered: self.nodes(answered),
            missing: self.nodes(missing),
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
        let pending = Box::new(Pending {
            from,
            owners: ctx.rules.owners(&key),
            key,
            phase: Phase::Reading(Reading::starting_at(ctx)),
            due: ctx.now.later(ctx.rules.timeout),
            request,
        });
        if let Action::Put { value, deadline } = &pending.request.action {
            let record = Record {
                version: pending.request.version,
                value: Some(Bytes::from(&**value)),
                deadline: *deadline,
            };
            let needed = ctx.rules.write_quorum.min(pending.owners.len());
            self.write(
                ctx,
                id,
                pending,
                record,
                None,
                needed,
                Answer::Done.into(),
                Places::default(),
            );
            return;
        }
        self.read(ctx, id, pending);
    }

    /// Asks as many owners as have to answer.
    fn read(&mut self, ctx: &mut Context<'_>, id: RequestId, mut pending: Box<Pending>) {
        let count = pending.owners.len();
        let first = match &pending.phase {
            Phase::Reading(reading) if reading.repairs => count,
            _ => ctx.rules.read_quorum.min(count),
        };
        for place in 0..first {
            self.ask(ctx, id, &mut pending, place);
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
            && reading.stamp == round
        {
            reading.hear(place, record, floor);
            self.read_on(ctx, id, pending);
        } else {
            self.pending.insert(id, pending);
        }
    }

    /// Goes on with a read: asks others in place of those that failed, or of those that know nothing;
    /// decides when enough have answered.
    fn read_on(&mut self, ctx: &mut Context<'_>, id: RequestId, mut pending: Box<Pending>) {
        let count = pending.owners.len();
        let needed = match &pending.phase {
            Phase::Reading(reading) if reading.repairs => count,
            _ => ctx.rules.read_quorum.min(count),
        };
        loop {
            let Phase::Reading(reading) = &pending.phase else {
                return;
            };
            let heard = reading.answered.and(reading.failed);
            let waiting = reading.asked.len() - heard.len();
            let enough = reading.answered.len() >= needed;
            if enough && reading.latest.is_some() {
                break;
            }
            let next = reading.asked.first_missing(count);
            match next {
                // One that failed, or a plain miss, falls through to the next owner.
                Some(place) if waiting == 0 => self.ask(ctx, id, &mut pending, place),
                None if waiting == 0 && enough => break,
                None if waiting == 0 => return self.fail_read(id, &pending, needed, ctx),
                _ => {
                    self.pending.insert(id, pending);
                    return;
                }
            }
        }
        self.decide(ctx, id, pending);
    }

    fn fail_read(
        &mut self,
        id: RequestId,
        pending: &Pending,
        needed: usize,
        ctx: &mut Context<'_>,
    ) {
        let Phase::Reading(reading) = &pending.phase else {
            return;
        };
        let shortfall = pending.shortfall(needed, reading.answered);
        self.answer(
            ctx,
            id,
            pending,
            Answer::Refused(Refusal::Quorum(shortfall)),
        );
    }

    /// Reads again: what was known is out of date. What is answered to the questions before can be
    /// told from what comes now.
    fn read_anew(&mut self, ctx: &mut Context<'_>, id: RequestId, mut pending: Box<Pending>) {
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

    /// Enough owners have said what they know.
    fn decide(&mut self, ctx: &mut Context<'_>, id: RequestId, pending: Box<Pending>) {
        let Phase::Reading(reading) = &pending.phase else {
            return;
        };
        let is_late = reading.has_expired_meanwhile(ctx.now);
        if is_late && !ctx.is_planted(Plant::LateDeadline) || reading.forgotten {
            return self.read_anew(ctx, id, pending);
        }
        let late = ctx.is_planted(Plant::LateDeadline);
        let latest = reading.latest.clone();
        let live = latest
            .clone()
            .filter(|it| it.is_live(ctx.now) || late && it.deadline == Some(ctx.now));
        let version = latest.as_ref().map_or(0, |record| record.version);
        let (count, holders, repairs) = (pending.owners.len(), reading.holders, reading.repairs);
        match decide(&pending.request, live, version) {
            Decision::Tell(then) => {
                // So many must have it that every later read meets one of them.
                let needed = count - ctx.rules.read_quorum.min(count) + 1;
                match latest {
                    Some(record) if repairs => {
                        self.write(ctx, id, pending, record, None, count, then, holders);
                    }
                    Some(record) if ctx.rules.read_quorum > 1 && holders.len() < needed => {
                        self.write(ctx, id, pending, record, None, needed, then, holders);
                    }
                    Some(record) if ctx.rules.read_quorum > 1 => {
                        self.repair(ctx, &pending, &record);
                        self.answer(ctx, id, &pending, then.answer);
                    }
                    _ => self.answer(ctx, id, &pending, then.answer),
                }
            }
            Decision::Write(record, base, answer) => {
                let needed = ctx.rules.write_quorum.min(count);
                self.write(
                    ctx,
                    id,
                    pending,
                    record,
                    base,
                    needed,
                    answer.into(),
                    Places::default(),
                );
            }
        }
    }

    /// Tells those who answered with something older, and waits for nobody.
    fn repair(&mut self, ctx: &mut Context<'_>, pending: &Pending, record: &Record) {
        let Phase::Reading(reading) = &pending.phase else {
            return;
        };
        let behind = Places(reading.answered.0 & !reading.holders.0);
        for node in pending.nodes(behind) {
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

    /// Sends a write to all owners that do not have it, and tells the client when enough do.
    #[expect(clippy::too_many_arguments, reason = "the parts of a write")]
    fn write(
        &mut self,
        ctx: &mut Context<'_>,
        id: RequestId,
        mut pending: Box<Pending>,
        record: Record,
        base: Option<Base>,
        needed: usize,
        then: Then,
        have: Places,
    ) {
        let mut writing = Writing {
            record,
            acked: have,
            failed: Places::default(),
            counted: have.len(),
            timed_out: false,
            refused: None,
            turned_away: false,
            needed,
            then,
            told: false,
        };
        let stamp = match &pending.phase {
            Phase::Reading(reading) if writing.record.version != pending.request.version => {
                reading.stamp
            }
            _ => pending.request.version,
        };
        for place in 0..pending.owners.len() {
            if have.has(place) {
                continue;
            }
            let (key, record) = (pending.key.clone(), writing.record.clone());
            let owner = pending.owners[place];
            if owner == self.id() {
                let outcome = self.merge(ctx, &key, &record, base, stamp);
                writing.hear(place, &outcome);
            } else if ctx.is_planted(Plant::NoReplication) {
                writing.acked.add(place);
            } else {
                ctx.send(
                    owner,
                    Message::Write {
                        id,
                        key,
                        record,
                        base,
                        stamp,
                    },
                );
            }
        }
        pending.due = ctx.now.later(ctx.rules.timeout);
        pending.phase = Phase::Writing(writing);
        self.write_on(ctx, id, pending);
    }

    pub(super) fn written(
        &mut self,
        ctx: &mut Context<'_>,
        (id, version): (RequestId, Version),
        from: Endpoint,
        outcome: &Written,
    ) {
        let Some((mut pending, place)) = self.take(id, from) else {
            return;
        };
        if let Phase::Writing(writing) = &mut pending.phase
            && writing.record.version == version
        {
            writing.hear(place, outcome);
        }
        self.write_on(ctx, id, pending);
    }

    /// A node has crashed since it answered: what it acknowledged may be lost.
    pub(super) fn discount(&mut self, node: NodeId) {
        for pending in self.pending.values_mut() {
            let Some(place) = pending.place_of(node) else {
                continue;
            };
            let (answered, failed) = match &mut pending.phase {
                Phase::Reading(reading) => {
                    reading.holders.remove(place);
                    (&mut reading.answered, &mut reading.failed)
                }
                Phase::Writing(writing) => {
                    writing.timed_out |= writing.acked.has(place);
                    (&mut writing.acked, &mut writing.failed)
                }
            };
            if answered.has(place) {
                answered.remove(place);
                failed.add(place);
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
        if let Some((mut pending, place)) = self.take(id, from) {
            match &mut pending.phase {
                Phase::Reading(reading) if round == Some(reading.stamp) => {
                    reading.failed.add(place);
                    self.read_on(ctx, id, pending);
                }
                Phase::Writing(writing) if round.is_none() => {
                    writing.failed.add(place);
                    self.write_on(ctx, id, pending);
                }
                // It could not answer a question that is of no interest any more.
                Phase::Reading(_) | Phase::Writing(_) => {
                    self.pending.insert(id, pending);
                }
            }
        } else {
            self.caught_up_with(ctx, id, from);
        }
    }

    /// Goes on with a write: tells the client as soon as it is known what to tell, and is done when
    /// every owner has answered or is given up.
    fn write_on(&mut self, ctx: &mut Context<'_>, id: RequestId, mut pending: Box<Pending>) {
        let Phase::Writing(writing) = &mut pending.phase else {
            self.pending.insert(id, pending);
            return;
        };
        let all = Places::all(pending.owners.len());
        let heard = writing.acked.and(writing.failed);
        let acked = if ctx.is_planted(Plant::CountedAcks) {
            writing.counted
        } else {
            writing.acked.len()
        };
        let possible = acked + all.len() - heard.len();
        let is_over = writing.then.until.is_some_and(|until| until <= ctx.now);
        if is_over && !writing.told && !ctx.is_planted(Plant::LateDeadline) {
            return self.read_anew(ctx, id, pending);
        }
        let answer = if writing.told {
            None
        } else if acked >= writing.needed {
            Some(writing.then.answer.clone())
        } else if possible < writing.needed && heard == all {
            Some(failure(&pending))
        } else {
            None
        };
        if let Some(answer) = answer {
            self.answer(ctx, id, &pending, answer);
            let Phase::Writing(writing) = &mut pending.phase else {
                return;
            };
            writing.told = true;
        }
        if heard == all {
            self.finish_write(ctx, &pending);
        } else {
            self.pending.insert(id, pending);
        }
    }

    /// Every owner has answered or is given up. If all have what could leave a tombstone, they are
    /// told so; what one has not taken is kept for it.
    fn finish_write(&mut self, ctx: &mut Context<'_>, pending: &Pending) {
        let Phase::Writing(writing) = &pending.phase else {
            return;
        };
        let record = &writing.record;
        if writing.failed == Places::default() {
            if pending.owners.len() > 1 && (record.value.is_none() || record.deadline.is_some()) {
                self.tell_settled(ctx, pending, record.version);
            }
            return;
        }
        if writing.acked == Places::default() && !writing.timed_out {
            // It was refused, and never happens.
            return;
        }
        for node in pending.nodes(writing.failed) {
            self.keep_hint(node, &pending.key, record);
        }
        if writing.turned_away && writing.acked != Places::default() {
            self.start_repair(ctx, pending.key.clone());
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
        let repair = Box::new(Pending {
            from: self.id().into(),
            owners: ctx.rules.owners(&key),
            key,
            request: Request {
                action: Action::Get,
                counts: false,
                version: 0,
            },
            phase: Phase::Reading(reading),
            due: ctx.now.later(ctx.rules.timeout),
        });
        self.read(ctx, id, repair);
    }

    fn tell_settled(&mut self, ctx: &mut Context<'_>, pending: &Pending, version: Version) {
        let stamp = ctx.stamp();
        for &owner in &pending.owners {
            let key = pending.key.clone();
            if owner == self.id() {
                self.settle(ctx, &key, version, stamp);
            } else {
                ctx.send(
                    owner,
                    Message::Settled {
                        key,
                        version,
                        stamp,
                    },
                );
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
        let count = pending.owners.len();
        let needed = ctx.rules.read_quorum.min(count);
        match &mut pending.phase {
            Phase::Writing(writing) => {
                writing.timed_out = true;
                let silent = Places::all(count).0 & !writing.acked.0;
                writing.failed = Places(silent);
                self.write_on(ctx, id, pending);
            }
            Phase::Reading(reading) if !reading.asked_all => {
                reading.asked_all = true;
                let unasked = Places(!reading.asked.0);
                for place in (0..count).filter(|&place| unasked.has(place)) {
                    self.ask(ctx, id, &mut pending, place);
                }
                self.read_on(ctx, id, pending);
            }
            Phase::Reading(reading) if reading.answered.len() >= needed => {
                self.decide(ctx, id, pending);
            }
            Phase::Reading(_) => self.fail_read(id, &pending, needed, ctx),
        }
    }

    /// The request and the place of an owner that says something about it.
    fn take(&mut self, id: RequestId, from: Endpoint) -> Option<(Box<Pending>, usize)> {
        let Endpoint::Node(node) = from else {
            return None;
        };
        let place = self.pending.get(&id)?.place_of(node)?;
        let pending = self.pending.remove(&id)?;
        Some((pending, place))
    }

    /// Tells the client.
    fn answer(&mut self, ctx: &mut Context<'_>, id: RequestId, pending: &Pending, answer: Answer) {
        if let (true, Answer::Value(found)) = (pending.request.counts, &answer) {
            self.node.count_get(&pending.key, found.is_some());
        }
        ctx.send(pending.from, Message::Answer { id, answer });
    }
}

impl Reading {
    fn starting_at(ctx: &Context<'_>) -> Self {
        Self {
            since: ctx.now,
            stamp: *ctx.clock,
            ..Self::default()
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

impl Writing {
    /// Notes what became of the write at an owner.
    fn hear(&mut self, place: usize, outcome: &Written) {
        match outcome {
            Written::Applied => {
                self.acked.add(place);
                self.counted += 1;
            }
            Written::Conflict | Written::TooLate => {
                self.failed.add(place);
                self.turned_away = true;
            }
            Written::Refused(error) => {
                self.failed.add(place);
                self.refused = Some(*error);
            }
        }
    }
}

/// What to tell the client of a write that too few owners have.
fn failure(pending: &Pending) -> Answer {
    let Phase::Writing(writing) = &pending.phase else {
        return Answer::Unknown(Shortfall::default());
    };
    let shortfall = pending.shortfall(writing.needed, writing.acked);
    let nobody_has_it = writing.acked == Places::default() && !writing.timed_out;
    match &writing.refused {
        Some(error) if nobody_has_it => Answer::Refused(Refusal::Put(*error)),
        _ if nobody_has_it => Answer::Refused(Refusal::Quorum(shortfall)),
        _ => Answer::Unknown(shortfall),
    }
}

/// What a request comes to when `live` can be read and `version` is the latest write known.
fn decide(request: &Request, live: Option<Record>, version: Version) -> Decision {
    let record = |value: Option<&[u8]>, deadline| Record {
        version: request.version,
        value: value.map(Bytes::from),
        deadline,
    };
    let until = live.as_ref().and_then(|live| live.deadline);
    let unless = Some(Base { version, until });
    let tell = |answer| Decision::Tell(Then { answer, until });
    match (&request.action, live) {
        (Action::Get | Action::Put { .. }, live) => tell(Answer::Value(live)),
        (Action::Delete, live) => {
            let found = Answer::Applied(live.is_some());
            Decision::Write(record(None, None), None, found)
        }
        (Action::Add { .. }, Some(_)) | (Action::Cas { .. } | Action::SetDeadline { .. }, None) => {
            tell(Answer::Applied(false))
        }
        (Action::Add { value, deadline }, None) => Decision::Write(
            record(Some(value), *deadline),
            unless,
            Answer::Applied(true),
        ),
        (
            Action::Cas {
                expected,
                new,
                deadline,
            },
            Some(live),
        ) => {
            if live.value.as_deref() == Some(&**expected) {
                Decision::Write(record(Some(new), *deadline), unless, Answer::Applied(true))
            } else {
                tell(Answer::Applied(false))
            }
        }
        (Action::SetDeadline { deadline }, Some(live)) => {
            let record = record(live.value.as_deref(), *deadline);
            Decision::Write(record, unless, Answer::Applied(true))
        }
        (Action::Incr { delta }, live) => {
            let deadline = live.as_ref().and_then(|live| live.deadline);
            let old = live.as_ref().and_then(|live| live.value.as_deref());
            match sum(old, *delta) {
                Ok(sum) => {
                    let record = record(Some(sum.to_string().as_bytes()), deadline);
                    Decision::Write(record, unless, Answer::Number(sum))
                }
                Err(refusal) => tell(Answer::Refused(refusal)),
            }
        }
    }
}

fn sum(old: Option<&[u8]>, delta: i64) -> Result<i64, Refusal> {
    let old = old.map_or(Ok(0), |value| {
        crate::cache::number(value).ok_or(Refusal::NotANumber)
    })?;
    old.checked_add(delta).ok_or(Refusal::Overflow)
}
