//! What excuses that an acknowledged value is missing at the end of a run.

use std::collections::BTreeSet;
use std::time::Duration;

use super::setup::Setup;
use crate::cluster::Cluster;
use crate::event::{Cursor, EventKind};
use crate::id::NodeId;
use crate::nemesis::FaultAction;
use crate::time::Instant;

/// The events that may lose values.
#[derive(Default)]
pub(super) struct Losses {
    /// Up to where the event log has been read.
    seen: Cursor,
    /// The keys of which a copy was evicted to make room.
    evicted: BTreeSet<Box<[u8]>>,
    /// When which clocks were ahead: copies there may have expired early.
    ahead: Vec<Ahead>,
    /// The most nodes that were without their memory at a time.
    lacking: usize,
    /// Whether a node has crashed.
    has_crashed: bool,
}

/// A time during which a clock was ahead.
struct Ahead {
    node: NodeId,
    nanos: u64,
    from: Instant,
    until: Instant,
}

impl Ahead {
    /// Whether a copy that was written at `written` may have expired here too early.
    fn may_expire(&self, written: Instant, deadline: Instant) -> bool {
        let early = deadline.as_nanos().saturating_sub(self.nanos);
        let from = self.from.max(written).max(Instant::from_nanos(early));
        from < self.until.min(deadline)
    }
}

impl Losses {
    /// Whether an acknowledged value of a key, which was written at `written`, may be missing, or be an
    /// older one, when everything is repaired.
    pub(super) fn excuse(
        &self,
        setup: &Setup,
        key: &[u8],
        written: Instant,
        deadline: Option<Instant>,
    ) -> bool {
        let needed = setup.config.write_quorum;
        let is_bounded = setup.config.capacity.is_bounded();
        let may_be_refused = is_bounded && !setup.quorums_intersect();
        let ahead = deadline.map_or(0, |deadline| self.early(written, deadline));
        let crashed = usize::from(ahead > 0 && self.has_crashed);
        may_be_refused
            || is_bounded && (self.has_crashed || ahead > 0)
            || self.evicted.contains(key)
            || ahead + self.lacking + crashed >= needed
    }

    /// At how many nodes a copy may have expired too early.
    fn early(&self, written: Instant, deadline: Instant) -> usize {
        let early = self.ahead.iter();
        let early = early.filter(|it| it.may_expire(written, deadline));
        let nodes: BTreeSet<NodeId> = early.map(|it| it.node).collect();
        nodes.len()
    }

    /// Notes what was evicted since the last call: there was no room.
    pub(super) fn excuse_evicted(&mut self, cluster: &Cluster) {
        let log = cluster.events();
        if self.seen != log.end() {
            for event in log.since(self.seen).events {
                if event.kind == EventKind::Evicted {
                    self.evicted.insert(event.key.clone());
                }
            }
            self.seen = log.end();
        }
    }

    /// The same after a move during which no request was in flight: it must evict only from nodes that
    /// are full at its end.
    pub(super) fn excuse_moved(&mut self, cluster: &mut Cluster, now: Instant) {
        let Some(most) = cluster.capacity().entries else {
            return;
        };
        if cluster.capacity().bytes.is_some() {
            return;
        }
        let events = cluster.events().since(self.seen).events;
        let evicted = events.filter(|event| event.kind == EventKind::Evicted);
        let evicted: Vec<_> = evicted
            .filter_map(|event| Some((event.node?, event.key.clone())))
            .collect();
        self.skip_events(cluster);
        for (node, key) in evicted {
            if cluster.keys(now, Some(node), |_| true).len() as u64 >= most {
                self.evicted.insert(key);
            }
        }
    }

    /// Excuses nothing that was evicted since the last call.
    pub(super) fn skip_events(&mut self, cluster: &Cluster) {
        self.seen = cluster.events().end();
    }

    /// Notes a fault that was injected.
    pub(super) fn note_fault(&mut self, cluster: &Cluster, now: Instant, action: &FaultAction) {
        match action {
            FaultAction::Skew(node, nanos) => self.note_skew(now, *node, *nanos),
            FaultAction::Crash(_) => {
                let lacking = cluster.node_ids().filter(|&it| cluster.lacks_memory(it));
                self.lacking = self.lacking.max(lacking.count());
                self.has_crashed = true;
            }
            _ => {}
        }
    }

    fn note_skew(&mut self, now: Instant, node: NodeId, nanos: i64) {
        let open = self.ahead.iter_mut();
        for ahead in open.filter(|it| it.node == node && it.until > now) {
            // What is due at this instant has expired by the old clock.
            ahead.until = now.saturating_add(Duration::from_nanos(1));
        }
        if let Some(nanos) = u64::try_from(nanos).ok().filter(|nanos| *nanos > 0) {
            self.ahead.push(Ahead {
                node,
                nanos,
                from: now,
                until: Instant::MAX,
            });
        }
    }
}
