//! Replies about the nodes: their contents and counts.

use serde_json::{Map, Value, json};

use super::grid::{Grid, bar};
use super::object::{of, rounded};
use super::style::{Paint, Style};
use super::text::{percent, shown};
use crate::cluster::Status;
use crate::config::Capacity;
use crate::id::NodeId;
use crate::language::word::Shown;
use crate::reply::{HotRow, NodeRow, Skew, skew};
use crate::stats::Stats;

pub fn nodes_grid(style: Style, rows: &[NodeRow]) -> Grid {
    let all = total_keys(rows);
    let cells = rows.iter().map(|row| node_cells(style, row, all));
    let mut headers = vec!["server", "state"];
    headers.extend(counts(&Stats::default()).map(|(name, _)| name));
    headers.extend(["hit %", "used", "share"]);
    if style.interactive {
        headers.push("");
    }
    let mut grid = Grid::new(&headers, cells).rare(rare_columns(rows));
    if let Some(skew) = skew(rows.iter().map(|row| row.stats.keys)) {
        grid.below = format!("skew {skew:.2} (max / mean keys)\n");
    }
    grid.below += &missing_copies(rows);
    grid
}

/// The columns that a narrow terminal goes without, the first one first: the bar, and before others
/// what says nothing where nodes have no capacity.
fn rare_columns(rows: &[NodeRow]) -> &'static [&'static str] {
    if rows.iter().all(|row| row.used.is_none()) {
        return &[
            "", "used", "evicted", "expired", "misses", "hits", "bytes", "hit %", "share",
        ];
    }
    &[
        "", "expired", "misses", "hits", "evicted", "bytes", "hit %", "share", "used",
    ]
}

/// The copies that nodes lack: `2 copies are missing (server 0: 1, server 2: 1)`.
fn missing_copies(rows: &[NodeRow]) -> String {
    let missing = |row: &NodeRow| row.stats.replicas_missing;
    let all: u64 = rows.iter().map(missing).sum();
    let lacking = rows.iter().filter(|row| missing(row) > 0);
    let lacking = lacking.map(|row| format!("server {}: {}", row.node, missing(row)));
    let lacking = lacking.collect::<Vec<_>>().join(", ");
    match all {
        0 => String::new(),
        1 => format!("1 copy is missing ({lacking})\n"),
        all => format!("{all} copies are missing ({lacking})\n"),
    }
}

fn node_cells(style: Style, row: &NodeRow, all: u64) -> Vec<String> {
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
    cells.push(percent(share(row.stats.keys, all)));
    if style.interactive {
        cells.push(bar(style, row.stats.keys, all));
    }
    cells
}

pub fn stats_grid(stats: &Stats) -> Grid {
    let rows = counts(stats).map(|(name, count)| vec![name.into(), count.to_string()]);
    let ratio = vec!["hit ratio".into(), percent(stats.hit_ratio())];
    let missing = stats.replicas_missing.to_string();
    let missing = vec!["copies missing".into(), missing];
    let rows = rows.into_iter().chain([ratio, missing]);
    Grid::new(&["count", "value"], rows)
}

pub fn hot_grid(style: Style, rows: &[HotRow]) -> Grid {
    // A long key would leave no room for its counts.
    let key = |key: &[u8]| match style.width {
        Some(_) => Shown(key).to_string(),
        None => shown(key),
    };
    let cells = rows.iter().flat_map(|row| {
        row.keys.iter().map(|hot| {
            vec![
                row.node.to_string(),
                key(&hot.key),
                hot.count.to_string(),
                hot.error.to_string(),
                percent(share(hot.count, row.requests)),
            ]
        })
    });
    let headers = ["server", "key", "requests", "unsure", "share"];
    let mut grid = Grid::new(&headers, cells).rare(&["unsure", "share"]);
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

pub fn capacity(capacity: Capacity) -> String {
    match (capacity.entries, capacity.bytes) {
        (None, None) => "none".into(),
        (Some(entries), None) => format!("{entries} entries a node"),
        (None, Some(bytes)) => format!("{bytes} bytes a node"),
        (Some(entries), Some(bytes)) => format!("{entries} entries and {bytes} bytes a node"),
    }
}

fn total_keys(rows: &[NodeRow]) -> u64 {
    rows.iter().map(|row| row.stats.keys).sum()
}

fn share(count: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| count as f64 / all as f64)
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

pub fn stats_object(node: Option<NodeId>, stats: &Stats) -> Map<String, Value> {
    let node = node.map(|node| ("node".into(), node.0.into()));
    node.into_iter().chain(count_fields(stats)).collect()
}

fn count_fields(stats: &Stats) -> impl Iterator<Item = (String, Value)> {
    let counts = counts(stats).map(|(name, count)| (name.into(), count.into()));
    let ratio = stats.hit_ratio().map(rounded).into();
    let missing = stats.replicas_missing.into();
    let others = [("hit_ratio", ratio), ("replicas_missing", missing)];
    let others = others.map(|(name, value): (&str, Value)| (name.into(), value));
    counts.into_iter().chain(others)
}

/// `skew` is the most keys on a node as a multiple of the mean; `used` is a part of the node's
/// capacity, and `share` a part of all keys.
pub fn nodes_object(rows: &[NodeRow]) -> Value {
    let all = total_keys(rows);
    let nodes = rows.iter().map(|row| {
        let mut node = Map::new();
        node.insert("node".into(), row.node.0.into());
        node.insert("state".into(), row.state.to_string().into());
        node.extend(count_fields(&row.stats));
        node.insert("used".into(), row.used.map(rounded).into());
        let share = share(row.stats.keys, all).map_or(0.0, rounded);
        node.insert("share".into(), share.into());
        Value::Object(node)
    });
    let skew = skew(rows.iter().map(|row| row.stats.keys));
    json!({
        "skew": skew.map(rounded),
        "nodes": nodes.collect::<Value>(),
    })
}

pub fn hot_object(rows: &[HotRow]) -> Value {
    let skew = Skew::of(rows);
    json!({
        "skew": skew.map(|skew| rounded(skew.all)),
        "skew_without": skew.map(|skew| rounded(skew.without)),
        "explained": skew.map(|skew| rounded(skew.explained)),
        "nodes": rows.iter().map(hot_node).collect::<Value>(),
    })
}

fn hot_node(row: &HotRow) -> Value {
    let keys = row.keys.iter().map(|hot| {
        let fields = json!({ "count": hot.count, "error": hot.error });
        of(&hot.key, fields)
    });
    json!({
        "node": row.node.0,
        "requests": row.requests,
        "keys": keys.collect::<Vec<_>>(),
    })
}

pub fn capacity_object(capacity: Capacity) -> Value {
    json!({ "entries": capacity.entries, "bytes": capacity.bytes })
}
