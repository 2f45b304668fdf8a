//! The prompt on real servers: `--connect`.

use std::io::Write as _;
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Running, start, wait_for};

/// A server on a free port.
pub(super) struct Server {
    port: u16,
    process: Running,
    _folder: tempfile::TempDir,
}

pub(super) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

impl Server {
    pub(super) fn start(program: &str, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let mut command = Command::new(program);
        command
            .args(["--port", &port.to_string(), "--save", "", "--dir"])
            .arg(folder.path())
            .args(more)
            .stdout(Stdio::null());
        let process = start(&mut command);
        wait_for("server", || TcpStream::connect(("127.0.0.1", port)).ok());
        Self {
            port,
            process,
            _folder: folder,
        }
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Asks it directly.
    pub(super) fn cli(&self, words: &[&str]) -> String {
        let output = Command::new("redis-cli")
            .args(["-p", &self.port.to_string()])
            .args(words)
            .output();
        let output = output.expect("redis-cli; scripts/test installs it");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .args([signal, &self.process.0.id().to_string()])
            .status();
        assert!(status.expect("kill").success());
    }
}

/// Runs lines on this server. Returns what is printed, and the errors.
fn run(url: &str, options: &[&str], lines: &str) -> (String, String) {
    run_with(&[&["--connect", url], options].concat(), lines)
}

pub(super) fn run_with(options: &[&str], lines: &str) -> (String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shardlab"));
    command.args(options);
    let pipes = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = pipes.spawn().expect("the program starts");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(lines.as_bytes()).expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn commands_on_keys_do_what_they_do_on_the_simulated_cluster() {
    let server = Server::start("redis-server", &[]);
    let lines = "PUT apple red\nGET apple\nMSET a 1 b 2\nMGET a nope b\nADD a 9\nADD c 3\n\
                 CAS a 1 one\nCAS a 1 two\nGET a\nINCR n 5\nINCR n -7\nEXISTS a b nope\nTTL a\n\
                 TTL nope\nEXPIRE b 100s\nPERSIST b\nPERSIST b\nDEL a nope\nKEYS\nSIZE\n";
    let (real, errors) = run(&server.url(), &["--write"], lines);
    assert_eq!(errors, "");
    let simulated = Command::new(env!("CARGO_BIN_EXE_shardlab"))
        .args(lines.lines().flat_map(|line| ["-c", line]))
        .output();
    let simulated = simulated.expect("the program starts").stdout;
    assert_eq!(real, String::from_utf8_lossy(&simulated));
}

#[test]
fn nothing_is_written_unless_it_is_allowed() {
    let server = Server::start("redis-server", &[]);
    let (_, errors) = run(
        &server.url(),
        &[],
        "PUT a 1\nINCR n\nDEL a\nCLEAR\nFILL 5\nLOAD zipf REQUESTS 9\nCRASH 0\nSTEP\nPLACEMENT modulo\n",
    );
    assert_eq!(
        errors.matches("--write lets commands change keys").count(),
        5,
        "{errors}"
    );
    assert!(errors.contains("--allow-clear lets it"), "{errors}");
    assert!(
        errors.contains("CRASH is not available: these servers were not launched here"),
        "{errors}"
    );
    assert!(
        errors.contains("STEP is not available: messages between real servers"),
        "{errors}"
    );
    assert_eq!(server.cli(&["DBSIZE"]), "0");
    let (_, errors) = run(&server.url(), &["--write"], "PUT a 1\nCLEAR\n");
    assert!(errors.contains("--allow-clear lets it"), "{errors}");
    assert_eq!(server.cli(&["GET", "a"]), "1");
    let (shown, errors) = run(
        &server.url(),
        &["--write", "--allow-clear"],
        "CLEAR\nSIZE\n",
    );
    assert_eq!((shown.as_str(), errors.as_str()), ("0\n", ""));
}

/// The server alone would tell of the expiry much later: it has 20,000 other keys with deadlines.
#[test]
fn expiries_are_told_when_they_happen() {
    let server = Server::start("redis-server", &["--notify-keyspace-events", "KEA"]);
    let lines = "FILL 20000 TTL 1h..2h\nPUT apple red 300ms\nMSET b 1 c 2 600ms\nPUT d 4 400ms\nDEL d\n\
                 SLEEP 1s\nEVENTS\n";
    let (shown, errors) = run(&server.url(), &["--write", "--format", "json"], lines);
    assert_eq!(errors, "");
    let events = shown.lines().last().expect("the events");
    let events: Value = serde_json::from_str(events).expect("JSON");
    let keys = events["events"].as_array().expect("events").iter();
    let keys: Vec<&str> = keys
        .map(|event| event["key"].as_str().expect("a key"))
        .collect();
    assert_eq!(keys, ["apple", "b", "c"], "{shown}");
}

#[test]
fn the_expiry_of_another_clients_key_is_noticed() {
    let server = Server::start(
        "redis-server",
        &["--notify-keyspace-events", "KEA", "--hz", "100"],
    );
    server.cli(&["SET", "theirs", "1", "PX", "700"]);
    let (shown, _) = run(&server.url(), &[], "SLEEP 2s\n");
    assert_eq!(shown, "Server 0 expired key: theirs (noticed)\n");
}

#[test]
fn a_paused_server_costs_the_timeout_and_leaves_the_outcome_open() {
    let server = Server::start("redis-server", &[]);
    server.cli(&["SET", "a", "1"]);
    let child = {
        server.signal("-STOP");
        let begun = Instant::now();
        let result = run(&server.url(), &["--write", "--timeout", "300ms"], "GET a\n");
        assert!(begun.elapsed() < Duration::from_secs(5));
        server.signal("-CONT");
        result
    };
    assert!(child.1.contains("it did not answer in time"), "{}", child.1);
}

#[test]
fn passwords_are_needed_and_never_shown() {
    let server = Server::start("redis-server", &["--requirepass", "s3cret"]);
    let (_, errors) = run(&server.url(), &[], "GET a\n");
    assert!(errors.contains("NOAUTH"), "{errors}");
    let with = |password: &str| format!("redis://:{password}@127.0.0.1:{}", server.port);
    let (_, errors) = run(&with("wr0ng"), &[], "GET a\n");
    assert!(
        errors.contains("WRONGPASS") && !errors.contains("wr0ng"),
        "{errors}"
    );
    let (shown, errors) = run(&with("s3cret"), &["--echo"], "GET a\nSLEEP 1s\n");
    assert_eq!((shown.contains("a -> null"), errors.as_str()), (true, ""));
    assert!(!shown.contains("s3cret"), "{shown}");
}

/// The list of processes shows no password while the program runs.
#[test]
fn the_list_of_processes_has_no_password() {
    let server = Server::start("redis-server", &["--requirepass", "s3cret"]);
    let url = format!("redis://:s3cret@127.0.0.1:{}", server.port);
    let mut command = Command::new(env!("CARGO_BIN_EXE_shardlab"));
    command.args(["--connect", &url, "-c", "SLEEP 3s"]);
    let program = start(&mut command);
    let path = format!("/proc/{}/cmdline", program.0.id());
    let arguments = || std::fs::read_to_string(&path).unwrap_or_default();
    wait_for("a command line without the password", || {
        let arguments = arguments();
        (arguments.contains("SLEEP") && !arguments.contains("s3cret")).then_some(())
    });
}

#[test]
fn many_clients_load_a_server_and_what_they_were_told_is_checked() {
    let server = Server::start("redis-server", &[]);
    let lines =
        "LOAD zipf REQUESTS 5000 KEYS 500 CLIENTS 8 WRITES 30%\nCHECK linearizable\nHISTORY 1\n";
    let (shown, errors) = run(&server.url(), &["--write", "--format", "json"], lines);
    assert_eq!(errors, "");
    let replies = shown
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    let replies: Vec<Value> = replies.collect();
    assert_eq!(replies[0]["requests"], 5000);
    assert_eq!(
        replies[0]["failed"],
        serde_json::json!({}),
        "{}",
        replies[0]
    );
    assert_eq!(replies[1]["promise"], "linearizable", "{}", replies[1]);
    assert_eq!(replies[1]["verdict"], "kept", "{}", replies[1]);
}

#[test]
fn a_launched_cluster_is_broken_and_repaired_at_the_prompt() {
    let lines = "FILL 200\nCRASH 1\nFAULTS\nRESTART 1\nPAUSE 2\nFAULTS\nRESUME 2\nDELAY 0 1 20ms\nFAULTS\nHEAL\n\
                 JOIN\nLEAVE 0\nSIZE\nSKEW 1 1s\nRESTART 1 stale\nNEMESIS light\n\
                 VIA 1 GET a\nPLAN JOIN\nCRASH 99\nEVENTS\n";
    let options = [
        "--launch",
        "redis-server",
        "--replicas",
        "2",
        "--election-after",
        "1s",
    ];
    let (shown, errors) = run_with(&options, lines);
    for part in [
        "CRASH 1\n",
        "PAUSE 2\n",
        "DELAY 0 1 20ms\n",
        "Node 6 joined: ",
        "Node 0 left: ",
        "\n200\n",
        "Node 1 restarted\n",
    ] {
        assert!(shown.contains(part), "{part}: {shown}{errors}");
    }
    for part in [
        "SKEW is not available",
        "RESTART is not available",
        "VIA is not available",
        "PLAN is not available",
        "there is no node 99",
    ] {
        assert!(errors.contains(part), "{part}: {errors}");
    }
}

#[test]
fn redis_loses_acknowledged_writes_at_a_failover_and_none_with_a_write_quorum() {
    plays_lost_writes("redis-server");
}

#[test]
fn valkey_loses_acknowledged_writes_at_a_failover_and_none_with_a_write_quorum() {
    plays_lost_writes(&super::launch::valkey());
}

/// 20 of the 60 keys are on the primary that is cut off.
fn plays_lost_writes(server: &str) {
    let (shown, errors) = run_with(&["demo", "lost-writes", "--launch", server], "");
    assert_eq!(errors, "");
    let (first, second) = shown
        .split_once("The same with a write quorum")
        .expect("two parts");
    assert_eq!(first.matches("a value was lost").count(), 20, "{first}");
    let second = second.split_once("> CHECK").expect("a verdict").1;
    assert!(
        !second.contains("lost") && second.contains("linearizable: "),
        "{second}"
    );
}

/// Other keys of the servers are not seen, and stay.
#[test]
fn a_session_with_a_prefix_has_its_own_keys() {
    let server = Server::start("redis-server", &["--notify-keyspace-events", "KEA"]);
    server.cli(&["MSET", "apple", "green", "labx:y", "1"]);
    let options = ["--write", "--prefix", "lab*:"];
    let lines = "GET apple\nMSET apple red pear yellow\nPUT fig purple 100ms\nKEYS\nSIZE\nTTL pear\n\
                 LOAD uniform KEYS 10 REQUESTS 20 CLIENTS 2\nSLEEP 300ms\nEVENTS\nKEYS a*\nCHECK\n";
    let (printed, errors) = run(&server.url(), &options, lines);
    assert_eq!(errors, "");
    assert!(
        printed.starts_with("apple -> null\napple\nfig\npear\n3\npear -> none\n"),
        "{printed}"
    );
    assert!(printed.contains("Server 0 expired key: fig\n"), "{printed}");
    assert!(printed.contains("\napple\nlinearizable: "), "{printed}");
    assert_eq!(server.cli(&["GET", "lab*:apple"]), "red");
    let (printed, errors) = run(&server.url(), &options, "CLEAR\nSIZE\nKEYS\n");
    assert_eq!((printed.as_str(), errors.as_str()), ("0\n", ""));
    assert_eq!(
        server.cli(&["MGET", "apple", "lab*:apple", "labx:y"]),
        "green\n\n1"
    );
}

#[test]
fn a_load_ends_at_an_interrupt_and_gives_its_requests_up() {
    let server = Server::start("redis-server", &[]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_shardlab"));
    command.args(["--connect", &server.url(), "--write"]);
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = pipes.spawn().expect("the program starts");
    let mut input = child.stdin.take().expect("a pipe");
    writeln!(input, "LOAD zipf FOR 60s CLIENTS 4").expect("it reads");
    wait_for("requests", || {
        (server.cli(&["DBSIZE"]) != "0").then_some(())
    });
    let status = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(status.expect("kill").success());
    let start = Instant::now();
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    assert!(start.elapsed() < Duration::from_secs(20));
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains(" requests, interrupted, in "), "{printed}");
    assert!(!printed.contains("too few owners"), "{printed}");
}
