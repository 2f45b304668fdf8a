//! The append-only file of Redis and Valkey: the writes, in the protocol of clients.

use std::time::Duration;

use super::super::Record;
use super::super::error::TraceError;
use super::super::input::Input;
use super::super::skipped::Skipped;
use super::super::text;
use super::Decoder;
use super::redis::{Command, Requests};

/// The most arguments of a command.
const MAX_ARGUMENTS: u64 = 1 << 20;
/// The most bytes of one argument that are kept.
const MAX_KEPT: usize = 1 << 16;

/// See the module's docs.
#[derive(Default)]
pub struct Aof {
    requests: Requests,
}

impl Decoder for Aof {
    fn decode<'a>(
        &'a mut self,
        input: &'a mut Input,
        skipped: &mut Skipped,
    ) -> Result<Option<Record<'a>>, TraceError> {
        while self.requests.is_done() {
            let Some(line) = input.line()? else {
                return Ok(None);
            };
            let line = input.get(line);
            match line.first() {
                None => {}
                Some(b'#') => self.annotation(&line[1..]),
                Some(b'*') => {
                    let count = text::digits(&line[1..]);
                    self.command(count, input)?;
                    self.start(skipped);
                }
                Some(b'R') if line.starts_with(b"REDIS") => {
                    return Err(input.at_line(
                        "it starts with a snapshot (RDB), which cannot be read: use the file that ends \
                         with .incr.aof, or rewrite it with aof-use-rdb-preamble no",
                    ));
                }
                Some(_) => {
                    let message = format!("{} is no command", text::shown(line));
                    return Err(input.at_byte(message));
                }
            }
        }
        Ok(self.requests.next())
    }
}

impl Aof {
    /// `#TS:` and a time.
    fn annotation(&mut self, line: &[u8]) {
        if let Some(seconds) = line.strip_prefix(b"TS:").and_then(text::digits) {
            self.requests.time = Some(Duration::from_secs(seconds));
        }
    }

    /// Takes the arguments of a command.
    fn command(&mut self, count: Option<u64>, input: &mut Input) -> Result<(), TraceError> {
        let count = count.filter(|&count| count <= MAX_ARGUMENTS);
        let count = count.ok_or_else(|| {
            input.at_byte(format!(
                "a command has a number of arguments up to {MAX_ARGUMENTS}"
            ))
        })?;
        self.requests.command.clear();
        for _ in 0..count {
            let line = input.line()?.ok_or_else(|| cut(input))?;
            let line = input.get(line);
            let len = line.strip_prefix(b"$").and_then(text::digits);
            let len = len.ok_or_else(|| {
                input.at_byte(format!("{} is no length of an argument", text::shown(line)))
            })?;
            argument(len, &mut self.requests.command, input)?;
        }
        Ok(())
    }

    fn start(&mut self, skipped: &mut Skipped) {
        let command = &self.requests.command;
        if command.name() == "SELECT" {
            let database = command.get(1).and_then(text::digits);
            self.requests.database = database.unwrap_or(self.requests.database);
            return;
        }
        if command.kept() >= Command::MAX {
            return skipped.add("command with more than 4 MiB of arguments");
        }
        if let Err(reason) = self.requests.start() {
            skipped.add(&reason);
        }
    }
}

fn cut(input: &Input) -> TraceError {
    input.at_byte("the file ends within a command")
}

/// Takes an argument of this length, and the line end behind it.
fn argument(len: u64, command: &mut Command, input: &mut Input) -> Result<(), TraceError> {
    command.begin();
    let (mut left, mut kept) = (len, 0);
    while left > 0 {
        let available = input.available()?;
        let part = usize::try_from(left).map_or(available.len(), |left| left.min(available.len()));
        if part == 0 {
            return Err(cut(input));
        }
        let room = MAX_KEPT
            .saturating_sub(kept)
            .min(Command::MAX.saturating_sub(command.kept()));
        let (keep, rest) = available[..part].split_at(part.min(room));
        command.append(keep, true);
        command.append(rest, false);
        kept += part;
        left -= part as u64;
        input.consume(part, 0);
    }
    match input.take(2)? {
        Some(b"\r\n") => Ok(()),
        Some(_) => Err(input.at_byte("an argument does not end with CRLF")),
        None => Err(cut(input)),
    }
}
