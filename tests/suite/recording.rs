//! Scripts with their recorded output.
//!
//! A script starts with a line that says what it shows. A line `options: ...` for the program may
//! follow. Then come lines to type, each behind `> ` and followed by its output, standard output
//! and standard error together. With `--format json` all lines come first and their output follows,
//! because the program echoes no lines there.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The program, with a clean environment.
pub(crate) fn shardlab(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shardlab"));
    command.args(arguments);
    for name in ["NO_COLOR", "CLICOLOR_FORCE", "TERM", "LC_ALL"] {
        command.env_remove(name);
    }
    command
}

/// The folder with the scripts. They run in it.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts")
}

/// Runs a recorded script again, with these options of the program before its own, and returns it with
/// its present output.
pub(crate) fn replay(recorded: &str, first_options: &[&str]) -> String {
    let is_input = |line: &&str| line.starts_with("> ") || *line == ">";
    let header: Vec<&str> = recorded
        .lines()
        .take_while(|line| !is_input(line))
        .collect();
    let input: Vec<&str> = recorded.lines().filter(is_input).collect();
    let options = header
        .iter()
        .find_map(|line| line.strip_prefix("options: "));
    let options: Vec<&str> = options.unwrap_or_default().split_whitespace().collect();

    let mut program = shardlab(first_options);
    program.args(&options).current_dir(folder());
    let typed: String = input
        .iter()
        .map(|line| format!("{}\n", line.get(2..).unwrap_or("")))
        .collect();
    let printed = merged(program, typed.as_bytes());

    let mut now: String = header.iter().map(|line| format!("{line}\n")).collect();
    if options.contains(&"json") {
        now.extend(input.iter().map(|line| format!("{line}\n")));
    }
    now += &printed;
    // Lines that were not reached were not echoed either.
    if !options.contains(&"json") {
        let reached = printed.lines().filter(is_input).count();
        now.extend(input.iter().skip(reached).map(|line| format!("{line}\n")));
    }
    now
}

/// Runs a program, and returns both streams of its output as one, in the order of the writes.
pub(crate) fn merged(mut program: Command, input: &[u8]) -> String {
    let file = tempfile::tempfile().expect("a file");
    let clone = || file.try_clone().expect("another handle");
    program.stdout(clone()).stderr(clone());
    program.stdin(std::process::Stdio::piped());
    let mut child = program.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut stdin, input).expect("a script is short");
    drop(stdin);
    child.wait().expect("the program ends");
    let mut printed = String::new();
    let mut file = file;
    std::io::Seek::rewind(&mut file).expect("a start");
    std::io::Read::read_to_string(&mut file, &mut printed).expect("UTF-8");
    printed
}

/// The first lines that differ.
pub(crate) fn difference(recorded: &str, now: &str) -> String {
    let mut pairs = (1..).zip(recorded.lines().zip(now.lines()));
    match pairs.find(|(_, (recorded, now))| recorded != now) {
        Some((line, (recorded, now))) => format!("  {line} was: {recorded}\n  {line} is:  {now}"),
        None => format!(
            "  {} lines were recorded, {} are printed now",
            recorded.lines().count(),
            now.lines().count()
        ),
    }
}
