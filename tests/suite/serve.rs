//! `serve` as a process: Redis clients over TCP.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server that ends with the test.
struct Serving {
    process: Child,
    ports: Vec<u16>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn serve(options: &[&str]) -> Serving {
    let folder = tempfile::tempdir().expect("a folder");
    let ready = folder.path().join("ready");
    let process = Command::new(env!("CARGO_BIN_EXE_shardlab"))
        .args(["serve", "--port", "0", "--ready-file"])
        .arg(&ready)
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("the program starts");
    let until = Instant::now() + Duration::from_secs(30);
    while !ready.exists() {
        assert!(Instant::now() < until, "the server gets ready");
        std::thread::sleep(Duration::from_millis(10));
    }
    let text = fs::read_to_string(&ready).expect("the ready file");
    let ports = text.lines().map(|line| {
        let port = line.rsplit(' ').next().expect("a port");
        port.parse().expect("a port")
    });
    Serving {
        process,
        ports: ports.collect(),
    }
}

/// A connection.
struct Client(TcpStream);

impl Client {
    fn to(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        let limit = Some(Duration::from_secs(30));
        stream.set_read_timeout(limit).expect("a timeout");
        Self(stream)
    }

    fn send(&mut self, line: &str) {
        self.0
            .write_all(format!("{line}\r\n").as_bytes())
            .expect("it is sent");
    }

    /// Reads as many bytes as these, and compares.
    fn expect(&mut self, reply: &str) {
        let mut bytes = vec![0; reply.len()];
        self.0.read_exact(&mut bytes).expect("a reply");
        assert_eq!(String::from_utf8_lossy(&bytes), reply);
    }

    fn ask(&mut self, line: &str, reply: &str) {
        self.send(line);
        self.expect(reply);
    }

    /// Reads a bulk string.
    fn bulk(&mut self) -> String {
        let mut reader = BufReader::new(&mut self.0);
        let mut header = String::new();
        reader.read_line(&mut header).expect("a reply");
        let length = header.trim_start_matches('$').trim_end().parse();
        let mut bytes = vec![0; length.expect("a length")];
        reader.read_exact(&mut bytes).expect("the bytes");
        String::from_utf8(bytes).expect("it is text")
    }

    fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0]), Ok(0) | Err(_))
    }
}

#[test]
fn time_stands_still_until_a_client_advances_it() {
    let serving = serve(&["--clock", "virtual", "--nodes", "1"]);
    let [mut one, mut two] = [0; 2].map(|_| Client::to(serving.ports[0]));
    one.ask("CONFIG SET notify-keyspace-events Ex", "+OK\r\n");
    two.ask(
        "SUBSCRIBE __keyevent@0__:expired",
        "*3\r\n$9\r\nsubscribe\r\n$22\r\n__keyevent@0__:expired\r\n:1\r\n",
    );
    one.ask("SET apple red EX 3600", "+OK\r\n");
    one.ask(
        "SHARDLAB SLEEP 3599s",
        "$38\r\n{\"command\":\"SLEEP\",\"line\":1,\"ok\":true}\r\n",
    );
    one.ask("PTTL apple", ":1000\r\n");
    one.send("SHARDLAB 'SLEEP 1s'");
    two.expect("*3\r\n$7\r\nmessage\r\n$22\r\n__keyevent@0__:expired\r\n$5\r\napple\r\n");
    one.expect("$38\r\n{\"command\":\"SLEEP\",\"line\":1,\"ok\":true}\r\n");
    one.ask("GET apple", "$-1\r\n");
}

#[test]
fn a_crash_resets_connections_and_refuses_new_ones() {
    let serving = serve(&["--clock", "virtual"]);
    let [mut of_0, mut of_1] = [0, 1].map(|node| Client::to(serving.ports[node]));
    of_1.ask("PING", "+PONG\r\n");
    of_0.ask(
        "SHARDLAB CRASH 1",
        "$38\r\n{\"command\":\"CRASH\",\"line\":1,\"ok\":true}\r\n",
    );
    assert!(of_1.is_closed());
    assert!(TcpStream::connect(("127.0.0.1", serving.ports[1])).is_err());
    of_0.ask(
        "SHARDLAB CRASH 1",
        "-ERR node 1 has crashed: RESTART 1 brings it back\r\n",
    );
    of_0.ask(
        "SHARDLAB RESTART 1",
        "$40\r\n{\"command\":\"RESTART\",\"line\":1,\"ok\":true}\r\n",
    );
    Client::to(serving.ports[1]).ask("PING", "+PONG\r\n");
}

#[test]
fn a_long_pipeline_and_half_commands_are_answered_in_order() {
    let serving = serve(&["--nodes", "1"]);
    let mut client = Client::to(serving.ports[0]);
    let mut writer = client.0.try_clone().expect("a second handle");
    let sender = std::thread::spawn(move || {
        for _ in 0..100 {
            let part = "INCR n\r\n*2\r\n$4\r\nPING\r\n$1\r\nx\r\n".repeat(1000);
            for half in part.as_bytes().chunks(7001) {
                writer.write_all(half).expect("it is sent");
            }
        }
    });
    for number in 1..=100_000 {
        client.expect(&format!(":{number}\r\n$1\r\nx\r\n"));
    }
    sender.join().expect("all is sent");
}

#[test]
fn shutdown_ends_the_program_with_0() {
    let mut serving = serve(&["-q"]);
    Client::to(serving.ports[0]).send("SHUTDOWN");
    let status = serving.process.wait().expect("it ends");
    assert_eq!(status.code(), Some(0));
}

#[test]
fn history_shows_the_commands_that_clients_have_sent() {
    let serving = serve(&["--nodes", "1", "--clock", "virtual"]);
    let mut client = Client::to(serving.ports[0]);
    let lines = [
        ("SET log ab EX 10", "SET log ab 10s"),
        ("APPEND log c", "APPEND log (ab -> abc 10s)"),
        ("PERSIST log", "PERSIST log (abc -> abc)"),
        ("SETRANGE new 0 x", "SETRANGE new (null -> x)"),
        ("GETDEL log", "GETDEL log (abc -> null)"),
        ("INCR n", "INCR n"),
        ("DECRBY n 3", "DECRBY n 3"),
        ("INCRBY n 5", "INCRBY n 5"),
        ("SETNX n 1", "SETNX n (null -> 1)"),
        ("GET n", "GET n"),
        ("DEL n", "DEL n"),
    ];
    client.send("CLIENT REPLY OFF");
    for (line, _) in lines {
        client.send(line);
    }
    client.ask("CLIENT REPLY ON", "+OK\r\n");
    client.send("SHARDLAB HISTORY 20");
    let reply = client.bulk();
    let shown: Vec<&str> = reply.split("\"command\":\"").skip(2).collect();
    let shown = shown.iter().filter_map(|it| it.split('"').next());
    let shown: Vec<&str> = shown.collect();
    let expected: Vec<&str> = lines.iter().map(|(_, shown)| *shown).collect();
    assert_eq!(shown, expected);
}

#[test]
fn a_join_that_takes_its_time_goes_on_by_itself() {
    let slots = [
        "--placement",
        "slots",
        "--clock",
        "virtual",
        "--move-time",
        "16s",
    ];
    let serving = serve(&slots);
    let mut client = Client::to(serving.ports[1]);
    let mut shell = |line: &str| {
        client.send(&format!("SHARDLAB {line}"));
        client.bulk()
    };
    let reply = shell("JOIN");
    assert!(reply.contains("\"moving_ms\":16000"), "{reply}");
    shell("ADVANCE 1s");
    let mut of_1 = Client::to(serving.ports[1]);
    of_1.ask(
        "SHARDLAB LEAVE 0",
        "-ERR keys are still moving: REBALANCE finishes that\r\n",
    );
    shell("ADVANCE 15s");
    let reply = shell("LEAVE 0");
    assert!(reply.contains("\"moving_ms\":16000"), "{reply}");
    assert!(TcpStream::connect(("127.0.0.1", serving.ports[0])).is_ok());
    let reply = shell("REBALANCE");
    assert!(!reply.contains("moving_ms"), "{reply}");
    assert!(TcpStream::connect(("127.0.0.1", serving.ports[0])).is_err());
}
