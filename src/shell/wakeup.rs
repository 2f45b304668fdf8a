//! What can end a wait: Ctrl-C, input from a pipe, or the time.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// Chunks of input that are read ahead.
const READ_AHEAD: usize = 4;
/// Bytes of one chunk.
const CHUNK: usize = 64 * 1024;

/// Shared by the thread that runs commands, those that read pipes, and the one that gets signals.
#[derive(Default)]
pub struct Wakeup {
    interrupted: AtomicBool,
    /// Whether standard output cannot be written any more.
    is_cut_off: AtomicBool,
    /// Whether a server that ran beside the shell has ended.
    is_service_over: AtomicBool,
    /// How often something has happened that the prompt did not do.
    pokes: AtomicU64,
    inboxes: Mutex<Inboxes>,
    changed: Condvar,
    /// What else to call then.
    on_poke: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

/// The inputs that are read ahead, by their numbers.
#[derive(Default)]
struct Inboxes {
    open: BTreeMap<u64, Inbox>,
    next: u64,
}

#[derive(Default)]
struct Inbox {
    chunks: VecDeque<Vec<u8>>,
    end: Option<io::Result<()>>,
}

/// The result of a read from the input queue.
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
        let _inboxes = self.lock();
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
        let _inboxes = self.lock();
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

    /// Something has happened that the prompt did not do. It ends [`Wakeup::wait_for_input`] and
    /// [`Wakeup::wait_for_pokes`].
    pub fn poke(&self) {
        let inboxes = self.lock();
        self.pokes.fetch_add(1, Ordering::SeqCst);
        self.changed.notify_all();
        drop(inboxes);
        if let Some(on_poke) = self.on_poke.get() {
            on_poke();
        }
    }

    /// What to call besides when something happens that the prompt did not do.
    pub fn on_poke(&self, action: impl Fn() + Send + Sync + 'static) {
        // The first one stays.
        let _ = self.on_poke.set(Box::new(action));
    }

    /// The server has ended, and so does the program.
    pub fn end_service(&self) {
        self.is_service_over.store(true, Ordering::SeqCst);
        self.interrupt();
        self.poke();
    }

    /// Whether the server has ended.
    pub fn is_service_over(&self) -> bool {
        self.is_service_over.load(Ordering::SeqCst)
    }

    /// Waits for an interrupt or for what the prompt did not do, at most to `until`.
    pub fn wait_for_pokes(&self, until: Option<Instant>) {
        let pokes = self.pokes.load(Ordering::SeqCst);
        self.wait(until, |_| self.pokes.load(Ordering::SeqCst) != pokes);
    }

    /// Waits for input, an interrupt or what the prompt did not do, at most to `until`.
    pub fn wait_for_input(&self, input: u64, until: Option<Instant>) {
        let pokes = self.pokes.load(Ordering::SeqCst);
        self.wait(until, |inboxes| {
            if self.pokes.load(Ordering::SeqCst) != pokes {
                return true;
            }
            let inbox = inboxes.open.get(&input);
            inbox.is_none_or(|inbox| !inbox.chunks.is_empty() || inbox.end.is_some())
        });
    }

    fn wait(&self, until: Option<Instant>, wanted: impl Fn(&Inboxes) -> bool) {
        let mut inboxes = self.lock();
        while !self.is_interrupted() && !wanted(&inboxes) {
            let Some(until) = until else {
                inboxes = self
                    .changed
                    .wait(inboxes)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let woken = self.changed.wait_timeout(inboxes, left);
            inboxes = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes what was read ahead of an input. After its end the input has no more.
    pub fn receive(&self, input: u64) -> Received {
        let mut inboxes = self.lock();
        let Some(inbox) = inboxes.open.get_mut(&input) else {
            return Received::End(Ok(()));
        };
        if let Some(chunk) = inbox.chunks.pop_front() {
            self.changed.notify_all();
            return Received::Chunk(chunk);
        }
        match inbox.end.take() {
            None => Received::Empty,
            Some(end) => {
                inboxes.open.remove(&input);
                Received::End(end)
            }
        }
    }

    /// Opens and reads an input on a thread of its own, so that waiting for it never holds up the
    /// time. Returns its number.
    pub fn read_ahead<R: Read>(
        self: &Arc<Self>,
        open: impl FnOnce() -> io::Result<R> + Send + 'static,
    ) -> u64 {
        let number = {
            let mut inboxes = self.lock();
            inboxes.next += 1;
            let number = inboxes.next;
            inboxes.open.insert(number, Inbox::default());
            number
        };
        let this = Arc::clone(self);
        thread::spawn(move || {
            let read = open().and_then(|input| this.read(number, input));
            this.end(number, read);
        });
        number
    }

    /// No longer wants an input: its thread ends with its next read.
    pub fn close(&self, input: u64) {
        self.lock().open.remove(&input);
        self.changed.notify_all();
    }

    fn read(&self, number: u64, mut input: impl Read) -> io::Result<()> {
        loop {
            let mut chunk = vec![0; CHUNK];
            match input.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(len) => {
                    chunk.truncate(len);
                    if !self.deliver(number, chunk) {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns whether the input is still wanted.
    fn deliver(&self, number: u64, chunk: Vec<u8>) -> bool {
        let mut inboxes = self.lock();
        loop {
            let Some(inbox) = inboxes.open.get_mut(&number) else {
                return false;
            };
            if inbox.chunks.len() < READ_AHEAD {
                inbox.chunks.push_back(chunk);
                self.changed.notify_all();
                return true;
            }
            let woken = self.changed.wait(inboxes);
            inboxes = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn end(&self, number: u64, end: io::Result<()>) {
        if let Some(inbox) = self.lock().open.get_mut(&number) {
            inbox.end = Some(end);
        }
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Inboxes> {
        self.inboxes.lock().unwrap_or_else(PoisonError::into_inner)
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

/// From now on, SIGTERM ends the server and so the program.
///
/// # Errors
/// If no handler can be installed.
pub fn catch_terminate(wakeup: &Arc<Wakeup>) -> io::Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([signal_hook::consts::SIGTERM])?;
    let wakeup = Arc::clone(wakeup);
    thread::spawn(move || signals.forever().for_each(|_| wakeup.end_service()));
    Ok(())
}
