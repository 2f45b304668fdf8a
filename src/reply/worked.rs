//! What a workload has done: the reply to REPLAY and LOAD.

use std::time::Duration;

use crate::id::NodeId;
use crate::language::Error;
use crate::time::{ClockKind, Instant};

/// What a workload has done.
#[derive(Debug)]
pub struct Worked {
    /// The name of the trace or the workload.
    pub name: String,
    /// How many of its requests came before the first one here.
    pub first: u64,
    /// How many requests were sent. A read-modify-write is one.
    pub requests: u64,
    /// Gets that found a value. A read-modify-write starts with a get.
    pub hits: u64,
    /// Gets that found none.
    pub misses: u64,
    /// Sets, adds and deletes of the workload itself, without those that fill a miss.
    pub writes: u64,
    /// Writes behind a read that another client's write has overtaken.
    pub lost_races: u64,
    /// The part of the bytes asked for that were hits; `None` without a get.
    pub bytes_hit_ratio: Option<f64>,
    /// Requests that failed, also those that fill a miss, by reason.
    pub failed: Vec<(&'static str, u64)>,
    /// Records that the reader skipped, by reason.
    pub skipped: Vec<(String, u64)>,
    /// Values that were longer than 64 KiB, and cut.
    pub cut: u64,
    /// Entries that were evicted meanwhile.
    pub evicted: u64,
    /// Entries that expired meanwhile.
    pub expired: u64,
    /// The nodes that were asked, by number.
    pub nodes: Vec<OfNode>,
    /// The hit ratio over time: at most 64 windows of about as many gets each.
    pub windows: Vec<Window>,
    /// How long it took, on the clock of the cluster.
    pub took: Duration,
    /// That clock.
    pub clock: ClockKind,
    /// Whether Ctrl-C has ended it.
    pub is_interrupted: bool,
    /// Whether there are no further requests.
    pub is_over: bool,
    /// What has ended it before its end.
    pub error: Option<Error>,
}

/// The requests to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfNode {
    /// Its number.
    pub node: NodeId,
    /// Requests that it has answered, without those that fill a miss.
    pub requests: u64,
    /// The gets among them that were misses.
    pub misses: u64,
}

/// Some gets in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// When the first of them had its answer.
    pub start: Instant,
    /// How many there are.
    pub gets: u64,
    /// How many of them found a value.
    pub hits: u64,
}

impl Worked {
    /// The part of the gets that found a value; `None` without a get.
    #[must_use]
    pub fn hit_ratio(&self) -> Option<f64> {
        let gets = self.hits + self.misses;
        (gets > 0).then(|| self.hits as f64 / gets as f64)
    }

    /// Requests a second; `None` on the virtual clock, and if it took no time.
    #[must_use]
    pub fn speed(&self) -> Option<f64> {
        let is_real = self.clock == ClockKind::Real && !self.took.is_zero();
        is_real.then(|| self.requests as f64 / self.took.as_secs_f64())
    }
}
