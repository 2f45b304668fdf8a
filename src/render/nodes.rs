//! Replies about the nodes: their contents and counts.

use serde::Serialize;

use super::grid::{Grid, bar};
use super::object::{Of, of, rounded};
use super::style::{Paint, Style};
use super::text::{percent, shown};
use crate::cluster::{Quantile, Status};
use crate::id::NodeId;
use crate::language::word::Shown;
use crate::reply::{HotRow, Latency, NodeRow, Remote, Skew, key_skew};
use crate::stats::Stats;

pub fn nodes_grid(style: Style, rows: &[NodeRow]) -> Grid {
    let all = total_keys(rows);
    let cells = rows.iter().map(|row| node_cells(style, row, all));
    let mut headers = vec!["node", "state"];
    let are_remote = rows.iter().any(|row| row.remote.is_some());
    if are_remote {
        headers.extend(["role", "address", "lag"]);
    }
    headers.extend(counts(&Stats::default()).map(|(name, _)| name));
    headers.extend(["hit %", "used", "share"]);
    if style.interactive {
        headers.push("");
    }
    let mut grid = Grid::new(&headers, cells).rare(rare_columns(rows));
    if let Some(skew) = key_skew(rows) {
        let is_weighted = rows.iter().any(|row| row.weight.is_some_and(|it| it > 1));
        let keys = if is_weighted {
            "keys for the weight"
        } else {
            "keys"
        };
        grid.below = format!("skew {skew:.2} (max / mean {keys})\n");
    }
    grid.below += &missing_copies(rows);
    grid.below += &open_slots(rows);
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

/// The copies that nodes lack: `2 copies are missing (node 0: 1, node 2: 1)`.
fn missing_copies(rows: &[NodeRow]) -> String {
    let missing = |row: &NodeRow| row.stats.replicas_missing;
    let all: u64 = rows.iter().map(missing).sum();
    let lacking = rows.iter().filter(|row| missing(row) > 0);
    let lacking = lacking.map(|row| format!("node {}: {}", row.node, missing(row)));
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
    let state = match &row.remote {
        Some(remote) => remote.state.to_owned(),
        None => row.state.to_string(),
    };
    let mut cells = vec![row.node.to_string(), style.painted(paint, &state)];
    cells.extend(row.remote.iter().flat_map(remote_cells));
    cells.extend(counts(&row.stats).map(|(_, count)| count.to_string()));
    cells.push(percent(row.stats.hit_ratio()));
    cells.push(percent(row.used));
    cells.push(percent(share_of(row, all)));
    if style.interactive {
        cells.push(bar(style, row.stats.keys, all));
    }
    cells
}

/// Role, address and lag of a real server.
fn remote_cells(remote: &Remote) -> [String; 3] {
    let role = remote.primary.map_or_else(
        || "primary".to_owned(),
        |primary| format!("replica of {primary}"),
    );
    let lag = remote
        .lag
        .map_or_else(|| "-".to_owned(), |lag| lag.to_string());
    [role, remote.address.clone(), lag]
}

/// The slots that are on their way.
fn open_slots(rows: &[NodeRow]) -> String {
    let open = rows.iter().filter_map(|row| {
        let count = row.remote.as_ref()?.open_slots;
        (count > 0).then(|| format!("node {}: {count}", row.node))
    });
    let open: Vec<String> = open.collect();
    if open.is_empty() {
        return String::new();
    }
    let open = open.join(", ");
    format!("slots are open ({open}): REBALANCE finishes their moves\n")
}

pub fn stats_grid(stats: &Stats, latency: Option<&Latency>) -> Grid {
    let rows = counts(stats).map(|(name, count)| vec![name.into(), count.to_string()]);
    let ratio = vec!["hit ratio".into(), percent(stats.hit_ratio())];
    let missing = stats.replicas_missing.to_string();
    let missing = vec!["copies missing".into(), missing];
    let latency = latency.into_iter().flat_map(latency_rows);
    let rows = rows.into_iter().chain([ratio, missing]).chain(latency);
    Grid::new(&["count", "value"], rows)
}

fn latency_rows(latency: &Latency) -> [Vec<String>; 5] {
    let row = |name: &str, value: String| vec![name.into(), value];
    [
        row("requests", latency.requests.to_string()),
        row("p50 ms", time(latency.median)),
        row("p99 ms", time(latency.p99)),
        row("timeouts", latency.timeouts.to_string()),
        row("retries", latency.retries.to_string()),
    ]
}

/// A time in milliseconds, with a `~` if it is not exact.
fn time(quantile: Option<Quantile>) -> String {
    quantile.map_or_else(
        || "-".into(),
        |quantile| {
            let mark = if quantile.is_exact { "" } else { "~" };
            format!("{mark}{}", millis(quantile))
        },
    )
}

/// Whether no node has counted a request.
pub fn is_cold(rows: &[HotRow]) -> bool {
    rows.iter().all(|row| row.requests == 0)
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
    let headers = ["node", "key", "requests", "unsure", "share"];
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

/// The keys of all nodes. Those of replicas are the keys of their primaries.
fn total_keys(rows: &[NodeRow]) -> u64 {
    let own = rows.iter().filter(|row| !is_replica(row));
    own.map(|row| row.stats.keys).sum()
}

fn is_replica(row: &NodeRow) -> bool {
    let remote = row.remote.as_ref();
    remote.is_some_and(|remote| remote.primary.is_some())
}

fn share_of(row: &NodeRow, all: u64) -> Option<f64> {
    share(row.stats.keys, all).filter(|_| !is_replica(row))
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

/// The counts of a node or of the cluster, in the order of [`counts`].
#[derive(Serialize)]
struct Counts {
    keys: u64,
    bytes: u64,
    hits: u64,
    misses: u64,
    evicted: u64,
    expired: u64,
    hit_ratio: Option<f64>,
    replicas_missing: u64,
}

impl From<&Stats> for Counts {
    fn from(stats: &Stats) -> Self {
        Self {
            keys: stats.keys,
            bytes: stats.bytes,
            hits: stats.hits,
            misses: stats.misses,
            evicted: stats.evicted,
            expired: stats.expired,
            hit_ratio: stats.hit_ratio().map(rounded),
            replicas_missing: stats.replicas_missing,
        }
    }
}

/// The fields of `STATS`.
#[derive(Serialize)]
pub struct StatsObject {
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<u32>,
    #[serde(flatten)]
    counts: Counts,
    #[serde(flatten)]
    latency: Option<LatencyObject>,
}

#[derive(Serialize)]
struct LatencyObject {
    requests: u64,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    /// Whether both times are exact; otherwise they are too long by at most a sixteenth.
    latency_exact: bool,
    timeouts: u64,
    retries: u64,
}

pub fn stats_object(node: Option<NodeId>, stats: &Stats, latency: Option<Latency>) -> StatsObject {
    StatsObject {
        node: node.map(|node| node.0),
        counts: stats.into(),
        latency: latency.map(latency_object),
    }
}

fn latency_object(latency: Latency) -> LatencyObject {
    let quantiles = [latency.median, latency.p99];
    LatencyObject {
        requests: latency.requests,
        p50_ms: latency.median.map(millis),
        p99_ms: latency.p99.map(millis),
        latency_exact: quantiles.iter().flatten().all(|it| it.is_exact),
        timeouts: latency.timeouts,
        retries: latency.retries,
    }
}

/// Milliseconds, rounded up to whole microseconds.
fn millis(quantile: Quantile) -> f64 {
    quantile.time.as_nanos().div_ceil(1000) as f64 / 1000.0
}

/// The fields of `NODES`.
#[derive(Serialize)]
pub struct NodesObject {
    skew: Option<f64>,
    nodes: Vec<NodeObject>,
}

#[derive(Serialize)]
struct NodeObject {
    node: u32,
    state: String,
    #[serde(flatten)]
    remote: Option<RemoteObject>,
    #[serde(flatten)]
    counts: Counts,
    /// A part of the node's capacity.
    used: Option<f64>,
    /// A part of all keys.
    share: f64,
}

/// What only a real server has.
#[derive(Serialize)]
struct RemoteObject {
    role: &'static str,
    /// The primary of a replica.
    of: Option<u32>,
    address: String,
    /// Bytes of the replication stream that a replica has not got yet.
    lag: Option<u64>,
    open_slots: usize,
}

fn remote_object(remote: &Remote) -> RemoteObject {
    RemoteObject {
        role: if remote.primary.is_none() {
            "primary"
        } else {
            "replica"
        },
        of: remote.primary.map(|node| node.0),
        address: remote.address.clone(),
        lag: remote.lag,
        open_slots: remote.open_slots,
    }
}

pub fn nodes_object(rows: &[NodeRow]) -> NodesObject {
    let all = total_keys(rows);
    let nodes = rows.iter().map(|row| NodeObject {
        node: row.node.0,
        state: match &row.remote {
            Some(remote) => remote.state.to_owned(),
            None => row.state.to_string(),
        },
        remote: row.remote.as_ref().map(remote_object),
        counts: (&row.stats).into(),
        used: row.used.map(rounded),
        share: share_of(row, all).map_or(0.0, rounded),
    });
    NodesObject {
        skew: key_skew(rows).map(rounded),
        nodes: nodes.collect(),
    }
}

/// The fields of `HOT`.
#[derive(Serialize)]
pub struct HotObject<'a> {
    skew: Option<f64>,
    skew_without: Option<f64>,
    explained: Option<f64>,
    nodes: Vec<HotNode<'a>>,
}

#[derive(Serialize)]
struct HotNode<'a> {
    node: u32,
    requests: u64,
    keys: Vec<Of<'a, HotCount>>,
}

#[derive(Serialize)]
struct HotCount {
    count: u64,
    error: u64,
}

pub fn hot_object(rows: &[HotRow]) -> HotObject<'_> {
    let skew = Skew::of(rows);
    HotObject {
        skew: skew.map(|skew| rounded(skew.all)),
        skew_without: skew.map(|skew| rounded(skew.without)),
        explained: skew.map(|skew| rounded(skew.explained)),
        nodes: rows.iter().map(hot_node).collect(),
    }
}

fn hot_node(row: &HotRow) -> HotNode<'_> {
    let keys = row.keys.iter().map(|hot| {
        let (count, error) = (hot.count, hot.error);
        of(&hot.key, HotCount { count, error })
    });
    HotNode {
        node: row.node.0,
        requests: row.requests,
        keys: keys.collect(),
    }
}
