//! Ketama: the ring that memcached's clients share.
//!
//! A node has 160 points: the MD5 digest of `name-0`, `name-1` and so on to `name-39` gives four
//! each, its bytes taken as little-endian numbers of 32 bits. A key's hash is the first such number
//! of its own digest, and the first point at or after it owns the key. All clients that know the
//! same names find a key on the same node.
//!
//! These are the points of libmemcached with `KETAMA_WEIGHTED`, which pylibmc calls
//! `ketama_weighted` and PHP `OPT_LIBKETAMA_COMPATIBLE`. There a node's name is
//! its host alone if it listens on port 11211, and `host:port` otherwise; a node here that was
//! given no name is called `server` and its number. With weights, a node has floor(40 × n × its part
//! of the weight) digests.
//!
//! Source: Jones, libketama, Last.fm 2007; libmemcached `hosts.cc`.
//!
//! Measured with a million keys on 3/10/100/1000 nodes: the most loaded node has 1.04/1.10/1.25/1.30
//! times the mean; a look-up, the key hashed, takes 3.4/3.4/4.6/7.2 ns; memory is 9/35/315/3965 KB.
//! Hashing a short key takes 106 ns. When an eleventh node joins, 9.00 % of the keys move (the
//! optimum is 9.09 %).
//!
//! Caveats: agreement is checked against libmemcached 1.1.4 for all of 1 to 100 equal nodes and 200
//! random clusters with weights; it takes no more than 100 nodes. It computes in single precision,
//! by which all of 25, 47, 50, 55, 71, 94 or 100 equal
//! nodes have 39 digests, where libketama's formula gives 40: around these sizes a join or leave
//! moves more (from 100 to 101 nodes, 3.6 times the optimum). With unequal weights a join or leave
//! may change the points of all nodes, and a node of less than 1/40 of the mean weight has no points
//! and no keys.

use super::points::Points;
use super::{Location, Member, Members, Placement, PlacementKind};
use crate::hash::md5;
use crate::id::NodeId;

/// The mean number of digests of a node; each gives four points.
const DIGESTS: f32 = 40.0;

/// MD5 of the key, on a ring of 2^32 positions. The replicas are the next distinct nodes clockwise.
/// Only the lower 32 bits of a hash count.
#[derive(Clone, Debug)]
pub struct Ketama {
    members: Members,
    /// One for each member, in their order.
    names: Vec<String>,
    points: Points,
}

impl Ketama {
    /// A ring of nodes called `server0`, `server1` and so on, by their numbers.
    #[must_use]
    pub fn new(members: Members) -> Self {
        let name = |member: &Member| default_name(member.node);
        let names = members.iter().map(name).collect();
        Self::with_names(members, names)
    }

    /// A ring of nodes with these names, one for each member, in the order of their numbers. A name
    /// is hashed as it is: `host` or `host:port`, whichever the other clients use. Of two nodes with
    /// the same name, the one with the higher number has no keys.
    ///
    /// # Panics
    /// If there are more or fewer names than members.
    #[must_use]
    pub fn with_names(members: Members, names: Vec<String>) -> Self {
        assert_eq!(names.len(), members.len(), "one name a member");
        let points = points(&members, &names);
        Self {
            members,
            names,
            points,
        }
    }

    /// This ring after a node of this name has joined. The node must not be a member yet.
    #[must_use]
    pub fn with_named(&self, member: Member, name: String) -> Self {
        let members = self.members.with(member);
        let mut names = self.names.clone();
        names.insert(members.index_of(member.node), name);
        Self::with_names(members, names)
    }

    /// The names of the nodes, in the order of their numbers.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

fn default_name(node: NodeId) -> String {
    format!("server{node}")
}

/// The points of all members. They are 32 bits wide and become the upper half of 64.
fn points(members: &Members, names: &[String]) -> Points {
    let total = members.total_weight();
    let mut points = Vec::new();
    for (member, name) in members.iter().zip(names) {
        for index in 0..digests(member.weight, total, members.len()) {
            let digest = md5(format!("{name}-{index}").as_bytes());
            let (numbers, _) = digest.as_chunks::<4>();
            let position = |&number| widened(u64::from(u32::from_le_bytes(number)));
            points.extend(numbers.iter().map(|it| (position(it), member.node)));
        }
    }
    Points::new(points)
}

/// How many digests a node of this weight has. libmemcached computes in single precision, and
/// so does this: each of 25 equal nodes has 39.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a small whole number"
)]
fn digests(weight: u32, total: u64, count: usize) -> u32 {
    let part = weight as f32 / total as f32;
    (part * (DIGESTS * 4.0) / 4.0 * count as f32).floor() as u32
}

/// A position of 32 bits as one of 64, so that [`Points`] can find it.
const fn widened(position: u64) -> u64 {
    position << 32
}

impl Placement for Ketama {
    fn kind(&self) -> Option<PlacementKind> {
        Some(PlacementKind::Ketama)
    }

    fn members(&self) -> &Members {
        &self.members
    }

    fn hash(&self, key: &[u8]) -> u64 {
        let [a, b, c, d, ..] = md5(key);
        u64::from(u32::from_le_bytes([a, b, c, d]))
    }

    #[inline]
    fn owner(&self, hash: u64) -> NodeId {
        self.points.owner(widened(hash))
    }

    fn owners(&self, hash: u64, count: usize, owners: &mut Vec<NodeId>) {
        owners.clear();
        self.points
            .fill(widened(hash), count, &self.members, owners);
    }

    fn locate(&self, hash: u64) -> Location {
        Location::Point(self.points.position(widened(hash)) >> 32)
    }

    fn space(&self) -> Option<u64> {
        Some(u64::from(u32::MAX))
    }

    fn shares(&self) -> Vec<f64> {
        self.points.shares(&self.members)
    }

    fn bytes(&self) -> usize {
        let texts: usize = self.names.iter().map(String::capacity).sum();
        let names = self.names.capacity() * size_of::<String>() + texts;
        size_of_val(&self.members[..]) + names + self.points.bytes()
    }

    fn with(&self, member: Member) -> Box<dyn Placement> {
        Box::new(self.with_named(member, default_name(member.node)))
    }

    fn without(&self, node: NodeId) -> Box<dyn Placement> {
        let mut names = self.names.clone();
        names.remove(self.members.index_of(node));
        Box::new(Self::with_names(self.members.without(node), names))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::golden;

    /// What libmemcached 1.1.4 (Debian 1.1.4-1) answers: `memcached_generate_hash` with
    /// `MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED`, servers on port 11211 unless named otherwise. uhashring
    /// 2.5 with `hash_fn="ketama"` agrees on the three equal nodes.
    const KEYS: [&str; 16] = [
        "apple",
        "banana",
        "grape",
        "foo",
        "bar",
        "user:1",
        "user:1000",
        "session/9f",
        "key:0",
        "key:1",
        "key:2",
        "key:3",
        "key:4",
        "key:5",
        "key:6",
        "key:7",
    ];
    const THREE: [u32; 16] = [1, 1, 1, 2, 1, 1, 2, 0, 0, 0, 0, 1, 0, 0, 0, 1];
    const TEN: [u32; 16] = [8, 9, 3, 2, 8, 8, 2, 5, 8, 4, 9, 9, 7, 0, 8, 1];
    const TWENTY_FIVE: [u32; 16] = [8, 23, 18, 2, 8, 8, 2, 14, 8, 4, 24, 16, 7, 18, 8, 1];
    const HUNDRED: [u32; 16] = [96, 23, 46, 2, 43, 8, 52, 48, 52, 69, 44, 96, 98, 88, 70, 36];
    const WEIGHTS_1_1_2_4: [u32; 16] = [2, 2, 3, 2, 3, 3, 2, 1, 3, 3, 0, 1, 2, 3, 3, 1];
    const HOSTS: [u32; 16] = [1, 1, 1, 1, 1, 2, 1, 1, 0, 1, 1, 2, 2, 2, 1, 2];

    fn weighted(weights: &[u32]) -> Members {
        let weights = weights.iter().zip(0..);
        let member = |(&weight, node)| Member {
            node: NodeId(node),
            weight,
        };
        Members::new(weights.map(member).collect())
    }

    fn answers(ketama: &dyn Placement) -> [u32; 16] {
        KEYS.map(|key| ketama.owner(ketama.hash(key.as_bytes())).0)
    }

    #[test]
    fn libmemcached_agrees_on_equal_nodes() {
        let owners = |count| answers(&Ketama::new(Members::first(count)));
        assert_eq!(owners(3), THREE);
        assert_eq!(owners(10), TEN);
        assert_eq!(owners(25), TWENTY_FIVE);
        assert_eq!(owners(100), HUNDRED);
    }

    #[test]
    fn libmemcached_agrees_on_weights_and_names() {
        let ketama = Ketama::new(weighted(&[1, 1, 2, 4]));
        assert_eq!(answers(&ketama), WEIGHTS_1_1_2_4);
        let names = ["10.0.1.1", "10.0.1.2:11212", "cache.example.org:11213"];
        let names = names.map(String::from).to_vec();
        let ketama = Ketama::with_names(weighted(&[1, 3, 1]), names);
        assert_eq!(answers(&ketama), HOSTS);
    }

    #[test]
    fn the_owners_are_fixed() {
        let kind = PlacementKind::Ketama;
        assert_eq!(
            golden::owners(kind, 3),
            "201 021 120 120 102 102 120 102 012 021 012 102"
        );
        assert_eq!(
            golden::owners(kind, 5),
            "203 302 124 124 341 140 124 314 041 302 041 431"
        );
        assert_eq!(
            golden::owners(kind, 10),
            "203 307 891 916 359 879 712 937 578 793 670 958"
        );
        assert_eq!(
            golden::checksums(kind),
            [0x763c_9c2b_1946_05e9, 0x90f4_8580_6e66_9bb0]
        );
    }

    #[test]
    fn names_are_kept_over_joins_and_leaves() {
        let names = ["a", "b"].map(String::from).to_vec();
        let two = Ketama::with_names(Members::first(2), names);
        let three = two.with_named(Member::new(NodeId(2)), "c".into());
        assert_eq!(three.names(), ["a", "b", "c"]);
        let back = two.with(Member::new(NodeId(7))).without(NodeId(7));
        assert_eq!(answers(&*back), answers(&two));
        assert_eq!(answers(&*three.without(NodeId(2))), answers(&two));
    }

    #[test]
    fn a_hash_on_a_point_is_that_node_s_and_after_the_last_comes_the_first() {
        let ketama = Ketama::new(Members::first(3));
        let [a, b, c, d, ..] = md5(b"server1-0");
        let point = u64::from(u32::from_le_bytes([a, b, c, d]));
        assert_eq!(ketama.owner(point), NodeId(1));
        assert_eq!(ketama.locate(point), Location::Point(point));
        assert_ne!(ketama.locate(point + 1), Location::Point(point));
        let last = u64::from(u32::MAX);
        assert_eq!(ketama.locate(last), ketama.locate(0));
        assert_eq!(ketama.owner(last), ketama.owner(0));
    }

    /// As with libmemcached: 2 × 40 / 101 of a digest is none.
    #[test]
    fn a_node_of_too_little_weight_has_no_keys() {
        let ketama = Ketama::new(weighted(&[1, 100]));
        assert_eq!(ketama.shares(), [0.0, 1.0]);
        let mut owners = Vec::new();
        ketama.owners(12345, 2, &mut owners);
        assert_eq!(owners, [NodeId(1), NodeId(0)]);
    }

    #[test]
    fn one_node_owns_all() {
        let ketama = Ketama::new(Members::first(1));
        assert_eq!(answers(&ketama), [0; 16]);
    }
}
