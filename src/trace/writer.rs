//! Writing traces in other formats.

use std::fmt;
use std::io::Write;
use std::str::FromStr;
use std::sync::Arc;

use super::columns::{Columns, Limits, MAX_COUNT, Wanted, too_many};
use super::error::{Place, TraceError};
use super::formats::fixed::{LCS_HEADER, LCS_MAGIC};
use super::key::Key;
use super::op::Op;
use super::skipped::Skipped;
use super::{Record, Trace, text};

/// Requests between two calls of the callback.
const STRIDE: u64 = 1 << 16;
/// Bytes that are gathered before they are written.
const PIECE: usize = 1 << 16;
/// The length of the statistics in the header of lcs.
const LCS_STATISTICS: usize = 8000;

/// The formats that can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// A key a line.
    Text,
    /// `time,key,size,op,ttl`, with a header; times and TTLs in seconds.
    Csv,
    /// libCacheSim's records of 24 bytes.
    OracleGeneral,
    /// libCacheSim's format with a header, version 1.
    Lcs,
    /// Keys as numbers of 64 bits, little-endian.
    U64le,
}

impl Output {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Text,
        Self::Csv,
        Self::OracleGeneral,
        Self::Lcs,
        Self::U64le,
    ];

    /// The format that the end of a file's name asks for, without that of its compression.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        name.rsplit_once('.')?.1.parse().ok()
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "txt",
            Self::Csv => "csv",
            Self::OracleGeneral => "oracleGeneral",
            Self::Lcs => "lcs",
            Self::U64le => "u64le",
        })
    }
}

/// The error of parsing an [`Output`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} cannot be written: use txt, csv, oracleGeneral, lcs or u64le")]
pub struct UnknownOutput(String);

impl FromStr for Output {
    type Err = UnknownOutput;

    fn from_str(name: &str) -> Result<Self, UnknownOutput> {
        let is = |output: &Self| output.to_string().eq_ignore_ascii_case(name);
        let unknown = || UnknownOutput(name.into());
        Self::ALL.into_iter().find(is).ok_or_else(unknown)
    }
}

/// What a conversion did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversion {
    /// Requests that were written.
    pub requests: u64,
    /// What the format could not hold, a sentence each.
    pub notes: Vec<String>,
    /// What the reader skipped.
    pub skipped: Skipped,
}

/// Writes a trace. Text and csv are written as the trace is read; for the others the whole trace is in
/// memory, 24 bytes a request and up to 32 a key.
///
/// Formats with numbers for keys keep the keys if all are numbers from zero; otherwise they number them
/// from 0 in the order of first appearance. `go_on` is called every 65,536 requests with
/// [`Trace::position`]; `false` ends with an error.
///
/// # Errors
/// [`TraceError`] of reading, of writing to `out`, for what the format cannot hold and would be wrong
/// without, and [`TraceError::interrupted`].
pub fn convert(
    trace: &mut (impl Trace + ?Sized),
    output: Output,
    out: &mut dyn Write,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<Conversion, TraceError> {
    let mut sink = Sink::new(out);
    let mut done = Conversion::default();
    match output {
        Output::Text | Output::Csv => lines(trace, output, &mut sink, &mut done, go_on)?,
        Output::OracleGeneral | Output::Lcs | Output::U64le => {
            binary(trace, output, &mut sink, &mut done, go_on)?;
        }
    }
    sink.finish()?;
    Ok(done)
}

/// Gathers what is written.
struct Sink<'a> {
    out: &'a mut dyn Write,
    buffer: Vec<u8>,
}

impl<'a> Sink<'a> {
    fn new(out: &'a mut dyn Write) -> Self {
        let buffer = Vec::with_capacity(2 * PIECE);
        Self { out, buffer }
    }

    fn settle(&mut self) -> Result<(), TraceError> {
        if self.buffer.len() < PIECE {
            return Ok(());
        }
        self.finish()
    }

    fn finish(&mut self) -> Result<(), TraceError> {
        let written = self.out.write_all(&self.buffer);
        self.buffer.clear();
        written.map_err(|error| TraceError::writing(&error))
    }
}

fn unplaced(message: impl Into<String>) -> TraceError {
    TraceError::new(&Arc::from(""), Place::Whole, message)
}

fn lines(
    trace: &mut (impl Trace + ?Sized),
    output: Output,
    sink: &mut Sink<'_>,
    done: &mut Conversion,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<(), TraceError> {
    let mut line = Vec::new();
    let mut lost = 0;
    if output == Output::Csv {
        sink.buffer.extend_from_slice(b"time,key,size,op,ttl\n");
    }
    loop {
        let position = trace.position();
        let Some(record) = trace.next()? else {
            break;
        };
        if record.count > MAX_COUNT {
            return Err(too_many(record.count));
        }
        line.clear();
        match output {
            Output::Csv => csv(&record, &mut line),
            _ => plain(&record, &mut line, done.requests)?,
        }
        lost += u64::from(output == Output::Text && has_more(&record));
        for _ in 0..record.count {
            sink.buffer.extend_from_slice(&line);
            sink.settle()?;
            done.requests += 1;
            if done.requests.is_multiple_of(STRIDE) && !go_on(position) {
                return Err(TraceError::interrupted());
            }
        }
    }
    if lost > 0 {
        let note = format!(
            "txt keeps keys only: sizes, times, operations and TTLs of {lost} records are left out"
        );
        done.notes.push(note);
    }
    done.skipped = trace.skipped().clone();
    Ok(())
}

fn has_more(record: &Record<'_>) -> bool {
    record.size.is_some() || record.time.is_some() || record.ttl.is_some() || record.op != Op::Get
}

/// A line of text. Only a key that its reader would read otherwise is refused.
fn plain(record: &Record<'_>, line: &mut Vec<u8>, requests: u64) -> Result<(), TraceError> {
    record.key.append(line);
    let is_wrong = line.is_empty()
        || line.starts_with(b"#")
        || line.ends_with(b"\r")
        || line.starts_with(b"\xef\xbb\xbf")
        || line.contains(&b'\n');
    if is_wrong {
        let number = requests + 1;
        let key = text::shown(line);
        return Err(unplaced(format!(
            "txt cannot hold the key {key} of request {number}: use csv"
        )));
    }
    line.push(b'\n');
    Ok(())
}

fn csv(record: &Record<'_>, line: &mut Vec<u8>) {
    if let Some(time) = record.time {
        text::append_seconds(time, line);
    }
    line.push(b',');
    match record.key {
        Key::Bytes(bytes) => quoted(bytes, line),
        key => key.append(line),
    }
    line.push(b',');
    if let Some(size) = record.size {
        text::append_number(size, line);
    }
    line.push(b',');
    line.extend_from_slice(record.op.name().as_bytes());
    line.push(b',');
    if let Some(ttl) = record.ttl {
        text::append_seconds(ttl, line);
    }
    line.push(b'\n');
}

/// A field, in quotes if it needs them.
fn quoted(field: &[u8], line: &mut Vec<u8>) {
    if !field
        .iter()
        .any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r'))
    {
        return line.extend_from_slice(field);
    }
    line.push(b'"');
    for &byte in field {
        if byte == b'"' {
            line.push(b'"');
        }
        line.push(byte);
    }
    line.push(b'"');
}

fn binary(
    trace: &mut (impl Trace + ?Sized),
    output: Output,
    sink: &mut Sink<'_>,
    done: &mut Conversion,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<(), TraceError> {
    let has_fields = output != Output::U64le;
    let wanted = Wanted {
        sizes: has_fields,
        times: has_fields,
        ops: true,
        ttls: true,
        keys: true,
        ..Wanted::default()
    };
    let mut limits = Limits {
        requests: u64::MAX,
        go_on: &mut *go_on,
    };
    let columns = Columns::read(trace, wanted, &mut limits)?;
    done.notes = notes(&columns, output);
    let start = start(&columns)?;
    if start > 0 && has_fields {
        done.notes
            .push("times do not fit in 32 bits: they start at 0".into());
    }
    if output == Output::Lcs {
        header(&columns, start, &mut sink.buffer);
    }
    let next = if has_fields {
        next_requests(&columns)
    } else {
        Vec::new()
    };
    let keys = Keys::new(&columns);
    for (at, &id) in columns.ids.iter().enumerate() {
        let key = keys.get(id);
        if has_fields {
            fields(&columns, at, key, start, next[at], &mut sink.buffer)?;
        } else {
            sink.buffer.extend_from_slice(&key.to_le_bytes());
        }
        sink.settle()?;
        done.requests += 1;
        if done.requests.is_multiple_of(STRIDE) && !go_on(trace.position()) {
            return Err(TraceError::interrupted());
        }
    }
    done.skipped = columns.skipped;
    Ok(())
}

/// What the format leaves out.
fn notes(columns: &Columns, output: Output) -> Vec<String> {
    let mut notes = Vec::new();
    let count = |op: Op| columns.ops.iter().filter(|&&it| it == op).count();
    let (sets, deletes) = (count(Op::Set) + count(Op::Add), count(Op::Delete));
    if sets + deletes > 0 {
        notes.push(format!(
            "{output} has no operations: {sets} sets and {deletes} deletes are written like gets"
        ));
    }
    let ttls = (0..columns.ttls.len())
        .filter(|&at| columns.ttls.get(at) != Some(0))
        .count();
    if ttls > 0 {
        notes.push(format!(
            "{output} has no TTLs: those of {ttls} requests are left out"
        ));
    }
    if !Keys::new(columns).are_kept() {
        notes.push(format!(
            "{output} has numbers for keys: keys are numbered from 0 as they appear"
        ));
    }
    notes
}

/// Keys as numbers.
struct Keys<'a> {
    columns: &'a Columns,
    kept: bool,
}

impl<'a> Keys<'a> {
    fn new(columns: &'a Columns) -> Self {
        let kept = columns.keys.are_numbers();
        Self { columns, kept }
    }

    fn are_kept(&self) -> bool {
        self.kept
    }

    fn get(&self, id: u32) -> u64 {
        match self.columns.keys.get(id) {
            Some(Key::Number(number)) if self.kept => number,
            _ => id.into(),
        }
    }
}

/// The seconds that are subtracted from all times.
fn start(columns: &Columns) -> Result<u64, TraceError> {
    let seconds = |nanos: Option<&u64>| nanos.map_or(0, |nanos| nanos / 1_000_000_000);
    let last = seconds(columns.times.iter().max());
    let first = seconds(columns.times.iter().min());
    match last {
        _ if u32::try_from(last).is_ok() => Ok(0),
        _ if u32::try_from(last - first).is_ok() => Ok(first),
        _ => Err(unplaced("the trace is longer than 2^32 seconds: use csv")),
    }
}

/// The number of the next request of the same key, from 1; 0 if there is none.
fn next_requests(columns: &Columns) -> Vec<u32> {
    let mut later = vec![0_u32; columns.objects as usize];
    let mut next = vec![0; columns.ids.len()];
    for (at, &id) in columns.ids.iter().enumerate().rev() {
        let later = &mut later[id as usize];
        next[at] = *later;
        // There are at most 2^32 - 2 requests.
        *later = u32::try_from(at + 1).unwrap_or(u32::MAX);
    }
    next
}

/// A record of 24 bytes.
fn fields(
    columns: &Columns,
    at: usize,
    key: u64,
    start: u64,
    next: u32,
    out: &mut Vec<u8>,
) -> Result<(), TraceError> {
    let time = columns.times[at] / 1_000_000_000 - start;
    let size = columns.sizes.get(at).unwrap_or(1);
    let narrow = |number: u64, what: &str| {
        let fit = u32::try_from(number);
        let request = at + 1;
        fit.map_err(|_| {
            unplaced(format!(
                "the {what} of request {request} does not fit in 32 bits: use csv"
            ))
        })
    };
    let next = if next == 0 { -1 } else { i64::from(next) };
    out.extend_from_slice(&narrow(time, "time")?.to_le_bytes());
    out.extend_from_slice(&key.to_le_bytes());
    out.extend_from_slice(&narrow(size, "size")?.to_le_bytes());
    out.extend_from_slice(&next.to_le_bytes());
    Ok(())
}

/// The header of lcs: its magic number, the version, statistics, and the magic number again.
fn header(columns: &Columns, start: u64, out: &mut Vec<u8>) {
    let count = |op: Op| columns.ops.iter().filter(|&&it| it == op).count() as u64;
    let seconds = |nanos: Option<&u64>| nanos.map_or(0, |nanos| nanos / 1_000_000_000 - start);
    let sizes = || (0..columns.sizes.len()).filter_map(|at| columns.sizes.get(at));
    let bytes = sizes().fold(0_u64, u64::saturating_add);
    let mut seen = vec![false; columns.objects as usize];
    let first = |&(id, _): &(&u32, u64)| !std::mem::replace(&mut seen[*id as usize], true);
    let objects = columns.ids.iter().zip(sizes()).filter(first);
    let object_bytes = objects.fold(0_u64, |sum, (_, size)| sum.saturating_add(size));
    let statistics = [
        1,
        columns.ids.len() as u64,
        columns.objects.into(),
        bytes,
        object_bytes,
        seconds(columns.times.first()),
        seconds(columns.times.last()),
        count(Op::Get),
        count(Op::Set) + count(Op::Add),
        count(Op::Delete),
    ];
    let before = out.len();
    for number in [LCS_MAGIC, 1].into_iter().chain(statistics) {
        out.extend_from_slice(&number.to_le_bytes());
    }
    debug_assert!(out.len() - before <= 16 + LCS_STATISTICS);
    out.resize(before + LCS_HEADER - 8, 0);
    out.extend_from_slice(&LCS_MAGIC.to_le_bytes());
}
