//! The cluster by slots of Redis Cluster, while keys move.

use super::Cluster;
use crate::hash::rapidhash;
use crate::id::NodeId;
use crate::time::Instant;

impl Cluster {
    /// The owners of a slot, first one first; `None` if the placement is not by slot.
    pub(crate) fn owners_of_slot(&self, slot: u16, owners: &mut Vec<NodeId>) -> Option<()> {
        let hash = self.placement.hash_of_slot(slot)?;
        self.placement.owners(hash, self.config.replicas, owners);
        Some(())
    }

    /// The owners that a slot had before the move; `None` without one, as soon as only the new owners
    /// count, and if the placement before was not by slot.
    pub(crate) fn owners_before(&self, slot: u16, owners: &mut Vec<NodeId>) -> Option<()> {
        let moving = self.moving.as_ref().filter(|it| !it.copied)?;
        let placement = moving.from.as_deref()?;
        let hash = placement.hash_of_slot(slot)?;
        placement.owners(hash, moving.replicas, owners);
        Some(())
    }

    /// Whether an owner holds a value of a key; while keys move, also an owner from before. What is due by
    /// [`Cluster::tick`] may be there still.
    pub(crate) fn holds(&self, key: &[u8]) -> bool {
        let owners = self.rules().owners(key);
        owners.iter().any(|&node| {
            let hosted = self.nodes.get(node).filter(|it| !it.crashed);
            hosted.is_some_and(|it| it.replica.locate(key).slot().is_some())
        })
    }

    /// Copies a key to its new owners ahead of [`Cluster::move_some`]. Nothing waits: where an owner is
    /// down, that one copies it later.
    pub(crate) fn move_key(&mut self, now: Instant, key: &[u8]) {
        self.tick(now);
        let nodes: Vec<NodeId> = self.rules().owners(key).iter().copied().collect();
        for node in nodes {
            let hosted = self.nodes.get(node).filter(|it| it.runs());
            let slot = hosted.and_then(|it| it.replica.locate(key).slot());
            if let Some(slot) = slot {
                self.move_copies(now, node, slot);
            }
        }
        if let Some(moving) = &mut self.moving {
            moving.waiting.remove(&rapidhash(key));
        }
    }
}
