//! Clients of a Redis Cluster whose slots move.

use std::collections::BTreeMap;
use std::time::Duration;

use super::routing::TRY_AGAIN;
use super::tests::Lab;
use super::topology::node_id;
use crate::cluster::Restart;
use crate::config::Config;
use crate::id::NodeId;
use crate::language::Change;
use crate::placement::{PlacementKind, slot_of};
use crate::rng::Rng;

impl Lab {
    fn with_slots(nodes: u32, time: Duration) -> Self {
        let config = Config::new().nodes(nodes).placement(PlacementKind::Slots);
        let mut lab = Self::new(config);
        let simulated = lab.world.backend.simulated();
        simulated.expect("it is simulated").set_move_time(time);
        lab
    }

    /// Lets the port of each node be its number.
    fn name_ports(&mut self) {
        for node in 0..4 {
            let port = u16::try_from(node).expect("a few");
            self.hub.set_port(NodeId(node), port);
        }
    }

    fn change(&mut self, change: Change) {
        let now = self.world.now();
        let started = self.world.backend.change(now, change);
        started.expect("the change is possible");
        self.hub.tick(&mut self.world);
    }
}

#[test]
fn slots_move_in_the_phases_of_redis() {
    let mut lab = Lab::with_slots(2, Duration::from_secs(16));
    let (old, new) = (lab.connect(0), lab.connect(1));
    // Both are in slot 3300, one of those that node 0 gives away first.
    for key in ["{b}1", "{b}2"] {
        assert_eq!(lab.say(old, &format!("SET {key} x")), "+OK");
    }
    lab.change(Change::Leave { node: NodeId(0) });
    let open = |lab: &mut Lab| lab.hub.topology.moves.contains_key(&3300);
    assert!(!open(&mut lab));
    while !open(&mut lab) {
        assert_eq!(lab.say(old, "GET {b}1"), "$1 x", "nothing has moved");
        assert!(lab.say(new, "ASKING\nGET {b}1").starts_with("+OK -MOVED"));
        lab.advance(Duration::from_millis(100));
    }
    // The slot is open.
    assert_eq!(lab.say(old, "MGET {b}1 {b}2"), "*2 $1 x $1 x");
    let nodes = [node_id(NodeId(0)), node_id(NodeId(1))];
    let shown = lab.say(old, "CLUSTER NODES");
    assert!(
        shown.contains(&format!(" [3300->-{}]", nodes[1])),
        "{shown}"
    );
    let shown = lab.say(new, "CLUSTER NODES");
    assert!(
        shown.contains(&format!(" [3300-<-{}]", nodes[0])),
        "{shown}"
    );
    // What is not there is asked for at the other node.
    assert_eq!(lab.say(old, "SET {b}3 x"), "-ASK 3300 127.0.0.1:0");
    assert_eq!(lab.say(old, "MGET {b}1 {b}3"), format!("-{TRY_AGAIN}"));
    assert_eq!(lab.say(new, "SET {b}3 x"), "-MOVED 3300 127.0.0.1:0");
    assert_eq!(lab.say(new, "ASKING\nSET {b}3 x"), "+OK +OK");
    assert_eq!(lab.say(new, "GET {b}3"), "-MOVED 3300 127.0.0.1:0");
    assert_eq!(
        lab.say(new, "ASKING\nMGET {b}1 {b}3"),
        format!("+OK -{TRY_AGAIN}")
    );
    let transaction = "ASKING\nMULTI\nINCR {b}n\nGET {b}3\nEXEC";
    let reply = "+OK +OK +QUEUED +QUEUED *2 :1 $1 x";
    assert_eq!(lab.say(new, transaction), reply);
    assert_eq!(lab.say(old, "CLUSTER COUNTKEYSINSLOT 3300"), ":2");
    assert_eq!(lab.say(new, "CLUSTER COUNTKEYSINSLOT 3300"), ":2");
    assert_eq!(lab.say(old, "DBSIZE"), ":2");
    // The keys move one by one; a change does not let them go early, and a removed one is gone.
    lab.say(old, "SET {b}2 y");
    assert_eq!(lab.say(old, "GET {b}2"), "$1 y");
    assert_eq!(lab.say(old, "DEL {b}1"), ":1");
    assert_eq!(lab.say(old, "GET {b}1"), "-ASK 3300 127.0.0.1:0");
    while lab.say(old, "GET {b}2") == "$1 y" {
        lab.advance(Duration::from_millis(50));
    }
    while open(&mut lab) {
        assert_eq!(lab.say(old, "GET {b}2"), "-ASK 3300 127.0.0.1:0");
        assert_eq!(lab.say(new, "ASKING\nGET {b}2"), "+OK $1 y");
        lab.advance(Duration::from_millis(50));
    }
    // The slot has moved, and others have not.
    assert_eq!(lab.say(new, "MGET {b}1 {b}2 {b}3"), "*3 $-1 $1 y $1 x");
    assert_eq!(lab.say(old, "GET {b}2"), "-MOVED 3300 127.0.0.1:0");
    assert_eq!(
        lab.say(old, "SET {a}1 x").starts_with("-MOVED"),
        slot_of(b"a") > 8191
    );
    lab.advance(Duration::from_secs(16));
    assert!(!lab.cluster().is_moving());
    assert_eq!(lab.world.backend.overview().nodes.len(), 1);
    assert_eq!(lab.say(new, "MGET {b}1 {b}2 {b}3"), "*3 $-1 $1 y $1 x");
}

/// A client that follows redirections: a connection to each node, by its number.
struct Follower {
    connections: BTreeMap<u32, u32>,
    /// How often it was sent on by ASK.
    asked: u32,
}

impl Follower {
    /// The reply to a command on one slot. The port of a node is its number.
    fn say(&mut self, lab: &mut Lab, first: u32, line: &str) -> String {
        let (mut node, mut prefix) = (first, "");
        for _ in 0..10 {
            let connection = *self
                .connections
                .entry(node)
                .or_insert_with(|| lab.connect(node));
            let reply = lab.say(connection, &format!("{prefix}{line}"));
            let reply = reply.strip_prefix("+OK ").unwrap_or(&reply).to_owned();
            let Some((kind, place)) = reply.split_once(' ').filter(|_| reply.starts_with('-'))
            else {
                return reply;
            };
            let port = place.rsplit(':').next().and_then(|it| it.parse().ok());
            prefix = if kind == "-ASK" { "ASKING\n" } else { "" };
            match (kind, port) {
                ("-ASK", Some(port)) => (self.asked, node) = (self.asked + 1, port),
                ("-MOVED", Some(port)) => node = port,
                _ => return reply,
            }
        }
        panic!("{line} is sent on and on");
    }
}

/// Which counters there are.
const KEYS: u64 = 60;

#[test]
fn counters_of_clients_that_follow_lose_nothing_while_slots_move() {
    let mut asked = 0;
    for seed in 0..4 {
        let mut rng = Rng::new(seed);
        let mut lab = Lab::with_slots(3, Duration::from_secs(8));
        lab.name_ports();
        let mut follower = Follower {
            connections: BTreeMap::new(),
            asked: 0,
        };
        let mut counts = BTreeMap::new();
        let mut changes = [
            Change::Join { weight: 1 },
            Change::Leave { node: NodeId(0) },
        ]
        .into_iter();
        for step in 0..6000 {
            if step % 2500 == 500
                && let Some(change) = changes.next()
            {
                lab.change(change);
                for node in 0..4 {
                    lab.hub
                        .set_port(NodeId(node), u16::try_from(node).expect("a few"));
                }
            }
            let key = rng.below(KEYS);
            let nodes: Vec<NodeId> = lab.cluster().node_ids().collect();
            let first = nodes[usize::try_from(rng.below(nodes.len() as u64)).expect("a few")];
            if rng.below(10) == 0 {
                follower.say(&mut lab, first.0, &format!("DEL {key}"));
                counts.remove(&key);
            } else {
                let reply = follower.say(&mut lab, first.0, &format!("INCR {key}"));
                let count = counts.entry(key).and_modify(|it| *it += 1).or_insert(1);
                assert_eq!(reply, format!(":{count}"), "seed {seed}, step {step}");
            }
            if rng.below(2) == 0 {
                lab.advance(Duration::from_millis(rng.below(20)));
            }
        }
        assert!(!lab.cluster().is_moving(), "seed {seed}");
        asked += follower.asked;
    }
    assert!(asked > 20, "{asked} ASK");
}

#[test]
fn a_node_that_crashes_while_slots_move_keeps_the_move_open() {
    let mut lab = Lab::with_slots(3, Duration::from_secs(8));
    let client = lab.connect(0);
    let set = |lab: &mut Lab, key: &u32| lab.say(client, &format!("SET {key} x")) == "+OK";
    let keys: Vec<u32> = (0..200).filter(|key| set(&mut lab, key)).collect();
    assert!(keys.len() > 40, "a third of the keys is on node 0");
    lab.change(Change::Leave { node: NodeId(0) });
    let now = lab.world.now();
    lab.cluster().crash(now, NodeId(2)).expect("it runs");
    lab.advance(Duration::from_secs(20));
    // Keys that go to the node that is down wait, and no key is lost.
    assert!(lab.cluster().is_moving());
    let now = lab.world.now();
    let restarted = lab.cluster().restart(now, NodeId(2), Restart::Stale);
    restarted.expect("it is down");
    lab.advance(Duration::from_secs(1));
    lab.change(Change::Rebalance);
    let now = lab.world.now();
    let cost = lab.cluster().move_all(now);
    assert_eq!((cost.lost, cost.waiting), (0, 0));
    lab.hub.tick(&mut lab.world);
    let others = [lab.connect(1), lab.connect(2)];
    for key in keys {
        let mut found = others.iter().map(|&it| lab.say(it, &format!("GET {key}")));
        assert!(found.any(|it| it == "$1 x"), "{key}");
    }
}
