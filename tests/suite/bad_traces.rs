//! What `inspect`, `convert`, `generate` and `compare` do with input and output that are not right.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use shardlab::trace::{Compressed, Compression};
use tempfile::TempDir;

use super::{run, shardlab, text};

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_string_lossy().into_owned()
}

/// A file with this content.
fn file(folder: &Path, name: &str, bytes: &[u8]) -> String {
    fs::write(folder.join(name), bytes).expect("written");
    path(folder, name)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let name = |it: std::io::Result<fs::DirEntry>| it.expect("an entry").file_name();
    let mut names: Vec<String> = entries
        .map(|it| name(it).to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Runs the program, which must end with this status and say this on standard error.
fn fails(arguments: &[&str], input: &[u8], status: i32, part: &str) {
    let output = run(arguments, input);
    let message = text(&output.stderr);
    assert!(message.contains(part), "{arguments:?}: {message}");
    assert_eq!(output.status.code(), Some(status), "{arguments:?}");
    assert!(!message.contains("panicked"), "{message}");
}

fn started(arguments: &[&str]) -> Child {
    let mut program = shardlab(arguments);
    program.stdin(Stdio::null());
    program.stdout(Stdio::piped()).stderr(Stdio::piped());
    program.spawn().expect("the program starts")
}

#[test]
fn what_is_no_trace_is_refused_by_every_command() {
    let all = folder();
    let folder_name = path(all.path(), "");
    let out = path(all.path(), "out.csv");
    let noise: Vec<u8> = (0..4000_u64)
        .map(|at| shardlab::hash::rapidhash(&at.to_le_bytes()).to_le_bytes()[1])
        .collect();
    let wide: Vec<u8> = "a\r\nb\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let cases: [(&str, &[u8], &str); 6] = [
        ("/nonexistent/a", b"", "/nonexistent/a: No such file"),
        (&folder_name, b"", "it is a folder"),
        (
            "-",
            &noise,
            "its format is unknown: name it with --trace-format",
        ),
        ("-", &wide, "UTF-16: convert it to UTF-8 first"),
        ("-", b"1,2\n3,4\n", "--trace-format csv,obj-id-col=N"),
        ("-", b"\x1f\x8b\x08\0damaged", "the gzip data is cut off"),
    ];
    for (name, input, part) in cases {
        fails(&["inspect", name], input, 1, part);
        fails(&["compare", name], input, 1, part);
        fails(&["convert", name, &out], input, 1, part);
    }
    assert_eq!(names(all.path()), [""; 0]);
}

#[test]
fn a_format_that_does_not_fit_says_what_was_expected() {
    for (format, part) in [
        (
            "lrb",
            "4 were tried (unreadable: no id); a record is time id size",
        ),
        (
            "oracleGeneral",
            "byte 0: 8 bytes are left of a record of 24 bytes",
        ),
        ("lcs", "byte 0: 8 bytes are left of a record of 8192 bytes"),
        ("vscsi", "byte 0: 8 bytes are left of a record of 32 bytes"),
        ("cachelib-kv", ":1: the header has no column key"),
        ("redis-aof", "byte 2: \"a\" is no command"),
    ] {
        let arguments = ["inspect", "-", "--trace-format", format];
        fails(&arguments, b"a\nb\nc\nd\n", 1, part);
    }
    fails(
        &["compare", "-"],
        b"",
        1,
        "<stdin>: the trace has no request",
    );
}

#[test]
fn standard_input_is_read_once() {
    for command in ["inspect", "compare"] {
        let part = "standard input can be read only once";
        fails(&[command, "-", "a", "-"], b"a\n", 2, part);
    }
}

#[test]
fn numbers_at_their_bounds_are_no_panic() {
    let many = b"key,size,count\na,1,18446744073709551615\nb,1,1\n";
    fails(
        &["inspect", "-"],
        many,
        1,
        "<stdin>: more than 2^64 - 1 requests",
    );
    fails(
        &["compare", "-"],
        many,
        1,
        "requests: more than 16777216 are not repeated",
    );
    let large = b"key,size\na,18446744073709551615\nb,1\n";
    let by_bytes = ["compare", "-", "--by", "bytes"];
    fails(&by_bytes, large, 1, "more than 2^64 - 1 bytes");
    for trace in [
        &b"key,size\na,0\na,0\n"[..],
        b"key,size\na,9223372036854775807\n",
        b"time,key,size,op,ttl\n500000000,a,1,get,18446744073709551615\n0,b,1,set,0.0000001\n",
        b"one\n",
    ] {
        for arguments in [
            &["inspect", "-"][..],
            &["compare", "-", "--policies", "all"],
            &["compare", "-", "--policies", "all", "--by", "bytes"],
            &["compare", "-", "--sizes", "18446744073709551615"],
            &["convert", "-", "-", "--to", "csv"],
        ] {
            let output = run(arguments, trace);
            let message = text(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{arguments:?}: {message}");
        }
    }
}

#[test]
fn output_that_cannot_be_written_is_named() {
    let all = folder();
    let trace = file(all.path(), "a.csv", b"key,size\na,1\n");
    let large = file(all.path(), "large.txt", &b"key\n".repeat(100_000));
    let is_folder = path(all.path(), "");
    for (arguments, part) in [
        (
            ["convert", &trace, "/dev/full"],
            "/dev/full: cannot write: No space",
        ),
        (
            ["convert", &large, "/dev/full"],
            "/dev/full: cannot write: No space",
        ),
        (
            ["generate", "zipf", "/dev/full"],
            "/dev/full: cannot write: No space",
        ),
        (
            ["convert", &trace, "/nonexistent/a"],
            "/nonexistent/a: cannot write: there is no folder /nonexistent",
        ),
        (
            ["generate", "zipf", "/proc/a"],
            "no file can be made in the folder /proc: ",
        ),
        (["convert", &trace, &is_folder], "it is a folder"),
    ] {
        fails(&[&arguments[..], &["--to", "csv"]].concat(), b"", 1, part);
    }
    assert_eq!(names(all.path()), ["a.csv", "large.txt"]);
    let report = ["compare", &trace, "--html", "/nonexistent/a.html"];
    fails(&report, b"", 1, "/nonexistent/a.html: ");
}

#[test]
fn a_file_that_is_cut_while_it_is_read_is_an_error_and_what_is_appended_is_left() {
    let all = folder();
    let name = file(all.path(), "a.txt", &b"0123456\n".repeat(1 << 20));
    let change = |change: &dyn Fn()| {
        // The pipe is full long before the end of the file.
        let mut child = started(&["convert", &name, "-", "--to", "txt"]);
        let mut stdout = child.stdout.take().expect("a pipe");
        let mut first = [0; 8];
        stdout.read_exact(&mut first).expect("the first line");
        change();
        let mut rest = Vec::new();
        stdout.read_to_end(&mut rest).expect("the rest");
        let output = child.wait_with_output().expect("an end");
        (output.status.code(), text(&output.stderr).to_owned())
    };
    let (status, message) = change(&|| {
        let mut file = OpenOptions::new().append(true).open(&name).expect("open");
        file.write_all(b"another line\n").expect("written");
    });
    assert_eq!(status, Some(0), "{message}");
    assert!(message.contains("<stdout>: 1048576 requests"), "{message}");
    let (status, message) = change(&|| {
        let file = OpenOptions::new().write(true).open(&name).expect("open");
        file.set_len(100).expect("cut");
    });
    assert_eq!(status, Some(1), "{message}");
    assert!(
        message.contains("the file was cut while it was read"),
        "{message}"
    );
}

fn fifo(folder: &Path) -> String {
    let name = path(folder, "pipe");
    let made = Command::new("mkfifo").arg(&name).status();
    assert!(made.expect("mkfifo starts").success());
    name
}

#[test]
fn pipes_with_names_are_read_and_written() {
    let all = folder();
    let pipe = fifo(all.path());
    let generate = [
        "generate",
        "loop",
        &pipe,
        "--to",
        "csv",
        "--requests",
        "300",
    ];
    let writer = started(&generate);
    let reader = run(&["inspect", &pipe, "--format", "json"], b"");
    assert!(
        text(&reader.stdout).contains("\"requests\":300"),
        "{reader:?}"
    );
    let output = writer.wait_with_output().expect("an end");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn waiting_for_the_reader_of_a_pipe_can_be_interrupted() {
    let all = folder();
    let pipe = fifo(all.path());
    let child = started(&["generate", "loop", &pipe, "--to", "csv"]);
    std::thread::sleep(Duration::from_millis(700));
    let pid = rustix::process::Pid::from_raw(child.id().cast_signed()).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
    let output = child.wait_with_output().expect("an end");
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
}

#[test]
fn names_need_not_be_utf_8() {
    let all = folder();
    let name = |bytes: &[u8]| all.path().join(OsStr::from_bytes(bytes));
    fs::write(name(b"a\xff\n.csv"), "key,size\na,1\n").expect("written");
    let mut program = shardlab(&["convert"]);
    program.arg(name(b"a\xff\n.csv")).arg(name(b"b\xfe.lcs"));
    let output = program.output().expect("an end");
    assert!(output.status.success(), "{output:?}");
    let shown = text(&output.stdout);
    assert!(shown.contains("b\u{fffd}.lcs: 1 request, lcs\n"), "{shown}");
    assert!(name(b"b\xfe.lcs").exists());
    let output = shardlab(&["inspect"]).arg(name(b"a\xff\n.csv")).output();
    let output = output.expect("an end");
    assert!(
        text(&output.stdout).contains("a\u{fffd}?.csv\n"),
        "{output:?}"
    );
}

#[test]
fn a_small_file_that_becomes_a_large_one_takes_no_memory() {
    let all = folder();
    let limited = |name: &str, compression, line: &[u8], part: &str| {
        let mut out = Compressed::new(Vec::new(), compression).expect("an encoder");
        for _ in 0..(800 << 20) / line.len() {
            out.write_all(line).expect("in memory");
        }
        let trace = file(all.path(), name, &out.finish().expect("in memory"));
        // In KiB: less than what comes out.
        let script = "ulimit -v 600000 && exec \"$0\" inspect \"$1\"";
        let program = shardlab(&[]);
        let mut shell = Command::new("sh");
        shell
            .args(["-c", script])
            .arg(program.get_program())
            .arg(&trace);
        let output = shell.output().expect("sh starts");
        let shown = [output.stdout, output.stderr].concat();
        assert!(text(&shown).contains(part), "{}", text(&shown));
    };
    let zeros = vec![0; 1 << 20];
    limited(
        "zeros.u64le.zst",
        Compression::Zstd,
        &zeros,
        "objects    1\n",
    );
    let keys = [b"a".repeat((1 << 20) - 1), b"\n".to_vec()].concat();
    limited(
        "lines.txt.zst",
        Compression::Zstd,
        &keys,
        "requests   800\n",
    );
}
