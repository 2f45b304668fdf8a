//! The options for real servers.

use clap::Args;

use crate::engine::{Permissions, Url};

/// The options for real servers.
#[derive(Args)]
pub struct EngineOptions {
    /// Use a real server or cluster, such as redis://user:password@host:6379,host2:6379; the environment
    /// variable REDISCLI_AUTH may hold the password. Without --write it is only read
    #[arg(long, value_name = "URL", global = true, value_parser = url,
          conflicts_with_all = ["nodes", "replicas", "read_quorum", "grace", "plant", "placement",
                                "eviction", "max_entries", "max_memory"])]
    connect: Option<Url>,
    /// Let commands change keys of the servers of --connect
    #[arg(long, global = true, requires = "connect")]
    write: bool,
    /// Let CLEAR remove all keys of the servers of --connect
    #[arg(long, global = true, requires = "write")]
    allow_clear: bool,
}

/// Real servers behind the prompt.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Where they are.
    pub url: Url,
    /// What may be done to them.
    pub permissions: Permissions,
}

impl EngineOptions {
    /// Whether there are to be servers.
    pub fn is_remote(&self) -> bool {
        self.connect.is_some()
    }

    /// The servers, if there are to be some.
    pub fn into_remote(self) -> Option<Remote> {
        Some(Remote {
            url: self.connect?,
            permissions: Permissions {
                writes: self.write,
                clears: self.allow_clear,
            },
        })
    }
}

fn url(text: &str) -> Result<Url, String> {
    text.parse()
}
