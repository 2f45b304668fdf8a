//! Plain lines. In a batch, a command that only does something prints nothing, and one that
//! answers prints just the answer; at the prompt, everything is acknowledged.

use std::time::Duration;

use super::style::{Paint, Style};
use super::{checks, help, messages, table};
use crate::cluster::MoveCost;
use crate::config::Capacity;
use crate::event::{Event, EventKind};
use crate::language::word::{show, show_text};
use crate::language::{Change, duration};
use crate::placement::Hex;
use crate::reply::{Left, Moved, Reply, Whereabouts};

#[inline]
pub fn reply(style: Style, reply: &Reply<'_>, out: &mut Vec<u8>) {
    match reply {
        Reply::Done | Reply::StoredOne(_) | Reply::Changed { changed: true, .. } => {
            said(style, "OK", out);
        }
        Reply::Stored(keys) => match reply.failures().len() {
            0 => said(style, "OK", out),
            failed => {
                let text = format!("{} of {} stored", keys.len() - failed, keys.len());
                said(style, &text, out);
            }
        },
        Reply::Value(value) => found(style, &value.key, value.value.as_deref(), out),
        Reply::Values(values) => {
            for (key, value) in values {
                if let Ok((_, value)) = value {
                    found(style, key, value.as_deref(), out);
                }
            }
        }
        Reply::Removed(keys) => {
            let removed = keys.iter().filter(|(_, it)| matches!(it, Ok(true))).count();
            removals(style, removed as u64, out);
        }
        Reply::Cleared(removed) => removals(style, *removed, out),
        Reply::Conditional { key, stored } => {
            let outcome = if *stored { "stored" } else { "not stored" };
            arrow(style, key, Paint::Value, outcome.as_bytes(), out);
        }
        Reply::Ttl { key, left } => match left {
            Left::Absent => arrow(style, key, Paint::Faint, b"null", out),
            Left::Forever => arrow(style, key, Paint::Faint, b"none", out),
            Left::For(left) => arrow(style, key, Paint::Value, time(*left).as_bytes(), out),
        },
        Reply::Changed { changed: false, .. } => said(style, "nothing to change", out),
        Reply::Existing { exists, asked } if style.interactive => {
            line(&format!("{exists} of {asked} exist"), out);
        }
        Reply::Existing { exists, .. } => line(&exists.to_string(), out),
        Reply::Keys(keys) => {
            for key in keys {
                show(key, out);
                out.push(b'\n');
            }
            if keys.is_empty() {
                said(style, "no keys", out);
            }
        }
        Reply::Size(1) if style.interactive => line("1 key", out),
        Reply::Size(keys) if style.interactive => line(&format!("{keys} keys"), out),
        Reply::Size(keys) => line(&keys.to_string(), out),
        Reply::Time { elapsed, .. } => line(&time_since_start(*elapsed), out),
        Reply::Clock(kind) => line(&kind.to_string(), out),
        Reply::Nodes(_) | Reply::Stats { .. } | Reply::Ring(_) | Reply::Hot(_) => {
            table::columns(style, reply, out);
        }
        Reply::Links(messages) if messages.is_empty() => {
            said(style, "no messages in flight", out);
        }
        Reply::History { operations, .. } if operations.is_empty() => {
            said(style, "nothing was asked yet", out);
        }
        Reply::Links(_) | Reply::History { .. } => table::columns(style, reply, out),
        Reply::Faults(faults) if faults.is_empty() => said(style, "no faults", out),
        Reply::Faults(faults) => faults.iter().for_each(|fault| line(fault, out)),
        Reply::Delivered(messages) if messages.is_empty() => {
            said(style, "no messages in flight", out);
        }
        Reply::Delivered(messages) => messages::delivered(style, messages, out),
        Reply::Path { start, messages } => messages::path(style, *start, messages, out),
        Reply::Check(judgement) => checks::judgement(style, judgement, out),
        Reply::Replicas(replicas) => line(&replicas.to_string(), out),
        Reply::Quorum { .. } => line(&checks::quorum(reply), out),
        Reply::Placement(kind) => line(&kind.to_string(), out),
        Reply::Nemesis(nemesis) => line(&nemesis.to_string(), out),
        Reply::Moved(moved) => line(&moved_text(moved), out),
        Reply::Eviction(eviction) => line(&eviction.to_string(), out),
        Reply::Capacity(capacity) => line(&capacity_text(*capacity), out),
        Reply::Where(place) => whereabouts(style, place, out),
        Reply::Events(events) => {
            for event in events {
                timed_event(style, event, out);
            }
            if events.is_empty() {
                said(style, "no events", out);
            }
        }
        Reply::Text(text) => {
            show_text(text, out);
            out.push(b'\n');
        }
        Reply::Help(topic) => help::topic(style, *topic, out),
    }
}

/// What is said at a prompt, where silence would leave a person wondering.
fn said(style: Style, text: &str, out: &mut Vec<u8>) {
    if style.interactive {
        style.paint(Paint::Faint, out, |out| {
            out.extend_from_slice(text.as_bytes());
        });
        out.push(b'\n');
    }
}

fn removals(style: Style, removed: u64, out: &mut Vec<u8>) {
    said(style, &format!("{removed} removed"), out);
}

pub fn line(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(text.as_bytes());
    out.push(b'\n');
}

#[inline]
fn found(style: Style, key: &[u8], value: Option<&[u8]>, out: &mut Vec<u8>) {
    show(key, out);
    style.paint(Paint::Faint, out, |out| out.extend_from_slice(b" -> "));
    match value {
        Some(value) => style.paint(Paint::Value, out, |out| show(value, out)),
        None => style.paint(Paint::Faint, out, |out| out.extend_from_slice(b"null")),
    }
    out.push(b'\n');
}

fn arrow(style: Style, key: &[u8], paint: Paint, outcome: &[u8], out: &mut Vec<u8>) {
    show(key, out);
    style.paint(Paint::Faint, out, |out| out.extend_from_slice(b" -> "));
    style.paint(paint, out, |out| out.extend_from_slice(outcome));
    out.push(b'\n');
}

fn capacity_text(capacity: Capacity) -> String {
    match (capacity.entries, capacity.bytes) {
        (None, None) => "none".into(),
        (Some(entries), None) => format!("{entries} entries a node"),
        (None, Some(bytes)) => format!("{bytes} bytes a node"),
        (Some(entries), Some(bytes)) => format!("{entries} entries and {bytes} bytes a node"),
    }
}

fn moved_text(moved: &Moved) -> String {
    let node = moved.node.map_or_else(String::new, |node| node.to_string());
    let what = match moved.change {
        Change::Join { .. } => format!("Server {node} joined"),
        Change::Leave { .. } if moved.cost.waiting > 0 => format!("Server {node} is leaving"),
        Change::Leave { .. } => format!("Server {node} left"),
        Change::Place { kind } => format!("Placement {kind}"),
        Change::Replicate { replicas } => format!("Replicas {replicas}"),
        Change::Rebalance if moved.cost.waiting > 0 => "Not balanced yet".into(),
        Change::Rebalance => "Balanced".into(),
    };
    let MoveCost {
        keys,
        moved: count,
        optimum,
        lost,
        waiting,
    } = moved.cost;
    let keys = format!("{keys} {}", if keys == 1 { "key" } else { "keys" });
    let copies = if count == 1 { "copy" } else { "copies" };
    let done = match moved.change {
        Change::Replicate { .. } => format!("{count} {copies} of {keys} made"),
        _ if moved.replicas > 1 => format!("{count} {copies} of {keys} moved"),
        _ => format!("{count} of {keys} moved"),
    };
    let lost = match lost {
        0 => String::new(),
        lost => format!("; {lost} lost for want of room"),
    };
    let waiting = match waiting {
        0 => String::new(),
        1 => "; 1 key waits for a server that is down or cut off".into(),
        waiting => format!("; {waiting} keys wait for a server that is down or cut off"),
    };
    let time = time_since_start(moved.time);
    format!("{what}: {done} (optimum {optimum}) in {time}{lost}{waiting}")
}

fn whereabouts(style: Style, place: &Whereabouts<'_>, out: &mut Vec<u8>) {
    let owners = place.owners.iter().map(ToString::to_string);
    let owners = owners.collect::<Vec<_>>().join(", ");
    let servers = if place.owners.len() == 1 {
        "server"
    } else {
        "servers"
    };
    let text = format!(
        "{servers} {owners} ({}, hash {}, {})",
        place.placement,
        Hex(place.hash),
        place.location
    );
    arrow(style, &place.key, Paint::Value, text.as_bytes(), out);
}

/// An event's one sentence, without its time.
pub fn event(event: &Event, out: &mut Vec<u8>) {
    let (node, kind) = (event.node, event.kind);
    if kind == EventKind::Nemesis {
        out.extend_from_slice(b"Nemesis: ");
        out.extend_from_slice(&event.key);
    } else if kind.has_key() {
        out.extend_from_slice(format!("Server {node} {kind} key: ").as_bytes());
        show(&event.key, out);
    } else {
        out.extend_from_slice(format!("Server {node} {kind}").as_bytes());
    }
}

fn timed_event(style: Style, it: &Event, out: &mut Vec<u8>) {
    let at = time_since_start(Duration::from_millis(it.at.as_millis()));
    style.paint(Paint::Faint, out, |out| {
        out.extend_from_slice(at.as_bytes());
    });
    out.push(b' ');
    style.paint(Paint::Notice, out, |out| event(it, out));
    out.push(b'\n');
}

/// What is left, in whole milliseconds and never less than is true.
fn time(left: Duration) -> String {
    let millis = left.as_nanos().div_ceil(1_000_000);
    duration::show(Duration::from_millis(
        u64::try_from(millis).unwrap_or(u64::MAX),
    ))
}

/// What has passed, in whole milliseconds.
pub fn time_since_start(elapsed: Duration) -> String {
    let millis = elapsed.as_millis();
    duration::show(Duration::from_millis(
        u64::try_from(millis).unwrap_or(u64::MAX),
    ))
}
