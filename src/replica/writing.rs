//! How a coordinator tells the owners of a key what is to be stored, and counts who has it.

use super::coordinator::{Pending, Phase};
use super::decision::Then;
use super::message::{
    Answer, Base, Message, Record, Refusal, RequestId, Shortfall, Version, Written,
};
use super::owners::{Places, Quorum};
use super::{Context, Replica};
use crate::cache::PutError;
use crate::config::Plant;
use crate::network::Endpoint;

/// The owners are being told.
pub struct Writing {
    record: Record,
    /// What its condition was checked on.
    base: Option<Base>,
    /// What it rests on, by the logical clock.
    stamp: Version,
    acked: Places,
    failed: Places,
    /// Acknowledgements as a number: wrong, and only for [`Plant::CountedAcks`].
    counted: usize,
    /// Whether an owner was waited for in vain: it may have the write.
    timed_out: bool,
    refused: Option<PutError>,
    /// Whether an owner turned it away.
    turned_away: bool,
    /// How many must have it before the client is told.
    quorum: Quorum,
    then: Then,
    told: bool,
}

impl Writing {
    /// A client's write.
    pub fn new(record: Record, base: Option<Base>, then: Then) -> Self {
        Self {
            stamp: record.version,
            record,
            base,
            acked: Places::default(),
            failed: Places::default(),
            counted: 0,
            timed_out: false,
            refused: None,
            turned_away: false,
            quorum: Quorum::Write,
            then,
            told: false,
        }
    }

    /// What was read, passed on by who did not know it: these have it, and what is known rests on
    /// this stamp.
    pub fn passing_on(
        record: Record,
        have: Places,
        stamp: Version,
        quorum: Quorum,
        then: Then,
    ) -> Self {
        Self {
            stamp,
            acked: have,
            counted: have.len(),
            quorum,
            ..Self::new(record, None, then)
        }
    }

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

    /// An owner is down.
    pub fn fail(&mut self, place: usize) {
        self.failed.add(place);
    }

    /// The life of an owner is over: what it acknowledged may be lost.
    pub fn discount(&mut self, place: usize) {
        if self.acked.has(place) {
            self.timed_out = true;
            self.acked.remove(place);
            self.failed.add(place);
        }
    }

    /// Whoever has not acknowledged it by now is not waited for.
    pub fn lose_patience(&mut self, all: Places) {
        self.timed_out = true;
        self.failed = all.without(self.acked);
    }

    fn heard(&self) -> Places {
        self.acked.and(self.failed)
    }

    /// Whether it never was, and never will be, at any owner.
    fn is_nowhere(&self) -> bool {
        self.acked.is_empty() && !self.timed_out
    }
}

impl Replica {
    /// Sends a write to all owners that do not have it, and tells the client when enough do.
    pub(super) fn write(
        &mut self,
        ctx: &mut Context<'_>,
        id: RequestId,
        mut pending: Box<Pending>,
        writing: Writing,
    ) {
        let have = writing.acked;
        pending.phase = Phase::Writing(writing);
        for place in 0..pending.owners.len() {
            if !have.has(place) {
                self.tell(ctx, id, &mut pending, place);
            }
        }
        pending.due = ctx.now.later(ctx.rules.timeout);
        self.write_on(ctx, id, pending);
    }

    /// Tells one owner.
    fn tell(&mut self, ctx: &mut Context<'_>, id: RequestId, pending: &mut Pending, place: usize) {
        let (owner, key) = (pending.owners[place], pending.key.clone());
        let Phase::Writing(writing) = &mut pending.phase else {
            return;
        };
        let (record, base, stamp) = (writing.record.clone(), writing.base, writing.stamp);
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

    /// The key has other owners than before: those that are new are told, too.
    pub(super) fn write_to_others(
        &mut self,
        ctx: &mut Context<'_>,
        id: RequestId,
        mut pending: Box<Pending>,
    ) {
        let owners = ctx.rules.owners(&pending.key);
        let before = std::mem::replace(&mut pending.owners, owners);
        let Phase::Writing(writing) = &mut pending.phase else {
            return;
        };
        // One that owns the key no more may have had the write: nobody can say that it was not done.
        let rest = before.all().without(writing.failed);
        let mut may_have_it = before.at(rest).into_iter();
        writing.timed_out |= may_have_it.any(|node| !pending.owners.contains(&node));
        writing.acked = before.translate(writing.acked, &pending.owners);
        writing.failed = before.translate(writing.failed, &pending.owners);
        for place in 0..pending.owners.len() {
            if !before.contains(&pending.owners[place]) {
                self.tell(ctx, id, &mut pending, place);
            }
        }
        pending.due = ctx.now.later(ctx.rules.timeout);
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

    /// Goes on with a write: tells the client as soon as it is known what to tell, and is done when
    /// every owner has answered or is given up.
    pub(super) fn write_on(
        &mut self,
        ctx: &mut Context<'_>,
        id: RequestId,
        mut pending: Box<Pending>,
    ) {
        let Phase::Writing(writing) = &mut pending.phase else {
            self.pending.insert(id, pending);
            return;
        };
        let is_over = writing.then.until.is_some_and(|until| until <= ctx.now);
        if is_over && !writing.told && !ctx.is_planted(Plant::LateDeadline) {
            return self.read_anew(ctx, id, pending);
        }
        let all_heard = writing.heard() == pending.owners.all();
        let enough = if ctx.is_planted(Plant::CountedAcks) {
            let nobody = Places::default();
            let (_, needed) = pending.owners.short_of(nobody, writing.quorum, ctx.rules);
            writing.counted >= needed
        } else {
            pending
                .owners
                .suffice(writing.acked, writing.quorum, ctx.rules)
        };
        if !writing.told && (enough || all_heard) {
            writing.told = true;
            let answer = if enough {
                writing.then.answer.clone()
            } else {
                failure(ctx, &pending)
            };
            self.answer(ctx, id, &pending, answer);
        }
        if all_heard {
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
        if writing.failed.is_empty() {
            if pending.owners.len() > 1 && (record.value.is_none() || record.deadline.is_some()) {
                self.tell_settled(ctx, pending, record.version);
            }
            return;
        }
        if writing.is_nowhere() {
            return;
        }
        for node in pending.owners.at(writing.failed) {
            self.keep_hint(node, &pending.key, record);
        }
        if writing.turned_away && !writing.acked.is_empty() && !pending.is_vain(ctx.now) {
            self.start_repair(ctx, pending.key.clone());
        }
    }

    fn tell_settled(&mut self, ctx: &mut Context<'_>, pending: &Pending, version: Version) {
        let stamp = ctx.stamp();
        for &owner in pending.owners.iter() {
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
}

/// What to tell the client of a write that too few owners have.
fn failure(ctx: &Context<'_>, pending: &Pending) -> Answer {
    let Phase::Writing(writing) = &pending.phase else {
        return Answer::Unknown(Shortfall::default());
    };
    let shortfall = pending.shortfall(ctx, writing.quorum, writing.acked);
    match &writing.refused {
        Some(error) if writing.is_nowhere() => Answer::Refused(Refusal::Put(*error)),
        _ if writing.is_nowhere() => Answer::Refused(Refusal::Quorum(shortfall)),
        _ => Answer::Unknown(shortfall),
    }
}
