//! The in-process cluster: nodes, a placement, and one log of what happened, in order.

mod copies;
mod deadlines;
mod direct;
mod faults;
mod moving;
mod nodes;
mod promise;
mod requests;
mod verify;

pub use faults::FaultError;
pub use moving::{MoveCost, MoveError, MoveProgress};
pub use nodes::Status;
pub use verify::Disorder;

use crate::cache::{self, Cache, CountError, PutError};
use crate::config::{Capacity, Config, ConfigError};
use crate::event::EventLog;
use crate::eviction::Eviction;
use crate::history::{Action, History};
use crate::hot::HotKey;
use crate::id::NodeId;
use crate::network::{Endpoint, Network};
use crate::node::{self, AHEAD, Entry, Node};
use crate::placement::{Members, Placement};
use crate::replica::{Answer, Message, Record, Version};
use crate::stats::Stats;
use crate::time::Instant;
use deadlines::Deadlines;
use moving::Moving;
use nodes::{Nodes, Seat};
use requests::{Clients, applied, incremented, rules};

/// A cluster of cache nodes in this process. Deterministic: the same calls give the same answers
/// and the same log.
///
/// It is one [`Cache`]; the methods here are what a cluster knows beyond that.
pub struct Cluster {
    nodes: Nodes,
    placement: Box<dyn Placement>,
    /// While keys are on their way to new owners.
    moving: Option<Moving>,
    config: Config,
    log: EventLog,
    deadlines: Deadlines,
    /// The latest instant at which anything was done by message. What should have been done before
    /// it, as by a node that was paused, is done now.
    present: Instant,
    /// Whether entries have versions and requests go as messages: from the moment that keys have
    /// replicas, or something is broken.
    versioned: bool,
    /// The logical clock: the version of the latest write.
    clock: Version,
    /// The logical clock when the owners of keys last changed.
    since: Version,
    network: Network<Message>,
    clients: Clients,
    history: Option<History>,
    outbox: Vec<(Endpoint, Message)>,
    /// What was read last, to be looked at.
    found: Option<Record>,
    /// The owners of the key at hand.
    owners: Vec<NodeId>,
    /// Whether all nodes serve and wait for nothing; `None` where that has to be looked up.
    calm: Option<bool>,
    /// While it is calm: when a node may next forget a key that is gone.
    calm_until: Instant,
}

/// Why a counter was not increased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IncrError {
    /// There is no such sum.
    #[error(transparent)]
    Count(#[from] CountError),
    /// The sum could not be stored.
    #[error(transparent)]
    Put(#[from] PutError),
}

impl Cluster {
    /// An empty cluster.
    ///
    /// # Errors
    /// [`ConfigError`] if a bound is broken.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        let mut cluster = Self {
            nodes: Nodes::default(),
            placement: config.placement.place(Members::first(config.nodes)),
            moving: None,
            config,
            log: EventLog::new(config.event_log),
            deadlines: Deadlines::default(),
            present: Instant::START,
            versioned: config.replicas > 1,
            clock: 0,
            since: 0,
            network: Network::new(config.seed),
            clients: Clients::default(),
            history: (config.history > 0).then(|| History::new(config.history)),
            outbox: Vec::new(),
            found: None,
            owners: Vec::new(),
            calm: None,
            calm_until: Instant::MAX,
        };
        for _ in 0..config.nodes {
            cluster.add_node(Instant::START);
        }
        Ok(cluster)
    }

    fn add_node(&mut self, now: Instant) {
        let mut node = Node::new(self.nodes.next_id(), 0);
        node.watch_hot_keys(self.config.hot_keys);
        self.nodes.push(node);
        let id = NodeId(self.nodes.next_id().0 - 1);
        bound(&self.config, &mut self.nodes[id], now, &mut self.log);
    }

    /// How much each node may hold.
    #[must_use]
    pub fn capacity(&self) -> Capacity {
        self.config.capacity
    }

    /// Which entries leave a full node.
    #[must_use]
    pub fn eviction(&self) -> Eviction {
        self.config.eviction
    }

    /// Changes how much each node may hold. What is too much leaves at once, where the policy
    /// lets it go.
    pub fn set_capacity(&mut self, now: Instant, capacity: Capacity) {
        self.tick(now);
        self.config.capacity = capacity;
        if capacity.is_bounded() && self.nodes.iter().all(Node::is_bound) {
            for node in self.nodes.iter_mut() {
                node.resize_at(now, capacity, &mut self.log);
            }
        } else {
            self.bound(now);
        }
    }

    /// Changes which entries leave a full node. The new policy starts with the entries that are
    /// there.
    pub fn set_eviction(&mut self, now: Instant, eviction: Eviction) {
        self.tick(now);
        self.config.eviction = eviction;
        self.bound(now);
    }

    fn bound(&mut self, now: Instant) {
        for node in self.nodes.iter_mut() {
            bound(&self.config, node, now, &mut self.log);
        }
    }

    /// The numbers of the nodes, ascending.
    pub fn node_ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes.iter().map(Node::id)
    }

    /// How keys are placed.
    #[must_use]
    pub fn placement(&self) -> &dyn Placement {
        &*self.placement
    }

    /// The node that owns `key`.
    #[must_use]
    pub fn owner(&self, key: &[u8]) -> NodeId {
        self.placement.owner(self.placement.hash(key))
    }

    /// Like [`Cache::get`], and says which node answered.
    pub fn get_from(&mut self, now: Instant, key: &[u8]) -> (NodeId, Option<&[u8]>) {
        if self.versioned {
            return self.get_by_message(now, key);
        }
        let (node, log) = self.owner_at(now, key);
        let slot = node.look_up(now, key, log);
        (node.id(), slot.map(|slot| node.value(slot)))
    }

    /// [`Cluster::get_from`] for many keys: each node is asked once, for all of its keys. In the
    /// order of the keys.
    pub fn get_many<K: AsRef<[u8]>>(
        &mut self,
        now: Instant,
        keys: &[K],
    ) -> Vec<(NodeId, Option<Vec<u8>>)> {
        if self.versioned {
            let get = |key: &K| {
                let (node, value) = self.get_by_message(now, key.as_ref());
                (node, value.map(<[u8]>::to_vec))
            };
            return keys.iter().map(get).collect();
        }
        let batches = self.by_owner(now, keys.iter().map(AsRef::as_ref));
        let mut found = vec![(NodeId(0), None); keys.len()];
        for batch in batches.chunks(AHEAD) {
            let wanted = batch
                .iter()
                .map(|&(id, at)| (&self.nodes[id], keys[at].as_ref()));
            node::look_ahead(wanted);
            for &(id, at) in batch {
                let node = &mut self.nodes[id];
                let slot = node.look_up(now, keys[at].as_ref(), &mut self.log);
                found[at] = (id, slot.map(|slot| node.value(slot).to_vec()));
            }
        }
        found
    }

    /// [`Cache::put`] for many keys with one deadline: each node is asked once, for all of its
    /// keys. What becomes of each key, in their order.
    pub fn put_many<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        &mut self,
        now: Instant,
        pairs: &[(K, V)],
        deadline: Option<Instant>,
    ) -> Vec<Result<(), PutError>> {
        if self.versioned {
            let put = |(key, value): &(K, V)| self.put(now, key.as_ref(), value.as_ref(), deadline);
            return pairs.iter().map(put).collect();
        }
        let batches = self.by_owner(now, pairs.iter().map(|(key, _)| key.as_ref()));
        let mut stored = vec![Ok(()); pairs.len()];
        for (id, at) in batches {
            let (key, value) = (pairs[at].0.as_ref(), pairs[at].1.as_ref());
            stored[at] = self
                .check(key, value)
                .and_then(|()| self.nodes[id].put_at(now, key, value, deadline, &mut self.log));
            self.expect(id, deadline);
        }
        stored
    }

    /// The places of the keys, those of one owner together and in order, when all that is due is
    /// done.
    fn by_owner<'k>(
        &mut self,
        now: Instant,
        keys: impl Iterator<Item = &'k [u8]>,
    ) -> Vec<(NodeId, usize)> {
        self.tick(now);
        let mut places = Vec::with_capacity(keys.size_hint().0);
        for (at, key) in keys.enumerate() {
            if self.moving.is_some() {
                self.pull(now, key);
            }
            places.push((self.owner(key), at));
        }
        places.sort_unstable();
        places
    }

    /// The entry under `key`, without counting or touching it.
    pub fn peek(&mut self, now: Instant, key: &[u8]) -> Option<Entry<'_>> {
        if self.versioned {
            return self.peek_by_message(now, key);
        }
        self.owner_at(now, key).0.peek(now, key)
    }

    /// Stores only if `key` is absent; `true` if it stored.
    ///
    /// # Errors
    /// As for [`Cache::put`].
    pub fn add(
        &mut self,
        now: Instant,
        key: &[u8],
        value: &[u8],
        deadline: Option<Instant>,
    ) -> Result<bool, PutError> {
        self.check(key, value)?;
        if self.versioned {
            let answer = self.ask_now(now, key, Action::add(value, deadline));
            return applied(&answer);
        }
        if self.peek(now, key).is_some() {
            return Ok(false);
        }
        self.put(now, key, value, deadline).map(|()| true)
    }

    /// Stores `new` only if the value under `key` is `expected`; `true` if it stored.
    ///
    /// # Errors
    /// As for [`Cache::put`].
    pub fn compare_and_set(
        &mut self,
        now: Instant,
        key: &[u8],
        expected: &[u8],
        new: &[u8],
        deadline: Option<Instant>,
    ) -> Result<bool, PutError> {
        self.check(key, new)?;
        if self.versioned {
            let answer = self.ask_now(now, key, Action::cas(expected, new, deadline));
            return applied(&answer);
        }
        let entry = self.peek(now, key);
        if entry.is_none_or(|entry| entry.value != expected) {
            return Ok(false);
        }
        self.put(now, key, new, deadline).map(|()| true)
    }

    /// Adds `delta` to the number under `key`, where nothing counts as 0. The deadline stays.
    ///
    /// # Errors
    /// [`IncrError`]; nothing has changed then.
    pub fn incr(&mut self, now: Instant, key: &[u8], delta: i64) -> Result<i64, IncrError> {
        if self.versioned {
            return incremented(&self.ask_now(now, key, Action::Incr { delta }));
        }
        let entry = self.peek(now, key);
        let deadline = entry.and_then(|entry| entry.deadline);
        let sum = cache::sum(entry.map(|entry| entry.value), delta)?;
        self.put(now, key, sum.to_string().as_bytes(), deadline)?;
        Ok(sum)
    }

    /// Gives the entry under `key` a new deadline, or with `None` takes it away; `false` if there
    /// is no entry.
    pub fn set_deadline(&mut self, now: Instant, key: &[u8], deadline: Option<Instant>) -> bool {
        if self.versioned {
            let answer = self.ask_now(now, key, Action::SetDeadline { deadline });
            return answer == Answer::Applied(true);
        }
        let (node, _) = self.owner_at(now, key);
        let (id, changed) = (node.id(), node.set_deadline(now, key, deadline));
        self.expect(id, deadline);
        changed
    }

    /// Removes everything from all nodes; returns how many entries that were.
    pub fn clear(&mut self, now: Instant) -> u64 {
        self.tick(now);
        if self.versioned {
            let keys = self.keys(now, None, |_| true);
            let removed = keys.iter().filter(|key| self.delete(now, key));
            return removed.count() as u64;
        }
        self.nodes.iter_mut().map(|node| node.clear(now)).sum()
    }

    /// How many different keys there are on the nodes that are up. Cost: O(1), or with replicas a
    /// sort of all keys.
    pub fn size(&mut self, now: Instant) -> u64 {
        if self.config.replicas > 1 || self.versioned && self.moving.is_some() {
            return self.keys(now, None, |_| true).len() as u64;
        }
        let all = self.node_stats(now).into_iter();
        all.map(|(_, stats)| stats.keys).sum()
    }

    /// The keys on one node, or on all, in the order of their bytes. Cost: a sort of all keys that
    /// `wanted` lets through.
    pub fn keys(
        &mut self,
        now: Instant,
        node: Option<NodeId>,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Vec<Vec<u8>> {
        self.tick(now);
        let seats = self.nodes.seats().filter(|seat| !seat.crashed);
        let nodes = seats.map(|seat| &seat.replica.node);
        let nodes = nodes.filter(|it| node.is_none_or(|id| it.id() == id));
        let mut keys: Vec<Vec<u8>> = nodes
            .flat_map(Node::stored_keys)
            .filter(|key| wanted(key))
            .map(<[u8]>::to_vec)
            .collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// What each node holds and has counted, by ascending number.
    pub fn node_stats(&mut self, now: Instant) -> Vec<(NodeId, Stats)> {
        self.tick(now);
        let seats = self.nodes.seats();
        seats
            .map(|seat| (seat.replica.id(), seat.stats()))
            .collect()
    }

    /// The keys that were requested most at each node, `count` of each, and how many requests the
    /// node had in all: GETs, and writes to keys that were there. By ascending number. A key of whose count less than half is
    /// certain is as good as any other, and left out.
    #[must_use]
    pub fn hot_keys(&self, count: usize) -> Vec<(NodeId, u64, Vec<HotKey>)> {
        let hot = self
            .nodes
            .iter()
            .filter_map(|node| Some((node.id(), node.hot()?)));
        hot.map(|(id, hot)| {
            let mut keys = hot.top(usize::MAX);
            keys.retain(|key| key.error < key.count - key.error);
            keys.truncate(count);
            (id, hot.requests(), keys)
        })
        .collect()
    }

    /// What the whole cluster holds and has counted.
    pub fn stats(&mut self, now: Instant) -> Stats {
        let all = self.node_stats(now).into_iter();
        let all = all.fold(Stats::default(), |sum, (_, stats)| sum + stats);
        let keys = self.size(now);
        Stats { keys, ..all }
    }

    /// Like [`Cache::tick`], but stops after `limit` events; `true` if more is due. For callers
    /// that read the log as it grows, so that its bound loses them nothing.
    #[inline]
    pub fn tick_some(&mut self, now: Instant, limit: usize) -> bool {
        let mut left = limit;
        if now >= self.calm_until {
            self.calm = None;
        }
        while self.versioned && !self.is_still() {
            let Some(at) = self.next_step().filter(|&at| at <= now) else {
                break;
            };
            let at = at.max(self.present);
            if self.expire_some(at, &mut left) {
                return true;
            }
            self.present = at;
            self.step_at(at);
        }
        self.present = self.present.max(now);
        self.expire_some(now, &mut left)
    }

    /// Expires what is due, but no more than `left`; `true` if there is more.
    #[inline]
    fn expire_some(&mut self, now: Instant, left: &mut usize) -> bool {
        if self.deadlines.next().is_none_or(|next| next > now) {
            return false;
        }
        while *left > 0 {
            if !self.expire_next(now) {
                return false;
            }
            *left -= 1;
        }
        true
    }

    /// Expires the entry that comes first by deadline, node and order of writing.
    #[inline(never)]
    fn expire_next(&mut self, now: Instant) -> bool {
        let rules = rules(
            &self.config,
            &*self.placement,
            self.moving.as_ref(),
            self.since,
        );
        while let Some((at, id)) = self.deadlines.first().filter(|(at, _)| *at <= now) {
            let Some(seat) = self.nodes.seat_mut(id) else {
                return false;
            };
            let replica = &mut seat.replica;
            let found = replica.next_due(now) == Some(at);
            match (found, self.versioned) {
                (true, true) => replica.expire_next(&mut self.clock, &rules, &mut self.log),
                (true, false) => replica.node.expire_next(&mut self.log),
                (false, _) => {}
            }
            let next = replica.next_due(now).or_else(|| replica.next_expiry());
            seat.due = seat.replica.next_timeout();
            self.calm_until = self.calm_until.min(seat.due.unwrap_or(Instant::MAX));
            self.deadlines.set(id, next);
            if found {
                return true;
            }
        }
        false
    }

    /// The node that owns `key`, and the log to write to, when all that is due is done.
    #[inline]
    fn owner_at(&mut self, now: Instant, key: &[u8]) -> (&mut Node, &mut EventLog) {
        self.tick(now);
        if self.moving.is_some() {
            self.pull(now, key);
        }
        let owner = self.owner(key);
        (&mut self.nodes[owner], &mut self.log)
    }

    /// From now on entries have versions, and requests go as messages. It stays so. Cost: what is
    /// stored is stored once more.
    pub fn set_versioned(&mut self, now: Instant) {
        if self.versioned {
            return;
        }
        self.tick(now);
        self.versioned = true;
        self.clock += 1;
        for seat in self.nodes.seats_mut() {
            seat.replica.adopt(now, self.clock, &mut self.log);
        }
    }

    /// Whether entries have versions, and requests go as messages: see [`Cluster::ask`].
    #[must_use]
    pub fn is_versioned(&self) -> bool {
        self.versioned
    }

    /// What clients asked and were told, if that is recorded.
    #[must_use]
    pub fn history(&self) -> Option<&History> {
        self.history.as_ref()
    }

    /// From now on records what clients ask and are told, up to so many operations; what was
    /// recorded before is forgotten. 0 stops that.
    pub fn record_history(&mut self, operations: usize) {
        self.history = (operations > 0).then(|| History::new(operations));
    }

    /// How the cluster is set up now.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Notes that a node may have something to do at `deadline`.
    fn expect(&mut self, node: NodeId, deadline: Option<Instant>) {
        if let Some(deadline) = deadline {
            self.deadlines.expect(node, deadline);
        }
    }

    /// Whether the key and the value keep within the bounds of the config.
    ///
    /// # Errors
    /// The bound that is broken.
    pub fn check(&self, key: &[u8], value: &[u8]) -> Result<(), PutError> {
        let (len, max) = (key.len(), self.config.max_key);
        if len > max {
            return Err(PutError::KeyTooLong { len, max });
        }
        let (len, max) = (value.len(), self.config.max_value);
        if len > max {
            return Err(PutError::ValueTooLong { len, max });
        }
        Ok(())
    }
}

/// Gives a node the capacity of the config, and a policy.
fn bound(config: &Config, node: &mut Node, now: Instant, log: &mut EventLog) {
    if config.capacity.is_bounded() {
        let policy = config
            .eviction
            .policy(config.seed ^ u64::from(node.id().0) << 32);
        node.bound_at(now, config.capacity, policy, log);
    } else {
        node.unbound();
    }
}

impl Cache for Cluster {
    fn put(
        &mut self,
        now: Instant,
        key: &[u8],
        value: &[u8],
        deadline: Option<Instant>,
    ) -> Result<(), PutError> {
        self.check(key, value)?;
        if self.versioned {
            return self.put_by_message(now, key, value, deadline);
        }
        let (node, log) = self.owner_at(now, key);
        node.put_at(now, key, value, deadline, log)?;
        let id = node.id();
        self.expect(id, deadline);
        Ok(())
    }

    fn get(&mut self, now: Instant, key: &[u8]) -> Option<&[u8]> {
        self.get_from(now, key).1
    }

    fn delete(&mut self, now: Instant, key: &[u8]) -> bool {
        if self.versioned {
            return self.ask_now(now, key, Action::Delete) == Answer::Applied(true);
        }
        self.owner_at(now, key).0.delete(now, key)
    }

    fn tick(&mut self, now: Instant) {
        while self.tick_some(now, usize::MAX) {}
    }

    fn next_deadline(&self) -> Option<Instant> {
        if !self.versioned || self.is_still() {
            return self.deadlines.next();
        }
        self.deadlines
            .next()
            .into_iter()
            .chain(self.next_step())
            .min()
    }

    fn events(&self) -> &EventLog {
        &self.log
    }
}

#[cfg(test)]
mod tests;
