//! Estimates from a sample of the objects, with error bars.
//!
//! Spatial sampling (Waldspurger, Park, Garthwaite, Ahmad: *Efficient MRC Construction with SHARDS*,
//! FAST 2015): only objects whose hash is below a threshold are replayed, against a cache that is
//! smaller by the same rate. Misses are divided by the requests that a fair sample would have had (the
//! adjustment of section 4.3 there), since a hot object is in the sample or not.
//!
//! The sample is split by further bits of the hash into [`GROUPS`] groups, each of which is an estimate
//! of its own. Their mean is the estimate; its error at a nominal 95 % follows from their spread
//! (Student's t for 7 degrees of freedom).

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "a size from a positive rate"
)]

use super::counts::Counts;

/// Groups of a sample.
pub const GROUPS: usize = 8;
/// Student's t for 95 % and `GROUPS` - 1 degrees of freedom.
const T: f64 = 2.365;
/// A size is shown if the sample has at least so many objects of it.
pub const LEAST_OBJECTS: f64 = 50.0;

/// An estimated ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The mean of the groups.
    pub ratio: f64,
    /// The lowest ratio at 95 %.
    pub low: f64,
    /// The highest ratio at 95 %.
    pub high: f64,
}

/// Estimates the miss ratio of requests from the misses of each group. `requests` is how many the
/// whole trace has, `rate` the part of all objects that is in the sample.
#[must_use]
pub fn estimate(groups: &[Counts; GROUPS], requests: u64, rate: f64) -> Estimate {
    let expected = requests as f64 * rate / GROUPS as f64;
    let ratios = groups.map(|group| (group.misses as f64 / expected).clamp(0.0, 1.0));
    let mean = ratios.iter().sum::<f64>() / GROUPS as f64;
    let squares: f64 = ratios
        .iter()
        .map(|ratio| (ratio - mean) * (ratio - mean))
        .sum();
    let deviation = libm::sqrt(squares / (GROUPS - 1) as f64);
    let error = T * deviation / libm::sqrt(GROUPS as f64);
    Estimate {
        ratio: mean,
        low: (mean - error).max(0.0),
        high: (mean + error).min(1.0),
    }
}

/// The smallest size that a sample of this rate can show.
#[must_use]
pub fn smallest_size(rate: f64) -> u64 {
    libm::ceil(LEAST_OBJECTS / rate) as u64
}
