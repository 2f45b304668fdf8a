//! Requests of clients: submit and poll.
//!
//! A client submits an operation on one key and gets a ticket; nothing blocks. When the outcome is
//! known, the ticket is in the queue of completions, from which [`Cluster::poll`] takes it. A caller
//! waits by letting time pass between polls.
//!
//! The client sends the request to one node, which coordinates: the first owner of the key that is
//! not down. Messages pass through the simulated network in the order of (instant, sequence). Where
//! nothing is disturbed, the request takes the fast path instead (see `fast_path.rs`), with the same
//! result.
//!
//! A client that gets no answer in time asks the next owner. That is the same write, with the same
//! version, so it does no harm if both carry it out. A conditional operation is sent only once,
//! unless the first node is certainly down.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::Cluster;
use crate::config::Config;
use crate::history::OpId;
use crate::id::NodeId;
use crate::network::Endpoint;
use crate::operation::{Bytes, Group, Operation, Outcome, PutError, Refusal, Shortfall};
use crate::replica::{self, Message, RequestId, Timers};
use crate::time::Instant;

/// How many timeouts a client waits for a coordinator, which waits for owners twice at most.
const PATIENCE: u32 = 3;
/// The most requests that have no outcome, or whose outcome was not polled.
pub const MAX_REQUESTS: usize = 1 << 16;

/// An operation that a client submits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The client's number.
    pub client: u32,
    /// The node that coordinates; `None`: the first owner that is not down.
    pub via: Option<NodeId>,
    /// The key.
    pub key: &'a [u8],
    /// What to do with it.
    pub operation: Operation<&'a [u8]>,
    /// The command that it is a part of, for a history; `None`: that of the operation.
    pub name: Option<&'static str>,
    /// Whether it is a look: it counts as no hit or miss and no access, and no history records it.
    pub is_look: bool,
}

impl<'a> Request<'a> {
    /// A request of client 0 to the first owner.
    #[must_use]
    pub fn new(key: &'a [u8], operation: Operation<&'a [u8]>) -> Self {
        Self {
            client: 0,
            via: None,
            key,
            operation,
            name: None,
            is_look: false,
        }
    }

    /// A read that counts as nothing.
    #[must_use]
    pub fn look(key: &'a [u8]) -> Self {
        Self {
            is_look: true,
            ..Self::new(key, Operation::Get)
        }
    }

    /// The same request of another client.
    #[must_use]
    pub fn of(self, client: u32) -> Self {
        Self { client, ..self }
    }

    /// The same request to another coordinator.
    #[must_use]
    pub fn via(self, node: Option<NodeId>) -> Self {
        Self { via: node, ..self }
    }
}

/// The number of a submitted request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

impl Ticket {
    const SLOT_BITS: u32 = MAX_REQUESTS.ilog2();

    #[expect(clippy::cast_possible_truncation, reason = "the bits of the slot")]
    fn slot(self) -> usize {
        (self.0 & (MAX_REQUESTS as u64 - 1)) as usize
    }

    fn id(self) -> RequestId {
        RequestId(self.0)
    }
}

/// A request whose outcome is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Which request.
    pub ticket: Ticket,
    /// The client that submitted it.
    pub client: u32,
    /// The node that answered, or the last one that was asked.
    pub node: NodeId,
    /// The outcome.
    pub outcome: Outcome,
}

/// A request that was submitted.
pub(crate) enum Started {
    /// Its outcome is known, and the node that answered.
    Completed(NodeId, Outcome),
    /// Its completion comes with this ticket.
    InFlight(Ticket),
}

/// There are as many requests in flight as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many requests in flight: at most {MAX_REQUESTS}")]
pub struct TooManyRequests;

/// The client side of the cluster: requests in flight and completions.
#[derive(Clone, Default)]
pub(super) struct Clients {
    /// How many requests were ever submitted.
    submitted: u64,
    /// The requests in flight, by the slots of their tickets.
    slots: Vec<Option<Box<InFlight>>>,
    free: Vec<usize>,
    timers: Timers<Ticket>,
    completed: VecDeque<Completion>,
}

/// A request without an outcome.
#[derive(Clone)]
struct InFlight {
    ticket: Ticket,
    client: u32,
    key: Bytes,
    request: replica::Request,
    /// Its number in the history, if one is kept.
    call: Option<OpId>,
    submitted: Instant,
    is_look: bool,
    /// The nodes that it may ask, and which of them it asks now.
    coordinators: SmallVec<[NodeId; 4]>,
    at: usize,
    due: Instant,
    /// The coordinators that were asked and did not answer in time: each may have carried it out.
    silent: SmallVec<[NodeId; 2]>,
    /// The coordinators that were down.
    down: SmallVec<[NodeId; 2]>,
    via: bool,
}

impl InFlight {
    /// The certain part of an outcome. A refused write may still be carried out by a coordinator
    /// that was silent.
    fn certain(&self, outcome: Outcome) -> Outcome {
        let doubtful = !self.silent.is_empty() && !self.request.operation.is_read();
        match outcome {
            Outcome::Refused(Refusal::Quorum(shortfall)) if doubtful => Outcome::Unknown(shortfall),
            Outcome::Refused(_) if doubtful => Outcome::Unknown(self.shortfall()),
            certain => certain,
        }
    }

    /// Why no coordinator has carried it out.
    fn shortfall(&self) -> Box<Shortfall> {
        Box::new(Shortfall {
            needed: 1,
            silent: self.silent.to_vec(),
            down: self.down.to_vec(),
            group: if self.via {
                Group::Coordinators
            } else {
                Group::Owners
            },
            ..Shortfall::default()
        })
    }
}

impl Clients {
    /// How many requests have no outcome.
    pub(super) fn in_flight(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.in_flight() + self.completed.len() >= MAX_REQUESTS
    }

    fn get(&self, ticket: Ticket) -> Option<&InFlight> {
        let slot = self.slots.get(ticket.slot())?.as_deref();
        slot.filter(|it| it.ticket == ticket)
    }

    fn get_mut(&mut self, ticket: Ticket) -> Option<&mut InFlight> {
        let slot = self.slots.get_mut(ticket.slot())?.as_deref_mut();
        slot.filter(|it| it.ticket == ticket)
    }

    fn take(&mut self, ticket: Ticket) -> Option<Box<InFlight>> {
        self.get(ticket)?;
        self.free.push(ticket.slot());
        self.slots[ticket.slot()].take()
    }

    /// The next ticket, for a request in this slot.
    fn next_ticket(&mut self, slot: usize) -> Ticket {
        self.submitted += 1;
        Ticket(self.submitted << Ticket::SLOT_BITS | slot as u64)
    }

    fn complete(&mut self, ticket: Ticket, client: u32, node: NodeId, outcome: Outcome) {
        self.completed.push_back(Completion {
            ticket,
            client,
            node,
            outcome,
        });
    }

    fn insert(&mut self, make: impl FnOnce(Ticket) -> InFlight) -> Ticket {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        let ticket = self.next_ticket(slot);
        self.slots[slot] = Some(Box::new(make(ticket)));
        ticket
    }

    fn set_timer(&mut self, ticket: Ticket, due: Instant) {
        let Self { slots, timers, .. } = self;
        let is_live = |due, ticket: Ticket| {
            let slot = slots.get(ticket.slot()).and_then(Option::as_deref);
            slot.is_some_and(|it| it.ticket == ticket && it.due == due)
        };
        timers.push(due, ticket, slots.len(), is_live);
    }

    /// When the next request times out, and which.
    pub(super) fn first_due(&mut self) -> Option<(Instant, Ticket)> {
        let slots = &self.slots;
        self.timers.first(|due, ticket| {
            let slot = slots.get(ticket.slot()).and_then(Option::as_deref);
            slot.is_some_and(|it| it.ticket == ticket && it.due == due)
        })
    }
}

impl Cluster {
    /// Submits an operation. Everything that can happen at `now` has happened when this returns:
    /// [`Cluster::poll`] then has the outcome, unless messages are late or lost.
    ///
    /// # Errors
    /// [`TooManyRequests`] if [`MAX_REQUESTS`] have no outcome, or were not polled.
    pub fn submit(
        &mut self,
        now: Instant,
        request: Request<'_>,
    ) -> Result<Ticket, TooManyRequests> {
        Ok(match self.start_request(now, &request)? {
            Started::InFlight(ticket) => ticket,
            Started::Completed(node, outcome) => {
                let ticket = self.clients.next_ticket(0);
                self.clients.complete(ticket, request.client, node, outcome);
                ticket
            }
        })
    }

    /// Like [`Cluster::submit`], but an outcome that the fast path knows is returned, and needs no
    /// place in the queue.
    #[inline]
    pub(crate) fn start_request(
        &mut self,
        now: Instant,
        request: &Request<'_>,
    ) -> Result<Started, TooManyRequests> {
        if self.clients.is_full() {
            return Err(TooManyRequests);
        }
        self.tick(now);
        let now = self.present;
        let call = self.record_call(now, request);
        if !request.operation.is_read() {
            self.clock += 1;
        }
        let completed = match check(&self.config, request) {
            Err(error) => Some((self.owner(request.key), Outcome::Refused(error.into()))),
            Ok(()) => self.run_fast(now, request),
        };
        let Some((node, outcome)) = completed else {
            return Ok(Started::InFlight(self.send_request(now, request, call)));
        };
        if call.is_some() {
            let is_delete = matches!(request.operation, Operation::Delete);
            self.record_outcome(now, call, is_delete, &outcome);
        }
        self.latencies.at_once += u64::from(!request.is_look);
        Ok(Started::Completed(node, outcome))
    }

    /// The next request whose outcome is known, in the order in which they became known. Each is
    /// returned once.
    #[inline]
    pub fn poll(&mut self) -> Option<Completion> {
        self.clients.completed.pop_front()
    }

    /// Takes the completion of one request out of the queue, if it is there. Cost: a look at all
    /// completions.
    pub fn take(&mut self, ticket: Ticket) -> Option<Completion> {
        let completed = &mut self.clients.completed;
        let index = completed.iter().rposition(|it| it.ticket == ticket)?;
        completed.remove(index)
    }

    /// Submits an operation, and returns the outcome as far as it is known at `now`. A request that
    /// has none is abandoned: [`Outcome::Unknown`].
    pub fn call(&mut self, now: Instant, request: Request<'_>) -> (NodeId, Outcome) {
        let unknown = || (NodeId(0), Outcome::Unknown(Box::default()));
        let ticket = match self.start_request(now, &request) {
            Err(TooManyRequests) => return unknown(),
            Ok(Started::Completed(node, outcome)) => return (node, outcome),
            Ok(Started::InFlight(ticket)) => ticket,
        };
        if let Some(completion) = self.take(ticket) {
            (completion.node, completion.outcome)
        } else {
            self.abandon(now, ticket);
            unknown()
        }
    }

    /// Gives a request up: the operation may have been carried out, or not.
    pub fn abandon(&mut self, now: Instant, ticket: Ticket) {
        if let Some(in_flight) = self.clients.take(ticket) {
            let unknown = Outcome::Unknown(Box::default());
            self.record_outcome(now, in_flight.call, false, &unknown);
        }
    }

    fn send_request(&mut self, now: Instant, request: &Request<'_>, call: Option<OpId>) -> Ticket {
        self.quiescent = None;
        self.note_sent(request, call);
        let coordinators = match request.via {
            Some(node) => SmallVec::from_slice(&[node]),
            None => SmallVec::from_slice(&self.rules().owners(request.key)),
        };
        let (client, version) = (request.client, self.clock);
        let ticket = self.clients.insert(|ticket| InFlight {
            ticket,
            client,
            key: request.key.into(),
            request: replica::Request {
                operation: request.operation.map(Bytes::from),
                counts: !request.is_look && request.operation.is_read(),
                version,
            },
            call,
            submitted: now,
            is_look: request.is_look,
            coordinators,
            at: 0,
            due: now,
            silent: SmallVec::new(),
            down: SmallVec::new(),
            via: request.via.is_some(),
        });
        self.ask_coordinator(now, ticket);
        self.pump(now);
        if self.is_quiescent() && !request.is_look {
            self.forget_tombstones();
        }
        ticket
    }

    /// Sends a request to the coordinator whose turn it is, or completes it if there is none.
    fn ask_coordinator(&mut self, now: Instant, ticket: Ticket) {
        let due = now.saturating_add(self.config.timeout * PATIENCE);
        let Some(in_flight) = self.clients.get_mut(ticket) else {
            return;
        };
        let Some(&node) = in_flight.coordinators.get(in_flight.at) else {
            let shortfall = in_flight.shortfall();
            let node = in_flight.coordinators.first().copied();
            let outcome = Outcome::Refused(Refusal::Quorum(shortfall));
            return self.finish_request(now, ticket, node.unwrap_or(NodeId(0)), outcome);
        };
        in_flight.due = due;
        let (key, request) = (in_flight.key.clone(), in_flight.request.clone());
        let (id, client) = (ticket.id(), Endpoint::Client(in_flight.client));
        self.clients.set_timer(ticket, due);
        let message = Message::Request { id, key, request };
        self.network.send(now, client, node.into(), message);
    }

    fn finish_request(&mut self, now: Instant, ticket: Ticket, node: NodeId, outcome: Outcome) {
        let Some(in_flight) = self.clients.take(ticket) else {
            return;
        };
        let outcome = in_flight.certain(outcome);
        let is_delete = matches!(in_flight.request.operation, Operation::Delete);
        self.record_outcome(now, in_flight.call, is_delete, &outcome);
        if !in_flight.is_look {
            self.latencies
                .record(now.saturating_duration_since(in_flight.submitted));
            self.latencies.timeouts += u64::from(outcome.has_timed_out());
        }
        self.clients
            .complete(ticket, in_flight.client, node, outcome);
    }

    /// Handles a message to a client.
    pub(super) fn deliver_to_client(&mut self, now: Instant, node: NodeId, message: Message) {
        match message {
            Message::Answer { id, outcome } => {
                self.finish_request(now, Ticket(id.0), node, outcome);
            }
            Message::Unavailable { id, .. } => self.try_next(now, Ticket(id.0), node, true),
            _ => {}
        }
    }

    /// The coordinator is down, or silent and may still carry the request out: asks the next one.
    fn try_next(&mut self, now: Instant, ticket: Ticket, node: NodeId, is_down: bool) {
        let Some(in_flight) = self.clients.get_mut(ticket) else {
            return;
        };
        if in_flight.coordinators.get(in_flight.at) != Some(&node) {
            return;
        }
        if is_down {
            in_flight.down.push(node);
        } else {
            in_flight.silent.push(node);
        }
        let may_repeat = is_down || !in_flight.request.operation.is_conditional();
        in_flight.at = if may_repeat {
            in_flight.at + 1
        } else {
            in_flight.coordinators.len()
        };
        let is_asked_again = in_flight.at < in_flight.coordinators.len() && !in_flight.is_look;
        self.latencies.retries += u64::from(is_asked_again);
        self.ask_coordinator(now, ticket);
    }

    /// A node has crashed or left: its clients ask the next one.
    pub(super) fn disconnect(&mut self, now: Instant, node: NodeId) {
        let in_flight = self.clients.slots.iter().flatten();
        let asking = in_flight.filter(|it| it.coordinators.get(it.at) == Some(&node));
        let mut asking: Vec<Ticket> = asking.map(|it| it.ticket).collect();
        asking.sort_unstable();
        for ticket in asking {
            self.try_next(now, ticket, node, false);
        }
    }

    /// Handles the requests that have timed out at `now`.
    pub(super) fn time_out_clients(&mut self, now: Instant) {
        while let Some((due, ticket)) = self.clients.first_due()
            && due <= now
        {
            let asked = self.clients.get(ticket);
            let Some(&node) = asked.and_then(|it| it.coordinators.get(it.at)) else {
                return;
            };
            self.try_next(now, ticket, node, false);
        }
    }
}

/// Whether the key and the values keep within the bounds of the config.
///
/// # Errors
/// The bound that is broken.
pub(super) fn check(config: &Config, request: &Request<'_>) -> Result<(), PutError> {
    let (len, max) = (request.key.len(), config.max_key);
    if len > max {
        return Err(PutError::KeyTooLong { len, max });
    }
    let len = match request.operation {
        Operation::Put { value, .. } | Operation::Add { value, .. } => value.len(),
        Operation::Cas { new, .. } => new.len(),
        Operation::Swap { new, .. } => new.map_or(0, <[u8]>::len),
        _ => 0,
    };
    let max = config.max_value;
    if len > max {
        return Err(PutError::ValueTooLong { len, max });
    }
    Ok(())
}
