//! Moves: what happens to the keys when nodes join or leave, or the placement or the number of
//! replicas changes.
//!
//! A change puts the new layout in force at once, and leaves the keys where they are. Then they move
//! in steps, node by node and slot by slot, in two passes (see `copies.rs`): first every key is
//! copied to its new owners, and then former owners drop what they do not own any more. Until the
//! first pass is over, requests need a quorum of the old owners and one of the new owners. A
//! deadline is absolute and goes along unchanged. A node that leaves goes when it is empty.
//!
//! During a move a node may exceed its capacity by what moves in: what it is about to drop still
//! takes its place. So a key is evicted only if the node is over its capacity at the end. Under the
//! policy `none` a change for which there is no room is refused before anything moves.
//!
//! REBALANCE finishes a move that had to wait. If no keys move, it makes missing copies, as far as
//! the nodes have room: it evicts nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Cluster;
use crate::config::{Capacity, Config, ConfigError, MAX_NODES};
use crate::event::EventKind;
use crate::id::NodeId;
use crate::node::Usage;
use crate::placement::{MAX_WEIGHT, Member, Members, Placement, PlacementKind};
use crate::replica::Layout;
use crate::time::Instant;

/// What a change of members or placement has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MoveCost {
    /// Keys that were there when it began.
    pub keys: u64,
    /// Keys that went to another node.
    pub moved: u64,
    /// The least that had to move: the copies of a node that leaves, and those that more replicas or a
    /// repair take; for a join no more than the newcomer's fair share.
    pub optimum: u64,
    /// What a newcomer would hold if all nodes held copies by their weights. A placement that is not
    /// even moves more to it, or less. `None`: nothing joins.
    pub fair_share: Option<u64>,
    /// Keys whose only copy was dropped.
    pub lost: u64,
    /// Keys that cannot move yet, since an old or a new owner is down or cut off.
    pub waiting: u64,
    /// Keys that the policy evicted at the end, since there was no room.
    pub evicted: u64,
    /// Copies that owners should have and lack at the end.
    pub missing: u64,
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
#[non_exhaustive]
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
    /// A node would have to hold more than its capacity, and its policy evicts nothing.
    #[error("{}", no_room(*.node, *.needed, *.capacity))]
    NoRoom {
        /// The node.
        node: NodeId,
        /// What it would hold: entries and bytes.
        needed: (u64, u64),
        /// The node's capacity.
        capacity: Capacity,
    },
    /// The placement does not support weights.
    #[error("{0} placement does not support weights; {weighted} do", weighted = weighted())]
    Unweighted(&'static str),
    /// The new placement does not support weights, and this node has one.
    #[error("{placement} placement does not support weights, and node {node} has weight {weight}", node = .member.node, weight = .member.weight)]
    Weighted {
        /// The placement that was asked for.
        placement: &'static str,
        /// The first member with a weight that is not 1.
        member: Member,
    },
    /// The new placement is on other nodes.
    #[error("the placement must be made of the members that it is given")]
    OtherMembers,
}

fn no_room(node: NodeId, (entries, bytes): (u64, u64), capacity: Capacity) -> String {
    let (needed, most) = if let Some(most) = capacity.entries.filter(|&most| entries > most) {
        (format!("{entries} entries"), most.to_string())
    } else {
        let most = capacity.bytes.unwrap_or(u64::MAX);
        (format!("{bytes} bytes"), format!("{most} bytes"))
    };
    format!("there is no room: node {node} would hold {needed}, more than its capacity, {most}")
}

/// The names of the placements in which weights count.
fn weighted() -> String {
    let kinds = PlacementKind::ALL.iter().filter(|kind| kind.is_weighted());
    let names: Vec<_> = kinds.map(ToString::to_string).collect();
    names.join(", ")
}

/// A move that is not over.
#[derive(Clone)]
pub(super) struct Moving {
    /// How keys were placed before, unless only the number of owners changes.
    pub(super) from: Option<Arc<dyn Placement>>,
    /// How many owners each key had.
    pub(super) replicas: usize,
    leaving: Option<NodeId>,
    /// Whether it only makes missing copies.
    pub(super) repairs: bool,
    /// Whether all keys are at their new owners, and former owners drop them now.
    pub(super) copied: bool,
    /// The node whose slots are looked through, and the next slot.
    at: (NodeId, u32),
    /// How many entries of that node were looked at, and how many it had at first.
    seen: (u64, u64),
    /// The hashes of the keys that wait, since the pass began.
    pub(super) waiting: BTreeSet<u64>,
    pub(super) cost: MoveCost,
    /// How many copies former owners have dropped.
    pub(super) dropped: u64,
}

impl Moving {
    /// How many copies more there are than before the change.
    pub(super) fn extra_copies(&self) -> u64 {
        self.cost.moved.saturating_sub(self.dropped)
    }

    /// The layout before the change, as long as it counts.
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
    /// are pulled by [`Cluster::move_some`], or when a client asks for them.
    ///
    /// # Errors
    /// [`MoveError`]; nothing has changed then.
    pub fn join(&mut self, now: Instant, weight: u32) -> Result<NodeId, MoveError> {
        self.check_not_moving()?;
        if !(1..=MAX_WEIGHT).contains(&weight) {
            return Err(MoveError::Weight(weight));
        }
        if weight != 1 && !self.placement.is_weighted() {
            return Err(MoveError::Unweighted(self.placement.name()));
        }
        if self.node_ids().count() >= MAX_NODES as usize {
            return Err(MoveError::TooManyNodes);
        }
        self.tick(now);
        let node = self.nodes.next_id();
        let placement = self.placement.with(Member { node, weight });
        self.check_room(&*placement, self.config.replicas)?;
        self.add_node(now);
        self.log_node(self.present, node, EventKind::Joined);
        let total = u128::from(placement.members().total_weight());
        let copies = self.copies(now);
        let fair = (u128::from(copies) * u128::from(weight) + total / 2) / total;
        let fair = u64::try_from(fair).unwrap_or(copies);
        self.start(
            now,
            Some(placement.into()),
            self.config.replicas,
            None,
            fair,
        );
        if let Some(moving) = &mut self.moving {
            moving.cost.fair_share = Some(fair);
        }
        Ok(node)
    }

    /// Lets a node leave. It goes when [`Cluster::move_some`] has pulled the last of its keys.
    ///
    /// # Errors
    /// [`MoveError`]; nothing has changed then.
    pub fn leave(&mut self, now: Instant, node: NodeId) -> Result<(), MoveError> {
        self.check_not_moving()?;
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
        self.check_room(&*placement, replicas)?;
        let optimum = self.nodes.get(node).map_or(0, |it| it.stats().keys);
        self.start(now, Some(placement.into()), replicas, Some(node), optimum);
        Ok(())
    }

    /// Changes how keys are placed.
    ///
    /// # Errors
    /// [`MoveError`]; nothing has changed then.
    pub fn set_placement(&mut self, now: Instant, kind: PlacementKind) -> Result<(), MoveError> {
        let config = self.config.placement(kind);
        self.set_placement_with(now, |members| config.place(members))?;
        self.config.placement = kind;
        Ok(())
    }

    /// As [`Cluster::set_placement`], with a placement of your own, which `make` makes of the present
    /// members. [`Placement`] has an example.
    ///
    /// # Errors
    /// [`MoveError`]; nothing has changed then.
    pub fn set_placement_with(
        &mut self,
        now: Instant,
        make: impl FnOnce(Members) -> Box<dyn Placement>,
    ) -> Result<(), MoveError> {
        self.check_not_moving()?;
        let members = self.placement.members();
        let placement = make(members.clone());
        if placement.members() != members {
            return Err(MoveError::OtherMembers);
        }
        let weighted = members.iter().find(|member| member.weight != 1);
        if let Some(&member) = weighted.filter(|_| !placement.is_weighted()) {
            let placement = placement.name();
            return Err(MoveError::Weighted { placement, member });
        }
        self.tick(now);
        self.check_room(&*placement, self.config.replicas)?;
        self.start(now, Some(placement.into()), self.config.replicas, None, 0);
        Ok(())
    }

    /// Changes how many owners each key has.
    ///
    /// # Errors
    /// [`MoveError`]; nothing has changed then.
    pub fn set_replicas(&mut self, now: Instant, replicas: usize) -> Result<(), MoveError> {
        self.check_not_moving()?;
        let nodes = u32::try_from(self.placement.members().len()).unwrap_or(u32::MAX);
        let config = Config {
            nodes,
            replicas,
            ..self.config
        };
        config.check()?;
        self.tick(now);
        self.check_room(&*self.placement, replicas)?;
        let more = replicas.saturating_sub(self.config.replicas) as u64;
        let optimum = self.size(now) * more;
        let before = std::mem::replace(&mut self.config.replicas, replicas);
        self.start(now, None, before, None, optimum);
        Ok(())
    }

    /// How many copies of keys there are.
    fn copies(&mut self, now: Instant) -> u64 {
        self.tick(now);
        self.nodes.iter().map(|it| it.stats().keys).sum()
    }

    /// Whether every node has room for the keys that a layout gives it, if its policy evicts nothing.
    /// Cost: two look-ups for each copy.
    ///
    /// # Errors
    /// [`MoveError::NoRoom`].
    fn check_room(&self, placement: &dyn Placement, replicas: usize) -> Result<(), MoveError> {
        if !self.is_bounded || self.evicts() {
            return Ok(());
        }
        let layout = Layout {
            placement,
            replicas,
        };
        let mut usages: BTreeMap<NodeId, Usage> = BTreeMap::new();
        self.for_each_key(|key, value, _| {
            for owner in layout.owners(key) {
                usages.entry(owner).or_default().add(key.len(), value.len());
            }
        });
        let does_not_fit = |(node, usage): &(NodeId, Usage)| !usage.fits(self.capacity_of(*node));
        let Some((node, usage)) = usages.into_iter().find(does_not_fit) else {
            return Ok(());
        };
        let (needed, capacity) = ((usage.entries, usage.bytes), self.capacity_of(node));
        Err(MoveError::NoRoom {
            node,
            needed,
            capacity,
        })
    }

    /// Finishes a move that had to wait, or else starts to make missing copies, if there are any.
    pub fn rebalance(&mut self, now: Instant) {
        self.tick(now);
        if self.moving.is_some() {
            return;
        }
        let missing = self.replicas_missing();
        if missing > 0 {
            self.start(now, None, self.config.replicas, None, missing);
            if let Some(moving) = &mut self.moving {
                moving.repairs = true;
            }
        }
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
            let hosted = self.nodes.get(node);
            let found = hosted.and_then(|it| it.replica.node.slot_from(slot));
            if let Some(found) = found {
                self.move_slot(now, node, found);
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

    fn move_slot(&mut self, now: Instant, node: NodeId, slot: u32) {
        if self.moving.as_ref().is_some_and(|moving| moving.copied) {
            self.drop_copy(now, node, slot);
        } else {
            self.move_copies(now, node, slot);
        }
    }

    fn go_on_at(&mut self, node: NodeId, slot: u32) {
        if let Some(moving) = &mut self.moving {
            moving.seen.0 += 1;
            if moving.at.0 != node {
                moving.seen = (
                    0,
                    self.nodes.get(node).map_or(0, |it| it.replica.node.len()),
                );
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
            part: if moving.copied {
                0.5 + pass / 2.0
            } else {
                pass / 2.0
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

    fn check_not_moving(&self) -> Result<(), MoveError> {
        match self.moving {
            None => Ok(()),
            Some(_) => Err(MoveError::Moving),
        }
    }

    fn start(
        &mut self,
        now: Instant,
        placement: Option<Arc<dyn Placement>>,
        replicas: usize,
        leaving: Option<NodeId>,
        optimum: u64,
    ) {
        let keys = self.size(now);
        self.moving = Some(Moving {
            from: placement.map(|new| std::mem::replace(&mut self.placement, new)),
            replicas,
            leaving,
            repairs: false,
            copied: false,
            waiting: BTreeSet::new(),
            at: (NodeId(0), 0),
            seen: (
                0,
                self.nodes
                    .get(NodeId(0))
                    .map_or(0, |it| it.replica.node.len()),
            ),
            cost: MoveCost {
                keys,
                optimum,
                ..MoveCost::default()
            },
            dropped: 0,
        });
        self.change_layout(now);
    }

    fn nothing_to_move(&mut self, now: Instant) -> MoveCost {
        MoveCost {
            keys: self.size(now),
            ..MoveCost::default()
        }
    }

    /// A pass is over: starts the next one. Returns the cost if there is none, or keys wait.
    fn end_pass(&mut self, now: Instant) -> Option<MoveCost> {
        let moving = self.moving.as_mut()?;
        let mut cost = moving.cost;
        cost.waiting = std::mem::take(&mut moving.waiting).len() as u64;
        if cost.waiting > 0 || !moving.copied {
            moving.copied = cost.waiting == 0;
            self.go_on_at(NodeId(0), 0);
            // REBALANCE tries again.
            if cost.waiting > 0 {
                cost.missing = self.replicas_missing();
                return Some(cost);
            }
            self.change_layout(now);
            return None;
        }
        // What moved was enough.
        cost.optimum = cost.optimum.min(cost.moved);
        self.finish(now);
        for hosted in self.nodes.iter_mut().filter(|it| !it.crashed) {
            cost.evicted += hosted.replica.node.end_move(now, &mut self.log);
        }
        cost.missing = self.replicas_missing();
        Some(cost)
    }

    fn finish(&mut self, now: Instant) {
        self.quiescent = None;
        let Some(node) = self.moving.take().and_then(|moving| moving.leaving) else {
            return;
        };
        self.network.forget(now, node);
        self.deadlines.set(node, None);
        self.timeouts.set(node, None);
        let gone = self.nodes.remove(node);
        debug_assert!(
            gone.is_some_and(|it| it.replica.node.is_empty()),
            "it leaves empty"
        );
        self.note_bounds();
        self.log_node(self.present, node, EventKind::Left);
        self.disconnect(now, node);
        self.pump(now);
    }
}
