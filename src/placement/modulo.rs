//! Modulo: the hash, modulo the number of nodes.
//!
//! Perfectly balanced and as cheap as can be; but when a node joins n others, all but 1 of n + 1
//! keys change their owner.

use super::Placement;
use crate::hash::fnv1a_32;
use crate::id::NodeId;

/// FNV-1a (32 bits) of the key, modulo the number of nodes.
#[derive(Clone, Debug)]
pub struct Modulo {
    members: Vec<NodeId>,
}

impl Modulo {
    /// A placement on these nodes.
    ///
    /// # Panics
    /// If there are none.
    #[must_use]
    pub fn new(members: Vec<NodeId>) -> Self {
        assert!(!members.is_empty(), "a placement needs a node");
        Self { members }
    }
}

impl Placement for Modulo {
    fn name(&self) -> &'static str {
        "modulo"
    }

    fn hash(&self, key: &[u8]) -> u64 {
        u64::from(fnv1a_32(key))
    }

    fn owner(&self, hash: u64) -> NodeId {
        let place = hash % self.members.len() as u64;
        self.members[usize::try_from(place).unwrap_or(0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fruits_live_where_they_always_did() {
        let modulo = Modulo::new((0..3).map(NodeId).collect());
        let owner = |key| modulo.owner(modulo.hash(key));
        assert_eq!(owner(b"apple"), NodeId(2));
        assert_eq!(owner(b"banana"), NodeId(1));
        assert_eq!(owner(b"grape"), NodeId(2));
    }
}
