//! Commands that show and change the cluster.

use crate::config::MAX_REPLICAS;
use crate::language::command::{Bound, Change, Command};
use crate::language::error::Error;
use crate::language::size;
use crate::language::word::{Shown, Word};
use crate::language::words::{Parsed, Words, name, node, number};
use crate::placement::MAX_WEIGHT;

pub fn clock<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let kind = words.optional(name)?;
    Ok(Command::Clock { kind }.into())
}

pub fn failover<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let node = node(&words.word()?)?;
    Ok(Command::Failover { node }.into())
}

pub fn where_<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let key = words.bytes()?;
    Ok(Command::Where { key }.into())
}

pub fn join<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let weight = |word: &Word<'_>| number(word, "a weight", 1..=MAX_WEIGHT);
    let weight = words.option("WEIGHT", "w", weight)?.unwrap_or(1);
    Ok(Change::Join { weight }.into())
}

pub fn leave<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let node = node(&words.word()?)?;
    Ok(Change::Leave { node }.into())
}

pub fn placement<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let kind = words.optional(name)?;
    Ok(kind.map_or(Command::Placement.into(), |kind| {
        Change::Place { kind }.into()
    }))
}

pub fn replicas<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let replicas = |word: &Word<'_>| number(word, "a number of replicas", 1..=MAX_REPLICAS);
    let replicas = words.optional(replicas)?;
    Ok(replicas.map_or(Command::Replicas.into(), |replicas| {
        Change::Replicate { replicas }.into()
    }))
}

/// Both numbers, or none.
pub fn quorum<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let owners = |word: &Word<'_>| number(word, "a number of owners", 1..=MAX_REPLICAS);
    let Some(write) = words.optional(owners)? else {
        return Ok(Command::Quorum { quorums: None }.into());
    };
    let read = words.optional(owners)?;
    let read = read.ok_or_else(|| words.spec.usage_error("r is missing"))?;
    let quorums = Some((write, read));
    Ok(Command::Quorum { quorums }.into())
}

pub fn eviction<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let policy = words.optional(name)?;
    Ok(Command::Eviction { policy }.into())
}

pub fn capacity<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let has_bound = words.peek().is_some_and(|word| !word.is("NODE"));
    let bound = has_bound.then(|| bound_of(words)).transpose()?;
    let node = words.option("NODE", "n", node)?;
    words.end()?;
    Ok(Command::Capacity { bound, node }.into())
}

/// A bound, and after `none` the only one that is lifted.
fn bound_of(words: &mut Words<'_>) -> Result<Bound, Error> {
    let bound = bound(&words.word()?)?;
    let lifted = match words.peek() {
        Some(word) if word.is("ENTRIES") => Bound::AnyEntries,
        Some(word) if word.is("BYTES") => Bound::AnyBytes,
        _ => return Ok(bound),
    };
    let word = words.word()?;
    if bound != Bound::None {
        let fault = "ENTRIES and BYTES stand only after none";
        return Err(words.spec.usage_error(fault).at(word.span()));
    }
    Ok(lifted)
}

/// A bare number counts entries, a number with a unit counts bytes.
fn bound(word: &Word<'_>) -> Result<Bound, Error> {
    if word.is("none") {
        return Ok(Bound::None);
    }
    let text = word.text().unwrap_or_default();
    if let Ok(entries) = text.parse() {
        return Ok(Bound::Entries(entries));
    }
    size::parse(text).map(Bound::Bytes).map_err(|_| {
        let shown = Shown(&word.bytes);
        word.error(format!(
            "{shown} is not a capacity: use a number of entries (1000), a size (64MiB, 10kB), or none"
        ))
    })
}
