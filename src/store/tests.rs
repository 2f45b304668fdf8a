//! The store against a naive model, with every structure recounted after every step.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// A key's value, its deadline, and when that was set.
type Row = (Vec<u8>, Option<u64>, u64);

#[derive(Default)]
struct Model {
    rows: BTreeMap<Vec<u8>, Row>,
    steps: u64,
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
    /// Moves the time to the n-th deadline that is pending, and so many nanoseconds on.
    ToDeadline {
        nth: usize,
        off: i64,
    },
    Advance {
        by: u64,
    },
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
        3 => (key, prop::option::of(ttl())).prop_map(|(key, ttl)| Step::SetDeadline { key, ttl }),
        4 => (0..6_usize, -1..2_i64).prop_map(|(nth, off)| Step::ToDeadline { nth, off }),
        1 => ttl().prop_map(|by| Step::Advance { by }),
        1 => Just(Step::Clear),
    ]
}

fn name(key: u8) -> Vec<u8> {
    vec![b'k'; usize::from(key)]
}

fn find(store: &Store, key: &[u8]) -> Option<Slot> {
    store.find(rapidhash(key), key)
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
    fn fire(&mut self, now: u64) -> Vec<(u64, Vec<u8>)> {
        let rows = self.rows.iter();
        let due = rows.filter_map(|(key, row)| Some((row.1?, row.2, key.clone())));
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
        let mut deadlines: Vec<u64> = self.rows.values().filter_map(|row| row.1).collect();
        deadlines.sort_unstable();
        deadlines
    }
}

fn run(steps: &[Step]) {
    let (mut store, mut model, mut now) = (Store::default(), Model::default(), 0_u64);
    for step in steps {
        model.steps += 1;
        let deadline = |ttl: Option<u64>| ttl.map(|ttl| (now + ttl).min(u64::MAX - 1));
        match *step {
            Step::Put { key, len, ttl } => {
                let (key, value) = (name(key), vec![b'v'; len]);
                let deadline = deadline(ttl);
                put(&mut store, &key, &value, deadline);
                model.rows.insert(key, (value, deadline, model.steps));
            }
            Step::Remove { key } => {
                let slot = find(&store, &name(key));
                assert_eq!(slot.is_some(), model.rows.remove(&name(key)).is_some());
                if let Some(slot) = slot {
                    store.remove(slot);
                }
            }
            Step::SetDeadline { key, ttl } => {
                let deadline = deadline(ttl);
                if let Some(row) = model.rows.get_mut(&name(key)) {
                    (row.1, row.2) = (deadline, model.steps);
                    let slot = find(&store, &name(key)).expect("the model has it");
                    store.set_deadline(slot, deadline.map(Instant::from_nanos));
                }
            }
            Step::ToDeadline { nth, off } => {
                let pending = model.deadlines();
                let to = pending
                    .get(nth)
                    .map_or(now, |at| at.saturating_add_signed(off));
                now = now.max(to);
            }
            Step::Advance { by } => now = now.max(now.saturating_add(by).min(1 << 63)),
            Step::Clear => {
                store.clear();
                model.rows.clear();
            }
        }
        let first = model.deadlines().first().copied();
        let next = store.next_deadline().map(Instant::as_nanos);
        assert!(
            next <= first || first.is_none(),
            "next_deadline is never late"
        );
        assert_eq!(
            fire(&mut store, now),
            model.fire(now),
            "at {now} after {step:?}"
        );
        store.validate();
        assert_eq!(store.len(), model.rows.len());
        for (key, (value, deadline, _)) in &model.rows {
            let slot = find(&store, key).expect("the model has it");
            assert_eq!(store.value(slot), value);
            assert_eq!(store.deadline(slot).map(Instant::as_nanos), *deadline);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_store_does_what_the_model_does(steps in prop::collection::vec(step(), 1..120)) {
        run(&steps);
    }
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
        store.wheel.places() < 100,
        "{} places in the wheel",
        store.wheel.places()
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
    // What fits into a free block makes nothing move either; what does not fit does.
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
