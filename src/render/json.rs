//! JSON, one object a line. The field names are a contract: scripts rely on them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{Answer, checks, help, messages};
use crate::event::{Event, EventKind};
use crate::id::NodeId;
use crate::language::{Change, Error};
use crate::reply::{Found, HotRow, Keyed, Left, Moved, NodeRow, Reply, Ring, Skew, skew};
use crate::stats::Stats;

pub type Object = Map<String, Value>;

pub fn answer(answer: Answer<'_>, out: &mut Vec<u8>) {
    let mut object = Object::new();
    let name = answer.spec.map_or(Value::Null, |spec| spec.name.into());
    object.insert("command".into(), name);
    object.insert("line".into(), answer.line.into());
    match answer.outcome {
        Ok(reply) => fields(reply, &mut object),
        Err(error) => {
            put_error(&mut object, error);
        }
    }
    line(&Value::Object(object), out);
}

pub fn event(event: &Event, out: &mut Vec<u8>) {
    line(&Value::Object(event_object(event)), out);
}

fn event_object(event: &Event) -> Object {
    let mut object = Object::new();
    object.insert("event".into(), event.kind.to_string().into());
    if event.kind == EventKind::Nemesis {
        put_bytes(&mut object, "fault", &event.key);
    } else {
        object.insert("node".into(), event.node.0.into());
    }
    if event.kind.has_key() {
        put_bytes(&mut object, "key", &event.key);
    }
    object.insert("at_ms".into(), event.at.as_millis().into());
    object
}

/// The fields of an error.
pub fn put_error(object: &mut Object, error: &Error) {
    object.insert("error".into(), error.message.clone().into());
    object.insert("kind".into(), error.kind.to_string().into());
    if let Some(heard) = &error.heard {
        object.insert("answered".into(), nodes(&heard.answered));
        object.insert("missing".into(), nodes(&heard.missing));
    }
}

fn nodes(nodes: &[NodeId]) -> Value {
    nodes.iter().map(|node| Value::from(node.0)).collect()
}

fn line(value: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(value.to_string().as_bytes());
    out.push(b'\n');
}

/// Text under `name`, or what is not UTF-8 under `name_base64`.
pub fn put_bytes(object: &mut Object, name: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => object.insert(name.into(), text.into()),
        Err(_) => object.insert(format!("{name}_base64"), STANDARD.encode(bytes).into()),
    };
}

pub fn keyed(key: &[u8]) -> Object {
    let mut object = Object::new();
    put_bytes(&mut object, "key", key);
    object
}

fn fields(reply: &Reply<'_>, object: &mut Object) {
    let mut set = |name: &str, value: Value| {
        object.insert(name.into(), value);
    };
    match reply {
        Reply::Done => set("ok", true.into()),
        Reply::StoredOne(key) => {
            put_bytes(object, "key", key);
            object.insert("ok".into(), true.into());
        }
        Reply::Stored(keys) => stored_fields(keys, object),
        Reply::Value(found) => object.extend(found_object(found)),
        Reply::Values(values) => values_fields(values, object),
        Reply::Removed(keys) => removed_fields(keys, object),
        Reply::Cleared(count) => {
            set("removed", (*count).into());
            set("ok", true.into());
        }
        Reply::Conditional { key, stored } => {
            put_bytes(object, "key", key);
            object.insert("stored".into(), (*stored).into());
        }
        Reply::Ttl { key, left } => {
            put_bytes(object, "key", key);
            object.insert("exists".into(), (*left != Left::Absent).into());
            object.insert("ttl_ms".into(), ttl_ms(*left));
        }
        Reply::Changed { key, changed } => {
            put_bytes(object, "key", key);
            object.insert("changed".into(), (*changed).into());
            object.insert("ok".into(), true.into());
        }
        Reply::Existing { exists, .. } => set("exists", (*exists).into()),
        Reply::Keys(keys) => set("keys", keys.iter().map(|key| key_value(key)).collect()),
        Reply::Size(size) => set("size", (*size).into()),
        Reply::Time { elapsed, clock } => {
            set("elapsed_ms", whole(elapsed.as_millis()));
            set("clock", clock.to_string().into());
        }
        Reply::Clock(kind) => set("clock", kind.to_string().into()),
        Reply::Nodes(rows) => nodes_fields(rows, object),
        Reply::Eviction(eviction) => set("eviction", eviction.to_string().into()),
        Reply::Capacity(capacity) => {
            set("entries", capacity.entries.into());
            set("bytes", capacity.bytes.into());
        }
        Reply::Placement(kind) => set("placement", kind.to_string().into()),
        Reply::Nemesis(nemesis) => set("nemesis", nemesis.to_string().into()),
        Reply::Ring(ring) => ring_fields(ring, object),
        Reply::Moved(moved) => moved_fields(moved, object),
        Reply::Hot(rows) => {
            let skew = Skew::of(rows);
            set("skew", skew.map(|skew| rounded(skew.all)).into());
            set(
                "skew_without",
                skew.map(|skew| rounded(skew.without)).into(),
            );
            set("explained", skew.map(|skew| rounded(skew.explained)).into());
            set("nodes", results(rows.iter().map(hot_object)));
        }
        Reply::Where(place) => {
            put_bytes(object, "key", &place.key);
            object.insert("placement".into(), place.placement.to_string().into());
            object.insert("hash".into(), place.hash.into());
            object.insert("location".into(), place.location.to_string().into());
            object.insert("owners".into(), nodes(&place.owners));
        }
        Reply::Stats { node, stats } => {
            if let Some(node) = node {
                set("node", node.0.into());
            }
            put_stats(object, stats);
        }
        Reply::Events(events) => set("events", results(events.iter().map(event_object))),
        Reply::Replicas(replicas) => set("replicas", (*replicas).into()),
        Reply::Quorum { .. } | Reply::History { .. } | Reply::Check(_) => {
            checks::fields(reply, object);
        }
        Reply::Faults(faults) => set("faults", faults.clone().into()),
        Reply::Links(passages) => set("messages", messages::json(passages)),
        Reply::Delivered(passages) => set("delivered", messages::json(passages)),
        Reply::Path { messages, .. } => set("messages", messages::json(messages)),
        Reply::Text(text) => put_bytes(object, "text", text),
        Reply::Help(topic) => set("commands", help::json(*topic)),
    }
}

/// Whether all keys of a batch were done, and if not, that they were not.
fn put_failures<T>(keys: &Keyed<'_, T>, done: &str, object: &mut Object) {
    let failed = || {
        keys.iter()
            .filter_map(|(_, outcome)| outcome.as_ref().err())
    };
    let Some(first) = failed().next() else {
        return;
    };
    let message = format!(
        "{} of {} keys were not {done}",
        failed().count(),
        keys.len()
    );
    object.insert("error".into(), message.into());
    object.insert("kind".into(), first.kind.to_string().into());
}

fn stored_fields(keys: &Keyed<'_, ()>, object: &mut Object) {
    let ok = keys.iter().all(|(_, outcome)| outcome.is_ok());
    object.insert("ok".into(), ok.into());
    put_failures(keys, "stored", object);
    let all = keys.iter().map(|(key, outcome)| {
        let mut object = keyed(key);
        object.insert("ok".into(), outcome.is_ok().into());
        if let Err(error) = outcome {
            put_error(&mut object, error);
        }
        object
    });
    object.insert("results".into(), results(all));
}

fn values_fields(keys: &Keyed<'_, (NodeId, Option<Vec<u8>>)>, object: &mut Object) {
    put_failures(keys, "read", object);
    let all = keys.iter().map(|(key, outcome)| match outcome {
        Ok((node, value)) => value_object(key, value.as_deref(), *node),
        Err(error) => failed_object(key, error),
    });
    object.insert("results".into(), results(all));
}

fn removed_fields(keys: &Keyed<'_, bool>, object: &mut Object) {
    let count = keys.iter().filter(|(_, it)| matches!(it, Ok(true))).count();
    if let [(key, _)] = keys.as_slice() {
        put_bytes(object, "key", key);
    } else {
        let all = keys.iter().map(|(key, outcome)| match outcome {
            Ok(removed) => removal(key, *removed),
            Err(error) => failed_object(key, error),
        });
        object.insert("results".into(), results(all));
    }
    object.insert("removed".into(), count.into());
    let ok = keys.iter().all(|(_, outcome)| outcome.is_ok());
    object.insert("ok".into(), ok.into());
    put_failures(keys, "removed", object);
}

fn failed_object(key: &[u8], error: &Error) -> Object {
    let mut object = keyed(key);
    put_error(&mut object, error);
    object
}

fn nodes_fields(rows: &[NodeRow], object: &mut Object) {
    let loads = rows.iter().map(|row| row.stats.keys);
    let all: u64 = loads.clone().sum();
    object.insert("skew".into(), skew(loads).map(rounded).into());
    let rows = rows.iter().map(|row| {
        let mut object = Object::new();
        object.insert("node".into(), row.node.0.into());
        object.insert("state".into(), row.state.to_string().into());
        put_stats(&mut object, &row.stats);
        object.insert("used".into(), row.used.map(rounded).into());
        let share = row.stats.keys as f64 / all.max(1) as f64;
        object.insert("share".into(), rounded(share).into());
        object
    });
    object.insert("nodes".into(), results(rows));
}

fn ring_fields(ring: &Ring, object: &mut Object) {
    object.insert("placement".into(), ring.placement.to_string().into());
    object.insert("band".into(), nodes(&ring.band));
    let shares = ring.shares.iter().map(|(member, share)| {
        let mut object = Object::new();
        object.insert("node".into(), member.node.0.into());
        object.insert("weight".into(), member.weight.into());
        object.insert("share".into(), rounded(*share).into());
        object
    });
    object.insert("nodes".into(), results(shares));
}

fn moved_fields(moved: &Moved, object: &mut Object) {
    if let Some(node) = moved.node {
        object.insert("node".into(), node.0.into());
    }
    if let Change::Place { kind } = moved.change {
        object.insert("placement".into(), kind.to_string().into());
    }
    object.insert("replicas".into(), moved.replicas.into());
    let cost = &moved.cost;
    let counts = [
        ("keys", cost.keys),
        ("moved", cost.moved),
        ("optimum", cost.optimum),
        ("lost", cost.lost),
        ("waiting", cost.waiting),
    ];
    object.extend(counts.map(|(name, count)| (name.into(), count.into())));
    object.insert("elapsed_ms".into(), whole(moved.time.as_millis()));
    object.insert("ok".into(), (cost.lost + cost.waiting == 0).into());
}

fn hot_object(row: &HotRow) -> Object {
    let mut object = Object::new();
    object.insert("node".into(), row.node.0.into());
    object.insert("requests".into(), row.requests.into());
    let keys = row.keys.iter().map(|hot| {
        let mut object = keyed(&hot.key);
        object.insert("count".into(), hot.count.into());
        object.insert("error".into(), hot.error.into());
        object
    });
    object.insert("keys".into(), results(keys));
    object
}

pub fn results(objects: impl Iterator<Item = Object>) -> Value {
    objects.map(Value::Object).collect()
}

fn removal(key: &[u8], removed: bool) -> Object {
    let mut object = keyed(key);
    object.insert("removed".into(), u8::from(removed).into());
    object
}

fn found_object(found: &Found<'_>) -> Object {
    value_object(&found.key, found.value.as_deref(), found.node)
}

fn value_object(key: &[u8], value: Option<&[u8]>, node: NodeId) -> Object {
    let mut object = keyed(key);
    match value {
        Some(value) => put_bytes(&mut object, "value", value),
        None => drop(object.insert("value".into(), Value::Null)),
    }
    object.insert("node".into(), node.0.into());
    object
}

/// A key in a list: text, or an object with `key_base64` if it is not UTF-8.
fn key_value(key: &[u8]) -> Value {
    match std::str::from_utf8(key) {
        Ok(text) => text.into(),
        Err(_) => json!({ "key_base64": STANDARD.encode(key) }),
    }
}

/// Rounded up, so that a key that is there never has 0 ms left.
fn ttl_ms(left: Left) -> Value {
    match left {
        Left::For(left) => whole(left.as_nanos().div_ceil(1_000_000)),
        Left::Absent | Left::Forever => Value::Null,
    }
}

fn whole(number: u128) -> Value {
    u64::try_from(number).unwrap_or(u64::MAX).into()
}

fn put_stats(object: &mut Object, stats: &Stats) {
    let counts = [
        ("keys", stats.keys),
        ("bytes", stats.bytes),
        ("hits", stats.hits),
        ("misses", stats.misses),
        ("evicted", stats.evicted),
        ("expired", stats.expired),
    ];
    object.extend(counts.map(|(name, count)| (name.into(), count.into())));
    object.insert("hit_ratio".into(), stats.hit_ratio().map(rounded).into());
}

/// A ratio to four places.
fn rounded(ratio: f64) -> f64 {
    (ratio * 10_000.0).round() / 10_000.0
}
