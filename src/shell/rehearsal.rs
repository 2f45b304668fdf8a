//! Runs a script as `shardlab run` does, but for nobody to see: whether its CHECK shows what it
//! should.

use crate::checker::Promise;
use crate::cluster::{Cluster, Disorder};
use crate::config::Config;
use crate::language::{Action, Script, parse};
use crate::reply::{Judgement, Reply};
use crate::session::{LocalSession, Notice, Observer, Origin};
use crate::simulation::Failure;
use crate::time::VirtualClock;

/// Prints nothing.
struct Silent;

impl Observer for Silent {
    fn notice(&mut self, _: Notice<'_>) {}
}

/// What the last CHECK of a script finds; `None` if there is none.
#[must_use]
pub fn rehearse(config: Config, script: &str) -> Option<Box<Judgement>> {
    let cluster = Cluster::new(config).ok()?;
    let LocalSession {
        mut world,
        mut session,
    } = LocalSession::new(cluster, Box::new(VirtualClock::default()));
    let world = &mut world;
    let mut found = None;
    for line in script.lines() {
        let now = world.now();
        session.tick(world, now, &mut Silent);
        match parse(line.as_bytes()).ok()?.map(|input| input.action) {
            None => {}
            Some(Action::Command(command)) => {
                if let Ok(Reply::Check(check)) = session.execute(world, now, command, &mut Silent) {
                    found = Some(check);
                }
            }
            Some(Action::Script(Script::Sleep { time })) => {
                session.sleep(world, time, &mut Silent).ok()?;
            }
            Some(Action::Script(Script::Move(change))) => {
                // A change that is refused changes nothing.
                let _ = session.change(world, change, &mut Silent);
            }
            Some(Action::Request(request)) => {
                let origin = Origin::of(&request);
                let sent = if request.client.is_some() {
                    session.send(world, origin, 0, request.command, &mut Silent)
                } else {
                    let command = request.command;
                    let reply = session.execute_from(world, now, origin, command, &mut Silent);
                    reply.map(|_| ())
                };
                // What a client is told may be an error, and goes into the history.
                let _ = sent;
            }
            Some(Action::Script(_)) => return None,
        }
    }
    found
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
    }
}
