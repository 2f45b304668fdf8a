//! Which values forgotten calls wrote.

use super::content::Content;
use crate::hash::rapidhash;

/// How many bits the set has for each call that the history keeps.
const BITS_A_CALL: usize = 64;
/// The fewest bits: 8 KiB.
const MIN_BITS: usize = 1 << 16;
/// The most bits: a megabyte.
const MAX_BITS: usize = 1 << 23;
const PROBES: u64 = 3;

/// What stands for "some value" and for "every value" of a key.
const SOME: u64 = 0x9e37_79b9_7f4a_7c15;
const EVERY: u64 = 0xd1b5_4a32_d192_ed03;

/// The values that forgotten calls wrote, by key, as a Bloom filter (Bloom, "Space/Time Trade-offs
/// in Hash Coding with Allowable Errors", CACM 13(7), 1970): it may contain more values than were
/// added, never fewer.
///
/// Memory: 64 bits for each call of the history's capacity, from 8 KiB to 1 MiB, from the first value
/// on. About one value in a hundred is contained by mistake when six times the capacity were added.
#[derive(Clone, Debug)]
pub struct OldValues {
    bits: Vec<u64>,
    size: usize,
    /// Whether it contains every value of every key.
    is_full: bool,
}

impl OldValues {
    pub(crate) fn new(capacity: usize) -> Self {
        let size = capacity.saturating_mul(BITS_A_CALL).min(MAX_BITS);
        Self {
            bits: Vec::new(),
            size: size.next_power_of_two().max(MIN_BITS),
            is_full: false,
        }
    }

    /// Adds every value of every key.
    pub(super) fn add_all(&mut self) {
        self.is_full = true;
    }

    /// Adds a value of a key; `None`: every value.
    pub fn add(&mut self, key: &[u8], value: Option<&Content>) {
        self.bits.resize(self.size / 64, 0);
        let hash = value.map_or(EVERY, Content::hash);
        for code in [hash, SOME] {
            for bit in self.probes(key, code) {
                self.bits[bit / 64] |= 1 << (bit % 64);
            }
        }
    }

    /// Whether a forgotten call may have written this value; `None`: any value.
    #[must_use]
    pub fn may_contain(&self, key: &[u8], value: Option<&Content>) -> bool {
        let hash = value.map_or(SOME, Content::hash);
        self.is_full || self.has(key, hash) || self.has(key, EVERY)
    }

    fn has(&self, key: &[u8], code: u64) -> bool {
        let is_set = |bit: usize| self.bits[bit / 64] >> (bit % 64) & 1 == 1;
        !self.bits.is_empty() && self.probes(key, code).all(is_set)
    }

    /// Places of bits. The second half of the hash is the stride, made odd.
    fn probes(&self, key: &[u8], code: u64) -> impl Iterator<Item = usize> + use<> {
        let mut both = [0; 16];
        both[..8].copy_from_slice(&rapidhash(key).to_le_bytes());
        both[8..].copy_from_slice(&code.to_le_bytes());
        let (hash, mask) = (rapidhash(&both), self.size as u64 - 1);
        let stride = hash >> 32 | 1;
        let probes = (0..PROBES).map(move |n| hash.wrapping_add(stride.wrapping_mul(n)) & mask);
        probes.map(|bit| usize::try_from(bit).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(n: u32) -> Content {
        Content::from(&n.to_le_bytes()[..])
    }

    #[test]
    fn what_was_added_is_contained_and_hardly_anything_else() {
        let mut old = OldValues::new(1_000);
        assert!(!old.may_contain(b"k", None));
        for n in 0..1_000 {
            old.add(b"k", Some(&value(n)));
        }
        let contained = |key: &[u8], range: std::ops::Range<u32>| {
            let values = range.filter(|&n| old.may_contain(key, Some(&value(n))));
            values.count()
        };
        assert_eq!(contained(b"k", 0..1_000), 1_000);
        assert!(contained(b"k", 1_000..11_000) < 20);
        assert!(contained(b"l", 0..1_000) < 5);
        assert!(old.may_contain(b"k", None) && !old.may_contain(b"l", None));
    }

    #[test]
    fn every_value_of_a_key_and_of_all_keys_can_be_added() {
        let mut old = OldValues::new(1);
        old.add(b"k", None);
        assert!(old.may_contain(b"k", Some(&value(7))) && !old.may_contain(b"l", None));
        old.add_all();
        assert!(old.may_contain(b"l", Some(&value(7))) && old.may_contain(b"l", None));
    }
}
