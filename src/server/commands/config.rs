//! CONFIG.

use super::{Result, help, subcommand, text};
use crate::language::glob;
use crate::resp::commands::Words;
use crate::resp::value::{Failure, Value};
use crate::server::client::Client;
use crate::server::hub::{Hub, Totals, Turn};

pub fn config(hub: &mut Hub, turn: &mut Turn<'_>, client: &mut Client, words: &Words) -> Result {
    match subcommand(words).as_str() {
        "get" => Ok(get(hub, turn, client, words)),
        "set" => set(hub, turn, words),
        "resetstat" => {
            hub.totals = Totals::default();
            turn.cluster().cluster().reset_stats();
            Ok(Value::Ok)
        }
        _ => Ok(help("config")),
    }
}

fn get(hub: &Hub, turn: &mut Turn<'_>, client: &Client, words: &Words) -> Value {
    let port = hub.port(client.node);
    let patterns: Vec<Vec<u8>> = words.rest(2).map(<[u8]>::to_ascii_lowercase).collect();
    let wanted = |name: &str| {
        let mut patterns = patterns.iter();
        patterns.any(|pattern| glob::matches(pattern, name.as_bytes()))
    };
    let parameters = hub.parameters(turn, port).into_iter();
    let shown = parameters.filter(|(name, _)| wanted(name));
    Value::Map(
        shown
            .map(|(name, value)| (Value::bulk(name), Value::bulk(value)))
            .collect(),
    )
}

/// Sets all parameters, or none if one of them does not fit.
fn set(hub: &mut Hub, turn: &mut Turn<'_>, words: &Words) -> Result {
    if !words.len().is_multiple_of(2) {
        return Err(Failure::text(
            "ERR wrong number of arguments for 'config|set' command",
        ));
    }
    let names = words.rest(2).step_by(2).zip(words.rest(3).step_by(2));
    let pairs: Vec<(String, String)> = names
        .map(|(name, value)| (text(name).to_ascii_lowercase(), text(value)))
        .collect();
    let before = hub.parameters(turn, 0);
    for (at, (name, value)) in pairs.iter().enumerate() {
        if let Err(failure) = hub.set_parameter(turn, name, value) {
            for (name, _) in &pairs[..at] {
                let old = before.iter().find(|(it, _)| it == name);
                if let Some((_, old)) = old {
                    hub.set_parameter(turn, name, old)?;
                }
            }
            return Err(failure);
        }
    }
    Ok(Value::Ok)
}
