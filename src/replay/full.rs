//! The full simulation: sizes in bytes, operations as recorded, TTLs.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use super::bits::Bits;
use super::counts::Counts;
use super::prefix::Prefix;
use super::simulation::Simulation;
use super::{Expiry, Ops, Rules, Ttl};
use crate::eviction::{EvictionPolicy, Slot};
use crate::time::Instant;
use crate::trace::{Columns, Op};

/// The deadline of an object that has none.
const NEVER: u64 = u64::MAX;

/// A deadline, and the request that sets it.
#[derive(Clone, Copy)]
struct Deadline {
    /// Nanoseconds, or `NEVER`.
    nanos: u64,
    /// The place of the request.
    set_at: u32,
}

impl Deadline {
    fn instant(self) -> Option<Instant> {
        (self.nanos != NEVER).then(|| Instant::from_nanos(self.nanos))
    }
}

/// How a cache is bounded.
#[derive(Clone, Copy)]
pub struct Bounds {
    /// Objects, or bytes.
    pub capacity: u64,
    /// Whether the capacity is in bytes.
    pub by_bytes: bool,
    /// A larger object is not stored.
    pub largest: u64,
    /// Whether an object is inserted before others are evicted for it.
    pub inserts_first: bool,
}

/// A cache with a capacity in objects or bytes.
pub struct Full<P, K> {
    policy: P,
    key: K,
    bounds: Bounds,
    rules: Rules,
    resident: Bits,
    /// Objects whose last deadline has come before they were evicted.
    expired: Bits,
    /// By object: its size in the cache. Empty by objects.
    sizes: Vec<u64>,
    /// By object: nanoseconds. Empty without TTLs.
    deadlines: Vec<u64>,
    /// Deadlines that may still count, each with the place of the request that set it: of equal ones
    /// the oldest comes first, as in a store.
    due: BinaryHeap<Reverse<(u64, u32, Slot)>>,
    /// Objects, or bytes.
    used: u64,
    seen: Slot,
    prefix: Prefix,
    counts: Counts,
}

impl<P: EvictionPolicy, K: Fn(Slot) -> u64> Full<P, K> {
    pub fn new(mut policy: P, key: K, objects: u32, bounds: Bounds, rules: Rules) -> Self {
        policy.resize(usize::try_from(bounds.capacity).unwrap_or(usize::MAX));
        let objects = objects as usize;
        let with_ttls = rules.ttl != Ttl::None;
        Self {
            policy,
            key,
            bounds,
            rules,
            resident: Bits::new(objects),
            expired: Bits::new(objects),
            sizes: vec![0; if bounds.by_bytes { objects } else { 0 }],
            deadlines: vec![NEVER; if with_ttls { objects } else { 0 }],
            due: BinaryHeap::new(),
            used: 0,
            seen: 0,
            prefix: Prefix::default(),
            counts: Counts::default(),
        }
    }

    fn size(&self, object: Slot) -> u64 {
        self.sizes.get(object as usize).copied().unwrap_or(1)
    }

    /// Objects whose deadline has come leave.
    fn expire(&mut self, now: u64) {
        while let Some(&Reverse((deadline, _, object))) = self.due.peek()
            && deadline <= now
        {
            self.due.pop();
            if self.resident.has(object as usize) && self.deadlines[object as usize] == deadline {
                self.expire_one(object);
            }
        }
    }

    fn expire_one(&mut self, object: Slot) {
        self.policy.remove(object);
        self.left(object);
        self.expired.insert(object as usize);
        self.counts.expired += 1;
    }

    fn left(&mut self, object: Slot) {
        self.resident.remove(object as usize);
        self.used -= self.size(object);
    }

    fn evicted(&mut self, victim: Option<Slot>) {
        if let Some(victim) = victim {
            self.left(victim);
            self.counts.evicted += 1;
        }
    }

    /// Whether an object is in the cache at this time.
    fn has(&mut self, object: Slot, now: u64) -> bool {
        if !self.resident.has(object as usize) {
            return false;
        }
        let is_due = self
            .deadlines
            .get(object as usize)
            .is_some_and(|&it| it <= now);
        if is_due {
            self.expire_one(object);
        }
        !is_due
    }

    fn access(&mut self, object: Slot) {
        let pushed = self.policy.access(object);
        self.evicted(pushed);
    }

    fn remove(&mut self, object: Slot) {
        if self.resident.has(object as usize) {
            self.policy.remove(object);
            self.left(object);
        }
        self.expired.remove(object as usize);
    }

    /// Stores an object that is not in the cache.
    fn store(&mut self, object: Slot, size: u64, deadline: Deadline) {
        let size = if self.bounds.by_bytes { size } else { 1 };
        self.expired.remove(object as usize);
        let key = (self.key)(object);
        self.policy.announce_size(size);
        self.policy.admit(key);
        if size > self.bounds.largest {
            return;
        }
        if !self.bounds.inserts_first && !self.make_room(size) {
            return;
        }
        self.insert(object, key, size, deadline);
        if self.bounds.inserts_first {
            self.make_room(0);
        }
    }

    /// Evicts until `size` more fits; `false` if the policy names no victim.
    fn make_room(&mut self, size: u64) -> bool {
        while self.used.saturating_add(size) > self.bounds.capacity {
            let victim = self.policy.evict();
            if victim.is_none() {
                return false;
            }
            self.evicted(victim);
        }
        true
    }

    fn insert(&mut self, object: Slot, key: u64, size: u64, deadline: Deadline) {
        if let Some(place) = self.sizes.get_mut(object as usize) {
            *place = size;
        }
        self.resident.insert(object as usize);
        self.used += size;
        let pushed = self.policy.insert(object, key);
        if let Some(place) = self.deadlines.get_mut(object as usize) {
            *place = deadline.nanos;
            if deadline.nanos != NEVER {
                self.policy.set_deadline(object, deadline.instant());
                self.note_deadline(object, deadline);
            }
        }
        self.evicted(pushed);
    }

    /// Notes a deadline. Deadlines that no longer count are dropped when they are most of all.
    fn note_deadline(&mut self, object: Slot, deadline: Deadline) {
        if self.rules.expiry == Expiry::Lazy {
            return;
        }
        let Deadline { nanos, set_at } = deadline;
        self.due.push(Reverse((nanos, set_at, object)));
        if self.due.len() > 64 && self.due.len() > 4 * self.deadlines.len() {
            let (resident, deadlines) = (&self.resident, &self.deadlines);
            self.due.retain(|&Reverse((deadline, _, object))| {
                resident.has(object as usize) && deadlines[object as usize] == deadline
            });
        }
    }

    /// A get; `true` if the object is in the cache.
    fn get(&mut self, object: Slot, now: u64, size: u64, follows: bool) -> bool {
        self.counts.requests += 1;
        self.counts.bytes += size;
        let is_there = self.has(object, now);
        if is_there {
            self.access(object);
        }
        if self.prefix.hits(follows, is_there) {
            return is_there;
        }
        self.counts.misses += 1;
        self.counts.missed_bytes += size;
        if is_there {
            self.counts.prefix_misses += 1;
        } else if object >= self.seen {
            self.counts.compulsory += 1;
        } else if self.expired.has(object as usize) {
            self.counts.expired_misses += 1;
        }
        is_there
    }

    fn set(&mut self, object: Slot, now: u64, size: u64, deadline: Deadline) {
        let keeps_size = !self.bounds.by_bytes || self.size(object) == size;
        if self.has(object, now) && keeps_size {
            self.access(object);
            if let Some(place) = self.deadlines.get_mut(object as usize)
                && self.resident.has(object as usize)
            {
                *place = deadline.nanos;
                self.policy.set_deadline(object, deadline.instant());
                if deadline.nanos != NEVER {
                    self.note_deadline(object, deadline);
                }
            }
            return;
        }
        self.remove(object);
        self.store(object, size, deadline);
    }

    fn deadline(&self, trace: &Columns, at: usize, now: u64) -> Deadline {
        let ttl = self.rules.ttl.nanos(trace, at);
        Deadline {
            nanos: ttl.and_then(|ttl| now.checked_add(ttl)).unwrap_or(NEVER),
            set_at: u32::try_from(at).unwrap_or(u32::MAX),
        }
    }

    fn request(&mut self, trace: &Columns, at: usize) {
        let object = trace.ids[at];
        let now = trace.times.get(at).copied().unwrap_or(0);
        let size = trace.sizes.get(at).unwrap_or(1);
        self.expire(now);
        match self.rules.ops.of(trace, at) {
            Op::Get => {
                let follows = trace.follows.get(at).copied().unwrap_or(false);
                let is_there = self.get(object, now, size, follows);
                if !is_there && self.rules.ops == Ops::Fill {
                    self.store(object, size, self.deadline(trace, at, now));
                }
            }
            Op::Add if self.has(object, now) => {}
            Op::Set | Op::Add => {
                let deadline = self.deadline(trace, at, now);
                self.set(object, now, size, deadline);
            }
            Op::Delete => self.remove(object),
        }
        self.seen = self.seen.max(object + 1);
    }
}

impl<P: EvictionPolicy, K: Fn(Slot) -> u64 + Send> Simulation for Full<P, K> {
    fn run(&mut self, trace: &Columns, range: Range<usize>) {
        for at in range {
            self.request(trace, at);
        }
    }

    fn pass_to(&mut self, now: u64) {
        self.expire(now);
    }

    fn counts(&self) -> Counts {
        self.counts
    }
}
