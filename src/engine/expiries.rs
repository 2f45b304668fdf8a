//! Expiries and evictions, told when they happen or are noticed.

use std::time::Duration;

use super::backend::Engine;
use super::deadlines::AGAIN;
use super::notices::Notice;
use super::pipeline::Ask;
use crate::event::{Event, EventKind};
use crate::id::NodeId;
use crate::time::Instant;

/// How many keys whose expiry was told are remembered.
const TOLD: usize = 1000;
/// How long a question for a key that is due may take.
const POKE: Duration = Duration::from_millis(100);

impl Engine {
    /// Asks for the keys that are due, and tells of those that are gone.
    pub(super) fn ask_for_due(&mut self, now: Instant, limit: usize) -> bool {
        let due = self.deadlines.take_due(now, limit.min(1000));
        if due.is_empty() {
            return false;
        }
        let asks = due.iter().map(|(key, _)| {
            let key = self.namespace.full(key);
            Ask::new(&key, vec![b"PTTL".to_vec(), key.to_vec()], false)
        });
        let limit = self.client.limit().at_most(POKE);
        let asked = self.client.run_within(&asks.collect::<Vec<_>>(), limit);
        for ((key, deadline), asked) in due.into_iter().zip(asked) {
            match asked {
                Ok((node, answer)) if answer.integer() == Some(-2) => {
                    self.tell_expiry(node, key, deadline);
                }
                // The server's clock is a little behind.
                Ok((_, answer)) if answer.integer().is_some_and(|left| (0..=5).contains(&left)) => {
                    let at = now.saturating_add(Duration::from_millis(1));
                    self.deadlines.again(&key, at, deadline);
                }
                // Another client has written it.
                Ok(_) => {}
                Err(_) => self
                    .deadlines
                    .again(&key, now.saturating_add(AGAIN), deadline),
            }
        }
        self.deadlines.next_at().is_some_and(|at| at <= now)
    }

    fn tell_expiry(&mut self, node: NodeId, key: Box<[u8]>, deadline: Instant) {
        let kind = EventKind::Expired;
        self.log
            .record(|| Event::of_key(deadline, node, kind, &key, Some(deadline)));
        if self.notices.is_some() {
            self.told.push_back(key);
            if self.told.len() > TOLD {
                self.told.pop_front();
            }
        }
    }

    /// Tells of the keys that servers have removed by themselves.
    pub(super) fn take_notices(&mut self, now: Instant) {
        let Some(notices) = &mut self.notices else {
            return;
        };
        notices.follow(&self.client);
        while let Some(Notice { node, kind, key }) = notices.next() {
            let Some(key) = self.namespace.own(&key) else {
                continue;
            };
            let is_expiry = kind == EventKind::Expired;
            let place = self.told.iter().position(|told| **told == *key);
            if let Some(place) = place.filter(|_| is_expiry) {
                self.told.remove(place);
            } else if !(is_expiry && self.deadlines.has(key)) {
                self.log
                    .record(|| Event::of_key(now, node, kind, key, None));
            }
        }
    }
}
