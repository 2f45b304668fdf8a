//! The program: reads its arguments, runs the shell, and turns the end into an exit status.

mod engine;
mod serve;
mod simulate;
mod values;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use engine::EngineOptions;
pub use engine::Remote;
use serve::Serve;
use simulate::Simulate;
use values::{bytes, choice, owners, time, whole};

use super::lab::{self as traces, arguments as lab};
use super::{Exit, Options, When, Work};
use crate::config::{Capacity, Config, ConfigError, InjectedBug, MAX_NODES, MAX_REPLICAS};
use crate::engine::launch::keeper;
use crate::eviction::Eviction;
use crate::language::size;
use crate::placement::PlacementKind;
use crate::render::Format;
use crate::report::Form;
use crate::time::ClockKind;

const EXAMPLES: &str = "\
Examples:
  shardlab                                   the shell, on a new cluster of 3 nodes
  shardlab < commands.txt                    the same commands through a pipe
  shardlab run a.cache b.cache               script files, in order, in one session
  shardlab -c 'PUT a 1 3s' -c 'GET a'        commands from the command line
  shardlab demo sample-output                a scenario built into the program
  shardlab --clock virtual run hours.cache   SLEEP jumps: hours run in milliseconds
  shardlab serve --placement slots           a port for each node, for Redis clients
  shardlab --connect redis://127.0.0.1       the same prompt on a real server or cluster
  shardlab --launch redis-server --replicas 2
                                             the same on a throw-away cluster, to break it
  shardlab simulate --seeds 1000             random clusters under random faults, checked
  shardlab compare web.csv.gz                which policy and size a trace needs
  shardlab inspect web.csv.gz                the contents of a trace, and its format
  shardlab convert web.csv web.lcs.zst       from one trace format to another
  shardlab generate zipf zipf.csv            a trace of a synthetic workload

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
    #[command(flatten)]
    engine: EngineOptions,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Args)]
struct Shared {
    /// How many nodes the cluster has; for compare one or several, such as 1,3,10 [default: 3; simulate: 5]
    #[arg(short, long, value_name = "1..1024", global = true, action = ArgAction::Set,
          value_delimiter = ',', num_args = 1,
          value_parser = whole::<u32>(1, MAX_NODES.into()))]
    nodes: Vec<u32>,
    /// How many owners each key has, at most as many as there are nodes; for compare one or several
    /// [default: 1; simulate: mostly 3]
    #[arg(long, value_name = "1..16", global = true, action = ArgAction::Set, value_delimiter = ',',
          num_args = 1, value_parser = owners())]
    replicas: Vec<usize>,
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
    /// How replies are shown; csv is for compare
    #[arg(long, value_name = "FORMAT", default_value_t = Form::Plain, global = true,
          ignore_case = true, value_parser = choice::<Form>(&Form::ALL))]
    format: Form,
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
    /// Find which policy, size and number of nodes a trace needs
    #[command(before_help = lab::COMPARE)]
    Compare(lab::Compare),
    /// Count what is in traces, and name their format
    #[command(before_help = lab::INSPECT)]
    Inspect(lab::Inspect),
    /// Write a trace in another format
    #[command(before_help = lab::CONVERT)]
    Convert(lab::Convert),
    /// Write a trace of a synthetic workload
    #[command(before_help = lab::GENERATE)]
    Generate(lab::Generate),
    /// Let Redis clients use the cluster: a port for each node, beside the shell or a script
    Serve(Serve),
    /// Play a scenario that is built into the program; without a name, list them
    Demo {
        /// The name of the scenario
        name: Option<String>,
    },
}

impl Shared {
    /// The number of nodes. Ends the program if there are several.
    fn nodes(&self, default: u32) -> u32 {
        match *self.nodes.as_slice() {
            [] => default,
            [nodes] => nodes,
            _ => usage(Err("--nodes: only compare takes several numbers of nodes")),
        }
    }

    /// How many owners each key has, if that is given. Ends the program if there are several numbers.
    fn replicas(&self) -> Option<usize> {
        match *self.replicas.as_slice() {
            [] => None,
            [replicas] => Some(replicas),
            _ => usage(Err(
                "--replicas: only compare takes several numbers of owners",
            )),
        }
    }

    /// How replies are shown. Ends the program if only `compare` can do that.
    fn format(&self) -> Format {
        usage(traces::format_of(self.format))
    }
}

impl Arguments {
    fn into_options(self) -> Options {
        let mut serve = None;
        let work = match self.action {
            Some(Action::Serve(options)) => {
                let (options, work) = options.into_options();
                serve = Some(options);
                work
            }
            Some(Action::Run { files }) => Work::Files(files),
            Some(Action::Demo { name }) => Work::Demo(name),
            _ if self.commands.is_empty() => Work::Shell,
            _ => Work::Commands(self.commands.into_iter().map(bytes).collect()),
        };
        let (nodes, format) = (self.shared.nodes(3), self.shared.format());
        let replicas = self.shared.replicas();
        let Shared {
            nodes: _,
            replicas: _,
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
            format: _,
            color,
            bail,
            echo,
            quiet,
            no_history,
        } = self.shared;
        let usual = Config::default();
        Options {
            config: Config {
                nodes,
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
            serve,
            remote: self.engine.into_remote(),
        }
    }
}

/// What is no business of `simulate`, and so is not in its help.
const NOT_IN_SIMULATE: [&str; 18] = [
    "clock",
    "color",
    "bail",
    "echo",
    "quiet",
    "no_history",
    "connect",
    "write",
    "allow_clear",
    "prefix",
    "cacert",
    "cert",
    "key",
    "sni",
    "launch",
    "election_after",
    "durable",
    "skewable",
];

/// The options that the subcommands on traces share with the rest.
const IN_THE_LAB: [&str; 3] = ["format", "quiet", "seed"];
/// The subcommands on traces.
const LAB: [&str; 4] = ["compare", "inspect", "convert", "generate"];
/// Options of how output is written. Every subcommand accepts them, so that they may stand in an alias.
const MANNERS: [&str; 6] = ["color", "bail", "echo", "quiet", "no_history", "format"];

/// The command line. The help of a subcommand leaves out options that have no effect there.
fn command() -> clap::Command {
    let command = Arguments::command();
    let all: Vec<Arg> = command.get_arguments().cloned().collect();
    let own: Vec<Arg> = all.iter().cloned().filter_map(for_simulate).collect();
    let command = command.mut_subcommand("simulate", |simulate| simulate.args(own));
    LAB.into_iter().fold(command, |command, name| {
        let own = all
            .iter()
            .cloned()
            .filter_map(|option| for_lab(option, name));
        let own: Vec<Arg> = own.collect();
        command.mut_subcommand(name, |subcommand| subcommand.args(own))
    })
}

/// An option as a subcommand on traces shows it, if that differs: hidden, or with its own default.
fn for_lab(option: Arg, subcommand: &str) -> Option<Arg> {
    match option.get_id().as_str() {
        "nodes" if subcommand == "compare" => {
            Some(option.help("The numbers of nodes, such as 1,3,10 [default: 1]"))
        }
        "replicas" if subcommand == "compare" => {
            Some(option.help("How many nodes hold each object, such as 1,2 [default: 1]"))
        }
        id if IN_THE_LAB.contains(&id) => None,
        _ => Some(option.hide(true)),
    }
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

fn run(mut arguments: Arguments) -> anyhow::Result<Exit> {
    let shared = &arguments.shared;
    let manners = lab::Manners {
        form: shared.format,
        quiet: shared.quiet,
        seed: shared.seed,
        nodes: shared.nodes.clone(),
        replicas: shared.replicas.clone(),
        command: traces::command_line(),
    };
    match arguments.action.take() {
        Some(Action::Simulate(simulate)) => {
            let series = simulate.into_series(shared);
            check(shared, series.options.check());
            super::simulate(&series)
        }
        Some(Action::Compare(compare)) => traces::compare(&usage(compare.options(&manners))),
        Some(Action::Inspect(inspect)) => traces::inspect(&usage(inspect.options(&manners))),
        Some(Action::Convert(convert)) => traces::convert(&usage(convert.options(&manners))),
        Some(Action::Generate(generate)) => traces::generate(&usage(generate.options(&manners))),
        action => {
            check(shared, bounds(shared).check());
            arguments.action = action;
            super::run(&arguments.into_options())
        }
    }
}

/// The cluster of the shell, as far as its arguments have bounds together.
fn bounds(shared: &Shared) -> Config {
    Config {
        nodes: shared.nodes(3),
        replicas: shared.replicas().unwrap_or(1),
        write_quorum: shared.write_quorum.unwrap_or(1),
        read_quorum: shared.read_quorum.unwrap_or(1),
        ..Config::default()
    }
}

/// What was checked. Ends the program if the arguments do not go together.
fn usage<T>(checked: Result<T, impl Display>) -> T {
    checked.unwrap_or_else(|error| command().error(ErrorKind::ValueValidation, error).exit())
}

/// Ends the program if options that are valid each do not go together.
fn check(shared: &Shared, checked: Result<(), ConfigError>) {
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
    usage(Err::<(), _>(format!("{option}: {error}{remedy}")));
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

/// Refuses an option that has no effect on the subcommand.
fn refuse_ignored(matches: ArgMatches) -> Result<ArgMatches, clap::Error> {
    let Some((name, of_subcommand)) = matches.subcommand() else {
        return Ok(matches);
    };
    let all = Arguments::command();
    let ignored = all.get_arguments().find(|option| {
        let id = option.get_id().as_str();
        let given = of_subcommand.try_contains_id(id).is_ok()
            && of_subcommand.value_source(id) == Some(ValueSource::CommandLine);
        given && !MANNERS.contains(&id) && is_hidden(option, name)
    });
    match ignored.and_then(Arg::get_long) {
        None => Ok(matches),
        Some(long) => {
            let message = format!("--{long} has no effect on {name}");
            Err(command().error(ErrorKind::ArgumentConflict, message))
        }
    }
}

/// Whether an option does not belong to a subcommand.
fn is_hidden(option: &Arg, subcommand: &str) -> bool {
    let shown = match subcommand {
        "simulate" => for_simulate(option.clone()),
        name if LAB.contains(&name) => for_lab(option.clone(), name),
        _ => return false,
    };
    shown.is_some_and(|option| option.is_hide_set())
}

fn parse(words: Vec<OsString>) -> Result<Arguments, ExitCode> {
    let parsed = command()
        .try_get_matches_from(words)
        .and_then(refuse_ignored);
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
    // No business of users: it is in no help.
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == keeper::SUBCOMMAND) {
        return keeper::main(&words.collect::<Vec<_>>());
    }
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(end) => return end,
    };
    if arguments.action.is_some() && !arguments.commands.is_empty() {
        let message = "-c does not go with a subcommand";
        command().error(ErrorKind::ArgumentConflict, message).exit();
    }
    if arguments.engine.is_remote() && matches!(arguments.action, Some(Action::Serve(_))) {
        let message =
            "serve is for the simulated cluster: real servers speak to Redis clients themselves";
        command().error(ErrorKind::ArgumentConflict, message).exit();
    }
    let exit = run(arguments).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        Exit::Failure
    });
    ExitCode::from(exit.status())
}
