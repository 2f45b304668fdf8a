//! Requests to language models, as lines of JSON: each asks for the blocks of its prompt.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use super::super::Record;
use super::super::error::TraceError;
use super::super::input::Input;
use super::super::key::Key;
use super::super::skipped::Skipped;
use super::super::text;
use super::Decoder;

/// The result of reading a line.
#[derive(Deserialize)]
struct Request {
    /// Milliseconds.
    timestamp: Option<f64>,
    hash_ids: Vec<Id>,
}

/// The number of a block.
struct Id(Key<'static>);

struct IdVisitor;

impl Visitor<'_> for IdVisitor {
    type Value = Id;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of 64 bits")
    }

    fn visit_u64<E: Error>(self, id: u64) -> Result<Id, E> {
        Ok(Id(id.into()))
    }

    fn visit_i64<E: Error>(self, id: i64) -> Result<Id, E> {
        Ok(Id(id.into()))
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IdVisitor)
    }
}

/// A record for each block, in the order of the prompt.
pub struct Mooncake {
    prefix: bool,
    time: Option<Duration>,
    blocks: Vec<Id>,
    next: usize,
}

impl Mooncake {
    /// With `prefix`, each block but the first follows the one before it.
    pub fn new(prefix: bool) -> Self {
        Self {
            prefix,
            time: None,
            blocks: Vec::new(),
            next: 0,
        }
    }

    fn start(&mut self, line: &[u8]) -> Result<(), String> {
        let request: Request = serde_json::from_slice(line).map_err(|error| {
            format!("unreadable: {}", text::shown(error.to_string().as_bytes()))
        })?;
        let millis = request
            .timestamp
            .map(|millis| Duration::try_from_secs_f64(millis / 1000.0));
        self.time = millis.transpose().map_err(|_| "unreadable: no time")?;
        (self.blocks, self.next) = (request.hash_ids, 0);
        Ok(())
    }
}

impl Decoder for Mooncake {
    fn decode<'a>(
        &'a mut self,
        input: &'a mut Input,
        skipped: &mut Skipped,
    ) -> Result<Option<Record<'a>>, TraceError> {
        loop {
            if let Some(&Id(key)) = self.blocks.get(self.next) {
                self.next += 1;
                return Ok(Some(Record {
                    time: self.time,
                    follows: self.prefix && self.next > 1,
                    ..Record::get(key)
                }));
            }
            let Some(line) = input.line()? else {
                return Ok(None);
            };
            let line = text::trim(input.get(line));
            if !line.is_empty()
                && let Err(reason) = self.start(line)
            {
                skipped.add(&reason);
            }
        }
    }
}
