//! The short way: what a request comes to when nothing is broken.
//!
//! When no message is in flight, no fault is in force and every node serves, all messages of a request
//! would pass in its own instant, and everybody would answer. Then the owners are called one after
//! the other. What comes of it is the same, message by message or not; a test holds it to that. What
//! is not plain (owners that disagree, a full node, a condition) goes the long way.

use smallvec::SmallVec;

use super::requests::rules;
use super::{Cluster, Seat};
use crate::history::Action;
use crate::id::NodeId;
use crate::replica::{Answer, Version};
use crate::time::Instant;

/// Where owners have an entry.
type Slots = SmallVec<[Option<u32>; 4]>;

impl Cluster {
    /// Whether the short way is open. Cost: O(1) as long as nothing breaks.
    pub(super) fn is_calm(&mut self) -> bool {
        if self.config.always_by_message || self.moving.is_some() || self.clients.trace.is_some() {
            return false;
        }
        if self.calm.is_none() {
            let nobody_waits = self.clients.waiting() == 0;
            self.calm = Some(nobody_waits && self.nodes.seats().all(Seat::is_calm));
            let dues = self.nodes.seats().filter_map(|seat| seat.due);
            self.calm_until = dues.min().unwrap_or(Instant::MAX);
        }
        self.is_still()
    }

    /// Whether it is known that no message is under way and nobody waits for one.
    #[inline]
    pub(super) fn is_still(&self) -> bool {
        self.calm == Some(true) && self.network.is_calm()
    }

    /// A put at all owners; `None` if it has to go the long way. All that is due must be done.
    pub(super) fn put_directly(
        &mut self,
        now: Instant,
        key: &[u8],
        value: &[u8],
        deadline: Option<Instant>,
    ) -> Option<NodeId> {
        if self.config.capacity.is_bounded() || self.config.plant.is_some() {
            return None;
        }
        self.with_owners(key, |cluster, owners| {
            let version = cluster.clock + 1;
            let settled = owners.len() > 1 && deadline.is_some();
            for &owner in owners {
                let replica = &mut cluster.nodes.seat_mut(owner)?.replica;
                let log = &mut cluster.log;
                replica.put_directly(now, key, value, deadline, (version, settled), log)?;
                cluster.expect(owner, deadline);
            }
            cluster.clock = version;
            owners.first().copied()
        })
    }

    /// A delete at all owners, and whether there was something.
    pub(super) fn delete_directly(&mut self, now: Instant, key: &[u8]) -> Option<(NodeId, bool)> {
        if self.config.plant.is_some() {
            return None;
        }
        self.with_owners(key, |cluster, owners| {
            cluster.agreed(owners, key)?;
            let first = *owners.first()?;
            let found = cluster.nodes[first].slot_of(key).is_some();
            cluster.clock += 1;
            let (clock, key) = (cluster.clock, key.into());
            for &owner in owners {
                let (moving, since) = (cluster.moving.as_ref(), cluster.since);
                let rules = rules(&cluster.config, &*cluster.placement, moving, since);
                let seat = cluster.nodes.seat_mut(owner)?;
                seat.replica.delete_directly(now, &rules, &key, clock);
                seat.due = seat.replica.next_timeout();
                cluster.calm_until = cluster.calm_until.min(seat.due.unwrap_or(Instant::MAX));
            }
            Some((first, found))
        })
    }

    /// A get: the node that answers, and the slot in which it has the value.
    pub(super) fn get_directly(
        &mut self,
        now: Instant,
        key: &[u8],
    ) -> Option<(NodeId, Option<u32>)> {
        if self.config.plant.is_some() {
            return None;
        }
        if self.config.read_quorum == 1 {
            // What the primary has is the answer; what it has not, others may have.
            let primary = self.owner(key);
            let node = &mut self.nodes[primary];
            if let Some(slot) = node.slot_of(key) {
                node.touch(now, slot, &mut self.log);
                node.count_get(key, true);
                return Some((primary, Some(slot)));
            }
        }
        self.with_owners(key, |cluster, owners| {
            let asked = &owners[..cluster.config.read_quorum.min(owners.len())];
            let (version, slots) = cluster.agreed(asked, key)?;
            if version == 0 {
                cluster.agreed(owners, key)?;
            }
            for (&owner, &slot) in asked.iter().zip(&slots) {
                if let Some(slot) = slot {
                    let node = &mut cluster.nodes[owner];
                    node.touch(now, slot, &mut cluster.log);
                }
            }
            let (first, slot) = (*owners.first()?, *slots.first()?);
            cluster.nodes[first].count_get(key, slot.is_some());
            Some((first, slot))
        })
    }

    /// The version that all these owners know, and where they have it; `None` if they disagree.
    fn agreed(&self, owners: &[NodeId], key: &[u8]) -> Option<(Version, Slots)> {
        let (mut agreed, mut slots) = (None, Slots::new());
        for &owner in owners {
            let (version, slot) = self.nodes.seat(owner)?.replica.locate(key);
            if *agreed.get_or_insert(version) != version {
                return None;
            }
            slots.push(slot);
        }
        Some((agreed?, slots))
    }

    /// Runs something with the owners of a key, without allocating.
    fn with_owners<T>(
        &mut self,
        key: &[u8],
        run: impl FnOnce(&mut Self, &[NodeId]) -> Option<T>,
    ) -> Option<T> {
        let mut owners = std::mem::take(&mut self.owners);
        let hash = self.placement.hash(key);
        let replicas = self.config.replicas;
        self.placement.owners(hash, replicas, &mut owners);
        let done = run(self, &owners);
        self.owners = owners;
        done
    }

    /// Carries out a request the short way, if it is open.
    pub(super) fn answer_directly(
        &mut self,
        now: Instant,
        key: &[u8],
        action: &Action,
    ) -> Option<(NodeId, Answer)> {
        if !self.is_calm() {
            return None;
        }
        match action {
            Action::Put { value, deadline } => {
                let node = self.put_directly(now, key, value, *deadline)?;
                Some((node, Answer::Done))
            }
            Action::Delete => {
                let (node, found) = self.delete_directly(now, key)?;
                Some((node, Answer::Applied(found)))
            }
            Action::Get => {
                let (node, slot) = self.get_directly(now, key)?;
                let seat = self.nodes.seat(node)?;
                let record = slot.map(|slot| seat.replica.slot(slot).1);
                Some((node, Answer::Value(record)))
            }
            _ => None,
        }
    }
}
