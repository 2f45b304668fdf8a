//! The program: reads its arguments, runs the shell, and turns the end into an exit status.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};
use shardlab::config::{Capacity, Config, MAX_NODES};
use shardlab::eviction::Eviction;
use shardlab::language::size;
use shardlab::placement::PlacementKind;
use shardlab::render::Format;
use shardlab::shell::{self, Exit, Options, When, Work};
use shardlab::time::ClockKind;

const EXAMPLES: &str = "\
Examples:
  shardlab                                   the shell, on a new cluster of 3 nodes
  shardlab < commands.txt                    the same commands through a pipe
  shardlab run a.cache b.cache               script files, in order, in one session
  shardlab -c 'PUT a 1 3s' -c 'GET a'        commands from the command line
  shardlab demo sample-output                a scenario built into the program
  shardlab --clock virtual run hours.cache   SLEEP jumps: hours run in milliseconds

";

/// A distributed cache that you can run, break and measure at a prompt.
#[derive(Parser)]
#[command(version, before_help = EXAMPLES)]
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
    /// How many nodes the cluster has
    #[arg(short, long, value_name = "N", default_value_t = 3, global = true,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_NODES)))]
    nodes: u32,
    /// How keys are placed on nodes; HELP PLACEMENT lists the placements
    #[arg(long, value_name = "PLACEMENT", default_value_t = PlacementKind::default(), global = true)]
    placement: PlacementKind,
    /// How many owners each key has
    #[arg(long, value_name = "N", default_value_t = 1, global = true)]
    replicas: usize,
    /// How many owners must have a write before it is acknowledged
    #[arg(long, value_name = "W", default_value_t = 1, global = true)]
    write_quorum: usize,
    /// How many owners a read asks
    #[arg(long, value_name = "R", default_value_t = 1, global = true)]
    read_quorum: usize,
    /// Which entries leave a full node; HELP EVICTION lists the policies
    #[arg(long, value_name = "POLICY", default_value_t = Eviction::default(), global = true)]
    eviction: Eviction,
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
    /// Play a scenario that is built into the program; without a name, list them
    Demo { name: Option<String> },
}

impl Arguments {
    fn into_options(self) -> Options {
        let work = match self.action {
            Some(Action::Run { files }) => Work::Files(files),
            Some(Action::Demo { name }) => Work::Demo(name),
            None if self.commands.is_empty() => Work::Shell,
            None => Work::Commands(self.commands.into_iter().map(bytes).collect()),
        };
        let Shared {
            nodes,
            placement,
            replicas,
            write_quorum,
            read_quorum,
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
        Options {
            config: Config {
                nodes,
                placement,
                replicas,
                write_quorum,
                read_quorum,
                eviction,
                capacity: Capacity {
                    entries: max_entries,
                    bytes: max_memory,
                },
                seed,
                ..Config::default()
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

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.action.is_some() && !arguments.commands.is_empty() {
        let message = "-c does not go with a subcommand";
        Arguments::command()
            .error(ErrorKind::ArgumentConflict, message)
            .exit();
    }
    let options = arguments.into_options();
    let exit = shell::run(&options).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        Exit::Failure
    });
    ExitCode::from(exit.status())
}
