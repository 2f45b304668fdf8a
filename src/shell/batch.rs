//! Runs commands from files, pipes and the command line: no prompt, no escape codes.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::demo::{self, Scenario, scenarios};
use super::lines::{Feed, Lines};
use super::runner::{Place, Runner, Step};
use super::wakeup::Wakeup;
use super::{Exit, Work};
use crate::language::word::Shown;
use crate::language::{Error, ErrorKind};
use crate::session::LocalSession;

/// Runs the work, and says how it ended.
pub fn run(
    mut session: LocalSession,
    mut runner: Runner,
    wakeup: &Arc<Wakeup>,
    work: &Work,
    serves: bool,
) -> Exit {
    session.world.lock();
    match work {
        Work::Shell => {
            let _ = stdin(&mut session, &mut runner, wakeup);
        }
        Work::Commands(commands) => run_commands(&mut session, &mut runner, commands),
        Work::Files(files) => run_files(&mut session, &mut runner, wakeup, files),
        Work::Demo(None) => list_scenarios(&mut runner),
        Work::Demo(Some(name)) => match demo::find(name) {
            Some(scenario) => return play(&mut session, &mut runner, wakeup, scenario),
            None => return unknown_scenario(&mut runner, name),
        },
    }
    if serves {
        return go_on_serving(session, &mut runner, wakeup);
    }
    end(&mut runner, wakeup)
}

/// After its script the program goes on, until it is told to end. That is no failure.
fn go_on_serving(mut session: LocalSession, runner: &mut Runner, wakeup: &Wakeup) -> Exit {
    if !runner.has_ended() {
        runner.stand_by(&mut session);
    }
    session.world.unlock();
    wakeup.take_interrupt();
    end(runner, wakeup)
}

/// Plays a scenario. The exit status is 0 if it plays to its end, also if commands of it fail.
fn play(
    session: &mut LocalSession,
    runner: &mut Runner,
    wakeup: &Wakeup,
    scenario: &'static Scenario,
) -> Exit {
    let script = match scenario.lines(session) {
        Ok(script) => script,
        Err(error) => {
            runner.out.error(format!("error: {error}\n").as_bytes());
            return Exit::Usage;
        }
    };
    runner.introduce(scenario.introduction().unwrap_or_default());
    let script = io::Cursor::new(script.into_bytes());
    let mut lines = Lines::new(Feed::Reader(Box::new(script)));
    match runner.run_lines(session, scenario.name, &mut lines) {
        Ok(Step::Next) => end_from_outside(runner, wakeup).unwrap_or(Exit::Success),
        _ => end(runner, wakeup),
    }
}

/// How the program ends if something outside ends it: lost output, or Ctrl-C.
fn end_from_outside(runner: &mut Runner, wakeup: &Wakeup) -> Option<Exit> {
    runner.out.flush();
    match runner.out.broken() {
        Some(io::ErrorKind::BrokenPipe) => return Some(Exit::Success),
        Some(kind) => {
            let message = format!("error: cannot write the output: {kind}\n");
            runner.out.error(message.as_bytes());
            return Some(Exit::Failure);
        }
        None => {}
    }
    if wakeup.is_cut_off() {
        return Some(Exit::Success);
    }
    wakeup.is_interrupted().then_some(Exit::Interrupted)
}

fn end(runner: &mut Runner, wakeup: &Wakeup) -> Exit {
    if let Some(exit) = end_from_outside(runner, wakeup) {
        return exit;
    }
    match (runner.failures(), runner.undecided()) {
        (0, 0) => Exit::Success,
        (0, _) => Exit::Undecided,
        _ => Exit::Failure,
    }
}

fn run_commands(session: &mut LocalSession, runner: &mut Runner, commands: &[Vec<u8>]) {
    let mut number = 0;
    for command in commands {
        let bytes = io::Cursor::new(command.clone());
        let mut lines = Lines::new(Feed::Reader(Box::new(bytes))).after(number);
        let step = runner.run_lines(session, "-c", &mut lines);
        if step.ok() != Some(Step::Next) || runner.is_cut_off() {
            return;
        }
        // An empty command is a line, too.
        number = lines.number().max(number + 1);
    }
}

fn run_files<P: AsRef<Path>>(
    session: &mut LocalSession,
    runner: &mut Runner,
    wakeup: &Arc<Wakeup>,
    files: &[P],
) {
    for file in files {
        let file = file.as_ref();
        let step = if file == Path::new("-") {
            stdin(session, runner, wakeup)
        } else {
            let name = file.display().to_string();
            runner.run_file(session, file).unwrap_or_else(|error| {
                let place = Place {
                    file: Some(&name),
                    line: 0,
                };
                runner.fail(place, b"", &error)
            })
        };
        if step != Step::Next {
            return;
        }
    }
}

fn stdin(session: &mut LocalSession, runner: &mut Runner, wakeup: &Arc<Wakeup>) -> Step {
    let input = wakeup.read_ahead(|| Ok(io::stdin()));
    let mut lines = Lines::new(Feed::Inbox(Arc::clone(wakeup), input));
    let step = runner.run_lines(session, "<stdin>", &mut lines);
    step.unwrap_or_else(|error| {
        let message = format!("cannot read standard input: {error}");
        let place = Place {
            file: Some("<stdin>"),
            line: 0,
        };
        runner.fail(place, b"", &Error::new(ErrorKind::Io, message))
    })
}

/// Where the scenarios come from.
const SOURCES: &str =
    "\nMost others replay published bugs of Redis, Aerospike, twemproxy and Hazelcast.\n";

fn list_scenarios(runner: &mut Runner) {
    let width = scenarios().map(|scenario| scenario.name.len()).max();
    let width = width.unwrap_or(0);
    for Scenario { name, summary, .. } in scenarios() {
        runner.print(&format!("{name:<width$}  {summary}\n"));
    }
    runner.print(SOURCES);
}

fn unknown_scenario(runner: &mut Runner, name: &str) -> Exit {
    let name = Shown(name.as_bytes());
    let message = format!("error: there is no demo {name}; shardlab demo lists them\n");
    runner.out.error(message.as_bytes());
    Exit::Usage
}
