//! Dense numbers for keys: the first key is 0, the next new one is 1.
//!
//! The table holds only the numbers; the keys are in a column by number. A look-up waits for memory
//! twice: for the table, and for the key there. [`Numbering::batch`] looks many keys up at once, so
//! that these waits overlap. A number from zero is stored itself. Any other key is known by a hash of
//! 128 bits: two keys with the same hash would be taken for one, which is likelier than 1 in 10^18
//! only beyond 10^10 keys.

use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};

use super::key::Key;
use crate::hash::rapidhash;

/// The most keys: numbers have 32 bits, and two of them are set aside.
pub const MAX_KEYS: usize = u32::MAX as usize - 1;

/// The second of the two hashes of a key of bytes.
const SECOND: RapidSecrets = RapidSecrets::seed(0x7368_6172_646c_6162);

/// How many look-ups overlap.
pub const BATCH: usize = 64;

/// The first table has 4,096 entries.
const FIRST_SHIFT: u32 = 52;

/// What identifies a key: its number, or a hash of it. The second half is zero for numbers only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    low: u64,
    high: u64,
}

impl From<Key<'_>> for Identity {
    #[inline]
    fn from(key: Key<'_>) -> Self {
        match key {
            Key::Number(low) => Self { low, high: 0 },
            Key::Negative(number) => Self {
                low: number.cast_unsigned(),
                high: 1,
            },
            Key::Bytes(bytes) => Self {
                low: rapidhash(bytes),
                high: rapidhash_v3_seeded(bytes, &SECOND) | 2,
            },
        }
    }
}

impl From<u64> for Identity {
    #[inline]
    fn from(low: u64) -> Self {
        Self { low, high: 0 }
    }
}

impl Identity {
    /// A hash for choosing keys by, which has nothing to do with [`Identity::hash`] nor with the hashes
    /// that place keys: each bit of the key and of the salt changes each bit of it with a chance of 1/2.
    #[inline]
    pub(super) fn sample_hash(self, salt: u64) -> u64 {
        mix(mix(self.low ^ mix(salt)) ^ self.high)
    }

    /// Where the key belongs in the table.
    #[inline]
    fn hash(self) -> u64 {
        let product = u128::from(self.low ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
        let (low, high) = (product & u128::from(u64::MAX), product >> 64);
        u64::try_from(low ^ high).unwrap_or(0) ^ self.high
    }
}

/// The finalizer of `SplitMix64`: Steele, Lea, Flood, *Fast Splittable Pseudorandom Number Generators*,
/// OOPSLA 2014, with the constants of Stafford's variant 13.
#[inline]
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Gives each key a dense number, in the order of first appearance.
///
/// Memory: 8 bytes a key and 8 to 16 for the table, and 8 more for each key once one of them is not a
/// number from zero.
pub struct Numbering {
    /// Open addressing with linear probing, at most half full: the number of a key plus one, or zero.
    table: Vec<u32>,
    /// The length of the table is 2 to the power of 64 minus this.
    shift: u32,
    low: Vec<u64>,
    /// Empty while all are zero.
    high: Vec<u64>,
}

impl Default for Numbering {
    fn default() -> Self {
        Self {
            table: vec![0; 1 << (64 - FIRST_SHIFT)],
            shift: FIRST_SHIFT,
            low: Vec::new(),
            high: Vec::new(),
        }
    }
}

/// There are more keys than numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {MAX_KEYS} different keys")]
pub struct TooManyKeys;

impl Numbering {
    /// How many keys have a number.
    #[must_use]
    pub fn len(&self) -> usize {
        self.low.len()
    }

    /// Whether no key has a number.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.low.is_empty()
    }

    /// The number of this key, and whether it is new.
    ///
    /// # Errors
    /// [`TooManyKeys`].
    pub fn number(&mut self, key: Key<'_>) -> Result<(u32, bool), TooManyKeys> {
        let key = Identity::from(key);
        self.find_or_insert(key, key.hash())
    }

    /// Appends the numbers of these keys. Cost: about 30 ns a key where neither the table nor the keys
    /// fit into the cache of the processor.
    ///
    /// # Errors
    /// [`TooManyKeys`]; then the numbers of the keys before it are appended.
    pub fn extend(&mut self, keys: &[u64], numbers: &mut Vec<u32>) -> Result<(), TooManyKeys> {
        let mut batches = keys.chunks(BATCH);
        batches.try_for_each(|keys| self.batch(keys, numbers))
    }

    /// Appends the numbers of up to [`BATCH`] keys.
    ///
    /// # Errors
    /// [`TooManyKeys`].
    #[inline]
    pub(super) fn batch<K: Copy + Into<Identity>>(
        &mut self,
        keys: &[K],
        numbers: &mut Vec<u32>,
    ) -> Result<(), TooManyKeys> {
        let (hashes, found) = self.look_up(keys);
        for ((&key, &hash), &entry) in keys.iter().zip(&hashes).zip(&found) {
            let number = match entry {
                0 => self.find_or_insert(key.into(), hash)?.0,
                entry => entry - 1,
            };
            numbers.push(number);
        }
        Ok(())
    }

    /// The hashes of up to [`BATCH`] keys, and the entries at their homes: zero where a key is not at its home.
    /// Each loop has no branch that waits for memory, so that the waits overlap.
    #[inline]
    fn look_up<K: Copy + Into<Identity>>(&self, keys: &[K]) -> ([u64; BATCH], [u32; BATCH]) {
        let mut hashes = [0; BATCH];
        let mut entries = [0; BATCH];
        let mask = self.table.len() - 1;
        let table = &self.table[..=mask];
        for ((&key, hash), entry) in keys.iter().zip(&mut hashes).zip(&mut entries) {
            *hash = key.into().hash();
            *entry = table[index(*hash >> self.shift) & mask];
        }
        for (&key, entry) in keys.iter().zip(&mut entries) {
            let number = entry.wrapping_sub(1) as usize;
            let low = self.low.get(number).copied().unwrap_or(0);
            let high = self.high.get(number).copied().unwrap_or(0);
            if (Identity { low, high }) != key.into() {
                *entry = 0;
            }
        }
        (hashes, entries)
    }

    /// Where a key with this hash is, if the place is free.
    #[inline]
    fn home(&self, hash: u64) -> usize {
        index(hash >> self.shift)
    }

    fn find_or_insert(&mut self, key: Identity, hash: u64) -> Result<(u32, bool), TooManyKeys> {
        let mask = self.table.len() - 1;
        let mut at = self.home(hash);
        loop {
            let number = match self.table[at] {
                0 => return self.insert(key, at),
                entry => entry - 1,
            };
            if self.identity(number as usize) == key {
                return Ok((number, false));
            }
            at = (at + 1) & mask;
        }
    }

    fn insert(&mut self, key: Identity, at: usize) -> Result<(u32, bool), TooManyKeys> {
        let number = self.low.len();
        if number >= MAX_KEYS {
            return Err(TooManyKeys);
        }
        self.push(key);
        let number = narrow(number);
        self.table[at] = number + 1;
        if self.low.len() * 2 > self.table.len() {
            self.grow();
        }
        Ok((number, true))
    }

    fn push(&mut self, key: Identity) {
        if self.high.is_empty() && key.high != 0 {
            self.high.resize(self.low.len(), 0);
        }
        if key.high != 0 || !self.high.is_empty() {
            self.high.push(key.high);
        }
        self.low.push(key.low);
    }

    fn grow(&mut self) {
        self.shift -= 1;
        self.fill_table(self.table.len() * 2);
    }

    /// Makes the table anew. The old one goes first, so that there are never two.
    fn fill_table(&mut self, len: usize) {
        self.table = Vec::new();
        self.table = vec![0; len];
        for number in 0..self.low.len() {
            let mut at = self.home(self.identity(number).hash());
            while self.table[at] != 0 {
                at = (at + 1) & (len - 1);
            }
            self.table[at] = narrow(number) + 1;
        }
    }

    #[inline]
    fn identity(&self, number: usize) -> Identity {
        Identity {
            low: self.low[number],
            high: self.high.get(number).copied().unwrap_or(0),
        }
    }

    /// What identifies each key, by number.
    pub(super) fn identities(&self) -> impl Iterator<Item = Identity> + '_ {
        (0..self.low.len()).map(|number| self.identity(number))
    }

    /// Keeps the keys with a new number, which are the first ones in their order; `u32::MAX` is none.
    pub(super) fn renumber(&mut self, numbers: &[u32]) {
        let mut kept = numbers.iter().map(|&number| number != u32::MAX);
        self.low.retain(|_| kept.next().unwrap_or(false));
        let mut kept = numbers.iter().map(|&number| number != u32::MAX);
        self.high.retain(|_| kept.next().unwrap_or(false));
        self.fill_table(self.table.len());
    }

    /// The keys themselves, without the table. `bytes` holds those that are no numbers.
    pub(super) fn into_keys(self, bytes: ByteKeys) -> KeyTable {
        KeyTable {
            low: self.low,
            high: self.high,
            bytes,
        }
    }
}

/// A number of at most [`MAX_KEYS`].
fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A place in the table, which is in memory.
#[inline]
fn index(place: u64) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}

/// Keys of bytes, behind each other.
#[derive(Clone, Debug, Default)]
pub struct ByteKeys {
    bytes: Vec<u8>,
    /// The number of each key, and where it ends.
    ends: Vec<(u32, usize)>,
}

impl ByteKeys {
    /// Adds the key with this number, which is higher than all before it.
    pub(super) fn push(&mut self, number: u32, key: &[u8]) {
        self.bytes.extend_from_slice(key);
        self.ends.push((number, self.bytes.len()));
    }

    /// Keeps the keys with a new number; `u32::MAX` is none.
    pub(super) fn renumber(&mut self, numbers: &[u32]) {
        let old = std::mem::take(self);
        let mut start = 0;
        for (number, end) in old.ends {
            let number = numbers[number as usize];
            if number != u32::MAX {
                self.push(number, &old.bytes[start..end]);
            }
            start = end;
        }
    }

    fn get(&self, number: u32) -> &[u8] {
        let Ok(at) = self.ends.binary_search_by_key(&number, |end| end.0) else {
            return &[];
        };
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before].1);
        &self.bytes[start..self.ends[at].1]
    }
}

/// The keys of a trace by number.
#[derive(Clone, Debug, Default)]
pub struct KeyTable {
    low: Vec<u64>,
    high: Vec<u64>,
    bytes: ByteKeys,
}

impl KeyTable {
    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.low.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.low.is_empty()
    }

    /// Whether all are numbers from zero.
    #[must_use]
    pub fn are_numbers(&self) -> bool {
        self.high.is_empty()
    }

    /// The key with this number, or `None` if there are fewer. Cost: a binary search for bytes.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<Key<'_>> {
        let at = number as usize;
        let low = *self.low.get(at)?;
        Some(match self.high.get(at) {
            None | Some(0) => Key::Number(low),
            Some(1) => Key::Negative(low.cast_signed()),
            Some(_) => Key::Bytes(self.bytes.get(number)),
        })
    }
}
