//! The scales of a chart: sizes are logarithmic, ratios linear from 0.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "a few steps"
)]

/// Maps sizes and ratios to an area whose lower left corner is (0, 0).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    first: f64,
    last: f64,
    high: f64,
}

impl Scale {
    /// A scale for points of (size, ratio), with the ratios rounded up to a round number.
    pub fn new<'p>(points: impl Iterator<Item = &'p (u64, f64)> + Clone) -> Self {
        let sizes = points
            .clone()
            .map(|&(size, _)| libm::log(size.max(1) as f64));
        let first = sizes.clone().fold(f64::INFINITY, f64::min);
        let last = sizes.fold(f64::NEG_INFINITY, f64::max);
        let highest = points.map(|&(_, ratio)| ratio).fold(0.0, f64::max);
        Self {
            first,
            last,
            high: round_up(highest),
        }
    }

    /// The size as a part of the width, from 0 to 1.
    pub fn x(&self, size: u64) -> f64 {
        let width = self.last - self.first;
        if width <= 0.0 {
            return 0.5;
        }
        (libm::log(size.max(1) as f64) - self.first) / width
    }

    /// The ratio as a part of the height, from 0 to 1.
    pub fn y(&self, ratio: f64) -> f64 {
        ratio / self.high
    }

    /// Round ratios from 0 to the top, at most six.
    pub fn ratios(&self) -> Vec<f64> {
        let step = if self.high > 0.5 {
            0.2
        } else if self.high > 0.2 {
            0.1
        } else {
            self.high / 4.0
        };
        let steps = libm::round(self.high / step) as u32;
        (0..=steps).map(|at| f64::from(at) * step).collect()
    }
}

/// The next of 1, 2, 4, 5, 6, 8 and 10 times a power of ten; at least 0.0001.
fn round_up(ratio: f64) -> f64 {
    if ratio > 0.8 {
        return 1.0;
    }
    let mut unit = 0.1;
    while ratio < unit && unit > 0.0001 {
        unit /= 10.0;
    }
    let steps = [1.0, 2.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    let fits = steps
        .iter()
        .map(|step| step * unit)
        .find(|top| *top >= ratio);
    fits.unwrap_or(1.0)
}
