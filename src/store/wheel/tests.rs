//! The wheel against an ordered map, with slots that are cancelled, scheduled again and given to
//! other entries at every turn.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::record::Record;
use super::*;

const TICK: u64 = 1 << TICK_BITS;

#[derive(Clone, Debug)]
enum Step {
    /// Schedules the n-th slot so many nanoseconds from now, cancelling it first.
    Schedule {
        nth: usize,
        ttl: u64,
    },
    /// Schedules the n-th slot for the same instant as another one.
    Meet {
        nth: usize,
        other: usize,
    },
    /// Cancels and schedules for the same instant again.
    Again {
        nth: usize,
    },
    Cancel {
        nth: usize,
    },
    /// Gives the slot to another entry.
    Reuse {
        nth: usize,
    },
    /// Moves the time to the n-th deadline that is pending, and so many nanoseconds on.
    ToDeadline {
        nth: usize,
        off: i64,
    },
    Advance {
        by: u64,
    },
}

/// Within a tick, on the edges of ticks and of buckets, and far away.
fn ttl() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..4_u64,
        0..3 * TICK,
        (0..200_u64, 0..3_u64).prop_map(|(ticks, off)| ticks * TICK + off),
        (0..60_u32, 0..3_u64).prop_map(|(bits, off)| (1 << bits) + off),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let nth = 0..12_usize;
    prop_oneof![
        6 => (nth.clone(), ttl()).prop_map(|(nth, ttl)| Step::Schedule { nth, ttl }),
        2 => (nth.clone(), nth.clone()).prop_map(|(nth, other)| Step::Meet { nth, other }),
        2 => nth.clone().prop_map(|nth| Step::Again { nth }),
        3 => nth.clone().prop_map(|nth| Step::Cancel { nth }),
        2 => nth.prop_map(|nth| Step::Reuse { nth }),
        4 => (0..4_usize, -1..2_i64).prop_map(|(nth, off)| Step::ToDeadline { nth, off }),
        1 => ttl().prop_map(|by| Step::Advance { by }),
    ]
}

/// The scheduled slots, by deadline and then by the order of scheduling.
#[derive(Default)]
struct Model {
    pending: BTreeSet<(u64, u64, Slot)>,
    of: BTreeMap<Slot, (u64, u64)>,
    steps: u64,
}

impl Model {
    fn schedule(&mut self, slot: Slot, deadline: u64) {
        self.steps += 1;
        self.pending.insert((deadline, self.steps, slot));
        self.of.insert(slot, (deadline, self.steps));
    }

    fn cancel(&mut self, slot: Slot) {
        if let Some((deadline, step)) = self.of.remove(&slot) {
            self.pending.remove(&(deadline, step, slot));
        }
    }

    fn fire(&mut self, now: u64) -> Vec<(Instant, Slot)> {
        let mut fired = Vec::new();
        while let Some(&(deadline, _, slot)) = self.pending.first().filter(|it| it.0 <= now) {
            self.cancel(slot);
            fired.push((Instant::from_nanos(deadline), slot));
        }
        fired
    }
}

fn insert(slab: &mut Slab) -> Slot {
    let slot = slab.next_slot();
    slab.insert(Record(0));
    slot
}

/// A wheel, its model, and the slots in use.
struct Pair {
    wheel: Wheel,
    slab: Slab,
    slots: Vec<Slot>,
    model: Model,
    now: u64,
}

impl Pair {
    fn new(slots: u32) -> Self {
        let mut slab = Slab::default();
        Self {
            wheel: Wheel::default(),
            slots: (0..slots).map(|_| insert(&mut slab)).collect(),
            slab,
            model: Model::default(),
            now: 0,
        }
    }

    fn cancel(&mut self, slot: Slot) {
        self.wheel.cancel(slot, &mut self.slab);
        self.model.cancel(slot);
    }

    fn schedule(&mut self, slot: Slot, deadline: u64) {
        self.cancel(slot);
        let at = Instant::from_nanos(deadline);
        self.wheel.insert(slot, at, &mut self.slab);
        self.model.schedule(slot, deadline);
    }

    fn reuse(&mut self, nth: usize) {
        self.cancel(self.slots[nth]);
        self.slab.remove(self.slots[nth]);
        self.slots[nth] = insert(&mut self.slab);
    }

    fn advance(&mut self, to: u64) {
        self.now = to;
        let mut due = VecDeque::new();
        let now = Instant::from_nanos(to);
        self.wheel.advance(now, &mut self.slab, &mut due);
        assert_eq!(Vec::from(due), self.model.fire(to), "due at {to}");
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Schedule { nth, ttl } => self.schedule(self.slots[nth], self.now + ttl),
            Step::Meet { nth, other } => {
                if let Some(&(deadline, _)) = self.model.of.get(&self.slots[other]) {
                    self.schedule(self.slots[nth], deadline);
                }
            }
            Step::Again { nth } => self.step(&Step::Meet { nth, other: nth }),
            Step::Cancel { nth } => self.cancel(self.slots[nth]),
            Step::Reuse { nth } => self.reuse(nth),
            Step::ToDeadline { nth, off } => {
                let to = self.model.pending.iter().nth(nth);
                let to = to.map_or(self.now, |it| it.0.saturating_add_signed(off));
                self.advance(to.max(self.now));
            }
            Step::Advance { by } => self.advance((self.now + by).min(1 << 62)),
        }
    }

    fn check(&self) {
        self.wheel.validate(&self.slab, &self.slots);
        let first = self.model.pending.first().map(|it| it.0);
        let next = self.wheel.next().map(Instant::as_nanos);
        assert_eq!(
            next.is_some(),
            first.is_some(),
            "next is none if nothing is scheduled"
        );
        assert!(next <= first, "next is never late");
        assert!(self.wheel.held() <= 2 * self.model.pending.len(), "memory");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_wheel_does_what_the_map_does(steps in prop::collection::vec(step(), 1..200)) {
        let mut pair = Pair::new(12);
        for step in &steps {
            pair.step(step);
            pair.check();
        }
        pair.advance(1 << 63);
        prop_assert_eq!(pair.wheel.next(), None);
    }
}

#[test]
fn a_slot_fires_at_its_deadline_and_not_a_nanosecond_before() {
    let exact = [
        1,
        TICK - 1,
        TICK,
        TICK + 1,
        63 * TICK,
        64 * TICK,
        4096 * TICK,
        1 << 60,
    ];
    for deadline in exact {
        let mut pair = Pair::new(2);
        pair.schedule(0, deadline);
        pair.schedule(1, deadline);
        pair.advance(deadline - 1);
        pair.check();
        assert_eq!(pair.model.pending.len(), 2);
        pair.cancel(0);
        pair.schedule(0, deadline);
        pair.advance(deadline);
        pair.check();
        assert_eq!(pair.wheel.next(), None);
    }
}

#[test]
fn a_slot_that_moves_between_buckets_leaves_nothing_behind() {
    let (near, far) = (10 * TICK, 100 * TICK);
    let mut pair = Pair::new(4);
    for slot in [0, 1, 2, 3] {
        pair.schedule(slot, near);
    }
    pair.schedule(0, far);
    pair.check();
    pair.schedule(0, near);
    pair.schedule(1, near + 1);
    pair.check();
    pair.reuse(1);
    pair.schedule(1, near);
    pair.check();
    pair.advance(near);
    pair.check();
    assert_eq!(pair.wheel.held(), 0);
}

#[test]
fn many_are_cancelled_in_an_order_of_their_own() {
    let mut pair = Pair::new(5000);
    for slot in 0..5000 {
        pair.schedule(slot, u64::from(slot) * 7919 % 3_000_000_000);
    }
    for slot in (0..5000).map(|n| n * 3 % 5000) {
        pair.cancel(slot);
        if slot % 64 == 0 {
            pair.check();
        }
        if slot % 10 == 0 {
            pair.schedule(slot, 3_000_000_000);
        }
    }
    pair.check();
    pair.advance(3_000_000_000);
    pair.check();
}

#[test]
fn one_that_is_always_put_off_does_not_use_its_bucket_up() {
    let mut pair = Pair::new(2);
    pair.schedule(0, 1 << 50);
    for n in 0..20_000 {
        pair.schedule(1, (1 << 50) + n);
    }
    pair.check();
    let (_, position) = pair.slab.timer(1).expect("scheduled");
    assert!(position < 10_000, "position {position}");
    pair.advance(1 << 51);
}
