//! Workloads that are made up by a seed.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::error::TraceError;
use super::key::Key;
use super::op::Op;
use super::skipped::Skipped;
use super::zipf::Zipf;
use super::{Record, Trace};
use crate::rng::Rng;

/// The exponent that YCSB uses.
const YCSB_SKEW: f64 = 0.99;
/// The number of ranks that YCSB scrambles.
const YCSB_RANKS: u64 = 10_000_000_000;
/// The longest scan of YCSB's workload E.
const LONGEST_SCAN: u64 = 100;
/// The whole of a share.
const WHOLE: u32 = 1_000_000;

/// The workloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Keys by Zipf's law: key 0 is the most popular one, then 1.
    Zipf,
    /// All keys alike.
    Uniform,
    /// Each key once, in order: a cache never hits.
    Scan,
    /// All keys in order, again and again.
    Loop,
    /// 80 % of the requests go to the first 20 % of the keys.
    Hotspot,
    /// YCSB A: 50 % reads, 50 % updates, scrambled Zipf.
    YcsbA,
    /// YCSB B: 95 % reads, 5 % updates, scrambled Zipf.
    YcsbB,
    /// YCSB C: reads, scrambled Zipf.
    YcsbC,
    /// YCSB D: 95 % reads of the latest keys, 5 % inserts.
    YcsbD,
    /// YCSB E: 95 % scans of up to 100 keys, each a get, and 5 % inserts.
    YcsbE,
    /// YCSB F: 50 % reads, 50 % reads followed by a write of the key.
    YcsbF,
}

impl Kind {
    /// All workloads.
    pub const ALL: [Self; 11] = [
        Self::Zipf,
        Self::Uniform,
        Self::Scan,
        Self::Loop,
        Self::Hotspot,
        Self::YcsbA,
        Self::YcsbB,
        Self::YcsbC,
        Self::YcsbD,
        Self::YcsbE,
        Self::YcsbF,
    ];

    /// Whether it is one of YCSB's, which have their own share of writes and skew.
    #[must_use]
    pub const fn is_ycsb(self) -> bool {
        matches!(
            self,
            Self::YcsbA | Self::YcsbB | Self::YcsbC | Self::YcsbD | Self::YcsbE | Self::YcsbF
        )
    }

    /// What it is, in a line.
    #[must_use]
    pub const fn summary(self) -> &'static str {
        match self {
            Self::Zipf => "keys by Zipf's law: few keys get most requests",
            Self::Uniform => "all keys alike",
            Self::Scan => "each key once, in order: a cache never hits",
            Self::Loop => "all keys in order, again and again",
            Self::Hotspot => "80 % of the requests go to 20 % of the keys",
            Self::YcsbA => "50 % reads, 50 % updates, scrambled Zipf",
            Self::YcsbB => "95 % reads, 5 % updates, scrambled Zipf",
            Self::YcsbC => "reads, scrambled Zipf",
            Self::YcsbD => "95 % reads of the latest keys, 5 % inserts",
            Self::YcsbE => "95 % scans of up to 100 keys, 5 % inserts",
            Self::YcsbF => "50 % reads, 50 % reads and then a write of the key",
        }
    }

    /// The share of writes that YCSB gives it, in millionths.
    const fn writes(self) -> u32 {
        match self {
            Self::YcsbA | Self::YcsbF => WHOLE / 2,
            Self::YcsbB | Self::YcsbD | Self::YcsbE => WHOLE / 20,
            _ => 0,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zipf => "zipf",
            Self::Uniform => "uniform",
            Self::Scan => "scan",
            Self::Loop => "loop",
            Self::Hotspot => "hotspot",
            Self::YcsbA => "ycsb-a",
            Self::YcsbB => "ycsb-b",
            Self::YcsbC => "ycsb-c",
            Self::YcsbD => "ycsb-d",
            Self::YcsbE => "ycsb-e",
            Self::YcsbF => "ycsb-f",
        })
    }
}

/// An invalid workload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkloadError {
    /// No workload has this name.
    #[error("there is no workload {0:?}: use one of {names}", names = names())]
    Unknown(String),
    /// No keys.
    #[error("keys are from 1 to 2^48")]
    Keys,
    /// A skew that is no exponent.
    #[error("a skew is a number from 0 to 10")]
    Skew,
    /// No rate.
    #[error("a rate is from 1 to 1000000000 requests a second")]
    Rate,
    /// More than the whole.
    #[error("writes are from 0% to 100%")]
    Writes,
    /// A range whose end is before its start.
    #[error("the end of a range is before its start")]
    Range,
    /// An option that YCSB settles.
    #[error("{kind} has {what} of its own")]
    Settled {
        /// The workload.
        kind: Kind,
        /// What cannot be set.
        what: &'static str,
    },
}

fn names() -> String {
    Kind::ALL.map(|kind| kind.to_string()).join(", ")
}

impl FromStr for Kind {
    type Err = WorkloadError;

    fn from_str(name: &str) -> Result<Self, WorkloadError> {
        let is = |kind: &Self| kind.to_string().eq_ignore_ascii_case(name);
        let unknown = || WorkloadError::Unknown(name.into());
        Self::ALL.into_iter().find(is).ok_or_else(unknown)
    }
}

/// A workload. The same one gives the same requests, in every version.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// Which one.
    pub kind: Kind,
    /// How many keys, 1 to 2^48. A scan has as many as requests; YCSB D and E insert further ones.
    pub keys: u64,
    /// How many requests.
    pub requests: u64,
    /// The exponent of Zipf's law, 0 to 10: of `zipf` 1 unless it is given, of YCSB 0.99.
    pub skew: Option<f64>,
    /// Bytes of objects. Each key has one size.
    pub sizes: Option<RangeInclusive<u64>>,
    /// Milliseconds that objects live, at least 1. Each key has one TTL.
    pub ttls: Option<RangeInclusive<u64>>,
    /// The share of writes, in millionths: 0 unless it is given, of YCSB its own.
    pub writes: Option<u32>,
    /// Requests a second, 1 to 10^9.
    pub rate: u64,
    /// The seed.
    pub seed: u64,
}

impl Workload {
    /// One million gets of 100,000 keys, 1,000 a second.
    #[must_use]
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind,
            keys: 100_000,
            requests: 1_000_000,
            skew: None,
            sizes: None,
            ttls: None,
            writes: None,
            rate: 1000,
            seed: 0,
        }
    }

    /// Checks the bounds.
    ///
    /// # Errors
    /// [`WorkloadError`].
    pub fn check(&self) -> Result<(), WorkloadError> {
        let kind = self.kind;
        let settled = |what| Err(WorkloadError::Settled { kind, what });
        let is_empty = |range: &Option<RangeInclusive<u64>>| {
            range.as_ref().is_some_and(RangeInclusive::is_empty)
        };
        let has_skew = kind == Kind::Zipf || kind.is_ycsb();
        match self {
            _ if !(1..=1 << 48).contains(&self.keys) => Err(WorkloadError::Keys),
            _ if !(1..=1_000_000_000).contains(&self.rate) => Err(WorkloadError::Rate),
            _ if self.skew.is_some_and(|skew| !(0.0..=10.0).contains(&skew)) => {
                Err(WorkloadError::Skew)
            }
            _ if self.writes.is_some_and(|writes| writes > WHOLE) => Err(WorkloadError::Writes),
            _ if is_empty(&self.sizes) || is_empty(&self.ttls) => Err(WorkloadError::Range),
            _ if self.writes.is_some() && kind.is_ycsb() => settled("a share of writes"),
            _ if self.skew.is_some() && !has_skew => settled("a distribution"),
            _ => Ok(()),
        }
    }

    /// Its requests.
    ///
    /// # Errors
    /// [`WorkloadError`].
    pub fn trace(&self) -> Result<Generator, WorkloadError> {
        self.check()?;
        Ok(Generator::new(self.clone()))
    }
}

/// The requests of a [`Workload`], as a trace.
#[derive(Debug)]
pub struct Generator {
    workload: Workload,
    rng: Rng,
    zipf: Zipf,
    /// Requests so far.
    done: u64,
    /// Keys so far; inserts add to them.
    keys: u64,
    writes: u32,
    /// The requests that follow the last one: the rest of a scan, or the write after a read.
    left: u64,
    next: (u64, Op),
    skipped: Skipped,
}

impl Generator {
    fn new(workload: Workload) -> Self {
        let kind = workload.kind;
        let usual = if kind.is_ycsb() { YCSB_SKEW } else { 1.0 };
        let is_scrambled = kind.is_ycsb() && kind != Kind::YcsbD;
        let ranks = if is_scrambled {
            YCSB_RANKS
        } else {
            workload.keys
        };
        Self {
            rng: Rng::new(workload.seed),
            zipf: Zipf::new(ranks, workload.skew.unwrap_or(usual)),
            done: 0,
            keys: workload.keys,
            writes: workload.writes.unwrap_or(kind.writes()),
            left: 0,
            next: (0, Op::Get),
            skipped: Skipped::default(),
            workload,
        }
    }

    /// The next key and operation.
    fn step(&mut self) -> (u64, Op) {
        if self.left > 0 {
            self.left -= 1;
            let (key, op) = self.next;
            self.next.0 = (key + 1) % self.keys;
            return (key, op);
        }
        let is_write = self.rng.below(WHOLE.into()) < self.writes.into();
        let key = self.draw();
        match (self.workload.kind, is_write) {
            (Kind::YcsbD | Kind::YcsbE, true) => {
                self.keys += 1;
                (self.keys - 1, Op::Set)
            }
            (Kind::YcsbE, false) => {
                self.left = self.rng.below(LONGEST_SCAN);
                self.next = ((key + 1) % self.keys, Op::Get);
                (key, Op::Get)
            }
            (Kind::YcsbF, true) => {
                (self.left, self.next) = (1, (key, Op::Set));
                (key, Op::Get)
            }
            (_, true) => (key, Op::Set),
            (_, false) => (key, Op::Get),
        }
    }

    fn draw(&mut self) -> u64 {
        let Self { rng, keys, .. } = self;
        match self.workload.kind {
            Kind::Zipf => self.zipf.draw(rng) - 1,
            Kind::Uniform => rng.below(*keys),
            Kind::Scan => self.done,
            Kind::Loop => self.done % *keys,
            Kind::Hotspot => {
                let hot = (*keys / 5).max(1);
                let is_hot = rng.below(5) < 4 || hot == *keys;
                if is_hot {
                    rng.below(hot)
                } else {
                    hot + rng.below(*keys - hot)
                }
            }
            Kind::YcsbD => *keys - self.zipf.draw(rng).min(*keys),
            _ => fnv1a_64(self.zipf.draw(rng) - 1) % *keys,
        }
    }

    /// A number of the range that belongs to the key.
    fn of_key(&self, key: u64, salt: u64, range: Option<&RangeInclusive<u64>>) -> Option<u64> {
        let range = range?;
        let (start, end) = (*range.start(), *range.end());
        let mut rng = Rng::new(self.workload.seed ^ fnv1a_64(key) ^ salt);
        Some(start + rng.below((end - start).saturating_add(1)))
    }
}

/// FNV-1a, 64 bits, over the bytes of a number: how YCSB scrambles ranks.
fn fnv1a_64(number: u64) -> u64 {
    number
        .to_le_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
}

impl Trace for Generator {
    fn next(&mut self) -> Result<Option<Record<'_>>, TraceError> {
        if self.done >= self.workload.requests {
            return Ok(None);
        }
        let (key, op) = self.step();
        let (number, rate) = (self.done, self.workload.rate);
        self.done += 1;
        let nanos = u128::from(number % rate) * 1_000_000_000 / u128::from(rate);
        let nanos = u32::try_from(nanos).unwrap_or(0);
        let ttl = self.of_key(key, 1, self.workload.ttls.as_ref());
        Ok(Some(Record {
            op,
            size: self.of_key(key, 0, self.workload.sizes.as_ref()),
            time: Some(Duration::new(number / rate, nanos)),
            ttl: ttl.map(|millis| Duration::from_millis(millis.max(1))),
            ..Record::get(Key::Number(key))
        }))
    }

    fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    fn position(&self) -> u64 {
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(workload: &Workload) -> Vec<(u64, Op)> {
        let mut trace = workload.trace().expect("a workload");
        let mut all = Vec::new();
        while let Some(record) = trace.next().expect("nothing is read") {
            let Key::Number(key) = record.key else {
                panic!("a number");
            };
            all.push((key, record.op));
        }
        all
    }

    #[test]
    fn each_workload_is_deterministic_and_has_its_mix() {
        for kind in Kind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
            let workload = Workload {
                keys: 1000,
                requests: 20_000,
                seed: 5,
                ..Workload::new(kind)
            };
            let all = keys(&workload);
            assert_eq!(
                (all.len(), keys(&workload)),
                (20_000, all.clone()),
                "{kind}"
            );
            let sets = all.iter().filter(|it| it.1 == Op::Set).count();
            let expected = match kind {
                Kind::YcsbA => 9_500..10_500,
                Kind::YcsbB | Kind::YcsbD => 850..1150,
                Kind::YcsbE => 5..60,
                Kind::YcsbF => 6_200..7_100,
                _ => 0..1,
            };
            assert!(expected.contains(&sets), "{kind}: {sets} sets");
            let beyond = all.iter().any(|it| it.0 >= 1000);
            assert_eq!(
                beyond,
                matches!(kind, Kind::Scan | Kind::YcsbD | Kind::YcsbE),
                "{kind}"
            );
        }
    }

    #[test]
    fn the_simple_ones_are_what_they_say() {
        let of = |kind| {
            keys(&Workload {
                keys: 10,
                requests: 100_000,
                ..Workload::new(kind)
            })
        };
        assert!(of(Kind::Scan).iter().zip(0..).all(|(it, at)| it.0 == at));
        assert!(
            of(Kind::Loop)
                .iter()
                .zip(0..)
                .all(|(it, at)| it.0 == at % 10)
        );
        let hot = of(Kind::Hotspot).iter().filter(|it| it.0 < 2).count();
        assert!((79_000..81_000).contains(&hot), "{hot}");
    }

    #[test]
    fn sizes_and_ttls_belong_to_keys() {
        let workload = Workload {
            keys: 50,
            requests: 5_000,
            sizes: Some(10..=20),
            ttls: Some(1000..=1000),
            writes: Some(WHOLE / 2),
            ..Workload::new(Kind::Uniform)
        };
        let mut trace = workload.trace().expect("a workload");
        let mut sizes = [0; 50];
        while let Some(record) = trace.next().expect("nothing is read") {
            let Key::Number(key) = record.key else {
                panic!("a number");
            };
            let size = record.size.expect("a size");
            let known = &mut sizes[usize::try_from(key).expect("small")];
            assert!((10..=20).contains(&size) && (*known == 0 || *known == size));
            *known = size;
            assert_eq!(record.ttl, Some(Duration::from_secs(1)));
        }
    }

    #[test]
    fn bounds_are_checked() {
        let check = |change: fn(&mut Workload)| {
            let mut workload = Workload::new(Kind::YcsbA);
            change(&mut workload);
            workload.check().is_err()
        };
        assert!(!check(|_| {}));
        assert!(check(|it| it.keys = 0));
        assert!(check(|it| it.rate = 0));
        assert!(check(|it| it.skew = Some(f64::NAN)));
        assert!(check(|it| it.writes = Some(1)));
        assert!(check(
            |it| (it.kind, it.writes) = (Kind::Zipf, Some(WHOLE + 1))
        ));
        #[expect(clippy::reversed_empty_ranges, reason = "it is refused")]
        let wrong = check(|it| it.sizes = Some(2..=1));
        assert!(wrong);
        assert!(check(|it| (it.kind, it.skew) = (Kind::Loop, Some(1.0))));
    }
}
