//! Thousands of random clusters under random faults; and the bugs that are planted to see that the
//! checks find them. A failure names its seed: `shardlab simulate --seed S --seeds 1` runs it again.

use shardlab::cache::Cache;
use shardlab::cluster::Restart;
use shardlab::config::InjectedBug;
use shardlab::nemesis::Nemesis;
use shardlab::simulation::{
    Coverage, Failure, Options, Run, chosen, replay, run, script, shrink, transcript,
};
use shardlab::time::Instant;
use shardlab::{Cluster, Config};

/// Runs these seeds, and expects nothing to be broken.
fn all_well(options: &Options, seeds: std::ops::Range<u64>) -> Coverage {
    let mut total = Coverage::default();
    for seed in seeds {
        let run = run(options, seed);
        if let Some(failure) = &run.failure {
            panic!("seed {seed}{}: {failure}", options.arguments());
        }
        total.add(&run.coverage);
    }
    total
}

/// Which seed first breaks something.
fn first_failure(options: &Options, seeds: u64) -> Option<u64> {
    (0..seeds).find(|&seed| run(options, seed).failure.is_some())
}

/// Options that build a bug in. One that only shows in values that are moved and then read before they
/// expire is found sooner in short runs with two owners.
fn planted(plant: InjectedBug) -> Options {
    let usual = Options::default();
    let is_rare = plant == InjectedBug::EarlyCopies;
    Options {
        plant: Some(plant),
        ops: if is_rare { 60 } else { usual.ops },
        replicas: is_rare.then_some(2),
        ..usual
    }
}

#[test]
fn swarms_break_no_promise() {
    let total = all_well(&Options::default(), 0..3_000);
    assert_eq!(total.missing(), [""; 0], "everything happens");
    assert!(total.evicted > 0 && total.looks > 0);
    assert_eq!(total.weak, 0, "every acknowledged write is at W owners");
}

#[test]
fn seeds_that_found_something_once_find_nothing_any_more() {
    for seed in [7_006_182, 7_072_647] {
        all_well(&Options::default(), seed..seed + 1);
    }
}

#[test]
fn heavy_and_light_faults_break_no_promise() {
    for nemesis in [Nemesis::Heavy, Nemesis::Light, Nemesis::Off] {
        let options = Options {
            nemesis,
            ..Options::default()
        };
        all_well(&options, 0..200);
    }
}

#[test]
fn other_numbers_of_nodes_owners_and_quorums_break_no_promise() {
    for (nodes, replicas, quorums) in [
        (3, 3, None),
        (7, 5, None),
        (4, 1, None),
        (1, 1, None),
        (5, 3, Some((1, 1))),
        (5, 3, Some((3, 1))),
        (5, 3, Some((1, 3))),
        (5, 4, Some((3, 2))),
    ] {
        let options = Options {
            nodes,
            replicas: Some(replicas),
            write_quorum: quorums.map(|it| it.0),
            read_quorum: quorums.map(|it| it.1),
            ..Options::default()
        };
        all_well(&options, 0..120);
    }
}

#[test]
fn every_planted_bug_is_found() {
    for plant in InjectedBug::ALL {
        let found = first_failure(&planted(plant), 1_000);
        assert!(found.is_some(), "{plant} is not found");
    }
}

#[test]
fn nodes_that_come_back_without_a_resync_are_found_out() {
    for restart in [Restart::Hints, Restart::Cold, Restart::Stale] {
        let options = Options {
            restart,
            ..Options::default()
        };
        let found = first_failure(&options, 500);
        assert!(found.is_some(), "{restart} is not found");
    }
}

#[test]
fn lost_hints_are_noticed_and_hints_that_arrive_are_not() {
    let loses_hints =
        |options: &Options| (0..300).any(|seed| run(options, seed).coverage.lost_hints > 0);
    let right = Options {
        restart: Restart::Hints,
        ..Options::default()
    };
    assert!(loses_hints(&planted(InjectedBug::LostHints)));
    assert!(!loses_hints(&right));
}

#[test]
fn the_same_seed_gives_the_same_log_byte_for_byte() {
    for seed in 0..50 {
        let (first, log) = transcript(&Options::default(), seed);
        let (second, again) = transcript(&Options::default(), seed);
        assert!(log == again, "seed {seed}: two runs differ");
        assert_eq!(first, second, "seed {seed}");
        let unwatched = run(&Options::default(), seed);
        assert_eq!(
            first.plan, unwatched.plan,
            "seed {seed}: a trace changes nothing"
        );
        assert_eq!(first.failure, unwatched.failure, "seed {seed}");
        let operations = |run: &Run| run.coverage.operations;
        assert_eq!(operations(&first), operations(&unwatched), "seed {seed}");
    }
}

#[test]
fn a_plan_replayed_comes_to_the_same() {
    for seed in 0..50 {
        let options = Options::default();
        let run = run(&options, seed);
        assert_eq!(replay(&options, seed, &run.plan), run, "seed {seed}");
    }
}

#[test]
fn few_steps_of_a_failed_run_fail_in_the_same_way() {
    let options = planted(InjectedBug::NoTombstones);
    let seed = first_failure(&options, 100).expect("it is found soon");
    let run = run(&options, seed);
    let places = shrink(&options, &run);
    assert!(places.len() <= 12, "seed {seed}: {} steps", places.len());
    let again = replay(&options, seed, &chosen(&run.plan, &places));
    let kind = |failure: &Option<Failure>| failure.as_ref().map(Failure::kind);
    assert_eq!(kind(&again.failure), kind(&run.failure), "seed {seed}");
    for left_out in 0..places.len() {
        let mut fewer = places.clone();
        fewer.remove(left_out);
        let fewer = replay(&options, seed, &chosen(&run.plan, &fewer));
        assert_ne!(
            kind(&fewer.failure),
            kind(&run.failure),
            "seed {seed}: each step is needed"
        );
    }
    let script = script(&options, seed, &again.plan);
    let check = script.lines().last().unwrap_or_default();
    assert!(check.starts_with("CHECK"), "{script}");
}

#[test]
fn a_run_in_which_little_happens_is_no_failure() {
    let one_operation = Options {
        ops: 1,
        ..Options::default()
    };
    let one_node = Options {
        nodes: 1,
        replicas: Some(1),
        ..Options::default()
    };
    all_well(&one_operation, 0..50);
    all_well(&one_node, 0..50);
}

#[test]
fn given_times_and_capacities_are_those_of_every_run() {
    use shardlab::config::Capacity;
    use std::time::Duration;
    let options = Options {
        timeout: Some(Duration::from_millis(70)),
        grace: Some(Duration::from_millis(300)),
        capacity: Capacity {
            entries: Some(2),
            bytes: Some(150),
        },
        eviction: Some(shardlab::eviction::Eviction::Lru),
        ..Options::default()
    };
    assert_eq!(
        options.arguments(),
        " --timeout 70ms --grace 300ms --max-entries 2 --max-memory 150 --eviction lru"
    );
    for seed in 0..50 {
        let config = shardlab::simulation::setup(&options, seed).config;
        assert_eq!(
            (
                config.timeout,
                config.grace,
                config.capacity,
                config.eviction
            ),
            (
                Duration::from_millis(70),
                Duration::from_millis(300),
                options.capacity,
                shardlab::eviction::Eviction::Lru
            )
        );
    }
    all_well(&options, 0..50);
}

#[test]
fn a_day_of_five_idle_nodes_takes_few_steps() {
    let config = Config::new().quorums(2, 2).nodes(5).replicas(3);
    let mut cluster = Cluster::new(config).expect("a cluster");
    let put = cluster.put(
        Instant::START,
        b"k",
        b"v",
        Some(Instant::from_millis(1_000)),
    );
    put.expect("acknowledged");
    let day = Instant::from_millis(24 * 3_600 * 1_000);
    let mut steps = 0;
    while let Some(next) = cluster.next_deadline().filter(|next| *next <= day) {
        cluster.tick(next);
        steps += 1;
        assert!(steps < 10, "nodes at rest do nothing");
    }
    cluster.tick(day);
    assert_eq!((cluster.size(day), cluster.tombstones()), (0, 0));
    assert_eq!(cluster.verify(day), []);
}

#[test]
fn the_program_sums_up_what_it_has_seen() {
    let output = crate::run(
        &["simulate", "--seeds", "30", "--jobs", "2", "--twice"],
        b"",
    );
    assert!(output.status.success());
    let text = crate::text(&output.stdout);
    assert!(text.starts_with("30 runs, "), "{text}");
    let lines = ["operations", "faults: crash ", "messages: request "];
    assert!(lines.iter().all(|line| text.contains(line)), "{text}");
}

#[test]
fn the_program_shows_how_to_see_a_failure_again() {
    let output = crate::run(&["simulate", "--plant", "no-tombstones"], b"");
    assert_eq!(output.status.code(), Some(1));
    let text = crate::text(&output.stdout);
    let line = text.lines().rfind(|line| line.starts_with("again: "));
    let line = line.expect("how to see it again");
    assert!(line.contains(" --plant no-tombstones --steps "), "{line}");
    let again: Vec<&str> = line.split(' ').skip(2).collect();
    let output = crate::run(&again, b"");
    assert_eq!(output.status.code(), Some(1), "{line}");
    let check = text.lines().last().unwrap_or_default();
    assert!(check.starts_with("CHECK"), "{text}");
}

#[test]
fn every_step_is_typed_as_a_command_that_the_shell_knows() {
    for seed in 0..20 {
        for step in run(&Options::default(), seed).plan {
            let command = step.command(step.at);
            let parsed = shardlab::language::parse(command.as_bytes());
            assert!(
                parsed.is_ok_and(|it| it.is_some()),
                "seed {seed}: {command}"
            );
        }
    }
}

/// The words of `CHECK` for each kind of failure that clients see.
const SORTS: [(&str, &[&str]); 4] = [
    ("expired", &["an expired value was read"]),
    (
        "stale",
        &["an overwritten value was read", "a deleted value came back"],
    ),
    ("no order", &["no order explains the answers"]),
    ("lost", &["a value was lost"]),
];

/// What a text says is broken.
fn sorts(text: &str) -> Vec<&'static str> {
    let said = |words: &[&str]| words.iter().any(|it| text.contains(it));
    let said = SORTS.iter().filter(|(_, words)| said(words));
    said.map(|(sort, _)| *sort).collect()
}

/// Runs the script of a report with the command that the report prints.
fn run_script(report: &str, context: &str) -> std::process::Output {
    let (_, script) = report.split_once("\n\n# shardlab ").expect(context);
    let (command, script) = script.split_once('\n').expect("lines");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), script).expect("written");
    let file = file.path().to_str().expect("UTF-8");
    let words = command.split(' ');
    let words = words.map(|it| if it == "FILE" { file } else { it });
    crate::run(&words.collect::<Vec<_>>(), b"")
}

/// Runs the commands that the report of the first failure prints, and expects that each fails in the
/// same way. Returns whether clients see it.
fn expect_reproduction(arguments: &[&str]) -> bool {
    let context = format!("{arguments:?}");
    let output = crate::run(&[&["simulate"], arguments].concat(), b"");
    let report = crate::text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{context} is not found");
    let (_, failure) = report.split_once(" fails: ").expect(&context);
    let first = failure.lines().next().unwrap_or_default();
    for line in report.lines().filter(|line| line.starts_with("again: ")) {
        let again: Vec<&str> = line.split(' ').skip(2).collect();
        let output = crate::run(&again, b"");
        let text = crate::text(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{context}: {line}");
        let (_, again) = text.split_once(" fails: ").expect(line);
        let again = again.lines().next().unwrap_or_default();
        assert_eq!(sorts(again), sorts(first), "{context}: {line}");
    }
    let output = run_script(report, &context);
    let (out, err) = (crate::text(&output.stdout), crate::text(&output.stderr));
    let context = format!("{context}: {report}\n{out}\n{err}");
    if report.contains("the same as a script, whose CHECK fails:") {
        assert_eq!(output.status.code(), Some(1), "{context}");
        assert!(err.contains(", was broken"), "{context}");
        let is_same = sorts(first).iter().all(|sort| sorts(out).contains(sort));
        assert!(is_same, "{context}");
        return true;
    }
    assert!(report.contains("the same as a script"), "{context}");
    if report.contains("a read at its end does not find what the last write left:") {
        let calls = report.lines().filter(|line| line.contains(" client 0: "));
        let mut reads = calls.filter_map(|line| line.split_once(" GET "));
        let (_, read) = reads.next_back().expect(&context);
        let shown = read.replace(" = ", " -> ");
        assert!(out.lines().any(|line| line.contains(&shown)), "{context}");
        return true;
    }
    if !report.contains("read-only commands change an answer") {
        let kept = report.contains("whose CHECK shows the state of the nodes:");
        assert!(kept && out.contains("state: "), "{context}");
    }
    false
}

#[test]
fn every_failure_is_shown_by_the_commands_that_are_printed() {
    let mut seen = 0;
    for bug in InjectedBug::ALL {
        let options = planted(bug).arguments();
        let arguments = options.split_whitespace().chain(["--seeds", "2000"]);
        seen += u32::from(expect_reproduction(&arguments.collect::<Vec<_>>()));
    }
    for restart in ["hints", "cold", "stale"] {
        seen += u32::from(expect_reproduction(&["--restart", restart]));
    }
    assert!(seen > 10, "clients see {seen}");
}

#[test]
fn a_last_read_that_shows_a_failure_is_in_the_script() {
    let arguments = ["--plant", "no-tombstones", "--seed", "51"];
    assert!(expect_reproduction(&arguments));
    let output = crate::run(&[&["simulate"][..], &arguments].concat(), b"");
    let report = crate::text(&output.stdout);
    assert!(report.contains("a read at its end"), "{report}");
}

#[test]
fn a_failure_is_one_object_for_programs() {
    let arguments = ["simulate", "--plant", "relative-ttl", "--format", "json"];
    let output = crate::run(&arguments, b"");
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!(report["ok"], false);
    assert!(report["failure"]["seed"].is_u64(), "{report}");
    assert!(report["failure"]["script"].is_string(), "{report}");
    assert_eq!(report["failure"]["script_shows_it"], true, "{report}");
    let command = report["failure"]["command"].as_str().expect("text");
    assert!(
        command.starts_with("shardlab run --clock virtual "),
        "{command}"
    );
}

#[test]
fn bounds_are_usage_errors() {
    for arguments in [
        &["simulate", "--replicas", "6"][..],
        &["simulate", "--write-quorum", "4"],
        &["--replicas", "4", "-c", "GET a"],
        &["simulate", "--plant", "weeds"],
        &["simulate", "--seeds", "0"],
    ] {
        let output = crate::run(arguments, b"");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stderr.starts_with(b"error: "), "{arguments:?}");
    }
}
