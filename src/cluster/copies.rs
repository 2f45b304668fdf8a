//! How copies of keys move: see [`super::moving`].
//!
//! In the first pass every node's entries and tombstones go to all owners that lack them. If an owner
//! is down, or the two are cut off from each other, the key waits. Meanwhile requests need quorums
//! of both the old and the new owners (see [`crate::replica::Owners`]), so it does not matter which
//! messages are in flight, or in which order the copies arrive.
//!
//! When no key waits any more, every acknowledged write is at all of its new owners that have not
//! lost their memory since. From then on they alone count, and in a second pass all other nodes drop
//! the key.

use super::Cluster;
use super::delivery::rules;
use super::hosted::HostedNode;
use crate::config::InjectedBug;
use crate::hash::rapidhash;
use crate::id::NodeId;
use crate::node::Cause;
use crate::operation::Bytes;
use crate::replica::{Record, Written};
use crate::time::Instant;

/// What a copy has done so far.
#[derive(Default)]
struct Copied {
    copies: u64,
    waiting: bool,
}

impl Cluster {
    /// The owners of keys have changed: all running nodes use the new layout.
    pub(super) fn change_layout(&mut self, now: Instant) {
        self.quiescent = None;
        self.clock += 1;
        self.layout_version = self.clock;
        for node in self.nodes.running() {
            self.announce_layout(now, node);
        }
        self.pump(now);
    }

    /// A node uses the present layout from now on.
    pub(super) fn announce_layout(&mut self, now: Instant, node: NodeId) {
        let alive = self.nodes.iter().filter(|it| !it.crashed);
        let forgotten = alive.map(|it| it.replica.forgotten_up_to()).max();
        self.with_node(now, now, node, |replica, ctx| {
            replica.change_layout(ctx, forgotten.unwrap_or(0));
        });
    }

    /// Copies the entry in a slot to all owners of its key.
    pub(super) fn move_copies(&mut self, now: Instant, from: NodeId, slot: u32) {
        let Some(source) = self.nodes.get(from).filter(|it| !it.crashed) else {
            return;
        };
        let (key, _) = source.replica.node.entry(slot);
        let owners = self.rules().layout.owners(key);
        let mut others = owners.iter().filter(|&&owner| owner != from).peekable();
        if others.peek().is_none() {
            return;
        }
        let (key, record) = source.replica.slot(slot);
        let has_it = |hosted: &HostedNode| hosted.runs() && hosted.replica.has(&key, &record, now);
        if others.all(|&owner| self.nodes.get(owner).is_some_and(has_it)) {
            return;
        }
        self.copy(now, from, &key, &record);
    }

    /// Copies the tombstones of a node to the owners of their keys; in the second pass, drops those
    /// that the node does not own.
    pub(super) fn move_tombstones(&mut self, now: Instant, from: NodeId) {
        if self.moving.as_ref().is_some_and(|moving| moving.copied) {
            let rules = rules(
                &self.config,
                &*self.placement,
                self.moving.as_ref(),
                self.layout_version,
            );
            if let Some(hosted) = self.nodes.get_mut(from) {
                hosted.replica.forget_tombstones(&rules);
            }
            return;
        }
        let Some(source) = self.nodes.get(from).filter(|it| !it.crashed) else {
            return;
        };
        // A clock that is ahead has let a value expire early: that is no news for the others.
        let is_early = |record: &Record| record.deadline.is_some_and(|deadline| now < deadline);
        let copies_early = self.config.bug == Some(InjectedBug::EarlyCopies);
        for (key, record) in source.replica.tombstone_records() {
            if copies_early || !is_early(&record) {
                self.copy(now, from, &key, &record);
            }
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
            if copied.waiting && !moving.repairs {
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
        let runs = |node| self.nodes.get(node).is_some_and(HostedNode::runs);
        if !runs(from) || !runs(to) || self.network.is_cut(from, to) {
            copied.waiting = self.config.bug != Some(InjectedBug::MoveDrops);
            return;
        }
        if self.moving.as_ref().is_some_and(|moving| moving.repairs)
            && !self.has_room(to, key, record)
        {
            return;
        }
        let mut outcome = None;
        self.with_node(now, now, to, |replica, ctx| {
            outcome = replica.take_copy(ctx, key, record);
        });
        copied.copies += u64::from(outcome == Some(Written::Applied));
    }

    fn has_room(&self, node: NodeId, key: &[u8], record: &Record) -> bool {
        let value = record.value.as_ref().map_or(0, |value| value.len());
        let node = &self.nodes[node].replica.node;
        record.value.is_none() || node.has_room(key.len(), value)
    }

    /// If all owners have a write that will leave a tombstone, it is settled.
    fn settle(&mut self, now: Instant, owners: &[NodeId], key: &Bytes, record: &Record) {
        let leaves_none = record.value.is_some() && record.deadline.is_none();
        let has_it = |node: NodeId| {
            let hosted = self.nodes.get(node).filter(|it| it.runs());
            hosted.is_some_and(|it| it.replica.locate(key).version() == record.version)
        };
        if leaves_none || !owners.iter().all(|&owner| has_it(owner)) {
            return;
        }
        let clock = self.clock;
        self.clock += 1;
        for &owner in owners {
            self.with_node(now, now, owner, |replica, _| {
                replica.settle(key, record.version, clock);
            });
        }
    }

    /// Drops an entry of a node that does not own its key.
    pub(super) fn drop_copy(&mut self, now: Instant, node: NodeId, slot: u32) {
        let Some(hosted) = self.nodes.get(node) else {
            return;
        };
        let (key, _) = hosted.replica.node.entry(slot);
        let owners = self.rules().layout.owners(key);
        if owners.contains(&node) {
            return;
        }
        let is_kept = hosted.crashed || self.is_at_owners(now, &owners, &hosted.replica.slot(slot));
        if let Some(moving) = &mut self.moving {
            moving.cost.lost += u64::from(!is_kept);
            moving.dropped += 1;
        }
        let cause = if is_kept { Cause::Moved } else { Cause::Lost };
        if let Some(hosted) = self.nodes.get_mut(node) {
            hosted.replica.node.remove(now, slot, cause, &mut self.log);
        }
    }

    /// Whether an owner has a write or a later one, or all owners know it.
    fn is_at_owners(
        &self,
        now: Instant,
        owners: &[NodeId],
        (key, record): &(Bytes, Record),
    ) -> bool {
        let alive = |owner: &NodeId| self.nodes.get(*owner).filter(|it| !it.crashed);
        let has = |it: &HostedNode| it.replica.has(key, record, now);
        let knows = |it: &HostedNode| it.replica.knows(key, record.version);
        owners.iter().any(|owner| alive(owner).is_some_and(has))
            || owners.iter().all(|owner| alive(owner).is_some_and(knows))
    }
}
