//! The cells of a comparison as a table: a row for each policy, a column for each size.

use super::cell::{Cell, Deployment};
use super::number::{estimate, short};
use crate::replay::{Policy, Unit};

/// Characters of a value.
const EXACT: usize = 10;
const ESTIMATED: usize = 15;

/// A table of miss ratios for each deployment, policies by sizes. The best of each size has a star;
/// `belady` counts for no star. Columns that do not fit into `width` characters go into a further table below.
#[must_use]
pub fn table(cells: &[Cell], by: Unit, width: usize) -> String {
    let mut text = String::new();
    for deployment in deployments(cells) {
        if !text.is_empty() {
            text.push('\n');
        }
        if deployment.nodes > 1 || deployments(cells).len() > 1 {
            text += &format!("{}\n", place(deployment));
        }
        text += &one(cells, by, deployment, width);
    }
    text
}

/// A deployment in words: `3 nodes, ketama`.
pub fn place(deployment: Deployment) -> String {
    let copies = match deployment.replicas {
        1 => String::new(),
        copies => format!(", {copies} copies"),
    };
    match deployment.nodes {
        1 => "1 node".into(),
        nodes => format!("{nodes} nodes, {}{copies}", deployment.placement),
    }
}

/// The deployments, in the order of the cells.
pub fn deployments(cells: &[Cell]) -> Vec<Deployment> {
    let mut all = Vec::new();
    for cell in cells {
        if !all.contains(&cell.deployment) {
            all.push(cell.deployment);
        }
    }
    all
}

fn one(cells: &[Cell], by: Unit, deployment: Deployment, width: usize) -> String {
    let here: Vec<&Cell> = cells
        .iter()
        .filter(|cell| cell.deployment == deployment)
        .collect();
    let mut sizes: Vec<u64> = here.iter().map(|cell| cell.size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let policies = policies(&here);
    let first = policies
        .iter()
        .map(|policy| policy.to_string().len())
        .max()
        .unwrap_or(0)
        .max(6);
    let is_exact = here.iter().all(|cell| cell.error.is_none());
    let wide = if is_exact { EXACT } else { ESTIMATED };
    let fits = (width.saturating_sub(first) / (wide + 1)).max(1);
    let tables: Vec<String> = sizes
        .chunks(fits)
        .map(|sizes| grid(&here, by, &policies, sizes, (first, wide)))
        .collect();
    tables.join("\n")
}

/// The policies of these cells, the one with the fewest misses in all first.
pub fn policies(cells: &[&Cell]) -> Vec<Policy> {
    let mut all: Vec<(u64, Policy)> = Vec::new();
    for cell in cells {
        match all.iter_mut().find(|(_, policy)| *policy == cell.policy) {
            Some((misses, _)) => *misses += cell.counts.misses,
            None => all.push((cell.counts.misses, cell.policy)),
        }
    }
    all.sort_by_key(|(misses, _)| *misses);
    all.into_iter().map(|(_, policy)| policy).collect()
}

fn grid(
    cells: &[&Cell],
    by: Unit,
    policies: &[Policy],
    sizes: &[u64],
    (first, wide): (usize, usize),
) -> String {
    let unit = cells.first().map_or(Unit::Objects, |cell| cell.unit);
    let mut text = format!("{:first$}", "policy");
    for &size in sizes {
        text += &format!("{:>1$}", short(size, unit), wide + 1);
    }
    text.push('\n');
    for &policy in policies {
        let mut row = format!("{:first$}", policy.to_string());
        for &size in sizes {
            let cell = cells
                .iter()
                .find(|cell| cell.policy == policy && cell.size == size);
            let star = if cell.is_some_and(|cell| is_best(cells, by, cell)) {
                "*"
            } else {
                " "
            };
            let show = |cell: &&Cell| estimate(cell.ratio(by), cell.plus_minus(by));
            let value = cell.map_or_else(|| "-".into(), show);
            row += &format!("{value:>wide$}{star}");
        }
        text += row.trim_end();
        text.push('\n');
    }
    text
}

fn is_best(cells: &[&Cell], by: Unit, cell: &Cell) -> bool {
    let beside = cells
        .iter()
        .filter(|it| it.size == cell.size && it.policy != Policy::Belady);
    let best = beside.map(|it| it.ratio(by)).fold(f64::INFINITY, f64::min);
    cell.policy != Policy::Belady && cell.ratio(by) <= best
}
