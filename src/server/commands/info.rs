//! INFO and other commands that describe the server.

use std::fmt::Write;

use super::{Result, help, integer, is, keyspace, subcommand, text};
use crate::cluster::Status;
use crate::resp::commands::Words;
use crate::resp::value::{Failure, Value};
use crate::server::client::Client;
use crate::server::config::policy_name;
use crate::server::hub::{Hub, Turn};
use crate::server::settings::REDIS_VERSION;

/// The sections in their order.
const SECTIONS: [&str; 8] = [
    "Server",
    "Clients",
    "Memory",
    "Persistence",
    "Stats",
    "Replication",
    "Cluster",
    "Keyspace",
];

pub fn info(hub: &mut Hub, turn: &mut Turn<'_>, client: &mut Client, words: &Words) -> Result {
    let asked: Vec<String> = words
        .rest(1)
        .map(|it| text(it).to_ascii_lowercase())
        .collect();
    let is_all = asked.is_empty()
        || asked
            .iter()
            .any(|it| matches!(it.as_str(), "all" | "default" | "everything"));
    let mut out = String::new();
    for section in SECTIONS {
        if is_all || asked.contains(&section.to_ascii_lowercase()) {
            if !out.is_empty() {
                out.push_str("\r\n");
            }
            // Writing to a string does not fail.
            let _ = write!(out, "# {section}\r\n");
            for (name, value) in lines(hub, turn, client, section) {
                let _ = write!(out, "{name}:{value}\r\n");
            }
        }
    }
    Ok(Value::Text(out))
}

fn lines(
    hub: &Hub,
    turn: &mut Turn<'_>,
    client: &Client,
    section: &str,
) -> Vec<(&'static str, String)> {
    let settings = &hub.settings;
    let now = turn.now;
    let mode = if settings.is_cluster {
        "cluster"
    } else {
        "standalone"
    };
    let stats = {
        let cluster = turn.cluster().cluster();
        let stats = cluster.node_stats(now).into_iter();
        let own = stats.filter(|(node, _)| !settings.is_cluster || *node == client.node);
        own.map(|(_, stats)| stats)
            .fold(crate::stats::Stats::default(), |all, one| all + one)
    };
    match section {
        "Server" => vec![
            ("redis_version", REDIS_VERSION.into()),
            ("shardlab_version", env!("CARGO_PKG_VERSION").into()),
            ("redis_mode", mode.into()),
            ("arch_bits", "64".into()),
            ("process_id", std::process::id().to_string()),
            ("run_id", crate::server::topology::node_id(client.node)),
            ("tcp_port", hub.port(client.node).to_string()),
            ("uptime_in_seconds", (now.as_millis() / 1000).to_string()),
            ("uptime_in_days", (now.as_millis() / 86_400_000).to_string()),
        ],
        "Clients" => {
            let on_node = hub.clients.values().filter(|it| it.node == client.node);
            vec![
                ("connected_clients", (on_node.count() + 1).to_string()),
                ("maxclients", settings.max_clients.to_string()),
                ("blocked_clients", "0".into()),
            ]
        }
        "Memory" => {
            let cluster = turn.cluster().cluster();
            let most = cluster.config().capacity.bytes.unwrap_or(0);
            vec![
                ("used_memory", stats.bytes.to_string()),
                ("maxmemory", most.to_string()),
                ("maxmemory_policy", policy_name(cluster.eviction())),
            ]
        }
        "Persistence" => {
            let own = hub.topology.nodes.get(&client.node);
            let loading = own.is_some_and(|it| it.status == Status::Syncing);
            vec![
                ("loading", u8::from(loading).to_string()),
                ("rdb_bgsave_in_progress", "0".into()),
                ("aof_enabled", "0".into()),
            ]
        }
        "Stats" => vec![
            (
                "total_connections_received",
                hub.totals.connections.to_string(),
            ),
            ("total_commands_processed", hub.totals.commands.to_string()),
            ("instantaneous_ops_per_sec", "0".into()),
            ("rejected_connections", hub.totals.refused.to_string()),
            ("expired_keys", stats.expired.to_string()),
            ("evicted_keys", stats.evicted.to_string()),
            ("keyspace_hits", stats.hits.to_string()),
            ("keyspace_misses", stats.misses.to_string()),
            (
                "pubsub_channels",
                hub.channels
                    .iter(crate::server::channels::Channel::Plain)
                    .count()
                    .to_string(),
            ),
            (
                "pubsub_patterns",
                hub.channels
                    .iter(crate::server::channels::Channel::Pattern)
                    .count()
                    .to_string(),
            ),
        ],
        "Replication" => vec![
            ("role", "master".into()),
            ("connected_slaves", "0".into()),
            ("master_repl_offset", "0".into()),
        ],
        "Cluster" => vec![("cluster_enabled", u8::from(settings.is_cluster).to_string())],
        _ => match keyspace::size(hub, turn, client) {
            0 => Vec::new(),
            keys => vec![("db0", format!("keys={keys},expires=0,avg_ttl=0"))],
        },
    }
}

pub fn time(hub: &mut Hub, turn: &mut Turn<'_>, client: &mut Client, _: &Words) -> Result {
    let now = turn.now;
    let cluster = turn.cluster().cluster();
    let mut skews = cluster.skews();
    let skew = skews
        .find(|(node, _)| *node == client.node)
        .map_or(0, |(_, skew)| skew);
    let micros = i128::from(now.as_nanos()) + i128::from(skew);
    let micros = micros / 1000 + i128::from(hub.settings.epoch) * 1000;
    let parts = [micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000)];
    Ok(Value::Array(
        parts.map(|it| Value::bulk(it.to_string())).into(),
    ))
}

pub fn role(_: &mut Hub, _: &mut Turn<'_>, _: &mut Client, _: &Words) -> Result {
    Ok(Value::Array(vec![
        Value::bulk("master"),
        Value::Integer(0),
        Value::Array(Vec::new()),
    ]))
}

/// A write is acknowledged only by as many owners as the write quorum asks, so there is nothing to
/// wait for.
pub fn wait(_: &mut Hub, turn: &mut Turn<'_>, _: &mut Client, words: &Words) -> Result {
    integer(words, 1)?;
    let timeout = integer(words, 2)
        .map_err(|_| Failure::text("ERR timeout is not an integer or out of range"))?;
    if timeout < 0 {
        return Err(Failure::text("ERR timeout is negative"));
    }
    let quorum = turn.cluster().cluster().config().write_quorum;
    Ok(Value::count(quorum - 1))
}

pub fn lolwut(_: &mut Hub, _: &mut Turn<'_>, _: &mut Client, _: &Words) -> Result {
    let version = env!("CARGO_PKG_VERSION");
    Ok(Value::Text(format!(
        "shardlab {version}, as Redis ver. {REDIS_VERSION}\n"
    )))
}

pub fn shutdown(hub: &mut Hub, _: &mut Turn<'_>, client: &mut Client, words: &Words) -> Result {
    let known = ["NOSAVE", "SAVE", "NOW", "FORCE"];
    if words
        .rest(1)
        .any(|word| !known.iter().any(|it| is(word, it)))
    {
        return Err(Failure::SYNTAX);
    }
    hub.is_shutting_down = true;
    client.end();
    Ok(Value::Later)
}

/// Slow events are not recorded.
pub fn latency(_: &mut Hub, _: &mut Turn<'_>, _: &mut Client, words: &Words) -> Result {
    Ok(match subcommand(words).as_str() {
        "latest" | "history" => Value::Array(Vec::new()),
        "histogram" => Value::Map(Vec::new()),
        "reset" => Value::Integer(0),
        "doctor" => Value::Text("No latency spike was recorded: shardlab records none.\n".into()),
        "graph" => {
            let event = text(&words[2]);
            return Err(Failure::new(format!(
                "ERR No samples available for event '{event}'"
            )));
        }
        _ => help("latency"),
    })
}

/// Slow commands are not recorded.
pub fn slowlog(_: &mut Hub, _: &mut Turn<'_>, _: &mut Client, words: &Words) -> Result {
    Ok(match subcommand(words).as_str() {
        "get" => {
            if words.len() > 2 && integer(words, 2)? < -1 {
                return Err(Failure::text(
                    "ERR count should be greater than or equal to -1",
                ));
            }
            Value::Array(Vec::new())
        }
        "len" => Value::Integer(0),
        "reset" => Value::Ok,
        _ => help("slowlog"),
    })
}
