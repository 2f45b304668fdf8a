//! A set of object numbers: one bit for each object.

/// A set of numbers below a bound.
pub struct Bits(Vec<u64>);

impl Bits {
    /// The empty set of numbers below `len`.
    pub fn new(len: usize) -> Self {
        Self(vec![0; len.div_ceil(64)])
    }

    /// Whether a number is in the set.
    #[inline]
    pub fn has(&self, number: usize) -> bool {
        self.0[number / 64] >> (number % 64) & 1 == 1
    }

    /// Puts a number into the set.
    #[inline]
    pub fn insert(&mut self, number: usize) {
        self.0[number / 64] |= 1 << (number % 64);
    }

    /// Takes a number out of the set.
    #[inline]
    pub fn remove(&mut self, number: usize) {
        self.0[number / 64] &= !(1 << (number % 64));
    }

    /// How many numbers of `from..to` are in the set; `from` is a multiple of 64.
    #[inline]
    pub fn count(&self, from: usize, to: usize) -> u32 {
        let whole = &self.0[from / 64..to / 64];
        let mut count: u32 = whole.iter().map(|word| word.count_ones()).sum();
        if !to.is_multiple_of(64) {
            count += (self.0[to / 64] & ((1 << (to % 64)) - 1)).count_ones();
        }
        count
    }
}
