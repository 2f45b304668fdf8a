use super::*;
use crate::config::Capacity;
use crate::eviction::Eviction;
use crate::eviction::Slot;
use crate::placement::PlacementKind;

fn cluster(placement: PlacementKind) -> Cluster {
    let config = Config::new().nodes(7).placement(placement);
    Cluster::new(config).expect("a cluster")
}

#[test]
fn a_key_and_a_value_may_be_as_long_as_the_config_says() {
    let config = Config::new().max_key(3).max_value(5);
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
fn tombstones_go_at_their_time_without_a_request() {
    let config = Config::new().replicas(3);
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

#[test]
fn the_text_of_a_cluster_counts_nodes_and_entries() {
    let mut cluster = Cluster::new(Config::new().replicas(2)).expect("a cluster");
    let now = Instant::from_millis(2_000);
    cluster.put(now, b"a", b"1", None).expect("stored");
    let text = "3 nodes, modulo placement, 2 entries, at 2s";
    assert_eq!(cluster.to_string(), text);
    cluster.crash(now, NodeId(2)).expect("it runs");
    let debug = format!("{cluster:?}");
    assert!(debug.contains("(NodeId(2), Crashed, 0)"), "{debug}");
}

/// The first entry that came goes; what happens to others does not matter.
#[derive(Clone, Default)]
struct Stack(Vec<Slot>);

impl EvictionPolicy for Stack {
    fn evict(&mut self) -> Option<Slot> {
        self.0.pop()
    }

    fn insert(&mut self, slot: Slot, _: u64) -> Option<Slot> {
        self.0.push(slot);
        None
    }

    fn access(&mut self, _: Slot) -> Option<Slot> {
        None
    }

    fn remove(&mut self, slot: Slot) {
        self.0.retain(|it| *it != slot);
    }
}

#[test]
fn policies_of_ones_own_go_to_every_node() {
    let config = Config::new().nodes(1).capacity(Capacity::entries(3));
    let mut cluster = Cluster::new(config.eviction(Eviction::None)).expect("a cluster");
    let now = Instant::START;
    cluster.set_eviction_with(now, |_| Box::new(Stack::default()));
    assert_eq!(cluster.eviction(), None);
    for key in [b"a", b"b", b"c", b"d"] {
        cluster.put(now, key, b"1", None).expect("it evicts");
    }
    assert_eq!(cluster.keys(now, None, |_| true), [b"a", b"b", b"d"]);
    // Nodes that evict have room for all that a move brings.
    cluster.join(now, 1).expect("a node joins");
    cluster.move_all(now);
    for number in 0..20_u8 {
        cluster.put(now, &[number], b"1", None).expect("it evicts");
    }
    assert_eq!(cluster.size(now), 6);
    cluster.set_eviction(now, Eviction::None);
    assert_eq!(cluster.eviction(), Some(Eviction::None));
    assert!(cluster.put(now, b"more", b"1", None).is_err());
}

#[test]
fn a_placement_must_be_on_the_members() {
    let mut cluster = Cluster::new(Config::new()).expect("a cluster");
    let other = |_| PlacementKind::Ring.place(Members::first(2));
    let refused = cluster.set_placement_with(Instant::START, other);
    assert_eq!(refused, Err(MoveError::OtherMembers));
    cluster
        .join(Instant::START, 1)
        .expect("no move is under way");
}
