//! The words of the commands that send many requests.

use std::time::Duration;

use super::word::Bytes;
use crate::trace::{Spec, Workload};

/// The words of `REPLAY`.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay<'a> {
    /// The file with the trace.
    pub path: Bytes<'a>,
    /// The number of the first request, from 0. `None`: where the last replay of the file stopped.
    pub skip: Option<u64>,
    /// The most requests. `None`: all that are left.
    pub count: Option<u64>,
    /// How long every value lives. `None`: as long as the trace says.
    pub ttl: Option<Duration>,
    /// Requests a second. `None`: in the time of the trace, on the real clock as fast as possible.
    pub rate: Option<u64>,
    /// The bytes of every value. `None`: as many as the trace says.
    pub size: Option<u64>,
    /// The format of the trace. `None`: it is detected.
    pub format: Option<Spec>,
}

/// The words of `LOAD`.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// The workload, without an end and without a seed.
    pub workload: Workload,
    /// The most requests. `None`: as many as there is time for.
    pub requests: Option<u64>,
    /// How long it takes. `None`: as long as the requests take.
    pub time: Option<Duration>,
    /// How many clients send requests.
    pub clients: u32,
    /// Requests a second. `None`: 1,000 on the virtual clock, on the real clock as fast as possible.
    pub rate: Option<u64>,
    /// Faults that are brought about meanwhile, the first first: how long after the start, and the line
    /// with the command.
    pub faults: Vec<(Duration, Vec<u8>)>,
}

/// The requests of a `LOAD` that names neither a number nor a time.
pub const DEFAULT_REQUESTS: u64 = 1_000_000;
/// The requests a second of a `LOAD` on the virtual clock that names no rate.
pub const DEFAULT_RATE: u64 = 1_000;
