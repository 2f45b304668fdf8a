//! Replies as plain lines. In a batch a command that changes something prints nothing, and a
//! command that asks prints only the answer. At the prompt every command is acknowledged.

use super::style::Style;
use super::text::{acknowledge, elapsed, line, sentence};
use super::{
    capacity, checks, copies, data, events, help, history, messages, moving, nodes, placing, work,
};
use crate::language::word::show_text;
use crate::reply::Reply;

#[inline]
pub fn reply(style: Style, reply: &Reply<'_>, out: &mut Vec<u8>) {
    match reply {
        Reply::Done | Reply::StoredOne(_) | Reply::Changed { changed: true, .. } => {
            acknowledge(style, "OK", out);
        }
        Reply::Changed { changed: false, .. } => acknowledge(style, "nothing to change", out),
        Reply::Value(found) => data::value(style, &found.key, found.value.as_deref(), out),
        Reply::Stored(keys) => data::stored(style, keys, out),
        Reply::Values(values) => data::values(style, values, out),
        Reply::Removed(keys) => data::removed(style, data::count_removed(keys), out),
        Reply::Cleared(count) => data::cleared(style, *count, out),
        Reply::Conditional { key, stored } => data::conditional(style, key, *stored, out),
        Reply::Ttl { key, left } => data::ttl(style, key, *left, out),
        Reply::Existing { exists, asked } => data::existing(style, *exists, *asked, out),
        Reply::Keys(keys) => data::keys(style, keys, out),
        Reply::Size(keys) => data::size(style, *keys, out),
        Reply::RoughSize(keys) => data::rough_size(style, *keys, out),
        Reply::Nodes(rows) => nodes::nodes_grid(style, rows).columns(style, "", out),
        Reply::Stats { stats, latency, .. } => {
            nodes::stats_grid(stats, latency.as_ref()).columns(style, "", out);
        }
        Reply::Copies { copies, now, .. } => copies::grid(copies, *now).columns(style, "", out),
        Reply::Filled { stored, .. } => acknowledge(style, &format!("{stored} stored"), out),
        Reply::Worked(worked) => work::plain(style, worked, out),
        Reply::Compared { reports, .. } => {
            let reports = reports.iter();
            reports.for_each(|report| out.extend_from_slice(report.as_bytes()));
        }
        Reply::Promoted { replica, primary } => {
            let text = format!("Node {replica} is a primary now, in the place of node {primary}");
            sentence(style, &text, 2, out);
        }
        Reply::Healed(remaining) => acknowledge(style, &messages::healed(remaining), out),
        Reply::Hot(rows) if nodes::is_cold(rows) => line("no requests counted", out),
        Reply::Hot(rows) => nodes::hot_grid(style, rows).columns(style, "", out),
        Reply::Capacity(capacity) => line(&capacity::text(capacity), out),
        Reply::Ring(ring) => placing::ring_grid(style, ring).columns(style, "", out),
        Reply::Where(place) => placing::whereabouts(style, place, out),
        Reply::Moved(moved) => sentence(style, &moving::text(moved), 2, out),
        Reply::Placement(name) | Reply::Eviction(name) => line(name, out),
        Reply::Replicas(replicas) => line(&replicas.to_string(), out),
        Reply::Nemesis(nemesis) => line(&nemesis.to_string(), out),
        Reply::Notices(are_on) => line(if *are_on { "on" } else { "off" }, out),
        Reply::Clock(kind) => line(&kind.to_string(), out),
        Reply::Time { elapsed: time, .. } => line(&elapsed(*time), out),
        Reply::Events(events) => events::list(style, events, out),
        Reply::Faults(faults) => messages::faults(style, faults, out),
        Reply::Links(messages) => messages::in_flight(style, messages, out),
        Reply::Delivered(messages) => messages::delivered(style, messages, out),
        Reply::Path {
            start,
            messages,
            omitted,
        } => messages::path(style, *start, messages, *omitted, out),
        Reply::History {
            operations,
            forgotten,
        } => history::list(style, operations, *forgotten, out),
        Reply::Check(judgement) => checks::judgement(style, judgement, out),
        Reply::Quorum {
            write,
            read,
            replicas,
            promise,
        } => sentence(
            style,
            &checks::quorum(*write, *read, *replicas, *promise),
            2,
            out,
        ),
        Reply::Text(text) => {
            show_text(text, out);
            out.push(b'\n');
        }
        Reply::Help(topic, behind) => help::topic(style, *topic, *behind, out),
    }
}
