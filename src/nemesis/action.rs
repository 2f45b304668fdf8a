//! The actions of a fault injector, as the commands of the prompt.

use std::fmt;
use std::time::Duration;

use crate::cluster::Cluster;
use crate::id::NodeId;
use crate::network::{Fault, Link, Percent};
use crate::replica::Restart;
use crate::time::{Compact, Instant};

/// A fault, or the end of one. Its text is the command for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultAction {
    /// A node crashes: it loses its memory.
    Crash(NodeId),
    /// A crashed node restarts.
    Restart(NodeId, Restart),
    /// A node is paused.
    Pause(NodeId),
    /// A paused node goes on.
    Resume(NodeId),
    /// A node's clock is ahead by this many nanoseconds, or with a minus behind. 0 sets it right.
    Skew(NodeId, i64),
    /// A fault of the network. A time of zero or a percentage of none lifts it.
    Network(Fault),
    /// The held messages of a link go on their way.
    Release(Link),
    /// All faults of the network end, and the nodes merge their entries.
    Heal,
    /// A node of this weight joins, and all keys move that can.
    Join(u32),
    /// A node leaves, if all of its keys can move.
    Leave(NodeId),
    /// Keys that could not move before move now, if they can; otherwise missing copies are made.
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

    /// Whether the light nemesis makes such faults.
    pub(super) fn is_light(self) -> bool {
        matches!(
            self,
            Self::Delay | Self::Drop | Self::Duplicate | Self::Reorder
        )
    }
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

impl FaultAction {
    /// The kind of fault; `None` if this ends one.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        Some(match self {
            Self::Crash(_) => Kind::Crash,
            Self::Pause(_) => Kind::Pause,
            Self::Skew(_, nanos) if *nanos != 0 => Kind::Skew,
            Self::Network(fault) => return network_kind(fault),
            Self::Join(_) => Kind::Join,
            Self::Leave(_) => Kind::Leave,
            Self::Skew(..)
            | Self::Restart(..)
            | Self::Resume(_)
            | Self::Release(_)
            | Self::Heal
            | Self::Rebalance => return None,
        })
    }

    /// The nodes that this names.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeId> {
        match self {
            Self::Crash(node)
            | Self::Restart(node, _)
            | Self::Pause(node)
            | Self::Resume(node)
            | Self::Skew(node, _)
            | Self::Leave(node) => vec![*node],
            Self::Network(fault) => fault.nodes(),
            Self::Release(link) => link.nodes(),
            Self::Heal | Self::Join(_) | Self::Rebalance => Vec::new(),
        }
    }

    /// Whether it changes the network, and so has no effect on one that is healed.
    pub(super) fn is_of_network(&self) -> bool {
        matches!(self, Self::Heal | Self::Network(_) | Self::Release(_))
    }

    /// The action that ends this fault, with `restart` for a crash; `None` if this is no fault.
    pub(super) fn end(&self, restart: Restart) -> Option<Self> {
        self.kind()?;
        Some(match self {
            Self::Crash(node) => Self::Restart(*node, restart),
            Self::Pause(node) => Self::Resume(*node),
            Self::Skew(node, _) => Self::Skew(*node, 0),
            Self::Network(fault) => end_of(fault),
            Self::Join(_) | Self::Leave(_) => Self::Rebalance,
            _ => return None,
        })
    }

    /// Carries this out, if it is possible and at most `budget` nodes are without their memory
    /// then. Returns whether it was done.
    pub fn apply(&self, cluster: &mut Cluster, now: Instant, budget: usize) -> bool {
        match self {
            Self::Crash(node) => {
                is_affordable(cluster, *node, budget) && cluster.crash(now, *node).is_ok()
            }
            Self::Restart(node, how) => cluster.restart(now, *node, *how).is_ok(),
            Self::Pause(node) => cluster.pause(now, *node).is_ok(),
            Self::Resume(node) => cluster.resume(now, *node).is_ok(),
            Self::Skew(node, nanos) => cluster.skew(now, *node, *nanos).is_ok(),
            Self::Network(fault) => cluster.inject(now, fault).is_ok(),
            Self::Release(link) => cluster.release(now, *link).is_ok(),
            Self::Heal => {
                cluster.heal(now);
                true
            }
            Self::Join(weight) => cluster.join(now, *weight).is_ok() && move_all(cluster, now),
            Self::Leave(node) => cluster.leave(now, *node).is_ok() && move_all(cluster, now),
            Self::Rebalance => {
                cluster.rebalance(now);
                move_all(cluster, now)
            }
        }
    }
}

/// Moves all keys that can move. Returns whether a move or a repair was under way.
fn move_all(cluster: &mut Cluster, now: Instant) -> bool {
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

/// Whether at most `budget` nodes are without their memory after this node has crashed.
fn is_affordable(cluster: &Cluster, node: NodeId, budget: usize) -> bool {
    let lacks = |it: NodeId| it == node || cluster.lacks_memory(it);
    cluster.node_ids().filter(|&it| lacks(it)).count() <= budget
}

/// The action that ends a fault of the network.
fn end_of(fault: &Fault) -> FaultAction {
    let (none, zero) = (Percent::NONE, Duration::ZERO);
    FaultAction::Network(match *fault {
        Fault::Partition { .. } | Fault::Isolate(_) => return FaultAction::Heal,
        Fault::Hold(link) => return FaultAction::Release(link),
        Fault::Delay { link, .. } => Fault::Delay {
            link,
            time: zero,
            jitter: zero,
        },
        Fault::Drop { link, .. } => Fault::Drop {
            link,
            percent: none,
        },
        Fault::Duplicate { link, .. } => Fault::Duplicate {
            link,
            percent: none,
        },
        Fault::Reorder { link, .. } => Fault::Reorder {
            link,
            percent: none,
        },
        Fault::Slow { node, .. } => Fault::Slow { node, time: zero },
    })
}

impl fmt::Display for FaultAction {
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
            Self::Join(1) => f.write_str("JOIN"),
            Self::Join(weight) => write!(f, "JOIN WEIGHT {weight}"),
            Self::Leave(node) => write!(f, "LEAVE {node}"),
            Self::Rebalance => f.write_str("REBALANCE"),
        }
    }
}
