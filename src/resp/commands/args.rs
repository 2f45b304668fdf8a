//! Arguments that are numbers and words.

use super::Words;
use crate::operation;
use crate::resp::value::Failure;

/// The whole number that an argument spells, as strictly as Redis reads it.
///
/// # Errors
/// [`Failure::NOT_AN_INTEGER`] if it spells none, and [`Failure::SYNTAX`] if it is missing.
pub fn integer(words: &Words, index: usize) -> Result<i64, Failure> {
    let word = words.get(index).ok_or(Failure::SYNTAX)?;
    operation::number(word).ok_or(Failure::NOT_AN_INTEGER)
}

/// Whether a word is this one, in any case.
#[must_use]
pub fn is(word: &[u8], name: &str) -> bool {
    word.eq_ignore_ascii_case(name.as_bytes())
}

/// The error of a command with too few or too many arguments.
pub fn wrong_number(words: &Words) -> Failure {
    let name = words.name();
    Failure::new(format!(
        "ERR wrong number of arguments for '{name}' command"
    ))
}

/// The part of `length` bytes (or elements) from `start` to `end`, which are inclusive and count from
/// the end if negative.
pub fn range(start: i64, end: i64, length: usize) -> std::ops::Range<usize> {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    if start < 0 && end < 0 && start > end {
        return 0..0;
    }
    let from_end = |at: i64| {
        if at < 0 {
            at.saturating_add(length)
        } else {
            at
        }
    };
    let start = from_end(start).max(0);
    let end = from_end(end).max(0).min(length - 1);
    if start > end || length == 0 {
        return 0..0;
    }
    let place = |at: i64| usize::try_from(at).unwrap_or(0);
    place(start)..place(end) + 1
}
