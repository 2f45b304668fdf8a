//! Words: [`Scanner`] splits a line into words, [`show`] and [`join`] write words back.
//!
//! A word is bare, `"quoted"` with the escapes `\n \r \t \0 \\ \" \xHH`, or `'quoted'` with `\'`
//! and `\\`. Words are bytes, not text. Splitting and showing are inverses: the scanner reads the
//! output of `show` back as the same bytes. That output has no control character, no bidi
//! character and no invalid UTF-8, so it is safe on a terminal.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use super::error::{Error, ErrorKind};

/// A key, a value or another word of a line, borrowed from it where it has no escapes.
pub type Bytes<'a> = Cow<'a, [u8]>;

/// A word and its position in the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word<'a> {
    /// The content, quotes and escapes resolved.
    pub bytes: Bytes<'a>,
    start: usize,
    /// Equal to `start` if the word is not part of a line: in a line even `""` has two bytes.
    end: usize,
}

impl<'a> Word<'a> {
    /// A word that is not part of a line.
    #[must_use]
    pub fn detached(bytes: &'a [u8]) -> Self {
        Self {
            bytes: bytes.into(),
            start: 0,
            end: 0,
        }
    }
}

impl Word<'_> {
    /// The bytes of the line that the word takes up, quotes included; `None` if it is not part of
    /// a line.
    #[must_use]
    pub fn span(&self) -> Option<Range<usize>> {
        (self.start < self.end).then_some(self.start..self.end)
    }

    /// Whether the word is this option word, in any letter case.
    #[must_use]
    pub fn is(&self, option: &str) -> bool {
        self.bytes.eq_ignore_ascii_case(option.as_bytes())
    }

    /// The word as text, if it is UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }

    /// A part of the word's bytes as a separate word at the same position.
    #[must_use]
    pub fn part<'p>(&self, bytes: &'p [u8]) -> Word<'p> {
        Word {
            bytes: bytes.into(),
            start: self.start,
            end: self.end,
        }
    }

    /// An error about this word.
    #[must_use]
    pub fn error(&self, message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Invalid, message).at(self.span())
    }
}

/// Reads a line word by word. Cost: linear in the length of the line.
#[derive(Clone, Debug)]
pub struct Scanner<'a> {
    line: &'a [u8],
    at: usize,
}

/// The classes of bytes. The scanner looks each byte up once, which is most of a line's cost.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Space,
    Quote,
    /// Printable ASCII, which never needs an escape.
    Graphic,
    Other,
}

static CLASSES: [Class; 256] = {
    let mut classes = [Class::Other; 256];
    let mut byte = 0_u8;
    loop {
        classes[byte as usize] = match byte {
            b' ' | b'\t' | b'\r' | b'\n' => Class::Space,
            b'"' | b'\'' => Class::Quote,
            b'!'..=b'~' => Class::Graphic,
            _ => Class::Other,
        };
        if byte == u8::MAX {
            break classes;
        }
        byte += 1;
    }
};

fn class(byte: u8) -> Class {
    CLASSES[usize::from(byte)]
}

fn is_space(byte: u8) -> bool {
    class(byte) == Class::Space
}

/// How many bytes stand before the first space or quote. Reads eight bytes at a time as long as all
/// of them are above the codes of spaces and quotes.
#[inline]
fn bare_len(text: &[u8]) -> usize {
    let ends = |&byte: &u8| matches!(class(byte), Class::Space | Class::Quote);
    let mut len = 0;
    while let Some(eight) = text.get(len..).and_then(<[u8]>::first_chunk) {
        if has_low_byte(u64::from_le_bytes(*eight)) {
            match eight.iter().position(ends) {
                Some(end) => return len + end,
                None => len += eight.len(),
            }
        } else {
            len += eight.len();
        }
    }
    let tail = text.get(len..).unwrap_or_default();
    len + tail.iter().position(ends).unwrap_or(tail.len())
}

/// Whether one of eight bytes is less than `(`, as all spaces and quotes are (Anderson, "Bit
/// Twiddling Hacks", a byte less than n).
fn has_low_byte(eight: u64) -> bool {
    const ONES: u64 = u64::MAX / 255;
    eight.wrapping_sub(ONES * u64::from(b'(')) & !eight & (ONES << 7) != 0
}

impl<'a> Scanner<'a> {
    /// A scanner at the start of `line`.
    #[must_use]
    pub fn new(line: &'a [u8]) -> Self {
        Self { line, at: 0 }
    }

    /// The rest of the line, unchanged.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    /// Skips white space.
    pub fn skip_space(&mut self) {
        let space = self.rest().iter().take_while(|&&byte| is_space(byte));
        self.at += space.count();
    }

    /// The next word; `None` at the end of the line.
    ///
    /// # Errors
    /// [`ErrorKind::Syntax`] for a quote that touches another word or is not closed, and for an
    /// unknown escape.
    #[inline]
    pub fn next_word(&mut self) -> Result<Option<Word<'a>>, Error> {
        self.skip_space();
        let start = self.at;
        let bytes = match self.rest().first() {
            None => return Ok(None),
            Some(&quote @ (b'"' | b'\'')) => self.quoted(quote)?,
            Some(_) => Cow::Borrowed(self.bare()?),
        };
        Ok(Some(Word {
            bytes,
            start,
            end: self.at,
        }))
    }

    fn bare(&mut self) -> Result<&'a [u8], Error> {
        let rest = self.rest();
        let len = bare_len(rest);
        if rest
            .get(len)
            .is_some_and(|&byte| class(byte) == Class::Quote)
        {
            let at = self.at + len;
            return Err(syntax(
                "a quote must not touch another word: quote the whole word, or put a space between",
                at,
            ));
        }
        self.at += len;
        Ok(rest.get(..len).unwrap_or_default())
    }

    fn quoted(&mut self, quote: u8) -> Result<Bytes<'a>, Error> {
        let open = self.at;
        self.at += 1;
        let body = self.rest();
        let ends = |&byte: &u8| byte == quote || byte == b'\\';
        let plain = body.iter().position(ends).unwrap_or(body.len());
        self.at += plain;
        let plain = body.get(..plain).unwrap_or_default();
        let mut bytes = Cow::Borrowed(plain);
        loop {
            match self.rest().first() {
                None => return Err(syntax("this quote is never closed", open)),
                Some(b'\\') => bytes.to_mut().push(self.escape(quote)?),
                Some(&byte) if byte == quote => break,
                Some(&byte) => {
                    bytes.to_mut().push(byte);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        match self.rest().first() {
            Some(&byte) if !is_space(byte) => {
                Err(syntax("a space must follow a closing quote", self.at))
            }
            _ => Ok(bytes),
        }
    }

    fn escape(&mut self, quote: u8) -> Result<u8, Error> {
        let start = self.at;
        let rest = self.rest();
        let (byte, len) = match (quote, rest.get(1)) {
            (_, Some(b'\\')) => (b'\\', 2),
            (b'\'', Some(b'\'')) => (b'\'', 2),
            // Single quotes have only these two escapes; any other backslash is literal.
            (b'\'', _) => (b'\\', 1),
            (_, Some(b'"')) => (b'"', 2),
            (_, Some(b'n')) => (b'\n', 2),
            (_, Some(b'r')) => (b'\r', 2),
            (_, Some(b't')) => (b'\t', 2),
            (_, Some(b'0')) => (0, 2),
            (_, Some(b'x')) => match rest.get(2..4).and_then(hex) {
                Some(byte) => (byte, 4),
                None => return Err(syntax("\\x needs two hexadecimal digits", start)),
            },
            _ => {
                let message =
                    r#"unknown escape: a double-quoted word knows \n \r \t \0 \\ \" \xHH"#;
                return Err(syntax(message, start));
            }
        };
        self.at += len;
        Ok(byte)
    }
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits).ok()?;
    let all = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u8::from_str_radix(digits, 16).ok().filter(|_| all)
}

fn syntax(message: &str, at: usize) -> Error {
    Error::new(ErrorKind::Syntax, message).at(at..at + 1)
}

/// Appends `bytes` as one word: bare if the scanner reads that back as the same bytes and it is not
/// `null`, otherwise quoted.
pub fn show(bytes: &[u8], out: &mut Vec<u8>) {
    if is_bare(bytes) {
        out.extend_from_slice(bytes);
    } else {
        quote(bytes, out);
    }
}

/// Bytes as a word that can be typed, as [`show`] appends it.
#[must_use]
pub fn shown(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    show(bytes, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// Appends `bytes` as one word in double quotes.
pub fn quote(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    escape(bytes, out);
    out.push(b'"');
}

/// Words as a line that splits into the same words, separated by single spaces. A word that starts
/// with `#` is quoted, so that it does not open a comment.
#[must_use]
pub fn join<'w>(words: impl IntoIterator<Item = &'w [u8]>) -> Vec<u8> {
    let mut line = Vec::new();
    for (number, word) in words.into_iter().enumerate() {
        if number > 0 {
            line.push(b' ');
        }
        if word.starts_with(b"#") {
            quote(word, &mut line);
        } else {
            show(word, &mut line);
        }
    }
    line
}

/// Appends `bytes` as text that is safe on a terminal: escaped, but not quoted.
pub fn show_text(bytes: &[u8], out: &mut Vec<u8>) {
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            if char == '\t' || is_printable(char) {
                out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                escape(char.encode_utf8(&mut [0; 4]).as_bytes(), out);
            }
        }
        escape(chunk.invalid(), out);
    }
}

fn is_bare(bytes: &[u8]) -> bool {
    if bytes.is_empty() || bytes == b"null" {
        return false;
    }
    bytes.iter().all(|&byte| class(byte) == Class::Graphic) || is_bare_text(bytes)
}

fn is_bare_text(bytes: &[u8]) -> bool {
    let bare = |char| is_printable(char) && !matches!(char, ' ' | '"' | '\'');
    std::str::from_utf8(bytes).is_ok_and(|text| text.chars().all(bare))
}

/// Whether it is no control, format, bidi, separator, private or unassigned character.
fn is_printable(char: char) -> bool {
    matches!(char, '"' | '\'' | '\\') || char.escape_debug().len() == 1
}

fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '"' | '\\' => out.extend_from_slice(&[b'\\', char as u8]),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                '\0' => out.extend_from_slice(b"\\0"),
                _ if is_printable(char) => {
                    out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                }
                _ => escape_hex(char.encode_utf8(&mut [0; 4]).as_bytes(), out),
            }
        }
        escape_hex(chunk.invalid(), out);
    }
}

fn escape_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for &byte in bytes {
        let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
        out.extend_from_slice(&[b'\\', b'x', DIGITS[high], DIGITS[low]]);
    }
}

/// Bytes as [`show`] writes them, for messages. Longer output is cut after 60 characters and ends
/// in `...`.
pub struct Shown<'a>(pub &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 60;
        let cut = self.0.get(..MOST * 4).unwrap_or(self.0);
        let mut shown = Vec::new();
        show(cut, &mut shown);
        let text = String::from_utf8_lossy(&shown);
        if cut.len() == self.0.len() && text.chars().count() <= MOST {
            return f.write_str(&text);
        }
        let start: String = text.chars().take(MOST).collect();
        write!(f, "{start}...")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(line: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        let mut scanner = Scanner::new(line);
        let mut words = Vec::new();
        while let Some(word) = scanner.next_word()? {
            words.push(word.bytes.into_owned());
        }
        Ok(words)
    }

    proptest! {
        #[test]
        fn a_bare_word_ends_at_the_first_space_or_quote(
            text in prop::collection::vec(prop::sample::select(b"ab('\" \t&\xff\x80\0~".to_vec()), 0..40),
        ) {
            let ends = |&byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'"' | b'\'');
            let expected = text.iter().position(ends).unwrap_or(text.len());
            prop_assert_eq!(bare_len(&text), expected);
        }
    }

    #[test]
    fn only_unambiguous_words_are_bare() {
        for bare in ["red", "a\\b", "#1", "naïve", "日本", "-5", "nulls", "x->y"] {
            assert_eq!(shown(bare.as_bytes()), bare);
        }
        assert_eq!(shown(b""), "\"\"");
        assert_eq!(shown(b"null"), "\"null\"");
        assert_eq!(shown(b"a b"), "\"a b\"");
        assert_eq!(shown(b"\x1b[31m"), "\"\\x1b[31m\"");
        assert_eq!(shown("\u{202e}x".as_bytes()), "\"\\xe2\\x80\\xaex\"");
        assert_eq!(shown(b"\xff\n\0"), "\"\\xff\\n\\0\"");
        assert_eq!(shown(b"it's \"so\""), "\"it's \\\"so\\\"\"");
        assert_eq!(shown("\u{85}\u{a0}".as_bytes()), "\"\\xc2\\x85\\xc2\\xa0\"");
    }

    #[test]
    fn a_syntax_error_names_its_position() {
        let at = |line: &[u8]| {
            words(line)
                .expect_err("an error")
                .at
                .expect("a place")
                .start
        };
        assert_eq!(at(b"PUT a\"b\" c"), 5);
        assert_eq!(at(b"PUT \"b\"c"), 7);
        assert_eq!(at(b"PUT 'open"), 4);
        assert_eq!(at(b"PUT \"a\\q\""), 6);
        assert_eq!(at(b"PUT \"\\x+1\""), 5);
        assert_eq!(words(br"'a\n\'\\'"), Ok(vec![br"a\n'\".to_vec()]));
    }

    proptest! {
        #[test]
        fn shown_words_are_read_back(list in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..5)) {
            let mut line = Vec::new();
            for word in &list {
                show(word, &mut line);
                line.push(b' ');
            }
            prop_assert_eq!(words(&line), Ok(list));
            let text = std::str::from_utf8(&line).expect("UTF-8");
            prop_assert!(text.chars().all(|c| c == ' ' || is_printable(c)));
        }

        #[test]
        fn joined_words_are_read_back(list in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..5)) {
            let line = join(list.iter().map(Vec::as_slice));
            prop_assert!(!line.starts_with(b"#"));
            prop_assert_eq!(words(&line), Ok(list));
        }

        #[test]
        fn no_line_makes_it_panic(line in prop::collection::vec(prop::sample::select(b"ab \t\r\"'\\xn0f\xff\x80".to_vec()), 0..40)) {
            let _ = words(&line);
            let mut out = Vec::new();
            show_text(&line, &mut out);
            prop_assert!(std::str::from_utf8(&out).is_ok());
        }
    }
}
