//! Modulo: the hash, modulo the number of nodes.
//!
//! The best balance at the lowest cost; but when a node joins n others, all but one in n + 1 keys
//! change their owner.

use super::{Location, Member, Members, Placement, PlacementKind};
use crate::hash::fnv1a_32;
use crate::id::NodeId;

/// FNV-1a (32 bits) of the key, modulo the number of nodes. The replicas are the nodes that follow
/// the primary, by number.
#[derive(Clone, Debug)]
pub struct Modulo {
    members: Members,
}

impl Modulo {
    /// A placement on these nodes. Weights are ignored.
    #[must_use]
    pub fn new(members: Members) -> Self {
        Self { members }
    }

    #[inline]
    fn index(&self, hash: u64) -> usize {
        let index = hash % self.members.len() as u64;
        usize::try_from(index).unwrap_or(0)
    }
}

impl Placement for Modulo {
    fn kind(&self) -> Option<PlacementKind> {
        Some(PlacementKind::Modulo)
    }

    fn members(&self) -> &Members {
        &self.members
    }

    fn hash(&self, key: &[u8]) -> u64 {
        u64::from(fnv1a_32(key))
    }

    #[inline]
    fn owner(&self, hash: u64) -> NodeId {
        self.members[self.index(hash)].node
    }

    fn owners(&self, hash: u64, count: usize, owners: &mut Vec<NodeId>) {
        let following = self.members.iter().cycle().skip(self.index(hash));
        let following = following.take(count.min(self.members.len()));
        owners.clear();
        owners.extend(following.map(|member| member.node));
    }

    fn locate(&self, hash: u64) -> Location {
        Location::Bucket(self.index(hash) as u64)
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.members[..])
    }

    fn with(&self, member: Member) -> Box<dyn Placement> {
        Box::new(Self::new(self.members.with(member)))
    }

    fn without(&self, node: NodeId) -> Box<dyn Placement> {
        Box::new(Self::new(self.members.without(node)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fruits_live_where_they_always_did() {
        let modulo = Modulo::new(Members::first(3));
        let owner = |key| modulo.owner(modulo.hash(key));
        assert_eq!(owner(b"apple"), NodeId(2));
        assert_eq!(owner(b"banana"), NodeId(1));
        assert_eq!(owner(b"grape"), NodeId(2));
    }
}
