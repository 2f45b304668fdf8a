//! Damaged traces: whatever the bytes, reading ends with records or an error, and never with a panic.
//!
//! Each case comes from a seed, which a failure prints. `TRACE_SEED=17` replays one, and
//! `TRACE_SEEDS=1000000` runs that many.

use std::ops::Range;
use std::sync::Arc;

use super::sample_tests::samples;
use super::tests::{compressed, input};
use super::*;
use crate::rng::Rng;

/// Bytes of a damaged trace, so that a case is fast.
const MAX_BYTES: usize = 20_000;
/// Formats that each case is forced into besides its own.
const FORCED: u64 = 6;

fn seeds() -> Range<u64> {
    let number = |name| {
        std::env::var(name)
            .ok()
            .map(|it| it.parse().expect("a number"))
    };
    match number("TRACE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TRACE_SEEDS").unwrap_or(400),
    }
}

/// Prints the seed of a case that panics.
struct Shown(u64);

impl Drop for Shown {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("replay it with TRACE_SEED={}", self.0);
        }
    }
}

fn below(rng: &mut Rng, end: usize) -> usize {
    usize::try_from(rng.below(end.max(1) as u64)).expect("it was one")
}

/// A part of the bytes, at most so long.
fn part(rng: &mut Rng, bytes: &[u8], most: usize) -> Range<usize> {
    let start = below(rng, bytes.len() + 1);
    let len = below(rng, most.min(bytes.len() - start) + 1);
    start..start + len
}

/// Text and bytes that are known to hurt.
const WORDS: &[&[u8]] = &[
    b"18446744073709551615",
    b"18446744073709551616",
    b"-9223372036854775808",
    b"99999999999999999999999999",
    b"0.99999999999999999999e300",
    b"0xffffffffffffffff",
    b"nan",
    b"\"",
    b"\\x",
    b"*1000000\r\n$-1\r\n",
    b"$18446744073709551615\r\n",
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\n",
    b"\r\n",
    b"#",
    b",",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\0\0\0\0\0\0\0\x80",
];

/// Changes one thing.
fn damage(rng: &mut Rng, bytes: &mut Vec<u8>, other: &[u8]) {
    let at = below(rng, bytes.len());
    match rng.below(8) {
        0 if !bytes.is_empty() => bytes[at] ^= 1 << rng.below(8),
        1 if !bytes.is_empty() => bytes[at] = rng.next_u64().to_le_bytes()[0],
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(part(rng, bytes, 200))),
        4 => {
            let word = WORDS[below(rng, WORDS.len())];
            bytes.splice(at..at, word.iter().copied());
        }
        5 => {
            let word = WORDS[below(rng, WORDS.len())];
            let end = (at + word.len()).min(bytes.len());
            bytes.splice(at..end, word.iter().copied());
        }
        6 => {
            let block = bytes[part(rng, bytes, 300)].repeat(below(rng, 20));
            bytes.splice(at..at, block);
        }
        _ => {
            let range = part(rng, bytes, 500);
            let with = other[part(rng, other, 500)].to_vec();
            bytes.splice(range, with);
        }
    }
    bytes.truncate(MAX_BYTES);
}

/// Bytes at random, or a damaged sample, or one that was compressed and then damaged.
fn damaged(rng: &mut Rng) -> (Vec<u8>, Format) {
    let samples = samples();
    let sample = &samples[below(rng, samples.len())];
    let other = &samples[below(rng, samples.len())].bytes;
    let mut bytes = sample.bytes[..sample.bytes.len().min(MAX_BYTES)].to_vec();
    if rng.below(10) == 0 {
        bytes = (0..rng.below(400))
            .map(|_| rng.next_u64().to_le_bytes()[0])
            .collect();
    }
    for _ in 0..rng.below(4) {
        damage(rng, &mut bytes, other);
    }
    let kinds = [Compression::Gzip, Compression::Zstd, Compression::Xz];
    if rng.below(4) == 0 {
        bytes = compressed(&bytes, kinds[below(rng, 3)]);
        for _ in 0..rng.below(3) {
            damage(rng, &mut bytes, other);
        }
    }
    (bytes, sample.format)
}

/// Options that use everything.
fn spec(rng: &mut Rng, format: Format) -> Spec {
    let columns = ColumnNumbers {
        key: Some(5),
        size: Some(6),
        time: Some(7),
        op: Some(1),
        ttl: Some(4),
        count: Some(3),
    };
    let is_split = rng.below(2) == 0 && (format.has_blocks() || format == Format::Csv);
    let has_columns = format == Format::Binary || format == Format::Csv && rng.below(2) == 0;
    Spec {
        layout: Some("<bBcHiQfd".into()),
        columns: if has_columns {
            columns
        } else {
            ColumnNumbers::default()
        },
        numeric: rng.below(2) == 0,
        prefix: rng.below(2) == 0,
        block: is_split.then_some(512),
        split: is_split.then_some(1 << rng.below(13)),
        ..format.into()
    }
}

/// Reads the first records in one of the ways in which they are used. An error names the trace, unless
/// it is about what is done with it.
fn read(rng: &mut Rng, spec: &Spec, bytes: &[u8]) {
    let result = spec.read(input("any", bytes)).and_then(|mut trace| {
        let mut calls = 0;
        let mut go_on = |_| {
            calls += 1;
            calls < 3
        };
        match rng.below(3) {
            0 => inspect(&mut *trace, &mut go_on).map(drop),
            1 => {
                let output = Output::ALL[below(rng, Output::ALL.len())];
                convert(&mut *trace, output, &mut Vec::new(), &mut go_on).map(drop)
            }
            _ => columns(&mut *trace),
        }
    });
    if let Err(error) = result {
        let is_unplaced = error.place() == Place::Whole;
        assert!(
            is_unplaced || error.to_string().starts_with("any:"),
            "{error}"
        );
    }
}

fn columns(trace: &mut dyn Trace) -> Result<(), TraceError> {
    let wanted = Wanted {
        sizes: true,
        times: true,
        ops: true,
        ttls: true,
        follows: true,
        keys: true,
    };
    let mut limits = Limits {
        requests: 50_000,
        go_on: &mut |_| true,
    };
    let columns = Columns::read(trace, wanted, &mut limits)?;
    assert_eq!(columns.sizes.len(), columns.ids.len());
    assert!(columns.ids.iter().all(|&id| id < columns.objects));
    Ok(())
}

#[test]
fn damaged_traces_are_read_or_refused() {
    for seed in seeds() {
        let _shown = Shown(seed);
        let mut rng = Rng::new(seed);
        let (bytes, format) = damaged(&mut rng);
        if let Ok(mut source) =
            Input::new(Box::new(std::io::Cursor::new(bytes.clone())), "any", None)
            && let Ok(detected) = detect(&mut source)
        {
            read(&mut rng, &detected.spec, &bytes);
        }
        let others = (0..FORCED).map(|_| Format::ALL[below(&mut rng, Format::ALL.len())]);
        let all: Vec<Format> = std::iter::once(format).chain(others).collect();
        for format in all {
            let spec = spec(&mut rng, format);
            if Input::new(Box::new(std::io::Cursor::new(bytes.clone())), "any", None).is_ok() {
                read(&mut rng, &spec, &bytes);
            }
        }
    }
}

#[test]
fn a_sample_that_is_given_piece_by_piece_is_the_same() {
    /// One byte at a time, and interrupted.
    struct Slow(Arc<[u8]>, usize, bool);
    impl std::io::Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.2 = !self.2;
            if self.2 {
                return Err(std::io::ErrorKind::Interrupted.into());
            }
            let Some(&byte) = self.0.get(self.1) else {
                return Ok(0);
            };
            buffer[0] = byte;
            self.1 += 1;
            Ok(1)
        }
    }
    for sample in samples()
        .into_iter()
        .filter(|sample| sample.bytes.len() < 10_000)
    {
        let slow = Slow(sample.bytes.clone().into(), 0, false);
        let mut source = Input::new(Box::new(slow), sample.name, None).expect("readable");
        let detected = detect(&mut source).expect("it is known");
        assert_eq!(detected.spec.format, sample.format);
        let mut trace = detected.spec.read(source).expect("it fits");
        let found = inspect(&mut trace, &mut |_| true).expect("readable");
        assert_eq!([found.requests, found.objects], sample.expected[..2]);
    }
}
