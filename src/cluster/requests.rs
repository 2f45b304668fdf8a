//! Requests as messages: how a cluster that replicates, or in which something is broken, carries out
//! what clients ask.
//!
//! A client asks one node, which coordinates: the first of the key's owners that takes the request.
//! Messages pass through the simulated network in the order of (instant, sequence). Without faults
//! or delays all of them pass in the instant of the request.
//!
//! A client that hears nothing asks the next owner. That is the same write, with the same version,
//! so it does no harm if both carry it out; but a condition is checked only once. What a client
//! was told is recorded in the history, if one is kept.

use std::collections::{BTreeMap, VecDeque};

use smallvec::SmallVec;

use super::moving::Moving;
use super::{Cluster, IncrError, Seat};
use crate::cache::{Cache, PutError};
use crate::config::{Config, Plant};
use crate::history::{Action, OpId, Outcome};
use crate::id::NodeId;
use crate::network::{Endpoint, Envelope};
use crate::node::Entry;
use crate::placement::Placement;
use crate::replica::{
    Answer, Bytes, Context, Layout, Message, Record, Refusal, Replica, Request, RequestId, Rules,
    Shortfall, Version, unpack,
};
use crate::time::Instant;

/// How many timeouts a client waits for a coordinator, which waits for owners twice at most.
const PATIENCE: u32 = 3;
/// How many messages a trace keeps.
const MAX_TRACE: usize = 10_000;

/// What clients have asked, and are to be told.
#[derive(Default)]
pub(super) struct Clients {
    last: u64,
    /// Answers that were there at once, until they are fetched.
    ready: VecDeque<(RequestId, (NodeId, Answer))>,
    asked: BTreeMap<RequestId, Asked>,
    /// Messages that were delivered, while they are being recorded.
    pub(super) trace: Option<Vec<Envelope<Message>>>,
    /// How many messages were delivered, by the places of [`Message::KINDS`].
    delivered: [u64; Message::KINDS.len()],
}

struct Asked {
    key: Bytes,
    request: Request,
    /// Its number in the history, if that is kept.
    op: Option<OpId>,
    /// Whom it may ask, and who is being asked.
    coordinators: SmallVec<[NodeId; 4]>,
    at: usize,
    due: Instant,
    /// Whether somebody may have carried it out without saying so.
    maybe: bool,
    answer: Option<(NodeId, Answer)>,
}

impl Asked {
    /// What is certain of an answer: that a write was refused is not, if another coordinator has
    /// been silent and may yet carry it out.
    fn sure(&self, answer: Answer) -> Answer {
        let doubtful = self.maybe && !matches!(self.request.action, Action::Get);
        match answer {
            Answer::Refused(Refusal::Quorum(shortfall)) if doubtful => Answer::Unknown(shortfall),
            Answer::Refused(_) if doubtful => Answer::Unknown(Shortfall::default()),
            sure => sure,
        }
    }
}

impl Clients {
    fn next_due(&self) -> Option<Instant> {
        let waiting = self.asked.values().filter(|it| it.answer.is_none());
        waiting.map(|it| it.due).min()
    }

    /// How many requests have no answer yet.
    pub(super) fn waiting(&self) -> usize {
        let waiting = self.asked.values().filter(|it| it.answer.is_none());
        waiting.count()
    }
}

impl Cluster {
    /// Asks for something to be done with a key. Client numbers are for the history; `via` names
    /// the node to ask, otherwise it is the first owner that is not down.
    ///
    /// Whatever can happen at `now` has happened when this returns; [`Cluster::answer`] says
    /// whether that was all.
    pub fn ask(
        &mut self,
        now: Instant,
        client: u32,
        via: Option<NodeId>,
        key: &[u8],
        action: Action,
    ) -> RequestId {
        self.begin(now, Some(client), via, key, action)
    }

    /// Reads a key without counting that as a hit or a miss, and without recording it.
    pub fn ask_quietly(&mut self, now: Instant, key: &[u8]) -> RequestId {
        self.begin(now, None, None, key, Action::Get)
    }

    fn begin(
        &mut self,
        now: Instant,
        client: Option<u32>,
        via: Option<NodeId>,
        key: &[u8],
        action: Action,
    ) -> RequestId {
        self.set_versioned(now);
        self.tick(now);
        self.clients.last += 1;
        let id = RequestId(self.clients.last);
        let history = self.history.as_mut().zip(client);
        let op = history.map(|(history, client)| history.invoke(now, client, key, action.clone()));
        if via.is_none()
            && client.is_some()
            && let Some((node, answer)) = self.answer_directly(now, key, &action)
        {
            if let (Some(op), Some(history)) = (op, &mut self.history) {
                history.complete(op, now, outcome(&action, &answer));
            }
            self.clients.ready.push_back((id, (node, answer)));
            return id;
        }
        self.calm = None;
        if !matches!(action, Action::Get) {
            self.clock += 1;
        }
        let request = Request {
            counts: client.is_some() && matches!(action, Action::Get),
            action,
            version: self.clock,
        };
        let coordinators = match via {
            Some(node) => SmallVec::from_slice(&[node]),
            None => SmallVec::from_slice(&self.rules().owners(key)),
        };
        let asked = Asked {
            key: key.into(),
            request,
            op,
            coordinators,
            at: 0,
            due: now,
            maybe: false,
            answer: None,
        };
        self.clients.asked.insert(id, asked);
        self.ask_next(now, id);
        self.pump(now);
        id
    }

    /// Asks, and waits for nothing: what is not answered in this instant is unknown.
    pub(super) fn ask_now(&mut self, now: Instant, key: &[u8], action: Action) -> Answer {
        let id = self.ask(now, 0, None, key, action);
        self.answer_now(now, id).1
    }

    fn answer_now(&mut self, now: Instant, id: RequestId) -> (NodeId, Answer) {
        if let Some(answer) = self.answer(id) {
            return answer;
        }
        self.abandon(now, id);
        (NodeId(0), Answer::Unknown(Shortfall::default()))
    }

    pub(super) fn put_by_message(
        &mut self,
        now: Instant,
        key: &[u8],
        value: &[u8],
        deadline: Option<Instant>,
    ) -> Result<(), PutError> {
        self.tick(now);
        let short = self.history.is_none() && self.is_calm();
        if short && self.put_directly(now, key, value, deadline).is_some() {
            return Ok(());
        }
        let answer = self.ask_now(now, key, Action::put(value, deadline));
        applied(&answer).map(|_| ())
    }

    pub(super) fn get_by_message(&mut self, now: Instant, key: &[u8]) -> (NodeId, Option<&[u8]>) {
        self.tick(now);
        if self.history.is_none()
            && self.is_calm()
            && let Some((node, slot)) = self.get_directly(now, key)
        {
            let value = slot.map(|slot| unpack(self.nodes[node].entry(slot).1.value).1);
            return (node, value);
        }
        let id = self.ask(now, 0, None, key, Action::Get);
        let (node, answer) = self.answer_now(now, id);
        self.found = found(answer);
        let value = self.found.as_ref().and_then(|it| it.value.as_deref());
        (node, value)
    }

    pub(super) fn peek_by_message(&mut self, now: Instant, key: &[u8]) -> Option<Entry<'_>> {
        let id = self.ask_quietly(now, key);
        self.found = found(self.answer_now(now, id).1);
        let found = self.found.as_ref()?;
        Some(Entry {
            value: found.value.as_deref()?,
            deadline: found.deadline,
        })
    }

    /// The answer, and the node that gave it; `None` as long as there is none. An answer is given
    /// once.
    pub fn answer(&mut self, id: RequestId) -> Option<(NodeId, Answer)> {
        let ready = self.clients.ready.iter().position(|(it, _)| *it == id);
        if let Some(place) = ready {
            return Some(self.clients.ready.remove(place)?.1);
        }
        self.clients.asked.get(&id)?.answer.as_ref()?;
        self.clients.asked.remove(&id)?.answer
    }

    /// Gives up waiting for an answer: what is asked may have been done, or not.
    pub fn abandon(&mut self, now: Instant, id: RequestId) {
        if let Some(asked) = self.clients.asked.remove(&id) {
            self.tell_history(now, &asked, &Answer::Unknown(Shortfall::default()));
        }
    }

    fn tell_history(&mut self, now: Instant, asked: &Asked, answer: &Answer) {
        if let (Some(op), Some(history)) = (asked.op, &mut self.history) {
            history.complete(op, now, outcome(&asked.request.action, answer));
        }
    }

    /// Sends a request to the coordinator whose turn it is, or says that there is none.
    fn ask_next(&mut self, now: Instant, id: RequestId) {
        let patience = self.config.timeout * PATIENCE;
        let Some(asked) = self.clients.asked.get_mut(&id) else {
            return;
        };
        if let Some(&node) = asked.coordinators.get(asked.at) {
            asked.due = now.later(patience);
            let (key, request) = (asked.key.clone(), asked.request.clone());
            let message = Message::Request { id, key, request };
            let to = Endpoint::Node(node);
            return self.network.send(now, Endpoint::Client, to, message);
        }
        let shortfall = Shortfall {
            needed: 1,
            answered: Vec::new(),
            missing: asked.coordinators.to_vec(),
            before: false,
        };
        let answer = Answer::Refused(Refusal::Quorum(shortfall));
        let node = asked.coordinators.first().copied();
        self.note_answer(now, id, node.unwrap_or(NodeId(0)), answer);
    }

    fn note_answer(&mut self, now: Instant, id: RequestId, node: NodeId, answer: Answer) {
        let Some(asked) = self.clients.asked.get_mut(&id) else {
            return;
        };
        if asked.answer.is_none() {
            let answer = asked.sure(answer);
            if let (Some(op), Some(history)) = (asked.op, &mut self.history) {
                history.complete(op, now, outcome(&asked.request.action, &answer));
            }
            asked.answer = Some((node, answer));
        }
    }

    /// The coordinator is down, or silent (and then may yet carry it out).
    fn try_next(&mut self, now: Instant, id: RequestId, silent: bool) {
        let Some(asked) = self.clients.asked.get_mut(&id) else {
            return;
        };
        if asked.answer.is_some() {
            return;
        }
        asked.maybe |= silent;
        let again = matches!(
            asked.request.action,
            Action::Get | Action::Put { .. } | Action::Delete
        );
        asked.at = if again || !silent {
            asked.at + 1
        } else {
            asked.coordinators.len()
        };
        self.ask_next(now, id);
    }

    /// What a client that asked this node, which is no more, does.
    pub(super) fn hang_up(&mut self, now: Instant, node: NodeId) {
        let waiting = self.clients.asked.iter().filter(|(_, asked)| {
            asked.answer.is_none() && asked.coordinators.get(asked.at) == Some(&node)
        });
        let waiting: Vec<RequestId> = waiting.map(|(id, _)| *id).collect();
        for id in waiting {
            self.try_next(now, id, true);
        }
    }

    /// How many messages were delivered, by the places of [`Message::KINDS`].
    #[must_use]
    pub fn delivered(&self) -> [u64; Message::KINDS.len()] {
        self.clients.delivered
    }

    /// Delivers all messages that are due.
    pub(super) fn pump(&mut self, now: Instant) {
        while let Some(envelope) = self.network.deliver(now) {
            self.deliver(now, envelope);
        }
    }

    pub(super) fn deliver(&mut self, now: Instant, envelope: Envelope<Message>) {
        self.calm = None;
        if let Some(trace) = &mut self.clients.trace
            && trace.len() < MAX_TRACE
        {
            trace.push(envelope.clone());
        }
        self.clients.delivered[envelope.message.place()] += 1;
        match envelope.to {
            Endpoint::Client => self.tell_client(now, envelope),
            Endpoint::Node(node) => self.give(now, node, envelope),
        }
    }

    fn tell_client(&mut self, now: Instant, envelope: Envelope<Message>) {
        let Endpoint::Node(node) = envelope.from else {
            return;
        };
        match envelope.message {
            Message::Answer { id, answer } => self.note_answer(now, id, node, answer),
            Message::Unavailable { id, .. } => self.try_next(now, id, false),
            _ => {}
        }
    }

    fn give(&mut self, now: Instant, node: NodeId, envelope: Envelope<Message>) {
        let Some(seat) = self.nodes.seat_mut(node) else {
            return self.turn_away(now, &envelope);
        };
        if seat.crashed {
            return self.turn_away(now, &envelope);
        }
        if seat.paused {
            return seat.inbox.push(envelope);
        }
        let from = envelope.from;
        self.with_node(now, envelope.sent, node, |replica, ctx| {
            replica.handle(ctx, from, envelope.message);
        });
    }

    /// A node that is down refuses the connection.
    fn turn_away(&mut self, now: Instant, envelope: &Envelope<Message>) {
        if let Some(message) = envelope.message.unavailable() {
            self.network.send(now, envelope.to, envelope.from, message);
        }
    }

    /// Lets a node act, and sends what it says.
    pub(super) fn with_node(
        &mut self,
        now: Instant,
        sent: Instant,
        node: NodeId,
        act: impl FnOnce(&mut Replica, &mut Context<'_>),
    ) {
        let mut out = std::mem::take(&mut self.outbox);
        let Some(Seat { replica, due, .. }) = self.nodes.seat_mut(node) else {
            return;
        };
        let rules = rules(
            &self.config,
            &*self.placement,
            self.moving.as_ref(),
            self.since,
        );
        let mut ctx = Context {
            now,
            sent,
            clock: &mut self.clock,
            rules: &rules,
            log: &mut self.log,
            out: &mut out,
        };
        act(replica, &mut ctx);
        *due = replica.next_timeout();
        let expiry = replica.next_expiry();
        self.expect(node, expiry);
        for (to, message) in out.drain(..) {
            self.network.send(now, Endpoint::Node(node), to, message);
        }
        self.outbox = out;
    }

    /// When somebody next acts without a message: gives up waiting.
    fn next_timeout(&self) -> Option<Instant> {
        let running = self.nodes.seats().filter(|seat| seat.runs());
        let nodes = running.filter_map(|seat| seat.due);
        nodes.chain(self.clients.next_due()).min()
    }

    /// When the next message arrives, or somebody gives up waiting.
    pub(super) fn next_step(&self) -> Option<Instant> {
        let timeout = self.next_timeout();
        self.network.next_at().into_iter().chain(timeout).min()
    }

    /// Delivers what is due at `at`, and lets those give up that have waited until then.
    pub(super) fn step_at(&mut self, at: Instant) {
        self.pump(at);
        let late = |seat: &Seat| seat.due.is_some_and(|due| due <= at);
        let running = self.nodes.seats().filter(|seat| seat.runs() && late(seat));
        let nodes: Vec<NodeId> = running.map(|seat| seat.replica.id()).collect();
        for node in nodes {
            self.calm = None;
            self.with_node(at, at, node, Replica::tick);
        }
        let waiting = self.clients.asked.iter();
        let late = waiting.filter(|(_, asked)| asked.answer.is_none() && asked.due <= at);
        let late: Vec<RequestId> = late.map(|(id, _)| *id).collect();
        for id in late {
            self.try_next(at, id, true);
        }
        self.pump(at);
    }

    pub(super) fn rules(&self) -> Rules<'_> {
        rules(
            &self.config,
            &*self.placement,
            self.moving.as_ref(),
            self.since,
        )
    }
}

/// What nodes go by.
pub(super) fn rules<'a>(
    config: &Config,
    placement: &'a dyn Placement,
    moving: Option<&'a Moving>,
    since: Version,
) -> Rules<'a> {
    let layout = Layout {
        placement,
        replicas: config.replicas,
    };
    Rules {
        layout,
        before: moving
            .filter(|_| config.plant != Some(Plant::NewOwnersOnly))
            .and_then(|moving| moving.before(layout)),
        since,
        write_quorum: config.write_quorum,
        read_quorum: config.read_quorum,
        timeout: config.timeout,
        grace: config.grace,
        plant: config.plant,
    }
}

fn found(answer: Answer) -> Option<Record> {
    match answer {
        Answer::Value(record) => record,
        _ => None,
    }
}

/// Whether a write was done, for callers that ask no more.
pub(super) fn applied(answer: &Answer) -> Result<bool, PutError> {
    match answer {
        Answer::Applied(applied) => Ok(*applied),
        Answer::Refused(Refusal::Put(error)) => Err(*error),
        Answer::Refused(_) => Err(PutError::TooFewOwners),
        Answer::Unknown(_) => Err(PutError::Unknown),
        Answer::Done | Answer::Value(_) | Answer::Number(_) => Ok(true),
    }
}

/// What a counter has come to, for callers that ask no more.
pub(super) fn incremented(answer: &Answer) -> Result<i64, IncrError> {
    match answer {
        Answer::Number(number) => Ok(*number),
        Answer::Refused(Refusal::Count(error)) => Err((*error).into()),
        Answer::Refused(Refusal::Put(error)) => Err((*error).into()),
        Answer::Refused(_) => Err(PutError::TooFewOwners.into()),
        _ => Err(PutError::Unknown.into()),
    }
}

/// What the history says that a client was told.
fn outcome(action: &Action, answer: &Answer) -> Outcome {
    match answer {
        Answer::Done => Outcome::Done,
        Answer::Applied(_) if *action == Action::Delete => Outcome::Done,
        Answer::Applied(applied) => Outcome::Applied(*applied),
        Answer::Value(record) => {
            let value = record.as_ref().and_then(|record| record.value.as_deref());
            Outcome::Value(value.map(Into::into))
        }
        Answer::Number(number) => Outcome::value(number.to_string().as_bytes()),
        Answer::Refused(_) => Outcome::Refused,
        Answer::Unknown(_) => Outcome::Unknown,
    }
}
