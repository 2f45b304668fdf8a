//! The nodes of a cluster as servers that speak the Redis protocol.
//!
//! One thread serves all clients of all nodes. It shares the cluster with the prompt: each takes it,
//! uses it, and gives it back.
//!
//! | file | what it has |
//! | --- | --- |
//! | `hub`, `client` | all clients, without sockets: bytes in, bytes out |
//! | `dispatch` | from the name of a command to what carries it out |
//! | `commands/` | commands that are not on keys alone |
//! | `topology` | which node has which slots, and which are down, as clients see it |
//! | `channels`, `tracking` | subscriptions; what clients keep and are told changes of |
//! | `parameters`, `config`, `settings` | which parameters CONFIG has; their values; how the cluster is presented |
//! | `measures`, `holds` | counts and times of commands; what holds commands back |
//! | `net`, `serving` | sockets, and the thread that serves them |
//! | `driver` | lines of SHARDLAB |

mod channels;
mod client;
#[cfg(test)]
mod client_tests;
mod commands;
mod config;
mod dispatch;
mod driver;
#[cfg(test)]
mod fuzz_tests;
mod holds;
mod hub;
mod measures;
mod net;
mod parameters;
mod serving;
mod settings;
#[cfg(test)]
mod tests;
mod topology;
mod tracking;

pub use driver::Shell;
pub use hub::Hub;
pub use serving::{Listen, Server};
pub use settings::{ClusterMode, Settings};
