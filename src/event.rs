//! What happened in a cluster without a client asking for it, in the order in which it happened.

use std::collections::VecDeque;
use std::fmt;

use crate::id::NodeId;
use crate::time::Instant;

/// One thing that happened at one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When: for an expiry the deadline itself, however late somebody looked.
    pub at: Instant,
    /// Where.
    pub node: NodeId,
    /// What.
    pub kind: EventKind,
    /// The key it happened to; empty if it is about a whole node.
    pub key: Box<[u8]>,
}

/// The kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// The key's deadline came.
    Expired,
    /// The key had to make room.
    Evicted,
    /// The key had to go to another node, and there was no room.
    Lost,
    /// The node lost its memory and answers nobody.
    Crashed,
    /// The node came back after a crash.
    Restarted,
    /// The node stands still.
    Paused,
    /// The node goes on.
    Resumed,
    /// The nemesis did something: the command for it stands in place of a key.
    Nemesis,
}

impl EventKind {
    /// Whether it is about a key, and not about a whole node.
    #[must_use]
    pub fn has_key(self) -> bool {
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
            Self::Nemesis => "nemesis",
        })
    }
}

/// A place in an [`EventLog`], between two events. A reader keeps one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor(u64);

/// The latest events, up to a bound; the oldest make room for new ones.
#[derive(Debug)]
pub struct EventLog {
    events: VecDeque<Event>,
    capacity: usize,
    /// How many events were ever logged.
    end: u64,
}

impl EventLog {
    /// An empty log that keeps the latest `capacity` events.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            events: VecDeque::new(),
            capacity,
            end: 0,
        }
    }

    /// Adds an event; the oldest is dropped if the log is full. A log without capacity does not
    /// even make the event.
    pub fn record(&mut self, event: impl FnOnce() -> Event) {
        self.end += 1;
        if self.capacity == 0 {
            return;
        }
        if self.events.len() == self.capacity {
            self.events.pop_front();
        }
        self.events.push_back(event());
    }

    /// The place after the latest event.
    #[must_use]
    pub fn end(&self) -> Cursor {
        Cursor(self.end)
    }

    /// The events after `cursor` that the log still has, oldest first. Call
    /// [`EventLog::end`] for the cursor to read on from.
    #[must_use]
    pub fn since(&self, cursor: Cursor) -> impl DoubleEndedIterator<Item = &Event> + '_ {
        let first = self.end - self.events.len() as u64;
        let skipped = usize::try_from(cursor.0.saturating_sub(first)).unwrap_or(usize::MAX);
        self.events.range(skipped.min(self.events.len())..)
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
        Event {
            at: Instant::from_nanos(n),
            node: NodeId(0),
            kind: EventKind::Expired,
            key: Box::default(),
        }
    }

    #[test]
    fn a_cursor_reads_on_and_survives_what_was_dropped() {
        let mut log = EventLog::new(2);
        let start = log.end();
        log.record(|| event(1));
        let middle = log.end();
        log.record(|| event(2));
        log.record(|| event(3));
        let read = |from| log.since(from).map(|e| e.at.as_nanos()).collect::<Vec<_>>();
        assert_eq!(read(start), [2, 3], "1 was dropped");
        assert_eq!(read(middle), [2, 3]);
        assert!(read(log.end()).is_empty());
    }
}
