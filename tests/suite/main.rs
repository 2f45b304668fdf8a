//! What the program and the library do, seen from outside.

mod clients;
mod documents;
mod eviction;
mod layers;
mod model;
mod moving;
mod program;
mod protocol;
mod replication;
mod scripts;
mod simulation;
mod story;

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// The program, with a clean environment.
fn shardlab(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shardlab"));
    command.args(arguments);
    for name in ["NO_COLOR", "CLICOLOR_FORCE", "TERM", "LC_ALL"] {
        command.env_remove(name);
    }
    command
}

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
