//! The progress of long work, as one line on a terminal.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::shell::wakeup::Wakeup;

/// How often it is shown.
const EVERY: Duration = Duration::from_millis(200);

/// Shows how far work is, and says when to stop it.
pub struct Progress {
    wakeup: Arc<Wakeup>,
    what: String,
    all: Option<u64>,
    shown: Instant,
    is_terminal: bool,
    is_there: bool,
}

impl Progress {
    /// Of this work, whose position goes up to `all`.
    pub fn new(wakeup: &Arc<Wakeup>, what: String, all: Option<u64>) -> Self {
        Self {
            wakeup: Arc::clone(wakeup),
            what,
            all,
            shown: Instant::now(),
            is_terminal: io::stderr().is_terminal(),
            is_there: false,
        }
    }

    /// Whether there was no request to stop.
    pub fn is_wanted(&self) -> bool {
        !self.wakeup.is_interrupted()
    }

    /// Takes the position; `false` asks to stop.
    pub fn go_on(&mut self, position: u64) -> bool {
        if self.is_terminal && self.shown.elapsed() >= EVERY {
            self.shown = Instant::now();
            self.show(position);
        }
        !self.wakeup.is_interrupted()
    }

    fn show(&mut self, position: u64) {
        let percent = self.all.filter(|&all| all > 0);
        let part = match percent {
            Some(all) => format!("{}%", u128::from(position.min(all)) * 100 / u128::from(all)),
            None => format!("{} MiB", position >> 20),
        };
        let line = format!("{}: {part}", self.what);
        // It is a help only; where it cannot be written, nothing is lost.
        let _ = write!(io::stderr(), "\r\x1b[K{}", shortened(&line));
        self.is_there = true;
    }
}

/// The end of a line that is too long for a narrow terminal.
fn shortened(line: &str) -> String {
    let len = line.chars().count();
    line.chars().skip(len.saturating_sub(38)).collect()
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_there {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
