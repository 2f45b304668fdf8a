//! Moves of copies: as in [`super::moving`], for keys with versions and several owners.
//!
//! A copy goes to every owner that lacks it, and is dropped at a node that is no owner any more only
//! when all owners have it. Where one of them is down or cut off, the key waits.

use super::Cluster;
use crate::id::NodeId;
use crate::replica::{Bytes, Record, Rules, Written};
use crate::time::Instant;

/// What became of one key.
#[derive(Default)]
struct Copied {
    copies: u64,
    refused: u64,
    waiting: bool,
}

impl Cluster {
    /// Brings the entry in a slot to all owners of its key.
    pub(super) fn move_copies(&mut self, now: Instant, from: NodeId, slot: u32) {
        let Some(seat) = self.nodes.seat(from).filter(|seat| !seat.crashed) else {
            return;
        };
        let (key, record) = seat.replica.slot(slot);
        self.copy(now, from, &key, &record);
    }

    /// Brings what a node remembers of keys that are gone to their owners.
    pub(super) fn move_tombstones(&mut self, now: Instant, from: NodeId) {
        let Some(seat) = self.nodes.seat(from).filter(|seat| !seat.crashed) else {
            return;
        };
        for (key, record) in seat.replica.tombstone_records() {
            self.copy(now, from, &key, &record);
        }
    }

    /// Brings a key that somebody asks for to its owners.
    pub(super) fn pull_copies(&mut self, now: Instant, key: &[u8]) {
        let Some(moving) = &self.moving else {
            return;
        };
        let rules = self.rules();
        let old = Rules {
            placement: moving.from.as_deref().unwrap_or(rules.placement),
            replicas: moving.replicas,
            ..rules
        };
        for node in old.owners(key) {
            let seat = self.nodes.seat(node).filter(|seat| !seat.crashed);
            if let Some((key, record)) = seat.and_then(|seat| seat.replica.find(key)) {
                self.copy(now, node, &key, &record);
            }
        }
    }

    fn copy(&mut self, now: Instant, from: NodeId, key: &Bytes, record: &Record) {
        let owners = self.rules().owners(key);
        let mut copied = Copied::default();
        for owner in owners.iter().copied().filter(|&owner| owner != from) {
            self.copy_to(now, from, owner, key, record, &mut copied);
        }
        let keeps = owners.contains(&from);
        let everywhere = !copied.waiting && copied.refused < owners.len() as u64;
        if let Some(moving) = &mut self.moving {
            if record.value.is_some() {
                moving.cost.moved += copied.copies;
            }
            moving.cost.waiting += u64::from(copied.waiting);
            moving.cost.lost += u64::from(!keeps && !copied.waiting && !everywhere);
        }
        if keeps || copied.waiting {
            return;
        }
        let Some(seat) = self.nodes.seat_mut(from) else {
            return;
        };
        seat.replica.give_up(now, key, everywhere, &mut self.log);
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
        let runs = |node| self.nodes.seat(node).is_some_and(super::Seat::runs);
        if !runs(from) || !runs(to) || self.network.is_cut(from, to) {
            copied.waiting = true;
            return;
        }
        let mut outcome = None;
        self.with_node(now, now, to, |replica, ctx| {
            outcome = replica.take_copy(ctx, key, record);
        });
        match outcome {
            Some(Written::Applied) => copied.copies += 1,
            Some(_) => copied.refused += 1,
            None => {}
        }
    }
}
