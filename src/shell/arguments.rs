//! The program: reads its arguments, runs the shell, and turns the end into an exit status.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::num::{IntErrorKind, ParseIntError};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, StringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use super::{Exit, Options, Series, When, Work};
use crate::config::{Capacity, Config, ConfigError, InjectedBug, MAX_NODES, MAX_REPLICAS};
use crate::eviction::Eviction;
use crate::language::duration::{self, DurationError};
use crate::language::size;
use crate::nemesis::Nemesis;
use crate::placement::PlacementKind;
use crate::render::Format;
use crate::replica::Restart;
use crate::simulation;
use crate::time::ClockKind;

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
    /// Run a command instead of the shell, or several lines; may be given several times
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
    #[arg(short, long, value_name = "1..1024", global = true,
          value_parser = whole::<u32>(1, MAX_NODES.into()))]
    nodes: Option<u32>,
    /// How many owners each key has, at most as many as there are nodes [default: 1; simulate: mostly 3]
    #[arg(long, value_name = "1..16", global = true, value_parser = owners())]
    replicas: Option<usize>,
    /// How many owners must have a write before it is acknowledged [default: 1; simulate: mostly a majority]
    #[arg(long, value_name = "1..REPLICAS", global = true, value_parser = owners())]
    write_quorum: Option<usize>,
    /// How many owners a read asks [default: 1; simulate: mostly a majority]
    #[arg(long, value_name = "1..REPLICAS", global = true, value_parser = owners())]
    read_quorum: Option<usize>,
    /// How long a node waits for others, such as 500ms or 2s [default: 1s; simulate: by the seed]
    #[arg(long, value_name = "TIME", global = true, value_parser = time)]
    timeout: Option<Duration>,
    /// How long a node remembers at least that a key is gone, such as 30s [default: 60s; simulate: by the seed]
    #[arg(long, value_name = "TIME", global = true, value_parser = time)]
    grace: Option<Duration>,
    /// Inject a known bug, to test the checks
    #[arg(long, value_name = "BUG", global = true, ignore_case = true,
          value_parser = choice::<InjectedBug>(&InjectedBug::ALL))]
    plant: Option<InjectedBug>,
    /// How keys are placed on nodes; HELP PLACEMENT lists the placements [default: modulo; simulate: by
    /// the seed]
    #[arg(long, value_name = "PLACEMENT", global = true, ignore_case = true,
          value_parser = choice::<PlacementKind>(PlacementKind::ALL))]
    placement: Option<PlacementKind>,
    /// Which entries leave a full node; HELP EVICTION lists the policies [default: lru; simulate: by
    /// the seed]
    #[arg(long, value_name = "POLICY", global = true, ignore_case = true,
          value_parser = choice::<Eviction>(Eviction::ALL))]
    eviction: Option<Eviction>,
    /// The most entries that each node may hold
    #[arg(long, value_name = "N", global = true, value_parser = whole::<u64>(0, u64::MAX))]
    max_entries: Option<u64>,
    /// The most memory that each node may take, such as 64MiB
    #[arg(long, value_name = "BYTES", global = true, value_parser = size::parse)]
    max_memory: Option<u64>,
    /// The random seed: a whole number of at most 64 bits
    #[arg(long, value_name = "N", default_value_t = 0, global = true,
          value_parser = whole::<u64>(0, u64::MAX))]
    seed: u64,
    /// Which time; on the virtual clock SLEEP jumps
    #[arg(long, value_name = "CLOCK", default_value_t = ClockKind::Real, global = true,
          ignore_case = true, value_parser = choice::<ClockKind>(&ClockKind::ALL))]
    clock: ClockKind,
    /// How replies are shown
    #[arg(long, value_name = "FORMAT", default_value_t = Format::Plain, global = true,
          ignore_case = true, value_parser = choice::<Format>(&Format::ALL))]
    format: Format,
    /// When to use colour
    #[arg(long, value_name = "WHEN", default_value_t = When::Auto, global = true,
          ignore_case = true, value_parser = choice::<When>(&When::ALL))]
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
        /// The files, in the order in which they run
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Run random clusters under random faults, and check what they promise
    Simulate(Simulate),
    /// Play a scenario that is built into the program; without a name, list them
    Demo {
        /// The name of the scenario
        name: Option<String>,
    },
}

#[derive(Args)]
struct Simulate {
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

/// A parser of one of these values by its name. Help and errors list the names.
fn choice<T>(all: &[T]) -> impl TypedValueParser<Value = T> + use<T>
where
    T: Display + FromStr<Err: std::error::Error + Send + Sync> + Clone + Send + Sync + 'static,
{
    let names = all.iter().map(ToString::to_string);
    let parser = PossibleValuesParser::new(names.collect::<Vec<_>>());
    parser.try_map(|name| name.to_ascii_lowercase().parse())
}

/// A parser of a number of owners.
fn owners() -> impl TypedValueParser<Value = usize> {
    whole::<usize>(1, MAX_REPLICAS as u64)
}

/// A parser of a whole number between two bounds.
fn whole<T>(least: u64, most: u64) -> impl TypedValueParser<Value = T> + use<T>
where
    T: TryFrom<u64> + Clone + Send + Sync + 'static,
{
    StringValueParser::new().try_map(move |word| {
        let number: u64 = word
            .parse()
            .map_err(|error: ParseIntError| match error.kind() {
                IntErrorKind::PosOverflow => "the number is too large".to_owned(),
                _ => "not a whole number".to_owned(),
            })?;
        let bounded = (least..=most).contains(&number).then_some(number);
        let bounded = bounded.and_then(|number| T::try_from(number).ok());
        bounded.ok_or_else(|| match most {
            u64::MAX => format!("{number} is not in {least}.."),
            _ => format!("{number} is not in {least}..={most}"),
        })
    })
}

/// What is no business of `simulate`, and so is not in its help.
const NOT_IN_SIMULATE: [&str; 6] = ["clock", "color", "bail", "echo", "quiet", "no_history"];

/// The command line. The help of `simulate` leaves out options that have no effect there.
fn command() -> clap::Command {
    let command = Arguments::command();
    let own = command.get_arguments().cloned().filter_map(for_simulate);
    let own: Vec<Arg> = own.collect();
    command.mut_subcommand("simulate", |simulate| simulate.args(own))
}

/// An option as `simulate` shows it, if that differs: hidden, or with its own default.
fn for_simulate(option: Arg) -> Option<Arg> {
    if NOT_IN_SIMULATE.contains(&option.get_id().as_str()) {
        return Some(option.hide(true));
    }
    let help = option.get_help()?.to_string();
    let (text, defaults) = help.split_once(" [default: ")?;
    let (_, default) = defaults.split_once("simulate: ")?;
    Some(option.help(format!("{text} [default: {default}")))
}

fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let shared = &arguments.shared;
    let bounds = Config {
        nodes: shared.nodes.unwrap_or(3),
        replicas: shared.replicas.unwrap_or(1),
        write_quorum: shared.write_quorum.unwrap_or(1),
        read_quorum: shared.read_quorum.unwrap_or(1),
        ..Config::default()
    };
    if let Some(Action::Simulate(simulate)) = arguments.action {
        let series = simulate.into_series(&arguments.shared);
        usage(&arguments.shared, series.options.check());
        return super::simulate(&series);
    }
    usage(shared, bounds.check());
    super::run(&arguments.into_options())
}

/// Ends the program if options that are valid each do not go together.
fn usage(shared: &Shared, checked: Result<(), ConfigError>) {
    let Err(error) = checked else {
        return;
    };
    let option = match error {
        ConfigError::Nodes(_) => "--nodes",
        ConfigError::Replicas { .. } => "--replicas",
        ConfigError::Time { name: "grace" } => "--grace",
        ConfigError::Time { .. } => "--timeout",
        ConfigError::Quorum { quorum, .. } if shared.write_quorum == Some(quorum) => {
            "--write-quorum"
        }
        ConfigError::Quorum { .. } => "--read-quorum",
    };
    let remedy = match error {
        ConfigError::Replicas { replicas, .. } if replicas <= MAX_REPLICAS => {
            "; raise --nodes as well"
        }
        _ => "",
    };
    let message = format!("{option}: {error}{remedy}");
    command().error(ErrorKind::ValueValidation, message).exit();
}

/// The arguments of the process, or how the program ends without them. Before those of a demo come its
/// own options, which the user's replace.
fn arguments() -> Result<Arguments, ExitCode> {
    let arguments = parse(std::env::args_os().collect())?;
    let Some(Action::Demo { name: Some(name) }) = &arguments.action else {
        return Ok(arguments);
    };
    let own = super::demo::options(name).into_iter().map(OsString::from);
    let mut given = std::env::args_os();
    let program = given.next().into_iter();
    parse(program.chain(own).chain(given).collect())
}

fn parse(words: Vec<OsString>) -> Result<Arguments, ExitCode> {
    let parsed = command().try_get_matches_from(words);
    let parsed = parsed.and_then(|matches| Arguments::from_arg_matches(&matches));
    parsed.map_err(|error| {
        let printed = error.print().and_then(|()| io::stdout().flush());
        match printed {
            Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => {
                eprintln!("error: cannot write the output: {}", cause.kind());
                ExitCode::FAILURE
            }
            _ => ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2)),
        }
    })
}

/// The program `shardlab`: reads the arguments of the process and runs to the end.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(end) => return end,
    };
    if arguments.action.is_some() && !arguments.commands.is_empty() {
        let message = "-c does not go with a subcommand";
        command().error(ErrorKind::ArgumentConflict, message).exit();
    }
    let exit = run(arguments).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        Exit::Failure
    });
    ExitCode::from(exit.status())
}
