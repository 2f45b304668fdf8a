//! OBJECT and MEMORY: how a value is stored.

use super::{Result, help, subcommand};
use crate::eviction::Eviction;
use crate::operation::{Found, number};
use crate::resp::commands::{Hash, Words};
use crate::resp::value::{Failure, Value};
use crate::server::client::Client;
use crate::server::hub::{Hub, Turn};

/// The longest string that Redis stores beside its header, in bytes.
const MAX_EMBEDDED: usize = 44;

pub fn object(hub: &mut Hub, turn: &mut Turn<'_>, _: &mut Client, words: &Words) -> Result {
    let sub = subcommand(words);
    if sub == "help" {
        return Ok(help("object"));
    }
    let Some(found) = Hub::look(turn, &words[2]) else {
        return Ok(Value::Null);
    };
    match sub.as_str() {
        "encoding" => Ok(Value::bulk(encoding(hub, &found))),
        "refcount" => Ok(Value::Integer(reference_count(&found))),
        "idletime" => Err(idle_time(turn)),
        _ => frequency(turn, &words[2]),
    }
}

/// The store keeps no time of an access: it would cost each GET a write.
fn idle_time(turn: &mut Turn<'_>) -> Failure {
    if turn.cluster().cluster().eviction() == Some(Eviction::Lfu) {
        return Failure::text(
            "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching \
             between policies at runtime LRU and LFU data will take some time to adjust.",
        );
    }
    Failure::text(
        "ERR the time of the last access is not tracked: see INSPECT for the place in the eviction order",
    )
}

/// How often a key was used: the exact count of the policy, up to the largest that Redis gives.
fn frequency(turn: &mut Turn<'_>, key: &[u8]) -> Result {
    const MOST: u64 = 255;
    let cluster = turn.cluster().cluster();
    if cluster.eviction() != Some(Eviction::Lfu) {
        return Err(Failure::text(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when \
             switching between policies at runtime LRU and LFU data will take some time to adjust.",
        ));
    }
    match cluster.frequency(key) {
        Some(uses) => Ok(Value::Integer(uses.min(MOST).cast_signed())),
        None => Err(Failure::text(
            "ERR the access frequency is not tracked where no capacity is set: see CAPACITY, or maxmemory",
        )),
    }
}

/// How many keys share a value: Redis shares the small numbers, and says so by the largest count.
fn reference_count(found: &Found) -> i64 {
    match number(&found.value) {
        Some(0..=9999) => i64::from(i32::MAX),
        _ => 1,
    }
}

/// The encoding that Redis would choose.
pub fn encoding(hub: &Hub, found: &Found) -> &'static str {
    match &found.value {
        value if Hash::is_hash(value) => hash_encoding(hub, value),
        value if number(value).is_some() => "int",
        value if value.len() <= MAX_EMBEDDED => "embstr",
        _ => "raw",
    }
}

fn hash_encoding(hub: &Hub, value: &[u8]) -> &'static str {
    let (most, longest) = hub.config.small_hash;
    let is_small = Hash::parse(Some(value)).is_ok_and(|hash| {
        let fits =
            |(field, value): (&[u8], &[u8])| field.len() <= longest && value.len() <= longest;
        hash.len() <= most && hash.iter().all(fits)
    });
    if is_small { "listpack" } else { "hashtable" }
}

pub fn memory(hub: &mut Hub, turn: &mut Turn<'_>, client: &mut Client, words: &Words) -> Result {
    match subcommand(words).as_str() {
        "help" => return Ok(help("memory")),
        "stats" => return Ok(memory_stats(hub, turn, client)),
        _ => {}
    }
    if words.len() != 3 && (words.len() != 5 || !super::is(&words[3], "SAMPLES")) {
        return Err(Failure::SYNTAX);
    }
    let copies = turn.cluster().cluster().inspect(&words[2]);
    let bytes = copies.iter().find_map(|copy| copy.bytes);
    Ok(bytes.map_or(Value::Null, |bytes| {
        Value::Integer(i64::try_from(bytes).unwrap_or(i64::MAX))
    }))
}

/// What the entries that the client sees take.
fn memory_stats(hub: &Hub, turn: &mut Turn<'_>, client: &Client) -> Value {
    let stats = hub.stats(turn, client);
    let number = |count: u64| Value::Integer(i64::try_from(count).unwrap_or(i64::MAX));
    let fields = [
        ("total.allocated", number(stats.bytes)),
        ("keys.count", number(stats.keys)),
        (
            "keys.bytes-per-key",
            number(stats.bytes.checked_div(stats.keys).unwrap_or(0)),
        ),
        ("dataset.bytes", number(stats.bytes)),
    ];
    Value::Map(
        fields
            .map(|(name, value)| (Value::bulk(name), value))
            .into(),
    )
}
