//! INFO and other commands that describe the server.

use std::fmt::Write;

use super::{Result, integer, is, keyspace, text};
use crate::cluster::Status;
use crate::resp::commands::Words;
use crate::resp::spec;
use crate::resp::value::{Failure, Value};
use crate::server::channels::Channel;
use crate::server::client::Client;
use crate::server::config::policy_name;
use crate::server::hub::{Hub, Turn};
use crate::server::measures::Measure;
use crate::server::settings::REDIS_VERSION;
use crate::stats::Stats;

/// The sections in their order, each with whether it is shown without being asked for.
const SECTIONS: [(&str, bool); 12] = [
    ("Server", true),
    ("Clients", true),
    ("Memory", true),
    ("Persistence", true),
    ("Stats", true),
    ("Replication", true),
    ("CPU", true),
    ("Commandstats", false),
    ("Errorstats", true),
    ("Latencystats", false),
    ("Cluster", true),
    ("Keyspace", true),
];

type Lines = Vec<(String, String)>;

pub fn info(hub: &mut Hub, turn: &mut Turn<'_>, client: &mut Client, words: &Words) -> Result {
    let asked: Vec<String> = words
        .rest(1)
        .map(|it| text(it).to_ascii_lowercase())
        .collect();
    let has = |name: &str| asked.iter().any(|it| it == name);
    let is_default = asked.is_empty() || has("default");
    let is_all = has("all") || has("everything");
    let mut out = String::new();
    for (section, is_usual) in SECTIONS {
        if is_all || is_default && is_usual || has(&section.to_ascii_lowercase()) {
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

impl Hub {
    /// What the nodes that a client sees have counted.
    pub(super) fn stats(&self, turn: &mut Turn<'_>, client: &Client) -> Stats {
        let (now, is_cluster) = (turn.now, self.settings.is_cluster);
        let stats = turn.cluster().cluster().node_stats(now).into_iter();
        let own = stats.filter(|(node, _)| !is_cluster || *node == client.node);
        own.map(|(_, stats)| stats)
            .fold(Stats::default(), |all, one| all + one)
    }
}

fn named<const N: usize>(lines: [(&str, String); N]) -> Lines {
    lines.map(|(name, value)| (name.into(), value)).into()
}

fn lines(hub: &Hub, turn: &mut Turn<'_>, client: &Client, section: &str) -> Lines {
    match section {
        "Server" => server(hub, turn, client),
        "Clients" => clients(hub, client),
        "Memory" => memory(hub, turn, client),
        "Persistence" => persistence(hub, client),
        "Stats" => counts(hub, turn, client),
        "Replication" => named([
            ("role", "master".into()),
            ("connected_slaves", "0".into()),
            ("master_repl_offset", "0".into()),
        ]),
        "CPU" => processor(),
        "Commandstats" => commands(hub),
        "Errorstats" => errors(hub),
        "Latencystats" => latencies(hub),
        "Cluster" => named([(
            "cluster_enabled",
            u8::from(hub.settings.is_cluster).to_string(),
        )]),
        _ => match keyspace::size(hub, turn, client) {
            0 => Vec::new(),
            keys => {
                let (expires, ttl) = keyspace::expiring(hub, turn, client);
                named([(
                    "db0",
                    format!("keys={keys},expires={expires},avg_ttl={ttl}"),
                )])
            }
        },
    }
}

fn server(hub: &Hub, turn: &Turn<'_>, client: &Client) -> Lines {
    let mode = if hub.settings.is_cluster {
        "cluster"
    } else {
        "standalone"
    };
    let now = turn.now.as_millis();
    named([
        ("redis_version", REDIS_VERSION.into()),
        ("redis_git_sha1", "00000000".into()),
        ("shardlab_version", env!("CARGO_PKG_VERSION").into()),
        ("redis_mode", mode.into()),
        ("arch_bits", "64".into()),
        ("process_id", std::process::id().to_string()),
        ("run_id", crate::server::topology::node_id(client.node)),
        ("tcp_port", hub.port(client.node).to_string()),
        ("uptime_in_seconds", (now / 1000).to_string()),
        ("uptime_in_days", (now / 86_400_000).to_string()),
    ])
}

fn clients(hub: &Hub, client: &Client) -> Lines {
    let on_node = || hub.clients.values().filter(|it| it.node == client.node);
    let listen = |it: &Client| it.subscriptions() > 0;
    let listeners = on_node().filter(|it| listen(it)).count() + usize::from(listen(client));
    let watch = |it: &Client| !it.watched.is_empty();
    let watchers = on_node().filter(|it| watch(it)).count() + usize::from(watch(client));
    let held = on_node().filter(|it| it.is_held).count();
    named([
        ("connected_clients", (on_node().count() + 1).to_string()),
        ("maxclients", hub.settings.max_clients.to_string()),
        ("blocked_clients", held.to_string()),
        ("tracking_clients", hub.tracking.clients.to_string()),
        ("pubsub_clients", listeners.to_string()),
        ("watching_clients", watchers.to_string()),
    ])
}

fn memory(hub: &Hub, turn: &mut Turn<'_>, client: &Client) -> Lines {
    let bytes = hub.stats(turn, client).bytes;
    let cluster = turn.cluster().cluster();
    let most = cluster.config().capacity.bytes.unwrap_or(0);
    named([
        ("used_memory", bytes.to_string()),
        ("used_memory_human", human(bytes)),
        ("used_memory_dataset", bytes.to_string()),
        ("maxmemory", most.to_string()),
        ("maxmemory_human", human(most)),
        ("maxmemory_policy", policy_name(cluster.eviction())),
        ("mem_not_counted_for_evict", "0".into()),
        ("lazyfree_pending_objects", "0".into()),
    ])
}

/// A number of bytes for people.
#[allow(clippy::cast_precision_loss, reason = "two digits are shown")]
fn human(bytes: u64) -> String {
    let units = [(30, 'G'), (20, 'M'), (10, 'K')];
    let unit = units.iter().find(|(bits, _)| bytes >= 1 << bits);
    match unit {
        Some((bits, name)) => format!("{:.2}{name}", bytes as f64 / (1_u64 << bits) as f64),
        None => format!("{bytes}B"),
    }
}

fn persistence(hub: &Hub, client: &Client) -> Lines {
    let own = hub.topology.nodes.get(&client.node);
    let loading = own.is_some_and(|it| it.status == Status::Syncing);
    named([
        ("loading", u8::from(loading).to_string()),
        ("rdb_bgsave_in_progress", "0".into()),
        ("aof_enabled", "0".into()),
        ("aof_rewrite_in_progress", "0".into()),
    ])
}

fn counts(hub: &Hub, turn: &mut Turn<'_>, client: &Client) -> Lines {
    let stats = hub.stats(turn, client);
    let totals = &hub.totals;
    let channels = |kind| hub.channels.iter(kind).count().to_string();
    let [keys, items, prefixes] = hub.tracking.counts();
    let failed: u64 = hub.measures.errors.values().sum();
    named([
        ("total_connections_received", totals.connections.to_string()),
        ("total_commands_processed", totals.commands.to_string()),
        ("instantaneous_ops_per_sec", "0".into()),
        ("rejected_connections", totals.refused.to_string()),
        ("expired_keys", stats.expired.to_string()),
        ("evicted_keys", stats.evicted.to_string()),
        ("keyspace_hits", stats.hits.to_string()),
        ("keyspace_misses", stats.misses.to_string()),
        ("pubsub_channels", channels(Channel::Plain)),
        ("pubsub_patterns", channels(Channel::Pattern)),
        ("pubsubshard_channels", channels(Channel::Shard)),
        ("tracking_total_keys", keys.to_string()),
        ("tracking_total_items", items.to_string()),
        ("tracking_total_prefixes", prefixes.to_string()),
        ("total_error_replies", failed.to_string()),
    ])
}

/// The processor time of the process in seconds. Fields that the system does not report are left out.
fn processor() -> Lines {
    /// Ticks a second, as Linux counts for programs.
    const TICKS: u64 = 100;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program comes in brackets and may hold spaces.
    let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let fields: Vec<&str> = fields.split(' ').collect();
    let known = [
        ("used_cpu_sys", 12),
        ("used_cpu_user", 11),
        ("used_cpu_sys_children", 14),
        ("used_cpu_user_children", 13),
    ];
    let found = known.iter().filter_map(|&(name, place)| {
        let ticks: u64 = fields.get(place)?.parse().ok()?;
        let seconds = format!("{}.{:02}0000", ticks / TICKS, ticks % TICKS);
        Some((name.into(), seconds))
    });
    found.collect()
}

/// The commands that were called, each with its measures. Times are estimates once a command was
/// called often.
fn measured(hub: &Hub) -> impl Iterator<Item = (&'static str, Measure)> {
    let all = spec::specs().iter();
    let all = all.flat_map(|spec| std::iter::once(spec).chain(&spec.subcommands));
    all.filter_map(|spec| Some((spec.name, hub.measures.of(spec)?)))
}

fn commands(hub: &Hub) -> Lines {
    let lines = measured(hub).map(|(name, measure)| {
        let Measure {
            calls,
            rejected,
            failed,
            ..
        } = measure;
        let micros = measure.nanos / 1000;
        let per_call = u128::from(measure.nanos) / 10 / u128::from(calls.max(1));
        let value = format!(
            "calls={calls},usec={micros},usec_per_call={}.{:02},rejected_calls={rejected},failed_calls={failed}",
            per_call / 100,
            per_call % 100
        );
        (format!("cmdstat_{name}"), value)
    });
    lines.collect()
}

fn errors(hub: &Hub) -> Lines {
    let errors = hub.measures.errors.iter();
    let lines = errors.map(|(kind, count)| (format!("errorstat_{kind}"), format!("count={count}")));
    lines.collect()
}

fn latencies(hub: &Hub) -> Lines {
    let lines = measured(hub).filter(|(_, measure)| measure.calls > 0);
    let lines = lines.map(|(name, measure)| {
        let [half, most, nearly_all] = [500, 990, 999].map(|it| measure.percentile(it));
        (
            format!("latency_percentiles_usec_{name}"),
            format!("p50={half},p99={most},p99.9={nearly_all}"),
        )
    });
    lines.collect()
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
