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

mod nodes;

pub use nodes::Numbering;
use nodes::{Kind, Nodes, Place, State};

use super::ghosts::ByHash;
use super::list::{Links, List};
use super::{EvictionPolicy, Slot};

/// Ghosts for each entry that the store can hold.
const GHOSTS_PER_ENTRY: u64 = 2;
/// The ghosts that a small store may have all the same.
const GHOSTS_AT_LEAST: u64 = 4096;

/// The entry goes with the longest time between its last two requests. About 100 bytes an entry with
/// all of its ghosts.
#[derive(Clone)]
pub struct Lirs<I: Numbering = ByHash> {
    nodes: I::Nodes,
    /// From the top, which is the newest, to the bottom.
    stack: List,
    stack_links: Links,
    /// The HIR entries in the store; the oldest is the next victim.
    queue: List,
    /// In the order in which they left, which is that of the stack, too.
    ghosts: List,
    /// Of both the queue and the ghosts.
    queue_links: Links<I::Sizes>,
    /// The sum of the sizes of the LIR entries.
    lir: u64,
    lir_size: u64,
    ghosts_size: u64,
    /// The slot that was requested last, if it is still there.
    last: Option<Slot>,
}

impl<I: Numbering> Default for Lirs<I> {
    fn default() -> Self {
        Self {
            nodes: I::Nodes::default(),
            stack: List::default(),
            stack_links: Links::default(),
            queue: List::default(),
            ghosts: List::default(),
            queue_links: Links::default(),
            lir: 0,
            lir_size: 0,
            ghosts_size: 0,
            last: None,
        }
    }
}

impl<I: Numbering> Lirs<I> {
    /// Puts or moves a node to the top of the stack.
    fn stack_up(&mut self, place: Place) {
        self.unstack(place);
        self.stack.push_front(&mut self.stack_links, place);
        self.nodes.state(place).stacked = true;
    }

    fn unstack(&mut self, place: Place) {
        if std::mem::take(&mut self.nodes.state(place).stacked) {
            self.stack.remove(&mut self.stack_links, place);
        }
    }

    fn enqueue(&mut self, place: Place) {
        self.queue.push_front(&mut self.queue_links, place);
    }

    /// Makes a HIR entry LIR, which is in the stack and not in the queue. Demotes the bottom entries
    /// for which there is no room then.
    fn promote(&mut self, place: Place) {
        self.nodes.state(place).kind = Kind::Lir;
        self.lir += self.queue_links.size(place);
        while self.lir > self.lir_size && self.demote() {}
    }

    /// Makes the LIR entry at the bottom of the stack HIR; `false` if there is none.
    fn demote(&mut self) -> bool {
        let Some(place) = self.stack.back() else {
            return false;
        };
        self.unstack(place);
        self.nodes.state(place).kind = Kind::Hir;
        self.lir -= self.queue_links.size(place);
        self.enqueue(place);
        self.prune();
        true
    }

    /// Takes off the bottom of the stack what is not LIR.
    fn prune(&mut self) {
        while let Some(place) = self.stack.back() {
            match self.nodes.get(place).kind {
                Kind::Lir => break,
                Kind::Hir => self.unstack(place),
                Kind::Ghost => self.forget(place),
            }
        }
    }

    /// Makes a ghost of a node that has left the queue but is in the stack.
    fn remember(&mut self, place: Place) {
        if let Some(older) = self.nodes.older_ghost(place) {
            self.forget(older);
        }
        self.nodes.add_ghost(place);
        self.ghosts.push_front(&mut self.queue_links, place);
    }

    /// Forgets a ghost.
    fn forget(&mut self, place: Place) {
        self.unstack(place);
        self.ghosts.remove(&mut self.queue_links, place);
        self.nodes.remove_ghost(place);
    }

    fn forget_surplus(&mut self) {
        while self.ghosts.size() > self.ghosts_size {
            let oldest = self.ghosts.back().expect("it is not empty");
            self.forget(oldest);
        }
    }

    /// Whether one more entry of this size can be LIR without a demotion.
    fn has_room(&self, place: Place) -> bool {
        self.lir + self.queue_links.size(place) <= self.lir_size
    }

    /// A slot is no longer in the store.
    fn left(&mut self, slot: Slot) {
        if self.last == Some(slot) {
            self.last = None;
        }
    }
}

impl<I: Numbering> EvictionPolicy for Lirs<I> {
    /// O(1) for each LIR entry and each ghost that there are too many of.
    fn resize(&mut self, capacity: usize) {
        let capacity = capacity as u64;
        let hir_size = (capacity / 100).max(2).min(capacity.saturating_sub(1));
        self.lir_size = capacity - hir_size;
        self.ghosts_size = capacity
            .saturating_mul(GHOSTS_PER_ENTRY)
            .max(GHOSTS_AT_LEAST);
        while self.lir > self.lir_size && self.demote() {}
        self.forget_surplus();
    }

    fn announce_size(&mut self, size: u64) {
        self.queue_links.announce(size);
    }

    fn evict(&mut self) -> Option<Slot> {
        if self.queue.is_empty() {
            self.demote();
        }
        let place = self.queue.pop_back(&mut self.queue_links)?;
        let slot = self.nodes.slot(place);
        self.left(slot);
        if self.nodes.get(place).stacked {
            self.remember(place);
        } else {
            self.nodes.remove(place);
        }
        Some(slot)
    }

    fn insert(&mut self, slot: Slot, key: u64) -> Option<Slot> {
        let ghost = self.nodes.ghost(key);
        if let Some(ghost) = ghost {
            self.forget(ghost);
        }
        let place = self.nodes.make(slot, key);
        self.queue_links.settle(place);
        self.stack_up(place);
        if ghost.is_some() || self.has_room(place) {
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
        let place = self.nodes.place(slot);
        let State { kind, stacked } = self.nodes.get(place);
        self.stack_up(place);
        if kind == Kind::Lir {
            self.prune();
        } else if stacked || self.has_room(place) {
            self.queue.remove(&mut self.queue_links, place);
            self.promote(place);
        } else {
            self.queue.move_to_front(&mut self.queue_links, place);
        }
        None
    }

    fn remove(&mut self, slot: Slot) {
        self.left(slot);
        let place = self.nodes.place(slot);
        if self.nodes.get(place).kind == Kind::Lir {
            self.lir -= self.queue_links.size(place);
        } else {
            self.queue.remove(&mut self.queue_links, place);
        }
        self.unstack(place);
        self.nodes.remove(place);
        self.prune();
    }

    fn validate(&self, slots: &[Slot]) {
        let kind = |place: Place| self.nodes.get(place).kind;
        let of = |wanted| move |&place: &Place| kind(place) == wanted;
        let stack: Vec<Place> = self.stack.iter(&self.stack_links).collect();
        let queue: Vec<Place> = self.queue.iter(&self.queue_links).collect();
        let ghosts: Vec<Place> = self.ghosts.iter(&self.queue_links).collect();
        let lir: Vec<Place> = stack.iter().copied().filter(of(Kind::Lir)).collect();

        let slot = |&place: &Place| self.nodes.slot(place);
        let mut held: Vec<Slot> = lir.iter().chain(&queue).map(slot).collect();
        held.sort_unstable();
        assert_eq!(held, slots);
        for place in lir.iter().chain(&queue) {
            assert_eq!(self.nodes.place(slot(place)), *place);
        }
        let sizes = lir.iter().map(|&place| self.queue_links.size(place));
        assert_eq!((self.lir, self.stack.len()), (sizes.sum(), stack.len()));
        assert!(self.lir <= self.lir_size && self.ghosts.len() == ghosts.len());
        assert!(queue.iter().all(of(Kind::Hir)) && self.queue.len() == queue.len());
        assert!(stack.last().is_none_or(of(Kind::Lir)));

        let stacked: Vec<Place> = stack.iter().copied().filter(of(Kind::Ghost)).collect();
        assert_eq!(stacked, ghosts, "ghosts are in the order of the stack");
        self.nodes.validate(held.len(), &ghosts);
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
        conforms(<Lirs>::default);
    }

    #[test]
    fn it_agrees_with_the_definition() {
        agrees(<Lirs>::default, Naively::new, &[1, 2, 3, 10, 37, 250]);
    }

    #[test]
    fn it_misses_as_its_authors_program_does() {
        matches_larger("lirs", <Lirs>::default, 0.0);
    }

    #[test]
    fn it_remembers_no_more_than_it_may() {
        let mut policy = <Lirs>::default();
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
        assert_eq!(policy.ghosts.size(), GHOSTS_AT_LEAST);
        for _ in 10..3000 {
            turn(&mut policy);
        }
        for _ in 0..10_000 {
            let slot = turn(&mut policy);
            insert(&mut policy, slot);
        }
        assert_eq!(policy.ghosts.size(), GHOSTS_AT_LEAST);
        assert_eq!(policy.nodes.len(), 3000 + 6000 + 1);
    }

    #[test]
    fn a_hit_fills_the_room_that_deleted_lir_entries_left() {
        let mut policy = <Lirs>::default();
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
        let mut policy = <Lirs>::default();
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
