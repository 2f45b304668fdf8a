//! Memento: jump that remembers which nodes have left.
//!
//! A key's bucket is that of [jump](super::jump). If the node there has left, the bucket is a gap,
//! and the key is hashed again onto as many buckets as remained after that leave, and so on until it
//! meets a bucket in use. Each gap stores that count. The count is also the index of the bucket that
//! substitutes the gap from then on, so that a later look-up over the remaining buckets can go from
//! a gap to its substitute. A join fills the last gap, or adds a bucket if there is none. So any node
//! can leave, and only gaps need memory: here they are stored in the table of nodes.
//!
//! Coluzzi, Brocco, Antonucci and Leidi, "`MementoHash`: A Stateful, Minimal Memory, Best Performing
//! Consistent Hash Algorithm", arXiv 2306.09783, 2023; IEEE/ACM Transactions on Networking 32(4),
//! 2024.
//!
//! Measured with a million keys and n = 3/10/100/1000 nodes: a look-up takes 13/23/39/51 ns;
//! max/mean is 1.001/1.004/1.027/1.11, which is chance alone. A join moves .0906 of the keys at
//! n = 10 (the optimum is .0909), a leave the leaver's share exactly, evenly to all others; with
//! three copies a join moves 1.05 times the optimum.
//!
//! The buckets depend on the order of joins and leaves, not on the members alone: a node gets its
//! own keys back only if it is the last that left. Gaps are not closed but filled, so a cluster
//! that has lost most of its nodes pays about ln²(buckets / nodes) steps a look-up, and 16 bytes
//! a gap.

use super::jump::jump;
use super::rehash::{remix, scale, scatter};
use super::{Location, Member, Members, Placement, PlacementKind};
use crate::hash::rapidhash;
use crate::id::NodeId;

/// `MementoHash` of rapidhash over jump consistent hash. Further owners are those of re-mixed
/// hashes.
#[derive(Clone, Debug)]
pub struct Memento {
    members: Members,
    /// Jump's buckets, of which some may be gaps.
    buckets: Vec<Bucket>,
    /// The gaps, in the order in which their nodes left.
    gaps: Vec<usize>,
}

#[derive(Clone, Copy, Debug)]
enum Bucket {
    /// In use by this node.
    Node(NodeId),
    /// How many buckets remained when its node left, at least 1; also the index of the bucket that
    /// substitutes it since.
    Gap(u32),
}

impl Memento {
    /// A placement on these nodes, with buckets by ascending number. Weights are ignored.
    #[must_use]
    pub fn new(members: Members) -> Self {
        let buckets = members.iter().map(|member| Bucket::Node(member.node));
        Self {
            buckets: buckets.collect(),
            gaps: Vec::new(),
            members,
        }
    }

    /// The bucket of this hash, and its node.
    #[inline]
    fn find(&self, mut hash: u64) -> (usize, NodeId) {
        let mut bucket = jump(hash, self.buckets.len());
        loop {
            match self.buckets[bucket] {
                Bucket::Node(node) => return (bucket, node),
                Bucket::Gap(left) => {
                    hash = remix(hash);
                    bucket = self.substitute(scale(hash, left as usize), left);
                }
            }
        }
    }

    /// The bucket at this index when `left` buckets remained.
    fn substitute(&self, mut bucket: usize, left: u32) -> usize {
        while let Bucket::Gap(earlier) = self.buckets[bucket]
            && earlier >= left
        {
            bucket = earlier as usize;
        }
        bucket
    }

    fn join(&mut self, node: NodeId) {
        match self.gaps.pop() {
            Some(gap) => self.buckets[gap] = Bucket::Node(node),
            None => self.buckets.push(Bucket::Node(node)),
        }
    }

    fn leave(&mut self, node: NodeId) {
        let has_node = |bucket: &Bucket| matches!(bucket, Bucket::Node(it) if *it == node);
        let bucket = self.buckets.iter().position(has_node);
        let bucket = bucket.expect("the node is a member");
        if self.gaps.is_empty() && bucket + 1 == self.buckets.len() {
            self.buckets.pop();
            return;
        }
        let left = self.buckets.len() - self.gaps.len() - 1;
        let left = u32::try_from(left).expect("nodes are numbered in 32 bits");
        self.buckets[bucket] = Bucket::Gap(left);
        self.gaps.push(bucket);
    }
}

impl Placement for Memento {
    fn kind(&self) -> Option<PlacementKind> {
        Some(PlacementKind::Memento)
    }

    fn members(&self) -> &Members {
        &self.members
    }

    fn hash(&self, key: &[u8]) -> u64 {
        rapidhash(key)
    }

    #[inline]
    fn owner(&self, hash: u64) -> NodeId {
        self.find(hash).1
    }

    fn owners(&self, hash: u64, count: usize, owners: &mut Vec<NodeId>) {
        scatter(&self.members, hash, count, owners, |hash| self.owner(hash));
    }

    fn locate(&self, hash: u64) -> Location {
        Location::Bucket(self.find(hash).0 as u64)
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.members[..])
            + self.buckets.capacity() * size_of::<Bucket>()
            + self.gaps.capacity() * size_of::<usize>()
    }

    fn with(&self, member: Member) -> Box<dyn Placement> {
        let mut after = self.clone();
        after.members = self.members.with(member);
        after.join(member.node);
        Box::new(after)
    }

    fn without(&self, node: NodeId) -> Box<dyn Placement> {
        let mut after = self.clone();
        after.members = self.members.without(node);
        after.leave(node);
        Box::new(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::{changes, golden};

    #[test]
    fn the_owners_are_fixed() {
        let kind = PlacementKind::Memento;
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
            [0xd98a_735a_26f0_2cf7, 0xb603_16c9_860f_389e]
        );
    }

    #[test]
    fn histories_move_no_more_than_they_must() {
        changes::check_histories(|members| Box::new(Memento::new(members)));
    }

    #[test]
    fn without_gaps_it_is_jump() {
        let before = Memento::new(Members::first(9));
        let after = before.with(Member::new(NodeId(9))).without(NodeId(9));
        for hash in changes::hashes(1000) {
            assert_eq!(before.find(hash).0, jump(hash, 9));
            assert_eq!(after.locate(hash), before.locate(hash));
        }
    }

    #[test]
    fn look_ups_find_what_stored_sets_would() {
        let mut memento = Memento::new(Members::first(64));
        let mut sets = changes::Sets::new(64);
        for bucket in changes::leavers(64, 50) {
            memento.leave(NodeId(u32::try_from(bucket).expect("small")));
            sets.remove(bucket);
            for hash in changes::hashes(200) {
                assert_eq!(memento.find(hash).0, sets.find(jump(hash, 64), hash));
            }
        }
    }

    #[test]
    fn who_left_last_gets_its_keys_back() {
        for node in [0, 4, 9].map(NodeId) {
            let before = Memento::new(Members::first(10)).without(NodeId(7));
            let back = before.without(node).with(Member::new(node));
            for hash in changes::hashes(1000) {
                assert_eq!(back.locate(hash), before.locate(hash));
                assert_eq!(back.owner(hash), before.owner(hash));
            }
        }
    }

    #[test]
    fn the_last_member_owns_everything_in_whatever_order_they_left() {
        for leavers in [[0, 1, 2, 3], [4, 3, 2, 1], [2, 4, 0, 3], [1, 0, 4, 2]] {
            let mut memento = Memento::new(Members::first(5));
            for node in leavers.map(NodeId) {
                memento.members = memento.members.without(node);
                memento.leave(node);
            }
            let last = memento.members[0].node;
            assert!(changes::hashes(1000).all(|hash| memento.owner(hash) == last));
        }
    }

    #[test]
    fn keys_stay_balanced_when_most_have_left() {
        let all = Memento::new(Members::first(100));
        changes::check_balance_after_leaves(Box::new(all));
    }
}
