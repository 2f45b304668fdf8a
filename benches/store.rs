//! One node's store side by side with other caches in memory:
//!
//! ```text
//! cargo bench -p shardlab-benches --bench store                # 1 million entries
//! cargo bench -p shardlab-benches --bench store -- --large     # 10 million
//! ```
//!
//! `--entries N` and `--rounds N` change the size and the repetitions, `--only A,B` takes the rows
//! whose names contain A or B.
//!
//! Keys have 16 bytes and values 64, on one thread. Every measurement is made in a process of its
//! own, so that none starts with a fragmented heap, and the contenders take
//! turns within a round, so a busy moment of the machine hits all alike. Time is the CPU's. A get
//! reads the value's first and last byte; a put is given slices, and pays for its own copies.
//! All that let their hash be chosen use foldhash, but for ours, which hashes with rapidhash.
//! Bytes are what the process grows by, less those of keys and values.
//!
//! What to know of the rows: the standard `HashMap` evicts nothing and is the floor. lru allocates its index for
//! its whole capacity at the start. foyer runs
//! S3-FIFO in one shard. mini-moka has one TTL for
//! all entries and takes no part where they differ. moka looks at the real clock and expires when
//! it likes, so expiry in order has no peers here.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "entries are numbered in 32 bits, and bytes are cut out of their numbers"
)]
#![allow(clippy::print_stdout, reason = "the table goes to standard output")]

use std::collections::HashMap;
use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant as Wall};
use std::{env, fs, thread};

use anyhow::{Context, Result, bail};
use foldhash::fast::RandomState;
use quick_cache::unsync::DefaultLifecycle;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_distr::{Distribution, Zipf};
use rand_xoshiro::Xoshiro256PlusPlus;
use shardlab::config::Capacity;
use shardlab::event::EventLog;
use shardlab::eviction::{Eviction, EvictionPolicy, Lru, Sieve};
use shardlab::id::NodeId;
use shardlab::node::Node;
use shardlab::time::Instant;
use shardlab::{Cluster, Config, SharedCache};

type Bytes = Box<[u8]>;

/// What all ratios are to.
const REFERENCE: &str = "shardlab lru";
const HOUR: Duration = Duration::from_hours(1);
const KEY_AND_VALUE: usize = 16 + 64;

const PEERS: &[&str] = &[
    "get hit",
    "get miss",
    "put new",
    "overwrite",
    "delete",
    "put ttl",
    "zipf",
];
const SIZES: &[&str] = &["bytes", "bytes ttl", "zipf hit %"];
const OURS: &[&str] = &[
    "get in batches",
    "schedule",
    "cancel in order",
    "cancel at random",
    "expire each",
    "expire all",
];

/// A cache that takes part.
trait Contender {
    /// Whether the key is there; a hit goes through [`see`].
    fn get(&mut self, key: &[u8]) -> bool;
    fn put(&mut self, key: &[u8], value: &[u8]);
    fn delete(&mut self, key: &[u8]);
    fn put_ttl(&mut self, _key: &[u8], _value: &[u8], _ttl: Duration) {
        unreachable!("only for those that say they can");
    }
    /// Does what was put off.
    fn settle(&mut self) {}
}

fn see(value: &[u8]) -> bool {
    black_box(value[0] ^ value[value.len() - 1]);
    true
}

/// A node with the log that its calls want, which keeps nothing.
struct Ours<P: EvictionPolicy> {
    node: Node<P>,
    log: EventLog,
}

impl<P: EvictionPolicy> Ours<P> {
    fn unbound() -> Self {
        Self {
            node: Node::new(NodeId(0)),
            log: EventLog::new(0),
        }
    }

    fn store(&mut self, key: &[u8], value: &[u8], deadline: Option<Instant>) {
        let Self { node, log } = self;
        node.put(Instant::START, key, value, deadline, log)
            .expect("room");
    }
}

impl<P: EvictionPolicy> Contender for Ours<P> {
    fn get(&mut self, key: &[u8]) -> bool {
        let Self { node, log } = self;
        node.get(Instant::START, key, log).is_some_and(see)
    }
    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.store(key, value, None);
    }
    fn delete(&mut self, key: &[u8]) {
        self.node.delete(Instant::START, key, &mut self.log);
    }
    fn put_ttl(&mut self, key: &[u8], value: &[u8], ttl: Duration) {
        let deadline = Instant::START.after(ttl).expect("a deadline");
        self.store(key, value, Some(deadline));
    }
}

/// A cluster of one node that threads may share: the lock, the clock and the timer come on top.
impl Contender for SharedCache {
    fn get(&mut self, key: &[u8]) -> bool {
        let found = Self::get(self, key).expect("an answer");
        found.is_some_and(|value| see(&value))
    }
    fn put(&mut self, key: &[u8], value: &[u8]) {
        Self::put(self, key, value, None).expect("room");
    }
    fn delete(&mut self, key: &[u8]) {
        Self::delete(self, key).expect("an answer");
    }
    fn put_ttl(&mut self, key: &[u8], value: &[u8], ttl: Duration) {
        Self::put(self, key, value, Some(ttl)).expect("room");
    }
}

/// Shares a cluster of one node with room for so many entries.
fn shared(entries: usize) -> SharedCache {
    let config = Config::new()
        .nodes(1)
        .capacity(Capacity::entries(entries as u64))
        .event_log(0);
    let cluster = Cluster::new(config).expect("a cluster");
    SharedCache::start(cluster).expect("a thread")
}

/// A node with room for so many entries.
fn node<P: EvictionPolicy>(entries: usize, policy: P) -> Ours<P> {
    let mut ours = Ours::unbound();
    let capacity = Capacity {
        entries: Some(entries as u64),
        bytes: None,
    };
    let Ours { node, log } = &mut ours;
    node.bound(Instant::START, capacity, policy, log);
    ours
}

impl Contender for HashMap<Bytes, Bytes, RandomState> {
    fn get(&mut self, key: &[u8]) -> bool {
        Self::get(self, key).is_some_and(|value| see(value))
    }
    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.insert(key.into(), value.into());
    }
    fn delete(&mut self, key: &[u8]) {
        self.remove(key);
    }
}

type Quick = quick_cache::unsync::Cache<Bytes, Bytes, quick_cache::UnitWeighter, RandomState>;

impl Contender for Quick {
    fn get(&mut self, key: &[u8]) -> bool {
        Self::get(self, key).is_some_and(|value| see(value))
    }
    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.insert(key.into(), value.into());
    }
    fn delete(&mut self, key: &[u8]) {
        self.remove(key);
    }
}

impl Contender for lru::LruCache<Bytes, Bytes, RandomState> {
    fn get(&mut self, key: &[u8]) -> bool {
        Self::get(self, key).is_some_and(|value| see(value))
    }
    fn put(&mut self, key: &[u8], value: &[u8]) {
        Self::put(self, key.into(), value.into());
    }
    fn delete(&mut self, key: &[u8]) {
        self.pop(key);
    }
}

type Schnell = schnellru::LruMap<Bytes, Bytes, schnellru::ByLength, RandomState>;

/// schnellru wants to compare what it looks for with its keys.
#[derive(Hash)]
struct Wanted<'a>(&'a [u8]);

impl PartialEq<Bytes> for Wanted<'_> {
    fn eq(&self, key: &Bytes) -> bool {
        *self.0 == **key
    }
}

impl Contender for Schnell {
    fn get(&mut self, key: &[u8]) -> bool {
        Self::get(self, &Wanted(key)).is_some_and(|value| see(value))
    }
    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.insert(key.into(), value.into());
    }
    fn delete(&mut self, key: &[u8]) {
        self.remove(&Wanted(key));
    }
}

/// mini-moka looks for whole keys only, so what is looked for is written into one.
struct MiniMoka {
    cache: mini_moka::unsync::Cache<Bytes, Bytes, RandomState>,
    wanted: Bytes,
}

impl Contender for MiniMoka {
    fn get(&mut self, key: &[u8]) -> bool {
        self.wanted.copy_from_slice(key);
        self.cache.get(&self.wanted).is_some_and(|value| see(value))
    }
    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.cache.insert(key.into(), value.into());
    }
    fn delete(&mut self, key: &[u8]) {
        self.wanted.copy_from_slice(key);
        self.cache.invalidate(&self.wanted);
    }
}

/// moka clones what it finds, and asks the value for its TTL; 0 milliseconds: none.
#[derive(Clone)]
struct Timed {
    value: std::sync::Arc<[u8]>,
    millis: u32,
}

struct Ttl;

impl moka::Expiry<Bytes, Timed> for Ttl {
    fn expire_after_create(&self, _: &Bytes, value: &Timed, _: Wall) -> Option<Duration> {
        (value.millis > 0).then(|| Duration::from_millis(value.millis.into()))
    }
}

type Moka = moka::sync::Cache<Bytes, Timed, RandomState>;

impl Contender for Moka {
    fn get(&mut self, key: &[u8]) -> bool {
        Self::get(self, key).is_some_and(|timed| see(&timed.value))
    }
    fn put(&mut self, key: &[u8], value: &[u8]) {
        Contender::put_ttl(self, key, value, Duration::ZERO);
    }
    fn delete(&mut self, key: &[u8]) {
        self.invalidate(key);
    }
    fn put_ttl(&mut self, key: &[u8], value: &[u8], ttl: Duration) {
        let timed = Timed {
            value: value.into(),
            millis: ttl.as_millis() as u32,
        };
        self.insert(key.into(), timed);
    }
    fn settle(&mut self) {
        self.run_pending_tasks();
    }
}

type Foyer = foyer_memory::Cache<Bytes, Bytes, RandomState>;

impl Contender for Foyer {
    fn get(&mut self, key: &[u8]) -> bool {
        Self::get(self, key).is_some_and(|entry| see(entry.value()))
    }
    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.insert(key.into(), value.into());
    }
    fn delete(&mut self, key: &[u8]) {
        self.remove(key);
    }
}

/// A line of the table.
struct Row {
    name: &'static str,
    jobs: &'static [Job],
    run: fn(Job, usize) -> Results,
}

/// What one process does.
#[derive(Clone, Copy, PartialEq)]
enum Job {
    Plain,
    Ttl,
    Zipf,
    Expiry,
}

type Results = Vec<(&'static str, f64)>;

/// One row each: the name, what it takes part in, and how it is made.
fn rows() -> Vec<Row> {
    use Job::{Expiry, Plain, Ttl as Ttls, Zipf};
    let row = |name, jobs, run| Row { name, jobs, run };
    vec![
        row("shardlab (unbounded)", &[Plain, Ttls, Expiry], |job, n| {
            run_ours(job, n, |_| Ours::<Lru>::unbound())
        }),
        row(REFERENCE, &[Plain, Ttls, Zipf, Expiry], |job, n| {
            run_ours(job, n, |n| node(n, Lru::default()))
        }),
        row("shardlab sieve", &[Plain, Ttls, Zipf, Expiry], |job, n| {
            run_ours(job, n, |n| node(n, Sieve::default()))
        }),
        row(
            "shardlab lru (dyn)",
            &[Plain, Ttls, Zipf, Expiry],
            |job, n| run_ours(job, n, |n| node(n, Eviction::Lru.policy(0))),
        ),
        row("shardlab shared (lru)", &[Plain, Ttls, Zipf], |job, n| {
            run(job, n, shared)
        }),
        row("std HashMap", &[Plain], |job, n| {
            run(job, n, |_| HashMap::<Bytes, Bytes, RandomState>::default())
        }),
        row("quick_cache unsync", &[Plain, Zipf], |job, n| {
            run(job, n, |n| {
                let (weighter, hash) = (quick_cache::UnitWeighter, RandomState::default());
                Quick::with(n, n as u64, weighter, hash, DefaultLifecycle::default())
            })
        }),
        row("lru", &[Plain, Zipf], |job, n| {
            run(job, n, |n| {
                let n = n.try_into().expect("more than 0");
                lru::LruCache::<Bytes, Bytes, _>::with_hasher(n, RandomState::default())
            })
        }),
        row("schnellru", &[Plain, Zipf], |job, n| {
            run(job, n, |n| {
                Schnell::with_hasher(schnellru::ByLength::new(n as u32), RandomState::default())
            })
        }),
        row("foyer-memory", &[Plain, Zipf], |job, n| {
            run(job, n, |n| -> Foyer {
                let policy = foyer_memory::S3FifoConfig::default();
                let cache = foyer_memory::CacheBuilder::new(n).with_shards(1);
                let cache = cache.with_eviction_config(policy);
                cache.with_hash_builder(RandomState::default()).build()
            })
        }),
        row("mini-moka unsync", &[Plain, Zipf], |job, n| {
            run(job, n, |n| MiniMoka {
                cache: mini_moka::unsync::Cache::builder()
                    .max_capacity(n as u64)
                    .build_with_hasher(RandomState::default()),
                wanted: [0; 16].into(),
            })
        }),
        row("moka", &[Plain, Ttls, Zipf], |job, n| {
            run(job, n, |n| -> Moka {
                let cache = moka::sync::Cache::builder().max_capacity(n as u64);
                cache
                    .expire_after(Ttl)
                    .build_with_hasher(RandomState::default())
            })
        }),
    ]
}

fn key(i: u32) -> [u8; 16] {
    let i = u64::from(i).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut key = [b'k'; 16];
    key[8..].copy_from_slice(&i.to_le_bytes());
    key
}

fn value(i: u32) -> [u8; 64] {
    [i as u8; 64]
}

/// Anything up to an hour, and never nothing.
fn ttl(i: u32) -> Duration {
    let spread = u64::from(i).wrapping_mul(0xd134_2543_de82_ef95) >> 16;
    Duration::from_millis(1) + HOUR.mul_f64(spread as f64 / (1_u64 << 48) as f64)
}

fn rng() -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(1)
}

fn shuffled(n: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n as u32).collect();
    order.shuffle(&mut rng());
    order
}

/// What this process has used of a CPU, in nanoseconds. Yielding brings the figure up to date.
fn cpu_nanos() -> Option<u64> {
    thread::yield_now();
    let stat = fs::read_to_string("/proc/self/schedstat").ok()?;
    stat.split(' ').next()?.parse().ok()
}

/// Nanoseconds an operation, for so many of them.
fn time(operations: usize, run: impl FnOnce()) -> f64 {
    let (wall, cpu) = (Wall::now(), cpu_nanos());
    run();
    let nanos = match (cpu, cpu_nanos()) {
        (Some(start), Some(end)) => (end - start) as f64,
        _ => wall.elapsed().as_nanos() as f64,
    };
    nanos / operations as f64
}

/// Bytes of this process that are in memory.
fn resident() -> f64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(f64::NAN) * 4096.0
}

fn run<C: Contender>(job: Job, n: usize, make: impl Fn(usize) -> C) -> Results {
    let all = 0..n as u32;
    if job == Job::Zipf {
        return read_through(n, &mut make(n / 10));
    }
    let order = shuffled(n);
    let before = resident();
    let mut cache = make(n);
    let put = time(n, || {
        for i in all {
            match job {
                Job::Ttl => cache.put_ttl(&key(i), &value(i), ttl(i)),
                _ => cache.put(&key(i), &value(i)),
            }
        }
        cache.settle();
    });
    let bytes = (resident() - before) / n as f64 - KEY_AND_VALUE as f64;
    if job == Job::Ttl {
        return vec![("put ttl", put), ("bytes ttl", bytes)];
    }
    let mut hits = 0;
    let get_hit = time(n, || {
        for &i in &order {
            hits += usize::from(cache.get(&key(i)));
        }
    });
    assert!(hits >= n - n / 100, "{hits} of {n} were found");
    let get_miss = time(n, || {
        for &i in &order {
            black_box(cache.get(&key(i + n as u32)));
        }
    });
    let overwrite = time(n, || {
        for &i in &order {
            cache.put(&key(i), &value(i + 1));
        }
        cache.settle();
    });
    let delete = time(n, || {
        for &i in &order {
            cache.delete(&key(i));
        }
        cache.settle();
    });
    vec![
        ("put new", put),
        ("bytes", bytes),
        ("get hit", get_hit),
        ("get miss", get_miss),
        ("overwrite", overwrite),
        ("delete", delete),
    ]
}

/// `n` requests to `n` objects after as many to warm up; what is missing is put.
fn read_through(n: usize, cache: &mut impl Contender) -> Results {
    let zipf = Zipf::new(n as f64, 1.0).expect("more than 0");
    let requests: Vec<u32> = zipf
        .sample_iter(rng())
        .take(2 * n)
        .map(|i: f64| i as u32)
        .collect();
    let (warm_up, measured) = requests.split_at(n);
    let mut request = |i| {
        let hit = cache.get(&key(i));
        if !hit {
            cache.put(&key(i), &value(i));
        }
        usize::from(hit)
    };
    for &i in warm_up {
        request(i);
    }
    let mut hits = 0;
    let zipf = time(n, || hits = measured.iter().map(|&i| request(i)).sum());
    vec![
        ("zipf", zipf),
        ("zipf hit %", hits as f64 * 100.0 / n as f64),
    ]
}

fn run_ours<P: EvictionPolicy>(job: Job, n: usize, make: impl Fn(usize) -> Ours<P>) -> Results {
    if job != Job::Expiry {
        return run(job, n, make);
    }
    let end = Instant::START.after(2 * HOUR).expect("an instant");
    let mut order = shuffled(n);
    let mut ours = make(n);
    let fill = |ours: &mut Ours<P>| {
        for i in 0..n as u32 {
            ours.put_ttl(&key(i), &value(i), ttl(i));
        }
    };
    fill(&mut ours);
    let get_in_batches = time(n, || {
        for batch in order.chunks(32) {
            let keys: Vec<_> = batch.iter().map(|&i| key(i)).collect();
            ours.node.look_ahead(&keys);
            for key in &keys {
                assert!(ours.get(key));
            }
        }
    });
    let in_order: Vec<u32> = (0..n as u32).collect();
    let cancel_in_order = ours.cancel(&in_order);
    let schedule = ours.schedule(&order);
    order.reverse();
    order.shuffle(&mut rng());
    let cancel_at_random = ours.cancel(&order);
    ours.schedule(&in_order);
    let expire_all = time(n, || ours.node.tick(end, &mut ours.log));
    assert_eq!(ours.node.stats().expired, n as u64);

    let mut ours = make(n);
    fill(&mut ours);
    let expire_each = time(n, || {
        while let Some(next) = ours.node.next_deadline() {
            ours.node.tick(next, &mut ours.log);
        }
    });
    assert_eq!(ours.node.stats().expired, n as u64);
    vec![
        ("get in batches", get_in_batches),
        ("schedule", schedule),
        ("cancel in order", cancel_in_order),
        ("cancel at random", cancel_at_random),
        ("expire each", expire_each),
        ("expire all", expire_all),
    ]
}

/// Few enough entries to stay in the processor's cache from one look to the next.
const BATCH: usize = 512;

impl<P: EvictionPolicy> Ours<P> {
    /// Nanoseconds that it takes to give entries deadlines, beyond an overwrite without: each batch
    /// is overwritten twice without deadlines, first to have it in the cache, and then with them.
    fn schedule(&mut self, order: &[u32]) -> f64 {
        let mut nanos = 0.0;
        for batch in order.chunks(BATCH) {
            self.overwrite(batch, |_| None);
            nanos -= self.overwrite(batch, |_| None);
            nanos += self.overwrite(batch, |i| Instant::START.after(ttl(i)).ok());
        }
        nanos / order.len() as f64
    }

    /// Nanoseconds that it takes to take the deadlines of entries away, beyond an overwrite that
    /// takes none: the second of two without deadlines.
    fn cancel(&mut self, order: &[u32]) -> f64 {
        let mut nanos = 0.0;
        for batch in order.chunks(BATCH) {
            for &i in batch {
                black_box(self.node.peek(Instant::START, &key(i), &mut self.log));
            }
            nanos += self.overwrite(batch, |_| None);
            nanos -= self.overwrite(batch, |_| None);
        }
        nanos / order.len() as f64
    }

    /// Overwrites entries; returns the nanoseconds that it takes.
    fn overwrite(&mut self, batch: &[u32], deadline: impl Fn(u32) -> Option<Instant>) -> f64 {
        let start = Wall::now();
        for &i in batch {
            self.store(&key(i), &value(i), deadline(i));
        }
        start.elapsed().as_nanos() as f64
    }
}

/// Runs a job in a process of its own, which prints a line for each result.
fn spawn(row: &Row, job: Job, n: usize) -> Result<Vec<(String, f64)>> {
    let mut child = Command::new(env::current_exe()?);
    child.args([
        "--child",
        row.name,
        &(job as u8).to_string(),
        &n.to_string(),
    ]);
    let output = child.output()?;
    if !output.status.success() {
        bail!("{}: {}", row.name, String::from_utf8_lossy(&output.stderr));
    }
    let lines = String::from_utf8(output.stdout)?;
    let parse = |line: &str| {
        let (name, figure) = line.split_once('\t')?;
        Some((name.to_owned(), figure.parse().ok()?))
    };
    lines
        .lines()
        .map(|line| parse(line).context("a result"))
        .collect()
}

/// The other side of [`spawn`].
fn child(args: &[String]) -> Result<()> {
    let [name, job, n] = args else {
        bail!("--child takes three arguments");
    };
    let rows = rows();
    let row = rows.iter().find(|row| row.name == name).context("row")?;
    let job = row.jobs.iter().find(|&&of| (of as u8).to_string() == *job);
    for (name, figure) in (row.run)(*job.context("job")?, n.parse()?) {
        println!("{name}\t{figure}");
    }
    Ok(())
}

/// A row's figures for a workload, one a round.
type Figures = Vec<(&'static str, String, Vec<f64>)>;

fn figures<'a>(all: &'a Figures, row: &str, workload: &str) -> &'a [f64] {
    let mut found = all
        .iter()
        .filter(|figure| figure.0 == row && figure.1 == workload);
    found.next().map_or(&[], |figure| &figure.2)
}

fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// "best/median ×ratio" for times; for sizes the median.
fn cell(all: &Figures, row: &str, workload: &str) -> String {
    let mine = figures(all, row, workload);
    if mine.is_empty() {
        return "-".to_owned();
    }
    let middle = median(mine.iter().copied());
    if SIZES.contains(&workload) {
        return format!("{middle:.1}");
    }
    let best = mine.iter().copied().fold(f64::INFINITY, f64::min);
    let pairs = mine.iter().zip(figures(all, REFERENCE, workload));
    let ratios: Vec<f64> = pairs.map(|(mine, reference)| mine / reference).collect();
    if ratios.is_empty() || OURS.contains(&workload) {
        return format!("{best:.0}/{middle:.0}");
    }
    format!("{best:.0}/{middle:.0} ×{:.2}", median(ratios))
}

fn print_table(all: &Figures, rows: &[&Row], workloads: &[&str]) {
    let mut lines = vec![vec![String::new()]];
    lines[0].extend(workloads.iter().map(ToString::to_string));
    for row in rows {
        let mut line = vec![row.name.to_owned()];
        line.extend(
            workloads
                .iter()
                .map(|workload| cell(all, row.name, workload)),
        );
        if line[1..].iter().any(|cell| cell != "-") {
            lines.push(line);
        }
    }
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<usize> = (0..=workloads.len())
        .map(|at| width(at).unwrap_or(0))
        .collect();
    for line in &lines {
        print!("{:<1$}", line[0], widths[0]);
        for (cell, width) in line.iter().zip(&widths).skip(1) {
            print!("  {cell:>width$}");
        }
        println!();
    }
}

fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    if args.first().is_some_and(|arg| arg == "--child") {
        return child(&args[1..]);
    }
    let option = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        args.get(at + 1)
    };
    let number = |name, default| option(name).map_or(Ok(default), |number| number.parse());
    let large = args.iter().any(|arg| arg == "--large");
    let entries = number("--entries", if large { 10_000_000 } else { 1_000_000 })?;
    let rounds = number("--rounds", if large { 1 } else { 3 })?;
    let only: Vec<&str> = option("--only").map_or(vec![""], |only| only.split(',').collect());
    let rows = rows();
    let rows: Vec<&Row> = rows
        .iter()
        .filter(|row| only.iter().any(|only| row.name.contains(only)))
        .collect();

    let mut all = Figures::new();
    for round in 1..=rounds {
        for row in &rows {
            eprint!("\x1b[2K\rround {round} of {rounds}: {}", row.name);
            for &job in row.jobs {
                for (workload, figure) in spawn(row, job, entries)? {
                    match all
                        .iter_mut()
                        .find(|it| it.0 == row.name && it.1 == workload)
                    {
                        Some(figures) => figures.2.push(figure),
                        None => all.push((row.name, workload, vec![figure])),
                    }
                }
            }
        }
    }
    eprintln!("\x1b[2K\r");
    println!(
        "{entries} entries, {rounds} rounds; ns an operation: best/median ×median ratio to {REFERENCE};\n\
         bytes an entry beyond key and value\n"
    );
    print_table(&all, &rows, &[PEERS, SIZES].concat());
    println!("\nour own, ns a key (to schedule and to cancel: beyond the look-up)\n");
    print_table(&all, &rows, OURS);
    Ok(())
}
