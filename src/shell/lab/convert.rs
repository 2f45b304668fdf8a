//! `shardlab convert` and `shardlab generate`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use super::output_file::OutputFile;
use super::progress::Progress;
use super::show::{show_error, skipped};
use super::source;
use crate::render::{Format, write_json};
use crate::shell::Exit;
use crate::shell::output::Output as Screen;
use crate::shell::wakeup::{self, Wakeup};
use crate::trace::{
    Compressed, Compression, Conversion, Output, Spec, Trace, TraceError, Workload,
    convert as write_trace,
};

/// Where a trace is written, and in what form.
#[derive(Clone, Debug)]
pub struct Target {
    /// The file; `-` is standard output.
    pub path: PathBuf,
    /// The format.
    pub output: Output,
    /// Its compression.
    pub compression: Compression,
}

/// The error of a target whose format is unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the name {0:?} does not say what format to write: use --to txt, csv, oracleGeneral, lcs or u64le, or such an extension, with or without .gz, .zst or .xz"
)]
pub struct OutputError(String);

impl Target {
    /// The format is `to`, or that of the extension; the compression is that of the last extension.
    ///
    /// # Errors
    /// [`OutputError`] if neither says the format.
    pub fn new(path: &Path, to: Option<Output>) -> Result<Self, OutputError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let (compression, name) = Compression::of(&name);
        let unknown = || OutputError(path.to_string_lossy().into_owned());
        let output = to.or_else(|| Output::of(name)).ok_or_else(unknown)?;
        Ok(Self {
            path: path.to_owned(),
            output,
            compression,
        })
    }

    /// The name in messages.
    fn name(&self) -> String {
        if self.path.as_os_str() == "-" {
            return "<stdout>".into();
        }
        source::name(&self.path)
    }
}

/// A trace to be converted.
#[derive(Clone, Debug)]
pub struct Convert {
    /// The file; `-` is standard input.
    pub source: PathBuf,
    /// Where it goes.
    pub target: Target,
    /// Its format, unless it is to be detected.
    pub trace_format: Option<Spec>,
    /// Requests for ranges become requests for blocks of this many bytes.
    pub split: Option<u64>,
    /// How the result is shown.
    pub format: Format,
    /// Print errors only.
    pub quiet: bool,
}

/// A workload to be written.
#[derive(Clone, Debug)]
pub struct Generate {
    /// The workload.
    pub workload: Workload,
    /// Where it goes.
    pub target: Target,
    /// How the result is shown.
    pub format: Format,
    /// Print errors only.
    pub quiet: bool,
}

/// Converts a trace.
///
/// # Errors
/// If signals cannot be caught.
pub fn convert(options: &Convert) -> anyhow::Result<Exit> {
    let wakeup = Arc::new(Wakeup::default());
    wakeup::catch_ctrl_c(&wakeup)?;
    let done = source::open(
        &options.source,
        options.trace_format.as_ref(),
        options.split,
        &wakeup,
    );
    let done = done.and_then(|mut source| {
        let name = source::name(&options.source);
        let mut progress = Progress::new(&wakeup, name.clone(), source.len);
        write(&mut *source.trace, &name, &options.target, &mut progress)
    });
    Ok(report(
        done,
        &options.target,
        &wakeup,
        options.format,
        options.quiet,
    ))
}

/// Writes a workload.
///
/// # Errors
/// If signals cannot be caught, or the workload breaks a bound.
pub fn generate(options: &Generate) -> anyhow::Result<Exit> {
    let wakeup = Arc::new(Wakeup::default());
    wakeup::catch_ctrl_c(&wakeup)?;
    let mut trace = options.workload.trace()?;
    let name = options.target.name();
    let mut progress = Progress::new(&wakeup, name.clone(), Some(options.workload.requests));
    let done = write(&mut trace, &name, &options.target, &mut progress);
    drop(progress);
    Ok(report(
        done,
        &options.target,
        &wakeup,
        options.format,
        options.quiet,
    ))
}

/// Writes a trace. `source` is the name for errors of the trace that have none.
fn write(
    trace: &mut dyn Trace,
    source: &str,
    target: &Target,
    progress: &mut Progress,
) -> Result<Conversion, TraceError> {
    let name = target.name();
    let fail = |error: io::Error| TraceError::writing(&error).in_file(&name);
    let file = OutputFile::create_while(&target.path, &|| progress.is_wanted()).map_err(fail)?;
    let mut out = Compressed::new(file, target.compression).map_err(fail)?;
    let mut go_on = |position| progress.go_on(position);
    let done = write_trace(trace, target.output, &mut out, &mut go_on);
    let done = done.map_err(|error| match error.of_output() {
        Some(_) => error.in_file(&name),
        None => error.in_file(source),
    })?;
    let file = out.finish().map_err(fail)?;
    if !progress.go_on(trace.position()) {
        return Err(TraceError::interrupted());
    }
    file.finish().map_err(fail)?;
    Ok(done)
}

/// Shows what was done. Standard output is for the trace, if that goes there.
fn report(
    done: Result<Conversion, TraceError>,
    target: &Target,
    wakeup: &Wakeup,
    format: Format,
    quiet: bool,
) -> Exit {
    let mut screen = Screen::standard();
    let done = match done {
        _ if wakeup.take_interrupt() => return Exit::Interrupted,
        Err(error) => return failed(&error, format, &mut screen),
        Ok(done) => done,
    };
    if quiet {
        return Exit::Success;
    }
    let mut text = Vec::new();
    match format {
        Format::Json => write_json(&object(&done, target), &mut text),
        Format::Plain | Format::Table => plain(&done, target, &mut text),
    }
    if target.path.as_os_str() == "-" {
        screen.error(&text);
    } else {
        screen.buffer().extend_from_slice(&text);
    }
    screen.flush();
    Exit::Success
}

/// Shows an error; a closed pipe is none.
fn failed(error: &TraceError, format: Format, screen: &mut Screen) -> Exit {
    if error.of_output() == Some(io::ErrorKind::BrokenPipe) {
        return Exit::Success;
    }
    show_error(error, format, screen);
    Exit::Failure
}

fn plain(done: &Conversion, target: &Target, out: &mut Vec<u8>) {
    let name = target.name();
    let s = if done.requests == 1 { "" } else { "s" };
    let _ = writeln!(
        out,
        "{name}: {} request{s}, {}",
        done.requests, target.output
    );
    for note in &done.notes {
        let _ = writeln!(out, "note: {note}");
    }
    for (reason, count) in done.skipped.iter() {
        let _ = writeln!(out, "skipped: {count} {reason}");
    }
}

fn object(done: &Conversion, target: &Target) -> serde_json::Value {
    json!({
        "file": target.name(),
        "format": target.output.to_string(),
        "requests": done.requests,
        "notes": done.notes,
        "skipped": skipped(&done.skipped),
    })
}
