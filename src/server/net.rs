//! Sockets: one thread for all clients of all nodes.
//!
//! Each turn of the loop waits for sockets, the next deadline or a wake-up; takes the world; reads
//! what has come and carries it out; gives the world back; and writes the replies. All bytes are read
//! into one buffer, and a command that is whole is carried out from there.
//!
//! A fault of a node is done to its sockets: a crash resets its connections and refuses new ones; a
//! paused node, or one that is cut off from clients, keeps its connections and is silent.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant as RealInstant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use super::client::Ending;
use super::driver::{Line, Told};
use super::hub::Hub;
use crate::cluster::Status;
use crate::id::NodeId;
use crate::session::{SharedWorld, World};
use crate::time::ClockKind;

/// Bytes that are read at once.
const READ: usize = 64 << 10;
/// The token of wake-ups.
pub(super) const WAKE: Token = Token(0);
/// How long to wait before what has failed is tried again: to accept, as when files run out, or to open a
/// port.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// A listener of a node.
struct Listener {
    socket: TcpListener,
    token: Token,
    /// Whether connections may wait to be accepted.
    is_ready: bool,
}

/// The socket of a client.
struct Connection {
    stream: TcpStream,
    id: u32,
    node: NodeId,
    /// Whether there may be bytes to read, and room to write.
    is_readable: bool,
    is_writable: bool,
    /// Whether it waits to be read from.
    is_queued: bool,
}

impl Connection {
    /// Lets it be read from in its turn.
    fn queue(&mut self, token: Token, ready: &mut Vec<Token>) {
        if !std::mem::replace(&mut self.is_queued, true) {
            ready.push(token);
        }
    }
}

/// The sockets of all nodes.
pub(super) struct Net {
    poll: Poll,
    address: IpAddr,
    /// The address of each node, as soon as it is known.
    ports: BTreeMap<NodeId, u16>,
    base_port: u16,
    listeners: BTreeMap<NodeId, Listener>,
    connections: BTreeMap<Token, Connection>,
    tokens: BTreeMap<u32, Token>,
    next_token: usize,
    /// The connections that may have more to read, in the order in which it came.
    ready: Vec<Token>,
    /// The nodes that are silent.
    silent: BTreeSet<NodeId>,
    /// When to accept and to open ports again, after a failure.
    retry_at: Option<RealInstant>,
    buffer: Box<[u8]>,
    lines: Sender<Line>,
    replies: Receiver<Told>,
    on_events: Box<dyn Fn() + Send>,
}

impl Net {
    pub(super) fn new(
        poll: Poll,
        address: IpAddr,
        base_port: u16,
        lines: Sender<Line>,
        replies: Receiver<Told>,
        on_events: Box<dyn Fn() + Send>,
    ) -> Self {
        Self {
            poll,
            address,
            ports: BTreeMap::new(),
            base_port,
            listeners: BTreeMap::new(),
            connections: BTreeMap::new(),
            tokens: BTreeMap::new(),
            next_token: WAKE.0 + 1,
            ready: Vec::new(),
            silent: BTreeSet::new(),
            retry_at: None,
            buffer: vec![0; READ].into(),
            lines,
            replies,
            on_events,
        }
    }

    /// Opens the port of each node.
    ///
    /// # Errors
    /// If a port cannot be opened.
    pub(super) fn open(&mut self, world: &mut World) -> io::Result<()> {
        let nodes = Hub::nodes(world);
        nodes
            .into_iter()
            .try_for_each(|(node, ..)| self.listen(node).map(drop))
    }

    /// Opens and closes listeners, and resets connections, as the nodes' states ask. A port that cannot
    /// be opened, because another program has taken it meanwhile, is tried again later.
    fn follow(&mut self, hub: &mut Hub, world: &mut World) {
        let nodes: Vec<(NodeId, Status, bool)> = Hub::nodes(world);
        let known: BTreeSet<NodeId> = nodes.iter().map(|it| it.0).collect();
        for &(node, status, is_cut) in &nodes {
            let is_silent = status == Status::Paused || is_cut;
            if !is_silent && self.silent.remove(&node) {
                self.resume(hub, node);
            } else if is_silent {
                self.silent.insert(node);
            }
            if status == Status::Crashed {
                self.close_node(hub, world, node, true);
            } else if !self.listeners.contains_key(&node) && self.retry_at.is_none() {
                match self.listen(node) {
                    Ok(port) => hub.set_port(node, port),
                    Err(_) => self.retry_at = Some(RealInstant::now() + RETRY_PAUSE),
                }
            }
        }
        let gone = self.listeners.keys().filter(|node| !known.contains(node));
        for node in gone.copied().collect::<Vec<_>>() {
            self.close_node(hub, world, node, false);
            self.ports.remove(&node);
        }
    }

    /// The ports of the nodes.
    pub(super) fn ports(&self) -> impl Iterator<Item = (NodeId, u16)> {
        self.ports.iter().map(|(&node, &port)| (node, port))
    }

    fn listen(&mut self, node: NodeId) -> io::Result<u16> {
        let number = u16::try_from(node.0).ok();
        let port = match (self.ports.get(&node), self.base_port) {
            (Some(&port), _) => port,
            (None, 0) => 0,
            (None, base) => number
                .and_then(|number| base.checked_add(number))
                .ok_or_else(|| {
                    io::Error::other(format!(
                        "there is no port for node {node}: {base} + {node} is over 65535"
                    ))
                })?,
        };
        let named = |error: io::Error| {
            let text = format!(
                "cannot listen on {}:{port} for node {node}: {error}",
                self.address
            );
            io::Error::new(error.kind(), text)
        };
        let mut socket = TcpListener::bind(SocketAddr::new(self.address, port)).map_err(named)?;
        let token = self.next_token();
        self.poll
            .registry()
            .register(&mut socket, token, Interest::READABLE)?;
        let port = socket.local_addr()?.port();
        self.ports.insert(node, port);
        self.listeners.insert(
            node,
            Listener {
                socket,
                token,
                is_ready: true,
            },
        );
        Ok(port)
    }

    fn next_token(&mut self) -> Token {
        self.next_token += 1;
        Token(self.next_token)
    }

    /// Closes the listener and the connections of a node; `resets`: without a word.
    fn close_node(&mut self, hub: &mut Hub, world: &mut World, node: NodeId, resets: bool) {
        if let Some(mut listener) = self.listeners.remove(&node) {
            let _ = self.poll.registry().deregister(&mut listener.socket);
        }
        let of_node = self.connections.iter().filter(|(_, it)| it.node == node);
        for token in of_node.map(|(&token, _)| token).collect::<Vec<_>>() {
            self.close(hub, world, token, resets);
        }
    }

    fn close(&mut self, hub: &mut Hub, world: &mut World, token: Token, resets: bool) {
        let Some(mut connection) = self.connections.remove(&token) else {
            return;
        };
        let _ = self.poll.registry().deregister(&mut connection.stream);
        if resets {
            // With a linger time of 0 the system sends a reset.
            let _ =
                rustix::net::sockopt::set_socket_linger(&connection.stream, Some(Duration::ZERO));
        }
        self.tokens.remove(&connection.id);
        hub.disconnect(world, connection.id);
    }

    /// What came while a node was silent is read now.
    fn resume(&mut self, hub: &mut Hub, node: NodeId) {
        let of_node = self
            .connections
            .iter_mut()
            .filter(|(_, it)| it.node == node);
        for (&token, connection) in of_node {
            connection.is_readable = true;
            hub.touch([connection.id]);
            connection.queue(token, &mut self.ready);
        }
        if let Some(listener) = self.listeners.get_mut(&node) {
            listener.is_ready = true;
        }
    }

    /// Serves until the hub shuts down, or `is_over` says so.
    pub(super) fn run(
        &mut self,
        hub: &mut Hub,
        shared: &Arc<SharedWorld>,
        is_over: impl Fn() -> bool,
    ) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut wait = Some(Duration::ZERO);
        while !is_over() && !hub.is_over() {
            match self.poll.poll(&mut events, wait) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                polled => polled?,
            }
            self.note(hub, &events);
            let mut world = shared.take();
            let before = world.backend.events().end();
            self.turn(hub, &mut world);
            wait = self.wait(hub, &mut world);
            let has_events = world.backend.events().end() != before;
            shared.give_back(world);
            if has_events {
                (self.on_events)();
            }
        }
        self.flush_all(hub);
        Ok(())
    }

    /// Notes which sockets are ready.
    fn note(&mut self, hub: &mut Hub, events: &Events) {
        for event in events {
            let token = event.token();
            if let Some(connection) = self.connections.get_mut(&token) {
                connection.is_readable |= event.is_readable() || event.is_read_closed();
                if event.is_writable() {
                    connection.is_writable = true;
                    hub.touch([connection.id]);
                }
                connection.queue(token, &mut self.ready);
            } else if let Some(listener) = self.listeners.values_mut().find(|it| it.token == token)
            {
                listener.is_ready = true;
            }
        }
    }

    fn turn(&mut self, hub: &mut Hub, world: &mut World) {
        hub.tick(world);
        if self.retry_at.is_some_and(|at| at <= RealInstant::now()) {
            self.retry_at = None;
        }
        self.follow(hub, world);
        self.accept(hub, world);
        let settled = self.listen_to_shell(hub, world);
        for token in std::mem::take(&mut self.ready) {
            self.read(hub, world, token);
        }
        for (client, line) in hub.take_shell_lines() {
            // Without a shell there is no reply.
            let _ = self.lines.send(Line { client, line });
        }
        for id in hub.take_touched() {
            if let Some(&token) = self.tokens.get(&id) {
                self.write(hub, world, token);
            }
        }
        for waiting in settled {
            // It may not wait any more.
            let _ = waiting.send(());
        }
    }

    /// Takes the replies of the shell. Returns those that wait for the end of this turn.
    fn listen_to_shell(&mut self, hub: &mut Hub, world: &mut World) -> Vec<Sender<()>> {
        let mut settled = Vec::new();
        while let Ok(told) = self.replies.try_recv() {
            match told {
                Told::Reply(client, reply) => hub.shell_replied(world, client, reply),
                Told::Settle(waiting) => settled.push(waiting),
            }
        }
        settled
    }

    /// How long to wait for sockets: not at all if there is more to read, otherwise until something is
    /// due. On the virtual clock time passes only when the shell lets it.
    fn wait(&self, hub: &Hub, world: &mut World) -> Option<Duration> {
        if !self.ready.is_empty() || hub.has_touched() {
            return Some(Duration::ZERO);
        }
        let is_real = world.clock.kind() == ClockKind::Real;
        let due = hub.next_deadline(world).filter(|_| is_real);
        let due = due.map(|at| at.saturating_duration_since(world.now()));
        let retry = self
            .retry_at
            .map(|at| at.saturating_duration_since(RealInstant::now()));
        due.into_iter().chain(retry).min()
    }

    fn accept(&mut self, hub: &mut Hub, world: &mut World) {
        if self.retry_at.is_some() {
            return;
        }
        let nodes: Vec<NodeId> = self.listeners.keys().copied().collect();
        for node in nodes {
            if self.silent.contains(&node) {
                continue;
            }
            while let Some(listener) = self.listeners.get_mut(&node).filter(|it| it.is_ready) {
                match listener.socket.accept() {
                    Ok((stream, peer)) => self.welcome(hub, world, node, stream, peer),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        listener.is_ready = false;
                    }
                    Err(error) if is_of_one_client(&error) => {}
                    Err(_) => {
                        self.retry_at = Some(RealInstant::now() + RETRY_PAUSE);
                        return;
                    }
                }
            }
        }
    }

    fn welcome(
        &mut self,
        hub: &mut Hub,
        world: &World,
        node: NodeId,
        mut stream: TcpStream,
        peer: SocketAddr,
    ) {
        let local = stream.local_addr().unwrap_or(peer);
        let _ = stream.set_nodelay(true);
        let id = match hub.connect(node, (peer, local), world.now()) {
            Ok(id) => id,
            Err(refusal) => {
                let _ = stream.write(refusal);
                return;
            }
        };
        let token = self.next_token();
        let interest = Interest::READABLE | Interest::WRITABLE;
        if self
            .poll
            .registry()
            .register(&mut stream, token, interest)
            .is_err()
        {
            return;
        }
        let connection = Connection {
            stream,
            id,
            node,
            is_readable: true,
            is_writable: true,
            is_queued: true,
        };
        self.connections.insert(token, connection);
        self.tokens.insert(id, token);
        self.ready.push(token);
    }

    /// Reads once, and carries out what has come.
    fn read(&mut self, hub: &mut Hub, world: &mut World, token: Token) {
        let Some(connection) = self.connections.get_mut(&token) else {
            return;
        };
        connection.is_queued = false;
        if self.silent.contains(&connection.node) || !connection.is_readable {
            return;
        }
        let id = connection.id;
        if !hub.wants_input(id) {
            // It is looked at again when its replies are taken.
            return;
        }
        match connection.stream.read(&mut self.buffer) {
            Ok(0) => self.close(hub, world, token, false),
            Ok(length) => {
                if length < self.buffer.len() {
                    connection.is_readable = false;
                } else {
                    connection.queue(token, &mut self.ready);
                }
                hub.receive(world, id, &self.buffer[..length]);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => connection.is_readable = false,
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                connection.queue(token, &mut self.ready);
            }
            Err(_) => self.close(hub, world, token, false),
        }
    }

    /// Writes the replies of a client, as far as they are taken.
    fn write(&mut self, hub: &mut Hub, world: &mut World, token: Token) {
        let Some(connection) = self.connections.get_mut(&token) else {
            return;
        };
        let is_silent = self.silent.contains(&connection.node);
        let id = connection.id;
        let Some(client) = hub.client_mut(id) else {
            return;
        };
        if is_silent {
            return;
        }
        if client.ending == Some(Ending::Now) {
            return self.close(hub, world, token, false);
        }
        if !connection.is_writable {
            return;
        }
        let mut sent = 0;
        let mut is_broken = false;
        while sent < client.output.len() {
            match connection.stream.write(&client.output[sent..]) {
                Ok(length) => sent += length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    connection.is_writable = false;
                    break;
                }
                Err(_) => {
                    is_broken = true;
                    break;
                }
            }
        }
        client.output.drain(..sent);
        let is_done = client.output.is_empty();
        if is_done && client.output.capacity() > READ {
            client.output = Vec::new();
        }
        let ends = client.ending.is_some() && is_done;
        if ends || is_broken {
            self.close(hub, world, token, false);
        } else if is_done {
            if connection.is_readable {
                connection.queue(token, &mut self.ready);
            }
            hub.resume(world, id);
        }
    }

    /// At the end: sends what can be sent at once.
    fn flush_all(&mut self, hub: &mut Hub) {
        for connection in self.connections.values_mut() {
            if let Some(client) = hub.client_mut(connection.id) {
                let _ = connection.stream.write(&client.output);
            }
        }
    }
}

/// Whether a failed accept is about one client, not about the listener.
fn is_of_one_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted
    )
}
