//! Commands that run other lines or take time: REPEAT, TRACE, SLEEP, and moves of keys.

use std::time::Duration;

use super::collecting::{Collected, Turns};
use super::turn_line::TurnLine;
use super::{MAX_DEPTH, Place, Runner, Step, check_available, interrupted};
use crate::language::catalog::{Spec, Verb};
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
                self.has_quit = true;
                return Step::Quit;
            }
            Script::Monitor { on } => {
                self.monitoring = on;
                Ok(Step::Next)
            }
            Script::Notices { on: None } => {
                return self.succeed(place, spec, &Reply::Notices(self.are_notices_on));
            }
            Script::Notices { on: Some(on) } => {
                self.are_notices_on = on;
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
            work @ (Script::Replay(_) | Script::Load(_) | Script::Compare { .. }) => {
                return self.run_work(session, place, line, spec, &work);
            }
            Script::Sleep { time } => self.sleep(session, time).map(|()| Step::Next),
            Script::Source { path } => self.source(session, &path),
            Script::Repeat { times, command } => {
                self.nested(|this| this.repeat(session, place, spec, times, &command))
            }
            Script::Watch { every, command } => {
                self.nested(|this| this.watch(session, place, every, (line, &command)))
            }
        };
        match done {
            Ok(Step::Next) if self.has_answered(spec.verb) => Step::Next,
            // Ctrl-C has ended it: there is nothing to acknowledge.
            Ok(Step::Next) if spec.verb == Verb::Watch && self.manners.out.interactive => {
                Step::Next
            }
            Ok(Step::Next) => self.succeed(place, spec, &Reply::Done),
            Ok(step) => step,
            Err(error) => self.fail(place, line, &error.of(spec.name)),
        }
    }

    /// Whether a command that ran others has answered already.
    fn has_answered(&self, verb: Verb) -> bool {
        verb == Verb::Trace || verb == Verb::Repeat && self.manners.format == Format::Json
    }

    pub(super) fn nested(
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
        self.print_pending();
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
        if let Err(error) = check_available(session, input.spec) {
            return Ok(self.fail(place, line, &error));
        }
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
    pub(super) fn sleep(
        &mut self,
        session: &mut LocalSession,
        time: Duration,
    ) -> Result<(), Error> {
        let mut printer = self.printer(session);
        let LocalSession { world, session } = session;
        let slept = session.sleep(world, time, &mut printer);
        self.print_pending();
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
}
