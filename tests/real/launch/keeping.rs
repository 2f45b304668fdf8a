//! Nothing is left of what was launched, however the launcher ends; and why a server does not start.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::{LaunchOptions, Launched, launch, never, options, wait_for};

/// The processes, other than this one, that run in a folder or name it in their arguments or environment.
/// A server overwrites the latter two.
fn processes_of(folder: &Path) -> Vec<String> {
    let text = folder.to_string_lossy();
    let has = |path: PathBuf| {
        let bytes = fs::read(path).unwrap_or_default();
        String::from_utf8_lossy(&bytes).contains(&*text)
    };
    let entries = fs::read_dir("/proc").expect("processes").flatten();
    let processes = entries.map(|entry| entry.path()).filter(|path| {
        let number = path
            .file_name()
            .and_then(|it| it.to_string_lossy().parse().ok());
        let is_other = number.is_some_and(|number: u32| number != std::process::id());
        let runs_there = fs::read_link(path.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
        is_other && (runs_there || has(path.join("cmdline")) || has(path.join("environ")))
    });
    processes
        .map(|path| fs::read_to_string(path.join("cmdline")).unwrap_or_default())
        .collect()
}

/// Waits until no process and no file of a launch is left.
fn wait_for_nothing(folder: &Path, when: &str) {
    let mut left = Vec::new();
    let start = std::time::Instant::now();
    while start.elapsed() < super::LIMIT {
        left = processes_of(folder);
        let files = fs::read_dir(folder).expect("a folder").flatten();
        left.extend(files.map(|it| it.path().display().to_string()));
        if left.is_empty() {
            return;
        }
        sleep(Duration::from_millis(20));
    }
    panic!("{when}: {left:#?} are left");
}

/// Launches a cluster in another process, which has a folder of its own for temporary files.
fn launcher(folder: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("a program"));
    command.args([
        "--ignored",
        "--exact",
        "launch::keeping::launches_and_waits",
    ]);
    command
        .env("TMPDIR", folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.process_group(0).spawn().expect("a launcher")
}

#[test]
#[ignore = "it is a program for the next test"]
fn launches_and_waits() {
    let _launched = launch(LaunchOptions {
        with_proxies: true,
        ..options("redis-server", 3, 2)
    });
    sleep(Duration::from_mins(1));
}

#[test]
fn nothing_is_left_when_the_launcher_is_killed_in_any_phase() {
    let phases = [
        0, 10, 20, 30, 40, 50, 60, 80, 100, 130, 160, 200, 300, 500, 1000, 2000, 3000, 5000,
    ];
    let signals = [Signal::KILL, Signal::TERM, Signal::INT]
        .into_iter()
        .cycle();
    let mut seen = 0;
    for (milliseconds, signal) in phases.into_iter().zip(signals) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut launcher = launcher(folder.path());
        sleep(Duration::from_millis(milliseconds));
        seen = seen.max(processes_of(folder.path()).len());
        let pid = Pid::from_child(&launcher);
        // Ctrl-C goes to the group of the launcher.
        let sent = if signal == Signal::INT {
            kill_process_group(pid, signal)
        } else {
            kill_process(pid, signal)
        };
        sent.expect("it runs");
        launcher.wait().expect("it has ended");
        wait_for_nothing(
            folder.path(),
            &format!("{signal:?} after {milliseconds} ms"),
        );
    }
    assert!(
        seen >= 8,
        "the launcher, its keeper and 6 servers, not {seen}"
    );
}

#[test]
fn nothing_is_left_after_a_launch_that_ends_or_fails() {
    let mut launched = launch(LaunchOptions {
        with_proxies: true,
        ..options("redis-server", 3, 1)
    });
    let folder = launched.folder().to_path_buf();
    assert!(folder.join("node-2/server.log").exists());
    launched.pause(0).expect("paused");
    launched.crash(1).expect("crashed");
    assert_eq!(processes_of(&folder).len(), 2);
    drop(launched);
    assert!(!folder.exists());
    assert_eq!(processes_of(&folder), [""; 0]);

    // Ctrl-C, while the servers start.
    let stop: shardlab::engine::Stop = std::sync::Arc::new(|| true);
    let mut said = 0;
    let stopped = Launched::start(options("redis-server", 3, 1), &stop, &mut |_| said += 1);
    assert!(stopped.is_err_and(|error| error.contains("interrupted")) && said > 0);
}

/// A program that says the version of a server, and then does this.
fn script(folder: &Path, text: &str) -> String {
    let path = folder.join("server");
    let text = format!("#!/bin/sh\n[ $1 = --version ] && exec redis-server --version\n{text}\n");
    fs::write(&path, text).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a program");
    path.to_string_lossy().into_owned()
}

#[test]
fn a_server_that_does_not_start_says_why_and_one_whose_port_is_taken_gets_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let failing = script(folder.path(), "echo 'no memory' >&2; exit 1");
    let failed = Launched::start(options(&failing, 1, 1), &never(), &mut |_| {});
    let error = failed.err().expect("an error");
    assert!(
        error.contains("server 0 does not start") && error.contains("no memory"),
        "{error}"
    );
    let taken = "[ -e taken ] || { touch taken; echo 'bind: Address already in use' >&2; exit 1; }";
    let taken = script(folder.path(), &format!("{taken}\nexec redis-server \"$@\""));
    let mut launched = launch(options(&taken, 1, 1));
    let server = launched.servers().remove(0);
    assert!(server.folder.join("taken").exists());
    // It ends by itself.
    let process = server
        .process
        .and_then(|it| Pid::from_raw(i32::try_from(it).ok()?));
    kill_process(process.expect("a process"), Signal::KILL).expect("killed");
    wait_for("end", || {
        launched.servers()[0].process.is_none().then_some(())
    });
    let error = Launched::start(options("no-such-server", 1, 1), &never(), &mut |_| {});
    assert!(error.is_err_and(|error| error.contains("there is no such program")));
}
