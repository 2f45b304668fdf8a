//! Sessions: what is passed on while commands take time, and batches that do not fit at once.

use std::collections::BTreeSet;
use std::time::Duration;

use shardlab::Cluster;
use shardlab::cache::Cache;
use shardlab::config::{Capacity, Config};
use shardlab::id::NodeId;
use shardlab::language::{Action, parse};
use shardlab::render::{self, CommandLine, Format, LineOutcome, Style};
use shardlab::session::{LocalSession, Notice, Observer, Session};
use shardlab::time::{Instant, VirtualClock};

use super::{run, text};

/// Counts notices.
#[derive(Default)]
struct Seen {
    events: u64,
    missed: u64,
}

impl Observer for Seen {
    fn notice(&mut self, notice: Notice<'_>) {
        match notice {
            Notice::Event(_) => self.events += 1,
            Notice::Missed(count) => self.missed += count,
            Notice::Reply { .. } => {}
        }
    }
}

const KEYS: u32 = 30_000;

/// A session on a cluster with 30,000 keys that expire after a second.
fn about_to_expire(config: Config) -> LocalSession {
    let mut cluster = Cluster::new(config).expect("a cluster");
    for n in 0..KEYS {
        let key = format!("k{n}");
        let put = cluster.put(
            Instant::START,
            key.as_bytes(),
            b"1",
            Some(Instant::from_millis(1000)),
        );
        put.expect("room");
    }
    LocalSession::new(cluster, Box::new(VirtualClock::default()))
}

#[test]
fn what_is_due_is_done_and_passed_on_in_slices() {
    let config = Config::default();
    let log = config.event_log;
    let mut it = about_to_expire(config);
    let mut seen = Seen::default();
    let LocalSession { world, session } = &mut it;
    let second = Duration::from_secs(1);
    session.sleep(world, second, &mut seen).expect("it passes");
    assert_eq!((seen.events, seen.missed), (KEYS.into(), 0));
    let kept = world.backend.events().iter().count();
    assert!(kept <= log + 1024, "the log has grown to {kept} events");
}

#[test]
fn a_session_that_reads_late_learns_how_much_it_has_missed() {
    let config = Config::default();
    let log = config.event_log;
    let mut it = about_to_expire(config);
    let (mut seen, mut late) = (Seen::default(), Seen::default());
    let LocalSession { world, session } = &mut it;
    let second = Duration::from_secs(1);
    session.sleep(world, second, &mut seen).expect("it passes");
    Session::default().hand_on(world, &mut late);
    assert_eq!(late.events + late.missed, u64::from(KEYS));
    assert!(
        late.missed > 0 && late.events >= log as u64,
        "{}",
        late.events
    );
}

/// 30,000 keys expire while the fault injector acts, and no node crashes: each expiry is printed.
#[test]
fn no_expiry_is_lost_under_the_nemesis() {
    let pairs: String = (0..KEYS).map(|n| format!(" k{n} 1")).collect();
    let script = format!("MSET{pairs} 200ms\nNEMESIS heavy\nSLEEP 3s\n");
    let output = run(&["--clock", "virtual", "--seed", "1"], script.as_bytes());
    assert_eq!(keys_in(text(&output.stdout), "expired"), KEYS as usize);
}

/// How many keys a notice of this kind names.
fn keys_in(printed: &str, kind: &str) -> usize {
    let kind = format!(" {kind} key: k");
    let lines = printed.lines().filter(|line| line.contains(&kind));
    lines.collect::<BTreeSet<_>>().len()
}

/// When a paused node runs again, or a clock is set, all that is due there happens in one command.
#[test]
fn no_expiry_of_one_command_is_lost() {
    let pairs: String = (0..KEYS).map(|n| format!(" k{n} 1")).collect();
    for fault in [
        "PAUSE 0\nSLEEP 2s\nRESUME 0",
        "SKEW 0 1h",
        "SKEW 0 -1h\nSLEEP 2s\nSKEW 0 0",
        "CRASH 0\nSLEEP 2s\nRESTART 0 stale",
    ] {
        let script = format!("MSET{pairs} 1s\n{fault}\n");
        let output = run(&["--clock", "virtual", "-n", "1"], script.as_bytes());
        let expired = keys_in(text(&output.stdout), "expired");
        assert_eq!(expired, KEYS as usize, "{fault}");
    }
}

/// MONITOR prints every eviction of a command that evicts more than the log keeps.
#[test]
fn monitor_prints_every_eviction() {
    let pairs: String = (0..KEYS).map(|n| format!(" k{n} 1")).collect();
    let script = format!("MSET{pairs}\nMONITOR\nCAPACITY 1\n");
    let output = run(&["--clock", "virtual"], script.as_bytes());
    let evicted = keys_in(text(&output.stdout), "evicted");
    assert_eq!(evicted, KEYS as usize - 3, "each node keeps one");
}

#[test]
fn a_trace_says_how_much_it_leaves_out() {
    let pairs: String = (0..3000).map(|n| format!(" k{n} 1")).collect();
    let script = format!("TRACE MSET{pairs}\n");
    let options = ["--clock", "virtual", "--replicas", "3"];
    let output = run(&options, script.as_bytes());
    let printed = text(&output.stdout);
    assert_eq!(printed.lines().count(), 10_001);
    // A request, two writes, two acknowledgements and an answer for each key.
    let end = "8000 more messages were not recorded";
    assert_eq!(printed.lines().last(), Some(end));
}

/// A batch asks for 1,000 keys at a time. The second thousand is asked for when the first has timed
/// out, and waits as long.
#[test]
fn the_rest_of_a_batch_waits_from_the_time_it_is_sent() {
    let keys: String = (0..1500).map(|n| format!(" k{n}")).collect();
    let script = format!("PAUSE 0\nGET k\nTIME\nMGET{keys}\nTIME\n");
    let output = run(&["--clock", "virtual", "-n", "1"], script.as_bytes());
    assert_eq!(text(&output.stdout), "3s\n9s\n");
    let errors = text(&output.stderr).lines().count();
    assert_eq!(errors, 1501, "the key of GET, and each of MGET");
}

/// What is left is told for the moment of the reply, and not for that of the command.
#[test]
fn a_ttl_is_that_of_the_moment_at_which_it_is_shown() {
    let script = b"PUT a 1 10s\nSLOW 0 1s\nTTL a\nTIME\nREPEAT 2 TTL a\n";
    let output = run(&["--clock", "virtual", "-n", "1"], script);
    assert_eq!(text(&output.stdout), "a -> 9s\n1s\na -> 8s\na -> 7s\n");
}

/// A TTL counts from the command, also for keys that are stored later.
#[test]
fn a_batch_has_one_deadline() {
    let pairs: String = (0..1500).map(|n| format!(" k{n} 1")).collect();
    let script = format!("SLOW 0 1s\nMSET{pairs} 10s\nTIME\nSLOW 0 0\nTTL k0\nTTL k1499\n");
    let output = run(&["--clock", "virtual", "-n", "1"], script.as_bytes());
    assert_eq!(text(&output.stdout), "2s\nk0 -> 8s\nk1499 -> 8s\n");
}

/// At most 65,536 requests are in flight. A batch for which there is no room is refused as a whole
/// before anything is sent; one for which there is some room sends the rest later.
#[test]
fn requests_over_the_bound_are_refused_or_wait() {
    let pairs = |client: u32| -> String {
        let pair = |n| format!(" c{client}k{n} {client}");
        (0..1000).map(pair).collect()
    };
    let clients = (1..=67).map(|client| format!("CLIENT {client} MSET{}\n", pairs(client)));
    let clients: String = clients.collect();
    let script = format!("SLOW 0 1s\n{clients}SLOW 0 0\nSLEEP 10s\nSIZE\n");
    let output = run(&["--clock", "virtual", "-n", "1"], script.as_bytes());
    let lines: Vec<&str> = text(&output.stdout).lines().collect();
    let refused = "client 67: error: too many requests in flight: at most 65536";
    assert_eq!(lines.first(), Some(&refused));
    let done = lines.iter().filter(|line| line.ends_with(": OK")).count();
    assert_eq!(done, 66);
    assert_eq!(lines.last(), Some(&"66000"));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn keys_copies_and_missing_copies_add_up() {
    let config = Config::new()
        .replicas(2)
        .capacity(Capacity::entries(700))
        .eviction(shardlab::eviction::Eviction::None);
    let mut cluster = Cluster::new(config).expect("a cluster");
    for n in 0..2000 {
        // Some are refused, and some get one copy only.
        let _ = cluster.put(Instant::START, format!("k{n}").as_bytes(), b"1", None);
    }
    let now = Instant::START;
    let nodes = cluster.node_stats(now).into_iter();
    let copies: u64 = nodes.clone().map(|(_, stats)| stats.keys).sum();
    let missing: u64 = nodes.map(|(_, stats)| stats.replicas_missing).sum();
    let stats = cluster.stats(now);
    assert!(missing > 0, "no key has one copy only");
    assert_eq!(stats.keys * 2, copies + missing);
    assert_eq!(stats.replicas_missing, missing);
    assert_eq!(cluster.replicas_missing(), missing);
    assert_eq!(stats.keys, cluster.keys(now, None, |_| true).len() as u64);
    cluster.crash(now, NodeId(0)).expect("it runs");
    let stats = cluster.stats(now);
    let copies: u64 = [1, 2].map(|id| held(&mut cluster, id)).into_iter().sum();
    assert_eq!(stats.keys * 2, copies + stats.replicas_missing);
}

fn held(cluster: &mut Cluster, node: u32) -> u64 {
    let keys = cluster.keys(Instant::START, Some(NodeId(node)), |_| true);
    keys.len() as u64
}

/// At a prompt HEAL says which faults it leaves; in a batch it is silent.
#[test]
fn heal_says_what_is_still_broken() {
    let cluster = Cluster::new(Config::default()).expect("a cluster");
    let mut local = LocalSession::new(cluster, Box::new(VirtualClock::default()));
    let LocalSession { world, session } = &mut local;
    let mut heal = |lines: &[&str]| {
        let mut shown = Vec::new();
        for line in lines {
            let input = parse(line.as_bytes())
                .expect("no error")
                .expect("a command");
            let Action::Command(command) = input.action else {
                panic!("{line} is for a session");
            };
            let now = world.now();
            let reply = session.execute(world, now, command, &mut Seen::default());
            let reply = reply.expect("it is done");
            let style = Style {
                interactive: true,
                ..Style::default()
            };
            let line = CommandLine {
                command: Some(input.spec.name),
                file: None,
                line: 1,
            };
            let result = Ok(&reply);
            shown.clear();
            render::outcome(
                Format::Plain,
                style,
                LineOutcome { line, result },
                &mut shown,
            );
        }
        String::from_utf8(shown).expect("text")
    };
    assert_eq!(heal(&["ISOLATE 1", "HEAL"]), "OK\n");
    let left = heal(&["CRASH 0", "SKEW 2 -2s", "HEAL"]);
    let expected = "OK; still in force: CRASH 0, SKEW 2 -2s (HEAL ALL repairs these, too)\n";
    assert_eq!(left, expected);
    assert_eq!(heal(&["HEAL ALL"]), "OK\n");
}
