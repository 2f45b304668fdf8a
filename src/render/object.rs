//! JSON objects, one a line, and the fields that many replies share.
//!
//! The field names are a contract with scripts. JSON requires escapes for quotes, backslashes and C0
//! controls. DEL, C1 controls, U+2028 and U+2029 are escaped too: terminals act on them, and some
//! readers take them for line ends.

use std::fmt::{Display, Write};

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::id::NodeId;
use crate::language::{Error, ErrorKind};

/// Appends one object and a line end. Serializing to memory fails only for a map with keys that are
/// not text, and a flattened field that is no map; no reply has either.
pub fn write(object: &impl Serialize, out: &mut Vec<u8>) {
    let start = out.len();
    serde_json::to_writer(&mut *out, object).expect("an object has text for names");
    escape_from(start, out);
    out.push(b'\n');
}

/// Escapes these characters in everything from `start` on. Outside of strings JSON has none.
fn escape_from(start: usize, out: &mut Vec<u8>) {
    let written = out.get(start..).unwrap_or_default();
    // DEL, and the first bytes of the others in UTF-8.
    if memchr::memchr3(0x7f, 0xc2, 0xe2, written).is_none() {
        return;
    }
    let written = out.split_off(start);
    let text = String::from_utf8_lossy(&written);
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        if matches!(char, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}') {
            let _ = write!(escaped, "\\u{:04x}", u32::from(char));
        } else {
            escaped.push(char);
        }
    }
    out.extend_from_slice(escaped.as_bytes());
}

/// A line of output: the fields of every reply and error, then its own.
#[derive(Serialize)]
pub struct Object<'a, T> {
    /// The client that sent the command, unless it is the session itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<u32>,
    /// The canonical name of the command.
    pub command: Option<&'static str>,
    /// The name of its file; absent at the prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<&'a str>,
    /// The number of the line in its file.
    pub line: u64,
    #[serde(flatten)]
    pub fields: T,
}

/// One field.
pub struct Field<T>(pub &'static str, pub T);

impl<T: Serialize> Serialize for Field<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.0, &self.1)?;
        map.end()
    }
}

/// Bytes as a field: UTF-8 as text under the name itself, other bytes as base64 under
/// `name_base64`, and null for `None`.
pub struct Named<'a>(pub &'static str, pub Option<&'a [u8]>);

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(name, bytes) = *self;
        let mut map = serializer.serialize_map(Some(1))?;
        match bytes.map(|bytes| std::str::from_utf8(bytes).map_err(|_| bytes)) {
            None => map.serialize_entry(name, &())?,
            Some(Ok(text)) => map.serialize_entry(name, text)?,
            Some(Err(bytes)) => {
                let base64 = Base64Display::new(bytes, &STANDARD);
                map.serialize_entry(&format!("{name}_base64"), &Text(base64))?;
            }
        }
        map.end()
    }
}

/// The field `key`.
pub fn key(key: &[u8]) -> Named<'_> {
    Named("key", Some(key))
}

/// A field of the key, and others.
#[derive(Serialize)]
pub struct Of<'a, T> {
    #[serde(flatten)]
    key: Named<'a>,
    #[serde(flatten)]
    fields: T,
}

/// These fields behind the field of the key.
pub fn of<T>(bytes: &[u8], fields: T) -> Of<'_, T> {
    Of {
        key: key(bytes),
        fields,
    }
}

/// A key in a list: text, or an object with `key_base64`.
pub struct Key<'a>(pub &'a [u8]);

impl Serialize for Key<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => key(self.0).serialize(serializer),
        }
    }
}

/// A value by the text that it displays.
pub struct Text<T>(pub T);

impl<T: Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Nodes by their numbers.
pub fn numbers(nodes: &[NodeId]) -> Vec<u32> {
    nodes.iter().map(|node| node.0).collect()
}

/// The fields of an error.
#[derive(Serialize)]
pub struct Failure<'a> {
    error: &'a str,
    kind: Text<ErrorKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answered: Option<Vec<u32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<Vec<u32>>,
}

impl<'a> From<&'a Error> for Failure<'a> {
    fn from(error: &'a Error) -> Self {
        let responses = error.responses.as_deref();
        Self {
            error: &error.message,
            kind: Text(error.kind),
            answered: responses.map(|it| numbers(&it.answered)),
            missing: responses.map(|it| numbers(&it.missing)),
        }
    }
}

/// A whole number of at most 64 bits; beyond that the largest.
pub fn whole(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// A ratio, rounded to four decimals.
pub fn rounded(ratio: f64) -> f64 {
    (ratio * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(object: &impl Serialize) -> String {
        let mut out = b"before\x7f".to_vec();
        write(object, &mut out);
        let text = String::from_utf8(out).expect("JSON is UTF-8");
        text.strip_prefix("before\u{7f}").expect("unchanged").into()
    }

    #[test]
    fn characters_that_upset_readers_and_terminals_are_escaped() {
        let text = "a\u{7f}\u{80}\u{85}\u{9b}\u{9f}\u{a0}\u{2027}\u{2028}\u{2029}\u{202a}é\"\n";
        assert_eq!(
            written(&Field("text", text)),
            "{\"text\":\"a\\u007f\\u0080\\u0085\\u009b\\u009f\u{a0}\u{2027}\\u2028\\u2029\u{202a}é\\\"\\n\"}\n"
        );
    }

    #[test]
    fn bytes_are_text_null_or_base64() {
        assert_eq!(written(&key(b"\x01")), "{\"key\":\"\\u0001\"}\n");
        assert_eq!(written(&Named("value", None)), "{\"value\":null}\n");
        let keys = [Key(b"a"), Key(b"\xff")];
        assert_eq!(
            written(&Field("keys", keys)),
            "{\"keys\":[\"a\",{\"key_base64\":\"/w==\"}]}\n"
        );
    }

    proptest! {
        #[test]
        fn every_text_is_read_back(text in "\\PC*|[\u{0}-\u{a0}\u{2020}-\u{2030}]*") {
            let line = written(&Named("text", Some(text.as_bytes())));
            let line = line.strip_suffix('\n').expect("a line end");
            prop_assert!(!line.contains(|char: char| char.is_control()));
            let object: serde_json::Value = serde_json::from_str(line).expect("JSON");
            prop_assert_eq!(object["text"].as_str(), Some(text.as_str()));
        }
    }
}
