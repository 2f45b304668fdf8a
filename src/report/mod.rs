//! What a comparison of caches found, for people: the sentence, the curve, the table and the page.
//!
//! Everything here turns values into text and does no I/O. The same cells give the same bytes.

mod braille;
mod cell;
mod cluster;
mod events;
mod html;
mod matrix;
mod number;
mod output;
mod over_time;
mod scale;
mod svg;
mod table;
mod verdict;

pub use braille::curve as terminal_curve;
pub use cell::{Cell, Course, Deployment};
pub use cluster::{Nodes, busiest};
pub use html::{Page, page};
pub use number::{share, size};
pub use output::{Details, Form, Report, UnknownForm, series, text};
pub use over_time::{Line, Mark, OverTime};
pub use svg::{Chart, Series, chart};
pub use table::table;
pub use verdict::{Verdict, sentence, verdict};

#[cfg(test)]
mod tests;
