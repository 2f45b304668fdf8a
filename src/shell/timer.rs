//! Tells what happens while somebody is typing.
//!
//! Two threads. One sleeps until the session's next deadline, does what is due, and sends the notices
//! on without ever waiting for anybody. The other hands them to the line editor, which prints them
//! above the line being edited; that call can block until the editor is back at its prompt, and
//! so it must not be made while the session is locked.

use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustyline::ExternalPrinter;

use super::runner::{Manners, Tells};
use crate::render;
use crate::session::Session;
use crate::time::ClockKind;

/// A session that the prompt and the timer share.
pub struct SharedSession {
    session: Mutex<Session>,
    changed: Condvar,
    /// Which events are to be told.
    tells: Mutex<Tells>,
}

impl SharedSession {
    pub fn new(session: Session, tells: Tells) -> Self {
        Self {
            session: Mutex::new(session),
            changed: Condvar::new(),
            tells: Mutex::new(tells),
        }
    }

    /// The session, for as long as the guard lives. The timer waits meanwhile.
    pub fn lock(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the timer look again: the next deadline may be another now.
    pub fn wake_timer(&self, tells: Tells) {
        *self.tells.lock().unwrap_or_else(PoisonError::into_inner) = tells;
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

fn keep_time(shared: &SharedSession, manners: Manners, notices: &Sender<String>) {
    let mut session = shared.lock();
    loop {
        let now = session.now();
        let next = session.next_deadline();
        let real = session.clock().kind() == ClockKind::Real;
        session = match next.filter(|_| real) {
            None => {
                let woken = shared.changed.wait(session);
                woken.unwrap_or_else(PoisonError::into_inner)
            }
            Some(next) if next > now => {
                let woken = shared.changed.wait_timeout(session, next.since(now));
                woken.unwrap_or_else(PoisonError::into_inner).0
            }
            Some(_) => {
                let mut text = Vec::new();
                let tells = *shared.tells.lock().unwrap_or_else(PoisonError::into_inner);
                session.tick(now, |event| {
                    if tells.wants(event) {
                        render::event(manners.format, manners.out, event, &mut text);
                    }
                });
                let text = String::from_utf8_lossy(&text).into_owned();
                if !text.is_empty() && notices.send(text).is_err() {
                    return;
                }
                session
            }
        };
    }
}
