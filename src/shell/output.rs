//! The one way by which anything is printed.
//!
//! Output is gathered and written in large pieces: when there is enough of it, before anything
//! waits, and at the end. An error is written at once, behind everything that was printed before
//! it. A status line, on a terminal, stands until anything else is written. When the reader of standard output has gone (`| head`), the rest is dropped, and whoever
//! prints is told to stop.

use std::io::{self, ErrorKind, Write};

/// Bytes that are written in one go.
const PIECE: usize = 64 * 1024;

/// Standard output and standard error, or what stands for them.
pub struct Output {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    buffer: Vec<u8>,
    broken: Option<ErrorKind>,
    /// Bytes that were written so far.
    written: u64,
    /// Whether a status line stands where the next line is to be.
    status: bool,
}

impl Output {
    /// Prints to these.
    #[must_use]
    pub fn new(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Self {
        Self {
            out,
            err,
            buffer: Vec::with_capacity(PIECE + PIECE / 4),
            broken: None,
            written: 0,
            status: false,
        }
    }

    /// Prints to the process's own streams.
    #[must_use]
    pub fn standard() -> Self {
        Self::new(Box::new(io::stdout()), Box::new(io::stderr()))
    }

    /// Where to append what is to be printed. Call [`Output::settle`] then.
    #[inline]
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Writes if there is enough to be written.
    #[inline]
    pub fn settle(&mut self) {
        if self.buffer.len() >= PIECE {
            self.flush();
        }
    }

    /// Writes everything.
    pub fn flush(&mut self) {
        if self.broken.is_none() && !self.buffer.is_empty() {
            self.clear_status();
            let written = self
                .out
                .write_all(&self.buffer)
                .and_then(|()| self.out.flush());
            self.broken = written.err().map(|error| error.kind());
        }
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
    }

    /// Writes a line that stands until anything else is written, or [`Output::clear_status`] is
    /// called. For terminals only.
    pub fn status(&mut self, line: &str) {
        self.flush();
        self.clear_status();
        // The line is a help; where it cannot be written, neither can what comes after it.
        let _ = self.out.write_all(line.as_bytes());
        let _ = self.out.flush();
        self.status = true;
    }

    /// Takes the status line away.
    pub fn clear_status(&mut self) {
        if std::mem::take(&mut self.status) {
            let _ = self.out.write_all(b"\r\x1b[K");
            let _ = self.out.flush();
        }
    }

    /// Writes a message to standard error, after all output before it.
    pub fn error(&mut self, message: &[u8]) {
        self.flush();
        self.clear_status();
        // If standard error is closed too, the message cannot be shown.
        let _ = self.err.write_all(message).and_then(|()| self.err.flush());
    }

    /// How many bytes were printed so far, those included that wait to be written.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Why nothing can be written any more.
    #[must_use]
    pub fn broken(&self) -> Option<ErrorKind> {
        self.broken
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    #[derive(Clone, Default)]
    struct Screen(Arc<Mutex<Vec<u8>>>);

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut screen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            screen.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_status_line_stands_until_anything_else_is_written() {
        let screen = Screen::default();
        let mut out = Output::new(Box::new(screen.clone()), Box::new(screen.clone()));
        out.status("1 %");
        out.status("2 %");
        out.flush();
        out.buffer().extend_from_slice(b"said\n");
        out.flush();
        out.status("3 %");
        out.error(b"wrong\n");
        out.clear_status();
        let screen = screen.0.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = String::from_utf8_lossy(&screen);
        let erase = "\r\x1b[K";
        assert_eq!(
            shown,
            format!("1 %{erase}2 %{erase}said\n3 %{erase}wrong\n")
        );
    }
}
