//! What a cluster holds: keys, sizes and counts. Looking changes nothing.
//!
//! While the network is cut or clocks are wrong, copies of a key differ. A key counts as present if
//! the latest write to it that a node with memory knows is a value that has not expired by the
//! world's clock: that is what a client reads that reaches those nodes.

use std::collections::BTreeMap;
use std::fmt;

use super::hosted::HostedNode;
use super::{Cluster, Latencies};
use crate::config::InjectedBug;
use crate::hot::HotKey;
use crate::id::NodeId;
use crate::node::Entry;
use crate::operation::Bytes;
use crate::replica::Known;
use crate::stats::Stats;
use crate::time::Instant;

/// Whether a copy of a key counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Copy {
    /// It is the one that counts.
    First,
    /// Another copy of the same write counts.
    Duplicate,
    /// It has expired, or a later write is known.
    Outdated,
}

/// What a look at every copy counts.
#[derive(Default)]
struct Survey {
    /// Present keys.
    keys: u64,
    /// The copies of them that each owner lacks.
    missing: BTreeMap<NodeId, u64>,
}

impl Cluster {
    /// How many different keys there are. Cost: O(nodes), or with replicas or faults a look at every
    /// copy.
    pub fn size(&mut self, now: Instant) -> u64 {
        self.tick(now);
        if self.config.replicas == 1 && self.moving.is_none() && self.is_quiescent() {
            return self.nodes.iter().map(|it| it.stats().keys).sum();
        }
        let mut size = 0;
        self.for_each_key(|_, _, _| size += 1);
        size
    }

    /// The present keys, or the keys that one node holds, in the order of their bytes. Cost: a look
    /// at every copy, and a sort of all keys that `wanted` lets through.
    pub fn keys(
        &mut self,
        now: Instant,
        node: Option<NodeId>,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Vec<Vec<u8>> {
        self.tick(now);
        let mut keys = Vec::new();
        match node {
            None => {
                self.for_each_key(|key, _, _| {
                    if wanted(key) {
                        keys.push(key.to_vec());
                    }
                });
                if self.config.bug == Some(InjectedBug::LookTouches) {
                    self.touch_all();
                }
            }
            Some(id) => {
                let hosted = self.nodes.get(id).filter(|it| !it.crashed);
                let node = hosted.map(|it| &it.replica.node);
                let slots = node.iter().flat_map(|node| node.slots());
                for slot in slots {
                    let (key, entry) = self.nodes[id].replica.node.entry(slot);
                    if wanted(key) && is_live(entry.deadline, self.present) {
                        keys.push(key.to_vec());
                    }
                }
            }
        }
        keys.sort_unstable();
        keys
    }

    /// Visits the live entries that a node holds, from a place on, until `visit` returns `false`.
    /// Returns where to go on; `None` at the end. An entry that stays is visited once by calls that
    /// go on, whatever else changes.
    pub fn scan(
        &mut self,
        now: Instant,
        node: NodeId,
        from: u32,
        mut visit: impl FnMut(&Self, &[u8], Entry<'_>) -> bool,
    ) -> Option<u32> {
        self.tick(now);
        let hosted = self.nodes.get(node).filter(|it| !it.crashed)?;
        let node = &hosted.replica.node;
        let mut place = from;
        while let Some(slot) = node.slot_from(place) {
            let (key, entry) = node.entry(slot);
            place = slot.checked_add(1)?;
            if is_live(entry.deadline, self.present) && !visit(self, key, entry) {
                return Some(place);
            }
        }
        None
    }

    /// Counts an access of every entry, for [`InjectedBug::LookTouches`].
    fn touch_all(&mut self) {
        for hosted in self.nodes.iter_mut().filter(|it| it.runs()) {
            let node = &mut hosted.replica.node;
            for slot in node.slots().collect::<Vec<_>>() {
                // An access may evict another entry.
                if node.slot_from(slot) == Some(slot) {
                    node.touch(self.present, slot, &mut self.log);
                }
            }
        }
    }

    /// Calls `visit` for each present key, with its value and deadline, in no meaningful order.
    pub(super) fn for_each_key(&self, mut visit: impl FnMut(&[u8], &[u8], Option<Instant>)) {
        for hosted in self.nodes.iter().filter(|it| !it.crashed) {
            let node = &hosted.replica.node;
            for slot in node.slots() {
                if self.classify(hosted, slot) == Copy::First {
                    let (key, entry) = node.entry(slot);
                    visit(key, entry.value, entry.deadline);
                }
            }
        }
    }

    /// Whether the copy in a slot is the one of its key that counts: of the copies of the latest
    /// write, the one at the first owner that has it.
    fn classify(&self, hosted: &HostedNode, slot: u32) -> Copy {
        let node = &hosted.replica.node;
        let (key, entry) = node.entry(slot);
        if !is_live(entry.deadline, self.present) {
            return Copy::Outdated;
        }
        let (version, id) = (node.version(slot), node.id());
        let mut copy = Copy::First;
        let mut passed = false;
        for &owner in self.rules().owners(key).iter() {
            passed |= owner == id;
            let other = self.nodes.get(owner).filter(|it| !it.crashed);
            let Some(other) = other.filter(|_| owner != id) else {
                continue;
            };
            match other.replica.locate(key) {
                known if known.version() > version => return Copy::Outdated,
                Known::Entry(known, _) if known == version && !passed => copy = Copy::Duplicate,
                _ => {}
            }
        }
        copy
    }

    /// Copies that owners should have and lack, of all present keys. Cost: a look at every copy.
    #[must_use]
    pub fn replicas_missing(&self) -> u64 {
        self.survey().map_or(0, |it| it.missing.values().sum())
    }

    /// Looks at every copy; `None` where keys have one owner each, which lacks none.
    fn survey(&self) -> Option<Survey> {
        if self.config.replicas == 1 {
            return None;
        }
        let mut survey = Survey::default();
        let layout = self.rules().layout;
        self.for_each_key(|key, _, _| {
            survey.keys += 1;
            for owner in layout.owners(key) {
                let hosted = self.nodes.get(owner).filter(|it| !it.crashed);
                if hosted.is_none_or(|it| it.replica.node.slot_of(key).is_none()) {
                    *survey.missing.entry(owner).or_insert(0) += 1;
                }
            }
        });
        Some(survey)
    }

    /// The contents and the counts of each node, by ascending number. Cost: O(nodes), and with
    /// replicas a look at every copy. Nothing is sorted.
    pub fn node_stats(&mut self, now: Instant) -> Vec<(NodeId, Stats)> {
        self.tick(now);
        let survey = self.survey().unwrap_or_default();
        self.surveyed_stats(&survey)
    }

    fn surveyed_stats(&self, survey: &Survey) -> Vec<(NodeId, Stats)> {
        let stats = self.nodes.iter().map(|hosted| {
            let id = hosted.replica.id();
            let mut stats = hosted.stats();
            stats.replicas_missing = survey.missing.get(&id).copied().unwrap_or(0);
            (id, stats)
        });
        stats.collect()
    }

    /// The contents and the counts of each node, by ascending number, without the missing replicas. What
    /// is due by [`Cluster::tick`] may be there still. Cost: O(nodes).
    #[cfg(feature = "lab")]
    pub(crate) fn counts(&self) -> impl Iterator<Item = (NodeId, Stats)> + '_ {
        let nodes = self.nodes.iter();
        nodes.map(|hosted| (hosted.replica.id(), hosted.stats()))
    }

    /// How many entries of a node have a deadline that is not due, and the sum of these in nanoseconds.
    /// Cost: O(1).
    #[cfg(feature = "shell")]
    pub(crate) fn deadlines(&self, node: NodeId) -> (u64, u128) {
        let hosted = self.nodes.get(node).filter(|it| !it.crashed);
        hosted.map_or((0, 0), |it| it.replica.node.deadlines())
    }

    /// The contents and the counts of the whole cluster. Cost: O(nodes), and with replicas or faults
    /// a look at every copy. Nothing is sorted.
    pub fn stats(&mut self, now: Instant) -> Stats {
        self.tick(now);
        let survey = self.survey();
        let keys = survey
            .as_ref()
            .map_or_else(|| self.size(now), |survey| survey.keys);
        let all = self.surveyed_stats(&survey.unwrap_or_default()).into_iter();
        let all = all.fold(Stats::default(), |sum, (_, stats)| sum + stats);
        Stats { keys, ..all }
    }

    /// How long requests took.
    #[must_use]
    pub fn latencies(&self) -> &Latencies {
        &self.latencies
    }

    /// Starts to count anew: what each node counts, its most requested keys, and how long requests
    /// take. Contents stay.
    pub fn reset_stats(&mut self) {
        self.latencies = Latencies::default();
        for hosted in self.nodes.iter_mut() {
            hosted.replica.node.reset_counts();
        }
    }

    /// An estimate of the number of keys: the number of copies divided by the number of replicas;
    /// while keys move, without the copies that the move has made. Entries that are due to expire
    /// still count. Cost: O(nodes), and with replicas or during a move a look at up to 10,000 copies,
    /// for which it is exact.
    #[must_use]
    pub fn rough_size(&self) -> u64 {
        const FEW: u64 = 10_000;
        let alive = self.nodes.iter().filter(|it| !it.crashed);
        let copies: u64 = alive.map(|it| it.stats().keys).sum();
        let (extra, replicas) = match &self.moving {
            Some(moving) => (moving.extra_copies(), moving.replicas),
            None => (0, self.config.replicas),
        };
        if copies > FEW || (replicas == 1 && self.moving.is_none()) {
            return copies.saturating_sub(extra) / replicas as u64;
        }
        let mut size = 0;
        self.for_each_key(|_, _, _| size += 1);
        size
    }

    /// The `count` keys that were requested most at each node, and the requests of the node: GETs,
    /// and writes to keys that were present. By ascending number. Keys whose error exceeds half
    /// their count are omitted.
    #[must_use]
    pub fn hot_keys(&self, count: usize) -> Vec<(NodeId, u64, Vec<HotKey>)> {
        let nodes = self.nodes.iter().map(|it| &it.replica.node);
        let hot = nodes.filter_map(|node| Some((node.id(), node.hot()?)));
        hot.map(|(id, hot)| {
            let mut keys = hot.top(usize::MAX);
            keys.retain(|key| key.error < key.count - key.error);
            keys.truncate(count);
            (id, hot.requests(), keys)
        })
        .collect()
    }

    /// Removes every key: at once where each has one owner and nothing is disturbed, and otherwise by
    /// a delete for each present key.
    ///
    /// # Errors
    /// That of the first delete that fails; the others are tried all the same.
    pub fn clear(&mut self, now: Instant) -> Result<u64, crate::cache::Error> {
        if let Some(removed) = self.clear_at_once(now) {
            return Ok(removed);
        }
        let (mut removed, mut failed) = (0, None);
        for key in self.keys(now, None, |_| true) {
            match crate::cache::Cache::delete(self, now, &key) {
                Ok(was_there) => removed += u64::from(was_there),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(removed), Err)
    }

    /// Removes every key from its only owner; `None` if that takes a request for each key.
    pub fn clear_at_once(&mut self, now: Instant) -> Option<u64> {
        self.tick(now);
        let is_plain = self.config.replicas == 1 && self.moving.is_none();
        if !is_plain || self.history.is_some() || !self.is_quiescent() {
            return None;
        }
        let nodes = self.nodes.iter_mut();
        let removed = nodes.map(|it| it.replica.node.clear()).sum();
        // As many as deletes one by one would be.
        self.latencies.at_once += removed;
        Some(removed)
    }

    /// The messages that wait for paused nodes, by node, in the order in which they came.
    pub fn kept_waiting(
        &self,
    ) -> impl Iterator<Item = &crate::network::Envelope<crate::replica::Message>> {
        self.nodes.iter().flat_map(|it| it.inbox.iter())
    }

    /// The messages for paused nodes that the bound of their inbox has dropped.
    pub fn dropped_for(&self) -> impl Iterator<Item = (NodeId, u64)> {
        let paused = self.nodes.iter().filter(|it| it.inbox.dropped > 0);
        paused.map(|it| (it.replica.id(), it.inbox.dropped))
    }

    /// The entry of a key on each node that has one, for tests of copies: value and version.
    #[must_use]
    pub fn copies_of(&self, key: &[u8]) -> Vec<(NodeId, Bytes, u64)> {
        let alive = self.nodes.iter().filter(|it| !it.crashed);
        let copies = alive.filter_map(|it| {
            let node = &it.replica.node;
            let slot = node.slot_of(key)?;
            Some((node.id(), node.value(slot).into(), node.version(slot)))
        });
        copies.collect()
    }
}

/// One line: `3 nodes, modulo placement, 5 entries, at 2s`. Entries that are due still count.
impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = self.nodes.iter().count();
        let entries: u64 = self.nodes.iter().map(|it| it.stats().keys).sum();
        let (placement, now) = (self.placement.name(), self.present);
        write!(
            f,
            "{nodes} nodes, {placement} placement, {entries} entries, at {now}"
        )
    }
}

/// The state of each node, and the settings; none of the entries.
impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = self.nodes.iter().map(|it| {
            let id = it.replica.id();
            (id, self.status(id).unwrap_or_default(), it.stats().keys)
        });
        f.debug_struct("Cluster")
            .field("now", &self.present)
            .field("nodes", &nodes.collect::<Vec<_>>())
            .field("placement", &self.placement.name())
            .field("is_moving", &self.is_moving())
            .field("faults", &self.fault_count())
            .field("in_flight", &self.clients.in_flight())
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

fn is_live(deadline: Option<Instant>, now: Instant) -> bool {
    deadline.is_none_or(|deadline| now < deadline)
}
