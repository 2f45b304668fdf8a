//! A whole trace in memory, in columns.

use super::error::{Place, TraceError};
use super::numbering::KeyTable;
use super::op::Op;
use super::sampling::Sample;
use super::skipped::Skipped;

/// The most requests of a trace in columns.
pub const MAX_REQUESTS: usize = u32::MAX as usize - 1;
/// The most requests that one record may stand for when they are repeated: a short line must not fill
/// the memory or the disk.
pub(super) const MAX_COUNT: u64 = 1 << 24;

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
    /// [`Record::follows`](super::Record::follows), one byte a request.
    pub follows: bool,
    /// The keys by number, 8 to 16 bytes each, and their bytes.
    pub keys: bool,
}

impl Wanted {
    /// The bytes of memory for each request.
    pub(super) fn bytes_of_a_request(self) -> u64 {
        let columns = [
            (true, 4),
            (self.sizes, 4),
            (self.times, 8),
            (self.ops, 1),
            (self.ttls, 4),
            (self.follows, 1),
        ];
        let wanted = columns.iter().filter(|(is_wanted, _)| *is_wanted);
        wanted.map(|(_, bytes)| bytes).sum()
    }
}

/// What ends reading before the end of the trace.
pub struct Limits<'a> {
    /// The most requests to read.
    pub requests: u64,
    /// Called every 65,536 requests with [`Trace::position`](super::Trace::position); `false` ends reading with an error.
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

    /// Gives the place a size, if it has none, which is 1.
    pub(crate) fn give(&mut self, at: usize, size: u64) {
        if size == 1 || self.get(at) != Some(1) {
            return;
        }
        if let (Self::Narrow(column), Err(_)) = (&mut *self, u32::try_from(size)) {
            *self = Self::Wide(column.drain(..).map(u64::from).collect());
        }
        match self {
            Self::Narrow(column) => column[at] = u32::try_from(size).unwrap_or(u32::MAX),
            Self::Wide(column) => column[at] = size,
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

    /// Keeps the numbers whose places fit.
    pub(super) fn retain(&mut self, is_kept: &impl Fn(usize) -> bool) {
        match self {
            Self::Narrow(column) => retain(column, is_kept),
            Self::Wide(column) => retain(column, is_kept),
        }
    }
}

/// Keeps what is at the places that fit.
fn retain<T>(column: &mut Vec<T>, is_kept: &impl Fn(usize) -> bool) {
    let mut at = 0;
    column.retain(|_| {
        at += 1;
        is_kept(at - 1)
    });
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
    /// What part of the trace this is; `None` if it is all.
    pub sample: Option<Sample>,
}

impl Columns {
    /// Keeps the requests of the objects that have a new number; `u32::MAX` is none.
    pub(super) fn renumber(&mut self, numbers: &[u32]) {
        let ids = &self.ids;
        let is_kept = |at: usize| numbers[ids[at] as usize] != u32::MAX;
        self.sizes.retain(&is_kept);
        self.ttls.retain(&is_kept);
        retain(&mut self.times, &is_kept);
        retain(&mut self.ops, &is_kept);
        retain(&mut self.follows, &is_kept);
        self.ids.retain_mut(|id| {
            *id = numbers[*id as usize];
            *id != u32::MAX
        });
    }
}

/// The error of a record of more than [`MAX_COUNT`] requests.
pub(super) fn too_many(count: u64) -> TraceError {
    unplaced(&format!(
        "a record stands for {count} requests: more than {MAX_COUNT} are not repeated"
    ))
}

/// An error that belongs to no place in the trace.
pub(super) fn unplaced(message: &str) -> TraceError {
    TraceError::new(&"".into(), Place::Whole, message)
}
