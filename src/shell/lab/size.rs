//! The sizes of caches as `compare` takes them.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "a part of a number is no larger"
)]

use std::fmt;
use std::str::FromStr;

use crate::language::size;
use crate::replay::Unit;

/// What each node holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Size {
    /// A number of objects.
    Objects(u64),
    /// A number of bytes.
    Bytes(u64),
    /// This percentage of the trace's objects or bytes.
    Share(f64),
}

impl Size {
    /// The unit; `by` is what shares are of.
    pub fn unit(self, by: Unit) -> Unit {
        match self {
            Self::Objects(_) => Unit::Objects,
            Self::Bytes(_) => Unit::Bytes,
            Self::Share(_) => by,
        }
    }

    /// The size in its unit; shares are of `whole`, rounded down, at least 1.
    ///
    /// # Errors
    /// If it is zero.
    pub fn resolve(self, whole: u64) -> Result<u64, String> {
        match self {
            Self::Objects(0) | Self::Bytes(0) => Err("a cache of size 0 holds nothing".into()),
            Self::Objects(size) | Self::Bytes(size) => Ok(size),
            Self::Share(percent) => Ok(((whole as f64 * percent / 100.0) as u64).max(1)),
        }
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(percent) = text.strip_suffix('%') {
            let share = percent.trim().parse::<f64>().ok();
            return share
                .filter(|percent| *percent > 0.0 && *percent <= 100.0)
                .map(Self::Share)
                .ok_or_else(|| {
                    format!("{text} is not a share: use more than 0% and at most 100%")
                });
        }
        if let Ok(objects) = text.parse() {
            return Ok(Self::Objects(objects));
        }
        let bytes = size::parse(text).map_err(|_| {
            format!("{text} is no size: use objects (1000), bytes (64MiB, 1000B) or a share (5%)")
        })?;
        Ok(Self::Bytes(bytes))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Objects(objects) => write!(f, "{objects}"),
            Self::Bytes(bytes) => write!(f, "{bytes}B"),
            Self::Share(percent) => write!(f, "{percent}%"),
        }
    }
}
