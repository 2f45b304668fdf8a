//! Plain lines, and the forms of keys, times and shares that they have.

use std::time::Duration;

use textwrap::{Options, WordSeparator, WordSplitter};

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

/// Appends a sentence. On a terminal it is wrapped at words, and the lines after the first are indented.
pub fn sentence(style: Style, text: &str, indent: usize, out: &mut Vec<u8>) {
    match style.width {
        Some(width) => line(&wrapped(text, width, "", indent), out),
        None => line(text, out),
    }
}

/// `text` wrapped at words to `width` columns. The first line starts with `first`, the others with
/// `indent` spaces. A word that is wider than a line is not broken. Escape sequences have no width.
pub fn wrapped(text: &str, width: usize, first: &str, indent: usize) -> String {
    let indent = " ".repeat(indent);
    let options = Options::new(width)
        .initial_indent(first)
        .subsequent_indent(&indent)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation);
    textwrap::wrap(text, options).join("\n")
}

/// A count with its digits in groups of three: `28,571`.
#[must_use]
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_at_words_and_keeps_its_colours() {
        assert_eq!(wrapped("one two three", 8, "", 2), "one two\n  three");
        assert_eq!(
            wrapped("a longlonglong b", 5, "> ", 2),
            "> a\n  longlonglong\n  b"
        );
        let painted = "\x1b[31mred\x1b[0m blue green";
        assert_eq!(wrapped(painted, 8, "", 0), "\x1b[31mred\x1b[0m blue\ngreen");
    }

    #[test]
    fn digits_are_grouped() {
        let counts = [0, 999, 1000, 28_571, 1_000_000, u64::MAX];
        assert_eq!(
            counts.map(grouped).join(" "),
            "0 999 1,000 28,571 1,000,000 18,446,744,073,709,551,615"
        );
    }
}
