//! Replays a trace through a real cluster, for what a split trace cannot show: replicas, faults, and
//! members that come and go.
//!
//! The requests are open-loop: each is sent at its own time in the trace, whether those before it have
//! been answered or not. So a fault costs misses and failed requests, and never delays the trace. Every
//! request is a GET; one that misses is followed by an ADD of the object with its TTL as soon as the
//! miss is known. A GET that no node answers is a miss and counts as failed; nothing is stored then.
//!
//! # Bounds
//!
//! At most [`MAX_REQUESTS`](crate::cluster::MAX_REQUESTS) requests are in flight; those beyond fail. Values
//! are empty, so the memory is what keys and their bookkeeping take.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use super::bits::Bits;
use super::event::Action;
use super::impact::Windows;
use super::keys::Keys;
use super::prefix::Prefix;
use super::{Counts, Ops, Rules, Ttl};
use crate::cluster::{Cluster, Completion, Request, Started, Ticket, TooManyRequests};
use crate::config::{Capacity, Config, ConfigError};
use crate::event::{Cursor, EventKind};
use crate::eviction::Eviction;
use crate::id::NodeId;
use crate::operation::{Operation, Outcome, Refusal};
use crate::placement::PlacementKind;
use crate::time::Instant;
use crate::trace::{Columns, Op};

/// How long after the end of the trace requests may be answered. A client gives up before that.
const DRAIN: Duration = Duration::from_mins(1);

/// A cluster that a trace is replayed through.
#[derive(Clone, Copy, Debug)]
pub struct Deployed {
    /// The number of nodes.
    pub nodes: u32,
    /// How objects are placed on them.
    pub placement: PlacementKind,
    /// How many nodes hold each object.
    pub replicas: usize,
    /// The policy of each node.
    pub eviction: Eviction,
    /// How many objects each node holds.
    pub entries: u64,
    /// The seed of all that is random.
    pub seed: u64,
}

impl Deployed {
    /// The cluster, empty.
    ///
    /// # Errors
    /// [`ConfigError`] if there is no such cluster.
    pub fn cluster(&self, with_events: bool) -> Result<Cluster, ConfigError> {
        let config = Config::new()
            .nodes(self.nodes)
            .placement(self.placement)
            .replicas(self.replicas)
            .eviction(self.eviction)
            .capacity(Capacity::entries(self.entries))
            .seed(self.seed)
            .hot_keys(0)
            .event_log(if with_events { 1 << 16 } else { 0 });
        Cluster::new(config)
    }
}

/// A GET without an outcome.
#[derive(Clone, Copy)]
struct Pending {
    /// The place of the request in the trace.
    at: usize,
    /// The window in which it was sent; `None`: before counting began.
    window: Option<usize>,
    /// Whether one before it in its request missed, so that it cannot hit.
    is_cut: bool,
    /// Whether it is the first request of its object.
    is_first: bool,
    /// Whether the object has left because of its TTL.
    is_expired: bool,
}

/// A replay of a trace through a cluster.
pub struct ClusterReplay<'t> {
    trace: &'t Columns,
    keys: &'t Keys,
    rules: Rules,
    cluster: Cluster,
    /// The time of the first request, in nanoseconds.
    start: u64,
    /// Empty until counting begins; the last one is open.
    windows: Windows,
    /// By number of the node.
    nodes: Vec<Counts>,
    /// Evicted and expired of each node when counting began, or at the end of the last window.
    before: Vec<(u64, u64)>,
    pending: BTreeMap<Ticket, Pending>,
    /// Objects below this number were requested before.
    seen: u32,
    /// Objects whose last deadline has come.
    expired: Bits,
    cursor: Cursor,
    prefix: Prefix,
}

impl<'t> ClusterReplay<'t> {
    /// A replay that has not begun. With TTLs `keys` need an index.
    ///
    /// # Errors
    /// [`ConfigError`] if there is no such cluster.
    pub fn new(
        trace: &'t Columns,
        keys: &'t Keys,
        rules: Rules,
        deployed: &Deployed,
    ) -> Result<Self, ConfigError> {
        let cluster = deployed.cluster(rules.ttl != Ttl::None)?;
        Ok(Self {
            trace,
            keys,
            rules,
            cursor: cluster.events().end(),
            cluster,
            start: trace.times.first().copied().unwrap_or(0),
            windows: Windows::default(),
            nodes: Vec::new(),
            before: Vec::new(),
            pending: BTreeMap::new(),
            seen: 0,
            expired: Bits::new(trace.objects as usize),
            prefix: Prefix::default(),
        })
    }

    /// Counts from here on.
    pub fn start_counting(&mut self, at: usize) {
        self.windows.from = at;
        self.windows.times.push(self.nanos(at) - self.start);
        self.collect_removals();
        self.nodes.clear();
        self.open_window();
    }

    /// Ends a window at this place, and begins the next one.
    pub fn end_window(&mut self, at: usize) {
        let now = self.now(at.saturating_sub(1));
        self.pass_to(now);
        self.collect_removals();
        self.windows.ends.push(at);
        self.windows.times.push(self.nanos(at) - self.start);
        self.open_window();
    }

    fn open_window(&mut self) {
        self.windows.counts.push(Counts::default());
    }

    /// Carries an event out before the request at this place.
    ///
    /// # Errors
    /// The reason why it cannot be.
    pub fn carry_out(&mut self, at: usize, action: &Action) -> Result<(), String> {
        let now = self.now(at);
        self.pass_to(now);
        action.carry_out(&mut self.cluster, now)
    }

    /// Sends these requests, which follow those sent before.
    pub fn run(&mut self, range: Range<usize>) {
        for at in range {
            self.request(at);
        }
    }

    /// Waits for the last answers. Returns the windows, and what each node that ever was a member counted,
    /// by number.
    #[must_use]
    pub fn finish(mut self) -> (Windows, Vec<Counts>) {
        let end = self.cluster.now().saturating_add(DRAIN);
        while !self.pending.is_empty() {
            let next = self.cluster.next_deadline().filter(|next| *next <= end);
            let Some(next) = next else { break };
            self.cluster.tick(next);
            self.settle(None);
        }
        for pending in std::mem::take(&mut self.pending).into_values() {
            let node = self
                .cluster
                .owner(self.keys.get(self.trace.ids[pending.at]));
            self.conclude(&pending, node, None);
        }
        let windows = self.windows.ends.len();
        self.windows.counts.truncate(windows);
        (self.windows, self.nodes)
    }

    /// The time of the request at this place, in nanoseconds; behind the last one that of the last.
    fn nanos(&self, at: usize) -> u64 {
        let times = &self.trace.times;
        let time = times.get(at).or(times.last()).copied();
        time.unwrap_or(0).max(self.start)
    }

    /// The time of a request for the cluster, which starts with the trace. Times that fall back count as
    /// the latest one.
    fn now(&self, at: usize) -> Instant {
        let now = Instant::from_nanos(self.nanos(at) - self.start);
        now.max(self.cluster.now())
    }

    /// Lets time pass. What expires is noted.
    #[inline]
    fn pass_to(&mut self, now: Instant) {
        self.cluster.tick(now);
        if self.rules.ttl != Ttl::None && self.cluster.events().end() != self.cursor {
            self.note_expiries();
        }
        self.settle(None);
    }

    fn note_expiries(&mut self) {
        let since = self.cluster.events().since(self.cursor);
        let expired = since
            .events
            .filter(|event| event.kind == EventKind::Expired);
        let objects = expired.filter_map(|event| self.keys.number(&event.key));
        for object in objects {
            self.expired.insert(object as usize);
        }
        self.cursor = self.cluster.events().end();
    }

    /// Takes the answers that have come. Returns whether the wanted one is a hit, if it is among them.
    fn settle(&mut self, wanted: Option<Ticket>) -> Option<bool> {
        let mut found = None;
        while let Some(Completion {
            ticket,
            node,
            outcome,
            ..
        }) = self.cluster.poll()
        {
            // The answer to a write changes nothing.
            if let Some(pending) = self.pending.remove(&ticket) {
                let hits = self.conclude(&pending, node, Some(&outcome));
                found = found.or((Some(ticket) == wanted).then_some(hits));
            }
        }
        found
    }

    fn request(&mut self, at: usize) {
        let now = self.now(at);
        self.pass_to(now);
        let object = self.trace.ids[at];
        match self.rules.ops.of(self.trace, at) {
            Op::Get => self.get(now, at),
            Op::Set => self.store(now, at, false),
            Op::Add => self.store(now, at, true),
            Op::Delete => {
                self.expired.remove(object as usize);
                self.write(now, object, Operation::Delete);
            }
        }
        self.seen = self.seen.max(object + 1);
    }

    fn get(&mut self, now: Instant, at: usize) {
        let object = self.trace.ids[at];
        let follows = self.trace.follows.get(at).copied().unwrap_or(false);
        let pending = Pending {
            at,
            window: self.windows.counts.len().checked_sub(1),
            is_cut: follows && self.prefix.is_cut(),
            is_first: object >= self.seen,
            is_expired: self.expired.has(object as usize),
        };
        if let Some(window) = self.windows.counts.last_mut() {
            window.requests += 1;
            window.bytes += self.trace.sizes.get(at).unwrap_or(1);
        }
        // An answer that comes later is too late for the blocks behind it.
        let hits = self.send(now, pending).unwrap_or(false);
        self.prefix.cut(!hits);
    }

    /// Sends a GET. Returns whether it hits, if its answer is there at once.
    fn send(&mut self, now: Instant, pending: Pending) -> Option<bool> {
        let key = self.keys.get(self.trace.ids[pending.at]);
        let started = self
            .cluster
            .start_request(now, &Request::new(key, Operation::Get));
        match started {
            Ok(Started::Completed(node, outcome)) => {
                Some(self.conclude(&pending, node, Some(&outcome)))
            }
            Ok(Started::InFlight(ticket)) => {
                self.pending.insert(ticket, pending);
                self.settle(Some(ticket))
            }
            Err(TooManyRequests) => {
                let owner = self.cluster.owner(key);
                Some(self.conclude(&pending, owner, None))
            }
        }
    }

    fn store(&mut self, now: Instant, at: usize, only_if_absent: bool) {
        let ttl = self.rules.ttl.nanos(self.trace, at);
        let deadline = ttl.and_then(|ttl| now.checked_add(Duration::from_nanos(ttl)));
        let value = &b""[..];
        let operation = if only_if_absent {
            Operation::Add { value, deadline }
        } else {
            Operation::Put { value, deadline }
        };
        let object = self.trace.ids[at];
        self.expired.remove(object as usize);
        self.write(now, object, operation);
    }

    /// Sends a write, whose outcome changes nothing here.
    fn write(&mut self, now: Instant, object: u32, operation: Operation<&[u8]>) {
        let request = Request::new(self.keys.get(object), operation);
        let _ = self.cluster.start_request(now, &request);
    }

    /// Counts a GET by its outcome; `None`: there was none. An object that misses is stored. Returns
    /// whether it hits.
    fn conclude(&mut self, pending: &Pending, node: NodeId, outcome: Option<&Outcome>) -> bool {
        let is_there = matches!(outcome, Some(Outcome::Value(Some(_))));
        let is_failed = outcome.is_none_or(is_unanswered);
        let hits = is_there && !pending.is_cut;
        if let Some(window) = pending.window {
            let size = self.trace.sizes.get(pending.at).unwrap_or(1);
            let missed = if hits {
                Counts::default()
            } else {
                missed(pending, size, is_there, is_failed)
            };
            self.windows.counts[window] += missed;
            let of_node = self.node(node);
            *of_node += missed;
            of_node.requests += 1;
            of_node.bytes += size;
        }
        if !is_there && !is_failed && self.rules.ops == Ops::Fill {
            let now = self.cluster.now();
            self.store(now, pending.at, true);
        }
        hits
    }

    fn node(&mut self, node: NodeId) -> &mut Counts {
        let at = node.0 as usize;
        if self.nodes.len() <= at {
            self.nodes.resize(at + 1, Counts::default());
        }
        &mut self.nodes[at]
    }

    /// Adds what left the nodes since the last call to the present window.
    fn collect_removals(&mut self) {
        let stats: Vec<_> = self.cluster.counts().collect();
        for (node, stats) in stats {
            let at = node.0 as usize;
            if self.before.len() <= at {
                self.before.resize(at + 1, (0, 0));
            }
            let before = std::mem::replace(&mut self.before[at], (stats.evicted, stats.expired));
            let removed = Counts {
                evicted: stats.evicted.saturating_sub(before.0),
                expired: stats.expired.saturating_sub(before.1),
                ..Counts::default()
            };
            *self.node(node) += removed;
            if let Some(window) = self.windows.counts.last_mut() {
                *window += removed;
            }
        }
    }
}

/// Whether no node, or too few, answered a read.
fn is_unanswered(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Unknown(_) | Outcome::Refused(Refusal::Quorum(_))
    )
}

/// What a miss adds to the counts.
fn missed(pending: &Pending, size: u64, is_there: bool, is_failed: bool) -> Counts {
    let mut counts = Counts {
        misses: 1,
        missed_bytes: size,
        ..Counts::default()
    };
    let cause = if is_failed {
        &mut counts.failed
    } else if is_there {
        &mut counts.prefix_misses
    } else if pending.is_first {
        &mut counts.compulsory
    } else if pending.is_expired {
        &mut counts.expired_misses
    } else {
        return counts;
    };
    *cause = 1;
    counts
}
