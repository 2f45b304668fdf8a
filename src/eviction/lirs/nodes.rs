//! The nodes of LIRS: how they are numbered, and how ghosts are found.

use hashbrown::HashTable;

use crate::eviction::Slot;
use crate::eviction::ghosts::{ByHash, BySlot, BySlotAndSize, Identity};
use crate::eviction::list::grow_to;

/// The number of a node. An entry in the stack may have left the store, so it has a number other
/// than its slot.
pub(crate) type Place = u32;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Kind {
    /// In the store and in the stack.
    Lir,
    /// In the store and in the queue; perhaps in the stack.
    #[default]
    Hir,
    /// In the stack only.
    Ghost,
}

/// Where a node is.
#[derive(Clone, Copy, Default)]
pub struct State {
    pub(crate) kind: Kind,
    pub(crate) stacked: bool,
}

/// How LIRS numbers its nodes, and finds ghosts.
pub trait Numbering: Identity {
    /// The nodes.
    type Nodes: Nodes;
}

impl Numbering for ByHash {
    type Nodes = HashedNodes;
}

impl Numbering for BySlot {
    type Nodes = SlotNodes;
}

impl Numbering for BySlotAndSize {
    type Nodes = SlotNodes;
}

/// The nodes: entries in the store, and ghosts.
pub trait Nodes: Clone + Default + Send {
    /// Makes a node for an entry: HIR, and not in the stack.
    fn make(&mut self, slot: Slot, key: u64) -> Place;

    /// The node of an entry in the store.
    fn place(&self, slot: Slot) -> Place;

    /// The slot of a node whose entry is in the store.
    fn slot(&self, place: Place) -> Slot;

    /// The state of a node.
    fn state(&mut self, place: Place) -> &mut State;

    /// The state of a node.
    fn get(&self, place: Place) -> State;

    /// The ghost with this key.
    fn ghost(&self, key: u64) -> Option<Place>;

    /// The ghost with the key of this node, which is no ghost.
    fn older_ghost(&self, place: Place) -> Option<Place>;

    /// Makes a node a ghost.
    fn add_ghost(&mut self, place: Place);

    /// Removes a ghost.
    fn remove_ghost(&mut self, place: Place);

    /// Removes a node that is no ghost.
    fn remove(&mut self, place: Place);

    /// Checks everything that can be recounted, for tests.
    ///
    /// # Panics
    /// If there are not exactly these ghosts and so many entries.
    fn validate(&self, entries: usize, ghosts: &[Place]);
}

#[derive(Clone)]
struct Node {
    hash: u64,
    /// Means nothing for a ghost.
    slot: Slot,
    state: State,
}

/// Nodes with their own numbers; ghosts are found by hash.
#[derive(Clone, Default)]
pub struct HashedNodes {
    nodes: Vec<Node>,
    /// Places in `nodes` that are free.
    vacant: Vec<Place>,
    /// By slot: its place in `nodes`.
    places: Vec<Place>,
    /// The places of ghosts, found by hash.
    index: HashTable<Place>,
}

#[cfg(test)]
impl HashedNodes {
    /// How many nodes there is memory for.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }
}

impl Nodes for HashedNodes {
    fn make(&mut self, slot: Slot, hash: u64) -> Place {
        let state = State::default();
        let node = Node { hash, slot, state };
        let place = if let Some(place) = self.vacant.pop() {
            self.nodes[place as usize] = node;
            place
        } else {
            self.nodes.push(node);
            u32::try_from(self.nodes.len() - 1).expect("nodes are bounded by the slots")
        };
        grow_to(&mut self.places, slot, 0);
        self.places[slot as usize] = place;
        place
    }

    fn place(&self, slot: Slot) -> Place {
        self.places[slot as usize]
    }

    fn slot(&self, place: Place) -> Slot {
        self.nodes[place as usize].slot
    }

    fn state(&mut self, place: Place) -> &mut State {
        &mut self.nodes[place as usize].state
    }

    fn get(&self, place: Place) -> State {
        self.nodes[place as usize].state
    }

    fn ghost(&self, hash: u64) -> Option<Place> {
        let same = |&place: &Place| self.nodes[place as usize].hash == hash;
        self.index.find(hash, same).copied()
    }

    fn older_ghost(&self, place: Place) -> Option<Place> {
        self.ghost(self.nodes[place as usize].hash)
    }

    fn add_ghost(&mut self, place: Place) {
        let nodes = &mut self.nodes;
        nodes[place as usize].state.kind = Kind::Ghost;
        let hash = nodes[place as usize].hash;
        self.index
            .insert_unique(hash, place, |&place| nodes[place as usize].hash);
    }

    fn remove_ghost(&mut self, place: Place) {
        let hash = self.nodes[place as usize].hash;
        if let Ok(found) = self.index.find_entry(hash, |&it| it == place) {
            found.remove();
        }
        self.vacant.push(place);
    }

    fn remove(&mut self, place: Place) {
        self.vacant.push(place);
    }

    fn validate(&self, entries: usize, ghosts: &[Place]) {
        assert_eq!(self.index.len(), ghosts.len());
        let hash = |place: Place| self.nodes[place as usize].hash;
        assert!(ghosts.iter().all(|&it| self.ghost(hash(it)) == Some(it)));
        let used = entries + ghosts.len();
        assert_eq!(self.nodes.len(), used + self.vacant.len());
    }
}

/// Nodes with the numbers of their slots, which are never reused.
#[derive(Clone, Default)]
pub struct SlotNodes(Vec<State>);

impl Nodes for SlotNodes {
    fn make(&mut self, slot: Slot, _: u64) -> Place {
        grow_to(&mut self.0, slot, State::default());
        self.0[slot as usize] = State::default();
        slot
    }

    fn place(&self, slot: Slot) -> Place {
        slot
    }

    fn slot(&self, place: Place) -> Slot {
        place
    }

    fn state(&mut self, place: Place) -> &mut State {
        &mut self.0[place as usize]
    }

    fn get(&self, place: Place) -> State {
        self.0[place as usize]
    }

    fn ghost(&self, key: u64) -> Option<Place> {
        let place = Place::try_from(key).ok()?;
        let state = self.0.get(place as usize)?;
        (state.kind == Kind::Ghost).then_some(place)
    }

    fn older_ghost(&self, _: Place) -> Option<Place> {
        None
    }

    fn add_ghost(&mut self, place: Place) {
        self.0[place as usize].kind = Kind::Ghost;
    }

    fn remove_ghost(&mut self, place: Place) {
        self.0[place as usize].kind = Kind::Hir;
    }

    fn remove(&mut self, _: Place) {}

    fn validate(&self, _: usize, ghosts: &[Place]) {
        let is_ghost = |state: &&State| state.kind == Kind::Ghost;
        assert_eq!(self.0.iter().filter(is_ghost).count(), ghosts.len());
    }
}
