//! Replies about where keys belong, and about keys that move.

use serde_json::{Map, Value, json};

use super::grid::Grid;
use super::object::{Of, numbers, of, rounded, whole};
use super::style::{Paint, Style};
use super::text::{arrow, elapsed, percent};
use crate::cluster::MoveCost;
use crate::id::NodeId;
use crate::language::Change;
use crate::placement::Hex;
use crate::reply::{Moved, Ring, Whereabouts};

/// The band, if there is one, and each node's share of all hashes.
pub fn ring_grid(style: Style, ring: &Ring) -> Grid {
    let has_band = !ring.band.is_empty();
    let rows = ring.shares.iter().map(|(member, share)| {
        let (node, weight) = (member.node.to_string(), member.weight.to_string());
        let mut cells = vec![node, weight, percent(Some(*share))];
        if has_band {
            cells.insert(1, mark(style, member.node));
        }
        cells
    });
    let headers: &[&str] = if has_band {
        &["server", "mark", "weight", "share"]
    } else {
        &["server", "weight", "share"]
    };
    let mut grid = Grid::new(headers, rows);
    grid.above = above_ring(style, ring);
    grid
}

fn above_ring(style: Style, ring: &Ring) -> String {
    let mut above = format!("{} placement\n", ring.placement);
    if !ring.band.is_empty() {
        let columns = style.width.unwrap_or(usize::MAX).max(1);
        for row in ring.band.chunks(columns.min(ring.band.len())) {
            above.extend(row.iter().map(|node| mark(style, *node)));
            above.push('\n');
        }
    }
    above
}

/// The mark of a node in a band: its number in base 36, from 36 on a plus.
fn mark(style: Style, node: NodeId) -> String {
    const PAINTS: [Paint; 5] = [
        Paint::Command,
        Paint::Value,
        Paint::Notice,
        Paint::Quoted,
        Paint::Number,
    ];
    let digit = char::from_digit(node.0, 36).unwrap_or('+');
    let paint = PAINTS[node.0 as usize % PAINTS.len()];
    style.painted(paint, &digit.to_string())
}

pub fn whereabouts(style: Style, place: &Whereabouts<'_>, out: &mut Vec<u8>) {
    let owners: Vec<String> = place.owners.iter().map(ToString::to_string).collect();
    let text = format!(
        "server{} {} ({}, hash {}, {})",
        if owners.len() == 1 { "" } else { "s" },
        owners.join(", "),
        place.placement,
        Hex(place.hash),
        place.location
    );
    arrow(style, &place.key, Paint::Value, text.as_bytes(), out);
}

pub fn moved(moved: &Moved) -> String {
    let MoveCost {
        optimum,
        lost,
        waiting,
        evicted,
        missing,
        ..
    } = moved.cost;
    let lost = match lost {
        0 => String::new(),
        lost => format!("; {lost} lost for want of room"),
    };
    let waiting = match waiting {
        0 => String::new(),
        1 => "; 1 key waits for a server that is down or cut off".into(),
        waiting => format!("; {waiting} keys wait for a server that is down or cut off"),
    };
    let evicted = match evicted {
        0 => String::new(),
        evicted => format!("; {evicted} evicted to make room"),
    };
    let missing = match missing {
        0 => String::new(),
        1 => "; 1 copy is missing".into(),
        missing => format!("; {missing} copies are missing"),
    };
    format!(
        "{}: {} (optimum {optimum}) in {}{lost}{evicted}{waiting}{missing}",
        change(moved),
        count(moved),
        elapsed(moved.time)
    )
}

fn change(moved: &Moved) -> String {
    let node = moved.node.map_or_else(String::new, |node| node.to_string());
    let waits = moved.cost.waiting > 0;
    match moved.change {
        Change::Join { .. } => format!("Server {node} joined"),
        Change::Leave { .. } if waits => format!("Server {node} is leaving"),
        Change::Leave { .. } => format!("Server {node} left"),
        Change::Place { kind } => format!("Placement {kind}"),
        Change::Replicate { replicas } => format!("Replicas {replicas}"),
        Change::Rebalance if waits => "Not balanced yet".into(),
        Change::Rebalance => "Balanced".into(),
    }
}

fn count(moved: &Moved) -> String {
    let MoveCost {
        keys, moved: count, ..
    } = moved.cost;
    let keys = format!("{keys} {}", if keys == 1 { "key" } else { "keys" });
    let copies = if count == 1 { "copy" } else { "copies" };
    match moved.change {
        Change::Replicate { .. } => format!("{count} {copies} of {keys} made"),
        _ if moved.replicas > 1 => format!("{count} {copies} of {keys} moved"),
        _ => format!("{count} of {keys} moved"),
    }
}

pub fn ring_object(ring: &Ring) -> Value {
    let shares = ring.shares.iter().map(|(member, share)| {
        json!({
            "node": member.node.0,
            "weight": member.weight,
            "share": rounded(*share),
        })
    });
    json!({
        "placement": ring.placement.to_string(),
        "band": numbers(&ring.band),
        "nodes": shares.collect::<Value>(),
    })
}

pub fn where_object<'a>(place: &'a Whereabouts<'_>) -> Of<'a, Value> {
    let fields = json!({
        "placement": place.placement.to_string(),
        // As text: a reader with double precision would round 64 bits.
        "hash": Hex(place.hash).to_string(),
        "location": place.location.to_string(),
        "owners": numbers(&place.owners),
    });
    of(&place.key, fields)
}

pub fn moved_object(moved: &Moved) -> Map<String, Value> {
    let cost = &moved.cost;
    let node = moved.node.map(|node| ("node", node.0.into()));
    let placement = match moved.change {
        Change::Place { kind } => Some(("placement", kind.to_string().into())),
        _ => None,
    };
    let fields = [
        ("replicas", moved.replicas.into()),
        ("keys", cost.keys.into()),
        ("moved", cost.moved.into()),
        ("optimum", cost.optimum.into()),
        ("lost", cost.lost.into()),
        ("waiting", cost.waiting.into()),
        ("evicted", cost.evicted.into()),
        ("missing", cost.missing.into()),
        ("elapsed_ms", whole(moved.time.as_millis()).into()),
        ("ok", (cost.lost + cost.waiting == 0).into()),
    ];
    let all = node.into_iter().chain(placement).chain(fields);
    all.map(|(name, value): (&str, Value)| (name.into(), value))
        .collect()
}
