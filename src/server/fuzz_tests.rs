//! Random commands, and random bytes, sent to the hub: it never panics, and each command has its replies.
//!
//! `SHARDLAB_FUZZ_SECONDS` says for how long (default 2), and `SHARDLAB_FUZZ_SEED` replays a seed.

use std::net::SocketAddr;
use std::time::{Duration, Instant as HostInstant};

use super::{Hub, Settings};
use crate::cluster::Cluster;
use crate::config::Config;
use crate::id::NodeId;
use crate::placement::PlacementKind;
use crate::resp::spec::{self, Spec};
use crate::rng::Rng;
use crate::session::World;
use crate::time::VirtualClock;

/// Commands that end the connection, keep it from being told anything, hold it or reply without an end.
const LEFT_OUT: [&str; 4] = ["quit", "shutdown", "monitor", "shardlab"];

/// Words that mean something to some command, and values that are at the edge of something.
const WORDS: [&str; 66] = [
    "k",
    "k2",
    "h",
    "f",
    "v",
    "",
    "0",
    "1",
    "-1",
    "2",
    "10",
    "1.5",
    "-0",
    "1e400",
    "inf",
    "nan",
    "EX",
    "PX",
    "EXAT",
    "PXAT",
    "NX",
    "XX",
    "GT",
    "LT",
    "KEEPTTL",
    "GET",
    "IFEQ",
    "PERSIST",
    "MATCH",
    "COUNT",
    "TYPE",
    "*",
    "[a",
    "\\",
    "string",
    "hash",
    "WITHVALUES",
    "NOVALUES",
    "REPLACE",
    "DB",
    "ASYNC",
    "SYNC",
    "ID",
    "ADDR",
    "SKIPME",
    "yes",
    "no",
    "on",
    "off",
    "skip",
    "PREFIX",
    "BCAST",
    "REDIRECT",
    "OPTIN",
    "OPTOUT",
    "NOLOOP",
    "FILTERBY",
    "PATTERN",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551616",
    "4294967296",
    "maxmemory",
    "\r\n",
    "\u{ff}\u{0}",
];

struct Fuzz {
    rng: Rng,
    world: World,
    hub: Hub,
    clients: Vec<u32>,
}

impl Fuzz {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let placement = if rng.below(2) == 0 {
            PlacementKind::Slots
        } else {
            PlacementKind::Modulo
        };
        let config = Config::new()
            .nodes([1, 2, 3][usize::try_from(rng.below(3)).expect("it is small")])
            .placement(placement);
        let cluster = Cluster::new(config).expect("the settings are right");
        let mut world = World::new(cluster, Box::new(VirtualClock::default()));
        let settings = Settings {
            host: "127.0.0.1".into(),
            is_cluster: placement == PlacementKind::Slots,
            password: None,
            node_timeout: Duration::from_secs(2),
            move_time: Duration::ZERO,
            has_debug: true,
            epoch: 1_000_000,
            max_clients: 8,
        };
        let hub = Hub::new(settings, &mut world);
        let mut fuzz = Self {
            rng,
            world,
            hub,
            clients: Vec::new(),
        };
        fuzz.connect();
        fuzz
    }

    /// Connects until there are four clients.
    fn connect(&mut self) {
        while self.clients.len() < 4 {
            let address = SocketAddr::from(([127, 0, 0, 1], 5000));
            let now = self.world.now();
            let connected = self.hub.connect(NodeId(0), (address, address), now);
            self.clients.push(connected.expect("there is room"));
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.rng.below(bound as u64)).expect("it is small")
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.rng.below(256)).expect("it is a byte")
    }

    fn word(&mut self) -> Vec<u8> {
        match self.below(12) {
            0 => (0..self.below(20)).map(|_| self.byte()).collect(),
            1 => self.rng.next_u64().to_string().into_bytes(),
            _ => WORDS[self.below(WORDS.len())].as_bytes().into(),
        }
    }

    /// A command of the table with about as many arguments as it takes.
    fn command(&mut self) -> Vec<Vec<u8>> {
        let specs = spec::specs();
        let spec: &Spec = &specs[self.below(specs.len())];
        let mut words = vec![spec.name.as_bytes().to_vec()];
        if !spec.subcommands.is_empty() && self.below(10) > 0 {
            let sub = &spec.subcommands[self.below(spec.subcommands.len())];
            words.push(sub.last_name().as_bytes().to_vec());
        }
        let least = spec.arity.unsigned_abs() as usize;
        let more = if self.below(3) == 0 { self.below(6) } else { 0 };
        while words.len() < least + more {
            let word = self.word();
            words.push(word);
        }
        if self.below(20) == 0 {
            words.pop();
        }
        // Nothing to say is no command.
        if words.is_empty() {
            vec![b"ping".to_vec()]
        } else {
            words
        }
    }

    /// Sends a request in pieces.
    fn send(&mut self, client: u32, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let length = 1 + self.below(rest.len());
            let length = if self.below(4) == 0 {
                length
            } else {
                rest.len()
            };
            let (piece, left) = rest.split_at(length);
            self.hub.receive(&mut self.world, client, piece);
            rest = left;
        }
    }

    /// Lets what waits come to an end: virtual time passes.
    fn settle(&mut self) {
        self.hub.tick(&mut self.world);
        for _ in 0..3 {
            let Some(next) = self.hub.next_deadline(&mut self.world) else {
                break;
            };
            self.world.clock.wait_until(next);
            self.hub.tick(&mut self.world);
        }
    }

    /// What a client has got; `None` if its connection ends.
    fn take(&mut self, client: u32) -> Option<Vec<u8>> {
        let state = self.hub.client_mut(client)?;
        let output = std::mem::take(&mut state.output);
        state.ending.is_none().then_some(output)
    }

    /// Replaces a client.
    fn replace(&mut self, index: usize) {
        self.hub.disconnect(&mut self.world, self.clients[index]);
        self.clients.remove(index);
        self.connect();
    }

    /// Sends a command, and checks that there is one reply to an ECHO behind it.
    fn step(&mut self) -> Vec<Vec<u8>> {
        let words = self.command();
        let index = self.below(self.clients.len());
        let client = self.clients[index];
        let name = String::from_utf8_lossy(&words[0]).into_owned();
        if LEFT_OUT.contains(&&*name) || is_held_long(&words) {
            return words;
        }
        // What others have told it before is no reply.
        self.take(client);
        self.send(client, &request(&words));
        self.settle();
        let Some(output) = self.take(client) else {
            self.replace(index);
            return words;
        };
        let replies = count_replies(&output).unwrap_or_else(|| {
            panic!(
                "{words:?}: a reply that is no frame: {:?}",
                String::from_utf8_lossy(&output)
            )
        });
        self.check_count(client, &words, replies, &output);
        words
    }

    fn check_count(&mut self, client: u32, words: &[Vec<u8>], replies: [usize; 2], output: &[u8]) {
        let state = self.hub.client_mut(client).expect("it is connected");
        let is_silent =
            state.replies != super::client::Replies::On || state.is_busy() || state.is_held;
        let name = words[0].to_ascii_lowercase();
        // A subscription is confirmed channel by channel, also in the reply of EXEC, as in Redis.
        let is_of_channels = output.windows(11).any(|it| it == b"subscribe\r\n");
        let is_of_replies = name == b"client" && words.get(1).is_some_and(|it| it == b"reply");
        if is_silent || is_of_channels || is_of_replies {
            return;
        }
        // In RESP2 a message looks like a reply.
        let may_be_told = state.subscriptions() > 0;
        let is_right = replies[0] == 1 || may_be_told && replies[0] >= 1;
        assert!(
            is_right,
            "{words:?} has {replies:?} replies: {:?}",
            String::from_utf8_lossy(output)
        );
    }
}

/// Whether a command makes every later one wait for longer than the test.
fn is_held_long(words: &[Vec<u8>]) -> bool {
    let is = |index: usize, name: &str| {
        words
            .get(index)
            .is_some_and(|it| it.eq_ignore_ascii_case(name.as_bytes()))
    };
    is(0, "client") && is(1, "pause") || is(0, "config") && is(1, "set") && words.len() > 4
}

fn request(words: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// How many replies and how many pushes there are; `None` if the bytes are no whole frames.
fn count_replies(mut bytes: &[u8]) -> Option<[usize; 2]> {
    let mut counts = [0, 0];
    while let Some(&kind) = bytes.first() {
        bytes = skip_frame(bytes)?;
        counts[usize::from(kind == b'>')] += usize::from(kind != b'|');
    }
    Some(counts)
}

/// The bytes behind a frame.
fn skip_frame(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.windows(2).position(|it| it == b"\r\n")?;
    let (line, rest) = (&bytes[1..end], &bytes[end + 2..]);
    let number = || std::str::from_utf8(line).ok()?.parse::<i64>().ok();
    let elements = match bytes[0] {
        b'+' | b'-' | b'_' | b'#' | b',' | b'(' => 0,
        b':' => number().map(|_| 0)?,
        b'$' | b'=' => match usize::try_from(number()?) {
            Err(_) => 0,
            Ok(length) => {
                let rest = rest.get(length..)?;
                return rest.strip_prefix(b"\r\n");
            }
        },
        b'*' | b'~' | b'>' => number()?.max(0),
        b'%' | b'|' => number()?.checked_mul(2)?,
        _ => return None,
    };
    (0..elements).try_fold(rest, |rest, _| skip_frame(rest))
}

fn seconds() -> u64 {
    let asked = std::env::var("SHARDLAB_FUZZ_SECONDS").ok();
    asked.and_then(|it| it.parse().ok()).unwrap_or(2)
}

/// Runs a test with one seed after the other, until its time is over.
fn with_seeds(test: impl Fn(u64) + std::panic::RefUnwindSafe) {
    if let Some(seed) = std::env::var("SHARDLAB_FUZZ_SEED")
        .ok()
        .and_then(|it| it.parse().ok())
    {
        return test(seed);
    }
    let start = HostInstant::now();
    let mut seed = 1;
    while start.elapsed() < Duration::from_secs(seconds()) {
        let result = std::panic::catch_unwind(|| test(seed));
        assert!(result.is_ok(), "replay it with SHARDLAB_FUZZ_SEED={seed}");
        seed += 1;
    }
}

#[test]
fn every_command_has_its_reply() {
    with_seeds(|seed| {
        let mut fuzz = Fuzz::new(seed);
        for _ in 0..300 {
            fuzz.step();
        }
    });
}

#[test]
fn any_bytes_are_survived() {
    with_seeds(|seed| {
        let mut fuzz = Fuzz::new(seed);
        for _ in 0..100 {
            let mut bytes = Vec::new();
            for _ in 0..=fuzz.below(4) {
                let words = fuzz.command();
                bytes.extend(request(&words));
            }
            for _ in 0..fuzz.below(4) {
                let at = fuzz.below(bytes.len());
                bytes[at] = fuzz.byte();
            }
            bytes.truncate(1 + fuzz.below(bytes.len()));
            let index = fuzz.below(fuzz.clients.len());
            let client = fuzz.clients[index];
            fuzz.send(client, &bytes);
            fuzz.settle();
            if fuzz.take(client).is_none() || fuzz.below(3) == 0 {
                fuzz.replace(index);
            }
        }
    });
}
