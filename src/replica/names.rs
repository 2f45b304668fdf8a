//! The words for ways of coming back and for injected bugs: in scripts, in flags and in reports.

use std::fmt;
use std::str::FromStr;

use super::{InjectedBug, Restart};

impl Restart {
    /// All ways of coming back, the best first.
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
#[error("a node comes back by resync, hints, cold or stale")]
pub struct UnknownRestart;

impl FromStr for Restart {
    type Err = UnknownRestart;

    fn from_str(name: &str) -> Result<Self, UnknownRestart> {
        let named = |it: &Self| name.eq_ignore_ascii_case(&it.to_string());
        Self::ALL.into_iter().find(named).ok_or(UnknownRestart)
    }
}

impl InjectedBug {
    /// All bugs that can be injected.
    pub const ALL: [Self; 13] = [
        Self::CountedAcks,
        Self::NoReplication,
        Self::RelativeTtl,
        Self::NoTombstones,
        Self::EarlyTombstones,
        Self::LateDeadline,
        Self::LostHints,
        Self::NewOwnersOnly,
        Self::RefusedDeletes,
        Self::MoveEvicts,
        Self::MoveDrops,
        Self::EarlyCopies,
        Self::LookTouches,
    ];
}

impl fmt::Display for InjectedBug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CountedAcks => "counted-acks",
            Self::NoReplication => "no-replication",
            Self::RelativeTtl => "relative-ttl",
            Self::NoTombstones => "no-tombstones",
            Self::EarlyTombstones => "early-tombstones",
            Self::LateDeadline => "late-deadline",
            Self::LostHints => "lost-hints",
            Self::NewOwnersOnly => "new-owners-only",
            Self::RefusedDeletes => "refused-deletes",
            Self::MoveEvicts => "move-evicts",
            Self::MoveDrops => "move-drops",
            Self::EarlyCopies => "early-copies",
            Self::LookTouches => "look-touches",
        })
    }
}

/// The error of parsing a [`InjectedBug`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an injected bug is counted-acks, no-replication, relative-ttl, no-tombstones, \
     early-tombstones, late-deadline, lost-hints, new-owners-only, refused-deletes, move-evicts, \
     move-drops, early-copies or look-touches"
)]
pub struct UnknownBug;

impl FromStr for InjectedBug {
    type Err = UnknownBug;

    fn from_str(name: &str) -> Result<Self, UnknownBug> {
        let named = |it: &Self| name.eq_ignore_ascii_case(&it.to_string());
        Self::ALL.into_iter().find(named).ok_or(UnknownBug)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_read_back() {
        for how in Restart::ALL {
            assert_eq!(how.to_string().parse(), Ok(how));
        }
        for bug in InjectedBug::ALL {
            assert_eq!(bug.to_string().parse(), Ok(bug));
        }
        assert_eq!("warm".parse::<Restart>(), Err(UnknownRestart));
        assert_eq!("".parse::<InjectedBug>(), Err(UnknownBug));
    }
}
