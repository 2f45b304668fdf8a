//! The subcommands that work on traces: `inspect`, `convert` and `generate`.

pub mod arguments;
mod convert;
mod inspect;
mod output_file;
mod progress;
mod show;
mod source;

use std::path::PathBuf;

pub use convert::{Convert, Generate, Target, convert, generate};
pub use inspect::inspect;

use crate::render::Format;
use crate::trace::Spec;

/// Traces to be inspected.
#[derive(Clone, Debug)]
pub struct Inspect {
    /// The files; `-` is standard input.
    pub traces: Vec<PathBuf>,
    /// Their format, unless it is to be detected.
    pub trace_format: Option<Spec>,
    /// Requests for ranges become requests for blocks of so many bytes.
    pub split: Option<u64>,
    /// How the result is shown.
    pub format: Format,
}
