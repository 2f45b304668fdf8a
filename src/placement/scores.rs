//! Scores of nodes for a hash, of which the highest win: what rendezvous hashing goes by, and the
//! replicas of slots.
//!
//! A node's draw for a hash is the product of the hash, made odd, and the node's seed, modulo 2^64.
//! The hash must be even over all 2^64; then so is each draw, and the draws of different nodes are
//! independent as far as anybody could count (two of them are tied only by a relation with
//! coefficients of about 2^32). An odd number has an inverse, so no two draws for a hash are equal.
//!
//! With weights, the score is weight / -ln(draw / 2^64). What is compared is its inverse, in
//! integers, and where two are equal, the draw; so equal weights give what the draws alone do.

use super::log::{high, neg_ln_of_rest};
use super::{Member, Members};
use crate::id::NodeId;
use crate::rng::Rng;

/// Up to so many owners are kept sorted in a row while the nodes are gone through.
const ROW: usize = 8;

/// The nodes' seeds and weights.
#[derive(Clone, Debug)]
pub(super) struct Scores {
    /// One for each member.
    seeds: Box<[u64]>,
    /// 2^64 / weight for each member, rounded down; none if all weights are equal.
    inverses: Box<[u64]>,
}

impl Scores {
    pub(super) fn new(members: &Members) -> Self {
        let seed = |member: &Member| Rng::new(member.node.0.into()).next_u64();
        let inverse = |member: &Member| u64::MAX / u64::from(member.weight);
        let equal = members.iter().all(|it| it.weight == members[0].weight);
        let weighted = if equal { &[][..] } else { &members[..] };
        Self {
            seeds: members.iter().map(seed).collect(),
            inverses: weighted.iter().map(inverse).collect(),
        }
    }

    /// The member with the highest score, by its place.
    #[inline]
    pub(super) fn best(&self, hash: u64) -> usize {
        if self.inverses.is_empty() {
            return highest_draw(&self.seeds, hash | 1);
        }
        let mut row = [(HIGHEST, 0)];
        keep_lowest(
            self.inverses.len(),
            |place, limit| self.cost(hash, place, limit),
            &mut row,
        );
        row[0].1
    }

    /// Fills `owners` with the `count` members of the highest scores, the highest first; all
    /// members if there are no more.
    pub(super) fn rank(
        &self,
        hash: u64,
        count: usize,
        members: &Members,
        owners: &mut Vec<NodeId>,
    ) {
        let count = count.min(members.len());
        owners.clear();
        if count > ROW {
            self.rank_many(hash, count, members, owners);
            return;
        }
        let mut row = [(HIGHEST, 0); ROW];
        let row = &mut row[..count];
        if self.inverses.is_empty() {
            let cost = |place, limit: Cost| {
                let rest = self.rest(hash, place);
                (rest < limit.1).then_some((0, rest))
            };
            keep_lowest(members.len(), cost, row);
        } else {
            let cost = |place, limit| self.cost(hash, place, limit);
            keep_lowest(members.len(), cost, row);
        }
        owners.extend(row.iter().map(|&(_, place)| members[place].node));
    }

    /// The same for many: all members, cut at the last that counts, and sorted. `owners` holds
    /// their places for as long.
    fn rank_many(&self, hash: u64, count: usize, members: &Members, owners: &mut Vec<NodeId>) {
        let cost = |place: &NodeId| self.cost(hash, place.0 as usize, HIGHEST);
        owners.extend((0..).map(NodeId).take(members.len()));
        if count < owners.len() {
            owners.select_nth_unstable_by_key(count, cost);
            owners.truncate(count);
        }
        owners.sort_unstable_by_key(cost);
        for owner in owners {
            *owner = members[owner.0 as usize].node;
        }
    }

    /// What is left of 2^64 above a member's draw.
    #[inline]
    fn rest(&self, hash: u64, place: usize) -> u64 {
        !(hash | 1).wrapping_mul(self.seeds[place])
    }

    /// The inverse of a member's score, if it is below a limit. -ln(1 - c) is at least c, so most
    /// are known not to be before any logarithm is taken.
    #[inline]
    fn cost(&self, hash: u64, place: usize, limit: Cost) -> Option<Cost> {
        let rest = self.rest(hash, place);
        let cost = match self.inverses.get(place) {
            None => (0, rest),
            Some(&inverse) if high(rest >> 6, inverse) > limit.0 => return None,
            Some(&inverse) => (high(neg_ln_of_rest(rest), inverse), rest),
        };
        (cost < limit).then_some(cost)
    }

    /// Bytes of memory beyond the fields.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.seeds) + size_of_val(&*self.inverses)
    }
}

/// The inverse of a score, and what is left above the draw, which decides between equal ones.
type Cost = (u64, u64);

/// Above the cost of any member.
const HIGHEST: Cost = (u64::MAX, u64::MAX);

/// The place of the seed whose product with an odd hash is the highest. Two at a time, so that the
/// comparisons of the one do not wait for those of the other.
#[inline]
fn highest_draw(seeds: &[u64], hash: u64) -> usize {
    let (pairs, last) = seeds.as_chunks::<2>();
    let mut even = (0, 0);
    let mut odd = (0, 0);
    for (pair, seeds) in pairs.iter().enumerate() {
        even = higher(even, (hash.wrapping_mul(seeds[0]), 2 * pair));
        odd = higher(odd, (hash.wrapping_mul(seeds[1]), 2 * pair + 1));
    }
    let mut best = higher(even, odd);
    if let [seed] = last {
        best = higher(best, (hash.wrapping_mul(*seed), seeds.len() - 1));
    }
    best.1
}

#[inline]
fn higher(best: (u64, usize), next: (u64, usize)) -> (u64, usize) {
    let wins = next.0 > best.0;
    (
        if wins { next.0 } else { best.0 },
        if wins { next.1 } else { best.1 },
    )
}

/// Fills `row` with the lowest costs and their places, the lowest first. `cost` is told what is too
/// much.
#[inline]
fn keep_lowest(
    count: usize,
    cost: impl Fn(usize, Cost) -> Option<Cost>,
    row: &mut [(Cost, usize)],
) {
    let Some(last) = row.len().checked_sub(1) else {
        return;
    };
    for place in 0..count {
        if let Some(cost) = cost(place, row[last].0) {
            let mut at = last;
            while at > 0 && cost < row[at - 1].0 {
                row[at] = row[at - 1];
                at -= 1;
            }
            row[at] = (cost, place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weighing(weight: impl Fn(u32) -> u32, count: u32) -> Members {
        let member = |node| Member {
            node: NodeId(node),
            weight: weight(node),
        };
        Members::new((0..count).map(member).collect())
    }

    fn rank(scores: &Scores, hash: u64, count: usize, members: &Members) -> Vec<NodeId> {
        let mut owners = Vec::new();
        scores.rank(hash, count, members, &mut owners);
        owners
    }

    #[test]
    fn equal_weights_are_no_weights() {
        let mut rng = Rng::new(1);
        for weight in [1, 3, 100] {
            let members = weighing(|_| weight, 50);
            let plain = Scores::new(&members);
            assert!(plain.inverses.is_empty());
            let inverses = vec![u64::MAX / u64::from(weight); 50].into();
            let weighted = Scores {
                inverses,
                ..plain.clone()
            };
            for _ in 0..5000 {
                let hash = rng.next_u64();
                assert_eq!(plain.best(hash), weighted.best(hash));
                let both = [&plain, &weighted].map(|it| rank(it, hash, 8, &members));
                assert_eq!(both[0], both[1]);
            }
        }
    }

    /// A logarithm of a float and a sort give the same, but for draws that are all but equal.
    #[test]
    fn ranks_are_those_of_the_formula() {
        let mut rng = Rng::new(2);
        let members = weighing(|node| 1 + node * node % 100, 40);
        let scores = Scores::new(&members);
        for _ in 0..2000 {
            let hash = rng.next_u64();
            let score = |member: &Member| {
                let draw = (hash | 1).wrapping_mul(Rng::new(member.node.0.into()).next_u64());
                f64::from(member.weight) / -(draw as f64 / 2_f64.powi(64)).ln()
            };
            let mut sorted = members.to_vec();
            sorted.sort_by(|a, b| score(b).total_cmp(&score(a)));
            let sorted: Vec<_> = sorted.iter().map(|member| member.node).collect();
            for count in [0, 1, 2, 7, 8, 9, 20, 39, 40, 41] {
                let owners = rank(&scores, hash, count, &members);
                assert_eq!(owners, sorted[..count.min(40)]);
            }
            assert_eq!(members[scores.best(hash)].node, sorted[0]);
        }
    }

    #[test]
    fn the_best_is_found_wherever_it_is() {
        let mut rng = Rng::new(3);
        for count in 1..20 {
            let members = Members::first(count);
            let scores = Scores::new(&members);
            for hash in (0..500).map(|_| rng.next_u64()).chain([0, 1, u64::MAX]) {
                let best = members[scores.best(hash)].node;
                assert_eq!(rank(&scores, hash, 1, &members), [best]);
                assert_eq!(rank(&scores, hash, 30, &members)[0], best);
            }
        }
    }
}
