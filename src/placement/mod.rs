//! Where keys live: pure functions from a key to the nodes that own it.
//!
//! # Which one to choose
//!
//! - `modulo` where nodes never come or go: nothing is cheaper or more even.
//! - `slots` for what a Redis Cluster does, or where it should be seen, and perhaps arranged by hand, who owns what: a
//!   table, nearly even, and nothing moves that need not.
//! - `rendezvous` for up to some tens of nodes: even, stateless, any weights, the best spread of what a lost
//!   node owned; but a look-up has a step for every node.
//! - `anchor` for many nodes that come and go: even, and a look-up takes the same with 3 and with 1000.
//! - `memento` and `jump` for the least memory; `jump` only where nodes go in the reverse order of
//!   coming: any other leave moves up to twice its share, all to one heir.
//! - `ring` for weights and any names at any time, if a fifth more load on the unluckiest node does no
//!   harm; `bounded` if it does; `ketama` to agree with memcached's clients.
//! - `maglev` for the cheapest look-up with weights, where the table may be rebuilt on every change and
//!   a little more moves than must; with hundreds of nodes that is much more.
//!
//! Measured in one run with a million keys (`cargo bench -p shardlab-benches --bench placement`, two shared cores: trust the
//! ratios), for 3/10/100/1000 nodes. *Look-up* has the key's hash already, and goes through
//! `dyn Placement`. *Moved by a join* is relative to the newcomer's fair part of the keys, *by a leave*
//! (of a middle node) to what it owned, *3 copies* is what a join moves of three copies, relative to the
//! newcomer's fair part. Chance alone gives max / mean 1.00/1.01/1.03/1.10.
//!
//! | placement | look-up, ns | max / mean | moved by a join | by a leave | 3 copies | bytes | build, µs |
//! | --- | --- | --- | --- | --- | --- | --- | --- |
//! | `modulo` | 1.7/1.7/1.7/1.7 | 1.00/1.00/1.01/1.08 | 3.00/10.00/100/1000 | 2.00/9.01/99.19/985.16 | 1.00/8.00/98.00/997.99 | 24/80/800/8000 | 0.4/0.2/0.4/1.9 |
//! | `ring` | 3.0/3.0/3.7/17.6 | 1.01/1.07/1.19/1.25 | 1.09/1.00/0.91/1.17 | 1.00/1.00/1.00/1.00 | 1.06/1.04/0.95/1.04 | 9904/35.7k/323.9k/4025.2k | 8.8/30.7/530/6252 |
//! | `ketama` | 3.4/3.1/3.8/16.8 | 1.04/1.10/1.25/1.30 | 0.96/0.99/3.64/25.24 | 1.00/1.00/3.51/1.00 | 1.03/0.99/3.60/25.65 | 10.0k/36.0k/322.7k/4061.2k | 28.9/94.4/1136/12.5k |
//! | `bounded` | 1.6/1.6/1.7/1.7 | 1.01/1.06/1.11/1.22 | 1.09/1.00/1.00/1.29 | 1.00/1.00/1.11/1.20 | 1.06/1.04/0.94/1.10 | 141.0k/166.8k/455.0k/4156.2k | 2559/2762/3699/13.5k |
//! | `slots` | 2.6/2.4/2.2/2.4 | 1.00/1.00/1.01/1.07 | 1.00/1.00/1.00/1.06 | 1.00/1.00/1.00/1.00 | 1.01/1.01/1.03/1.02 | 32.8k/32.9k/34.4k/48.8k | 3/2.6/3.4/13.4 |
//! | `rendezvous` | 4.2/7.0/52.3/522.3 | 1.00/1.00/1.03/1.12 | 1.00/1.00/1.01/0.96 | 1.00/1.00/1.00/1.00 | 1.00/1.00/0.99/0.98 | 48/160/1600/16.0k | 0.3/0.4/0.9/3.6 |
//! | `maglev` | 1.8/1.8/1.8/1.9 | 1.00/1.01/1.03/1.09 | 1.00/1.02/1.57/6.76 | 1.00/1.02/1.57/6.69 | 1.07/1.08/1.58/6.81 | 131.1k/131.2k/131.9k/139.1k | 422/790/1076/1014 |
//! | `jump` | 12.9/23.1/37.4/50.1 | 1.00/1.00/1.03/1.11 | 1.00/1.00/1.00/1.04 | 1.50/1.89/1.99/1.93 | 1.00/1.05/1.01/1.02 | 36/120/1200/12.0k | 0.2/0.4/0.6/2.5 |
//! | `anchor` | 8.9/8.5/8.0/8.1 | 1.00/1.00/1.02/1.12 | 1.00/1.00/1.02/0.99 | 1.00/1.00/1.00/1.00 | 1.00/1.06/1.02/0.98 | 172/440/4400/44.0k | 0.4/0.5/1.2/10.4 |
//! | `memento` | 12.9/23.1/38.5/51.2 | 1.00/1.00/1.03/1.11 | 1.00/1.00/1.00/1.04 | 1.00/1.00/1.00/1.00 | 1.00/1.05/1.01/1.02 | 48/160/1600/16.0k | 0.3/0.3/0.6/2.8 |
//!
//! `ketama` follows libmemcached to the letter, and so its rounding: at some sizes all nodes lose a
//! digest's points, which moves more than must (100 to 101 nodes).
//!
//! The crates that do the same, in the same run (* hashes the given hash once more):
//!
//! | crate | look-up, ns | max / mean | moved by a join |
//! | --- | --- | --- | --- |
//! | `hashring` * | 15.2/14.8/18.2/23.2 | 2.22/2.56/5.42/7.55 | 0.73/0.56/0.79/0.50 |
//! | `consistent_hash_ring` * | 14.1/17.3/26.8/158.8 | 1.01/1.10/1.19/1.25 | 1.01/1.01/1.02/1.03 |
//! | `consistent_hash` * | 44.7/50.5/69.4/262.1 | 1.07/1.07/1.16/1.36 | 0.91/1.04/0.90/1.07 |
//! | `maglev crate` * | 15.4/15.7/15.5/15.3 | 1.00/1.00/1.03/1.13 | 1.00/1.02/1.64/7.06 |
//! | `hash-rings maglev` * | 17.1/17.5/16.7/17.3 | 1.00/1.00/1.02/1.13 | 1.01/1.03/1.58/5.98 |
//! | `hash-rings rendezvous` * | 49.3/119.0/1040.4/11952.8 | 1.00/1.00/1.02/- | 1.00/1.00/1.01/- |
//! | `hrw-hash` * | 79.6/227.9/3208.5/35719.3 | 1.00/1.01/-/- | 1.00/0.99/-/- |
//! | `mpchash` * | 976.6/1019.4/1380.7/2063.9 | 1.02/1.09/1.44/- | 0.94/1.07/0.94/- |
//! | `jumpch` | 13.1/23.0/37.0/48.8 | 1.00/1.00/1.03/1.11 | 1.00/1.00/1.00/1.04 |
//! | `jumphash` * | 20.5/29.9/43.6/55.3 | 1.00/1.00/1.02/1.12 | 1.00/1.00/1.00/0.98 |
//! | `fliphash` | 11.7/13.5/8.8/4.3 | 1.00/1.00/1.03/1.10 | 1.00/1.00/1.00/1.02 |
//! | `anchorhash` | 9.7/10.4/11.1/10.8 | 1.01/1.04/1.06/1.10 | 0.96/1.00/1.02/0.95 |
//! | `conhash` * | 243.8/268.6/341.6/781.2 | 1.18/1.10/1.23/1.27 | 0.99/1.03/0.96/1.02 |
//!
//! A dash is what would have taken longer than two seconds. hashring has one point a node, the other rings
//! 160. fliphash and jumphash number buckets, so only the last node can leave. Of every kind the one
//! here is at least as fast as the fastest crate; jump's loop is jumpch's, within the noise.

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
            Self::Point(point) => write!(f, "point {}", Hex(*point)),
            Self::Slot(slot) => write!(f, "slot {slot}"),
            Self::Entry(entry) => write!(f, "entry {entry}"),
            Self::Score => write!(f, "highest score"),
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
