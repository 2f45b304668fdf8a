//! The index: from the hash of a key to the number of its record.
//!
//! A hash table in which a look-up reads one cache line. The table is a vector of chunks of 64 bytes.
//! A chunk has 12 lanes, and a lane has the number of a record and a *tag*, 8 bits of the hash. Other
//! bits of the hash select the home chunk of an entry. An entry whose home chunk is full goes into the
//! next chunk that has a vacant lane, and each full chunk that it passes counts it; so a search ends
//! at the first chunk that no entry has passed, or when it has seen all. A removal counts down again and
//! leaves no tombstone.
//!
//! This is the layout of F14 (Bronson and Shi, "Open-sourcing F14 for faster, more memory-efficient
//! hash tables", 2019) with linear probing. hashbrown keeps tags and numbers in two arrays, so a hit
//! reads a cache line of each.
//!
//! Cost: 64 bytes for 5 to 10 entries. When the table is full, 10 of 12 lanes are in use, and about
//! 6 % of the entries are not in their home chunk; at half of that hardly any.

#![allow(
    clippy::cast_possible_truncation,
    reason = "a hash is cut into a chunk number and a tag"
)]

use super::record::Record;

/// Lanes of a chunk.
const LANES: usize = 12;
/// How many entries a chunk has on average when the table is full.
const FULL: usize = 10;
/// A byte 1 in every lane.
const ONES: u128 = (u128::MAX / 0xff) >> 32;
/// 12 lanes in one cache line.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Chunk {
    /// The tag of each lane, 0 in a vacant one.
    tags: [u8; LANES],
    /// How many entries are further on because this chunk was full.
    passed: u32,
    records: [u32; LANES],
}

/// Finds the number of an entry's record by the hash of its key, in one cache line mostly.
#[derive(Clone, Default)]
pub(super) struct Index {
    /// A power of two, or none.
    chunks: Vec<Chunk>,
    len: usize,
}

impl Chunk {
    const EMPTY: Self = Self {
        tags: [0; LANES],
        passed: 0,
        records: [0; LANES],
    };

    /// The highest bit of every lane with this tag. The lowest one is exact: a borrow from it can
    /// report lanes above it that have another tag.
    #[inline]
    fn lanes(&self, tag: u8) -> u128 {
        let mut tags = [0; 16];
        tags[..LANES].copy_from_slice(&self.tags);
        let differing = u128::from_le_bytes(tags) ^ (ONES * u128::from(tag));
        differing.wrapping_sub(ONES) & !differing & (ONES << 7)
    }

    /// The first lane with this tag; tag 0 finds a vacant lane.
    #[inline]
    fn first(&self, tag: u8) -> Option<usize> {
        first_lane(self.lanes(tag))
    }

    /// The first lane with this tag that `is_it` accepts.
    fn find(&self, tag: u8, is_it: impl Fn(Record) -> bool) -> Option<usize> {
        let mut lanes = self.lanes(tag);
        while let Some(lane) = first_lane(lanes) {
            if self.tags[lane] == tag && is_it(Record(self.records[lane])) {
                return Some(lane);
            }
            lanes &= lanes - 1;
        }
        None
    }
}

#[inline]
fn first_lane(lanes: u128) -> Option<usize> {
    (lanes != 0).then(|| lanes.trailing_zeros() as usize / 8)
}

/// The highest byte of a hash, but never 0.
#[inline]
fn tag_of(hash: u64) -> u8 {
    ((hash >> 56) as u8).max(1)
}

impl Index {
    /// An index with room for so many entries.
    pub(super) fn with_room_for(entries: usize) -> Self {
        let chunks = entries.div_ceil(FULL).next_power_of_two();
        Self {
            chunks: vec![Chunk::EMPTY; chunks],
            len: 0,
        }
    }

    /// How many entries there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether the next entry needs a larger index.
    pub(super) fn is_full(&self) -> bool {
        self.len >= self.chunks.len() * FULL
    }

    /// The first record with the tag of this hash: in most cases the one with this hash, if there is
    /// one.
    #[inline]
    pub(super) fn first(&self, hash: u64) -> Option<Record> {
        let tag = tag_of(hash);
        let home = self.home(hash);
        let mut at = home;
        loop {
            let chunk = self.chunks.get(at)?;
            if let Some(lane) = chunk.first(tag) {
                return Some(Record(chunk.records[lane]));
            }
            at = self.next_in_search(chunk, at, home)?;
        }
    }

    /// The record with this hash that `is_it` accepts. It may be asked about records with other
    /// hashes.
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(Record) -> bool) -> Option<Record> {
        let (at, lane) = self.locate(hash, is_it)?;
        Some(Record(self.chunks[at].records[lane]))
    }

    /// The chunk and the lane of what [`Index::find`] finds.
    fn locate(&self, hash: u64, is_it: impl Fn(Record) -> bool) -> Option<(usize, usize)> {
        let tag = tag_of(hash);
        let home = self.home(hash);
        let mut at = home;
        loop {
            let chunk = self.chunks.get(at)?;
            if let Some(lane) = chunk.find(tag, &is_it) {
                return Some((at, lane));
            }
            at = self.next_in_search(chunk, at, home)?;
        }
    }

    /// Where a search that began at `home` goes on; `None` at its end. In a small table entries may
    /// have passed every chunk.
    #[inline]
    fn next_in_search(&self, chunk: &Chunk, at: usize, home: usize) -> Option<usize> {
        if chunk.passed == 0 {
            return None;
        }
        Some(self.after(at)).filter(|&next| next != home)
    }

    /// Adds a record that is not there. The index must not be full.
    pub(super) fn insert(&mut self, hash: u64, record: Record) {
        self.len += 1;
        let mut at = self.home(hash);
        loop {
            let chunk = &mut self.chunks[at];
            if let Some(lane) = chunk.first(0) {
                chunk.tags[lane] = tag_of(hash);
                chunk.records[lane] = record.0;
                return;
            }
            chunk.passed += 1;
            at = self.after(at);
        }
    }

    /// Removes a record with this hash.
    pub(super) fn remove(&mut self, hash: u64, record: Record) {
        let Some((end, lane)) = self.locate(hash, |it| it == record) else {
            return;
        };
        self.len -= 1;
        self.chunks[end].tags[lane] = 0;
        let mut at = self.home(hash);
        while at != end {
            self.chunks[at].passed -= 1;
            at = self.after(at);
        }
    }

    /// Puts another number in place of a record's, which has this hash.
    pub(super) fn renumber(&mut self, hash: u64, old: Record, new: Record) {
        if let Some((at, lane)) = self.locate(hash, |it| it == old) {
            self.chunks[at].records[lane] = new.0;
        }
    }

    #[inline]
    fn home(&self, hash: u64) -> usize {
        hash as usize & self.chunks.len().wrapping_sub(1)
    }

    #[inline]
    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.chunks.len() - 1)
    }

    /// Recounts the entries and those that passed each chunk, for tests.
    #[cfg(test)]
    pub(super) fn validate(&self, hash_of: impl Fn(Record) -> u64) {
        let (mut len, mut passed) = (0, vec![0; self.chunks.len()]);
        for (number, chunk) in self.chunks.iter().enumerate() {
            for lane in (0..LANES).filter(|&lane| chunk.tags[lane] != 0) {
                let hash = hash_of(Record(chunk.records[lane]));
                assert_eq!(chunk.tags[lane], tag_of(hash), "the tag");
                len += 1;
                let mut at = self.home(hash);
                while at != number {
                    passed[at] += 1;
                    at = self.after(at);
                }
            }
        }
        assert_eq!(len, self.len, "the number of entries");
        let counted = self.chunks.iter().map(|chunk| chunk.passed);
        assert!(counted.eq(passed), "the entries that passed each chunk");
    }
}

#[cfg(test)]
mod tests;
