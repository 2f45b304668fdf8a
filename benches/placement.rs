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
//!
//! # Figures
//!
//! Measured in one run with a million keys (two shared cores: trust the ratios), for 3/10/100/1000
//! nodes. *Look-up* has the key's hash already, and goes through `dyn Placement`. *Moved by a join* is relative to the newcomer's fair part of the keys, *by a leave*
//! (of a middle node) to what it owned, *3 copies* is what a join moves of three copies, relative to the
//! newcomer's fair part. Chance alone gives max / mean 1.00/1.01/1.03/1.10.
//!
//! | placement | look-up, ns | max / mean | moved by a join | by a leave | 3 copies | bytes | build, µs |
//! | --- | --- | --- | --- | --- | --- | --- | --- |
//! | `modulo` | 1.7/1.7/1.7/1.7 | 1.00/1.00/1.01/1.08 | 3.00/10.00/100/1000 | 2.00/9.01/99.19/985.16 | 1.00/8.00/98.00/997.99 | 24/80/800/8000 | 0.4/0.2/0.4/1.9 |
//! | `ring` | 3.0/3.0/3.7/17.6 | 1.01/1.07/1.19/1.25 | 1.09/1.00/0.91/1.17 | 1.00/1.00/1.00/1.00 | 1.06/1.04/0.95/1.04 | 9904/35.7k/323.9k/4025.2k | 8.8/30.7/530/6252 |
//! | `ketama` | 3.4/3.1/3.8/16.8 | 1.04/1.10/1.25/1.30 | 0.96/0.99/3.64/25.24 | 1.00/1.00/3.51/1.00 | 1.03/0.99/3.60/25.65 | 10.0k/36.0k/322.7k/4061.2k | 28.9/94.4/1136/12.5k |
//! | `bounded` | 1.6/1.6/1.7/1.7 | 1.01/1.06/1.11/1.22 | 1.09/1.00/1.00/1.29 | 1.00/1.00/1.11/1.20 | 1.06/1.04/0.94/1.10 | 394.2k/396.5k/426.0k/721.2k | 3600/3600/4200/16.3k |
//! | `slots` | 2.6/2.4/2.2/2.4 | 1.00/1.00/1.01/1.07 | 1.00/1.00/1.00/1.06 | 1.00/1.00/1.00/1.00 | 1.01/1.01/1.03/1.02 | 32.8k/32.9k/34.4k/48.8k | 3/2.6/3.4/13.4 |
//! | `rendezvous` | 4.2/7.0/52.3/522.3 | 1.00/1.00/1.03/1.12 | 1.00/1.00/1.01/0.96 | 1.00/1.00/1.00/1.00 | 1.00/1.00/0.99/0.98 | 48/160/1600/16.0k | 0.3/0.4/0.9/3.6 |
//! | `maglev` | 1.8/1.8/1.8/1.9 | 1.00/1.01/1.03/1.09 | 1.00/1.02/1.57/6.76 | 1.00/1.02/1.57/6.69 | 1.07/1.08/1.58/6.81 | 131.1k/131.2k/131.9k/139.1k | 422/790/1076/1014 |
//! | `jump` | 12.9/23.1/37.4/50.1 | 1.00/1.00/1.03/1.11 | 1.00/1.00/1.00/1.04 | 1.50/1.89/1.99/1.93 | 1.00/1.05/1.01/1.02 | 36/120/1200/12.0k | 0.2/0.4/0.6/2.5 |
//! | `anchor` | 8.9/8.5/8.0/8.1 | 1.00/1.00/1.02/1.12 | 1.00/1.00/1.02/0.99 | 1.00/1.00/1.00/1.00 | 1.00/1.06/1.02/0.98 | 172/440/4400/44.0k | 0.4/0.5/1.2/10.4 |
//! | `memento` | 12.9/23.1/38.5/51.2 | 1.00/1.00/1.03/1.11 | 1.00/1.00/1.00/1.04 | 1.00/1.00/1.00/1.00 | 1.00/1.05/1.01/1.02 | 48/160/1600/16.0k | 0.3/0.3/0.6/2.8 |
//!
//! Bytes and build time of `bounded` are from a later run, on a busier machine.
//!
//! `ketama` follows libmemcached to the letter, and so its rounding: at some sizes all nodes lose a
//! digest's points, which moves more than must (100 to 101 nodes).
//!
//! The crates that do the same, in the same run (* hashes the given hash once more):
//!
//! | crate | look-up, ns | max / mean | moved by a join |
//! | --- | --- | --- | --- |
//! | `hashring` * | 15.2/14.8/18.2/23.2 | 2.22/2.56/5.42/7.55 | 0.73/0.56/0.79/0.50 |
//! | `consistent_hash_ring` * | 14.1/17.3/26.8/158.8 | 1.01/1.10/1.19/1.25 | 1.01/1.01/1.02/1.03 |
//! | `consistent_hash` * | 44.7/50.5/69.4/262.1 | 1.07/1.07/1.16/1.36 | 0.91/1.04/0.90/1.07 |
//! | `maglev crate` * | 15.4/15.7/15.5/15.3 | 1.00/1.00/1.03/1.13 | 1.00/1.02/1.64/7.06 |
//! | `hash-rings maglev` * | 17.1/17.5/16.7/17.3 | 1.00/1.00/1.02/1.13 | 1.01/1.03/1.58/5.98 |
//! | `hash-rings rendezvous` * | 49.3/119.0/1040.4/11952.8 | 1.00/1.00/1.02/- | 1.00/1.00/1.01/- |
//! | `hrw-hash` * | 79.6/227.9/3208.5/35719.3 | 1.00/1.01/-/- | 1.00/0.99/-/- |
//! | `mpchash` * | 976.6/1019.4/1380.7/2063.9 | 1.02/1.09/1.44/- | 0.94/1.07/0.94/- |
//! | `jumpch` | 13.1/23.0/37.0/48.8 | 1.00/1.00/1.03/1.11 | 1.00/1.00/1.00/1.04 |
//! | `jumphash` * | 20.5/29.9/43.6/55.3 | 1.00/1.00/1.02/1.12 | 1.00/1.00/1.00/0.98 |
//! | `fliphash` | 11.7/13.5/8.8/4.3 | 1.00/1.00/1.03/1.10 | 1.00/1.00/1.00/1.02 |
//! | `anchorhash` | 9.7/10.4/11.1/10.8 | 1.01/1.04/1.06/1.10 | 0.96/1.00/1.02/0.95 |
//! | `conhash` * | 243.8/268.6/341.6/781.2 | 1.18/1.10/1.23/1.27 | 0.99/1.03/0.96/1.02 |
//!
//! A dash is what would have taken longer than two seconds. hashring has one point a node, the other rings
//! 160. fliphash and jumphash number buckets, so only the last node can leave. Of every kind the one
//! here is at least as fast as the fastest crate; jump's loop is jumpch's, within the noise.

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
