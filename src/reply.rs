//! What a command answers: values, before anybody has decided how they look.

mod worked;

use std::time::Duration;

pub use worked::{OfNode, Window, Worked};

use crate::checker::{Promise, Verdict};
use crate::cluster::{Disorder, MoveCost, OwnerCopy, Quantile, Status};
use crate::config::Capacity;
use crate::event::Event;
use crate::history::Call;
use crate::hot::HotKey;
use crate::id::NodeId;
use crate::language::word::{Bytes, Shown};
use crate::language::{Behind, Change, Error, Topic};
use crate::nemesis::Nemesis;
use crate::network::Endpoint;
use crate::placement::{Location, Member};
use crate::stats::Stats;
use crate::time::{ClockKind, Instant};

/// What became of each key of a batch: done, refused, or not known.
pub type Keyed<'a, T> = Vec<(Bytes<'a>, Result<T, Error>)>;

/// The answer to one command.
#[allow(missing_docs, reason = "the variants say what their fields are")]
#[derive(Debug)]
pub enum Reply<'a> {
    /// It was done, and there is nothing to tell.
    Done,
    /// For each key, whether it was stored.
    Stored(Keyed<'a, ()>),
    /// This key was stored.
    StoredOne(Bytes<'a>),
    /// A value, or a miss.
    Value(Found<'a>),
    /// A value or a miss for each key asked for, and the node that answered.
    Values(Keyed<'a, (NodeId, Option<crate::operation::Bytes>)>),
    /// For each key, whether it was there to be removed.
    Removed(Keyed<'a, bool>),
    /// So many keys were removed.
    Cleared(u64),
    /// Whether a conditional write stored its value.
    Conditional { key: Bytes<'a>, stored: bool },
    /// How long a key has left.
    Ttl { key: Bytes<'a>, left: Left },
    /// Whether a key's deadline was changed.
    Changed { key: Bytes<'a>, changed: bool },
    /// How many of the keys asked for exist.
    Existing { exists: u64, asked: u64 },
    /// Keys, in order.
    Keys(Vec<Vec<u8>>),
    /// So many keys are stored.
    Size(u64),
    /// About so many keys are stored: those that have expired and were not removed are among them.
    RoughSize(u64),
    /// The time since the start.
    Time { elapsed: Duration, clock: ClockKind },
    /// Whether expiries are printed as they happen.
    Notices(bool),
    /// The clock in use.
    Clock(ClockKind),
    /// What each node holds, by number.
    Nodes(Vec<NodeRow>),
    /// Who owns which part of all hashes.
    Ring(Ring),
    /// How keys are placed.
    Placement(&'static str),
    /// How much goes wrong by itself.
    Nemesis(Nemesis),
    /// What a change of members or placement has cost.
    Moved(Moved),
    /// The most requested keys of each node, by number.
    Hot(Vec<HotRow>),
    /// Which entries leave a full node.
    Eviction(&'static str),
    /// How much each node, or one node, may hold.
    Capacity(Bounds),
    /// Where a key lives.
    Where(Whereabouts<'a>),
    /// Counts of the cluster, or of one node.
    Stats {
        node: Option<NodeId>,
        stats: Stats,
        latency: Option<Latency>,
    },
    /// What each owner of a key has at this instant.
    Copies {
        key: Bytes<'a>,
        now: Instant,
        copies: Vec<OwnerCopy>,
    },
    /// So many generated keys are stored, and the error if some are not.
    Filled { stored: u64, error: Option<Error> },
    /// What a workload has done.
    Worked(Box<Worked>),
    /// A report on each trace of a comparison, in the format of the session, and the error of the first
    /// trace that cannot be read.
    Compared {
        reports: Vec<String>,
        error: Option<Error>,
    },
    /// A replica has taken the place of its primary.
    Promoted { replica: NodeId, primary: NodeId },
    /// The faults that healing leaves, as commands that bring them about.
    Healed(Vec<String>),
    /// Events, oldest first.
    Events(Vec<Event>),
    /// How many owners each key has.
    Replicas(usize),
    /// How many owners must answer, and what that promises.
    Quorum {
        write: usize,
        read: usize,
        replicas: usize,
        promise: Promise,
    },
    /// The faults in force, as commands that bring them about.
    Faults(Vec<String>),
    /// Messages in flight, the next to arrive first.
    Links(Vec<TracedMessage>),
    /// Messages that were just delivered.
    Delivered(Vec<TracedMessage>),
    /// The path of a command through the nodes, from this instant on.
    Path {
        start: Instant,
        messages: Vec<TracedMessage>,
        omitted: u64,
    },
    /// What clients asked last, oldest first, and how much before that is forgotten.
    History {
        operations: Vec<Call>,
        forgotten: u64,
    },
    /// What was judged of all that clients were told.
    Check(Box<Judgement>),
    /// Text as it stands.
    Text(Bytes<'a>),
    /// Help on a topic, for what stands behind the prompt.
    Help(Topic, Behind),
}

/// What a get found.
#[derive(Debug)]
pub struct Found<'a> {
    /// The key asked for.
    pub key: Bytes<'a>,
    /// Its value; `None` is a miss.
    pub value: Option<crate::operation::Bytes>,
    /// The node that answered.
    pub node: NodeId,
}

/// How long a key has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// There is no such key.
    Absent,
    /// The key has no deadline.
    Forever,
    /// Until its deadline.
    For(Duration),
}

/// A node in NODES.
#[derive(Debug)]
pub struct NodeRow {
    /// Its number.
    pub node: NodeId,
    /// Its weight in the placement; `None` if it is no member: it is leaving.
    pub weight: Option<u32>,
    /// What it is doing.
    pub state: Status,
    /// How much of its capacity it uses, from 0 to 1; `None` without a bound.
    pub used: Option<f64>,
    /// What it holds and has counted.
    pub stats: Stats,
    /// What only a real server has.
    pub remote: Option<Remote>,
}

/// A real server in NODES.
#[derive(Debug)]
pub struct Remote {
    /// Where clients reach it.
    pub address: String,
    /// What it is doing: `up`, `suspected`, `failed`, `loading` or `silent`.
    pub state: &'static str,
    /// Whose replica it is; `None`: it is a primary.
    pub primary: Option<NodeId>,
    /// Bytes of the replication stream that it has not got yet, of a replica.
    pub lag: Option<u64>,
    /// How many slots are on their way to or from it.
    pub open_slots: usize,
}

/// How much nodes may hold.
#[derive(Debug)]
pub struct Bounds {
    /// The node that was asked for; `None`: all.
    pub node: Option<NodeId>,
    /// The capacity of this node, or the common one.
    pub capacity: Capacity,
    /// The nodes with another one than the common, by number.
    pub others: Vec<(NodeId, Capacity)>,
}

/// How long requests took, in the time of the cluster.
#[derive(Clone, Copy, Debug)]
pub struct Latency {
    /// How many requests had an outcome.
    pub requests: u64,
    /// The time that half of them did not exceed; `None` without any.
    pub median: Option<Quantile>,
    /// The time that 99 % of them did not exceed; `None` without any.
    pub p99: Option<Quantile>,
    /// How many failed because nodes did not answer in time.
    pub timeouts: u64,
    /// How often a client asked another owner.
    pub retries: u64,
}

/// The placement, drawn.
#[derive(Debug)]
pub struct Ring {
    /// How keys are placed.
    pub placement: &'static str,
    /// The primary owners at equal steps through all hashes; empty where hashes are not laid out
    /// in order.
    pub band: Vec<NodeId>,
    /// Each node with its part of all hashes, all together 1.
    pub shares: Vec<(Member, f64)>,
}

/// A change of members or placement that is done, or planned.
#[derive(Debug)]
pub struct Moved {
    /// What was asked for.
    pub change: Change,
    /// Whether nothing was changed.
    pub is_planned: bool,
    /// The node that has joined or left.
    pub node: Option<NodeId>,
    /// How many owners each key has.
    pub replicas: usize,
    /// What it has cost.
    pub cost: MoveCost,
    /// How long it took.
    pub time: Duration,
    /// How long keys still move, where the change does not wait for that; the cost is not known then.
    pub left: Option<Duration>,
}

/// The requests to a node.
#[derive(Debug)]
pub struct HotRow {
    /// Its number.
    pub node: NodeId,
    /// GETs, and writes to keys that were there.
    pub requests: u64,
    /// The keys requested most.
    pub keys: Vec<HotKey>,
}

/// How uneven a load is: the largest part as a multiple of the mean; `None` without any load.
#[must_use]
pub fn skew(loads: impl Iterator<Item = u64> + Clone) -> Option<f64> {
    let (sum, count) = (loads.clone().sum::<u64>(), loads.clone().count());
    let max = loads.max().filter(|&max| max > 0)?;
    Some(max as f64 * count as f64 / sum as f64)
}

/// How uneven the keys are: the most keys of a node for its weight, as a multiple of the mean. Nodes
/// that are leaving have no weight, and do not count.
#[must_use]
pub fn key_skew(rows: &[NodeRow]) -> Option<f64> {
    let weighted = rows
        .iter()
        .filter_map(|row| Some((row.stats.keys, row.weight?)));
    let (keys, weights) = weighted
        .clone()
        .fold((0, 0), |(keys, weights), (key, weight)| {
            (keys + key, weights + u64::from(weight))
        });
    let mean = keys as f64 / weights as f64;
    let loads = weighted.map(|(keys, weight)| keys as f64 / f64::from(weight));
    let most = loads.fold(0.0, f64::max);
    (keys > 0).then(|| most / mean)
}

/// How uneven the requests are, and how much of that a few keys explain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Skew {
    /// The most requests to a node as a multiple of the mean.
    pub all: f64,
    /// The same without the requests to the keys shown, each counted as often as is certain.
    pub without: f64,
    /// The part of what is above 1 that goes with them, from 0 to 1.
    pub explained: f64,
}

impl Skew {
    /// That of these rows; `None` without any request.
    #[must_use]
    pub fn of(rows: &[HotRow]) -> Option<Self> {
        let all = skew(rows.iter().map(|row| row.requests))?;
        let rest = rows.iter().map(|row| {
            let hot = row.keys.iter().map(|it| it.count - it.error).sum();
            row.requests.saturating_sub(hot)
        });
        let without = skew(rest).unwrap_or(1.0);
        let explained = if all > 1.0 {
            ((all - without) / (all - 1.0)).clamp(0.0, 1.0)
        } else {
            0.0
        };
        Some(Self {
            all,
            without,
            explained,
        })
    }
}

impl Reply<'_> {
    /// Whether it is one that can tell of failures.
    #[inline]
    #[must_use]
    pub fn can_fail(&self) -> bool {
        matches!(
            self,
            Self::Stored(_)
                | Self::Values(_)
                | Self::Removed(_)
                | Self::Moved(_)
                | Self::Check(_)
                | Self::Filled { .. }
                | Self::Worked(_)
                | Self::Compared { .. }
        )
    }

    /// What was not done or not kept, each with the key that it is about, if it is about one.
    #[must_use]
    pub fn failures(&self) -> Vec<(Option<&[u8]>, &Error)> {
        match self {
            Self::Stored(keys) => failed(keys),
            Self::Values(keys) => failed(keys),
            Self::Removed(keys) => failed(keys),
            Self::Filled { error, .. } | Self::Compared { error, .. } => {
                error.iter().map(|it| (None, it)).collect()
            }
            Self::Worked(worked) => worked.error.iter().map(|it| (None, it)).collect(),
            Self::Check(judgement) => judgement.broken.iter().map(|it| (None, it)).collect(),
            _ => Vec::new(),
        }
    }

    /// The same as errors that name their keys.
    #[must_use]
    pub fn errors(&self) -> Vec<Error> {
        let named = |(key, reason): (Option<&[u8]>, &Error)| {
            let mut error = reason.clone();
            // An error with responses names its key.
            if let Some(key) = key.filter(|_| reason.responses.is_none()) {
                error.message = format!("{} was not stored: {reason}", Shown(key));
            }
            error
        };
        self.failures().into_iter().map(named).collect()
    }

    /// Whether it is a check that could not decide.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        let is_undecided = |error: &Error| error.kind == crate::language::ErrorKind::Undecided;
        matches!(self, Self::Check(judgement) if judgement.broken.as_ref().is_some_and(is_undecided))
    }

    /// Whether something was not done, so that the command has failed, if only in part.
    #[must_use]
    #[inline]
    pub fn has_failed(&self) -> bool {
        match self {
            Self::Moved(moved) if moved.is_planned => false,
            Self::Moved(moved) => moved.cost.lost + moved.cost.waiting > 0,
            _ => !self.failures().is_empty(),
        }
    }
}

fn failed<'a, T>(keys: &'a Keyed<'_, T>) -> Vec<(Option<&'a [u8]>, &'a Error)> {
    let failed = keys.iter().filter_map(|(key, outcome)| {
        let error = outcome.as_ref().err()?;
        Some((Some(key.as_ref()), error))
    });
    failed.collect()
}

/// A message between two ends of a link.
#[derive(Clone, Debug)]
pub struct TracedMessage {
    /// Who sent it.
    pub from: Endpoint,
    /// Whom it is for.
    pub to: Endpoint,
    /// What kind of message it is, in a word.
    pub kind: &'static str,
    /// What it says.
    pub text: String,
    /// When it was sent.
    pub sent: Instant,
    /// What became of it.
    pub delivery: Delivery,
    /// Its place among those of the same instant.
    pub sequence: u64,
}

impl TracedMessage {
    /// When the latest thing that is known of it happened.
    #[must_use]
    pub fn at(&self) -> Instant {
        match self.delivery {
            Delivery::Delivered(at) | Delivery::Waits(at) | Delivery::Lost(at) => at,
            Delivery::Travels(_) | Delivery::Held => self.sent,
        }
    }
}

/// What has become of a message so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It was delivered.
    Delivered(Instant),
    /// It is on its way until then.
    Travels(Instant),
    /// It waits for its link to be released.
    Held,
    /// It waits for a paused node to go on, since then.
    Waits(Instant),
    /// It got lost.
    Lost(Instant),
}

/// What CHECK has found.
#[derive(Debug)]
pub struct Judgement {
    /// What was found.
    pub verdict: Verdict,
    /// The operations of each key's excerpt, by the order of `verdict.keys`.
    pub excerpts: Vec<Vec<Call>>,
    /// For each key whose write took effect without a reply and was sent again: its operations.
    pub sent_again: Vec<Vec<Call>>,
    /// What the settings promise.
    pub promised: Promise,
    /// That a promise was broken.
    pub broken: Option<Error>,
    /// The state of the nodes.
    pub state: State,
}

/// The state of the nodes, for CHECK.
#[derive(Debug)]
pub enum State {
    /// What is not as it should be among the copies of the simulated cluster, if the nodes are at rest;
    /// otherwise why they are not. Empty: the copies agree.
    Copies(Vec<Disorder>),
    /// What is not as it should be among real servers, a sentence each. Empty: they agree about the slots,
    /// and replicas have what was written.
    Servers(Vec<String>),
}

/// Where a key lives, and why.
#[derive(Debug)]
pub struct Whereabouts<'a> {
    /// The key.
    pub key: Bytes<'a>,
    /// The name of the placement.
    pub placement: &'static str,
    /// The hash by which the placement knows the key.
    pub hash: u64,
    /// What the hash falls on.
    pub location: Location,
    /// Its owners, primary first.
    pub owners: Vec<NodeId>,
    /// Where they are reached, of real servers.
    pub addresses: Vec<String>,
}
