//! Which operations are not in line yet: two lists from which one can be taken and put back at the
//! same place in constant time (Knuth, "Dancing Links", 2000).

/// One of the two lists.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    /// Operations that must get in line.
    Due = 0,
    /// Operations that may.
    Optional = 1,
}

/// Two doubly linked lists of places from 0 on. Each is a ring with its own end node.
#[derive(Default)]
pub(super) struct Ring {
    /// For each place the one before and the one after. The last two are the ends.
    links: Vec<[u32; 2]>,
    count: u32,
}

impl Ring {
    /// Empties both lists, for places up to `count`.
    pub(super) fn clear(&mut self, count: u32) {
        self.count = count;
        self.links.clear();
        self.links.extend((0..count + 2).map(|place| [place; 2]));
    }

    fn end(&self, list: List) -> u32 {
        self.count + list as u32
    }

    /// Adds a place at the end of a list. It must be in none.
    pub(super) fn append(&mut self, list: List, place: u32) {
        let end = self.end(list);
        let before = self.links[end as usize][0];
        self.links[place as usize] = [before, end];
        self.put_back(place);
    }

    /// Takes a place out of its list.
    pub(super) fn take(&mut self, place: u32) {
        let [before, after] = self.links[place as usize];
        self.links[before as usize][1] = after;
        self.links[after as usize][0] = before;
    }

    /// Puts back the place that was taken last of those that are out.
    pub(super) fn put_back(&mut self, place: u32) {
        let [before, after] = self.links[place as usize];
        self.links[before as usize][1] = place;
        self.links[after as usize][0] = place;
    }

    /// The place after another in a list; after `None` comes the first.
    pub(super) fn next(&self, list: List, after: Option<u32>) -> Option<u32> {
        let at = after.unwrap_or(self.end(list));
        let next = self.links[at as usize][1];
        (next < self.count).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(ring: &Ring, list: List) -> Vec<u32> {
        let first = ring.next(list, None);
        std::iter::successors(first, |&place| ring.next(list, Some(place))).collect()
    }

    #[test]
    fn what_is_put_back_is_where_it_was() {
        let mut ring = Ring::default();
        ring.clear(5);
        for place in 0..5 {
            let list = if place == 3 {
                List::Optional
            } else {
                List::Due
            };
            ring.append(list, place);
        }
        ring.take(1);
        ring.take(2);
        assert_eq!(
            (all(&ring, List::Due), all(&ring, List::Optional)),
            (vec![0, 4], vec![3])
        );
        ring.take(3);
        assert_eq!(ring.next(List::Optional, None), None);
        for place in [3, 2, 1] {
            ring.put_back(place);
        }
        assert_eq!(
            (all(&ring, List::Due), all(&ring, List::Optional)),
            (vec![0, 1, 2, 4], vec![3])
        );
    }
}
