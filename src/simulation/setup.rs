//! What the seed decides for a run as a whole, and what is promised then.

use super::options::Options;
use crate::checker::Promise;
use crate::config::Config;
use crate::eviction::Eviction;
use crate::nemesis::{Nemesis, grains, pick};
use crate::rng::Rng;

/// In one of so many runs of a swarm, one owner is a quorum, and nodes crash and nothing else goes
/// wrong.
const LONE: u64 = 8;

/// In one of so many runs of a swarm, nodes are so small that they evict.
const SMALL: u64 = 8;

/// See the module's docs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// How the cluster is built.
    pub config: Config,
    /// How many clients there are.
    pub clients: usize,
    /// How many keys all clients share.
    pub shared: usize,
    /// Whether nodes crash, one at a time, and nothing else goes wrong.
    pub only_crashes: bool,
}

impl Setup {
    /// What these numbers make.
    pub(super) fn new(options: &Options, seed: u64, mut rng: Rng) -> Self {
        let mut config = options.config();
        config.seed = seed;
        let timeout = grains(pick(&mut rng, &[5, 10, 20]));
        let grace = grains(pick(&mut rng, &[5, 20, 50, 100]));
        config.timeout = options.timeout.unwrap_or(timeout);
        config.grace = options.grace.unwrap_or(grace);
        config.history = options.ops + 1_000;
        let clients = 3 + rng.below(3);
        let shared = 1 + rng.below(3);
        let is_free = options.write_quorum.is_none() && options.read_quorum.is_none();
        let is_swarm = options.nemesis == Nemesis::Swarm && options.replicas > 1;
        let is_bounded = options.capacity.is_bounded();
        let only_crashes = rng.below(LONE) == 0 && is_free && is_swarm && !is_bounded;
        if only_crashes {
            (config.write_quorum, config.read_quorum) = (1, 1);
        }
        let is_small = rng.below(SMALL) == 0 && is_swarm && !only_crashes;
        if is_small && !is_bounded {
            config.capacity.entries = Some(1 + rng.below(3));
        }
        if is_small || is_bounded {
            let eviction = pick(&mut rng, Eviction::ALL);
            config.eviction = options.eviction.unwrap_or(eviction);
        }
        let small = |number| usize::try_from(number).unwrap_or(1);
        Self {
            config,
            clients: small(clients),
            shared: small(shared),
            only_crashes,
        }
    }

    /// Whether nodes evict, and so copies differ.
    #[must_use]
    pub fn evicts(&self) -> bool {
        self.config.capacity.is_bounded()
    }

    /// Whether every read meets every acknowledged write at some owner.
    #[must_use]
    pub fn quorums_meet(&self) -> bool {
        self.config.write_quorum + self.config.read_quorum > self.config.replicas
    }

    /// Whether two writes always meet at some owner, so that conditions count.
    #[must_use]
    pub fn conditions_count(&self) -> bool {
        !self.evicts() && self.quorums_meet() && 2 * self.config.write_quorum > self.config.replicas
            || self.only_crashes
    }

    /// The strongest promise that a right protocol keeps: see [`crate::simulation`] for the table.
    #[must_use]
    pub fn promise(&self, is_skewed: bool) -> Promise {
        let reads_repair = self.config.read_quorum > 1 || self.config.replicas == 1;
        match self.quorums_meet() {
            _ if self.evicts() => Promise::NoExpiredRead,
            _ if self.only_crashes => Promise::Linearizable,
            false => Promise::NoExpiredRead,
            true if is_skewed || !reads_repair => Promise::NoStaleRead,
            true => Promise::Linearizable,
        }
    }

    /// How many nodes may be without their memory at a time: crashed, or not yet in sync again. If
    /// acknowledged writes may be missed anyway, one.
    #[must_use]
    pub fn budget(&self) -> usize {
        if self.quorums_meet() {
            self.config.write_quorum - 1
        } else {
            1
        }
    }
}
