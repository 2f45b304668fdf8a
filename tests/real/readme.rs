//! The part of the README on Redis clients: what it shows is what happens.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use super::{Running, start, succeeded, wait_for};

const HEADING: &str = "### Let Redis clients in";

/// The fenced blocks of the part, each with its language.
fn blocks() -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(path).expect("a README");
    let part = readme.split_once(HEADING).expect("the part").1;
    let part = part.split("\n### ").next().expect("its end");
    let fenced = part.split("```").skip(1).step_by(2);
    let blocks = fenced.filter_map(|block| block.split_once('\n'));
    blocks
        .map(|(language, text)| (language.into(), text.into()))
        .collect()
}

/// A text without what differs from run to run: numbers, times, and how often a client tries again.
fn shape(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(line_shape).collect();
    lines.dedup();
    lines
}

fn line_shape(line: &str) -> String {
    let mut words: Vec<&str> = line.split_whitespace().map(word_shape).collect();
    words.dedup();
    words.join(" ")
}

fn word_shape(word: &str) -> &str {
    let unit = word.trim_start_matches(|it: char| it.is_ascii_digit());
    let is_number = unit.len() < word.len() && ["", "ms", "s", "m", ","].contains(&unit);
    if is_number { "#" } else { word }
}

/// `shardlab serve` with a prompt that is a pipe.
struct Prompt {
    _process: Running,
    stdin: ChildStdin,
    printed: Arc<Mutex<String>>,
    ports: Vec<u16>,
}

impl Prompt {
    /// `line` is how the README starts it.
    fn start(line: &str) -> Self {
        let options = line.split('#').next().expect("a command");
        let options = options.split_whitespace().skip(2);
        let mut program = Command::new(env!("CARGO_BIN_EXE_shardlab"));
        program
            .args(["serve", "--port", "0", "--echo"])
            .args(options);
        let mut process = start(program.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let child: &mut Child = &mut process.0;
        let stdin = child.stdin.take().expect("a pipe");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut first = String::new();
        stdout.read_line(&mut first).expect("it listens");
        let ports = first.split_once("ports ").expect("a list of ports").1;
        let ports = ports
            .split_whitespace()
            .map(|port| port.parse().expect("a port"));
        let ports = ports.collect();
        let printed = Arc::new(Mutex::new(String::new()));
        let read = Arc::clone(&printed);
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                *read.lock().expect("no panic") += &format!("{line}\n");
            }
        });
        Self {
            _process: process,
            stdin,
            printed,
            ports,
        }
    }

    /// Types the lines of a block, and waits until they have run; up to a SLEEP, until that has begun.
    fn type_block(&mut self, block: &str) {
        let typed = block.lines().filter_map(|line| line.strip_prefix("> "));
        let typed: Vec<&str> = typed.collect();
        for line in &typed {
            writeln!(self.stdin, "{line}").expect("it reads");
        }
        writeln!(self.stdin, "TIME").expect("it reads");
        let sleep = typed.iter().find(|line| line.starts_with("SLEEP"));
        let last = sleep.map_or_else(|| "> TIME".into(), |line| format!("> {line}"));
        let seen = self.printed().matches(&last).count();
        wait_for("end of the block", || {
            (self.printed().matches(&last).count() > seen).then_some(())
        });
    }

    fn printed(&self) -> String {
        self.printed.lock().expect("no panic").clone()
    }
}

/// A Python that runs lines.
struct Python {
    _process: Running,
    stdin: ChildStdin,
    stdout: BufReader<std::process::ChildStdout>,
}

fn python() -> Command {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    Command::new(folder.join("clients-python/bin/python"))
}

impl Python {
    fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/clients/repl.py");
        let mut process = start(
            python()
                .arg(script)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped()),
        );
        let stdin = process.0.stdin.take().expect("a pipe");
        let stdout = BufReader::new(process.0.stdout.take().expect("a pipe"));
        Self {
            _process: process,
            stdin,
            stdout,
        }
    }

    /// Runs the lines of a block, and returns it with the replies.
    fn run(&mut self, block: &str, port: u16) -> String {
        let mut now = String::new();
        let port = port.to_string();
        for line in block.lines().filter_map(|line| line.strip_prefix(">>> ")) {
            writeln!(self.stdin, "{}", line.replace("7000", &port)).expect("it reads");
            let mut reply = Vec::new();
            self.stdout.read_until(0, &mut reply).expect("a reply");
            reply.pop();
            let reply = String::from_utf8(reply).expect("text");
            now += &format!(">>> {line}\n{}", reply.replace(&port, "7000"));
        }
        now
    }
}

#[test]
fn the_walk_with_redis_py_is_what_happens() {
    let blocks = blocks();
    let is_start =
        |(language, text): &&(String, String)| language == "sh" && text.contains("shardlab serve");
    let start = &blocks.iter().find(is_start).expect("it starts a server").1;
    let line = start
        .lines()
        .find(|line| line.starts_with("shardlab serve"));
    let mut prompt = Prompt::start(line.expect("a line"));
    let mut python = Python::start();
    let mut expected = String::new();
    for (language, block) in &blocks {
        if language == "python" && block.starts_with(">>> ") {
            let now = python.run(block, prompt.ports[0]);
            assert_eq!(shape(&now), shape(block), "now:\n{now}");
        } else if language == "text" {
            prompt.type_block(block);
            expected += block;
        }
    }
    writeln!(prompt.stdin, "ECHO the end").expect("it reads");
    wait_for("end", || {
        prompt.printed().contains("\nthe end\n").then_some(())
    });
    let printed = prompt.printed();
    let printed = printed.split("> ECHO the end").next().expect("the rest");
    // The lines that the test has typed between the blocks.
    let mut lines = printed.lines().peekable();
    let mut now = String::new();
    while let Some(line) = lines.next() {
        if line == "> TIME" {
            lines.next();
        } else {
            now += &format!("{line}\n");
        }
    }
    assert_eq!(shape(&now), shape(&expected), "now:\n{now}");
}

#[test]
fn the_pytest_file_passes() {
    let blocks = blocks();
    let is_test =
        |(language, text): &&(String, String)| language == "python" && text.contains("def test_");
    let file = &blocks.iter().find(is_test).expect("it has a test").1;
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("test_crash.py"), file).expect("written");
    let program = Path::new(env!("CARGO_BIN_EXE_shardlab"));
    let path = std::env::var("PATH").expect("a path");
    let path = format!("{}:{path}", program.parent().expect("a folder").display());
    let output = python()
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider"])
        .current_dir(folder.path())
        .env("PATH", path)
        .output();
    let printed = succeeded(output.expect("pytest is there; scripts/test installs it"));
    assert!(printed.contains("1 passed"), "{printed}");
}
