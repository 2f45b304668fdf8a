//! The natural logarithm in integers, so that it is the same on every machine.
//!
//! `f64::ln` may differ in its last bits from one platform's library to the next, and a placement
//! must not. This one cuts the mantissa into 128 intervals, multiplies by the tabled inverse of the
//! interval's start, and adds the tabled logarithm of it to six terms of the series of ln(1 + z),
//! where z is below 1/128 (the scheme of Tang, "Table-Driven Implementation of the Logarithm
//! Function in IEEE Floating-Point Arithmetic", ACM TOMS 16(4), 1990).
//!
//! It never falls where it should rise: the series ends on a negative term, so it is too small at
//! the end of an interval and exact at the start of the next. It is wrong by less than 2^-50, which
//! is little to the logarithms that decide, of which the smallest of 1024 is about 2^-10.

/// Intervals of the mantissa: 2^[`BITS`].
const BITS: u32 = 7;

/// 1 as a fraction of 63 bits.
const ONE: u64 = 1 << 63;

/// For each interval: the inverse of its start, rounded up, in 2^-63, and the logarithm of what
/// that is the inverse of, in 2^-64.
const TABLE: [(u64, u64); 1 << BITS] = {
    let mut table = [(0, 0); 1 << BITS];
    let mut at = 0;
    while at < table.len() {
        let inverse = (1_u128 << (63 + BITS)).div_ceil((1 << BITS) + at as u128);
        table[at] = (low(inverse), ln_inverse(low(inverse)));
        at += 1;
    }
    table
};

/// The logarithm of 2, in 2^-64.
const LN_2: u64 = ln_inverse(ONE / 2);

/// -ln(`inverse`), which is from 2^62 to 2^63 and in 2^-63; the result is in 2^-64. It is twice the
/// area hyperbolic tangent of (1 - x) / (1 + x), by its series.
const fn ln_inverse(inverse: u64) -> u64 {
    let ratio = ratio(inverse);
    let square = high(ratio, ratio);
    let (mut power, mut sum, mut odd) = (ratio, 0, 1);
    while power > 0 {
        sum += power / odd;
        power = high(power, square);
        odd += 2;
    }
    2 * sum
}

/// (1 - x) / (1 + x) in 2^-64, where x is in 2^-63.
const fn ratio(x: u64) -> u64 {
    low((((ONE - x) as u128) << 64) / (ONE as u128 + x as u128))
}

/// The low half.
#[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
const fn low(number: u128) -> u64 {
    number as u64
}

/// The high half of a product: the product of two fractions in 2^-64.
#[inline]
pub(super) const fn high(a: u64, b: u64) -> u64 {
    low((a as u128 * b as u128) >> 64)
}

/// -ln(1 - `c` / 2^64) in 2^-58: 0 to 44.4. It rises with `c`, never falls, and is at least
/// `c` / 2^64. Cost: 8 multiplications.
pub(super) fn neg_ln_of_rest(c: u64) -> u64 {
    let Some(rest) = (!c).checked_add(1) else {
        return 0;
    };
    let zeros = rest.leading_zeros();
    let halvings = u128::from(zeros + 1) * u128::from(LN_2);
    let ln = halvings - u128::from(ln_of_mantissa(rest << zeros));
    low(ln >> 6).max(c >> 6)
}

/// ln(`mantissa` / 2^63) in 2^-64, where the highest bit is set.
fn ln_of_mantissa(mantissa: u64) -> u64 {
    let interval = (mantissa << 1) >> (64 - BITS);
    let (inverse, ln) = TABLE[usize::try_from(interval).unwrap_or(0)];
    let product = u128::from(mantissa) * u128::from(inverse);
    ln + ln_1p(low((product - (1 << 126)) >> 62))
}

/// ln(1 + z), both in 2^-64, where z is at most 1/128.
fn ln_1p(z: u64) -> u64 {
    const fn part(n: u64) -> u64 {
        u64::MAX / n
    }
    let terms = [part(5), part(4), part(3), part(2), part(1)];
    let series = |rest, term| term - high(z, rest);
    high(z, terms.into_iter().fold(part(6), series))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    const UNIT: f64 = (1_u64 << 58) as f64;

    #[test]
    fn it_is_right_to_the_last_bits_of_a_float() {
        let mut rng = Rng::new(3);
        for shift in 0..64 {
            for _ in 0..1000 {
                let c = rng.next_u64() >> shift;
                for c in [c, !c] {
                    let exact = if c < 1 << 62 {
                        -(-(c as f64) / 2_f64.powi(64)).ln_1p()
                    } else {
                        -((!c as f64 + 1.0) / 2_f64.powi(64)).ln()
                    };
                    let off = neg_ln_of_rest(c) as f64 / UNIT - exact;
                    assert!(off.abs() < 2_f64.powi(-50) + exact * 1e-15, "{c}: {off}");
                }
            }
        }
    }

    #[test]
    fn the_ends_are_what_they_must_be() {
        assert_eq!(neg_ln_of_rest(0), 0);
        assert_eq!(neg_ln_of_rest(1 << 63), LN_2 >> 6);
        assert_eq!(neg_ln_of_rest(u64::MAX), LN_2);
        let off = LN_2 as f64 / 2_f64.powi(64) - 2_f64.ln();
        assert!(off.abs() < 2_f64.powi(-53));
    }

    /// `c` and its neighbours do not fall, and stay above the bound.
    fn check(c: u64) {
        let around = [c.saturating_sub(1), c, c.saturating_add(1)];
        let logs = around.map(neg_ln_of_rest);
        assert!(logs.is_sorted(), "{c:#x}: {logs:?}");
        assert!(logs[1] >= c >> 6, "{c:#x}");
    }

    #[test]
    fn it_never_falls() {
        let mut rng = Rng::new(4);
        for zeros in 0..64 {
            for interval in 0..1_u64 << BITS {
                let start = ONE | interval << (63 - BITS);
                check((!(start >> zeros)).wrapping_add(1));
                let c = rng.next_u64() >> zeros;
                check(c);
                check(!c);
            }
        }
        let sorted = (0..100_000).map(|step| neg_ln_of_rest(step * (u64::MAX / 100_000)));
        assert!(sorted.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn its_values_are_pinned() {
        let mut rng = Rng::new(5);
        let sum = (0..100_000).fold(0_u64, |sum, shift| {
            sum.wrapping_mul(31)
                .wrapping_add(neg_ln_of_rest(rng.next_u64() >> (shift % 64)))
        });
        assert_eq!(sum, 17_469_959_716_131_570_069);
    }
}
