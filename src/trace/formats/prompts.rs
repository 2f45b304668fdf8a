//! Requests to language models, as lines of JSON: each asks for the blocks of its prompt.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use serde_json::error::Category;

use super::super::Record;
use super::super::error::TraceError;
use super::super::input::Input;
use super::super::key::{Key, OwnedKey};
use super::super::skipped::Skipped;
use super::super::text;
use super::Decoder;

/// A line of one of the two formats.
#[derive(Deserialize)]
struct Request {
    /// Milliseconds for Mooncake, seconds for `LMCache`.
    timestamp: Option<f64>,
    #[serde(alias = "chunk_hashes")]
    hash_ids: Vec<Id>,
}

/// A block: its number, or the text of its hash.
enum Id {
    Number(u64),
    Negative(i64),
    Text(OwnedKey),
}

impl Id {
    fn key(&self) -> Key<'_> {
        match self {
            Self::Number(number) => (*number).into(),
            Self::Negative(number) => (*number).into(),
            Self::Text(text) => Key::of(text.as_bytes()),
        }
    }
}

struct IdVisitor;

impl Visitor<'_> for IdVisitor {
    type Value = Id;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of 64 bits or a string")
    }

    fn visit_u64<E: Error>(self, id: u64) -> Result<Id, E> {
        Ok(Id::Number(id))
    }

    fn visit_i64<E: Error>(self, id: i64) -> Result<Id, E> {
        Ok(Id::Negative(id))
    }

    fn visit_str<E: Error>(self, id: &str) -> Result<Id, E> {
        Ok(Id::Text(Key::Bytes(id.as_bytes()).into()))
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IdVisitor)
    }
}

/// A record for each block, in the order of the prompt.
pub struct Prompts {
    prefix: bool,
    /// Units of `timestamp` in a second.
    per_second: f64,
    time: Option<Duration>,
    blocks: Vec<Id>,
    next: usize,
}

impl Prompts {
    /// Of Mooncake. With `prefix`, each block but the first follows the one before it.
    pub fn mooncake(prefix: bool) -> Self {
        Self {
            prefix,
            per_second: 1000.0,
            time: None,
            blocks: Vec::new(),
            next: 0,
        }
    }

    /// Of `LMCache`.
    pub fn lmcache(prefix: bool) -> Self {
        Self {
            per_second: 1.0,
            ..Self::mooncake(prefix)
        }
    }

    fn start(&mut self, line: &[u8]) -> Result<(), &'static str> {
        let request: Request =
            serde_json::from_slice(line).map_err(|error| match error.classify() {
                Category::Eof => "unreadable: JSON that is cut off",
                Category::Data => "unreadable: no list of blocks",
                Category::Syntax | Category::Io => "unreadable: no JSON",
            })?;
        let seconds = request.timestamp.map(|time| time / self.per_second);
        let time = seconds.map(Duration::try_from_secs_f64).transpose();
        self.time = time.map_err(|_| "unreadable: no time")?;
        (self.blocks, self.next) = (request.hash_ids, 0);
        Ok(())
    }
}

impl Decoder for Prompts {
    fn decode<'a>(
        &'a mut self,
        input: &'a mut Input,
        skipped: &mut Skipped,
    ) -> Result<Option<Record<'a>>, TraceError> {
        while self.next >= self.blocks.len() {
            let Some(line) = input.line()? else {
                return Ok(None);
            };
            let line = text::trim(input.get(line));
            if !line.is_empty()
                && let Err(reason) = self.start(line)
            {
                skipped.add(reason);
            }
        }
        self.next += 1;
        Ok(Some(Record {
            time: self.time,
            follows: self.prefix && self.next > 1,
            ..Record::get(self.blocks[self.next - 1].key())
        }))
    }
}
