//! A plan as a script of our own commands.
//!
//! A script has one client, which waits for each answer, and asks whoever is first among the owners.
//! A plan has several at a time, who ask whom they like. So a script may not show what the plan showed:
//! whoever has one tries it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::plan::{Ask, Deed, Step};
use super::setup::Setup;
use super::shrink::{chosen, shrink};
use super::world::World;
use super::{Options, Run, setup};
use crate::config::Config;
use crate::operation::Operation;
use crate::time::{Compact, Instant};

/// The cluster that `shardlab run` builds from the [`arguments`] of a run.
#[must_use]
pub fn cluster(setup: &Setup) -> Config {
    Config {
        nodes: setup.config.nodes,
        placement: setup.config.placement,
        replicas: setup.config.replicas,
        write_quorum: setup.config.write_quorum,
        read_quorum: setup.config.read_quorum,
        timeout: setup.config.timeout,
        grace: setup.config.grace,
        seed: setup.config.seed,
        capacity: setup.config.capacity,
        eviction: setup.config.eviction,
        bug: setup.config.bug,
        ..Config::default()
    }
}

/// The arguments with which `shardlab run` builds the cluster of a run.
#[must_use]
pub fn arguments(setup: &Setup) -> String {
    let config = cluster(setup);
    let mut text = format!(
        "--clock virtual --nodes {} --placement {} --replicas {} --write-quorum {} \
         --read-quorum {} --timeout {} --grace {} --seed {}",
        config.nodes,
        config.placement,
        config.replicas,
        config.write_quorum,
        config.read_quorum,
        Compact(config.timeout),
        Compact(config.grace),
        config.seed
    );
    if let Some(entries) = config.capacity.entries {
        let _ = write!(text, " --max-entries {entries}");
    }
    if let Some(bytes) = config.capacity.bytes {
        let _ = write!(text, " --max-memory {bytes}");
    }
    if config.capacity.is_bounded() {
        let _ = write!(text, " --eviction {}", config.eviction);
    }
    if let Some(bug) = config.bug {
        let _ = write!(text, " --plant {bug}");
    }
    text
}

/// Runs a plan as one client that waits for each answer, and writes down what it types. At the end
/// it mends everything, reads all keys, at once and when everything is at rest, and asks for CHECK.
#[must_use]
pub fn script(options: &Options, seed: u64, plan: &[Step]) -> String {
    let setup = setup(options, seed);
    let mut world = World::new(&setup);
    let mut lines = Lines::default();
    for step in plan {
        let at = step.at.max(world.now);
        world.advance(at);
        let step = Step {
            at,
            deed: alone(&step.deed, step.at, at),
        };
        if world.act(&step.deed) {
            lines.wait(at);
            lines.add(&step.command(at));
        }
        finish(&mut world);
        lines.now = lines.now.max(world.now);
    }
    for command in mending(options, &world) {
        lines.add(&command);
    }
    let all = read_all(plan);
    lines.add(&all);
    lines.add("SLEEP 10s");
    lines.add(&all);
    lines.add("CHECK");
    lines.text
}

/// A script of as few steps of a run's plan as still `shows` what it should; `None` if the script of
/// all steps does not. Cost: some hundred scripts.
pub fn shrink_script(
    options: &Options,
    run: &Run,
    mut shows: impl FnMut(&str) -> bool,
) -> Option<String> {
    let write = |plan: &[Step]| script(options, run.seed, plan);
    if !shows(&write(&run.plan)) {
        return None;
    }
    let places = shrink(&run.plan, |plan| shows(&write(plan)));
    Some(write(&chosen(&run.plan, &places)))
}

/// The same for a single client: it asks nobody in particular, and a value lives as long as it
/// would have.
fn alone(deed: &Deed, was: Instant, at: Instant) -> Deed {
    let Deed::Ask(ask) = deed else {
        return deed.clone();
    };
    let mut operation = ask.operation.clone();
    if let Operation::Put { deadline, .. }
    | Operation::Add { deadline, .. }
    | Operation::Cas { deadline, .. }
    | Operation::SetDeadline { deadline } = &mut operation
    {
        *deadline = deadline.map(|it| at.saturating_add(it.since(was)));
    }
    Deed::Ask(Ask {
        client: 0,
        via: None,
        key: ask.key,
        operation,
    })
}

/// Lets time pass until there is an answer.
fn finish(world: &mut World) {
    world.told();
    while world.is_awaited() {
        let Some(next) = world.cluster.next_deadline() else {
            return;
        };
        world.advance(next);
        world.told();
    }
}

/// The command that reads every key that a plan asks for, or at least one.
fn read_all(plan: &[Step]) -> String {
    let keys = plan.iter().filter_map(|step| match &step.deed {
        Deed::Ask(ask) => Some(ask.key),
        Deed::Fault(_) => None,
    });
    let mut keys: BTreeSet<usize> = keys.collect();
    if keys.is_empty() {
        keys.insert(0);
    }
    let words = keys.iter().map(|key| format!(" k{key}"));
    words.fold("MGET".to_owned(), |line, word| line + &word)
}

/// The commands that mend everything.
fn mending(options: &Options, world: &World) -> Vec<String> {
    use crate::cluster::Status::{Crashed, Paused};
    let mut commands = Vec::new();
    for (node, _) in world.cluster.skews() {
        commands.push(format!("SKEW {node} 0s"));
    }
    for node in world.cluster.node_ids() {
        match world.cluster.status(node) {
            Some(Crashed) => commands.push(format!("RESTART {node} {}", options.restart())),
            Some(Paused) => commands.push(format!("RESUME {node}")),
            _ => {}
        }
    }
    commands.push("HEAL".into());
    if world.cluster.is_moving() {
        commands.push("REBALANCE".into());
    }
    commands
}

/// Commands, and how far they have come in time.
#[derive(Default)]
struct Lines {
    text: String,
    now: Instant,
}

impl Lines {
    fn wait(&mut self, until: Instant) {
        let time = until.since(self.now);
        if !time.is_zero() {
            self.add(&format!("SLEEP {}", Compact(time)));
            self.now = until;
        }
    }

    fn add(&mut self, command: &str) {
        self.text.push_str(command);
        self.text.push('\n');
    }
}
