//! Messages, and the endpoints between which they travel.

use std::fmt;

use crate::id::NodeId;
use crate::time::Instant;

/// What a network carries.
pub trait Payload: Clone {
    /// How many bytes of keys and values the message holds, for the bounds on waiting messages.
    fn bytes(&self) -> usize;
}

/// One end of a message's way. Its text is the node's number, `client` for client 0, and `client 3`
/// for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// A client, by its number. 0 is the prompt.
    Client(u32),
    /// A node.
    Node(NodeId),
}

impl From<NodeId> for Endpoint {
    fn from(node: NodeId) -> Self {
        Self::Node(node)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(0) => f.pad("client"),
            Self::Client(number) => f.pad(&format!("client {number}")),
            Self::Node(node) => node.fmt(f),
        }
    }
}

/// What a fault of the network is about: one node, or all clients. Its text is the node's number or
/// `clients`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// Every client, whatever its number.
    Clients,
    /// A node.
    Node(NodeId),
}

impl Party {
    /// The node, if it is one.
    #[must_use]
    pub fn node(self) -> Option<NodeId> {
        match self {
            Self::Clients => None,
            Self::Node(node) => Some(node),
        }
    }
}

impl From<NodeId> for Party {
    fn from(node: NodeId) -> Self {
        Self::Node(node)
    }
}

impl From<Endpoint> for Party {
    fn from(endpoint: Endpoint) -> Self {
        match endpoint {
            Endpoint::Client(_) => Self::Clients,
            Endpoint::Node(node) => Self::Node(node),
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clients => f.pad("clients"),
            Self::Node(node) => node.fmt(f),
        }
    }
}

/// A message on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope<M> {
    /// The sender.
    pub from: Endpoint,
    /// The destination.
    pub to: Endpoint,
    /// When it was sent.
    pub sent: Instant,
    /// When it arrives; while it is held, when it was sent; of a lost one, when it was lost.
    pub arrives: Instant,
    /// Its number: counted from 0, different for each copy. Of messages that arrive at the same
    /// instant, the one with the lower number is delivered first. A held message gets a new number
    /// when it is released.
    pub sequence: u64,
    /// The content.
    pub message: M,
}

impl<M> Envelope<M> {
    /// The order of delivery.
    pub(super) fn key(&self) -> (Instant, u64) {
        (self.arrives, self.sequence)
    }

    /// Whether it crosses a link, and so can meet faults.
    #[inline]
    pub(super) fn travels(&self) -> bool {
        self.from != self.to
    }

    /// Whether it is from or to this endpoint.
    pub(super) fn concerns(&self, end: Endpoint) -> bool {
        [self.from, self.to].contains(&end)
    }
}

/// A message that has been sent and not been delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InFlight<'a, M> {
    /// The message.
    pub envelope: &'a Envelope<M>,
    /// Whether it waits for its link to be released, and not for an instant.
    pub held: bool,
}
