//! SHARDLAB: lines that clients send to the shell.
//!
//! A thread of its own runs them one after the other, as the prompt would. So a line that waits holds
//! no client up, and the world is free while it waits.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use mio::Waker;

/// A line that a client has sent.
pub(super) struct Line {
    pub client: u32,
    pub line: Vec<u8>,
}

/// What the thread that serves the clients is told.
pub(super) enum Told {
    /// The reply to a line of a client: JSON, or an error.
    Reply(u32, Result<Vec<u8>, String>),
    /// To say when the sockets have followed all changes of the cluster so far.
    Settle(Sender<()>),
}

/// Runs lines of the shell.
pub trait Shell: Send {
    /// Runs a line. Returns its reply as JSON.
    ///
    /// # Errors
    /// Why it failed, in one sentence.
    fn run(&mut self, line: &[u8]) -> Result<Vec<u8>, String>;
}

/// Runs lines until no server sends any.
pub(super) fn drive(
    mut shell: Box<dyn Shell>,
    lines: &Receiver<Line>,
    replies: &Sender<Told>,
    waker: &Arc<Waker>,
) {
    for Line { client, line } in lines {
        let reply = shell.run(&line);
        if replies.send(Told::Reply(client, reply)).is_err() {
            return;
        }
        // If the server is gone, so is the client.
        let _ = waker.wake();
    }
}
