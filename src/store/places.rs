//! A sequence of slots in chunks of one size: it grows without moving anything, and leaves no holes of
//! odd sizes in the heap, which cost a tenth of the memory of a store full of deadlines.

use super::Slot;

/// Slots of a chunk: 4 KiB.
const CHUNK: usize = 1024;

/// See the module's docs.
#[derive(Default)]
pub struct Places {
    /// All but the last are full, and none is empty. The first grows as a vector does.
    chunks: Vec<Vec<Slot>>,
}

impl Places {
    /// How many slots there are.
    pub fn len(&self) -> usize {
        let last = self.chunks.last().map_or(0, Vec::len);
        self.chunks.len().saturating_sub(1) * CHUNK + last
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Adds a slot at the end.
    pub fn push(&mut self, slot: Slot) {
        match self.chunks.last_mut() {
            Some(last) if last.len() < CHUNK => last.push(slot),
            Some(_) => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(slot);
                self.chunks.push(chunk);
            }
            None => self.chunks.push(vec![slot]),
        }
    }

    /// The last slot.
    pub fn last(&self) -> Option<Slot> {
        self.chunks.last()?.last().copied()
    }

    /// Takes the last slot off.
    pub fn pop(&mut self) -> Option<Slot> {
        let last = self.chunks.last_mut()?;
        let slot = last.pop();
        if last.is_empty() {
            self.chunks.pop();
        }
        slot
    }

    /// Writes another slot to a place that there is.
    pub fn set(&mut self, place: u32, slot: Slot) {
        let place = place as usize;
        self.chunks[place / CHUNK][place % CHUNK] = slot;
    }

    /// The slot at a place.
    #[cfg(test)]
    pub fn get(&self, place: u32) -> Option<Slot> {
        let place = place as usize;
        self.chunks.get(place / CHUNK)?.get(place % CHUNK).copied()
    }

    /// All slots in order.
    pub fn iter(&self) -> impl Iterator<Item = Slot> + '_ {
        self.chunks.iter().flatten().copied()
    }
}

impl IntoIterator for Places {
    type Item = Slot;
    type IntoIter = std::iter::Flatten<std::vec::IntoIter<Vec<Slot>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.chunks.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_a_vector() {
        let (mut places, mut vector) = (Places::default(), Vec::new());
        for slot in 0..5000 {
            places.push(slot);
            vector.push(slot);
        }
        for place in [0, 1023, 1024, 4999] {
            places.set(place, 7);
            vector[place as usize] = 7;
        }
        for _ in 0..4000 {
            assert_eq!(
                (places.last(), places.len()),
                (vector.last().copied(), vector.len())
            );
            assert_eq!(places.pop(), vector.pop());
        }
        assert!(places.iter().eq(vector.iter().copied()));
        assert_eq!(places.get(1000), None);
        assert_eq!(places.into_iter().count(), 1000);
        assert!(Places::default().is_empty());
    }
}
