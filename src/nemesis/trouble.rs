//! Faults as commands: what the nemesis does to a cluster, in the words of the prompt.

use std::fmt;
use std::time::Duration;

use crate::cluster::Cluster;
use crate::id::NodeId;
use crate::network::{Fault, Link};
use crate::replica::Restart;
use crate::time::{Compact, Instant};

/// Something that the nemesis does. Its text is the command for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A node loses its memory and stops.
    Crash(NodeId),
    /// It comes back.
    Restart(NodeId, Restart),
    /// A node stands still.
    Pause(NodeId),
    /// It goes on.
    Resume(NodeId),
    /// A node's clock is ahead by so many nanoseconds, or behind.
    Skew(NodeId, i64),
    /// A fault of the network. With a time of zero, or none of a hundred, it is lifted.
    Network(Fault),
    /// What was held goes on its way.
    Release(Link),
    /// The network has no faults, and the nodes merge what they have.
    Heal,
    /// A node joins, and keys move to it as far as they can.
    Join,
    /// A node leaves, as far as its keys can move.
    Leave(NodeId),
    /// Keys that could not move are tried again.
    Rebalance,
}

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Kind {
    Crash,
    Pause,
    Skew,
    Partition,
    Oneway,
    Isolate,
    Delay,
    Drop,
    Duplicate,
    Reorder,
    Hold,
    Slow,
    Join,
    Leave,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Crash,
        Self::Pause,
        Self::Skew,
        Self::Partition,
        Self::Oneway,
        Self::Isolate,
        Self::Delay,
        Self::Drop,
        Self::Duplicate,
        Self::Reorder,
        Self::Hold,
        Self::Slow,
        Self::Join,
        Self::Leave,
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Crash => "crash",
            Self::Pause => "pause",
            Self::Skew => "skew",
            Self::Partition => "partition",
            Self::Oneway => "one-way partition",
            Self::Isolate => "isolate",
            Self::Delay => "delay",
            Self::Drop => "drop",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::Hold => "hold",
            Self::Slow => "slow",
            Self::Join => "join",
            Self::Leave => "leave",
        })
    }
}

impl Trouble {
    /// Which kind of fault this brings about; `None` if it lifts one.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        Some(match self {
            Self::Crash(_) => Kind::Crash,
            Self::Pause(_) => Kind::Pause,
            Self::Skew(_, nanos) if *nanos != 0 => Kind::Skew,
            Self::Network(fault) => return network_kind(fault),
            Self::Join => Kind::Join,
            Self::Leave(_) => Kind::Leave,
            Self::Skew(..)
            | Self::Restart(..)
            | Self::Resume(_)
            | Self::Release(_)
            | Self::Heal
            | Self::Rebalance => return None,
        })
    }

    /// Does it, if it can be done and no more than `budget` nodes are without their memory then;
    /// `false` if it was not done.
    pub fn strike(&self, cluster: &mut Cluster, now: Instant, budget: usize) -> bool {
        match self {
            Self::Crash(node) => {
                is_affordable(cluster, *node, budget) && cluster.crash(now, *node).is_ok()
            }
            Self::Restart(node, how) => cluster.restart(now, *node, *how).is_ok(),
            Self::Pause(node) => cluster.pause(now, *node).is_ok(),
            Self::Resume(node) => cluster.resume(now, *node).is_ok(),
            Self::Skew(node, nanos) => cluster.skew(now, *node, *nanos).is_ok(),
            Self::Network(fault) => strike_network(cluster, fault),
            Self::Release(link) => {
                let released = cluster.release(now, *link);
                released.is_ok()
            }
            Self::Heal => {
                cluster.heal(now);
                true
            }
            Self::Join => cluster.join(now, 1).is_ok() && rebalance(cluster, now),
            Self::Leave(node) => cluster.leave(now, *node).is_ok() && rebalance(cluster, now),
            Self::Rebalance => rebalance(cluster, now),
        }
    }
}

/// Moves all keys that can move; `false` if none were on their way.
fn rebalance(cluster: &mut Cluster, now: Instant) -> bool {
    let was_moving = cluster.is_moving();
    cluster.move_all(now);
    was_moving
}

fn network_kind(fault: &Fault) -> Option<Kind> {
    let some = |is_there: bool, kind| is_there.then_some(kind);
    match fault {
        Fault::Partition { oneway: true, .. } => Some(Kind::Oneway),
        Fault::Partition { .. } => Some(Kind::Partition),
        Fault::Isolate(_) => Some(Kind::Isolate),
        Fault::Delay { time, .. } => some(!time.is_zero(), Kind::Delay),
        Fault::Drop { percent, .. } => some(percent.millionths() > 0, Kind::Drop),
        Fault::Duplicate { percent, .. } => some(percent.millionths() > 0, Kind::Duplicate),
        Fault::Reorder { percent, .. } => some(percent.millionths() > 0, Kind::Reorder),
        Fault::Hold(_) => Some(Kind::Hold),
        Fault::Slow { time, .. } => some(!time.is_zero(), Kind::Slow),
    }
}

/// Whether one more node may lose its memory.
fn is_affordable(cluster: &Cluster, node: NodeId, budget: usize) -> bool {
    let lacks = |it: NodeId| it == node || cluster.lacks_memory(it);
    cluster.node_ids().filter(|&it| lacks(it)).count() <= budget
}

fn strike_network(cluster: &mut Cluster, fault: &Fault) -> bool {
    cluster.network().apply(fault).is_ok()
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash(node) => write!(f, "CRASH {node}"),
            Self::Restart(node, how) => write!(f, "RESTART {node} {how}"),
            Self::Pause(node) => write!(f, "PAUSE {node}"),
            Self::Resume(node) => write!(f, "RESUME {node}"),
            Self::Skew(node, nanos) => {
                let sign = if *nanos < 0 { "-" } else { "" };
                let time = Compact(Duration::from_nanos(nanos.unsigned_abs()));
                write!(f, "SKEW {node} {sign}{time}")
            }
            Self::Network(fault) => fault.fmt(f),
            Self::Release(link) => write!(f, "RELEASE {link}"),
            Self::Heal => f.write_str("HEAL"),
            Self::Join => f.write_str("JOIN"),
            Self::Leave(node) => write!(f, "LEAVE {node}"),
            Self::Rebalance => f.write_str("REBALANCE"),
        }
    }
}
