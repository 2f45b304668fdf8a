//! Sessions: clients of one world.
//!
//! A [`World`] is a backend and a clock, and all sessions share it. A [`Session`] is one client: it
//! has a number, a cursor in the event log, and requests in flight. The clock is read once a
//! command, so everything in a command happens at one instant; only a command whose outcome takes
//! time has two.
//!
//! | file | what it has |
//! | --- | --- |
//! | `backend` | [`DistributedCache`]: the backend interface of a session |
//! | `shared` | a world that the prompt and a server use in turn |
//! | `simulated` | the simulated cluster as a backend, with the fault injector |
//! | `requests` | commands on keys: submit, wait, reply |
//! | `filling`, `moving` | the keys of FILL; changes of members and placement, and plans of them |
//! | `work` | the requests of REPLAY and LOAD |
//! | `judging` | what CHECK says of a history |
//! | `faults`, `checks`, `errors` | the other commands of the simulated cluster |

mod backend;
mod changes;
mod checks;
mod errors;
mod faults;
mod filling;
mod judging;
mod moving;
mod requests;
mod shared;
mod simulated;
mod work;

pub use backend::{Answer, DistributedCache, Origin, Overview, Progress, Sent, TraceStart};
pub(crate) use changes::{ChangeKind, KeyChange};
pub use filling::Filling;
pub use judging::{broken, judge};
pub use requests::{Waiting, is_on_keys};
pub use shared::{SharedWorld, WorldHandle};
pub use simulated::SimulatedCluster;
pub use work::{FIRST_CLIENT, Feed, MAX_CLIENTS as MAX_WORK_CLIENTS, Pace, Plan};

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::cluster::{Cluster, MoveCost};
use crate::event::{Cursor, Event};
use crate::language::{Change, Command, Error, ErrorKind};
use crate::reply::{Moved, Reply};
use crate::time::{Clock, Instant, Waited};

/// How many events happen at once before they are passed on.
const SLICE: usize = 1024;
/// The most clients whose commands wait at a time.
const MAX_CLIENTS: usize = 1024;

/// What all sessions share: a cache and a clock.
pub struct World {
    /// The cache.
    pub backend: Box<dyn DistributedCache>,
    /// The clock.
    pub clock: Box<dyn Clock>,
}

impl World {
    /// A simulated cluster, with time from this clock.
    #[must_use]
    pub fn new(cluster: Cluster, clock: Box<dyn Clock>) -> Self {
        let backend = Box::new(SimulatedCluster::new(cluster, clock.now()));
        Self { backend, clock }
    }

    /// The present.
    #[inline]
    #[must_use]
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// When something is due next: at or before the earliest deadline.
    #[inline]
    pub fn next_deadline(&mut self) -> Option<Instant> {
        self.backend.next_deadline()
    }
}

/// Where a command that a client sent was written, for its reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tag {
    /// The name of the command.
    pub command: &'static str,
    /// The name of its file; `None` at the prompt.
    pub file: Option<Arc<str>>,
    /// The number of its line.
    pub line: u64,
}

/// A message to a session that is no reply to its own command.
pub enum Notice<'a> {
    /// An event.
    Event(&'a Event),
    /// This many events were dropped before the session could read them.
    Missed(u64),
    /// The reply to a command of another client.
    Reply {
        /// The client.
        client: u32,
        /// The tag that [`Session::send`] was given.
        tag: Tag,
        /// Its reply.
        reply: Result<Reply<'static>, Error>,
    },
}

/// What a session does while a command takes time.
pub trait Observer {
    /// Something happened.
    fn notice(&mut self, notice: Notice<'_>);

    /// The session is about to wait.
    fn before_wait(&mut self) {}

    /// A long command goes on; `status` says how far it has come. Returns whether to go on.
    fn progress(&mut self, status: &dyn Fn() -> String) -> bool {
        let _ = status;
        true
    }
}

/// One client of a world.
#[derive(Default)]
pub struct Session {
    /// Its number.
    client: u32,
    /// Up to where it has read the event log.
    seen: Cursor,
    /// The commands of other clients that it has sent, by client.
    sent: BTreeMap<u32, (Tag, Waiting<'static>)>,
    /// How many values its workloads have written.
    values: u64,
}

impl Session {
    /// Whether there are events that the session has not seen.
    #[must_use]
    pub fn is_behind(&self, world: &World) -> bool {
        self.seen != world.backend.events().end()
    }

    /// Passes on the events that the session has not seen, and the replies that have come.
    #[inline]
    pub fn hand_on(&mut self, world: &mut World, observer: &mut dyn Observer) {
        let log = world.backend.events();
        if self.seen != log.end() {
            let since = log.since(self.seen);
            if since.missed > 0 {
                observer.notice(Notice::Missed(since.missed));
            }
            for event in since.events {
                observer.notice(Notice::Event(event));
            }
            self.seen = log.end();
        }
        if !self.sent.is_empty() {
            self.receive(world, observer);
        }
    }

    /// Carries out expiries, messages and timeouts up to `now`, and passes on the events.
    #[inline]
    pub fn tick(&mut self, world: &mut World, now: Instant, observer: &mut dyn Observer) {
        while world.backend.tick_some(now, SLICE) {
            self.hand_on(world, observer);
        }
        self.hand_on(world, observer);
    }

    /// Carries out a command at `now`, for which [`Session::tick`] was called. Lets time pass until
    /// it has its reply, and passes on what happens meanwhile.
    ///
    /// # Errors
    /// What the backend refuses; nothing has changed then. After an error of kind
    /// [`ErrorKind::Unknown`] the command may have been carried out.
    pub fn execute<'a>(
        &mut self,
        world: &mut WorldHandle,
        now: Instant,
        command: Command<'a>,
        observer: &mut dyn Observer,
    ) -> Result<Reply<'a>, Error> {
        let origin = Origin {
            client: self.client,
            via: None,
        };
        self.execute_from(world, now, origin, command, observer)
    }

    /// The same for a client and a coordinator that are named.
    ///
    /// # Errors
    /// As for [`Session::execute`].
    pub fn execute_from<'a>(
        &mut self,
        world: &mut WorldHandle,
        now: Instant,
        origin: Origin,
        command: Command<'a>,
        observer: &mut dyn Observer,
    ) -> Result<Reply<'a>, Error> {
        let reply = match command {
            Command::Step { count } => self.step(world, count, observer).map(Reply::Delivered),
            command => self.wait_for(world, now, origin, command, observer),
        };
        self.hand_on(world, observer);
        reply
    }

    #[inline]
    fn wait_for<'a>(
        &mut self,
        world: &mut WorldHandle,
        now: Instant,
        origin: Origin,
        command: Command<'a>,
        observer: &mut dyn Observer,
    ) -> Result<Reply<'a>, Error> {
        let World { backend, clock } = &mut **world;
        let mut progress = backend.begin(now, &mut **clock, origin, command)?;
        loop {
            let waiting = match progress {
                Progress::Done(reply) => return Ok(reply),
                Progress::Waiting(waiting) => waiting,
            };
            if let Err(mut error) = self.pass_time(world, None, observer) {
                if waiting.changes_keys() {
                    error.message.push_str(": it may or may not have been done");
                }
                let now = world.now();
                world.backend.abandon(now, *waiting);
                return Err(error);
            }
            let now = world.now();
            progress = world.backend.resume(now, waiting)?;
        }
    }

    /// Lets time pass until the next thing that is due is done, but not beyond `until`.
    fn pass_time(
        &mut self,
        world: &mut WorldHandle,
        until: Option<Instant>,
        observer: &mut dyn Observer,
    ) -> Result<(), Error> {
        let next = world.next_deadline();
        let until = until.or_else(|| world.backend.awaits_answers().then_some(Instant::MAX));
        let next = match (next, until) {
            (Some(next), Some(until)) => next.min(until),
            (next, until) => next.or(until).ok_or_else(interrupted)?,
        };
        if next > world.now() {
            observer.before_wait();
        }
        // An answer may have ended the wait, or an interrupt that keeps it away.
        let next = if world.wait_for_answer(next) {
            world.now()
        } else {
            next
        };
        if world.wait_until(next) == Waited::Interrupted {
            return Err(interrupted());
        }
        let now = world.now();
        self.tick(world, now, observer);
        Ok(())
    }

    /// Lets so much time pass, and passes on what happens when it happens.
    ///
    /// # Errors
    /// If the time is out of bounds, or at an interrupt.
    pub fn sleep(
        &mut self,
        world: &mut WorldHandle,
        time: Duration,
        observer: &mut dyn Observer,
    ) -> Result<(), Error> {
        let until = world.now().after(time)?;
        while world.now() < until {
            self.pass_time(world, Some(until), observer)?;
        }
        Ok(())
    }

    /// Changes the members or the placement, and moves keys until all are where they belong, or have
    /// to wait. Where moves take their time, it does not wait for them: the reply says how long they go
    /// on.
    ///
    /// # Errors
    /// What the backend refuses; nothing has changed then. At an interrupt the rest of the keys stay
    /// where they are.
    pub fn change(
        &mut self,
        world: &mut WorldHandle,
        change: Change,
        observer: &mut dyn Observer,
    ) -> Result<Reply<'static>, Error> {
        let start = world.now();
        let node = world.backend.change(start, change)?;
        loop {
            let now = world.now();
            self.tick(world, now, observer);
            if let Some(left) = world.backend.moves_for(now) {
                let cost = MoveCost::default();
                return Ok(moved(world, change, node, cost, start, Some(left)));
            }
            let cost = world.backend.move_some(now);
            self.hand_on(world, observer);
            if let Some(cost) = cost? {
                return Ok(moved(world, change, node, cost, start, None));
            }
            let (part, moved) = world.backend.move_progress();
            let percent = (part * 100.0).floor();
            if !observer.progress(&|| format!("moving keys: {percent} %, {moved} moved")) {
                let message = "interrupted; REBALANCE moves the keys that are left";
                return Err(Error::new(ErrorKind::Interrupted, message));
            }
        }
    }

    /// Delivers messages one by one, each at its instant.
    fn step(
        &mut self,
        world: &mut WorldHandle,
        count: u64,
        observer: &mut dyn Observer,
    ) -> Result<Vec<crate::reply::TracedMessage>, Error> {
        let mut delivered = Vec::new();
        while (delivered.len() as u64) < count {
            let Some(at) = world.backend.next_message() else {
                break;
            };
            let next = world.next_deadline().map_or(at, |next| next.min(at));
            if world.wait_until(next) == Waited::Interrupted {
                return Err(interrupted());
            }
            if next < at {
                let now = world.now();
                self.tick(world, now, observer);
            } else {
                delivered.extend(world.backend.deliver_message(at));
            }
        }
        Ok(delivered)
    }

    /// Sends a command as another client, and does not wait: its reply is a [`Notice::Reply`] with
    /// this `tag`. If that client has a command in flight, that one is waited for first.
    ///
    /// # Errors
    /// What the backend refuses, and at an interrupt.
    pub fn send(
        &mut self,
        world: &mut WorldHandle,
        origin: Origin,
        tag: Tag,
        command: Command<'_>,
        observer: &mut dyn Observer,
    ) -> Result<(), Error> {
        while self.sent.contains_key(&origin.client) {
            self.pass_time(world, None, observer)?;
        }
        if self.sent.len() >= MAX_CLIENTS {
            let message = format!("too many clients wait: at most {MAX_CLIENTS}");
            return Err(Error::new(ErrorKind::Refused, message));
        }
        let (client, now) = (origin.client, world.now());
        let World { backend, clock } = &mut **world;
        let reply = match backend.begin(now, &mut **clock, origin, command.into_owned()) {
            Ok(Progress::Waiting(waiting)) => {
                self.sent.insert(client, (tag, *waiting));
                return Ok(());
            }
            Ok(Progress::Done(reply)) => Ok(reply),
            Err(error) => Err(error),
        };
        observer.notice(Notice::Reply { client, tag, reply });
        Ok(())
    }

    /// Passes on the replies to commands of other clients, in the order of the clients.
    fn receive(&mut self, world: &mut World, observer: &mut dyn Observer) {
        let now = world.now();
        let clients: Vec<u32> = self.sent.keys().copied().collect();
        for client in clients {
            let Some((tag, waiting)) = self.sent.remove(&client) else {
                continue;
            };
            let reply = match world.backend.resume(now, Box::new(waiting)) {
                Ok(Progress::Waiting(waiting)) => {
                    self.sent.insert(client, (tag, *waiting));
                    continue;
                }
                Ok(Progress::Done(reply)) => Ok(reply),
                Err(error) => Err(error),
            };
            observer.notice(Notice::Reply { client, tag, reply });
        }
    }
}

fn moved(
    world: &World,
    change: Change,
    node: Option<crate::id::NodeId>,
    cost: MoveCost,
    start: Instant,
    left: Option<Duration>,
) -> Reply<'static> {
    Reply::Moved(Moved {
        change,
        is_planned: false,
        node,
        replicas: world.backend.overview().replicas,
        cost,
        time: world.now().saturating_duration_since(start),
        left,
    })
}

fn interrupted() -> Error {
    Error::new(ErrorKind::Interrupted, "interrupted")
}

/// A world with its only session, as at a prompt.
pub struct LocalSession {
    /// The world.
    pub world: WorldHandle,
    /// The session.
    pub session: Session,
}

impl LocalSession {
    /// A session on this cluster, with time from this clock.
    #[must_use]
    pub fn new(cluster: Cluster, clock: Box<dyn Clock>) -> Self {
        World::new(cluster, clock).into()
    }
}

impl From<World> for LocalSession {
    fn from(world: World) -> Self {
        Self {
            world: world.into(),
            session: Session::default(),
        }
    }
}
