//! A clone of a cluster is a fork: from then on both behave the same for the same calls, and neither
//! sees what happens in the other. Random calls from seeds; a failure names its seed.

use std::time::Duration;

use shardlab::config::{Capacity, Config};
use shardlab::eviction::Eviction;
use shardlab::id::NodeId;
use shardlab::network::Fault;
use shardlab::operation::Operation;
use shardlab::placement::PlacementKind;
use shardlab::replica::Restart;
use shardlab::rng::Rng;
use shardlab::time::Instant;
use shardlab::{Cache, Cluster, cluster::Request};

const SEEDS: u64 = 300;
/// Calls before and after the fork.
const CALLS: u64 = 60;

fn index(rng: &mut Rng, len: usize) -> usize {
    usize::try_from(rng.below(len as u64)).expect("small")
}

/// A cluster with settings from the seed.
fn cluster(seed: u64) -> Cluster {
    let mut rng = Rng::new(seed);
    let replicas = 1 + index(&mut rng, 3);
    let capacity = Capacity {
        entries: (rng.below(3) > 0).then(|| 2 + rng.below(6)),
        bytes: None,
    };
    let placement = PlacementKind::ALL[index(&mut rng, PlacementKind::ALL.len())];
    let eviction = Eviction::ALL[index(&mut rng, Eviction::ALL.len())];
    let (write, read) = (1 + index(&mut rng, replicas), 1 + index(&mut rng, replicas));
    let config = Config::new()
        .nodes(4)
        .placement(placement)
        .eviction(eviction)
        .capacity(capacity)
        .replicas(replicas)
        .quorums(write, read)
        .history(100)
        .seed(seed);
    Cluster::new(config).expect("within the bounds")
}

/// Makes a random call, and returns what it answers.
fn call(cluster: &mut Cluster, now: Instant, rng: &mut Rng) -> String {
    let key = format!("k{}", rng.below(16)).into_bytes();
    let deadline = (rng.below(3) == 0).then(|| now.saturating_add(millis(rng.below(300))));
    let node = NodeId(u32::try_from(rng.below(5)).expect("small"));
    let shown = match rng.below(20) {
        0..5 => format!("{:?}", cluster.put(now, &key, &[b'v'; 9], deadline)),
        5..9 => format!("{:?}", cluster.get(now, &key)),
        9 => format!("{:?}", cluster.delete(now, &key)),
        10 => format!("{:?}", cluster.incr(now, &key, 1)),
        11 => format!("{:?}", cluster.set_deadline(now, &key, deadline)),
        12 => {
            let put = Operation::Put {
                value: &b"x"[..],
                deadline,
            };
            format!("{:?}", cluster.submit(now, Request::new(&key, put).of(7)))
        }
        13 => format!("{:?}", cluster.crash(now, node)),
        14 => format!("{:?}", cluster.restart(now, node, Restart::Resync)),
        15 => format!("{:?}", toggle_pause(cluster, now, node)),
        16 => format!("{:?}", cluster.inject(now, &disturbance(node, rng))),
        17 => format!("{:?}", cluster.heal(now)),
        18 => format!("{:?}", change(cluster, now, node, rng)),
        _ => format!(
            "{:?}",
            cluster.skew(now, node, 50_000_000 * i64::from(node.0))
        ),
    };
    let polled: Vec<_> = std::iter::from_fn(|| cluster.poll()).collect();
    format!("{shown} {polled:?}")
}

fn toggle_pause(cluster: &mut Cluster, now: Instant, node: NodeId) -> bool {
    cluster.pause(now, node).is_ok() || cluster.resume(now, node).is_ok()
}

fn disturbance(node: NodeId, rng: &mut Rng) -> Fault {
    let time = millis(rng.below(40));
    match rng.below(2) {
        0 => Fault::Isolate(node),
        _ => Fault::Slow { node, time },
    }
}

/// Changes the members, the placement or the capacity.
fn change(cluster: &mut Cluster, now: Instant, node: NodeId, rng: &mut Rng) -> String {
    let kind = PlacementKind::ALL[index(rng, PlacementKind::ALL.len())];
    let begun = match rng.below(4) {
        0 => format!("{:?}", cluster.join(now, 1)),
        1 => format!("{:?}", cluster.leave(now, node)),
        2 => format!("{:?}", cluster.set_placement(now, kind)),
        _ => {
            let entries = Some(1 + rng.below(8));
            let capacity = Capacity {
                entries,
                bytes: None,
            };
            format!("{:?}", cluster.set_node_capacity(now, node, capacity))
        }
    };
    format!("{begun} {:?}", cluster.move_some(now, 20))
}

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Makes random calls as time passes, and returns all answers and the state at the end.
fn play(cluster: &mut Cluster, from: u64, rng: &mut Rng) -> Vec<String> {
    let mut answers = Vec::new();
    for turn in from..from + CALLS {
        let now = Instant::from_millis(turn * 20);
        answers.push(call(cluster, now, rng));
    }
    answers.push(state(cluster, Instant::from_millis((from + CALLS) * 20)));
    answers
}

/// All that can be seen of a cluster.
fn state(cluster: &mut Cluster, now: Instant) -> String {
    let keys = (0..16).map(|n| format!("k{n}"));
    let copies: Vec<_> = keys.map(|key| cluster.inspect(key.as_bytes())).collect();
    let events: Vec<_> = cluster.events().iter().cloned().collect();
    let in_flight = cluster.in_flight().len();
    let stats = cluster.node_stats(now);
    let (promise, next) = (cluster.promise(), cluster.next_deadline());
    let calls = cluster.history().map(|history| history.calls().len());
    let delivered = cluster.delivered();
    let latency = cluster.latencies().percentile(99);
    format!(
        "{copies:?} {events:?} {in_flight} {stats:?} {promise} {next:?} {calls:?} {delivered:?} {latency:?}"
    )
}

#[test]
fn a_fork_behaves_as_the_cluster_that_it_was_cloned_from() {
    for seed in 0..SEEDS {
        let mut original = cluster(seed);
        let mut rng = Rng::new(seed + 1000);
        play(&mut original, 0, &mut rng);
        let mut fork = original.clone();
        let mut other = original.clone();
        // What happens in another fork is seen nowhere else.
        play(&mut other, CALLS, &mut Rng::new(seed + 2000));
        let expected = play(&mut original, CALLS, &mut rng.clone());
        let forked = play(&mut fork, CALLS, &mut rng.clone());
        assert_eq!(forked, expected, "seed {seed}");
        let mut twin = cluster(seed);
        let mut twin_rng = Rng::new(seed + 1000);
        play(&mut twin, 0, &mut twin_rng);
        let never_cloned = play(&mut twin, CALLS, &mut twin_rng);
        assert_eq!(never_cloned, expected, "seed {seed}");
    }
}
