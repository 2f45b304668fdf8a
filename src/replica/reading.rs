//! The reading phase of a request: the owners of a key are asked for the latest write.
//!
//! Pure: the coordinator sends the messages, and asks [`Reading::next`] how to go on.

use super::decision::Live;
use super::message::{Record, Version};
use super::owners::{OwnerSet, Owners, Quorum};
use super::rules::Rules;
use crate::operation::Found;
use crate::time::Instant;

/// The state of a reading phase.
#[derive(Clone, Default)]
pub(super) struct Reading {
    pub asked: OwnerSet,
    pub answered: OwnerSet,
    pub failed: OwnerSet,
    /// The latest write that an owner knows, and the owners that have it.
    pub latest: Option<Record>,
    pub holders: OwnerSet,
    /// Whether all owners were asked after a timeout.
    pub asked_all: bool,
    /// When the first owner was asked, by the time and by the logical clock.
    started: Instant,
    pub based_on: Version,
    /// Whether an owner that knows no write may have forgotten one since the first was asked. Then
    /// what another knew before may be out of date.
    pub forgotten: bool,
    /// Whether all owners are to have the latest write afterwards.
    pub repairs: bool,
}

/// How to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextRead {
    /// Enough owners have answered.
    Decide,
    /// An answer is outstanding.
    Wait,
    /// Ask this owner, too.
    Ask(usize),
    /// Too few owners can answer.
    Fail,
}

impl Reading {
    pub(super) fn starting_at(now: Instant, clock: Version) -> Self {
        Self {
            started: now,
            based_on: clock,
            ..Self::default()
        }
    }

    /// A phase after which all owners have the latest write.
    pub(super) fn repairing(now: Instant, clock: Version) -> Self {
        Self {
            repairs: true,
            ..Self::starting_at(now, clock)
        }
    }

    /// The same phase, started again.
    pub(super) fn restarted_at(&self, now: Instant, clock: Version) -> Self {
        Self {
            asked_all: self.asked_all,
            repairs: self.repairs,
            ..Self::starting_at(now, clock)
        }
    }

    /// How many owners have to answer.
    pub(super) fn quorum(&self) -> Quorum {
        if self.repairs {
            Quorum::All
        } else {
            Quorum::Read
        }
    }

    /// Whether this answers a question of this round.
    pub(super) fn is_of(&self, round: Option<Version>) -> bool {
        round == Some(self.based_on)
    }

    /// An owner has crashed: what it knew may be lost.
    pub(super) fn discount(&mut self, index: usize) {
        self.holders.remove(index);
        if self.answered.has(index) {
            self.answered.remove(index);
            self.failed.add(index);
        }
    }

    /// Whether the latest write was live when the first owner was asked, and has expired since. Then
    /// a later write may be there by now.
    pub(super) fn has_expired_meanwhile(&self, now: Instant) -> bool {
        let deadline = self.latest.as_ref().and_then(|latest| latest.deadline);
        deadline.is_some_and(|deadline| self.started < deadline && deadline <= now)
    }

    /// Records the answer of an owner.
    pub(super) fn record_answer(
        &mut self,
        index: usize,
        record: Option<Record>,
        forgotten: Version,
    ) {
        self.answered.add(index);
        let Some(record) = record else {
            self.forgotten |= forgotten > 0 && forgotten >= self.based_on;
            return;
        };
        let known = self.latest.as_ref().map_or(0, |latest| latest.version);
        if record.version > known {
            self.holders = OwnerSet::default();
            self.latest = Some(record);
            self.holders.add(index);
        } else if record.version == known {
            self.holders.add(index);
            // An owner whose clock is ahead may have let the value expire already.
            if self.latest.as_ref().is_some_and(|it| it.value.is_none()) && record.value.is_some() {
                self.latest = Some(record);
            }
        }
    }

    /// How to go on. A failed owner, or one that has neither an entry nor a tombstone, falls through to the next one.
    pub(super) fn next(&self, owners: &Owners, rules: &Rules<'_>) -> NextRead {
        let enough = owners.suffice(self.answered, self.quorum(), rules);
        if enough && self.latest.is_some() {
            return NextRead::Decide;
        }
        if self.asked != self.answered.union(self.failed) {
            return NextRead::Wait;
        }
        match owners.first_not_in(self.asked) {
            Some(index) => NextRead::Ask(index),
            None if enough => NextRead::Decide,
            None => NextRead::Fail,
        }
    }
}

impl Record {
    /// The value, if it satisfies a condition.
    pub fn live_if(&self, is_live: impl Fn(&Self) -> bool) -> Option<Live<'_>> {
        let value = self.value.as_deref().filter(|_| is_live(self))?;
        Some(Live {
            value,
            deadline: self.deadline,
            version: self.version,
        })
    }

    /// The value, if it is live at `now`.
    #[must_use]
    pub fn found(&self, now: Instant) -> Option<Found> {
        let value = self.value.clone().filter(|_| self.is_live(now))?;
        Some(Found {
            value,
            deadline: self.deadline,
            version: self.version,
        })
    }
}
