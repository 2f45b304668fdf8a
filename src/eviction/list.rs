//! Doubly linked lists of slots. Several lists share one vector of links, since a slot is in at most
//! one of them. Everything is O(1).

use super::Slot;

/// The end of a list.
const NONE: Slot = Slot::MAX;

/// The neighbours of every slot, 8 bytes a slot, and the sizes of the entries.
#[derive(Clone, Default)]
pub struct Links<S: Sizes = UnitSizes> {
    links: Vec<Link>,
    sizes: S,
}

/// The sizes of entries, by slot, in the unit of a policy's capacity.
pub trait Sizes: Clone + Default + Send + 'static {
    /// Notes the size of the entry that comes next.
    fn announce(&mut self, size: u64);

    /// The size that was announced last.
    fn announced(&self) -> u64;

    /// Gives the entry that has come into `slot` the announced size.
    fn settle(&mut self, slot: Slot);

    /// The size of the entry in `slot`.
    fn get(&self, slot: Slot) -> u64;
}

/// Every entry has size 1: the capacity is a number of entries.
#[derive(Clone, Default)]
pub struct UnitSizes;

impl Sizes for UnitSizes {
    fn announce(&mut self, _: u64) {}

    fn announced(&self) -> u64 {
        1
    }

    fn settle(&mut self, _: Slot) {}

    fn get(&self, _: Slot) -> u64 {
        1
    }
}

/// A vector of sizes: the capacity is a number of bytes.
#[derive(Clone, Default)]
pub struct StoredSizes {
    sizes: Vec<u64>,
    announced: u64,
}

impl Sizes for StoredSizes {
    fn announce(&mut self, size: u64) {
        self.announced = size;
    }

    fn announced(&self) -> u64 {
        self.announced
    }

    fn settle(&mut self, slot: Slot) {
        grow_to(&mut self.sizes, slot, 0);
        self.sizes[slot as usize] = self.announced;
    }

    fn get(&self, slot: Slot) -> u64 {
        self.sizes[slot as usize]
    }
}

#[derive(Clone, Copy)]
struct Link {
    /// Towards the front; `NONE` at the front.
    newer: Slot,
    /// Towards the back; `NONE` at the back.
    older: Slot,
}

/// A list of slots from the front (newest) to the back (oldest).
#[derive(Clone, Copy)]
pub(crate) struct List {
    front: Slot,
    back: Slot,
    len: usize,
    /// The sum of the sizes.
    size: u64,
}

impl Default for List {
    fn default() -> Self {
        Self {
            front: NONE,
            back: NONE,
            len: 0,
            size: 0,
        }
    }
}

impl List {
    /// How many slots there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The sum of the sizes of the entries. It is the number of slots if every size is 1.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The newest slot.
    pub(crate) fn front(&self) -> Option<Slot> {
        some(self.front)
    }

    /// The oldest slot.
    pub(crate) fn back(&self) -> Option<Slot> {
        some(self.back)
    }

    /// Adds a slot that is in no list at the front.
    pub(crate) fn push_front<S: Sizes>(&mut self, links: &mut Links<S>, slot: Slot) {
        links.reach(slot);
        links.links[slot as usize] = Link {
            newer: NONE,
            older: self.front,
        };
        match some(self.front) {
            Some(front) => links.links[front as usize].newer = slot,
            None => self.back = slot,
        }
        self.front = slot;
        self.len += 1;
        self.size += links.sizes.get(slot);
    }

    /// Adds a slot that is in no list beside one of this list, on the newer side, or at the back.
    pub(crate) fn insert_newer<S: Sizes>(
        &mut self,
        links: &mut Links<S>,
        slot: Slot,
        older: Option<Slot>,
    ) {
        let newer = match older {
            Some(older) => links.newer(older),
            None => self.back(),
        };
        links.reach(slot);
        links.links[slot as usize] = Link {
            newer: newer.unwrap_or(NONE),
            older: older.unwrap_or(NONE),
        };
        match newer {
            Some(newer) => links.links[newer as usize].older = slot,
            None => self.front = slot,
        }
        match older {
            Some(older) => links.links[older as usize].newer = slot,
            None => self.back = slot,
        }
        self.len += 1;
        self.size += links.sizes.get(slot);
    }

    /// Takes a slot out, which must be in this list.
    pub(crate) fn remove<S: Sizes>(&mut self, links: &mut Links<S>, slot: Slot) {
        let Link { newer, older } = links.links[slot as usize];
        match some(newer) {
            Some(newer) => links.links[newer as usize].older = older,
            None => self.front = older,
        }
        match some(older) {
            Some(older) => links.links[older as usize].newer = newer,
            None => self.back = newer,
        }
        self.len -= 1;
        self.size -= links.sizes.get(slot);
    }

    /// Takes the oldest slot out.
    pub(crate) fn pop_back<S: Sizes>(&mut self, links: &mut Links<S>) -> Option<Slot> {
        let slot = self.back()?;
        self.remove(links, slot);
        Some(slot)
    }

    /// Makes a slot of this list its newest.
    pub(crate) fn move_to_front<S: Sizes>(&mut self, links: &mut Links<S>, slot: Slot) {
        if self.front == slot {
            return;
        }
        let Link { newer, older } = links.links[slot as usize];
        links.links[newer as usize].older = older;
        match some(older) {
            Some(older) => links.links[older as usize].newer = newer,
            None => self.back = newer,
        }
        links.links[slot as usize] = Link {
            newer: NONE,
            older: self.front,
        };
        links.links[self.front as usize].newer = slot;
        self.front = slot;
    }

    /// The slots from the newest to the oldest.
    pub(crate) fn iter<'a, S: Sizes>(
        &self,
        links: &'a Links<S>,
    ) -> impl Iterator<Item = Slot> + use<'a, S> {
        std::iter::successors(self.front(), |&slot| links.older(slot))
    }
}

impl<S: Sizes> Links<S> {
    /// Notes the size of the entry that comes next.
    pub(crate) fn announce(&mut self, size: u64) {
        self.sizes.announce(size);
    }

    /// The size that was announced last.
    pub(crate) fn announced(&self) -> u64 {
        self.sizes.announced()
    }

    /// Gives the entry that has come into `slot`, and is in no list, the announced size.
    pub(crate) fn settle(&mut self, slot: Slot) {
        self.sizes.settle(slot);
    }

    /// The size of the entry in `slot`.
    pub(crate) fn size(&self, slot: Slot) -> u64 {
        self.sizes.get(slot)
    }

    /// The neighbour towards the front.
    pub(crate) fn newer(&self, slot: Slot) -> Option<Slot> {
        some(self.links[slot as usize].newer)
    }

    /// The neighbour towards the back.
    pub(crate) fn older(&self, slot: Slot) -> Option<Slot> {
        some(self.links[slot as usize].older)
    }

    /// Makes room for a slot's links.
    fn reach(&mut self, slot: Slot) {
        grow_to(
            &mut self.links,
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
pub(crate) fn grow_to<T: Clone>(items: &mut Vec<T>, slot: Slot, item: T) {
    let len = slot as usize + 1;
    if len > items.len() {
        if len > items.capacity() {
            items.reserve_exact((len - items.len()).max(items.len() / 8).max(4));
        }
        items.resize(len, item);
    }
}

/// The slots of several lists, sorted, for the checks in tests.
pub(crate) fn sorted<S: Sizes>(lists: &[List], links: &Links<S>) -> Vec<Slot> {
    let mut slots = Vec::new();
    for list in lists {
        let before = slots.len();
        slots.extend(list.iter(links));
        assert_eq!(slots.len() - before, list.len(), "a list knows its length");
    }
    slots.sort_unstable();
    slots
}
