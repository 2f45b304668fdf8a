//! Moves: what happens to the keys when nodes join or leave, or the placement changes.
//!
//! A change puts the new placement in force at once, and leaves the keys where they are. From then
//! on they are pulled to their new owners in steps, node by node and slot by slot. A deadline is absolute
//! and goes along unchanged. A node that leaves does so when it is empty.
//!
//! Keys without versions have one owner, and nothing is ever on its way to it. So a key that somebody
//! asks for is pulled at once; it is stored at its new owner before it is dropped at the old one, and
//! nothing happens in between. Every key can be read throughout, and is counted once. What is
//! written after the change goes to the new owner, so one pass over the slots that there are is
//! enough.
//!
//! Keys with versions move while nodes crash and messages are under way (see [`super::copies`]). Until all
//! copies are at their new owners, what is asked or told needs a quorum of the owners that a key
//! had and a quorum of those that it is to have. Then, in a second pass, nodes drop what they do
//! not own any more.
//!
//! Caveat: an entry comes to its new owner as a new one for the eviction policy. A full owner makes
//! room as its policy says; if it evicts nothing, the entry is lost, and the log and the cost say
//! so.

use std::collections::BTreeSet;

use super::Cluster;
use crate::cache::Cache;
use crate::config::{Config, ConfigError, MAX_NODES};
use crate::id::NodeId;
use crate::node::Node;
use crate::placement::{MAX_WEIGHT, Member, Placement, PlacementKind};
use crate::replica::Layout;
use crate::time::Instant;

/// What a change of members or placement has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MoveCost {
    /// Keys that were there when it began.
    pub keys: u64,
    /// Keys that went to another node.
    pub moved: u64,
    /// The least that any balanced placement could have moved: for a join the newcomer's fair
    /// part of the keys, for a leave the keys of the node that leaves, otherwise 0.
    pub optimum: u64,
    /// Keys that found no room at their new owner.
    pub lost: u64,
    /// Keys that cannot move yet, since a node that has them or is to have them is down or cut off.
    pub waiting: u64,
}

/// How far a move has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MoveProgress {
    /// The part of the work that is done, from 0 to 1: of the nodes, and of the entries of the node
    /// that is being looked through.
    pub part: f64,
    /// Keys that went to another node so far.
    pub moved: u64,
}

/// Why the members or the placement cannot be changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoveError {
    /// The keys are still on their way from the change before.
    #[error("keys are still moving: REBALANCE finishes that")]
    Moving,
    /// There are as many nodes as there may be.
    #[error("a cluster has at most {MAX_NODES} nodes")]
    TooManyNodes,
    /// There would be fewer nodes than each key has owners.
    #[error("{replicas} replicas need {replicas} nodes: REPLICAS lowers their number")]
    TooFewNodes {
        /// How many owners each key has.
        replicas: usize,
    },
    /// A number of owners that cannot be.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The only node cannot leave.
    #[error("the last node cannot leave")]
    LastNode,
    /// There is no such node.
    #[error("there is no node {0}")]
    NoSuchNode(NodeId),
    /// The weight is out of bounds.
    #[error("a weight lies between 1 and {MAX_WEIGHT}, not {0}")]
    Weight(u32),
    /// The placement knows no weights.
    #[error("{0} placement knows no weights; {weighted} do", weighted = weighted())]
    Unweighted(PlacementKind),
    /// The new placement knows no weights, and this node has one.
    #[error("{kind} placement knows no weights, and node {node} has weight {weight}", node = .member.node, weight = .member.weight)]
    Weighted {
        /// The placement that was asked for.
        kind: PlacementKind,
        /// The first member with a weight that is not 1.
        member: Member,
    },
}

/// The names of the placements in which weights count.
fn weighted() -> String {
    let kinds = PlacementKind::ALL.iter().filter(|kind| kind.is_weighted());
    let names: Vec<_> = kinds.map(ToString::to_string).collect();
    names.join(", ")
}

/// Keys on their way.
pub(super) struct Moving {
    /// Where they were, unless only the number of owners changes.
    pub(super) from: Option<Box<dyn Placement>>,
    /// How many owners each had.
    pub(super) replicas: usize,
    leaving: Option<NodeId>,
    /// Whether all keys are at their new owners, and what is left is to drop them elsewhere.
    pub(super) copied: bool,
    /// The node that is being looked through, and from which slot on.
    at: (NodeId, u32),
    /// How many entries of that node were looked at, and how many it had at first.
    seen: (u64, u64),
    /// The hashes of the keys that were found to wait, since the look through the nodes began.
    pub(super) waiting: BTreeSet<u64>,
    pub(super) cost: MoveCost,
}

impl Moving {
    /// Who owned what before, as long as that counts; with what is in force now.
    pub(super) fn before<'a>(&'a self, now: Layout<'a>) -> Option<Layout<'a>> {
        let before = Layout {
            placement: self.from.as_deref().unwrap_or(now.placement),
            replicas: self.replicas,
        };
        (!self.copied).then_some(before)
    }
}

impl Cluster {
    /// Lets a node join. Its number is the next one that was never used. The keys that it is to own
    /// are pulled by [`Cluster::move_some`], or when somebody asks for them.
    ///
    /// # Errors
    /// [`MoveError`]; nothing has changed then.
    pub fn join(&mut self, now: Instant, weight: u32) -> Result<NodeId, MoveError> {
        self.check_still()?;
        if !(1..=MAX_WEIGHT).contains(&weight) {
            return Err(MoveError::Weight(weight));
        }
        let kind = self.placement.kind();
        if weight != 1 && !kind.is_weighted() {
            return Err(MoveError::Unweighted(kind));
        }
        if self.node_ids().count() >= MAX_NODES as usize {
            return Err(MoveError::TooManyNodes);
        }
        self.tick(now);
        let node = self.nodes.next_id();
        self.add_node(now);
        let placement = self.placement.with(Member { node, weight });
        let total = u128::from(placement.members().total_weight());
        let copies = self.copies(now);
        let fair = (u128::from(copies) * u128::from(weight) + total / 2) / total;
        let optimum = u64::try_from(fair).unwrap_or(copies);
        self.start(now, Some(placement), self.config.replicas, None, optimum);
        Ok(node)
    }

    /// Lets a node leave. It goes when [`Cluster::move_some`] has pulled the last of its keys.
    ///
    /// # Errors
    /// [`MoveError`]; nothing has changed then.
    pub fn leave(&mut self, now: Instant, node: NodeId) -> Result<(), MoveError> {
        self.check_still()?;
        if self.nodes.get(node).is_none() {
            return Err(MoveError::NoSuchNode(node));
        }
        if self.placement.members().len() == 1 {
            return Err(MoveError::LastNode);
        }
        let replicas = self.config.replicas;
        if replicas >= self.placement.members().len() {
            return Err(MoveError::TooFewNodes { replicas });
        }
        self.tick(now);
        let placement = self.placement.without(node);
        let optimum = self.nodes.seat(node).map_or(0, |seat| seat.stats().keys);
        self.start(now, Some(placement), replicas, Some(node), optimum);
        Ok(())
    }

    /// Changes how keys are placed.
    ///
    /// # Errors
    /// [`MoveError`]; nothing has changed then.
    pub fn set_placement(&mut self, now: Instant, kind: PlacementKind) -> Result<(), MoveError> {
        self.check_still()?;
        let members = self.placement.members().clone();
        let weighted = members.iter().find(|member| member.weight != 1);
        if let Some(&member) = weighted.filter(|_| !kind.is_weighted()) {
            return Err(MoveError::Weighted { kind, member });
        }
        self.tick(now);
        let placement = kind.place(members);
        self.start(now, Some(placement), self.config.replicas, None, 0);
        Ok(())
    }

    /// Changes how many owners each key has.
    ///
    /// # Errors
    /// [`MoveError`]; nothing has changed then.
    pub fn set_replicas(&mut self, now: Instant, replicas: usize) -> Result<(), MoveError> {
        self.check_still()?;
        let nodes = u32::try_from(self.placement.members().len()).unwrap_or(u32::MAX);
        let config = Config {
            nodes,
            replicas,
            ..self.config
        };
        config.check()?;
        self.set_versioned(now);
        self.tick(now);
        let more = replicas.saturating_sub(self.config.replicas) as u64;
        let optimum = self.size(now) * more;
        let before = std::mem::replace(&mut self.config.replicas, replicas);
        self.start(now, None, before, None, optimum);
        Ok(())
    }

    /// How many copies of keys there are.
    fn copies(&mut self, now: Instant) -> u64 {
        let all = self.node_stats(now).into_iter();
        all.map(|(_, stats)| stats.keys).sum()
    }

    /// Whether keys are on their way to new owners.
    #[must_use]
    pub fn is_moving(&self) -> bool {
        self.moving.is_some()
    }

    /// The node that goes when its last key has moved.
    #[must_use]
    pub fn leaving(&self) -> Option<NodeId> {
        self.moving.as_ref()?.leaving
    }

    /// Moves keys on: looks at up to `limit` slots. Returns what the change has cost in all when
    /// no key is on its way any more, and `None` as long as there are some.
    ///
    /// Cost: a look-up of the owner for each slot, and a put and a removal for each key that moves;
    /// with versions, two look-ups of the owners.
    pub fn move_some(&mut self, now: Instant, limit: usize) -> Option<MoveCost> {
        self.tick(now);
        for _ in 0..limit {
            let Some((node, slot)) = self.moving.as_ref().map(|moving| moving.at) else {
                return Some(self.nothing_to_move(now));
            };
            let found = self.nodes.get(node).and_then(|node| node.slot_from(slot));
            if let Some(found) = found {
                self.move_on(now, node, found);
                self.go_on_at(node, found.saturating_add(1));
                continue;
            }
            self.move_tombstones(now, node);
            if node.0 + 1 < self.nodes.next_id().0 {
                self.go_on_at(NodeId(node.0 + 1), 0);
            } else if let Some(cost) = self.end_pass(now) {
                return Some(cost);
            }
        }
        None
    }

    fn move_on(&mut self, now: Instant, node: NodeId, slot: u32) {
        match &self.moving {
            _ if !self.versioned => self.move_slot(now, node, slot),
            Some(moving) if moving.copied => self.drop_copy(now, node, slot),
            _ => self.move_copies(now, node, slot),
        }
    }

    fn go_on_at(&mut self, node: NodeId, slot: u32) {
        if let Some(moving) = &mut self.moving {
            moving.seen.0 += 1;
            if moving.at.0 != node {
                moving.seen = (0, self.nodes.get(node).map_or(0, Node::len));
            }
            moving.at = (node, slot);
        }
    }

    /// How far the move has come, if there is one.
    #[must_use]
    pub fn move_progress(&self) -> Option<MoveProgress> {
        let moving = self.moving.as_ref()?;
        let (node, (seen, all)) = (moving.at.0, moving.seen);
        let passed = self.node_ids().filter(|&id| id < node).count() as f64;
        let here = seen.min(all) as f64 / all.max(1) as f64;
        let pass = (passed + here) / self.node_ids().count() as f64;
        Some(MoveProgress {
            part: match (self.versioned, moving.copied) {
                (false, _) => pass,
                (true, false) => pass / 2.0,
                (true, true) => 0.5 + pass / 2.0,
            },
            moved: moving.cost.moved,
        })
    }

    /// Moves all keys that are on their way, and returns what the change has cost.
    pub fn move_all(&mut self, now: Instant) -> MoveCost {
        loop {
            if let Some(cost) = self.move_some(now, usize::MAX) {
                return cost;
            }
        }
    }

    fn check_still(&self) -> Result<(), MoveError> {
        match self.moving {
            None => Ok(()),
            Some(_) => Err(MoveError::Moving),
        }
    }

    fn start(
        &mut self,
        now: Instant,
        placement: Option<Box<dyn Placement>>,
        replicas: usize,
        leaving: Option<NodeId>,
        optimum: u64,
    ) {
        let keys = self.size(now);
        self.moving = Some(Moving {
            from: placement.map(|new| std::mem::replace(&mut self.placement, new)),
            replicas,
            leaving,
            copied: false,
            waiting: BTreeSet::new(),
            at: (NodeId(0), 0),
            seen: (0, self.nodes.get(NodeId(0)).map_or(0, Node::len)),
            cost: MoveCost {
                keys,
                optimum,
                ..MoveCost::default()
            },
        });
        self.change_layout(now);
    }

    fn nothing_to_move(&mut self, now: Instant) -> MoveCost {
        MoveCost {
            keys: self.size(now),
            ..MoveCost::default()
        }
    }

    /// All nodes were looked through: goes on with what comes next. Returns the cost if nothing does,
    /// or nothing can for now.
    fn end_pass(&mut self, now: Instant) -> Option<MoveCost> {
        let moving = self.moving.as_mut()?;
        let mut cost = moving.cost;
        cost.waiting = std::mem::take(&mut moving.waiting).len() as u64;
        let must_drop = self.versioned && !moving.copied;
        if cost.waiting > 0 || must_drop {
            moving.copied = cost.waiting == 0;
            self.go_on_at(NodeId(0), 0);
            // What waits is tried again by REBALANCE.
            if cost.waiting > 0 {
                return Some(cost);
            }
            self.change_layout(now);
            return None;
        }
        self.finish(now);
        Some(cost)
    }

    fn finish(&mut self, now: Instant) {
        let Some(node) = self.moving.take().and_then(|moving| moving.leaving) else {
            return;
        };
        self.network.forget(node);
        self.deadlines.set(node, None);
        let gone = self.nodes.remove(node);
        debug_assert!(gone.is_some_and(|node| node.is_empty()), "it leaves empty");
        self.calm = None;
        self.hang_up(now, node);
        self.pump(now);
    }

    /// Brings a key that somebody asks for to its owner.
    #[cold]
    #[inline(never)]
    pub(super) fn pull(&mut self, now: Instant, key: &[u8]) {
        let Some(moving) = &self.moving else {
            return;
        };
        if self.versioned {
            return;
        }
        let Some(from) = &moving.from else {
            return;
        };
        let old = from.owner(from.hash(key));
        if let Some(slot) = self.nodes.get(old).and_then(|node| node.slot_of(key)) {
            self.move_slot(now, old, slot);
        }
    }

    /// Brings the entry to its owner, if that is another node.
    fn move_slot(&mut self, now: Instant, from: NodeId, slot: u32) {
        let (key, _) = self.nodes[from].entry(slot);
        let to = self.placement.owner(self.placement.hash(key));
        if to == from {
            return;
        }
        let (source, target) = self.nodes.pair(from, to);
        let (key, entry) = source.entry(slot);
        let deadline = entry.deadline;
        let stored = target.pull_at(now, key, entry.value, deadline, &mut self.log);
        source.give_up(now, slot, stored.is_ok(), &mut self.log);
        self.expect(to, deadline);
        if let Some(moving) = &mut self.moving {
            match stored {
                Ok(()) => moving.cost.moved += 1,
                Err(_) => moving.cost.lost += 1,
            }
        }
    }
}
