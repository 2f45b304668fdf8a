//! The slots of one bucket of the wheel, in the order in which they were added. Each has a
//! *position*, a number by which it is removed again.
//!
//! The slots lie in chunks of 1024, and a chunk has a bit for each of its positions. Removing a slot
//! clears its bit and touches nothing else: the bits of ten million slots fit into the processor's
//! cache, the slots do not. When fewer than half of the slots in a chunk are left, it drops the
//! others, in order. A second set of bits says which positions the chunk still holds, so positions
//! never change.
//!
//! Chunks grow without moving anything. One vector for each bucket would leave holes of many sizes in
//! the heap, a tenth of the memory of a store full of deadlines.
//!
//! Caveat: a chunk without slots still takes 288 bytes, until the bucket is empty or
//! [`BucketSlots::is_sparse`] asks for new positions for all slots.

#![allow(clippy::cast_possible_truncation, reason = "positions are u32")]

use super::{Slot, bits, grow_gently};

/// Positions of a chunk: 4 KiB of slots.
const CHUNK: usize = 1024;
/// The most chunks, so that every position is a `u32` below [`u32::MAX`].
const MAX_CHUNKS: usize = u32::MAX as usize / CHUNK;

/// A bit for every position of a chunk.
type Bits = [u64; CHUNK / 64];

/// The slots of one bucket of the wheel, in the order in which they were added.
#[derive(Clone, Default)]
pub(super) struct BucketSlots {
    chunks: Vec<Chunk>,
    len: usize,
}

#[derive(Clone, Default)]
struct Chunk {
    /// Positions whose slot was not removed.
    live: Bits,
    /// Positions whose slot is in `slots`, removed or not.
    held: Bits,
    /// The slots of the positions in `held`, in order.
    slots: Vec<Slot>,
    /// How many bits of `live` are set.
    len: u16,
    /// How many positions were assigned.
    used: u16,
}

impl BucketSlots {
    /// How many slots there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether the next slot needs a new chunk although at most an eighth of the positions are in
    /// use. All slots should get new positions then.
    pub(super) fn is_sparse(&self) -> bool {
        let full = self.chunks.last().is_some_and(Chunk::is_full);
        let most = (8 * (self.len / CHUNK + 1)).min(MAX_CHUNKS);
        full && self.chunks.len() >= most
    }

    /// Adds a slot at the end and returns its position.
    pub(super) fn push(&mut self, slot: Slot) -> u32 {
        if self.chunks.last().is_none_or(Chunk::is_full) {
            self.add_chunk();
        }
        let chunk = self.chunks.len() - 1;
        self.len += 1;
        (chunk * CHUNK + self.chunks[chunk].push(slot)) as u32
    }

    /// The first chunk grows as a vector does, because most buckets stay small.
    fn add_chunk(&mut self) {
        let mut chunk = Chunk::default();
        if !self.chunks.is_empty() {
            chunk.slots.reserve_exact(CHUNK);
        }
        grow_gently(&mut self.chunks, 1);
        self.chunks.push(chunk);
    }

    /// Removes the slot at a position, which must be there.
    pub(super) fn remove(&mut self, position: u32) {
        let position = position as usize;
        self.chunks[position / CHUNK].remove(position % CHUNK);
        self.len -= 1;
        if self.len == 0 {
            *self = Self::default();
        }
    }

    /// All slots in the order in which they were added.
    pub(super) fn iter(&self) -> impl Iterator<Item = Slot> + '_ {
        self.chunks.iter().flat_map(Chunk::iter)
    }

    /// The slot at a position.
    #[cfg(test)]
    pub(super) fn get(&self, position: u32) -> Option<Slot> {
        let position = position as usize;
        self.chunks.get(position / CHUNK)?.get(position % CHUNK)
    }

    /// Slots in memory, those included that were removed and not yet dropped.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.slots.len()).sum()
    }
}

impl Chunk {
    fn is_full(&self) -> bool {
        usize::from(self.used) == CHUNK
    }

    fn push(&mut self, slot: Slot) -> usize {
        let position = usize::from(self.used);
        bits::set(&mut self.live, position);
        bits::set(&mut self.held, position);
        self.slots.push(slot);
        self.len += 1;
        self.used += 1;
        position
    }

    fn remove(&mut self, position: usize) {
        bits::clear(&mut self.live, position);
        self.len -= 1;
        if usize::from(self.len) * 2 < self.slots.len() {
            self.slots = self.iter().collect();
            self.held = self.live;
        }
    }

    fn iter(&self) -> impl Iterator<Item = Slot> + '_ {
        let held = bits::ones(&self.held).zip(&self.slots);
        held.filter(|&(position, _)| bits::is_set(&self.live, position))
            .map(|(_, &slot)| slot)
    }

    #[cfg(test)]
    fn get(&self, position: usize) -> Option<Slot> {
        let at = bits::ones(&self.held).position(|it| it == position)?;
        bits::is_set(&self.live, position).then(|| self.slots[at])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn agree(bucket: &BucketSlots, model: &[(u32, Slot)]) {
        assert!(bucket.iter().eq(model.iter().map(|&(_, slot)| slot)));
        assert_eq!(bucket.len(), model.len());
        assert!(bucket.held() <= 2 * model.len(), "half is dropped");
        for &(position, slot) in model {
            assert_eq!(bucket.get(position), Some(slot));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn a_bucket_does_what_a_list_does(steps in prop::collection::vec((0..300_u32, 0..2000_usize, 0..300_usize), 1..20)) {
            let (mut bucket, mut model, mut next) = (BucketSlots::default(), Vec::new(), 0);
            for (pushes, first, removals) in steps {
                for _ in 0..pushes * 5 {
                    model.push((bucket.push(next), next));
                    next += 1;
                }
                for n in 0..removals {
                    if !model.is_empty() {
                        let (position, _) = model.remove((first + n * 7919) % model.len());
                        bucket.remove(position);
                        assert_eq!(bucket.get(position), None);
                    }
                }
                agree(&bucket, &model);
            }
        }
    }

    #[test]
    fn an_emptied_bucket_starts_again_at_position_0() {
        let mut bucket = BucketSlots::default();
        for len in [1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let all: Vec<u32> = (0..len as u32).map(|slot| bucket.push(slot)).collect();
            assert!(all.iter().copied().eq(0..len as u32));
            all.iter()
                .rev()
                .for_each(|&position| bucket.remove(position));
            assert_eq!(
                (bucket.len(), bucket.held(), bucket.chunks.len()),
                (0, 0, 0)
            );
        }
    }

    #[test]
    fn unused_positions_make_a_bucket_sparse() {
        let mut bucket = BucketSlots::default();
        let first = bucket.push(0);
        while !bucket.is_sparse() {
            let position = bucket.push(1);
            bucket.remove(position);
        }
        assert_eq!(bucket.chunks.len(), 8);
        assert_eq!(bucket.get(first), Some(0));
        assert!(bucket.held() <= 2);
    }
}
