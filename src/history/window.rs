//! Forgetting: which calls go when a history is at its capacity.
//!
//! About an eighth of the calls go at a time, so that the work is small for each call. The calls on
//! a key go up to a cut: a moment at which, if possible, none of them is in flight. What follows
//! from them (the possible states of the key, and which calls in flight have taken effect in
//! each) becomes the start of the key; see [`Past`](super::Past).
//!
//! A call is *open* as long as it may take effect: while it is pending, and for ever if its outcome
//! is unknown. An open write is kept, whatever its age, unless it has certainly taken effect. If
//! open writes fill more than half of the history, the key of the oldest is given up: its open
//! writes go too, and as they may take effect at any time, no later answer on the key can be called
//! wrong. A key that is given up stays so.

use smallvec::SmallVec;

use super::History;
use super::call::{Call, OpId};
use super::keys::GONE;
use super::start::{Prefix, Start};

/// One call in so many goes when there is no room.
const PART: usize = 8;

/// Numbers of events between which the cuts of all keys lie.
#[derive(Clone, Copy)]
struct Cuts {
    first: u64,
    last: u64,
}

impl History {
    /// Makes room for at least one call.
    pub(super) fn make_room(&mut self) {
        if !self.forget_quiescent_part() {
            let mut gone = vec![false; self.calls.len()];
            self.give_up_keys(&mut gone);
            if let Some(cuts) = self.cuts() {
                self.forget_prefixes(cuts, &mut gone);
            }
            self.sweep(&gone);
        }
        self.trim_keys();
    }

    /// Forgets the oldest eighth of the calls, if all of them are over before the next begins.
    /// Then this is the cut of every key, and no other call needs a look.
    fn forget_quiescent_part(&mut self) -> bool {
        let part = self.part();
        let Some(next) = self.calls.get(part).map(|call| call.span.begin) else {
            return false;
        };
        let mut first = 0;
        for call in &self.calls[..part] {
            match self.closed_at(call) {
                Some(end) if end < next => first = first.max(end),
                _ => return false,
            }
        }
        let mut gone = vec![false; part];
        self.forget_prefixes(Cuts { first, last: first }, &mut gone);
        debug_assert!(!gone.contains(&false), "all are over at the cut");
        self.calls.drain(..part);
        true
    }

    /// How many calls go at a time, if possible.
    fn part(&self) -> usize {
        (self.capacity / PART).max(1)
    }

    /// The number of the event after which nothing more can come of a call; `None` while it may
    /// take effect. A read without a certain answer says nothing, so it is over when it begins.
    fn closed_at(&self, call: &Call) -> Option<u64> {
        let is_judged = !matches!(self.keys.get(call.key_number).start, Start::Unjudged);
        let is_certain = !call.is_open() && !call.is_blurred;
        if !is_judged || call.operation.is_read() && !is_certain {
            return Some(call.span.begin);
        }
        call.span.end.filter(|_| !call.is_open())
    }

    /// Gives up keys, that of the oldest open call first, until open calls fill at most half of
    /// the history.
    fn give_up_keys(&mut self, gone: &mut [bool]) {
        let is_open = |call: &&Call| self.closed_at(call).is_none();
        let mut left = self.calls.iter().filter(is_open).count();
        if left <= self.capacity / 2 {
            return;
        }
        let mut open = vec![0_usize; self.keys.len()];
        for call in self.calls.iter().filter(is_open) {
            open[call.key_number as usize] += 1;
        }
        for at in 0..self.calls.len() {
            if left <= self.capacity / 2 {
                return;
            }
            let key = self.calls[at].key_number;
            if self.closed_at(&self.calls[at]).is_none() {
                left -= open[key as usize];
                self.give_up(key, gone);
            }
        }
    }

    fn give_up(&mut self, key: u32, gone: &mut [bool]) {
        for (call, gone) in self.calls.iter().zip(gone) {
            *gone |= call.key_number == key && call.is_open();
        }
        self.keys.get_mut(key).start = Start::Unjudged;
    }

    /// Where to cut, so that an eighth of the history goes, and at most a quarter or so.
    fn cuts(&self) -> Option<Cuts> {
        let all = self.calls.iter().filter_map(|call| self.closed_at(call));
        let mut closed: Vec<u64> = all.collect();
        let most = closed.len().checked_sub(1)?;
        let part = self.part();
        let mut nth = |n: usize| *closed.select_nth_unstable(n.min(most)).1;
        Some(Cuts {
            first: nth(part - 1),
            last: nth(2 * part - 1),
        })
    }

    /// Forgets the calls on each key that have ended at its cut. Calls that begin after `cuts.last`
    /// are in no prefix.
    fn forget_prefixes(&mut self, cuts: Cuts, gone: &mut [bool]) {
        let begun = self
            .calls
            .partition_point(|call| call.span.begin <= cuts.last);
        let left = (0..begun).filter(|&at| !gone[at]);
        let mut places: Vec<(u32, usize)> =
            left.map(|at| (self.calls[at].key_number, at)).collect();
        places.sort_unstable();
        for places in places.chunk_by(|one, other| one.0 == other.0) {
            let places: SmallVec<[usize; 8]> = places.iter().map(|it| it.1).collect();
            self.forget_prefix(&places, cuts, gone);
        }
    }

    /// The same for one key, with the places of its calls.
    fn forget_prefix(&mut self, places: &[usize], cuts: Cuts, gone: &mut [bool]) {
        let calls: SmallVec<[&Call; 8]> = places.iter().map(|&at| &self.calls[at]).collect();
        let ends: SmallVec<[_; 8]> = calls.iter().map(|call| self.closed_at(call)).collect();
        if !ends.iter().flatten().any(|&end| end <= cuts.first) {
            return;
        }
        let cut = quietest(&calls, &ends, cuts);
        let count = calls.partition_point(|call| call.span.begin <= cut);
        let key = calls[0].key_number;
        drop(calls);
        let settled = self.fold_prefix(key, &places[..count], cut);
        let is_exact = self.keys.get(key).start.is_exact();
        for (&at, end) in places[..count].iter().zip(ends) {
            let is_over = |end: Option<u64>| end.is_some_and(|end| end <= cut);
            if is_over(end) || settled.contains(&self.calls[at].id) {
                self.forget(at, gone);
                continue;
            }
            self.calls[at].is_blurred |= !is_exact || self.calls[at].outcome.is_none();
            if is_over(self.closed_at(&self.calls[at])) {
                self.forget(at, gone);
            }
        }
    }

    fn forget(&mut self, at: usize, gone: &mut [bool]) {
        let call = &self.calls[at];
        gone[at] = true;
        self.judged_from = self.judged_from.max(call.returned.unwrap_or(call.invoked));
    }

    /// Lets the key start with what follows from these calls. Gives those that have certainly taken
    /// effect although their outcome is not known.
    fn fold_prefix(&mut self, number: u32, places: &[usize], cut: u64) -> Vec<OpId> {
        let calls: SmallVec<[&Call; 8]> = places.iter().map(|&at| &self.calls[at]).collect();
        let key = self.keys.get(number);
        if matches!(key.start, Start::Unjudged) {
            return Vec::new();
        }
        let prefix = Prefix {
            key: &key.bytes,
            start: &key.start,
            calls: &calls,
            cut,
        };
        let folded = (self.fold)(&prefix, &mut self.old_values);
        self.keys.get_mut(number).start = folded.start;
        folded.settled
    }

    fn sweep(&mut self, gone: &[bool]) {
        let mut gone = gone.iter();
        self.calls.retain(|_| gone.next() == Some(&false));
    }

    fn trim_keys(&mut self) {
        if !self.keys.is_full() {
            return;
        }
        let mut in_use = vec![false; self.keys.len()];
        for call in &self.calls {
            in_use[call.key_number as usize] = true;
        }
        let numbers = self.keys.trim(&in_use);
        for call in &mut self.calls {
            call.key_number = numbers[call.key_number as usize];
            debug_assert_ne!(call.key_number, GONE, "it was in use");
        }
    }
}

/// The event within the bounds at which the fewest calls are in flight; of several the first. Calls
/// are in order of their begin. One with an unknown outcome is always in flight, so it does not
/// count; one that is pending does.
fn quietest(calls: &[&Call], ends: &[Option<u64>], cuts: Cuts) -> u64 {
    let is_over = |end: &Option<u64>| end.is_some_and(|end| end <= cuts.first);
    let mut both = calls.iter().zip(ends);
    if both.all(|(call, end)| call.span.begin > cuts.first || is_over(end)) {
        return cuts.first;
    }
    let all = calls.iter().zip(ends);
    let counted = all.filter(|(call, end)| end.is_some() || call.outcome.is_none());
    let begins: Vec<u64> = counted.map(|(call, _)| call.span.begin).collect();
    let mut ends: Vec<u64> = ends.iter().copied().flatten().collect();
    ends.sort_unstable();
    let in_flight = |at: u64| {
        let begun = begins.partition_point(|&begin| begin <= at);
        begun - ends.partition_point(|&end| end <= at)
    };
    let inside = ends
        .iter()
        .filter(|&&end| cuts.first < end && end <= cuts.last);
    let all = std::iter::once(cuts.first).chain(inside.copied());
    all.min_by_key(|&at| (in_flight(at), at))
        .unwrap_or(cuts.first)
}
