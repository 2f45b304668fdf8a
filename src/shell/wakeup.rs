//! What can end a wait: Ctrl-C, input from a pipe, or the time.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// Chunks of input that are read ahead.
const READ_AHEAD: usize = 4;
/// Bytes of one chunk.
const CHUNK: usize = 64 * 1024;

/// Shared by the thread that runs commands, the one that reads standard input, and the one that
/// gets signals.
#[derive(Default)]
pub struct Wakeup {
    interrupted: AtomicBool,
    /// Whether standard output cannot be written any more.
    is_cut_off: AtomicBool,
    inbox: Mutex<Inbox>,
    changed: Condvar,
}

#[derive(Default)]
struct Inbox {
    chunks: VecDeque<Vec<u8>>,
    end: Option<io::Result<()>>,
}

/// What came out of the inbox.
pub enum Received {
    /// Some input.
    Chunk(Vec<u8>),
    /// The end of input, or the error that ended it.
    End(io::Result<()>),
    /// Nothing yet.
    Empty,
}

impl Wakeup {
    /// Interrupts a wait, or the next one.
    pub fn interrupt(&self) {
        let _inbox = self.lock();
        self.interrupted.store(true, Ordering::SeqCst);
        self.changed.notify_all();
    }

    /// Whether to stop: there was an interrupt that was not taken, or standard output cannot be
    /// written any more.
    #[inline]
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed) || self.is_cut_off()
    }

    /// Whether standard output cannot be written any more: its reader is gone, or the disk is full.
    #[inline]
    pub fn is_cut_off(&self) -> bool {
        self.is_cut_off.load(Ordering::Relaxed)
    }

    /// Ends all waits from now on.
    pub fn cut_off(&self) {
        let _inbox = self.lock();
        self.is_cut_off.store(true, Ordering::SeqCst);
        self.changed.notify_all();
    }

    /// Takes an interrupt, if there was one.
    pub fn take_interrupt(&self) -> bool {
        self.interrupted.swap(false, Ordering::SeqCst)
    }

    /// Waits for an interrupt; `false` if `until` comes first.
    pub fn wait_until(&self, until: Instant) -> bool {
        self.wait(Some(until), |_| false);
        self.is_interrupted()
    }

    /// Waits for input or an interrupt, at most to `until`.
    pub fn wait_for_input(&self, until: Option<Instant>) {
        self.wait(until, |inbox| {
            !inbox.chunks.is_empty() || inbox.end.is_some()
        });
    }

    fn wait(&self, until: Option<Instant>, wanted: impl Fn(&Inbox) -> bool) {
        let mut inbox = self.lock();
        while !self.is_interrupted() && !wanted(&inbox) {
            let Some(until) = until else {
                inbox = self
                    .changed
                    .wait(inbox)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let woken = self.changed.wait_timeout(inbox, left);
            inbox = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes what the reading thread has read.
    pub fn receive(&self) -> Received {
        let mut inbox = self.lock();
        if let Some(chunk) = inbox.chunks.pop_front() {
            self.changed.notify_all();
            return Received::Chunk(chunk);
        }
        inbox.end.take().map_or(Received::Empty, Received::End)
    }

    /// Reads `input` on a thread of its own, so that waiting for it never holds up the time.
    pub fn read_ahead(self: &Arc<Self>, mut input: impl Read + Send + 'static) {
        let this = Arc::clone(self);
        thread::spawn(move || {
            loop {
                let mut chunk = vec![0; CHUNK];
                match input.read(&mut chunk) {
                    Ok(0) => return this.end(Ok(())),
                    Ok(len) => {
                        chunk.truncate(len);
                        this.deliver(chunk);
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return this.end(Err(error)),
                }
            }
        });
    }

    fn deliver(&self, chunk: Vec<u8>) {
        let mut inbox = self.lock();
        while inbox.chunks.len() >= READ_AHEAD {
            inbox = self
                .changed
                .wait(inbox)
                .unwrap_or_else(PoisonError::into_inner);
        }
        inbox.chunks.push_back(chunk);
        self.changed.notify_all();
    }

    fn end(&self, end: io::Result<()>) {
        self.lock().end = Some(end);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches standard output on a thread of its own, and ends every wait when its reader is gone
/// (`| head`): the program need not write anything to notice it.
pub fn watch_output(wakeup: &Arc<Wakeup>) {
    let wakeup = Arc::clone(wakeup);
    thread::spawn(move || {
        let stdout = io::stdout();
        let mut fds = [PollFd::new(&stdout, PollFlags::empty())];
        while let Err(error) = poll(&mut fds, None) {
            if error != Errno::INTR {
                return;
            }
        }
        let [fd] = fds;
        if fd.revents().intersects(PollFlags::ERR | PollFlags::HUP) {
            wakeup.cut_off();
        }
    });
}

/// Turns SIGINT into an interrupt from now on.
///
/// # Errors
/// If no handler can be installed.
pub fn catch_ctrl_c(wakeup: &Arc<Wakeup>) -> io::Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([signal_hook::consts::SIGINT])?;
    let wakeup = Arc::clone(wakeup);
    thread::spawn(move || signals.forever().for_each(|_| wakeup.interrupt()));
    Ok(())
}
