//! Commands that are not on keys alone.

#![allow(clippy::unnecessary_wraps, reason = "all commands have one type")]

mod client;
mod cluster;
mod command;
mod config;
mod connection;
mod debug;
mod info;
mod keyspace;
mod latency;
mod object;
mod pubsub;
mod scripts;
mod shell;
mod tracking;
mod transaction;

use super::dispatch::Handler;
use crate::resp::commands::{Words, integer, is};
use crate::resp::spec;
use crate::resp::value::{Failure, Value};

type Result<T = Value> = std::result::Result<T, Failure>;

/// The function of a command, by its name in lower case; `None` for commands on keys.
pub(super) fn handler(name: &str) -> Option<Handler> {
    Some(match name {
        "acl" => connection::acl,
        "auth" => connection::auth,
        "client" => client::client,
        "echo" => connection::echo,
        "hello" => connection::hello,
        "monitor" => connection::monitor,
        "ping" => connection::ping,
        "quit" => connection::quit,
        "asking" => connection::asking,
        "readonly" | "readwrite" => connection::read_mode,
        "reset" => connection::reset,
        "select" => connection::select,
        "cluster" => cluster::cluster,
        "command" => command::command,
        "config" => config::config,
        "debug" => debug::debug,
        "info" => info::info,
        "latency" => latency::latency,
        "lolwut" => info::lolwut,
        "role" => info::role,
        "shutdown" => info::shutdown,
        "slowlog" => latency::slowlog,
        "time" => info::time,
        "wait" => info::wait,
        "dbsize" => keyspace::dbsize,
        "flushall" | "flushdb" => keyspace::flush,
        "keys" => keyspace::keys,
        "randomkey" => keyspace::random_key,
        "scan" => keyspace::scan,
        "memory" => object::memory,
        "object" => object::object,
        "psubscribe" | "ssubscribe" | "subscribe" => pubsub::subscribe,
        "publish" | "spublish" => pubsub::publish,
        "punsubscribe" | "sunsubscribe" | "unsubscribe" => pubsub::unsubscribe,
        "pubsub" => pubsub::pubsub,
        "eval" | "evalsha" => scripts::eval,
        "script" => scripts::script,
        "shardlab" => shell::shardlab,
        "discard" => transaction::discard,
        "exec" => transaction::exec,
        "multi" => transaction::multi,
        "unwatch" => transaction::unwatch,
        "watch" => transaction::watch,
        _ => return None,
    })
}

/// The name of the subcommand, in lower case.
fn subcommand(words: &Words) -> String {
    String::from_utf8_lossy(words.get(1).unwrap_or_default()).to_ascii_lowercase()
}

/// The reply of a HELP subcommand.
fn help(command: &str) -> Value {
    let Some(spec) = spec::find(command.as_bytes()) else {
        return Value::Array(Vec::new());
    };
    let name = command.to_ascii_uppercase();
    let mut lines = vec![format!(
        "{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    )];
    for sub in &spec.subcommands {
        let head = format!("{} {}", sub.last_name().to_ascii_uppercase(), sub.syntax);
        lines.push(head.trim_end().into());
        lines.push(format!("    {}", sub.summary));
    }
    Value::Array(lines.into_iter().map(Value::Line).collect())
}

fn text(word: &[u8]) -> String {
    String::from_utf8_lossy(word).into_owned()
}
