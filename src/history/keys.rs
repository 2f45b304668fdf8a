//! The keys of a history, and what each starts with.

use std::sync::Arc;

use hashbrown::HashTable;

use super::start::Start;
use crate::hash::rapidhash;

/// The most keys that are known without a call in the window.
pub const MAX_KEYS: usize = 100_000;
/// The most bytes of such keys.
const MAX_BYTES: usize = 1 << 24;

/// The number of a key that was forgotten.
pub(super) const GONE: u32 = u32::MAX;

fn count(keys: usize) -> u32 {
    u32::try_from(keys).expect("fewer keys than fit in memory")
}

/// A key, and what it starts with.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub bytes: Arc<[u8]>,
    pub start: Start,
}

/// Keys by number. Their numbers change when some are forgotten.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    index: HashTable<u32>,
    all: Vec<Key>,
    /// The sum of the lengths of all keys.
    bytes: usize,
    limit: usize,
    /// What every other key starts with.
    pub others: Start,
}

impl Keys {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            limit: MAX_KEYS.saturating_add(capacity),
            index: HashTable::new(),
            all: Vec::new(),
            bytes: 0,
            others: Start::Absent,
        }
    }

    pub(super) fn get(&self, number: u32) -> &Key {
        &self.all[number as usize]
    }

    pub(super) fn get_mut(&mut self, number: u32) -> &mut Key {
        &mut self.all[number as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The number of a key, which is new if the key is.
    pub(super) fn number(&mut self, key: &[u8]) -> u32 {
        let keys = &mut self.all;
        let same = |number: &u32| *keys[*number as usize].bytes == *key;
        let hash = |number: &u32| rapidhash(&keys[*number as usize].bytes);
        let next = count(keys.len());
        let number = *self
            .index
            .entry(rapidhash(key), same, hash)
            .or_insert(next)
            .get();
        if number == next {
            self.bytes += key.len();
            keys.push(Key {
                bytes: key.into(),
                start: self.others.clone(),
            });
        }
        number
    }

    /// Whether keys without a call in the window take too much room.
    pub(super) fn is_full(&self) -> bool {
        self.all.len() >= self.limit || self.bytes > MAX_BYTES
    }

    /// Forgets keys that are not in use, and gives the new numbers of all. Those that start like
    /// every other key go first. If the rest is still too much, all go, and from then on every
    /// other key may start with anything.
    pub(super) fn trim(&mut self, in_use: &[bool]) -> Vec<u32> {
        let numbers = self.retain(|number, key, others| in_use[number] || key.start != *others);
        if !self.is_full() {
            return numbers;
        }
        let mut is_used = vec![false; self.all.len()];
        for (old, new) in numbers.iter().enumerate() {
            if in_use[old] {
                is_used[*new as usize] = true;
            }
        }
        self.widen_others(&is_used);
        let again = self.retain(|number, _, _| is_used[number]);
        let renumber = |number: u32| again.get(number as usize).copied().unwrap_or(GONE);
        numbers.into_iter().map(renumber).collect()
    }

    fn widen_others(&mut self, in_use: &[bool]) {
        let mut gone = self.all.iter().zip(in_use).filter(|(_, used)| !**used);
        let is_judged =
            self.others != Start::Unjudged && gone.all(|(key, _)| key.start != Start::Unjudged);
        self.others = if is_judged {
            Start::Unknown
        } else {
            Start::Unjudged
        };
    }

    /// Keeps some keys, and gives the new number of each; [`GONE`] if it has none.
    fn retain(&mut self, is_kept: impl Fn(usize, &Key, &Start) -> bool) -> Vec<u32> {
        let mut numbers = Vec::with_capacity(self.all.len());
        let mut kept = Vec::new();
        for (number, key) in std::mem::take(&mut self.all).into_iter().enumerate() {
            let is_kept = is_kept(number, &key, &self.others);
            numbers.push(if is_kept { count(kept.len()) } else { GONE });
            if is_kept {
                kept.push(key);
            }
        }
        self.all = kept;
        self.rebuild_index();
        numbers
    }

    fn rebuild_index(&mut self) {
        let keys = &self.all;
        let hash = |number: &u32| rapidhash(&keys[*number as usize].bytes);
        self.index.clear();
        for number in 0..count(keys.len()) {
            self.index.insert_unique(hash(&number), number, hash);
        }
        self.bytes = keys.iter().map(|key| key.bytes.len()).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(count: u8) -> Keys {
        let mut keys = Keys::new(0);
        for n in 0..count {
            let number = keys.number(&[n]);
            keys.get_mut(number).start = Start::Unknown;
        }
        keys
    }

    #[test]
    fn a_key_has_one_number() {
        let mut keys = keys(3);
        assert_eq!(
            (keys.number(&[1]), keys.number(&[9]), keys.len()),
            (1, 3, 4)
        );
        assert_eq!(keys.get(3).start, Start::Absent);
    }

    #[test]
    fn keys_that_start_like_all_others_are_forgotten_without_loss() {
        let mut keys = keys(4);
        for number in [1, 2] {
            keys.get_mut(number).start = Start::Absent;
        }
        let numbers = keys.trim(&[false, true, false, false]);
        assert_eq!(numbers, [0, 1, GONE, 2]);
        assert_eq!((keys.number(&[3]), &keys.others), (2, &Start::Absent));
    }

    #[test]
    fn too_many_keys_are_forgotten_and_start_with_anything() {
        for (lost, others) in [
            (Start::Absent, Start::Unknown),
            (Start::Unjudged, Start::Unjudged),
        ] {
            let mut keys = keys(4);
            keys.limit = 2;
            keys.get_mut(0).start = lost;
            let numbers = keys.trim(&[false, false, false, true]);
            assert_eq!(numbers, [GONE, GONE, GONE, 0]);
            assert_eq!((keys.len(), &keys.others), (1, &others));
            assert_eq!(keys.number(&[3]), 0);
        }
    }
}
