//! Hyperbolic caching: the entry goes that was used least often for the time it has been here.
//!
//! An entry's priority is its uses, the insertion included, divided by the requests since its
//! insertion. So an entry is judged by its own time only: a new one need not catch up with the old
//! as in LFU, and one that was popular sinks as a hyperbola does. Priorities change with every
//! request, and change places, so no order is kept: the victim is the lowest of 64 entries drawn at
//! random. Source: Blankstein, Sen, Freedman, "Hyperbolic Caching: Flexible Caching for Web
//! Applications", USENIX ATC 2017.
//!
//! What is decided here: a request is an admission or an access, so an admission that no insertion
//! follows passes time too. Priorities are compared as exact fractions, and of equal ones the
//! oldest goes, so that the slots do not matter. An entry of this very request has infinite priority. With at most 64 entries
//! all of them are looked at, and nothing is random; with more, an entry may be drawn twice.

use std::cmp::Ordering;

use super::list::grow_to;
use super::pool::Pool;
use super::{EvictionPolicy, Slot};
use crate::rng::Rng;

/// How many entries are compared for a victim.
const SAMPLES: usize = 64;

/// Of 64 entries at random the one goes with the fewest uses for its age. 24 bytes an entry.
#[derive(Clone)]
pub struct Hyperbolic {
    pool: Pool,
    rng: Rng,
    /// By slot.
    histories: Vec<History>,
    /// Requests up to now.
    now: u64,
}

#[derive(Clone, Copy)]
struct History {
    /// The insertion included: at least 1.
    uses: u64,
    /// `now` at the insertion.
    inserted: u64,
}

impl History {
    /// Which of two has the lower priority: a/b < c/d is a·d < c·b.
    fn compare(self, other: Self, now: u64) -> Ordering {
        let product = |a: Self, b: Self| u128::from(a.uses) * u128::from(now - b.inserted);
        product(self, other).cmp(&product(other, self))
    }
}

impl Hyperbolic {
    /// A policy that names the same victims for the same seed and the same calls.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            pool: Pool::default(),
            rng: Rng::new(seed),
            histories: Vec::new(),
            now: 0,
        }
    }

    /// The lowest of all, or of a sample.
    fn lowest(&mut self) -> Option<Slot> {
        let history = |slot: Slot| self.histories[slot as usize];
        let compare = |a: &Slot, b: &Slot| {
            let order = history(*a).compare(history(*b), self.now);
            order.then(history(*a).inserted.cmp(&history(*b).inserted))
        };
        if self.pool.slots().len() <= SAMPLES {
            return self.pool.slots().iter().copied().min_by(compare);
        }
        let samples = (0..SAMPLES).filter_map(|_| self.pool.draw(&mut self.rng));
        samples.min_by(compare)
    }
}

impl EvictionPolicy for Hyperbolic {
    fn resize(&mut self, _: usize) {}

    fn admit(&mut self, _: u64) {
        self.now += 1;
    }

    fn evict(&mut self) -> Option<Slot> {
        let victim = self.lowest()?;
        self.pool.remove(victim);
        Some(victim)
    }

    fn insert(&mut self, slot: Slot, _: u64) -> Option<Slot> {
        let history = History {
            uses: 1,
            inserted: self.now,
        };
        grow_to(&mut self.histories, slot, history);
        self.histories[slot as usize] = history;
        self.pool.insert(slot);
        None
    }

    fn access(&mut self, slot: Slot) -> Option<Slot> {
        self.now += 1;
        self.histories[slot as usize].uses += 1;
        None
    }

    fn remove(&mut self, slot: Slot) {
        self.pool.remove(slot);
    }

    fn is_ordered(&self) -> bool {
        self.pool.slots().len() <= SAMPLES
    }

    fn validate(&self, slots: &[Slot]) {
        self.pool.validate(slots);
        for &slot in slots {
            let History { uses, inserted } = self.histories[slot as usize];
            assert!(inserted <= self.now && uses <= 1 + self.now - inserted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Driver, Naive, agrees, conforms};
    use super::*;

    /// Entries by age: those that came later stand behind.
    struct Rates {
        capacity: usize,
        entries: Vec<Rate>,
        now: u32,
    }

    struct Rate {
        id: u64,
        uses: u32,
        inserted: u32,
    }

    impl Rates {
        fn lowest(&self) -> Option<usize> {
            let rate = |it: &Rate| f64::from(it.uses) / f64::from(self.now - it.inserted);
            let rates = self.entries.iter().map(rate);
            let lowest = rates.enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
            lowest.map(|(place, _)| place)
        }
    }

    impl Naive for Rates {
        fn request(&mut self, id: u64) -> bool {
            self.now += 1;
            if let Some(entry) = self.entries.iter_mut().find(|entry| entry.id == id) {
                entry.uses += 1;
                return true;
            }
            let entry = Rate {
                id,
                uses: 1,
                inserted: self.now,
            };
            if self.entries.len() == self.capacity {
                let lowest = self.lowest().expect("it is full");
                self.entries.remove(lowest);
            }
            self.entries.push(entry);
            false
        }
    }

    #[test]
    fn it_conforms() {
        conforms(|| Hyperbolic::new(5));
    }

    #[test]
    fn it_agrees_with_the_definition() {
        let naive = |capacity| Rates {
            capacity,
            entries: Vec::new(),
            now: 0,
        };
        agrees(|| Hyperbolic::new(5), naive, &[1, 2, 3, 10, 37, 64]);
    }

    /// That 64 draws hit none of the 250 to 500 cold ones among 1000 or less is out of the question.
    #[test]
    fn of_many_the_lowest_of_a_sample_goes() {
        let mut driver = Driver::new(Hyperbolic::new(5), 1000);
        let hot: Vec<u64> = (0..500).collect();
        driver.misses(&(0..1000).collect::<Vec<_>>());
        assert_eq!(driver.misses(&hot.repeat(3)), 0);
        driver.resize(750);
        driver.validate();
        assert_eq!(driver.misses(&hot), 0);
    }
}
