//! LFU: the least frequently used entry goes; of several, the one that has had its frequency longest.
//!
//! A frequency is 1 when an entry comes in, goes up by one with every access, and is forgotten with
//! the entry. Each frequency that occurs has a list of its entries, and the frequencies themselves
//! are in a chain, in order. An access moves an entry to the next frequency up, which is the
//! neighbour in the chain or is made there; the victim is at the end of the lowest frequency's list.
//! So nothing is ever searched. Source: Shah, Mitra, Matani, "An O(1) algorithm for implementing the
//! LFU cache eviction scheme", 2010.
//!
//! Caveat: what was popular once stays for ever. Nothing ages.

use super::list::{Links, List, grow_to, sorted};
use super::{EvictionPolicy, Slot};

/// A place in `Lfu::frequencies`.
type Place = u32;

/// The least frequently used entry goes; of several, the one that has had its frequency longest.
/// 12 bytes an entry.
#[derive(Clone, Default)]
pub struct Lfu {
    /// Those in the chain, and the vacant ones.
    frequencies: Vec<Frequency>,
    vacant: Vec<Place>,
    /// The frequencies that occur: the highest in front, the lowest at the back.
    chain: List,
    chain_links: Links,
    /// By slot: where the entry's frequency is.
    places: Vec<Place>,
    links: Links,
}

/// The entries that were used equally often.
#[derive(Clone)]
struct Frequency {
    /// The insertion included: at least 1.
    uses: u64,
    /// By when they got this frequency, the latest in front.
    slots: List,
}

impl Lfu {
    /// Puts a slot that is in no list into the list of a frequency.
    fn put(&mut self, slot: Slot, place: Place) {
        self.places[slot as usize] = place;
        let slots = &mut self.frequencies[place as usize].slots;
        slots.push_front(&mut self.links, slot);
    }

    /// Takes a slot out of its list, and the frequency out of the chain if it was the last.
    fn take(&mut self, slot: Slot) {
        let place = self.places[slot as usize];
        let slots = &mut self.frequencies[place as usize].slots;
        slots.remove(&mut self.links, slot);
        if slots.is_empty() {
            self.chain.remove(&mut self.chain_links, place);
            self.vacant.push(place);
        }
    }

    /// Where a frequency is, made if it is not there: right above `below`, or the lowest.
    fn place(&mut self, uses: u64, below: Option<Place>) -> Place {
        let next = match below {
            Some(below) => self.chain_links.newer(below),
            None => self.chain.back(),
        };
        if let Some(next) = next
            && self.frequencies[next as usize].uses == uses
        {
            return next;
        }
        let place = self.make(uses);
        self.chain.insert_newer(&mut self.chain_links, place, below);
        place
    }

    /// A frequency that is not yet in the chain.
    fn make(&mut self, uses: u64) -> Place {
        let slots = List::default();
        let frequency = Frequency { uses, slots };
        if let Some(place) = self.vacant.pop() {
            self.frequencies[place as usize] = frequency;
            return place;
        }
        self.frequencies.push(frequency);
        Place::try_from(self.frequencies.len() - 1).expect("at most one more than slots")
    }
}

impl EvictionPolicy for Lfu {
    fn resize(&mut self, _: usize) {}

    fn evict(&mut self) -> Option<Slot> {
        let lowest = self.chain.back()?;
        let victim = self.frequencies[lowest as usize].slots.back()?;
        self.take(victim);
        Some(victim)
    }

    fn insert(&mut self, slot: Slot, _: u64) -> Option<Slot> {
        grow_to(&mut self.places, slot, 0);
        let lowest = self.place(1, None);
        self.put(slot, lowest);
        None
    }

    fn access(&mut self, slot: Slot) -> Option<Slot> {
        let place = self.places[slot as usize];
        let uses = self.frequencies[place as usize].uses + 1;
        let next = self.place(uses, Some(place));
        self.take(slot);
        self.put(slot, next);
        None
    }

    fn remove(&mut self, slot: Slot) {
        self.take(slot);
    }

    fn frequency(&self, slot: Slot) -> Option<u64> {
        let place = *self.places.get(slot as usize)?;
        Some(self.frequencies.get(place as usize)?.uses)
    }

    /// A frequency that occurs takes 36 more. There are few of them: with n, the accesses to what is
    /// held are at least n²/2.
    fn validate(&self, slots: &[Slot]) {
        let chain: Vec<Place> = self.chain.iter(&self.chain_links).collect();
        let of = |place: Place| &self.frequencies[place as usize];
        assert!(chain.is_sorted_by(|&a, &b| of(a).uses > of(b).uses));
        assert_eq!(chain.len() + self.vacant.len(), self.frequencies.len());
        let lists: Vec<List> = chain.iter().map(|&place| of(place).slots).collect();
        assert_eq!(sorted(&lists, &self.links), slots);
        for &place in &chain {
            let mut held = of(place).slots.iter(&self.links);
            assert!(!of(place).slots.is_empty(), "a frequency occurs");
            assert!(held.all(|slot| self.places[slot as usize] == place));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Naive, agrees, conforms, matches_reference};
    use super::*;

    struct Counts {
        capacity: usize,
        /// Objects, their frequencies, and the time at which they got them.
        entries: Vec<(u64, u64, u64)>,
        now: u64,
    }

    impl Naive for Counts {
        fn request(&mut self, id: u64) -> bool {
            self.now += 1;
            if let Some(entry) = self.entries.iter_mut().find(|entry| entry.0 == id) {
                *entry = (id, entry.1 + 1, self.now);
                return true;
            }
            if self.entries.len() == self.capacity {
                let victim = self.entries.iter().map(|&(_, uses, at)| (uses, at)).min();
                self.entries
                    .retain(|&(_, uses, at)| Some((uses, at)) != victim);
            }
            self.entries.push((id, 1, self.now));
            false
        }
    }

    #[test]
    fn it_conforms() {
        conforms(Lfu::default);
    }

    #[test]
    fn it_agrees_with_the_definition() {
        let naive = |capacity| Counts {
            capacity,
            entries: Vec::new(),
            now: 0,
        };
        agrees(Lfu::default, naive, &[1, 2, 3, 10, 37]);
    }

    #[test]
    fn it_misses_as_the_reference_does() {
        matches_reference("lfu", Lfu::default, 0.0);
    }
}
