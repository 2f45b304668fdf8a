//! What a cluster is made of, and its bounds.

use std::time::Duration;

use crate::eviction::Eviction;
use crate::placement::PlacementKind;
use crate::time::MAX_DURATION;

/// How much a node may hold; `None`: without bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capacity {
    /// The most entries.
    pub entries: Option<u64>,
    /// The most bytes, as the store counts them: keys, values, and what keeping them costs.
    pub bytes: Option<u64>,
}

impl Capacity {
    /// Whether there is any bound.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        self.entries.is_some() || self.bytes.is_some()
    }
}

/// A bug that is built in on purpose, so that it can be seen that the checks find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InjectedBug {
    /// An acknowledgement that arrives twice counts twice.
    CountedAcks,
    /// A write stays at its coordinator.
    NoReplication,
    /// A copy's time to live starts anew when the copy is made.
    RelativeTtl,
    /// Tombstones are collected at once.
    NoTombstones,
    /// Tombstones are collected after the grace time, even if an owner lacks the write.
    EarlyTombstones,
    /// A key can still be read at its deadline.
    LateDeadline,
    /// What nodes keep for one that is down is lost when it comes back (it asks for nothing else
    /// then).
    LostHints,
    /// While keys move, the owners that they had before do not count.
    NewOwnersOnly,
    /// A write for which a node has no room removes the older value.
    RefusedDeletes,
    /// What a move brings counts against the capacity at once, and evicts keys for which there is room.
    MoveEvicts,
    /// A move does not wait for owners that it cannot reach, and drops what they lack.
    MoveDrops,
    /// A move takes a value that expired early, by a clock that is ahead, for gone.
    EarlyCopies,
    /// KEYS counts as an access of each key.
    LookTouches,
}

/// How to build a [`Cluster`](crate::Cluster).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How many nodes: 1 to [`MAX_NODES`]. Default 3.
    pub nodes: u32,
    /// How keys are placed on the nodes. Default: modulo.
    pub placement: PlacementKind,
    /// How many events the log keeps. Default 10,000.
    pub event_log: usize,
    /// How much each node may hold. Default: without bound.
    pub capacity: Capacity,
    /// Which entries leave a full node. Default: the least recently used.
    pub eviction: Eviction,
    /// How many counters each node has for its most requested keys; 0: none. Default 128.
    pub hot_keys: usize,
    /// How many owners each key has: 1 to [`MAX_REPLICAS`]. Default 1.
    pub replicas: usize,
    /// W: how many owners must have a write before it is acknowledged. Default 1.
    pub write_quorum: usize,
    /// R: how many owners a read asks. Default 1.
    pub read_quorum: usize,
    /// How long a coordinator waits for the owners. Default 1 s.
    pub timeout: Duration,
    /// How long a node remembers at least that a key is gone. Default 60 s.
    pub grace: Duration,
    /// How many operations the history keeps; 0: none. Default 0.
    pub history: usize,
    /// Whether requests with versions always go as messages, also where nothing is broken and calls
    /// would come to the same. Default: no.
    pub always_by_message: bool,
    /// A bug to be built in, for tests of the checks. Default: none.
    pub bug: Option<InjectedBug>,
    /// What all randomness comes from. Default 0.
    pub seed: u64,
    /// The longest key, in bytes. Default 64 KiB.
    pub max_key: usize,
    /// The longest value, in bytes. Default 64 MiB.
    pub max_value: usize,
}

/// The most owners that a key can have.
pub const MAX_REPLICAS: usize = 16;

/// The most nodes that a cluster can have.
pub const MAX_NODES: u32 = 1024;

impl Default for Config {
    fn default() -> Self {
        Self {
            nodes: 3,
            placement: PlacementKind::default(),
            event_log: 10_000,
            capacity: Capacity::default(),
            eviction: Eviction::default(),
            hot_keys: 128,
            replicas: 1,
            write_quorum: 1,
            read_quorum: 1,
            timeout: Duration::from_secs(1),
            grace: Duration::from_mins(1),
            history: 0,
            always_by_message: false,
            bug: None,
            seed: 0,
            max_key: 64 << 10,
            max_value: 64 << 20,
        }
    }
}

/// A [`Config`] that no cluster can be built from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The number of nodes is out of bounds.
    #[error("a cluster has 1 to {MAX_NODES} nodes, not {0}")]
    Nodes(u32),
    /// The number of owners is out of bounds.
    #[error(
        "a key has 1 to {MAX_REPLICAS} replicas, and no more than there are nodes ({nodes}), not {replicas}"
    )]
    Replicas {
        /// How many there should be.
        replicas: usize,
        /// How many nodes there are.
        nodes: u32,
    },
    /// A time is out of bounds.
    #[error("the {name} must be longer than zero, and at most 100 years")]
    Time {
        /// Which one.
        name: &'static str,
    },
    /// A quorum is out of bounds.
    #[error("a quorum lies between 1 and the number of replicas ({replicas}), not {quorum}")]
    Quorum {
        /// How many owners should have to answer.
        quorum: usize,
        /// How many owners there are.
        replicas: usize,
    },
}

impl Config {
    /// Checks the bounds.
    ///
    /// # Errors
    /// The first bound that is broken.
    pub fn check(&self) -> Result<(), ConfigError> {
        let Self {
            nodes, replicas, ..
        } = *self;
        if !(1..=MAX_NODES).contains(&nodes) {
            return Err(ConfigError::Nodes(nodes));
        }
        if !(1..=MAX_REPLICAS).contains(&replicas) || replicas > nodes as usize {
            return Err(ConfigError::Replicas { replicas, nodes });
        }
        for (name, time) in [("timeout", self.timeout), ("grace", self.grace)] {
            if time.is_zero() || time > MAX_DURATION {
                return Err(ConfigError::Time { name });
            }
        }
        self.check_quorums()
    }

    pub(crate) fn check_quorums(&self) -> Result<(), ConfigError> {
        let replicas = self.replicas;
        for quorum in [self.write_quorum, self.read_quorum] {
            if !(1..=replicas).contains(&quorum) {
                return Err(ConfigError::Quorum { quorum, replicas });
            }
        }
        Ok(())
    }
}
