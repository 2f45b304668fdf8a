//! Scripts. There is no Lua: the scripts that locks and rate limits of cache libraries send are
//! known by their shape.

use super::{Result, help, integer, subcommand};
use crate::resp::commands::Words;
use crate::resp::scripts::{Script, sha1_hex};
use crate::resp::value::{Failure, Value};
use crate::server::client::Client;
use crate::server::hub::{Hub, Turn};
use crate::server::settings::SCRIPT_LIMIT;

/// The error for a script of another shape.
const UNKNOWN: Failure = Failure::text(
    "ERR shardlab runs no Lua: it knows the scripts of common locks and rate limits by their shape, and this is \
     none of them. SET with IFEQ and DELIFEQ do compare-and-set without a script",
);

/// Keeps a script for EVALSHA.
fn remember(hub: &mut Hub, sha: String, script: Script) {
    if hub.scripts.len() >= SCRIPT_LIMIT {
        hub.scripts.clear();
    }
    hub.scripts.insert(sha, script);
}

pub fn eval(hub: &mut Hub, turn: &mut Turn<'_>, client: &mut Client, words: &Words) -> Result {
    let script = if words.name() == "eval" {
        let script = Script::recognise(&words[1]).ok_or(UNKNOWN)?;
        remember(hub, sha1_hex(&words[1]), script);
        script
    } else {
        let sha = String::from_utf8_lossy(&words[1]).to_ascii_lowercase();
        let known = hub.scripts.get(&sha).copied();
        known.ok_or(Failure::text(
            "NOSCRIPT No matching script. Please use EVAL.",
        ))?
    };
    let keys = integer(words, 2)?;
    let keys =
        usize::try_from(keys).map_err(|_| Failure::text("ERR Number of keys can't be negative"))?;
    if keys > words.len() - 3 {
        return Err(Failure::text(
            "ERR Number of keys can't be greater than number of args",
        ));
    }
    script.check(keys, words.len() - 3 - keys)?;
    hub.start_script(turn, client, script, words.clone());
    Ok(Value::Later)
}

pub fn script(hub: &mut Hub, _: &mut Turn<'_>, _: &mut Client, words: &Words) -> Result {
    match subcommand(words).as_str() {
        "load" => {
            let script = Script::recognise(&words[2]).ok_or(UNKNOWN)?;
            let sha = sha1_hex(&words[2]);
            remember(hub, sha.clone(), script);
            Ok(Value::bulk(sha))
        }
        "exists" => {
            let known = words.rest(2).map(|sha| {
                let sha = String::from_utf8_lossy(sha).to_ascii_lowercase();
                Value::Integer(hub.scripts.contains_key(&sha).into())
            });
            Ok(Value::Array(known.collect()))
        }
        "kill" => Err(Failure::text("NOTBUSY No scripts in execution right now.")),
        "flush" => {
            hub.scripts.clear();
            Ok(Value::Ok)
        }
        _ => Ok(help("script")),
    }
}
