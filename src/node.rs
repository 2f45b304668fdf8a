//! One node of a cluster: a store, the policy that says what leaves it when it is full, what it has
//! counted, and what happened in it.

use crate::cache::{Cache, PutError};
use crate::config::Capacity;
use crate::event::{Event, EventKind, EventLog};
use crate::eviction::{EvictionPolicy, Slot};
use crate::hash::rapidhash;
use crate::hot::Hot;
use crate::id::NodeId;
use crate::stats::Stats;
use crate::store::{self, Full, Store};
use crate::time::Instant;

/// Why an entry leaves a node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    Expired,
    Evicted,
    Deleted,
    Replaced,
    Moved,
    Lost,
}

/// A single-threaded cache with an id. On its own it logs its own events; in a cluster, the
/// cluster hands in its log.
///
/// The policy is chosen at run time by default, and at compile time where that is wanted:
///
/// ```
/// use shardlab::config::Capacity;
/// use shardlab::eviction::Lru;
/// use shardlab::id::NodeId;
/// use shardlab::node::Node;
/// use shardlab::time::Instant;
/// use shardlab::Cache;
///
/// let mut node = Node::<Lru>::new(NodeId(0), 100);
/// node.bound(Capacity { entries: Some(2), bytes: None }, Lru::default());
/// for key in [b"a", b"b", b"c"] {
///     node.put(Instant::START, key, b"value", None)?;
/// }
/// assert_eq!(node.get(Instant::START, b"a"), None); // it had to make room
/// # Ok::<(), shardlab::cache::PutError>(())
/// ```
pub struct Node<P: EvictionPolicy = Box<dyn EvictionPolicy>> {
    id: NodeId,
    store: Store,
    capacity: Capacity,
    /// Told of every entry, as long as the capacity has a bound.
    policy: Option<P>,
    /// How many entries the policy was told that the store can hold.
    policy_size: usize,
    hits: u64,
    misses: u64,
    expired: u64,
    evicted: u64,
    /// Counts the most requested keys, if that is wanted.
    hot: Option<Box<Hot>>,
    /// Behind a pointer, so that [`Node::with_log`] moves one word.
    log: Option<Box<EventLog>>,
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
    /// An empty node without bounds that keeps the latest `event_log` events.
    #[must_use]
    pub fn new(id: NodeId, event_log: usize) -> Self {
        Self {
            id,
            store: Store::default(),
            capacity: Capacity::default(),
            policy: None,
            policy_size: 0,
            hits: 0,
            misses: 0,
            expired: 0,
            evicted: 0,
            hot: None,
            log: Some(Box::new(EventLog::new(event_log))),
        }
    }

    /// The node's number.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.store.len() as u64
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.store.len() == 0
    }

    /// From now on counts the most requested keys with so many counters; 0 stops that.
    pub fn watch_hot_keys(&mut self, counters: usize) {
        self.hot = (counters > 0).then(|| Box::new(Hot::new(counters)));
    }

    /// The most requested keys, if they are counted. GETs are requests, and writes to
    /// keys that are there; what is new can't be hot yet, and loading counts nothing.
    #[must_use]
    pub fn hot(&self) -> Option<&Hot> {
        self.hot.as_deref()
    }

    /// Gives the node a capacity, and a policy that starts with the entries that are there, in
    /// the order in which the old policy would have let them go. What is too much leaves at once.
    pub fn bound(&mut self, capacity: Capacity, policy: P) {
        self.with_log(|node, log| node.bound_at(Instant::START, capacity, policy, log));
    }

    pub(crate) fn bound_at(
        &mut self,
        now: Instant,
        capacity: Capacity,
        mut policy: P,
        log: &mut EventLog,
    ) {
        self.capacity = capacity;
        self.policy_size = self.size_for_policy();
        policy.resize(self.policy_size);
        for slot in self.slots_by_eviction() {
            let hash = rapidhash(self.store.key(slot));
            policy.admit(hash);
            let pushed = policy.insert(slot, hash);
            policy.set_deadline(slot, self.store.deadline(slot));
            self.evict(now, pushed, log);
        }
        self.policy = Some(policy);
        self.shrink(now, log);
    }

    /// Changes the capacity of a node that has one; its policy goes on. What is too much leaves at
    /// once.
    pub fn resize(&mut self, capacity: Capacity) {
        self.with_log(|node, log| node.resize_at(Instant::START, capacity, log));
    }

    pub(crate) fn resize_at(&mut self, now: Instant, capacity: Capacity, log: &mut EventLog) {
        self.capacity = capacity;
        self.policy_size = self.size_for_policy();
        if let Some(policy) = &mut self.policy {
            policy.resize(self.policy_size);
        }
        self.shrink(now, log);
    }

    fn shrink(&mut self, now: Instant, log: &mut EventLog) {
        while self.is_over(0, 0) && self.evict_next(now, log).is_some() {}
        self.store.trim();
    }

    /// Whether the node has a capacity, and so a policy.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.policy.is_some()
    }

    /// Takes the node's bounds away.
    pub fn unbound(&mut self) {
        self.capacity = Capacity::default();
        self.policy = None;
    }

    /// All slots, those first that the policy would let go first. The policy forgets them.
    fn slots_by_eviction(&mut self) -> Vec<Slot> {
        let mut slots = Vec::new();
        if let Some(mut policy) = self.policy.take() {
            slots.extend(std::iter::from_fn(|| policy.evict()));
        }
        if slots.len() < self.store.len() {
            slots = self.store.slots().collect();
        }
        slots
    }

    /// The entry under `key`, without counting or touching it.
    pub fn peek(&mut self, now: Instant, key: &[u8]) -> Option<Entry<'_>> {
        self.tick(now);
        let slot = self.store.find(rapidhash(key), key)?;
        Some(Entry {
            value: self.store.value(slot),
            deadline: self.store.deadline(slot),
        })
    }

    /// Announces that some keys are about to be read or written: what their look-ups need is brought
    /// into the processor's cache, and nothing else happens. Pays off for 16 to 32 keys of a store
    /// that is larger than the cache; more than 32 are ignored.
    pub fn look_ahead<K: AsRef<[u8]>>(&self, keys: &[K]) {
        look_ahead(keys.iter().map(|key| (self, key.as_ref())));
    }

    /// Gives the entry under `key` a deadline, or with `None` takes it away; `false` if there is
    /// no entry.
    pub fn set_deadline(&mut self, now: Instant, key: &[u8], deadline: Option<Instant>) -> bool {
        self.tick(now);
        let Some(slot) = self.store.find(rapidhash(key), key) else {
            return false;
        };
        self.store.set_deadline(slot, deadline);
        if let Some(policy) = &mut self.policy {
            policy.set_deadline(slot, deadline);
        }
        true
    }

    /// Removes everything; returns how many entries that were.
    pub fn clear(&mut self, now: Instant) -> u64 {
        self.tick(now);
        let removed = self.store.len() as u64;
        if let Some(policy) = &mut self.policy {
            self.store.slots().for_each(|slot| policy.remove(slot));
        }
        self.store.clear();
        removed
    }

    /// The keys, in no order that means anything.
    pub fn keys(&mut self, now: Instant) -> impl Iterator<Item = &[u8]> + '_ {
        self.tick(now);
        self.store.slots().map(|slot| self.store.key(slot))
    }

    /// What the node holds and has counted.
    pub fn stats(&mut self, now: Instant) -> Stats {
        self.tick(now);
        self.counts()
    }

    /// The keys of all entries, those that are due too.
    pub(crate) fn stored_keys(&self) -> impl Iterator<Item = &[u8]> + '_ {
        self.store.slots().map(|slot| self.store.key(slot))
    }

    /// [`Node::stats`], with the entries that are due.
    pub(crate) fn counts(&self) -> Stats {
        Stats {
            keys: self.store.len() as u64,
            bytes: self.bytes() as u64,
            hits: self.hits,
            misses: self.misses,
            evicted: self.evicted,
            expired: self.expired,
        }
    }

    /// What a recount of the entries gives, where that is not what was counted.
    pub(crate) fn miscounted(&self) -> Option<String> {
        let (mut keys, mut bytes) = (0, 0);
        for slot in self.store.slots() {
            let (key, entry) = self.entry(slot);
            keys += 1;
            bytes += store::cost(key.len(), entry.value.len()) + self.policy_bytes();
        }
        let counts = self.counts();
        let same = (counts.keys, counts.bytes) == (keys, bytes as u64);
        let Stats {
            keys: had,
            bytes: size,
            ..
        } = counts;
        (!same).then(|| {
            let id = self.id;
            format!("node {id} counts {had} entries of {size} bytes and has {keys} of {bytes}")
        })
    }

    /// What all entries cost, in bytes: the store's part and the policy's.
    fn bytes(&self) -> usize {
        self.store.bytes() + self.store.len() * self.policy_bytes()
    }

    fn policy_bytes(&self) -> usize {
        self.policy
            .as_ref()
            .map_or(0, EvictionPolicy::bytes_per_entry)
    }

    /// The deadline of the next entry to expire at or before `now`.
    pub(crate) fn next_due(&mut self, now: Instant) -> Option<Instant> {
        self.store.load_due(now);
        self.store.peek_due().map(|(deadline, _)| deadline)
    }

    #[inline(never)]
    fn expire_due(&mut self, now: Instant) {
        self.with_log(|node, log| {
            while node.next_due(now).is_some() {
                node.expire_next(log);
            }
        });
    }

    /// The entry that [`Node::next_due`] announced: its deadline, key and value.
    pub(crate) fn peek_due(&self) -> Option<(Instant, &[u8], &[u8])> {
        let (deadline, slot) = self.store.peek_due()?;
        Some((deadline, self.store.key(slot), self.store.value(slot)))
    }

    /// Expires the entry that [`Node::next_due`] announced.
    pub(crate) fn expire_next(&mut self, log: &mut EventLog) {
        if let Some((deadline, slot)) = self.store.next_due() {
            self.remove(deadline, slot, Cause::Expired, log);
        }
    }

    /// The one way by which single entries leave. The policy, the counts and the log hang on it.
    fn remove(&mut self, at: Instant, slot: Slot, cause: Cause, log: &mut EventLog) {
        let kind = match cause {
            Cause::Expired => Some(EventKind::Expired),
            Cause::Evicted => Some(EventKind::Evicted),
            Cause::Lost => Some(EventKind::Lost),
            Cause::Deleted | Cause::Replaced | Cause::Moved => None,
        };
        if let Some(kind) = kind {
            let (node, key) = (self.id, self.store.key(slot));
            log.record(|| Event {
                at,
                node,
                kind,
                key: key.into(),
            });
        }
        match cause {
            Cause::Expired => self.expired += 1,
            Cause::Evicted => self.evicted += 1,
            Cause::Deleted | Cause::Replaced | Cause::Moved | Cause::Lost => {}
        }
        // What the policy has given up itself it knows no more.
        let given_up = matches!(cause, Cause::Evicted | Cause::Replaced);
        if let Some(policy) = self.policy.as_mut().filter(|_| !given_up) {
            policy.remove(slot);
        }
        self.store.remove(slot);
    }

    /// Lets the entry go that the policy has given up.
    fn evict(&mut self, now: Instant, slot: Option<Slot>, log: &mut EventLog) {
        if let Some(slot) = slot {
            self.remove(now, slot, Cause::Evicted, log);
        }
    }

    /// Lets the entry go that the policy names; `None` if it names none.
    fn evict_next(&mut self, now: Instant, log: &mut EventLog) -> Option<Slot> {
        let slot = self.policy.as_mut()?.evict();
        self.evict(now, slot, log);
        slot
    }

    /// Whether the node would be over its capacity with so much more.
    fn is_over(&self, entries: usize, bytes: usize) -> bool {
        let over = |bound: Option<u64>, used: usize| bound.is_some_and(|bound| used as u64 > bound);
        over(self.capacity.entries, self.store.len() + entries)
            || self.capacity.bytes.is_some() && over(self.capacity.bytes, self.bytes() + bytes)
    }

    /// How many entries fit, as far as that can be told: with a bound on bytes, as many as there
    /// would be of the size that entries have on average.
    fn size_for_policy(&self) -> usize {
        let bound = |bound: Option<u64>| bound.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        let by_bytes = bound(self.capacity.bytes).map(|bytes| match self.store.len() {
            0 => bytes / 128,
            len => bytes / (self.bytes() / len).max(1),
        });
        let entries = bound(self.capacity.entries).unwrap_or(usize::MAX);
        entries
            .min(by_bytes.unwrap_or(usize::MAX))
            .clamp(1, u32::MAX as usize)
    }

    /// Tells the policy when the number of entries that fit has changed by more than an eighth.
    fn refresh_policy_size(&mut self) {
        if self.capacity.bytes.is_none() {
            return;
        }
        let size = self.size_for_policy();
        if size.abs_diff(self.policy_size) > self.policy_size / 8 {
            self.policy_size = size;
            if let Some(policy) = &mut self.policy {
                policy.resize(size);
            }
        }
    }

    /// The first occupied slot from `slot` on.
    pub(crate) fn slot_from(&self, slot: Slot) -> Option<Slot> {
        self.store.slot_from(slot)
    }

    /// The slot that holds `key`.
    pub(crate) fn slot_of(&self, key: &[u8]) -> Option<Slot> {
        self.store.find(rapidhash(key), key)
    }

    /// The key and the entry in an occupied slot.
    pub(crate) fn entry(&self, slot: Slot) -> (&[u8], Entry<'_>) {
        let entry = Entry {
            value: self.store.value(slot),
            deadline: self.store.deadline(slot),
        };
        (self.store.key(slot), entry)
    }

    /// Lets an entry go that is now at another node, or else is lost.
    pub(crate) fn give_up(&mut self, now: Instant, slot: Slot, moved: bool, log: &mut EventLog) {
        let cause = if moved { Cause::Moved } else { Cause::Lost };
        self.remove(now, slot, cause, log);
    }

    /// Stores a value, as [`Cache::put`] does, and logs there.
    pub(crate) fn put_at(
        &mut self,
        now: Instant,
        key: &[u8],
        value: &[u8],
        deadline: Option<Instant>,
        log: &mut EventLog,
    ) -> Result<(), PutError> {
        self.store_at(now, rapidhash(key), key, value, deadline, log)
    }

    /// Stores an entry of another node, which is no request of a client.
    pub(crate) fn pull_at(
        &mut self,
        now: Instant,
        key: &[u8],
        value: &[u8],
        deadline: Option<Instant>,
        log: &mut EventLog,
    ) -> Result<(), PutError> {
        let hot = self.hot.take();
        let stored = self.store_at(now, rapidhash(key), key, value, deadline, log);
        self.hot = hot;
        stored
    }

    fn store_at(
        &mut self,
        now: Instant,
        hash: u64,
        key: &[u8],
        value: &[u8],
        deadline: Option<Instant>,
        log: &mut EventLog,
    ) -> Result<(), PutError> {
        let cost = store::cost(key.len(), value.len()) + self.policy_bytes();
        if self.capacity.entries == Some(0) {
            return Err(PutError::NoCapacity);
        }
        if let Some(max) = self.capacity.bytes.filter(|&max| cost as u64 > max) {
            return Err(PutError::NeverFits { cost, max });
        }
        match self.store.find(hash, key) {
            Some(slot) => {
                if let Some(hot) = &mut self.hot {
                    hot.record(hash, key);
                }
                self.replace(now, slot, key, value, deadline, log)
            }
            None => self.insert(now, hash, key, value, deadline, cost, log),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of an entry")]
    fn insert(
        &mut self,
        now: Instant,
        hash: u64,
        key: &[u8],
        value: &[u8],
        deadline: Option<Instant>,
        cost: usize,
        log: &mut EventLog,
    ) -> Result<(), PutError> {
        if let Some(policy) = &mut self.policy {
            policy.admit(hash);
            if self.is_over(1, cost) {
                self.refresh_policy_size();
            }
            while self.is_over(1, cost) {
                self.evict_next(now, log).ok_or(PutError::Full)?;
            }
        }
        let stored = self.store.insert(hash, key, value, deadline);
        let slot = stored.map_err(|Full| PutError::NodeFull)?;
        if let Some(policy) = &mut self.policy {
            let pushed = policy.insert(slot, hash);
            policy.set_deadline(slot, deadline);
            self.evict(now, pushed, log);
        }
        Ok(())
    }

    /// Stores another value in a slot. That is an access. If it makes the policy give up the very
    /// entry, it comes in again as a new one.
    fn replace(
        &mut self,
        now: Instant,
        slot: Slot,
        key: &[u8],
        value: &[u8],
        deadline: Option<Instant>,
        log: &mut EventLog,
    ) -> Result<(), PutError> {
        let new = store::cost(key.len(), value.len());
        let growth = match self.capacity.bytes {
            Some(_) => new.saturating_sub(store::cost(key.len(), self.store.value(slot).len())),
            None => 0,
        };
        self.touch(now, slot, log);
        while growth > 0 && self.is_over(0, growth) {
            let victim = self.policy.as_mut().and_then(EvictionPolicy::evict);
            if victim == Some(slot) {
                self.remove(now, slot, Cause::Replaced, log);
                let cost = new + self.policy_bytes();
                return self.insert(now, rapidhash(key), key, value, deadline, cost, log);
            }
            victim.ok_or(PutError::Full)?;
            self.evict(now, victim, log);
        }
        let stored = self.store.replace(slot, key, value, deadline);
        stored.map_err(|Full| PutError::NodeFull)?;
        if let Some(policy) = &mut self.policy {
            policy.set_deadline(slot, deadline);
        }
        Ok(())
    }

    /// Counts a get that was answered with what this and other nodes know.
    pub(crate) fn count_get(&mut self, key: &[u8], hit: bool) {
        if let Some(hot) = &mut self.hot {
            hot.record(rapidhash(key), key);
        }
        self.hits += u64::from(hit);
        self.misses += u64::from(!hit);
    }

    /// Loses all entries, and counts nothing.
    pub(crate) fn forget(&mut self) {
        if let Some(policy) = &mut self.policy {
            self.store.slots().for_each(|slot| policy.remove(slot));
        }
        self.store.clear();
    }

    /// Tells the policy of an access.
    #[inline]
    pub(crate) fn touch(&mut self, now: Instant, slot: Slot, log: &mut EventLog) {
        if let Some(policy) = &mut self.policy {
            let pushed = policy.access(slot);
            self.evict(now, pushed, log);
        }
    }

    /// Finds an entry for [`Cache::get`]: counts, touches, and logs there.
    #[inline]
    pub(crate) fn look_up(&mut self, now: Instant, key: &[u8], log: &mut EventLog) -> Option<Slot> {
        let (slot, pushed) = self.find_and_touch(key)?;
        self.evict(now, pushed, log);
        Some(slot)
    }

    /// The entry under `key`, counted and touched, and what that pushes out.
    #[inline]
    fn find_and_touch(&mut self, key: &[u8]) -> Option<(Slot, Option<Slot>)> {
        let hash = rapidhash(key);
        if let Some(hot) = &mut self.hot {
            hot.record(hash, key);
        }
        let Some(slot) = self.store.find(hash, key) else {
            self.misses += 1;
            return None;
        };
        self.hits += 1;
        let pushed = self.policy.as_mut().and_then(|policy| policy.access(slot));
        Some((slot, pushed))
    }

    /// The value of an entry that [`Node::look_up`] has found.
    #[inline]
    pub(crate) fn value(&self, slot: Slot) -> &[u8] {
        self.store.value(slot)
    }

    /// Runs something that writes to the node's own log.
    #[inline]
    fn with_log<T>(&mut self, run: impl FnOnce(&mut Self, &mut EventLog) -> T) -> T {
        let mut log = self.log.take().expect("the log is there");
        let result = run(self, &mut log);
        self.log = Some(log);
        result
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

/// As [`Node::look_ahead`], for keys on several nodes.
pub(crate) fn look_ahead<'a, P: EvictionPolicy + 'a>(
    wanted: impl Iterator<Item = (&'a Node<P>, &'a [u8])>,
) {
    let wanted = wanted.take(store::AHEAD);
    store::look_ahead(wanted.map(|(node, key)| (&node.store, key)));
}

/// How many keys [`look_ahead`] looks at.
pub(crate) const AHEAD: usize = store::AHEAD;

impl<P: EvictionPolicy> Cache for Node<P> {
    fn put(
        &mut self,
        now: Instant,
        key: &[u8],
        value: &[u8],
        deadline: Option<Instant>,
    ) -> Result<(), PutError> {
        self.tick(now);
        self.with_log(|node, log| node.put_at(now, key, value, deadline, log))
    }

    fn get(&mut self, now: Instant, key: &[u8]) -> Option<&[u8]> {
        self.tick(now);
        let (slot, pushed) = self.find_and_touch(key)?;
        if pushed.is_some() {
            self.with_log(|node, log| node.evict(now, pushed, log));
        }
        Some(self.value(slot))
    }

    fn delete(&mut self, now: Instant, key: &[u8]) -> bool {
        self.tick(now);
        let Some(slot) = self.store.find(rapidhash(key), key) else {
            return false;
        };
        self.with_log(|node, log| node.remove(now, slot, Cause::Deleted, log));
        true
    }

    #[inline]
    fn tick(&mut self, now: Instant) {
        if self.next_deadline().is_some_and(|next| next <= now) {
            self.expire_due(now);
        }
    }

    #[inline]
    fn next_deadline(&self) -> Option<Instant> {
        self.store.next_deadline()
    }

    fn events(&self) -> &EventLog {
        self.log.as_ref().expect("the log is there")
    }
}

#[cfg(test)]
mod tests;
