//! The timing wheel: which slots are due when, exact to the nanosecond and in order.
//!
//! A hierarchical wheel (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987,
//! scheme 7): 8 levels of 64 buckets. A *tick* is 2^20 ns, about a millisecond. The highest of the
//! 6-bit digits in which a deadline's tick differs from the present tick selects the level, and the
//! digit itself the bucket. So slots with equal deadlines are in the same bucket at every moment, and
//! they leave in the order in which they were added, because buckets are emptied downwards in order.
//! Within a tick, slots are sorted by their deadline when the tick is reached.
//!
//! The slab holds each slot's position in its bucket. Cancelling clears a bit there: see
//! [`BucketSlots`].
//!
//! Cost: insert and cancel O(1); a slot moves down at most 7 times before it is due.

#![allow(clippy::cast_possible_truncation, reason = "digits have 6 bits")]

use std::collections::VecDeque;
use std::mem;

use super::Slot;
use super::bucket_slots::BucketSlots;
use super::slab::Slab;
use crate::time::Instant;

/// log2 of a tick in nanoseconds.
const TICK_BITS: u32 = 20;
/// log2 of the buckets in a level.
const DIGIT_BITS: u32 = 6;
const BUCKETS: usize = 1 << DIGIT_BITS;
/// 8 digits of 6 bits hold the 44 bits of a tick.
const LEVELS: usize = 8;

#[derive(Clone, Default)]
struct Level {
    /// Empty until the level is first used, then 64 buckets.
    buckets: Vec<BucketSlots>,
    /// Bit n is set if bucket n is not empty.
    occupied: u64,
}

/// The slots that have a deadline, by when they are due. Inserting and cancelling are O(1).
#[derive(Clone, Default)]
pub(super) struct Wheel {
    levels: [Level; LEVELS],
    /// The present tick. Every slot is in the bucket of this tick or of a later one.
    tick: u64,
    /// At or before the earliest deadline; `None` if nothing is scheduled.
    next: Option<Instant>,
    /// How many slots there are, and the sum of their deadlines in nanoseconds.
    total: (u64, u128),
}

fn tick_of(instant: Instant) -> u64 {
    instant.as_nanos() >> TICK_BITS
}

/// The level and the bucket of `tick` while the present tick is `present`.
fn bucket_of(tick: u64, present: u64) -> (usize, usize) {
    let differing = (tick ^ present).checked_ilog2().unwrap_or(0);
    let level = differing / DIGIT_BITS;
    (level as usize, digit(tick, level as usize))
}

fn digit(tick: u64, level: usize) -> usize {
    (tick >> (DIGIT_BITS * level as u32)) as usize & (BUCKETS - 1)
}

impl Wheel {
    /// An empty wheel whose present tick is that of `now`.
    pub(super) fn starting_at(now: Instant) -> Self {
        Self {
            tick: tick_of(now),
            ..Self::default()
        }
    }

    /// The start of the present tick.
    pub(super) fn now(&self) -> Instant {
        Instant::from_nanos(self.tick << TICK_BITS)
    }

    /// An instant at or before the earliest deadline; `None` if nothing is scheduled.
    #[inline]
    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Schedules a slot that is not scheduled, after all others with the same deadline.
    pub(super) fn insert(&mut self, slot: Slot, deadline: Instant, slab: &mut Slab) {
        self.file(slot, deadline, slab);
        self.total.0 += 1;
        self.total.1 += u128::from(deadline.as_nanos());
        self.next = Some(self.next.map_or(deadline, |next| next.min(deadline)));
    }

    /// How many slots are scheduled, and the sum of their deadlines in nanoseconds.
    #[cfg(feature = "shell")]
    pub(super) fn total(&self) -> (u64, u128) {
        self.total
    }

    fn discount(&mut self, deadline: Instant) {
        self.total.0 -= 1;
        self.total.1 -= u128::from(deadline.as_nanos());
    }

    fn file(&mut self, slot: Slot, deadline: Instant, slab: &mut Slab) {
        let tick = tick_of(deadline).max(self.tick);
        let (level, bucket) = bucket_of(tick, self.tick);
        let level = &mut self.levels[level];
        if level.buckets.is_empty() {
            level.buckets.resize_with(BUCKETS, BucketSlots::default);
        }
        level.occupied |= 1 << bucket;
        let bucket = &mut level.buckets[bucket];
        if bucket.is_sparse() {
            pack(bucket, slab);
        }
        slab.set_timer(slot, deadline, bucket.push(slot));
    }

    /// Removes a slot and its deadline, if it has one.
    pub(super) fn cancel(&mut self, slot: Slot, slab: &mut Slab) {
        let Some((deadline, position)) = slab.timer(slot) else {
            return;
        };
        slab.clear_timer(slot);
        self.discount(deadline);
        let tick = tick_of(deadline).max(self.tick);
        let (level, bucket) = bucket_of(tick, self.tick);
        let level = &mut self.levels[level];
        level.buckets[bucket].remove(position);
        if level.buckets[bucket].len() == 0 {
            level.occupied &= !(1 << bucket);
            if self.levels.iter().all(|level| level.occupied == 0) {
                self.next = None;
            }
        }
    }

    /// Moves the present to `now`. Slots with a deadline at or before it leave the wheel and are
    /// appended to `due`, by deadline, and by order of scheduling where deadlines are equal. The
    /// present tick never goes back, even if `now` does.
    pub(super) fn advance(
        &mut self,
        now: Instant,
        slab: &mut Slab,
        due: &mut VecDeque<(Instant, Slot)>,
    ) {
        if self.next.is_none_or(|next| next > now) {
            return;
        }
        let target = tick_of(now).max(self.tick);
        while let Some((level, bucket, start)) = self.earliest() {
            if start > target {
                break;
            }
            self.tick = start;
            self.levels[level].occupied &= !(1 << bucket);
            let bucket = mem::take(&mut self.levels[level].buckets[bucket]);
            if level == 0 {
                self.fire(&bucket, now, slab, due);
                if start == target {
                    break;
                }
            } else {
                for slot in bucket.iter() {
                    let deadline = slab.deadline(slot).unwrap_or_default();
                    self.file(slot, deadline, slab);
                }
            }
        }
        self.tick = target;
        self.next = self.earliest_deadline(slab);
    }

    /// Makes the slots of a bucket of the present tick due, except those with a deadline after `now`.
    fn fire(
        &mut self,
        bucket: &BucketSlots,
        now: Instant,
        slab: &mut Slab,
        due: &mut VecDeque<(Instant, Slot)>,
    ) {
        let first = due.len();
        for slot in bucket.iter() {
            let deadline = slab.deadline(slot).unwrap_or_default();
            if deadline <= now {
                slab.clear_timer(slot);
                self.discount(deadline);
                due.push_back((deadline, slot));
            } else {
                self.file(slot, deadline, slab);
            }
        }
        due.make_contiguous()[first..].sort_by_key(|&(deadline, _)| deadline);
    }

    /// The earliest bucket that is not empty: its level, its number, and the tick at which it starts.
    fn earliest(&self) -> Option<(usize, usize, u64)> {
        // Every tick on a level comes before all ticks on higher levels.
        let level = (0..LEVELS).find(|&level| self.levels[level].occupied != 0)?;
        let bucket = self.levels[level].occupied.trailing_zeros() as usize;
        let shift = DIGIT_BITS * level as u32;
        let above = self.tick >> shift >> DIGIT_BITS << DIGIT_BITS;
        Some((level, bucket, (above | bucket as u64) << shift))
    }

    /// The earliest deadline on the lowest level; above, the start of the earliest bucket.
    fn earliest_deadline(&self, slab: &Slab) -> Option<Instant> {
        let (level, bucket, start) = self.earliest()?;
        if level > 0 {
            return Some(Instant::from_nanos(start << TICK_BITS));
        }
        let slots = self.levels[0].buckets[bucket].iter();
        slots.filter_map(|slot| slab.deadline(slot)).min()
    }

    /// Slots in memory, those included that were cancelled and not yet dropped.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        let buckets = self.levels.iter().flat_map(|level| &level.buckets);
        buckets.map(BucketSlots::held).sum()
    }

    /// Recounts: every occupied slot with a deadline is in its bucket, once, and nothing else is.
    #[cfg(test)]
    pub(super) fn validate(&self, slab: &Slab, slots: &[Slot]) {
        let mut scheduled = 0;
        for &slot in slots {
            let Some((deadline, position)) = slab.timer(slot) else {
                assert_eq!(slab.deadline(slot), None, "a deadline has a timer");
                continue;
            };
            scheduled += 1;
            let (level, bucket) = bucket_of(tick_of(deadline).max(self.tick), self.tick);
            let found = self.levels[level].buckets[bucket].get(position);
            assert_eq!(found, Some(slot), "the slab has the position in the wheel");
            assert!(self.next.is_some_and(|next| next <= deadline), "next");
        }
        let mut held = 0;
        for level in &self.levels {
            for (number, bucket) in level.buckets.iter().enumerate() {
                let live = bucket.iter().count();
                assert_eq!(live, bucket.len(), "the length of a bucket");
                assert!(bucket.held() <= 2 * live, "buckets are packed");
                assert_eq!(level.occupied >> number & 1 == 1, live > 0, "occupied");
                held += live;
            }
        }
        assert_eq!(held, scheduled, "the wheel holds what is scheduled");
        let deadlines = slots.iter().filter_map(|&slot| slab.deadline(slot));
        let sum = deadlines.map(|it| u128::from(it.as_nanos())).sum();
        assert_eq!(self.total, (scheduled as u64, sum), "the totals");
    }
}

/// Gives all slots of a bucket new positions; the order stays.
fn pack(bucket: &mut BucketSlots, slab: &mut Slab) {
    for slot in mem::take(bucket).iter() {
        if let Some(deadline) = slab.deadline(slot) {
            slab.set_timer(slot, deadline, bucket.push(slot));
        }
    }
}

#[cfg(test)]
mod tests;
