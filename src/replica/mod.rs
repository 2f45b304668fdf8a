//! A replica: a node that holds copies of keys together with others, and keeps its promise while
//! nodes crash and messages get lost.
//!
//! It is a state machine: it gets the time and a message, and returns messages. Two things come from
//! the cluster without a message, in one process: the logical clock that versions come from, and
//! changes of the layout.
//!
//! - Every write has a *version* from the logical clock. A replica keeps the latest write to each
//!   key; the order of arrival does not matter.
//! - The node that a client asks *coordinates*: it sends a write to all owners and acknowledges it
//!   when W of them have it. A read asks R owners; the latest write among their answers is the
//!   result, and the coordinator first writes it to so many owners that no later read can miss it
//!   (as in Attiya, Bar-Noy, Dolev, "Sharing Memory Robustly in Message-Passing Systems", JACM 1995).
//! - A deleted or expired key leaves a tombstone (see `tombstones.rs`).
//! - A replica that comes back after a crash merges the records of its peers before it serves.
//!
//! So with W + R > N, and R > 1 or N = 1, a key is a linearizable register with expiry, as long as
//! fewer than W of its owners are crashed or still resynchronizing at the same time, and
//! conditional writes do not overlap others (see below). With R = 1 a read repairs nothing, so a
//! write that only some owners have may be seen and then not be seen. With smaller quorums the
//! cache answers faster and promises less. `src/cluster/promise.rs` has the rules, by which CHECK
//! judges.
//!
//! # Pitfalls
//!
//! Each of these was wrong once, and [`crate::simulation`] found it.
//!
//! - An acknowledgement counts only for the incarnation that gave it (see `crash_vector.rs`).
//! - A coordinator with a refusal must wait for the other owners before it answers: they may still
//!   apply the write. A write that a second coordinator refuses may already have been applied
//!   through the first.
//! - A value that expires while it is read is neither a hit nor a miss: a later write may be there, so
//!   the owners are asked again. The same holds if an owner may have collected a tombstone meanwhile.
//! - A tombstone is collected only when all owners have the write, each in its present incarnation.
//!   From then on a message that is based on earlier state is rejected: every message carries the
//!   logical clock of the state that it is based on, and the clock advances whenever a write is
//!   settled.
//! - A write that some owners applied and others rejected is repaired, so that all agree at rest.
//! - A write that an owner has no room for leaves what that owner has. Only if W others have the write is
//!   the older value there out of date, and dropped.
//! - While a key moves, a quorum of its new owners alone may lack what a quorum of the old owners has
//!   acknowledged: both have to agree (see `owners.rs`). A write that arrives at a former owner is
//!   rejected, and pending requests use the new owners at once. A new owner rejects what the old
//!   owners would have rejected.
//! - A clock that is ahead lets a value expire early. Its tombstone is no proof that the value is gone:
//!   a live copy of the same write elsewhere counts more.
//! - A paused node handles what it has missed at the time of RESUME, not in the past.
//!
//! Caveats: ADD, CAS, INCR, EXPIRE and PERSIST read and then write on the condition that the owner
//! knows no later version. That is no consensus. If one of them is pending while another write to
//! the key is, or after one whose outcome is unknown, two may succeed of which one should have failed,
//! or an overwrite may get lost. A client that alone writes a key, and overwrites it after an unknown
//! outcome before it uses a condition again, is safe where W + R > N; but the effect of a
//! conditional write whose outcome is unknown may become visible after the value that it was checked on has
//! expired. A capacity breaks the promise where eviction removes what a quorum counts on: an evicted
//! key is a miss.

mod coordinator;
mod crash_vector;
mod decision;
mod memory;
mod message;
mod names;
mod owners;
mod pending;
mod reading;
mod rules;
mod sync;
mod timers;
mod tombstones;
mod writing;

use std::collections::{BTreeMap, BTreeSet};

pub use crate::config::InjectedBug;
use crate::id::NodeId;
use crate::network::Endpoint;
use crate::node::{Node, Origin};
use crate::operation::Bytes;
use crate::time::Instant;
use pending::PendingRequests;
use sync::Sync;
use tombstones::Tombstones;

pub use crash_vector::CrashVector;
pub(crate) use decision::{Decision, Live, decide};
pub(crate) use memory::Known;
pub use message::{Base, Message, Record, Request, RequestId, Version, Written};
pub use names::{UnknownBug, UnknownRestart};
pub use owners::Owners;
pub use rules::{Context, Layout, Rules};
pub(crate) use timers::Timers;

/// How many hints a replica keeps for each other one.
const MAX_HINTS: usize = 10_000;

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

/// A node that holds copies of keys together with others, as a state machine: it gets the time and a
/// message, and returns messages.
#[derive(Clone)]
pub struct Replica {
    /// The entries and the counts.
    pub node: Node,
    tombstones: Tombstones,
    /// The requests that it coordinates.
    pending: PendingRequests,
    sync: Option<Sync>,
    /// How many syncs and repairs it has started.
    started: u64,
    /// Writes that wait for the end of the sync.
    early: Vec<(Endpoint, Message)>,
    /// How many of the tombstones that this one made each other node has merged.
    merged: BTreeMap<NodeId, u64>,
    crashes: CrashVector,
    /// Writes that other nodes may lack.
    hints: BTreeMap<NodeId, Vec<(Bytes, Record)>>,
    /// Up to this logical clock tombstones may have been collected: writes of absent keys that are
    /// based on state from before it are rejected.
    forgotten_up_to: Version,
    /// By how much its clock is ahead, in nanoseconds.
    skew: i64,
    /// Whether it answers reads.
    serving: bool,
}

impl Replica {
    /// A replica that stores in this node, and serves.
    #[must_use]
    pub fn new(node: Node) -> Self {
        Self {
            node,
            tombstones: Tombstones::default(),
            pending: PendingRequests::default(),
            sync: None,
            started: 0,
            early: Vec::new(),
            merged: BTreeMap::new(),
            crashes: CrashVector::default(),
            hints: BTreeMap::new(),
            forgotten_up_to: 0,
            skew: 0,
            serving: true,
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

    /// Whether it waits for nothing: no owner, no peer.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.sync.is_none()
    }

    /// How many tombstones it keeps.
    #[must_use]
    pub fn tombstones(&self) -> usize {
        self.tombstones.len()
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

    /// When it next acts without a message: a request times out, or tombstones are collected.
    pub fn next_timeout(&mut self) -> Option<Instant> {
        let pending = self.pending.first_due().map(|(due, _)| due);
        let sync = self.sync.as_ref().map(|sync| sync.due);
        let due = [pending, sync, self.tombstones.next_due()];
        due.into_iter().flatten().min()
    }

    /// The unsettled tombstones that the bound has dropped since the last call: key and version.
    pub(crate) fn take_dropped(&mut self) -> Vec<(Bytes, Version)> {
        if self.tombstones.has_dropped() {
            return self.tombstones.take_dropped();
        }
        Vec::new()
    }

    /// Whether it may lack a write that removed a key, and whose tombstone another node has dropped.
    /// A node without an entry or a tombstone of the key may have dropped or collected that tombstone itself.
    pub(crate) fn may_lack(&self, key: &[u8], version: Version) -> bool {
        let forgotten = self.forgotten_up_to.max(self.tombstones.dropped_up_to());
        match self.locate(key) {
            Known::Nothing => forgotten < version,
            known => known.version() < version,
        }
    }

    /// The deadline of the next entry that is due at `now`.
    pub(crate) fn next_due(&mut self, now: Instant) -> Option<Instant> {
        let local = self.node.next_due(self.local(now))?;
        Some(self.global(local))
    }

    /// Converts this node's local time to cluster time.
    fn global(&self, local: Instant) -> Instant {
        Instant::from_nanos(local.as_nanos().saturating_add_signed(-self.skew))
    }

    /// Expires entries, times out requests and collects tombstones, up to the present.
    pub fn tick(&mut self, ctx: &mut Context<'_>) {
        self.expire(ctx);
        self.time_out(ctx);
        if ctx.has_bug(InjectedBug::EarlyTombstones) {
            self.tombstones.settle_up_to(u64::MAX, 0);
        }
        self.collect(ctx.now, ctx.rules);
    }

    fn expire(&mut self, ctx: &mut Context<'_>) {
        while self.next_due(ctx.now).is_some() {
            self.expire_next(ctx.now, ctx.clock, ctx.rules, (false, false), ctx.log);
        }
    }

    /// Handles a message.
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
                based_on,
            } => {
                if ctx.has_bug(InjectedBug::RelativeTtl) {
                    let under_way = ctx.now.saturating_duration_since(ctx.sent);
                    record.deadline = record.deadline.map(|it| it.saturating_add(under_way));
                }
                let outcome = self.merge(ctx, &key, &record, base, based_on, Origin::Client);
                let (version, crashes) = (record.version, self.crashes.clone());
                ctx.send(
                    from,
                    Message::Written {
                        id,
                        version,
                        outcome,
                        crashes,
                    },
                );
            }
            Message::Written {
                id,
                version,
                outcome,
                crashes,
            } => {
                if self.note_crashes(from, &crashes) {
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
                let (forgotten, crashes) = (self.forgotten_up_to, self.crashes.clone());
                ctx.send(
                    from,
                    Message::Found {
                        id,
                        record,
                        round,
                        forgotten,
                        crashes,
                    },
                );
            }
            Message::Found {
                id,
                record,
                round,
                forgotten,
                crashes,
            } => {
                if self.note_crashes(from, &crashes) {
                    self.found(ctx, (id, round), from, record, forgotten);
                }
            }
            Message::Unavailable { id, round } => self.unavailable(ctx, (id, round), from),
            Message::Settled {
                key,
                version,
                clock,
            } => self.settle(&key, version, clock),
            Message::Superseded { key, version } => {
                self.supersede(ctx.now, &key, version, ctx.log);
            }
            Message::Sync { id, hints, crashes } => {
                self.note_crashes(from, &crashes);
                self.send_records(ctx, id, from, hints);
            }
            Message::Records {
                id,
                records,
                based_on,
                mark,
                forgotten,
                crashes,
            } => {
                self.note_crashes(from, &crashes);
                self.take_records(ctx, id, from, records, based_on, mark, forgotten);
            }
            Message::Merged { mark, crashes } => {
                if self.note_crashes(from, &crashes) {
                    self.note_merged(ctx, from, mark);
                }
            }
            Message::Answer { .. } => {}
        }
    }

    /// Merges the sender's crash vector; `false` if the message is from an earlier incarnation of the
    /// sender.
    fn note_crashes(&mut self, from: Endpoint, crashes: &CrashVector) -> bool {
        let Endpoint::Node(from) = from else {
            return true;
        };
        if self.crashes.is_same(crashes) {
            return true;
        }
        for (node, incarnation) in crashes.iter() {
            if self.crashes.note(node, incarnation) {
                self.merged.remove(&node);
                self.discount(node);
            }
        }
        crashes.incarnation(from) >= self.crashes.incarnation(from)
    }

    /// Up to which logical clock it may have collected tombstones.
    pub(crate) fn forgotten_up_to(&self) -> Version {
        self.forgotten_up_to
    }

    /// The owners of keys have changed. A new owner of a key rejects what the old owners would have
    /// rejected: messages that are based on state from before `forgotten`.
    pub(crate) fn change_layout(&mut self, ctx: &mut Context<'_>, forgotten: Version) {
        self.expire(ctx);
        self.forget_up_to(forgotten);
        let members: BTreeSet<NodeId> = ctx.rules.members().collect();
        self.hints.retain(|node, _| members.contains(node));
        self.merged.retain(|node, _| members.contains(node));
        self.change_owners(ctx);
        self.wait_only_for(ctx, &members);
    }

    /// Crashes the replica: pending requests are dropped. The entries are kept for
    /// [`Restart::Stale`].
    pub fn crash(&mut self) {
        self.pending.clear();
        self.early.clear();
        self.sync = None;
        self.serving = false;
    }

    /// Restarts the replica.
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
        self.node.clear();
        self.tombstones.clear();
        self.merged.clear();
        self.hints.clear();
        self.crashes = CrashVector::default();
        self.crashes.note(self.id(), *ctx.clock);
        self.forgotten_up_to = 0;
    }
}
