//! Replies about where keys belong.

use serde::Serialize;

use super::grid::Grid;
use super::object::{Of, Text, numbers, of, rounded};
use super::style::{Paint, Style};
use super::text::{percent, sentence, shown};
use crate::id::NodeId;
use crate::placement::{Hex, Location};
use crate::reply::{Ring, Whereabouts};

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
        &["node", "mark", "weight", "share"]
    } else {
        &["node", "weight", "share"]
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
    let addresses = place
        .addresses
        .iter()
        .map(Some)
        .chain(std::iter::repeat(None));
    let owners = place
        .owners
        .iter()
        .zip(addresses)
        .map(|(owner, address)| match address {
            Some(address) => format!("{owner} at {address}"),
            None => owner.to_string(),
        });
    let owners: Vec<String> = owners.collect();
    let text = format!(
        "node{} {} ({}, hash {}, {})",
        if owners.len() == 1 { "" } else { "s" },
        owners.join(", "),
        place.placement,
        Hex(place.hash),
        place.location
    );
    let (arrow, text) = (
        style.painted(Paint::Faint, " -> "),
        style.painted(Paint::Value, &text),
    );
    sentence(
        style,
        &format!("{}{arrow}{text}", shown(&place.key)),
        2,
        out,
    );
}

pub fn ring_object(ring: &Ring) -> RingObject {
    let shares = ring.shares.iter().map(|(member, share)| RingNode {
        node: member.node.0,
        weight: member.weight,
        share: rounded(*share),
    });
    RingObject {
        placement: ring.placement,
        band: numbers(&ring.band),
        nodes: shares.collect(),
    }
}

/// The fields of `RING`.
#[derive(Serialize)]
pub struct RingObject {
    placement: &'static str,
    band: Vec<u32>,
    nodes: Vec<RingNode>,
}

#[derive(Serialize)]
struct RingNode {
    node: u32,
    weight: u32,
    share: f64,
}

/// The fields of `WHERE` besides the key.
#[derive(Serialize)]
pub struct WhereObject {
    placement: &'static str,
    /// As text: a reader with double precision would round 64 bits.
    hash: Text<Hex>,
    location: Text<Location>,
    owners: Vec<u32>,
    /// Where the owners are reached, of real servers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    addresses: Vec<String>,
}

pub fn where_object<'a>(place: &'a Whereabouts<'_>) -> Of<'a, WhereObject> {
    let fields = WhereObject {
        placement: place.placement,
        hash: Text(Hex(place.hash)),
        location: Text(place.location),
        owners: numbers(&place.owners),
        addresses: place.addresses.clone(),
    };
    of(&place.key, fields)
}
