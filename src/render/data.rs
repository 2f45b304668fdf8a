//! Replies about keys and their values.

use serde::Serialize;
use serde_json::{Value, json};

use super::grid::Grid;
use super::object::{Failure, Key, Named, Of, Text, key, of, whole};
use super::style::{Paint, Style};
use super::text::{acknowledge, arrow, arrow_with, grouped, line, remaining, shown};
use crate::id::NodeId;
use crate::language::word::show;
use crate::language::{Error, ErrorKind};
use crate::reply::{Found, Keyed, Left};

/// The answer for each key of `MGET`.
type Values<'a> = Keyed<'a, (NodeId, Option<crate::operation::Bytes>)>;

#[inline]
pub fn value(style: Style, key: &[u8], value: Option<&[u8]>, out: &mut Vec<u8>) {
    arrow_with(style, key, out, |out| match value {
        Some(value) => style.paint(Paint::Value, out, |out| show(value, out)),
        None => style.paint(Paint::Faint, out, |out| out.extend_from_slice(b"null")),
    });
}

/// The keys that were read; the others have an error each.
pub fn values(style: Style, values: &Values<'_>, out: &mut Vec<u8>) {
    for (key, read) in values {
        if let Ok((_, found)) = read {
            value(style, key, found.as_deref(), out);
        }
    }
}

pub fn stored(style: Style, keys: &Keyed<'_, ()>, out: &mut Vec<u8>) {
    let done = keys.iter().filter(|(_, stored)| stored.is_ok()).count();
    if done == keys.len() {
        return acknowledge(style, "OK", out);
    }
    acknowledge(style, &format!("{done} of {} stored", keys.len()), out);
}

pub fn removed(style: Style, count: u64, out: &mut Vec<u8>) {
    acknowledge(style, &format!("{count} removed"), out);
}

/// At a prompt it also helps those who wanted to clear the screen.
pub fn cleared(style: Style, count: u64, out: &mut Vec<u8>) {
    let text = format!("{} removed (Ctrl-L clears the screen)", grouped(count));
    acknowledge(style, &text, out);
}

/// How many of these keys were there and are removed.
pub fn count_removed(keys: &Keyed<'_, bool>) -> u64 {
    let removed = keys.iter().filter(|(_, it)| matches!(it, Ok(true)));
    removed.count() as u64
}

pub fn conditional(style: Style, key: &[u8], stored: bool, out: &mut Vec<u8>) {
    let outcome = if stored { "stored" } else { "not stored" };
    arrow(style, key, Paint::Value, outcome.as_bytes(), out);
}

pub fn ttl(style: Style, key: &[u8], left: Left, out: &mut Vec<u8>) {
    let (paint, text) = match left {
        Left::Absent => (Paint::Faint, "null".into()),
        Left::Forever => (Paint::Faint, "none".into()),
        Left::For(time) => (Paint::Value, remaining(time)),
    };
    arrow(style, key, paint, text.as_bytes(), out);
}

pub fn existing(style: Style, exists: u64, asked: u64, out: &mut Vec<u8>) {
    if style.interactive {
        return line(&format!("{exists} of {asked} exist"), out);
    }
    line(&exists.to_string(), out);
}

pub fn keys(style: Style, keys: &[Vec<u8>], out: &mut Vec<u8>) {
    for key in keys {
        show(key, out);
        out.push(b'\n');
    }
    if keys.is_empty() {
        acknowledge(style, "no keys", out);
    }
}

pub fn size(style: Style, keys: u64, out: &mut Vec<u8>) {
    match keys {
        1 if style.interactive => line("1 key", out),
        _ if style.interactive => line(&format!("{keys} keys"), out),
        _ => line(&keys.to_string(), out),
    }
}

pub fn rough_size(style: Style, keys: u64, out: &mut Vec<u8>) {
    if style.interactive {
        out.extend_from_slice(b"about ");
    }
    size(style, keys, out);
}

pub fn value_grid(found: &Found<'_>) -> Grid {
    let row = value_row(&found.key, found.value.as_deref(), found.node);
    Grid::new(&["key", "value", "node"], [row])
}

pub fn values_grid(values: &Values<'_>) -> Grid {
    let rows = values.iter().filter_map(|(key, read)| {
        let (node, value) = read.as_ref().ok()?;
        Some(value_row(key, value.as_deref(), *node))
    });
    Grid::new(&["key", "value", "node"], rows)
}

fn value_row(key: &[u8], value: Option<&[u8]>, node: NodeId) -> Vec<String> {
    let value = value.map_or_else(|| "null".into(), shown);
    vec![shown(key), value, node.to_string()]
}

pub fn keys_grid(keys: &[Vec<u8>]) -> Grid {
    Grid::new(&["key"], keys.iter().map(|key| vec![shown(key)]))
}

#[derive(Serialize)]
pub struct Done {
    ok: bool,
}

/// The fields of a reply that has no others.
pub const DONE: Done = Done { ok: true };

pub fn ttl_object(key: &[u8], left: Left) -> Of<'_, Value> {
    // Rounded up, so that a present key never has 0 ms left.
    let ttl_ms = match left {
        Left::For(left) => Some(whole(left.as_nanos().div_ceil(1_000_000))),
        Left::Absent | Left::Forever => None,
    };
    of(
        key,
        json!({ "exists": left != Left::Absent, "ttl_ms": ttl_ms }),
    )
}

#[derive(Serialize)]
pub struct ValueFields<'a> {
    #[serde(flatten)]
    value: Named<'a>,
    node: u32,
}

impl<'a> ValueFields<'a> {
    fn new(value: Option<&'a [u8]>, node: NodeId) -> Self {
        let value = Named("value", value);
        let node = node.0;
        Self { value, node }
    }
}

pub fn value_object<'a>(found: &'a Found<'_>) -> Of<'a, ValueFields<'a>> {
    let fields = ValueFields::new(found.value.as_deref(), found.node);
    of(&found.key, fields)
}

/// The fields of one key, or of its error.
#[derive(Serialize)]
#[serde(untagged)]
enum Each<'a, T> {
    Done(T),
    Failed(Failure<'a>),
}

type EachKey<'a, T> = Vec<Of<'a, Each<'a, T>>>;

fn each<'a, T, U>(keys: &'a Keyed<'_, T>, done: impl Fn(&'a T) -> U) -> EachKey<'a, U> {
    let fields = keys.iter().map(|(key, outcome)| {
        let fields = match outcome {
            Ok(it) => Each::Done(done(it)),
            Err(error) => Each::Failed(error.into()),
        };
        of(key, fields)
    });
    fields.collect()
}

/// The error of a batch in which some keys failed.
#[derive(Serialize)]
struct Failures {
    error: String,
    kind: Text<ErrorKind>,
}

fn failures<T>(keys: &Keyed<'_, T>, done: &str) -> Option<Failures> {
    let failed = || keys.iter().filter_map(|(_, it)| it.as_ref().err());
    let first = failed().next()?;
    let (count, all) = (failed().count(), keys.len());
    Some(Failures {
        error: format!("{count} of {all} keys were not {done}"),
        kind: Text(first.kind),
    })
}

#[derive(Serialize)]
pub struct Stored<'a> {
    ok: bool,
    #[serde(flatten)]
    failures: Option<Failures>,
    results: Vec<Of<'a, StoredKey<'a>>>,
}

#[derive(Serialize)]
struct StoredKey<'a> {
    ok: bool,
    #[serde(flatten)]
    failure: Option<Failure<'a>>,
}

pub fn stored_object<'a>(keys: &'a Keyed<'_, ()>) -> Stored<'a> {
    let failures = failures(keys, "stored");
    let results = keys.iter().map(|(key, stored)| {
        let failure = stored.as_ref().err().map(Failure::from);
        let ok = failure.is_none();
        of(key, StoredKey { ok, failure })
    });
    Stored {
        ok: failures.is_none(),
        failures,
        results: results.collect(),
    }
}

/// The fields of `FILL`.
#[derive(Serialize)]
pub struct Filled<'a> {
    stored: u64,
    ok: bool,
    #[serde(flatten)]
    failure: Option<Failure<'a>>,
}

pub fn filled_object(stored: u64, error: Option<&Error>) -> Filled<'_> {
    Filled {
        stored,
        ok: error.is_none(),
        failure: error.map(Failure::from),
    }
}

#[derive(Serialize)]
pub struct ValuesFields<'a> {
    #[serde(flatten)]
    failures: Option<Failures>,
    results: EachKey<'a, ValueFields<'a>>,
}

pub fn values_object<'a>(values: &'a Values<'_>) -> ValuesFields<'a> {
    ValuesFields {
        failures: failures(values, "read"),
        results: each(values, |(node, value)| {
            ValueFields::new(value.as_deref(), *node)
        }),
    }
}

#[derive(Serialize)]
pub struct Removal<'a> {
    #[serde(flatten)]
    keys: RemovedKeys<'a>,
    removed: u64,
    ok: bool,
    #[serde(flatten)]
    failures: Option<Failures>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum RemovedKeys<'a> {
    One(Named<'a>),
    Many { results: EachKey<'a, RemovedKey> },
}

#[derive(Serialize)]
struct RemovedKey {
    /// 1, or 0 if the key was absent.
    removed: u8,
}

pub fn removed_object<'a>(keys: &'a Keyed<'_, bool>) -> Removal<'a> {
    let failures = failures(keys, "removed");
    let count = |removed: &bool| RemovedKey {
        removed: u8::from(*removed),
    };
    Removal {
        keys: match keys.as_slice() {
            [(one, _)] => RemovedKeys::One(key(one)),
            _ => RemovedKeys::Many {
                results: each(keys, count),
            },
        },
        removed: count_removed(keys),
        ok: failures.is_none(),
        failures,
    }
}

pub fn keys_list(keys: &[Vec<u8>]) -> Vec<Key<'_>> {
    keys.iter().map(|key| Key(key)).collect()
}
