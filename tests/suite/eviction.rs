//! Read-through on one node of a real cluster misses where the field's reference simulators miss.
//!
//! The unit tests of each policy compare every row of the reference with slots and numbers; here,
//! whole keys go through the cluster, and through the program.

use std::fs;
use std::path::PathBuf;

use shardlab::config::Capacity;
use shardlab::eviction::Eviction;
use shardlab::time::Instant;
use shardlab::{Cache, Cluster, Config};

use super::{run, text};

/// Traces and counts that lie beside this repository, where they do.
fn traces() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/traces");
    folder.exists().then_some(folder)
}

struct Row {
    trace: String,
    policy: Eviction,
    size: u64,
    misses: u64,
    exact: bool,
}

fn rows(reference: &str) -> Vec<Row> {
    let rows = reference.lines().skip(1).filter_map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        Some(Row {
            trace: cells[0].into(),
            policy: cells[1].parse().ok()?,
            size: cells[2].parse().ok()?,
            misses: cells[4].parse().ok()?,
            exact: cells[5] == "exact",
        })
    });
    rows.collect()
}

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

#[test]
fn a_cluster_of_one_node_misses_as_the_reference_does() {
    let Some(folder) = traces() else { return };
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("a file");
    let mut wrong = String::new();
    let mut compared = 0;
    for row in rows(&read("reference.csv")) {
        // The smallest trace whole; of the others, one size.
        if row.trace != "lirs_multi1" && row.size != 512 {
            continue;
        }
        let found = misses(&read(&format!("{}.txt", row.trace)), row.policy, row.size);
        // A sketch depends on the hash: one row of W-TinyLFU is 2.3 % better than the reference.
        let tolerance = if row.exact { 0.0 } else { 0.025 };
        compared += 1;
        if found.abs_diff(row.misses) as f64 > tolerance * row.misses as f64 {
            let Row {
                trace,
                policy,
                size,
                misses,
                ..
            } = row;
            wrong += &format!("{policy} {trace} {size}: {found}, the reference has {misses}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(compared > 100, "{compared} rows");
}

#[test]
fn the_program_misses_as_the_reference_does() {
    let Some(folder) = traces() else { return };
    let trace = fs::read_to_string(folder.join("lirs_multi1.txt")).expect("a trace");
    let script: String = trace
        .lines()
        .map(|id| format!("GET {id}\nADD {id} 1\n"))
        .collect();
    let options = [
        "-n1",
        "--max-entries",
        "521",
        "--eviction",
        "sieve",
        "--format",
        "json",
    ];
    let output = run(&options, format!("{script}STATS\n").as_bytes());
    let last = text(&output.stdout).lines().last().expect("an answer");
    let stats: serde_json::Value = serde_json::from_str(last).expect("an object");
    assert_eq!(stats["misses"], 8035);
}
