//! What breaks, and what mends it.
//!
//! Nodes crash, pause and come back; their clocks go wrong; the network has faults of its own (see
//! [`crate::network`]). With the first of them, requests go as messages: see
//! [`Cluster::ask`].

use super::{Cluster, Status};
use crate::cache::Cache;
use crate::event::{Event, EventKind};
use crate::id::NodeId;
use crate::network::{Envelope, InFlight, Network};
use crate::replica::{Message, Restart};
use crate::time::Instant;

/// Why a fault cannot be brought about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
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
        let seat = self.nodes.seat(node)?;
        Some(match () {
            () if seat.crashed => Status::Crashed,
            () if seat.paused => Status::Paused,
            () if !seat.replica.is_serving() => Status::Syncing,
            () if self.leaving() == Some(node) => Status::Leaving,
            () => Status::Up,
        })
    }

    fn check_runs(&self, node: NodeId) -> Result<(), FaultError> {
        let seat = self.nodes.seat(node).ok_or(FaultError::NoSuchNode(node))?;
        match (seat.crashed, seat.paused) {
            (true, _) => Err(FaultError::Crashed(node)),
            (_, true) => Err(FaultError::Paused(node)),
            _ => Ok(()),
        }
    }

    /// A node crashes: it loses its memory, and refuses connections until it is restarted. It keeps
    /// its place among the members.
    ///
    /// # Errors
    /// [`FaultError`]; nothing has changed then.
    pub fn crash(&mut self, now: Instant, node: NodeId) -> Result<(), FaultError> {
        match self.check_runs(node) {
            Ok(()) | Err(FaultError::Paused(_)) => {}
            Err(error) => return Err(error),
        }
        self.set_versioned(now);
        self.calm = None;
        self.tick(now);
        if let Some(seat) = self.nodes.seat_mut(node) {
            (seat.crashed, seat.paused) = (true, false);
            seat.inbox.clear();
            seat.replica.crash();
        }
        self.deadlines.set(node, None);
        self.tell(now, node, EventKind::Crashed);
        self.hang_up(now, node);
        self.pump(now);
        Ok(())
    }

    /// A crashed node comes back.
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
        self.calm = None;
        if let Some(seat) = self.nodes.seat_mut(node) {
            seat.crashed = false;
        }
        // What is sent from now on can be told from what was sent to who it was before.
        self.clock += 1;
        self.tell(now, node, EventKind::Restarted);
        self.with_node(now, now, node, |replica, ctx| replica.restart(ctx, how));
        self.pump(now);
        Ok(())
    }

    /// A node stands still. What is sent to it waits.
    ///
    /// # Errors
    /// [`FaultError`]; nothing has changed then.
    pub fn pause(&mut self, now: Instant, node: NodeId) -> Result<(), FaultError> {
        self.check_runs(node)?;
        self.set_versioned(now);
        self.calm = None;
        self.tick(now);
        if let Some(seat) = self.nodes.seat_mut(node) {
            seat.paused = true;
        }
        self.deadlines.set(node, None);
        self.tell(now, node, EventKind::Paused);
        Ok(())
    }

    /// A paused node goes on, with what has come meanwhile, and merges what the others have.
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
        let mut inbox = Vec::new();
        self.calm = None;
        // Its timeouts that have passed meanwhile come now, and not when they were due.
        self.present = self.present.max(now);
        if let Some(seat) = self.nodes.seat_mut(node) {
            seat.paused = false;
            inbox = std::mem::take(&mut seat.inbox);
        }
        self.tell(now, node, EventKind::Resumed);
        if self.since > 0 {
            self.tell_layout(now, node);
        }
        self.deadlines.set(node, Some(now));
        self.tick(now);
        for envelope in inbox {
            self.deliver(now, envelope);
        }
        self.pump(now);
        if self.config.replicas > 1 {
            // What was not even sent to it, because somebody had given it up.
            self.with_node(now, now, node, |replica, ctx| {
                if replica.is_serving() {
                    replica.start_sync(ctx, false);
                }
            });
            self.pump(now);
        }
        Ok(())
    }

    /// Sets a node's clock ahead, or with a negative number behind; 0 sets it right.
    ///
    /// # Errors
    /// [`FaultError`]; nothing has changed then.
    pub fn skew(&mut self, now: Instant, node: NodeId, nanos: i64) -> Result<(), FaultError> {
        if self.nodes.seat(node).is_none() {
            return Err(FaultError::NoSuchNode(node));
        }
        self.set_versioned(now);
        self.calm = None;
        self.tick(now);
        if let Some(seat) = self.nodes.seat_mut(node) {
            seat.replica.set_skew(nanos);
            if seat.runs() {
                let next = seat.replica.next_expiry();
                self.deadlines.set(node, next);
            }
        }
        self.tick(now);
        Ok(())
    }

    /// The clocks that are wrong: node and nanoseconds ahead.
    pub fn skews(&self) -> impl Iterator<Item = (NodeId, i64)> {
        let seats = self.nodes.seats();
        let skews = seats.map(|seat| (seat.replica.id(), seat.replica.skew()));
        skews.filter(|(_, nanos)| *nanos != 0)
    }

    /// The network between the nodes. Whoever gives it a fault calls [`Cluster::set_versioned`]
    /// first.
    pub fn network(&mut self) -> &mut Network<Message> {
        &mut self.network
    }

    /// Lifts all faults of the network, and lets all nodes that run merge what the others have.
    /// Nodes that have crashed or are paused stay so.
    pub fn heal(&mut self, now: Instant) {
        self.tick(now);
        self.network.heal(now);
        self.pump(now);
        self.sync(now);
    }

    /// Lets all nodes that run merge what the others have.
    pub fn sync(&mut self, now: Instant) {
        if self.config.replicas == 1 {
            return;
        }
        self.set_versioned(now);
        self.calm = None;
        let running = self.nodes.seats().filter(|seat| seat.runs());
        let nodes: Vec<NodeId> = running.map(|seat| seat.replica.id()).collect();
        for node in nodes {
            self.with_node(now, now, node, |replica, ctx| {
                replica.start_sync(ctx, false);
            });
        }
        self.pump(now);
    }

    /// The messages in flight, in the order in which they will be delivered; then the held ones.
    #[must_use]
    pub fn in_flight(&self) -> Vec<InFlight<'_, Message>> {
        self.network.in_flight()
    }

    /// Records the messages that are delivered from now on.
    pub fn start_trace(&mut self, now: Instant) {
        self.set_versioned(now);
        self.calm = None;
        self.clients.trace = Some(Vec::new());
    }

    /// The messages that were delivered since [`Cluster::start_trace`].
    pub fn end_trace(&mut self) -> Vec<Envelope<Message>> {
        self.clients.trace.take().unwrap_or_default()
    }

    /// Notes in the log what the nemesis did.
    pub fn tell_nemesis(&mut self, at: Instant, deed: &str) {
        self.log.record(|| Event {
            at,
            node: NodeId(0),
            kind: EventKind::Nemesis,
            key: deed.as_bytes().into(),
        });
    }

    pub(super) fn tell(&mut self, at: Instant, node: NodeId, kind: EventKind) {
        self.log.record(|| Event {
            at,
            node,
            kind,
            key: Box::default(),
        });
    }
}
