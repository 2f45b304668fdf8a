//! A run as a script of commands.
//!
//! A script has a line for each step, with the client that sends a request and the node that coordinates
//! it, and SLEEP in between. Then it repairs everything and reads all keys as the run does, and ends with
//! the CHECK that fails. The prompt drives the same cluster in the same way, so the script comes to the
//! same as the run.

use std::fmt::Write as _;

use super::conclusion;
use super::lines::Lines;
use super::options::Options;
use super::setup::Setup;
use super::step::Step;
use super::world::World;
use crate::config::Config;
use crate::time::{Compact, Instant};

/// The cluster that `shardlab run` builds from the [`arguments`] of a run.
#[must_use]
pub fn cluster(setup: &Setup) -> Config {
    let usual = Config::default();
    Config {
        history: usual.history,
        hot_keys: usual.hot_keys,
        event_log: usual.event_log,
        ..setup.config
    }
}

/// The arguments with which `shardlab run` builds the cluster of a run.
#[must_use]
pub fn arguments(setup: &Setup) -> String {
    let config = cluster(setup);
    let mut text = format!(
        "--clock virtual --nodes {} --placement {} --replicas {} --write-quorum {} \
         --read-quorum {} --timeout {} --grace {} --seed {}",
        config.nodes,
        config.placement,
        config.replicas,
        config.write_quorum,
        config.read_quorum,
        Compact(config.timeout),
        Compact(config.grace),
        config.seed
    );
    if let Some(entries) = config.capacity.entries {
        let _ = write!(text, " --max-entries {entries}");
    }
    if let Some(bytes) = config.capacity.bytes {
        let _ = write!(text, " --max-memory {bytes}");
    }
    if config.capacity.is_bounded() {
        let _ = write!(text, " --eviction {}", config.eviction);
    }
    if let Some(bug) = config.bug {
        let _ = write!(text, " --plant {bug}");
    }
    text
}

/// The run of these steps as a script, to be run with the [`arguments`].
///
/// # Panics
/// If a bound of the options is broken.
#[must_use]
pub fn script(options: &Options, seed: u64, plan: &[Step]) -> String {
    let setup = super::setup(options, seed);
    let mut world = World::new(&setup);
    let mut lines = Lines::default();
    // With replicas the history begins with the session.
    lines.add(Instant::START, "HISTORY on");
    world.lines = Some(lines);
    world.replay(plan);
    let failure = conclusion::conclude(options, &setup, &mut world);
    let check = failure.map_or_else(|| "CHECK".into(), |it| it.check());
    let mut lines = world.lines.take().unwrap_or_default();
    lines.add(world.now, &check);
    lines.into_text()
}
