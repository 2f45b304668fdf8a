//! Moves that take their time, so that clients of Redis Cluster see each phase of them.
//!
//! The slots whose first owner changes move in groups, one group after the other. The slots of one
//! group are open: they still belong to the old node, and their keys move one by one. Then they belong
//! to the new node. The cluster itself is in one state all the time: a request needs quorums of the old
//! and of the new owners (see [`super::moving`]), whichever node takes it. So what is shown here
//! decides only where clients are sent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Cluster;
use crate::id::NodeId;
use crate::placement::{SLOT_COUNT, slot_of};
use crate::time::Instant;

/// In how many groups the slots move.
const GROUPS: u32 = 16;
/// Keys move at most so often.
const STEP: Duration = Duration::from_millis(1);

/// How a slot is shown while slots move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It belongs to the old node, and nothing has moved.
    Before,
    /// It belongs to the old node, and its keys move.
    Open,
    /// It belongs to the new node.
    After,
}

/// A move that takes its time.
pub(crate) struct PacedMove {
    /// The time of a group.
    time: Duration,
    /// The slots whose first owner changes: their old node and their group.
    slots: BTreeMap<u16, (NodeId, u32)>,
    /// The group that is open, and since when.
    group: u32,
    opened: Instant,
    /// How many keys the group had, and those that have not moved.
    keys: usize,
    left: BTreeSet<Vec<u8>>,
    /// When keys moved last.
    stepped: Instant,
}

impl PacedMove {
    /// The move that a cluster has begun, which is to take `time`; `None` if no slot goes to another
    /// node. Cost: two look-ups of the owners for each slot, and a pass over the keys of the nodes that
    /// give slots away, here and for each group.
    pub(crate) fn new(cluster: &mut Cluster, now: Instant, time: Duration) -> Option<Self> {
        let mut owners = Vec::new();
        let moving: Vec<(u16, NodeId)> = (0..SLOT_COUNT)
            .filter_map(|slot| {
                cluster.owners_before(slot, &mut owners)?;
                let old = *owners.first()?;
                cluster.owners_of_slot(slot, &mut owners)?;
                (*owners.first()? != old).then_some((slot, old))
            })
            .collect();
        let size = moving.len().div_ceil(GROUPS as usize).max(1);
        let groups = (0..).zip(moving.chunks(size));
        let slots: BTreeMap<_, _> = groups
            .flat_map(|(group, slots)| slots.iter().map(move |&(slot, old)| (slot, (old, group))))
            .collect();
        let mut paced = Self {
            time: (time / GROUPS).max(Duration::from_nanos(1)),
            group: 0,
            opened: now,
            keys: 0,
            left: BTreeSet::new(),
            stepped: now,
            slots,
        };
        paced.open(cluster, now);
        (!paced.slots.is_empty()).then_some(paced)
    }

    /// Notes the keys of the group that is open.
    fn open(&mut self, cluster: &mut Cluster, now: Instant) {
        let (slots, group) = (&self.slots, self.group);
        let open = slots.values().filter(|(_, of)| *of == group);
        let nodes: BTreeSet<NodeId> = open.map(|(node, _)| *node).collect();
        let left = &mut self.left;
        for node in nodes {
            cluster.scan(now, node, 0, |_, key, _| {
                if slots.get(&slot_of(key)) == Some(&(node, group)) {
                    left.insert(key.to_vec());
                }
                true
            });
        }
        self.keys = left.len();
    }

    /// Whether the last group is over.
    pub(crate) fn is_over(&self) -> bool {
        self.group >= GROUPS
    }

    /// The number of the group that is open. It grows.
    pub(crate) fn group(&self) -> u32 {
        self.group
    }

    /// How a slot is shown; `None` if it stays.
    pub(crate) fn phase(&self, slot: u16) -> Option<Phase> {
        let &(_, group) = self.slots.get(&slot)?;
        Some(match group.cmp(&self.group) {
            std::cmp::Ordering::Less => Phase::After,
            std::cmp::Ordering::Equal => Phase::Open,
            std::cmp::Ordering::Greater => Phase::Before,
        })
    }

    /// Whether a key of an open slot is still at its old node. A key that is gone counts as moved.
    pub(crate) fn is_left(&mut self, cluster: &Cluster, key: &[u8]) -> bool {
        let is_left = self.left.contains(key) && cluster.holds(key);
        if !is_left {
            self.left.remove(key);
        }
        is_left
    }

    /// Whether a copy on a node is the one that clients are shown.
    pub(crate) fn shows(&self, cluster: &Cluster, node: NodeId, key: &[u8]) -> bool {
        match self.slots.get(&slot_of(key)) {
            Some(&(old, group)) => {
                let is_left = group > self.group || group == self.group && self.left.contains(key);
                node == if is_left { old } else { cluster.owner(key) }
            }
            None => cluster.owner(key) == node,
        }
    }

    /// How long it still takes.
    pub(crate) fn time_left(&self, now: Instant) -> Duration {
        let end = self
            .opened
            .saturating_add(self.time * (GROUPS - self.group));
        end.saturating_duration_since(now)
    }

    /// The part that is done, from 0 to 1.
    pub(crate) fn part(&self) -> f64 {
        let moved = self.keys.saturating_sub(self.left.len()) as f64 / self.keys.max(1) as f64;
        (f64::from(self.group) + moved) / f64::from(GROUPS)
    }

    /// When the next key moves, or the group is over.
    pub(crate) fn next_at(&self) -> Instant {
        if self.is_over() {
            return self.opened;
        }
        let end = self.opened.saturating_add(self.time);
        let moved = self.keys - self.left.len();
        let part = (moved + 1) as f64 / self.keys.max(1) as f64;
        let due = self.opened.saturating_add(self.time.mul_f64(part.min(1.0)));
        due.max(self.stepped.saturating_add(STEP)).min(end)
    }

    /// Moves the keys that are due. Returns whether the last group is over.
    pub(crate) fn step(&mut self, cluster: &mut Cluster, now: Instant) -> bool {
        self.stepped = now;
        loop {
            let end = self.opened.saturating_add(self.time);
            if now < end {
                break;
            }
            self.move_until(cluster, now, 0);
            self.group += 1;
            self.opened = end;
            if self.group >= GROUPS {
                return true;
            }
            self.open(cluster, now);
        }
        let part =
            now.saturating_duration_since(self.opened).as_secs_f64() / self.time.as_secs_f64();
        let moved = (self.keys as f64 * part).floor();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it lies between 0 and the number of keys"
        )]
        let moved = moved as usize;
        self.move_until(cluster, now, self.keys.saturating_sub(moved));
        false
    }

    /// Moves keys until so many are left.
    fn move_until(&mut self, cluster: &mut Cluster, now: Instant, left: usize) {
        while self.left.len() > left
            && let Some(key) = self.left.pop_first()
        {
            cluster.move_key(now, &key);
        }
    }
}
