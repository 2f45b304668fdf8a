//! Requests that are typed as a line of words.

use std::ops::Range;

use super::error::ProtocolError;

/// Splits a line into words. A word in double quotes knows `\n \r \t \b \a \xHH`, and other escaped
/// characters stand for themselves; one in single quotes knows `\'`.
pub(super) fn split(
    line: &[u8],
    words: &mut Vec<u8>,
    ranges: &mut Vec<Range<usize>>,
) -> Result<(), ProtocolError> {
    let mut rest = line.trim_ascii_start();
    while !rest.is_empty() {
        let start = words.len();
        rest = word(rest, words)?;
        ranges.push(start..words.len());
        rest = rest.trim_ascii_start();
    }
    Ok(())
}

/// Reads one word. Returns what follows it.
fn word<'a>(mut rest: &'a [u8], words: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    while let Some((&first, tail)) = rest.split_first() {
        rest = match first {
            b'"' => return closed(double_quoted(tail, words)?),
            b'\'' => return closed(single_quoted(tail, words)?),
            // A NUL ends the line in Redis.
            b' ' | b'\n' | b'\r' | b'\t' | 0 => return Ok(tail),
            other => {
                words.push(other);
                tail
            }
        };
    }
    Ok(rest)
}

/// A closing quote ends its word: a space follows, or nothing.
fn closed(rest: &[u8]) -> Result<&[u8], ProtocolError> {
    match rest.first() {
        None => Ok(rest),
        Some(byte) if byte.is_ascii_whitespace() => Ok(rest),
        Some(_) => Err(ProtocolError::UnbalancedQuotes),
    }
}

fn double_quoted<'a>(mut rest: &'a [u8], words: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    loop {
        rest = match *rest {
            [] => return Err(ProtocolError::UnbalancedQuotes),
            [b'"', ..] => return Ok(&rest[1..]),
            [b'\\', b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                words.push(hex(high) << 4 | hex(low));
                &rest[4..]
            }
            [b'\\', escaped, ..] => {
                words.push(unescaped(escaped));
                &rest[2..]
            }
            [byte, ..] => {
                words.push(byte);
                &rest[1..]
            }
        };
    }
}

fn single_quoted<'a>(mut rest: &'a [u8], words: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    loop {
        rest = match *rest {
            [] => return Err(ProtocolError::UnbalancedQuotes),
            [b'\'', ..] => return Ok(&rest[1..]),
            [b'\\', b'\'', ..] => {
                words.push(b'\'');
                &rest[2..]
            }
            [byte, ..] => {
                words.push(byte);
                &rest[1..]
            }
        };
    }
}

fn unescaped(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'a' => 7,
        other => other,
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}
