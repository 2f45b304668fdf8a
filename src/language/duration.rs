//! TTLs and times: a bare whole number of seconds, or humantime.

use std::time::Duration;

use crate::time::MAX_DURATION;

/// The accepted forms, for error messages.
pub const ACCEPTED: &str =
    r#"seconds as a whole number (3), or a time such as 3s, 1500ms or "1h 30m""#;

/// The error of parsing a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Not a time.
    #[error("is not a time: use {ACCEPTED}")]
    Malformed,
    /// Zero.
    #[error("is not longer than zero: use {ACCEPTED}")]
    Zero,
    /// Beyond [`MAX_DURATION`].
    #[error("is too long: use at most 100years")]
    TooLong,
}

/// Reads a TTL or a time: longer than zero and at most [`MAX_DURATION`].
///
/// # Errors
/// [`DurationError`].
pub fn parse(word: &[u8]) -> Result<Duration, DurationError> {
    match parse_or_zero(word)? {
        Duration::ZERO => Err(DurationError::Zero),
        total => Ok(total),
    }
}

/// Reads the time of a fault: from zero to [`MAX_DURATION`].
///
/// # Errors
/// [`DurationError`].
pub fn parse_or_zero(word: &[u8]) -> Result<Duration, DurationError> {
    match parse_any(word)? {
        total if total > MAX_DURATION => Err(DurationError::TooLong),
        total => Ok(total),
    }
}

fn parse_any(word: &[u8]) -> Result<Duration, DurationError> {
    let text = std::str::from_utf8(word).map_err(|_| DurationError::Malformed)?;
    if text.is_empty() {
        return Err(DurationError::Malformed);
    }
    // The common forms first: `3` and `3s`.
    let seconds = text.strip_suffix('s').unwrap_or(text);
    if !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = seconds.parse().map_err(|_| DurationError::TooLong)?;
        return Ok(Duration::from_secs(seconds));
    }
    // humantime panics on some sums ("18446744073709551615s 1000000000ns"), never on a
    // single part. So the parts are read one by one, and added here.
    let mut total = Duration::ZERO;
    for part in parts(text) {
        if !is_one_part(part) {
            return Err(DurationError::Malformed);
        }
        let part = match humantime::parse_duration(part) {
            Ok(part) => part,
            Err(humantime::DurationError::NumberOverflow) => return Err(DurationError::TooLong),
            Err(_) => return Err(DurationError::Malformed),
        };
        total = total.checked_add(part).ok_or(DurationError::TooLong)?;
    }
    Ok(total)
}

/// Splits `1h 30m` and `1h30m` before each number that follows a unit.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut after_unit = false;
        let starts_next = |byte: u8| {
            after_unit |= byte.is_ascii_alphabetic();
            after_unit && byte.is_ascii_digit()
        };
        let len = rest.bytes().position(starts_next).unwrap_or(rest.len());
        let (part, tail) = rest.split_at(len);
        rest = tail;
        Some(part)
    })
}

/// Whether it is one number, whole or with decimals, and its unit. humantime itself skips a space
/// within a number.
fn is_one_part(part: &str) -> bool {
    let unit = |char: char| char.is_alphabetic();
    let (number, unit) = part.split_at(part.find(unit).unwrap_or(part.len()));
    let (whole, decimals) = number
        .trim()
        .split_once('.')
        .unwrap_or((number.trim(), "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits(whole) && is_digits(decimals) && !unit.is_empty()
}

/// Writes a duration in the form that [`parse`] reads.
#[must_use]
pub fn show(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Compact;
    use proptest::prelude::*;

    #[test]
    fn times_have_a_unit_or_are_whole_seconds() {
        use DurationError::{Malformed, TooLong, Zero};
        let seconds = |n| Ok(Duration::from_secs(n));
        let millis = |n| Ok(Duration::from_millis(n));
        for (word, expected) in [
            ("3", seconds(3)),
            ("3s", seconds(3)),
            ("1500ms", millis(1500)),
            ("1h 30m", seconds(5400)),
            ("1h30m", seconds(5400)),
            ("1 s", seconds(1)),
            ("1.5s", millis(1500)),
            (" 1h  30m ", seconds(5400)),
            ("1 30m", Err(Malformed)),
            ("1. 5s", Err(Malformed)),
            ("1 .5s", Err(Malformed)),
            ("1h 30", Err(Malformed)),
            (".5s", Err(Malformed)),
            ("1h 1 2s", Err(Malformed)),
            ("100years", seconds(3_155_760_000)),
            ("0", Err(Zero)),
            ("0s", Err(Zero)),
            ("-1", Err(Malformed)),
            ("1.5", Err(Malformed)),
            ("1e30", Err(Malformed)),
            ("3S", Err(Malformed)),
            ("", Err(Malformed)),
            (" ", Err(Malformed)),
            ("s", Err(Malformed)),
            ("soon", Err(Malformed)),
            ("3155760001", Err(TooLong)),
            ("18446744073709551615", Err(TooLong)),
            ("18446744073709551616", Err(TooLong)),
            ("18446744073709551615s", Err(TooLong)),
            ("18446744073709551616s", Err(TooLong)),
            ("18446744073709551615s 1000000000ns", Err(TooLong)),
            ("100years 1ns", Err(TooLong)),
        ] {
            assert_eq!(parse(word.as_bytes()), expected, "{word:?}");
        }
        assert_eq!(parse(b"\xff"), Err(Malformed));
    }

    proptest! {
        #[test]
        fn shown_durations_are_read_back(nanos in 1..3_155_760_000_000_000_000_u64) {
            let duration = Duration::from_nanos(nanos);
            prop_assert_eq!(parse(show(duration).as_bytes()), Ok(duration));
            let compact = Compact(duration).to_string();
            prop_assert!(!compact.contains(' '), "{}", compact);
            prop_assert_eq!(parse(compact.as_bytes()), Ok(duration));
        }

        #[test]
        fn nothing_panics(text in "[0-9]{0,22}(s|ns|h|years| |\\.|-|x)[0-9]{0,22}(s|ns|ms| |é)?[0-9]{0,22}(ns|s)?") {
            let _ = parse(text.as_bytes());
        }
    }
}
