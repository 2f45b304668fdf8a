//! Ghosts: entries that have left and are remembered.
//!
//! A store reuses slots, so it knows an entry that has left by the hash of its key ([`ByHash`]). A
//! replay gives each object of a trace its own slot for the whole run, so the slot itself is the key,
//! and no hash table is needed ([`BySlot`]).

use std::sync::Arc;

use hashbrown::HashTable;

use super::Slot;
use super::list::{Links, List, Sizes, StoredSizes, UnitSizes, grow_to};

/// How a policy knows an entry that has left, and what an entry counts against the capacity.
pub trait Identity: Clone + Send + 'static {
    /// The sizes of the entries.
    type Sizes: Sizes;
    /// The keys of the entries in the store.
    type Keys: Keys;
    /// A queue of entries that have left.
    type Ghosts: Ghosts<Self::Sizes>;
}

/// The keys of the entries in the store, by slot.
pub trait Keys: Clone + Default + Send + 'static {
    /// Stores the key of the entry that is in `slot` now.
    fn set(&mut self, slot: Slot, key: u64);

    /// The key of the entry in `slot`.
    fn get(&self, slot: Slot) -> u64;
}

/// A queue of keys in which each can be found and taken out in O(1). A key is in it at most once: one
/// that comes again moves to the newest end. A queue may use the policy's `links`, in which no slot
/// of an entry that has left is used otherwise.
pub trait Ghosts<S: Sizes>: Clone + Default + Send {
    /// The sum of the sizes of what is remembered.
    fn size(&self) -> u64;

    /// Remembers a key as the newest.
    fn push(&mut self, links: &mut Links<S>, key: u64);

    /// Forgets a key; `true` if it was there.
    fn remove(&mut self, links: &mut Links<S>, key: u64) -> bool;

    /// Forgets the oldest keys until the sum of the sizes is at most `most`.
    fn shrink_to(&mut self, links: &mut Links<S>, most: u64);
}

/// Slots are reused; a key is the hash of the entry's key.
#[derive(Clone)]
pub enum ByHash {}

impl Identity for ByHash {
    type Sizes = UnitSizes;
    type Keys = StoredKeys;
    type Ghosts = HashedGhosts;
}

/// Every entry has its own slot, also after it has left; a key is the number of the slot.
#[derive(Clone)]
pub enum BySlot {}

impl Identity for BySlot {
    type Sizes = UnitSizes;
    type Keys = SlotKeys;
    type Ghosts = SlotGhosts;
}

/// As [`BySlot`], with a capacity in bytes.
#[derive(Clone)]
pub enum BySlotAndSize {}

impl Identity for BySlotAndSize {
    type Sizes = StoredSizes;
    type Keys = SlotKeys;
    type Ghosts = SlotGhosts;
}

/// A vector of hashes.
#[derive(Clone, Default)]
pub struct StoredKeys(Vec<u64>);

impl Keys for StoredKeys {
    fn set(&mut self, slot: Slot, key: u64) {
        grow_to(&mut self.0, slot, 0);
        self.0[slot as usize] = key;
    }

    fn get(&self, slot: Slot) -> u64 {
        self.0[slot as usize]
    }
}

/// Nothing: a slot is its own key.
#[derive(Clone, Default)]
pub struct SlotKeys;

impl Keys for SlotKeys {
    fn set(&mut self, _: Slot, _: u64) {}

    fn get(&self, slot: Slot) -> u64 {
        slot.into()
    }
}

/// A vector of hashes that several policies share. An entry's slot never changes its key.
#[derive(Clone, Default)]
pub struct SharedKeys(pub Arc<[u64]>);

impl Keys for SharedKeys {
    fn set(&mut self, _: Slot, _: u64) {}

    fn get(&self, slot: Slot) -> u64 {
        self.0[slot as usize]
    }
}

/// Ghosts whose keys are slots: a list in the policy's own links.
#[derive(Clone, Default)]
pub struct SlotGhosts {
    order: List,
    /// By slot: whether it is in `order`.
    is_ghost: Vec<bool>,
}

impl<S: Sizes> Ghosts<S> for SlotGhosts {
    fn size(&self) -> u64 {
        self.order.size()
    }

    fn push(&mut self, links: &mut Links<S>, key: u64) {
        self.remove(links, key);
        let slot = slot_of(key);
        grow_to(&mut self.is_ghost, slot, false);
        self.is_ghost[slot as usize] = true;
        self.order.push_front(links, slot);
    }

    fn remove(&mut self, links: &mut Links<S>, key: u64) -> bool {
        let slot = slot_of(key);
        let is_ghost = match self.is_ghost.get_mut(slot as usize) {
            Some(is_ghost) => std::mem::take(is_ghost),
            None => false,
        };
        if is_ghost {
            self.order.remove(links, slot);
        }
        is_ghost
    }

    fn shrink_to(&mut self, links: &mut Links<S>, most: u64) {
        while self.order.size() > most
            && let Some(slot) = self.order.pop_back(links)
        {
            self.is_ghost[slot as usize] = false;
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the key is the number of a slot"
)]
fn slot_of(key: u64) -> Slot {
    key as Slot
}

/// Ghosts whose keys are hashes: a list with links of its own, and a table that finds them.
#[derive(Clone, Default)]
pub struct HashedGhosts {
    /// Places in `hashes`, found by hash.
    index: HashTable<u32>,
    hashes: Vec<u64>,
    vacant: Vec<u32>,
    order: List,
    links: Links,
}

impl<S: Sizes> Ghosts<S> for HashedGhosts {
    fn size(&self) -> u64 {
        self.order.size()
    }

    fn push(&mut self, links: &mut Links<S>, hash: u64) {
        self.remove(links, hash);
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

    fn remove(&mut self, _: &mut Links<S>, hash: u64) -> bool {
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

    fn shrink_to(&mut self, links: &mut Links<S>, most: u64) {
        while self.order.size() > most
            && let Some(place) = self.order.back()
        {
            self.remove(links, self.hashes[place as usize]);
        }
    }
}
