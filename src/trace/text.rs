//! Numbers and times in text, exactly.

use std::time::Duration;

/// A number of decimal digits only.
#[inline]
pub fn digits(text: &[u8]) -> Option<u64> {
    let digit = |byte: u8| Some(u64::from(byte.wrapping_sub(b'0'))).filter(|&digit| digit < 10);
    match text.len() {
        0 | 21.. => None,
        // What fits whatever the digits.
        1..20 => text
            .iter()
            .try_fold(0, |number, &byte| Some(number * 10 + digit(byte)?)),
        20 => text.iter().try_fold(0_u64, |number, &byte| {
            number.checked_mul(10)?.checked_add(digit(byte)?)
        }),
    }
}

/// Digits with or without a minus.
pub fn signed(text: &[u8]) -> Option<i64> {
    match text {
        [b'-', rest @ ..] => 0_i64.checked_sub_unsigned(digits(rest)?),
        _ => i64::try_from(digits(text)?).ok(),
    }
}

/// Hexadecimal digits without a prefix.
pub fn hex(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 16 {
        return None;
    }
    text.iter().try_fold(0, |number, &byte| {
        let digit = char::from(byte).to_digit(16)?;
        Some(number << 4 | u64::from(digit))
    })
}

/// A number from zero: decimal, or hexadecimal behind `0x`.
pub fn number(text: &[u8]) -> Option<u64> {
    match text {
        [b'0', b'x' | b'X', rest @ ..] => hex(rest),
        _ => digits(text),
    }
}

/// A number from zero, with or without a fraction or an exponent, which is rounded down.
pub fn whole(text: &[u8]) -> Option<u64> {
    number(text).or_else(|| seconds(text).map(|time| time.as_secs()))
}

/// Seconds as a number with or without a fraction, exact to the nanosecond, or with an exponent.
pub fn seconds(text: &[u8]) -> Option<Duration> {
    if let Some(whole) = number(text) {
        return Some(Duration::from_secs(whole));
    }
    let dot = memchr::memchr(b'.', text);
    let (whole, fraction) = dot.map(|dot| (&text[..dot], &text[dot + 1..])).unzip();
    match (whole.and_then(digits), fraction.and_then(nanoseconds)) {
        (Some(whole), Some(nanos)) => Some(Duration::new(whole, nanos)),
        _ => exponent(text),
    }
}

/// The nanoseconds of a decimal fraction; further digits are cut.
fn nanoseconds(fraction: &[u8]) -> Option<u32> {
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |at: usize| fraction.get(at).map_or(0, |byte| u32::from(byte - b'0'));
    Some((0..9).fold(0, |nanos, at| nanos * 10 + digit(at)))
}

/// A number as programs print large floats: `1.5e9`.
fn exponent(text: &[u8]) -> Option<Duration> {
    let has_digit = text.iter().any(u8::is_ascii_digit);
    let text = std::str::from_utf8(text).ok().filter(|_| has_digit)?;
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

/// So many units of `per_second` a second.
pub fn units(number: u64, per_second: u32) -> Duration {
    let per = u64::from(per_second);
    let nanos = number % per * 1_000_000_000 / per;
    Duration::new(number / per, u32::try_from(nanos).unwrap_or(0))
}

/// The text without spaces at both ends.
pub fn trim(text: &[u8]) -> &[u8] {
    text.trim_ascii()
}

/// Appends a number in decimal.
pub fn append_number(number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number;
    while rest > 0 || at == digits.len() {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends seconds, with as many decimals as they have, at most nine.
pub fn append_seconds(time: Duration, out: &mut Vec<u8>) {
    append_number(time.as_secs(), out);
    if time.subsec_nanos() > 0 {
        let fraction = format!(".{:09}", time.subsec_nanos());
        out.extend_from_slice(fraction.trim_end_matches('0').as_bytes());
    }
}

/// Text for a message: cut after 40 bytes, and nothing in it acts on a terminal.
pub fn shown(text: &[u8]) -> String {
    let cut = &text[..text.len().min(40)];
    let dots = if cut.len() < text.len() { "…" } else { "" };
    let escaped: String = String::from_utf8_lossy(cut)
        .chars()
        .flat_map(|char| {
            match char {
                ' '..='~' => char.to_string(),
                _ => char.escape_unicode().to_string(),
            }
            .chars()
            .collect::<Vec<_>>()
        })
        .collect();
    format!("\"{escaped}{dots}\"")
}

#[cfg(test)]
mod tests {
    use super::super::key::Key;
    use super::*;

    #[test]
    fn canonical_decimal_text_is_a_number() {
        assert_eq!(Key::of(b"17"), Key::Number(17));
        assert_eq!(Key::of(b"-3"), Key::Negative(-3));
        assert_eq!(Key::of(b"18446744073709551615"), Key::Number(u64::MAX));
        assert_eq!(Key::of(b"-9223372036854775808"), Key::Negative(i64::MIN));
        for text in ["", "017", "-0", "+1", "0x11", "1 ", "18446744073709551616"] {
            assert_eq!(Key::of(text.as_bytes()), Key::Bytes(text.as_bytes()));
        }
        assert_eq!(Key::lenient(b"017"), Key::Number(17));
        assert_eq!(Key::lenient(b"0x11"), Key::Number(17));
        assert_eq!(Key::lenient(b"-03"), Key::Negative(-3));
        for number in [0, 9, 10, u64::MAX] {
            assert_eq!(
                Key::of(&Key::Number(number).to_bytes()),
                Key::Number(number)
            );
        }
    }

    #[test]
    fn seconds_are_exact() {
        let at = |text: &str| seconds(text.as_bytes());
        assert_eq!(at("3"), Some(Duration::from_secs(3)));
        assert_eq!(
            at("1339720404.123456"),
            Some(Duration::new(1_339_720_404, 123_456_000))
        );
        assert_eq!(at("0.0000000019"), Some(Duration::from_nanos(1)));
        assert_eq!(at("1."), Some(Duration::from_secs(1)));
        assert_eq!(at("1.5e3"), Some(Duration::from_mins(25)));
        for wrong in ["", ".", "-1", "nan", "inf", "1e300", "1.x", "x"] {
            assert_eq!(at(wrong), None, "{wrong}");
        }
        let mut text = Vec::new();
        append_seconds(Duration::new(1, 50_000_000), &mut text);
        assert_eq!(text, b"1.05");
        assert_eq!(units(1_500, 1_000), Duration::from_millis(1_500));
        assert_eq!(units(u64::MAX, 1).as_secs(), u64::MAX);
    }
}
