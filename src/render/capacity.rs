//! How much nodes may hold, from `CAPACITY`.

use serde::Serialize;

use crate::config::Capacity;
use crate::language::size;
use crate::reply::Bounds;

/// `1000 entries and 64MiB a node; node 2: none`.
pub fn text(bounds: &Bounds) -> String {
    let common = one(bounds.capacity);
    let mut text = match (bounds.node, bounds.capacity.is_bounded()) {
        (None, true) => format!("{common} a node"),
        _ => common,
    };
    for (node, capacity) in &bounds.others {
        text += &format!("; node {node}: {}", one(*capacity));
    }
    text
}

fn one(Capacity { entries, bytes }: Capacity) -> String {
    let entries = entries.map(|entries| match entries {
        1 => "1 entry".into(),
        entries => format!("{entries} entries"),
    });
    match (entries, bytes.map(size::show)) {
        (None, None) => "none".into(),
        (Some(one), None) | (None, Some(one)) => one,
        (Some(entries), Some(bytes)) => format!("{entries} and {bytes}"),
    }
}

/// The capacity of a node, or the common one and the nodes with another one.
#[derive(Serialize)]
pub struct Object {
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<u32>,
    entries: Option<u64>,
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    nodes: Vec<Object>,
}

pub fn object(bounds: &Bounds) -> Object {
    let others = bounds.others.iter();
    let others = others.map(|(node, capacity)| of(Some(node.0), *capacity));
    Object {
        nodes: others.collect(),
        ..of(bounds.node.map(|node| node.0), bounds.capacity)
    }
}

fn of(node: Option<u32>, Capacity { entries, bytes }: Capacity) -> Object {
    Object {
        node,
        entries,
        bytes,
        nodes: Vec::new(),
    }
}
