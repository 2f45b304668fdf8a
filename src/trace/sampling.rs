//! A sample of the keys of a trace, for traces that are too large to be replayed whole.
//!
//! Spatial sampling (Waldspurger, Park, Garthwaite, Ahmad: *Efficient MRC Construction with SHARDS*,
//! FAST 2015): a key is in the sample if its hash is below a threshold, with all its requests. A lower
//! threshold gives a part of the same sample, so the rate can be halved while a trace is read.
//! Further bits of the hash split the sample into [`GROUPS`] groups, each of which is a sample of its own.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "parts of counts"
)]

use super::numbering::Identity;

/// Groups of a sample.
pub const GROUPS: usize = 8;
/// Requests between two marks.
const MARK: u64 = 4096;
/// The salt of the hash, unless another is asked for.
const SALT: u64 = 0x5eed_0f5a_3b1e_c0de;
/// About how much memory an object takes while a trace is read and replayed, in bytes.
const OBJECT_BYTES: u64 = 40;

/// Which keys of a trace are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// The part of the keys, more than 0 and at most 1.
    pub rate: f64,
    /// The rate is halved while more is kept than this; `None` keeps the rate.
    pub room: Option<Room>,
    /// Samples with different salts have nothing to do with each other.
    pub salt: u64,
}

impl Sampling {
    /// A sample at this rate.
    #[must_use]
    pub fn at(rate: f64) -> Self {
        Self {
            rate,
            room: None,
            salt: SALT,
        }
    }

    /// All keys, or a sample that fits.
    #[must_use]
    pub fn within(room: Room) -> Self {
        Self {
            room: Some(room),
            ..Self::at(1.0)
        }
    }
}

/// How much of a trace is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The most requests.
    pub requests: u64,
    /// The most bytes of memory, for the columns and 40 for each object.
    pub bytes: u64,
}

impl Room {
    /// Whether so much is kept at most.
    pub(super) fn has(self, requests: usize, width: u64, objects: usize) -> bool {
        let (requests, objects) = (requests as u64, objects as u64);
        let bytes = requests.saturating_mul(width) + objects.saturating_mul(OBJECT_BYTES);
        requests <= self.requests && bytes <= self.bytes
    }
}

/// A place in a trace of which a sample is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Requests of the sample before it.
    pub kept: usize,
    /// All requests before it.
    pub requests: u64,
    /// Those of them that are gets; all if the operations are not read.
    pub gets: u64,
    /// The bytes of those; 1 for each if the sizes are not read.
    pub bytes: u64,
}

impl Position {
    /// A place between this one and another, before which so many requests are.
    fn towards(self, next: Self, requests: u64) -> Self {
        let gap = next.since(self);
        let (part, whole) = (
            u128::from(requests - self.requests),
            u128::from(gap.requests),
        );
        let of = |count: u64| (u128::from(count) * part / whole.max(1)) as u64;
        Self {
            kept: self.kept + of(gap.kept as u64) as usize,
            requests,
            gets: self.gets + of(gap.gets),
            bytes: self.bytes + of(gap.bytes),
        }
    }

    /// What lies between an earlier place and this one.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            kept: self.kept - earlier.kept,
            requests: self.requests - earlier.requests,
            gets: self.gets - earlier.gets,
            bytes: self.bytes - earlier.bytes,
        }
    }
}

/// What is known of the whole trace where only a sample of it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The part of the keys that is in the sample: more than 0, less than 1.
    pub rate: f64,
    /// By object: its group, from 0 to 7.
    pub groups: Vec<u8>,
    /// The end of the trace.
    pub whole: Position,
    /// Each 4,096 requests a place.
    marks: Vec<Position>,
}

impl Sample {
    /// The place before which this part of all requests is. Each 4,096 requests it is exact; between
    /// two such places the sample is taken to be spread evenly.
    #[must_use]
    pub fn place(&self, part: f64) -> Position {
        let all = self.whole.requests;
        let requests = ((all as f64 * part.clamp(0.0, 1.0)) as u64).min(all);
        let behind = self.marks.partition_point(|mark| mark.requests <= requests);
        let before = behind.checked_sub(1).map(|at| self.marks[at]);
        let before = before.unwrap_or_default();
        let next = self.marks.get(behind).copied().unwrap_or(self.whole);
        before.towards(next, requests)
    }
}

/// Chooses keys while a trace is read, and counts what it does not keep.
#[derive(Debug)]
pub(super) struct Sampler {
    sampling: Sampling,
    /// A key is kept if its hash is at most this.
    threshold: u64,
    now: Position,
    marks: Vec<Position>,
}

impl Sampler {
    pub(super) fn new(sampling: Sampling) -> Self {
        Self {
            sampling,
            threshold: threshold(sampling.rate),
            now: Position::default(),
            marks: Vec::new(),
        }
    }

    /// Whether a key is in the sample.
    #[inline]
    pub(super) fn keeps(&self, key: Identity) -> bool {
        key.sample_hash(self.sampling.salt) <= self.threshold
    }

    /// Counts requests of the trace; `kept` are those that the sample had before them.
    #[inline]
    pub(super) fn count(&mut self, requests: u64, gets: u64, bytes: u64, kept: usize) {
        if self.now.requests >= self.marks.len() as u64 * MARK {
            self.now.kept = kept;
            self.marks.push(self.now);
        }
        self.now.requests = self.now.requests.saturating_add(requests);
        self.now.gets = self.now.gets.saturating_add(gets);
        self.now.bytes = self.now.bytes.saturating_add(bytes);
    }

    /// Halves the rate, and returns the new number of each key; `u32::MAX` if it is not kept. `ids` is
    /// what was kept so far.
    pub(super) fn halve(&mut self, keys: impl Iterator<Item = Identity>, ids: &[u32]) -> Vec<u32> {
        self.sampling.rate /= 2.0;
        self.threshold = threshold(self.sampling.rate);
        let mut next = 0;
        let numbers = keys.map(|key| {
            if !self.keeps(key) {
                return u32::MAX;
            }
            next += 1;
            next - 1
        });
        let numbers: Vec<u32> = numbers.collect();
        let (mut from, mut kept) = (0, 0);
        for mark in &mut self.marks {
            let ids = ids[from..mark.kept].iter();
            kept += ids.filter(|&&id| numbers[id as usize] != u32::MAX).count();
            from = std::mem::replace(&mut mark.kept, kept);
        }
        numbers
    }

    /// What is known in the end.
    pub(super) fn finish(self, keys: impl Iterator<Item = Identity>, kept: usize) -> Sample {
        let group = |key: Identity| {
            let bits = key.sample_hash(self.sampling.salt) % GROUPS as u64;
            u8::try_from(bits).unwrap_or(0)
        };
        Sample {
            rate: self.sampling.rate,
            groups: keys.map(group).collect(),
            whole: Position { kept, ..self.now },
            marks: self.marks,
        }
    }
}

/// The highest hash of a key in a sample of this rate.
fn threshold(rate: f64) -> u64 {
    const HASHES: f64 = 18_446_744_073_709_551_616.0;
    if rate >= 1.0 {
        return u64::MAX;
    }
    (rate * HASHES) as u64
}
