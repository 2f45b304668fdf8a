//! What `compare` does where it has only a sample of a trace.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "estimates of counts"
)]

use std::str::FromStr;

use crate::eviction::Eviction;
use crate::render::grouped;
use crate::replay::{Policy, Unit, smallest_size};
use crate::report::{share, size};
use crate::trace::{Columns, Room, Sampling};

/// Traces that fit are replayed whole: 100 million requests take 400 MB.
const ROOM: Room = Room {
    requests: 100_000_000,
    bytes: 2 << 30,
};

/// Which part of the keys is replayed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SampleRate {
    /// All, or as many as fit.
    Auto,
    /// All.
    None,
    /// This part, more than 0 and at most 1.
    Rate(f64),
}

impl SampleRate {
    /// How the trace is read.
    pub fn sampling(self) -> Sampling {
        match self {
            Self::Auto => Sampling::within(ROOM),
            Self::None => Sampling::at(1.0),
            Self::Rate(rate) => Sampling::at(rate),
        }
    }
}

impl FromStr for SampleRate {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rate = match (text, text.strip_suffix('%')) {
            ("auto", _) => return Ok(Self::Auto),
            ("none", _) => return Ok(Self::None),
            (_, Some(percent)) => percent.trim().parse().map(|percent: f64| percent / 100.0),
            (number, None) => number.parse::<f64>(),
        };
        let rate = rate.ok().filter(|rate| *rate > 0.0 && *rate <= 1.0);
        rate.map(Self::Rate)
            .ok_or("use a rate of more than 0 and at most 1, such as 0.01 or 1%, or auto or none")
    }
}

/// All requests of the trace.
pub fn requests(trace: &Columns) -> u64 {
    let sample = trace.sample.as_ref();
    sample.map_or(trace.ids.len() as u64, |it| it.whole.requests)
}

/// The objects of the trace, or about how many they are.
pub fn objects(trace: &Columns) -> u64 {
    whole(trace, trace.objects.into())
}

/// The miss ratio of a cache without bounds: the first request of each object.
pub fn infinite(trace: &Columns) -> f64 {
    (objects(trace) as f64 / requests(trace) as f64).min(1.0)
}

/// Times for a trace that has none: each request of the whole trace takes a millisecond.
pub fn times(requests: usize, rate: f64) -> Vec<u64> {
    let step = 1_000_000.0 / rate;
    (0..requests).map(|at| (at as f64 * step) as u64).collect()
}

/// What the facts of a report are of, if they are those of a sample.
pub fn fact(trace: &Columns) -> Option<(String, String)> {
    let sample = trace.sample.as_ref()?;
    let text = format!(
        "{} of the keys: these facts are of {} of {} requests",
        share(sample.rate),
        grouped(trace.ids.len() as u64),
        grouped(sample.whole.requests)
    );
    Some(("sample".into(), text))
}

/// What the whole trace has, where what was read has this.
pub fn whole(trace: &Columns, read: u64) -> u64 {
    let rate = trace.sample.as_ref().map(|sample| sample.rate);
    rate.map_or(read, |rate| (read as f64 / rate).round() as u64)
}

/// The sizes that the sample can show, with a note on the others. `bytes` are those of all objects that
/// were read.
///
/// # Errors
/// If it can show none.
pub fn shown(
    mut sizes: Vec<u64>,
    trace: &Columns,
    unit: Unit,
    bytes: u64,
    notes: &mut Vec<String>,
) -> Result<Vec<u64>, String> {
    let Some(sample) = &trace.sample else {
        return Ok(sizes);
    };
    let objects = smallest_size(sample.rate);
    let smallest = match unit {
        Unit::Objects => objects,
        Unit::Bytes => objects.saturating_mul(bytes.div_ceil(u64::from(trace.objects).max(1))),
    };
    let all = sizes.len();
    sizes.retain(|size| *size >= smallest);
    let what = format!(
        "a sample of {} of the keys shows no size under {}",
        share(sample.rate),
        size(smallest, unit)
    );
    if sizes.is_empty() {
        return Err(format!("{what}: use a higher --sample, or --sample none"));
    }
    let note = format!("{what}: {} of {all} are left out", all - sizes.len());
    if sizes.len() < all && !notes.contains(&note) {
        notes.push(note);
    }
    Ok(sizes)
}

/// Says what was sampled, and how far the errors can be trusted. `rate` is what was asked for.
pub fn note(trace: &Columns, rate: SampleRate, policies: &[Policy], notes: &mut Vec<String>) {
    let Some(sample) = &trace.sample else {
        return;
    };
    let why = match rate {
        SampleRate::Auto => ", since it does not fit (--sample none replays it whole)",
        SampleRate::None | SampleRate::Rate(_) => "",
    };
    notes.push(format!(
        "the trace has {} requests; {} are replayed, those of {} of the keys{why}",
        grouped(sample.whole.requests),
        grouped(trace.ids.len() as u64),
        share(sample.rate)
    ));
    // On the trace `corda_vaultservice` the exact miss ratio of small caches is 0.99, and samples of 10 %
    // say 0.69 ± 0.04.
    if policies.contains(&Policy::Node(Eviction::Sieve)) {
        let text = "sieve can be further off than its \u{b1}: on one of 8 real traces a sample was wrong by \
                    30 points; --sample none is sure";
        notes.push(text.into());
    }
}
