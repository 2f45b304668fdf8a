//! CLUSTER: what clients of Redis Cluster ask of the nodes.

use std::fmt::Write;

use super::keyspace::walk;
use super::{Result, help, integer, subcommand, text};
use crate::cluster::Status;
use crate::id::NodeId;
use crate::placement::{SLOT_COUNT, slot_of};
use crate::resp::commands::Words;
use crate::resp::value::{Failure, Value};
use crate::server::client::Client;
use crate::server::hub::{Hub, Turn};
use crate::server::topology::{NodeState, node_id};

pub fn cluster(hub: &mut Hub, turn: &mut Turn<'_>, client: &mut Client, words: &Words) -> Result {
    if !hub.settings.is_cluster {
        return Err(Failure::text(
            "ERR This instance has cluster support disabled",
        ));
    }
    Ok(match subcommand(words).as_str() {
        "myid" => Value::bulk(node_id(client.node)),
        "myshardid" => Value::bulk(shard_id(client.node)),
        "keyslot" => Value::Integer(slot_of(&words[2]).into()),
        "countkeysinslot" => {
            let keys = keys_in(hub, turn, client, slot(words, 2)?, usize::MAX);
            Value::count(keys.len())
        }
        "getkeysinslot" => {
            let count = usize::try_from(integer(words, 3)?);
            let count = count.map_err(|_| Failure::text("ERR Invalid number of keys"))?;
            let keys = keys_in(hub, turn, client, slot(words, 2)?, count);
            Value::Array(keys.into_iter().map(Value::bulk).collect())
        }
        "slots" => slots(hub),
        "shards" => shards(hub),
        "nodes" => Value::Text(nodes(hub, client)),
        "info" => Value::Text(info(hub, client)),
        "links" => links(hub, client),
        "replicas" | "slaves" => {
            known(hub, &words[2])?;
            Value::Array(Vec::new())
        }
        "count-failure-reports" => {
            let node = known(hub, &words[2])?;
            let lost = hub
                .topology
                .nodes
                .get(&node)
                .is_some_and(|it| it.lost_since.is_some());
            let others = hub.topology.nodes.len().saturating_sub(1);
            Value::count(if lost { others } else { 0 })
        }
        _ => help("cluster"),
    })
}

fn slot(words: &Words, index: usize) -> Result<u16> {
    let slot = integer(words, index)
        .ok()
        .and_then(|it| u16::try_from(it).ok());
    let slot = slot.filter(|&it| it < SLOT_COUNT);
    slot.ok_or(Failure::text("ERR Invalid or out of range slot"))
}

/// The node with this ID.
fn known(hub: &Hub, id: &[u8]) -> Result<NodeId> {
    let mut nodes = hub.topology.nodes.keys().copied();
    let node = nodes.find(|&node| node_id(node).as_bytes() == id);
    node.ok_or_else(|| Failure::new(format!("ERR Unknown node {}", text(id))))
}

fn shard_id(node: NodeId) -> String {
    node_id(NodeId(node.0 | 1 << 31))
}

fn keys_in(
    hub: &Hub,
    turn: &mut Turn<'_>,
    client: &Client,
    slot: u16,
    most: usize,
) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    walk(hub, turn, client, (0, 0), |key, _, _| {
        if slot_of(key) == slot && keys.len() < most {
            keys.push(key.to_vec());
        }
        keys.len() < most
    });
    keys
}

fn slots(hub: &Hub) -> Value {
    let ranges = hub
        .topology
        .ranges()
        .into_iter()
        .map(|(first, last, node)| {
            let about = Value::Array(vec![
                Value::bulk(&hub.settings.host),
                Value::Integer(hub.port(node).into()),
                Value::bulk(node_id(node)),
                Value::Map(Vec::new()),
            ]);
            Value::Array(vec![
                Value::Integer(first.into()),
                Value::Integer(last.into()),
                about,
            ])
        });
    Value::Array(ranges.collect())
}

fn shards(hub: &Hub) -> Value {
    let ranges = hub.topology.ranges();
    let shards = hub.topology.nodes.iter().map(|(&node, state)| {
        let own = ranges.iter().filter(|range| range.2 == node);
        let bounds = own.flat_map(|&(first, last, _)| [first, last]);
        let bounds = bounds.map(|slot| Value::Integer(slot.into())).collect();
        let health = match state {
            it if it.status == Status::Syncing => "loading",
            it if it.lost_since.is_some() => "failed",
            _ => "online",
        };
        let host = &hub.settings.host;
        let about = [
            ("id", Value::bulk(node_id(node))),
            ("port", Value::Integer(state.port.into())),
            ("ip", Value::bulk(host)),
            ("endpoint", Value::bulk(host)),
            ("role", Value::bulk("master")),
            ("replication-offset", Value::Integer(0)),
            ("health", Value::bulk(health)),
        ];
        let about = about.map(|(key, value)| (Value::bulk(key), value));
        let nodes = Value::Array(vec![Value::Map(about.into())]);
        let fields = [("slots", Value::Array(bounds)), ("nodes", nodes)];
        Value::Map(fields.map(|(key, value)| (Value::bulk(key), value)).into())
    });
    Value::Array(shards.collect())
}

/// The lines of CLUSTER NODES.
fn nodes(hub: &Hub, client: &Client) -> String {
    let ranges = hub.topology.ranges();
    let mut lines = String::new();
    for (&node, state) in &hub.topology.nodes {
        let (host, port) = (&hub.settings.host, state.port);
        let bus = u32::from(port) + 10_000;
        let flags = flags(node == client.node, state);
        let link = if state.lost_since.is_some() {
            "disconnected"
        } else {
            "connected"
        };
        // Writing to a string does not fail.
        let _ = write!(
            lines,
            "{} {host}:{port}@{bus} {flags} - 0 0 {} {link}",
            node_id(node),
            state.epoch
        );
        for &(first, last, _) in ranges.iter().filter(|range| range.2 == node) {
            let _ = if first == last {
                write!(lines, " {first}")
            } else {
                write!(lines, " {first}-{last}")
            };
        }
        if node == client.node {
            lines.push_str(&moves(hub, node));
        }
        lines.push('\n');
    }
    lines
}

/// The slots whose keys move from a node or to it.
fn moves(hub: &Hub, node: NodeId) -> String {
    let moves = hub.topology.moves.iter();
    let shown = moves.filter_map(|(slot, it)| match node {
        _ if node == it.from => Some(format!(" [{slot}->-{}]", node_id(it.to))),
        _ if node == it.to => Some(format!(" [{slot}-<-{}]", node_id(it.from))),
        _ => None,
    });
    shown.collect()
}

fn flags(is_self: bool, state: &NodeState) -> String {
    let myself = if is_self { "myself," } else { "" };
    let failure = match state {
        it if it.has_failed => ",fail",
        it if it.lost_since.is_some() => ",fail?",
        _ => "",
    };
    format!("{myself}master{failure}")
}

fn info(hub: &Hub, client: &Client) -> String {
    let topology = &hub.topology;
    let lost = topology.lost_slots();
    let (failed, suspected): (Vec<_>, Vec<_>) = topology
        .nodes
        .iter()
        .filter(|(_, state)| state.lost_since.is_some())
        .partition(|(_, state)| state.has_failed);
    let suspected: Vec<NodeId> = suspected.into_iter().map(|(&node, _)| node).collect();
    let ranges = topology.ranges();
    let with_slots: std::collections::BTreeSet<NodeId> =
        ranges.iter().map(|range| range.2).collect();
    let doubtful: usize = ranges
        .iter()
        .filter(|range| suspected.contains(&range.2))
        .map(|range| usize::from(range.1 - range.0) + 1)
        .sum();
    let ok = usize::from(SLOT_COUNT) - lost - doubtful;
    let state = if lost == 0 { "ok" } else { "fail" };
    let own = topology.nodes.get(&client.node).map_or(0, |it| it.epoch);
    let newest = topology
        .nodes
        .values()
        .map(|it| it.epoch)
        .max()
        .unwrap_or(0);
    let size = with_slots.len() + usize::from(lost > 0) * failed.len();
    format!(
        "cluster_state:{state}\r\ncluster_slots_assigned:{SLOT_COUNT}\r\ncluster_slots_ok:{ok}\r\n\
         cluster_slots_pfail:{doubtful}\r\ncluster_slots_fail:{lost}\r\ncluster_known_nodes:{}\r\n\
         cluster_size:{size}\r\ncluster_current_epoch:{newest}\r\ncluster_my_epoch:{own}\r\n\
         cluster_stats_messages_sent:0\r\ncluster_stats_messages_received:0\r\n\
         total_cluster_links_buffer_limit_exceeded:0\r\n",
        topology.nodes.len(),
    )
}

fn links(hub: &Hub, client: &Client) -> Value {
    let others = hub.topology.nodes.iter();
    let others = others.filter(|(node, state)| **node != client.node && state.lost_since.is_none());
    let links = others.flat_map(|(&node, _)| {
        ["to", "from"].map(|direction| {
            let fields = [
                ("direction", Value::bulk(direction)),
                ("node", Value::bulk(node_id(node))),
                ("create-time", Value::Integer(hub.settings.epoch)),
                ("events", Value::bulk("rw")),
                ("send-buffer-allocated", Value::Integer(0)),
                ("send-buffer-used", Value::Integer(0)),
            ];
            Value::Map(fields.map(|(key, value)| (Value::bulk(key), value)).into())
        })
    });
    Value::Array(links.collect())
}
