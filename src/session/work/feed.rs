//! The requests of a trace or a workload, read ahead in batches.

use std::time::Duration;

use crate::trace::{BoxedTrace, Op, Record, TraceError};

/// How many requests are read at once.
const BATCH: usize = 256;
/// Requests between two questions whether to go on skipping.
const STRIDE: u64 = 1 << 16;

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Get,
    Set,
    Add,
    Delete,
    /// Read, then write the key if it was not changed since.
    Modify,
}

/// A request without its key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub act: Act,
    /// Bytes of the value, if they are known.
    pub size: Option<u64>,
    /// How long the value lives.
    pub ttl: Option<Duration>,
    /// The time of the request in the trace.
    pub time: Option<Duration>,
    /// Where its key is in the bytes of the batch.
    start: usize,
    end: usize,
}

/// Requests of a trace or a workload, and how far they were taken.
///
/// Memory: what the reader needs, and a batch of 256 requests with their keys.
pub struct Feed {
    trace: BoxedTrace,
    /// Whether a get and a set of the same key behind it are one request that modifies.
    merges: bool,
    bytes: Vec<u8>,
    jobs: Vec<Job>,
    next: usize,
    /// The last record that was read, as often as it is still to be repeated.
    repeated: Option<(Job, u64)>,
    taken: u64,
    is_ended: bool,
    error: Option<TraceError>,
}

impl Feed {
    /// The requests of this trace from its next record on. With `merges` a get and a set of the same
    /// key behind it are one request.
    #[must_use]
    pub fn new(trace: BoxedTrace, merges: bool) -> Self {
        Self {
            trace,
            merges,
            bytes: Vec::new(),
            jobs: Vec::with_capacity(BATCH),
            next: 0,
            repeated: None,
            taken: 0,
            is_ended: false,
            error: None,
        }
    }

    /// How many requests were taken or skipped.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.taken
    }

    /// The trace.
    #[must_use]
    pub fn trace(&self) -> &BoxedTrace {
        &self.trace
    }

    /// Whether there is no further request. Reads on if that is not known.
    #[must_use]
    pub fn is_over(&mut self) -> bool {
        self.peek(1).is_none()
    }

    /// Whether it is known that there is no further request.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.is_ended && self.next == self.jobs.len() && self.repeated.is_none()
    }

    /// What is wrong with the trace behind the last request, if anything is.
    #[must_use]
    pub fn error(&self) -> Option<&TraceError> {
        self.error.as_ref().filter(|_| self.next == self.jobs.len())
    }

    /// Skips requests. Stops at the end, or if `go_on` says no, which is asked every 65,536 requests.
    pub fn skip(&mut self, count: u64, go_on: &mut dyn FnMut(u64) -> bool) {
        let mut left = count;
        while left > 0 && self.peek(left).is_some() {
            let before = self.taken / STRIDE;
            let some = left.min((self.jobs.len() - self.next) as u64);
            self.next += usize::try_from(some).unwrap_or(usize::MAX);
            self.taken += some;
            left -= some;
            if self.taken / STRIDE > before && !go_on(self.taken) {
                return;
            }
        }
    }

    /// The next request, not taken. Reads at most `limit` requests ahead.
    #[inline]
    pub(super) fn peek(&mut self, limit: u64) -> Option<&Job> {
        if self.next == self.jobs.len() {
            self.fill(limit);
        }
        self.present()
    }

    /// The request that [`Feed::peek`] has returned.
    #[inline]
    pub(super) fn present(&self) -> Option<&Job> {
        self.jobs.get(self.next)
    }

    /// Takes the request that [`Feed::peek`] has returned.
    #[inline]
    pub(super) fn take(&mut self) {
        self.next += 1;
        self.taken += 1;
    }

    /// The key of a request of the present batch.
    #[inline]
    pub(super) fn key(&self, job: &Job) -> &[u8] {
        &self.bytes[job.start..job.end]
    }

    /// The keys of the next requests that were read.
    pub(super) fn next_keys(&self, most: usize) -> impl Iterator<Item = &[u8]> {
        let ahead = self.jobs[self.next..].iter().take(most);
        ahead.map(|job| self.key(job))
    }

    #[inline(never)]
    fn fill(&mut self, limit: u64) {
        self.start_batch();
        while !self.is_ended && (self.jobs.len() as u64) < limit && self.has_room() {
            if let Some((job, count)) = &mut self.repeated {
                self.jobs.push(*job);
                *count -= 1;
                self.repeated.take_if(|it| it.1 == 0);
                continue;
            }
            match self.trace.next() {
                Ok(Some(record)) => read(
                    &record,
                    self.merges,
                    &mut self.bytes,
                    &mut self.jobs,
                    &mut self.repeated,
                ),
                Ok(None) => self.is_ended = true,
                Err(error) => {
                    self.is_ended = true;
                    self.error = Some(error);
                }
            }
        }
    }

    /// Drops the old batch, but for the key of a record that is still to be repeated.
    fn start_batch(&mut self) {
        self.next = 0;
        self.jobs.clear();
        match &mut self.repeated {
            None => self.bytes.clear(),
            Some((job, _)) => {
                self.bytes.truncate(job.end);
                self.bytes.drain(..job.start);
                (job.start, job.end) = (0, self.bytes.len());
            }
        }
    }

    /// A get may be the first half of a request, so it does not end a batch.
    fn has_room(&self) -> bool {
        let may_go_on = |job: &Job| self.merges && job.act == Act::Get;
        self.jobs.len() < BATCH || self.jobs.last().is_some_and(may_go_on)
    }
}

/// Adds a record to a batch.
#[inline]
fn read(
    record: &Record<'_>,
    merges: bool,
    bytes: &mut Vec<u8>,
    jobs: &mut Vec<Job>,
    repeated: &mut Option<(Job, u64)>,
) {
    let start = bytes.len();
    record.key.append(bytes);
    let job = Job {
        act: match record.op {
            Op::Get => Act::Get,
            Op::Set => Act::Set,
            Op::Add => Act::Add,
            Op::Delete => Act::Delete,
        },
        size: record.size,
        ttl: record.ttl,
        time: record.time,
        start,
        end: bytes.len(),
    };
    if let (true, Act::Set, Some(last)) = (merges, job.act, jobs.last_mut())
        && last.act == Act::Get
        && bytes[last.start..last.end] == bytes[start..]
    {
        last.act = Act::Modify;
        return;
    }
    jobs.push(job);
    if record.count > 1 {
        *repeated = Some((job, record.count - 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Input, Kind, Workload, detect};

    fn feed(text: &'static str) -> Feed {
        let mut input = Input::new(Box::new(text.as_bytes()), "t.csv", None).expect("an input");
        let detected = detect(&mut input).expect("a format");
        Feed::new(detected.spec.read(input).expect("a reader"), false)
    }

    fn taken(feed: &mut Feed, limit: u64) -> Vec<(String, Act)> {
        let mut all = Vec::new();
        while let Some(&job) = feed.peek(limit - all.len() as u64) {
            let key = String::from_utf8_lossy(feed.key(&job)).into_owned();
            all.push((key, job.act));
            feed.take();
            if all.len() as u64 == limit {
                break;
            }
        }
        all
    }

    #[test]
    fn a_repeated_record_is_taken_in_parts() {
        let mut feed = feed("key,op,size,op_count,key_size\nab,GET,1,600,2\nc,SET,1,2,1\n");
        for part in [1, 255, 100, 244] {
            let all = taken(&mut feed, part);
            assert_eq!(all.len() as u64, part);
            assert!(all.iter().all(|it| *it == ("ab".into(), Act::Get)));
        }
        assert_eq!(
            taken(&mut feed, 9),
            [("c".into(), Act::Set), ("c".into(), Act::Set)]
        );
        assert!(feed.is_over());
        assert_eq!((feed.position(), feed.error()), (602, None));
    }

    #[test]
    fn skipping_stops_at_the_end() {
        let mut feed = feed("time,key\n1,a\n2,b\n3,c\n");
        feed.skip(2, &mut |_| true);
        assert_eq!(
            (feed.position(), taken(&mut feed, 1)),
            (2, vec![("c".into(), Act::Get)])
        );
        feed.skip(5, &mut |_| true);
        assert_eq!(feed.position(), 3);
    }

    #[test]
    fn a_read_and_its_write_are_one_request() {
        let workload = Workload {
            keys: 3,
            requests: 10_000,
            ..Workload::new(Kind::YcsbF)
        };
        let mut feed = Feed::new(Box::new(workload.trace().expect("a workload")), true);
        let all = taken(&mut feed, u64::MAX);
        assert!(
            all.iter()
                .all(|(_, act)| matches!(act, Act::Get | Act::Modify)),
            "{all:?}"
        );
        let both = all.iter().filter(|(_, act)| *act == Act::Modify).count();
        assert!((3_000..3_700).contains(&both), "{both}");
    }
}
