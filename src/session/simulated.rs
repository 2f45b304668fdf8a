//! The simulated cluster as the backend of sessions, with a fault injector.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::backend::{Answer, DistributedCache, Origin, Overview, Progress, Sent, TraceStart};
use super::changes::{Changes, KeyChange};
use super::checks::CALLS;
use super::requests::{Waiting, is_on_keys};
use crate::cluster::{
    Cluster, Completion, Latencies, MoveCost, PacedMove, Place, Request, Started, Ticket,
    TooManyRequests,
};
use crate::config::Capacity;
use crate::event::{Event, EventLog};
use crate::eviction::Eviction;
use crate::id::NodeId;
use crate::language::word::Bytes;
use crate::language::{Behind, Bound, Change, Command, Error, ErrorKind, glob};
use crate::nemesis::{FaultInjector, Nemesis};
use crate::operation::Outcome;
use crate::reply::{Bounds, HotRow, Latency, NodeRow, Reply, Ring, TracedMessage, Whereabouts};
use crate::stats::Stats;
use crate::time::{Clock, ClockKind, Instant};

/// How many slots a move looks at in a step.
pub(super) const SLOTS: usize = 1024;
/// How many steps RING draws a band in.
const BAND: u64 = 64;

/// A simulated cluster and its fault injector.
pub struct SimulatedCluster {
    pub(super) cluster: Cluster,
    /// Whether any deadline was ever set, or any fault injected; then the clock stays the same.
    pub(super) is_timed: bool,
    /// Whether the user has turned the history off.
    pub(super) is_history_off: bool,
    /// The fault injector, while it is on.
    pub(super) injector: Option<(Nemesis, FaultInjector)>,
    /// What commands at the prompt have changed.
    pub(super) changes: Changes,
    /// How long slots take to move, all together.
    pub(super) move_time: Duration,
    /// The move that takes its time.
    pub(super) paced: Option<PacedMove>,
    /// Outcomes that were polled for a request of another command.
    outcomes: BTreeMap<Ticket, (NodeId, Outcome)>,
    /// The requests of workloads in flight, by client.
    working: BTreeMap<u32, Ticket>,
    /// The answers to them that were not polled.
    answers: VecDeque<(u32, Answer)>,
}

impl SimulatedCluster {
    /// A backend of this cluster. Where keys have replicas, a history is kept from the start.
    #[must_use]
    pub fn new(mut cluster: Cluster, now: Instant) -> Self {
        if cluster.config().replicas > 1 {
            cluster.begin_history(now, CALLS);
        }
        Self {
            cluster,
            is_timed: false,
            is_history_off: false,
            injector: None,
            changes: Changes::default(),
            move_time: Duration::ZERO,
            paced: None,
            outcomes: BTreeMap::new(),
            working: BTreeMap::new(),
            answers: VecDeque::new(),
        }
    }

    /// The cluster.
    pub fn cluster(&mut self) -> &mut Cluster {
        &mut self.cluster
    }

    /// The outcome of a request, if it is known. It is returned once.
    #[inline]
    pub(crate) fn take(&mut self, ticket: Ticket) -> Option<(NodeId, Outcome)> {
        while let Some(completion) = self.cluster.poll() {
            if completion.ticket == ticket {
                return Some((completion.node, completion.outcome));
            }
            self.keep(completion);
        }
        if self.outcomes.is_empty() {
            return None;
        }
        self.outcomes.remove(&ticket)
    }

    /// Keeps an outcome for the command or the workload that waits for it.
    fn keep(&mut self, completion: Completion) {
        let Completion {
            ticket,
            client,
            node,
            outcome,
        } = completion;
        if self.working.get(&client) == Some(&ticket) {
            self.working.remove(&client);
            self.answers.push_back((client, (node, outcome)));
        } else {
            self.outcomes.insert(ticket, (node, outcome));
        }
    }

    fn execute<'a>(
        &mut self,
        now: Instant,
        clock: &mut dyn Clock,
        command: Command<'a>,
    ) -> Result<Reply<'a>, Error> {
        let cluster = &mut self.cluster;
        Ok(match command {
            Command::Keys { pattern, node } => self.keys(now, pattern.as_deref(), node)?,
            Command::Failover { .. } => {
                return Err(Error::unsupported("FAILOVER", Behind::NO_FAILOVER));
            }
            Command::Size => Reply::Size(cluster.size(now)),
            Command::Time => Reply::Time {
                elapsed: now.saturating_duration_since(Instant::START),
                clock: clock.kind(),
            },
            Command::Clock { kind: None } => Reply::Clock(clock.kind()),
            Command::Clock { kind: Some(kind) } => {
                self.switch_clock(clock, kind)?;
                Reply::Done
            }
            Command::Nodes => Reply::Nodes(self.nodes(now)),
            Command::Ring => Reply::Ring(self.ring()),
            Command::Placement => Reply::Placement(cluster.placement().name()),
            Command::Hot { count } => Reply::Hot(self.hot(count)),
            Command::Where { key } => self.whereabouts(key),
            Command::Stats { node } => self.stats(now, node)?,
            Command::ResetStats => {
                cluster.reset_stats();
                Reply::Done
            }
            Command::Inspect { key } => Reply::Copies {
                copies: cluster.inspect(&key),
                key,
                now,
            },
            Command::Plan { change } => self.plan(now, change)?,
            Command::Events { count, node } => self.list_events(count, node)?,
            Command::Eviction { policy: None } => {
                let name = cluster.eviction().map_or("custom", Eviction::name);
                Reply::Eviction(name)
            }
            Command::Eviction {
                policy: Some(policy),
            } => {
                cluster.set_eviction(now, policy);
                Reply::Done
            }
            Command::Capacity { bound, node } => self.capacity(now, bound, node)?,
            Command::Replicas => Reply::Replicas(cluster.config().replicas),
            Command::Quorum { quorums } => self.quorum(now, quorums)?,
            Command::Echo { text } => Reply::Text(text),
            Command::Help { topic } => Reply::Help(topic, Behind::Simulated),
            other => return self.execute_fault(now, other),
        })
    }

    fn keys(
        &mut self,
        now: Instant,
        pattern: Option<&[u8]>,
        node: Option<NodeId>,
    ) -> Result<Reply<'static>, Error> {
        self.check_node(node)?;
        let wanted = |key: &[u8]| pattern.is_none_or(|pattern| glob::matches(pattern, key));
        Ok(Reply::Keys(self.cluster.keys(now, node, wanted)))
    }

    fn capacity(
        &mut self,
        now: Instant,
        bound: Option<Bound>,
        node: Option<NodeId>,
    ) -> Result<Reply<'static>, Error> {
        self.check_node(node)?;
        let cluster = &mut self.cluster;
        let old = node.map_or(cluster.capacity(), |node| cluster.capacity_of(node));
        let Some(bound) = bound else {
            return Ok(Reply::Capacity(self.bounds(node, old)));
        };
        let new = changed(old, bound);
        match node {
            None => cluster.set_capacity(now, new),
            Some(node) => cluster.set_node_capacity(now, node, new)?,
        }
        Ok(Reply::Done)
    }

    /// The capacity of one node, or the common one and those that differ.
    fn bounds(&self, node: Option<NodeId>, capacity: Capacity) -> Bounds {
        let all = self.cluster.node_ids().filter(|_| node.is_none());
        let all = all.map(|id| (id, self.cluster.capacity_of(id)));
        Bounds {
            node,
            capacity,
            others: all.filter(|(_, own)| *own != capacity).collect(),
        }
    }

    fn whereabouts<'a>(&self, key: Bytes<'a>) -> Reply<'a> {
        let placement = self.cluster.placement();
        let hash = placement.hash(&key);
        let mut owners = Vec::new();
        placement.owners(hash, self.cluster.config().replicas, &mut owners);
        Reply::Where(Whereabouts {
            placement: placement.name(),
            owners,
            location: placement.locate(hash),
            hash,
            addresses: Vec::new(),
            key,
        })
    }

    fn stats(&mut self, now: Instant, node: Option<NodeId>) -> Result<Reply<'static>, Error> {
        self.check_node(node)?;
        let Some(one) = node else {
            let stats = self.cluster.stats(now);
            let latency = Some(latency(self.cluster.latencies()));
            return Ok(Reply::Stats {
                node,
                stats,
                latency,
            });
        };
        let mut all = self.cluster.node_stats(now).into_iter();
        let stats = all.find(|(id, _)| *id == one);
        let stats = stats.map_or_else(Stats::default, |(_, stats)| stats);
        Ok(Reply::Stats {
            node,
            stats,
            latency: None,
        })
    }

    fn switch_clock(&mut self, clock: &mut dyn Clock, kind: ClockKind) -> Result<(), Error> {
        if kind == clock.kind() {
            return Ok(());
        }
        if self.is_timed {
            let message = "the clock can be changed only before the first command with a deadline, \
                           and before the first fault";
            return Err(Error::new(ErrorKind::Refused, message));
        }
        if !clock.switch(kind) {
            let message = format!("there is no {kind} clock here");
            return Err(Error::new(ErrorKind::Refused, message));
        }
        self.cluster.restart_time();
        self.restart_history(clock.now());
        Ok(())
    }

    /// Whether changes by commands at the prompt are kept from now on, up to 64 MiB of them.
    pub(crate) fn keep_changes(&mut self, is_on: bool) {
        self.changes.keep(is_on);
    }

    /// The changes since the last call, in order. Those beyond the bound are missing.
    pub(crate) fn take_changes(&mut self) -> Vec<KeyChange> {
        self.changes.take()
    }

    pub(super) fn check_node(&self, node: Option<NodeId>) -> Result<(), Error> {
        let Some(node) = node else {
            return Ok(());
        };
        if self.cluster.node_ids().any(|id| id == node) {
            return Ok(());
        }
        let ids: Vec<NodeId> = self.cluster.node_ids().collect();
        let message = match ids.as_slice() {
            [] => format!("there is no node {node}"),
            [only] => format!("there is no node {node}: the only one is node {only}"),
            ids => format!("there is no node {node}: the nodes are {}", ranges(ids)),
        };
        Err(Error::new(ErrorKind::Invalid, message))
    }

    fn ring(&self) -> Ring {
        let placement = self.cluster.placement();
        let owner_at = |cell: u64, last: u64| {
            let hash = u128::from(last) * u128::from(cell) / u128::from(BAND - 1);
            placement.owner(u64::try_from(hash).unwrap_or(last))
        };
        let band = placement.space().map_or_else(Vec::new, |last| {
            (0..BAND).map(|cell| owner_at(cell, last)).collect()
        });
        let members = placement.members().iter().copied();
        Ring {
            placement: placement.name(),
            band,
            shares: members.zip(placement.shares()).collect(),
        }
    }

    fn hot(&self, count: usize) -> Vec<HotRow> {
        let hot = self.cluster.hot_keys(count).into_iter();
        hot.map(|(node, requests, keys)| HotRow {
            node,
            requests,
            keys,
        })
        .collect()
    }

    fn nodes(&mut self, now: Instant) -> Vec<NodeRow> {
        let all = self.cluster.node_stats(now).into_iter();
        let members = self.cluster.placement().members().iter();
        let weights: BTreeMap<NodeId, u32> = members.map(|it| (it.node, it.weight)).collect();
        all.map(|(node, stats)| NodeRow {
            node,
            weight: weights.get(&node).copied(),
            state: self.cluster.status(node).unwrap_or_default(),
            used: used(self.cluster.capacity_of(node), &stats),
            stats,
            remote: None,
        })
        .collect()
    }

    fn list_events(&self, count: usize, node: Option<NodeId>) -> Result<Reply<'static>, Error> {
        self.check_node(node)?;
        let latest = self.cluster.events().iter().rev();
        let wanted = latest.filter(|event| node.is_none() || event.node == node);
        let mut events: Vec<Event> = wanted.take(count).cloned().collect();
        events.reverse();
        Ok(Reply::Events(events))
    }
}

impl DistributedCache for SimulatedCluster {
    fn simulated(&mut self) -> Option<&mut SimulatedCluster> {
        Some(self)
    }

    fn behind(&self) -> Behind {
        Behind::Simulated
    }

    #[inline]
    fn begin<'a>(
        &mut self,
        now: Instant,
        clock: &mut dyn Clock,
        origin: Origin,
        command: Command<'a>,
    ) -> Result<Progress<'a>, Error> {
        if is_on_keys(&command) {
            return self.begin_on_keys(now, origin, command);
        }
        self.execute(now, clock, command).map(Progress::Done)
    }

    fn resume<'a>(
        &mut self,
        now: Instant,
        waiting: Box<Waiting<'a>>,
    ) -> Result<Progress<'a>, Error> {
        self.resume_on_keys(now, *waiting)
    }

    fn abandon(&mut self, now: Instant, waiting: Waiting<'_>) {
        self.abandon_on_keys(now, &waiting);
    }

    fn locate(&mut self, keys: &mut dyn Iterator<Item = &[u8]>, places: &mut Vec<Place>) {
        self.cluster.locate(keys, places);
    }

    #[inline]
    fn touch(&mut self, now: Instant, key: &[u8], place: Place) -> Option<bool> {
        self.cluster.touch(now, key, place)
    }

    fn fill(
        &mut self,
        key: &[u8],
        place: Place,
        value: &[u8],
        deadline: Option<Instant>,
    ) -> Option<Outcome> {
        self.is_timed |= deadline.is_some();
        Some(self.cluster.fill(key, place, value, deadline))
    }

    fn send(&mut self, now: Instant, request: &Request<'_>) -> Result<Sent, TooManyRequests> {
        self.is_timed |= request.operation.deadline().is_some();
        let ticket = match self.cluster.start_request(now, request)? {
            Started::Completed(node, outcome) => return Ok(Sent::Answered((node, outcome))),
            Started::InFlight(ticket) => ticket,
        };
        if let Some(answer) = self.take(ticket) {
            return Ok(Sent::Answered(answer));
        }
        self.working.insert(request.client, ticket);
        Ok(Sent::InFlight)
    }

    fn receive(&mut self) -> Option<(u32, Answer)> {
        while let Some(completion) = self.cluster.poll() {
            self.keep(completion);
        }
        self.answers.pop_front()
    }

    fn give_up(&mut self, now: Instant, client: u32) {
        if let Some(ticket) = self.working.remove(&client) {
            self.cluster.abandon(now, ticket);
        }
    }

    fn change(&mut self, now: Instant, change: Change) -> Result<Option<NodeId>, Error> {
        self.start_change(now, change)
    }

    fn move_some(&mut self, now: Instant) -> Result<Option<MoveCost>, Error> {
        Ok(self.cluster.move_some(now, SLOTS))
    }

    fn moves_for(&self, now: Instant) -> Option<Duration> {
        Some(self.paced.as_ref()?.time_left(now))
    }

    fn move_progress(&self) -> (f64, u64) {
        let progress = self.cluster.move_progress();
        let paced = self.paced.as_ref().map(PacedMove::part);
        progress.map_or((1.0, 0), |it| (paced.unwrap_or(it.part), it.moved))
    }

    #[inline]
    fn tick_some(&mut self, now: Instant, limit: usize) -> bool {
        if self.injector.is_some()
            && let Some(more) = self.inject(now, limit)
        {
            return more;
        }
        self.cluster.tick_some(now, limit) || self.go_on_moving(now)
    }

    #[inline]
    fn next_deadline(&mut self) -> Option<Instant> {
        let next = self.cluster.next_deadline();
        let injector = self.injector.as_ref();
        let fault = injector.and_then(|(_, injector)| injector.next_at());
        let moving = self.paced.as_ref().map(PacedMove::next_at);
        next.into_iter().chain(fault).chain(moving).min()
    }

    #[inline]
    fn events(&self) -> &EventLog {
        self.cluster.events()
    }

    fn overview(&self) -> Overview {
        let ids = self.cluster.node_ids();
        let nodes = ids.map(|id| (id, self.cluster.status(id).unwrap_or_default()));
        Overview {
            nodes: nodes.collect(),
            source: None,
            keys: Some(self.cluster.rough_size()),
            is_moving: self.cluster.is_moving(),
            faults: self.cluster.fault_count(),
            placement: self.cluster.placement().name(),
            replicas: self.cluster.config().replicas,
            has_deadlines: self.cluster.next_expiry().is_some(),
        }
    }

    fn next_message(&mut self) -> Option<Instant> {
        self.cluster.network().next_at()
    }

    fn deliver_message(&mut self, at: Instant) -> Option<TracedMessage> {
        self.deliver_one(at)
    }

    fn start_trace(&mut self, now: Instant) -> TraceStart {
        self.trace(now)
    }

    fn end_trace(&mut self, start: TraceStart) -> Reply<'static> {
        self.traced(start)
    }
}

/// Numbers in ascending order, runs of them as "0 to 4".
fn ranges(ids: &[NodeId]) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for &NodeId(id) in ids {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == id => *last = id,
            _ => runs.push((id, id)),
        }
    }
    let run = |(first, last): (u32, u32)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first} to {last}"),
    };
    runs.into_iter().map(run).collect::<Vec<_>>().join(", ")
}

/// A capacity with another bound, or without it.
fn changed(old: Capacity, bound: Bound) -> Capacity {
    let Capacity { entries, bytes } = old;
    let (entries, bytes) = match bound {
        Bound::Entries(entries) => (Some(entries), bytes),
        Bound::Bytes(bytes) => (entries, Some(bytes)),
        Bound::AnyEntries => (None, bytes),
        Bound::AnyBytes => (entries, None),
        Bound::None => (None, None),
    };
    Capacity { entries, bytes }
}

fn latency(latencies: &Latencies) -> Latency {
    Latency {
        requests: latencies.requests(),
        median: latencies.percentile(50),
        p99: latencies.percentile(99),
        timeouts: latencies.timeouts(),
        retries: latencies.retries(),
    }
}

/// How much of its capacity a node uses, from 0 to 1; of two bounds, the one nearer to its end.
fn used(capacity: Capacity, stats: &Stats) -> Option<f64> {
    let part = |bound: Option<u64>, used: u64| bound.map(|bound| used as f64 / bound.max(1) as f64);
    let entries = part(capacity.entries, stats.keys);
    let bytes = part(capacity.bytes, stats.bytes);
    entries.into_iter().chain(bytes).reduce(f64::max)
}
