//! Values as a history keeps them: short ones whole, long ones by length and hash.

use std::fmt;

use crate::hash::rapidhash;

/// The longest value that is kept whole, in bytes.
pub const MAX_WHOLE: usize = 64;

/// How many bytes of a longer value are kept, for people.
const HEAD: usize = 16;

/// A value: whole if it has at most [`MAX_WHOLE`] bytes, otherwise its length, its 64-bit
/// rapidhash and its first 16 bytes.
///
/// Two long values count as equal if these three are equal. For two different values of one length
/// that happens with a chance of 2^-64.
#[derive(Clone, PartialEq, Eq)]
pub struct Content(Form);

#[derive(Clone, PartialEq, Eq)]
enum Form {
    Whole(Box<[u8]>),
    Long(Box<Digest>),
}

#[derive(Clone, PartialEq, Eq)]
struct Digest {
    head: [u8; HEAD],
    length: usize,
    hash: u64,
}

impl Content {
    /// The value, if it is kept whole.
    #[must_use]
    pub fn whole(&self) -> Option<&[u8]> {
        match &self.0 {
            Form::Whole(bytes) => Some(bytes),
            Form::Long(_) => None,
        }
    }

    /// The first bytes: all if the value is kept whole, otherwise 16.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        match &self.0 {
            Form::Whole(bytes) => bytes,
            Form::Long(digest) => &digest.head,
        }
    }

    /// How many bytes the value has.
    #[must_use]
    pub fn length(&self) -> usize {
        match &self.0 {
            Form::Whole(bytes) => bytes.len(),
            Form::Long(digest) => digest.length,
        }
    }

    /// The rapidhash of the value.
    pub(crate) fn hash(&self) -> u64 {
        match &self.0 {
            Form::Whole(bytes) => rapidhash(bytes),
            Form::Long(digest) => digest.hash,
        }
    }
}

impl From<&[u8]> for Content {
    /// Cost: a copy of at most 64 bytes, or one pass over a longer value.
    fn from(value: &[u8]) -> Self {
        let Some(&head) = value.first_chunk().filter(|_| value.len() > MAX_WHOLE) else {
            return Self(Form::Whole(value.into()));
        };
        Self(Form::Long(Box::new(Digest {
            head,
            length: value.len(),
            hash: rapidhash(value),
        })))
    }
}

/// The text of a whole value, or `0123456789abcdef... (70 bytes)`. Bytes that are not UTF-8 are
/// replaced.
impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.head()))?;
        match &self.0 {
            Form::Whole(_) => Ok(()),
            Form::Long(digest) => write!(f, "... ({} bytes)", digest.length),
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixty_four_bytes_are_kept_whole_and_one_more_is_not() {
        let whole = Content::from(&[b'x'; 64][..]);
        assert_eq!(whole.whole(), Some(&[b'x'; 64][..]));
        let long = Content::from(&[b'x'; 65][..]);
        assert_eq!((long.whole(), long.length()), (None, 65));
        assert_eq!(long.to_string(), "xxxxxxxxxxxxxxxx... (65 bytes)");
        assert_ne!(whole, long);
    }

    #[test]
    fn long_values_of_one_length_differ_by_their_content() {
        let value = |last: u8| {
            let mut value = vec![b'x'; 1_000];
            value[999] = last;
            Content::from(&value[..])
        };
        assert_eq!(value(b'a'), value(b'a'));
        assert_ne!(value(b'a'), value(b'b'));
        assert_eq!(value(b'a').to_string(), value(b'b').to_string());
    }

    #[test]
    fn a_hash_is_that_of_the_value() {
        for length in [0, 64, 65, 1_000] {
            let value = vec![7; length];
            assert_eq!(Content::from(&value[..]).hash(), rapidhash(&value));
        }
    }
}
