//! Direct commands against the general path, which a history forces: the same random commands and faults
//! give the same replies, and leave the same behind. `DIRECT_SEED` runs the one script of that seed.

use std::fmt::Write;
use std::time::Duration;

use super::measures::DIRECT;
use super::tests::Lab;
use crate::cluster::Restart;
use crate::config::{Capacity, Config};
use crate::eviction::Eviction;
use crate::id::NodeId;
use crate::network::Fault;
use crate::placement::PlacementKind;
use crate::resp::spec::find;
use crate::rng::Rng;

const SEEDS: u64 = 60;
const STEPS: usize = 40;
const KEYS: u64 = 40;

fn pick<T: Copy>(rng: &mut Rng, all: &[T]) -> T {
    let at = rng.below(all.len() as u64);
    all[usize::try_from(at).expect("a small number")]
}

fn config(rng: &mut Rng) -> Config {
    let replicas = pick(rng, &[1, 1, 2, 3]);
    let quorum = pick(rng, &[1, replicas.min(2)]);
    let config = Config::new()
        .nodes(3)
        .replicas(replicas)
        .quorums(quorum, quorum)
        .placement(pick(rng, &[PlacementKind::Slots, PlacementKind::Ring]))
        .max_key(20)
        .max_value(40);
    match rng.below(3) {
        0 => config,
        1 => config.capacity(Capacity::entries(12)),
        _ => config.capacity(Capacity::bytes(900)).eviction(pick(
            rng,
            &[Eviction::None, Eviction::Lru, Eviction::S3Fifo],
        )),
    }
}

fn key(rng: &mut Rng) -> String {
    let tag = pick(rng, &["", "{a}", "{b}"]);
    match rng.below(60) {
        0 => format!("a-key-that-is-too-long{}", rng.below(3)),
        _ => format!("{tag}{}", rng.below(KEYS)),
    }
}

fn keys(rng: &mut Rng) -> String {
    let count = pick(rng, &[1, 2, 3, 40]);
    let keys: Vec<String> = (0..count).map(|_| key(rng)).collect();
    keys.join(" ")
}

fn value(rng: &mut Rng) -> String {
    match rng.below(8) {
        0 => "9223372036854775806".into(),
        1..=3 => rng.below(100).to_string(),
        4 => "x".repeat(41),
        // What a hash begins with.
        5 => "\\xffhash\\x00\\x9d\\x3b\\xe1\\x72\\xc4\\x58".into(),
        _ => "y".repeat(usize::try_from(rng.below(40)).expect("a small number")),
    }
}

/// A line of a client. Inline requests are always general, so this is made an array by [`request`].
fn command(rng: &mut Rng) -> String {
    let (one, word) = (key(rng), value(rng));
    match rng.below(16) {
        0..=2 => format!("GET {one}"),
        3 | 4 => format!("sEt {one} \"{word}\""),
        5 => format!(
            "SET {one} \"{word}\" {} {}",
            pick(rng, &["EX", "px", "XX"]),
            pick(rng, &["1", "20", "0", "x"])
        ),
        6 | 7 => format!("MGET {}", keys(rng)),
        8 => {
            let pairs: Vec<String> = (0..pick(rng, &[1, 2, 5]))
                .map(|_| format!("{} \"{}\"", key(rng), value(rng)))
                .collect();
            format!("MSET {}", pairs.join(" "))
        }
        9 => format!("MSET {}", keys(rng)),
        10 => format!("{} {}", pick(rng, &["DEL", "UNLINK"]), keys(rng)),
        11 => format!("{} {one}", pick(rng, &["INCR", "DECR"])),
        12 => format!(
            "INCRBY {one} {}",
            pick(rng, &["5", "-7", "01", "9223372036854775807"])
        ),
        13 => format!("HSET {one} field 1"),
        14 => format!("EXPIRE {one} 1"),
        _ => pick(rng, &["PING", "GET", "NOPE", "TTL 1", "DBSIZE"]).into(),
    }
}

/// The request that a line of words is.
fn request(line: &str) -> Vec<u8> {
    let mut parser = crate::resp::RequestParser::default();
    let line = format!("{line}\r\n");
    let parsed = parser.parse(line.as_bytes(), &crate::resp::RequestLimits::default());
    assert!(matches!(parsed, Ok(Some(_))), "{line}");
    let args = parser.args(line.as_bytes());
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args.iter() {
        bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// What a script does to a lab.
enum Act {
    /// A client sends bytes, which come in two parts.
    Send(usize, Vec<u8>, usize),
    Crash(NodeId),
    Restart(NodeId, Restart),
    Cut(NodeId),
    Heal,
    Advance(Duration),
}

fn act(rng: &mut Rng) -> Act {
    let node = NodeId(pick(rng, &[0, 1, 2]));
    match rng.below(24) {
        0 => Act::Crash(node),
        1 => Act::Restart(
            node,
            pick(rng, &[Restart::Resync, Restart::Cold, Restart::Stale]),
        ),
        2 => Act::Cut(node),
        3..=5 => Act::Heal,
        6 | 7 => Act::Advance(Duration::from_millis(pick(rng, &[1, 500, 3000]))),
        _ => {
            let lines: Vec<String> = (0..=rng.below(80)).map(|_| command(rng)).collect();
            let bytes: Vec<u8> = lines.iter().flat_map(|line| request(line)).collect();
            let cut = usize::try_from(rng.below(bytes.len() as u64)).expect("a small number");
            Act::Send(pick(rng, &[0, 1, 2]), bytes, cut)
        }
    }
}

fn play(lab: &mut Lab, clients: &[u32], act: &Act) -> String {
    let now = lab.world.now();
    match act {
        Act::Send(client, bytes, cut) => {
            let client = clients[*client];
            lab.hub.receive(&mut lab.world, client, &bytes[..*cut]);
            lab.hub.receive(&mut lab.world, client, &bytes[*cut..]);
        }
        Act::Crash(node) => {
            let _ = lab.cluster().crash(now, *node);
        }
        Act::Restart(node, how) => {
            let _ = lab.cluster().restart(now, *node, *how);
        }
        Act::Cut(node) => {
            let _ = lab.cluster().inject(now, &Fault::Isolate(*node));
        }
        Act::Heal => {
            lab.cluster().heal(now);
        }
        Act::Advance(time) => lab.advance(*time),
    }
    lab.hub.tick(&mut lab.world);
    let mut text = String::new();
    for &client in clients {
        let _ = writeln!(
            text,
            "{client} {:?}: {}",
            lab.is_ended(client),
            lab.replies(client)
        );
    }
    text
}

/// Everything that can be seen of a cluster and its clients.
fn sight(lab: &mut Lab) -> String {
    let now = lab.world.now();
    let hub = &lab.hub;
    let (commands, errors) = (hub.totals.commands, &hub.measures.errors);
    let mut text = format!("{commands} commands, errors {errors:?}\n");
    for name in DIRECT {
        let spec = find(name.as_bytes()).expect("a command");
        let measure = hub.measures.of(spec).unwrap_or_default();
        let counts = (measure.calls, measure.rejected, measure.failed);
        let _ = writeln!(text, "{name} {counts:?}");
    }
    let cluster = lab.cluster();
    let _ = writeln!(text, "{:?}", cluster.node_stats(now));
    for number in 0..KEYS {
        for tag in ["", "{a}", "{b}"] {
            let key = format!("{tag}{number}");
            let _ = writeln!(text, "{key} {:?}", cluster.inspect(key.as_bytes()));
        }
    }
    let events = cluster.events().since(crate::event::Cursor::default());
    let events: Vec<String> = events.events.map(|event| format!("{event:?}")).collect();
    let _ = writeln!(text, "{:?} {:?}", cluster.latencies(), cluster.hot_keys(20));
    text + &events.join("\n")
}

/// Returns how many commands were direct.
fn compare(seed: u64) -> u64 {
    let mut rng = Rng::new(seed);
    let config = config(&mut rng);
    let mut labs = [Lab::new(config), Lab::new(config)];
    labs[0].cluster().end_history();
    labs[1]
        .cluster()
        .begin_history(crate::time::Instant::START, 100);
    let clients = labs
        .each_mut()
        .map(|lab| [0, 1, 2].map(|node| lab.connect(node)));
    for step in 0..STEPS {
        let act = act(&mut rng);
        let [direct, general] = [0, 1].map(|at| play(&mut labs[at], &clients[at], &act));
        assert_eq!(direct, general, "replies, DIRECT_SEED={seed}, step {step}");
        if step % 8 != 7 {
            continue;
        }
        let [direct, general] = labs.each_mut().map(sight);
        assert_eq!(
            direct, general,
            "the cluster, DIRECT_SEED={seed}, step {step}"
        );
        if clients[0].iter().any(|&client| labs[0].is_ended(client)) {
            // A write of unknown fate has ended a client.
            break;
        }
    }
    assert_eq!(labs[1].hub.direct, 0, "the history is no way around");
    labs[0].hub.direct
}

#[test]
fn direct_commands_are_as_the_others() {
    let seed = std::env::var("DIRECT_SEED")
        .ok()
        .map(|it| it.parse().expect("a number"));
    if let Some(seed) = seed {
        compare(seed);
        return;
    }
    let direct: u64 = (0..SEEDS).map(compare).sum();
    assert!(direct > 20 * SEEDS, "only {direct} commands were direct");
}
