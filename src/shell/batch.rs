//! Runs commands from files, pipes and the command line: no prompt, no escape codes.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::demo::{self, SCENARIOS, Scenario};
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
) -> Exit {
    match work {
        Work::Shell => {
            let _ = stdin(&mut session, &mut runner, wakeup);
        }
        Work::Commands(commands) => run_commands(&mut session, &mut runner, commands),
        Work::Files(files) => run_files(&mut session, &mut runner, wakeup, files),
        Work::Demo(None) => list_scenarios(&mut runner),
        Work::Demo(Some(name)) => match demo::find(name) {
            Some(scenario) => {
                let mut lines = Lines::new(Feed::Reader(Box::new(scenario.script.as_bytes())));
                let _ = runner.run_lines(&mut session, name, &mut lines);
            }
            None => return unknown_scenario(&mut runner, name),
        },
    }
    end(&mut runner, wakeup)
}

fn end(runner: &mut Runner, wakeup: &Wakeup) -> Exit {
    runner.out.flush();
    match runner.out.broken() {
        Some(io::ErrorKind::BrokenPipe) => return Exit::Success,
        Some(kind) => {
            let message = format!("error: cannot write the output: {kind}\n");
            runner.out.error(message.as_bytes());
            return Exit::Failure;
        }
        None => {}
    }
    if wakeup.is_cut_off() {
        return Exit::Success;
    }
    if wakeup.is_interrupted() {
        return Exit::Interrupted;
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
    wakeup.read_ahead(io::stdin());
    let mut lines = Lines::new(Feed::Inbox(Arc::clone(wakeup)));
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

fn list_scenarios(runner: &mut Runner) {
    let names = SCENARIOS.iter().map(|scenario| scenario.name.len());
    let width = names.max().unwrap_or(0);
    for Scenario { name, summary, .. } in SCENARIOS {
        let line = format!("{name:<width$}  {summary}\n");
        runner.out.buffer().extend_from_slice(line.as_bytes());
    }
}

fn unknown_scenario(runner: &mut Runner, name: &str) -> Exit {
    let names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
    let (name, names) = (Shown(name.as_bytes()), names.join(", "));
    let message = format!("error: there is no demo {name}; there is {names}\n");
    runner.out.error(message.as_bytes());
    Exit::Usage
}
