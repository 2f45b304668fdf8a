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
use super::counts::Counts;

/// Bits in a block.
const BLOCK: usize = 512;
const NEVER: u32 = u32::MAX;

/// The misses of LRU by size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Curve {
    /// Requests.
    pub requests: u64,
    /// Different objects that were requested.
    pub objects: u64,
    /// By distance: the number of requests that hit in every cache of more than this many objects.
    distances: Vec<u64>,
}

impl Curve {
    /// The misses at each of these sizes, which ascend. Cost: one pass over the distances.
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

    /// The counts at each of these sizes, which ascend. Every request counts one byte.
    #[must_use]
    pub fn counts_at(&self, sizes: &[usize]) -> Vec<Counts> {
        let counts = |(misses, &size): (u64, &usize)| Counts {
            requests: self.requests,
            misses,
            bytes: self.requests,
            missed_bytes: misses,
            compulsory: self.objects,
            // Every object that came in and is not in the cache at the end was evicted.
            evicted: misses - self.objects.min(size as u64).min(misses),
            ..Counts::default()
        };
        self.misses_at(sizes)
            .into_iter()
            .zip(sizes)
            .map(counts)
            .collect()
    }
}

/// The curves of LRU for the first `half` requests, and for all.
///
/// # Panics
/// If there are 2^32 requests or more; [`Columns`](crate::trace::Columns) has fewer.
#[must_use]
pub fn lru_curve(ids: &[u32], objects: u32, half: usize) -> [Curve; 2] {
    let mut last = vec![NEVER; objects as usize];
    let mut uses = Uses::new(ids.len());
    let mut curve = Curve {
        requests: 0,
        objects: 0,
        distances: vec![0; objects as usize],
    };
    let mut first = None;
    for (at, &id) in ids.iter().enumerate() {
        if at == half {
            first = Some(curve.clone());
        }
        let place = u32::try_from(at).expect("a trace has fewer than 2^32 - 1 requests");
        let before = std::mem::replace(&mut last[id as usize], place);
        if before == NEVER {
            curve.objects += 1;
        } else {
            curve.distances[uses.after(before as usize)] += 1;
            uses.remove(before as usize);
        }
        curve.requests += 1;
        uses.insert(at);
    }
    [first.unwrap_or_else(|| curve.clone()), curve]
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
