//! What clients ask of a cluster and are told: who is asked, who is asked next, what is recorded,
//! and what the settings promise.

use std::time::Duration;

use shardlab::cache::{Cache, Error};
use shardlab::checker::Promise;
use shardlab::cluster::Restart;
use shardlab::cluster::{Disorder, Status, Ticket};
use shardlab::config::Capacity;
use shardlab::eviction::Eviction;
use shardlab::history;
use shardlab::id::NodeId;
use shardlab::operation::{CountError, Outcome, PutError, Refusal};
use shardlab::placement::PlacementKind;
use shardlab::replica::Message;
use shardlab::time::Instant;
use shardlab::{Cluster, Config};

use super::story::{self, Action, add, at, five, hit, put, refused, reply, soon};

fn ask(cluster: &mut Cluster, now: Instant, via: Option<NodeId>, action: Action) -> Ticket {
    story::ask(cluster, now, 0, via, action)
}

fn red() -> Action {
    put(b"red", None)
}

#[test]
fn who_is_asked_answers() {
    let (mut cluster, [a, _, _, other]) = five(soon);
    let first = ask(&mut cluster, at(0), None, red());
    assert_eq!(reply(&mut cluster, at(0), first), (at(0), a, Outcome::Done));
    let named = ask(&mut cluster, at(0), Some(other), red());
    assert_eq!(reply(&mut cluster, at(0), named).1, other);
}

#[test]
fn when_a_coordinator_crashes_its_clients_ask_the_next_at_once() {
    let (mut cluster, [a, b, c, _]) = five(soon);
    for node in [b, c] {
        let delay = cluster
            .network()
            .delay(a, node, Duration::from_millis(50), Duration::ZERO);
        delay.expect("two nodes");
    }
    let put = ask(&mut cluster, at(0), None, red());
    let delay = cluster
        .network()
        .delay(b, c, Duration::from_millis(50), Duration::ZERO);
    delay.expect("two nodes");
    let late = ask(&mut cluster, at(5), Some(b), Action::Get);
    cluster.crash(at(10), a).expect("it runs");
    let (when, who, answer) = reply(&mut cluster, at(10), put);
    assert_eq!((who, answer), (b, Outcome::Done));
    assert!(when <= at(110), "{when:?}: it waited for who was down");
    let (_, who, answer) = reply(&mut cluster, at(10), late);
    assert_eq!(who, b);
    assert!(matches!(answer, Outcome::Value(_)), "{answer:?}");
}

#[test]
fn a_condition_goes_to_the_next_owner_only_if_the_first_is_certainly_down() {
    let add = || add(b"red", None);
    let (mut cluster, [a, b, ..]) = five(soon);
    cluster.crash(at(0), a).expect("it runs");
    let asked = ask(&mut cluster, at(1), None, add());
    let (when, who, answer) = reply(&mut cluster, at(1), asked);
    assert_eq!((when, who, answer), (at(1), b, Outcome::Applied(true)));

    let (mut cluster, [a, ..]) = five(soon);
    cluster.pause(at(0), a).expect("it runs");
    let asked = ask(&mut cluster, at(1), None, add());
    let (_, _, answer) = reply(&mut cluster, at(1), asked);
    assert!(matches!(answer, Outcome::Unknown(_)), "{answer:?}");
    let get = ask(&mut cluster, at(1000), None, Action::Get);
    let (_, _, answer) = reply(&mut cluster, at(1000), get);
    assert_eq!(answer, Outcome::Value(None), "nobody else was asked");
}

#[test]
fn what_is_refused_late_may_have_been_done_by_who_was_silent() {
    let nothing = Capacity {
        entries: Some(0),
        bytes: None,
    };
    let (mut cluster, [a, ..]) = five(|config| {
        soon(config);
        config.capacity = nothing;
    });
    let put = ask(&mut cluster, at(0), None, red());
    let (_, _, answer) = reply(&mut cluster, at(0), put);
    assert!(matches!(answer, Outcome::Refused(_)), "{answer:?}");
    cluster.pause(at(0), a).expect("it runs");
    let put = ask(&mut cluster, at(0), None, red());
    cluster.tick(at(350));
    cluster.resume(at(351), a).expect("it is paused");
    let (_, _, answer) = reply(&mut cluster, at(351), put);
    assert!(matches!(answer, Outcome::Unknown(_)), "{answer:?}");
}

#[test]
fn what_nobody_waits_for_any_more_is_unknown() {
    let (mut cluster, [a, ..]) = five(soon);
    cluster.begin_history(at(0), 100);
    cluster.pause(at(0), a).expect("it runs");
    let put = ask(&mut cluster, at(1), None, red());
    let waiting = Disorder::Unfinished("1 request has no answer".into());
    assert_eq!(cluster.verify(at(1)), [waiting]);
    cluster.abandon(at(2), put);
    let put = cluster.put(at(3), b"apple", b"red", None);
    assert!(matches!(put, Err(Error::Unknown(_))), "{put:?}");
    let history = cluster.history().expect("it is recorded").calls();
    let told: Vec<_> = history
        .iter()
        .map(|it| (it.returned, &it.outcome))
        .collect();
    let unknown = &Some(history::Outcome::Unknown);
    assert_eq!(told.len(), 2);
    assert!(
        told.iter().all(|(_, outcome)| *outcome == unknown),
        "{told:?}"
    );
    let paused = Disorder::Unfinished(format!("node {a} is paused"));
    assert_eq!(cluster.verify(at(3)), [paused], "nobody waits");
}

#[test]
fn messages_are_counted_and_traced_up_to_a_bound() {
    let (mut cluster, _) = five(|config| config.always_by_message = true);
    cluster
        .put(at(0), b"apple", b"red", None)
        .expect("acknowledged");
    let counts = cluster.delivered().into_iter().zip(Message::KINDS);
    let counts: Vec<_> = counts.filter(|(count, _)| *count > 0).collect();
    let expected = [(1, "request"), (1, "answer"), (2, "write"), (2, "written")];
    assert_eq!(counts, expected);
    cluster.start_trace();
    for _ in 0..2_000 {
        cluster
            .put(at(0), b"apple", b"red", None)
            .expect("acknowledged");
    }
    let trace = cluster.end_trace();
    assert_eq!((trace.messages.len(), trace.omitted), (10_000, 2_000));
    assert_eq!(cluster.delivered().iter().sum::<u64>(), 2_001 * 6);
}

#[test]
fn a_node_says_what_it_is_doing() {
    let (mut cluster, [a, b, ..]) = five(soon);
    cluster
        .put(at(0), b"apple", b"red", None)
        .expect("acknowledged");
    let delay = cluster
        .network()
        .delay(a, b, Duration::from_millis(50), Duration::ZERO);
    delay.expect("two nodes");
    cluster.crash(at(1), a).expect("it runs");
    assert_eq!(cluster.status(a), Some(Status::Crashed));
    cluster
        .restart(at(2), a, Restart::Resync)
        .expect("it crashed");
    assert_eq!(cluster.status(a), Some(Status::Syncing));
    cluster.tick(at(200));
    assert_eq!(cluster.status(a), Some(Status::Up));
    cluster.leave(at(200), a).expect("four stay");
    assert_eq!(cluster.status(a), Some(Status::Leaving));
    cluster.move_all(at(200));
    assert_eq!(cluster.status(a), None);
}

#[test]
fn a_history_begins_with_what_is_there_and_that_takes_no_room_from_requests() {
    for keys in [1, 10, 1_000] {
        let mut cluster = Cluster::new(Config::default()).expect("a cluster");
        for n in 0..keys {
            let put = cluster.put(at(0), format!("k{n}").as_bytes(), b"red", None);
            put.expect("room");
        }
        cluster.begin_history(at(1), 2);
        for _ in 0..3 {
            assert_eq!(cluster.get(at(1), b"k0"), hit(b"red"));
        }
        let history = cluster.history().expect("it is recorded");
        let gets = history.calls().iter();
        let gets = gets.filter(|it| it.operation.is_read()).count();
        assert_eq!((gets, history.forgotten()), (2, 1), "{keys} keys");
    }
}

#[test]
fn the_rough_size_is_exact_as_long_as_there_is_little() {
    let config = Config::new().nodes(3).replicas(2);
    let mut cluster = Cluster::new(config).expect("a cluster");
    cluster.crash(at(0), NodeId(1)).expect("it runs");
    let (mut keys, mut copies) = (0, 0);
    while copies <= 10_000 {
        let put = cluster.put(at(0), format!("k{keys}").as_bytes(), b"", None);
        put.expect("acknowledged");
        keys += 1;
        if keys == 1000 || copies > 9_990 || keys > 6_000 {
            let stats = cluster.node_stats(at(0)).into_iter();
            copies = stats.map(|(_, stats)| stats.keys).sum();
            let expected = if copies <= 10_000 { keys } else { copies / 2 };
            assert_eq!(cluster.rough_size(), expected, "{copies} copies");
        }
    }
    assert!(copies / 2 < keys, "some keys have one copy only");
}

#[test]
fn the_rough_size_counts_no_key_twice_while_it_moves() {
    let mut cluster = Cluster::new(Config::new().nodes(3)).expect("a cluster");
    for key in 0..20_000 {
        let put = cluster.put(at(0), format!("k{key}").as_bytes(), b"", None);
        put.expect("acknowledged");
    }
    cluster.join(at(0), 1).expect("there is room for a node");
    let mut was_copied = false;
    while cluster.is_moving() {
        let stats = cluster.node_stats(at(0)).into_iter();
        let copies: u64 = stats.map(|(_, stats)| stats.keys).sum();
        was_copied |= copies > 25_000;
        assert_eq!(cluster.rough_size(), 20_000, "{copies} copies");
        cluster.move_some(at(0), 100);
    }
    assert!(was_copied, "many keys are at two nodes in between");
}

/// Whether any `w` and any `r` of `n` have one in common.
fn meet(n: u32, w: usize, r: usize) -> bool {
    let sets = |size: usize| (0..1_u32 << n).filter(move |set| set.count_ones() as usize == size);
    sets(w).all(|one| sets(r).all(|other| one & other != 0))
}

#[test]
fn what_is_promised_is_what_the_quorums_have_in_common() {
    for n in 1..=5 {
        let replicas = n as usize;
        for (w, r) in (1..=replicas).flat_map(|w| (1..=replicas).map(move |r| (w, r))) {
            let config = Config::new().quorums(w, r).nodes(5).replicas(replicas);
            let mut cluster = Cluster::new(config).expect("a cluster");
            let expected = match () {
                () if !meet(n, w, r) => Promise::NoExpiredRead,
                () if r == 1 && n > 1 => Promise::NoStaleRead,
                () => Promise::Linearizable,
            };
            assert_eq!(cluster.promise(), expected, "{n} {w} {r}");
            let capacity = Capacity {
                entries: Some(3),
                bytes: None,
            };
            cluster.set_eviction(at(0), Eviction::None);
            cluster.set_capacity(at(0), capacity);
            assert_eq!(cluster.promise(), expected, "{n} {w} {r}");
            cluster.set_eviction(at(0), Eviction::Lru);
            let evicts = if n == 1 {
                Promise::MayLose
            } else {
                Promise::NoExpiredRead
            };
            assert_eq!(cluster.promise(), evicts, "{n} {w} {r}");
        }
    }
}

#[test]
fn a_crash_weakens_the_promise_where_it_may_lose_something() {
    let promise = |replicas, quorum, entries, crashes: u32| {
        let config = Config::new()
            .quorums(quorum, quorum)
            .nodes(5)
            .replicas(replicas)
            .eviction(Eviction::None)
            .capacity(Capacity {
                entries,
                bytes: None,
            });
        let mut cluster = Cluster::new(config).expect("a cluster");
        for node in 0..crashes {
            cluster.crash(at(0), NodeId(node)).expect("it runs");
        }
        cluster.promise()
    };
    assert_eq!(promise(1, 1, None, 1), Promise::MayLose);
    assert_eq!(promise(3, 2, None, 1), Promise::Linearizable);
    assert_eq!(promise(3, 2, None, 2), Promise::NoExpiredRead);
    assert_eq!(promise(3, 2, Some(3), 1), Promise::NoExpiredRead);
}

#[test]
fn conditional_writes_weaken_the_promise_of_their_key_only() {
    let (mut cluster, [a, b, ..]) = five(|config| {
        config.history = 100;
        soon(config);
    });
    let of = |cluster: &Cluster, key: &[u8]| cluster.promise_of(key);
    ask(&mut cluster, at(0), Some(a), Action::Incr { delta: 1 });
    assert_eq!(of(&cluster, b"apple"), Promise::Linearizable, "alone");
    let delay = Duration::from_millis(50);
    let delayed = cluster.network().delay(a, b, delay, Duration::ZERO);
    delayed.expect("two nodes");
    ask(&mut cluster, at(1), Some(a), Action::Incr { delta: 1 });
    ask(&mut cluster, at(2), Some(b), put(b"red", None));
    assert_eq!(of(&cluster, b"apple"), Promise::NoInventedValue, "overlap");
    assert_eq!(of(&cluster, b"fig"), Promise::Linearizable, "another key");
    assert_eq!(cluster.promise(), Promise::NoInventedValue);
}

#[test]
fn each_waits_for_as_long_as_it_asked() {
    let (mut cluster, [a, b, ..]) = five(soon);
    for node in [a, b] {
        cluster.pause(at(0), node).expect("it runs");
    }
    let first = ask(&mut cluster, at(0), Some(a), Action::Get);
    let second = ask(&mut cluster, at(50), Some(b), Action::Get);
    assert_eq!(reply(&mut cluster, at(50), first).0, at(300));
    assert_eq!(reply(&mut cluster, at(300), second).0, at(350));
}

#[test]
fn what_is_on_the_way_is_counted() {
    let (mut cluster, [a, b, c, _]) = five(soon);
    let on_the_way = |cluster: &mut Cluster| cluster.verify(at(0))[0].to_string();
    for node in [b, c] {
        let delay = cluster
            .network()
            .delay(a, node, Duration::from_millis(50), Duration::ZERO);
        delay.expect("two nodes");
    }
    ask(&mut cluster, at(0), Some(a), Action::Get);
    assert_eq!(
        on_the_way(&mut cluster),
        "not at rest: 1 message is on the way"
    );
    ask(&mut cluster, at(0), Some(a), Action::Get);
    assert_eq!(
        on_the_way(&mut cluster),
        "not at rest: 2 messages are on the way"
    );
    assert!(!cluster.is_at_rest());
    cluster.tick(at(1000));
    assert!(cluster.is_at_rest());
}

#[test]
fn a_counter_says_why_it_was_not_increased() {
    let incr = |cluster: &mut Cluster, delta| cluster.incr(at(0), b"apple", delta);
    let (mut cluster, [a, b, ..]) = five(soon);
    assert_eq!(incr(&mut cluster, 2), Ok(2));
    let sum = Err(Error::Refused(CountError::Overflow.into()));
    assert_eq!(incr(&mut cluster, i64::MAX), sum);
    cluster
        .put(at(0), b"apple", b"red", None)
        .expect("acknowledged");
    let number = Err(Error::Refused(CountError::NotANumber.into()));
    assert_eq!(incr(&mut cluster, 1), number);
    cluster.pause(at(0), a).expect("it runs");
    let silent = incr(&mut cluster, 1);
    assert!(matches!(silent, Err(Error::Unknown(_))), "{silent:?}");
    for node in [a, b] {
        cluster.crash(at(0), node).expect("it is there");
    }
    let short = incr(&mut cluster, 1);
    let is_short = matches!(short, Err(Error::Refused(Refusal::Quorum(_))));
    assert!(is_short, "{short:?}");
    let nothing = Capacity {
        entries: Some(0),
        bytes: None,
    };
    let (mut cluster, _) = five(|config| config.capacity = nothing);
    assert_eq!(incr(&mut cluster, 1), refused(PutError::NoCapacity));
}

#[test]
fn a_copy_that_a_wrong_clock_let_go_early_is_no_disorder() {
    let (mut cluster, [a, ..]) = five(soon);
    cluster
        .put(at(0), b"apple", b"red", Some(at(1000)))
        .expect("acknowledged");
    cluster.skew(at(10), a, 2_000_000_000).expect("a node");
    assert_eq!(cluster.keys(at(10), Some(a), |_| true).len(), 0, "early");
    cluster.skew(at(20), a, 0).expect("a node");
    for now in [20, 999, 1000, 1001] {
        assert_eq!(cluster.verify(at(now)), [], "at {now} ms");
    }
}

#[test]
fn every_write_has_a_version_of_its_own() {
    let (mut cluster, _) = five(soon);
    let mut latest = cluster.version();
    for turn in 0..3 {
        let put = cluster.put(at(turn), b"apple", b"red", None);
        put.expect("acknowledged");
        assert!(cluster.version() > latest, "a put");
        latest = cluster.version();
        assert_eq!(cluster.delete(at(turn), b"apple"), Ok(true));
        assert!(cluster.version() > latest, "a delete");
        latest = cluster.version();
    }
}

#[test]
fn an_owner_that_knows_nothing_is_not_believed() {
    let (mut cluster, [a, ..]) = five(|config| {
        (config.write_quorum, config.read_quorum) = (1, 1);
    });
    cluster
        .put(at(0), b"apple", b"red", None)
        .expect("acknowledged");
    cluster.crash(at(1), a).expect("it runs");
    cluster
        .restart(at(2), a, Restart::Cold)
        .expect("it crashed");
    assert_eq!(cluster.get(at(3), b"apple"), hit(b"red"));
}

#[test]
fn there_are_as_many_replicas_as_nodes_at_most() {
    let (mut cluster, [a, ..]) = five(soon);
    assert!(cluster.set_replicas(at(0), 6).is_err());
    cluster.join(at(0), 1).expect("room");
    cluster.move_all(at(0));
    cluster.set_replicas(at(0), 6).expect("six nodes");
    cluster.move_all(at(0));
    cluster.set_replicas(at(0), 2).expect("fewer");
    cluster.move_all(at(0));
    for node in [a, NodeId(5)] {
        cluster.leave(at(0), node).expect("two stay");
        cluster.move_all(at(0));
    }
    assert!(cluster.set_replicas(at(0), 5).is_err(), "four nodes");
    assert!(cluster.set_replicas(at(0), 4).is_ok());
}

/// Clients of a node that has left ask the next owner at once, and do not wait for their time.
#[test]
fn clients_of_a_node_that_has_left_ask_the_next() {
    let (mut cluster, [a, b, c, _]) = five(soon);
    cluster
        .put(at(0), b"apple", b"red", None)
        .expect("acknowledged");
    for node in [b, c] {
        let delay = Duration::from_millis(50);
        let late = cluster.network().delay(a, node, delay, Duration::ZERO);
        late.expect("two nodes");
    }
    let get = ask(&mut cluster, at(5), None, Action::Get);
    cluster.leave(at(10), a).expect("four stay");
    assert_eq!(cluster.move_all(at(10)).waiting, 0);
    assert_eq!(cluster.status(a), None, "it has left");
    let (when, who, answer) = reply(&mut cluster, at(10), get);
    assert!(matches!(answer, Outcome::Value(Some(_))), "{answer:?}");
    assert_eq!((when, who), (at(10), b));
}

/// A node that was paused while another one left waits for the new owner, and not for the one that
/// is gone.
#[test]
fn a_node_that_runs_again_learns_the_owners() {
    // Some placements make the paused node an owner, and then the key waits for it.
    let tried = PlacementKind::ALL
        .iter()
        .map(|&kind| resumes_after_leave(kind));
    assert!(tried.filter(|&tried| tried).count() > 1);
}

fn resumes_after_leave(placement: PlacementKind) -> bool {
    let (mut cluster, [_, b, _, other]) = five(|config| {
        soon(config);
        (config.write_quorum, config.read_quorum) = (3, 1);
        config.placement = placement;
    });
    let delay = Duration::from_millis(50);
    let late = cluster.network().delay(other, b, delay, Duration::ZERO);
    late.expect("two nodes");
    let put = ask(&mut cluster, at(0), Some(other), red());
    cluster.pause(at(10), other).expect("it runs");
    cluster.leave(at(10), b).expect("four stay");
    if cluster.move_all(at(10)).waiting > 0 {
        return false;
    }
    cluster.resume(at(20), other).expect("it is paused");
    let (when, who, answer) = reply(&mut cluster, at(20), put);
    assert_eq!(
        (when, who, answer),
        (at(20), other, Outcome::Done),
        "{placement}"
    );
    true
}
