//! The commands of a script while it is written.

use std::fmt::Write as _;

use crate::time::{Compact, Instant};

/// Commands, and the time of the latest.
#[derive(Default)]
pub(super) struct Lines {
    text: String,
    now: Instant,
}

impl Lines {
    /// Adds a command that is typed at this instant.
    pub(super) fn add(&mut self, at: Instant, command: &str) {
        let time = at.saturating_duration_since(self.now);
        if !time.is_zero() {
            let _ = writeln!(self.text, "SLEEP {}", Compact(time));
            self.now = at;
        }
        self.text.push_str(command);
        self.text.push('\n');
    }

    /// All commands, one a line.
    pub(super) fn into_text(self) -> String {
        self.text
    }
}
