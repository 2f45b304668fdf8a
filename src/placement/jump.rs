//! Jump: a key's bucket is where it stops jumping.
//!
//! As buckets are added one at a time, a key must move into the n-th with probability 1/n, and never
//! between old ones. The next bucket that it moves into can be drawn directly, from a generator that
//! the key seeds: the key jumps forward from one to the next, and stays in the last one that exists.
//! That needs no memory; here a table maps buckets to nodes.
//!
//! Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm", arXiv 1406.2294, 2014.
//!
//! Measured with a million keys and n = 3/10/100/1000 nodes: a look-up takes 13/23/38/51 ns, which
//! is about ln n jumps, each with a branch that the processor cannot predict. max/mean is 1.001/1.004/1.027/1.11, which is
//! chance alone. A join moves .0906 of the keys at n = 10 (the optimum is .0909), and with three
//! copies 1.05 times the optimum.
//!
//! Only the last bucket can be removed. When the node of another bucket leaves, the node of the last
//! bucket takes over that bucket and gives up its own: that moves 1.89 times the leaver's share at
//! n = 10, nearly twice at larger n, and all of the leaver's keys go to that one node. The table
//! depends on the order of joins and leaves, not on the members alone.

use super::rehash::scatter;
use super::{Location, Member, Members, Placement, PlacementKind};
use crate::hash::rapidhash;
use crate::id::NodeId;

/// Jump consistent hash of rapidhash, and a table from buckets to nodes. Further owners are those
/// of re-mixed hashes.
#[derive(Clone, Debug)]
pub struct Jump {
    members: Members,
    /// The node of each bucket.
    nodes: Vec<NodeId>,
}

/// The bucket of this hash among `buckets`, at least 1. Cost: about ln(`buckets`) jumps.
///
/// The product is computed in floating point, as in the paper, and rounds as it does there.
#[inline]
pub(super) fn jump(mut hash: u64, buckets: usize) -> usize {
    let end = buckets as f64;
    let mut bucket = 0_i64;
    loop {
        hash = hash.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        let drawn = (hash >> 33).cast_signed() + 1;
        let next = (bucket + 1) as f64 * (f64::from(1_u32 << 31) / drawn as f64);
        if next >= end {
            return usize::try_from(bucket).unwrap_or(0);
        }
        #[expect(clippy::cast_possible_truncation, reason = "cut off, below the end")]
        let whole = next as i64;
        bucket = whole;
    }
}

impl Jump {
    /// A placement on these nodes, with buckets by ascending number. Weights are ignored.
    #[must_use]
    pub fn new(members: Members) -> Self {
        let nodes = members.iter().map(|member| member.node).collect();
        Self { members, nodes }
    }

    #[inline]
    fn bucket(&self, hash: u64) -> usize {
        jump(hash, self.nodes.len())
    }
}

impl Placement for Jump {
    fn kind(&self) -> Option<PlacementKind> {
        Some(PlacementKind::Jump)
    }

    fn members(&self) -> &Members {
        &self.members
    }

    fn hash(&self, key: &[u8]) -> u64 {
        rapidhash(key)
    }

    #[inline]
    fn owner(&self, hash: u64) -> NodeId {
        self.nodes[self.bucket(hash)]
    }

    fn owners(&self, hash: u64, count: usize, owners: &mut Vec<NodeId>) {
        scatter(&self.members, hash, count, owners, |hash| self.owner(hash));
    }

    fn locate(&self, hash: u64) -> Location {
        Location::Bucket(self.bucket(hash) as u64)
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.members[..]) + self.nodes.capacity() * size_of::<NodeId>()
    }

    fn with(&self, member: Member) -> Box<dyn Placement> {
        let mut after = self.clone();
        after.members = self.members.with(member);
        after.nodes.push(member.node);
        Box::new(after)
    }

    fn without(&self, node: NodeId) -> Box<dyn Placement> {
        let mut after = self.clone();
        after.members = self.members.without(node);
        let bucket = self.nodes.iter().position(|&it| it == node);
        after
            .nodes
            .swap_remove(bucket.expect("the node is a member"));
        Box::new(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::golden;
    use crate::rng::Rng;

    #[test]
    fn buckets_are_the_published_ones() {
        let mut rng = Rng::new(3);
        let edges = [0, 1, u64::MAX, 1 << 33, (1 << 33) - 1];
        for hash in edges.into_iter().chain((0..20_000).map(|_| rng.next_u64())) {
            for buckets in [1, 2, 3, 10, 100, 1000, 65_537, u32::MAX] {
                let published = jumpch::hash(hash, buckets);
                assert_eq!(jump(hash, buckets as usize), published as usize);
            }
        }
    }

    #[test]
    fn the_owners_are_fixed() {
        let kind = PlacementKind::Jump;
        assert_eq!(
            golden::owners(kind, 3),
            "210 201 201 210 012 021 012 120 012 102 201 120"
        );
        assert_eq!(
            golden::owners(kind, 5),
            "210 301 201 432 310 023 031 420 342 413 240 342"
        );
        assert_eq!(
            golden::owners(kind, 10),
            "218 309 970 472 918 023 938 584 958 753 560 685"
        );
        assert_eq!(
            golden::checksums(kind),
            [0xd98a_735a_26f0_2cf7, 0xed7c_c0d1_1667_8b6c]
        );
    }

    #[test]
    fn one_member_owns_everything() {
        let jump = Jump::new(Members::first(2)).without(NodeId(0));
        assert!((0..1000).all(|hash| jump.owner(hash << 50) == NodeId(1)));
    }

    /// The buckets' nodes after a node has left and come back.
    fn rejoined(node: u32) -> Vec<u32> {
        let back = Jump::new(Members::first(5))
            .without(NodeId(node))
            .with(Member::new(NodeId(node)));
        let mut nodes = vec![u32::MAX; 5];
        for hash in (0..1000).map(|key: u32| rapidhash(&key.to_le_bytes())) {
            nodes[jump(hash, 5)] = back.owner(hash).0;
        }
        nodes
    }

    #[test]
    fn the_last_bucket_fills_the_gap_and_a_join_appends() {
        assert_eq!(rejoined(0), [4, 1, 2, 3, 0]);
        assert_eq!(rejoined(2), [0, 1, 4, 3, 2]);
        assert_eq!(rejoined(4), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_leavers_keys_go_to_the_last_buckets_node() {
        let before = Jump::new(Members::first(10));
        let after = before.without(NodeId(4));
        for hash in (0..10_000).map(|key: u32| rapidhash(&key.to_le_bytes())) {
            let (old, new) = (before.owner(hash), after.owner(hash));
            match old {
                NodeId(4) => assert_eq!(new, NodeId(9)),
                NodeId(9) => {}
                _ => assert_eq!(old, new),
            }
        }
    }
}
