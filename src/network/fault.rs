//! The faults, and their text: the commands that people type.

use std::fmt;
use std::time::Duration;

use super::{Party, Percent};
use crate::id::NodeId;
use crate::time::Compact;

/// A fault of the network. Its text is the command that brings it about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No message passes from one side to the other.
    Partition {
        /// One side, by ascending number; the clients first.
        left: Vec<Party>,
        /// The other side, likewise.
        right: Vec<Party>,
        /// Whether messages from the right to the left pass.
        oneway: bool,
    },
    /// The node is cut off from all nodes, but not from the clients.
    Isolate(NodeId),
    /// Messages take longer.
    Delay {
        /// The link.
        link: Link,
        /// By how much. Zero lifts the delay and its jitter.
        time: Duration,
        /// By how much more at most, at random.
        jitter: Duration,
    },
    /// Messages get lost.
    Drop {
        /// The link.
        link: Link,
        /// How many. None lifts the fault, as for the next two.
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
        /// By how much. Zero lifts the fault.
        time: Duration,
    },
}

impl Fault {
    /// The nodes that it names, by ascending number on each side.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeId> {
        match self {
            Self::Partition { left, right, .. } => {
                let parties = left.iter().chain(right);
                parties.filter_map(|party| party.node()).collect()
            }
            Self::Isolate(node) | Self::Slow { node, .. } => vec![*node],
            Self::Delay { link, .. }
            | Self::Drop { link, .. }
            | Self::Duplicate { link, .. }
            | Self::Reorder { link, .. }
            | Self::Hold(link) => link.nodes(),
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

/// The link between two different nodes, or between a node and all clients, in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// The clients, or the node with the lower number.
    pub low: Party,
    /// The node with the higher number.
    pub high: Party,
}

impl Link {
    /// The link between these two, in any order; `None` if they are the same.
    #[must_use]
    pub fn new(a: impl Into<Party>, b: impl Into<Party>) -> Option<Self> {
        let (a, b) = (a.into(), b.into());
        (a != b).then(|| Self {
            low: a.min(b),
            high: a.max(b),
        })
    }

    /// The nodes at its ends, by ascending number.
    #[must_use]
    pub fn nodes(self) -> Vec<NodeId> {
        [self.low, self.high]
            .iter()
            .filter_map(|party| party.node())
            .collect()
    }

    pub(super) fn touches(self, party: Party) -> bool {
        [self.low, self.high].contains(&party)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.low, self.high)
    }
}

/// One side of a partition as it is typed: `0,1`.
struct Side<'a>(&'a [Party]);

impl fmt::Display for Side<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, party) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{party}")?;
        }
        Ok(())
    }
}
