//! Parameters of the servers: the write quorum, the eviction policy, the capacity.

use super::backend::{Engine, unsupported};
use super::client::Failed;
use super::seeing::{refused, said};
use crate::config::Capacity;
use crate::eviction::Eviction;
use crate::id::NodeId;
use crate::language::catalog::Verb;
use crate::language::{Bound, Error, ErrorKind};
use crate::reply::{Bounds, Reply};
use crate::resp::Answer;

/// The policies of the servers.
const POLICIES: [&str; 8] = [
    "noeviction",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
];

impl Engine {
    /// Shows the quorums, or sets how many servers must have a write before it is acknowledged.
    ///
    /// # Errors
    /// If the servers cannot have them.
    pub(super) fn quorum(
        &mut self,
        quorums: Option<(usize, usize)>,
    ) -> Result<Reply<'static>, Error> {
        let replicas = self.replicas();
        let Some((write, read)) = quorums else {
            return Ok(Reply::Quorum {
                write: self.client.write_quorum,
                read: 1,
                replicas,
                promise: crate::checker::Promise::Nothing,
            });
        };
        if read != 1 {
            return Err(unsupported(
                Verb::Quorum,
                "a read asks one server: its quorum is 1",
            ));
        }
        if write == 0 || write > replicas {
            let message = format!(
                "each key is on {replicas} servers: a write quorum lies between 1 and {replicas}"
            );
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        self.client.write_quorum = write;
        self.workers.restart();
        Ok(Reply::Done)
    }

    /// Shows the eviction policy of the first primary, or sets that of all servers.
    ///
    /// # Errors
    /// If the servers have no such policy, or one of them does not answer. Those before it are changed
    /// then.
    pub(super) fn eviction(&mut self, policy: Option<Eviction>) -> Result<Reply<'static>, Error> {
        let Some(policy) = policy else {
            let first = self.primaries().first().copied();
            let policy = self.parameter(Verb::Eviction, first, "maxmemory-policy")?;
            let name = POLICIES.into_iter().find(|name| *name == policy);
            return Ok(Reply::Eviction(name.unwrap_or("another policy")));
        };
        let name = name(policy).ok_or_else(|| {
            let why = "real servers have lru, lfu, random, ttl and none; the simulated cluster has the other policies";
            unsupported(Verb::Eviction, why)
        })?;
        self.check_write()?;
        let all = self.servers(None);
        self.change_parameter(Verb::Eviction, &all, "maxmemory-policy", name)
    }

    /// Shows the capacity of each primary, or of one server, or sets it: that of all servers, or of one.
    ///
    /// # Errors
    /// If it is a number of entries, there is no such server, or one does not answer. Those before it are
    /// changed then.
    pub(super) fn capacity(
        &mut self,
        bound: Option<Bound>,
        node: Option<NodeId>,
    ) -> Result<Reply<'static>, Error> {
        self.check_node(node)?;
        let bytes = match bound {
            None => return self.capacities(node),
            Some(Bound::Bytes(bytes)) => bytes,
            Some(Bound::AnyBytes | Bound::None) => 0,
            Some(Bound::Entries(_) | Bound::AnyEntries) => {
                let why = "real servers bound their memory, not the number of entries: give a size such as 64MiB";
                return Err(unsupported(Verb::Capacity, why));
            }
        };
        self.check_write()?;
        let servers = self.servers(node);
        self.change_parameter(Verb::Capacity, &servers, "maxmemory", &bytes.to_string())
    }

    fn capacities(&mut self, node: Option<NodeId>) -> Result<Reply<'static>, Error> {
        let nodes = node.map_or_else(|| self.primaries(), |node| vec![node]);
        let mut all = Vec::with_capacity(nodes.len());
        for node in nodes {
            let bytes = self.parameter(Verb::Capacity, Some(node), "maxmemory")?;
            let bytes = bytes.parse().ok().filter(|bytes| *bytes > 0);
            let capacity = Capacity {
                entries: None,
                bytes,
            };
            all.push((node, capacity));
        }
        let capacity = all.first().map_or_else(Capacity::default, |it| it.1);
        all.retain(|(_, own)| *own != capacity);
        Ok(Reply::Capacity(Bounds {
            node,
            capacity,
            others: all,
        }))
    }

    /// Sets the counters of all servers to zero, or those of one.
    ///
    /// # Errors
    /// If one does not answer. Those before it are changed then.
    pub(super) fn reset_stats(&mut self) -> Result<Reply<'static>, Error> {
        self.check_write()?;
        for node in self.servers(None) {
            self.tell(Verb::Stats, node, &["CONFIG", "RESETSTAT"])?;
        }
        Ok(Reply::Done)
    }

    /// This server, or all: a replica may become a primary.
    fn servers(&mut self, node: Option<NodeId>) -> Vec<NodeId> {
        let all = || self.client.topology.servers().map(|it| it.0).collect();
        node.map_or_else(all, |node| vec![node])
    }

    fn parameter(&mut self, verb: Verb, node: Option<NodeId>, name: &str) -> Result<String, Error> {
        let node = node.ok_or_else(|| unsupported(verb, "no server has slots"))?;
        let answer = self.client.ask(node, &["CONFIG", "GET", name]);
        let answer = answer.map_err(|failed| refused(verb, &failed))?;
        match answer.array() {
            Some([_, value]) => Ok(value.text().unwrap_or_default().to_owned()),
            _ => Err(refused(verb, &Failed::refused(Some(node), said(&answer)))),
        }
    }

    fn change_parameter(
        &mut self,
        verb: Verb,
        nodes: &[NodeId],
        name: &str,
        value: &str,
    ) -> Result<Reply<'static>, Error> {
        for &node in nodes {
            self.tell(verb, node, &["CONFIG", "SET", name, value])?;
        }
        Ok(Reply::Done)
    }

    /// Asks for something whose answer is OK.
    ///
    /// # Errors
    /// If it is not.
    pub(super) fn tell(&mut self, verb: Verb, node: NodeId, words: &[&str]) -> Result<(), Error> {
        let answer = self.client.ask(node, words);
        match answer.map_err(|failed| refused(verb, &failed))? {
            Answer::Line(_) => Ok(()),
            other => Err(refused(verb, &Failed::refused(Some(node), said(&other)))),
        }
    }
}

/// What the servers call a policy.
fn name(policy: Eviction) -> Option<&'static str> {
    Some(match policy {
        Eviction::Lru => "allkeys-lru",
        Eviction::Lfu => "allkeys-lfu",
        Eviction::Random => "allkeys-random",
        Eviction::Ttl => "volatile-ttl",
        Eviction::None => "noeviction",
        _ => return None,
    })
}
