//! shardlab: a distributed cache that you can run, break and measure.
//!
//! A [`Cluster`] is a handful of cache nodes in one process. Keys live on the node that the
//! placement gives them, with an optional deadline; at the deadline they are gone, and the log says
//! so. Nothing in it reads a clock: time is an argument, so the same calls give the same answers
//! and the same log, and an hour costs microseconds.
//!
//! ```
//! use std::time::Duration;
//! use shardlab::time::Instant;
//! use shardlab::{Cache, Cluster, Config};
//!
//! let mut cluster = Cluster::new(Config { nodes: 3, ..Config::default() })?;
//! let start = Instant::START;
//! cluster.put(start, b"apple", b"red", Some(start.after(Duration::from_secs(2))?))?;
//!
//! let later = start.after(Duration::from_millis(1999))?;
//! assert_eq!(cluster.get(later, b"apple"), Some(&b"red"[..]));
//! let deadline = start.after(Duration::from_secs(2))?;
//! assert_eq!(cluster.get(deadline, b"apple"), None); // gone at its deadline, not a tick later
//!
//! let event = cluster.events().iter().next().expect("an expiry");
//! assert_eq!((event.node.0, event.at, &*event.key), (2, deadline, &b"apple"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The map
//!
//! A module uses what stands above it here, and never what stands below; a test reads the source
//! and holds it to that.
//!
//! | layer | modules | what they are |
//! | --- | --- | --- |
//! | leaves | [`time`] [`id`] [`hash`] [`rng`] | instants and clocks, node numbers, pinned hashes, random numbers |
//! | core | [`operation`] `store` [`eviction`] [`event`] [`stats`] [`cache`] [`hot`] [`placement`] [`config`] [`node`] [`network`] [`history`] [`checker`] [`replica`] [`cluster`] [`nemesis`] | pure: no I/O, no threads, no clock |
//! | language | [`language`] [`reply`] [`session`] [`render`] | values in, values out; the session reads the clock |
//! | lab | [`simulation`] | random clusters under random faults, and the checks of what they promise |
//! | edge | [`shell`] and `main` | the terminal, pipes, files, threads, real time |
//!
//! A line takes four steps: text → [`language::Command`] → [`reply::Reply`] → text. Executing
//! prints nothing, and rendering decides nothing.
//!
//! # What always holds
//!
//! - Whoever touches a node first lets it do what is due, so an expired value cannot be read,
//!   however late the timer is. An expiry carries its deadline, not the moment at which somebody
//!   noticed; the log is in order of (deadline, node, order of writing).
//! - An entry leaves a node through one function, with a cause; the eviction policy, the counts and
//!   the log hang on it. A node never holds more than its capacity.
//! - A key is stored at its new owners before it is dropped at the old ones. Until then a key with
//!   one owner is read wherever it is, and one with copies needs a quorum of both.
//! - Who has acknowledged is a set of nodes, never a number; a client is told that something was
//!   done, that it was not, or that nobody knows.
//! - A deadline is made in one place, [`time::Instant::after`], with checked arithmetic, before
//!   anything is changed.
//! - Nothing that can be seen depends on the order of a hash map or on an unpinned hash.
//! - Everything has a bound, and the bound is in [`Config`] or next to what it bounds.

pub mod cache;
pub mod checker;
pub mod cluster;
pub mod config;
pub mod event;
pub mod eviction;
pub mod hash;
pub mod history;
pub mod hot;
pub mod id;
pub mod language;
pub mod nemesis;
pub mod network;
pub mod node;
pub mod operation;
pub mod placement;
pub mod render;
pub mod replica;
pub mod reply;
pub mod rng;
pub mod session;
pub mod shell;
pub mod simulation;
pub mod stats;
mod store;
pub mod time;

pub use cache::Cache;
pub use cluster::Cluster;
pub use config::Config;

/// The README's example is run with the others.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
