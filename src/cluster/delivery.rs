//! The message loop: delivers messages, lets nodes act, and lets time pass.

use super::Cluster;
use super::moving::Moving;
use crate::config::{Config, InjectedBug};
use crate::id::NodeId;
use crate::network::{Endpoint, Envelope};
use crate::placement::Placement;
use crate::replica::{Context, Layout, Message, Replica, Rules, Version};
use crate::time::Instant;

/// The most messages that a request trace keeps.
const MAX_TRACE: usize = 10_000;

/// The messages that were delivered while a request trace is on.
#[derive(Clone, Debug, Default)]
pub struct RequestTrace {
    /// The first 10,000 messages.
    pub messages: Vec<Envelope<Message>>,
    /// How many more there were.
    pub omitted: u64,
}

impl RequestTrace {
    fn record(&mut self, envelope: &Envelope<Message>) {
        if self.messages.len() < MAX_TRACE {
            self.messages.push(envelope.clone());
        } else {
            self.omitted += 1;
        }
    }
}

impl Cluster {
    /// How many messages were delivered, by the index of [`Message::KINDS`].
    #[must_use]
    pub fn delivered(&self) -> [u64; Message::KINDS.len()] {
        self.delivered
    }

    /// Records the messages that are delivered from now on. Meanwhile every request goes by message.
    pub fn start_trace(&mut self) {
        self.trace = Some(RequestTrace::default());
    }

    /// The messages that were delivered since [`Cluster::start_trace`].
    pub fn end_trace(&mut self) -> RequestTrace {
        self.trace.take().unwrap_or_default()
    }

    /// Delivers all messages that are due.
    pub(super) fn pump(&mut self, now: Instant) {
        while let Some(envelope) = self.network.deliver(now) {
            self.deliver(now, envelope);
        }
    }

    /// Delivers the next message that is due at `at`, and nothing else. Everything that was due
    /// before must have been done.
    pub fn step(&mut self, at: Instant) -> Option<Envelope<Message>> {
        let envelope = self.network.deliver(at)?;
        self.deliver(at, envelope.clone());
        Some(envelope)
    }

    pub(super) fn deliver(&mut self, now: Instant, envelope: Envelope<Message>) {
        self.quiescent = None;
        if let Some(trace) = &mut self.trace {
            trace.record(&envelope);
        }
        self.delivered[envelope.message.index()] += 1;
        match (envelope.from, envelope.to) {
            (Endpoint::Node(node), Endpoint::Client(_)) => {
                self.deliver_to_client(now, node, envelope.message);
            }
            (_, Endpoint::Node(node)) => self.deliver_to_node(now, node, envelope),
            (Endpoint::Client(_), Endpoint::Client(_)) => {}
        }
    }

    fn deliver_to_node(&mut self, now: Instant, node: NodeId, envelope: Envelope<Message>) {
        let Some(hosted) = self.nodes.get_mut(node).filter(|it| !it.crashed) else {
            return self.refuse_connection(now, &envelope);
        };
        if hosted.paused {
            return hosted.inbox.push(envelope);
        }
        let from = envelope.from;
        self.with_node(now, envelope.sent, node, |replica, ctx| {
            replica.handle(ctx, from, envelope.message);
        });
    }

    fn refuse_connection(&mut self, now: Instant, envelope: &Envelope<Message>) {
        if let Some(message) = envelope.message.unavailable() {
            self.network.send(now, envelope.to, envelope.from, message);
        }
    }

    /// Lets a node act, and sends its messages.
    pub(super) fn with_node(
        &mut self,
        now: Instant,
        sent: Instant,
        node: NodeId,
        act: impl FnOnce(&mut Replica, &mut Context<'_>),
    ) {
        let mut out = std::mem::take(&mut self.outbox);
        let Some(hosted) = self.nodes.get_mut(node) else {
            return;
        };
        let rules = rules(
            &self.config,
            &*self.placement,
            self.moving.as_ref(),
            self.layout_version,
        );
        let mut ctx = Context {
            now,
            sent,
            clock: &mut self.clock,
            rules: &rules,
            log: &mut self.log,
            out: &mut out,
        };
        act(&mut hosted.replica, &mut ctx);
        let (timeout, expiry) = (hosted.replica.next_timeout(), hosted.replica.next_expiry());
        let dropped = hosted.replica.take_dropped();
        self.timeouts.set(node, timeout);
        self.expect(node, expiry);
        for (to, message) in out.drain(..) {
            self.network.send(now, Endpoint::Node(node), to, message);
        }
        self.outbox = out;
        for (key, version) in dropped {
            self.mark_stale(&key, version);
        }
    }

    /// A delete is forgotten before all owners have it: those that lack it must come back empty.
    fn mark_stale(&mut self, key: &[u8], version: Version) {
        let owners = self.rules().owners(key);
        for &owner in owners.iter() {
            if let Some(hosted) = self.nodes.get_mut(owner)
                && !hosted.crashed
                && hosted.replica.may_lack(key, version)
            {
                hosted.is_stale = true;
            }
        }
    }

    /// When the next message arrives, or the next request times out.
    #[inline]
    pub(super) fn next_step(&mut self) -> Option<Instant> {
        if self.quiescent == Some(true) && self.network.is_undisturbed() {
            return self.timeouts.next();
        }
        self.next_step_of_all()
    }

    fn next_step_of_all(&mut self) -> Option<Instant> {
        let client = self.clients.first_due().map(|(due, _)| due);
        let steps = [self.network.next_at(), self.timeouts.next(), client];
        steps.into_iter().flatten().min()
    }

    /// Delivers the messages that are due at `at`, and handles timeouts.
    pub(super) fn step_at(&mut self, at: Instant) {
        self.pump(at);
        while let Some((due, node)) = self.timeouts.first()
            && due <= at
        {
            self.quiescent = None;
            self.with_node(at, at, node, Replica::tick);
        }
        self.time_out_clients(at);
        self.pump(at);
    }

    pub(super) fn rules(&self) -> Rules<'_> {
        rules(
            &self.config,
            &*self.placement,
            self.moving.as_ref(),
            self.layout_version,
        )
    }
}

/// The rules that replicas follow.
pub(super) fn rules<'a>(
    config: &Config,
    placement: &'a dyn Placement,
    moving: Option<&'a Moving>,
    layout_version: Version,
) -> Rules<'a> {
    let layout = Layout {
        placement,
        replicas: config.replicas,
    };
    Rules {
        layout,
        before: moving
            .filter(|_| config.bug != Some(InjectedBug::NewOwnersOnly))
            .and_then(|moving| moving.before(layout)),
        layout_version,
        write_quorum: config.write_quorum,
        read_quorum: config.read_quorum,
        timeout: config.timeout,
        grace: config.grace,
        bug: config.bug,
    }
}
