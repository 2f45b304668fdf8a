//! Runs the simulations of a comparison: the trace is split by node, and each node is a simulation.

use super::plan::{Plan, time};
use super::workers::Workers;
use crate::hash::rapidhash;
use crate::placement::Members;
use crate::replay::{
    Counts, Grid, Halves, Part, Places, Policy, Prepared, Shard, Share, Task, Windows, estimate,
    node_seed, scaled, simulate, split,
};
use crate::report::{Cell, Deployment};
use crate::trace::{Columns, GROUPS, KeyTable, Position, Sample};

/// Runs a grid. After an interrupt it returns the cells that are done.
pub fn run(
    grid: &Grid,
    trace: &Columns,
    deployment: Deployment,
    plan: &Plan,
    workers: Workers<'_>,
) -> Vec<Cell> {
    let bounds = [plan.warm, plan.half, trace.ids.len()];
    let parts = parts(trace, deployment, &bounds);
    let groups = groups(trace, deployment, &bounds);
    let needs_next = grid.policies.contains(&Policy::Belady);
    let mut shards = shards(trace, parts.as_deref(), bounds, needs_next);
    shards.extend(shards_of_groups(
        trace,
        groups.as_deref(),
        bounds,
        needs_next,
    ));
    let tasks = grid.tasks(&shards);
    let done = workers.each(tasks.len(), |at| {
        let task = &tasks[at];
        Some(grid.run(task, &shards[task.shard]))
    });
    let cells = collect(grid, shards.len(), &tasks, done).into_iter();
    let cells = cells.map(|(policy, size, halves)| {
        let cell = |nodes: &[Halves]| Cell::new(policy, size, grid.unit, deployment, nodes);
        match &trace.sample {
            Some(sample) => sampled(sample, plan.warmup, &halves, cell),
            None => cell(&halves),
        }
    });
    cells.collect()
}

/// The cell of a sample, from the halves of its nodes and then of the groups of each node.
fn sampled(
    sample: &Sample,
    warmup: f64,
    halves: &[Halves],
    cell: impl Fn(&[Halves]) -> Cell,
) -> Cell {
    let (nodes, of_groups) = halves.split_at(halves.len() / (GROUPS + 1));
    let mut groups = [Halves::default(); GROUPS];
    for (halves, group) in of_groups.iter().zip((0..GROUPS).cycle()) {
        groups[group].first += halves.first;
        groups[group].all += halves.all;
    }
    let mut cell = cell(nodes);
    let pooled = Halves {
        first: cell.first_half,
        all: cell.counts,
    };
    let (estimated, error) = estimate(pooled, &groups, sample.rate, &Places::new(sample, warmup));
    cell.counts = estimated.all;
    cell.first_half = estimated.first;
    for node in &mut cell.nodes {
        *node = scaled(*node, sample.rate, whole(*node, sample.rate));
    }
    cell.error = Some(error);
    cell
}

/// How much a node gets of the whole trace, for what it gets of a sample.
fn whole(counts: Counts, rate: f64) -> Position {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate of a count"
    )]
    let up = |count: u64| (count as f64 / rate).round() as u64;
    Position {
        gets: up(counts.requests),
        bytes: up(counts.bytes),
        ..Position::default()
    }
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
        let sum = |at: usize| nodes.iter().fold(Counts::default(), |sum, it| sum + it[at]);
        let window = |at: usize| match (&trace.sample, plan.wholes.get(at)) {
            (Some(sample), Some(&whole)) => scaled(sum(at), sample.rate, whole),
            _ => sum(at),
        };
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
    let Shard {
        prepared, share, ..
    } = shard;
    let seed = node_seed(grid.seed, node);
    let mut simulation = simulate(
        prepared,
        cell.policy,
        share.of(cell.size),
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

/// The trace split by node and group of the sample; `None` if it is no sample.
fn groups(trace: &Columns, deployment: Deployment, places: &[usize]) -> Option<Vec<Part>> {
    let groups = &trace.sample.as_ref()?.groups;
    let nodes = deployment.nodes as usize;
    let owners = (nodes > 1).then(|| owners(trace, deployment));
    let owner = |object: usize| {
        owners
            .as_ref()
            .map_or(0, |owners| usize::from(owners[object]))
    };
    let of = |(object, &group): (usize, &u8)| owner(object) * GROUPS + usize::from(group);
    let parts = groups.iter().enumerate().map(of);
    let parts: Vec<u16> = parts
        .map(|part| u16::try_from(part).unwrap_or(u16::MAX))
        .collect();
    Some(split(trace, &parts, nodes * GROUPS, places))
}

fn shards_of_groups<'t>(
    trace: &'t Columns,
    groups: Option<&'t [Part]>,
    places: [usize; 3],
    needs_next: bool,
) -> Vec<Shard<'t>> {
    let (Some(sample), Some(groups)) = (&trace.sample, groups) else {
        return Vec::new();
    };
    let mut shards = shards(trace, Some(groups), places, needs_next);
    for (shard, group) in shards.iter_mut().zip((0..GROUPS as u64).cycle()) {
        shard.share = Share::Group(sample.rate, group);
    }
    shards
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
    let sample = trace.sample.as_ref();
    let share = sample.map_or(Share::Whole, |sample| Share::Sample(sample.rate));
    let Some(parts) = parts else {
        let prepared = prepared(trace, &trace.keys, None, needs_next);
        return vec![Shard {
            prepared,
            bounds: places,
            times,
            share,
        }];
    };
    let shards = parts.iter().map(|part| {
        let bounds = [part.bounds[0], part.bounds[1], part.trace.ids.len()];
        Shard {
            prepared: prepared(&part.trace, &trace.keys, Some(&part.objects), needs_next),
            bounds,
            times,
            share,
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

/// The cells whose tasks are all done, by policy and size, with the halves of each shard.
fn collect(
    grid: &Grid,
    shards: usize,
    tasks: &[Task],
    done: Vec<Option<Vec<Halves>>>,
) -> Vec<(Policy, u64, Vec<Halves>)> {
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
    for (at, mut halves) in counted.into_iter().enumerate() {
        if halves.len() == shards {
            // Tasks are in the order of their work, not of their shards.
            halves.sort_by_key(|(shard, _)| *shard);
            let halves = halves.into_iter().map(|(_, halves)| halves).collect();
            cells.push((grid.policies[at / sizes], grid.sizes[at % sizes], halves));
        }
    }
    cells
}
