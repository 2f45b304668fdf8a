//! Commands: the values that a parsed line becomes.

use std::time::Duration;

use super::spec::Spec;
use super::verb::Group;
use super::word::Bytes;
use super::work::{Load, Replay};
use crate::checker::Promise;
use crate::eviction::Eviction;
use crate::id::NodeId;
use crate::nemesis::Nemesis;
use crate::network::{Fault, Link};
use crate::placement::PlacementKind;
use crate::replica::Restart;
use crate::time::ClockKind;

/// A parsed line.
#[derive(Clone, Debug, PartialEq)]
pub struct Input<'a> {
    /// The command's description in the catalog.
    pub spec: &'static Spec,
    /// The command with its words.
    pub action: Action<'a>,
}

/// A command, by the part of the program that runs it.
#[derive(Clone, Debug, PartialEq)]
pub enum Action<'a> {
    /// The session answers it.
    Command(Command<'a>),
    /// A client sends it, or a node coordinates it, that the line names.
    Request(Request<'a>),
    /// The script runner carries it out: it takes time, reads a file, or runs other lines.
    Script(Script<'a>),
}

impl Command<'_> {
    /// The key of a command that becomes a request on one key.
    #[inline]
    #[must_use]
    pub fn single_key(&self) -> Option<&[u8]> {
        match self {
            Self::Put { key, .. }
            | Self::Get { key }
            | Self::Add { key, .. }
            | Self::Cas { key, .. }
            | Self::Incr { key, .. }
            | Self::Ttl { key }
            | Self::Expire { key, .. }
            | Self::Persist { key } => Some(key),
            _ => None,
        }
    }
}

impl<'a> From<Command<'a>> for Action<'a> {
    fn from(command: Command<'a>) -> Self {
        Self::Command(command)
    }
}

impl<'a> From<Request<'a>> for Action<'a> {
    fn from(request: Request<'a>) -> Self {
        Self::Request(request)
    }
}

impl<'a> From<Script<'a>> for Action<'a> {
    fn from(script: Script<'a>) -> Self {
        Self::Script(script)
    }
}

impl From<Change> for Action<'_> {
    fn from(change: Change) -> Self {
        Self::Script(Script::Move(change))
    }
}

/// The command inside `VIA` and `CLIENT`, with what they say about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Request<'a> {
    /// The client that sends it, from 1, while the script goes on. `None`: the prompt sends it and
    /// waits for the answer.
    pub client: Option<u32>,
    /// The node that coordinates it. `None`: the first owner of each key that can be reached.
    pub via: Option<NodeId>,
    /// The description of the command inside.
    pub spec: &'static Spec,
    /// The command inside. Its verb [is a request](super::catalog::Verb::is_request).
    pub command: Command<'a>,
}

/// A command that the session answers.
#[allow(
    missing_docs,
    reason = "the catalog documents each command and its words"
)]
#[derive(Clone, Debug, PartialEq)]
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
    /// `node`: the only node that it is about.
    Capacity {
        bound: Option<Bound>,
        node: Option<NodeId>,
    },
    Where {
        key: Bytes<'a>,
    },
    Stats {
        node: Option<NodeId>,
    },
    ResetStats,
    Inspect {
        key: Bytes<'a>,
    },
    Plan {
        change: Change,
    },
    /// `size`: the bytes of each value. `ttl`: the shortest and the longest. `prefix`: what the keys
    /// start with.
    Fill {
        count: u64,
        size: usize,
        ttl: Option<(Duration, Duration)>,
        prefix: Bytes<'a>,
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
    /// A time of zero or 0 % removes the fault.
    Fault {
        fault: Fault,
    },
    Release {
        link: Link,
    },
    /// `all`: also nodes and clocks.
    Heal {
        all: bool,
    },
    /// `nanos`: by how much the clock is ahead, in nanoseconds.
    Skew {
        node: NodeId,
        nanos: i64,
    },
    Faults,
    /// A replica takes the place of its primary.
    Failover {
        node: NodeId,
    },
    Nemesis {
        nemesis: Option<Nemesis>,
    },
    Links,
    Step {
        count: u64,
    },
    History {
        request: HistoryRequest,
    },
    /// `promise`: the promise that must be kept. `None`: the promise of the settings.
    Check {
        promise: Option<Promise>,
    },
    Echo {
        text: Bytes<'a>,
    },
    Help {
        topic: Topic,
    },
}

/// A command that the script runner carries out.
///
/// A command inside `REPEAT`, `WATCH` or `TRACE` is a line, which is parsed each time it runs. If
/// the outer command came as a list of words, the line is those words [joined](super::word::join).
#[allow(
    missing_docs,
    reason = "the catalog documents each command and its words"
)]
#[derive(Clone, Debug, PartialEq)]
pub enum Script<'a> {
    Sleep {
        time: Duration,
    },
    Source {
        path: Bytes<'a>,
    },
    Repeat {
        times: u64,
        command: Bytes<'a>,
    },
    Watch {
        every: Duration,
        command: Bytes<'a>,
    },
    Monitor {
        on: bool,
    },
    /// `None`: show whether they are on.
    Notices {
        on: Option<bool>,
    },
    Trace {
        command: Bytes<'a>,
    },
    Move(Change),
    Replay(Box<Replay<'a>>),
    Load(Box<Load>),
    /// `words`: the files, then option words with their values.
    Compare {
        words: Vec<Bytes<'a>>,
    },
    Quit,
}

/// A change of the cluster that moves keys. It takes time.
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

/// A bound that `CAPACITY` sets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// The most entries on each node.
    Entries(u64),
    /// The most bytes on each node.
    Bytes(u64),
    /// Removes the bound on entries.
    AnyEntries,
    /// Removes the bound on bytes.
    AnyBytes,
    /// Removes both bounds.
    None,
}

/// A request of `HISTORY`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HistoryRequest {
    /// Show the latest operations, at most this many.
    Show(usize),
    /// Record from now on, or stop recording.
    Record(bool),
    /// Forget the operations so far.
    Clear,
}

/// A topic of `HELP`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Topic {
    /// All commands.
    All,
    /// A group of commands.
    Group(Group),
    /// One command.
    Command(&'static Spec),
}
