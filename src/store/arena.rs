//! The arena: all records, in blocks of one large vector.
//!
//! A block starts at a granule of 4 bytes and is named by the number of that granule, so a `u32`
//! reaches 16 GiB. A freed block joins the list of its size class (see [`size_class`]), and a new
//! record takes a block from the list of its own class before the arena grows. So a cache whose
//! values keep their sizes runs without waste and without moving anything.
//!
//! When sizes drift, freed blocks of the old sizes lie idle. If the arena has grown although more
//! than a tenth of its bytes are free ([`Arena::is_sparse`]), the store compacts it: all records
//! slide towards the start, in place. A freed byte then pays for at most ten moved bytes. An arena
//! that only shrinks waits until half of it is free ([`Arena::is_half_empty`]), and a freed byte
//! pays for one.
//!
//! Every block says what it is and how long it is, so a walk from the start to the end visits all
//! records in the order of memory. Compaction and the growth of the index are such walks.
//!
//! [`size_class`]: super::size_class

use super::record::{self, FreeBlock, GRANULE, Header, MAX_HEADER, Record};
use super::size_class::{class_of, class_size};
use super::{Full, Slot, grow_gently};

/// The end of a list of free blocks.
const NONE: u32 = u32::MAX;
/// Free bytes that are not worth a compaction.
const SLACK: usize = if cfg!(test) { 1 << 12 } else { 1 << 20 };

/// All records of a store in one vector, with lists of free blocks by size. At most 16 GiB.
#[derive(Clone, Default)]
pub(super) struct Arena {
    bytes: Vec<u8>,
    /// The first free block of each size class.
    free: Vec<u32>,
    free_bytes: usize,
}

/// An entry that was found by its key.
#[derive(Clone, Copy)]
pub(crate) struct Found {
    /// The entry's slot, as long as it lives.
    pub slot: Slot,
    /// Its record, until the store changes.
    pub(super) record: Record,
    /// Where the value starts in the arena, until the store changes.
    start: usize,
    /// The length of the value in bytes.
    len: usize,
}

/// A record that a compaction has moved.
pub(super) struct Moved<'a> {
    pub from: Record,
    pub to: Record,
    pub slot: Slot,
    pub key: &'a [u8],
}

impl Arena {
    /// The slot in a record's header.
    #[cfg(test)]
    pub(super) fn slot(&self, record: Record) -> Slot {
        Header::read(self.block(record)).slot
    }

    /// The key of a record.
    #[inline]
    pub(super) fn key(&self, record: Record) -> &[u8] {
        let block = self.block(record);
        let header = Header::read(block);
        &block[header.len..][..header.key]
    }

    /// The value of a record.
    #[inline]
    pub(super) fn value(&self, record: Record) -> &[u8] {
        let block = self.block(record);
        let header = Header::read(block);
        &block[header.len + header.key..][..header.value]
    }

    /// The length of a record's value in bytes.
    pub(super) fn value_len(&self, record: Record) -> usize {
        Header::read(self.block(record)).value
    }

    /// Whether a record's key is this one.
    #[inline]
    pub(super) fn holds(&self, record: Record, key: &[u8]) -> bool {
        record::header_if(self.block(record), key).is_some()
    }

    /// The slot and the place of the value of a record, if its key is this one.
    #[inline]
    pub(super) fn find(&self, record: Record, key: &[u8]) -> Option<Found> {
        let header = record::header_if(self.block(record), key)?;
        Some(Found {
            slot: header.slot,
            record,
            start: record.start() + header.len + header.key,
            len: header.value,
        })
    }

    /// The value that was found.
    #[inline]
    pub(super) fn found_value(&self, found: Found) -> &[u8] {
        &self.bytes[found.start..][..found.len]
    }

    /// The first and the 65th byte of a record, or the last of the arena: a read of both cache
    /// lines that a small record lies in.
    pub(super) fn first_bytes(&self, record: Record) -> (u8, u8) {
        let start = record.start();
        let end = self.bytes.len() - 1;
        (self.bytes[start], self.bytes[end.min(start + 64)])
    }

    /// Stores a record.
    ///
    /// # Errors
    /// [`Full`] if the arena would exceed 16 GiB, or the key or the value is too long for a record.
    /// Nothing has changed then.
    pub(super) fn insert(&mut self, slot: Slot, key: &[u8], value: &[u8]) -> Result<Record, Full> {
        let header = Header::new(slot, key.len(), value.len())?;
        let (class, size) = class_of(header.total());
        let Some(record) = self.take_free(class, size) else {
            return self.append(header, size, key, value);
        };
        self.write(record, header, key, value);
        Ok(record)
    }

    /// Stores another value under a record's key: in place if the size class allows it.
    ///
    /// # Errors
    /// As for [`Arena::insert`].
    pub(super) fn replace(
        &mut self,
        record: Record,
        key: &[u8],
        value: &[u8],
    ) -> Result<Record, Full> {
        let old = Header::read(self.block(record));
        if value.len() == old.value {
            let start = record.start() + old.len + old.key;
            self.bytes[start..][..value.len()].copy_from_slice(value);
            return Ok(record);
        }
        let new = Header::new(old.slot, key.len(), value.len())?;
        if class_of(new.total()) == class_of(old.total()) {
            self.write(record, new, key, value);
            return Ok(record);
        }
        let moved = self.insert(old.slot, key, value)?;
        self.remove(record);
        Ok(moved)
    }

    /// Frees a record's block.
    pub(super) fn remove(&mut self, record: Record) {
        let (class, size) = class_of(Header::read(self.block(record)).total());
        if self.free.len() <= class {
            self.free.resize(class + 1, NONE);
        }
        let next = self.free[class];
        FreeBlock { class, next }.write(&mut self.bytes[record.start()..]);
        self.free[class] = record.0;
        self.free_bytes += size;
    }

    /// Bytes of all blocks, the free ones included.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Whether more than a tenth of the bytes are free, and enough of them to be worth a compaction.
    pub(super) fn is_sparse(&self) -> bool {
        self.free_bytes > SLACK && self.free_bytes > self.bytes.len() / 10
    }

    /// Whether more than half of the bytes are free, and enough of them to be worth a compaction.
    pub(super) fn is_half_empty(&self) -> bool {
        self.free_bytes > SLACK && self.free_bytes > self.bytes.len() / 2
    }

    /// All records in the order of memory.
    pub(super) fn records(&self) -> impl Iterator<Item = Record> + '_ {
        let mut at = 0;
        std::iter::from_fn(move || {
            while at < self.bytes.len() {
                let (start, (header, size)) = (at, self.block_at(at));
                at += size;
                if header.is_some() {
                    return Some(record_at(start));
                }
            }
            None
        })
    }

    /// Slides all records to the start, gives the rest of the memory back and reports each record
    /// that has moved, in the order of memory. Cost: a read of every block, and a copy of all records
    /// behind the first free block.
    pub(super) fn compact(&mut self, mut report: impl FnMut(Moved<'_>)) {
        let (mut at, mut end) = (0, 0);
        while at < self.bytes.len() {
            let (header, size) = self.block_at(at);
            if let Some(header) = header {
                if at != end {
                    self.bytes.copy_within(at..at + size, end);
                    report(Moved {
                        from: record_at(at),
                        to: record_at(end),
                        slot: header.slot,
                        key: &self.bytes[end + header.len..][..header.key],
                    });
                }
                end += size;
            }
            at += size;
        }
        self.bytes.truncate(end);
        self.bytes.shrink_to(end + end / 8);
        self.free.clear();
        self.free_bytes = 0;
    }

    /// The block that starts at a byte: its header if it is a record, and its size.
    fn block_at(&self, start: usize) -> (Option<Header>, usize) {
        let block = &self.bytes[start..];
        if let Some(free) = FreeBlock::read(block) {
            return (None, class_size(free.class));
        }
        let header = Header::read(block);
        (Some(header), class_of(header.total()).1)
    }

    fn take_free(&mut self, class: usize, size: usize) -> Option<Record> {
        let first = *self.free.get(class).filter(|&&block| block != NONE)?;
        let record = Record(first);
        self.free[class] = FreeBlock::read(self.block(record))?.next;
        self.free_bytes -= size;
        Some(record)
    }

    /// Adds a block at the end. It extends the vector, so that no byte is written twice.
    fn append(
        &mut self,
        header: Header,
        size: usize,
        key: &[u8],
        value: &[u8],
    ) -> Result<Record, Full> {
        let end = self.bytes.len() + size;
        if end / GRANULE > NONE as usize {
            return Err(Full);
        }
        let record = record_at(self.bytes.len());
        grow_gently(&mut self.bytes, size);
        let mut start = [0; MAX_HEADER];
        header.write(&mut start);
        self.bytes.extend_from_slice(&start[..header.len]);
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        self.bytes.resize(end, 0);
        Ok(record)
    }

    fn write(&mut self, record: Record, header: Header, key: &[u8], value: &[u8]) {
        let block = &mut self.bytes[record.start()..];
        header.write(block);
        block[header.len..][..key.len()].copy_from_slice(key);
        block[header.len + key.len()..][..value.len()].copy_from_slice(value);
    }

    /// The bytes from a record's start on.
    #[inline]
    fn block(&self, record: Record) -> &[u8] {
        &self.bytes[record.start()..]
    }

    /// Bytes of all records, for tests.
    #[cfg(test)]
    pub(super) fn live(&self) -> usize {
        self.bytes.len() - self.free_bytes
    }

    /// Recounts: the blocks must tile the arena, and the lists must hold the free ones, each once.
    #[cfg(test)]
    pub(super) fn validate(&self) {
        let (mut at, mut free_blocks, mut free_bytes) = (0, std::collections::BTreeSet::new(), 0);
        while at < self.bytes.len() {
            let (header, size) = self.block_at(at);
            if header.is_none() {
                free_blocks.insert(record_at(at).0);
                free_bytes += size;
            }
            at += size;
        }
        assert_eq!(at, self.bytes.len(), "the last block reaches the end");
        assert_eq!(free_bytes, self.free_bytes, "free bytes");
        for (class, &first) in self.free.iter().enumerate() {
            let mut block = first;
            while block != NONE {
                assert!(free_blocks.remove(&block), "a listed block is free");
                let free = FreeBlock::read(self.block(Record(block))).expect("free");
                assert_eq!(free.class, class, "a block is in the list of its class");
                block = free.next;
            }
        }
        assert!(free_blocks.is_empty(), "every free block is listed");
    }
}

/// The record that starts at a byte, which is at most the end of the largest arena.
fn record_at(start: usize) -> Record {
    Record(u32::try_from(start / GRANULE).expect("the arena is bounded"))
}
