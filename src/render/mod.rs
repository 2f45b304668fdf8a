//! How replies, events and errors look: values in, bytes out.
//!
//! One [`Reply`] has three renderings: plain lines for people and scripts, boxed tables, and JSON,
//! one object a line.

mod checks;
mod help;
mod json;
mod messages;
mod plain;
mod style;
mod table;

use std::fmt;
use std::str::FromStr;

use crate::event::Event;
use crate::language::Error;
use crate::language::catalog::Spec;
use crate::language::word;
use crate::reply::Reply;

pub use help::command_table;
pub use style::{Paint, Style};

/// The rendering.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Lines of text.
    #[default]
    Plain,
    /// Lines of text, and boxes around whatever has columns.
    Table,
    /// One JSON object a line.
    Json,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Table, Self::Json];
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Table => "table",
            Self::Json => "json",
        })
    }
}

/// The error of parsing a [`Format`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a format is plain, table or json")]
pub struct UnknownFormat;

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        let mut all = Self::ALL.into_iter();
        all.find(|format| name == format.to_string())
            .ok_or(UnknownFormat)
    }
}

/// What is answered, and to which line.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    /// The command; `None` if the line has none that is known.
    pub spec: Option<&'static Spec>,
    /// The line's number in its file.
    pub line: u64,
    /// The reply or the error.
    pub outcome: Result<&'a Reply<'a>, &'a Error>,
}

/// Appends a reply to `out`, or in JSON an error. Errors in other formats are for another stream.
#[inline]
pub fn answer(format: Format, style: Style, answer: Answer<'_>, out: &mut Vec<u8>) {
    match (format, answer.outcome) {
        (Format::Json, _) => json::answer(answer, out),
        (Format::Plain, Ok(reply)) => plain::reply(style, reply, out),
        (Format::Table, Ok(reply)) => table::reply(style, reply, out),
        (_, Err(_)) => {}
    }
}

/// Appends an event to `out`.
pub fn event(format: Format, style: Style, event: &Event, out: &mut Vec<u8>) {
    if format == Format::Json {
        return json::event(event, out);
    }
    style.paint(Paint::Notice, out, |out| plain::event(event, out));
    out.push(b'\n');
}

/// Appends an error message for people to `out`, behind the place in a script that it is about
/// (line 0: the whole file).
pub fn error(style: Style, place: Option<(&str, u64)>, error: &Error, out: &mut Vec<u8>) {
    if let Some((file, line)) = place {
        word::show_text(file.as_bytes(), out);
        let line = if line == 0 {
            String::new()
        } else {
            format!(":{line}")
        };
        out.extend_from_slice(format!("{line}: ").as_bytes());
    }
    style.paint(Paint::Error, out, |out| out.extend_from_slice(b"error:"));
    out.push(b' ');
    word::show_text(error.message.as_bytes(), out);
    out.push(b'\n');
}
