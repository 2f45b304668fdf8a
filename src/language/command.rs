//! What a line can ask for.

use std::time::Duration;

use super::catalog::{Group, Spec};
use super::word::Bytes;
use crate::eviction::Eviction;
use crate::id::NodeId;
use crate::nemesis::Nemesis;
use crate::network::{Fault, Link};
use crate::placement::PlacementKind;
use crate::replica::Restart;
use crate::time::ClockKind;

/// A line, understood.
#[derive(Debug, PartialEq)]
pub struct Input<'a> {
    /// The command's row in the catalog.
    pub spec: &'static Spec,
    /// What it asks for.
    pub action: Action<'a>,
}

/// Who carries a line out.
#[derive(Debug, PartialEq)]
pub enum Action<'a> {
    /// The session answers.
    Command(Command<'a>),
    /// Whoever runs the script does: it takes time, reads a file, or runs other lines.
    Script(Script<'a>),
}

/// What a session answers, at one instant.
#[allow(
    missing_docs,
    reason = "the catalog documents each command and its words"
)]
#[derive(Debug, PartialEq)]
pub enum Command<'a> {
    Put {
        key: Bytes<'a>,
        value: Bytes<'a>,
        ttl: Option<Duration>,
    },
    Get {
        key: Bytes<'a>,
    },
    Del {
        keys: Vec<Bytes<'a>>,
    },
    MGet {
        keys: Vec<Bytes<'a>>,
    },
    MSet {
        pairs: Vec<(Bytes<'a>, Bytes<'a>)>,
        ttl: Option<Duration>,
    },
    Add {
        key: Bytes<'a>,
        value: Bytes<'a>,
        ttl: Option<Duration>,
    },
    Cas {
        key: Bytes<'a>,
        expected: Bytes<'a>,
        new: Bytes<'a>,
        ttl: Option<Duration>,
    },
    Incr {
        key: Bytes<'a>,
        delta: i64,
    },
    Ttl {
        key: Bytes<'a>,
    },
    Expire {
        key: Bytes<'a>,
        ttl: Duration,
    },
    Persist {
        key: Bytes<'a>,
    },
    Exists {
        keys: Vec<Bytes<'a>>,
    },
    Keys {
        pattern: Option<Bytes<'a>>,
        node: Option<NodeId>,
    },
    Size,
    Clear,
    Time,
    Clock {
        kind: Option<ClockKind>,
    },
    Nodes,
    Ring,
    Placement,
    Eviction {
        policy: Option<Eviction>,
    },
    Capacity {
        bound: Option<Bound>,
    },
    Where {
        key: Bytes<'a>,
    },
    Stats {
        node: Option<NodeId>,
    },
    Events {
        count: usize,
        node: Option<NodeId>,
    },
    Hot {
        count: usize,
    },
    Replicas,
    Quorum {
        quorums: Option<(usize, usize)>,
    },
    Crash {
        node: NodeId,
    },
    Restart {
        node: NodeId,
        how: Restart,
    },
    Pause {
        node: NodeId,
    },
    Resume {
        node: NodeId,
    },
    /// A time or a part of nothing lifts the fault.
    Fault {
        fault: Fault,
    },
    Release {
        link: Link,
    },
    Heal,
    /// Nanoseconds ahead.
    Skew {
        node: NodeId,
        nanos: i64,
    },
    Faults,
    Nemesis {
        nemesis: Option<Nemesis>,
    },
    Links,
    Step {
        count: u64,
    },
    History {
        count: usize,
    },
    Check,
    Echo {
        text: &'a [u8],
    },
    Help {
        topic: Topic,
    },
}

/// What the runner of a script does.
#[allow(
    missing_docs,
    reason = "the catalog documents each command and its words"
)]
#[derive(Debug, PartialEq)]
pub enum Script<'a> {
    Sleep {
        time: Duration,
    },
    Source {
        path: Bytes<'a>,
    },
    /// The command is the rest of the line, as it stands.
    Repeat {
        times: u64,
        command: &'a [u8],
    },
    /// The command is the rest of the line, as it stands.
    Watch {
        every: Duration,
        command: &'a [u8],
    },
    Monitor {
        on: bool,
    },
    /// The command is the rest of the line, as it stands.
    Trace {
        command: &'a [u8],
    },
    Move(Change),
    Quit,
}

/// What makes keys move. It takes time.
#[allow(
    missing_docs,
    reason = "the catalog documents each command and its words"
)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    Join { weight: u32 },
    Leave { node: NodeId },
    Place { kind: PlacementKind },
    Replicate { replicas: usize },
    Rebalance,
}

/// A bound that CAPACITY sets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// So many entries on each node.
    Entries(u64),
    /// So many bytes on each node.
    Bytes(u64),
    /// No bound any more.
    None,
}

/// What HELP is asked about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Topic {
    /// Everything.
    All,
    /// A group of commands.
    Group(Group),
    /// One command.
    Command(&'static Spec),
}
