//! The nodes that a placement places keys on.

use crate::id::NodeId;

/// A node as a placement knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its number.
    pub node: NodeId,
    /// Its part of the keys, relative to the others: 1 to [`MAX_WEIGHT`]. The usual weight is 1.
    pub weight: u32,
}

/// The largest weight that a member can have.
pub const MAX_WEIGHT: u32 = 100;

impl Member {
    /// A node of weight 1.
    #[must_use]
    pub fn new(node: NodeId) -> Self {
        Self { node, weight: 1 }
    }
}

/// At least one member, by ascending number, each number once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members(Vec<Member>);

impl Members {
    /// These members, in any order.
    ///
    /// # Panics
    /// If there are none, if two have the same number, or if a weight is out of bounds.
    #[must_use]
    pub fn new(mut members: Vec<Member>) -> Self {
        assert!(!members.is_empty(), "a placement needs a node");
        members.sort_unstable_by_key(|member| member.node);
        for (member, next) in members.iter().zip(&members[1..]) {
            assert!(member.node < next.node, "node {} is there twice", next.node);
        }
        for member in &members {
            let in_bounds = (1..=MAX_WEIGHT).contains(&member.weight);
            assert!(in_bounds, "a weight lies between 1 and {MAX_WEIGHT}");
        }
        Self(members)
    }

    /// The nodes 0 to `count` - 1, each of weight 1.
    #[must_use]
    pub fn first(count: u32) -> Self {
        Self::new((0..count).map(NodeId).map(Member::new).collect())
    }

    /// These and one more.
    #[must_use]
    pub fn with(&self, member: Member) -> Self {
        let members = self.0.iter().copied().chain([member]);
        Self::new(members.collect())
    }

    /// These without one; all of them if the node is not a member.
    #[must_use]
    pub fn without(&self, node: NodeId) -> Self {
        let members = self.0.iter().filter(|member| member.node != node);
        Self::new(members.copied().collect())
    }

    /// The index of a member. Cost: O(log n).
    ///
    /// # Panics
    /// If the node is not a member.
    #[must_use]
    pub fn index_of(&self, node: NodeId) -> usize {
        let found = self.0.binary_search_by_key(&node, |member| member.node);
        found.expect("a member")
    }

    /// The sum of all weights.
    #[must_use]
    pub fn total_weight(&self) -> u64 {
        self.0.iter().map(|member| u64::from(member.weight)).sum()
    }

    /// The part of the keys that each member should have by its weight; the sum is 1.
    pub fn fair_shares(&self) -> impl Iterator<Item = f64> + '_ {
        let total = self.total_weight() as f64;
        self.0
            .iter()
            .map(move |member| f64::from(member.weight) / total)
    }
}

impl std::ops::Deref for Members {
    type Target = [Member];

    fn deref(&self) -> &[Member] {
        &self.0
    }
}
