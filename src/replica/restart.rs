//! The names of the ways in which a node comes back.

use std::fmt;
use std::str::FromStr;

use super::Restart;

impl Restart {
    /// All, the default first.
    pub const ALL: [Self; 4] = [Self::Resync, Self::Hints, Self::Cold, Self::Stale];

    /// One line of what it does.
    #[must_use]
    pub fn summary(self) -> &'static str {
        match self {
            Self::Resync => "Empty; it serves when it has merged what its peers have.",
            Self::Hints => {
                "Empty; it serves at once, and its peers send what they could not deliver."
            }
            Self::Cold => "Empty; it serves at once.",
            Self::Stale => "As it was when it crashed; it serves at once.",
        }
    }
}

impl fmt::Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resync => "resync",
            Self::Hints => "hints",
            Self::Cold => "cold",
            Self::Stale => "stale",
        })
    }
}

/// The error of parsing a [`Restart`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a node restarts in one of the ways resync, hints, cold, stale")]
pub struct UnknownRestart;

impl FromStr for Restart {
    type Err = UnknownRestart;

    fn from_str(name: &str) -> Result<Self, UnknownRestart> {
        let mut all = Self::ALL.into_iter();
        all.find(|how| name == how.to_string())
            .ok_or(UnknownRestart)
    }
}
