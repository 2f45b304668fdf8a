//! Replies as boxed tables.

use super::grid::Grid;
use super::style::Style;
use super::{copies, data, events, history, messages, nodes, placing, plain, work};
use crate::reply::Reply;

/// A reply with columns in a box, any other reply as plain lines.
pub fn reply(style: Style, reply: &Reply<'_>, out: &mut Vec<u8>) {
    if let Reply::Worked(worked) = reply {
        return work::boxed(style, worked, out);
    }
    match grid(style, reply) {
        Some(grid) => grid.boxed(style, out),
        None => plain::reply(style, reply, out),
    }
}

fn grid(style: Style, reply: &Reply<'_>) -> Option<Grid> {
    Some(match reply {
        Reply::Value(found) => data::value_grid(found),
        Reply::Values(values) => data::values_grid(values),
        Reply::Keys(keys) => data::keys_grid(keys),
        Reply::Nodes(rows) => nodes::nodes_grid(style, rows),
        Reply::Stats { stats, latency, .. } => nodes::stats_grid(stats, latency.as_ref()),
        Reply::Copies { copies, now, .. } => copies::grid(copies, *now),
        Reply::Hot(rows) if !nodes::is_cold(rows) => nodes::hot_grid(style, rows),
        Reply::Ring(ring) => placing::ring_grid(style, ring),
        Reply::Events(events) => events::grid(events),
        Reply::Links(messages) => messages::grid(messages),
        Reply::History {
            operations,
            forgotten,
        } => history::grid(operations, *forgotten),
        _ => return None,
    })
}
