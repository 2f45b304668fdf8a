//! Random clusters under random faults, and the checks of what they promise.
//!
//! A run is all of its seed: a cluster, some clients that ask it for things, and a nemesis that
//! breaks it, all in virtual time. Then everything is mended, the cluster has to come to rest, all keys
//! are read once more, and two judges look at it: the [`checker`](crate::checker) at what the
//! clients were told, and [`Cluster::verify`](crate::Cluster::verify) at the nodes themselves.
//!
//! ```
//! use shardlab::simulation::{Options, run};
//!
//! let run = run(&Options::default(), 7);
//! assert!(run.failure.is_none(), "seed {}: {:?}", run.seed, run.failure);
//! ```
//!
//! # What is promised
//!
//! | quorums | clocks | promise |
//! | --- | --- | --- |
//! | W + R > N, R > 1 or N = 1 | right | linearizable |
//! | W + R > N, R = 1 < N | right | no stale read: reads repair nothing, so an unfinished write may be seen and not be seen again |
//! | W + R > N | wrong, now and then | no stale read: a key may be missed too early, and be there again |
//! | a key on which nobody knows what became of a write with a condition | | no stale read: it may be seen for the first time when what it was checked on has expired |
//! | W + R ≤ N | any | no expired read |
//! | nodes are full, and evict: one of eight runs of a swarm | any | no expired read, and the copies may differ |
//! | W = R = 1, and one node at a time crashes and nothing else goes wrong | right | linearizable |
//!
//! The nemesis keeps within the bounds that the promise has: fewer than W nodes at a time are
//! without their memory, crashed or not yet in sync again. Nodes that pause, and all that the
//! network does, are without bound; and so are joins and leaves. Commands with conditions are used
//! where W is a majority and nothing is evicted, and
//! on keys that one client alone writes, if it knows the fate of its writes before.
//! How nodes come back and what bugs are planted changes nothing of the promise: it is there to be
//! seen broken.
//!
//! # Chance
//!
//! Whoever needs chance has a generator of its own, made of the seed: the setup, the nemesis, each
//! client, and (see [`crate::network`]) each link. All times are multiples of 10 ms, so that deadlines,
//! timeouts and faults often meet in one instant.
//!
//! Caveats: what is judged is the protocol as this process runs it, not the network of a real cluster.

mod coverage;
mod judge;
mod options;
mod plan;
mod script;
mod setup;
mod shrink;
mod workload;
mod world;

pub use coverage::{ACTIONS, Coverage, OUTCOMES};
pub use judge::Failure;
pub use options::Options;
pub use plan::{Ask, Deed, Step};
pub use script::{arguments, cluster, script, shrink_script};
pub use setup::Setup;
pub use shrink::chosen;
pub use world::{LostHint, Thin};

use std::fmt::Write as _;

use crate::id::NodeId;
use crate::nemesis::{Bounds, FaultInjector};
use crate::rng::Rng;
use crate::time::Instant;
use workload::Client;
use world::World;

/// Which generator is whose.
#[derive(Clone, Copy)]
enum Stream {
    Setup,
    Nemesis,
    Client(u32),
}

impl Stream {
    fn rng(self, seed: u64) -> Rng {
        let number = match self {
            Self::Setup => 1,
            Self::Nemesis => 2,
            Self::Client(client) => 1000 + u64::from(client),
        };
        let mixed = Rng::new(seed).next_u64() ^ Rng::new(number).next_u64();
        Rng::new(Rng::new(mixed).next_u64())
    }
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// What it came from, beside the options.
    pub seed: u64,
    /// What the seed decided.
    pub setup: Setup,
    /// What was done. Done again, it comes to the same.
    pub plan: Vec<Step>,
    /// What was broken, if anything was.
    pub failure: Option<Failure>,
    /// What has happened.
    pub coverage: Coverage,
}

/// What the seed decides for a run as a whole.
#[must_use]
pub fn setup(options: &Options, seed: u64) -> Setup {
    Setup::new(options, seed, Stream::Setup.rng(seed))
}

/// Runs what the seed makes. The options must have been [checked](Options::check).
///
/// # Panics
/// If a bound of the options is broken.
#[must_use]
pub fn run(options: &Options, seed: u64) -> Run {
    let setup = setup(options, seed);
    let mut world = World::new(&setup);
    let plan = wander(options, &setup, seed, &mut world);
    conclude(options, seed, setup, plan, world)
}

/// Does what a plan says, in the cluster that the seed makes; what cannot be done is left out.
///
/// # Panics
/// If a bound of the options is broken.
#[must_use]
pub fn replay(options: &Options, seed: u64, plan: &[Step]) -> Run {
    let setup = setup(options, seed);
    let mut world = World::new(&setup);
    world.replay(plan);
    conclude(options, seed, setup, plan.to_vec(), world)
}

/// Runs a seed, and writes down all that happens: what was done, every message, what clients were
/// told, and what came of it. The same seed gives the same text, byte for byte.
///
/// # Panics
/// If a bound of the options is broken.
#[must_use]
pub fn transcript(options: &Options, seed: u64) -> (Run, String) {
    let setup = setup(options, seed);
    let mut world = World::new(&setup);
    world.cluster.start_trace();
    let plan = wander(options, &setup, seed, &mut world);
    let failure = judge::judge(options, &setup, &mut world);
    let mut text = String::new();
    for step in &plan {
        let _ = writeln!(text, "{step}");
    }
    for it in world.cluster.end_trace().messages {
        let (sent, arrives) = (it.sent.as_nanos(), it.arrives.as_nanos());
        let _ = writeln!(
            text,
            "{sent} {arrives} {} {} {:?}",
            it.from, it.to, it.message
        );
    }
    let history = world.cluster.history();
    for call in history.map_or(&[][..], |it| it.calls()) {
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

/// The places of as few steps of a failed run's plan as still fail in the same way. Cost: some
/// hundred runs.
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

fn conclude(options: &Options, seed: u64, setup: Setup, plan: Vec<Step>, mut world: World) -> Run {
    let failure = judge::judge(options, &setup, &mut world);
    Run {
        seed,
        setup,
        plan,
        failure,
        coverage: world.coverage,
    }
}

/// Lets clients and nemesis do what they like; what they did is the plan.
fn wander(options: &Options, setup: &Setup, seed: u64, world: &mut World) -> Vec<Step> {
    let bounds = Bounds {
        nemesis: options.nemesis,
        restart: options.restart(),
        budget: setup.budget(),
        only_crashes: setup.only_crashes,
        joins: true,
        leaves: options.nodes as usize > options.replicas,
    };
    let rng = Stream::Nemesis.rng(seed);
    let mut injector = FaultInjector::new(Instant::START, &bounds, rng);
    let count = u32::try_from(setup.clients).unwrap_or(1);
    let client = |number| {
        let rng = Stream::Client(number).rng(seed);
        Client::new(rng, number, setup.clients, options.nodes, setup.shared)
    };
    let mut clients: Vec<Client> = (0..count).map(client).collect();
    let mut plan = Vec::new();
    let mut left = options.ops;
    while left > 0 {
        let asking = clients.iter().filter_map(|client| client.next).min();
        let next = asking.into_iter().chain(injector.next_at()).min();
        let next = next.unwrap_or(Instant::MAX);
        let event = world.cluster.next_deadline();
        let soon = event.filter(|it| world.is_awaited() && *it < next);
        if soon.is_none() && next == Instant::MAX {
            break;
        }
        world.advance(soon.unwrap_or(next));
        hear(world, &mut clients);
        if soon.is_some() {
            continue;
        }
        if injector.next_at().is_some_and(|next| next <= world.now) {
            let members: Vec<NodeId> = world.cluster.node_ids().collect();
            if let Some(action) = injector.act(world.now, &members) {
                let deed = Deed::Fault(action.clone());
                if step(world, &mut plan, deed) {
                    injector.note(world.now, &action);
                }
            }
            hear(world, &mut clients);
            continue;
        }
        let ready = |client: &&mut Client| client.next.is_some_and(|next| next <= world.now);
        if let Some(client) = clients.iter_mut().find(ready) {
            let is_clear = setup.conditions_count() && world.is_clear(client.own());
            let ask = client.ask(world.now, is_clear);
            step(world, &mut plan, Deed::Ask(ask));
            left -= 1;
        }
        hear(world, &mut clients);
    }
    plan
}

/// Does something, and notes it if it was done.
fn step(world: &mut World, plan: &mut Vec<Step>, deed: Deed) -> bool {
    let done = world.act(&deed);
    if done {
        plan.push(Step {
            at: world.now,
            deed,
        });
    }
    done
}

fn hear(world: &mut World, clients: &mut [Client]) {
    for told in world.told() {
        if let Some(client) = clients.get_mut(told.client as usize) {
            client.answered(world.now, told.is_content);
        }
    }
}
