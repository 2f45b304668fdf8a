//! Small histories by chance.

#![expect(clippy::cast_possible_truncation, reason = "the numbers are small")]

use crate::checker::fold;
use crate::history::{Action, History, OpId};
use crate::rng::Rng;
use crate::time::Instant;

/// An outcome that owns its value.
pub(super) type Outcome = crate::history::Outcome<Box<[u8]>>;

/// Whether some histories have increments: the oracle of reads knows none.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Numbers {
    With,
    Without,
}

/// What a simulation gets wrong.
#[derive(Clone, Copy, PartialEq)]
enum Bug {
    None,
    /// Half of the answers are arbitrary.
    Lies,
    /// A third of the answers come from an old copy.
    Stale,
    /// Nothing expires.
    Keeps,
}

/// Something that a client waits for, and the answer once there is one.
struct Running(OpId, Action, Option<Outcome>);

/// A register that few clients use, and that may have a bug.
struct Chance<'a> {
    rng: &'a mut Rng,
    now: u64,
    history: History,
    running: Vec<Running>,
    register: Register,
    old: Register,
    bug: Bug,
}

/// A history of two to six operations on one key: each step invokes one, lets one take effect, or
/// answers one.
pub(super) fn by_chance(rng: &mut Rng, numbers: Numbers) -> History {
    let count = 2 + rng.below(5) as usize;
    of_length(rng, numbers, count)
}

/// The same, of so many operations.
pub(super) fn of_length(rng: &mut Rng, numbers: Numbers, count: usize) -> History {
    let bug = [Bug::None, Bug::None, Bug::Lies, Bug::Stale, Bug::Keeps][rng.below(5) as usize];
    let mut chance = Chance {
        rng,
        now: 0,
        history: History::new(10_000, fold),
        running: Vec::new(),
        register: None,
        old: None,
        bug,
    };
    loop {
        chance.now += [0, 0, 1, 2][chance.rng.below(4) as usize];
        let left = count - chance.history.calls().len();
        if left > 0 && chance.rng.below(5) > chance.running.len() as u64 {
            chance.invoke(numbers);
        } else if !chance.running.is_empty() {
            chance.go_on();
        } else if left == 0 {
            return chance.history;
        }
    }
}

impl Chance<'_> {
    fn one_in(&mut self, n: u64) -> bool {
        self.rng.below(n) == 0
    }

    fn invoke(&mut self, numbers: Numbers) {
        let action = any_action(self.rng, self.now, numbers);
        let id = self
            .history
            .invoke(at(self.now), 0, b"k", action.borrowed());
        self.running.push(Running(id, action, None));
    }

    fn go_on(&mut self) {
        let place = self.rng.below(self.running.len() as u64) as usize;
        let Running(id, action, outcome) = self.running.swap_remove(place);
        let Some(outcome) = outcome else {
            let outcome = Some(self.answer(&action));
            self.running.push(Running(id, action, outcome));
            return;
        };
        let is_lie = self.bug == Bug::Lies && self.one_in(2);
        let outcome = if is_lie {
            any_outcome(self.rng, &action)
        } else {
            outcome
        };
        if !self.one_in(12) {
            self.history.complete(id, at(self.now), outcome.borrowed());
        }
    }

    fn answer(&mut self, action: &Action) -> Outcome {
        let now = self.now;
        let is_kept = |it: &(Vec<u8>, Option<u64>)| it.1.is_none_or(|deadline| deadline > now);
        let keeps_all = self.bug == Bug::Keeps;
        self.register = self.register.take().filter(|it| keeps_all || is_kept(it));
        if self.bug == Bug::Stale && self.one_in(3) {
            return act(&mut self.old.clone().filter(is_kept), action);
        }
        if self.one_in(8) {
            return Outcome::Unknown;
        }
        let outcome = act(&mut self.register, action);
        if self.register.is_some() && self.one_in(2) {
            self.old.clone_from(&self.register);
        }
        if self.one_in(8) {
            self.register = None;
        }
        outcome
    }
}

const fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn any_value(rng: &mut Rng) -> &'static [u8] {
    [&b"1"[..], b"2", b"x"][rng.below(3) as usize]
}

fn any_action(rng: &mut Rng, now: u64, numbers: Numbers) -> Action {
    let deadline = (rng.below(2) == 0).then(|| at(now + 1 + rng.below(3)));
    match rng.below(if numbers == Numbers::With { 11 } else { 10 }) {
        0..=2 => Action::put(any_value(rng), deadline),
        3 => Action::Delete,
        4 => Action::add(any_value(rng), deadline),
        5 => Action::cas(any_value(rng), any_value(rng), deadline),
        6 => Action::SetDeadline { deadline },
        10 => Action::Incr { delta: 1 },
        _ => Action::Get,
    }
}

fn any_outcome(rng: &mut Rng, action: &Action) -> Outcome {
    let is_yes = rng.below(2) == 0;
    match action {
        _ if rng.below(12) == 0 => Outcome::Refused,
        Action::Put { .. } => Outcome::Done,
        Action::Get if is_yes => Outcome::Value(None),
        Action::Get => Outcome::Value(Some(any_value(rng).into())),
        Action::Incr { .. } => Outcome::Value(Some((*if is_yes { b"1" } else { b"2" }).into())),
        _ => Outcome::Applied(is_yes),
    }
}

pub(super) type Register = Option<(Vec<u8>, Option<u64>)>;

/// What a register does that is right: the caller lets it expire.
pub(super) fn act(register: &mut Register, action: &Action) -> Outcome {
    let nanos = |deadline: &Option<Instant>| deadline.map(Instant::as_nanos);
    let found = register.as_ref().map(|it| it.0.clone());
    let next = match action {
        Action::Get => return Outcome::Value(found.map(Into::into)),
        Action::Put { value, deadline } => {
            *register = Some((value.to_vec(), nanos(deadline)));
            return Outcome::Done;
        }
        Action::Incr { delta } => {
            let (value, deadline) = register.clone().unwrap_or((b"0".to_vec(), None));
            let text = String::from_utf8(value).expect("text");
            let Ok(number) = text.parse::<i64>() else {
                return Outcome::Refused;
            };
            let sum = (number + delta).to_string().into_bytes();
            *register = Some((sum.clone(), deadline));
            return Outcome::Value(Some(sum.into()));
        }
        Action::Delete => found.is_some().then_some(None),
        Action::Add { value, deadline } => found
            .is_none()
            .then(|| Some((value.to_vec(), nanos(deadline)))),
        Action::Cas {
            expected,
            new,
            deadline,
        } => (found.as_deref() == Some(expected)).then(|| Some((new.to_vec(), nanos(deadline)))),
        Action::Swap {
            expected,
            until,
            new,
            deadline,
        } => {
            let old = Some((expected.to_vec(), nanos(until)));
            let new = new.as_ref().map(|new| (new.to_vec(), nanos(deadline)));
            (*register == old).then_some(new)
        }
        Action::SetDeadline { deadline } => found.map(|value| Some((value, nanos(deadline)))),
    };
    let is_applied = next.is_some();
    *register = next.unwrap_or_else(|| register.take());
    Outcome::Applied(is_applied)
}
