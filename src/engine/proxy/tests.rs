use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

use super::*;

const SERVER: End = End::Server(3);
const QUIET: Duration = Duration::from_millis(60);

/// A proxy in front of a listener of ours, and the ports.
struct Scene {
    proxies: Proxies,
    listener: TcpListener,
    bus_listener: TcpListener,
    ports: Ports,
}

impl Scene {
    fn new() -> Self {
        let [listener, bus_listener] =
            [0; 2].map(|port| TcpListener::bind(("127.0.0.1", port)).expect("a port"));
        let proxies = Proxies::start(7).expect("proxies");
        let at = |listener: &TcpListener| listener.local_addr().expect("an address");
        let ports = proxies
            .open(3, at(&listener), at(&bus_listener))
            .expect("a proxy");
        Self {
            proxies,
            listener,
            bus_listener,
            ports,
        }
    }

    fn client(&self) -> TcpStream {
        stream(TcpStream::connect(("127.0.0.1", self.ports.data)))
    }

    /// Both ends of a new connection.
    fn pair(&self) -> (TcpStream, TcpStream) {
        let client = self.client();
        (
            client,
            stream(self.listener.accept().map(|(stream, _)| stream)),
        )
    }

    fn bus_pair(&self) -> (TcpStream, TcpStream) {
        let client = stream(TcpStream::connect(("127.0.0.1", self.ports.bus)));
        (
            client,
            stream(self.bus_listener.accept().map(|(stream, _)| stream)),
        )
    }

    fn both(&mut self, fault: LinkFault) {
        self.proxies.set(End::Clients, SERVER, fault);
        self.proxies.set(SERVER, End::Clients, fault);
    }
}

fn stream(stream: io::Result<TcpStream>) -> TcpStream {
    let stream = stream.expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("set");
    stream
}

/// What comes, up to this length.
fn received(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).expect("bytes");
    bytes
}

fn is_silent(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(QUIET)).expect("set");
    let read = stream.read(&mut [0; 1]);
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("set");
    read.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

fn message(body: u32) -> Vec<u8> {
    [b"RCmb", &12_u32.to_be_bytes()[..], &body.to_be_bytes()].concat()
}

#[test]
fn bytes_pass_both_ways_and_so_do_ends() {
    let scene = Scene::new();
    let (mut client, mut server) = scene.pair();
    let large: Vec<u8> = (0..3_000_000_u32).map(|at| at.to_le_bytes()[1]).collect();
    let sent = large.clone();
    let writer = std::thread::spawn(move || {
        client.write_all(&sent).expect("sent");
        client.shutdown(std::net::Shutdown::Write).expect("shut");
        client
    });
    assert!(received(&mut server, large.len()) == large);
    assert_eq!(server.read(&mut [0; 1]).expect("the end"), 0);
    server.write_all(b"reply").expect("sent");
    drop(server);
    let mut client = writer.join().expect("written");
    let mut reply = Vec::new();
    client.read_to_end(&mut reply).expect("the end");
    assert_eq!(reply, b"reply");
}

#[test]
fn a_cut_link_is_silent_and_then_nothing_is_lost() {
    let mut scene = Scene::new();
    let (mut client, mut server) = scene.pair();
    scene.both(LinkFault {
        is_cut: true,
        ..LinkFault::default()
    });
    client.write_all(b"late").expect("sent");
    assert!(is_silent(&mut server) && is_silent(&mut client));
    let mut held = scene.client();
    held.write_all(b"new").expect("sent");
    scene.listener.set_nonblocking(true).expect("set");
    assert!(
        scene.listener.accept().is_err(),
        "a connection over a cut link"
    );
    scene.listener.set_nonblocking(false).expect("set");
    scene.proxies.heal();
    assert_eq!(received(&mut server, 4), b"late");
    let mut server = stream(scene.listener.accept().map(|(stream, _)| stream));
    assert_eq!(received(&mut server, 3), b"new");
}

#[test]
fn a_link_is_cut_or_held_in_one_direction() {
    let mut scene = Scene::new();
    let (mut client, mut server) = scene.pair();
    let held = LinkFault {
        is_held: true,
        ..LinkFault::default()
    };
    scene.proxies.set(SERVER, End::Clients, held);
    client.write_all(b"a").expect("sent");
    assert_eq!(received(&mut server, 1), b"a");
    server.write_all(b"b").expect("sent");
    assert!(is_silent(&mut client));
    scene
        .proxies
        .set(SERVER, End::Clients, LinkFault::default());
    assert_eq!(received(&mut client, 1), b"b");
    assert_eq!(scene.proxies.faults().count(), 0);
}

#[test]
fn a_delay_is_kept_and_does_not_add_up() {
    let mut scene = Scene::new();
    let (mut client, mut server) = scene.pair();
    let delay = Duration::from_millis(80);
    scene.proxies.set(
        End::Clients,
        SERVER,
        LinkFault {
            delay,
            ..LinkFault::default()
        },
    );
    let start = Instant::now();
    for byte in 0..20 {
        client.write_all(&[byte]).expect("sent");
        std::thread::sleep(Duration::from_millis(5));
    }
    let last_sent = start.elapsed();
    assert_eq!(received(&mut server, 20), (0..20).collect::<Vec<_>>());
    let took = start.elapsed();
    assert!(took >= delay + Duration::from_millis(95), "{took:?}");
    assert!(took < last_sent + 3 * delay, "{took:?} after {last_sent:?}");
}

#[test]
fn messages_of_the_bus_are_lost_doubled_and_reordered() {
    let mut scene = Scene::new();
    let (mut client, mut server) = scene.bus_pair();
    let mut seen = |fault: LinkFault, sent: &[u32], expected: &[u32]| {
        scene.both(fault);
        for &body in sent {
            client.write_all(&message(body)).expect("sent");
        }
        let expected: Vec<u8> = expected.iter().flat_map(|&body| message(body)).collect();
        assert_eq!(received(&mut server, expected.len()), expected);
        assert!(is_silent(&mut server));
    };
    let (none, all) = (LinkFault::default(), Percent::ALL);
    seen(LinkFault { drop: all, ..none }, &[1, 2], &[]);
    seen(
        LinkFault {
            duplicate: all,
            ..none
        },
        &[3],
        &[3, 3],
    );
    seen(
        LinkFault {
            reorder: all,
            ..none
        },
        &[4, 5, 6],
        &[5, 4, 6],
    );
    let half = Percent::from_millionths(500_000).expect("a half");
    scene.both(LinkFault { drop: half, ..none });
    for body in 0..1000 {
        client.write_all(&message(body)).expect("sent");
    }
    // One of these passes.
    for _ in 0..64 {
        client.write_all(&message(7777)).expect("sent");
    }
    let mut passed = 0;
    while received(&mut server, 12) != message(7777) {
        passed += 1;
    }
    assert!((400..600).contains(&passed), "{passed} of 1000");
}

#[test]
fn what_is_refused_behind_the_proxy_ends_and_so_does_a_closed_proxy() {
    let mut scene = Scene::new();
    let (mut client, _server) = scene.pair();
    scene.proxies.close(3);
    assert!(!matches!(client.read(&mut [0; 1]), Ok(1..)));
    assert!(TcpStream::connect(("127.0.0.1", scene.ports.data)).is_err());
    let target = scene.listener.local_addr().expect("an address");
    drop(scene.listener);
    let ports = scene.proxies.open(3, target, target).expect("a proxy");
    let mut client = stream(TcpStream::connect(("127.0.0.1", ports.data)));
    assert!(!matches!(client.read(&mut [0; 1]), Ok(1..)));
}

#[test]
fn addresses_tell_who_connects() {
    for server in [0, 3, MAX_SERVERS - 1] {
        assert_eq!(
            end_of(address_of(server).expect("an address")),
            End::Server(server)
        );
    }
    assert!(address_of(MAX_SERVERS).is_err());
    for other in ["127.0.0.1", "127.0.1.0", "10.0.1.1", "::1"] {
        assert_eq!(
            end_of(other.parse().expect("an address")),
            End::Clients,
            "{other}"
        );
    }
}
