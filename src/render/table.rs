//! Columns, with or without a box around them.

use comfy_table::presets::{ASCII_FULL_CONDENSED, NOTHING, UTF8_FULL_CONDENSED};
use comfy_table::{CellAlignment, ContentArrangement, Table};

use super::style::{Paint, Style};
use super::{checks, messages, plain};
use crate::cluster::Status;
use crate::id::NodeId;
use crate::language::word::show;
use crate::reply::{Found, HotRow, NodeRow, Reply, Ring, Skew, skew};
use crate::stats::Stats;

/// The widest bar, in characters.
const BAR: u64 = 10;

/// What has columns in a box; what has none as plain lines.
pub fn reply(style: Style, reply: &Reply<'_>, out: &mut Vec<u8>) {
    let Some(grid) = grid(style, reply) else {
        return plain::reply(style, reply, out);
    };
    let mut table = Table::new();
    table.load_style(if style.unicode {
        UTF8_FULL_CONDENSED
    } else {
        ASCII_FULL_CONDENSED
    });
    table.set_content_arrangement(ContentArrangement::Disabled);
    align_numbers(&mut table, &grid.headers, &grid.rows);
    let text = format!("{}{table}\n{}", grid.above, grid.below);
    out.extend_from_slice(text.as_bytes());
}

/// Aligned columns without a box.
pub fn columns(style: Style, reply: &Reply<'_>, out: &mut Vec<u8>) {
    if let Some(grid) = grid(style, reply) {
        lines(style, &grid, "", out);
    }
}

/// The lines of a grid as aligned columns, each behind an indent.
pub fn lines(style: Style, grid: &Grid, indent: &str, out: &mut Vec<u8>) {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    align_numbers(&mut table, &grid.headers, &grid.rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    out.extend_from_slice(grid.above.as_bytes());
    for (number, line) in table.lines().enumerate() {
        let line = line.trim_end();
        out.extend_from_slice(indent.as_bytes());
        if number == 0 {
            out.extend_from_slice(style.painted(Paint::Heading, line).as_bytes());
        } else {
            out.extend_from_slice(line.as_bytes());
        }
        out.push(b'\n');
    }
    out.extend_from_slice(grid.below.as_bytes());
}

fn align_numbers(table: &mut Table, headers: &[String], rows: &[Vec<String>]) {
    table.set_header(headers);
    table.add_rows(rows);
    for (at, column) in table.column_iter_mut().enumerate() {
        let mut cells = rows.iter().filter_map(|row| row.get(at));
        if cells.all(|cell| {
            cell.bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'%' | b'-'))
        }) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// What has columns.
#[derive(Default)]
pub struct Grid {
    /// Lines before the table.
    pub above: String,
    headers: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Lines after the table.
    pub below: String,
}

impl Grid {
    pub fn new(headers: &[&str], rows: Vec<Vec<String>>) -> Self {
        Self {
            headers: headers.iter().map(|&header| header.into()).collect(),
            rows,
            ..Self::default()
        }
    }
}

fn grid(style: Style, reply: &Reply<'_>) -> Option<Grid> {
    Some(match reply {
        Reply::Value(found) => Grid::new(&["key", "value", "server"], vec![found_row(found)]),
        Reply::Values(values) => {
            let found = values.iter().filter_map(|(key, found)| {
                let (node, value) = found.as_ref().ok()?;
                Some(row_of(key, value.as_deref(), *node))
            });
            let rows = found.collect();
            Grid::new(&["key", "value", "server"], rows)
        }
        Reply::Keys(keys) => {
            let rows = keys.iter().map(|key| vec![shown(key)]).collect();
            Grid::new(&["key"], rows)
        }
        Reply::Nodes(rows) => nodes(style, rows),
        Reply::Ring(ring) => self::ring(style, ring),
        Reply::Hot(rows) => hot(rows),
        Reply::Stats { stats, .. } => {
            let rows = counts(stats).map(|(name, count)| vec![name.into(), count.to_string()]);
            let mut rows = Vec::from(rows);
            rows.push(vec!["hit ratio".into(), percent(stats.hit_ratio())]);
            Grid::new(&["count", "value"], rows)
        }
        Reply::Events(events) => {
            let rows = events.iter().map(|event| {
                let at = format!("{}", event.at.as_millis());
                let (node, kind) = (event.node.to_string(), event.kind.to_string());
                vec![at, node, kind, shown(&event.key)]
            });
            Grid::new(&["ms", "server", "event", "key"], rows.collect())
        }
        Reply::Links(messages) => messages::grid(messages),
        Reply::History {
            operations,
            unrecorded,
        } => checks::history(operations, *unrecorded),
        _ => return None,
    })
}

fn nodes(style: Style, rows: &[NodeRow]) -> Grid {
    let loads = rows.iter().map(|row| row.stats.keys);
    let all: u64 = loads.clone().sum();
    let cells = rows.iter().map(|row| {
        let paint = match row.state {
            Status::Up => Paint::Value,
            Status::Crashed => Paint::Error,
            _ => Paint::Notice,
        };
        let state = style.painted(paint, &row.state.to_string());
        let mut cells = vec![row.node.to_string(), state];
        cells.extend(counts(&row.stats).map(|(_, count)| count.to_string()));
        cells.push(percent(row.stats.hit_ratio()));
        cells.push(percent(row.used));
        cells.push(percent(part(row.stats.keys, all)));
        if style.interactive {
            cells.push(bar(style, row.stats.keys, all));
        }
        cells
    });
    let names = counts(&Stats::default()).map(|(name, _)| name);
    let mut headers = vec!["server", "state"];
    headers.extend(names);
    headers.extend(["hit %", "used", "share"]);
    if style.interactive {
        headers.push("");
    }
    let mut grid = Grid::new(&headers, cells.collect());
    if let Some(skew) = skew(loads) {
        grid.below = format!("skew {skew:.2} (max / mean keys)\n");
    }
    grid
}

/// The band, if there is one, and each node's part of all hashes.
fn ring(style: Style, ring: &Ring) -> Grid {
    let mut above = format!("{} placement\n", ring.placement);
    if !ring.band.is_empty() {
        above += &ring
            .band
            .iter()
            .map(|node| mark(style, *node))
            .collect::<String>();
        above.push('\n');
    }
    let rows = ring.shares.iter().map(|(member, share)| {
        let (node, weight) = (member.node.to_string(), member.weight.to_string());
        let mut cells = vec![node, weight, percent(Some(*share))];
        if !ring.band.is_empty() {
            cells.insert(1, mark(style, member.node));
        }
        cells
    });
    let headers: &[&str] = if ring.band.is_empty() {
        &["server", "weight", "share"]
    } else {
        &["server", "mark", "weight", "share"]
    };
    Grid {
        above,
        ..Grid::new(headers, rows.collect())
    }
}

/// What stands for a node in a band: its number in base 36, as far as one character goes.
fn mark(style: Style, node: NodeId) -> String {
    let digit = char::from_digit(node.0, 36).unwrap_or('+');
    let paints = [
        Paint::Command,
        Paint::Value,
        Paint::Notice,
        Paint::Quoted,
        Paint::Number,
    ];
    style.painted(paints[node.0 as usize % paints.len()], &digit.to_string())
}

fn hot(rows: &[HotRow]) -> Grid {
    let cells = rows.iter().flat_map(|row| {
        row.keys.iter().map(|hot| {
            vec![
                row.node.to_string(),
                shown(&hot.key),
                hot.count.to_string(),
                hot.error.to_string(),
                percent(part(hot.count, row.requests)),
            ]
        })
    });
    let headers = ["server", "key", "requests", "unsure", "share"];
    let mut grid = Grid::new(&headers, cells.collect());
    if let Some(skew) = Skew::of(rows) {
        grid.below = format!(
            "skew {:.2} (max / mean requests), {:.2} without these keys: they explain {} of it\n",
            skew.all,
            skew.without,
            percent(Some(skew.explained))
        );
    }
    grid
}

fn part(count: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| count as f64 / all as f64)
}

fn found_row(found: &Found<'_>) -> Vec<String> {
    row_of(&found.key, found.value.as_deref(), found.node)
}

fn row_of(key: &[u8], value: Option<&[u8]>, node: NodeId) -> Vec<String> {
    let value = value.map_or_else(|| "null".into(), shown);
    vec![shown(key), value, node.to_string()]
}

fn shown(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    show(bytes, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn counts(stats: &Stats) -> [(&'static str, u64); 6] {
    [
        ("keys", stats.keys),
        ("bytes", stats.bytes),
        ("hits", stats.hits),
        ("misses", stats.misses),
        ("evicted", stats.evicted),
        ("expired", stats.expired),
    ]
}

fn percent(part: Option<f64>) -> String {
    part.map_or_else(|| "-".into(), |part| format!("{:.1}%", part * 100.0))
}

/// A bar that is full where one node has everything.
fn bar(style: Style, part: u64, all: u64) -> String {
    let len = if all == 0 {
        0
    } else {
        (part * BAR).div_ceil(all)
    };
    let mark = if style.unicode { "█" } else { "#" };
    let bar = mark.repeat(usize::try_from(len).unwrap_or(0));
    style.painted(Paint::Command, &bar)
}
