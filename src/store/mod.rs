//! The store of one node: keys, values and deadlines, in as few bytes and cache misses as we know.
//!
//! An entry is spread over four structures, each named by what it knows:
//!
//! - the *index* finds a slot by key: a hash table of nothing but slot numbers, 5 bytes a place;
//! - the *slab* holds 16 bytes a slot: the deadline, and where the other two keep their part;
//! - the *arena* holds the bytes of key and value, side by side in one block;
//! - the *wheel* holds the slots that have a deadline, by when they are due.
//!
//! The slot number is the entry's only name between them, so no key is stored twice.
//!
//! An entry leaves through [`Store::remove`], whatever the cause. Nothing here reads a clock: a
//! deadline that has passed is found by [`Store::load_due`], which is told the time, and whoever
//! uses the store calls that first. Between [`Store::load_due`] and the last
//! [`Store::next_due`] nothing else may be changed.
//!
//! # What an entry costs
//!
//! [`Store::bytes`] counts, for each entry: its block in the arena (key, value, a header of 2 to 10
//! bytes, rounded up to 4 bytes up to 4 KiB and to an eighth of a power of two above), and 30 bytes
//! for its places in the slab (16), the index (9: it is between 44 and 88 % full) and the wheel (5,
//! whether it has a deadline or not, so that EXPIRE changes no entry's cost). The eviction policy's
//! bytes are the node's to add.
//!
//! Caveat: a store that has held many entries keeps their places for the next ones. It gives
//! memory back when more than half of the arena is free, and all of it when it runs empty. It never
//! grows while more than a tenth is free.

mod arena;
mod places;
mod slab;
mod wheel;

use std::collections::VecDeque;
use std::hint::black_box;

use hashbrown::HashTable;
use smallvec::SmallVec;

use crate::hash::rapidhash;
use crate::time::Instant;
use arena::Arena;
use slab::Slab;
use wheel::Wheel;

/// A place in the slab.
type Slot = u32;

/// The store has no room: its arena's addresses or its slot numbers are used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// The entries of one node. See the module's docs.
#[derive(Default)]
pub(crate) struct Store {
    index: HashTable<Slot>,
    slab: Slab,
    arena: Arena,
    wheel: Wheel,
    /// Slots whose deadline has passed and that were not yet taken out, earliest first.
    due: VecDeque<(Instant, Slot)>,
    /// How many of them, from the front, are in the processor's cache.
    near: usize,
}

/// How many entries are looked at ahead: enough for the waits for memory to overlap, and few enough
/// to stay in the cache.
pub(crate) const AHEAD: usize = 32;

/// Brings what a look-up of these keys, each in its store, needs into the processor's cache: at most
/// [`AHEAD`] of them. A look-up is three waits for memory, each for what the next one needs; here
/// those of different keys overlap. That helps if the look-ups follow at once.
pub(crate) fn look_ahead<'a>(wanted: impl Iterator<Item = (&'a Store, &'a [u8])>) {
    let slots: SmallVec<[_; AHEAD]> = wanted
        .filter_map(|(store, key)| Some((store, store.index.find(rapidhash(key), |_| true)?)))
        .collect();
    let blocks: SmallVec<[_; AHEAD]> = slots
        .into_iter()
        .map(|(store, &slot)| (store, store.slab[slot].block))
        .collect();
    for (store, block) in blocks {
        black_box(store.arena.first_bytes(block));
    }
}

/// Bytes that every entry costs besides its block: its places in slab, index and wheel.
const BYTES_PER_ENTRY: usize = 16 + 9 + 5;

/// What [`Store::bytes`] counts for an entry with a key and a value of these lengths.
pub(crate) fn cost(key: usize, value: usize) -> usize {
    arena::block_size(key, value) + BYTES_PER_ENTRY
}

impl Store {
    /// How many entries there are, those included that are due and not yet removed.
    #[inline]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// What all entries cost: see the module's docs.
    pub fn bytes(&self) -> usize {
        self.arena.live() + self.len() * BYTES_PER_ENTRY
    }

    /// The slot that holds `key`, whose hash is [`rapidhash`].
    #[inline]
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<Slot> {
        let found = |&slot: &Slot| self.arena.holds(self.slab[slot].block, key);
        self.index.find(hash, found).copied()
    }

    #[inline]
    pub fn key(&self, slot: Slot) -> &[u8] {
        self.arena.key(self.slab[slot].block)
    }

    #[inline]
    pub fn value(&self, slot: Slot) -> &[u8] {
        self.arena.value(self.slab[slot].block)
    }

    /// When the entry expires; `None`: never.
    #[inline]
    pub fn deadline(&self, slot: Slot) -> Option<Instant> {
        self.slab[slot].deadline()
    }

    /// Stores a key that is absent, and returns its slot.
    ///
    /// # Errors
    /// [`Full`] if there is no room. Nothing has changed then.
    pub fn insert(
        &mut self,
        hash: u64,
        key: &[u8],
        value: &[u8],
        deadline: Option<Instant>,
    ) -> Result<Slot, Full> {
        if self.slab.is_full() {
            return Err(Full);
        }
        let before = self.arena.bytes();
        let block = self.arena.insert(key, value)?;
        let slot = self.slab.insert(block);
        if self.index.len() == self.index.capacity() {
            self.grow_index();
        } else {
            self.index
                .insert_unique(hash, slot, |_| unreachable!("there is room"));
        }
        self.schedule(slot, deadline);
        self.compact_if_grown(before);
        Ok(slot)
    }

    /// Builds a larger index of all that the slab holds. Left to itself, the index would grow in
    /// the order of its own places, and miss the cache for every key; the slab's order is that of
    /// the arena, more or less.
    #[cold]
    fn grow_index(&mut self) {
        let len = self.index.len();
        self.index = HashTable::new();
        let mut index = HashTable::with_capacity(len + len / 8 + 4);
        for slot in self.slab.occupied() {
            let hash = rapidhash(self.key(slot));
            index.insert_unique(hash, slot, |_| unreachable!("there is room"));
        }
        self.index = index;
    }

    /// Stores another value in a slot. An older deadline is forgotten.
    ///
    /// # Errors
    /// [`Full`] if there is no room. Nothing has changed then.
    pub fn replace(
        &mut self,
        slot: Slot,
        key: &[u8],
        value: &[u8],
        deadline: Option<Instant>,
    ) -> Result<(), Full> {
        let (old, before) = (self.slab[slot].block, self.arena.bytes());
        self.slab[slot].block = self.arena.replace(old, key, value)?;
        self.set_deadline(slot, deadline);
        self.compact_if_grown(before);
        Ok(())
    }

    /// Gives an entry another deadline, or none. The old one never fires.
    pub fn set_deadline(&mut self, slot: Slot, deadline: Option<Instant>) {
        self.wheel.cancel(slot, &mut self.slab);
        self.schedule(slot, deadline);
    }

    fn schedule(&mut self, slot: Slot, deadline: Option<Instant>) {
        if let Some(deadline) = deadline {
            self.wheel.insert(slot, deadline, &mut self.slab);
        }
    }

    /// Takes an entry out: the one way by which entries leave. The key is the caller's to read
    /// before.
    pub fn remove(&mut self, slot: Slot) {
        self.wheel.cancel(slot, &mut self.slab);
        let block = self.slab[slot].block;
        let hash = rapidhash(self.arena.key(block));
        if let Ok(place) = self.index.find_entry(hash, |&at| at == slot) {
            place.remove();
        }
        self.arena.remove(block);
        self.slab.remove(slot);
        if self.index.is_empty() && self.due.is_empty() {
            self.reset();
        } else if self.arena.is_half_empty() {
            self.compact();
        }
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.due.clear();
        self.near = 0;
        self.reset();
    }

    /// An empty store needs nothing of what a full one had.
    fn reset(&mut self) {
        let now = self.wheel.now();
        self.index = HashTable::new();
        self.slab = Slab::default();
        self.arena = Arena::default();
        self.wheel = Wheel::starting_at(now);
    }

    /// To be called when the arena may have grown since it had so many bytes.
    #[inline]
    fn compact_if_grown(&mut self, before: usize) {
        if self.arena.bytes() > before && self.arena.is_sparse() {
            self.compact();
        }
    }

    /// Gives memory back if more than a tenth of the arena is free.
    pub fn trim(&mut self) {
        if self.arena.is_sparse() {
            self.compact();
        }
    }

    #[cold]
    fn compact(&mut self) {
        let mut slots: Vec<Slot> = self.slab.occupied().collect();
        slots.sort_unstable_by_key(|&slot| self.slab[slot].block);
        self.arena.compact(&mut self.slab, &slots);
    }

    /// An instant at or before the earliest deadline; `None` if no entry has one. Cost: a look
    /// at a field.
    #[inline]
    pub fn next_deadline(&self) -> Option<Instant> {
        match self.due.front() {
            Some(&(deadline, _)) => Some(deadline),
            None => self.wheel.next(),
        }
    }

    /// Makes everything with a deadline at or before `now` due.
    pub fn load_due(&mut self, now: Instant) {
        self.wheel.advance(now, &mut self.slab, &mut self.due);
    }

    /// The earliest entry that is due, by deadline and then by when the deadline was set.
    pub fn peek_due(&self) -> Option<(Instant, Slot)> {
        self.due.front().copied()
    }

    /// Takes the earliest off the list of those that are due. The caller removes it.
    pub fn next_due(&mut self) -> Option<(Instant, Slot)> {
        if self.near == 0 {
            self.near = self.due.len().min(AHEAD);
            self.approach();
        }
        self.near -= usize::from(!self.due.is_empty());
        self.due.pop_front()
    }

    /// The first occupied slot from `slot` on.
    pub fn slot_from(&self, slot: Slot) -> Option<Slot> {
        self.slab.occupied_from(slot)
    }

    /// Brings what removing the next of those that are due needs into the processor's cache, as
    /// [`look_ahead`] does.
    fn approach(&self) {
        let due = self.due.iter().take(self.near);
        let blocks: SmallVec<[_; AHEAD]> = due
            .map(|&(_, slot)| (slot, self.slab[slot].block))
            .collect();
        let hashes: SmallVec<[_; AHEAD]> = blocks
            .into_iter()
            .map(|(slot, block)| (slot, rapidhash(self.arena.key(block))))
            .collect();
        for (slot, hash) in hashes {
            black_box(self.index.find(hash, |&at| at == slot));
        }
    }

    /// All occupied slots, in slab order.
    pub fn slots(&self) -> impl Iterator<Item = Slot> + '_ {
        self.slab.occupied()
    }

    /// Recounts everything, for tests.
    ///
    /// # Panics
    /// If any two of the four structures disagree.
    #[cfg(test)]
    pub fn validate(&self) {
        let slots: Vec<Slot> = self.slots().collect();
        assert_eq!(slots.len(), self.index.len(), "index and slab");
        let mut bytes = 0;
        for &slot in &slots {
            let (key, value) = (self.key(slot), self.value(slot));
            let found = self.find(rapidhash(key), key);
            assert_eq!(found, Some(slot), "index finds slot");
            bytes += cost(key.len(), value.len());
        }
        assert_eq!(bytes, self.bytes(), "bytes");
        let blocks = slots.iter().map(|&slot| self.slab[slot].block);
        self.arena.validate(blocks);
        assert!(self.due.is_empty(), "due was drained");
        self.wheel.validate(&self.slab, &slots);
    }
}

/// Makes room for one more in steps of an eighth. A plain `Vec` doubles, and leaves a large store
/// up to half empty; the large blocks of which this moves the end are remapped, not copied, by the
/// allocators in use.
fn grow_gently<T>(items: &mut Vec<T>, more: usize) {
    if items.capacity() - items.len() < more {
        items.reserve_exact(more.max(items.len() / 8).max(4));
    }
}

#[cfg(test)]
mod tests;
