//! Runs a script as `shardlab run` does, without output, to see what its CHECK shows.

use crate::cluster::{Cluster, Disorder};
use crate::config::Config;
use crate::history::Call;
use crate::language::{Action, Command, HistoryRequest, Script, parse};
use crate::reply::{Judgement, Reply, State};
use crate::session::{LocalSession, Notice, Observer, Origin, Session, Tag, WorldHandle};
use crate::simulation::Failure;
use crate::time::VirtualClock;

/// Prints nothing.
struct Silent;

impl Observer for Silent {
    fn notice(&mut self, _: Notice<'_>) {}
}

/// What a script has shown.
#[derive(Default)]
pub struct Rehearsal {
    /// The result of its last CHECK.
    check: Option<Box<Judgement>>,
    /// The operations with their outcomes.
    pub calls: Vec<Call>,
}

/// Runs a script on a new cluster.
#[must_use]
pub fn rehearse(config: Config, script: &str) -> Rehearsal {
    let Ok(cluster) = Cluster::new(config) else {
        return Rehearsal::default();
    };
    let mut local = LocalSession::new(cluster, Box::new(VirtualClock::default()));
    let check = run(&mut local, script);
    let LocalSession { world, session } = &mut local;
    let (now, show) = (world.now(), HistoryRequest::Show(usize::MAX));
    let command = Command::History { request: show };
    let calls = match session.execute(world, now, command, &mut Silent) {
        Ok(Reply::History { operations, .. }) => operations,
        _ => Vec::new(),
    };
    Rehearsal { check, calls }
}

/// The result of the last CHECK of a script; `None` if there is none, or a line is no step of a run.
fn run(session: &mut LocalSession, script: &str) -> Option<Box<Judgement>> {
    let LocalSession { world, session } = session;
    let mut check = None;
    for line in script.lines() {
        let now = world.now();
        session.tick(world, now, &mut Silent);
        if let Reply::Check(found) = run_line(world, session, line)? {
            check = Some(found);
        }
    }
    check
}

/// Runs a line. Returns its reply if it is a CHECK, and `None` if it is no step of a run.
fn run_line(world: &mut WorldHandle, session: &mut Session, line: &str) -> Option<Reply<'static>> {
    let now = world.now();
    match parse(line.as_bytes()).ok()?.map(|input| input.action) {
        None => {}
        Some(Action::Command(command)) => {
            if let Ok(Reply::Check(check)) = session.execute(world, now, command, &mut Silent) {
                return Some(Reply::Check(check));
            }
        }
        Some(Action::Script(Script::Sleep { time })) => {
            session.sleep(world, time, &mut Silent).ok()?;
        }
        Some(Action::Script(Script::Move(change))) => {
            // A change that is refused changes nothing.
            let _ = session.change(world, change, &mut Silent);
        }
        Some(Action::Script(Script::Trace { command })) => {
            let trace = world.backend.start_trace(now);
            let line = String::from_utf8_lossy(&command).into_owned();
            run_line(world, session, &line)?;
            let _ = world.backend.end_trace(trace);
        }
        Some(Action::Request(request)) => {
            let origin = Origin::of(&request);
            let command = request.command;
            // An error is an outcome, which the history has.
            if request.client.is_some() {
                let _ = session.send(world, origin, Tag::default(), command, &mut Silent);
            } else {
                let _ = session.execute_from(world, now, origin, command, &mut Silent);
            }
        }
        Some(Action::Script(_)) => return None,
    }
    Some(Reply::Done)
}

impl Rehearsal {
    /// Whether the last CHECK fails as the run does.
    #[must_use]
    pub fn fails(&self, failure: &Failure) -> bool {
        let Some(check) = self.check.as_ref().filter(|it| it.broken.is_some()) else {
            return false;
        };
        let mut found = check.verdict.keys.iter().flat_map(|key| &key.violation);
        match failure {
            Failure::Broken { violation, .. } => found.any(|it| it.fault == violation.fault),
            Failure::Lost { read, .. } => check.verdict.keys.iter().any(|it| it.key == read.key),
            _ => false,
        }
    }

    /// Whether the last CHECK shows the state of the nodes by which the run fails.
    #[must_use]
    pub fn shows_state(&self, failure: &Failure) -> bool {
        let (Failure::Disorder(all) | Failure::Restless(all)) = failure else {
            return false;
        };
        let kind = all.first().map(Disorder::kind);
        let state = self.check.iter().flat_map(|check| match &check.state {
            State::Copies(found) => found.as_slice(),
            State::Servers(_) => &[],
        });
        state.map(Disorder::kind).any(|it| Some(it) == kind)
    }

    /// Whether the read by which the run fails has the same answer.
    #[must_use]
    pub fn shows_read(&self, failure: &Failure) -> bool {
        let Failure::Lost { read, .. } = failure else {
            return false;
        };
        let same = |it: &&Call| it.key == read.key && it.invoked == read.invoked;
        let mut reads = self.calls.iter().filter(same);
        reads.any(|it| it.client == read.client && it.outcome == read.outcome)
    }
}
