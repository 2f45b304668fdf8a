//! The program and the library, tested from outside.

mod bad_traces;
mod bounds;
mod clients;
mod compare;
mod documents;
mod eviction;
mod faults;
mod forks;
mod imports;
mod layers;
mod looks;
mod model;
mod moving;
mod program;
mod protocol;
mod recording;
mod replication;
mod sampling;
mod serve;
mod sessions;
mod simulation;
mod source;
mod story;
mod traces;
mod workloads;

use std::io::Write;
use std::process::{Command, Output, Stdio};

use recording::shardlab;
// So that traces.rs, a module of the library, finds it here too.
use shardlab::rng;

/// Runs the program to its end, with this on its standard input.
fn run(arguments: &[&str], input: &[u8]) -> Output {
    feed(shardlab(arguments), input)
}

/// Runs a command to its end, with this on its standard input.
fn feed(mut command: Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    // On a thread: a program that answers while it is fed must not be made to wait. It may
    // also leave before it has read everything.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("the program ends");
    feeder.join().expect("fed");
    output
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("output is UTF-8")
}
