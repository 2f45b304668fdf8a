//! Computes the start state that a history keeps in place of the calls that it forgets.
//!
//! The cut is a moment in the record of one key. The search gives every state that the key may be
//! in at the cut, each with the calls in flight that have taken effect by then. A later search
//! that starts from these states finds an order if and only if one that starts from the beginning
//! does: the orders that begin with the forgotten calls are the same. Two things widen this,
//! and so may hide a violation, but never make one up:
//!
//! - More than 16 states, or a search that takes too long: then the key may be in any state.
//! - An order that breaks its promise before the cut: what follows is judged as if the value had
//!   been lost, or as if any value were there.
//!
//! The weaker promises ask for less than an order, so they need more: every value that a read may
//! find without being stale, and every value that a stale read may find; see [`Leftovers`].
//!
//! Cost: two searches of at most 64 steps for each call and 1,000 besides; usually two steps for
//! each call. Calls that follow each other take no search; see `sequence.rs`.

use super::Key;
use super::facts::{Want, written};
use super::op::{ANY_TIME, Act, NEVER, Op};
use super::past::Config;
use super::reads::{Leftovers, Reads};
use super::search::Search;
use super::sequence::start_after;
use super::value::{Texts, Value};
use crate::history::{Folded, MAX_STATES, OldValues, OpId, Past, Prefix, Source, Start, State};
use crate::time::Instant;

/// Computes what follows from the calls on one key up to a cut, and adds the values that only a
/// stale read finds from then on. For [`History::new`](crate::history::History::new).
#[must_use]
pub fn fold(prefix: &Prefix<'_>, old: &mut OldValues) -> Folded {
    match start_after(prefix, old) {
        Some(start) => Folded {
            start,
            settled: Vec::new(),
        },
        None => search_fold(prefix, old),
    }
}

/// The same by a search, whatever the calls are.
pub(super) fn search_fold(prefix: &Prefix<'_>, old: &mut OldValues) -> Folded {
    let mut texts = Texts::default();
    let mut key = Key::default();
    let calls = prefix.calls.iter().copied();
    key.read(prefix.start, calls, prefix.key, old, &mut texts);
    let ends = Ends::new(&key, prefix.cut);
    let reads = Reads::new(&key.past, &key.ops);
    let settled = ends.settled(&key.ops, &reads);
    let is_forgotten = |op: &Op| op.end <= prefix.cut || settled.contains(&OpId(op.id));
    let leftovers = reads.leftovers(prefix.cut, is_forgotten);
    let folding = Folding {
        texts,
        cut: prefix.cut,
    };
    folding.note_old(prefix.key, &leftovers, old);
    let is_quiet = key.ops.iter().all(is_forgotten);
    let past = folding.past(ends.without(&settled), &leftovers);
    Folded {
        start: simplest(past, is_quiet),
        settled,
    }
}

/// The states that a key may be in at a cut; `None`: any.
struct Ends {
    strict: Option<Vec<Config>>,
    lossy: Option<Vec<Config>>,
    cut: u64,
}

impl Ends {
    fn new(key: &Key, cut: u64) -> Self {
        let (ops, steps) = (&key.ops, 1_000 + 64 * key.ops.len() as u64);
        let mut search = Search::default();
        let mut ends = |may_lose| {
            let ends = search.ends(&key.past, ops, may_lose, cut, steps);
            ends.map(|ends| fewest(ends, ops))
        };
        let is_some = |ends: &Vec<Config>| !ends.is_empty();
        let (strict, lossy) = (ends(false), ends(true).filter(is_some));
        let strict = match strict {
            Some(ends) if ends.is_empty() => lossy.clone(),
            strict => strict,
        };
        Self { strict, lossy, cut }
    }

    /// The calls without a certain outcome that have certainly taken effect. A delete need not be
    /// in line where values may be lost: then it is a loss like any other.
    fn settled(&self, ops: &[Op], reads: &Reads<'_>) -> Vec<OpId> {
        let open = ops
            .iter()
            .enumerate()
            .filter(|(_, op)| !op.sure && op.end == NEVER);
        let settled = open.filter(|(place, op)| {
            is_in_all(self.strict.as_deref(), op.id)
                && (op.act == Act::Delete
                    || written(op).is_some()
                        && is_in_all(self.lossy.as_deref(), op.id)
                        && reads.is_settled(*place, self.cut))
        });
        settled.map(|(_, op)| OpId(op.id)).collect()
    }

    /// The same states, if these calls are forgotten too.
    fn without(mut self, settled: &[OpId]) -> Self {
        let both = [&mut self.strict, &mut self.lossy];
        for config in both.into_iter().flatten().flatten() {
            config.taken.retain(|id| !settled.contains(&OpId(*id)));
        }
        self
    }
}

fn is_in_all(configs: Option<&[Config]>, id: u64) -> bool {
    configs.is_some_and(|configs| configs.iter().all(|it| it.taken.contains(&id)))
}

/// Takes away each state that another makes needless.
fn fewest(mut ends: Vec<Config>, ops: &[Op]) -> Vec<Config> {
    let mut place = 0;
    while place < ends.len() {
        let (one, others) = (&ends[place], ends.iter().enumerate());
        let mut others = others.filter(|(other, _)| *other != place);
        if others.any(|(other, it)| covers(it, one, ops) && (other < place || it != one)) {
            ends.remove(place);
        } else {
            place += 1;
        }
    }
    ends
}

/// Whether everything that can happen after `other` can happen after `one` too: the state is the
/// same, no later, and what has taken effect in `other` only may still do so.
fn covers(one: &Config, other: &Config, ops: &[Op]) -> bool {
    let is_unsure = |id: &u64| ops.iter().any(|op| op.id == *id && !op.sure);
    let mut more = other.taken.iter().filter(|id| !one.taken.contains(id));
    !one.state.is_changed(&other.state)
        && one.state.time <= other.state.time
        && one.taken.iter().all(|id| other.taken.contains(id))
        && more.all(is_unsure)
}

/// Turns what the checker found into what the history keeps.
struct Folding<'a> {
    texts: Texts<'a>,
    cut: u64,
}

impl Folding<'_> {
    fn past(&self, ends: Ends, leftovers: &Leftovers) -> Past {
        Past {
            cut: self.cut,
            strict: self.states(ends.strict),
            lossy: self.states(ends.lossy),
            sources: self.sources(leftovers),
            inherited: Instant::from_nanos(leftovers.inherited),
        }
    }

    fn states(&self, configs: Option<Vec<Config>>) -> Option<Vec<State>> {
        let configs = configs.filter(|configs| configs.len() <= MAX_STATES)?;
        configs.iter().map(|config| self.state(config)).collect()
    }

    /// `None` if the value may be any.
    fn state(&self, config: &Config) -> Option<State> {
        let state = &config.state;
        let value = match state.value {
            Some(Value::Any) => return None,
            value => value.and_then(|value| self.texts.content(value)),
        };
        Some(State {
            value,
            deadline: state.value.and_then(|_| deadline(state.deadline)),
            time: Instant::from_nanos(state.time),
            taken: config.taken.iter().map(|&id| OpId(id)).collect(),
        })
    }

    fn sources(&self, leftovers: &Leftovers) -> Option<Vec<Source>> {
        let sources = &leftovers.sources;
        let sources = Some(sources).filter(|sources| sources.len() <= MAX_STATES)?;
        let sources = sources.iter().map(|&(want, nanos)| {
            Some(Source {
                value: self.content(want)?,
                deadline: deadline(nanos),
            })
        });
        sources.collect()
    }

    fn content(&self, want: Want) -> Option<crate::history::Content> {
        match want {
            Want::Value(value) => self.texts.content(value),
            Want::Some => None,
        }
    }

    /// Adds what a stale read may find.
    fn note_old(&self, key: &[u8], leftovers: &Leftovers, old: &mut OldValues) {
        for want in &leftovers.ended {
            old.add(key, self.content(*want).as_ref());
        }
        if self.sources(leftovers).is_none() {
            old.add(key, None);
        }
    }
}

/// A deadline of a [`State`] or [`Source`].
fn deadline(nanos: u64) -> Option<Instant> {
    match nanos {
        NEVER => None,
        ANY_TIME => Some(Instant::MAX),
        nanos => Some(Instant::from_nanos(nanos)),
    }
}

/// The most compact form of the start state, so that many keys take little room. It can have no
/// calls in flight, if it `is_quiet`.
fn simplest(past: Past, is_quiet: bool) -> Start {
    let (Some([state]), Some(sources)) = (past.strict.as_deref(), &past.sources) else {
        return Start::Past(Box::new(past));
    };
    let is_simple = is_quiet && past.strict == past.lossy;
    match (&state.value, &sources[..]) {
        (None, []) if is_simple && past.inherited == Instant::START => Start::Absent,
        (Some(value), [source])
            if is_simple
                && *value == source.value
                && state.deadline == source.deadline
                && state.deadline != Some(Instant::MAX)
                && past.inherited <= state.deadline.unwrap_or(Instant::MAX) =>
        {
            Start::Value {
                value: value.clone(),
                deadline: state.deadline,
            }
        }
        _ => Start::Past(Box::new(past)),
    }
}
