//! The owners of a key, and how many of them are enough.
//!
//! While a key moves, it has new owners and the owners from before. A request needs a quorum of
//! both, so that a node that knows only the old owners and one that knows only the new ones
//! intersect. Source: Ongaro, Ousterhout, "In Search of an Understandable Consensus Algorithm",
//! USENIX ATC 2014, section 6 (joint consensus).

use std::ops::Deref;

use smallvec::SmallVec;

use super::Rules;
use crate::id::NodeId;

/// A set of owners of one key, by their index among the owners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OwnerSet(u64);

impl OwnerSet {
    fn first(count: usize) -> Self {
        Self((1 << count) - 1)
    }

    pub(super) fn add(&mut self, index: usize) {
        self.0 |= 1 << index;
    }

    pub(super) fn remove(&mut self, index: usize) {
        self.0 &= !(1 << index);
    }

    pub(super) fn has(self, index: usize) -> bool {
        self.0 >> index & 1 == 1
    }

    pub(super) fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// How many owners are enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quorum {
    /// W.
    Write,
    /// R.
    Read,
    /// As many as intersect every read quorum.
    Intersecting,
    /// All.
    All,
}

impl Quorum {
    fn of(self, count: usize, rules: &Rules<'_>) -> usize {
        let read = rules.read_quorum.min(count);
        match self {
            Self::Write => rules.write_quorum.min(count),
            Self::Read => read,
            Self::Intersecting => count - read + 1,
            Self::All => count,
        }
    }
}

/// The owners of a key: the present ones, primary first, and then those from before a move that
/// is not over. It can be read as a list of nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners {
    nodes: SmallVec<[NodeId; 4]>,
    /// How many of them are present owners.
    present: usize,
    /// The owners before the move, if the key moves.
    before: Option<OwnerSet>,
}

impl Deref for Owners {
    type Target = [NodeId];

    fn deref(&self) -> &[NodeId] {
        &self.nodes
    }
}

impl Owners {
    /// The owners of a key that does not move.
    pub(super) fn new(nodes: SmallVec<[NodeId; 4]>) -> Self {
        Self {
            present: nodes.len(),
            before: None,
            nodes,
        }
    }

    /// The owners of a key that had other ones before.
    pub(super) fn moving(nodes: SmallVec<[NodeId; 4]>, before: &[NodeId]) -> Self {
        let mut owners = Self::new(nodes);
        let mut set = OwnerSet::default();
        for &node in before {
            set.add(owners.index_of(node).unwrap_or(owners.len()));
            if !owners.contains(&node) {
                owners.nodes.push(node);
            }
        }
        owners.before = Some(set);
        owners
    }

    /// The present owners, primary first.
    #[must_use]
    pub fn present(&self) -> &[NodeId] {
        &self.nodes[..self.present]
    }

    pub(super) fn index_of(&self, node: NodeId) -> Option<usize> {
        self.iter().position(|&owner| owner == node)
    }

    pub(super) fn all(&self) -> OwnerSet {
        OwnerSet::first(self.len())
    }

    /// The nodes in a set.
    pub(super) fn nodes(&self, set: OwnerSet) -> Vec<NodeId> {
        let owners = self.iter().enumerate();
        let chosen = owners.filter(|(index, _)| set.has(*index));
        chosen.map(|(_, &node)| node).collect()
    }

    /// The first owner that is not in a set.
    pub(super) fn first_not_in(&self, set: OwnerSet) -> Option<usize> {
        (0..self.len()).find(|&index| !set.has(index))
    }

    /// The groups of owners. Each needs its own quorum.
    fn groups(&self) -> impl Iterator<Item = OwnerSet> {
        [Some(OwnerSet::first(self.present)), self.before]
            .into_iter()
            .flatten()
    }

    /// Whether a set is enough.
    pub(super) fn suffice(&self, set: OwnerSet, quorum: Quorum, rules: &Rules<'_>) -> bool {
        self.groups()
            .all(|group| set.intersection(group).len() >= quorum.of(group.len(), rules))
    }

    /// Whether a quorum still needs the owner at `index` besides a set.
    pub(super) fn still_needs(
        &self,
        index: usize,
        besides: OwnerSet,
        quorum: Quorum,
        rules: &Rules<'_>,
    ) -> bool {
        self.groups().any(|group| {
            let has = besides.intersection(group).len();
            group.has(index) && has < quorum.of(group.len(), rules)
        })
    }

    /// The group of which a set has too few, and how many it needs. If it has enough of each, the
    /// group of the present owners.
    pub(super) fn short_of(
        &self,
        set: OwnerSet,
        quorum: Quorum,
        rules: &Rules<'_>,
    ) -> (OwnerSet, usize) {
        let needed = |group: OwnerSet| quorum.of(group.len(), rules);
        let short = self
            .groups()
            .find(|group| set.intersection(*group).len() < needed(*group));
        let group = short.unwrap_or_else(|| OwnerSet::first(self.present));
        (group, needed(group))
    }

    /// Whether a group is that of the owners before the move, and not that of the present ones.
    pub(super) fn is_before(&self, group: OwnerSet) -> bool {
        group != OwnerSet::first(self.present)
    }

    /// The same nodes as a set of other owners. Nodes that do not own the key there are left out.
    pub(super) fn translate(&self, set: OwnerSet, to: &Self) -> OwnerSet {
        let mut translated = OwnerSet::default();
        let nodes = self.nodes(set).into_iter();
        for index in nodes.filter_map(|node| to.index_of(node)) {
            translated.add(index);
        }
        translated
    }

    /// The minimum over groups of the number of matching nodes.
    pub fn min_per_group(&self, mut satisfies: impl FnMut(NodeId) -> bool) -> usize {
        let mut set = OwnerSet::default();
        for (index, &node) in self.nodes.iter().enumerate() {
            if satisfies(node) {
                set.add(index);
            }
        }
        let counts = self.groups().map(|group| set.intersection(group).len());
        counts.min().unwrap_or(0)
    }
}
