//! When each node has something to do next, and which is the first.
//!
//! A tournament: a complete binary tree whose leaves are the nodes, and in which every inner place
//! holds the earlier of its two children. The first node is at the end of a walk down from the
//! root; of two with the same instant, the one with the smaller number.
//!
//! A leaf holds an instant at or before the node's earliest deadline. It may be earlier: when an entry
//! is removed, the leaf keeps its deadline until the cluster visits the node at that instant.
//!
//! Cost: O(1) to ask when and to announce a deadline that is not the node's next, O(log nodes) for
//! everything else; 16 bytes a node, rounded up to a power of two.

use crate::id::NodeId;
use crate::time::Instant;

/// The next instant at which each node has something to do, in a tournament.
#[derive(Clone, Default)]
pub(super) struct Deadlines {
    /// The root at 1, the children of `n` at `2 n` and `2 n + 1`, the leaves in the second half.
    /// [`Instant::MAX`]: never.
    tree: Vec<Instant>,
}

impl Deadlines {
    /// When the first node has something to do.
    #[inline]
    pub(super) fn next(&self) -> Option<Instant> {
        let next = self.tree.get(1).copied();
        next.filter(|&next| next < Instant::MAX)
    }

    /// Which node is the first to have something to do, and when.
    pub(super) fn first(&self) -> Option<(Instant, NodeId)> {
        let next = self.next()?;
        let mut at = 1;
        while at < self.width() {
            at *= 2;
            at += usize::from(self.tree[at + 1] < self.tree[at]);
        }
        let node = u32::try_from(at - self.width()).ok()?;
        Some((next, NodeId(node)))
    }

    /// A node may have something to do at `deadline`.
    #[inline]
    pub(super) fn expect(&mut self, node: NodeId, deadline: Instant) {
        let leaf = self.tree.get(self.width() + node.0 as usize);
        if leaf.is_none_or(|&next| deadline < next) {
            self.set(node, Some(deadline));
        }
    }

    /// A node has nothing to do before `next`, or never.
    pub(super) fn set(&mut self, node: NodeId, next: Option<Instant>) {
        let place = node.0 as usize;
        if place >= self.width() {
            self.widen(place + 1);
        }
        let mut at = self.width() + place;
        let mut next = next.unwrap_or(Instant::MAX);
        // Above a place that stays the same all others do.
        while self.tree[at] != next {
            self.tree[at] = next;
            if at == 1 {
                return;
            }
            next = next.min(self.tree[at ^ 1]);
            at /= 2;
        }
    }

    /// How many leaves there are.
    #[inline]
    fn width(&self) -> usize {
        self.tree.len() / 2
    }

    fn widen(&mut self, nodes: usize) {
        let leaves = self.tree.split_off(self.width());
        let width = nodes.next_power_of_two();
        self.tree = vec![Instant::MAX; 2 * width];
        self.tree[width..width + leaves.len()].copy_from_slice(&leaves);
        for at in (1..width).rev() {
            self.tree[at] = self.tree[2 * at].min(self.tree[2 * at + 1]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn the_first_is_the_earliest_and_of_equals_the_smallest_number() {
        let mut rng = Rng::new(7);
        let mut deadlines = Deadlines::default();
        assert_eq!(deadlines.first(), None);
        let mut plain: Vec<Option<Instant>> = vec![None; 100];
        for _ in 0..10_000 {
            let node = rng.below(100).min(rng.below(100));
            let at = Instant::from_nanos(rng.below(50));
            let id = NodeId(u32::try_from(node).expect("a small number"));
            let leaf = &mut plain[usize::try_from(node).expect("a small number")];
            match rng.below(3) {
                0 => {
                    deadlines.set(id, None);
                    *leaf = None;
                }
                1 => {
                    deadlines.set(id, Some(at));
                    *leaf = Some(at);
                }
                _ => {
                    deadlines.expect(id, at);
                    *leaf = Some(leaf.map_or(at, |old| old.min(at)));
                }
            }
            let known = (0..).map(NodeId).zip(&plain);
            let first = known.filter_map(|(id, at)| Some(((*at)?, id))).min();
            assert_eq!(deadlines.first(), first);
            assert_eq!(deadlines.next(), first.map(|(at, _)| at));
        }
        (0..100).for_each(|node| deadlines.set(NodeId(node), None));
        assert_eq!((deadlines.next(), deadlines.first()), (None, None));
    }
}
