//! What `watch fetchers mutations` of memcached prints.

use std::time::Duration;

use super::super::Record;
use super::super::error::TraceError;
use super::super::input::Input;
use super::super::key::Key;
use super::super::op::Op;
use super::super::skipped::Skipped;
use super::super::text;
use super::Decoder;

/// A TTL beyond 30 days is a time since 1970.
const MAX_RELATIVE: u64 = 30 * 24 * 60 * 60;

/// See the module's docs. The size is that of key and value.
#[derive(Default)]
pub struct Watch {
    key: Vec<u8>,
}

impl Decoder for Watch {
    fn decode<'a>(
        &'a mut self,
        input: &'a mut Input,
        skipped: &mut Skipped,
    ) -> Result<Option<Record<'a>>, TraceError> {
        while let Some(line) = input.line()? {
            let line = text::trim(input.get(line));
            if line.is_empty() || line == b"OK" {
                continue;
            }
            if let Some(lost) = line.strip_prefix(b"[skipped: ") {
                let lost = text::digits(lost.strip_suffix(b"]").unwrap_or(lost));
                skipped.add_many("lost by the server, whose log was full", lost.unwrap_or(1));
                continue;
            }
            match self.parse(line) {
                Err(reason) => skipped.add(&reason),
                Ok(record) => {
                    let key = Key::of(&self.key);
                    return Ok(Some(Record { key, ..record }));
                }
            }
        }
        Ok(None)
    }
}

impl Watch {
    fn parse(&mut self, line: &[u8]) -> Result<Record<'static>, String> {
        let field = |name: &[u8]| {
            let mut words = line.split(|&byte| byte == b' ');
            words.find_map(|word| word.strip_prefix(name)?.strip_prefix(b"="))
        };
        let kind = field(b"type").ok_or("unreadable: no type")?;
        let op = match kind {
            b"item_get" => Op::Get,
            b"item_store" if field(b"cmd") == Some(b"add") => Op::Add,
            b"item_store" => Op::Set,
            _ => return Err(format!("type {}", text::shown(kind))),
        };
        if op != Op::Get && field(b"status") != Some(b"stored") {
            return Err("write that was not stored".into());
        }
        let time = field(b"ts")
            .and_then(text::seconds)
            .ok_or("unreadable: no time")?;
        let size = field(b"size").map(|size| text::digits(size).ok_or("unreadable: no size"));
        let ttl = field(b"ttl")
            .and_then(text::digits)
            .filter(|&ttl| ttl > 0 && op != Op::Get);
        unescape(field(b"key").ok_or("unreadable: no key")?, &mut self.key);
        let size = size.transpose()?.unwrap_or(0);
        Ok(Record {
            op,
            time: Some(time),
            size: Some(size.saturating_add(self.key.len() as u64)),
            ttl: ttl.and_then(|ttl| relative(ttl, time)),
            ..Record::get(Key::Number(0))
        })
    }
}

/// The TTL as a duration.
fn relative(ttl: u64, time: Duration) -> Option<Duration> {
    let ttl = Duration::from_secs(ttl);
    let ttl = if ttl.as_secs() > MAX_RELATIVE {
        ttl.saturating_sub(time)
    } else {
        ttl
    };
    (!ttl.is_zero()).then_some(ttl)
}

/// Decodes `%41`.
fn unescape(text: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let code = after
            .get(..2)
            .and_then(text::hex)
            .and_then(|code| u8::try_from(code).ok());
        if let (b'%', Some(byte)) = (first, code) {
            out.push(byte);
            rest = &after[2..];
        } else {
            out.push(first);
            rest = after;
        }
    }
}
