//! What the network knows of the messages from one endpoint to another: their order and their random
//! numbers.

use std::collections::BTreeMap;

use super::rules::Delay;
use super::{Endpoint, MAX_IN_FLIGHT};
use crate::rng::Rng;
use crate::time::Instant;

/// The messages from one endpoint to another.
#[derive(Clone, Copy, Debug, Default)]
struct Flow {
    /// How many have met the link's faults.
    count: u64,
    /// The latest arrival of those that keep their order: none after them arrives earlier.
    last: Instant,
}

/// All flows that need memory: those with messages under way, and those whose numbers have begun.
#[derive(Clone, Debug)]
pub(super) struct Flows {
    by_ends: BTreeMap<(Endpoint, Endpoint), Flow>,
    /// The latest [`Flow::last`]: from then on every message keeps its order by itself.
    settled: Instant,
    /// With this many flows, those without messages under way are forgotten.
    limit: usize,
}

impl Default for Flows {
    fn default() -> Self {
        Self {
            by_ends: BTreeMap::new(),
            settled: Instant::START,
            limit: MAX_IN_FLIGHT,
        }
    }
}

impl Flows {
    /// Whether a message that is sent now arrives after all that were sent before.
    #[inline]
    pub(super) fn is_settled(&self, now: Instant) -> bool {
        self.settled <= now
    }

    /// The generator of a message's numbers, which depend on the seed, its ends, and how many
    /// messages of its flow came before.
    pub(super) fn rng(&mut self, seed: u64, now: Instant, from: Endpoint, to: Endpoint) -> Rng {
        let mix = |number| Rng::new(number).next_u64();
        let number = |end| match end {
            Endpoint::Node(node) => u64::from(node.0),
            Endpoint::Client(client) => mix(1 << 32 | u64::from(client)),
        };
        let link = mix(number(from).rotate_left(32) ^ number(to));
        let flow = self.flow(now, from, to);
        let message = mix(seed ^ link).wrapping_add(flow.count);
        flow.count += 1;
        Rng::new(mix(message))
    }

    /// When a message arrives that is sent now: after its delay, but not before those ahead of it.
    pub(super) fn arrival(
        &mut self,
        now: Instant,
        from: Endpoint,
        to: Endpoint,
        delay: Delay,
    ) -> Instant {
        let last = self.by_ends.get(&(from, to)).map(|flow| flow.last);
        let in_order = now
            .saturating_add(delay.in_order)
            .max(last.unwrap_or_default());
        if let Some(extra) = delay.overtaken {
            return in_order.saturating_add(extra);
        }
        if in_order > now {
            self.flow(now, from, to).last = in_order;
            self.settled = self.settled.max(in_order);
        }
        in_order
    }

    fn flow(&mut self, now: Instant, from: Endpoint, to: Endpoint) -> &mut Flow {
        if self.by_ends.len() >= self.limit {
            // At most MAX_IN_FLIGHT flows have messages under way. The others start anew.
            self.by_ends.retain(|_, flow| flow.last > now);
            self.limit = MAX_IN_FLIGHT.max(2 * self.by_ends.len());
        }
        self.by_ends.entry((from, to)).or_default()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_ends.len()
    }

    /// Everything arrives at `now` at the latest. O(flows).
    pub(super) fn hurry(&mut self, now: Instant) {
        self.by_ends.retain(|_, flow| {
            flow.last = flow.last.min(now);
            flow.count > 0
        });
        self.settled = self.settled.min(now);
    }

    /// Forgets the flows from and to an endpoint. O(flows).
    pub(super) fn forget(&mut self, end: Endpoint) {
        self.by_ends
            .retain(|&(from, to), _| from != end && to != end);
        let lasts = self.by_ends.values().map(|flow| flow.last);
        self.settled = lasts.max().unwrap_or_default();
    }
}
