//! What has happened in runs, counted: a simulation in which too little happens shows nothing.

use super::options::Options;
use crate::history::{History, Outcome};
use crate::nemesis::Kind;
use crate::network::Counts;
use crate::replica::Message;

/// The commands of clients, in the order in which they are shown.
pub const ACTIONS: [&str; 8] = [
    "GET", "PUT", "DEL", "ADD", "CAS", "INCR", "EXPIRE", "PERSIST",
];

/// What operations came to.
pub const OUTCOMES: [&str; 6] = ["done", "hit", "miss", "not applied", "refused", "unknown"];

/// What has happened in one run, or in many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// How many runs.
    pub runs: u64,
    /// Operations, by the places of [`ACTIONS`] and [`OUTCOMES`].
    pub operations: [[u64; OUTCOMES.len()]; ACTIONS.len()],
    /// Faults that came about, by the places of [`Kind::ALL`].
    pub faults: [u64; Kind::ALL.len()],
    /// Messages that were delivered, by the places of [`Message::KINDS`].
    pub messages: [u64; Message::KINDS.len()],
    /// What the networks counted.
    pub network: Counts,
    /// Keys that were judged.
    pub keys: u64,
    /// Runs of which the checker could not say what they show.
    pub undecided: u64,
    /// Copies of keys that expired.
    pub expired: u64,
    /// Copies of keys that were evicted.
    pub evicted: u64,
    /// Tombstones that were kept at the end.
    pub tombstones: u64,
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

    /// How many faults came about.
    #[must_use]
    pub fn struck(&self) -> u64 {
        self.faults.iter().sum()
    }

    /// What never happened in a thousand runs or more with the usual options, and should have;
    /// `None`: all did.
    #[must_use]
    pub fn gap(&self, options: &Options) -> Option<String> {
        let usual = Options {
            ops: options.ops,
            ..Options::default()
        };
        let is_whole = usual == *options;
        if self.runs < 1_000 || !is_whole || options.ops < 100 {
            return None;
        }
        let faults = Kind::ALL.iter().zip(&self.faults);
        let fault = faults.filter(|(_, count)| **count == 0).map(|it| it.0);
        let operations = ACTIONS.iter().zip(&self.operations);
        let operation = operations.filter(|(_, counts)| counts[..4].iter().all(|it| *it == 0));
        let fault = fault.map(|kind| format!("fault: {kind}")).next();
        if self.evicted == 0 {
            return Some("eviction".into());
        }
        fault.or_else(|| operation.map(|it| format!("answered {}", it.0)).next())
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
        let (to, from) = (&mut self.network, &other.network);
        to.sent += from.sent;
        to.delivered += from.delivered;
        to.dropped += from.dropped;
        to.duplicated += from.duplicated;
        to.reordered += from.reordered;
        to.held += from.held;
    }
}
