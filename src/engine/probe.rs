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

/// Whether some text in an answer is this word.
fn mentions(answer: &Answer, word: &str) -> bool {
    match answer {
        Answer::Array(elements) => elements.iter().any(|it| mentions(it, word)),
        answer => answer.text().is_some_and(|text| text.eq_ignore_ascii_case(word)),
    }
}
