//! `compare`, as a process.

use std::fs;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::{run, shardlab, text};

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Runs `compare` with these words behind it, on this input.
fn compared(words: &str, input: &[u8]) -> Output {
    let words: Vec<String> = words
        .split(' ')
        .map(|word| word.replace('_', " "))
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    run(&[&["compare", "-"], words.as_slice()].concat(), input)
}

fn json(words: &str, input: &[u8]) -> Value {
    let output = compared(&format!("--format json {words}"), input);
    let error = text(&output.stderr);
    assert_eq!((output.status.code(), error), (Some(0), ""), "{words}");
    serde_json::from_str(text(&output.stdout)).expect("JSON")
}

/// A loop over 100 keys, a request each 10 ms.
fn looped(requests: usize) -> Vec<u8> {
    let mut csv = "time,key\n".to_owned();
    for at in 0..requests {
        csv += &format!("{}.{:02},{}\n", at / 100, at % 100, at % 100);
    }
    csv.into_bytes()
}

#[test]
fn a_crash_costs_the_misses_of_its_node_until_it_is_back() {
    let words = "--policies lru --sizes 100 --nodes 3 --at 50%=CRASH_1 --at 6000=RESTART_1";
    let found = json(words, &looped(10_000));
    let [crash, restart] = found["events"].as_array().expect("events").as_slice() else {
        panic!("{found}");
    };
    let held = found["cells"][0]["by_node"][1]["requests"]
        .as_u64()
        .expect("a count")
        / 100;
    let number = |it: &Value, name: &str| it[name].as_u64().unwrap_or(u64::MAX);
    assert_eq!(
        (&crash["command"], number(crash, "request")),
        (&"CRASH 1".into(), 5000)
    );
    assert_eq!(
        (number(crash, "failed"), number(crash, "extra_misses")),
        (held * 10, held * 10)
    );
    assert_eq!(
        (number(crash, "requests"), number(crash, "ms")),
        (1000, 10_000)
    );
    assert_eq!(
        (number(restart, "failed"), number(restart, "extra_misses")),
        (0, held)
    );
    assert_eq!(restart["recovered"], true);
    assert_eq!(found["cells"][0]["misses_without_events"], 100);
    assert_eq!(found["cells"][0]["misses"], 100 + held * 11);
    // A replica has all of it.
    let words = format!("{words} --replicas 2");
    let found = json(&words, &looped(10_000));
    assert_eq!(found["cells"][0]["misses"], 100);
    assert_eq!(found["cells"][0]["replicas"], 2);
    assert_eq!(found["events"][0]["extra_misses"], 0);
    let by_event = &found["cells"][0]["extra_misses_by_event"];
    assert_eq!(by_event, &serde_json::json!([0, 0]));
}

#[test]
fn replicas_are_compared_where_there_are_as_many_nodes() {
    let words = "--policies lru,belady --sizes 10,100 --nodes 1,3 --replicas 1,2";
    let found = json(words, &looped(2000));
    let cells = found["cells"].as_array().expect("cells");
    let of = |nodes: u64, replicas: u64| {
        let here = cells
            .iter()
            .filter(|it| it["nodes"] == nodes && it["replicas"] == replicas);
        here.count()
    };
    assert_eq!((of(1, 1), of(3, 1), of(1, 2), of(3, 2)), (4, 4, 0, 2));
    let notes = found["notes"].to_string();
    assert!(
        notes.contains("2 copies are left out with 1 nodes"),
        "{notes}"
    );
    assert!(notes.contains("belady and gdsf are left out"), "{notes}");
}

#[test]
fn events_on_one_node_and_changes_of_members() {
    let found = json(
        "--policies lru --sizes 100 --at 50%=CRASH_0 --at 60%=RESTART_0",
        &looped(4000),
    );
    assert_eq!(found["events"][0]["failed"], 400);
    let words =
        "--policies lru --sizes 100 --nodes 2 --placements ring --at 50%=JOIN --at 75%=LEAVE_0";
    let found = json(words, &looped(4000));
    assert_eq!(found["cells"][0]["misses"], 100, "what moves does not miss");
    assert_eq!(
        found["cells"][0]["by_node"].as_array().map(Vec::len),
        Some(3)
    );
}

#[test]
fn the_report_of_a_cluster_shows_nodes_and_events() {
    let words = "--policies lru,fifo --sizes 20 --nodes 2 --at 50%=PAUSE_1 --at 60%=RESUME_1";
    let output = compared(words, &looped(8000));
    let shown = text(&output.stdout);
    for part in [
        "Without the events",
        "the busiest node gets 1.",
        "Its 10 hottest keys",
        "miss ratio over time",
        "1 PAUSE 1 before request 4,000 (50.0 %, after 40s): ",
        "requests without an answer",
        "2 RESUME 1 before request 4,800",
    ] {
        assert!(shown.contains(part), "{part}:\n{shown}");
    }
    let split =
        text(&compared("--policies lru --sizes 20 --nodes 2,4", &looped(8000)).stdout).to_owned();
    assert!(split.contains("with 4 nodes, modulo"), "{split}");
    assert!(split.contains("miss ratio over time"), "{split}");
}

#[test]
fn wrong_events_and_replicas_are_refused() {
    for (words, part, code) in [
        (
            "--at 50%=GET_a",
            "GET cannot happen in a replay; use CRASH",
            2,
        ),
        ("--at CRASH_1", "use POSITION=COMMAND", 2),
        ("--at 200%=CRASH_1", "is no position", 2),
        ("--replicas 2", "2 copies need as many --nodes", 2),
        (
            "--nodes 2 --replicas 2 --sizes 1KiB",
            "take sizes in objects",
            2,
        ),
        ("--at 1=HEAL --by bytes", "take sizes in objects", 2),
        ("--at 1=HEAL --expiry lazy", "--expiry lazy", 2),
        (
            "--nodes 3 --at 50%=CRASH_3",
            "--at: CRASH 3: there is no node 3",
            1,
        ),
        ("--nodes 3 --at 50%=RESTART_1", "node 1 has not crashed", 1),
        ("--sizes 0", "a cache of size 0 holds nothing", 1),
    ] {
        let output = compared(words, b"1\n2\n");
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words}: {error}");
        assert!(
            error.contains(part) && output.stdout.is_empty(),
            "{words}: {error}"
        );
    }
    let output = run(&["--replicas", "1,2", "-c", "SIZE"], b"");
    assert!(
        text(&output.stderr).contains("only compare takes several"),
        "{output:?}"
    );
    let found = json(
        "--policies lru --sizes 5 --nodes 2,3 --at 1=CRASH_2",
        b"1\n2\n",
    );
    let notes = found["notes"].to_string();
    assert!(
        notes.contains("CRASH 2 has no effect with 2 nodes: there is no node 2"),
        "{notes}"
    );
}

/// Two requests share their first blocks; the second one has another block in between.
const PROMPTS: &[u8] =
    b"{\"timestamp\":0,\"input_length\":1,\"output_length\":1,\"hash_ids\":[1,2,3]}
{\"timestamp\":1,\"input_length\":1,\"output_length\":1,\"hash_ids\":[1,4,3]}
{\"timestamp\":2,\"input_length\":1,\"output_length\":1,\"hash_ids\":[1,4,3]}
";

#[test]
fn a_block_of_a_prompt_hits_only_behind_its_prefix() {
    let misses = |words: &str| json(words, PROMPTS)["cells"][0]["misses"].clone();
    let flat = "--policies lru --sizes 10 --trace-format mooncake";
    let prefix = "--policies lru --sizes 10 --trace-format mooncake,prefix=true";
    assert_eq!((misses(flat), misses(prefix)), (4.into(), 5.into()));
    assert_eq!(
        misses(&format!("{prefix} --nodes 3")),
        5,
        "over several nodes too"
    );
    let many = "--policies lru,belady --sizes 1,2,3,4,5,6,7 --trace-format mooncake,prefix=true";
    let found = json(many, PROMPTS);
    let all: Vec<u64> = found["cells"]
        .as_array()
        .expect("cells")
        .iter()
        .filter_map(|cell| cell["misses"].as_u64())
        .collect();
    assert_eq!(all, [9, 9, 5, 5, 5, 5, 5]);
    assert!(
        found["notes"].to_string().contains("belady is left out"),
        "{found}"
    );
}

#[test]
fn the_page_is_whole_small_and_the_same_each_time() {
    let folder = folder();
    let path = folder.path().join("report.html");
    let name = path.to_str().expect("a path of text");
    let page = || {
        let words =
            format!("--policies all --sizes 5%,20%,60% --html {name} --nodes 3 --at 50%=CRASH_1");
        let output = compared(&words, &looped(5000));
        assert_eq!(text(&output.stderr), "", "{words}");
        let page = fs::read_to_string(&path).expect("a page");
        let lines = page.lines().filter(|line| !line.contains("time taken"));
        lines.collect::<Vec<_>>().join("\n")
    };
    let first = page();
    assert!(first.len() < 300_000 && first.ends_with("</html>"));
    for part in [
        "<h2>Over time</h2>",
        "<code>CRASH 1</code>",
        "<h2>The cluster</h2>",
        "<h2>Why requests miss</h2>",
        "no node answered",
        "csv: its header names a column for the key",
        "100 objects",
        "shardlab compare - --policies all --sizes 5%,20%,60% --html",
        "'50%=CRASH 1'",
        "&lt;stdin&gt;, which cannot be read again",
        "color-scheme",
    ] {
        let part = part.replace("100 objects", "<th scope=\"row\">objects<td>100");
        assert!(first.contains(&part), "{part}");
    }
    assert!(!first.contains("<script"));
    assert_eq!(first, page());
}

#[test]
fn a_page_names_its_file_with_a_hash() {
    let folder = folder();
    let (trace, page) = (folder.path().join("a.txt"), folder.path().join("a.html"));
    fs::write(&trace, "abc").expect("written");
    let words = [
        trace.to_str(),
        Some("--html"),
        page.to_str(),
        Some("--sizes"),
        Some("1"),
    ];
    let words: Option<Vec<&str>> = words.into_iter().collect();
    let output = run(&[&["compare"][..], &words.expect("text")].concat(), b"");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    let page = fs::read_to_string(page).expect("a page");
    assert!(
        page.contains("a.txt, 3 bytes, MD5 900150983cd24fb0d6963f7d28e17f72"),
        "{page}"
    );
}

#[test]
fn a_page_that_cannot_be_written_is_an_error_and_leaves_nothing() {
    let folder = folder();
    let there = folder.path().join("there.html");
    fs::write(&there, "as it was").expect("written");
    let in_nothing = folder.path().join("nothing/page.html");
    for (path, part) in [
        ("/dev/full", "No space left on device"),
        (in_nothing.to_str().expect("text"), "there is no folder"),
        (folder.path().to_str().expect("text"), "it is a folder"),
    ] {
        for option in ["--html", "--svg"] {
            let output = compared(&format!("{option} {path}"), &looped(500));
            let error = text(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{option} {path}: {error}");
            assert!(error.contains(part) && error.contains(path), "{error}");
            assert!(text(&output.stdout).contains("For this trace take"));
        }
    }
    let names = fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(names, 1);
    assert_eq!(fs::read(&there).expect("a file"), b"as it was");
}

#[test]
fn small_and_odd_comparisons_have_answers() {
    for words in [
        "--sizes 5",
        "--policies lru",
        "--policies all --sizes 1,3,1000000000",
        "--policies fifo --sizes 1 --target 1%",
        "--nodes 2 --at 0=CRASH_0 --at 100%=RESTART_0",
        "--nodes 2 --replicas 2 --warmup 50%",
        "--nodes 7 --policies all --sizes 1",
    ] {
        for input in [&b"a\n"[..], b"a\nb\na\n", b"a\na\na\na\n"] {
            for form in ["plain", "table", "csv"] {
                let output = compared(&format!("{words} --format {form}"), input);
                let error = text(&output.stderr);
                assert_eq!((output.status.code(), error), (Some(0), ""), "{words}");
                let shown = text(&output.stdout);
                assert!(
                    !shown.contains("NaN") && !shown.contains("inf"),
                    "{words}:\n{shown}"
                );
            }
        }
    }
    let empty = compared("--sizes 5", b"");
    assert_eq!(
        text(&empty.stderr),
        "error: <stdin>: the trace has no request\n"
    );
    assert_eq!(empty.status.code(), Some(1));
    let sizes = json(
        "--policies lru,arc --sizes 1000000000000 --by objects",
        b"a\nb\na\n",
    );
    assert_eq!(sizes["cells"][0]["misses"], 2, "larger than everything");
}

#[test]
fn an_interrupt_shows_the_cells_that_are_done() {
    let folder = folder();
    let trace = folder.path().join("trace.txt");
    let trace = trace.to_str().expect("text");
    let made = run(
        &["generate", "zipf", trace, "--requests", "1000000", "-q"],
        b"",
    );
    assert_eq!(made.status.code(), Some(0));
    for words in [
        "--policies all",
        "--policies hyperbolic,lru --nodes 3 --replicas 2",
    ] {
        let words: Vec<&str> = ["compare", trace]
            .into_iter()
            .chain(words.split(' '))
            .collect();
        let mut program = shardlab(&words);
        program
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = program.spawn().expect("the program starts");
        std::thread::sleep(Duration::from_millis(2500));
        let pid = rustix::process::Pid::from_raw(child.id().cast_signed()).expect("a process");
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
        let output = child.wait_with_output().expect("an end");
        assert_eq!(
            output.status.code(),
            Some(130),
            "{words:?}: {}",
            text(&output.stderr)
        );
    }
}

#[test]
fn without_times_a_request_takes_a_millisecond() {
    let keys: String = (0..3000).map(|at| format!("{}\n", at % 3)).collect();
    let found = json("--policies lru --sizes 5 --ttl 1s", keys.as_bytes());
    // Each of the three keys is stored three times.
    assert_eq!(found["cells"][0]["misses"], 9);
    assert_eq!(
        found["notes"][0],
        "the trace has no times: each request takes 1 ms"
    );
    let mut timed = "time,key\n".to_owned();
    for at in 0..3000 {
        timed += &format!("{at},{}\n", at % 3);
    }
    let found = json("--policies lru --sizes 5 --ttl 1000s", timed.as_bytes());
    assert_eq!(
        (&found["cells"][0]["misses"], &found["notes"]),
        (&9.into(), &serde_json::json!([]))
    );
}

#[test]
fn a_real_cluster_gives_the_counts_of_the_split_trace() {
    let folder = folder();
    let trace = folder.path().join("trace.csv");
    let trace = trace.to_str().expect("text");
    let words = "--keys 300 --requests 4000 --ttl 1s..3s --rate 500 --seed 5 -q";
    let words: Vec<&str> = ["generate", "zipf", trace]
        .into_iter()
        .chain(words.split(' '))
        .collect();
    assert_eq!(run(&words, b"").status.code(), Some(0));
    let cells = |more: &[&str]| {
        let words =
            "--policies all --sizes 10,40 --nodes 3 --placements ketama --warmup 10% --format json";
        let words: Vec<&str> = ["compare", trace]
            .into_iter()
            .chain(words.split(' '))
            .collect();
        let output = run(&[words.as_slice(), more].concat(), b"");
        let found: Value = serde_json::from_str(text(&output.stdout)).expect("JSON");
        let cells = found["cells"].as_array().expect("cells").iter();
        let of_nodes = cells.filter(|cell| cell["policy"] != "gdsf");
        let cells = of_nodes.map(|cell| {
            let names = ["policy", "size", "requests", "misses", "by_node"];
            names.map(|name| cell[name].to_string())
        });
        cells.collect::<Vec<_>>()
    };
    let split = cells(&[]);
    assert_eq!(split.len(), 30);
    assert_eq!(split, cells(&["--at", "100%=HEAL"]));
}
