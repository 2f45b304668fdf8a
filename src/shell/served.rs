//! A cluster that serves Redis clients, for tests and other programs in Rust.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::clock::ShellClock;
use super::serve::{Lines, epoch, record_history};
use super::wakeup::Wakeup;
use crate::cluster::Cluster;
use crate::config::Config;
use crate::placement::PlacementKind;
use crate::server::{Listen, Server, Settings, Shell};
use crate::session::{LocalSession, Session, World};
use crate::time::ClockKind;

/// The address of all nodes.
const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// The most clients.
const MAX_CLIENTS: usize = 10_000;

/// A cluster whose nodes are servers that speak the Redis protocol, each on a free port of 127.0.0.1.
/// It runs on threads of its own, and ends when it is dropped.
///
/// With [`PlacementKind::Slots`] the nodes are a Redis Cluster, otherwise every node answers for every
/// key. On the virtual clock, time stands still but for `ADVANCE`, and a history is kept for `CHECK`.
///
/// ```
/// use std::io::{Read, Write};
/// use std::net::TcpStream;
/// use shardlab::{Config, ServedCluster, time::ClockKind};
///
/// let cluster = ServedCluster::start(Config::new().nodes(3), ClockKind::Virtual)?;
/// let mut client = TcpStream::connect(cluster.addresses()[0])?;
/// let mut reply = [0; 5];
/// client.write_all(b"SET apple red EX 60\r\n")?;
/// client.read_exact(&mut reply)?;
/// assert_eq!(&reply, b"+OK\r\n");
///
/// cluster.run("ADVANCE 60s")?;
/// client.write_all(b"GET apple\r\n")?;
/// client.read_exact(&mut reply)?;
/// assert_eq!(&reply, b"$-1\r\n");
///
/// cluster.run("CRASH 1")?;
/// assert!(TcpStream::connect(cluster.addresses()[1]).is_err());
/// assert!(cluster.run("CRASH 1").is_err(), "it has crashed already");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ServedCluster {
    server: Server,
    shell: Mutex<Lines>,
}

impl ServedCluster {
    /// Opens a port for each node, and serves them. A node that is out of reach for 2 s, on the clock of
    /// the cluster, is shown as failed.
    ///
    /// # Errors
    /// If the config is wrong, or a port cannot be opened.
    pub fn start(config: Config, clock: ClockKind) -> io::Result<Self> {
        let is_cluster = config.placement == PlacementKind::Slots;
        let cluster = Cluster::new(config.by_slot(is_cluster))
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let wakeup = Arc::new(Wakeup::default());
        let world = World::new(
            cluster,
            Box::new(ShellClock::new(clock, Arc::clone(&wakeup))),
        );
        let listen = Listen {
            address: HOST,
            port: 0,
        };
        let of_clients = Arc::clone(&wakeup);
        let (server, shared) = Server::start(
            world,
            settings(is_cluster, clock),
            listen,
            |shared| Box::new(Lines::new(shared, of_clients)),
            || {},
            || {},
        )?;
        let mut session = LocalSession {
            world: Arc::clone(&shared).into(),
            session: Session::default(),
        };
        record_history(&mut session, clock == ClockKind::Virtual);
        Ok(Self {
            server,
            shell: Mutex::new(Lines::new(shared, wakeup)),
        })
    }

    /// The addresses of the nodes that were there at the start, by their numbers. A node keeps its
    /// address over a crash and a restart. `CLUSTER SLOTS` tells those of nodes that join later.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let ports = self.server.ports().iter();
        ports
            .map(|&(_, port)| SocketAddr::new(HOST, port))
            .collect()
    }

    /// Runs a line of the shell, such as `CRASH 1`, and returns its reply as JSON, as `SHARDLAB` does for
    /// a client. `ADVANCE 3s` returns when all that is due has happened
    /// and clients were told; on the real clock it waits.
    ///
    /// # Errors
    /// Why the line failed, in one sentence.
    pub fn run(&self, line: &str) -> Result<String, String> {
        let mut shell = self.shell.lock().unwrap_or_else(PoisonError::into_inner);
        let reply = shell.run(line.as_bytes());
        self.server.settle();
        let reply = reply?;
        Ok(String::from_utf8_lossy(&reply).into_owned())
    }
}

fn settings(is_cluster: bool, clock: ClockKind) -> Settings {
    Settings {
        host: HOST.to_string(),
        is_cluster,
        password: None,
        node_timeout: Duration::from_secs(2),
        move_time: Duration::ZERO,
        has_debug: true,
        epoch: epoch(clock),
        max_clients: MAX_CLIENTS,
    }
}
