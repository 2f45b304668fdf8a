//! Runs the cells of a comparison through real clusters: for replicas, events, and prefixes over several
//! nodes.

use super::plan::Plan;
use super::workers::Workers;
use crate::placement::PlacementKind;
use crate::replay::{
    ClusterReplay, Counts, Deployed, Event, Grid, Keys, Policy, Windows, cost, impacts,
};
use crate::report::{Cell, Course, Deployment};
use crate::shell::wakeup::Wakeup;
use crate::time::Instant;
use crate::trace::Columns;

/// Requests between two looks at the interrupt.
const STRIDE: usize = 1 << 14;

/// A replay of one cell.
#[derive(Clone, Copy)]
struct Task {
    policy: Policy,
    size: u64,
    with_events: bool,
}

/// What a replay of one cell found.
struct Replayed {
    windows: Windows,
    nodes: Vec<Counts>,
    /// The events that could not be carried out, by number, with the reasons.
    refused: Vec<(usize, String)>,
}

/// Runs a grid by objects. Returns the cells that are done, and for each event that had no effect its
/// number and the reason.
pub fn run(
    grid: &Grid,
    trace: &Columns,
    keys: &Keys,
    deployment: Deployment,
    plan: &Plan,
    workers: Workers<'_>,
) -> (Vec<Cell>, Vec<(usize, String)>) {
    let tasks = tasks(grid, !plan.events.is_empty());
    let wakeup = workers.wakeup;
    let done = workers.each(tasks.len(), |at| {
        replay(grid, trace, keys, deployment, plan, tasks[at], wakeup)
    });
    let mut done: Vec<(Task, Replayed)> = tasks
        .into_iter()
        .zip(done)
        .filter_map(|(task, done)| Some((task, done?)))
        .collect();
    let mut refused: Vec<(usize, String)> = Vec::new();
    for one in done.iter().flat_map(|(_, done)| &done.refused) {
        if !refused.contains(one) {
            refused.push(one.clone());
        }
    }
    refused.sort();
    let mut cells = Vec::new();
    for &policy in &grid.policies {
        for &size in &grid.sizes {
            cells.extend(cell(policy, size, deployment, plan, &mut done));
        }
    }
    (cells, refused)
}

/// The slowest policies first.
fn tasks(grid: &Grid, has_events: bool) -> Vec<Task> {
    let mut tasks = Vec::new();
    for &policy in &grid.policies {
        for &size in &grid.sizes {
            let task = |with_events| Task {
                policy,
                size,
                with_events,
            };
            tasks.push(task(false));
            tasks.extend(has_events.then(|| task(true)));
        }
    }
    tasks.sort_by_key(|task| std::cmp::Reverse(cost(task.policy)));
    tasks
}

/// The cell of a policy at a size, if its replays are done.
fn cell(
    policy: Policy,
    size: u64,
    deployment: Deployment,
    plan: &Plan,
    done: &mut Vec<(Task, Replayed)>,
) -> Option<Cell> {
    let mut take = |with_events: bool| {
        let is_it =
            |task: &Task| (task.policy, task.size, task.with_events) == (policy, size, with_events);
        let at = done.iter().position(|(task, _)| is_it(task))?;
        Some(done.swap_remove(at).1)
    };
    let calm = take(false)?;
    let course = |windows, calm, impacts| Course {
        windows,
        calm,
        impacts,
    };
    let (course, nodes) = if plan.events.is_empty() {
        (course(calm.windows, None, Vec::new()), calm.nodes)
    } else {
        let with = take(true)?;
        let places: Vec<usize> = plan.events.iter().map(|(at, _)| *at).collect();
        let impacts = impacts(&with.windows, &calm.windows, &places);
        (
            course(with.windows, Some(calm.windows), impacts),
            with.nodes,
        )
    };
    let cell = Cell::of_course(policy, size, deployment, plan.half, course, nodes);
    Some(cell)
}

fn deployed(deployment: Deployment, policy: Policy, size: u64, seed: u64) -> Option<Deployed> {
    let Policy::Node(eviction) = policy else {
        return None;
    };
    Some(Deployed {
        nodes: deployment.nodes,
        placement: deployment.placement,
        replicas: deployment.replicas as usize,
        eviction,
        entries: size,
        seed,
    })
}

/// `None` after an interrupt, and for policies that nodes do not have.
fn replay(
    grid: &Grid,
    trace: &Columns,
    keys: &Keys,
    deployment: Deployment,
    plan: &Plan,
    task: Task,
    wakeup: &Wakeup,
) -> Option<Replayed> {
    let deployed = deployed(deployment, task.policy, task.size, grid.seed)?;
    let mut replay = ClusterReplay::new(trace, keys, grid.rules, &deployed).ok()?;
    let mut refused = Vec::new();
    let mut from = 0;
    for &stop in &plan.stops {
        while from < stop {
            let to = (from + STRIDE).min(stop);
            replay.run(from..to);
            from = to;
            if wakeup.is_interrupted() {
                return None;
            }
        }
        mark(&mut replay, plan, stop);
        if task.with_events {
            carry_out(&mut replay, plan, stop, &mut refused);
        }
    }
    let (windows, nodes) = replay.finish();
    Some(Replayed {
        windows,
        nodes,
        refused,
    })
}

/// Begins to count, or ends a window.
fn mark(replay: &mut ClusterReplay<'_>, plan: &Plan, stop: usize) {
    if stop > plan.warm {
        replay.end_window(stop);
    } else if stop == plan.warm {
        replay.start_counting(stop);
    }
}

fn carry_out(
    replay: &mut ClusterReplay<'_>,
    plan: &Plan,
    stop: usize,
    refused: &mut Vec<(usize, String)>,
) {
    for (number, (at, event)) in plan.events.iter().enumerate() {
        if *at == stop
            && let Err(reason) = replay.carry_out(stop, &event.action)
        {
            refused.push((number, reason));
        }
    }
}

/// Why an event cannot happen on an empty cluster of this deployment, behind those before it.
pub fn impossible(deployment: Deployment, events: &[(usize, Event)]) -> Vec<Option<String>> {
    let lru = Policy::Node(crate::eviction::Eviction::Lru);
    let cluster = deployed(deployment, lru, 1, 0).and_then(|it| it.cluster(false).ok());
    let Some(mut cluster) = cluster else {
        return vec![None; events.len()];
    };
    let tried = events
        .iter()
        .map(|(_, event)| event.action.carry_out(&mut cluster, Instant::START).err());
    tried.collect()
}

/// Whether a deployment needs the real cluster.
pub fn is_needed(trace: &Columns, deployment: Deployment, events: &[Event]) -> bool {
    deployment.replicas > 1
        || !events.is_empty()
        || (deployment.nodes > 1 && !trace.follows.is_empty())
}

/// The deployments of these numbers, each once, and those that there cannot be.
pub fn deployments(
    nodes: &[u32],
    placements: &[PlacementKind],
    replicas: &[u32],
) -> (Vec<Deployment>, Vec<Deployment>) {
    let (mut all, mut impossible) = (Vec::new(), Vec::new());
    for &nodes in nodes {
        for &placement in placements {
            for &replicas in replicas {
                let deployment = Deployment {
                    nodes,
                    placement,
                    replicas,
                };
                // One node has every object, whatever the placement.
                let is_again = nodes == 1 && placement != placements[0];
                if replicas > nodes {
                    impossible.push(deployment);
                } else if !is_again && !all.contains(&deployment) {
                    all.push(deployment);
                }
            }
        }
    }
    (all, impossible)
}
