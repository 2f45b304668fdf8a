//! CLIENT TRACKING, CACHING, GETREDIR and TRACKINGINFO.

use std::collections::BTreeSet;

use super::{Result, is, text};
use crate::operation::number;
use crate::resp::commands::Words;
use crate::resp::value::{Failure, Value};
use crate::server::client::{Choice, Client, Mode};
use crate::server::hub::Hub;

pub fn set(hub: &mut Hub, client: &mut Client, words: &Words) -> Result {
    let is_on = match &words[2] {
        word if is(word, "ON") => true,
        word if is(word, "OFF") => false,
        _ => return Err(Failure::SYNTAX),
    };
    let mut mode = parse(hub, client, words)?;
    if !is_on {
        hub.stop_tracking(client);
        return Ok(Value::Ok);
    }
    check(client, &mode)?;
    if mode.broadcasts && mode.prefixes.is_empty() {
        let known = client.tracking.as_ref();
        if known.is_none_or(|old| old.prefixes.is_empty()) {
            mode.prefixes.insert(Vec::new());
        }
    }
    hub.tracking.add_prefixes(client.id, &mode.prefixes);
    match client.tracking.take() {
        Some(old) => mode.prefixes.extend(old.prefixes),
        None => hub.tracking.clients += 1,
    }
    client.tracking = Some(mode);
    Ok(Value::Ok)
}

/// Reads the options.
fn parse(hub: &Hub, client: &Client, words: &Words) -> Result<Mode> {
    let mut mode = Mode::default();
    let mut options = words.rest(3);
    while let Some(option) = options.next() {
        match option {
            it if is(it, "REDIRECT") => {
                let id = options.next().ok_or(Failure::SYNTAX)?;
                if mode.redirect.is_some() {
                    return Err(Failure::text(
                        "ERR A client can only redirect to a single other client",
                    ));
                }
                mode.redirect = redirect_to(hub, client, id)?;
            }
            it if is(it, "PREFIX") => {
                let prefix = options.next().ok_or(Failure::SYNTAX)?;
                add_prefix(&mut mode.prefixes, prefix)?;
            }
            it if is(it, "BCAST") => mode.broadcasts = true,
            it if is(it, "NOLOOP") => mode.no_loop = true,
            it if is(it, "OPTIN") => choose(&mut mode, Choice::In)?,
            it if is(it, "OPTOUT") => choose(&mut mode, Choice::Out)?,
            _ => return Err(Failure::SYNTAX),
        }
    }
    Ok(mode)
}

fn choose(mode: &mut Mode, choice: Choice) -> Result<()> {
    if mode.choice != Choice::All && mode.choice != choice {
        return Err(Failure::text(
            "ERR You can't specify both OPTIN mode and OPTOUT mode",
        ));
    }
    mode.choice = choice;
    Ok(())
}

/// The client that is to be told; `None` for 0.
fn redirect_to(hub: &Hub, client: &Client, id: &[u8]) -> Result<Option<u32>> {
    let id = number(id).ok_or(Failure::NOT_AN_INTEGER)?;
    if id == 0 {
        return Ok(None);
    }
    let id = u32::try_from(id).ok();
    let id = id.filter(|id| *id == client.id || hub.clients.contains_key(id));
    id.map(Some).ok_or(Failure::text(
        "ERR The client ID you want redirect to does not exist",
    ))
}

fn add_prefix(prefixes: &mut BTreeSet<Vec<u8>>, prefix: &[u8]) -> Result<()> {
    if let Some(other) = overlapping(prefixes, prefix) {
        return Err(overlap(other, prefix));
    }
    prefixes.insert(prefix.into());
    Ok(())
}

/// A prefix that begins with this one, or that this one begins with.
fn overlapping<'a>(known: &'a BTreeSet<Vec<u8>>, prefix: &[u8]) -> Option<&'a [u8]> {
    let mut known = known.iter();
    let found = known.find(|it| it.starts_with(prefix) || prefix.starts_with(it));
    found.map(|it| &it[..])
}

fn overlap(one: &[u8], other: &[u8]) -> Failure {
    Failure::new(format!(
        "ERR Prefix '{}' overlaps with an existing prefix '{}'. Prefixes for a single client must not overlap.",
        text(one),
        text(other)
    ))
}

/// Checks options against each other, and against those that hold.
fn check(client: &Client, mode: &Mode) -> Result<()> {
    if !mode.prefixes.is_empty() && !mode.broadcasts {
        return Err(Failure::text(
            "ERR PREFIX option requires BCAST mode to be enabled",
        ));
    }
    if mode.broadcasts && mode.choice != Choice::All {
        return Err(Failure::text(
            "ERR OPTIN and OPTOUT are not compatible with BCAST",
        ));
    }
    let Some(old) = &client.tracking else {
        return Ok(());
    };
    if old.broadcasts != mode.broadcasts {
        return Err(Failure::text(
            "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then \
             re-enabling it with a different mode.",
        ));
    }
    let choices = [old.choice, mode.choice];
    if choices == [Choice::In, Choice::Out] || choices == [Choice::Out, Choice::In] {
        return Err(Failure::text(
            "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then \
             re-enabling it with a different mode.",
        ));
    }
    for prefix in &mode.prefixes {
        if let Some(other) = overlapping(&old.prefixes, prefix) {
            return Err(overlap(prefix, other));
        }
    }
    Ok(())
}

pub fn caching(client: &mut Client, words: &Words) -> Result {
    let mode = client.tracking.as_mut();
    let mode = mode
        .filter(|mode| mode.choice != Choice::All)
        .ok_or(Failure::text(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT \
             mode enabled",
        ))?;
    let is_yes = match &words[2] {
        word if is(word, "YES") => true,
        word if is(word, "NO") => false,
        _ => return Err(Failure::SYNTAX),
    };
    match (is_yes, mode.choice) {
        (true, Choice::In) | (false, Choice::Out) => {
            mode.caching = Some(is_yes);
            Ok(Value::Ok)
        }
        (true, _) => Err(Failure::text(
            "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
        )),
        (false, _) => Err(Failure::text(
            "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
        )),
    }
}

/// -1 if the client does not track, and 0 if it is told itself.
pub fn redirect_of(client: &Client) -> i64 {
    let mode = client.tracking.as_ref();
    mode.map_or(-1, |mode| mode.redirect.map_or(0, i64::from))
}

pub fn redirect(client: &Client) -> Value {
    Value::Integer(redirect_of(client))
}

pub fn info(client: &Client) -> Value {
    let mode = client.tracking.as_ref();
    let prefixes = mode.into_iter().flat_map(|mode| &mode.prefixes);
    let fields = [
        ("flags", Value::Set(flags(mode))),
        ("redirect", redirect(client)),
        (
            "prefixes",
            Value::Array(prefixes.map(Value::bulk).collect()),
        ),
    ];
    Value::Map(
        fields
            .map(|(name, value)| (Value::bulk(name), value))
            .into(),
    )
}

fn flags(mode: Option<&Mode>) -> Vec<Value> {
    let Some(mode) = mode else {
        return vec![Value::bulk("off")];
    };
    let known = [
        (true, "on"),
        (mode.broadcasts, "bcast"),
        (mode.choice == Choice::In, "optin"),
        (mode.caching == Some(true), "caching-yes"),
        (mode.choice == Choice::Out, "optout"),
        (mode.caching == Some(false), "caching-no"),
        (mode.no_loop, "noloop"),
        (mode.is_broken, "broken_redirect"),
    ];
    let shown = known.iter().filter(|it| it.0);
    shown.map(|it| Value::bulk(it.1)).collect()
}
