//! Ranks with Zipf's distribution, exactly, in constant time and memory.
//!
//! Source: Hörmann, Derflinger, "Rejection-inversion to generate variates from monotone discrete
//! distributions", ACM TOMACS 6(3), 1996. The rank k has a probability in proportion to k to the power
//! of -s. The area under a curve that covers all of them is inverted, and few draws are rejected,
//! whatever s and n.

use crate::rng::Rng;

/// The distribution. See the module's docs.
#[derive(Clone, Copy, Debug)]
pub struct Zipf {
    n: u64,
    s: f64,
    /// The area up to 1.5, less the probability of rank 1.
    first: f64,
    /// The area up to n + 0.5.
    all: f64,
    /// Up to this distance from a rank nothing need be compared.
    near: f64,
}

impl Zipf {
    /// Ranks from 1 to `n`, at least 1, with the exponent `s`, which is not negative.
    pub fn new(n: u64, s: f64) -> Self {
        let n = n.max(1);
        let area = |x| area(x, s);
        Self {
            n,
            s,
            first: area(1.5) - 1.0,
            all: area(n as f64 + 0.5),
            near: 2.0 - inverse(area(2.5) - weight(2.0, s), s),
        }
    }

    /// A rank.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is clamped"
    )]
    pub fn draw(&self, rng: &mut Rng) -> u64 {
        loop {
            let u = self.all + unit(rng) * (self.first - self.all);
            let x = inverse(u, self.s);
            let rank = ((x + 0.5) as u64).clamp(1, self.n);
            let k = rank as f64;
            if k - x <= self.near || u >= area(k + 0.5, self.s) - weight(k, self.s) {
                return rank;
            }
        }
    }
}

/// A number from 0 up to 1, with 53 bits.
pub fn unit(rng: &mut Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// x to the power of -s.
pub fn weight(x: f64, s: f64) -> f64 {
    libm::exp(-s * libm::log(x))
}

/// The integral of [`weight`] from 1 to x.
pub fn area(x: f64, s: f64) -> f64 {
    let log = libm::log(x);
    let power = (1.0 - s) * log;
    let ratio = if power.abs() > 1e-8 {
        libm::expm1(power) / power
    } else {
        1.0 + power / 2.0
    };
    ratio * log
}

/// The x with this [`area`].
fn inverse(area: f64, s: f64) -> f64 {
    let power = (area * (1.0 - s)).max(-1.0);
    let ratio = if power.abs() > 1e-8 {
        libm::log1p(power) / power
    } else {
        1.0 - power / 2.0
    };
    libm::exp(ratio * area)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_have_their_probabilities() {
        for (n, s) in [(10, 1.0), (10, 0.5), (10, 2.0), (10, 0.0), (1000, 0.99)] {
            let (zipf, mut rng) = (Zipf::new(n, s), Rng::new(7));
            let draws = 200_000;
            let mut counts = [0.0; 10];
            for _ in 0..draws {
                let rank = usize::try_from(zipf.draw(&mut rng)).expect("small");
                if let Some(count) = counts.get_mut(rank - 1) {
                    *count += 1.0;
                }
            }
            let total: f64 = (1..=n).map(|k| weight(k as f64, s)).sum();
            for (count, k) in counts.iter().zip(1..) {
                let expected = weight(f64::from(k), s) / total * f64::from(draws);
                let error = (count - expected).abs() / expected.sqrt();
                assert!(
                    error < 5.0,
                    "n {n}, s {s}, rank {k}: {count} against {expected}"
                );
            }
        }
    }

    #[test]
    fn extremes_stay_in_range() {
        let mut rng = Rng::new(1);
        for (n, s) in [
            (1, 1.0),
            (2, 20.0),
            (u64::MAX, 0.1),
            (u64::MAX, 1.0),
            (1 << 40, 0.0),
        ] {
            let zipf = Zipf::new(n, s);
            assert!(
                (0..1000).all(|_| (1..=n).contains(&zipf.draw(&mut rng))),
                "{n} {s}"
            );
        }
    }
}
