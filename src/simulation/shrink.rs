//! Fewer steps that fail in the same way.
//!
//! Pieces of a plan are left out, large ones first, as long as what is left still fails in the same
//! way. Source: Zeller, Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE TSE
//! 28(2), 2002 (ddmin), of which only the complements are tried. Time stays as it was: a step happens when it
//! happened, so what is left out changes nothing but by what it did. Chance is bound to single messages, so
//! it changes little.
//!
//! Cost: a run for each try. A plan of 250 steps takes some hundred.

use super::plan::Step;

/// The most tries.
const MAX_TRIES: usize = 5_000;

/// The places of steps of a plan that `fails` still; leaving out any one of them mends it.
/// `fails` is not asked for the whole plan.
pub fn shrink(plan: &[Step], mut fails: impl FnMut(&[Step]) -> bool) -> Vec<usize> {
    let mut places: Vec<usize> = (0..plan.len()).collect();
    let mut size = places.len().div_ceil(2);
    let mut tries = 0;
    while size > 0 && tries < MAX_TRIES {
        let before = places.len();
        // From the end: what comes late depends on more.
        let mut end = places.len();
        while end > 0 && tries < MAX_TRIES {
            let start = end.saturating_sub(size);
            let left = places.iter().enumerate();
            let left = left.filter(|(at, _)| !(start..end).contains(at));
            let fewer: Vec<usize> = left.map(|(_, place)| *place).collect();
            tries += 1;
            if fails(&chosen(plan, &fewer)) {
                places = fewer;
            }
            end = start;
        }
        if size > 1 || places.len() == before {
            size /= 2;
        }
    }
    places
}

/// The steps at these places; those that are not there are left out.
#[must_use]
pub fn chosen(plan: &[Step], places: &[usize]) -> Vec<Step> {
    let steps = places.iter().filter_map(|&place| plan.get(place));
    steps.cloned().collect()
}
