//! Which nodes have lost messages because a bound was reached.

use std::collections::BTreeMap;

use super::{Endpoint, Link, Party};
use crate::id::NodeId;

/// How many messages each node has lost, by sender. Messages from nodes that have left are counted as
/// from the node itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Overflow(BTreeMap<(NodeId, Party), u64>);

impl Overflow {
    /// Notes a loss. A client's is not noted: it waits in vain, and asks again.
    pub(super) fn note(&mut self, from: Endpoint, to: Endpoint) {
        if let Endpoint::Node(node) = to {
            *self.0.entry((node, from.into())).or_default() += 1;
        }
    }

    /// How many messages a node has lost. O(senders).
    pub(super) fn of(&self, node: NodeId) -> u64 {
        let all = (node, Party::Clients)..=(node, Party::Node(NodeId(u32::MAX)));
        self.0.range(all).map(|(_, lost)| lost).sum()
    }

    /// Forgets the losses of one link. Returns the nodes that had any, by ascending number.
    pub(super) fn take_link(&mut self, link: Link) -> Vec<NodeId> {
        let mut nodes = link.nodes();
        nodes.retain(|&node| {
            let senders = [link.low, link.high].into_iter();
            let had = senders.filter_map(|sender| self.0.remove(&(node, sender)));
            had.count() > 0
        });
        nodes
    }

    /// Forgets all losses. Returns the nodes that had any, by ascending number.
    pub(super) fn take_all(&mut self) -> Vec<NodeId> {
        let mut nodes: Vec<NodeId> = self.0.keys().map(|(node, _)| *node).collect();
        nodes.dedup();
        self.0.clear();
        nodes
    }

    /// A node has left.
    pub(super) fn forget(&mut self, gone: NodeId) {
        for ((node, from), lost) in std::mem::take(&mut self.0) {
            let left = from == gone.into();
            let from = if left { node.into() } else { from };
            if node != gone {
                *self.0.entry((node, from)).or_default() += lost;
            }
        }
    }
}
