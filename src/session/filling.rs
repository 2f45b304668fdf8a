//! FILL: generated keys, made and stored in chunks.

use std::time::Duration;

use crate::cluster::Request;
use crate::language::Error;
use crate::operation::Operation;
use crate::reply::Reply;
use crate::rng::Rng;
use crate::time::Instant;

/// The keys that FILL stores, of which one chunk at a time is there.
pub struct Filling {
    prefix: Vec<u8>,
    value: Vec<u8>,
    ttl: Option<(Duration, Duration)>,
    rng: Rng,
    /// How many keys there are in all, and how many were made.
    pub count: u64,
    made: u64,
    chunk: Vec<(Vec<u8>, Option<Instant>)>,
    /// How many keys are stored, and how many are not.
    pub stored: u64,
    pub failed: u64,
    /// The error of the first key that is not stored.
    pub error: Option<Error>,
}

impl Filling {
    /// So many keys, none made so far.
    #[must_use]
    pub fn new(
        prefix: &[u8],
        size: usize,
        count: u64,
        ttl: Option<(Duration, Duration)>,
        rng: Rng,
    ) -> Self {
        Self {
            prefix: prefix.into(),
            value: vec![b'x'; size],
            ttl,
            rng,
            count,
            made: 0,
            chunk: Vec::new(),
            stored: 0,
            failed: 0,
            error: None,
        }
    }

    /// Makes the next keys, at most so many, whose TTLs start now. Returns their number.
    pub fn next_chunk(&mut self, now: Instant, most: usize) -> usize {
        self.chunk.clear();
        while self.chunk.len() < most && self.made < self.count {
            self.made += 1;
            let mut key = self.prefix.clone();
            key.extend_from_slice(self.made.to_string().as_bytes());
            let deadline = self.draw_ttl().map(|ttl| now.saturating_add(ttl));
            self.chunk.push((key, deadline));
        }
        self.chunk.len()
    }

    /// A TTL between the two, in steps of a millisecond.
    fn draw_ttl(&mut self) -> Option<Duration> {
        let (shortest, longest) = self.ttl?;
        let range =
            u64::try_from(longest.saturating_sub(shortest).as_millis()).unwrap_or(u64::MAX - 1);
        Some(shortest + Duration::from_millis(self.rng.below(range + 1)))
    }

    /// A key of the chunk.
    #[must_use]
    pub fn key(&self, index: usize) -> &[u8] {
        &self.chunk[index].0
    }

    /// The request for a key of the chunk.
    #[must_use]
    pub fn request(&self, index: usize) -> Request<'_> {
        let (key, deadline) = &self.chunk[index];
        let operation = Operation::Put {
            value: &*self.value,
            deadline: *deadline,
        };
        Request::new(key, operation)
    }

    /// Counts the outcome of a key.
    pub fn note(&mut self, outcome: Result<(), Error>) {
        match outcome {
            Ok(()) => self.stored += 1,
            Err(error) => {
                self.failed += 1;
                self.error.get_or_insert(error);
            }
        }
    }

    /// The reply: how many keys are stored, and the error if some are not.
    #[must_use]
    pub fn reply(self) -> Reply<'static> {
        let Self {
            count,
            stored,
            failed,
            error,
            ..
        } = self;
        let more = match failed {
            0 | 1 => String::new(),
            failed => format!("; and {} more", failed - 1),
        };
        let error = error.map(|mut error| {
            let message = &error.message;
            error.message =
                format!("FILL has stored {stored} of {count} keys for certain; {message}{more}");
            error
        });
        Reply::Filled { stored, error }
    }
}
