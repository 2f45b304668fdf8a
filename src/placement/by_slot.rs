//! Any placement, of Redis Cluster's slots instead of keys.

use super::{Location, Member, Members, Placement, PlacementKind, slot_of};
use crate::id::NodeId;

/// Places each key by the number of its slot, in decimal digits. So all keys of a slot have the same
/// owners, and clients of Redis Cluster, which know no more than which node has which slot, find them
/// with any placement.
///
/// Placing slots is coarser than placing keys: 16,384 things are spread over the nodes.
pub struct BySlot(Box<dyn Placement>);

impl BySlot {
    /// This placement, of slots.
    #[must_use]
    pub fn new(placement: Box<dyn Placement>) -> Self {
        Self(placement)
    }
}

/// The decimal digits of a slot.
fn digits(slot: u16, buffer: &mut [u8; 5]) -> &[u8] {
    let mut at = buffer.len();
    let mut rest = slot;
    loop {
        at -= 1;
        buffer[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            return &buffer[at..];
        }
    }
}

impl Placement for BySlot {
    fn kind(&self) -> Option<PlacementKind> {
        self.0.kind()
    }

    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn is_weighted(&self) -> bool {
        self.0.is_weighted()
    }

    fn members(&self) -> &Members {
        self.0.members()
    }

    fn hash(&self, key: &[u8]) -> u64 {
        self.0.hash(digits(slot_of(key), &mut [0; 5]))
    }

    fn hash_of_slot(&self, slot: u16) -> Option<u64> {
        Some(self.0.hash(digits(slot, &mut [0; 5])))
    }

    fn owner(&self, hash: u64) -> NodeId {
        self.0.owner(hash)
    }

    fn owners(&self, hash: u64, count: usize, owners: &mut Vec<NodeId>) {
        self.0.owners(hash, count, owners);
    }

    fn locate(&self, hash: u64) -> Location {
        self.0.locate(hash)
    }

    fn space(&self) -> Option<u64> {
        self.0.space()
    }

    fn shares(&self) -> Vec<f64> {
        self.0.shares()
    }

    fn bytes(&self) -> usize {
        self.0.bytes()
    }

    fn with(&self, member: Member) -> Box<dyn Placement> {
        Box::new(Self(self.0.with(member)))
    }

    fn without(&self, node: NodeId) -> Box<dyn Placement> {
        Box::new(Self(self.0.without(node)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_a_slot_have_the_same_owners() {
        for &kind in PlacementKind::ALL {
            let placement = BySlot::new(kind.place(Members::first(5)));
            let hash = |key: &[u8]| placement.hash(key);
            assert_eq!(hash(b"{user}a"), hash(b"{user}b"), "{kind}");
            assert_eq!(placement.kind(), Some(kind));
        }
        let ring = PlacementKind::Ring.place(Members::first(5));
        let expected = ring.hash(slot_of(b"apple").to_string().as_bytes());
        assert_eq!(BySlot::new(ring).hash(b"apple"), expected);
        let mut buffer = [0; 5];
        assert_eq!(digits(0, &mut buffer), b"0");
        assert_eq!(digits(16_383, &mut buffer), b"16383");
    }
}
