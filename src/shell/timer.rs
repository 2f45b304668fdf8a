//! What happens while a line is typed.
//!
//! Two threads. One sleeps until the session's next deadline, does what is due, and sends the notices
//! on without ever waiting. The other hands them to the line editor, which prints them above the line
//! being edited; that call can block until the editor is back at its prompt, and so it must not be
//! made while the session is locked.

use std::ops::{Deref, DerefMut};
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use rustyline::ExternalPrinter;

use super::notices::Notices;
use super::printer::{Manners, NoticeLevel, lock};
use super::terminal;
use crate::render;
use crate::session::{LocalSession, Notice, Observer};
use crate::time::ClockKind;

/// How many texts wait for the line editor. What does not fit is counted.
const MAX_TEXTS: usize = 256;

/// A session that the prompt and the timer share.
pub struct SharedSession {
    session: Mutex<LocalSession>,
    changed: Condvar,
    /// Which events are printed.
    level: Mutex<NoticeLevel>,
    /// The notices that are held back.
    notices: Arc<Mutex<Notices>>,
}

impl SharedSession {
    pub fn new(session: LocalSession, level: NoticeLevel, notices: Arc<Mutex<Notices>>) -> Self {
        Self {
            session: Mutex::new(session),
            changed: Condvar::new(),
            level: Mutex::new(level),
            notices,
        }
    }

    /// The session with its world, for as long as the guard lives. The timer waits meanwhile.
    pub fn lock(&self) -> Locked<'_> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.world.lock();
        Locked(session)
    }

    /// Lets the timer look for what a server has done.
    pub fn wake(&self) {
        self.changed.notify_all();
    }

    /// Lets the timer look again: the next deadline may be another now.
    pub fn wake_timer(&self, level: NoticeLevel) {
        *self.level.lock().unwrap_or_else(PoisonError::into_inner) = level;
        self.changed.notify_all();
    }

    fn level(&self) -> NoticeLevel {
        *self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session whose world is here.
pub struct Locked<'a>(MutexGuard<'a, LocalSession>);

impl Deref for Locked<'_> {
    type Target = LocalSession;

    fn deref(&self) -> &LocalSession {
        &self.0
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut LocalSession {
        &mut self.0
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.0.world.unlock();
    }
}

/// Starts the two threads.
pub fn start(
    shared: Arc<SharedSession>,
    manners: Manners,
    mut printer: impl ExternalPrinter + Send + 'static,
) {
    let (sender, texts) = mpsc::sync_channel::<String>(MAX_TEXTS);
    thread::spawn(move || texts.iter().try_for_each(|text| printer.print(text)));
    thread::spawn(move || keep_time(&shared, manners, &sender));
}

fn keep_time(shared: &SharedSession, manners: Manners, sender: &SyncSender<String>) {
    let mut session = shared
        .session
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let mut dropped = 0;
    loop {
        session.world.lock();
        let next = next_wake(shared, &mut session);
        let now = Instant::now();
        if next.is_some_and(|next| next <= now) || session.session.is_behind(&session.world) {
            let text = text_of(shared, &mut session, manners, dropped);
            dropped = match send(sender, text, dropped) {
                Some(dropped) => dropped,
                None => return session.world.unlock(),
            };
            continue;
        }
        session.world.unlock();
        session = if let Some(next) = next {
            let woken = shared.changed.wait_timeout(session, next - now);
            woken.unwrap_or_else(PoisonError::into_inner).0
        } else {
            let woken = shared.changed.wait(session);
            woken.unwrap_or_else(PoisonError::into_inner)
        };
    }
}

/// The instant of real time at which the timer must wake: for the next deadline on the real clock, or to
/// print notices that are held back.
fn next_wake(shared: &SharedSession, session: &mut LocalSession) -> Option<Instant> {
    let world = &mut session.world;
    let is_real = world.clock.kind() == ClockKind::Real;
    let deadline = world.next_deadline().filter(|_| is_real);
    let left = deadline.map(|deadline| deadline.saturating_duration_since(world.now()));
    let deadline = left.and_then(|left| Instant::now().checked_add(left));
    deadline
        .into_iter()
        .chain(lock(&shared.notices).due())
        .min()
}

/// Runs the timers that are due. Returns the notices to print.
fn text_of(
    shared: &SharedSession,
    session: &mut LocalSession,
    mut manners: Manners,
    dropped: u64,
) -> String {
    manners.out.width = terminal::columns();
    let mut text = Text {
        manners,
        level: shared.level(),
        notices: &shared.notices,
        bytes: Vec::new(),
    };
    if dropped > 0 {
        render::missed(manners.format, manners.out, dropped, &mut text.bytes);
    }
    let LocalSession { world, session } = session;
    if world.clock.kind() == ClockKind::Real {
        let now = world.now();
        session.tick(world, now, &mut text);
    }
    // What a server has done.
    session.hand_on(world, &mut text);
    lock(&shared.notices).take(Instant::now(), manners.out, &mut text.bytes);
    String::from_utf8_lossy(&text.bytes).into_owned()
}

/// Sends a text to the editor, unless too many wait. Returns how many of its lines and of those before it were
/// dropped; `None` if the editor is gone.
fn send(sender: &SyncSender<String>, text: String, dropped: u64) -> Option<u64> {
    if text.is_empty() {
        return Some(dropped);
    }
    match sender.try_send(text) {
        Ok(()) => Some(0),
        Err(TrySendError::Full(text)) => {
            // One of them counts those before.
            let lines = text.lines().count() as u64 - u64::from(dropped > 0);
            Some(dropped + lines)
        }
        Err(TrySendError::Disconnected(_)) => None,
    }
}

/// Collects what is printed as text.
struct Text<'a> {
    manners: Manners,
    level: NoticeLevel,
    notices: &'a Mutex<Notices>,
    bytes: Vec<u8>,
}

impl Observer for Text<'_> {
    fn notice(&mut self, notice: Notice<'_>) {
        let Manners { format, out, .. } = self.manners;
        match notice {
            Notice::Event(event) if self.level.wants(event) => {
                if self.manners.condenses(self.level) {
                    lock(self.notices).add(event);
                } else {
                    render::event(format, out, event, &mut self.bytes);
                }
            }
            Notice::Missed(count) if self.level != NoticeLevel::Nothing => {
                render::missed(format, out, count, &mut self.bytes);
            }
            Notice::Event(_) | Notice::Missed(_) => {}
            Notice::Reply { client, tag, reply } => {
                let outcome = render::LineOutcome {
                    line: render::CommandLine {
                        command: Some(tag.command),
                        file: tag.file.as_deref(),
                        line: tag.line,
                    },
                    result: reply.as_ref(),
                };
                render::client_outcome(format, out, client, outcome, &mut self.bytes);
            }
        }
    }
}
