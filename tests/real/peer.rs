//! The counts of the reference simulator, libCacheSim, on traces that we generate.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{json, shardlab, succeeded};

/// Policies with the same definition here and there, as scripts/reference-counts.py has them.
const POLICIES: &str = "fifo,lru,lfu,second-chance,slru,2q,arc,sieve,belady";

#[test]
fn the_reference_simulator_counts_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    for kind in ["zipf", "hotspot", "ycsb-d", "loop"] {
        let trace = folder.path().join(format!("{kind}.txt"));
        let size = ["--keys", "2000", "--requests", "40000", "--seed", "5", "-q"];
        shardlab(&[&["generate", kind, &trace.to_string_lossy()], &size[..]].concat());
    }
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).join("venv/bin/python");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/reference-counts.py");
    let output = Command::new(python).arg(script).arg(folder.path()).output();
    let printed = succeeded(output.expect("the environment is there; scripts/test makes it"));
    let mut rows = 0;
    for entry in fs::read_dir(folder.path()).expect("a folder") {
        let trace = entry.expect("a trace").path();
        let sizes = "20,100,300,700";
        let grid = ["--policies", POLICIES, "--sizes", sizes, "--ttl", "none"];
        let found = json(&[&["compare", &trace.to_string_lossy()], &grid[..]].concat());
        for cell in found["cells"].as_array().expect("cells") {
            let name = trace.file_stem().expect("a name").to_string_lossy();
            let policy = cell["policy"].as_str().expect("a name");
            let expected = format!(
                "{name},{policy},{},{},{},exact",
                cell["size"], cell["requests"], cell["misses"]
            );
            assert!(
                printed.lines().any(|row| row.starts_with(&expected)),
                "{expected}"
            );
            rows += 1;
        }
    }
    assert_eq!(rows, 4 * 9 * 4);
}
