//! What a report says about the chosen cell beside its counts.

use super::plan::Plan;
use super::run::{owners, windows};
use super::workers::Workers;
use crate::language::word::shown;
use crate::replay::{Grid, Keys, Policy, Unit, Windows, hottest};
use crate::report::{Cell, Details, Line, Mark, Nodes, OverTime, busiest, series};
use crate::trace::Columns;

/// How many of the hottest keys are named.
const HOTTEST: usize = 10;
/// How many policies are shown over time.
const LINES: usize = 3;
/// The most characters of a key.
const MAX_KEY: usize = 60;

/// What the details are of.
pub struct Chosen<'c> {
    /// The cell.
    pub cell: &'c Cell,
    /// All cells.
    pub cells: &'c [Cell],
    /// The parameters of the replay. The cells say the policies and sizes.
    pub grid: &'c Grid,
    /// The trace.
    pub trace: &'c Columns,
    /// The places of the replay.
    pub plan: &'c Plan,
    /// Which miss ratio counts.
    pub by: Unit,
}

impl Chosen<'_> {
    /// The details. Where a course over time takes further simulations, it is only made if `with_course`.
    pub fn details(&self, with_course: bool, workers: Workers<'_>) -> Details {
        Details {
            requests: self.trace.ids.len(),
            over_time: self.over_time(with_course, workers),
            nodes: self.nodes(),
        }
    }

    /// The chosen policy, and the best others beside it.
    fn best(&self) -> Vec<&Cell> {
        let beside = self.cells.iter().filter(|it| {
            it.size == self.cell.size
                && it.deployment == self.cell.deployment
                && it.policy != self.cell.policy
                && it.policy != Policy::Belady
        });
        let mut others: Vec<&Cell> = beside.collect();
        others.sort_by(|a, b| a.ratio(self.by).total_cmp(&b.ratio(self.by)));
        [self.cell].into_iter().chain(others).take(LINES).collect()
    }

    fn over_time(&self, with_course: bool, workers: Workers<'_>) -> Option<OverTime> {
        let best = self.best();
        let of_courses = || -> Option<Vec<Windows>> {
            let windows = best
                .iter()
                .map(|cell| Some(cell.course.as_ref()?.windows.clone()));
            windows.collect()
        };
        let made = || {
            let is_made = with_course && self.cell.course.is_none();
            is_made.then(|| windows(self.grid, self.trace, &best, self.plan, workers))?
        };
        let windows = of_courses().or_else(made)?;
        let curves = series(self.cells, self.by, self.cell.deployment);
        let line = |name: String, windows, is_calm| Line {
            style: curves.iter().position(|it| it.name == name).unwrap_or(0),
            name,
            windows,
            is_calm,
        };
        let lines = best.iter().zip(windows);
        let lines = lines.map(|(cell, windows)| line(cell.policy.to_string(), windows, false));
        let mut lines: Vec<Line> = lines.collect();
        let calm = self.cell.course.as_ref().and_then(|it| it.calm.clone());
        let name = format!("{}, calm", self.cell.policy);
        lines.extend(calm.map(|windows| line(name, windows, true)));
        let marks = self.plan.events.iter().map(|(at, event)| Mark {
            at: *at,
            text: event.text.clone(),
        });
        Some(OverTime {
            lines,
            marks: marks.collect(),
            by: self.by,
        })
    }

    fn nodes(&self) -> Option<Nodes> {
        let deployment = self.cell.deployment;
        // A node that has joined owns other keys before than after.
        let busiest = busiest(&self.cell.nodes).filter(|&it| it < deployment.nodes as usize)?;
        let node = u16::try_from(busiest).ok()?;
        let owners = owners(self.trace, deployment);
        let (ops, warm) = (self.grid.rules.ops, self.plan.warm);
        let hottest = hottest(self.trace, ops, &owners, node, warm, HOTTEST);
        let keys = Keys::new(&self.trace.keys);
        let names = hottest.objects.iter().map(|&(object, _)| {
            let text = shown(keys.get(object));
            let short: String = text.chars().take(MAX_KEY).collect();
            if short.len() < text.len() {
                short + "…"
            } else {
                short
            }
        });
        Some(Nodes {
            busiest,
            keys: names.collect(),
            hottest,
        })
    }
}
