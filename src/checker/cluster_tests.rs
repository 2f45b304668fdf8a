//! Histories of several clients and keys, as a simulation would make them.

#![expect(clippy::cast_possible_truncation, reason = "the numbers are small")]

use super::chance_tests::{Outcome, Register, act};
use super::{DEFAULT_STEPS, Fault, Kept, Promise, check, fold};
use crate::history::{Action, History, OpId};
use crate::rng::Rng;
use crate::time::Instant;

/// How many keys there are, if nothing else is said.
const KEYS: usize = 8;

/// An operation, the number of its key, what it does, and the answer once there is one.
type Waiting = (OpId, usize, Action, Option<Outcome>);

/// What clients do to a register for each key that does everything right, at an instant between
/// the invocation and the answer.
pub(super) struct Simulation {
    pub rng: Rng,
    pub now: u64,
    pub history: History,
    /// One for each key.
    pub registers: Vec<Register>,
    /// For each client what it waits for, and the answer once there is one.
    waiting: Vec<Option<Waiting>>,
    /// Of how many answers one is lost; 0: none.
    pub timeouts: u64,
    /// Of how many steps one loses a value; 0: none.
    pub losses: u64,
}

impl Simulation {
    pub(super) fn new(seed: u64, clients: usize) -> Self {
        Self {
            rng: Rng::new(seed),
            now: 0,
            history: History::new(100_000, fold),
            registers: vec![None; KEYS],
            waiting: vec![None; clients],
            timeouts: 0,
            losses: 0,
        }
    }

    pub(super) fn run(mut self, operations: usize) -> Self {
        while self.history.calls().len() < operations {
            self.step();
        }
        while self.waiting.iter().any(Option::is_some) {
            self.step();
        }
        self
    }

    fn chance(&mut self, of: u64) -> bool {
        of > 0 && self.rng.below(of) == 0
    }

    fn step(&mut self) {
        self.now += self.rng.below(3);
        if self.chance(self.losses) {
            let key = self.rng.below(self.registers.len() as u64) as usize;
            self.registers[key] = None;
        }
        let client = self.rng.below(self.waiting.len() as u64) as usize;
        match self.waiting[client].take() {
            None => self.invoke(client),
            Some((id, key, action, None)) => {
                let happens = !self.chance(self.timeouts);
                let outcome = if happens {
                    self.act(key, &action)
                } else {
                    Outcome::Unknown
                };
                self.waiting[client] = Some((id, key, action, Some(outcome)));
            }
            Some((id, .., Some(outcome))) => {
                let is_lost = self.chance(self.timeouts);
                let outcome = if is_lost { Outcome::Unknown } else { outcome };
                self.history
                    .complete(id, Instant::from_nanos(self.now), outcome.borrowed());
            }
        }
    }

    fn invoke(&mut self, client: usize) {
        let key = self.rng.below(self.registers.len() as u64) as usize;
        let value = format!("v{}", self.history.calls().len());
        let later = Instant::from_nanos(self.now + 1 + self.rng.below(200));
        let deadline = self.chance(3).then_some(later);
        let action = match self.rng.below(10) {
            0..=2 => Action::put(value.as_bytes(), deadline),
            3 => Action::Delete,
            4 => Action::add(value.as_bytes(), deadline),
            5 => match &self.registers[key] {
                Some((found, _)) => Action::cas(found, value.as_bytes(), deadline),
                None => Action::SetDeadline { deadline },
            },
            _ => Action::Get,
        };
        let now = Instant::from_nanos(self.now);
        let id = self
            .history
            .invoke(now, client as u32, &[b'a' + key as u8], action.borrowed());
        self.waiting[client] = Some((id, key, action, None));
    }

    fn act(&mut self, key: usize, action: &Action) -> Outcome {
        let now = self.now;
        let register = &mut self.registers[key];
        *register = register
            .take()
            .filter(|it| it.1.is_none_or(|deadline| deadline > now));
        act(register, action)
    }

    /// One more operation on the first key, when all is quiet.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "so the tests are easier to read"
    )]
    pub(super) fn then(&mut self, pause: u64, action: Action, outcome: Outcome) {
        self.now += pause;
        let now = Instant::from_nanos(self.now);
        let id = self.history.invoke(now, 0, b"a", action.borrowed());
        self.history.complete(id, now, outcome.borrowed());
    }
}

#[test]
fn what_a_register_answers_is_linearizable() {
    for seed in 0..1_000 {
        let simulation = Simulation::new(seed, 3 + seed as usize % 3).run(200);
        let verdict = check(&simulation.history, DEFAULT_STEPS);
        assert_eq!(
            verdict.kept(Promise::Linearizable),
            Kept::Yes,
            "seed {seed}: {verdict:?}"
        );
        assert!(
            verdict.steps < 1_000,
            "seed {seed}: {} steps",
            verdict.steps
        );
    }
}

#[test]
fn timeouts_explain_a_lot_but_not_wrongly() {
    for seed in 0..1_000 {
        let mut simulation = Simulation::new(seed, 4);
        simulation.timeouts = 10;
        let simulation = simulation.run(200);
        let verdict = check(&simulation.history, DEFAULT_STEPS);
        assert_eq!(
            verdict.kept(Promise::Linearizable),
            Kept::Yes,
            "seed {seed}: {verdict:?}"
        );
    }
}

#[test]
fn a_register_that_loses_values_keeps_the_promise_of_one_that_may() {
    let mut lost = 0;
    for seed in 0..300 {
        let mut simulation = Simulation::new(seed, 4);
        (simulation.losses, simulation.timeouts) = (20, seed % 2 * 20);
        let simulation = simulation.run(200);
        let verdict = check(&simulation.history, DEFAULT_STEPS);
        assert_eq!(
            verdict.kept(Promise::MayLose),
            Kept::Yes,
            "seed {seed}: {verdict:?}"
        );
        lost += u32::from(verdict.kept(Promise::Linearizable) == Kept::No);
    }
    assert!(lost > 250, "{lost}");
}

/// Puts a fault at the end of many histories: what was done, what was then answered wrongly,
/// and how it must be named. A delete or a change of deadline that timed out may excuse the loss of
/// a value and its life after the deadline.
fn is_caught(fault: Fault, length: usize, timeouts: u64, ending: impl Fn(&mut Simulation)) {
    for seed in 0..200 {
        let mut simulation = Simulation::new(seed, 4);
        simulation.timeouts = seed % 2 * timeouts;
        let mut simulation = simulation.run(200);
        simulation.then(1, Action::Delete, Outcome::Done);
        ending(&mut simulation);
        let verdict = check(&simulation.history, DEFAULT_STEPS);
        let violation = verdict.keys.first().and_then(|key| key.violation.as_ref());
        let violation = violation.unwrap_or_else(|| panic!("seed {seed}: {verdict:?}"));
        assert_eq!(
            (violation.fault, violation.excerpt.len()),
            (fault, length),
            "seed {seed}"
        );
        assert_eq!(verdict.keys.len(), 1);
    }
}

pub(super) fn hit(value: &[u8]) -> Outcome {
    Outcome::Value(Some(value.into()))
}

pub(super) fn put(value: &[u8]) -> Action {
    Action::put(value, None)
}

#[test]
fn a_lost_write_is_caught() {
    is_caught(Fault::Lost, 2, 0, |simulation| {
        simulation.then(1, put(b"last"), Outcome::Done);
        simulation.then(1, Action::Get, Outcome::Value(None));
    });
}

#[test]
fn a_stale_read_is_caught() {
    is_caught(Fault::Stale, 3, 20, |simulation| {
        simulation.then(1, put(b"first"), Outcome::Done);
        simulation.then(1, put(b"last"), Outcome::Done);
        simulation.then(1, Action::Get, hit(b"first"));
    });
}

#[test]
fn a_resurrected_value_is_caught() {
    is_caught(Fault::Resurrected, 3, 20, |simulation| {
        simulation.then(1, put(b"first"), Outcome::Done);
        simulation.then(1, Action::Delete, Outcome::Applied(true));
        simulation.then(1, Action::Get, hit(b"first"));
    });
}

#[test]
fn an_expired_read_is_caught() {
    is_caught(Fault::Expired, 2, 0, |simulation| {
        let deadline = Instant::from_nanos(simulation.now + 10);
        let action = Action::put(b"last", Some(deadline));
        simulation.then(0, action, Outcome::Done);
        simulation.then(10, Action::Get, hit(b"last"));
    });
}

#[test]
fn an_invented_value_is_caught() {
    is_caught(Fault::Invented, 1, 20, |simulation| {
        simulation.then(1, Action::Get, hit(b"never written"));
    });
}

#[test]
fn a_value_that_was_lost_and_returns_is_caught() {
    is_caught(Fault::NoOrder, 3, 20, |simulation| {
        simulation.then(1, put(b"last"), Outcome::Done);
        simulation.then(1, Action::Get, Outcome::Value(None));
        simulation.then(1, Action::Get, hit(b"last"));
    });
}
