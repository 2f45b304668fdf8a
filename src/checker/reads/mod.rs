//! The promises about single reads: that a value was written, is not expired, and is not stale.
//!
//! An operation reads if its outcome depends on the value that it found: a get that hit, a
//! compare-and-set that took effect, an increment, and also an add that found the key taken and a
//! change of deadline or a delete that found something, which tell that there was *some* value.
//! Its sources are the writes of such a value that may have happened and were invoked before the
//! read returned. The promises ask whether one of them can be what was read; no order of all
//! operations is looked for, so this takes polynomial time.
//!
//! A source is settled when its client got the outcome, or when a read returned that has no other
//! source. It is ended for a read by an operation that certainly came between: one that was
//! invoked after the source was settled and was over before the read was invoked.
//!
//! Examples, each a line of operations that do not overlap; `?` marks an unknown outcome:
//!
//! | operations | sources of the last read | it is |
//! | --- | --- | --- |
//! | `put a`, `put b`, `get -> a` | `put a`, ended by `put b` | stale |
//! | `put a ?`, `put b`, `get -> a` | `put a`, never settled | right: it may have come late |
//! | `put a ?`, `get -> a`, `del`, `get -> a` | `put a`, settled by the first get, ended by `del` | resurrected |
//! | `put a 5s`, after 5s `get -> a` | `put a`, without a deadline to come | expired |
//! | `put a 5s`, `expire 9s ?`, after 5s `get -> a` | `put a`, which may live until 9s | right |
//! | `put 1 5s`, `incr -> 2`, after 5s `get -> 2` | `incr`, which keeps the deadline of `put 1` | expired |
//!
//! Where calls were forgotten, some operations stand for them (see [`Op::before`]): a write for
//! each value that may be there at the cut, all settled there. Any other value that a forgotten call
//! wrote had ended by then, so a read of it is outdated.
//!
//! Cost: for each read of a value, its sources times the changes of deadline on the key, each
//! times the logarithm of their number.

mod findings;
mod leftovers;

pub(super) use leftovers::Leftovers;

use super::facts::{Want, deadline, ends, gives_deadline, inherits, is_change, wanted, written};
use super::op::{NEVER, Op};
use super::past::Past;
use super::value::Value;

/// The faults of a read, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Flaw {
    /// It has no source.
    Invented,
    /// All its sources had expired.
    Expired,
    /// All that had not expired had ended before the calls that are judged.
    Outdated,
    /// All that had not expired had ended.
    Stale,
    /// The same, and it was a delete that ended the latest of them.
    Resurrected,
}

/// A read that is wrong, and why: places of operations.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    /// The fault.
    pub flaw: Flaw,
    /// The read, a source, and what makes it wrong.
    pub places: Vec<usize>,
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

/// When something is read.
#[derive(Clone, Copy)]
struct Moment {
    /// The place of the operation that reads.
    place: Option<usize>,
    begin: u64,
    end: u64,
    /// The earliest instant.
    from: u64,
}

impl Moment {
    fn of(place: usize, op: &Op) -> Self {
        Self {
            place: Some(place),
            begin: op.begin,
            end: op.end,
            from: op.from,
        }
    }

    /// Some time after the event `cut`.
    fn after(cut: u64) -> Self {
        Self {
            place: None,
            begin: cut.saturating_add(1),
            end: NEVER,
            from: 0,
        }
    }
}

/// The operations on one key, prepared for questions about reads.
pub(super) struct Reads<'a> {
    past: &'a Past,
    ops: &'a [Op],
    /// Places of writes, by value.
    by_value: Vec<(Value, usize)>,
    /// Places of writes of which it is not known what they wrote.
    by_some: Vec<usize>,
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
pub(super) struct OutOfSteps;

impl<'a> Reads<'a> {
    /// Prepares the operations on one key, which are in order of invocation.
    pub(super) fn new(past: &'a Past, ops: &'a [Op]) -> Self {
        let mut reads = Self {
            past,
            ops,
            by_value: Vec::new(),
            by_some: Vec::new(),
            settled: ops.iter().map(|op| (op.end, None)).collect(),
            enders: Spans::new(ops, ends),
            resetters: Spans::new(ops, |op| ends(op) && !inherits(op)),
            setters: Spans::new(ops, is_change),
            changes: Vec::new(),
        };
        for (place, op) in ops.iter().enumerate() {
            match written(op) {
                Some(Want::Value(value)) => reads.by_value.push((value, place)),
                Some(Want::Some) => reads.by_some.push(place),
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
    pub(super) fn worst(&self, steps: u64) -> Result<Option<Finding>, OutOfSteps> {
        let (mut left, mut worst) = (steps, None);
        for (place, want) in self.wants() {
            let (flaw, cost) = self.judge(place, want);
            left = left.checked_sub(cost).ok_or(OutOfSteps)?;
            let is_worse = |flaw: &Flaw| worst.is_none_or(|(worst, _)| *flaw < worst);
            worst = flaw.filter(is_worse).map(|flaw| (flaw, place)).or(worst);
        }
        Ok(worst.map(|(flaw, place)| self.explain(flaw, place)))
    }

    /// Notes which writes are settled by a read that has no other source.
    fn settle(&mut self) {
        for (place, want) in self.wants().collect::<Vec<_>>() {
            let mut sources = self.sources(place, want);
            let (Some(source), None) = (sources.next(), sources.next()) else {
                continue;
            };
            drop(sources);
            let settled = &mut self.settled[source];
            if self.ops[place].end < settled.0 && !self.past.may_be_old(want) {
                *settled = (self.ops[place].end, Some(place));
            }
        }
    }

    /// The reads that are judged. One that was in flight at the cut may have found what ended since.
    fn wants(&self) -> impl Iterator<Item = (usize, Want)> + '_ {
        let all = self.ops.iter().enumerate();
        let all = all.filter(|(_, op)| op.begin > self.past.cut);
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
            Want::Some => &self.by_value[..],
        };
        let is_number = !matches!(want, Want::Value(Value::Text(_)));
        let may_be = move |some: &usize| is_number || self.ops[*some].is_start();
        let some = self.by_some.iter().copied().filter(may_be);
        let end = self.ops[place].end;
        let all = known.iter().rev().map(|it| it.1).chain(some);
        all.filter(move |&source| source != place && self.ops[source].begin < end)
    }

    /// The fault of the read at `place`, and the number of steps that finding it took.
    fn judge(&self, place: usize, want: Want) -> (Option<Flaw>, u64) {
        let (mut flaw, mut steps) = (Flaw::Invented, 1);
        let moment = Moment::of(place, &self.ops[place]);
        for source in self.sources(place, want) {
            let giver = self.live_giver(source, moment);
            let is_alive = giver.is_some();
            steps += 1;
            if giver != Some(source) {
                steps += self.changes.len() as u64;
            }
            if is_alive && self.ender(source, moment).is_none() {
                return (None, steps);
            }
            flaw = flaw.max(if is_alive { Flaw::Stale } else { Flaw::Expired });
        }
        if self.past.may_be_old(want) {
            flaw = flaw.max(Flaw::Outdated);
        }
        (Some(flaw), steps)
    }

    /// What certainly ended a source before the read.
    fn ender(&self, source: usize, read: Moment) -> Option<usize> {
        self.enders.between(self.settled[source].0, read.begin)
    }

    /// What may have given the value of a source a deadline that had not come at the read.
    fn live_giver(&self, source: usize, read: Moment) -> Option<usize> {
        let mut givers = self.givers(source, read);
        givers.find(|&giver| self.is_alive(source, giver, read))
    }

    /// Whether a deadline had not come when the last of the source, its giver and the read was
    /// invoked.
    fn is_alive(&self, source: usize, giver: usize, read: Moment) -> bool {
        let latest = [source, giver].map(|place| self.ops[place].from);
        let deadline = deadline(&self.ops[giver]);
        deadline == NEVER || latest.into_iter().all(|it| it.max(read.from) < deadline)
    }

    /// What may have given the value of a source the deadline that it had at the read. That is, if
    /// no acknowledged change of deadline certainly came in between:
    ///
    /// - the source itself: `put a 5s` gives `a` its 5s;
    /// - for an increment what gave the number before its deadline: after `put 1 5s`, `incr -> 2`
    ///   the 2 has the 5s of `put 1`;
    /// - a change that may have come after the source: after `put a 5s`, `expire 9s ?` the value has
    ///   the 5s of the put or the 9s of the change.
    fn givers(&self, source: usize, read: Moment) -> impl Iterator<Item = usize> + '_ {
        let own = Some(source).filter(|_| gives_deadline(&self.ops[source]));
        let own = own.filter(|_| self.may_hold(self.settled[source].0, source, read));
        let inherited = self.ancestors(source, read);
        let changes = self.changes.iter().copied();
        let changes = changes.filter(move |&change| self.may_change(source, change, read));
        own.into_iter().chain(inherited).chain(changes)
    }

    /// For an increment the writes before it whose deadline it may have kept: those that nothing
    /// with a deadline of its own certainly followed.
    fn ancestors(&self, source: usize, read: Moment) -> impl Iterator<Item = usize> + '_ {
        let known = self.by_value.iter().map(|it| it.1);
        let all = known.chain(self.by_some.iter().copied());
        let settled = self.settled[source].0;
        let is_kept = self.setters.between(settled, read.begin).is_none();
        let count = if inherits(&self.ops[source]) && is_kept {
            usize::MAX
        } else {
            0
        };
        all.take(count)
            .filter(move |&giver| self.may_inherit(source, giver, read))
    }

    /// Whether an increment may have kept the deadline that `giver` gave.
    fn may_inherit(&self, increment: usize, giver: usize, read: Moment) -> bool {
        let (op, settled) = (&self.ops[giver], self.settled[giver].0);
        let Op { begin, end, .. } = self.ops[increment];
        let is_giver = gives_deadline(op) && op.begin < end;
        let is_kept = self.may_hold(settled, giver, read);
        is_giver && is_kept && self.resetters.between(settled, begin).is_none()
    }

    /// Whether a change of deadline may have changed that of a source before the read.
    fn may_change(&self, source: usize, change: usize, read: Moment) -> bool {
        let (source, op) = (&self.ops[source], &self.ops[change]);
        let is_after = op.end > source.begin || inherits(source);
        is_after && self.may_hold(op.end, change, read)
    }

    /// Whether a deadline given by an operation that was settled at `settled` may still hold.
    fn may_hold(&self, settled: u64, giver: usize, read: Moment) -> bool {
        let is_possible = Some(giver) != read.place && self.ops[giver].begin < read.end;
        is_possible && self.setters.between(settled, read.begin).is_none()
    }
}
