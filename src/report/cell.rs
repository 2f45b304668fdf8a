//! One cell of a comparison: a policy at a size on a cluster, and what it counted.

use crate::placement::PlacementKind;
use crate::replay::{Counts, Error, Halves, Impact, Policy, Unit, Windows};

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

/// A replay through a real cluster, in the order of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// What it counted in each window.
    pub windows: Windows,
    /// The same without the events; `None` if there are no events.
    pub calm: Option<Windows>,
    /// What each event cost.
    pub impacts: Vec<Impact>,
}

impl Course {
    /// What the same replay counted without the events.
    #[must_use]
    pub fn calm_counts(&self) -> Option<Counts> {
        self.calm.as_ref().map(|calm| sum(&calm.counts))
    }
}

fn sum(counts: &[Counts]) -> Counts {
    counts.iter().fold(Counts::default(), |sum, it| sum + *it)
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
    /// What each node counted, by number, with those that joined or left; empty with one node.
    pub nodes: Vec<Counts>,
    /// Its course, if it was replayed through a real cluster.
    pub course: Option<Course>,
    /// How far the ratios may be off; `None`: the counts are exact.
    pub error: Option<Error>,
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
            course: None,
            error: None,
        }
    }

    /// A cell by objects from its course, and from what its nodes counted. `half` is the place in the
    /// trace where the second half begins.
    #[must_use]
    pub fn of_course(
        policy: Policy,
        size: u64,
        deployment: Deployment,
        half: usize,
        course: Course,
        nodes: Vec<Counts>,
    ) -> Self {
        let counts = &course.windows.counts;
        let ends = &course.windows.ends;
        let first_half = ends.iter().take_while(|&&end| end <= half).count();
        Self {
            policy,
            size,
            unit: Unit::Objects,
            deployment,
            counts: sum(counts),
            first_half: sum(&counts[..first_half]),
            nodes: if nodes.len() > 1 { nodes } else { Vec::new() },
            course: Some(course),
            error: None,
        }
    }

    /// The half-width of the ratio that a comparison minimises; `None` if it is exact.
    #[must_use]
    pub fn plus_minus(&self, by: Unit) -> Option<f64> {
        self.error.map(|error| match by {
            Unit::Objects => error.requests,
            Unit::Bytes => error.bytes,
        })
    }

    /// The lowest and the highest ratio that are likely.
    #[must_use]
    pub fn bounds(&self, by: Unit) -> (f64, f64) {
        let (ratio, error) = (self.ratio(by), self.plus_minus(by).unwrap_or(0.0));
        ((ratio - error).max(0.0), (ratio + error).min(1.0))
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
