//! The interface of a simulated cache.

use std::ops::Range;

use super::counts::Counts;
use crate::trace::Columns;

/// A cache that a trace is replayed against.
pub trait Simulation: Send {
    /// Replays these requests of the trace, which follow those replayed before.
    fn run(&mut self, trace: &Columns, range: Range<usize>);

    /// The counts so far.
    fn counts(&self) -> Counts;
}
