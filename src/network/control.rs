//! How faults come and go.

use std::time::Duration;

use super::rules::Rules;
use super::{Endpoint, Envelope, Fault, Network, NetworkError, Percent};
use crate::id::NodeId;
use crate::time::Instant;

/// The faults. A link's are for both of its directions. Times may be anything; over
/// [`MAX_DURATION`](crate::time::MAX_DURATION) they make little sense.
impl<M: Clone> Network<M> {
    /// Brings a fault about, as its own function does. A time or a percentage of nothing lifts it.
    ///
    /// # Errors
    /// Those of the fault's own function.
    pub fn bring(&mut self, fault: &Fault) -> Result<(), NetworkError> {
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

    /// Cuts the links between the nodes on the left and those on the right; if `oneway`, only from
    /// left to right. Partitions add up until [`heal`](Self::heal); one that is there already
    /// changes nothing.
    ///
    /// # Errors
    /// [`NetworkError`] if a side has no nodes or too many, if a node is on both, or beyond
    /// [`MAX_PARTITIONS`](super::MAX_PARTITIONS).
    pub fn partition(
        &mut self,
        left: &[NodeId],
        right: &[NodeId],
        oneway: bool,
    ) -> Result<(), NetworkError> {
        self.faults.partition(left, right, oneway)
    }

    /// Cuts a node off from all nodes, but not from the client.
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
    /// [`NetworkError`] if the nodes are one, or if too many links have faults.
    pub fn delay(
        &mut self,
        a: NodeId,
        b: NodeId,
        time: Duration,
        jitter: Duration,
    ) -> Result<(), NetworkError> {
        let lifted = time.is_zero();
        let jitter = if lifted { Duration::ZERO } else { jitter };
        self.faults.change(a, b, |rules| {
            (rules.delay, rules.jitter) = (time, jitter);
        })
    }

    /// So many of the messages are lost. 0% lifts it.
    ///
    /// # Errors
    /// As with [`delay`](Self::delay).
    pub fn drop(&mut self, a: NodeId, b: NodeId, percent: Percent) -> Result<(), NetworkError> {
        self.faults.change(a, b, |rules| rules.drop = percent)
    }

    /// So many of the messages that are not lost arrive twice, each copy with its own jitter.
    /// 0% lifts it.
    ///
    /// # Errors
    /// As with [`delay`](Self::delay).
    pub fn duplicate(
        &mut self,
        a: NodeId,
        b: NodeId,
        percent: Percent,
    ) -> Result<(), NetworkError> {
        self.faults.change(a, b, |rules| rules.duplicate = percent)
    }

    /// So many of the copies can be overtaken: they arrive later than their place in order would
    /// have them, by one to ten tenths of a bound, and nothing waits for them. The bound is 10 ms,
    /// or the link's delay and jitter together if that is longer. 0% lifts it.
    ///
    /// # Errors
    /// As with [`delay`](Self::delay).
    pub fn reorder(&mut self, a: NodeId, b: NodeId, percent: Percent) -> Result<(), NetworkError> {
        self.faults.change(a, b, |rules| rules.reorder = percent)
    }

    /// Messages that are sent from now on wait for a [`release`](Self::release). What is in flight
    /// arrives.
    ///
    /// # Errors
    /// As with [`delay`](Self::delay).
    pub fn hold(&mut self, a: NodeId, b: NodeId) -> Result<(), NetworkError> {
        self.faults.change(a, b, |rules| rules.hold = true)
    }

    /// Lifts a [`hold`](Self::hold). What was held goes on its way at `now`, in the order of
    /// sending, and meets the other faults that are in force then. O(held).
    ///
    /// # Errors
    /// [`NetworkError::Itself`] if the nodes are one.
    pub fn release(
        &mut self,
        now: Instant,
        a: NodeId,
        b: NodeId,
    ) -> Result<Vec<NodeId>, NetworkError> {
        self.faults.change(a, b, |rules| rules.hold = false)?;
        let (released, held) = std::mem::take(&mut self.held)
            .into_iter()
            .partition(|envelope| envelope.concerns(a) && envelope.concerns(b));
        self.held = held;
        self.send_on(now, released);
        Ok(Vec::new())
    }

    /// Each message to the node takes `time` longer, the client's too. Zero lifts it.
    ///
    /// # Errors
    /// [`NetworkError::TooMany`] beyond [`MAX_NODES`](super::MAX_NODES).
    pub fn slow(&mut self, node: NodeId, time: Duration) -> Result<(), NetworkError> {
        self.faults.set_slow(node, time)
    }

    /// Lifts all faults. What they have put off arrives at `now`, in the order of being put in
    /// flight; then what was held, in the order of sending. Timers stay. O(in flight).
    pub fn heal(&mut self, now: Instant) {
        self.faults = Rules::default();
        self.queue.hurry(now);
        self.flows.retain(|_, flow| {
            flow.last = flow.last.min(now);
            flow.count > 0
        });
        self.settled = self.settled.min(now);
        let released = std::mem::take(&mut self.held);
        self.send_on(now, released);
    }

    /// A node has left: drops what is in flight from and to it, its timers, and its faults. O(in
    /// flight).
    pub fn forget(&mut self, node: NodeId) {
        let counts = &mut self.counts;
        let mut keep = |envelope: &Envelope<M>| {
            let gone = envelope.concerns(node);
            counts.dropped += u64::from(gone && envelope.travels());
            !gone
        };
        self.queue.retain(&mut keep);
        self.held.retain(&mut keep);
        let node_end = Endpoint::Node(node);
        self.flows
            .retain(|&(from, to), _| from != node_end && to != node_end);
        let lasts = self.flows.values().map(|flow| flow.last);
        self.settled = lasts.max().unwrap_or_default();
        self.faults.forget(node);
    }

    /// What is in force, so that it can be typed again: partitions in the order in which they were
    /// made, isolated nodes, the faults of each link, slow nodes; each by ascending number.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        self.faults.faults()
    }

    fn send_on(&mut self, now: Instant, envelopes: Vec<Envelope<M>>) {
        for mut envelope in envelopes {
            envelope.arrives = now;
            self.judge(now, envelope);
        }
    }
}
