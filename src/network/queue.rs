//! The messages that have an instant of arrival, in order of (instant, sequence).
//!
//! In a healthy network every message arrives in the instant in which it is sent. Such messages are
//! in order already and stand in a plain queue; only those that arrive later stand in a heap. The
//! next message is the earlier of the two heads.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

use super::{Envelope, Payload};
use crate::time::Instant;

/// Messages by (arrival, sequence).
#[derive(Clone, Debug)]
pub(super) struct Queue<M> {
    /// Ascending: each was added at its own arrival.
    present: VecDeque<Envelope<M>>,
    /// The latest arrival that was added to `present`.
    latest: Instant,
    later: BinaryHeap<Later<M>>,
    /// The bytes of the messages in `later`.
    bytes: usize,
    /// The earliest arrival in `later`; [`Instant::MAX`] if it is empty.
    first: Instant,
}

impl<M> Default for Queue<M> {
    fn default() -> Self {
        Self {
            present: VecDeque::new(),
            latest: Instant::START,
            later: BinaryHeap::new(),
            bytes: 0,
            first: Instant::MAX,
        }
    }
}

impl<M: Payload> Queue<M> {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.present.len() + self.later.len()
    }

    /// The bytes of the messages that arrive later than they were added.
    pub(super) fn late_bytes(&self) -> usize {
        self.bytes
    }

    /// Adds a message that arrives now. Its sequence is higher than all before.
    #[inline]
    pub(super) fn push_present(&mut self, envelope: Envelope<M>) {
        if self.latest <= envelope.arrives {
            self.latest = envelope.arrives;
            self.present.push_back(envelope);
        } else {
            // The caller's time went backwards.
            self.push_later(envelope);
        }
    }

    /// Adds a message that arrives at any time. O(log n).
    pub(super) fn push_later(&mut self, envelope: Envelope<M>) {
        self.bytes += envelope.message.bytes();
        self.first = self.first.min(envelope.arrives);
        self.later.push(Later(envelope));
    }

    /// The next message.
    pub(super) fn next(&self) -> Option<&Envelope<M>> {
        let later = self.later.peek().map(|Later(envelope)| envelope);
        let both = self.present.front().into_iter().chain(later);
        both.min_by_key(|envelope| envelope.key())
    }

    /// Takes the next message out, if it arrives at or before `until`.
    #[inline]
    pub(super) fn pop(&mut self, until: Instant) -> Option<Envelope<M>> {
        if self.first <= until {
            return self.pop_either(until);
        }
        if self.present.front()?.arrives > until {
            return None;
        }
        self.present.pop_front()
    }

    /// [`pop`](Self::pop) where a message of the heap may be due.
    fn pop_either(&mut self, until: Instant) -> Option<Envelope<M>> {
        let next = self.next()?.key();
        if next.0 > until {
            return None;
        }
        if self.present.front().is_some_and(|it| it.key() == next) {
            return self.present.pop_front();
        }
        let Later(envelope) = self.later.pop()?;
        self.bytes -= envelope.message.bytes();
        self.note_first();
        Some(envelope)
    }

    fn note_first(&mut self) {
        let first = self.later.peek();
        self.first = first.map_or(Instant::MAX, |Later(envelope)| envelope.arrives);
    }

    /// Everything arrives at `now` at the latest. O(n).
    pub(super) fn hurry(&mut self, now: Instant) {
        let mut later = std::mem::take(&mut self.later).into_vec();
        for Later(envelope) in &mut later {
            envelope.arrives = envelope.arrives.min(now);
        }
        self.later = later.into();
        self.note_first();
    }

    /// Takes out the messages for which `wanted` holds, in order. O(n).
    pub(super) fn take(&mut self, wanted: impl Fn(&Envelope<M>) -> bool) -> Vec<Envelope<M>> {
        let present = std::mem::take(&mut self.present).into_iter();
        let (mut taken, kept): (Vec<_>, Vec<_>) = present.partition(&wanted);
        self.present = kept.into();
        let later = std::mem::take(&mut self.later).into_vec().into_iter();
        let (gone, kept): (Vec<_>, Vec<_>) = later.partition(|Later(envelope)| wanted(envelope));
        self.later = kept.into();
        taken.extend(gone.into_iter().map(|Later(envelope)| envelope));
        taken.sort_unstable_by_key(Envelope::key);
        self.bytes = self.later.iter().map(|Later(it)| it.message.bytes()).sum();
        self.note_first();
        taken
    }

    /// All messages in order. O(n log n).
    pub(super) fn in_order(&self) -> Vec<&Envelope<M>> {
        let later = self.later.iter().map(|Later(envelope)| envelope);
        let mut all: Vec<_> = self.present.iter().chain(later).collect();
        all.sort_unstable_by_key(|envelope| envelope.key());
        all
    }
}

/// A message in a heap that has its greatest on top: the earliest is the greatest.
#[derive(Clone, Debug)]
struct Later<M>(Envelope<M>);

impl<M> Ord for Later<M> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.key().cmp(&self.0.key())
    }
}

impl<M> PartialOrd for Later<M> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<M> PartialEq for Later<M> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<M> Eq for Later<M> {}
