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

#[test]
fn a_key_and_a_value_may_be_as_long_as_the_config_says() {
    let config = Config {
        max_key: 3,
        max_value: 5,
        ..Config::default()
    };
    let mut cluster = Cluster::new(config).expect("a cluster");
    let mut put = |key: &[u8], value: &[u8]| cluster.put(Instant::START, key, value, None);
    assert_eq!(put(b"abc", b"12345"), Ok(()));
    assert_eq!(put(b"", b""), Ok(()));
    assert_eq!(
        put(b"abcd", b""),
        Err(PutError::KeyTooLong { len: 4, max: 3 })
    );
    assert_eq!(
        put(b"abc", b"123456"),
        Err(PutError::ValueTooLong { len: 6, max: 5 })
    );
    assert!(cluster.add(Instant::START, b"abcd", b"", None).is_err());
}

#[test]
fn a_history_begins_and_ends_as_one_likes() {
    let mut cluster = cluster(PlacementKind::Ring);
    assert!(cluster.history().is_none());
    cluster.set_versioned(Instant::START);
    cluster.record_history(2);
    for _ in 0..3 {
        cluster.get(Instant::START, b"key");
    }
    let history = cluster.history().expect("it is recorded");
    assert_eq!(history.operations().len(), 2);
    cluster.record_history(0);
    assert!(cluster.history().is_none());
}

#[test]
fn tombstones_go_when_their_time_comes_though_nobody_looks() {
    let config = Config {
        replicas: 3,
        ..Config::default()
    };
    let put = |cluster: &mut Cluster, key: &[u8]| {
        let put = cluster.put(Instant::START, key, b"value", None);
        put.expect("acknowledged");
    };
    let due = Instant::START.later(config.grace);
    let early = Instant::from_nanos(due.as_nanos() - 1);
    for (now, left) in [(early, 3), (due, 0)] {
        let mut cluster = Cluster::new(config).expect("a cluster");
        put(&mut cluster, b"one");
        assert!(cluster.delete(Instant::START, b"one"));
        put(&mut cluster, b"two");
        assert_eq!(cluster.tombstones(), 3);
        cluster.tick(now);
        assert_eq!(cluster.tombstones(), left);
    }
}

#[test]
fn a_tick_stops_after_as_many_events_as_one_likes() {
    let mut cluster = cluster(PlacementKind::Ring);
    let due = Instant::from_millis(5);
    for key in [b"a", b"b", b"c"] {
        let put = cluster.put(Instant::START, key, b"value", Some(due));
        put.expect("room");
    }
    assert!(cluster.tick_some(due, 2), "more is due");
    assert_eq!(cluster.events().iter().count(), 2);
    assert!(!cluster.tick_some(due, 2));
    assert_eq!(cluster.events().iter().count(), 3);
}
