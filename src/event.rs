//! Events: what happens in a cluster besides the answers to clients, in the order in which it
//! happens.

use std::collections::VecDeque;
use std::fmt;

use crate::id::NodeId;
use crate::time::Instant;

/// One thing that happened.
///
/// Its text is for people, with the key in ASCII and escapes:
///
/// ```
/// use shardlab::event::{Event, EventKind};
/// use shardlab::id::NodeId;
/// use shardlab::time::Instant;
///
/// let crash = Event::of_node(Instant::from_millis(1500), NodeId(2), EventKind::Crashed);
/// assert_eq!(crash.to_string(), "1s500ms node 2 crashed");
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// When, on the clock of the world: for an expiry the deadline, however late it is noticed,
    /// unless the node's own clock is wrong or the node was paused.
    pub at: Instant,
    /// The node it happened at; `None` if it concerns the cluster.
    pub node: Option<NodeId>,
    /// What happened.
    pub kind: EventKind,
    /// The key it happened to; empty unless [`EventKind::has_key`].
    pub key: Box<[u8]>,
    /// The deadline of an expiry.
    pub deadline: Option<Instant>,
}

impl Event {
    /// An event that concerns the cluster as a whole.
    #[must_use]
    pub fn of_cluster(at: Instant, kind: EventKind) -> Self {
        Self {
            at,
            node: None,
            kind,
            key: Box::default(),
            deadline: None,
        }
    }

    /// An event that concerns a key at a node.
    #[must_use]
    pub fn of_key(
        at: Instant,
        node: NodeId,
        kind: EventKind,
        key: &[u8],
        deadline: Option<Instant>,
    ) -> Self {
        Self {
            at,
            node: Some(node),
            kind,
            key: key.into(),
            deadline,
        }
    }

    /// An event that concerns a node as a whole.
    #[must_use]
    pub fn of_node(at: Instant, node: NodeId, kind: EventKind) -> Self {
        Self {
            at,
            node: Some(node),
            kind,
            key: Box::default(),
            deadline: None,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.at)?;
        if let Some(node) = self.node {
            write!(f, " node {node}")?;
        }
        write!(f, " {}", self.kind)?;
        match &self.kind {
            EventKind::Nemesis(action) => write!(f, " {action}"),
            EventKind::CutOff(client) => write!(f, " client {client}"),
            kind if kind.has_key() => write!(f, " {}", self.key.escape_ascii()),
            _ => Ok(()),
        }
    }
}

/// Like the struct, with the key as text.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("at", &self.at)
            .field("node", &self.node)
            .field("kind", &self.kind)
            .field("key", &format_args!("\"{}\"", self.key.escape_ascii()))
            .field("deadline", &self.deadline)
            .finish()
    }
}

/// The kinds of events.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// The key's deadline came.
    Expired,
    /// The key made room for another.
    Evicted,
    /// The only copy of the key was dropped by a move.
    Lost,
    /// The node lost its memory and stopped.
    Crashed,
    /// The node came back after a crash.
    Restarted,
    /// The node stopped and keeps its memory.
    Paused,
    /// The node runs again.
    Resumed,
    /// The node joined the cluster.
    Joined,
    /// The node left the cluster.
    Left,
    /// The node took the place of its primary.
    Promoted,
    /// The node's clock was set ahead by so many nanoseconds, or behind; 0: it is right.
    Skewed(i64),
    /// Links were cut: the command that cuts them.
    Partitioned(Box<str>),
    /// All faults of the network were lifted.
    Healed,
    /// The node cut off the client with this number, which did not take what was sent to it.
    CutOff(u32),
    /// The fault injector acted: the command for what it did.
    Nemesis(Box<str>),
}

impl EventKind {
    /// Whether it concerns a key, and not a whole node.
    #[must_use]
    pub fn has_key(&self) -> bool {
        matches!(self, Self::Expired | Self::Evicted | Self::Lost)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "expired",
            Self::Evicted => "evicted",
            Self::Lost => "lost",
            Self::Crashed => "crashed",
            Self::Restarted => "restarted",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Joined => "joined",
            Self::Left => "left",
            Self::Promoted => "promoted",
            Self::Skewed(_) => "skewed",
            Self::Partitioned(_) => "partitioned",
            Self::Healed => "healed",
            Self::CutOff(_) => "cut off",
            Self::Nemesis(_) => "nemesis",
        })
    }
}

/// A place in an [`EventLog`], between two events. A reader keeps one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor(u64);

impl Cursor {
    /// The place so many events later.
    pub(crate) fn advanced(self, events: u64) -> Self {
        Self(self.0.saturating_add(events))
    }
}

/// The most events that a log holds between two trims, whatever its capacity.
const MAX_BURST: usize = 1_000_000;

/// The latest events, oldest first, by instants that never decrease.
///
/// A single command can cause more events than the log is to keep. So the log grows beyond its
/// capacity until [`EventLog::trim`], which the cluster calls before the next command: a reader that
/// reads after every command misses nothing. Beyond a million events the oldest are dropped at once;
/// [`EventLog::since`] reports the gap.
#[derive(Clone, Debug)]
pub struct EventLog {
    events: VecDeque<Event>,
    capacity: usize,
    /// How many events were ever logged.
    end: u64,
    /// The instant of the latest event.
    latest: Instant,
}

/// The events after a cursor.
#[derive(Debug)]
pub struct Since<I> {
    /// How many events after the cursor the log no longer has.
    pub missed: u64,
    /// The others, oldest first.
    pub events: I,
}

impl EventLog {
    /// An empty log that keeps the latest `capacity` events.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            events: VecDeque::new(),
            capacity,
            end: 0,
            latest: Instant::START,
        }
    }

    /// Adds an event. An instant before the latest one counts as the latest. A log without capacity
    /// does not even make the event.
    pub fn record(&mut self, event: impl FnOnce() -> Event) {
        self.end += 1;
        if self.capacity == 0 {
            return;
        }
        if self.events.len() >= self.capacity.max(MAX_BURST) {
            self.events.pop_front();
        }
        let mut event = event();
        self.latest = self.latest.max(event.at);
        event.at = self.latest;
        self.events.push_back(event);
    }

    /// Drops the oldest events over the capacity.
    #[inline]
    pub fn trim(&mut self) {
        if self.events.len() > self.capacity {
            let over = self.events.len() - self.capacity;
            self.events.drain(..over);
        }
    }

    /// Time starts again from [`Instant::START`]: the events so far happened before that.
    pub(crate) fn restart_time(&mut self) {
        self.latest = Instant::START;
        self.events
            .iter_mut()
            .for_each(|event| event.at = Instant::START);
    }

    /// The place after the latest event.
    #[inline]
    #[must_use]
    pub fn end(&self) -> Cursor {
        Cursor(self.end)
    }

    /// The events after `cursor`. Call [`EventLog::end`] for the cursor to read on from.
    #[must_use]
    pub fn since(
        &self,
        cursor: Cursor,
    ) -> Since<impl DoubleEndedIterator<Item = &Event> + ExactSizeIterator> {
        let first = self.end - self.events.len() as u64;
        let skipped = usize::try_from(cursor.0.saturating_sub(first)).unwrap_or(usize::MAX);
        Since {
            missed: first.saturating_sub(cursor.0),
            events: self.events.range(skipped.min(self.events.len())..),
        }
    }

    /// Every event that the log still has, oldest first.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Event> + '_ {
        self.events.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(n: u64) -> Event {
        Event::of_node(Instant::from_nanos(n), NodeId(0), EventKind::Crashed)
    }

    #[test]
    fn the_text_of_an_event_shows_its_key() {
        let at = Instant::from_millis(2_000);
        let expiry = Event::of_key(at, NodeId(1), EventKind::Expired, b"a\n\xff", Some(at));
        assert_eq!(expiry.to_string(), r"2s node 1 expired a\n\xff");
        let debug = r#"Event { at: 2s, node: Some(NodeId(1)), kind: Expired, key: "a\n\xff", deadline: Some(2s) }"#;
        assert_eq!(format!("{expiry:?}"), debug);
        let storm = Event {
            node: None,
            ..Event::of_node(at, NodeId(0), EventKind::Nemesis("CRASH 1".into()))
        };
        assert_eq!(storm.to_string(), "2s nemesis CRASH 1");
    }

    #[test]
    fn a_cursor_reads_on_and_reports_gaps() {
        let mut log = EventLog::new(2);
        let start = log.end();
        log.record(|| event(1));
        let middle = log.end();
        log.record(|| event(2));
        log.record(|| event(3));
        let read = |log: &EventLog, from| {
            let since = log.since(from);
            let at: Vec<u64> = since.events.map(|it| it.at.as_nanos()).collect();
            (since.missed, at)
        };
        assert_eq!(read(&log, start), (0, vec![1, 2, 3]), "not trimmed yet");
        log.trim();
        assert_eq!(read(&log, start), (1, vec![2, 3]));
        assert_eq!(read(&log, middle), (0, vec![2, 3]));
        assert_eq!(read(&log, log.end()), (0, vec![]));
    }

    #[test]
    fn events_are_in_the_order_of_their_instants() {
        let mut log = EventLog::new(9);
        for nanos in [5, 3, 7] {
            log.record(|| event(nanos));
        }
        let at: Vec<u64> = log.iter().map(|it| it.at.as_nanos()).collect();
        assert_eq!(at, [5, 5, 7]);
        log.restart_time();
        log.record(|| event(1));
        let at: Vec<u64> = log.iter().map(|it| it.at.as_nanos()).collect();
        assert_eq!(at, [0, 0, 0, 1]);
    }

    #[test]
    fn a_burst_is_bounded_and_what_is_dropped_is_counted() {
        let mut log = EventLog::new(10);
        for n in 0..MAX_BURST as u64 + 5 {
            log.record(|| event(n));
        }
        let since = log.since(Cursor::default());
        assert_eq!((since.missed, since.events.len()), (5, MAX_BURST));
    }
}
