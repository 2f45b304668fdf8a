//! Statistics of a trace.

use std::collections::BTreeMap;
use std::time::Duration;

use super::columns::{Column, Columns};
use super::error::{Place, TraceError};
use super::key::{Key, OwnedKey};
use super::numbering::{BATCH, Identity, Numbering};
use super::op::Op;
use super::skew;
use super::skipped::Skipped;
use super::{Record, Trace};

/// Records between two calls of the callback.
const STRIDE: u64 = 1 << 16;
/// The most different TTLs that are counted.
const MAX_TTLS: usize = 10_000;

/// Counts and facts of a trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inspection {
    /// Requests; a record of several requests counts that many times.
    pub requests: u64,
    /// Different keys.
    pub objects: u64,
    /// Requests that read.
    pub gets: u64,
    /// Requests that write, those included that write only if the key is absent.
    pub sets: u64,
    /// Requests that remove.
    pub deletes: u64,
    /// The sum of the sizes of all requests. One without a size counts 1.
    pub bytes: u64,
    /// Requests that have a size.
    pub sized: u64,
    /// The key of the first record.
    pub first_key: Option<OwnedKey>,
    /// The key of the last record.
    pub last_key: Option<OwnedKey>,
    /// The time of the first record that has one.
    pub first_time: Option<Duration>,
    /// The time of the last record that has one.
    pub last_time: Option<Duration>,
    /// Records whose time is before that of the record before.
    pub falls: u64,
    /// Keys with one request.
    pub one_hit_wonders: u64,
    /// The requests of the most popular key; it stops at 2^32 - 1.
    pub most_requests: u64,
    /// An estimate of the exponent of Zipf's law, see [`inspect`].
    pub skew: Option<f64>,
    /// The sizes of objects, each as the first request has it that has a size; `None` if none has.
    pub sizes: Option<Sizes>,
    /// The TTLs; `None` if no request has one.
    pub ttls: Option<Ttls>,
    /// What the reader skipped.
    pub skipped: Skipped,
}

/// Bytes of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// The smallest.
    pub min: u64,
    /// Half of the objects are not larger.
    pub median: u64,
    /// The largest.
    pub max: u64,
}

/// TTLs of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ttls {
    /// Requests that have one.
    pub requests: u64,
    /// The shortest.
    pub min: Duration,
    /// The longest.
    pub max: Duration,
    /// The most frequent ones with their requests, at most 5. If there are more than 10,000 different
    /// ones, only the first 10,000 are counted.
    pub usual: Vec<(Duration, u64)>,
}

impl Inspection {
    /// The facts of a trace in columns, as far as it has them: without operations all requests are gets,
    /// and first and last key, and times that fall, are those of the columns. A size of 1 counts as none.
    /// Cost: a pass, and 4 to 8 bytes a key.
    #[must_use]
    pub fn of(columns: &Columns) -> Self {
        let mut counts = Counts::default();
        for (at, &id) in columns.ids.iter().enumerate() {
            let size = columns.sizes.get(at).unwrap_or(1);
            if id as usize == counts.requests.len() {
                counts.requests.push(0);
                counts.sizes.push(size);
            }
            let requests = &mut counts.requests[id as usize];
            *requests = requests.saturating_add(1);
            counts.sizes.give(id as usize, size);
            counts.found.sized += u64::from(size != 1);
            counts.found.bytes = counts.found.bytes.saturating_add(size);
            counts.count_op(columns.ops.get(at).copied().unwrap_or(Op::Get), 1);
            counts.add_time(
                columns
                    .times
                    .get(at)
                    .map(|&nanos| Duration::from_nanos(nanos)),
            );
            let millis = columns.ttls.get(at).filter(|&millis| millis > 0);
            counts.add_ttl(millis.map(Duration::from_millis), 1);
        }
        let mut found = counts.summary();
        found.requests = columns.ids.len() as u64;
        let key = |id: Option<&u32>| columns.keys.get(*id?).map(OwnedKey::from);
        found.first_key = key(columns.ids.first());
        found.last_key = key(columns.ids.last());
        found.skipped = columns.skipped.clone();
        found
    }
}

/// Reads a trace to its end and counts. Memory: up to 24 bytes a key for its number, 4 for its count and
/// 4 to 8 for its size.
///
/// The skew is the exponent with the greatest likelihood, if keys are ranked by their requests.
/// `go_on` is called every 65,536 records with [`Trace::position`]; `false` ends with an error.
///
/// # Errors
/// [`TraceError`] of the trace, for more than 2^32 - 2 keys, for more than 2^64 - 1 bytes or requests,
/// and [`TraceError::interrupted`].
pub fn inspect(
    trace: &mut (impl Trace + ?Sized),
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<Inspection, TraceError> {
    let mut counts = Counts::default();
    let mut records = 0_u64;
    while let Some(record) = trace.next()? {
        counts.add(&record)?;
        records += 1;
        if records.is_multiple_of(STRIDE) && !go_on(trace.position()) {
            return Err(TraceError::interrupted());
        }
    }
    let mut found = counts.finish()?;
    found.skipped = trace.skipped().clone();
    Ok(found)
}

/// A key without the allocation for each record.
#[derive(Default)]
enum Last {
    #[default]
    None,
    Number(u64),
    Negative(i64),
    Bytes,
}

#[derive(Default)]
struct Counts {
    found: Inspection,
    numbering: Numbering,
    waiting: Vec<(Identity, u64, u64)>,
    numbers: Vec<u32>,
    /// Requests of each key.
    requests: Vec<u32>,
    sizes: Column,
    ttls: BTreeMap<Duration, u64>,
    last: Last,
    last_bytes: Vec<u8>,
}

impl Counts {
    fn add(&mut self, record: &Record<'_>) -> Result<(), TraceError> {
        let found = &mut self.found;
        let (count, bytes) = (
            record.count,
            u128::from(record.size.unwrap_or(1)) * u128::from(record.count),
        );
        let requests = found.requests.checked_add(count);
        let bytes = u64::try_from(u128::from(found.bytes) + bytes);
        let (Some(requests), Ok(bytes)) = (requests, bytes) else {
            return Err(unplaced("more than 2^64 - 1 requests or bytes"));
        };
        (found.requests, found.bytes) = (requests, bytes);
        found.sized += if record.size.is_some() { count } else { 0 };
        self.count_op(record.op, count);
        self.add_time(record.time);
        self.add_ttl(record.ttl, count);
        self.add_key(record.key);
        self.waiting
            .push((record.key.into(), count, record.size.unwrap_or(1)));
        if self.waiting.len() == BATCH {
            self.flush()?;
        }
        Ok(())
    }

    fn count_op(&mut self, op: Op, count: u64) {
        let found = &mut self.found;
        match op {
            Op::Get => found.gets += count,
            Op::Set | Op::Add => found.sets += count,
            Op::Delete => found.deletes += count,
        }
    }

    fn add_time(&mut self, time: Option<Duration>) {
        let found = &mut self.found;
        if time.is_some() {
            found.first_time = found.first_time.or(time);
            found.falls += u64::from(time < found.last_time);
            found.last_time = time;
        }
    }

    fn add_ttl(&mut self, ttl: Option<Duration>, count: u64) {
        let Some(ttl) = ttl else {
            return;
        };
        let found = self.found.ttls.get_or_insert(Ttls {
            requests: 0,
            min: ttl,
            max: ttl,
            usual: Vec::new(),
        });
        found.requests += count;
        (found.min, found.max) = (found.min.min(ttl), found.max.max(ttl));
        if self.ttls.len() < MAX_TTLS || self.ttls.contains_key(&ttl) {
            *self.ttls.entry(ttl).or_default() += count;
        }
    }

    fn add_key(&mut self, key: Key<'_>) {
        if self.found.first_key.is_none() {
            self.found.first_key = Some(key.into());
        }
        self.last = match key {
            Key::Number(number) => Last::Number(number),
            Key::Negative(number) => Last::Negative(number),
            Key::Bytes(bytes) => {
                self.last_bytes.clear();
                self.last_bytes.extend_from_slice(bytes);
                Last::Bytes
            }
        };
    }

    fn flush(&mut self) -> Result<(), TraceError> {
        let mut keys = [Identity::default(); BATCH];
        for (key, waiting) in keys.iter_mut().zip(&self.waiting) {
            *key = waiting.0;
        }
        self.numbers.clear();
        let numbered = self
            .numbering
            .batch(&keys[..self.waiting.len()], &mut self.numbers);
        numbered.map_err(|error| unplaced(&error.to_string()))?;
        for (&number, &(_, count, size)) in self.numbers.iter().zip(&self.waiting) {
            if number as usize == self.requests.len() {
                self.requests.push(0);
                self.sizes.push(size);
            }
            self.sizes.give(number as usize, size);
            let requests = &mut self.requests[number as usize];
            *requests = requests.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        }
        self.waiting.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<Inspection, TraceError> {
        self.flush()?;
        self.found.last_key = match self.last {
            Last::None => None,
            Last::Number(number) => Some(Key::Number(number).into()),
            Last::Negative(number) => Some(Key::Negative(number).into()),
            Last::Bytes => Some(Key::Bytes(&self.last_bytes).into()),
        };
        Ok(self.summary())
    }

    /// What follows from the counts of the keys.
    fn summary(self) -> Inspection {
        let mut found = self.found;
        found.objects = self.requests.len() as u64;
        found.one_hit_wonders = self.requests.iter().filter(|&&count| count == 1).count() as u64;
        found.most_requests = self.requests.iter().copied().max().unwrap_or(0).into();
        found.sizes = if found.sized > 0 {
            sizes(&self.sizes)
        } else {
            None
        };
        if let Some(ttls) = &mut found.ttls {
            ttls.usual = usual(self.ttls);
        }
        found.skew = skew::estimate(self.requests);
        found
    }
}

fn sizes(column: &Column) -> Option<Sizes> {
    let mut all: Vec<u64> = (0..column.len()).filter_map(|at| column.get(at)).collect();
    let middle = all.len().checked_sub(1)? / 2;
    let (_, median, _) = all.select_nth_unstable(middle);
    let median = *median;
    let (min, max) = (all.iter().min()?, all.iter().max()?);
    Some(Sizes {
        min: *min,
        median,
        max: *max,
    })
}

/// The most frequent ones; of equally frequent ones the shorter first.
fn usual(ttls: BTreeMap<Duration, u64>) -> Vec<(Duration, u64)> {
    let mut all: Vec<(Duration, u64)> = ttls.into_iter().collect();
    all.sort_by_key(|&(ttl, count)| (std::cmp::Reverse(count), ttl));
    all.truncate(5);
    all
}

fn unplaced(message: &str) -> TraceError {
    TraceError::new(&"".into(), Place::Whole, message)
}
