//! What a replica knows: its entries and its tombstones, and how writes change them.

use std::collections::BTreeMap;

use super::Replica;
use super::message::{Base, Record, Version, Written};
use super::rules::{Context, Rules};
use crate::config::InjectedBug;
use crate::event::EventLog;
use crate::hash::Hashed;
use crate::node::{Cause, Origin};
use crate::operation::{Bytes, PutError};
use crate::time::Instant;

/// The latest write to a key that a replica knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// None.
    Nothing,
    /// The entry in this slot.
    Entry(Version, u32),
    /// The key is deleted or has expired.
    Tombstone(Version),
}

impl Known {
    /// The version of the write; 0 if there is none.
    pub(crate) fn version(self) -> Version {
        match self {
            Self::Nothing => 0,
            Self::Entry(version, _) | Self::Tombstone(version) => version,
        }
    }

    /// Where the entry is.
    pub(crate) fn slot(self) -> Option<u32> {
        match self {
            Self::Entry(_, slot) => Some(slot),
            Self::Nothing | Self::Tombstone(_) => None,
        }
    }
}

impl Replica {
    /// Expires the entry that [`Replica::next_due`] announced. A tombstone remains, unless the
    /// replica is the only owner and no message is in flight (`alone`). An entry that has moved
    /// (`moved`) expires at its new owners, and is not logged here.
    pub(crate) fn expire_next(
        &mut self,
        present: Instant,
        clock: &mut Version,
        rules: &Rules<'_>,
        (alone, moved): (bool, bool),
        log: &mut EventLog,
    ) {
        let Some((deadline, slot)) = self.node.peek_due() else {
            return;
        };
        let at = self.global(deadline).max(present);
        if !alone {
            let version = self.node.version(slot);
            let is_settled = self.node.is_settled(slot) || rules.has_no_copies();
            let settled = is_settled.then_some(*clock);
            *clock += u64::from(settled.is_some());
            let key: Bytes = self.node.entry(slot).0.into();
            self.bury(at, rules, &key, (version, Some(deadline)), settled);
        }
        if moved {
            self.node.drop_next();
        } else {
            self.node.expire_next(at, log);
        }
    }

    /// Makes a tombstone.
    fn bury(
        &mut self,
        now: Instant,
        rules: &Rules<'_>,
        key: &Bytes,
        write: (Version, Option<Instant>),
        settled: Option<Version>,
    ) {
        if rules.bug != Some(InjectedBug::NoTombstones) {
            let until = now.saturating_add(rules.grace);
            let forgotten = self.tombstones.insert(key, write, settled, until);
            self.forget_up_to(forgotten.unwrap_or(0));
            self.collect(now, rules);
        }
    }

    /// Collects the tombstones that are not needed any more. While keys move, a new owner may lack
    /// the write, also if all owners before had it, so all tombstones stay.
    pub(super) fn collect(&mut self, now: Instant, rules: &Rules<'_>) {
        let again = now.saturating_add(rules.grace);
        let may_forget = rules.before.is_none() || rules.bug == Some(InjectedBug::EarlyTombstones);
        if let Some(forgotten) = self.tombstones.collect(now, again, may_forget) {
            self.forget_up_to(forgotten);
        }
    }

    pub(super) fn forget_up_to(&mut self, forgotten: Version) {
        self.forgotten_up_to = self.forgotten_up_to.max(forgotten);
    }

    /// The latest write to `key` that is known here.
    #[inline]
    pub(crate) fn locate(&self, key: &[u8]) -> Known {
        self.locate_hashed(Hashed::of(key))
    }

    /// The same for a key whose hash is known.
    #[inline]
    pub(crate) fn locate_hashed(&self, key: Hashed<'_>) -> Known {
        match self.node.slot_of_hashed(key) {
            Some(slot) => Known::Entry(self.node.version(slot), slot),
            None => match self.tombstones.version(key.key) {
                Some(version) => Known::Tombstone(version),
                None => Known::Nothing,
            },
        }
    }

    /// Whether the write to `key` or a later one is known here, or was and is forgotten.
    #[must_use]
    pub fn knows(&self, key: &[u8], version: Version) -> bool {
        self.locate(key).version() >= version || self.forgotten_up_to >= version
    }

    /// Whether this replica has the effect of a write: its value while it is live at `now`, or at
    /// least knowledge of the write. A tombstone of a value that is still live was made by a clock
    /// that is ahead, and is not what the write left.
    pub(crate) fn has(&self, key: &[u8], record: &Record, now: Instant) -> bool {
        let known = self.locate(key);
        known.version() > record.version
            || known.version() == record.version && (known.slot().is_some() || !record.is_live(now))
    }

    /// The record of `key`; everything due must have expired.
    pub(crate) fn record(
        &mut self,
        ctx: &mut Context<'_>,
        key: &[u8],
        touch: bool,
    ) -> Option<Record> {
        let Some(slot) = self.node.slot_of(key) else {
            return self.tombstones.record(key);
        };
        let record = self.slot(slot).1;
        if touch {
            self.node.touch(ctx.now, slot, ctx.log);
        }
        Some(record)
    }

    /// Applies a write, unless a later one is known.
    pub(super) fn merge(
        &mut self,
        ctx: &mut Context<'_>,
        key: &Bytes,
        record: &Record,
        base: Option<Base>,
        based_on: Version,
        origin: Origin,
    ) -> Written {
        if based_on < ctx.rules.layout_version && !ctx.rules.owners(key).contains(&self.id()) {
            return Written::TooLate;
        }
        let known = self.locate(key);
        if known.version() == record.version {
            return self.revive(ctx, key, record, origin);
        }
        if known.version() > record.version
            || base.is_some_and(|base| known.version() > base.version || base.is_over(ctx.now))
        {
            return match base {
                Some(_) => Written::Conflict,
                None => Written::Applied,
            };
        }
        let is_absent = known.slot().is_none();
        if is_absent && record.value.is_some() && based_on <= self.forgotten_up_to {
            return Written::TooLate;
        }
        self.apply(ctx, key, record, origin)
    }

    /// Applies a write that is known. If its value has expired here because a clock was ahead, and
    /// is live, it is stored again.
    fn revive(
        &mut self,
        ctx: &mut Context<'_>,
        key: &Bytes,
        record: &Record,
        origin: Origin,
    ) -> Written {
        if self.node.slot_of(key).is_some() || !self.is_live(ctx, record) {
            return Written::Applied;
        }
        self.apply(ctx, key, record, origin)
    }

    fn apply(
        &mut self,
        ctx: &mut Context<'_>,
        key: &Bytes,
        record: &Record,
        origin: Origin,
    ) -> Written {
        let Some(value) = record.value.as_ref().filter(|_| self.is_live(ctx, record)) else {
            self.take_out(ctx.now, key, Cause::Deleted, ctx.log);
            let write = (record.version, record.deadline);
            let settled = ctx.rules.has_no_copies().then(|| ctx.next_clock());
            self.bury(ctx.now, ctx.rules, key, write, settled);
            return Written::Applied;
        };
        let stored = self
            .node
            .store(ctx.now, key, value, record.deadline, origin, ctx.log);
        match stored {
            Ok(slot) => {
                self.node.set_version(slot, record.version);
                self.tombstones.remove(key);
                Written::Applied
            }
            Err(error) => {
                if ctx.has_bug(InjectedBug::RefusedDeletes) {
                    self.take_out(ctx.now, key, Cause::Deleted, ctx.log);
                }
                Written::Refused(error)
            }
        }
    }

    fn take_out(&mut self, at: Instant, key: &[u8], cause: Cause, log: &mut EventLog) {
        if let Some(slot) = self.node.slot_of(key) {
            self.node.remove(at, slot, cause, log);
        }
    }

    fn is_live(&self, ctx: &Context<'_>, record: &Record) -> bool {
        record.is_live(self.local(ctx.now))
    }

    /// Notes that every owner has this write.
    pub(crate) fn settle(&mut self, key: &[u8], version: Version, clock: Version) {
        match self.locate(key) {
            Known::Entry(known, slot) if known == version => self.node.settle(slot),
            _ => self.tombstones.settle(key, version, clock),
        }
    }

    /// Others have a write for which this node has no room: an older value is out of date.
    pub(crate) fn supersede(
        &mut self,
        at: Instant,
        key: &[u8],
        version: Version,
        log: &mut EventLog,
    ) {
        if let Known::Entry(known, slot) = self.locate(key)
            && known < version
        {
            self.node.remove(at, slot, Cause::Replaced, log);
        }
    }

    /// All records, by key.
    pub(crate) fn records(&self) -> BTreeMap<Bytes, Record> {
        self.records_if(|_| true)
    }

    /// The records of the keys that are wanted.
    pub(super) fn records_if(&self, wanted: impl Fn(&[u8]) -> bool) -> BTreeMap<Bytes, Record> {
        let slots = self.node.slots();
        let slots = slots.filter(|&slot| wanted(self.node.entry(slot).0));
        let mut records: BTreeMap<_, _> = slots.map(|slot| self.slot(slot)).collect();
        let tombstones = self.tombstones.records().filter(|(key, _)| wanted(key));
        records.extend(tombstones.map(|(key, record)| (key.clone(), record)));
        records
    }

    /// The key and the record in an occupied slot.
    pub(crate) fn slot(&self, slot: u32) -> (Bytes, Record) {
        let (key, entry) = self.node.entry(slot);
        let record = Record {
            version: self.node.version(slot),
            value: Some(entry.value.into()),
            deadline: entry.deadline,
        };
        (key.into(), record)
    }

    /// The tombstones as records, by key.
    pub(crate) fn tombstone_records(&self) -> BTreeMap<Bytes, Record> {
        let tombstones = self.tombstones.records();
        tombstones
            .map(|(key, record)| (key.clone(), record))
            .collect()
    }

    /// Takes a copy that a move brings, unless what the write left is here: then `None`.
    pub(crate) fn take_copy(
        &mut self,
        ctx: &mut Context<'_>,
        key: &Bytes,
        record: &Record,
    ) -> Option<Written> {
        let is_known = self.locate(key).version() == record.version;
        let is_gone = !self.is_live(ctx, record) || ctx.has_bug(InjectedBug::EarlyCopies);
        if self.has(key, record, ctx.now) || is_known && is_gone {
            return None;
        }
        let origin = if ctx.has_bug(InjectedBug::MoveEvicts) {
            Origin::Copy
        } else {
            Origin::Move
        };
        Some(self.apply(ctx, key, record, origin))
    }

    /// Stores the latest of all writes, for the fast path. Everything due must have expired.
    #[inline]
    pub(crate) fn put_latest(
        &mut self,
        at: Instant,
        key: Hashed<'_>,
        value: &[u8],
        deadline: Option<Instant>,
        version: Option<Version>,
        log: &mut EventLog,
    ) -> Result<(), PutError> {
        let slot = self
            .node
            .store_hashed(at, key, value, deadline, Origin::Client, log)?;
        if let Some(version) = version {
            self.node.set_version(slot, version);
        }
        self.tombstones.remove(key.key);
        Ok(())
    }

    /// Deletes a key with the latest of all writes, which every owner gets.
    pub(crate) fn delete_latest(
        &mut self,
        at: Instant,
        rules: &Rules<'_>,
        key: &Bytes,
        version: Version,
        log: &mut EventLog,
    ) {
        self.take_out(at, key, Cause::Deleted, log);
        self.bury(at, rules, key, (version, None), Some(version));
    }

    /// Forgets all tombstones, as those of writes up to `clock`.
    pub(crate) fn clear_tombstones(&mut self, clock: Version) {
        if self.tombstones.len() > 0 {
            self.tombstones.clear();
            self.forget_up_to(clock);
        }
    }

    /// Forgets the tombstones of keys that this node does not own any more.
    pub(crate) fn forget_tombstones(&mut self, rules: &Rules<'_>) {
        let id = self.id();
        self.tombstones
            .retain(|key| rules.owners(key).contains(&id));
    }
}
