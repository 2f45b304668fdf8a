//! A server that runs.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use mio::{Poll, Waker};

use super::driver::{self, Shell, Told};
use super::hub::Hub;
use super::net::{Net, WAKE};
use super::settings::Settings;
use crate::id::NodeId;
use crate::session::{SharedWorld, World};

/// Where a server listens.
#[derive(Clone, Copy, Debug)]
pub struct Listen {
    /// The address.
    pub address: IpAddr,
    /// The port of node 0; each next node has the next port. 0: any free ports.
    pub port: u16,
}

/// A server that runs on a thread of its own. It ends when it is dropped.
pub struct Server {
    ports: Vec<(NodeId, u16)>,
    is_over: Arc<AtomicBool>,
    waker: Arc<Waker>,
    shell: mpsc::Sender<Told>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Server {
    /// Opens the ports of all nodes, and serves them. `shell` makes what runs the lines of SHARDLAB,
    /// and `on_events` is called when the cluster has done something by itself.
    ///
    /// # Errors
    /// If a port cannot be opened.
    pub fn start(
        mut world: World,
        settings: Settings,
        listen: Listen,
        shell: impl FnOnce(Arc<SharedWorld>) -> Box<dyn Shell>,
        on_events: impl Fn() + Send + 'static,
        on_end: impl FnOnce() + Send + 'static,
    ) -> io::Result<(Self, Arc<SharedWorld>)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let (lines, incoming) = mpsc::channel();
        let (outgoing, replies) = mpsc::channel();
        let mut net = Net::new(
            poll,
            listen.address,
            listen.port,
            lines,
            replies,
            Box::new(on_events),
        );
        net.open(&mut world)?;
        let ports: Vec<(NodeId, u16)> = net.ports().collect();
        let shared = SharedWorld::new(world, {
            let waker = Arc::clone(&waker);
            // A server that has ended needs no waking.
            move || drop(waker.wake())
        });
        let shell = shell(Arc::clone(&shared));
        let (of_driver, of_server) = (Arc::clone(&waker), outgoing.clone());
        thread::spawn(move || driver::drive(shell, &incoming, &outgoing, &of_driver));
        let is_over = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let (shared, is_over) = (Arc::clone(&shared), Arc::clone(&is_over));
            move || {
                let mut hub = hub(settings, &net, &shared);
                let result = net.run(&mut hub, &shared, || is_over.load(Ordering::Relaxed));
                on_end();
                result
            }
        });
        let server = Self {
            ports,
            is_over,
            waker,
            shell: of_server,
            thread: Some(thread),
        };
        Ok((server, shared))
    }

    /// The ports of the nodes that were there at the start.
    #[must_use]
    pub fn ports(&self) -> &[(NodeId, u16)] {
        &self.ports
    }

    /// Waits until the sockets have followed all changes of the cluster so far: a node that has crashed
    /// has reset its connections, and messages are written.
    pub fn settle(&self) {
        let (told, settled) = mpsc::channel();
        // If the server has ended, there is nothing to wait for.
        if self.shell.send(Told::Settle(told)).is_ok() && self.waker.wake().is_ok() {
            let _ = settled.recv();
        }
    }

    /// Ends it, and waits for it.
    ///
    /// # Errors
    /// Why it ended by itself, if it failed.
    pub fn stop(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        self.is_over.store(true, Ordering::Relaxed);
        // If it cannot be woken, it has ended.
        let _ = self.waker.wake();
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(io::Error::other("the server has panicked")),
            None => Ok(()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What went wrong is told by stop.
        let _ = self.end();
    }
}

/// The clients, none so far. They stay on one thread.
fn hub(settings: Settings, net: &Net, shared: &SharedWorld) -> Hub {
    let mut world = shared.take();
    let mut hub = Hub::new(settings, &mut world);
    for (node, port) in net.ports() {
        hub.set_port(node, port);
    }
    shared.give_back(world);
    hub
}
