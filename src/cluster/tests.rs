use super::*;
use crate::placement::PlacementKind;

fn keys(count: u32) -> Vec<Vec<u8>> {
    let key = |n: u32| format!("key:{}", n * 7919 % count).into_bytes();
    (0..count).map(key).collect()
}

fn cluster(placement: PlacementKind) -> Cluster {
    let config = Config {
        nodes: 7,
        placement,
        ..Config::default()
    };
    Cluster::new(config).expect("a cluster")
}

/// What MGET and MSET go by.
#[test]
fn a_batch_touches_each_node_once_and_in_the_order_of_the_keys() {
    let keys = keys(10_000);
    for &kind in PlacementKind::ALL {
        let mut cluster = cluster(kind);
        let batch = cluster.by_owner(Instant::START, keys.iter().map(Vec::as_slice));
        assert!(batch.is_sorted(), "{kind}: by node, then in order");
        let mut runs: Vec<NodeId> = batch.iter().map(|(node, _)| *node).collect();
        runs.dedup();
        assert_eq!(runs, (0..7).map(NodeId).collect::<Vec<_>>(), "{kind}");
        let mut places: Vec<usize> = batch.iter().map(|(_, at)| *at).collect();
        places.sort_unstable();
        assert!(
            places.into_iter().eq(0..keys.len()),
            "{kind}: each key once"
        );
        for (node, at) in batch {
            assert_eq!(node, cluster.owner(&keys[at]), "{kind}");
        }
    }
}

/// Also while keys are on their way.
#[test]
fn a_batch_answers_as_its_keys_one_by_one() {
    let keys = keys(10_000);
    let pairs: Vec<_> = keys.iter().map(|key| (key, key)).step_by(2).collect();
    let (mut batch, mut single) = (cluster(PlacementKind::Ring), cluster(PlacementKind::Ring));
    let stored = batch.put_many(Instant::START, &pairs, None);
    assert!(stored.iter().all(Result::is_ok));
    for (key, value) in &pairs {
        let put = single.put(Instant::START, key, value, None);
        put.expect("there is room");
    }
    for cluster in [&mut batch, &mut single] {
        cluster.join(Instant::START, 1).expect("room for a node");
        assert_eq!(cluster.move_some(Instant::START, 1000), None);
    }
    let found = batch.get_many(Instant::START, &keys);
    for (key, (node, value)) in keys.iter().zip(found) {
        let (one, expected) = single.get_from(Instant::START, key);
        assert_eq!((node, value.as_deref()), (one, expected));
    }
    assert_eq!(
        batch.move_all(Instant::START),
        single.move_all(Instant::START)
    );
    assert_eq!(
        batch.node_stats(Instant::START),
        single.node_stats(Instant::START)
    );
}
