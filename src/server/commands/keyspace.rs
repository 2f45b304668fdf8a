//! Commands on all keys of a node.

use super::{Result, integer, is};
use crate::cluster::Cluster;
use crate::eviction::Eviction;
use crate::id::NodeId;
use crate::language::glob;
use crate::resp::commands::{Hash, Words};
use crate::resp::value::{Failure, Value};
use crate::rng::Rng;
use crate::server::client::Client;
use crate::server::hub::{Hub, Turn};
use crate::time::Instant;

/// The most entries that one call of SCAN looks at.
const MAX_COUNT: usize = 1 << 20;
/// No entry takes fewer bytes.
const LEAST_ENTRY: u64 = 41;
/// The bits of a cursor that are the place in a node.
const PLACE_BITS: u32 = 32;

/// The nodes whose keys a client sees: its own, or all where every node answers for every key.
fn nodes(hub: &Hub, turn: &mut Turn<'_>, client: &Client) -> Vec<NodeId> {
    if hub.settings.is_cluster {
        return vec![client.node];
    }
    turn.cluster().cluster().node_ids().collect()
}

/// Visits the keys of nodes that are to be shown, from a place in the first of them on, until `visit`
/// returns `false`. Returns where to go on.
pub(super) fn walk(
    hub: &Hub,
    turn: &mut Turn<'_>,
    client: &Client,
    from: (usize, u32),
    mut visit: impl FnMut(&[u8], &[u8], Option<Instant>) -> bool,
) -> Option<(usize, u32)> {
    let nodes = nodes(hub, turn, client);
    let now = turn.now;
    let (cluster, paced) = turn.cluster().shown();
    let paced = paced.as_deref();
    let (mut index, mut place) = from;
    while let Some(&node) = nodes.get(index) {
        let next = cluster.scan(now, node, place, |cluster, key, entry| {
            let is_shown = match paced {
                Some(paced) => paced.shows(cluster, node, key),
                None => is_shown(cluster, node, key),
            };
            !is_shown || visit(key, entry.value, entry.deadline)
        });
        if let Some(place) = next {
            return Some((index, place));
        }
        (index, place) = (index + 1, 0);
    }
    None
}

/// Whether a copy is the one that is shown: that of the first owner.
fn is_shown(cluster: &Cluster, node: NodeId, key: &[u8]) -> bool {
    cluster.config().replicas == 1 || cluster.owner(key) == node
}

pub fn scan(hub: &mut Hub, turn: &mut Turn<'_>, client: &mut Client, words: &Words) -> Result {
    let cursor = std::str::from_utf8(&words[1]).ok();
    let cursor = cursor.and_then(|it| it.parse::<u64>().ok());
    let cursor = cursor.ok_or(Failure::text("ERR invalid cursor"))?;
    let (mut pattern, mut count, mut kind) = (None, 10, None);
    let mut at = 2;
    while let Some(option) = words.get(at) {
        let value = words.get(at + 1).ok_or(Failure::SYNTAX)?;
        if is(option, "MATCH") {
            pattern = Some(value);
        } else if is(option, "COUNT") {
            count = usize::try_from(integer(words, at + 1)?).map_err(|_| Failure::SYNTAX)?;
            if count == 0 {
                return Err(Failure::SYNTAX);
            }
        } else if is(option, "TYPE") {
            kind = Some(value);
        } else {
            return Err(Failure::SYNTAX);
        }
        at += 2;
    }
    let place = u32::try_from(cursor & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    let from = (
        usize::try_from(cursor >> PLACE_BITS).unwrap_or(usize::MAX),
        place,
    );
    let mut left = count.min(MAX_COUNT);
    let mut keys = Vec::new();
    let next = walk(hub, turn, client, from, |key, value, _| {
        let name = if Hash::is_hash(value) {
            "hash"
        } else {
            "string"
        };
        let wanted = pattern.is_none_or(|pattern| glob::matches(pattern, key))
            && kind.is_none_or(|kind| is(kind, name));
        if wanted {
            keys.push(Value::bulk(key));
        }
        left -= 1;
        left > 0
    });
    let cursor = next.map_or(0, |(index, place)| {
        (index as u64) << PLACE_BITS | u64::from(place)
    });
    Ok(Value::Array(vec![
        Value::bulk(cursor.to_string()),
        Value::Array(keys),
    ]))
}

pub fn keys(hub: &mut Hub, turn: &mut Turn<'_>, client: &mut Client, words: &Words) -> Result {
    let mut keys = Vec::new();
    walk(hub, turn, client, (0, 0), |key, _, _| {
        if glob::matches(&words[1], key) {
            keys.push(Value::bulk(key));
        }
        true
    });
    Ok(Value::Array(keys))
}

pub fn dbsize(hub: &mut Hub, turn: &mut Turn<'_>, client: &mut Client, _: &Words) -> Result {
    Ok(Value::count(size(hub, turn, client)))
}

impl Hub {
    /// The keys that a client sees are about to go: those that watch one that is there are told.
    fn break_watches(&mut self, turn: &mut Turn<'_>, client: &mut Client) {
        let node = self.settings.is_cluster.then_some(client.node);
        let others = self.clients.values_mut().map(|it| &mut **it);
        let concerned = |it: &&mut Client| node.is_none_or(|node| it.node == node);
        for other in others.chain([client]).filter(concerned) {
            let mut keys = other.watched.keys();
            let goes = keys.any(|key| Self::look(turn, key).is_some());
            other.is_watch_broken |= goes;
        }
    }

    /// Whether nothing can be stored: the bound of a node is below any entry, or below what a node
    /// that evicts nothing holds.
    pub(in crate::server) fn is_out_of_memory(&self, turn: &mut Turn<'_>, client: &Client) -> bool {
        let now = turn.now;
        let cluster = turn.cluster().cluster();
        let Some(most) = cluster.config().capacity.bytes else {
            return false;
        };
        if most < LEAST_ENTRY {
            return true;
        }
        let is_cluster = self.settings.is_cluster;
        cluster.eviction() == Some(Eviction::None)
            && cluster
                .node_stats(now)
                .iter()
                .any(|(node, stats)| stats.bytes > most && (!is_cluster || *node == client.node))
    }
}

/// How many keys a client sees.
pub fn size(hub: &Hub, turn: &mut Turn<'_>, client: &Client) -> usize {
    if holds_what_it_shows(turn) {
        return usize::try_from(hub.stats(turn, client).keys).unwrap_or(usize::MAX);
    }
    let mut count = 0;
    walk(hub, turn, client, (0, 0), |_, _, _| {
        count += 1;
        true
    });
    count
}

/// Whether a node shows every entry that it holds.
fn holds_what_it_shows(turn: &mut Turn<'_>) -> bool {
    let (cluster, paced) = turn.cluster().shown();
    cluster.config().replicas == 1 && paced.is_none()
}

/// How many of the keys that a client sees have a deadline, and how long on average until then, in
/// milliseconds.
pub fn expiring(hub: &Hub, turn: &mut Turn<'_>, client: &Client) -> (u64, u128) {
    let (mut count, mut sum) = (0, 0);
    if holds_what_it_shows(turn) {
        for node in nodes(hub, turn, client) {
            let (more, of_them) = turn.cluster().cluster().deadlines(node);
            (count, sum) = (count + more, sum + of_them);
        }
    } else {
        walk(hub, turn, client, (0, 0), |_, _, deadline| {
            count += u64::from(deadline.is_some());
            sum += u128::from(deadline.map_or(0, Instant::as_nanos));
            true
        });
    }
    let average = sum.checked_div(count.into()).unwrap_or(0);
    (
        count,
        average.saturating_sub(turn.now.as_nanos().into()) / 1_000_000,
    )
}

pub fn random_key(hub: &mut Hub, turn: &mut Turn<'_>, client: &mut Client, _: &Words) -> Result {
    let count = size(hub, turn, client);
    let mut skip = Rng::new(hub.next_seed()).below(count as u64);
    let mut chosen = None;
    walk(hub, turn, client, (0, 0), |key, _, _| {
        chosen = Some(Value::bulk(key));
        skip = skip.wrapping_sub(1);
        skip != u64::MAX
    });
    Ok(chosen.unwrap_or(Value::Null))
}

/// FLUSHALL and FLUSHDB delete the keys that the client sees. Another node keeps its own.
pub fn flush(hub: &mut Hub, turn: &mut Turn<'_>, client: &mut Client, words: &Words) -> Result {
    match words.get(1) {
        None => {}
        Some(word) if words.len() == 2 && (is(word, "SYNC") || is(word, "ASYNC")) => {}
        Some(_) => return Err(Failure::SYNTAX),
    }
    let now = turn.now;
    hub.break_watches(turn, client);
    if !hub.settings.is_cluster {
        let cluster = turn.cluster().cluster();
        let cleared = cluster.clear(now);
        cleared.map_err(|error| Failure::new(format!("ERR {error}")))?;
        hub.invalidate_all(client, None);
        return Ok(Value::Ok);
    }
    let mut keys = Vec::new();
    walk(hub, turn, client, (0, 0), |key, _, _| {
        keys.push(key.to_vec());
        true
    });
    let cluster = turn.cluster().cluster();
    for key in keys {
        let deleted = crate::cache::Cache::delete(cluster, now, &key);
        deleted.map_err(|error| Failure::new(format!("ERR {error}")))?;
    }
    let node = client.node;
    hub.invalidate_all(client, Some(node));
    Ok(Value::Ok)
}
