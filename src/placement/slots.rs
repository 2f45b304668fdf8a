//! Slots, as in Redis Cluster: 16,384 of them, and a table of the node that has each.
//!
//! A key's slot is a CRC of the key, or of its hash tag: `{user1000}.following` and
//! `{user1000}.followers` are in one slot, because only `user1000` is hashed. Source: Redis Cluster
//! Specification, redis.io, "Key distribution model" and "Hash tags".
//!
//! A fresh table gives each node one range, as `redis-cli --cluster create` does: the nodes by
//! number, the ends rounded. The fresh table of the present members also guides later changes: the
//! size of a node's range in it is the node's quota, and the node is the home of the slots in its
//! range. The rules are those of `redis-cli --cluster rebalance` with `--cluster-use-empty-masters`
//! and `--cluster-weight`, except that Redis accepts an imbalance of 2 % and always takes the lowest
//! slots:
//!
//! - A node that joins takes its quota, one slot after another, each from the node that is most
//!   above its own quota; of several, from the one with the lowest number. So each node gives in
//!   proportion to what it has.
//! - Each slot of a node that leaves goes to the node that is most below its quota, likewise.
//! - Slots go to their homes first, then the others go, from the lowest.
//!
//! No slot moves between two nodes that stay. With up to 128 nodes of one weight, each node has its
//! quota after any changes. A node that leaves a fresh table and comes back gets the same slots.
//!
//! The table has primaries only (Redis attaches a replica to one primary, for all of its slots). The
//! replicas are the nodes with the highest scores for the slot, as in rendezvous hashing, so the
//! replicas of a lost node's slots are spread over all other nodes.
//!
//! Slots are coarse: 1000 nodes have 16 or 17 each, and small differences of weight get lost.

use super::deal::{self, SLOTS, Table};
use super::scores::Scores;
use super::{Location, Member, Members, Placement, PlacementKind};
use crate::hash::crc16_xmodem;
use crate::id::NodeId;
use crate::rng::Rng;

/// CRC-16 of the key or its hash tag, modulo 16,384: that is the hash, and the slot. Larger hashes
/// are taken modulo 16,384.
///
/// With 3/10/100/1000 nodes, measured with a million keys, without hashing the key (22 ns for 14
/// bytes): an owner costs .5 ns for any number, three 23/35/220/1050 ns. The most loaded node has
/// 1.000/1.000/1.005/1.067 of the mean with keys numbered through, which a CRC spreads better than
/// chance. An eleventh node moves .0909 of the keys (the optimum) and copies for three owners 1.01
/// of the optimum; a node that leaves moves its own keys only. Memory: 33 kB and 16 bytes a node, with unequal weights 24. A change costs .1 ms.
#[derive(Clone, Debug)]
pub struct Slots {
    members: Members,
    table: Table,
    /// For the replicas.
    scores: Scores,
}

impl Slots {
    /// A fresh table for these nodes, by weight.
    ///
    /// # Panics
    /// If there are more than 65,535.
    #[must_use]
    pub fn new(members: Members) -> Self {
        let table = deal::fresh(&members);
        Self::with_table(members, table)
    }

    fn with_table(members: Members, table: Table) -> Self {
        let scores = Scores::new(&members);
        Self {
            members,
            table,
            scores,
        }
    }

    #[inline]
    fn slot(hash: u64) -> u16 {
        u16::try_from(hash % SLOTS as u64).unwrap_or(0)
    }

    #[inline]
    fn primary(&self, slot: u16) -> NodeId {
        let index = self.table[usize::from(slot) % SLOTS];
        self.members[usize::from(index)].node
    }
}

/// How many slots Redis Cluster has.
pub const SLOT_COUNT: u16 = 16_384;

/// The slot of a key in Redis Cluster: CRC-16 of the key or its hash tag, modulo [`SLOT_COUNT`].
#[must_use]
pub fn slot_of(key: &[u8]) -> u16 {
    crc16_xmodem(hash_tag(key)) % SLOT_COUNT
}

/// The part of a key that is hashed: the bytes between its first `{` and the first `}` after that;
/// the whole key if there are none.
fn hash_tag(key: &[u8]) -> &[u8] {
    let tag = memchr::memchr(b'{', key).and_then(|open| {
        let rest = &key[open + 1..];
        memchr::memchr(b'}', rest).map(|close| &rest[..close])
    });
    tag.filter(|tag| !tag.is_empty()).unwrap_or(key)
}

/// The index of a node among the members, of which it is one.
fn index_of(members: &Members, node: NodeId) -> u16 {
    u16::try_from(members.index_of(node)).expect("65,535 members at most")
}

impl Placement for Slots {
    fn kind(&self) -> Option<PlacementKind> {
        Some(PlacementKind::Slots)
    }

    fn members(&self) -> &Members {
        &self.members
    }

    fn hash(&self, key: &[u8]) -> u64 {
        slot_of(key).into()
    }

    fn hash_of_slot(&self, slot: u16) -> Option<u64> {
        Some(slot.into())
    }

    #[inline]
    fn owner(&self, hash: u64) -> NodeId {
        self.primary(Self::slot(hash))
    }

    fn owners(&self, hash: u64, count: usize, owners: &mut Vec<NodeId>) {
        let slot = Self::slot(hash);
        let primary = self.primary(slot);
        // No need to rank one more: either the primary is among them, or the last is cut off.
        let replicas = if count > 1 { count } else { 0 };
        let mixed = Rng::new(slot.into()).next_u64();
        self.scores.rank(mixed, replicas, &self.members, owners);
        owners.retain(|&owner| owner != primary);
        owners.insert(0, primary);
        owners.truncate(count);
    }

    fn locate(&self, hash: u64) -> Location {
        Location::Slot(Self::slot(hash))
    }

    fn space(&self) -> Option<u64> {
        Some(SLOTS as u64 - 1)
    }

    fn shares(&self) -> Vec<f64> {
        let counts = deal::counts(&self.table, self.members.len());
        let share = |count| f64::from(count) / SLOTS as f64;
        counts.into_iter().map(share).collect()
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.members[..]) + size_of_val(&*self.table) + self.scores.bytes()
    }

    fn with(&self, member: Member) -> Box<dyn Placement> {
        let members = self.members.with(member);
        let newcomer = index_of(&members, member.node);
        let table = deal::joined(&self.table, &members, newcomer);
        Box::new(Self::with_table(members, table))
    }

    fn without(&self, node: NodeId) -> Box<dyn Placement> {
        let leaver = index_of(&self.members, node);
        let members = self.members.without(node);
        let table = deal::left(&self.table, &members, leaver);
        Box::new(Self::with_table(members, table))
    }
}

#[cfg(test)]
mod tests {
    use super::super::golden;
    use super::*;

    /// What redis-server 7.0.15 answers to `CLUSTER KEYSLOT`.
    const KEYSLOTS: [(&[u8], u64); 33] = [
        (b"", 0),
        (b"foo", 12_182),
        (b"apple", 7092),
        (b"{}", 15_257),
        (b"{}foo", 9500),
        (b"foo{}", 5542),
        (b"{a}b", 15_495),
        (b"a", 15_495),
        (b"{a}", 15_495),
        (b"x{a}y", 15_495),
        (b"foo{}{bar}", 8363),
        (b"foo{{bar}}zap", 4015),
        (b"foo{bar}{zap}", 5061),
        (b"{bar", 4015),
        (b"foo{bar", 15_278),
        (b"foo}bar{", 11_073),
        (b"}{", 12_793),
        (b"}{a}", 15_495),
        (b"{", 4092),
        (b"}", 12_090),
        (b"{{}", 4092),
        (b"{{}}", 4092),
        (b"{ }", 9314),
        (b"user:1000", 1649),
        (b"{user1000}.following", 3443),
        (b"\x00", 0),
        (b"\xff", 7920),
        (b"\x00\xff\x80", 4727),
        (b"{\x00}x", 0),
        (b"\xff{\xfe}\xfd", 3793),
        (b"key\r\nwith line", 4694),
        (b"\xc3\xa9", 10_180),
        (b"a{b}c{d}e", 3300),
    ];

    /// The first slot of each master after `redis-cli --cluster create` 7.0.15 without replicas.
    const CREATED: [&[u16]; 4] = [
        &[0, 5461, 10923],
        &[0, 3277, 6554, 9830, 13107],
        &[0, 2731, 5461, 8192, 10923, 13653],
        &[0, 2341, 4681, 7022, 9362, 11703, 14043],
    ];

    fn node(node: u32, weight: u32) -> Member {
        let node = NodeId(node);
        Member { node, weight }
    }

    fn primaries(placement: &dyn Placement) -> Vec<NodeId> {
        (0..SLOTS as u64)
            .map(|slot| placement.owner(slot))
            .collect()
    }

    fn sizes(placement: &dyn Placement) -> Vec<u32> {
        let members = placement.members();
        let mut sizes = vec![0; members.len()];
        for node in primaries(placement) {
            sizes[usize::from(index_of(members, node))] += 1;
        }
        sizes
    }

    #[test]
    fn keys_are_in_the_slots_that_redis_says() {
        let slots = Slots::new(Members::first(3));
        for (key, slot) in KEYSLOTS {
            assert_eq!(slots.hash(key), slot, "{}", key.escape_ascii());
        }
        assert_eq!(slots.hash(&[b'z'; 300]), 10_508);
        assert_eq!(slots.locate(12_182).to_string(), "slot 12182");
    }

    #[test]
    fn ranges_are_those_that_redis_creates() {
        for firsts in CREATED {
            let count = u32::try_from(firsts.len()).expect("few");
            let slots = Slots::new(Members::first(count));
            let ends = firsts[1..].iter().copied().chain([16_384]);
            for ((first, end), node) in firsts.iter().zip(ends).zip(0..) {
                let range = u64::from(*first)..u64::from(end);
                assert!(range.clone().all(|slot| slots.owner(slot) == NodeId(node)));
            }
        }
    }

    #[test]
    fn the_owners_are_fixed() {
        let kind = PlacementKind::Slots;
        assert_eq!(
            golden::owners(kind, 3),
            "021 210 102 102 012 120 102 120 021 102 201 102"
        );
        assert_eq!(
            golden::owners(kind, 5),
            "021 421 234 210 012 341 240 201 123 314 403 301"
        );
        assert_eq!(
            golden::owners(kind, 10),
            "056 972 496 591 179 648 465 526 267 673 850 690"
        );
        assert_eq!(
            golden::checksums(kind),
            [0x8228_2480_5543_4fce, 0x35bd_7f92_0bd3_97ba]
        );
        assert_eq!(golden::weighted_checksum(kind), 0xde9d_85fa_8bc2_0790);
    }

    #[test]
    fn one_node_has_everything_and_a_second_takes_half() {
        let one = Slots::new(Members::new(vec![Member::new(NodeId(9))]));
        let mut owners = Vec::new();
        for hash in [0, 16_383, 16_384, u64::MAX] {
            one.owners(hash, 3, &mut owners);
            assert_eq!(owners, [NodeId(9)]);
        }
        assert_eq!(one.bytes(), 32_768 + 8 + 8);
        assert_eq!(one.locate(u64::MAX), Location::Slot(16_383));
        assert_eq!(sizes(&*one.with(Member::new(NodeId(3)))), [8192, 8192]);
        one.owners(5, 0, &mut owners);
        assert_eq!(owners, []);
    }

    #[test]
    fn more_nodes_than_slots_do_no_harm() {
        let slots = Slots::new(Members::first(20_000));
        assert_eq!(slots.owner(16_383), NodeId(16_383));
        let fewer = slots.without(NodeId(7));
        assert_eq!(sizes(&*fewer).iter().sum::<u32>(), 16_384);
        let more = slots.with(Member::new(NodeId(20_000)));
        assert_eq!(primaries(&*more), primaries(&slots));
    }

    /// A newcomer takes its quota and no more, from each in proportion to its weight.
    #[test]
    fn a_newcomer_takes_from_each_in_proportion() {
        let before = Slots::new(Members::new(vec![node(0, 1), node(2, 2), node(7, 5)]));
        assert_eq!(sizes(&before), [2048, 4096, 10_240]);
        let after = before.with(node(4, 8));
        assert_eq!(sizes(&*after), [1024, 2048, 8192, 5120]);
        assert_eq!(after.shares(), [0.0625, 0.125, 0.5, 0.3125]);
        for (old, new) in primaries(&before).into_iter().zip(primaries(&*after)) {
            assert!(old == new || new == NodeId(4));
        }
        let third = after.without(NodeId(2));
        assert_eq!(sizes(&*third), [1170, 9363, 5851]);
    }

    #[test]
    fn a_node_that_returns_gets_the_same_slots_back() {
        for count in 2..40 {
            let before = Slots::new(Members::first(count));
            let joined = before.with(node(count, 1));
            let left = joined.without(NodeId(count));
            assert_eq!(primaries(&*left), primaries(&before));
            let away = NodeId(count / 2);
            let returned = before.without(away).with(Member::new(away));
            assert_eq!(
                primaries(&*returned),
                primaries(&before),
                "{away} of {count}"
            );
        }
    }

    #[test]
    fn all_have_their_quota_after_any_changes() {
        let mut rng = Rng::new(11);
        let mut slots: Box<dyn Placement> = Box::new(Slots::new(Members::first(100)));
        for next in 100..300 {
            let count = slots.members().len();
            let place = usize::try_from(rng.below(count as u64)).expect("small");
            let shrinks = count == 128 || rng.below(2) == 0;
            let before = primaries(&*slots);
            let leaver = slots.members()[place].node;
            slots = if shrinks {
                slots.without(leaver)
            } else {
                slots.with(node(next, 1))
            };
            let due = Slots::new(slots.members().clone());
            assert_eq!(sizes(&*slots), sizes(&due));
            for (old, new) in before.into_iter().zip(primaries(&*slots)) {
                assert!(old == new || new == NodeId(next) || (shrinks && old == leaver));
            }
        }
    }

    /// A newcomer is the only one who gets copies, and a lost node's are all over the others.
    #[test]
    fn replicas_move_little_and_spread() {
        let before = Slots::new(Members::first(10));
        let after = before.with(node(10, 1));
        let owners = |placement: &dyn Placement, slot| {
            let mut owners = Vec::new();
            placement.owners(slot, 3, &mut owners);
            owners
        };
        let mut heirs = [0; 10];
        let mut copies = 0;
        for slot in 0..SLOTS as u64 {
            let old = owners(&before, slot);
            let new = owners(&*after, slot);
            let mut fresh = new.iter().filter(|owner| !old.contains(owner));
            copies += fresh.clone().count();
            assert!(fresh.all(|&owner| owner == NodeId(10)), "{old:?} {new:?}");
            if old[0] == NodeId(4) {
                heirs[old[1].0 as usize] += 1;
            }
        }
        assert!(heirs.iter().all(|&heir| heir < 2 * SLOTS / 90), "{heirs:?}");
        assert!(copies < 12 * 3 * SLOTS / 110, "{copies}");
    }
}
