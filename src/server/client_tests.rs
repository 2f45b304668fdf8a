//! What clients are told besides their replies, what holds them, and what is measured of them.

use std::time::Duration;

use super::tests::Lab;
use crate::config::Config;

/// Two clients of one node, of which the first speaks RESP3.
fn two() -> (Lab, u32, u32) {
    let (mut lab, one) = Lab::alone();
    let two = lab.connect(0);
    lab.say(one, "HELLO 3");
    (lab, one, two)
}

#[test]
fn a_client_is_told_once_of_a_key_that_it_has_read() {
    let (mut lab, one, two) = two();
    assert_eq!(lab.say(one, "CLIENT TRACKING on\nGET a"), "+OK _");
    lab.say(two, "SET a 1\nSET a 2");
    assert_eq!(lab.replies(one), ">2 $10 invalidate *1 $1 a");
    assert_eq!(
        lab.say(one, "GET a\nSET a 3"),
        "$1 2 +OK >2 $10 invalidate *1 $1 a",
        "the message follows the reply"
    );
    lab.say(one, "SET a 4 PX 50\nGET a");
    lab.advance(Duration::from_millis(50));
    assert_eq!(
        lab.replies(one),
        ">2 $10 invalidate *1 $1 a",
        "it has expired"
    );
    lab.say(one, "GET a");
    lab.say(two, "FLUSHALL");
    assert_eq!(lab.replies(one), ">2 $10 invalidate _");
    lab.say(one, "CLIENT TRACKING on NOLOOP\nMGET a b");
    assert_eq!(
        lab.say(one, "MULTI\nSET a 1\nINCR b\nEXEC"),
        "+OK +QUEUED +QUEUED *2 +OK :1"
    );
    lab.say(one, "GET b\nCLIENT TRACKING off");
    lab.say(two, "SET b 1");
    assert_eq!(lab.replies(one), "");
}

#[test]
fn a_client_chooses_which_reads_count() {
    let (mut lab, one, two) = two();
    assert_eq!(
        lab.say(one, "CLIENT CACHING yes"),
        "-ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode \
         enabled"
    );
    lab.say(
        one,
        "CLIENT TRACKING on OPTIN\nGET a\nCLIENT CACHING yes\nGET b\nGET c",
    );
    lab.say(two, "MSET a 1 b 1 c 1");
    assert_eq!(lab.replies(one), ">2 $10 invalidate *1 $1 b");
    lab.say(
        one,
        "CLIENT TRACKING off\nCLIENT TRACKING on OPTOUT\nCLIENT CACHING no\nGET a\nGET b",
    );
    lab.say(two, "MSET a 2 b 2");
    assert_eq!(lab.replies(one), ">2 $10 invalidate *1 $1 b");
    assert_eq!(
        lab.say(one, "CLIENT TRACKINGINFO"),
        "%3 $5 flags ~2 $2 on $6 optout $8 redirect :0 $8 prefixes *0"
    );
}

#[test]
fn broadcasts_are_by_prefix_and_can_go_to_another_client() {
    let (mut lab, one, two) = two();
    let three = lab.connect(0);
    lab.say(three, "SUBSCRIBE __redis__:invalidate");
    let on = format!("CLIENT TRACKING on BCAST REDIRECT {three} PREFIX a: PREFIX b");
    assert_eq!(lab.say(two, &on), "+OK");
    assert_eq!(lab.say(two, "CLIENT GETREDIR"), format!(":{three}"));
    lab.say(one, "MSET a:1 x a:2 x c x");
    assert_eq!(
        lab.replies(three),
        "*3 $7 message $20 __redis__:invalidate *2 $3 a:1 $3 a:2"
    );
    assert_eq!(
        lab.say(two, "CLIENT TRACKING on BCAST PREFIX bc"),
        "-ERR Prefix 'bc' overlaps with an existing prefix 'b'. Prefixes for a single client must not overlap."
    );
    let broken = format!("CLIENT TRACKING on REDIRECT {three}\nGET k");
    lab.say(one, &broken);
    lab.hub.disconnect(&mut lab.world, three);
    lab.say(two, "SET k 1");
    assert_eq!(
        lab.replies(one),
        format!(">2 $21 tracking-redir-broken :{three}")
    );
}

#[test]
fn the_keys_that_are_remembered_are_bounded() {
    let (mut lab, one, two) = two();
    lab.say(two, "CONFIG SET tracking-table-max-keys 2");
    assert_eq!(
        lab.say(one, "CLIENT TRACKING on\nMGET a b c"),
        "+OK *3 _ _ _ >2 $10 invalidate *1 $1 a"
    );
    lab.say(two, "CONFIG SET tracking-table-max-keys 1");
    assert_eq!(lab.replies(one), ">2 $10 invalidate *1 $1 b");
}

#[test]
fn a_node_that_sleeps_holds_its_own_clients_and_no_others() {
    let mut lab = Lab::new(Config::new().nodes(2));
    let (one, other, elsewhere) = (lab.connect(0), lab.connect(0), lab.connect(1));
    assert_eq!(lab.say(one, "DEBUG SLEEP 0.5\nPING"), "");
    assert_eq!(lab.say(other, "PING"), "");
    assert_eq!(lab.say(elsewhere, "PING"), "+PONG");
    lab.advance(Duration::from_millis(499));
    assert_eq!(lab.replies(one), "");
    lab.advance(Duration::from_millis(1));
    assert_eq!(
        [lab.replies(one), lab.replies(other)],
        ["+OK +PONG", "+PONG"]
    );
    assert_eq!(
        lab.say(one, "SLOWLOG GET"),
        "*1 *6 :0 :1000 :500000 *3 $5 DEBUG $5 SLEEP $3 0.5 $14 127.0.0.1:5000 $0"
    );
}

#[test]
fn a_pause_counts_those_that_it_holds_and_lets_errors_through() {
    let (mut lab, _, two) = two();
    let three = lab.connect(0);
    lab.say(two, "CLIENT PAUSE 10000 WRITE");
    assert_eq!(
        lab.say(three, "SET a"),
        "-ERR wrong number of arguments for 'set' command"
    );
    assert_eq!(lab.say(three, "MULTI\nGET a\nEXEC"), "+OK +QUEUED *1 $-1");
    assert_eq!(lab.say(three, "MULTI\nSET a 1\nEXEC"), "+OK +QUEUED");
    assert!(lab.say(two, "INFO clients").contains("blocked_clients:1"));
    lab.say(two, "CLIENT UNPAUSE");
    lab.advance(Duration::ZERO);
    assert_eq!(lab.replies(three), "*1 +OK");
    assert!(lab.say(two, "INFO clients").contains("blocked_clients:0"));
}

#[test]
fn an_idle_client_is_cut_off() {
    let (mut lab, one, two) = two();
    lab.say(two, "SUBSCRIBE a");
    lab.say(one, "CONFIG SET timeout 10");
    lab.advance(Duration::from_millis(9999));
    assert!(!lab.is_ended(one));
    lab.advance(Duration::from_millis(1));
    assert!(lab.is_ended(one) && !lab.is_ended(two));
}

#[test]
fn parameters_are_set_together_or_not_at_all() {
    let (mut lab, client) = Lab::alone();
    for (line, reply) in [
        ("CONFIG SET hash-max-ziplist-entries 1 hz 20", "+OK"),
        (
            "CONFIG GET hash-max-l*entries hz",
            "*4 $25 hash-max-listpack-entries $1 1 $2 hz $2 20",
        ),
        (
            "CONFIG SET hz 30 maxmemory-clients 200%",
            "-ERR CONFIG SET failed (possibly related to argument 'maxmemory-clients') - percentage argument must \
             be less or equal to 100",
        ),
        ("CONFIG GET hz", "*2 $2 hz $2 20"),
        (
            "CONFIG SET hz 1 hz 2",
            "-ERR CONFIG SET failed (possibly related to argument 'hz') - duplicate parameter",
        ),
        (
            "CONFIG SET daemonize yes",
            "-ERR CONFIG SET failed (possibly related to argument 'daemonize') - can't set immutable config",
        ),
        ("CONFIG SET appendonly no", "+OK"),
        (
            "CONFIG SET appendonly yes",
            "-ERR CONFIG SET failed (possibly related to argument 'appendonly') - shardlab has no other value of it",
        ),
        ("HSET h a 1 b 2", ":2"),
        ("OBJECT ENCODING h", "$9 hashtable"),
        ("CONFIG GET key-load*", "*0"),
        ("CONFIG GET key-load-delay", "*2 $14 key-load-delay $1 0"),
    ] {
        assert_eq!(lab.say(client, line), reply, "{line}");
    }
}

#[test]
fn commands_and_errors_are_counted() {
    let (mut lab, client) = Lab::alone();
    lab.say(
        client,
        "SET a x\nGET a\nGET a\nINCR a\nGET\nNOPE\nCLIENT ID\nMULTI\nEXEC",
    );
    let counts = lab.say(client, "INFO commandstats");
    for (name, calls, rejected, failed) in [
        ("get", 2, 1, 0),
        ("set", 1, 0, 0),
        ("incr", 1, 0, 1),
        ("client|id", 1, 0, 0),
        ("exec", 1, 0, 0),
    ] {
        let line = counts
            .split(' ')
            .find(|line| line.starts_with(&format!("cmdstat_{name}:")));
        let line = line.expect("it was called");
        assert!(line.contains(&format!(":calls={calls},")), "{line}");
        let end = format!(",rejected_calls={rejected},failed_calls={failed}");
        assert!(line.ends_with(&end), "{line}");
    }
    assert!(
        lab.say(client, "INFO errorstats")
            .contains("errorstat_ERR:count=3")
    );
    lab.say(client, "CONFIG RESETSTAT");
    assert!(!lab.say(client, "INFO commandstats").contains("cmdstat_get"));
}

#[test]
fn a_new_key_is_told_of_if_that_is_asked_for() {
    let (mut lab, one, two) = two();
    lab.say(two, "CONFIG SET notify-keyspace-events En\nPSUBSCRIBE *");
    lab.say(one, "SET a 1\nSET a 2\nHSET h f 1\nRENAME a b");
    let told = lab.replies(two);
    let keys: Vec<&str> = told.split("__:new ").skip(1).collect();
    assert_eq!(keys.len(), 3, "{told}");
    assert!(
        keys[0].starts_with("$1 a") && keys[1].starts_with("$1 h") && keys[2].starts_with("$1 b")
    );
}

#[test]
fn no_memory_is_told_before_a_command_begins() {
    let (mut lab, one, two) = two();
    lab.say(one, "MULTI\nSET a 1");
    lab.say(two, "CONFIG SET maxmemory 1");
    let oom = "OOM command not allowed when used memory > 'maxmemory'.";
    assert_eq!(
        lab.say(one, "EXEC"),
        format!("-EXECABORT Transaction discarded because of: {oom}")
    );
    assert_eq!(lab.say(one, "SET a 1\nGET a"), format!("-{oom} _"));
}

#[test]
fn a_flush_breaks_the_watch_of_a_key_that_is_there() {
    let (mut lab, one, two) = two();
    lab.say(two, "SET a 1");
    lab.say(one, "WATCH b\nMULTI\nPING");
    lab.say(two, "FLUSHDB");
    assert_eq!(lab.say(one, "EXEC"), "*1 +PONG");
    lab.say(two, "SET a 1");
    lab.say(one, "WATCH a\nMULTI\nPING");
    lab.say(two, "FLUSHDB\nSET a 1");
    assert_eq!(lab.say(one, "EXEC"), "_");
}
