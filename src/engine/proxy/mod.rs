//! Proxies in front of the servers of a cluster: faults of the network without root.
//!
//! Each server announces the two ports of its proxy to the others, one for data and replication and one
//! for the bus, and connects from a loopback address of its own. So all that the servers tell each other
//! goes through here, and it is known who connects. One thread relays all of it.
//!
//! | file | what it has |
//! | --- | --- |
//! | `bus` | whole messages of the bus |
//! | `flow` | one direction of a connection: what waits, and its faults |
//! | `relay` | the thread: listeners and connections |

mod bus;
mod flow;
mod relay;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use mio::net::TcpListener;

use crate::network::Percent;
use crate::rng::Rng;
use relay::{Listener, Order, Relay};

/// The most servers behind proxies: each has an address of its own.
pub const MAX_SERVERS: usize = 250;

/// The longest delay, and the longest jitter.
const LONGEST: Duration = Duration::from_hours(24);

/// How long the thread may take to obey.
const PATIENCE: Duration = Duration::from_secs(1);

/// One end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// All that are no servers of the cluster.
    Clients,
    /// A server, by its number.
    Server(usize),
}

/// What is wrong with a link, in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkFault {
    /// Nothing passes, and nothing is closed: bytes wait where they are sent, and new connections are not
    /// answered.
    pub is_cut: bool,
    /// Connections are made, but bytes wait here, at most 1 MiB for each.
    pub is_held: bool,
    /// How long each byte takes.
    pub delay: Duration,
    /// How much longer it may take.
    pub jitter: Duration,
    /// How many messages of the bus are lost. The stream of a replication loses none.
    pub drop: Percent,
    /// How many messages of the bus come twice.
    pub duplicate: Percent,
    /// How many messages of the bus come after the next one, or 100 ms late.
    pub reorder: Percent,
}

/// The ports of a server's proxy, on 127.0.0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// For clients and replication.
    pub data: u16,
    /// For the bus.
    pub bus: u16,
}

/// The proxies of a cluster. They end when it is dropped.
pub struct Proxies {
    orders: Sender<Order>,
    wake: UnixStream,
    thread: Option<JoinHandle<()>>,
    faults: BTreeMap<(End, End), LinkFault>,
}

/// The loopback address that a server has for itself.
///
/// # Errors
/// If there are too many servers.
pub fn address_of(server: usize) -> Result<IpAddr, String> {
    let last = u8::try_from(server + 1)
        .ok()
        .filter(|_| server < MAX_SERVERS);
    let last = last.ok_or_else(|| format!("at most {MAX_SERVERS} servers can have proxies"))?;
    Ok(Ipv4Addr::new(127, 0, 1, last).into())
}

/// Which end connects from an address.
fn end_of(address: IpAddr) -> End {
    match address {
        IpAddr::V4(address) => match address.octets() {
            [127, 0, 1, last] if last > 0 => End::Server(usize::from(last) - 1),
            _ => End::Clients,
        },
        IpAddr::V6(_) => End::Clients,
    }
}

impl Proxies {
    /// No proxy yet. The seed decides which messages of the bus have faults.
    ///
    /// # Errors
    /// If the system has no more sockets or threads.
    pub fn start(seed: u64) -> io::Result<Self> {
        let (orders, received) = channel();
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        let relay = Relay::new(received, woken, Rng::new(seed));
        let builder = std::thread::Builder::new().name("proxies".into());
        Ok(Self {
            thread: Some(builder.spawn(move || relay.run())?),
            orders,
            wake,
            faults: BTreeMap::new(),
        })
    }

    /// Opens the proxy of a server that listens, or will, at these addresses.
    ///
    /// # Errors
    /// If there is no free port.
    pub fn open(&self, server: usize, data: SocketAddr, bus: SocketAddr) -> io::Result<Ports> {
        let mut ports = [0; 2];
        for (port, (target, is_bus)) in ports.iter_mut().zip([(data, false), (bus, true)]) {
            let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into())?;
            *port = socket.local_addr()?.port();
            self.order(Order::Open(Listener {
                socket,
                server,
                target,
                is_bus,
            }));
        }
        let [data, bus] = ports;
        Ok(Ports { data, bus })
    }

    /// Closes the proxy of a server, with its connections, and forgets the faults of its links.
    pub fn close(&mut self, server: usize) {
        let end = End::Server(server);
        self.faults
            .retain(|&(from, to), _| from != end && to != end);
        self.order(Order::Close(server));
        self.apply();
    }

    /// Sets what is wrong with the link from one end to another; it holds when this returns. A delay and a
    /// jitter are at most a day.
    pub fn set(&mut self, from: End, to: End, mut fault: LinkFault) {
        fault.delay = fault.delay.min(LONGEST);
        fault.jitter = fault.jitter.min(LONGEST);
        if fault == LinkFault::default() {
            self.faults.remove(&(from, to));
        } else {
            self.faults.insert((from, to), fault);
        }
        self.apply();
    }

    /// What is wrong with the link from one end to another.
    #[must_use]
    pub fn fault(&self, from: End, to: End) -> LinkFault {
        self.faults.get(&(from, to)).copied().unwrap_or_default()
    }

    /// The links with a fault, in the order of their ends.
    pub fn faults(&self) -> impl Iterator<Item = (End, End, LinkFault)> {
        self.faults
            .iter()
            .map(|(&(from, to), &fault)| (from, to, fault))
    }

    /// Ends all faults. What waits passes at once.
    pub fn heal(&mut self) {
        self.faults.clear();
        self.apply();
    }

    /// Hands over the faults, and waits until they hold.
    fn apply(&self) {
        let (done, waiting) = channel();
        self.order(Order::Faults(self.faults.clone(), done));
        let _ = waiting.recv_timeout(PATIENCE);
    }

    fn order(&self, order: Order) {
        let _ = self.orders.send(order);
        // A full pipe wakes it just as well.
        let _ = (&self.wake).write(&[0]);
    }
}

impl Drop for Proxies {
    fn drop(&mut self) {
        self.order(Order::End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
