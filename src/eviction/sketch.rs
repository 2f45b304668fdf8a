//! A sketch of frequencies: about how often each hash came lately, in a few bits a hash.
//!
//! A count-min sketch (Cormode and Muthukrishnan, "An Improved Data Stream Summary", Journal of
//! Algorithms 2005) of 4 rows of 4-bit counters: a hash has one counter in each row, and the
//! smallest of the four is its frequency. Others can only raise a counter, so the frequency is never
//! too low while nothing has aged. It ages as in Einziger, Friedman and Manes, "`TinyLFU`: A Highly
//! Efficient Cache Admission Policy", ACM TOS 2017, section 3.3: after every 10 hashes a word of
//! the table, all counters are halved.

#![allow(
    clippy::cast_possible_truncation,
    reason = "a place in the table is the low bits of a hash"
)]

/// The highest count of 4 bits.
const MOST: u64 = 15;
/// The rows. A word of the table holds 4 counters of each.
const ROWS: usize = 4;
/// What each row multiplies a hash by, for a place of its own: powers of the golden ratio's 64 bits.
/// Rows that are not independent of each other collide together, and then four are as bad as one.
const MULTIPLIERS: [u64; ROWS] = {
    let ratio: u64 = 0x9e37_79b9_7f4a_7c15;
    [
        ratio,
        ratio.wrapping_pow(2),
        ratio.wrapping_pow(3),
        ratio.wrapping_pow(4),
    ]
};
/// Hashes that are counted before all counters are halved, for each word of the table.
const SAMPLE: usize = 10;
/// The lowest bit of each counter of a word.
const LOWEST_BITS: u64 = 0x1111_1111_1111_1111;

/// Estimates how often each hash came lately: 4 rows of 4-bit counters, 8 bytes for each entry of the
/// capacity rounded up to a power of two.
#[derive(Clone, Default)]
pub(super) struct Sketch {
    /// 16 counters a word; as many words as a power of two, so that a place is found by masking.
    words: Vec<u64>,
    /// The hashes counted, halved with the counters.
    counted: usize,
}

impl Sketch {
    /// How many entries it counts well for: one a word.
    pub(super) fn entries(&self) -> usize {
        self.words.len()
    }

    /// Makes it fit for this many entries, rounded up to a power of two. What was counted stays, as
    /// well as the new size can hold it.
    pub(super) fn resize(&mut self, entries: usize) {
        let len = entries.max(1).next_power_of_two();
        if self.words.is_empty() {
            self.words.push(0);
        }
        while self.words.len() < len {
            self.words.extend_from_within(..);
        }
        while self.words.len() > len {
            self.fold();
        }
        self.words.shrink_to(len);
        self.counted = self.counted.min(SAMPLE * len / 2);
    }

    /// Counts a hash, and lets all counts age when it is time.
    pub(super) fn count(&mut self, hash: u64) {
        let mut counted = false;
        for row in 0..ROWS {
            let (word, shift) = self.place(hash, row);
            if self.words[word] >> shift & MOST < MOST {
                self.words[word] += 1 << shift;
                counted = true;
            }
        }
        self.counted += usize::from(counted);
        if self.counted >= SAMPLE * self.words.len() {
            self.halve();
        }
    }

    /// About how often a hash was counted lately: from 0 to 15.
    pub(super) fn frequency(&self, hash: u64) -> u64 {
        let count = |row| {
            let (word, shift) = self.place(hash, row);
            self.words[word] >> shift & MOST
        };
        (0..ROWS).map(count).min().unwrap_or(0)
    }

    /// Where a hash is counted in a row: the word, and how far up in it.
    fn place(&self, hash: u64, row: usize) -> (usize, u64) {
        let place = hash.wrapping_mul(MULTIPLIERS[row]) >> 32;
        let word = (place >> 2) as usize & (self.words.len() - 1);
        (word, 4 * (4 * row as u64 + place % 4))
    }

    /// Halves all counters. The odd ones lose half a count more than that; a hash has four, so it
    /// counts for a quarter.
    fn halve(&mut self) {
        let mut odd = 0;
        for word in &mut self.words {
            odd += (*word & LOWEST_BITS).count_ones() as usize;
            *word = *word >> 1 & !(LOWEST_BITS << 3);
        }
        self.counted = self.counted.saturating_sub(odd / 4) / 2;
    }

    /// Halves the table: of the counters that come together, the greater stays.
    fn fold(&mut self) {
        let half = self.words.len() / 2;
        for at in 0..half {
            let (low, high) = (self.words[at], self.words[at + half]);
            let greater = |shift: u32| (low >> shift & MOST).max(high >> shift & MOST) << shift;
            self.words[at] = (0..64).step_by(4).map(greater).sum();
        }
        self.words.truncate(half);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::hash;
    use super::*;

    fn sketch(entries: usize) -> Sketch {
        let mut sketch = Sketch::default();
        sketch.resize(entries);
        sketch
    }

    #[test]
    fn a_frequency_is_the_count_up_to_15() {
        let mut sketch = sketch(100);
        for count in 0..40 {
            assert_eq!(sketch.frequency(7), MOST.min(count));
            sketch.count(7);
        }
        assert_eq!(sketch.counted, 15, "a full counter counts no more");
    }

    #[test]
    fn a_frequency_is_never_too_low_and_seldom_too_high() {
        let mut sketch = sketch(1000);
        for id in 0..1000 {
            (0..=id % 3).for_each(|_| sketch.count(hash(id)));
        }
        let too_high = (0..1000).map(|id| sketch.frequency(hash(id)) - (1 + id % 3));
        let wrong = too_high.filter(|&more| more > 0).count();
        assert!(wrong < 50, "{wrong} of 1000 are too high");
    }

    #[test]
    fn counts_are_halved_after_ten_hashes_a_word() {
        let mut sketch = sketch(64);
        (0..9).for_each(|_| sketch.count(hash(1)));
        (0..630).for_each(|id| sketch.count(hash(100 + id)));
        assert!(sketch.frequency(hash(1)) >= 9);
        (0..2).for_each(|id| sketch.count(hash(1000 + id)));
        assert!((4..=7).contains(&sketch.frequency(hash(1))));
        assert!(sketch.counted <= 320);
    }

    #[test]
    fn counts_survive_a_change_of_size() {
        for entries in [1, 2, 3, 64, 65, 1000] {
            let mut sketch = sketch(64);
            for id in 0..40 {
                (0..5).for_each(|_| sketch.count(hash(id)));
            }
            sketch.resize(entries);
            assert_eq!(sketch.entries(), entries.next_power_of_two());
            assert!((0..40).all(|id| sketch.frequency(hash(id)) >= 5));
        }
    }
}
