//! Fills the columns of a trace, record by record.

use std::time::Duration;

use super::columns::{Columns, Limits, MAX_COUNT, MAX_REQUESTS, Wanted, too_many, unplaced};
use super::error::TraceError;
use super::key::Key;
use super::numbering::{BATCH, ByteKeys, Identity, Numbering};
use super::op::Op;
use super::sampling::{Sampler, Sampling};
use super::{Record, Trace};

/// Requests between two calls of the callback.
const STRIDE: u64 = 1 << 16;

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
        Self::load(
            Loader::new(wanted, limits.requests, Sampling::at(1.0)),
            trace,
            limits,
        )
    }

    /// Reads the requests for a sample of the keys. The limit counts all requests. Cost: as of
    /// [`Columns::read`] for what is kept, and 32 bytes for each 4,096 requests; 3 ns for a request
    /// that is not kept.
    ///
    /// # Errors
    /// As of [`Columns::read`]; only what is kept is bounded.
    pub fn sample(
        trace: &mut (impl Trace + ?Sized),
        wanted: Wanted,
        limits: &mut Limits<'_>,
        sampling: Sampling,
    ) -> Result<Self, TraceError> {
        let loader = Loader::new(wanted, limits.requests, sampling);
        Self::load(loader, trace, limits)
    }

    fn load(
        mut loader: Loader,
        trace: &mut (impl Trace + ?Sized),
        limits: &mut Limits<'_>,
    ) -> Result<Self, TraceError> {
        while trace.load(&mut loader, STRIDE)? {
            if !(limits.go_on)(trace.position()) {
                return Err(TraceError::interrupted());
            }
            loader.fit()?;
        }
        loader.fit()?;
        let mut columns = loader.finish()?;
        columns.skipped = trace.skipped().clone();
        Ok(columns)
    }
}

/// Takes records for [`Columns::read`] and [`Columns::sample`].
pub struct Loader {
    columns: Columns,
    numbering: Numbering,
    bytes: ByteKeys,
    wanted: Wanted,
    /// Whether a record is only a key: no other column and no sample is wanted.
    is_plain: bool,
    left: u64,
    /// Keys that have no number yet.
    batch: [Identity; BATCH],
    waiting: usize,
    time: u64,
    /// The sum of all sizes.
    bytes_sum: u64,
    sampling: Sampling,
    /// `None` as long as all keys are kept.
    sampler: Option<Sampler>,
}

impl Loader {
    pub(super) fn new(wanted: Wanted, limit: u64, sampling: Sampling) -> Self {
        let mut loader = Self {
            columns: Columns::default(),
            numbering: Numbering::default(),
            bytes: ByteKeys::default(),
            wanted,
            is_plain: false,
            left: limit,
            batch: [Identity::default(); BATCH],
            waiting: 0,
            time: 0,
            bytes_sum: 0,
            sampling,
            sampler: None,
        };
        if sampling.rate < 1.0 {
            loader.sampler = Some(Sampler::new(sampling));
        }
        loader.is_plain = loader.sampler.is_none() && wanted == Wanted::default();
        loader
    }

    /// Adds a record; `false` if the limit leaves a part of it out.
    ///
    /// # Errors
    /// If there are too many requests or keys, or a time is beyond 584 years.
    #[inline]
    pub fn add(&mut self, record: &Record<'_>) -> Result<bool, TraceError> {
        if !self.is_plain || record.count != 1 || self.left == 0 {
            return self.add_any(record);
        }
        self.left -= 1;
        self.push_key(record.key.into())?;
        Ok(true)
    }

    fn add_any(&mut self, record: &Record<'_>) -> Result<bool, TraceError> {
        let count = record.count.min(self.left);
        self.left -= count;
        self.columns.is_cut = count < record.count;
        if count == 0 {
            return Ok(false);
        }
        if self.wanted.times {
            self.set_time(record.time)?;
        }
        if self.wanted.sizes {
            let bytes = record.size.unwrap_or(1).checked_mul(count);
            let sum = bytes.and_then(|bytes| self.bytes_sum.checked_add(bytes));
            self.bytes_sum = sum.ok_or_else(|| unplaced("more than 2^64 - 1 bytes"))?;
        }
        let key = Identity::from(record.key);
        if self.is_sampled(key, record, count) {
            self.keep(key, record, count)?;
        }
        Ok(!self.columns.is_cut)
    }

    /// Whether a key is kept. Where a sample is taken, all requests are counted.
    #[inline]
    fn is_sampled(&mut self, key: Identity, record: &Record<'_>, count: u64) -> bool {
        let Some(sampler) = &mut self.sampler else {
            return true;
        };
        let is_get = !self.wanted.ops || record.op == Op::Get;
        let gets = if is_get { count } else { 0 };
        let size = record.size.filter(|_| self.wanted.sizes).unwrap_or(1);
        let kept = self.columns.ids.len() + self.waiting;
        sampler.count(count, gets, gets.saturating_mul(size), kept);
        sampler.keeps(key)
    }

    #[inline]
    fn keep(&mut self, key: Identity, record: &Record<'_>, count: u64) -> Result<(), TraceError> {
        if count > MAX_COUNT {
            return Err(too_many(count));
        }
        if self.wanted.keys && !matches!(record.key, Key::Number(_)) {
            self.flush()?;
            self.number_now(record.key)?;
        }
        for _ in 0..count {
            self.push_key(key)?;
        }
        self.push_others(record, count);
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

    #[inline(never)]
    fn flush(&mut self) -> Result<(), TraceError> {
        if self.columns.ids.len() + self.waiting > MAX_REQUESTS {
            return Err(unplaced(&format!("more than {MAX_REQUESTS} requests")));
        }
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
    fn set_time(&mut self, time: Option<Duration>) -> Result<(), TraceError> {
        if let Some(time) = time {
            let nanos = u64::try_from(time.as_nanos());
            self.time = nanos.map_err(|_| unplaced("a time is beyond 584 years"))?;
        }
        Ok(())
    }

    #[inline]
    fn push_others(&mut self, record: &Record<'_>, count: u64) {
        let wanted = self.wanted;
        let millis = |ttl: Duration| ttl.as_nanos().div_ceil(1_000_000);
        let ttl = record
            .ttl
            .map_or(0, |ttl| u64::try_from(millis(ttl)).unwrap_or(u64::MAX));
        let columns = &mut self.columns;
        for _ in 0..count {
            if wanted.sizes {
                columns.sizes.push(record.size.unwrap_or(1));
            }
            if wanted.times {
                columns.times.push(self.time);
            }
            if wanted.ops {
                columns.ops.push(record.op);
            }
            if wanted.ttls {
                columns.ttls.push(ttl);
            }
            if wanted.follows {
                columns.follows.push(record.follows);
            }
        }
    }

    /// Halves the sample until it fits.
    pub(super) fn fit(&mut self) -> Result<(), TraceError> {
        let Some(room) = self.sampling.room else {
            return Ok(());
        };
        let width = self.wanted.bytes_of_a_request();
        while !room.has(self.columns.ids.len(), width, self.numbering.len()) {
            self.halve()?;
        }
        Ok(())
    }

    fn halve(&mut self) -> Result<(), TraceError> {
        self.flush()?;
        self.is_plain = false;
        let new = || sampler_behind(self.sampling, &self.columns);
        let sampler = self.sampler.get_or_insert_with(new);
        let numbers = sampler.halve(self.numbering.identities(), &self.columns.ids);
        self.columns.renumber(&numbers);
        self.numbering.renumber(&numbers);
        self.bytes.renumber(&numbers);
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Columns, TraceError> {
        self.flush()?;
        self.columns.objects = u32::try_from(self.numbering.len()).unwrap_or(u32::MAX);
        let kept = self.columns.ids.len();
        if let Some(sampler) = self.sampler {
            self.columns.sample = Some(sampler.finish(self.numbering.identities(), kept));
        }
        if self.wanted.keys {
            self.columns.keys = self.numbering.into_keys(self.bytes);
        }
        Ok(self.columns)
    }
}

/// A sampler for what follows these columns, which have all requests before.
fn sampler_behind(sampling: Sampling, columns: &Columns) -> Sampler {
    let mut sampler = Sampler::new(sampling);
    for at in 0..columns.ids.len() {
        let is_get = columns.ops.get(at).is_none_or(|&op| op == Op::Get);
        let bytes = columns.sizes.get(at).unwrap_or(1);
        let (gets, bytes) = if is_get { (1, bytes) } else { (0, 0) };
        sampler.count(1, gets, bytes, at);
    }
    sampler
}
