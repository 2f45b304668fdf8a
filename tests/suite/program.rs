//! The program as a process: arguments, exit statuses, pipes, bytes that are not text, real time.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::{feed, run, shardlab, text};

const SAMPLE: &str = include_str!("sample-output.txt");

fn lines(output: &Output) -> Vec<&str> {
    text(&output.stdout).lines().collect()
}

fn errors(output: &Output) -> Vec<&str> {
    text(&output.stderr).lines().collect()
}

fn status(output: &Output) -> Option<i32> {
    output.status.code()
}

fn sample_script() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/sample-output.cache").into()
}

#[test]
fn the_sample_replays_byte_for_byte_in_all_three_ways() {
    let script = fs::read(sample_script()).expect("the script");
    for output in [
        run(&["--clock", "virtual", "demo", "sample-output"], b""),
        run(&["run", &sample_script(), "--clock", "virtual"], b""),
        run(&["--clock", "virtual"], &script),
        run(&["run", "-", "--clock", "virtual"], &script),
    ] {
        assert_eq!(text(&output.stdout), SAMPLE);
        assert_eq!((text(&output.stderr), status(&output)), ("", Some(0)));
    }
}

#[test]
fn the_sample_takes_eleven_real_seconds_and_tells_each_expiry_when_it_happens() {
    let mut child = start(&["demo", "sample-output"]);
    let started = Instant::now();
    let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut printed = String::new();
    let mut told = Vec::new();
    for line in stdout.lines().map(|line| line.expect("UTF-8")) {
        if line.contains("expired") {
            told.push(started.elapsed().as_secs_f64());
        }
        printed += &format!("{line}\n");
    }
    assert!(child.wait().expect("an end").success());
    assert_eq!(printed, SAMPLE);
    for (at, deadline) in told.iter().zip([2.0, 5.0, 10.0]) {
        assert!((deadline - 0.5..deadline + 0.9).contains(at), "{told:?}");
    }
    assert!(started.elapsed() >= Duration::from_millis(10_900));
}

fn start(arguments: &[&str]) -> Child {
    let mut program = shardlab(arguments);
    program.stdin(Stdio::piped()).stdout(Stdio::piped());
    program
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

#[test]
fn a_notice_comes_at_its_time_while_the_pipe_stands_idle() {
    let mut child = start(&[]);
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut next = || {
        let mut line = String::new();
        stdout.read_line(&mut line).expect("UTF-8");
        line
    };
    stdin
        .write_all(b"PUT apple 1 300ms\nGET apple\n")
        .expect("written");
    assert_eq!(
        next(),
        "apple -> 1\n",
        "an answer does not wait for the end of input"
    );
    assert_eq!(next(), "Server 2 expired key: apple\n");
    stdin.write_all(b"GET apple").expect("written");
    drop(stdin);
    assert_eq!(next(), "apple -> null\n");
    assert_eq!(next(), "");
    assert!(child.wait().expect("an end").success());
}

#[test]
fn exit_statuses_tell_how_it_went() {
    let status = |arguments: &[&str], input: &str| status(&run(arguments, input.as_bytes()));
    assert_eq!(status(&[], "PUT a 1"), Some(0));
    assert_eq!(status(&[], "GET missing"), Some(0));
    assert_eq!(status(&[], "PUT a\nPUT b 1"), Some(1));
    assert_eq!(status(&["--format", "json"], "nonsense"), Some(1));
    assert_eq!(status(&["-c", "QUIT", "-c", "nonsense"], ""), Some(0));
    assert_eq!(status(&["--nonsense"], ""), Some(2));
    assert_eq!(status(&["--nodes", "0"], ""), Some(2));
    assert_eq!(status(&["--nodes", "1025"], ""), Some(2));
    assert_eq!(status(&["--clock", "lunar"], ""), Some(2));
    assert_eq!(status(&["--max-memory", "nonsense"], ""), Some(2));
    assert_eq!(status(&["--max-entries", "-1"], ""), Some(2));
    assert_eq!(status(&["--eviction", "belady"], ""), Some(2));
    assert_eq!(status(&["demo", "nonsense"], ""), Some(2));
    assert_eq!(status(&["run"], ""), Some(2));
    assert_eq!(status(&["-c", "SIZE", "demo"], ""), Some(2));
    assert_eq!(status(&["run", "/nonexistent.cache"], ""), Some(1));
    assert_eq!(status(&["--help"], ""), Some(0));
    assert_eq!(status(&["--version"], ""), Some(0));
}

#[test]
fn help_starts_with_examples_and_the_demos_are_listed() {
    let help = run(&["--help"], b"");
    assert!(text(&help.stdout).starts_with("Examples:\n"));
    let demos = run(&["demo"], b"");
    let names = lines(&demos);
    assert!(names[0].starts_with("sample-output "), "{names:?}");
    assert!(names[1].starts_with("availability "), "{names:?}");
    let sources = names
        .last()
        .is_some_and(|it| it.contains(" bugs of Redis,"));
    assert!(sources, "{names:?}");
    assert!(
        names.len() > 15 && names.iter().all(|it| it.len() <= 80),
        "{names:?}"
    );
}

#[test]
fn a_demo_that_comes_to_its_end_is_a_success_on_any_cluster() {
    for nodes in ["3", "5", "40"] {
        for placement in ["modulo", "ring", "jump"] {
            let arguments = [
                "demo",
                "availability",
                "--nodes",
                nodes,
                "--placement",
                placement,
            ];
            let output = run(&arguments, b"");
            assert_eq!(status(&output), Some(0), "{nodes} {placement}");
            assert_eq!(
                errors(&output).len(),
                2,
                "{nodes} {placement}: two are refused"
            );
            let checks = ["linearizable: 6 ", "no expired read: 9 "];
            let found = |check: &&str| lines(&output).iter().any(|line| line.starts_with(check));
            assert!(
                checks.iter().all(found),
                "{nodes} {placement}: {}",
                text(&output.stdout)
            );
        }
    }
    let few = run(&["demo", "availability", "--nodes", "2"], b"");
    assert_eq!(status(&few), Some(2));
    assert_eq!(
        errors(&few),
        ["error: the demo availability needs at least 3 nodes"]
    );
    // The user's options replace those of the demo.
    let more = run(&["--replicas", "1", "demo", "lost-at-failover"], b"");
    assert!(text(&more.stdout).contains("apple -> node 2 "), "{more:?}");
}

#[test]
fn a_script_can_come_through_a_pipe_with_a_name() {
    let output = run(&["run", "/dev/stdin"], b"ECHO one\nGTE\nECHO two");
    assert_eq!(lines(&output), ["one", "two"]);
    assert_eq!(
        errors(&output),
        ["/dev/stdin:2: error: unknown command GTE; did you mean GET?"]
    );
    let mut shell = Command::new("bash");
    let program = env!("CARGO_BIN_EXE_shardlab");
    shell.args([
        "-c",
        "\"$0\" run <(echo ECHO one; echo QUIT) <(echo ECHO two)",
        program,
    ]);
    assert_eq!(lines(&feed(shell, b"")), ["one"]);
}

#[test]
fn source_knows_the_home_folder() {
    let home = tempfile::TempDir::new().expect("a folder");
    fs::write(home.path().join("x.cache"), "ECHO at home").expect("written");
    let mut program = shardlab(&["-c", "SOURCE ~/x.cache"]);
    program.env("HOME", home.path());
    assert_eq!(lines(&feed(program, b"")), ["at home"]);
}

#[test]
fn bail_stops_at_the_first_error_and_without_it_the_rest_runs() {
    let script = b"PUT a\nECHO on";
    let output = run(&[], script);
    assert_eq!(lines(&output), ["on"]);
    for flag in ["-e", "--bail"] {
        let output = run(&[flag], script);
        assert_eq!((lines(&output).len(), status(&output)), (0, Some(1)));
        assert_eq!(
            errors(&output),
            ["<stdin>:1: error: value is missing; usage: PUT key value [ttl]"]
        );
    }
}

#[test]
fn commands_can_come_as_arguments() {
    let output = run(&["-c", "PUT a 1 3s", "-c", "GET a", "-c", "GTE a"], b"");
    assert_eq!(lines(&output), ["a -> 1"]);
    assert_eq!(
        errors(&output),
        ["-c:3: error: unknown command GTE; did you mean GET?"]
    );
}

#[test]
fn files_run_in_order_in_one_session_and_errors_name_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    fs::write(
        path("a.cache"),
        "\u{feff}PUT a 1\r\n# comment\r\n\r\n  # another\r\nGET a\r\n",
    )
    .expect("written");
    fs::write(path("b.cache"), "GET a\nFLY").expect("written");
    let (a, b) = (path("a.cache"), path("b.cache"));
    let output = run(&["run", &a, "-", &b], b"PUT a 2");
    assert_eq!(lines(&output), ["a -> 1", "a -> 2"]);
    assert_eq!(
        errors(&output),
        [format!(
            "{b}:2: error: unknown command FLY; HELP lists all commands"
        )]
    );
    let missing = path("none");
    let output = run(&["run", &missing, &a], b"");
    assert_eq!(lines(&output), ["a -> 1"]);
    let expected = format!("{missing}: error: cannot read {missing}: No such file or directory");
    assert_eq!(
        (errors(&output), status(&output)),
        (vec![expected.as_str()], Some(1))
    );
}

#[test]
fn a_script_finds_its_neighbours_and_a_circle_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    fs::write(path("a.cache"), "SOURCE b.cache\nECHO a").expect("written");
    fs::write(path("b.cache"), "ECHO b\nSOURCE c.cache").expect("written");
    fs::write(path("c.cache"), "SOURCE a.cache\nECHO c").expect("written");
    let output = run(&["run", &path("a.cache")], b"");
    assert_eq!(lines(&output), ["b", "c", "a"]);
    let expected = format!(
        "{}:1: error: SOURCE goes round in a circle: a.cache -> b.cache -> c.cache -> a.cache",
        path("c.cache")
    );
    assert_eq!(errors(&output), [expected]);
}

#[test]
fn sources_nest_to_a_bound() {
    let folder = tempfile::tempdir().expect("a folder");
    for n in 0..40 {
        let text = format!("SOURCE {}.cache", n + 1);
        fs::write(folder.path().join(format!("{n}.cache")), text).expect("written");
    }
    let output = run(
        &["run", &folder.path().join("0.cache").to_string_lossy()],
        b"",
    );
    let errors = errors(&output);
    assert_eq!((errors.len(), status(&output)), (1, Some(1)));
    assert!(
        errors[0].ends_with("32.cache:1: error: nested too deeply: at most 32 levels"),
        "{errors:?}"
    );
}

#[test]
fn a_reader_that_leaves_ends_the_program_quietly() {
    let mut child = start(&[
        "--clock",
        "virtual",
        "-c",
        "REPEAT 1000000 ECHO some words to fill a pipe",
    ]);
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("UTF-8");
    drop(stdout);
    let output = child.wait_with_output().expect("an end");
    assert_eq!((status(&output), text(&output.stderr)), (Some(0), ""));
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_a_batch_with_130_and_keeps_what_was_printed() {
    for script in [
        "ECHO before\nSLEEP 1h\nECHO after\n",
        "ECHO before\n",
        "ECHO before\nREPEAT 1000000000 GET a\n",
    ] {
        let mut child = start(&["--format", "plain"]);
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(script.as_bytes()).expect("written");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("UTF-8");
        assert_eq!(line, "before\n");
        let drain = std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        let pid = child.id().to_string();
        let killed = Command::new("kill").args(["-INT", &pid]).status();
        assert!(killed.expect("kill").success());
        assert_eq!(child.wait().expect("an end").code(), Some(130), "{script}");
        drain.join().expect("drained").expect("read");
        drop(stdin);
    }
}

#[test]
fn every_byte_is_welcome() {
    let every: Vec<u8> = (0..=255).filter(|byte| *byte != b'\n').collect();
    let mut script = b"PUT k ".to_vec();
    script.extend(every.iter().filter(|byte| !b" \t\r\"'".contains(byte)));
    script.extend(b"\nGET k\nPUT \xff\x00 \xfe\nGET \xff\x00\nEXISTS \"\\xff\\0\"\n\xf0\x9f\n\0\n");
    let output = run(&[], &script);
    let printed = lines(&output);
    assert!(
        printed[0].starts_with("k -> \"\\0\\x01\\x02"),
        "{printed:?}"
    );
    assert_eq!(printed[1..], ["\"\\xff\\0\" -> \"\\xfe\"", "1"]);
    let expected = [
        "<stdin>:6: error: unknown command \"\\xf0\\x9f\"; HELP lists all commands",
        "<stdin>:7: error: unknown command \"\\0\"; HELP lists all commands",
    ];
    assert_eq!(errors(&output), expected);
}

#[test]
fn what_is_shown_can_be_typed() {
    let values: [&[u8]; 8] = [
        b"",
        b"null",
        b" a ",
        b"\x1b[0m",
        b"\xff\xfe",
        b"a'b\"c",
        b"x\ny",
        "\u{202e}日本".as_bytes(),
    ];
    let mut script = Vec::new();
    for value in values {
        script.extend(b"PUT k \"");
        script.extend(
            value
                .iter()
                .flat_map(|byte| format!("\\x{byte:02x}").into_bytes()),
        );
        script.extend(b"\"\nGET k\n");
    }
    let first = run(&[], &script);
    let again: String = lines(&first)
        .iter()
        .map(|line| {
            let value = line.strip_prefix("k -> ").expect("an answer");
            format!("PUT k {value}\nGET k\n")
        })
        .collect();
    let second = run(&[], again.as_bytes());
    assert_eq!(text(&first.stdout), text(&second.stdout));
    assert_eq!(text(&second.stderr), "");
}

#[test]
fn a_line_of_a_hundred_megabytes_works_or_is_refused_and_nothing_is_lost() {
    let mut script = b"PUT a 1\nPUT big ".to_vec();
    script.resize(100_000_000, b'x');
    script.extend(b"\nGET a\n");
    let output = run(&[], &script);
    assert_eq!(lines(&output), ["a -> 1"]);
    assert_eq!(
        errors(&output),
        ["<stdin>:2: error: the value is 99999984 bytes long; at most 67108864 are allowed"]
    );
    let mut script = b"PUT a 1\n".to_vec();
    script.resize(200_000_000, b'x');
    let output = run(&["--quiet"], &script);
    assert_eq!(
        errors(&output),
        ["<stdin>:2: error: the line is longer than 128 MiB"]
    );
}

#[test]
fn a_million_words_work() {
    let words = "word ".repeat(1_000_000);
    let output = run(
        &[],
        format!("MSET {words}\nSIZE\nDEL {words}\nSIZE\nGET {words}").as_bytes(),
    );
    assert_eq!(lines(&output), ["1", "0"]);
    assert_eq!(
        errors(&output),
        ["<stdin>:5: error: too many words; usage: GET key"]
    );
}

#[test]
fn nesting_without_end_is_refused() {
    let script = format!("{}ECHO x\nECHO y", "REPEAT 1 ".repeat(1_000_000));
    let output = run(&[], script.as_bytes());
    assert_eq!(lines(&output), ["y"]);
    assert_eq!(
        errors(&output),
        ["<stdin>:1: error: nested too deeply: at most 32 levels"]
    );
}

#[test]
fn a_key_put_a_million_times_leaves_memory_flat() {
    // As many as fill the history.
    let some = "PUT key value:0 1h\n".repeat(20_000);
    let script: String = (0..1_000_000)
        .map(|n| format!("PUT key value:{n} 1h\n"))
        .collect();
    let peak = |script| peak_after(script, &[]).0;
    let (a, b) = (peak(&script), peak(&some));
    assert!(
        a <= b + 4096,
        "{a} kB after a million puts, {b} kB after 20,000"
    );
}

#[test]
fn colour_is_for_those_who_ask_for_it() {
    let script = b"PUT a 1\nGET a\nnonsense";
    let has_escape =
        |output: &Output| [&output.stdout, &output.stderr].map(|out| out.contains(&0x1b));
    assert_eq!(has_escape(&run(&[], script)), [false, false]);
    assert_eq!(
        has_escape(&run(&["--color", "always"], script)),
        [true, true]
    );
    let mut forced = shardlab(&[]);
    forced.env("CLICOLOR_FORCE", "1");
    assert_eq!(has_escape(&feed(forced, script)), [true, true]);
    let mut both = shardlab(&[]);
    both.env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1");
    assert_eq!(has_escape(&feed(both, script)), [false, false]);
}

#[test]
fn json_answers_each_command_with_one_object() {
    let script = b"PUT a 1 1s\n\n# no command\nGET a\nMONITOR\nSLEEP 2s\nGTE a\nREPEAT 2 INCR n\nREPEAT 2 INCR a b\nHELP\nQUIT";
    let output = run(&["--clock", "virtual", "--format", "json"], script);
    let objects: Vec<serde_json::Value> = lines(&output)
        .into_iter()
        .map(|line| serde_json::from_str(line).expect("one object a line"))
        .collect();
    let replies: Vec<u64> = objects
        .iter()
        .filter_map(|object| object["line"].as_u64())
        .collect();
    assert_eq!(replies, [1, 4, 5, 6, 7, 8, 9, 10, 11]);
    let events = objects
        .iter()
        .filter(|object| object.get("event").is_some());
    assert_eq!(events.count(), 1);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(status(&output), Some(1));
}

/// What a node counts, key and value and 40 bytes an entry, is near to what the process takes: for
/// entries small and large, of one size and of many, when the capacity has been reached and
/// everything was replaced since. Small entries with a deadline take a third more.
#[test]
fn the_bytes_of_a_node_are_those_of_the_process() {
    let sizes: [fn(u64) -> usize; 3] = [|_| 16, |_| 200, |n| (n * 7919 % 1000) as usize];
    let empty = peak_after("", &[]).0;
    for (size, count) in sizes.into_iter().zip([900_000, 300_000, 200_000]) {
        let script: String = (0..count)
            .map(|n| format!("PUT key:{n:012} {} 1h\n", "v".repeat(size(n) + 1)))
            .collect();
        let options = ["--nodes", "1", "--max-memory", "40MB"];
        let (peak, counted) = peak_after(&script, &options);
        if peak == 0 {
            return; // no such figure on this system
        }
        let taken = (peak - empty) as f64 * 1024.0;
        let ratio = taken / counted as f64;
        assert!(
            (0.85..1.4).contains(&ratio),
            "{taken} bytes taken, {counted} counted"
        );
        assert!((38_000_000..=40_000_000).contains(&counted), "{counted}");
    }
}

/// The most memory that the program had, in KiB, and what it has counted itself.
fn peak_after(script: &str, options: &[&str]) -> (u64, u64) {
    let options = [options, &["--clock", "virtual"]].concat();
    let mut child = start(&options);
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(script.as_bytes()).expect("written");
    stdin.write_all(b"STATS\nECHO done\n").expect("written");
    // The program ends when its output is closed, so the pipe stays open
    // until the status is read.
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let printed = stdout.by_ref().map(|line| line.expect("UTF-8"));
    let printed: Vec<String> = printed.take_while(|line| line != "done").collect();
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("a status");
    drop((stdin, stdout));
    child.wait().expect("an end");
    let number = |lines: &str, name: &str| {
        let line = lines.lines().find_map(|line| line.strip_prefix(name));
        let number = line.expect("the line").trim().trim_end_matches(" kB");
        number.parse().expect("a number")
    };
    (
        number(&status, "VmHWM:"),
        number(&printed.join("\n"), "bytes"),
    )
}

/// What [`whatever_is_typed_the_program_answers_and_goes_on`] types.
const PIECES: &[&str] = &[
    "PUT",
    "GET",
    "DEL",
    "MGET",
    "MSET",
    "ADD",
    "CAS",
    "INCR",
    "TTL",
    "EXPIRE",
    "PERSIST",
    "EXISTS",
    "KEYS",
    "SIZE",
    "CLEAR",
    "SLEEP",
    "TIME",
    "CLOCK",
    "NODES",
    "EVICTION",
    "CAPACITY",
    "WHERE",
    "STATS",
    "EVENTS",
    "MONITOR",
    "WATCH",
    "ECHO",
    "REPEAT",
    "HELP",
    "NODE",
    "a",
    "b",
    "key",
    "*",
    "[a",
    "lru",
    "arc",
    "lirs",
    "2q",
    "w-tinylfu",
    "s3-fifo",
    "ttl",
    "none",
    "0",
    "1",
    "-1",
    "3",
    "2s",
    "1ms",
    "100years",
    "9223372036854775807",
    "1e9",
    "10kB",
    "1GiB",
    "on",
    "off",
    "virtual",
    "\"",
    "'",
    "\"q q\"",
    "'x'",
    "\\x",
    "#",
    "\u{202e}",
    "\0",
    "\x1b[2J",
    "\t",
    "\r",
    "@data",
    "é",
    "null",
    "\"\"",
];

/// Lines of commands, options, numbers and noise, put together at random. `FUZZ_SEED` replays one.
#[test]
fn whatever_is_typed_the_program_answers_and_goes_on() {
    let seeds = match std::env::var("FUZZ_SEED") {
        Ok(seed) => vec![seed.parse().expect("a number")],
        Err(_) => (0..8).collect(),
    };
    for seed in seeds {
        let mut random = shardlab::rng::Rng::new(seed);
        let mut script = Vec::new();
        for _ in 0..4000 {
            for _ in 0..random.below(7) {
                let piece =
                    PIECES[usize::try_from(random.below(PIECES.len() as u64)).expect("small")];
                script.extend(piece.as_bytes());
                match random.below(20) {
                    0 => script.push(u8::try_from(random.below(256)).expect("a byte")),
                    1 => {}
                    _ => script.push(b' '),
                }
            }
            script.push(b'\n');
        }
        // A REPEAT or a WATCH without an end is what it should be, but not here.
        let script: Vec<u8> = script
            .split_inclusive(|byte| *byte == b'\n')
            .filter(|line| !line.windows(5).any(|word| word == b"WATCH"))
            .filter(|line| line.windows(6).filter(|word| *word == b"REPEAT").count() < 2)
            .filter(|line| !line.windows(9).any(|word| word == b"922337203"))
            .flatten()
            .copied()
            .collect();
        let output = run(&["--clock", "virtual", "--format", "json"], &script);
        assert!(
            matches!(status(&output), Some(0 | 1)),
            "FUZZ_SEED={seed}: {output:?}"
        );
        assert_eq!(text(&output.stderr), "", "FUZZ_SEED={seed}");
        for line in lines(&output) {
            let object: Result<serde_json::Value, _> = serde_json::from_str(line);
            assert!(
                object.is_ok_and(|it| it.is_object()),
                "FUZZ_SEED={seed}: {line}"
            );
        }
    }
}

#[test]
fn c_takes_several_lines_and_a_byte_order_mark() {
    let commands = [
        "-c",
        "\u{feff}PUT a 1\r\nGET a\n\nGTE a",
        "-c",
        "",
        "-c",
        "PUT b",
    ];
    let output = run(&commands, b"");
    assert_eq!(lines(&output), ["a -> 1"]);
    assert_eq!(
        text(&output.stderr),
        "-c:4: error: unknown command GTE; did you mean GET?\n\
         -c:6: error: value is missing; usage: PUT key value [ttl]\n"
    );
    let marked = run(&["-c", "PUT a 1", "-c", "\u{feff}GET a"], b"");
    assert_eq!(lines(&marked), ["a -> 1"]);
    let quit = run(&["-c", "ECHO a\nQUIT\nECHO b", "-c", "ECHO c"], b"");
    assert_eq!(lines(&quit), ["a"]);
    let bail = run(&["--bail", "-c", "GTE\nECHO b", "-c", "ECHO c"], b"");
    assert_eq!((text(&bail.stdout), status(&bail)), ("", Some(1)));
}

#[test]
fn an_option_error_names_the_option_and_what_it_accepts() {
    for (arguments, parts) in [
        (
            &["--clock", "lunar"][..],
            &["'--clock <CLOCK>'", "real, virtual"][..],
        ),
        (
            &["--placement", "star"],
            &["'--placement <PLACEMENT>'", "modulo, ring, ketama"],
        ),
        (
            &["--eviction", "belady"],
            &["'--eviction <POLICY>'", "none, random, fifo"],
        ),
        (
            &["--format", "xml"],
            &["'--format <FORMAT>'", "plain, table, json"],
        ),
        (
            &["--color", "some"],
            &["'--color <WHEN>'", "auto, always, never"],
        ),
        (&["--replicas", "17"], &["'--replicas <1..16>'", "1..=16"]),
        (
            &["--replicas", "4"],
            &[
                "--replicas: a key has 1 to 16 replicas",
                "nodes (3)",
                "; raise --nodes as well",
            ],
        ),
        (
            &["--seed", "abc"],
            &["'--seed <N>'", ": not a whole number"],
        ),
        (&["--max-entries", "x"], &[": not a whole number"]),
        (
            &["--seed", "99999999999999999999"],
            &[": the number is too large"],
        ),
        (
            &["simulate", "--seeds", "0"],
            &["'--seeds <N>'", ": 0 is not in 1.."],
        ),
        (
            &["--write-quorum", "2"],
            &["--write-quorum: a quorum lies between 1 and"],
        ),
        (
            &["--read-quorum", "2"],
            &["--read-quorum: a quorum lies between 1 and"],
        ),
        (
            &["simulate", "--nodes", "2", "--replicas", "3"],
            &["--replicas: a key has"],
        ),
        (
            &["--max-memory", "much"],
            &["'--max-memory <BYTES>'", "64MiB"],
        ),
        (&["--timeout", "0"], &["'--timeout <TIME>'", "1500ms"]),
        (
            &["simulate", "--nemesis", "mild"],
            &["'--nemesis <NEMESIS>'", "light, heavy, swarm, off"],
        ),
    ] {
        let output = run(arguments, b"");
        let error = text(&output.stderr);
        assert_eq!((status(&output), text(&output.stdout)), (Some(2), ""));
        for part in parts {
            assert!(error.contains(part), "{arguments:?}: {part} in {error}");
        }
    }
}

#[test]
fn help_shows_the_values_of_options_and_of_simulate_only_its_own() {
    let help = run(&["--help"], b"");
    let words: Vec<&str> = text(&help.stdout).split_whitespace().collect();
    for values in [
        "real, virtual",
        "plain, table, json",
        "auto, always, never",
        "w-tinylfu",
    ] {
        assert!(words.join(" ").contains(values), "{values}");
    }
    let help = run(&["simulate", "--help"], b"");
    let help = text(&help.stdout);
    for option in ["--nodes", "--replicas", "--format", "--nemesis", "--seed "] {
        assert!(help.contains(option), "{option}");
    }
    for option in [
        "--color",
        "--echo",
        "--clock",
        "--quiet",
        "--bail",
        "--no-history",
    ] {
        assert!(!help.contains(option), "{option} in {help}");
    }
    let run_help = run(&["run", "--help"], b"");
    assert!(text(&run_help.stdout).contains("--echo"));
    // They are still accepted, wherever they stand.
    let quiet = run(
        &["--quiet", "simulate", "--seeds", "1", "--color", "never"],
        b"",
    );
    assert_eq!(status(&quiet), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn help_that_cannot_be_written_fails() {
    for arguments in [&["--help"][..], &["--version"], &["simulate", "--help"]] {
        let full = fs::File::create("/dev/full").expect("a device");
        let mut program = shardlab(arguments);
        let output = program.stdout(full).output().expect("it runs");
        assert_eq!(output.status.code(), Some(1));
        let error = "error: cannot write the output: no storage space\n";
        assert_eq!(text(&output.stderr), error);
    }
}
