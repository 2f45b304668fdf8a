//! Anchor: a fixed set of buckets, some of them in use.
//!
//! A key is hashed onto all buckets. If it falls on one that is not in use, it is hashed again onto
//! the buckets that were in use just after that one was removed, and so on: each time onto fewer,
//! until one is in use.
//!
//! The set of buckets after a removal need not be stored. The buckets in use are a list, and on a
//! removal its last bucket replaces the removed one. So the set after a removal is a prefix of the
//! list as it was then; where a bucket of that prefix has been removed since or before, a link leads
//! to the one that replaced it. A join uses the bucket that was removed last.
//!
//! Mendelson, Vargaftik, Barabash, Lorenz, Keslassy and Orda, "`AnchorHash`: A Scalable Consistent
//! Hash", IEEE/ACM Transactions on Networking 29(2), 2021. The paper's arrays A and K, which
//! look-ups read, are in one here; W and L serve joins and leaves.
//!
//! Measured with a million keys and n = 3/10/100/1000 nodes, at twice as many buckets (8 for 3): a
//! look-up takes 9 ns at any n, about 1 + ln(buckets / n) steps; max/mean is 1.003/1.002/1.023/1.12,
//! which is chance alone. A join moves .0907 of the keys at n = 10 (the optimum is .0909), a leave
//! the leaver's share exactly, evenly to all others; with three copies a join moves 1.06 times the
//! optimum. It takes 20 bytes a bucket.
//!
//! The paper's capacity is fixed. Here a join that finds all buckets in use doubles them, which moves
//! half of the keys, once: give [`Anchor::with_capacity`] the size to which the cluster may grow.
//! Which bucket a node has depends on the order of joins and leaves, not on the members alone: a node
//! gets its own keys back only if it is the last that left.

use super::rehash::{remix, scale, scatter};
use super::{Location, Member, Members, Placement, PlacementKind};
use crate::hash::rapidhash;
use crate::id::NodeId;

/// The fewest buckets that [`Anchor::new`] makes. A look-up among three nodes takes 7 ns with 6
/// buckets, 8.5 ns with 8 and 10.5 ns with 16.
const LEAST: u32 = 8;

/// `AnchorHash` of rapidhash. Further owners are those of re-mixed hashes.
#[derive(Clone, Debug)]
pub struct Anchor {
    members: Members,
    buckets: Vec<Bucket>,
    /// The buckets in use, then the tail of the list as it was when more were in use (W).
    used: Vec<u32>,
    /// The index of each bucket in `used` (L).
    indices: Vec<u32>,
    /// The buckets that are not in use, in the order of their removal (R).
    out: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// How many were in use just after its removal; 0: it is in use (A).
    left: u32,
    /// While it is in use, the number of its node; else the bucket that replaced it (K).
    link: u32,
}

impl Anchor {
    /// A placement on these nodes, with room for as many again and at least 8 in all. Weights
    /// are ignored.
    #[must_use]
    pub fn new(members: Members) -> Self {
        let count = number(members.len());
        Self::with_capacity(members, count.saturating_mul(2).max(LEAST))
    }

    /// A placement on these nodes which can grow to `capacity` of them before it must be rebuilt,
    /// or to as many as there are if that is more. It takes 20 bytes for each.
    #[must_use]
    pub fn with_capacity(members: Members, capacity: u32) -> Self {
        let nodes: Vec<NodeId> = members.iter().map(|member| member.node).collect();
        let capacity = capacity.max(number(nodes.len()));
        Self::spread(members, &nodes, capacity, 1)
    }

    /// How many nodes it can have before it must be rebuilt.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.buckets.len()
    }

    /// These nodes in every `stride`-th bucket, from the first on; the others are removed, the last
    /// bucket first.
    fn spread(members: Members, nodes: &[NodeId], capacity: u32, stride: usize) -> Self {
        let idle = Bucket { left: 0, link: 0 };
        let mut anchor = Self {
            members,
            buckets: vec![idle; capacity as usize],
            used: (0..capacity).collect(),
            indices: (0..capacity).collect(),
            out: Vec::with_capacity(capacity as usize - nodes.len()),
        };
        for bucket in (0..capacity).rev() {
            let at = bucket as usize;
            match nodes.get(at / stride) {
                Some(node) if at.is_multiple_of(stride) => anchor.buckets[at].link = node.0,
                _ => anchor.remove(bucket),
            }
        }
        anchor
    }

    /// The same nodes with twice as many buckets, of which every other one is in use. A hash of
    /// bucket b now falls on 2b or on 2b + 1, and 2b has b's node.
    fn grown(&self) -> Self {
        let node = |bucket: &Bucket| NodeId(bucket.link);
        let nodes: Vec<NodeId> = self.buckets.iter().map(node).collect();
        let capacity = number(self.buckets.len() * 2);
        Self::spread(self.members.clone(), &nodes, capacity, 2)
    }

    /// The bucket in use that this hash ends on.
    #[inline]
    fn find(&self, mut hash: u64) -> usize {
        let mut bucket = scale(hash, self.buckets.len());
        loop {
            let left = self.buckets[bucket].left;
            if left == 0 {
                return bucket;
            }
            hash = remix(hash);
            bucket = scale(hash, left as usize);
            while self.buckets[bucket].left >= left {
                bucket = self.buckets[bucket].link as usize;
            }
        }
    }

    /// Takes a bucket out of use.
    fn remove(&mut self, bucket: u32) {
        self.out.push(bucket);
        let left = self.buckets.len() - self.out.len();
        let (last, index) = (self.used[left], self.indices[bucket as usize]);
        self.used[index as usize] = last;
        self.indices[last as usize] = index;
        self.buckets[bucket as usize] = Bucket {
            left: number(left),
            link: last,
        };
    }

    /// Gives a node the bucket that was removed last.
    fn join(&mut self, node: NodeId) {
        if self.out.is_empty() {
            *self = self.grown();
        }
        let used = self.buckets.len() - self.out.len();
        let bucket = self.out.pop().expect("a bucket is free");
        self.indices[self.used[used] as usize] = number(used);
        self.used[self.indices[bucket as usize] as usize] = bucket;
        self.buckets[bucket as usize] = Bucket {
            left: 0,
            link: node.0,
        };
    }

    fn leave(&mut self, node: NodeId) {
        let in_use = &self.used[..self.buckets.len() - self.out.len()];
        let has_node = |bucket: &&u32| self.buckets[**bucket as usize].link == node.0;
        let bucket = in_use.iter().find(has_node);
        self.remove(*bucket.expect("the node is a member"));
    }
}

/// A count of buckets, which fits 32 bits.
fn number(count: usize) -> u32 {
    u32::try_from(count).expect("buckets are numbered in 32 bits")
}

impl Placement for Anchor {
    fn kind(&self) -> Option<PlacementKind> {
        Some(PlacementKind::Anchor)
    }

    fn members(&self) -> &Members {
        &self.members
    }

    fn hash(&self, key: &[u8]) -> u64 {
        rapidhash(key)
    }

    #[inline]
    fn owner(&self, hash: u64) -> NodeId {
        NodeId(self.buckets[self.find(hash)].link)
    }

    fn owners(&self, hash: u64, count: usize, owners: &mut Vec<NodeId>) {
        scatter(&self.members, hash, count, owners, |hash| self.owner(hash));
    }

    fn locate(&self, hash: u64) -> Location {
        Location::Bucket(self.find(hash) as u64)
    }

    fn bytes(&self) -> usize {
        let numbers = self.used.capacity() + self.indices.capacity() + self.out.capacity();
        size_of_val(&self.members[..])
            + self.buckets.capacity() * size_of::<Bucket>()
            + numbers * size_of::<u32>()
    }

    fn with(&self, member: Member) -> Box<dyn Placement> {
        let mut after = self.clone();
        after.join(member.node);
        after.members = self.members.with(member);
        Box::new(after)
    }

    fn without(&self, node: NodeId) -> Box<dyn Placement> {
        let mut after = self.clone();
        after.leave(node);
        after.members = self.members.without(node);
        Box::new(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::{changes, golden};

    #[test]
    fn the_owners_are_fixed() {
        let kind = PlacementKind::Anchor;
        assert_eq!(
            golden::owners(kind, 3),
            "021 201 102 201 120 201 102 021 021 021 012 021"
        );
        assert_eq!(
            golden::owners(kind, 5),
            "013 320 102 320 341 301 210 430 140 032 132 021"
        );
        assert_eq!(
            golden::owners(kind, 10),
            "026 752 214 756 783 601 420 976 281 164 265 152"
        );
        assert_eq!(
            golden::checksums(kind),
            [0x0d54_9086_787f_86f4, 0x6346_7a99_35a4_6cb4]
        );
    }

    #[test]
    fn histories_move_no_more_than_they_must() {
        changes::check_histories(|members| Box::new(Anchor::with_capacity(members, 64)));
    }

    #[test]
    fn look_ups_find_what_stored_sets_would() {
        let mut anchor = Anchor::with_capacity(Members::first(60), 64);
        let mut sets = changes::Sets::new(64);
        for bucket in (60..64).rev() {
            sets.remove(bucket);
        }
        for bucket in changes::leavers(60, 50) {
            anchor.leave(NodeId(number(bucket)));
            sets.remove(bucket);
            for hash in changes::hashes(200) {
                assert_eq!(anchor.find(hash), sets.find(scale(hash, 64), hash));
            }
        }
    }

    #[test]
    fn who_left_last_gets_its_keys_back() {
        for node in [0, 4, 9].map(NodeId) {
            let before = Anchor::new(Members::first(10)).without(NodeId(7));
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
            let mut anchor = Anchor::new(Members::first(5));
            for node in leavers.map(NodeId) {
                anchor.members = anchor.members.without(node);
                anchor.leave(node);
            }
            let last = anchor.members[0].node;
            assert!(changes::hashes(1000).all(|hash| anchor.owner(hash) == last));
        }
    }

    #[test]
    fn capacity_is_twice_the_members_or_what_is_asked() {
        assert_eq!(Anchor::new(Members::first(1)).capacity(), 8);
        assert_eq!(Anchor::new(Members::first(10)).capacity(), 20);
        let capacity = |asked| Anchor::with_capacity(Members::first(10), asked).capacity();
        assert_eq!([capacity(0), capacity(10), capacity(11)], [10, 10, 11]);
    }

    #[test]
    fn a_full_anchor_grows_and_half_of_the_keys_move() {
        let before = Anchor::with_capacity(Members::first(10), 10);
        let mut after = before.clone();
        after.join(NodeId(10));
        assert_eq!(after.capacity(), 20);
        let differs = |hash: &u64| before.owner(*hash) != after.owner(*hash);
        let moved = changes::hashes(10_000).filter(differs).count();
        assert!((4300..4800).contains(&moved), "{moved} of 10000");
        let mut loads = [0; 11];
        for hash in changes::hashes(11_000) {
            loads[after.owner(hash).0 as usize] += 1;
        }
        assert!(loads.iter().all(|it| (880..1120).contains(it)), "{loads:?}");
    }

    #[test]
    fn keys_stay_balanced_when_most_have_left() {
        let all = Anchor::new(Members::first(100));
        changes::check_balance_after_leaves(Box::new(all));
    }
}
