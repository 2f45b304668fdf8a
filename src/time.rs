//! Time as an argument: instants on the cluster's own axis, and the clocks that hand them out.
//!
//! The core never asks what time it is. It is told, and it answers when it next needs to be told
//! again. That is what makes an hour of expiry cost microseconds under a [`VirtualClock`].

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A point in time: nanoseconds since the cluster's start.
///
/// The range is 584 years; every sum is checked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

/// The longest TTL, and the longest single sleep: 100 years of 365.25 days.
pub const MAX_DURATION: Duration = Duration::from_hours(100 * 8_766);

impl Instant {
    /// The moment at which the cluster was made.
    pub const START: Self = Self(0);
    /// The end of the axis, later than any deadline.
    pub const MAX: Self = Self(u64::MAX);

    /// The instant `nanos` nanoseconds after the start.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The instant `millis` milliseconds after the start, or [`Instant::MAX`] beyond the axis.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the start.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the start, rounded down.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The instant `duration` later, as a deadline. This is the one place where deadlines are made.
    ///
    /// ```
    /// use std::time::Duration;
    /// use shardlab::time::{Instant, TimeError};
    ///
    /// let deadline = Instant::START.after(Duration::from_millis(1500))?;
    /// assert_eq!(deadline.to_string(), "1s500ms");
    /// assert_eq!(deadline.after(Duration::ZERO), Err(TimeError::Zero));
    /// # Ok::<(), TimeError>(())
    /// ```
    ///
    /// # Errors
    /// [`TimeError`] if `duration` is zero, longer than [`MAX_DURATION`], or leads past the end
    /// of the axis.
    pub fn after(self, duration: Duration) -> Result<Self, TimeError> {
        if duration.is_zero() {
            return Err(TimeError::Zero);
        }
        if duration > MAX_DURATION {
            return Err(TimeError::TooLong);
        }
        let at = self.checked_add(duration);
        at.filter(|&at| at < Self::MAX).ok_or(TimeError::EndOfAxis)
    }

    /// The instant `duration` later; `None` beyond the axis.
    #[must_use]
    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.0.checked_add(nanos).map(Self)
    }

    /// The instant `duration` earlier; `None` before the start.
    #[must_use]
    pub fn checked_sub(self, duration: Duration) -> Option<Self> {
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.0.checked_sub(nanos).map(Self)
    }

    /// The instant `duration` later, or [`Instant::MAX`] beyond the axis: for what may arrive late
    /// or never, and for no deadline.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        self.checked_add(duration).unwrap_or(Self::MAX)
    }

    /// The instant `duration` earlier, or [`Instant::START`] before it.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        self.checked_sub(duration).unwrap_or(Self::START)
    }

    /// How long it is from `earlier` to this instant; `None` if `earlier` is later.
    #[must_use]
    pub fn checked_duration_since(self, earlier: Self) -> Option<Duration> {
        self.0.checked_sub(earlier.0).map(Duration::from_nanos)
    }

    /// How long it is from `earlier` to this instant; zero if `earlier` is later.
    #[must_use]
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// The time since the start: `1s500ms`.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Compact(self.saturating_duration_since(Self::START)).fmt(f)
    }
}

/// As [`fmt::Display`].
impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A duration as one word, which can be typed without quotes: `1h30m`, `1s500ms`, `20ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compact(pub Duration);

impl fmt::Display for Compact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = humantime::format_duration(self.0).to_string();
        text.split(' ').try_for_each(|part| f.write_str(part))
    }
}

/// Why no deadline could be made of a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeError {
    /// A TTL of nothing.
    #[error("the time must be longer than zero")]
    Zero,
    /// Longer than [`MAX_DURATION`].
    #[error("the time is too long: at most 100 years")]
    TooLong,
    /// The clock itself would pass its last instant.
    #[error("the clock would pass its end, 584 years after the start")]
    EndOfAxis,
}

/// Which of the two kinds of time a [`Clock`] keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockKind {
    /// Seconds are seconds.
    Real,
    /// Time stands still, and jumps when a command sleeps.
    Virtual,
}

impl fmt::Display for ClockKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Real => "real",
            Self::Virtual => "virtual",
        })
    }
}

impl ClockKind {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::Real, Self::Virtual];
}

/// The error of parsing a [`ClockKind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a clock is real or virtual")]
pub struct UnknownClock;

impl FromStr for ClockKind {
    type Err = UnknownClock;

    fn from_str(name: &str) -> Result<Self, UnknownClock> {
        Self::ALL
            .into_iter()
            .find(|kind| name.eq_ignore_ascii_case(&kind.to_string()))
            .ok_or(UnknownClock)
    }
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// The instant was reached.
    Reached,
    /// An interrupt (Ctrl-C) ended the wait early.
    Interrupted,
}

/// A source of instants.
pub trait Clock: Send {
    /// The present. Never earlier than an answer before.
    fn now(&self) -> Instant;

    /// Lets time pass until `until`; at once if that has passed.
    fn wait_until(&mut self, until: Instant) -> Waited;

    /// Which kind of time this is.
    fn kind(&self) -> ClockKind;

    /// Another clock that shows the same real time, so that one thread can wait while another reads
    /// this one; `None` for virtual time.
    fn real(&self) -> Option<Box<dyn Clock>> {
        None
    }

    /// Starts again from [`Instant::START`] with time of another kind. `false` if this clock
    /// cannot do that.
    fn switch(&mut self, kind: ClockKind) -> bool {
        kind == self.kind()
    }
}

/// A clock that moves only when it is told to.
///
/// ```
/// use shardlab::time::{Clock, Instant, VirtualClock};
///
/// let mut clock = VirtualClock::default();
/// clock.wait_until(Instant::from_millis(3_600_000)); // an hour, at once
/// assert_eq!(clock.now().as_millis(), 3_600_000);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct VirtualClock {
    now: Instant,
}

impl Clock for VirtualClock {
    fn now(&self) -> Instant {
        self.now
    }

    fn wait_until(&mut self, until: Instant) -> Waited {
        self.now = self.now.max(until);
        Waited::Reached
    }

    fn kind(&self) -> ClockKind {
        ClockKind::Virtual
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_are_made_or_refused_and_never_overflow() {
        let start = Instant::START;
        assert_eq!(start.after(Duration::ZERO), Err(TimeError::Zero));
        assert_eq!(
            start.after(Duration::from_nanos(1)),
            Ok(Instant::from_nanos(1))
        );
        assert!(start.after(MAX_DURATION).is_ok());
        let over = MAX_DURATION + Duration::from_nanos(1);
        assert_eq!(start.after(over), Err(TimeError::TooLong));
        assert_eq!(start.after(Duration::MAX), Err(TimeError::TooLong));
        let last = Instant::from_nanos(u64::MAX - 1);
        let step = Duration::from_nanos(1);
        assert_eq!(last.after(step), Err(TimeError::EndOfAxis));
        let before = Instant::from_nanos(u64::MAX - 2);
        assert_eq!(before.after(step), Ok(last));
        assert_eq!(before.saturating_add(step), last);
        assert_eq!(last.checked_sub(step), Some(before));
        assert_eq!(start.checked_sub(step), None);
        assert_eq!(start.saturating_sub(Duration::MAX), start);
        assert_eq!(last.checked_add(step), Some(Instant::MAX));
        assert_eq!(Instant::MAX.checked_add(step), None);
        assert_eq!(last.checked_duration_since(before), Some(step));
        assert_eq!(before.checked_duration_since(last), None);
        assert_eq!(before.saturating_duration_since(last), Duration::ZERO);
        assert_eq!(before.saturating_add(Duration::MAX), Instant::MAX);
        assert_eq!(start.saturating_add(Duration::ZERO), start);
    }
}
