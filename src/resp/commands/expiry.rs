//! The options that say when a key expires.

use super::Words;
use super::args::{integer, is};
use crate::resp::call::Context;
use crate::resp::value::Failure;
use crate::time::Instant;

/// When a key expires from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// The option is not given.
    Default,
    /// Never.
    Never,
    /// As before.
    Keep,
    /// At the time that the argument at this place spells, which is not read yet.
    Written(Scale, usize),
    /// At this instant. It may be over.
    At(Instant),
}

impl Expiry {
    /// Reads the number, if there is one. Redis does that after it has read all options.
    pub fn read(self, cx: &Context, words: &Words) -> Result<Self, Failure> {
        match self {
            Self::Written(scale, index) => positive(cx, words, index, scale).map(Self::At),
            other => Ok(other),
        }
    }
}

/// The unit and the origin of a number of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Milliseconds of one unit.
    pub millis: i64,
    /// Whether the number counts from 1970, not from now.
    pub is_absolute: bool,
}

impl Scale {
    /// The scale that an option word stands for.
    pub fn of(word: &[u8]) -> Option<Self> {
        let scales = [
            ("EX", 1000, false),
            ("PX", 1, false),
            ("EXAT", 1000, true),
            ("PXAT", 1, true),
        ];
        let scale = scales.iter().find(|(name, ..)| is(word, name))?;
        Some(Self {
            millis: scale.1,
            is_absolute: scale.2,
        })
    }

    /// The scale of a command of the EXPIRE family.
    pub fn of_command(name: &str) -> Self {
        Self {
            millis: if name.starts_with('p') { 1 } else { 1000 },
            is_absolute: name.ends_with("at"),
        }
    }

    /// The instant that a number on this scale is; [`Instant::START`] if that is in the past of the
    /// cluster.
    pub fn instant(self, cx: &Context, number: i64, name: &str) -> Result<Instant, Failure> {
        let invalid = || Failure::new(format!("ERR invalid expire time in '{name}' command"));
        let millis = number.checked_mul(self.millis).ok_or_else(invalid)?;
        if self.is_absolute {
            return cx.instant(millis).ok_or_else(invalid);
        }
        // A TTL starts now, to the nanosecond.
        let nanos = i128::from(millis) * 1_000_000 + i128::from(cx.now().as_nanos());
        let nanos = u64::try_from(nanos.max(0)).map_err(|_| invalid())?;
        Some(Instant::from_nanos(nanos))
            .filter(|&at| at < Instant::MAX)
            .ok_or_else(invalid)
    }
}

/// Reads a number that follows an option word; it must be positive.
pub fn positive(
    cx: &Context,
    words: &Words,
    index: usize,
    scale: Scale,
) -> Result<Instant, Failure> {
    let name = words.name();
    let number = integer(words, index)?;
    if number <= 0 {
        return Err(Failure::new(format!(
            "ERR invalid expire time in '{name}' command"
        )));
    }
    scale.instant(cx, number, &name)
}
