//! The hub, without sockets, on the virtual clock.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Hub, Settings};
use crate::cluster::{Cluster, Restart};
use crate::config::Config;
use crate::id::NodeId;
use crate::language::{self, Action, Request};
use crate::network::Fault;
use crate::placement::PlacementKind;
use crate::session::{Origin, Progress, World};
use crate::time::VirtualClock;

/// Clients of a cluster.
pub(super) struct Lab {
    pub(super) world: World,
    pub(super) hub: Hub,
}

impl Lab {
    pub(super) fn new(config: Config) -> Self {
        let cluster = Cluster::new(config).expect("the settings are right");
        let mut world = World::new(cluster, Box::new(VirtualClock::default()));
        let settings = Settings {
            host: "127.0.0.1".into(),
            is_cluster: config.placement == PlacementKind::Slots,
            password: None,
            node_timeout: Duration::from_secs(2),
            move_time: Duration::ZERO,
            has_debug: true,
            epoch: 1_000_000,
            max_clients: 5,
        };
        let hub = Hub::new(settings, &mut world);
        Self { world, hub }
    }

    pub fn alone() -> (Self, u32) {
        let mut lab = Self::new(Config::new().nodes(1));
        let client = lab.connect(0);
        (lab, client)
    }

    pub(super) fn connect(&mut self, node: u32) -> u32 {
        let address = SocketAddr::from(([127, 0, 0, 1], 5000));
        let now = self.world.now();
        let connected = self.hub.connect(NodeId(node), (address, address), now);
        connected.expect("there is room")
    }

    pub(super) fn cluster(&mut self) -> &mut Cluster {
        let simulated = self.world.backend.simulated();
        simulated.expect("it is simulated").cluster()
    }

    /// Carries out a command of the prompt on keys.
    pub(super) fn prompt(&mut self, line: &str) {
        let parsed = language::parse(line.as_bytes()).expect("a command");
        let action = parsed.expect("a command").action;
        let (Action::Command(command) | Action::Request(Request { command, .. })) = action else {
            panic!("{line} is a command on keys");
        };
        let World { backend, clock } = &mut self.world;
        let (now, origin) = (
            clock.now(),
            Origin {
                client: 0,
                via: None,
            },
        );
        let done = backend.begin(now, &mut **clock, origin, command);
        assert!(matches!(done, Ok(Progress::Done(_))), "{line}");
    }

    /// Lets time pass, with all that is due.
    pub(super) fn advance(&mut self, time: Duration) {
        let until = self.world.now().saturating_add(time);
        while let Some(next) = self.world.next_deadline().filter(|&next| next <= until) {
            self.world.clock.wait_until(next);
            self.hub.tick(&mut self.world);
        }
        self.world.clock.wait_until(until);
        self.hub.tick(&mut self.world);
    }

    /// What a client has got since the last call.
    pub(super) fn replies(&mut self, client: u32) -> String {
        let client = self.hub.client_mut(client).expect("it is connected");
        let output = std::mem::take(&mut client.output);
        String::from_utf8_lossy(&output)
            .replace("\r\n", " ")
            .trim_end()
            .into()
    }

    /// Sends lines as a client, and returns the replies.
    pub fn say(&mut self, client: u32, lines: &str) -> String {
        for line in lines.lines() {
            let line = format!("{line}\r\n");
            self.hub.receive(&mut self.world, client, line.as_bytes());
        }
        self.replies(client)
    }

    pub(super) fn is_ended(&mut self, client: u32) -> bool {
        let client = self.hub.client_mut(client);
        client.is_none_or(|client| client.ending.is_some())
    }
}

/// Sends lines to a single node, and compares the replies.
fn check(dialogue: &[(&str, &str)]) {
    let (mut lab, client) = Lab::alone();
    for (line, reply) in dialogue {
        assert_eq!(lab.say(client, line), *reply, "{line}");
    }
}

#[test]
fn strings_are_stored_on_conditions() {
    check(&[
        ("SET a 1", "+OK"),
        ("GET a", "$1 1"),
        ("SET a 2 NX", "$-1"),
        ("SET b 2 XX", "$-1"),
        ("SET a 2 XX GET", "$1 1"),
        ("SET a 3 IFEQ 1", "$-1"),
        ("SET a 3 IFEQ 2", "+OK"),
        ("SET a 4 EX 10", "+OK"),
        ("TTL a", ":10"),
        ("SET a 5 KEEPTTL", "+OK"),
        ("PTTL a", ":10000"),
        ("SET a 5", "+OK"),
        ("TTL a", ":-1"),
        ("SET a 1 EX 0", "-ERR invalid expire time in 'set' command"),
        (
            "SET a 1 EX x",
            "-ERR value is not an integer or out of range",
        ),
        ("SET a 1 EX 1 PX 1", "-ERR syntax error"),
        ("SET a 1 NX XX", "-ERR syntax error"),
        ("SET a 1 PXAT 1", "+OK"),
        ("EXISTS a", ":0"),
        ("APPEND a xy", ":2"),
        ("SETRANGE a 4 z", ":5"),
        ("GETRANGE a 0 -1", "$5 xy\0\0z"),
        ("GETDEL a", "$5 xy\0\0z"),
        ("INCRBYFLOAT f 10.5", "$4 10.5"),
        ("INCRBYFLOAT f 0.1", "$4 10.6"),
        (
            "INCRBYFLOAT f inf",
            "-ERR increment would produce NaN or Infinity",
        ),
        ("INCR f", "-ERR value is not an integer or out of range"),
        ("MSET x 1 y 2", "+OK"),
        ("MGET x y z", "*3 $1 1 $1 2 $-1"),
        ("MSETNX y 1 z 1", ":0"),
        ("MSETEX 2 x 5 z 6 EX 100", ":1"),
        ("DELIFEQ x 4", ":0"),
        ("DELIFEQ x 5", ":1"),
        ("GET", "-ERR wrong number of arguments for 'get' command"),
        (
            "LPUSH a b",
            "-ERR unknown command 'LPUSH': shardlab holds strings and hashes, not lists",
        ),
        (
            "NOPE a b",
            "-ERR unknown command 'NOPE', with args beginning with: 'a' 'b'",
        ),
    ]);
}

#[test]
fn hashes_are_a_type_of_their_own() {
    check(&[
        ("HSET h f 1 g 2", ":2"),
        ("HSET h f 3", ":0"),
        ("HGETALL h", "*4 $1 f $1 3 $1 g $1 2"),
        ("HINCRBY h f 4", ":7"),
        ("HINCRBYFLOAT h g 0.5", "$3 2.5"),
        ("HINCRBYFLOAT h g inf", "-ERR value is NaN or Infinity"),
        ("HINCRBYFLOAT h g nan", "-ERR value is not a valid float"),
        (
            "GET h",
            "-WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
        ("TYPE h", "+hash"),
        (
            "INCR h",
            "-WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
        ("HDEL h f g", ":2"),
        ("EXISTS h", ":0"),
        ("SET h 1", "+OK"),
        (
            "HGET h f",
            "-WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
    ]);
}

#[test]
fn a_transaction_depends_on_what_it_watches() {
    let (mut lab, one) = Lab::alone();
    let two = lab.connect(0);
    assert_eq!(
        lab.say(one, "WATCH a\nMULTI\nSET a 1\nGET a"),
        "+OK +OK +QUEUED +QUEUED"
    );
    assert_eq!(lab.say(one, "EXEC"), "*2 +OK $1 1");
    assert_eq!(lab.say(one, "WATCH a\nMULTI\nINCR a"), "+OK +OK +QUEUED");
    assert_eq!(lab.say(two, "SET a 1"), "+OK");
    assert_eq!(
        lab.say(one, "EXEC"),
        "*-1",
        "the same value was stored again"
    );
    assert_eq!(
        lab.say(one, "SET a 1 PX 100\nWATCH a\nMULTI\nGET a"),
        "+OK +OK +OK +QUEUED"
    );
    lab.advance(Duration::from_millis(100));
    assert_eq!(lab.say(one, "EXEC"), "*-1", "the key has expired");
    assert_eq!(
        lab.say(one, "MULTI\nNOPE\nEXEC"),
        "+OK -ERR unknown command 'NOPE', with args beginning with:  -EXECABORT Transaction discarded because of previous errors."
    );
    assert_eq!(lab.say(one, "EXEC"), "-ERR EXEC without MULTI");
}

#[test]
fn notifications_come_at_the_deadline() {
    let (mut lab, one) = Lab::alone();
    let two = lab.connect(0);
    assert_eq!(lab.say(one, "CONFIG SET notify-keyspace-events KEA"), "+OK");
    assert_eq!(
        lab.say(one, "CONFIG GET notify-keyspace-events"),
        "*2 $22 notify-keyspace-events $3 AKE"
    );
    assert_eq!(
        lab.say(two, "PSUBSCRIBE __keyevent@0__:expired"),
        "*3 $10 psubscribe $22 __keyevent@0__:expired :1"
    );
    assert_eq!(lab.say(one, "SET a 1 PX 1500"), "+OK");
    lab.advance(Duration::from_millis(1499));
    assert_eq!(lab.replies(two), "");
    lab.advance(Duration::from_millis(1));
    let message = "*4 $8 pmessage $22 __keyevent@0__:expired $22 __keyevent@0__:expired $1 a";
    assert_eq!(lab.replies(two), message);
    assert_eq!(
        lab.say(two, "GET a"),
        "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
    );
}

#[test]
fn the_prompt_s_changes_are_told_as_those_of_clients() {
    let (mut lab, one) = Lab::alone();
    let (listener, tracker) = (lab.connect(0), lab.connect(0));
    lab.say(one, "CONFIG SET notify-keyspace-events EA");
    lab.say(listener, "PSUBSCRIBE __keyevent@0__:*");
    lab.say(tracker, "HELLO 3\nCLIENT TRACKING on\nGET n");
    assert_eq!(lab.say(one, "WATCH n\nMULTI\nGET n"), "+OK +OK +QUEUED");
    let lines = [
        ("PUT a 1", "set a"),
        ("PUT a 1 10s", "set a expire a"),
        ("ADD a 1", ""),
        ("ADD b 1", "set b"),
        ("CAS b 2 3", ""),
        ("CAS b 1 3", "set b"),
        ("INCR n", "incrby n"),
        ("EXPIRE b 5s", "expire b"),
        ("PERSIST b", "persist b"),
        ("PERSIST b", ""),
        ("MSET c 1 d 2", "set c set d"),
        ("DEL c x", "del c"),
        ("GET a", ""),
        ("FILL 2", "set key1 set key2"),
    ];
    for (line, events) in lines {
        lab.prompt(line);
        lab.hub.tick(&mut lab.world);
        let told = lab.replies(listener);
        let told: Vec<&str> = told
            .split(' ')
            .filter(|it| !it.is_empty() && !it.starts_with(['$', '*']))
            .collect();
        let told: Vec<String> = told
            .chunks(4)
            .map(|it| format!("{} {}", it[2].trim_start_matches("__keyevent@0__:"), it[3]))
            .collect();
        assert_eq!(told.join(" "), events, "{line}");
    }
    assert_eq!(lab.replies(tracker), ">2 $10 invalidate *1 $1 n");
    assert_eq!(lab.say(one, "EXEC"), "*-1", "what it watches has changed");
}

#[test]
fn info_counts_the_keys_that_expire() {
    for replicas in [1, 2] {
        let owners = Config::new().nodes(2).replicas(replicas);
        let mut lab = Lab::new(owners.quorums(replicas, 1));
        let client = lab.connect(0);
        let keyspace = |lab: &mut Lab| {
            let shown = lab.say(client, "INFO keyspace");
            shown.split("db0:").nth(1).map(str::to_owned)
        };
        assert_eq!(keyspace(&mut lab), None);
        lab.say(
            client,
            "SET a 1\nSET b 1 PX 1000\nSET c 1 PX 3000\nSET d 1 PX 500",
        );
        assert_eq!(lab.say(client, "PERSIST d"), ":1");
        let expected = Some("keys=4,expires=2,avg_ttl=2000".into());
        assert_eq!(keyspace(&mut lab), expected);
        lab.advance(Duration::from_millis(400));
        let expected = Some("keys=4,expires=2,avg_ttl=1600".into());
        assert_eq!(keyspace(&mut lab), expected);
        lab.advance(Duration::from_millis(600));
        let expected = Some("keys=3,expires=1,avg_ttl=2000".into());
        assert_eq!(keyspace(&mut lab), expected);
        lab.say(client, "DEL c");
        let expected = Some("keys=2,expires=0,avg_ttl=0".into());
        assert_eq!(keyspace(&mut lab), expected);
    }
}

#[test]
fn the_frequency_is_shown_where_it_is_counted() {
    let (mut lab, client) = Lab::alone();
    lab.say(client, "SET a 1");
    let not_lfu = "-ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.";
    assert_eq!(lab.say(client, "OBJECT FREQ a"), not_lfu);
    assert_eq!(
        lab.say(
            client,
            "CONFIG SET maxmemory 1mb maxmemory-policy allkeys-lfu"
        ),
        "+OK"
    );
    lab.say(client, "SET b 1\nGET b\nGET b");
    assert_eq!(lab.say(client, "OBJECT FREQ b"), ":3");
    assert_eq!(lab.say(client, "OBJECT FREQ b\nOBJECT FREQ nope"), ":3 $-1");
    let is_lfu = "-ERR An LFU maxmemory policy is selected, idle time not tracked.";
    assert!(lab.say(client, "OBJECT IDLETIME b").starts_with(is_lfu));
}

#[test]
fn channels_reach_clients_of_other_nodes() {
    let mut lab = Lab::new(Config::new().nodes(2));
    let (one, two) = (lab.connect(0), lab.connect(1));
    lab.say(one, "SUBSCRIBE news");
    lab.say(two, "HELLO 3\nSUBSCRIBE news");
    assert_eq!(
        lab.say(two, "PUBLISH news hi"),
        ":1 >3 $7 message $4 news $2 hi",
        "its own message follows the reply"
    );
    assert_eq!(lab.replies(one), "*3 $7 message $4 news $2 hi");
    assert_eq!(lab.say(two, "PUBSUB NUMSUB news"), "*2 $4 news :1");
    lab.hub.disconnect(&mut lab.world, one);
    assert_eq!(
        lab.say(two, "UNSUBSCRIBE\nPUBLISH news hi"),
        ">3 $11 unsubscribe $4 news :0 :0"
    );
}

#[test]
fn each_node_serves_its_slots() {
    let mut lab = Lab::new(Config::new().nodes(3).placement(PlacementKind::Slots));
    for node in 0..3 {
        lab.hub.set_port(
            NodeId(node),
            7000 + u16::try_from(node).expect("it is small"),
        );
    }
    let client = lab.connect(0);
    assert_eq!(lab.say(client, "SET foo 1"), "-MOVED 12182 127.0.0.1:7002");
    assert_eq!(lab.say(client, "CLUSTER KEYSLOT foo"), ":12182");
    assert_eq!(lab.say(client, "SET bar 1"), "+OK");
    assert_eq!(
        lab.say(client, "MGET bar foo"),
        "-CROSSSLOT Keys in request don't hash to the same slot"
    );
    assert_eq!(
        lab.say(client, "SELECT 1"),
        "-ERR SELECT is not allowed in cluster mode"
    );
    let ranges = lab.say(client, "CLUSTER SLOTS");
    assert!(
        ranges.starts_with("*3 *3 :0 :5460 *4 $9 127.0.0.1 :7000 $40 "),
        "{ranges}"
    );
}

#[test]
fn slots_of_a_lost_node_go_to_the_next_owner_and_back() {
    let config = Config::new()
        .nodes(3)
        .placement(PlacementKind::Slots)
        .replicas(2);
    let mut lab = Lab::new(config);
    for node in 0..3 {
        lab.hub.set_port(
            NodeId(node),
            7000 + u16::try_from(node).expect("it is small"),
        );
    }
    let client = lab.connect(0);
    assert_eq!(lab.say(client, "GET foo"), "-MOVED 12182 127.0.0.1:7002");
    let now = lab.world.now();
    lab.cluster().crash(now, NodeId(2)).expect("it runs");
    lab.hub.tick(&mut lab.world);
    assert!(lab.say(client, "CLUSTER NODES").contains("master,fail? "));
    lab.advance(Duration::from_secs(2));
    let moved = lab.say(client, "GET foo");
    assert!(
        matches!(&*moved, "$-1" | "-MOVED 12182 127.0.0.1:7001"),
        "{moved}"
    );
    assert!(lab.say(client, "CLUSTER NODES").contains("master,fail "));
    let now = lab.world.now();
    lab.cluster()
        .restart(now, NodeId(2), Restart::Resync)
        .expect("it is down");
    lab.advance(Duration::from_secs(1));
    assert_eq!(lab.say(client, "GET foo"), "-MOVED 12182 127.0.0.1:7002");
}

#[test]
fn without_replicas_the_slots_of_a_lost_node_are_down() {
    let mut lab = Lab::new(Config::new().nodes(3).placement(PlacementKind::Slots));
    let client = lab.connect(0);
    let now = lab.world.now();
    lab.cluster().crash(now, NodeId(2)).expect("it runs");
    lab.advance(Duration::from_secs(2));
    assert_eq!(
        lab.say(client, "GET foo"),
        "-CLUSTERDOWN The cluster is down"
    );
    assert!(
        lab.say(client, "CLUSTER INFO")
            .contains("cluster_state:fail")
    );
}

#[test]
fn a_write_of_unknown_fate_gets_no_reply() {
    let config = Config::new()
        .nodes(3)
        .placement(PlacementKind::Slots)
        .replicas(3)
        .quorums(2, 2);
    let mut lab = Lab::new(config);
    let client = lab.connect(0);
    let now = lab.world.now();
    lab.cluster()
        .inject(now, &Fault::Isolate(NodeId(0)))
        .expect("it is a node");
    assert_eq!(lab.say(client, "SET bar 1"), "");
    lab.advance(Duration::from_secs(10));
    assert_eq!(lab.replies(client), "");
    assert!(lab.is_ended(client));
}

#[test]
fn scripts_of_locks_are_known() {
    check(&[
        ("SET lock me", "+OK"),
        ("EVAL return 0", "$-1"),
        ("EVAL \"return 12\" 1 k", ":12"),
        (
            r#"EVAL "if redis.call('get',KEYS[1]) == ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end" 1 lock other"#,
            ":0",
        ),
        (
            r#"EVAL "if redis.call('get',KEYS[1]) == ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end" 1 lock me"#,
            ":1",
        ),
        ("HSET lock f v", ":1"),
        (
            r#"EVAL "if redis.call('get',KEYS[1]) == ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end" 1 lock me"#,
            "-WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
        (
            "EVALSHA abc 0",
            "-NOSCRIPT No matching script. Please use EVAL.",
        ),
        (
            "EVAL x 5 a",
            "-ERR shardlab runs no Lua: it knows the scripts of common locks and rate limits by their shape, and this is none of them. SET with IFEQ and DELIFEQ do compare-and-set without a script",
        ),
    ]);
}

#[test]
fn a_client_too_many_is_refused() {
    let (mut lab, _) = Lab::alone();
    for _ in 1..5 {
        lab.connect(0);
    }
    let address = SocketAddr::from(([127, 0, 0, 1], 5000));
    let now = lab.world.now();
    let refused = lab.hub.connect(NodeId(0), (address, address), now);
    assert_eq!(refused, Err(&b"-ERR max number of clients reached\r\n"[..]));
}

#[test]
fn replies_can_be_turned_off() {
    check(&[
        ("CLIENT REPLY OFF\nSET a 1", ""),
        ("CLIENT REPLY ON", "+OK"),
        ("CLIENT REPLY SKIP\nSET a 2\nGET a", "$1 2"),
    ]);
}

#[test]
fn scan_visits_each_key_once() {
    let (mut lab, client) = Lab::alone();
    for number in 0..100 {
        lab.say(client, &format!("SET key{number} 1"));
    }
    let (mut cursor, mut keys) = (String::from("0"), Vec::new());
    loop {
        let reply = lab.say(client, &format!("SCAN {cursor} COUNT 7 MATCH key*"));
        let words: Vec<&str> = reply.split(' ').collect();
        cursor = words[2].into();
        keys.extend(
            words
                .iter()
                .filter(|word| word.starts_with("key"))
                .map(ToString::to_string),
        );
        if cursor == "0" {
            break;
        }
    }
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 100);
}

#[test]
fn what_a_browser_sends_is_not_answered() {
    let (mut lab, client) = Lab::alone();
    assert_eq!(
        lab.say(client, "GET / HTTP/1.1\nHost: localhost"),
        "-ERR wrong number of arguments for 'get' command"
    );
    assert!(lab.is_ended(client));
}

#[test]
fn a_listener_that_takes_nothing_is_cut_off() {
    let (mut lab, one) = Lab::alone();
    let (listener, monitor) = (lab.connect(0), lab.connect(0));
    lab.say(listener, "SUBSCRIBE news");
    lab.say(monitor, "MONITOR");
    let message = "x".repeat(60_000);
    for _ in 0..600 {
        lab.say(one, &format!("PUBLISH news {message}"));
    }
    for slow in [listener, monitor] {
        assert!(lab.is_ended(slow));
        let client = lab
            .hub
            .client_mut(slow)
            .expect("its socket is not closed yet");
        assert_eq!(client.output.capacity(), 0);
        lab.hub.disconnect(&mut lab.world, slow);
    }
    assert!(!lab.is_ended(one));
    let events = lab.cluster().events().iter().map(ToString::to_string);
    let events: Vec<String> = events.collect();
    assert_eq!(
        events,
        [listener, monitor].map(|slow| format!("0s node 0 cut off client {slow}"))
    );
}

#[test]
fn what_a_client_watches_is_bounded() {
    let (mut lab, client) = Lab::alone();
    let keys: Vec<String> = (0..3000).map(|key| format!("key{key}")).collect();
    let watch = format!("WATCH {}", keys.join(" "));
    assert_eq!(lab.say(client, &watch), "+OK");
    let mut channels = Vec::new();
    for part in 0..22 {
        let names: Vec<String> = (0..3000).map(|name| format!("{part}.{name}")).collect();
        channels.push(lab.say(client, &format!("WATCH {}", names.join(" "))));
    }
    assert_eq!(
        channels.last().map(String::as_str),
        Some("-ERR too many keys are watched")
    );
}

#[test]
fn a_node_serves_as_soon_as_it_has_merged() {
    let config = Config::new().placement(PlacementKind::Slots).replicas(2);
    let mut lab = Lab::new(config);
    let client = lab.connect(1);
    let now = lab.world.now();
    lab.cluster().crash(now, NodeId(1)).expect("it is up");
    let (node, time) = (NodeId(1), Duration::from_millis(100));
    let slow = Fault::Slow { node, time };
    lab.cluster().inject(now, &slow).expect("a slow node");
    lab.cluster()
        .restart(now, NodeId(1), Restart::Resync)
        .expect("it is down");
    lab.advance(Duration::ZERO);
    assert_eq!(
        lab.say(client, "GET a"),
        "-LOADING Redis is loading the dataset in memory"
    );
    lab.advance(Duration::from_secs(5));
    assert!(lab.say(client, "GET a").starts_with("-MOVED"));
}
