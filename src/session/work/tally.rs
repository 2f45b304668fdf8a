//! What a workload has done so far.

use std::collections::BTreeMap;

use crate::event::EventKind;
use crate::id::NodeId;
use crate::operation::{Outcome, PutError, Refusal};
use crate::reply::{OfNode, Window};
use crate::session::{Notice, Observer};
use crate::time::Instant;

/// The most windows of the hit ratio. When there are as many, each two become one.
const WINDOWS: usize = 64;

/// The counts of a workload.
#[derive(Default)]
pub(super) struct Tally {
    pub requests: u64,
    pub hits: u64,
    pub misses: u64,
    pub writes: u64,
    /// Bytes of the values that gets asked for, and of those that were hits.
    pub bytes: u64,
    pub bytes_hit: u64,
    pub cut: u64,
    pub lost_races: u64,
    pub failed: BTreeMap<&'static str, u64>,
    /// By the number of the node. Numbers are at most as many as nodes have ever joined.
    nodes: Vec<(u64, u64)>,
    windows: Vec<Window>,
    /// Gets in a window.
    width: u64,
}

impl Tally {
    /// Counts a get that has its answer.
    #[inline]
    pub fn read(&mut self, now: Instant, node: NodeId, size: u64, is_hit: bool) {
        self.hits += u64::from(is_hit);
        self.misses += u64::from(!is_hit);
        self.bytes = self.bytes.saturating_add(size);
        if is_hit {
            self.bytes_hit = self.bytes_hit.saturating_add(size);
        }
        self.ask(node).1 += u64::from(!is_hit);
        let window = match self.windows.last_mut() {
            Some(last) if last.gets < self.width => last,
            _ => self.next_window(now),
        };
        window.gets += 1;
        window.hits += u64::from(is_hit);
    }

    /// Counts another request that a node has answered.
    #[inline]
    pub fn ask(&mut self, node: NodeId) -> &mut (u64, u64) {
        let at = node.0 as usize;
        if at >= self.nodes.len() {
            self.nodes.resize(at + 1, (0, 0));
        }
        self.nodes[at].0 += 1;
        &mut self.nodes[at]
    }

    /// Counts a failure.
    #[cold]
    pub fn fail(&mut self, reason: &'static str) {
        *self.failed.entry(reason).or_default() += 1;
    }

    #[cold]
    fn next_window(&mut self, now: Instant) -> &mut Window {
        if self.windows.len() == WINDOWS {
            self.windows = self.windows.chunks(2).map(joined).collect();
            self.width *= 2;
        }
        self.width = self.width.max(1);
        self.windows.push(Window {
            start: now,
            gets: 0,
            hits: 0,
        });
        let last = self.windows.len() - 1;
        &mut self.windows[last]
    }

    /// The part of the bytes that were hits; `None` without a get.
    pub fn bytes_hit_ratio(&self) -> Option<f64> {
        (self.bytes > 0).then(|| self.bytes_hit as f64 / self.bytes as f64)
    }

    /// How many requests have failed, by reason.
    pub fn failures(&self) -> Vec<(&'static str, u64)> {
        self.failed
            .iter()
            .map(|(reason, count)| (*reason, *count))
            .collect()
    }

    /// The windows of the hit ratio.
    pub fn windows(&self) -> Vec<Window> {
        self.windows.clone()
    }

    /// The nodes that were asked, by number.
    pub fn nodes(&self) -> Vec<OfNode> {
        let all = (0..).zip(&self.nodes);
        let asked = all.filter(|(_, (requests, _))| *requests > 0);
        asked
            .map(|(node, &(requests, misses))| OfNode {
                node: NodeId(node),
                requests,
                misses,
            })
            .collect()
    }
}

fn joined(windows: &[Window]) -> Window {
    Window {
        start: windows[0].start,
        gets: windows.iter().map(|it| it.gets).sum(),
        hits: windows.iter().map(|it| it.hits).sum(),
    }
}

/// Why a request has failed, if it has: in a few words, which many requests share.
pub(super) fn reason(outcome: &Outcome) -> Option<&'static str> {
    let short = match outcome {
        Outcome::Refused(Refusal::Put(error)) => return Some(put_reason(*error)),
        Outcome::Refused(Refusal::Count(_)) => return Some("the value is no number"),
        Outcome::Refused(Refusal::Quorum(short)) => short,
        Outcome::Unknown(_) => return Some("it may or may not have been done"),
        _ => return None,
    };
    Some(if !short.silent.is_empty() {
        "too few owners answered in time"
    } else if !short.down.is_empty() {
        "too few owners are up"
    } else if !short.refused.is_empty() {
        "too few owners have room"
    } else {
        "its owners did not agree"
    })
}

fn put_reason(error: PutError) -> &'static str {
    match error {
        PutError::KeyTooLong { .. } => "the key is too long",
        PutError::ValueTooLong { .. } => "the value is too long",
        PutError::NoCapacity => "the capacity is 0",
        PutError::NeverFits { .. } => "the entry is larger than a node",
        PutError::Full => "the node is full and evicts nothing",
        PutError::NodeFull => "the store of the node is full",
    }
}

/// Counts evictions and expiries, and passes everything on.
pub(super) struct Counting<'o> {
    pub inner: &'o mut dyn Observer,
    pub evicted: u64,
    pub expired: u64,
}

impl Observer for Counting<'_> {
    fn notice(&mut self, notice: Notice<'_>) {
        if let Notice::Event(event) = &notice {
            self.evicted += u64::from(event.kind == EventKind::Evicted);
            self.expired += u64::from(event.kind == EventKind::Expired);
        }
        self.inner.notice(notice);
    }

    fn before_wait(&mut self) {
        self.inner.before_wait();
    }

    fn progress(&mut self, status: &dyn Fn() -> String) -> bool {
        self.inner.progress(status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_few_and_hold_every_get() {
        for gets in [1, 63, 64, 65, 1000, 100_003] {
            let mut tally = Tally::default();
            for get in 0..gets {
                let now = Instant::from_nanos(get);
                tally.read(now, NodeId(0), 1, get % 3 == 0);
            }
            let windows = tally.windows();
            let sum = |part: fn(&Window) -> u64| windows.iter().map(part).sum::<u64>();
            assert!(windows.len() <= WINDOWS && windows.len() as u64 >= gets.min(32));
            assert_eq!(sum(|it| it.gets), gets);
            assert_eq!(sum(|it| it.hits), tally.hits);
            let mut before = 0;
            for window in &windows {
                assert_eq!(window.start, Instant::from_nanos(before), "{gets}");
                before += window.gets;
            }
        }
    }
}
