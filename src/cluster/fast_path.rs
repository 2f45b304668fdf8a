//! The fast path: direct calls in place of messages.
//!
//! When no message is in flight, no fault is active and every node serves, all messages of a request
//! would be delivered in its own instant, and every owner would answer. Then the owners are called
//! one after the other. The result is the same, message by message or not; a test compares both.
//! Requests for which that is not plain take the messages: owners that disagree, a coordinator that is not the first owner.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::delivery::rules;
use super::hosted::HostedNode;
use super::{Cluster, Place, Request};
use crate::eviction::Slot;
use crate::hash::Hashed;
use crate::id::NodeId;
use crate::node::{Cause, Node};
use crate::operation::{Found, Operation, Outcome, PutError, Refusal, Shortfall};
use crate::replica::{Decision, Known, Live, Version, decide};
use crate::time::Instant;

/// What the owners of a key know, in their order.
pub(super) type Copies = SmallVec<[(NodeId, Known); 4]>;

impl Cluster {
    /// Carries a request out by direct calls; `None` if it has to go by message. Everything that is
    /// due must be done.
    #[inline]
    pub(super) fn run_fast(
        &mut self,
        now: Instant,
        request: &Request<'_>,
    ) -> Option<(NodeId, Outcome)> {
        if !self.is_fast_path_open() {
            return None;
        }
        let owner_is = |node| node == self.owner(request.key);
        if request.via.is_some_and(|node| !owner_is(node)) {
            return None;
        }
        if self.config.replicas > 1 {
            let placed = self.placement.hash(request.key);
            return self.run_copies(now, placed, Hashed::of(request.key), request);
        }
        let place = self.place(request.key);
        Some((place.node, self.run_alone(now, place, request)))
    }

    #[inline]
    pub(super) fn is_fast_path_open(&mut self) -> bool {
        let is_free = self.trace.is_none() && self.moving.is_none() && self.config.bug.is_none();
        is_free && !self.config.always_by_message && self.is_quiescent()
    }

    /// Whether no message is in flight, no fault is active, and every node serves. Cost: O(1) as long
    /// as nothing changes that, O(nodes) otherwise.
    #[inline]
    pub(crate) fn is_quiescent(&mut self) -> bool {
        if !self.network.is_undisturbed() {
            return false;
        }
        if self.quiescent.is_none() {
            let idle = self.clients.in_flight() == 0;
            let undisturbed = idle && self.nodes.iter().all(HostedNode::is_undisturbed);
            self.quiescent = Some(undisturbed);
            self.may_have_tombstones |= undisturbed;
        }
        self.quiescent == Some(true)
    }

    /// With one owner of every key and no message in flight, no older write can arrive any more: the
    /// fast path makes no tombstones then, and those that messages made are not needed. They go with
    /// the next request that is no look, since a look changes nothing.
    #[inline]
    pub(super) fn forget_tombstones(&mut self) {
        let is_alone = self.config.replicas == 1 && self.moving.is_none();
        if !self.may_have_tombstones || !is_alone || !self.is_quiescent() {
            return;
        }
        self.may_have_tombstones = false;
        if self.tombstones() > 0 {
            for hosted in self.nodes.iter_mut() {
                hosted.replica.clear_tombstones(self.clock);
            }
            // Reads from now on are based on later state than what is forgotten.
            self.clock += 1;
        }
    }

    /// A request for a key with one owner.
    #[inline]
    pub(super) fn run_alone(
        &mut self,
        now: Instant,
        place: Place,
        request: &Request<'_>,
    ) -> Outcome {
        if !request.is_look {
            self.forget_tombstones();
        }
        let key = request.key;
        match request.operation {
            Operation::Get => self.get_alone(now, place, request),
            Operation::Put { value, deadline } => {
                let stored = self.put_alone(now, place, key, value, deadline);
                stored.map_or_else(refused, |()| Outcome::Done)
            }
            Operation::Delete => Outcome::Applied(self.delete_alone(now, place, key)),
            Operation::Add { value, deadline } => {
                let node = &self.nodes[place.node].replica.node;
                if node.slot_of_hashed(place.hashed(key)).is_some() {
                    return Outcome::Applied(false);
                }
                let stored = self.put_alone(now, place, key, value, deadline);
                stored.map_or_else(refused, |()| Outcome::Applied(true))
            }
            _ => self.update_alone(now, place, request),
        }
    }

    #[inline]
    fn get_alone(&mut self, now: Instant, place: Place, request: &Request<'_>) -> Outcome {
        let node = &mut self.nodes[place.node].replica.node;
        if request.is_look {
            let slot = node.slot_of_hashed(place.hashed(request.key));
            return Outcome::Value(slot.map(|slot| found(node, slot)));
        }
        let hit = node.look_up_hashed(now, place.hashed(request.key), &mut self.log);
        Outcome::Value(hit.map(|hit| Found {
            value: node.value_of(hit).into(),
            deadline: node.deadline(hit.slot),
            version: node.version(hit.slot),
        }))
    }

    #[inline]
    fn put_alone(
        &mut self,
        now: Instant,
        place: Place,
        key: &[u8],
        value: &[u8],
        deadline: Option<Instant>,
    ) -> Result<(), PutError> {
        let replica = &mut self.nodes[place.node].replica;
        let version = replica.node.has_versions().then_some(self.clock);
        let key = place.hashed(key);
        replica.put_latest(now, key, value, deadline, version, &mut self.log)?;
        self.expect(place.node, deadline);
        Ok(())
    }

    /// Whether there was something to delete.
    fn delete_alone(&mut self, now: Instant, place: Place, key: &[u8]) -> bool {
        let node = &mut self.nodes[place.node].replica.node;
        let slot = node.slot_of_hashed(place.hashed(key));
        if let Some(slot) = slot {
            node.remove(now, slot, Cause::Deleted, &mut self.log);
        }
        slot.is_some()
    }

    /// A read-modify-write of a key with one owner.
    fn update_alone(&mut self, now: Instant, place: Place, request: &Request<'_>) -> Outcome {
        let node = &self.nodes[place.node].replica.node;
        let slot = node.slot_of_hashed(place.hashed(request.key));
        let (value, deadline, outcome) =
            match decide(&request.operation, slot.map(|slot| live(node, slot))) {
                Decision::Answer(outcome) => return outcome,
                Decision::Write {
                    value,
                    deadline,
                    outcome,
                    ..
                } => (value.map(Cow::into_owned), deadline, outcome),
            };
        let Some(value) = value else {
            self.delete_alone(now, place, request.key);
            return outcome;
        };
        let stored = self.put_alone(now, place, request.key, &value, deadline);
        stored.map_or_else(refused, |()| outcome)
    }

    /// The owners of a key with this hash, in a vector that is to be given back.
    pub(super) fn owners_of(&mut self, placed: u64) -> Vec<NodeId> {
        let mut owners = std::mem::take(&mut self.owners);
        self.placement
            .owners(placed, self.config.replicas, &mut owners);
        owners
    }

    /// A request for a key with several owners; `None` if they disagree.
    pub(super) fn run_copies(
        &mut self,
        now: Instant,
        placed: u64,
        key: Hashed<'_>,
        request: &Request<'_>,
    ) -> Option<(NodeId, Outcome)> {
        let owners = self.owners_of(placed);
        let outcome = match request.operation {
            Operation::Put { value, deadline } => {
                Some(self.put_copies(now, &owners, key, value, deadline))
            }
            _ => self.read_copies(now, &owners, key, request),
        };
        let first = owners.first().copied();
        self.owners = owners;
        Some((first?, outcome?))
    }

    fn put_copies(
        &mut self,
        now: Instant,
        owners: &[NodeId],
        key: Hashed<'_>,
        value: &[u8],
        deadline: Option<Instant>,
    ) -> Outcome {
        // The coordinator refuses what can never fit before any owner is asked.
        let first = &self.nodes[owners[0]].replica.node;
        if let Err(error) = first.check_size(key.key.len(), value.len()) {
            return refused(error);
        }
        let refusals = self.store_copies(now, owners, key, value, deadline);
        self.write_outcome(now, owners, key.key, &refusals, Outcome::Done)
    }

    /// Stores the latest write at all owners. Returns which refuse it.
    fn store_copies(
        &mut self,
        now: Instant,
        owners: &[NodeId],
        key: Hashed<'_>,
        value: &[u8],
        deadline: Option<Instant>,
    ) -> SmallVec<[(NodeId, PutError); 1]> {
        let version = Some(self.clock);
        let mut refusals = SmallVec::new();
        for &owner in owners {
            let replica = &mut self.nodes[owner].replica;
            let stored = replica.put_latest(now, key, value, deadline, version, &mut self.log);
            match stored {
                Ok(()) => self.expect(owner, deadline),
                Err(error) => refusals.push((owner, error)),
            }
        }
        if refusals.is_empty() && deadline.is_some() {
            for &owner in owners {
                let (clock, replica) = (self.clock, &mut self.nodes[owner].replica);
                replica.settle(key.key, clock, clock);
            }
        }
        refusals
    }

    /// The outcome of a write that some owners refused. If W others have it, older values are dropped.
    fn write_outcome(
        &mut self,
        now: Instant,
        owners: &[NodeId],
        key: &[u8],
        refused: &[(NodeId, PutError)],
        outcome: Outcome,
    ) -> Outcome {
        let Some(&(_, error)) = refused.first() else {
            return outcome;
        };
        if refused.len() == owners.len() {
            return Outcome::Refused(Refusal::Put(error));
        }
        let needed = self.config.write_quorum.min(owners.len());
        if owners.len() - refused.len() >= needed {
            for &(owner, _) in refused {
                let (clock, replica) = (self.clock, &mut self.nodes[owner].replica);
                replica.supersede(now, key, clock, &mut self.log);
            }
            return outcome;
        }
        let has = |owner: &&NodeId| refused.iter().all(|(node, _)| node != *owner);
        Outcome::Unknown(Box::new(Shortfall {
            needed,
            answered: owners.iter().filter(has).copied().collect(),
            refused: refused.to_vec(),
            ..Shortfall::default()
        }))
    }

    /// A request that reads first.
    fn read_copies(
        &mut self,
        now: Instant,
        owners: &[NodeId],
        key: Hashed<'_>,
        request: &Request<'_>,
    ) -> Option<Outcome> {
        let asked = self.ask_owners(owners, key)?;
        let (version, at) = newest(&asked)?;
        let node = at.map(|(owner, slot)| (&self.nodes[owner].replica.node, slot));
        let live = node.map(|(node, slot)| live(node, slot));
        match decide(&request.operation, live) {
            Decision::Answer(outcome) => {
                if request.operation.is_read() && !request.is_look {
                    self.count_read(now, owners[0], &asked, key, at.is_some());
                }
                Some(outcome)
            }
            Decision::Write {
                value,
                deadline,
                outcome,
                ..
            } => {
                let is_latest = |&owner: &NodeId| {
                    self.nodes[owner].replica.locate_hashed(key).version() <= version
                };
                if !owners.iter().all(is_latest) {
                    return None;
                }
                let Some(value) = value.map(Cow::into_owned) else {
                    self.delete_copies(now, owners, key.key);
                    return Some(outcome);
                };
                let first = &self.nodes[owners[0]].replica.node;
                if let Err(error) = first.check_size(key.key.len(), value.len()) {
                    return Some(refused(error));
                }
                let refusals = self.store_copies(now, owners, key, &value, deadline);
                Some(self.write_outcome(now, owners, key.key, &refusals, outcome))
            }
        }
    }

    /// What as many owners know as a read asks: R of them, and more if none of those knows anything.
    /// `None` if several are asked and disagree.
    pub(super) fn ask_owners(&self, owners: &[NodeId], key: Hashed<'_>) -> Option<Copies> {
        let quorum = self.config.read_quorum.min(owners.len());
        let mut asked = Copies::new();
        for &owner in owners {
            if asked.len() >= quorum && asked.iter().any(|(_, it)| it.version() > 0) {
                break;
            }
            asked.push((owner, self.nodes[owner].replica.locate_hashed(key)));
        }
        let agree = asked
            .windows(2)
            .all(|pair| pair[0].1.version() == pair[1].1.version());
        (quorum == 1 || agree).then_some(asked)
    }

    pub(super) fn count_read(
        &mut self,
        now: Instant,
        coordinator: NodeId,
        asked: &[(NodeId, Known)],
        key: Hashed<'_>,
        hit: bool,
    ) {
        for (owner, known) in asked {
            if let Some(slot) = known.slot() {
                let node = &mut self.nodes[*owner].replica.node;
                node.touch(now, slot, &mut self.log);
            }
        }
        let coordinator = &mut self.nodes[coordinator].replica.node;
        coordinator.count_get(key, hit);
    }

    fn delete_copies(&mut self, now: Instant, owners: &[NodeId], key: &[u8]) {
        let shared = key.into();
        let rules = rules(
            &self.config,
            &*self.placement,
            self.moving.as_ref(),
            self.layout_version,
        );
        for &owner in owners {
            let Some(hosted) = self.nodes.get_mut(owner) else {
                continue;
            };
            let replica = &mut hosted.replica;
            replica.delete_latest(now, &rules, &shared, self.clock, &mut self.log);
            self.timeouts.set(owner, replica.next_timeout());
        }
        // As after a delete by message, which is settled before the next request.
        self.clock += 1;
    }

    /// Prefetches what requests for these keys need, at most 32 of them.
    pub fn look_ahead<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) {
        self.prefetch(keys.map(|key| self.place(key)));
    }
}

/// The newest version that owners know, and the entry that has it, unless it is a delete or nothing is
/// known.
pub(super) fn newest(asked: &Copies) -> Option<(Version, Option<(NodeId, Slot)>)> {
    let version = asked.iter().map(|(_, known)| known.version()).max()?;
    let (owner, known) = asked.iter().find(|(_, known)| known.version() == version)?;
    Some((version, known.slot().map(|slot| (*owner, slot))))
}

fn refused(error: PutError) -> Outcome {
    Outcome::Refused(Refusal::Put(error))
}

fn found(node: &Node, slot: u32) -> Found {
    Found {
        value: node.value(slot).into(),
        deadline: node.deadline(slot),
        version: node.version(slot),
    }
}

fn live(node: &Node, slot: u32) -> Live<'_> {
    Live {
        value: node.value(slot),
        deadline: node.deadline(slot),
        version: node.version(slot),
    }
}
