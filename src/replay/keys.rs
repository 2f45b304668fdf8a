//! The keys of a trace as text, as a cluster knows them.

use crate::hash::rapidhash;
use crate::trace::KeyTable;

/// The text of each key by number. Memory: the text, and 8 bytes a key; with an index 16 more.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    text: Vec<u8>,
    /// Where each key ends.
    ends: Vec<usize>,
    /// Hashes with the numbers of the keys, ascending. Empty without an index.
    by_hash: Vec<(u64, u32)>,
}

impl Keys {
    /// The text of all keys of this table.
    #[must_use]
    pub fn new(table: &KeyTable) -> Self {
        let mut keys = Self::default();
        for number in 0..u32::try_from(table.len()).unwrap_or(u32::MAX) {
            if let Some(key) = table.get(number) {
                key.append(&mut keys.text);
            }
            keys.ends.push(keys.text.len());
        }
        keys
    }

    /// With an index, so that keys can be found by their text.
    #[must_use]
    pub fn indexed(mut self) -> Self {
        let numbers = 0..u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        let all = numbers.map(|number| (rapidhash(self.get(number)), number));
        self.by_hash = all.collect();
        self.by_hash.sort_unstable();
        self
    }

    /// The text of a key; empty beyond the last.
    #[must_use]
    pub fn get(&self, number: u32) -> &[u8] {
        let at = number as usize;
        let Some(&end) = self.ends.get(at) else {
            return &[];
        };
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..end]
    }

    /// The number of a key; `None` without an index too.
    #[must_use]
    pub fn number(&self, key: &[u8]) -> Option<u32> {
        let hash = rapidhash(key);
        let first = self.by_hash.partition_point(|entry| entry.0 < hash);
        let mut equal = self.by_hash[first..].iter().take_while(|it| it.0 == hash);
        equal.find_map(|&(_, number)| (self.get(number) == key).then_some(number))
    }
}
