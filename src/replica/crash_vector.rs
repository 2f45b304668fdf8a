//! The crash vector: which incarnation of each node a replica knows of.
//!
//! A crash ends an incarnation of a node, with all that it acknowledged. An acknowledgement of an
//! earlier incarnation must not count: the node may have merged the others' records before they had
//! that write. So an incarnation is the logical clock of the node's restart. The node announces it
//! when it asks the others for their records, and every acknowledgement carries the vector of its
//! sender. Then either the coordinator knows of the new incarnation in time, or the records that
//! the node merged include the write.
//!
//! Source: Michael, Ports, Sharma, Szekeres, "Recovering Shared Objects Without Stable Storage",
//! DISC 2017.

use std::sync::Arc;

use super::message::Version;
use crate::id::NodeId;

/// The incarnation of each node, as far as it is known. Nodes that have not crashed are left out. A
/// copy costs a counter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CrashVector(Option<Arc<[(NodeId, Version)]>>);

impl CrashVector {
    /// All incarnations but the first ones, by ascending node.
    pub(super) fn iter(&self) -> impl Iterator<Item = (NodeId, Version)> {
        self.0.iter().flat_map(|nodes| nodes.iter().copied())
    }

    /// The incarnation of a node; 0 for the first.
    pub(super) fn incarnation(&self, node: NodeId) -> Version {
        let mut nodes = self.iter();
        nodes
            .find(|(at, _)| *at == node)
            .map_or(0, |(_, incarnation)| incarnation)
    }

    /// Notes an incarnation; `true` if it is a later one.
    pub(super) fn note(&mut self, node: NodeId, incarnation: Version) -> bool {
        if self.incarnation(node) >= incarnation {
            return false;
        }
        let others = self.iter().filter(|(at, _)| *at != node);
        let mut nodes: Vec<_> = others.chain([(node, incarnation)]).collect();
        nodes.sort_unstable();
        self.0 = Some(nodes.into());
        true
    }

    /// Whether both are certainly the same. Cost: O(1).
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}
