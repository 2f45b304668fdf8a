//! Where a key is, found once for all that a request does, and for several keys ahead.

use super::Cluster;
use crate::hash::{Hashed, rapidhash};
use crate::id::NodeId;

/// The owner of a key, and the key's hashes. It holds as long as the owners of keys do not change.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(feature = "shell"),
    allow(unreachable_pub, reason = "sessions use it")
)]
pub struct Place {
    /// The primary owner.
    pub node: NodeId,
    /// The hash in a node.
    pub(super) hash: u64,
    /// The hash of the placement.
    #[cfg(feature = "shell")]
    pub(super) placed: u64,
}

impl Place {
    /// The key that this is the place of, with its hash in a node.
    #[inline]
    pub(super) fn hashed(self, key: &[u8]) -> Hashed<'_> {
        let hash = self.hash;
        Hashed { key, hash }
    }
}

impl Cluster {
    /// The place of a key.
    #[inline]
    pub(crate) fn place(&self, key: &[u8]) -> Place {
        self.place_by(self.placement.hash(key), key)
    }

    /// The place of a key that is in this slot of Redis Cluster.
    #[cfg(feature = "shell")]
    #[inline]
    pub(crate) fn place_in_slot(&self, slot: u16, key: &[u8]) -> Place {
        let placed = self.placement.hash_of_slot(slot);
        self.place_by(placed.unwrap_or_else(|| self.placement.hash(key)), key)
    }

    fn place_by(&self, placed: u64, key: &[u8]) -> Place {
        Place {
            node: self.placement.owner(placed),
            hash: rapidhash(key),
            #[cfg(feature = "shell")]
            placed,
        }
    }

    /// Prefetches what requests for the keys at these places need, at most 32 of them.
    pub(crate) fn prefetch(&self, places: impl Iterator<Item = Place>) {
        let wanted = places.map(|it| (&self.nodes[it.node].replica.node, it.hash));
        crate::node::look_ahead(wanted);
    }
}
