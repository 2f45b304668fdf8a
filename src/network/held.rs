//! Messages that wait until their link is released.
//!
//! They stand by destination, so that each node's share can be bounded, and within it by sender, so
//! that releasing one link touches no message of another.

use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;

use super::{Endpoint, Envelope, Link, MAX_HELD, MAX_HELD_BYTES, Party, Payload};
use crate::id::NodeId;

/// All held messages.
#[derive(Clone, Debug)]
pub(super) struct Held<M> {
    /// Only those with a message.
    destinations: BTreeMap<Party, Waiting<M>>,
    len: usize,
    /// The most messages, and the most bytes, of one destination.
    pub(super) bounds: (usize, usize),
}

/// Messages for one destination.
#[derive(Clone, Debug)]
struct Waiting<M> {
    /// By sender and destination, in the order of sending; none is empty.
    lanes: BTreeMap<(Endpoint, Endpoint), VecDeque<Envelope<M>>>,
    len: usize,
    bytes: usize,
}

impl<M> Default for Held<M> {
    fn default() -> Self {
        Self {
            destinations: BTreeMap::new(),
            len: 0,
            bounds: (MAX_HELD, MAX_HELD_BYTES),
        }
    }
}

impl<M> Default for Waiting<M> {
    fn default() -> Self {
        Self {
            lanes: BTreeMap::new(),
            len: 0,
            bytes: 0,
        }
    }
}

impl<M: Payload> Held<M> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether the message's destination may have one more. O(log destinations).
    pub(super) fn has_room(&self, envelope: &Envelope<M>) -> bool {
        let (len, bytes) = self
            .destinations
            .get(&envelope.to.into())
            .map_or((0, 0), |waiting| (waiting.len, waiting.bytes));
        len < self.bounds.0 && bytes + envelope.message.bytes() <= self.bounds.1
    }

    /// Keeps a message for which there is room. O(log links).
    pub(super) fn push(&mut self, envelope: Envelope<M>) {
        self.len += 1;
        let waiting = self.destinations.entry(envelope.to.into()).or_default();
        waiting.len += 1;
        waiting.bytes += envelope.message.bytes();
        let ends = (envelope.from, envelope.to);
        waiting.lanes.entry(ends).or_default().push_back(envelope);
    }

    /// Takes out the messages of one link, in the order of sending. Cost: a sort of them.
    pub(super) fn take_link(&mut self, link: Link) -> Vec<Envelope<M>> {
        let mut taken = self.take_lanes(link.high, lanes(link.low, link.high));
        taken.extend(self.take_lanes(link.low, lanes(link.high, link.low)));
        taken.sort_unstable_by_key(|envelope| envelope.sequence);
        taken
    }

    /// Takes out all messages, in the order of sending. Cost: a sort of them.
    pub(super) fn take_all(&mut self) -> Vec<Envelope<M>> {
        self.len = 0;
        let held = std::mem::take(&mut self.destinations).into_values();
        let lanes = held.flat_map(|waiting| waiting.lanes.into_values());
        let mut all: Vec<Envelope<M>> = lanes.flatten().collect();
        all.sort_unstable_by_key(|envelope| envelope.sequence);
        all
    }

    /// Takes out the messages from and to an endpoint, in the order of sending. Cost: a sort of
    /// them, and O(log links) for each destination.
    pub(super) fn take_endpoint(&mut self, end: Endpoint) -> Vec<Envelope<M>> {
        let party = end.into();
        let to_it: Vec<_> = self.destinations.get(&party).map_or_else(Vec::new, |it| {
            let lanes = it.lanes.keys().filter(|(_, to)| *to == end);
            lanes.copied().collect()
        });
        let mut taken = Vec::new();
        for lane in to_it {
            taken.extend(self.take_lanes(party, lane..=lane));
        }
        let destinations: Vec<Party> = self.destinations.keys().copied().collect();
        for destination in destinations {
            let from_it = (end, Endpoint::Client(0))..=(end, LAST);
            taken.extend(self.take_lanes(destination, from_it));
        }
        taken.sort_unstable_by_key(|envelope| envelope.sequence);
        taken
    }

    /// Takes out the messages of some lanes to one destination.
    fn take_lanes(
        &mut self,
        destination: Party,
        lanes: RangeInclusive<(Endpoint, Endpoint)>,
    ) -> Vec<Envelope<M>> {
        let Some(waiting) = self.destinations.get_mut(&destination) else {
            return Vec::new();
        };
        let keys: Vec<_> = waiting.lanes.range(lanes).map(|(ends, _)| *ends).collect();
        let lanes = keys.iter().filter_map(|ends| waiting.lanes.remove(ends));
        let taken: Vec<Envelope<M>> = lanes.flatten().collect();
        waiting.len -= taken.len();
        waiting.bytes -= taken.iter().map(|it| it.message.bytes()).sum::<usize>();
        self.len -= taken.len();
        if waiting.len == 0 {
            self.destinations.remove(&destination);
        }
        taken
    }

    /// All held messages, in the order of sending. O(n log n).
    pub(super) fn in_order(&self) -> Vec<&Envelope<M>> {
        let lanes = self.destinations.values().flat_map(|it| it.lanes.values());
        let mut all: Vec<&Envelope<M>> = lanes.flatten().collect();
        all.sort_unstable_by_key(|envelope| envelope.sequence);
        all
    }
}

/// Above all other endpoints.
const LAST: Endpoint = Endpoint::Node(NodeId(u32::MAX));

/// The keys of all lanes from one party to another. As the parties of a link differ, at most one of
/// them is the clients.
fn lanes(from: Party, to: Party) -> RangeInclusive<(Endpoint, Endpoint)> {
    let ends = |party| match party {
        Party::Clients => (Endpoint::Client(0), Endpoint::Client(u32::MAX)),
        Party::Node(node) => (node.into(), node.into()),
    };
    let ((first_from, last_from), (first_to, last_to)) = (ends(from), ends(to));
    (first_from, first_to)..=(last_from, last_to)
}
