//! What a replica remembers of keys that are gone: tombstones.
//!
//! A deleted or expired key leaves the version of its last write, so that an older copy elsewhere
//! does not bring it back. A tombstone is kept for the grace time, and for as long after it as some
//! owner may still lack that write. When it is collected, the replica turns away what rests on what
//! was known before all owners had it: that could only be older.

use std::collections::VecDeque;

use hashbrown::HashTable;

use super::message::{Bytes, Record, Version};
use crate::hash::rapidhash;
use crate::time::Instant;

struct Grave {
    key: Bytes,
    version: Version,
    /// When what that wrote expired; `None`: it was a delete.
    deadline: Option<Instant>,
    /// Its place among all that were dug here, from 1.
    number: u64,
    /// The logical clock when all owners had the write; `None`: some may lack it.
    settled: Option<Version>,
}

impl Grave {
    fn record(&self) -> Record {
        Record {
            version: self.version,
            value: None,
            deadline: self.deadline,
        }
    }
}

/// See the module's docs.
#[derive(Default)]
pub struct Graves {
    table: HashTable<Grave>,
    dug: u64,
    /// When to look at which grave, earliest first. Those that are gone meanwhile are skipped.
    queue: VecDeque<(Instant, Bytes, Version)>,
}

impl Graves {
    pub fn len(&self) -> usize {
        self.table.len()
    }

    fn find(&self, key: &[u8]) -> Option<&Grave> {
        self.table.find(rapidhash(key), |grave| *grave.key == *key)
    }

    /// The version of the write that removed `key`, if that is remembered.
    pub fn version(&self, key: &[u8]) -> Option<Version> {
        self.find(key).map(|grave| grave.version)
    }

    /// What is remembered of `key`.
    pub fn record(&self, key: &[u8]) -> Option<Record> {
        self.find(key).map(Grave::record)
    }

    /// Remembers that `key` is gone since a write, or since what that wrote expired, at least until
    /// `until`.
    pub fn dig(
        &mut self,
        key: &Bytes,
        write: (Version, Option<Instant>),
        settled: Option<Version>,
        until: Instant,
    ) {
        let (version, deadline) = write;
        self.remove(key);
        self.dug += 1;
        let grave = Grave {
            key: key.clone(),
            version,
            deadline,
            number: self.dug,
            settled,
        };
        let hash = |grave: &Grave| rapidhash(&grave.key);
        self.table.insert_unique(rapidhash(key), grave, hash);
        self.look_at(until, key.clone(), version);
    }

    /// Puts a grave in the queue. Nearly always that is its end.
    fn look_at(&mut self, until: Instant, key: Bytes, version: Version) {
        let mut place = self.queue.len();
        while place > 0 && self.queue[place - 1].0 > until {
            place -= 1;
        }
        self.queue.insert(place, (until, key, version));
    }

    /// When there may next be something to collect.
    pub fn next_due(&self) -> Option<Instant> {
        self.queue.front().map(|(until, ..)| *until)
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

    /// How many were ever dug.
    pub fn dug(&self) -> u64 {
        self.dug
    }

    /// Notes that every owner knows of the first so many that were dug.
    pub fn settle_up_to(&mut self, number: u64, stamp: Version) {
        let old = self.table.iter_mut().filter(|it| it.number <= number);
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
                Ok(_) => self.look_at(again, key, version),
                Err(_) => {}
            }
        }
        floor
    }

    /// All tombstones as records, in no order that means anything.
    pub fn records(&self) -> impl Iterator<Item = (&Bytes, Record)> {
        self.table.iter().map(|grave| (&grave.key, grave.record()))
    }

    /// Forgets all but the tombstones of these keys.
    pub fn retain(&mut self, mut wanted: impl FnMut(&Bytes) -> bool) {
        self.table.retain(|grave| wanted(&grave.key));
    }

    /// Forgets all; the count goes on.
    pub fn clear(&mut self) {
        self.table.clear();
        self.queue.clear();
    }
}
