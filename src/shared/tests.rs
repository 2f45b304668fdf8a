use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use super::*;
use crate::config::Config;
use crate::event::EventKind;

fn share(config: Config) -> SharedCache {
    let cluster = Cluster::new(config).expect("a valid config");
    SharedCache::start(cluster).expect("a thread")
}

const SOON: Option<Duration> = Some(Duration::from_millis(20));
/// Longer than any machine takes.
const LONG: Duration = Duration::from_mins(1);

#[test]
fn it_can_be_shared() {
    fn check_handle<T: Send + Sync + Clone + 'static>() {}
    fn check_reader<T: Send + 'static>() {}
    check_handle::<SharedCache>();
    check_reader::<Events>();
}

#[test]
fn an_entry_expires_without_a_call() {
    let cache = share(Config::new());
    let mut events = cache.events();
    cache.put(b"later", b"1", Some(LONG * 2)).expect("stored");
    cache.put(b"soon", b"1", SOON).expect("stored");
    let notice = events.next_within(LONG);
    let Some(Notice::Event(event)) = notice else {
        panic!("an expiry, not {notice:?}");
    };
    assert_eq!(
        (&*event.key, &event.kind),
        (&b"soon"[..], &EventKind::Expired)
    );
    assert_eq!(Some(event.at), event.deadline, "at its deadline");
    assert_eq!(cache.get(b"soon"), Ok(None));
    assert_eq!(events.try_next(), None);
}

#[test]
fn a_ttl_that_makes_no_deadline_is_refused() {
    let cache = share(Config::new());
    let refused = cache.put(b"a", b"1", Some(Duration::ZERO));
    assert_eq!(refused, Err(Error::Ttl(TimeError::Zero)));
    assert_eq!(cache.get(b"a"), Ok(None));
}

#[test]
fn the_last_handle_ends_the_timer_and_the_readers() {
    let cache = share(Config::new());
    let mut events = cache.events();
    cache.put(b"a", b"1", Some(LONG)).expect("stored");
    let other = cache.clone();
    drop(cache);
    assert_eq!(other.get(b"a"), Ok(Some(b"1"[..].into())), "one is left");
    let shared = Arc::downgrade(&other.0.shared);
    let reader = thread::spawn(move || events.next());
    drop(other);
    assert_eq!(reader.join().expect("no panic"), None);
    assert_eq!(shared.strong_count(), 0, "the timer is gone");
}

#[test]
fn a_slow_reader_gets_the_number_of_events_that_it_missed() {
    let cache = share(Config::new().nodes(1).event_log(3));
    let mut events = cache.events();
    for number in 0..10_u8 {
        cache.put(&[number], b"1", SOON).expect("stored");
        // The log is trimmed by the next call, and each expiry is one of its own here.
        while cache.with(Cluster::size) > 0 {
            thread::yield_now();
        }
    }
    cache.get(b"").expect("an answer");
    assert_eq!(events.try_next(), Some(Notice::Missed(7)));
    let rest: Vec<u8> = std::iter::from_fn(|| events.try_next())
        .map(|notice| match notice {
            Notice::Event(event) => event.key[0],
            Notice::Missed(_) => panic!("one gap"),
        })
        .collect();
    assert_eq!(rest, [7, 8, 9]);
}

#[test]
fn a_panic_in_a_call_leaves_the_cluster_usable() {
    let cache = share(Config::new());
    let other = cache.clone();
    let panicked = thread::spawn(move || other.with(|_, _| panic!("on purpose"))).join();
    assert!(panicked.is_err());
    cache.put(b"a", b"1", None).expect("stored");
    assert_eq!(cache.get(b"a"), Ok(Some(b"1"[..].into())));
}

const THREADS: u32 = 8;
const ROUNDS: u32 = 5_000;

/// One of the threads: increments a counter, and writes its own keys, which expire.
fn work(cache: &SharedCache, thread: u32) {
    for round in 0..ROUNDS {
        let counter = [b'c', u8::try_from(round % 16).expect("small")];
        let sum = cache.with(|cluster, now| cluster.incr(now, &counter, 1));
        sum.expect("a number");
        let key = [thread.to_le_bytes(), round.to_le_bytes()].concat();
        let ttl = Duration::from_millis(1 + u64::from(round % 30));
        cache.put(&key, &key, Some(ttl)).expect("stored");
        let found = cache.get(&key).expect("an answer");
        assert!(found.is_none_or(|value| *value == *key));
        if round % 10 == 0 {
            cache.put(&key, b"again", None).expect("stored");
            assert_eq!(cache.delete(&key), Ok(true));
        }
    }
}

/// Reads events until this many are read or missed.
fn count(mut events: Events, wanted: u64) -> u64 {
    let mut read = 0;
    while read < wanted {
        read += match events.next_within(LONG) {
            Some(Notice::Event(event)) => {
                assert_eq!(event.kind, EventKind::Expired);
                1
            }
            Some(Notice::Missed(missed)) => missed,
            None => break,
        };
    }
    read
}

#[test]
fn eight_threads_lose_no_update_and_no_event() {
    let cache = share(Config::new().nodes(4).event_log(500));
    // One key in ten is deleted, and may or may not have expired before it was written again.
    let kept = u64::from(THREADS * (ROUNDS - ROUNDS / 10));
    let events = cache.events();
    let reader = thread::spawn(move || count(events, kept));
    let start = Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (cache, start) = (cache.clone(), &start);
            scope.spawn(move || {
                start.wait();
                work(&cache, thread);
            });
        }
    });
    let read = reader.join().expect("no panic");
    assert!(read >= kept, "{read} of {kept} events");
    while cache.with(Cluster::size) > 16 {
        thread::sleep(Duration::from_millis(1));
    }
    let expired = cache.with(|cluster, now| cluster.stats(now).expired);
    let all = u64::from(THREADS * ROUNDS);
    assert!((kept..=all).contains(&expired), "{expired} expired");
    let counted: i64 = (0..16_u8)
        .map(|n| cache.with(|cluster, now| cluster.incr(now, &[b'c', n], 0)))
        .map(|number| number.expect("a number"))
        .sum();
    assert_eq!(counted, i64::from(THREADS * ROUNDS));
}
