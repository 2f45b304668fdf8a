//! Commands that show the servers and what they hold.

use std::collections::{BTreeMap, BTreeSet};

use super::backend::{Engine, unsupported};
use super::client::{Failed, Hop};
use super::members::{Health, SLOTS};
use super::topology::{Role, Server};
use crate::cluster::Status;
use crate::event::Event;
use crate::hot::HotKey;
use crate::id::NodeId;
use crate::language::catalog::Verb;
use crate::language::word::{Bytes, Shown};
use crate::language::{Error, ErrorKind, glob};
use crate::network::Endpoint;
use crate::placement::{Location, Member, slot_of};
use crate::reply::{Delivery, HotRow, NodeRow, Remote, Reply, Ring, TracedMessage, Whereabouts};
use crate::resp::Answer;
use crate::stats::Stats;
use crate::time::Instant;

/// The most keys that KEYS lists.
const KEYS: usize = 10_000;
/// Keys that a server looks at in one step.
const STEP: &[u8] = b"1000";
/// How many parts of the slots RING draws.
const BAND: u16 = 64;
/// How many keys HOT looks at on each primary.
const SAMPLE: usize = 10_000;

/// What INFO says, by name.
type Info = BTreeMap<String, String>;

impl Engine {
    /// The servers with what they are doing: as they were launched, or as the topology has it.
    pub(super) fn states(&self) -> Vec<(NodeId, Status)> {
        if self.launched.is_some() {
            return self
                .states
                .iter()
                .map(|(&node, &state)| (node, state))
                .collect();
        }
        let servers = self.client.topology.servers();
        let status = |server: &Server| match server.health {
            Health::Failed => Status::Crashed,
            Health::Up | Health::Suspected => Status::Up,
        };
        servers.map(|(node, it)| (node, status(it))).collect()
    }

    /// About how many keys there are.
    pub(super) fn key_count(&mut self) -> u64 {
        match self.size() {
            Ok(Reply::RoughSize(keys)) => keys,
            _ => 0,
        }
    }

    /// How many servers have each key, at least.
    pub(super) fn replicas(&self) -> usize {
        let topology = &self.client.topology;
        let counts = topology
            .primaries()
            .map(|(node, _)| topology.replicas(node).count());
        counts.min().unwrap_or(0) + 1
    }

    pub(super) fn check_node(&self, node: Option<NodeId>) -> Result<(), Error> {
        match node {
            Some(node) if self.client.topology.get(node).is_none() => Err(Error::new(
                ErrorKind::Invalid,
                format!("there is no node {node}"),
            )),
            _ => Ok(()),
        }
    }

    /// The primaries, as they are now.
    pub(super) fn primaries(&mut self) -> Vec<NodeId> {
        let limit = self.client.limit();
        // Without an answer, those of before are asked, and say what is wrong.
        let _ = self.client.refresh(&limit);
        self.client.topology.primaries().map(|it| it.0).collect()
    }

    /// Lists keys by SCAN on every primary, or on one node.
    pub(super) fn keys(
        &mut self,
        pattern: Option<&[u8]>,
        node: Option<NodeId>,
    ) -> Result<Reply<'static>, Error> {
        self.check_node(node)?;
        let nodes = node.map_or_else(|| self.primaries(), |node| vec![node]);
        let mut keys = BTreeSet::new();
        for node in nodes {
            self.scan(node, &mut |key| {
                // Redis has other rules for [^a] and for what is escaped.
                if pattern.is_none_or(|pattern| glob::matches(pattern, key)) {
                    keys.insert(key.to_vec());
                }
                keys.len() <= KEYS
            })
            .map_err(|failed| refused(Verb::Keys, &failed))?;
        }
        if keys.len() > KEYS {
            let message =
                format!("there are more than {KEYS} such keys: KEYS with a pattern lists fewer");
            return Err(Error::new(ErrorKind::Refused, message));
        }
        Ok(Reply::Keys(keys.into_iter().collect()))
    }

    /// Passes on the keys of a server until `wanted` says no.
    pub(super) fn scan(
        &mut self,
        node: NodeId,
        wanted: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<(), Failed> {
        let mut cursor = "0".to_owned();
        let pattern = self.namespace.pattern();
        let is_replica = self
            .client
            .topology
            .get(node)
            .is_some_and(|it| it.role != Role::Primary);
        if is_replica {
            self.client.ask(node, &["READONLY"])?;
        }
        loop {
            let mut words: Vec<&[u8]> = vec![b"SCAN", cursor.as_bytes(), b"COUNT", STEP];
            if !self.namespace.is_whole() {
                words.extend([&b"MATCH"[..], &pattern]);
            }
            let answer = self.client.ask(node, &words)?;
            let Some([next, Answer::Array(keys)]) = answer.array() else {
                return Err(Failed::refused(Some(node), said(&answer)));
            };
            for key in keys {
                if let Answer::Bulk(key) = key
                    && let Some(key) = self.namespace.own(key)
                    && !wanted(key)
                {
                    return Ok(());
                }
            }
            next.text().unwrap_or("0").clone_into(&mut cursor);
            if cursor == "0" || self.is_stopped() {
                return Ok(());
            }
        }
    }

    /// Counts keys by DBSIZE, which counts those as well that have expired and were not removed.
    pub(super) fn size(&mut self) -> Result<Reply<'static>, Error> {
        let nodes = self.primaries();
        let mut keys = 0;
        if !self.namespace.is_whole() {
            for node in nodes {
                let counted = self.scan(node, &mut |_| {
                    keys += 1;
                    true
                });
                counted.map_err(|failed| refused(Verb::Size, &failed))?;
            }
            return Ok(Reply::RoughSize(keys));
        }
        for (node, answer) in self.client.ask_all(&nodes, &["DBSIZE"]) {
            let answer = answer.map_err(|failed| refused(Verb::Size, &failed))?;
            let count = answer.integer().and_then(|it| u64::try_from(it).ok());
            keys += count
                .ok_or_else(|| refused(Verb::Size, &Failed::refused(Some(node), said(&answer))))?;
        }
        Ok(Reply::RoughSize(keys))
    }

    /// What INFO says of each of these servers; `None` of those that do not answer.
    fn infos(&mut self, nodes: &[NodeId]) -> BTreeMap<NodeId, Option<Info>> {
        let answers = self.client.ask_all(nodes, &["INFO"]);
        let infos = answers.into_iter().map(|(node, answer)| {
            let text = answer.ok().and_then(|it| it.text().map(ToOwned::to_owned));
            (node, text.map(|text| info(&text)))
        });
        infos.collect()
    }

    pub(super) fn nodes(&mut self) -> Reply<'static> {
        // A node that does not answer shows the topology of before.
        let _ = self.client.refresh(&self.client.limit());
        let servers: Vec<(NodeId, Server)> = {
            let servers = self.client.topology.servers();
            servers.map(|(node, it)| (node, it.clone())).collect()
        };
        let nodes: Vec<NodeId> = servers.iter().map(|it| it.0).collect();
        let infos = self.infos(&nodes);
        let rows = servers.into_iter().map(|(node, server)| {
            let info = infos.get(&node).and_then(Option::as_ref);
            let primary = match server.role {
                Role::Primary => None,
                Role::Replica(primary) => Some(primary),
            };
            let lead = primary.and_then(|it| infos.get(&it)?.as_ref());
            row(node, &server, primary, info, lead)
        });
        Reply::Nodes(rows.collect())
    }

    pub(super) fn whereabouts<'a>(&self, key: Bytes<'a>) -> Reply<'a> {
        let slot = slot_of(&self.namespace.full(&key));
        let topology = &self.client.topology;
        let primary = topology.primary(slot);
        let replicas = primary.into_iter().flat_map(|it| topology.replicas(it));
        let owners: Vec<NodeId> = primary.into_iter().chain(replicas).collect();
        let addresses = owners
            .iter()
            .filter_map(|&it| Some(topology.get(it)?.address.to_string()));
        Reply::Where(Whereabouts {
            placement: "slots",
            hash: u64::from(slot),
            location: Location::Slot(slot),
            addresses: addresses.collect(),
            owners,
            key,
        })
    }

    pub(super) fn ring(&self) -> Reply<'static> {
        let topology = &self.client.topology;
        let band = (0..BAND).filter_map(|part| topology.primary(part * (SLOTS / BAND)));
        let shares = topology
            .servers()
            .filter(|(_, it)| it.role == Role::Primary);
        let shares = shares.map(|(node, server)| {
            let slots: usize = server.slots.iter().map(ExactSizeIterator::len).sum();
            (Member { node, weight: 1 }, slots as f64 / f64::from(SLOTS))
        });
        let band: Vec<NodeId> = band.collect();
        Reply::Ring(Ring {
            placement: "slots",
            band: if topology.lost_slots() == 0 {
                band
            } else {
                Vec::new()
            },
            shares: shares.collect(),
        })
    }

    pub(super) fn stats(&mut self, node: Option<NodeId>) -> Result<Reply<'static>, Error> {
        self.check_node(node)?;
        let nodes = node.map_or_else(|| self.primaries(), |node| vec![node]);
        let mut sum = Stats::default();
        for (node, info) in self.infos(&nodes) {
            let silent = Failed::refused(Some(node), "it did not answer in time");
            let info = info.ok_or_else(|| refused(Verb::Stats, &silent))?;
            sum = sum + stats(&info);
        }
        Ok(Reply::Stats {
            node,
            stats: sum,
            latency: None,
        })
    }

    pub(super) fn list_events(&self, count: usize, node: Option<NodeId>) -> Reply<'static> {
        let latest = self.log.iter().rev();
        let wanted = latest.filter(|event| node.is_none() || event.node == node);
        let mut events: Vec<Event> = wanted.take(count).cloned().collect();
        events.reverse();
        Reply::Events(events)
    }

    /// The keys with the highest counters of the policy LFU, of a part of the keys.
    pub(super) fn hot(&mut self, count: usize) -> Result<Reply<'static>, Error> {
        let mut rows = Vec::new();
        for node in self.primaries() {
            let mut keys = Vec::new();
            let failed = |failed: Failed| refused(Verb::Hot, &failed);
            self.scan(node, &mut |key| {
                keys.push(key.to_vec());
                keys.len() < SAMPLE
            })
            .map_err(failed)?;
            let mut hot = self.frequencies(node, keys)?;
            hot.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.key.cmp(&b.key)));
            let requests = hot.iter().map(|it| it.count).sum();
            hot.truncate(count);
            rows.push(HotRow {
                node,
                requests,
                keys: hot,
            });
        }
        Ok(Reply::Hot(rows))
    }

    fn frequencies(&mut self, node: NodeId, keys: Vec<Vec<u8>>) -> Result<Vec<HotKey>, Error> {
        let mut hot = Vec::new();
        for key in keys {
            let full = self.namespace.full(&key);
            let words: [&[u8]; 3] = [b"OBJECT", b"FREQ", &full];
            let answer = self.client.ask(node, &words);
            match answer.map_err(|failed| refused(Verb::Hot, &failed))? {
                Answer::Integer(count) => hot.push(HotKey {
                    key,
                    count: u64::try_from(count).unwrap_or(0),
                    error: 0,
                }),
                Answer::Error(error) if error.contains("LFU") => {
                    return Err(unsupported(
                        Verb::Hot,
                        "the servers count no requests of keys; EVICTION lfu makes them",
                    ));
                }
                _ => {}
            }
        }
        Ok(hot)
    }

    /// The steps of requests since a trace began.
    pub(super) fn path(&mut self, start: Instant) -> Reply<'static> {
        let hops = self.client.trace.take().unwrap_or_default();
        let mut messages = Vec::new();
        for (sequence, hop) in (0..).step_by(2).zip(hops) {
            messages.extend(self.steps(&hop, sequence));
        }
        Reply::Path {
            start,
            messages,
            omitted: 0,
        }
    }

    fn steps(&self, hop: &Hop, sequence: u64) -> Vec<TracedMessage> {
        let (sent, answered) = (
            self.times.at(hop.times.0),
            hop.times.1.map(|it| self.times.at(it)),
        );
        let (client, server) = (Endpoint::Client(0), Endpoint::Node(hop.node));
        let words: Vec<String> = hop.words.iter().map(|it| Shown(it).to_string()).collect();
        let request = TracedMessage {
            from: client,
            to: server,
            kind: "request",
            text: words.join(" "),
            sent,
            delivery: match answered {
                Some(_) => Delivery::Delivered(sent),
                None => Delivery::Lost(sent),
            },
            sequence,
        };
        let answer = answered.map(|at| TracedMessage {
            from: server,
            to: client,
            kind: "answer",
            text: hop.answer.as_ref().map_or_else(Clone::clone, said),
            sent,
            delivery: Delivery::Delivered(at),
            sequence: sequence + 1,
        });
        [request].into_iter().chain(answer).collect()
    }
}

pub(super) fn refused(verb: Verb, failed: &Failed) -> Error {
    super::data::error(verb, b"", failed)
}

/// An answer in a few words.
pub(super) fn said(answer: &Answer) -> String {
    match answer {
        Answer::Line(text) | Answer::Error(text) => text.clone(),
        Answer::Integer(number) => number.to_string(),
        Answer::Bulk(bytes) => Shown(bytes).to_string(),
        Answer::Nil => "null".into(),
        Answer::Array(elements) => format!("{} answers", elements.len()),
    }
}

/// The lines of INFO.
fn info(text: &str) -> Info {
    let pairs = text
        .lines()
        .filter_map(|line| line.trim_end().split_once(':'));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn count(info: &Info, name: &str) -> u64 {
    info.get(name).and_then(|it| it.parse().ok()).unwrap_or(0)
}

/// What a server has counted, for all clients together.
fn stats(info: &Info) -> Stats {
    let keyspace = info.get("db0").map_or("", String::as_str);
    let keys = keyspace
        .split(',')
        .find_map(|part| part.strip_prefix("keys="));
    Stats {
        keys: keys.and_then(|it| it.parse().ok()).unwrap_or(0),
        bytes: count(info, "used_memory"),
        hits: count(info, "keyspace_hits"),
        misses: count(info, "keyspace_misses"),
        evicted: count(info, "evicted_keys"),
        expired: count(info, "expired_keys"),
        ..Stats::default()
    }
}

fn row(
    node: NodeId,
    server: &Server,
    primary: Option<NodeId>,
    info: Option<&Info>,
    lead: Option<&Info>,
) -> NodeRow {
    let is_loading = info.is_some_and(|info| count(info, "loading") > 0);
    let state = match (info, server.health) {
        (_, Health::Failed) => "failed",
        (None, _) => "silent",
        (Some(_), Health::Suspected) => "suspected",
        (Some(_), Health::Up) if is_loading => "loading",
        (Some(_), Health::Up) => "up",
    };
    let offsets = info.zip(lead);
    let lag = offsets.map(|(own, lead)| {
        count(lead, "master_repl_offset").saturating_sub(count(own, "slave_repl_offset"))
    });
    let used = info.and_then(|info| {
        let most = count(info, "maxmemory");
        (most > 0).then(|| count(info, "used_memory") as f64 / most as f64)
    });
    NodeRow {
        node,
        weight: (primary.is_none() && !server.slots.is_empty()).then_some(1),
        state: if state == "up" {
            Status::Up
        } else {
            Status::Crashed
        },
        used,
        stats: info.map(stats).unwrap_or_default(),
        remote: Some(Remote {
            address: server.address.to_string(),
            state,
            primary,
            lag,
            open_slots: server.open_slots,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_is_read() {
        let info = info(
            "# Stats\r\nkeyspace_hits:7\r\nexpired_keys:2\r\n# Keyspace\r\ndb0:keys=3,expires=1,avg_ttl=5\r\n",
        );
        let stats = stats(&info);
        assert_eq!(
            (stats.keys, stats.hits, stats.misses, stats.expired),
            (3, 7, 0, 2)
        );
    }
}
