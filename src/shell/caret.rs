//! Shows which word of a line an error is about.

use std::ops::Range;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::language::word::show_text;
use crate::render::{Paint, Style};

/// The widest line that is shown where the terminal does not say how wide it is.
const WIDEST: usize = 100;
/// The columns of a tab stop, in the line editor and in terminals.
const TAB: usize = 8;
/// Stands for the part of a line that is left out.
const CUT: &str = "...";

/// A line that was typed at the prompt.
#[derive(Clone, Debug)]
pub struct Typed {
    /// The line.
    pub line: Vec<u8>,
    /// The column at which it starts, if it takes one row; otherwise it is shown again.
    pub column: Option<usize>,
    /// How much was printed before it ran. If that has grown, it no longer stands just above.
    pub printed: u64,
}

/// Appends a caret under the bytes `at` of a line. `column` is the column at which the line stands
/// just above; without it, the line is shown first, as far as there is room.
pub fn point(
    line: &[u8],
    at: &Range<usize>,
    column: Option<usize>,
    style: Style,
    out: &mut Vec<u8>,
) {
    let before = line.get(..at.start).unwrap_or(line);
    let word = line.get(at.start..at.end).unwrap_or_default();
    if let Some(column) = column.filter(|_| stands_as_it_is(line)) {
        let start = column_after(column, before);
        let end = column_after(start, word);
        return carets(start, end.saturating_sub(start), style, out);
    }
    let after = line.get(at.end..).unwrap_or_default();
    let room = style.width.unwrap_or(WIDEST).saturating_sub(2);
    let (before, word, after) = (shown(before), shown(word), shown(after));
    let word = start_of(&word, room / 2);
    let after = start_of(&after, room / 4);
    let before = end_of(&before, room.saturating_sub(word.width() + after.width()));
    out.extend_from_slice(format!("  {before}{word}{after}\n").as_bytes());
    carets(2 + before.width(), word.width(), style, out);
}

fn carets(start: usize, width: usize, style: Style, out: &mut Vec<u8>) {
    let carets = style.painted(Paint::Error, &"^".repeat(width.max(1)));
    out.extend_from_slice(format!("{}{carets}\n", " ".repeat(start)).as_bytes());
}

/// Whether the line editor has shown every character of the line.
fn stands_as_it_is(line: &[u8]) -> bool {
    let text = std::str::from_utf8(line);
    text.is_ok_and(|text| !text.contains(|char: char| char.is_control() && char != '\t'))
}

fn column_after(column: usize, text: &[u8]) -> usize {
    let text = String::from_utf8_lossy(text);
    text.chars().fold(column, |column, char| match char {
        '\t' => column + TAB - column % TAB,
        char => column + char.width().unwrap_or(0),
    })
}

fn shown(text: &[u8]) -> String {
    let mut shown = Vec::new();
    show_text(text, &mut shown);
    String::from_utf8_lossy(&shown).replace('\t', " ")
}

/// The start of a text, of at most `room` columns.
fn start_of(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.into();
    }
    let room = room.saturating_sub(CUT.len());
    taken(text.chars(), room).into_iter().collect::<String>() + CUT
}

/// The end of a text, of at most `room` columns.
fn end_of(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.into();
    }
    let room = room.saturating_sub(CUT.len());
    let kept = taken(text.chars().rev(), room);
    format!("{CUT}{}", kept.into_iter().rev().collect::<String>())
}

/// The first characters, of at most `room` columns.
fn taken(chars: impl Iterator<Item = char>, room: usize) -> Vec<char> {
    let mut used = 0;
    let fits = |char: &char| {
        used += char.width().unwrap_or(0);
        used <= room
    };
    chars.take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::parse;

    fn pointed(line: &str, column: Option<usize>, width: usize) -> String {
        let error = parse(line.as_bytes()).expect_err("an error");
        let mut out = Vec::new();
        let style = Style {
            width: Some(width),
            ..Style::default()
        };
        let at = error.at.expect("a position");
        point(line.as_bytes(), &at, column, style, &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn the_caret_stands_under_the_word() {
        assert_eq!(pointed("GTE apple", None, 80), "  GTE apple\n  ^^^\n");
        let wide = "  PUT 日本 x 1.5\n             ^^^\n";
        assert_eq!(pointed("PUT 日本 x 1.5", None, 80), wide);
        let escaped = "  PUT \\x1b[0m '\n              ^\n";
        assert_eq!(pointed("PUT \x1b[0m\t'", None, 80), escaped);
    }

    #[test]
    fn below_the_typed_line_tabs_count_as_on_the_screen() {
        assert_eq!(
            pointed("PUT a b 1.5", Some(10), 80),
            " ".repeat(18) + "^^^\n"
        );
        // a at 16, the tab ends at 24, b at 24, the next tab ends at 32.
        assert_eq!(
            pointed("PUT  a\tb\t1.5", Some(10), 80),
            " ".repeat(32) + "^^^\n"
        );
    }

    #[test]
    fn of_a_long_line_the_part_around_the_word_is_shown() {
        let line = format!("PUT {} y 1.5", "x".repeat(200));
        let expected = format!("  ...{} y 1.5\n{}^^^\n", "x".repeat(29), " ".repeat(37));
        assert_eq!(pointed(&line, None, 40), expected);
        let line = format!("GET '{}", "x".repeat(200));
        let expected = "  GET 'xxxxxx...\n      ^\n";
        assert_eq!(pointed(&line, None, 40), expected);
    }
}
