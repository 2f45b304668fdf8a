//! How long requests took: a histogram of bounded size.
//!
//! The times are simulated: how much of the cluster's time passed between submission and outcome. A
//! request that has its outcome in its own instant took none.
//!
//! A bucket holds times that differ by at most a sixteenth. It keeps the smallest and the largest, so
//! a quantile is exact where all times of its bucket are the same, as with fixed delays. There are at
//! most 1,024 buckets, and memory only for those in use.

use std::collections::BTreeMap;
use std::time::Duration;

/// Each power of two has 2 to this power buckets.
const BITS: u32 = 4;

/// The times that requests took. Looks do not count.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    /// The requests that had their outcome in their own instant.
    pub(super) at_once: u64,
    /// The others, by the number of their bucket.
    buckets: BTreeMap<u64, Bucket>,
    pub(super) timeouts: u64,
    pub(super) retries: u64,
}

/// Times of about the same length, in nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    count: u64,
    shortest: u64,
    longest: u64,
}

/// A time that a part of the requests did not exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantile {
    /// The time; if it is not exact, too long by at most a sixteenth.
    pub time: Duration,
    /// Whether it is exact.
    pub is_exact: bool,
}

impl Latencies {
    /// Counts a request.
    pub(super) fn record(&mut self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        if nanos == 0 {
            self.at_once += 1;
            return;
        }
        let none = Bucket {
            count: 0,
            shortest: nanos,
            longest: nanos,
        };
        let bucket = self.buckets.entry(bucket_of(nanos)).or_insert(none);
        bucket.count += 1;
        bucket.shortest = bucket.shortest.min(nanos);
        bucket.longest = bucket.longest.max(nanos);
    }

    /// The requests that had an outcome. One that was abandoned has none.
    #[must_use]
    pub fn requests(&self) -> u64 {
        let others = self.buckets.values().map(|bucket| bucket.count);
        self.at_once + others.sum::<u64>()
    }

    /// The requests that failed because nodes did not answer in time.
    #[must_use]
    pub fn timeouts(&self) -> u64 {
        self.timeouts
    }

    /// How often a client asked another owner, since one was down or did not answer in time.
    #[must_use]
    pub fn retries(&self) -> u64 {
        self.retries
    }

    /// The time that `percent` of the requests, rounded up, did not exceed; `None` without any
    /// request. Cost: O(buckets).
    #[must_use]
    pub fn percentile(&self, percent: u8) -> Option<Quantile> {
        let requests = u128::from(self.requests());
        if requests == 0 {
            return None;
        }
        let rank = (requests * u128::from(percent)).div_ceil(100).max(1);
        let mut passed = u128::from(self.at_once);
        let took_time = rank > passed;
        let mut buckets = self.buckets.values().filter(|_| took_time);
        let found = buckets.find(|bucket| {
            passed += u128::from(bucket.count);
            passed >= rank
        });
        Some(Quantile {
            time: Duration::from_nanos(found.map_or(0, |bucket| bucket.longest)),
            is_exact: found.is_none_or(|bucket| bucket.shortest == bucket.longest),
        })
    }
}

/// The number of the bucket of a time that is not zero.
fn bucket_of(nanos: u64) -> u64 {
    let power = nanos.ilog2();
    let steps = nanos.checked_shr(power.saturating_sub(BITS)).unwrap_or(0);
    (u64::from(power) << BITS) | (steps & ((1 << BITS) - 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(nanos: &[u64]) -> Latencies {
        let mut latencies = Latencies::default();
        for &nanos in nanos {
            latencies.record(Duration::from_nanos(nanos));
        }
        latencies
    }

    #[test]
    fn a_quantile_is_exact_where_times_are_the_same() {
        let quantile = |latencies: &Latencies, percent| {
            let it = latencies.percentile(percent).expect("requests");
            (it.time.as_nanos(), it.is_exact)
        };
        assert_eq!(of(&[]).percentile(50), None);
        let same = of(&[0, 0, 20, 20]);
        assert_eq!(quantile(&same, 50), (0, true));
        assert_eq!(quantile(&same, 51), (20, true));
        let near = of(&[1000, 1001]);
        assert_eq!(quantile(&near, 50), (1001, false));
    }

    proptest! {
        #[test]
        fn a_quantile_is_too_long_by_at_most_a_sixteenth(
            mut times in prop::collection::vec(prop_oneof![0..50_u64, any::<u64>()], 1..50),
            percent in 0..=100_u8,
        ) {
            let found = of(&times).percentile(percent).expect("requests").time.as_nanos();
            times.sort_unstable();
            let rank = (times.len() * usize::from(percent)).div_ceil(100).max(1);
            let exact = u128::from(times[rank - 1]);
            prop_assert!(exact <= found && found <= exact + exact / 16, "{} {}", exact, found);
        }

        #[test]
        fn the_number_of_buckets_is_bounded(nanos in 1..=u64::MAX) {
            prop_assert!(bucket_of(nanos) < 64 << BITS);
        }
    }
}
