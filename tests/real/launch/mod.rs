//! Clusters of real servers that are launched and broken. Where a time counts, it is long enough for a
//! busy machine.

mod client;
mod keeping;
mod moving;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use shardlab::engine::Stop;
use shardlab::engine::launch::{Comeback, LaunchOptions, Launched, Restart, Server, State};
use shardlab::engine::proxy::{End, LinkFault};
use shardlab::network::Percent;

use super::wait_for;
use client::Client;

/// How long a poll may take.
const LIMIT: Duration = Duration::from_secs(30);
/// Keys of the tests that lose none, or all of a server.
const KEYS: usize = 1000;

/// Both engines, and that which `scripts/test` installs.
pub(super) fn valkey() -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("valkey-server");
    path.to_string_lossy().into_owned()
}

fn options(binary: &str, primaries: u32, replicas: usize) -> LaunchOptions {
    LaunchOptions {
        binary: binary.into(),
        primaries,
        replicas,
        ports: 20_000..=24_999,
        program: Some(env!("CARGO_BIN_EXE_shardlab").into()),
        ..LaunchOptions::default()
    }
}

fn never() -> Stop {
    Arc::new(|| false)
}

fn launch(options: LaunchOptions) -> Launched {
    Launched::start(options, &never(), &mut |_| {}).expect("a cluster")
}

/// Which server has taken the place of one: it has its slots.
fn successor(launched: &mut Launched, of: usize, client: &mut Client) -> Server {
    let servers = launched.servers();
    let mut replica = |server: &Server| {
        let is_up = server.state == State::Up && server.number != of;
        let answer = client
            .ask(server.address, &["ROLE"])
            .ok()
            .filter(|_| is_up)?;
        let is_primary = answer.array()?.first()?.text() == Some("master");
        is_primary.then(|| server.clone())
    };
    // Servers 0 to 2 are the first primaries, so of the rest this is a replica.
    wait_for("successor", || servers[3..].iter().find_map(&mut replica))
}

fn role(server: &Server, client: &mut Client) -> Option<String> {
    let answer = client.ask(server.address, &["ROLE"]).ok()?;
    answer.array()?.first()?.text().map(Into::into)
}

/// Waits until a replica of a primary has all that the client has written there.
fn await_replica(primary: SocketAddr, client: &mut Client) {
    let replicas = client.ask(primary, &["WAIT", "1", "1900"]);
    assert_eq!(replicas.expect("an answer").integer(), Some(1));
}

#[test]
fn a_cluster_is_ready_soon_and_survives_a_crash() {
    for binary in ["redis-server", &valkey()] {
        let start = Instant::now();
        let mut said = Vec::new();
        let options = options(binary, 3, 2);
        let mut launched =
            Launched::start(options, &never(), &mut |line| said.push(line.to_owned()))
                .expect("a cluster");
        let took = start.elapsed();
        eprintln!("{binary} 3+3 is ready after {took:?}");
        assert!(took < Duration::from_secs(10), "{took:?}");
        assert!(said[0].starts_with("starting 6 servers"), "{said:?}");
        let servers = launched.servers();
        let numbers: Vec<usize> = servers.iter().map(|it| it.number).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);

        let mut client = Client::new(&mut launched);
        for (server, expected) in servers
            .iter()
            .zip(["master", "slave"].map(|it| [it; 3]).concat())
        {
            assert_eq!(role(server, &mut client).as_deref(), Some(expected));
            assert_eq!(server.announced, server.address);
        }
        client.fill(KEYS);
        await_replica(servers[0].address, &mut client);
        launched.crash(0).expect("crashed");
        assert_eq!(launched.servers()[0].state, State::Crashed);
        assert!(
            launched.crash(0).is_err() && launched.pause(0).is_err() && launched.crash(9).is_err()
        );
        // It waits for the failover by itself.
        assert_eq!(launched.restart(0, Restart::Resync), Ok(Comeback::Replica));
        launched.wait_ready(LIMIT).expect("ready");
        assert_eq!(client.lost(KEYS), 0);
        assert_eq!(role(&servers[0], &mut client).as_deref(), Some("slave"));

        // Before a failover: the data of the server is gone, and its replica empties itself.
        launched.crash(1).expect("crashed");
        assert_eq!(launched.restart(1, Restart::Cold), Ok(Comeback::Empty));
        launched.wait_ready(LIMIT).expect("ready");
        let lost = client.lost(KEYS);
        assert!((KEYS / 5..KEYS / 2).contains(&lost), "{lost} of {KEYS}");
    }
}

#[test]
fn a_durable_server_comes_back_with_its_data_and_a_paused_one_is_silent() {
    let options = LaunchOptions {
        is_durable: true,
        ..options("redis-server", 3, 2)
    };
    let mut launched = launch(options);
    let mut client = Client::new(&mut launched);
    client.fill(KEYS);
    launched.crash(2).expect("crashed");
    assert_eq!(launched.restart(2, Restart::Resync), Ok(Comeback::Kept));
    launched.wait_ready(LIMIT).expect("ready");
    assert_eq!(client.lost(KEYS), 0);

    let servers = launched.servers();
    launched.pause(1).expect("paused");
    assert_eq!(launched.servers()[1].state, State::Paused);
    assert!(launched.pause(1).is_err() && launched.resume(0).is_err());
    assert!(client.ask(servers[1].address, &["PING"]).is_err());
    assert_eq!(successor(&mut launched, 1, &mut client).state, State::Up);
    launched.resume(1).expect("resumed");
    assert!(client.ask(servers[1].address, &["PING"]).is_ok());
    launched.wait_ready(LIMIT).expect("ready");
    assert_eq!(client.lost(KEYS), 0);
    launched.pause(1).expect("paused");
    launched.crash(1).expect("a paused server crashes");
}

/// Sets the faults of all links between a server and the others.
fn set_links(launched: &mut Launched, server: usize, fault: LinkFault) {
    let numbers = launched.servers().into_iter().map(|it| it.number);
    let others: Vec<usize> = numbers.filter(|&other| other != server).collect();
    let proxies = launched.proxies().expect("proxies");
    for other in others {
        let (a, b) = (End::Server(server), End::Server(other));
        proxies.set(a, b, fault);
        proxies.set(b, a, fault);
    }
}

#[test]
fn links_are_slow_and_lose_messages() {
    let mut launched = launch(LaunchOptions {
        with_proxies: true,
        ..options("redis-server", 3, 2)
    });
    let primary = launched.servers()[0].address;
    let mut client = Client::new(&mut launched);
    client.fill(KEYS);
    let mut wait = || {
        let put = client.ask(primary, &["SET", "late", "value"]);
        assert!(put.expect("an answer").is_ok());
        let start = Instant::now();
        let replicas = client.ask(primary, &["WAIT", "1", "1900"]);
        (replicas.expect("an answer").integer(), start.elapsed())
    };
    let (none, delay) = (LinkFault::default(), Duration::from_millis(100));
    set_links(&mut launched, 0, LinkFault { delay, ..none });
    let (replicas, took) = wait();
    // There and back.
    assert!(
        replicas == Some(1) && took >= 2 * delay,
        "{replicas:?} after {took:?}"
    );
    let drop = Percent::ALL;
    set_links(&mut launched, 0, LinkFault { drop, ..none });
    successor(&mut launched, 0, &mut client);
    launched.proxies().expect("proxies").heal();
    launched.wait_ready(LIMIT).expect("ready");
    assert_eq!(client.lost(KEYS), 0);
}

#[test]
fn a_primary_that_is_cut_off_loses_what_it_acknowledges() {
    for binary in ["redis-server", &valkey()] {
        let options = LaunchOptions {
            with_proxies: true,
            ..options(binary, 3, 2)
        };
        let start = Instant::now();
        let mut launched = launch(options);
        eprintln!("{binary} 3+3 with proxies: {:?}", start.elapsed());
        let servers = launched.servers();
        for server in &servers {
            assert_ne!(server.announced, server.address);
            assert_eq!(launched.address_of(server.announced), Some(server.address));
        }
        let mut client = Client::new(&mut launched);
        client.fill(KEYS);
        await_replica(servers[0].address, &mut client);
        let (none, is_cut) = (LinkFault::default(), true);
        set_links(&mut launched, 0, LinkFault { is_cut, ..none });
        // Clients reach it, and it does not know yet: this write will be lost. The slot of the key, 549,
        // is its own.
        let put = client.ask(servers[0].address, &["SET", "late", "value"]);
        assert!(put.expect("an answer").is_ok());
        let successor = successor(&mut launched, 0, &mut client);
        assert_eq!(role(&servers[0], &mut client).as_deref(), Some("master"));
        launched.proxies().expect("proxies").heal();
        wait_for("end of the old primary", || {
            (role(&servers[0], &mut client)? == "slave").then_some(())
        });
        launched.wait_ready(LIMIT).expect("ready");
        let found = client.ask(successor.address, &["GET", "late"]);
        assert_eq!(found.expect("an answer"), shardlab::resp::Answer::Nil);
        assert_eq!(client.lost(KEYS), 0, "what was replicated before");
    }
}

#[test]
fn a_single_server_is_no_cluster() {
    let mut launched = launch(LaunchOptions {
        is_durable: true,
        ..options("redis-server", 1, 1)
    });
    let server = launched.servers().remove(0);
    let mut client = Client::new(&mut launched);
    client.fill(KEYS);
    launched.crash(0).expect("crashed");
    assert_eq!(launched.restart(0, Restart::Resync), Ok(Comeback::Kept));
    launched.wait_ready(LIMIT).expect("ready");
    assert_eq!(client.lost(KEYS), 0);
    assert!(launched.add_server(0).is_err() && launched.remove_server(0).is_err());
    assert!(server.folder.starts_with(launched.folder()));
}
