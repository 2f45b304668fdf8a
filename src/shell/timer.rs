//! `NoticeLevel` what happens while somebody is typing.
//!
//! Two threads. One sleeps until the session's next deadline, does what is due, and sends the notices
//! on without ever waiting for anybody. The other hands them to the line editor, which prints them
//! above the line being edited; that call can block until the editor is back at its prompt, and
//! so it must not be made while the session is locked.

use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustyline::ExternalPrinter;

use super::printer::{Manners, NoticeLevel};
use crate::render;
use crate::session::{LocalSession, Notice, Observer};
use crate::time::ClockKind;

/// A session that the prompt and the timer share.
pub struct SharedSession {
    session: Mutex<LocalSession>,
    changed: Condvar,
    /// Which events are to be told.
    notices: Mutex<NoticeLevel>,
}

impl SharedSession {
    pub fn new(session: LocalSession, notices: NoticeLevel) -> Self {
        Self {
            session: Mutex::new(session),
            changed: Condvar::new(),
            notices: Mutex::new(notices),
        }
    }

    /// The session, for as long as the guard lives. The timer waits meanwhile.
    pub fn lock(&self) -> MutexGuard<'_, LocalSession> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the timer look again: the next deadline may be another now.
    pub fn wake_timer(&self, notices: NoticeLevel) {
        *self.notices.lock().unwrap_or_else(PoisonError::into_inner) = notices;
        self.changed.notify_all();
    }
}

/// Starts the two threads.
pub fn start(
    shared: Arc<SharedSession>,
    manners: Manners,
    mut printer: impl ExternalPrinter + Send + 'static,
) {
    let (sender, notices) = mpsc::channel::<String>();
    thread::spawn(move || notices.iter().try_for_each(|notice| printer.print(notice)));
    thread::spawn(move || keep_time(&shared, manners, &sender));
}

fn keep_time(shared: &SharedSession, manners: Manners, sender: &Sender<String>) {
    let mut session = shared.lock();
    loop {
        let now = session.world.now();
        let next = session.world.next_deadline();
        let real = session.world.clock.kind() == ClockKind::Real;
        session = match next.filter(|_| real) {
            None => {
                let woken = shared.changed.wait(session);
                woken.unwrap_or_else(PoisonError::into_inner)
            }
            Some(next) if next > now => {
                let woken = shared
                    .changed
                    .wait_timeout(session, next.saturating_duration_since(now));
                woken.unwrap_or_else(PoisonError::into_inner).0
            }
            Some(_) => {
                let notices = *shared
                    .notices
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                let mut text = Text {
                    manners,
                    notices,
                    bytes: Vec::new(),
                };
                let LocalSession { world, session: it } = &mut *session;
                it.tick(world, now, &mut text);
                let text = String::from_utf8_lossy(&text.bytes).into_owned();
                if !text.is_empty() && sender.send(text).is_err() {
                    return;
                }
                session
            }
        };
    }
}

/// Collects notices as text.
struct Text {
    manners: Manners,
    notices: NoticeLevel,
    bytes: Vec<u8>,
}

impl Observer for Text {
    fn notice(&mut self, notice: Notice<'_>) {
        let Manners { format, out, .. } = self.manners;
        match notice {
            Notice::Event(event) if self.notices.wants(event) => {
                render::event(format, out, event, &mut self.bytes);
            }
            Notice::Missed(count) if self.notices != NoticeLevel::Nothing => {
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
