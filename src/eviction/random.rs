//! Random: any entry goes, all equally likely. An access changes nothing.
//!
//! What it is good for is to be compared with: it has no pattern that a workload could be at odds
//! with, and keeps a part of a loop that LRU loses whole.

use super::pool::Pool;
use super::{EvictionPolicy, Slot};
use crate::rng::Rng;

/// Any entry goes, all equally likely. 8 bytes an entry.
#[derive(Clone)]
pub struct Random {
    pool: Pool,
    rng: Rng,
}

impl Random {
    /// A policy that names the same victims for the same seed and the same calls.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            pool: Pool::default(),
            rng: Rng::new(seed),
        }
    }
}

impl EvictionPolicy for Random {
    fn resize(&mut self, _: usize) {}

    fn evict(&mut self) -> Option<Slot> {
        let victim = self.pool.draw(&mut self.rng)?;
        self.pool.remove(victim);
        Some(victim)
    }

    fn insert(&mut self, slot: Slot, _: u64) -> Option<Slot> {
        self.pool.insert(slot);
        None
    }

    fn access(&mut self, _: Slot) -> Option<Slot> {
        None
    }

    fn remove(&mut self, slot: Slot) {
        self.pool.remove(slot);
    }

    fn is_ordered(&self) -> bool {
        false
    }

    fn validate(&self, slots: &[Slot]) {
        self.pool.validate(slots);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Driver, Naive, agrees, conforms};
    use super::*;

    /// Draws by the same generator; the newest takes the victim's place.
    struct Urn {
        capacity: usize,
        balls: Vec<u64>,
        rng: Rng,
    }

    impl Naive for Urn {
        fn request(&mut self, id: u64) -> bool {
            if self.balls.contains(&id) {
                return true;
            }
            if self.balls.len() == self.capacity {
                let drawn = self.rng.below(self.balls.len() as u64);
                self.balls
                    .swap_remove(usize::try_from(drawn).expect("small"));
            }
            self.balls.push(id);
            false
        }
    }

    #[test]
    fn it_conforms() {
        conforms(|| Random::new(5));
    }

    #[test]
    fn it_agrees_with_the_definition() {
        let naive = |capacity| Urn {
            capacity,
            balls: Vec::new(),
            rng: Rng::new(5),
        };
        agrees(|| Random::new(5), naive, &[1, 2, 3, 10, 37]);
    }

    #[test]
    fn every_entry_is_as_likely_as_any_other() {
        let mut policy = Random::new(5);
        for slot in 0..10 {
            policy.insert(slot, 0);
        }
        let mut counts = [0_u32; 10];
        for _ in 0..50_000 {
            let victim = policy.evict().expect("there are ten");
            counts[victim as usize] += 1;
            policy.insert(victim, 0);
        }
        let even = 4_700..5_300;
        assert!(counts.iter().all(|it| even.contains(it)), "{counts:?}");
    }

    /// An entry outlives m misses with probability (1 - 1/n)^m, n the capacity. Let h be the part of
    /// a loop over c·n objects that hits. Then (1 - h)·c·n misses pass between two requests for one
    /// object, so h = e^(-(1 - h)·c). For c = 1.5 that is h = .417.
    #[test]
    fn it_keeps_a_part_of_a_loop() {
        let trace: Vec<u64> = (0..60_000).map(|at| at % 1500).collect();
        let misses = Driver::new(Random::new(5), 1000).misses(&trace);
        assert!((35_000..37_500).contains(&misses), "{misses} of 60000");
    }
}
