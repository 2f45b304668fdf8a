//! Events, as they happen and in `EVENTS`.

use std::time::Duration;

use serde::Serialize;

use super::grid::Grid;
use super::object::{Named, Text, key};
use super::style::{Paint, Style};
use super::text::{self, acknowledge, elapsed, grouped, shown};
use crate::event::{Event, EventKind};
use crate::language::word::show;
use crate::time::{Compact, Instant};

/// Appends an event's one sentence, without its time and without a line end.
pub fn sentence(event: &Event, out: &mut Vec<u8>) {
    let kind = &event.kind;
    let node = event.node.map_or_else(String::new, |node| node.to_string());
    if let Some(sentence) = cluster_sentence(kind) {
        out.extend_from_slice(sentence.as_bytes());
    } else if let EventKind::Skewed(nanos) = kind {
        let time = Compact(Duration::from_nanos(nanos.unsigned_abs()));
        let clock = match nanos.signum() {
            0 => "is right".into(),
            1 => format!("is ahead by {time}"),
            _ => format!("is behind by {time}"),
        };
        out.extend_from_slice(format!("Node {node} clock {clock}").as_bytes());
    } else if let EventKind::CutOff(client) = kind {
        let text =
            format!("Node {node} cut off client {client}, which did not take what was sent to it");
        out.extend_from_slice(text.as_bytes());
    } else if kind.has_key() {
        let noun = noun(kind);
        out.extend_from_slice(format!("{noun} {node} {kind} key: ").as_bytes());
        show(&event.key, out);
        // Another client of a real server has written it.
        if *kind == EventKind::Expired && event.deadline.is_none() {
            out.extend_from_slice(b" (noticed)");
        }
    } else {
        out.extend_from_slice(format!("Node {node} {kind}").as_bytes());
    }
}

/// What a node is called in the sentence: the notice of an expiry has its fixed words.
fn noun(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::Expired => "Server",
        _ => "Node",
    }
}

/// The sentence of an event that concerns no single node.
fn cluster_sentence(kind: &EventKind) -> Option<String> {
    Some(match kind {
        EventKind::Nemesis(action) => format!("Nemesis: {action}"),
        EventKind::Partitioned(command) => format!("Network cut: {command}"),
        EventKind::Healed => "Network healed".into(),
        _ => return None,
    })
}

/// By how much a clock is ahead, or with a minus behind, in a form that SKEW reads.
fn ahead(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    format!(
        "{sign}{}",
        Compact(Duration::from_nanos(nanos.unsigned_abs()))
    )
}

/// Appends the sentence of many events of one kind, without a line end.
pub fn condensed(kind: &EventKind, keys: u64, nodes: usize, out: &mut Vec<u8>) {
    let one_or_many = |count: u64| if count == 1 { "" } else { "s" };
    let verb = match (kind, keys) {
        (EventKind::Expired, _) => "expired".into(),
        (kind, 1) => format!("was {kind}"),
        (kind, _) => format!("were {kind}"),
    };
    let text = format!(
        "{} key{} {verb} on {nodes} {}{}",
        grouped(keys),
        one_or_many(keys),
        noun(kind).to_lowercase(),
        one_or_many(nodes as u64)
    );
    out.extend_from_slice(text.as_bytes());
}

pub fn list(style: Style, events: &[Event], out: &mut Vec<u8>) {
    for event in events {
        timed(style, event, out);
    }
    if events.is_empty() {
        acknowledge(style, "no events", out);
    }
}

fn timed(style: Style, event: &Event, out: &mut Vec<u8>) {
    let at = elapsed(Duration::from_millis(event.at.as_millis()));
    let mut text = style.painted(Paint::Faint, &at).into_bytes();
    text.push(b' ');
    style.paint(Paint::Notice, &mut text, |out| sentence(event, out));
    text::sentence(style, &String::from_utf8_lossy(&text), 2, out);
}

pub fn grid(events: &[Event]) -> Grid {
    let rows = events.iter().map(|event| {
        let at = event.at.as_millis().to_string();
        let node = event
            .node
            .map_or_else(|| "-".into(), |node| node.to_string());
        let subject = match &event.kind {
            EventKind::Nemesis(command) | EventKind::Partitioned(command) => command.to_string(),
            EventKind::Skewed(nanos) => ahead(*nanos),
            EventKind::CutOff(client) => client.to_string(),
            kind if kind.has_key() => shown(&event.key),
            _ => "-".into(),
        };
        vec![at, node, event.kind.to_string(), subject]
    });
    Grid::new(&["ms", "node", "event", "key"], rows).rare(&["ms"])
}

#[derive(Serialize)]
pub struct Fields<'a> {
    event: Text<&'a EventKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<u32>,
    /// The key, or the command of the nemesis.
    #[serde(flatten)]
    subject: Option<Named<'a>>,
    /// By how much the clock is ahead.
    #[serde(skip_serializing_if = "Option::is_none")]
    ahead_ms: Option<f64>,
    /// The client that was cut off.
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<u32>,
    at_ms: u64,
    /// The deadline of an expiry that did not happen at its deadline.
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline_ms: Option<u64>,
}

pub fn object(event: &Event) -> Fields<'_> {
    let subject = match &event.kind {
        EventKind::Nemesis(command) | EventKind::Partitioned(command) => {
            Some(Named("fault", Some(command.as_bytes())))
        }
        kind => kind.has_key().then(|| key(&event.key)),
    };
    let deadline = event.deadline.filter(|&deadline| deadline != event.at);
    Fields {
        event: Text(&event.kind),
        node: event.node.map(|node| node.0),
        subject,
        ahead_ms: match event.kind {
            EventKind::Skewed(nanos) => Some(nanos as f64 / 1e6),
            _ => None,
        },
        client: match event.kind {
            EventKind::CutOff(client) => Some(client),
            _ => None,
        },
        at_ms: event.at.as_millis(),
        deadline_ms: deadline.map(Instant::as_millis),
    }
}

pub fn objects(events: &[Event]) -> Vec<Fields<'_>> {
    events.iter().map(object).collect()
}
