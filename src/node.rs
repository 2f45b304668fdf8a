//! One node of a cluster: a store, the policy that chooses what leaves it when it is full, and its
//! counts.
//!
//! A node owns no clock and no log: both come with each call. Its own clock may be wrong in a
//! cluster, so the core has two instants: `local`, by which entries expire, and `at`, which events
//! carry.

mod capacity;

use crate::config::Capacity;
use crate::event::{Event, EventKind, EventLog};
use crate::eviction::{EvictionPolicy, Slot};
use crate::hash::{Hashed, rapidhash};
pub use crate::hot::{Hot, HotKey};
use crate::id::NodeId;
use crate::operation::PutError;
use crate::stats::Stats;
use crate::store::{self, Found, Full, Store};
use crate::time::Instant;

/// Why an entry leaves a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Its deadline came.
    Expired,
    /// The policy chose it to make room.
    Evicted,
    /// A client deleted it.
    Deleted,
    /// A later write took its place.
    Replaced,
    /// Its new owners have it.
    Moved,
    /// No other node has it.
    Lost,
}

/// How an entry comes into a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A client wrote it. That is a request for the key.
    Client,
    /// Another node had it. That is no request.
    Copy,
    /// Another node had it, and the key moves here. Until [`Node::end_move`] it counts against no
    /// capacity, since what it replaces may not have left yet.
    Move,
}

/// A single-threaded cache with an id.
///
/// The policy is chosen at run time by default, and at compile time where speed matters:
///
/// ```
/// use shardlab::config::Capacity;
/// use shardlab::event::EventLog;
/// use shardlab::eviction::Lru;
/// use shardlab::id::NodeId;
/// use shardlab::node::Node;
/// use shardlab::time::Instant;
///
/// let mut log = EventLog::new(100);
/// let mut node = Node::<Lru>::new(NodeId(0));
/// node.bound(Instant::START, Capacity::entries(2), Lru::default(), &mut log);
/// for key in [b"a", b"b", b"c"] {
///     node.put(Instant::START, key, b"value", None, &mut log)?;
/// }
/// // a was the least recently used when c came.
/// assert_eq!(node.get(Instant::START, b"a", &mut log), None);
/// # Ok::<(), shardlab::operation::PutError>(())
/// ```
#[derive(Clone)]
pub struct Node<P: EvictionPolicy = Box<dyn EvictionPolicy>> {
    id: NodeId,
    store: Store,
    capacity: Capacity,
    /// The entries that came by a move that is not over. They count against no capacity.
    moved_in: Usage,
    /// Knows every entry, as long as the capacity has a bound.
    policy: Option<P>,
    /// The capacity in entries that the policy knows.
    policy_size: usize,
    hits: u64,
    misses: u64,
    expired: u64,
    evicted: u64,
    /// Counts the most requested keys, unless that is off.
    hot: Option<Box<Hot>>,
}

/// Entries and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub entries: u64,
    pub bytes: u64,
}

impl Usage {
    /// Adds an entry with a key and a value of these lengths.
    pub(crate) fn add(&mut self, key: usize, value: usize) {
        self.entries += 1;
        self.bytes += store::cost(key, value) as u64;
    }

    /// Whether a node of this capacity can hold it.
    pub(crate) fn fits(&self, capacity: Capacity) -> bool {
        capacity.entries.is_none_or(|most| self.entries <= most)
            && capacity.bytes.is_none_or(|most| self.bytes <= most)
    }
}

/// What [`Node::peek`] sees of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The value.
    pub value: &'a [u8],
    /// When it expires; `None`: never.
    pub deadline: Option<Instant>,
}

impl<P: EvictionPolicy> Node<P> {
    /// An empty node without bounds.
    #[must_use]
    pub fn new(id: NodeId) -> Self {
        Self {
            id,
            store: Store::default(),
            capacity: Capacity::default(),
            moved_in: Usage::default(),
            policy: None,
            policy_size: 0,
            hits: 0,
            misses: 0,
            expired: 0,
            evicted: 0,
            hot: None,
        }
    }

    /// The node's number.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// The number of entries, including those that are due.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.store.len() as u64
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.store.len() == 0
    }

    /// Counts the most requested keys from now on, with so many counters; 0 turns it off.
    pub fn watch_hot_keys(&mut self, counters: usize) {
        self.hot = (counters > 0).then(|| Box::new(Hot::new(counters)));
    }

    /// The most requested keys, if they are counted. Requests are GETs, and writes to keys that are
    /// present: loading a cache makes nothing hot.
    #[must_use]
    pub fn hot(&self) -> Option<&Hot> {
        self.hot.as_deref()
    }

    /// Stores a value under a key, in place of an older value and its deadline.
    ///
    /// # Errors
    /// [`PutError`]; nothing has changed then.
    pub fn put(
        &mut self,
        now: Instant,
        key: &[u8],
        value: &[u8],
        deadline: Option<Instant>,
        log: &mut EventLog,
    ) -> Result<(), PutError> {
        self.tick(now, log);
        self.store(now, key, value, deadline, Origin::Client, log)?;
        Ok(())
    }

    /// The value under a key. Counts as a hit or a miss, and as an access.
    #[inline]
    pub fn get(&mut self, now: Instant, key: &[u8], log: &mut EventLog) -> Option<&[u8]> {
        self.tick(now, log);
        let found = self.look_up(now, key, log)?;
        Some(self.store.value_of(found))
    }

    /// Removes a key; `true` if it was present.
    pub fn delete(&mut self, now: Instant, key: &[u8], log: &mut EventLog) -> bool {
        self.tick(now, log);
        let slot = self.slot_of(key);
        if let Some(slot) = slot {
            self.remove(now, slot, Cause::Deleted, log);
        }
        slot.is_some()
    }

    /// The entry under `key`. Does not count as a hit, a miss or an access.
    pub fn peek(&mut self, now: Instant, key: &[u8], log: &mut EventLog) -> Option<Entry<'_>> {
        self.tick(now, log);
        let slot = self.slot_of(key)?;
        Some(self.entry(slot).1)
    }

    /// Removes what has expired at `now`.
    #[inline]
    pub fn tick(&mut self, now: Instant, log: &mut EventLog) {
        if self.next_deadline().is_some_and(|next| next <= now) {
            self.expire_due(now, log);
        }
    }

    #[inline(never)]
    fn expire_due(&mut self, now: Instant, log: &mut EventLog) {
        while let Some(deadline) = self.next_due(now) {
            self.expire_next(deadline, log);
        }
    }

    /// An instant at or before the earliest deadline; `None` if no entry has one.
    #[inline]
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.store.next_deadline()
    }

    /// Prefetches what look-ups of these keys need into the processor's cache. Pays off for 16 to
    /// 32 keys of a store that is larger than the cache; more than 32 are ignored.
    pub fn look_ahead<K: AsRef<[u8]>>(&self, keys: &[K]) {
        look_ahead(keys.iter().map(|key| (self, rapidhash(key.as_ref()))));
    }

    /// Gives an entry another deadline, or none.
    #[cfg(test)]
    pub(crate) fn set_deadline(&mut self, slot: Slot, deadline: Option<Instant>) {
        self.store.set_deadline(slot, deadline);
        if let Some(policy) = &mut self.policy {
            policy.set_deadline(slot, deadline);
        }
    }

    /// Removes everything, without an event; returns the number of entries.
    pub fn clear(&mut self) -> u64 {
        let removed = self.len();
        if let Some(policy) = &mut self.policy {
            self.store.slots().for_each(|slot| policy.remove(slot));
        }
        self.store.clear();
        self.moved_in = Usage::default();
        removed
    }

    /// Starts to count anew.
    pub fn reset_counts(&mut self) {
        (self.hits, self.misses) = (0, 0);
        (self.evicted, self.expired) = (0, 0);
        if let Some(hot) = &mut self.hot {
            hot.clear();
        }
    }

    /// The keys of all entries, including those that are due, in no meaningful order.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> + '_ {
        self.store.slots().map(|slot| self.store.key(slot))
    }

    /// The contents and the counts, including entries that are due.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            keys: self.len(),
            bytes: self.store.bytes() as u64,
            hits: self.hits,
            misses: self.misses,
            evicted: self.evicted,
            expired: self.expired,
            ..Stats::default()
        }
    }

    /// How many entries have a deadline that is not due, and the sum of these in nanoseconds, on the
    /// node's own clock.
    #[cfg(feature = "shell")]
    pub(crate) fn deadlines(&self) -> (u64, u128) {
        self.store.deadlines()
    }

    /// The difference between the counts and a recount of the entries, if there is one.
    pub(crate) fn miscounted(&self) -> Option<String> {
        let mut real = Usage::default();
        for slot in self.store.slots() {
            real.add(self.store.key(slot).len(), self.store.value(slot).len());
        }
        let Stats { keys, bytes, .. } = self.stats();
        let Usage {
            entries,
            bytes: size,
        } = real;
        ((keys, bytes) != (entries, size)).then(|| {
            let id = self.id;
            format!("node {id} counts {keys} entries of {bytes} bytes and has {entries} of {size}")
        })
    }

    /// The deadline of the next entry to expire at or before `local`.
    pub(crate) fn next_due(&mut self, local: Instant) -> Option<Instant> {
        self.store.load_due(local);
        self.store.peek_due().map(|(deadline, _)| deadline)
    }

    /// The entry that [`Node::next_due`] announced: its deadline and slot.
    pub(crate) fn peek_due(&self) -> Option<(Instant, Slot)> {
        self.store.peek_due()
    }

    /// Expires the entry that [`Node::next_due`] announced.
    pub(crate) fn expire_next(&mut self, at: Instant, log: &mut EventLog) {
        if let Some((deadline, slot)) = self.store.next_due() {
            self.log_removal(at, slot, EventKind::Expired, Some(deadline), log);
            self.take_out(slot, Cause::Expired);
        }
    }

    /// Drops the entry that [`Node::next_due`] announced, without an event: it has moved.
    pub(crate) fn drop_next(&mut self) {
        if let Some((_, slot)) = self.store.next_due() {
            self.take_out(slot, Cause::Moved);
        }
    }

    /// The one way by which single entries leave. Policy, counts and log follow from the cause.
    pub(crate) fn remove(&mut self, at: Instant, slot: Slot, cause: Cause, log: &mut EventLog) {
        match cause {
            Cause::Evicted => self.log_removal(at, slot, EventKind::Evicted, None, log),
            Cause::Lost => self.log_removal(at, slot, EventKind::Lost, None, log),
            Cause::Expired | Cause::Deleted | Cause::Replaced | Cause::Moved => {}
        }
        self.take_out(slot, cause);
    }

    fn log_removal(
        &self,
        at: Instant,
        slot: Slot,
        kind: EventKind,
        deadline: Option<Instant>,
        log: &mut EventLog,
    ) {
        let (node, key) = (self.id, self.store.key(slot));
        log.record(|| Event::of_key(at, node, kind, key, deadline));
    }

    fn take_out(&mut self, slot: Slot, cause: Cause) {
        match cause {
            Cause::Expired => self.expired += 1,
            Cause::Evicted => self.evicted += 1,
            Cause::Deleted | Cause::Replaced | Cause::Moved | Cause::Lost => {}
        }
        // The policy has forgotten its own victims.
        if let Some(policy) = self.policy.as_mut().filter(|_| cause != Cause::Evicted) {
            policy.remove(slot);
        }
        self.store.remove(slot);
    }

    /// The first occupied slot from `slot` on.
    pub(crate) fn slot_from(&self, slot: Slot) -> Option<Slot> {
        self.store.slot_from(slot)
    }

    /// All occupied slots, in ascending order.
    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> + '_ {
        self.store.slots()
    }

    /// The slot that holds `key`.
    #[inline]
    pub(crate) fn slot_of(&self, key: &[u8]) -> Option<Slot> {
        self.slot_of_hashed(Hashed::of(key))
    }

    /// The same for a key whose hash is known.
    #[inline]
    pub(crate) fn slot_of_hashed(&self, key: Hashed<'_>) -> Option<Slot> {
        let found = self.store.find(key.hash, key.key)?;
        Some(found.slot)
    }

    /// The key and the entry in an occupied slot.
    pub(crate) fn entry(&self, slot: Slot) -> (&[u8], Entry<'_>) {
        let entry = Entry {
            value: self.store.value(slot),
            deadline: self.store.deadline(slot),
        };
        (self.store.key(slot), entry)
    }

    /// The version of the write in an occupied slot; 1 until versions are kept.
    #[inline]
    pub(crate) fn version(&self, slot: Slot) -> u64 {
        self.store.version(slot)
    }

    /// Sets the version of the write in a slot. Every owner of the key may not have it yet.
    #[inline]
    pub(crate) fn set_version(&mut self, slot: Slot, version: u64) {
        self.store.set_version(slot, version);
    }

    /// Whether versions are kept: from the first time that one was set.
    #[inline]
    pub(crate) fn has_versions(&self) -> bool {
        self.store.has_versions()
    }

    /// Whether every owner of the key is known to have the write in a slot.
    pub(crate) fn is_settled(&self, slot: Slot) -> bool {
        self.store.settled(slot)
    }

    /// Notes that every owner of the key has the write in a slot.
    pub(crate) fn settle(&mut self, slot: Slot) {
        self.store.settle(slot);
    }

    /// Stores an entry and returns its slot. Entries that are due must have expired.
    ///
    /// # Errors
    /// [`PutError`]; nothing has changed then.
    pub(crate) fn store(
        &mut self,
        at: Instant,
        key: &[u8],
        value: &[u8],
        deadline: Option<Instant>,
        origin: Origin,
        log: &mut EventLog,
    ) -> Result<Slot, PutError> {
        self.store_hashed(at, Hashed::of(key), value, deadline, origin, log)
    }

    /// The same for a key whose hash is known.
    #[inline]
    pub(crate) fn store_hashed(
        &mut self,
        at: Instant,
        Hashed { key, hash }: Hashed<'_>,
        value: &[u8],
        deadline: Option<Instant>,
        origin: Origin,
        log: &mut EventLog,
    ) -> Result<Slot, PutError> {
        let found = self.store.find(hash, key);
        if origin == Origin::Move {
            self.let_in(found.map(|found| found.slot), key, value);
        } else if self.policy.is_some() {
            self.check_size(key.len(), value.len())?;
        }
        let slot = match found {
            Some(found) if self.policy.is_none() => {
                let stored = self.store.replace_found(found, key, value, deadline);
                stored.map_err(|Full| PutError::NodeFull)?;
                found.slot
            }
            Some(Found { slot, .. }) => self.replace(at, slot, hash, key, value, deadline, log)?,
            None => self.insert(at, hash, key, value, deadline, log)?,
        };
        if let Some(hot) = self.hot.as_mut().filter(|_| found.is_some())
            && origin == Origin::Client
        {
            hot.record(hash, key);
        }
        Ok(slot)
    }

    /// Stores an entry under a key with this hash that is not there, and returns its slot. Entries that
    /// are due must have expired.
    ///
    /// # Errors
    /// [`PutError`]; nothing has changed then.
    #[cfg(feature = "shell")]
    #[inline]
    pub(crate) fn store_missing(
        &mut self,
        at: Instant,
        Hashed { key, hash }: Hashed<'_>,
        value: &[u8],
        deadline: Option<Instant>,
        log: &mut EventLog,
    ) -> Result<Slot, PutError> {
        debug_assert!(self.store.find(hash, key).is_none(), "the key is not there");
        if self.policy.is_some() {
            self.check_size(key.len(), value.len())?;
        }
        self.insert(at, hash, key, value, deadline, log)
    }

    fn insert(
        &mut self,
        at: Instant,
        hash: u64,
        key: &[u8],
        value: &[u8],
        deadline: Option<Instant>,
        log: &mut EventLog,
    ) -> Result<Slot, PutError> {
        if let Some(policy) = &mut self.policy {
            policy.admit(hash);
            let cost = store::cost(key.len(), value.len());
            if self.is_over(1, cost) {
                self.refresh_policy_size();
            }
            while self.is_over(1, cost) {
                self.evict_next(at, log).ok_or(PutError::Full)?;
            }
        }
        let stored = self.store.insert(hash, key, value, deadline);
        let slot = stored.map_err(|Full| PutError::NodeFull)?;
        if let Some(policy) = &mut self.policy {
            let pushed = policy.insert(slot, hash);
            policy.set_deadline(slot, deadline);
            self.evict(at, pushed, log);
        }
        Ok(slot)
    }

    /// Stores another value in a slot that the policy knows. That is an access. If the policy chooses the
    /// entry itself as the victim, it comes in again as a new one.
    #[expect(clippy::too_many_arguments, reason = "the parts of an entry")]
    fn replace(
        &mut self,
        at: Instant,
        slot: Slot,
        hash: u64,
        key: &[u8],
        value: &[u8],
        deadline: Option<Instant>,
        log: &mut EventLog,
    ) -> Result<Slot, PutError> {
        let growth = match self.capacity.bytes {
            Some(_) => value.len().saturating_sub(self.store.value(slot).len()),
            None => 0,
        };
        self.touch(at, slot, log);
        while growth > 0 && self.is_over(0, growth) {
            let victim = self.policy.as_mut().and_then(EvictionPolicy::evict);
            if victim == Some(slot) {
                self.store.remove(slot);
                return self.insert(at, hash, key, value, deadline, log);
            }
            victim.ok_or(PutError::Full)?;
            self.evict(at, victim, log);
        }
        let stored = self.store.replace(slot, key, value, deadline);
        stored.map_err(|Full| PutError::NodeFull)?;
        if let Some(policy) = &mut self.policy {
            policy.set_deadline(slot, deadline);
        }
        Ok(slot)
    }

    /// Counts a get that this node answered.
    pub(crate) fn count_get(&mut self, Hashed { key, hash }: Hashed<'_>, hit: bool) {
        if let Some(hot) = &mut self.hot {
            hot.record(hash, key);
        }
        self.hits += u64::from(hit);
        self.misses += u64::from(!hit);
    }

    /// Counts an access for the policy.
    #[inline]
    pub(crate) fn touch(&mut self, at: Instant, slot: Slot, log: &mut EventLog) {
        if let Some(policy) = &mut self.policy {
            let pushed = policy.access(slot);
            self.evict(at, pushed, log);
        }
    }

    /// Finds an entry for a get: counts and touches. Entries that are due must have expired.
    #[inline]
    pub(crate) fn look_up(&mut self, at: Instant, key: &[u8], log: &mut EventLog) -> Option<Found> {
        self.look_up_hashed(at, Hashed::of(key), log)
    }

    /// The same for a key whose hash is known.
    #[inline]
    pub(crate) fn look_up_hashed(
        &mut self,
        at: Instant,
        Hashed { key, hash }: Hashed<'_>,
        log: &mut EventLog,
    ) -> Option<Found> {
        if let Some(hot) = &mut self.hot {
            hot.record(hash, key);
        }
        let Some(found) = self.store.find(hash, key) else {
            self.misses += 1;
            return None;
        };
        self.hits += 1;
        let policy = self.policy.as_mut();
        let pushed = policy.and_then(|policy| policy.access(found.slot));
        if pushed.is_some() {
            // A removal can move records.
            self.evict(at, pushed, log);
            return self.store.find(hash, key);
        }
        Some(found)
    }

    /// The value that [`Node::look_up`] has found, as long as the node is not changed.
    #[inline]
    pub(crate) fn value_of(&self, found: Found) -> &[u8] {
        self.store.value_of(found)
    }

    /// The value in an occupied slot.
    #[inline]
    pub(crate) fn value(&self, slot: Slot) -> &[u8] {
        self.store.value(slot)
    }

    /// The deadline of an occupied slot.
    #[inline]
    pub(crate) fn deadline(&self, slot: Slot) -> Option<Instant> {
        self.store.deadline(slot)
    }

    /// Recounts everything, for tests.
    ///
    /// # Panics
    /// If the store and the policy disagree, or the capacity is exceeded.
    #[cfg(test)]
    pub(crate) fn validate(&self) {
        self.store.validate();
        assert!(!self.is_over(0, 0), "the capacity holds");
        if let Some(policy) = &self.policy {
            policy.validate(&self.store.slots().collect::<Vec<_>>());
        }
    }
}

/// As [`Node::look_ahead`], for the hashes of keys on several nodes.
pub(crate) fn look_ahead<'a, P: EvictionPolicy + 'a>(
    wanted: impl Iterator<Item = (&'a Node<P>, u64)>,
) {
    let wanted = wanted.take(store::AHEAD);
    store::look_ahead(wanted.map(|(node, hash)| (&node.store, hash)));
}

/// The most keys that [`look_ahead`] prefetches.
#[cfg(feature = "shell")]
pub(crate) const AHEAD: usize = store::AHEAD;

#[cfg(test)]
mod tests;
