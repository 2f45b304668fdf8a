//! Rendezvous: every node has a score for every key, and the highest score wins.
//!
//! The owners are the nodes with the highest scores, in that order. Each key ranks the nodes in its
//! own way, so when a node leaves, its keys spread over all others; a node that joins takes the keys
//! for which it scores highest. Nothing else ever moves. Source: Thaler and
//! Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", IEEE/ACM Transactions on
//! Networking 6(1), 1998. A weight counts by the logarithmic method: the score is weight / -ln(u),
//! where u is the node's draw between 0 and 1 (Schindelhauer and Schomaker, "Weighted Distributed
//! Hash Tables", SPAA 2005); a change of one weight moves no key between two others.
//!
//! A look-up costs a multiplication for each node: no placement is more even, but with hundreds of
//! nodes it is slow.

use super::scores::Scores;
use super::{Location, Member, Members, Placement, PlacementKind};
use crate::hash::rapidhash;
use crate::id::NodeId;

/// The nodes of the highest scores for [`rapidhash()`] of the key.
///
/// With 3/10/100/1000 nodes, measured with a million keys, without hashing the key: an owner costs
/// 2/6/51/520 ns; three owners 16/30/220/1050 ns. With unequal weights an owner costs
/// 90/220/470/1800 ns (measured on a busy machine: about 1.5 times too much). The most
/// loaded node has 1.002/1.003/1.022/1.104 of the mean, which is chance alone. An eleventh node
/// moves .0908 of the keys (optimum .0909) and copies for three owners 1.00 of the optimum; a node
/// that leaves moves its own keys only. Memory: 16 bytes a node, with unequal weights 24.
#[derive(Clone, Debug)]
pub struct Rendezvous {
    members: Members,
    scores: Scores,
}

impl Rendezvous {
    /// A placement on these nodes, by weight.
    #[must_use]
    pub fn new(members: Members) -> Self {
        let scores = Scores::new(&members);
        Self { members, scores }
    }
}

impl Placement for Rendezvous {
    fn kind(&self) -> Option<PlacementKind> {
        Some(PlacementKind::Rendezvous)
    }

    fn members(&self) -> &Members {
        &self.members
    }

    fn hash(&self, key: &[u8]) -> u64 {
        rapidhash(key)
    }

    #[inline]
    fn owner(&self, hash: u64) -> NodeId {
        self.members[self.scores.best(hash)].node
    }

    fn owners(&self, hash: u64, count: usize, owners: &mut Vec<NodeId>) {
        self.scores.rank(hash, count, &self.members, owners);
    }

    fn locate(&self, _hash: u64) -> Location {
        Location::Score
    }

    /// The expected parts, which are the fair ones: to count all hashes is not possible.
    fn shares(&self) -> Vec<f64> {
        self.members.fair_shares().collect()
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.members[..]) + self.scores.bytes()
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
    use super::super::golden;
    use super::*;

    #[test]
    fn the_owners_are_fixed() {
        let kind = PlacementKind::Rendezvous;
        assert_eq!(
            golden::owners(kind, 3),
            "102 102 012 102 201 120 012 012 021 012 012 210"
        );
        assert_eq!(
            golden::owners(kind, 5),
            "102 140 012 134 324 431 401 041 403 340 403 213"
        );
        assert_eq!(
            golden::owners(kind, 10),
            "610 154 086 951 325 475 794 057 754 398 460 782"
        );
        assert_eq!(
            golden::checksums(kind),
            [0x6ce4_3330_2833_0630, 0x2813_44d4_1066_8926]
        );
        assert_eq!(golden::weighted_checksum(kind), 0xee3a_9867_1776_2e1c);
    }

    #[test]
    fn one_node_has_everything() {
        let rendezvous = Rendezvous::new(Members::new(vec![Member::new(NodeId(9))]));
        let mut owners = Vec::new();
        for hash in [0, 1, u64::MAX] {
            rendezvous.owners(hash, 3, &mut owners);
            assert_eq!(owners, [NodeId(9)]);
            assert_eq!(rendezvous.owner(hash), NodeId(9));
        }
        assert_eq!(rendezvous.bytes(), 16);
    }

    /// A node that is away for a while finds its keys as it left them, whatever its weight.
    #[test]
    fn a_node_that_returns_gets_the_same_keys_back() {
        let member = Member {
            node: NodeId(3),
            weight: 5,
        };
        let before = Rendezvous::new(Members::first(3)).with(member);
        let after = before.without(NodeId(3)).with(member);
        for hash in (0..10_000_u64).map(|n| rapidhash(&n.to_le_bytes())) {
            assert_eq!(before.owner(hash), after.owner(hash));
        }
    }
}
