//! Owners of some keys that must never change. A test that fails here has found a breaking change,
//! whatever the reason.

use super::{Member, Members, Placement, PlacementKind};
use crate::hash::rapidhash;
use crate::id::NodeId;

const KEYS: [&str; 12] = [
    "",
    "a",
    "apple",
    "banana",
    "grape",
    "user:1",
    "user:2",
    "user:1000000",
    "session/9f",
    "ключ",
    "0",
    "a key of a length that no hash takes in one piece",
];

/// The numbers of the first three owners of 12 keys, on nodes 0 to `count` - 1 of at most 10.
pub(super) fn owners(kind: PlacementKind, count: u32) -> String {
    let placement = kind.place(Members::first(count));
    let mut owners = Vec::new();
    let triples = KEYS.map(|key| {
        placement.owners(placement.hash(key.as_bytes()), 3, &mut owners);
        owners.iter().map(NodeId::to_string).collect::<String>()
    });
    triples.join(" ")
}

/// A checksum of the first three owners of 10,000 keys.
pub(super) fn checksum(placement: &dyn Placement) -> u64 {
    let mut owners = Vec::new();
    let mut bytes = Vec::new();
    for key in 0..10_000 {
        let hash = placement.hash(format!("key:{key}").as_bytes());
        placement.owners(hash, 3, &mut owners);
        bytes.extend(owners.iter().flat_map(|node| node.0.to_le_bytes()));
    }
    rapidhash(&bytes)
}

/// The checksums on ten nodes, and after node 10 has joined and node 4 has left.
pub(super) fn checksums(kind: PlacementKind) -> [u64; 2] {
    let ten = kind.place(Members::first(10));
    let changed = ten.with(Member::new(NodeId(10))).without(NodeId(4));
    [checksum(&*ten), checksum(&*changed)]
}

/// The checksum on ten nodes of ten weights.
pub(super) fn weighted_checksum(kind: PlacementKind) -> u64 {
    let member = |node| Member {
        node: NodeId(node),
        weight: 1 + node * node,
    };
    let members = Members::new((0..10).map(member).collect());
    checksum(&*kind.place(members))
}
