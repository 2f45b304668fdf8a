//! What a cluster promises with its settings, and the record by which that can be judged.

use std::collections::BTreeMap;

use super::Cluster;
use crate::cache::Cache;
use crate::checker::Promise;
use crate::config::ConfigError;
use crate::history::{Action, History, Outcome};
use crate::network::Envelope;
use crate::replica::{Message, unpack};
use crate::time::Instant;

/// How many copies of keys that are there already a history starts with.
const MAX_KEYS_AT_START: u64 = 100_000;

impl Cluster {
    /// From now on a write is acknowledged when so many owners have it, and so many are asked by a
    /// read. What is under way goes by the old numbers or the new ones.
    ///
    /// # Errors
    /// [`ConfigError::Quorum`] if one is not between 1 and the number of replicas; nothing has
    /// changed then.
    pub fn set_quorum(
        &mut self,
        now: Instant,
        write: usize,
        read: usize,
    ) -> Result<(), ConfigError> {
        self.tick(now);
        let config = crate::config::Config {
            write_quorum: write,
            read_quorum: read,
            ..self.config
        };
        let replicas = config.replicas;
        for quorum in [write, read] {
            if !(1..=replicas).contains(&quorum) {
                return Err(ConfigError::Quorum { quorum, replicas });
            }
        }
        self.config = config;
        Ok(())
    }

    /// What the settings promise of every key, as long as fewer than W of its owners lose their
    /// memory between two heals, and none of them restarts cold or with hints only: what such a node
    /// has forgotten counts in a quorum all the same.
    ///
    /// - With W + R > N, W > N / 2 and R > 1: a linearizable register with expiry.
    /// - With W = N and R = 1: no stale read. A read sees every write that was acknowledged; but it
    ///   asks one owner only, so a write that is unknown may be seen, and then not be seen.
    /// - With one owner: a linearizable register that a crash makes forget.
    /// - Everything else answers faster, and a cluster whose nodes evict what a quorum counts on may
    ///   forget: no invented value. (There is no expired read either, if nobody changes deadlines: an
    ///   old copy knows nothing of a new deadline.)
    #[must_use]
    pub fn promise(&self) -> Promise {
        let (n, w, r) = (
            self.config.replicas,
            self.config.write_quorum,
            self.config.read_quorum,
        );
        match (n, r) {
            (1, _) => Promise::MayLose,
            _ if self.config.capacity.is_bounded() => Promise::NoInventedValue,
            (_, 1) if w == n => Promise::NoStaleRead,
            (_, 2..) if w + r > n && 2 * w > n => Promise::Linearizable,
            _ => Promise::NoInventedValue,
        }
    }

    /// From now on requests go as messages, and up to so many operations are recorded, if that is
    /// not so already. What is stored already is recorded first, as if client 0 had put it now.
    /// Cost: a look at every key. `false` if there are more than 100,000 of them: then nothing is
    /// recorded, as nothing could be said.
    pub fn begin_history(&mut self, now: Instant, operations: usize) -> bool {
        self.set_versioned(now);
        if self.history.is_some() {
            return true;
        }
        self.tick(now);
        let counts = self.nodes.seats().map(|seat| seat.stats().keys);
        if counts.sum::<u64>() > MAX_KEYS_AT_START {
            return false;
        }
        let mut stored = BTreeMap::new();
        for seat in self.nodes.seats().filter(|seat| !seat.crashed) {
            let node = &seat.replica.node;
            let mut at = 0;
            while let Some(slot) = node.slot_from(at) {
                at = slot.saturating_add(1);
                let (key, entry) = node.entry(slot);
                let (version, value) = unpack(entry.value);
                let copy = (version, value, entry.deadline);
                let known = stored.entry(key).or_insert(copy);
                *known = copy.max(*known);
            }
        }
        let mut history = History::new(operations + stored.len());
        for (key, (_, value, deadline)) in stored {
            let id = history.invoke(now, 0, key, Action::put(value, deadline));
            history.complete(id, now, Outcome::Done);
        }
        self.history = Some(history);
        true
    }

    /// When the next key expires, at the earliest; `None` as long as no key has a deadline.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// About how many different keys there are, without doing what is due: exactly as long as
    /// there are few copies, and otherwise their number by the number of replicas. Cost: O(nodes),
    /// and with replicas a sort of at most 10,000 keys.
    #[must_use]
    pub fn rough_size(&self) -> u64 {
        const FEW: u64 = 10_000;
        let seats = || self.nodes.seats().filter(|seat| !seat.crashed);
        let copies: u64 = seats().map(|seat| seat.stats().keys).sum();
        if self.config.replicas == 1 {
            return copies;
        }
        if copies > FEW {
            return copies / self.config.replicas as u64;
        }
        let keys = seats().flat_map(|seat| seat.replica.node.stored_keys());
        let mut keys: Vec<&[u8]> = keys.collect();
        keys.sort_unstable();
        keys.dedup();
        keys.len() as u64
    }

    /// Delivers the next message that is due at `at`, and nothing else. All that was due before
    /// must have been done. What follows from it in the same instant is due then.
    pub fn step(&mut self, at: Instant) -> Option<Envelope<Message>> {
        let envelope = self.network.deliver(at)?;
        self.deliver(at, envelope.clone());
        Some(envelope)
    }

    /// The messages that wait at paused nodes, by node, in the order in which they came.
    pub fn kept_waiting(&self) -> impl Iterator<Item = &Envelope<Message>> {
        self.nodes.seats().flat_map(|seat| &seat.inbox)
    }
}
