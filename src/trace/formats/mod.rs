//! The readers, a family of formats in each file.

mod aof;
mod binary;
mod blocks;
pub(super) mod fixed;
mod lines;
mod memcached;
mod prompts;
mod redis;
mod table;
mod tables;
mod vscsi;
mod words;

use std::sync::Arc;

use super::error::{Place, TraceError};
use super::format::{Format, Spec};
use super::input::Input;
use super::skipped::Skipped;
use super::{BoxedTrace, Record, Trace};

pub use table::{guess_delimiter, known_header};

/// The part that differs between formats: reading the next record from the input.
pub trait Decoder {
    /// The next record, or `None` at the end.
    fn decode<'a>(
        &'a mut self,
        input: &'a mut Input,
        skipped: &mut Skipped,
    ) -> Result<Option<Record<'a>>, TraceError>;
}

/// A reader made of a decoder.
struct Reader<D> {
    input: Input,
    skipped: Skipped,
    decoder: D,
    format: Format,
    name: Arc<str>,
    /// Whether a record was read.
    has_read: bool,
}

/// Whether a record that is skipped for this reason speaks against the format.
pub(super) fn is_misfit(reason: &str) -> bool {
    reason.starts_with("unreadable") || reason.starts_with("operation")
}

/// The error of a trace whose records all speak against the format.
fn misfit(format: Format, skipped: &Skipped, name: &Arc<str>) -> Result<(), TraceError> {
    let are_misfits = skipped.iter().all(|(reason, _)| is_misfit(reason));
    let Some((reason, _)) = skipped.iter().next().filter(|_| are_misfits) else {
        return Ok(());
    };
    let (all, record) = (skipped.total(), format.record());
    let message =
        format!("no record of {format} in it: {all} were tried ({reason}); a record is {record}");
    Err(TraceError::new(name, Place::Whole, message))
}

impl<D: Decoder> Trace for Reader<D> {
    #[inline]
    fn next(&mut self) -> Result<Option<Record<'_>>, TraceError> {
        let record = self.decoder.decode(&mut self.input, &mut self.skipped)?;
        if record.is_none() && !self.has_read {
            misfit(self.format, &self.skipped, &self.name)?;
        }
        self.has_read = true;
        Ok(record)
    }

    fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    fn position(&self) -> u64 {
        self.input.position()
    }
}

fn boxed<D: Decoder + Send + 'static>(format: Format, input: Input, decoder: D) -> BoxedTrace {
    Box::new(Reader {
        name: input.name().into(),
        input,
        skipped: Skipped::default(),
        decoder,
        format,
        has_read: false,
    })
}

impl Spec {
    /// A reader of this format.
    ///
    /// # Errors
    /// [`TraceError`] if the head of the trace is not that of the format, or options are missing.
    pub fn read(&self, input: Input) -> Result<BoxedTrace, TraceError> {
        if self.split.is_some() && self.format == Format::Csv && self.block.is_none() {
            return Err(input.whole(
                "csv can be split if its keys number blocks: add block-size=N, the bytes of one",
            ));
        }
        if self.split.is_some() && !self.has_blocks() {
            let all = Format::ALL.iter().filter(|format| format.has_blocks());
            let all: Vec<&str> = all.map(|format| format.name()).collect();
            let message = format!(
                "{} has no requests for ranges of blocks, so it cannot be split: {} have",
                self.format,
                all.join(", ")
            );
            return Err(input.whole(message));
        }
        open(self, input)
    }
}

/// The reader of a format.
fn open(spec: &Spec, mut input: Input) -> Result<BoxedTrace, TraceError> {
    let (format, split) = (spec.format, spec.split);
    if format.is_text() {
        input.check_utf_8()?;
    }
    Ok(match format {
        Format::Txt => boxed(format, input, lines::Txt),
        Format::Lirs => boxed(format, input, lines::Lirs),
        Format::Csv => return csv(spec, input),
        Format::Binary => {
            let decoder = binary::Binary::new(spec, &input)?;
            boxed(format, input, decoder)
        }
        Format::U64le => boxed(format, input, fixed::u64le()),
        Format::Cache2k => boxed(format, input, fixed::i32be()),
        Format::CloudPhysics => boxed(format, input, fixed::u32be()),
        Format::Corda | Format::Scarab => boxed(format, input, fixed::i64be()),
        Format::OracleGeneral => boxed(format, input, fixed::oracle_general()),
        Format::OracleGeneralOpNs => boxed(format, input, fixed::oracle_general_op_ns()),
        Format::Twr => boxed(format, input, fixed::twr::<20>()),
        Format::TwrNs => boxed(format, input, fixed::twr::<22>()),
        Format::OracleSysTwrNs => boxed(format, input, fixed::oracle_sys_twr_ns()),
        Format::Lcs => return fixed::lcs(input),
        Format::Vscsi => {
            let decoder = vscsi::Vscsi::new(&mut input)?;
            boxed(format, input, blocks::Blocks::new(decoder, split))
        }
        Format::Arc => boxed(format, input, words::Arc::default()),
        Format::Address => boxed(format, input, words::Address),
        Format::Lrb => boxed(format, input, words::Lrb),
        Format::IbmObjectStore => boxed(format, input, words::Ibm),
        Format::TencentPhoto => boxed(format, input, words::Photo::default()),
        Format::Mooncake => boxed(format, input, prompts::Prompts::mooncake(spec.prefix)),
        Format::Lmcache => boxed(format, input, prompts::Prompts::lmcache(spec.prefix)),
        Format::RedisMonitor => boxed(format, input, redis::Monitor::default()),
        Format::RedisAof => boxed(format, input, aof::Aof::default()),
        Format::MemcachedWatch => boxed(format, input, memcached::Watch::default()),
        _ => return open_table(spec, input),
    })
}

/// The reader of a format whose columns are known.
fn open_table(spec: &Spec, mut input: Input) -> Result<BoxedTrace, TraceError> {
    let (format, split) = (spec.format, spec.split);
    Ok(match format {
        Format::CachelibKv => {
            let decoder = tables::CachelibKv::new(&mut input)?;
            boxed(format, input, decoder)
        }
        Format::CachelibCdn => {
            let decoder = tables::CachelibCdn::new(&mut input)?;
            boxed(format, input, decoder)
        }
        Format::CachelibBlock => {
            let decoder = tables::CachelibBlock::new(&mut input)?;
            boxed(format, input, blocks::Blocks::new(decoder, split))
        }
        Format::TencentCbs => {
            let decoder = tables::tencent_cbs();
            boxed(format, input, blocks::Blocks::new(decoder, split))
        }
        Format::Alibaba => boxed(format, input, blocks::Blocks::new(tables::alibaba(), split)),
        Format::Msr => boxed(format, input, blocks::Blocks::new(tables::msr(), split)),
        Format::WikipediaCdn => return tables::wikipedia(input),
        _ => boxed(format, input, tables::Twitter::new()),
    })
}

/// The reader of csv, split or not.
fn csv(spec: &Spec, mut input: Input) -> Result<BoxedTrace, TraceError> {
    let rows = table::Csv::new(spec, &mut input)?;
    let (Some(block), Some(_)) = (spec.block, spec.split) else {
        return Ok(boxed(spec.format, input, rows));
    };
    let decoder = table::CsvBlocks::new(rows, block, &input)?;
    let blocks = blocks::Blocks::new(decoder, spec.split);
    Ok(boxed(spec.format, input, blocks))
}
