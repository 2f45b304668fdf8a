//! Replies about keys that move, or would move.

use serde::Serialize;

use super::object::{Text, whole};
use super::text::elapsed;
use crate::cluster::MoveCost;
use crate::language::Change;
use crate::placement::PlacementKind;
use crate::reply::Moved;

/// `Node 3 joined: 2 of 5 keys moved (fair share 1) in 0s; 1 key waits ...`.
pub fn text(moved: &Moved) -> String {
    if let Some(left) = moved.left {
        let (change, left) = (change(moved), elapsed(left));
        return format!("{change}: keys move for {left}; REBALANCE moves them at once");
    }
    let time = if moved.is_planned {
        String::new()
    } else {
        format!(" in {}", elapsed(moved.time))
    };
    let (change, count) = (change(moved), count(moved));
    let least = match moved.cost.fair_share {
        Some(fair) => format!("fair share {fair}"),
        None => format!("optimum {}", moved.cost.optimum),
    };
    format!("{change}: {count} ({least}){time}{}", troubles(moved))
}

/// What did not go well.
fn troubles(moved: &Moved) -> String {
    let MoveCost {
        lost,
        evicted,
        waiting,
        missing,
        ..
    } = moved.cost;
    let (waits, wait, is, are, be) = if moved.is_planned {
        let (wait, be) = ("would wait", "would be");
        (wait, wait, be, be, "would be ")
    } else {
        ("waits", "wait", "is", "are", "")
    };
    let cause = "for a node that is down or cut off";
    let mut text = String::new();
    let mut add = |count: u64, trouble: String| {
        if count > 0 {
            text += &format!("; {trouble}");
        }
    };
    add(lost, format!("{lost} {be}lost for want of room"));
    add(evicted, format!("{evicted} {be}evicted to make room"));
    match waiting {
        1 => add(1, format!("1 key {waits} {cause}")),
        _ => add(waiting, format!("{waiting} keys {wait} {cause}")),
    }
    match missing {
        1 => add(1, format!("1 copy {is} missing")),
        _ => add(missing, format!("{missing} copies {are} missing")),
    }
    if !moved.is_planned && waiting > 0 {
        text += "; run REBALANCE when all nodes are back";
    }
    text
}

fn change(moved: &Moved) -> String {
    let node = moved.node.map_or_else(String::new, |node| node.to_string());
    let waits = moved.cost.waiting > 0 || moved.left.is_some();
    match moved.change {
        Change::Join { .. } if moved.is_planned => format!("Node {node} would join"),
        Change::Leave { .. } if moved.is_planned => format!("Node {node} would leave"),
        Change::Join { .. } => format!("Node {node} joined"),
        Change::Leave { .. } if waits => format!("Node {node} is leaving"),
        Change::Leave { .. } => format!("Node {node} left"),
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
    let (did_move, made) = if moved.is_planned {
        ("would move", "would be made")
    } else {
        ("moved", "made")
    };
    match moved.change {
        Change::Replicate { .. } => format!("{count} {copies} of {keys} {made}"),
        _ if moved.replicas > 1 => format!("{count} {copies} of {keys} {did_move}"),
        _ => format!("{count} of {keys} {did_move}"),
    }
}

/// The fields of a change, or of a plan.
#[derive(Serialize)]
pub struct Object {
    #[serde(skip_serializing_if = "is_false")]
    planned: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    placement: Option<Text<PlacementKind>>,
    replicas: usize,
    keys: u64,
    moved: u64,
    optimum: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    fair_share: Option<u64>,
    lost: u64,
    waiting: u64,
    evicted: u64,
    missing: u64,
    elapsed_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    moving_ms: Option<u64>,
    ok: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_false(it: &bool) -> bool {
    !it
}

pub fn object(moved: &Moved) -> Object {
    let cost = &moved.cost;
    let placement = match moved.change {
        Change::Place { kind } => Some(Text(kind)),
        _ => None,
    };
    Object {
        planned: moved.is_planned,
        node: moved.node.map(|node| node.0),
        placement,
        replicas: moved.replicas,
        keys: cost.keys,
        moved: cost.moved,
        optimum: cost.optimum,
        fair_share: cost.fair_share,
        lost: cost.lost,
        waiting: cost.waiting,
        evicted: cost.evicted,
        missing: cost.missing,
        elapsed_ms: whole(moved.time.as_millis()),
        moving_ms: moved.left.map(|left| whole(left.as_millis())),
        ok: cost.lost + cost.waiting == 0,
    }
}
