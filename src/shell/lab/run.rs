//! Runs the simulations of a comparison on all cores.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "parts of the number of requests"
)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::progress::Progress;
use crate::hash::rapidhash;
use crate::placement::Members;
use crate::replay::{Grid, Halves, Part, Policy, Prepared, Shard, Task, split};
use crate::report::{Cell, Deployment};
use crate::shell::wakeup::Wakeup;
use crate::trace::{Columns, KeyTable};

/// How a grid is run.
pub struct Run<'r> {
    /// The part of the requests that is replayed and not counted.
    pub warmup: f64,
    /// Threads; `None`: one for each core.
    pub jobs: Option<usize>,
    /// Ends the run.
    pub wakeup: &'r Arc<Wakeup>,
    /// Names the run in the progress line.
    pub label: String,
}

/// Runs a grid. After an interrupt it returns the cells that are done.
pub fn run(grid: &Grid, trace: &Columns, deployment: Deployment, how: Run<'_>) -> Vec<Cell> {
    let requests = trace.ids.len();
    let warm = (requests as f64 * how.warmup) as usize;
    let places = [warm, warm + (requests - warm) / 2, requests];
    let parts = parts(trace, deployment, &places);
    let needs_next = grid.policies.contains(&Policy::Belady);
    let shards: Vec<Shard<'_>> = match &parts {
        None => vec![shard(trace, &trace.keys, None, places, needs_next)],
        Some(parts) => parts
            .iter()
            .map(|part| {
                let bounds = [part.bounds[0], part.bounds[1], part.bounds[2]];
                shard(
                    &part.trace,
                    &trace.keys,
                    Some(&part.objects),
                    bounds,
                    needs_next,
                )
            })
            .collect(),
    };
    let tasks = grid.tasks(&shards);
    let done = run_tasks(grid, &tasks, &shards, how);
    collect(grid, deployment, shards.len(), &tasks, done)
}

/// The trace split by node; `None` with one node.
fn parts(trace: &Columns, deployment: Deployment, places: &[usize; 3]) -> Option<Vec<Part>> {
    if deployment.nodes == 1 {
        return None;
    }
    let placement = deployment.placement.place(Members::first(deployment.nodes));
    let mut text = Vec::new();
    let owners = (0..trace.objects).map(|object| {
        text.clear();
        if let Some(key) = trace.keys.get(object) {
            key.append(&mut text);
        }
        placement.owner(placement.hash(&text)).0 as u16
    });
    let owners: Vec<u16> = owners.collect();
    Some(split(trace, &owners, deployment.nodes as usize, places))
}

/// A shard with what its policies need. `objects` are the numbers of its objects in the whole trace.
pub fn shard<'t>(
    trace: &'t Columns,
    keys: &KeyTable,
    objects: Option<&[u32]>,
    bounds: [usize; 3],
    needs_next: bool,
) -> Shard<'t> {
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
    Shard { prepared, bounds }
}

fn run_tasks(
    grid: &Grid,
    tasks: &[Task],
    shards: &[Shard<'_>],
    how: Run<'_>,
) -> Vec<Option<Vec<Halves>>> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(vec![None; tasks.len()]);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = how.jobs.unwrap_or(cores).min(tasks.len()).max(1);
    let progress = Mutex::new(Progress::new(
        how.wakeup,
        how.label,
        Some(tasks.len() as u64),
    ));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(task) = tasks.get(at) else { return };
                    let mut shown = progress.lock().unwrap_or_else(PoisonError::into_inner);
                    if !shown.go_on(at as u64) {
                        return;
                    }
                    drop(shown);
                    let halves = grid.run(task, &shards[task.shard]);
                    done.lock().unwrap_or_else(PoisonError::into_inner)[at] = Some(halves);
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
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
    let mut counted: Vec<Vec<Halves>> = vec![Vec::new(); grid.policies.len() * sizes];
    for (task, halves) in tasks.iter().zip(done) {
        let policy = grid
            .policies
            .iter()
            .position(|policy| *policy == task.policy);
        if let (Some(policy), Some(halves)) = (policy, halves) {
            for (size, halves) in task.sizes.clone().zip(halves) {
                counted[policy * sizes + size].push((task.shard, halves).1);
            }
        }
    }
    let mut cells = Vec::new();
    for (at, nodes) in counted.iter().enumerate() {
        if nodes.len() == shards {
            let (policy, size) = (grid.policies[at / sizes], grid.sizes[at % sizes]);
            cells.push(Cell::new(policy, size, grid.unit, deployment, nodes));
        }
    }
    cells
}
