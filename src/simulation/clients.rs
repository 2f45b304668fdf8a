//! Random clients: each sends one request after another, and waits for the outcome in between.
//!
//! Few keys are shared by all, so that requests meet; each client has one key besides that it alone
//! writes. There it also uses conditional commands. After a write with an unknown outcome it
//! overwrites the key before it sets a condition again: see [`crate::replica`] for the reason. In some
//! runs clients use conditional commands on the shared keys, too.

use super::setup::Setup;
use super::step::ClientRequest;
use crate::id::NodeId;
use crate::nemesis::{grains, pick};
use crate::operation::Operation;
use crate::rng::Rng;
use crate::time::Instant;

/// How many ticks of 10 ms pass between an outcome and the next request.
const PAUSES: [u64; 8] = [0, 0, 1, 1, 2, 5, 10, 20];
/// How many ticks of 10 ms a value lives.
const LIVES: [u64; 9] = [1, 2, 2, 5, 10, 20, 50, 100, 500];
/// In runs with read-only commands, one of this many requests is traced.
const TRACED: u64 = 16;

/// One client.
pub(super) struct Client {
    rng: Rng,
    number: u32,
    setup: Setup,
    /// The coordinator that it has chosen; `None`: the first owner of each key.
    via: Option<NodeId>,
    /// Whether it has chosen.
    has_chosen: bool,
    /// When it sends its next request; `None` while it waits for an outcome.
    pub next: Option<Instant>,
    /// How many values it has written.
    written: u64,
    /// The last value that it wrote to its own key.
    last: Vec<u8>,
    /// How many of its requests are reads, of ten.
    reads: u64,
}

impl Client {
    /// A client with this number, from 1.
    pub(super) fn new(mut rng: Rng, number: u32, setup: &Setup) -> Self {
        let next = Some(Instant::START.saturating_add(grains(pick(&mut rng, &PAUSES))));
        let reads = 3 + rng.below(5);
        Self {
            rng,
            number,
            setup: *setup,
            via: None,
            has_chosen: false,
            next,
            written: 0,
            last: Vec::new(),
            reads,
        }
    }

    /// Chooses a coordinator, or now and then none.
    fn choose_coordinator(&mut self, members: &[NodeId]) {
        let is_named = self.setup.names_coordinators || self.rng.below(8) < 3;
        self.via = is_named.then(|| pick(&mut self.rng, members));
        self.has_chosen = true;
    }

    /// Its request has an outcome. After one that was not carried out it chooses another coordinator.
    pub(super) fn note_outcome(&mut self, now: Instant, is_certain: bool) {
        if !is_certain || self.rng.below(8) == 0 {
            self.has_chosen = false;
        }
        self.next = Some(now.saturating_add(grains(pick(&mut self.rng, &PAUSES))));
    }

    /// The key that it alone writes.
    pub(super) fn own_key(&self) -> usize {
        self.setup.shared + self.number as usize - 1
    }

    /// Its next request. `is_clear` says whether the outcome of every write to its own key is known.
    pub(super) fn request(
        &mut self,
        now: Instant,
        members: &[NodeId],
        is_clear: bool,
    ) -> ClientRequest {
        self.next = None;
        if !self.has_chosen || self.via.is_some_and(|via| !members.contains(&via)) {
            self.choose_coordinator(members);
        }
        let is_own = self.rng.below(10) < 3;
        if self.rng.below(10) < self.reads {
            let key = self.key_to_read(is_own);
            return self.make(key, Operation::Get);
        }
        let key = if is_own {
            self.own_key()
        } else {
            self.shared_key()
        };
        let may_set = if is_own {
            is_clear
        } else {
            self.setup.shares_conditions
        };
        let operation = if may_set && self.rng.below(3) > 0 {
            self.conditional(now)
        } else {
            self.overwrite(now)
        };
        if let (true, Operation::Put { value, .. }) = (is_own, &operation) {
            self.last.clone_from(value);
        }
        self.make(key, operation)
    }

    fn make(&mut self, key: usize, operation: Operation<Vec<u8>>) -> ClientRequest {
        ClientRequest {
            client: self.number,
            via: self.via,
            key,
            operation,
            is_traced: self.setup.looks && self.rng.below(TRACED) == 0,
        }
    }

    fn shared_key(&mut self) -> usize {
        self.index(self.setup.shared)
    }

    fn index(&mut self, count: usize) -> usize {
        usize::try_from(self.rng.below(count as u64)).unwrap_or(0)
    }

    /// A shared key, or one that a single client writes, mostly its own.
    fn key_to_read(&mut self, is_own: bool) -> usize {
        match (is_own, self.rng.below(3)) {
            (false, _) => self.shared_key(),
            (true, 0) => self.setup.shared + self.index(self.setup.clients),
            (true, _) => self.own_key(),
        }
    }

    fn overwrite(&mut self, now: Instant) -> Operation<Vec<u8>> {
        if self.rng.below(4) == 0 {
            return Operation::Delete;
        }
        Operation::Put {
            value: self.value(),
            deadline: self.deadline(now),
        }
    }

    fn conditional(&mut self, now: Instant) -> Operation<Vec<u8>> {
        match self.rng.below(6) {
            0 => Operation::Add {
                value: self.value(),
                deadline: self.deadline(now),
            },
            1 | 2 => {
                let delta = 1 + i64::try_from(self.rng.below(9)).unwrap_or(0);
                Operation::Incr { delta }
            }
            3 => {
                let (new, deadline) = (self.value(), self.deadline(now));
                let expected = std::mem::replace(&mut self.last, new.clone());
                Operation::Cas {
                    expected,
                    new,
                    deadline,
                }
            }
            _ => Operation::SetDeadline {
                deadline: self.deadline(now),
            },
        }
    }

    /// A value that no other write has: mostly a number, which INCR can count up, now and then a text.
    /// Where bytes are bounded some are long, and a few longer than a node.
    fn value(&mut self) -> Vec<u8> {
        self.written += 1;
        let number = u64::from(self.number) * 1_000_000 + self.written * 1_000;
        let mut value = number.to_string();
        if self.rng.below(8) == 0 {
            value.insert(0, 't');
            if let Some(bytes) = self.setup.config.capacity.bytes {
                let more = usize::try_from(self.rng.below(bytes)).unwrap_or(0);
                value.push_str(&"x".repeat(more));
            }
        }
        value.into_bytes()
    }

    fn deadline(&mut self, now: Instant) -> Option<Instant> {
        let lives = grains(pick(&mut self.rng, &LIVES));
        (self.rng.below(2) == 0).then(|| now.saturating_add(lives))
    }
}
