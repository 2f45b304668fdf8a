//! W-TinyLFU: what leaves the window has to be more popular than what it would push out.
//!
//! Einziger, Friedman and Manes, "`TinyLFU`: A Highly Efficient Cache Admission Policy", ACM TOS
//! 2017, section 4. A newcomer enters a small LRU, the *window*. What the window has no room for becomes the
//! *candidate*: it is let into the main part only if a sketch of all requests, hits and misses,
//! says that it came more often lately than the entry that would leave for it. The main part is a
//! segmented LRU: a candidate comes into *probation*, a hit there moves an entry to *protected*, and
//! what protected has no room for goes back to probation.
//!
//! Of a capacity n the main part has int(0.99 n), at most int(0.8) of that protected, and the window
//! the rest, which is at least 1. So a newcomer always gets in; the contest is for what the window
//! loses by it. This is the policy without Caffeine's jitter, by which a loser sometimes wins, and
//! without its window that adapts.
//!
//! The contest comes before the newcomer does, so [`evict`](EvictionPolicy::evict) acts as if the
//! newcomer stood in the window already. Asked again before it has come, it finds no further candidate,
//! and takes the oldest of probation, then of protected, then of the window. At capacity 1 the window
//! is all there is; at 2 there is one place in the window and one in probation.

use super::ghosts::{Keys, StoredKeys};
use super::list::{Links, List, Sizes, UnitSizes, grow_to, sorted};
use super::sketch::Sketch;
use super::{EvictionPolicy, Slot};

/// The sketch is made for the capacity at once up to this many entries, and grows with the entries
/// beyond it: a capacity may be far more than what ever comes.
const SKETCH_AT_ONCE: usize = 1 << 16;

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
enum Part {
    #[default]
    Window,
    Probation,
    Protected,
}

/// A small LRU window for new entries; into the main part comes only what was requested more often
/// than the entry that would leave for it. 33 bytes an entry, sketch included.
#[derive(Clone, Default)]
pub struct WTinyLfu<K: Keys = StoredKeys, S: Sizes = UnitSizes> {
    window: List,
    probation: List,
    protected: List,
    links: Links<S>,
    /// By slot: the list that it is in.
    parts: Vec<Part>,
    hashes: K,
    /// How often each hash was requested lately, in the store or not.
    sketch: Sketch,
    capacity: u64,
}

impl<K: Keys, S: Sizes> WTinyLfu<K, S> {
    /// A policy with these hashes.
    pub fn with_hashes(hashes: K) -> Self {
        Self {
            hashes,
            ..Self::default()
        }
    }

    /// Entries that the window has room for: n - int(0.99 n).
    fn window_size(&self) -> u64 {
        self.capacity.div_ceil(100)
    }

    /// Entries that protected has room for: int(0.8 main).
    fn protected_size(&self) -> u64 {
        let main = self.capacity - self.window_size();
        main - main.div_ceil(5)
    }

    fn len(&self) -> usize {
        self.window.len() + self.probation.len() + self.protected.len()
    }

    fn part(&mut self, part: Part) -> &mut List {
        match part {
            Part::Window => &mut self.window,
            Part::Probation => &mut self.probation,
            Part::Protected => &mut self.protected,
        }
    }

    /// Takes a slot out of its part.
    fn take(&mut self, slot: Slot) {
        let mut list = *self.part(self.parts[slot as usize]);
        list.remove(&mut self.links, slot);
        *self.part(self.parts[slot as usize]) = list;
    }

    /// Makes a slot that is in no part the newest of one.
    fn put(&mut self, slot: Slot, part: Part) {
        let mut list = *self.part(part);
        list.push_front(&mut self.links, slot);
        *self.part(part) = list;
        self.parts[slot as usize] = part;
    }

    /// Moves the oldest of the window to probation, and names it.
    fn graduate(&mut self) -> Option<Slot> {
        let slot = self.window.back()?;
        self.take(slot);
        self.put(slot, Part::Probation);
        Some(slot)
    }

    fn frequency(&self, slot: Slot) -> u64 {
        self.sketch.frequency(self.hashes.get(slot))
    }

    /// What leaves so that the candidate can stay: the oldest of probation, or the candidate.
    fn loser(&self, candidate: Slot) -> Slot {
        match self.probation.back() {
            Some(victim) if self.frequency(candidate) > self.frequency(victim) => victim,
            _ => candidate,
        }
    }

    /// What leaves when nothing comes for it.
    fn oldest(&self) -> Option<Slot> {
        let main = self.probation.back().or_else(|| self.protected.back());
        main.or_else(|| self.window.back())
    }

    fn fit_sketch(&mut self) {
        let capacity = usize::try_from(self.capacity).unwrap_or(usize::MAX);
        let entries = self.len().max(SKETCH_AT_ONCE).min(capacity);
        self.sketch.resize(entries);
    }
}

impl<K: Keys, S: Sizes> EvictionPolicy for WTinyLfu<K, S> {
    fn resize(&mut self, capacity: usize) {
        self.capacity = capacity as u64;
        self.fit_sketch();
    }

    fn announce_size(&mut self, size: u64) {
        self.links.announce(size);
    }

    fn admit(&mut self, hash: u64) {
        self.sketch.count(hash);
    }

    fn evict(&mut self) -> Option<Slot> {
        let full = self.window.size() >= self.window_size();
        let candidate = if full { self.graduate() } else { None };
        let victim = match candidate {
            Some(candidate) => self.loser(candidate),
            None => self.oldest()?,
        };
        self.take(victim);
        Some(victim)
    }

    fn insert(&mut self, slot: Slot, hash: u64) -> Option<Slot> {
        self.links.settle(slot);
        grow_to(&mut self.parts, slot, Part::Window);
        self.hashes.set(slot, hash);
        self.put(slot, Part::Window);
        while self.window.size() > self.window_size() {
            self.graduate();
        }
        if self.len() > self.sketch.entries() {
            self.fit_sketch();
        }
        None
    }

    fn access(&mut self, slot: Slot) -> Option<Slot> {
        self.sketch.count(self.hashes.get(slot));
        self.take(slot);
        match self.parts[slot as usize] {
            Part::Window => self.put(slot, Part::Window),
            _ => self.put(slot, Part::Protected),
        }
        while self.protected.size() > self.protected_size() {
            let oldest = self.protected.back().expect("it is not empty");
            self.take(oldest);
            self.put(oldest, Part::Probation);
        }
        None
    }

    fn remove(&mut self, slot: Slot) {
        self.take(slot);
    }

    fn validate(&self, slots: &[Slot]) {
        let lists = [self.window, self.probation, self.protected];
        assert_eq!(sorted(&lists, &self.links), slots);
        for (list, part) in lists
            .iter()
            .zip([Part::Window, Part::Probation, Part::Protected])
        {
            for slot in list.iter(&self.links) {
                assert_eq!(self.parts[slot as usize], part);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::super::tests::{Naive, agrees, conforms, hash, matches_larger};
    use super::*;

    /// The part of n that a ratio below 1 names, rounded down.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "as the definition has it; n is small"
    )]
    fn int(ratio: f64, n: usize) -> usize {
        (ratio * n as f64) as usize
    }

    /// The definition: the newcomer comes first, and then the contest. Oldest entries at the front.
    struct Queues {
        capacity: usize,
        window: VecDeque<u64>,
        probation: VecDeque<u64>,
        protected: VecDeque<u64>,
        sketch: Sketch,
    }

    impl Queues {
        fn new(capacity: usize) -> Self {
            let mut sketch = Sketch::default();
            sketch.resize(capacity);
            Self {
                capacity,
                window: VecDeque::new(),
                probation: VecDeque::new(),
                protected: VecDeque::new(),
                sketch,
            }
        }

        fn miss(&mut self, id: u64) {
            self.window.push_back(id);
            if self.window.len() <= self.capacity - int(0.99, self.capacity) {
                return;
            }
            let candidate = self.window.pop_front().expect("it is over");
            self.probation.push_back(candidate);
            if self.window.len() + self.probation.len() + self.protected.len() > self.capacity {
                let frequency = |id| self.sketch.frequency(hash(id));
                if frequency(candidate) > frequency(self.probation[0]) {
                    self.probation.pop_front();
                } else {
                    self.probation.pop_back();
                }
            }
        }

        fn protect(&mut self, id: u64) {
            self.protected.push_back(id);
            if self.protected.len() > int(0.8, int(0.99, self.capacity)) {
                self.probation.extend(self.protected.pop_front());
            }
        }
    }

    fn take(queue: &mut VecDeque<u64>, id: u64) -> bool {
        let found = queue.iter().position(|&it| it == id);
        found.and_then(|at| queue.remove(at)).is_some()
    }

    impl Naive for Queues {
        fn request(&mut self, id: u64) -> bool {
            self.sketch.count(hash(id));
            if take(&mut self.window, id) {
                self.window.push_back(id);
            } else if take(&mut self.probation, id) || take(&mut self.protected, id) {
                self.protect(id);
            } else {
                self.miss(id);
                return false;
            }
            true
        }
    }

    #[test]
    fn it_conforms() {
        conforms(<WTinyLfu>::default);
    }

    #[test]
    fn it_agrees_with_the_definition() {
        agrees(<WTinyLfu>::default, Queues::new, &[1, 2, 3, 10, 37, 250]);
    }

    /// The sketch hashes otherwise than Caffeine's, so the counts differ a little: by less than 0.7 %
    /// in all rows but two, in which the hash alone moves the count by several per cent.
    #[test]
    fn it_misses_as_its_authors_program_does() {
        matches_larger("w-tinylfu", <WTinyLfu>::default, 0.03);
    }

    #[test]
    fn its_parts_are_as_the_definition_says() {
        for capacity in 1..100_000_usize {
            let policy = WTinyLfu {
                capacity: capacity as u64,
                ..<WTinyLfu>::default()
            };
            let main = int(0.99, capacity);
            assert_eq!(policy.window_size(), (capacity - main) as u64);
            assert_eq!(policy.protected_size(), int(0.8, main) as u64);
        }
    }

    #[test]
    fn a_capacity_without_end_takes_no_memory() {
        let mut policy = <WTinyLfu>::default();
        policy.resize(usize::MAX);
        assert_eq!(policy.sketch.entries(), SKETCH_AT_ONCE);
        for slot in 0..70_000 {
            policy.insert(slot, hash(slot.into()));
        }
        assert_eq!(policy.sketch.entries(), 2 * SKETCH_AT_ONCE);
    }
}
