//! Shows which word of a line an error is about.

use unicode_width::UnicodeWidthStr;

use crate::language::Error;
use crate::language::word::show_text;
use crate::render::{Paint, Style};

/// The widest line that is shown.
const WIDEST: usize = 100;

/// Appends a caret under the word that `error` is about. `typed_at` is the column at which the line
/// stands just above; without it, the line is shown first. Nothing is appended if the error is
/// about no word, or the line is too long to help.
pub fn point(line: &[u8], error: &Error, typed_at: Option<usize>, style: Style, out: &mut Vec<u8>) {
    let Some(at) = &error.at else {
        return;
    };
    let width_to = |end: usize| {
        let mut shown = Vec::new();
        show_text(line.get(..end).unwrap_or(line), &mut shown);
        let text = String::from_utf8_lossy(&shown).replace('\t', " ");
        (text.width(), text)
    };
    let (width, text) = width_to(line.len());
    if width > WIDEST {
        return;
    }
    let (start, end) = (width_to(at.start).0, width_to(at.end).0);
    let carets = "^".repeat(end.saturating_sub(start).max(1));
    let carets = style.painted(Paint::Error, &carets);
    if typed_at.is_none() {
        out.extend_from_slice(format!("  {text}\n").as_bytes());
    }
    let space = " ".repeat(typed_at.unwrap_or(2) + start);
    out.extend_from_slice(format!("{space}{carets}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::parse;

    fn pointed(line: &str) -> String {
        let error = parse(line.as_bytes()).expect_err("an error");
        let mut out = Vec::new();
        point(line.as_bytes(), &error, None, Style::default(), &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn the_caret_stands_under_the_word() {
        assert_eq!(pointed("GTE apple"), "  GTE apple\n  ^^^\n");
        assert_eq!(
            pointed("PUT 日本 x 1.5"),
            "  PUT 日本 x 1.5\n             ^^^\n"
        );
        assert_eq!(
            pointed("PUT \x1b[0m\t'"),
            "  PUT \\x1b[0m '\n              ^\n"
        );
        assert_eq!(pointed(&format!("GET {}'", "x".repeat(200))), "");
        assert_eq!(pointed("GET"), "");
    }
}
