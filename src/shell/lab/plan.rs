//! Where a replay stops: at the end of the warm-up, at the half, at each window, and at each event.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "parts of the number of requests"
)]

use crate::replay::Event;
use crate::trace::Columns;

/// The most windows, but for those that events begin.
const WINDOWS: usize = 120;
/// The fewest requests of a window.
const FEWEST: usize = 64;

/// The places of a replay.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many requests come first and are not counted.
    pub warm: usize,
    /// Where the second half of the rest begins.
    pub half: usize,
    /// The events by place, ascending: the number of the request that comes next.
    pub events: Vec<(usize, Event)>,
    /// All places where it stops, ascending; the last is the end.
    pub stops: Vec<usize>,
}

impl Plan {
    /// The places for a trace of so many requests. `warmup` is a part of 1.
    pub fn new(requests: usize, warmup: f64, events: &[Event]) -> Self {
        let warm = ((requests as f64 * warmup) as usize).min(requests);
        let rest = requests - warm;
        let half = warm + rest / 2;
        let events = events
            .iter()
            .map(|it| (it.at.resolve(requests), it.clone()));
        let mut events: Vec<(usize, Event)> = events.collect();
        events.sort_by_key(|(at, _)| *at);
        let count = (rest / FEWEST).clamp(1, WINDOWS);
        let ends = (1..=count).map(|window| warm + share(rest, window, count));
        let others = events
            .iter()
            .map(|(at, _)| *at)
            .chain([warm, half, requests]);
        let mut stops: Vec<usize> = ends.chain(others).collect();
        stops.sort_unstable();
        stops.dedup();
        Self {
            warm,
            half,
            events,
            stops,
        }
    }

    /// Where windows end.
    pub fn windows(&self) -> Vec<usize> {
        let stops = self.stops.iter().copied();
        stops.filter(|&stop| stop > self.warm).collect()
    }
}

/// The time of the request at this place, in nanoseconds since the first one; behind the last one that of
/// the last.
pub fn time(trace: &Columns, at: usize) -> u64 {
    let time = trace.times.get(at).or(trace.times.last());
    let first = trace.times.first();
    let (time, first) = (time.copied(), first.copied());
    time.unwrap_or(0).saturating_sub(first.unwrap_or(0))
}

/// `whole` × `part` / `parts`, without an overflow.
fn share(whole: usize, part: usize, parts: usize) -> usize {
    whole / parts * part + whole % parts * part / parts
}
