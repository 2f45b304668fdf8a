//! A client of the servers: one connection to each.
//!
//! A server that has failed a request is a suspect: it is asked for the topology last, and for at most
//! [`SUSPECT`], since a server that is cut off from the others still names itself as the primary of its
//! slots. The first good answer ends the suspicion.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::connection::{Connection, LATE, Lost};
use super::limit::{Limit, Stop};
use super::tls::Tls;
use super::topology::Topology;
use super::url::Credentials;
use crate::id::NodeId;
use crate::operation::Shortfall;
use crate::resp::Answer;

/// How long a suspect is asked for the topology.
const SUSPECT: Duration = Duration::from_millis(60);
/// How long another server is asked for it.
const TRUSTED: Duration = Duration::from_millis(300);

/// What a client needs to know.
#[derive(Clone)]
pub struct Settings {
    /// Servers to begin with.
    pub seeds: Vec<SocketAddr>,
    /// How to log in.
    pub login: Credentials,
    /// TLS, if the servers speak it.
    pub tls: Option<Tls>,
    /// How long a request may take.
    pub timeout: Duration,
    /// Whether to stop waiting.
    pub stop: Stop,
    /// Where the servers are reached whose announced addresses are those of proxies.
    pub real: BTreeMap<SocketAddr, SocketAddr>,
}

impl Settings {
    fn limit(&self) -> Limit {
        Limit::after(self.timeout, &self.stop)
    }

    /// Connects to a server.
    ///
    /// # Errors
    /// [`Lost::NotSent`] with the reason.
    pub fn open(&self, address: SocketAddr, limit: &Limit) -> Result<Connection, Lost> {
        Connection::open(address, &self.login, self.tls.as_ref(), limit)
    }
}

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The server that was asked last.
    pub node: Option<NodeId>,
    /// What is wrong with it.
    pub why: String,
    /// Whether it may have been carried out.
    pub is_unknown: bool,
    /// Whether it has not answered in time.
    pub is_silent: bool,
}

impl Failed {
    /// It was not carried out, and never will be.
    #[must_use]
    pub fn refused(node: Option<NodeId>, why: impl Into<String>) -> Self {
        let why = why.into();
        Self {
            node,
            is_silent: why == LATE,
            why,
            is_unknown: false,
        }
    }

    fn lost(node: NodeId, lost: Lost) -> Self {
        let (why, is_unknown) = match lost {
            Lost::NotSent(why) => (why, false),
            Lost::Unknown(why) => (why, true),
        };
        Self {
            is_unknown,
            ..Self::refused(Some(node), why)
        }
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let why = self.why.trim_end_matches('.');
        match (self.node, why.strip_prefix("it ")) {
            (Some(node), Some(why)) => write!(f, "node {node} {why}"),
            (Some(node), None) => write!(f, "node {node}: {why}"),
            (None, _) => f.write_str(why),
        }
    }
}

impl Failed {
    /// The servers that were missing.
    #[must_use]
    pub fn shortfall(&self) -> Shortfall {
        // Where no server has the slot, it is not known which one is missing.
        let node = vec![self.node.unwrap_or(NodeId(0))];
        let (silent, down) = if self.is_silent {
            (node, Vec::new())
        } else {
            (Vec::new(), node)
        };
        Shortfall {
            needed: 1,
            silent,
            down,
            ..Shortfall::default()
        }
    }
}

/// A step of a request, for TRACE.
#[derive(Clone, Debug)]
pub struct Hop {
    /// The server.
    pub node: NodeId,
    /// The command.
    pub words: Vec<Vec<u8>>,
    /// When it was sent, and when its answer came.
    pub times: (std::time::Instant, Option<std::time::Instant>),
    /// The answer, or why there is none.
    pub answer: Result<Answer, String>,
}

/// A client of a cluster or of a single server.
pub struct Client {
    /// The servers.
    pub topology: Topology,
    /// How many servers must have a write, the primary included.
    pub write_quorum: usize,
    /// The steps of requests, while they are traced.
    pub trace: Option<Vec<Hop>>,
    settings: Arc<Settings>,
    connections: BTreeMap<NodeId, Connection>,
    pub(super) suspects: BTreeSet<NodeId>,
    /// Whether the topology may be out of date.
    pub(super) is_stale: bool,
}

impl Client {
    /// Connects to the first of the seeds that answers. `numbers` are those of servers that are known by
    /// their names.
    ///
    /// # Errors
    /// Why none of them answers, with the address of each.
    pub fn connect(
        settings: Arc<Settings>,
        numbers: Vec<(String, NodeId)>,
    ) -> Result<Self, String> {
        let mut topology = Topology::default();
        for (id, node) in numbers {
            topology.number(&id, node);
        }
        let mut client = Self {
            topology,
            write_quorum: 1,
            trace: None,
            settings,
            connections: BTreeMap::new(),
            suspects: BTreeSet::new(),
            is_stale: false,
        };
        let mut reasons = Vec::new();
        for seed in client.settings.seeds.clone() {
            match client.begin_at(seed) {
                Ok(()) => return Ok(client),
                Err(why) => reasons.push(format!("{seed}: {why}")),
            }
        }
        Err(reasons.join("; "))
    }

    fn begin_at(&mut self, seed: SocketAddr) -> Result<(), String> {
        let limit = self.settings.limit();
        let told = |lost: Lost| lost.to_string();
        let mut connection = self.settings.open(seed, &limit).map_err(told)?;
        let answer = connection
            .call(&["CLUSTER", "NODES"], &limit)
            .map_err(told)?;
        match answer {
            Answer::Error(error) if error.contains("cluster support disabled") => {
                let pong = connection.call(&["PING"], &limit).map_err(told)?;
                if let Answer::Error(error) = pong {
                    return Err(error);
                }
                self.topology = Topology::single(seed);
                self.connections.insert(NodeId(0), connection);
                Ok(())
            }
            Answer::Error(error) => Err(error),
            answer => self.take_over(&answer, seed),
        }
    }

    /// Another client of the same servers, with connections of its own.
    #[must_use]
    pub fn sibling(&self) -> Self {
        Self {
            topology: self.topology.clone(),
            write_quorum: self.write_quorum,
            trace: None,
            settings: Arc::clone(&self.settings),
            connections: BTreeMap::new(),
            suspects: BTreeSet::new(),
            is_stale: false,
        }
    }

    /// Its settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Uses other settings from now on, as after a server has joined.
    pub fn set_settings(&mut self, settings: Arc<Settings>) {
        self.settings = settings;
    }

    /// A limit for a request that starts now.
    #[must_use]
    pub fn limit(&self) -> Limit {
        self.settings.limit()
    }

    fn take_over(&mut self, nodes: &Answer, asked: SocketAddr) -> Result<(), String> {
        if let Answer::Error(error) = nodes {
            return Err(error.clone());
        }
        let text = nodes.text().ok_or("CLUSTER NODES has no text")?;
        let real = &self.settings.real;
        let reached = |address| real.get(&address).copied().unwrap_or(address);
        self.topology.update(text, asked, &reached)?;
        let topology = &self.topology;
        self.connections
            .retain(|node, _| topology.get(*node).is_some());
        self.suspects.retain(|node| topology.get(*node).is_some());
        self.is_stale = false;
        Ok(())
    }

    /// Reads the topology again, from the first server that answers; suspects last.
    ///
    /// # Errors
    /// If none answers.
    pub fn refresh(&mut self, limit: &Limit) -> Result<(), String> {
        if self.topology.is_single() {
            self.is_stale = false;
            return Ok(());
        }
        let mut nodes: Vec<NodeId> = self.topology.servers().map(|it| it.0).collect();
        nodes.sort_by_key(|node| self.suspects.contains(node));
        let mut why = "no server is known".to_owned();
        for node in nodes {
            let wait = if self.suspects.contains(&node) {
                SUSPECT
            } else {
                TRUSTED
            };
            match self.read_topology(node, &limit.at_most(wait)) {
                Ok(()) => return Ok(()),
                Err(reason) => why = reason,
            }
        }
        Err(why)
    }

    fn read_topology(&mut self, node: NodeId, limit: &Limit) -> Result<(), String> {
        let address = self.topology.get(node).map(|it| it.address);
        let address = address.ok_or("the server is gone")?;
        let answer = self.ask_within(node, &["CLUSTER", "NODES"], limit);
        self.take_over(&answer.map_err(|failed| failed.why)?, address)
    }

    /// Asks one server.
    ///
    /// # Errors
    /// [`Failed`].
    pub fn ask<W: AsRef<[u8]>>(&mut self, node: NodeId, words: &[W]) -> Result<Answer, Failed> {
        self.ask_within(node, words, &self.limit())
    }

    /// The same, at most as long as that.
    ///
    /// # Errors
    /// [`Failed`].
    pub fn ask_within<W: AsRef<[u8]>>(
        &mut self,
        node: NodeId,
        words: &[W],
        limit: &Limit,
    ) -> Result<Answer, Failed> {
        let connection = self.connection(node, limit)?;
        match connection.call(words, limit) {
            Ok(answer) => {
                self.suspects.remove(&node);
                Ok(answer)
            }
            Err(lost) => Err(self.lose(node, lost)),
        }
    }

    /// Asks several servers the same at once.
    pub fn ask_all<W: AsRef<[u8]>>(
        &mut self,
        nodes: &[NodeId],
        words: &[W],
    ) -> Vec<(NodeId, Result<Answer, Failed>)> {
        let limit = self.limit();
        let sent: Vec<(NodeId, Result<(), Failed>)> = nodes
            .iter()
            .map(|&node| (node, self.send_to(node, words, &limit)))
            .collect();
        let received = sent
            .into_iter()
            .map(|(node, sent)| (node, sent.and_then(|()| self.receive_from(node, &limit))));
        received.collect()
    }

    fn send_to<W: AsRef<[u8]>>(
        &mut self,
        node: NodeId,
        words: &[W],
        limit: &Limit,
    ) -> Result<(), Failed> {
        let connection = self.connection(node, limit)?;
        connection.add(words);
        let sent = connection.send(limit);
        sent.map_err(|lost| self.lose(node, lost))
    }

    pub(super) fn receive_from(&mut self, node: NodeId, limit: &Limit) -> Result<Answer, Failed> {
        let connection = self.connections.get_mut(&node);
        let connection = connection.ok_or_else(|| Failed::refused(Some(node), "it is gone"))?;
        let received = connection.receive(limit);
        received.map_err(|lost| self.lose(node, lost))
    }

    /// The connection is of no more use, and the server a suspect.
    pub(super) fn lose(&mut self, node: NodeId, lost: Lost) -> Failed {
        self.connections.remove(&node);
        self.suspects.insert(node);
        self.is_stale = true;
        Failed::lost(node, lost)
    }

    /// A connection to a server on which no answer is awaited.
    pub(super) fn connection(
        &mut self,
        node: NodeId,
        limit: &Limit,
    ) -> Result<&mut Connection, Failed> {
        let address = self.topology.get(node).map(|it| it.address);
        let address = address.ok_or_else(|| Failed::refused(Some(node), "it is gone"))?;
        let is_open = self
            .connections
            .get_mut(&node)
            .is_some_and(Connection::is_open);
        if !is_open {
            self.connections.remove(&node);
            match self.settings.open(address, limit) {
                Ok(connection) => drop(self.connections.insert(node, connection)),
                Err(lost) => return Err(self.lose(node, lost)),
            }
        }
        let connection = self.connections.get_mut(&node);
        connection.ok_or_else(|| Failed::refused(Some(node), "it is gone"))
    }
}
