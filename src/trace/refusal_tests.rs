//! What is not read, and the errors that say why: cut files, other formats, and no trace at all.

use super::sample_tests::{binary_samples, record};
use super::tests::{compressed, converted, detected, given, input, inspected};
use super::*;

#[test]
fn a_cut_file_is_an_error_with_a_place() {
    for compression in [Compression::Gzip, Compression::Zstd, Compression::Xz] {
        let whole = compressed(&b"key\n".repeat(100_000), compression);
        let cut = &whole[..whole.len() / 2];
        let mut input = input("cut", cut);
        let error = detect(&mut input).expect_err("it is cut off");
        assert!(error.to_string().contains("cut off"), "{error}");
    }
    for sample in binary_samples() {
        let cut = &sample.bytes[..sample.bytes.len() - 1];
        let spec = Spec::from(sample.format);
        let error = inspected(&mut spec.read(input("cut", cut)).expect("the head is whole"));
        let error = error.expect_err("a record is cut off");
        assert!(matches!(error.place(), Place::Byte(1..)), "{error}");
    }
    let aof = b"*2\r\n$3\r\nDEL\r\n$5\r\nab";
    let error = inspected(&mut given("redis-aof", aof)).expect_err("it is cut off");
    assert_eq!(
        error.to_string(),
        "given: byte 19: the file ends within a command"
    );
}

#[test]
fn a_line_without_end_is_an_error() {
    for format in [
        "txt",
        "csv",
        "lrb",
        "mooncake",
        "redis-monitor",
        "redis-aof",
    ] {
        let long = vec![b'1'; 3 * MAX_LINE];
        let error =
            Spec::from(format.parse::<Format>().expect("a format")).read(input("long", &long));
        let error = error
            .and_then(|mut trace| inspected(&mut trace))
            .expect_err("too long");
        assert!(
            error.to_string().contains("1048576 bytes"),
            "{format}: {error}"
        );
    }
    // A quote that is never closed.
    let open = [b"key,size\n\"".to_vec(), vec![b'x'; 3 * MAX_LINE]].concat();
    let error = inspected(&mut given("csv", &open)).expect_err("too long");
    assert_eq!(error.place(), Place::Line(2), "{error}");
}

#[test]
fn a_format_that_does_not_fit_is_an_error() {
    for (format, bytes, part) in [
        (
            "lrb",
            "a\nb\n",
            "2 were tried (unreadable: no id); a record is time id size",
        ),
        (
            "mooncake",
            "1 2 3\n",
            "no list of blocks); a record is {\"timestamp\"",
        ),
        (
            "redis-monitor",
            "x\n",
            "a record is seconds [database address]",
        ),
        ("csv", "key,op\na,2a\n", "1 were tried (operation \"2a\")"),
        ("msr", "a,b\n", "Read or Write,offset,size"),
        ("twitter", "a,b\n", "key size,value size"),
    ] {
        let error = inspected(&mut given(format, bytes.as_bytes())).expect_err("it does not fit");
        let text = error.to_string();
        assert!(
            text.starts_with("given: no record of ") && text.contains(part),
            "{text}"
        );
    }
    // Commands that are no requests do not speak against a format, nor does an empty trace.
    let pings = b"1.5 [0 a:1] \"PING\"\n";
    for (format, bytes) in [
        ("redis-monitor", &pings[..]),
        ("lrb", b""),
        ("csv", b"key\n"),
    ] {
        let found = inspected(&mut given(format, bytes)).expect("it fits");
        assert_eq!(found.requests, 0, "{format}");
    }
}

#[test]
fn text_in_utf_16_is_refused() {
    let wide = |text: &str, order: fn(u16) -> [u8; 2]| -> Vec<u8> {
        text.encode_utf16().flat_map(order).collect()
    };
    for order in [u16::to_le_bytes, u16::to_be_bytes] {
        for text in ["\u{feff}a\nb\n", "time,key\r\n1,a\r\n"] {
            let bytes = wide(text, order);
            let error = detect(&mut input("wide", &bytes)).expect_err("it is no trace");
            assert!(error.message().contains("UTF-16"), "{error}");
            let csv = Spec::from(Format::Csv).read(input("wide", &bytes));
            assert!(csv.is_err_and(|error| error.message().contains("iconv")));
        }
    }
    // The number 65,279 has the bytes of a mark.
    let numbers = [65_279_u64, 7].map(u64::to_le_bytes).concat();
    assert_eq!(detected("a", &numbers).0.spec.format, Format::U64le);
}

#[test]
fn what_looks_like_no_trace_is_not_taken_for_one() {
    let mut rng = crate::rng::Rng::new(5);
    let noise: Vec<u8> = (0..8000).map(|_| rng.next_u64().to_le_bytes()[3]).collect();
    let error = detect(&mut input("noise", &noise)).expect_err("it is noise");
    assert!(error.message().contains("--trace-format"), "{error}");
    // Hashes look like noise, too: the name decides.
    let (found, _) = detected("hashes.u64le", &noise);
    assert_eq!(found.spec.format, Format::U64le);
    let manifest = b"file appendonly.aof.1.base.rdb seq 1 type b\n";
    let error = detect(&mut input("a.manifest", manifest)).expect_err("it is no trace");
    assert!(error.message().contains(".incr.aof"), "{error}");
}

#[test]
fn what_would_grow_without_bound_is_refused() {
    let of = |bytes: &[u8], format| inspected(&mut given(format, bytes)).expect("readable");
    let found = of(b"1 4294967296 0 1\n5 2 0 2\n", "arc");
    assert_eq!((found.requests, found.skipped.total()), (2, 1));
    let many = b"key,size,count\na,1,18446744073709551615\nb,1,1\n";
    let error = inspected(&mut given("csv", many)).expect_err("too many");
    assert!(error.message().contains("2^64 - 1 requests"), "{error}");
    let error = converted(&mut given("csv", many), Output::Text).expect_err("too many");
    assert!(error.message().contains("are not repeated"), "{error}");
    let large = b"key,size\na,18446744073709551615\nb,1\n";
    let wanted = Wanted {
        sizes: true,
        ..Wanted::default()
    };
    let mut limits = Limits {
        requests: 9,
        go_on: &mut |_| true,
    };
    let error =
        Columns::read(&mut given("csv", large), wanted, &mut limits).expect_err("too large");
    assert!(error.message().contains("2^64 - 1 bytes"), "{error}");
    let none = record(&[(1, 4), (7, 8), (9, 8), (1, 4), (0xffff_ffff, 4), (-1, 8)]);
    let mut trace = lcs_of(3, &none);
    assert_eq!(trace.next().expect("readable").expect("one").ttl, None);
}

/// A trace of lcs with these records.
fn lcs_of(version: i128, records: &[u8]) -> BoxedTrace {
    let magic = 0x1234_5678_9abc_def0;
    let mut bytes = record(&[(magic, 8), (version, 8)]);
    bytes.resize(8184, 0);
    given(
        "lcs",
        &[&bytes[..], &record(&[(magic, 8)]), records].concat(),
    )
}
