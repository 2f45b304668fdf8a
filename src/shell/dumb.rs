//! The prompt at a terminal that cannot move its cursor: TERM=dumb, as in an editor's window. No line
//! editor, no hints, no colours.

use std::io;
use std::sync::Arc;

use super::Exit;
use super::lines::{Feed, Lines, Next};
use super::prompt::{self, Prompt};
use super::runner::{Place, Runner, Step};
use super::wakeup::Wakeup;
use crate::session::LocalSession;

/// A person at a terminal, and what serves them.
struct Shell {
    session: LocalSession,
    runner: Runner,
    wakeup: Arc<Wakeup>,
    lines: Lines,
}

/// Talks to a person until they leave.
pub fn run(
    mut session: LocalSession,
    mut runner: Runner,
    wakeup: &Arc<Wakeup>,
    serves: bool,
) -> Exit {
    session.world.lock();
    runner.at_prompt(&Arc::default(), &Arc::default());
    let input = wakeup.read_ahead(|| Ok(io::stdin()));
    let lines = Lines::new(Feed::Inbox(Arc::clone(wakeup), input));
    let mut shell = Shell {
        session,
        runner,
        wakeup: Arc::clone(wakeup),
        lines,
    };
    if !shell.runner.manners.quiet {
        let banner = prompt::banner(shell.runner.manners.out, &shell.session);
        shell.runner.print_bytes(&banner);
    }
    loop {
        let Some(line) = shell.read() else {
            shell.runner.print("\n");
            if serves {
                shell.runner.print(super::serve::STANDS_BY);
                shell.runner.stand_by(&mut shell.session);
            }
            return Exit::Success;
        };
        let step = shell.run_line(&line);
        shell.runner.out.flush();
        match step {
            Step::Next if shell.runner.out.broken().is_some() => return Exit::Success,
            Step::Next | Step::Interrupted => {}
            Step::Quit => return Exit::Success,
            Step::Stop => return Exit::Failure,
        }
    }
}

impl Shell {
    /// Reads a line at a prompt. `None`: the person leaves.
    fn read(&mut self) -> Option<Vec<u8>> {
        let prompt = |it: &Self| Prompt::new(&it.runner, &it.session).plain;
        self.wakeup.take_interrupt();
        self.ask(prompt, Self::end_monitoring)
    }

    /// Reads a line behind `prompt`, which is shown again after notices, and after Ctrl-C.
    fn ask(
        &mut self,
        prompt: impl Fn(&Self) -> String,
        interrupted: impl Fn(&mut Self),
    ) -> Option<Vec<u8>> {
        self.runner.print(&prompt(self));
        let input = self.lines.input()?;
        let mut has_waited = false;
        loop {
            match self.lines.next() {
                // An interrupt that comes right behind a line is for its command.
                Next::Line(line, _) => return Some(line.into()),
                Next::TooLong(_) => return Some(Vec::new()),
                Next::End | Next::Failed(_) => return None,
                Next::Empty => {}
            }
            let notices = std::mem::take(self.runner.out.buffer());
            let was_interrupted = has_waited && self.wakeup.take_interrupt();
            if was_interrupted || !notices.is_empty() {
                self.runner.print("\n");
                self.runner.out.buffer().extend_from_slice(&notices);
                if was_interrupted {
                    interrupted(self);
                }
                self.runner.print(&prompt(self));
            }
            self.runner.wait_for_input(&mut self.session, input);
            has_waited = true;
            if self.runner.out.broken().is_some() {
                return None;
            }
        }
    }

    fn end_monitoring(&mut self) {
        if self.runner.monitoring() {
            self.runner.stop_monitoring();
            self.runner.print("monitoring ended\n");
        }
    }

    fn run_line(&mut self, line: &[u8]) -> Step {
        let place = Place {
            file: None,
            line: 1,
        };
        self.runner.fit_to_terminal();
        if let Some(question) = prompt::question(line, &self.session) {
            let answer = self.ask(|_| question.clone(), |_| {});
            let answer = answer.unwrap_or_default();
            if !prompt::is_yes(&String::from_utf8_lossy(&answer)) {
                return self.runner.decline(place, line);
            }
        }
        self.runner.run_line(&mut self.session, place, line)
    }
}
