//! The commands, their groups, and the capabilities that they need from a backend.

use std::fmt;

/// The commands.
#[allow(missing_docs, reason = "the catalog documents each command")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Put,
    Get,
    Del,
    MGet,
    MSet,
    Add,
    Cas,
    Incr,
    Ttl,
    Expire,
    Persist,
    Exists,
    Fill,
    Keys,
    Size,
    Clear,
    Sleep,
    Time,
    Clock,
    Nodes,
    Where,
    Ring,
    Join,
    Leave,
    Placement,
    Replicas,
    Quorum,
    Rebalance,
    Plan,
    Eviction,
    Capacity,
    Failover,
    Crash,
    Restart,
    Pause,
    Resume,
    Partition,
    Isolate,
    Heal,
    Delay,
    Drop,
    Dup,
    Reorder,
    Hold,
    Release,
    Slow,
    Skew,
    Faults,
    Nemesis,
    Links,
    Step,
    Stats,
    Inspect,
    Events,
    Trace,
    Hot,
    Monitor,
    Notices,
    Watch,
    History,
    Check,
    Via,
    Client,
    Replay,
    Load,
    Compare,
    Echo,
    Source,
    Repeat,
    Help,
    Quit,
}

impl Verb {
    /// Whether the command sends a request to the owners of each of its keys.
    #[must_use]
    pub const fn is_request(self) -> bool {
        matches!(
            self,
            Self::Put
                | Self::Get
                | Self::Del
                | Self::MGet
                | Self::MSet
                | Self::Add
                | Self::Cas
                | Self::Incr
                | Self::Ttl
                | Self::Expire
                | Self::Persist
                | Self::Exists
                | Self::Fill
        )
    }
}

/// The groups of commands.
#[allow(missing_docs, reason = "HELP shows these words")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Data,
    Time,
    Cluster,
    Faults,
    Seeing,
    Work,
    Script,
}

impl Group {
    /// All groups, in the order of HELP.
    pub const ALL: [Self; 7] = [
        Self::Data,
        Self::Time,
        Self::Cluster,
        Self::Faults,
        Self::Seeing,
        Self::Work,
        Self::Script,
    ];
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Data => "data",
            Self::Time => "time",
            Self::Cluster => "cluster",
            Self::Faults => "faults",
            Self::Seeing => "seeing",
            Self::Work => "work",
            Self::Script => "script",
        })
    }
}

/// A capability that a command needs from the cluster behind the session. The simulated cluster
/// has all of them, a real one has fewer.
///
/// A command that can show a setting and change it (`PLACEMENT`, `EVICTION`) has the capability
/// that showing needs. A backend that can only show the setting refuses the change with the same
/// error, [`Error::unsupported`](super::Error::unsupported).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Nothing: the session or the program answers without the cluster.
    Nothing,
    /// Read, write and list keys.
    Data,
    /// Report the nodes, their counts and their events.
    Statistics,
    /// Report which nodes own a key.
    Placement,
    /// Keep copies of each key and acknowledge by quorum.
    Replication,
    /// Add and remove nodes, and move keys between them.
    Membership,
    /// Bound the size of a node and evict entries.
    Eviction,
    /// Let a replica take the place of its primary.
    Failover,
    /// Crash, restart, pause and resume nodes.
    NodeFaults,
    /// Cut, delay and hold the links between nodes.
    LinkFaults,
    /// Lose, duplicate and reorder single messages between nodes.
    MessageFaults,
    /// Set the clock of a node wrong.
    ClockSkew,
    /// List the messages in flight and deliver them one by one.
    Delivery,
    /// Record the messages or requests that a command causes.
    Tracing,
    /// Record the operations of clients with their outcomes, and check them.
    History,
    /// Send requests of several clients at once, each to a coordinator of its choice.
    Clients,
    /// Carry out the many requests of a workload.
    Work,
}
