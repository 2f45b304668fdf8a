//! Rows of columns, and the csv format whose columns are given or found.

use std::time::Duration;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::super::Record;
use super::super::error::TraceError;
use super::super::format::{ColumnNumbers, Spec};
use super::super::input::{Input, MAX_LINE};
use super::super::key::Key;
use super::super::op::Op;
use super::super::skipped::Skipped;
use super::super::text;
use super::Decoder;
use super::blocks::{BlockDecoder, BlockRequest};

/// The most columns.
const MAX_COLUMNS: usize = 4096;

/// Reads one row after the other. Fields may be quoted, and are shown without spaces at both ends.
pub struct Rows {
    reader: Box<Reader>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    columns: usize,
    /// A row that is to be read again.
    is_kept: bool,
}

impl Rows {
    /// Rows with this delimiter. Without `quotes`, a quote is a character like any other.
    pub fn new(delimiter: u8, quotes: bool) -> Self {
        let reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .quoting(quotes)
            .build();
        Self {
            reader: Box::new(reader),
            bytes: vec![0; 4096],
            ends: vec![0; 64],
            columns: 0,
            is_kept: false,
        }
    }

    /// Reads the next row; `false` at the end. Empty lines are no rows.
    ///
    /// # Errors
    /// If it cannot be read, has more than 4,096 columns, or is longer than [`MAX_LINE`].
    pub fn next(&mut self, input: &mut Input) -> Result<bool, TraceError> {
        if std::mem::take(&mut self.is_kept) {
            return Ok(true);
        }
        let (mut filled, mut columns) = (0, 0);
        loop {
            let available = input.available()?;
            let (out, ends) = (&mut self.bytes[filled..], &mut self.ends[columns..]);
            let (result, taken, written, ended) = self.reader.read_record(available, out, ends);
            let is_behind = available[..taken].last() == Some(&b'\n');
            let line = self.reader.line() - u64::from(is_behind);
            input.consume(taken, 0);
            input.set_line(line);
            (filled, columns) = (filled + written, columns + ended);
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => grow(&mut self.bytes, MAX_LINE, input, "bytes")?,
                ReadRecordResult::OutputEndsFull => {
                    grow(&mut self.ends, MAX_COLUMNS, input, "columns")?;
                }
                ReadRecordResult::Record => {
                    self.columns = columns;
                    return Ok(true);
                }
                ReadRecordResult::End => return Ok(false),
            }
        }
    }

    /// Has the present row be the next one again.
    pub fn keep(&mut self) {
        self.is_kept = true;
    }

    /// How many columns the row has.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The field of a column; `None` if the row is too short.
    #[inline]
    pub fn field(&self, column: usize) -> Option<&[u8]> {
        self.whole_field(column).map(text::trim)
    }

    /// The field of a column with its spaces.
    fn whole_field(&self, column: usize) -> Option<&[u8]> {
        if column >= self.columns {
            return None;
        }
        let start = column.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.bytes[start..self.ends[column]])
    }

    /// The field of a column that there may be; an empty one and `-` are none.
    pub fn value(&self, column: Option<usize>) -> Option<&[u8]> {
        let field = self.field(column?)?;
        (!matches!(field, b"" | b"-")).then_some(field)
    }

    /// All fields.
    pub fn fields(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.columns).filter_map(|column| self.field(column))
    }
}

fn grow<T: Clone + Default>(
    buffer: &mut Vec<T>,
    most: usize,
    input: &Input,
    what: &str,
) -> Result<(), TraceError> {
    if buffer.len() >= most {
        return Err(input.at_line(format!("the row has more than {most} {what}")));
    }
    buffer.resize((buffer.len() * 2).min(most), T::default());
    Ok(())
}

/// The number in a column: `None` if the row has none there.
///
/// # Errors
/// The reason to skip the row: a field is not a number.
pub fn number(rows: &Rows, column: Option<usize>, what: &str) -> Result<Option<u64>, String> {
    let Some(field) = rows.value(column) else {
        return Ok(None);
    };
    let number = text::whole(field);
    number
        .map(Some)
        .ok_or_else(|| format!("unreadable: no {what}"))
}

/// The same for a time in seconds.
pub fn seconds(rows: &Rows, column: Option<usize>) -> Result<Option<Duration>, String> {
    let Some(field) = rows.value(column) else {
        return Ok(None);
    };
    let time = text::seconds(field);
    time.map(Some).ok_or_else(|| "unreadable: no time".into())
}

/// A TTL in seconds; zero, less and none are `None`.
pub fn ttl(rows: &Rows, column: Option<usize>) -> Option<Duration> {
    let ttl = text::seconds(rows.value(column)?)?;
    (!ttl.is_zero()).then_some(ttl)
}

/// The delimiter that comes most often in the first line that is no comment, outside of quotes: tab,
/// comma, `|`, `;` or `:`.
pub fn guess_delimiter(head: &[u8]) -> Option<u8> {
    let mut lines = head.split(|&byte| byte == b'\n');
    let first = lines.next()?;
    let line = match lines.find(|line| !line.starts_with(COMMENT)) {
        Some(line) if first.starts_with(COMMENT) && !line.is_empty() => line,
        _ => first,
    };
    let mut is_quoted = false;
    let mut counts = [(b'\t', 0), (b',', 0), (b'|', 0), (b';', 0), (b':', 0)];
    for &byte in line {
        is_quoted ^= byte == b'"';
        let count = counts.iter_mut().find(|(it, _)| *it == byte && !is_quoted);
        if let Some((_, count)) = count {
            *count += 1;
        }
    }
    let most = counts
        .iter()
        .map(|&(_, count)| count)
        .max()
        .filter(|&most| most > 0)?;
    counts.iter().find(|it| it.1 == most).map(|it| it.0)
}

/// What a comment starts with. The header may be one.
const COMMENT: &[u8] = b"#";

/// The words of a header for each field.
const HEADERS: [&[&str]; 6] = [
    &["time", "timestamp", "when"],
    &["key", "id", "object", "obj_id"],
    &["size", "bytes", "length"],
    &["op", "operation", "verb"],
    &["ttl"],
    &["count", "op_count"],
];

/// The columns of a header, if it has one for the key.
pub fn known_header<'a>(fields: impl Iterator<Item = &'a [u8]>) -> Option<ColumnNumbers> {
    let mut columns = [None; 6];
    for (at, field) in fields.enumerate() {
        let field = text::trim(field.strip_prefix(COMMENT).unwrap_or(field));
        let is = |names: &&[&str]| {
            names
                .iter()
                .any(|name| name.as_bytes().eq_ignore_ascii_case(field))
        };
        let column = HEADERS.iter().position(is);
        if let Some(column) = column {
            columns[column].get_or_insert(at);
        }
    }
    let [time, key, size, op, ttl, count] = columns;
    key.map(|key| ColumnNumbers {
        time,
        key: Some(key),
        size,
        op,
        ttl,
        count,
    })
}

/// Whether a first row is a header, as libCacheSim guesses: its letters outnumber its digits. Those of
/// hexadecimal numbers are neither.
fn looks_like_header(rows: &Rows) -> bool {
    let bytes = rows.fields().flatten();
    let (mut letters, mut digits) = (0, 0);
    for byte in bytes {
        digits += u32::from(byte.is_ascii_digit());
        letters += u32::from(byte.is_ascii_alphabetic() && !byte.is_ascii_hexdigit());
    }
    letters > digits
}

/// Whether a first row is a comment, and not a header behind the sign of one.
fn is_comment(rows: &Rows) -> bool {
    let starts = rows.field(0).is_some_and(|it| it.starts_with(COMMENT));
    starts && known_header(rows.fields()).is_none()
}

/// Rows with columns that options or a header give.
pub struct Csv {
    rows: Rows,
    columns: ColumnNumbers,
    numeric: bool,
    /// Whether spaces follow the delimiters of the first row, so that they are no part of keys.
    is_spaced: bool,
}

impl Csv {
    pub fn new(spec: &Spec, input: &mut Input) -> Result<Self, TraceError> {
        let (head, _) = input.peek()?;
        let delimiter = spec.delimiter.or_else(|| guess_delimiter(head));
        let mut rows = Rows::new(delimiter.unwrap_or(b','), true);
        let mut has_rows = rows.next(input)?;
        while has_rows && spec.header != Some(false) && is_comment(&rows) {
            has_rows = rows.next(input)?;
        }
        let header = known_header(rows.fields());
        let mut whole = (1..rows.columns()).filter_map(|column| rows.whole_field(column));
        let is_spaced = whole.any(|field| field.starts_with(b" "));
        let is_header = spec
            .header
            .unwrap_or_else(|| header.is_some() || spec.has_columns() && looks_like_header(&rows));
        if has_rows && !is_header {
            rows.keep();
        }
        let found = header.filter(|_| is_header).unwrap_or_default();
        let columns = merged(spec.columns, found);
        if columns.key.is_none() && rows.columns() > 1 {
            return Err(input.whole(
                "it is not clear which column is the key: use --trace-format csv,obj-id-col=N, from 1, \
                 and also time-col, obj-size-col, op-col, ttl-col",
            ));
        }
        Ok(Self {
            rows,
            columns,
            numeric: spec.numeric,
            is_spaced,
        })
    }

    fn key(&self) -> Key<'_> {
        let column = self.columns.key.unwrap_or(0);
        let text = self.rows.whole_field(column).unwrap_or_default();
        let text = if self.is_spaced {
            text::trim(text)
        } else {
            text
        };
        if self.numeric {
            Key::lenient(text::trim(text))
        } else {
            Key::of(text)
        }
    }

    fn parse(&self) -> Result<Record<'static>, String> {
        let (rows, columns) = (&self.rows, &self.columns);
        let op = match rows.value(columns.op) {
            None => Op::Get,
            Some(name) => Op::of(name).ok_or_else(|| format!("operation {}", text::shown(name)))?,
        };
        if rows.field(columns.key.unwrap_or(0)).is_none() {
            return Err("unreadable: no key".into());
        }
        let count = number(rows, columns.count, "count")?;
        Ok(Record {
            op,
            time: seconds(rows, columns.time)?,
            size: number(rows, columns.size, "size")?,
            ttl: ttl(rows, columns.ttl),
            count: count.unwrap_or(1),
            ..Record::get(Key::Number(0))
        })
    }
}

/// The given columns, and those of the header for the others.
fn merged(given: ColumnNumbers, found: ColumnNumbers) -> ColumnNumbers {
    ColumnNumbers {
        time: given.time.or(found.time),
        key: given.key.or(found.key),
        size: given.size.or(found.size),
        op: given.op.or(found.op),
        ttl: given.ttl.or(found.ttl),
        count: given.count.or(found.count),
    }
}

impl Decoder for Csv {
    fn decode<'a>(
        &'a mut self,
        input: &'a mut Input,
        skipped: &mut Skipped,
    ) -> Result<Option<Record<'a>>, TraceError> {
        while self.rows.next(input)? {
            match self.parse() {
                Ok(Record { count: 0, .. }) => skipped.add("count of zero"),
                Ok(record) => {
                    return Ok(Some(record.with(self.key())));
                }
                Err(reason) => skipped.add(&reason),
            }
        }
        Ok(None)
    }
}

/// Rows of block requests: the key is the number of the first block, the size is that of the request.
pub struct CsvBlocks {
    rows: Csv,
    /// Bytes of a block that a key numbers.
    block: u64,
}

impl CsvBlocks {
    pub fn new(rows: Csv, block: u64, input: &Input) -> Result<Self, TraceError> {
        if rows.columns.ttl.is_some() {
            return Err(input.whole("requests for blocks have no TTL: leave ttl-col out"));
        }
        Ok(Self { rows, block })
    }

    fn parse(&self) -> Result<BlockRequest, String> {
        let record = self.rows.parse()?;
        let Key::Number(offset) = self.rows.key() else {
            return Err("unreadable: no number of a block".into());
        };
        Ok(BlockRequest {
            op: record.op,
            offset,
            unit: self.block,
            len: record.size.unwrap_or(self.block),
            time: record.time,
            count: record.count,
            key_has_offset: true,
        })
    }
}

impl BlockDecoder for CsvBlocks {
    fn next(
        &mut self,
        input: &mut Input,
        skipped: &mut Skipped,
        _: &mut Vec<u8>,
    ) -> Result<Option<BlockRequest>, TraceError> {
        while self.rows.rows.next(input)? {
            match self.parse() {
                Ok(BlockRequest { count: 0, .. }) => skipped.add("count of zero"),
                Ok(request) => return Ok(Some(request)),
                Err(reason) => skipped.add(&reason),
            }
        }
        Ok(None)
    }
}
