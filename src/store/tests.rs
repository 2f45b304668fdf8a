//! The store against a naive model, with every structure recounted after every step.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::rng::Rng;

/// The model of an entry.
struct Row {
    value: Vec<u8>,
    deadline: Option<u64>,
    /// The step in which the deadline was set.
    set_at: u64,
    version: u64,
    settled: bool,
}

#[derive(Default)]
struct Model {
    rows: BTreeMap<Vec<u8>, Row>,
    steps: u64,
    /// Whether a version was set or settled since the store was last empty.
    has_versions: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Put {
        key: u8,
        len: usize,
        ttl: Option<u64>,
    },
    Remove {
        key: u8,
    },
    SetDeadline {
        key: u8,
        ttl: Option<u64>,
    },
    SetVersion {
        key: u8,
        version: u64,
    },
    Settle {
        key: u8,
    },
    /// Moves the time to the n-th deadline that is pending, and so many nanoseconds on.
    ToDeadline {
        nth: usize,
        off: i64,
    },
    Advance {
        by: u64,
    },
    Trim,
    Clear,
}

/// Coarse, so that deadlines meet; and of every size, so that every level of the wheel is used.
fn ttl() -> impl Strategy<Value = u64> {
    prop_oneof![
        1..4_u64,
        (1..200_u64).prop_map(|ms| ms * 1_000_000),
        (1..100_u64).prop_map(|s| s * 60_000_000_000),
        (1..3_000_000_000_u64).prop_map(|s| s * 1_000_000_000),
        (0..62_u32).prop_map(|bits| 1 << bits),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..24_u8;
    let len = prop_oneof![0..40_usize, 0..300_usize, 0..6000_usize];
    prop_oneof![
        6 => (key.clone(), len, prop::option::of(ttl()))
            .prop_map(|(key, len, ttl)| Step::Put { key, len, ttl }),
        2 => key.clone().prop_map(|key| Step::Remove { key }),
        3 => (key.clone(), prop::option::of(ttl()))
            .prop_map(|(key, ttl)| Step::SetDeadline { key, ttl }),
        1 => (key.clone(), 0..1_u64 << 63)
            .prop_map(|(key, version)| Step::SetVersion { key, version }),
        1 => key.prop_map(|key| Step::Settle { key }),
        4 => (0..6_usize, -1..2_i64).prop_map(|(nth, off)| Step::ToDeadline { nth, off }),
        1 => ttl().prop_map(|by| Step::Advance { by }),
        1 => Just(Step::Trim),
        1 => Just(Step::Clear),
    ]
}

/// Keys of 8 lengths, three of each, which differ in one byte.
fn name(key: u8) -> Vec<u8> {
    let len = [1, 3, 7, 8, 11, 16, 17, 70][usize::from(key / 3)];
    let mut name = vec![b'k'; len];
    name[len / 2] = b'a' + key % 3;
    name
}

fn find(store: &Store, key: &[u8]) -> Option<Slot> {
    store.find(rapidhash(key), key).map(|found| found.slot)
}

fn put(store: &mut Store, key: &[u8], value: &[u8], deadline: Option<u64>) {
    let deadline = deadline.map(Instant::from_nanos);
    let stored = match find(store, key) {
        Some(slot) => store.replace(slot, key, value, deadline),
        None => store.insert(rapidhash(key), key, value, deadline).map(drop),
    };
    assert_eq!(stored, Ok(()));
}

fn fire(store: &mut Store, now: u64) -> Vec<(u64, Vec<u8>)> {
    let mut fired = Vec::new();
    store.load_due(Instant::from_nanos(now));
    while let Some((deadline, slot)) = store.next_due() {
        fired.push((deadline.as_nanos(), store.key(slot).to_vec()));
        store.remove(slot);
    }
    fired
}

impl Model {
    fn put(&mut self, key: Vec<u8>, value: Vec<u8>, deadline: Option<u64>) {
        let old = self.rows.get(&key);
        let row = Row {
            value,
            deadline,
            set_at: self.steps,
            version: old.map_or(1, |old| old.version),
            settled: old.is_some_and(|old| old.settled),
        };
        self.rows.insert(key, row);
    }

    fn fire(&mut self, now: u64) -> Vec<(u64, Vec<u8>)> {
        let rows = self.rows.iter();
        let due = rows.filter_map(|(key, row)| Some((row.deadline?, row.set_at, key.clone())));
        let mut due: Vec<_> = due.filter(|(deadline, ..)| *deadline <= now).collect();
        due.sort_unstable();
        for (.., key) in &due {
            self.rows.remove(key);
        }
        due.into_iter()
            .map(|(deadline, _, key)| (deadline, key))
            .collect()
    }

    fn deadlines(&self) -> Vec<u64> {
        let deadlines = self.rows.values().filter_map(|row| row.deadline);
        let mut deadlines: Vec<u64> = deadlines.collect();
        deadlines.sort_unstable();
        deadlines
    }
}

/// A store, its model, and the time.
#[derive(Default)]
struct Pair {
    store: Store,
    model: Model,
    now: u64,
}

impl Pair {
    fn slot(&self, key: u8) -> Option<Slot> {
        let slot = find(&self.store, &name(key));
        assert_eq!(slot.is_some(), self.model.rows.contains_key(&name(key)));
        slot
    }

    fn deadline(&self, ttl: Option<u64>) -> Option<u64> {
        ttl.map(|ttl| (self.now + ttl).min(u64::MAX - 1))
    }

    fn step(&mut self, step: &Step) {
        self.model.steps += 1;
        match *step {
            Step::Put { key, len, ttl } => self.put(key, len, ttl),
            Step::Remove { key } => {
                if let Some(slot) = self.slot(key) {
                    self.store.remove(slot);
                    self.model.rows.remove(&name(key));
                }
            }
            Step::SetDeadline { key, ttl } => self.set_deadline(key, ttl),
            Step::SetVersion { key, version } => self.set_version(key, version),
            Step::Settle { key } => self.settle(key),
            Step::ToDeadline { nth, off } => {
                let pending = self.model.deadlines();
                let to = pending.get(nth).map(|at| at.saturating_add_signed(off));
                self.now = self.now.max(to.unwrap_or(0));
            }
            Step::Advance { by } => {
                self.now = self.now.max(self.now.saturating_add(by).min(1 << 63));
            }
            Step::Trim => self.store.trim(),
            Step::Clear => {
                self.store.clear();
                self.model.rows.clear();
            }
        }
    }

    fn put(&mut self, key: u8, len: usize, ttl: Option<u64>) {
        let (key, value, deadline) = (name(key), vec![b'v'; len], self.deadline(ttl));
        put(&mut self.store, &key, &value, deadline);
        self.model.put(key, value, deadline);
    }

    fn set_deadline(&mut self, key: u8, ttl: Option<u64>) {
        let deadline = self.deadline(ttl);
        if let Some(slot) = self.slot(key) {
            let at = deadline.map(Instant::from_nanos);
            self.store.set_deadline(slot, at);
            let row = self.model.rows.get_mut(&name(key)).expect("a row");
            (row.deadline, row.set_at) = (deadline, self.model.steps);
        }
    }

    fn set_version(&mut self, key: u8, version: u64) {
        if let Some(slot) = self.slot(key) {
            self.store.set_version(slot, version);
            let row = self.model.rows.get_mut(&name(key)).expect("a row");
            (row.version, row.settled) = (version, false);
            self.model.has_versions = true;
        }
    }

    fn settle(&mut self, key: u8) {
        if let Some(slot) = self.slot(key) {
            self.store.settle(slot);
            self.model.rows.get_mut(&name(key)).expect("a row").settled = true;
            self.model.has_versions = true;
        }
    }

    fn check(&mut self, step: &Step) {
        let first = self.model.deadlines().first().copied();
        let next = self.store.next_deadline().map(Instant::as_nanos);
        assert!(
            next <= first || first.is_none(),
            "next_deadline is never late"
        );
        let (fired, due) = (fire(&mut self.store, self.now), self.model.fire(self.now));
        assert_eq!(fired, due, "at {} after {step:?}", self.now);
        self.store.validate();
        assert_eq!(self.store.len(), self.model.rows.len());
        self.model.has_versions &= !self.model.rows.is_empty();
        assert_eq!(self.store.has_versions(), self.model.has_versions);
        for (key, row) in &self.model.rows {
            let slot = find(&self.store, key).expect("the model has it");
            assert_eq!(self.store.key(slot), key);
            assert_eq!(self.store.value(slot), row.value);
            let deadline = self.store.deadline(slot).map(Instant::as_nanos);
            assert_eq!(deadline, row.deadline);
            let version = (self.store.version(slot), self.store.settled(slot));
            assert_eq!(version, (row.version, row.settled));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_store_does_what_the_model_does(steps in prop::collection::vec(step(), 1..120)) {
        let mut pair = Pair::default();
        for step in &steps {
            pair.step(step);
            pair.check(step);
        }
    }
}

/// Slots and sizes change hands all the time, and the arena is compacted again and again.
#[test]
fn records_and_slots_stay_linked_through_reuse_and_compaction() {
    for seed in 0..5 {
        let mut rng = Rng::new(seed);
        let (mut store, mut model) = (Store::default(), BTreeMap::new());
        for step in 0..20_000_u64 {
            let key = rng.below(2000).to_le_bytes();
            if rng.below(3) == 0 {
                assert_eq!(
                    find(&store, &key).is_some(),
                    model.remove(&key).is_some(),
                    "seed {seed}, step {step}"
                );
                find(&store, &key).inspect(|&slot| store.remove(slot));
            } else {
                // The sizes drift, so that freed blocks do not fit.
                let words = 1 + step / 500 + rng.below(5);
                let value: Vec<u8> = (0..words).flat_map(|_| step.to_le_bytes()).collect();
                put(&mut store, &key, &value, None);
                let slot = find(&store, &key).expect("stored");
                store.set_version(slot, step);
                model.insert(key, (value, step));
            }
        }
        store.validate();
        assert_eq!(store.len(), model.len(), "seed {seed}");
        for (key, (value, version)) in model {
            let slot = find(&store, &key).expect("stored");
            assert_eq!(store.value(slot), value, "seed {seed}");
            assert_eq!(store.version(slot), version, "seed {seed}");
        }
    }
}

#[test]
fn a_record_is_found_by_its_whole_key() {
    let mut store = Store::default();
    for len in 0..80 {
        let key = vec![b'k'; len];
        put(&mut store, &key, b"value", None);
        for at in 0..len {
            let mut other = key.clone();
            other[at] ^= 1;
            // The same hash: the record is a candidate, and only its key differs.
            assert!(store.find(rapidhash(&key), &other).is_none());
        }
        assert!(store.find(rapidhash(&key), &key[..len / 2]).is_none() || len == 0);
    }
    store.validate();
}

#[test]
fn a_value_grows_and_shrinks_between_the_forms_of_the_header() {
    for key_len in [0, 62, 63, 64, 65] {
        let (mut store, key) = (Store::default(), vec![b'k'; key_len]);
        put(&mut store, b"another", &[0; 4000], None);
        for len in (480..540)
            .chain((480..540).rev())
            .chain([0, 4090, 8, 100_000, 1])
        {
            put(&mut store, &key, &vec![7; len], None);
            store.validate();
            let slot = find(&store, &key).expect("stored");
            assert_eq!(store.value(slot), vec![7; len]);
        }
    }
}

#[test]
fn an_entry_costs_the_same_whatever_its_deadline_version_and_rounding() {
    let mut store = Store::default();
    let mut bytes = 0;
    for (n, len) in [0, 1, 2, 3, 511, 512, 4095, 4097, 70_000]
        .into_iter()
        .enumerate()
    {
        let key = vec![b'k'; n];
        put(&mut store, &key, &vec![b'v'; len], None);
        bytes += n + len + OVERHEAD;
        assert_eq!(store.bytes(), bytes);
        let slot = find(&store, &key).expect("stored");
        store.set_deadline(slot, Some(Instant::from_millis(1)));
        store.set_version(slot, 7);
        store.settle(slot);
        assert_eq!(store.bytes(), bytes);
        assert_eq!(store.len() * OVERHEAD, bytes - store.payload);
    }
    put(&mut store, b"", b"longer", None);
    assert_eq!(store.bytes(), bytes + 6);
    put(&mut store, b"", b"", Some(1));
    assert_eq!(store.bytes(), bytes);
    store.remove(find(&store, b"").expect("stored"));
    assert_eq!(store.bytes(), bytes - OVERHEAD);
    store.clear();
    assert_eq!(store.bytes(), 0);
}

#[test]
fn versions_take_no_memory_until_one_is_set() {
    let mut store = Store::default();
    for key in [b"a", b"b", b"c"] {
        put(&mut store, key, b"value", None);
    }
    let slot = find(&store, b"b").expect("stored");
    assert_eq!((store.version(slot), store.settled(slot)), (1, false));
    assert!(!store.has_versions());
    store.settle(slot);
    assert!(store.has_versions());
    assert_eq!((store.version(slot), store.settled(slot)), (1, true));
    put(&mut store, b"b", b"another value", None);
    assert_eq!((store.version(slot), store.settled(slot)), (1, true));
    store.set_version(slot, (1 << 63) - 1);
    assert_eq!(
        (store.version(slot), store.settled(slot)),
        ((1 << 63) - 1, false)
    );
    store.remove(slot);
    put(&mut store, b"d", b"value", None);
    assert_eq!(find(&store, b"d"), Some(slot), "the slot is used again");
    assert_eq!((store.version(slot), store.settled(slot)), (1, false));
    store.clear();
    assert!(!store.has_versions());
}

#[test]
fn a_key_that_is_overwritten_a_million_times_leaves_nothing_behind() {
    let mut store = Store::default();
    for n in 0..1_000_000_u64 {
        let deadline = Some(n * 1000 + 3_600_000_000_000);
        put(&mut store, b"key", n.to_string().as_bytes(), deadline);
        if n % 5 == 0 {
            put(&mut store, b"other", b"", deadline);
        }
    }
    store.validate();
    assert_eq!(store.len(), 2);
    assert!(
        store.arena.bytes() < 1000,
        "{} bytes of arena",
        store.arena.bytes()
    );
    assert!(
        store.wheel.held() < 100,
        "{} slots in the wheel",
        store.wheel.held()
    );
}

#[test]
fn the_arena_gives_memory_back_when_sizes_drift() {
    let mut store = Store::default();
    for len in 0..2000 {
        for key in 0..20_u8 {
            put(&mut store, &[key], &vec![key; len], None);
        }
        let live = store.arena.live();
        assert!(
            store.arena.bytes() <= live + live / 9 + (1 << 13),
            "a tenth at most is free"
        );
    }
    store.validate();
    for key in 0..20_u8 {
        let slot = find(&store, &[key]).expect("stored");
        assert_eq!(store.value(slot), vec![key; 1999]);
        store.remove(slot);
    }
    assert_eq!(store.arena.bytes(), 0);
}

#[test]
fn the_arena_moves_nothing_for_a_removal_until_half_of_it_is_free() {
    let mut store = Store::default();
    let keys: Vec<[u8; 4]> = (0..10_000_u32).map(u32::to_le_bytes).collect();
    for key in &keys {
        put(&mut store, key, b"value", None);
    }
    let full = store.arena.bytes();
    let remove = |store: &mut Store, keys: &[[u8; 4]]| {
        for key in keys {
            store.remove(find(store, key).expect("stored"));
        }
    };
    remove(&mut store, &keys[..4900]);
    assert_eq!(store.arena.bytes(), full);
    // A record that fits into a free block moves nothing either; one that does not fit does.
    put(&mut store, &keys[0], b"value", None);
    assert_eq!(store.arena.bytes(), full);
    put(&mut store, &keys[0], b"a value of another size", None);
    assert!(store.arena.bytes() < full * 6 / 10);
    remove(&mut store, &keys[4900..9000]);
    assert!(store.arena.bytes() <= 2 * store.arena.live() + (1 << 12));
    store.validate();
    remove(&mut store, &keys[9000..9400]);
    store.trim();
    let live = store.arena.live();
    assert!(store.arena.bytes() <= live + live / 9 + (1 << 12));
}
