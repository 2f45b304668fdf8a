//! Client libraries against our server, each by a script in `clients/` with assertions of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::serving::Serving;

/// Three nodes with slots and copies; an owner is taken for failed after 300 ms.
const COPIES: &[&str] = &[
    "--placement",
    "slots",
    "--nodes",
    "3",
    "--replicas",
    "3",
    "--write-quorum",
    "2",
    "--read-quorum",
    "2",
    "--node-timeout",
    "300ms",
];
const SLOTS: &[&str] = &["--placement", "slots", "--nodes", "3"];
/// Slots that take their time, so that clients meet ASK.
const SLOW_SLOTS: &[&str] = &["--placement", "slots", "--nodes", "3", "--move-time", "3s"];

fn installed(part: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(part)
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/real/clients")
        .join(name)
}

/// Runs a script on the ports of a server.
fn run(mut program: Command, serving: &Serving) {
    program.args(serving.ports.iter().map(u16::to_string));
    let output = program
        .output()
        .expect("the client is there; scripts/test installs it");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn python(name: &str, arguments: &[&str], serving: &Serving) {
    let mut program = Command::new(installed("clients-python/bin/python"));
    program.arg(script(name)).args(arguments);
    run(program, serving);
}

fn node(name: &str, serving: &Serving) {
    let mut program = Command::new("node");
    program.arg(script(name)).arg(installed("clients-node"));
    run(program, serving);
}

/// Checks that clients were sent on by ASK.
fn assert_asked(serving: &Serving) {
    let shown = serving.connect(1).ask(&["INFO", "errorstats"]);
    let shown = String::from_utf8_lossy(&shown);
    let asked = shown.split("errorstat_ASK:count=").nth(1);
    assert!(asked.is_some(), "{shown}");
}

#[test]
fn redis_py_works_on_a_healthy_cluster_in_both_protocols() {
    for protocol in ["2", "3"] {
        let serving = Serving::start(&[SLOTS, &["--clock", "virtual"]].concat());
        python("redis_py_basics.py", &[protocol], &serving);
    }
}

#[test]
fn redis_py_sees_a_crash_and_a_pause() {
    python("redis_py_faults.py", &[], &Serving::start(COPIES));
}

#[test]
fn redis_py_loses_no_acknowledged_write_while_slots_move() {
    python("redis_py_moving.py", &[], &Serving::start(SLOTS));
    let slow = Serving::start(SLOW_SLOTS);
    python("redis_py_moving.py", &[], &slow);
    assert_asked(&slow);
}

#[test]
fn check_names_an_increment_that_redis_py_has_sent_twice() {
    let owners = ["--nodes", "2", "--replicas", "2", "--write-quorum", "2"];
    let serving =
        Serving::start(&[&owners[..], &["--placement", "slots", "--history", "on"]].concat());
    python("redis_py_twice.py", &[], &serving);
}

#[test]
fn node_redis_works_and_sees_a_crash_and_a_pause() {
    node("node_redis.mjs", &Serving::start(COPIES));
}

#[test]
fn ioredis_loses_no_acknowledged_write_while_slots_move() {
    node("ioredis_moving.mjs", &Serving::start(SLOTS));
    let slow = Serving::start(SLOW_SLOTS);
    node("ioredis_moving.mjs", &slow);
    assert_asked(&slow);
}
