//! One node of a cluster: a store, what it has counted, and what happened in it.

use crate::cache::{Cache, PutError};
use crate::event::{Event, EventKind, EventLog};
use crate::id::NodeId;
use crate::stats::Stats;
use crate::store::{Full, Store};
use crate::time::Instant;

/// Why an entry leaves a node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    Expired,
    Deleted,
}

/// A single-threaded cache with an id. On its own it logs its own events; in a cluster, the
/// cluster takes the events of all nodes and puts them in order.
pub struct Node {
    id: NodeId,
    store: Store,
    hits: u64,
    misses: u64,
    expired: u64,
    log: EventLog,
}

/// What [`Node::peek`] sees of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The value.
    pub value: &'a [u8],
    /// When it expires; `None`: never.
    pub deadline: Option<Instant>,
}

impl Node {
    /// An empty node that keeps the latest `event_log` events.
    #[must_use]
    pub fn new(id: NodeId, event_log: usize) -> Self {
        Self {
            id,
            store: Store::default(),
            hits: 0,
            misses: 0,
            expired: 0,
            log: EventLog::new(event_log),
        }
    }

    /// The node's number.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// The entry under `key`, without counting or touching it.
    pub fn peek(&mut self, now: Instant, key: &[u8]) -> Option<Entry<'_>> {
        self.tick(now);
        let slot = self.store.find(key)?;
        Some(Entry {
            value: self.store.value(slot),
            deadline: self.store.deadline(slot),
        })
    }

    /// Gives the entry under `key` a deadline, or with `None` takes it away; `false` if there is
    /// no entry.
    pub fn set_deadline(&mut self, now: Instant, key: &[u8], deadline: Option<Instant>) -> bool {
        self.tick(now);
        let Some(slot) = self.store.find(key) else {
            return false;
        };
        self.store.set_deadline(slot, deadline);
        true
    }

    /// Removes everything; returns how many entries that were.
    pub fn clear(&mut self, now: Instant) -> u64 {
        self.tick(now);
        let removed = self.store.len() as u64;
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
        Stats {
            keys: self.store.len() as u64,
            bytes: self.store.payload() as u64,
            hits: self.hits,
            misses: self.misses,
            evicted: 0,
            expired: self.expired,
        }
    }

    /// The deadline of the next entry to expire at or before `now`.
    pub(crate) fn next_due(&mut self, now: Instant) -> Option<Instant> {
        self.store.load_due(now);
        self.store.peek_due().map(|(deadline, _)| deadline)
    }

    /// Expires the entry that [`Node::next_due`] announced.
    pub(crate) fn expire_next(&mut self) -> Option<Event> {
        let (at, slot) = self.store.next_due()?;
        let key = self.store.key(slot).into();
        self.remove(slot, Cause::Expired);
        let kind = EventKind::Expired;
        let node = self.id;
        Some(Event {
            at,
            node,
            kind,
            key,
        })
    }

    /// The one way by which single entries leave.
    fn remove(&mut self, slot: u32, cause: Cause) {
        self.store.remove(slot);
        if cause == Cause::Expired {
            self.expired += 1;
        }
    }
}

impl Cache for Node {
    fn put(
        &mut self,
        now: Instant,
        key: &[u8],
        value: &[u8],
        deadline: Option<Instant>,
    ) -> Result<(), PutError> {
        self.tick(now);
        let stored = self.store.put(key, value, deadline);
        stored.map_err(|Full| PutError::NodeFull)
    }

    fn get(&mut self, now: Instant, key: &[u8]) -> Option<&[u8]> {
        self.tick(now);
        let slot = self.store.find(key);
        let count = if slot.is_some() {
            &mut self.hits
        } else {
            &mut self.misses
        };
        *count += 1;
        slot.map(|slot| self.store.value(slot))
    }

    fn delete(&mut self, now: Instant, key: &[u8]) -> bool {
        self.tick(now);
        let Some(slot) = self.store.find(key) else {
            return false;
        };
        self.remove(slot, Cause::Deleted);
        true
    }

    fn tick(&mut self, now: Instant) {
        if self.next_deadline().is_none_or(|next| next > now) {
            return;
        }
        while self.next_due(now).is_some() {
            if let Some(event) = self.expire_next() {
                self.log.push(event);
            }
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.store.next_deadline()
    }

    fn events(&self) -> &EventLog {
        &self.log
    }
}
