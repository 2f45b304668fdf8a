//! Commands that show counts, events, messages and the history.

use std::time::Duration;

use crate::language::command::{Command, HistoryRequest, Script};
use crate::language::duration::{self, DurationError};
use crate::language::error::Error;
use crate::language::word::Word;
use crate::language::words::{Parsed, Rest, Words, name, node, number, time};

/// How many events `EVENTS` shows, if it names no number.
const DEFAULT_EVENTS: usize = 10;
/// The most that `EVENTS` and `HISTORY` show.
const MAX_SHOWN: usize = 1_000_000;
/// How many keys of each node `HOT` shows, if it names no number.
const DEFAULT_HOT: usize = 10;
/// The most keys of each node that `HOT` shows.
const MAX_HOT: usize = 1000;
/// How many operations `HISTORY` shows, if it names no number.
const DEFAULT_HISTORY: usize = 10;
/// The time between two runs of `WATCH`, if it names none.
const DEFAULT_WATCH: Duration = Duration::from_secs(1);

pub fn stats<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    if words.peek().is_some_and(|word| word.is("RESET")) {
        return Ok(Command::ResetStats.into());
    }
    let node = words.optional(node)?;
    Ok(Command::Stats { node }.into())
}

pub fn inspect<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let key = words.bytes()?;
    Ok(Command::Inspect { key }.into())
}

pub fn events<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let count = if starts_with_count(words) {
        shown(&words.word()?)?
    } else {
        DEFAULT_EVENTS
    };
    let node = words.option("NODE", "n", node)?;
    Ok(Command::Events { count, node }.into())
}

/// Without a count the words come in pairs; a single `NODE` lacks its number.
fn starts_with_count(words: &Words<'_>) -> bool {
    match words.len() {
        1 => words.peek().is_some_and(|word| !word.is("NODE")),
        count => count % 2 == 1,
    }
}

pub fn hot<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let count = words.optional(|word| number(word, "a count", 1..=MAX_HOT))?;
    let count = count.unwrap_or(DEFAULT_HOT);
    Ok(Command::Hot { count }.into())
}

pub fn history<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let request = words.optional(history_request)?;
    let request = request.unwrap_or(HistoryRequest::Show(DEFAULT_HISTORY));
    Ok(Command::History { request }.into())
}

fn history_request(word: &Word<'_>) -> Result<HistoryRequest, Error> {
    match () {
        () if word.is("on") => Ok(HistoryRequest::Record(true)),
        () if word.is("off") => Ok(HistoryRequest::Record(false)),
        () if word.is("CLEAR") => Ok(HistoryRequest::Clear),
        () => shown(word).map(HistoryRequest::Show).map_err(|error| {
            let message = format!("{error}, on, off or CLEAR");
            word.error(message)
        }),
    }
}

pub fn check<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let promise = words.optional(name)?;
    Ok(Command::Check { promise }.into())
}

pub fn trace<'a>(rest: &mut Rest<'a>) -> Parsed<'a> {
    let command = rest.command()?;
    Ok(Script::Trace { command }.into())
}

pub fn watch<'a>(rest: &mut Rest<'a>) -> Parsed<'a> {
    let every = interval(rest)?.unwrap_or(DEFAULT_WATCH);
    let command = rest.command()?;
    Ok(Script::Watch { every, command }.into())
}

/// Takes the next word if it is meant as a time: it starts like a number, as no command does.
fn interval(rest: &mut Rest<'_>) -> Result<Option<Duration>, Error> {
    let mut after = rest.clone();
    let word = after.next()?.filter(|word| is_like_a_number(word));
    let Some(word) = word else {
        return Ok(None);
    };
    *rest = after;
    if duration::parse(&word.bytes) == Err(DurationError::Zero) {
        return Err(word.error("the interval must be longer than 0"));
    }
    time(&word).map(Some)
}

fn is_like_a_number(word: &Word<'_>) -> bool {
    matches!(word.bytes.first(), Some(b'0'..=b'9' | b'-'))
}

pub fn monitor<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let on = words.optional(on_or_off)?.unwrap_or(true);
    Ok(Script::Monitor { on }.into())
}

pub fn notices<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let on = words.optional(on_or_off)?;
    Ok(Script::Notices { on }.into())
}

fn on_or_off(word: &Word<'_>) -> Result<bool, Error> {
    match () {
        () if word.is("on") => Ok(true),
        () if word.is("off") => Ok(false),
        () => Err(word.error("expected on or off")),
    }
}

fn shown(word: &Word<'_>) -> Result<usize, Error> {
    number(word, "a count", 1..=MAX_SHOWN)
}
