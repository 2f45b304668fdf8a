//! The options for real servers.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::values::time;

use crate::engine::{Namespace, Permissions, TlsOptions, Url};

/// The options for real servers.
#[derive(Args)]
pub struct EngineOptions {
    /// Use a real server or cluster, such as redis://user:password@host:6379,host2:6379 (rediss:// for TLS);
    /// the environment variable `REDISCLI_AUTH` may hold the password. Without --write it is only read
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
    /// Use only keys that begin with this, and name them without it; CLEAR removes only them
    #[arg(long, value_name = "TEXT", global = true, requires = "connect")]
    prefix: Option<String>,
    /// The certificates to trust for rediss://, a file in PEM [default: those of the system]
    #[arg(long, value_name = "FILE", global = true, requires = "connect")]
    cacert: Option<PathBuf>,
    /// The certificate of this client for rediss://, a file in PEM
    #[arg(long, value_name = "FILE", global = true, requires_all = ["connect", "key"])]
    cert: Option<PathBuf>,
    /// The key of --cert, a file in PEM
    #[arg(long, value_name = "FILE", global = true, requires = "cert")]
    key: Option<PathBuf>,
    /// The name that the servers' certificates have [default: the first host of the URL]
    #[arg(long, value_name = "NAME", global = true, requires = "connect")]
    sni: Option<String>,
    /// Start a throw-away cluster of real servers on this machine: redis-server, valkey-server or a path.
    /// --nodes counts the primaries (1 is a single server, or at least 3); --replicas says how many servers
    /// have each key
    #[arg(long, value_name = "PROGRAM", global = true,
          conflicts_with_all = ["connect", "read_quorum", "grace", "plant", "placement", "eviction",
                                "max_entries", "max_memory"])]
    launch: Option<String>,
    /// How long a launched server is out of reach before its replica takes over [default: 2s]
    #[arg(long, value_name = "TIME", global = true, requires = "launch", value_parser = time)]
    election_after: Option<Duration>,
    /// Let launched servers write every change to the disk before they acknowledge it
    #[arg(long, global = true, requires = "launch")]
    durable: bool,
    /// Let SKEW set the clocks of launched servers, by libfaketime; Debian's redis-server 7.0 does not start
    /// with it, valkey-server does
    #[arg(long, global = true, requires = "launch")]
    skewable: bool,
}

/// Real servers behind the prompt.
#[derive(Clone, Debug)]
pub enum Remote {
    /// Servers that run elsewhere.
    Connect {
        /// Where they are.
        url: Url,
        /// The keys that are used.
        namespace: Namespace,
        /// The options for TLS.
        tls: TlsOptions,
        /// What may be done to them.
        permissions: Permissions,
    },
    /// Servers that are started.
    Launch {
        /// Their program.
        program: String,
        /// How long one is out of reach before its replica takes over.
        node_timeout: Duration,
        /// Whether every change goes to the disk.
        is_durable: bool,
        /// Whether their clocks can be set.
        with_clocks: bool,
    },
}

impl EngineOptions {
    /// Whether there are to be servers.
    pub fn is_remote(&self) -> bool {
        self.connect.is_some() || self.launch.is_some()
    }

    /// The servers, if there are to be some.
    pub fn into_remote(self) -> Option<Remote> {
        if let Some(program) = self.launch {
            return Some(Remote::Launch {
                program,
                node_timeout: self.election_after.unwrap_or(Duration::from_secs(2)),
                is_durable: self.durable,
                with_clocks: self.skewable,
            });
        }
        Some(Remote::Connect {
            url: self.connect?,
            namespace: Namespace::new(self.prefix.unwrap_or_default().as_bytes()),
            tls: TlsOptions {
                cacert: self.cacert,
                identity: self.cert.zip(self.key),
                sni: self.sni,
            },
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
