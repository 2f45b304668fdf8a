//! Commands that say which client sends a request, or which node coordinates it.

use crate::language::command::{Action, Request};
use crate::language::error::Error;
use crate::language::lookup;
use crate::language::verb::Verb;
use crate::language::words::{Parsed, Rest, Row, node, number};

/// The clients of a script. Each has at most one request in flight.
const MAX_CLIENTS: u32 = 1000;

pub fn via<'a>(rest: &mut Rest<'a>) -> Parsed<'a> {
    let node = node(&rest.word_after(0)?)?;
    let row = inner(rest, Verb::is_request)?;
    let mut request = request(rest, row)?;
    request.via = Some(node);
    Ok(request.into())
}

pub fn client<'a>(rest: &mut Rest<'a>) -> Parsed<'a> {
    let client = number(&rest.word_after(0)?, "a client", 1..=MAX_CLIENTS)?;
    let row = inner(rest, |verb| verb.is_request() || verb == Verb::Via)?;
    let mut request = request(rest, row)?;
    request.client = Some(client);
    Ok(request.into())
}

/// Reads the name of the command inside.
fn inner(rest: &mut Rest<'_>, is_allowed: impl Fn(Verb) -> bool) -> Result<&'static Row, Error> {
    let name = rest.word_after(1)?;
    let unknown = || lookup::unknown(rest.rows, &name);
    let row = lookup::find(rest.rows, &name.bytes).ok_or_else(unknown)?;
    if is_allowed(row.spec.verb) {
        return Ok(row);
    }
    let (outer, inner) = (rest.spec.name, row.spec.name);
    let fault = format!("{outer} takes a command on keys, such as GET, and not {inner}");
    Err(rest.spec.usage_error(&fault).at(name.span()))
}

/// Reads the words of the command inside.
fn request<'a>(rest: &Rest<'a>, row: &'static Row) -> Result<Request<'a>, Error> {
    match rest.parse_as(row)? {
        Action::Request(request) => Ok(request),
        Action::Command(command) => Ok(Request {
            client: None,
            via: None,
            spec: &row.spec,
            command,
        }),
        Action::Script(_) => Err(rest.spec.usage_error("a command on keys is missing")),
    }
}

#[cfg(test)]
mod tests {
    use crate::id::NodeId;
    use crate::language::{Action, Command, Request, parse, parse_words};

    fn request(line: &str) -> Request<'_> {
        let input = parse(line.as_bytes())
            .expect("no error")
            .expect("a command");
        match input.action {
            Action::Request(request) => request,
            other => panic!("{other:?}"),
        }
    }

    fn error(line: &str) -> String {
        let error = parse(line.as_bytes()).expect_err("an error");
        let at = error.at.map_or("", |at| line.get(at).expect("a position"));
        format!(
            "{}: {} [{at}]",
            error.command.unwrap_or("none"),
            error.message
        )
    }

    #[test]
    fn a_request_has_a_client_a_coordinator_or_both() {
        let both = request("client 2 via 1 get 'a b'");
        let key = b"a b".into();
        assert_eq!((both.client, both.via), (Some(2), Some(NodeId(1))));
        assert_eq!(both.command, Command::Get { key });
        assert_eq!(both.spec.name, "GET");
        let via = request("VIA 0 DEL a b");
        assert_eq!((via.client, via.via), (None, Some(NodeId(0))));
        let client = request("CLIENT 1000 INCR n");
        assert_eq!((client.client, client.via), (Some(1000), None));
        let words: [&[u8]; 6] = [b"CLIENT", b"2", b"VIA", b"1", b"GET", b"a b"];
        let input = parse_words(&words).expect("no error").expect("a command");
        assert_eq!(input.action, Action::Request(both));
    }

    #[test]
    fn only_commands_on_keys_are_requests() {
        for (line, expected) in [
            ("VIA", "VIA: n is missing; usage: VIA n command []"),
            ("VIA 1", "VIA: command is missing; usage: VIA n command []"),
            (
                "VIA x GET a",
                "VIA: x is not a node: use its number (NODES lists them) [x]",
            ),
            (
                "VIA 1 SIZE",
                "VIA: VIA takes a command on keys, such as GET, and not SIZE; usage: VIA n command [SIZE]",
            ),
            (
                "VIA 1 VIA 2 GET a",
                "VIA: VIA takes a command on keys, such as GET, and not VIA; usage: VIA n command [VIA]",
            ),
            (
                "CLIENT 1 CLIENT 2 GET a",
                "CLIENT: CLIENT takes a command on keys, such as GET, and not CLIENT; usage: CLIENT n command [CLIENT]",
            ),
            (
                "CLIENT 1 GTE a",
                "CLIENT: unknown command GTE; did you mean GET? [GTE]",
            ),
            (
                "CLIENT 0 GET a",
                "CLIENT: 0 is not a client from 1 to 1000 [0]",
            ),
            (
                "CLIENT 1 VIA 2 PUT a",
                "CLIENT: value is missing; usage: PUT key value [ttl] []",
            ),
            (
                "VIA 1 PUT a b 0",
                "VIA: 0 is not longer than zero: use seconds as a whole number (3), or a time such as 3s, 1500ms or \"1h 30m\" [0]",
            ),
        ] {
            assert_eq!(error(line), expected, "{line}");
        }
    }
}
