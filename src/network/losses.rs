//! Lost messages, kept while a caller watches for them.

use super::{Envelope, Payload};
use crate::time::Instant;

/// The most lost messages that are kept.
const MAX_KEPT: usize = 10_000;
/// The most bytes of lost messages that are kept.
const MAX_KEPT_BYTES: usize = 16 << 20;

/// Messages that got lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Losses<M> {
    /// The first 10,000, or as many as hold 16 MiB, in the order of loss. `arrives` is the instant
    /// of the loss.
    pub kept: Vec<Envelope<M>>,
    /// How many more got lost.
    pub omitted: u64,
    bytes: usize,
}

impl<M> Default for Losses<M> {
    fn default() -> Self {
        Self {
            kept: Vec::new(),
            omitted: 0,
            bytes: 0,
        }
    }
}

impl<M: Payload> Losses<M> {
    pub(super) fn note(&mut self, at: Instant, mut envelope: Envelope<M>) {
        let bytes = self.bytes + envelope.message.bytes();
        // Once one is omitted, all later ones are: what is kept has no gaps.
        let full = self.kept.len() >= MAX_KEPT || bytes > MAX_KEPT_BYTES;
        if self.omitted > 0 || full {
            self.omitted += 1;
            return;
        }
        self.bytes = bytes;
        envelope.arrives = at;
        self.kept.push(envelope);
    }
}
