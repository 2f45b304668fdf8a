//! The redis crate against a cluster that this process serves.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use redis::cluster::{ClusterClient, ClusterClientBuilder, ClusterConnection};
use redis::{Client, Commands, Connection, ErrorKind, RedisResult};
use shardlab::placement::PlacementKind;
use shardlab::time::ClockKind;
use shardlab::{Config, ServedCluster};

fn serve(config: Config, clock: ClockKind) -> ServedCluster {
    let config = config.nodes(3).placement(PlacementKind::Slots);
    ServedCluster::start(config, clock).expect("ports are free")
}

/// All three nodes have all keys, and two answer for each.
fn copies() -> Config {
    Config::new().replicas(3).quorums(2, 2)
}

fn url(cluster: &ServedCluster, node: usize, protocol: &str) -> String {
    format!("redis://{}/?protocol={protocol}", cluster.addresses()[node])
}

fn connect(cluster: &ServedCluster, node: usize) -> Connection {
    let client = Client::open(url(cluster, node, "resp3")).expect("an address");
    client.get_connection().expect("a connection")
}

fn connect_to_all(cluster: &ServedCluster, protocol: &str) -> ClusterConnection {
    let client = ClusterClient::new(vec![url(cluster, 0, protocol)]).expect("an address");
    client.get_connection().expect("a connection")
}

#[test]
fn it_works_on_a_healthy_cluster_in_both_protocols() -> RedisResult<()> {
    for protocol in ["resp2", "resp3"] {
        let cluster = serve(Config::new(), ClockKind::Virtual);
        let mut redis = connect_to_all(&cluster, protocol);
        for number in 0..100 {
            let () = redis.set(format!("key{number}"), number)?;
        }
        for number in 0..100 {
            assert_eq!(redis.get::<_, i64>(format!("key{number}"))?, number);
        }
        assert_eq!(redis.incr::<_, _, i64>("key1", 41)?, 42);
        let () = redis.hset_multiple("hash", &[("a", 1), ("b", 2)])?;
        let hash: BTreeMap<String, i64> = redis.hgetall("hash")?;
        assert_eq!(hash, [("a".into(), 1), ("b".into(), 2)].into());
        let mut pipeline = redis::cluster::cluster_pipe();
        for number in 0..50 {
            pipeline.incr(format!("count{number}"), number);
        }
        let counts: Vec<i64> = pipeline.query(&mut redis)?;
        assert_eq!(counts, (0..50).collect::<Vec<_>>());

        let () = redis.set_ex("soon", "gone", 3600)?;
        cluster.run("ADVANCE 3599s").expect("it is a command");
        assert_eq!(redis.pttl::<_, i64>("soon")?, 1000);
        cluster.run("ADVANCE 1s").expect("it is a command");
        assert_eq!(redis.get::<_, Option<String>>("soon")?, None);
    }
    Ok(())
}

#[test]
fn a_transaction_and_a_channel_work_on_one_node() -> RedisResult<()> {
    let cluster = ServedCluster::start(Config::new().nodes(2), ClockKind::Virtual)?;
    let mut redis = connect(&cluster, 0);
    let mut transaction = redis::pipe();
    transaction
        .atomic()
        .set("x", 1)
        .ignore()
        .incr("x", 1)
        .get("x");
    assert_eq!(
        transaction.query::<(i64, String)>(&mut redis)?,
        (2, "2".into())
    );

    let client = Client::open(url(&cluster, 1, "resp2"))?;
    let mut listener = client.get_connection()?;
    let mut channel = listener.as_pubsub();
    channel.subscribe("__keyevent@0__:expired")?;
    let () = redis::cmd("CONFIG")
        .arg("SET")
        .arg("notify-keyspace-events")
        .arg("Ex")
        .query(&mut redis)?;
    let () = redis.set_ex("soon", "gone", 60)?;
    cluster.run("ADVANCE 1m").expect("it is a command");
    channel.set_read_timeout(Some(Duration::from_secs(20)))?;
    assert_eq!(channel.get_message()?.get_payload::<String>()?, "soon");
    Ok(())
}

#[test]
fn it_sees_a_crash_and_a_pause() -> RedisResult<()> {
    let cluster = serve(copies(), ClockKind::Real);
    let mut plain = connect(&cluster, 1);
    let mut all = connect_to_all(&cluster, "resp3");
    for number in 0..30 {
        let () = all.set(format!("key{number}"), number)?;
    }
    cluster.run("CRASH 1").expect("node 1 is up");
    let error = redis::cmd("PING")
        .query::<()>(&mut plain)
        .expect_err("it is down");
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    let client = Client::open(url(&cluster, 1, "resp3"))?;
    let refused = client.get_connection().err().expect("it is down");
    assert!(refused.is_connection_refusal(), "{refused}");
    // A connection refused does not make the library read the slots again: a new client sees that another
    // node has taken over.
    let start = vec![url(&cluster, 0, "resp3")];
    for number in 0..30 {
        let key = format!("key{number}");
        let found = until(|| {
            let client = ClusterClientBuilder::new(start.clone()).build()?;
            client.get_connection()?.get::<_, i64>(&key)
        });
        assert_eq!(found, number);
    }

    let mut paused = connect(&cluster, 2);
    paused.set_read_timeout(Some(Duration::from_millis(300)))?;
    cluster.run("PAUSE 2").expect("node 2 is up");
    let error = redis::cmd("PING")
        .query::<()>(&mut paused)
        .expect_err("it is silent");
    assert!(error.is_timeout(), "{error}");
    cluster.run("RESUME 2").expect("node 2 is paused");
    let mut again = connect(&cluster, 2);
    assert_eq!(redis::cmd("PING").query::<String>(&mut again)?, "PONG");
    Ok(())
}

/// Asks again until there is an answer.
fn until<T>(mut ask: impl FnMut() -> RedisResult<T>) -> T {
    let start = Instant::now();
    loop {
        match ask() {
            Ok(found) => return found,
            Err(error) => assert!(start.elapsed() < Duration::from_secs(30), "{error}"),
        }
    }
}

/// Writes until it is over, on a new connection after each failure: the library goes on to ask a node that
/// has left. Returns the values that each key may have.
fn write(
    client: &ClusterClient,
    redis: &mut ClusterConnection,
    is_over: &AtomicBool,
) -> BTreeMap<String, Vec<Option<u64>>> {
    let mut possible: BTreeMap<String, Vec<Option<u64>>> = BTreeMap::new();
    for number in 0.. {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        let values = possible
            .entry(format!("key{}", number % 500))
            .or_insert_with(|| vec![None]);
        if redis
            .set::<_, _, ()>(format!("key{}", number % 500), number)
            .is_ok()
        {
            *values = vec![Some(number)];
            continue;
        }
        // It may have been stored.
        values.push(Some(number));
        if let Ok(new) = client.get_connection() {
            *redis = new;
        }
    }
    possible
}

#[test]
fn it_loses_no_acknowledged_write_while_slots_move() -> RedisResult<()> {
    let cluster = serve(Config::new(), ClockKind::Real);
    let start = vec![url(&cluster, 1, "resp3")];
    let client = ClusterClientBuilder::new(start).build()?;
    let mut redis = client.get_connection()?;
    let is_over = AtomicBool::new(false);
    let possible = thread::scope(|scope| {
        let writer = scope.spawn(|| write(&client, &mut redis, &is_over));
        for line in ["JOIN", "LEAVE 0"] {
            thread::sleep(Duration::from_millis(700));
            cluster.run(line).expect("nothing else moves");
        }
        thread::sleep(Duration::from_millis(700));
        is_over.store(true, Ordering::Relaxed);
        writer.join().expect("it writes to the end")
    });
    assert_eq!(possible.len(), 500);
    for (key, values) in possible {
        let found: Option<u64> = redis.get(&key)?;
        assert!(
            values.contains(&found),
            "{key}: {found:?} is none of {values:?}"
        );
    }
    Ok(())
}
