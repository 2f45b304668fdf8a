//! Random commands to redis-server and to our server: the replies are the same, byte for byte.
//!
//! Left out is what differs on purpose: deadlines beyond 584 years, INCRBYFLOAT beyond the 64 bits of a long
//! double, OBJECT REFCOUNT, how strings are encoded, hexadecimal
//! floats, and the order of keys in SCAN and KEYS. A time to live may differ by
//! what passes between the two servers.
//!
//! `SHARDLAB_SEED=n` runs the commands of one seed again.

use std::collections::VecDeque;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use shardlab::rng::Rng;

use super::serving::{Serving, Wire};
use super::start;

/// How long random commands are sent for each protocol.
const TIME: Duration = Duration::from_secs(5);
/// How many commands a seed stands for. They take some tens of milliseconds.
const COMMANDS: usize = 500;
/// After so many differences the rest is not looked for.
const MAX_DIFFERENCES: usize = 20;

/// How many commands before it are shown with a difference.
const SHOWN: usize = 12;

const KEYS: &[&str] = &["a", "b", "c", "h1", "h2", "n1"];
const FIELDS: &[&str] = &["f", "g", "x"];
const VALUES: &[&str] = &[
    "",
    "1",
    "10",
    "-5",
    "abc",
    "hello world",
    "3.5",
    "9223372036854775807",
    "1e3",
    "nan",
    " 1",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
];
const INTEGERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "5",
    "100",
    "-7",
    "9223372036854775807",
    "-9223372036854775808",
    "x",
    "",
    " 1",
    "+1",
    "01",
    "1.5",
    "99999999999999999999",
];
const FLOATS: &[&str] = &["1.5", "-0.5", "3", "1e2", "x", "inf", "nan", "", " 1"];
const TTLS: &[&str] = &[
    "1000",
    "5000",
    "100000",
    "0",
    "-1",
    "x",
    "9223372036854775807",
];
const SECONDS: &[&str] = &["9999999999", "0", "1", "-1", "x"];
const MILLIS: &[&str] = &["9999999999999", "0", "1", "-1", "x"];
const OPTIONS: &[&str] = &[
    "NX",
    "XX",
    "GET",
    "KEEPTTL",
    "EX %t",
    "PX 1000000",
    "PX 0",
    "EXAT %s",
    "PXAT %m",
    "FOO",
    "EX",
];
const CONDITIONS: &[&str] = &[
    "", "", "NX", "XX", "GT", "LT", "GT LT", "NX XX", "XX GT", "FOO", "nx",
];
/// The script by which locks are released.
const RELEASE: &str =
    "if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end";

/// Kinds of commands, one a line. `%` and a letter stands for something random; see [`expand`].
const TEMPLATES: &str = include_str!("differential.txt");

/// Something random for a letter of a template.
fn expand(rng: &mut Rng, letter: char, words: &mut Vec<Vec<u8>>) {
    let list = match letter {
        'k' => KEYS,
        'f' => FIELDS,
        'v' => VALUES,
        'i' => INTEGERS,
        'd' => FLOATS,
        't' => TTLS,
        's' => SECONDS,
        'm' => MILLIS,
        'o' | 'c' => {
            let list = if letter == 'o' { OPTIONS } else { CONDITIONS };
            let template = pick(rng, list);
            return add(rng, template, words);
        }
        'r' => &[RELEASE],
        other => panic!("no template has %{other}"),
    };
    words.push(pick(rng, list).into());
}

fn pick(rng: &mut Rng, list: &[&'static str]) -> &'static str {
    let place = rng.below(list.len() as u64);
    list[usize::try_from(place).expect("a place")]
}

/// Adds the words of a template.
fn add(rng: &mut Rng, template: &str, words: &mut Vec<Vec<u8>>) {
    for word in template.split_whitespace() {
        match word.strip_prefix('%').and_then(|it| it.chars().next()) {
            Some(letter) => expand(rng, letter, words),
            None => words.push(word.into()),
        }
    }
}

/// A random command, its name in random letter case.
fn command(rng: &mut Rng) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let templates: Vec<&str> = TEMPLATES.lines().collect();
    let template = pick(rng, &templates);
    add(rng, template, &mut words);
    for byte in &mut words[0] {
        if rng.below(2) == 0 {
            byte.make_ascii_lowercase();
        }
    }
    words
}

/// The two replies to a command in the form in which they are compared.
fn comparable(name: &str, theirs: Vec<u8>, ours: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
    let tolerance = match name {
        "ttl" | "expiretime" => 1,
        "pttl" | "pexpiretime" => 500,
        // Redis adds the place in the script.
        "eval" => return (without_place(&theirs), ours),
        "object" => return (encoding(&theirs), encoding(&ours)),
        "scan" | "keys" => return (sorted(&theirs), sorted(&ours)),
        _ => return (theirs, ours),
    };
    let number = |reply: &[u8]| {
        let text = std::str::from_utf8(reply).ok()?.strip_prefix(':')?;
        text.trim_end().parse::<i64>().ok().filter(|&it| it > 0)
    };
    match (number(&theirs), number(&ours)) {
        (Some(one), Some(other)) if one.abs_diff(other) <= tolerance => (theirs.clone(), theirs),
        _ => (theirs, ours),
    }
}

fn without_place(reply: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(reply);
    match text.split_once(" script: ") {
        Some((error, _)) => format!("{error}\r\n").into_bytes(),
        None => reply.to_vec(),
    }
}

/// The encoding of a string in Redis depends on its past, ours on its value.
fn encoding(reply: &[u8]) -> Vec<u8> {
    match reply {
        b"$3\r\nraw\r\n" | b"$3\r\nint\r\n" => b"$6\r\nembstr\r\n".to_vec(),
        other => other.to_vec(),
    }
}

/// The lines of a reply, sorted.
fn sorted(reply: &[u8]) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = reply.split_inclusive(|&byte| byte == b'\n').collect();
    lines.sort_unstable();
    lines.concat()
}

fn shown(words: &[Vec<u8>]) -> String {
    let words = words
        .iter()
        .map(|word| format!("'{}'", word.escape_ascii()));
    words.collect::<Vec<_>>().join(" ")
}

/// Sends the commands of a seed to new connections of both. Returns the first difference, with the name
/// of its command.
fn round(
    seed: u64,
    protocol: &str,
    theirs: &mut Wire,
    ours: &mut Wire,
) -> Option<(String, String)> {
    let mut rng = Rng::new(seed);
    for wire in [&mut *theirs, &mut *ours] {
        assert_eq!(wire.ask(&["FLUSHALL"]), b"+OK\r\n");
        if protocol == "3" {
            wire.ask(&["HELLO", "3"]);
        }
    }
    let mut is_queueing = false;
    let mut sent: VecDeque<Vec<Vec<u8>>> = VecDeque::new();
    for number in 0..COMMANDS {
        let words = command(&mut rng);
        let name = String::from_utf8_lossy(&words[0]).to_ascii_lowercase();
        if name == "dbsize" && !is_queueing {
            // Redis counts keys that have expired, such as that of SET k v EXAT 1, until it looks at them.
            theirs.ask(&[&["EXISTS"], KEYS].concat());
        }
        let (theirs, ours) = (theirs.ask(&words), ours.ask(&words));
        // Redis rounds to the 64 bits of a long double.
        if name.ends_with("float") && theirs != ours && theirs.len() > "$18\r\n".len() + 18 {
            return None;
        }
        // In the reply to EXEC times to live and keys cannot be told from other things.
        if name == "exec" && is_queueing && theirs != ours {
            return None;
        }
        // Which of two deadlines is later depends on the millisecond in which each was set.
        let is_relative = words
            .iter()
            .any(|word| word.eq_ignore_ascii_case(b"gt") || word.eq_ignore_ascii_case(b"lt"));
        if is_relative && name.contains("expire") && theirs != ours {
            return None;
        }
        is_queueing = theirs == b"+QUEUED\r\n" || is_queueing && name != "exec";
        let (theirs, ours) = comparable(&name, theirs, ours);
        if theirs != ours {
            let before: Vec<String> = sent.iter().map(|words| shown(words)).collect();
            let found = format!(
                "RESP{protocol}, SHARDLAB_SEED={seed}, command {number}: {}\n  before {}\n  redis {}\n  ours  {}",
                shown(&words),
                before.join("; "),
                theirs.escape_ascii(),
                ours.escape_ascii()
            );
            return Some((name, found));
        }
        sent.push_back(words);
        if sent.len() > SHOWN {
            sent.pop_front();
        }
    }
    None
}

#[test]
fn random_commands_get_the_replies_of_redis_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("redis");
    let mut redis = Command::new("redis-server");
    redis
        .args(["--port", "0", "--save", "", "--unixsocket"])
        .arg(&socket);
    redis.arg("--dir").arg(folder.path()).stdout(Stdio::null());
    let _redis = start(&mut redis);
    let serving = Serving::start(&["--nodes", "1"]);
    let given: Option<u64> = std::env::var("SHARDLAB_SEED")
        .ok()
        .map(|seed| seed.parse().expect("a number"));
    let mut found: Vec<(String, String)> = Vec::new();
    for protocol in ["2", "3"] {
        let until = Instant::now() + TIME;
        let mut seed = given.unwrap_or_else(|| u64::from(std::process::id()) * 100_000);
        while Instant::now() < until && found.len() < MAX_DIFFERENCES {
            let (mut theirs, mut ours) = (Wire::unix(&socket), serving.connect(0));
            let difference = round(seed, protocol, &mut theirs, &mut ours);
            found.extend(
                difference.filter(|(name, _)| found.iter().all(|(known, _)| known != name)),
            );
            if given.is_some() {
                break;
            }
            seed += 1;
        }
    }
    let found: Vec<String> = found.into_iter().map(|(_, found)| found).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}
