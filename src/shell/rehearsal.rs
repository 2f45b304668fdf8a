//! Runs a script as `shardlab run` does, but for nobody to see: whether its CHECK shows what it
//! should.

use std::time::Duration;

use crate::checker::Promise;
use crate::cluster::{Cluster, Disorder};
use crate::config::Config;
use crate::language::{Action, Change, Script, parse};
use crate::reply::{Judgement, Reply};
use crate::session::Session;
use crate::simulation::Failure;
use crate::time::{TimeError, VirtualClock};

/// What the last CHECK of a script finds; `None` if it does not come to that.
#[must_use]
pub fn rehearse(config: Config, script: &str) -> Option<Box<Judgement>> {
    let cluster = Cluster::new(config).ok()?;
    let mut session = Session::new(cluster, Box::new(VirtualClock::default()));
    let mut found = None;
    for line in script.lines() {
        let now = session.now();
        session.tick(now, |_| ());
        match parse(line.as_bytes()).ok()?.map(|input| input.action) {
            None => {}
            Some(Action::Command(command)) => {
                if let Ok(Reply::Check(check)) = session.execute(now, command, &mut |_| ()) {
                    found = Some(check);
                }
            }
            Some(Action::Script(Script::Sleep { time })) => sleep(&mut session, time).ok()?,
            Some(Action::Script(Script::Move(change))) => move_keys(&mut session, change),
            Some(Action::Script(_)) => return None,
        }
    }
    found
}

fn sleep(session: &mut Session, time: Duration) -> Result<(), TimeError> {
    let until = session.now().after(time)?;
    while session.now() < until {
        let next = session.next_deadline().unwrap_or(until);
        session.clock().wait_until(next.min(until));
        let now = session.now();
        session.tick(now, |_| ());
    }
    Ok(())
}

/// Moves keys as far as they can move; a change that is refused changes nothing.
fn move_keys(session: &mut Session, change: Change) {
    let now = session.now();
    if session.change(now, change).is_err() {
        return;
    }
    while session.move_some(now).is_none() {
        session.tick(now, |_| ());
    }
}

/// Whether CHECK has found what made a run fail that was `promised` so much. No client was told of
/// copies that are too few or that differ: there, whatever comes of it will do.
#[must_use]
pub fn shows(check: &Judgement, failure: &Failure, promised: Promise) -> bool {
    let violations = || check.verdict.keys.iter().flat_map(|key| &key.violation);
    let is_broken = || check.broken.is_some() && violations().any(|it| it.promise <= promised);
    match failure {
        Failure::Broken { violation, .. } => violations().any(|it| it.promise == violation.promise),
        Failure::Disorder(all) | Failure::Restless(all) => {
            let kind = all.first().map(Disorder::kind);
            is_broken() || check.state.iter().any(|it| Some(it.kind()) == kind)
        }
        Failure::Thin(_) | Failure::LostHint(_) => is_broken(),
        Failure::TooLittle => false,
    }
}
