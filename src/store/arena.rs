//! The arena: the bytes of keys and values, in blocks of one large vector.
//!
//! A block is a header (the two lengths), the key and the value, rounded up to granules of 4 bytes;
//! it is named by the number of its first granule, so a `u32` reaches 16 GiB. A freed block joins
//! the list of its size class, and a block of that class is what is tried first when one is
//! needed. Up to 4 KiB a class is one exact size; above, sizes are rounded up to eighths of a power
//! of two. So a cache whose values keep their sizes runs without waste and without moving anything.
//!
//! When sizes drift, freed blocks of the old sizes would lie idle. When the arena has grown although
//! more than a tenth of its bytes are free ([`Arena::is_sparse`]), the store slides what lives
//! together, in place. A byte freed pays for ten bytes moved at the most; where values keep their
//! sizes, nothing is ever moved. An arena that only shrinks has been larger already, so it waits until
//! half of it is free ([`Arena::is_half_empty`]), and a byte freed pays for one.
//!
//! Caveat: sliding stops the world, for about 0.1 s a million entries.

#![allow(
    clippy::cast_possible_truncation,
    reason = "varints are cut into bytes, and granules are counted in 32 bits, on purpose"
)]

use super::slab::Slab;
use super::{Full, Slot, grow_gently};

/// Blocks are aligned to, and measured in, granules of this many bytes.
const GRANULE: usize = 4;
/// Up to this many granules every size is a class of its own.
const EXACT: usize = 1024;
/// The end of a list of free blocks.
const NONE: u32 = u32::MAX;
/// Free bytes that are not worth a compaction.
const SLACK: usize = if cfg!(test) { 1 << 12 } else { 1 << 20 };

/// See the module's docs.
#[derive(Default)]
pub struct Arena {
    bytes: Vec<u8>,
    /// For each size class, the first free block; its first 4 bytes name the next one.
    free: Vec<u32>,
    free_bytes: usize,
}

/// A block's header, decoded.
struct Header {
    /// Bytes of the header itself.
    len: usize,
    key: usize,
    value: usize,
}

impl Header {
    fn of(key: &[u8], value: &[u8]) -> Self {
        let (key, value) = (key.len(), value.len());
        Self {
            len: varint_len(key) + varint_len(value),
            key,
            value,
        }
    }

    /// Reads what [`Arena::write`] wrote.
    #[inline(never)]
    fn read(bytes: &[u8]) -> Self {
        let (key, at) = read_varint(bytes, 0);
        let (value, len) = read_varint(bytes, at);
        Self { len, key, value }
    }

    fn total(&self) -> usize {
        self.len + self.key + self.value
    }
}

impl Arena {
    /// The key in a block.
    #[inline]
    pub fn key(&self, block: u32) -> &[u8] {
        let (header, bytes) = self.read(block);
        &bytes[header.len..header.len + header.key]
    }

    /// Whether the key in a block is this one.
    #[inline]
    pub fn holds(&self, block: u32, key: &[u8]) -> bool {
        let bytes = &self.bytes[block as usize * GRANULE..];
        match bytes {
            // Most lengths are a byte each. No loop and no call here: a look-up is three waits for
            // memory, and the shorter it is, the more of them the processor has under way.
            [key_len, value_len, rest @ ..] if (*key_len | *value_len) < 0x80 => {
                usize::from(*key_len) == key.len() && rest.starts_with(key)
            }
            _ => self.key(block) == key,
        }
    }

    /// The value in a block.
    #[inline]
    pub fn value(&self, block: u32) -> &[u8] {
        let (header, bytes) = self.read(block);
        &bytes[header.len + header.key..header.total()]
    }

    /// The first and the 65th byte of a block, or what comes nearest: a look at both of the cache
    /// lines that a small entry lies in.
    pub fn first_bytes(&self, block: u32) -> (u8, u8) {
        let start = block as usize * GRANULE;
        let end = self.bytes.len() - 1;
        (self.bytes[start], self.bytes[end.min(start + 64)])
    }

    /// Stores a key and a value in a new block.
    ///
    /// # Errors
    /// [`Full`] if the addresses are used up. Nothing has changed then.
    pub fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<u32, Full> {
        let header = Header::of(key, value);
        let (class, size) = class_of(header.total());
        let Some(block) = self.take_free(class, size) else {
            return self.append(size, key, value);
        };
        self.write(block, key, value);
        Ok(block)
    }

    /// Stores another value under the block's key: in place if the size class allows it.
    ///
    /// # Errors
    /// [`Full`] if the addresses are used up. Nothing has changed then.
    pub fn replace(&mut self, block: u32, key: &[u8], value: &[u8]) -> Result<u32, Full> {
        let header = self.read(block).0;
        if value.len() == header.value {
            let start = block as usize * GRANULE + header.len + header.key;
            self.bytes[start..start + value.len()].copy_from_slice(value);
            return Ok(block);
        }
        let old = class_of(header.total()).0;
        if class_of(Header::of(key, value).total()).0 == old {
            self.write(block, key, value);
            return Ok(block);
        }
        let new = self.insert(key, value)?;
        self.remove(block);
        Ok(new)
    }

    /// Frees a block.
    pub fn remove(&mut self, block: u32) {
        let (class, size) = class_of(self.read(block).0.total());
        if self.free.len() <= class {
            self.free.resize(class + 1, NONE);
        }
        let next = self.free[class].to_le_bytes();
        self.block_mut(block)[..GRANULE].copy_from_slice(&next);
        self.free[class] = block;
        self.free_bytes += size;
    }

    /// Bytes of the blocks that are in use.
    pub fn live(&self) -> usize {
        self.bytes.len() - self.free_bytes
    }

    /// Bytes in use, free blocks included.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Whether more than a tenth of the bytes are free, and enough of them to be worth the trouble.
    pub fn is_sparse(&self) -> bool {
        self.free_bytes > SLACK && self.free_bytes > self.bytes.len() / 10
    }

    /// Whether more than half of the bytes are free, and enough of them to be worth the trouble.
    pub fn is_half_empty(&self) -> bool {
        self.free_bytes > SLACK && self.free_bytes > self.bytes.len() / 2
    }

    /// Slides all live blocks to the start, and tells the slab where they are now. `slots` are all
    /// that are in use, in the order of their blocks.
    pub fn compact(&mut self, slab: &mut Slab, slots: &[Slot]) {
        let mut end = 0;
        for &slot in slots {
            let block = slab[slot].block;
            let size = class_of(self.read(block).0.total()).1;
            let start = block as usize * GRANULE;
            self.bytes.copy_within(start..start + size, end);
            slab[slot].block = (end / GRANULE) as u32;
            end += size;
        }
        self.bytes.truncate(end);
        self.bytes.shrink_to(end + end / 8);
        self.free.clear();
        self.free_bytes = 0;
    }

    fn take_free(&mut self, class: usize, size: usize) -> Option<u32> {
        let block = *self.free.get(class).filter(|&&block| block != NONE)?;
        let mut next = [0; GRANULE];
        next.copy_from_slice(&self.block_mut(block)[..GRANULE]);
        self.free[class] = u32::from_le_bytes(next);
        self.free_bytes -= size;
        Some(block)
    }

    /// Adds a block at the end. Written through `extend`, so that no byte is written twice.
    fn append(&mut self, size: usize, key: &[u8], value: &[u8]) -> Result<u32, Full> {
        let block = u32::try_from(self.bytes.len() / GRANULE).map_err(|_| Full)?;
        let end = self.bytes.len() + size;
        if end / GRANULE > NONE as usize {
            return Err(Full);
        }
        grow_gently(&mut self.bytes, size);
        let mut header = [0; 20];
        let at = write_varint(&mut header, 0, key.len());
        let at = write_varint(&mut header, at, value.len());
        self.bytes.extend_from_slice(&header[..at]);
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        self.bytes.resize(end, 0);
        Ok(block)
    }

    fn write(&mut self, block: u32, key: &[u8], value: &[u8]) {
        let bytes = self.block_mut(block);
        let at = write_varint(bytes, 0, key.len());
        let at = write_varint(bytes, at, value.len());
        bytes[at..at + key.len()].copy_from_slice(key);
        let at = at + key.len();
        bytes[at..at + value.len()].copy_from_slice(value);
    }

    fn block_mut(&mut self, block: u32) -> &mut [u8] {
        &mut self.bytes[block as usize * GRANULE..]
    }

    /// A block's header, and the bytes from the block's start.
    #[inline]
    fn read(&self, block: u32) -> (Header, &[u8]) {
        let bytes = &self.bytes[block as usize * GRANULE..];
        let header = match *bytes {
            [key, value, ..] if (key | value) < 0x80 => Header {
                len: 2,
                key: key.into(),
                value: value.into(),
            },
            _ => Header::read(bytes),
        };
        (header, bytes)
    }

    /// Recounts: the live blocks and the free ones must tile the arena exactly.
    #[cfg(test)]
    pub fn validate(&self, live: impl Iterator<Item = u32>) {
        let mut spans: Vec<(usize, usize)> = live
            .map(|block| {
                let size = class_of(self.read(block).0.total()).1;
                (block as usize * GRANULE, size)
            })
            .collect();
        let mut free_bytes = 0;
        for (class, &head) in self.free.iter().enumerate() {
            let mut block = head;
            while block != NONE {
                let at = block as usize * GRANULE;
                spans.push((at, class_size(class)));
                free_bytes += class_size(class);
                let next = self.bytes[at..at + GRANULE].try_into().expect("4 bytes");
                block = u32::from_le_bytes(next);
            }
        }
        assert_eq!(free_bytes, self.free_bytes, "free bytes");
        spans.sort_unstable();
        let mut end = 0;
        for (at, size) in spans {
            assert_eq!(at, end, "blocks neither overlap nor leave gaps");
            end = at + size;
        }
        assert_eq!(end, self.bytes.len(), "blocks reach the end");
    }
}

/// Bytes that a block with a key and a value of these lengths takes.
pub fn block_size(key: usize, value: usize) -> usize {
    class_of(varint_len(key) + varint_len(value) + key + value).1
}

/// The size class of a block of `len` bytes, and the bytes that blocks of that class take.
fn class_of(len: usize) -> (usize, usize) {
    let granules = len.div_ceil(GRANULE);
    if granules <= EXACT {
        return (granules, granules * GRANULE);
    }
    // Eight classes between two powers of two: the top three bits after the leading one.
    let step = (granules - 1).ilog2() - 3;
    let rounded = ((granules - 1) >> step) + 1;
    let first_step = EXACT.ilog2() - 3;
    let class = EXACT + (step - first_step) as usize * 8 + (rounded - 8);
    (class, (rounded << step) * GRANULE)
}

/// The inverse of [`class_of`].
#[cfg(test)]
fn class_size(class: usize) -> usize {
    if class <= EXACT {
        return class * GRANULE;
    }
    let above = class - EXACT - 1;
    let step = above / 8 + EXACT.ilog2() as usize - 3;
    ((above % 8 + 9) << step) * GRANULE
}

/// Bytes that [`write_varint`] needs for `number`.
fn varint_len(number: usize) -> usize {
    (number.max(1).ilog2() / 7 + 1) as usize
}

/// Writes `number` in groups of 7 bits, lowest first; returns where it ends.
fn write_varint(bytes: &mut [u8], mut at: usize, mut number: usize) -> usize {
    while number >= 0x80 {
        bytes[at] = (number & 0x7f) as u8 | 0x80;
        number >>= 7;
        at += 1;
    }
    bytes[at] = number as u8;
    at + 1
}

/// Reads what [`write_varint`] wrote; returns the number and where it ends.
fn read_varint(bytes: &[u8], mut at: usize) -> (usize, usize) {
    let mut number = 0;
    let mut shift = 0;
    loop {
        let byte = bytes[at];
        at += 1;
        number |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return (number, at);
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_fits_every_size_in_it_and_wastes_at_most_an_eighth() {
        let mut last = class_of(1);
        for len in 1..300_000 {
            let (class, size) = class_of(len);
            assert!(size >= len && size - len < GRANULE.max(len / 8 + GRANULE));
            assert!(class == last.0 && size == last.1 || class == last.0 + 1 && size > last.1);
            assert_eq!(class_size(class), size, "{len}");
            last = (class, size);
        }
    }

    #[test]
    fn varints_round_trip() {
        let mut bytes = [0; 20];
        for number in [0, 1, 127, 128, 16_383, 16_384, 1 << 28, u32::MAX as usize] {
            let end = write_varint(&mut bytes, 0, number);
            assert_eq!(end, varint_len(number));
            assert_eq!(read_varint(&bytes, 0), (number, end));
        }
    }
}
