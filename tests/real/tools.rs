//! redis-cli and redis-benchmark against our server.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Output, Stdio};

use super::serving::{Serving, request};
use super::{start, succeeded};

/// Runs redis-cli to its end with this input.
fn run(port: u16, arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new("redis-cli");
    command.args(["-p", &port.to_string()]).args(arguments);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .expect("redis-cli is there; scripts/test installs it");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("it ends");
    // It may end before it has read all.
    let _ = writer.join().expect("no panic");
    output
}

/// What redis-cli prints.
fn cli(port: u16, arguments: &[&str], input: &[u8]) -> String {
    succeeded(run(port, arguments, input))
}

fn slots() -> Serving {
    Serving::start(&["--placement", "slots", "--nodes", "3"])
}

#[test]
fn redis_cli_runs_commands_from_arguments_and_from_a_pipe() {
    let serving = Serving::start(&["--nodes", "1"]);
    let port = serving.ports[0];
    assert_eq!(cli(port, &["SET", "apple", "red"], b""), "OK\n");
    assert_eq!(cli(port, &["GET", "apple"], b""), "red\n");
    assert_eq!(cli(port, &["SET", "apple", "-x"], b""), "OK\n");
    let piped = cli(
        port,
        &[],
        b"SET n 1\nINCR n\nGET n\nLPUSH n x\nHSET h f v\n",
    );
    let lists = "ERR unknown command 'LPUSH': shardlab holds strings and hashes, not lists";
    assert_eq!(piped, format!("OK\n2\n2\n{lists}\n\n1\n"));
    let map = cli(port, &["-3", "--no-raw", "HGETALL", "h"], b"");
    assert_eq!(map, "1# \"f\" => \"v\"\n");
    let shell = cli(port, &["SHARDLAB", "GET apple"], b"");
    assert!(shell.contains("\"value\":\"-x\""), "{shell}");
}

#[test]
fn redis_cli_sends_a_file_of_commands() {
    let serving = Serving::start(&["--nodes", "1"]);
    let mut commands = Vec::new();
    for number in 0..10_000 {
        let (key, value) = (format!("key{number}"), "x".repeat(number % 100));
        commands.extend(request(&["SET", &key, &value]));
    }
    let printed = cli(serving.ports[0], &["--pipe"], &commands);
    assert!(printed.contains("errors: 0, replies: 10000"), "{printed}");
    assert_eq!(cli(serving.ports[0], &["DBSIZE"], b""), "10000\n");
}

#[test]
fn redis_cli_follows_slots_to_their_nodes() {
    let serving = slots();
    let keys: Vec<String> = (0..30).map(|number| format!("key{number}")).collect();
    let sets: String = keys
        .iter()
        .map(|key| format!("SET {key} {key}\n"))
        .collect();
    let gets: String = keys.iter().map(|key| format!("GET {key}\n")).collect();
    let printed = cli(serving.ports[0], &["-c"], sets.as_bytes());
    assert_eq!(printed.lines().filter(|&line| line == "OK").count(), 30);
    assert!(printed.contains("-> Redirected to slot ["), "{printed}");
    let printed = cli(serving.ports[1], &["-c"], gets.as_bytes());
    let lines = printed.lines().filter(|line| line.starts_with("key"));
    let lines: Vec<&str> = lines.collect();
    assert_eq!(lines, keys);
    let moved = cli(serving.ports[0], &[], gets.as_bytes());
    assert!(moved.contains("MOVED "), "{moved}");
    let found: usize = (0..3)
        .map(|node| {
            cli(serving.ports[node], &["--scan", "--pattern", "key*"], b"")
                .lines()
                .count()
        })
        .sum();
    assert_eq!(found, 30);
}

#[test]
fn redis_cli_finds_the_cluster_in_order() {
    let serving = slots();
    let address = format!("127.0.0.1:{}", serving.ports[2]);
    let printed = cli(serving.ports[2], &["--cluster", "check", &address], b"");
    assert!(
        printed.contains("[OK] All nodes agree about slots configuration."),
        "{printed}"
    );
    assert!(
        printed.contains("[OK] All 16384 slots covered."),
        "{printed}"
    );
    let printed = cli(serving.ports[2], &["--cluster", "info", &address], b"");
    assert!(printed.contains("[OK] 0 keys in 3 masters."), "{printed}");
}

#[test]
fn redis_cli_looks_for_big_keys_and_shows_statistics() {
    let serving = Serving::start(&["--nodes", "1"]);
    let port = serving.ports[0];
    cli(port, &["SET", "small", "x"], b"");
    cli(port, &["SET", "large", &"x".repeat(1000)], b"");
    cli(port, &["HSET", "hash", "f", "v", "g", "w"], b"");
    let printed = cli(port, &["--bigkeys"], b"");
    for largest in [
        r#"Biggest   hash found '"hash"' has 2 fields"#,
        r#"Biggest string found '"large"' has 1000 bytes"#,
    ] {
        assert!(printed.contains(largest), "{printed}");
    }
    let printed = cli(port, &["--memkeys"], b"");
    assert!(printed.contains("large"), "{printed}");
    let mut stat = Command::new("redis-cli");
    stat.args(["-p", &port.to_string(), "--stat"])
        .stdout(Stdio::piped());
    let mut stat = start(&mut stat);
    let lines = BufReader::new(stat.0.stdout.take().expect("a pipe")).lines();
    let line = lines
        .map(|line| line.expect("text"))
        .nth(2)
        .expect("a line");
    assert_eq!(line.split_whitespace().next(), Some("3"), "keys: {line}");
}

/// Runs redis-benchmark, and checks that each of these tests had a rate.
fn benchmark(port: u16, arguments: &[&str], tests: &str) {
    let mut command = Command::new("redis-benchmark");
    command.args([
        "-p",
        &port.to_string(),
        "-q",
        "-n",
        "20000",
        "-P",
        "16",
        "-c",
        "50",
        "-t",
        tests,
    ]);
    command.args(arguments);
    let output = command
        .output()
        .expect("redis-benchmark is there; scripts/test installs it");
    let warnings = String::from_utf8_lossy(&output.stderr).into_owned();
    let printed = succeeded(output);
    let rates = printed.matches("requests per second").count();
    assert_eq!(rates, tests.split(',').count(), "{printed}\n{warnings}");
    assert_eq!(warnings, "", "{printed}");
}

#[test]
fn redis_benchmark_runs_on_one_node_and_on_a_cluster() {
    let serving = Serving::start(&["--nodes", "1"]);
    benchmark(serving.ports[0], &[], "set,get,incr,mset,hset");
    benchmark(
        serving.ports[0],
        &["-3", "-r", "100000", "-d", "100"],
        "set,get",
    );
    let serving = slots();
    benchmark(
        serving.ports[0],
        &["--cluster", "-r", "100000"],
        "set,get,incr",
    );
}
