//! `serve`: the shell beside servers that speak the Redis protocol.

use std::fmt::Write;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::lab::OutputFile;
use super::output::Output;
use super::printer::Manners;
use super::runner::{Place, Runner, Step};
use super::wakeup::Wakeup;
use super::{Options, plain_error};
use crate::id::NodeId;
use crate::placement::PlacementKind;
use crate::render::Format;
use crate::server::{self, ClusterMode, Listen, Server, Settings};
use crate::session::{LocalSession, Session, SharedWorld, World};
use crate::time::ClockKind;

/// What is printed when the prompt ends.
pub const STANDS_BY: &str = "The servers go on. Ctrl-C ends them.\n";
/// Virtual time starts at this many milliseconds after 1970: the start of 2026.
const VIRTUAL_EPOCH: i64 = 1_767_225_600_000;

/// The options of `serve`.
#[derive(Clone, Debug)]
pub struct Serve {
    /// The port of node 0.
    pub port: u16,
    /// The address to listen on.
    pub bind: IpAddr,
    /// Whether the nodes speak Redis Cluster.
    pub cluster: ClusterMode,
    /// The file with the password.
    pub password_file: Option<PathBuf>,
    /// How long a node is out of reach before another takes its slots over.
    pub node_timeout: Duration,
    /// How long slots take to move to other nodes; `None`: they move at once.
    pub move_time: Option<Duration>,
    /// Whether DEBUG is allowed.
    pub has_debug: bool,
    /// The file that is written when the ports are open.
    pub ready_file: Option<PathBuf>,
    /// Whether a history is kept; `None`: on the virtual clock.
    pub history: Option<bool>,
    /// The most clients.
    pub max_clients: usize,
}

impl Serve {
    /// Whether the nodes speak Redis Cluster.
    pub fn is_cluster(&self, options: &Options) -> bool {
        match self.cluster {
            ClusterMode::Yes => true,
            ClusterMode::No => false,
            ClusterMode::Auto => options.config.placement == PlacementKind::Slots,
        }
    }
}

/// Starts servers for a world. Returns them, and the session of the prompt.
///
/// # Errors
/// If a port cannot be opened, or a file not be read or written.
pub fn start(
    options: &Options,
    serve: &Serve,
    world: World,
    wakeup: &Arc<Wakeup>,
) -> anyhow::Result<(Server, LocalSession)> {
    let settings = settings(options, serve)?;
    let listen = Listen {
        address: serve.bind,
        port: serve.port,
    };
    let of_server = Arc::clone(wakeup);
    let (on_events, on_end) = (Arc::clone(wakeup), Arc::clone(wakeup));
    let (server, shared) = Server::start(
        world,
        settings,
        listen,
        |shared| Box::new(Lines::new(shared, of_server)),
        move || on_events.poke(),
        move || on_end.end_service(),
    )?;
    let mut session = LocalSession {
        world: Arc::clone(&shared).into(),
        session: Session::default(),
    };
    let is_recorded = serve.history.unwrap_or(options.clock == ClockKind::Virtual);
    record_history(&mut session, is_recorded);
    announce(options, serve, &server)?;
    Ok((server, session))
}

fn settings(options: &Options, serve: &Serve) -> anyhow::Result<Settings> {
    let password = serve
        .password_file
        .as_deref()
        .map(read_password)
        .transpose()?;
    if !serve.bind.is_loopback() && password.is_none() {
        anyhow::bail!(
            "--bind {}: others could reach the cluster; give a password with --password-file",
            serve.bind
        );
    }
    let is_cluster = serve.is_cluster(options);
    if serve.move_time.is_some() && !is_cluster {
        anyhow::bail!("--move-time: slots move only on a Redis Cluster; see --cluster");
    }
    Ok(Settings {
        host: serve.bind.to_string(),
        is_cluster,
        password,
        node_timeout: serve.node_timeout,
        move_time: serve.move_time.unwrap_or_default(),
        has_debug: serve.has_debug,
        epoch: epoch(options.clock),
        max_clients: serve.max_clients,
    })
}

/// Milliseconds from 1970 to the start of the time of a cluster. Rounded up, so that the time of the
/// cluster is never behind that of the machine: an instant that a client reads there and sends is not
/// further away than it says.
pub(super) fn epoch(clock: ClockKind) -> i64 {
    if clock == ClockKind::Virtual {
        return VIRTUAL_EPOCH;
    }
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_nanos().div_ceil(1_000_000)).unwrap_or(0)
}

fn read_password(path: &Path) -> anyhow::Result<Vec<u8>> {
    let named = |why: String| anyhow::anyhow!("{}: {why}", path.display());
    let text = std::fs::read(path).map_err(|error| named(plain_error(&error)))?;
    let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return Err(named(
            "the first line is empty; it has to be the password".into(),
        ));
    }
    Ok(line.to_vec())
}

/// Turns the history on or off.
pub(super) fn record_history(session: &mut LocalSession, is_on: bool) {
    let line = if is_on {
        &b"HISTORY on"[..]
    } else {
        b"HISTORY off"
    };
    let silent = Output::new(Box::new(io::sink()), Box::new(io::sink()));
    let mut runner = Runner::new(silent, Manners::json(), Arc::default());
    session.world.lock();
    let _ = runner.run_line(session, PLACE, line);
    session.world.unlock();
}

const PLACE: Place<'_> = Place {
    file: None,
    line: 1,
};

/// Says which node listens where, and writes the ready file.
fn announce(options: &Options, serve: &Serve, server: &Server) -> anyhow::Result<()> {
    if let Some(path) = &serve.ready_file {
        write_ready_file(path, serve.bind, server.ports())
            .map_err(|error| anyhow::anyhow!("{}: {}", path.display(), plain_error(&error)))?;
    }
    let mut out = Output::standard();
    let text = if options.format == Format::Json {
        ports_as_json(serve.bind, server.ports())
    } else {
        let ports = server.ports().iter().map(|(_, port)| port.to_string());
        let ports: Vec<String> = ports.collect();
        format!("Listening on {}, ports {}\n", serve.bind, ports.join(" "))
    };
    if !options.quiet || options.format == Format::Json {
        out.buffer().extend_from_slice(text.as_bytes());
        out.flush();
    }
    Ok(())
}

fn ports_as_json(address: IpAddr, ports: &[(NodeId, u16)]) -> String {
    let nodes = ports.iter().map(|(node, port)| {
        serde_json::json!({ "node": node.0, "host": address.to_string(), "port": port })
    });
    let nodes: Vec<serde_json::Value> = nodes.collect();
    format!("{}\n", serde_json::json!({ "listening": nodes }))
}

/// One line a node: its number, the address and the port. The file appears whole.
fn write_ready_file(path: &Path, address: IpAddr, ports: &[(NodeId, u16)]) -> io::Result<()> {
    let mut text = String::new();
    for (node, port) in ports {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{node} {address} {port}");
    }
    let mut file = OutputFile::create(path)?;
    io::Write::write_all(&mut file, text.as_bytes())?;
    file.finish()
}

/// Runs the lines of SHARDLAB, as a prompt in JSON.
pub(super) struct Lines {
    session: LocalSession,
    runner: Runner,
}

impl Lines {
    pub(super) fn new(shared: Arc<SharedWorld>, wakeup: Arc<Wakeup>) -> Self {
        let silent = Output::new(Box::new(io::sink()), Box::new(io::sink()));
        let mut runner = Runner::new(silent, Manners::json(), wakeup);
        runner.silence_notices();
        Self {
            session: LocalSession {
                world: shared.into(),
                session: Session::default(),
            },
            runner,
        }
    }
}

impl server::Shell for Lines {
    fn run(&mut self, line: &[u8]) -> Result<Vec<u8>, String> {
        let failures = self.runner.failures();
        self.session.world.lock();
        self.runner.out.capture();
        let step = self.runner.run_line(&mut self.session, PLACE, line);
        let mut output = self.runner.out.end_capture();
        self.runner.out.buffer().clear();
        self.session.world.unlock();
        if step == Step::Quit {
            return Err("QUIT ends a prompt; SHUTDOWN ends the server".into());
        }
        while output.last() == Some(&b'\n') {
            output.pop();
        }
        if self.runner.failures() > failures
            && let Some(message) = message_of(&output)
        {
            return Err(message);
        }
        Ok(output)
    }
}

/// The error in a reply.
fn message_of(output: &[u8]) -> Option<String> {
    let reply: serde_json::Value = serde_json::from_slice(output).ok()?;
    Some(reply.get("error")?.as_str()?.to_owned())
}
