//! The nodes of a cluster, by number.

use std::ops::{Index, IndexMut};

use crate::id::NodeId;
use crate::node::Node;

/// Nodes by their numbers. A number is never used again, so the places of nodes that have left stay
/// empty.
#[derive(Default)]
pub struct Nodes(Vec<Option<Node>>);

impl Nodes {
    /// The number that the next node to come gets.
    pub fn next_id(&self) -> NodeId {
        NodeId(u32::try_from(self.0.len()).unwrap_or(u32::MAX))
    }

    /// Adds the node with the next number.
    pub fn push(&mut self, node: Node) {
        debug_assert_eq!(node.id(), self.next_id(), "the next number");
        self.0.push(Some(node));
    }

    /// Takes a node out for good.
    pub fn remove(&mut self, id: NodeId) -> Option<Node> {
        self.0.get_mut(id.0 as usize)?.take()
    }

    /// The node with this number.
    pub fn get(&self, id: NodeId) -> Option<&Node> {
        self.0.get(id.0 as usize)?.as_ref()
    }

    /// Two different nodes at once.
    ///
    /// # Panics
    /// If they are the same, or one is not there.
    pub fn pair(&mut self, one: NodeId, other: NodeId) -> (&mut Node, &mut Node) {
        let places = [one, other].map(|id| id.0 as usize);
        let pair = self.0.get_disjoint_mut(places).expect("two nodes");
        let [one, other] = pair.map(|node| node.as_mut().expect("a node of the cluster"));
        (one, other)
    }

    /// All nodes, by ascending number.
    pub fn iter(&self) -> impl Iterator<Item = &Node> {
        self.0.iter().flatten()
    }

    /// All nodes, by ascending number.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        self.0.iter_mut().flatten()
    }
}

impl Index<NodeId> for Nodes {
    type Output = Node;

    #[inline]
    fn index(&self, id: NodeId) -> &Node {
        self.0[id.0 as usize]
            .as_ref()
            .expect("a node of the cluster")
    }
}

impl IndexMut<NodeId> for Nodes {
    #[inline]
    fn index_mut(&mut self, id: NodeId) -> &mut Node {
        self.0[id.0 as usize]
            .as_mut()
            .expect("a node of the cluster")
    }
}
