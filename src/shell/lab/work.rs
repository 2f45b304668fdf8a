//! The work of `compare` on one trace: the cells, on simulations or on real clusters, and the details of
//! the chosen one.

use std::sync::Arc;

use super::details::Chosen;
use super::live;
use super::options::Compare;
use super::plan::Plan;
use super::run::run;
use super::sampled;
use super::source;
use super::workers::Workers;
use crate::replay::{Grid, Keys, Policy, Rules, Unit};
use crate::report::{self, Cell, Deployment, Details};
use crate::shell::wakeup::Wakeup;
use crate::trace::{Columns, TraceError};

/// The work of a comparison.
pub struct Work<'w> {
    /// The trace in messages.
    pub name: &'w str,
    pub trace: &'w Columns,
    pub plan: Plan,
    pub options: &'w Compare,
    /// The rules, without what the trace has not.
    pub rules: Rules,
    pub wakeup: &'w Arc<Wakeup>,
}

impl Work<'_> {
    /// All cells, or after an interrupt those that are done.
    ///
    /// # Errors
    /// If the options do not fit the trace.
    pub fn cells(&self, notes: &mut Vec<String>) -> Result<Vec<Cell>, TraceError> {
        let deployments = self.deployments(notes)?;
        let with_keys = deployments.iter().any(|&it| self.is_live(it));
        let keys = with_keys.then(|| Keys::new(&self.trace.keys).indexed());
        let policies = allowed(&self.options.policies, self.rules, self.trace, notes);
        let mut cells = Vec::new();
        for deployment in deployments {
            let grid = self.grid(&policies, deployment, notes)?;
            let label = format!("{}, {} nodes", self.name, deployment.nodes);
            let workers = self.workers(&label);
            if let Some(keys) = keys.as_ref().filter(|_| self.is_live(deployment)) {
                cells.extend(self.live(grid, keys, deployment, workers, notes)?);
            } else {
                cells.extend(run(&grid, self.trace, deployment, &self.plan, workers));
            }
            if self.wakeup.is_interrupted() {
                notes.push("interrupted: the cells that are done follow".into());
                break;
            }
        }
        notes.dedup();
        Ok(cells)
    }

    fn workers<'l>(&'l self, label: &'l str) -> Workers<'l> {
        Workers {
            jobs: self.options.jobs,
            wakeup: self.wakeup,
            label,
        }
    }

    fn is_live(&self, deployment: Deployment) -> bool {
        live::is_needed(self.trace, deployment, &self.options.events)
    }

    /// The deployments in which an event, if there are any, can happen.
    fn deployments(&self, notes: &mut Vec<String>) -> Result<Vec<Deployment>, TraceError> {
        let options = self.options;
        let (all, impossible) =
            live::deployments(&options.nodes, &options.placements, &options.replicas);
        for Deployment {
            nodes, replicas, ..
        } in impossible
        {
            notes.push(format!("{replicas} copies are left out with {nodes} nodes"));
        }
        let tried: Vec<_> = all
            .iter()
            .map(|&it| live::impossible(it, &self.plan.events))
            .collect();
        for (number, (_, event)) in self.plan.events.iter().enumerate() {
            let reasons: Option<Vec<&String>> =
                tried.iter().map(|it| it[number].as_ref()).collect();
            if let Some(reason) = reasons.as_ref().and_then(|reasons| reasons.first()) {
                return Err(source::failure(
                    self.name,
                    &format!("--at: {}: {reason}", event.text),
                ));
            }
        }
        Ok(all)
    }

    /// Runs a grid through real clusters.
    fn live(
        &self,
        mut grid: Grid,
        keys: &Keys,
        deployment: Deployment,
        workers: Workers<'_>,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Cell>, TraceError> {
        if grid.unit == Unit::Bytes {
            let why =
                "give --sizes in objects: prefixes over several nodes go through a real cluster";
            return Err(source::failure(self.name, why));
        }
        let all = grid.policies.len();
        grid.policies.retain(|it| matches!(it, Policy::Node(_)));
        if grid.policies.len() < all {
            let why = "belady and gdsf are left out where replicas, events or prefixes over several \
                       nodes need a real cluster: no node has them";
            if !notes.iter().any(|note| note == why) {
                notes.push(why.into());
            }
        }
        let (cells, refused) = live::run(&grid, self.trace, keys, deployment, &self.plan, workers);
        for (number, reason) in refused {
            let event = &self.plan.events[number].1.text;
            let count = deployment.nodes;
            notes.push(format!(
                "{event} has no effect with {count} nodes: {reason}"
            ));
        }
        Ok(cells)
    }

    fn grid(
        &self,
        policies: &[Policy],
        deployment: Deployment,
        notes: &mut Vec<String>,
    ) -> Result<Grid, TraceError> {
        let options = self.options;
        Ok(Grid {
            policies: policies.to_vec(),
            sizes: resolve(options, self.trace, deployment, notes)
                .map_err(|error| source::failure(self.name, &error))?,
            unit: options.unit(),
            rules: self.rules,
            seed: options.seed,
        })
    }

    /// What the report says about the chosen cell.
    pub fn details(&self, cells: &[Cell]) -> Details {
        let options = self.options;
        let verdict = report::verdict(cells, options.by, options.target);
        let chosen = verdict.map(|verdict| &cells[verdict.choice]);
        let Some((cell, grid)) = chosen.and_then(|cell| {
            let grid = self.grid(&[], cell.deployment, &mut Vec::new()).ok()?;
            Some((cell, grid))
        }) else {
            return Details::default();
        };
        let is_plain = options.form == report::Form::Plain;
        let with_course = options.html.is_some() || (is_plain && cell.deployment.nodes > 1);
        let chosen = Chosen {
            cell,
            cells,
            grid: &grid,
            trace: self.trace,
            plan: &self.plan,
            by: options.by,
        };
        let label = format!("{}, over time", self.name);
        chosen.details(
            with_course && !self.wakeup.is_interrupted(),
            self.workers(&label),
        )
    }
}

fn allowed(
    policies: &[Policy],
    rules: Rules,
    trace: &Columns,
    notes: &mut Vec<String>,
) -> Vec<Policy> {
    let is_floor =
        |it: Policy| it.allows(rules) && (it != Policy::Belady || trace.follows.is_empty());
    let allowed: Vec<Policy> = policies
        .iter()
        .copied()
        .filter(|&it| is_floor(it))
        .collect();
    if allowed.len() < policies.len() {
        let why =
            "belady is left out: it is defined for gets that store, without TTLs and prefixes";
        notes.push(why.into());
    }
    allowed
}

/// The sizes in their unit, ascending, each once.
fn resolve(
    options: &Compare,
    trace: &Columns,
    deployment: Deployment,
    notes: &mut Vec<String>,
) -> Result<Vec<u64>, String> {
    let unit = options.unit();
    let bytes = match (unit, options.by) {
        (Unit::Objects, Unit::Objects) => 0,
        _ => working_set(trace),
    };
    let whole = match options.by {
        Unit::Objects => sampled::objects(trace),
        Unit::Bytes => sampled::whole(trace, bytes),
    };
    let sizes = options
        .sizes
        .iter()
        .map(|size| size.resolve(whole / u64::from(deployment.nodes)));
    let mut sizes: Vec<u64> = sizes.collect::<Result<_, _>>()?;
    sizes.sort_unstable();
    sizes.dedup();
    sampled::shown(sizes, trace, unit, bytes, notes)
}

/// The bytes of all objects, each with the size of its first request.
fn working_set(trace: &Columns) -> u64 {
    let mut seen = 0;
    let mut bytes = 0_u64;
    for (at, &id) in trace.ids.iter().enumerate() {
        if id >= seen {
            seen = id + 1;
            bytes = bytes.saturating_add(trace.sizes.get(at).unwrap_or(1));
        }
    }
    bytes
}
