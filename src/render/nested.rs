//! JSON objects that contain the objects of other commands: REPEAT and TRACE.

use serde::Serialize;
use serde_json::value::RawValue;

use super::messages;
use super::object::{Failure, Object, write};
use crate::language::Error;
use crate::reply::Reply;

/// The object of a command, as it was written.
pub struct JsonText(Box<RawValue>);

impl JsonText {
    /// The object of a line that [`outcome`](super::outcome) wrote; null for any other text.
    #[must_use]
    pub fn new(line: &[u8]) -> Self {
        let text = String::from_utf8_lossy(line).trim_end().to_owned();
        let object = RawValue::from_string(text);
        Self(object.unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }

    /// How many bytes it takes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.0.get().len()
    }

    /// Appends the object and a line end.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.get().as_bytes());
        out.push(b'\n');
    }
}

impl Serialize for JsonText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// The name of a command and where it stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct CommandLine<'a> {
    /// The canonical name; `None` if the line names no known command.
    pub command: Option<&'static str>,
    /// The name of its file; `None` at the prompt.
    pub file: Option<&'a str>,
    /// The number of the line in its file, from 1.
    pub line: u64,
}

impl<'a> CommandLine<'a> {
    pub(super) fn object<T>(self, client: Option<u32>, fields: T) -> Object<'a, T> {
        Object {
            client,
            command: self.command,
            file: self.file,
            line: self.line,
            fields,
        }
    }
}

/// What REPEAT has done.
pub struct Repeated<'a> {
    /// How many turns were run.
    pub turns: u64,
    /// How many of them failed.
    pub failed: u64,
    /// The objects of the commands, the latest ones.
    pub results: Vec<JsonText>,
    /// How many objects came before those.
    pub omitted: u64,
    /// Why it has ended early.
    pub error: Option<&'a Error>,
}

#[derive(Serialize)]
struct RepeatedFields<'a> {
    turns: u64,
    failed: u64,
    results: &'a [JsonText],
    omitted: u64,
    ok: bool,
    #[serde(flatten)]
    failure: Option<Failure<'a>>,
}

/// Appends the object of a REPEAT.
pub fn repeated(line: CommandLine<'_>, repeated: &Repeated<'_>, out: &mut Vec<u8>) {
    let fields = RepeatedFields {
        turns: repeated.turns,
        failed: repeated.failed,
        results: &repeated.results,
        omitted: repeated.omitted,
        ok: repeated.error.is_none(),
        failure: repeated.error.map(Failure::from),
    };
    write(&line.object(None, fields), out);
}

#[derive(Serialize)]
struct TracedFields<'a> {
    reply: Option<&'a JsonText>,
    messages: serde_json::Value,
    omitted: u64,
}

/// Appends the object of a TRACE: the messages of `path`, which is [`Reply::Path`], and the reply of
/// the command inside.
pub fn traced(
    line: CommandLine<'_>,
    reply: Option<&JsonText>,
    path: &Reply<'_>,
    out: &mut Vec<u8>,
) {
    let (messages, omitted) = match path {
        Reply::Path {
            messages, omitted, ..
        } => (messages.as_slice(), *omitted),
        _ => (&[][..], 0),
    };
    let fields = TracedFields {
        reply,
        messages: messages::objects(messages),
        omitted,
    };
    write(&line.object(None, fields), out);
}
