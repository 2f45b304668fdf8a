//! The program: reads its arguments, runs the shell, and turns the end into an exit status.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};
use shardlab::config::{Capacity, Config, ConfigError, MAX_NODES};
use shardlab::eviction::Eviction;
use shardlab::language::duration::{self, DurationError};
use shardlab::language::size;
use shardlab::nemesis::Nemesis;
use shardlab::placement::PlacementKind;
use shardlab::render::Format;
use shardlab::replica::{InjectedBug, Restart};
use shardlab::shell::{self, Exit, Options, Series, When, Work};
use shardlab::simulation;
use shardlab::time::ClockKind;

const EXAMPLES: &str = "\
Examples:
  shardlab                                   the shell, on a new cluster of 3 nodes
  shardlab < commands.txt                    the same commands through a pipe
  shardlab run a.cache b.cache               script files, in order, in one session
  shardlab -c 'PUT a 1 3s' -c 'GET a'        commands from the command line
  shardlab demo sample-output                a scenario built into the program
  shardlab --clock virtual run hours.cache   SLEEP jumps: hours run in milliseconds
  shardlab simulate --seeds 1000             random clusters under random faults, checked

";

/// A distributed cache that you can run, break and measure at a prompt.
#[derive(Parser)]
#[command(version, before_help = EXAMPLES, args_override_self = true)]
struct Arguments {
    /// Run a command instead of the shell; may be given several times
    #[arg(short = 'c', value_name = "COMMAND")]
    commands: Vec<OsString>,
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Args)]
struct Shared {
    /// How many nodes the cluster has [default: 3; simulate: 5]
    #[arg(short, long, value_name = "N", global = true,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_NODES)))]
    nodes: Option<u32>,
    /// How many owners each key has [default: 1; simulate: mostly 3]
    #[arg(long, value_name = "N", global = true)]
    replicas: Option<usize>,
    /// How many owners must have a write before it is acknowledged [default: 1; simulate: mostly a majority]
    #[arg(long, value_name = "W", global = true)]
    write_quorum: Option<usize>,
    /// How many owners a read asks [default: 1; simulate: mostly a majority]
    #[arg(long, value_name = "R", global = true)]
    read_quorum: Option<usize>,
    /// How long a node waits for others [default: 1s; simulate: by the seed]
    #[arg(long, value_name = "TIME", global = true, value_parser = time)]
    timeout: Option<Duration>,
    /// How long a node remembers at least that a key is gone [default: 60s; simulate: by the seed]
    #[arg(long, value_name = "TIME", global = true, value_parser = time)]
    grace: Option<Duration>,
    /// A bug to be built in, to see that the checks find it
    #[arg(long, value_name = "BUG", global = true)]
    plant: Option<InjectedBug>,
    /// How keys are placed on nodes; HELP PLACEMENT lists the placements [default: modulo; simulate: by
    /// the seed]
    #[arg(long, value_name = "PLACEMENT", global = true)]
    placement: Option<PlacementKind>,
    /// Which entries leave a full node; HELP EVICTION lists the policies [default: lru; simulate: by
    /// the seed]
    #[arg(long, value_name = "POLICY", global = true)]
    eviction: Option<Eviction>,
    /// The most entries that each node may hold
    #[arg(long, value_name = "N", global = true)]
    max_entries: Option<u64>,
    /// The most memory that each node may take, such as 64MiB
    #[arg(long, value_name = "BYTES", global = true, value_parser = size::parse)]
    max_memory: Option<u64>,
    /// What all randomness comes from
    #[arg(long, value_name = "N", default_value_t = 0, global = true)]
    seed: u64,
    /// Which time: real, or virtual, where SLEEP jumps
    #[arg(long, value_name = "real|virtual", default_value_t = ClockKind::Real, global = true)]
    clock: ClockKind,
    /// How replies are shown: plain, table or json
    #[arg(long, value_name = "FORMAT", default_value_t = Format::Plain, global = true)]
    format: Format,
    /// When to use colour: auto, always or never
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    color: When,
    /// Stop at the first error
    #[arg(short = 'e', long, global = true)]
    bail: bool,
    /// Print each line before its output
    #[arg(long, global = true)]
    echo: bool,
    /// Print answers and errors only: no banner, no notices
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Keep no history of what is typed
    #[arg(long, global = true)]
    no_history: bool,
}

#[derive(Subcommand)]
enum Action {
    /// Run script files, in order, in one session; `-` is standard input
    Run {
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Run random clusters under random faults, and check what they promise
    Simulate(Simulate),
    /// Play a scenario that is built into the program; without a name, list them
    Demo { name: Option<String> },
}

#[derive(Args)]
struct Simulate {
    /// How many runs, each with a seed of its own, from --seed on
    #[arg(long, value_name = "N", default_value_t = 1000,
          value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// How many operations clients invoke in a run
    #[arg(long, value_name = "N", default_value_t = 200,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    ops: u32,
    /// What goes wrong: light, heavy, swarm or off
    #[arg(long, value_name = "NEMESIS", default_value_t = Nemesis::Swarm)]
    nemesis: Nemesis,
    /// How nodes come back after a crash: resync, hints, cold or stale
    #[arg(long, value_name = "MODE", default_value_t = Restart::Resync)]
    restart: Restart,
    /// Run each seed twice, and compare all that happens byte for byte
    #[arg(long)]
    twice: bool,
    /// How many runs at a time
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// Of each run only these steps, counted from 0
    #[arg(long, value_name = "I,J,...", value_delimiter = ',')]
    steps: Option<Vec<usize>>,
}

impl Simulate {
    fn into_series(self, shared: &Shared) -> Series {
        let ops = usize::try_from(self.ops).unwrap_or(usize::MAX);
        let options = simulation::Options {
            ops,
            nodes: shared.nodes.unwrap_or(5),
            placement: shared.placement,
            replicas: shared.replicas,
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
            format: shared.format,
        }
    }
}

impl Arguments {
    fn into_options(self) -> Options {
        let work = match self.action {
            Some(Action::Simulate(_)) => Work::Shell,
            Some(Action::Run { files }) => Work::Files(files),
            Some(Action::Demo { name }) => Work::Demo(name),
            None if self.commands.is_empty() => Work::Shell,
            None => Work::Commands(self.commands.into_iter().map(bytes).collect()),
        };
        let Shared {
            nodes,
            replicas,
            write_quorum,
            read_quorum,
            timeout,
            grace,
            plant,
            placement,
            eviction,
            max_entries,
            max_memory,
            seed,
            clock,
            format,
            color,
            bail,
            echo,
            quiet,
            no_history,
        } = self.shared;
        let usual = Config::default();
        Options {
            config: Config {
                nodes: nodes.unwrap_or(3),
                replicas: replicas.unwrap_or(1),
                write_quorum: write_quorum.unwrap_or(1),
                read_quorum: read_quorum.unwrap_or(1),
                timeout: timeout.unwrap_or(usual.timeout),
                grace: grace.unwrap_or(usual.grace),
                bug: plant,
                placement: placement.unwrap_or(usual.placement),
                eviction: eviction.unwrap_or(usual.eviction),
                capacity: Capacity {
                    entries: max_entries,
                    bytes: max_memory,
                },
                seed,
                ..usual
            },
            clock,
            format,
            color,
            bail,
            echo,
            quiet,
            history: !no_history,
            work,
        }
    }
}

/// An argument as it came, whatever its encoding.
fn bytes(argument: OsString) -> Vec<u8> {
    argument.into_encoded_bytes()
}

/// A time as it is typed in commands.
fn time(word: &str) -> Result<Duration, DurationError> {
    duration::parse(word.as_bytes())
}

fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let Arguments { shared, action, .. } = &arguments;
    let replicas = shared.replicas.unwrap_or(1);
    let bounds = Config {
        nodes: shared.nodes.unwrap_or(3),
        replicas,
        write_quorum: shared.write_quorum.unwrap_or(1),
        read_quorum: shared.read_quorum.unwrap_or(1),
        ..Config::default()
    };
    match action {
        Some(Action::Simulate(_)) => {}
        _ => usage(bounds.check()),
    }
    if let Some(Action::Simulate(simulate)) = arguments.action {
        let series = simulate.into_series(&arguments.shared);
        usage(series.options.check());
        return shell::simulate(&series);
    }
    shell::run(&arguments.into_options())
}

/// Ends the program if the arguments break a bound.
fn usage(checked: Result<(), ConfigError>) {
    if let Err(error) = checked {
        let mut command = Arguments::command();
        command.error(ErrorKind::ValueValidation, error).exit();
    }
}

/// The arguments. Before those of a demo come its own options, which the user's replace.
fn arguments() -> Arguments {
    let arguments = Arguments::parse();
    let Some(Action::Demo { name: Some(name) }) = &arguments.action else {
        return arguments;
    };
    let own = shell::demo_options(name).into_iter().map(OsString::from);
    let mut given = std::env::args_os();
    let program = given.next().into_iter();
    Arguments::parse_from(program.chain(own).chain(given))
}

fn main() -> ExitCode {
    let arguments = arguments();
    if arguments.action.is_some() && !arguments.commands.is_empty() {
        let message = "-c does not go with a subcommand";
        Arguments::command()
            .error(ErrorKind::ArgumentConflict, message)
            .exit();
    }
    let exit = run(arguments).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        Exit::Failure
    });
    ExitCode::from(exit.status())
}
