//! CLIENT: the connections, and what each of them wants.

use super::{Result, connection, help, integer, is, subcommand, text, tracking};
use crate::resp::Protocol;
use crate::resp::commands::Words;
use crate::resp::value::{Failure, Value};
use crate::server::client::{Client, Ending, Replies};
use crate::server::hub::{Hub, Turn};
use crate::time::Instant;

pub fn client(hub: &mut Hub, turn: &mut Turn<'_>, client: &mut Client, words: &Words) -> Result {
    match subcommand(words).as_str() {
        "id" => Ok(Value::Integer(client.id.into())),
        "getname" if client.names.name.is_empty() => Ok(Value::Null),
        "getname" => Ok(Value::bulk(&client.names.name)),
        "setname" => {
            client.names.name = connection::checked_name(&words[2])?;
            Ok(Value::Ok)
        }
        "setinfo" => set_info(client, words),
        "info" => Ok(Value::Text(format!(
            "{}\n",
            line(client, turn.now, size(words))
        ))),
        "list" => list(hub, turn, client, words),
        "kill" => kill(hub, client, words),
        "pause" => pause(hub, turn, words),
        "unpause" => {
            hub.paused_until = hub.paused_until.map(|(_, mode)| (turn.now, mode));
            Ok(Value::Ok)
        }
        "reply" => reply(client, words),
        "tracking" => tracking::set(hub, client, words),
        "trackinginfo" => Ok(tracking::info(client)),
        "caching" => tracking::caching(client, words),
        "getredir" => Ok(tracking::redirect(client)),
        "unblock" => unblock(words),
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
    let value = connection::checked_name(&words[3]).map_err(|_| {
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

/// No command waits for another client, so there is none to unblock.
fn unblock(words: &Words) -> Result {
    integer(words, 2)?;
    match words.get(3) {
        None => {}
        Some(word) if is(word, "TIMEOUT") || is(word, "ERROR") => {}
        Some(_) => {
            return Err(Failure::text(
                "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
            ));
        }
    }
    Ok(Value::Integer(0))
}

/// The bytes of a request.
fn size(words: &Words) -> usize {
    let line = |length: usize| length.to_string().len() + 3;
    let args = words.rest(0).map(|word| line(word.len()) + word.len() + 2);
    line(words.len()) + args.sum::<usize>()
}

/// The letters of CLIENT LIST for what a client does.
fn flags(client: &Client) -> String {
    let tracking = client.tracking.as_ref();
    let known = [
        (client.is_monitor, 'O'),
        (client.subscriptions() > 0, 'P'),
        (client.queue.is_some(), 'x'),
        (client.is_held, 'b'),
        (client.is_watch_broken, 'd'),
        (tracking.is_some(), 't'),
        (tracking.is_some_and(|mode| mode.is_broken), 'R'),
        (tracking.is_some_and(|mode| mode.broadcasts), 'B'),
    ];
    let shown: String = known.iter().filter(|it| it.0).map(|it| it.1).collect();
    if shown.is_empty() { "N".into() } else { shown }
}

/// A line of CLIENT LIST. `reading` is the size of the command that runs.
fn line(client: &Client, now: Instant, reading: usize) -> String {
    let seconds = |since: Instant| now.saturating_duration_since(since).as_secs();
    let names = &client.names;
    let [name, library, version] = [&names.name, &names.library, &names.version].map(|it| text(it));
    let [channels, patterns, shards] = &client.channels;
    let flags = flags(client);
    let redirect = tracking::redirect_of(client);
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
         events=r cmd={} user=default redir={redirect} resp={protocol} lib-name={library} lib-ver={version}",
        client.id,
        client.addresses.0,
        client.addresses.1,
        seconds(client.since.0),
        seconds(client.since.1),
        channels.len(),
        patterns.len(),
        shards.len(),
        client.input.len() + reading,
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
        .map(|it| {
            let reading = if it.id == client.id { size(words) } else { 0 };
            format!("{}\n", line(it, turn.now, reading))
        })
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
