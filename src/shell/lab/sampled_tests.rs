//! Estimates from samples beside exact counts.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use super::plan::Plan;
use super::run::run;
use super::workers::Workers;
use crate::eviction::traces::larger_traces;
use crate::placement::PlacementKind;
use crate::replay::{Grid, Rules, Ttl, Unit, smallest_size};
use crate::report::{Cell, Deployment};
use crate::shell::wakeup::Wakeup;
use crate::trace::{BoxedTrace, Columns, Input, Kind, Limits, Sampling, Wanted, Workload, detect};

/// A trace that can be read again.
enum Source {
    Made(Workload),
    File(std::path::PathBuf),
}

impl Source {
    fn open(&self) -> BoxedTrace {
        match self {
            Self::Made(workload) => Box::new(workload.trace().expect("a workload")),
            Self::File(path) => {
                let file = File::open(path).expect("a file");
                let mut input =
                    Input::new(Box::new(file), &path.to_string_lossy(), None).expect("bytes");
                let spec = detect(&mut input).expect("a format").spec;
                spec.read(input).expect("a trace")
            }
        }
    }

    fn read(&self, limit: u64, sampling: Sampling) -> Columns {
        let wanted = Wanted {
            sizes: true,
            times: true,
            ttls: true,
            keys: true,
            ..Wanted::default()
        };
        let mut limits = Limits {
            requests: limit,
            go_on: &mut |_| true,
        };
        Columns::sample(&mut *self.open(), wanted, &mut limits, sampling).expect("columns")
    }
}

fn grid(policies: &str, sizes: Vec<u64>, unit: Unit, ttl: Ttl) -> Grid {
    let policies = policies
        .split(',')
        .map(|name| name.parse().expect("a policy"));
    Grid {
        policies: policies.collect(),
        sizes,
        unit,
        rules: Rules {
            ttl,
            ..Rules::default()
        },
        seed: 1,
    }
}

fn cells(grid: &Grid, trace: &Columns, nodes: u32) -> Vec<Cell> {
    let deployment = Deployment {
        nodes,
        placement: PlacementKind::default(),
        replicas: 1,
    };
    let workers = Workers {
        jobs: Some(2),
        wakeup: &Arc::new(Wakeup::default()),
        label: "",
    };
    let plan = Plan::of(trace, 0.1, &[]);
    run(grid, trace, deployment, &plan, workers)
}

/// Sizes from the smallest that a sample shows up to 80 % of the objects.
fn sizes(objects: u32, rate: f64, nodes: u32) -> Vec<u64> {
    let first = smallest_size(rate);
    let last = u64::from(objects / nodes) * 4 / 5;
    assert!(first < last, "the trace is large enough");
    (0..8)
        .map(|at| first + (last - first) * at * at / 49)
        .collect()
}

/// How many of the points are within their error bars, and how many there are.
fn covered(exact: &[Cell], sampled: &[Cell], by: Unit) -> (usize, usize) {
    assert_eq!(exact.len(), sampled.len());
    let pairs = exact.iter().zip(sampled).map(|(exact, sampled)| {
        assert_eq!((exact.policy, exact.size), (sampled.policy, sampled.size));
        assert!(exact.error.is_none() && sampled.error.is_some());
        let (low, high) = sampled.bounds(by);
        assert!((0.0..=1.0).contains(&low) && low <= high && high <= 1.0);
        (low..=high).contains(&exact.ratio(by))
    });
    (pairs.filter(|is_covered| *is_covered).count(), exact.len())
}

/// What is compared.
struct Case {
    name: String,
    source: Source,
    rate: f64,
    nodes: u32,
    unit: Unit,
    ttl: Ttl,
    policies: &'static str,
}

impl Case {
    fn new(name: &str, source: Source, rate: f64) -> Self {
        Self {
            name: name.into(),
            source,
            rate,
            nodes: 1,
            unit: Unit::Objects,
            ttl: Ttl::None,
            policies: "lru,s3-fifo,belady",
        }
    }

    /// The part of the points that is covered, over several salts.
    fn coverage(&self) -> f64 {
        const LIMIT: u64 = 60_000;
        let exact = self.source.read(LIMIT, Sampling::at(1.0));
        let mut sizes = sizes(exact.objects, self.rate, self.nodes);
        if self.unit == Unit::Bytes {
            let bytes: u64 = (0..exact.ids.len())
                .filter_map(|at| exact.sizes.get(at))
                .sum();
            let mean = bytes / exact.ids.len() as u64;
            for size in &mut sizes {
                *size *= mean;
            }
        }
        let grid = grid(self.policies, sizes, self.unit, self.ttl);
        let expected = cells(&grid, &exact, self.nodes);
        let (mut covered_points, mut points) = (0, 0);
        for salt in 100..108 {
            let sampling = Sampling {
                salt,
                ..Sampling::at(self.rate)
            };
            let sample = self.source.read(LIMIT, sampling);
            let found = cells(&grid, &sample, self.nodes);
            let (covered, all) = covered(&expected, &found, self.unit);
            covered_points += covered;
            points += all;
        }
        covered_points as f64 / points as f64
    }
}

fn zipf(sizes: std::ops::RangeInclusive<u64>) -> Source {
    Source::Made(Workload {
        keys: 40_000,
        requests: 60_000,
        skew: Some(0.9),
        sizes: Some(sizes),
        ttls: Some(20_000..=60_000),
        seed: 5,
        ..Workload::new(Kind::Zipf)
    })
}

fn made(kind: Kind, keys: u64) -> Source {
    Source::Made(Workload {
        keys,
        requests: 60_000,
        seed: 6,
        ..Workload::new(kind)
    })
}

/// 90 % of the points at a nominal 95 %. The salts are 100 to 107.
#[test]
fn error_bars_cover_the_exact_ratios() {
    let mut cases = vec![
        Case::new("zipf", zipf(1..=1), 0.1),
        Case::new("hotspot", made(Kind::Hotspot, 30_000), 0.05),
        Case::new("ycsb-d", made(Kind::YcsbD, 20_000), 0.1),
        Case {
            nodes: 3,
            ..Case::new("zipf on 3 nodes", zipf(1..=1), 0.1)
        },
        Case {
            unit: Unit::Bytes,
            policies: "lru,fifo,gdsf",
            ..Case::new("zipf by bytes", zipf(100..=2_000), 0.1)
        },
        Case {
            ttl: Ttl::Trace,
            policies: "lru,fifo,s3-fifo",
            ..Case::new("zipf with TTLs", zipf(1..=1), 0.1)
        },
    ];
    let beside =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/traces/cache2k-web07.trace");
    cases.push(Case::new("web07", Source::File(beside), 0.5));
    if let Some(folder) = larger_traces() {
        for name in ["arc_OLTP", "scarab_recs", "cloud_physics_w106"] {
            let path = folder.join(format!("ids/{name}.u64le.zst"));
            cases.push(Case::new(name, Source::File(path), 0.1));
        }
    }
    for case in cases {
        let coverage = case.coverage();
        assert!(
            coverage >= 0.9,
            "{}: {coverage:.3} of the points",
            case.name
        );
    }
}

#[test]
fn the_shares_of_the_groups_are_the_share_of_the_sample() {
    use crate::replay::Share;
    for size in [0, 1, 7, 50, 12_345, u64::MAX / 2] {
        for rate in [0.5, 0.1, 0.001] {
            let groups = (0..8).map(|group| Share::Group(rate, group).of(size));
            assert_eq!(groups.sum::<u64>(), Share::Sample(rate).of(size));
        }
    }
    assert_eq!(Share::Sample(0.1).of(500), 50);
    assert_eq!(Share::Whole.of(17), 17);
}
