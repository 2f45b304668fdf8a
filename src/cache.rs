//! What every cache here can do, be it one node, a cluster or the naive model in the tests.

use crate::event::EventLog;
use crate::time::Instant;

/// A cache of byte strings, at instants that the caller names.
///
/// The instants of successive calls must not decrease. Every call first does what is due at its
/// instant, so a value whose deadline has come cannot be read.
pub trait Cache {
    /// Stores `value` under `key`, in place of an older value and its deadline. At `deadline` the
    /// key is gone; without one it stays.
    ///
    /// # Errors
    /// [`PutError`]; nothing has changed then.
    fn put(
        &mut self,
        now: Instant,
        key: &[u8],
        value: &[u8],
        deadline: Option<Instant>,
    ) -> Result<(), PutError>;

    /// The value under `key`. Counts as a hit or a miss.
    fn get(&mut self, now: Instant, key: &[u8]) -> Option<&[u8]>;

    /// Removes `key`; `true` if it was there.
    fn delete(&mut self, now: Instant, key: &[u8]) -> bool;

    /// Does what is due at `now`.
    fn tick(&mut self, now: Instant);

    /// When [`Cache::tick`] has something to do next: at or before the earliest deadline. `None`
    /// as long as nothing is scheduled.
    fn next_deadline(&self) -> Option<Instant>;

    /// What happened so far.
    fn events(&self) -> &EventLog;
}

/// A stored value as the number it spells, as strictly as `i64` prints it; `None` if it spells none.
#[must_use]
pub fn number(value: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(value).ok()?.parse().ok()?;
    (number.to_string().as_bytes() == value).then_some(number)
}

/// Why a value cannot be counted up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CountError {
    /// What is stored is no whole number in the range of an `i64`.
    #[error("the value is not a whole number between -2^63 and 2^63-1")]
    NotANumber,
    /// The sum is out of the range of an `i64`.
    #[error("the sum is out of range: it must lie between -2^63 and 2^63-1")]
    Overflow,
}

/// What a stored value counts up to, where nothing counts as 0.
///
/// # Errors
/// [`CountError`].
pub fn sum(old: Option<&[u8]>, delta: i64) -> Result<i64, CountError> {
    let old = old.map_or(Ok(0), |value| number(value).ok_or(CountError::NotANumber))?;
    old.checked_add(delta).ok_or(CountError::Overflow)
}

/// Why a value was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PutError {
    /// The key is longer than the bound in the config.
    #[error("the key is {len} bytes long; at most {max} are allowed")]
    KeyTooLong {
        /// Bytes of the key.
        len: usize,
        /// The bound.
        max: usize,
    },
    /// The value is longer than the bound in the config.
    #[error("the value is {len} bytes long; at most {max} are allowed")]
    ValueTooLong {
        /// Bytes of the value.
        len: usize,
        /// The bound.
        max: usize,
    },
    /// The node's capacity is 0 entries.
    #[error("the capacity is 0 entries: nothing can be stored")]
    NoCapacity,
    /// The entry alone is larger than the node's capacity.
    #[error("the entry takes {cost} bytes, more than the capacity of a node, {max}")]
    NeverFits {
        /// What the entry would take, in bytes.
        cost: usize,
        /// The bound.
        max: u64,
    },
    /// The node is at its capacity, and its policy evicts nothing.
    #[error("the node is full and evicts nothing: remove something, or see EVICTION and CAPACITY")]
    Full,
    /// Too few of the key's owners can be reached. Nothing was stored.
    #[error("too few owners of the key can be reached: nothing was stored")]
    TooFewOwners,
    /// Too few of the key's owners have answered yet.
    #[error("too few owners of the key have answered: it may have been stored, or not")]
    Unknown,
    /// The node's store is at the end of its address space: 16 GiB, or 2^32 - 1024 entries.
    #[error("the node is full: a store holds at most 16 GiB")]
    NodeFull,
}
