//! Traces: recorded requests, read from many formats, inspected, converted and generated.
//!
//! A [`Trace`] is a pull reader: each call of [`Trace::next`] gives one [`Record`]. [`Input`] wraps
//! the bytes and decompresses them, [`detect`] finds the [`Format`], and [`Spec::read`] makes the
//! reader. Each family of formats is one file below `formats`. [`Columns`] holds a whole trace with a
//! dense number for each key; [`inspect`] counts what is in a trace; [`convert`] writes other formats;
//! [`Workload`] is a trace that is made up by a seed.
//!
//! ```
//! use shardlab::trace::{self, Format, Input, Key, Trace};
//!
//! let csv = &b"time,key,size\n1,apple,10\n2.5,17,20\n"[..];
//! let mut input = Input::new(Box::new(csv), "fruit.csv", None)?;
//! let detected = trace::detect(&mut input)?;
//! assert_eq!(detected.spec.format, Format::Csv);
//! let mut trace = detected.spec.read(input)?;
//! let apple = trace.next()?.expect("two records");
//! assert_eq!((apple.key, apple.size), (Key::Bytes(b"apple"), Some(10)));
//! let second = trace.next()?.expect("two records");
//! assert_eq!(second.key, Key::Number(17));
//! # Ok::<(), trace::TraceError>(())
//! ```
//!
//! Nothing here opens a file, starts a thread or prints. A reader's memory is bounded by its buffers
//! and the longest line ([`MAX_LINE`]), whatever the length of the trace.

mod ahead;
mod columns;
mod compress;
mod detect;
mod error;
mod format;
mod formats;
mod head;
mod input;
mod inspect;
mod key;
mod layouts;
mod loader;
mod numbering;
mod op;
mod sampling;
mod skew;
mod skipped;
mod text;
mod workload;
mod writer;
mod zipf;

use std::time::Duration;

pub use columns::{Column, Columns, Limits, MAX_REQUESTS, Wanted};
pub use compress::{Compressed, Compression};
pub use detect::detect;
pub use error::{Place, TraceError};
pub use format::{ColumnNumbers, Format, FormatError, Spec};
pub use head::Detected;
pub use input::{Input, MAX_LINE};
pub use inspect::{Inspection, Sizes, Ttls, inspect};
pub use key::{Key, OwnedKey};
pub use loader::Loader;
pub use numbering::{KeyTable, Numbering, TooManyKeys};
pub use op::Op;
pub use sampling::{GROUPS, Position, Room, Sample, Sampling};
pub use skipped::Skipped;
pub use workload::{Generator, Kind, Workload, WorkloadError};
pub use writer::{Conversion, Output, UnknownOutput, convert};

/// One request of a trace, or several equal ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// What it asks for.
    pub key: Key<'a>,
    /// What it does.
    pub op: Op,
    /// Bytes of the object: of key and value where the format has both. `None` if the format has no
    /// size, or this request has none.
    pub size: Option<u64>,
    /// The time since the epoch of the trace: 1970 for many formats, 1601 for `msr`, the start of the
    /// recording for others. `None` if the format has no time.
    pub time: Option<Duration>,
    /// How long the object lives from this request on, more than zero; `None` is for ever.
    pub ttl: Option<Duration>,
    /// The number of equal requests in this record, at least 1.
    pub count: u64,
    /// Whether it can hit only if the record before it hit: the blocks of one prefix, see
    /// [`Format::Mooncake`].
    pub follows: bool,
}

impl<'a> Record<'a> {
    /// One get of this key, without size, time and TTL.
    #[must_use]
    pub const fn get(key: Key<'a>) -> Self {
        Self {
            key,
            op: Op::Get,
            size: None,
            time: None,
            ttl: None,
            count: 1,
            follows: false,
        }
    }

    /// The same record with another key.
    pub(crate) fn with<'b>(&self, key: Key<'b>) -> Record<'b> {
        let Record {
            key: _,
            op,
            size,
            time,
            ttl,
            count,
            follows,
        } = *self;
        Record {
            key,
            op,
            size,
            time,
            ttl,
            count,
            follows,
        }
    }
}

/// A sequence of records that is read once, from the front.
pub trait Trace {
    /// The next record, or `None` at the end. It borrows from the reader, so use it before the next
    /// call.
    ///
    /// # Errors
    /// [`TraceError`], with the place. The reader is not to be used after an error: what it returns
    /// then is not specified, but it does not panic.
    fn next(&mut self) -> Result<Option<Record<'_>>, TraceError>;

    /// The number of records skipped so far, by reason.
    fn skipped(&self) -> &Skipped;

    /// Bytes of the file that were read so far, as they are on disk: compared with the file's length
    /// it is the progress. A piece of 128 KiB is read at a time. A [`Generator`] counts requests instead.
    fn position(&self) -> u64;

    /// Hands records of `count` requests or a little more to a loader. `false`: the trace has ended, or
    /// the loader takes no more. One call for many records, so that each of them costs no call through
    /// a pointer.
    ///
    /// # Errors
    /// [`TraceError`] of the trace and of the loader.
    fn load(&mut self, loader: &mut Loader, count: u64) -> Result<bool, TraceError> {
        let mut left = count;
        while left > 0 {
            let Some(record) = self.next()? else {
                return Ok(false);
            };
            left = left.saturating_sub(record.count);
            if !loader.add(&record)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A reader that can go to another thread.
pub type BoxedTrace = Box<dyn Trace + Send>;

impl<T: Trace + ?Sized> Trace for Box<T> {
    fn next(&mut self) -> Result<Option<Record<'_>>, TraceError> {
        (**self).next()
    }

    fn skipped(&self) -> &Skipped {
        (**self).skipped()
    }

    fn position(&self) -> u64 {
        (**self).position()
    }

    fn load(&mut self, loader: &mut Loader, count: u64) -> Result<bool, TraceError> {
        (**self).load(loader, count)
    }
}

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod refusal_tests;
#[cfg(test)]
mod round_trip_tests;
#[cfg(test)]
mod sample_tests;
#[cfg(test)]
mod sampling_tests;
#[cfg(test)]
mod tests;
