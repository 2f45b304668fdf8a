//! The thread of the proxies: it waits for sockets, for bytes that become due, and for orders.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read};
use std::net::{Shutdown, SocketAddr};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::flow::Flow;
use super::{End, LinkFault, end_of};
use crate::rng::Rng;

/// The most connections; more are refused.
const CONNECTIONS: usize = 1024;
/// The most connections to one port that wait for a cut to end; the oldest is given up then.
const HELD: usize = 64;
/// Bytes that are read at once.
const READ: usize = 64 << 10;
/// How long to wait before accepting again, if the system has no more sockets.
const RETRY: Duration = Duration::from_millis(20);

/// A port of a proxy.
pub(super) struct Listener {
    pub(super) socket: TcpListener,
    pub(super) server: usize,
    /// Where the server listens.
    pub(super) target: SocketAddr,
    pub(super) is_bus: bool,
}

/// What the thread is told.
pub(super) enum Order {
    Open(Listener),
    Close(usize),
    /// The links with a fault. The answer says that they hold.
    Faults(BTreeMap<(End, End), LinkFault>, Sender<()>),
    End,
}

/// A connection through a proxy.
struct Relayed {
    from: End,
    server: usize,
    target: SocketAddr,
    near: TcpStream,
    /// The connection to the server; `None` as long as the link is cut.
    far: Option<TcpStream>,
    /// From near to far, and back.
    flows: [Flow; 2],
}

/// The state of the thread.
pub(super) struct Relay {
    orders: Receiver<Order>,
    wake: UnixStream,
    rng: Rng,
    listeners: Vec<Listener>,
    connections: Vec<Relayed>,
    faults: BTreeMap<(End, End), LinkFault>,
    buffer: Vec<u8>,
}

impl Relay {
    pub(super) fn new(orders: Receiver<Order>, wake: UnixStream, rng: Rng) -> Self {
        Self {
            orders,
            wake,
            rng,
            listeners: Vec::new(),
            connections: Vec::new(),
            faults: BTreeMap::new(),
            buffer: vec![0; READ],
        }
    }

    /// Runs until it is told to end. Then all is closed.
    pub(super) fn run(mut self) {
        while let Ok(ready) = self.wait() {
            let now = Instant::now();
            let (of_listeners, of_connections) = ready.split_at(self.listeners.len());
            self.relay(of_connections, now);
            self.accept(of_listeners);
            if !self.obey(now) {
                return;
            }
        }
    }

    /// Waits, and says what each listener, and then both sockets of each connection are ready for.
    fn wait(&self) -> io::Result<Vec<PollFlags>> {
        let mut sockets = vec![PollFd::new(&self.wake, PollFlags::IN)];
        let listeners = self.listeners.iter();
        sockets.extend(listeners.map(|it| PollFd::new(&it.socket, PollFlags::IN)));
        // A socket with nothing to wait for is left out: its end would be told again and again.
        let mut places = Vec::new();
        for connection in &self.connections {
            for (socket, wanted) in connection.wanted() {
                places.push(socket.filter(|_| !wanted.is_empty()).map(|socket| {
                    sockets.push(PollFd::new(socket, wanted));
                    sockets.len() - 1
                }));
            }
        }
        let limit = self
            .next_due()
            .map(|due| due.saturating_duration_since(Instant::now()));
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        match poll(&mut sockets, limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let of_listeners = sockets[1..=self.listeners.len()]
            .iter()
            .map(PollFd::revents);
        let at =
            |place: Option<usize>| place.map_or(PollFlags::empty(), |at| sockets[at].revents());
        Ok(of_listeners.chain(places.into_iter().map(at)).collect())
    }

    fn next_due(&self) -> Option<Instant> {
        let connections = self.connections.iter().filter(|it| it.far.is_some());
        let flows = connections
            .flat_map(|it| &it.flows)
            .filter(|flow| !flow.is_blocked);
        flows.filter_map(Flow::due).min()
    }

    /// Reads and writes what is ready, and drops the connections that are over.
    fn relay(&mut self, ready: &[PollFlags], now: Instant) {
        let mut ready = ready.chunks_exact(2);
        let (buffer, rng) = (&mut self.buffer, &mut self.rng);
        self.connections.retain_mut(|connection| {
            let ready = ready.next().unwrap_or(&[]);
            connection.relay(ready, buffer, rng, now).is_ok() && !connection.is_done()
        });
    }

    fn accept(&mut self, ready: &[PollFlags]) {
        let ready = ready.iter().enumerate();
        for (at, _) in ready.filter(|(_, ready)| !ready.is_empty()) {
            loop {
                match self.listeners[at].socket.accept() {
                    Ok((near, peer)) => self.add(at, near, end_of(peer.ip())),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(_) => {
                        std::thread::sleep(RETRY);
                        break;
                    }
                }
            }
        }
    }

    fn add(&mut self, listener: usize, near: TcpStream, from: End) {
        let Listener {
            server,
            target,
            is_bus,
            ..
        } = self.listeners[listener];
        let is_held = |it: &Relayed| it.far.is_none() && it.target == target;
        if self.connections.iter().filter(|it| is_held(it)).count() >= HELD {
            let oldest = self.connections.iter().position(is_held);
            oldest.map(|oldest| self.connections.remove(oldest));
        }
        if self.connections.len() >= CONNECTIONS {
            return;
        }
        let _ = near.set_nodelay(true);
        let to = End::Server(server);
        let mut connection = Relayed {
            from,
            server,
            target,
            near,
            far: None,
            flows: [(from, to), (to, from)].map(|link| Flow::new(self.fault(link), is_bus)),
        };
        if connection.connect().is_ok() {
            self.connections.push(connection);
        }
    }

    fn fault(&self, link: (End, End)) -> LinkFault {
        self.faults.get(&link).copied().unwrap_or_default()
    }

    /// Takes the orders. Whether to go on.
    fn obey(&mut self, now: Instant) -> bool {
        while (&self.wake)
            .read(&mut self.buffer)
            .is_ok_and(|length| length > 0)
        {}
        loop {
            match self.orders.try_recv() {
                Ok(Order::Open(listener)) => self.listeners.push(listener),
                Ok(Order::Close(server)) => {
                    self.listeners.retain(|it| it.server != server);
                    let end = End::Server(server);
                    self.connections
                        .retain(|it| it.server != server && it.from != end);
                }
                Ok(Order::Faults(faults, done)) => {
                    self.set(faults, now);
                    let _ = done.send(());
                }
                Ok(Order::End) | Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => return true,
            }
        }
    }

    fn set(&mut self, faults: BTreeMap<(End, End), LinkFault>, now: Instant) {
        self.faults = faults;
        let faults = &self.faults;
        self.connections.retain_mut(|connection| {
            let (from, to) = (connection.from, End::Server(connection.server));
            for (flow, link) in connection.flows.iter_mut().zip([(from, to), (to, from)]) {
                flow.set(faults.get(&link).copied().unwrap_or_default(), now);
            }
            connection.connect().is_ok()
        });
    }
}

impl Relayed {
    /// Connects to the server, unless the link is cut: a connection needs both directions.
    fn connect(&mut self) -> io::Result<()> {
        let is_cut = self.flows.iter().any(|flow| flow.fault.is_cut);
        if self.far.is_none() && !is_cut {
            let far = TcpStream::connect(self.target)?;
            let _ = far.set_nodelay(true);
            self.far = Some(far);
        }
        Ok(())
    }

    /// Both sockets, with what to wait for.
    fn wanted(&self) -> [(Option<&TcpStream>, PollFlags); 2] {
        let flag = |is_wanted, flag| if is_wanted { flag } else { PollFlags::empty() };
        let wanted = |incoming: &Flow, outgoing: &Flow| {
            let is_blocked = outgoing.is_blocked && outgoing.due().is_some();
            flag(self.far.is_some() && incoming.wants_input(), PollFlags::IN)
                | flag(is_blocked, PollFlags::OUT)
        };
        let [there, back] = &self.flows;
        [
            (Some(&self.near), wanted(there, back)),
            (self.far.as_ref(), wanted(back, there)),
        ]
    }

    /// Reads bytes that have arrived, and writes those whose delay is over. An error ends the connection.
    fn relay(
        &mut self,
        ready: &[PollFlags],
        buffer: &mut [u8],
        rng: &mut Rng,
        now: Instant,
    ) -> io::Result<()> {
        let (Some(far), [near_ready, far_ready]) = (&mut self.far, ready) else {
            return Ok(());
        };
        let [there, back] = &mut self.flows;
        let mut ways = [(&mut self.near, near_ready, there), (far, far_ready, back)];
        for (source, ready, flow) in &mut ways {
            let can_read = !(**ready - PollFlags::OUT).is_empty() && flow.wants_input();
            if can_read {
                read(source, flow, buffer, rng, now)?;
            }
        }
        let [(near, near_ready, there), (far, far_ready, back)] = ways;
        there.is_blocked &= !far_ready.intersects(PollFlags::OUT);
        back.is_blocked &= !near_ready.intersects(PollFlags::OUT);
        pass(there, far, now)?;
        pass(back, near, now)
    }

    fn is_done(&self) -> bool {
        self.flows.iter().all(Flow::is_done)
    }
}

fn read(
    source: &mut TcpStream,
    flow: &mut Flow,
    buffer: &mut [u8],
    rng: &mut Rng,
    now: Instant,
) -> io::Result<()> {
    match source.read(buffer) {
        Ok(0) => flow.is_over = true,
        Ok(length) => flow.take(&buffer[..length], now, rng),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Writes the bytes whose delay is over, and passes on the end of the stream.
fn pass(flow: &mut Flow, target: &mut TcpStream, now: Instant) -> io::Result<()> {
    if !flow.is_blocked {
        flow.write(target, now)?;
    }
    if flow.is_done() && !flow.is_shut {
        flow.is_shut = true;
        // The target may have closed it already.
        let _ = target.shutdown(Shutdown::Write);
    }
    Ok(())
}
