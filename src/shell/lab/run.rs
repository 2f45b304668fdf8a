//! Runs the simulations of a comparison: the trace is split by node, and each node is a simulation.

use super::plan::{Plan, time};
use super::workers::Workers;
use crate::hash::rapidhash;
use crate::placement::Members;
use crate::replay::{
    Counts, Grid, Halves, Part, Policy, Prepared, Shard, Task, Windows, node_seed, simulate, split,
};
use crate::report::{Cell, Deployment};
use crate::trace::{Columns, KeyTable};

/// Runs a grid. After an interrupt it returns the cells that are done.
pub fn run(
    grid: &Grid,
    trace: &Columns,
    deployment: Deployment,
    plan: &Plan,
    workers: Workers<'_>,
) -> Vec<Cell> {
    let places = [plan.warm, plan.half, trace.ids.len()];
    let parts = parts(trace, deployment, &places);
    let needs_next = grid.policies.contains(&Policy::Belady);
    let shards = shards(trace, parts.as_deref(), places, needs_next);
    let tasks = grid.tasks(&shards);
    let done = workers.each(tasks.len(), |at| {
        let task = &tasks[at];
        Some(grid.run(task, &shards[task.shard]))
    });
    collect(grid, deployment, shards.len(), &tasks, done)
}

/// What these cells count in each window. They are of one deployment, whose trace can be split.
pub fn windows(
    grid: &Grid,
    trace: &Columns,
    cells: &[&Cell],
    plan: &Plan,
    workers: Workers<'_>,
) -> Option<Vec<Windows>> {
    let deployment = cells.first()?.deployment;
    let ends = plan.windows();
    let places: Vec<usize> = [plan.warm]
        .into_iter()
        .chain(ends.iter().copied())
        .collect();
    let parts = parts(trace, deployment, &places);
    let bounds = [plan.warm, plan.half, trace.ids.len()];
    let shards = shards(trace, parts.as_deref(), bounds, false);
    let bounds_of = |shard: usize| match &parts {
        None => places.as_slice(),
        Some(parts) => parts[shard].bounds.as_slice(),
    };
    let done = workers.each(cells.len() * shards.len(), |at| {
        let (cell, shard) = (cells[at / shards.len()], at % shards.len());
        Some(in_windows(
            grid,
            cell,
            &shards[shard],
            shard,
            bounds_of(shard),
        ))
    });
    let done: Vec<Vec<Counts>> = done.into_iter().collect::<Option<_>>()?;
    let cells = done.chunks(shards.len()).map(|nodes| {
        let window = |at: usize| nodes.iter().fold(Counts::default(), |sum, it| sum + it[at]);
        Windows {
            counts: (0..ends.len()).map(window).collect(),
            ends: ends.clone(),
            from: plan.warm,
            times: places.iter().map(|&at| time(trace, at)).collect(),
        }
    });
    Some(cells.collect())
}

/// What one node counts between each two of these places, of which the first ends the warm-up.
fn in_windows(
    grid: &Grid,
    cell: &Cell,
    shard: &Shard<'_>,
    node: usize,
    places: &[usize],
) -> Vec<Counts> {
    let Shard { prepared, .. } = shard;
    let seed = node_seed(grid.seed, node);
    let mut simulation = simulate(
        prepared,
        cell.policy,
        cell.size,
        cell.unit,
        grid.rules,
        seed,
    );
    let (mut from, mut before) = (0, Counts::default());
    let counts = places.iter().map(|&to| {
        simulation.run(prepared.trace, from..to);
        from = to;
        let counts = simulation.counts();
        counts - std::mem::replace(&mut before, counts)
    });
    counts.skip(1).collect()
}

/// The node of each object.
pub fn owners(trace: &Columns, deployment: Deployment) -> Vec<u16> {
    let placement = deployment.placement.place(Members::first(deployment.nodes));
    let mut text = Vec::new();
    let owners = (0..trace.objects).map(|object| {
        text.clear();
        if let Some(key) = trace.keys.get(object) {
            key.append(&mut text);
        }
        u16::try_from(placement.owner(placement.hash(&text)).0).unwrap_or(u16::MAX)
    });
    owners.collect()
}

/// The trace split by node; `None` with one node.
fn parts(trace: &Columns, deployment: Deployment, places: &[usize]) -> Option<Vec<Part>> {
    let nodes = deployment.nodes as usize;
    (nodes > 1).then(|| split(trace, &owners(trace, deployment), nodes, places))
}

/// The trace, or each of its parts, with what the policies need.
fn shards<'t>(
    trace: &'t Columns,
    parts: Option<&'t [Part]>,
    places: [usize; 3],
    needs_next: bool,
) -> Vec<Shard<'t>> {
    let times = places.map(|at| {
        let last = at.checked_sub(1).and_then(|last| trace.times.get(last));
        last.copied().unwrap_or(0)
    });
    let Some(parts) = parts else {
        let prepared = prepared(trace, &trace.keys, None, needs_next);
        return vec![Shard {
            prepared,
            bounds: places,
            times,
        }];
    };
    let shards = parts.iter().map(|part| {
        let bounds = [part.bounds[0], part.bounds[1], part.trace.ids.len()];
        Shard {
            prepared: prepared(&part.trace, &trace.keys, Some(&part.objects), needs_next),
            bounds,
            times,
        }
    });
    shards.collect()
}

/// A trace with what its policies need. `objects` are the numbers of its objects in the whole trace.
fn prepared<'t>(
    trace: &'t Columns,
    keys: &KeyTable,
    objects: Option<&[u32]>,
    needs_next: bool,
) -> Prepared<'t> {
    let mut prepared = Prepared::new(trace);
    if needs_next {
        prepared = prepared.foreseeing();
    }
    if !keys.is_empty() {
        let mut text = Vec::new();
        let hashes = (0..trace.objects).map(|object| {
            let object = objects.map_or(object, |objects| objects[object as usize]);
            text.clear();
            if let Some(key) = keys.get(object) {
                key.append(&mut text);
            }
            rapidhash(&text)
        });
        let hashes: Vec<u64> = hashes.collect();
        prepared.hashes = Some(hashes.into());
    }
    prepared
}

/// The cells whose tasks are all done, by policy and size.
fn collect(
    grid: &Grid,
    deployment: Deployment,
    shards: usize,
    tasks: &[Task],
    done: Vec<Option<Vec<Halves>>>,
) -> Vec<Cell> {
    let sizes = grid.sizes.len();
    let mut counted: Vec<Vec<(usize, Halves)>> = vec![Vec::new(); grid.policies.len() * sizes];
    for (task, halves) in tasks.iter().zip(done) {
        let mut policies = grid.policies.iter();
        let policy = policies.position(|policy| *policy == task.policy);
        if let (Some(policy), Some(halves)) = (policy, halves) {
            for (size, halves) in task.sizes.clone().zip(halves) {
                counted[policy * sizes + size].push((task.shard, halves));
            }
        }
    }
    let mut cells = Vec::new();
    for (at, nodes) in counted.iter_mut().enumerate() {
        if nodes.len() == shards {
            // The largest task is done first, whatever its node.
            nodes.sort_by_key(|(node, _)| *node);
            let nodes: Vec<Halves> = nodes.iter().map(|(_, halves)| *halves).collect();
            let (policy, size) = (grid.policies[at / sizes], grid.sizes[at % sizes]);
            cells.push(Cell::new(policy, size, grid.unit, deployment, &nodes));
        }
    }
    cells
}
