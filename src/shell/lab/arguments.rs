//! The arguments of the subcommands that work on traces.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::Args;

use crate::language::size;
use crate::network::Percent;
use crate::render::Format;
use crate::shell::Exit;
use crate::shell::arguments::{time, usage};
use crate::trace::{Kind, Output, Spec, Workload};

/// The options that the subcommands share with the rest of the program.
pub struct Manners {
    pub format: Format,
    pub quiet: bool,
    pub seed: u64,
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
    pub fn run(self, manners: &Manners) -> anyhow::Result<Exit> {
        super::inspect(&super::Inspect {
            traces: self.traces,
            trace_format: self.reading.trace_format,
            split: self.reading.split,
            format: manners.format,
        })
    }
}

impl Convert {
    pub fn run(self, manners: &Manners) -> anyhow::Result<Exit> {
        super::convert(&super::Convert {
            source: self.source,
            target: usage(super::Target::new(&self.target, self.to)),
            trace_format: self.reading.trace_format,
            split: self.reading.split,
            format: manners.format,
            quiet: manners.quiet,
        })
    }
}

impl Generate {
    pub fn run(self, manners: &Manners) -> anyhow::Result<Exit> {
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
        usage(workload.check());
        super::generate(&super::Generate {
            workload,
            target: usage(super::Target::new(&self.target, self.to)),
            format: manners.format,
            quiet: manners.quiet,
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
