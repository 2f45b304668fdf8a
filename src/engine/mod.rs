//! A real Redis or Valkey, alone or as a cluster, behind the prompt.
//!
//! | file | what it has |
//! | --- | --- |
//! | `url`, `connection` | addresses; a blocking connection with a limit for each wait |

pub mod connection;
pub mod url;
