//! shardlab: a distributed cache that you can run, break and measure.
//!
//! A [`Cluster`] is a set of cache nodes in one process, connected by a simulated network. A key is
//! stored at the nodes that the placement gives it, with an optional deadline; at the deadline it is
//! gone, and the event log says so. Nothing in a cluster reads a clock: time is an argument. So the
//! same calls give the same results and the same log, and an hour costs microseconds.
//!
//! ```
//! use std::time::Duration;
//! use shardlab::cluster::Request;
//! use shardlab::operation::{Operation, Outcome};
//! use shardlab::time::Instant;
//! use shardlab::{Cache, Cluster, Config};
//!
//! let mut cluster = Cluster::new(Config::new().nodes(3))?;
//! let start = Instant::START;
//! cluster.put(start, b"apple", b"red", Some(start.after(Duration::from_secs(2))?))?;
//!
//! let later = start.after(Duration::from_millis(1999))?;
//! assert_eq!(cluster.get(later, b"apple")?.as_deref(), Some(&b"red"[..]));
//! let deadline = start.after(Duration::from_secs(2))?;
//! assert_eq!(cluster.get(deadline, b"apple")?, None); // gone at its deadline, not a tick later
//!
//! let event = cluster.events().iter().next().expect("an expiry");
//! assert_eq!(event.to_string(), "2s node 2 expired apple");
//!
//! // Many clients at once submit requests and poll for outcomes.
//! let put = Operation::Put { value: &b"green"[..], deadline: None };
//! let ticket = cluster.submit(deadline, Request::new(b"kiwi", put).of(7))?;
//! let completion = cluster.poll().expect("nothing is disturbed");
//! assert_eq!((completion.ticket, completion.outcome), (ticket, Outcome::Done));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to start
//!
//! | to use | see |
//! | --- | --- |
//! | a cache at instants that you name | [`Cache`], the interface: put, get, delete |
//! | one cache node | [`Node`], with its [`EvictionPolicy`] |
//! | many of them as one cache | [`Cluster`], built by a [`Config`] |
//! | the same for many threads, on the real clock | [`SharedCache`] |
//! | a cluster that serves Redis clients, in a test | `ServedCluster`, of the feature `shell` |
//! | your own rule of which entry leaves a full node | [`EvictionPolicy`], with an example |
//! | your own rule of which nodes own a key | [`Placement`], with an example |
//! | the backend interface of the shell | `DistributedCache` in `src/session/backend.rs`, of the program |
//! | faults, and whether promises were kept | [`network`], [`nemesis`], [`history`], [`checker`], [`simulation`] |
//!
//! The program is the feature `shell`, which is on by default and includes the feature `lab`; `tls` adds
//! `--connect rediss://`. Without the default features the library has no terminal dependencies.
//!
//! # The map
//!
//! A module uses only modules that stand before it here. `tests/suite/layers.rs` lists for each module
//! the modules that it may use, and compares the list with the source.
//!
//! | layer | modules | what they are |
//! | --- | --- | --- |
//! | leaves | [`time`] [`id`] `hash` `rng` [`stats`] | instants and clocks, node numbers, pinned hashes, random numbers, counts |
//! | core | [`operation`] [`eviction`] `store` [`event`] [`cache`] `hot` [`placement`] [`config`] [`node`] [`network`] [`history`] [`checker`] `replica` [`cluster`] [`nemesis`] | pure: no I/O, no threads, no clock |
//! | traces | `trace` | traces of requests: read, inspected, converted and generated, over `Read` and `Write` |
//! | language | `language` `reply` `session` `render` | values in, values out; the session reads the clock |
//! | lab | `replay` | traces against eviction policies, each alone, or through a cluster |
//! | | `report` | the answer of a comparison, for people |
//! | protocol | `resp` | the Redis protocol, without sockets: requests, frames, commands on keys |
//! | simulation | [`simulation`] | random clusters under random faults, and the checks of what they promise |
//! | edges | [`shared`] | threads and real time around a cluster |
//! | | `server` | the nodes as servers for Redis clients: sockets, connections, channels |
//! | | `engine` | a real Redis or Valkey behind the prompt: a client, servers that are launched |
//! | | `shell` and `main` | the terminal, pipes, files, threads, real time |
//!
//! The core, in this order:
//!
//! - [`operation`]: what a client asks of one key, and its outcome. The fast path, the messages and
//!   the history use the same type.
//! - `store`: the entries of one node. An index finds the record by the key's hash; the record has
//!   the slot, key and value. Deadline, version and settled flag are columns by slot.
//! - [`node`]: a store with its eviction policy and its counts.
//! - [`network`]: messages between endpoints, and the faults of links.
//! - [`history`] and [`checker`]: what clients were told, and which promise it kept.
//! - `replica`: a node that holds copies of keys together with others. It is a state machine: it
//!   gets the time and a message, and returns messages. Its files: `coordinator`, `reading` and
//!   `writing` carry out requests; `memory` and `tombstones` are what a replica knows; `decision`
//!   is what a conditional operation does to a value; `owners` and `rules` say how many owners are
//!   enough; `sync` and `crash_vector` are for nodes that come back after a crash; `message` has the
//!   messages.
//! - [`cluster`]: nodes, placement, network, clients and moves together.
//! - [`nemesis`]: injects random faults.
//!
//! A line takes four steps: text → `language::Command` → `reply::Reply` → text. Executing
//! prints nothing, and rendering decides nothing.
//!
//! A `session::Session` is one client of a `session::World`, which is a backend and a clock. The
//! backend is any `session::DistributedCache`; the simulated cluster is one
//! (`session::SimulatedCluster`). The command catalog says which capability of the backend a command
//! needs.
//!
//! # Requests
//!
//! [`Cluster::submit`] takes a [`cluster::Request`] and returns a [`cluster::Ticket`]; nothing blocks.
//! [`Cluster::poll`] returns the requests whose outcome is known, in that order, each once.
//! [`Cluster::take`] returns the outcome of one ticket. [`Cluster::abandon`] gives a request up: its
//! outcome is unknown then. [`Cluster::call`] submits, and abandons what has no outcome in its own
//! instant; [`Cache`] is made of such calls. To wait, call [`Cluster::tick`] with later instants.
//!
//! A request goes as messages through the network. While no message is in flight, no fault is active
//! and every node serves, the cluster calls the owners directly instead. The results are the same.
//!
//! # What always holds
//!
//! Time:
//!
//! - A cluster has one clock, and time never goes back: an instant before the latest one counts as
//!   the latest. A node's own clock may be wrong (SKEW); it decides only when its entries expire.
//! - Every call first expires the entries that are due, so an expired value cannot be read even if
//!   no timer has fired. An expiry on a node whose clock is right carries the deadline as its instant,
//!   not the instant of the call that found it. Events are in the order in which they happened: their instants never decrease.
//!   Expiries are in the order of (deadline, node, order of writing).
//! - A deadline is made in one place, [`time::Instant::after`], with checked arithmetic, before
//!   anything is changed.
//!
//! Entries:
//!
//! - There is one way of storing, whether there are copies or not. The column for versions is
//!   allocated when the first version is set; until then every entry has version 1. Nothing is
//!   stored again when a write settles, that is, when all owners are known to have it.
//! - An entry costs the length of its key, the length of its value and 40 bytes against a capacity in
//!   bytes, whatever its deadline, version and eviction policy. What it takes in memory is in the
//!   docs of `src/store/mod.rs`.
//! - An entry leaves a node through one function, with a cause. The eviction policy, the counts and
//!   the log follow from the cause. CLEAR is the exception.
//! - A deleted or expired key leaves a tombstone, with several owners or while something is
//!   disturbed. Tombstones are in a table of their own in each replica, of at most 100,000 or 16
//!   MiB; they count against no capacity. Beyond the bound the oldest goes, and an owner that lacks
//!   such a write is emptied and resynchronized.
//! - What is refused is not done: an older value under the key stays.
//! - Read-only commands (NODES, KEYS, INSPECT) change nothing: no use of an entry is counted, no
//!   victim changes, no event is logged. A test runs random scripts with and without them and
//!   compares all that can be seen.
//!
//! Moves (joins, leaves, changes of placement and of the number of replicas):
//!
//! - A move has two passes. The first copies every key to its new owners; the second drops the copies
//!   that are no longer needed. Until the first is over, a request needs a quorum of the old owners
//!   and one of the new owners.
//! - A move evicts nothing while it runs. What moves in counts against no capacity until the move is
//!   over; then the policy evicts what is too much. Except for that, a node never holds more than
//!   its capacity.
//! - Under the policy `none`, a change for which a node has no room is refused before anything moves
//!   ([`cluster::MoveError::NoRoom`]).
//!
//! Promises:
//!
//! - A client is told that something was done, that it was not and never will be, or that the outcome
//!   is unknown. That no node could answer is an error, not an absent key.
//! - Acknowledgements are counted by node, so duplicates count once.
//! - CHECK judges each key by [`Cluster::promise_of`]: the weakest promise that was in force since the
//!   history began. Quorums, a capacity, wrong clocks, lost memory, the ways of a restart and overlapping
//!   conditional writes weaken it. `src/cluster/promise.rs` has the rules. [`simulation`] judges by the
//!   same.
//! - A history keeps the latest calls, in the program 10,000. It forgets the oldest ones of a key, if
//!   possible up to a moment when none is in flight, and keeps the possible states of the key at that
//!   moment, so what follows can be judged. A value over 64 bytes is kept as length and hash. CHECK
//!   says from when on it judged, and how many calls are forgotten.
//!
//! Everything:
//!
//! - Nothing that can be seen depends on the order of a hash map or on an unpinned hash.
//! - Everything has a bound, in [`Config`] or next to what it bounds: for example
//!   [`cluster::MAX_REQUESTS`] requests in flight, and 10,000 messages or 16 MiB that wait for a
//!   paused node.

pub mod cache;
pub mod checker;
pub mod cluster;
pub mod config;
pub mod event;
pub mod eviction;
pub mod history;
pub mod id;
pub mod nemesis;
pub mod network;
pub mod node;
pub mod operation;
pub mod placement;
pub mod shared;
pub mod simulation;
pub mod stats;
mod store;
pub mod time;

// The lab.
#[cfg(feature = "lab")]
#[allow(unreachable_pub, reason = "private modules of the lab")]
pub mod replay;
#[cfg(feature = "lab")]
#[allow(unreachable_pub, reason = "private modules of the lab")]
pub mod trace;

// Not for users of the library, and free to change. Tests and benchmarks use them.
#[doc(hidden)]
pub mod hash;
#[doc(hidden)]
pub mod hot;
#[doc(hidden)]
pub mod replica;
#[doc(hidden)]
pub mod rng;

// The program. Its tests use some of it.
#[cfg(feature = "shell")]
#[doc(hidden)]
#[allow(unreachable_pub, reason = "private modules of the program")]
pub mod engine;
#[cfg(feature = "shell")]
#[doc(hidden)]
#[allow(unreachable_pub, reason = "private modules of the program")]
pub mod language;
#[cfg(feature = "shell")]
#[doc(hidden)]
#[allow(unreachable_pub, reason = "private modules of the program")]
pub mod render;
#[cfg(feature = "shell")]
#[doc(hidden)]
pub mod reply;
#[cfg(feature = "shell")]
#[doc(hidden)]
#[allow(unreachable_pub, reason = "private modules of the program")]
pub mod report;
#[cfg(feature = "shell")]
#[allow(unreachable_pub, reason = "private modules of the program")]
pub mod resp;
#[cfg(feature = "shell")]
#[allow(unreachable_pub, reason = "private modules of the program")]
pub mod server;
#[cfg(feature = "shell")]
#[doc(hidden)]
#[allow(unreachable_pub, reason = "private modules of the program")]
pub mod session;
#[cfg(feature = "shell")]
#[allow(unreachable_pub, reason = "private modules of the program")]
mod shell;

pub use cache::Cache;
pub use cluster::Cluster;
pub use config::Config;
pub use eviction::EvictionPolicy;
pub use node::Node;
pub use placement::Placement;
#[cfg(feature = "shell")]
#[doc(hidden)]
pub use session::DistributedCache;
pub use shared::SharedCache;
#[cfg(feature = "shell")]
pub use shell::ServedCluster;
#[cfg(feature = "shell")]
#[doc(hidden)]
pub use shell::main;

/// The README's example is run with the others.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
