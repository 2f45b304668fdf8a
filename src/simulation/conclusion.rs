//! The end of a run: everything is repaired, the cluster comes to rest, all keys are read, and the run is
//! judged.

use std::time::Duration;

use super::contents;
use super::failure::Failure;
use super::options::Options;
use super::setup::Setup;
use super::step::{Action, ClientRequest};
use super::weakness::Weakness;
use super::world::World;
use crate::checker::{self, Kept, Verdict};
use crate::cluster::{Disorder, Status};
use crate::history::{History, OpId};
use crate::id::NodeId;
use crate::nemesis::FaultAction;
use crate::operation::Operation;

/// The most steps of the checker for each key and promise.
const STEPS: u64 = 200_000;
/// How long the cluster may take to come to rest, in timeouts.
const PATIENCE: u32 = 100;
/// How long after the grace time tombstones are collected, at most.
const COLLECTED: Duration = Duration::from_secs(6);

/// Ends a run. Returns why it failed, if it did.
pub(super) fn conclude(options: &Options, setup: &Setup, world: &mut World) -> Option<Failure> {
    let mut first_read = None;
    let disorder = finish(options, setup, world, &mut first_read);
    count(world);
    let history = world.cluster.history()?;
    let verdict = checker::check(history, STEPS);
    world.coverage.keys += verdict.checked_keys as u64;
    let undecided = verdict.keys.iter().filter(|it| it.at_least < it.at_most);
    world.coverage.undecided += undecided.count() as u64;
    let history = world.cluster.history()?;
    let lost = || contents::verify(setup, &world.losses, history, first_read?);
    broken(setup, world, history, &verdict)
        .or_else(lost)
        .or(disorder)
}

/// Repairs everything and looks at the nodes; reads all keys, and looks again; and once more when all
/// tombstones may be collected.
fn finish(
    options: &Options,
    setup: &Setup,
    world: &mut World,
    first_read: &mut Option<OpId>,
) -> Option<Failure> {
    repair(options, world);
    let patience = setup.config.timeout * PATIENCE;
    if let Some(failure) = rest(setup, world, patience) {
        return Some(failure);
    }
    *first_read = world.cluster.history().map(next_id);
    read_all(setup, world, patience);
    if let Some(failure) = rest(setup, world, patience) {
        return Some(failure);
    }
    let collected = setup.config.grace * 3 + COLLECTED;
    world.advance(world.now.saturating_add(collected));
    rest(setup, world, patience)
}

fn next_id(history: &History) -> OpId {
    OpId(history.forgotten() + history.calls().len() as u64)
}

/// Repairs all faults, and moves what can move.
fn repair(options: &Options, world: &mut World) {
    let skewed: Vec<NodeId> = world.cluster.skews().map(|(node, _)| node).collect();
    let mut repairs: Vec<FaultAction> = Vec::new();
    repairs.extend(skewed.into_iter().map(|node| FaultAction::Skew(node, 0)));
    repairs.extend(
        world
            .cluster
            .node_ids()
            .filter_map(|node| match world.cluster.status(node) {
                Some(Status::Crashed) => Some(FaultAction::Restart(node, options.restart())),
                Some(Status::Paused) => Some(FaultAction::Resume(node)),
                _ => None,
            }),
    );
    repairs.push(FaultAction::Heal);
    if world.cluster.is_moving() {
        repairs.push(FaultAction::Rebalance);
    }
    for repair in repairs {
        world.act(&Action::Fault(repair));
    }
}

/// Lets the cluster come to rest, and looks at the nodes. Where nodes may be full, copies may differ.
fn rest(setup: &Setup, world: &mut World, patience: Duration) -> Option<Failure> {
    let is_at_rest = world.rest(world.now.saturating_add(patience));
    let mut found = world.cluster.verify(world.now);
    if setup.config.capacity.is_bounded() {
        found.retain(|it| !matches!(it, Disorder::Diverged { .. }));
    }
    match (is_at_rest, found.is_empty()) {
        (false, _) => Some(Failure::Restless(found)),
        (true, false) => Some(Failure::Disorder(found)),
        (true, true) => None,
    }
}

/// Reads every key through two nodes, one after the other.
fn read_all(setup: &Setup, world: &mut World, patience: Duration) {
    let nodes: Vec<NodeId> = world.cluster.node_ids().collect();
    let until = world.now.saturating_add(patience);
    for key in 0..setup.shared + setup.clients {
        for turn in 0..2 {
            let read = ClientRequest {
                client: 0,
                via: Some(nodes[(key + turn) % nodes.len()]),
                key,
                operation: Operation::Get,
                is_traced: false,
            };
            world.ask(read, until);
        }
    }
}

fn count(world: &mut World) {
    let coverage = &mut world.coverage;
    coverage.runs = 1;
    coverage.network = world.cluster.network().counts();
    coverage.messages = world.cluster.delivered();
    if let Some(history) = world.cluster.history() {
        coverage.count(history);
    }
    let stats = world.cluster.stats(world.now);
    (coverage.expired, coverage.evicted) = (stats.expired, stats.evicted);
    coverage.tombstones = world.cluster.tombstones() as u64;
    match world.weakness {
        Some(Weakness::FewCopies { .. }) => coverage.weak = 1,
        Some(Weakness::LostHint { .. }) => coverage.lost_hints = 1,
        None => {}
    }
}

/// The first key whose answers break what is expected of it.
fn broken(setup: &Setup, world: &World, history: &History, verdict: &Verdict) -> Option<Failure> {
    let expected = |key: &[u8]| setup.expectation(world.cluster.promise_with_resync(key));
    let key = verdict.keys.iter();
    let mut broken = key.filter(|key| key.kept(expected(&key.key)) == Kept::No);
    let key = broken.next()?;
    let violation = key.violation.clone()?;
    let excerpt = violation.excerpt.iter();
    let excerpt = excerpt.filter_map(|id| history.get(*id).cloned()).collect();
    Some(Failure::Broken {
        promise: expected(&key.key),
        key: key.key.to_vec(),
        violation,
        excerpt,
    })
}
