//! What each owner of a key knows about it. Looking changes nothing.

use super::{Cluster, Status};
use crate::id::NodeId;
use crate::replica::Known;
use crate::time::Instant;

/// What an owner of a key knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnerCopy {
    /// The owner.
    pub node: NodeId,
    /// What the owner is doing.
    pub state: Status,
    /// The version of the latest write that it knows; `None` if it knows none.
    pub version: Option<u64>,
    /// When its value expires, on its own clock; `None` without a value or without a deadline.
    pub deadline: Option<Instant>,
    /// What its value counts against the capacity: key, value and 40 bytes. `None` without a value.
    pub bytes: Option<u64>,
    /// The place of its value in the eviction order, from 1, which goes next. `None` without a value,
    /// where the node has no capacity, and where chance decides.
    pub eviction_rank: Option<u64>,
    /// Whether the latest write that it knows removed the key.
    pub is_tombstone: bool,
}

impl Cluster {
    /// What each owner of `key` knows, primary first; while keys move, also the owners from before.
    /// What is due by [`Cluster::tick`] may be there still. Cost: on each bounded node a copy of its
    /// eviction policy.
    #[must_use]
    pub fn inspect(&self, key: &[u8]) -> Vec<OwnerCopy> {
        let owners = self.rules().owners(key);
        owners.iter().map(|&it| self.copy_at(it, key)).collect()
    }

    /// How often the first owner of a key that holds it has used it, its insertion included; `None` if
    /// none holds it, and where nodes have no capacity or their policy does not count that.
    #[cfg(feature = "shell")]
    pub(crate) fn frequency(&self, key: &[u8]) -> Option<u64> {
        let owners = self.rules().owners(key);
        owners.iter().find_map(|&node| {
            let hosted = self.nodes.get(node).filter(|it| !it.crashed)?;
            let slot = hosted.replica.locate(key).slot()?;
            hosted.replica.node.frequency(slot)
        })
    }

    fn copy_at(&self, node: NodeId, key: &[u8]) -> OwnerCopy {
        let hosted = self.nodes.get(node).filter(|it| !it.crashed);
        let known = hosted.map_or(Known::Nothing, |it| it.replica.locate(key));
        let entry = hosted.zip(known.slot());
        let entry = entry.map(|(hosted, slot)| (&hosted.replica.node, slot));
        OwnerCopy {
            node,
            state: self.status(node).unwrap_or_default(),
            version: Some(known.version()).filter(|&version| version > 0),
            deadline: entry.and_then(|(node, slot)| node.deadline(slot)),
            bytes: entry.map(|(node, slot)| node.cost(slot)),
            eviction_rank: entry.and_then(|(node, slot)| node.eviction_rank(slot)),
            is_tombstone: matches!(known, Known::Tombstone(_)),
        }
    }
}
