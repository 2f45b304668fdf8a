//! Real servers as the backend of sessions.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::client::{Client, Settings};
use super::clocks::Clocks;
use super::deadlines::Deadlines;
use super::faults::node_of;
use super::launch::{LaunchOptions, Launched};
use super::moves::Moving;
use super::namespace::Namespace;
use super::notices::Notices;
use super::operations::{Dialect, Times};
use super::record::Record;
use super::workers::Workers;
use crate::cluster::{MoveCost, Request, Status, TooManyRequests};
use crate::event::EventLog;
use crate::id::NodeId;
use crate::language::catalog::{self, Verb};
use crate::language::{Behind, Change, Command, Error, ErrorKind};
use crate::nemesis::{FaultInjector, Nemesis};
use crate::network::Fault;
use crate::reply::{Reply, TracedMessage};
use crate::session::{
    Answer, DistributedCache, Origin, Overview, Progress, Sent, TraceStart, Waiting, is_on_keys,
};
use crate::time::{Clock, Instant};

/// How many events are kept.
const EVENTS: usize = 10_000;
/// How many clients send the requests of a trace. Each has a connection to each server.
const CLIENTS: u32 = 32;
/// How many keys DEL may remove of servers that were not launched here.
const MAX_REMOVED: usize = 100;
/// How often notices are looked for.
const LOOK: Duration = Duration::from_millis(50);

/// What a session may do to servers that it did not launch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// Whether it may write keys.
    pub writes: bool,
    /// Whether it may remove all keys.
    pub clears: bool,
}

/// Real servers, as a session uses them.
pub struct Engine {
    pub(super) client: Client,
    pub(super) times: Times,
    pub(super) dialect: Dialect,
    pub(super) namespace: Namespace,
    pub(super) record: Record,
    pub(super) deadlines: Deadlines,
    pub(super) log: EventLog,
    pub(super) workers: Workers,
    pub(super) notices: Option<Notices>,
    /// The keys whose expiry was told last: their notices come later.
    pub(super) told: VecDeque<Box<[u8]>>,
    permissions: Permissions,
    /// What the servers are.
    source: String,
    /// The servers, if they were launched here, and their states.
    pub(super) launched: Option<Launched>,
    pub(super) states: BTreeMap<NodeId, Status>,
    /// The faults of the links between them.
    pub(super) faults: Vec<Fault>,
    /// By how many nanoseconds clocks that were set are ahead.
    pub(super) skews: BTreeMap<NodeId, i64>,
    pub(super) moving: Option<Moving>,
    /// What breaks the servers at random times.
    pub(super) injector: Option<(Nemesis, FaultInjector)>,
    clocks: Clocks,
}

impl Engine {
    /// Connects to servers. `now` is the present on the clock of the session.
    ///
    /// # Errors
    /// Why no server answers.
    pub fn connect(
        settings: Settings,
        permissions: Permissions,
        namespace: Namespace,
        now: Instant,
    ) -> Result<Self, String> {
        Self::start(settings, permissions, namespace, Times::new(now), None)
    }

    /// Launches servers, and connects to them.
    ///
    /// # Errors
    /// Why they cannot be launched.
    pub fn launch(
        settings: Settings,
        options: LaunchOptions,
        now: Instant,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Self, String> {
        // A launch takes seconds.
        let times = Times::new(now);
        let mut launched = Launched::start(options, &settings.stop, progress)?;
        let servers = launched.servers();
        let settings = Settings {
            seeds: servers.iter().map(|it| it.address).collect(),
            real: servers
                .iter()
                .map(|it| (it.announced, it.address))
                .collect(),
            ..settings
        };
        let all = Permissions {
            writes: true,
            clears: true,
        };
        let namespace = Namespace::default();
        Self::start(settings, all, namespace, times, Some(launched))
    }

    fn start(
        settings: Settings,
        permissions: Permissions,
        namespace: Namespace,
        times: Times,
        launched: Option<Launched>,
    ) -> Result<Self, String> {
        let mut launched = launched;
        let numbers = launched.iter_mut().flat_map(Launched::servers);
        let numbers = numbers.map(|it| (it.id, node_of(it.number))).collect();
        let mut client = Client::connect(Arc::new(settings), numbers)?;
        let dialect = super::probe::dialect(&mut client);
        let source = namespace.shown(super::probe::source(&mut client));
        // Servers that were launched here have the clock of this machine.
        let is_fresh = launched.is_some();
        let clocks = if is_fresh {
            Clocks::default()
        } else {
            Clocks::measure(&mut client)
        };
        let times = times.ahead(clocks.ahead);
        let record = Record::new(is_fresh, clocks.error);
        let mut engine = Self {
            notices: Notices::subscribe(&mut client),
            told: VecDeque::new(),
            workers: Workers::new(times, dialect, namespace.clone(), record.clone()),
            namespace,
            client,
            times,
            dialect,
            record,
            deadlines: Deadlines::default(),
            log: EventLog::new(EVENTS),
            permissions,
            source,
            launched,
            states: BTreeMap::new(),
            faults: Vec::new(),
            skews: BTreeMap::new(),
            moving: None,
            injector: None,
            clocks,
        };
        engine.look_at_servers();
        Ok(engine)
    }

    /// By how much the clocks of the servers may be off: deadlines are so inexact.
    #[must_use]
    pub fn clock_error(&self) -> Duration {
        self.clocks.error
    }

    /// How many servers must have a write before it is acknowledged.
    pub fn set_write_quorum(&mut self, write_quorum: usize) {
        self.client.write_quorum = write_quorum.max(1);
    }

    /// Whether to stop waiting.
    pub(super) fn is_stopped(&self) -> bool {
        (self.client.settings().stop)()
    }

    fn check_permission(&self, command: &Command<'_>) -> Result<(), Error> {
        let removed = match command {
            Command::Clear => "CLEAR would remove every key".to_owned(),
            Command::Del { keys } if keys.len() > MAX_REMOVED => {
                format!("DEL would remove {} keys", keys.len())
            }
            _ => String::new(),
        };
        let writes = is_on_keys(command)
            && !matches!(
                command,
                Command::Get { .. }
                    | Command::MGet { .. }
                    | Command::Ttl { .. }
                    | Command::Exists { .. }
            );
        if !removed.is_empty() && !self.permissions.clears && self.namespace.is_whole() {
            let message =
                format!("{removed} of servers that were not launched here: --allow-clear lets it");
            return Err(Error::new(ErrorKind::Refused, message));
        }
        if writes || !removed.is_empty() {
            self.check_write()
        } else {
            Ok(())
        }
    }

    pub(super) fn check_write(&self) -> Result<(), Error> {
        if self.permissions.writes {
            return Ok(());
        }
        let message = "the servers are only read: --write lets commands change keys";
        Err(Error::new(ErrorKind::Refused, message))
    }

    fn execute<'a>(
        &mut self,
        now: Instant,
        clock: &dyn Clock,
        command: Command<'a>,
    ) -> Result<Reply<'a>, Error> {
        Ok(match command {
            Command::Keys { pattern, node } => self.keys(pattern.as_deref(), node)?,
            Command::Size => self.size()?,
            Command::Time => Reply::Time {
                elapsed: now.saturating_duration_since(Instant::START),
                clock: clock.kind(),
            },
            Command::Clock { kind } => match kind.filter(|&kind| kind != clock.kind()) {
                None if kind.is_some() => Reply::Done,
                None => Reply::Clock(clock.kind()),
                Some(_) => return Err(unsupported(Verb::Clock, "servers have the real time")),
            },
            Command::Nodes => self.nodes(),
            Command::Where { key } => self.whereabouts(key),
            Command::Ring => self.ring(),
            Command::Placement => Reply::Placement("slots"),
            Command::Stats { node } => self.stats(node)?,
            Command::Events { count, node } => self.list_events(count, node),
            Command::Hot { count } => self.hot(count)?,
            Command::Replicas => Reply::Replicas(self.replicas()),
            Command::Quorum { quorums } => self.quorum(quorums)?,
            Command::History { request } => self.record.answer(now, request)?,
            Command::Check { promise } => {
                let state = self.state();
                self.record.check(promise, state)?
            }
            Command::Echo { text } => Reply::Text(text),
            Command::Help { topic } => Reply::Help(topic, self.behind()),
            Command::Crash { .. }
            | Command::Restart { .. }
            | Command::Pause { .. }
            | Command::Resume { .. }
            | Command::Skew { .. }
            | Command::Fault { .. }
            | Command::Release { .. }
            | Command::Heal { .. }
            | Command::Faults => self.execute_fault(now, &command)?,
            Command::Nemesis { nemesis } => self.nemesis(now, nemesis),
            Command::Eviction { policy } => self.eviction(policy)?,
            Command::Capacity { bound, node } => self.capacity(bound, node)?,
            Command::ResetStats => self.reset_stats()?,
            Command::Failover { node } => self.fail_over(now, node)?,
            _ => return Err(simulated_only()),
        })
    }
}

impl DistributedCache for Engine {
    fn behind(&self) -> Behind {
        self.launched
            .as_ref()
            .map_or(Behind::Connected, |it| Behind::Launched {
                has_clocks: it.options().with_clocks,
            })
    }

    fn begin<'a>(
        &mut self,
        now: Instant,
        clock: &mut dyn Clock,
        origin: Origin,
        command: Command<'a>,
    ) -> Result<Progress<'a>, Error> {
        self.log.trim();
        self.check_permission(&command)?;
        let reply = if is_on_keys(&command) {
            self.on_keys(now, origin, command)
        } else {
            self.execute(now, clock, command)
        };
        reply.map(Progress::Done)
    }

    fn resume<'a>(&mut self, _: Instant, _: Box<Waiting<'a>>) -> Result<Progress<'a>, Error> {
        Ok(Progress::Done(Reply::Done))
    }

    fn abandon(&mut self, _: Instant, _: Waiting<'_>) {}

    fn check_work(&self) -> Result<(), Error> {
        self.check_write()
    }

    fn max_clients(&self) -> u32 {
        CLIENTS
    }

    fn send(&mut self, _: Instant, request: &Request<'_>) -> Result<Sent, TooManyRequests> {
        self.workers.send(request, &self.client)
    }

    fn receive(&mut self) -> Option<(u32, Answer)> {
        self.workers.receive()
    }

    fn give_up(&mut self, _: Instant, client: u32) {
        self.workers.give_up(client);
    }

    fn awaits_answers(&self) -> bool {
        self.workers.in_flight() > 0
    }

    fn wait_for_answer(&mut self, most: Duration) {
        self.workers.wait(most);
    }

    fn change(&mut self, now: Instant, change: Change) -> Result<Option<NodeId>, Error> {
        match change {
            Change::Place { .. } | Change::Replicate { .. } => Err(simulated_only()),
            change => self.start_change(now, change),
        }
    }

    fn move_some(&mut self, now: Instant) -> Result<Option<MoveCost>, Error> {
        self.move_slots(now)
    }

    fn move_progress(&self) -> (f64, u64) {
        self.progress_of_move()
    }

    fn tick_some(&mut self, now: Instant, limit: usize) -> bool {
        self.take_notices(now);
        let has_struck = self.strike(now);
        self.ask_for_due(now, limit) || has_struck
    }

    fn next_deadline(&mut self) -> Option<Instant> {
        let look = self
            .notices
            .is_some()
            .then(|| self.times.now().saturating_add(LOOK));
        let strike = self.next_strike();
        let next = self.deadlines.next_at().into_iter();
        next.chain(look).chain(strike).min()
    }

    fn events(&self) -> &EventLog {
        &self.log
    }

    fn overview(&self) -> Overview {
        Overview {
            nodes: self.states(),
            source: Some(self.source.clone()),
            keys: None,
            is_moving: self.moving.is_some(),
            faults: self.faults.len() as u64,
            placement: "slots",
            replicas: self.replicas(),
            has_deadlines: !self.deadlines.is_empty(),
        }
    }

    fn next_message(&mut self) -> Option<Instant> {
        None
    }

    fn deliver_message(&mut self, _: Instant) -> Option<TracedMessage> {
        None
    }

    fn start_trace(&mut self, now: Instant) -> TraceStart {
        self.client.trace = Some(Vec::new());
        TraceStart {
            at: now,
            before: Vec::new(),
        }
    }

    fn end_trace(&mut self, start: TraceStart) -> Reply<'static> {
        self.path(start.at)
    }
}

pub(super) fn unsupported(verb: Verb, why: &str) -> Error {
    Error::unsupported(catalog::name(verb), why)
}

/// The refusal of a change that only the simulated cluster can make.
fn simulated_only() -> Error {
    let why = "real servers have slots, and their number of replicas; the simulated cluster can change both";
    unsupported(Verb::Placement, why)
}
