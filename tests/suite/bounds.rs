//! What happens at a bound and at an end: full disks, closed pipes, costs that must stay linear,
//! tombstones over their bound.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant as RealTime};

use shardlab::Cluster;
use shardlab::cache::Cache;
use shardlab::cluster::{Completion, MAX_REQUESTS, Request, Status};
use shardlab::config::{Config, ConfigError};
use shardlab::id::NodeId;
use shardlab::operation::Operation;
use shardlab::time::Instant;

use super::story::at;
use super::{run, shardlab, text};

/// Lines that take long, or for ever. Each prints something first, or soon.
const LONG: [&str; 8] = [
    "ECHO x\nSLEEP 1h\n",
    "PUT a 1 1s\nSLEEP 1h\n",
    "ECHO x\nREPEAT 1000000000 PUT a 1\n",
    "REPEAT 1000000000 GET a\n",
    "PUT a 1 1h\nWATCH 10ms GET a\n",
    "ECHO x\nTRACE SLEEP 1h\n",
    "ECHO x\nREPEAT 1000000 TRACE SLEEP 1h\n",
    "ECHO x\nPAUSE 0\nPAUSE 1\nPAUSE 2\nGET a\n",
];

/// The program with these lines, through a pipe or as a list of `-c`. Its input stays open.
fn long(script: &str, as_arguments: bool) -> Command {
    // Nothing may wait for a node.
    let mut program = shardlab(&["--timeout", "1h"]);
    if as_arguments {
        for line in script.lines() {
            program.args(["-c", line]);
        }
    }
    program.stdin(Stdio::piped()).stderr(Stdio::piped());
    program
}

/// Feeds the program, waits for its end, and returns its status and its standard error. It must end
/// soon.
fn end_of(
    mut program: Command,
    script: &str,
    start: impl FnOnce(&mut std::process::Child),
) -> (Option<i32>, String) {
    let mut child = program.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    // It may end before it has read everything.
    let _ = stdin.write_all(script.as_bytes());
    start(&mut child);
    let started = RealTime::now();
    while child.try_wait().expect("a status").is_none() {
        if started.elapsed() > Duration::from_secs(20) {
            child.kill().expect("it runs");
            panic!("it goes on after the end of its output: {script}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let status = child.wait().expect("an end").code();
    let mut errors = String::new();
    let stderr = child.stderr.as_mut().expect("a pipe");
    stderr.read_to_string(&mut errors).expect("UTF-8");
    (status, errors)
}

#[test]
fn a_closed_pipe_ends_the_program_at_once_and_quietly() {
    for script in LONG {
        for as_arguments in [false, true] {
            let mut program = long(script, as_arguments);
            program.stdout(Stdio::piped());
            let close = |child: &mut std::process::Child| drop(child.stdout.take());
            let ended = end_of(program, script, close);
            assert_eq!(ended, (Some(0), String::new()), "{script}");
        }
    }
}

#[test]
fn a_full_disk_ends_the_program_at_once_with_an_error() {
    let error = "error: cannot write the output: no storage space\n";
    for script in LONG {
        for as_arguments in [false, true] {
            let Ok(full) = File::options().write(true).open("/dev/full") else {
                return; // not on this system
            };
            let mut program = long(script, as_arguments);
            program.stdout(full);
            let (status, errors) = end_of(program, script, |_| {});
            assert_eq!((status, errors.as_str()), (Some(1), error), "{script}");
        }
    }
}

/// Input that does not come is not waited for either.
#[test]
fn a_full_disk_ends_the_wait_for_input() {
    let Ok(full) = File::options().write(true).open("/dev/full") else {
        return;
    };
    let mut program = long("", false);
    program.stdout(full);
    let mut child = program.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(b"ECHO x\n").expect("written");
    assert_eq!(child.wait().expect("an end").code(), Some(1));
    drop(stdin);
}

#[test]
fn no_time_to_wait_for_others_is_refused() {
    let config = Config::new().timeout(Duration::ZERO);
    let refused = Cluster::new(config).err();
    assert_eq!(refused, Some(ConfigError::Time { name: "timeout" }));
    let output = run(&["--timeout", "0"], b"");
    assert_eq!(output.status.code(), Some(2));
}

/// Eight times the writes cost about eight times as much, whatever fault is active.
#[test]
fn the_cost_of_a_write_under_a_fault_does_not_grow() {
    for fault in [
        "ISOLATE 0",
        "HOLD 0 2",
        "PAUSE 0",
        "SLOW 0 10ms",
        "DELAY 0 2 10ms",
        "DROP 0 2 50%",
    ] {
        let time = |times: u32| {
            let repeat = format!("REPEAT {times} PUT apple red");
            let options = ["--clock", "virtual", "--replicas", "3", "-c", fault, "-c"];
            let started = RealTime::now();
            let output = run(&[&options[..], &[repeat.as_str()]].concat(), b"");
            assert!(output.status.success(), "{fault}: {}", text(&output.stderr));
            started.elapsed().as_secs_f64()
        };
        // The best of some, since other processes run.
        let best = |times| (0..2).map(|_| time(times)).fold(f64::MAX, f64::min);
        let (few, many) = (best(2_000), best(16_000));
        assert!(many < 24.0 * few, "{fault}: {few} s, then {many} s");
    }
}

#[test]
fn requests_over_the_bound_are_refused_at_submit() {
    let mut cluster = Cluster::new(Config::default()).expect("a cluster");
    for node in 0..3 {
        cluster.pause(at(0), NodeId(node)).expect("it runs");
    }
    let mut ask = || cluster.submit(at(0), Request::new(b"apple", Operation::Get));
    let tickets: Vec<_> = (0..MAX_REQUESTS).map(|_| ask().expect("room")).collect();
    assert!(ask().is_err());
    // Each has an outcome after a while, and when that is polled there is room again.
    cluster.tick(at(60_000));
    assert!(tickets.iter().all(|it| cluster.take(*it).is_some()));
    let asked = cluster.submit(at(60_000), Request::new(b"apple", Operation::Get));
    assert!(asked.is_ok());
}

/// Three copies, of which two must agree. Node 0 has missed the delete of "apple".
fn missed_delete() -> Cluster {
    // A grace time so long that the order of the tombstones stays that of the deletes.
    let config = Config::new()
        .quorums(2, 2)
        .replicas(3)
        .grace(Duration::from_hours(24));
    let mut cluster = Cluster::new(config).expect("a cluster");
    for key in [&b"apple"[..], b"fig"] {
        let put = cluster.put(at(0), key, b"red", None);
        put.expect("acknowledged");
    }
    cluster.network().isolate(NodeId(0)).expect("room");
    wait(&mut cluster, at(1), b"apple", Operation::Delete);
    cluster
}

/// Does something, and lets time pass until it is done. Returns when that is.
fn wait(
    cluster: &mut Cluster,
    mut now: Instant,
    key: &[u8],
    operation: Operation<&[u8]>,
) -> Instant {
    let request = Request::new(key, operation).via(Some(NodeId(1)));
    let ticket = cluster.submit(now, request).expect("room");
    loop {
        if let Some(Completion { outcome, .. }) = cluster.take(ticket) {
            assert!(outcome.is_certain(), "{outcome:?}");
            return now;
        }
        now = cluster.next_deadline().expect("a timeout").max(now);
        cluster.tick(now);
    }
}

/// A node keeps 16 MiB of tombstones, which long keys fill soon.
#[test]
fn of_tombstones_over_the_bound_the_oldest_goes_and_who_lacks_it_comes_back_empty() {
    let mut cluster = missed_delete();
    let mut now = at(10_000);
    for n in 0..300 {
        let key = format!("{n:060000}");
        for operation in [Operation::put(b"", None), Operation::Delete] {
            now = wait(&mut cluster, now, key.as_bytes(), operation);
        }
    }
    let kept = cluster.tombstones();
    assert!((2 * 270..2 * 300).contains(&kept), "{kept} tombstones");
    let apples = |cluster: &Cluster| cluster.copies_of(b"apple").len();
    assert_eq!(apples(&cluster), 1, "node 0 was away");
    cluster.heal(now);
    assert_eq!(cluster.status(NodeId(0)), Some(Status::Up));
    assert_eq!(apples(&cluster), 0, "it does not come back");
    assert_eq!(cluster.get(now, b"apple"), Ok(None));
    assert_eq!(cluster.copies_of(b"fig").len(), 3, "the others do");
}
