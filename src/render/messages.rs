//! Messages between nodes and clients, and the faults that disturb them.

use std::time::Duration;

use serde_json::{Value, json};

use super::grid::Grid;
use super::style::{Paint, Style};
use super::text::{acknowledge, line, sentence, since_start};
use crate::network::Endpoint;
use crate::reply::{Delivery, TracedMessage};
use crate::time::Instant;

pub fn faults(style: Style, faults: &[String], out: &mut Vec<u8>) {
    for fault in faults {
        line(fault, out);
    }
    if faults.is_empty() {
        acknowledge(style, "no faults", out);
    }
}

/// What HEAL says of the faults that it leaves.
pub fn healed(remaining: &[String]) -> String {
    match remaining {
        [] => "OK".into(),
        remaining => format!(
            "OK; still in force: {} (HEAL ALL repairs these, too)",
            remaining.join(", ")
        ),
    }
}

/// Messages in flight.
pub fn grid(messages: &[TracedMessage]) -> Grid {
    let rows = messages.iter().map(|it| {
        let (from, to) = (it.from.to_string(), it.to.to_string());
        let (sent, arrives) = (since_start(it.sent), arrival(it.delivery));
        vec![from, to, it.text.clone(), sent, arrives]
    });
    let headers = ["from", "to", "message", "sent", "arrives"];
    Grid::new(&headers, rows).rare(&["sent"])
}

fn arrival(delivery: Delivery) -> String {
    match delivery {
        Delivery::Travels(at) | Delivery::Delivered(at) => since_start(at),
        Delivery::Held => "held".into(),
        Delivery::Waits(_) => "paused".into(),
        Delivery::Lost(_) => "lost".into(),
    }
}

pub fn in_flight(style: Style, messages: &[TracedMessage], out: &mut Vec<u8>) {
    if messages.is_empty() {
        return acknowledge(style, NONE_IN_FLIGHT, out);
    }
    grid(messages).columns(style, "", out);
}

/// The messages that `STEP` has delivered: `20ms 2 -> 0: write apple v1`.
pub fn delivered(style: Style, messages: &[TracedMessage], out: &mut Vec<u8>) {
    if messages.is_empty() {
        return acknowledge(style, NONE_IN_FLIGHT, out);
    }
    for it in messages {
        let at = style.painted(Paint::Faint, &since_start(it.at()));
        sentence(style, &format!("{at} {}", described(it)), 2, out);
    }
}

const NONE_IN_FLIGHT: &str = "no messages in flight";

/// The messages of `TRACE`: `+20ms 2 -> 0: write apple v1 (sent +0ms)`.
pub fn path(
    style: Style,
    start: Instant,
    messages: &[TracedMessage],
    omitted: u64,
    out: &mut Vec<u8>,
) {
    for it in messages {
        let at = style.painted(Paint::Faint, &after(start, it.at()));
        let note = style.painted(Paint::Notice, &note(start, it));
        sentence(style, &format!("{at} {}{note}", described(it)), 2, out);
    }
    if omitted > 0 {
        line(&format!("{omitted} more messages were not recorded"), out);
    }
}

fn note(start: Instant, it: &TracedMessage) -> String {
    match it.delivery {
        Delivery::Delivered(arrived) if arrived == it.sent => String::new(),
        Delivery::Delivered(_) => format!(" (sent {})", after(start, it.sent)),
        Delivery::Travels(arrives) => format!(" (arrives {})", after(start, arrives)),
        Delivery::Held => " (held)".into(),
        Delivery::Waits(_) => format!(" (node {} is paused)", it.to),
        Delivery::Lost(_) => " (lost)".into(),
    }
}

fn described(it: &TracedMessage) -> String {
    format!("{} -> {}: {}", it.from, it.to, it.text)
}

/// The time since `start` in milliseconds, with up to three decimals; with a minus before `start`.
fn after(start: Instant, at: Instant) -> String {
    let (sign, time) = if at < start {
        ('-', start.saturating_duration_since(at))
    } else {
        ('+', at.saturating_duration_since(start))
    };
    let micros = Duration::as_micros(&time);
    let text = format!("{}.{:03}", micros / 1000, micros % 1000);
    format!(
        "{sign}{}ms",
        text.trim_end_matches('0').trim_end_matches('.')
    )
}

pub fn objects(messages: &[TracedMessage]) -> Value {
    messages.iter().map(object).collect()
}

fn object(it: &TracedMessage) -> Value {
    let end = |end: Endpoint| match end {
        Endpoint::Client(_) => Value::from(end.to_string()),
        Endpoint::Node(node) => node.0.into(),
    };
    let (state, arrives) = match it.delivery {
        Delivery::Delivered(at) => ("delivered", Some(at)),
        Delivery::Travels(at) => ("in_flight", Some(at)),
        Delivery::Held => ("held", None),
        Delivery::Waits(at) => ("paused", Some(at)),
        Delivery::Lost(_) => ("lost", None),
    };
    json!({
        "from": end(it.from),
        "to": end(it.to),
        "kind": it.kind,
        "message": it.text,
        "sent_ms": it.sent.as_millis(),
        "arrives_ms": arrives.map(Instant::as_millis),
        "state": state,
    })
}
