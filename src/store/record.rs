//! A record: the header, the key and the value of one entry, side by side in the arena.
//!
//! The lowest bits of the first byte say what a block of the arena is:
//!
//! | block                  | bits, the lowest first                                          |
//! |------------------------|-----------------------------------------------------------------|
//! | record, short header   | `0`, key length (6), value length (9), slot (32)                |
//! | record, long header    | `10`, key length (30), value length (32), slot (32)             |
//! | free block             | `11`, size class (14), next free block of this class (32)       |
//!
//! Both headers begin in one 8-byte load, so that a look-up of a small entry needs no other. The
//! slot in the header leads from a record to the columns of the slab.

#![allow(
    clippy::cast_possible_truncation,
    reason = "bit fields are cut out of a word"
)]

use super::{Full, Slot};

/// Blocks are aligned to, and measured in, granules of this many bytes.
pub(super) const GRANULE: usize = 4;
/// No block is smaller, so that 8 bytes can be read from the start of every block.
pub(super) const MIN_BLOCK: usize = 8;

/// Lengths of the two headers in bytes.
const SHORT: usize = 6;
const LONG: usize = 12;
/// The longest header in bytes.
pub(super) const MAX_HEADER: usize = LONG;
/// The longest key and the longest value, in bytes, that a short header describes.
const SHORT_KEY: usize = (1 << 6) - 1;
const SHORT_VALUE: usize = (1 << 9) - 1;
/// The bits of a short header's form and key length.
const SHORT_FORM_AND_KEY: u64 = (1 << 7) - 1;
/// The longest key and the longest value, in bytes, that a record can hold.
const MAX_KEY: usize = (1 << 30) - 1;
const MAX_VALUE: usize = u32::MAX as usize;

/// The number of the granule at which a record starts. A compaction changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record(pub(super) u32);

impl Record {
    /// Where the record starts, in bytes from the start of the arena.
    #[inline]
    pub(super) fn start(self) -> usize {
        self.0 as usize * GRANULE
    }
}

/// A record's header, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The entry's slot.
    pub slot: Slot,
    /// Length of the header itself in bytes: 6 or 12.
    pub len: usize,
    /// Length of the key in bytes.
    pub key: usize,
    /// Length of the value in bytes.
    pub value: usize,
}

impl Header {
    /// The header of a record with a key and a value of these lengths, in bytes.
    ///
    /// # Errors
    /// [`Full`] if the key has 2^30 bytes or more, or the value 2^32.
    pub(super) fn new(slot: Slot, key: usize, value: usize) -> Result<Self, Full> {
        if key > MAX_KEY || value > MAX_VALUE {
            return Err(Full);
        }
        let is_short = key <= SHORT_KEY && value <= SHORT_VALUE;
        Ok(Self {
            slot,
            len: if is_short { SHORT } else { LONG },
            key,
            value,
        })
    }

    /// Decodes the header at the start of a block, which holds a record.
    #[inline]
    pub(super) fn read(block: &[u8]) -> Self {
        let word = first_word(block);
        if word & 1 == 0 {
            return Self::short(word);
        }
        let mut slot = [0; 4];
        slot.copy_from_slice(&block[MIN_BLOCK..LONG]);
        Self {
            slot: u32::from_le_bytes(slot),
            len: LONG,
            key: (word >> 2) as usize & MAX_KEY,
            value: (word >> 32) as usize,
        }
    }

    /// Decodes a short header from the first 8 bytes of its block.
    #[inline]
    fn short(word: u64) -> Self {
        Self {
            slot: (word >> 16) as u32,
            len: SHORT,
            key: (word >> 1) as usize & SHORT_KEY,
            value: (word >> 7) as usize & SHORT_VALUE,
        }
    }

    /// Writes the header to the start of a block. The first 2 bytes of the key are not valid
    /// afterwards.
    pub(super) fn write(&self, block: &mut [u8]) {
        let (key, value) = (self.key as u64, self.value as u64);
        let word = if self.len == SHORT {
            key << 1 | value << 7 | u64::from(self.slot) << 16
        } else {
            block[MIN_BLOCK..LONG].copy_from_slice(&self.slot.to_le_bytes());
            0b01 | key << 2 | value << 32
        };
        block[..MIN_BLOCK].copy_from_slice(&word.to_le_bytes());
    }

    /// Length of header, key and value in bytes.
    pub(super) fn total(&self) -> usize {
        self.len + self.key + self.value
    }
}

/// The header of the record at the start of a block, if it has this key.
#[inline]
pub(super) fn header_if(block: &[u8], key: &[u8]) -> Option<Header> {
    let word = first_word(block);
    // One comparison for the form of the header and the length of the key.
    if word & SHORT_FORM_AND_KEY == (key.len() as u64) << 1 {
        return starts_with(&block[SHORT..], key).then(|| Header::short(word));
    }
    if word & 1 == 0 {
        return None;
    }
    long_header_if(block, key)
}

/// [`header_if`] for a long header.
#[inline(never)]
fn long_header_if(block: &[u8], key: &[u8]) -> Option<Header> {
    let header = Header::read(block);
    (&block[header.len..][..header.key] == key).then_some(header)
}

/// `starts_with` with two overlapping loads for keys of 8 to 16 bytes: a call in every look-up would
/// keep the processor from overlapping look-ups.
#[inline]
fn starts_with(bytes: &[u8], key: &[u8]) -> bool {
    let bytes = &bytes[..key.len()];
    if let 8..=16 = key.len() {
        return bytes.first_chunk::<8>() == key.first_chunk()
            && bytes.last_chunk::<8>() == key.last_chunk();
    }
    bytes == key
}

/// A free block: its size class, and the next free block of this class.
pub(super) struct FreeBlock {
    pub class: usize,
    pub next: u32,
}

impl FreeBlock {
    /// Decodes the free block at the start of `block`; `None` if a record is there.
    pub(super) fn read(block: &[u8]) -> Option<Self> {
        let word = first_word(block);
        (word & 0b11 == 0b11).then_some(Self {
            class: (word >> 2) as usize & 0x3fff,
            next: (word >> 16) as u32,
        })
    }

    /// Writes the start of the free block.
    pub(super) fn write(&self, block: &mut [u8]) {
        let word = 0b11 | (self.class as u64) << 2 | u64::from(self.next) << 16;
        block[..MIN_BLOCK].copy_from_slice(&word.to_le_bytes());
    }
}

#[inline]
fn first_word(block: &[u8]) -> u64 {
    let mut bytes = [0; MIN_BLOCK];
    bytes.copy_from_slice(&block[..MIN_BLOCK]);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_all_lengths_round_trip() {
        let slots = [0, 1, 0x0123_4567, u32::MAX];
        let keys = [0, 1, 16, 62, 63, 64, 65, 1 << 16, MAX_KEY];
        let values = [0, 1, 64, 510, 511, 512, 1 << 20, MAX_VALUE];
        for (slot, key) in slots
            .into_iter()
            .flat_map(|slot| keys.map(|key| (slot, key)))
        {
            for value in values {
                let header = Header::new(slot, key, value).expect("within the bounds");
                assert_eq!(header.len == SHORT, key < 64 && value < 512);
                let mut block = [0xff; LONG];
                header.write(&mut block);
                assert_eq!(Header::read(&block), header);
                assert!(FreeBlock::read(&block).is_none());
            }
        }
    }

    #[test]
    fn lengths_beyond_the_fields_are_refused() {
        assert_eq!(Header::new(0, MAX_KEY + 1, 0), Err(Full));
        assert_eq!(Header::new(0, 0, MAX_VALUE + 1), Err(Full));
    }

    #[test]
    fn free_blocks_round_trip() {
        for (class, next) in [(4, 0), (2216, 7), (0x3fff, u32::MAX)] {
            let mut block = [0xff; MIN_BLOCK];
            FreeBlock { class, next }.write(&mut block);
            let read = FreeBlock::read(&block).expect("a free block");
            assert_eq!((read.class, read.next), (class, next));
        }
    }
}
