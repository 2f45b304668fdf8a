//! Reports of made-up cells: what fits into a terminal, and what a page has.

use super::*;
use crate::eviction::Eviction;
use crate::placement::PlacementKind;
use crate::replay::{Counts, End, Halves, Hottest, Impact, Policy, Unit, Windows};

fn counts(requests: u64, misses: u64) -> Counts {
    Counts {
        requests,
        misses,
        bytes: requests,
        missed_bytes: misses,
        compulsory: misses / 4,
        ..Counts::default()
    }
}

fn deployment(nodes: u32) -> Deployment {
    Deployment {
        nodes,
        placement: PlacementKind::Ketama,
        replicas: 1,
    }
}

/// Cells of these policies at these sizes.
fn cells(policies: &[Policy], sizes: &[u64], nodes: u32) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (rank, &policy) in policies.iter().enumerate() {
        for (step, &size) in sizes.iter().enumerate() {
            let misses = 900_000 / (step as u64 + 2) + rank as u64 * 1000;
            let halves = (0..nodes).map(|node| Halves {
                first: counts(500_000, misses / 2),
                all: counts(1_000_000 + u64::from(node), misses),
            });
            let halves: Vec<Halves> = halves.collect();
            cells.push(Cell::new(
                policy,
                size,
                Unit::Objects,
                deployment(nodes),
                &halves,
            ));
        }
    }
    cells
}

fn windows(misses: [u64; 4]) -> Windows {
    Windows {
        ends: vec![25, 50, 75, 100],
        from: 0,
        times: [0, 1, 2, 3, 4].map(|it| it * 60_000_000_000).to_vec(),
        counts: misses.map(|misses| counts(25, misses)).to_vec(),
    }
}

/// A cell with a course and two events.
fn with_events() -> (Vec<Cell>, Details) {
    let (with, calm) = (windows([20, 5, 20, 6]), windows([20, 5, 5, 5]));
    let impact = |at, extra_misses, end| Impact {
        at,
        time: at as u64 * 2_400_000_000,
        extra_misses,
        failed: 3,
        requests: 25,
        nanos: 60_000_000_000,
        end,
    };
    let course = Course {
        windows: with.clone(),
        calm: Some(calm.clone()),
        impacts: vec![
            impact(50, 15, End::NextEvent),
            impact(75, 1, End::Recovered),
        ],
    };
    let nodes = vec![counts(60, 30), counts(40, 21)];
    let policy = Policy::Node(Eviction::Lru);
    let cell = Cell::of_course(policy, 100, deployment(2), 50, course, nodes);
    let line = |name: &str, windows, is_calm| Line {
        name: name.into(),
        windows,
        style: 0,
        is_calm,
    };
    let mark = |at, text: &str| Mark {
        at,
        text: text.into(),
    };
    let details = Details {
        requests: 100,
        over_time: Some(OverTime {
            lines: vec![line("lru", with, false), line("lru, calm", calm, true)],
            marks: vec![mark(50, "CRASH 1"), mark(75, "RESTART 1")],
            by: Unit::Objects,
        }),
        nodes: Some(Nodes {
            busiest: 0,
            hottest: Hottest {
                requests: 60,
                objects: vec![(0, 20), (3, 10)],
            },
            keys: vec!["a<b".into(), "17".into()],
        }),
    };
    (vec![cell], details)
}

fn shown(cells: &[Cell], details: &Details, form: Form, width: usize) -> String {
    text(&Report {
        cells,
        notes: &[],
        by: Unit::Objects,
        target: None,
        form,
        width,
        infinite: 0.1,
        details,
    })
}

fn page_of(cells: &[Cell], details: &Details) -> String {
    let verdict = verdict(cells, Unit::Objects, None).expect("a choice");
    let series = series(cells, Unit::Objects, cells[verdict.choice].deployment);
    let chart = Chart {
        title: "Requests that miss",
        series: &series,
        unit: Unit::Objects,
        chosen: None,
        infinite: None,
    };
    page(&Page {
        sentence: &sentence(cells, Unit::Objects, &verdict),
        notes: &[],
        charts: &[chart],
        cells,
        by: Unit::Objects,
        choice: verdict.choice,
        details,
        trace: &[("requests".into(), "100".into())],
        repeat: &[("command".into(), "shardlab compare a&b".into())],
    })
}

const SIZES: [u64; 12] = [
    1, 2, 5, 10, 20, 50, 100, 1000, 20_000, 300_000, 4_000_000, 50_000_000,
];

#[test]
fn no_line_is_wider_than_the_terminal() {
    let all: Vec<Policy> = Policy::all().collect();
    let (events, details) = with_events();
    for width in [40, 80, 120] {
        let of_cells = [
            shown(
                &cells(&all, &SIZES, 1),
                &Details::default(),
                Form::Plain,
                width,
            ),
            shown(
                &cells(&all, &SIZES, 3),
                &Details::default(),
                Form::Plain,
                width,
            ),
            shown(
                &cells(&all[..1], &SIZES[..1], 1),
                &Details::default(),
                Form::Table,
                width,
            ),
            shown(&events, &details, Form::Plain, width),
        ];
        for text in &of_cells {
            let widest = text.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(width), "{width} columns:\n{text}");
        }
    }
}

#[test]
fn the_course_shows_events_and_their_costs() {
    let (cells, details) = with_events();
    let text = shown(&cells, &details, Form::Plain, 80);
    let expected = "\
For this trace take lru with 100 objects on each of 2 nodes (ketama): 51.0 % of
requests miss. Without the events 35.0 % would. These counts are exact; the
first half of the trace would have chosen the same policy.

2 nodes, ketama
policy        100
lru       51.0 %*

2 nodes, ketama: the busiest node gets 1.20 times the mean. Its 2 hottest keys
make 50.0 % of its requests.

node     requests       misses    ratio    of all       bytes
   0           60           30   50.0 %    60.0 %        60 B
   1           40           21   52.5 %    40.0 %        40 B

miss ratio over time, up to 80.0 %; a column is 1 request
lru        ███████████████▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃███████████████▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃
lru, calm  ███████████████▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃
                                         1              2
1 CRASH 1 before request 50 (50.0 %, after 2m): 15 more misses, 3 requests
  without an answer, in 25 requests (1m), until the next event
2 RESTART 1 before request 75 (75.0 %, after 3m): 1 more miss, 3 requests
  without an answer, in 25 requests (1m), then as without it
";
    assert_eq!(text, expected);
    let json = shown(&cells, &details, Form::Json, 80);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["events"][0]["extra_misses"], 15);
    assert_eq!(json["events"][1]["recovered"], true);
    assert_eq!(json["cluster"]["hottest_requests"], 30);
    assert_eq!(json["cells"][0]["misses_without_events"], 35);
}

#[test]
fn a_page_has_all_sections_and_needs_nothing_else() {
    let (cells, details) = with_events();
    let html = page_of(&cells, &details);
    let sections: Vec<&str> = html
        .split("<h2>")
        .skip(1)
        .filter_map(|part| part.split("</h2>").next())
        .collect();
    let expected = [
        "Miss ratio by size",
        "All policies and sizes",
        "Over time",
        "The cluster",
        "Why requests miss",
        "The trace",
        "How to repeat this",
    ];
    assert_eq!(sections, expected);
    assert!(html.contains("<code>a&lt;b</code> 33.3 %") && html.contains("compare a&amp;b"));
    for foreign in ["<script", "src=", "href=", "url(", "@import"] {
        assert!(!html.contains(foreign), "{foreign}");
    }
    for (open, close) in [
        ("<svg", "</svg>"),
        ("<table", "</table>"),
        ("<tr>", "</tr>"),
    ] {
        assert_eq!(
            html.matches(open).count(),
            html.matches(close).count(),
            "{open}"
        );
    }
    assert!(!html.contains("NaN") && !html.contains("inf"));
    assert_eq!(html, page_of(&cells, &details));
}

#[test]
fn a_large_comparison_makes_a_small_page() {
    let policies: Vec<Policy> = Policy::all().collect();
    let mut all = Vec::new();
    let sizes: Vec<u64> = (1..=40).map(|size| size * 1_000_003).collect();
    for nodes in [1, 2, 3, 4] {
        all.extend(cells(&policies, &sizes, nodes));
    }
    let html = page_of(&all, &Details::default());
    assert!(html.len() < 300_000, "{} bytes", html.len());
    assert!(html.contains("<code>--format csv</code> has all"));
}
