//! The names of faults, as people type them.

use std::fmt;
use std::time::Duration;

use super::Percent;
use crate::id::NodeId;
use crate::time::Compact;

/// A fault that is in force. Its text is the command that brings it about.
///
/// A link lies between two nodes, in both directions; the lower number comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No message passes from one side to the other.
    Partition {
        /// One side, by ascending number.
        left: Vec<NodeId>,
        /// The other, by ascending number.
        right: Vec<NodeId>,
        /// Whether messages from the right to the left pass.
        oneway: bool,
    },
    /// The node is cut off from all nodes.
    Isolate(NodeId),
    /// Messages take longer.
    Delay {
        /// The link.
        link: Link,
        /// By how much: more than zero.
        time: Duration,
        /// And at most by how much more, at random.
        jitter: Duration,
    },
    /// Messages get lost.
    Drop {
        /// The link.
        link: Link,
        /// How many.
        percent: Percent,
    },
    /// Messages arrive twice.
    Duplicate {
        /// The link.
        link: Link,
        /// How many.
        percent: Percent,
    },
    /// Messages are overtaken.
    Reorder {
        /// The link.
        link: Link,
        /// How many.
        percent: Percent,
    },
    /// Messages wait until the link is released.
    Hold(Link),
    /// Messages to the node take longer.
    Slow {
        /// The node.
        node: NodeId,
        /// By how much: more than zero.
        time: Duration,
    },
}

impl Fault {
    /// The nodes that it names, by ascending number on each side.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeId> {
        match self {
            Self::Partition { left, right, .. } => left.iter().chain(right).copied().collect(),
            Self::Isolate(node) | Self::Slow { node, .. } => vec![*node],
            Self::Delay { link, .. }
            | Self::Drop { link, .. }
            | Self::Duplicate { link, .. }
            | Self::Reorder { link, .. }
            | Self::Hold(link) => vec![link.low, link.high],
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Partition {
                left,
                right,
                oneway,
            } => {
                let oneway = if *oneway { " ONEWAY" } else { "" };
                write!(f, "PARTITION {} | {}{oneway}", Side(left), Side(right))
            }
            Self::Isolate(node) => write!(f, "ISOLATE {node}"),
            Self::Delay { link, time, jitter } => {
                write!(f, "DELAY {link} {}", Compact(*time))?;
                if jitter.is_zero() {
                    return Ok(());
                }
                write!(f, " JITTER {}", Compact(*jitter))
            }
            Self::Drop { link, percent } => write!(f, "DROP {link} {percent}"),
            Self::Duplicate { link, percent } => write!(f, "DUP {link} {percent}"),
            Self::Reorder { link, percent } => write!(f, "REORDER {link} {percent}"),
            Self::Hold(link) => write!(f, "HOLD {link}"),
            Self::Slow { node, time } => write!(f, "SLOW {node} {}", Compact(*time)),
        }
    }
}

/// The link between two different nodes, in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// The node with the lower number.
    pub low: NodeId,
    /// The node with the higher number.
    pub high: NodeId,
}

impl Link {
    /// The link between these two, in whatever order; `None` if they are one.
    #[must_use]
    pub fn new(a: NodeId, b: NodeId) -> Option<Self> {
        (a != b).then(|| Self {
            low: a.min(b),
            high: a.max(b),
        })
    }

    pub(super) fn touches(self, node: NodeId) -> bool {
        [self.low, self.high].contains(&node)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.low, self.high)
    }
}

/// Nodes as they are typed: `0,1`.
struct Side<'a>(&'a [NodeId]);

impl fmt::Display for Side<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, node) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{node}")?;
        }
        Ok(())
    }
}
