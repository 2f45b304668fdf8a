//! Rendering of replies, events and errors: values in, bytes out.
//!
//! One [`Reply`] has three renderings: plain lines for people and scripts, boxed tables, and JSON
//! with one object a line. `plain`, `table` and `json` each match a reply to a function of its
//! family. The families (`data`, `nodes`, `copies`, `capacity`, `placing`, `moving`, `events`, `messages`, `history`, `checks`,
//! `work`, `help`, `nested`) have a function or a struct for each rendering. They are built on the leaves `text`,
//! `grid`, `object` and `style`.

mod capacity;
mod checks;
mod copies;
mod data;
mod events;
mod grid;
mod help;
mod history;
mod json;
mod messages;
mod moving;
mod nested;
mod nodes;
mod object;
mod placing;
mod plain;
mod style;
mod table;
mod text;
mod work;

use std::fmt;
use std::str::FromStr;

use crate::event::{Event, EventKind};
use crate::language::Error;
use crate::language::word;
use crate::reply::Reply;

pub(crate) use grid::Grid;
pub use nested::{CommandLine, JsonText, Repeated, repeated, traced};
pub(crate) use object::write as write_json;
pub use style::{Paint, Style};
pub use text::grouped;
pub(crate) use text::wrapped;

/// The renderings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Lines of text.
    #[default]
    Plain,
    /// Lines of text, and boxes around columns.
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

/// The outcome of one line.
#[derive(Clone, Copy)]
pub struct LineOutcome<'a> {
    /// The command, and where it stands.
    pub line: CommandLine<'a>,
    /// The reply or the error.
    pub result: Result<&'a Reply<'a>, &'a Error>,
}

/// Appends a reply to `out`, and in JSON also an error. In the other formats an error appends
/// nothing: it belongs on another stream, see [`error`].
#[inline]
pub fn outcome(format: Format, style: Style, outcome: LineOutcome<'_>, out: &mut Vec<u8>) {
    match (format, outcome.result) {
        (Format::Json, _) => json::outcome(None, outcome, out),
        (Format::Plain, Ok(reply)) => plain::reply(style, reply, out),
        (Format::Table, Ok(reply)) => table::reply(style, reply, out),
        (_, Err(_)) => {}
    }
}

/// Appends an event to `out`, in one line.
pub fn event(format: Format, style: Style, event: &Event, out: &mut Vec<u8>) {
    if format == Format::Json {
        return json::event(event, out);
    }
    style.paint(Paint::Notice, out, |out| events::sentence(event, out));
    out.push(b'\n');
}

/// Appends a notice that events were dropped before they could be printed.
pub fn missed(format: Format, style: Style, count: u64, out: &mut Vec<u8>) {
    if format == Format::Json {
        return json::missed(count, out);
    }
    let events = if count == 1 {
        "event was"
    } else {
        "events were"
    };
    let text = format!("{count} {events} dropped: too many at once");
    style.paint(Paint::Notice, out, |out| {
        out.extend_from_slice(text.as_bytes());
    });
    out.push(b'\n');
}

/// Appends the outcome of a line that another client has sent, also in the other formats an error.
pub fn client_outcome(
    format: Format,
    style: Style,
    client: u32,
    line: LineOutcome<'_>,
    out: &mut Vec<u8>,
) {
    if format == Format::Json {
        return json::outcome(Some(client), line, out);
    }
    let name = format!("client {client}: ");
    let mut tell = |failure: &Error| {
        out.extend_from_slice(name.as_bytes());
        error(style, None, failure, out);
    };
    let reply = match line.result {
        Ok(reply) => reply,
        Err(failure) => return tell(failure),
    };
    let failures = reply.errors();
    failures.iter().for_each(tell);
    let start = out.len();
    out.extend_from_slice(name.as_bytes());
    outcome(format, style, line, out);
    if out.len() == start + name.len() {
        out.truncate(start);
        if failures.is_empty() {
            out.extend_from_slice(format!("{name}OK\n").as_bytes());
        }
    }
}

/// Appends an error message for people to `out`. A position in a script, the file's name and the
/// line's number, comes first; line 0 stands for the whole file.
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
    let mut message = style.painted(Paint::Error, "error:").into_bytes();
    message.push(b' ');
    word::show_text(error.message.as_bytes(), &mut message);
    let message = String::from_utf8_lossy(&message);
    if place.is_some() {
        return text::line(&message, out);
    }
    text::sentence(style, &message, 2, out);
}

/// Appends a text, wrapped at words to the width of the terminal.
pub fn paragraph(style: Style, text: &str, out: &mut Vec<u8>) {
    text::sentence(style, text, 0, out);
}

/// Appends a notice of many events at once: `28,571 keys expired on 4 servers`.
pub fn condensed(style: Style, kind: &EventKind, keys: u64, nodes: usize, out: &mut Vec<u8>) {
    style.paint(Paint::Notice, out, |out| {
        events::condensed(kind, keys, nodes, out);
    });
    out.push(b'\n');
}
