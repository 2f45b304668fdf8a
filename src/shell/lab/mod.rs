//! The subcommands that work on traces: `compare`, `inspect`, `convert` and `generate`.

pub mod arguments;
mod compare;
mod convert;
mod details;
mod events;
mod inspect;
mod live;
mod options;
mod output_file;
mod pages;
mod plan;
mod progress;
mod run;
mod sampled;
mod show;
mod size;
mod source;
pub mod words;
mod work;
mod workers;

use std::path::PathBuf;

pub use compare::{compare, compare_one};
pub use convert::{Convert, Generate, Target, convert, generate};
pub use inspect::inspect;
pub use options::Compare;
pub use output_file::OutputFile;
pub use pages::command_line;
pub use show::format_of;
pub use source::{check_standard_input, open as open_trace};

use crate::render::Format;
use crate::trace::Spec;

/// Traces to be inspected.
#[derive(Clone, Debug)]
pub struct Inspect {
    /// The files; `-` is standard input.
    pub traces: Vec<PathBuf>,
    /// Their format, unless it is to be detected.
    pub trace_format: Option<Spec>,
    /// Requests for ranges become requests for blocks of this many bytes.
    pub split: Option<u64>,
    /// How the result is shown.
    pub format: Format,
}

#[cfg(test)]
mod sampled_tests;
