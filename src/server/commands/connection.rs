//! Commands on the connection itself.

use super::{Result, help, integer, is, subcommand, text};
use crate::resp::Protocol;
use crate::resp::commands::Words;
use crate::resp::value::{Failure, Value};
use crate::server::client::Client;
use crate::server::hub::{Hub, Turn};
use crate::server::settings::REDIS_VERSION;

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

pub fn select(hub: &mut Hub, _: &mut Turn<'_>, _: &mut Client, words: &Words) -> Result {
    match integer(words, 1) {
        Ok(0) => Ok(Value::Ok),
        Ok(_) if hub.settings.is_cluster => {
            Err(Failure::text("ERR SELECT is not allowed in cluster mode"))
        }
        Ok(_) => Err(Failure::text("ERR DB index is out of range")),
        Err(failure) => Err(failure),
    }
}

/// READONLY and READWRITE. They change nothing: no node is shown as a replica.
pub fn read_mode(hub: &mut Hub, _: &mut Turn<'_>, _: &mut Client, _: &Words) -> Result {
    if hub.settings.is_cluster {
        Ok(Value::Ok)
    } else {
        Err(Failure::text(
            "ERR This instance has cluster support disabled",
        ))
    }
}

/// The next command is for a slot whose keys move to this node.
pub fn asking(hub: &mut Hub, turn: &mut Turn<'_>, client: &mut Client, words: &Words) -> Result {
    let reply = read_mode(hub, turn, client, words)?;
    client.is_asking = true;
    Ok(reply)
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
pub(super) fn checked_name(name: &[u8]) -> Result<Vec<u8>> {
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
