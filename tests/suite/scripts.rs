//! Scripts in the user's language, with what they print.
//!
//! A file under `tests/scripts` starts with a line that says what it shows, and may go on with a
//! line `options: ...` for the program. Then come lines to type, each behind `> `, and behind each
//! what it prints (standard output and standard error together). With `--format json` all lines
//! come first, and what they print follows, as the program echoes nothing there.
//!
//! `UPDATE_GOLDENFILES=1 cargo test` records what is printed now; review that as a diff.

use std::fs;
use std::path::{Path, PathBuf};

use super::shardlab;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "txt") {
            found.push(path);
        }
    }
}

/// Runs a recorded script again; returns it as it would be recorded now.
pub fn replay(recorded: &str) -> String {
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

    let mut program = shardlab(&["--clock", "virtual", "--echo"]);
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
    // What was not reached was not echoed either.
    if !options.contains(&"json") {
        let reached = printed.lines().filter(is_input).count();
        now.extend(input.iter().skip(reached).map(|line| format!("{line}\n")));
    }
    now
}

/// Both streams of output as one, in the order in which they were written.
fn merged(mut program: std::process::Command, input: &[u8]) -> String {
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

#[test]
fn scripts_print_what_was_recorded() {
    let mut paths = Vec::new();
    files(&folder(), &mut paths);
    paths.sort();
    assert!(paths.len() > 20, "the scripts are there");
    let update = std::env::var_os("UPDATE_GOLDENFILES").is_some();
    let mut wrong = String::new();
    for path in paths {
        let recorded = fs::read_to_string(&path).expect("a script");
        let now = replay(&recorded);
        if now == recorded {
            continue;
        }
        if update {
            fs::write(&path, now).expect("recorded");
        } else {
            wrong += &format!("{}:\n{}\n", path.display(), difference(&recorded, &now));
        }
    }
    assert!(wrong.is_empty(), "not as recorded:\n{wrong}");
}

#[test]
fn the_demo_of_availability_prints_what_was_recorded() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/availability.txt");
    let now = merged(shardlab(&["demo", "availability"]), b"");
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        fs::write(&path, &now).expect("recorded");
    }
    let recorded = fs::read_to_string(&path).expect("it was recorded");
    assert!(now == recorded, "{}", difference(&recorded, &now));
}

/// The first lines that differ.
pub fn difference(recorded: &str, now: &str) -> String {
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
