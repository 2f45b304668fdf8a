//! A real Redis or Valkey, alone or as a cluster, behind the prompt.
//!
//! | file | what it has |
//! | --- | --- |
//! | `url`, `connection` | addresses; a blocking connection with a limit for each wait |
//! | `topology`, `client` | which server has which slots; a connection to each |
//! | `pipeline` | requests with certain outcomes |
//! | `operations`, `probe` | operations as commands of Redis; what the servers understand |
//! | `backend` | [`Engine`]: the servers as the backend of sessions |
//! | `data`, `seeing`, `record` | its commands on keys; what it shows; HISTORY and CHECK |
//! | `deadlines`, `notices` | expiries of the session's keys, told when they happen; those of other clients |
//! | `workers` | the clients of a workload |
//! | `faults`, `moves` | commands that break servers that were launched here; JOIN, LEAVE and REBALANCE |
//! | `members` | what a server says about its cluster: `CLUSTER NODES` |
//! | `launch` | servers of our own: started, crashed, paused, added, removed |
//! | `proxy` | proxies between them, for faults of the network |
//! | `slots` | slots moved between primaries, and open slots repaired |

mod backend;
mod client;
mod connection;
mod data;
mod deadlines;
mod faults;
pub mod launch;
mod members;
mod moves;
mod notices;
mod operations;
mod pipeline;
mod probe;
pub mod proxy;
mod record;
mod seeing;
pub mod slots;
mod topology;
mod url;
mod workers;

pub use backend::{Engine, Permissions};
pub use client::Settings;
pub use connection::{Limit, Stop};
pub use url::{Credentials, Url, decoded, resolve};
