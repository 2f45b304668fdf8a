//! The arguments of the subcommands that work on traces.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::events::event;
use super::sampled::SampleRate;
use super::show::format_of;
use crate::eviction::Eviction;
use crate::language::duration::{self, DurationError};
use crate::language::size;
use crate::network::Percent;
use crate::placement::PlacementKind;
use crate::render::Format;
use crate::replay::{Event, Expiry, Ops, Policy, Rules, Ttl, Unit};
use crate::report::Form;
use crate::trace::{Kind, Output, Spec, Workload};

/// The options that the subcommands share with the rest of the program.
pub struct Manners {
    pub form: Form,
    pub quiet: bool,
    pub seed: u64,
    /// The numbers of nodes; empty if none is given.
    pub nodes: Vec<u32>,
    /// The numbers of owners of each key; empty if none is given.
    pub replicas: Vec<usize>,
    /// The command line, as it can be typed again.
    pub command: String,
}

impl Manners {
    /// How replies are shown.
    ///
    /// # Errors
    /// If only `compare` can do that.
    fn format(&self) -> Result<Format, String> {
        format_of(self.form).map_err(Into::into)
    }
}

pub const INSPECT: &str = "\
Examples:
  shardlab inspect web.oracleGeneral.zst
  zcat web.csv.gz | shardlab inspect - --trace-format csv,obj-id-col=2,obj-size-col=3
  shardlab inspect *.trace --format table
";

pub const CONVERT: &str = "\
Examples:
  shardlab convert cluster52.csv cluster52.oracleGeneral.zst
  shardlab convert blocks.msr blocks.csv --split 4KiB
  shardlab convert web.lcs - --to txt | head
";

pub const GENERATE: &str = "\
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
pub struct Inspect {
    /// Files, which may be compressed with gzip, zstd or xz; `-` is standard input
    #[arg(required = true, value_name = "TRACE")]
    traces: Vec<PathBuf>,
    #[command(flatten)]
    reading: Reading,
}

#[derive(Args)]
pub struct Convert {
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
pub struct Generate {
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
    /// The options of `inspect`.
    ///
    /// # Errors
    /// If the arguments do not go together.
    pub fn options(self, manners: &Manners) -> Result<super::Inspect, String> {
        super::check_standard_input(&self.traces)?;
        Ok(super::Inspect {
            traces: self.traces,
            trace_format: self.reading.trace_format,
            split: self.reading.split,
            format: manners.format()?,
        })
    }
}

impl Convert {
    /// The options of `convert`.
    ///
    /// # Errors
    /// If the arguments do not go together.
    pub fn options(self, manners: &Manners) -> Result<super::Convert, String> {
        Ok(super::Convert {
            source: self.source,
            target: target(&self.target, self.to)?,
            trace_format: self.reading.trace_format,
            split: self.reading.split,
            format: manners.format()?,
            quiet: manners.quiet,
        })
    }
}

impl Generate {
    /// The options of `generate`.
    ///
    /// # Errors
    /// If the arguments do not go together.
    pub fn options(self, manners: &Manners) -> Result<super::Generate, String> {
        let workload = Workload {
            keys: self.keys,
            requests: self.requests,
            skew: self.skew,
            sizes: self.size,
            ttls: self.ttl,
            writes: self.writes.map(Percent::millionths),
            rate: self.rate,
            seed: manners.seed,
            ..Workload::new(self.kind)
        };
        workload.check().map_err(|error| error.to_string())?;
        Ok(super::Generate {
            workload,
            target: target(&self.target, self.to)?,
            format: manners.format()?,
            quiet: manners.quiet,
        })
    }
}

fn target(path: &Path, to: Option<Output>) -> Result<super::Target, String> {
    super::Target::new(path, to).map_err(|error| error.to_string())
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

pub const COMPARE: &str = "\
Examples:
  shardlab compare web.csv.gz
  shardlab compare web.csv.gz --sizes 64MiB,256MiB,1GiB --by bytes --html report.html
  shardlab compare web.csv.gz --target 10% --policies all --nodes 1,3 --placements modulo,ketama
  shardlab compare web.csv.gz --nodes 3 --replicas 1,2 --at '50%=CRASH 1' --at '60%=RESTART 1'
";

/// The sizes of `compare`, in percent of the objects.
const SIZES: [f64; 12] = [
    0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0,
];
/// The policies of `compare`, and the floor.
const POLICIES: [Policy; 7] = [
    Policy::Node(Eviction::Lru),
    Policy::Node(Eviction::Fifo),
    Policy::Node(Eviction::Sieve),
    Policy::Node(Eviction::S3Fifo),
    Policy::Node(Eviction::WTinyLfu),
    Policy::Node(Eviction::Arc),
    Policy::Belady,
];

#[derive(Args)]
pub struct Compare {
    /// Files, which may be compressed with gzip, zstd or xz; `-` is standard input
    #[arg(required = true, value_name = "TRACE")]
    traces: Vec<PathBuf>,
    #[command(flatten)]
    reading: Reading,
    /// The policies, or all: those of EVICTION, gdsf and belady [default:
    /// lru,fifo,sieve,s3-fifo,w-tinylfu,arc,belady]
    #[arg(long, value_name = "POLICY,...", value_delimiter = ',')]
    policies: Vec<String>,
    /// What each node holds: objects (1000), bytes (64MiB, 1000B) or a share of the trace (5%)
    /// [default: twelve shares from 0.1% to 40%]
    #[arg(long, value_name = "SIZE,...", value_delimiter = ',')]
    sizes: Vec<super::size::Size>,
    /// The miss ratio that is minimised, and what shares are of: objects or bytes
    #[arg(long, value_name = "UNIT", default_value = "objects", value_parser = unit)]
    by: Unit,
    /// Choose the smallest size that reaches this miss ratio, such as 10%
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    target: Option<f64>,
    /// How objects are placed on nodes
    #[arg(long, value_name = "PLACEMENT,...", value_delimiter = ',')]
    placements: Vec<PlacementKind>,
    /// Let a command of the prompt happen in the middle of the replay: CRASH, RESTART, PAUSE, RESUME,
    /// JOIN, LEAVE, ISOLATE, HEAL and other faults and changes; may be given several times
    #[arg(long = "at", value_name = "POSITION=COMMAND", value_parser = event)]
    events: Vec<Event>,
    /// fill: every request is a get that stores on a miss; trace: gets, sets and deletes as recorded
    #[arg(long, value_name = "RULE", default_value = "fill", value_parser = ops)]
    ops: Ops,
    /// How long objects live: a time, trace or none
    #[arg(long, value_name = "TTL", default_value = "trace", value_parser = ttl)]
    ttl: Ttl,
    /// When an expired object leaves: eager (at its deadline) or lazy (when it is asked for)
    #[arg(long, value_name = "RULE", default_value = "eager", value_parser = expiry)]
    expiry: Expiry,
    /// The part of the requests that fills the caches and is not counted, such as 10%
    #[arg(long, value_name = "PERCENT", default_value = "0%", value_parser = percent)]
    warmup: f64,
    /// Read only this many requests
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    limit: u64,
    /// Replay only the requests for this part of the keys, such as 0.01, and estimate the rest: a rate,
    /// auto (all, or what fits of traces of more than 100 million requests) or none
    #[arg(long, value_name = "RATE", default_value = "auto")]
    sample: SampleRate,
    /// How many threads [default: one for each core]
    #[arg(long, value_name = "1..256", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Write the report as one page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the chart
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

impl Compare {
    /// The options of `compare`.
    ///
    /// # Errors
    /// If the arguments do not go together.
    pub fn options(self, manners: &Manners) -> Result<super::Compare, String> {
        let or = |given: Vec<super::size::Size>| {
            if given.is_empty() {
                SIZES.map(super::size::Size::Share).to_vec()
            } else {
                given
            }
        };
        let sizes = or(self.sizes);
        let mut units: Vec<Unit> = sizes.iter().map(|size| size.unit(self.by)).collect();
        units.dedup();
        if units.len() > 1 {
            return Err(
                "--sizes: all sizes of a grid have one unit: objects, bytes, or shares with --by"
                    .into(),
            );
        }
        let replicas = replicas(&manners.replicas, &manners.nodes)?;
        let is_live = !self.events.is_empty() || replicas.iter().any(|&it| it > 1);
        if is_live && units.contains(&Unit::Bytes) {
            return Err(
                "--replicas and --at take sizes in objects: the nodes of a cluster count more \
                        bytes than those of the objects"
                    .into(),
            );
        }
        if is_live && self.expiry == Expiry::Lazy {
            return Err(
                "--expiry lazy: the nodes of a cluster, which --replicas and --at need, expire \
                        objects at their deadlines"
                    .into(),
            );
        }
        if is_live && matches!(self.sample, SampleRate::Rate(_)) {
            return Err(
                "--sample does not go with --replicas and --at: a cluster gets all requests".into(),
            );
        }
        super::check_standard_input(&self.traces)?;
        Ok(super::Compare {
            traces: self.traces,
            trace_format: self.reading.trace_format,
            split: self.reading.split,
            policies: policies(&self.policies)?,
            sizes,
            by: self.by,
            target: self.target,
            nodes: if manners.nodes.is_empty() {
                vec![1]
            } else {
                manners.nodes.clone()
            },
            placements: if self.placements.is_empty() {
                vec![PlacementKind::default()]
            } else {
                self.placements
            },
            replicas,
            events: self.events,
            command: manners.command.clone(),
            rules: Rules {
                ops: self.ops,
                ttl: self.ttl,
                expiry: self.expiry,
            },
            warmup: self.warmup,
            limit: self.limit,
            sample: self.sample,
            jobs: self.jobs.map(usize::from),
            html: self.html,
            svg: self.svg,
            form: manners.form,
            quiet: manners.quiet,
            seed: manners.seed,
        })
    }
}

/// How many nodes hold each object: some of the clusters must have as many.
fn replicas(given: &[usize], nodes: &[u32]) -> Result<Vec<u32>, String> {
    let most = nodes.iter().copied().max().unwrap_or(1);
    let given = given
        .iter()
        .map(|&it| u32::try_from(it).unwrap_or(u32::MAX));
    let mut replicas: Vec<u32> = given.collect();
    if let Some(too_many) = replicas.iter().find(|&&it| it > most) {
        return Err(format!(
            "--replicas: {too_many} copies need as many --nodes"
        ));
    }
    if replicas.is_empty() {
        replicas.push(1);
    }
    Ok(replicas)
}

/// The policies with these names.
fn policies(names: &[String]) -> Result<Vec<Policy>, String> {
    if names.is_empty() {
        return Ok(POLICIES.to_vec());
    }
    let mut all = Vec::new();
    for name in names {
        if name == "all" {
            all.extend(Policy::all());
        } else {
            let policy = name.to_ascii_lowercase().parse::<Policy>();
            all.push(policy.map_err(|error| format!("--policies: {error}"))?);
        }
    }
    let mut once: Vec<Policy> = Vec::new();
    for policy in all {
        if !once.contains(&policy) {
            once.push(policy);
        }
    }
    Ok(once)
}

fn unit(name: &str) -> Result<Unit, &'static str> {
    match name {
        "objects" => Ok(Unit::Objects),
        "bytes" => Ok(Unit::Bytes),
        _ => Err("use objects or bytes"),
    }
}

/// A percentage as a part of 1.
fn percent(text: &str) -> Result<f64, &'static str> {
    let number = text
        .strip_suffix('%')
        .and_then(|text| text.trim().parse::<f64>().ok());
    let number = number.filter(|number| (0.0..100.0).contains(number));
    number
        .map(|number| number / 100.0)
        .ok_or("use a percentage from 0% to less than 100%")
}

fn ops(name: &str) -> Result<Ops, &'static str> {
    match name {
        "fill" => Ok(Ops::Fill),
        "trace" => Ok(Ops::Trace),
        _ => Err("use fill or trace"),
    }
}

fn expiry(name: &str) -> Result<Expiry, &'static str> {
    match name {
        "eager" => Ok(Expiry::Eager),
        "lazy" => Ok(Expiry::Lazy),
        _ => Err("use eager or lazy"),
    }
}

fn ttl(text: &str) -> Result<Ttl, String> {
    match text {
        "none" => Ok(Ttl::None),
        "trace" => Ok(Ttl::Trace),
        text => time(text)
            .map(Ttl::Fixed)
            .map_err(|error| format!("{error}; or use trace or none")),
    }
}

fn time(word: &str) -> Result<Duration, DurationError> {
    duration::parse(word.as_bytes())
}
