//! Processes of servers.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// How long a program may take to say its version.
const VERSION_LIMIT: Duration = Duration::from_secs(5);
/// The most that it may say.
const VERSION_BYTES: u64 = 4096;

/// A program that is a server.
#[derive(Clone, Debug)]
pub struct Binary {
    /// Where it is.
    pub path: PathBuf,
    /// Its version, such as `7.0.15`.
    pub version: String,
    /// Whether it knows the options that came with Redis 7.0. An unknown one keeps a server from
    /// starting, so they cannot be probed.
    pub is_modern: bool,
}

impl Binary {
    /// Finds a program by its name or its path, and asks for its version.
    ///
    /// # Errors
    /// If there is none, with how to get it, or if it is no server.
    pub fn find(name: &str) -> Result<Self, String> {
        let path = resolve(name)?;
        let said = version_text(&path).map_err(|error| format!("{name}: {error}"))?;
        let version = said
            .split_whitespace()
            .find_map(|word| word.strip_prefix("v="));
        let major = version.and_then(|it| it.split('.').next()?.parse::<u32>().ok());
        let (Some(version), Some(major)) = (version, major) else {
            return Err(format!(
                "{name}: this is no Redis or Valkey server, by its --version"
            ));
        };
        Ok(Self {
            version: version.into(),
            is_modern: major >= 7,
            path,
        })
    }
}

fn resolve(name: &str) -> Result<PathBuf, String> {
    let found = if name.contains('/') {
        Some(PathBuf::from(name)).filter(|path| is_program(path))
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut places = std::env::split_paths(&path).map(|folder| folder.join(name));
        places.find(|place| is_program(place))
    };
    let found = found.ok_or_else(|| missing(name))?;
    // The server runs in another folder. Links stay: a program may be several, told apart by its name.
    std::path::absolute(found).map_err(|error| format!("{name}: {error}"))
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

fn missing(name: &str) -> String {
    let remedy = match name {
        "redis-server" => "apt-get install redis-server, or brew install redis",
        "valkey-server" => "apt-get install valkey-server, or brew install valkey",
        _ => return format!("{name}: there is no such program"),
    };
    format!("{name} is not installed: {remedy}; or name the program by its path")
}

/// What a program prints with `--version`.
fn version_text(path: &Path) -> Result<String, String> {
    let mut command = Command::new(path);
    command
        .arg("--version")
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let child = command.stdout(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| error.to_string())?;
    let until = Instant::now() + VERSION_LIMIT;
    while matches!(child.try_wait(), Ok(None)) && Instant::now() < until {
        sleep(Duration::from_millis(5));
    }
    if !matches!(child.try_wait(), Ok(Some(_))) {
        let _ = child.kill().and_then(|()| child.wait());
        return Err("it does not say its --version".into());
    }
    let mut said = String::new();
    let output = child.stdout.take().ok_or("it has no output")?;
    let read = output.take(VERSION_BYTES).read_to_string(&mut said);
    read.map(|_| said).map_err(|error| error.to_string())
}

/// A process that leads a group: Ctrl-C at the prompt does not reach it, and a signal to the group
/// reaches what it forks to save its data.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Starts a program.
    ///
    /// # Errors
    /// The reason.
    pub fn spawn(command: &mut Command) -> Result<Self, String> {
        let child = command.process_group(0).spawn();
        child.map(Self).map_err(|error| error.to_string())
    }

    /// Its number, which is also that of its group.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }

    /// Stops it in its tracks, until [`Process::resume`].
    ///
    /// # Errors
    /// If it is gone.
    pub fn pause(&self) -> Result<(), String> {
        self.signal(Signal::STOP)
    }

    /// Lets it run again.
    ///
    /// # Errors
    /// If it is gone.
    pub fn resume(&self) -> Result<(), String> {
        self.signal(Signal::CONT)
    }

    /// Kills it, paused or not. [`Process::wait`] must follow.
    pub fn kill(&self) {
        let _ = self.signal(Signal::KILL);
    }

    /// Waits for the end of a process that was killed or has ended.
    pub fn wait(&mut self) {
        let _ = self.0.wait();
    }

    fn signal(&self, signal: Signal) -> Result<(), String> {
        kill_process_group(Pid::from_child(&self.0), signal).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_server_is_refused_with_what_to_do() {
        let error = |name: &str| Binary::find(name).expect_err(name);
        assert!(error("/no/such/program").contains("no such program"));
        assert!(error("no-such-program").contains("no such program"));
        assert!(error("cargo").contains("no Redis or Valkey"));
        assert!(error("/tmp").contains("no such program"), "a folder");
        assert!(missing("valkey-server").contains("apt-get install valkey-server"));
    }

    #[test]
    fn a_program_that_never_ends_is_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("slow");
        fs::write(&path, "#!/bin/sh\nexec sleep 60\n").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a program");
        let error = Binary::find(&path.to_string_lossy()).expect_err("a program that hangs");
        assert!(error.contains("does not say"), "{error}");
    }

    #[test]
    fn a_process_is_paused_resumed_and_killed() {
        let mut process = Process::spawn(Command::new("sleep").arg("60")).expect("a process");
        process.pause().expect("paused");
        process.resume().expect("resumed");
        assert!(!process.has_ended());
        process.pause().expect("paused");
        process.kill();
        process.wait();
        assert!(process.has_ended());
    }
}
