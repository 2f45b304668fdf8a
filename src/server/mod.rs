//! The nodes of a cluster as servers that speak the Redis protocol.
//!
//! One thread serves all clients of all nodes. It shares the cluster with the prompt: each takes it,
//! uses it, and gives it back.
//!
//! | file | what it has |
//! | --- | --- |
//! | `hub`, `client` | all clients, without sockets: bytes in, bytes out |
//! | `input` | the requests in what clients send |
//! | `direct` | commands that are carried out from these bytes, while nothing is disturbed |
//! | `dispatch` | from the name of a command to what carries it out |
//! | `commands/` | commands that are not on keys alone |
//! | `routing` | which node a client has to ask |
//! | `topology` | which node has which slots, and which are down, as clients see it |
//! | `by_client` | a table by the numbers of clients |
//! | `channels`, `tracking` | subscriptions; what clients keep and are told changes of |
//! | `parameters`, `config`, `settings` | which parameters CONFIG has; their values; how the cluster is presented |
//! | `measures`, `holds` | counts and times of commands; what holds commands back |
//! | `net`, `serving` | sockets, and the thread that serves them |
//! | `driver` | lines of SHARDLAB |

mod by_client;
mod channels;
mod client;
#[cfg(test)]
mod client_tests;
mod commands;
mod config;
mod direct;
#[cfg(test)]
mod direct_tests;
mod dispatch;
mod driver;
#[cfg(test)]
mod fuzz_tests;
mod holds;
mod hub;
mod input;
mod measures;
#[cfg(test)]
mod moving_tests;
mod net;
mod parameters;
mod routing;
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
