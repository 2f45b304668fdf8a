//! The interface of a simulated cache.

use std::ops::Range;

use super::counts::Counts;
use crate::trace::Columns;

/// A cache that a trace is replayed against.
pub trait Simulation: Send {
    /// Replays these requests of the trace, which follow those replayed before.
    fn run(&mut self, trace: &Columns, range: Range<usize>);

    /// Lets time pass to this instant, in nanoseconds: what expires until then is counted.
    fn pass_to(&mut self, now: u64) {
        let _ = now;
    }

    /// The counts so far.
    fn counts(&self) -> Counts;
}
