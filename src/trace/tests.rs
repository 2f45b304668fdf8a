//! Each format, read with detection and compressed; and what is written, read back.

use std::io::Write;

use super::sample_tests::{Expected, Sample, record, samples};
use super::*;

pub(super) fn input(name: &str, bytes: &[u8]) -> Input {
    let len = Some(bytes.len() as u64);
    let source = std::io::Cursor::new(bytes.to_vec());
    Input::new(Box::new(source), name, len).expect("bytes in memory")
}

pub(super) fn detected(name: &str, bytes: &[u8]) -> (Detected, BoxedTrace) {
    let mut input = input(name, bytes);
    let detected = detect(&mut input).unwrap_or_else(|error| panic!("{error}"));
    let trace = detected.spec.read(input).expect("the format fits");
    (detected, trace)
}

pub(super) fn inspected(trace: &mut dyn Trace) -> Result<Inspection, TraceError> {
    inspect(trace, &mut |_| true)
}

fn counts(found: &Inspection) -> Expected {
    let Inspection {
        requests,
        objects,
        bytes,
        gets,
        sets,
        deletes,
        ..
    } = *found;
    [requests, objects, bytes, gets, sets, deletes]
}

pub(super) fn given(spec: &str, bytes: &[u8]) -> BoxedTrace {
    let spec: Spec = spec.parse().expect("a format");
    spec.read(input("given", bytes)).expect("the format fits")
}

pub(super) fn compressed(bytes: &[u8], compression: Compression) -> Vec<u8> {
    let mut out = Compressed::new(Vec::new(), compression).expect("an encoder");
    out.write_all(bytes).expect("in memory");
    out.finish().expect("in memory")
}

#[test]
fn each_format_is_detected_and_counted() {
    for Sample {
        name,
        format,
        bytes,
        expected,
    } in samples()
    {
        let (detected, mut trace) = detected(name, &bytes);
        let found = inspected(&mut trace).unwrap_or_else(|error| panic!("{format}: {error}"));
        assert_eq!(
            (detected.spec.format, counts(&found)),
            (format, expected),
            "{found:?}"
        );
    }
    let with_sample = |format: &Format| samples().iter().any(|sample| sample.format == *format);
    let without: Vec<_> = Format::ALL
        .iter()
        .filter(|format| !with_sample(format))
        .collect();
    assert_eq!(without, [&Format::Binary]);
}

#[test]
fn each_format_is_read_compressed() {
    for Sample {
        name,
        format,
        bytes,
        expected,
    } in samples()
    {
        for compression in [Compression::Gzip, Compression::Zstd, Compression::Xz] {
            let (first, second) = bytes.split_at(bytes.len() / 2);
            // Two members, one behind the other, are one trace.
            let both = [
                compressed(first, compression),
                compressed(second, compression),
            ]
            .concat();
            let (detected, mut trace) = detected(name, &both);
            let found = inspected(&mut trace)
                .unwrap_or_else(|error| panic!("{format} {compression:?}: {error}"));
            assert_eq!(
                (detected.spec.format, counts(&found)),
                (format, expected),
                "{compression:?}"
            );
        }
    }
}

#[test]
fn what_is_skipped_is_named() {
    let skipped = |format: &str, bytes: &str| {
        let mut trace = given(format, bytes.as_bytes());
        let found = inspected(&mut trace).expect("readable");
        let all: Vec<_> = found
            .skipped
            .iter()
            .map(|(reason, count)| format!("{count} {reason}"))
            .collect();
        all.join(", ")
    };
    assert_eq!(skipped("lirs", "1\n*\n*\n"), "2 mark");
    assert_eq!(
        skipped("lrb", "1 2 3\n1 2\nx\n"),
        "1 unreadable: no id, 1 unreadable: no size"
    );
    assert_eq!(
        skipped("csv", "key,op\na,jump\nb,get\n"),
        "1 operation \"jump\""
    );
    assert_eq!(
        skipped(
            "redis-monitor",
            "1.5 [0 a:1] \"PING\"\nnonsense\n1.5 [0 a:1] \"get\"\n"
        ),
        "1 GET with 0 arguments, 1 command PING, 1 unreadable: no line of MONITOR"
    );
    assert_eq!(
        skipped("memcached-watch", "[skipped: 7]\n"),
        "7 lost by the server, whose log was full"
    );
    let twr = record(&[(1, 4), (7, 8), (20 << 22, 4), (1 << 24, 4)]);
    let found = inspected(&mut given("twr", &twr)).expect("readable");
    assert_eq!(
        found.skipped.iter().collect::<Vec<_>>(),
        [("get with an empty value", 1)]
    );
}

#[test]
fn options_name_columns_and_layouts() {
    let counted =
        |spec: &str, bytes: &[u8]| counts(&inspected(&mut given(spec, bytes)).expect("readable"));
    let rows = b"5,017,x,2\n6,0x11,y,3\n";
    assert_eq!(
        counted("csv,obj-id-col=2,obj-size-col=4,has-header=false", rows),
        [2, 2, 5, 2, 0, 0]
    );
    assert_eq!(
        counted("csv,obj-id-col=2,obj-id-is-num=1,cnt-col=4", rows),
        [5, 1, 5, 5, 0, 0]
    );
    let pipes = b"when|what\n1|a\n2|a\n";
    assert_eq!(
        counted("csv,obj-id-col=2,time-col=1", pipes),
        [2, 1, 2, 2, 0, 0]
    );
    let packed = [
        record(&[(7, 8), (-1, 4), (200, 1)]),
        record(&[(7, 8), (-2, 4), (200, 1)]),
    ]
    .concat();
    assert_eq!(
        counted(
            "binary,format=<QiB,obj-id-col=2,obj-size-col=3,time-col=1",
            &packed
        ),
        [2, 2, 400, 2, 0, 0]
    );
    assert_eq!(
        counted("binary,format=<Q", &7_u64.to_le_bytes()),
        [1, 1, 1, 1, 0, 0]
    );
    for wrong in [
        "binary",
        "binary,format=<x",
        "binary,format=<QQ",
        "binary,format=<Q,obj-id-col=2",
        "csv",
        "txt,split=1",
    ] {
        let read = wrong
            .parse::<Spec>()
            .map(|spec| spec.read(input("x", b"1,2\n")).is_err());
        assert!(read.unwrap_or(true), "{wrong}");
    }
}

#[test]
fn block_requests_are_split() {
    let rows = "419,W,8191,2,1\n419,R,0,4096,2\n420,R,4096,1,3\n421,R,0,0,3\n";
    let spec = Spec {
        split: Some(4096),
        ..Format::Alibaba.into()
    };
    let mut trace = spec
        .read(input("a", rows.as_bytes()))
        .expect("it can be split");
    let mut keys = Vec::new();
    while let Some(record) = trace.next().expect("readable") {
        keys.push((
            OwnedKey::from(record.key).to_string(),
            record.size,
            record.op,
        ));
    }
    let expected = [
        ("419:1", Op::Set),
        ("419:2", Op::Set),
        ("419:0", Op::Get),
        ("420:1", Op::Get),
        ("421:0", Op::Get),
    ];
    let expected = expected.map(|(key, op)| (key.to_owned(), Some(4096), op));
    assert_eq!(keys, expected);
    let spec = Spec {
        split: Some(4096),
        ..Format::Txt.into()
    };
    let error = spec
        .read(input("a", b"1\n"))
        .err()
        .expect("keys have no blocks");
    assert!(error.to_string().contains("cannot be split"), "{error}");
}

#[test]
fn times_are_exact_and_ttls_are_kept() {
    let mut trace = given(
        "redis-monitor",
        b"1339518083.107412 [0 a:1] \"SETEX\" \"k\" \"60\" \"v\"\n",
    );
    let record = trace.next().expect("readable").expect("one");
    assert_eq!(record.time, Some(Duration::new(1_339_518_083, 107_412_000)));
    assert_eq!(record.ttl, Some(Duration::from_mins(1)));
    let mut trace = given(
        "mooncake,prefix=true",
        b"{\"timestamp\":1500,\"hash_ids\":[1,2]}",
    );
    let first = trace.next().expect("readable").expect("two");
    assert_eq!(
        (first.time, first.follows),
        (Some(Duration::from_millis(1500)), false)
    );
    assert!(trace.next().expect("readable").expect("two").follows);
    let mut trace = given(
        "redis-monitor",
        b"5.0 [0 a:1] \"SET\" \"k\" \"v\" \"EXAT\" \"4\"\n",
    );
    assert_eq!(trace.next().expect("readable").expect("one").op, Op::Delete);
    let mut trace = given(
        "redis-monitor",
        b"5.0 [2 a:1] \"GET\" \"k\"\n5.0 [0 a:1] \"GET\" \"db2:k\"\n",
    );
    let of_second = OwnedKey::from(trace.next().expect("readable").expect("two").key);
    let of_first = OwnedKey::from(trace.next().expect("readable").expect("two").key);
    assert_eq!(
        (of_second.as_bytes(), of_first.as_bytes()),
        (&b"db2:k"[..], &b"db0:db2:k"[..])
    );
}

/// All records of a trace, as text.
fn all(trace: &mut dyn Trace) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(record) = trace.next().expect("readable") {
        all.push(format!("{record:?}"));
    }
    all
}

pub(super) fn converted(
    trace: &mut dyn Trace,
    output: Output,
) -> Result<(Vec<u8>, Conversion), TraceError> {
    let mut bytes = Vec::new();
    let done = convert(trace, output, &mut bytes, &mut |_| true)?;
    Ok((bytes, done))
}

#[test]
fn csv_keeps_everything() {
    let workload = Workload {
        keys: 100,
        requests: 3000,
        sizes: Some(1..=10_000_000_000),
        ttls: Some(1..=5000),
        writes: Some(500_000),
        rate: 7,
        ..Workload::new(Kind::Zipf)
    };
    let (bytes, done) =
        converted(&mut workload.trace().expect("right"), Output::Csv).expect("all fits");
    let (detected, mut again) = detected("a", &bytes);
    assert_eq!((detected.spec.format, done.requests), (Format::Csv, 3000));
    assert_eq!(all(&mut again), all(&mut workload.trace().expect("right")));
    let odd =
        "time,key,size,op,ttl\n1,\" a \",1,get,\n,\"x,\"\"y\n\",,set,1.25\n2.000000001,,,add,\n";
    let (bytes, _) = converted(&mut given("csv", odd.as_bytes()), Output::Csv).expect("all fits");
    assert_eq!(
        all(&mut given("csv", &bytes)),
        all(&mut given("csv", odd.as_bytes()))
    );
}

#[test]
fn the_binary_formats_are_read_back() {
    let workload = Workload {
        keys: 50,
        requests: 2000,
        sizes: Some(5..=4_000_000_000),
        ..Workload::new(Kind::Zipf)
    };
    let expected = inspected(&mut workload.trace().expect("right")).expect("readable");
    for (output, format) in [
        (Output::OracleGeneral, Format::OracleGeneral),
        (Output::Lcs, Format::Lcs),
    ] {
        let (bytes, done) =
            converted(&mut workload.trace().expect("right"), output).expect("all fits");
        assert_eq!((done.requests, done.notes), (2000, vec![]));
        let (detected, mut trace) = detected("a", &bytes);
        assert_eq!(detected.spec.format, format);
        assert_eq!(
            counts(&inspected(&mut trace).expect("readable")),
            counts(&expected)
        );
        next_requests_are_right(&bytes[bytes.len() - 2000 * 24..]);
    }
    let (bytes, _) =
        converted(&mut workload.trace().expect("right"), Output::U64le).expect("all fits");
    assert_eq!(all(&mut given("u64le", &bytes)).len(), 2000);
    let (bytes, done) =
        converted(&mut workload.trace().expect("right"), Output::Text).expect("all fits");
    assert_eq!(
        (all(&mut given("txt", &bytes)).len(), done.notes.len()),
        (2000, 1)
    );
}

/// Recounts the last column: the number of the next request of the same key, from 1, or -1.
fn next_requests_are_right(bytes: &[u8]) {
    let records: Vec<_> = bytes.chunks_exact(24).collect();
    for (at, record) in records.iter().enumerate() {
        let later = records[at + 1..]
            .iter()
            .position(|other| other[4..12] == record[4..12]);
        let expected = later.map_or(-1, |later| {
            i64::try_from(at + 1 + later + 1).expect("small")
        });
        assert_eq!(record[16..], expected.to_le_bytes(), "request {at}");
    }
}

#[test]
fn what_a_format_cannot_hold_is_refused_or_noted() {
    let of = |csv: &str, output| converted(&mut given("csv", csv.as_bytes()), output);
    let error = of("key,size\na,5000000000\n", Output::OracleGeneral).expect_err("too large");
    assert!(
        error.to_string().contains("does not fit in 32 bits"),
        "{error}"
    );
    assert!(of("time,key\n5000000000,a\n", Output::Lcs).is_ok_and(|it| it.1.notes.len() == 2));
    assert!(of("time,key\n1,a\n5000000000,a\n", Output::Lcs).is_err());
    assert!(of("key,size\n\"#a\",1\n", Output::Text).is_err());
    assert!(of("key,size\n\"a\nb\",1\n", Output::Text).is_err());
    let (bytes, done) = of(
        "key,size,op\n-1,1,set\n18446744073709551615,1,get\n-1,1,get\n",
        Output::U64le,
    )
    .expect("fits");
    assert_eq!(bytes, [0_u64, 1, 0].map(u64::to_le_bytes).concat());
    assert_eq!(done.notes.len(), 2, "{:?}", done.notes);
}

#[test]
fn columns_hold_a_whole_trace() {
    let csv = "time,key,size,op,ttl,count\n1,-1,3,get,,1\n2,a,5000000000,set,1.5,2\n3,18446744073709551615,1,delete,,1\n4,a,7,get,,1\n";
    let wanted = Wanted {
        sizes: true,
        times: true,
        ops: true,
        ttls: true,
        follows: true,
        keys: true,
    };
    let read = |requests| {
        let mut go_on = |_| true;
        Columns::read(
            &mut given("csv", csv.as_bytes()),
            wanted,
            &mut Limits {
                requests,
                go_on: &mut go_on,
            },
        )
        .expect("readable")
    };
    let columns = read(u64::MAX);
    assert_eq!(
        (columns.ids.as_slice(), columns.objects, columns.is_cut),
        (&[0, 1, 1, 2, 1][..], 3, false)
    );
    let sizes: Vec<_> = (0..6).map(|at| columns.sizes.get(at)).collect();
    assert_eq!(
        sizes,
        [
            Some(3),
            Some(5_000_000_000),
            Some(5_000_000_000),
            Some(1),
            Some(7),
            None
        ]
    );
    assert_eq!(columns.times[3], 3_000_000_000);
    assert_eq!(
        (columns.ttls.get(0), columns.ttls.get(1)),
        (Some(0), Some(1500))
    );
    assert_eq!(columns.ops[1..4], [Op::Set, Op::Set, Op::Delete]);
    let keys: Vec<_> = (0..4).map(|id| columns.keys.get(id)).collect();
    assert_eq!(
        keys,
        [
            Some(Key::Negative(-1)),
            Some(Key::Bytes(b"a")),
            Some(Key::Number(u64::MAX)),
            None
        ]
    );
    let cut = read(2);
    assert_eq!((cut.ids.as_slice(), cut.is_cut), (&[0, 1][..], true));
    let whole = read(5);
    assert_eq!((whole.ids.len(), whole.is_cut), (5, false));
}

#[test]
fn the_caller_can_stop() {
    let workload = Workload::new(Kind::Loop);
    let mut calls = 0;
    let mut go_on = |_| {
        calls += 1;
        calls < 3
    };
    let mut limits = Limits {
        requests: u64::MAX,
        go_on: &mut go_on,
    };
    let error = Columns::read(
        &mut workload.trace().expect("right"),
        Wanted::default(),
        &mut limits,
    );
    assert!(error.expect_err("stopped").is_interrupted());
    let error = inspect(&mut workload.trace().expect("right"), &mut |_| false);
    assert!(error.expect_err("stopped").is_interrupted());
    for output in Output::ALL {
        let mut out = Vec::new();
        let error = convert(
            &mut workload.trace().expect("right"),
            output,
            &mut out,
            &mut |_| false,
        );
        assert!(error.expect_err("stopped").is_interrupted());
    }
}

#[test]
fn numbers_are_dense_and_exact() {
    let mut rng = crate::rng::Rng::new(11);
    let keys: Vec<i64> = (0..50_000)
        .map(|_| rng.below(20_000).cast_signed() - 10_000)
        .collect();
    let text: Vec<String> = keys
        .iter()
        .map(|key| {
            if key % 3 == 0 {
                format!("k{key}")
            } else {
                key.to_string()
            }
        })
        .collect();
    let mut trace = given("txt", text.join("\n").as_bytes());
    let mut go_on = |_| true;
    let mut limits = Limits {
        requests: u64::MAX,
        go_on: &mut go_on,
    };
    let columns = Columns::read(
        &mut trace,
        Wanted {
            keys: true,
            ..Wanted::default()
        },
        &mut limits,
    )
    .expect("readable");
    let mut first = std::collections::BTreeMap::new();
    for (key, id) in text.iter().zip(&columns.ids) {
        let next = u32::try_from(first.len()).expect("few");
        assert_eq!(first.entry(key).or_insert(next), id, "seed 11");
        assert_eq!(columns.keys.get(*id), Some(Key::of(key.as_bytes())));
    }
    assert_eq!(columns.objects as usize, first.len());
}

#[test]
fn a_header_may_be_a_comment() {
    let rows = "# time, object, size, next\n0, 13053225291711363978, 737, 13\n5, 17, 1, -1\n";
    let (found, mut trace) = detected("twitter.csv", rows.as_bytes());
    assert_eq!(found.spec.format, Format::Csv);
    let found = inspected(&mut trace).expect("readable");
    assert_eq!(counts(&found), [2, 2, 738, 2, 0, 0]);
    assert_eq!(found.last_time.map(|time| time.as_secs()), Some(5));
    let comments = b"# made on Monday\n# by hand\nkey;size\na;5\n";
    let found = inspected(&mut given("csv", comments)).expect("readable");
    assert_eq!(counts(&found), [1, 1, 5, 1, 0, 0]);
    // Without a header the first key may be anything.
    let first = b"#1,5\n";
    let spec = "csv,has-header=false,obj-id-col=1,obj-size-col=2";
    let found = inspected(&mut given(spec, first)).expect("readable");
    assert_eq!(counts(&found), [1, 1, 5, 1, 0, 0]);
}

#[test]
fn csv_of_block_numbers_is_split() {
    let rows = b"7,512,read\n8,1024,write\n16,1,read\n";
    let read = |spec: &str, split| {
        let spec = Spec {
            split,
            ..spec.parse().expect("a format")
        };
        spec.read(input("a", rows))
            .map(|mut trace| all(&mut *trace))
    };
    let spec = "csv,obj-id-col=1,obj-size-col=2,op-col=3,has-header=0,block-size=512";
    // Alone it changes nothing, as in libCacheSim.
    assert_eq!(read(spec, None).expect("readable").len(), 3);
    let split = read(spec, Some(4096)).expect("readable");
    let key = |number: u64| format!("{:?}", Key::Number(number));
    let keys = [0, 1, 2].map(key);
    assert_eq!(split.len(), 3);
    assert!(
        split
            .iter()
            .zip(&keys)
            .all(|(record, key)| record.contains(key)),
        "{split:?}"
    );
    let wide = read(spec, Some(512)).expect("readable");
    assert_eq!(wide.len(), 4);
    let error = read("csv,obj-id-col=1", Some(4096)).expect_err("no size of a block");
    assert!(error.message().contains("block-size=N"), "{error}");
}
