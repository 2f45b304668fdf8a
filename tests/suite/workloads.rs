//! REPLAY and LOAD, as a process.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::{run, shardlab, text};

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn objects(arguments: &[&str]) -> Vec<Value> {
    let output = run(&[&["--format", "json"], arguments].concat(), b"");
    assert_eq!(text(&output.stderr), "", "{arguments:?}");
    let lines = text(&output.stdout).lines();
    let objects = lines.map(|line| serde_json::from_str(line).expect("JSON"));
    objects.collect()
}

/// A trace of a workload in a folder.
fn trace(folder: &Path, workload: &str, options: &[&str]) -> String {
    let path = folder.join(format!("{workload}.csv"));
    let path = path.to_str().expect("a path of text").to_owned();
    let output = run(&[&["generate", workload, &path], options].concat(), b"");
    assert!(output.status.success(), "{}", text(&output.stderr));
    path
}

/// The same trace, policy, capacity and nodes: the cluster and the replay without a cluster count the
/// same misses. Policies that draw at random have other seeds there.
#[test]
fn a_replay_through_the_cluster_misses_as_often_as_compare_says() {
    let folder = folder();
    let options = ["--keys", "500", "--requests", "20000", "--seed", "7"];
    let plain = trace(folder.path(), "zipf", &options);
    let expiring = trace(
        folder.path(),
        "hotspot",
        &[&options[..], &["--ttl", "1s..4s"]].concat(),
    );
    for path in [&plain, &expiring] {
        for policy in [
            "lru",
            "fifo",
            "sieve",
            "s3-fifo",
            "w-tinylfu",
            "arc",
            "slru",
            "lfu",
        ] {
            for nodes in ["1", "3"] {
                let compared = objects(&[
                    "compare",
                    path,
                    "--policies",
                    policy,
                    "--sizes",
                    "40",
                    "--nodes",
                    nodes,
                ]);
                let replay = format!("REPLAY {path}");
                let replayed = objects(&[
                    "--quiet",
                    "--clock",
                    "virtual",
                    "-n",
                    nodes,
                    "--eviction",
                    policy,
                    "--max-entries",
                    "40",
                    "-c",
                    &replay,
                ]);
                let replayed = replayed.last().expect("a reply");
                let misses = &compared[0]["cells"][0]["misses"];
                assert_eq!(&replayed["misses"], misses, "{path} {policy} on {nodes}");
                assert_eq!(replayed["requests"], 20_000);
                assert_eq!(replayed["took_ms"], 19_999);
                let per_node = replayed["nodes"].as_array().expect("a list").iter();
                let sum: u64 = per_node.filter_map(|it| it["misses"].as_u64()).sum();
                assert_eq!(Value::from(sum), *misses);
            }
        }
    }
}

#[test]
fn parts_of_a_replay_are_the_whole() {
    let folder = folder();
    let options = ["--keys", "300", "--requests", "5000", "--writes", "20%"];
    let path = trace(folder.path(), "uniform", &options);
    let whole = format!("REPLAY {path} RATE 1000");
    let part = format!("REPLAY {path} RATE 1000 COUNT 1250");
    let of = |lines: &[&str]| {
        let commands = lines.iter().flat_map(|line| ["-c", line]);
        let cluster = ["--clock", "virtual", "--max-entries", "50"];
        let arguments: Vec<&str> = cluster.into_iter().chain(commands).collect();
        objects(&arguments)
    };
    let whole = of(&[&whole]);
    let parts = of(&[part.as_str(); 4]);
    for count in ["requests", "hits", "misses", "writes", "evicted"] {
        let sum: u64 = parts.iter().filter_map(|it| it[count].as_u64()).sum();
        assert_eq!(whole[0][count], sum, "{count}");
    }
    assert_eq!(parts[3]["from"], 3750);
}

#[test]
fn a_trace_that_breaks_off_is_replayed_up_to_there() {
    let folder = folder();
    let path = folder.path().join("cut.u64le");
    let mut bytes: Vec<u8> = (0..5_u64).flat_map(u64::to_le_bytes).collect();
    bytes.extend([1, 2, 3]);
    fs::write(&path, bytes).expect("written");
    let line = format!("REPLAY {} FORMAT u64le", path.display());
    let output = run(&["--clock", "virtual", "-c", &line], b"");
    assert!(
        text(&output.stdout).contains(": 5 requests"),
        "{}",
        text(&output.stdout)
    );
    let error = text(&output.stderr);
    assert!(
        error.contains("byte 40: 3 bytes are left of a record of 8 bytes"),
        "{error}"
    );
    assert_eq!(output.status.code(), Some(1));
    let output = run(
        &["--clock", "virtual", "--format", "json", "-c", &line],
        b"",
    );
    let object: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        (&object["requests"], &object["kind"]),
        (&5.into(), &"io".into())
    );
}

#[test]
fn an_interrupt_ends_a_workload_with_what_it_has_done() {
    for clock in ["real", "virtual"] {
        let mut program = shardlab(&[
            "--clock",
            clock,
            "--format",
            "json",
            "-c",
            "LOAD zipf REQUESTS 1000000000000",
            "-c",
            "SIZE",
        ]);
        program.stdin(Stdio::null()).stdout(Stdio::piped());
        let child = program.spawn().expect("the program starts");
        std::thread::sleep(Duration::from_millis(700));
        let pid = rustix::process::Pid::from_raw(child.id().cast_signed()).expect("a process");
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
        let output = child.wait_with_output().expect("an end");
        assert_eq!(output.status.code(), Some(130));
        let lines: Vec<&str> = text(&output.stdout).lines().collect();
        let [line] = lines[..] else {
            panic!("one reply: {lines:?}");
        };
        let reply: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(reply["interrupted"], true);
        assert!(
            reply["requests"].as_u64().is_some_and(|it| it > 0),
            "{reply}"
        );
        assert_eq!(reply["requests_per_second"].is_null(), clock == "virtual");
    }
}

/// On the real clock it takes as long as the rate says, and keys expire meanwhile.
#[test]
fn a_rate_holds_on_the_real_clock() {
    let load = "LOAD loop KEYS 20 REQUESTS 41 RATE 100 TTL 50ms";
    let objects = objects(&["--quiet", "-c", load]);
    let took = objects[0]["took_ms"].as_u64().expect("a time");
    assert!(took >= 400, "{took} ms");
    assert_eq!(
        objects[0]["misses"], 41,
        "each key has expired when its turn comes again"
    );
    assert!(objects[0]["expired"].as_u64().is_some_and(|it| it >= 20));
}
