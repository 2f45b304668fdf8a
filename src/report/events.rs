//! What events cost, in words and in JSON.

use serde_json::{Value, json};

use super::cell::Cell;
use super::number::{percent, requests, span};
use super::over_time::Mark;
use crate::render::grouped;
use crate::replay::{End, Impact};

/// An event and its cost in words.
pub struct Told {
    /// The command.
    pub command: String,
    /// Where it happened.
    pub place: String,
    /// What it cost.
    pub cost: String,
}

/// The events of a cell in words, in their order. `len` is the length of the trace.
pub fn told(cell: &Cell, marks: &[Mark], len: usize) -> Vec<Told> {
    let impacts = cell.course.iter().flat_map(|course| &course.impacts);
    let all = marks.iter().zip(impacts).map(|(mark, impact)| Told {
        command: mark.text.clone(),
        place: format!(
            "request {} ({}, after {})",
            grouped(impact.at as u64),
            percent(impact.at as f64 / len.max(1) as f64),
            span(impact.time),
        ),
        cost: cost(impact),
    });
    all.collect()
}

fn cost(impact: &Impact) -> String {
    if impact.requests == 0 {
        return match impact.end {
            End::NextEvent => "counts with the next event, which comes at once".into(),
            End::Recovered => "no more misses than by chance".into(),
            End::TraceEnd => "the trace ends here".into(),
        };
    }
    let misses = match impact.extra_misses.unsigned_abs() {
        1 => ("1".to_owned(), "miss"),
        count => (grouped(count), "misses"),
    };
    let misses = match (impact.extra_misses, misses) {
        (0, _) => "as many misses".into(),
        (1.., (count, noun)) => format!("{count} more {noun}"),
        (_, (count, noun)) => format!("{count} fewer {noun}"),
    };
    let failed = match impact.failed {
        0 => String::new(),
        failed => format!(", {} without an answer", requests(failed)),
    };
    let (lasts, time) = (requests(impact.requests as u64), span(impact.nanos));
    let until = match impact.end {
        End::Recovered => "then as without it",
        End::NextEvent => "until the next event",
        End::TraceEnd => "until the end",
    };
    format!("{misses}{failed}, in {lasts} ({time}), {until}")
}

/// The events as lines of text.
pub fn lines(told: &[Told]) -> Vec<String> {
    let line = |(number, told): (usize, &Told)| {
        let Told {
            command,
            place,
            cost,
        } = told;
        format!("{} {command} before {place}: {cost}", number + 1)
    };
    told.iter().enumerate().map(line).collect()
}

/// The events of a cell.
pub fn objects(cell: &Cell, marks: &[Mark]) -> Vec<Value> {
    let impacts = cell.course.iter().flat_map(|course| &course.impacts);
    let all = marks.iter().zip(impacts).map(|(mark, impact)| {
        json!({
            "command": mark.text,
            "request": impact.at,
            "extra_misses": impact.extra_misses,
            "failed": impact.failed,
            "requests": impact.requests,
            "ms": impact.nanos / 1_000_000,
            "recovered": impact.end == End::Recovered,
        })
    });
    all.collect()
}
