//! The interface of every cache here: a cluster, or the naive model in the tests.

use crate::operation::{Bytes, PutError, Refusal, Shortfall};
use crate::time::Instant;

/// A cache of byte strings, at instants that the caller names.
///
/// The instants of successive calls must not decrease. Every call first expires the entries whose
/// deadlines are at or before its instant, so none of them can be read. `Ok(None)` and `Ok(false)`
/// mean that the key is absent. If no node can answer, the call returns an error.
pub trait Cache {
    /// Stores `value` under `key`, in place of an older value and its deadline. At `deadline` the
    /// key is gone; without one it stays.
    ///
    /// # Errors
    /// [`Error`]. After [`Error::Refused`] nothing has changed.
    fn put(
        &mut self,
        now: Instant,
        key: &[u8],
        value: &[u8],
        deadline: Option<Instant>,
    ) -> Result<(), Error>;

    /// The value under `key`. Counts as a hit or a miss.
    ///
    /// # Errors
    /// [`Error`] if no node can answer.
    fn get(&mut self, now: Instant, key: &[u8]) -> Result<Option<Bytes>, Error>;

    /// Removes `key`; `true` if it was present.
    ///
    /// # Errors
    /// [`Error`]. After [`Error::Refused`] nothing has changed.
    fn delete(&mut self, now: Instant, key: &[u8]) -> Result<bool, Error>;
}

/// Why a cache did not do what was asked, by what the caller does next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It was not done, and never will be: change the request or the cache, or try again.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It may have been done, or may still be: read before writing again.
    #[error("it may have been done, or not: {0}")]
    Unknown(Box<Shortfall>),
}

impl From<PutError> for Error {
    fn from(error: PutError) -> Self {
        Self::Refused(error.into())
    }
}
