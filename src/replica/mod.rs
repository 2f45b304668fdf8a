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
//! # What is easy to get wrong
//!
//! Each of these was wrong once, and [`crate::simulation`] found it.
//!
//! - An acknowledgement counts as long as the life lasts in which it was given (see `lives.rs`).
//! - A coordinator that knows of a refusal must not speak before the other owners have: they may
//!   still do it. What a second coordinator refuses, a silent first may have done.
//! - What expires while it is read is neither there nor gone: something may have come after it, and
//!   so the owners are asked anew. The same holds if an owner may have forgotten something meanwhile.
//! - A tombstone is collected at the earliest when all owners have it, each in its present life.
//!   From then on whatever rests on what was known before is too late: each message says on what
//!   it rests by the logical clock, which goes on whenever something is settled.
//! - What some owners took and others turned away is repaired, so that all have the same at rest.
//! - A node that was paused acts in the present on what it has missed, not in the past.
//!
//! Caveats: ADD, CAS, INCR, EXPIRE and PERSIST read and then write under the condition that nothing
//! later has come in between at the owner. Without consensus that is not enough for several at once:
//! if one of them is under way when another write to the key is, or after one whose outcome is
//! unknown, two may be done of which one should have failed, or an overwrite may get lost. A client
//! that alone writes a key, and overwrites it after an unknown outcome before it sets conditions
//! again, is safe where W is a majority; but the effect of one whose outcome is unknown may be seen for the
//! first time after what it was checked on has expired. With R = 1 reads repair nothing, so a write that was not
//! acknowledged may be seen and not be seen again. A capacity breaks the promise where eviction
//! removes what a quorum counts on: an evicted key is a miss. A clock that is ahead lets copies go
//! early.

mod coordinator;
mod decision;
mod graves;
mod lives;
mod message;
mod names;
mod owners;
mod reading;
mod sync;
mod writing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use crate::cache::{Cache, PutError};
pub use crate::config::Plant;
use crate::event::EventLog;
use crate::id::NodeId;
use crate::network::Endpoint;
use crate::node::{Entry, Node};
use crate::placement::Placement;
use crate::time::Instant;
use coordinator::Pending;
use graves::Graves;
use sync::Sync;

pub use lives::Lives;
pub use message::{
    Answer, Base, Bytes, Message, Record, Refusal, Request, RequestId, Shortfall, Version, Written,
};
pub use names::{UnknownPlant, UnknownRestart};
pub use owners::Owners;

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
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// Who owns what.
    pub layout: Layout<'a>,
    /// Who owned it before, while keys are on their way to new owners.
    pub before: Option<Layout<'a>>,
    /// The logical clock when that was last changed.
    pub since: Version,
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

/// Who owns what.
#[derive(Clone, Copy)]
pub struct Layout<'a> {
    /// How keys are placed.
    pub placement: &'a dyn Placement,
    /// How many owners a key has, at least 1.
    pub replicas: usize,
}

impl Layout<'_> {
    /// The owners of a key, primary first.
    fn owners(&self, key: &[u8]) -> SmallVec<[NodeId; 4]> {
        let hash = self.placement.hash(key);
        if self.replicas == 1 {
            return SmallVec::from_slice(&[self.placement.owner(hash)]);
        }
        let mut owners = Vec::with_capacity(self.replicas);
        self.placement.owners(hash, self.replicas, &mut owners);
        SmallVec::from_vec(owners)
    }

    fn members(&self) -> impl Iterator<Item = NodeId> {
        self.placement.members().iter().map(|member| member.node)
    }
}

impl Rules<'_> {
    /// The owners of a key, primary first; while keys move, those that it had before, too.
    #[must_use]
    pub fn owners(&self, key: &[u8]) -> Owners {
        let owners = self.layout.owners(key);
        match &self.before {
            Some(before) => Owners::moving(owners, &before.owners(key)),
            None => Owners::new(owners),
        }
    }

    /// The nodes that may own keys, by ascending number.
    #[must_use]
    pub fn members(&self) -> BTreeSet<NodeId> {
        let before = self.before.iter().flat_map(Layout::members);
        self.layout.members().chain(before).collect()
    }

    /// Whether there is nobody to have copies beside the one owner of each key.
    fn has_no_copies(&self) -> bool {
        self.layout.replicas == 1 && self.before.is_none()
    }
}

/// What a replica is given with each message, and where its own messages go.
pub struct Context<'a> {
    /// The present.
    pub now: Instant,
    /// When the message was sent.
    pub sent: Instant,
    /// The cluster's logical clock. It goes on with every write, and whenever somebody learns that
    /// all owners have one, so that what is sent after that can be told from what was sent before.
    pub clock: &'a mut Version,
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

    /// The present of the logical clock, which is over then.
    fn stamp(&mut self) -> Version {
        let stamp = *self.clock;
        *self.clock += 1;
        stamp
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
    pending: BTreeMap<RequestId, Box<Pending>>,
    sync: Option<Sync>,
    /// How many syncs and repairs it has begun.
    begun: u64,
    /// Writes that wait for the end of the sync.
    early: Vec<(Endpoint, Message)>,
    /// How many of the tombstones that this one made each other node has merged.
    merged: BTreeMap<NodeId, u64>,
    lives: Lives,
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
            begun: 0,
            early: Vec::new(),
            merged: BTreeMap::new(),
            lives: Lives::default(),
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

    /// When it next acts by itself: gives up waiting for somebody, or collects tombstones.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.next_wait()
            .into_iter()
            .chain(self.graves.next_due())
            .min()
    }

    /// When it next gives up waiting for somebody.
    fn next_wait(&self) -> Option<Instant> {
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
            self.graves.settle_up_to(u64::MAX, 0);
        }
        self.collect(ctx.now, ctx.rules);
    }

    fn expire(&mut self, ctx: &mut Context<'_>) {
        while self.next_due(ctx.now).is_some() {
            self.expire_next(ctx.clock, ctx.rules, ctx.log);
        }
    }

    /// Takes a message.
    #[expect(
        clippy::too_many_lines,
        reason = "one arm a message, none of them long"
    )]
    pub fn handle(&mut self, ctx: &mut Context<'_>, from: Endpoint, message: Message) {
        self.expire(ctx);
        if self.is_early(&message) {
            return self.early.push((from, message));
        }
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
                let (version, lives) = (record.version, self.lives.clone());
                ctx.send(
                    from,
                    Message::Written {
                        id,
                        version,
                        outcome,
                        lives,
                    },
                );
            }
            Message::Written {
                id,
                version,
                outcome,
                lives,
            } => {
                if self.is_alive(from, &lives) {
                    self.written(ctx, (id, version), from, &outcome);
                }
            }
            Message::Read { id, round, .. } if !self.serving => {
                let round = Some(round);
                ctx.send(from, Message::Unavailable { id, round });
            }
            Message::Read {
                id,
                key,
                touch,
                round,
            } => {
                let record = self.record(ctx, &key, touch);
                let (floor, lives) = (self.floor, self.lives.clone());
                ctx.send(
                    from,
                    Message::Found {
                        id,
                        record,
                        round,
                        floor,
                        lives,
                    },
                );
            }
            Message::Found {
                id,
                record,
                round,
                floor,
                lives,
            } => {
                if self.is_alive(from, &lives) {
                    self.found(ctx, (id, round), from, record, floor);
                }
            }
            Message::Unavailable { id, round } => self.unavailable(ctx, (id, round), from),
            Message::Settled {
                key,
                version,
                stamp,
            } => self.settle(ctx, &key, version, stamp),
            Message::Sync { id, hints, lives } => {
                self.is_alive(from, &lives);
                self.send_records(ctx, id, from, hints);
            }
            Message::Records {
                id,
                records,
                stamp,
                mark,
                floor,
                lives,
            } => {
                self.is_alive(from, &lives);
                self.take_records(ctx, id, from, records, stamp, mark, floor);
            }
            Message::Merged { mark, lives } => {
                if self.is_alive(from, &lives) {
                    self.note_merged(ctx, from, mark);
                }
            }
            Message::Answer { .. } => {}
        }
    }

    /// Notes which lives the sender has heard of; `false` if its own, as it was when it sent this,
    /// is over.
    fn is_alive(&mut self, from: Endpoint, lives: &Lives) -> bool {
        let Endpoint::Node(from) = from else {
            return true;
        };
        if self.lives.is_same(lives) {
            return true;
        }
        for (node, born) in lives.iter() {
            if self.lives.note(node, born) {
                self.merged.remove(&node);
                self.discount(node);
            }
        }
        lives.of(from) >= self.lives.of(from)
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
    fn merge(
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
        self.records_if(|_| true)
    }

    /// The same for the keys that are wanted.
    fn records_if(&self, wanted: impl Fn(&[u8]) -> bool) -> BTreeMap<Bytes, Record> {
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

    /// Notes that all owners of a key have this write, of which it has a copy.
    pub(crate) fn note_settled(&mut self, ctx: &mut Context<'_>, key: &[u8], version: Version) {
        let stamp = *ctx.clock;
        self.settle(ctx, key, version, stamp);
    }

    /// Up to where it turns away what rests on what was known before.
    pub(crate) fn floor(&self) -> Version {
        self.floor
    }

    /// The owners of keys have changed. One that is new to a key turns away what its owners before
    /// would have turned away: that is, whatever rests on what was known before this `floor`.
    pub(crate) fn change_layout(&mut self, ctx: &mut Context<'_>, floor: Version) {
        self.expire(ctx);
        self.floor = self.floor.max(floor);
        let members = ctx.rules.members();
        self.hints.retain(|node, _| members.contains(node));
        self.merged.retain(|node, _| members.contains(node));
        self.change_owners(ctx);
        self.wait_only_for(ctx, &members);
    }

    /// It stops: what it coordinates and waits for is gone. What it holds is kept for
    /// [`Restart::Stale`].
    pub fn crash(&mut self) {
        self.pending.clear();
        self.early.clear();
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
        self.lives = Lives::default();
        self.lives.note(self.id(), *ctx.clock);
        self.floor = 0;
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
