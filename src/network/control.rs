//! How faults come and go.

use std::time::Duration;

use super::rules::{LinkRules, Rules};
use super::{Endpoint, Envelope, Fault, Link, Network, NetworkError, Party, Payload, Percent};
use crate::id::NodeId;
use crate::time::Instant;

/// The faults. Those of a link work in both directions; its ends are two nodes, or a node and
/// [`Party::Clients`]. Times may be anything; over [`MAX_DURATION`](crate::time::MAX_DURATION) they
/// make little sense.
impl<M: Payload> Network<M> {
    /// Brings a fault about, as its own function does. A time of zero or a percentage of none lifts
    /// it.
    ///
    /// # Errors
    /// Those of the fault's own function.
    pub fn apply(&mut self, fault: &Fault) -> Result<(), NetworkError> {
        match *fault {
            Fault::Partition {
                ref left,
                ref right,
                oneway,
            } => self.partition(left, right, oneway),
            Fault::Isolate(node) => self.isolate(node),
            Fault::Delay { link, time, jitter } => self.delay(link.low, link.high, time, jitter),
            Fault::Drop { link, percent } => self.drop(link.low, link.high, percent),
            Fault::Duplicate { link, percent } => self.duplicate(link.low, link.high, percent),
            Fault::Reorder { link, percent } => self.reorder(link.low, link.high, percent),
            Fault::Hold(link) => self.hold(link.low, link.high),
            Fault::Slow { node, time } => self.slow(node, time),
        }
    }

    /// Cuts the links between the parties on the left and those on the right; if `oneway`, only from
    /// left to right. Partitions add up until [`heal`](Self::heal). One that is in force already
    /// changes nothing.
    ///
    /// # Errors
    /// [`NetworkError`] if a side has no nodes or too many, if a party is on both, or beyond
    /// [`MAX_PARTITIONS`](super::MAX_PARTITIONS).
    pub fn partition<P: Into<Party> + Copy>(
        &mut self,
        left: &[P],
        right: &[P],
        oneway: bool,
    ) -> Result<(), NetworkError> {
        let [left, right] = [left, right].map(|side| side.iter().map(|&it| it.into()).collect());
        self.faults.partition(left, right, oneway)
    }

    /// Cuts a node off from all nodes, but not from the clients.
    ///
    /// # Errors
    /// [`NetworkError::TooMany`] beyond [`MAX_NODES`](super::MAX_NODES).
    pub fn isolate(&mut self, node: NodeId) -> Result<(), NetworkError> {
        self.faults.isolate(node)
    }

    /// Messages take `time` longer, and at random up to `jitter` more, in tenths of it, the whole
    /// included. They keep their order. A `time` of zero lifts both.
    ///
    /// # Errors
    /// [`NetworkError`] if the two ends are the same, or if too many links have faults.
    pub fn delay(
        &mut self,
        a: impl Into<Party>,
        b: impl Into<Party>,
        time: Duration,
        jitter: Duration,
    ) -> Result<(), NetworkError> {
        let lifted = time.is_zero();
        let jitter = if lifted { Duration::ZERO } else { jitter };
        self.faults.change(a.into(), b.into(), |rules| {
            (rules.delay, rules.jitter) = (time, jitter);
        })
    }

    /// This percentage of the messages is lost. 0% lifts it.
    ///
    /// # Errors
    /// As with [`delay`](Self::delay).
    pub fn drop(
        &mut self,
        a: impl Into<Party>,
        b: impl Into<Party>,
        percent: Percent,
    ) -> Result<(), NetworkError> {
        let change = |rules: &mut LinkRules| rules.drop = percent;
        self.faults.change(a.into(), b.into(), change)
    }

    /// This percentage of the messages that are not lost arrives twice, each copy with its own
    /// jitter. 0% lifts it.
    ///
    /// # Errors
    /// As with [`delay`](Self::delay).
    pub fn duplicate(
        &mut self,
        a: impl Into<Party>,
        b: impl Into<Party>,
        percent: Percent,
    ) -> Result<(), NetworkError> {
        let change = |rules: &mut LinkRules| rules.duplicate = percent;
        self.faults.change(a.into(), b.into(), change)
    }

    /// This percentage of the copies can be overtaken: they arrive later than in order, by one to
    /// ten tenths of a bound, and no message waits for them. The bound is 10 ms, or the link's delay
    /// and jitter together if that is longer. 0% lifts it.
    ///
    /// # Errors
    /// As with [`delay`](Self::delay).
    pub fn reorder(
        &mut self,
        a: impl Into<Party>,
        b: impl Into<Party>,
        percent: Percent,
    ) -> Result<(), NetworkError> {
        let change = |rules: &mut LinkRules| rules.reorder = percent;
        self.faults.change(a.into(), b.into(), change)
    }

    /// Messages that are sent from now on wait for a [`release`](Self::release). Those in flight
    /// arrive. A destination holds at most [`MAX_HELD`](super::MAX_HELD) messages and
    /// [`MAX_HELD_BYTES`](super::MAX_HELD_BYTES), all clients together as one; what comes then is
    /// lost, and [`overflow`](Self::overflow) counts it.
    ///
    /// # Errors
    /// As with [`delay`](Self::delay).
    pub fn hold(&mut self, a: impl Into<Party>, b: impl Into<Party>) -> Result<(), NetworkError> {
        self.faults
            .change(a.into(), b.into(), |rules| rules.hold = true)
    }

    /// Lifts a [`hold`](Self::hold). The held messages go on their way at `now`, in the order of
    /// sending, and meet the other faults that are in force then. Cost: O(n log n) in the messages
    /// of this link.
    ///
    /// Returns the nodes that lost messages of this link to a bound, by ascending number: they must
    /// merge what the others have.
    ///
    /// # Errors
    /// [`NetworkError::Itself`] if the two ends are the same.
    pub fn release(
        &mut self,
        now: Instant,
        a: impl Into<Party>,
        b: impl Into<Party>,
    ) -> Result<Vec<NodeId>, NetworkError> {
        let (a, b) = (a.into(), b.into());
        let link = Link::new(a, b).ok_or(NetworkError::Itself(a))?;
        self.faults.change(a, b, |rules| rules.hold = false)?;
        let released = self.held.take_link(link);
        self.send_on(now, released);
        Ok(self.overflow.take_link(link))
    }

    /// Each message to the node takes `time` longer, also a client's. Zero lifts it.
    ///
    /// # Errors
    /// [`NetworkError::TooMany`] beyond [`MAX_NODES`](super::MAX_NODES).
    pub fn slow(&mut self, node: NodeId, time: Duration) -> Result<(), NetworkError> {
        self.faults.set_slow(node, time)
    }

    /// Lifts all faults. Late messages arrive at `now`, in the order of being put in flight; then
    /// the held ones, in the order of sending. Cost: O(n log n) in the messages in flight.
    ///
    /// Returns the nodes that lost messages to a bound, by ascending number: they must merge what
    /// the others have.
    pub fn heal(&mut self, now: Instant) -> Vec<NodeId> {
        self.faults = Rules::default();
        self.queue.hurry(now);
        self.flows.hurry(now);
        let released = self.held.take_all();
        self.send_on(now, released);
        self.overflow.take_all()
    }

    /// A node has left, or a client has gone: its messages in flight are lost, and a node's faults
    /// are lifted. Cost: O(messages in flight), and O(log links) for each destination of held ones.
    pub fn forget(&mut self, now: Instant, end: impl Into<Endpoint>) {
        let end = end.into();
        let mut gone = self.queue.take(|envelope| envelope.concerns(end));
        gone.extend(self.held.take_endpoint(end));
        for envelope in gone.into_iter().filter(Envelope::travels) {
            self.lose(now, envelope);
        }
        self.flows.forget(end);
        if let Endpoint::Node(node) = end {
            self.faults.forget(node);
            self.overflow.forget(node);
        }
    }

    /// The faults in force: partitions in the order in which they were made, isolated nodes, the
    /// faults of each link, slow nodes; each by ascending number.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        self.faults.faults()
    }

    fn send_on(&mut self, now: Instant, envelopes: Vec<Envelope<M>>) {
        for mut envelope in envelopes {
            envelope.arrives = now;
            self.apply_faults(now, envelope);
        }
    }
}
