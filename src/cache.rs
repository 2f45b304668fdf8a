//! The interface of every cache here: a cluster, or the naive model in the tests.

use crate::operation::{Bytes, PutError, Refusal, Shortfall};
use crate::time::Instant;

/// A cache of byte strings, at instants that the caller names.
///
/// The instants of successive calls must not decrease. Every call first expires the entries whose
/// deadlines are at or before its instant, so none of them can be read. `Ok(None)` and `Ok(false)`
/// mean that the key is absent. If no node can answer, the call returns an error.
///
/// ```
/// use shardlab::cache::{Cache, Error};
/// use shardlab::time::Instant;
/// use shardlab::{Cluster, Config};
///
/// /// Works with every cache.
/// fn copy(cache: &mut impl Cache, now: Instant, from: &[u8], to: &[u8]) -> Result<bool, Error> {
///     let Some(value) = cache.get(now, from)? else {
///         return Ok(false);
///     };
///     cache.put(now, to, &value, None)?;
///     Ok(true)
/// }
///
/// let mut cluster = Cluster::new(Config::new())?;
/// let now = Instant::START;
/// cluster.put(now, b"apple", b"red", None)?;
/// assert_eq!(copy(&mut cluster, now, b"apple", b"cherry"), Ok(true));
/// assert_eq!(cluster.delete(now, b"cherry"), Ok(true));
/// // That no node can answer is an error, not an absent key.
/// for node in 0..3 {
///     cluster.crash(now, shardlab::id::NodeId(node))?;
/// }
/// assert!(copy(&mut cluster, now, b"apple", b"cherry").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
