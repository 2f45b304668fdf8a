//! The promises by their definitions: every order, every instant, no cleverness.

use std::collections::BTreeSet;

use super::Promise;
use crate::history::{Call, Content, History, OpId};
use crate::operation::Operation;
use crate::time::Instant;

type Action = Operation<Content>;
type Outcome = crate::history::Outcome<Content>;

/// The strongest promise that holds for a history of few operations, all on one key, whose
/// instants are few nanoseconds; and for each promise whether it holds by itself.
pub(super) fn promise(history: &History) -> (Promise, [bool; 6]) {
    let holds = Promise::ALL.map(|promise| match promise {
        Promise::Nothing => true,
        Promise::NoInventedValue => reads(history, 1),
        Promise::NoExpiredRead => reads(history, 2),
        Promise::NoStaleRead => reads(history, 3),
        Promise::MayLose => has_order(history, true),
        Promise::Linearizable => has_order(history, false),
    });
    let strongest = holds
        .iter()
        .rposition(|&holds| holds)
        .expect("nothing holds");
    (Promise::ALL[strongest], holds)
}

/// A value and when it is gone.
type Register = Option<(Vec<u8>, Option<Instant>)>;

fn has_order(history: &History, may_lose: bool) -> bool {
    let mut left: Vec<OpId> = (0..history.calls().len() as u64).map(OpId).collect();
    left.retain(|&id| history.get(id).expect("recorded").outcome != Some(Outcome::Refused));
    let returns = history.calls().iter().filter_map(|it| it.returned);
    let mut line = Line {
        history,
        may_lose,
        failed: BTreeSet::new(),
        last: returns.max().map_or(0, Instant::as_nanos),
    };
    line.has_rest(&left, &None, 0)
}

/// Whether the first was over before the second was invoked.
fn precedes(history: &History, first: OpId, second: OpId) -> bool {
    let [first, second] = [first, second].map(|id| history.get(id).expect("recorded"));
    let end = first.span.end.filter(|_| !first.is_open());
    end.is_some_and(|end| end < second.span.begin)
}

struct Line<'a> {
    history: &'a History,
    may_lose: bool,
    /// The positions of the search from which no order was found.
    failed: BTreeSet<(Vec<OpId>, Register, u64)>,
    /// The last instant of the history. No call shows a later change.
    last: u64,
}

impl Line<'_> {
    fn op(&self, id: OpId) -> &Call {
        self.history.get(id).expect("recorded")
    }

    fn has_rest(&mut self, left: &[OpId], register: &Register, now: u64) -> bool {
        let state = (left.to_vec(), register.clone(), now);
        if left.iter().all(|&id| self.op(id).is_open()) {
            return true;
        }
        let found = !self.failed.contains(&state)
            && left
                .iter()
                .any(|&id| self.has_next(left, register, now, id));
        if !found {
            self.failed.insert(state);
        }
        found
    }

    fn has_next(&mut self, left: &[OpId], register: &Register, now: u64, id: OpId) -> bool {
        if left.iter().any(|&other| precedes(self.history, other, id)) {
            return false;
        }
        let rest: Vec<OpId> = left.iter().copied().filter(|&it| it != id).collect();
        let operation = self.op(id).clone();
        let end = operation.returned.filter(|_| !operation.is_open());
        let last = end.map_or(self.last, Instant::as_nanos);
        (now.max(operation.invoked.as_nanos())..=last).any(|time| {
            let kept = register.clone().filter(|_| is_there(register, time));
            let is_lost = self.may_lose && kept.is_some();
            let befores = [Some(kept), is_lost.then_some(None)];
            befores.into_iter().flatten().any(|before| {
                let (after, outcome) = act(before, &operation.operation);
                let is_right = operation.is_open() || fits(operation.outcome.as_ref(), &outcome);
                is_right && self.has_rest(&rest, &after, time)
            })
        })
    }
}

fn is_there(register: &Register, time: u64) -> bool {
    let deadline = register.as_ref().map(|it| it.1);
    deadline.is_some_and(|it| it.is_none_or(|deadline| deadline.as_nanos() > time))
}

fn fits(told: Option<&Outcome>, outcome: &Outcome) -> bool {
    told == Some(outcome)
        || (told == Some(&Outcome::Done) && matches!(outcome, Outcome::Applied(_)))
}

/// The bytes of a short value.
fn bytes(content: &Content) -> &[u8] {
    content.whole().expect("the values are short")
}

fn act(register: Register, action: &Action) -> (Register, Outcome) {
    let value = register.as_ref().map(|it| it.0.clone());
    let found = value.as_ref().map(|it| Content::from(&it[..]));
    let with = |value: &Content, deadline: Option<Instant>| Some((bytes(value).to_vec(), deadline));
    match action {
        Action::Put { value, deadline } => (with(value, *deadline), Outcome::Done),
        Action::Delete => (None, Outcome::Applied(found.is_some())),
        Action::Get => (register, Outcome::Value(found)),
        Action::Add { value, deadline } if found.is_none() => {
            (with(value, *deadline), Outcome::Applied(true))
        }
        Action::Cas {
            expected,
            new,
            deadline,
        } if found.as_ref() == Some(expected) => (with(new, *deadline), Outcome::Applied(true)),
        Action::SetDeadline { deadline } if found.is_some() => (
            value.map(|value| (value, *deadline)),
            Outcome::Applied(true),
        ),
        Action::Incr { delta } => {
            let (value, deadline) = register.clone().unwrap_or((b"0".into(), None));
            let number = String::from_utf8(value).expect("text").parse::<i64>();
            let Ok(number) = number else {
                return (register, Outcome::Refused);
            };
            let sum = (number + delta).to_string().into_bytes();
            let told = Outcome::Value(Some(sum[..].into()));
            (Some((sum, deadline)), told)
        }
        _ => (register, Outcome::Applied(false)),
    }
}

/// A history without increments, as the definitions of the promises about reads see it.
struct View<'a>(&'a History);

fn reads(history: &History, level: u8) -> bool {
    let view = View(history);
    view.all().all(|read| view.is_right(read, level))
}

impl View<'_> {
    fn all(&self) -> impl Iterator<Item = OpId> + use<> {
        (0..self.0.calls().len() as u64).map(OpId)
    }

    fn op(&self, id: OpId) -> &Call {
        self.0.get(id).expect("recorded")
    }

    fn is_done(&self, id: OpId) -> bool {
        !self.op(id).is_open() && self.op(id).outcome != Some(Outcome::Refused)
    }

    /// Whether it is a read, and the value, if the operation names it.
    #[expect(clippy::option_option, reason = "not a read, some value, this value")]
    fn wanted(&self, id: OpId) -> Option<Option<&[u8]>> {
        match (&self.op(id).operation, self.op(id).outcome.as_ref()?) {
            (Action::Get, Outcome::Value(Some(value))) => Some(Some(bytes(value))),
            (Action::Cas { expected, .. }, Outcome::Applied(true)) => Some(Some(bytes(expected))),
            (Action::Add { .. }, Outcome::Applied(false))
            | (Action::Delete | Action::SetDeadline { .. }, Outcome::Applied(true)) => Some(None),
            _ => None,
        }
    }

    fn written(&self, id: OpId) -> Option<(&[u8], Option<Instant>)> {
        match (&self.op(id).operation, &self.op(id).outcome) {
            (_, Some(Outcome::Refused | Outcome::Applied(false))) => None,
            (
                Action::Put { value, deadline }
                | Action::Add { value, deadline }
                | Action::Cas {
                    new: value,
                    deadline,
                    ..
                },
                _,
            ) => Some((bytes(value), *deadline)),
            _ => None,
        }
    }

    fn sources(&self, read: OpId) -> Vec<OpId> {
        let Some(want) = self.wanted(read) else {
            return Vec::new();
        };
        let end = self.op(read).span.end.expect("a read returned");
        let mut sources: Vec<OpId> = self.all().collect();
        sources.retain(|&source| {
            let written = self.written(source).map(|it| it.0);
            let begin = self.op(source).span.begin;
            source != read
                && begin < end
                && written.is_some_and(|it| want.is_none_or(|want| want == it))
        });
        sources
    }

    /// Whether `first` certainly took effect before `second` was invoked.
    fn is_before(&self, first: OpId, second: OpId) -> bool {
        let settles = |read: OpId| self.sources(read) == [first] && precedes(self.0, read, second);
        precedes(self.0, first, second) || self.all().any(settles)
    }

    fn is_between(&self, first: OpId, middle: OpId, last: OpId) -> bool {
        self.is_done(middle) && self.is_before(first, middle) && precedes(self.0, middle, last)
    }

    fn is_right(&self, read: OpId, level: u8) -> bool {
        self.wanted(read).is_none()
            || self.sources(read).into_iter().any(|source| {
                level < 2
                    || self.all().any(|giver| self.gives_life(source, giver, read))
                        && (level < 3 || !self.all().any(|ender| self.ends(source, ender, read)))
            })
    }

    fn gives_life(&self, source: OpId, giver: OpId, read: OpId) -> bool {
        let begin = |id| self.op(id).span.begin;
        let end = self.op(read).span.end.expect("a read returned");
        let deadline = match &self.op(giver).operation {
            _ if giver == source => self.written(source).and_then(|it| it.1),
            Action::SetDeadline { deadline } if giver != read => {
                let outcome = &self.op(giver).outcome;
                let never = matches!(outcome, Some(Outcome::Refused | Outcome::Applied(false)));
                if never || begin(giver) > end || precedes(self.0, giver, source) {
                    return false;
                }
                *deadline
            }
            _ => return false,
        };
        let replaces = |id: OpId| {
            let is_change = matches!(self.op(id).operation, Action::SetDeadline { .. });
            let applied = self.op(id).outcome != Some(Outcome::Applied(false));
            is_change && applied && self.is_between(giver, id, read)
        };
        let of = [source, giver, read];
        let is_late = |deadline| of.iter().any(|&id| self.op(id).invoked >= deadline);
        !deadline.is_some_and(is_late) && !self.all().any(replaces)
    }

    fn ends(&self, source: OpId, ender: OpId, read: OpId) -> bool {
        let is_ender = match self.op(ender).operation {
            Action::Put { .. } | Action::Delete => true,
            Action::Add { .. } | Action::Cas { .. } => {
                self.op(ender).outcome == Some(Outcome::Applied(true))
            }
            _ => false,
        };
        is_ender && self.is_between(source, ender, read)
    }
}
