//! Commands on the connection itself.

use super::{Result, help, integer, is, subcommand, text};
use crate::resp::Protocol;
use crate::resp::commands::Words;
use crate::resp::value::{Failure, Value};
use crate::server::client::{Client, Ending, Replies};
use crate::server::hub::{Hub, Turn};
use crate::server::settings::REDIS_VERSION;
use crate::time::Instant;

pub fn ping(_: &mut Hub, _: &mut Turn<'_>, client: &mut Client, words: &Words) -> Result {
    if words.len() > 2 {
        return Err(Failure::text(
            "ERR wrong number of arguments for 'ping' command",
        ));
    }
    let message = words.get(1);
    if client.protocol == Protocol::Resp2 && client.subscriptions() > 0 {
        let message = Value::bulk(message.unwrap_or_default());
        return Ok(Value::Array(vec![Value::bulk(b"pong"), message]));
    }
    Ok(message.map_or(Value::Simple("PONG"), Value::bulk))
}

pub fn echo(_: &mut Hub, _: &mut Turn<'_>, _: &mut Client, words: &Words) -> Result {
    Ok(Value::bulk(&words[1]))
}

pub fn quit(_: &mut Hub, _: &mut Turn<'_>, client: &mut Client, _: &Words) -> Result {
    client.reply(|frames| Value::Ok.write(frames));
    client.end();
    Ok(Value::Later)
}

pub fn reset(hub: &mut Hub, _: &mut Turn<'_>, client: &mut Client, _: &Words) -> Result {
    hub.forget(client);
    client.reset();
    client.is_authenticated = hub.settings.password.is_none();
    Ok(Value::Simple("RESET"))
}

pub fn select(_: &mut Hub, _: &mut Turn<'_>, _: &mut Client, words: &Words) -> Result {
    match integer(words, 1) {
        Ok(0) => Ok(Value::Ok),
        Ok(_) => Err(Failure::text("ERR DB index is out of range")),
        Err(failure) => Err(failure),
    }
}

/// READONLY, READWRITE and ASKING. They change nothing: a node answers for the slots that CLUSTER SLOTS
/// shows for it, also while keys move.
pub fn read_mode(hub: &mut Hub, _: &mut Turn<'_>, _: &mut Client, _: &Words) -> Result {
    if hub.settings.is_cluster {
        Ok(Value::Ok)
    } else {
        Err(Failure::text(
            "ERR This instance has cluster support disabled",
        ))
    }
}

pub fn monitor(hub: &mut Hub, _: &mut Turn<'_>, client: &mut Client, _: &Words) -> Result {
    if client.exec.is_some() {
        return Err(Failure::text(
            "ERR MONITOR isn't allowed inside a transaction",
        ));
    }
    hub.monitors += usize::from(!client.is_monitor);
    client.is_monitor = true;
    Ok(Value::Ok)
}

fn give_password(hub: &Hub, client: &mut Client, user: &[u8], password: &[u8]) -> Result<()> {
    let expected = hub.settings.password.as_deref();
    let is_right = expected.is_none_or(|expected| is_equal(expected, password));
    if user != b"default" || !is_right {
        return Err(Failure::text(
            "WRONGPASS invalid username-password pair or user is disabled.",
        ));
    }
    client.is_authenticated = true;
    Ok(())
}

/// Compares in a time that does not depend on where the two differ.
fn is_equal(a: &[u8], b: &[u8]) -> bool {
    let differences = a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b));
    a.len() == b.len() && differences == 0
}

pub fn auth(hub: &mut Hub, _: &mut Turn<'_>, client: &mut Client, words: &Words) -> Result {
    let (user, password) = match words.len() {
        2 => (&b"default"[..], &words[1]),
        3 => (&words[1], &words[2]),
        _ => return Err(Failure::SYNTAX),
    };
    if words.len() == 2 && hub.settings.password.is_none() {
        return Err(Failure::text(
            "ERR AUTH <password> called without any password configured for the default user. \
             Are you sure your configuration is correct?",
        ));
    }
    give_password(hub, client, user, password)?;
    Ok(Value::Ok)
}

pub fn hello(hub: &mut Hub, _: &mut Turn<'_>, client: &mut Client, words: &Words) -> Result {
    let mut protocol = client.protocol;
    if words.len() > 1 {
        protocol = match integer(words, 1) {
            Ok(2) => Protocol::Resp2,
            Ok(3) => Protocol::Resp3,
            Ok(_) => return Err(Failure::text("NOPROTO unsupported protocol version")),
            Err(_) => {
                return Err(Failure::text(
                    "ERR Protocol version is not an integer or out of range",
                ));
            }
        };
    }
    let mut name = None;
    let mut at = 2;
    while let Some(option) = words.get(at) {
        let left = words.len() - at - 1;
        if is(option, "AUTH") && left >= 2 {
            give_password(hub, client, &words[at + 1], &words[at + 2])?;
            at += 3;
        } else if is(option, "SETNAME") && left >= 1 {
            name = Some(checked_name(&words[at + 1])?);
            at += 2;
        } else {
            let option = text(option);
            return Err(Failure::new(format!(
                "ERR Syntax error in HELLO option '{option}'"
            )));
        }
    }
    if !client.is_authenticated {
        return Err(Failure::text(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> \
             AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol \
             version at the same time",
        ));
    }
    if let Some(name) = name {
        client.names.name = name;
    }
    client.protocol = protocol;
    let mode = if hub.settings.is_cluster {
        "cluster"
    } else {
        "standalone"
    };
    let version = if protocol == Protocol::Resp3 { 3 } else { 2 };
    let pairs = [
        ("server", Value::bulk("redis")),
        ("version", Value::bulk(REDIS_VERSION)),
        ("proto", Value::Integer(version)),
        ("id", Value::Integer(client.id.into())),
        ("mode", Value::bulk(mode)),
        ("role", Value::bulk("master")),
        ("modules", Value::Array(Vec::new())),
    ];
    let pairs = pairs.map(|(key, value)| (Value::bulk(key), value));
    Ok(Value::Map(pairs.into()))
}

/// A name without spaces and control characters.
fn checked_name(name: &[u8]) -> Result<Vec<u8>> {
    if name.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
        return Ok(name.into());
    }
    Err(Failure::text(
        "ERR Client names cannot contain spaces, newlines or special characters.",
    ))
}

pub fn acl(_: &mut Hub, _: &mut Turn<'_>, _: &mut Client, words: &Words) -> Result {
    Ok(match subcommand(words).as_str() {
        "whoami" => Value::bulk("default"),
        "users" => Value::Array(vec![Value::bulk("default")]),
        "list" => Value::Array(vec![Value::bulk(
            "user default on nopass sanitize-payload ~* &* +@all",
        )]),
        "cat" => categories(words)?,
        _ => help("acl"),
    })
}

fn categories(words: &Words) -> Result {
    let all = || crate::resp::spec::specs().iter();
    let mut names: Vec<&str> = match words.get(2) {
        None => all()
            .flat_map(|spec| spec.categories.iter().copied())
            .collect(),
        Some(category) => {
            let category = text(category).to_ascii_lowercase();
            let specs = all().filter(|spec| spec.categories.contains(&&*category));
            let names: Vec<&str> = specs.map(|spec| spec.name).collect();
            if names.is_empty() {
                return Err(Failure::new(format!("ERR Unknown category '{category}'")));
            }
            names
        }
    };
    names.sort_unstable();
    names.dedup();
    Ok(Value::Array(names.into_iter().map(Value::bulk).collect()))
}

pub fn client(hub: &mut Hub, turn: &mut Turn<'_>, client: &mut Client, words: &Words) -> Result {
    match subcommand(words).as_str() {
        "id" => Ok(Value::Integer(client.id.into())),
        "getname" if client.names.name.is_empty() => Ok(Value::Null),
        "getname" => Ok(Value::bulk(&client.names.name)),
        "setname" => {
            client.names.name = checked_name(&words[2])?;
            Ok(Value::Ok)
        }
        "setinfo" => set_info(client, words),
        "info" => Ok(Value::Text(format!("{}\n", line(client, turn.now)))),
        "list" => list(hub, turn, client, words),
        "kill" => kill(hub, client, words),
        "pause" => pause(hub, turn, words),
        "unpause" => {
            hub.paused_until = hub.paused_until.map(|(_, mode)| (turn.now, mode));
            Ok(Value::Ok)
        }
        "reply" => reply(client, words),
        "no-evict" => on_off(words).map(|_| Value::Ok),
        "no-touch" => {
            client.is_looking = on_off(words)?;
            Ok(Value::Ok)
        }
        _ => Ok(help("client")),
    }
}

fn on_off(words: &Words) -> Result<bool> {
    match &words[2] {
        word if is(word, "ON") => Ok(true),
        word if is(word, "OFF") => Ok(false),
        _ => Err(Failure::SYNTAX),
    }
}

fn set_info(client: &mut Client, words: &Words) -> Result {
    let option = text(&words[2]);
    let value = checked_name(&words[3]).map_err(|_| {
        Failure::new(format!(
            "ERR {option} cannot contain spaces, newlines or special characters."
        ))
    })?;
    match option.to_ascii_uppercase().as_str() {
        "LIB-NAME" => client.names.library = value,
        "LIB-VER" => client.names.version = value,
        _ => return Err(Failure::new(format!("ERR Unrecognized option '{option}'"))),
    }
    Ok(Value::Ok)
}

fn reply(client: &mut Client, words: &Words) -> Result {
    match &words[2] {
        word if is(word, "ON") => {
            client.replies = Replies::On;
            Ok(Value::Ok)
        }
        word if is(word, "OFF") => {
            client.replies = Replies::Off;
            Ok(Value::Later)
        }
        word if is(word, "SKIP") => {
            if client.replies == Replies::On {
                client.replies = Replies::SkipNext;
            }
            Ok(Value::Later)
        }
        _ => Err(Failure::SYNTAX),
    }
}

/// A line of CLIENT LIST.
fn line(client: &Client, now: Instant) -> String {
    let seconds = |since: Instant| now.saturating_duration_since(since).as_secs();
    let names = &client.names;
    let [name, library, version] = [&names.name, &names.library, &names.version].map(|it| text(it));
    let [channels, patterns, shards] = &client.channels;
    let flags = match client {
        it if it.is_monitor => "O",
        it if it.queue.is_some() => "x",
        it if it.subscriptions() > 0 => "P",
        _ => "N",
    };
    let queued = client.queue.as_ref().map_or(-1, |queue| {
        i64::try_from(queue.commands.len()).unwrap_or(i64::MAX)
    });
    let protocol = if client.protocol == Protocol::Resp3 {
        3
    } else {
        2
    };
    format!(
        "id={} addr={} laddr={} fd=0 name={name} age={} idle={} flags={flags} db=0 sub={} psub={} ssub={} \
         multi={queued} qbuf={} qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem={} tot-mem={} \
         events=r cmd={} user=default redir=-1 resp={protocol} lib-name={library} lib-ver={version}",
        client.id,
        client.addresses.0,
        client.addresses.1,
        seconds(client.since.0),
        seconds(client.since.1),
        channels.len(),
        patterns.len(),
        shards.len(),
        client.input.len(),
        client.output.len(),
        client.input.capacity() + client.output.capacity(),
        client.last_command,
    )
}

fn list(hub: &Hub, turn: &Turn<'_>, client: &Client, words: &Words) -> Result {
    let mut wanted: Option<Vec<u32>> = None;
    let mut kind = None;
    match words.get(2) {
        None => {}
        Some(word) if is(word, "ID") && words.len() > 3 => {
            let ids = words.rest(3).map(|id| {
                let id = crate::operation::number(id).and_then(|id| u32::try_from(id).ok());
                id.ok_or(Failure::text("ERR Invalid client ID"))
            });
            wanted = Some(ids.collect::<Result<_>>()?);
        }
        Some(word) if is(word, "TYPE") && words.len() == 4 => kind = Some(client_type(&words[3])?),
        Some(_) => return Err(Failure::SYNTAX),
    }
    // The present client is not among the others while its command runs.
    let mut all: Vec<&Client> = hub
        .clients
        .values()
        .map(|it| &**it)
        .chain([client])
        .collect();
    all.sort_by_key(|it| it.id);
    let shown = all.into_iter().filter(|it| {
        it.node == client.node
            && wanted.as_ref().is_none_or(|ids| ids.contains(&it.id))
            && kind.is_none_or(|kind| kind == type_of(it))
    });
    let lines: String = shown
        .map(|it| format!("{}\n", line(it, turn.now)))
        .collect();
    Ok(Value::Text(lines))
}

fn client_type(word: &[u8]) -> Result<&'static str> {
    let types = ["normal", "master", "replica", "slave", "pubsub"];
    let found = types.into_iter().find(|name| is(word, name));
    found.ok_or_else(|| Failure::new(format!("ERR Unknown client type '{}'", text(word))))
}

fn type_of(client: &Client) -> &'static str {
    if client.subscriptions() > 0 {
        "pubsub"
    } else {
        "normal"
    }
}

/// Which clients CLIENT KILL closes.
#[derive(Default)]
struct Victims {
    id: Option<i64>,
    address: Option<String>,
    local: Option<String>,
    kind: Option<&'static str>,
    spares_self: bool,
}

impl Victims {
    fn parse(words: &Words) -> Result<Self> {
        let mut all = Self {
            spares_self: true,
            ..Self::default()
        };
        let mut options = words.rest(2);
        while let Some(option) = options.next() {
            let value = options.next().ok_or(Failure::SYNTAX)?;
            match option {
                it if is(it, "ID") => {
                    let id = crate::operation::number(value).filter(|&id| id > 0);
                    all.id =
                        Some(id.ok_or(Failure::text("ERR client-id should be greater than 0"))?);
                }
                it if is(it, "ADDR") => all.address = Some(text(value)),
                it if is(it, "LADDR") => all.local = Some(text(value)),
                it if is(it, "TYPE") => all.kind = Some(client_type(value)?),
                it if is(it, "USER") && value == b"default" => {}
                it if is(it, "USER") => {
                    return Err(Failure::new(format!("ERR No such user '{}'", text(value))));
                }
                it if is(it, "SKIPME") && is(value, "yes") => all.spares_self = true,
                it if is(it, "SKIPME") && is(value, "no") => all.spares_self = false,
                _ => return Err(Failure::SYNTAX),
            }
        }
        Ok(all)
    }

    fn has(&self, client: &Client) -> bool {
        let (address, local) = (
            client.addresses.0.to_string(),
            client.addresses.1.to_string(),
        );
        self.id.is_none_or(|id| id == i64::from(client.id))
            && self.address.as_ref().is_none_or(|it| *it == address)
            && self.local.as_ref().is_none_or(|it| *it == local)
            && self.kind.is_none_or(|kind| kind == type_of(client))
    }
}

fn kill(hub: &mut Hub, client: &mut Client, words: &Words) -> Result {
    let is_old_form = words.len() == 3;
    let victims = if is_old_form {
        Victims {
            address: Some(text(&words[2])),
            ..Victims::default()
        }
    } else {
        Victims::parse(words)?
    };
    let node = client.node;
    let others = hub.clients.values_mut();
    let ids: Vec<u32> = others
        .filter(|it| it.node == node && victims.has(it))
        .map(|it| {
            it.ending = Some(Ending::Now);
            it.id
        })
        .collect();
    let mut killed = ids.len();
    hub.touch(ids);
    if !victims.spares_self && victims.has(client) {
        client.end();
        killed += 1;
    }
    match (is_old_form, killed) {
        (true, 0) => Err(Failure::text("ERR No such client")),
        (true, _) => Ok(Value::Ok),
        (false, killed) => Ok(Value::count(killed)),
    }
}

fn pause(hub: &mut Hub, turn: &Turn<'_>, words: &Words) -> Result {
    let millis = integer(words, 2).ok().and_then(|it| u64::try_from(it).ok());
    let millis = millis.ok_or(Failure::text(
        "ERR timeout is not an integer or out of range",
    ))?;
    let holds_reads = match words.get(3) {
        None => true,
        Some(word) if is(word, "ALL") => true,
        Some(word) if is(word, "WRITE") => false,
        Some(_) => return Err(Failure::text("ERR CLIENT PAUSE mode must be WRITE or ALL")),
    };
    let until = turn
        .now
        .saturating_add(std::time::Duration::from_millis(millis));
    let (before, held) = hub.paused_until.unwrap_or((until, false));
    hub.paused_until = Some((before.max(until), held || holds_reads));
    Ok(Value::Ok)
}
