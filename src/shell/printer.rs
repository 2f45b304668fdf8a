//! What is printed while a command runs: events, and progress.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::notices::Notices;
use super::output::Output;
use super::wakeup::Wakeup;
use crate::event::{Event, EventKind};
use crate::language::Error;
use crate::render::{self, Format, Style};
use crate::reply::Reply;
use crate::session::{Notice, Observer, Tag};

/// How long work goes on before it says how far it has come.
const FIRST_PROGRESS: Duration = Duration::from_millis(300);
/// How long until it says so again.
const NEXT_PROGRESS: Duration = Duration::from_millis(100);

/// How lines are run and answers are shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manners {
    /// The rendering of replies.
    pub format: Format,
    /// How standard output is to look.
    pub out: Style,
    /// How standard error is to look.
    pub err: Style,
    /// Stop at the first error.
    pub bail: bool,
    /// Print each line before its output.
    pub echo: bool,
    /// Print no notices and no acknowledgements.
    pub quiet: bool,
    /// The seed of what is drawn at random.
    pub seed: u64,
    /// Whether the terminal can move its cursor: TERM is not dumb.
    pub can_redraw: bool,
}

impl Manners {
    /// JSON, for programs.
    pub fn json() -> Self {
        Self {
            format: Format::Json,
            out: Style::default(),
            err: Style::default(),
            bail: false,
            echo: false,
            quiet: true,
            can_redraw: false,
            seed: 0,
        }
    }

    /// Whether many notices are counted. Programs read JSON, and MONITOR asks for each event.
    pub fn condenses(self, level: NoticeLevel) -> bool {
        self.out.interactive && self.format != Format::Json && level == NoticeLevel::Expiries
    }
}

/// Which events are printed as they happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeLevel {
    /// With `--quiet`.
    Nothing,
    /// What a client should know without asking: keys that expire or are lost.
    Expiries,
    /// With MONITOR.
    All,
}

impl NoticeLevel {
    /// Whether this one is printed.
    #[must_use]
    pub fn wants(self, event: &Event) -> bool {
        match self {
            Self::Nothing => false,
            Self::Expiries => matches!(event.kind, EventKind::Expired | EventKind::Lost),
            Self::All => true,
        }
    }
}

/// A client, the tag of its command, and the reply.
pub type ClientReply = (u32, Tag, Result<Reply<'static>, Error>);

/// Prints while a command takes time.
pub struct Printer<'r> {
    pub out: &'r mut Output,
    pub manners: &'r Manners,
    pub notices: NoticeLevel,
    pub wakeup: &'r Wakeup,
    pub is_real: bool,
    pub progress: Progress,
    pub replies: &'r mut Vec<ClientReply>,
    /// At a terminal, what condenses the notices.
    pub condenser: Option<&'r Mutex<Notices>>,
}

impl Observer for Printer<'_> {
    #[inline]
    fn notice(&mut self, notice: Notice<'_>) {
        let Manners { format, out, .. } = *self.manners;
        match notice {
            Notice::Event(event) if self.notices.wants(event) => {
                let condenses = self.manners.condenses(self.notices);
                match self.condenser.filter(|_| condenses) {
                    Some(notices) => lock(notices).add(event),
                    None => render::event(format, out, event, self.out.notices()),
                }
            }
            Notice::Missed(count) if self.notices != NoticeLevel::Nothing => {
                render::missed(format, out, count, self.out.notices());
            }
            Notice::Event(_) | Notice::Missed(_) => {}
            Notice::Reply { client, tag, reply } => self.replies.push((client, tag, reply)),
        }
        self.out.settle();
    }

    /// On the virtual clock nothing waits, so nothing is flushed early. Nothing waits either where
    /// what was printed cannot be written.
    fn before_wait(&mut self) {
        if self.is_real {
            self.print_notices();
            self.out.flush();
            if self.out.broken().is_some() {
                self.wakeup.cut_off();
            }
        }
    }

    fn progress(&mut self, status: &dyn Fn() -> String) -> bool {
        let is_shown = self.manners.can_redraw && !self.manners.quiet;
        if is_shown && self.progress.is_due() {
            self.out.status(&status());
        }
        !self.wakeup.is_interrupted()
    }
}

impl Printer<'_> {
    /// Prints the notices that were held back, if they may be.
    pub fn print_notices(&mut self) {
        if let Some(notices) = self.condenser {
            lock(notices).take(Instant::now(), self.manners.out, self.out.notices());
        }
    }
}

/// The notices that the prompt and the timer share.
pub fn lock(notices: &Mutex<Notices>) -> MutexGuard<'_, Notices> {
    notices.lock().unwrap_or_else(PoisonError::into_inner)
}

/// When a long command prints its progress: after a while, and then at intervals. The time is real,
/// whatever the cluster's clock.
#[derive(Default)]
pub struct Progress {
    due: Option<Instant>,
}

impl Progress {
    fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let due = *self.due.get_or_insert(now + FIRST_PROGRESS);
        if now >= due {
            self.due = Some(now + NEXT_PROGRESS);
        }
        now >= due
    }
}
