//! What replication by messages costs beside direct calls to the same nodes:
//!
//! ```text
//! cargo bench -p shardlab-benches --bench replication
//! ```
//!
//! The cluster has five nodes and three replicas, and no faults. Beside it, five nodes of the same
//! kind are called directly: a put at the three owners, a get at as many as are asked. Both look
//! up the owners. Rounds alternate; best and median, and the ratio of the medians.

#![allow(clippy::print_stdout, reason = "the table goes to standard output")]

use std::hint::black_box;
use std::time::Instant as Wall;

use shardlab::event::EventLog;
use shardlab::id::NodeId;
use shardlab::node::Node;
use shardlab::placement::{Members, Placement, PlacementKind};
use shardlab::time::Instant;
use shardlab::{Cache, Cluster, Config};

const KEYS: usize = 10_000;
const ROUNDS: usize = 15;

/// Five nodes without a cluster around them.
struct Direct {
    nodes: Vec<Node>,
    log: EventLog,
    placement: Box<dyn Placement>,
    owners: Vec<NodeId>,
}

impl Direct {
    fn new() -> Self {
        Self {
            nodes: (0..5).map(|id| Node::new(NodeId(id))).collect(),
            log: EventLog::new(0),
            placement: PlacementKind::Modulo.place(Members::first(5)),
            owners: Vec::new(),
        }
    }

    fn owners(&mut self, key: &[u8], count: usize) {
        let hash = self.placement.hash(key);
        self.placement.owners(hash, 3, &mut self.owners);
        self.owners.truncate(count);
    }

    fn put(&mut self, key: &[u8]) {
        self.owners(key, 3);
        for owner in &self.owners {
            let node = &mut self.nodes[owner.0 as usize];
            node.put(Instant::START, key, VALUE, None, &mut self.log)
                .expect("room");
        }
    }

    fn get(&mut self, key: &[u8], count: usize) {
        self.owners(key, count);
        for owner in &self.owners {
            let node = &mut self.nodes[owner.0 as usize];
            black_box(node.get(Instant::START, key, &mut self.log));
        }
    }
}

const VALUE: &[u8] = &[b'v'; 64];

fn cluster(quorum: usize) -> Cluster {
    let config = Config::new()
        .quorums(quorum, quorum)
        .nodes(5)
        .replicas(3)
        .hot_keys(0);
    Cluster::new(config).expect("a cluster")
}

/// Nanoseconds an operation.
fn time(keys: &[String], mut run: impl FnMut(&[u8])) -> f64 {
    let start = Wall::now();
    for key in keys {
        run(key.as_bytes());
    }
    start.elapsed().as_nanos() as f64 / keys.len() as f64
}

fn best_and_median(mut times: Vec<f64>) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    (times[0], times[times.len() / 2])
}

fn row(name: &str, mut direct: impl FnMut() -> f64, mut messages: impl FnMut() -> f64) {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        a.push(direct());
        b.push(messages());
    }
    let ((best_a, a), (best_b, b)) = (best_and_median(a), best_and_median(b));
    let ratio = b / a;
    println!("{name:24}{best_a:6.0}/{a:.0} {best_b:8.0}/{b:.0} {ratio:8.2}");
}

fn main() {
    let keys: Vec<String> = (0..KEYS).map(|n| format!("key:{n:012}")).collect();
    println!("ns an operation, best/median: direct calls, messages, ratio\n");
    for quorum in [1, 2] {
        let (mut direct, mut cluster) = (Direct::new(), cluster(quorum));
        let put = |key: &[u8]| cluster.put(Instant::START, key, VALUE, None).expect("room");
        row(
            &format!("put, W = {quorum}"),
            || time(&keys, |key| direct.put(key)),
            {
                let mut put = put;
                let keys = &keys;
                move || time(keys, &mut put)
            },
        );
        row(
            &format!("get, R = {quorum}"),
            || time(&keys, |key| direct.get(key, quorum)),
            || {
                time(&keys, |key| {
                    black_box(cluster.get(Instant::START, key).expect("an answer"));
                })
            },
        );
    }
}
