//! The arguments of `simulate`.

use clap::Args;

use super::Shared;
use super::values::{choice, whole};
use crate::config::Capacity;
use crate::nemesis::Nemesis;
use crate::replica::Restart;
use crate::shell::Series;
use crate::simulation;

/// The arguments of `simulate`.
#[derive(Args)]
pub struct Simulate {
    /// How many runs, at least 1, each with a seed of its own, from --seed on
    #[arg(long, value_name = "N", default_value_t = 1000,
          value_parser = whole::<u64>(1, u64::MAX))]
    seeds: u64,
    /// How many operations clients invoke in a run
    #[arg(long, value_name = "1..100000", default_value_t = 200,
          value_parser = whole::<u32>(1, 100_000))]
    ops: u32,
    /// What goes wrong
    #[arg(long, value_name = "NEMESIS", default_value_t = Nemesis::Swarm, ignore_case = true,
          value_parser = choice::<Nemesis>(&Nemesis::ALL))]
    nemesis: Nemesis,
    /// How nodes come back after a crash
    #[arg(long, value_name = "MODE", default_value_t = Restart::Resync, ignore_case = true,
          value_parser = choice::<Restart>(&Restart::ALL))]
    restart: Restart,
    /// Run each seed twice, and compare all that happens byte for byte
    #[arg(long)]
    twice: bool,
    /// How many runs at a time
    #[arg(long, value_name = "1..256", default_value_t = 1,
          value_parser = whole::<u16>(1, 256))]
    jobs: u16,
    /// Of each run only these steps, counted from 0
    #[arg(long, value_name = "I,J,...", value_delimiter = ',')]
    steps: Option<Vec<usize>>,
}

impl Simulate {
    /// The series of runs. Ends the program if several numbers of nodes are given.
    pub fn into_series(self, shared: &Shared) -> Series {
        let ops = usize::try_from(self.ops).unwrap_or(usize::MAX);
        let options = simulation::Options {
            ops,
            nodes: shared.nodes(5),
            placement: shared.placement,
            replicas: shared.replicas(),
            write_quorum: shared.write_quorum,
            read_quorum: shared.read_quorum,
            timeout: shared.timeout,
            grace: shared.grace,
            capacity: Capacity {
                entries: shared.max_entries,
                bytes: shared.max_memory,
            },
            eviction: shared.eviction,
            nemesis: self.nemesis,
            restart: self.restart,
            plant: shared.plant,
        };
        Series {
            arguments: options.arguments(),
            options,
            first: shared.seed,
            seeds: self.seeds,
            twice: self.twice,
            jobs: usize::from(self.jobs),
            steps: self.steps,
            format: shared.format(),
        }
    }
}
