//! SHARDLAB: commands of the shell.

use super::Result;
use crate::resp::commands::Words;
use crate::resp::value::Value;
use crate::server::client::Client;
use crate::server::hub::{Hub, Turn};

/// One argument is a whole command line, several are a word each. The reply comes when the shell has
/// run it.
pub fn shardlab(hub: &mut Hub, _: &mut Turn<'_>, client: &mut Client, words: &Words) -> Result {
    let line = match words.len() {
        2 => words[1].to_vec(),
        _ => quoted(words),
    };
    hub.send_to_shell(client, line);
    Ok(Value::Later)
}

/// The words as the shell reads them back.
fn quoted(words: &Words) -> Vec<u8> {
    let mut line = Vec::new();
    for word in words.rest(1) {
        if !line.is_empty() {
            line.push(b' ');
        }
        crate::language::word::show(word, &mut line);
    }
    line
}
