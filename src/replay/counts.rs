//! What a replay counts.

use std::ops::{Add, AddAssign, Sub};

/// Counts of a replay, or of a part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that count: gets.
    pub requests: u64,
    /// Requests that found nothing.
    pub misses: u64,
    /// Bytes that were requested; a request without a size counts 1.
    pub bytes: u64,
    /// Bytes of the requests that found nothing.
    pub missed_bytes: u64,
    /// Misses of objects that were requested for the first time.
    pub compulsory: u64,
    /// Misses of objects that left the cache because of their TTL.
    pub expired_misses: u64,
    /// Misses of objects that were there, but one before them in their request was not.
    pub prefix_misses: u64,
    /// Requests that no node answered. Each is a miss, too.
    pub failed: u64,
    /// Objects that left because of their TTL.
    pub expired: u64,
    /// Objects that were evicted.
    pub evicted: u64,
}

impl Counts {
    /// Misses by requests, from 0 to 1; 0 without requests.
    #[must_use]
    pub fn miss_ratio(&self) -> f64 {
        ratio(self.misses, self.requests)
    }

    /// Misses of objects that were stored before and had to make room: neither first requests nor
    /// expired, failed or cut off from their prefix.
    #[must_use]
    pub fn capacity_misses(&self) -> u64 {
        let others = self.compulsory + self.expired_misses + self.prefix_misses + self.failed;
        self.misses.saturating_sub(others)
    }

    /// Missed bytes by requested bytes, from 0 to 1; 0 without requests.
    #[must_use]
    pub fn byte_miss_ratio(&self) -> f64 {
        ratio(self.missed_bytes, self.bytes)
    }
}

/// The counts of a simulation: of the first half, and of all, without the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Halves {
    /// The first half.
    pub first: Counts,
    /// Both halves.
    pub all: Counts,
}

/// A part of a whole as a ratio.
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            misses: self.misses + other.misses,
            bytes: self.bytes + other.bytes,
            missed_bytes: self.missed_bytes + other.missed_bytes,
            compulsory: self.compulsory + other.compulsory,
            expired_misses: self.expired_misses + other.expired_misses,
            prefix_misses: self.prefix_misses + other.prefix_misses,
            failed: self.failed + other.failed,
            expired: self.expired + other.expired,
            evicted: self.evicted + other.evicted,
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Counts {
    type Output = Self;

    /// The counts since `earlier`.
    fn sub(self, earlier: Self) -> Self {
        Self {
            requests: self.requests - earlier.requests,
            misses: self.misses - earlier.misses,
            bytes: self.bytes - earlier.bytes,
            missed_bytes: self.missed_bytes - earlier.missed_bytes,
            compulsory: self.compulsory - earlier.compulsory,
            expired_misses: self.expired_misses - earlier.expired_misses,
            prefix_misses: self.prefix_misses - earlier.prefix_misses,
            failed: self.failed - earlier.failed,
            expired: self.expired - earlier.expired,
            evicted: self.evicted - earlier.evicted,
        }
    }
}
