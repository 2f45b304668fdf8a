//! The network between clients and nodes: messages in flight, and the faults that they meet.
//!
//! A sender calls [`Network::send`]. The driver of the cluster asks [`Network::next_at`], lets time
//! pass until then, and hands out what [`Network::deliver`] gives. In between are the faults. Each
//! message meets those in force when it is sent and gets a verdict: it passes, arrives later,
//! arrives twice, is dropped, or is held. The idea of rules that give verdicts is turmoil's
//! (tokio-rs, 2022). Partitions count at the arrival, too: a message that is in flight when its link
//! is cut is lost.
//!
//! Messages are delivered in order of (arrival, sequence). A link is as a TCP connection is: what
//! is sent first arrives first, through any delay and jitter, also when they are shortened or
//! lifted; a message then waits for those ahead of it. Only a message that REORDER selects can be
//! overtaken.
//!
//! Random numbers belong to the message, not to the run: the generator of the `n`-th message from
//! one endpoint to another that meets the link's faults is made of (seed, from, to, `n`), and each
//! kind of fault has its own place in its numbers. So a fault on one link changes nothing on another,
//! and a script from which a line is taken out still drops the same messages elsewhere. Random times
//! are tenths of their bound, so that now and then two of them are equal, which boundaries must
//! stand.
//!
//! ```
//! use std::time::Duration;
//! use shardlab::id::NodeId;
//! use shardlab::network::{Endpoint, Network, Payload};
//! use shardlab::time::Instant;
//!
//! #[derive(Clone, Debug, PartialEq)]
//! struct Text(&'static str);
//!
//! impl Payload for Text {
//!     fn bytes(&self) -> usize {
//!         self.0.len()
//!     }
//! }
//!
//! let (a, b) = (NodeId(0), NodeId(1));
//! let mut network = Network::new(7);
//! network.delay(a, b, Duration::from_millis(20), Duration::ZERO)?;
//! network.send(Instant::START, a.into(), b.into(), Text("hello"));
//!
//! let arrival = Instant::from_millis(20);
//! assert_eq!(network.next_at(), Some(arrival));
//! assert_eq!(network.deliver(Instant::from_millis(19)), None);
//! assert_eq!(network.deliver(arrival).map(|it| it.message), Some(Text("hello")));
//! assert_eq!(network.faults()[0].to_string(), "DELAY 0 1 20ms");
//! # Ok::<(), shardlab::network::NetworkError>(())
//! ```
//!
//! # Caveats
//!
//! - Faults between clients and nodes treat all clients alike: their party is [`Party::Clients`].
//!   [`Network::isolate`] leaves the clients' links alone. What a node sends to itself crosses no
//!   link and meets no fault.
//! - A fault is about messages that are sent from now on, not about those in flight; except that a
//!   partition loses both, and that [`Network::heal`] hurries all that are late.
//! - Keeping order costs time, as it does in TCP: where messages follow each other more closely than
//!   the jitter is wide, nearly all wait for the slowest of those ahead.
//! - A message that is delayed beyond the last instant arrives at [`Instant::MAX`].
//! - A duplicate follows its original at once, unless jitter or REORDER separates them.

mod control;
mod envelope;
mod fault;
mod flows;
mod held;
mod losses;
mod overflow;
mod percent;
mod queue;
mod rules;

pub use envelope::{Endpoint, Envelope, InFlight, Party, Payload};
pub use fault::{Fault, Link};
pub use losses::Losses;
pub use percent::{Percent, PercentError};

use crate::id::NodeId;
use crate::time::Instant;
use flows::Flows;
use held::Held;
use overflow::Overflow;
use queue::Queue;
use rules::{Delay, Rules, Verdict};

/// The most messages in flight, held ones among them. Beyond it the newest is lost.
pub const MAX_IN_FLIGHT: usize = 1 << 20;
/// The most bytes of late messages in flight: 1 GiB. Beyond it the newest is lost.
pub const MAX_LATE_BYTES: usize = 1 << 30;
/// The most messages that are held for one destination. Beyond it the newest is lost.
pub const MAX_HELD: usize = 10_000;
/// The most bytes of messages that are held for one destination: 16 MiB. Beyond it the newest is
/// lost.
pub const MAX_HELD_BYTES: usize = 16 << 20;
/// The most nodes that may have faults at a time.
pub const MAX_NODES: usize = 1024;
/// The most partitions at a time.
pub const MAX_PARTITIONS: usize = 1024;

/// Why the network refused a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// The two ends of a link are the same.
    #[error("there is no link from {end} to {end}", end = named(*.0))]
    Itself(Party),
    /// A party is on both sides of a partition.
    #[error("{} cannot be on both sides", named(*.0))]
    BothSides(Party),
    /// A side of a partition is empty.
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

fn named(party: Party) -> String {
    party
        .node()
        .map_or_else(|| party.to_string(), |node| format!("node {node}"))
}

/// What a network has counted since it was made. A message of a node to itself is not counted.
///
/// `sent` + `duplicated` = `delivered` + `dropped` + the messages in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages given to the network.
    pub sent: u64,
    /// Copies handed out.
    pub delivered: u64,
    /// Copies lost: at random, to a partition, with an endpoint that was forgotten, or to a bound.
    pub dropped: u64,
    /// Those of the dropped copies that were lost to a bound.
    pub overflowed: u64,
    /// Second copies made.
    pub duplicated: u64,
    /// Copies that others could overtake.
    pub reordered: u64,
    /// Messages that were held.
    pub held: u64,
}

/// A simulated network that carries messages of one type.
///
/// Without faults a message costs a few nanoseconds to send and to deliver: no allocation, no
/// hashing, no heap. With faults in force it costs some look-ups in ordered maps, O(log links +
/// partitions), and O(log in flight) if it arrives later or is held.
#[derive(Clone, Debug)]
pub struct Network<M> {
    seed: u64,
    faults: Rules,
    queue: Queue<M>,
    held: Held<M>,
    flows: Flows,
    sequence: u64,
    counts: Counts,
    overflow: Overflow,
    /// The lost messages, while a caller watches for them.
    losses: Option<Losses<M>>,
}

impl<M: Payload> Network<M> {
    /// A healthy network. The seed decides all that is random.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            faults: Rules::default(),
            queue: Queue::default(),
            held: Held::default(),
            flows: Flows::default(),
            sequence: 0,
            counts: Counts::default(),
            overflow: Overflow::default(),
            losses: None,
        }
    }

    /// Sends a message, which meets the faults in force: 0, 1 or 2 copies of it are in flight
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
        if self.faults.is_empty() && self.flows.is_settled(now) && !self.is_full() {
            self.sequence += 1;
            self.queue.push_present(envelope);
        } else {
            self.apply_faults(now, envelope);
        }
    }

    /// When [`deliver`](Self::deliver) should be called next. It may give nothing then, if the
    /// message is lost at its arrival. Held messages have no such instant.
    #[must_use]
    pub fn next_at(&self) -> Option<Instant> {
        self.queue.next().map(|next| next.arrives)
    }

    /// The next message that is due at or before `now`.
    #[inline]
    pub fn deliver(&mut self, now: Instant) -> Option<Envelope<M>> {
        if !self.faults.is_empty() {
            self.lose_cut(now);
        }
        let next = self.queue.pop(now);
        let travelled = next.as_ref().is_some_and(Envelope::travels);
        self.counts.delivered += u64::from(travelled);
        next
    }

    /// Loses the next messages as long as they are due and a partition lies in their way.
    fn lose_cut(&mut self, now: Instant) {
        while let Some(next) = self.queue.next()
            && next.arrives <= now
            && self.faults.cut(next.from.into(), next.to.into())
            && let Some(envelope) = self.queue.pop(now)
        {
            self.lose(envelope.arrives, envelope);
        }
    }

    /// All messages in flight: those under way in the order of delivery, then the held ones in the
    /// order of sending. O(n log n).
    #[must_use]
    pub fn in_flight(&self) -> Vec<InFlight<'_, M>> {
        let queued = self.queue.in_order().into_iter();
        let queued = queued.map(|envelope| (envelope, false));
        let held = self.held.in_order().into_iter();
        let all = queued.chain(held.map(|envelope| (envelope, true)));
        all.map(|(envelope, held)| InFlight { envelope, held })
            .collect()
    }

    /// How many messages are in flight, held ones among them. O(1).
    #[inline]
    #[must_use]
    pub fn in_flight_count(&self) -> usize {
        self.queue.len() + self.held.len()
    }

    /// Whether no fault is in force and nothing is in flight.
    #[inline]
    #[must_use]
    pub fn is_undisturbed(&self) -> bool {
        self.faults.is_empty() && self.in_flight_count() == 0
    }

    /// Whether a partition stops every message from `from` to `to`.
    #[must_use]
    pub fn is_cut(&self, from: impl Into<Endpoint>, to: impl Into<Endpoint>) -> bool {
        self.faults.cut(from.into().into(), to.into().into())
    }

    /// How many messages to a node were lost to a bound since it was last named by
    /// [`release`](Self::release) or [`heal`](Self::heal). O(nodes).
    #[must_use]
    pub fn overflow(&self, node: NodeId) -> u64 {
        self.overflow.of(node)
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Keeps the messages that get lost from now on, for [`Network::losses`].
    pub fn watch_losses(&mut self) {
        self.losses = Some(Losses::default());
    }

    /// The messages that got lost since [`Network::watch_losses`]. Ends the watch.
    pub fn losses(&mut self) -> Losses<M> {
        self.losses.take().unwrap_or_default()
    }

    /// Carries out the verdict of the faults on a message.
    fn apply_faults(&mut self, now: Instant, envelope: Envelope<M>) {
        if !envelope.travels() {
            return self.put(now, envelope);
        }
        let (seed, from, to) = (self.seed, envelope.from, envelope.to);
        let rng = || self.flows.rng(seed, now, from, to);
        match self.faults.verdict(from, to, rng) {
            Verdict::Drop => self.lose(now, envelope),
            Verdict::Hold => self.hold_back(now, envelope),
            Verdict::Deliver(delay) => self.put_after(now, delay, envelope),
            Verdict::Twice(first, second) => {
                self.counts.duplicated += 1;
                self.put_after(now, first, envelope.clone());
                self.put_after(now, second, envelope);
            }
        }
    }

    fn hold_back(&mut self, now: Instant, mut envelope: Envelope<M>) {
        if self.is_full() || !self.held.has_room(&envelope) {
            return self.lose_to_bound(now, envelope);
        }
        self.counts.held += 1;
        envelope.sequence = self.next_sequence();
        self.held.push(envelope);
    }

    /// Puts a message in flight that arrives after a delay, but not before those ahead of it.
    fn put_after(&mut self, now: Instant, delay: Delay, mut envelope: Envelope<M>) {
        let bytes = self.queue.late_bytes() + envelope.message.bytes();
        if self.is_full() || bytes > MAX_LATE_BYTES {
            return self.lose_to_bound(now, envelope);
        }
        self.counts.reordered += u64::from(delay.overtaken.is_some());
        envelope.arrives = self.flows.arrival(now, envelope.from, envelope.to, delay);
        self.put(now, envelope);
    }

    /// Puts a message in flight, if there is room.
    fn put(&mut self, now: Instant, mut envelope: Envelope<M>) {
        if self.is_full() {
            return self.lose_to_bound(now, envelope);
        }
        envelope.sequence = self.next_sequence();
        if envelope.arrives <= now {
            self.queue.push_present(envelope);
        } else {
            self.queue.push_later(envelope);
        }
    }

    #[cold]
    fn lose_to_bound(&mut self, now: Instant, envelope: Envelope<M>) {
        if envelope.travels() {
            self.counts.overflowed += 1;
            self.overflow.note(envelope.from, envelope.to);
            self.lose(now, envelope);
        }
    }

    #[cold]
    fn lose(&mut self, now: Instant, envelope: Envelope<M>) {
        self.counts.dropped += 1;
        if let Some(losses) = &mut self.losses {
            losses.note(now, envelope);
        }
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.in_flight_count() >= MAX_IN_FLIGHT
    }

    fn next_sequence(&mut self) -> u64 {
        let sequence = self.sequence;
        self.sequence += 1;
        sequence
    }
}

#[cfg(test)]
mod bound_tests;
#[cfg(test)]
mod chance_tests;
#[cfg(test)]
mod client_tests;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;
