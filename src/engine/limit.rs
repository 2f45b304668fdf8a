//! How long to wait at most.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a wait asks whether to stop.
pub(super) const SLICE: Duration = Duration::from_millis(50);

/// Whether to stop waiting: Ctrl-C.
pub type Stop = Arc<dyn Fn() -> bool + Send + Sync>;

/// How long to wait at most.
#[derive(Clone)]
pub struct Limit {
    /// The end of the wait.
    pub until: Instant,
    /// Whether to stop before it.
    pub stop: Stop,
}

impl Limit {
    /// So long from now on.
    #[must_use]
    pub fn after(time: Duration, stop: &Stop) -> Self {
        Self {
            until: Instant::now() + time,
            stop: Arc::clone(stop),
        }
    }

    /// The same limit, but at most so long from now on.
    #[must_use]
    pub fn at_most(&self, time: Duration) -> Self {
        Self {
            until: self.until.min(Instant::now() + time),
            stop: Arc::clone(&self.stop),
        }
    }

    /// What is left; `None` if nothing is.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        (!left.is_zero() && !(self.stop)()).then_some(left)
    }
}

/// Whether it is only that the time is over.
pub(super) fn is_pause(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}
