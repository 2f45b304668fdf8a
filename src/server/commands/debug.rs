//! DEBUG, for tests.

use super::{Result, is, text};
use crate::resp::commands::Words;
use crate::resp::value::{Failure, Value};
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
        it if is(it, "SLEEP") && words.len() == 3 => sleep(hub, turn, words),
        // Keys expire at their deadlines in any case, and nothing is on disk.
        it if is(it, "SET-ACTIVE-EXPIRE") && words.len() == 3 => Ok(Value::Ok),
        it if is(it, "JMAP") || is(it, "RELOAD") || is(it, "LOADAOF") => Ok(Value::Ok),
        it if is(it, "ERROR") && words.len() == 3 => Err(Failure::new(text(&words[2]))),
        it if is(it, "OBJECT") && words.len() >= 3 => {
            let found = Hub::look(turn, &words[2]);
            let found = found.ok_or(Failure::text("ERR no such key"))?;
            let length = found.value.len();
            Ok(Value::Line(format!(
                "Value at:0 refcount:1 encoding:raw serializedlength:{length}"
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

/// Holds all clients back for a time, as a server that sleeps does.
fn sleep(hub: &mut Hub, turn: &Turn<'_>, words: &Words) -> Result {
    let seconds: Option<f64> = text(&words[2]).parse().ok();
    let time = seconds.and_then(|it| std::time::Duration::try_from_secs_f64(it).ok());
    let time = time.ok_or(Failure::NOT_A_FLOAT)?;
    let until = turn.now.saturating_add(time);
    hub.paused_until = Some((until, true));
    Ok(Value::Ok)
}
