//! Messages on their way, and the path of a command.

use std::time::Duration;

use serde_json::Value;

use super::json::{Object, results};
use super::plain::{line, time_since_start};
use super::style::{Paint, Style};
use super::table::Grid;
use crate::network::Endpoint;
use crate::reply::{Fate, Passage};
use crate::time::Instant;

/// Messages in flight.
pub fn grid(messages: &[Passage]) -> Grid {
    let rows = messages.iter().map(|it| {
        let arrives = match it.fate {
            Fate::Travels(at) | Fate::Delivered(at) => since_start(at),
            Fate::Held => "held".into(),
            Fate::Waits(_) => "paused".into(),
            Fate::Lost(_) => "lost".into(),
        };
        let (from, to) = (it.from.to_string(), it.to.to_string());
        vec![from, to, it.text.clone(), since_start(it.sent), arrives]
    });
    Grid::new(
        &["from", "to", "message", "sent", "arrives"],
        rows.collect(),
    )
}

/// What STEP has delivered: `20ms 2 -> 0: write apple v1`.
pub fn delivered(style: Style, messages: &[Passage], out: &mut Vec<u8>) {
    for it in messages {
        let at = style.painted(Paint::Faint, &since_start(it.at()));
        line(&format!("{at} {}", passage(it)), out);
    }
}

/// What TRACE has seen: `+20ms 2 -> 0: write apple v1 (sent +0ms)`.
pub fn path(style: Style, start: Instant, messages: &[Passage], out: &mut Vec<u8>) {
    for it in messages {
        let after = |at: Instant| format!("+{}", millis(at.since(start)));
        let at = style.painted(Paint::Faint, &after(it.at()));
        let note = match it.fate {
            Fate::Delivered(arrived) if arrived == it.sent => String::new(),
            Fate::Delivered(_) => format!(" (sent {})", after(it.sent)),
            Fate::Travels(arrives) => format!(" (arrives {})", after(arrives)),
            Fate::Held => " (held)".into(),
            Fate::Waits(_) => format!(" (server {} is paused)", it.to),
            Fate::Lost(_) => " (lost)".into(),
        };
        let note = style.painted(Paint::Notice, &note);
        line(&format!("{at} {}{note}", passage(it)), out);
    }
}

fn passage(it: &Passage) -> String {
    format!("{} -> {}: {}", it.from, it.to, it.text)
}

fn since_start(at: Instant) -> String {
    time_since_start(at.since(Instant::START))
}

/// Milliseconds, with as many decimals as it takes to tell microseconds.
fn millis(time: Duration) -> String {
    let micros = time.as_micros();
    let text = format!("{}.{:03}", micros / 1000, micros % 1000);
    format!("{}ms", text.trim_end_matches('0').trim_end_matches('.'))
}

pub fn json(messages: &[Passage]) -> Value {
    results(messages.iter().map(object))
}

fn object(it: &Passage) -> Object {
    let endpoint = |end: Endpoint| match end {
        Endpoint::Client => Value::from("client"),
        Endpoint::Node(node) => node.0.into(),
    };
    let (state, arrives) = match it.fate {
        Fate::Delivered(at) => ("delivered", Some(at)),
        Fate::Travels(at) => ("in_flight", Some(at)),
        Fate::Held => ("held", None),
        Fate::Waits(at) => ("paused", Some(at)),
        Fate::Lost(_) => ("lost", None),
    };
    let mut object = Object::new();
    object.insert("from".into(), endpoint(it.from));
    object.insert("to".into(), endpoint(it.to));
    object.insert("kind".into(), it.kind.into());
    object.insert("message".into(), it.text.clone().into());
    object.insert("sent_ms".into(), it.sent.as_millis().into());
    let arrives = arrives.map(Instant::as_millis);
    object.insert("arrives_ms".into(), arrives.into());
    object.insert("state".into(), state.into());
    object
}
