//! Traces recorded from servers under load.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{json, start, wait_for};

/// The commands of the load: 60 % reads, and keys of which some are asked for more often.
const COMMANDS: u64 = 5000;

/// What the load has of each kind.
#[derive(Default)]
struct Sent {
    gets: u64,
    sets: u64,
    deletes: u64,
    others: u64,
    bytes: u64,
}

fn connected(socket: &Path) -> BufReader<UnixStream> {
    let stream = wait_for("server", || UnixStream::connect(socket).ok());
    BufReader::new(stream)
}

/// Sends a command in the protocol of Redis, and takes the reply: a line, or a line and a value.
fn call(redis: &mut BufReader<UnixStream>, words: &[&str]) {
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        request += &format!("${}\r\n{word}\r\n", word.len());
    }
    redis.get_mut().write_all(request.as_bytes()).expect("sent");
    let mut line = String::new();
    redis.read_line(&mut line).expect("a reply");
    assert!(!line.starts_with('-'), "{words:?}: {line}");
    if let Some(len) = line
        .strip_prefix('$')
        .and_then(|len| len.trim().parse::<usize>().ok())
    {
        redis.read_exact(&mut vec![0; len + 2]).expect("a value");
    }
}

/// Sends the load, and counts it.
fn load(redis: &mut BufReader<UnixStream>) -> Sent {
    let mut sent = Sent::default();
    for at in 0..COMMANDS {
        let key = format!("key \"{}\"\u{e9}", at * at % 300);
        let value = "x".repeat(usize::try_from(at % 50).expect("small"));
        let size = (key.len() + value.len()) as u64;
        match at % 10 {
            0..6 => {
                call(redis, &["GET", &key]);
                (sent.gets, sent.bytes) = (sent.gets + 1, sent.bytes + 1);
            }
            6 => {
                call(redis, &["SET", &key, &value, "EX", "100"]);
                (sent.sets, sent.bytes) = (sent.sets + 1, sent.bytes + size);
            }
            7 => {
                call(redis, &["SETEX", &key, "200", &value]);
                (sent.sets, sent.bytes) = (sent.sets + 1, sent.bytes + size);
            }
            8 => {
                call(redis, &["DEL", &key, "other"]);
                (sent.deletes, sent.bytes) = (sent.deletes + 2, sent.bytes + 2);
            }
            _ => {
                call(redis, &["HSET", "hash", &key, &value]);
                sent.others += 1;
            }
        }
    }
    sent
}

fn check(found: &Value, format: &str, sent: &Sent) {
    let (gets, sets, deletes) = (sent.gets, sent.sets, sent.deletes);
    assert_eq!(found["format"], format);
    for (name, number) in [("gets", gets), ("sets", sets), ("deletes", deletes)] {
        assert_eq!(found[name], number, "{name}");
    }
    assert_eq!(found["requests"], gets + sets + deletes);
}

#[test]
fn what_redis_was_asked_for_is_counted_exactly() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("redis");
    let mut server = Command::new("redis-server");
    server.args(["--port", "0", "--save", "", "--appendonly", "yes"]);
    server
        .args(["--aof-use-rdb-preamble", "no", "--unixsocket"])
        .arg(&socket);
    server.arg("--dir").arg(folder.path()).stdout(Stdio::null());
    let _server = start(&mut server);
    let mut client = connected(&socket);

    let recorded = folder.path().join("monitor.txt");
    let mut monitor = Command::new("redis-cli");
    monitor.arg("-s").arg(&socket).arg("MONITOR");
    let monitor = start(monitor.stdout(File::create(&recorded).expect("a file")));
    let holds = |part: &str| fs::read_to_string(&recorded).is_ok_and(|text| text.contains(part));
    wait_for("monitor", || holds("OK").then_some(()));
    let sent = load(&mut client);
    call(&mut client, &["ECHO", "the end"]);
    wait_for("end of the recording", || holds("the end").then_some(()));
    drop(monitor);

    let name = recorded.to_string_lossy();
    let found = json(&["inspect", &name]);
    check(&found, "redis-monitor", &sent);
    assert_eq!(found["bytes"], sent.bytes);
    let skipped = json!({ "command ECHO": 1, "command HSET": sent.others });
    assert_eq!(found["skipped"], skipped);
    let compared = json(&["compare", &name, "--ops", "trace", "--sizes", "10%,50%"]);
    assert_eq!(compared["cells"][0]["requests"], sent.gets);

    // It has the writes that changed something, so not all deletes.
    let log = folder
        .path()
        .join("appendonlydir/appendonly.aof.1.incr.aof");
    let found = json(&["inspect", &log.to_string_lossy()]);
    assert_eq!(
        (&found["format"], &found["sets"]),
        (&"redis-aof".into(), &sent.sets.into())
    );
    assert_eq!(found["gets"], 0);
    assert_eq!(found["skipped"]["command HSET"], sent.others);
}

#[test]
fn what_memcached_was_asked_for_is_counted_exactly() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("memcached");
    let mut server = Command::new("memcached");
    server.args(["-u", "root", "-a", "700", "-s"]).arg(&socket);
    let _server = start(&mut server);
    let mut watcher = connected(&socket);
    watcher
        .get_mut()
        .write_all(b"watch fetchers mutations\r\n")
        .expect("sent");
    let mut recorded = String::new();
    watcher.read_line(&mut recorded).expect("a reply");
    assert_eq!(recorded, "OK\r\n");

    let mut client = connected(&socket);
    let mut ask = |text: &str, end: &str| {
        client.get_mut().write_all(text.as_bytes()).expect("sent");
        let mut line = String::new();
        while !line.ends_with(end) {
            assert!(client.read_line(&mut line).expect("a reply") > 0, "{line}");
        }
    };
    let (mut gets, mut sets, mut bytes) = (0_u64, 0_u64, 0_u64);
    for at in 0..500_u64 {
        let key = format!("key%{}", at * at % 40);
        ask(&format!("get {key}\r\n"), "END\r\n");
        gets += 1;
        if at % 5 == 0 {
            ask(&format!("set {key} 0 60 3\r\nabc\r\n"), "STORED\r\n");
            sets += 1;
            bytes += key.len() as u64 + 3;
        }
    }
    ask("get the-end\r\n", "END\r\n");
    while !recorded.contains("the-end") {
        watcher.read_line(&mut recorded).expect("a line");
    }
    let name = folder.path().join("watch.txt");
    fs::write(&name, &recorded).expect("written");
    let found = json(&["inspect", &name.to_string_lossy()]);
    assert_eq!(found["format"], "memcached-watch");
    // Memcached looks a key up before it stores it, and logs that like a get.
    assert_eq!(
        (&found["gets"], &found["sets"]),
        (&(gets + 1 + sets).into(), &sets.into())
    );
    assert_eq!(
        (&found["skipped"], &found["first_key"]),
        (&json!({}), &"key%0".into())
    );
    assert!(found["bytes"].as_u64().is_some_and(|all| all > bytes));
}
