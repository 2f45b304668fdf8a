//! The owners of a key, and how many of them are enough.
//!
//! While a key moves, it has the owners that it is to have and those that it had before, and what
//! is asked or told needs enough of both: whoever goes by the old owners meets whoever goes by the new
//! ones. Source: Ongaro, Ousterhout, "In Search of an Understandable Consensus Algorithm", USENIX ATC
//! 2014, section 6 (joint consensus).

use std::ops::Deref;

use smallvec::SmallVec;

use super::Rules;
use crate::id::NodeId;

/// A set of owners of one key, by their places among the owners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Places(u64);

impl Places {
    fn first(count: usize) -> Self {
        Self((1 << count) - 1)
    }

    pub fn add(&mut self, place: usize) {
        self.0 |= 1 << place;
    }

    pub fn remove(&mut self, place: usize) {
        self.0 &= !(1 << place);
    }

    pub fn has(self, place: usize) -> bool {
        self.0 >> place & 1 == 1
    }

    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    fn within(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// How many owners are enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quorum {
    /// W.
    Write,
    /// R.
    Read,
    /// So many that every later read meets one of them.
    Meeting,
    /// All.
    All,
}

impl Quorum {
    fn of(self, count: usize, rules: &Rules<'_>) -> usize {
        let read = rules.read_quorum.min(count);
        match self {
            Self::Write => rules.write_quorum.min(count),
            Self::Read => read,
            Self::Meeting => count - read + 1,
            Self::All => count,
        }
    }
}

/// The owners of a key: those that it is to have, primary first, and then those that it had before,
/// if it moves. It can be read as a list of nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners {
    nodes: SmallVec<[NodeId; 4]>,
    /// How many of them are those that it is to have.
    present: usize,
    /// Those that it had before, if it moves.
    before: Option<Places>,
}

impl Deref for Owners {
    type Target = [NodeId];

    fn deref(&self) -> &[NodeId] {
        &self.nodes
    }
}

impl Owners {
    /// These nodes.
    pub(super) fn new(nodes: SmallVec<[NodeId; 4]>) -> Self {
        Self {
            present: nodes.len(),
            before: None,
            nodes,
        }
    }

    /// These nodes, for a key that had other ones before.
    pub(super) fn moving(nodes: SmallVec<[NodeId; 4]>, before: &[NodeId]) -> Self {
        let mut owners = Self::new(nodes);
        let mut places = Places::default();
        for &node in before {
            places.add(owners.place_of(node).unwrap_or(owners.len()));
            if !owners.contains(&node) {
                owners.nodes.push(node);
            }
        }
        owners.before = Some(places);
        owners
    }

    /// The owners that the key is to have, primary first.
    #[must_use]
    pub fn present(&self) -> &[NodeId] {
        &self.nodes[..self.present]
    }

    pub(super) fn place_of(&self, node: NodeId) -> Option<usize> {
        self.iter().position(|&owner| owner == node)
    }

    pub(super) fn all(&self) -> Places {
        Places::first(self.len())
    }

    /// The nodes at these places.
    pub(super) fn at(&self, places: Places) -> Vec<NodeId> {
        let owners = self.iter().enumerate();
        let chosen = owners.filter(|(place, _)| places.has(*place));
        chosen.map(|(_, &node)| node).collect()
    }

    /// The first place that is not among these.
    pub(super) fn first_beside(&self, places: Places) -> Option<usize> {
        (0..self.len()).find(|&place| !places.has(place))
    }

    /// Those that have to agree among themselves.
    fn groups(&self) -> impl Iterator<Item = Places> {
        [Some(Places::first(self.present)), self.before]
            .into_iter()
            .flatten()
    }

    /// Whether these are enough.
    pub(super) fn suffice(&self, places: Places, quorum: Quorum, rules: &Rules<'_>) -> bool {
        self.groups()
            .all(|group| places.within(group).len() >= quorum.of(group.len(), rules))
    }

    /// Whether one at this place is still needed beside these.
    pub(super) fn wants(
        &self,
        place: usize,
        beside: Places,
        quorum: Quorum,
        rules: &Rules<'_>,
    ) -> bool {
        self.groups().any(|group| {
            group.has(place) && beside.within(group).len() < quorum.of(group.len(), rules)
        })
    }

    /// The owners of whom there are too few, and how many are needed of them; if there are enough, those
    /// that the key is to have.
    pub(super) fn short_of(
        &self,
        places: Places,
        quorum: Quorum,
        rules: &Rules<'_>,
    ) -> (Places, usize) {
        let needed = |group: Places| quorum.of(group.len(), rules);
        let short = self
            .groups()
            .find(|group| places.within(*group).len() < needed(*group));
        let group = short.unwrap_or_else(|| Places::first(self.present));
        (group, needed(group))
    }

    /// Whether these are the owners that the key had before, and not those that it is to have.
    pub(super) fn are_before(&self, group: Places) -> bool {
        group != Places::first(self.present)
    }

    /// The same owners as places among others; those that are none there are left out.
    pub(super) fn translate(&self, places: Places, to: &Self) -> Places {
        let mut translated = Places::default();
        let nodes = self.at(places).into_iter();
        for place in nodes.filter_map(|node| to.place_of(node)) {
            translated.add(place);
        }
        translated
    }

    /// Of each of the two groups how many nodes satisfy this, whichever are fewer.
    pub fn fewest(&self, mut satisfies: impl FnMut(NodeId) -> bool) -> usize {
        let mut places = Places::default();
        for (place, &node) in self.nodes.iter().enumerate() {
            if satisfies(node) {
                places.add(place);
            }
        }
        let counts = self.groups().map(|group| places.within(group).len());
        counts.min().unwrap_or(0)
    }
}
