//! `inspect`, `convert` and `generate`, as a process.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::{run, shardlab, text};

fn data(name: &str) -> String {
    format!("{}/tests/data/traces/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_string_lossy().into_owned()
}

fn json(output: &Output) -> Vec<Value> {
    let lines = text(&output.stdout).lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn inspected(arguments: &[&str], input: &[u8]) -> Vec<Value> {
    json(&run(
        &[&["inspect", "--format", "json"], arguments].concat(),
        input,
    ))
}

#[test]
fn inspect_shows_the_facts_of_a_trace() {
    let output = run(
        &["inspect", "-"],
        b"time,key,size,op,ttl\n1,a,10,get,\n61,b,20,set,60\n62,a,10,get,\n",
    );
    let expected = "\
<stdin>
  format     csv: its header names a column for the key
  requests   3
  objects    2
  gets       2
  sets       1
  deletes    0
  bytes      40
  one-hit    1 of 2 objects (50.0%) are asked for only once
  skew       about 1.00 (exponent of Zipf's law)
  sizes      10 to 20 bytes, median 10
  first key  a
  last key   a
  span       1m 1s
  TTLs       1m, of 1 request
";
    assert_eq!((text(&output.stdout), text(&output.stderr)), (expected, ""));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn inspect_in_json_has_the_fields_that_others_rely_on() {
    let file = data("cachelib-kv_traces_1.csv");
    let found = inspected(&[&file], b"");
    let expected = [
        ("format", Value::from("cachelib-kv")),
        ("requests", 691.into()),
        ("objects", 52.into()),
        ("gets", 678.into()),
        ("sets", 10.into()),
        ("deletes", 3.into()),
        ("bytes", 349_234.into()),
        ("first_key", "82131353f9ddc8c6".into()),
        ("last_key", "c38d6dee4e71fc1b".into()),
        ("first_ms", 604_038_471_000_u64.into()),
        ("last_ms", 604_038_479_000_u64.into()),
        ("skipped", serde_json::json!({})),
    ];
    for (name, value) in expected {
        assert_eq!(found[0][name], value, "{name}");
    }
    let bytes = inspected(&["-"], b"\xff\n17\n");
    assert_eq!(
        (&bytes[0]["first_key_base64"], &bytes[0]["last_key"]),
        (&"/w==".into(), &"17".into())
    );
    let empty = inspected(&["-"], b"");
    assert_eq!(
        (&empty[0]["requests"], &empty[0]["first_key"]),
        (&0.into(), &Value::Null)
    );
}

#[test]
fn a_trace_that_cannot_be_read_does_not_keep_the_others_from_it() {
    let file = data("mooncake.jsonl");
    let output = run(
        &["inspect", "/nonexistent", &file, "--format", "table"],
        b"",
    );
    assert_eq!(
        text(&output.stderr),
        "error: /nonexistent: No such file or directory (os error 2)\n"
    );
    assert!(
        text(&output.stdout).contains("| mooncake |"),
        "{}",
        text(&output.stdout)
    );
    assert_eq!(output.status.code(), Some(1));
    let found = inspected(&["-"], b"1,2,3\n4,5,6\n");
    assert!(
        found[0]["error"]
            .as_str()
            .is_some_and(|error| error.contains("obj-id-col")),
        "{found:?}"
    );
    let given = ["-", "--trace-format", "csv,obj-id-col=2,obj-size-col=3"];
    assert_eq!(inspected(&given, b"1,2,3\n4,5,6\n")[0]["bytes"], 9);
}

#[test]
fn wrong_usage_is_named_and_exits_with_2() {
    for (arguments, part) in [
        (&["inspect"][..], "<TRACE>"),
        (
            &["inspect", "-", "--trace-format", "nonsense"],
            "use one of txt, csv",
        ),
        (
            &["inspect", "-", "--trace-format", "csv,foo=1"],
            "no option \"foo\": use time-col",
        ),
        (&["inspect", "-", "--split", "0"], "at least 1 byte"),
        (&["convert", "-"], "<OUT>"),
        (&["convert", "-", "out"], "use --to txt"),
        (&["convert", "-", "out", "--to", "twr"], "cannot be written"),
        (&["generate", "nonsense", "-"], "use one of zipf"),
        (
            &["generate", "zipf", "-", "--to", "csv", "--skew", "11"],
            "from 0 to 10",
        ),
        (
            &["generate", "zipf", "-", "--to", "csv", "--size", "2..1"],
            "before the start",
        ),
        (
            &["generate", "zipf", "-", "--to", "csv", "--keys", "0"],
            "2^48",
        ),
        (
            &["generate", "ycsb-a", "-", "--to", "csv", "--writes", "1%"],
            "of its own",
        ),
    ] {
        let output = run(arguments, b"");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            text(&output.stderr).contains(part),
            "{arguments:?}: {}",
            text(&output.stderr)
        );
    }
    for name in ["inspect", "convert", "generate"] {
        let help = run(&[name, "--help"], b"");
        assert!(text(&help.stdout).starts_with("Examples:\n"), "{name}");
    }
}

#[test]
fn a_workload_goes_through_every_format() {
    let folder = folder();
    let first = path(folder.path(), "first.csv");
    let made = run(
        &[
            "generate",
            "zipf",
            &first,
            "--requests",
            "5000",
            "--size",
            "1..4KiB",
            "--seed",
            "3",
        ],
        b"",
    );
    assert_eq!(text(&made.stdout), format!("{first}: 5000 requests, csv\n"));
    let facts = |file: &str| {
        let found = inspected(&[file], b"");
        let names = [
            "requests",
            "objects",
            "bytes",
            "first_key",
            "last_key",
            "format",
        ];
        names.map(|name| found[0][name].to_string())
    };
    let [requests, objects, bytes, first_key, last_key, _] = facts(&first);
    let formats = [
        ("a.oracleGeneral.zst", "oracleGeneral"),
        ("a.lcs.xz", "lcs"),
        ("a.csv.gz", "csv"),
        ("a.oracleGeneral", "oracleGeneral"),
    ];
    for (name, format) in formats {
        let file = path(folder.path(), name);
        let output = run(&["convert", &first, &file, "-q"], b"");
        assert_eq!(
            (text(&output.stdout), text(&output.stderr)),
            ("", ""),
            "{name}"
        );
        let expected = [&requests, &objects, &bytes, &first_key, &last_key].map(Clone::clone);
        let found = facts(&file);
        assert_eq!(
            (&found[..5], found[5].trim_matches('"')),
            (&expected[..], format),
            "{name}"
        );
    }
    let keys = run(&["convert", &first, "-", "--to", "txt"], b"");
    assert_eq!(text(&keys.stdout).lines().count(), 5000);
    assert!(
        text(&keys.stderr).starts_with("<stdout>: 5000 requests, txt\nnote: txt keeps keys only")
    );
    let again = run(
        &[
            "generate",
            "zipf",
            "-",
            "--to",
            "csv",
            "--requests",
            "5000",
            "--size",
            "1..4KiB",
            "--seed",
            "3",
        ],
        b"",
    );
    assert!(
        again.stdout == fs::read(&first).expect("a file"),
        "the same seed gives the same bytes"
    );
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|it| {
            it.expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

#[test]
fn a_failed_conversion_leaves_nothing() {
    let folder = folder();
    let out = path(folder.path(), "a.oracleGeneral");
    fs::write(&out, "as it was").expect("written");
    let failed = run(&["convert", "-", &out], b"key,size\na,5000000000\n");
    assert_eq!(failed.status.code(), Some(1));
    assert!(
        text(&failed.stderr).contains("does not fit in 32 bits: use csv"),
        "{}",
        text(&failed.stderr)
    );
    assert_eq!(names(folder.path()), ["a.oracleGeneral"]);
    assert_eq!(fs::read(&out).expect("a file"), b"as it was");
    let failed = run(&["convert", "-", "/nonexistent/a.csv"], b"a\n");
    assert_eq!(failed.status.code(), Some(1));
    // A trace can be replaced by its conversion, and a device is not replaced.
    let same = path(folder.path(), "same.csv");
    fs::write(&same, "id,size\n1,2\n").expect("written");
    assert_eq!(run(&["convert", &same, &same], b"").status.code(), Some(0));
    assert_eq!(
        fs::read(&same).expect("a file"),
        b"time,key,size,op,ttl\n,1,2,get,\n"
    );
    assert_eq!(
        run(&["convert", &same, "/dev/null", "--to", "csv"], b"")
            .status
            .code(),
        Some(0)
    );
    let null = fs::metadata("/dev/null").expect("a device");
    assert!(!null.is_file(), "it is still a device");
}

#[test]
fn an_interrupt_ends_the_work_and_leaves_nothing() {
    let folder = folder();
    let out = path(folder.path(), "a.csv.xz");
    for arguments in [
        &["generate", "zipf", &out, "--requests", "1000000000"][..],
        &["convert", "-", &out],
        &["inspect", "-"],
    ] {
        let mut program = shardlab(arguments);
        program
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = program.spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        let _ = stdin.write_all(b"a\n");
        std::thread::sleep(Duration::from_millis(700));
        let pid = rustix::process::Pid::from_raw(child.id().cast_signed()).expect("a process");
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
        let output = child.wait_with_output().expect("an end");
        assert_eq!(
            output.status.code(),
            Some(130),
            "{arguments:?}: {}",
            text(&output.stderr)
        );
        assert_eq!(names(folder.path()), [""; 0], "{arguments:?}");
        drop(stdin);
    }
}

#[test]
fn a_closed_pipe_ends_a_conversion_quietly() {
    let mut program = shardlab(&[
        "generate",
        "loop",
        "-",
        "--to",
        "txt",
        "--requests",
        "100000000",
    ]);
    program.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = program.spawn().expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("an end");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}
