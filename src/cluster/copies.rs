//! Moves of copies: as in [`super::moving`], for keys with versions and several owners.
//!
//! In a first pass every node's copies go to all owners that lack them. Where an owner is down, or the
//! two are cut off from each other, the key waits. Meanwhile clients are served by both the owners
//! before and the owners to be (see [`crate::replica::Owners`]), so it does not matter what is under way,
//! or in which order the copies come.
//!
//! When no key waits any more, whatever was acknowledged is at all of its new owners that have not
//! lost their memory since. From then on they alone count, and in a second pass all others drop what they
//! have.

use super::requests::rules;
use super::{Cluster, Seat};
use crate::hash::rapidhash;
use crate::id::NodeId;
use crate::replica::{Bytes, Record, Version, Written, unpack};
use crate::time::Instant;

/// What became of one key.
#[derive(Default)]
struct Copied {
    copies: u64,
    waiting: bool,
}

impl Cluster {
    /// The owners of keys have changed: all nodes that run go by the new ones.
    pub(super) fn change_layout(&mut self, now: Instant) {
        if !self.versioned {
            return;
        }
        self.calm = None;
        self.clock += 1;
        self.since = self.clock;
        let running = self.nodes.seats().filter(|seat| seat.runs());
        let nodes: Vec<NodeId> = running.map(|seat| seat.replica.id()).collect();
        for node in nodes {
            self.tell_layout(now, node);
        }
        self.pump(now);
    }

    /// A node goes by the owners that keys have now.
    pub(super) fn tell_layout(&mut self, now: Instant, node: NodeId) {
        let alive = self.nodes.seats().filter(|seat| !seat.crashed);
        let floor = alive.map(|seat| seat.replica.floor()).max().unwrap_or(0);
        self.with_node(now, now, node, |replica, ctx| {
            replica.change_layout(ctx, floor);
        });
    }

    /// Brings the entry in a slot to all owners of its key.
    pub(super) fn move_copies(&mut self, now: Instant, from: NodeId, slot: u32) {
        let Some(seat) = self.nodes.seat(from).filter(|seat| !seat.crashed) else {
            return;
        };
        let (key, entry) = seat.replica.node.entry(slot);
        let (version, _) = unpack(entry.value);
        let has_it = |seat: &Seat| seat.runs() && seat.replica.locate(key).0 >= version;
        let owners = self.rules().layout.owners(key);
        let mut others = owners.iter().filter(|&&owner| owner != from);
        if others.all(|&owner| self.nodes.seat(owner).is_some_and(has_it)) {
            return;
        }
        let (key, record) = seat.replica.slot(slot);
        self.copy(now, from, &key, &record);
    }

    /// Brings what a node remembers of keys that are gone to their owners; later, lets it forget
    /// that.
    pub(super) fn move_tombstones(&mut self, now: Instant, from: NodeId) {
        let are_copied = self.moving.as_ref().is_some_and(|moving| moving.copied);
        if are_copied {
            let moving = self.moving.as_ref();
            let rules = rules(&self.config, &*self.placement, moving, self.since);
            if let Some(seat) = self.nodes.seat_mut(from) {
                seat.replica.forget_tombstones(&rules);
            }
            return;
        }
        let Some(seat) = self.nodes.seat(from).filter(|seat| !seat.crashed) else {
            return;
        };
        for (key, record) in seat.replica.tombstone_records() {
            self.copy(now, from, &key, &record);
        }
    }

    fn copy(&mut self, now: Instant, from: NodeId, key: &Bytes, record: &Record) {
        let owners = self.rules().owners(key);
        let mut copied = Copied::default();
        for &owner in owners.present().iter().filter(|&&owner| owner != from) {
            self.copy_to(now, from, owner, key, record, &mut copied);
        }
        if let Some(moving) = &mut self.moving {
            if record.value.is_some() {
                moving.cost.moved += copied.copies;
            }
            if copied.waiting {
                moving.waiting.insert(rapidhash(key));
            }
        }
        if copied.copies > 0 {
            self.settle(now, &owners, key, record);
        }
    }

    fn copy_to(
        &mut self,
        now: Instant,
        from: NodeId,
        to: NodeId,
        key: &Bytes,
        record: &Record,
        copied: &mut Copied,
    ) {
        let runs = |node| self.nodes.seat(node).is_some_and(Seat::runs);
        if !runs(from) || !runs(to) || self.network.is_cut(from, to) {
            copied.waiting = true;
            return;
        }
        let mut outcome = None;
        self.with_node(now, now, to, |replica, ctx| {
            outcome = replica.take_copy(ctx, key, record);
        });
        copied.copies += u64::from(outcome == Some(Written::Applied));
    }

    /// If all owners have a write that will leave a tombstone, that may be collected in time.
    fn settle(&mut self, now: Instant, owners: &[NodeId], key: &Bytes, record: &Record) {
        let leaves_none = record.value.is_some() && record.deadline.is_none();
        let has_it = |node: NodeId| {
            let seat = self.nodes.seat(node).filter(|seat| seat.runs());
            seat.is_some_and(|seat| seat.replica.locate(key).0 == record.version)
        };
        if leaves_none || !owners.iter().all(|&owner| has_it(owner)) {
            return;
        }
        let stamp = self.clock;
        self.clock += 1;
        for &owner in owners {
            self.with_node(now, now, owner, |replica, ctx| {
                replica.settle(ctx, key, record.version, stamp);
            });
        }
    }

    /// Drops an entry of a node that does not own its key.
    pub(super) fn drop_copy(&mut self, now: Instant, node: NodeId, slot: u32) {
        let Some(seat) = self.nodes.seat(node) else {
            return;
        };
        let (key, entry) = seat.replica.node.entry(slot);
        if self.rules().layout.owners(key).contains(&node) {
            return;
        }
        let (version, _) = unpack(entry.value);
        let is_kept = seat.crashed || self.is_elsewhere(node, key, version);
        if let Some(moving) = &mut self.moving {
            moving.cost.lost += u64::from(!is_kept);
        }
        if let Some(seat) = self.nodes.seat_mut(node) {
            seat.replica.give_up(now, slot, is_kept, &mut self.log);
        }
    }

    /// Whether another node has this write to a key, or a later one.
    fn is_elsewhere(&self, node: NodeId, key: &[u8], version: Version) -> bool {
        let others = self.nodes.seats().filter(|seat| !seat.crashed);
        let mut others = others.map(|seat| &seat.replica);
        others.any(|replica| replica.id() != node && replica.knows(key, version))
    }
}
