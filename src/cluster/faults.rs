//! Faults of nodes, and their repair: crash and restart, pause and resume, wrong clocks. The network
//! injects its faults itself (see [`crate::network`]).

use super::{Cluster, Status};
use crate::event::{Event, EventKind};
use crate::id::NodeId;
use crate::network::{Fault, InFlight, Link, Network, NetworkError};
use crate::replica::{Message, Restart};
use crate::time::Instant;

/// Why a fault cannot be injected or repaired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultError {
    /// There is no such node.
    #[error("there is no node {0}")]
    NoSuchNode(NodeId),
    /// The node has crashed, and must be restarted first.
    #[error("node {0} has crashed: RESTART {0} brings it back")]
    Crashed(NodeId),
    /// The node has not crashed.
    #[error("node {0} has not crashed")]
    NotCrashed(NodeId),
    /// The node is paused already.
    #[error("node {0} is paused: RESUME {0} lets it go on")]
    Paused(NodeId),
    /// The node is not paused.
    #[error("node {0} is not paused")]
    NotPaused(NodeId),
}

impl Cluster {
    /// What a node is doing; `None` if there is no such node.
    #[must_use]
    pub fn status(&self, node: NodeId) -> Option<Status> {
        let hosted = self.nodes.get(node)?;
        Some(match () {
            () if hosted.crashed => Status::Crashed,
            () if hosted.paused => Status::Paused,
            () if !hosted.replica.is_serving() => Status::Syncing,
            () if self.leaving() == Some(node) => Status::Leaving,
            () => Status::Up,
        })
    }

    fn check_runs(&self, node: NodeId) -> Result<(), FaultError> {
        let hosted = self.nodes.get(node).ok_or(FaultError::NoSuchNode(node))?;
        match (hosted.crashed, hosted.paused) {
            (true, _) => Err(FaultError::Crashed(node)),
            (_, true) => Err(FaultError::Paused(node)),
            _ => Ok(()),
        }
    }

    /// Crashes a node: it loses its memory, and refuses connections until it is restarted. It remains
    /// a member.
    ///
    /// # Errors
    /// [`FaultError`]; nothing has changed then.
    pub fn crash(&mut self, now: Instant, node: NodeId) -> Result<(), FaultError> {
        match self.check_runs(node) {
            Ok(()) | Err(FaultError::Paused(_)) => {}
            Err(error) => return Err(error),
        }
        self.tick(now);
        let now = self.present;
        self.quiescent = None;
        self.note_crash(node);
        if let Some(hosted) = self.nodes.get_mut(node) {
            (hosted.crashed, hosted.paused) = (true, false);
            hosted.inbox.take();
            hosted.replica.crash();
        }
        self.deadlines.set(node, None);
        self.timeouts.set(node, None);
        self.log_node(now, node, EventKind::Crashed);
        self.disconnect(now, node);
        self.pump(now);
        Ok(())
    }

    /// Restarts a crashed node.
    ///
    /// # Errors
    /// [`FaultError`]; nothing has changed then.
    pub fn restart(&mut self, now: Instant, node: NodeId, how: Restart) -> Result<(), FaultError> {
        match self.check_runs(node) {
            Err(FaultError::Crashed(_)) => {}
            Err(error) => return Err(error),
            Ok(()) => return Err(FaultError::NotCrashed(node)),
        }
        self.tick(now);
        let now = self.present;
        self.quiescent = None;
        self.note_restart(how);
        if let Some(hosted) = self.nodes.get_mut(node) {
            hosted.crashed = false;
            hosted.is_stale = false;
        }
        // Messages to the new incarnation differ from those to the one before.
        self.clock += 1;
        self.log_node(now, node, EventKind::Restarted);
        self.with_node(now, now, node, |replica, ctx| replica.restart(ctx, how));
        // The capacity may have changed meanwhile.
        self.apply_capacity(now, node);
        self.pump(now);
        Ok(())
    }

    /// Pauses a node: it does nothing, and messages to it wait.
    ///
    /// # Errors
    /// [`FaultError`]; nothing has changed then.
    pub fn pause(&mut self, now: Instant, node: NodeId) -> Result<(), FaultError> {
        self.check_runs(node)?;
        self.tick(now);
        let now = self.present;
        self.quiescent = None;
        if let Some(hosted) = self.nodes.get_mut(node) {
            hosted.paused = true;
        }
        self.deadlines.set(node, None);
        self.timeouts.set(node, None);
        self.log_node(now, node, EventKind::Paused);
        Ok(())
    }

    /// A paused node runs again: it handles the messages that came meanwhile, and merges the records
    /// of the others.
    ///
    /// # Errors
    /// [`FaultError`]; nothing has changed then.
    pub fn resume(&mut self, now: Instant, node: NodeId) -> Result<(), FaultError> {
        match self.check_runs(node) {
            Err(FaultError::Paused(_)) => {}
            Err(error) => return Err(error),
            Ok(()) => return Err(FaultError::NotPaused(node)),
        }
        self.tick(now);
        let now = self.present;
        self.quiescent = None;
        let mut inbox = Vec::new();
        if let Some(hosted) = self.nodes.get_mut(node) {
            hosted.paused = false;
            inbox = hosted.inbox.take();
        }
        self.log_node(now, node, EventKind::Resumed);
        // Its timeouts and deadlines that have passed are handled now, not when they were due.
        self.announce_layout(now, node);
        self.apply_capacity(now, node);
        self.deadlines.set(node, Some(now));
        while self.advance(now, usize::MAX) {}
        for envelope in inbox {
            self.deliver(now, envelope);
        }
        self.pump(now);
        self.sync_node(now, node);
        self.pump(now);
        Ok(())
    }

    /// Sets a node's clock ahead, or with a negative number behind; 0 sets it right.
    ///
    /// # Errors
    /// [`FaultError`]; nothing has changed then.
    pub fn skew(&mut self, now: Instant, node: NodeId, nanos: i64) -> Result<(), FaultError> {
        if self.nodes.get(node).is_none() {
            return Err(FaultError::NoSuchNode(node));
        }
        self.tick(now);
        let now = self.present;
        self.quiescent = None;
        self.note_skew(nanos);
        if let Some(hosted) = self.nodes.get_mut(node) {
            hosted.replica.set_skew(nanos);
            if hosted.runs() {
                let next = hosted.replica.next_expiry();
                self.deadlines.set(node, next);
            }
        }
        self.log_node(now, node, EventKind::Skewed(nanos));
        while self.advance(now, usize::MAX) {}
        Ok(())
    }

    /// The clocks that are wrong: node and nanoseconds ahead.
    pub fn skews(&self) -> impl Iterator<Item = (NodeId, i64)> {
        let nodes = self.nodes.iter();
        let skews = nodes.map(|it| (it.replica.id(), it.replica.skew()));
        skews.filter(|(_, nanos)| *nanos != 0)
    }

    /// The network between the nodes.
    pub fn network(&mut self) -> &mut Network<Message> {
        &mut self.network
    }

    /// Injects a fault of the network. A cut is logged.
    ///
    /// # Errors
    /// [`NetworkError`]; nothing has changed then.
    pub fn inject(&mut self, now: Instant, fault: &Fault) -> Result<(), NetworkError> {
        self.tick(now);
        self.network.apply(fault)?;
        if matches!(fault, Fault::Partition { .. } | Fault::Isolate(_)) {
            let command = fault.to_string().into();
            self.log_cluster(self.present, EventKind::Partitioned(command));
        }
        Ok(())
    }

    /// Ends a [`Network::hold`]: the held messages are due now. Nodes for which the bound has
    /// dropped messages merge the records of the others.
    ///
    /// # Errors
    /// [`NetworkError`] if the two nodes are one.
    pub fn release(&mut self, now: Instant, link: Link) -> Result<(), NetworkError> {
        self.tick(now);
        let now = self.present;
        for node in self.network.release(now, link.low, link.high)? {
            self.sync_node(now, node);
        }
        Ok(())
    }

    /// Lifts all faults of the network, and lets all running nodes merge the records of the others.
    /// Crashed and paused nodes stay so.
    pub fn heal(&mut self, now: Instant) {
        self.tick(now);
        let now = self.present;
        // All nodes merge, also those that lost messages to a bound.
        let had_faults = self.fault_count() > 0;
        self.network.heal(now);
        if had_faults {
            self.log_cluster(now, EventKind::Healed);
        }
        self.pump(now);
        self.sync(now);
    }

    /// Like [`Cluster::heal`], and then sets all clocks right, restarts crashed nodes with
    /// [`Restart::Resync`], and resumes paused ones.
    pub fn heal_all(&mut self, now: Instant) {
        self.heal(now);
        let nodes: Vec<NodeId> = self.node_ids().collect();
        for &node in &nodes {
            // A repair that is not needed is refused, and changes nothing.
            let _ = self.restart(now, node, Restart::Resync);
            let _ = self.resume(now, node);
            if self.nodes[node].replica.skew() != 0 {
                let _ = self.skew(now, node, 0);
            }
        }
        self.sync(now);
    }

    /// Lets all running nodes merge the records of the others.
    pub fn sync(&mut self, now: Instant) {
        for node in self.nodes.running() {
            self.sync_node(now, node);
        }
        self.pump(now);
    }

    /// Lets a node merge the records of the others. A sync that is not over starts again, since its
    /// records may be older than what has been lost. A node that lacks a forgotten delete comes back
    /// empty.
    fn sync_node(&mut self, now: Instant, node: NodeId) {
        let Some(hosted) = self.nodes.get_mut(node).filter(|it| it.runs()) else {
            return;
        };
        if self.config.replicas == 1 && self.moving.is_none() {
            hosted.is_stale = false;
            return;
        }
        let is_stale = std::mem::take(&mut hosted.is_stale);
        self.quiescent = None;
        if is_stale {
            self.clock += 1;
        }
        self.with_node(now, now, node, |replica, ctx| {
            if is_stale {
                replica.restart(ctx, Restart::Resync);
            } else {
                replica.start_sync(ctx, false);
            }
        });
    }

    /// The messages in flight, in the order in which they will be delivered; then the held ones.
    #[must_use]
    pub fn in_flight(&self) -> Vec<InFlight<'_, Message>> {
        self.network.in_flight()
    }

    /// Notes in the log what the fault injector did.
    pub fn log_nemesis(&mut self, at: Instant, action: &str) {
        self.log_cluster(at, EventKind::Nemesis(action.into()));
    }

    /// Notes in the log that a node has cut a client off, which did not take what was sent to it.
    pub fn log_cut_off(&mut self, at: Instant, node: NodeId, client: u32) {
        self.log_node(at, node, EventKind::CutOff(client));
    }

    fn log_cluster(&mut self, at: Instant, kind: EventKind) {
        self.log.record(|| Event::of_cluster(at, kind));
    }

    pub(super) fn log_node(&mut self, at: Instant, node: NodeId, kind: EventKind) {
        self.log.record(|| Event::of_node(at, node, kind));
    }
}
