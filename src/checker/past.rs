//! The start of a key: its possible states before the calls that are judged.

use smallvec::SmallVec;

use super::facts::{Want, wanted};
use super::op::{ANY_TIME, Act, NEVER, Op, nanos};
use super::state::State;
use super::value::{Texts, Value};
use crate::history::{self, OldValues, Start};
use crate::time::Instant;

/// A state that the key may be in, and the calls in flight that have taken effect by then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Config {
    /// The state.
    pub state: State,
    /// The numbers of the calls, in order.
    pub taken: SmallVec<[u64; 2]>,
}

impl Config {
    /// A state, with no call in flight.
    pub(super) fn new(state: State) -> Self {
        let taken = SmallVec::new();
        Self { state, taken }
    }
}

/// States that a key may be in.
pub(super) type Configs = SmallVec<[Config; 1]>;

/// The start of a key. The values that a read may find, and the deadline that
/// an increment may keep, are not here but among the operations; see [`Op::before`].
#[derive(Clone, Debug)]
pub(super) struct Past {
    /// The states that a register with expiry may be in.
    pub strict: Configs,
    /// The same, if it may lose its value at any moment.
    pub lossy: Configs,
    /// The number of the event at which the forgotten calls end. A read that began earlier may have
    /// found anything that was there then.
    pub cut: u64,
    /// Values that operations found and that forgotten calls wrote, in order.
    pub old: Vec<Value>,
    /// Whether forgotten calls wrote anything that may be gone.
    pub has_old: bool,
}

impl Past {
    /// Of a key in this state.
    pub(super) fn new(state: State) -> Self {
        let all = Configs::from_elem(Config::new(state), 1);
        Self {
            strict: all.clone(),
            lossy: all,
            cut: 0,
            old: Vec::new(),
            has_old: false,
        }
    }

    /// Of a key that starts like this. Adds to `ops` what stands for forgotten calls.
    pub(super) fn read<'a>(start: &'a Start, texts: &mut Texts<'a>, ops: &mut Vec<Op>) -> Self {
        match start {
            Start::Absent => Self::new(State::EMPTY),
            Start::Value { value, deadline } => {
                let (value, deadline) = (texts.value(value), nanos(*deadline));
                ops.push(Op::before(0, Act::Put(value, deadline)));
                Self::new(State {
                    value: Some(value),
                    deadline,
                    time: 0,
                })
            }
            Start::Unknown | Start::Unjudged => {
                ops.push(Op::before(0, Act::Put(Value::Any, NEVER)));
                Self::new(State::UNKNOWN)
            }
            Start::Past(past) => Self::read_past(past, texts, ops),
        }
    }

    fn read_past<'a>(past: &'a history::Past, texts: &mut Texts<'a>, ops: &mut Vec<Op>) -> Self {
        let cut = past.cut;
        match &past.sources {
            None => ops.push(Op::before(cut, Act::Put(Value::Any, NEVER))),
            Some(sources) => ops.extend(sources.iter().map(|it| {
                let act = Act::Put(texts.value(&it.value), nanos(it.deadline));
                Op::before(cut, act)
            })),
        }
        if past.inherited > Instant::START {
            ops.push(Op::before(cut, Act::SetDeadline(past.inherited.as_nanos())));
        }
        Self {
            strict: configs(past.strict.as_deref(), texts),
            lossy: configs(past.lossy.as_deref(), texts),
            cut,
            ..Self::new(State::EMPTY)
        }
    }

    /// Whether a read may have found what a forgotten call wrote and what had ended at the cut.
    pub(super) fn may_be_old(&self, want: Want) -> bool {
        match want {
            Want::Value(value) => self.old.binary_search(&value).is_ok(),
            Want::Some => self.has_old,
        }
    }

    /// Notes which of the values that operations found forgotten calls wrote.
    pub(super) fn note_old(&mut self, ops: &[Op], key: &[u8], old: &OldValues, texts: &Texts<'_>) {
        self.has_old = old.may_contain(key, None);
        if !self.has_old {
            return;
        }
        let is_old = |value: &Value| {
            let content = texts.content(*value);
            old.may_contain(key, content.as_ref())
        };
        let wanted = ops.iter().filter_map(|op| match wanted(op)? {
            Want::Value(value) => Some(value),
            Want::Some => None,
        });
        self.old = wanted.filter(is_old).collect();
        self.old.sort_unstable();
    }

    /// The states that the key may be in.
    pub(super) fn states(&self, may_lose: bool) -> &[Config] {
        if may_lose { &self.lossy } else { &self.strict }
    }
}

fn configs<'a>(states: Option<&'a [history::State]>, texts: &mut Texts<'a>) -> Configs {
    let Some(states) = states else {
        return Configs::from_elem(Config::new(State::UNKNOWN), 1);
    };
    let configs = states.iter().map(|it| Config {
        state: State {
            value: it.value.as_ref().map(|value| texts.value(value)),
            deadline: match it.deadline {
                _ if it.value.is_none() => 0,
                Some(Instant::MAX) => ANY_TIME,
                deadline => nanos(deadline),
            },
            time: it.time.as_nanos(),
        },
        taken: it.taken.iter().map(|id| id.0).collect(),
    });
    configs.collect()
}
