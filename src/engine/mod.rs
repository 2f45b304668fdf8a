//! A real Redis or Valkey, alone or as a cluster, behind the prompt.
//!
//! | file | what it has |
//! | --- | --- |
//! | `url`, `connection`, `limit`, `stream`, `tls` | addresses; a blocking connection with a limit for each wait, over TCP or TLS |
//! | `topology`, `client` | which server has which slots; a connection to each |
//! | `pipeline` | requests with certain outcomes |
//! | `operations`, `probe`, `clocks` | operations as commands of Redis; what the servers understand; how far their clocks are off |
//! | `backend` | [`Engine`]: the servers as the backend of sessions |
//! | `data`, `namespace`, `seeing`, `record`, `state` | its commands on keys, and their prefix; what it shows; HISTORY and CHECK |
//! | `parameters`, `failover` | EVICTION, CAPACITY and QUORUM; a replica in the place of its primary |
//! | `deadlines`, `notices`, `expiries` | expiries of the session's keys, told when they happen; those of other clients |
//! | `workers` | the clients of a workload |
//! | `faults`, `nemesis`, `moves` | commands that break servers that were launched here; the fault injector; JOIN, LEAVE and REBALANCE |
//! | `members` | what a server says about its cluster: `CLUSTER NODES` |
//! | `launch` | servers of our own: started, crashed, paused, added, removed |
//! | `proxy` | proxies between them, for faults of the network |
//! | `slots` | slots moved between primaries, and open slots repaired |

mod backend;
mod client;
mod clocks;
mod connection;
mod data;
mod deadlines;
mod expiries;
mod failover;
mod faults;
pub mod launch;
mod limit;
mod members;
mod moves;
mod namespace;
mod nemesis;
mod notices;
mod operations;
mod parameters;
mod pipeline;
mod probe;
pub mod proxy;
mod record;
mod seeing;
pub mod slots;
mod state;
mod stream;
#[cfg_attr(not(feature = "tls"), path = "no_tls.rs")]
mod tls;
mod topology;
mod url;
mod workers;

pub use backend::{Engine, Permissions};
pub use client::Settings;
pub use limit::{Limit, Stop};
pub use namespace::Namespace;
pub use tls::Tls;
pub use url::{Credentials, TlsOptions, Url, decoded, resolve};
