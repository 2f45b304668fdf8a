//! Messages on their way, and between whom.

use std::fmt;

use crate::id::NodeId;
use crate::time::Instant;

/// One end of a link. Its text is `client` or the node's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// The prompt, from which every node can always be reached.
    Client,
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
            Self::Client => f.pad("client"),
            Self::Node(node) => node.fmt(f),
        }
    }
}

/// A message with what the network knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope<M> {
    /// Who sent it.
    pub from: Endpoint,
    /// Whom it is for.
    pub to: Endpoint,
    /// When it was sent; a timer's is the moment for which it was set.
    pub sent: Instant,
    /// When it arrives; while it is held, when it was sent.
    pub arrives: Instant,
    /// Its place among those that arrive at the same instant: the order of being put in flight,
    /// counted from 0, different for each. One that was held gets a new number when it is
    /// released.
    pub sequence: u64,
    /// What it says.
    pub message: M,
}

impl<M> Envelope<M> {
    /// By which messages are delivered.
    pub(super) fn key(&self) -> (Instant, u64) {
        (self.arrives, self.sequence)
    }

    /// Whether it crosses a link, and so can be touched by faults.
    #[inline]
    pub(super) fn travels(&self) -> bool {
        self.from != self.to
    }

    /// Whether it is from or to this node.
    pub(super) fn concerns(&self, node: NodeId) -> bool {
        [self.from, self.to].contains(&Endpoint::Node(node))
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
