//! From the name of a command to what carries it out.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::client::{Client, End, Ending};
use super::commands;
use super::hub::{Hub, Turn};
use super::settings::QUEUE_LIMIT;
use crate::resp::Protocol;
use crate::resp::commands::Words;
use crate::resp::spec::{self, Spec};
use crate::resp::value::{Failure, Value};

/// Carries out a command that is not on keys alone.
pub(super) type Handler =
    fn(&mut Hub, &mut Turn<'_>, &mut Client, &Words) -> Result<Value, Failure>;

/// What carries a command out.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Operations on keys.
    Keys,
    /// A function.
    Function(Handler),
}

/// A command of the table.
pub(super) struct Entry {
    pub spec: &'static Spec,
    pub kind: Kind,
}

/// The commands by their names in lower case.
static TABLE: LazyLock<BTreeMap<&'static [u8], Entry>> = LazyLock::new(|| {
    let entries = spec::specs().iter().map(|spec| {
        let kind = commands::handler(spec.name).map_or(Kind::Keys, Kind::Function);
        (spec.name.as_bytes(), Entry { spec, kind })
    });
    entries.collect()
});

/// The longest name of a command.
const MAX_NAME: usize = 16;

pub(super) fn find(name: &[u8]) -> Option<&'static Entry> {
    let mut lower = [0; MAX_NAME];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    TABLE.get(&*lower)
}

/// Whether a command can change something, or tell other clients something.
pub(super) fn may_write(name: &[u8]) -> bool {
    let others = ["publish", "spublish", "eval", "evalsha"];
    find(name).is_some_and(|entry| entry.spec.has("write") || others.contains(&entry.spec.name))
}

/// Whether there is a command of this name that takes so many arguments.
pub(super) fn takes(name: &[u8], args: usize) -> bool {
    find(name).is_some_and(|entry| entry.spec.takes(args))
}

/// Carries out a command, or begins to.
pub(super) fn run(hub: &mut Hub, turn: &mut Turn<'_>, client: &mut Client, words: Words) {
    let checked = check(hub, turn, client, &words);
    let entry = match checked {
        Ok(entry) => entry,
        Err(Refused::Close) => {
            client.ending = Some(Ending::Now);
            return;
        }
        Err(Refused::Error(failure)) => {
            if let Some(queue) = &mut client.queue {
                queue.is_broken = true;
            }
            hub.refuse(client, failure);
            client.end = End::Rejected;
            return;
        }
    };
    hub.show_monitors(turn, client, entry, &words);
    if client.queue.is_some() && !is_immediate(entry.spec.name) {
        client.command = None;
        return queue(hub, client, words);
    }
    let spec = client.command;
    begin(hub, turn, client, entry, words);
    if entry.spec.name == "exec" && client.command.map(|it| it.number) != spec.map(|it| it.number) {
        // The commands of a transaction are measured by themselves.
        (client.command, client.end) = (spec, End::Called);
    }
}

/// Carries out a command, whose keys a client that tracks is told of later.
fn begin(hub: &mut Hub, turn: &mut Turn<'_>, client: &mut Client, entry: &Entry, words: Words) {
    let spec = client.command.unwrap_or(entry.spec);
    hub.track(client, spec, &words);
    carry_out(hub, turn, client, entry, words);
    Hub::end_caching(client, spec);
}

/// Carries out a command of a transaction.
pub(super) fn run_queued(hub: &mut Hub, turn: &mut Turn<'_>, client: &mut Client, words: Words) {
    let Some(entry) = words.get(0).and_then(find) else {
        return hub.answer(client, Err(Failure::SYNTAX));
    };
    client.command = Some(subcommand(entry.spec, &words).unwrap_or(entry.spec));
    client.end = End::Called;
    let (watch, kept) = (hub.measures.begin(), words.clone());
    begin(hub, turn, client, entry, words);
    hub.note_queued(turn, client, &kept, &watch);
}

fn carry_out(hub: &mut Hub, turn: &mut Turn<'_>, client: &mut Client, entry: &Entry, words: Words) {
    match entry.kind {
        Kind::Function(function) => {
            let result = function(hub, turn, client, &words);
            // EXEC and EVAL reply later.
            if !matches!(result, Ok(Value::Later)) {
                hub.answer(client, result);
            }
        }
        Kind::Keys => {
            hub.start(turn, client, entry, words);
        }
    }
}

/// Whether a command is carried out inside of a transaction, and not queued.
fn is_immediate(name: &str) -> bool {
    matches!(
        name,
        "exec" | "discard" | "multi" | "watch" | "quit" | "reset"
    )
}

fn queue(hub: &mut Hub, client: &mut Client, words: Words) {
    let Some(queue) = &mut client.queue else {
        return;
    };
    queue.bytes += words.bytes();
    if queue.commands.len() >= QUEUE_LIMIT.0 || queue.bytes > QUEUE_LIMIT.1 {
        queue.is_broken = true;
        let error = Failure::text("ERR too many commands in a transaction");
        return hub.answer(client, Err(error));
    }
    queue.commands.push_back(words);
    client.reply(|frames| frames.simple("QUEUED"));
}

/// What a command is told that needs memory.
const OUT_OF_MEMORY: &str = "OOM command not allowed when used memory > 'maxmemory'.";

/// Why a command is not begun.
enum Refused {
    Error(Failure),
    /// It is no client of Redis that sends it.
    Close,
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Error(failure)
    }
}

fn check(
    hub: &Hub,
    turn: &mut Turn<'_>,
    client: &mut Client,
    words: &Words,
) -> Result<&'static Entry, Refused> {
    let name = words.get(0).unwrap_or_default();
    // A web page can make a browser send these.
    if name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:") {
        return Err(Refused::Close);
    }
    let entry = find(name).ok_or_else(|| unknown(words))?;
    let spec = subcommand(entry.spec, words)?;
    client.last_command = spec.name;
    client.command = Some(spec);
    if !spec.takes(words.len()) {
        let name = spec.name;
        let text = format!("ERR wrong number of arguments for '{name}' command");
        return Err(Failure::new(text).into());
    }
    if !client.is_authenticated && !spec.has("no_auth") {
        return Err(Failure::text("NOAUTH Authentication required.").into());
    }
    if client.queue.is_some() && spec.has("no_multi") {
        return Err(Failure::text("ERR Command not allowed inside a transaction").into());
    }
    let is_listening = client.protocol == Protocol::Resp2 && client.subscriptions() > 0;
    if is_listening && !is_allowed_to_listeners(spec.name) {
        let name = spec.name.replace('|', " ");
        let text = format!(
            "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET \
             are allowed in this context"
        );
        return Err(Failure::new(text).into());
    }
    hub.route(turn, client, spec, words)?;
    check_memory(hub, turn, client, spec)?;
    Ok(entry)
}

/// Refuses a command that needs memory, if there can be none for it.
fn check_memory(
    hub: &Hub,
    turn: &mut Turn<'_>,
    client: &Client,
    spec: &Spec,
) -> Result<(), Failure> {
    let needs = |spec: &Spec| spec.has("denyoom");
    let is_exec = spec.name == "exec";
    let queued = client.queue.iter().filter(|_| is_exec);
    let mut queued = queued.flat_map(|queue| &queue.commands);
    let is_needed = needs(spec)
        || queued.any(|words| words.get(0).and_then(find).is_some_and(|it| needs(it.spec)));
    if !is_needed || !hub.is_out_of_memory(turn, client) {
        return Ok(());
    }
    Err(Failure::text(OUT_OF_MEMORY))
}

/// The subcommand that is asked for, or the command if it has none.
fn subcommand(spec: &'static Spec, words: &Words) -> Result<&'static Spec, Failure> {
    if spec.subcommands.is_empty() || (words.len() < 2 && spec.takes(words.len())) {
        return Ok(spec);
    }
    let Some(name) = words.get(1) else {
        let name = spec.name;
        let text = format!("ERR wrong number of arguments for '{name}' command");
        return Err(Failure::new(text));
    };
    spec.subcommand(name).ok_or_else(|| {
        let (shown, parent) = (
            String::from_utf8_lossy(name),
            spec.name.to_ascii_uppercase(),
        );
        let shown: String = shown.chars().take(128).collect();
        Failure::new(format!(
            "ERR unknown subcommand '{shown}'. Try {parent} HELP."
        ))
    })
}

fn is_allowed_to_listeners(name: &str) -> bool {
    name.ends_with("subscribe") || matches!(name, "ping" | "quit" | "reset")
}

/// The error for a name that is no command. Types that the server does not have are named.
fn unknown(words: &Words) -> Failure {
    let cut = |word: &[u8]| {
        let text: String = String::from_utf8_lossy(word).chars().take(128).collect();
        text.replace(['\r', '\n'], " ")
    };
    let name = cut(words.get(0).unwrap_or_default());
    if let Some(kind) = missing_type(&name.to_ascii_lowercase()) {
        return Failure::new(format!(
            "ERR unknown command '{name}': shardlab holds strings and hashes, not {kind}"
        ));
    }
    let mut text = format!("ERR unknown command '{name}', with args beginning with: ");
    for word in words.rest(1) {
        if text.len() > 250 {
            break;
        }
        text.push_str(&format!("'{}' ", cut(word)));
    }
    Failure::new(text)
}

/// The type of value that a command of Redis needs and the server does not have.
fn missing_type(name: &str) -> Option<&'static str> {
    let known: [(&str, &str); 8] = [
        (
            "lists",
            "lpush lpop llen lrange lindex lset lrem ltrim linsert lpos lmove lmpop lpushx rpush rpop \
             rpushx rpoplpush blpop brpop blmove blmpop brpoplpush",
        ),
        (
            "sorted sets",
            "zadd zcard zcount zincrby zrange zrangebyscore zrangebylex zrank zrem zremrangebyscore \
             zremrangebyrank zrevrange zrevrangebyscore zrevrank zscore zmscore zpopmin zpopmax bzpopmin \
             bzpopmax bzmpop zmpop zunion zunionstore zinter zinterstore zdiff zdiffstore zlexcount zscan \
             zrandmember zrangestore zremrangebylex zrevrangebylex zintercard",
        ),
        (
            "sets",
            "sadd scard sdiff sdiffstore sinter sinterstore sintercard sismember smembers smismember \
             smove spop srandmember srem sscan sunion sunionstore sort sort_ro",
        ),
        (
            "streams",
            "xadd xlen xrange xrevrange xread xreadgroup xack xclaim xautoclaim xdel xtrim xgroup xinfo \
             xpending xsetid",
        ),
        (
            "positions",
            "geoadd geodist geohash geopos georadius georadiusbymember geosearch geosearchstore",
        ),
        ("HyperLogLogs", "pfadd pfcount pfmerge pfdebug pfselftest"),
        (
            "bitmaps",
            "bitcount bitfield bitfield_ro bitop bitpos setbit getbit",
        ),
        ("functions", "function fcall fcall_ro"),
    ];
    let has_name = |(_, names): &&(&str, &str)| names.split_whitespace().any(|it| it == name);
    known.iter().find(has_name).map(|(kind, _)| *kind)
}
