//! Compressed output.

use std::io::{self, Write};

use flate2::write::GzEncoder;
use liblzma::write::XzEncoder;

/// How output is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, level 6.
    Gzip,
    /// zstd, level 3.
    Zstd,
    /// xz, level 6.
    Xz,
}

impl Compression {
    /// The compression that the end of a file's name asks for, and the name without it.
    #[must_use]
    pub fn of(name: &str) -> (Self, &str) {
        let ends = [(".gz", Self::Gzip), (".zst", Self::Zstd), (".xz", Self::Xz)];
        let found = ends
            .iter()
            .find_map(|&(end, it)| Some((it, name.strip_suffix(end)?)));
        found.unwrap_or((Self::None, name))
    }
}

/// Compresses what is written to it. [`Compressed::finish`] writes the rest.
pub enum Compressed<W: Write> {
    /// As it is.
    None(W),
    /// gzip.
    Gzip(GzEncoder<W>),
    /// zstd.
    Zstd(zstd::stream::write::Encoder<'static, W>),
    /// xz.
    Xz(XzEncoder<W>),
}

impl<W: Write> Compressed<W> {
    /// Writes to `out`.
    ///
    /// # Errors
    /// If the encoder cannot be made.
    pub fn new(out: W, compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            Compression::None => Self::None(out),
            Compression::Gzip => Self::Gzip(GzEncoder::new(out, flate2::Compression::default())),
            Compression::Zstd => Self::Zstd(zstd::stream::write::Encoder::new(out, 3)?),
            Compression::Xz => Self::Xz(XzEncoder::new(out, 6)),
        })
    }

    /// Writes the rest, and returns what is below.
    ///
    /// # Errors
    /// Of writing.
    pub fn finish(self) -> io::Result<W> {
        match self {
            Self::None(out) => Ok(out),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
            Self::Xz(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Compressed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::None(out) => out.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
            Self::Xz(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::None(out) => out.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
            Self::Xz(encoder) => encoder.flush(),
        }
    }
}
