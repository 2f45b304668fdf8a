//! Replies, written as RESP2 or RESP3.

#![allow(clippy::cast_possible_truncation, reason = "digits of small numbers")]

use std::fmt::{self, Write};

/// The version of the protocol that a client speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// The version of Redis 1.2 to 5. Maps and sets are arrays, numbers with a fraction are strings.
    #[default]
    Resp2,
    /// The version that `HELLO 3` chooses.
    Resp3,
}

/// Appends frames to a buffer. An aggregate (array, map, set, push) is its length, followed by its
/// elements, which the caller writes.
///
/// ```
/// use shardlab::resp::{Frames, Protocol};
///
/// let mut out = Vec::new();
/// let mut frames = Frames::new(&mut out, Protocol::Resp2);
/// frames.array(2);
/// frames.bulk(b"red");
/// frames.null();
/// assert_eq!(out, b"*2\r\n$3\r\nred\r\n$-1\r\n");
/// ```
#[derive(Debug)]
pub struct Frames<'a> {
    out: &'a mut Vec<u8>,
    protocol: Protocol,
}

impl<'a> Frames<'a> {
    /// Frames at the end of this buffer.
    pub fn new(out: &'a mut Vec<u8>, protocol: Protocol) -> Self {
        Self { out, protocol }
    }

    /// The version of the protocol.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    fn is_resp3(&self) -> bool {
        self.protocol == Protocol::Resp3
    }

    /// `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.out.extend_from_slice(b"+OK\r\n");
    }

    /// A simple string, which holds no line end.
    pub fn simple(&mut self, text: &str) {
        self.line(b'+', format_args!("{text}"));
    }

    /// An error: a word in capitals and a sentence. Line ends in it become spaces.
    pub fn error(&mut self, text: impl fmt::Display) {
        let start = self.out.len() + 1;
        self.line(b'-', format_args!("{text}"));
        let end = self.out.len() - 2;
        for byte in &mut self.out[start..end] {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
    }

    /// A whole number.
    #[inline]
    pub fn integer(&mut self, number: i64) {
        match number {
            0..=9 => {
                let digit = b'0' + number.unsigned_abs() as u8;
                self.out.extend_from_slice(&[b':', digit, b'\r', b'\n']);
            }
            _ => self.line(b':', format_args!("{number}")),
        }
    }

    /// A number of things, which is an integer.
    pub fn count(&mut self, count: usize) {
        self.integer(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A string of any bytes.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.length(b'$', bytes.len());
        self.out.extend_from_slice(bytes);
        self.out.extend_from_slice(b"\r\n");
    }

    /// A bulk string, or a null.
    #[inline]
    pub fn bulk_or_null(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    /// Text for people: a verbatim string in RESP3, and a bulk string in RESP2.
    pub fn text(&mut self, text: &str) {
        if !self.is_resp3() {
            return self.bulk(text.as_bytes());
        }
        self.length(b'=', text.len() + 4);
        self.out.extend_from_slice(b"txt:");
        self.out.extend_from_slice(text.as_bytes());
        self.out.extend_from_slice(b"\r\n");
    }

    /// Nothing, where a string or a number could be.
    #[inline]
    pub fn null(&mut self) {
        let null: &[u8] = if self.is_resp3() {
            b"_\r\n"
        } else {
            b"$-1\r\n"
        };
        self.out.extend_from_slice(null);
    }

    /// Nothing, where an array could be.
    pub fn null_array(&mut self) {
        let null: &[u8] = if self.is_resp3() {
            b"_\r\n"
        } else {
            b"*-1\r\n"
        };
        self.out.extend_from_slice(null);
    }

    /// Yes or no: 1 or 0 in RESP2.
    pub fn boolean(&mut self, yes: bool) {
        match (self.is_resp3(), yes) {
            (true, true) => self.out.extend_from_slice(b"#t\r\n"),
            (true, false) => self.out.extend_from_slice(b"#f\r\n"),
            (false, yes) => self.integer(i64::from(yes)),
        }
    }

    /// A number with a fraction: a bulk string in RESP2.
    pub fn double(&mut self, digits: &str) {
        if self.is_resp3() {
            self.line(b',', format_args!("{digits}"));
        } else {
            self.bulk(digits.as_bytes());
        }
    }

    /// A whole number of any size: a bulk string in RESP2.
    pub fn big_number(&mut self, digits: &str) {
        if self.is_resp3() {
            self.line(b'(', format_args!("{digits}"));
        } else {
            self.bulk(digits.as_bytes());
        }
    }

    /// Pairs about the reply that follows them. RESP2 has nothing like it.
    pub fn attribute(&mut self, pairs: usize) {
        self.length(b'|', pairs);
    }

    /// An array of so many elements.
    #[inline]
    pub fn array(&mut self, length: usize) {
        self.length(b'*', length);
    }

    /// A map of so many pairs, each a key and a value: an array of twice as many elements in RESP2.
    pub fn map(&mut self, pairs: usize) {
        if self.is_resp3() {
            self.length(b'%', pairs);
        } else {
            self.length(b'*', pairs * 2);
        }
    }

    /// A set of so many elements: an array in RESP2.
    pub fn set(&mut self, length: usize) {
        let kind = if self.is_resp3() { b'~' } else { b'*' };
        self.length(kind, length);
    }

    /// A message that is no reply, of so many elements: an array in RESP2.
    pub fn push(&mut self, length: usize) {
        let kind = if self.is_resp3() { b'>' } else { b'*' };
        self.length(kind, length);
    }

    /// A frame that is written already.
    pub fn raw(&mut self, frame: &[u8]) {
        self.out.extend_from_slice(frame);
    }

    #[inline]
    fn length(&mut self, kind: u8, length: usize) {
        match length {
            0..=9 => {
                let digit = b'0' + length as u8;
                self.out.extend_from_slice(&[kind, digit, b'\r', b'\n']);
            }
            10..=99 => {
                let (tens, ones) = (b'0' + (length / 10) as u8, b'0' + (length % 10) as u8);
                self.out
                    .extend_from_slice(&[kind, tens, ones, b'\r', b'\n']);
            }
            _ => self.line(kind, format_args!("{length}")),
        }
    }

    #[inline(never)]
    fn line(&mut self, kind: u8, text: fmt::Arguments<'_>) {
        self.out.push(kind);
        // Writing to a vector does not fail.
        let _ = Bytes(self.out).write_fmt(text);
        self.out.extend_from_slice(b"\r\n");
    }
}

/// Text at the end of a buffer.
struct Bytes<'a>(&'a mut Vec<u8>);

impl Write for Bytes<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
