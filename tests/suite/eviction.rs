//! Read-through on one node of a real cluster misses where the reference simulator misses.
//!
//! The unit tests of each policy compare every row of the reference with slots and numbers; here,
//! whole keys go through the cluster, and through the program.

#[path = "../../src/eviction/traces.rs"]
mod traces;

use std::fs;
use std::path::Path;

use shardlab::config::Capacity;
use shardlab::eviction::Eviction;
use shardlab::hash::rapidhash;
use shardlab::time::Instant;
use shardlab::{Cache, Cluster, Config};

use super::{run, text};
use traces::{Row, larger_traces, reference_rows, traces};

/// What the reference simulator misses on the generated traces.
const MISSES: &str = include_str!("../data/misses.csv");

fn misses(trace: &str, policy: Eviction, size: u64) -> u64 {
    let config = Config::new()
        .nodes(1)
        .eviction(policy)
        .capacity(Capacity::entries(size));
    let mut cluster = Cluster::new(config).expect("a cluster");
    for key in trace.lines().map(str::as_bytes) {
        let get = cluster.get(Instant::START, key);
        if get.expect("an answer").is_none() {
            cluster.add(Instant::START, key, b"1", None).expect("room");
        }
    }
    cluster.stats(Instant::START).misses
}

/// A trace as text, an object a line.
fn lines(trace: &[u64]) -> String {
    trace.iter().map(|id| format!("{id}\n")).collect()
}

/// Compares the rows that a cluster can have. Returns how many there are.
fn compare<'a>(rows: impl Iterator<Item = Row<'a>>, trace: impl Fn(&str) -> String) -> usize {
    let mut compared = 0;
    for row in rows {
        let Ok(policy) = row.policy.parse() else {
            assert_eq!(row.policy, "belady");
            continue;
        };
        let found = misses(&trace(row.trace), policy, row.size as u64);
        // A sketch depends on the hash: one row of W-TinyLFU is 2.3 % better than the reference.
        let tolerance = if row.policy == "w-tinylfu" {
            0.025
        } else {
            0.0
        };
        let off = found.abs_diff(row.misses as u64) as f64;
        assert!(
            off <= tolerance * row.misses as f64,
            "{policy} {} {}: {found}, the reference has {}",
            row.trace,
            row.size,
            row.misses
        );
        compared += 1;
    }
    compared
}

#[test]
fn a_cluster_of_one_node_misses_as_the_reference_does() {
    let generated = traces();
    let trace = |name: &str| {
        let found = generated.iter().find(|(it, _)| *it == name);
        lines(&found.expect("a generated trace").1)
    };
    let rows = reference_rows(MISSES).filter(|row| matches!(row.size, 100 | 700));
    assert_eq!(compare(rows, trace), 5 * 8 * 2);
}

/// The smallest of the larger traces whole; of the others, one size.
#[test]
fn a_cluster_of_one_node_misses_as_the_reference_does_on_larger_traces() {
    let Some(folder) = larger_traces() else {
        return;
    };
    let read = |name: String| fs::read_to_string(folder.join(name)).expect("a file");
    let reference = read("reference.csv".into());
    let rows = reference_rows(&reference);
    let rows = rows.filter(|row| row.trace == "lirs_multi1" || row.size == 512);
    assert!(compare(rows, |trace| read(format!("{trace}.txt"))) > 100);
}

#[test]
fn the_program_misses_as_the_reference_does() {
    let generated = traces();
    let trace = generated.iter().find(|(name, _)| *name == "mixed");
    let (_, trace) = trace.expect("a generated trace");
    let script: String = trace
        .iter()
        .map(|id| format!("GET {id}\nADD {id} 1\n"))
        .collect();
    let options = "-n1 --max-entries 300 --eviction sieve --format json";
    let options: Vec<&str> = options.split(' ').collect();
    let output = run(&options, format!("{script}STATS\n").as_bytes());
    let last = text(&output.stdout).lines().last().expect("an answer");
    let stats: serde_json::Value = serde_json::from_str(last).expect("an object");
    let is_it = |row: &Row| (row.trace, row.policy, row.size) == ("mixed", "sieve", 300);
    let row = reference_rows(MISSES).find(is_it).expect("a row");
    assert_eq!(stats["misses"], row.misses);
}

/// The counts of the reference simulator hold for these traces only. They are written to a folder, from
/// which `scripts/reference-counts` takes them.
#[test]
fn the_generated_traces_are_those_that_were_counted() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("traces");
    fs::create_dir_all(&folder).expect("a folder");
    let mut hashes = String::new();
    for (name, trace) in traces() {
        let text = lines(&trace);
        let file = folder.join(name).with_extension("txt");
        fs::write(file, &text).expect("room on the disk");
        hashes += &format!("{name} {:016x}\n", rapidhash(text.as_bytes()));
    }
    assert_eq!(hashes, include_str!("../data/traces.txt"));
}
