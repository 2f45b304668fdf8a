//! The cluster as clients of Redis Cluster see it: which node has which slots, and which are down.
//!
//! A node is out of reach if it is crashed or paused, or cannot exchange messages with most nodes.
//! After the node timeout it counts as failed: each of its slots goes to the next owner that is in
//! reach, if enough owners are there for a write. The slots go back when the node is in reach again.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use super::hub::{Hub, Turn};
use crate::cluster::{Cluster, Phase, Status};
use crate::hash::rapidhash;
use crate::id::NodeId;
use crate::placement::SLOT_COUNT;
use crate::time::Instant;

/// What clients are told of the nodes.
#[derive(Default)]
pub struct Topology {
    /// Whether something has happened that may change it.
    pub(super) is_stale: bool,
    /// When the latest of that happened.
    pub(super) changed_at: Instant,
    /// The nodes by number.
    pub(super) nodes: BTreeMap<NodeId, NodeState>,
    /// The node that has each slot; `None` if no node can serve it.
    slots: Vec<Option<NodeId>>,
    /// The slots whose keys are on their way.
    pub(super) moves: BTreeMap<u16, Move>,
    /// The group of slots that was on its way at the last look.
    group: Option<u32>,
    /// Whether a node merges before it serves.
    pub(super) is_loading: bool,
    /// The number of changes so far.
    pub(super) epoch: u64,
    is_started: bool,
    /// How often the nodes were looked at.
    pub(super) looks: u64,
}

/// Where the keys of a slot move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Move {
    /// The node that has the slot.
    pub from: NodeId,
    /// The node that is to have it.
    pub to: NodeId,
}

/// A node as others see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeState {
    /// What it does.
    pub status: Status,
    /// Since when it is out of reach; `None` if it is not.
    pub lost_since: Option<Instant>,
    /// Whether that is longer than the node timeout.
    pub has_failed: bool,
    /// The epoch of its last change of slots.
    pub epoch: u64,
    /// Its port.
    pub port: u16,
}

impl Topology {
    /// The node that clients are sent to for a slot.
    pub(super) fn primary(&self, slot: u16) -> Option<NodeId> {
        self.slots.get(usize::from(slot)).copied().flatten()
    }

    /// Ranges of slots with their node, ascending.
    pub(super) fn ranges(&self) -> Vec<(u16, u16, NodeId)> {
        let mut ranges: Vec<(u16, u16, NodeId)> = Vec::new();
        for (slot, node) in (0..).zip(&self.slots) {
            let Some(node) = *node else { continue };
            match ranges.last_mut() {
                Some(last) if last.2 == node && last.1 + 1 == slot => last.1 = slot,
                _ => ranges.push((slot, slot, node)),
            }
        }
        ranges
    }

    /// How many slots no node can serve.
    pub(super) fn lost_slots(&self) -> usize {
        self.slots.iter().filter(|node| node.is_none()).count()
    }

    /// When a node that is out of reach counts as failed.
    pub(super) fn next_change(&self, timeout: Duration) -> Option<Instant> {
        let waiting = self.nodes.values().filter(|state| !state.has_failed);
        let lost = waiting.filter_map(|state| state.lost_since);
        lost.map(|since| since.saturating_add(timeout)).min()
    }
}

/// The ID of a node, 40 hexadecimal digits.
pub(super) fn node_id(node: NodeId) -> String {
    let mut id = String::new();
    for part in 0..3_u8 {
        let hash = rapidhash(&[&node.0.to_le_bytes()[..], &[part]].concat());
        // Writing to a string does not fail.
        let _ = write!(id, "{hash:016x}");
    }
    id.truncate(40);
    id
}

impl Hub {
    /// The port of a node has changed; 0: it has none.
    pub fn set_port(&mut self, node: NodeId, port: u16) {
        if let Some(state) = self.topology.nodes.get_mut(&node) {
            state.port = port;
        }
    }

    /// Looks at the nodes again, if something has happened or a timeout is over.
    pub(super) fn update_topology(&mut self, turn: &mut Turn<'_>) {
        let timeout = self.settings.node_timeout;
        let is_due = |state: &NodeState| {
            let failed_at = state.lost_since.map(|since| since.saturating_add(timeout));
            !state.has_failed && failed_at.is_some_and(|at| at <= turn.now)
        };
        let is_due = self.topology.nodes.values().any(is_due) || self.has_loaded(turn);
        let group = turn.cluster().shown().1.map(|paced| paced.group());
        let is_due = is_due || group != self.topology.group;
        if self.topology.is_started && !self.topology.is_stale && !is_due {
            return;
        }
        self.topology.is_started = true;
        self.topology.looks += 1;
        self.topology.is_stale = false;
        self.topology.group = group;
        let (now, changed_at) = (turn.now, self.topology.changed_at);
        let cluster = turn.cluster().cluster();
        let mut nodes = BTreeMap::new();
        for node in cluster.node_ids().collect::<Vec<_>>() {
            let old = self.topology.nodes.get(&node).copied();
            let is_lost = !is_in_reach(cluster, node);
            let since = old.and_then(|old| old.lost_since).unwrap_or(changed_at);
            nodes.insert(
                node,
                NodeState {
                    status: cluster.status(node).unwrap_or_default(),
                    lost_since: is_lost.then_some(since),
                    has_failed: is_lost && since.saturating_add(timeout) <= now,
                    epoch: old.map_or(u64::from(node.0) + 1, |old| old.epoch),
                    port: old.map_or(0, |old| old.port),
                },
            );
        }
        self.topology.is_loading = nodes.values().any(|it| it.status == Status::Syncing);
        self.topology.nodes = nodes;
        if self.settings.is_cluster {
            self.place_slots(turn);
        }
    }

    /// Whether a node that merged has done so: no event tells that.
    fn has_loaded(&self, turn: &mut Turn<'_>) -> bool {
        let nodes = &self.topology.nodes;
        let was_loading = |state: &NodeState| state.status == Status::Syncing;
        self.topology.is_loading
            && nodes.iter().any(|(&node, state)| {
                was_loading(state) && cluster_of(turn).status(node) != Some(Status::Syncing)
            })
    }

    fn place_slots(&mut self, turn: &mut Turn<'_>) {
        let (cluster, paced) = turn.cluster().shown();
        let nodes = &self.topology.nodes;
        let has_failed = |node: &NodeId| nodes.get(node).is_none_or(|it| it.has_failed);
        let quorum = cluster.config().write_quorum;
        let first = |owners: &[NodeId]| {
            let mut there = owners.iter().copied().filter(|node| !has_failed(node));
            let primary = there.next();
            let enough = 1 + there.count() >= quorum.min(owners.len());
            primary.filter(|_| enough)
        };
        let (mut owners, mut moves) = (Vec::new(), BTreeMap::new());
        let place = |slot| {
            cluster.owners_of_slot(slot, &mut owners)?;
            let new = first(&owners);
            let phase = paced.as_ref().and_then(|it| it.phase(slot));
            if phase.is_none_or(|phase| phase == Phase::After) {
                return new;
            }
            let Some(()) = cluster.owners_before(slot, &mut owners) else {
                return new;
            };
            let old = first(&owners);
            if let (Some(Phase::Open), Some(from), Some(to)) = (phase, old, new) {
                moves.insert(slot, Move { from, to });
            }
            old
        };
        let slots: Vec<Option<NodeId>> = (0..SLOT_COUNT).map(place).collect();
        moves.retain(|_, it| it.from != it.to);
        self.topology.moves = moves;
        self.change_slots(slots);
    }

    /// Gives the nodes these slots. Each node that gains some gets a new epoch.
    fn change_slots(&mut self, slots: Vec<Option<NodeId>>) {
        let nodes = &self.topology.nodes;
        if slots != self.topology.slots {
            self.topology.epoch += 1;
            let epoch = nodes.len() as u64 + self.topology.epoch;
            let gained: Vec<NodeId> = slots
                .iter()
                .zip(self.topology.slots.iter().chain(std::iter::repeat(&None)))
                .filter(|(new, old)| new != old)
                .filter_map(|(new, _)| *new)
                .collect();
            for node in gained {
                if let Some(state) = self.topology.nodes.get_mut(&node) {
                    state.epoch = epoch;
                }
            }
            self.topology.slots = slots;
        }
    }

    /// The port of a node; 0 if it has none.
    pub(super) fn port(&self, node: NodeId) -> u16 {
        self.topology.nodes.get(&node).map_or(0, |it| it.port)
    }
}

fn cluster_of<'a>(turn: &'a mut Turn<'_>) -> &'a Cluster {
    turn.cluster().cluster()
}

/// Whether a node runs, and reaches most nodes.
fn is_in_reach(cluster: &mut Cluster, node: NodeId) -> bool {
    let runs = |status| matches!(status, Some(Status::Up | Status::Leaving | Status::Syncing));
    if !runs(cluster.status(node)) {
        return false;
    }
    let nodes: Vec<NodeId> = cluster.node_ids().collect();
    if cluster.fault_count() == 0 {
        return true;
    }
    let network = cluster.network();
    let reached = nodes
        .iter()
        .filter(|&&other| {
            other == node || !network.is_cut(node, other) && !network.is_cut(other, node)
        })
        .count();
    reached * 2 > nodes.len()
}
