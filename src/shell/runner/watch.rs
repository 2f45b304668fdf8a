//! WATCH: runs a command again and again. At a terminal it redraws in place.

use std::time::{Duration, Instant};

use super::{Place, Runner, Step};
use crate::language::{Error, ErrorKind, parse};
use crate::session::LocalSession;
use crate::shell::terminal::{self, NoEcho};
use crate::time::ClockKind;

impl Runner {
    /// In a batch it ends when no key has a deadline left, and at the first error. A command that
    /// cannot be parsed fails at once, also at a terminal: it never gets better.
    pub(super) fn watch(
        &mut self,
        session: &mut LocalSession,
        place: Place<'_>,
        every: Duration,
        (line, command): (&[u8], &[u8]),
    ) -> Result<Step, Error> {
        check(line, command)?;
        if self.manners.out.interactive {
            return self.watch_at_terminal(session, place, every, command);
        }
        loop {
            self.out.flush();
            if self.out.broken().is_some() {
                return Ok(Step::Stop);
            }
            let failures = self.failures;
            let step = self.run_command(session, place, command);
            if step != Step::Next {
                return Ok(step);
            }
            if self.failures > failures {
                return Err(Error::new(ErrorKind::Nested, "stopped at an error"));
            }
            if !session.world.backend.overview().has_deadlines {
                return Ok(Step::Next);
            }
            self.sleep(session, every)?;
        }
    }

    /// Until Ctrl-C, whatever becomes of the command.
    fn watch_at_terminal(
        &mut self,
        session: &mut LocalSession,
        place: Place<'_>,
        every: Duration,
        command: &[u8],
    ) -> Result<Step, Error> {
        if self.out.is_capturing() {
            let message = "a WATCH in a WATCH would never come back";
            return Err(Error::new(ErrorKind::Refused, message));
        }
        let no_echo = self.manners.can_redraw.then(NoEcho::new);
        let step = loop {
            let step = self.watch_turn(session, place, command);
            if step != Step::Next || self.out.broken().is_some() {
                break step;
            }
            match self.wait(session, every) {
                Err(error) if error.kind == ErrorKind::Interrupted => break Step::Interrupted,
                waited => waited?,
            }
        };
        if no_echo.is_some() {
            self.out.leave_frame();
        }
        if step != Step::Interrupted {
            return Ok(step);
        }
        if no_echo.is_none() {
            // Behind the ^C that the terminal has shown.
            self.print("\n");
        }
        self.wakeup.take_interrupt();
        Ok(Step::Next)
    }

    /// Runs the command once, and shows what it prints in place of what it printed before.
    fn watch_turn(&mut self, session: &mut LocalSession, place: Place<'_>, command: &[u8]) -> Step {
        self.fit_to_terminal();
        self.out.capture();
        let step = self.run_command(session, place, command);
        let printed = self.out.end_capture();
        self.print_notices();
        if step == Step::Interrupted {
            return step;
        }
        if step != Step::Next || !self.manners.can_redraw {
            self.out.buffer().extend_from_slice(&printed);
            self.out.flush();
            return step;
        }
        let printed = String::from_utf8_lossy(&printed);
        let lines = printed.lines().map(Into::into).collect();
        let (columns, rows) = terminal::size().unwrap_or((80, 24));
        self.out.draw(lines, columns, rows);
        step
    }

    /// Waits in real time, and lets as much time pass in the cluster.
    fn wait(&mut self, session: &mut LocalSession, time: Duration) -> Result<(), Error> {
        if session.world.clock.kind() == ClockKind::Virtual {
            let until = Instant::now().checked_add(time);
            if until.is_none_or(|until| self.wakeup.wait_until(until)) {
                return Err(super::interrupted());
            }
        }
        self.sleep(session, time)
    }
}

/// Whether the command at the end of a line can be parsed.
fn check(line: &[u8], command: &[u8]) -> Result<(), Error> {
    let Err(error) = parse(command) else {
        return Ok(());
    };
    let shift = line.len().checked_sub(command.len());
    let shift = shift.filter(|_| line.ends_with(command));
    let at = error.at.clone().zip(shift);
    Err(error.at(at.map(|(at, shift)| at.start + shift..at.end + shift)))
}
