//! Clients: each asks for one thing after another, and waits for the answer in between.
//!
//! Few keys are shared by all, so that clients meet; each client has one key besides that it alone
//! writes. There it also uses commands with conditions. After a write to it of whose outcome the
//! client was not told, it overwrites the key before it sets conditions again: see
//! [`crate::replica`] for why.

use super::plan::Ask;
use crate::id::NodeId;
use crate::nemesis::{grains, pick};
use crate::operation::Operation;
use crate::rng::Rng;
use crate::time::Instant;

/// How many grains a client thinks.
const THINKS: [u64; 8] = [0, 0, 1, 1, 2, 5, 10, 20];
/// How many grains a value lives.
const LIVES: [u64; 9] = [1, 2, 2, 5, 10, 20, 50, 100, 500];

/// One client.
pub struct Client {
    rng: Rng,
    number: u32,
    nodes: u64,
    /// How many keys are shared.
    shared: usize,
    /// How many clients there are.
    clients: usize,
    via: Option<NodeId>,
    /// When it next asks; `None` while it waits for an answer.
    pub next: Option<Instant>,
    /// How many values it has written.
    written: u64,
    /// The last value that it wrote to its own key.
    last: Vec<u8>,
    /// How many of its requests are reads, of ten.
    reads: u64,
}

impl Client {
    /// A client with this number.
    pub fn new(mut rng: Rng, number: u32, clients: usize, nodes: u32, shared: usize) -> Self {
        let next = Some(Instant::START.saturating_add(grains(pick(&mut rng, &THINKS))));
        let reads = 3 + rng.below(5);
        let mut client = Self {
            rng,
            number,
            nodes: u64::from(nodes),
            shared,
            clients,
            via: None,
            next,
            written: 0,
            last: Vec::new(),
            reads,
        };
        client.attach();
        client
    }

    /// Turns to another node; now and then to no node in particular.
    fn attach(&mut self) {
        let node = self.rng.below(self.nodes + self.nodes / 2 + 1);
        let node = u32::try_from(node).unwrap_or(0);
        self.via = (u64::from(node) < self.nodes).then_some(NodeId(node));
    }

    /// Notes that it has its answer. One that got nothing done turns elsewhere.
    pub fn answered(&mut self, now: Instant, is_content: bool) {
        if !is_content || self.rng.below(8) == 0 {
            self.attach();
        }
        self.next = Some(now.saturating_add(grains(pick(&mut self.rng, &THINKS))));
    }

    /// Its own key.
    pub fn own(&self) -> usize {
        self.shared + self.number as usize
    }

    /// What it asks now. `is_clear` says of its own key whether a condition may be set.
    pub fn ask(&mut self, now: Instant, is_clear: bool) -> Ask {
        self.next = None;
        let owns = self.rng.below(10) < 3;
        let key = if owns { self.own() } else { self.shared_key() };
        let operation = if self.rng.below(10) < self.reads {
            return self.read(owns);
        } else if owns && is_clear && self.rng.below(3) > 0 {
            self.condition(now)
        } else {
            self.overwrite(now)
        };
        if let (true, Operation::Put { value, .. }) = (owns, &operation) {
            self.last.clone_from(value);
        }
        self.make(key, operation)
    }

    fn make(&self, key: usize, operation: Operation<Vec<u8>>) -> Ask {
        let (client, via) = (self.number, self.via);
        Ask {
            client,
            via,
            key,
            operation,
        }
    }

    fn shared_key(&mut self) -> usize {
        usize::try_from(self.rng.below(self.shared as u64)).unwrap_or(0)
    }

    /// A read of a shared key, or of somebody's own, its own most of the time.
    fn read(&mut self, owns: bool) -> Ask {
        let key = match (owns, self.rng.below(3)) {
            (false, _) => self.shared_key(),
            (true, 0) => {
                let other = self.rng.below(self.clients as u64);
                self.shared + usize::try_from(other).unwrap_or(0)
            }
            (true, _) => self.own(),
        };
        self.make(key, Operation::Get)
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

    fn condition(&mut self, now: Instant) -> Operation<Vec<u8>> {
        match self.rng.below(5) {
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

    /// A value that nobody else writes: a number, so that it can be counted up.
    fn value(&mut self) -> Vec<u8> {
        self.written += 1;
        let value = u64::from(self.number + 1) * 1_000_000 + self.written * 1_000;
        value.to_string().into_bytes()
    }

    fn deadline(&mut self, now: Instant) -> Option<Instant> {
        let lives = grains(pick(&mut self.rng, &LIVES));
        (self.rng.below(2) == 0).then(|| now.saturating_add(lives))
    }
}
