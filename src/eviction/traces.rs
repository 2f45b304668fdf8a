//! Traces that are generated, the same in every clone. The reference simulator was run on them: see
//! `scripts/reference-counts` and `tests/data/misses.csv`. A change here needs new counts.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Once;

use crate::rng::Rng;

/// How many requests each trace has.
const REQUESTS: usize = 20_000;

/// The name and the requested objects of each trace.
pub(crate) fn traces() -> Vec<(&'static str, Vec<u64>)> {
    vec![
        ("zipf", zipf()),
        ("loop", (0..1_000).cycle().take(REQUESTS).collect()),
        ("scan", scan()),
        ("mixed", mixed()),
        ("churn", churn()),
    ]
}

/// Objects of which the `n`-th is requested in proportion to 1 / `n`.
struct Zipf {
    rng: Rng,
    /// Sums of the weights.
    sums: Vec<u64>,
}

impl Zipf {
    fn new(seed: u64, objects: u64) -> Self {
        let mut sum = 0;
        let sums = (1..=objects).map(|n| {
            sum += (1 << 32) / n;
            sum
        });
        Self {
            rng: Rng::new(seed),
            sums: sums.collect(),
        }
    }

    fn next(&mut self) -> u64 {
        let all = self.sums.last().copied().unwrap_or(0);
        let drawn = self.rng.below(all);
        self.sums.partition_point(|&sum| sum <= drawn) as u64
    }
}

/// Popular objects, and always the same ones.
fn zipf() -> Vec<u64> {
    let mut zipf = Zipf::new(1, 3_000);
    (0..REQUESTS).map(|_| zipf.next()).collect()
}

/// Popular objects, and after every 1,500 requests 500 others that never come again.
fn scan() -> Vec<u64> {
    let mut zipf = Zipf::new(2, 1_000);
    let scanned = |at: usize| (at % 2_000 >= 1_500).then_some(1_000 + at as u64);
    (0..REQUESTS)
        .map(|at| scanned(at).unwrap_or_else(|| zipf.next()))
        .collect()
}

/// Popular objects and a loop of 300 others by turns of 2,500, then both mixed.
fn mixed() -> Vec<u64> {
    let (mut zipf, mut rng) = (Zipf::new(3, 1_500), Rng::new(4));
    let mut looped = (1_500..1_800).cycle();
    let in_loop = |at: usize, coin: u64| match at / 2_500 {
        0 | 2 => false,
        1 | 3 => true,
        _ => coin == 0,
    };
    (0..REQUESTS)
        .map(|at| {
            let next = in_loop(at, rng.below(2)).then(|| looped.next());
            next.flatten().unwrap_or_else(|| zipf.next())
        })
        .collect()
}

/// Popular objects that are new ones after a while: every 20 requests all ranks move by one.
fn churn() -> Vec<u64> {
    let mut zipf = Zipf::new(5, 800);
    (0..REQUESTS)
        .map(|at| zipf.next() + at as u64 / 20)
        .collect()
}

/// What a reference simulator misses: a line of a table.
pub(crate) struct Row<'a> {
    pub(crate) trace: &'a str,
    pub(crate) policy: &'a str,
    pub(crate) size: usize,
    pub(crate) misses: usize,
}

/// The rows of a table: trace, policy, size, requests, misses, and where they come from.
pub(crate) fn reference_rows(table: &str) -> impl Iterator<Item = Row<'_>> {
    table.lines().skip(1).map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        let [trace, policy, size, _, misses, ..] = cells[..] else {
            panic!("no row: {line}");
        };
        Row {
            trace,
            policy,
            size: size.parse().expect("a size"),
            misses: misses.parse().expect("a count"),
        }
    })
}

/// The folder of larger traces, which are not in the repository, with the counts of several
/// simulators: `SHARDLAB_TRACES`, or else `../shared/traces`. Says so if it is not there.
pub(crate) fn larger_traces() -> Option<PathBuf> {
    static NOTE: Once = Once::new();
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/traces");
    let folder = std::env::var_os("SHARDLAB_TRACES").map_or(beside, PathBuf::from);
    if folder.join("reference.csv").exists() {
        return Some(folder);
    }
    NOTE.call_once(|| {
        let note = format!("\nSKIPPED: no larger traces in {}\n", folder.display());
        // Not by a macro, whose output is kept from those who run the tests.
        let _ = std::io::stderr().write_all(note.as_bytes());
    });
    None
}
