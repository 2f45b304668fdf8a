//! The one way by which anything is printed.
//!
//! Output is gathered and written in large pieces: when there is enough of it, before anything
//! waits, and at the end. An error is written at once, behind everything that was printed before
//! it. When the reader of standard output has gone (`| head`), the rest is dropped, and the runner
//! stops.
//!
//! On a terminal, a status line stands until anything else is written, and a frame (of WATCH) stands
//! below everything that is written.

use std::io::{self, ErrorKind, Write};

use textwrap::core::display_width;

use super::terminal;

/// Bytes that are written in one go.
const PIECE: usize = 64 * 1024;

/// Standard output and standard error, or what stands for them.
pub struct Output {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    buffer: Vec<u8>,
    broken: Option<ErrorKind>,
    /// Bytes that were written so far, to both streams.
    written: u64,
    /// Whether a status line stands where the next line is to be.
    status: bool,
    /// Notices, while the output is captured.
    aside: Option<Vec<u8>>,
    /// The lines that stand below everything else.
    frame: Vec<String>,
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
            aside: None,
            frame: Vec::new(),
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

    /// Where to append a notice. A capture leaves it out.
    #[inline]
    pub fn notices(&mut self) -> &mut Vec<u8> {
        self.aside.as_mut().unwrap_or(&mut self.buffer)
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
        if self.aside.is_some() {
            return;
        }
        if self.broken.is_none() && !self.buffer.is_empty() {
            self.clear_status();
            self.put_around_frame();
            let written = self
                .out
                .write_all(&self.buffer)
                .and_then(|()| self.out.flush());
            self.broken = written.err().map(|error| error.kind());
        }
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
    }

    /// Puts the buffer where the frame stands, and the frame below it.
    fn put_around_frame(&mut self) {
        if !self.frame.is_empty() {
            let erase = erase(&self.frame, terminal::columns());
            self.buffer.splice(0..0, erase.into_bytes());
            self.buffer.extend_from_slice(text(&self.frame).as_bytes());
        }
    }

    /// Keeps what is printed from now on, errors too, until [`Output::end_capture`]. Notices are kept
    /// aside, and printed after it.
    pub fn capture(&mut self) {
        self.flush();
        self.aside = Some(Vec::new());
    }

    /// Whether a capture is going on.
    pub fn is_capturing(&self) -> bool {
        self.aside.is_some()
    }

    /// What was printed since [`Output::capture`].
    pub fn end_capture(&mut self) -> Vec<u8> {
        let notices = self.aside.take().unwrap_or_default();
        std::mem::replace(&mut self.buffer, notices)
    }

    /// Draws these lines in place of the present frame, as far as a terminal of `columns` and `rows`
    /// has room; it counts the lines that are left out.
    pub fn draw(&mut self, lines: Vec<String>, columns: usize, rows: usize) {
        let old = erase(&self.frame, Some(columns));
        self.frame.clear();
        self.buffer.splice(0..0, old.into_bytes());
        let lines = cut(lines, columns, rows.saturating_sub(1));
        self.buffer.extend_from_slice(text(&lines).as_bytes());
        self.flush();
        self.frame = lines;
    }

    /// Leaves the frame where it stands. Takes away what stands behind the cursor below it.
    pub fn leave_frame(&mut self) {
        self.flush();
        self.frame.clear();
        self.buffer.extend_from_slice(b"\r\x1b[J");
        self.flush();
    }

    /// Writes a line that stands until anything else is written, or [`Output::clear_status`] is
    /// called. For terminals only.
    pub fn status(&mut self, line: &str) {
        if self.aside.is_some() || !self.frame.is_empty() {
            return;
        }
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
        if self.aside.is_some() {
            self.buffer.extend_from_slice(message);
            return;
        }
        self.flush();
        self.clear_status();
        self.written += message.len() as u64;
        // If standard error is closed too, the message cannot be shown.
        let _ = self.err.write_all(message).and_then(|()| self.err.flush());
    }

    /// How many bytes were printed so far on both streams, those included that wait to be written.
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

/// The lines of a frame as they are written.
fn text(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// The rows that lines take on a terminal.
fn rows_of(line: &str, columns: usize) -> usize {
    display_width(line).div_ceil(columns.max(1)).max(1)
}

/// Moves the cursor from below these lines to their start, and erases everything from there.
fn erase(lines: &[String], columns: Option<usize>) -> String {
    let columns = columns.unwrap_or(80);
    match lines
        .iter()
        .map(|line| rows_of(line, columns))
        .sum::<usize>()
    {
        0 => String::new(),
        rows => format!("\r\x1b[{rows}A\x1b[J"),
    }
}

/// The first lines, of at most `rows` rows; the last line counts those that are left out.
fn cut(mut lines: Vec<String>, columns: usize, rows: usize) -> Vec<String> {
    let all: usize = lines.iter().map(|line| rows_of(line, columns)).sum();
    if all <= rows {
        return lines;
    }
    let mut used = 1;
    let fits = |line: &&String| {
        used += rows_of(line, columns);
        used <= rows
    };
    let kept = lines.iter().take_while(fits).count();
    let omitted = lines.len() - kept;
    lines.truncate(kept);
    lines.push(format!("... {omitted} more lines"));
    lines
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

    fn shown(screen: &Screen) -> String {
        let screen = screen.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&screen).into_owned()
    }

    #[test]
    fn a_frame_stands_below_everything_else() {
        let screen = Screen::default();
        let mut out = Output::new(Box::new(screen.clone()), Box::new(screen.clone()));
        out.draw(vec!["a".into(), "b".into()], 80, 24);
        assert_eq!(shown(&screen), "a\nb\n");
        out.buffer().extend_from_slice(b"notice\n");
        out.flush();
        assert!(shown(&screen).ends_with("\r\x1b[2A\x1b[Jnotice\na\nb\n"));
        out.capture();
        out.error(b"error: no\n");
        out.notices().extend_from_slice(b"late\n");
        assert_eq!(out.end_capture(), b"error: no\n");
        out.draw(vec!["x".repeat(100); 30], 80, 8);
        let drawn = shown(&screen);
        let drawn = drawn.rsplit("\x1b[J").next().expect("the frame");
        let line = "x".repeat(100);
        assert_eq!(
            drawn,
            format!("late\n{line}\n{line}\n{line}\n... 27 more lines\n")
        );
        out.leave_frame();
        out.buffer().extend_from_slice(b"end\n");
        out.flush();
        assert!(shown(&screen).ends_with(&format!("{drawn}\r\x1b[Jend\n")));
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
        let shown = shown(&screen);
        let erase = "\r\x1b[K";
        assert_eq!(
            shown,
            format!("1 %{erase}2 %{erase}said\n3 %{erase}wrong\n")
        );
    }
}
