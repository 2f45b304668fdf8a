//! Which format a trace has: by its first bytes, and the file's name where several fit.

use super::error::TraceError;
use super::format::Format;
use super::formats::{guess_delimiter, known_header};
use super::head::{Detected, Head, found};
use super::input::{Input, is_utf_16};
use super::{layouts, text};

/// Finds the format. Nothing is taken from the input.
///
/// Magic numbers come first, then the words and columns of the first lines; for numbers alone each
/// layout is tried on the first 1,000 records: its length divides that of the trace, times do not
/// fall, operations are known. Where two fit, the file's name decides.
///
/// # Errors
/// [`TraceError`] if it cannot be read, or has columns that only options can explain.
pub fn detect(input: &mut Input) -> Result<Detected, TraceError> {
    let head = Head::read(input)?;
    if is_utf_16(&head.bytes) {
        input.check_utf_8()?;
    }
    if head.bytes.is_empty() {
        return Ok(found(Format::Txt, "it is empty"));
    }
    if let Some(detected) = layouts::magic(&head) {
        return Ok(detected);
    }
    if !head.is_text() {
        return layouts::detect(&head).ok_or_else(|| {
            input.whole("its format is unknown: name it with --trace-format; \"binary,format=<…\" describes any records")
        });
    }
    if let Some(detected) = by_lines(&head) {
        return Ok(detected);
    }
    let first = head.lines().next().unwrap_or_default();
    if first.starts_with(b"file ") && has(first, " seq ") && has(first, " type ") {
        return Err(input.whole(
            "it is the manifest of an append-only file: use the file that ends with .incr.aof",
        ));
    }
    if let Some(columns) = columns(&head) {
        return Err(input.whole(format!(
            "it has {columns} columns and no header that says which is the key: use --trace-format \
             csv,obj-id-col=N, from 1, and also time-col, obj-size-col, op-col, ttl-col"
        )));
    }
    Ok(found(Format::Txt, "each line is a key"))
}

/// A format that can be detected by its lines.
#[derive(Clone, Copy)]
struct Shape {
    format: Format,
    /// Whether the first two lines look like it.
    looks: fn(&[u8], &[u8]) -> bool,
    reason: &'static str,
    are_times_rising: bool,
}

const fn shape(format: Format, looks: fn(&[u8], &[u8]) -> bool, reason: &'static str) -> Shape {
    Shape {
        format,
        looks,
        reason,
        are_times_rising: false,
    }
}

const fn rising(shape: Shape) -> Shape {
    Shape {
        are_times_rising: true,
        ..shape
    }
}

/// The formats of text, the most special first.
const SHAPES: &[Shape] = &[
    shape(
        Format::Mooncake,
        |line, _| has(line, "\"hash_ids\""),
        "its lines have hash_ids",
    ),
    shape(
        Format::Lmcache,
        |line, _| has(line, "\"chunk_hashes\""),
        "its lines have chunk_hashes",
    ),
    shape(
        Format::RedisMonitor,
        monitor,
        "its lines are those of MONITOR",
    ),
    shape(
        Format::MemcachedWatch,
        watch,
        "its lines have ts= and type=",
    ),
    shape(
        Format::CachelibBlock,
        |line, _| has(line, "block_id") && has(line, "io_size"),
        "its header has block_id and io_size",
    ),
    shape(
        Format::CachelibCdn,
        |line, _| has(line, "cacheKey") && has(line, "objectSize"),
        "its header has cacheKey and objectSize",
    ),
    shape(
        Format::CachelibKv,
        kv,
        "its header has key, op, size and op_count or key_size",
    ),
    shape(
        Format::WikipediaCdn,
        wikipedia,
        "its columns are those of Wikipedia",
    ),
    shape(Format::Address, address, "its lines are loads and stores"),
    shape(
        Format::IbmObjectStore,
        |line, _| has(line, " REST."),
        "its lines have REST operations",
    ),
    shape(
        Format::TencentPhoto,
        photo,
        "its lines start with a date and a hexadecimal id",
    ),
    shape(
        Format::Msr,
        |line, _| count(line, b',') == 7 && is_one_of(part(line, b',', 3), &["read", "write"]),
        "its fourth of 7 columns is Read or Write",
    ),
    shape(
        Format::Alibaba,
        |line, _| count(line, b',') == 5 && is_one_of(part(line, b',', 1), &["r", "w"]),
        "its second of 5 columns is R or W",
    ),
    shape(
        Format::Twitter,
        |line, _| count(line, b',') >= 7 && are_numbers(line, b',', &[0, 2, 3]),
        "its columns are those of Twitter",
    ),
    rising(shape(
        Format::TencentCbs,
        cbs,
        "its columns are time, offset, size, 0 or 1, and volume",
    )),
    shape(Format::Csv, header, "its header names a column for the key"),
    shape(
        Format::Arc,
        arc,
        "its lines are ranges of blocks with rising numbers",
    ),
    rising(shape(
        Format::Lrb,
        |line, _| are_numbers(line, b' ', &[0, 1, 2]) || hex_id(line),
        "its lines are time, id and size, and times do not fall",
    )),
];

fn by_lines(head: &Head) -> Option<Detected> {
    let bytes = &*head.bytes;
    if bytes.starts_with(b"*") && has(bytes.get(..32).unwrap_or(bytes), "\r\n$")
        || bytes.starts_with(b"#TS:")
    {
        return Some(found(
            Format::RedisAof,
            "it is made of commands of the Redis protocol",
        ));
    }
    let mut lines = head.lines();
    let first = lines.next()?;
    let second = lines.next().unwrap_or_default();
    let fits = |shape: &&Shape| {
        (shape.looks)(first, second)
            && head
                .fits(&shape.format.into(), shape.are_times_rising)
                .is_some()
    };
    if commented_header(&head.bytes) && head.fits(&Format::Csv.into(), false).is_some() {
        return Some(found(
            Format::Csv,
            "its header, a comment, names a column for the key",
        ));
    }
    let by_shape = SHAPES.iter().find(fits);
    by_shape
        .map(|shape| found(shape.format, shape.reason))
        .or_else(|| lirs(head))
}

/// Numbers with marks, or numbers in a file whose name says so.
fn lirs(head: &Head) -> Option<Detected> {
    head.fits(&Format::Lirs.into(), false)?;
    let has_marks = head.lines().any(|line| line.starts_with(b"*"));
    let name = !head.name.contains(".txt")
        && [".trc", ".trace", "lirs"]
            .iter()
            .any(|part| head.name.contains(part));
    match (has_marks, name) {
        (true, _) => Some(found(Format::Lirs, "its lines are numbers and marks")),
        (_, true) => Some(found(
            Format::Lirs,
            "its lines are numbers, and its name is one of lirs",
        )),
        _ => None,
    }
}

/// The number of columns, if the first lines have the same and there are numbers among them.
fn columns(head: &Head) -> Option<usize> {
    let delimiter =
        guess_delimiter(&head.bytes).filter(|it| matches!(it, b'\t' | b',' | b';' | b'|'))?;
    let mut counts = head.lines().take(20).map(|line| count(line, delimiter));
    let first = counts.next()?;
    let line = head.lines().nth(1).or_else(|| head.lines().next())?;
    let numbers = (0..first)
        .filter(|&at| are_numbers(line, delimiter, &[at]))
        .count();
    let is_table = first >= 2 && numbers >= 2.min(first) && counts.all(|count| count == first);
    (is_table || first >= 2 && head.name.contains(".csv")).then_some(first)
}

fn has(line: &[u8], part: &str) -> bool {
    memchr::memmem::find(line, part.as_bytes()).is_some()
}

fn parts(line: &[u8], delimiter: u8) -> impl Iterator<Item = &[u8]> {
    let all = line.split(move |&byte| byte == delimiter).map(text::trim);
    all.filter(move |part| delimiter != b' ' || !part.is_empty())
}

fn part(line: &[u8], delimiter: u8, at: usize) -> &[u8] {
    parts(line, delimiter).nth(at).unwrap_or_default()
}

fn count(line: &[u8], delimiter: u8) -> usize {
    parts(line, delimiter).count()
}

fn are_numbers(line: &[u8], delimiter: u8, columns: &[usize]) -> bool {
    let is_number = |&at: &usize| {
        let part = part(line, delimiter, at);
        text::seconds(part).is_some() || text::signed(part).is_some()
    };
    columns.iter().all(is_number)
}

fn is_one_of(word: &[u8], words: &[&str]) -> bool {
    words
        .iter()
        .any(|it| it.as_bytes().eq_ignore_ascii_case(word))
}

fn monitor(first: &[u8], second: &[u8]) -> bool {
    let line = if first == b"OK" { second } else { first };
    let time = part(line, b' ', 0);
    time.contains(&b'.')
        && text::seconds(time).is_some()
        && has(line, "] \"")
        && part(line, b' ', 1).starts_with(b"[")
}

fn watch(first: &[u8], second: &[u8]) -> bool {
    let line = if first == b"OK" || first.starts_with(b"[skipped") {
        second
    } else {
        first
    };
    line.starts_with(b"ts=") && has(line, " type=")
}

fn kv(line: &[u8], _: &[u8]) -> bool {
    let has = |name: &str| parts(line, b',').any(|part| part.eq_ignore_ascii_case(name.as_bytes()));
    has("key") && has("op") && has("size") && (has("op_count") || has("key_size"))
}

fn wikipedia(line: &[u8], _: &[u8]) -> bool {
    let is_2007 = are_numbers(line, b' ', &[0, 1])
        && part(line, b' ', 2).starts_with(b"http")
        && is_one_of(part(line, b' ', 3), &["-", "save"]);
    let is_2019 =
        !has(line, ",") && are_numbers(line, b'\t', &[0, 1]) && matches!(count(line, b'\t'), 4 | 5);
    has(line, "hashed_") || is_2007 || is_2019
}

fn address(line: &[u8], _: &[u8]) -> bool {
    is_one_of(part(line, b' ', 0), &["s", "l"]) && part(line, b' ', 1).starts_with(b"0x")
}

fn photo(line: &[u8], _: &[u8]) -> bool {
    let (date, id) = (part(line, b' ', 0), part(line, b' ', 1));
    let is_hex = !id.is_empty() && id.iter().all(u8::is_ascii_hexdigit);
    date.len() == 14 && text::digits(date).is_some() && is_hex && count(line, b' ') >= 5
}

fn cbs(line: &[u8], _: &[u8]) -> bool {
    count(line, b',') == 5
        && are_numbers(line, b',', &[0, 1, 2, 4])
        && is_one_of(part(line, b',', 3), &["0", "1"])
}

/// A header that has more than the key, or is followed by another line.
fn header(line: &[u8], _: &[u8]) -> bool {
    let delimiter = guess_delimiter(line);
    delimiter.is_some_and(|delimiter| known_header(parts(line, delimiter)).is_some())
}

/// Whether the first line is a header behind the sign of a comment: `# time, object, size`.
fn commented_header(bytes: &[u8]) -> bool {
    let line = bytes.split(|&byte| byte == b'\n').next();
    line.is_some_and(|line| line.starts_with(b"#") && header(text::trim(line), b""))
}

fn arc(first: &[u8], second: &[u8]) -> bool {
    let number = |line, at| text::digits(part(line, b' ', at));
    let is_range = |line| count(line, b' ') == 4 && (0..4).all(|at| number(line, at).is_some());
    let step = number(first, 3).zip(number(second, 3));
    is_range(first)
        && (second.is_empty() || is_range(second))
        && step.is_none_or(|(first, second)| second == first + 1)
}

/// `time id size` with an id that is no decimal number.
fn hex_id(line: &[u8]) -> bool {
    let id = part(line, b' ', 1);
    let is_hex = id.len() >= 8 && id.iter().all(u8::is_ascii_hexdigit);
    is_hex && are_numbers(line, b' ', &[0, 2])
}
