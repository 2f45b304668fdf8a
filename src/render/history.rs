//! The operations of clients in a history.

use serde::Serialize;

use super::grid::Grid;
use super::object::{Named, key};
use super::style::Style;
use super::text::{acknowledge, since_start};
use crate::history::{Call, Content, Outcome};
use crate::language::word::Shown;
use crate::operation::Operation;
use crate::time::{Compact, Instant};

pub fn list(style: Style, operations: &[Call], forgotten: u64, out: &mut Vec<u8>) {
    if operations.is_empty() {
        return acknowledge(style, "nothing was asked yet", out);
    }
    grid(operations, forgotten).columns(style, "", out);
}

/// Operations, oldest first.
pub fn grid(operations: &[Call], forgotten: u64) -> Grid {
    let rows = operations.iter().map(|it| {
        vec![
            it.client.to_string(),
            since_start(it.invoked),
            it.returned.map_or_else(|| "-".into(), since_start),
            command(it),
            outcome(it),
        ]
    });
    let headers = ["client", "invoked", "returned", "command", "outcome"];
    let mut grid = Grid::new(&headers, rows).rare(&["returned", "invoked"]);
    if forgotten > 0 {
        grid.below = format!("{forgotten} earlier ones are forgotten\n");
    }
    grid
}

/// The command of the operation.
fn command(it: &Call) -> String {
    match it.name {
        Some(name) => format!(
            "{} {}{}",
            name.to_ascii_uppercase(),
            Shown(&it.key),
            effect(it, name)
        ),
        None => format!("{} {}{}", it.operation.name(), Shown(&it.key), words(it)),
    }
}

/// What a command of a client does to the key, where its name does not say it.
fn effect(it: &Call, name: &str) -> String {
    let change = |from: Option<&Content>, to: Option<&Content>, deadline: &Option<Instant>| {
        let of = |value: Option<&Content>| value.map_or_else(|| "null".into(), content);
        format!(" ({} -> {}{})", of(from), of(to), ttl(it, *deadline))
    };
    match &it.operation {
        Operation::Add { value, deadline } => change(None, Some(value), deadline),
        Operation::Cas {
            expected,
            new,
            deadline,
        } => change(Some(expected), Some(new), deadline),
        Operation::Swap {
            expected,
            new,
            deadline,
            ..
        } => change(Some(expected), new.as_ref(), deadline),
        Operation::Incr { .. } if matches!(name, "incr" | "decr") => String::new(),
        Operation::Incr { delta } if name == "incrby" => format!(" {delta}"),
        Operation::Incr { delta } if name == "decrby" => format!(" {}", -i128::from(*delta)),
        _ => words(it),
    }
}

fn ttl(it: &Call, deadline: Option<Instant>) -> String {
    let ttl = deadline.map(|deadline| Compact(deadline.saturating_duration_since(it.invoked)));
    ttl.map_or_else(String::new, |ttl| format!(" {ttl}"))
}

/// What follows the key in the command of an operation.
fn words(it: &Call) -> String {
    let ttl = |deadline: &Option<Instant>| ttl(it, *deadline);
    match &it.operation {
        Operation::Put { value, deadline } | Operation::Add { value, deadline } => {
            format!(" {}{}", content(value), ttl(deadline))
        }
        Operation::Cas {
            expected,
            new,
            deadline,
        } => format!(" {} {}{}", content(expected), content(new), ttl(deadline)),
        Operation::Swap {
            expected,
            new,
            deadline,
            ..
        } => {
            let new = new.as_ref().map(|new| format!(" {}", content(new)));
            let new = new.unwrap_or_default();
            format!(" {}{new}{}", content(expected), ttl(deadline))
        }
        Operation::SetDeadline { deadline } => ttl(deadline),
        Operation::Incr { delta: 1 } | Operation::Delete | Operation::Get => String::new(),
        Operation::Incr { delta } => format!(" {delta}"),
    }
}

/// A value as it is typed; of a long one the first bytes and the length.
pub fn content(content: &Content) -> String {
    let head = Shown(content.head());
    match content.whole() {
        Some(_) => head.to_string(),
        None => format!("{head}...({} bytes)", content.length()),
    }
}

fn outcome(it: &Call) -> String {
    let condition = matches!(it.operation, Operation::SetDeadline { .. });
    let Some(outcome) = &it.outcome else {
        return "pending".into();
    };
    match outcome {
        Outcome::Unknown => "unknown".into(),
        Outcome::Refused => "refused".into(),
        Outcome::Done => "acknowledged".into(),
        Outcome::Value(Some(value)) => format!("-> {}", content(value)),
        Outcome::Value(None) => "-> null".into(),
        Outcome::Applied(true) if condition => "changed".into(),
        Outcome::Applied(false) if condition => "nothing to change".into(),
        Outcome::Applied(true) => "stored".into(),
        Outcome::Applied(false) => "not stored".into(),
    }
}

/// The fields of an operation.
#[derive(Serialize)]
pub struct Fields<'a> {
    client: u32,
    invoked_ms: u64,
    returned_ms: Option<u64>,
    #[serde(flatten)]
    key: Named<'a>,
    command: String,
    outcome: &'static str,
    #[serde(flatten)]
    value: Option<Named<'a>>,
    /// The length of a value of which only the first bytes are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    value_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    applied: Option<bool>,
}

pub fn objects(operations: &[Call]) -> Vec<Fields<'_>> {
    operations.iter().map(object).collect()
}

fn object(it: &Call) -> Fields<'_> {
    let (outcome, value, applied) = match &it.outcome {
        None => ("pending", None, None),
        Some(Outcome::Unknown) => ("unknown", None, None),
        Some(Outcome::Refused) => ("refused", None, None),
        Some(Outcome::Done) => ("acknowledged", None, None),
        Some(Outcome::Value(value)) => ("value", Some(value.as_ref()), None),
        Some(Outcome::Applied(applied)) => ("applied", None, Some(*applied)),
    };
    Fields {
        client: it.client,
        invoked_ms: it.invoked.as_millis(),
        returned_ms: it.returned.map(Instant::as_millis),
        key: key(&it.key),
        command: command(it),
        outcome,
        value: value.map(named),
        value_bytes: value
            .flatten()
            .filter(|it| it.whole().is_none())
            .map(Content::length),
        applied,
    }
}

fn named(value: Option<&Content>) -> Named<'_> {
    match value {
        Some(value) if value.whole().is_none() => Named("value_head", Some(value.head())),
        value => Named("value", value.map(Content::head)),
    }
}
