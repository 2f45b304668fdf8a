//! A grid of simulations over one trace: policies by sizes, on one node or split over several.

use std::ops::Range;

use super::counts::Halves;
use super::curve::lru_curve;
use super::policy::{Policy, Prepared, Unit, simulate};
use super::sample::Share;
use super::{Ops, Rules, Ttl};
use crate::eviction::Eviction;

/// Sizes of LRU from which one pass for all of them is cheaper than a simulation for each.
const SIZES_FOR_CURVE: usize = 6;

/// The part of a grid that one node runs.
#[derive(Clone)]
pub struct Shard<'t> {
    /// Its requests.
    pub prepared: Prepared<'t>,
    /// The requests that warm the cache up, those up to the half of the rest, and the rest.
    pub bounds: [usize; 3],
    /// The time at each of these bounds, in nanoseconds: until then objects of this shard expire.
    pub times: [u64; 3],
    /// The part of each size that is its own.
    pub share: Share,
}

/// A simulation of a grid, or all sizes of LRU in one pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The policy.
    pub policy: Policy,
    /// The sizes, by their places in the grid's list.
    pub sizes: Range<usize>,
    /// The shard.
    pub shard: usize,
    /// About how much work it is: requests times a factor of the policy.
    pub work: u64,
}

/// The parameters of a grid.
#[derive(Clone, Debug)]
pub struct Grid {
    /// The policies.
    pub policies: Vec<Policy>,
    /// What each node holds, ascending.
    pub sizes: Vec<u64>,
    /// The unit of the sizes.
    pub unit: Unit,
    /// The rules.
    pub rules: Rules,
    /// The seed of the policies that choose at random.
    pub seed: u64,
}

impl Grid {
    /// The tasks of a grid over these shards, the largest first.
    #[must_use]
    pub fn tasks(&self, shards: &[Shard<'_>]) -> Vec<Task> {
        let mut tasks = Vec::new();
        for (shard, part) in shards.iter().enumerate() {
            for &policy in self
                .policies
                .iter()
                .filter(|policy| policy.allows(self.rules))
            {
                tasks.extend(self.tasks_of(policy, shard, part));
            }
        }
        tasks.sort_by_key(|task| std::cmp::Reverse(task.work));
        tasks
    }

    fn tasks_of(&self, policy: Policy, shard: usize, part: &Shard<'_>) -> Vec<Task> {
        let work = part.bounds[2] as u64 * cost(policy);
        let sizes = 0..self.sizes.len();
        let task = |sizes| Task {
            policy,
            sizes,
            shard,
            work,
        };
        if self.is_curve(policy) {
            return vec![task(sizes)];
        }
        sizes.map(|size| task(size..size + 1)).collect()
    }

    /// Whether all sizes of a policy come from one pass.
    fn is_curve(&self, policy: Policy) -> bool {
        policy == Policy::Node(Eviction::Lru)
            && self.unit == Unit::Objects
            && self.rules.ops == Ops::Fill
            && self.rules.ttl == Ttl::None
            && self.sizes.len() >= SIZES_FOR_CURVE
    }

    /// Runs a task: the counts for each of its sizes.
    #[must_use]
    pub fn run(&self, task: &Task, shard: &Shard<'_>) -> Vec<Halves> {
        let trace = shard.prepared.trace;
        let is_plain = trace.sizes.is_empty() && trace.follows.is_empty();
        if task.sizes.len() > 1 && shard.bounds[0] == 0 && is_plain {
            return self.run_curve(shard);
        }
        let sizes = self.sizes[task.sizes.clone()].iter();
        sizes
            .map(|&size| self.run_one(task, shard.share.of(size), shard))
            .collect()
    }

    fn run_one(&self, task: &Task, size: u64, shard: &Shard<'_>) -> Halves {
        let prepared = &shard.prepared;
        let seed = node_seed(self.seed, task.shard);
        let mut simulation = simulate(prepared, task.policy, size, self.unit, self.rules, seed);
        let mut from = 0;
        let [before, first, all] = [0, 1, 2].map(|part| {
            let to = shard.bounds[part];
            simulation.run(prepared.trace, from..to);
            simulation.pass_to(shard.times[part]);
            from = to;
            simulation.counts()
        });
        Halves {
            first: first - before,
            all: all - before,
        }
    }

    fn run_curve(&self, shard: &Shard<'_>) -> Vec<Halves> {
        let [_, half, end] = shard.bounds;
        let trace = shard.prepared.trace;
        let sizes: Vec<usize> = self
            .sizes
            .iter()
            .map(|&size| usize::try_from(shard.share.of(size)).unwrap_or(usize::MAX))
            .collect();
        let curves = lru_curve(&trace.ids[..end], trace.objects, half);
        let [first, all] = curves.map(|curve| curve.counts_at(&sizes));
        let halves = first.into_iter().zip(all);
        halves.map(|(first, all)| Halves { first, all }).collect()
    }
}

/// The seed of the policy of a node, as [`Cluster`](crate::cluster::Cluster) derives it.
#[must_use]
pub fn node_seed(seed: u64, node: usize) -> u64 {
    seed ^ (node as u64) << 32
}

/// About how long a request takes with a policy: FIFO is 5.
#[must_use]
pub fn cost(policy: Policy) -> u64 {
    match policy {
        Policy::Belady | Policy::Gdsf => 20,
        Policy::Node(Eviction::Hyperbolic) => 120,
        Policy::Node(Eviction::WTinyLfu) => 24,
        Policy::Node(Eviction::Lfu | Eviction::Lirs | Eviction::Arc) => 16,
        Policy::Node(Eviction::Slru | Eviction::TwoQ | Eviction::Ttl) => 10,
        Policy::Node(_) => 5,
    }
}
