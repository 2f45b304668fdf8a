//! Where keys live: pure functions from a key to the nodes that own it.

mod anchor;
mod bounded;
#[cfg(test)]
mod changes;
mod deal;
#[cfg(test)]
mod golden;
mod jump;
mod ketama;
mod log;
mod maglev;
mod members;
mod memento;
mod modulo;
mod points;
mod rehash;
mod rendezvous;
mod ring;
mod scores;
mod slots;

pub use anchor::Anchor;
pub use bounded::{Bounded, DEFAULT_LOAD};
pub use jump::Jump;
pub use ketama::Ketama;
pub use maglev::Maglev;
pub use members::{MAX_WEIGHT, Member, Members};
pub use memento::Memento;
pub use modulo::Modulo;
pub use rendezvous::Rendezvous;
pub use ring::{DEFAULT_POINTS, MAX_POINTS, Ring};
pub use slots::Slots;

use std::fmt;
use std::str::FromStr;

use crate::id::NodeId;

/// A pure function from keys to owners. It never changes: a change of members makes a new one, so
/// what must move is the difference of two.
pub trait Placement: Send + Sync {
    /// The kind by whose name it is chosen.
    fn kind(&self) -> PlacementKind;

    /// The nodes that keys are placed on, by ascending number.
    fn members(&self) -> &Members;

    /// The hash by which this placement knows a key. Its values are fixed for ever.
    fn hash(&self, key: &[u8]) -> u64;

    /// The primary owner of the keys with this hash.
    fn owner(&self, hash: u64) -> NodeId;

    /// Fills `owners` with the first `count` owners of the keys with this hash: the primary first,
    /// all distinct; all members if there are no more than `count`.
    fn owners(&self, hash: u64, count: usize, owners: &mut Vec<NodeId>);

    /// What the hash falls on: why the owners are the owners.
    fn locate(&self, hash: u64) -> Location;

    /// The largest hash, if the hashes are laid out in order so that neighbours share owners: such
    /// a placement can be drawn as a band. `None`: owners are scattered over all hashes.
    fn space(&self) -> Option<u64> {
        None
    }

    /// The part of all hashes of which each member is the primary owner, in the order of
    /// [`members`](Self::members); all together 1.
    fn shares(&self) -> Vec<f64> {
        let count = self.members().len();
        vec![1.0 / count as f64; count]
    }

    /// Bytes of memory beyond the placement's own fields.
    fn bytes(&self) -> usize;

    /// This placement after a node has joined, whose number is not among the members'.
    fn with(&self, member: Member) -> Box<dyn Placement>;

    /// This placement after a node has left, which was a member, but not the only one.
    fn without(&self, node: NodeId) -> Box<dyn Placement>;
}

/// What a hash falls on in a placement. Its text is what people read: `slot 12182`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// One of so many equal buckets.
    Bucket(u64),
    /// A point on a ring: the first at or after the hash.
    Point(u64),
    /// One of Redis's 16384 slots.
    Slot(u16),
    /// An entry of a table of owners.
    Entry(u64),
    /// Nothing but the hash itself: each node has a score for it, and the highest wins.
    Score,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bucket(bucket) => write!(f, "bucket {bucket}"),
            Self::Point(point) => write!(f, "point {point:#010x}"),
            Self::Slot(slot) => write!(f, "slot {slot}"),
            Self::Entry(entry) => write!(f, "entry {entry}"),
            Self::Score => write!(f, "highest score"),
        }
    }
}

/// A name that no placement has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no placement")]
pub struct UnknownPlacement(String);

impl FromStr for PlacementKind {
    type Err = UnknownPlacement;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let wanted = name.to_ascii_lowercase();
        let mut all = Self::ALL.iter();
        let found = all.find(|kind| kind.to_string() == wanted);
        found.copied().ok_or_else(|| UnknownPlacement(name.into()))
    }
}

macro_rules! placements {
    ($($kind:ident $name:literal $weighted:literal $summary:literal;)*) => {
        /// The placements that can be chosen by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum PlacementKind {
            $(#[doc = $summary] $kind,)*
        }

        impl Default for PlacementKind {
            fn default() -> Self {
                Self::Modulo
            }
        }

        impl PlacementKind {
            /// All placements.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// One line of how it places.
            #[must_use]
            pub fn summary(self) -> &'static str {
                match self {
                    $(Self::$kind => $summary,)*
                }
            }

            /// Whether a node's weight counts.
            #[must_use]
            pub fn is_weighted(self) -> bool {
                match self {
                    $(Self::$kind => $weighted,)*
                }
            }

            /// A new placement of this kind.
            #[must_use]
            pub fn place(self, members: Members) -> Box<dyn Placement> {
                match self {
                    $(Self::$kind => Box::new($kind::new(members)),)*
                }
            }
        }

        impl fmt::Display for PlacementKind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$kind => $name,)*
                })
            }
        }
    };
}

placements! {
    Modulo "modulo" false "The hash modulo the number of nodes: even and cheap, and nearly all keys move when a node joins.";
    Ring "ring" true "Consistent hashing with 160 points a node: little moves, and only to who joins or from who leaves.";
    Ketama "ketama" true "The ring of memcached's clients, point for point: MD5, 160 points a node.";
    Bounded "bounded" true "A ring on which no node gets more than 1.1 times its part: what is over goes to the next.";
    Slots "slots" true "Redis Cluster's 16384 slots: a table says who has which, and only what must move moves.";
    Rendezvous "rendezvous" true "Every node has a score for every key and the highest wins: no better balance, but a step for each node.";
    Maglev "maglev" true "A table of 65537 entries that the nodes fill by turns: the cheapest, even, and a little more moves than must.";
    Jump "jump" false "Jump consistent hash: even, and nothing but a table of nodes; a leave moves up to twice its share, to one heir.";
    Anchor "anchor" false "Anchor hash: even, and as fast with a thousand nodes as with three; what a leave moves is spread over all.";
    Memento "memento" false "Memento hash: jump with a memory of who left; even, and what a leave moves is spread over all.";
}

#[cfg(test)]
mod tests;
