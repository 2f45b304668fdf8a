//! Looking changes nothing: random scripts run twice, with and without looks in between.
//!
//! A look is a command that only shows something, or a request trace around another command. The
//! two runs must give the same replies, the same events in the same order, and leave the same
//! contents and victims. `LOOKS_STEPS` sets the number of commands in all (default 6,000), and
//! `LOOKS_SEED` runs the one script of that seed.

use std::fmt::Write as _;

use shardlab::Cluster;
use shardlab::config::{Capacity, Config};
use shardlab::eviction::Eviction;
use shardlab::id::NodeId;
use shardlab::language::{Action, Script, parse};
use shardlab::placement::PlacementKind;
use shardlab::render::{self, CommandLine, Format, LineOutcome, Style};
use shardlab::rng::Rng;
use shardlab::session::{LocalSession, Notice, Observer};
use shardlab::time::VirtualClock;

/// Commands of one script.
const LENGTH: u64 = 60;

/// Commands that only show something.
const LOOKS: &[&str] = &[
    "NODES",
    "STATS",
    "STATS 0",
    "INSPECT k1",
    "INSPECT k2",
    "PLAN JOIN",
    "PLAN LEAVE 0",
    "PLAN PLACEMENT slots",
    "PLAN REPLICAS 2",
    "CAPACITY NODE 0",
    "EVENTS",
    "HOT",
    "RING",
    "WHERE k1",
    "KEYS",
    "KEYS k* NODE 0",
    "SIZE",
    "HISTORY",
    "CHECK",
    "FAULTS",
    "LINKS",
    "QUORUM",
    "REPLICAS",
    "CAPACITY",
    "EVICTION",
    "PLACEMENT",
    "TIME",
    "CLOCK",
    "NEMESIS",
    "HELP",
];

fn pick<'a>(rng: &mut Rng, of: &[&'a str]) -> &'a str {
    of[usize::try_from(rng.below(of.len() as u64)).expect("small")]
}

fn config(rng: &mut Rng, seed: u64) -> Config {
    let nodes = 1 + u32::try_from(rng.below(5)).expect("small");
    let most = u64::from(nodes.min(3));
    let mut small = |most: u64| usize::try_from(1 + rng.below(most)).expect("small");
    let replicas = small(most);
    let (write_quorum, read_quorum) = (small(replicas as u64), small(replicas as u64));
    let mut any = |len: usize| usize::try_from(rng.below(len as u64)).expect("small");
    let placement = PlacementKind::ALL[any(PlacementKind::ALL.len())];
    let eviction = Eviction::ALL[any(Eviction::ALL.len())];
    let capacity = match rng.below(4) {
        0 => Capacity::default(),
        1 => Capacity::bytes(60 + rng.below(400)),
        _ => Capacity::entries(1 + rng.below(6)),
    };
    Config::new()
        .nodes(nodes)
        .placement(placement)
        .replicas(replicas)
        .quorums(write_quorum, read_quorum)
        .eviction(eviction)
        .capacity(capacity)
        .seed(seed)
}

fn key(rng: &mut Rng) -> String {
    format!("k{}", rng.below(12))
}

fn ttl(rng: &mut Rng) -> &'static str {
    pick(rng, &["", "", "", " 10ms", " 50ms", " 1s", " 5s"])
}

/// One command: mostly requests, and some that change or break the cluster.
fn command(rng: &mut Rng) -> String {
    let (key, other) = (key(rng), key(rng));
    let value = "v".repeat(usize::try_from(rng.below(30)).expect("small"));
    let value = if value.is_empty() { "7".into() } else { value };
    let node = rng.below(5);
    let to = (node + 1 + rng.below(4)) % 5;
    match rng.below(100) {
        0..25 => format!("PUT {key} {value}{}", ttl(rng)),
        25..45 => format!("GET {key}"),
        45..50 => format!("DEL {key} {other}"),
        50..55 => format!("MGET {key} {other}"),
        55..60 => format!("MSET {key} {value} {other} 1{}", ttl(rng)),
        60..63 => format!("ADD {key} {value}{}", ttl(rng)),
        63..65 => format!("CAS {key} 7 {value}"),
        65..69 => format!("INCR {key}"),
        69..71 => format!("EXPIRE {key} 30ms"),
        71..73 => format!("PERSIST {key}"),
        73..80 => format!(
            "SLEEP {}",
            pick(rng, &["10ms", "10ms", "40ms", "1s", "3s", "70s"])
        ),
        80 => "CLEAR".into(),
        81 => format!("CAPACITY {}", pick(rng, &["1", "3", "5", "200B", "none"])),
        82 => format!(
            "EVICTION {}",
            Eviction::ALL[usize::try_from(rng.below(15)).expect("small")]
        ),
        83 => format!("QUORUM {} {}", 1 + rng.below(3), 1 + rng.below(3)),
        84 => "JOIN".into(),
        85 => format!("LEAVE {node}"),
        86 => format!("REPLICAS {}", 1 + rng.below(3)),
        87 => "REBALANCE".into(),
        88 => format!("CRASH {node}"),
        89 | 90 => format!(
            "RESTART {node} {}",
            pick(rng, &["", "", "hints", "cold", "stale"])
        ),
        91 => format!("PAUSE {node}"),
        92 => format!("RESUME {node}"),
        93 => format!("ISOLATE {node}"),
        94 | 95 => "HEAL".into(),
        96 => format!("{} {node} {to} 50%", pick(rng, &["DROP", "DUP", "REORDER"])),
        97 => format!("DELAY {node} {to} 20ms JITTER 20ms"),
        98 => format!("{} {node} {to}", pick(rng, &["HOLD", "RELEASE"])),
        _ => format!(
            "{} {node} {}",
            pick(rng, &["SKEW", "SLOW"]),
            pick(rng, &["0", "20ms"])
        ),
    }
}

/// What a run shows, and the looks of a run that has some.
struct Run {
    session: LocalSession,
    shown: Shown,
    looks: Option<Rng>,
}

#[derive(Default)]
struct Shown {
    text: String,
}

impl Observer for Shown {
    fn notice(&mut self, notice: Notice<'_>) {
        match notice {
            Notice::Event(event) => {
                let _ = writeln!(self.text, "{event:?}");
            }
            Notice::Missed(count) => {
                let _ = writeln!(self.text, "missed {count}");
            }
            Notice::Reply { client, reply, .. } => {
                let _ = writeln!(self.text, "client {client}: {reply:?}");
            }
        }
    }
}

impl Run {
    fn new(config: Config, looks: Option<Rng>) -> Self {
        let cluster = Cluster::new(config).expect("a legal config");
        Self {
            session: LocalSession::new(cluster, Box::new(VirtualClock::default())),
            shown: Shown::default(),
            looks,
        }
    }

    fn run(&mut self, line: &str) {
        let Some(mut rng) = self.looks.take() else {
            return self.show(line);
        };
        while rng.below(3) > 0 {
            self.look(pick(&mut rng, LOOKS));
        }
        if rng.below(4) == 0 && self.is_plain() {
            self.look(pick(&mut rng, &["TTL k1", "TTL k5", "EXISTS k1 k2 k3"]));
        }
        if rng.below(3) == 0 {
            let now = self.session.world.now();
            let trace = self.session.world.backend.start_trace(now);
            self.show(line);
            let _ = self.session.world.backend.end_trace(trace);
        } else {
            self.show(line);
        }
        self.looks = Some(rng);
    }

    /// Whether a read needs no time and repairs nothing: owners that disagree would be repaired.
    fn is_plain(&self) -> bool {
        let overview = self.session.world.backend.overview();
        let up = overview
            .nodes
            .iter()
            .all(|(_, status)| status.to_string() == "up");
        up && overview.replicas == 1 && overview.faults == 0 && !overview.is_moving
    }

    fn look(&mut self, line: &str) {
        let before = self.shown.text.len();
        self.show(line);
        let looked = self.shown.text.split_off(before);
        // A look does what is due, as every command does.
        for event in looked.lines().filter(|line| line.starts_with("Event")) {
            let _ = writeln!(self.shown.text, "{event}");
        }
    }

    fn show(&mut self, line: &str) {
        let LocalSession { world, session } = &mut self.session;
        let now = world.now();
        session.tick(world, now, &mut self.shown);
        let input = parse(line.as_bytes())
            .expect("a command")
            .expect("not empty");
        let result = match input.action {
            Action::Command(command) => session.execute(world, now, command, &mut self.shown),
            Action::Script(Script::Sleep { time }) => {
                let slept = session.sleep(world, time, &mut self.shown);
                slept.map(|()| shardlab::reply::Reply::Done)
            }
            Action::Script(Script::Move(change)) => session.change(world, change, &mut self.shown),
            other => panic!("{other:?} is not driven here"),
        };
        let mut text = Vec::new();
        let outcome = LineOutcome {
            line: CommandLine::default(),
            result: result.as_ref(),
        };
        render::outcome(Format::Json, Style::default(), outcome, &mut text);
        let text = String::from_utf8(text).expect("JSON");
        let _ = write!(self.shown.text, "{line} = {text}");
    }

    /// What is left: counts, contents by node, and the order of victims.
    fn end(&mut self) {
        self.looks = None;
        let nodes = self.session.world.backend.overview().nodes;
        let ids: Vec<NodeId> = nodes.into_iter().map(|(id, _)| id).collect();
        for line in ["STATS", "HOT", "NODES"] {
            self.show(line);
        }
        for id in &ids {
            self.show(&format!("KEYS * NODE {id}"));
        }
        self.show("MGET k0 k1 k2 k3 k4 k5 k6 k7 k8 k9 k10 k11");
        for entries in [3, 2, 1] {
            self.show(&format!("CAPACITY {entries}"));
            for id in &ids {
                self.show(&format!("KEYS * NODE {id}"));
            }
        }
    }
}

fn script(seed: u64) -> (Config, Vec<String>) {
    let mut rng = Rng::new(seed ^ 0x5eed);
    let config = config(&mut rng, seed);
    (config, (0..LENGTH).map(|_| command(&mut rng)).collect())
}

fn compare(seed: u64) {
    let (config, lines) = script(seed);
    let mut plain = Run::new(config, None);
    let mut looked = Run::new(config, Some(Rng::new(seed)));
    for (number, line) in lines.iter().enumerate() {
        plain.run(line);
        looked.run(line);
        assert_eq!(
            plain.shown.text,
            looked.shown.text,
            "seed {seed}, command {number} of {config:?}:\n{}",
            lines[..=number].join("\n")
        );
        plain.shown.text.clear();
        looked.shown.text.clear();
    }
    plain.end();
    looked.end();
    assert_eq!(
        plain.shown.text,
        looked.shown.text,
        "seed {seed}, at the end of {config:?}:\n{}",
        lines.join("\n")
    );
}

#[test]
fn looking_changes_nothing() {
    let number = |name: &str| std::env::var(name).ok().and_then(|it| it.parse().ok());
    if let Some(seed) = number("LOOKS_SEED") {
        return compare(seed);
    }
    let steps = number("LOOKS_STEPS").unwrap_or(6_000);
    for seed in 0..steps / LENGTH {
        compare(seed);
    }
}

/// A TRACE changed what was lost later, and a read-only command which tombstones were forgotten.
#[test]
fn looks_of_seeds_that_found_something_once_change_nothing() {
    for seed in [5_559, 12_778] {
        compare(seed);
    }
}
