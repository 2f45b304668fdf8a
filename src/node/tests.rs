//! A node at its limits: every policy, every kind of bound, recounted after every step.

use proptest::prelude::*;

use std::ops::{Deref, DerefMut};

use super::*;
use crate::eviction::{Eviction, Fifo, Lru};

/// A node and its log.
struct Logged<P: EvictionPolicy = Box<dyn EvictionPolicy>> {
    node: Node<P>,
    log: EventLog,
}

impl<P: EvictionPolicy> Deref for Logged<P> {
    type Target = Node<P>;

    fn deref(&self) -> &Node<P> {
        &self.node
    }
}

impl<P: EvictionPolicy> DerefMut for Logged<P> {
    fn deref_mut(&mut self) -> &mut Node<P> {
        &mut self.node
    }
}

impl<P: EvictionPolicy> Logged<P> {
    fn new() -> Self {
        Self {
            node: Node::new(NodeId(0)),
            log: EventLog::new(1000),
        }
    }

    fn bound(&mut self, capacity: Capacity, policy: P) {
        self.node.bound(START, capacity, policy, &mut self.log);
    }

    fn resize(&mut self, capacity: Capacity) {
        self.node.resize(START, capacity, &mut self.log);
    }

    fn put(
        &mut self,
        now: Instant,
        key: &[u8],
        value: &[u8],
        deadline: Option<Instant>,
    ) -> Result<(), PutError> {
        self.node.put(now, key, value, deadline, &mut self.log)
    }

    fn get(&mut self, now: Instant, key: &[u8]) -> Option<&[u8]> {
        self.node.get(now, key, &mut self.log)
    }

    fn delete(&mut self, now: Instant, key: &[u8]) -> bool {
        self.node.delete(now, key, &mut self.log)
    }

    fn tick(&mut self, now: Instant) {
        self.node.tick(now, &mut self.log);
    }

    fn stats(&mut self, now: Instant) -> Stats {
        self.tick(now);
        self.node.stats()
    }
}

const START: Instant = Instant::START;

fn entries(entries: u64) -> Capacity {
    Capacity {
        entries: Some(entries),
        bytes: None,
    }
}

fn bytes(bytes: u64) -> Capacity {
    Capacity {
        entries: None,
        bytes: Some(bytes),
    }
}

fn lru(capacity: Capacity) -> Logged<Lru> {
    let mut node = Logged::new();
    node.bound(capacity, Lru::default());
    node
}

fn put<P: EvictionPolicy>(node: &mut Logged<P>, keys: &str) {
    for key in keys.bytes() {
        node.put(START, &[key], b"value", None).expect("room");
    }
}

fn keys<P: EvictionPolicy>(node: &mut Logged<P>) -> String {
    let mut keys: Vec<u8> = node.keys().map(|key| key[0]).collect();
    keys.sort_unstable();
    String::from_utf8(keys).expect("letters")
}

fn told<P: EvictionPolicy>(node: &Logged<P>) -> String {
    let told = node
        .log
        .iter()
        .map(|it| format!("{} {}", it.kind, it.key.escape_ascii()));
    told.collect::<Vec<_>>().join(", ")
}

#[test]
fn a_capacity_of_nothing_refuses_every_write() {
    let mut node = lru(entries(0));
    assert_eq!(node.put(START, b"a", b"", None), Err(PutError::NoCapacity));
    let mut node = lru(bytes(0));
    let refused = node.put(START, b"a", b"", None);
    assert!(matches!(refused, Err(PutError::NeverFits { max: 0, .. })));
}

#[test]
fn a_capacity_of_one_holds_the_latest() {
    for eviction in Eviction::ALL.iter().skip(1) {
        let mut node: Logged = Logged::new();
        node.bound(entries(1), eviction.policy(7));
        put(&mut node, "abca");
        assert_eq!(keys(&mut node), "a", "{eviction}");
        assert_eq!(told(&node), "evicted a, evicted b, evicted c", "{eviction}");
        node.validate();
    }
}

#[test]
fn a_full_node_that_evicts_nothing_refuses_and_keeps_what_it_has() {
    let mut node: Logged = Logged::new();
    node.bound(entries(2), Eviction::None.policy(0));
    put(&mut node, "ab");
    assert_eq!(node.put(START, b"c", b"", None), Err(PutError::Full));
    node.put(START, b"a", b"an overwrite has room", None)
        .expect("room");
    assert!(node.delete(START, b"b"));
    put(&mut node, "c");
    assert_eq!((keys(&mut node).as_str(), told(&node).as_str()), ("ac", ""));
    node.validate();
}

#[test]
fn what_can_never_fit_is_refused_and_nothing_is_evicted_for_it() {
    let mut node = lru(bytes(1000));
    put(&mut node, "abc");
    let refused = node.put(START, b"d", &[0; 1000], None);
    assert!(matches!(
        refused,
        Err(PutError::NeverFits { max: 1000, .. })
    ));
    let refused = node.put(START, b"a", &[0; 1000], None);
    assert!(matches!(refused, Err(PutError::NeverFits { .. })));
    assert_eq!(
        (keys(&mut node).as_str(), told(&node).as_str()),
        ("abc", "")
    );
}

#[test]
fn an_entry_that_fits_exactly_fits() {
    let cost = store::cost(1, 500);
    let mut node = lru(bytes(cost as u64));
    node.put(START, b"a", &[0; 500], None)
        .expect("it fits exactly");
    node.put(START, b"b", &[0; 500], None)
        .expect("after the other has gone");
    assert_eq!(told(&node), "evicted a");
    let mut node = lru(bytes(cost as u64 - 1));
    assert!(node.put(START, b"a", &[0; 500], None).is_err());
}

#[test]
fn the_expired_go_before_the_living() {
    let mut node = lru(entries(2));
    let deadline = Instant::from_nanos(10);
    node.put(START, b"a", b"", None).expect("room");
    node.put(START, b"b", b"", Some(deadline)).expect("room");
    node.put(deadline, b"c", b"", None).expect("room");
    assert_eq!(told(&node), "expired b");
    assert!(node.get(deadline, b"a").is_some());
}

#[test]
fn a_read_and_an_overwrite_are_accesses_and_a_peek_is_none() {
    let mut node = lru(entries(3));
    put(&mut node, "abc");
    assert!(node.get(START, b"a").is_some());
    put(&mut node, "b");
    let mut log = EventLog::new(0);
    assert!(node.peek(START, b"c", &mut log).is_some());
    put(&mut node, "d");
    assert_eq!(keys(&mut node), "abd");
}

#[test]
fn an_overwrite_that_grows_makes_others_leave_and_may_come_in_anew() {
    let mut node = lru(bytes(1000));
    put(&mut node, "abcd");
    node.put(START, b"b", &[0; 850], None).expect("room");
    assert_eq!(keys(&mut node), "bcd");
    let mut node: Logged<Fifo> = Logged::new();
    node.bound(bytes(1000), Fifo::default());
    put(&mut node, "abcd");
    node.put(START, b"a", &[0; 850], None).expect("room");
    assert_eq!(node.get(START, b"a").map(<[u8]>::len), Some(850));
    node.validate();
}

#[test]
fn a_smaller_capacity_evicts_at_once_and_a_new_policy_goes_on_from_the_old() {
    let mut node: Logged = Logged::new();
    put(&mut node, "abcdef");
    node.bound(entries(4), Eviction::Lru.policy(0));
    assert_eq!(keys(&mut node), "cdef");
    assert!(node.get(START, b"c").is_some());
    node.bound(entries(4), Eviction::Fifo.policy(0));
    put(&mut node, "g");
    assert_eq!(keys(&mut node), "cefg", "d was the least recently used");
    node.bound(entries(1), Eviction::Sieve.policy(0));
    assert_eq!(keys(&mut node).len(), 1);
    node.unbound();
    put(&mut node, "xyz");
    assert_eq!(keys(&mut node).len(), 4);
    node.validate();
}

#[test]
fn a_policy_goes_on_when_the_capacity_changes() {
    let mut node: Logged = Logged::new();
    node.bound(entries(3), Eviction::Lfu.policy(0));
    put(&mut node, "abc");
    for _ in 0..3 {
        assert!(node.get(START, b"a").is_some());
    }
    node.resize(entries(2));
    assert_eq!(keys(&mut node), "ac");
    node.resize(entries(3));
    put(&mut node, "def");
    assert_eq!(
        keys(&mut node),
        "aef",
        "a is still the one that was used most"
    );
}

#[derive(Clone, Debug)]
enum Step {
    Put(u8, usize, Option<u64>),
    Get(u8),
    Delete(u8),
    Expire(u8, Option<u64>),
    Advance(u64),
    Bound(Capacity, usize),
    Resize(Capacity),
    Clear,
}

fn capacity() -> impl Strategy<Value = Capacity> {
    let bound = |most: u64| prop::option::of(0..most);
    (bound(20), bound(4000)).prop_map(|(entries, bytes)| Capacity { entries, bytes })
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..30_u8;
    let ttl = prop::option::of(1..20_u64);
    prop_oneof![
        10 => (key.clone(), 0..400_usize, ttl.clone()).prop_map(|(k, n, t)| Step::Put(k, n, t)),
        8 => key.clone().prop_map(Step::Get),
        2 => key.clone().prop_map(Step::Delete),
        2 => (key, ttl).prop_map(|(k, t)| Step::Expire(k, t)),
        3 => (0..10_u64).prop_map(Step::Advance),
        1 => (capacity(), 0..Eviction::ALL.len()).prop_map(|(c, n)| Step::Bound(c, n)),
        1 => capacity().prop_map(Step::Resize),
        1 => Just(Step::Clear),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is done, the capacity holds, the policy holds what the store holds, and what was
    /// stored and is still there is what was stored last.
    #[test]
    fn the_capacity_holds_at_every_instant(steps in prop::collection::vec(step(), 1..150)) {
        let mut node: Logged = Logged::new();
        let mut now = 0;
        let mut lens = [None; 30];
        for step in steps {
            let at = Instant::from_nanos(now);
            let deadline = |ttl: Option<u64>| ttl.map(|ttl| Instant::from_nanos(now + ttl));
            match step {
                Step::Put(key, len, ttl) => {
                    let before = node.stats(at).evicted;
                    let stored = node.put(at, &[key], &vec![key; len], deadline(ttl));
                    if stored.is_ok() {
                        lens[key as usize] = Some(len);
                    } else {
                        prop_assert_eq!(node.stats(at).evicted, before);
                    }
                }
                Step::Get(key) => {
                    let found = node.get(at, &[key]).map(<[u8]>::len);
                    prop_assert!(found.is_none() || found == lens[key as usize]);
                }
                Step::Delete(key) => {
                    node.delete(at, &[key]);
                    lens[key as usize] = None;
                }
                Step::Expire(key, ttl) => {
                    node.tick(at);
                    if let Some(slot) = node.slot_of(&[key]) {
                        node.set_deadline(slot, deadline(ttl));
                    }
                }
                Step::Advance(by) => now += by,
                Step::Resize(capacity) => {
                    if node.is_bound() {
                        node.resize(capacity);
                    }
                }
                Step::Bound(capacity, _) if !capacity.is_bounded() => node.unbound(),
                Step::Bound(capacity, which) => {
                    let eviction = Eviction::ALL[which];
                    if eviction != Eviction::None {
                        node.bound(capacity, eviction.policy(now));
                    }
                }
                Step::Clear => {
                    node.clear();
                    lens = [None; 30];
                }
            }
            node.tick(Instant::from_nanos(now));
            node.validate();
        }
    }
}

#[test]
fn many_expire_in_order_and_looking_ahead_changes_nothing() {
    let mut node = lru(entries(100));
    let key = |n: u64| [b'k', (n * 37 % 100) as u8];
    for n in 0..100 {
        let deadline = Instant::from_nanos(1000 + n / 3);
        node.put(START, &key(n), b"value", Some(deadline))
            .expect("room");
    }
    let keys: Vec<_> = (0..100).map(key).collect();
    node.look_ahead(&keys);
    node.look_ahead(&[b"absent"]);
    node.validate();
    node.tick(Instant::from_nanos(2000));
    node.look_ahead(&keys);
    let expired: Vec<_> = node.log.iter().map(|it| it.key.to_vec()).collect();
    assert_eq!(expired, keys, "in the order of deadlines and writing");
    node.validate();
}

#[test]
fn a_node_tells_what_it_holds() {
    let mut node = lru(entries(3));
    assert!(node.is_empty() && node.is_bound());
    put(&mut node, "abcd");
    assert!(!node.is_empty());
    assert_eq!(node.len(), 3);
    node.put(START, b"e", b"value", Some(Instant::from_millis(5)))
        .expect("room");
    let stats = node.stats(Instant::from_millis(5));
    assert_eq!((stats.keys, stats.evicted, stats.expired), (2, 2, 1));
    assert_eq!(node.miscounted(), None);
    node.unbound();
    assert!(!node.is_bound());
    node.watch_hot_keys(0);
    assert!(node.hot().is_none());
    node.watch_hot_keys(1);
    assert!(node.hot().is_some());
}

#[test]
fn a_policy_is_told_how_many_entries_fit() {
    let of = |capacity, stored: &[&str]| {
        let mut node = lru(capacity);
        for key in stored {
            node.put(START, key.as_bytes(), &[0; 100], None)
                .expect("room");
        }
        node.size_for_policy()
    };
    let cost = store::cost(1, 100);
    let room = 50 * cost as u64;
    assert_eq!(of(entries(7), &[]), 7);
    assert_eq!(of(bytes(12_800), &[]), 100, "as if each took 128 bytes");
    assert_eq!(of(bytes(room), &["a", "b", "c"]), 50, "by what they take");
    let both = Capacity {
        entries: Some(20),
        bytes: Some(room),
    };
    assert_eq!(of(both, &["a"]), 20, "whichever is less");
    assert_eq!(of(entries(0), &[]), 1, "at least one");
}

#[test]
fn a_policy_is_told_of_a_change_by_more_than_an_eighth() {
    // 8 entries of 128 bytes are what it starts from.
    let size_after = |each: usize| {
        let mut node = lru(bytes(1024));
        let cost = |value: &usize| store::cost(1, *value);
        let value = (0..200).find(|value| cost(value) == each);
        let value = vec![0; value.expect("a size class")];
        for key in b'a'..b'i' {
            node.put(START, &[key], &value, None).expect("room");
        }
        node.policy_size
    };
    assert_eq!(size_after(142), 8, "7 fit: an eighth less");
    assert_eq!(size_after(150), 6);
}

#[test]
fn an_entry_that_comes_in_anew_costs_what_it_costs() {
    let cost = store::cost(1, 100);
    let mut node = Logged::new();
    node.bound(bytes(2 * cost as u64), Fifo::default());
    for key in [b"a", b"b"] {
        node.put(START, key, &[0; 100], None).expect("room");
    }
    node.put(START, b"a", &[0; 110], None).expect("alone");
    assert_eq!(keys(&mut node), "a");
    let cost = store::cost(1, 110);
    assert_eq!(node.stats(START).bytes, cost as u64);
}

#[test]
fn a_node_over_its_capacity_takes_what_a_move_brings() {
    let mut log = EventLog::new(10);
    let mut node = Node::<Box<dyn EvictionPolicy>>::new(NodeId(0));
    let two = Capacity {
        entries: Some(2),
        bytes: Some(100),
    };
    let policy = Eviction::None.policy(0);
    node.bound(Instant::START, two, policy, &mut log);
    for (number, key) in [b"a", b"b", b"c", b"d"].into_iter().enumerate() {
        let origin = Origin::Move;
        let stored = node.store(Instant::START, key, b"value", None, origin, &mut log);
        assert!(stored.is_ok(), "{number}");
        assert_eq!(
            node.end_move(Instant::START, &mut log),
            0,
            "nothing is evicted"
        );
    }
    let stored = node.put(Instant::START, b"e", b"value", None, &mut log);
    assert_eq!(stored, Err(PutError::Full));
}
