use proptest::prelude::*;

use super::{Frames, Protocol, ProtocolError, RequestLimits, RequestParser, spec};

/// The requests in a stream that arrives in parts of this size, and how it ends.
fn requests(stream: &[u8], part: usize) -> (Vec<Vec<Vec<u8>>>, Result<(), ProtocolError>) {
    let mut parser = RequestParser::default();
    let (mut buffer, mut requests) = (Vec::new(), Vec::new());
    for part in stream.chunks(part) {
        buffer.extend_from_slice(part);
        loop {
            match parser.parse(&buffer, &RequestLimits::default()) {
                Ok(None) => break,
                Ok(Some(length)) => {
                    let args = parser.args(&buffer);
                    if !args.is_empty() {
                        requests.push(args.iter().map(<[u8]>::to_vec).collect());
                    }
                    buffer.drain(..length);
                }
                Err(error) => return (requests, Err(error)),
            }
        }
    }
    (requests, Ok(()))
}

fn words(stream: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let (requests, end) = requests(stream, usize::MAX);
    assert_eq!(end, Ok(()));
    requests
}

fn error(stream: &[u8]) -> String {
    let error = requests(stream, usize::MAX).1.expect_err("it is malformed");
    error.to_string()
}

#[test]
fn arrays_and_lines_can_be_mixed() {
    let stream =
        b"*2\r\n$3\r\nGET\r\n$0\r\n\r\nPING\r\n\r\n*0\r\n*-1\r\nSET a 'b c'\n*1\r\n$4\r\nQUIT\r\n";
    let expected: [&[&[u8]]; 4] = [
        &[b"GET", b""],
        &[b"PING"],
        &[b"SET", b"a", b"b c"],
        &[b"QUIT"],
    ];
    assert_eq!(words(stream), expected);
}

#[test]
fn a_word_can_be_quoted() {
    assert_eq!(
        words(b"a \"\\x41\\n\\\"\\q\" 'it\\'s \\x'\r\n")[0][1..],
        [b"A\n\"q".to_vec(), b"it's \\x".to_vec()]
    );
    assert_eq!(words(b"  a\tb  \"\"\r\n")[0], [&b"a"[..], b"b", b""]);
    for line in [&b"\"a\n"[..], b"'a\n", b"\"a\"b\n", b"'a'b\n", b"\"a\\\n"] {
        assert_eq!(
            error(line),
            "Protocol error: unbalanced quotes in request",
            "{}",
            line.escape_ascii()
        );
    }
}

#[test]
fn malformed_requests_have_the_errors_of_redis() {
    let long_line = vec![b'a'; 70_000];
    let long = |start: &str| [start.as_bytes(), &vec![b'1'; 70_000]].concat();
    for (stream, message) in [
        (&b"*x\r\n"[..], "invalid multibulk length"),
        (b"*1048577\r\n", "invalid multibulk length"),
        (b"*9223372036854775808\r\n", "invalid multibulk length"),
        (b"*+1\r\n", "invalid multibulk length"),
        (b"*01\r\n", "invalid multibulk length"),
        (b"*1\r\nPING\r\n", "expected '$', got 'P'"),
        (b"*1\r\n*1\r\n", "expected '$', got '*'"),
        (b"*1\r\n\0", "expected '$', got '\\x00'"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$x\r\n", "invalid bulk length"),
        (b"*1\r\n$536870913\r\n", "invalid bulk length"),
        (b"*1\r\n$1\r\nabc", "invalid CRLF in request"),
        (&long_line, "too big inline request"),
        (&long("*"), "too big mbulk count string"),
        (&long("*1\r\n$"), "too big bulk count string"),
    ] {
        assert_eq!(error(stream), format!("Protocol error: {message}"));
    }
}

#[test]
fn what_is_announced_takes_no_memory() {
    let mut parser = RequestParser::default();
    let limits = RequestLimits::default();
    assert_eq!(
        parser.parse(b"*1048576\r\n$536870912\r\n", &limits),
        Ok(None)
    );
    assert_eq!(parser.expected(), 22 + (512 << 20) + 2);
    assert_eq!(parser.args(b"").len(), 0);
}

#[test]
fn a_client_without_a_password_has_small_bounds() {
    let limits = RequestLimits::UNAUTHENTICATED;
    let parse = |stream: &[u8]| RequestParser::default().parse(stream, &limits);
    assert_eq!(parse(b"*10\r\n"), Ok(None));
    assert_eq!(parse(b"*11\r\n"), Err(ProtocolError::Count));
    assert_eq!(parse(b"*1\r\n$16384\r\n"), Ok(None));
    assert_eq!(parse(b"*1\r\n$16385\r\n"), Err(ProtocolError::Length));
}

#[test]
fn frames_follow_the_protocol() {
    let write = |protocol| {
        let mut out = Vec::new();
        let mut frames = Frames::new(&mut out, protocol);
        frames.ok();
        frames.simple("PONG");
        frames.error("ERR two\r\nlines");
        for number in [0, 9, 10, -1, i64::MIN] {
            frames.integer(number);
        }
        frames.bulk(&[b'x'; 12]);
        frames.bulk(&[b'x'; 100]);
        frames.null();
        frames.null_array();
        frames.boolean(true);
        frames.map(1);
        frames.set(10);
        frames.push(3);
        frames.text("a");
        String::from_utf8(out)
            .expect("it is text")
            .replace("\r\n", " ")
    };
    let x = |count: usize| "x".repeat(count);
    let start = format!(
        "+OK +PONG -ERR two  lines :0 :9 :10 :-1 :-9223372036854775808 $12 {} $100 {} ",
        x(12),
        x(100)
    );
    assert_eq!(
        write(Protocol::Resp2),
        format!("{start}$-1 *-1 :1 *2 *10 *3 $1 a ")
    );
    assert_eq!(
        write(Protocol::Resp3),
        format!("{start}_ _ #t %1 ~10 >3 =5 txt:a ")
    );
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let arg = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..20),
        Just(vec![b'\r', b'\n']),
        Just(vec![b'x'; 1000]),
    ];
    let request = proptest::collection::vec(arg, 0..5).prop_map(|args| {
        let mut out = format!("*{}\r\n", args.len()).into_bytes();
        for arg in args {
            out.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
            out.extend_from_slice(&arg);
            out.extend_from_slice(b"\r\n");
        }
        out
    });
    let piece = prop_oneof![
        6 => request,
        1 => Just(b"PING \"a b\"\r\n".to_vec()),
        1 => proptest::collection::vec(prop_oneof![Just(b'*'), Just(b'$'), Just(b'\r'), Just(b'\n'), Just(b'1'), any::<u8>()], 0..12),
    ];
    proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn parts_make_no_difference(stream in stream(), part in 1_usize..40) {
        prop_assert_eq!(requests(&stream, part), requests(&stream, usize::MAX));
    }

    #[test]
    fn any_bytes_are_a_request_or_an_error(stream in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = requests(&stream, 7);
    }
}

#[test]
fn every_command_is_described() {
    for spec in spec::specs()
        .iter()
        .flat_map(|it| std::iter::once(it).chain(&it.subcommands))
    {
        assert!(spec.arity != 0, "{}", spec.name);
        assert!(spec.summary.ends_with('.'), "{}", spec.name);
        assert!(spec.since.contains('.'), "{}", spec.name);
        assert!(!spec.complexity.is_empty(), "{}", spec.name);
        assert_eq!(
            spec.uses.is_empty(),
            spec.keys == spec::KeyPlaces::None,
            "{}",
            spec.name
        );
        assert!(
            spec::find(spec.name.to_ascii_uppercase().as_bytes()).is_some(),
            "{}",
            spec.name
        );
    }
}

#[test]
fn keys_are_found() {
    let keys = |line: &[u8]| {
        let mut parser = RequestParser::default();
        parser
            .parse(line, &RequestLimits::default())
            .expect("it is a line");
        let args = parser.args(line);
        let spec = spec::find(&args[0]).expect("it is a command");
        let places = spec.keys_in(args);
        places
            .map(|at| String::from_utf8_lossy(&args[at]).into_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    for (line, expected) in [
        (&b"get a\n"[..], "a"),
        (b"MSET a 1 b 2\n", "a b"),
        (b"DEL a b c\n", "a b c"),
        (b"RENAME a b\n", "a b"),
        (b"EVAL x 2 a b c\n", "a b"),
        (b"EVAL x 9 a\n", "a"),
        (b"EVAL x -1 a\n", ""),
        (b"EVAL x 18446744073709551615 a\n", "a"),
        (b"MSETEX 2 a 1 b 2 NX\n", "a b"),
        (b"PING\n", ""),
        (b"GET\n", ""),
    ] {
        assert_eq!(keys(line), expected, "{}", line.escape_ascii());
    }
}

#[test]
fn the_notation_of_arguments_is_read() {
    use super::syntax::{Kind, arguments};
    let set = arguments(spec::find(b"set").expect("SET is there").syntax);
    let names: Vec<&str> = set.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["key", "value", "choice", "get", "choice"]);
    let Kind::OneOf(ttl) = &set[4].kind else {
        panic!("a choice")
    };
    assert_eq!(
        (ttl[0].token, ttl[0].name.as_str(), &ttl[0].kind),
        (Some("EX"), "seconds", &Kind::Value("integer"))
    );
    assert_eq!(
        (ttl[4].token, &ttl[4].kind),
        (Some("KEEPTTL"), &Kind::PureToken)
    );
    let mset = arguments("{key value}...");
    assert!(
        mset[0].is_multiple && matches!(&mset[0].kind, Kind::Block(inside) if inside.len() == 2)
    );
    let hello = arguments("[protover [AUTH username password] [SETNAME clientname]]");
    assert!(
        hello[0].is_optional && matches!(&hello[0].kind, Kind::Block(inside) if inside.len() == 3)
    );
}
