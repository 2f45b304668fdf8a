//! A session: a cluster, a clock, and the commands that bring them together.
//!
//! The clock is read once a command, so everything in a command happens at one instant. Only where
//! keys have replicas or something is broken, a command may have to wait for its answer (see
//! `requests`): it is invoked at one instant and answered at a later one.

mod checks;
mod errors;
mod faults;
mod nemesis;
mod requests;

pub use faults::Trace;

use std::time::Duration;

use crate::cache::Cache;
use crate::cluster::{Cluster, MoveCost};
use crate::config::Capacity;
use crate::event::{Cursor, Event};
use crate::id::NodeId;
use crate::language::word::Bytes;
use crate::language::{Bound, Change, Command, Error, ErrorKind, glob};
use crate::nemesis::{Nemesis, Villain};
use crate::reply::{Found, HotRow, Keyed, Left, NodeRow, Reply, Ring, Whereabouts};
use crate::stats::Stats;
use crate::time::{Clock, ClockKind, Instant};

/// How many events are made at once before they are handed on.
const SLICE: usize = 1024;
/// How many steps RING draws a band in.
const BAND: u64 = 64;

/// See the module's docs.
pub struct Session {
    cluster: Cluster,
    clock: Box<dyn Clock>,
    /// Up to where the cluster's log was handed on.
    seen: Cursor,
    /// Whether any deadline was ever set, or anything broken; after that the clock stays what it
    /// is.
    timed: bool,
    /// Who breaks things as time passes, if anybody does.
    nemesis: Option<(Nemesis, Villain)>,
}

impl Session {
    /// A session on this cluster, with time from this clock. Where keys have replicas, a history
    /// is kept from the start.
    #[must_use]
    pub fn new(mut cluster: Cluster, clock: Box<dyn Clock>) -> Self {
        if cluster.config().replicas > 1 {
            cluster.begin_history(clock.now(), checks::OPERATIONS);
        }
        Self {
            cluster,
            clock,
            seen: Cursor::default(),
            timed: false,
            nemesis: None,
        }
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The clock.
    pub fn clock(&mut self) -> &mut dyn Clock {
        &mut *self.clock
    }

    /// When something is due next: at or before the earliest deadline.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let villain = self.nemesis.as_ref().map(|(_, villain)| villain.next_at());
        self.cluster
            .next_deadline()
            .into_iter()
            .chain(villain)
            .min()
    }

    /// The cluster.
    pub fn cluster(&mut self) -> &mut Cluster {
        &mut self.cluster
    }

    /// Does what is due at `now`, and hands on every event that was not handed on before, in order.
    #[inline]
    pub fn tick(&mut self, now: Instant, mut on_event: impl FnMut(&Event)) {
        if self.nemesis.is_some() {
            self.strike(now, &mut on_event);
        }
        if self.cluster.next_deadline().is_none_or(|next| next > now) {
            return;
        }
        loop {
            let more = self.cluster.tick_some(now, SLICE);
            self.hand_on(&mut on_event);
            if !more {
                break;
            }
        }
    }

    /// Hands on what a command has caused: every event that was not handed on before, in order,
    /// as far as the log's bound has kept them.
    #[inline]
    pub fn hand_on(&mut self, on_event: impl FnMut(&Event)) {
        let log = self.cluster.events();
        if self.seen != log.end() {
            log.since(self.seen).for_each(on_event);
            self.seen = log.end();
        }
    }

    /// Carries out a command at `now`, an instant from this session's clock for which
    /// [`Session::tick`] was called. Where answers take time it waits for them, and hands on the
    /// events of that time.
    ///
    /// # Errors
    /// Whatever the cluster refuses; nothing has changed then. Where an error is of kind
    /// [`ErrorKind::Unknown`], nobody knows.
    #[inline]
    pub fn execute<'a>(
        &mut self,
        now: Instant,
        command: Command<'a>,
        on_event: &mut dyn FnMut(&Event),
    ) -> Result<Reply<'a>, Error> {
        if self.cluster.is_versioned() && requests::may_wait(&command) {
            return self.execute_by_message(now, command, on_event);
        }
        let cluster = &mut self.cluster;
        Ok(match command {
            Command::Put { key, value, ttl } => {
                let deadline = self.deadline(now, ttl)?;
                self.cluster.put(now, &key, &value, deadline)?;
                Reply::StoredOne(key)
            }
            Command::Get { key } => Reply::Value(self.get(now, key)),
            Command::Del { keys } => Reply::Removed(self.delete(now, keys)),
            Command::MGet { keys } => Reply::Values(self.get_all(now, keys)),
            Command::MSet { pairs, ttl } => Reply::Stored(self.put_all(now, pairs, ttl)?),
            Command::Add { key, value, ttl } => {
                let deadline = self.deadline(now, ttl)?;
                let stored = self.cluster.add(now, &key, &value, deadline)?;
                Reply::Conditional { key, stored }
            }
            Command::Cas {
                key,
                expected,
                new,
                ttl,
            } => {
                let deadline = self.deadline(now, ttl)?;
                let cluster = &mut self.cluster;
                let stored = cluster.compare_and_set(now, &key, &expected, &new, deadline)?;
                Reply::Conditional { key, stored }
            }
            Command::Incr { key, delta } => {
                let sum = cluster.incr(now, &key, delta)?;
                let (node, value) = (cluster.owner(&key), Some(sum.to_string().into_bytes()));
                Reply::Value(Found { key, value, node })
            }
            Command::Ttl { key } => {
                let left = self.left(now, &key);
                Reply::Ttl { key, left }
            }
            Command::Expire { key, ttl } => {
                let deadline = self.deadline(now, Some(ttl))?;
                let changed = self.cluster.set_deadline(now, &key, deadline);
                Reply::Changed { key, changed }
            }
            Command::Persist { key } => {
                let changed = matches!(self.left(now, &key), Left::For(_));
                self.cluster.set_deadline(now, &key, None);
                Reply::Changed { key, changed }
            }
            Command::Exists { keys } => {
                let there = keys.iter().filter(|key| cluster.peek(now, key).is_some());
                Reply::Existing {
                    exists: there.count() as u64,
                    asked: keys.len() as u64,
                }
            }
            Command::Keys { pattern, node } => self.keys(now, pattern.as_deref(), node)?,
            Command::Size => Reply::Size(cluster.size(now)),
            Command::Clear => Reply::Cleared(cluster.clear(now)),
            Command::Time => Reply::Time {
                elapsed: now.since(Instant::START),
                clock: self.clock.kind(),
            },
            Command::Clock { kind: None } => Reply::Clock(self.clock.kind()),
            Command::Clock { kind: Some(kind) } => {
                self.switch_clock(kind)?;
                Reply::Done
            }
            Command::Nodes => Reply::Nodes(self.nodes(now)),
            Command::Ring => Reply::Ring(self.ring()),
            Command::Placement => Reply::Placement(cluster.placement().kind()),
            Command::Hot { count } => Reply::Hot(self.hot(count)),
            Command::Where { key } => self.whereabouts(key),
            Command::Stats { node } => self.stats(now, node)?,
            Command::Events { count, node } => self.events(count, node)?,
            Command::Eviction { policy: None } => Reply::Eviction(cluster.eviction()),
            Command::Eviction {
                policy: Some(policy),
            } => {
                cluster.set_eviction(now, policy);
                Reply::Done
            }
            Command::Capacity { bound } => self.capacity(now, bound),
            Command::Replicas => Reply::Replicas(cluster.config().replicas),
            Command::Quorum { quorums } => self.quorum(now, quorums)?,
            Command::Echo { text } => Reply::Text(text),
            Command::Help { topic } => Reply::Help(topic),
            other => return self.execute_fault(now, other, on_event),
        })
    }

    fn delete<'a>(&mut self, now: Instant, keys: Vec<Bytes<'a>>) -> Keyed<'a, bool> {
        let remove = |key: Bytes<'a>| {
            let removed = self.cluster.delete(now, &key);
            (key, Ok(removed))
        };
        keys.into_iter().map(remove).collect()
    }

    /// Stores all or, if one of them is out of bounds, nothing.
    fn put_all<'a>(
        &mut self,
        now: Instant,
        pairs: Vec<(Bytes<'a>, Bytes<'a>)>,
        ttl: Option<Duration>,
    ) -> Result<Keyed<'a, ()>, Error> {
        let deadline = self.deadline(now, ttl)?;
        for (key, value) in &pairs {
            self.cluster.check(key, value)?;
        }
        let stored = self.cluster.put_many(now, &pairs, deadline).into_iter();
        let stored = stored.map(|stored| stored.map_err(Error::from));
        let keys = pairs.into_iter().map(|(key, _)| key);
        Ok(keys.zip(stored).collect())
    }

    fn get_all<'a>(
        &mut self,
        now: Instant,
        keys: Vec<Bytes<'a>>,
    ) -> Keyed<'a, (NodeId, Option<Vec<u8>>)> {
        let found = self.cluster.get_many(now, &keys).into_iter();
        keys.into_iter().zip(found.map(Ok)).collect()
    }

    /// Begins a change that makes keys move; [`Session::move_some`] carries it out. Returns the
    /// node that joins or leaves.
    ///
    /// # Errors
    /// Whatever the cluster refuses; nothing has changed then.
    pub fn change(&mut self, now: Instant, change: Change) -> Result<Option<NodeId>, Error> {
        match change {
            Change::Join { weight } => Ok(Some(self.cluster.join(now, weight)?)),
            Change::Leave { node } => {
                self.check_node(Some(node))?;
                self.cluster.leave(now, node)?;
                Ok(Some(node))
            }
            Change::Place { kind } => {
                self.cluster.set_placement(now, kind)?;
                Ok(None)
            }
            Change::Replicate { replicas } => {
                self.cluster.set_replicas(now, replicas)?;
                Ok(None)
            }
            Change::Rebalance => Ok(self.cluster.leaving()),
        }
    }

    /// Moves some of the keys that are on their way; when none is any more, returns what the
    /// change has cost.
    pub fn move_some(&mut self, now: Instant) -> Option<MoveCost> {
        self.cluster.move_some(now, SLICE)
    }

    fn left(&mut self, now: Instant, key: &[u8]) -> Left {
        match self.cluster.peek(now, key) {
            None => Left::Absent,
            Some(entry) => match entry.deadline {
                None => Left::Forever,
                Some(deadline) => Left::For(deadline.since(now)),
            },
        }
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

    fn capacity(&mut self, now: Instant, bound: Option<Bound>) -> Reply<'static> {
        let old = self.cluster.capacity();
        let new = match bound {
            None => return Reply::Capacity(old),
            Some(Bound::Entries(entries)) => Capacity {
                entries: Some(entries),
                ..old
            },
            Some(Bound::Bytes(bytes)) => Capacity {
                bytes: Some(bytes),
                ..old
            },
            Some(Bound::None) => Capacity::default(),
        };
        self.cluster.set_capacity(now, new);
        Reply::Done
    }

    fn whereabouts<'a>(&self, key: Bytes<'a>) -> Reply<'a> {
        let placement = self.cluster.placement();
        let hash = placement.hash(&key);
        let mut owners = Vec::new();
        placement.owners(hash, self.cluster.config().replicas, &mut owners);
        Reply::Where(Whereabouts {
            placement: placement.kind(),
            owners,
            location: placement.locate(hash),
            hash,
            key,
        })
    }

    fn stats(&mut self, now: Instant, node: Option<NodeId>) -> Result<Reply<'static>, Error> {
        self.check_node(node)?;
        let Some(one) = node else {
            let stats = self.cluster.stats(now);
            return Ok(Reply::Stats { node, stats });
        };
        let mut all = self.cluster.node_stats(now).into_iter();
        let stats = all.find(|(id, _)| *id == one);
        let stats = stats.map_or_else(Stats::default, |(_, stats)| stats);
        Ok(Reply::Stats { node, stats })
    }

    #[inline]
    fn get<'a>(&mut self, now: Instant, key: Bytes<'a>) -> Found<'a> {
        let (node, value) = self.cluster.get_from(now, &key);
        let value = value.map(<[u8]>::to_vec);
        Found { key, value, node }
    }

    /// Makes a deadline, before anything is changed.
    #[inline]
    fn deadline(&mut self, now: Instant, ttl: Option<Duration>) -> Result<Option<Instant>, Error> {
        let Some(ttl) = ttl else {
            return Ok(None);
        };
        let deadline = now.after(ttl)?;
        self.timed = true;
        Ok(Some(deadline))
    }

    fn switch_clock(&mut self, kind: ClockKind) -> Result<(), Error> {
        if kind == self.clock.kind() {
            return Ok(());
        }
        if self.timed {
            let message = "the clock can be changed only before the first command with a deadline, \
                           and before the first fault";
            return Err(Error::new(ErrorKind::Refused, message));
        }
        if !self.clock.switch(kind) {
            let message = format!("there is no {kind} clock here");
            return Err(Error::new(ErrorKind::Refused, message));
        }
        self.forget_history();
        Ok(())
    }

    fn check_node(&self, node: Option<NodeId>) -> Result<(), Error> {
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
            placement: placement.kind(),
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
        let capacity = self.cluster.capacity();
        let all = self.cluster.node_stats(now).into_iter();
        all.map(|(node, stats)| NodeRow {
            node,
            state: self.cluster.status(node).unwrap_or_default(),
            used: used(capacity, &stats),
            stats,
        })
        .collect()
    }

    fn events(&self, count: usize, node: Option<NodeId>) -> Result<Reply<'static>, Error> {
        self.check_node(node)?;
        let latest = self.cluster.events().iter().rev();
        let wanted = latest.filter(|event| node.is_none_or(|node| event.node == node));
        let mut events: Vec<Event> = wanted.take(count).cloned().collect();
        events.reverse();
        Ok(Reply::Events(events))
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

/// How much of its capacity a node uses, from 0 to 1; of two bounds, the one nearer to its end.
fn used(capacity: Capacity, stats: &Stats) -> Option<f64> {
    let part = |bound: Option<u64>, used: u64| bound.map(|bound| used as f64 / bound.max(1) as f64);
    let entries = part(capacity.entries, stats.keys);
    let bytes = part(capacity.bytes, stats.bytes);
    entries.into_iter().chain(bytes).reduce(f64::max)
}
