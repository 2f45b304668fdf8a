//! Faults at random times: which kinds, how often, and for how long.
//!
//! All times are multiples of a unit ([`GRAIN`] in the simulated cluster), as are those of simulated clients, so that faults, deadlines,
//! timeouts and requests now and then fall on one instant.
//!
//! ```
//! use shardlab::nemesis::Nemesis;
//! use shardlab::simulation::{Options, run};
//!
//! let options = Options { nemesis: Nemesis::Heavy, ops: 50, ..Options::default() };
//! let run = run(&options, 7);
//! assert_eq!(run.failure, None, "promises were kept");
//! assert!(run.coverage.struck() > 0, "in spite of faults");
//! ```

mod action;
mod injector;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::replica::Restart;
use crate::rng::Rng;

pub use action::{FaultAction, Kind};
pub use injector::FaultInjector;

/// The unit of all times in the simulated cluster.
pub const GRAIN: Duration = Duration::from_millis(10);

/// How many faults there are, and of which kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nemesis {
    /// Messages are late, lost, doubled or overtaken, now and then.
    Light,
    /// All kinds of faults but wrong clocks, often.
    Heavy,
    /// Each run has its own few kinds of faults and its own rate. Source: Groce, Zhang, Eide, Chen,
    /// Regehr, "Swarm Testing", ISSTA 2012.
    #[default]
    Swarm,
    /// No faults.
    Off,
}

impl Nemesis {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Light, Self::Heavy, Self::Swarm, Self::Off];
}

impl fmt::Display for Nemesis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Light => "light",
            Self::Heavy => "heavy",
            Self::Swarm => "swarm",
            Self::Off => "off",
        })
    }
}

/// The error of parsing a [`Nemesis`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a nemesis is light, heavy, swarm or off")]
pub struct UnknownNemesis;

impl FromStr for Nemesis {
    type Err = UnknownNemesis;

    fn from_str(name: &str) -> Result<Self, UnknownNemesis> {
        let named = |it: &Self| name.eq_ignore_ascii_case(&it.to_string());
        Self::ALL.into_iter().find(named).ok_or(UnknownNemesis)
    }
}

/// What a fault injector may do.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How many faults, and of which kinds.
    pub nemesis: Nemesis,
    /// How nodes come back after a crash.
    pub restart: Restart,
    /// How many nodes may be without their memory at a time. With 0 no node crashes.
    pub budget: usize,
    /// The only kinds of faults; empty: all kinds that the nemesis makes.
    pub only: &'static [Kind],
    /// Whether nodes join.
    pub joins: bool,
    /// Whether nodes leave.
    pub leaves: bool,
    /// Whether clocks go wrong.
    pub skews: bool,
    /// The unit of all times: [`GRAIN`] where messages take milliseconds.
    pub grain: Duration,
}

impl Bounds {
    /// Whether the bounds allow faults of this kind.
    fn allow(&self, kind: Kind) -> bool {
        match kind {
            _ if !self.only.is_empty() && !self.only.contains(&kind) => false,
            Kind::Crash => self.budget > 0,
            Kind::Join => self.joins,
            Kind::Leave => self.leaves,
            Kind::Skew => self.skews,
            _ => true,
        }
    }

    /// The kinds of faults of one run.
    fn kinds(&self, rng: &mut Rng) -> Vec<Kind> {
        let mut allowed = Kind::ALL.to_vec();
        allowed.retain(|kind| self.allow(*kind));
        match self.nemesis {
            Nemesis::Off => allowed.clear(),
            _ if !self.only.is_empty() => {}
            Nemesis::Light => allowed.retain(|kind| kind.is_light()),
            Nemesis::Heavy => allowed.retain(|kind| *kind != Kind::Skew),
            Nemesis::Swarm => return swarm(allowed, rng),
        }
        allowed
    }
}

/// Each of these kinds or not, at random; wrong clocks in one of eight runs at most.
fn swarm(mut allowed: Vec<Kind>, rng: &mut Rng) -> Vec<Kind> {
    let skew = rng.below(8) == 0;
    allowed.retain(|kind| *kind != Kind::Skew || skew);
    let chosen = allowed.iter().filter(|_| rng.below(2) == 0);
    let chosen: Vec<Kind> = chosen.copied().collect();
    if chosen.is_empty() { allowed } else { chosen }
}

/// One of these at random; all are equally likely.
///
/// # Panics
/// If there are none.
pub fn pick<T: Copy>(rng: &mut Rng, of: &[T]) -> T {
    let index = rng.below(of.len() as u64);
    of[usize::try_from(index).unwrap_or(0)]
}

/// A multiple of [`GRAIN`]; at most 2^32 of them.
#[must_use]
pub fn grains(count: u64) -> Duration {
    GRAIN * u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
