//! The promises about single reads: that a value was written, is not expired, and is not stale.
//!
//! An operation reads if it tells something about a value that it found: a get that hit, a
//! compare-and-set that took effect, an increment, and also an add that found the key taken and a
//! change of deadline or a delete that found something, which tell that there was *some* value.
//! Its sources are the writes of such a value that may have happened and were invoked before the
//! read returned. The promises ask whether one of them can be what was read; no order of all
//! operations is looked for, so this takes polynomial time.
//!
//! What ends a source, and what replaces its deadline, is what certainly came between: it was
//! invoked when the source was settled, and over when the read was invoked. A source is settled
//! when its client was told, or when a read returned that has no other source: so a write that
//! timed out, was read, and was deleted afterwards cannot come back unnoticed.
//!
//! Cost: for each read of a value, its sources times the changes of deadline on the key, each
//! times the logarithm of their number.

use super::register::{Act, NEVER, Op, Told, Value};

/// What is wrong with a read, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flaw {
    /// It has no source.
    Invented,
    /// All its sources had expired.
    Expired,
    /// All that had not expired had ended.
    Stale,
    /// The same, and it was a delete that ended the latest of them.
    Resurrected,
}

/// A read that is wrong, and why: places of operations.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What is wrong.
    pub flaw: Flaw,
    /// The read, a source, and what makes it wrong.
    pub places: Vec<usize>,
}

/// What a read tells of the value that it found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Want {
    Value(Value),
    Any,
}

/// Spans by their end, each with the span that begins latest among those that end no later.
#[derive(Default)]
struct Spans(Vec<(u64, u64, usize)>);

impl Spans {
    fn new(ops: &[Op], is_one: impl Fn(&Op) -> bool) -> Self {
        let all = ops
            .iter()
            .enumerate()
            .filter(|(_, op)| op.sure && is_one(op));
        let mut spans: Vec<_> = all.map(|(place, op)| (op.end, op.begin, place)).collect();
        spans.sort_unstable();
        for place in 1..spans.len() {
            let (_, begin, latest) = spans[place - 1];
            if begin > spans[place].1 {
                (spans[place].1, spans[place].2) = (begin, latest);
            }
        }
        Self(spans)
    }

    /// The latest that began after `after` and ended before `before`.
    fn between(&self, after: u64, before: u64) -> Option<usize> {
        let count = self.0.partition_point(|&(end, ..)| end < before);
        let &(_, begin, place) = self.0.get(count.checked_sub(1)?)?;
        (begin > after).then_some(place)
    }
}

/// The operations on one key, prepared for questions about reads.
pub struct Reads<'a> {
    ops: &'a [Op],
    /// Places of writes, by value.
    by_value: Vec<(Value, usize)>,
    /// Places of writes of which it is not known what they wrote.
    by_any: Vec<usize>,
    /// For each operation when it was settled, and the read that settled it if one did.
    settled: Vec<(u64, Option<usize>)>,
    enders: Spans,
    /// Those of them that give a deadline of their own.
    resetters: Spans,
    setters: Spans,
    /// Places of all changes of deadline that may have happened.
    changes: Vec<usize>,
}

/// It would have taken more steps than allowed.
pub struct OutOfSteps;

impl<'a> Reads<'a> {
    /// Prepares the operations on one key, which are in order of invocation.
    pub fn new(ops: &'a [Op]) -> Self {
        let mut reads = Self {
            ops,
            by_value: Vec::new(),
            by_any: Vec::new(),
            settled: ops.iter().map(|op| (op.end, None)).collect(),
            enders: Spans::new(ops, ends),
            resetters: Spans::new(ops, |op| ends(op) && !matches!(op.act, Act::Incr(_))),
            setters: Spans::new(ops, is_change),
            changes: Vec::new(),
        };
        for (place, op) in ops.iter().enumerate() {
            match written(op) {
                Some(Want::Value(value)) => reads.by_value.push((value, place)),
                Some(Want::Any) => reads.by_any.push(place),
                None if is_change(op) => reads.changes.push(place),
                None => {}
            }
        }
        reads.by_value.sort_unstable();
        reads.settle();
        reads
    }

    /// The worst read, and of several the first; `None` if nothing is wrong.
    ///
    /// # Errors
    /// If it takes more than so many steps, of one source each.
    pub fn worst(&self, steps: u64) -> Result<Option<Finding>, OutOfSteps> {
        let (mut left, mut worst) = (steps, None);
        for (place, want) in self.wants() {
            let (flaw, cost) = self.judge(place, want);
            left = left.checked_sub(cost).ok_or(OutOfSteps)?;
            let is_worse = |flaw: &Flaw| worst.is_none_or(|(worst, _)| *flaw < worst);
            worst = flaw.filter(is_worse).map(|flaw| (flaw, place)).or(worst);
        }
        Ok(worst.map(|(flaw, place)| self.explain(flaw, place)))
    }

    fn settle(&mut self) {
        for (place, want) in self.wants().collect::<Vec<_>>() {
            let mut sources = self.sources(place, want);
            let (Some(source), None) = (sources.next(), sources.next()) else {
                continue;
            };
            drop(sources);
            let settled = &mut self.settled[source];
            if self.ops[place].end < settled.0 {
                *settled = (self.ops[place].end, Some(place));
            }
        }
    }

    fn wants(&self) -> impl Iterator<Item = (usize, Want)> + '_ {
        let all = self.ops.iter().enumerate();
        all.filter_map(|(place, op)| Some((place, wanted(op)?)))
    }

    /// Writes of what the read at `place` wants, that were invoked before it returned.
    fn sources(&self, place: usize, want: Want) -> impl Iterator<Item = usize> + '_ {
        let known = match want {
            Want::Value(value) => {
                let start = self.by_value.partition_point(|it| it.0 < value);
                let count = self.by_value[start..].partition_point(|it| it.0 == value);
                &self.by_value[start..start + count]
            }
            Want::Any => &self.by_value[..],
        };
        let is_number = !matches!(want, Want::Value(Value::Text(_)));
        let any = self.by_any.iter().copied().filter(move |_| is_number);
        let end = self.ops[place].end;
        let all = known.iter().rev().map(|it| it.1).chain(any);
        all.filter(move |&source| source != place && self.ops[source].begin < end)
    }

    /// What is wrong with the read at `place`, and how much work it was to find out.
    fn judge(&self, place: usize, want: Want) -> (Option<Flaw>, u64) {
        let (mut worst, mut steps) = (Flaw::Invented, 1);
        for source in self.sources(place, want) {
            let giver = self.lives(source, place);
            let is_alive = giver.is_some();
            steps += 1;
            if giver != Some(source) {
                steps += self.changes.len() as u64;
            }
            if is_alive && self.ender(source, place).is_none() {
                return (None, steps);
            }
            worst = worst.max(if is_alive { Flaw::Stale } else { Flaw::Expired });
        }
        (Some(worst), steps)
    }

    /// What certainly ended a source before the read.
    fn ender(&self, source: usize, read: usize) -> Option<usize> {
        let before = self.ops[read].begin;
        self.enders.between(self.settled[source].0, before)
    }

    /// What may have given the value of a source a deadline that had not come at the read: the
    /// source itself, a change of deadline, or for an increment what came before it.
    fn lives(&self, source: usize, read: usize) -> Option<usize> {
        let may_change = |change: &usize| {
            let op = &self.ops[*change];
            let is_after = op.end > self.ops[source].begin || self.inherits(source);
            is_after && self.may_hold(op.end, *change, read)
        };
        let changes = self.changes.iter().copied().filter(may_change);
        let mut givers = self.givers(source, read).chain(changes);
        givers.find(|&giver| {
            let places = [source, giver, read];
            let latest = places.map(|place| self.ops[place].from).into_iter().max();
            let deadline = deadline(&self.ops[giver]);
            deadline == NEVER || latest < Some(deadline)
        })
    }

    /// Whether an operation keeps the deadline that was there before.
    fn inherits(&self, source: usize) -> bool {
        matches!(self.ops[source].act, Act::Incr(_))
    }

    /// The writes that may have given the value of a source its first deadline.
    fn givers(&self, source: usize, read: usize) -> impl Iterator<Item = usize> + '_ {
        let is_kept = self.may_hold(self.settled[source].0, source, read);
        let own = (is_kept && gives_deadline(&self.ops[source])).then_some(source);
        let known = self.by_value.iter().map(|it| it.1);
        let all = known.chain(self.by_any.iter().copied());
        let inherited = all.filter(move |&giver| self.may_inherit(source, giver, read));
        let count = if self.inherits(source) { usize::MAX } else { 0 };
        own.into_iter().chain(inherited.take(count))
    }

    /// Whether an increment may have kept the deadline that `giver` gave.
    fn may_inherit(&self, increment: usize, giver: usize, read: usize) -> bool {
        let (op, settled) = (&self.ops[giver], self.settled[giver].0);
        let is_giver = gives_deadline(op) && op.begin < self.ops[increment].end;
        let begin = self.ops[increment].begin;
        let is_kept = self.may_hold(settled, giver, read);
        is_giver && is_kept && self.resetters.between(settled, begin).is_none()
    }

    /// Whether a deadline given by an operation that was settled at `settled` may still hold.
    fn may_hold(&self, settled: u64, giver: usize, read: usize) -> bool {
        let read_op = &self.ops[read];
        let is_possible = giver != read && self.ops[giver].begin < read_op.end;
        is_possible && self.setters.between(settled, read_op.begin).is_none()
    }

    /// The operations that show the flaw: one source is enough, and the latest is the plainest.
    fn explain(&self, flaw: Flaw, read: usize) -> Finding {
        let want = wanted(&self.ops[read]).unwrap_or(Want::Any);
        let is_flawed =
            |&source: &usize| self.lives(source, read).is_some() == (flaw == Flaw::Stale);
        let sources = self.sources(read, want).filter(is_flawed);
        let Some(source) = sources.max_by_key(|&source| self.ops[source].begin) else {
            return Finding {
                flaw,
                places: vec![read],
            };
        };
        let (settled, settler) = self.settled[source];
        let mut places = vec![read, source];
        places.extend(settler);
        let begin = self.ops[read].begin;
        if flaw == Flaw::Expired {
            places.extend(self.setters.between(settled, begin));
            return Finding { flaw, places };
        }
        let ender = self.ender(source, read);
        places.extend(ender);
        places.extend(self.lives(source, read));
        let is_delete = |ender: usize| self.ops[ender].act == Act::Delete;
        let flaw = if ender.is_some_and(is_delete) {
            Flaw::Resurrected
        } else {
            flaw
        };
        Finding { flaw, places }
    }

    /// Adds to `places` what their reads read from, so that none of them looks invented, and puts
    /// all in order.
    pub fn close(&self, places: &mut Vec<usize>) {
        let wants = places
            .iter()
            .map(|&place| (place, wanted(&self.ops[place])));
        let mut open: Vec<_> = wants.collect();
        while let Some((place, want)) = open.pop() {
            let Some(want) = want else { continue };
            let is_there = |source: &usize| places.contains(source);
            let all = [
                self.best(place, want, |_| true),
                self.best(place, want, is_there),
            ];
            let best = all.into_iter().flatten().max_by_key(|&(likely, _)| likely);
            let Some((_, source)) = best else { continue };
            for new in [Some(source), self.lives(source, place)]
                .into_iter()
                .flatten()
            {
                if !places.contains(&new) {
                    places.push(new);
                    open.push((new, needed(&self.ops[new], want)));
                }
            }
        }
        places.sort_unstable();
        places.dedup();
    }

    /// The source that a read is most likely to have read from, and how likely that is.
    fn best(
        &self,
        read: usize,
        want: Want,
        is_one: impl Fn(&usize) -> bool,
    ) -> Option<(Likely, usize)> {
        let sources = self.sources(read, want).filter(is_one);
        let all = sources.map(|source| (self.likely(source, read), source));
        all.max_by_key(|&(likely, source)| (likely, self.ops[source].begin))
    }

    fn likely(&self, source: usize, read: usize) -> Likely {
        match self.lives(source, read) {
            Some(_) if self.ender(source, read).is_none() => Likely::Right,
            Some(_) => Likely::Stale,
            None => Likely::Expired,
        }
    }
}

/// How likely a read was from a source, the least first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likely {
    Expired,
    Stale,
    Right,
}

/// What an operation must have found to be the source of a read of `want`.
fn needed(op: &Op, want: Want) -> Option<Want> {
    match (op.act, op.told, want) {
        (Act::Cas(expected, ..), ..) => Some(Want::Value(expected)),
        (Act::Incr(delta), Told::Nothing, Want::Value(Value::Number(sum))) if sum != delta => sum
            .checked_sub(delta)
            .map(|it| Want::Value(Value::Number(it))),
        _ => wanted(op),
    }
}

/// Whether an operation gives what it writes a deadline, or none, of its own.
fn gives_deadline(op: &Op) -> bool {
    match op.act {
        Act::Incr(delta) => {
            let from_nothing = Told::Value(Some(Value::Number(delta)));
            op.told == Told::Nothing || op.told == from_nothing
        }
        _ => true,
    }
}

/// What an operation wrote, if it did or may have.
fn written(op: &Op) -> Option<Want> {
    match (op.act, op.told) {
        (Act::Delete | Act::Get | Act::SetDeadline(_), _) | (_, Told::Applied(false)) => None,
        (Act::Put(value, _) | Act::Add(value, _) | Act::Cas(_, value, _), _) => {
            Some(Want::Value(value))
        }
        (Act::Incr(_), Told::Value(Some(value))) => Some(Want::Value(value)),
        (Act::Incr(_), _) => Some(Want::Any),
    }
}

/// What an operation tells of the value that it found.
fn wanted(op: &Op) -> Option<Want> {
    match (op.act, op.told) {
        (Act::Get, Told::Value(value)) => value.map(Want::Value),
        (Act::Cas(expected, ..), Told::Applied(true)) => Some(Want::Value(expected)),
        (Act::Add(..), Told::Applied(false))
        | (Act::SetDeadline(_) | Act::Delete, Told::Applied(true)) => Some(Want::Any),
        (Act::Incr(delta), Told::Value(Some(Value::Number(sum)))) if sum != delta => {
            let before = sum.checked_sub(delta)?;
            Some(Want::Value(Value::Number(before)))
        }
        _ => None,
    }
}

/// Whether a sure operation certainly leaves nothing of what was there before.
fn ends(op: &Op) -> bool {
    match op.act {
        Act::Put(..) | Act::Delete | Act::Incr(_) => true,
        Act::Add(..) | Act::Cas(..) => op.told == Told::Applied(true),
        Act::Get | Act::SetDeadline(_) => false,
    }
}

fn is_change(op: &Op) -> bool {
    matches!(op.act, Act::SetDeadline(_)) && op.told != Told::Applied(false)
}

/// The deadline that an operation gives.
fn deadline(op: &Op) -> u64 {
    match op.act {
        Act::Put(_, deadline)
        | Act::Add(_, deadline)
        | Act::Cas(_, _, deadline)
        | Act::SetDeadline(deadline) => deadline,
        Act::Delete | Act::Get | Act::Incr(_) => NEVER,
    }
}
