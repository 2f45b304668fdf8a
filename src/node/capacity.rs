//! How much a node may hold, and what leaves when it holds more.

use super::{Cause, Node, Usage};
use crate::config::Capacity;
use crate::event::EventLog;
use crate::eviction::{EvictionPolicy, Slot};
use crate::hash::rapidhash;
use crate::operation::PutError;
use crate::store;
use crate::time::Instant;

impl<P: EvictionPolicy> Node<P> {
    /// Gives the node a capacity and a policy. The policy starts with the present entries, in the
    /// order in which the old policy would have evicted them. Entries over the capacity leave at
    /// once. Cost: a look at every entry.
    pub fn bound(&mut self, at: Instant, capacity: Capacity, mut policy: P, log: &mut EventLog) {
        self.capacity = capacity;
        self.policy_size = self.size_for_policy();
        policy.resize(self.policy_size);
        for slot in self.slots_by_eviction() {
            let hash = rapidhash(self.store.key(slot));
            policy.admit(hash);
            let pushed = policy.insert(slot, hash);
            policy.set_deadline(slot, self.store.deadline(slot));
            self.evict(at, pushed, log);
        }
        self.policy = Some(policy);
        self.shrink(at, log);
    }

    /// Changes the capacity of a node that has one; its policy stays. Entries over the capacity
    /// leave at once.
    pub fn resize(&mut self, at: Instant, capacity: Capacity, log: &mut EventLog) {
        self.capacity = capacity;
        self.policy_size = self.size_for_policy();
        if let Some(policy) = &mut self.policy {
            policy.resize(self.policy_size);
        }
        self.shrink(at, log);
    }

    fn shrink(&mut self, at: Instant, log: &mut EventLog) {
        while self.is_over(0, 0) && self.evict_next(at, log).is_some() {}
        self.store.trim();
    }

    /// How much the node may hold.
    #[must_use]
    pub fn capacity(&self) -> Capacity {
        self.capacity
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

    /// All slots, the one that the policy would evict first at the front. The policy forgets them.
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

    /// Whether an entry with a key and a value of these lengths could ever be stored.
    ///
    /// # Errors
    /// [`PutError::NoCapacity`] or [`PutError::NeverFits`].
    pub(crate) fn check_size(&self, key: usize, value: usize) -> Result<(), PutError> {
        if self.capacity.entries == Some(0) {
            return Err(PutError::NoCapacity);
        }
        let cost = store::cost(key, value);
        match self.capacity.bytes.filter(|&max| cost as u64 > max) {
            Some(max) => Err(PutError::NeverFits { cost, max }),
            None => Ok(()),
        }
    }

    /// What the entry in an occupied slot counts against a capacity in bytes.
    pub(crate) fn cost(&self, slot: Slot) -> u64 {
        store::cost(self.store.key(slot).len(), self.store.value(slot).len()) as u64
    }

    /// The place of an entry in the order in which entries would go, from 1; `None` without a
    /// capacity, and where chance decides. Cost: a copy of the policy.
    pub(crate) fn eviction_rank(&self, slot: Slot) -> Option<u64> {
        let policy = self.policy.as_ref().filter(|policy| policy.is_ordered())?;
        let mut policy = policy.clone_policy();
        let order = std::iter::from_fn(|| policy.evict());
        let mut ranked = (1..).zip(order);
        ranked.find_map(|(rank, victim)| (victim == slot).then_some(rank))
    }

    /// How often an entry was used, its insertion included; `None` if the policy does not count that.
    #[cfg(feature = "shell")]
    pub(crate) fn frequency(&self, slot: Slot) -> Option<u64> {
        self.policy.as_ref()?.frequency(slot)
    }

    /// Whether one more entry with a key and a value of these lengths fits without an eviction.
    pub(crate) fn has_room(&self, key: usize, value: usize) -> bool {
        !self.is_over(1, store::cost(key, value))
    }

    /// Lifts the bounds by what an entry that moves here takes, and by what is too much already: under
    /// the policy `none` a node may be over its capacity after a move that had to wait.
    pub(super) fn let_in(&mut self, found: Option<Slot>, key: &[u8], value: &[u8]) {
        let mut more = Usage::default();
        match found {
            None => more.add(key.len(), value.len()),
            Some(slot) => {
                let old = self.store.value(slot).len();
                more.bytes = value.len().saturating_sub(old) as u64;
            }
        }
        let (entries, bytes) = (self.len(), self.store.bytes() as u64);
        let over = |used: u64, most: Option<u64>| most.map_or(0, |most| used.saturating_sub(most));
        let Capacity {
            entries: most_entries,
            bytes: most_bytes,
        } = self.capacity;
        self.moved_in.entries =
            self.moved_in.entries.max(over(entries, most_entries)) + more.entries;
        self.moved_in.bytes = self.moved_in.bytes.max(over(bytes, most_bytes)) + more.bytes;
    }

    /// A move is over: entries over the capacity leave, as the policy chooses. Returns their number.
    pub(crate) fn end_move(&mut self, at: Instant, log: &mut EventLog) -> u64 {
        self.moved_in = Usage::default();
        let before = self.evicted;
        if self.policy.is_some() {
            self.refresh_policy_size();
            self.shrink(at, log);
        }
        self.evicted - before
    }

    /// Removes the entry that the policy has chosen and forgotten.
    pub(super) fn evict(&mut self, at: Instant, slot: Option<Slot>, log: &mut EventLog) {
        if let Some(slot) = slot {
            self.remove(at, slot, Cause::Evicted, log);
        }
    }

    /// Evicts the policy's victim; `None` if it names none.
    pub(super) fn evict_next(&mut self, at: Instant, log: &mut EventLog) -> Option<Slot> {
        let slot = self.policy.as_mut()?.evict();
        self.evict(at, slot, log);
        slot
    }

    /// Whether the node would be over its capacity with so much more.
    pub(super) fn is_over(&self, entries: usize, bytes: usize) -> bool {
        let usage = Usage {
            entries: (self.len() + entries as u64).saturating_sub(self.moved_in.entries),
            bytes: ((self.store.bytes() + bytes) as u64).saturating_sub(self.moved_in.bytes),
        };
        !usage.fits(self.capacity)
    }

    /// How many entries fit, as far as that is known: with a bound on bytes, as many as would fit if
    /// all had the average size.
    pub(super) fn size_for_policy(&self) -> usize {
        let bound = |bound: Option<u64>| bound.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        let by_bytes = bound(self.capacity.bytes).map(|bytes| match self.store.len() {
            0 => bytes / 128,
            len => bytes / (self.store.bytes() / len).max(1),
        });
        let entries = bound(self.capacity.entries).unwrap_or(usize::MAX);
        entries
            .min(by_bytes.unwrap_or(usize::MAX))
            .clamp(1, u32::MAX as usize)
    }

    /// Resizes the policy when the number of entries that fit has changed by more than an eighth.
    pub(super) fn refresh_policy_size(&mut self) {
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
}
