//! The slots of one bucket in the order in which they came. Each has a *place*, a number by which it
//! can be taken out again.
//!
//! They lie in chunks of 1024, and a chunk has a bit for each of its places. Taking a slot out clears
//! the bit and touches nothing else: the bits of ten million slots are small enough for the cache, the
//! slots are not. A chunk in which fewer than half of the slots are left drops the others, in order;
//! a second set of bits says which places it still holds, so nobody else has to be told, and the
//! places stay what they are.
//!
//! Chunks also grow without moving anything, and leave no holes of odd sizes in the heap, which cost
//! a tenth of the memory of a store full of deadlines.
//!
//! Caveat: a chunk without slots still takes 288 bytes, until the bucket is empty or
//! [`Places::is_sparse`] says that it is time to number all anew.

#![allow(clippy::cast_possible_truncation, reason = "places are u32")]

use super::{Slot, grow_gently};

/// Places of a chunk: 4 KiB of slots.
const CHUNK: usize = 1024;
/// The most chunks, so that a place is a `u32` with a few numbers to spare.
const MAX_CHUNKS: usize = u32::MAX as usize / CHUNK;
/// The most slots that surely find a place.
pub const MAX_LEN: usize = MAX_CHUNKS * CHUNK;

/// A bit for every place of a chunk.
type Bits = [u64; CHUNK / 64];

/// See the module's docs.
#[derive(Default)]
pub struct Places {
    chunks: Vec<Chunk>,
    len: usize,
}

#[derive(Default)]
struct Chunk {
    /// Places that are in, a bit each.
    live: Bits,
    /// Places that `slots` has, in order: those that are in, and some that no longer are.
    held: Bits,
    slots: Vec<Slot>,
    /// How many bits of `live` are set.
    len: u16,
    /// Places that were ever given out.
    used: u16,
}

impl Places {
    /// How many slots are in.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether a chunk is needed and so few places of the others are in use that all slots should
    /// be numbered anew instead.
    pub fn is_sparse(&self) -> bool {
        let full = self.chunks.last().is_some_and(Chunk::is_full);
        let most = (8 * (self.len / CHUNK + 1)).min(MAX_CHUNKS);
        full && self.chunks.len() >= most
    }

    /// Adds a slot at the end, and returns its place.
    pub fn push(&mut self, slot: Slot) -> u32 {
        if self.chunks.last().is_none_or(Chunk::is_full) {
            self.add_chunk();
        }
        let chunk = self.chunks.len() - 1;
        self.len += 1;
        (chunk * CHUNK + self.chunks[chunk].push(slot)) as u32
    }

    /// The first chunk grows as a vector does, as most buckets stay small.
    fn add_chunk(&mut self) {
        let mut chunk = Chunk::default();
        if !self.chunks.is_empty() {
            chunk.slots.reserve_exact(CHUNK);
        }
        grow_gently(&mut self.chunks, 1);
        self.chunks.push(chunk);
    }

    /// Takes the slot at a place out, which is in.
    pub fn remove(&mut self, place: u32) {
        let place = place as usize;
        self.chunks[place / CHUNK].remove(place % CHUNK);
        self.len -= 1;
        if self.len == 0 {
            *self = Self::default();
        }
    }

    /// All slots that are in, in order.
    pub fn iter(&self) -> impl Iterator<Item = Slot> + '_ {
        self.chunks.iter().flat_map(Chunk::iter)
    }

    /// The slot at a place.
    #[cfg(test)]
    pub fn get(&self, place: u32) -> Option<Slot> {
        let place = place as usize;
        self.chunks.get(place / CHUNK)?.get(place % CHUNK)
    }

    /// Slots in all chunks, those included that are out.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.slots.len()).sum()
    }
}

impl Chunk {
    fn is_full(&self) -> bool {
        usize::from(self.used) == CHUNK
    }

    fn push(&mut self, slot: Slot) -> usize {
        let place = usize::from(self.used);
        self.live[place / 64] |= 1 << (place % 64);
        self.held[place / 64] |= 1 << (place % 64);
        self.slots.push(slot);
        self.len += 1;
        self.used += 1;
        place
    }

    fn remove(&mut self, place: usize) {
        self.live[place / 64] &= !(1 << (place % 64));
        self.len -= 1;
        if usize::from(self.len) * 2 < self.slots.len() {
            self.slots = self.iter().collect();
            self.held = self.live;
        }
    }

    fn iter(&self) -> impl Iterator<Item = Slot> + '_ {
        let held = bits(&self.held).zip(&self.slots);
        held.filter(|&(place, _)| is_set(&self.live, place))
            .map(|(_, &slot)| slot)
    }

    #[cfg(test)]
    fn get(&self, place: usize) -> Option<Slot> {
        let at = bits(&self.held).position(|it| it == place)?;
        is_set(&self.live, place).then(|| self.slots[at])
    }
}

fn is_set(bits: &Bits, place: usize) -> bool {
    bits[place / 64] >> (place % 64) & 1 == 1
}

/// The places whose bits are set, ascending.
fn bits(bits: &Bits) -> impl Iterator<Item = usize> + '_ {
    let words = (0..).step_by(64).zip(bits);
    words.flat_map(|(start, &word)| {
        let rest = std::iter::successors(Some(word), |&word| Some(word & word.wrapping_sub(1)));
        let words = rest.take_while(|&word| word != 0);
        words.map(move |word| start + word.trailing_zeros() as usize)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn agree(places: &Places, model: &[(u32, Slot)]) {
        assert!(places.iter().eq(model.iter().map(|&(_, slot)| slot)));
        assert_eq!(places.len(), model.len());
        assert!(places.held() <= 2 * model.len(), "half is dropped");
        for &(place, slot) in model {
            assert_eq!(places.get(place), Some(slot));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn places_are_those_of_a_list(steps in prop::collection::vec((0..300_u32, 0..2000_usize, 0..300_usize), 1..20)) {
            let (mut places, mut model, mut next) = (Places::default(), Vec::new(), 0);
            for (pushes, first, removals) in steps {
                for _ in 0..pushes * 5 {
                    model.push((places.push(next), next));
                    next += 1;
                }
                for n in 0..removals {
                    if !model.is_empty() {
                        let (place, _) = model.remove((first + n * 7919) % model.len());
                        places.remove(place);
                        assert_eq!(places.get(place), None);
                    }
                }
                agree(&places, &model);
            }
        }
    }

    #[test]
    fn what_is_emptied_starts_anew() {
        let mut places = Places::default();
        for len in [1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let all: Vec<u32> = (0..len as u32).map(|slot| places.push(slot)).collect();
            assert!(all.iter().copied().eq(0..len as u32));
            all.iter().rev().for_each(|&place| places.remove(place));
            assert_eq!(
                (places.len(), places.held(), places.chunks.len()),
                (0, 0, 0)
            );
        }
    }

    #[test]
    fn places_that_were_left_make_it_sparse() {
        let mut places = Places::default();
        let first = places.push(0);
        while !places.is_sparse() {
            let place = places.push(1);
            places.remove(place);
        }
        assert_eq!(places.chunks.len(), 8);
        assert_eq!(places.get(first), Some(0));
        assert!(places.held() <= 2);
    }
}
