//! How a server presents the cluster.

use std::time::Duration;

/// Whether the nodes speak Redis Cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClusterMode {
    /// Yes with the placement `slots`, otherwise no.
    #[default]
    Auto,
    /// Each node answers for its own slots, and sends clients on to other nodes.
    Yes,
    /// Each node answers for every key.
    No,
}

/// The settings of a server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address that clients are sent to.
    pub host: String,
    /// Whether the nodes speak Redis Cluster.
    pub is_cluster: bool,
    /// The password; `None`: none is needed.
    pub password: Option<Vec<u8>>,
    /// How long a node is out of reach before another takes its slots over.
    pub node_timeout: Duration,
    /// How long slots take to move to other nodes, all together; zero: they move at once.
    pub move_time: Duration,
    /// Whether DEBUG is allowed.
    pub has_debug: bool,
    /// Milliseconds from 1970 to the start of the cluster's time.
    pub epoch: i64,
    /// The most clients at a time.
    pub max_clients: usize,
}

/// A client whose replies take more bytes than this is not read from until it takes them.
pub const OUTPUT_PAUSE: usize = 1 << 20;
/// Memory of replies is kept for other replies up to so many bytes.
pub const OUTPUT_KEPT: usize = 64 << 10;
/// A client whose replies take more bytes than this is cut off.
pub const OUTPUT_LIMIT: usize = 1 << 30;
/// A client that leaves more bytes of messages than this, as of channels and MONITOR, is cut off.
pub const PUBSUB_LIMIT: usize = 32 << 20;
/// The most keys that a client watches, and the most channels of each kind that it listens to.
pub const WATCH_LIMIT: usize = 1 << 16;
/// The most scripts that are known by their SHA-1. Beyond it all are forgotten, as by SCRIPT FLUSH.
pub const SCRIPT_LIMIT: usize = 10_000;
/// The most commands that a transaction queues, and the bytes that they take.
pub const QUEUE_LIMIT: (usize, usize) = (1 << 20, 1 << 30);
/// The version of Redis whose replies are given.
pub const REDIS_VERSION: &str = "7.2.4";
