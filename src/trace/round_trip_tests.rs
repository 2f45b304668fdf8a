//! Traces that are converted and read again.

use std::time::Duration;

use proptest::prelude::*;

use super::tests::given;
use super::*;

/// A record that owns its key.
#[derive(Clone, Debug, PartialEq)]
struct Made {
    key: Vec<u8>,
    op: Op,
    size: Option<u64>,
    time: Option<Duration>,
    ttl: Option<Duration>,
}

impl Made {
    fn of(record: &Record<'_>) -> Self {
        Self {
            key: record.key.to_bytes(),
            op: record.op,
            size: record.size,
            time: record.time,
            ttl: record.ttl,
        }
    }
}

/// A trace of such records.
struct Records {
    all: Vec<Made>,
    next: usize,
    skipped: Skipped,
}

impl Records {
    fn new(all: &[Made]) -> Self {
        Self {
            all: all.to_vec(),
            next: 0,
            skipped: Skipped::default(),
        }
    }
}

impl Trace for Records {
    fn next(&mut self) -> Result<Option<Record<'_>>, TraceError> {
        self.next += 1;
        Ok(self.all.get(self.next - 1).map(|made| Record {
            op: made.op,
            size: made.size,
            time: made.time,
            ttl: made.ttl,
            ..Record::get(Key::of(&made.key))
        }))
    }

    fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    fn position(&self) -> u64 {
        self.next as u64
    }
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<u64>().prop_map(|key| key.to_string().into_bytes()),
        (0..20_i64).prop_map(|key| (key - 5).to_string().into_bytes()),
        "[ #,;\"a-c\\r\\n\\t-]{0,6}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..12),
        Just(b"\xef\xbb\xbfa".to_vec()),
        Just(vec![b'x'; 5000]),
    ]
}

fn made() -> impl Strategy<Value = Made> {
    let op = prop_oneof![
        Just(Op::Get),
        Just(Op::Set),
        Just(Op::Add),
        Just(Op::Delete)
    ];
    let size = proptest::option::of(prop_oneof![0..5_000_000_000_u64, any::<u64>(), 0..9_u64]);
    let time = prop_oneof![0..10_u64, 0..9_000_000_000_u64, Just(u64::MAX)];
    let time = proptest::option::of((time, 0..1_000_000_000_u32));
    let ttl = proptest::option::of((0..4_000_000_u64, 1..1_000_000_000_u32));
    let duration = |it: Option<(u64, u32)>| it.map(|(secs, nanos)| Duration::new(secs, nanos));
    (key(), op, size, time, ttl).prop_map(move |(key, op, size, time, ttl)| Made {
        key,
        op,
        size,
        time: duration(time),
        ttl: duration(ttl),
    })
}

fn written(records: &[Made], output: Output) -> Result<Vec<u8>, TraceError> {
    let mut bytes = Vec::new();
    convert(&mut Records::new(records), output, &mut bytes, &mut |_| {
        true
    })?;
    Ok(bytes)
}

fn read(format: &str, bytes: &[u8]) -> Vec<Made> {
    let mut trace = given(format, bytes);
    let mut all = Vec::new();
    while let Some(record) = trace.next().expect("what was written is readable") {
        all.push(Made::of(&record));
    }
    assert_eq!(trace.skipped().total(), 0);
    all
}

/// What formats with numbers for keys keep of them.
fn numbers(records: &[Made]) -> Vec<u64> {
    let are_numbers = |made: &Made| matches!(Key::of(&made.key), Key::Number(_));
    let keep = records.iter().all(are_numbers);
    let mut seen: Vec<&[u8]> = Vec::new();
    let mut all = Vec::new();
    for Made { key, .. } in records {
        if let (Key::Number(number), true) = (Key::of(key), keep) {
            all.push(number);
            continue;
        }
        let at = seen.iter().position(|it| *it == key.as_slice());
        if at.is_none() {
            seen.push(key);
        }
        all.push(at.unwrap_or(seen.len() - 1) as u64);
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn csv_has_every_column(records in proptest::collection::vec(made(), 1..30)) {
        let bytes = written(&records, Output::Csv).expect("csv holds everything");
        prop_assert_eq!(read("csv", &bytes), records);
    }

    #[test]
    fn txt_has_the_keys_or_refuses(records in proptest::collection::vec(made(), 1..30)) {
        match written(&records, Output::Text) {
            Ok(bytes) => {
                let keys = |all: &[Made]| all.iter().map(|it| it.key.clone()).collect::<Vec<_>>();
                prop_assert_eq!(keys(&read("txt", &bytes)), keys(&records));
            }
            Err(error) => prop_assert!(error.message().contains("use csv"), "{}", error),
        }
    }

    #[test]
    fn binary_formats_have_what_fits_or_refuse(
        records in proptest::collection::vec(made(), 1..30), is_small in any::<bool>(),
    ) {
        let mut records = records;
        if is_small {
            for made in &mut records {
                made.size = made.size.map(|size| size % (1 << 32));
                made.time = made.time.map(|time| Duration::from_secs(time.as_secs() % (1 << 32)));
            }
        }
        let expected = numbers(&records);
        let ids = read("u64le", &written(&records, Output::U64le).expect("keys fit"));
        let number = |made: &Made| String::from_utf8_lossy(&made.key).parse::<u64>().expect("a number");
        prop_assert_eq!(ids.iter().map(number).collect::<Vec<_>>(), expected.clone());
        for (output, format) in [(Output::OracleGeneral, "oracleGeneral"), (Output::Lcs, "lcs")] {
            let bytes = match written(&records, output) {
                Ok(bytes) => bytes,
                Err(error) => {
                    prop_assert!(!is_small, "{}", error);
                    continue;
                }
            };
            let all = read(format, &bytes);
            prop_assert_eq!(all.iter().map(number).collect::<Vec<_>>(), expected.clone());
            let sizes = records.iter().map(|it| Some(it.size.unwrap_or(1)));
            prop_assert_eq!(all.iter().map(|it| it.size).collect::<Vec<_>>(), sizes.collect::<Vec<_>>());
            if is_small {
                let mut last = Duration::ZERO;
                let times = records.iter().map(|it| {
                    last = it.time.unwrap_or(last);
                    Some(last)
                });
                prop_assert_eq!(all.iter().map(|it| it.time).collect::<Vec<_>>(), times.collect::<Vec<_>>());
            }
        }
    }
}
