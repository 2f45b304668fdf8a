//! LRU at all sizes in one pass, exactly.
//!
//! Mattson, Gecsei, Slutz, Traiger: *Evaluation Techniques for Storage Hierarchies*, IBM Systems
//! Journal 9(2), 1970: LRU of size n hits if fewer than n other objects were requested since the
//! object's last request. The number of those is counted with a bit for each object at the place of its
//! last request, and a Fenwick tree (Fenwick, *A New Data Structure for Cumulative Frequency Tables*,
//! Software: Practice and Experience 24(3), 1994) over blocks of 512 bits.
//!
//! Cost: O(log n) a request; a bit a request and 12 bytes an object.

use super::bits::Bits;

/// Bits in a block.
const BLOCK: usize = 512;
const NEVER: u32 = u32::MAX;

/// The misses of LRU by size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Curve {
    /// Requests.
    pub requests: u64,
    /// By distance: how many requests hit in every cache of more than so many objects.
    distances: Vec<u64>,
}

impl Curve {
    /// The misses of LRU with room for so many objects. Cost: O(size).
    #[must_use]
    pub fn misses(&self, size: usize) -> u64 {
        let hits: u64 = self.distances.iter().take(size).sum();
        self.requests - hits
    }

    /// The misses at each of these sizes, which ascend. Cost: one pass.
    #[must_use]
    pub fn misses_at(&self, sizes: &[usize]) -> Vec<u64> {
        let mut hits = 0;
        let mut from = 0;
        let misses = sizes.iter().map(|&size| {
            let to = size.min(self.distances.len()).max(from);
            hits += self.distances[from..to].iter().sum::<u64>();
            from = to;
            self.requests - hits
        });
        misses.collect()
    }
}

/// The curve of LRU for these requests.
#[must_use]
pub fn lru_curve(ids: &[u32], objects: u32) -> Curve {
    let mut last = vec![NEVER; objects as usize];
    let mut distances = vec![0; objects as usize];
    let mut uses = Uses::new(ids.len());
    for (at, &id) in ids.iter().enumerate() {
        let place = u32::try_from(at).expect("a trace has fewer than 2^32 - 1 requests");
        let before = std::mem::replace(&mut last[id as usize], place);
        if before != NEVER {
            distances[uses.after(before as usize)] += 1;
            uses.remove(before as usize);
        }
        uses.insert(at);
    }
    Curve {
        requests: ids.len() as u64,
        distances,
    }
}

/// The places of the last requests of all objects.
struct Uses {
    bits: Bits,
    /// A Fenwick tree of how many bits are set in each block.
    blocks: Vec<u32>,
    len: u32,
}

impl Uses {
    fn new(requests: usize) -> Self {
        Self {
            bits: Bits::new(requests.next_multiple_of(BLOCK)),
            blocks: vec![0; requests.div_ceil(BLOCK) + 1],
            len: 0,
        }
    }

    fn insert(&mut self, at: usize) {
        self.bits.insert(at);
        self.len += 1;
        let mut block = at / BLOCK + 1;
        while let Some(count) = self.blocks.get_mut(block) {
            *count += 1;
            block += block & block.wrapping_neg();
        }
    }

    fn remove(&mut self, at: usize) {
        self.bits.remove(at);
        self.len -= 1;
        let mut block = at / BLOCK + 1;
        while let Some(count) = self.blocks.get_mut(block) {
            *count -= 1;
            block += block & block.wrapping_neg();
        }
    }

    /// How many bits are set behind this place.
    fn after(&self, at: usize) -> usize {
        let mut block = at / BLOCK;
        let mut before = self.bits.count(block * BLOCK, at + 1);
        while block > 0 {
            before += self.blocks[block];
            block &= block - 1;
        }
        (self.len - before) as usize
    }
}
