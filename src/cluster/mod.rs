//! The in-process cluster: nodes, a placement, a simulated network, and one log of events.
//!
//! | file | what it does |
//! | --- | --- |
//! | `requests` | the client side: submit and poll |
//! | `fast_path` | requests by direct calls, while nothing is disturbed |
//! | `place` | where a key is, found ahead of a request |
//! | `direct` | requests of a server's clients, by direct calls |
//! | `read_through` | gets that store on a miss, by direct calls |
//! | `delivery` | requests by message |
//! | `passing` | ticks, expiry and the next deadline |
//! | `capacity` | how much nodes may hold, and their policies |
//! | `moving`, `copies` | joins, leaves, changes of placement and replicas |
//! | `faults` | crashes, pauses, wrong clocks |
//! | `views`, `verify`, `promise`, `limits` | what it holds, whether copies agree, what it promises |
//! | `inspect`, `latency` | what the owners of a key know, and how long requests took |
//! | `hosted`, `deadlines` | the nodes, and when each acts next |
//!
//! # Promises
//!
//! There are six promises, weakest first: nothing, no invented value, no expired read, no stale
//! read, linearizable but for losses, linearizable. `CHECK` judges each key by its promise, and
//! `QUORUM` shows the weakest of all keys. It is the weakest that was in force since the history
//! began. If several rows apply, the weakest of them counts:
//!
//! | when | promise |
//! | --- | --- |
//! | W + R > N, and R > 1 or N = 1 | linearizable |
//! | W = N and R = 1 < N | no stale read; a write with an unknown outcome may be seen and then not be seen |
//! | W + R <= N, or N > 1 on nodes that evict | no expired read; no invented value for a key on which `EXPIRE`, `PERSIST` or `INCR` was used, since an old copy may have an old deadline |
//! | N = 1, and a node has crashed or nodes evict | linearizable but for losses |
//! | a clock is wrong (`SKEW`) | at most no stale read |
//! | W or more nodes are crashed or still resynchronizing at the same time, with N > 1 | at most no expired read, as for small quorums |
//! | any node crashes, where nodes have a capacity and the policy `none`, with N > 1 | at most no expired read, as for small quorums: it may have no room for what it had |
//! | a node restarts with `cold`, `hints` or `stale`, with N > 1 | at most no expired read, as for small quorums |
//! | a node restarts with `stale`, with N = 1 | at most no stale read |
//! | `ADD`, `CAS`, `INCR`, `EXPIRE` or `PERSIST` is in flight together with another write to the key | for this key at most as for small quorums |
//! | one of these has an unknown outcome, or follows a write with an unknown outcome before an acknowledged `PUT` or `DEL` | for this key at most no stale read |
//!
//! N is the number of replicas, W the write quorum and R the read quorum. Until a move is over, a request
//! needs a quorum of the owners before the change and one of the owners after it, so the promises hold
//! meanwhile.
//!
//! The history keeps the latest 10,000 operations. It forgets the oldest ones and keeps the possible
//! values of each key, so that the rest can be judged. Values over 64 bytes are kept as length and hash.

#[cfg(feature = "shell")]
mod by_slot;
mod capacity;
mod copies;
mod deadlines;
mod delivery;
#[cfg(feature = "shell")]
mod direct;
mod fast_path;
mod faults;
mod hosted;
mod inspect;
mod latency;
mod limits;
mod moving;
#[cfg(feature = "shell")]
mod paced;
mod passing;
mod place;
mod promise;
#[cfg(feature = "shell")]
mod read_through;
mod requests;
mod verify;
mod views;

#[cfg(feature = "shell")]
pub(crate) use crate::node::AHEAD;
pub use crate::replica::Restart;
pub use delivery::RequestTrace;
pub use faults::FaultError;
pub use hosted::Status;
pub use inspect::OwnerCopy;
pub use latency::{Latencies, Quantile};
pub use moving::{MoveCost, MoveError, MoveProgress};
#[cfg(feature = "shell")]
pub(crate) use paced::{PacedMove, Phase};
#[cfg(feature = "shell")]
pub use place::Place;
#[cfg(not(feature = "shell"))]
use place::Place;
#[cfg(feature = "lab")]
pub(crate) use requests::Started;
pub use requests::{Completion, MAX_REQUESTS, Request, Ticket, TooManyRequests};
pub use verify::Disorder;

use std::sync::Arc;

use crate::cache::{Cache, Error};
use crate::checker::fold;
use crate::config::{Config, ConfigError};
use crate::event::EventLog;
use crate::eviction::EvictionPolicy;
use crate::history::History;
use crate::id::NodeId;
use crate::network::{Endpoint, Network};
use crate::node::Node;
use crate::operation::{Bytes, Found, Operation, Outcome, PutError};
use crate::placement::{Members, Placement};
use crate::replica::{Message, Version};
use crate::time::Instant;
use deadlines::Deadlines;
use hosted::Nodes;
use limits::Limits;
use moving::Moving;
use requests::Clients;

/// The version of every entry until versions are kept.
const FIRST_VERSION: Version = 1;

/// What makes a policy for each node.
type Policies = Arc<dyn Fn(NodeId) -> Box<dyn EvictionPolicy> + Send + Sync>;

/// A cluster of cache nodes in this process. Deterministic: the same calls give the same results and
/// the same log.
///
/// [`Cluster::submit`] and [`Cluster::poll`] are the way in, for many clients at once. The methods
/// of [`Cache`] and the others here never block: if the outcome of a request is not known in its
/// own instant, as with a delayed message, they return [`Error::Unknown`].
///
/// ```
/// use std::time::Duration;
/// use shardlab::cache::Error;
/// use shardlab::cluster::Restart;
/// use shardlab::id::NodeId;
/// use shardlab::time::Instant;
/// use shardlab::{Cache, Cluster, Config};
///
/// let mut cluster = Cluster::new(Config::new().nodes(3).replicas(3).quorums(2, 2))?;
/// let now = Instant::START;
/// cluster.put(now, b"apple", b"red", None)?;
///
/// // One of three loses its memory: the others decide, and it learns from them when it is back.
/// cluster.crash(now, NodeId(2))?;
/// cluster.put(now, b"apple", b"green", None)?;
/// cluster.restart(now, NodeId(2), Restart::Resync)?;
/// assert_eq!(cluster.get(now, b"apple")?.as_deref(), Some(&b"green"[..]));
///
/// // A node joins. Keys stay readable while they move.
/// cluster.join(now, 1)?;
/// while cluster.move_some(now, 100).is_none() {
///     assert!(cluster.get(now, b"apple")?.is_some());
/// }
/// assert_eq!(cluster.to_string(), "4 nodes, modulo placement, 3 entries, at 0s");
///
/// // Cut off, it is unknown whether a write was done.
/// let owner = cluster.owner(b"apple");
/// cluster.network().isolate(owner)?;
/// let put = cluster.put(now, b"apple", b"brown", None);
/// assert!(matches!(put, Err(Error::Unknown(_))), "{put:?}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A clone is a fork: from the same state on, the same calls give the same results in both, and
/// neither sees what happens in the other. Cost of a clone: a copy of all entries, messages and logs.
///
/// ```
/// use shardlab::time::Instant;
/// use shardlab::{Cache, Cluster, Config};
///
/// let now = Instant::START;
/// let mut calm = Cluster::new(Config::default())?;
/// calm.put(now, b"apple", b"red", None)?;
/// let mut broken = calm.clone();
/// let owner = broken.owner(b"apple");
/// broken.crash(now, owner)?;
/// assert!(broken.get(now, b"apple").is_err());
/// assert_eq!(calm.get(now, b"apple")?.as_deref(), Some(&b"red"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Cluster {
    nodes: Nodes,
    placement: Arc<dyn Placement>,
    /// The move that is not over.
    moving: Option<Moving>,
    config: Config,
    /// Makes the policy of each node, if it is none of [`Eviction`].
    policies: Option<Policies>,
    log: EventLog,
    /// When the next entry of each node expires.
    deadlines: Deadlines,
    /// When each node next acts without a message.
    timeouts: Deadlines,
    /// The latest instant that was named. Time never runs backwards.
    present: Instant,
    /// The logical clock: the version of the latest write.
    clock: Version,
    /// The logical clock when the owners of keys last changed.
    layout_version: Version,
    network: Network<Message>,
    clients: Clients,
    history: Option<History>,
    /// What limits the promise since the history began.
    limits: Limits,
    /// The messages that are delivered, while they are recorded.
    trace: Option<RequestTrace>,
    /// How many messages were delivered, by the index of [`Message::KINDS`].
    delivered: [u64; Message::KINDS.len()],
    /// Memory for messages of a node, and for the owners of a key.
    outbox: Vec<(Endpoint, Message)>,
    owners: Vec<NodeId>,
    /// Whether all nodes serve and wait for nothing; `None`: unknown.
    quiescent: Option<bool>,
    /// Whether some node has a capacity.
    is_bounded: bool,
    /// How long requests took.
    latencies: Latencies,
    /// Whether nodes may have tombstones that nothing needs; see [`Cluster::forget_tombstones`].
    may_have_tombstones: bool,
}

impl Cluster {
    /// An empty cluster.
    ///
    /// # Errors
    /// [`ConfigError`] if a bound is broken.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        let mut cluster = Self {
            nodes: Nodes::default(),
            placement: config.place(Members::first(config.nodes)).into(),
            moving: None,
            config,
            policies: None,
            log: EventLog::new(config.event_log),
            deadlines: Deadlines::default(),
            timeouts: Deadlines::default(),
            present: Instant::START,
            clock: FIRST_VERSION,
            layout_version: 0,
            network: Network::new(config.seed),
            clients: Clients::default(),
            history: (config.history > 0).then(|| History::new(config.history, fold)),
            limits: Limits::default(),
            trace: None,
            delivered: [0; Message::KINDS.len()],
            outbox: Vec::new(),
            owners: Vec::new(),
            quiescent: None,
            is_bounded: config.capacity.is_bounded(),
            latencies: Latencies::default(),
            may_have_tombstones: false,
        };
        for _ in 0..config.nodes {
            cluster.add_node(Instant::START);
        }
        Ok(cluster)
    }

    fn add_node(&mut self, now: Instant) {
        let mut node = Node::new(self.nodes.next_id());
        node.watch_hot_keys(self.config.hot_keys);
        let id = node.id();
        self.nodes.push(node);
        self.bound(now, id);
    }

    /// The present settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The latest instant that a call has named.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.present
    }

    /// The numbers of the nodes, ascending.
    pub fn node_ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes.iter().map(|it| it.replica.id())
    }

    /// How keys are placed.
    #[must_use]
    pub fn placement(&self) -> &dyn Placement {
        &*self.placement
    }

    /// The primary owner of `key`.
    #[inline]
    #[must_use]
    pub fn owner(&self, key: &[u8]) -> NodeId {
        self.placement.owner(self.placement.hash(key))
    }

    /// Like [`Cache::get`], with the node that answered.
    ///
    /// # Errors
    /// As for [`Cache::get`].
    pub fn get_from(&mut self, now: Instant, key: &[u8]) -> Result<(NodeId, Option<Bytes>), Error> {
        let (node, outcome) = self.call(now, Request::new(key, Operation::Get));
        Ok((node, found(outcome)?.map(|it| it.value)))
    }

    /// The value of `key` and its deadline. Does not count as a hit, a miss or an access.
    ///
    /// # Errors
    /// As for [`Cache::get`].
    pub fn peek(&mut self, now: Instant, key: &[u8]) -> Result<Option<Found>, Error> {
        found(self.call(now, Request::look(key)).1)
    }

    /// Stores only if `key` is absent; `true` if it stored.
    ///
    /// # Errors
    /// As for [`Cache::put`].
    pub fn add(
        &mut self,
        now: Instant,
        key: &[u8],
        value: &[u8],
        deadline: Option<Instant>,
    ) -> Result<bool, Error> {
        self.apply(now, key, Operation::Add { value, deadline })
    }

    /// Stores `new` only if the value of `key` is `expected`; `true` if it stored.
    ///
    /// # Errors
    /// As for [`Cache::put`].
    pub fn compare_and_set(
        &mut self,
        now: Instant,
        key: &[u8],
        expected: &[u8],
        new: &[u8],
        deadline: Option<Instant>,
    ) -> Result<bool, Error> {
        let operation = Operation::Cas {
            expected,
            new,
            deadline,
        };
        self.apply(now, key, operation)
    }

    /// Adds `delta` to the number under `key`; an absent key counts as 0. The deadline stays.
    ///
    /// # Errors
    /// As for [`Cache::put`], and if there is no such sum.
    pub fn incr(&mut self, now: Instant, key: &[u8], delta: i64) -> Result<i64, Error> {
        let outcome = self
            .call(now, Request::new(key, Operation::Incr { delta }))
            .1;
        match certain(outcome)? {
            Outcome::Number(number) => Ok(number),
            other => unreachable!("{other:?} is no outcome of an increment"),
        }
    }

    /// Gives `key` a new deadline, or with `None` takes it away; `false` if the key is absent.
    ///
    /// # Errors
    /// As for [`Cache::put`].
    pub fn set_deadline(
        &mut self,
        now: Instant,
        key: &[u8],
        deadline: Option<Instant>,
    ) -> Result<bool, Error> {
        self.apply(now, key, Operation::SetDeadline { deadline })
    }

    fn apply(
        &mut self,
        now: Instant,
        key: &[u8],
        operation: Operation<&[u8]>,
    ) -> Result<bool, Error> {
        match certain(self.call(now, Request::new(key, operation)).1)? {
            Outcome::Applied(applied) => Ok(applied),
            _ => Ok(true),
        }
    }

    /// Whether a key and a value keep within the bounds of the config.
    ///
    /// # Errors
    /// The bound that is broken.
    pub fn check(&self, key: &[u8], value: &[u8]) -> Result<(), PutError> {
        let operation = Operation::Put {
            value,
            deadline: None,
        };
        requests::check(&self.config, &Request::new(key, operation))
    }

    /// How many faults of the network are active.
    #[must_use]
    pub fn fault_count(&self) -> u64 {
        self.network.faults().len() as u64
    }

    /// The latest events.
    #[inline]
    #[must_use]
    pub fn events(&self) -> &EventLog {
        &self.log
    }

    /// Time starts again from [`Instant::START`], for use when the clock is replaced.
    ///
    /// # Panics
    /// In debug builds, if a key has a deadline or a message is in flight.
    pub fn restart_time(&mut self) {
        debug_assert_eq!(
            self.next_deadline(),
            None,
            "nothing is due at an old instant"
        );
        self.present = Instant::START;
        self.log.restart_time();
    }
}

impl Cache for Cluster {
    fn put(
        &mut self,
        now: Instant,
        key: &[u8],
        value: &[u8],
        deadline: Option<Instant>,
    ) -> Result<(), Error> {
        self.apply(now, key, Operation::Put { value, deadline })
            .map(|_| ())
    }

    fn get(&mut self, now: Instant, key: &[u8]) -> Result<Option<Bytes>, Error> {
        self.get_from(now, key).map(|(_, value)| value)
    }

    fn delete(&mut self, now: Instant, key: &[u8]) -> Result<bool, Error> {
        self.apply(now, key, Operation::Delete)
    }
}

fn certain(outcome: Outcome) -> Result<Outcome, Error> {
    match outcome {
        Outcome::Refused(refusal) => Err(Error::Refused(refusal)),
        Outcome::Unknown(shortfall) => Err(Error::Unknown(shortfall)),
        certain => Ok(certain),
    }
}

fn found(outcome: Outcome) -> Result<Option<Found>, Error> {
    match certain(outcome)? {
        Outcome::Value(found) => Ok(found),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests;
