//! Estimates for a whole trace from a sample of its keys, with error bars.
//!
//! A cache for a sample is smaller by the rate of the sample (Waldspurger, Saemundsson, Ahmad, Park:
//! *Cache Modeling and Optimization using Miniature Simulations*, USENIX ATC 2017). Misses are divided
//! by the requests that a fair sample would have, not by those that it has: a hot key is in the sample
//! or not, and its requests are nearly all hits (the adjustment of SHARDS, FAST 2015, section 4.3).
//!
//! Each of the [`GROUPS`] groups of the sample is replayed by itself, too, with an eighth of the room.
//! At a nominal 95 % the error is Student's t for 7 degrees of freedom times the standard error of the
//! groups, and the difference between their mean and the whole sample: where a policy depends on the
//! size of the cache, eight times smaller caches show it.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "parts of counts"
)]

use super::counts::{Counts, Halves};
use crate::trace::{GROUPS, Position, Sample};

/// Student's t for 95 % and `GROUPS` - 1 degrees of freedom.
const T: f64 = 2.365;
/// A cache is shown if the sample has room for so many objects in it.
const LEAST_OBJECTS: f64 = 50.0;

/// The smallest size in objects that a sample of this rate can show.
#[must_use]
pub fn smallest_size(rate: f64) -> u64 {
    libm::ceil(LEAST_OBJECTS / rate) as u64
}

/// The part of a cache that serves a part of the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Share {
    /// The cache of all keys.
    #[default]
    Whole,
    /// The cache of a sample of this rate.
    Sample(f64),
    /// The cache of one group of such a sample.
    Group(f64, u64),
}

impl Share {
    /// The size of the part, for the size of the cache. Those of the groups add up to the sample's.
    #[must_use]
    pub fn of(self, size: u64) -> u64 {
        let sampled = |rate: f64| libm::round(size as f64 * rate) as u64;
        match self {
            Self::Whole => size,
            Self::Sample(rate) => sampled(rate),
            Self::Group(rate, group) => {
                let size = u128::from(sampled(rate));
                let until = |group: u64| size * u128::from(group) / GROUPS as u128;
                (until(group + 1) - until(group)) as u64
            }
        }
    }
}

/// Where the requests that count start, where their first half ends, and where they end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places(pub [Position; 3]);

impl Places {
    /// The places in a trace of which there is a sample. `warmup` is the part that does not count.
    #[must_use]
    pub fn new(sample: &Sample, warmup: f64) -> Self {
        let half = warmup + (1.0 - warmup) / 2.0;
        Self([sample.place(warmup), sample.place(half), sample.place(1.0)])
    }

    /// How much of the sample comes before each place.
    #[must_use]
    pub fn bounds(&self) -> [usize; 3] {
        self.0.map(|place| place.kept)
    }
}

/// How far an estimated ratio may be off, at 95 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Error {
    /// The part of the keys that is in the sample.
    pub rate: f64,
    /// The half-width of the miss ratio of requests.
    pub requests: f64,
    /// The half-width of the miss ratio of bytes.
    pub bytes: f64,
}

/// The counts of the whole trace, estimated from those of a sample and of its groups.
#[must_use]
pub fn estimate(
    sample: Halves,
    groups: &[Halves; GROUPS],
    rate: f64,
    places: &Places,
) -> (Halves, Error) {
    let [start, half, end] = places.0;
    let estimated = Halves {
        first: scaled(sample.first, rate, half.since(start)),
        all: scaled(sample.all, rate, end.since(start)),
    };
    let whole = end.since(start);
    let ratios = |of: &dyn Fn(Counts) -> f64| groups.map(|group| of(group_of(group, rate, whole)));
    let error = Error {
        rate,
        requests: half_width(ratios(&|it| it.miss_ratio()), estimated.all.miss_ratio()),
        bytes: half_width(
            ratios(&|it| it.byte_miss_ratio()),
            estimated.all.byte_miss_ratio(),
        ),
    };
    (estimated, error)
}

/// The estimate of one group.
fn group_of(group: Halves, rate: f64, whole: Position) -> Counts {
    scaled(group.all, rate / GROUPS as f64, whole)
}

/// The counts of a sample as those of the whole: what was requested is known, the rest is more by the
/// rate, and never more than all.
#[must_use]
pub fn scaled(counts: Counts, rate: f64, whole: Position) -> Counts {
    let up = |count: u64| libm::round(count as f64 / rate) as u64;
    let misses = up(counts.misses).min(whole.gets);
    let compulsory = up(counts.compulsory).min(misses);
    Counts {
        requests: whole.gets,
        misses,
        bytes: whole.bytes,
        missed_bytes: up(counts.missed_bytes).min(whole.bytes),
        compulsory,
        expired_misses: up(counts.expired_misses).min(misses - compulsory),
        prefix_misses: 0,
        failed: 0,
        expired: up(counts.expired),
        evicted: up(counts.evicted),
    }
}

fn half_width(ratios: [f64; GROUPS], estimate: f64) -> f64 {
    let groups = GROUPS as f64;
    let mean = ratios.iter().sum::<f64>() / groups;
    let squares = ratios.iter().map(|ratio| (ratio - mean) * (ratio - mean));
    let deviation = libm::sqrt(squares.sum::<f64>() / (groups - 1.0));
    T * deviation / libm::sqrt(groups) + (mean - estimate).abs()
}
