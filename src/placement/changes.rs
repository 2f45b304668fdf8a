//! Checks of random joins and leaves, for the tests of placements.

use proptest::prelude::*;

use super::rehash::{remix, scale};
use super::{Member, Members, Placement};
use crate::hash::rapidhash;
use crate::id::NodeId;

/// The hashes of `count` keys.
pub(super) fn hashes(count: u32) -> impl Iterator<Item = u64> {
    (0..count).map(|key| rapidhash(&key.to_le_bytes()))
}

/// The buckets in use, and for each removed bucket those that were in use just after, in order: the
/// sets that anchor and memento do not store.
pub(super) struct Sets {
    used: Vec<usize>,
    after: Vec<Option<Vec<usize>>>,
}

impl Sets {
    pub(super) fn new(buckets: usize) -> Self {
        Self {
            used: (0..buckets).collect(),
            after: vec![None; buckets],
        }
    }

    /// The last bucket replaces the removed one.
    pub(super) fn remove(&mut self, bucket: usize) {
        let index = self.used.iter().position(|&it| it == bucket);
        self.used.swap_remove(index.expect("it is in use"));
        self.after[bucket] = Some(self.used.clone());
    }

    /// Where a look-up ends that starts with this bucket.
    pub(super) fn find(&self, mut bucket: usize, mut hash: u64) -> usize {
        while let Some(after) = &self.after[bucket] {
            hash = remix(hash);
            bucket = after[scale(hash, after.len())];
        }
        bucket
    }
}

/// `leave` different numbers below `count`, which must not be a multiple of 37, in mixed order.
pub(super) fn leavers(count: usize, leave: usize) -> impl Iterator<Item = usize> {
    (1..=leave).map(move |n| n * 37 % count)
}

/// Joins and leaves at random: on a leave only the leaver's keys move, on a join keys move only to
/// the newcomer.
pub(super) fn check_histories(place: impl Fn(Members) -> Box<dyn Placement>) {
    let history = proptest::collection::vec(any::<Option<u16>>(), 1..40);
    let config = ProptestConfig {
        failure_persistence: None,
        cases: 64,
        ..ProptestConfig::default()
    };
    proptest!(config, |(count in 1_u32..20, history in history)| {
        let mut before = place(Members::first(count));
        for (change, next) in history.into_iter().zip(count..) {
            let chosen = change.map(|number| {
                let members = before.members();
                members[usize::from(number) % members.len()].node
            });
            let leaver = chosen.filter(|_| before.members().len() > 1);
            let after = match leaver {
                Some(node) => before.without(node),
                None => before.with(Member::new(NodeId(next))),
            };
            let concerned = leaver.unwrap_or(NodeId(next));
            for hash in hashes(300) {
                let (old, new) = (before.owner(hash), after.owner(hash));
                let side = if leaver.is_some() { old } else { new };
                prop_assert!(old == new || side == concerned, "{old} to {new}");
                prop_assert!(leaver != Some(new), "{new} has left");
            }
            before = after;
        }
    });
}

/// Of 100 nodes 90 leave, from both ends and the middle: the others have equal parts.
pub(super) fn check_balance_after_leaves(mut placement: Box<dyn Placement>) {
    for node in (0..100).map(|n| n * 37 % 100).filter(|n| n % 10 != 3) {
        placement = placement.without(NodeId(node));
    }
    let mut loads = [0; 10];
    for hash in hashes(100_000) {
        loads[placement.owner(hash).0 as usize / 10] += 1;
    }
    let even = 9_600..10_400;
    assert!(loads.iter().all(|it| even.contains(it)), "{loads:?}");
}
