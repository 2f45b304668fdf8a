//! The shortest part of a history that no order explains.
//!
//! A write that is left out must not make a valid read look invalid. So nothing is left out during
//! the search: the operations outside the excerpt stay, as writes that may have taken effect within
//! their spans or not at all. If there is no order even then, the fault lies among the operations
//! of the excerpt alone.
//!
//! With that, more operations in the excerpt never make it easier to find an order, and a core can
//! be found by halving: with the others in some order, the shortest beginning of them that has no
//! order ends with an operation of the core; what comes after it is not needed, and so on with
//! what comes before. Source: Junker, "Preferred Explanations and Relaxations
//! for Over-Constrained Problems", AAAI 2004, for the idea. None of a core can
//! be left out. The first order is that of the ends, so the core ends as early as can be; the
//! later ones begin with the latest, so it is close together.
//!
//! Cost: a search for each halving: the length of the core times the logarithm of the operations.
//!
//! Caveats: when the steps run out, the excerpt is longer than need be, but as bad as the whole. It
//! is not always the shortest of all: there may be several, none of which is part of another.

use super::Promise;
use super::judge::{Judge, Range};
use super::op::Op;
use super::past::Past;
use super::reads::Reads;
use super::search::Answer;

/// How many neighbours of the core to search for sources before searching all operations.
const REACHES: [usize; 3] = [4, 16, 64];

/// What it takes to find an excerpt.
pub(super) struct Excerpts<'a> {
    /// What judges parts of the history.
    pub judge: &'a mut Judge,
    /// The start of the key.
    pub past: &'a Past,
    /// The operations on the key. Those that stand for forgotten calls come first, and belong to
    /// every part.
    pub ops: &'a [Op],
    /// The strongest promise that they do not break.
    pub at_most: Promise,
    /// No search is started when this many steps were taken.
    pub limit: u64,
}

impl Excerpts<'_> {
    /// The places of operations that break the same promise as all, and no weaker one.
    pub(super) fn find(&mut self, range: &Range) -> Vec<usize> {
        let core = match &range.finding {
            Some(finding) => finding.places.clone(),
            None => self.core(),
        };
        let mut closed = core.clone();
        Reads::new(self.past, self.ops).close(&mut closed);
        let mut places = if self.is_as_bad(&closed) {
            closed
        } else {
            self.shrink(&core)
        };
        places.retain(|&place| !self.ops[place].is_start());
        places
    }

    /// Whether these operations, as a history of their own, are exactly as bad as all are.
    fn is_as_bad(&mut self, places: &[usize]) -> bool {
        let starts = self.ops.iter().take_while(|op| op.is_start());
        let ops = places.iter().map(|&place| &self.ops[place]);
        let ops = ops.filter(|op| !op.is_start());
        let ops: Vec<Op> = starts.chain(ops).copied().collect();
        self.judge.range(self.past, &ops).at_most == self.at_most
    }

    /// Takes away, in ever smaller pieces, what does not belong to the core and is not needed to
    /// show that its reads break no weaker promise.
    fn shrink(&mut self, core: &[usize]) -> Vec<usize> {
        let near = REACHES.map(|reach| self.near(core, reach));
        let as_bad = near.into_iter().find(|places| self.is_as_bad(places));
        let mut places = as_bad.unwrap_or_else(|| (0..self.ops.len()).collect());
        let mut size = places.len();
        while size > 0 && !self.is_over() {
            let mut start = 0;
            while start < places.len() {
                let piece = start..places.len().min(start + size);
                let is_kept =
                    |(at, place): &(usize, &usize)| !piece.contains(at) || core.contains(place);
                let fewer: Vec<usize> = places
                    .iter()
                    .enumerate()
                    .filter(is_kept)
                    .map(|it| *it.1)
                    .collect();
                if fewer.len() < places.len() && self.is_as_bad(&fewer) {
                    places = fewer;
                } else {
                    start += size;
                }
            }
            size /= 2;
        }
        places
    }

    /// The operations at most so many places from one of the core, and what they read from.
    fn near(&self, core: &[usize], reach: usize) -> Vec<usize> {
        let is_near = |place: &usize| core.iter().any(|it| it.abs_diff(*place) <= reach);
        let mut near = (0..self.ops.len()).filter(is_near).collect();
        Reads::new(self.past, self.ops).close(&mut near);
        near
    }

    /// A core of the operations, which have no order.
    fn core(&mut self) -> Vec<usize> {
        let mut core: Vec<usize> = Vec::new();
        let sure = (0..self.ops.len()).filter(|&place| self.ops[place].sure);
        let mut others: Vec<usize> = sure.collect();
        others.sort_unstable_by_key(|&place| self.ops[place].end);
        while let Some(last) = self.shortest(&core, &others) {
            if self.is_over() {
                break;
            }
            core.push(others[last]);
            others.truncate(last);
            others.sort_unstable_by_key(|&place| std::cmp::Reverse(self.ops[place].end));
        }
        if self.is_over() {
            core.extend(others);
        }
        core
    }

    fn is_over(&self) -> bool {
        self.judge.search.steps >= self.limit
    }

    /// The last of the shortest beginning of `others` that has no order together with `core`;
    /// `None` if the core has none by itself.
    fn shortest(&mut self, core: &[usize], others: &[usize]) -> Option<usize> {
        let (mut low, mut high) = (0, others.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.has_order(core, &others[..middle]) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        high.checked_sub(1)
    }

    /// Whether there is an order if only these are sure, as far as the steps reach.
    fn has_order(&mut self, core: &[usize], others: &[usize]) -> bool {
        let mut kept = vec![false; self.ops.len()];
        core.iter()
            .chain(others)
            .for_each(|&place| kept[place] = true);
        let all = self.ops.iter().zip(kept);
        let ops: Vec<Op> = all
            .filter(|(op, kept)| *kept || !op.is_observer())
            .map(|(op, kept)| if kept { *op } else { op.unsure() })
            .collect();
        let may_lose = self.at_most < Promise::MayLose;
        let steps = self.limit.saturating_sub(self.judge.search.steps);
        self.judge.search.run(self.past, &ops, may_lose, steps) != Answer::No
    }
}
