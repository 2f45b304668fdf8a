//! What operators do with real servers: FAILOVER, EVICTION, CAPACITY, STATS RESET, and NEMESIS.

use super::engine::run_with;
use super::launch::valkey;

const LAUNCH: [&str; 4] = ["--launch", "redis-server", "--replicas", "2"];

#[test]
fn a_replica_takes_the_place_of_its_primary_and_back() {
    let lines = "MSET a 1 b 2 c 3\nFAILOVER 0\nMGET a b c\nSLEEP 6s\nFAILOVER 0\nMGET a b c\nEVENTS\nCHECK\nCRASH 5\nCHECK\n\
                 FAILOVER 9\n";
    let (printed, errors) = run_with(&LAUNCH, lines);
    for sentence in [
        "Node 3 is a primary now, in the place of node 0\n",
        "Node 0 is a primary now, in the place of node 3\n",
        "Node 3 promoted\n",
        "Node 0 promoted\n",
        "linearizable: 9 operations on 3 keys\nstate: the servers agree about the slots, and replicas have",
        "state: node 5 does not answer\n",
    ] {
        assert!(printed.contains(sentence), "{sentence}{printed}{errors}");
    }
    assert_eq!(printed.matches("a -> 1\nb -> 2\nc -> 3\n").count(), 2);
    assert!(errors.contains("there is no node 9"), "{errors}");
}

#[test]
fn parameters_are_set_on_every_server() {
    let lines = "CAPACITY\nCAPACITY 64MiB\nCAPACITY 128MiB NODE 1\nCAPACITY\nEVICTION lfu\nEVICTION\n\
                 EVICTION none\nEVICTION\nCAPACITY none\nCAPACITY\nGET a\nSTATS RESET\nEVICTION arc\n\
                 CAPACITY 100\nFAILOVER 0\n";
    let (printed, errors) = run_with(&["--launch", "redis-server"], lines);
    let shown = "none\n64MiB a node; node 1: 128MiB\nallkeys-lfu\nnoeviction\nnone\na -> null\n";
    assert_eq!(printed, shown, "{errors}");
    for why in [
        "real servers have lru, lfu, random, ttl and none",
        "real servers bound their memory",
        "node 0 has no replica",
    ] {
        assert!(errors.contains(why), "{errors}");
    }
}

#[test]
fn faults_at_random_come_and_go_and_nothing_is_made_up() {
    let lines = "NEMESIS heavy\nNEMESIS\nLOAD uniform KEYS 100 WRITES 50% CLIENTS 8 FOR 12s\nNEMESIS off\n\
                 EVENTS 1000\nHEAL ALL\nFAULTS\nCHECK \"no invented value\"\n";
    let (printed, errors) = run_with(&LAUNCH, lines);
    assert!(printed.contains("heavy\n"), "{printed}{errors}");
    assert!(
        printed.matches("Nemesis: ").count() > 10,
        "{printed}{errors}"
    );
    assert!(!errors.contains("broken"), "{printed}{errors}");
}

#[test]
fn a_clock_that_is_ahead_expires_keys_too_early_and_check_says_so() {
    let valkey = valkey();
    let options = ["--launch", &valkey, "--nodes", "1", "--skewable"];
    let lines = "PUT k v 10s\nGET k\nSKEW 0 1h\nSLEEP 300ms\nFAULTS\nGET k\nCHECK\nHEAL ALL\nFAULTS\nSLEEP 300ms\nPUT k v 10s\nGET k\n";
    let (printed, errors) = run_with(&options, lines);
    let start =
        "k -> v\nSKEW 0 1h\nk -> null\nlinearizable but for losses: 3 operations on 1 key\n";
    assert!(printed.starts_with(start), "{printed}{errors}");
    assert!(printed.ends_with("\nk -> v\n"), "{printed}{errors}");
    assert_eq!(printed.matches("SKEW").count(), 1, "{printed}");
    let (_, errors) = run_with(&["--launch", &valkey, "--nodes", "1"], "SKEW 0 1s\n");
    assert!(errors.contains("--skewable"), "{errors}");
}
