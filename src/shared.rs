//! A cluster that many threads share, on the real clock.
//!
//! One lock guards the cluster. A call takes the lock, reads the clock, and does what the same call
//! of the cluster does at that instant. A timer thread sleeps until the next deadline, so entries
//! expire by themselves. The event log is the channel to readers: it is bounded by
//! [`Config::event_log`](crate::config::Config::event_log), every reader has a cursor of its own, and
//! a reader that is too slow gets the number of events that it has missed.
//!
//! ```
//! use std::time::Duration;
//! use shardlab::shared::{Notice, SharedCache};
//! use shardlab::{Cluster, Config};
//!
//! let cache = SharedCache::start(Cluster::new(Config::new().nodes(3))?)?;
//! let mut events = cache.events();
//! let writer = cache.clone();
//! std::thread::spawn(move || writer.put(b"apple", b"red", Some(Duration::from_millis(20))))
//!     .join()
//!     .expect("no panic")?;
//! assert_eq!(cache.get(b"apple")?.as_deref(), Some(&b"red"[..]));
//!
//! let Some(Notice::Event(event)) = events.next() else { unreachable!("it expires") };
//! assert_eq!(&*event.key, b"apple");
//! assert_eq!(cache.get(b"apple")?, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::cache::{self, Cache};
use crate::cluster::Cluster;
use crate::event::{Cursor, Event};
use crate::operation::Bytes;
use crate::time::{Instant, TimeError};

/// How many entries the timer expires before it lets others have the lock.
const SLICE: usize = 1_000;
/// How many events a reader copies before it lets others have the lock.
const BATCH: usize = 256;

/// A handle on a cluster that threads share. Clones are handles on the same cluster; the last one
/// that is dropped stops the timer thread.
///
/// No call waits for anything but the lock; the iterator [`Events`] blocks until there is an event.
/// A request without an outcome in its own instant, as under a fault of the network, fails with
/// [`cache::Error::Unknown`].
///
/// Cost: that of the cluster, the lock, and a reading of the clock. On one thread, with
/// 300,000 entries of 16 and 64 bytes, a put with a TTL takes 0.7 µs and a get 1.0 µs, where moka
/// takes 3.0 µs and 1.8 µs (CPU time on a busy machine, so trust the ratios; the row `shardlab shared`
/// of `benches/store.rs` measures it again). All threads share one lock: more threads are not faster.
#[derive(Clone)]
pub struct SharedCache(Arc<Owner>);

/// Stops the timer when the last handle is dropped.
struct Owner {
    shared: Arc<Shared>,
    timer: Option<JoinHandle<()>>,
}

/// What handles, readers and the timer share.
struct Shared {
    state: Mutex<State>,
    /// The timer waits here.
    timer: Condvar,
    /// Readers wait here.
    readers: Condvar,
    /// The instant of the cluster at which it was shared, and the real time of that.
    started: (Instant, std::time::Instant),
}

struct State {
    cluster: Cluster,
    /// When the timer wakes up; `None`: when it is notified.
    wakes: Option<Instant>,
    /// The end of the log when readers were last notified.
    announced: Cursor,
    /// How many readers wait.
    waiting: usize,
    /// Whether the last handle is gone.
    closed: bool,
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No deadline can be made of the TTL. Nothing was done.
    #[error(transparent)]
    Ttl(#[from] TimeError),
    /// The cluster did not do it, or may not have done it.
    #[error(transparent)]
    Cache(#[from] cache::Error),
}

impl SharedCache {
    /// Shares a cluster, and starts the timer thread. Time continues from [`Cluster::now`].
    ///
    /// # Errors
    /// If the timer thread cannot be spawned.
    pub fn start(cluster: Cluster) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            started: (cluster.now(), std::time::Instant::now()),
            state: Mutex::new(State {
                announced: cluster.events().end(),
                cluster,
                wakes: None,
                waiting: 0,
                closed: false,
            }),
            timer: Condvar::new(),
            readers: Condvar::new(),
        });
        let timer = {
            let shared = Arc::clone(&shared);
            let builder = thread::Builder::new().name("shardlab timer".into());
            Some(builder.spawn(move || shared.run_timer())?)
        };
        Ok(Self(Arc::new(Owner { shared, timer })))
    }

    /// Stores `value` under `key`, in place of an older value and its deadline. After `ttl` the key
    /// is gone; without one it stays.
    ///
    /// # Errors
    /// [`Error`]. After [`Error::Ttl`] and [`cache::Error::Refused`] nothing has changed.
    pub fn put(&self, key: &[u8], value: &[u8], ttl: Option<Duration>) -> Result<(), Error> {
        self.with(|cluster, now| {
            let deadline = ttl.map(|ttl| now.after(ttl)).transpose()?;
            Ok(cluster.put(now, key, value, deadline)?)
        })
    }

    /// The value under `key`. Counts as a hit or a miss.
    ///
    /// # Errors
    /// [`Error::Cache`] if no node can answer.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        self.with(|cluster, now| Ok(cluster.get(now, key)?))
    }

    /// Removes `key`; `true` if it was present.
    ///
    /// # Errors
    /// [`Error::Cache`]. After [`cache::Error::Refused`] nothing has changed.
    pub fn delete(&self, key: &[u8]) -> Result<bool, Error> {
        self.with(|cluster, now| Ok(cluster.delete(now, key)?))
    }

    /// Everything else that a cluster can do: `call` gets the cluster and the present. All other
    /// threads wait meanwhile.
    ///
    /// ```
    /// # use shardlab::{Cluster, Config, shared::SharedCache};
    /// # let cache = SharedCache::start(Cluster::new(Config::new())?)?;
    /// let visits = cache.with(|cluster, now| cluster.incr(now, b"visits", 1))?;
    /// assert_eq!(visits, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// If `call` panics, or calls this handle: the lock is not reentrant.
    pub fn with<R>(&self, call: impl FnOnce(&mut Cluster, Instant) -> R) -> R {
        let shared = &self.0.shared;
        let mut state = shared.lock();
        // Read under the lock, so that the instants of successive calls do not decrease.
        let now = shared.now();
        let result = call(&mut state.cluster, now);
        shared.announce(&mut state);
        let next = state.cluster.next_deadline();
        if next.is_some_and(|next| state.wakes.is_none_or(|wakes| next < wakes)) {
            state.wakes = next;
            shared.timer.notify_one();
        }
        result
    }

    /// The events from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        let shared = Arc::clone(&self.0.shared);
        let cursor = shared.lock().cluster.events().end();
        Events {
            shared,
            cursor,
            ready: VecDeque::new(),
        }
    }
}

impl fmt::Debug for SharedCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.shared.lock();
        f.debug_tuple("SharedCache").field(&state.cluster).finish()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.timer.notify_one();
        self.shared.readers.notify_all();
        if let Some(timer) = self.timer.take() {
            // It has panicked if that is an error, and has said so.
            let _ = timer.join();
        }
    }
}

impl Shared {
    /// The cluster. A caller that has panicked was between two calls of the cluster, so its state
    /// is consistent; poisoning is ignored.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Instant {
        let (start, started) = self.started;
        start.saturating_add(started.elapsed())
    }

    /// Wakes the readers if there are new events.
    fn announce(&self, state: &mut State) {
        let end = state.cluster.events().end();
        if end != state.announced {
            state.announced = end;
            if state.waiting > 0 {
                self.readers.notify_all();
            }
        }
    }

    /// The timer thread: expires entries at their deadlines, until the last handle is gone.
    fn run_timer(&self) {
        let mut state = self.lock();
        while !state.closed {
            let now = self.now();
            let more = state.cluster.tick_some(now, SLICE);
            self.announce(&mut state);
            if more {
                drop(state);
                thread::yield_now();
                state = self.lock();
                continue;
            }
            state.wakes = state.cluster.next_deadline();
            state = match state.wakes {
                None => wait(&self.timer, state, None),
                Some(at) => wait(&self.timer, state, Some(at.saturating_duration_since(now))),
            };
        }
    }
}

/// Waits to be notified, at most for `timeout`.
fn wait<'a>(
    on: &Condvar,
    state: MutexGuard<'a, State>,
    timeout: Option<Duration>,
) -> MutexGuard<'a, State> {
    match timeout {
        None => on.wait(state).unwrap_or_else(PoisonError::into_inner),
        Some(timeout) => {
            let woken = on.wait_timeout(state, timeout);
            woken.unwrap_or_else(PoisonError::into_inner).0
        }
    }
}

/// What a reader of events gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The next event.
    Event(Event),
    /// The reader was too slow and missed this many events.
    Missed(u64),
}

/// The events of a [`SharedCache`] since it was made, in order. As an iterator it waits for the next
/// one, and ends when the last handle is gone and all events are read.
///
/// It keeps the cluster alive but does not keep the timer running.
pub struct Events {
    shared: Arc<Shared>,
    cursor: Cursor,
    ready: VecDeque<Notice>,
}

impl Events {
    /// The next notice, if there is one. Does not wait.
    pub fn try_next(&mut self) -> Option<Notice> {
        self.next_within(Duration::ZERO)
    }

    /// The next notice; `None` if none comes within `timeout`, or ever.
    pub fn next_within(&mut self, timeout: Duration) -> Option<Notice> {
        self.next_until(std::time::Instant::now().checked_add(timeout))
    }

    /// The next notice; waits until `end`, without one for ever.
    fn next_until(&mut self, end: Option<std::time::Instant>) -> Option<Notice> {
        if let Some(notice) = self.ready.pop_front() {
            return Some(notice);
        }
        let mut state = self.shared.lock();
        loop {
            read(&state.cluster, &mut self.cursor, &mut self.ready);
            let left = end.map(|end| end.saturating_duration_since(std::time::Instant::now()));
            let is_over = state.closed || left.is_some_and(|left| left.is_zero());
            if is_over || !self.ready.is_empty() {
                return self.ready.pop_front();
            }
            state.waiting += 1;
            state = wait(&self.shared.readers, state, left);
            state.waiting -= 1;
        }
    }
}

/// Copies the next events after the cursor, and moves it.
fn read(cluster: &Cluster, cursor: &mut Cursor, into: &mut VecDeque<Notice>) {
    let since = cluster.events().since(*cursor);
    into.extend((since.missed > 0).then_some(Notice::Missed(since.missed)));
    let events = since.events.take(BATCH).cloned();
    let before = into.len();
    into.extend(events.map(Notice::Event));
    *cursor = cursor.advanced(since.missed + (into.len() - before) as u64);
}

impl Iterator for Events {
    type Item = Notice;

    fn next(&mut self) -> Option<Notice> {
        self.next_until(None)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
