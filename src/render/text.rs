//! Plain lines, and the forms of keys, times and shares that they have.

use std::time::Duration;

use super::style::{Paint, Style};
use crate::language::duration;
use crate::language::word::show;
pub use crate::language::word::shown;
use crate::time::Instant;

/// Appends a line.
pub fn line(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(text.as_bytes());
    out.push(b'\n');
}

/// Appends a line at a prompt, where an answer is expected to every command; in a batch nothing.
pub fn acknowledge(style: Style, text: &str, out: &mut Vec<u8>) {
    if style.interactive {
        line(&style.painted(Paint::Faint, text), out);
    }
}

/// Appends `key -> outcome`.
pub fn arrow(style: Style, key: &[u8], paint: Paint, outcome: &[u8], out: &mut Vec<u8>) {
    arrow_with(style, key, out, |out| {
        style.paint(paint, out, |out| out.extend_from_slice(outcome));
    });
}

/// Appends `key -> ` and the text of `write`.
#[inline]
pub fn arrow_with(style: Style, key: &[u8], out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    show(key, out);
    style.paint(Paint::Faint, out, |out| out.extend_from_slice(b" -> "));
    write(out);
    out.push(b'\n');
}

/// A time that has passed, in whole milliseconds.
pub fn elapsed(time: Duration) -> String {
    millis(time.as_millis())
}

/// A time that is left, in whole milliseconds, rounded up.
pub fn remaining(time: Duration) -> String {
    millis(time.as_nanos().div_ceil(1_000_000))
}

fn millis(count: u128) -> String {
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    duration::show(Duration::from_millis(count))
}

/// An instant as the time since the start, in whole milliseconds.
pub fn since_start(at: Instant) -> String {
    elapsed(at.saturating_duration_since(Instant::START))
}

/// A share of 1 in percent; `-` if there is none.
pub fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".into(), |share| format!("{:.1}%", share * 100.0))
}
