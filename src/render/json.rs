//! Replies, errors and events as JSON.

use serde::Serialize;
use serde_json::json;

use super::object::{Failure, Field, Named, Text, of, whole, write};
use super::{
    CommandLine, LineOutcome, capacity, checks, copies, data, events, help, history, messages,
    moving, nodes, placing, work,
};
use crate::event::Event;
use crate::reply::Reply;

pub fn event(event: &Event, out: &mut Vec<u8>) {
    write(&events::object(event), out);
}

/// A notice that so many events were dropped.
pub fn missed(count: u64, out: &mut Vec<u8>) {
    write(&json!({ "event": "missed", "count": count }), out);
}

pub fn outcome(client: Option<u32>, outcome: LineOutcome<'_>, out: &mut Vec<u8>) {
    let mut line = OpenLine {
        client,
        line: outcome.line,
        out,
    };
    match outcome.result {
        Ok(it) => reply(it, &mut line),
        Err(error) => line.put(Failure::from(error)),
    }
}

/// A line that lacks the fields of its reply.
struct OpenLine<'a> {
    client: Option<u32>,
    line: CommandLine<'a>,
    out: &'a mut Vec<u8>,
}

impl OpenLine<'_> {
    fn put(&mut self, fields: impl Serialize) {
        write(&self.line.object(self.client, fields), self.out);
    }
}

fn reply(reply: &Reply<'_>, line: &mut OpenLine<'_>) {
    match reply {
        Reply::Done => line.put(data::DONE),
        Reply::StoredOne(key) => line.put(of(key, data::DONE)),
        Reply::Stored(keys) => line.put(data::stored_object(keys)),
        Reply::Value(found) => line.put(data::value_object(found)),
        Reply::Values(values) => line.put(data::values_object(values)),
        Reply::Removed(keys) => line.put(data::removed_object(keys)),
        Reply::Cleared(count) => line.put(json!({ "removed": count, "ok": true })),
        Reply::Conditional { key, stored } => line.put(of(key, Field("stored", stored))),
        Reply::Ttl { key, left } => line.put(data::ttl_object(key, *left)),
        Reply::Changed { key, changed } => {
            line.put(of(key, json!({ "changed": changed, "ok": true })));
        }
        Reply::Existing { exists, .. } => line.put(Field("exists", exists)),
        Reply::Keys(keys) => line.put(Field("keys", data::keys_list(keys))),
        Reply::Size(size) => line.put(Field("size", size)),
        Reply::RoughSize(size) => line.put(json!({ "size": size, "approximate": true })),
        Reply::Nodes(rows) => line.put(nodes::nodes_object(rows)),
        Reply::Stats {
            node,
            stats,
            latency,
        } => line.put(nodes::stats_object(*node, stats, *latency)),
        Reply::Copies { key, now, copies } => line.put(of(key, copies::object(copies, *now))),
        Reply::Filled { stored, error } => line.put(data::filled_object(*stored, error.as_ref())),
        Reply::Worked(worked) => line.put(work::object(worked)),
        Reply::Compared { reports, error } => {
            line.put(work::compared_object(reports, error.as_ref()));
        }
        Reply::Promoted { replica, primary } => {
            line.put(json!({ "node": replica.0, "instead_of": primary.0, "ok": true }));
        }
        Reply::Healed(remaining) => {
            line.put(json!({ "remaining": remaining, "ok": true }));
        }
        Reply::Hot(rows) => line.put(nodes::hot_object(rows)),
        Reply::Capacity(capacity) => line.put(capacity::object(capacity)),
        Reply::Ring(ring) => line.put(placing::ring_object(ring)),
        Reply::Where(place) => line.put(placing::where_object(place)),
        Reply::Moved(moved) => line.put(moving::object(moved)),
        Reply::Placement(kind) => line.put(Field("placement", Text(kind))),
        Reply::Eviction(eviction) => line.put(Field("eviction", Text(eviction))),
        Reply::Replicas(replicas) => line.put(Field("replicas", replicas)),
        Reply::Nemesis(nemesis) => line.put(Field("nemesis", Text(nemesis))),
        Reply::Notices(are_on) => line.put(Field("notices", are_on)),
        Reply::Clock(kind) => line.put(Field("clock", Text(kind))),
        Reply::Time { elapsed, clock } => line.put(json!({
            "elapsed_ms": whole(elapsed.as_millis()),
            "clock": clock.to_string(),
        })),
        Reply::Events(events) => line.put(Field("events", events::objects(events))),
        Reply::Faults(faults) => line.put(Field("faults", faults)),
        Reply::Delivered(messages) => line.put(Field("delivered", messages::objects(messages))),
        Reply::Links(messages) => line.put(Field("messages", messages::objects(messages))),
        Reply::Path {
            messages, omitted, ..
        } => line.put(json!({
            "messages": messages::objects(messages),
            "omitted": omitted,
        })),
        Reply::History {
            operations,
            forgotten,
        } => line.put(json!({
            "operations": history::objects(operations),
            "forgotten": forgotten,
        })),
        Reply::Check(judgement) => line.put(checks::check_object(judgement)),
        Reply::Quorum {
            write,
            read,
            replicas,
            promise,
        } => line.put(json!({
            "write": write,
            "read": read,
            "replicas": replicas,
            "promise": promise.to_string(),
        })),
        Reply::Text(text) => line.put(Named("text", Some(text))),
        Reply::Help(topic, behind) => line.put(Field("commands", help::objects(*topic, *behind))),
    }
}
