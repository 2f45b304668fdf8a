//! What a replica remembers of keys that are gone: tombstones.
//!
//! A deleted or expired key leaves the version of its last write, so that an older copy elsewhere
//! does not bring it back. A tombstone is kept for the grace time, and for as long after it as some
//! owner may still lack that write. When it is collected, the replica turns away what was sent
//! before all owners had it: that could only be older.

use std::collections::VecDeque;

use hashbrown::HashTable;

use super::message::{Bytes, Record, Version};
use crate::hash::rapidhash;
use crate::time::Instant;

struct Grave {
    key: Bytes,
    version: Version,
    /// The logical clock when all owners had the write; `None`: some may lack it.
    settled: Option<Version>,
}

/// See the module's docs.
#[derive(Default)]
pub struct Graves {
    table: HashTable<Grave>,
    /// When to look at which grave, earliest first. Those that are gone meanwhile are skipped.
    queue: VecDeque<(Instant, Bytes, Version)>,
}

impl Graves {
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// The version of the write that removed `key`, if that is remembered.
    pub fn version(&self, key: &[u8]) -> Option<Version> {
        if self.table.is_empty() {
            return None;
        }
        let found = self.table.find(rapidhash(key), |grave| *grave.key == *key);
        found.map(|grave| grave.version)
    }

    /// Remembers that `key` is gone since this write, at least until `until`.
    pub fn dig(&mut self, key: &Bytes, version: Version, settled: Option<Version>, until: Instant) {
        self.remove(key);
        let grave = Grave {
            key: key.clone(),
            version,
            settled,
        };
        let hash = |grave: &Grave| rapidhash(&grave.key);
        self.table.insert_unique(rapidhash(key), grave, hash);
        self.queue.push_back((until, key.clone(), version));
    }

    /// Forgets a key that is there again.
    pub fn remove(&mut self, key: &[u8]) {
        if self.table.is_empty() {
            return;
        }
        let found = self
            .table
            .find_entry(rapidhash(key), |grave| *grave.key == *key);
        if let Ok(entry) = found {
            entry.remove();
        }
    }

    /// Notes that every owner has this write.
    pub fn settle(&mut self, key: &[u8], version: Version, stamp: Version) {
        let found = |grave: &Grave| *grave.key == *key && grave.version == version;
        if let Some(grave) = self.table.find_mut(rapidhash(key), found) {
            grave.settled = Some(stamp);
        }
    }

    /// Notes that every owner has every write up to this one.
    pub fn settle_up_to(&mut self, version: Version, stamp: Version) {
        let old = self.table.iter_mut().filter(|it| it.version <= version);
        old.for_each(|grave| grave.settled = grave.settled.or(Some(stamp)));
    }

    /// Collects what may be forgotten at `now`. Returns the latest logical clock at which all
    /// owners had one of these writes. What is not settled is looked at again after `grace`.
    pub fn collect(&mut self, now: Instant, again: Instant) -> Option<Version> {
        let mut floor = None;
        for _ in 0..self.queue.len() {
            let due = self.queue.front().is_some_and(|(until, ..)| *until <= now);
            let Some((_, key, version)) = self.queue.pop_front_if(|_| due) else {
                break;
            };
            let same = |grave: &Grave| *grave.key == *key && grave.version == version;
            match self.table.find_entry(rapidhash(&key), same) {
                Ok(entry) if entry.get().settled.is_some() => {
                    floor = floor.max(entry.remove().0.settled);
                }
                Ok(_) => self.queue.push_back((again, key, version)),
                Err(_) => {}
            }
        }
        floor
    }

    /// All tombstones as records, in no order that means anything.
    pub fn records(&self) -> impl Iterator<Item = (&Bytes, Record)> {
        self.table.iter().map(|grave| {
            let record = Record {
                version: grave.version,
                value: None,
                deadline: None,
            };
            (&grave.key, record)
        })
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }
}
