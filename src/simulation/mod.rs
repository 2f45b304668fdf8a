//! Random clusters under random faults, and the checks of what they promise.
//!
//! A run follows from its seed: a cluster, clients that send requests, and a fault injector, all in
//! virtual time. At its end all faults are repaired, the cluster must come to rest, and all keys are read
//! once more. Then the run is judged:
//!
//! - The [`checker`](crate::checker) judges the answers that clients got, each key by the
//!   [promise](crate::Cluster::promise_of) of the cluster.
//! - The last reads must find what the last acknowledged write to each key left, unless an eviction, a
//!   wrong clock or lost memory excuses it.
//! - [`Cluster::verify`](crate::Cluster::verify) looks at the nodes: their copies must agree.
//! - Where nodes evict, the run is repeated without the read-only commands: the answers must be the same.
//!
//! ```
//! use shardlab::simulation::{Options, run};
//!
//! let run = run(&Options::default(), 7);
//! assert!(run.failure.is_none(), "seed {}: {:?}", run.seed, run.failure);
//! ```
//!
//! # Random choices
//!
//! | choice | values |
//! | --- | --- |
//! | owners and quorums | 3 with majorities; in some runs 1 or 2 owners, a quorum of one, or quorums that do not intersect |
//! | capacity | none; in a third of the runs entries or bytes, with an eviction policy or with `none` |
//! | path of requests | in half of the runs each names its coordinator, and so goes by message; in the others most take the fast path where it is open |
//! | conditional commands | on the keys that one client alone writes; in a quarter of the runs on all keys |
//! | read-only commands | in half of the runs, TRACE around requests too |
//! | lost memory | mostly fewer than W nodes at a time, as the promise demands; in some runs one more |
//! | skewed moves | in some runs, wrong clocks, joins and leaves are the only faults |
//! | crashes only | in some runs, with W = R = 1. All owners get every message then, and the run must be linearizable |
//!
//! Pauses, faults of the network, joins and leaves have no bound. The mode of restarts and an
//! injected bug do not weaken the promise that is checked: such failures must be detected.
//!
//! A write that is acknowledged and at fewer than W owners is a fault that clients may not see for a
//! long time. So when the run notices one, the nodes that have it crash (see `weakness.rs`).
//!
//! # Random numbers
//!
//! The setup, the fault injector, each client, the read-only commands, and each message of the
//! [network](crate::network) have a generator of their own, seeded from the run's seed. All times are multiples of
//! 10 ms, so that deadlines, timeouts and faults often meet in one instant.
//!
//! Caveat: the runs judge the protocol as this process runs it, not the network of a real cluster.

mod clients;
mod conclusion;
mod contents;
mod coverage;
mod failure;
mod lines;
mod losses;
mod options;
mod script;
mod setup;
mod shrink;
mod step;
mod weakness;
mod world;

pub use coverage::{ACTIONS, Coverage, OUTCOMES};
pub use failure::Failure;
pub use options::Options;
pub use script::{arguments, cluster, script};
pub use setup::Setup;
pub use shrink::chosen;
pub use step::{Action, ClientRequest, Look, Step};

use std::fmt::Write as _;

use crate::history::Call;
use crate::id::NodeId;
use crate::nemesis::{Bounds, FaultInjector, GRAIN, grains, pick};
use crate::rng::Rng;
use crate::time::Instant;
use clients::Client;
use conclusion::conclude;
use world::World;

/// How many ticks of 10 ms pass between two read-only commands.
const GAPS: [u64; 4] = [2, 5, 10, 20];

/// The generators of a run.
#[derive(Clone, Copy)]
enum Stream {
    Setup,
    Nemesis,
    Looks,
    Client(u32),
}

impl Stream {
    fn rng(self, seed: u64) -> Rng {
        let number = match self {
            Self::Setup => 1,
            Self::Nemesis => 2,
            Self::Looks => 3,
            Self::Client(client) => 1000 + u64::from(client),
        };
        let mixed = Rng::new(seed).next_u64() ^ Rng::new(number).next_u64();
        Rng::new(Rng::new(mixed).next_u64())
    }
}

/// A run and its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The seed.
    pub seed: u64,
    /// What the seed decides for the run as a whole.
    pub setup: Setup,
    /// The steps. Replayed, they give the same result.
    pub plan: Vec<Step>,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// Counts of the events.
    pub coverage: Coverage,
}

/// What the seed decides for a run as a whole.
#[must_use]
pub fn setup(options: &Options, seed: u64) -> Setup {
    Setup::new(options, seed, Stream::Setup.rng(seed))
}

/// Runs a seed. The options must have been [checked](Options::check).
///
/// # Panics
/// If a bound of the options is broken.
#[must_use]
pub fn run(options: &Options, seed: u64) -> Run {
    let setup = setup(options, seed);
    let mut world = World::new(&setup);
    let plan = Generator::new(options, &setup, seed).run(options, &mut world);
    finish(options, seed, setup, plan, world)
}

/// Runs these steps in the cluster that the seed makes. Steps that are not possible are left out.
///
/// # Panics
/// If a bound of the options is broken.
#[must_use]
pub fn replay(options: &Options, seed: u64, plan: &[Step]) -> Run {
    let setup = setup(options, seed);
    let mut world = World::new(&setup);
    world.replay(plan);
    finish(options, seed, setup, plan.to_vec(), world)
}

/// Runs a seed, and writes down all that happens: the steps, every message, every operation with its
/// outcome, and the result. The same seed gives the same text, byte for byte. A trace is on all the time,
/// so every request goes by message; that changes no outcome.
///
/// # Panics
/// If a bound of the options is broken.
#[must_use]
pub fn transcript(options: &Options, seed: u64) -> (Run, String) {
    let setup = setup(options, seed);
    let mut world = World::new(&setup);
    world.is_watched = true;
    world.cluster.start_trace();
    let plan = Generator::new(options, &setup, seed).run(options, &mut world);
    let failure = conclude(options, &setup, &mut world);
    let mut text = String::new();
    for step in &plan {
        let _ = writeln!(text, "{step}");
    }
    for it in world.cluster.end_trace().messages {
        let (sent, arrives) = (it.sent.as_nanos(), it.arrives.as_nanos());
        let (from, to, message) = (it.from, it.to, it.message);
        let _ = writeln!(text, "{sent} {arrives} {from} {to} {message:?}");
    }
    for call in calls(&world) {
        let _ = writeln!(text, "{call:?}");
    }
    let run = Run {
        seed,
        setup,
        plan,
        failure,
        coverage: world.coverage,
    };
    let _ = writeln!(text, "{:?} {:?}", run.failure, run.coverage);
    (run, text)
}

/// The indexes of as few steps of a failed run as still fail in the same way. Cost: some hundred runs.
#[must_use]
pub fn shrink(options: &Options, run: &Run) -> Vec<usize> {
    let Some(kind) = run.failure.as_ref().map(Failure::kind) else {
        return (0..run.plan.len()).collect();
    };
    shrink::shrink(&run.plan, |plan| {
        let again = replay(options, run.seed, plan).failure;
        again.is_some_and(|failure| failure.kind() == kind)
    })
}

/// The same steps without read-only commands and traces. EVENTS takes the place of one at the end, so that
/// the run ends when it ended.
#[must_use]
pub fn without_looks(plan: &[Step]) -> Vec<Step> {
    let mut steps: Vec<Step> = plan.iter().filter_map(Step::without_looks).collect();
    if let Some(last) = plan.last()
        && matches!(last.action, Action::Look(_))
    {
        let action = Action::Look(Look::Events);
        steps.push(Step {
            at: last.at,
            action,
        });
    }
    steps
}

fn calls(world: &World) -> &[Call] {
    world.cluster.history().map_or(&[], |it| it.calls())
}

fn finish(options: &Options, seed: u64, setup: Setup, plan: Vec<Step>, mut world: World) -> Run {
    let failure = conclude(options, &setup, &mut world);
    let compares = setup.looks && setup.evicts();
    let failure = match failure {
        None if compares => compare(options, &setup, &plan, &world),
        failure => failure,
    };
    Run {
        seed,
        setup,
        plan,
        failure,
        coverage: world.coverage,
    }
}

/// The first reply that differs in the run without read-only commands.
fn compare(options: &Options, setup: &Setup, plan: &[Step], with: &World) -> Option<Failure> {
    let mut world = World::new(setup);
    world.replay(&without_looks(plan));
    conclude(options, setup, &mut world);
    let mut others = calls(&world).iter();
    calls(with).iter().find_map(|call| {
        let other = others.next();
        let is_same = other.is_some_and(|it| is_same(it, call));
        (!is_same).then(|| Failure::Looks {
            with: Box::new(call.clone()),
            without: other.cloned().map(Box::new),
        })
    })
}

/// Whether two calls got the same answer at the same time. Which of two answers at one instant comes
/// first may differ.
fn is_same(one: &Call, other: &Call) -> bool {
    let span = other.span;
    Call {
        span,
        ..one.clone()
    } == *other
}

/// Makes the steps of a run as it goes.
struct Generator {
    injector: FaultInjector,
    clients: Vec<Client>,
    looks: Rng,
    /// When the next read-only command is run; `None`: never.
    next_look: Option<Instant>,
    plan: Vec<Step>,
}

impl Generator {
    fn new(options: &Options, setup: &Setup, seed: u64) -> Self {
        let bounds = Bounds {
            nemesis: options.nemesis,
            restart: options.restart(),
            budget: setup.budget,
            only: setup.only(),
            joins: true,
            leaves: options.nodes as usize > setup.config.replicas,
            skews: true,
            grain: GRAIN,
        };
        let rng = Stream::Nemesis.rng(seed);
        let client = |number| Client::new(Stream::Client(number).rng(seed), number, setup);
        let count = u32::try_from(setup.clients).unwrap_or(1);
        Self {
            injector: FaultInjector::new(Instant::START, &bounds, rng),
            clients: (1..=count).map(client).collect(),
            looks: Stream::Looks.rng(seed),
            next_look: setup.looks.then_some(Instant::START),
            plan: Vec::new(),
        }
    }

    /// Runs until the clients have sent as many requests as the options say, and the last faults are
    /// injected. Returns the steps.
    fn run(mut self, options: &Options, world: &mut World) -> Vec<Step> {
        let mut left = options.ops;
        while left > 0 {
            let Some(next) = self.next_at(world) else {
                break;
            };
            world.advance(next);
            self.take_outcomes(world);
            if self.show_weakness(options, world) || self.inject(world) || self.look(world) {
                continue;
            }
            left -= usize::from(self.send(world));
        }
        self.inject_last(world);
        self.plan
    }

    /// Goes on with faults when the clients have sent their last requests.
    fn inject_last(&mut self, world: &mut World) {
        for _ in 0..world.setup.last_faults {
            let Some(next) = self.injector.next_at() else {
                break;
            };
            world.advance(next);
            self.inject(world);
        }
        // A replay ends at the same instant.
        self.step(world, Action::Look(Look::Events));
    }

    /// When something happens next: an outcome at the earliest, if a client waits for one.
    fn next_at(&self, world: &mut World) -> Option<Instant> {
        let requests = self.clients.iter().filter_map(|client| client.next);
        let others = self.injector.next_at().into_iter().chain(self.next_look);
        let event = world.cluster.next_deadline().filter(|_| world.is_awaited());
        // Read-only commands alone do not let a run go on.
        let is_over = !world.is_awaited() && self.clients.iter().all(|it| it.next.is_none());
        let next = requests.chain(others).chain(event).min()?;
        (!is_over && next < Instant::MAX).then_some(next)
    }

    fn take_outcomes(&mut self, world: &mut World) {
        for finished in world.finished() {
            let index = (finished.client as usize).checked_sub(1);
            if let Some(client) = index.and_then(|index| self.clients.get_mut(index)) {
                client.note_outcome(world.now, finished.is_certain);
            }
        }
    }

    /// Takes a step, and notes it if it was possible.
    fn step(&mut self, world: &mut World, action: Action) -> bool {
        let done = world.act(&action);
        if done {
            let at = world.now;
            self.plan.push(Step { at, action });
        }
        self.take_outcomes(world);
        done
    }

    /// Lets nodes crash that alone have a write, the first time.
    fn show_weakness(&mut self, options: &Options, world: &mut World) -> bool {
        if world.is_weakness_shown {
            return false;
        }
        let Some(weakness) = &world.weakness else {
            return false;
        };
        world.is_weakness_shown = true;
        let setup = world.setup;
        for action in weakness.actions(&setup, &world.cluster, options.restart()) {
            self.step(world, action);
        }
        true
    }

    fn inject(&mut self, world: &mut World) -> bool {
        if self.injector.next_at().is_none_or(|next| next > world.now) {
            return false;
        }
        let members: Vec<NodeId> = world.cluster.node_ids().collect();
        if let Some(action) = self.injector.act(world.now, &members)
            && self.step(world, Action::Fault(action.clone()))
        {
            self.injector.note(world.now, &action);
        }
        true
    }

    fn look(&mut self, world: &mut World) -> bool {
        if self.next_look.is_none_or(|next| next > world.now) {
            return false;
        }
        let gap = grains(pick(&mut self.looks, &GAPS));
        self.next_look = Some(world.now.saturating_add(gap));
        let members: Vec<NodeId> = world.cluster.node_ids().collect();
        let node = pick(&mut self.looks, &members);
        let looks = [
            Look::Keys,
            Look::KeysOf(node),
            Look::Size,
            Look::Nodes,
            Look::Stats,
            Look::Hot,
            Look::Where(0),
            Look::Ring,
            Look::Check,
            Look::Faults,
            Look::Links,
            Look::Events,
        ];
        let look = pick(&mut self.looks, &looks);
        self.step(world, Action::Look(look))
    }

    /// The first client that is ready sends its next request.
    fn send(&mut self, world: &mut World) -> bool {
        let now = world.now;
        let ready = |client: &&mut Client| client.next.is_some_and(|next| next <= now);
        let Some(client) = self.clients.iter_mut().find(ready) else {
            return false;
        };
        let members: Vec<NodeId> = world.cluster.node_ids().collect();
        let is_clear = world.is_clear(client.own_key());
        let request = client.request(now, &members, is_clear);
        self.step(world, Action::Request(request));
        true
    }
}
