//! The keeper: a process that ends what was launched when the program is gone, however that ended.
//!
//! The program holds the write end of a pipe whose read end is the keeper's standard input. The keeper
//! makes the folder, says where it is, and reads lines: `pid N` is a server that was born, `gone N` one
//! that is no more. At the end of input it kills what is left and removes the folder.
//!
//! A server is born as a second process of this program, which announces its own number to the keeper
//! and then becomes the server. Until it does, it holds the write end too, so the keeper cannot miss it,
//! whenever the program is killed.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// The hidden subcommand.
pub const SUBCOMMAND: &str = "keeper";
/// How long the keeper may take to start, and to end.
const LIMIT: Duration = Duration::from_secs(10);
/// The longest line.
const LINE: u64 = 4096;

/// The keeper, seen from the program.
pub struct Keeper {
    child: Child,
    lines: Option<ChildStdin>,
    program: PathBuf,
    folder: PathBuf,
}

impl Keeper {
    /// Starts the keeper, which is `program`, this program, with [`SUBCOMMAND`].
    ///
    /// # Errors
    /// The reason.
    pub fn start(program: &Path) -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| format!("the keeper of servers: {error}");
        let mut command = Command::new(program);
        command
            .arg(SUBCOMMAND)
            .process_group(0)
            .stderr(Stdio::null());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| failed(&error))?;
        let mut keeper = Self {
            lines: child.stdin.take(),
            child,
            program: program.into(),
            folder: PathBuf::new(),
        };
        keeper.folder = keeper.hear().map_err(|error| failed(&error))?;
        Ok(keeper)
    }

    /// Waits for the line with the folder.
    fn hear(&mut self) -> io::Result<PathBuf> {
        let output = self.child.stdout.take().ok_or(ErrorKind::BrokenPipe)?;
        let limit = Timespec::try_from(LIMIT).map_err(|_| ErrorKind::InvalidInput)?;
        let mut waiting = [PollFd::new(&output, PollFlags::IN)];
        if poll(&mut waiting, Some(&limit))? == 0 {
            return Err(ErrorKind::TimedOut.into());
        }
        let mut line = String::new();
        io::BufReader::new(output.take(LINE)).read_line(&mut line)?;
        let folder = line
            .strip_prefix("folder ")
            .and_then(|it| it.strip_suffix('\n'));
        folder
            .map(Into::into)
            .ok_or_else(|| ErrorKind::InvalidData.into())
    }

    /// The folder that goes with the keeper.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What starts a server that the keeper knows. What the server prints goes to the file.
    ///
    /// # Errors
    /// If the keeper is gone.
    pub fn server(&self, binary: &Path, arguments: &[String], log: File) -> io::Result<Command> {
        let lines = self.lines.as_ref().ok_or(ErrorKind::BrokenPipe)?;
        let mut command = Command::new(&self.program);
        command.arg(SUBCOMMAND).arg(binary).args(arguments);
        command.stdin(Stdio::null()).stderr(log);
        command.stdout(lines.as_fd().try_clone_to_owned()?);
        Ok(command)
    }

    /// Says that a server is no more. It is killed already, but may not have been waited for: its
    /// number is not given to another process until then.
    pub fn gone(&self, process: u32) {
        if let Some(mut lines) = self.lines.as_ref() {
            let _ = lines.write_all(format!("gone {process}\n").as_bytes());
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.lines = None;
        let until = Instant::now() + LIMIT;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            sleep(Duration::from_millis(2));
        }
        let _ = self.child.kill().and_then(|()| self.child.wait());
        // It has done so, unless it was killed itself.
        if !self.folder.as_os_str().is_empty() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// The hidden subcommand: the keeper, or, with the words of a command, what becomes a server.
#[must_use]
pub fn main(words: &[OsString]) -> ExitCode {
    let done = match words.split_first() {
        None => keep(),
        Some((program, arguments)) => Err(become_server(program, arguments)),
    };
    if let Err(error) = &done {
        let _ = writeln!(io::stderr(), "error: {error}");
    }
    ExitCode::from(u8::from(done.is_err()))
}

/// Announces this process, and becomes the server. Returns only if that fails.
fn become_server(program: &OsString, arguments: &[OsString]) -> io::Error {
    let line = format!("pid {}\n", std::process::id());
    if let Err(error) = io::stdout().write_all(line.as_bytes()) {
        return error;
    }
    let mut command = Command::new(program);
    // Its standard output is the keeper's pipe until here.
    command.args(arguments).stdout(Stdio::null()).exec()
}

fn keep() -> io::Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // A signal that sets a flag does not end the process.
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    let folder = tempfile::Builder::new()
        .prefix("shardlab-")
        .tempdir()?
        .keep();
    let mut servers = BTreeSet::new();
    let line = format!("folder {}\n", folder.display());
    if io::stdout().write_all(line.as_bytes()).is_ok() {
        let mut input = io::stdin().lock();
        while let Some(line) = next_line(&mut input) {
            note(&line, &mut servers);
        }
    }
    end(&servers, &folder);
    Ok(())
}

/// The next line; `None` at the end of input, or if it cannot be read.
fn next_line(input: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    match input.take(LINE).read_line(&mut line) {
        Ok(length) if length > 0 => Some(line),
        _ => None,
    }
}

fn note(line: &str, servers: &mut BTreeSet<i32>) {
    let Some((word, number)) = line.trim_end().split_once(' ') else {
        return;
    };
    // A server is never the first process.
    let Some(number) = number.parse().ok().filter(|&it: &i32| it > 1) else {
        return;
    };
    match word {
        "pid" => servers.insert(number),
        "gone" => servers.remove(&number),
        _ => false,
    };
}

fn end(servers: &BTreeSet<i32>, folder: &Path) {
    for group in servers.iter().copied().filter_map(Pid::from_raw) {
        // That ends a paused process too.
        let _ = kill_process_group(group, Signal::KILL);
    }
    // A server may write until its last moment.
    let until = Instant::now() + LIMIT / 2;
    while fs::remove_dir_all(folder).is_err() && folder.exists() && Instant::now() < until {
        sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keeper_knows_what_was_born_and_is_not_gone() {
        let mut servers = BTreeSet::new();
        let mut input = &b"pid 70\npid 71\ngone 70\npid 1\npid -5\npid x\n\nwhat 72\npid 73"[..];
        while let Some(line) = next_line(&mut input) {
            note(&line, &mut servers);
        }
        assert_eq!(servers, BTreeSet::from([71, 73]));
    }

    #[test]
    fn a_program_that_is_no_keeper_is_refused() {
        for program in ["/no/such/program", "false", "echo"] {
            assert!(Keeper::start(Path::new(program)).is_err(), "{program}");
        }
    }
}
