//! One cell of a comparison: a policy at a size on a cluster, and what it counted.

use crate::placement::PlacementKind;
use crate::replay::{Counts, Halves, Policy, Unit};

/// Where the caches are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// The number of nodes.
    pub nodes: u32,
    /// How objects are placed on them.
    pub placement: PlacementKind,
    /// How many nodes hold each object.
    pub replicas: u32,
}

/// One cell of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// The policy.
    pub policy: Policy,
    /// What each node holds.
    pub size: u64,
    /// The unit of the size.
    pub unit: Unit,
    /// Where it is.
    pub deployment: Deployment,
    /// What it counted.
    pub counts: Counts,
    /// What it counted in the first half.
    pub first_half: Counts,
    /// What each node counted; empty with one node.
    pub nodes: Vec<Counts>,
}

impl Cell {
    /// A cell from what its nodes counted.
    #[must_use]
    pub fn new(
        policy: Policy,
        size: u64,
        unit: Unit,
        deployment: Deployment,
        nodes: &[Halves],
    ) -> Self {
        let mut all = Halves::default();
        for node in nodes {
            all.first += node.first;
            all.all += node.all;
        }
        let of_nodes = nodes.iter().map(|node| node.all);
        Self {
            policy,
            size,
            unit,
            deployment,
            counts: all.all,
            first_half: all.first,
            nodes: of_nodes.filter(|_| nodes.len() > 1).collect(),
        }
    }

    /// The ratio that a comparison minimises.
    #[must_use]
    pub fn ratio(&self, by: Unit) -> f64 {
        ratio(&self.counts, by)
    }
}

/// The miss ratio of requests, or of bytes.
pub(super) fn ratio(counts: &Counts, by: Unit) -> f64 {
    match by {
        Unit::Objects => counts.miss_ratio(),
        Unit::Bytes => counts.byte_miss_ratio(),
    }
}
