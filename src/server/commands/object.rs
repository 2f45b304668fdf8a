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

pub fn object(_: &mut Hub, turn: &mut Turn<'_>, _: &mut Client, words: &Words) -> Result {
    let sub = subcommand(words);
    if sub == "help" {
        return Ok(help("object"));
    }
    let Some(found) = Hub::look(turn, &words[2]) else {
        return Ok(Value::Null);
    };
    match sub.as_str() {
        "encoding" => Ok(Value::bulk(encoding(&found))),
        "refcount" => Ok(Value::Integer(1)),
        "idletime" => Err(Failure::text(
            "ERR the time of the last access is not tracked: see INSPECT for the place in the eviction order",
        )),
        _ if turn.cluster().cluster().eviction() == Some(Eviction::Lfu) => Err(Failure::text(
            "ERR the access frequency is not shown: see INSPECT for the place in the eviction order",
        )),
        _ => Err(Failure::text(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when \
             switching between policies at runtime LRU and LFU data will take some time to adjust.",
        )),
    }
}

/// The encoding that Redis would choose.
fn encoding(found: &Found) -> &'static str {
    match &found.value {
        value if Hash::is_hash(value) => "listpack",
        value if number(value).is_some() => "int",
        value if value.len() <= MAX_EMBEDDED => "embstr",
        _ => "raw",
    }
}

pub fn memory(_: &mut Hub, turn: &mut Turn<'_>, _: &mut Client, words: &Words) -> Result {
    if subcommand(words) == "help" {
        return Ok(help("memory"));
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
