//! The network between nodes: messages on their way, and what goes wrong with them.
//!
//! Whoever has something to say calls [`Network::send`]; whoever drives the cluster asks
//! [`Network::next_at`], lets time pass until then, and hands out what [`Network::deliver`] gives.
//! In between stand the faults. Each message meets those in force when it is sent and gets a
//! verdict: it passes, arrives later, arrives twice, is dropped, or is held. The idea of rules
//! that give verdicts is turmoil's (tokio-rs, 2022). Whether a partition lies in the way is
//! asked again at the arrival: what is in flight when the link is cut is lost.
//!
//! Messages are delivered in order of (arrival, sequence). A link is as a TCP connection is: what
//! is sent first arrives first, through any delay and jitter, and when they are shortened or
//! lifted, too; a message then waits for those ahead of it. Only a message that REORDER strikes
//! is overtaken.
//!
//! Chance is bound to the message, not to the run: the generator of the `n`-th message from one
//! node to another that meets the link's faults is made of (seed, from, to, `n`), and each kind of
//! fault has its own place in its numbers. So a fault on one link changes nothing on another, and
//! a script from which a line is taken out still drops the same messages elsewhere. Random times
//! are tenths of their bound, so that now and then two of them are equal, which boundaries must
//! stand.
//!
//! ```
//! use std::time::Duration;
//! use shardlab::id::NodeId;
//! use shardlab::network::{Endpoint, Network};
//! use shardlab::time::Instant;
//!
//! let (a, b) = (NodeId(0), NodeId(1));
//! let mut network = Network::new(7);
//! network.delay(a, b, Duration::from_millis(20), Duration::ZERO)?;
//! network.send(Instant::START, a.into(), b.into(), "hello");
//!
//! let arrival = Instant::from_millis(20);
//! assert_eq!(network.next_at(), Some(arrival));
//! assert_eq!(network.deliver(Instant::from_millis(19)), None);
//! assert_eq!(network.deliver(arrival).map(|it| it.message), Some("hello"));
//! assert_eq!(network.faults()[0].to_string(), "DELAY 0 1 20ms");
//! # Ok::<(), shardlab::network::NetworkError>(())
//! ```
//!
//! # Caveats
//!
//! - The client reaches every node and every node the client; nothing but [`Network::slow`] touches
//!   their links. What a node sends to itself crosses no link, and no fault touches it.
//! - A fault touches what is sent from now on, not what is in flight, but for a partition, which
//!   loses both, and for [`Network::heal`], which hurries all that is late.
//! - Keeping order has its price, as it has in TCP: where messages follow each other more closely
//!   than the jitter is wide, nearly all wait for the slowest of those ahead.
//! - A message put off beyond the end of the axis arrives at [`Instant::MAX`].
//! - A duplicate follows its original at once, unless jitter or REORDER takes them apart.

#[cfg(test)]
mod chance_tests;
mod control;
mod envelope;
mod fault;
#[cfg(test)]
mod model_tests;
mod percent;
mod queue;
mod rules;
#[cfg(test)]
mod tests;

pub use envelope::{Endpoint, Envelope, InFlight};
pub use fault::{Fault, Link};
pub use percent::{Percent, PercentError};

use std::collections::BTreeMap;

use crate::id::NodeId;
use crate::rng::Rng;
use crate::time::Instant;
use queue::Queue;
use rules::{Delay, Rules, Verdict};

/// The most messages in flight, held ones and timers among them. Beyond it a message is dropped.
pub const MAX_IN_FLIGHT: usize = 1 << 20;
/// The most nodes that may have faults at a time.
pub const MAX_NODES: usize = 1024;
/// The most partitions at a time.
pub const MAX_PARTITIONS: usize = 1024;

/// Why the network refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// The two ends of a link are one node.
    #[error("node {0} has no link to itself")]
    Itself(NodeId),
    /// A partition would part a node from itself.
    #[error("node {0} cannot be on both sides")]
    BothSides(NodeId),
    /// A partition with nothing on one side.
    #[error("a partition needs nodes on both sides")]
    NoNodes,
    /// A bound is reached.
    #[error("too many {of}: at most {max}")]
    TooMany {
        /// What there are too many of.
        of: &'static str,
        /// The bound.
        max: usize,
    },
}

/// What a network has counted since it was made. Messages of a node to itself count as none.
///
/// `sent` + `duplicated` = `delivered` + `dropped` + what is in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages given to the network.
    pub sent: u64,
    /// Copies handed out.
    pub delivered: u64,
    /// Copies lost: by chance, in a partition, to a node that was forgotten, or beyond
    /// [`MAX_IN_FLIGHT`].
    pub dropped: u64,
    /// Second copies made.
    pub duplicated: u64,
    /// Copies that others were let overtake.
    pub reordered: u64,
    /// Messages that had to wait for a release.
    pub held: u64,
}

/// What is known of the messages from one endpoint to another.
#[derive(Clone, Copy, Debug, Default)]
struct Flow {
    /// How many have met the link's faults.
    count: u64,
    /// The latest arrival of those that keep their order: none after them arrives before.
    last: Instant,
}

/// A simulated network that carries messages of one kind. See the module's docs.
///
/// Without faults a message costs a few nanoseconds on each side: no allocation, no hashing, no
/// heap. With faults in force it costs some look-ups in ordered maps, O(log links + partitions),
/// and O(log in flight) for one that arrives later.
#[derive(Clone, Debug)]
pub struct Network<M> {
    seed: u64,
    faults: Rules,
    queue: Queue<M>,
    /// In the order of sending.
    held: Vec<Envelope<M>>,
    flows: BTreeMap<(Endpoint, Endpoint), Flow>,
    /// The latest [`Flow::last`]: from then on, order needs no care.
    settled: Instant,
    sequence: u64,
    counts: Counts,
    /// What got lost, while that is being watched.
    lost: Option<Vec<Envelope<M>>>,
}

/// How many lost messages are kept for whoever watches.
const MAX_LOST: usize = 10_000;

impl<M: Clone> Network<M> {
    /// A healthy network. The seed decides what chance does.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            faults: Rules::default(),
            queue: Queue::default(),
            held: Vec::new(),
            flows: BTreeMap::new(),
            settled: Instant::START,
            sequence: 0,
            counts: Counts::default(),
            lost: None,
        }
    }

    /// Keeps messages that get lost from now on, up to 10,000, for [`Network::losses`].
    pub fn watch_losses(&mut self) {
        self.lost = Some(Vec::new());
    }

    /// The messages that got lost since [`Network::watch_losses`], in that order; `arrives` is when
    /// that was. Nothing is kept any more.
    pub fn losses(&mut self) -> Vec<Envelope<M>> {
        self.lost.take().unwrap_or_default()
    }

    #[cold]
    fn lose(&mut self, at: Instant, envelope: Envelope<M>) {
        self.counts.dropped += 1;
        if let Some(lost) = self.lost.as_mut().filter(|lost| lost.len() < MAX_LOST) {
            lost.push(Envelope {
                arrives: at,
                ..envelope
            });
        }
    }

    /// Sends a message, which then meets the faults in force: 0, 1 or 2 copies of it are in flight
    /// afterwards.
    #[inline]
    pub fn send(&mut self, now: Instant, from: Endpoint, to: Endpoint, message: M) {
        let envelope = Envelope {
            from,
            to,
            sent: now,
            arrives: now,
            sequence: self.sequence,
            message,
        };
        self.counts.sent += u64::from(envelope.travels());
        if self.faults.is_empty() && self.settled <= now && !self.is_full() {
            self.sequence += 1;
            self.queue.push_present(envelope);
        } else {
            self.judge(now, envelope);
        }
    }

    /// Sets a timer: a message that `to` gets from itself at `at`, and that no fault touches. One
    /// that is set for the past is due at once. It cannot be called off, so a coordinator of many
    /// operations should have one for the earliest, not one for each.
    ///
    /// # Errors
    /// [`NetworkError::TooMany`] beyond [`MAX_IN_FLIGHT`].
    pub fn schedule(&mut self, at: Instant, to: Endpoint, message: M) -> Result<(), NetworkError> {
        if self.is_full() {
            let (of, max) = ("messages in flight", MAX_IN_FLIGHT);
            return Err(NetworkError::TooMany { of, max });
        }
        let sequence = self.next_sequence();
        self.queue.push_later(Envelope {
            from: to,
            to,
            sent: at,
            arrives: at,
            sequence,
            message,
        });
        Ok(())
    }

    /// When [`deliver`](Self::deliver) should be called next. It may then have nothing to give, if
    /// the message is lost on arrival. What is held has no such instant.
    #[must_use]
    pub fn next_at(&self) -> Option<Instant> {
        self.queue.next().map(|next| next.arrives)
    }

    /// The next message that is due at or before `now`.
    #[inline]
    pub fn deliver(&mut self, now: Instant) -> Option<Envelope<M>> {
        if !self.faults.is_empty() {
            self.drop_cut(now);
        }
        let next = self.queue.pop(now);
        let travelled = next.as_ref().is_some_and(Envelope::travels);
        self.counts.delivered += u64::from(travelled);
        next
    }

    /// Loses what is next and due and cannot arrive.
    fn drop_cut(&mut self, now: Instant) {
        while self
            .queue
            .next()
            .is_some_and(|next| next.arrives <= now && self.faults.cut(next.from, next.to))
        {
            if let Some(envelope) = self.queue.pop(now) {
                self.lose(envelope.arrives, envelope);
            }
        }
    }

    /// The next message, whenever it is due: its `arrives` is the instant to which time should jump.
    pub fn step(&mut self) -> Option<Envelope<M>> {
        self.deliver(Instant::MAX)
    }

    /// All messages in flight, timers among them, in the order in which they will be delivered;
    /// then the held ones in the order of sending. O(n log n).
    #[must_use]
    pub fn in_flight(&self) -> Vec<InFlight<'_, M>> {
        let queued = self.queue.in_order().into_iter();
        let queued = queued.map(|envelope| (envelope, false));
        let held = self.held.iter().map(|envelope| (envelope, true));
        let all = queued.chain(held);
        all.map(|(envelope, held)| InFlight { envelope, held })
            .collect()
    }

    /// Whether no fault is in force and nothing is in flight.
    #[inline]
    #[must_use]
    pub fn is_calm(&self) -> bool {
        self.faults.is_empty() && self.queue.len() == 0 && self.held.is_empty()
    }

    /// Whether a partition keeps every message from `from` to `to` back.
    #[must_use]
    pub fn is_cut(&self, from: NodeId, to: NodeId) -> bool {
        self.faults.cut(from.into(), to.into())
    }

    /// What has been counted so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The message of a verdict: dropped, held, or put in flight once or twice.
    fn judge(&mut self, now: Instant, envelope: Envelope<M>) {
        if !envelope.travels() {
            return self.put(now, envelope);
        }
        let (from, to) = (envelope.from, envelope.to);
        let flow = self.flows.entry((from, to)).or_default();
        let seed = self.seed;
        match self.faults.verdict(from, to, |a, b| flow.rng(seed, a, b)) {
            Verdict::Drop => self.lose(now, envelope),
            Verdict::Hold => self.hold_back(envelope),
            Verdict::Deliver(delay) => self.put_after(now, delay, envelope),
            Verdict::Twice(first, second) => {
                self.counts.duplicated += 1;
                self.put_after(now, first, envelope.clone());
                self.put_after(now, second, envelope);
            }
        }
    }

    fn hold_back(&mut self, envelope: Envelope<M>) {
        if self.is_full() {
            self.counts.dropped += 1;
        } else {
            self.counts.held += 1;
            self.held.push(envelope);
        }
    }

    /// Puts a message in flight that arrives after a delay, but not before those ahead of it.
    fn put_after(&mut self, now: Instant, delay: Delay, mut envelope: Envelope<M>) {
        let flow = self.flows.entry((envelope.from, envelope.to)).or_default();
        let in_order = now.saturating_add(delay.in_order).max(flow.last);
        envelope.arrives = if let Some(extra) = delay.overtaken {
            self.counts.reordered += 1;
            in_order.saturating_add(extra)
        } else {
            flow.last = in_order;
            self.settled = self.settled.max(in_order);
            in_order
        };
        self.put(now, envelope);
    }

    /// Puts a message in flight, if there is room.
    fn put(&mut self, now: Instant, mut envelope: Envelope<M>) {
        if self.is_full() {
            self.counts.dropped += u64::from(envelope.travels());
            return;
        }
        envelope.sequence = self.next_sequence();
        if envelope.arrives <= now {
            self.queue.push_present(envelope);
        } else {
            self.queue.push_later(envelope);
        }
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.queue.len() + self.held.len() >= MAX_IN_FLIGHT
    }

    fn next_sequence(&mut self) -> u64 {
        let sequence = self.sequence;
        self.sequence += 1;
        sequence
    }
}

impl Flow {
    /// The generator of the next message's numbers.
    fn rng(&mut self, seed: u64, from: NodeId, to: NodeId) -> Rng {
        let mix = |number| Rng::new(number).next_u64();
        let link = mix(u64::from(from.0) << 32 | u64::from(to.0));
        let message = mix(seed ^ link).wrapping_add(self.count);
        self.count += 1;
        Rng::new(mix(message))
    }
}
