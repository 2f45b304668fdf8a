//! CONFIG.

use super::{Result, help, subcommand, text};
use crate::language::glob;
use crate::resp::commands::Words;
use crate::resp::value::{Failure, Value};
use crate::server::client::Client;
use crate::server::hub::{Hub, Totals, Turn};
use crate::server::parameters::{self, Kind};

pub fn config(hub: &mut Hub, turn: &mut Turn<'_>, client: &mut Client, words: &Words) -> Result {
    match subcommand(words).as_str() {
        "get" => Ok(get(hub, turn, client, words)),
        "set" => set(hub, turn, client, words),
        "resetstat" => {
            hub.totals = Totals::default();
            hub.measures.reset();
            turn.cluster().cluster().reset_stats();
            Ok(Value::Ok)
        }
        "rewrite" => Err(Failure::text(
            "ERR The server is running without a config file",
        )),
        _ => Ok(help("config")),
    }
}

fn get(hub: &Hub, turn: &mut Turn<'_>, client: &Client, words: &Words) -> Value {
    let port = hub.port(client.node);
    let patterns: Vec<Vec<u8>> = words.rest(2).map(<[u8]>::to_ascii_lowercase).collect();
    let is_wanted = |name: &str, is_hidden: bool| {
        patterns.iter().any(|pattern| {
            pattern == name.as_bytes() || !is_hidden && glob::matches(pattern, name.as_bytes())
        })
    };
    let mut pairs = Vec::new();
    for parameter in parameters::all() {
        let is_hidden = matches!(parameter.kind, Kind::Hidden(_));
        let names = [Some(parameter.name), parameter.alias];
        for name in names.into_iter().flatten() {
            if is_wanted(name, is_hidden) {
                let value = hub.parameter(turn, parameter, port);
                pairs.push((Value::bulk(name), Value::bulk(value)));
            }
        }
    }
    Value::Map(pairs)
}

/// Sets all parameters, or none if one of them does not fit.
fn set(hub: &mut Hub, turn: &mut Turn<'_>, client: &mut Client, words: &Words) -> Result {
    if !words.len().is_multiple_of(2) {
        return Err(Failure::text(
            "ERR wrong number of arguments for 'config|set' command",
        ));
    }
    let names = words.rest(2).step_by(2).zip(words.rest(3).step_by(2));
    let pairs: Vec<(String, String)> = names
        .map(|(name, value)| (text(name).to_ascii_lowercase(), text(value)))
        .collect();
    let mut undo: Vec<(&str, String)> = Vec::new();
    for (name, value) in &pairs {
        let result = if undo.iter().any(|(it, _)| it == name) {
            Err(Failure::new(format!(
                "ERR CONFIG SET failed (possibly related to argument '{name}') - duplicate parameter"
            )))
        } else {
            let parameter = parameters::find(name);
            let old = parameter.map(|it| hub.parameter(turn, it, hub.port(client.node)));
            let result = hub.set_parameter(turn, name, value);
            undo.extend(
                old.filter(|_| result.is_ok())
                    .map(|old| (name.as_str(), old)),
            );
            result
        };
        if let Err(failure) = result {
            for (name, old) in undo {
                hub.set_parameter(turn, name, &old)?;
            }
            return Err(failure);
        }
    }
    hub.bound_tracking(client);
    Ok(Value::Ok)
}
