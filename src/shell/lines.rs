//! Lines of bytes out of files and pipes. Any bytes will do: CRLF and a byte order mark are
//! accepted, and a line beyond all bounds is an error that costs no memory.

use std::io::{self, Read};
use std::sync::Arc;

use super::wakeup::{Received, Wakeup};

/// The longest line, in bytes.
pub const MAX_LINE: usize = 128 << 20;
/// Bytes that are read from a file at a time.
const CHUNK: u64 = 256 * 1024;

/// Where the bytes come from.
pub enum Feed {
    /// A source that does not block for long, such as a file.
    Reader(Box<dyn Read>),
    /// An input that is read ahead by a thread, by its number.
    Inbox(Arc<Wakeup>, u64),
}

/// What comes next.
pub enum Next<'a> {
    /// A line without its end, and its number from 1.
    Line(&'a [u8], u64),
    /// A line longer than [`MAX_LINE`], which is skipped.
    TooLong(u64),
    /// Nothing yet: wait for the inbox, and ask again.
    Empty,
    /// No more.
    End,
    /// No more, because reading failed.
    Failed(io::Error),
}

/// Splits what a feed gives into lines.
pub struct Lines {
    feed: Feed,
    buffer: Vec<u8>,
    /// Where the next line starts in the buffer.
    start: usize,
    /// Up to where the buffer has no line end.
    scanned: usize,
    number: u64,
    /// Whether the first line was read.
    has_begun: bool,
    skipping: bool,
    ended: bool,
    max_line: usize,
}

enum Fill {
    More,
    Empty,
    End,
}

impl Lines {
    /// The lines of `feed`.
    #[must_use]
    pub fn new(feed: Feed) -> Self {
        Self {
            feed,
            buffer: Vec::new(),
            start: 0,
            scanned: 0,
            number: 0,
            has_begun: false,
            skipping: false,
            ended: false,
            max_line: MAX_LINE,
        }
    }

    /// The same lines, numbered behind so many others.
    #[must_use]
    pub fn after(mut self, number: u64) -> Self {
        self.number = number;
        self
    }

    /// The number of the latest line.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The input that is read ahead, if it is one.
    #[must_use]
    pub fn input(&self) -> Option<u64> {
        match &self.feed {
            Feed::Reader(_) => None,
            Feed::Inbox(_, input) => Some(*input),
        }
    }

    /// The next line, or why there is none.
    #[inline]
    pub fn next(&mut self) -> Next<'_> {
        loop {
            let unseen = self.buffer.get(self.scanned..).unwrap_or_default();
            if let Some(len) = memchr::memchr(b'\n', unseen) {
                let line = self.start..self.scanned + len;
                self.start = line.end + 1;
                self.scanned = self.start;
                if std::mem::take(&mut self.skipping) {
                    continue;
                }
                return self.line(line);
            }
            self.scanned = self.buffer.len();
            if self.ended {
                let line = self.start..self.buffer.len();
                self.start = line.end;
                let rest = !line.is_empty() && !std::mem::take(&mut self.skipping);
                return if rest { self.line(line) } else { Next::End };
            }
            let too_long = self.buffer.len() - self.start > self.max_line;
            if too_long || self.skipping {
                self.start = self.buffer.len();
            }
            if too_long && !std::mem::replace(&mut self.skipping, true) {
                self.number += 1;
                self.has_begun = true;
                return Next::TooLong(self.number);
            }
            match self.fill() {
                Ok(Fill::More) => {}
                Ok(Fill::Empty) => return Next::Empty,
                Ok(Fill::End) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    return Next::Failed(error);
                }
            }
        }
    }

    fn line(&mut self, line: std::ops::Range<usize>) -> Next<'_> {
        self.number += 1;
        let mut line = self.buffer.get(line).unwrap_or_default();
        if !std::mem::replace(&mut self.has_begun, true) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        Next::Line(line.strip_suffix(b"\r").unwrap_or(line), self.number)
    }

    fn fill(&mut self) -> io::Result<Fill> {
        self.buffer.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        match &mut self.feed {
            Feed::Reader(reader) => {
                let len = reader.take(CHUNK).read_to_end(&mut self.buffer)?;
                Ok(if len == 0 { Fill::End } else { Fill::More })
            }
            Feed::Inbox(wakeup, input) => match wakeup.receive(*input) {
                Received::Chunk(chunk) => {
                    self.buffer.extend_from_slice(&chunk);
                    Ok(Fill::More)
                }
                Received::Empty => Ok(Fill::Empty),
                Received::End(end) => end.map(|()| Fill::End),
            },
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if let Feed::Inbox(wakeup, input) = &self.feed {
            wakeup.close(*input);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &'static [u8], max_line: usize) -> Vec<String> {
        let mut lines = Lines::new(Feed::Reader(Box::new(input)));
        lines.max_line = max_line;
        let mut read = Vec::new();
        loop {
            read.push(match lines.next() {
                Next::Line(line, number) => format!("{number} {}", line.escape_ascii()),
                Next::TooLong(number) => format!("{number} too long"),
                Next::End => return read,
                Next::Empty | Next::Failed(_) => "?".into(),
            });
        }
    }

    #[test]
    fn line_ends_and_byte_order_marks_are_taken_off() {
        let input = b"\xef\xbb\xbfa\r\nb\n\n\xef\xbb\xbf\rc\r";
        assert_eq!(
            read(input, 9),
            ["1 a", "2 b", "3 ", "4 \\xef\\xbb\\xbf\\rc"]
        );
        assert_eq!(read(b"", 9), [""; 0]);
        assert_eq!(read(b"\n", 9), ["1 "]);
    }

    /// Gives one byte at a time, as a slow pipe would.
    struct Slow(&'static [u8]);

    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer.get_mut(..1).unwrap_or_default())
        }
    }

    #[test]
    fn a_line_beyond_the_bound_is_skipped_and_the_next_one_is_read() {
        let mut lines = Lines::new(Feed::Reader(Box::new(
            io::repeat(b'x').take(3 * CHUNK).chain(&b"\nnext"[..]),
        )));
        lines.max_line = 1000;
        assert!(matches!(lines.next(), Next::TooLong(1)));
        assert!(matches!(lines.next(), Next::Line(b"next", 2)));
        assert!((lines.buffer.capacity() as u64) < 3 * CHUNK);
        assert!(matches!(lines.next(), Next::End));
        let mut lines = Lines::new(Feed::Reader(Box::new(Slow(b"ab\r\ncd"))));
        assert!(matches!(lines.next(), Next::Line(b"ab", 1)));
        assert!(matches!(lines.next(), Next::Line(b"cd", 2)));
    }
}
