//! Random numbers whose sequence is pinned: the same seed gives the same numbers, in every version.
//!
//! The generator is splitmix64: a counter that goes up by the golden ratio, and a mixer that turns
//! each count into a number. Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number
//! Generators", OOPSLA 2014. It is fast and its state is one word; it is not for secrets.

/// A seeded generator, splitmix64. Not for secrets.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The generator with this seed. Every seed is as good as any other.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number: any of the 2^64, all equally likely.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `n` - 1, or 0 if `n` is 0.
    ///
    /// It is the upper half of a product, not a remainder (Lemire, "Fast Random Integer Generation
    /// in an Interval", ACM TOMACS 29(1), 2019): no division. No number is likelier than another
    /// by more than `n` in 2^64.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next_u64().carrying_mul(n, 0).1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_pinned() {
        let mut rng = Rng::new(1_234_567);
        let numbers: Vec<u64> = (0..5).map(|_| rng.next_u64()).collect();
        let published = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(numbers, published);
    }

    #[test]
    fn below_is_pinned_and_stays_below() {
        let mut rng = Rng::new(1_234_567);
        let numbers: Vec<u64> = (0..5).map(|_| rng.below(100)).collect();
        assert_eq!(numbers, [35, 17, 53, 24, 88]);
        for n in [1, 2, 3, 1 << 40, u64::MAX] {
            assert!((0..100).all(|_| rng.below(n) < n), "below {n}");
        }
        assert_eq!(rng.below(0), 0);
    }

    #[test]
    fn below_is_even() {
        let mut rng = Rng::new(7);
        let mut counts = [0_u32; 10];
        for _ in 0..100_000 {
            let number = usize::try_from(rng.below(10)).expect("small");
            counts[number] += 1;
        }
        let even = 9_600..10_400;
        assert!(counts.iter().all(|it| even.contains(it)), "{counts:?}");
    }
}
