//! `compare`: which policy, which size and how many nodes a trace needs.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "parts of the number of requests"
)]

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::output_file::OutputFile;
use super::progress::Progress;
use super::run::{Run, run, shard};
use super::show::{format_of, show_error};
use super::size::Size;
use super::source::{self, Source};
use crate::eviction::Eviction;
use crate::placement::PlacementKind;
use crate::render::grouped;
use crate::replay::{Counts, Grid, Ops, Policy, Rules, Ttl, Unit};
use crate::report::{self, Cell, Deployment};
use crate::shell::Exit;
use crate::shell::output::Output;
use crate::shell::wakeup::{self, Wakeup};
use crate::trace::{Columns, Limits, Spec, TraceError, Wanted};

/// The options of `compare`.
#[derive(Clone, Debug)]
pub struct Compare {
    /// The files; `-` is standard input.
    pub traces: Vec<PathBuf>,
    /// Their format, unless it is to be detected.
    pub trace_format: Option<Spec>,
    /// Requests for ranges become requests for blocks of this many bytes.
    pub split: Option<u64>,
    /// The policies.
    pub policies: Vec<Policy>,
    /// What each node holds.
    pub sizes: Vec<Size>,
    /// The miss ratio that is minimised, and what percentages are of.
    pub by: Unit,
    /// The miss ratio to reach.
    pub target: Option<f64>,
    /// The numbers of nodes.
    pub nodes: Vec<u32>,
    /// The placements.
    pub placements: Vec<PlacementKind>,
    /// The rules of the replay.
    pub rules: Rules,
    /// The part of the requests that is replayed and not counted.
    pub warmup: f64,
    /// The most requests.
    pub limit: u64,
    /// Threads; `None`: one for each core.
    pub jobs: Option<usize>,
    /// Where the page is written.
    pub html: Option<PathBuf>,
    /// Where the chart is written.
    pub svg: Option<PathBuf>,
    /// How the result is shown.
    pub form: report::Form,
    /// Whether notes are left out.
    pub quiet: bool,
    /// The seed of policies that choose at random.
    pub seed: u64,
}

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
    windows: Vec<(String, Vec<Counts>)>,
    infinite: f64,
}

impl Comparison {
    fn of(path: &Path, options: &Compare, wakeup: &Arc<Wakeup>) -> Result<Self, TraceError> {
        let name = source::name(path);
        let mut source = source::open(path, options.trace_format.as_ref(), options.split, wakeup)?;
        let trace =
            read(&mut source, &name, options, wakeup).map_err(|error| error.in_file(&name))?;
        if trace.ids.is_empty() {
            return Err(source::failure(&name, "the trace has no request"));
        }
        let mut notes = Vec::new();
        let rules = effective(options.rules, &trace);
        let policies = allowed(&options.policies, rules, &mut notes);
        let mut cells = Vec::new();
        for deployment in deployments(options) {
            let grid = Grid {
                policies: policies.clone(),
                sizes: resolve(options, &trace, deployment.nodes)
                    .map_err(|error| source::failure(&name, &error))?,
                unit: options
                    .sizes
                    .first()
                    .map_or(options.by, |size| size.unit(options.by)),
                rules,
                seed: options.seed,
            };
            let label = format!("{name}, {} nodes", deployment.nodes);
            let how = Run {
                warmup: options.warmup,
                jobs: options.jobs,
                wakeup,
                label,
            };
            cells.extend(run(&grid, &trace, deployment, how));
            if wakeup.is_interrupted() {
                notes.push("interrupted: the cells that are done follow".into());
                break;
            }
        }
        let infinite = f64::from(trace.objects) / trace.ids.len() as f64;
        Ok(Self {
            windows: windows(&cells, &trace, rules, options),
            cells,
            notes,
            facts: facts(&trace, &source),
            repeat: repeat(&name, options),
            infinite,
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
        })
    }

    /// Writes the page and the chart, whole or not at all.
    fn write_files(&self, options: &Compare) -> io::Result<()> {
        let Some(verdict) = report::verdict(&self.cells, options.by, options.target) else {
            return Ok(());
        };
        let sentence = report::sentence(&self.cells, options.by, &verdict);
        let chosen = &self.cells[verdict.choice];
        let has_sizes = chosen.counts.bytes != chosen.counts.requests;
        let curves: Vec<(Unit, Vec<report::Series>)> = [Unit::Objects, Unit::Bytes]
            .into_iter()
            .filter(|by| has_sizes || *by == options.by)
            .map(|by| (by, report::series(&self.cells, by, chosen.deployment)))
            .collect();
        let charts: Vec<report::Chart<'_>> = curves
            .iter()
            .map(|(by, series)| report::Chart {
                title: match by {
                    Unit::Objects => "Requests that miss",
                    Unit::Bytes => "Bytes that miss",
                },
                series,
                unit: chosen.unit,
                chosen: Some((chosen.size, chosen.ratio(*by))),
                infinite: (*by == Unit::Objects).then_some(self.infinite),
            })
            .collect();
        let of_verdict = curves
            .iter()
            .position(|(by, _)| *by == options.by)
            .unwrap_or(0);
        if let Some(path) = &options.svg {
            write(path, &report::chart(&charts[of_verdict]))?;
        }
        if let Some(path) = &options.html {
            let page = report::page(&report::Page {
                sentence: &sentence,
                charts: &charts,
                cells: &self.cells,
                by: options.by,
                choice: verdict.choice,
                windows: &self.windows,
                trace: &self.facts,
                repeat: &self.repeat,
            });
            write(path, &page)?;
        }
        Ok(())
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let named = |error: io::Error| io::Error::other(format!("{}: {error}", path.display()));
    let mut file = OutputFile::create(path).map_err(named)?;
    io::Write::write_all(&mut file, text.as_bytes()).map_err(named)?;
    file.finish().map_err(named)
}

fn read(
    source: &mut Source,
    name: &str,
    options: &Compare,
    wakeup: &Arc<Wakeup>,
) -> Result<Columns, TraceError> {
    let with_keys = options.nodes.iter().any(|&nodes| nodes > 1)
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
        times: with_ttls,
        ops: options.rules.ops == Ops::Trace,
        ttls: options.rules.ttl == Ttl::Trace,
        follows: false,
        keys: with_keys,
    };
    let mut progress = Progress::new(wakeup, format!("reading {name}"), source.len);
    let mut limits = Limits {
        requests: options.limit,
        go_on: &mut |position| progress.go_on(position),
    };
    Columns::read(&mut source.trace, wanted, &mut limits)
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

fn allowed(policies: &[Policy], rules: Rules, notes: &mut Vec<String>) -> Vec<Policy> {
    let allowed: Vec<Policy> = policies
        .iter()
        .copied()
        .filter(|it| it.allows(rules))
        .collect();
    if allowed.len() < policies.len() {
        let why = "belady is left out: it is defined for gets that store, without TTLs";
        notes.push(why.into());
    }
    allowed
}

fn deployments(options: &Compare) -> Vec<Deployment> {
    let mut all = Vec::new();
    for &nodes in &options.nodes {
        for &placement in &options.placements {
            let deployment = Deployment {
                nodes,
                placement,
                replicas: 1,
            };
            // One node has every object, whatever the placement.
            if nodes > 1 || all.iter().all(|it: &Deployment| it.nodes > 1) {
                all.push(deployment);
            }
        }
    }
    all
}

/// The sizes in their unit, ascending, each once.
fn resolve(options: &Compare, trace: &Columns, nodes: u32) -> Result<Vec<u64>, String> {
    let whole = match options.by {
        Unit::Objects => u64::from(trace.objects),
        Unit::Bytes => working_set(trace),
    };
    let sizes = options
        .sizes
        .iter()
        .map(|size| size.resolve(whole / u64::from(nodes)));
    let mut sizes: Vec<u64> = sizes.collect::<Result<_, _>>()?;
    sizes.sort_unstable();
    sizes.dedup();
    Ok(sizes)
}

/// The bytes of all objects, each with the size of its first request.
fn working_set(trace: &Columns) -> u64 {
    let mut seen = 0;
    let mut bytes = 0_u64;
    for (at, &id) in trace.ids.iter().enumerate() {
        if id >= seen {
            seen = id + 1;
            bytes = bytes.saturating_add(trace.sizes.get(at).unwrap_or(1));
        }
    }
    bytes
}

/// Miss ratios over time of the three best policies at the chosen size, on one node.
fn windows(
    cells: &[Cell],
    trace: &Columns,
    rules: Rules,
    options: &Compare,
) -> Vec<(String, Vec<Counts>)> {
    const WINDOWS: usize = 60;
    let verdict = report::verdict(cells, options.by, options.target);
    let Some(chosen) = verdict.map(|verdict| &cells[verdict.choice]) else {
        return Vec::new();
    };
    if options.html.is_none() || chosen.deployment.nodes > 1 {
        return Vec::new();
    }
    let mut beside: Vec<&Cell> = cells
        .iter()
        .filter(|cell| {
            cell.size == chosen.size
                && cell.deployment == chosen.deployment
                && cell.policy != Policy::Belady
        })
        .collect();
    beside.sort_by(|a, b| a.ratio(options.by).total_cmp(&b.ratio(options.by)));
    let shard = shard(trace, &trace.keys, None, [0, 0, trace.ids.len()], false);
    let series = beside.into_iter().take(3).map(|cell| {
        let mut simulation = crate::replay::simulate(
            &shard.prepared,
            cell.policy,
            cell.size,
            cell.unit,
            rules,
            options.seed,
        );
        let mut before = Counts::default();
        let windows = (0..WINDOWS).map(|window| {
            let place = |window: usize| trace.ids.len() * window / WINDOWS;
            simulation.run(trace, place(window)..place(window + 1));
            let counts = simulation.counts();
            let window = counts - before;
            before = counts;
            window
        });
        let windows: Vec<Counts> = windows.collect();
        (cell.policy.to_string(), windows)
    });
    series.collect()
}

fn facts(trace: &Columns, source: &Source) -> Vec<(String, String)> {
    let mut facts = vec![
        (
            "format".into(),
            format!(
                "{}: {}",
                source.detected.spec.format, source.detected.reason
            ),
        ),
        ("requests".into(), grouped(trace.ids.len() as u64)),
        ("objects".into(), grouped(trace.objects.into())),
    ];
    if let (Some(first), Some(last)) = (trace.times.first(), trace.times.last()) {
        let span = Duration::from_nanos(last.saturating_sub(*first));
        facts.push((
            "span".into(),
            humantime::format_duration(Duration::from_secs(span.as_secs())).to_string(),
        ));
    }
    for (reason, count) in trace.skipped.iter() {
        facts.push(("skipped".into(), format!("{} {reason}", grouped(count))));
    }
    facts
}

fn repeat(name: &str, options: &Compare) -> Vec<(String, String)> {
    let policies: Vec<String> = options.policies.iter().map(ToString::to_string).collect();
    let sizes: Vec<String> = options.sizes.iter().map(ToString::to_string).collect();
    let rule = match options.rules.ops {
        Ops::Fill => "every request is a get that stores on a miss",
        Ops::Trace => "gets, sets and deletes as recorded",
    };
    vec![
        (
            "command".into(),
            format!(
                "shardlab compare {name} --policies {} --sizes {}",
                policies.join(","),
                sizes.join(","),
            ),
        ),
        ("version".into(), env!("CARGO_PKG_VERSION").into()),
        ("seed".into(), options.seed.to_string()),
        ("operations".into(), rule.into()),
        (
            "sizes".into(),
            "an object keeps the size of its insertion".into(),
        ),
    ]
}
