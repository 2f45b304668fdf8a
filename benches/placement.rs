//! Every placement side by side with crates that do the same:
//!
//! ```text
//! cargo bench -p shardlab-benches --bench placement                       # a million keys, 5 rounds
//! cargo bench -p shardlab-benches --bench placement -- --only anchor,jump
//! ```
//!
//! `--keys N` and `--rounds N` change the size and the repetitions, `--only A,B` takes the rows
//! whose names contain A or B. It prints Markdown tables, a column for 3, 10, 100 and 1000 nodes.
//!
//! A key is a number's text; what is timed gets its 64-bit hash, by a placement's own hash function
//! or for the crates rapidhash. Most crates hash that once more, which the rows say: "own". The
//! contenders take turns within a round, on one thread. Each round looks up as many keys as take
//! about 20 ms, and no fewer than 1000. Time is the CPU's, as for the store.
//!
//! What to know of the rows: ring crates get 160 points a node where that can be chosen; hashring
//! has one. Maglev tables have 65537 entries. anchorhash has room for twice the nodes. jumpch,
//! jumphash and fliphash number the buckets, so only the last can leave. Bytes are what a placement
//! says of itself, so the crates have none. What would take longer than two seconds for all keys
//! is left out.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "nodes are numbered in 32 bits, and the keys to look up are a part of all"
)]
#![allow(clippy::print_stdout, reason = "the tables go to standard output")]

use std::hash::{BuildHasherDefault, DefaultHasher, Hasher};
use std::hint::black_box;
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::Instant as Wall;
use std::{env, fs, thread};

use anyhow::Result;
use hash_rings::{maglev as hash_rings_maglev, rendezvous as hash_rings_rendezvous};
use maglev::ConsistentHasher;
use shardlab::hash::rapidhash;
use shardlab::id::NodeId;
use shardlab::placement::{Member, Members, Placement, PlacementKind};

const SIZES: [u32; 4] = [3, 10, 100, 1000];
const POINTS: usize = 160;
const ENTRIES: usize = 65_537;
const COPIES: usize = 3;
/// What all keys may take at most, in seconds.
const PATIENCE: f64 = 2.0;

/// The nodes 0 to n - 1, then perhaps one change.
#[derive(Clone, Copy)]
struct Cluster {
    nodes: u32,
    change: Change,
}

#[derive(Clone, Copy, PartialEq)]
enum Change {
    None,
    Join,
    /// The middle one leaves.
    Leave,
}

impl Cluster {
    fn middle(self) -> u32 {
        self.nodes / 2
    }

    /// The nodes after the change.
    fn list(self) -> Vec<u32> {
        let nodes = self.nodes + u32::from(self.change == Change::Join);
        let gone = |node| self.change == Change::Leave && node == self.middle();
        (0..nodes).filter(|&node| !gone(node)).collect()
    }

    /// How many buckets there are where only the last can leave.
    fn buckets(self) -> Option<u32> {
        (self.change != Change::Leave).then(|| self.list().len() as u32)
    }
}

/// A placement that takes part.
trait Contender {
    /// Looks all of these up. The loop is in here, so that a crate's look-up can be inlined.
    fn look_up(&self, keys: &[u64]) -> u64;
    fn owner(&self, key: u64) -> u32;
    /// The owners of [`COPIES`] copies; none if it does not say.
    fn owners(&self, key: u64) -> Vec<u32>;
    fn bytes(&self) -> Option<usize> {
        None
    }
}

type Made = Option<Box<dyn Contender>>;

/// A crate's placement, and how to ask it.
struct Peer<P, O, R> {
    placement: P,
    owner: O,
    owners: R,
}

impl<P, O: Fn(&P, u64) -> u32, R: Fn(&P, u64) -> Vec<u32>> Contender for Peer<P, O, R> {
    fn look_up(&self, keys: &[u64]) -> u64 {
        let owners = keys.iter().map(|&key| (self.owner)(&self.placement, key));
        owners.map(u64::from).sum()
    }
    fn owner(&self, key: u64) -> u32 {
        (self.owner)(&self.placement, key)
    }
    fn owners(&self, key: u64) -> Vec<u32> {
        (self.owners)(&self.placement, key)
    }
}

/// A crate that knows primary owners only.
fn single<P: 'static>(placement: P, owner: impl Fn(&P, u64) -> u32 + 'static) -> Made {
    several(placement, owner, |_, _| Vec::new())
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "as those that cannot do every change"
)]
fn several<P: 'static>(
    placement: P,
    owner: impl Fn(&P, u64) -> u32 + 'static,
    owners: impl Fn(&P, u64) -> Vec<u32> + 'static,
) -> Made {
    let peer = Peer {
        placement,
        owner,
        owners,
    };
    Some(Box::new(peer))
}

struct Ours(Box<dyn Placement>);

impl Contender for Ours {
    fn look_up(&self, keys: &[u64]) -> u64 {
        let owners = keys.iter().map(|&key| self.0.owner(key).0);
        owners.map(u64::from).sum()
    }
    fn owner(&self, key: u64) -> u32 {
        self.0.owner(key).0
    }
    fn owners(&self, key: u64) -> Vec<u32> {
        let mut owners = Vec::with_capacity(COPIES);
        self.0.owners(key, COPIES, &mut owners);
        owners.into_iter().map(|node| node.0).collect()
    }
    fn bytes(&self) -> Option<usize> {
        Some(self.0.bytes())
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "as those that cannot do every change"
)]
fn ours(kind: PlacementKind, cluster: Cluster) -> Made {
    let before = kind.place(Members::first(cluster.nodes));
    Some(Box::new(Ours(match cluster.change {
        Change::None => before,
        Change::Join => before.with(Member::new(NodeId(cluster.nodes))),
        Change::Leave => before.without(NodeId(cluster.middle())),
    })))
}

/// A line of the tables.
struct Row {
    name: String,
    /// Who hashes what is looked up.
    hash: &'static str,
    make: Box<dyn Fn(Cluster) -> Made>,
    keys: Rc<[u64]>,
}

/// Nodes that crates may borrow.
static NODES: LazyLock<Vec<u32>> = LazyLock::new(|| (0..=SIZES[3]).collect());

/// A hash that is there already.
#[derive(Clone, Default)]
struct Given(u64);

impl Hasher for Given {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are whole numbers");
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[derive(Clone)]
struct Named(u32);

impl conhash::Node for Named {
    fn name(&self) -> String {
        self.0.to_string()
    }
}

fn hashring(cluster: Cluster) -> Made {
    let mut ring = hashring::HashRing::<u32>::new();
    ring.batch_add(cluster.list());
    several(
        ring,
        |ring, key| *ring.get(&key).expect("a node"),
        |ring, key| {
            let owners = ring.get_with_replicas(&key, COPIES - 1);
            owners.unwrap_or_default()
        },
    )
}

fn consistent_hash_ring(cluster: Cluster) -> Made {
    let ring = consistent_hash_ring::RingBuilder::default().vnodes(POINTS);
    several(
        ring.nodes_iter(cluster.list()).build(),
        |ring, key| *ring.get(key),
        |ring, key| ring.replicas(key).take(COPIES).copied().collect(),
    )
}

fn consistent_hash(cluster: Cluster) -> Made {
    use consistent_hash::{DefaultHash, Node, StaticHashRing};
    let node = |node| Node::new(node).quantity(POINTS);
    let nodes = cluster.list().into_iter().map(node);
    several(
        StaticHashRing::new(DefaultHash, nodes),
        |ring: &StaticHashRing<u32, (), _>, key| {
            ring.calc_candidates(&key).next().expect("a node").key
        },
        |ring, key| {
            let owners = ring.calc_candidates(&key).take(COPIES);
            owners.map(|node| node.key).collect()
        },
    )
}

fn maglev(cluster: Cluster) -> Made {
    let table = maglev::Maglev::with_capacity(cluster.list(), ENTRIES);
    single(table, |table, key| *table.get(&key).expect("a node"))
}

fn borrowed(cluster: Cluster) -> Vec<&'static u32> {
    let list = cluster.list().into_iter();
    list.map(|node| &NODES[node as usize]).collect()
}

fn hash_rings_rendezvous(cluster: Cluster) -> Made {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    let mut ring = hash_rings_rendezvous::Ring::with_hasher(hasher);
    for node in borrowed(cluster) {
        ring.insert_node(node, 1);
    }
    single(ring, |ring, key| *ring.get_node(&key))
}

fn hash_rings_maglev(cluster: Cluster) -> Made {
    let ring = hash_rings_maglev::Ring::with_capacity_hint(borrowed(cluster), ENTRIES);
    single(ring, |ring, key| *ring.get_node(&key))
}

fn hrw_hash(cluster: Cluster) -> Made {
    several(
        hrw_hash::HrwNodes::new(cluster.list()),
        |nodes, key| *nodes.sorted(&key).next().expect("a node"),
        |nodes, key| nodes.sorted(&key).take(COPIES).copied().collect(),
    )
}

fn mpchash(cluster: Cluster) -> Made {
    let ring = mpchash::HashRing::<u32>::new();
    for node in cluster.list() {
        ring.add(node);
    }
    several(
        ring,
        |ring, key| *ring.node(&key).expect("a node").node(),
        |ring, key| {
            let owners = ring.replicas(&key, COPIES);
            owners.iter().map(|token| *token.node()).collect()
        },
    )
}

fn jumpch(cluster: Cluster) -> Made {
    single(cluster.buckets()?, |&n, key| jumpch::hash(key, n))
}

fn jumphash(cluster: Cluster) -> Made {
    let jump = jumphash::JumpHasher::new_with_keys(1, 2);
    let buckets = cluster.buckets()?;
    single((jump, buckets), |(jump, n), key| jump.slot(&key, *n))
}

fn fliphash(cluster: Cluster) -> Made {
    let last = u64::from(cluster.buckets()? - 1);
    single(last, |&last, key| {
        fliphash::fliphash_64(key, ..=last) as u32
    })
}

fn anchorhash(cluster: Cluster) -> Made {
    let hasher = BuildHasherDefault::<Given>::default();
    let builder = anchorhash::Builder::with_hasher(hasher).with_resources(0..cluster.nodes);
    let mut anchor = builder.build::<u64>(cluster.nodes as u16 * 2);
    match cluster.change {
        Change::None => {}
        Change::Join => anchor.add_resource(cluster.nodes).expect("room"),
        Change::Leave => anchor.remove_resource(&cluster.middle()).expect("a node"),
    }
    single(anchor, |anchor, key| {
        *anchor.get_resource(key).expect("a node")
    })
}

fn conhash(cluster: Cluster) -> Made {
    let mut ring = conhash::ConsistentHash::new();
    for node in cluster.list() {
        ring.add(&Named(node), POINTS);
    }
    single(ring, |ring, key| {
        ring.get(&key.to_le_bytes()).expect("a node").0
    })
}

type Make = fn(Cluster) -> Made;

/// The crates: the name, who hashes, and how it is made.
const PEERS: &[(&str, &str, Make)] = &[
    ("hashring", "own", hashring),
    ("consistent_hash_ring", "own", consistent_hash_ring),
    ("consistent_hash", "own", consistent_hash),
    ("maglev crate", "own", maglev),
    ("hash-rings rendezvous", "own", hash_rings_rendezvous),
    ("hash-rings maglev", "own", hash_rings_maglev),
    ("hrw-hash", "own", hrw_hash),
    ("mpchash", "own", mpchash),
    ("jumpch", "given", jumpch),
    ("jumphash", "own", jumphash),
    ("fliphash", "given", fliphash),
    ("anchorhash", "given", anchorhash),
    ("conhash", "own", conhash),
];

fn rows(keys: u32, only: &[&str]) -> Vec<Row> {
    let hashes = |hash: &dyn Fn(&[u8]) -> u64| {
        let hash = |key: u32| hash(key.to_string().as_bytes());
        (0..keys).map(hash).collect::<Rc<[u64]>>()
    };
    let wanted = |name: &str| only.iter().any(|only| name.contains(only));
    let mut rows = Vec::new();
    for &kind in PlacementKind::ALL {
        if wanted(&kind.to_string()) {
            let one = kind.place(Members::first(1));
            rows.push(Row {
                name: format!("**{kind}**"),
                hash: "given",
                make: Box::new(move |cluster| ours(kind, cluster)),
                keys: hashes(&|key| one.hash(key)),
            });
        }
    }
    let theirs = hashes(&rapidhash);
    for &(name, hash, make) in PEERS.iter().filter(|peer| wanted(peer.0)) {
        rows.push(Row {
            name: name.to_owned(),
            hash,
            make: Box::new(make),
            keys: Rc::clone(&theirs),
        });
    }
    rows
}

/// What this process has used of a CPU, in nanoseconds. Yielding brings the figure up to date.
fn cpu_nanos() -> Option<u64> {
    thread::yield_now();
    let stat = fs::read_to_string("/proc/self/schedstat").ok()?;
    stat.split(' ').next()?.parse().ok()
}

/// Nanoseconds that this takes.
fn time<T>(run: impl FnOnce() -> T) -> f64 {
    let (wall, cpu) = (Wall::now(), cpu_nanos());
    black_box(run());
    match (cpu, cpu_nanos()) {
        (Some(start), Some(end)) => (end - start) as f64,
        _ => wall.elapsed().as_nanos() as f64,
    }
}

/// What is measured of a row at a number of nodes.
struct Figures {
    look_up: Vec<f64>,
    build: Vec<f64>,
    bytes: Option<usize>,
    /// The most and the least loaded node, in means.
    balance: Option<(f64, f64)>,
    /// The part of the keys that move.
    join: Option<f64>,
    /// What moves, in shares of the leaver.
    leave: Option<f64>,
    /// Copies made, in optima.
    copies: Option<f64>,
}

/// All but the times.
fn figures(row: &Row, nodes: u32) -> Option<Figures> {
    let made = |change| (row.make)(Cluster { nodes, change });
    let before = made(Change::None)?;
    let sample = &row.keys[..row.keys.len().min(1000)];
    let each = time(|| before.look_up(sample)) / sample.len() as f64;
    let patient = each * row.keys.len() as f64 / 1e9 < PATIENCE;
    let keys = if patient { &row.keys[..] } else { &[] };
    let owners: Vec<u32> = keys.iter().map(|&key| before.owner(key)).collect();
    let moved = |after: &dyn Contender| {
        let owners = keys.iter().zip(&owners);
        owners
            .filter(|&(&key, &old)| after.owner(key) != old)
            .count() as f64
    };
    let mut loads = vec![0_u32; nodes as usize];
    for &owner in &owners {
        loads[owner as usize] += 1;
    }
    let some = |figure: f64| figure.is_finite().then_some(figure);
    let mean = keys.len() as f64 / f64::from(nodes);
    let share = f64::from(loads[nodes as usize / 2]);
    let join = made(Change::Join).filter(|_| patient);
    let leave = made(Change::Leave).filter(|_| patient);
    Some(Figures {
        look_up: Vec::new(),
        build: Vec::new(),
        bytes: before.bytes(),
        balance: patient.then(|| {
            let bound = |load: Option<&u32>| load.map_or(0.0, |&load| f64::from(load) / mean);
            (bound(loads.iter().max()), bound(loads.iter().min()))
        }),
        copies: join.as_ref().and_then(|after| {
            let made = copies(&*before, &**after, keys)? / keys.len() as f64;
            some(made / COPIES as f64 * f64::from(nodes + 1))
        }),
        join: join.map(|after| moved(&*after) / keys.len() as f64),
        leave: leave.and_then(|after| some(moved(&*after) / share)),
    })
}

/// How many copies have to be made of the keys where there were none; `None` if the contender does
/// not say where copies are.
fn copies(before: &dyn Contender, after: &dyn Contender, keys: &[u64]) -> Option<f64> {
    let mut made = 0;
    for &key in keys {
        let old = before.owners(key);
        let fresh = |owner: &&u32| !old.contains(owner);
        made += after.owners(key).iter().filter(fresh).count();
        if old.is_empty() {
            return None;
        }
    }
    Some(made as f64)
}

/// The times of one round.
fn round(row: &Row, nodes: u32, figures: &mut Figures) {
    let change = Change::None;
    let make = || (row.make)(Cluster { nodes, change });
    let Some(contender) = make() else {
        return;
    };
    let many = (1e6 / time(make)).clamp(1.0, 500.0) as usize;
    let nanos = time(|| (0..many).map(|_| make()).collect::<Vec<_>>());
    figures.build.push(nanos / many as f64 / 1000.0);

    let few = row.keys.len().min(1000);
    let each = time(|| contender.look_up(&row.keys[..few])) / few as f64;
    let count = ((20e6 / each) as usize).clamp(few, row.keys.len());
    let nanos = time(|| contender.look_up(&row.keys[..count]));
    figures.look_up.push(nanos / count as f64);
}

/// "best/median".
fn best(figures: &[f64], digits: usize) -> String {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(least) = sorted.first() else {
        return "-".to_owned();
    };
    let median = sorted[sorted.len() / 2];
    format!("{least:.digits$}/{median:.digits$}")
}

fn or_dash(figure: Option<String>) -> String {
    figure.unwrap_or_else(|| "-".to_owned())
}

type Cell = fn(&Figures, u32) -> String;

/// The tables: their captions and what is in their cells.
const TABLES: &[(&str, Cell)] = &[
    ("Look-up, ns, best/median", |it, _| best(&it.look_up, 1)),
    ("Most and least loaded node, in means", |it, _| {
        or_dash(
            it.balance
                .map(|(most, least)| format!("{most:.3} {least:.3}")),
        )
    }),
    ("Bytes", |it, _| or_dash(it.bytes.map(|it| it.to_string()))),
    ("Building, µs, best/median", |it, _| best(&it.build, 1)),
    (
        "Keys moved by a join: their part, and × the optimum",
        |it, n| {
            let optima = |part: f64| part * f64::from(n + 1);
            or_dash(it.join.map(|it| format!("{it:.4} ×{:.2}", optima(it))))
        },
    ),
    (
        "Keys moved by a leave of the middle node, × its share",
        |it, _| or_dash(it.leave.map(|it| format!("{it:.2}"))),
    ),
    (
        "Copies moved by a join with three copies, × the optimum",
        |it, _| or_dash(it.copies.map(|it| format!("{it:.2}"))),
    ),
];

fn print_table(caption: &str, cell: Cell, rows: &[Row], all: &[Vec<Option<Figures>>]) {
    println!("{caption}:\n\n| placement | hash | 3 | 10 | 100 | 1000 |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for (row, figures) in rows.iter().zip(all) {
        let of = |(figures, &n): (&Option<Figures>, &u32)| {
            or_dash(figures.as_ref().map(|figures| cell(figures, n)))
        };
        let cells: Vec<String> = figures.iter().zip(&SIZES).map(of).collect();
        if cells.iter().any(|cell| cell != "-") {
            println!("| {} | {} | {} |", row.name, row.hash, cells.join(" | "));
        }
    }
    println!();
}

fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let option = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        args.get(at + 1)
    };
    let number = |name, default| option(name).map_or(Ok(default), |number| number.parse());
    let keys = number("--keys", 1_000_000)?;
    let rounds = number("--rounds", 5)?;
    let only: Vec<&str> = option("--only").map_or(vec![""], |only| only.split(',').collect());
    let rows = rows(keys.max(1), &only);

    let mut all = Vec::new();
    for row in &rows {
        eprint!("\x1b[2K\rmovement: {}", row.name);
        let figures = SIZES.map(|nodes| figures(row, nodes));
        all.push(Vec::from(figures));
    }
    for number in 1..=rounds {
        for (row, figures) in rows.iter().zip(&mut all) {
            eprint!("\x1b[2K\rround {number} of {rounds}: {}", row.name);
            for (figures, &nodes) in figures.iter_mut().zip(&SIZES) {
                if let Some(figures) = figures {
                    round(row, nodes, figures);
                }
            }
        }
    }
    eprintln!("\x1b[2K\r");
    println!("{keys} keys, {rounds} rounds, for 3, 10, 100 and 1000 nodes.\n");
    for (caption, cell) in TABLES {
        print_table(caption, *cell, &rows, &all);
    }
    Ok(())
}
