//! An estimate of the exponent of Zipf's law that fits a trace best.

use super::zipf::{area, weight};

/// Ranks whose weights are added one by one; those beyond are integrated.
const EXACT: usize = 10_000;
/// The highest exponent that is looked for.
const MAX: f64 = 5.0;

/// The exponent with the greatest likelihood, from 0 to 5, if the objects with these numbers of
/// requests are ranked by them; `None` for fewer than 2 objects or if all have one request. It is an
/// estimate: ranks by counts overstate the skew of the rare ones.
pub fn estimate(mut counts: Vec<u32>) -> Option<f64> {
    counts.sort_unstable_by(|one, other| other.cmp(one));
    if counts.len() < 2 || counts[0] < 2 {
        return None;
    }
    let total: f64 = counts.iter().copied().map(f64::from).sum();
    let logs = counts.iter().zip(1_u32..);
    let logs = logs.map(|(&count, rank)| f64::from(count) * libm::log(f64::from(rank)));
    let mean = logs.sum::<f64>() / total;
    let (mut low, mut high) = (0.0, MAX);
    // The expected logarithm of the rank falls as the exponent grows.
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        if expected_log(counts.len(), middle) > mean {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(f64::midpoint(low, high))
}

/// The mean logarithm of the rank among `n` ranks with the exponent `s`.
fn expected_log(n: usize, s: f64) -> f64 {
    let (mut sum, mut weights) = (0.0, 0.0);
    for rank in 1..=n.min(EXACT) {
        let rank = rank as f64;
        let weight = weight(rank, s);
        weights += weight;
        sum += weight * libm::log(rank);
    }
    if n > EXACT {
        let (from, to) = (EXACT as f64 + 0.5, n as f64 + 0.5);
        weights += area(to, s) - area(from, s);
        sum += log_area(to, s) - log_area(from, s);
    }
    sum / weights
}

/// The integral of x to the power of -s, times the logarithm of x, from 1 to x.
fn log_area(x: f64, s: f64) -> f64 {
    let log = libm::log(x);
    let p = 1.0 - s;
    if p.abs() < 1e-6 {
        return log * log / 2.0;
    }
    (libm::exp(p * log) * (p * log - 1.0) + 1.0) / (p * p)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use crate::trace::zipf::Zipf;

    #[test]
    fn the_exponent_of_a_sample_is_found() {
        for s in [0.7, 1.0, 1.3] {
            let (zipf, mut rng) = (Zipf::new(20_000, s), Rng::new(3));
            let mut counts = vec![0; 20_000];
            for _ in 0..400_000 {
                counts[usize::try_from(zipf.draw(&mut rng) - 1).expect("small")] += 1;
            }
            counts.retain(|&count| count > 0);
            let found = estimate(counts).expect("many objects");
            assert!((found - s).abs() < 0.06, "{found} for {s}");
        }
        assert_eq!(estimate(vec![5]), None);
        assert_eq!(estimate(vec![1, 1, 1]), None);
        assert!(estimate(vec![7; 100]).expect("many").abs() < 0.01);
    }
}
