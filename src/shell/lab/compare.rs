//! `compare`: which policy, which size and how many nodes a trace needs.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::options::Compare;
use super::pages::{self, How, Pages};
use super::plan::Plan;
use super::progress::Progress;
use super::sampled::{self, SampleRate};
use super::show::{format_of, show_error};
use super::source::{self, Source};
use super::work::Work;
use crate::eviction::Eviction;
use crate::replay::{Ops, Policy, Rules, Ttl, Unit};
use crate::report::{self, Cell, Details};
use crate::shell::Exit;
use crate::shell::output::Output;
use crate::shell::wakeup::{self, Wakeup};
use crate::trace::{Columns, Inspection, Limits, TraceError, Wanted};

/// Compares the traces one after the other. One that cannot be read does not keep the others from it.
///
/// # Errors
/// If signals cannot be caught.
pub fn compare(options: &Compare) -> anyhow::Result<Exit> {
    let wakeup = Arc::new(Wakeup::default());
    wakeup::catch_ctrl_c(&wakeup)?;
    wakeup::watch_output(&wakeup);
    let mut screen = Output::standard();
    let mut exit = Exit::Success;
    for path in &options.traces {
        let compared = Comparison::of(path, options, &wakeup);
        if wakeup.is_cut_off() {
            return Ok(Exit::Success);
        }
        match compared {
            Ok(comparison) => {
                screen
                    .buffer()
                    .extend_from_slice(comparison.text(options).as_bytes());
                screen.flush();
                if let Err(error) = comparison.write_files(options) {
                    screen.error(format!("error: {error}\n").as_bytes());
                    exit = Exit::Failure;
                }
            }
            Err(error) if !wakeup.is_interrupted() => {
                show_error(
                    &error,
                    format_of(options.form).unwrap_or(crate::render::Format::Plain),
                    &mut screen,
                );
                exit = Exit::Failure;
            }
            Err(_) => {}
        }
        if wakeup.is_interrupted() {
            return Ok(Exit::Interrupted);
        }
    }
    let broken = screen
        .broken()
        .filter(|kind| *kind != io::ErrorKind::BrokenPipe);
    Ok(broken.map_or(exit, |_| Exit::Failure))
}

/// Compares one trace, and writes the files. Returns the report.
///
/// # Errors
/// If the trace cannot be read, or a file cannot be written.
pub fn compare_one(
    path: &Path,
    options: &Compare,
    wakeup: &Arc<Wakeup>,
) -> Result<String, TraceError> {
    let comparison = Comparison::of(path, options, wakeup)?;
    let written = comparison.write_files(options);
    written.map_err(|error| source::failure("", &error.to_string()))?;
    Ok(comparison.text(options))
}

/// The cells of one trace, with what the report says about it.
struct Comparison {
    cells: Vec<Cell>,
    notes: Vec<String>,
    facts: Vec<(String, String)>,
    repeat: Vec<(String, String)>,
    details: Details,
    /// The miss ratio of a cache without bounds.
    infinite: f64,
}

impl Comparison {
    fn of(path: &Path, options: &Compare, wakeup: &Arc<Wakeup>) -> Result<Self, TraceError> {
        let started = Instant::now();
        let name = source::name(path);
        let mut source = source::open(path, options.trace_format.as_ref(), options.split, wakeup)?;
        let mut trace =
            read(&mut source, &name, options, wakeup).map_err(|error| error.in_file(&name))?;
        if sampled::requests(&trace) == 0 {
            return Err(source::failure(&name, "the trace has no request"));
        }
        let facts = facts(&trace, &source, options);
        let mut notes = Vec::new();
        sampled::note(&trace, options.sample, &options.policies, &mut notes);
        let rules = effective(options.rules, &trace);
        give_times(&mut trace, rules, options, &mut notes);
        let work = Work {
            name: &name,
            trace: &trace,
            plan: Plan::of(&trace, options.warmup, &options.events),
            options,
            rules,
            wakeup,
        };
        let cells = work.cells(&mut notes)?;
        Ok(Self {
            details: work.details(&cells),
            cells,
            notes,
            facts,
            repeat: repeat(path, &name, options, rules, started),
            infinite: sampled::infinite(&trace),
        })
    }

    fn text(&self, options: &Compare) -> String {
        report::text(&report::Report {
            cells: &self.cells,
            notes: if options.quiet { &[] } else { &self.notes },
            by: options.by,
            target: options.target,
            form: options.form,
            width: crate::shell::terminal::columns().unwrap_or(80),
            infinite: self.infinite,
            details: &self.details,
        })
    }
}

impl Comparison {
    /// Writes the page and the chart.
    fn write_files(&self, options: &Compare) -> io::Result<()> {
        let pages = Pages {
            cells: &self.cells,
            notes: &self.notes,
            by: options.by,
            target: options.target,
            infinite: self.infinite,
            details: &self.details,
            facts: &self.facts,
            repeat: &self.repeat,
        };
        pages.write(options.html.as_deref(), options.svg.as_deref())
    }
}

/// How to repeat it, for the page.
fn repeat(
    path: &Path,
    name: &str,
    options: &Compare,
    rules: Rules,
    started: Instant,
) -> Vec<(String, String)> {
    if options.html.is_none() {
        return Vec::new();
    }
    let how = How {
        command: &options.command,
        rules,
        seed: options.seed,
        has_events: !options.events.is_empty(),
        taken: started.elapsed(),
    };
    pages::repeat(path, name, &how)
}

fn read(
    source: &mut Source,
    name: &str,
    options: &Compare,
    wakeup: &Arc<Wakeup>,
) -> Result<Columns, TraceError> {
    let with_keys = options.nodes.iter().any(|&nodes| nodes > 1)
        || !options.events.is_empty()
        || options.html.is_some()
        || options.policies.contains(&Policy::Node(Eviction::WTinyLfu));
    let with_sizes = options.by == Unit::Bytes
        || options
            .sizes
            .iter()
            .any(|size| size.unit(options.by) == Unit::Bytes)
        || options.html.is_some()
        || options.svg.is_some()
        || options.form.has_bytes();
    let with_ttls = options.rules.ttl != Ttl::None;
    let wanted = Wanted {
        sizes: with_sizes,
        times: with_ttls || !options.events.is_empty() || options.html.is_some(),
        ops: options.rules.ops == Ops::Trace || options.html.is_some(),
        ttls: options.rules.ttl == Ttl::Trace,
        follows: source.detected.spec.prefix,
        keys: with_keys,
    };
    let mut progress = Progress::new(wakeup, format!("reading {name}"), source.len);
    let mut limits = Limits {
        requests: options.limit,
        go_on: &mut |position| progress.go_on(position),
    };
    // Events, replicas and prefixes need every request.
    let needs_all = wanted.follows || options.is_live();
    let sampling = if needs_all {
        SampleRate::None
    } else {
        options.sample
    }
    .sampling();
    Columns::sample(&mut source.trace, wanted, &mut limits, sampling)
}

/// The rules, without what the trace has not.
fn effective(rules: Rules, trace: &Columns) -> Rules {
    let has_ttls = (0..trace.ttls.len()).any(|at| trace.ttls.get(at) != Some(0));
    match rules.ttl {
        Ttl::Trace if !has_ttls => Rules {
            ttl: Ttl::None,
            ..rules
        },
        _ => rules,
    }
}

/// Where a time matters and the trace has none, a request takes a millisecond.
fn give_times(trace: &mut Columns, rules: Rules, options: &Compare, notes: &mut Vec<String>) {
    let matters = rules.ttl != Ttl::None || !options.events.is_empty();
    if matters && trace.times.iter().all(|&time| time == 0) {
        notes.push("the trace has no times: each request takes 1 ms".into());
        let rate = trace.sample.as_ref().map_or(1.0, |sample| sample.rate);
        trace.times = sampled::times(trace.ids.len(), rate);
    }
}

fn facts(trace: &Columns, source: &Source, options: &Compare) -> Vec<(String, String)> {
    if options.html.is_none() {
        return Vec::new();
    }
    let mut facts = super::inspect::facts(&source.detected, &Inspection::of(trace));
    facts.extend(sampled::fact(trace));
    facts
}
