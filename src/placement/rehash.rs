//! Hashes made from hashes, for placements that look a key up again: to get past a bucket that is
//! not in use, and to find further owners.
//!
//! Nothing here may ever change: where keys live depends on it.

use super::Members;
use crate::id::NodeId;
use crate::rng::Rng;

/// How many look-ups in a row may find known owners before the members are searched.
const TRIES: u32 = 64;

/// The next hash of a chain that starts with a key's: the two halves of a product of 128 bits,
/// one over the other, as wyhash and rapidhash mix. Cost: one multiplication.
#[inline]
pub(super) fn remix(hash: u64) -> u64 {
    let start = hash ^ 0x9e37_79b9_7f4a_7c15;
    let (low, high) = start.carrying_mul(0xd134_2543_de82_ef95, 0);
    low ^ high
}

/// A hash scaled down to 0 to `count` - 1: the upper half of a product (Lemire, "Fast Random Integer
/// Generation in an Interval", ACM TOMACS 29(1), 2019).
#[inline]
pub(super) fn scale(hash: u64, count: usize) -> usize {
    let scaled = hash.carrying_mul(count as u64, 0).1;
    usize::try_from(scaled).unwrap_or(0)
}

/// Fills `owners` with the first `count` distinct owners of the hash itself and of the numbers of
/// the generator that it seeds, which are its mixtures with 1, 2, 3, ...
///
/// A copy moves only when one of these hashes moves, so copies move as little as `owner` lets
/// primaries move. Where [`TRIES`] look-ups in a row find no new owner, the next owner is the first
/// new one among the members, from an index that the generator chooses: so the search always ends.
/// Cost: with n members about n / (n - i) look-ups for owner i, counted from 0.
pub(super) fn scatter(
    members: &Members,
    hash: u64,
    count: usize,
    owners: &mut Vec<NodeId>,
    owner: impl Fn(u64) -> NodeId,
) {
    let count = count.min(members.len());
    let mut rng = Rng::new(hash);
    owners.clear();
    if count > 0 {
        owners.push(owner(hash));
    }
    while owners.len() < count {
        let mut drawn = (0..TRIES).map(|_| owner(rng.next_u64()));
        let next = drawn.find(|node| !owners.contains(node));
        owners.push(next.unwrap_or_else(|| walk(members, &mut rng, owners)));
    }
}

/// The first member from a random index on that is not among the owners.
fn walk(members: &Members, rng: &mut Rng, owners: &[NodeId]) -> NodeId {
    let start = scale(rng.next_u64(), members.len());
    let mut nodes = members.iter().cycle().skip(start).map(|member| member.node);
    nodes
        .find(|node| !owners.contains(node))
        .expect("there are fewer owners than members")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remixed_hashes_are_pinned() {
        let hashes = [0, 1, u64::MAX].map(remix);
        let pinned = [
            8_826_844_253_505_228_309,
            12_342_989_821_946_609_288,
            8_971_089_733_642_268_501,
        ];
        assert_eq!(hashes, pinned);
    }

    #[test]
    fn scaled_hashes_are_within_bounds() {
        for count in [1, 2, 3, 1000, usize::MAX] {
            assert_eq!(scale(0, count), 0);
            assert_eq!(scale(u64::MAX, count), count - 1);
        }
    }

    #[test]
    fn owners_are_found_though_look_ups_know_but_one() {
        let members = Members::first(5);
        for hash in 0..100 {
            let mut owners = Vec::new();
            scatter(&members, hash, 5, &mut owners, |_| NodeId(3));
            assert_eq!(owners[0], NodeId(3));
            for count in 0..5 {
                let mut fewer = Vec::new();
                scatter(&members, hash, count, &mut fewer, |_| NodeId(3));
                assert_eq!(fewer, owners[..count]);
            }
            owners.sort_unstable();
            assert_eq!(owners, (0..5).map(NodeId).collect::<Vec<_>>());
        }
    }
}
