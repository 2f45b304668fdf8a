//! The nodes of a cluster, by number.

use std::fmt;
use std::ops::{Index, IndexMut};

use crate::config::Capacity;
use crate::id::NodeId;
use crate::network::{Envelope, Payload};
use crate::node::Node;
use crate::replica::{Message, Replica};
use crate::stats::Stats;

/// The most messages that wait for a paused node.
const MAX_INBOX: usize = 10_000;
/// The most bytes that they take.
const MAX_INBOX_BYTES: usize = 16 << 20;

/// The state of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// It serves.
    #[default]
    Up,
    /// It has lost its memory and refuses connections.
    Crashed,
    /// It does nothing; messages to it wait.
    Paused,
    /// It is back after a crash, and merges the records of its peers before it serves.
    Syncing,
    /// It leaves when its last key has moved.
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

/// The messages that wait for a paused node, within a bound.
#[derive(Clone, Default)]
pub(super) struct Inbox {
    messages: Vec<Envelope<Message>>,
    bytes: usize,
    /// How many messages the bound has dropped.
    pub dropped: u64,
}

impl Inbox {
    /// Adds a message; the bound drops it.
    pub(super) fn push(&mut self, envelope: Envelope<Message>) {
        let bytes = envelope.message.bytes();
        if self.messages.len() >= MAX_INBOX || self.bytes + bytes > MAX_INBOX_BYTES {
            self.dropped += 1;
            return;
        }
        self.bytes += bytes;
        self.messages.push(envelope);
    }

    /// The messages, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Envelope<Message>> {
        self.messages.iter()
    }

    /// Takes all messages out, and starts to count anew.
    pub(super) fn take(&mut self) -> Vec<Envelope<Message>> {
        std::mem::take(self).messages
    }
}

/// A node, and what the cluster knows about it.
#[derive(Clone)]
pub(super) struct HostedNode {
    pub replica: Replica,
    /// Its own capacity; `None`: that of the config.
    pub capacity: Option<Capacity>,
    pub crashed: bool,
    pub paused: bool,
    /// Whether it must come back empty, since a peer has forgotten a delete that it lacks.
    pub is_stale: bool,
    /// The messages that came while it was paused.
    pub inbox: Inbox,
}

impl HostedNode {
    /// The contents and counts. A crashed node holds nothing.
    pub(super) fn stats(&self) -> Stats {
        let stats = self.replica.node.stats();
        if self.crashed {
            return Stats {
                keys: 0,
                bytes: 0,
                ..stats
            };
        }
        stats
    }

    /// Whether it serves, waits for nothing, and its clock is right.
    pub(super) fn is_undisturbed(&self) -> bool {
        self.rests() && self.replica.skew() == 0
    }

    /// Whether it serves and waits for nothing.
    pub(super) fn rests(&self) -> bool {
        self.runs() && self.replica.is_serving() && self.replica.is_idle()
    }

    /// Whether it acts at all.
    pub(super) fn runs(&self) -> bool {
        !self.crashed && !self.paused
    }
}

/// Nodes by their numbers. A number is never used again, so the places of nodes that have left stay
/// empty.
#[derive(Clone, Default)]
pub(super) struct Nodes(Vec<Option<HostedNode>>);

impl Nodes {
    /// The number of the next node.
    pub(super) fn next_id(&self) -> NodeId {
        NodeId(u32::try_from(self.0.len()).unwrap_or(u32::MAX))
    }

    /// Adds the node with the next number.
    pub(super) fn push(&mut self, node: Node) {
        debug_assert_eq!(node.id(), self.next_id(), "the next number");
        self.0.push(Some(HostedNode {
            replica: Replica::new(node),
            capacity: None,
            crashed: false,
            paused: false,
            is_stale: false,
            inbox: Inbox::default(),
        }));
    }

    /// Takes a node out for good.
    pub(super) fn remove(&mut self, id: NodeId) -> Option<HostedNode> {
        self.0.get_mut(id.0 as usize)?.take()
    }

    /// The node with this number.
    #[inline]
    pub(super) fn get(&self, id: NodeId) -> Option<&HostedNode> {
        self.0.get(id.0 as usize)?.as_ref()
    }

    /// The node with this number.
    #[inline]
    pub(super) fn get_mut(&mut self, id: NodeId) -> Option<&mut HostedNode> {
        self.0.get_mut(id.0 as usize)?.as_mut()
    }

    /// All nodes, by ascending number.
    pub(super) fn iter(&self) -> impl Iterator<Item = &HostedNode> {
        self.0.iter().flatten()
    }

    /// All nodes, by ascending number.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut HostedNode> {
        self.0.iter_mut().flatten()
    }

    /// The numbers of the nodes that run.
    pub(super) fn running(&self) -> Vec<NodeId> {
        let running = self.iter().filter(|hosted| hosted.runs());
        running.map(|hosted| hosted.replica.id()).collect()
    }
}

impl Index<NodeId> for Nodes {
    type Output = HostedNode;

    #[inline]
    fn index(&self, id: NodeId) -> &HostedNode {
        let hosted = self.0[id.0 as usize].as_ref();
        hosted.expect("a node of the cluster")
    }
}

impl IndexMut<NodeId> for Nodes {
    #[inline]
    fn index_mut(&mut self, id: NodeId) -> &mut HostedNode {
        let hosted = self.0[id.0 as usize].as_mut();
        hosted.expect("a node of the cluster")
    }
}
