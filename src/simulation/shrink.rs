//! Fewer steps that fail in the same way.
//!
//! Pieces of a plan are left out, large ones first, as long as the rest still fails in the same way.
//! Source: Zeller, Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE TSE 28(2), 2002
//! (ddmin), of which only the complements are tried. Each step keeps its instant. Random numbers belong to
//! single messages, so leaving out steps changes few of them.
//!
//! Cost: a run for each try. A plan of 250 steps takes some hundred.

use super::step::Step;

/// The most tries.
const MAX_TRIES: usize = 5_000;

/// The indexes of steps of a plan that `fails` still; without any one of them it does not fail.
/// `fails` is not asked for the whole plan.
pub(super) fn shrink(plan: &[Step], mut fails: impl FnMut(&[Step]) -> bool) -> Vec<usize> {
    let mut indexes: Vec<usize> = (0..plan.len()).collect();
    let mut size = indexes.len().div_ceil(2);
    let mut tries = 0;
    while size > 0 && tries < MAX_TRIES {
        let before = indexes.len();
        // From the end: what comes late depends on more.
        let mut end = indexes.len();
        while end > 0 && tries < MAX_TRIES {
            let start = end.saturating_sub(size);
            let left = indexes.iter().enumerate();
            let left = left.filter(|(at, _)| !(start..end).contains(at));
            let fewer: Vec<usize> = left.map(|(_, index)| *index).collect();
            tries += 1;
            if fails(&chosen(plan, &fewer)) {
                indexes = fewer;
            }
            end = start;
        }
        if size > 1 || indexes.len() == before {
            size /= 2;
        }
    }
    indexes
}

/// The steps with these indexes; indexes out of range are left out.
#[must_use]
pub fn chosen(plan: &[Step], indexes: &[usize]) -> Vec<Step> {
    let steps = indexes.iter().filter_map(|&index| plan.get(index));
    steps.cloned().collect()
}
