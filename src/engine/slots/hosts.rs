//! The servers, a connection to each, and what they say about the slots.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::engine::connection::{Connection, Lost};
use crate::engine::limit::Limit;
use crate::engine::members::{Member, parse};
use crate::engine::url::Credentials;
use crate::resp::Answer;

/// How long a server may take to answer. A chunk of keys takes the longest.
const PATIENCE: Duration = Duration::from_secs(10);
/// Requests that are sent at once: their answers fit into the buffers of the system.
const AT_ONCE: usize = 1024;

/// A server of the cluster.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its name in the cluster.
    pub id: String,
    /// Where we reach it.
    pub address: SocketAddr,
    /// Where the other servers reach it.
    pub announced: SocketAddr,
}

/// What is known of the slots: each server that answers, as it sees itself.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// In the order of the hosts.
    pub members: Vec<Member>,
}

impl View {
    /// The primaries that answer.
    pub fn primaries(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|it| it.primary.is_none())
    }

    /// The primary that has a slot: of several the one with the greatest epoch.
    #[must_use]
    pub fn owner(&self, slot: u16) -> Option<&Member> {
        let has = |it: &&Member| it.slots.iter().any(|range| range.contains(&slot));
        self.primaries().filter(has).max_by_key(|it| it.epoch)
    }
}

/// The servers, with their connections.
pub(super) struct Hosts {
    all: Vec<Host>,
    pub(super) login: Credentials,
    open: BTreeMap<String, Connection>,
}

impl Hosts {
    pub(super) fn new(hosts: Vec<Host>, login: Credentials) -> Self {
        Self {
            all: hosts,
            login,
            open: BTreeMap::new(),
        }
    }

    pub(super) fn get(&self, id: &str) -> Result<&Host, String> {
        let host = self.all.iter().find(|it| it.id == id);
        host.ok_or_else(|| format!("the server {id} is down or unknown"))
    }

    /// Asks a server. An answer that is an error is one.
    pub(super) fn ask<W: AsRef<[u8]>>(
        &mut self,
        id: &str,
        words: &[W],
        limit: &Limit,
    ) -> Result<Answer, String> {
        let requests = [words.iter().map(AsRef::as_ref).collect::<Vec<_>>()];
        match self.ask_all(id, &requests, limit)?.pop() {
            Some(Answer::Error(error)) => Err(error),
            answer => answer.ok_or_else(|| "it has no answer".into()),
        }
    }

    /// Asks a server many things. After an error the connection is not used again.
    pub(super) fn ask_all<W: AsRef<[u8]>>(
        &mut self,
        id: &str,
        requests: &[Vec<W>],
        limit: &Limit,
    ) -> Result<Vec<Answer>, String> {
        let address = self.get(id)?.address;
        let limit = limit.at_most(PATIENCE);
        let mut connection = match self.open.remove(id) {
            Some(connection) => connection,
            None => Connection::open(address, &self.login, None, &limit)
                .map_err(|it| failed(address, &it))?,
        };
        let mut answers = Vec::new();
        for chunk in requests.chunks(AT_ONCE) {
            let asked = ask_chunk(&mut connection, chunk, &limit);
            answers.extend(asked.map_err(|it| failed(address, &it))?);
        }
        self.open.insert(id.into(), connection);
        Ok(answers)
    }

    /// What the servers say. Those that do not answer are left out.
    pub(super) fn view(&mut self, limit: &Limit) -> Result<View, String> {
        let ids: Vec<String> = self.all.iter().map(|it| it.id.clone()).collect();
        let mut view = View::default();
        for id in ids {
            let Ok(answer) = self.ask(&id, &["CLUSTER", "NODES"], &limit.at_most(PATIENCE / 10))
            else {
                continue;
            };
            let members = parse(answer.text().unwrap_or_default())?;
            view.members
                .extend(members.into_iter().find(|it| it.is_myself));
        }
        if view.members.is_empty() {
            return Err("no server answers".into());
        }
        Ok(view)
    }
}

fn ask_chunk<W: AsRef<[u8]>>(
    connection: &mut Connection,
    requests: &[Vec<W>],
    limit: &Limit,
) -> Result<Vec<Answer>, Lost> {
    for words in requests {
        connection.add(words);
    }
    connection.send(limit)?;
    requests.iter().map(|_| connection.receive(limit)).collect()
}

fn failed(address: SocketAddr, error: &Lost) -> String {
    format!("{address}: {error}")
}
