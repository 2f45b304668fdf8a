//! Points on a ring, and the search for the first point at or after a hash.
//!
//! The points lie in one sorted array. Hashes are uniform, so the upper bits of a hash nearly give
//! its position in the array: a table with 2 to 4 entries a point holds, for each value of these
//! bits, the first point at or after them. From there, two comparisons without a branch find the
//! point; few look-ups need more, in single steps. The array ends with copies of the first point at
//! the highest position, so that a search never wraps around.
//!
//! A look-up costs two or three accesses to memory for any number of points. A binary search
//! (measured: 9/10/18/45 ns at 480/1,600/16,000/160,000 points, where this takes 2 to 6) is slower
//! because the processor mispredicts every second branch. Points cost 12 bytes each and the table 8
//! to 16.
//!
//! Source of the idea: a radix table over a sorted array, as in Kipf et al., "`RadixSpline`: a
//! Single-Pass Learned Index", aiDM 2020, without the learned part.
//!
//! Caveat: points that are crowded into a corner of the ring need many steps. The points here are
//! uniform hashes.

use super::Members;
use crate::id::NodeId;

/// How many copies of the first point follow the last: as many as a look-up compares at once.
const COPIES: usize = 2;

/// Points of nodes on a ring of 2^64 positions.
#[derive(Clone, Debug)]
pub(super) struct Points {
    /// Ascending, then the copies.
    positions: Vec<u64>,
    /// The node of each position.
    nodes: Vec<NodeId>,
    /// For each value of a hash's upper bits, the index of the first point at or after them.
    starts: Vec<u32>,
    /// By how many bits a hash is shifted to leave these bits.
    shift: u32,
}

impl Points {
    /// These points, at least one and fewer than 2^32, in any order. Where two are at one position,
    /// the node with the lower number is the owner.
    pub(super) fn new(mut points: Vec<(u64, NodeId)>) -> Self {
        points.sort_unstable();
        let (_, first) = points[0];
        let copies = [(u64::MAX, first); COPIES];
        let slots = (points.len() * 2).next_power_of_two();
        let shift = u64::BITS - slots.trailing_zeros();
        let starts = starts(&points, slots, shift);
        let (positions, nodes) = points.into_iter().chain(copies).unzip();
        Self {
            positions,
            nodes,
            starts,
            shift,
        }
    }

    /// The index of the first point at or after this hash: that of its copy if the hash is past the
    /// last.
    #[inline]
    pub(super) fn index(&self, hash: u64) -> usize {
        let slot = usize::try_from(hash >> self.shift).unwrap_or(0);
        let start = self.starts[slot] as usize;
        let next = &self.positions[start..start + COPIES];
        let before = usize::from(next[0] < hash) + usize::from(next[1] < hash);
        let mut index = start + before;
        if before == COPIES {
            while self.positions[index] < hash {
                index += 1;
            }
        }
        index
    }

    /// The node of the first point at or after this hash.
    #[inline]
    pub(super) fn owner(&self, hash: u64) -> NodeId {
        self.nodes[self.index(hash)]
    }

    /// The position of the first point at or after this hash.
    pub(super) fn position(&self, hash: u64) -> u64 {
        let index = self.index(hash);
        self.positions[if index == self.len() { 0 } else { index }]
    }

    /// The nodes of all points, once around from the first at or after this hash.
    pub(super) fn clockwise(&self, hash: u64) -> impl Iterator<Item = NodeId> {
        let nodes = &self.nodes[..self.len()];
        let (before, after) = nodes.split_at(self.index(hash));
        after.iter().chain(before).copied()
    }

    /// Adds the next distinct nodes clockwise from this hash to `owners` until there are `count`.
    /// Members without a point come last, by number.
    pub(super) fn fill(
        &self,
        hash: u64,
        count: usize,
        members: &Members,
        owners: &mut Vec<NodeId>,
    ) {
        let rest = members.iter().map(|member| member.node);
        for node in self.clockwise(hash).chain(rest) {
            if owners.len() >= count {
                break;
            }
            if !owners.contains(&node) {
                owners.push(node);
            }
        }
    }

    /// The part of the ring that each member owns: the sum of the arcs that end at its points.
    pub(super) fn shares(&self, members: &Members) -> Vec<f64> {
        const RING: u128 = 1 << u64::BITS;
        let mut arcs = vec![0_u128; members.len()];
        let mut from = u128::from(self.positions[self.len() - 1]);
        for (&position, &node) in self.positions.iter().zip(&self.nodes[..self.len()]) {
            let to = RING + u128::from(position);
            arcs[members.index_of(node)] += to - from;
            from = to;
        }
        arcs.iter().map(|&arc| arc as f64 / RING as f64).collect()
    }

    /// Bytes of memory that the points and the table take.
    pub(super) fn bytes(&self) -> usize {
        let starts = self.starts.capacity() * size_of::<u32>();
        let positions = self.positions.capacity() * size_of::<u64>();
        starts + positions + self.nodes.capacity() * size_of::<NodeId>()
    }

    fn len(&self) -> usize {
        self.positions.len() - COPIES
    }
}

/// For each slot, the index of the first of the sorted points at or after its first hash.
fn starts(points: &[(u64, NodeId)], slots: usize, shift: u32) -> Vec<u32> {
    let mut index = 0;
    let mut start = |slot: u64| {
        while points.get(index).is_some_and(|it| it.0 >> shift < slot) {
            index += 1;
        }
        u32::try_from(index).expect("fewer than 2^32 points")
    };
    (0..slots as u64).map(&mut start).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    const A: NodeId = NodeId(0);
    const B: NodeId = NodeId(1);

    #[test]
    fn a_point_owns_the_hashes_up_to_itself() {
        let points = Points::new(vec![(2000, B), (1000, A)]);
        let owners = [0, 999, 1000, 1001, 2000].map(|hash| points.owner(hash));
        assert_eq!(owners, [A, A, A, B, B]);
    }

    #[test]
    fn after_the_last_point_comes_the_first() {
        let points = Points::new(vec![(1000, A), (2000, B)]);
        for hash in [2001, 1 << 40, u64::MAX] {
            assert_eq!(points.owner(hash), A);
            assert_eq!(points.position(hash), 1000);
            assert!(points.clockwise(hash).eq([A, B]));
        }
        let last = Points::new(vec![(1000, A), (u64::MAX, B)]);
        assert_eq!(last.owner(u64::MAX), B);
        assert_eq!(last.position(u64::MAX), u64::MAX);
    }

    #[test]
    fn one_point_owns_everything() {
        let members = Members::first(1);
        for position in [0, 5, u64::MAX] {
            let points = Points::new(vec![(position, A)]);
            for hash in [0, 4, 5, 6, u64::MAX] {
                assert_eq!(points.owner(hash), A);
                assert_eq!(points.position(hash), position);
            }
            assert_eq!(points.shares(&members), [1.0]);
        }
    }

    #[test]
    fn the_lower_number_wins_a_tie_and_the_other_is_next() {
        let points = Points::new(vec![(7, B), (7, A)]);
        assert_eq!(points.owner(7), A);
        assert!(points.clockwise(7).eq([A, B]));
        assert_eq!(points.shares(&Members::first(2)), [1.0, 0.0]);
    }

    #[test]
    fn a_member_without_a_point_comes_last() {
        let points = Points::new(vec![(7, B)]);
        let mut owners = Vec::new();
        points.fill(0, 2, &Members::first(2), &mut owners);
        assert_eq!(owners, [B, A]);
    }

    #[test]
    fn shares_are_exact() {
        let quarter = 1 << 62;
        let points = Points::new(vec![(quarter, A), (2 * quarter, B)]);
        assert_eq!(points.shares(&Members::first(2)), [0.75, 0.25]);
    }

    /// Points at random, crowded points, and hashes on, before and after each of them.
    #[test]
    fn the_table_finds_what_a_binary_search_finds() {
        let mut rng = Rng::new(3);
        for (count, width) in [(1, 64), (2, 64), (9, 64), (1000, 64), (1000, 8), (1000, 40)] {
            let mut position = || (rng.next_u64() >> (64 - width), NodeId(0));
            let points = Points::new((0..count).map(|_| position()).collect());
            let sorted = &points.positions[..count];
            for &at in sorted {
                for hash in [at.saturating_sub(1), at, at.saturating_add(1), at ^ 1 << 63] {
                    let index = sorted.partition_point(|&position| position < hash);
                    assert_eq!(points.index(hash), index, "{count} points, {hash}");
                }
            }
        }
    }
}
