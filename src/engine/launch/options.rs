//! What to launch, and the command line of each server.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::process::Binary;
use crate::engine::proxy::{MAX_SERVERS, Ports};

/// The port of a server's bus is its port for clients and this.
pub(super) const BUS: u16 = 10_000;
/// The file in which a server keeps what it knows of its cluster.
pub(super) const CONFIG: &str = "nodes.conf";
/// The node timeout in milliseconds, at most.
const LONGEST_TIMEOUT: Duration = Duration::from_hours(1);
/// Below it, a busy machine takes servers for failed.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(100);

/// What to launch.
#[derive(Clone, Debug)]
pub struct LaunchOptions {
    /// `redis-server`, `valkey-server` or a path.
    pub binary: String,
    /// 1 is a single server, no cluster. A cluster has at least 3: fewer cannot elect a replica.
    pub primaries: u32,
    /// How many servers have each key, the primary included.
    pub replicas: usize,
    /// After how long a silent server counts as failed: 100 ms to an hour.
    pub node_timeout: Duration,
    /// Whether each write is on the disk before it is acknowledged.
    pub is_durable: bool,
    /// Whether the servers of a cluster talk through proxies, for faults of the network. The system must
    /// have the addresses 127.0.1.1 and up, as Linux does.
    pub with_proxies: bool,
    /// Whether their clocks can be set wrong, by libfaketime.
    pub with_clocks: bool,
    /// Decides which messages have faults.
    pub seed: u64,
    /// The ports for clients; each takes that 10,000 above it too.
    pub ports: RangeInclusive<u16>,
    /// This program, which has the keeper; `None`: that of this process.
    pub program: Option<PathBuf>,
}

impl Default for LaunchOptions {
    fn default() -> Self {
        Self {
            binary: "redis-server".into(),
            primaries: 3,
            replicas: 1,
            node_timeout: Duration::from_millis(1500),
            is_durable: false,
            with_proxies: false,
            with_clocks: false,
            seed: 0,
            // All below the ports that a system gives to clients.
            ports: 11_000..=21_999,
            program: None,
        }
    }
}

impl LaunchOptions {
    /// Checks that the options can be carried out.
    ///
    /// # Errors
    /// What cannot be, and what can.
    pub fn check(&self) -> Result<(), String> {
        let primaries = usize::try_from(self.primaries).unwrap_or(usize::MAX);
        let servers = primaries.saturating_mul(self.replicas);
        let text = match primaries {
            0 => "there must be a server".into(),
            1 if self.replicas != 1 => {
                "a single server has no replicas: take 1 owner, or at least 3 servers".into()
            }
            2 => "2 primaries cannot elect a replica: take 1 or at least 3".into(),
            _ if self.replicas == 0 => "each key has at least 1 owner".into(),
            _ if servers > MAX_SERVERS => {
                format!("that makes {servers} servers; {MAX_SERVERS} are the most")
            }
            _ if !(SHORTEST_TIMEOUT..=LONGEST_TIMEOUT).contains(&self.node_timeout) => {
                "the node timeout is from 100ms to 1h".into()
            }
            _ if self.ports.is_empty() || *self.ports.end() > u16::MAX - BUS => {
                "the ports are below 55536: the bus has those 10000 above them".into()
            }
            _ => return Ok(()),
        };
        Err(text)
    }

    /// Whether it is a cluster.
    #[must_use]
    pub fn is_cluster(&self) -> bool {
        self.primaries > 1
    }

    /// The arguments of a server.
    pub(super) fn arguments(
        &self,
        binary: &Binary,
        address: SocketAddr,
        announced: Option<Ports>,
        folder: &Path,
    ) -> Vec<String> {
        let (port, ip) = (address.port().to_string(), address.ip().to_string());
        let folder_text = folder.to_string_lossy();
        let log = folder.join(LOG).to_string_lossy().into_owned();
        let mut arguments = Arguments::default();
        arguments.add(&[("port", &port), ("bind", &ip), ("protected-mode", "no")]);
        arguments.add(&[("dir", &folder_text), ("logfile", &log), ("save", "")]);
        arguments.add(&[
            ("repl-ping-replica-period", "1"),
            ("repl-diskless-sync-delay", "0"),
        ]);
        arguments.add(&[("notify-keyspace-events", "KEA")]);
        if self.is_durable {
            arguments.add(&[("appendonly", "yes"), ("appendfsync", "always")]);
        }
        if binary.is_modern {
            arguments.add(&[("enable-debug-command", "local"), ("bind-source-addr", &ip)]);
        }
        if self.is_cluster() {
            self.add_cluster(binary, &mut arguments);
        }
        if let Some(ports) = announced {
            let [data, bus] = [ports.data, ports.bus].map(|port| port.to_string());
            arguments.add(&[("cluster-announce-ip", "127.0.0.1")]);
            arguments.add(&[
                ("cluster-announce-port", &data),
                ("cluster-announce-bus-port", &bus),
            ]);
        }
        arguments.0
    }

    fn add_cluster(&self, binary: &Binary, arguments: &mut Arguments) {
        let timeout = self.node_timeout.as_millis().to_string();
        arguments.add(&[("cluster-enabled", "yes"), ("cluster-config-file", CONFIG)]);
        arguments.add(&[("cluster-node-timeout", &timeout)]);
        // A node that is gone must not take the keys of the others with it.
        arguments.add(&[("cluster-require-full-coverage", "no")]);
        // A primary without slots stays one, and a replica stays with its primary.
        if binary.is_modern {
            arguments.add(&[("cluster-allow-replica-migration", "no")]);
        } else {
            arguments.add(&[("cluster-migration-barrier", "1000")]);
        }
    }
}

/// The file in a server's folder that has what it says.
pub(super) const LOG: &str = "server.log";

#[derive(Default)]
struct Arguments(Vec<String>);

impl Arguments {
    fn add(&mut self, options: &[(&str, &str)]) {
        for (name, value) in options {
            self.0.extend([format!("--{name}"), (*value).to_owned()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_launched_is_refused() {
        let usual = LaunchOptions::default;
        let checked = |primaries, replicas| {
            LaunchOptions {
                primaries,
                replicas,
                ..usual()
            }
            .check()
        };
        for (primaries, replicas) in [(1, 1), (3, 1), (3, 2), (125, 2)] {
            assert_eq!(checked(primaries, replicas), Ok(()));
        }
        for (primaries, replicas) in [
            (0, 1),
            (1, 2),
            (2, 1),
            (3, 0),
            (126, 2),
            (u32::MAX, usize::MAX),
        ] {
            assert!(
                checked(primaries, replicas).is_err(),
                "{primaries} {replicas}"
            );
        }
        let node_timeout = Duration::from_millis(99);
        assert!(
            LaunchOptions {
                node_timeout,
                ..usual()
            }
            .check()
            .is_err()
        );
        let ports = 50_000..=55_536;
        assert!(LaunchOptions { ports, ..usual() }.check().is_err());
    }

    #[test]
    fn an_old_server_gets_no_option_that_it_does_not_know() {
        let arguments = |is_modern| {
            let (path, version) = ("/redis".into(), "6.2.5".into());
            let binary = Binary {
                path,
                version,
                is_modern,
            };
            let ports = Some(Ports { data: 7, bus: 8 });
            let address = ([127, 0, 1, 1], 7000).into();
            let options = LaunchOptions::default();
            options
                .arguments(&binary, address, ports, Path::new("/f"))
                .join(" ")
        };
        for new in [
            "enable-debug-command",
            "bind-source-addr",
            "allow-replica-migration",
        ] {
            assert!(
                arguments(true).contains(new) && !arguments(false).contains(new),
                "{new}"
            );
        }
        assert!(
            arguments(true).contains("--bind 127.0.1.1") && arguments(true).contains("-bus-port 8")
        );
    }
}
