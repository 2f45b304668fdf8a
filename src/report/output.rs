//! A comparison as text, JSON or CSV.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

use super::braille;
use super::cell::{Cell, Course, Deployment};
use super::cluster::{self, Nodes};
use super::events;
use super::over_time::{self, OverTime};
use super::svg::Series;
use super::table::table;
use super::verdict::{sentence, verdict};
use crate::render::wrapped;
use crate::replay::{Policy, Unit};

/// Characters of the curve, without its axes.
const CURVE: (usize, usize) = (60, 15);

/// How a comparison is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// The sentence, the curve and the table.
    #[default]
    Plain,
    /// The sentence and the table.
    Table,
    /// One object.
    Json,
    /// A row for each cell.
    Csv,
}

impl Form {
    /// All forms.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Table, Self::Json, Self::Csv];

    /// Whether it shows missed bytes.
    #[must_use]
    pub fn has_bytes(self) -> bool {
        matches!(self, Self::Json | Self::Csv)
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Table => "table",
            Self::Json => "json",
            Self::Csv => "csv",
        })
    }
}

/// The error of parsing a [`Form`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such format; the formats are plain table json csv")]
pub struct UnknownForm;

impl FromStr for Form {
    type Err = UnknownForm;

    fn from_str(name: &str) -> Result<Self, UnknownForm> {
        let mut all = Self::ALL.into_iter();
        all.find(|form| form.to_string() == name).ok_or(UnknownForm)
    }
}

/// What is known of the chosen cell beside its counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Details {
    /// Requests of the trace.
    pub requests: usize,
    /// Miss ratios over time of the best policies, with the events.
    pub over_time: Option<OverTime>,
    /// What explains the load of the nodes; `None` with one node.
    pub nodes: Option<Nodes>,
}

/// A comparison to be shown.
#[derive(Clone, Copy, Debug)]
pub struct Report<'r> {
    /// The cells.
    pub cells: &'r [Cell],
    /// Notes on parts that are left out, with the reasons.
    pub notes: &'r [String],
    /// The ratio that is minimised.
    pub by: Unit,
    /// The ratio to reach.
    pub target: Option<f64>,
    /// How it is shown.
    pub form: Form,
    /// The columns of the terminal.
    pub width: usize,
    /// The miss ratio of a cache without bounds.
    pub infinite: f64,
    /// What is known of the chosen cell.
    pub details: &'r Details,
}

/// Renders a comparison. It ends with a line end.
#[must_use]
pub fn text(report: &Report<'_>) -> String {
    match report.form {
        Form::Json => json_text(report),
        Form::Csv => csv(report.cells),
        Form::Plain | Form::Table => plain(report),
    }
}

fn verdict_text(report: &Report<'_>) -> Option<String> {
    let verdict = verdict(report.cells, report.by, report.target)?;
    Some(sentence(report.cells, report.by, &verdict))
}

fn plain(report: &Report<'_>) -> String {
    let mut text = String::new();
    for note in report.notes {
        text += &format!("note: {note}\n");
    }
    let Some(sentence) = verdict_text(report) else {
        return text + "no cell is done\n";
    };
    text += &wrapped(&sentence, report.width, "", 0);
    text.push('\n');
    // A curve takes two sizes.
    let has_curve = report
        .cells
        .iter()
        .any(|cell| cell.size != report.cells[0].size);
    if has_curve && report.form == Form::Plain && report.width >= CURVE.0 + 10 {
        let deployment = report.cells[0].deployment;
        let series = series(report.cells, report.by, deployment);
        let unit = report.cells[0].unit;
        text.push('\n');
        text += &braille::curve(&series, unit, CURVE.0, CURVE.1);
    }
    text.push('\n');
    text += &table(report.cells, report.by, report.width);
    if let Some(verdict) = verdict(report.cells, report.by, report.target) {
        text += &about_nodes(report, &report.cells[verdict.choice]);
        text += &course(report, &report.cells[verdict.choice]);
    }
    text
}

/// The nodes of the chosen cell, and what other clusters give.
fn about_nodes(report: &Report<'_>, chosen: &Cell) -> String {
    let mut text = String::new();
    let mut paragraph = |sentences: String| {
        if !sentences.is_empty() {
            text += &format!("\n{}\n", wrapped(&sentences, report.width, "", 0));
        }
    };
    let has_nodes = !chosen.nodes.is_empty();
    if has_nodes {
        paragraph(cluster::balance(chosen, report.details.nodes.as_ref()));
    }
    paragraph(cluster::others(report.cells, chosen, report.by));
    if has_nodes {
        text += &format!("\n{}", cluster::table(chosen, report.width));
    }
    text
}

/// The miss ratio over time, and what each event cost.
fn course(report: &Report<'_>, chosen: &Cell) -> String {
    let Some(over) = &report.details.over_time else {
        return String::new();
    };
    let mut text = String::new();
    if report.form == Form::Plain {
        text += &format!("\n{}", over_time::strips(over, report.width));
    }
    let told = events::told(chosen, &over.marks, report.details.requests);
    for line in events::lines(&told) {
        text += &wrapped(&line, report.width, "", 2);
        text.push('\n');
    }
    text
}

/// The curve of each policy on one deployment, the floor last, the others by their last ratio.
#[must_use]
pub fn series(cells: &[Cell], by: Unit, deployment: Deployment) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    for cell in cells.iter().filter(|cell| cell.deployment == deployment) {
        let name = cell.policy.to_string();
        let at = all.iter().position(|series| series.name == name);
        let at = at.unwrap_or_else(|| {
            all.push(Series {
                name,
                points: Vec::new(),
                bounds: Vec::new(),
                is_floor: cell.policy == Policy::Belady,
            });
            all.len() - 1
        });
        all[at].points.push((cell.size, cell.ratio(by)));
        if cell.error.is_some() {
            all[at].bounds.push(cell.bounds(by));
        }
    }
    let last = |series: &Series| series.points.last().map_or(0.0, |point| point.1);
    all.sort_by(|a, b| {
        a.is_floor
            .cmp(&b.is_floor)
            .then(last(b).total_cmp(&last(a)))
    });
    all
}

fn unit(cell: &Cell) -> &'static str {
    match cell.unit {
        Unit::Objects => "objects",
        Unit::Bytes => "bytes",
    }
}

fn json_text(report: &Report<'_>) -> String {
    let cells: Vec<Value> = report.cells.iter().map(object).collect();
    let verdict = verdict(report.cells, report.by, report.target);
    let chosen = verdict.map(|verdict| &report.cells[verdict.choice]);
    let clustered = chosen.filter(|cell| !cell.nodes.is_empty());
    let nodes = report.details.nodes.as_ref();
    let marks = report.details.over_time.iter();
    let marks: Vec<_> = marks.flat_map(|over| over.marks.clone()).collect();
    let object = json!({
        "command": "compare",
        "verdict": verdict_text(report),
        "notes": report.notes,
        "infinite": report.infinite,
        "cluster": clustered.map(|cell| cluster::object(cell, nodes)),
        "events": chosen.map(|cell| events::objects(cell, &marks)),
        "cells": cells,
    });
    format!("{object}\n")
}

fn object(cell: &Cell) -> Value {
    let (low, high) = cell.bounds(Unit::Objects);
    let nodes = cell.nodes.iter().enumerate().map(|(node, counts)| {
        json!({
            "node": node,
            "requests": counts.requests,
            "misses": counts.misses,
            "bytes": counts.bytes,
            "evicted": counts.evicted,
            "expired": counts.expired,
            "failed": counts.failed,
        })
    });
    let nodes: Vec<Value> = nodes.collect();
    let calm = cell.course.as_ref().and_then(Course::calm_counts);
    let impacts = cell.course.iter().flat_map(|course| &course.impacts);
    let extra: Vec<i64> = impacts.map(|impact| impact.extra_misses).collect();
    let mut object = json!({
        "policy": cell.policy.to_string(),
        "size": cell.size,
        "unit": unit(cell),
        "nodes": cell.deployment.nodes,
        "placement": cell.deployment.placement.to_string(),
        "replicas": cell.deployment.replicas,
        "requests": cell.counts.requests,
        "misses": cell.counts.misses,
        "missed_bytes": cell.counts.missed_bytes,
        "failed": cell.counts.failed,
        "misses_without_events": calm.map(|it| it.misses),
        "extra_misses_by_event": extra,
        "exact": cell.error.is_none(),
        "low": low,
        "high": high,
        "by_node": nodes,
    });
    if let Some(error) = cell.error {
        object["plus_minus"] = error.requests.into();
        object["bytes_plus_minus"] = error.bytes.into();
        object["sample_rate"] = error.rate.into();
    }
    object
}

fn csv(cells: &[Cell]) -> String {
    let is_exact = cells.iter().all(|cell| cell.error.is_none());
    let mut text =
        "policy,size,unit,nodes,placement,replicas,requests,misses,missed_bytes,exact,low,high"
            .to_owned();
    text += if is_exact {
        "\n"
    } else {
        ",plus_minus,bytes_plus_minus,sample_rate\n"
    };
    for cell in cells {
        let (low, high) = cell.bounds(Unit::Objects);
        let Deployment {
            nodes,
            placement,
            replicas,
        } = cell.deployment;
        text += &format!(
            "{},{},{},{nodes},{placement},{replicas},{},{},{},{},{low},{high}",
            cell.policy,
            cell.size,
            unit(cell),
            cell.counts.requests,
            cell.counts.misses,
            cell.counts.missed_bytes,
            cell.error.is_none(),
        );
        if let Some(error) = cell.error {
            text += &format!(",{},{},{}", error.requests, error.bytes, error.rate);
        }
        text.push('\n');
    }
    text
}
