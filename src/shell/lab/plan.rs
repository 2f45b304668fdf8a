//! Where a replay stops: at the end of the warm-up, at the half, at each window, and at each event.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "parts of the number of requests"
)]

use crate::replay::Event;
use crate::trace::{Columns, Position, Sample};

/// The most windows, but for those that events begin.
const WINDOWS: usize = 120;
/// The fewest requests of a window.
const FEWEST: usize = 64;

/// The places of a replay.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The part of the trace that comes first and is not counted.
    pub warmup: f64,
    /// How many requests that are.
    pub warm: usize,
    /// Where the second half of the rest begins.
    pub half: usize,
    /// The events by place, ascending: the number of the request that comes next.
    pub events: Vec<(usize, Event)>,
    /// All places where it stops, ascending; the last is the end.
    pub stops: Vec<usize>,
    /// Of a sample: what the whole trace has in each window.
    pub wholes: Vec<Position>,
}

impl Plan {
    /// The places for a trace. `warmup` is a part of 1.
    pub fn of(trace: &Columns, warmup: f64, events: &[Event]) -> Self {
        match &trace.sample {
            Some(sample) => Self::sampled(sample, trace.ids.len(), warmup),
            None => Self::new(trace.ids.len(), warmup, events),
        }
    }

    /// The places in a sample of so many requests, at equal parts of the whole trace.
    fn sampled(sample: &Sample, requests: usize, warmup: f64) -> Self {
        let count = (requests / FEWEST).clamp(1, WINDOWS);
        let rest = 1.0 - warmup;
        let place = |window: usize| sample.place(warmup + rest * window as f64 / count as f64);
        let mut places: Vec<Position> = (0..=count).map(place).collect();
        places.dedup_by_key(|place| place.kept);
        let wholes = places.windows(2).map(|pair| pair[1].since(pair[0]));
        Self {
            warmup,
            warm: places[0].kept,
            half: sample.place(warmup + rest / 2.0).kept,
            events: Vec::new(),
            wholes: wholes.collect(),
            stops: places.iter().map(|place| place.kept).collect(),
        }
    }

    /// The places for a trace of so many requests. `warmup` is a part of 1.
    fn new(requests: usize, warmup: f64, events: &[Event]) -> Self {
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
            warmup,
            warm,
            half,
            events,
            stops,
            wholes: Vec::new(),
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
