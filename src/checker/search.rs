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
//!   operation was invoked, and must not move it past when it was completed; finding nothing may
//!   move it to the deadline. An earlier instant allows every continuation that a later one allows,
//!   so only the earliest is tried, and what failed at one instant fails at every later one.
//! - An operation that is not sure to have happened is tried only when nothing else helps, and only
//!   before one that notices it: an unread, overwritten write need not be ordered.
//! - A read whose value is there, and that moves no clock, is put in line without an alternative.
//! - The search starts from several states, each with operations that are in line already; and it
//!   can give all states at its end, for the next search to start from.
//!
//! Cost: about one step an operation if the history is right and clients seldom overlap;
//! exponential in the number of clients in the worst case, hence the bound on steps. Memory: 40
//! bytes a failure, so at most that a step.
//!
//! Caveats: a set of operations is known by the sum of 128-bit pinned random numbers, one an
//! operation. Two sets would be mistaken for one with a chance of 2^-128 a pair.

use super::op::{Act, NEVER, Op};
use super::past::{Config, Past};
use super::ring::{List, Ring};
use super::seen::Seen;
use super::state::State;
use super::value::Value;
use crate::rng::Rng;

/// The most ends that are collected, before dominated ones are removed.
const MAX_ENDS: usize = 64;

/// Whether there is an order, within the steps allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// There is.
    Yes,
    /// There is none.
    No,
    /// The steps ran out.
    Unknown,
}

/// The memory of the search, which serves one key after another.
#[derive(Default)]
pub(super) struct Search {
    /// Operations that are not in line yet, by invocation.
    ring: Ring,
    marks: Vec<u128>,
    frames: Vec<Frame>,
    /// The positions from which no order was found, each with the earliest instant.
    failed: hashbrown::HashTable<(u128, u64)>,
    /// Whether an operation that is not sure must come before it was completed.
    is_bounded: bool,
    /// Steps taken, over all calls.
    pub steps: u64,
}

/// The parameters of a search.
struct Task<'a> {
    ops: &'a [Op],
    may_lose: bool,
    /// The number of the event by which an operation must be over to be due: only what is sure and
    /// due must get in line.
    due: u64,
    limit: u64,
}

/// One place in the line.
#[derive(Clone, Copy)]
struct Frame {
    /// The operation that was put in line; `None` at the start.
    op: Option<u32>,
    /// The register after it.
    state: State,
    /// The sum of the marks of all in line.
    set: u128,
    /// The latest invocation among all in line.
    latest: u64,
    /// The earliest end among the due ones that are not: what was invoked after it must wait.
    horizon: u64,
    /// Whether `op` is one that must be noticed at once.
    is_guess: bool,
    /// Which operations are tried next; `None`: none.
    pass: Option<Pass>,
    /// The one that was tried last in this pass.
    cursor: Option<u32>,
    /// Whether all that is due was in line here.
    is_end: bool,
    /// A second result of the operation that was tried last.
    second: Option<(u32, State)>,
    /// Whether a delete, and whether a change to no deadline, was tried that is not sure and may
    /// come at any later time: the next such one would do the same.
    tried: [bool; 2],
}

/// At each place the operations are tried in three passes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// Reads that match the current value.
    Observers,
    /// All others that are due; and observers that are right if the value is gone first.
    Due,
    /// Those that need not get in line.
    Optional,
}

impl Search {
    /// Whether there is an order, found in at most `steps` steps. If the register `may_lose`, its
    /// value may vanish at any moment.
    pub(super) fn run(&mut self, past: &Past, ops: &[Op], may_lose: bool, steps: u64) -> Answer {
        let task = self.task(ops, may_lose, NEVER, steps);
        let seen = Seen::new(ops, may_lose);
        for start in past.states(may_lose) {
            self.start(&task, start, &seen);
            let answer = self.next_end(&task);
            if answer != Answer::No {
                return answer;
            }
        }
        Answer::No
    }

    /// The states in which the register can be when all that is due at the event `due` is in line,
    /// with those of the others that are in line; `None` if there are too many, or the steps run
    /// out. An operation that can come later than `due` is left out where it would come last.
    pub(super) fn ends(
        &mut self,
        past: &Past,
        ops: &[Op],
        may_lose: bool,
        due: u64,
        steps: u64,
    ) -> Option<Vec<Config>> {
        let task = self.task(ops, may_lose, due, steps);
        let mut seen = Seen::new(ops, may_lose);
        let is_last = |op: &Op| !op.sure && !op.is_start() && op.end <= due;
        if ops.iter().any(is_last) {
            // It can take effect no later, so it is not left for later even if nothing notices it.
            seen = Seen::everything();
        }
        let mut ends = Vec::new();
        for start in past.states(may_lose) {
            self.start(&task, start, &seen);
            loop {
                match self.next_end(&task) {
                    Answer::No => break,
                    Answer::Yes if ends.len() < MAX_ENDS => ends.push(self.end(&task, start)),
                    Answer::Yes | Answer::Unknown => return None,
                }
            }
        }
        Some(ends)
    }

    fn task<'a>(&mut self, ops: &'a [Op], may_lose: bool, due: u64, steps: u64) -> Task<'a> {
        self.failed.clear();
        while self.marks.len() < ops.len() {
            self.marks.push(mark(self.marks.len() as u64));
        }
        let limit = self.steps.saturating_add(steps);
        Task {
            ops,
            may_lose,
            due,
            limit,
        }
    }

    /// Begins a line in this state.
    fn start(&mut self, task: &Task<'_>, start: &Config, seen: &Seen) {
        self.frames.clear();
        self.ring.clear(place(task.ops.len()));
        self.is_bounded = false;
        let mut set = 0;
        for (place, op) in (0..).zip(task.ops) {
            if start.taken.contains(&op.id) {
                set ^= self.marks[place as usize];
            } else if op.sure && op.end <= task.due {
                self.ring.append(List::Due, place);
            } else if !op.is_start() && (op.sure || seen.may_help(op)) {
                self.ring.append(List::Optional, place);
                self.is_bounded |= !op.sure && op.end != NEVER;
            }
        }
        let horizon = self.horizon(task.ops);
        self.frames.push(Frame::new(start.state, set, horizon));
    }

    /// Goes on until all that is due is in line.
    fn next_end(&mut self, task: &Task<'_>) -> Answer {
        while !self.frames.is_empty() {
            if self.is_new_end(task) {
                return Answer::Yes;
            }
            if self.steps > task.limit {
                return Answer::Unknown;
            }
            match self.advance(task) {
                Some((op, state)) => self.push(task.ops, op, state),
                None => self.give_up(),
            }
        }
        Answer::No
    }

    /// Whether all that is due is in line, for the first time at this place, and the last in line
    /// could not come later as well.
    fn is_new_end(&mut self, task: &Task<'_>) -> bool {
        let is_end = self.ring.next(List::Due, None).is_none();
        let is_known = std::mem::replace(&mut self.top().is_end, is_end);
        let last = self.top().op.map(|place| &task.ops[place as usize]);
        is_end && !is_known && last.is_none_or(|op| op.end <= task.due)
    }

    /// The state at the end of the line, and what is in line without being due.
    fn end(&self, task: &Task<'_>, start: &Config) -> Config {
        let is_kept = |op: &&Op| op.end > task.due;
        let before = task.ops.iter().filter(|op| start.taken.contains(&op.id));
        let places = self.frames.iter().filter_map(|frame| frame.op);
        let ops = places.map(|place| &task.ops[place as usize]);
        let mut taken: smallvec::SmallVec<[u64; 2]> =
            before.chain(ops).filter(is_kept).map(|op| op.id).collect();
        taken.sort_unstable();
        let state = self.frames.last().map_or(start.state, |frame| frame.state);
        Config { state, taken }
    }

    /// The earliest end among the due operations that are not in line.
    fn horizon(&self, ops: &[Op]) -> u64 {
        let (mut horizon, mut next) = (NEVER, self.ring.next(List::Due, None));
        while let Some(place) = next {
            let op = &ops[place as usize];
            if op.begin > horizon {
                break;
            }
            horizon = horizon.min(op.end);
            next = self.ring.next(List::Due, next);
        }
        horizon
    }

    /// Puts an operation in line, unless that has failed before.
    fn push(&mut self, ops: &[Op], place: u32, state: State) {
        let (op, frame) = (&ops[place as usize], *self.top());
        let set = frame.set ^ self.marks[place as usize];
        if !self.failed.is_empty()
            && self.has_failed(fingerprint(set, &state, !op.sure), state.time)
        {
            return;
        }
        self.ring.take(place);
        let horizon = if op.end == frame.horizon {
            self.horizon(ops)
        } else {
            frame.horizon
        };
        self.frames.push(Frame {
            op: Some(place),
            latest: frame.latest.max(op.begin),
            is_guess: !op.sure,
            ..Frame::new(state, set, horizon)
        });
    }

    fn has_failed(&self, fingerprint: u128, time: u64) -> bool {
        let found = self.failed.find(low(fingerprint), |it| it.0 == fingerprint);
        found.is_some_and(|&(_, earliest)| earliest <= time)
    }

    /// Takes the last operation out of the line, and notes that it leads nowhere.
    fn give_up(&mut self) {
        let Some(frame) = self.frames.pop() else {
            return;
        };
        if let Some(place) = frame.op {
            self.ring.put_back(place);
        }
        let fingerprint = fingerprint(frame.set, &frame.state, frame.is_guess);
        let same = |it: &(u128, u64)| it.0 == fingerprint;
        let entry = self.failed.entry(low(fingerprint), same, |it| low(it.0));
        let earliest = &mut entry.or_insert((fingerprint, NEVER)).into_mut().1;
        *earliest = frame.state.time.min(*earliest);
    }

    fn top(&mut self) -> &mut Frame {
        let top = self.frames.last_mut();
        top.expect("there is a frame while it runs")
    }

    /// The next operation to put in line, and the register after it.
    fn advance(&mut self, task: &Task<'_>) -> Option<(u32, State)> {
        if let Some(second) = self.top().second.take() {
            return Some(second);
        }
        if self.top().is_end && !self.is_bounded {
            return None;
        }
        while let Some((pass, place)) = self.next_candidate(task.ops) {
            self.steps += 1;
            let (op, state) = (&task.ops[place as usize], self.top().state);
            let [first, second] = pass.results(op, state.after(op, task.may_lose));
            if first.is_some_and(|first| pass == Pass::Observers && self.is_free(op, &first)) {
                self.top().pass = None;
            }
            self.top().second = first.and(second).map(|second| (place, second));
            if let Some(found) = first.or(second) {
                return Some((place, found));
            }
        }
        None
    }

    /// The next operation that may come next, and the pass in which it is tried.
    fn next_candidate(&mut self, ops: &[Op]) -> Option<(Pass, u32)> {
        while let Some(pass) = self.top().pass {
            let Frame {
                cursor, horizon, ..
            } = *self.top();
            let next = self.ring.next(pass.list(), cursor);
            let next = next.filter(|&place| ops[place as usize].begin <= horizon);
            self.top().cursor = next;
            let Some(place) = next else {
                self.top().pass = pass.next();
                continue;
            };
            let op = &ops[place as usize];
            if self.top().may_come(pass, op) && !self.is_twin(op) {
                return Some((pass, place));
            }
        }
        None
    }

    /// Whether an observer can come next without any harm: it leaves the register and its time as
    /// they are, and nothing that must come before it was left out.
    fn is_free(&mut self, op: &Op, after: &State) -> bool {
        let is_bounded = self.is_bounded;
        let top = self.top();
        *after == top.state && (!is_bounded || op.begin <= top.latest)
    }

    /// Marks a deferrable write as tried, and returns whether it already was.
    fn is_twin(&mut self, op: &Op) -> bool {
        let kind = match op.act {
            Act::Delete => 0,
            Act::SetDeadline(NEVER) => 1,
            _ => return false,
        };
        let is_endless = !op.sure && op.end == NEVER;
        is_endless && std::mem::replace(&mut self.top().tried[kind], true)
    }
}

impl Pass {
    fn list(self) -> List {
        match self {
            Self::Observers | Self::Due => List::Due,
            Self::Optional => List::Optional,
        }
    }

    fn next(self) -> Option<Self> {
        match self {
            Self::Observers => Some(Self::Due),
            Self::Due => Some(Self::Optional),
            Self::Optional => None,
        }
    }

    /// Those results of an operation that are tried in this pass: the value that is there is found,
    /// or it is gone first.
    fn results(self, op: &Op, [found, gone]: [Option<State>; 2]) -> [Option<State>; 2] {
        match self {
            Self::Observers => [found, None],
            Self::Due if op.is_observer() => [gone, None],
            Self::Due | Self::Optional => [found, gone],
        }
    }
}

impl Frame {
    fn new(state: State, set: u128, horizon: u64) -> Self {
        Self {
            op: None,
            state,
            set,
            latest: 0,
            horizon,
            is_guess: false,
            pass: Some(Pass::Observers),
            cursor: None,
            is_end: false,
            second: None,
            tried: [false; 2],
        }
    }

    /// Whether to try this candidate.
    fn may_come(&self, pass: Pass, op: &Op) -> bool {
        let is_in_pass = match pass {
            Pass::Observers => op.is_observer(),
            Pass::Due | Pass::Optional => op.sure || op.end > self.latest,
        };
        is_in_pass && !(self.is_guess && op.is_overwrite())
    }
}

/// The place of an operation, or the number of them all.
fn place(count: usize) -> u32 {
    u32::try_from(count).expect("fewer operations than fit in memory")
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
        Some(Value::Any) => (6, 0),
    };
    let value = mark(value ^ SALTS[0]).rotate_left(kind + u32::from(is_guess));
    set ^ value ^ mark(state.deadline ^ SALTS[1])
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half")]
fn low(fingerprint: u128) -> u64 {
    fingerprint as u64
}
