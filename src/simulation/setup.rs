//! What the seed decides for a run as a whole.

use super::options::Options;
use crate::checker::Promise;
use crate::config::{Capacity, Config};
use crate::eviction::Eviction;
use crate::nemesis::{Kind, Nemesis, grains, pick};
use crate::placement::PlacementKind;
use crate::rng::Rng;

/// In one of so many runs of a swarm, one owner is a quorum, and crashes are the only faults.
const ONLY_CRASHES: u64 = 12;
/// In one of so many runs of a swarm, clocks are wrong beside joins and leaves, and nothing else is.
const SKEWED_MOVES: u64 = 10;
/// In one of so many other runs, the quorums do not intersect.
const SMALL_QUORUMS: u64 = 12;
/// In one of so many runs of a swarm, nodes have a capacity.
const BOUNDED: u64 = 3;
/// In one of so many of these, full nodes evict nothing.
const EVICTS_NOTHING: u64 = 3;

/// How a run is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent choices")]
pub struct Setup {
    /// How the cluster is built.
    pub config: Config,
    /// How many clients there are.
    pub clients: usize,
    /// How many keys all clients share. Each client has one more key, which it alone writes.
    pub shared: usize,
    /// Whether crashes, one at a time, are the only faults.
    pub only_crashes: bool,
    /// Whether wrong clocks, joins and leaves are the only faults.
    pub skewed_moves: bool,
    /// Whether each request names its coordinator, and so goes by message. Otherwise many requests
    /// take the fast path.
    pub names_coordinators: bool,
    /// Whether clients use conditional commands on shared keys, too.
    pub shares_conditions: bool,
    /// Whether read-only commands are mixed in.
    pub looks: bool,
    /// How many faults follow the last request, so that values of which nothing is read move and expire.
    pub last_faults: usize,
    /// How many nodes may be without their memory at a time: crashed, or not in sync again.
    pub budget: usize,
}

impl Setup {
    /// Draws the setup of a run.
    pub(super) fn new(options: &Options, seed: u64, mut rng: Rng) -> Self {
        let mut config = options.config();
        config.seed = seed;
        let timeout = grains(pick(&mut rng, &[5, 10, 20]));
        let grace = grains(pick(&mut rng, &[5, 20, 50, 100]));
        config.timeout = options.timeout.unwrap_or(timeout);
        config.grace = options.grace.unwrap_or(grace);
        config.history = options.ops + 1_000;
        config.placement = options.placement.unwrap_or_else(|| placement(&mut rng));
        let is_swarm = options.nemesis == Nemesis::Swarm;
        let skewed_moves = is_swarm && rng.below(SKEWED_MOVES) == 0;
        let only_crashes = draw_quorums(options, skewed_moves, &mut config, &mut rng);
        if !only_crashes && !skewed_moves {
            draw_capacity(options, &mut config, &mut rng);
        }
        let last_faults = pick(&mut rng, &[0, 0, 5, 20]);
        Self {
            skewed_moves,
            clients: 3 + small(rng.below(3)),
            shared: 1 + small(rng.below(3)),
            only_crashes,
            names_coordinators: rng.below(2) == 0,
            shares_conditions: rng.below(4) == 0 && !only_crashes,
            looks: rng.below(2) == 0,
            last_faults: if skewed_moves { 4 } else { last_faults },
            budget: draw_budget(&config, only_crashes, options.nemesis, &mut rng),
            config,
        }
    }

    /// The only kinds of faults; empty: all.
    pub(super) fn only(&self) -> &'static [Kind] {
        match () {
            () if self.only_crashes => &[Kind::Crash],
            () if self.skewed_moves => &[Kind::Skew, Kind::Join, Kind::Leave],
            () => &[],
        }
    }

    /// Whether full nodes evict.
    #[must_use]
    pub fn evicts(&self) -> bool {
        self.config.capacity.is_bounded() && self.config.eviction != Eviction::None
    }

    /// Whether every read quorum meets every write quorum.
    #[must_use]
    pub fn quorums_intersect(&self) -> bool {
        intersect(&self.config)
    }

    /// What a run must keep, given the [promise](crate::Cluster::promise_with_resync) of the cluster.
    /// Where crashes are the only faults, every owner gets every message; then a quorum of one is as
    /// good as all.
    #[must_use]
    pub fn expectation(&self, promise: Promise) -> Promise {
        if self.only_crashes {
            Promise::Linearizable
        } else {
            promise
        }
    }
}

fn small(number: u64) -> usize {
    usize::try_from(number).unwrap_or(1)
}

fn intersect(config: &Config) -> bool {
    config.write_quorum + config.read_quorum > config.replicas
}

/// Modulo in half of the runs, since it moves the most keys, and mostly one that is cheap to build.
fn placement(rng: &mut Rng) -> PlacementKind {
    match rng.below(16) {
        0 => pick(rng, PlacementKind::ALL),
        1..=4 => PlacementKind::Rendezvous,
        5..=7 => PlacementKind::Jump,
        _ => PlacementKind::Modulo,
    }
}

/// Draws replicas and quorums. Returns whether crashes are the only faults.
fn draw_quorums(options: &Options, skewed_moves: bool, config: &mut Config, rng: &mut Rng) -> bool {
    let is_swarm = options.nemesis == Nemesis::Swarm;
    let is_free = options.write_quorum.is_none() && options.read_quorum.is_none() && is_swarm;
    if is_free && options.replicas.is_none() && (skewed_moves || rng.below(6) == 0) {
        let drawn = pick(rng, if skewed_moves { &[2, 2, 3] } else { &[1, 2] });
        config.replicas = drawn.min(options.nodes as usize);
    }
    config.write_quorum = options.write_quorum_of(config.replicas);
    config.read_quorum = options.read_quorum_of(config.replicas);
    if !is_free || skewed_moves || config.replicas == 1 {
        return false;
    }
    let only_crashes = rng.below(ONLY_CRASHES) == 0 && !options.capacity.is_bounded();
    if only_crashes {
        (config.write_quorum, config.read_quorum) = (1, 1);
    } else if rng.below(SMALL_QUORUMS) == 0 {
        let n = config.replicas;
        (config.write_quorum, config.read_quorum) = pick(rng, &[(1, 1), (1, n), (n, 1), (1, 2)]);
    }
    only_crashes
}

fn draw_capacity(options: &Options, config: &mut Config, rng: &mut Rng) {
    let is_given = options.capacity.is_bounded();
    let is_drawn = options.nemesis == Nemesis::Swarm && rng.below(BOUNDED) == 0;
    if is_drawn && !is_given {
        let (entries, bytes) = (1 + rng.below(4), 60 + rng.below(200));
        let unit = rng.below(5);
        config.capacity = Capacity {
            entries: Some(entries).filter(|_| unit != 0),
            bytes: Some(bytes).filter(|_| unit < 2),
        };
    }
    if is_drawn || is_given {
        let all = pick(rng, Eviction::ALL);
        let drawn = if rng.below(EVICTS_NOTHING) == 0 {
            Eviction::None
        } else {
            all
        };
        config.eviction = options.eviction.unwrap_or(drawn);
    }
}

/// How many nodes may be without their memory at a time: mostly as many as the promise allows, and
/// now and then one more.
fn draw_budget(config: &Config, only_crashes: bool, nemesis: Nemesis, rng: &mut Rng) -> usize {
    if only_crashes {
        return 1;
    }
    let is_bounded = config.capacity.is_bounded();
    let allowed = match intersect(config) {
        true if is_bounded && config.replicas > 1 => 0,
        true => config.write_quorum - 1,
        false => 1,
    };
    let more = nemesis == Nemesis::Swarm && rng.below(if is_bounded { 3 } else { 12 }) == 0;
    allowed + usize::from(more)
}
