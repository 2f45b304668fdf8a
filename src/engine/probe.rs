//! What the servers understand. It is found by asking, since versions of Redis and Valkey do not tell.

use super::client::Client;
use super::operations::Dialect;
use crate::id::NodeId;
use crate::resp::Answer;

/// How to speak to the servers, by the first primary that answers.
pub fn dialect(client: &mut Client) -> Dialect {
    let primaries: Vec<NodeId> = client.topology.primaries().map(|it| it.0).collect();
    let ask = |node| client.ask(node, &["COMMAND", "DOCS", "SET"]).ok();
    let mut answers = primaries.into_iter().filter_map(ask);
    Dialect {
        has_ifeq: answers.next().is_some_and(|docs| mentions(&docs, "IFEQ")),
    }
}

/// What the servers are, such as "redis 7.0.15", by the first that answers.
pub fn source(client: &mut Client) -> String {
    let servers: Vec<NodeId> = client.topology.servers().map(|it| it.0).collect();
    let info = servers.into_iter().find_map(|node| {
        let answer = client.ask(node, &["INFO", "server"]).ok()?;
        answer.text().map(ToOwned::to_owned)
    });
    let info = info.unwrap_or_default();
    let field = |name: &str| {
        let mut lines = info
            .lines()
            .filter_map(|line| line.trim_end().split_once(':'));
        lines.find(|it| it.0 == name).map(|it| it.1.to_owned())
    };
    // Valkey calls itself Redis where it gives the version of Redis.
    match (field("valkey_version"), field("redis_version")) {
        (Some(version), _) => format!("valkey {version}"),
        (None, Some(version)) => format!("redis {version}"),
        (None, None) => "a server".into(),
    }
}

/// Whether some text in an answer is this word.
fn mentions(answer: &Answer, word: &str) -> bool {
    match answer {
        Answer::Array(elements) => elements.iter().any(|it| mentions(it, word)),
        answer => answer
            .text()
            .is_some_and(|text| text.eq_ignore_ascii_case(word)),
    }
}
