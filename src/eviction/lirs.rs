//! LIRS: the time between an entry's last two requests tells more than the time since the last.
//!
//! Jiang and Zhang, "LIRS: An Efficient Low Inter-reference Recency Set Replacement Policy to Improve
//! Buffer Cache Performance", SIGMETRICS 2002, section 3. The *stack* holds entries by recency, also
//! some that have left, the ghosts. Most of the store is for *LIR* entries, whose last two requests were
//! close together; the bottom of the stack is always one of them. Whatever is requested while still in
//! the stack was requested again sooner than the LIR entry at the bottom, and changes places with it.
//! All others are *HIR*. Those in the store wait in the *queue*, and the victim is the one that came
//! into it first.
//!
//! - A newcomer goes to the stack's top. It is LIR if it was a ghost, or while there is room for LIR
//!   entries; else HIR, and goes to the queue's end too.
//! - A hit moves an entry to the stack's top. A HIR entry that was in the stack becomes LIR and
//!   leaves the queue; one that was not goes to the queue's end, unless there is room for LIR entries.
//!   (There is only after deletions and changes of capacity, of which the paper does not speak.)
//! - When there are too many LIR entries, the bottom one becomes HIR and goes from the stack to the
//!   queue's end. What the bottom then has above it, up to the next LIR entry, leaves the stack; ghosts
//!   are forgotten so.
//! - A victim that is in the stack stays there as a ghost.
//! - A request right after a request for the same entry changes nothing. (The paper does not say so;
//!   its authors' program does it.)
//!
//! Of a capacity n, HIR entries have int(n / 100), at least 2, but leave LIR at least one. So at
//! capacity 1 there is one LIR entry and it makes room for any other, and at 2 one of each kind.
//! When the queue is empty, the LIR entry at the stack's bottom is the victim. A deleted entry
//! leaves no ghost.
//!
//! The paper sets no bound to the ghosts. Here there are at most 2 n, or 4,096 in a small store; the
//! oldest, which is also the lowest in the stack, is forgotten.

use hashbrown::HashTable;

use super::list::{Links, List, grow_to};
use super::{EvictionPolicy, Slot};

/// A place in `nodes`. What is in the stack may be no slot any more, so it has a number of its own.
type Place = u32;

/// Ghosts for each entry that the store can hold.
const GHOSTS_PER_ENTRY: usize = 2;
/// What a small store may remember all the same.
const GHOSTS_AT_LEAST: usize = 4096;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// In the store and in the stack.
    Lir,
    /// In the store and in the queue; perhaps in the stack.
    Hir,
    /// In the stack only.
    Ghost,
}

#[derive(Clone)]
struct Node {
    hash: u64,
    /// Means nothing for a ghost.
    slot: Slot,
    kind: Kind,
    stacked: bool,
}

/// The entry goes with the longest time between its last two requests. About 100 bytes an entry with
/// all of its ghosts.
#[derive(Clone, Default)]
pub struct Lirs {
    nodes: Vec<Node>,
    /// Places in `nodes` that are free.
    vacant: Vec<Place>,
    /// By slot: its place in `nodes`.
    places: Vec<Place>,
    /// The places of ghosts, found by hash.
    index: HashTable<Place>,
    /// From the top, which is the newest, to the bottom.
    stack: List,
    stack_links: Links,
    /// The HIR entries in the store; the oldest is the next victim.
    queue: List,
    /// In the order in which they left, which is that of the stack, too.
    ghosts: List,
    /// Of both the queue and the ghosts.
    queue_links: Links,
    /// How many LIR entries there are.
    lir: usize,
    lir_size: usize,
    ghosts_size: usize,
    /// The slot that was requested last, if it is still there.
    last: Option<Slot>,
}

impl Lirs {
    fn node(&mut self, place: Place) -> &mut Node {
        &mut self.nodes[place as usize]
    }

    /// Makes a node at the top of the stack, as HIR and not yet in the queue.
    fn make(&mut self, slot: Slot, hash: u64) -> Place {
        let node = Node {
            hash,
            slot,
            kind: Kind::Hir,
            stacked: false,
        };
        let place = if let Some(place) = self.vacant.pop() {
            self.nodes[place as usize] = node;
            place
        } else {
            self.nodes.push(node);
            u32::try_from(self.nodes.len() - 1).expect("nodes are bounded by the slots")
        };
        grow_to(&mut self.places, slot, 0);
        self.places[slot as usize] = place;
        self.stack_up(place);
        place
    }

    /// Puts or moves a node to the top of the stack.
    fn stack_up(&mut self, place: Place) {
        self.unstack(place);
        self.stack.push_front(&mut self.stack_links, place);
        self.node(place).stacked = true;
    }

    fn unstack(&mut self, place: Place) {
        if std::mem::take(&mut self.node(place).stacked) {
            self.stack.remove(&mut self.stack_links, place);
        }
    }

    fn enqueue(&mut self, place: Place) {
        self.queue.push_front(&mut self.queue_links, place);
    }

    /// Makes LIR what is HIR, in the stack and not in the queue, at the cost of the bottom one.
    fn promote(&mut self, place: Place) {
        self.node(place).kind = Kind::Lir;
        self.lir += 1;
        if self.lir > self.lir_size {
            self.demote();
        }
    }

    /// Makes the LIR entry at the bottom of the stack HIR, if there is one.
    fn demote(&mut self) {
        if let Some(place) = self.stack.back() {
            self.unstack(place);
            self.node(place).kind = Kind::Hir;
            self.lir -= 1;
            self.enqueue(place);
            self.prune();
        }
    }

    /// Takes off the bottom of the stack what is not LIR.
    fn prune(&mut self) {
        while let Some(place) = self.stack.back() {
            match self.node(place).kind {
                Kind::Lir => break,
                Kind::Hir => self.unstack(place),
                Kind::Ghost => self.forget(place),
            }
        }
    }

    /// Makes a ghost of a node that has left the queue but is in the stack.
    fn haunt(&mut self, place: Place) {
        let hash = self.node(place).hash;
        if let Some(older) = self.ghost(hash) {
            self.forget(older);
        }
        self.node(place).kind = Kind::Ghost;
        self.ghosts.push_front(&mut self.queue_links, place);
        let nodes = &self.nodes;
        self.index
            .insert_unique(hash, place, |&place| nodes[place as usize].hash);
    }

    /// The ghost with this hash.
    fn ghost(&self, hash: u64) -> Option<Place> {
        let same = |&place: &Place| self.nodes[place as usize].hash == hash;
        self.index.find(hash, same).copied()
    }

    /// Forgets a ghost.
    fn forget(&mut self, place: Place) {
        self.unstack(place);
        self.ghosts.remove(&mut self.queue_links, place);
        let hash = self.node(place).hash;
        if let Ok(found) = self.index.find_entry(hash, |&it| it == place) {
            found.remove();
        }
        self.vacant.push(place);
    }

    fn forget_surplus(&mut self) {
        while self.ghosts.len() > self.ghosts_size {
            let oldest = self.ghosts.back().expect("it is not empty");
            self.forget(oldest);
        }
    }

    /// A slot is no longer in the store.
    fn left(&mut self, slot: Slot) {
        if self.last == Some(slot) {
            self.last = None;
        }
    }
}

impl EvictionPolicy for Lirs {
    /// O(1) for each LIR entry and each ghost that there are too many of.
    fn resize(&mut self, capacity: usize) {
        let hir_size = (capacity / 100).max(2).min(capacity.saturating_sub(1));
        self.lir_size = capacity - hir_size;
        self.ghosts_size = capacity
            .saturating_mul(GHOSTS_PER_ENTRY)
            .max(GHOSTS_AT_LEAST);
        while self.lir > self.lir_size {
            self.demote();
        }
        self.forget_surplus();
    }

    fn evict(&mut self) -> Option<Slot> {
        if self.queue.is_empty() {
            self.demote();
        }
        let place = self.queue.pop_back(&mut self.queue_links)?;
        let Node { slot, stacked, .. } = self.nodes[place as usize];
        self.left(slot);
        if stacked {
            self.haunt(place);
        } else {
            self.vacant.push(place);
        }
        Some(slot)
    }

    fn insert(&mut self, slot: Slot, hash: u64) -> Option<Slot> {
        let ghost = self.ghost(hash);
        if let Some(ghost) = ghost {
            self.forget(ghost);
        }
        let place = self.make(slot, hash);
        if ghost.is_some() || self.lir < self.lir_size {
            self.promote(place);
        } else {
            self.enqueue(place);
        }
        self.forget_surplus();
        self.last = Some(slot);
        None
    }

    fn access(&mut self, slot: Slot) -> Option<Slot> {
        if self.last.replace(slot) == Some(slot) {
            return None;
        }
        let place = self.places[slot as usize];
        let Node { kind, stacked, .. } = self.nodes[place as usize];
        self.stack_up(place);
        if kind == Kind::Lir {
            self.prune();
        } else if stacked || self.lir < self.lir_size {
            self.queue.remove(&mut self.queue_links, place);
            self.promote(place);
        } else {
            self.queue.move_to_front(&mut self.queue_links, place);
        }
        None
    }

    fn remove(&mut self, slot: Slot) {
        self.left(slot);
        let place = self.places[slot as usize];
        if self.node(place).kind == Kind::Lir {
            self.lir -= 1;
        } else {
            self.queue.remove(&mut self.queue_links, place);
        }
        self.unstack(place);
        self.vacant.push(place);
        self.prune();
    }

    /// The slot's place and its node with two pairs of links; a ghost is found by hash instead. What
    /// a small store remembers beyond its share is not counted: it is at most 170 kB.
    fn validate(&self, slots: &[Slot]) {
        let kind = |place: Place| self.nodes[place as usize].kind;
        let of = |wanted| move |&place: &Place| kind(place) == wanted;
        let stack: Vec<Place> = self.stack.iter(&self.stack_links).collect();
        let queue: Vec<Place> = self.queue.iter(&self.queue_links).collect();
        let ghosts: Vec<Place> = self.ghosts.iter(&self.queue_links).collect();
        let lir: Vec<Place> = stack.iter().copied().filter(of(Kind::Lir)).collect();

        let slot = |&place: &Place| self.nodes[place as usize].slot;
        let mut held: Vec<Slot> = lir.iter().chain(&queue).map(slot).collect();
        held.sort_unstable();
        assert_eq!(held, slots);
        for place in lir.iter().chain(&queue) {
            assert_eq!(self.places[slot(place) as usize], *place);
        }
        assert_eq!((self.lir, self.stack.len()), (lir.len(), stack.len()));
        assert!(self.lir <= self.lir_size && self.ghosts.len() == ghosts.len());
        assert!(queue.iter().all(of(Kind::Hir)) && self.queue.len() == queue.len());
        assert!(stack.last().is_none_or(of(Kind::Lir)));

        let stacked: Vec<Place> = stack.iter().copied().filter(of(Kind::Ghost)).collect();
        assert_eq!(stacked, ghosts, "ghosts are in the order of the stack");
        assert_eq!(self.index.len(), ghosts.len());
        let hash = |place: Place| self.nodes[place as usize].hash;
        assert!(ghosts.iter().all(|&it| self.ghost(hash(it)) == Some(it)));
        let used = held.len() + ghosts.len();
        assert_eq!(self.nodes.len(), used + self.vacant.len());
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Naive, agrees, conforms, matches_larger};
    use super::*;

    /// A direct implementation of the paper, as a reference. Bottom and front come first.
    struct Naively {
        capacity: usize,
        stack: Vec<u64>,
        queue: Vec<u64>,
        lir: Vec<u64>,
        last: Option<u64>,
    }

    fn take(list: &mut Vec<u64>, id: u64) -> bool {
        let found = list.iter().position(|&it| it == id);
        found.map(|at| list.remove(at)).is_some()
    }

    impl Naively {
        fn new(capacity: usize) -> Self {
            Self {
                capacity,
                stack: Vec::new(),
                queue: Vec::new(),
                lir: Vec::new(),
                last: None,
            }
        }

        fn lir_size(&self) -> usize {
            match self.capacity {
                1 | 2 => 1,
                n => n - (n / 100).max(2),
            }
        }

        fn prune(&mut self) {
            while self.stack.first().is_some_and(|id| !self.lir.contains(id)) {
                self.stack.remove(0);
            }
        }

        fn promote(&mut self, id: u64) {
            self.lir.push(id);
            if self.lir.len() > self.lir_size() {
                let bottom = self.stack.remove(0);
                take(&mut self.lir, bottom);
                self.queue.push(bottom);
            }
        }

        fn make_room(&mut self) {
            if self.lir.len() + self.queue.len() < self.capacity {
                return;
            }
            if self.queue.is_empty() {
                let bottom = self.stack.remove(0);
                take(&mut self.lir, bottom);
                self.prune();
            } else {
                self.queue.remove(0);
            }
        }
    }

    impl Naive for Naively {
        fn request(&mut self, id: u64) -> bool {
            let again = self.last.replace(id) == Some(id);
            let (lir, hir) = (self.lir.contains(&id), self.queue.contains(&id));
            if again {
                return true;
            }
            if !lir && !hir {
                self.make_room();
            }
            let stacked = take(&mut self.stack, id);
            self.stack.push(id);
            if !lir {
                take(&mut self.queue, id);
                if stacked || self.lir.len() < self.lir_size() {
                    self.promote(id);
                } else {
                    self.queue.push(id);
                }
            }
            self.prune();
            lir || hir
        }
    }

    #[test]
    fn it_conforms() {
        conforms(Lirs::default);
    }

    #[test]
    fn it_agrees_with_the_definition() {
        agrees(Lirs::default, Naively::new, &[1, 2, 3, 10, 37, 250]);
    }

    #[test]
    fn it_misses_as_its_authors_program_does() {
        matches_larger("lirs", Lirs::default, 0.0);
    }

    #[test]
    fn it_remembers_no_more_than_it_may() {
        let mut policy = Lirs::default();
        policy.resize(3000);
        let mut next = 0..40_000_u64;
        let mut insert = |policy: &mut Lirs, slot| policy.insert(slot, next.next().expect("one"));
        for slot in 0..3000 {
            insert(&mut policy, slot);
        }
        let turn = |policy: &mut Lirs| policy.evict().expect("it is full");
        for _ in 0..10_000 {
            let slot = turn(&mut policy);
            insert(&mut policy, slot);
        }
        assert_eq!(policy.ghosts.len(), 6000);
        policy.resize(10);
        assert_eq!(policy.ghosts.len(), GHOSTS_AT_LEAST);
        for _ in 10..3000 {
            turn(&mut policy);
        }
        for _ in 0..10_000 {
            let slot = turn(&mut policy);
            insert(&mut policy, slot);
        }
        assert_eq!(policy.ghosts.len(), GHOSTS_AT_LEAST);
        assert_eq!(policy.nodes.len(), 3000 + 6000 + 1);
    }

    #[test]
    fn a_hit_fills_the_room_that_deleted_lir_entries_left() {
        let mut policy = Lirs::default();
        policy.resize(4);
        for slot in 0..4 {
            policy.insert(slot, slot.into());
        }
        (0..2).for_each(|slot| policy.remove(slot));
        assert_eq!((policy.lir, policy.stack.len()), (0, 0));
        policy.access(2);
        policy.validate(&[2, 3]);
        assert_eq!((policy.lir, policy.evict()), (1, Some(3)));
    }

    #[test]
    fn two_entries_with_the_same_hash_leave_one_ghost() {
        let mut policy = Lirs::default();
        policy.resize(4);
        for slot in 0..4 {
            policy.insert(slot, slot.min(2).into());
        }
        assert_eq!((policy.evict(), policy.evict()), (Some(2), Some(3)));
        policy.validate(&[0, 1]);
        assert_eq!(policy.ghosts.len(), 1);
    }

    #[test]
    fn a_loop_larger_than_the_store_hits_half() {
        let mut naive = Naively::new(50);
        let hits = (0..4000).filter(|at| naive.request(at % 96)).count();
        assert!((1900..2100).contains(&hits), "{hits} of 4000");
    }
}
