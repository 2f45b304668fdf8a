//! A replica: a node that holds copies of keys together with others, and keeps its promise while
//! they crash and messages get lost.
//!
//! It is a state machine: it is given the time and a message, and gives messages back. It does not
//! know whether a simulated network or a socket carries them.
//!
//! - Every write has a *version* from the cluster's one logical clock. A replica keeps the latest
//!   write to each key that it has heard of; the order of arrival counts for nothing.
//! - Whoever a client asks *coordinates*: it sends a write to all owners and acknowledges it when W
//!   of them have it; it asks R owners, and of what they know the latest write is the answer, which
//!   it first passes on to enough owners that no later read can miss it (as in Attiya, Bar-Noy,
//!   Dolev, "Sharing Memory Robustly in Message-Passing Systems", JACM 1995).
//! - What is deleted or has expired leaves a tombstone (see `graves.rs`).
//! - A replica that comes back after a crash merges what its peers have before it serves.
//!
//! So with W + R > N, W > N / 2 and R > 1 a key is a linearizable register with expiry, as long as
//! fewer than W of its owners lose their memory between two heals. With R = 1 what is read is passed
//! on to nobody, so a write that only some owners have may be seen and then not be seen. With less
//! it is a cache that answers faster and promises less; CHECK says how much less.
//!
//! An entry's bytes in the store are 8 bytes of version and one of flags, and then the value.
//!
//! Caveats: ADD, CAS, INCR and EXPIRE read and then write under the condition that nothing later
//! has come in between at the owner; two of them at once on one key may still both be
//! acknowledged if W is no majority. A capacity breaks the promise where eviction removes what
//! a quorum counts on: an evicted key is a miss.

mod coordinator;
mod graves;
mod message;
mod restart;
mod sync;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use crate::cache::{Cache, PutError};
use crate::config::Plant;
use crate::event::EventLog;
use crate::id::NodeId;
use crate::network::Endpoint;
use crate::node::{Entry, Node};
use crate::placement::Placement;
use crate::time::Instant;
use coordinator::Pending;
use graves::Graves;
use sync::Sync;

pub use restart::UnknownRestart;

pub use message::{
    Answer, Bytes, Message, Record, Refusal, Request, RequestId, Shortfall, Version, Written,
};

/// The owners of a key, primary first.
pub type Owners = SmallVec<[NodeId; 4]>;

/// How many hints a replica keeps for each other one.
const MAX_HINTS: usize = 10_000;
/// How many bytes stand before the value of an entry.
pub const HEADER: usize = 9;

/// How a node comes back after a crash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restart {
    /// Empty; it serves when it has merged what its peers have.
    #[default]
    Resync,
    /// Empty; it serves at once, and its peers send what they could not deliver.
    Hints,
    /// Empty; it serves at once.
    Cold,
    /// As it was when it crashed; it serves at once.
    Stale,
}

/// What holds for all replicas of a cluster.
pub struct Rules<'a> {
    /// Who owns what.
    pub placement: &'a dyn Placement,
    /// How many owners a key has, at least 1.
    pub replicas: usize,
    /// W: how many owners must have a write before it is acknowledged.
    pub write_quorum: usize,
    /// R: how many owners are asked.
    pub read_quorum: usize,
    /// How long a coordinator waits for owners.
    pub timeout: Duration,
    /// How long tombstones are kept at least.
    pub grace: Duration,
    /// For tests of the tests.
    pub plant: Option<Plant>,
}

impl Rules<'_> {
    /// The owners of a key, primary first.
    #[must_use]
    pub fn owners(&self, key: &[u8]) -> Owners {
        let hash = self.placement.hash(key);
        if self.replicas == 1 {
            return SmallVec::from_slice(&[self.placement.owner(hash)]);
        }
        let mut owners = Vec::with_capacity(self.replicas);
        self.placement.owners(hash, self.replicas, &mut owners);
        SmallVec::from_vec(owners)
    }
}

/// What a replica is given with each message, and where its own messages go.
pub struct Context<'a> {
    /// The present.
    pub now: Instant,
    /// When the message was sent.
    pub sent: Instant,
    /// The cluster's logical clock.
    pub clock: Version,
    /// See [`Rules`].
    pub rules: &'a Rules<'a>,
    /// Where events go.
    pub log: &'a mut EventLog,
    /// Where messages go.
    pub out: &'a mut Vec<(Endpoint, Message)>,
}

impl Context<'_> {
    fn send(&mut self, to: impl Into<Endpoint>, message: Message) {
        self.out.push((to.into(), message));
    }

    fn is_planted(&self, plant: Plant) -> bool {
        self.rules.plant == Some(plant)
    }
}

/// See the module's docs.
pub struct Replica {
    /// What it stores.
    pub node: Node,
    graves: Graves,
    /// What it coordinates.
    pending: BTreeMap<RequestId, Pending>,
    sync: Option<Sync>,
    /// Up to which write each other node has merged what this one had.
    merged: BTreeMap<NodeId, Version>,
    /// Writes that other nodes did not take.
    hints: BTreeMap<NodeId, Vec<(Bytes, Record)>>,
    /// What was sent before is turned away, unless the key is known.
    floor: Version,
    /// By how much its clock is ahead, in nanoseconds.
    skew: i64,
    /// Whether it answers reads.
    serving: bool,
    buffer: Vec<u8>,
}

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
    /// A replica that stores in this node, and serves.
    #[must_use]
    pub fn new(node: Node) -> Self {
        Self {
            node,
            graves: Graves::default(),
            pending: BTreeMap::new(),
            sync: None,
            merged: BTreeMap::new(),
            hints: BTreeMap::new(),
            floor: 0,
            skew: 0,
            serving: true,
            buffer: Vec::new(),
        }
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.node.id()
    }

    /// Whether it answers reads: not while it merges what its peers have.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.serving
    }

    /// Whether it waits for nothing: no request, no peer.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.sync.is_none()
    }

    /// How many tombstones it keeps.
    #[must_use]
    pub fn tombstones(&self) -> usize {
        self.graves.len()
    }

    /// Sets its clock ahead (or behind), in nanoseconds.
    pub fn set_skew(&mut self, nanos: i64) {
        self.skew = nanos;
    }

    /// By how much its clock is ahead, in nanoseconds.
    #[must_use]
    pub fn skew(&self) -> i64 {
        self.skew
    }

    /// What its own clock shows.
    #[must_use]
    pub fn local(&self, now: Instant) -> Instant {
        Instant::from_nanos(now.as_nanos().saturating_add_signed(self.skew))
    }

    /// At or before the earliest deadline of what it stores.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Instant> {
        let local = self.node.next_deadline()?.as_nanos();
        Some(Instant::from_nanos(local.saturating_add_signed(-self.skew)))
    }

    /// When it next gives up waiting for somebody.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let pending = self.pending.values().map(|it| it.due);
        pending.chain(self.sync.as_ref().map(|sync| sync.due)).min()
    }

    /// When the next entry to expire at `now` was to expire.
    pub(crate) fn next_due(&mut self, now: Instant) -> Option<Instant> {
        let local = self.node.next_due(self.local(now))?;
        Some(self.global(local))
    }

    /// When its own clock shows this.
    fn global(&self, local: Instant) -> Instant {
        Instant::from_nanos(local.as_nanos().saturating_add_signed(-self.skew))
    }

    /// Expires the entry that [`Replica::next_due`] announced.
    pub(crate) fn expire_next(&mut self, now: Instant, rules: &Rules<'_>, log: &mut EventLog) {
        if let Some((key, entry)) = self.node.peek_due() {
            let (version, _) = unpack(entry.value);
            let settled = (entry.value[HEADER - 1] == 1).then_some(version);
            let key: Bytes = key.into();
            self.dig(now, rules, &key, version, settled);
        }
        self.node.expire_next(log);
    }

    fn dig(
        &mut self,
        now: Instant,
        rules: &Rules<'_>,
        key: &Bytes,
        version: Version,
        settled: Option<Version>,
    ) {
        if rules.replicas > 1 && rules.plant != Some(Plant::NoTombstones) {
            self.graves
                .dig(key, version, settled, now.later(rules.grace));
            self.collect(now, rules);
        }
    }

    /// Forgets what may be forgotten of keys that are gone.
    fn collect(&mut self, now: Instant, rules: &Rules<'_>) {
        if let Some(floor) = self.graves.collect(now, now.later(rules.grace)) {
            self.floor = self.floor.max(floor);
        }
    }

    /// Does what is due: expires, gives up waiting, collects tombstones.
    pub fn tick(&mut self, ctx: &mut Context<'_>) {
        self.expire(ctx);
        self.time_out(ctx);
        if ctx.is_planted(Plant::EarlyTombstones) {
            self.graves.settle_up_to(Version::MAX, 0);
        }
        self.collect(ctx.now, ctx.rules);
    }

    fn expire(&mut self, ctx: &mut Context<'_>) {
        while self.next_due(ctx.now).is_some() {
            self.expire_next(ctx.now, ctx.rules, ctx.log);
        }
    }

    /// Takes a message.
    pub fn handle(&mut self, ctx: &mut Context<'_>, from: Endpoint, message: Message) {
        self.expire(ctx);
        match message {
            Message::Request { id, key, request } => self.begin(ctx, id, from, key, request),
            Message::Write {
                id,
                key,
                mut record,
                base,
                stamp,
            } => {
                if ctx.is_planted(Plant::RelativeTtl) {
                    let under_way = ctx.now.since(ctx.sent);
                    record.deadline = record.deadline.map(|it| it.later(under_way));
                }
                let outcome = self.merge(ctx, &key, &record, base, stamp);
                ctx.send(from, Message::Written { id, outcome });
            }
            Message::Written { id, outcome } => self.written(ctx, id, from, outcome),
            Message::Read { id, touch, .. } if !self.serving => {
                let _ = touch;
                ctx.send(from, Message::Unavailable { id });
            }
            Message::Read { id, key, touch } => {
                let record = self.record(ctx, &key, touch);
                ctx.send(from, Message::Found { id, record });
            }
            Message::Found { id, record } => self.found(ctx, id, from, record),
            Message::Unavailable { id } => self.unavailable(ctx, id, from),
            Message::Settled {
                key,
                version,
                stamp,
            } => self.settle(ctx, &key, version, stamp),
            Message::Sync { id, hints } => self.send_records(ctx, id, from, hints),
            Message::Records { id, records, stamp } => {
                self.take_records(ctx, id, from, records, stamp);
            }
            Message::Merged { stamp } => self.note_merged(ctx, from, stamp),
            Message::Answer { .. } => {}
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

    /// What is known of `key`; all that is due must have expired.
    pub(crate) fn record(
        &mut self,
        ctx: &mut Context<'_>,
        key: &[u8],
        touch: bool,
    ) -> Option<Record> {
        let Some(slot) = self.node.slot_of(key) else {
            return self.graves.version(key).map(tombstone);
        };
        let record = record_of(self.node.entry(slot).1);
        if touch {
            self.node.touch(ctx.now, slot, ctx.log);
        }
        Some(record)
    }

    /// Stores a write, unless a later one is known.
    fn merge(
        &mut self,
        ctx: &mut Context<'_>,
        key: &Bytes,
        record: &Record,
        base: Option<Version>,
        stamp: Version,
    ) -> Written {
        let known = self.version(key);
        if known == record.version {
            return Written::Applied;
        }
        if known > record.version || base.is_some_and(|base| known > base) {
            return match base {
                Some(_) => Written::Conflict,
                None => Written::Applied,
            };
        }
        if known == 0 && stamp <= self.floor {
            return Written::Conflict;
        }
        self.store(ctx, key, record)
    }

    fn store(&mut self, ctx: &mut Context<'_>, key: &Bytes, record: &Record) -> Written {
        let now = self.local(ctx.now);
        let Some(value) = record.value.as_ref().filter(|_| self.is_live(ctx, record)) else {
            self.node.delete(now, key);
            self.dig(ctx.now, ctx.rules, key, record.version, None);
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
    fn settle(&mut self, ctx: &mut Context<'_>, key: &[u8], version: Version, stamp: Version) {
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
        let mut records = BTreeMap::new();
        let mut at = 0;
        while let Some(slot) = self.node.slot_from(at) {
            at = slot.saturating_add(1);
            let (key, entry) = self.node.entry(slot);
            records.insert(Bytes::from(key), record_of(entry));
        }
        let graves = self.graves.records();
        records.extend(graves.map(|(key, record)| (key.clone(), record)));
        records
    }

    /// The key and the write in an occupied slot.
    pub(crate) fn slot(&self, slot: u32) -> (Bytes, Record) {
        let (key, entry) = self.node.entry(slot);
        (key.into(), record_of(entry))
    }

    /// What it knows of a key, without touching it.
    pub(crate) fn find(&self, key: &[u8]) -> Option<(Bytes, Record)> {
        if let Some(slot) = self.node.slot_of(key) {
            return Some(self.slot(slot));
        }
        let version = self.graves.version(key)?;
        Some((key.into(), tombstone(version)))
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
        self.dig(now, rules, key, version, Some(version));
    }

    /// Lets a key go that all its owners have, or that is lost.
    pub(crate) fn give_up(&mut self, now: Instant, key: &[u8], moved: bool, log: &mut EventLog) {
        self.graves.remove(key);
        if let Some(slot) = self.node.slot_of(key) {
            self.node.give_up(self.local(now), slot, moved, log);
        }
    }

    /// It stops: what it coordinates and waits for is gone. What it holds is kept for
    /// [`Restart::Stale`].
    pub fn crash(&mut self) {
        self.pending.clear();
        self.sync = None;
        self.serving = false;
    }

    /// It comes back.
    pub fn restart(&mut self, ctx: &mut Context<'_>, how: Restart) {
        self.serving = true;
        if how == Restart::Stale {
            return self.expire(ctx);
        }
        self.lose_memory(ctx);
        match how {
            Restart::Resync => {
                self.serving = false;
                self.start_sync(ctx, false);
            }
            Restart::Hints => self.start_sync(ctx, true),
            Restart::Cold | Restart::Stale => {}
        }
    }

    fn lose_memory(&mut self, ctx: &Context<'_>) {
        self.node.forget();
        self.graves.clear();
        self.merged.clear();
        self.hints.clear();
        // What was sent to who it was before is not for it.
        self.floor = ctx.clock.saturating_sub(1);
    }
}

fn tombstone(version: Version) -> Record {
    Record {
        version,
        value: None,
        deadline: None,
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
