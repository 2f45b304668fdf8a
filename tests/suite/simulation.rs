//! Thousands of random clusters under random faults; and the bugs that are planted to see that the
//! checks find them. A failure names its seed: `shardlab simulate --seed S --seeds 1` runs it again.

use shardlab::cache::Cache;
use shardlab::nemesis::Nemesis;
use shardlab::replica::{InjectedBug, Restart};
use shardlab::simulation::{
    Failure, Options, chosen, replay, run, script, shrink, shrink_script, transcript,
};
use shardlab::time::Instant;
use shardlab::{Cluster, Config};

/// Runs these seeds, and expects nothing to be broken.
fn all_well(options: &Options, seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let run = run(options, seed);
        if let Some(failure) = &run.failure {
            panic!("seed {seed}{}: {failure}", options.arguments());
        }
    }
}

/// Which seed first breaks something.
fn first_failure(options: &Options, seeds: u64) -> Option<u64> {
    (0..seeds).find(|&seed| run(options, seed).failure.is_some())
}

fn planted(plant: InjectedBug) -> Options {
    Options {
        plant: Some(plant),
        ..Options::default()
    }
}

#[test]
fn swarms_break_no_promise() {
    all_well(&Options::default(), 0..3_000);
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
            replicas,
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
fn hints_that_arrive_are_told_from_hints_that_are_lost() {
    let kind = |options: &Options, seed| run(options, seed).failure.as_ref().map(Failure::kind);
    let right = Options {
        restart: Restart::Hints,
        ..Options::default()
    };
    let lost = planted(InjectedBug::LostHints);
    let is_lost = |options, seeds| (0..seeds).any(|seed| kind(options, seed) == Some("lost hint"));
    assert!(is_lost(&lost, 1_000), "lost hints are not found");
    assert!(
        !is_lost(&right, 500),
        "hints that arrive are taken for lost"
    );
}

#[test]
fn the_same_seed_gives_the_same_log_byte_for_byte() {
    for seed in 0..50 {
        let (first, log) = transcript(&Options::default(), seed);
        let (second, again) = transcript(&Options::default(), seed);
        assert!(log == again, "seed {seed}: two runs differ");
        assert_eq!(first, second, "seed {seed}");
        assert_eq!(
            first,
            run(&Options::default(), seed),
            "seed {seed}: watched"
        );
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
    assert!(script.ends_with("CHECK\n"), "{script}");
}

#[test]
fn a_run_in_which_little_happens_is_no_failure() {
    let one_operation = Options {
        ops: 1,
        ..Options::default()
    };
    let one_node = Options {
        nodes: 1,
        replicas: 1,
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
    let config = Config {
        nodes: 5,
        replicas: 3,
        write_quorum: 2,
        read_quorum: 2,
        ..Config::default()
    };
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
    assert!(
        text.contains("\nCHECK\n") || text.ends_with("CHECK\n"),
        "{text}"
    );
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

#[test]
fn a_script_is_shrunk_to_the_steps_that_show_something() {
    let options = Options::default();
    let run = run(&options, 0);
    let puts = |script: &str| script.lines().filter(|it| it.starts_with("PUT ")).count();
    let script = shrink_script(&options, &run, |script| puts(script) >= 3);
    let script = script.expect("there are more");
    assert_eq!(puts(&script), 3, "{script}");
    let others = ["SLEEP ", "HEAL", "MGET ", "CHECK"];
    let is_needed = |line: &str| others.iter().any(|it| line.starts_with(it));
    let lines = script.lines().filter(|line| !is_needed(line));
    assert_eq!(lines.count(), 3, "{script}");
    assert_eq!(shrink_script(&options, &run, |_| false), None);
}

/// What clients can be told that is wrong, with the words for it.
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

/// A failure as `simulate` prints it, and its script as `run` runs it.
struct Reproduction {
    /// What is broken; empty if no client was told of it.
    failure: Vec<&'static str>,
    /// What is said of the script.
    says: String,
    output: std::process::Output,
}

/// The first failure with these arguments, if there is one, and what its script comes to.
fn reproduce(arguments: &[&str]) -> Option<Reproduction> {
    let output = crate::run(&[&["simulate"], arguments].concat(), b"");
    let text = crate::text(&output.stdout);
    let (_, failure) = text.split_once("\nseed ")?;
    let (before, script) = failure.split_once("\n\n# shardlab ").expect("a script");
    let (command, script) = script.split_once('\n').expect("lines");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), script).expect("written");
    let file = file.path().to_str().expect("UTF-8");
    let words = command.split(' ');
    let words = words.map(|it| if it == "FILE" { file } else { it });
    Some(Reproduction {
        failure: sorts(failure.lines().next().unwrap_or_default()),
        says: before.lines().last().unwrap_or_default().into(),
        output: crate::run(&words.collect::<Vec<_>>(), b""),
    })
}

/// Holds what is said of a script against what it comes to, and answers whether its CHECK fails.
fn expect_truth(arguments: &[&str], reproduction: &Reproduction) -> bool {
    let Reproduction {
        failure,
        says,
        output,
    } = reproduction;
    let (out, err) = (crate::text(&output.stdout), crate::text(&output.stderr));
    let context = format!("{arguments:?}: {says}\n{out}\n{err}");
    let fails = err.contains("the promise of these settings, ");
    let is_same = failure.iter().all(|sort| sorts(out).contains(sort));
    if says == "as a script of one client, which alone does not show it:" {
        let is_told = !failure.is_empty();
        assert!(if is_told { !is_same } else { !fails }, "{context}");
        return false;
    }
    assert!(
        says.starts_with("the same as a script, whose CHECK "),
        "{context}"
    );
    assert!(is_same, "{context}");
    assert_eq!(says.ends_with("whose CHECK fails:"), fails, "{context}");
    assert!(!fails || output.status.code() == Some(1), "{context}");
    fails
}

#[test]
fn a_script_shows_what_is_said_of_it_when_it_is_run() {
    let (mut found, mut failing) = (0, 0);
    for bug in [
        ["--plant", "counted-acks"],
        ["--plant", "no-replication"],
        ["--plant", "relative-ttl"],
        ["--plant", "no-tombstones"],
        ["--plant", "early-tombstones"],
        ["--plant", "late-deadline"],
        ["--plant", "lost-hints"],
        ["--plant", "new-owners-only"],
        ["--restart", "hints"],
        ["--restart", "cold"],
        ["--restart", "stale"],
    ] {
        for quorums in [&[][..], &["--write-quorum", "2", "--read-quorum", "2"]] {
            let arguments = [&bug, quorums].concat();
            if let Some(reproduction) = reproduce(&arguments) {
                found += 1;
                failing += u32::from(expect_truth(&arguments, &reproduction));
            }
        }
    }
    assert!(found > 15 && failing > 1, "{failing} of {found} fail");
}

#[test]
fn where_steps_need_several_clients_others_are_looked_for() {
    // With this bug it matters most which node a client asks, and a script cannot choose it.
    let is_shown = |seed: &u64| {
        let arguments = ["--plant", "no-replication", "--seed", &seed.to_string()];
        let reproduction = reproduce(&arguments).expect("it is found at once");
        reproduction.says.starts_with("the same as a script")
    };
    let shown = (0..20).filter(is_shown).count();
    assert!(shown >= 3, "{shown} of 20");
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
