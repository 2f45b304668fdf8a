//! Runs lines: the session answers commands, and here is done what takes time, reads a file or
//! runs other lines.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use unicode_width::UnicodeWidthStr;

use super::lines::{Feed, Lines, MAX_LINE, Next};
use super::output::Output;
use super::wakeup::Wakeup;
use crate::cluster::MoveProgress;
use crate::event::{Event, EventKind};
use crate::language::catalog::{Spec, Verb};
use crate::language::word::{Shown, show_text};
use crate::language::{Action, Change, Command, Error, ErrorKind, Script, parse};
use crate::render::{self, Answer, Format, Style};
use crate::reply::{Moved, Reply};
use crate::session::Session;
use crate::time::{Instant, Waited};

/// The deepest that SOURCE, REPEAT and WATCH can be nested.
const MAX_DEPTH: usize = 32;
/// How long work goes on before it says how far it has come.
const FIRST_PROGRESS: Duration = Duration::from_millis(300);
/// How long until it says so again.
const NEXT_PROGRESS: Duration = Duration::from_millis(100);

/// How lines are run and answers are shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manners {
    /// The rendering of replies.
    pub format: Format,
    /// How standard output is to look.
    pub out: Style,
    /// How standard error is to look.
    pub err: Style,
    /// Stop at the first error.
    pub bail: bool,
    /// Print each line before its output.
    pub echo: bool,
    /// Print no notices and no acknowledgements.
    pub quiet: bool,
}

/// Which events are told as they happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// With `--quiet`.
    Nothing,
    /// What a client should know without asking: keys that expire or are lost.
    Expiries,
    /// With MONITOR.
    All,
}

impl Tells {
    /// Whether this one is told.
    #[must_use]
    pub fn wants(self, event: &Event) -> bool {
        match self {
            Self::Nothing => false,
            Self::Expiries => matches!(event.kind, EventKind::Expired | EventKind::Lost),
            Self::All => true,
        }
    }
}

/// Where a line stands.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The file's name, or what stands for it; `None` at the prompt.
    pub file: Option<&'a str>,
    /// The line's number, from 1.
    pub line: u64,
}

/// Whether to go on after a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// With the next one.
    Next,
    /// QUIT was said.
    Quit,
    /// An error with `--bail`, or a lost reader.
    Stop,
    /// Ctrl-C: back to the prompt, or in a batch the end.
    Interrupted,
}

/// See the module's docs.
pub struct Runner {
    pub out: Output,
    pub manners: Manners,
    wakeup: Arc<Wakeup>,
    monitoring: bool,
    failures: u64,
    /// Scripts that are being run, outermost first, by their canonical paths.
    sources: Vec<PathBuf>,
    depth: usize,
    /// The column at which the line that was typed starts, if it still stands above.
    pub typed_at: Option<usize>,
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
            failures: 0,
            sources: Vec::new(),
            depth: 0,
            typed_at: None,
        }
    }

    /// How many commands failed.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures
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

    /// Which events are to be told.
    #[must_use]
    pub fn tells(&self) -> Tells {
        match (self.monitoring, self.manners.quiet) {
            (true, _) => Tells::All,
            (false, false) => Tells::Expiries,
            (false, true) => Tells::Nothing,
        }
    }

    /// Does what is due at `now`, and prints what happened.
    #[inline]
    pub fn tick(&mut self, session: &mut Session, now: Instant) {
        let tells = self.tells();
        let Self { out, manners, .. } = self;
        session.tick(now, |event| {
            if tells.wants(event) {
                render::event(manners.format, manners.out, event, out.buffer());
                out.settle();
            }
        });
    }

    /// Prints what a command has caused.
    #[inline]
    fn hand_on(&mut self, session: &mut Session) {
        let tells = self.tells();
        let Self { out, manners, .. } = self;
        session.hand_on(|event| {
            if tells.wants(event) {
                render::event(manners.format, manners.out, event, out.buffer());
                out.settle();
            }
        });
    }

    /// Runs one line of a script, and echoes it if that is wanted.
    #[inline]
    pub fn run_line(&mut self, session: &mut Session, place: Place<'_>, line: &[u8]) -> Step {
        if self.manners.echo {
            self.echo(line);
        }
        self.run_command(session, place, line)
    }

    #[inline]
    fn run_command(&mut self, session: &mut Session, place: Place<'_>, line: &[u8]) -> Step {
        let input = match parse(line) {
            Ok(None) => return Step::Next,
            Ok(Some(input)) => input,
            Err(error) => return self.fail(place, line, &error),
        };
        let now = session.now();
        if !matches!(input.spec.verb, Verb::Step | Verb::Links) {
            self.tick(session, now);
        }
        match input.action {
            Action::Command(command) => match self.execute(session, now, command) {
                Ok(reply) => self.succeed(place, input.spec, &reply),
                Err(error) => self.fail(place, line, &error.of(input.spec)),
            },
            Action::Script(script) => self.run_script(session, place, line, input.spec, script),
        }
    }

    #[inline]
    fn execute<'a>(
        &mut self,
        session: &mut Session,
        now: Instant,
        command: Command<'a>,
    ) -> Result<Reply<'a>, Error> {
        let tells = self.tells();
        let Self { out, manners, .. } = self;
        let real = session.cluster().is_versioned()
            && session.clock().kind() == crate::time::ClockKind::Real;
        let reply = session.execute(now, command, &mut |event| {
            if tells.wants(event) {
                render::event(manners.format, manners.out, event, out.buffer());
                out.settle();
                if real {
                    // The command still waits for its answer.
                    out.flush();
                }
            }
        });
        self.hand_on(session);
        reply
    }

    fn run_script(
        &mut self,
        session: &mut Session,
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
                self.nested(|this| this.trace(session, place, spec, command))
            }
            Script::Move(change) => {
                return match self.move_keys(session, change) {
                    Ok(reply) => self.succeed(place, spec, &reply),
                    Err(error) => self.fail(place, line, &error.of(spec)),
                };
            }
            Script::Sleep { time } => self.sleep(session, time).map(|()| Step::Next),
            Script::Source { path } => self.source(session, &path),
            Script::Repeat { times, command } => {
                self.nested(|this| this.repeat(session, place, times, command))
            }
            Script::Watch { every, command } => {
                self.nested(|this| this.watch(session, place, every, command))
            }
        };
        match done {
            Ok(Step::Next) if spec.verb == Verb::Trace => Step::Next,
            Ok(Step::Next) => self.succeed(place, spec, &Reply::Done),
            Ok(step) => step,
            Err(error) => self.fail(place, line, &error.of(spec)),
        }
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

    /// Changes the members or the placement, and moves keys until all are where they belong. What
    /// is due meanwhile is done and told.
    fn move_keys(
        &mut self,
        session: &mut Session,
        change: Change,
    ) -> Result<Reply<'static>, Error> {
        let start = session.now();
        let node = session.change(start, change)?;
        let mut progress = Progress::default();
        loop {
            let now = session.now();
            self.tick(session, now);
            let cost = session.move_some(now);
            self.hand_on(session);
            if let Some(cost) = cost {
                self.out.clear_status();
                return Ok(Reply::Moved(Moved {
                    change,
                    node,
                    replicas: session.cluster().config().replicas,
                    cost,
                    time: session.now().since(start),
                }));
            }
            if self.wakeup.is_interrupted() {
                let message = "interrupted; REBALANCE moves the keys that are left";
                return Err(Error::new(ErrorKind::Interrupted, message));
            }
            if self.manners.out.interactive && !self.manners.quiet && progress.is_due() {
                self.show_progress(session);
            }
        }
    }

    fn show_progress(&mut self, session: &mut Session) {
        if let Some(MoveProgress { part, moved }) = session.cluster().move_progress() {
            let percent = (part * 100.0).floor();
            let text = format!("moving keys: {percent} %, {moved} moved");
            self.out.status(&text);
        }
    }

    /// Runs a command, and shows its messages before its reply. A command that takes time by itself
    /// has told what it has to tell by then.
    fn trace(
        &mut self,
        session: &mut Session,
        place: Place<'_>,
        spec: &'static Spec,
        line: &[u8],
    ) -> Result<Step, Error> {
        let Some(input) = parse(line)? else {
            return Err(spec.usage_error("command is missing"));
        };
        let start = session.now();
        let trace = session.start_trace(start);
        let command = match input.action {
            Action::Command(command) => command,
            Action::Script(script) => {
                let step = self.run_script(session, place, line, input.spec, script);
                let _ = self.succeed(place, spec, &session.end_trace(trace));
                return Ok(step);
            }
        };
        let reply = self.execute(session, start, command);
        let _ = self.succeed(place, spec, &session.end_trace(trace));
        Ok(match reply {
            Ok(reply) => self.succeed(place, input.spec, &reply),
            Err(error) => self.fail(place, line, &error.of(input.spec)),
        })
    }

    /// Lets time pass to `now + time`, and tells what happens meanwhile when it happens.
    fn sleep(&mut self, session: &mut Session, time: Duration) -> Result<(), Error> {
        let until = session.now().after(time)?;
        loop {
            let wake = session
                .next_deadline()
                .map_or(until, |next| next.min(until));
            if wake > session.now() {
                self.flush_before_waiting(session);
            }
            if session.clock().wait_until(wake) == Waited::Interrupted {
                return Err(interrupted());
            }
            let now = session.now();
            self.tick(session, now);
            if wake >= until {
                return Ok(());
            }
        }
    }

    /// On the virtual clock nothing waits, so nothing is flushed early.
    fn flush_before_waiting(&mut self, session: &mut Session) {
        if session.clock().kind() == crate::time::ClockKind::Real {
            self.out.flush();
        }
    }

    fn repeat(
        &mut self,
        session: &mut Session,
        place: Place<'_>,
        times: u64,
        command: &[u8],
    ) -> Result<Step, Error> {
        for time in 1..=times {
            if self.wakeup.is_interrupted() {
                return Err(interrupted());
            }
            let failures = self.failures;
            let step = self.run_command(session, place, command);
            if step != Step::Next {
                return Ok(step);
            }
            if self.failures > failures {
                let message = format!("stopped at {time} of {times}");
                return Err(Error::new(ErrorKind::Nested, message));
            }
        }
        Ok(Step::Next)
    }

    fn watch(
        &mut self,
        session: &mut Session,
        place: Place<'_>,
        every: Duration,
        command: &[u8],
    ) -> Result<Step, Error> {
        let mut drawn = 0;
        loop {
            self.out.flush();
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
            if !self.manners.out.interactive && session.cluster().next_expiry().is_none() {
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

    fn source(&mut self, session: &mut Session, path: &[u8]) -> Result<Step, Error> {
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

    /// Runs the lines of a file.
    ///
    /// # Errors
    /// If it cannot be read, or is being run already.
    pub fn run_file(&mut self, session: &mut Session, path: &Path) -> Result<Step, Error> {
        let cannot = |error: io::Error| {
            let message = format!("cannot read {}: {}", path.display(), plain(&error));
            Error::new(ErrorKind::Io, message)
        };
        let canonical = path.canonicalize().map_err(cannot)?;
        self.check_cycle(&canonical)?;
        let file = File::open(path).map_err(cannot)?;
        self.sources.push(canonical);
        let mut lines = Lines::new(Feed::Reader(Box::new(file)));
        let step = self.run_lines(session, &path.display().to_string(), &mut lines);
        self.sources.pop();
        step.map_err(cannot)
    }

    fn check_cycle(&self, canonical: &Path) -> Result<(), Error> {
        let Some(first) = self.sources.iter().position(|source| source == canonical) else {
            return Ok(());
        };
        let cycle = self.sources.iter().skip(first).map(PathBuf::as_path);
        let names = cycle.chain([canonical]).filter_map(Path::file_name);
        let names: Vec<_> = names.map(|name| name.to_string_lossy()).collect();
        let message = format!("SOURCE goes round in a circle: {}", names.join(" -> "));
        Err(Error::new(ErrorKind::Refused, message))
    }

    /// Runs all lines of a feed. While the feed has nothing, what is due is done and told.
    ///
    /// # Errors
    /// If reading fails.
    pub fn run_lines(
        &mut self,
        session: &mut Session,
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
                    self.wait_for_input(session);
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

    /// Waits for input or for the next thing that is due, which is then done and told.
    fn wait_for_input(&mut self, session: &mut Session) {
        self.out.flush();
        let now = session.now();
        let next = session.next_deadline();
        let real = session.clock().kind() == crate::time::ClockKind::Real;
        let until = next
            .filter(|_| real)
            .and_then(|next| std::time::Instant::now().checked_add(next.since(now)));
        self.wakeup.wait_for_input(until);
        let now = session.now();
        self.tick(session, now);
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
        let answer = Answer {
            spec: Some(spec),
            line: place.line,
            outcome: Ok(reply),
        };
        // What is typed is acknowledged; a thousand lines of a file need no thousand OKs.
        let mut style = self.manners.out;
        style.interactive &= place.file.is_none();
        render::answer(self.manners.format, style, answer, self.out.buffer());
        self.out.settle();
        if reply.can_fail() {
            return self.tell_failures(place, spec, reply);
        }
        Step::Next
    }

    /// Reports the keys of a batch that were not done. In JSON the reply has told them; of the keys
    /// that a move has lost there were events.
    fn tell_failures(&mut self, place: Place<'_>, spec: &'static Spec, reply: &Reply<'_>) -> Step {
        if !reply.has_failed() {
            return Step::Next;
        }
        self.failures += 1;
        for (key, reason) in reply.failures() {
            if self.manners.format != Format::Json {
                let mut error = reason.clone().of(spec);
                if let Some(key) = key.filter(|_| reason.heard.is_none()) {
                    error.message = format!("{} was not stored: {reason}", Shown(key));
                }
                self.tell(place, b"", &error);
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
            let answer = Answer {
                spec: error.command,
                line: place.line,
                outcome: Err(error),
            };
            render::answer(Format::Json, self.manners.out, answer, self.out.buffer());
            self.out.settle();
        } else if error.kind != ErrorKind::Nested {
            self.tell(place, line, error);
        }
        if self.manners.bail {
            Step::Stop
        } else {
            Step::Next
        }
    }

    /// Ends what is being run. A batch says so by its exit status only: whoever pressed Ctrl-C
    /// knows.
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
        if place.file.is_none() {
            let typed_at = self.typed_at.filter(|_| self.depth == 0);
            super::caret::point(line, error, typed_at, self.manners.err, &mut message);
        }
        let at = place.file.map(|file| (file, place.line));
        render::error(self.manners.err, at, error, &mut message);
        self.out.error(&message);
    }
}

const INTERRUPTED: &str = "interrupted";

fn interrupted() -> Error {
    Error::new(ErrorKind::Interrupted, INTERRUPTED)
}

/// When long work says how far it has come: after a while, and then from time to time. In the
/// time of whoever waits, whatever the cluster's clock.
struct Progress {
    due: std::time::Instant,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            due: std::time::Instant::now() + FIRST_PROGRESS,
        }
    }
}

impl Progress {
    fn is_due(&mut self) -> bool {
        let now = std::time::Instant::now();
        let is_due = now >= self.due;
        if is_due {
            self.due = now + NEXT_PROGRESS;
        }
        is_due
    }
}

/// An I/O error without std's "(os error 2)".
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text.chars().take(end).collect(),
        None => text,
    }
}
