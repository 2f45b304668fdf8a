//! Tests with other programs: servers that are launched and broken, or whose traces are read, a browser
//! that shows a report, the simulator whose counts are the reference, and Redis clients, to which we are
//! the server.
//! `scripts/test` gets the programs and runs these tests; one that lacks its program fails.

mod both;
mod browser;
mod differential;
mod engine;
mod launch;
mod libraries;
mod limits;
mod operating;
mod peer;
mod readme;
#[path = "../suite/recording.rs"]
mod recording;
mod servers;
mod serving;
mod tls;
mod tools;

use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Runs our program to its end, which must be a good one, and returns its standard output.
fn shardlab(arguments: &[&str]) -> String {
    let program = Command::new(env!("CARGO_BIN_EXE_shardlab"))
        .args(arguments)
        .output();
    succeeded(program.expect("the program starts"))
}

fn succeeded(output: Output) -> String {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("output is UTF-8")
}

/// The first line of JSON that our program prints.
fn json(arguments: &[&str]) -> Value {
    let printed = shardlab(&[arguments, &["--format", "json"]].concat());
    serde_json::from_str(printed.lines().next().unwrap_or_default()).expect("JSON")
}

/// Starts a program that the machine must have.
fn start(command: &mut Command) -> Running {
    let name = command.get_program().to_string_lossy().into_owned();
    let child = command.spawn();
    Running(child.unwrap_or_else(|error| panic!("{name}: {error}; scripts/test installs it")))
}

/// A program that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until something is there.
fn wait_for<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "no {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
