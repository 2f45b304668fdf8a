//! A whole trace in memory, in columns.

use super::error::TraceError;
use super::key::Key;
use super::numbering::{BATCH, ByteKeys, Identity, KeyTable, Numbering};
use super::op::Op;
use super::skipped::Skipped;
use super::{Record, Trace};

/// The most requests of a trace in columns.
pub const MAX_REQUESTS: usize = u32::MAX as usize - 1;
/// The most requests that one record may stand for when they are repeated: a short line must not fill
/// the memory or the disk.
pub(super) const MAX_COUNT: u64 = 1 << 24;
/// Requests between two calls of the callback.
const STRIDE: u64 = 1 << 16;

/// Which columns to fill besides the numbers of the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Bytes of each request, 4 bytes a request, or 8 if one has 4 GiB or more.
    pub sizes: bool,
    /// Nanoseconds, 8 bytes a request.
    pub times: bool,
    /// One byte a request.
    pub ops: bool,
    /// Milliseconds, 4 bytes a request, or 8 if one is longer than 49 days.
    pub ttls: bool,
    /// [`Record::follows`], one byte a request.
    pub follows: bool,
    /// The keys by number, 8 to 16 bytes each, and their bytes.
    pub keys: bool,
}

/// What ends reading before the end of the trace.
pub struct Limits<'a> {
    /// The most requests to read.
    pub requests: u64,
    /// Called every 65,536 requests with [`Trace::position`]; `false` ends reading with an error.
    pub go_on: &'a mut dyn FnMut(u64) -> bool,
}

/// Numbers of 64 bits, stored in 32 while that is enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// All fit in 32 bits.
    Narrow(Vec<u32>),
    /// One at least does not.
    Wide(Vec<u64>),
}

impl Default for Column {
    fn default() -> Self {
        Self::Narrow(Vec::new())
    }
}

impl Column {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Narrow(column) => column.len(),
            Self::Wide(column) => column.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number at this place, or `None` behind the end.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<u64> {
        match self {
            Self::Narrow(column) => column.get(at).copied().map(u64::from),
            Self::Wide(column) => column.get(at).copied(),
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, number: u64) {
        match (&mut *self, u32::try_from(number)) {
            (Self::Narrow(column), Ok(narrow)) => column.push(narrow),
            (Self::Wide(column), _) => column.push(number),
            (Self::Narrow(column), Err(_)) => {
                let mut wide: Vec<u64> = column.drain(..).map(u64::from).collect();
                wide.push(number);
                *self = Self::Wide(wide);
            }
        }
    }
}

/// A trace in memory. A record of several requests is repeated.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    /// The dense number of the key of each request, in the order of first appearance.
    pub ids: Vec<u32>,
    /// How many different keys there are.
    pub objects: u32,
    /// Bytes of each request; 1 where it has no size.
    pub sizes: Column,
    /// Nanoseconds since the epoch of the trace; where a request has no time, that of the one before
    /// it, at first 0.
    pub times: Vec<u64>,
    /// What each request does.
    pub ops: Vec<Op>,
    /// Milliseconds, rounded up; 0 is for ever.
    pub ttls: Column,
    /// Whether each request can hit only if the one before it hit.
    pub follows: Vec<bool>,
    /// The keys by number.
    pub keys: KeyTable,
    /// What the reader skipped.
    pub skipped: Skipped,
    /// Whether requests were left because of [`Limits::requests`].
    pub is_cut: bool,
}

impl Columns {
    /// Reads a trace. Cost: 4 bytes a request, up to 24 bytes a different key while it reads, and the
    /// wanted columns.
    ///
    /// # Errors
    /// [`TraceError`] of the trace; if there are more than 2^32 - 2 requests or keys, 2^24 requests in a
    /// record, a time beyond 584 years, or, with sizes, more than 2^64 - 1 bytes; and
    /// [`TraceError::interrupted`] if the callback ends reading.
    pub fn read(
        trace: &mut (impl Trace + ?Sized),
        wanted: Wanted,
        limits: &mut Limits<'_>,
    ) -> Result<Self, TraceError> {
        let mut loader = Loader::new(wanted, limits.requests);
        let mut since = 0;
        while let Some(record) = trace.next()? {
            since += record.count.min(STRIDE);
            if !loader.add(&record)? {
                loader.columns.is_cut = true;
                break;
            }
            if since >= STRIDE && !(limits.go_on)(trace.position()) {
                return Err(TraceError::interrupted());
            }
            since %= STRIDE;
        }
        let mut columns = loader.finish()?;
        columns.skipped = trace.skipped().clone();
        Ok(columns)
    }
}

struct Loader {
    columns: Columns,
    numbering: Numbering,
    bytes: ByteKeys,
    wanted: Wanted,
    left: u64,
    batch: [Identity; BATCH],
    waiting: usize,
    time: u64,
    /// The sum of all sizes.
    bytes_sum: u64,
}

impl Loader {
    fn new(wanted: Wanted, limit: u64) -> Self {
        Self {
            columns: Columns::default(),
            numbering: Numbering::default(),
            bytes: ByteKeys::default(),
            wanted,
            left: limit,
            batch: [Identity::default(); BATCH],
            waiting: 0,
            time: 0,
            bytes_sum: 0,
        }
    }

    /// Adds a record; `false` if the limit leaves a part of it out.
    #[inline]
    fn add(&mut self, record: &Record<'_>) -> Result<bool, TraceError> {
        let count = record.count.min(self.left);
        if count == 0 {
            return Ok(false);
        }
        self.check_room(count)?;
        if self.wanted.keys && !matches!(record.key, Key::Number(_)) {
            self.flush()?;
            self.number_now(record.key)?;
        }
        for _ in 0..count {
            self.push_key(record.key.into())?;
        }
        self.left -= count;
        self.push_others(record, count)?;
        Ok(count == record.count)
    }

    #[inline]
    fn check_room(&self, count: u64) -> Result<(), TraceError> {
        if count > MAX_COUNT {
            return Err(too_many(count));
        }
        let used = (self.columns.ids.len() + self.waiting) as u64;
        if used.saturating_add(count) > MAX_REQUESTS as u64 {
            return Err(unplaced(&format!("more than {MAX_REQUESTS} requests")));
        }
        Ok(())
    }

    #[inline]
    fn push_key(&mut self, key: Identity) -> Result<(), TraceError> {
        self.batch[self.waiting] = key;
        self.waiting += 1;
        if self.waiting == BATCH {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), TraceError> {
        let keys = &self.batch[..self.waiting];
        let numbered = self.numbering.batch(keys, &mut self.columns.ids);
        numbered.map_err(|error| unplaced(&error.to_string()))?;
        self.waiting = 0;
        Ok(())
    }

    /// Numbers a key that is kept with its bytes.
    fn number_now(&mut self, key: Key<'_>) -> Result<(), TraceError> {
        let numbered = self.numbering.number(key);
        let (number, is_new) = numbered.map_err(|error| unplaced(&error.to_string()))?;
        if let (Key::Bytes(bytes), true) = (key, is_new) {
            self.bytes.push(number, bytes);
        }
        Ok(())
    }

    #[inline]
    fn push_others(&mut self, record: &Record<'_>, count: u64) -> Result<(), TraceError> {
        let Wanted {
            sizes,
            times,
            ops,
            ttls,
            follows,
            keys: _,
        } = self.wanted;
        if !(sizes || times || ops || ttls || follows) {
            return Ok(());
        }
        if let (true, Some(time)) = (times, record.time) {
            let nanos = u64::try_from(time.as_nanos());
            self.time = nanos.map_err(|_| unplaced("a time is beyond 584 years"))?;
        }
        if sizes {
            let bytes = record.size.unwrap_or(1).checked_mul(count);
            let sum = bytes.and_then(|bytes| self.bytes_sum.checked_add(bytes));
            self.bytes_sum = sum.ok_or_else(|| unplaced("more than 2^64 - 1 bytes"))?;
        }
        let millis = |ttl: std::time::Duration| ttl.as_nanos().div_ceil(1_000_000);
        let ttl = record
            .ttl
            .map_or(0, |ttl| u64::try_from(millis(ttl)).unwrap_or(u64::MAX));
        let columns = &mut self.columns;
        for _ in 0..count {
            if sizes {
                columns.sizes.push(record.size.unwrap_or(1));
            }
            if times {
                columns.times.push(self.time);
            }
            if ops {
                columns.ops.push(record.op);
            }
            if ttls {
                columns.ttls.push(ttl);
            }
            if follows {
                columns.follows.push(record.follows);
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Columns, TraceError> {
        self.flush()?;
        self.columns.objects = u32::try_from(self.numbering.len()).unwrap_or(u32::MAX);
        if self.wanted.keys {
            self.columns.keys = self.numbering.into_keys(self.bytes);
        }
        Ok(self.columns)
    }
}

/// The error of a record of more than [`MAX_COUNT`] requests.
pub(super) fn too_many(count: u64) -> TraceError {
    unplaced(&format!(
        "a record stands for {count} requests: more than {MAX_COUNT} are not repeated"
    ))
}

/// An error that belongs to no place in the trace.
fn unplaced(message: &str) -> TraceError {
    TraceError::new(&"".into(), super::Place::Whole, message)
}
