//! Cluster settings and their limits.

use std::time::Duration;

use crate::eviction::Eviction;
use crate::placement::{BySlot, Members, Placement, PlacementKind};
use crate::time::MAX_DURATION;

/// How much a node may hold; `None`: without bound.
///
/// ```
/// use shardlab::config::Capacity;
///
/// let both = Capacity::entries(1000).and_bytes(1 << 20);
/// assert_eq!((both.entries, both.bytes), (Some(1000), Some(1 << 20)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capacity {
    /// The most entries.
    pub entries: Option<u64>,
    /// The most bytes, as the store counts them: keys, values, and what keeping them costs.
    pub bytes: Option<u64>,
}

impl Capacity {
    /// At most this many entries.
    #[must_use]
    pub const fn entries(most: u64) -> Self {
        Self {
            entries: Some(most),
            bytes: None,
        }
    }

    /// At most this many bytes, as the store counts them.
    #[must_use]
    pub const fn bytes(most: u64) -> Self {
        Self {
            entries: None,
            bytes: Some(most),
        }
    }

    /// This, and at most this many bytes.
    #[must_use]
    pub const fn and_bytes(self, most: u64) -> Self {
        Self {
            bytes: Some(most),
            ..self
        }
    }

    /// Whether there is any bound.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        self.entries.is_some() || self.bytes.is_some()
    }
}

/// A bug that can be injected to test the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
    /// What nodes keep for one that is down is lost when it comes back.
    LostHints,
    /// While keys move, the owners that they had before do not count.
    NewOwnersOnly,
    /// A write for which a node has no room removes the older value.
    RefusedDeletes,
    /// What a move brings counts against the capacity at once, and evicts keys for which there is room.
    MoveEvicts,
    /// A move does not wait for owners that it cannot reach, and drops what they lack.
    MoveDrops,
    /// A move treats a value that expired early, by a clock that is ahead, as deleted.
    EarlyCopies,
    /// KEYS counts as an access of each key.
    LookTouches,
}

/// How to build a [`Cluster`](crate::Cluster).
///
/// There is a method for each setting. [`Cluster::new`](crate::Cluster::new) checks the bounds.
///
/// ```
/// use shardlab::config::{Capacity, Config};
/// use shardlab::eviction::Eviction;
/// use shardlab::placement::PlacementKind;
///
/// let config = Config::new()
///     .nodes(5)
///     .placement(PlacementKind::Ring)
///     .replicas(3)
///     .quorums(2, 2)
///     .capacity(Capacity::entries(10_000))
///     .eviction(Eviction::Sieve);
/// assert!(config.check().is_ok());
/// assert!(config.nodes(2).check().is_err(), "fewer nodes than replicas");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// How many nodes: 1 to [`MAX_NODES`]. Default 3.
    pub nodes: u32,
    /// How keys are placed on the nodes. Default: modulo.
    pub placement: PlacementKind,
    /// Whether Redis Cluster's slots are placed instead of keys, see
    /// [`BySlot`]. Makes no difference to `slots`. Default: no.
    pub by_slot: bool,
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
    /// Whether requests always go as messages, also where nothing is broken and calls
    /// would come to the same. Default: no.
    pub always_by_message: bool,
    /// A bug to inject, to test the checks. Default: none.
    pub bug: Option<InjectedBug>,
    /// The random seed. Default 0.
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
            by_slot: false,
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
#[non_exhaustive]
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
        /// The setting's name.
        name: &'static str,
    },
    /// A quorum is out of bounds.
    #[error("a quorum lies between 1 and the number of replicas ({replicas}), not {quorum}")]
    Quorum {
        /// The requested quorum.
        quorum: usize,
        /// How many owners there are.
        replicas: usize,
    },
}

/// A method for each of these fields, which sets it.
macro_rules! setters {
    ($($field:ident: $type:ty => $doc:literal,)*) => {
        $(
            #[doc = $doc]
            #[must_use]
            pub const fn $field(mut self, $field: $type) -> Self {
                self.$field = $field;
                self
            }
        )*
    };
}

impl Config {
    /// The default settings: three nodes, one owner a key, no bound on what a node holds.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        nodes: u32 => "Sets [`Config::nodes`], the number of nodes.",
        placement: PlacementKind => "Sets [`Config::placement`], how keys are placed.",
        by_slot: bool => "Places Redis Cluster's slots instead of keys.",
        event_log: usize => "Sets [`Config::event_log`], how many events the log keeps.",
        capacity: Capacity => "Sets [`Config::capacity`], how much each node may hold.",
        eviction: Eviction => "Sets [`Config::eviction`], which entries leave a full node.",
        hot_keys: usize => "Sets [`Config::hot_keys`], the counters for the most requested keys.",
        replicas: usize => "Sets [`Config::replicas`], how many owners each key has.",
        timeout: Duration => "Sets [`Config::timeout`], how long a coordinator waits.",
        grace: Duration => "Sets [`Config::grace`], how long a node remembers that a key is gone.",
        history: usize => "Sets [`Config::history`], how many operations the history keeps.",
        seed: u64 => "Sets [`Config::seed`], the random seed.",
        max_key: usize => "Sets [`Config::max_key`], the longest key in bytes.",
        max_value: usize => "Sets [`Config::max_value`], the longest value in bytes.",
    }

    /// Sets [`Config::write_quorum`] and [`Config::read_quorum`], W and R: how many owners must have
    /// a write before it is acknowledged, and how many a read asks.
    #[must_use]
    pub const fn quorums(mut self, write: usize, read: usize) -> Self {
        self.write_quorum = write;
        self.read_quorum = read;
        self
    }

    /// A new placement of these members, as the settings ask.
    pub(crate) fn place(&self, members: Members) -> Box<dyn Placement> {
        let placement = self.placement.place(members);
        if self.by_slot && self.placement != PlacementKind::Slots {
            Box::new(BySlot::new(placement))
        } else {
            placement
        }
    }

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
