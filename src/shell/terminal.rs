//! The terminal itself: its size, its echo, and its state when the program is ended from outside.

use std::io::{self, Write};
use std::thread;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::{emulate_default_handler, exit};

/// The columns and rows of the terminal that standard output is; `None` if it is none, or does not say.
pub fn size() -> Option<(usize, usize)> {
    let size = tcgetwinsize(io::stdout()).ok()?;
    let (columns, rows) = (size.ws_col.into(), size.ws_row.into());
    (columns > 0 && rows > 0).then_some((columns, rows))
}

/// The columns of the terminal.
pub fn columns() -> Option<usize> {
    size().map(|(columns, _)| columns)
}

/// Does not show what is typed, until it is dropped.
pub struct NoEcho(Option<Termios>);

impl NoEcho {
    pub fn new() -> Self {
        let before = tcgetattr(io::stdin()).ok();
        if let Some(mut modes) = before.clone() {
            modes.local_modes.remove(LocalModes::ECHO);
            // Where it fails, what is typed shows.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &modes);
        }
        Self(before)
    }
}

impl Drop for NoEcho {
    fn drop(&mut self) {
        if let Some(modes) = &self.0 {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, modes);
        }
    }
}

/// From now on, SIGTERM and SIGHUP leave the terminal as it is now, with the cursor on a new line, and
/// then end the program. Beside a server SIGTERM ends it with status 0, and SIGHUP does nothing: the
/// server outlives its terminal.
///
/// # Errors
/// If no handler can be installed.
pub fn restore_when_ended(serves: bool) -> io::Result<()> {
    let before = tcgetattr(io::stdin()).ok();
    let mut signals = Signals::new([SIGTERM, SIGHUP])?;
    thread::spawn(move || {
        for signal in signals.forever() {
            if serves && signal == SIGHUP {
                continue;
            }
            if let Some(modes) = &before {
                restore(modes);
            }
            if serves {
                exit(0);
            }
            let _ = emulate_default_handler(signal);
        }
    });
    Ok(())
}

fn restore(modes: &Termios) {
    let is_canonical = |modes: &Termios| modes.local_modes.contains(LocalModes::ICANON);
    let is_at_prompt = tcgetattr(io::stdin()).is_ok_and(|now| !is_canonical(&now));
    let _ = tcsetattr(io::stdin(), OptionalActions::Now, modes);
    if is_at_prompt {
        // No hint, no bracketed paste, and a new line.
        let mut out = io::stdout();
        let _ = out
            .write_all(b"\x1b[J\x1b[?2004l\r\n")
            .and_then(|()| out.flush());
    }
}
