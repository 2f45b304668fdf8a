//! A source that a thread of its own reads ahead, so that decoding overlaps with what is done with the
//! bytes.

use std::io::{self, ErrorKind, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

/// The bytes of a piece. Four of them fit into the cache of a processor.
const PIECE: usize = 1 << 17;
/// How many full pieces wait at most.
const PIECES: usize = 2;

/// The bytes of a source, in order. An error comes after the bytes before it.
///
/// Memory: four pieces of 128 KiB. Dropping it ends the thread once the source returns.
pub struct Ahead {
    full: Receiver<io::Result<Vec<u8>>>,
    /// Pieces to fill again.
    free: Sender<Vec<u8>>,
    piece: Vec<u8>,
    taken: usize,
    is_ended: bool,
}

impl Ahead {
    /// # Errors
    /// The system has no thread left.
    pub fn new(source: impl Read + Send + 'static) -> io::Result<Self> {
        let (full, pieces) = sync_channel(PIECES);
        let (free, returned) = channel();
        thread::Builder::new()
            .name("decoder".into())
            .spawn(move || read_ahead(source, &full, &returned))?;
        Ok(Self {
            full: pieces,
            free,
            piece: Vec::new(),
            taken: 0,
            is_ended: false,
        })
    }

    /// Takes the next piece. An empty one is the end.
    fn next_piece(&mut self) -> io::Result<()> {
        let stopped = |_| Err(io::Error::other("the decoder stopped"));
        let piece = self.full.recv().unwrap_or_else(stopped);
        self.is_ended = piece.as_ref().map_or(true, Vec::is_empty);
        let old = std::mem::replace(&mut self.piece, piece?);
        self.taken = 0;
        // After the end, nothing takes it.
        let _ = self.free.send(old);
        Ok(())
    }
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.piece.len() && !self.is_ended {
            self.next_piece()?;
        }
        let len = (&self.piece[self.taken..]).read(buffer)?;
        self.taken += len;
        Ok(len)
    }
}

/// Fills pieces until the end, an error, or the reader is gone.
fn read_ahead(
    mut source: impl Read,
    full: &SyncSender<io::Result<Vec<u8>>>,
    returned: &Receiver<Vec<u8>>,
) {
    loop {
        let mut piece = returned.try_recv().unwrap_or_default();
        piece.resize(PIECE, 0);
        let (len, error) = fill(&mut source, &mut piece);
        piece.truncate(len);
        let is_end = piece.is_empty();
        // A piece that is empty for an error is no end.
        if (!is_end || error.is_none()) && full.send(Ok(piece)).is_err() {
            return;
        }
        if let Some(error) = error {
            // If the reader is gone, nothing wants the error.
            let _ = full.send(Err(error));
            return;
        }
        if is_end {
            return;
        }
    }
}

/// Reads until the piece is full, the source ends or fails. It returns the bytes that were read.
fn fill(source: &mut impl Read, piece: &mut [u8]) -> (usize, Option<io::Error>) {
    let mut len = 0;
    while len < piece.len() {
        match source.read(&mut piece[len..]) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (len, Some(error)),
        }
    }
    (len, None)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// Gives its bytes in pieces of odd lengths, then fails if it is told to.
    struct Source {
        bytes: Cursor<Vec<u8>>,
        fails: bool,
    }

    impl Read for Source {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let until = buffer.len().min(1009);
            match self.bytes.read(&mut buffer[..until])? {
                0 if self.fails => Err(io::Error::other("bad block")),
                len => Ok(len),
            }
        }
    }

    fn source(len: usize, fails: bool) -> (Vec<u8>, Ahead) {
        let bytes: Vec<u8> = (0..=250).cycle().take(len).collect();
        let source = Source {
            bytes: Cursor::new(bytes.clone()),
            fails,
        };
        (bytes, Ahead::new(source).expect("a thread"))
    }

    #[test]
    fn all_bytes_come_in_order() {
        for len in [0, 1, PIECE - 1, PIECE, PIECE + 1, 9 * PIECE + 7] {
            let (bytes, mut ahead) = source(len, false);
            let mut read = Vec::new();
            ahead.read_to_end(&mut read).expect("it does not fail");
            assert!(read == bytes, "{len} bytes");
            assert_eq!(ahead.read(&mut [0; 8]).expect("the end stays"), 0);
        }
    }

    #[test]
    fn an_error_comes_after_the_bytes_before_it() {
        for len in [0, 1, PIECE, 3 * PIECE + 7] {
            let (bytes, mut ahead) = source(len, true);
            let mut read = Vec::new();
            let error = ahead.read_to_end(&mut read).expect_err("it fails");
            assert_eq!(error.to_string(), "bad block");
            assert!(read == bytes, "{len} bytes");
        }
    }

    #[test]
    fn a_reader_may_go_early() {
        let (bytes, mut ahead) = source(9 * PIECE, false);
        let mut first = [0; 5];
        ahead.read_exact(&mut first).expect("it has bytes");
        assert_eq!(first, bytes[..5]);
    }
}
