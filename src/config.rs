//! What a cluster is made of, and its bounds.

use crate::eviction::Eviction;
use crate::placement::PlacementKind;

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
    /// What all randomness comes from. Default 0.
    pub seed: u64,
    /// The longest key, in bytes. Default 64 KiB.
    pub max_key: usize,
    /// The longest value, in bytes. Default 64 MiB.
    pub max_value: usize,
}

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
}

impl Config {
    /// Checks the bounds.
    ///
    /// # Errors
    /// The first bound that is broken.
    pub fn check(&self) -> Result<(), ConfigError> {
        if (1..=MAX_NODES).contains(&self.nodes) {
            Ok(())
        } else {
            Err(ConfigError::Nodes(self.nodes))
        }
    }
}
