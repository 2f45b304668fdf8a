//! Rows whose columns are known.

use std::time::Duration;

use super::super::error::TraceError;
use super::super::format::Format;
use super::super::input::Input;
use super::super::key::Key;
use super::super::op::Op;
use super::super::skipped::Skipped;
use super::super::text;
use super::super::{BoxedTrace, Record};
use super::blocks::{BlockDecoder, BlockRequest};
use super::table::{Rows, number, seconds, ttl};
use super::{Decoder, boxed};

/// The reason to skip a row without this field.
fn no(what: &str) -> String {
    format!("unreadable: no {what}")
}

fn need(value: Option<u64>, what: &str) -> Result<u64, String> {
    value.ok_or_else(|| no(what))
}

fn unknown(op: &[u8]) -> String {
    format!("operation {}", text::shown(op))
}

/// The next record of rows: `parse` gives it without its key, `key` is the column of that.
fn next_row<'a>(
    rows: &'a mut Rows,
    input: &mut Input,
    skipped: &mut Skipped,
    key: usize,
    parse: impl Fn(&Rows) -> Result<Record<'static>, String>,
) -> Result<Option<Record<'a>>, TraceError> {
    while rows.next(input)? {
        match parse(rows) {
            Err(reason) => skipped.add(&reason),
            Ok(_) if rows.field(key).is_none() => skipped.add(&no("key")),
            Ok(Record { count: 0, .. }) => skipped.add("count of zero"),
            Ok(record) => {
                let key = Key::of(rows.field(key).unwrap_or_default());
                return Ok(Some(Record { key, ..record }));
            }
        }
    }
    Ok(None)
}

const KEYLESS: Record<'static> = Record::get(Key::Number(0));

/// `time, key, key size, value size, client, operation, TTL`.
pub struct Twitter {
    rows: Rows,
}

impl Twitter {
    pub fn new() -> Self {
        Self {
            rows: Rows::new(b',', false),
        }
    }
}

impl Decoder for Twitter {
    fn decode<'a>(
        &'a mut self,
        input: &'a mut Input,
        skipped: &mut Skipped,
    ) -> Result<Option<Record<'a>>, TraceError> {
        next_row(&mut self.rows, input, skipped, 1, twitter)
    }
}

fn twitter(rows: &Rows) -> Result<Record<'static>, String> {
    let op = rows.field(5).ok_or_else(|| no("operation"))?;
    let time = seconds(rows, Some(0))?;
    let key = need(number(rows, Some(2), "key size")?, "key size")?;
    let value = need(number(rows, Some(3), "value size")?, "value size")?;
    Ok(Record {
        op: Op::named(op).ok_or_else(|| unknown(op))?,
        time: Some(time.ok_or_else(|| no("time"))?),
        size: Some(key.saturating_add(value)),
        ttl: ttl(rows, Some(6)),
        ..KEYLESS
    })
}

/// The header of a format whose columns are known by name.
struct Header {
    rows: Rows,
    names: Vec<Vec<u8>>,
}

impl Header {
    fn read(input: &mut Input) -> Result<Self, TraceError> {
        let mut rows = Rows::new(b',', true);
        rows.next(input)?;
        let names = rows.fields().map(<[u8]>::to_ascii_lowercase).collect();
        Ok(Self { rows, names })
    }

    fn find(&self, names: &[&str]) -> Option<usize> {
        let is = |column: &Vec<u8>| names.iter().any(|name| name.as_bytes() == column);
        self.names.iter().position(is)
    }

    fn need(&self, name: &str, input: &Input) -> Result<usize, TraceError> {
        let missing = || input.at_line(format!("the header has no column {name}"));
        self.find(&[name]).ok_or_else(missing)
    }
}

/// Meta's key-value caches: columns by name, a row is `op_count` requests.
pub struct CachelibKv {
    rows: Rows,
    key: usize,
    op: usize,
    size: usize,
    key_size: Option<usize>,
    count: Option<usize>,
    ttl: Option<usize>,
    time: Option<usize>,
}

impl CachelibKv {
    pub fn new(input: &mut Input) -> Result<Self, TraceError> {
        let header = Header::read(input)?;
        Ok(Self {
            key: header.need("key", input)?,
            op: header.need("op", input)?,
            size: header.need("size", input)?,
            key_size: header.find(&["key_size"]),
            count: header.find(&["op_count"]),
            ttl: header.find(&["ttl"]),
            time: header.find(&["op_time", "time", "timestamp"]),
            rows: header.rows,
        })
    }
}

impl Decoder for CachelibKv {
    fn decode<'a>(
        &'a mut self,
        input: &'a mut Input,
        skipped: &mut Skipped,
    ) -> Result<Option<Record<'a>>, TraceError> {
        let Self {
            key_size,
            count,
            time,
            ..
        } = *self;
        let (op, size, deadline) = (self.op, self.size, self.ttl);
        let parse = |rows: &Rows| {
            let op = rows.field(op).ok_or_else(|| no("operation"))?;
            let key_size = number(rows, key_size, "key size")?.unwrap_or(0);
            let size = need(number(rows, Some(size), "size")?, "size")?;
            Ok(Record {
                op: Op::named(op).ok_or_else(|| unknown(op))?,
                time: seconds(rows, time)?,
                size: Some(size.saturating_add(key_size)),
                ttl: ttl(rows, deadline),
                count: number(rows, count, "count")?.unwrap_or(1),
                ..KEYLESS
            })
        };
        next_row(&mut self.rows, input, skipped, self.key, parse)
    }
}

/// Meta's content delivery network: the size is that of the whole object.
pub struct CachelibCdn {
    rows: Rows,
    key: usize,
    time: Option<usize>,
    op: Option<usize>,
    size: usize,
    ttl: Option<usize>,
}

impl CachelibCdn {
    pub fn new(input: &mut Input) -> Result<Self, TraceError> {
        let header = Header::read(input)?;
        Ok(Self {
            key: header.need("cachekey", input)?,
            time: header.find(&["timestamp"]),
            op: header.find(&["optype"]),
            size: header.need("objectsize", input)?,
            ttl: header.find(&["ttl"]),
            rows: header.rows,
        })
    }
}

/// A request of a content delivery network reads, unless it purges.
fn cdn_op(name: Option<&[u8]>) -> Op {
    let removes =
        |name: &[u8]| name.eq_ignore_ascii_case(b"purge") || Op::named(name) == Some(Op::Delete);
    if name.is_some_and(removes) {
        Op::Delete
    } else {
        Op::Get
    }
}

impl Decoder for CachelibCdn {
    fn decode<'a>(
        &'a mut self,
        input: &'a mut Input,
        skipped: &mut Skipped,
    ) -> Result<Option<Record<'a>>, TraceError> {
        let Self { time, op, size, .. } = *self;
        let deadline = self.ttl;
        let parse = |rows: &Rows| {
            Ok(Record {
                op: cdn_op(rows.value(op)),
                time: seconds(rows, time)?,
                size: number(rows, Some(size), "size")?,
                ttl: ttl(rows, deadline),
                ..KEYLESS
            })
        };
        next_row(&mut self.rows, input, skipped, self.key, parse)
    }
}

/// Wikipedia's requests: those of 2019 and 2016 have a header, those of 2007 have not.
pub fn wikipedia(mut input: Input) -> Result<BoxedTrace, TraceError> {
    let (head, _) = input.peek()?;
    let line = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let has_tabs = line.contains(&b'\t');
    if !has_tabs && line.first().is_none_or(u8::is_ascii_digit) {
        let rows = Rows::new(b' ', false);
        return Ok(boxed(Format::WikipediaCdn, input, Wikibench { rows }));
    }
    let mut rows = Rows::new(if has_tabs { b'\t' } else { b' ' }, false);
    rows.next(&mut input)?;
    let find = |names: &[&str]| {
        let is = |field: &[u8]| {
            names
                .iter()
                .any(|name| name.as_bytes().eq_ignore_ascii_case(field))
        };
        rows.fields().position(is)
    };
    let key = [
        "hashed_path_query",
        "hashed_host_path_query",
        "hashed_host_and_path",
    ];
    let columns = (find(&key), find(&["response_size"]));
    let time = find(&["relative_unix"]);
    let query = find(&["uri_query"]);
    let kind = find(&["image_type"]);
    let (Some(key), Some(size)) = columns else {
        // Files that are cut into parts have no header. The columns are those of 2019, upload.
        let fields = rows.columns();
        rows.keep();
        let (kind, size) = if fields >= 5 { (Some(2), 3) } else { (None, 2) };
        return Ok(boxed(
            Format::WikipediaCdn,
            input,
            Wikipedia::new(rows, 1, [Some(0), kind, Some(size)]),
        ));
    };
    let extra = query.or(kind);
    Ok(boxed(
        Format::WikipediaCdn,
        input,
        Wikipedia::new(rows, key, [time, extra, Some(size)]),
    ))
}

/// Requests with a hashed path; the query or the type of an image is a part of the key.
struct Wikipedia {
    rows: Rows,
    key: usize,
    time: Option<usize>,
    extra: Option<usize>,
    size: Option<usize>,
    text: Vec<u8>,
}

impl Wikipedia {
    fn new(rows: Rows, key: usize, [time, extra, size]: [Option<usize>; 3]) -> Self {
        Self {
            rows,
            key,
            time,
            extra,
            size,
            text: Vec::new(),
        }
    }
}

impl Decoder for Wikipedia {
    fn decode<'a>(
        &'a mut self,
        input: &'a mut Input,
        skipped: &mut Skipped,
    ) -> Result<Option<Record<'a>>, TraceError> {
        let (time, size) = (self.time, self.size);
        let parse = |rows: &Rows| {
            Ok(Record {
                time: seconds(rows, time)?,
                size: Some(need(number(rows, size, "size")?, "size")?),
                ..KEYLESS
            })
        };
        let record = match next_row(&mut self.rows, input, skipped, self.key, parse)? {
            None => return Ok(None),
            Some(record) => record.with(Key::Number(0)),
        };
        let key = self.rows.field(self.key).unwrap_or_default();
        let Some(extra) = self.rows.value(self.extra) else {
            return Ok(Some(record.with(Key::of(key))));
        };
        self.text.clear();
        for part in [key, b":", extra] {
            self.text.extend_from_slice(part);
        }
        Ok(Some(record.with(Key::Bytes(&self.text))))
    }
}

/// `counter time URL -|save`.
struct Wikibench {
    rows: Rows,
}

impl Decoder for Wikibench {
    fn decode<'a>(
        &'a mut self,
        input: &'a mut Input,
        skipped: &mut Skipped,
    ) -> Result<Option<Record<'a>>, TraceError> {
        next_row(&mut self.rows, input, skipped, 2, |rows| {
            let time = seconds(rows, Some(1))?;
            let is_save = rows.field(3) == Some(b"save");
            Ok(Record {
                op: if is_save { Op::Set } else { Op::Get },
                time: Some(time.ok_or_else(|| no("time"))?),
                ..KEYLESS
            })
        })
    }
}

/// A parsed row of a block device.
type Block = Result<BlockRequest, String>;

/// Rows of block requests.
pub struct BlockRows<P> {
    rows: Rows,
    parse: P,
}

impl<P: Fn(&Rows, &mut Vec<u8>) -> Block> BlockDecoder for BlockRows<P> {
    fn next(
        &mut self,
        input: &mut Input,
        skipped: &mut Skipped,
        device: &mut Vec<u8>,
    ) -> Result<Option<BlockRequest>, TraceError> {
        while self.rows.next(input)? {
            device.clear();
            match (self.parse)(&self.rows, device) {
                Ok(BlockRequest { count: 0, .. }) => skipped.add("count of zero"),
                Ok(request) => return Ok(Some(request)),
                Err(reason) => skipped.add(&reason),
            }
        }
        Ok(None)
    }
}

fn field<'a>(rows: &'a Rows, column: usize, what: &str) -> Result<&'a [u8], String> {
    rows.field(column).ok_or_else(|| no(what))
}

/// A number in a column that has only digits.
fn digits(rows: &Rows, column: usize, what: &str) -> Result<u64, String> {
    text::digits(field(rows, column, what)?).ok_or_else(|| no(what))
}

/// `device,R|W,offset,length,µs`.
pub fn alibaba() -> impl BlockDecoder + Send {
    let parse = |rows: &Rows, device: &mut Vec<u8>| {
        device.extend_from_slice(field(rows, 0, "device")?);
        let op = match field(rows, 1, "operation")? {
            b"R" | b"r" => Op::Get,
            b"W" | b"w" => Op::Set,
            other => return Err(unknown(other)),
        };
        Ok(BlockRequest {
            op,
            offset: digits(rows, 2, "offset")?,
            unit: 1,
            len: digits(rows, 3, "length")?,
            time: Some(Duration::from_micros(digits(rows, 4, "time")?)),
            count: 1,
            key_has_offset: true,
        })
    };
    let rows = Rows::new(b',', false);
    BlockRows { rows, parse }
}

/// `time,offset,size,type,volume`, in sectors.
pub fn tencent_cbs() -> impl BlockDecoder + Send {
    let parse = |rows: &Rows, device: &mut Vec<u8>| {
        device.extend_from_slice(field(rows, 4, "volume")?);
        let op = match field(rows, 3, "operation")? {
            b"0" => Op::Get,
            b"1" => Op::Set,
            other => return Err(unknown(other)),
        };
        Ok(BlockRequest {
            op,
            offset: digits(rows, 1, "offset")?,
            unit: 512,
            len: digits(rows, 2, "size")?.saturating_mul(512),
            time: Some(Duration::from_secs(digits(rows, 0, "time")?)),
            count: 1,
            key_has_offset: true,
        })
    };
    let rows = Rows::new(b',', false);
    BlockRows { rows, parse }
}

/// `filetime,host,disk,Read|Write,offset,size,response`.
pub fn msr() -> impl BlockDecoder + Send {
    let parse = |rows: &Rows, device: &mut Vec<u8>| {
        for part in [field(rows, 1, "host")?, b".", field(rows, 2, "disk")?] {
            device.extend_from_slice(part);
        }
        let op = field(rows, 3, "operation")?;
        Ok(BlockRequest {
            op: Op::named(op).ok_or_else(|| unknown(op))?,
            offset: digits(rows, 4, "offset")?,
            unit: 1,
            len: digits(rows, 5, "size")?,
            time: Some(text::units(digits(rows, 0, "time")?, 10_000_000)),
            count: 1,
            key_has_offset: true,
        })
    };
    let rows = Rows::new(b',', false);
    BlockRows { rows, parse }
}

/// Meta's block storage: the key is block and shard, the offset is within the block.
pub struct CachelibBlock {
    rows: Rows,
    block: usize,
    shard: usize,
    size: usize,
    offset: usize,
    op: usize,
    time: Option<usize>,
    count: Option<usize>,
}

impl CachelibBlock {
    pub fn new(input: &mut Input) -> Result<Self, TraceError> {
        let header = Header::read(input)?;
        Ok(Self {
            block: header.need("block_id", input)?,
            shard: header.need("rs_shard_id", input)?,
            size: header.need("io_size", input)?,
            offset: header.need("io_offset", input)?,
            op: header.need("op_name", input)?,
            time: header.find(&["op_time"]),
            count: header.find(&["op_count"]),
            rows: header.rows,
        })
    }

    fn parse(&self, device: &mut Vec<u8>) -> Block {
        let rows = &self.rows;
        let block = field(rows, self.block, "block")?;
        let op = field(rows, self.op, "operation")?;
        for part in [block, b":", field(rows, self.shard, "shard")?] {
            device.extend_from_slice(part);
        }
        Ok(BlockRequest {
            op: chunk_op(op).ok_or_else(|| unknown(op))?,
            offset: digits(rows, self.offset, "offset")?,
            unit: 1,
            len: digits(rows, self.size, "size")?,
            time: seconds(rows, self.time)?,
            count: number(rows, self.count, "count")?.unwrap_or(1),
            key_has_offset: false,
        })
    }
}

/// `getChunkData.Permanent`, `putChunk.NotInitialized` and such.
fn chunk_op(name: &[u8]) -> Option<Op> {
    let starts = |prefix: &[u8]| {
        name.get(..prefix.len())
            .is_some_and(|it| it.eq_ignore_ascii_case(prefix))
    };
    if starts(b"get") || starts(b"read") {
        Some(Op::Get)
    } else if starts(b"put") || starts(b"write") {
        Some(Op::Set)
    } else if starts(b"delete") || starts(b"remove") {
        Some(Op::Delete)
    } else {
        None
    }
}

impl BlockDecoder for CachelibBlock {
    fn next(
        &mut self,
        input: &mut Input,
        skipped: &mut Skipped,
        device: &mut Vec<u8>,
    ) -> Result<Option<BlockRequest>, TraceError> {
        while self.rows.next(input)? {
            device.clear();
            match self.parse(device) {
                Ok(BlockRequest { count: 0, .. }) => skipped.add("count of zero"),
                Ok(request) => return Ok(Some(request)),
                Err(reason) => skipped.add(&reason),
            }
        }
        Ok(None)
    }
}
