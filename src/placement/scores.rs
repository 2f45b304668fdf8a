//! Scores of nodes for a hash: the owners are the nodes with the highest scores. Rendezvous hashing
//! uses them, and `slots` for its replicas.
//!
//! A node's draw for a hash is the product of the hash, made odd, and the node's seed, modulo 2^64.
//! The hash must be uniform over all 64 bits; then each draw is uniform, and the draws of different
//! nodes are independent for all practical purposes (two of them are tied only by a relation with
//! coefficients of about 2^32). An odd number has an inverse, so no two draws for a hash are equal.
//!
//! With weights, the score is weight / -ln(draw / 2^64). What is compared is its inverse, the cost,
//! and where two costs are equal, the draw; so equal weights give the same order as no weights.
//!
//! Owners must be the same on every machine. `f64::ln` may differ in its last bits from one
//! platform's library to the next, so the logarithm is that of the `libm` crate, without its code
//! for single processors: it uses only operations that IEEE 754 defines to the bit.

use super::{Member, Members};
use crate::id::NodeId;
use crate::rng::Rng;

/// How many different draws there are.
const DRAWS: f64 = 18_446_744_073_709_551_616.0;

/// A little less than 1: more than the rounding errors of a cost.
const MARGIN: f64 = 1.0 - 1e-15;

/// Up to this many owners are kept sorted in an array while the nodes are scanned.
const ROW: usize = 8;

/// The nodes' seeds and weights.
#[derive(Clone, Debug)]
pub(super) struct Scores {
    /// One for each member.
    seeds: Box<[u64]>,
    /// 1 / weight for each member; empty if all weights are equal.
    inverses: Box<[f64]>,
}

impl Scores {
    pub(super) fn new(members: &Members) -> Self {
        let seed = |member: &Member| Rng::new(member.node.0.into()).next_u64();
        let inverse = |member: &Member| 1.0 / f64::from(member.weight);
        let equal = members.iter().all(|it| it.weight == members[0].weight);
        let weighted = if equal { &[][..] } else { &members[..] };
        Self {
            seeds: members.iter().map(seed).collect(),
            inverses: weighted.iter().map(inverse).collect(),
        }
    }

    /// The index of the member with the highest score.
    #[inline]
    pub(super) fn best(&self, hash: u64) -> usize {
        if self.inverses.is_empty() {
            return highest_draw(&self.seeds, hash | 1);
        }
        let mut row = [(HIGHEST, 0)];
        keep_lowest(
            self.inverses.len(),
            |index, limit| self.cost(hash, index, limit),
            &mut row,
        );
        row[0].1
    }

    /// Fills `owners` with the `count` members of the highest scores, the highest first; with all
    /// members if there are fewer.
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
        let cost = |index, limit| self.cost(hash, index, limit);
        keep_lowest(members.len(), cost, row);
        owners.extend(row.iter().map(|&(_, index)| members[index].node));
    }

    /// [`rank`](Self::rank) for more than [`ROW`] owners: selects them among all members, then
    /// sorts. Until the end, `owners` holds indices of members in place of their numbers.
    fn rank_many(&self, hash: u64, count: usize, members: &Members, owners: &mut Vec<NodeId>) {
        let cost = |index: &NodeId| self.cost(hash, index.0 as usize, HIGHEST);
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

    /// How far a member's draw is below the highest, 2^64 - 1.
    #[inline]
    fn rest(&self, hash: u64, index: usize) -> u64 {
        !(hash | 1).wrapping_mul(self.seeds[index])
    }

    /// A member's cost, if it is below a limit. -ln(1 - c) is at least c, so most costs are known to
    /// be too high before a logarithm is taken.
    #[inline]
    fn cost(&self, hash: u64, index: usize, limit: Cost) -> Option<Cost> {
        let rest = self.rest(hash, index);
        let Some(inverse) = self.inverses.get(index) else {
            return (rest < limit.1).then_some((0, rest));
        };
        let part = rest as f64 / DRAWS;
        if (part * inverse * MARGIN).to_bits() > limit.0 {
            return None;
        }
        let cost = (-libm::log1p(-part) * inverse).to_bits();
        Some((cost, rest)).filter(|cost| *cost < limit)
    }

    /// Bytes of memory beyond the fields.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.seeds) + size_of_val(&*self.inverses)
    }
}

/// The inverse of a score, as the bits of a float (those of floats that are not negative compare as
/// the floats do); and [`Scores::rest`], which decides between equal ones.
type Cost = (u64, u64);

/// Above the cost of any member.
const HIGHEST: Cost = (u64::MAX, u64::MAX);

/// The index of the seed whose product with an odd hash is the highest. Even and odd indices are
/// compared apart, so that the processor can do both at once.
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

/// Fills `row` with the lowest costs and their indices, the lowest first. `cost` gets the limit: it
/// need not compute a cost that is not below.
#[inline]
fn keep_lowest(
    count: usize,
    cost: impl Fn(usize, Cost) -> Option<Cost>,
    row: &mut [(Cost, usize)],
) {
    let Some(last) = row.len().checked_sub(1) else {
        return;
    };
    for index in 0..count {
        if let Some(cost) = cost(index, row[last].0) {
            let mut at = last;
            while at > 0 && cost < row[at - 1].0 {
                row[at] = row[at - 1];
                at -= 1;
            }
            row[at] = (cost, index);
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
            let inverses = vec![1.0 / f64::from(weight); 50].into();
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
