//! The bytes of a trace: decompressed, buffered, in lines or in pieces.
//!
//! gzip (`flate2`, in Rust), zstd and xz (the C libraries, built along) are found by their first bytes,
//! not by a name. The C libraries are worth it: zstd decodes three times as fast as the decoder in
//! Rust, and liblzma decodes piece by piece with a bound on its memory, and encodes as well. A decoder runs in a thread of
//! its own.

use std::io::{self, BufReader, Cursor, ErrorKind, Read};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};

use super::ahead::Ahead;
use super::error::{Place, TraceError};

/// The longest line or record, in bytes.
pub const MAX_LINE: usize = 1 << 20;
/// How much is looked at to detect a format.
const CHUNK: usize = 1 << 20;
/// How much is read at a time. It fits into the cache of a processor beside the tables of a decoder.
const READ: usize = 1 << 17;
/// A rest that is moved to the front of the buffer rather than read on behind it.
const SHORT: usize = 1 << 12;
/// The most memory for decoding xz. The highest preset takes 65 MiB.
const XZ_MEMORY: u64 = 256 << 20;
/// A decoder is given pieces of this size.
const PIECE: usize = 1 << 16;

/// A source of bytes.
type Source = Box<dyn Read + Send>;

/// The bytes of one trace. See the module's docs.
pub struct Input {
    source: Source,
    name: Arc<str>,
    /// Room for a chunk behind an unfinished line.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
    /// Where the buffer starts in the decompressed data.
    base: u64,
    /// The number of lines that were taken.
    lines: u64,
    /// Bytes of the file that were read.
    taken: Arc<AtomicU64>,
    len: Option<u64>,
    compression: Option<&'static str>,
}

/// Counts what goes through.
struct Counted {
    inner: Source,
    taken: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
        self.taken.fetch_add(len as u64, Ordering::Relaxed);
        Ok(len)
    }
}

impl Input {
    /// Reads `source`, whose bytes may be compressed. `name` is for messages, and its file name
    /// decides between formats that look alike. `len` is the number of bytes of the file, if known.
    ///
    /// # Errors
    /// [`TraceError`] if the first bytes cannot be read.
    pub fn new(source: Source, name: &str, len: Option<u64>) -> Result<Self, TraceError> {
        let name: Arc<str> = name.into();
        let fail = |error: &io::Error| TraceError::new(&name, Place::Whole, error.to_string());
        let taken = Arc::new(AtomicU64::new(0));
        let counted = Counted {
            inner: source,
            taken: Arc::clone(&taken),
        };
        let (source, compression) = decompressed(counted).map_err(|error| fail(&error))?;
        let len = len.filter(|_| compression.is_none());
        Ok(Self::over(source, name, taken, len, compression))
    }

    fn over(
        source: Source,
        name: Arc<str>,
        taken: Arc<AtomicU64>,
        len: Option<u64>,
        compression: Option<&'static str>,
    ) -> Self {
        Self {
            source,
            name,
            buffer: vec![0; CHUNK + MAX_LINE],
            start: 0,
            end: 0,
            ended: false,
            base: 0,
            lines: 0,
            taken,
            len,
            compression,
        }
    }

    /// The first bytes as an input of their own, to try a format on.
    pub(super) fn trial(name: &str, bytes: Arc<[u8]>) -> Self {
        let source = Box::new(Cursor::new(bytes).take(u64::MAX));
        Self::over(source, name.into(), Arc::default(), None, None)
    }

    /// The name that messages show.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How the file is compressed: `gzip`, `zstd` or `xz`.
    #[must_use]
    pub fn compression(&self) -> Option<&'static str> {
        self.compression
    }

    /// The number of bytes of the decompressed data, if it is known beforehand.
    #[must_use]
    pub fn known_len(&self) -> Option<u64> {
        self.len
    }

    /// Bytes of the file that were read.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// The first bytes, at most 1 MiB, and whether they are all. It takes none of them.
    ///
    /// # Errors
    /// [`TraceError`] if they cannot be read.
    pub(super) fn peek(&mut self) -> Result<(&[u8], bool), TraceError> {
        while !self.ended && self.end - self.start < CHUNK {
            self.read_more()?;
        }
        Ok((&self.buffer[self.start..self.end], self.ended))
    }

    /// Reads once, and appends to the buffer.
    fn read_more(&mut self) -> Result<(), TraceError> {
        let is_short = self.start > 0 && self.end - self.start <= SHORT;
        if is_short || self.buffer.len() - self.end < READ {
            self.buffer.copy_within(self.start..self.end, 0);
            self.base += self.start as u64;
            self.end -= self.start;
            self.start = 0;
        }
        let until = self.buffer.len().min(self.end + READ);
        match self.source.read(&mut self.buffer[self.end..until]) {
            Ok(0) => self.ended = true,
            Ok(len) => self.end += len,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                let place = Place::Byte(self.base + self.end as u64);
                return Err(TraceError::new(
                    &self.name,
                    place,
                    reading(&error, self.compression),
                ));
            }
        }
        Ok(())
    }

    /// The bytes in the buffer that are not taken: at least one, or none at the end.
    ///
    /// # Errors
    /// [`TraceError`] if it cannot be read.
    pub(super) fn available(&mut self) -> Result<&[u8], TraceError> {
        while self.start == self.end && !self.ended {
            self.read_more()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    /// Takes bytes that [`Input::available`] returned, with their number of line ends.
    pub(super) fn consume(&mut self, len: usize, lines: u64) {
        self.start = (self.start + len).min(self.end);
        self.lines += lines;
    }

    /// The next `len` bytes, at most [`MAX_LINE`]; `None` at the end.
    ///
    /// # Errors
    /// [`TraceError`] if it cannot be read, or fewer bytes are left.
    #[inline]
    pub(super) fn take(&mut self, len: usize) -> Result<Option<&[u8]>, TraceError> {
        if self.end - self.start < len && !self.fill(len)? {
            return Ok(None);
        }
        let start = self.start;
        self.start += len;
        Ok(Some(&self.buffer[start..start + len]))
    }

    /// Reads until there are `len` bytes; `false` at the end.
    #[cold]
    fn fill(&mut self, len: usize) -> Result<bool, TraceError> {
        debug_assert!(len <= MAX_LINE, "the buffer has room");
        while self.end - self.start < len && !self.ended {
            self.read_more()?;
        }
        match self.end - self.start {
            0 => Ok(false),
            left if left < len => {
                Err(self.at_byte(format!("{left} bytes are left of a record of {len} bytes")))
            }
            _ => Ok(true),
        }
    }

    /// Takes a line, and says where it is in the buffer: without its end, `\n` or `\r\n`. `None` at
    /// the end.
    ///
    /// # Errors
    /// [`TraceError`] if it cannot be read, or is longer than [`MAX_LINE`].
    #[inline]
    pub(super) fn line(&mut self) -> Result<Option<Range<usize>>, TraceError> {
        let mut searched = 0;
        loop {
            let unread = &self.buffer[self.start..self.end];
            if let Some(at) = memchr::memchr(b'\n', &unread[searched..]) {
                return Ok(Some(self.take_line(searched + at, 1)));
            }
            searched = unread.len();
            if searched > MAX_LINE {
                self.lines += 1;
                return Err(self.at_line(format!("the line is longer than {MAX_LINE} bytes")));
            }
            if self.ended {
                return Ok((searched > 0).then(|| self.take_line(searched, 0)));
            }
            self.read_more()?;
        }
    }

    fn take_line(&mut self, len: usize, end: usize) -> Range<usize> {
        let start = self.start;
        self.start += len + end;
        self.lines += 1;
        let has_return = len > 0 && self.buffer[start + len - 1] == b'\r';
        start..start + len - usize::from(has_return)
    }

    /// What [`Input::line`] took. It stays until the next call of a method that reads.
    #[inline]
    pub(super) fn get(&self, range: Range<usize>) -> &[u8] {
        &self.buffer[range]
    }

    /// An error at the last line that was taken.
    pub(super) fn at_line(&self, message: impl Into<String>) -> TraceError {
        TraceError::new(&self.name, Place::Line(self.lines.max(1)), message)
    }

    /// An error at the next byte.
    pub(super) fn at_byte(&self, message: impl Into<String>) -> TraceError {
        TraceError::new(&self.name, Place::Byte(self.offset()), message)
    }

    /// An error of the whole.
    pub(super) fn whole(&self, message: impl Into<String>) -> TraceError {
        TraceError::new(&self.name, Place::Whole, message)
    }

    /// Where the next byte is in the decompressed data.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.start as u64
    }
}

/// The source without its compression, and the name of that.
fn decompressed(mut source: Counted) -> io::Result<(Source, Option<&'static str>)> {
    let mut first = Vec::new();
    (&mut source).take(6).read_to_end(&mut first)?;
    let whole = Cursor::new(first.clone()).chain(source);
    let pieces = BufReader::with_capacity(PIECE, whole);
    Ok(match first.as_slice() {
        [0x1f, 0x8b, ..] => (ahead(MultiGzDecoder::new(pieces))?, Some("gzip")),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let decoder = zstd::stream::read::Decoder::with_buffer(pieces)?;
            (ahead(decoder)?, Some("zstd"))
        }
        b"\xfd7zXZ\0" => {
            let stream = Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED)?;
            (ahead(XzDecoder::new_stream(pieces, stream))?, Some("xz"))
        }
        _ => (Box::new(pieces.into_inner()), None),
    })
}

/// Decodes in a thread of its own.
fn ahead(decoder: impl Read + Send + 'static) -> io::Result<Source> {
    Ok(Box::new(Ahead::new(decoder)?))
}

/// The message for an error of reading.
fn reading(error: &io::Error, compression: Option<&str>) -> String {
    match (compression, error.kind()) {
        (Some(name), ErrorKind::UnexpectedEof) => format!("the {name} data is cut off"),
        (Some(name), _) => format!("the {name} data is damaged: {error}"),
        (None, _) => error.to_string(),
    }
}

impl Input {
    /// The line of what was taken last, from 1.
    pub(super) fn set_line(&mut self, line: u64) {
        self.lines = line;
    }

    /// Takes a byte order mark of UTF-8, if there is one.
    ///
    /// # Errors
    /// [`TraceError`] if it cannot be read, or is text in UTF-16.
    pub(super) fn check_utf_8(&mut self) -> Result<(), TraceError> {
        let (head, _) = self.peek()?;
        if is_utf_16(head) {
            return Err(self.whole(
                "it is text in UTF-16: convert it to UTF-8 first, with iconv -f UTF-16 -t UTF-8",
            ));
        }
        if head.starts_with(b"\xef\xbb\xbf") {
            self.consume(3, 0);
        }
        Ok(())
    }
}

/// Whether the first bytes are text in UTF-16, with or without its mark: one byte of each pair is a
/// character of ASCII, and the other one is zero.
pub(super) fn is_utf_16(head: &[u8]) -> bool {
    let marked = head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff");
    let text = if marked { &head[2..] } else { head };
    let pairs = text.chunks_exact(2).take(64);
    let is_ascii = |byte: u8| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n');
    let is = |low: usize| {
        let mut pairs = pairs.clone();
        pairs.all(|pair| is_ascii(pair[low]) && pair[1 - low] == 0)
    };
    // Without a mark, two pairs could be a number.
    pairs.len() >= if marked { 1 } else { 4 } && (is(0) || is(1))
}
