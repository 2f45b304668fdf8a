//! Keys of a trace: numbers or bytes.

use std::fmt;

use super::text;

/// A key: a number of 64 bits with or without a sign, or bytes.
///
/// Each key has one form: what is the canonical decimal text of a number (`17`, `-3`, not `017`) is
/// that number, whichever format it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key<'a> {
    /// A number from zero.
    Number(u64),
    /// A number below zero.
    Negative(i64),
    /// Any other key.
    Bytes(&'a [u8]),
}

impl<'a> Key<'a> {
    /// The key with this text.
    #[must_use]
    pub fn of(text: &'a [u8]) -> Self {
        canonical(text).unwrap_or(Self::Bytes(text))
    }

    /// The key with this text, which need not be canonical: `017` and `0x11` are 17.
    #[must_use]
    pub fn lenient(text: &'a [u8]) -> Self {
        let number = || text::number(text).map(Self::Number);
        let canonical = canonical(text).or_else(number);
        let negative = || text::signed(text).map(Key::from);
        canonical.or_else(negative).unwrap_or(Self::Bytes(text))
    }

    /// Appends the text of the key: the key in a cluster.
    pub fn append(&self, out: &mut Vec<u8>) {
        match self {
            Self::Number(number) => text::append_number(*number, out),
            Self::Negative(number) => {
                out.push(b'-');
                text::append_number(number.unsigned_abs(), out);
            }
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
        }
    }

    /// The text of the key.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.append(&mut bytes);
        bytes
    }
}

impl From<u64> for Key<'_> {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<i64> for Key<'_> {
    fn from(number: i64) -> Self {
        u64::try_from(number).map_or(Self::Negative(number), Self::Number)
    }
}

/// The key whose canonical decimal text this is.
fn canonical(text: &[u8]) -> Option<Key<'_>> {
    match text {
        [b'0'] => Some(Key::Number(0)),
        [b'1'..=b'9', ..] => text::digits(text).map(Key::Number),
        [b'-', b'1'..=b'9', ..] => text::signed(text).map(Key::Negative),
        _ => None,
    }
}

/// A key that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedKey(Vec<u8>);

impl OwnedKey {
    /// The text of the key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Key<'_>> for OwnedKey {
    fn from(key: Key<'_>) -> Self {
        Self(key.to_bytes())
    }
}

impl fmt::Display for OwnedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", String::from_utf8_lossy(&self.0))
    }
}
