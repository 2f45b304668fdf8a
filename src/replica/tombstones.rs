//! Tombstones: the versions of deleted and expired keys, within a bound.
//!
//! A tombstone keeps an older copy of the key elsewhere from coming back. It is kept for the grace
//! time, and after it while keys move or some owner may lack the write. When it is collected, the replica
//! rejects messages that are based on state from before all owners had the write: they could only
//! bring back something older.
//!
//! Beyond the bound the oldest tombstone goes, even if some owner may lack the write.
//! [`Tombstones::take_dropped`] names those, and the cluster makes the nodes that lack the write
//! come back empty.

use std::collections::VecDeque;

use hashbrown::HashTable;

use super::message::{Record, Version};
use crate::hash::rapidhash;
use crate::operation::Bytes;
use crate::time::Instant;

/// The most tombstones of a node.
pub(super) const MAX_TOMBSTONES: usize = if cfg!(test) { 100 } else { 100_000 };
/// The most bytes that they take: keys, and [`OVERHEAD`] for each.
pub(super) const MAX_BYTES: usize = 16 << 20;
/// Bytes of a tombstone besides its key.
const OVERHEAD: usize = 96;

#[derive(Clone)]
struct Tombstone {
    key: Bytes,
    version: Version,
    /// When the value of that write expired; `None`: the write is a delete.
    deadline: Option<Instant>,
    /// Its number among all that were made here, from 1.
    number: u64,
    /// The logical clock when all owners had the write; `None`: some may lack it.
    settled: Option<Version>,
}

impl Tombstone {
    fn record(&self) -> Record {
        Record {
            version: self.version,
            value: None,
            deadline: self.deadline,
        }
    }
}

/// The versions of deleted and expired keys: at most 100,000, and at most 16 MiB.
#[derive(Clone, Default)]
pub(super) struct Tombstones {
    table: HashTable<Tombstone>,
    bytes: usize,
    created: u64,
    /// When to look at which tombstone, earliest first. Some may be gone.
    queue: VecDeque<(Instant, Bytes, Version)>,
    /// The unsettled ones that the bound has dropped.
    dropped: Vec<(Bytes, Version)>,
    /// The latest version of these, also of those that were taken.
    dropped_up_to: Version,
}

impl Tombstones {
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    fn find(&self, key: &[u8]) -> Option<&Tombstone> {
        if self.table.is_empty() {
            return None;
        }
        self.table.find(rapidhash(key), |it| *it.key == *key)
    }

    /// The version of the write that removed `key`, if there is a tombstone.
    pub(super) fn version(&self, key: &[u8]) -> Option<Version> {
        self.find(key).map(|it| it.version)
    }

    /// The tombstone of `key` as a record.
    pub(super) fn record(&self, key: &[u8]) -> Option<Record> {
        self.find(key).map(Tombstone::record)
    }

    /// Makes a tombstone for a write, with the deadline if its value expired. It is kept at least
    /// until `until`. Returns the logical clock up to which state is forgotten if the bound drops a
    /// settled tombstone.
    pub(super) fn insert(
        &mut self,
        key: &Bytes,
        (version, deadline): (Version, Option<Instant>),
        settled: Option<Version>,
        until: Instant,
    ) -> Option<Version> {
        self.remove(key);
        self.created += 1;
        self.bytes += key.len() + OVERHEAD;
        let tombstone = Tombstone {
            key: key.clone(),
            version,
            deadline,
            number: self.created,
            settled,
        };
        let hash = |it: &Tombstone| rapidhash(&it.key);
        self.table.insert_unique(rapidhash(key), tombstone, hash);
        self.look_at(until, key.clone(), version);
        let mut forgotten = None;
        while self.table.len() > MAX_TOMBSTONES || self.bytes > MAX_BYTES {
            forgotten = forgotten.max(self.drop_oldest());
        }
        forgotten
    }

    /// Puts a tombstone in the queue, nearly always at its end.
    fn look_at(&mut self, until: Instant, key: Bytes, version: Version) {
        if self.queue.len() > 2 * self.table.len() + 64 {
            let table = &self.table;
            self.queue
                .retain(|(_, key, version)| is_there(table, key, *version));
        }
        let mut index = self.queue.len();
        while index > 0 && self.queue[index - 1].0 > until {
            index -= 1;
        }
        self.queue.insert(index, (until, key, version));
    }

    /// Drops the oldest tombstone. Returns the logical clock when it was settled.
    fn drop_oldest(&mut self) -> Option<Version> {
        while let Some((_, key, version)) = self.queue.pop_front() {
            if is_there(&self.table, &key, version) {
                let settled = self.remove(&key);
                if settled.is_none() {
                    self.dropped_up_to = self.dropped_up_to.max(version);
                    self.dropped.push((key, version));
                }
                return settled;
            }
        }
        None
    }

    /// The unsettled tombstones that the bound has dropped since the last call.
    pub(super) fn take_dropped(&mut self) -> Vec<(Bytes, Version)> {
        std::mem::take(&mut self.dropped)
    }

    /// Whether [`Tombstones::take_dropped`] has something to return.
    pub(super) fn has_dropped(&self) -> bool {
        !self.dropped.is_empty()
    }

    /// The latest version of an unsettled tombstone that the bound has dropped.
    pub(super) fn dropped_up_to(&self) -> Version {
        self.dropped_up_to
    }

    /// When there may next be something to collect.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.queue.front().map(|(until, ..)| *until)
    }

    /// Removes the tombstone of a key that is stored again. Returns when it was settled.
    pub(super) fn remove(&mut self, key: &[u8]) -> Option<Version> {
        if self.table.is_empty() {
            return None;
        }
        let found = self
            .table
            .find_entry(rapidhash(key), |it| *it.key == *key)
            .ok()?;
        self.bytes -= key.len() + OVERHEAD;
        found.remove().0.settled
    }

    /// Notes that every owner has this write.
    pub(super) fn settle(&mut self, key: &[u8], version: Version, clock: Version) {
        let found = |it: &Tombstone| *it.key == *key && it.version == version;
        if let Some(tombstone) = self.table.find_mut(rapidhash(key), found) {
            tombstone.settled = Some(clock);
        }
    }

    /// How many were ever made.
    pub(super) fn created(&self) -> u64 {
        self.created
    }

    /// Notes that every owner knows of the first `number` tombstones that were made here.
    pub(super) fn settle_up_to(&mut self, number: u64, clock: Version) {
        let old = self.table.iter_mut().filter(|it| it.number <= number);
        old.for_each(|it| it.settled = it.settled.or(Some(clock)));
    }

    /// Collects the settled tombstones whose time is over at `now`, if they `may_forget`. Returns the
    /// latest logical clock at which one of these was settled. The others are looked at again at
    /// `again`.
    pub(super) fn collect(
        &mut self,
        now: Instant,
        again: Instant,
        may_forget: bool,
    ) -> Option<Version> {
        let mut forgotten = None;
        for _ in 0..self.queue.len() {
            let due = self.queue.front().is_some_and(|(until, ..)| *until <= now);
            let Some((_, key, version)) = self.queue.pop_front_if(|_| due) else {
                break;
            };
            match self.find(&key).filter(|it| it.version == version) {
                Some(tombstone) if may_forget && tombstone.settled.is_some() => {
                    forgotten = forgotten.max(self.remove(&key));
                }
                Some(_) => self.look_at(again, key, version),
                None => {}
            }
        }
        forgotten
    }

    /// All tombstones as records, in no meaningful order.
    pub(super) fn records(&self) -> impl Iterator<Item = (&Bytes, Record)> {
        self.table.iter().map(|it| (&it.key, it.record()))
    }

    /// Forgets all but the tombstones of these keys.
    pub(super) fn retain(&mut self, mut wanted: impl FnMut(&Bytes) -> bool) {
        let bytes = &mut self.bytes;
        self.table.retain(|it| {
            let keep = wanted(&it.key);
            if !keep {
                *bytes -= it.key.len() + OVERHEAD;
            }
            keep
        });
    }

    /// Forgets all; the count of those that were made goes on.
    pub(super) fn clear(&mut self) {
        self.table.clear();
        self.bytes = 0;
        self.queue.clear();
        self.dropped.clear();
        self.dropped_up_to = 0;
    }
}

fn is_there(table: &HashTable<Tombstone>, key: &[u8], version: Version) -> bool {
    let found = table.find(rapidhash(key), |it| *it.key == *key);
    found.is_some_and(|it| it.version == version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(tombstones: &mut Tombstones, n: usize, settled: Option<Version>) -> Option<Version> {
        let key = Bytes::from(n.to_string().as_bytes());
        let until = Instant::from_millis(n as u64);
        tombstones.insert(&key, (n as u64, None), settled, until)
    }

    #[test]
    fn beyond_the_bound_the_oldest_goes() {
        let mut tombstones = Tombstones::default();
        for n in 0..MAX_TOMBSTONES {
            assert_eq!(insert(&mut tombstones, n, Some(n as u64 + 7)), None);
        }
        let forgotten = insert(&mut tombstones, MAX_TOMBSTONES, None);
        assert_eq!(forgotten, Some(7), "exactly one too many");
        assert!(!tombstones.has_dropped());
        assert_eq!(tombstones.version(b"0"), None);
        assert_eq!(tombstones.version(b"1"), Some(1));
        for n in MAX_TOMBSTONES + 1..=2 * MAX_TOMBSTONES {
            insert(&mut tombstones, n, None);
        }
        let last = MAX_TOMBSTONES.to_string();
        let dropped = tombstones.take_dropped();
        assert_eq!(dropped, [(Bytes::from(last.as_bytes()), 100)], "unsettled");
        assert_eq!(tombstones.len(), MAX_TOMBSTONES);
    }

    #[test]
    fn keys_that_come_and_go_leave_nothing_behind() {
        let mut tombstones = Tombstones::default();
        for n in 0..10_000 {
            let key = Bytes::from(&b"key"[..]);
            tombstones.insert(&key, (n, None), None, Instant::MAX);
            tombstones.remove(b"key");
        }
        assert_eq!((tombstones.len(), tombstones.bytes), (0, 0));
        assert!(tombstones.queue.len() <= 66);
    }
}
