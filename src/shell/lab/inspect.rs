//! `shardlab inspect`.

use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Inspect;
use super::progress::Progress;
use super::show::{show_error, skipped};
use super::source::{self, Source};
use crate::language::duration;
use crate::language::word::show;
use crate::render::{Format, Grid, Style, write_json};
use crate::shell::output::Output;
use crate::shell::wakeup::{self, Wakeup};
use crate::shell::{Exit, color, terminal};
use crate::trace::{Detected, Inspection, OwnedKey, TraceError, inspect as count};

/// The facts about one file.
struct Found {
    file: String,
    detected: Detected,
    compression: Option<&'static str>,
    counts: Inspection,
}

/// Inspects traces, one after the other. One that cannot be read does not keep the others from it.
///
/// # Errors
/// If signals cannot be caught.
pub fn inspect(options: &Inspect) -> anyhow::Result<Exit> {
    let wakeup = Arc::new(Wakeup::default());
    wakeup::catch_ctrl_c(&wakeup)?;
    wakeup::watch_output(&wakeup);
    let mut screen = Output::standard();
    let mut exit = Exit::Success;
    let mut rows = Vec::new();
    for path in &options.traces {
        let found = read(path, options, &wakeup);
        if wakeup.is_cut_off() {
            return Ok(Exit::Success);
        }
        if wakeup.is_interrupted() {
            return Ok(Exit::Interrupted);
        }
        match found {
            Ok(found) => show_found(&found, options.format, &mut rows, &mut screen),
            Err(error) => {
                show_error(&error, options.format, &mut screen);
                exit = Exit::Failure;
            }
        }
    }
    if !rows.is_empty() {
        show_table(rows, &mut screen);
    }
    screen.flush();
    let broken = screen
        .broken()
        .filter(|kind| *kind != io::ErrorKind::BrokenPipe);
    Ok(broken.map_or(exit, |_| Exit::Failure))
}

fn read(path: &Path, options: &Inspect, wakeup: &Arc<Wakeup>) -> Result<Found, TraceError> {
    let file = source::name(path);
    let Source {
        mut trace,
        detected,
        compression,
        len,
    } = source::open(path, options.trace_format.as_ref(), options.split, wakeup)?;
    let mut progress = Progress::new(wakeup, file.clone(), len);
    let counts = count(&mut trace, &mut |position| progress.go_on(position))?;
    Ok(Found {
        file,
        detected,
        compression,
        counts,
    })
}

fn show_found(found: &Found, format: Format, rows: &mut Vec<Vec<String>>, screen: &mut Output) {
    match format {
        Format::Json => write_json(&object(found), screen.buffer()),
        Format::Plain => screen.buffer().extend_from_slice(plain(found).as_bytes()),
        Format::Table => rows.push(row(found)),
    }
    screen.flush();
}

/// A fact a line.
fn plain(found: &Found) -> String {
    let mut text = found.file.clone();
    if let Some(compression) = found.compression {
        let _ = write!(text, " ({compression})");
    }
    text.push('\n');
    for (name, value) in facts(&found.detected, &found.counts) {
        let _ = writeln!(text, "  {name:<10} {value}");
    }
    text
}

/// Names and values. Those that say nothing about the trace are left out.
pub fn facts(detected: &Detected, counts: &Inspection) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let mut fact = |name: &str, value: String| facts.push((name.to_owned(), value));
    let format = &detected.spec.format;
    fact("format", format!("{format}: {}", detected.reason));
    fact("requests", counts.requests.to_string());
    fact("objects", counts.objects.to_string());
    fact("gets", counts.gets.to_string());
    fact("sets", counts.sets.to_string());
    fact("deletes", counts.deletes.to_string());
    fact("bytes", bytes(counts));
    fact("one-hit", one_hit(counts));
    if let Some(skew) = counts.skew {
        fact("skew", format!("about {skew:.2} (exponent of Zipf's law)"));
    }
    if let Some(sizes) = counts.sizes {
        let (min, median, max) = (sizes.min, sizes.median, sizes.max);
        fact("sizes", format!("{min} to {max} bytes, median {median}"));
    }
    if let (Some(first), Some(last)) = (&counts.first_key, &counts.last_key) {
        fact("first key", shown(first));
        fact("last key", shown(last));
    }
    if let Some(span) = span(counts) {
        fact("span", span);
    }
    if let Some(ttls) = ttls(counts) {
        fact("TTLs", ttls);
    }
    for (reason, count) in counts.skipped.iter() {
        fact("skipped", format!("{count} {reason}"));
    }
    facts
}

fn bytes(counts: &Inspection) -> String {
    let note = match counts.sized {
        0 => " (no sizes: each request counts 1)",
        sized if sized < counts.requests => " (a request without a size counts 1)",
        _ => "",
    };
    format!("{}{note}", counts.bytes)
}

fn one_hit(counts: &Inspection) -> String {
    let share = counts.one_hit_wonders as f64 / counts.objects.max(1) as f64 * 100.0;
    format!(
        "{} objects with one request ({share:.1}%)",
        counts.one_hit_wonders
    )
}

fn span(counts: &Inspection) -> Option<String> {
    let (first, last) = counts.first_time.zip(counts.last_time)?;
    let span = last.saturating_sub(first);
    // Long spans need no parts of a second.
    let whole = Duration::from_millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
    let long = Duration::from_secs(span.as_secs());
    let span = duration::show(if span.as_secs() < 60 { whole } else { long });
    let falls = match counts.falls {
        0 => String::new(),
        falls => format!(", {falls} times are before the one before"),
    };
    Some(format!("{span}{falls}"))
}

fn ttls(counts: &Inspection) -> Option<String> {
    let ttls = counts.ttls.as_ref()?;
    let (min, max) = (duration::show(ttls.min), duration::show(ttls.max));
    let usual = ttls.usual.iter().map(|&(ttl, _)| duration::show(ttl));
    let usual: Vec<String> = usual.collect();
    let usual = usual.join(", ");
    Some(format!(
        "of {} requests, {min} to {max}; most often {usual}",
        ttls.requests
    ))
}

/// A key as it can be typed, cut after 200 bytes.
fn shown(key: &OwnedKey) -> String {
    let bytes = key.as_bytes();
    let mut out = Vec::new();
    show(&bytes[..bytes.len().min(200)], &mut out);
    let dots = if bytes.len() > 200 { "…" } else { "" };
    format!("{}{dots}", String::from_utf8_lossy(&out))
}

const HEADERS: [&str; 8] = [
    "trace", "format", "requests", "objects", "gets", "sets", "deletes", "bytes",
];

fn row(found: &Found) -> Vec<String> {
    let counts = &found.counts;
    let numbers = [
        counts.requests,
        counts.objects,
        counts.gets,
        counts.sets,
        counts.deletes,
        counts.bytes,
    ];
    let names = [found.file.clone(), found.detected.spec.format.to_string()];
    names
        .into_iter()
        .chain(numbers.map(|number| number.to_string()))
        .collect()
}

fn show_table(rows: Vec<Vec<String>>, screen: &mut Output) {
    let is_terminal = io::stdout().is_terminal();
    let style = Style {
        color: false,
        interactive: is_terminal,
        unicode: is_terminal && color::speaks_utf8(),
        width: if is_terminal {
            terminal::columns()
        } else {
            None
        },
    };
    Grid::new(&HEADERS, rows).boxed(style, screen.buffer());
}

fn object(found: &Found) -> Value {
    let counts = &found.counts;
    let millis = |time: Option<Duration>| {
        time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    };
    let mut object = json!({
        "file": found.file,
        "format": found.detected.spec.format.to_string(),
        "reason": found.detected.reason,
        "compression": found.compression,
        "requests": counts.requests,
        "objects": counts.objects,
        "gets": counts.gets,
        "sets": counts.sets,
        "deletes": counts.deletes,
        "bytes": counts.bytes,
    });
    put_key(&mut object, "first_key", counts.first_key.as_ref());
    put_key(&mut object, "last_key", counts.last_key.as_ref());
    object["first_ms"] = json!(millis(counts.first_time));
    object["last_ms"] = json!(millis(counts.last_time));
    object["skipped"] = Value::Object(skipped(&counts.skipped));
    object["one_hit_wonders"] = json!(counts.one_hit_wonders);
    object["most_requests"] = json!(counts.most_requests);
    object["skew_estimate"] = json!(counts.skew);
    object["times_fall"] = json!(counts.falls);
    object["object_bytes"] = json!(counts.sizes.map(|sizes| json!({
        "min": sizes.min, "median": sizes.median, "max": sizes.max,
    })));
    object["ttls"] = json!(counts.ttls.as_ref().map(|ttls| json!({
        "requests": ttls.requests,
        "min_ms": millis(Some(ttls.min)),
        "max_ms": millis(Some(ttls.max)),
    })));
    object
}

/// Text, or base64 under another name if it is not UTF-8.
fn put_key(object: &mut Value, name: &str, key: Option<&OwnedKey>) {
    let Some(key) = key else {
        object[name] = Value::Null;
        return;
    };
    match std::str::from_utf8(key.as_bytes()) {
        Ok(text) => object[name] = json!(text),
        Err(_) => object[format!("{name}_base64")] = json!(STANDARD.encode(key.as_bytes())),
    }
}
