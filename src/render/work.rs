//! The reply to REPLAY and LOAD, and to COMPARE.

use serde_json::{Map, Value, json};

use super::grid::Grid;
use super::object::{rounded, whole};
use super::style::{Paint, Style};
use super::text::{elapsed, grouped, percent, sentence};
use crate::language::Error;
use crate::reply::{Window, Worked, skew};
use crate::time::Instant;

/// The columns of the curve where the output is no terminal. There are at most as many windows.
const WIDTH: usize = 64;
/// The hit ratio from zero to the highest, as bars and as characters that are in every terminal.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const MARKS: [char; 8] = ['_', '.', '-', '=', '+', '*', '#', '@'];

pub fn plain(style: Style, worked: &Worked, out: &mut Vec<u8>) {
    sentence(style, &headline(worked), 2, out);
    counts(worked).columns(style, "", out);
    if !worked.nodes.is_empty() {
        out.push(b'\n');
        nodes(worked).columns(style, "", out);
    }
    curve(style, worked, out);
}

pub fn boxed(style: Style, worked: &Worked, out: &mut Vec<u8>) {
    sentence(style, &headline(worked), 2, out);
    counts(worked).boxed(style, out);
    if !worked.nodes.is_empty() {
        nodes(worked).boxed(style, out);
    }
    curve(style, worked, out);
}

/// `web.csv: 1,000 requests from request 500 on, in 10s`.
fn headline(worked: &Worked) -> String {
    let requests = match worked.requests {
        1 => "1 request".into(),
        requests => format!("{} requests", grouped(requests)),
    };
    let from = match worked.first {
        0 => String::new(),
        first => format!(" from request {} on", grouped(first)),
    };
    let interrupted = if worked.is_interrupted {
        ", interrupted"
    } else {
        ""
    };
    let speed = worked.speed().map_or_else(String::new, |speed| {
        format!(", {} requests a second", grouped(floor(speed)))
    });
    let over = if worked.is_over { ", to the end" } else { "" };
    let (name, took) = (&worked.name, elapsed(worked.took));
    format!("{name}: {requests}{from}{over}{interrupted}, in {took}{speed}")
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast to an integer goes to the nearest one that it has"
)]
fn floor(number: f64) -> u64 {
    number as u64
}

/// What was counted. Lines that are zero are left out where most are.
fn counts(worked: &Worked) -> Grid {
    let failed = worked.failed.iter().map(|(_, count)| count).sum::<u64>();
    let skipped = worked.skipped.iter().map(|(_, count)| count).sum::<u64>();
    let always = [
        ("hits", worked.hits),
        ("misses", worked.misses),
        ("evicted", worked.evicted),
        ("expired", worked.expired),
    ];
    let sometimes = [
        ("writes", worked.writes),
        ("lost races", worked.lost_races),
        ("failed", failed),
        ("skipped", skipped),
        ("values cut", worked.cut),
    ];
    let sometimes = sometimes.into_iter().filter(|it| it.1 > 0);
    let counts = always.into_iter().chain(sometimes);
    let rows = counts.map(|(name, count)| vec![name.into(), count.to_string()]);
    let ratios = [
        vec!["hit ratio".into(), percent(worked.hit_ratio())],
        vec!["of bytes".into(), percent(worked.bytes_hit_ratio)],
    ];
    let mut grid = Grid::new(&["count", "value"], rows.chain(ratios));
    for (reason, count) in &worked.failed {
        grid.below += &format!("failed: {} because {reason}\n", grouped(*count));
    }
    for (reason, count) in &worked.skipped {
        grid.below += &format!("skipped: {} {reason}\n", grouped(*count));
    }
    grid
}

fn nodes(worked: &Worked) -> Grid {
    let loads = || worked.nodes.iter().map(|it| it.requests);
    let all: u64 = loads().sum();
    let rows = worked.nodes.iter().map(|it| {
        let share = it.requests as f64 / all.max(1) as f64;
        vec![
            it.node.to_string(),
            it.requests.to_string(),
            it.misses.to_string(),
            percent(Some(share)),
        ]
    });
    let mut grid = Grid::new(&["node", "requests", "misses", "share"], rows);
    if let Some(skew) = skew(loads()) {
        grid.below = format!("skew {skew:.2} (max / mean requests)\n");
    }
    grid
}

/// The hit ratio over time, from zero to the highest.
fn curve(style: Style, worked: &Worked, out: &mut Vec<u8>) {
    let width = style.width.unwrap_or(WIDTH);
    let mut windows = worked.windows.clone();
    while windows.len() > width {
        windows = windows.chunks(2).map(joined).collect();
    }
    let most = windows.iter().map(ratio).fold(0.0, f64::max);
    if windows.len() < 2 || most == 0.0 {
        return;
    }
    let levels = if style.unicode { BARS } else { MARKS };
    let bars: String = windows.iter().map(|it| level(it, most, levels)).collect();
    out.push(b'\n');
    let text = format!("hit ratio over time, 0% to {}", percent(Some(most)));
    sentence(style, &text, 2, out);
    style.paint(Paint::Command, out, |out| {
        out.extend_from_slice(bars.as_bytes());
    });
    out.push(b'\n');
}

fn joined(windows: &[Window]) -> Window {
    Window {
        start: windows.first().map_or(Instant::START, |it| it.start),
        gets: windows.iter().map(|it| it.gets).sum(),
        hits: windows.iter().map(|it| it.hits).sum(),
    }
}

fn ratio(window: &Window) -> f64 {
    window.hits as f64 / window.gets.max(1) as f64
}

fn level(window: &Window, most: f64, levels: [char; 8]) -> char {
    let part = ratio(window) / most;
    let level = (part * (levels.len() - 1) as f64).round();
    let level = usize::try_from(floor(level)).unwrap_or(0);
    levels.get(level).copied().unwrap_or(' ')
}

pub fn object(worked: &Worked) -> Value {
    let nodes = worked
        .nodes
        .iter()
        .map(|it| json!({ "node": it.node.0, "requests": it.requests, "misses": it.misses }));
    let windows = worked.windows.iter().map(|it| {
        json!({
            "at_ms": it.start.as_millis(),
            "gets": it.gets,
            "hits": it.hits,
            "hit_ratio": rounded(ratio(it)),
        })
    });
    let mut object = json!({
        "name": worked.name,
        "from": worked.first,
        "requests": worked.requests,
        "hits": worked.hits,
        "misses": worked.misses,
        "hit_ratio": worked.hit_ratio().map(rounded),
        "bytes_hit_ratio": worked.bytes_hit_ratio.map(rounded),
        "writes": worked.writes,
        "lost_races": worked.lost_races,
        "failed": by_reason(&worked.failed),
        "skipped": by_reason(&worked.skipped),
        "values_cut": worked.cut,
        "evicted": worked.evicted,
        "expired": worked.expired,
        "nodes": nodes.collect::<Value>(),
        "windows": windows.collect::<Value>(),
        "took_ms": whole(worked.took.as_millis()),
        "clock": worked.clock.to_string(),
        "requests_per_second": worked.speed().map(f64::round),
        "ended": worked.is_over,
        "interrupted": worked.is_interrupted,
    });
    put_error(&mut object, worked.error.as_ref());
    object
}

fn by_reason(counts: &[(impl AsRef<str>, u64)]) -> Value {
    let counts = counts.iter();
    let counts = counts.map(|(reason, count)| (reason.as_ref().to_owned(), json!(count)));
    Value::Object(counts.collect::<Map<_, _>>())
}

fn put_error(object: &mut Value, error: Option<&Error>) {
    if let Some(error) = error {
        object["error"] = json!(error.message);
        object["kind"] = json!(error.kind.to_string());
    }
}

/// The object of a report, without the name that the reply has already.
fn fields(report: &str) -> Value {
    let mut object: Value = serde_json::from_str(report).unwrap_or_default();
    if let Some(fields) = object.as_object_mut() {
        fields.shift_remove("command");
    }
    object
}

/// The objects of comparisons: one is the reply itself.
pub fn compared_object(reports: &[String], error: Option<&Error>) -> Value {
    let objects = reports.iter().map(|report| fields(report));
    let objects: Vec<Value> = objects.collect();
    let mut object = match <[Value; 1]>::try_from(objects) {
        Ok([object]) if object.is_object() => object,
        Ok(results) => json!({ "results": results }),
        Err(results) => json!({ "results": results }),
    };
    put_error(&mut object, error);
    object
}
