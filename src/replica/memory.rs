//! What a replica knows: the entries that it stores and the tombstones that it remembers, and how
//! what it hears changes that.
//!
//! An entry's bytes in the store are 8 bytes of version and one of flags, and then the value.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Replica;
use super::message::{Base, Bytes, Record, Version, Written};
use super::rules::{Context, Rules};
use crate::cache::{Cache, PutError};
use crate::config::Plant;
use crate::event::EventLog;
use crate::node::Entry;
use crate::time::Instant;

/// How many bytes stand before the value of an entry.
pub const HEADER: usize = 9;

/// The version and the value in an entry's bytes.
///
/// # Panics
/// If there are fewer than [`HEADER`] bytes.
#[must_use]
pub fn unpack(bytes: &[u8]) -> (Version, &[u8]) {
    let (header, value) = bytes.split_at(HEADER);
    let version: [u8; 8] = header[..8]
        .try_into()
        .expect("a header has 8 bytes of version");
    (Version::from_le_bytes(version), value)
}

fn pack(buffer: &mut Vec<u8>, version: Version, settled: bool, value: &[u8]) {
    buffer.clear();
    buffer.extend_from_slice(&version.to_le_bytes());
    buffer.push(u8::from(settled));
    buffer.extend_from_slice(value);
}

impl Replica {
    /// Expires the entry that [`Replica::next_due`] announced.
    pub(crate) fn expire_next(
        &mut self,
        clock: &mut Version,
        rules: &Rules<'_>,
        log: &mut EventLog,
    ) {
        if let Some((deadline, key, value)) = self.node.peek_due() {
            let (version, _) = unpack(value);
            let is_settled = value[HEADER - 1] == 1 || rules.has_no_copies();
            let settled = is_settled.then_some(*clock);
            *clock += u64::from(settled.is_some());
            let key: Bytes = key.into();
            let at = deadline.as_nanos().saturating_add_signed(-self.skew);
            let write = (version, Some(deadline));
            self.dig(Instant::from_nanos(at), rules, &key, write, settled);
        }
        self.node.expire_next(log);
    }

    fn dig(
        &mut self,
        now: Instant,
        rules: &Rules<'_>,
        key: &Bytes,
        write: (Version, Option<Instant>),
        settled: Option<Version>,
    ) {
        if rules.plant != Some(Plant::NoTombstones) {
            let until = now.later(rules.grace);
            self.graves.dig(key, write, settled, until);
            self.collect(now, rules);
        }
    }

    /// Forgets what may be forgotten of keys that are gone.
    pub(super) fn collect(&mut self, now: Instant, rules: &Rules<'_>) {
        if let Some(floor) = self.graves.collect(now, now.later(rules.grace)) {
            self.floor = self.floor.max(floor);
        }
    }

    /// The version of the latest write to `key` that is known; 0 if none is.
    fn version(&self, key: &[u8]) -> Version {
        self.locate(key).0
    }

    /// The version of the latest write to `key` that is known, 0 if none is; and where what it
    /// stored is.
    pub(crate) fn locate(&self, key: &[u8]) -> (Version, Option<u32>) {
        match self.node.slot_of(key) {
            Some(slot) => (unpack(self.node.entry(slot).1.value).0, Some(slot)),
            None => (self.graves.version(key).unwrap_or(0), None),
        }
    }

    /// Whether it has a write to `key` or a later one, or had and has forgotten it since.
    #[must_use]
    pub fn knows(&self, key: &[u8], version: Version) -> bool {
        self.version(key) >= version || self.floor >= version
    }

    /// What is known of `key`; all that is due must have expired.
    pub(crate) fn record(
        &mut self,
        ctx: &mut Context<'_>,
        key: &[u8],
        touch: bool,
    ) -> Option<Record> {
        let Some(slot) = self.node.slot_of(key) else {
            return self.graves.record(key);
        };
        let record = record_of(self.node.entry(slot).1);
        if touch {
            self.node.touch(ctx.now, slot, ctx.log);
        }
        Some(record)
    }

    /// Stores a write, unless a later one is known.
    pub(super) fn merge(
        &mut self,
        ctx: &mut Context<'_>,
        key: &Bytes,
        record: &Record,
        base: Option<Base>,
        stamp: Version,
    ) -> Written {
        if stamp < ctx.rules.since && !ctx.rules.owners(key).contains(&self.id()) {
            return Written::TooLate;
        }
        let known = self.version(key);
        if known == record.version {
            return self.revive(ctx, key, record);
        }
        if known > record.version
            || base.is_some_and(|base| known > base.version || base.is_over(ctx.now))
        {
            return match base {
                Some(_) => Written::Conflict,
                None => Written::Applied,
            };
        }
        let is_absent = self.node.slot_of(key).is_none();
        if is_absent && record.value.is_some() && stamp <= self.floor {
            return Written::TooLate;
        }
        self.store(ctx, key, record)
    }

    /// Notes a write that is known. If it seemed to have expired because a clock was ahead, and
    /// has not, it is there again.
    fn revive(&mut self, ctx: &mut Context<'_>, key: &Bytes, record: &Record) -> Written {
        if self.node.slot_of(key).is_some() || !self.is_live(ctx, record) {
            return Written::Applied;
        }
        self.store(ctx, key, record)
    }

    fn store(&mut self, ctx: &mut Context<'_>, key: &Bytes, record: &Record) -> Written {
        let now = self.local(ctx.now);
        let Some(value) = record.value.as_ref().filter(|_| self.is_live(ctx, record)) else {
            self.node.delete(now, key);
            let write = (record.version, record.deadline);
            let settled = ctx.rules.has_no_copies().then(|| ctx.stamp());
            self.dig(ctx.now, ctx.rules, key, write, settled);
            return Written::Applied;
        };
        let mut buffer = std::mem::take(&mut self.buffer);
        pack(&mut buffer, record.version, false, value);
        let stored = self
            .node
            .put_at(now, key, &buffer, record.deadline, ctx.log);
        self.buffer = buffer;
        match stored {
            Ok(()) => {
                self.graves.remove(key);
                Written::Applied
            }
            Err(error) => {
                // What is there now is out of date.
                self.node.delete(now, key);
                Written::Refused(error)
            }
        }
    }

    fn is_live(&self, ctx: &Context<'_>, record: &Record) -> bool {
        record.is_live(self.local(ctx.now))
    }

    /// Notes that every owner has this write.
    pub(crate) fn settle(
        &mut self,
        ctx: &mut Context<'_>,
        key: &[u8],
        version: Version,
        stamp: Version,
    ) {
        self.graves.settle(key, version, stamp);
        let Some(slot) = self.node.slot_of(key) else {
            return;
        };
        let entry = self.node.entry(slot).1;
        let (known, value) = unpack(entry.value);
        if known == version {
            let (deadline, value) = (entry.deadline, value.to_vec());
            let mut buffer = std::mem::take(&mut self.buffer);
            pack(&mut buffer, version, true, &value);
            let now = self.local(ctx.now);
            // The same size: there is room.
            let _ = self.node.pull_at(now, key, &buffer, deadline, ctx.log);
            self.buffer = buffer;
        }
    }

    /// Gives every entry that has none a version, before the first message is sent.
    pub(crate) fn adopt(&mut self, now: Instant, version: Version, log: &mut EventLog) -> u64 {
        let mut refused = 0;
        let mut at = 0;
        while let Some(slot) = self.node.slot_from(at) {
            at = slot.saturating_add(1);
            let (key, entry) = self.node.entry(slot);
            let (key, deadline) = (key.to_vec(), entry.deadline);
            let mut buffer = std::mem::take(&mut self.buffer);
            pack(&mut buffer, version, true, entry.value);
            if self.node.pull_at(now, &key, &buffer, deadline, log) == Err(PutError::Full) {
                refused += 1;
                self.node.delete(now, &key);
            }
            self.buffer = buffer;
        }
        refused
    }

    /// All that it knows, by key: the entries that can be read and the tombstones.
    pub(crate) fn records(&self) -> BTreeMap<Bytes, Record> {
        self.records_if(|_| true)
    }

    /// The same for the keys that are wanted.
    pub(super) fn records_if(&self, wanted: impl Fn(&[u8]) -> bool) -> BTreeMap<Bytes, Record> {
        let mut records = BTreeMap::new();
        let mut at = 0;
        while let Some(slot) = self.node.slot_from(at) {
            at = slot.saturating_add(1);
            let (key, entry) = self.node.entry(slot);
            if wanted(key) {
                records.insert(Bytes::from(key), record_of(entry));
            }
        }
        let graves = self.graves.records().filter(|(key, _)| wanted(key));
        records.extend(graves.map(|(key, record)| (key.clone(), record)));
        records
    }

    /// The key and the write in an occupied slot.
    pub(crate) fn slot(&self, slot: u32) -> (Bytes, Record) {
        let (key, entry) = self.node.entry(slot);
        (key.into(), record_of(entry))
    }

    /// What it remembers of keys that are gone, by key.
    pub(crate) fn tombstone_records(&self) -> BTreeMap<Bytes, Record> {
        let graves = self.graves.records();
        graves.map(|(key, record)| (key.clone(), record)).collect()
    }

    /// Takes a copy of a write, unless it or a later one is known: then `None`.
    pub(crate) fn take_copy(
        &mut self,
        ctx: &mut Context<'_>,
        key: &Bytes,
        record: &Record,
    ) -> Option<Written> {
        let known = self.version(key);
        (known < record.version).then(|| self.store(ctx, key, record))
    }

    /// Stores the latest of all writes; `None` if there is no room. All that is due must have
    /// expired.
    pub(crate) fn put_directly(
        &mut self,
        now: Instant,
        key: &[u8],
        value: &[u8],
        deadline: Option<Instant>,
        (version, settled): (Version, bool),
        log: &mut EventLog,
    ) -> Option<()> {
        pack(&mut self.buffer, version, settled, value);
        let stored = self.node.put_at(now, key, &self.buffer, deadline, log);
        self.graves.remove(key);
        stored.ok()
    }

    /// Deletes a key with the latest of all writes, which every owner gets.
    pub(crate) fn delete_directly(
        &mut self,
        now: Instant,
        rules: &Rules<'_>,
        key: &Bytes,
        version: Version,
    ) {
        self.node.delete(now, key);
        self.dig(now, rules, key, (version, None), Some(version));
    }

    /// Lets an entry go that its owners have, or that is lost.
    pub(crate) fn give_up(&mut self, now: Instant, slot: u32, moved: bool, log: &mut EventLog) {
        self.node.give_up(self.local(now), slot, moved, log);
    }

    /// Forgets the tombstones of keys that it does not own any more.
    pub(crate) fn forget_tombstones(&mut self, rules: &Rules<'_>) {
        let id = self.id();
        self.graves.retain(|key| rules.owners(key).contains(&id));
    }
}

fn record_of(entry: Entry<'_>) -> Record {
    let (version, value) = unpack(entry.value);
    Record {
        version,
        value: Some(Arc::from(value)),
        deadline: entry.deadline,
    }
}
