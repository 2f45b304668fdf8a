//! Runs lines, and prints the replies and errors. See `scripts.rs` for the commands that run other
//! lines, `files.rs` for scripts in files, `work.rs` for workloads, and `watch.rs` for WATCH.

mod collecting;
mod files;
mod scripts;
mod turn_line;
mod watch;
mod work;

use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use collecting::Collected;
use work::Feeds;

use super::caret::{self, Typed};
use super::keys::{self, Keys};
use super::lines::{Lines, MAX_LINE, Next};
use super::notices::Notices;
use super::output::Output;
use super::printer::{ClientReply, Manners, NoticeLevel, Printer, Progress};
use super::terminal;
use super::wakeup::Wakeup;
use crate::language::catalog::{self, Spec, Verb};
use crate::language::word::show_text;
use crate::language::{Action, Command, Error, ErrorKind, Request, parse};
use crate::render::{self, CommandLine, Format, LineOutcome};
use crate::reply::Reply;
use crate::session::{LocalSession, Origin, Tag};
use crate::time::{ClockKind, Instant};

/// The deepest that SOURCE, REPEAT and WATCH can be nested.
const MAX_DEPTH: usize = 32;

/// Where a line stands.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The file's name, or what stands for it; `None` at the prompt.
    pub file: Option<&'a str>,
    /// The line's number, from 1.
    pub line: u64,
}

impl<'a> Place<'a> {
    /// The command that stands here.
    fn of(self, spec: &Spec) -> CommandLine<'a> {
        self.named(Some(spec.name))
    }

    fn named(self, command: Option<&'static str>) -> CommandLine<'a> {
        CommandLine {
            command,
            file: self.file,
            line: self.line,
        }
    }
}

/// Whether to go on after a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// With the next one.
    Next,
    /// QUIT was executed.
    Quit,
    /// An error with `--bail`, or a lost reader.
    Stop,
    /// Ctrl-C: back to the prompt, or in a batch the end.
    Interrupted,
}

/// Runs lines in a session, and prints their replies and errors.
pub struct Runner {
    pub out: Output,
    pub manners: Manners,
    wakeup: Arc<Wakeup>,
    monitoring: bool,
    /// Whether expiries are printed as they happen.
    are_notices_on: bool,
    /// At a terminal, the notices that are held back.
    condenser: Option<Arc<Mutex<Notices>>>,
    /// At a prompt, the keys that were named so far.
    keys: Option<Arc<Mutex<Keys>>>,
    failures: u64,
    /// Whether QUIT was run.
    has_quit: bool,
    /// How many checks could not decide.
    undecided: u64,
    /// Replies to commands of other clients that were not printed yet.
    replies: Vec<ClientReply>,
    /// Scripts that are being run, outermost first, by their canonical paths.
    sources: Vec<PathBuf>,
    depth: usize,
    /// The workloads that can go on.
    feeds: Feeds,
    /// The objects inside of each REPEAT and TRACE that is running, in JSON; the outermost first.
    collected: Vec<Collected>,
    /// The line that was typed last.
    pub typed: Option<Typed>,
}

impl Runner {
    /// A runner that prints to `out` and stops waiting when `wakeup` says so.
    #[must_use]
    pub fn new(out: Output, manners: Manners, wakeup: Arc<Wakeup>) -> Self {
        Self {
            out,
            manners,
            wakeup,
            monitoring: false,
            are_notices_on: !manners.quiet,
            condenser: None,
            keys: None,
            failures: 0,
            has_quit: false,
            undecided: 0,
            replies: Vec::new(),
            sources: Vec::new(),
            depth: 0,
            feeds: Feeds::default(),
            collected: Vec::new(),
            typed: None,
        }
    }

    /// Serves a prompt: many notices are condensed there, and keys are remembered for completion.
    pub fn at_prompt(&mut self, notices: &Arc<Mutex<Notices>>, keys: &Arc<Mutex<Keys>>) {
        self.condenser = Some(Arc::clone(notices));
        self.keys = Some(Arc::clone(keys));
    }

    /// Fits what is printed from now on to the terminal.
    pub fn fit_to_terminal(&mut self) {
        let width = terminal::columns();
        self.manners.out.width = width;
        self.manners.err.width = width;
    }

    /// Prints what a scenario shows, before it is played.
    pub fn introduce(&mut self, text: &str) {
        if self.manners.format != Format::Json && !text.is_empty() {
            render::paragraph(self.manners.out, text, self.out.buffer());
            self.out.buffer().push(b'\n');
        }
    }

    /// Prints a text that is no reply.
    pub fn print(&mut self, text: &str) {
        self.print_bytes(text.as_bytes());
    }

    /// Prints what was rendered already.
    pub fn print_bytes(&mut self, text: &[u8]) {
        self.out.buffer().extend_from_slice(text);
        self.out.flush();
    }

    /// How many checks could not decide.
    #[must_use]
    pub fn undecided(&self) -> u64 {
        self.undecided
    }

    /// How many commands failed.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// Whether QUIT was run, or an error has ended the work.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.has_quit || self.manners.bail && self.failures > 0
    }

    /// Prints no notices.
    pub fn silence_notices(&mut self) {
        self.are_notices_on = false;
    }

    /// Whether MONITOR is on.
    #[must_use]
    pub fn monitoring(&self) -> bool {
        self.monitoring
    }

    /// Turns MONITOR off.
    pub fn stop_monitoring(&mut self) {
        self.monitoring = false;
    }

    /// Whether the output can not be written any more.
    #[must_use]
    pub fn is_cut_off(&mut self) -> bool {
        self.out.flush();
        self.out.broken().is_some()
    }

    /// Which events are printed.
    #[must_use]
    pub fn notices(&self) -> NoticeLevel {
        match (self.monitoring, self.are_notices_on) {
            (true, _) => NoticeLevel::All,
            (false, true) => NoticeLevel::Expiries,
            (false, false) => NoticeLevel::Nothing,
        }
    }

    /// What prints while a command takes time.
    #[inline]
    fn printer<'r>(&'r mut self, session: &LocalSession) -> Printer<'r> {
        let is_real = session.world.clock.kind() == ClockKind::Real;
        Printer {
            notices: self.notices(),
            manners: &self.manners,
            out: &mut self.out,
            wakeup: &self.wakeup,
            is_real,
            progress: Progress::default(),
            replies: &mut self.replies,
            condenser: self.condenser.as_deref(),
        }
    }

    /// Carries out expiries, messages and timeouts up to `now`, and prints the events.
    #[inline]
    pub fn tick(&mut self, session: &mut LocalSession, now: Instant) {
        let mut printer = self.printer(session);
        session.session.tick(&mut session.world, now, &mut printer);
        self.print_pending();
    }

    /// Runs one line of a script, and echoes it if that is wanted.
    #[inline]
    pub fn run_line(&mut self, session: &mut LocalSession, place: Place<'_>, line: &[u8]) -> Step {
        if self.manners.echo {
            self.echo(line);
        }
        self.run_command(session, place, line)
    }

    #[inline]
    fn run_command(&mut self, session: &mut LocalSession, place: Place<'_>, line: &[u8]) -> Step {
        let input = match parse(line) {
            Ok(None) => return Step::Next,
            Ok(Some(input)) => input,
            Err(error) => return self.fail(place, line, &error),
        };
        if let Some(keys) = &self.keys {
            keys::lock(keys).note(&input.action, place.file.is_none());
        }
        session.world.give_way();
        if let Err(error) = check_available(session, input.spec) {
            return self.fail(place, line, &error);
        }
        let now = session.world.now();
        if !matches!(input.spec.verb, Verb::Step | Verb::Links) {
            self.tick(session, now);
        }
        match input.action {
            Action::Command(command) => match self.execute(session, now, command) {
                Ok(reply) => self.succeed(place, input.spec, &reply),
                Err(error) => self.fail(place, line, &error.of(input.spec.name)),
            },
            Action::Request(request) => match self.request(session, place, now, request) {
                Ok(Some((spec, reply))) => self.succeed(place, spec, &reply),
                Ok(None) => Step::Next,
                Err(error) => self.fail(place, line, &error.of(input.spec.name)),
            },
            Action::Script(script) => self.run_script(session, place, line, input.spec, script),
        }
    }

    #[inline]
    fn execute<'a>(
        &mut self,
        session: &mut LocalSession,
        now: Instant,
        command: Command<'a>,
    ) -> Result<Reply<'a>, Error> {
        let mut printer = self.printer(session);
        let LocalSession { world, session } = session;
        let reply = session.execute(world, now, command, &mut printer);
        self.print_pending();
        reply
    }

    /// Sends a request as the client and to the coordinator that the line names. `None`: another
    /// client has sent it, and its reply is printed when it comes.
    fn request<'a>(
        &mut self,
        session: &mut LocalSession,
        place: Place<'_>,
        now: Instant,
        request: Request<'a>,
    ) -> Result<Option<(&'static Spec, Reply<'a>)>, Error> {
        let origin = Origin::of(&request);
        let Request { spec, command, .. } = request;
        let mut printer = self.printer(session);
        let LocalSession { world, session } = session;
        let reply = if request.client.is_none() {
            let reply = session.execute_from(world, now, origin, command, &mut printer);
            reply.map(|reply| Some((spec, reply)))
        } else {
            let tag = Tag {
                command: spec.name,
                file: place.file.map(Arc::from),
                line: place.line,
            };
            let sent = session.send(world, origin, tag, command, &mut printer);
            sent.map(|()| None)
        };
        self.print_pending();
        reply
    }

    /// Prints what has come meanwhile: notices that were held back, and replies to commands of other
    /// clients.
    #[inline]
    fn print_pending(&mut self) {
        if self.condenser.is_some() {
            self.print_notices();
        }
        if !self.replies.is_empty() {
            self.print_all_replies();
        }
    }

    /// Prints the notices that were held back, if they may be printed.
    fn print_notices(&mut self) {
        if let Some(notices) = &self.condenser {
            let now = std::time::Instant::now();
            let style = self.manners.out;
            super::printer::lock(notices).take(now, style, self.out.notices());
        }
    }

    #[cold]
    fn print_all_replies(&mut self) {
        for (client, tag, reply) in std::mem::take(&mut self.replies) {
            self.print_reply(client, &tag, &reply);
        }
    }

    /// Runs all lines of a feed. While the feed has no line, expiries, messages and timeouts are
    /// carried out, and their events printed.
    ///
    /// # Errors
    /// If reading fails.
    pub fn run_lines(
        &mut self,
        session: &mut LocalSession,
        file: &str,
        lines: &mut Lines,
    ) -> io::Result<Step> {
        loop {
            if self.wakeup.is_interrupted() {
                return Ok(self.interrupt(INTERRUPTED));
            }
            if self.out.broken().is_some() {
                return Ok(Step::Stop);
            }
            let file = Some(file);
            let step = match lines.next() {
                Next::Line(text, line) => self.run_line(session, Place { file, line }, text),
                Next::TooLong(line) => {
                    let message = format!("the line is longer than {} MiB", MAX_LINE >> 20);
                    let error = Error::new(ErrorKind::Refused, message);
                    self.fail(Place { file, line }, b"", &error)
                }
                Next::Empty => {
                    if let Some(input) = lines.input() {
                        self.wait_for_input(session, input);
                    }
                    Step::Next
                }
                Next::End => return Ok(Step::Next),
                Next::Failed(error) => return Err(error),
            };
            if step != Step::Next {
                return Ok(step);
            }
        }
    }

    /// Waits for input or for the next timer, then runs it and prints its events.
    pub fn wait_for_input(&mut self, session: &mut LocalSession, input: u64) {
        if self.is_cut_off() {
            return;
        }
        let until = self.next_wake(session);
        let wakeup = &self.wakeup;
        session
            .world
            .without(|| wakeup.wait_for_input(input, until));
        let now = session.world.now();
        self.tick(session, now);
    }

    /// Prints what happens, until an interrupt.
    pub fn stand_by(&mut self, session: &mut LocalSession) {
        while !self.wakeup.is_interrupted() {
            let now = session.world.now();
            self.tick(session, now);
            self.out.flush();
            let until = self.next_wake(session);
            let wakeup = &self.wakeup;
            session.world.without(|| wakeup.wait_for_pokes(until));
        }
    }

    /// When something is due next, in real time.
    fn next_wake(&self, session: &mut LocalSession) -> Option<std::time::Instant> {
        let now = session.world.now();
        let next = session.world.next_deadline();
        let real = session.world.clock.kind() == ClockKind::Real;
        let until = next.filter(|_| real).and_then(|next| {
            std::time::Instant::now().checked_add(next.saturating_duration_since(now))
        });
        let held = self.condenser.as_ref();
        let held = held.and_then(|notices| super::printer::lock(notices).due());
        until.into_iter().chain(held).min()
    }

    fn echo(&mut self, line: &[u8]) {
        if self.manners.format != Format::Json {
            // One mark more for each SOURCE that the line is within.
            let mark = ">".repeat(self.depth + 1);
            let buffer = self.out.buffer();
            buffer.extend_from_slice(mark.as_bytes());
            buffer.push(b' ');
            show_text(line, buffer);
            buffer.push(b'\n');
        }
    }

    #[inline]
    fn succeed(&mut self, place: Place<'_>, spec: &'static Spec, reply: &Reply<'_>) -> Step {
        let outcome = LineOutcome {
            line: place.of(spec),
            result: Ok(reply),
        };
        // What is typed is acknowledged; a thousand lines of a file need no thousand OKs.
        let mut style = self.manners.out;
        style.interactive &= place.file.is_none();
        let is_late = style.interactive && self.depth == 0 && self.wakeup.take_interrupt();
        if is_late {
            // Behind the ^C that the terminal has shown while the command ran.
            self.out.buffer().push(b'\n');
        }
        self.put(outcome, style);
        let step = if reply.can_fail() {
            self.tell_failures(place, spec, reply)
        } else {
            Step::Next
        };
        // The command is done; the lines behind it are not run.
        if is_late { Step::Interrupted } else { step }
    }

    /// Reports the keys of a batch that were not done. In JSON the reply lists them; of the keys
    /// that a move has lost there were events.
    fn tell_failures(&mut self, place: Place<'_>, spec: &'static Spec, reply: &Reply<'_>) -> Step {
        if !reply.has_failed() {
            return Step::Next;
        }
        if reply.is_undecided() {
            self.undecided += 1;
        } else {
            self.failures += 1;
        }
        if self.manners.format != Format::Json {
            for error in reply.errors() {
                self.tell(place, b"", &error.of(spec.name));
            }
        }
        if self.manners.bail {
            Step::Stop
        } else {
            Step::Next
        }
    }

    /// Reports an error: as JSON among the replies, otherwise on standard error.
    pub fn fail(&mut self, place: Place<'_>, line: &[u8], error: &Error) -> Step {
        self.failures += 1;
        if error.kind == ErrorKind::Interrupted {
            return self.interrupt(&error.message);
        }
        if self.manners.format == Format::Json {
            let outcome = LineOutcome {
                line: place.named(error.command),
                result: Err(error),
            };
            self.put(outcome, self.manners.out);
        } else if error.kind != ErrorKind::Nested {
            self.tell(place, line, error);
        }
        if self.manners.bail {
            Step::Stop
        } else {
            Step::Next
        }
    }

    /// Reports that CLEAR was not confirmed. It is no error, but in JSON every command is answered,
    /// and a refusal is an answer that programs know.
    pub fn decline(&mut self, place: Place<'_>, line: &[u8]) -> Step {
        const DECLINED: &str = "Nothing was removed.";
        if self.manners.format == Format::Json {
            let error = Error::new(ErrorKind::Refused, DECLINED.trim_end_matches('.'));
            return self.fail(place, line, &error.of(catalog::name(Verb::Clear)));
        }
        self.print(&format!("{DECLINED}\n"));
        Step::Next
    }

    /// Prints the reply to a command of another client.
    fn print_reply(&mut self, client: u32, tag: &Tag, reply: &Result<Reply<'static>, Error>) {
        let Manners { format, out, .. } = self.manners;
        let place = Place {
            file: tag.file.as_deref(),
            line: tag.line,
        };
        let outcome = LineOutcome {
            line: place.named(Some(tag.command)),
            result: reply.as_ref(),
        };
        let has_failed = reply.as_ref().map_or(true, Reply::has_failed);
        self.failures += u64::from(has_failed);
        render::client_outcome(format, out, client, outcome, self.out.buffer());
        self.out.settle();
    }

    /// Ends the running command after Ctrl-C. A batch prints no message: its exit status shows the
    /// interrupt.
    fn interrupt(&mut self, message: &str) -> Step {
        if self.manners.out.interactive {
            self.wakeup.take_interrupt();
            // Behind the ^C that the terminal has shown.
            self.out.error(format!("\n{message}\n").as_bytes());
        }
        Step::Interrupted
    }

    fn tell(&mut self, place: Place<'_>, line: &[u8], error: &Error) {
        let mut message = Vec::new();
        if let Some(at) = error.at.as_ref().filter(|_| place.file.is_none()) {
            self.point(line, at, &mut message);
        }
        let at = place.file.map(|file| (file, place.line));
        render::error(self.manners.err, at, error, &mut message);
        self.out.error(&message);
    }

    /// Shows which word of a line an error is about. The line may be the end of the one that was
    /// typed.
    fn point(&self, line: &[u8], at: &Range<usize>, message: &mut Vec<u8>) {
        let style = self.manners.err;
        let typed = self
            .typed
            .as_ref()
            .filter(|typed| typed.line.ends_with(line));
        let Some(typed) = typed else {
            return caret::point(line, at, None, style, message);
        };
        let shift = typed.line.len() - line.len();
        let at = at.start + shift..at.end + shift;
        let stands_above = self.out.total() == typed.printed && !self.out.is_capturing();
        let column = typed.column.filter(|_| stands_above);
        caret::point(&typed.line, &at, column, style, message);
    }
}

const INTERRUPTED: &str = "interrupted";

/// Whether the backend has a command.
fn check_available(session: &LocalSession, spec: &'static Spec) -> Result<(), Error> {
    let behind = session.world.backend.behind();
    let refusal = behind.refusal(spec);
    refusal.map_or(Ok(()), |why| Err(Error::unsupported(spec.name, why)))
}

fn interrupted() -> Error {
    Error::new(ErrorKind::Interrupted, INTERRUPTED)
}
