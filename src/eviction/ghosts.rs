//! Ghosts: what is remembered of entries that have left, by the hashes of their keys.

use hashbrown::HashTable;

use super::list::{Links, List};

/// A queue of hashes in which each can be found and taken out in O(1). A hash is in it at most
/// once: one that comes again moves to the newest end.
#[derive(Clone, Default)]
pub(super) struct Ghosts {
    /// Places in `hashes`, found by hash.
    index: HashTable<u32>,
    hashes: Vec<u64>,
    vacant: Vec<u32>,
    order: List,
    links: Links,
}

impl Ghosts {
    /// How many hashes there are.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Remembers a hash as the newest.
    pub(super) fn push(&mut self, hash: u64) {
        self.remove(hash);
        let place = if let Some(place) = self.vacant.pop() {
            self.hashes[place as usize] = hash;
            place
        } else {
            self.hashes.push(hash);
            u32::try_from(self.hashes.len() - 1).expect("ghosts are bounded by the slots")
        };
        let hashes = &self.hashes;
        self.index
            .insert_unique(hash, place, |&place| hashes[place as usize]);
        self.order.push_front(&mut self.links, place);
    }

    /// Forgets a hash; `true` if it was there.
    pub(super) fn remove(&mut self, hash: u64) -> bool {
        let hashes = &self.hashes;
        let Ok(found) = self
            .index
            .find_entry(hash, |&place| hashes[place as usize] == hash)
        else {
            return false;
        };
        let (place, _) = found.remove();
        self.order.remove(&mut self.links, place);
        self.vacant.push(place);
        true
    }

    /// Forgets the oldest hash.
    pub(super) fn pop(&mut self) -> Option<u64> {
        let place = self.order.back()?;
        let hash = self.hashes[place as usize];
        self.remove(hash);
        Some(hash)
    }

    /// Forgets the oldest until there are at most `most`.
    pub(super) fn shrink_to(&mut self, most: usize) {
        while self.len() > most {
            self.pop();
        }
    }
}
