//! Commands that read and write keys.

use std::time::Duration;

use crate::language::command::Command;
use crate::language::error::Error;
use crate::language::word::{Shown, Word};
use crate::language::words::{Parsed, Words, node, number, read_time, time};
use crate::language::{duration, size};

pub fn put<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let (key, value) = (words.bytes()?, words.word()?);
    let (ttl, value) = (ttl_after(&value, words)?, value.bytes);
    Ok(Command::Put { key, value, ttl }.into())
}

pub fn get<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let key = words.bytes()?;
    Ok(Command::Get { key }.into())
}

pub fn del<'a>(words: &mut Words<'a>) -> Command<'a> {
    let keys = words.all();
    Command::Del { keys }
}

pub fn mget<'a>(words: &mut Words<'a>) -> Command<'a> {
    let keys = words.all();
    Command::MGet { keys }
}

pub fn mset<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let mut pairs = Vec::with_capacity(words.len() / 2);
    while words.len() >= 2 {
        pairs.push((words.bytes()?, words.bytes()?));
    }
    let ttl = ttl(words)?;
    Ok(Command::MSet { pairs, ttl }.into())
}

pub fn add<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let (key, value) = (words.bytes()?, words.word()?);
    let (ttl, value) = (ttl_after(&value, words)?, value.bytes);
    Ok(Command::Add { key, value, ttl }.into())
}

pub fn cas<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let (key, expected, new) = (words.bytes()?, words.bytes()?, words.word()?);
    let (ttl, new) = (ttl_after(&new, words)?, new.bytes);
    let command = Command::Cas {
        key,
        expected,
        new,
        ttl,
    };
    Ok(command.into())
}

pub fn incr<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let key = words.bytes()?;
    let delta = words.optional(|word| number(word, "a whole number", i64::MIN..=i64::MAX))?;
    let delta = delta.unwrap_or(1);
    Ok(Command::Incr { key, delta }.into())
}

pub fn ttl_of<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let key = words.bytes()?;
    Ok(Command::Ttl { key }.into())
}

pub fn expire<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let (key, ttl) = (words.bytes()?, time(&words.word()?)?);
    Ok(Command::Expire { key, ttl }.into())
}

pub fn persist<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let key = words.bytes()?;
    Ok(Command::Persist { key }.into())
}

pub fn exists<'a>(words: &mut Words<'a>) -> Command<'a> {
    let keys = words.all();
    Command::Exists { keys }
}

pub fn keys<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    // Without a pattern the words come in pairs of an option and its value.
    let has_pattern = words.len() % 2 == 1;
    let pattern = has_pattern.then(|| words.bytes()).transpose()?;
    let node = words.option("NODE", "n", node)?;
    Ok(Command::Keys { pattern, node }.into())
}

/// The most keys that `FILL` stores, and the most bytes of all keys and values.
const MAX_FILL: u64 = 1_000_000;
const MAX_FILL_BYTES: u64 = 1 << 30;
/// The bytes of each value, if it names no size.
const DEFAULT_SIZE: usize = 16;

pub fn fill<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let first = words.word()?;
    let count = number(&first, "a number of keys", 1..=MAX_FILL)?;
    let (mut size, mut ttl, mut prefix) = (DEFAULT_SIZE, None, b"key".into());
    while let Some(option) = words.next() {
        match () {
            () if option.is("SIZE") => size = value_size(&words.value_of("bytes")?)?,
            () if option.is("TTL") => ttl = Some(ttls(&words.value_of("time")?)?),
            () if option.is("PREFIX") => prefix = words.value_of("p")?.bytes,
            () => {
                let fault = "expected SIZE bytes, TTL time or PREFIX p";
                return Err(words.spec.usage_error(fault).at(option.span()));
            }
        }
    }
    let bytes = (size as u64).saturating_add(prefix.len() as u64);
    if count.saturating_mul(bytes) > MAX_FILL_BYTES {
        let most = size::show(MAX_FILL_BYTES);
        return Err(first.error(format!(
            "{count} keys of {bytes} bytes are more than {most}"
        )));
    }
    let fill = Command::Fill {
        count,
        size,
        ttl,
        prefix,
    };
    Ok(fill.into())
}

pub(super) fn value_size(word: &Word<'_>) -> Result<usize, Error> {
    let size = size::parse(word.text().unwrap_or_default());
    let size = size.map_err(|error| word.error(format!("{} is {error}", Shown(&word.bytes))))?;
    Ok(usize::try_from(size).unwrap_or(usize::MAX))
}

/// One time, or the shortest and the longest: `1s..10s`.
pub(super) fn ttls(word: &Word<'_>) -> Result<(Duration, Duration), Error> {
    let read = |bytes: &[u8]| read_time(word, bytes, duration::parse);
    let Some(dots) = word.bytes.windows(2).position(|two| two == b"..") else {
        let ttl = read(&word.bytes)?;
        return Ok((ttl, ttl));
    };
    let (shortest, longest) = (read(&word.bytes[..dots])?, read(&word.bytes[dots + 2..])?);
    if shortest > longest {
        let message = format!(
            "{}: the first time is longer than the second",
            Shown(&word.bytes)
        );
        return Err(word.error(message));
    }
    Ok((shortest, longest))
}

/// The TTL after a value. A word that is nothing like a time may be the rest of the value.
#[inline]
fn ttl_after(value: &Word<'_>, words: &mut Words<'_>) -> Result<Option<Duration>, Error> {
    if words.len() == 0 {
        return Ok(None);
    }
    let is_text = |word: &Word<'_>| word.bytes.first().is_some_and(u8::is_ascii_alphabetic);
    words.optional(|word| {
        time(word).map_err(|mut error| {
            if is_text(word) {
                let whole = [&value.bytes[..], &word.bytes[..]].join(&b' ');
                let hint = format!("; quotes make several words one: {}", Shown(&whole));
                error.message.push_str(&hint);
            }
            error
        })
    })
}

fn ttl(words: &mut Words<'_>) -> Result<Option<Duration>, Error> {
    words.optional(time)
}
