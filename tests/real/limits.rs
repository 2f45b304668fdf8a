//! What clients do to a server under load: many connections, long pipelines, replies that are not taken,
//! commands that come in pieces, and other protocols.

use std::time::Duration;

use super::serving::{Serving, Wire};
use super::wait_for;

const MIB: u64 = 1 << 20;

#[test]
fn a_thousand_clients_are_served() {
    let serving = Serving::start(&["--nodes", "3"]);
    let mut clients: Vec<Wire> = (0..1000)
        .map(|number| serving.connect(number % 3))
        .collect();
    for turn in 1..=5 {
        for client in &mut clients {
            client.send(&["INCR", "n"]);
        }
        let mut replies: Vec<Vec<u8>> = clients.iter_mut().map(Wire::reply).collect();
        replies.sort_by_key(|reply| (reply.len(), reply.clone()));
        let last = format!(":{}\r\n", 1000 * turn);
        assert_eq!(replies.last().map(Vec::as_slice), Some(last.as_bytes()));
    }
    let info = String::from_utf8(clients[0].ask(&["INFO", "clients"])).expect("text");
    assert!(
        info.contains("connected_clients:334\r\n"),
        "of node 0: {info}"
    );
    drop(clients);
    let mut client = serving.connect(0);
    wait_for("end of the connections", || {
        let info = String::from_utf8(client.ask(&["INFO", "clients"])).expect("text");
        info.contains("connected_clients:1\r\n").then_some(())
    });
}

#[test]
fn a_pipeline_of_a_million_commands_takes_little_memory() {
    let serving = Serving::start(&["--nodes", "1"]);
    let mut client = serving.connect(0);
    let value = "x".repeat(100);
    assert_eq!(client.ask(&["SET", "k", &value]), b"+OK\r\n");
    let before = serving.memory();
    let mut sender = serving.connect(0);
    let part = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n".repeat(10_000);
    let mut most = 0;
    std::thread::scope(|scope| {
        let mut reader = sender.split();
        let sending = scope.spawn(move || (0..100).for_each(|_| sender.send_raw(&part)));
        let expected = format!("$100\r\n{value}\r\n");
        for number in 0..1_000_000 {
            assert_eq!(reader.reply(), expected.as_bytes());
            if number % 100_000 == 0 {
                most = most.max(serving.memory());
            }
        }
        sending.join().expect("all is sent");
    });
    let grown = most.saturating_sub(before);
    assert!(grown < 64 * MIB, "{grown} bytes");
}

#[test]
fn replies_that_are_not_taken_stop_the_client_and_no_other() {
    let serving = Serving::start(&["--nodes", "1"]);
    let mut client = serving.connect(0);
    let value = vec![b'x'; 100_000];
    assert_eq!(client.ask(&[&b"SET"[..], b"k", &value]), b"+OK\r\n");
    let before = serving.memory();
    // Up to a terabyte of replies is asked for, and none is read.
    let mut slow = serving.connect(0);
    let part = b"GET k\r\n".repeat(10_000);
    let limit = Duration::from_secs(1);
    let sent = (0..1000)
        .take_while(|_| slow.try_send(&part, limit))
        .count();
    assert!(sent < 1000, "the server stops reading");
    let grown = serving.memory().saturating_sub(before);
    assert!(grown < 64 * MIB, "{grown} bytes");
    assert_eq!(client.ask(&["PING"]), b"+PONG\r\n");
    // What it takes late is complete.
    let mut expected = b"$100000\r\n".to_vec();
    expected.extend_from_slice(&value);
    expected.extend_from_slice(b"\r\n");
    for _ in 0..100 {
        assert!(slow.reply() == expected, "a reply is whole");
    }
}

#[test]
fn a_subscriber_that_does_not_read_is_cut_off_and_the_events_say_so() {
    let serving = Serving::start(&["--nodes", "1"]);
    let mut slow = serving.connect(0);
    slow.ask(&["SUBSCRIBE", "news"]);
    let mut client = serving.connect(0);
    let before = serving.memory();
    let message = vec![b'x'; 1_000_000];
    let mut published = 0;
    while client.ask(&[&b"PUBLISH"[..], b"news", &message]) == b":1\r\n" {
        published += 1;
        assert!(
            published < 200,
            "it is cut off after 32 MiB and what the system buffers"
        );
    }
    let grown = serving.memory().saturating_sub(before);
    assert!(grown < 80 * MIB, "{grown} bytes");
    let events = serving.shell("EVENTS");
    assert!(
        events.contains("\"event\":\"cut off\",\"node\":0,\"client\":1001"),
        "{events}"
    );
    let missing = slow.rest().len();
    assert!(missing < published * message.len(), "it did not get all");
}

#[test]
fn commands_in_pieces_are_carried_out_and_other_protocols_are_not() {
    let serving = Serving::start(&["--nodes", "1"]);
    let mut client = serving.connect(0);
    for byte in b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\na\r\nbc\r\nGET k\r\n" {
        client.send_raw(&[*byte]);
    }
    assert_eq!(client.reply(), b"+OK\r\n");
    assert_eq!(client.reply(), b"$5\r\na\r\nbc\r\n");
    // Half a command, and then nothing.
    serving
        .connect(0)
        .send_raw(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\nhalf");
    assert_eq!(client.ask(&["GET", "k"]), b"$5\r\na\r\nbc\r\n");
    let http = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nSET k bad\r\n";
    for request in [
        http.to_owned(),
        http.replace("POST", "GET"),
        http.replace("POST", "PUT"),
    ] {
        let mut web = serving.connect(0);
        web.send_raw(request.as_bytes());
        let reply = String::from_utf8(web.rest()).expect("text");
        assert!(reply.is_empty() || reply.starts_with("-ERR "), "{reply}");
    }
    assert_eq!(client.ask(&["GET", "k"]), b"$5\r\na\r\nbc\r\n");
    let mut wild = serving.connect(0);
    wild.send_raw(b"*1\r\n$-5\r\n");
    assert_eq!(wild.rest(), b"-ERR Protocol error: invalid bulk length\r\n");
}
