//! Doubly linked lists of slots. Several lists share one vector of links, since a slot is in at most
//! one of them. Everything is O(1).

use super::Slot;

/// The end of a list.
const NONE: Slot = Slot::MAX;

/// The neighbours of every slot: 8 bytes a slot.
#[derive(Clone, Default)]
pub(super) struct Links(Vec<Link>);

#[derive(Clone, Copy)]
struct Link {
    /// Towards the front; `NONE` at the front.
    newer: Slot,
    /// Towards the back; `NONE` at the back.
    older: Slot,
}

/// A list of slots from the front (newest) to the back (oldest).
#[derive(Clone, Copy)]
pub(super) struct List {
    front: Slot,
    back: Slot,
    len: usize,
}

impl Default for List {
    fn default() -> Self {
        Self {
            front: NONE,
            back: NONE,
            len: 0,
        }
    }
}

impl List {
    /// How many slots there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The newest slot.
    pub(super) fn front(&self) -> Option<Slot> {
        some(self.front)
    }

    /// The oldest slot.
    pub(super) fn back(&self) -> Option<Slot> {
        some(self.back)
    }

    /// Adds a slot that is in no list at the front.
    pub(super) fn push_front(&mut self, links: &mut Links, slot: Slot) {
        links.reach(slot);
        links.0[slot as usize] = Link {
            newer: NONE,
            older: self.front,
        };
        match some(self.front) {
            Some(front) => links.0[front as usize].newer = slot,
            None => self.back = slot,
        }
        self.front = slot;
        self.len += 1;
    }

    /// Adds a slot that is in no list beside one of this list, on the newer side, or at the back.
    pub(super) fn insert_newer(&mut self, links: &mut Links, slot: Slot, older: Option<Slot>) {
        let newer = match older {
            Some(older) => links.newer(older),
            None => self.back(),
        };
        links.reach(slot);
        links.0[slot as usize] = Link {
            newer: newer.unwrap_or(NONE),
            older: older.unwrap_or(NONE),
        };
        match newer {
            Some(newer) => links.0[newer as usize].older = slot,
            None => self.front = slot,
        }
        match older {
            Some(older) => links.0[older as usize].newer = slot,
            None => self.back = slot,
        }
        self.len += 1;
    }

    /// Takes a slot out, which must be in this list.
    pub(super) fn remove(&mut self, links: &mut Links, slot: Slot) {
        let Link { newer, older } = links.0[slot as usize];
        match some(newer) {
            Some(newer) => links.0[newer as usize].older = older,
            None => self.front = older,
        }
        match some(older) {
            Some(older) => links.0[older as usize].newer = newer,
            None => self.back = newer,
        }
        self.len -= 1;
    }

    /// Takes the oldest slot out.
    pub(super) fn pop_back(&mut self, links: &mut Links) -> Option<Slot> {
        let slot = self.back()?;
        self.remove(links, slot);
        Some(slot)
    }

    /// Makes a slot of this list its newest.
    pub(super) fn move_to_front(&mut self, links: &mut Links, slot: Slot) {
        if self.front != slot {
            self.remove(links, slot);
            self.push_front(links, slot);
        }
    }

    /// The slots from the newest to the oldest.
    pub(super) fn iter<'a>(&self, links: &'a Links) -> impl Iterator<Item = Slot> + 'a {
        std::iter::successors(self.front(), |&slot| links.older(slot))
    }
}

impl Links {
    /// The neighbour towards the front.
    pub(super) fn newer(&self, slot: Slot) -> Option<Slot> {
        some(self.0[slot as usize].newer)
    }

    /// The neighbour towards the back.
    pub(super) fn older(&self, slot: Slot) -> Option<Slot> {
        some(self.0[slot as usize].older)
    }

    /// Makes room for a slot's links.
    fn reach(&mut self, slot: Slot) {
        grow_to(
            &mut self.0,
            slot,
            Link {
                newer: NONE,
                older: NONE,
            },
        );
    }
}

fn some(slot: Slot) -> Option<Slot> {
    (slot != NONE).then_some(slot)
}

/// Makes `items` long enough to have a place for `slot`, in steps of an eighth.
pub(super) fn grow_to<T: Clone>(items: &mut Vec<T>, slot: Slot, item: T) {
    let len = slot as usize + 1;
    if len > items.len() {
        if len > items.capacity() {
            items.reserve_exact((len - items.len()).max(items.len() / 8).max(4));
        }
        items.resize(len, item);
    }
}

/// The slots of several lists, sorted, for the checks in tests.
pub(super) fn sorted(lists: &[List], links: &Links) -> Vec<Slot> {
    let mut slots = Vec::new();
    for list in lists {
        let before = slots.len();
        slots.extend(list.iter(links));
        assert_eq!(slots.len() - before, list.len(), "a list knows its length");
    }
    slots.sort_unstable();
    slots
}
