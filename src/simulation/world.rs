//! The cluster of a run, and the requests of its clients that are in flight.
//!
//! A run is generated or replayed step by step. Each step does what its command does at the prompt, at
//! the same instant and in the same order, so that a script comes to the same.

use std::collections::BTreeMap;

use super::coverage::Coverage;
use super::lines::Lines;
use super::losses::Losses;
use super::setup::Setup;
use super::step::{Action, ClientRequest, Look, Step, key};
use super::weakness::Weakness;
use crate::cluster::{Cluster, Completion, Request, Ticket};
use crate::id::NodeId;
use crate::nemesis::FaultAction;
use crate::operation::{Operation, Outcome};
use crate::replica::{Restart, Version};
use crate::time::Instant;

/// The writes to a key.
#[derive(Clone, Copy)]
struct Writes {
    /// How many were sent.
    sent: u64,
    /// Whether the outcome of each is known.
    is_clear: bool,
    /// The version of the latest one that was acknowledged.
    acknowledged: Version,
}

/// A request without an outcome.
struct InFlight {
    ticket: Ticket,
    request: ClientRequest,
    /// The number of the write among those to its key, and whether the key was clear before it.
    write: Option<(u64, bool)>,
    /// The version of its write.
    version: Version,
    /// Whether it is the read of a PERSIST, which then writes.
    persists: bool,
}

/// A client's request has an outcome.
pub(super) struct Finished {
    /// The client.
    pub client: u32,
    /// Whether the operation was carried out, for certain.
    pub is_certain: bool,
}

/// A simulated cluster with its faults and the requests in flight.
pub(super) struct World {
    pub cluster: Cluster,
    pub now: Instant,
    pub setup: Setup,
    in_flight: Vec<InFlight>,
    finished: Vec<Finished>,
    writes: Vec<Writes>,
    pub coverage: Coverage,
    /// What excuses that a value is missing at the end.
    pub losses: Losses,
    /// The first place where crashes show that too few nodes have a write.
    pub weakness: Option<Weakness>,
    /// Whether the crashes that show it have been injected.
    pub is_weakness_shown: bool,
    /// Whether a trace is on all the time.
    pub is_watched: bool,
    /// The latest write when a node crashed.
    crashed: BTreeMap<NodeId, Version>,
    /// The commands so far, if they are written down.
    pub lines: Option<Lines>,
}

impl World {
    /// A new cluster.
    pub(super) fn new(setup: &Setup) -> Self {
        let mut config = setup.config;
        if setup.evicts() {
            // The reader reads after each step.
            config.event_log = 1_000;
        }
        let cluster = Cluster::new(config).expect("options are checked first");
        let none = Writes {
            sent: 0,
            is_clear: true,
            acknowledged: 0,
        };
        Self {
            cluster,
            now: Instant::START,
            setup: *setup,
            in_flight: Vec::new(),
            finished: Vec::new(),
            writes: vec![none; setup.shared + setup.clients],
            coverage: Coverage::default(),
            losses: Losses::default(),
            weakness: None,
            is_weakness_shown: false,
            is_watched: false,
            crashed: BTreeMap::new(),
            lines: None,
        }
    }

    /// Lets time pass, and takes outcomes at the instants at which they are known.
    pub(super) fn advance(&mut self, to: Instant) {
        while !self.in_flight.is_empty()
            && let Some(next) = self.cluster.next_deadline().filter(|next| *next < to)
        {
            self.tick(next);
        }
        self.tick(to);
    }

    fn tick(&mut self, to: Instant) {
        self.now = self.now.max(to);
        self.cluster.tick(self.now);
        self.take_outcomes();
        self.losses.excuse_evicted(&self.cluster);
    }

    /// Whether a client waits for an outcome.
    pub(super) fn is_awaited(&self) -> bool {
        !self.in_flight.is_empty()
    }

    /// Whether the outcome of every write to a key is known.
    pub(super) fn is_clear(&self, key: usize) -> bool {
        self.writes[key].is_clear
    }

    /// The requests that have finished since the last call.
    pub(super) fn finished(&mut self) -> Vec<Finished> {
        std::mem::take(&mut self.finished)
    }

    /// Does what a step does, if that is possible now. Returns whether it was done.
    pub(super) fn act(&mut self, action: &Action) -> bool {
        let done = match action {
            Action::Request(request) => self.send(request),
            Action::Fault(action) => self.apply_fault(action),
            Action::Look(look) => self.look(*look),
        };
        if done && let Some(lines) = &mut self.lines {
            let (at, action) = (self.now, action.clone());
            lines.add(at, &Step { at, action }.command(at));
        }
        self.take_outcomes();
        self.losses.excuse_evicted(&self.cluster);
        done
    }

    /// Runs steps at their instants.
    pub(super) fn replay(&mut self, plan: &[Step]) {
        for step in plan {
            self.advance(step.at);
            self.act(&step.action);
        }
    }

    fn is_member(&self, node: NodeId) -> bool {
        self.cluster.node_ids().any(|id| id == node)
    }

    /// A client has one request in flight at most.
    fn send(&mut self, request: &ClientRequest) -> bool {
        let is_busy = |it: &InFlight| it.request.client == request.client;
        let is_unknown = request.via.is_some_and(|node| !self.is_member(node));
        if is_unknown || self.in_flight.iter().any(is_busy) {
            return false;
        }
        let is_traced = request.is_traced && !self.is_watched;
        if is_traced {
            self.cluster.start_trace();
            self.cluster.network().watch_losses();
        }
        let persists = matches!(request.operation, Operation::SetDeadline { deadline: None });
        let done = self.submit(request, persists);
        if is_traced {
            self.cluster.end_trace();
            self.cluster.network().losses();
        }
        done
    }

    fn submit(&mut self, request: &ClientRequest, is_look: bool) -> bool {
        let writes = &mut self.writes[request.key];
        let is_write = !is_look && !request.operation.is_read();
        let write = is_write.then_some((writes.sent + 1, writes.is_clear));
        if is_write {
            writes.sent += 1;
            writes.is_clear = false;
        }
        let version = self.cluster.version() + 1;
        let key = key(request.key);
        let sent = if is_look {
            Request::look(&key)
        } else {
            Request::new(&key, request.operation.borrowed())
        };
        let sent = sent.of(request.client).via(request.via);
        let Ok(ticket) = self.cluster.submit(self.now, sent) else {
            return false;
        };
        self.in_flight.push(InFlight {
            ticket,
            request: request.clone(),
            write,
            version,
            persists: is_look,
        });
        true
    }

    /// Takes the outcomes that are known. Several at one instant count in the order of the clients.
    fn take_outcomes(&mut self) {
        loop {
            let mut known: Vec<(InFlight, Outcome)> = Vec::new();
            while let Some(Completion {
                ticket, outcome, ..
            }) = self.cluster.poll()
            {
                if let Some(index) = self.in_flight.iter().position(|it| it.ticket == ticket) {
                    known.push((self.in_flight.remove(index), outcome));
                }
            }
            if known.is_empty() {
                return;
            }
            known.sort_by_key(|(it, _)| it.request.client);
            for (in_flight, outcome) in known {
                self.finish(&in_flight, &outcome);
            }
        }
    }

    fn finish(&mut self, in_flight: &InFlight, outcome: &Outcome) {
        let has_deadline =
            matches!(outcome, Outcome::Value(Some(found)) if found.deadline.is_some());
        if in_flight.persists && has_deadline {
            self.submit(&in_flight.request, false);
            return;
        }
        self.note_write(in_flight, outcome);
        self.note_acknowledged(in_flight, outcome);
        self.finished.push(Finished {
            client: in_flight.request.client,
            is_certain: outcome.is_certain(),
        });
    }

    fn note_write(&mut self, in_flight: &InFlight, outcome: &Outcome) {
        let writes = &mut self.writes[in_flight.request.key];
        if let Some((write, was_clear)) = in_flight.write
            && write == writes.sent
        {
            writes.is_clear = match outcome {
                Outcome::Unknown(_) => false,
                Outcome::Refused(_) => was_clear,
                _ => true,
            };
        }
    }

    /// Looks whether as many owners have an acknowledged write as must.
    fn note_acknowledged(&mut self, in_flight: &InFlight, outcome: &Outcome) {
        let is_written = match outcome {
            Outcome::Done | Outcome::Number(_) => true,
            Outcome::Applied(applied) => *applied && in_flight.write.is_some(),
            Outcome::Value(_) | Outcome::Refused(_) | Outcome::Unknown(_) => false,
        };
        if !is_written || self.setup.config.replicas == 1 {
            return;
        }
        let (number, version) = (in_flight.request.key, in_flight.version);
        let writes = &mut self.writes[number];
        writes.acknowledged = writes.acknowledged.max(version);
        if self.weakness.is_none() && !self.setup.evicts() {
            self.weakness = Weakness::of_write(&self.cluster, number, version);
        }
    }

    fn apply_fault(&mut self, action: &FaultAction) -> bool {
        let is_quiet = self.in_flight.is_empty() && self.cluster.in_flight().is_empty();
        let is_known = action.nodes().iter().all(|&node| self.is_member(node));
        if !is_known || !action.apply(&mut self.cluster, self.now, self.setup.budget) {
            return false;
        }
        if let Some(kind) = action.kind() {
            self.coverage.faults[kind as usize] += 1;
        }
        self.losses.note_fault(&self.cluster, self.now, action);
        match action {
            FaultAction::Crash(node) => {
                self.crashed.insert(*node, self.cluster.version());
            }
            FaultAction::Restart(node, Restart::Hints) if self.setup.only_crashes => {
                self.look_for_hints(*node);
            }
            FaultAction::Join(_) | FaultAction::Leave(_) | FaultAction::Rebalance if is_quiet => {
                self.losses.excuse_moved(&mut self.cluster, self.now);
            }
            _ => {}
        }
        true
    }

    /// Looks whether a node that has restarted has what was kept for it.
    fn look_for_hints(&mut self, node: NodeId) {
        let since = self.crashed.get(&node).copied().unwrap_or(0);
        let writes = (0..).zip(&self.writes);
        let mut lost = writes.filter(|(number, writes)| {
            let version = writes.acknowledged;
            version > since && !self.cluster.knows_its_own(node, &key(*number), version)
        });
        let lost = lost.next().map(|(number, _)| number);
        if self.weakness.is_none() {
            self.weakness = lost.map(|key| Weakness::LostHint { key, node });
        }
    }

    fn look(&mut self, look: Look) -> bool {
        let (cluster, now) = (&mut self.cluster, self.now);
        match look {
            Look::KeysOf(node) if cluster.node_ids().all(|id| id != node) => return false,
            Look::KeysOf(node) => drop(cluster.keys(now, Some(node), |_| true)),
            Look::Keys => drop(cluster.keys(now, None, |_| true)),
            Look::Size => drop(cluster.size(now)),
            Look::Nodes => drop(cluster.node_stats(now)),
            Look::Stats => drop(cluster.stats(now)),
            Look::Hot => drop(cluster.hot_keys(10)),
            Look::Where(number) => {
                let placement = cluster.placement();
                let hash = placement.hash(&key(number));
                let _ = placement.locate(hash);
            }
            Look::Ring => drop(cluster.placement().shares()),
            Look::Check => drop(cluster.verify(now)),
            Look::Faults => drop(cluster.network().faults()),
            Look::Links => drop(cluster.in_flight()),
            Look::Events => drop(cluster.events().iter().next()),
        }
        self.coverage.looks += 1;
        self.losses.skip_events(&self.cluster);
        true
    }

    /// Lets time pass until nothing is in flight any more. `false`: that takes longer than `until`.
    pub(super) fn rest(&mut self, until: Instant) -> bool {
        while !self.cluster.is_at_rest() {
            let next = self.cluster.next_deadline();
            let Some(next) = next.filter(|it| *it <= until) else {
                return false;
            };
            self.advance(next);
        }
        true
    }

    /// Sends a request from the prompt, which waits for the outcome, but not beyond `until`.
    pub(super) fn ask(&mut self, request: ClientRequest, until: Instant) {
        let client = request.client;
        self.act(&Action::Request(request));
        let is_waiting = |it: &InFlight| it.request.client == client;
        while self.in_flight.iter().any(is_waiting)
            && let Some(next) = self.cluster.next_deadline().filter(|it| *it <= until)
        {
            self.advance(next);
        }
    }
}
