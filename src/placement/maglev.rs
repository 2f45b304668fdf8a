//! Maglev: a table of 65,537 entries that the nodes fill in turn, each in its own order.
//!
//! Each node visits all entries, from a first one and by a step that depend on its number, and in
//! turn each takes the next entry that is still free. So the numbers of entries differ by at most
//! one, and a node takes mostly the same entries with any other nodes. Source: Eisenbud et al.,
//! "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016, section 3.4. Nodes of
//! less weight miss turns.
//!
//! The table has one size for any number of nodes, though the paper asks for a hundred entries a
//! node. With 1000 nodes each has 65 or 66: that imbalance is smaller than the one of a thousand
//! random keys a node. A size that grew with the nodes would move nearly all keys at each step.
//!
//! A change moves more than the minimum: some entries pass between nodes that stay.

use super::{Location, Member, Members, Placement, PlacementKind};
use crate::hash::rapidhash;
use crate::id::NodeId;
use crate::rng::Rng;

/// Entries of the table. A prime, so that any step goes through all.
const ENTRIES: u32 = 65_537;

/// How many entries are searched for replicas; mostly the first few are enough.
const WALK: usize = 4096;

/// An entry that is not taken yet.
const FREE: u16 = u16::MAX;

/// [`rapidhash()`] of the key, scaled down to an entry by a multiplication. The replicas are the next
/// other nodes in the table, and if 4096 entries do not have enough, those next by number.
///
/// With 3/10/100/1000 nodes, measured with a million keys, without hashing the key: an owner costs
/// .7 ns for any number, three 10 to 12 ns. The most loaded node has 1.002/1.006/1.029/1.086 of the
/// mean, where chance alone gives 1.002/1.006/1.025/1.10. An eleventh node moves .0930 of the keys
/// (optimum .0909) and copies for three owners 1.08 of the optimum; a node of ten that leaves moves
/// 1.02 of its keys. Memory: 131 kB and 8 bytes a node. A change makes a new table: .4/.8/1.3/1.0 ms.
#[derive(Clone, Debug)]
pub struct Maglev {
    members: Members,
    /// For each entry, the index of its node among the members.
    table: Box<[u16]>,
}

impl Maglev {
    /// A placement on these nodes, by weight.
    ///
    /// # Panics
    /// If there are more than 65,535.
    #[must_use]
    pub fn new(members: Members) -> Self {
        let table = filled(&members);
        Self { members, table }
    }

    #[inline]
    fn entry(hash: u64) -> usize {
        let entry = hash.carrying_mul(ENTRIES.into(), 0).1;
        usize::try_from(entry).unwrap_or(0)
    }

    /// How many entries each member has.
    fn entries(&self) -> Vec<u32> {
        let mut entries = vec![0; self.members.len()];
        for &index in &self.table {
            entries[usize::from(index)] += 1;
        }
        entries
    }

    #[inline]
    fn index(&self, entry: usize) -> usize {
        self.table[entry].into()
    }
}

/// The order in which a node visits the entries.
struct Walk {
    /// The next entry.
    next: u32,
    /// The distance from one entry to the next, modulo their number.
    step: u32,
    weight: u32,
    /// Its weight times the rounds so far, minus the cost of its turns: the heaviest weight each.
    credit: u32,
}

impl Walk {
    fn new(member: Member) -> Self {
        let mut rng = Rng::new(member.node.0.into());
        let mut below = |n: u32| u32::try_from(rng.below(n.into())).unwrap_or(0);
        Self {
            next: below(ENTRIES),
            step: 1 + below(ENTRIES - 1),
            weight: member.weight,
            credit: 0,
        }
    }

    /// Whether it has a turn in this round. The heaviest node has one in every round.
    fn has_turn(&mut self, heaviest: u32) -> bool {
        self.credit += self.weight;
        let has = self.credit >= heaviest;
        if has {
            self.credit -= heaviest;
        }
        has
    }

    /// Takes the next free entry for the member with this index. There must be one.
    fn take(&mut self, table: &mut [u16], index: u16) {
        loop {
            let entry = self.next as usize;
            let next = self.next + self.step;
            self.next = if next < ENTRIES { next } else { next - ENTRIES };
            if table[entry] == FREE {
                table[entry] = index;
                return;
            }
        }
    }
}

fn filled(members: &Members) -> Box<[u16]> {
    assert!(
        members.len() <= usize::from(FREE),
        "a table has 65,535 nodes at most"
    );
    let mut table = vec![FREE; ENTRIES as usize].into_boxed_slice();
    let mut walks: Vec<Walk> = members.iter().copied().map(Walk::new).collect();
    let heaviest = members
        .iter()
        .map(|member| member.weight)
        .max()
        .unwrap_or(1);
    let mut free = ENTRIES;
    loop {
        for (index, walk) in (0..).zip(&mut walks) {
            if walk.has_turn(heaviest) {
                walk.take(&mut table, index);
                free -= 1;
            }
            if free == 0 {
                return table;
            }
        }
    }
}

impl Placement for Maglev {
    fn kind(&self) -> Option<PlacementKind> {
        Some(PlacementKind::Maglev)
    }

    fn members(&self) -> &Members {
        &self.members
    }

    fn hash(&self, key: &[u8]) -> u64 {
        rapidhash(key)
    }

    #[inline]
    fn owner(&self, hash: u64) -> NodeId {
        self.members[self.index(Self::entry(hash))].node
    }

    fn owners(&self, hash: u64, count: usize, owners: &mut Vec<NodeId>) {
        let count = count.min(self.members.len());
        let first = Self::entry(hash);
        let walk = (first..self.table.len()).chain(0..first).take(WALK);
        let by_number = (0..self.members.len()).cycle().skip(self.index(first));
        let indices = walk.map(|entry| self.index(entry)).chain(by_number);
        let mut nodes = indices.map(|index| self.members[index].node);
        owners.clear();
        while owners.len() < count {
            let fresh = nodes.find(|node| !owners.contains(node));
            owners.extend(fresh);
        }
    }

    fn locate(&self, hash: u64) -> Location {
        Location::Entry(Self::entry(hash) as u64)
    }

    fn space(&self) -> Option<u64> {
        Some(u64::MAX)
    }

    fn shares(&self) -> Vec<f64> {
        let share = |entries| f64::from(entries) / f64::from(ENTRIES);
        self.entries().into_iter().map(share).collect()
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.members[..]) + size_of_val(&*self.table)
    }

    fn with(&self, member: Member) -> Box<dyn Placement> {
        Box::new(Self::new(self.members.with(member)))
    }

    fn without(&self, node: NodeId) -> Box<dyn Placement> {
        Box::new(Self::new(self.members.without(node)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::golden;
    use super::*;

    #[test]
    fn the_owners_are_fixed() {
        let kind = PlacementKind::Maglev;
        assert_eq!(
            golden::owners(kind, 3),
            "102 120 210 210 021 012 201 102 012 012 102 120"
        );
        assert_eq!(
            golden::owners(kind, 5),
            "140 431 231 240 432 042 420 104 012 032 103 123"
        );
        assert_eq!(
            golden::owners(kind, 10),
            "984 431 278 286 495 084 486 106 701 632 103 952"
        );
        assert_eq!(
            golden::checksums(kind),
            [0x6d68_e0ad_aa00_006c, 0x7b42_0aee_7297_caa3]
        );
    }

    #[test]
    fn one_node_has_everything() {
        let maglev = Maglev::new(Members::new(vec![Member::new(NodeId(9))]));
        let mut owners = Vec::new();
        for hash in [0, 1, u64::MAX] {
            maglev.owners(hash, 3, &mut owners);
            assert_eq!(owners, [NodeId(9)]);
        }
        assert_eq!(maglev.shares(), [1.0]);
        assert_eq!(maglev.bytes(), 131_082);
    }

    #[test]
    fn the_ends_of_the_hashes_are_the_ends_of_the_table() {
        let maglev = Maglev::new(Members::first(3));
        assert_eq!(maglev.locate(0), Location::Entry(0));
        assert_eq!(maglev.locate(u64::MAX), Location::Entry(65_536));
        let mut owners = Vec::new();
        maglev.owners(u64::MAX, 3, &mut owners);
        assert_eq!(owners.len(), 3, "the table goes round");
    }

    #[test]
    fn all_have_the_same_number_of_entries_or_one_more() {
        for count in [2, 3, 10, 100, 1000] {
            let entries = Maglev::new(Members::first(count)).entries();
            let even = ENTRIES / count;
            assert!(entries.iter().all(|it| (even..=even + 1).contains(it)));
        }
    }

    #[test]
    fn weights_count_to_within_two_entries() {
        let member = |(node, weight)| Member {
            node: NodeId(node),
            weight,
        };
        let weights = (0..).zip([1, 100, 3, 50, 7]);
        let members = Members::new(weights.map(member).collect());
        let maglev = Maglev::new(members.clone());
        for (entries, fair) in maglev.entries().iter().zip(members.fair_shares()) {
            let fair = fair * f64::from(ENTRIES);
            assert!(
                (f64::from(*entries) - fair).abs() < 2.0,
                "{entries} of {fair}"
            );
        }
    }

    /// A node that has next to no entries is an owner all the same.
    #[test]
    fn a_node_beyond_the_searched_entries_is_found_by_number() {
        let member = |node| Member {
            node: NodeId(node),
            weight: if node == 5 { 1 } else { 100 },
        };
        let maglev = Maglev::new(Members::new((0..1000).map(member).collect()));
        let mut owners = Vec::new();
        for hash in [0, u64::MAX / 3, u64::MAX] {
            maglev.owners(hash, usize::MAX, &mut owners);
            let all = owners.clone();
            owners.sort_unstable();
            assert!(owners.iter().map(|owner| owner.0).eq(0..1000));
            maglev.owners(hash, 998, &mut owners);
            assert_eq!(owners, all[..998]);
        }
    }
}
