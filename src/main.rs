//! The program: reads its arguments, runs the shell, and turns the end into an exit status.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};
use shardlab::config::{Capacity, Config, MAX_NODES};
use shardlab::eviction::Eviction;
use shardlab::language::duration::{self, DurationError};
use shardlab::language::size;
use shardlab::nemesis::Nemesis;
use shardlab::network::Percent;
use shardlab::placement::PlacementKind;
use shardlab::render::Format;
use shardlab::replica::{InjectedBug, Restart};
use shardlab::shell::{self, Exit, Options, Series, When, Work, lab};
use shardlab::simulation;
use shardlab::time::ClockKind;
use shardlab::trace::{Kind, Output, Spec, Workload};

const EXAMPLES: &str = "\
Examples:
  shardlab                                   the shell, on a new cluster of 3 nodes
  shardlab < commands.txt                    the same commands through a pipe
  shardlab run a.cache b.cache               script files, in order, in one session
  shardlab -c 'PUT a 1 3s' -c 'GET a'        commands from the command line
  shardlab demo sample-output                a scenario built into the program
  shardlab --clock virtual run hours.cache   SLEEP jumps: hours run in milliseconds
  shardlab simulate --seeds 1000             random clusters under random faults, checked
  shardlab inspect web.csv.gz                what is in a trace, and what its format is
  shardlab convert web.csv web.lcs.zst       from one trace format to another
  shardlab generate zipf zipf.csv            a trace of a synthetic workload

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
    /// Count what is in traces, and name their format
    #[command(before_help = INSPECT)]
    Inspect(Inspect),
    /// Write a trace in another format
    #[command(before_help = CONVERT)]
    Convert(Convert),
    /// Write a trace of a synthetic workload
    #[command(before_help = GENERATE)]
    Generate(Generate),
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

const INSPECT: &str = "\
Examples:
  shardlab inspect web.oracleGeneral.zst
  zcat web.csv.gz | shardlab inspect - --trace-format csv,obj-id-col=2,obj-size-col=3
  shardlab inspect *.trace --format table
";

const CONVERT: &str = "\
Examples:
  shardlab convert cluster52.csv cluster52.oracleGeneral.zst
  shardlab convert blocks.msr blocks.csv --split 4KiB
  shardlab convert web.lcs - --to txt | head
";

const GENERATE: &str = "\
Examples:
  shardlab generate zipf zipf.oracleGeneral.zst --keys 1000000 --requests 10000000 --skew 1.0
  shardlab generate uniform sessions.csv --size 100..4KiB --ttl 1h..2h --writes 10%
  shardlab generate ycsb-b ycsb.csv --seed 7
";

/// How traces are read.
#[derive(Args)]
struct Reading {
    /// The format, such as csv,obj-id-col=2,delimiter=; or binary,format=<IQI,obj-id-col=2
    /// [default: by the content]
    #[arg(long, value_name = "NAME[,OPTION=VALUE...]")]
    trace_format: Option<Spec>,
    /// Of block formats: make each request one request for each block of this size
    #[arg(long, value_name = "BYTES", value_parser = block_size)]
    split: Option<u64>,
}

#[derive(Args)]
struct Inspect {
    /// Files, which may be compressed with gzip, zstd or xz; `-` is standard input
    #[arg(required = true, value_name = "TRACE")]
    traces: Vec<PathBuf>,
    #[command(flatten)]
    reading: Reading,
}

#[derive(Args)]
struct Convert {
    /// The trace to read; `-` is standard input
    #[arg(value_name = "IN")]
    source: PathBuf,
    /// The file to write, compressed if it ends with .gz, .zst or .xz; `-` is standard output
    #[arg(value_name = "OUT")]
    target: PathBuf,
    /// The format to write: txt, csv, oracleGeneral, lcs or u64le [default: by the extension of OUT]
    #[arg(long, value_name = "FORMAT")]
    to: Option<Output>,
    #[command(flatten)]
    reading: Reading,
}

#[derive(Args)]
struct Generate {
    /// zipf, uniform, scan, loop, hotspot, or ycsb-a to ycsb-f
    #[arg(value_name = "WORKLOAD")]
    kind: Kind,
    /// The file to write, compressed if it ends with .gz, .zst or .xz; `-` is standard output
    #[arg(value_name = "OUT")]
    target: PathBuf,
    /// The format to write: txt, csv, oracleGeneral, lcs or u64le [default: by the extension of OUT]
    #[arg(long, value_name = "FORMAT")]
    to: Option<Output>,
    /// How many keys
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    keys: u64,
    /// How many requests
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    requests: u64,
    /// The exponent of Zipf's law [default: 1; ycsb: 0.99]
    #[arg(long, value_name = "S")]
    skew: Option<f64>,
    /// Bytes of each object, or a range of them
    #[arg(long, value_name = "BYTES[..BYTES]", value_parser = sizes)]
    size: Option<RangeInclusive<u64>>,
    /// How long objects live, or a range of times
    #[arg(long, value_name = "TIME[..TIME]", value_parser = ttls)]
    ttl: Option<RangeInclusive<u64>>,
    /// The share of writes [default: 0%; ycsb has its own]
    #[arg(long, value_name = "PERCENT")]
    writes: Option<Percent>,
    /// Requests a second
    #[arg(long, value_name = "N", default_value_t = 1000)]
    rate: u64,
}

impl Inspect {
    fn run(self, shared: &Shared) -> anyhow::Result<Exit> {
        lab::inspect(&lab::Inspect {
            traces: self.traces,
            trace_format: self.reading.trace_format,
            split: self.reading.split,
            format: shared.format,
        })
    }
}

impl Convert {
    fn run(self, shared: &Shared) -> anyhow::Result<Exit> {
        lab::convert(&lab::Convert {
            source: self.source,
            target: usage(lab::Target::new(&self.target, self.to)),
            trace_format: self.reading.trace_format,
            split: self.reading.split,
            format: shared.format,
            quiet: shared.quiet,
        })
    }
}

impl Generate {
    fn run(self, shared: &Shared) -> anyhow::Result<Exit> {
        let workload = Workload {
            keys: self.keys,
            requests: self.requests,
            skew: self.skew,
            sizes: self.size,
            ttls: self.ttl,
            writes: self.writes.map(Percent::millionths),
            rate: self.rate,
            seed: shared.seed,
            ..Workload::new(self.kind)
        };
        usage(workload.check());
        lab::generate(&lab::Generate {
            workload,
            target: usage(lab::Target::new(&self.target, self.to)),
            format: shared.format,
            quiet: shared.quiet,
        })
    }
}

/// One value, or two with `..` between them.
fn range(
    text: &str,
    one: impl Fn(&str) -> Result<u64, String>,
) -> Result<RangeInclusive<u64>, String> {
    let (start, end) = text.split_once("..").unwrap_or((text, text));
    let range = one(start)?..=one(end)?;
    if range.is_empty() {
        return Err("the end is before the start".into());
    }
    Ok(range)
}

fn sizes(text: &str) -> Result<RangeInclusive<u64>, String> {
    range(text, |text| {
        size::parse(text).map_err(|error| error.to_string())
    })
}

/// Milliseconds, rounded up.
fn ttls(text: &str) -> Result<RangeInclusive<u64>, String> {
    range(text, |text| {
        let ttl = time(text).map_err(|error| error.to_string())?;
        Ok(u64::try_from(ttl.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX))
    })
}

/// The size of a block, which is not zero.
fn block_size(text: &str) -> Result<u64, String> {
    let bytes = size::parse(text).map_err(|error| error.to_string())?;
    if bytes == 0 {
        return Err("a block has at least 1 byte".into());
    }
    Ok(bytes)
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
            Some(Action::Run { files }) => Work::Files(files),
            Some(Action::Demo { name }) => Work::Demo(name),
            _ if self.commands.is_empty() => Work::Shell,
            _ => Work::Commands(self.commands.into_iter().map(bytes).collect()),
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

fn run(mut arguments: Arguments) -> anyhow::Result<Exit> {
    let shared = &arguments.shared;
    match arguments.action.take() {
        Some(Action::Simulate(simulate)) => {
            let series = simulate.into_series(shared);
            usage(series.options.check());
            shell::simulate(&series)
        }
        Some(Action::Inspect(inspect)) => inspect.run(shared),
        Some(Action::Convert(convert)) => convert.run(shared),
        Some(Action::Generate(generate)) => generate.run(shared),
        action => {
            usage(bounds(shared).check());
            arguments.action = action;
            shell::run(&arguments.into_options())
        }
    }
}

/// The cluster of the shell, as far as its arguments have bounds together.
fn bounds(shared: &Shared) -> Config {
    Config {
        nodes: shared.nodes.unwrap_or(3),
        replicas: shared.replicas.unwrap_or(1),
        write_quorum: shared.write_quorum.unwrap_or(1),
        read_quorum: shared.read_quorum.unwrap_or(1),
        ..Config::default()
    }
}

/// What was checked. Ends the program if the arguments break a bound.
fn usage<T>(checked: Result<T, impl Display>) -> T {
    checked.unwrap_or_else(|error| {
        let mut command = Arguments::command();
        command.error(ErrorKind::ValueValidation, error).exit()
    })
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
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
