//! `shardlab simulate`: many runs, and what came of them.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Exit;
use super::rehearsal;
use super::wakeup::{self, Wakeup};
use crate::nemesis::Kind;
use crate::render::Format;
use crate::replica::Message;
use crate::reply::Judgement;
use crate::simulation::{self, ACTIONS, Coverage, OUTCOMES, Options, Run, Step};

/// How often it is said how far things are.
const PROGRESS: Duration = Duration::from_millis(200);

/// How many runs to do, and how.
#[derive(Debug)]
pub struct Series {
    /// What all runs have in common.
    pub options: Options,
    /// The seed of the first run; the others follow.
    pub first: u64,
    /// How many runs.
    pub seeds: u64,
    /// Whether each is done twice, and must come to the same.
    pub twice: bool,
    /// How many at a time.
    pub jobs: usize,
    /// Of the plan of each run only the steps at these places, counted from 0.
    pub steps: Option<Vec<usize>>,
    /// How the result is shown.
    pub format: Format,
    /// The arguments beside the seeds, to be typed again.
    pub arguments: String,
}

/// Why a series ended early.
enum Trouble {
    Failed(Box<Run>),
    Differs(u64),
    Panicked(u64),
}

impl Trouble {
    fn seed(&self) -> u64 {
        match self {
            Self::Failed(run) => run.seed,
            Self::Differs(seed) | Self::Panicked(seed) => *seed,
        }
    }
}

/// What has come of a series so far.
#[derive(Default)]
struct Results {
    total: Coverage,
    trouble: Option<Trouble>,
    /// Whether Ctrl-C ended it.
    is_interrupted: bool,
}

/// Runs a series.
///
/// # Errors
/// If a bound is broken, or the output cannot be written.
pub fn simulate(series: &Series) -> anyhow::Result<Exit> {
    series.options.check()?;
    let wakeup = Arc::new(Wakeup::default());
    wakeup::catch_ctrl_c(&wakeup)?;
    let start = Instant::now();
    let mut results = run_all(series, &wakeup, start);
    results.is_interrupted = wakeup.is_interrupted() && results.trouble.is_none();
    let text = match series.format {
        Format::Json => json_report(series, &results, start.elapsed()).to_string() + "\n",
        Format::Plain | Format::Table => report(series, &results, start.elapsed()),
    };
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    Ok(exit(series, &results))
}

fn exit(series: &Series, results: &Results) -> Exit {
    if results.trouble.is_some() || results.total.gap(&series.options).is_some() {
        Exit::Failure
    } else if results.is_interrupted {
        Exit::Interrupted
    } else {
        Exit::Success
    }
}

/// Hands out the seeds in order. What has begun when something fails is finished, so that the
/// lowest seed that fails is the one that is shown.
fn run_all(series: &Series, wakeup: &Wakeup, start: Instant) -> Results {
    let (next, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let results = Mutex::new(Results::default());
    let work = || {
        let mut total = Coverage::default();
        while !over.load(Ordering::SeqCst) && !wakeup.is_interrupted() {
            let place = next.fetch_add(1, Ordering::SeqCst);
            if place >= series.seeds {
                break;
            }
            let outcome = run_one(series, series.first.wrapping_add(place), &mut total);
            if let Err(trouble) = outcome {
                over.store(true, Ordering::SeqCst);
                note(&results, trouble);
            }
        }
        let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
        results.total.add(&total);
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..series.jobs).map(|_| scope.spawn(work)).collect();
        while io::stderr().is_terminal() && workers.iter().any(|worker| !worker.is_finished()) {
            thread::sleep(PROGRESS);
            tell(next.load(Ordering::SeqCst).min(series.seeds), series, start);
        }
    });
    if io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn note(results: &Mutex<Results>, trouble: Trouble) {
    let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
    let first = results.trouble.as_ref().map(Trouble::seed);
    if first.is_none_or(|first| trouble.seed() < first) {
        results.trouble = Some(trouble);
    }
}

fn tell(done: u64, series: &Series, start: Instant) {
    let rate = done as f64 / start.elapsed().as_secs_f64();
    eprint!(
        "\r\x1b[K{done} of {} seeds, {rate:.0} a second",
        series.seeds
    );
}

fn run_one(series: &Series, seed: u64, total: &mut Coverage) -> Result<(), Trouble> {
    let run = catch_unwind(AssertUnwindSafe(|| run(series, seed)));
    let run = run.map_err(|_| Trouble::Panicked(seed))??;
    total.add(&run.coverage);
    match run.failure {
        Some(_) => Err(Trouble::Failed(Box::new(run))),
        None => Ok(()),
    }
}

fn run(series: &Series, seed: u64) -> Result<Run, Trouble> {
    let options = &series.options;
    if let Some(places) = &series.steps {
        let plan = simulation::run(options, seed).plan;
        let plan = simulation::chosen(&plan, places);
        return Ok(simulation::replay(options, seed, &plan));
    }
    if !series.twice {
        return Ok(simulation::run(options, seed));
    }
    let (run, first) = simulation::transcript(options, seed);
    let (_, second) = simulation::transcript(options, seed);
    if first == second {
        Ok(run)
    } else {
        Err(Trouble::Differs(seed))
    }
}

/// The result for people.
fn report(series: &Series, results: &Results, time: Duration) -> String {
    let mut text = String::new();
    let total = &results.total;
    let rate = total.runs as f64 / time.as_secs_f64().max(1e-9);
    let _ = writeln!(
        text,
        "{} runs, {} operations, {} keys judged, {} undecided; {rate:.0} runs a second",
        total.runs,
        total.asked(),
        total.keys,
        total.undecided
    );
    let _ = write!(text, "{:<12}", "operations");
    for name in OUTCOMES {
        let _ = write!(text, "{name:>12}");
    }
    text.push('\n');
    for (name, counts) in ACTIONS.iter().zip(&total.operations) {
        let _ = write!(text, "  {name:<10}");
        for count in counts {
            let _ = write!(text, "{count:>12}");
        }
        text.push('\n');
    }
    let kinds = Kind::ALL.iter().map(Kind::to_string);
    text.push_str(&counts("faults", kinds.zip(total.faults)));
    let _ = writeln!(
        text,
        "copies: expired {}, evicted {}; tombstones kept {}",
        total.expired, total.evicted, total.tombstones
    );
    let kinds = Message::KINDS.iter().map(ToString::to_string);
    text.push_str(&counts("messages", kinds.zip(total.messages)));
    if let Some(gap) = total.gap(&series.options) {
        let _ = writeln!(text, "too little happened: never {gap}");
    }
    if results.is_interrupted {
        let _ = writeln!(
            text,
            "interrupted: {} of {} seeds are done",
            total.runs, series.seeds
        );
    }
    match &results.trouble {
        None => {}
        Some(Trouble::Failed(run)) => text.push_str(&failure(series, run)),
        Some(Trouble::Differs(seed)) => {
            let _ = writeln!(text, "seed {seed}: two runs differ");
        }
        Some(Trouble::Panicked(seed)) => {
            let _ = writeln!(text, "seed {seed}: a panic, which is a bug");
        }
    }
    text
}

fn counts(title: &str, counts: impl Iterator<Item = (String, u64)>) -> String {
    let all: Vec<String> = counts
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    format!("{title}: {}\n", all.join(", "))
}

/// A failed run in few steps.
struct Shrunk {
    steps: Vec<usize>,
    again: Run,
    script: String,
    shown: Shown,
}

/// What a script shows of a failed run.
#[derive(Clone, Copy, PartialEq)]
enum Shown {
    /// The same, and its CHECK fails.
    Broken,
    /// The same, but its CHECK does not fail.
    Unbroken,
    /// Nothing of the kind.
    Nothing,
}

impl Shown {
    /// For people.
    fn say(self) -> &'static str {
        match self {
            Self::Broken => "the same as a script, whose CHECK fails",
            Self::Unbroken => {
                "the same as a script, whose CHECK shows it and does not fail, \
                 as these quorums do not promise otherwise"
            }
            Self::Nothing => "as a script of one client, which alone does not show it",
        }
    }
}

fn shrunk(series: &Series, run: &Run) -> Shrunk {
    let options = &series.options;
    let steps = simulation::shrink(options, run);
    let plan = simulation::chosen(&run.plan, &steps);
    let (script, shown) = scripted(options, run, &plan);
    Shrunk {
        steps,
        again: simulation::replay(options, run.seed, &plan),
        script,
        shown,
    }
}

/// A script of these steps; or of others, where these need clients at the same time and others do
/// not.
fn scripted(options: &Options, run: &Run, plan: &[Step]) -> (String, Shown) {
    let script = simulation::script(options, run.seed, plan);
    let shown = attempt(run, &script);
    if shown != Shown::Nothing {
        return (script, shown);
    }
    let does = |script: &str| attempt(run, script) != Shown::Nothing;
    match simulation::shrink_script(options, run, does) {
        Some(other) => {
            let shown = attempt(run, &other);
            (other, shown)
        }
        None => (script, shown),
    }
}

/// Tries a script.
fn attempt(run: &Run, script: &str) -> Shown {
    let promised = run.setup.promise(script.contains("SKEW "));
    let shows = |check: &Judgement| {
        let mut failure = run.failure.iter();
        failure.any(|it| rehearsal::shows(check, it, promised))
    };
    let check = rehearsal::rehearse(simulation::cluster(&run.setup), script);
    let check = check.filter(|check| shows(check));
    check.map_or(Shown::Nothing, |check| match check.broken {
        Some(_) => Shown::Broken,
        None => Shown::Unbroken,
    })
}

fn replay_line(series: &Series, seed: u64, steps: Option<&[usize]>) -> String {
    let mut line = format!(
        "shardlab simulate --seed {seed} --seeds 1{}",
        series.arguments
    );
    if let Some(steps) = steps {
        let places: Vec<String> = steps.iter().map(ToString::to_string).collect();
        let _ = write!(line, " --steps {}", places.join(","));
    }
    line
}

fn failure(series: &Series, run: &Run) -> String {
    let mut text = format!("\nseed {} fails: ", run.seed);
    if let Some(failure) = &run.failure {
        let _ = writeln!(text, "{failure}");
    }
    let _ = writeln!(text, "again: {}", replay_line(series, run.seed, None));
    if series.steps.is_some() {
        return text;
    }
    let Shrunk {
        steps,
        again,
        script,
        shown,
    } = shrunk(series, run);
    let (few, all) = (steps.len(), run.plan.len());
    let _ = writeln!(text, "\n{few} of its {all} steps are enough:");
    for step in &again.plan {
        let _ = writeln!(text, "  {step}");
    }
    if let Some(failure) = &again.failure {
        let _ = writeln!(text, "{failure}");
    }
    let _ = writeln!(
        text,
        "again: {}",
        replay_line(series, run.seed, Some(&steps))
    );
    let arguments = simulation::arguments(&run.setup);
    let says = shown.say();
    let _ = write!(text, "\n{says}:\n\n# shardlab run {arguments} FILE\n");
    text + &script
}

/// The result for programs: one object.
fn json_report(series: &Series, results: &Results, time: Duration) -> Value {
    let total = &results.total;
    let operations = ACTIONS.iter().zip(&total.operations).map(|(name, counts)| {
        let counts = OUTCOMES.iter().zip(counts);
        let counts = counts.map(|(name, count)| ((*name).to_owned(), json!(count)));
        ((*name).to_owned(), Value::Object(counts.collect()))
    });
    let faults = Kind::ALL.iter().zip(total.faults);
    let faults = faults.map(|(kind, count)| (kind.to_string(), json!(count)));
    let messages = Message::KINDS.iter().zip(total.messages);
    let messages = messages.map(|(kind, count)| ((*kind).to_owned(), json!(count)));
    let mut report = json!({
        "ok": results.trouble.is_none() && total.gap(&series.options).is_none(),
        "interrupted": results.is_interrupted,
        "runs": total.runs,
        "seconds": time.as_secs_f64(),
        "operations": Value::Object(operations.collect()),
        "faults": Value::Object(faults.collect()),
        "expired": total.expired,
        "evicted": total.evicted,
        "tombstones": total.tombstones,
        "messages": Value::Object(messages.collect()),
        "keys": total.keys,
        "undecided": total.undecided,
    });
    report["failure"] = match &results.trouble {
        None => Value::Null,
        Some(Trouble::Failed(run)) => json_failure(series, run),
        Some(Trouble::Differs(seed)) => json!({"seed": seed, "kind": "two runs differ"}),
        Some(Trouble::Panicked(seed)) => json!({"seed": seed, "kind": "panic"}),
    };
    report
}

fn json_failure(series: &Series, run: &Run) -> Value {
    let failure = run.failure.as_ref();
    let shrunk = shrunk(series, run);
    json!({
        "seed": run.seed,
        "kind": failure.map(simulation::Failure::kind),
        "text": failure.map(ToString::to_string),
        "arguments": simulation::arguments(&run.setup),
        "steps": shrunk.steps,
        "again": replay_line(series, run.seed, Some(&shrunk.steps)),
        "script": shrunk.script,
        "script_shows_it": shrunk.shown != Shown::Nothing,
        "script_fails": shrunk.shown == Shown::Broken,
    })
}
