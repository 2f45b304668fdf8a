//! Commands that read and write keys.

use std::time::Duration;

use crate::language::command::Command;
use crate::language::error::Error;
use crate::language::word::{Shown, Word};
use crate::language::words::{Parsed, Words, node, number, time};

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

/// The TTL after a value. A word that is nothing like a time may be the rest of the value.
fn ttl_after(value: &Word<'_>, words: &mut Words<'_>) -> Result<Option<Duration>, Error> {
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
