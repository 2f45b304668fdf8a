//! What the stories about clusters have in common.

use std::time::Duration;

use shardlab::cache::Cache;
use shardlab::history::Action;
use shardlab::id::NodeId;
use shardlab::replica::{Answer, RequestId};
use shardlab::time::Instant;
use shardlab::{Cluster, Config};

pub fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// Five nodes, of which three own "apple", in order, and one that does not; two are a quorum.
pub fn five(change: impl FnOnce(&mut Config)) -> (Cluster, [NodeId; 4]) {
    let mut config = Config {
        nodes: 5,
        replicas: 3,
        write_quorum: 2,
        read_quorum: 2,
        ..Config::default()
    };
    change(&mut config);
    let cluster = Cluster::new(config).expect("a cluster");
    let mut owners = Vec::new();
    let hash = cluster.placement().hash(b"apple");
    cluster.placement().owners(hash, 3, &mut owners);
    let other = cluster.node_ids().find(|node| !owners.contains(node));
    let [first, second, third] = owners[..] else {
        panic!("three owners");
    };
    (cluster, [first, second, third, other.expect("five nodes")])
}

/// Lets time pass until this request has its answer: when, from whom and what.
pub fn reply(cluster: &mut Cluster, mut now: Instant, id: RequestId) -> (Instant, NodeId, Answer) {
    loop {
        if let Some((node, answer)) = cluster.answer(id) {
            return (now, node, answer);
        }
        now = cluster.next_deadline().expect("somebody gives up").max(now);
        cluster.tick(now);
    }
}

/// Asks for something to be done with "apple", and lets time pass until there is an answer.
pub fn wait(cluster: &mut Cluster, now: Instant, action: Action) -> (Instant, Answer) {
    let id = cluster.ask(now, 0, None, b"apple", action);
    let (now, _, answer) = reply(cluster, now, id);
    (now, answer)
}

/// [`reply`], for who only wants to know what.
pub fn wait_for(cluster: &mut Cluster, now: Instant, id: RequestId) -> Answer {
    reply(cluster, now, id).2
}

/// A timeout for stories in which many are waited for.
pub fn soon(config: &mut Config) {
    config.timeout = Duration::from_millis(100);
}
