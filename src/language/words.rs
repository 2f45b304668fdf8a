//! The words of a command as its parser reads them, and the values that many commands share.
//!
//! Words come from a line ([`Scanner`]) or from a list such as a client's arguments. A parser does
//! not see the difference.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use smallvec::SmallVec;

use super::command::Action;
use super::duration;
use super::error::Error;
use super::spec::Spec;
use super::word::{Bytes, Scanner, Shown, Word, join};
use crate::id::NodeId;

/// A command as the catalog has it.
#[derive(Debug)]
pub struct Row {
    pub spec: Spec,
    pub parser: Parser,
}

/// How the words after a command's name are read.
#[derive(Clone, Copy, Debug)]
pub enum Parser {
    /// One by one, after the catalog has checked their number.
    Words(for<'a> fn(&mut Words<'a>) -> Parsed<'a>),
    /// By the command itself: it takes any number of words, or the rest of the line.
    Rest(for<'a> fn(&mut Rest<'a>) -> Parsed<'a>),
}

/// What a parser returns.
pub type Parsed<'a> = Result<Action<'a>, Error>;

/// Where words come from.
#[derive(Clone, Debug)]
pub enum Source<'a> {
    Line(Scanner<'a>),
    List(std::slice::Iter<'a, &'a [u8]>),
}

impl<'a> Source<'a> {
    /// The next word; `None` at the end.
    #[inline]
    pub fn next_word(&mut self) -> Result<Option<Word<'a>>, Error> {
        match self {
            Self::Line(scanner) => scanner.next_word(),
            Self::List(words) => Ok(words.next().map(|word| Word::detached(word))),
        }
    }

    /// The words that are left, as a line. Of a line it is the unchanged rest.
    fn rest(&self) -> Bytes<'a> {
        match self {
            Self::Line(scanner) => scanner.rest().into(),
            Self::List(words) => join(words.as_slice().iter().copied()).into(),
        }
    }
}

/// What follows a command's name.
#[derive(Clone)]
pub struct Rest<'a> {
    pub spec: &'static Spec,
    /// All commands, for those that take another command.
    pub rows: &'static [Row],
    source: Source<'a>,
}

impl<'a> Rest<'a> {
    pub fn new(row: &'static Row, rows: &'static [Row], source: Source<'a>) -> Self {
        let spec = &row.spec;
        Self { spec, rows, source }
    }

    /// Reads the command that these words belong to.
    #[inline]
    pub fn parse(mut self, parser: Parser) -> Parsed<'a> {
        let spec = self.spec;
        let action = match parser {
            Parser::Words(parse) => self.count().and_then(|mut words| parse(&mut words)),
            Parser::Rest(parse) => parse(&mut self),
        };
        action.map_err(|error| error.of(spec.name))
    }

    #[inline]
    fn count(mut self) -> Result<Words<'a>, Error> {
        let mut words = SmallVec::new();
        while let Some(word) = self.source.next_word()? {
            words.push(word);
        }
        self.spec
            .check_words(words.len())
            .map_err(|error| hint_at_quotes(error, self.spec, &words))?;
        Ok(Words {
            spec: self.spec,
            rows: self.rows,
            left: words.into_iter(),
        })
    }

    /// The next word; `None` at the end.
    pub fn next(&mut self) -> Result<Option<Word<'a>>, Error> {
        self.source.next_word()
    }

    /// The next word, which must be there; `words` words stand before it.
    pub fn word_after(&mut self, words: usize) -> Result<Word<'a>, Error> {
        self.next()?.ok_or_else(|| self.spec.too_few_words(words))
    }

    /// All that follows the one space after the name, unchanged.
    pub fn text(&self) -> Bytes<'a> {
        match &self.source {
            Source::Line(scanner) => scanner.rest().get(1..).unwrap_or_default().into(),
            list @ Source::List(_) => list.rest(),
        }
    }

    /// Reads the rest as the words of another command.
    pub fn parse_as(&self, row: &'static Row) -> Parsed<'a> {
        Self::new(row, self.rows, self.source.clone()).parse(row.parser)
    }

    /// The rest as a line with a command of its own, which must not be empty.
    pub fn command(&mut self) -> Result<Bytes<'a>, Error> {
        if let Source::Line(scanner) = &mut self.source {
            scanner.skip_space();
        }
        let command = self.source.rest();
        if command.is_empty() {
            return Err(self.spec.too_few_words(self.spec.min_words - 1));
        }
        Ok(command)
    }
}

/// The words after a command's name, as many as its syntax allows.
pub struct Words<'a> {
    pub spec: &'static Spec,
    pub rows: &'static [Row],
    left: smallvec::IntoIter<[Word<'a>; 4]>,
}

impl<'a> Words<'a> {
    /// How many words are left.
    pub fn len(&self) -> usize {
        self.left.len()
    }

    /// The next word, not taken.
    pub fn peek(&self) -> Option<&Word<'a>> {
        self.left.as_slice().first()
    }

    /// The next word; `None` at the end.
    pub fn next(&mut self) -> Option<Word<'a>> {
        self.left.next()
    }

    /// The value of an option, which must be there.
    pub fn value_of(&mut self, value: &str) -> Result<Word<'a>, Error> {
        let missing = || self.spec.usage_error(&format!("{value} is missing"));
        self.left.next().ok_or_else(missing)
    }

    /// Checks that no word is left.
    pub fn end(&self) -> Result<(), Error> {
        match self.peek() {
            None => Ok(()),
            Some(word) => Err(self.spec.usage_error("too many words").at(word.span())),
        }
    }

    /// The next word, which must be there.
    pub fn word(&mut self) -> Result<Word<'a>, Error> {
        let missing = || self.spec.usage_error("too few words");
        self.left.next().ok_or_else(missing)
    }

    /// The bytes of the next word, which must be there.
    #[inline]
    pub fn bytes(&mut self) -> Result<Bytes<'a>, Error> {
        self.word().map(|word| word.bytes)
    }

    /// The bytes of all words that are left.
    pub fn all(&mut self) -> Vec<Bytes<'a>> {
        self.left.by_ref().map(|word| word.bytes).collect()
    }

    /// The next word as a value; `None` at the end.
    #[inline]
    pub fn optional<T>(
        &mut self,
        read: impl Fn(&Word<'a>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        self.left.next().map(|word| read(&word)).transpose()
    }

    /// An option word and its value, such as `NODE n`; `None` at the end.
    pub fn option<T>(
        &mut self,
        option: &str,
        value: &str,
        read: impl Fn(&Word<'a>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let Some(word) = self.left.next() else {
            return Ok(None);
        };
        if !word.is(option) {
            let fault = format!("expected {option} {value}");
            return Err(self.spec.usage_error(&fault).at(word.span()));
        }
        read(&self.value_of(value)?).map(Some)
    }
}

/// The most words that are shown as one.
const MAX_QUOTED: usize = 10;

/// Adds to the error of too many words which of them quotes would make one, and where they stand.
#[cold]
fn hint_at_quotes(mut error: Error, spec: &Spec, words: &[Word<'_>]) -> Error {
    let Some(several) = several_in_one(spec, words) else {
        let first = words.get(spec.max_words);
        return error.at(first.and_then(Word::span));
    };
    let hint = format!(
        "quotes make several words one: {}; usage",
        Shown(&joined(several))
    );
    error.message = error.message.replacen("usage", &hint, 1);
    let start = several.first().and_then(Word::span).map(|at| at.start);
    let end = several.last().and_then(Word::span).map(|at| at.end);
    error.at(start.zip(end).map(|(start, end)| start..end))
}

/// The words that are probably meant as one: a time such as `1h 30m` at the end, or else a value, a
/// key or a file.
fn several_in_one<'w, 'a>(spec: &Spec, words: &'w [Word<'a>]) -> Option<&'w [Word<'a>]> {
    let times = words
        .iter()
        .rev()
        .take_while(|word| is_time(&word.bytes))
        .count();
    let time = words.get(words.len() - times..)?;
    if times > 1 && words.len() > spec.max_words && is_time(&joined(time)) {
        return Some(time);
    }
    let parts: Vec<&str> = spec.parts_after(0).collect();
    let has_ttl = times == 1 && parts.contains(&"[ttl]");
    let is_text = |part: &&str| matches!(*part, "value" | "new" | "key" | "file");
    let after = usize::from(parts.contains(&"[ttl]"));
    let first = parts.len().checked_sub(1 + after)?;
    parts.get(first).filter(|part| is_text(part))?;
    let text = words.get(first..words.len() - usize::from(has_ttl))?;
    (2..=MAX_QUOTED).contains(&text.len()).then_some(text)
}

/// The words with a space between them.
fn joined(words: &[Word<'_>]) -> Vec<u8> {
    let words: Vec<&[u8]> = words.iter().map(|word| &*word.bytes).collect();
    words.join(&b' ')
}

fn is_time(bytes: &[u8]) -> bool {
    duration::parse(bytes).is_ok()
}

/// A time that is longer than zero.
pub fn time(word: &Word<'_>) -> Result<Duration, Error> {
    read_time(word, &word.bytes, duration::parse)
}

/// A time that may be zero.
pub fn time_or_zero(word: &Word<'_>) -> Result<Duration, Error> {
    read_time(word, &word.bytes, duration::parse_or_zero)
}

/// Reads `bytes`, which are a part of `word`.
pub fn read_time(
    word: &Word<'_>,
    bytes: &[u8],
    read: impl Fn(&[u8]) -> Result<Duration, duration::DurationError>,
) -> Result<Duration, Error> {
    read(bytes).map_err(|error| word.error(format!("{} {error}", Shown(&word.bytes))))
}

/// The number of a node.
pub fn node(word: &Word<'_>) -> Result<NodeId, Error> {
    let node = word.text().and_then(|text| text.parse().ok());
    node.ok_or_else(|| {
        let shown = Shown(&word.bytes);
        word.error(format!(
            "{shown} is not a node: use its number (NODES lists them)"
        ))
    })
}

/// A whole number in a range; `expected` names it in messages ("a count").
pub fn number<T>(word: &Word<'_>, expected: &str, range: RangeInclusive<T>) -> Result<T, Error>
where
    T: FromStr + PartialOrd + Display,
{
    let number = word.text().and_then(|text| text.parse().ok());
    number.filter(|n| range.contains(n)).ok_or_else(|| {
        let (shown, low, high) = (Shown(&word.bytes), range.start(), range.end());
        word.error(format!("{shown} is not {expected} from {low} to {high}"))
    })
}

/// One of the names of a type, in lower case. The type's own error is the message.
pub fn name<T>(word: &Word<'_>) -> Result<T, Error>
where
    T: FromStr,
    T::Err: Display,
{
    let name = word.text().unwrap_or_default().to_ascii_lowercase();
    name.parse()
        .map_err(|error: T::Err| word.error(error.to_string()))
}
