//! Commands of Redis and Valkey, and what MONITOR prints of them.

use std::time::Duration;

use super::super::Record;
use super::super::error::TraceError;
use super::super::input::Input;
use super::super::key::Key;
use super::super::op::Op;
use super::super::skipped::Skipped;
use super::super::text;
use super::Decoder;

/// One argument: its first bytes, and its whole length.
#[derive(Clone, Copy, Default)]
struct Argument {
    start: usize,
    end: usize,
    len: u64,
}

/// A command with its arguments.
#[derive(Default)]
pub struct Command {
    bytes: Vec<u8>,
    arguments: Vec<Argument>,
}

impl Command {
    /// The most bytes that are kept of a command.
    pub const MAX: usize = 4 << 20;

    pub fn clear(&mut self) {
        self.bytes.clear();
        self.arguments.clear();
    }

    /// Starts another argument.
    pub fn begin(&mut self) {
        let start = self.bytes.len();
        let end = start;
        self.arguments.push(Argument { start, end, len: 0 });
    }

    /// Appends to the last argument. Bytes beyond the bound are counted and not kept.
    pub fn append(&mut self, bytes: &[u8], keep: bool) {
        if let Some(argument) = self.arguments.last_mut() {
            argument.len += bytes.len() as u64;
            if keep {
                self.bytes.extend_from_slice(bytes);
                argument.end = self.bytes.len();
            }
        }
    }

    /// Bytes that are kept.
    pub fn kept(&self) -> usize {
        self.bytes.len()
    }

    pub fn get(&self, at: usize) -> Option<&[u8]> {
        let argument = self.arguments.get(at)?;
        self.bytes.get(argument.start..argument.end)
    }

    /// The name in upper case, for messages and comparison.
    pub fn name(&self) -> String {
        let name = self.get(0).unwrap_or_default();
        let name = &name[..name.len().min(32)];
        String::from_utf8_lossy(name).to_ascii_uppercase()
    }

    fn len(&self, at: usize) -> u64 {
        self.arguments.get(at).map_or(0, |argument| argument.len)
    }

    fn number(&self, at: usize) -> Option<u64> {
        text::digits(self.get(at)?)
    }
}

/// One request of a command: the argument that is its key.
#[derive(Clone, Copy)]
struct Request {
    op: Op,
    key: usize,
    size: Option<u64>,
    ttl: Option<Duration>,
}

/// The requests of one command, one after the other.
#[derive(Default)]
pub struct Requests {
    pub command: Command,
    /// The database.
    pub database: u64,
    /// When the command was sent.
    pub time: Option<Duration>,
    list: Vec<Request>,
    next: usize,
    key: Vec<u8>,
}

impl Requests {
    /// Finds the requests of the command, or says why there are none.
    pub fn start(&mut self) -> Result<(), String> {
        self.list.clear();
        self.next = 0;
        let count = self.command.arguments.len();
        let name = self.command.name();
        let (min, max) = match &*name {
            "MGET" | "DEL" | "UNLINK" | "GETEX" => (2, usize::MAX),
            "GET" | "STRLEN" | "GETDEL" | "INCR" | "DECR" => (2, 2),
            "GETRANGE" | "SUBSTR" | "SETEX" | "PSETEX" | "SETRANGE" => (4, 4),
            "SETNX" | "GETSET" | "APPEND" | "INCRBY" | "DECRBY" | "INCRBYFLOAT" => (3, 3),
            "SET" | "MSET" | "MSETNX" => (3, usize::MAX),
            "" => return Err("unreadable: no command".into()),
            _ => return Err(format!("command {}", printable(&name))),
        };
        if !(min..=max).contains(&count) {
            return Err(format!("{name} with {} arguments", count - 1));
        }
        self.find(&name, count)
    }

    fn find(&mut self, name: &str, count: usize) -> Result<(), String> {
        let unit = |millis: u64| {
            if name == "PSETEX" {
                millis
            } else {
                millis.saturating_mul(1000)
            }
        };
        match name {
            "MGET" => (1..count).for_each(|key| self.push(Op::Get, key, None, None)),
            "DEL" | "UNLINK" => (1..count).for_each(|key| self.push(Op::Delete, key, None, None)),
            "GET" | "STRLEN" | "GETRANGE" | "SUBSTR" | "GETEX" => self.push(Op::Get, 1, None, None),
            "GETDEL" => {
                self.push(Op::Get, 1, None, None);
                self.push(Op::Delete, 1, None, None);
            }
            "INCR" | "DECR" => self.push(Op::Set, 1, Some(self.command.len(1)), None),
            "SETEX" | "PSETEX" => {
                let ttl = self.command.number(2).ok_or("unreadable: no TTL")?;
                self.write(Op::Set, 3, Some(Duration::from_millis(unit(ttl))));
            }
            "SETRANGE" => self.write(Op::Set, 3, None),
            "SETNX" => self.write(Op::Add, 2, None),
            "SET" => self.set(count),
            "MSET" | "MSETNX" => {
                let op = if name == "MSET" { Op::Set } else { Op::Add };
                for key in (1..count - 1).step_by(2) {
                    let size = self
                        .command
                        .len(key)
                        .saturating_add(self.command.len(key + 1));
                    self.push(op, key, Some(size), None);
                }
            }
            _ => self.write(Op::Set, 2, None),
        }
        Ok(())
    }

    fn push(&mut self, op: Op, key: usize, size: Option<u64>, ttl: Option<Duration>) {
        let request = Request { op, key, size, ttl };
        self.list.push(request);
    }

    /// A write of the first argument, with the value at this place.
    fn write(&mut self, op: Op, value: usize, ttl: Option<Duration>) {
        let size = self.command.len(1).saturating_add(self.command.len(value));
        self.push(op, 1, Some(size), ttl.filter(|ttl| !ttl.is_zero()));
    }

    /// SET with its options. A deadline that has passed removes the key.
    fn set(&mut self, count: usize) {
        let (mut op, mut ttl) = (Op::Set, None);
        for at in 3..count {
            let word = self
                .command
                .get(at)
                .unwrap_or_default()
                .to_ascii_uppercase();
            let number = self.command.number(at + 1);
            let seconds = number.map(Duration::from_secs);
            let millis = number.map(Duration::from_millis);
            match &*word {
                b"NX" => op = Op::Add,
                b"EX" => ttl = seconds,
                b"PX" => ttl = millis,
                b"EXAT" => ttl = self.until(seconds),
                b"PXAT" => ttl = self.until(millis),
                _ => {}
            }
        }
        if ttl == Some(Duration::ZERO) {
            return self.push(Op::Delete, 1, None, None);
        }
        self.write(op, 2, ttl);
    }

    /// How long it is until this instant; `None` if the time of the command is unknown.
    fn until(&self, instant: Option<Duration>) -> Option<Duration> {
        Some(instant?.saturating_sub(self.time?))
    }

    /// Whether a request is left.
    pub fn is_done(&self) -> bool {
        self.next >= self.list.len()
    }

    /// The next request of the command.
    pub fn next(&mut self) -> Option<Record<'_>> {
        let request = *self.list.get(self.next)?;
        self.next += 1;
        let key = self.command.get(request.key)?;
        self.key.clear();
        // The same key in two databases is two keys, so all but database 0 get a prefix.
        if self.database != 0 || has_prefix(key) {
            self.key.extend_from_slice(b"db");
            text::append_number(self.database, &mut self.key);
            self.key.push(b':');
        }
        self.key.extend_from_slice(key);
        Some(Record {
            op: request.op,
            size: request.size,
            time: self.time,
            ttl: request.ttl,
            ..Record::get(Key::of(&self.key))
        })
    }
}

/// Whether a key looks like one with the prefix of a database.
fn has_prefix(key: &[u8]) -> bool {
    let rest = key.strip_prefix(b"db").unwrap_or_default();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0 && rest.get(digits) == Some(&b':')
}

fn printable(name: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
    let plain: String = name
        .chars()
        .map(|char| if is_plain(char) { char } else { '?' })
        .collect();
    plain
}

/// `sec.µs [db address] "CMD" "argument" …`.
#[derive(Default)]
pub struct Monitor {
    requests: Requests,
}

impl Decoder for Monitor {
    fn decode<'a>(
        &'a mut self,
        input: &'a mut Input,
        skipped: &mut Skipped,
    ) -> Result<Option<Record<'a>>, TraceError> {
        while self.requests.is_done() {
            let Some(line) = input.line()? else {
                return Ok(None);
            };
            let line = text::trim(input.get(line));
            if line.is_empty() || line == b"OK" {
                continue;
            }
            if let Err(reason) = self.start(line) {
                skipped.add(&reason);
            }
        }
        Ok(self.requests.next())
    }
}

impl Monitor {
    fn start(&mut self, line: &[u8]) -> Result<(), String> {
        let parsed = parse(line, &mut self.requests);
        parsed.ok_or("unreadable: no line of MONITOR")?;
        self.requests.start()
    }
}

/// Takes a line apart.
fn parse(line: &[u8], requests: &mut Requests) -> Option<()> {
    let space = memchr::memchr(b' ', line)?;
    requests.time = Some(text::seconds(&line[..space])?);
    let rest = line[space + 1..].strip_prefix(b"[")?;
    let space = memchr::memchr(b' ', rest)?;
    requests.database = text::digits(&rest[..space])?;
    let close = memchr::memmem::find(rest, b"] ")?;
    requests.command.clear();
    let mut rest = &rest[close + 2..];
    while !rest.is_empty() {
        rest = quoted(rest.strip_prefix(b"\"")?, &mut requests.command)?;
        rest = rest.strip_prefix(b" ").unwrap_or(rest);
    }
    Some(())
}

/// Takes a quoted argument up to its closing quote, and returns what is behind it.
fn quoted<'a>(mut rest: &'a [u8], command: &mut Command) -> Option<&'a [u8]> {
    command.begin();
    loop {
        let len = memchr::memchr2(b'"', b'\\', rest)?;
        command.append(&rest[..len], true);
        let escape = &rest[len..];
        if escape[0] == b'"' {
            return Some(&escape[1..]);
        }
        let (byte, taken) = match escape.get(1)? {
            b'n' => (b'\n', 2),
            b'r' => (b'\r', 2),
            b't' => (b'\t', 2),
            b'a' => (7, 2),
            b'b' => (8, 2),
            b'x' => (u8::try_from(text::hex(escape.get(2..4)?)?).ok()?, 4),
            other => (*other, 2),
        };
        command.append(&[byte], true);
        rest = &escape[taken..];
    }
}
