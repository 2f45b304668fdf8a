//! What is to be simulated.

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
    /// How keys are placed on them.
    pub placement: PlacementKind,
    /// How many owners each key has. Default 3.
    pub replicas: usize,
    /// W. Default: a majority of the owners; and with a swarm now and then 1, with R, in a run in
    /// which nodes crash and nothing else goes wrong.
    pub write_quorum: Option<usize>,
    /// R. Default: a majority of the owners.
    pub read_quorum: Option<usize>,
    /// How long a node waits for others. Default: the seed chooses.
    pub timeout: Option<Duration>,
    /// How long a node remembers at least that a key is gone. Default: the seed chooses.
    pub grace: Option<Duration>,
    /// How much each node may hold. Default: without bound, and in some runs of a swarm little.
    pub capacity: Capacity,
    /// Which entries leave a full node. Default: the seed chooses.
    pub eviction: Option<Eviction>,
    /// What goes wrong. Default: swarm.
    pub nemesis: Nemesis,
    /// How nodes come back after a crash. Default: by resync; with [`InjectedBug::LostHints`] it is
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
            placement: PlacementKind::default(),
            replicas: 3,
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
    /// W.
    #[must_use]
    pub fn write_quorum(&self) -> usize {
        self.write_quorum.unwrap_or(self.replicas / 2 + 1)
    }

    /// R.
    #[must_use]
    pub fn read_quorum(&self) -> usize {
        self.read_quorum.unwrap_or(self.replicas / 2 + 1)
    }

    /// How nodes come back after a crash.
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
        Config {
            nodes: self.nodes,
            placement: self.placement,
            replicas: self.replicas,
            write_quorum: self.write_quorum(),
            read_quorum: self.read_quorum(),
            bug: self.plant,
            always_by_message: true,
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
        let mut text = String::new();
        let mut add = |is_usual: bool, name: &str, value: &dyn fmt::Display| {
            if !is_usual {
                text.push_str(&format!(" --{name} {value}"));
            }
        };
        add(self.ops == usual.ops, "ops", &self.ops);
        add(self.nodes == usual.nodes, "nodes", &self.nodes);
        add(
            self.placement == usual.placement,
            "placement",
            &self.placement,
        );
        add(self.replicas == usual.replicas, "replicas", &self.replicas);
        add(self.nemesis == usual.nemesis, "nemesis", &self.nemesis);
        add(self.restart == usual.restart, "restart", &self.restart);
        for (name, quorum) in [
            ("write-quorum", self.write_quorum),
            ("read-quorum", self.read_quorum),
        ] {
            if let Some(quorum) = quorum {
                add(false, name, &quorum);
            }
        }
        for (name, time) in [("timeout", self.timeout), ("grace", self.grace)] {
            if let Some(time) = time {
                add(false, name, &Compact(time));
            }
        }
        let Capacity { entries, bytes } = self.capacity;
        for (name, bound) in [("max-entries", entries), ("max-memory", bytes)] {
            if let Some(bound) = bound {
                add(false, name, &bound);
            }
        }
        if let Some(eviction) = self.eviction {
            add(false, "eviction", &eviction);
        }
        if let Some(plant) = self.plant {
            add(false, "plant", &plant);
        }
        text
    }

    /// Checks the bounds.
    ///
    /// # Errors
    /// The first bound that is broken.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.config().check()
    }
}
