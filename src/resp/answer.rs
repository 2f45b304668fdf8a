//! What a server answers to a client that speaks RESP2.

use super::ProtocolError;
use crate::operation::Bytes;

/// How deep arrays are nested at most. CLUSTER SLOTS has four levels.
const DEPTH: usize = 16;
/// The longest line.
const LINE: usize = 64 << 10;
/// The longest string: 512 MB, as Redis has it.
const LONGEST: usize = 512 << 20;
/// The most elements of an array.
const ELEMENTS: usize = 1 << 24;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A line of text, such as `OK`.
    Line(String),
    /// An error: a word in capitals and a sentence.
    Error(String),
    /// A whole number.
    Integer(i64),
    /// A string of bytes.
    Bulk(Bytes),
    /// No value, or no array.
    Nil,
    /// Answers in order.
    Array(Vec<Answer>),
}

impl Answer {
    /// Reads the first answer in `input`, and says how many bytes it takes; `None`: it is not whole.
    /// Memory is bounded by the input.
    ///
    /// # Errors
    /// If the input does not follow the protocol: the connection is of no more use.
    pub fn parse(input: &[u8]) -> Result<Option<(Self, usize)>, ProtocolError> {
        let mut reader = Reader { input, used: 0 };
        let answer = reader.answer(DEPTH)?;
        Ok(answer.map(|answer| (answer, reader.used)))
    }

    /// The text of a line or a string that is UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Line(text) => Some(text),
            Self::Bulk(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The number, also one that is written as a string.
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => self.text()?.parse().ok(),
        }
    }

    /// The elements of an array.
    #[must_use]
    pub fn array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// Whether it is `OK`.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.text() == Some("OK")
    }
}

struct Reader<'i> {
    input: &'i [u8],
    used: usize,
}

impl<'i> Reader<'i> {
    fn answer(&mut self, depth: usize) -> Result<Option<Answer>, ProtocolError> {
        let Some((&kind, rest)) = self.line()?.and_then(<[u8]>::split_first) else {
            return Ok(None);
        };
        let text = || String::from_utf8_lossy(rest).into_owned();
        Ok(Some(match kind {
            b'+' => Answer::Line(text()),
            b'-' => Answer::Error(text()),
            b':' => Answer::Integer(number(rest)?),
            b'$' => return self.bulk(number(rest)?),
            b'*' => return self.array(number(rest)?, depth),
            other => return Err(ProtocolError::NotAnAnswer(other)),
        }))
    }

    /// The next line, without its end, which is not empty.
    fn line(&mut self) -> Result<Option<&'i [u8]>, ProtocolError> {
        let rest = &self.input[self.used..];
        let Some(end) = memchr::memchr(b'\n', &rest[..rest.len().min(LINE)]) else {
            if rest.len() >= LINE {
                return Err(ProtocolError::TooLong);
            }
            return Ok(None);
        };
        let line = rest[..end].strip_suffix(b"\r");
        let line = line.filter(|line| !line.is_empty());
        self.used += end + 1;
        line.map(Some).ok_or(ProtocolError::NoLineEnd)
    }

    fn bulk(&mut self, length: i64) -> Result<Option<Answer>, ProtocolError> {
        if length == -1 {
            return Ok(Some(Answer::Nil));
        }
        let length = bounded(length, LONGEST)?;
        let rest = &self.input[self.used..];
        let Some((bytes, end)) = rest.get(..length + 2).map(|it| it.split_at(length)) else {
            return Ok(None);
        };
        self.used += length + 2;
        match end {
            b"\r\n" => Ok(Some(Answer::Bulk(bytes.into()))),
            _ => Err(ProtocolError::NoLineEnd),
        }
    }

    fn array(&mut self, length: i64, depth: usize) -> Result<Option<Answer>, ProtocolError> {
        if length == -1 {
            return Ok(Some(Answer::Nil));
        }
        let length = bounded(length, ELEMENTS)?;
        let depth = depth.checked_sub(1).ok_or(ProtocolError::TooLong)?;
        let mut elements = Vec::new();
        for _ in 0..length {
            match self.answer(depth)? {
                Some(element) => elements.push(element),
                None => return Ok(None),
            }
        }
        Ok(Some(Answer::Array(elements)))
    }
}

fn number(digits: &[u8]) -> Result<i64, ProtocolError> {
    let text = std::str::from_utf8(digits).map_err(|_| ProtocolError::Length)?;
    text.parse().map_err(|_| ProtocolError::Length)
}

fn bounded(length: i64, most: usize) -> Result<usize, ProtocolError> {
    let length = usize::try_from(length).map_err(|_| ProtocolError::Length)?;
    if length > most {
        return Err(ProtocolError::TooLong);
    }
    Ok(length)
}

/// Appends a request: an array of strings.
pub fn write_request<W: AsRef<[u8]>>(out: &mut Vec<u8>, words: &[W]) {
    let mut frames = super::Frames::new(out, super::Protocol::Resp2);
    frames.array(words.len());
    for word in words {
        frames.bulk(word.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_all_kinds_are_read() {
        let bulk = |bytes: &[u8]| Answer::Bulk(bytes.into());
        for (input, expected) in [
            (&b"+OK\r\n"[..], Answer::Line("OK".into())),
            (b"-ERR no\r\n", Answer::Error("ERR no".into())),
            (b":-7\r\n", Answer::Integer(-7)),
            (b"$3\r\na\r\n\r\n", bulk(b"a\r\n")),
            (b"$0\r\n\r\n", bulk(b"")),
            (b"$-1\r\n", Answer::Nil),
            (b"*-1\r\n", Answer::Nil),
            (b"*0\r\n", Answer::Array(vec![])),
            (
                b"*2\r\n:1\r\n*1\r\n$1\r\nx\r\n",
                Answer::Array(vec![Answer::Integer(1), Answer::Array(vec![bulk(b"x")])]),
            ),
        ] {
            let whole = [input, b"rest"].concat();
            assert_eq!(Answer::parse(&whole), Ok(Some((expected, input.len()))));
            for cut in 0..input.len() {
                assert_eq!(Answer::parse(&input[..cut]), Ok(None), "{cut}");
            }
        }
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for input in [
            &b"PING\r\n"[..],
            b"\r\n",
            b"+OK\n",
            b":x\r\n",
            b"$-2\r\n",
            b"$536870913\r\n",
            b"$1\r\nabc",
            b"*16777217\r\n",
        ] {
            assert!(Answer::parse(input).is_err(), "{}", input.escape_ascii());
        }
        assert!(Answer::parse(&b"*1\r\n".repeat(20)).is_err(), "too deep");
        assert!(Answer::parse(&vec![b'+'; LINE]).is_err(), "too long");
    }

    #[test]
    fn a_request_is_an_array_of_strings() {
        let mut out = Vec::new();
        write_request(&mut out, &["GET", "a b"]);
        assert_eq!(out, b"*2\r\n$3\r\nGET\r\n$3\r\na b\r\n");
    }
}
