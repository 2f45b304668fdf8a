//! Replays traces against eviction policies, without a cluster: miss ratios by policy and size.
//!
//! A trace in [`Columns`](crate::trace::Columns) has a dense number for each object. That number is the object's slot in the
//! policy, so neither the policies nor the simulations need a hash table, and one parsed trace serves
//! all simulations. The policies are those of [`eviction`](crate::eviction), which the nodes use too;
//! `belady` and `gdsf` exist here only.
//!
//! # Rules
//!
//! - [`Ops::Fill`]: every request is a get; one that misses stores the object.
//! - [`Ops::Trace`]: gets, sets and deletes as recorded. A get stores nothing, and only gets count as
//!   requests. A set of an object whose size has changed replaces it.
//! - By bytes, as in libCacheSim: an object keeps the size of its insertion. An object larger than the
//!   cache misses and evicts nothing. S3-FIFO keeps no object larger than its small queue.
//! - A TTL counts from the insertion. At its deadline an object is gone: with [`Expiry::Eager`] it
//!   leaves then, with [`Expiry::Lazy`] it takes up room until it is asked for or evicted.
//!
//! # Cost
//!
//! A simulation takes at most 20 bytes an object by objects, and 16 more by bytes or with TTLs.

mod belady;
mod bits;
mod counts;
mod curve;
mod fast;
mod full;
mod gdsf;
mod grid;
mod policy;
mod simulation;
mod split;

pub use counts::Counts;
pub use curve::{Curve, lru_curve};
pub use grid::{Grid, Halves, Shard, Task};
pub use policy::{Policy, Prepared, Unit, UnknownPolicy, simulate};
pub use simulation::Simulation;
pub use split::{Part, split};

use std::time::Duration;

/// Which requests store objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ops {
    /// Every request is a get that stores on a miss.
    #[default]
    Fill,
    /// Gets, sets and deletes as recorded.
    Trace,
}

/// The TTLs of objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ttl {
    /// No object expires.
    #[default]
    None,
    /// Every object has this TTL.
    Fixed(Duration),
    /// The TTLs of the trace.
    Trace,
}

/// When an expired object leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expiry {
    /// At its deadline.
    #[default]
    Eager,
    /// When it is asked for, or evicted.
    Lazy,
}

/// The rules of a replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Which requests store objects.
    pub ops: Ops,
    /// The TTLs of objects.
    pub ttl: Ttl,
    /// When an expired object leaves.
    pub expiry: Expiry,
}

#[cfg(test)]
mod tests;
