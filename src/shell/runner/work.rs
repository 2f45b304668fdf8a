//! REPLAY, LOAD and COMPARE: opens traces, and remembers how far each workload has come.

use std::path::{Path, PathBuf};

use super::super::lab::{self, words};
use super::super::printer::Manners;
use super::{Place, Runner, Step, interrupted};
use crate::language::catalog::{Group, Spec, Verb};
use crate::language::word::{Bytes, Shown};
use crate::language::{
    Action, Command, DEFAULT_RATE, Error, ErrorKind, Load, Replay, Script, parse,
};
use crate::render::Format;
use crate::reply::Reply;
use crate::report::Form;
use crate::session::{Feed, LocalSession, Observer, Pace, Plan};
use crate::time::ClockKind;
use crate::trace::{self, Kind, TraceError, Workload};

/// The most workloads that can go on where they stopped.
const MAX_FEEDS: usize = 16;

/// The workloads that can go on, the one used last at the end. At most 16; beyond that the oldest is
/// forgotten, and starts again.
#[derive(Default)]
pub struct Feeds(Vec<(Source, Feed)>);

/// Where requests come from.
#[derive(Debug, PartialEq)]
enum Source {
    File(PathBuf, Option<trace::Spec>),
    Workload(Workload),
}

impl Feeds {
    fn take(&mut self, source: &Source) -> Option<Feed> {
        let at = self.0.iter().position(|(it, _)| it == source)?;
        Some(self.0.remove(at).1)
    }

    fn keep(&mut self, source: Source, feed: Feed) {
        if self.0.len() >= MAX_FEEDS {
            self.0.remove(0);
        }
        self.0.push((source, feed));
    }
}

impl Runner {
    /// Runs a command of this file, and prints its reply. An interrupted one ends the lines behind it.
    pub(super) fn run_work(
        &mut self,
        session: &mut LocalSession,
        place: Place<'_>,
        line: &[u8],
        spec: &'static Spec,
        script: &Script<'_>,
    ) -> Step {
        let allowed = match script {
            Script::Compare { .. } => Ok(()),
            _ => session.world.backend.check_work(),
        };
        let reply = allowed.and_then(|()| self.carry_out(session, script));
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => return self.fail(place, line, &error.of(spec.name)),
        };
        let was_interrupted = self.wakeup.is_interrupted();
        let is_nested = self.manners.out.interactive && self.depth > 0 && place.file.is_none();
        if was_interrupted && is_nested && self.manners.format != Format::Json {
            // Behind the ^C that the terminal has shown.
            self.out.buffer().push(b'\n');
        }
        match self.succeed(place, spec, &reply) {
            Step::Next if was_interrupted => Step::Interrupted,
            step => step,
        }
    }

    fn carry_out(
        &mut self,
        session: &mut LocalSession,
        script: &Script<'_>,
    ) -> Result<Reply<'static>, Error> {
        match script {
            Script::Replay(words) => self.replay(session, words),
            Script::Load(words) => self.load(session, words),
            Script::Compare { words } => self.compare(words),
            _ => Ok(Reply::Done),
        }
    }

    fn replay(
        &mut self,
        session: &mut LocalSession,
        words: &Replay<'_>,
    ) -> Result<Reply<'static>, Error> {
        let name = Shown(&words.path).to_string();
        let (source, mut feed) = self.feed_of(session, &name, words)?;
        let is_real = session.world.clock.kind() == ClockKind::Real;
        let plan = Plan {
            name,
            count: words.count.unwrap_or(u64::MAX),
            time: None,
            pace: match words.rate {
                Some(rate) => Pace::Rate(rate),
                None if is_real => Pace::Free,
                None => Pace::Recorded,
            },
            clients: session.world.backend.max_clients(),
            size: words.size,
            ttl: words.ttl,
            faults: Vec::new(),
        };
        let reply = self.work(session, &plan, &mut feed);
        if !feed.has_ended() {
            self.feeds.keep(source, feed);
        }
        Ok(reply)
    }

    /// The requests of a trace from where the last replay stopped, or else from the start.
    fn feed_of(
        &mut self,
        session: &mut LocalSession,
        name: &str,
        words: &Replay<'_>,
    ) -> Result<(Source, Feed), Error> {
        let path = self.resolve(&words.path)?;
        let canonical = path.canonicalize().unwrap_or_else(|_| path.clone());
        let source = Source::File(canonical, words.format.clone());
        let mut kept = self.feeds.take(&source);
        let goes_on = |feed: &mut Feed| words.skip.is_none() && !feed.is_over();
        if let Some(feed) = kept.take_if(goes_on) {
            return Ok((source, feed));
        }
        let opened = self.open(session, &path, name, words);
        match (opened, kept) {
            (Err(error), Some(feed)) => {
                // What is refused changes nothing.
                self.feeds.keep(source, feed);
                Err(error)
            }
            (opened, _) => Ok((source, opened?)),
        }
    }

    /// Opens a trace, and skips requests.
    fn open(
        &mut self,
        session: &mut LocalSession,
        path: &Path,
        name: &str,
        words: &Replay<'_>,
    ) -> Result<Feed, Error> {
        let opened = lab::open_trace(path, words.format.as_ref(), None, &self.wakeup);
        let mut feed = Feed::new(opened.map_err(|error| cannot_read(&error))?.trace, false);
        let skip = words.skip.unwrap_or(0);
        let mut printer = self.printer(session);
        let mut go_on = |at| printer.progress(&|| format!("{name}: {at} requests skipped"));
        feed.skip(skip, &mut go_on);
        let is_over = feed.is_over();
        self.out.clear_status();
        if self.wakeup.is_interrupted() {
            return Err(interrupted());
        }
        if let Some(error) = feed.error().filter(|_| is_over) {
            return Err(cannot_read(error));
        }
        let message = match feed.position() {
            0 if is_over => format!("{name} has no request"),
            position if position < skip => format!("{name} has only {position} requests"),
            _ => return Ok(feed),
        };
        Err(Error::new(ErrorKind::Refused, message))
    }

    fn load(&mut self, session: &mut LocalSession, load: &Load) -> Result<Reply<'static>, Error> {
        let faults = load.faults.iter().map(|(after, line)| {
            let fault = fault(session, line)?;
            Ok((*after, fault))
        });
        let faults = faults.collect::<Result<_, Error>>()?;
        let workload = Workload {
            seed: self.manners.seed,
            ..load.workload.clone()
        };
        let source = Source::Workload(workload.clone());
        let mut feed = match self.feeds.take(&source) {
            Some(feed) => feed,
            None => generator(&workload)?,
        };
        let is_real = session.world.clock.kind() == ClockKind::Real;
        let plan = Plan {
            name: workload.kind.to_string(),
            count: load.requests.unwrap_or(u64::MAX),
            time: load.time,
            pace: match load.rate {
                Some(rate) => Pace::Rate(rate),
                None if is_real => Pace::Free,
                None => Pace::Rate(DEFAULT_RATE),
            },
            clients: load.clients,
            size: None,
            ttl: None,
            faults,
        };
        let reply = self.work(session, &plan, &mut feed);
        self.feeds.keep(source, feed);
        Ok(reply)
    }

    fn work(&mut self, session: &mut LocalSession, plan: &Plan, feed: &mut Feed) -> Reply<'static> {
        self.out.flush();
        let mut printer = self.printer(session);
        let LocalSession { world, session } = session;
        let worked = session.work(world, plan, feed, &mut printer);
        self.out.clear_status();
        self.print_pending();
        Reply::Worked(Box::new(worked))
    }

    /// Compares caches, one trace after the other. A trace that cannot be read does not keep the others
    /// from it.
    fn compare(&mut self, words: &[Bytes<'_>]) -> Result<Reply<'static>, Error> {
        let words = self.resolve_files(words)?;
        let Manners { format, quiet, .. } = self.manners;
        let options = words::compare(&words, form(format), quiet);
        let options = options.map_err(|error| Error::new(ErrorKind::Usage, error))?;
        self.out.flush();
        let (mut reports, mut error) = (Vec::new(), None);
        for path in &options.traces {
            match lab::compare_one(path, &options, &self.wakeup) {
                Ok(report) => reports.push(report),
                Err(_) if self.wakeup.is_interrupted() => break,
                Err(failure) => drop(error.get_or_insert(cannot_read(&failure))),
            }
        }
        match error {
            Some(error) if reports.is_empty() => Err(error),
            _ if reports.is_empty() => Err(interrupted()),
            error => Ok(Reply::Compared { reports, error }),
        }
    }
    /// The words with the paths of the files.
    fn resolve_files(&self, words: &[Bytes<'_>]) -> Result<Vec<Vec<u8>>, Error> {
        let mut words: Vec<Vec<u8>> = words.iter().map(|word| word.to_vec()).collect();
        let files = words::files(&words);
        for word in words.iter_mut().take(files) {
            let path = self.resolve(word)?;
            if let Some(option) = words::near(word).filter(|_| !path.exists()) {
                let shown = Shown(word);
                let message = format!("there is no option {shown}; did you mean {option}?");
                return Err(Error::new(ErrorKind::Usage, message));
            }
            *word = path.into_os_string().into_encoded_bytes();
        }
        Ok(words)
    }
}

/// The fault that a line brings about.
fn fault(session: &LocalSession, line: &[u8]) -> Result<Command<'static>, Error> {
    // Its position is one in this line, not in that of LOAD.
    let without_place = |error: Error| Error { at: None, ..error };
    if let Some(input) = parse(line).map_err(without_place)?
        && input.spec.group == Group::Faults
        && !matches!(input.spec.verb, Verb::Faults | Verb::Links | Verb::Step)
        && let Action::Command(command) = input.action
    {
        super::check_available(session, input.spec)?;
        return Ok(command.into_owned());
    }
    let shown = Shown(line);
    let message = format!("{shown} is no fault: AT takes one, such as AT 2s \"CRASH 0\"");
    Err(Error::new(ErrorKind::Invalid, message))
}

fn generator(workload: &Workload) -> Result<Feed, Error> {
    let trace = workload.trace();
    let trace = trace.map_err(|error| Error::new(ErrorKind::Invalid, error.to_string()))?;
    Ok(Feed::new(Box::new(trace), workload.kind == Kind::YcsbF))
}

fn form(format: Format) -> Form {
    match format {
        Format::Plain => Form::Plain,
        Format::Table => Form::Table,
        Format::Json => Form::Json,
    }
}

/// The error of a trace, with the names that options have at the prompt.
fn cannot_read(error: &TraceError) -> Error {
    let message = error.to_string().replace("--trace-format", "FORMAT");
    let plain = message.split(" (os error").next().unwrap_or_default();
    Error::new(ErrorKind::Io, format!("cannot read {plain}"))
}
