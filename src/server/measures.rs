//! What the server measures of its commands: how often each is called, how long it takes, and which
//! are slow.
//!
//! To read the clock twice costs as much as a tenth of a GET. So commands are counted, and after the
//! first few thousand one in 64 is timed and stands for all of them.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant as HostInstant};

use crate::resp::spec::Spec;

/// So many commands are timed, each; of those behind them one in [`SAMPLE`].
const TIMED: u64 = 4096;
const SAMPLE: u64 = 64;
/// A time of less than 2^n microseconds is in bucket n. The last bucket has all others.
const BUCKETS: usize = 32;
/// The most arguments of a slow command that are kept, and the most bytes of each.
const KEPT_ARGS: usize = 32;
const KEPT_BYTES: usize = 128;
/// The most spikes of an event that are kept.
const SPIKES: usize = 160;
/// The most kinds of errors that are counted apart.
const ERRORS: usize = 128;

/// The measures since the start, or CONFIG RESETSTAT.
#[derive(Default)]
pub(super) struct Measures {
    commands: BTreeMap<usize, Measure>,
    /// GETs and SETs without options, which are not in `commands`.
    plain: [Measure; 2],
    /// How many commands there were.
    count: u64,
    /// How often each kind of error was answered.
    pub errors: BTreeMap<String, u64>,
    pub slow: SlowLog,
    pub spikes: Spikes,
}

/// The measures of one command.
#[derive(Clone, Debug, Default)]
pub(super) struct Measure {
    /// How often it was carried out.
    pub calls: u64,
    /// How long it took altogether, in nanoseconds.
    pub nanos: u64,
    /// How often it was refused before it began.
    pub rejected: u64,
    /// How often it failed.
    pub failed: u64,
    buckets: [u64; BUCKETS],
}

/// A command that is timed, if it is.
pub(super) struct Watch(Option<(HostInstant, u64)>);

impl Watch {
    /// How long the command has taken, if it is timed.
    pub fn elapsed(&self) -> Option<Duration> {
        self.0.map(|(start, _)| start.elapsed())
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It was carried out, or waits for nodes.
    Called,
    /// It was carried out, and has failed.
    Failed,
    /// It was not begun.
    Rejected,
}

impl Measures {
    /// A command begins.
    #[inline]
    pub fn begin(&mut self) -> Watch {
        self.count += 1;
        let weight = match self.count {
            0..=TIMED => 1,
            count if count.is_multiple_of(SAMPLE) => SAMPLE,
            _ if self.times_all() => 0,
            _ => return Watch(None),
        };
        Watch(Some((HostInstant::now(), weight)))
    }

    /// Whether every command is timed: the slow log or LATENCY may want any.
    #[inline]
    pub fn times_all(&self) -> bool {
        self.slow.threshold >= 0 && self.slow.threshold < 1000 || self.spikes.threshold > 0
    }

    /// A GET or a SET without options has ended.
    #[inline]
    pub fn plain(&mut self, is_set: bool, watch: &Watch, end: End) {
        let measure = &mut self.plain[usize::from(is_set)];
        measure.failed += u64::from(end == End::Failed);
        measure.add(watch, watch.elapsed());
    }

    /// A command has ended.
    pub fn end(&mut self, spec: &Spec, watch: &Watch, took: Option<Duration>, end: End) {
        let measure = self.commands.entry(spec.number).or_default();
        match end {
            End::Rejected => measure.rejected += 1,
            End::Called | End::Failed => measure.add(watch, took),
        }
        measure.failed += u64::from(end == End::Failed);
    }

    /// An error was answered.
    pub fn failed(&mut self, text: &str) {
        let kind = text.split(' ').next().unwrap_or_default();
        let is_known = self.errors.contains_key(kind);
        if is_known || self.errors.len() < ERRORS && kind.len() <= KEPT_BYTES {
            *self.errors.entry(kind.into()).or_default() += 1;
        }
    }

    /// The measures of a command; `None` if it was never called.
    pub fn of(&self, spec: &Spec) -> Option<Measure> {
        let mut all = self.commands.get(&spec.number).cloned().unwrap_or_default();
        match spec.name {
            "get" => all.merge(&self.plain[0]),
            "set" => all.merge(&self.plain[1]),
            _ => {}
        }
        (all.calls + all.rejected > 0).then_some(all)
    }

    /// Forgets the counts. The slow commands and the spikes stay.
    pub fn reset(&mut self) {
        self.commands.clear();
        self.plain = Default::default();
        self.errors.clear();
        self.count = 0;
    }
}

impl Measure {
    #[inline]
    fn add(&mut self, watch: &Watch, took: Option<Duration>) {
        self.calls += 1;
        if let (Some((_, weight @ 1..)), Some(took)) = (watch.0, took) {
            let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
            self.nanos = self.nanos.saturating_add(nanos.saturating_mul(weight));
            let micros = (nanos / 1000).max(1);
            let bucket = usize::try_from(u64::BITS - micros.leading_zeros()).unwrap_or(BUCKETS);
            self.buckets[bucket.min(BUCKETS - 1)] += weight;
        }
    }

    fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.nanos = self.nanos.saturating_add(other.nanos);
        for (all, more) in self.buckets.iter_mut().zip(other.buckets) {
            *all += more;
        }
    }

    /// Microseconds, each with the number of calls that took less, where that number grows.
    pub fn histogram(&self) -> Vec<(u64, u64)> {
        let mut sum = 0;
        let buckets = self.buckets.iter().enumerate();
        let grown = buckets.filter(|(_, count)| **count > 0);
        grown
            .map(|(bucket, count)| {
                sum += count;
                (1 << bucket, sum)
            })
            .collect()
    }

    /// A time in microseconds that so many per mille of the calls did not exceed.
    pub fn percentile(&self, per_mille: u64) -> u64 {
        let histogram = self.histogram();
        let all = histogram.last().map_or(0, |last| last.1);
        let wanted = all.saturating_mul(per_mille).div_ceil(1000);
        let found = histogram.iter().find(|(_, count)| *count >= wanted);
        found.map_or(0, |(micros, _)| *micros)
    }
}

/// The commands that were slow, newest first.
pub(super) struct SlowLog {
    /// A command that takes as many microseconds is slow; negative: none is.
    pub threshold: i64,
    /// The most entries.
    pub most: usize,
    pub entries: VecDeque<Slow>,
    next_id: i64,
}

/// A command that was slow.
pub(super) struct Slow {
    pub id: i64,
    /// When it began, in seconds since 1970 on the clock of the cluster.
    pub at: i64,
    pub took: Duration,
    pub args: Vec<Vec<u8>>,
    pub address: String,
    pub name: Vec<u8>,
}

impl Default for SlowLog {
    fn default() -> Self {
        Self {
            threshold: 10_000,
            most: 128,
            entries: VecDeque::new(),
            next_id: 0,
        }
    }
}

impl SlowLog {
    /// Whether a command is slow that took so long.
    pub fn wants(&self, took: Duration) -> bool {
        let micros = i64::try_from(took.as_micros()).unwrap_or(i64::MAX);
        self.threshold >= 0 && micros >= self.threshold
    }

    /// Keeps a command.
    pub fn push(&mut self, mut slow: Slow) {
        slow.id = self.next_id;
        self.next_id += 1;
        self.entries.push_front(slow);
        self.entries.truncate(self.most);
    }

    /// Sets how many are kept.
    pub fn set_most(&mut self, most: usize) {
        self.most = most;
        self.entries.truncate(most);
    }
}

/// The arguments of a command as the slow log keeps them: cut, which is said.
pub(super) fn kept_args<'a>(args: impl ExactSizeIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let count = args.len();
    let shown = if count > KEPT_ARGS {
        KEPT_ARGS - 1
    } else {
        count
    };
    let mut kept: Vec<Vec<u8>> = args.take(shown).map(kept_arg).collect();
    if shown < count {
        let more = format!("... ({} more arguments)", count - shown);
        kept.push(more.into_bytes());
    }
    kept
}

fn kept_arg(arg: &[u8]) -> Vec<u8> {
    let Some(more) = arg.len().checked_sub(KEPT_BYTES).filter(|&more| more > 0) else {
        return arg.into();
    };
    let cut = format!("... ({more} more bytes)");
    [&arg[..KEPT_BYTES], cut.as_bytes()].concat()
}

/// Commands that took longer than a threshold, for LATENCY.
#[derive(Default)]
pub(super) struct Spikes {
    /// In milliseconds; 0: none is kept.
    pub threshold: u64,
    /// By event: seconds since 1970, and the longest time in that second in milliseconds.
    events: BTreeMap<&'static str, VecDeque<(i64, u64)>>,
}

impl Spikes {
    /// Notes how long an event took.
    pub fn note(&mut self, event: &'static str, at: i64, took: Duration) {
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        if self.threshold == 0 || millis < self.threshold {
            return;
        }
        let spikes = self.events.entry(event).or_default();
        match spikes.back_mut() {
            Some(last) if last.0 == at => last.1 = last.1.max(millis),
            _ => spikes.push_back((at, millis)),
        }
        if spikes.len() > SPIKES {
            spikes.pop_front();
        }
    }

    /// The spikes of an event, oldest first.
    pub fn of(&self, event: &[u8]) -> impl ExactSizeIterator<Item = &(i64, u64)> {
        static NONE: VecDeque<(i64, u64)> = VecDeque::new();
        let name = std::str::from_utf8(event).unwrap_or_default();
        self.events.get(name).unwrap_or(&NONE).iter()
    }

    /// The events that have spikes.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.events.keys().copied()
    }

    /// Forgets an event. Returns whether it had spikes.
    pub fn forget(&mut self, event: &[u8]) -> bool {
        let name = std::str::from_utf8(event).unwrap_or_default();
        self.events.remove(name).is_some()
    }
}
