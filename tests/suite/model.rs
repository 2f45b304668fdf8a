//! The cluster against a naive model: one more implementation of the same trait.

use std::collections::BTreeMap;

use proptest::prelude::*;
use shardlab::cache::{Cache, Error};
use shardlab::event::{Event, EventKind, EventLog};
use shardlab::hash::fnv1a_32;
use shardlab::id::NodeId;
use shardlab::node::Node;
use shardlab::operation::Bytes;
use shardlab::time::Instant;
use shardlab::{Cluster, Config};

/// A cache that is obviously right: one sorted map, searched from end to end.
pub(crate) struct Model {
    nodes: u32,
    pub rows: BTreeMap<Vec<u8>, Row>,
    writes: u64,
    log: EventLog,
}

pub(crate) struct Row {
    pub value: Vec<u8>,
    pub deadline: Option<Instant>,
    /// When the deadline was set, in writes.
    order: u64,
}

impl Model {
    pub(crate) fn new(nodes: u32) -> Self {
        Self {
            nodes,
            rows: BTreeMap::new(),
            writes: 0,
            log: EventLog::new(100_000),
        }
    }

    fn node(&self, key: &[u8]) -> NodeId {
        NodeId(fnv1a_32(key) % self.nodes)
    }

    fn set_deadline(&mut self, now: Instant, key: &[u8], deadline: Option<Instant>) -> bool {
        self.tick(now);
        self.writes += 1;
        let row = self.rows.get_mut(key);
        row.map(|row| (row.deadline, row.order) = (deadline, self.writes))
            .is_some()
    }

    pub(crate) fn tick(&mut self, now: Instant) {
        let rows = self.rows.iter();
        let due = rows.filter(|(_, row)| row.deadline.is_some_and(|deadline| deadline <= now));
        let mut due: Vec<_> = due
            .map(|(key, row)| (row.deadline, self.node(key), row.order, key.clone()))
            .collect();
        due.sort_unstable();
        for (deadline, node, _, key) in due {
            self.rows.remove(&key);
            let at = deadline.expect("only what has one is due");
            let event = || Event::of_key(at, node, EventKind::Expired, &key, deadline);
            self.log.record(event);
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.rows.values().filter_map(|row| row.deadline).min()
    }

    pub(crate) fn events(&self) -> &EventLog {
        &self.log
    }
}

impl Cache for Model {
    fn put(
        &mut self,
        now: Instant,
        key: &[u8],
        value: &[u8],
        deadline: Option<Instant>,
    ) -> Result<(), Error> {
        self.tick(now);
        self.writes += 1;
        let (value, order) = (value.to_vec(), self.writes);
        self.rows.insert(
            key.to_vec(),
            Row {
                value,
                deadline,
                order,
            },
        );
        Ok(())
    }

    fn get(&mut self, now: Instant, key: &[u8]) -> Result<Option<Bytes>, Error> {
        self.tick(now);
        Ok(self.rows.get(key).map(|row| row.value.as_slice().into()))
    }

    fn delete(&mut self, now: Instant, key: &[u8]) -> Result<bool, Error> {
        self.tick(now);
        Ok(self.rows.remove(key).is_some())
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Put(u8, u8, Option<u64>),
    Get(u8),
    Delete(u8),
    Expire(u8, u64),
    Persist(u8),
    /// Exactly at the next deadline, one nanosecond before, or one after.
    ToNextDeadline(i64),
    Advance(u64),
}

fn nanos() -> impl Strategy<Value = u64> {
    prop_oneof![
        1..3_u64,
        (1..5_u64).prop_map(|n| n * 1_000_000),
        (1..5_u64).prop_map(|n| n * 1_000_000_000),
        (1..5_u64).prop_map(|n| n * 3_600_000_000_000),
    ]
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let key = 0..20_u8;
    prop_oneof![
        5 => (key.clone(), any::<u8>(), prop::option::of(nanos()))
            .prop_map(|(key, value, ttl)| Step::Put(key, value, ttl)),
        4 => key.clone().prop_map(Step::Get),
        2 => key.clone().prop_map(Step::Delete),
        2 => (key.clone(), nanos()).prop_map(|(key, ttl)| Step::Expire(key, ttl)),
        1 => key.prop_map(Step::Persist),
        5 => (-1..2_i64).prop_map(Step::ToNextDeadline),
        1 => nanos().prop_map(Step::Advance),
    ]
}

fn after(now: Instant, nanos: u64) -> Instant {
    Instant::from_nanos(now.as_nanos() + nanos)
}

fn name(key: u8) -> Vec<u8> {
    format!("key:{key}").into_bytes()
}

/// The events of a log, for comparison with those of another.
pub(crate) fn told(log: &EventLog) -> Vec<&Event> {
    log.iter().collect()
}

/// Does the same on both sides, and compares what they say.
pub(crate) fn apply(step: &Step, now: &mut Instant, cluster: &mut Cluster, model: &mut Model) {
    let at = *now;
    match *step {
        Step::Put(key, value, ttl) => {
            let deadline = ttl.map(|ttl| after(at, ttl));
            let (key, value) = (name(key), vec![value; usize::from(value % 7)]);
            let put = cluster.put(at, &key, &value, deadline);
            assert_eq!(put, model.put(at, &key, &value, deadline));
        }
        Step::Get(key) => {
            let key = name(key);
            assert_eq!(cluster.get(at, &key), model.get(at, &key), "{step:?}");
        }
        Step::Delete(key) => {
            let key = name(key);
            assert_eq!(cluster.delete(at, &key), model.delete(at, &key));
        }
        Step::Expire(key, ttl) => {
            let (key, deadline) = (name(key), Some(after(at, ttl)));
            let changed = cluster.set_deadline(at, &key, deadline);
            assert_eq!(changed, Ok(model.set_deadline(at, &key, deadline)));
        }
        Step::Persist(key) => {
            let key = name(key);
            let changed = cluster.set_deadline(at, &key, None);
            assert_eq!(changed, Ok(model.set_deadline(at, &key, None)));
        }
        Step::ToNextDeadline(off) => {
            let next = model.next_deadline().map_or(0, Instant::as_nanos);
            let to = Instant::from_nanos(next.saturating_add_signed(off));
            *now = at.max(to);
            cluster.tick(*now);
            model.tick(*now);
        }
        Step::Advance(by) => *now = after(at, by),
    }
    assert!(cluster.next_deadline() <= model.next_deadline() || model.next_deadline().is_none());
}

fn compare(cluster: &mut Cluster, steps: &[Step]) {
    let mut model = Model::new(u32::try_from(cluster.node_ids().count()).expect("few nodes"));
    let mut now = Instant::START;
    for step in steps {
        apply(step, &mut now, cluster, &mut model);
    }
    cluster.tick(now);
    model.tick(now);
    assert_eq!(told(cluster.events()), told(model.events()));
    let keys = cluster.keys(now, None, |_| true);
    assert!(keys.iter().eq(model.rows.keys()));
    assert_eq!(cluster.stats(now).keys, model.rows.len() as u64);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_cluster_does_what_the_model_does(nodes in 1..6_u32, steps in prop::collection::vec(step(), 1..200)) {
        let config = Config::new().nodes(nodes);
        compare(&mut Cluster::new(config).expect("a cluster"), &steps);
    }

    /// A log that is read in slices is the same log.
    #[test]
    fn slices_of_a_tick_add_up(ttls in prop::collection::vec(1..6_u64, 1..60), limit in 1..5_usize) {
        let make = || {
            let mut cluster = Cluster::new(Config::default()).expect("a cluster");
            for (n, ttl) in ttls.iter().enumerate() {
                let deadline = Some(Instant::from_nanos(*ttl));
                cluster.put(Instant::START, n.to_string().as_bytes(), b"", deadline).expect("room");
            }
            cluster
        };
        let (mut whole, mut sliced) = (make(), make());
        let end = Instant::from_nanos(9);
        whole.tick(end);
        while sliced.tick_some(end, limit) {}
        prop_assert_eq!(told(whole.events()), told(sliced.events()));
        prop_assert_eq!(told(whole.events()).len(), ttls.len());
    }
}

#[test]
fn a_key_is_gone_at_its_deadline_and_not_before() {
    let mut log = EventLog::new(10);
    let mut node: Node = Node::new(NodeId(7));
    let deadline = Instant::from_nanos(5_000_000_000);
    node.put(Instant::START, b"k", b"v", Some(deadline), &mut log)
        .expect("room");
    let before = Instant::from_nanos(4_999_999_999);
    assert_eq!(node.get(before, b"k", &mut log), Some(&b"v"[..]));
    assert_eq!(node.get(deadline, b"k", &mut log), None);
    let events: Vec<&Event> = log.iter().collect();
    assert_eq!(
        (events.len(), events[0].at, events[0].node),
        (1, deadline, Some(NodeId(7)))
    );
}

#[test]
fn an_expiry_carries_its_deadline_however_late_it_is_noticed() {
    let mut cluster = Cluster::new(Config::default()).expect("a cluster");
    let deadline = Instant::from_millis(2000);
    cluster
        .put(Instant::START, b"k", b"v", Some(deadline))
        .expect("room");
    cluster.tick(Instant::from_millis(86_400_000));
    assert_eq!(
        cluster.events().iter().next().map(|event| event.at),
        Some(deadline)
    );
}

#[test]
fn a_million_keys_that_expire_are_each_told_once_and_in_order() {
    let config = Config::new().event_log(1_000_000);
    let mut cluster = Cluster::new(config).expect("a cluster");
    for n in 0..1_000_000_u64 {
        let deadline = Instant::from_millis(1 + n * 7919 % 60_000);
        let key = n.to_le_bytes();
        cluster
            .put(Instant::START, &key, b"", Some(deadline))
            .expect("room");
    }
    cluster.tick(Instant::from_millis(60_000));
    assert_eq!(cluster.stats(Instant::from_millis(60_000)).keys, 0);
    let number = |event: &Event| u64::from_le_bytes(event.key[..].try_into().expect("8 bytes"));
    let order: Vec<_> = told(cluster.events())
        .into_iter()
        .map(|it| (it.at, it.node, number(it)))
        .collect();
    assert_eq!(order.len(), 1_000_000);
    assert!(
        order.is_sorted_by(|a, b| a < b),
        "by deadline, node and order of writing"
    );
}
