//! What a node, or a whole cluster, has counted.

use std::ops::Add;

/// Counts since the start. A hit or a miss is one GET as a client saw it; no other operation
/// counts as either.
///
/// ```
/// use shardlab::time::Instant;
/// use shardlab::{Cache, Cluster, Config};
///
/// let mut cluster = Cluster::new(Config::new())?;
/// cluster.put(Instant::START, b"apple", b"red", None)?;
/// for key in [&b"apple"[..], b"apple", b"apple", b"fig"] {
///     cluster.get(Instant::START, key)?;
/// }
/// let stats = cluster.stats(Instant::START);
/// assert_eq!((stats.keys, stats.hits, stats.misses), (1, 3, 1));
/// assert_eq!(stats.hit_ratio(), Some(0.75));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Entries held now.
    pub keys: u64,
    /// Bytes that they take: keys, values, and what keeping them costs.
    pub bytes: u64,
    /// Gets that found a value.
    pub hits: u64,
    /// Gets that found none.
    pub misses: u64,
    /// Entries that left to make room.
    pub evicted: u64,
    /// Entries that left at their deadline.
    pub expired: u64,
    /// Copies of keys that their owners should have and lack.
    pub replicas_missing: u64,
}

impl Stats {
    /// Hits as a part of all gets; `None` before the first.
    #[must_use]
    pub fn hit_ratio(&self) -> Option<f64> {
        let gets = self.hits + self.misses;
        (gets > 0).then(|| self.hits as f64 / gets as f64)
    }
}

impl Add for Stats {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            keys: self.keys + other.keys,
            bytes: self.bytes + other.bytes,
            hits: self.hits + other.hits,
            misses: self.misses + other.misses,
            evicted: self.evicted + other.evicted,
            expired: self.expired + other.expired,
            replicas_missing: self.replicas_missing + other.replicas_missing,
        }
    }
}
