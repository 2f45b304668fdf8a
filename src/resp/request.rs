//! Requests: arrays of bulk strings, or lines of words.

use std::ops::Range;

use super::error::ProtocolError;
use super::inline;

/// The longest line of an inline request, and of a header, in bytes.
const MAX_LINE: usize = 64 << 10;
/// A request with more arguments is parsed in steps.
const SHORT_ARGS: usize = 64;
/// The longest header that holds a number: a sign and 19 digits.
const MAX_DIGITS: usize = 20;

/// The bounds of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// The most arguments, the name of the command included.
    pub args: usize,
    /// The longest argument, in bytes.
    pub arg: usize,
    /// The most bytes of all arguments.
    pub request: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            args: 1 << 20,
            arg: 512 << 20,
            request: 1 << 30,
        }
    }
}

impl RequestLimits {
    /// The bounds of a client that has not given the password yet.
    pub const UNAUTHENTICATED: Self = Self {
        args: 10,
        arg: 16 << 10,
        request: 256 << 10,
    };
}

/// Parses the requests of one connection, each as far as it has arrived.
///
/// The caller holds the bytes in a buffer that starts with a request, calls [`parse`] whenever bytes
/// were appended, and removes a request that is complete. Parsing goes on where it stopped, so that a
/// request that arrives in many parts costs no more than one that arrives whole. Memory grows with
/// the arguments that have arrived, not with those that are announced.
///
/// [`parse`]: RequestParser::parse
///
/// ```
/// use shardlab::resp::{RequestLimits, RequestParser};
///
/// let mut parser = RequestParser::default();
/// let buffer = b"*2\r\n$3\r\nGET\r\n$5\r\napple\r\nPING\r\n";
/// let length = parser.parse(buffer, &RequestLimits::default())?;
/// assert_eq!(length, Some(24));
/// assert_eq!(parser.args(buffer).iter().collect::<Vec<_>>(), [&b"GET"[..], b"apple"]);
/// let length = parser.parse(&buffer[24..], &RequestLimits::default())?;
/// assert_eq!(length, Some(6));
/// assert_eq!(&parser.args(&buffer[24..])[0], b"PING");
/// # Ok::<(), shardlab::resp::ProtocolError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct RequestParser {
    /// Where the arguments are, from the start of the request.
    args: Vec<Range<usize>>,
    /// The words of an inline request, side by side. Empty for arrays.
    words: Vec<u8>,
    is_inline: bool,
    state: State,
    /// Where parsing goes on, from the start of the request.
    at: usize,
    /// Bytes of the arguments so far.
    bytes: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Before the first byte.
    #[default]
    Start,
    /// In front of an argument, of which so many are to come.
    Args(usize),
    /// In an argument of this length; so many are to come after it.
    Arg { length: usize, left: usize },
    /// The request is complete; the next byte belongs to another.
    Complete,
}

impl RequestParser {
    /// Parses on. Returns the length of the request in bytes if it is complete, and `None` if more
    /// bytes are needed. A complete request without arguments (an empty line) is to be
    /// ignored.
    ///
    /// # Errors
    /// [`ProtocolError`]. The parser cannot be used any more.
    #[inline]
    pub fn parse(
        &mut self,
        buffer: &[u8],
        limits: &RequestLimits,
    ) -> Result<Option<usize>, ProtocolError> {
        if self.state == State::Complete {
            self.restart();
        }
        if self.state == State::Start
            && let Some(length) = self.parse_short(buffer, limits)
        {
            return Ok(Some(length));
        }
        loop {
            let goes_on = match self.state {
                State::Start => self.start(buffer, limits)?,
                State::Args(0) | State::Complete => {
                    self.state = State::Complete;
                    return Ok(Some(self.at));
                }
                State::Args(left) => self.header(buffer, left - 1, limits)?,
                State::Arg { length, left } => self.arg(buffer, length, left)?,
            };
            if !goes_on {
                return Ok(None);
            }
        }
    }

    /// Parses a request that has arrived whole and whose numbers have at most three digits, as nearly all
    /// do. `None` for any other, which is parsed in steps.
    #[inline]
    fn parse_short(&mut self, buffer: &[u8], limits: &RequestLimits) -> Option<usize> {
        let (count, mut at) = short_number(buffer, 0, b'*')?;
        if count > limits.args.min(SHORT_ARGS) {
            return None;
        }
        self.args.clear();
        for _ in 0..count {
            let (length, start) = short_number(buffer, at, b'$')?;
            let end = start + length;
            let is_whole = buffer.get(end..end + 2)? == b"\r\n";
            if !is_whole || length > limits.arg || end > limits.request {
                return None;
            }
            self.args.push(start..end);
            at = end + 2;
        }
        self.at = at;
        self.state = State::Complete;
        Some(at)
    }

    /// The arguments of the request that is complete. `buffer` is the one that was parsed.
    #[inline]
    #[must_use]
    pub fn args<'a>(&'a self, buffer: &'a [u8]) -> Args<'a> {
        let bytes = if self.is_inline { &self.words } else { buffer };
        Args {
            bytes,
            ranges: &self.args,
        }
    }

    /// How many bytes the request has at least, as far as that is known. A buffer of this size takes
    /// the argument that is arriving.
    #[must_use]
    pub fn expected(&self) -> usize {
        match self.state {
            State::Arg { length, .. } => self.at + length + 2,
            _ => self.at,
        }
    }

    /// Where the arguments of the request that is complete are, from its start; `None` if it is inline.
    #[inline]
    #[must_use]
    pub fn ranges(&self) -> Option<&[Range<usize>]> {
        (!self.is_inline).then_some(&self.args[..])
    }

    /// Whether no request is parsed in part: the next byte begins one.
    #[must_use]
    pub fn is_between(&self) -> bool {
        self.state == State::Complete || (self.state == State::Start && self.at == 0)
    }

    /// Forgets what was parsed: the buffer is going to start with another request.
    pub fn restart(&mut self) {
        self.args.clear();
        self.words.clear();
        self.is_inline = false;
        self.state = State::Start;
        self.at = 0;
        self.bytes = 0;
    }

    #[inline]
    fn start(&mut self, buffer: &[u8], limits: &RequestLimits) -> Result<bool, ProtocolError> {
        self.args.clear();
        match buffer.first() {
            None => Ok(false),
            Some(b'*') => self.count(buffer, limits),
            Some(_) => self.inline(buffer, limits),
        }
    }

    /// Reads the number of arguments. With 0 or a negative number the request is to be ignored.
    #[inline]
    fn count(&mut self, buffer: &[u8], limits: &RequestLimits) -> Result<bool, ProtocolError> {
        let Some((count, end)) = number(&buffer[1..]).map_err(|line| match line {
            BadNumber::TooLong => ProtocolError::CountTooLong,
            BadNumber::NotANumber => ProtocolError::Count,
        })?
        else {
            return Ok(false);
        };
        let count = usize::try_from(count).unwrap_or(0);
        if count > limits.args {
            return Err(ProtocolError::Count);
        }
        self.at = 1 + end;
        self.state = State::Args(count);
        Ok(true)
    }

    /// Reads the length of an argument, after which `left` are to come.
    #[inline]
    fn header(
        &mut self,
        buffer: &[u8],
        left: usize,
        limits: &RequestLimits,
    ) -> Result<bool, ProtocolError> {
        match buffer.get(self.at) {
            None => return Ok(false),
            Some(b'$') => {}
            Some(&other) => return Err(ProtocolError::NotABulkString(other)),
        }
        let Some((length, end)) = number(&buffer[self.at + 1..]).map_err(|line| match line {
            BadNumber::TooLong => ProtocolError::LengthTooLong,
            BadNumber::NotANumber => ProtocolError::Length,
        })?
        else {
            return Ok(false);
        };
        let length = usize::try_from(length).ok().filter(|&it| it <= limits.arg);
        let length = length.ok_or(ProtocolError::Length)?;
        self.bytes += length;
        if self.bytes > limits.request {
            return Err(ProtocolError::TooLong);
        }
        self.at += 1 + end;
        self.state = State::Arg { length, left };
        Ok(true)
    }

    #[inline]
    fn arg(&mut self, buffer: &[u8], length: usize, left: usize) -> Result<bool, ProtocolError> {
        let end = self.at + length;
        let Some(line_end) = buffer.get(end..end + 2) else {
            return Ok(false);
        };
        if line_end != b"\r\n" {
            return Err(ProtocolError::NoLineEnd);
        }
        self.args.push(self.at..end);
        self.at = end + 2;
        self.state = State::Args(left);
        Ok(true)
    }

    fn inline(&mut self, buffer: &[u8], limits: &RequestLimits) -> Result<bool, ProtocolError> {
        // What was searched before holds no line end.
        let Some(end) = memchr::memchr(b'\n', &buffer[self.at..]) else {
            self.at = buffer.len();
            return match self.at {
                0..=MAX_LINE => Ok(false),
                _ => Err(ProtocolError::InlineTooLong),
            };
        };
        let end = self.at + end;
        if end > MAX_LINE {
            return Err(ProtocolError::InlineTooLong);
        }
        let line = &buffer[..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        inline::split(line, &mut self.words, &mut self.args)?;
        if self.args.len() > limits.args || self.words.len() > limits.request {
            return Err(ProtocolError::TooLong);
        }
        self.is_inline = true;
        self.at = end + 1;
        self.state = State::Args(0);
        Ok(true)
    }
}

/// The arguments of a request, the name of the command first.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    bytes: &'a [u8],
    ranges: &'a [Range<usize>],
}

impl<'a> Args<'a> {
    /// The arguments at these places of `bytes`.
    #[inline]
    #[must_use]
    pub fn new(bytes: &'a [u8], ranges: &'a [Range<usize>]) -> Self {
        Self { bytes, ranges }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether there are none. Such a request is to be ignored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The argument at this place; 0 is the name of the command.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        self.ranges
            .get(index)
            .map(|range| &self.bytes[range.clone()])
    }

    /// The arguments from this place on.
    #[must_use]
    pub fn from(&self, index: usize) -> Self {
        Self {
            bytes: self.bytes,
            ranges: self.ranges.get(index..).unwrap_or_default(),
        }
    }

    /// All arguments in order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let bytes = self.bytes;
        self.ranges.iter().map(move |range| &bytes[range.clone()])
    }
}

impl std::ops::Index<usize> for Args<'_> {
    type Output = [u8];

    #[inline]
    fn index(&self, index: usize) -> &[u8] {
        &self.bytes[self.ranges[index].clone()]
    }
}

enum BadNumber {
    TooLong,
    NotANumber,
}

/// A number of at most three digits behind `kind` at a place, and where the next line begins.
#[inline]
fn short_number(buffer: &[u8], at: usize, kind: u8) -> Option<(usize, usize)> {
    let digit = |byte: u8| usize::from(byte - b'0');
    // The shortest request that has a number has this many bytes from there on.
    let head: &[u8; 6] = buffer.get(at..)?.first_chunk()?;
    match *head {
        [first, ..] if first != kind => None,
        [_, a @ b'0'..=b'9', b'\r', b'\n', ..] => Some((digit(a), at + 4)),
        [_, a @ b'1'..=b'9', b @ b'0'..=b'9', b'\r', b'\n', _] => {
            Some((digit(a) * 10 + digit(b), at + 5))
        }
        [
            _,
            a @ b'1'..=b'9',
            b @ b'0'..=b'9',
            c @ b'0'..=b'9',
            b'\r',
            b'\n',
        ] => Some((digit(a) * 100 + digit(b) * 10 + digit(c), at + 6)),
        _ => None,
    }
}

/// The number in a line that ends with CRLF, and where the next line begins; `None` if the line has
/// not arrived whole.
fn number(line: &[u8]) -> Result<Option<(i64, usize)>, BadNumber> {
    let head = &line[..line.len().min(MAX_LINE + 2)];
    let Some(end) = memchr::memchr(b'\r', head) else {
        return match line.len() {
            0..=MAX_LINE => Ok(None),
            _ => Err(BadNumber::TooLong),
        };
    };
    match line.get(end + 1) {
        None => return Ok(None),
        Some(b'\n') if end <= MAX_DIGITS => {}
        Some(_) => return Err(BadNumber::NotANumber),
    }
    let number = std::str::from_utf8(&line[..end]).ok();
    let number = number.and_then(|text| {
        let number: i64 = text.parse().ok()?;
        // Neither `+1` nor `01`.
        (number.to_string() == text).then_some(number)
    });
    number.map_or(Err(BadNumber::NotANumber), |number| {
        Ok(Some((number, end + 2)))
    })
}
