//! Commands of scripts: they take time, or run other lines.

use crate::language::command::{Command, Script, Topic};
use crate::language::error::Error;
use crate::language::lookup;
use crate::language::verb::Group;
use crate::language::word::Word;
use crate::language::words::{Parsed, Rest, Words, number, time};

/// The most turns of `REPEAT`.
const MAX_REPEAT: u64 = 1_000_000_000;

pub fn sleep<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let time = time(&words.word()?)?;
    Ok(Script::Sleep { time }.into())
}

pub fn source<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let path = words.bytes()?;
    Ok(Script::Source { path }.into())
}

pub fn echo<'a>(rest: &Rest<'a>) -> Command<'a> {
    let text = rest.text();
    Command::Echo { text }
}

pub fn repeat<'a>(rest: &mut Rest<'a>) -> Parsed<'a> {
    let times = rest.word_after(0)?;
    let times = number(&times, "a number of times", 1..=MAX_REPEAT)?;
    let command = rest.command()?;
    Ok(Script::Repeat { times, command }.into())
}

pub fn help<'a>(words: &mut Words<'a>) -> Parsed<'a> {
    let rows = words.rows;
    let topic = words.optional(|word| {
        if let Some(name) = word.bytes.strip_prefix(b"@") {
            return group(word, name).map(Topic::Group);
        }
        let row = lookup::find(rows, &word.bytes).ok_or_else(|| lookup::unknown(rows, word))?;
        Ok(Topic::Command(&row.spec))
    });
    let topic = topic?.unwrap_or(Topic::All);
    Ok(Command::Help { topic }.into())
}

fn group(word: &Word<'_>, name: &[u8]) -> Result<Group, Error> {
    let same = |group: &Group| name.eq_ignore_ascii_case(group.to_string().as_bytes());
    Group::ALL.into_iter().find(same).ok_or_else(|| {
        let groups = Group::ALL.map(|group| format!("@{group}")).join(" ");
        word.error(format!("there is no such group; the groups are {groups}"))
    })
}
