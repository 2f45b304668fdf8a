//! Commands that break nodes and repair them.

use crate::language::command::Command;
use crate::language::duration;
use crate::language::error::Error;
use crate::language::word::{Shown, Word};
use crate::language::words::{Parsed, Words, name, node, number, read_time};

/// The most messages that `STEP` delivers.
const MAX_STEPS: u64 = 1_000_000;

pub fn crash<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let node = node(&words.word()?)?;
    Ok(Command::Crash { node }.into())
}

pub fn restart<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let node = node(&words.word()?)?;
    let how = words.optional(name)?.unwrap_or_default();
    Ok(Command::Restart { node, how }.into())
}

pub fn pause<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let node = node(&words.word()?)?;
    Ok(Command::Pause { node }.into())
}

pub fn resume<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let node = node(&words.word()?)?;
    Ok(Command::Resume { node }.into())
}

pub fn heal<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let all = words.next();
    if let Some(word) = all.as_ref().filter(|word| !word.is("ALL")) {
        return Err(word.error("expected ALL, or nothing"));
    }
    Ok(Command::Heal { all: all.is_some() }.into())
}

pub fn skew<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let (node, nanos) = (node(&words.word()?)?, ahead(&words.word()?)?);
    Ok(Command::Skew { node, nanos }.into())
}

pub fn nemesis<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let nemesis = words.optional(name)?;
    Ok(Command::Nemesis { nemesis }.into())
}

pub fn step<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let count = |word: &Word<'_>| number(word, "a number of messages", 1..=MAX_STEPS);
    let count = words.optional(count)?.unwrap_or(1);
    Ok(Command::Step { count }.into())
}

/// By how many nanoseconds a clock is ahead: a time, which a minus makes negative.
fn ahead(word: &Word<'_>) -> Result<i64, Error> {
    let (sign, time) = match word.bytes.strip_prefix(b"-") {
        Some(time) => (-1, time),
        None => (1, &*word.bytes),
    };
    let time = read_time(word, time, duration::parse_or_zero)?;
    let nanos = i64::try_from(time.as_nanos()).ok();
    let nanos = nanos.and_then(|nanos| nanos.checked_mul(sign));
    nanos.ok_or_else(|| word.error(format!("{} is too long", Shown(&word.bytes))))
}
