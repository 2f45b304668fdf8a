//! What the owners of a key have, from `INSPECT`.

use serde::Serialize;

use super::grid::Grid;
use super::object::{Text, whole};
use super::text::remaining;
use crate::cluster::{OwnerCopy, Status};
use crate::time::Instant;

pub fn grid(copies: &[OwnerCopy], now: Instant) -> Grid {
    let rows = copies.iter().map(|copy| {
        let number = |it: Option<u64>| it.map_or_else(|| "-".into(), |it| it.to_string());
        let ttl = copy
            .deadline
            .map(|deadline| remaining(deadline.saturating_duration_since(now)));
        vec![
            copy.node.to_string(),
            copy.state.to_string(),
            holds(copy).into(),
            number(copy.version),
            ttl.unwrap_or_else(|| "-".into()),
            number(copy.bytes),
            number(copy.eviction_rank),
        ]
    });
    let headers = ["node", "state", "holds", "version", "ttl", "bytes", "rank"];
    Grid::new(&headers, rows).rare(&["rank", "bytes", "version"])
}

fn holds(copy: &OwnerCopy) -> &'static str {
    match (copy.is_tombstone, copy.bytes) {
        (true, _) => "tombstone",
        (_, Some(_)) => "value",
        _ => "nothing",
    }
}

/// The fields of `INSPECT` besides the key.
#[derive(Serialize)]
pub struct Copies {
    owners: Vec<Owner>,
}

#[derive(Serialize)]
struct Owner {
    node: u32,
    state: Text<Status>,
    version: Option<u64>,
    ttl_ms: Option<u64>,
    bytes: Option<u64>,
    eviction_rank: Option<u64>,
    tombstone: bool,
}

pub fn object(copies: &[OwnerCopy], now: Instant) -> Copies {
    let owners = copies.iter().map(|copy| {
        let ttl = copy
            .deadline
            .map(|deadline| deadline.saturating_duration_since(now));
        Owner {
            node: copy.node.0,
            state: Text(copy.state),
            version: copy.version,
            // Rounded up, as by TTL.
            ttl_ms: ttl.map(|ttl| whole(ttl.as_nanos().div_ceil(1_000_000))),
            bytes: copy.bytes,
            eviction_rank: copy.eviction_rank,
            tombstone: copy.is_tombstone,
        }
    });
    Copies {
        owners: owners.collect(),
    }
}
