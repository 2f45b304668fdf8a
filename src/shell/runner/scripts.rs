//! Commands that run other lines or take time: REPEAT, WATCH, TRACE, SOURCE, SLEEP, and moves of keys.

use std::path::{Path, PathBuf};
use std::time::Duration;

use unicode_width::UnicodeWidthStr;

use super::collecting::{Collected, Turns};
use super::turn_line::TurnLine;
use super::{MAX_DEPTH, Place, Runner, Step, interrupted};
use crate::language::catalog::{Spec, Verb};
use crate::language::word::Shown;
use crate::language::{Action, Change, Error, ErrorKind, Script, parse};
use crate::render::Format;
use crate::reply::Reply;
use crate::session::LocalSession;

impl Runner {
    pub(super) fn run_script(
        &mut self,
        session: &mut LocalSession,
        place: Place<'_>,
        line: &[u8],
        spec: &'static Spec,
        script: Script<'_>,
    ) -> Step {
        let done = match script {
            Script::Quit => {
                let _ = self.succeed(place, spec, &Reply::Done);
                return Step::Quit;
            }
            Script::Monitor { on } => {
                self.monitoring = on;
                Ok(Step::Next)
            }
            Script::Trace { command } => {
                self.nested(|this| this.trace(session, place, spec, &command))
            }
            Script::Move(change) => {
                return match self.change(session, change) {
                    Ok(reply) => self.succeed(place, spec, &reply),
                    Err(error) => self.fail(place, line, &error.of(spec.name)),
                };
            }
            Script::Sleep { time } => self.sleep(session, time).map(|()| Step::Next),
            Script::Source { path } => self.source(session, &path),
            Script::Repeat { times, command } => {
                self.nested(|this| this.repeat(session, place, spec, times, &command))
            }
            Script::Watch { every, command } => {
                self.nested(|this| this.watch(session, place, every, &command))
            }
        };
        match done {
            Ok(Step::Next) if self.has_answered(spec.verb) => Step::Next,
            Ok(Step::Next) => self.succeed(place, spec, &Reply::Done),
            Ok(step) => step,
            Err(error) => self.fail(place, line, &error.of(spec.name)),
        }
    }

    /// Whether a command that ran others has answered already.
    fn has_answered(&self, verb: Verb) -> bool {
        verb == Verb::Trace || verb == Verb::Repeat && self.manners.format == Format::Json
    }

    fn nested(
        &mut self,
        run: impl FnOnce(&mut Self) -> Result<Step, Error>,
    ) -> Result<Step, Error> {
        if self.depth == MAX_DEPTH {
            let message = format!("nested too deeply: at most {MAX_DEPTH} levels");
            return Err(Error::new(ErrorKind::Refused, message));
        }
        self.depth += 1;
        let step = run(self);
        self.depth -= 1;
        step
    }

    fn change(
        &mut self,
        session: &mut LocalSession,
        change: Change,
    ) -> Result<Reply<'static>, Error> {
        let mut printer = self.printer(session);
        let LocalSession { world, session } = session;
        let reply = session.change(world, change, &mut printer);
        self.out.clear_status();
        self.print_replies();
        reply
    }

    /// Runs a command, and shows its messages before its reply. A command that takes time by itself
    /// has told what it has to tell by then.
    fn trace(
        &mut self,
        session: &mut LocalSession,
        place: Place<'_>,
        spec: &'static Spec,
        line: &[u8],
    ) -> Result<Step, Error> {
        let input = match parse(line) {
            Ok(Some(input)) => input,
            Ok(None) => return Err(spec.usage_error("command is missing")),
            // Reported here: its position is one in this line, not in that of TRACE.
            Err(error) => return Ok(self.fail(place, line, &error.of(spec.name))),
        };
        let start = session.world.now();
        let trace = session.world.backend.start_trace(start);
        self.start_collecting(Collected::Traced(None));
        let inner = input.spec;
        let result = match input.action {
            Action::Command(command) => {
                let reply = self.execute(session, start, command);
                Ok(reply.map(|reply| Some((inner, reply))))
            }
            Action::Request(request) => Ok(self.request(session, place, start, request)),
            Action::Script(script) => Err(self.run_script(session, place, line, inner, script)),
        };
        let path = session.world.backend.end_trace(trace);
        if self.manners.format != Format::Json {
            let _ = self.succeed(place, spec, &path);
        }
        let step = match result {
            Ok(Ok(Some((spec, reply)))) => self.succeed(place, spec, &reply),
            Ok(Ok(None)) => Step::Next,
            Ok(Err(error)) => self.fail(place, line, &error.of(inner.name)),
            Err(step) => step,
        };
        self.put_traced(place, spec, &path);
        Ok(step)
    }

    /// Lets time pass, and prints what happens meanwhile when it happens.
    fn sleep(&mut self, session: &mut LocalSession, time: Duration) -> Result<(), Error> {
        let mut printer = self.printer(session);
        let LocalSession { world, session } = session;
        let slept = session.sleep(world, time, &mut printer);
        self.print_replies();
        slept
    }

    fn repeat(
        &mut self,
        session: &mut LocalSession,
        place: Place<'_>,
        spec: &'static Spec,
        times: u64,
        command: &[u8],
    ) -> Result<Step, Error> {
        // It may take long and print nothing: what was printed before it must not wait for that.
        if self.depth == 1 {
            self.out.flush();
        }
        self.start_collecting(Collected::turns());
        let turns = self.run_turns(session, place, times, command);
        self.put_repeated(place, spec, turns)
    }

    /// Runs a command again and again, until it fails.
    fn run_turns(
        &mut self,
        session: &mut LocalSession,
        place: Place<'_>,
        times: u64,
        command: &[u8],
    ) -> Turns {
        let end = |count, failed, end| Turns { count, failed, end };
        let line = TurnLine::new(command);
        for turn in 1..=times {
            if self.wakeup.is_interrupted() {
                return end(turn - 1, 0, Err(interrupted()));
            }
            if self.out.broken().is_some() {
                return end(turn - 1, 0, Ok(Step::Stop));
            }
            let failures = self.failures;
            let step = self.run_command(session, place, &line.of(turn));
            let has_failed = self.failures > failures;
            if step != Step::Next {
                return end(turn, u64::from(has_failed), Ok(step));
            }
            if has_failed {
                let message = format!("stopped at {turn} of {times}");
                return end(turn, 1, Err(Error::new(ErrorKind::Nested, message)));
            }
        }
        end(times, 0, Ok(Step::Next))
    }

    fn watch(
        &mut self,
        session: &mut LocalSession,
        place: Place<'_>,
        every: Duration,
        command: &[u8],
    ) -> Result<Step, Error> {
        let mut drawn = 0;
        loop {
            self.out.flush();
            if self.out.broken().is_some() {
                return Ok(Step::Stop);
            }
            if drawn > 0 {
                let up_and_clear = format!("\x1b[{drawn}A\x1b[J");
                self.out.buffer().extend_from_slice(up_and_clear.as_bytes());
            }
            let failures = self.failures;
            let step = self.run_command(session, place, command);
            if step != Step::Next {
                return Ok(step);
            }
            if self.failures > failures {
                return Err(Error::new(ErrorKind::Nested, "stopped at an error"));
            }
            drawn = self.redrawable_lines();
            let total = self.out.total();
            if !self.manners.out.interactive && !session.world.backend.overview().has_deadlines {
                return Ok(Step::Next);
            }
            match self.sleep(session, every) {
                Err(error) if error.kind == ErrorKind::Interrupted => {
                    return self.end_of_watch(error);
                }
                slept => slept?,
            }
            if self.out.total() != total {
                // Something happened, and was told below: what was drawn stays.
                drawn = 0;
            }
        }
    }

    /// How many lines a WATCH at the prompt has just printed and can draw over; 0 if it can't.
    fn redrawable_lines(&mut self) -> usize {
        let terminal = terminal_size::terminal_size().filter(|_| self.manners.out.interactive);
        let Some((width, height)) = terminal else {
            return 0;
        };
        let text = String::from_utf8_lossy(self.out.buffer()).into_owned();
        let fits = |line: &str| line.width() <= usize::from(width.0);
        let lines = text.lines().count();
        if lines < usize::from(height.0) && text.lines().all(fits) {
            lines
        } else {
            0
        }
    }

    /// At the prompt, Ctrl-C is how a WATCH ends; in a batch it ends everything.
    fn end_of_watch(&mut self, error: Error) -> Result<Step, Error> {
        if !self.manners.out.interactive {
            return Err(error);
        }
        self.wakeup.take_interrupt();
        // Behind the ^C that the terminal has shown.
        self.out.buffer().push(b'\n');
        Ok(Step::Next)
    }

    fn source(&mut self, session: &mut LocalSession, path: &[u8]) -> Result<Step, Error> {
        let path = self.resolve(path)?;
        self.nested(|this| this.run_file(session, &path))
    }

    /// A path in a script is looked for beside the script first.
    fn resolve(&self, path: &[u8]) -> Result<PathBuf, Error> {
        let Ok(name) = std::str::from_utf8(path) else {
            let message = format!("{} is not a file name: it is not UTF-8", Shown(path));
            return Err(Error::new(ErrorKind::Io, message));
        };
        let beside = self.sources.last().and_then(|source| source.parent());
        let beside = beside.map(|folder| folder.join(name));
        Ok(beside
            .filter(|path| path.exists())
            .unwrap_or_else(|| name.into()))
    }

    pub(super) fn check_cycle(&self, canonical: &Path) -> Result<(), Error> {
        let Some(first) = self.sources.iter().position(|source| source == canonical) else {
            return Ok(());
        };
        let cycle = self.sources.iter().skip(first).map(PathBuf::as_path);
        let names = cycle.chain([canonical]).filter_map(Path::file_name);
        let names: Vec<_> = names.map(|name| name.to_string_lossy()).collect();
        let message = format!("SOURCE goes round in a circle: {}", names.join(" -> "));
        Err(Error::new(ErrorKind::Refused, message))
    }
}
