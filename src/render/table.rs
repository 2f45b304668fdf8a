//! Columns, with or without a box around them.

use comfy_table::presets::{ASCII_FULL_CONDENSED, NOTHING, UTF8_FULL_CONDENSED};
use comfy_table::{CellAlignment, ContentArrangement, Table};

use super::plain;
use super::style::{Paint, Style};
use crate::language::word::show;
use crate::reply::{Found, Reply};
use crate::stats::Stats;

/// The widest bar, in characters.
const BAR: u64 = 10;

/// What has columns in a box; what has none as plain lines.
pub fn reply(style: Style, reply: &Reply<'_>, out: &mut Vec<u8>) {
    let Some(Grid { headers, rows }) = grid(style, reply) else {
        return plain::reply(style, reply, out);
    };
    let mut table = Table::new();
    table.load_style(if style.unicode {
        UTF8_FULL_CONDENSED
    } else {
        ASCII_FULL_CONDENSED
    });
    table.set_content_arrangement(ContentArrangement::Disabled);
    align_numbers(&mut table, &headers, &rows);
    out.extend_from_slice(table.to_string().as_bytes());
    out.push(b'\n');
}

/// Aligned columns without a box.
pub fn columns(style: Style, reply: &Reply<'_>, out: &mut Vec<u8>) {
    let Some(Grid { headers, rows }) = grid(style, reply) else {
        return;
    };
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    align_numbers(&mut table, &headers, &rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    for (number, line) in table.lines().enumerate() {
        let line = line.trim_end();
        if number == 0 {
            out.extend_from_slice(style.painted(Paint::Heading, line).as_bytes());
        } else {
            out.extend_from_slice(line.as_bytes());
        }
        out.push(b'\n');
    }
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

struct Grid {
    headers: Vec<String>,
    rows: Vec<Vec<String>>,
}

fn grid(style: Style, reply: &Reply<'_>) -> Option<Grid> {
    let (headers, rows): (&[&str], Vec<Vec<String>>) = match reply {
        Reply::Value(found) => (&["key", "value", "server"], vec![found_row(found)]),
        Reply::Values(values) => (
            &["key", "value", "server"],
            values.iter().map(found_row).collect(),
        ),
        Reply::Keys(keys) => (&["key"], keys.iter().map(|key| vec![shown(key)]).collect()),
        Reply::Nodes(rows) => {
            let all = rows.iter().map(|row| row.stats.keys).sum();
            let rows = rows.iter().map(|row| {
                let state = style.painted(Paint::Value, row.state);
                let mut cells = vec![row.node.to_string(), state];
                cells.extend(counts(&row.stats).map(|(_, count)| count.to_string()));
                cells.push(percent(row.stats.hit_ratio()));
                cells.push(percent(row.used));
                if style.interactive {
                    cells.push(bar(style, row.stats.keys, all));
                }
                cells
            });
            let names = counts(&Stats::default()).map(|(name, _)| name);
            let mut headers = vec!["server", "state"];
            headers.extend(names);
            headers.extend(["hit %", "used"]);
            if style.interactive {
                headers.push("share");
            }
            return Some(Grid {
                headers: headers.into_iter().map(Into::into).collect(),
                rows: rows.collect(),
            });
        }
        Reply::Stats { stats, .. } => {
            let rows = counts(stats).map(|(name, count)| vec![name.into(), count.to_string()]);
            let mut rows = Vec::from(rows);
            rows.push(vec!["hit ratio".into(), percent(stats.hit_ratio())]);
            (&["count", "value"], rows)
        }
        Reply::Events(events) => {
            let rows = events.iter().map(|event| {
                let at = format!("{}", event.at.as_millis());
                let (node, kind) = (event.node.to_string(), event.kind.to_string());
                vec![at, node, kind, shown(&event.key)]
            });
            (&["ms", "server", "event", "key"], rows.collect())
        }
        _ => return None,
    };
    Some(Grid {
        headers: headers.iter().map(|&header| header.into()).collect(),
        rows,
    })
}

fn found_row(found: &Found<'_>) -> Vec<String> {
    let value = found
        .value
        .as_ref()
        .map_or_else(|| "null".into(), |value| shown(value));
    vec![shown(&found.key), value, found.node.to_string()]
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
