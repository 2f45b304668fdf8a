//! Events in the middle of a replay: faults, their repair, and changes of the members.

use std::fmt;

use crate::cluster::{Cluster, Restart};
use crate::id::NodeId;
use crate::network::{Fault, Link};
use crate::placement::PlacementKind;
use crate::time::Instant;

/// Where in a trace an event happens: before this request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Position {
    /// The request with this number, from 0.
    Request(u64),
    /// This part of the requests, from 0 to 1.
    Part(f64),
}

impl Position {
    /// The number of the request among so many, at most their number.
    #[must_use]
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a part of a number is no larger"
    )]
    pub fn resolve(self, requests: usize) -> usize {
        match self {
            Self::Request(at) => usize::try_from(at).unwrap_or(usize::MAX).min(requests),
            Self::Part(part) => ((requests as f64 * part) as usize).min(requests),
        }
    }
}

/// An event in the middle of a replay.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When it happens.
    pub at: Position,
    /// The command, as it was given.
    pub text: String,
    /// What happens.
    pub action: Action,
}

/// What happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A node loses its memory and serves no more.
    Crash(NodeId),
    /// A crashed node comes back.
    Restart(NodeId, Restart),
    /// A node does nothing.
    Pause(NodeId),
    /// A paused node goes on.
    Resume(NodeId),
    /// The clock of a node is ahead by this many nanoseconds, or behind.
    Skew(NodeId, i64),
    /// A fault of the network.
    Network(Fault),
    /// The held messages of a link go on.
    Release(Link),
    /// The faults of the network end; with `true` also those of nodes and clocks.
    Heal(bool),
    /// A node of this weight joins.
    Join(u32),
    /// A node leaves.
    Leave(NodeId),
    /// Objects are placed in another way.
    Place(PlacementKind),
    /// Each object has so many owners.
    Replicate(usize),
    /// What could not move before moves now, and missing copies are made.
    Rebalance,
}

impl Action {
    /// Carries it out. What has to move moves at once, as far as its owners can be reached.
    ///
    /// # Errors
    /// The reason why it cannot be; nothing has changed then.
    pub fn carry_out(&self, cluster: &mut Cluster, now: Instant) -> Result<(), String> {
        self.start(cluster, now)?;
        if cluster.is_moving() {
            cluster.move_all(now);
        }
        Ok(())
    }

    fn start(&self, cluster: &mut Cluster, now: Instant) -> Result<(), String> {
        match self {
            Self::Crash(node) => cluster.crash(now, *node).map_err(text),
            Self::Restart(node, how) => cluster.restart(now, *node, *how).map_err(text),
            Self::Pause(node) => cluster.pause(now, *node).map_err(text),
            Self::Resume(node) => cluster.resume(now, *node).map_err(text),
            Self::Skew(node, nanos) => cluster.skew(now, *node, *nanos).map_err(text),
            Self::Network(fault) => {
                expect_nodes(cluster, &fault.nodes())?;
                cluster.inject(now, fault).map_err(text)
            }
            Self::Release(link) => {
                expect_nodes(cluster, &link.nodes())?;
                cluster.release(now, *link).map_err(text)
            }
            Self::Heal(all) => {
                if *all {
                    cluster.heal_all(now);
                } else {
                    cluster.heal(now);
                }
                Ok(())
            }
            Self::Join(weight) => cluster.join(now, *weight).map(|_| ()).map_err(text),
            Self::Leave(node) => cluster.leave(now, *node).map_err(text),
            Self::Place(kind) => cluster.set_placement(now, *kind).map_err(text),
            Self::Replicate(replicas) => cluster.set_replicas(now, *replicas).map_err(text),
            Self::Rebalance => {
                cluster.rebalance(now);
                Ok(())
            }
        }
    }
}

fn text(error: impl fmt::Display) -> String {
    error.to_string()
}

fn expect_nodes(cluster: &Cluster, nodes: &[NodeId]) -> Result<(), String> {
    let is_there = |node: NodeId| cluster.node_ids().any(|it| it == node);
    match nodes.iter().find(|&&node| !is_there(node)) {
        Some(node) => Err(format!("there is no node {node}")),
        None => Ok(()),
    }
}
