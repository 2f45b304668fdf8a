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
//! - While a key moves, a quorum of its new owners alone may lack what a quorum of the old ones has
//!   acknowledged: both have to agree (see `owners.rs`). A write that was on its way to an owner that
//!   is none any more is turned away, and what is under way goes by the new owners at once. A node that
//!   is new to a key turns away what the owners before would have turned away.
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
mod memory;
mod message;
mod names;
mod owners;
mod reading;
mod rules;
mod sync;
mod writing;

use std::collections::{BTreeMap, BTreeSet};

use crate::cache::Cache;
pub use crate::config::Plant;
use crate::id::NodeId;
use crate::network::Endpoint;
use crate::node::Node;
use crate::time::Instant;
use coordinator::Pending;
use graves::Graves;
use sync::Sync;

pub use lives::Lives;
pub use memory::{HEADER, unpack};
pub use message::{
    Answer, Base, Bytes, Message, Record, Refusal, Request, RequestId, Shortfall, Version, Written,
};
pub use names::{UnknownPlant, UnknownRestart};
pub use owners::Owners;
pub use rules::{Context, Layout, Rules};

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

    /// Up to where it turns away what rests on what was known before.
    pub(crate) fn floor(&self) -> Version {
        self.floor
    }

    /// The owners of keys have changed. One that is new to a key turns away what its owners before
    /// would have turned away: that is, whatever rests on what was known before this `floor`.
    pub(crate) fn change_layout(&mut self, ctx: &mut Context<'_>, floor: Version) {
        self.expire(ctx);
        self.floor = self.floor.max(floor);
        let members: BTreeSet<NodeId> = ctx.rules.members().collect();
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
