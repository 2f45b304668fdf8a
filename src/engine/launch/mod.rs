//! Servers of our own: a throw-away cluster on loopback, in a temporary folder.
//!
//! | file | what it has |
//! | --- | --- |
//! | `options` | what to launch, and the command line of a server |
//! | `process` | the program, and processes |
//! | `keeper` | the process that ends the servers if this one is killed |
//! | `node` | one server: folder, ports, process |
//! | `asking` | questions to servers, and waiting for their answers |
//! | `readiness` | whether all servers agree and serve |
//! | `forming` | servers become a cluster |
//! | `changing` | servers that crash, pause, come back, join and leave |

mod asking;
mod changing;
mod faketime;
mod forming;
pub mod keeper;
mod node;
mod options;
mod process;
mod readiness;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::limit::{Limit, Stop};
use super::proxy::Proxies;
use super::slots::Host;
use crate::rng::Rng;
use asking::{Look, ask, wait};
pub use changing::{Comeback, Restart};
use keeper::Keeper;
use node::{Ground, Node};
pub use options::LaunchOptions;
pub use process::Binary;

/// How long a launch, or a server that is added, may take.
const START: Duration = Duration::from_mins(1);

/// How often a server gets other ports.
const PORT_TRIES: usize = 10;

/// Whether a server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It runs.
    Up,
    /// It has no process: it was killed, or ended by itself.
    Crashed,
    /// Its process is stopped in its tracks.
    Paused,
}

/// A server that was launched.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its number: that of its start, from 0. No other server gets it again.
    pub number: usize,
    /// Its name in the cluster; empty for a single server.
    pub id: String,
    /// Where it listens. Clients use this.
    pub address: SocketAddr,
    /// Where the cluster says that it listens: the address, or that of its proxy.
    pub announced: SocketAddr,
    /// The port of its bus that goes with the announced address.
    pub bus_port: u16,
    /// Its folder, with its log and its data.
    pub folder: PathBuf,
    /// Its process, if it has one.
    pub process: Option<u32>,
    /// Whether it runs.
    pub state: State,
}

/// A cluster, or a single server, that was launched. When it is dropped, all servers are killed and their
/// folder is removed.
pub struct Launched {
    options: LaunchOptions,
    binary: Binary,
    nodes: Vec<Node>,
    /// The number of the next server.
    next: usize,
    /// The names of the servers that have left.
    forgotten: Vec<String>,
    stop: Stop,
    rng: Rng,
    proxies: Option<Proxies>,
    // The last to go: it removes the folder.
    keeper: Keeper,
}

impl Launched {
    /// Starts the servers and waits until they are ready, at most a minute. Servers 0 to
    /// `primaries` - 1 are the primaries, in the order of their slots.
    ///
    /// # Errors
    /// What is wrong with the options, or with a server, with the last lines of its log. Nothing is left
    /// then.
    pub fn start(
        options: LaunchOptions,
        stop: &Stop,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Self, String> {
        options.check()?;
        let binary = Binary::find(&options.binary)?;
        let mut launched = Self::prepare(options, binary, stop)?;
        let count = usize::try_from(launched.options.primaries).unwrap_or(usize::MAX);
        let count = count * launched.options.replicas;
        let (name, version) = (&launched.options.binary, &launched.binary.version);
        progress(&format!("starting {count} servers: {name} {version}"));
        let limit = Limit::after(START, stop);
        launched.start_nodes(count, &limit)?;
        if launched.options.is_cluster() {
            progress("forming the cluster");
            launched.form(&limit)?;
            progress("waiting until all servers agree");
            launched.wait_ready(START)?;
        }
        Ok(launched)
    }

    fn prepare(options: LaunchOptions, binary: Binary, stop: &Stop) -> Result<Self, String> {
        let program = match &options.program {
            Some(program) => program.clone(),
            None => std::env::current_exe().map_err(|error| format!("this program: {error}"))?,
        };
        let has_proxies = options.with_proxies && options.is_cluster();
        let proxies = has_proxies
            .then(|| Proxies::start(options.seed))
            .transpose();
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Ok(Self {
            binary,
            nodes: Vec::new(),
            next: 0,
            forgotten: Vec::new(),
            stop: stop.clone(),
            // Another process must try other ports.
            rng: Rng::new(u64::from(now.subsec_nanos()) << 32 | u64::from(std::process::id())),
            proxies: proxies.map_err(|error| format!("proxies: {error}"))?,
            keeper: Keeper::start(&program)?,
            options,
        })
    }

    /// The servers, in the order of their numbers.
    pub fn servers(&mut self) -> Vec<Server> {
        for node in &mut self.nodes {
            node.look(&self.keeper);
        }
        self.nodes.iter().map(|node| node.server.clone()).collect()
    }

    /// The servers that are up, to move slots between them.
    pub fn hosts(&mut self) -> Vec<Host> {
        let up = self.up().into_iter();
        up.map(|server| Host {
            id: server.id,
            address: server.address,
            announced: server.announced,
        })
        .collect()
    }

    /// The program of the servers.
    #[must_use]
    pub fn binary(&self) -> &Binary {
        &self.binary
    }

    /// What was asked for.
    #[must_use]
    pub fn options(&self) -> &LaunchOptions {
        &self.options
    }

    /// The folder of all servers.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.keeper.folder()
    }

    /// The proxies between the servers, if there are any.
    pub fn proxies(&mut self) -> Option<&mut Proxies> {
        self.proxies.as_mut()
    }

    /// Where clients reach the server that the cluster says is at this address.
    #[must_use]
    pub fn address_of(&self, announced: SocketAddr) -> Option<SocketAddr> {
        let mut servers = self.nodes.iter().map(|node| &node.server);
        servers
            .find(|it| it.announced == announced)
            .map(|it| it.address)
    }

    /// Waits until all servers that are up agree and serve, and all slots have such a server.
    ///
    /// # Errors
    /// What is not as it should be when the time is over, or Ctrl-C is pressed.
    pub fn wait_ready(&mut self, limit: Duration) -> Result<(), String> {
        let limit = Limit::after(limit, &self.stop);
        if !self.options.is_cluster() {
            return self.await_start(&limit);
        }
        let up = self.up();
        forming::wait_ready(&up, &limit).map_err(|why| format!("the cluster is not ready: {why}"))
    }

    /// The servers that are up.
    fn up(&mut self) -> Vec<Server> {
        let mut servers = self.servers();
        servers.retain(|it| it.state == State::Up);
        servers
    }

    /// Starts so many servers, and waits until they answer. Returns the place of the first.
    fn start_nodes(&mut self, count: usize, limit: &Limit) -> Result<usize, String> {
        let first = self.nodes.len();
        let numbers = self.next..self.next + count;
        self.next = numbers.end;
        for number in numbers {
            let (nodes, mut ground) = self.parts();
            nodes.push(Node::start(number, &mut ground)?);
        }
        self.await_start(limit)?;
        if self.options.is_cluster() {
            for node in &mut self.nodes[first..] {
                let answer = forming::tell(&node.server, &["CLUSTER", "MYID"], limit)?;
                node.server.id = answer.text().unwrap_or_default().into();
            }
        }
        Ok(first)
    }

    /// Waits until all servers that are up answer. One whose port is taken gets others, if it never
    /// answered.
    fn await_start(&mut self, limit: &Limit) -> Result<(), String> {
        let (nodes, mut ground) = self.parts();
        for node in nodes
            .iter_mut()
            .filter(|node| node.server.state == State::Up)
        {
            let mut tries = PORT_TRIES;
            wait(limit, || {
                let Err(why) = ask(node.server.address, &["PING"], limit) else {
                    return Ok(());
                };
                if node
                    .process
                    .as_mut()
                    .is_some_and(process::Process::has_ended)
                {
                    if tries == 0 || !node.server.id.is_empty() {
                        return Err(Look::Never(node.no_start()));
                    }
                    tries -= 1;
                    node.start_elsewhere(&mut ground).map_err(Look::Never)?;
                }
                Err(Look::NotYet(format!(
                    "server {}: {why}",
                    node.server.number
                )))
            })?;
        }
        Ok(())
    }

    /// The servers, and what they share.
    fn parts(&mut self) -> (&mut Vec<Node>, Ground<'_>) {
        let ground = Ground {
            options: &self.options,
            binary: &self.binary,
            keeper: &self.keeper,
            proxies: self.proxies.as_mut(),
            rng: &mut self.rng,
        };
        (&mut self.nodes, ground)
    }

    fn form(&mut self, limit: &Limit) -> Result<(), String> {
        let servers = self.up();
        let primaries = usize::try_from(self.options.primaries).unwrap_or(usize::MAX);
        forming::give_slots(&servers, primaries, self.binary.is_modern, limit)?;
        forming::meet(&servers, &servers, limit)?;
        for (at, server) in servers.iter().enumerate().skip(primaries) {
            forming::replicate(server, &servers[at % primaries], limit)?;
        }
        Ok(())
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        for node in &self.nodes {
            node.process.iter().for_each(process::Process::kill);
        }
        for node in &mut self.nodes {
            node.kill(&self.keeper);
        }
    }
}
