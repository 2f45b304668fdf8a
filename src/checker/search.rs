//! The search for an order of the operations on one key in which all their results are right.
//!
//! It puts one operation after another in line, never one that another must precede, and goes
//! back where the register cannot give the results. What failed once is remembered, as the set of
//! operations in line with the register after them: another order of the same set fails too.
//!
//! Sources: Wing, Gong, "Testing and Verifying Concurrent Objects", JPDC 17, 1993 (the search);
//! Lowe, "Testing for Linearizability", CCPE 29(4), 2017 (what to remember). What is new here:
//!
//! - Expiry. The register knows the earliest instant that it can be. A step moves it to when its
//!   operation was invoked, and must not move it past when the client was told; finding nothing
//!   may move it to the deadline. Earlier is never worse, so the earliest is all there is to try,
//!   and what failed at one instant fails at every later one.
//! - An operation that is not sure to have happened is tried only when nothing else helps, and only
//!   before one that notices it: a write that is overwritten unseen may as well never have been.
//! - A read whose value is there, and that moves no clock, is put in line without an alternative.
//!
//! Cost: about one step an operation if the history is right and clients seldom overlap;
//! exponential in the number of clients in the worst case, hence the bound on steps. Memory: 40
//! bytes a failure, so at most that a step.
//!
//! Caveats: a set of operations is known by the sum of 128-bit pinned random numbers, one an
//! operation. Two sets would be mistaken for one with a chance of 2^-128 a pair.

use super::register::{Act, NEVER, Op, State, Told, Value};
use crate::rng::Rng;

/// Whether there is an order, within the steps allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// There is.
    Yes,
    /// There is none.
    No,
    /// The steps ran out.
    Unknown,
}

/// The place of an operation, or the number of them all.
fn place(count: usize) -> u32 {
    u32::try_from(count).expect("fewer operations than fit in memory")
}

/// The place of no operation.
const NONE: u32 = u32::MAX;

/// The memory of the search, which serves one key after another.
#[derive(Default)]
pub struct Search {
    /// Operations that are not in line yet, the sure ones and the others, by invocation. The last
    /// two places are the ends of the two rings.
    ring: Vec<[u32; 2]>,
    marks: Vec<u128>,
    frames: Vec<Frame>,
    /// What led nowhere, and the earliest instant at which it did.
    failed: hashbrown::HashTable<(u128, u64)>,
    /// Whether an operation that is not sure must come before its client was told.
    is_bounded: bool,
    /// Steps taken, over all calls.
    pub steps: u64,
}

/// One place in the line.
#[derive(Clone, Copy)]
struct Frame {
    /// The operation that was put in line, and the register after it.
    op: u32,
    state: State,
    /// The sum of the marks of all in line.
    set: u128,
    /// The latest invocation among all in line.
    latest: u64,
    /// The earliest end among the sure ones that are not: what was invoked after it must wait.
    horizon: u64,
    /// Whether `op` is one that must be noticed at once.
    is_guess: bool,
    /// What to try next: the pass, the operation, and a second result of the one before.
    pass: Pass,
    cursor: u32,
    second: Option<(u32, State)>,
    /// Whether a delete, and whether a change to no deadline, was tried that is not sure and may
    /// come at any later time: the next such one would do the same.
    tried: [bool; 2],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// What leaves the register as it is.
    Observers,
    /// All others that are sure.
    Sure,
    /// Those that are not.
    Guesses,
    /// Nothing.
    Over,
}

impl Search {
    /// Whether there is an order, found in at most `steps` steps. If the register `may_lose`, its
    /// value may vanish at any moment.
    pub fn run(&mut self, ops: &[Op], may_lose: bool, steps: u64) -> Answer {
        self.start(ops, may_lose);
        let limit = self.steps.saturating_add(steps);
        while let Some(&frame) = self.frames.last() {
            if self.first(ops.len()) == NONE {
                return Answer::Yes;
            }
            if self.steps > limit {
                return Answer::Unknown;
            }
            match self.advance(ops, may_lose) {
                Some((op, state)) => self.push(ops, op, state),
                None => self.give_up(&frame, ops),
            }
        }
        Answer::No
    }

    fn start(&mut self, ops: &[Op], may_lose: bool) {
        self.failed.clear();
        self.frames.clear();
        let count = place(ops.len());
        self.ring.clear();
        self.ring.extend((0..count + 2).map(|place| [place; 2]));
        while self.marks.len() < ops.len() {
            self.marks.push(mark(self.marks.len() as u64));
        }
        let seen = Seen::new(ops, may_lose);
        self.is_bounded = false;
        for (place, op) in (0..).zip(ops) {
            if op.sure {
                self.append(count, place);
            } else if seen.may_help(op) {
                self.append(count + 1, place);
                self.is_bounded |= op.end != NEVER;
            }
        }
        let horizon = self.horizon(ops);
        self.frames
            .push(Frame::new(NONE, State::START, 0, 0, horizon, false));
    }

    fn append(&mut self, end: u32, place: u32) {
        let last = self.ring[end as usize][0];
        self.ring[place as usize] = [last, end];
        self.ring[last as usize][1] = place;
        self.ring[end as usize][0] = place;
    }

    fn take(&mut self, place: u32) {
        let [before, after] = self.ring[place as usize];
        self.ring[before as usize][1] = after;
        self.ring[after as usize][0] = before;
    }

    fn put_back(&mut self, place: u32) {
        let [before, after] = self.ring[place as usize];
        self.ring[before as usize][1] = place;
        self.ring[after as usize][0] = place;
    }

    /// The first of a ring, by the place of its end.
    fn first(&self, end: usize) -> u32 {
        let first = self.ring[end][1];
        if first as usize == end { NONE } else { first }
    }

    fn horizon(&self, ops: &[Op]) -> u64 {
        let (mut horizon, mut place) = (NEVER, self.ring[ops.len()][1]);
        while let Some(op) = ops.get(place as usize) {
            if op.begin > horizon {
                break;
            }
            horizon = horizon.min(op.end);
            place = self.ring[place as usize][1];
        }
        horizon
    }

    fn push(&mut self, ops: &[Op], place: u32, state: State) {
        let (op, frame) = (&ops[place as usize], *self.top());
        let set = frame.set ^ self.marks[place as usize];
        if !self.failed.is_empty()
            && self.has_failed(fingerprint(set, &state, !op.sure), state.time)
        {
            return;
        }
        let (latest, mut horizon) = (frame.latest.max(op.begin), frame.horizon);
        self.take(place);
        if op.end == horizon {
            horizon = self.horizon(ops);
        }
        self.frames
            .push(Frame::new(place, state, set, latest, horizon, !op.sure));
    }

    fn has_failed(&self, fingerprint: u128, time: u64) -> bool {
        let found = self.failed.find(low(fingerprint), |it| it.0 == fingerprint);
        found.is_some_and(|&(_, earliest)| earliest <= time)
    }

    fn give_up(&mut self, frame: &Frame, ops: &[Op]) {
        self.frames.pop();
        if (frame.op as usize) < ops.len() {
            self.put_back(frame.op);
        }
        let fingerprint = fingerprint(frame.set, &frame.state, frame.is_guess);
        let same = |it: &(u128, u64)| it.0 == fingerprint;
        let entry = self.failed.entry(low(fingerprint), same, |it| low(it.0));
        let earliest = &mut entry.or_insert((fingerprint, NEVER)).into_mut().1;
        *earliest = frame.state.time.min(*earliest);
    }

    fn top(&mut self) -> &mut Frame {
        self.frames
            .last_mut()
            .expect("there is a frame while it runs")
    }

    /// The next thing to try at the end of the line.
    fn advance(&mut self, ops: &[Op], may_lose: bool) -> Option<(u32, State)> {
        if let Some(second) = self.top().second.take() {
            return Some(second);
        }
        while self.top().pass != Pass::Over {
            let place = self.next_place(ops);
            let Some(op) = ops.get(place as usize) else {
                continue;
            };
            let frame = *self.top();
            if !frame.may_come(op) || self.is_twin(op) {
                continue;
            }
            self.steps += 1;
            let results = frame.state.after(op, may_lose);
            if let Some(found) = self.choose(&frame, op, results) {
                return Some((place, found));
            }
        }
        None
    }

    /// Whether the same was tried; what is asked for counts as tried.
    fn is_twin(&mut self, op: &Op) -> bool {
        let kind = match op.act {
            Act::Delete => 0,
            Act::SetDeadline(NEVER) => 1,
            _ => return false,
        };
        let is_free = !op.sure && op.end == NEVER;
        is_free && std::mem::replace(&mut self.top().tried[kind], true)
    }

    /// Moves the cursor on, and from the end of a pass to the start of the next.
    fn next_place(&mut self, ops: &[Op]) -> u32 {
        let frame = *self.top();
        let guesses = u32::from(frame.pass == Pass::Guesses);
        let at = if frame.cursor == NONE {
            place(ops.len()) + guesses
        } else {
            frame.cursor
        };
        let place = self.ring[at as usize][1];
        let is_over = ops
            .get(place as usize)
            .is_none_or(|op| op.begin > frame.horizon);
        let top = self.top();
        top.cursor = if is_over { NONE } else { place };
        if is_over {
            top.pass = top.pass.next();
            return NONE;
        }
        place
    }

    fn choose(
        &mut self,
        frame: &Frame,
        op: &Op,
        [first, second]: [Option<State>; 2],
    ) -> Option<State> {
        let is_observer = op.is_observer();
        match frame.pass {
            Pass::Observers if is_observer => {
                let first = first?;
                let is_free = !self.is_bounded || op.begin <= frame.latest;
                if first.time == frame.state.time && is_free {
                    self.top().pass = Pass::Over;
                }
                Some(first)
            }
            Pass::Sure if is_observer => second,
            Pass::Sure | Pass::Guesses => {
                let place = self.top().cursor;
                self.top().second = first.and(second).map(|second| (place, second));
                first.or(second)
            }
            Pass::Observers | Pass::Over => None,
        }
    }
}

impl Pass {
    fn next(self) -> Self {
        match self {
            Self::Observers => Self::Sure,
            Self::Sure => Self::Guesses,
            Self::Guesses | Self::Over => Self::Over,
        }
    }
}

impl Frame {
    fn new(op: u32, state: State, set: u128, latest: u64, horizon: u64, is_guess: bool) -> Self {
        Self {
            op,
            state,
            set,
            latest,
            horizon,
            is_guess,
            pass: Pass::Observers,
            cursor: NONE,
            second: None,
            tried: [false; 2],
        }
    }

    /// Whether it is worth a step.
    fn may_come(&self, op: &Op) -> bool {
        let is_in_pass = match self.pass {
            Pass::Observers => op.is_observer(),
            Pass::Sure | Pass::Guesses => op.sure || op.end > self.latest,
            Pass::Over => false,
        };
        is_in_pass && !(self.is_guess && op.is_overwrite())
    }
}

/// What keeps the marks of values and deadlines apart from those of operations, which are small.
const SALTS: [u64; 2] = [0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db];

fn mark(place: u64) -> u128 {
    let mut rng = Rng::new(place);
    u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64())
}

fn fingerprint(set: u128, state: &State, is_guess: bool) -> u128 {
    let (kind, value) = match state.value {
        None => (0, 0),
        Some(Value::Number(number)) => (2, number.cast_unsigned()),
        Some(Value::Text(text)) => (4, u64::from(text)),
    };
    let value = mark(value ^ SALTS[0]).rotate_left(kind + u32::from(is_guess));
    set ^ value ^ mark(state.deadline ^ SALTS[1])
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half")]
fn low(fingerprint: u128) -> u64 {
    fingerprint as u64
}

/// What the sure operations can notice.
struct Seen {
    /// Values that something found, in order.
    values: smallvec::SmallVec<[Value; 32]>,
    /// Whether something noticed a value, whichever it was.
    any: bool,
    /// Whether something noticed that there was none, and none could have been lost.
    none: bool,
    /// Whether what is not sure can build on what is not sure.
    is_chained: bool,
}

impl Seen {
    fn new(ops: &[Op], may_lose: bool) -> Self {
        let mut seen = Self {
            values: smallvec::SmallVec::new(),
            any: false,
            none: false,
            is_chained: false,
        };
        if ops.iter().all(|op| op.sure) {
            return seen;
        }
        for op in ops {
            seen.note(op);
        }
        seen.none &= !may_lose;
        seen.values.sort_unstable();
        seen
    }

    fn note(&mut self, op: &Op) {
        match (op.act, op.told) {
            (Act::Cas(..) | Act::Incr(_), _) if !op.sure => self.is_chained = true,
            (Act::Add(..), _) if !op.sure => self.none = true,
            _ if !op.sure => {}
            (Act::Get, Told::Value(Some(value))) => self.values.push(value),
            (Act::Cas(expected, ..), Told::Applied(true)) => self.values.push(expected),
            (Act::Get, _) | (Act::Add(..), Told::Applied(true)) => self.none = true,
            (Act::Add(..), Told::Applied(false)) => self.any = true,
            (Act::SetDeadline(_) | Act::Delete, Told::Applied(found)) => {
                self.any |= found;
                self.none |= !found;
            }
            (Act::Put(..) | Act::Delete, _) => {}
            _ => (self.any, self.none) = (true, true),
        }
    }

    /// Whether anything could notice that this one took effect.
    fn may_help(&self, op: &Op) -> bool {
        match op.act {
            _ if self.is_chained => true,
            Act::Put(value, deadline) | Act::Add(value, deadline) => {
                let is_read = self.values.binary_search(&value).is_ok();
                is_read || self.any || (self.none && deadline != NEVER)
            }
            Act::Delete => self.none,
            Act::Get => false,
            Act::Cas(..) | Act::SetDeadline(_) | Act::Incr(_) => true,
        }
    }
}
