//! The readers, a family of formats in each file.

mod aof;
mod binary;
mod blocks;
pub(super) mod fixed;
mod lines;
mod memcached;
mod mooncake;
mod redis;
mod table;
mod tables;
mod vscsi;
mod words;

use super::error::TraceError;
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
}

impl<D: Decoder> Trace for Reader<D> {
    #[inline]
    fn next(&mut self) -> Result<Option<Record<'_>>, TraceError> {
        self.decoder.decode(&mut self.input, &mut self.skipped)
    }

    fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    fn position(&self) -> u64 {
        self.input.position()
    }
}

fn boxed<D: Decoder + Send + 'static>(input: Input, decoder: D) -> BoxedTrace {
    Box::new(Reader {
        input,
        skipped: Skipped::default(),
        decoder,
    })
}

impl Spec {
    /// A reader of this format.
    ///
    /// # Errors
    /// [`TraceError`] if the head of the trace is not that of the format, or options are missing.
    pub fn read(&self, input: Input) -> Result<BoxedTrace, TraceError> {
        if self.split.is_some() && !self.format.has_blocks() {
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
    let split = spec.split;
    if spec.format.is_text() {
        input.skip_mark()?;
    }
    Ok(match spec.format {
        Format::Txt => boxed(input, lines::Txt),
        Format::Lirs => boxed(input, lines::Lirs),
        Format::Csv => {
            let decoder = table::Csv::new(spec, &mut input)?;
            boxed(input, decoder)
        }
        Format::Binary => {
            let decoder = binary::Binary::new(spec, &input)?;
            boxed(input, decoder)
        }
        Format::U64le => boxed(input, fixed::u64le()),
        Format::Cache2k => boxed(input, fixed::i32be()),
        Format::CloudPhysics => boxed(input, fixed::u32be()),
        Format::Corda | Format::Scarab => boxed(input, fixed::i64be()),
        Format::OracleGeneral => boxed(input, fixed::oracle_general()),
        Format::OracleGeneralOpNs => boxed(input, fixed::oracle_general_op_ns()),
        Format::Twr => boxed(input, fixed::twr::<20>()),
        Format::TwrNs => boxed(input, fixed::twr::<22>()),
        Format::OracleSysTwrNs => boxed(input, fixed::oracle_sys_twr_ns()),
        Format::Lcs => return fixed::lcs(input),
        Format::Vscsi => {
            let decoder = vscsi::Vscsi::new(&mut input)?;
            boxed(input, blocks::Blocks::new(decoder, split))
        }
        Format::Arc => boxed(input, words::Arc::default()),
        Format::Address => boxed(input, words::Address),
        Format::Lrb => boxed(input, words::Lrb),
        Format::IbmObjectStore => boxed(input, words::Ibm),
        Format::TencentPhoto => boxed(input, words::Photo::default()),
        Format::Twitter => boxed(input, tables::Twitter::new()),
        Format::CachelibKv => {
            let decoder = tables::CachelibKv::new(&mut input)?;
            boxed(input, decoder)
        }
        Format::CachelibCdn => {
            let decoder = tables::CachelibCdn::new(&mut input)?;
            boxed(input, decoder)
        }
        Format::CachelibBlock => {
            let decoder = tables::CachelibBlock::new(&mut input)?;
            boxed(input, blocks::Blocks::new(decoder, split))
        }
        Format::WikipediaCdn => tables::wikipedia(input)?,
        Format::TencentCbs => boxed(input, blocks::Blocks::new(tables::tencent_cbs(), split)),
        Format::Alibaba => boxed(input, blocks::Blocks::new(tables::alibaba(), split)),
        Format::Msr => boxed(input, blocks::Blocks::new(tables::msr(), split)),
        Format::Mooncake => boxed(input, mooncake::Mooncake::new(spec.prefix)),
        Format::RedisMonitor => boxed(input, redis::Monitor::default()),
        Format::RedisAof => boxed(input, aof::Aof::default()),
        Format::MemcachedWatch => boxed(input, memcached::Watch::default()),
    })
}
