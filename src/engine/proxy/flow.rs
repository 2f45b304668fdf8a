//! One direction of a connection: what waits to be written, and the faults of its link.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::time::{Duration, Instant};

use super::LinkFault;
use super::bus::{Messages, Piece};
use crate::network::Percent;
use crate::rng::Rng;

/// Bytes that may wait; then no more are read.
const WAITING: usize = 1 << 20;
/// How long a message waits for the next one, which is to pass it.
const PASSING: Duration = Duration::from_millis(100);

/// Bytes, and when they arrive.
struct Packet {
    due: Instant,
    bytes: Vec<u8>,
}

/// One direction of a connection.
pub(super) struct Flow {
    pub(super) fault: LinkFault,
    packets: VecDeque<Packet>,
    /// The first bytes of the first packet that are written already.
    written: usize,
    waiting: usize,
    /// Of the bus.
    messages: Option<Messages>,
    /// A message that is to come after the next one.
    passed: Option<Packet>,
    /// Whether its source has ended.
    pub(super) is_over: bool,
    /// Whether its target knows of that.
    pub(super) is_shut: bool,
    /// Whether its target takes no more for now.
    pub(super) is_blocked: bool,
}

impl Flow {
    pub(super) fn new(fault: LinkFault, is_bus: bool) -> Self {
        Self {
            fault,
            packets: VecDeque::new(),
            written: 0,
            waiting: 0,
            messages: is_bus.then(Messages::default),
            passed: None,
            is_over: false,
            is_shut: false,
            is_blocked: false,
        }
    }

    /// Whether to read from its source.
    pub(super) fn wants_input(&self) -> bool {
        !self.is_over && !self.fault.is_cut && self.waiting < WAITING
    }

    /// When the next bytes are to be written; `None`: there are none, or none may pass.
    pub(super) fn due(&self) -> Option<Instant> {
        if self.fault.is_cut || self.fault.is_held {
            return None;
        }
        let packets = self.packets.front().into_iter().chain(&self.passed);
        packets.map(|packet| packet.due).min()
    }

    /// Whether all has passed that will ever come.
    pub(super) fn is_done(&self) -> bool {
        let is_empty = self.packets.is_empty() && self.passed.is_none();
        self.is_over && is_empty && !self.fault.is_cut && !self.fault.is_held
    }

    /// Takes what was read.
    pub(super) fn take(&mut self, bytes: &[u8], now: Instant, rng: &mut Rng) {
        let Some(mut messages) = self.messages.take() else {
            self.push(bytes.into(), now, rng);
            return;
        };
        messages.add(bytes);
        while let Some(piece) = messages.next() {
            match piece {
                Piece::Message(bytes) => self.message(bytes, now, rng),
                Piece::Raw(bytes) => self.push(bytes, now, rng),
            }
        }
        self.messages = Some(messages);
    }

    /// Takes a message of the bus, with the faults of messages.
    fn message(&mut self, bytes: Vec<u8>, now: Instant, rng: &mut Rng) {
        if happens(self.fault.drop, rng) {
            return;
        }
        if happens(self.fault.duplicate, rng) {
            self.push(bytes.clone(), now, rng);
        }
        if self.passed.is_none() && happens(self.fault.reorder, rng) {
            self.waiting += bytes.len();
            let due = self.arrival(now, rng) + PASSING;
            self.passed = Some(Packet { due, bytes });
            return;
        }
        self.push(bytes, now, rng);
        if let Some(passed) = self.passed.take() {
            self.waiting -= passed.bytes.len();
            self.push(passed.bytes, now, rng);
        }
    }

    fn push(&mut self, bytes: Vec<u8>, now: Instant, rng: &mut Rng) {
        let due = self.arrival(now, rng);
        self.waiting += bytes.len();
        self.packets.push_back(Packet { due, bytes });
    }

    /// When bytes that are sent now arrive: not before those that were sent earlier.
    fn arrival(&self, now: Instant, rng: &mut Rng) -> Instant {
        let jitter = u64::try_from(self.fault.jitter.as_nanos()).unwrap_or(u64::MAX);
        let late = Duration::from_nanos(rng.below(jitter));
        let due = now + (self.fault.delay + late);
        self.packets.back().map_or(due, |last| due.max(last.due))
    }

    /// Sets the faults. What waits longer than they ask for waits that long.
    pub(super) fn set(&mut self, fault: LinkFault, now: Instant) {
        self.fault = fault;
        let latest = now + fault.delay + fault.jitter;
        for packet in self.packets.iter_mut().chain(&mut self.passed) {
            packet.due = packet.due.min(latest);
        }
    }

    /// Writes the bytes whose delay is over.
    pub(super) fn write(&mut self, target: &mut impl Write, now: Instant) -> io::Result<()> {
        if self.passed.as_ref().is_some_and(|packet| packet.due <= now) {
            self.packets.extend(self.passed.take());
        }
        while self.due().is_some_and(|due| due <= now) {
            let Some(packet) = self.packets.front() else {
                break;
            };
            match target.write(&packet.bytes[self.written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(length) => self.advance(length),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_full(&error) => {
                    self.is_blocked = true;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn advance(&mut self, length: usize) {
        self.written += length;
        let Some(packet) = self.packets.front() else {
            return;
        };
        if self.written == packet.bytes.len() {
            self.waiting -= packet.bytes.len();
            self.written = 0;
            self.packets.pop_front();
        }
    }
}

/// Whether a target takes no more for now, or is not connected yet.
fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::NotConnected
    )
}

fn happens(chance: Percent, rng: &mut Rng) -> bool {
    rng.below(u64::from(Percent::ALL.millionths())) < u64::from(chance.millionths())
}
