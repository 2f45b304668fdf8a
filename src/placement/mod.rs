//! Placement: maps keys to the nodes that own them. All placements are pure functions.
//!
//! # Which one to choose
//!
//! - Use `modulo` if nodes never come or go: no other is cheaper or more even.
//! - Use `slots` to do as a Redis Cluster does, or to see in a table who owns which slot: nearly
//!   even, and only what must move moves.
//! - Use `rendezvous` for up to some tens of nodes: the best balance, no state, any weights, and
//!   the keys of a lost node spread over all others; but a look-up costs O(nodes).
//! - Use `anchor` for many nodes that come and go: even, and a look-up costs the same with 3 nodes
//!   and with 1000.
//! - Use `memento` or `jump` for the least memory. Choose `jump` only where nodes leave in the
//!   reverse order of joining: any other leave moves up to twice the minimum, and all of the
//!   leaver's keys go to one node.
//! - Use `ring` for weights and any order of changes, if the most loaded node may have a fifth more
//!   than the mean; `bounded` if it may not; `ketama` to agree with memcached's clients.
//! - Use `maglev` for the cheapest look-up with weights, if the table may be rebuilt on every
//!   change and a little more moves than the minimum; with hundreds of nodes that is much more.
//!
//! The docs of `benches/placement.rs` have the figures: time, balance, keys moved and memory of each
//! placement, beside the crates that do the same.

mod anchor;
mod bounded;
mod by_slot;
mod deal;
mod jump;
mod ketama;
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
pub use by_slot::BySlot;
pub use jump::Jump;
pub use ketama::Ketama;
pub use maglev::Maglev;
pub use members::{MAX_WEIGHT, Member, Members};
pub use memento::Memento;
pub use modulo::Modulo;
pub use rendezvous::Rendezvous;
pub use ring::{DEFAULT_POINTS, MAX_POINTS, Ring};
pub use slots::{SLOT_COUNT, Slots, slot_of};

use std::fmt;
use std::str::FromStr;

use crate::id::NodeId;

/// A pure function from keys to owners. It never changes: a change of members makes a new one, and
/// the keys that must move are those whose owners differ between the two.
///
/// # A placement of your own
///
/// [`Cluster::set_placement_with`](crate::Cluster::set_placement_with) takes any type with this
/// trait. Owners must be members, all distinct, and the same for the same hash: the cluster panics if
/// it is sent to a node that it does not have. This one keeps the keys of a user together:
///
/// ```
/// use shardlab::id::NodeId;
/// use shardlab::placement::{Member, Members, Placement, PlacementKind};
/// use shardlab::time::Instant;
/// use shardlab::{Cache, Cluster, Config};
///
/// /// Places `user:key` by the user alone.
/// struct ByUser(Box<dyn Placement>);
///
/// impl Placement for ByUser {
///     fn name(&self) -> &'static str {
///         "by-user"
///     }
///     fn members(&self) -> &Members {
///         self.0.members()
///     }
///     fn hash(&self, key: &[u8]) -> u64 {
///         let user = key.split(|&byte| byte == b':').next();
///         self.0.hash(user.unwrap_or(key))
///     }
///     fn owner(&self, hash: u64) -> NodeId {
///         self.0.owner(hash)
///     }
///     fn owners(&self, hash: u64, count: usize, owners: &mut Vec<NodeId>) {
///         self.0.owners(hash, count, owners);
///     }
///     fn with(&self, member: Member) -> Box<dyn Placement> {
///         Box::new(Self(self.0.with(member)))
///     }
///     fn without(&self, node: NodeId) -> Box<dyn Placement> {
///         Box::new(Self(self.0.without(node)))
///     }
/// }
///
/// let mut cluster = Cluster::new(Config::new().nodes(10))?;
/// let now = Instant::START;
/// cluster.put(now, b"ann:mail", b"12", None)?;
/// cluster.set_placement_with(now, |members| {
///     Box::new(ByUser(PlacementKind::Rendezvous.place(members)))
/// })?;
/// cluster.move_all(now);
/// assert_eq!(cluster.owner(b"ann:mail"), cluster.owner(b"ann:name"));
/// cluster.join(now, 1)?;
/// cluster.move_all(now);
/// assert_eq!(cluster.owner(b"ann:mail"), cluster.owner(b"ann:name"));
/// assert_eq!(cluster.get(now, b"ann:mail")?.as_deref(), Some(&b"12"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Placement: Send + Sync {
    /// Which of the placements here this is; `None`: another one.
    fn kind(&self) -> Option<PlacementKind> {
        None
    }

    /// The name, for people.
    fn name(&self) -> &'static str {
        self.kind().map_or("custom", PlacementKind::name)
    }

    /// Whether the weights of members count.
    fn is_weighted(&self) -> bool {
        self.kind().is_some_and(PlacementKind::is_weighted)
    }

    /// The nodes that keys are placed on, by ascending number.
    fn members(&self) -> &Members;

    /// The hash of a key that this placement uses. Its values never change between versions.
    fn hash(&self, key: &[u8]) -> u64;

    /// The hash of the keys in a slot of Redis Cluster, if the keys of a slot have the same hash.
    fn hash_of_slot(&self, _slot: u16) -> Option<u64> {
        None
    }

    /// The primary owner of the keys with this hash.
    fn owner(&self, hash: u64) -> NodeId;

    /// Fills `owners` with the first `count` owners of the keys with this hash: the primary first,
    /// all distinct; with all members if there are fewer.
    fn owners(&self, hash: u64, count: usize, owners: &mut Vec<NodeId>);

    /// What the hash falls on, which explains the owners.
    fn locate(&self, hash: u64) -> Location {
        Location::Hash(hash)
    }

    /// The largest hash, if neighbouring hashes share owners: such a placement can be drawn as a
    /// band. `None`: owners are scattered over all hashes.
    fn space(&self) -> Option<u64> {
        None
    }

    /// The part of all hashes that each member owns as primary, in the order of
    /// [`members`](Self::members); the sum is 1.
    fn shares(&self) -> Vec<f64> {
        let count = self.members().len();
        vec![1.0 / count as f64; count]
    }

    /// Bytes of memory beyond the placement's own fields, where they are counted.
    fn bytes(&self) -> usize {
        size_of_val(&self.members()[..])
    }

    /// This placement after a node has joined. The node must not be a member yet.
    fn with(&self, member: Member) -> Box<dyn Placement>;

    /// This placement after a node has left. The node must be a member, and not the only one.
    fn without(&self, node: NodeId) -> Box<dyn Placement>;
}

/// What a hash falls on in a placement. Its text is for people: `slot 12182`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// One of several equal buckets.
    Bucket(u64),
    /// A point on a ring: the first at or after the hash.
    Point(u64),
    /// One of Redis's 16384 slots.
    Slot(u16),
    /// An entry of a table of owners.
    Entry(u64),
    /// The hash itself: each node has a score for it, and the highest wins.
    Score,
    /// A custom placement with nothing to show.
    Hash(u64),
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bucket(bucket) => write!(f, "bucket {bucket}"),
            Self::Point(point) => write!(f, "point {}", Hex(*point)),
            Self::Slot(slot) => write!(f, "slot {slot}"),
            Self::Entry(entry) => write!(f, "entry {entry}"),
            Self::Score => write!(f, "highest score"),
            Self::Hash(hash) => write!(f, "{}", Hex(*hash)),
        }
    }
}

/// A hash as people read it: 8 digits, or 16 if it needs more.
pub(crate) struct Hex(pub u64);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match u32::try_from(self.0) {
            Ok(short) => write!(f, "{short:#010x}"),
            Err(_) => write!(f, "{:#018x}", self.0),
        }
    }
}

/// A name that no placement has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such placement; the placements are {}", names())]
pub struct UnknownPlacement;

fn names() -> String {
    let names: Vec<String> = PlacementKind::ALL.iter().map(ToString::to_string).collect();
    names.join(" ")
}

impl FromStr for PlacementKind {
    type Err = UnknownPlacement;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let wanted = name.to_ascii_lowercase();
        let mut all = Self::ALL.iter();
        let found = all.find(|kind| kind.to_string() == wanted);
        found.copied().ok_or(UnknownPlacement)
    }
}

macro_rules! placements {
    ($($kind:ident $name:literal $weighted:literal $summary:literal;)*) => {
        /// The placements that can be chosen by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
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

            /// The name that is typed and printed.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }

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
                f.write_str(self.name())
            }
        }
    };
}

placements! {
    Modulo "modulo" false "The hash modulo the number of nodes: even and cheap, but nearly all keys move when a node joins.";
    Ring "ring" true "Consistent hashing with 160 points a node: little moves, and only to the node that joins or from the node that leaves.";
    Ketama "ketama" true "The ring of memcached's clients, point for point: MD5, 160 points a node.";
    Bounded "bounded" true "A ring on which no node gets more than 1.1 times its fair share: the rest goes to the next node.";
    Slots "slots" true "Redis Cluster's 16384 slots: a table of owners; only what must move moves.";
    Rendezvous "rendezvous" true "Every node has a score for every key and the highest wins. Best balance of all; a lookup costs O(nodes).";
    Maglev "maglev" true "A table of 65537 entries that the nodes fill in turn: even, the cheapest lookup; slightly more keys move than necessary.";
    Jump "jump" false "Jump consistent hash: even, and no memory but a list of nodes. When a node leaves, one other node takes over all of its keys, and up to twice the minimum moves.";
    Anchor "anchor" false "Anchor hash: even, and as fast with a thousand nodes as with three; the keys of a node that leaves spread over all others.";
    Memento "memento" false "Memento hash: jump that remembers which nodes left; even, and the keys of a node that leaves spread over all others.";
}

#[cfg(test)]
mod changes;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
