use super::*;
use crate::placement::PlacementKind;

fn cluster(placement: PlacementKind) -> Cluster {
    let config = Config {
        nodes: 7,
        placement,
        ..Config::default()
    };
    Cluster::new(config).expect("a cluster")
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
        Err(PutError::KeyTooLong { len: 4, max: 3 }.into())
    );
    assert_eq!(
        put(b"abc", b"123456"),
        Err(PutError::ValueTooLong { len: 6, max: 5 }.into())
    );
    assert!(cluster.add(Instant::START, b"abcd", b"", None).is_err());
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
    let due = Instant::START.saturating_add(config.grace);
    let early = Instant::from_nanos(due.as_nanos() - 1);
    for (now, left) in [(early, 3), (due, 0)] {
        let mut cluster = Cluster::new(config).expect("a cluster");
        put(&mut cluster, b"one");
        assert_eq!(cluster.delete(Instant::START, b"one"), Ok(true));
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
