//! The lab beside libCacheSim: reading, numbering, policies, the curve of LRU and a grid.
//!
//! ```text
//! cargo bench -p shardlab-benches --bench lab
//! cargo bench -p shardlab-benches --bench lab -- --only grid --requests 1000000 --keys 100000
//! ```
//!
//! The trace is Zipf's law with exponent 1. All figures are processor time of the process, in one run on
//! one machine; beside it, a reading's rate is by the clock on the wall, since a thread of its own decodes. The peer is the Python package `libcachesim`, whose `process_trace` reads the trace for
//! each cache; it runs in a virtual environment below `target`, or with `--python` in another one, and
//! with `--python none` not at all. A goal is what the ratio is to reach.

#![allow(clippy::print_stdout, reason = "the table goes to standard output")]

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use rustix::time::{ClockId, clock_gettime};
use shardlab::replay::{Grid, Policy, Prepared, Rules, Shard, Share, Unit, lru_curve, simulate};
use shardlab::trace::{
    Columns, Input, Kind, Limits, Numbering, Output, Wanted, Workload, convert, detect,
};

/// The version of the package that the goals are about.
const PEER: &str = "libcachesim==0.3.5";
/// Policies whose goal is 12 times the peer; that of the others is 4 times.
const FAST: [&str; 3] = ["fifo", "lru", "sieve"];
const GRID: [&str; 6] = ["lru", "fifo", "sieve", "s3-fifo", "w-tinylfu", "arc"];

struct Options {
    only: Option<String>,
    requests: u64,
    keys: u64,
    python: Option<PathBuf>,
}

impl Options {
    fn parse() -> Result<Self> {
        let mut options = Self {
            only: None,
            requests: 10_000_000,
            keys: 1_000_000,
            python: None,
        };
        let mut python = None;
        let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
        while let Some(word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .with_context(|| format!("{word} needs a value"))
            };
            match word.as_str() {
                "--only" => options.only = Some(value()?),
                "--requests" => options.requests = value()?.parse()?,
                "--keys" => options.keys = value()?.parse()?,
                "--python" => python = Some(value()?),
                _ => bail!(
                    "use --only numbering|reading|policies|curve|one|grid|memory, --requests, --keys, --python"
                ),
            }
        }
        options.python = match python.as_deref() {
            Some("none") => None,
            Some(path) => Some(path.into()),
            None => Some(environment()?),
        };
        Ok(options)
    }

    fn runs(&self, part: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only == part)
    }

    fn workload(&self) -> Workload {
        Workload {
            keys: self.keys,
            requests: self.requests,
            skew: Some(1.0),
            sizes: Some(1..=1),
            seed: 1,
            ..Workload::new(Kind::Zipf)
        }
    }
}

/// The folder for traces and the environment of the peer.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/lab")
}

/// An interpreter that has the peer; it is made if it is not there.
fn environment() -> Result<PathBuf> {
    let folder = folder().join("python");
    let python = folder.join("bin/python");
    if !python.exists() {
        let run = |command: &mut Command| {
            let is_done = command.status()?.success();
            anyhow::ensure!(
                is_done,
                "{command:?} failed; --python none leaves the peer out"
            );
            Ok(())
        };
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", PEER]))?;
    }
    Ok(python)
}

/// Seconds of processor time of all threads.
fn seconds<T>(run: impl FnOnce() -> T) -> (f64, T) {
    let now = || {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    };
    let start = now();
    let result = run();
    (now() - start, result)
}

/// The traces on disk, by extension.
struct Traces {
    requests: u64,
    folder: PathBuf,
    python: Option<PathBuf>,
}

impl Traces {
    fn new(options: &Options) -> Result<Self> {
        let name = format!("zipf-{}-{}", options.requests, options.keys);
        let folder = folder().join(name);
        fs::create_dir_all(&folder)?;
        for (name, output) in [
            ("a.oracleGeneral", Output::OracleGeneral),
            ("a.csv", Output::Csv),
            ("a.txt", Output::Text),
        ] {
            let path = folder.join(name);
            if !path.exists() {
                let mut trace = options.workload().trace()?;
                let mut bytes = Vec::new();
                convert(&mut trace, output, &mut bytes, &mut |_| true)?;
                fs::write(path, bytes)?;
            }
        }
        let path = folder.join("a.oracleGeneral.zst");
        if !path.exists() {
            let bytes = fs::read(folder.join("a.oracleGeneral"))?;
            let mut encoder = zstd::stream::write::Encoder::new(File::create(path)?, 3)?;
            encoder.write_all(&bytes)?;
            encoder.finish()?;
        }
        Ok(Self {
            requests: options.requests,
            folder,
            python: options.python.clone(),
        })
    }

    fn columns(&self, name: &str) -> Result<Columns> {
        let path = self.folder.join(name);
        let mut input = Input::new(Box::new(File::open(path)?), name, None)?;
        let mut trace = detect(&mut input)?.spec.read(input)?;
        let mut limits = Limits {
            requests: u64::MAX,
            go_on: &mut |_| true,
        };
        Ok(Columns::read(&mut trace, Wanted::default(), &mut limits)?)
    }

    /// The peer's seconds and misses; `None` without a peer.
    fn peer(&self, policy: &str, capacity: u64) -> Result<Option<(f64, f64)>> {
        let Some(python) = &self.python else {
            return Ok(None);
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("lab_peer.py");
        let output = Command::new(python)
            .arg(script)
            .arg(self.folder.join("a.oracleGeneral"))
            .args([policy, &capacity.to_string()])
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut words = text.split_whitespace().rev();
        let (ratio, time) = (words.next(), words.next());
        let (Some(ratio), Some(time)) = (ratio, time) else {
            bail!(
                "the peer failed: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        };
        Ok(Some((
            time.parse()?,
            ratio.parse::<f64>()? * self.requests as f64,
        )))
    }
}

/// A row: our seconds, the peer's, and the least ratio that is asked for.
fn row(name: &str, ours: f64, peer: Option<f64>, goal: f64) {
    let ratio = |peer: f64| format!("{peer:10.3} {:8.1}", peer / ours);
    let peer = peer.map_or_else(|| format!("{:>10} {:>8}", "-", "-"), ratio);
    println!("{name:28}{ours:10.3} {peer} {goal:6.1}");
}

/// A row of a speed that has no peer: millions a second, and the goal.
fn speed(name: &str, requests: u64, seconds: f64, goal: f64) {
    let speed = requests as f64 / 1e6 / seconds;
    println!("{name:28}{speed:10.1} M/s{:>15} {goal:6.1} M/s", "");
}

fn main() -> Result<()> {
    let options = Options::parse()?;
    if options.runs("memory") && options.only.is_some() {
        return memory();
    }
    let traces = Traces::new(&options)?;
    println!("{} requests for {} keys\n", options.requests, options.keys);
    println!(
        "{:28}{:>10} {:>10} {:>8} {:>6}",
        "", "ours, s", "peer, s", "ratio", "goal"
    );
    let columns = traces.columns("a.oracleGeneral")?;
    let capacity = options.keys / 10;
    if options.runs("numbering") {
        numbering(&options)?;
    }
    if options.runs("reading") {
        reading(&traces)?;
    }
    if options.runs("policies") {
        policies(&traces, &columns, capacity)?;
    }
    if options.runs("curve") {
        curve(&traces, &columns, capacity)?;
    }
    if options.runs("one") {
        one(&traces, capacity)?;
    }
    if options.runs("grid") {
        grid(&traces, options.keys)?;
    }
    if options.runs("memory") {
        memory()?;
    }
    Ok(())
}

fn numbering(options: &Options) -> Result<()> {
    let mut trace = options.workload().trace()?;
    let mut keys = Vec::new();
    while let Some(record) = shardlab::trace::Trace::next(&mut trace)? {
        if let shardlab::trace::Key::Number(key) = record.key {
            keys.push(key);
        }
    }
    let (time, numbered) = seconds(|| {
        let mut numbers = Vec::with_capacity(keys.len());
        Numbering::default().extend(&keys, &mut numbers)?;
        Ok::<_, anyhow::Error>(black_box(numbers))
    });
    numbered?;
    speed("numbering", options.requests, time, 30.0);
    Ok(())
}

fn reading(traces: &Traces) -> Result<()> {
    for (name, goal) in [
        ("a.oracleGeneral", 0.0),
        ("a.oracleGeneral.zst", 15.0),
        ("a.csv", 0.0),
        ("a.txt", 0.0),
    ] {
        let start = Instant::now();
        let (time, columns) = seconds(|| traces.columns(name));
        let (elapsed, requests) = (start.elapsed(), columns?.ids.len() as u64);
        speed(name, requests, elapsed.as_secs_f64(), goal);
        speed("  by processor time", requests, time, 0.0);
    }
    Ok(())
}

/// The misses of one simulation.
fn misses(columns: &Columns, policy: Policy, capacity: u64) -> u64 {
    let prepared = Prepared::new(columns);
    let rules = Rules::default();
    let mut simulation = simulate(&prepared, policy, capacity, Unit::Objects, rules, 1);
    simulation.run(columns, 0..columns.ids.len());
    simulation.counts().misses
}

fn policies(traces: &Traces, columns: &Columns, capacity: u64) -> Result<()> {
    for policy in Policy::all() {
        let name = policy.to_string();
        if matches!(name.as_str(), "none" | "ttl") {
            continue;
        }
        let (ours, count) = seconds(|| misses(columns, policy, capacity));
        let peer = traces.peer(&name, capacity)?;
        let goal = if FAST.contains(&name.as_str()) {
            12.0
        } else {
            4.0
        };
        let differs = peer.is_some_and(|(_, peer)| (peer / count as f64 - 1.0).abs() > 0.0005);
        row(
            &format!("{name}{}", if differs { " (other misses)" } else { "" }),
            ours,
            peer.map(|it| it.0),
            goal,
        );
    }
    Ok(())
}

fn curve(traces: &Traces, columns: &Columns, capacity: u64) -> Result<()> {
    let sizes: Vec<usize> = (1..=20)
        .map(|at| columns.objects as usize * at / 20)
        .collect();
    let (ours, misses) = seconds(|| {
        let [_, all] = lru_curve(&columns.ids, columns.objects, columns.ids.len());
        all.misses_at(&sizes)
    });
    black_box(misses);
    let peer = traces.peer("lru", capacity)?;
    row("lru, 20 sizes (peer: 1)", ours, peer.map(|it| it.0), 1.0);
    Ok(())
}

/// One simulation, reading included.
fn one(traces: &Traces, capacity: u64) -> Result<()> {
    for name in ["lru", "s3-fifo"] {
        let (ours, count) = seconds(|| {
            let columns = traces.columns("a.oracleGeneral")?;
            Ok::<_, anyhow::Error>(misses(&columns, name.parse()?, capacity))
        });
        black_box(count?);
        let peer = traces.peer(name, capacity)?;
        row(
            &format!("{name}, with reading"),
            ours,
            peer.map(|it| it.0),
            2.0,
        );
    }
    Ok(())
}

fn grid(traces: &Traces, keys: u64) -> Result<()> {
    let sizes: Vec<u64> = [1, 2, 5, 10, 20, 50, 100, 200]
        .map(|part| keys * part / 500)
        .to_vec();
    let policies: Vec<Policy> = GRID
        .iter()
        .map(|name| name.parse())
        .collect::<Result<_, _>>()?;
    let (ours, cells) = seconds(|| {
        let columns = traces.columns("a.oracleGeneral")?;
        let grid = Grid {
            policies,
            sizes: sizes.clone(),
            unit: Unit::Objects,
            rules: Rules::default(),
            seed: 1,
        };
        let end = columns.ids.len();
        let shard = Shard {
            prepared: Prepared::new(&columns),
            times: [0; 3],
            bounds: [0, end / 2, end],
            share: Share::Whole,
        };
        let tasks = grid.tasks(std::slice::from_ref(&shard));
        let done: usize = tasks.iter().map(|task| grid.run(task, &shard).len()).sum();
        Ok::<_, anyhow::Error>(done)
    });
    anyhow::ensure!(cells? == GRID.len() * sizes.len(), "all cells are done");
    let mut peer = Some(0.0);
    for name in GRID {
        for &size in &sizes {
            let one = traces.peer(name, size)?;
            peer = peer.zip(one).map(|(sum, (time, _))| sum + time);
        }
    }
    row("grid of 6 policies, 8 sizes", ours, peer, 10.0);
    Ok(())
}

/// The peak of memory of a trace of 100 million requests for 10 million keys.
fn memory() -> Result<()> {
    let workload = Workload {
        keys: 10_000_000,
        requests: 100_000_000,
        skew: Some(1.0),
        seed: 1,
        ..Workload::new(Kind::Zipf)
    };
    let mut limits = Limits {
        requests: u64::MAX,
        go_on: &mut |_| true,
    };
    let columns = Columns::read(&mut workload.trace()?, Wanted::default(), &mut limits)?;
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap_or("VmHWM: unknown");
    println!(
        "{} requests for {} keys in memory: peak {} (goal: 2 GB)",
        columns.ids.len(),
        columns.objects,
        peak.trim_start_matches("VmHWM:").trim()
    );
    Ok(())
}
