//! The effects of forgotten calls on later reads.

use super::super::facts::{Want, deadline, gives_deadline, inherits, written};
use super::super::op::Op;
use super::{Moment, Reads};

/// The effects of forgotten calls on the reads after them.
pub(crate) struct Leftovers {
    /// The values that a read may find without being stale, each with the latest deadline that it
    /// may have. [`Want::Some`]: any value.
    pub sources: Vec<(Want, u64)>,
    /// The values whose writes have ended: a read that finds one is stale.
    pub ended: Vec<Want>,
    /// The latest deadline that an increment may keep; 0: there is no value.
    pub inherited: u64,
}

impl Reads<'_> {
    /// What the operations that are forgotten leave to reads after the event `cut`.
    pub(crate) fn leftovers(&self, cut: u64, is_forgotten: impl Fn(&Op) -> bool) -> Leftovers {
        let moment = Moment::after(cut);
        let first = self.first_heir(moment, &is_forgotten);
        let mut leftovers = Leftovers {
            sources: Vec::new(),
            ended: Vec::new(),
            inherited: 0,
        };
        for (place, op) in self.ops.iter().enumerate() {
            if !is_forgotten(op) {
                continue;
            }
            match written(op) {
                Some(want) if self.ender(place, moment).is_some() => leftovers.ended.push(want),
                Some(want) => leftovers.add_source(want, self.latest_deadline(place, moment)),
                None => {}
            }
            if self.may_be_inherited(place, moment, first) {
                leftovers.inherited = leftovers.inherited.max(deadline(op));
            }
        }
        leftovers
    }

    /// Whether a write was settled before the event `cut`.
    pub(crate) fn is_settled(&self, place: usize, cut: u64) -> bool {
        self.settled[place].0 <= cut
    }

    /// The latest deadline that the value of a source may have at a read; 0 if none may.
    fn latest_deadline(&self, source: usize, read: Moment) -> u64 {
        let givers = self.givers(source, read);
        let deadlines = givers.map(|giver| {
            let is_alive = self.is_alive(source, giver, read);
            (is_alive, deadline(&self.ops[giver]))
        });
        deadlines.max().map_or(0, |(_, deadline)| deadline)
    }

    /// The event from which on an increment may take effect that is not forgotten.
    fn first_heir(&self, moment: Moment, is_forgotten: impl Fn(&Op) -> bool) -> u64 {
        let heirs = self
            .ops
            .iter()
            .filter(|op| inherits(op) && !is_forgotten(op));
        heirs.map(|op| op.begin).fold(moment.begin, u64::min)
    }

    /// Whether an increment that begins at `first` may keep the deadline that an operation gave.
    fn may_be_inherited(&self, giver: usize, read: Moment, first: u64) -> bool {
        let (op, settled) = (&self.ops[giver], self.settled[giver].0);
        if self.changes.contains(&giver) {
            return self.may_hold(op.end, giver, read);
        }
        written(op).is_some()
            && gives_deadline(op)
            && self.may_hold(settled, giver, read)
            && self.resetters.between(settled, first).is_none()
    }
}

impl Leftovers {
    fn add_source(&mut self, want: Want, deadline: u64) {
        match self.sources.iter_mut().find(|source| source.0 == want) {
            Some(source) => source.1 = source.1.max(deadline),
            None => self.sources.push((want, deadline)),
        }
    }
}
