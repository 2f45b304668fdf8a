//! The options of a simulation.

use std::fmt;
use std::time::Duration;

use crate::config::{Capacity, Config, ConfigError};
use crate::eviction::Eviction;
use crate::nemesis::Nemesis;
use crate::placement::PlacementKind;
use crate::replica::{InjectedBug, Restart};
use crate::time::Compact;

/// What every run has in common; the rest comes from its seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many operations clients invoke in a run, at least 1. Default 200.
    pub ops: usize,
    /// How many nodes there are. Default 5.
    pub nodes: u32,
    /// How keys are placed on them. Default: the seed chooses.
    pub placement: Option<PlacementKind>,
    /// How many owners each key has. Default: 3, and in some runs of a swarm 1 or 2, at most as many
    /// as there are nodes.
    pub replicas: Option<usize>,
    /// W. Default: a majority of the owners, and in some runs of a swarm 1.
    pub write_quorum: Option<usize>,
    /// R. Default: a majority of the owners, and in some runs of a swarm 1.
    pub read_quorum: Option<usize>,
    /// How long a node waits for others. Default: the seed chooses.
    pub timeout: Option<Duration>,
    /// How long a node remembers at least that a key is gone. Default: the seed chooses.
    pub grace: Option<Duration>,
    /// How much each node may hold. Default: without bound, and in some runs of a swarm little.
    pub capacity: Capacity,
    /// Which entries leave a full node. Default: the seed chooses.
    pub eviction: Option<Eviction>,
    /// Which faults are injected. Default: swarm.
    pub nemesis: Nemesis,
    /// How nodes restart after a crash. Default: by resync; with [`InjectedBug::LostHints`] it is
    /// always by hints.
    pub restart: Restart,
    /// A bug that is built in. Default: none.
    pub plant: Option<InjectedBug>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ops: 200,
            nodes: 5,
            placement: None,
            replicas: None,
            write_quorum: None,
            read_quorum: None,
            timeout: None,
            grace: None,
            capacity: Capacity::default(),
            eviction: None,
            nemesis: Nemesis::Swarm,
            restart: Restart::Resync,
            plant: None,
        }
    }
}

impl Options {
    /// N: how many owners each key has, unless the seed chooses.
    #[must_use]
    pub fn replicas(&self) -> usize {
        self.replicas.unwrap_or(3.min(self.nodes as usize))
    }

    /// W for this number of owners, unless the seed chooses.
    pub(super) fn write_quorum_of(&self, replicas: usize) -> usize {
        self.write_quorum.unwrap_or(replicas / 2 + 1)
    }

    /// R for this number of owners, unless the seed chooses.
    pub(super) fn read_quorum_of(&self, replicas: usize) -> usize {
        self.read_quorum.unwrap_or(replicas / 2 + 1)
    }

    /// How nodes restart after a crash.
    #[must_use]
    pub fn restart(&self) -> Restart {
        match self.plant {
            Some(InjectedBug::LostHints) => Restart::Hints,
            _ => self.restart,
        }
    }

    /// The cluster's part.
    #[must_use]
    pub fn config(&self) -> Config {
        let usual = Config::default();
        let replicas = self.replicas();
        Config {
            nodes: self.nodes,
            placement: self.placement.unwrap_or(usual.placement),
            replicas,
            write_quorum: self.write_quorum_of(replicas),
            read_quorum: self.read_quorum_of(replicas),
            bug: self.plant,
            hot_keys: 0,
            event_log: 0,
            timeout: self.timeout.unwrap_or(usual.timeout),
            grace: self.grace.unwrap_or(usual.grace),
            capacity: self.capacity,
            eviction: self.eviction.unwrap_or(usual.eviction),
            ..usual
        }
    }

    /// The arguments of `shardlab simulate` that differ from the defaults, each after a space.
    #[must_use]
    pub fn arguments(&self) -> String {
        let usual = Self::default();
        let differs = |is_usual: bool, value: &dyn fmt::Display| {
            Some(value.to_string()).filter(|_| !is_usual)
        };
        let Capacity { entries, bytes } = self.capacity;
        let (timeout, grace) = (self.timeout.map(Compact), self.grace.map(Compact));
        let arguments = [
            ("ops", differs(self.ops == usual.ops, &self.ops)),
            ("nodes", differs(self.nodes == usual.nodes, &self.nodes)),
            ("placement", given(self.placement)),
            ("replicas", given(self.replicas)),
            (
                "nemesis",
                differs(self.nemesis == usual.nemesis, &self.nemesis),
            ),
            (
                "restart",
                differs(self.restart == usual.restart, &self.restart),
            ),
            ("write-quorum", given(self.write_quorum)),
            ("read-quorum", given(self.read_quorum)),
            ("timeout", given(timeout)),
            ("grace", given(grace)),
            ("max-entries", given(entries)),
            ("max-memory", given(bytes)),
            ("eviction", given(self.eviction)),
            ("plant", given(self.plant)),
        ];
        let arguments = arguments.into_iter();
        arguments
            .filter_map(|(name, value)| Some(format!(" --{name} {}", value?)))
            .collect()
    }

    /// Checks the bounds.
    ///
    /// # Errors
    /// The first bound that is broken.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.config().check()
    }
}

fn given<T: fmt::Display>(value: Option<T>) -> Option<String> {
    value.map(|value| value.to_string())
}
