//! `compare --sample`, as a process.

use std::fs;

use serde_json::Value;

use super::{run, text};

/// A trace of Zipf's law with this many keys.
struct Trace(tempfile::TempDir);

impl Trace {
    fn zipf(keys: &str, requests: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let trace = Self(folder);
        let path = trace.path("zipf.csv");
        let arguments = [
            "generate",
            "zipf",
            &path,
            "--keys",
            keys,
            "--requests",
            requests,
            "--skew",
            "0.8",
            "--size",
            "100..300",
            "--seed",
            "4",
            "--quiet",
        ];
        assert_eq!(text(&run(&arguments, b"").stderr), "");
        trace
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_string_lossy().into_owned()
    }

    fn compare(&self, more: &[&str]) -> std::process::Output {
        let path = self.path("zipf.csv");
        run(
            &[&["compare", &path, "--policies", "lru,sieve,belady"], more].concat(),
            b"",
        )
    }

    fn json(&self, more: &[&str]) -> Value {
        let output = self.compare(&[more, &["--format", "json"]].concat());
        assert_eq!(text(&output.stderr), "");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

#[test]
fn a_rate_of_one_is_exact() {
    let trace = Trace::zipf("3000", "20000");
    for form in ["plain", "table", "json", "csv"] {
        let shown = |rate| {
            let output = trace.compare(&["--sample", rate, "--format", form]);
            text(&output.stdout).to_owned()
        };
        let none = shown("none");
        assert!(none.contains(if form == "json" {
            "\"exact\":true"
        } else {
            "lru"
        }));
        assert!(!none.contains("plus_minus") && !none.contains('±'));
        for rate in ["1", "1.0", "100%", "auto"] {
            assert_eq!(shown(rate), none, "{rate}, {form}");
        }
    }
}

#[test]
fn a_sample_estimates_and_says_how_sure_it_is() {
    let trace = Trace::zipf("20000", "100000");
    let sizes = ["--sizes", "1000,2000,5000,8000"];
    let exact = trace.json(&[&sizes[..], &["--sample", "none"]].concat());
    let sampled = trace.json(&[&sizes[..], &["--sample", "0.1"]].concat());
    let cells = |object: &Value| object["cells"].as_array().expect("cells").clone();
    let pairs = cells(&exact).into_iter().zip(cells(&sampled));
    for (exact, sampled) in pairs {
        assert_eq!(exact["size"], sampled["size"]);
        assert_eq!(
            exact["requests"], sampled["requests"],
            "all requests are counted"
        );
        let ratio = |cell: &Value| number(&cell["misses"]) / number(&cell["requests"]);
        let (low, high) = (number(&sampled["low"]), number(&sampled["high"]));
        assert!((low..=high).contains(&ratio(&exact)), "{exact}\n{sampled}");
        let error = number(&sampled["plus_minus"]);
        assert!((high - ratio(&sampled) - error).abs() < 1e-9, "{sampled}");
        assert_eq!(
            (&sampled["exact"], &sampled["sample_rate"]),
            (&false.into(), &0.1.into())
        );
        assert!(exact.get("plus_minus").is_none() && exact["exact"] == true);
    }
    let verdict = sampled["verdict"].as_str().expect("a sentence");
    assert!(
        verdict.contains(" points, from a sample of 10 % of the keys; "),
        "{verdict}"
    );
    assert!(!verdict.contains("exact"), "{verdict}");
    let infinite = number(&sampled["infinite"]) / number(&exact["infinite"]);
    assert!((0.9..1.1).contains(&infinite), "{infinite}");
}

#[test]
fn a_sample_warns_of_sieve() {
    let trace = Trace::zipf("20000", "100000");
    for (policies, rate, warns) in [
        ("lru,sieve", "0.1", true),
        ("lru", "0.1", false),
        ("lru,sieve", "none", false),
    ] {
        let path = trace.path("zipf.csv");
        let arguments = ["compare", &path, "--policies", policies, "--sample", rate];
        let output = run(&arguments, b"");
        let report = text(&output.stdout);
        let is_warned = report.contains("sieve can be further off");
        assert_eq!(is_warned, warns, "{policies} at {rate}: {report}");
    }
}

#[test]
fn every_form_and_picture_shows_the_errors() {
    let trace = Trace::zipf("20000", "100000");
    let (html, svg) = (trace.path("a.html"), trace.path("a.svg"));
    let sampled = |form| {
        let arguments = [
            "--sample", "10%", "--format", form, "--html", &html, "--svg", &svg,
        ];
        let output = trace.compare(&arguments);
        assert_eq!(text(&output.stderr), "");
        text(&output.stdout).to_owned()
    };
    let csv = sampled("csv");
    let mut lines = csv.lines();
    let header = lines.next().expect("a header");
    assert!(header.ends_with(",exact,low,high,plus_minus,bytes_plus_minus,sample_rate"));
    for line in lines {
        assert_eq!(line.split(',').count(), header.split(',').count(), "{line}");
        assert!(line.contains(",false,") && line.ends_with(",0.1"), "{line}");
    }
    let plain = sampled("plain");
    assert!(plain.contains(" % ± "), "{plain}");
    assert!(plain.contains("those of 10 % of the keys\n"), "{plain}");
    for line in plain.lines().filter(|line| !line.starts_with("note: ")) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let svg = fs::read_to_string(&svg).expect("a chart");
    assert_eq!(
        svg.matches("fill-opacity=\"0.15\"").count(),
        3,
        "a band for each policy"
    );
    let html = fs::read_to_string(&html).expect("a page");
    assert!(html.contains(" % ± ") && html.contains("10 % of the keys"));
}

#[test]
fn sizes_that_a_sample_cannot_show_are_left_out() {
    let trace = Trace::zipf("20000", "100000");
    let output = trace.compare(&[
        "--sample",
        "0.1",
        "--sizes",
        "499,500,2000",
        "--format",
        "csv",
    ]);
    let sizes: Vec<&str> = text(&output.stdout)
        .lines()
        .filter(|line| line.starts_with("lru,"))
        .filter_map(|line| line.split(',').nth(1))
        .collect();
    assert_eq!(sizes, ["500", "2000"]);
    let plain = trace.compare(&["--sample", "0.1", "--sizes", "499,500,2000"]);
    let note = "a sample of 10 % of the keys shows no size under 500 objects: 1 of 3 are left out";
    assert!(
        text(&plain.stdout).contains(note),
        "{}",
        text(&plain.stdout)
    );
    let failed = trace.compare(&["--sample", "0.1", "--sizes", "499"]);
    assert_eq!(failed.status.code(), Some(1));
    let message = "shows no size under 500 objects: use a higher --sample, or --sample none\n";
    assert!(
        text(&failed.stderr).ends_with(message),
        "{}",
        text(&failed.stderr)
    );
    // By bytes the objects have their mean size, 200 bytes.
    let bytes = trace.compare(&[
        "--sample",
        "0.1",
        "--sizes",
        "95KB,105KB,400KB",
        "--format",
        "csv",
    ]);
    let shown = text(&bytes.stdout)
        .lines()
        .filter(|line| line.starts_with("lru,"));
    assert_eq!(shown.count(), 2, "{}", text(&bytes.stdout));
}

#[test]
fn a_trace_that_is_too_small_to_sample_is_an_error() {
    for (input, arguments) in [
        (&b"1\n2\n3\n1\n"[..], &["--sample", "0.001"][..]),
        (b"1\n1\n1\n", &["--sample", "0.5", "--sizes", "1"]),
        (b"1\n2\n", &["--sample", "1e-300"]),
    ] {
        let output = run(&[&["compare", "-"], arguments].concat(), input);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
        let message = text(&output.stderr);
        assert!(
            message.starts_with("error: <stdin>: a sample of "),
            "{message}"
        );
        assert!(
            message.ends_with("use a higher --sample, or --sample none\n"),
            "{message}"
        );
    }
    for rate in ["0", "-0.1", "1.1", "0%", "101%", "nan", "inf", "much", ""] {
        let output = run(&["compare", "-", &format!("--sample={rate}")], b"1\n");
        assert_eq!(output.status.code(), Some(2), "{rate}");
    }
}

#[test]
fn samples_go_with_nodes_bytes_ttls_and_a_target() {
    let trace = Trace::zipf("20000", "100000");
    let object = trace.json(&["--sample", "0.2", "--nodes", "1,3", "--sizes", "10%"]);
    let cells = object["cells"].as_array().expect("cells");
    assert_eq!(cells.len(), 6);
    for cell in cells.iter().filter(|cell| cell["nodes"] == 3) {
        let nodes = cell["by_node"].as_array().expect("nodes");
        assert_eq!(nodes.len(), 3, "the groups of the sample are no nodes");
        let requests: f64 = nodes.iter().map(|node| number(&node["requests"])).sum();
        assert!((requests / 100_000.0 - 1.0).abs() < 0.2, "{requests}");
    }
    let object = trace.json(&["--sample", "0.2", "--by", "bytes", "--sizes", "5%,20%"]);
    let cells = object["cells"].as_array().expect("cells");
    assert!(
        cells
            .iter()
            .all(|cell| cell["unit"] == "bytes" && number(&cell["bytes_plus_minus"]) > 0.0)
    );
    let object = trace.json(&["--sample", "0.2", "--ttl", "20s", "--sizes", "10%,50%"]);
    assert_eq!(
        object["cells"].as_array().expect("cells").len(),
        4,
        "{object}"
    );
    let object = trace.json(&["--sample", "0.2", "--target", "60%"]);
    assert!(
        object["verdict"]
            .as_str()
            .expect("a sentence")
            .contains("from a sample of 20 %")
    );
}
