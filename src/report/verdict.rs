//! The answer of a comparison: which policy at which size, what it costs and how sure that is.

use super::cell::{Cell, Course, Deployment, ratio};
use super::number::{percent, plus_minus, points, share, size};
use crate::eviction::Eviction;
use crate::placement::PlacementKind;
use crate::replay::{Policy, Unit};

/// A point of the miss ratio.
const A_POINT: f64 = 0.01;
/// A simpler policy is named if it misses at most so much more.
const NEARLY: f64 = 0.003;

/// The answer of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The cell that is recommended, by its place.
    pub choice: usize,
    /// The cell of `lru` at the same size.
    pub lru: Option<usize>,
    /// The cell of `belady` at the same size.
    pub floor: Option<usize>,
    /// The cell of the policy with half the size or less.
    pub half: Option<usize>,
    /// The cell of the policy with twice the size or more.
    pub double: Option<usize>,
    /// The simplest policy that misses hardly more.
    pub simpler: Option<usize>,
    /// The size from which a doubling gains less than a point; `None` if there is none.
    pub knee: Option<u64>,
    /// The policy that the first half of the trace would have chosen.
    pub first_half: Policy,
    /// Whether the target was reached; `None` without a target.
    pub reached: Option<bool>,
}

/// Judges the cells by the miss ratio of requests or of bytes. `None` without a cell to choose. With a
/// `target` the choice is the cheapest cell that reaches it, or the best of all if none does.
#[must_use]
pub fn verdict(cells: &[Cell], by: Unit, target: Option<f64>) -> Option<Verdict> {
    let reaching = |target: f64| {
        let reached = choices(cells).filter(|&at| cells[at].ratio(by) <= target);
        reached.min_by(|&a, &b| {
            let cost = total(&cells[a]).cmp(&total(&cells[b]));
            cost.then(better(cells, by, a, b))
        })
    };
    let reached = target.map(reaching);
    let best = || choices(cells).min_by(|&a, &b| better(cells, by, a, b));
    let choice = match reached {
        Some(Some(choice)) => choice,
        Some(None) => best()?,
        None => at_knee(cells, by)?,
    };
    let chosen = &cells[choice];
    let same_size = |at: &usize| is_beside(&cells[*at], chosen);
    let of = |policy| choices_and_floor(cells, policy).find(same_size);
    let sizes = || (0..cells.len()).filter(|&at| is_same_policy(&cells[at], chosen));
    let smaller = sizes().filter(|&at| cells[at].size <= chosen.size / 2);
    let larger = sizes().filter(|&at| cells[at].size >= chosen.size.saturating_mul(2));
    Some(Verdict {
        choice,
        lru: of(Policy::Node(Eviction::Lru)).filter(|&at| at != choice),
        floor: of(Policy::Belady),
        half: smaller.max_by_key(|&at| cells[at].size),
        double: larger.min_by_key(|&at| cells[at].size),
        simpler: simpler(cells, by, choice),
        knee: knee(cells, by, chosen.deployment),
        first_half: first_half(cells, by, choice),
        reached: reached.map(|reached| reached.is_some()),
    })
}

/// The cells that can be chosen: `belady` cannot, since it knows the future.
fn choices(cells: &[Cell]) -> impl Iterator<Item = usize> + '_ {
    (0..cells.len()).filter(|&at| cells[at].policy != Policy::Belady)
}

fn choices_and_floor(cells: &[Cell], policy: Policy) -> impl Iterator<Item = usize> + '_ {
    (0..cells.len()).filter(move |&at| cells[at].policy == policy)
}

fn total(cell: &Cell) -> u128 {
    u128::from(cell.size) * u128::from(cell.deployment.nodes)
}

/// The order of two cells: the ratio, then the simpler policy.
fn better(cells: &[Cell], by: Unit, a: usize, b: usize) -> std::cmp::Ordering {
    let (a, b) = (&cells[a], &cells[b]);
    let ratio = a.ratio(by).total_cmp(&b.ratio(by));
    ratio.then(complexity(a.policy).cmp(&complexity(b.policy)))
}

fn is_beside(cell: &Cell, chosen: &Cell) -> bool {
    cell.size == chosen.size && cell.deployment == chosen.deployment
}

fn is_same_policy(cell: &Cell, chosen: &Cell) -> bool {
    cell.policy == chosen.policy && cell.deployment == chosen.deployment
}

/// How much code and state a policy takes, as a rank.
fn complexity(policy: Policy) -> u32 {
    match policy {
        Policy::Node(eviction) => match eviction {
            Eviction::None => 0,
            Eviction::Random => 1,
            Eviction::Fifo => 2,
            Eviction::SecondChance => 3,
            Eviction::Sieve => 4,
            Eviction::Lru => 5,
            Eviction::Ttl => 6,
            Eviction::Lfu => 7,
            Eviction::Slru => 8,
            Eviction::TwoQ => 9,
            Eviction::S3Fifo => 10,
            Eviction::Hyperbolic => 11,
            Eviction::Arc => 12,
            Eviction::Lirs => 14,
            Eviction::WTinyLfu => 15,
        },
        Policy::Gdsf => 13,
        Policy::Belady => u32::MAX,
    }
}

/// The best cell at the knee of the first deployment.
fn at_knee(cells: &[Cell], by: Unit) -> Option<usize> {
    let deployment = cells.first()?.deployment;
    let here = |at: &usize| cells[*at].deployment == deployment;
    let size = knee(cells, by, deployment);
    let size = size.or_else(|| choices(cells).filter(here).map(|at| cells[at].size).max())?;
    let at_size = choices(cells)
        .filter(here)
        .filter(|&at| cells[at].size == size);
    at_size.min_by(|&a, &b| better(cells, by, a, b))
}

/// The best ratio at each size, ascending by size.
fn envelope(cells: &[Cell], by: Unit, deployment: Deployment) -> Vec<(u64, f64)> {
    let mut best: Vec<(u64, f64)> = Vec::new();
    let here = choices(cells).filter(|&at| cells[at].deployment == deployment);
    for cell in here.map(|at| &cells[at]) {
        match best.iter_mut().find(|(size, _)| *size == cell.size) {
            Some((_, ratio)) => *ratio = ratio.min(cell.ratio(by)),
            None => best.push((cell.size, cell.ratio(by))),
        }
    }
    best.sort_by_key(|(size, _)| *size);
    best
}

/// The knee of the best policies' curve: the smallest size from which no doubling gains a point any
/// more. `None` if every size gains more, or there is one size only.
fn knee(cells: &[Cell], by: Unit, deployment: Deployment) -> Option<u64> {
    let curve = envelope(cells, by, deployment);
    let log = |size: u64| libm::log2(size.max(1) as f64);
    let is_flat = |pair: &[(u64, f64)]| {
        let doublings = log(pair[1].0) - log(pair[0].0);
        pair[0].1 - pair[1].1 < A_POINT * doublings
    };
    let flat = curve
        .windows(2)
        .rev()
        .take_while(|pair| is_flat(pair))
        .count();
    let knee = curve.len().checked_sub(flat + 1)?;
    (flat > 0).then(|| curve[knee].0)
}

/// The simplest policy beside the choice that misses hardly more, if it is simpler.
fn simpler(cells: &[Cell], by: Unit, choice: usize) -> Option<usize> {
    let chosen = &cells[choice];
    let nearly = chosen.ratio(by) + NEARLY;
    let beside = choices(cells).filter(|&at| is_beside(&cells[at], chosen));
    let near = beside.filter(|&at| cells[at].ratio(by) <= nearly);
    let simplest = near.min_by_key(|&at| complexity(cells[at].policy))?;
    let is_simpler = complexity(cells[simplest].policy) < complexity(chosen.policy);
    is_simpler.then_some(simplest)
}

/// The best policy of the first half, at the size of the choice.
fn first_half(cells: &[Cell], by: Unit, choice: usize) -> Policy {
    let chosen = &cells[choice];
    let beside = choices(cells).filter(|&at| is_beside(&cells[at], chosen));
    let best = beside.min_by(|&a, &b| {
        let half = |at: usize| ratio(&cells[at].first_half, by);
        let order = half(a).total_cmp(&half(b));
        order.then(complexity(cells[a].policy).cmp(&complexity(cells[b].policy)))
    });
    best.map_or(chosen.policy, |at| cells[at].policy)
}

/// The verdict in words.
#[must_use]
pub fn sentence(cells: &[Cell], by: Unit, verdict: &Verdict) -> String {
    let chosen = &cells[verdict.choice];
    let what = match by {
        Unit::Objects => "requests",
        Unit::Bytes => "bytes",
    };
    let mut text = format!(
        "For this trace take {} with {}{}: {} of {what} miss{}.",
        chosen.policy,
        size(chosen.size, chosen.unit),
        place(chosen.deployment),
        percent(chosen.ratio(by)),
        others(cells, by, verdict),
    );
    if let Some(calm) = chosen.course.as_ref().and_then(Course::calm_counts) {
        let calm = percent(ratio(&calm, by));
        text += &format!(" Without the events {calm} would.");
    }
    if verdict.reached == Some(false) {
        text += " The target is not reached by any of the sizes.";
    }
    text += &neighbours(cells, by, verdict);
    if let Some(simpler) = verdict.simpler.map(|at| &cells[at]) {
        let miss = percent(simpler.ratio(by));
        text += &format!(
            " {} is simpler and misses hardly more ({miss}).",
            simpler.policy
        );
    }
    text += &certainty(cells, by, verdict);
    text
}

fn place(deployment: Deployment) -> String {
    let Deployment {
        nodes,
        placement,
        replicas,
    } = deployment;
    if nodes == 1 {
        return String::new();
    }
    let placement: PlacementKind = placement;
    let copies = if replicas > 1 {
        format!(", {replicas} copies of each object")
    } else {
        String::new()
    };
    format!(" on each of {nodes} nodes ({placement}{copies})")
}

/// What `lru` and the best possible policy miss.
fn others(cells: &[Cell], by: Unit, verdict: &Verdict) -> String {
    let ratio = |at: Option<usize>| at.map(|at| percent(cells[at].ratio(by)));
    match (ratio(verdict.lru), ratio(verdict.floor)) {
        (Some(lru), Some(floor)) => format!(" (lru {lru}, the best possible {floor})"),
        (Some(lru), None) => format!(" (lru {lru})"),
        (None, Some(floor)) => format!(" (the best possible is {floor})"),
        (None, None) => String::new(),
    }
}

/// What less and more memory would do.
fn neighbours(cells: &[Cell], by: Unit, verdict: &Verdict) -> String {
    let chosen = &cells[verdict.choice];
    let mut parts = Vec::new();
    if let Some(half) = verdict.half.map(|at| &cells[at]) {
        let more = points(half.ratio(by) - chosen.ratio(by));
        parts.push(format!(
            "with {} it misses {more} points more",
            size(half.size, half.unit)
        ));
    }
    if let Some(double) = verdict.double.map(|at| &cells[at]) {
        let fewer = points(chosen.ratio(by) - double.ratio(by));
        parts.push(format!(
            "with {} {fewer} points fewer",
            size(double.size, double.unit)
        ));
    }
    let mut text = parts.join(", ");
    if let Some(first) = text.get(..1).map(str::to_uppercase) {
        text.replace_range(..1, &first);
    }
    match (text.is_empty(), verdict.knee) {
        (true, _) => String::new(),
        (false, Some(knee)) => format!(" {text}: the knee is at {}.", size(knee, chosen.unit)),
        (false, None) => format!(" {text}: each doubling up to here gains a point or more."),
    }
}

fn certainty(cells: &[Cell], by: Unit, verdict: &Verdict) -> String {
    let chosen = &cells[verdict.choice];
    let other = if verdict.first_half == chosen.policy {
        "the same policy".into()
    } else {
        verdict.first_half.to_string()
    };
    let counts = match (chosen.error, chosen.plus_minus(by)) {
        (Some(error), Some(half_width)) => format!(
            "This is {} ± {} points, from a sample of {} of the keys",
            percent(chosen.ratio(by)),
            plus_minus(half_width),
            share(error.rate)
        ),
        _ => "These counts are exact".into(),
    };
    format!(" {counts}; the first half of the trace would have chosen {other}.")
}
