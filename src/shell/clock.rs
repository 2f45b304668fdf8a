//! The shell's clock: real time or virtual time, whichever was chosen.

use std::sync::Arc;
use std::time::Instant as RealInstant;

use super::wakeup::Wakeup;
use crate::time::{Clock, ClockKind, Instant, VirtualClock, Waited};

/// A clock that can be either kind, and whose waits end at Ctrl-C.
pub struct ShellClock {
    kind: ClockKind,
    started: RealInstant,
    virtual_clock: VirtualClock,
    wakeup: Arc<Wakeup>,
}

impl ShellClock {
    /// A clock of this kind that starts now.
    #[must_use]
    pub fn new(kind: ClockKind, wakeup: Arc<Wakeup>) -> Self {
        Self {
            kind,
            started: RealInstant::now(),
            virtual_clock: VirtualClock::default(),
            wakeup,
        }
    }
}

impl Clock for ShellClock {
    #[inline]
    fn now(&self) -> Instant {
        match self.kind {
            ClockKind::Virtual => self.virtual_clock.now(),
            ClockKind::Real => {
                let nanos = self.started.elapsed().as_nanos();
                Instant::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
            }
        }
    }

    fn wait_until(&mut self, until: Instant) -> Waited {
        if self.wakeup.is_interrupted() {
            return Waited::Interrupted;
        }
        if self.kind == ClockKind::Virtual {
            return self.virtual_clock.wait_until(until);
        }
        let until = self
            .started
            .checked_add(until.saturating_duration_since(Instant::START));
        match until.map(|until| self.wakeup.wait_until(until)) {
            Some(false) => Waited::Reached,
            Some(true) | None => Waited::Interrupted,
        }
    }

    fn kind(&self) -> ClockKind {
        self.kind
    }

    fn real(&self) -> Option<Box<dyn Clock>> {
        (self.kind == ClockKind::Real).then(|| {
            let clock = Self {
                wakeup: Arc::clone(&self.wakeup),
                ..*self
            };
            Box::new(clock) as Box<dyn Clock>
        })
    }

    fn switch(&mut self, kind: ClockKind) -> bool {
        *self = Self::new(kind, Arc::clone(&self.wakeup));
        true
    }
}
