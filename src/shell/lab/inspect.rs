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
    let counts = count(&mut trace, &mut |position| progress.go_on(position))
        .map_err(|error| error.in_file(&file))?;
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
    let width = width();
    for (name, value) in facts(&found.detected, &found.counts) {
        let line = wrapped(&format!("  {name:<10} {value}"), width);
        let _ = writeln!(text, "{line}");
    }
    text
}

/// Names and values. Those that say nothing about the trace are left out.
pub fn facts(detected: &Detected, counts: &Inspection) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let format = &detected.spec.format;
    facts.push(("format".into(), format!("{format}: {}", detected.reason)));
    facts.push(("requests".into(), counts.requests.to_string()));
    if counts.requests > 0 {
        facts_of_requests(counts, &mut facts);
    }
    for (reason, count) in counts.skipped.iter() {
        facts.push(("skipped".into(), format!("{count} {reason}")));
    }
    facts
}

/// What there is to say about a trace that is not empty.
fn facts_of_requests(counts: &Inspection, facts: &mut Vec<(String, String)>) {
    let mut fact = |name: &str, value: String| facts.push((name.to_owned(), value));
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
}

/// The columns of the terminal.
fn width() -> Option<usize> {
    terminal::columns().filter(|_| io::stdout().is_terminal())
}

/// A line that is wrapped at words, if there is a width; the next ones start where its value does.
fn wrapped(line: &str, width: Option<usize>) -> String {
    let Some(width) = width.filter(|&width| width > 2 * VALUE.len()) else {
        return line.to_owned();
    };
    let options = textwrap::Options::new(width).subsequent_indent(VALUE);
    textwrap::fill(line, options)
}

/// What stands before a value.
const VALUE: &str = "             ";

fn bytes(counts: &Inspection) -> String {
    let number = counts.bytes;
    match counts.sized {
        0 => format!("{number} (no sizes: each request counts 1)"),
        sized if sized < counts.requests => {
            format!("{number} (a request without a size counts 1)")
        }
        _ if number >= 10_000 => format!("{number} ({})", bytesize::ByteSize(number)),
        _ => number.to_string(),
    }
}

fn one_hit(counts: &Inspection) -> String {
    let (once, objects) = (counts.one_hit_wonders, counts.objects);
    let share = once as f64 / objects.max(1) as f64 * 100.0;
    format!("{once} of {objects} objects ({share:.1}%) are asked for only once")
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
        1 => ", but 1 record is before the one above it".into(),
        falls => format!(", but {falls} records are before the one above them"),
    };
    Some(format!("{span}{falls}"))
}

fn ttls(counts: &Inspection) -> Option<String> {
    let ttls = counts.ttls.as_ref()?;
    let (min, max) = (duration::show(ttls.min), duration::show(ttls.max));
    let usual = ttls.usual.iter().map(|&(ttl, _)| duration::show(ttl));
    let usual: Vec<String> = usual.collect();
    let usual = usual.join(", ");
    let requests = match ttls.requests {
        1 => "1 request".into(),
        requests => format!("{requests} requests"),
    };
    if ttls.min == ttls.max {
        return Some(format!("{min}, of {requests}"));
    }
    Some(format!("{min} to {max}, of {requests}; most often {usual}"))
}

/// A key as it can be typed, cut after 60 bytes.
fn shown(key: &OwnedKey) -> String {
    let bytes = key.as_bytes();
    let mut out = Vec::new();
    show(&bytes[..bytes.len().min(60)], &mut out);
    let dots = if bytes.len() > 60 { "…" } else { "" };
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
        width: width(),
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
