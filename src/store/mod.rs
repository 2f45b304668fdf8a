//! The store of one node: keys, values, deadlines and versions.
//!
//! An entry is spread over four structures:
//!
//! - the *arena* holds its record: a header with the slot and the two lengths, the key, the value;
//! - the *index* finds the record by the key's hash: a hash table of record numbers;
//! - the *slab* has columns by slot number: the record, the deadline, the version;
//! - the *wheel* holds the slots that have a deadline, by when they are due.
//!
//! A look-up by key is two loads that depend on each other: the index, and the record, which has all
//! that a hit needs. The slot names the entry as long as it lives, also for the eviction policy; the
//! record moves when its value outgrows its block and when the arena is compacted.
//!
//! An entry leaves through [`Store::remove`], whatever the cause. Nothing here reads a clock:
//! [`Store::load_due`] is given the time and finds the deadlines that have passed; the caller calls
//! it before anything else. Between [`Store::load_due`] and the last [`Store::next_due`] the caller
//! changes nothing but the entries that are due.
//!
//! # What an entry costs
//!
//! [`Store::bytes`] counts the length of the key, the length of the value and [`OVERHEAD`] bytes for
//! each entry, whatever its deadline, version and eviction policy, and however the arena rounds. A
//! node adds nothing to this sum.
//!
//! The memory that an entry really takes beyond key and value is the sum of
//!
//! - the record's header, 6 bytes for a key below 64 bytes with a value below 512 bytes and otherwise
//!   12, and rounding: up to 1 byte below 4 KiB, up to an eighth above;
//! - the index, 5.7 to 11.4 bytes: 5 bytes a bucket, and between 44 and 88 % of the buckets are full;
//! - 4 bytes and a bit in the slab;
//! - with a deadline, 12 bytes in the slab and 4.3 in the wheel;
//! - in a store that has versions, 8 bytes in the slab;
//! - what the eviction policy takes, 8 bytes for LRU.
//!
//! Caveats: a slot that was used keeps its 4 to 24 bytes until the store runs empty, as does the
//! index. The store compacts the arena when it has grown although more than a tenth of it is free, and
//! when more than half of it is free.
//! A compaction stops the node.

mod arena;
mod bits;
mod bucket_slots;
mod index;
mod prefetch;
mod record;
mod size_class;
mod slab;
mod versions;
mod wheel;

use std::collections::VecDeque;

use crate::hash::rapidhash;
use crate::time::Instant;
pub(crate) use arena::Found;
use arena::{Arena, Moved};
use index::Index;
pub(crate) use prefetch::{AHEAD, look_ahead};
use record::Record;
use slab::Slab;
use wheel::Wheel;

/// The number of an entry in the slab.
type Slot = u32;

/// What [`Store::bytes`] counts for an entry beyond its key and its value, in bytes.
pub(crate) const OVERHEAD: usize = 40;

/// The store has no room: the arena is at its 16 GiB, or a key has 1 GiB or a value 4 GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// The entries of one node, by key and by slot. At most 16 GiB.
#[derive(Clone, Default)]
pub(crate) struct Store {
    index: Index,
    slab: Slab,
    arena: Arena,
    wheel: Wheel,
    /// Bytes of all keys and values.
    payload: usize,
    /// Slots whose deadline has passed and that [`Store::next_due`] has not returned yet, earliest
    /// first.
    due: VecDeque<(Instant, Slot)>,
    /// How many of them, from the front, [`Store::prefetch_due`] has read.
    prefetched: usize,
}

/// What [`Store::bytes`] counts for an entry with a key and a value of these lengths, in bytes.
pub(crate) fn cost(key: usize, value: usize) -> usize {
    key + value + OVERHEAD
}

impl Store {
    /// How many entries there are, those included that are due and not yet removed.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// What all entries cost in bytes: the sum of [`cost`].
    pub(crate) fn bytes(&self) -> usize {
        self.payload + self.len() * OVERHEAD
    }

    /// The entry under `key`, whose hash is [`rapidhash`].
    #[inline]
    pub(crate) fn find(&self, hash: u64, key: &[u8]) -> Option<Found> {
        // The first record with the same tag is the one in most cases. A search that
        // compares no keys is short, and the processor overlaps more look-ups.
        let record = self.index.first(hash)?;
        let found = self.arena.find(record, key);
        found.or_else(|| self.find_other(hash, key))
    }

    /// [`Store::find`] by comparing keys.
    #[cold]
    fn find_other(&self, hash: u64, key: &[u8]) -> Option<Found> {
        let record = self
            .index
            .find(hash, |record| self.arena.holds(record, key))?;
        self.arena.find(record, key)
    }

    /// The value of an entry that [`Store::find`] has found, while the store has not changed.
    #[inline]
    pub(crate) fn value_of(&self, found: Found) -> &[u8] {
        self.arena.found_value(found)
    }

    #[inline]
    pub(crate) fn key(&self, slot: Slot) -> &[u8] {
        self.arena.key(self.slab.record(slot))
    }

    #[inline]
    pub(crate) fn value(&self, slot: Slot) -> &[u8] {
        self.arena.value(self.slab.record(slot))
    }

    /// When the entry expires; `None`: never.
    #[inline]
    pub(crate) fn deadline(&self, slot: Slot) -> Option<Instant> {
        self.slab.deadline(slot)
    }

    /// Stores a key that is absent, with version 1, and returns its slot.
    ///
    /// # Errors
    /// [`Full`] if there is no room. Nothing has changed then.
    pub(crate) fn insert(
        &mut self,
        hash: u64,
        key: &[u8],
        value: &[u8],
        deadline: Option<Instant>,
    ) -> Result<Slot, Full> {
        let before = self.arena.bytes();
        let slot = self.slab.next_slot();
        let record = self.arena.insert(slot, key, value)?;
        self.slab.insert(record);
        self.payload += key.len() + value.len();
        if self.index.is_full() {
            self.grow_index();
        } else {
            self.index.insert(hash, record);
        }
        self.schedule(slot, deadline);
        self.compact_if_grown(before);
        Ok(slot)
    }

    /// Builds an index of twice the size, of all records. The old one goes first, so that both do not
    /// take memory at once.
    #[cold]
    fn grow_index(&mut self) {
        let entries = self.index.len() + 1;
        self.index = Index::default();
        self.index = Index::with_room_for(entries);
        for record in self.arena.records() {
            let hash = rapidhash(self.arena.key(record));
            self.index.insert(hash, record);
        }
    }

    /// Stores another value in a slot. The older deadline goes, the version stays.
    ///
    /// # Errors
    /// [`Full`] if there is no room. Nothing has changed then.
    pub(crate) fn replace(
        &mut self,
        slot: Slot,
        key: &[u8],
        value: &[u8],
        deadline: Option<Instant>,
    ) -> Result<(), Full> {
        let record = self.slab.record(slot);
        self.replace_record(slot, record, key, value, deadline)
    }

    /// [`Store::replace`] for an entry that [`Store::find`] has found, while the store has not changed:
    /// the slab is not read.
    pub(crate) fn replace_found(
        &mut self,
        found: Found,
        key: &[u8],
        value: &[u8],
        deadline: Option<Instant>,
    ) -> Result<(), Full> {
        self.replace_record(found.slot, found.record, key, value, deadline)
    }

    #[inline]
    fn replace_record(
        &mut self,
        slot: Slot,
        old: Record,
        key: &[u8],
        value: &[u8],
        deadline: Option<Instant>,
    ) -> Result<(), Full> {
        let before = self.arena.bytes();
        let old_len = self.arena.value_len(old);
        let new = self.arena.replace(old, key, value)?;
        self.payload = self.payload - old_len + value.len();
        if new != old {
            self.slab.set_record(slot, new);
            self.index.renumber(rapidhash(key), old, new);
        }
        self.set_deadline(slot, deadline);
        self.compact_if_grown(before);
        Ok(())
    }

    /// Gives an entry another deadline, or none. The older one never fires.
    pub(crate) fn set_deadline(&mut self, slot: Slot, deadline: Option<Instant>) {
        self.wheel.cancel(slot, &mut self.slab);
        self.schedule(slot, deadline);
    }

    fn schedule(&mut self, slot: Slot, deadline: Option<Instant>) {
        if let Some(deadline) = deadline {
            self.wheel.insert(slot, deadline, &mut self.slab);
        }
    }

    /// Removes an entry: the one way by which single entries leave. The caller reads the key before.
    pub(crate) fn remove(&mut self, slot: Slot) {
        self.wheel.cancel(slot, &mut self.slab);
        let record = self.slab.record(slot);
        let key = self.arena.key(record);
        self.payload -= key.len() + self.arena.value_len(record);
        self.index.remove(rapidhash(key), record);
        self.arena.remove(record);
        self.slab.remove(slot);
        if self.index.len() == 0 && self.due.is_empty() {
            self.reset();
        } else if self.arena.is_half_empty() {
            self.compact();
        }
    }

    /// Removes everything and gives all memory back.
    pub(crate) fn clear(&mut self) {
        self.due.clear();
        self.prefetched = 0;
        self.reset();
    }

    /// Gives the memory of an empty store back. The wheel keeps its time.
    fn reset(&mut self) {
        let now = self.wheel.now();
        self.index = Index::default();
        self.slab = Slab::default();
        self.arena = Arena::default();
        self.wheel = Wheel::starting_at(now);
        self.payload = 0;
    }

    /// Compacts the arena if that is due and it has grown beyond `before` bytes.
    #[inline]
    fn compact_if_grown(&mut self, before: usize) {
        if self.arena.bytes() > before && self.arena.is_sparse() {
            self.compact();
        }
    }

    /// Gives memory back if more than a tenth of the arena is free.
    pub(crate) fn trim(&mut self) {
        if self.arena.is_sparse() {
            self.compact();
        }
    }

    /// Compacts the arena. Each record that moves changes its column in the slab and its bucket in the
    /// index. The old number is unique in the index meanwhile: records move in order and towards the
    /// start, so none that has moved has the old number of one that has not.
    #[cold]
    fn compact(&mut self) {
        let Self {
            index, slab, arena, ..
        } = self;
        arena.compact(
            |Moved {
                 from,
                 to,
                 slot,
                 key,
             }| {
                slab.set_record(slot, to);
                index.renumber(rapidhash(key), from, to);
            },
        );
    }

    /// An instant at or before the earliest deadline; `None` if no entry has one. Cost: O(1).
    #[inline]
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        match self.due.front() {
            Some(&(deadline, _)) => Some(deadline),
            None => self.wheel.next(),
        }
    }

    /// How many entries have a deadline that is not due, and the sum of these in nanoseconds. Cost: O(1).
    #[cfg(feature = "shell")]
    pub(crate) fn deadlines(&self) -> (u64, u128) {
        self.wheel.total()
    }

    /// Makes everything with a deadline at or before `now` due.
    pub(crate) fn load_due(&mut self, now: Instant) {
        self.wheel.advance(now, &mut self.slab, &mut self.due);
    }

    /// The earliest entry that is due, by deadline and then by when the deadline was set.
    pub(crate) fn peek_due(&self) -> Option<(Instant, Slot)> {
        self.due.front().copied()
    }

    /// Takes the earliest entry off the list of those that are due. The caller removes it.
    pub(crate) fn next_due(&mut self) -> Option<(Instant, Slot)> {
        if self.prefetched == 0 {
            self.prefetched = self.due.len().min(AHEAD);
            self.prefetch_due();
        }
        self.prefetched -= usize::from(!self.due.is_empty());
        self.due.pop_front()
    }

    /// The first occupied slot from `slot` on.
    pub(crate) fn slot_from(&self, slot: Slot) -> Option<Slot> {
        self.slab.occupied_from(slot)
    }

    /// All occupied slots, ascending.
    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> + '_ {
        self.slab.occupied()
    }

    /// Recounts everything, for tests.
    ///
    /// # Panics
    /// If any two of the four structures disagree.
    #[cfg(test)]
    pub(crate) fn validate(&self) {
        let slots: Vec<Slot> = self.slots().collect();
        assert_eq!(slots.len(), self.index.len(), "index and slab");
        assert_eq!(slots.len(), self.arena.records().count(), "arena and slab");
        let mut bytes = 0;
        for &slot in &slots {
            let (key, record) = (self.key(slot), self.slab.record(slot));
            assert_eq!(self.arena.slot(record), slot, "the record names its slot");
            let found = self.find(rapidhash(key), key).expect("the index finds it");
            assert_eq!(found.slot, slot, "the index finds the slot");
            assert_eq!(self.value_of(found), self.value(slot), "one value");
            bytes += cost(key.len(), self.value(slot).len());
        }
        assert_eq!(bytes, self.bytes(), "bytes");
        self.arena.validate();
        self.index
            .validate(|record| rapidhash(self.arena.key(record)));
        assert!(self.due.is_empty(), "due was drained");
        self.wheel.validate(&self.slab, &slots);
    }
}

/// Makes room for so many more items, in steps of an eighth. A plain `Vec` doubles, and leaves the
/// memory of a large store up to half empty. Common allocators extend large blocks without copying
/// them.
fn grow_gently<T>(items: &mut Vec<T>, more: usize) {
    if items.capacity() - items.len() < more {
        items.reserve_exact(more.max(items.len() / 8).max(4));
    }
}

#[cfg(test)]
mod tests;
