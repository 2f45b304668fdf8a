//! Questions to servers, and waiting for what they are to say.

use std::net::SocketAddr;
use std::time::Duration;

use crate::engine::connection::{Connection, Lost};
use crate::engine::limit::Limit;
use crate::engine::url::Credentials;
use crate::resp::Answer;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks a server several things at once.
pub(super) fn ask_all(
    address: SocketAddr,
    requests: &[&[&str]],
    limit: &Limit,
) -> Result<Vec<Answer>, String> {
    let limit = limit.at_most(PATIENCE);
    let asked = || -> Result<Vec<Answer>, Lost> {
        let mut connection = Connection::open(address, &Credentials::default(), None, &limit)?;
        for words in requests {
            connection.add(words);
        }
        connection.send(&limit)?;
        requests
            .iter()
            .map(|_| connection.receive(&limit))
            .collect()
    };
    asked().map_err(|error| error.to_string())
}

/// Asks a server one thing. An answer that is an error is one.
pub(super) fn ask(address: SocketAddr, words: &[&str], limit: &Limit) -> Result<Answer, String> {
    match ask_all(address, &[words], limit)?.pop() {
        None | Some(Answer::Nil) => Err("it has no answer".into()),
        Some(Answer::Error(error)) => Err(error),
        Some(answer) => Ok(answer),
    }
}

/// Why a look finds no end of a wait.
pub(super) enum Look {
    /// It may come: the reason why it has not.
    NotYet(String),
    /// It will not come.
    Never(String),
}

/// Looks again and again, until there is something or the limit is over.
pub(super) fn wait<T>(
    limit: &Limit,
    mut look: impl FnMut() -> Result<T, Look>,
) -> Result<T, String> {
    let mut last = None;
    loop {
        let reason = match look() {
            Ok(found) => return Ok(found),
            Err(Look::Never(reason)) => return Err(reason),
            Err(Look::NotYet(reason)) => reason,
        };
        if (limit.stop)() {
            return Err("it was interrupted".into());
        }
        if limit.left().is_none() {
            // The last look had no time: its reason is that no server answered.
            return Err(last.unwrap_or(reason));
        }
        last = Some(reason);
        std::thread::sleep(PAUSE);
    }
}
