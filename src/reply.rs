//! What a command answers: values, before anybody has decided how they look.

use std::time::Duration;

use crate::config::Capacity;
use crate::event::Event;
use crate::eviction::Eviction;
use crate::id::NodeId;
use crate::language::Topic;
use crate::language::word::Bytes;
use crate::placement::PlacementKind;
use crate::stats::Stats;
use crate::time::ClockKind;

/// The answer to one command.
#[allow(missing_docs, reason = "the variants say what their fields are")]
#[derive(Debug)]
pub enum Reply<'a> {
    /// It was done, and there is nothing to tell.
    Done,
    /// These keys were stored.
    Stored(Vec<Bytes<'a>>),
    /// This key was stored.
    StoredOne(Bytes<'a>),
    /// A value, or a miss.
    Value(Found<'a>),
    /// A value or a miss for each key asked for.
    Values(Vec<Found<'a>>),
    /// For each key, whether it was there to be removed.
    Removed(Vec<(Bytes<'a>, bool)>),
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
    /// The time since the start.
    Time { elapsed: Duration, clock: ClockKind },
    /// The clock in use.
    Clock(ClockKind),
    /// What each node holds.
    Nodes(Vec<NodeRow>),
    /// Which entries leave a full node.
    Eviction(Eviction),
    /// How much each node may hold.
    Capacity(Capacity),
    /// Where a key lives.
    Where(Whereabouts<'a>),
    /// Counts of the cluster, or of one node.
    Stats { node: Option<NodeId>, stats: Stats },
    /// Events, oldest first.
    Events(Vec<Event>),
    /// Text as it stands.
    Text(&'a [u8]),
    /// Help on a topic.
    Help(Topic),
}

/// What a get found.
#[derive(Debug)]
pub struct Found<'a> {
    /// The key asked for.
    pub key: Bytes<'a>,
    /// Its value; `None` is a miss.
    pub value: Option<Vec<u8>>,
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
    /// Whether it is up.
    pub state: &'static str,
    /// How much of its capacity it uses, from 0 to 1; `None` without a bound.
    pub used: Option<f64>,
    /// What it holds and has counted.
    pub stats: Stats,
}

/// Where a key lives, and why.
#[derive(Debug)]
pub struct Whereabouts<'a> {
    /// The key.
    pub key: Bytes<'a>,
    /// The name of the placement.
    pub placement: PlacementKind,
    /// The hash by which the placement knows the key.
    pub hash: u64,
    /// Its owners, primary first.
    pub owners: Vec<NodeId>,
}
