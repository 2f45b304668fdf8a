//! `shardlab simulate`: many runs and their report.

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
use crate::simulation::{self, ACTIONS, Coverage, Failure, OUTCOMES, Options, Run, Setup};

/// How often progress is shown.
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
    /// Whether each is run twice, and must give the same.
    pub twice: bool,
    /// How many at a time.
    pub jobs: usize,
    /// Only the steps with these indexes, counted from 0.
    pub steps: Option<Vec<usize>>,
    /// How the result is shown.
    pub format: Format,
    /// The arguments beside the seeds, to be typed again.
    pub arguments: String,
}

/// Why a series ended early.
enum Problem {
    Failed(Box<Run>),
    Differs(u64),
    Panicked(u64),
}

impl Problem {
    fn seed(&self) -> u64 {
        match self {
            Self::Failed(run) => run.seed,
            Self::Differs(seed) | Self::Panicked(seed) => *seed,
        }
    }
}

/// The results of a series so far.
#[derive(Default)]
struct Results {
    total: Coverage,
    problem: Option<Problem>,
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
    results.is_interrupted = wakeup.is_interrupted() && results.problem.is_none();
    let text = match series.format {
        Format::Json => json_report(series, &results, start.elapsed()).to_string() + "\n",
        Format::Plain | Format::Table => report(series, &results, start.elapsed()),
    };
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    Ok(exit(&results))
}

fn exit(results: &Results) -> Exit {
    if results.problem.is_some() {
        Exit::Failure
    } else if results.is_interrupted {
        Exit::Interrupted
    } else {
        Exit::Success
    }
}

/// Hands out the seeds in order. When a run fails, those that have begun are finished, so that the
/// lowest seed that fails is shown.
fn run_all(series: &Series, wakeup: &Wakeup, start: Instant) -> Results {
    let (next, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let results = Mutex::new(Results::default());
    let work = || {
        let mut total = Coverage::default();
        while !over.load(Ordering::SeqCst) && !wakeup.is_interrupted() {
            let index = next.fetch_add(1, Ordering::SeqCst);
            if index >= series.seeds {
                break;
            }
            let outcome = run_one(series, series.first.wrapping_add(index), &mut total);
            if let Err(problem) = outcome {
                over.store(true, Ordering::SeqCst);
                note(&results, problem);
            }
        }
        let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
        results.total.add(&total);
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..series.jobs).map(|_| scope.spawn(work)).collect();
        while io::stderr().is_terminal() && workers.iter().any(|worker| !worker.is_finished()) {
            thread::sleep(PROGRESS);
            show_progress(next.load(Ordering::SeqCst).min(series.seeds), series, start);
        }
    });
    if io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn note(results: &Mutex<Results>, problem: Problem) {
    let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
    let first = results.problem.as_ref().map(Problem::seed);
    if first.is_none_or(|first| problem.seed() < first) {
        results.problem = Some(problem);
    }
}

fn show_progress(done: u64, series: &Series, start: Instant) {
    let rate = done as f64 / start.elapsed().as_secs_f64();
    eprint!(
        "\r\x1b[K{done} of {} seeds, {rate:.0} a second",
        series.seeds
    );
}

fn run_one(series: &Series, seed: u64, total: &mut Coverage) -> Result<(), Problem> {
    let run = catch_unwind(AssertUnwindSafe(|| run(series, seed)));
    let run = run.map_err(|_| Problem::Panicked(seed))??;
    total.add(&run.coverage);
    match run.failure {
        Some(_) => Err(Problem::Failed(Box::new(run))),
        None => Ok(()),
    }
}

fn run(series: &Series, seed: u64) -> Result<Run, Problem> {
    let options = &series.options;
    if let Some(indexes) = &series.steps {
        let plan = simulation::run(options, seed).plan;
        let plan = simulation::chosen(&plan, indexes);
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
        Err(Problem::Differs(seed))
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
    text.push_str(&operations(total));
    let kinds = Kind::ALL.iter().map(Kind::to_string);
    text.push_str(&counts("faults", kinds.zip(total.faults)));
    let _ = writeln!(
        text,
        "copies: expired {}, evicted {}; tombstones kept {}; read-only commands {}",
        total.expired, total.evicted, total.tombstones, total.looks
    );
    let kinds = Message::KINDS.iter().map(ToString::to_string);
    text.push_str(&counts("messages", kinds.zip(total.messages)));
    let missing = total.missing();
    if !missing.is_empty() {
        let _ = writeln!(text, "never: {}", missing.join(", "));
    }
    if results.is_interrupted {
        let _ = writeln!(
            text,
            "interrupted: {} of {} seeds are done",
            total.runs, series.seeds
        );
    }
    match &results.problem {
        None => {}
        Some(Problem::Failed(run)) => text.push_str(&failure(series, run)),
        Some(Problem::Differs(seed)) => {
            let _ = writeln!(text, "\nseed {seed}: two runs differ");
            let _ = writeln!(text, "again: {} --twice", replay_line(series, *seed, None));
        }
        Some(Problem::Panicked(seed)) => {
            let _ = writeln!(text, "\nseed {seed}: a panic, which is a bug");
            let _ = writeln!(text, "again: {}", replay_line(series, *seed, None));
        }
    }
    text
}

/// The table of operations and their outcomes.
fn operations(total: &Coverage) -> String {
    let mut text = format!("{:<12}", "operations");
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

/// How a script shows a failure.
#[derive(Clone, Copy, PartialEq)]
enum Shown {
    /// Its CHECK fails.
    Fails,
    /// Its CHECK shows the state of the nodes.
    State,
    /// A read at its end does not find what the last write left. An older write with an unknown outcome
    /// may explain that to CHECK.
    Read,
    /// An answer in it is another one without the read-only commands.
    Looks,
    /// Not at all: then the script does not do what the run does, which is a bug.
    Missing,
}

impl Shown {
    /// How the script shows this failure when it is run.
    fn new(options: &Options, run: &Run, script: &str) -> Self {
        let config = simulation::cluster(&run.setup);
        let rehearsal = rehearsal::rehearse(config, script);
        match &run.failure {
            Some(failure @ Failure::Looks { .. }) => {
                let plan = simulation::without_looks(&run.plan);
                let other = simulation::script(options, run.seed, &plan);
                let differs = rehearsal.calls != rehearsal::rehearse(config, &other).calls;
                if differs && failure.kind() == "looks change answers" {
                    Self::Looks
                } else {
                    Self::Missing
                }
            }
            Some(failure) if rehearsal.fails(failure) => Self::Fails,
            Some(failure) if rehearsal.shows_state(failure) => Self::State,
            Some(failure) if rehearsal.shows_read(failure) => Self::Read,
            _ => Self::Missing,
        }
    }

    /// For people.
    fn describe(self) -> &'static str {
        match self {
            Self::Fails => "the same as a script, whose CHECK fails",
            Self::State => "the same as a script, whose CHECK shows the state of the nodes",
            Self::Read => {
                "the same as a script: a read at its end does not find what the last write left"
            }
            Self::Looks => "the same as a script: without its read-only commands an answer differs",
            Self::Missing => "a script that should show it, and does not, which is a bug",
        }
    }
}

fn shrunk(series: &Series, run: &Run) -> Shrunk {
    let options = &series.options;
    let steps = simulation::shrink(options, run);
    let plan = simulation::chosen(&run.plan, &steps);
    let again = simulation::replay(options, run.seed, &plan);
    let script = simulation::script(options, run.seed, &plan);
    let shown = Shown::new(options, &again, &script);
    Shrunk {
        steps,
        again,
        script,
        shown,
    }
}

fn replay_line(series: &Series, seed: u64, steps: Option<&[usize]>) -> String {
    let mut line = format!(
        "shardlab simulate --seed {seed} --seeds 1{}",
        series.arguments
    );
    if let Some(steps) = steps {
        let indexes: Vec<String> = steps.iter().map(ToString::to_string).collect();
        let _ = write!(line, " --steps {}", indexes.join(","));
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
    let (how, command) = (shown.describe(), run_line(&run.setup, "FILE"));
    let _ = write!(text, "\n{how}:\n\n# {command}\n");
    text + &script
}

/// The command that runs the script of a run.
fn run_line(setup: &Setup, file: &str) -> String {
    format!("shardlab run {} {file}", simulation::arguments(setup))
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
        "ok": results.problem.is_none(),
        "interrupted": results.is_interrupted,
        "runs": total.runs,
        "seconds": time.as_secs_f64(),
        "operations": Value::Object(operations.collect()),
        "faults": Value::Object(faults.collect()),
        "expired": total.expired,
        "evicted": total.evicted,
        "tombstones": total.tombstones,
        "looks": total.looks,
        "never": total.missing(),
        "messages": Value::Object(messages.collect()),
        "keys": total.keys,
        "undecided": total.undecided,
    });
    report["failure"] = match &results.problem {
        None => Value::Null,
        Some(Problem::Failed(run)) => json_failure(series, run),
        Some(Problem::Differs(seed)) => json!({"seed": seed, "kind": "two runs differ"}),
        Some(Problem::Panicked(seed)) => json!({"seed": seed, "kind": "panic"}),
    };
    report
}

fn json_failure(series: &Series, run: &Run) -> Value {
    let failure = run.failure.as_ref();
    let shrunk = shrunk(series, run);
    json!({
        "seed": run.seed,
        "kind": failure.map(Failure::kind),
        "text": failure.map(ToString::to_string),
        "arguments": simulation::arguments(&run.setup),
        "steps": shrunk.steps,
        "again": replay_line(series, run.seed, Some(&shrunk.steps)),
        "command": run_line(&run.setup, "FILE"),
        "script": shrunk.script,
        "script_shows_it": shrunk.shown != Shown::Missing,
        "script_fails": shrunk.shown == Shown::Fails,
    })
}
