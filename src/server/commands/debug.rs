//! DEBUG, for tests.

use super::object::encoding;
use super::{Result, is, text};
use crate::resp::commands::Words;
use crate::resp::value::{Failure, Value};
use crate::resp::{Frames, Protocol};
use crate::server::client::Client;
use crate::server::hub::{Hub, Turn};

pub fn debug(hub: &mut Hub, turn: &mut Turn<'_>, client: &mut Client, words: &Words) -> Result {
    let is_local = client.addresses.0.ip().is_loopback();
    if !hub.settings.has_debug || !is_local {
        return Err(Failure::text(
            "ERR DEBUG command not allowed. Start the server with --debug-command local, and connect from \
             the same machine.",
        ));
    }
    match &words[1] {
        it if is(it, "SLEEP") && words.len() == 3 => sleep(hub, turn, client, words),
        // Keys expire at their deadlines in any case, and nothing is on disk.
        it if is(it, "SET-ACTIVE-EXPIRE") && words.len() == 3 => Ok(Value::Ok),
        it if is(it, "JMAP") || is(it, "RELOAD") || is(it, "LOADAOF") => Ok(Value::Ok),
        it if is(it, "PAUSE-CRON") && words.len() == 3 => Ok(Value::Ok),
        it if is(it, "PROTOCOL") && words.len() == 3 => {
            of_type(client, &text(&words[2]).to_ascii_lowercase())
        }
        it if is(it, "ERROR") && words.len() == 3 => Err(Failure::new(text(&words[2]))),
        it if is(it, "OBJECT") && words.len() >= 3 => {
            let found = Hub::look(turn, &words[2]);
            let found = found.ok_or(Failure::text("ERR no such key"))?;
            let (length, encoding) = (found.value.len(), encoding(hub, &found));
            Ok(Value::Line(format!(
                "Value at:0 refcount:1 encoding:{encoding} serializedlength:{length}"
            )))
        }
        other => {
            let name = text(other);
            Err(Failure::new(format!(
                "ERR unknown subcommand or wrong number of arguments for '{name}'. Try DEBUG HELP."
            )))
        }
    }
}

/// Holds the node back for a time, as a server that sleeps does. The reply comes at the end.
fn sleep(hub: &mut Hub, turn: &Turn<'_>, client: &mut Client, words: &Words) -> Result {
    let seconds: Option<f64> = text(&words[2]).parse().ok();
    let time = seconds.and_then(|it| std::time::Duration::try_from_secs_f64(it).ok());
    let time = time.ok_or(Failure::NOT_A_FLOAT)?;
    hub.sleep(turn.now, client, words, time);
    Ok(Value::Later)
}

/// A reply of each type of the protocol, for those that write clients.
fn of_type(client: &mut Client, kind: &str) -> Result {
    let mut frame = Vec::new();
    let frames = &mut Frames::new(&mut frame, client.protocol);
    let is_resp3 = client.protocol == Protocol::Resp3;
    match kind {
        "string" => frames.bulk(b"Hello World"),
        "integer" => frames.integer(12345),
        "double" => frames.double("3.141"),
        "null" => frames.null(),
        "array" => three(frames, Frames::array),
        "set" => three(frames, Frames::set),
        "map" => {
            frames.map(3);
            for number in 0..3 {
                frames.integer(number);
                frames.boolean(number == 1);
            }
        }
        "bignum" => frames.big_number("1234567999999999999999999999999999999"),
        "true" => frames.boolean(true),
        "false" => frames.boolean(false),
        "verbatim" => frames.text("This is a verbatim\nstring"),
        "attrib" => {
            if is_resp3 {
                frames.attribute(1);
                frames.bulk(b"key-popularity");
                frames.array(2);
                frames.bulk(b"key:123");
                frames.integer(90);
            }
            frames.bulk(b"Some real reply following the attribute");
        }
        "push" if is_resp3 => {
            client.push_later(|frames| {
                frames.push(2);
                frames.bulk(b"server-cpu-usage");
                frames.integer(42);
            });
            frames.bulk(b"Some real reply following the push reply");
        }
        "push" => return Err(Failure::text("ERR RESP2 is not supported by this command")),
        _ => {
            return Err(Failure::text(
                "ERR Wrong protocol type name. Please use one of the following: \
                 string|integer|double|null|array|set|map|attrib|push|verbatim|true|false",
            ));
        }
    }
    Ok(Value::Raw(frame))
}

/// Three numbers in an aggregate.
fn three<'a>(frames: &mut Frames<'a>, aggregate: fn(&mut Frames<'a>, usize)) {
    aggregate(frames, 3);
    for number in 0..3 {
        frames.integer(number);
    }
}
