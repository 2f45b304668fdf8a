//! One key as the checker sees it: the operations in numbers, and the register with expiry that
//! they act on.

use crate::hash::rapidhash;
use crate::history::{Action, History, Operation, Outcome};
use crate::time::Instant;

/// No deadline, and no end.
pub const NEVER: u64 = u64::MAX;

/// A value. The decimal text of a 64-bit number, as an increment writes it, is that number; any
/// other text has a number of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// A number.
    Number(i64),
    /// The number of a text in [`Texts`].
    Text(u32),
}

/// The values of a history that are not numbers.
#[derive(Default)]
pub struct Texts<'a> {
    texts: Vec<&'a [u8]>,
    index: hashbrown::HashTable<u32>,
}

impl<'a> Texts<'a> {
    fn value(&mut self, text: &'a [u8]) -> Value {
        number(text).map_or_else(|| Value::Text(self.place(text)), Value::Number)
    }

    fn place(&mut self, text: &'a [u8]) -> u32 {
        let texts = &mut self.texts;
        let hash = |place: &u32| rapidhash(texts[*place as usize]);
        let same = |place: &u32| texts[*place as usize] == text;
        let entry = self.index.entry(rapidhash(text), same, hash);
        let next = u32::try_from(texts.len()).expect("fewer texts than operations");
        let place = *entry.or_insert(next).get();
        if place == next {
            texts.push(text);
        }
        place
    }
}

/// The number that an increment would have written as this text.
fn number(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let canonical = match digits {
        [] | [b'0', _, ..] => false,
        [b'0'] => digits.len() == text.len(),
        _ => digits.len() <= 19 && digits.iter().all(u8::is_ascii_digit),
    };
    let text = canonical.then(|| std::str::from_utf8(text).ok())??;
    text.parse().ok()
}

/// [`Action`], without what only people read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Store a value with a deadline.
    Put(Value, u64),
    /// Remove the value.
    Delete,
    /// Read.
    Get,
    /// Store if absent.
    Add(Value, u64),
    /// Store the second if the first is there.
    Cas(Value, Value, u64),
    /// Change the deadline if something is there.
    SetDeadline(u64),
    /// Add to a number.
    Incr(i64),
}

/// What is known of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nothing.
    Nothing,
    /// Whether it took effect.
    Applied(bool),
    /// The value that it found or made.
    Value(Option<Value>),
}

/// One operation on the key. `begin` and `end` are places in the order of recording, `from` and
/// `until` nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Op {
    /// Its number in the history.
    pub id: u64,
    /// What is asked.
    pub act: Act,
    /// What is known of the result.
    pub told: Told,
    /// Whether it certainly took effect. If not, it may have, within its span.
    pub sure: bool,
    /// When it was invoked.
    pub begin: u64,
    /// When its client was told; [`NEVER`] if it may take effect later than that.
    pub end: u64,
    /// It takes effect no earlier.
    pub from: u64,
    /// It takes effect no later.
    pub until: u64,
}

impl Op {
    /// Whether the result is the same whatever it meets.
    pub fn is_overwrite(&self) -> bool {
        match self.act {
            Act::Put(..) => true,
            Act::Delete => self.told == Told::Nothing,
            _ => false,
        }
    }

    /// Whether it certainly leaves everything as it is.
    pub fn is_observer(&self) -> bool {
        self.act == Act::Get || self.told == Told::Applied(false)
    }

    /// The same, if nobody knew whether it took effect.
    pub fn unsure(mut self) -> Self {
        (self.sure, self.told) = (false, Told::Nothing);
        self
    }
}

/// The operations of one key that say or do something, by the order of their invocation.
///
/// Left out: what was refused, and reads of which nothing was told.
pub fn read<'a>(history: &'a History, ids: &[u64], texts: &mut Texts<'a>, ops: &mut Vec<Op>) {
    ops.clear();
    ops.extend(ids.iter().filter_map(|&id| op(history, id, texts)));
}

fn op<'a>(history: &'a History, id: u64, texts: &mut Texts<'a>) -> Option<Op> {
    let place = crate::history::OpId(id);
    let (operation, span) = (history.get(place)?, history.span(place)?);
    let end = span
        .end
        .filter(|&end| history.cut().is_none_or(|cut| end < cut));
    let open = end.is_none() || operation.outcome == Outcome::Unknown;
    if operation.outcome == Outcome::Refused && !open {
        return None;
    }
    let told = if open {
        Told::Nothing
    } else {
        told(operation, texts)
    };
    if operation.action == Action::Get && told == Told::Nothing {
        return None;
    }
    let until = operation.returned.map_or(NEVER, Instant::as_nanos);
    Some(Op {
        id,
        act: act(&operation.action, texts),
        told,
        sure: !open,
        begin: span.begin,
        end: end.filter(|_| !open).unwrap_or(NEVER),
        from: operation.invoked.as_nanos(),
        until: if open { NEVER } else { until },
    })
}

fn act<'a>(action: &'a Action, texts: &mut Texts<'a>) -> Act {
    let nanos = |deadline: &Option<Instant>| deadline.map_or(NEVER, Instant::as_nanos);
    match action {
        Action::Put { value, deadline } => Act::Put(texts.value(value), nanos(deadline)),
        Action::Delete => Act::Delete,
        Action::Get => Act::Get,
        Action::Add { value, deadline } => Act::Add(texts.value(value), nanos(deadline)),
        Action::Cas {
            expected,
            new,
            deadline,
        } => Act::Cas(texts.value(expected), texts.value(new), nanos(deadline)),
        Action::SetDeadline { deadline } => Act::SetDeadline(nanos(deadline)),
        Action::Incr { delta } => Act::Incr(*delta),
    }
}

/// An outcome that does not fit its action says only that it was done.
fn told<'a>(operation: &'a Operation, texts: &mut Texts<'a>) -> Told {
    match (&operation.action, &operation.outcome) {
        (Action::Get, Outcome::Value(value)) => {
            Told::Value(value.as_ref().map(|value| texts.value(value)))
        }
        (Action::Incr { .. }, Outcome::Value(Some(value))) => Told::Value(Some(texts.value(value))),
        (Action::Put { .. } | Action::Get | Action::Incr { .. }, _) => Told::Nothing,
        (_, Outcome::Applied(applied)) => Told::Applied(*applied),
        _ => Told::Nothing,
    }
}

/// The register: a value, when it expires, and the earliest instant that it can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// `None`: absent.
    pub value: Option<Value>,
    /// At this instant the value is gone. 0 if there is none.
    pub deadline: u64,
    /// Nothing that comes now took effect before.
    pub time: u64,
}

impl State {
    /// Where every key starts.
    pub const START: Self = Self::absent(0);

    const fn absent(time: u64) -> Self {
        let (value, deadline) = (None, 0);
        Self {
            value,
            deadline,
            time,
        }
    }

    fn with(self, value: Value, deadline: u64) -> Self {
        let value = Some(value);
        Self {
            value,
            deadline,
            ..self
        }
        .at(self.time)
    }

    /// The same, at this instant or later.
    fn at(mut self, time: u64) -> Self {
        self.time = self.time.max(time);
        if self.deadline <= self.time && self.deadline != NEVER {
            return Self::absent(self.time);
        }
        self
    }

    /// Whether two differ in more than the time.
    fn is_changed(&self, other: &Self) -> bool {
        (self.value, self.deadline) != (other.value, other.deadline)
    }

    /// What can become of the register if `op` takes effect now: as it is, or with the value gone
    /// first, because its deadline has come or because it was lost.
    pub fn after(self, op: &Op, may_lose: bool) -> [Option<Self>; 2] {
        if self.time > op.until {
            return [None; 2];
        }
        let here = self.at(op.from);
        let first = here.effect(op);
        if here.value.is_none() || op.is_overwrite() {
            return [first, None];
        }
        let gone = if may_lose { here.time } else { here.deadline };
        let second = (gone <= op.until && (may_lose || gone != NEVER))
            .then(|| Self::absent(gone).effect(op))
            .flatten();
        [first, second]
    }

    fn effect(self, op: &Op) -> Option<Self> {
        let after = self.result(op)?;
        (op.sure || after.is_changed(&self)).then_some(after)
    }

    /// The register after `op`, if the result is what was told.
    fn result(self, op: &Op) -> Option<Self> {
        let [yes, no] = [Told::Applied(false), Told::Applied(true)].map(|not| op.told != not);
        match (op.act, self.value) {
            (Act::Get, found) => (op.told == Told::Value(found)).then_some(self),
            (Act::Put(value, deadline), _) => Some(self.with(value, deadline)),
            (Act::Add(value, deadline), None) => yes.then(|| self.with(value, deadline)),
            (Act::Cas(expected, new, deadline), Some(found)) if found == expected => {
                yes.then(|| self.with(new, deadline))
            }
            (Act::SetDeadline(deadline), Some(found)) => yes.then(|| self.with(found, deadline)),
            (Act::Delete, Some(_)) => yes.then(|| Self::absent(self.time)),
            (Act::Incr(delta), found) => self.increment(op, delta, found),
            (Act::Add(..) | Act::Cas(..) | Act::SetDeadline(_) | Act::Delete, _) => {
                no.then_some(self)
            }
        }
    }

    fn increment(self, op: &Op, delta: i64, found: Option<Value>) -> Option<Self> {
        let (number, deadline) = match found {
            None => (0, NEVER),
            Some(Value::Number(number)) => (number, self.deadline),
            Some(Value::Text(_)) => return None,
        };
        let sum = Value::Number(number.checked_add(delta)?);
        let as_told = op.told == Told::Nothing || op.told == Told::Value(Some(sum));
        as_told.then(|| self.with(sum, deadline))
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_what_an_increment_writes() {
        let numbers = [
            "0",
            "7",
            "-7",
            "9223372036854775807",
            "-9223372036854775808",
        ];
        for text in numbers {
            let number = number(text.as_bytes()).map(|it| it.to_string());
            assert_eq!(number.as_deref(), Some(text));
        }
        for text in [
            "",
            "-",
            "-0",
            "007",
            "+7",
            " 7",
            "7 ",
            "9223372036854775808",
            "x",
        ] {
            assert_eq!(number(text.as_bytes()), None, "{text}");
        }
    }
}
