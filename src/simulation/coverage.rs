//! Counts of what has happened in runs.

use crate::history::{History, Outcome};
use crate::nemesis::Kind;
use crate::network::Counts;
use crate::replica::Message;

/// The commands of clients, in the order in which they are shown.
pub const ACTIONS: [&str; 8] = [
    "GET", "PUT", "DEL", "ADD", "CAS", "INCR", "EXPIRE", "PERSIST",
];

/// The outcomes of operations, in the order in which they are shown.
pub const OUTCOMES: [&str; 6] = ["done", "hit", "miss", "not applied", "refused", "unknown"];

/// Counts of the events in one run, or in many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// How many runs.
    pub runs: u64,
    /// Operations, by the indexes of [`ACTIONS`] and [`OUTCOMES`].
    pub operations: [[u64; OUTCOMES.len()]; ACTIONS.len()],
    /// Faults that were injected, by the indexes of [`Kind::ALL`].
    pub faults: [u64; Kind::ALL.len()],
    /// Messages that were delivered, by the indexes of [`Message::KINDS`].
    pub messages: [u64; Message::KINDS.len()],
    /// The counts of the networks.
    pub network: Counts,
    /// Keys that were judged.
    pub keys: u64,
    /// Keys that the checker could not decide.
    pub undecided: u64,
    /// Copies of keys that expired.
    pub expired: u64,
    /// Copies of keys that were evicted.
    pub evicted: u64,
    /// Tombstones that were kept at the end.
    pub tombstones: u64,
    /// Read-only commands, besides traces.
    pub looks: u64,
    /// Runs in which too few owners had an acknowledged write.
    pub weak: u64,
    /// Runs in which a restarted node was not sent a write that was kept for it.
    pub lost_hints: u64,
}

impl Coverage {
    /// Counts the operations of a history.
    pub(super) fn count(&mut self, history: &History) {
        for call in history.calls() {
            let name = call.operation.name();
            let Some(action) = ACTIONS.iter().position(|it| *it == name) else {
                continue;
            };
            let outcome = match &call.outcome {
                Some(Outcome::Done | Outcome::Applied(true)) => 0,
                Some(Outcome::Value(Some(_))) => 1,
                Some(Outcome::Value(None)) => 2,
                Some(Outcome::Applied(false)) => 3,
                Some(Outcome::Refused) => 4,
                Some(Outcome::Unknown) | None => 5,
            };
            self.operations[action][outcome] += 1;
        }
    }

    /// How many operations there were.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.operations.iter().flatten().sum()
    }

    /// How many operations were carried out, for certain.
    #[must_use]
    pub fn answered(&self) -> u64 {
        let answered = self.operations.iter().map(|it| &it[..4]);
        answered.flatten().sum()
    }

    /// How many faults were injected.
    #[must_use]
    pub fn struck(&self) -> u64 {
        self.faults.iter().sum()
    }

    /// The kinds of faults and of operations that never happened.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let faults = Kind::ALL.iter().zip(&self.faults);
        let faults = faults.filter(|(_, count)| **count == 0);
        let operations = ACTIONS.iter().zip(&self.operations);
        let operations = operations.filter(|(_, counts)| counts[..4].iter().all(|it| *it == 0));
        let faults = faults.map(|(kind, _)| kind.to_string());
        faults
            .chain(operations.map(|(name, _)| (*name).to_owned()))
            .collect()
    }

    /// Adds what has happened elsewhere.
    pub fn add(&mut self, other: &Self) {
        let add = |to: &mut [u64], from: &[u64]| {
            to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        };
        for (to, from) in self.operations.iter_mut().zip(&other.operations) {
            add(to, from);
        }
        add(&mut self.faults, &other.faults);
        add(&mut self.messages, &other.messages);
        self.runs += other.runs;
        self.keys += other.keys;
        self.undecided += other.undecided;
        self.expired += other.expired;
        self.evicted += other.evicted;
        self.tombstones += other.tombstones;
        self.looks += other.looks;
        self.weak += other.weak;
        self.lost_hints += other.lost_hints;
        let (to, from) = (&mut self.network, &other.network);
        to.sent += from.sent;
        to.delivered += from.delivered;
        to.dropped += from.dropped;
        to.duplicated += from.duplicated;
        to.reordered += from.reordered;
        to.held += from.held;
    }
}
