//! The writing phase of a request: the owners of a key are sent a write.
//!
//! Pure: the coordinator sends the messages, and asks [`Writing::next`] how to go on.

use smallvec::SmallVec;

use super::message::{Base, Record, Version, Written};
use super::owners::{OwnerSet, Owners, Quorum};
use super::rules::Rules;
use crate::config::InjectedBug;
use crate::operation::{Outcome, PutError};
use crate::time::Instant;

/// An outcome, and until when it is true: until the value that was read expires.
#[derive(Clone)]
pub(super) struct PendingAnswer {
    pub outcome: Outcome,
    pub valid_until: Option<Instant>,
}

impl From<Outcome> for PendingAnswer {
    /// True for ever.
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            valid_until: None,
        }
    }
}

/// The state of a writing phase.
#[derive(Clone)]
pub(super) struct Writing {
    pub record: Record,
    /// The state that its condition was checked on.
    pub base: Option<Base>,
    /// The logical clock of the state that it is based on.
    pub based_on: Version,
    pub acked: OwnerSet,
    /// The owners that failed to acknowledge it.
    pub failed: OwnerSet,
    /// The owners that are down.
    pub down: OwnerSet,
    /// The owners that know a later write, or may have forgotten one.
    pub outdated: OwnerSet,
    /// The owners that have no room.
    pub refused: SmallVec<[(usize, PutError); 1]>,
    /// Acknowledgements as a number: wrong, and only for [`InjectedBug::CountedAcks`].
    counted: usize,
    /// Whether an owner may have the write without an acknowledgement.
    pub timed_out: bool,
    /// How many must have it before the client is answered.
    pub quorum: Quorum,
    pub answer: PendingAnswer,
    pub answered: bool,
}

/// How to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextWrite {
    /// The value that was read has expired: read again.
    ReadAgain,
    /// Enough owners have it: answer the client. `done`: all owners have answered.
    Succeed { done: bool },
    /// All owners have answered, and too few have it.
    Fail,
    /// The client has its answer; all owners have answered.
    Finish,
    /// An owner has not answered.
    Wait,
}

impl Writing {
    /// A client's write.
    pub(super) fn new(record: Record, base: Option<Base>, answer: PendingAnswer) -> Self {
        Self {
            based_on: record.version,
            record,
            base,
            acked: OwnerSet::default(),
            failed: OwnerSet::default(),
            down: OwnerSet::default(),
            outdated: OwnerSet::default(),
            refused: SmallVec::new(),
            counted: 0,
            timed_out: false,
            quorum: Quorum::Write,
            answer,
            answered: false,
        }
    }

    /// A read-repair write; the owners in `have` already have it.
    pub(super) fn read_repair(
        record: Record,
        have: OwnerSet,
        based_on: Version,
        quorum: Quorum,
        answer: PendingAnswer,
    ) -> Self {
        Self {
            based_on,
            acked: have,
            counted: have.len(),
            quorum,
            ..Self::new(record, None, answer)
        }
    }

    /// Records what an owner did with the write.
    pub(super) fn record_ack(&mut self, index: usize, outcome: &Written) {
        match outcome {
            Written::Applied => {
                self.acked.add(index);
                self.counted += 1;
            }
            Written::Conflict | Written::TooLate => {
                self.failed.add(index);
                self.outdated.add(index);
            }
            Written::Refused(error) => {
                self.failed.add(index);
                self.refused.push((index, *error));
            }
        }
    }

    /// An owner is down.
    pub(super) fn fail(&mut self, index: usize) {
        self.failed.add(index);
        self.down.add(index);
    }

    /// An owner has crashed: what it acknowledged may be lost.
    pub(super) fn discount(&mut self, index: usize) {
        if self.acked.has(index) {
            self.timed_out = true;
            self.acked.remove(index);
            self.fail(index);
        }
    }

    /// Stops waiting for the owners that have not answered.
    pub(super) fn on_timeout(&mut self, all: OwnerSet) {
        self.timed_out = true;
        self.failed = all.difference(self.acked);
    }

    /// Whether no owner has it, and none ever will.
    pub(super) fn is_nowhere(&self) -> bool {
        self.acked.is_empty() && !self.timed_out
    }

    /// Whether a later expiry or the write itself leaves a tombstone, which can be collected when
    /// all owners have the write.
    pub(super) fn leaves_tombstone(&self) -> bool {
        self.record.value.is_none() || self.record.deadline.is_some()
    }

    /// How to go on.
    pub(super) fn next(&self, owners: &Owners, rules: &Rules<'_>, now: Instant) -> NextWrite {
        let is_over = self.answer.valid_until.is_some_and(|until| until <= now);
        if is_over && !self.answered && rules.bug != Some(InjectedBug::LateDeadline) {
            return NextWrite::ReadAgain;
        }
        let done = self.acked.union(self.failed) == owners.all();
        match (self.answered, self.is_enough(owners, rules)) {
            (true, _) if done => NextWrite::Finish,
            (false, true) => NextWrite::Succeed { done },
            (false, false) if done => NextWrite::Fail,
            (true, _) | (false, false) => NextWrite::Wait,
        }
    }

    fn is_enough(&self, owners: &Owners, rules: &Rules<'_>) -> bool {
        if rules.bug == Some(InjectedBug::CountedAcks) {
            let none = OwnerSet::default();
            let (_, needed) = owners.short_of(none, self.quorum, rules);
            return self.counted >= needed;
        }
        owners.suffice(self.acked, self.quorum, rules)
    }
}
