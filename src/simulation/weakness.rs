//! Writes that too few nodes have, and the crashes that show it to clients.
//!
//! Reads may find the expected value for a long time, although an acknowledged write is at fewer than
//! W owners. So the run looks at the nodes, and when it finds such a write, the nodes that have it
//! crash, as far as the bounds of the run allow. If the write was safe, nothing is lost.

use super::setup::Setup;
use super::step::{Action, ClientRequest, key};
use crate::cluster::Cluster;
use crate::id::NodeId;
use crate::nemesis::FaultAction;
use crate::operation::Operation;
use crate::replica::{Restart, Version};

/// A place where crashes show that too few nodes have a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Weakness {
    /// A write was acknowledged, and only these owners have it.
    FewCopies {
        /// The number of the key.
        key: usize,
        /// The owners that have it: fewer than W.
        holders: Vec<NodeId>,
    },
    /// A write was acknowledged while a node was down, and the node lacks it although it has been sent
    /// what was kept for it.
    LostHint {
        /// The number of the key.
        key: usize,
        /// The node.
        node: NodeId,
    },
}

impl Weakness {
    /// Looks at the owners of an acknowledged write. One that has lost its memory since may have had it.
    pub(super) fn of_write(cluster: &Cluster, number: usize, version: Version) -> Option<Self> {
        let needed = cluster.config().write_quorum;
        let key = key(number);
        if cluster.holders(&key, version) >= needed {
            return None;
        }
        let mut holders = owners(cluster, &key);
        holders.retain(|&node| cluster.knows_its_own(node, &key, version));
        let key = number;
        Some(Self::FewCopies { key, holders })
    }

    /// The actions that show it.
    pub(super) fn actions(&self, setup: &Setup, cluster: &Cluster, how: Restart) -> Vec<Action> {
        match self {
            Self::FewCopies { key, holders } => {
                let crashes = holders.iter().map(|&node| FaultAction::Crash(node));
                let restarts = holders.iter().map(|&node| FaultAction::Restart(node, how));
                let mut members = cluster.node_ids();
                let via = members.find(|node| !holders.contains(node));
                let read = Action::Request(ClientRequest {
                    client: u32::try_from(setup.clients).unwrap_or(0) + 1,
                    via,
                    key: *key,
                    operation: Operation::Get,
                    is_traced: false,
                });
                let crashes = crashes.map(Action::Fault).chain([read]);
                crashes.chain(restarts.map(Action::Fault)).collect()
            }
            Self::LostHint { key: number, node } => {
                let mut others = owners(cluster, &key(*number));
                others.retain(|other| other != node);
                let pairs = others
                    .into_iter()
                    .flat_map(|node| [FaultAction::Crash(node), FaultAction::Restart(node, how)]);
                pairs.map(Action::Fault).collect()
            }
        }
    }
}

fn owners(cluster: &Cluster, key: &[u8]) -> Vec<NodeId> {
    let placement = cluster.placement();
    let mut owners = Vec::new();
    placement.owners(placement.hash(key), cluster.config().replicas, &mut owners);
    owners
}
