//! The nodes of a cluster, by number.

use std::fmt;
use std::ops::{Index, IndexMut};

use crate::id::NodeId;
use crate::network::Envelope;
use crate::node::Node;
use crate::replica::{Message, Replica};
use crate::stats::Stats;
use crate::time::Instant;

/// What a node is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// It serves.
    #[default]
    Up,
    /// It has lost its memory and answers nobody.
    Crashed,
    /// It stands still; what is sent to it waits.
    Paused,
    /// It is back, and merges what its peers have before it serves.
    Syncing,
    /// It goes when its last key has moved.
    Leaving,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::Crashed => "crashed",
            Self::Paused => "paused",
            Self::Syncing => "syncing",
            Self::Leaving => "leaving",
        })
    }
}

/// A node, and what the cluster knows of it.
pub struct Seat {
    pub replica: Replica,
    pub crashed: bool,
    pub paused: bool,
    /// When it next acts by itself, as of the last time that it did anything.
    pub due: Option<Instant>,
    /// What came while it was paused.
    pub inbox: Vec<Envelope<Message>>,
}

impl Seat {
    /// What it holds and has counted. One that has crashed holds nothing.
    pub fn stats(&self) -> Stats {
        let counts = self.replica.node.counts();
        if self.crashed {
            return Stats {
                keys: 0,
                bytes: 0,
                ..counts
            };
        }
        counts
    }

    /// Whether it serves, waits for nothing, and has the right time.
    pub fn is_calm(&self) -> bool {
        let replica = &self.replica;
        self.runs() && replica.is_serving() && replica.is_idle() && replica.skew() == 0
    }

    /// Whether it acts at all.
    pub fn runs(&self) -> bool {
        !self.crashed && !self.paused
    }
}

/// Nodes by their numbers. A number is never used again, so the places of nodes that have left stay
/// empty.
#[derive(Default)]
pub struct Nodes(Vec<Option<Seat>>);

impl Nodes {
    /// The number that the next node to come gets.
    pub fn next_id(&self) -> NodeId {
        NodeId(u32::try_from(self.0.len()).unwrap_or(u32::MAX))
    }

    /// Adds the node with the next number.
    pub fn push(&mut self, node: Node) {
        debug_assert_eq!(node.id(), self.next_id(), "the next number");
        self.0.push(Some(Seat {
            replica: Replica::new(node),
            crashed: false,
            paused: false,
            due: None,
            inbox: Vec::new(),
        }));
    }

    /// Takes a node out for good.
    pub fn remove(&mut self, id: NodeId) -> Option<Node> {
        let seat = self.0.get_mut(id.0 as usize)?.take()?;
        Some(seat.replica.node)
    }

    /// The node with this number.
    pub fn get(&self, id: NodeId) -> Option<&Node> {
        self.seat(id).map(|seat| &seat.replica.node)
    }

    /// The node with this number.
    pub fn seat(&self, id: NodeId) -> Option<&Seat> {
        self.0.get(id.0 as usize)?.as_ref()
    }

    /// Two different nodes at once.
    ///
    /// # Panics
    /// If they are the same, or one is not there.
    pub fn pair(&mut self, one: NodeId, other: NodeId) -> (&mut Node, &mut Node) {
        let places = [one, other].map(|id| id.0 as usize);
        let pair = self.0.get_disjoint_mut(places).expect("two nodes");
        let seats = pair.map(|seat| seat.as_mut().expect("a node of the cluster"));
        let [one, other] = seats.map(|seat| &mut seat.replica.node);
        (one, other)
    }

    /// The node with this number.
    pub fn seat_mut(&mut self, id: NodeId) -> Option<&mut Seat> {
        self.0.get_mut(id.0 as usize)?.as_mut()
    }

    /// All nodes, by ascending number.
    pub fn seats(&self) -> impl Iterator<Item = &Seat> {
        self.0.iter().flatten()
    }

    /// All nodes, by ascending number.
    pub fn seats_mut(&mut self) -> impl Iterator<Item = &mut Seat> {
        self.0.iter_mut().flatten()
    }

    /// All nodes, by ascending number.
    pub fn iter(&self) -> impl Iterator<Item = &Node> {
        self.seats().map(|seat| &seat.replica.node)
    }

    /// All nodes, by ascending number.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        self.seats_mut().map(|seat| &mut seat.replica.node)
    }
}

impl Index<NodeId> for Nodes {
    type Output = Node;

    #[inline]
    fn index(&self, id: NodeId) -> &Node {
        let seat = self.0[id.0 as usize].as_ref();
        &seat.expect("a node of the cluster").replica.node
    }
}

impl IndexMut<NodeId> for Nodes {
    #[inline]
    fn index_mut(&mut self, id: NodeId) -> &mut Node {
        let seat = self.0[id.0 as usize].as_mut();
        &mut seat.expect("a node of the cluster").replica.node
    }
}
