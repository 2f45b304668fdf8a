//! Replays traces against eviction policies, without a cluster: miss ratios by policy and size.
//!
//! A trace in [`Columns`] has a dense number for each object. That number is the object's slot in the
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
//! - Where the trace says that a request follows the one before it ([`Columns::follows`]), it hits only
//!   if that one hit. It is read and stored all the same.
//!
//! # Clusters
//!
//! Without faults and with one replica, each object lives on one node. Then the trace is [`split`] by
//! node, and each node is a simulation of its own. Otherwise [`ClusterReplay`] sends the requests through
//! a real [`Cluster`](crate::cluster::Cluster). A test holds both to the same counts.
//!
//! # Cost
//!
//! A simulation takes at most 20 bytes an object by objects, and 16 more by bytes or with TTLs.

mod belady;
mod bits;
mod cluster;
mod counts;
mod curve;
mod event;
mod fast;
mod full;
mod gdsf;
mod grid;
mod hottest;
mod impact;
mod keys;
mod policy;
mod prefix;
mod sample;
mod simulation;
mod split;

pub use cluster::{ClusterReplay, Deployed};
pub use counts::{Counts, Halves};
pub use curve::{Curve, lru_curve};
pub use event::{Action, Event, Position};
pub use grid::{Grid, Shard, Task, cost, node_seed};
pub use hottest::{Hottest, hottest};
pub use impact::{End, Impact, Windows, impacts};
pub use keys::Keys;
pub use policy::{Policy, Prepared, Unit, UnknownPolicy, simulate};
pub use sample::{Error, Places, Share, estimate, scaled, smallest_size};
pub use simulation::Simulation;
pub use split::{Part, split};

use std::time::Duration;

use crate::trace::{Columns, Op};

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

impl Ops {
    /// What the request at this place does.
    fn of(self, trace: &Columns, at: usize) -> Op {
        match self {
            Self::Fill => Op::Get,
            Self::Trace => trace.ops.get(at).copied().unwrap_or(Op::Get),
        }
    }
}

impl Ttl {
    /// The TTL of the request at this place in nanoseconds; `None`: for ever, or for longer than 584
    /// years.
    fn nanos(self, trace: &Columns, at: usize) -> Option<u64> {
        match self {
            Self::None => None,
            Self::Fixed(ttl) => u64::try_from(ttl.as_nanos()).ok(),
            Self::Trace => match trace.ttls.get(at) {
                None | Some(0) => None,
                Some(millis) => millis.checked_mul(1_000_000),
            },
        }
    }
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
mod cluster_tests;
#[cfg(test)]
mod tests;
