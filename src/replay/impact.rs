//! What an event in the middle of a replay costs: the replay with the events beside the same replay
//! without them, window by window.

use super::Counts;

/// The counts of windows of a replay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Windows {
    /// The place in the trace where each window ends; the first begins at `from`.
    pub ends: Vec<usize>,
    /// The place where the first begins.
    pub from: usize,
    /// The time at the beginning of the first window, and at the end of each, in nanoseconds since the
    /// first request of the trace.
    pub times: Vec<u64>,
    /// What each counted.
    pub counts: Vec<Counts>,
}

impl Windows {
    /// The place where a window begins.
    fn start(&self, window: usize) -> usize {
        window.checked_sub(1).map_or(self.from, |it| self.ends[it])
    }
}

/// Why the cost of an event ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The miss ratio is back where it is without the events.
    Recovered,
    /// Another event comes, which has a cost of its own.
    NextEvent,
    /// The trace ends.
    TraceEnd,
}

/// What an event costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Impact {
    /// The place in the trace before which it happened.
    pub at: usize,
    /// The time of that place, in nanoseconds since the first request of the trace; during the warm-up
    /// that of its end.
    pub time: u64,
    /// Misses with the events minus misses without them, as long as it lasts. Less than zero: it saves
    /// some.
    pub extra_misses: i64,
    /// Requests that no node answered, of these misses.
    pub failed: u64,
    /// How many requests it lasts, in whole windows.
    pub requests: usize,
    /// How long it lasts, in nanoseconds.
    pub nanos: u64,
    /// Why it ends.
    pub end: End,
}

/// What the events at these places cost, ascending. `with` and `without` have the same windows, and one
/// begins at each place.
///
/// A window is back to normal if its misses differ from those without the events by at most twice the
/// square root of these, and no request fails: that much is noise. The cost of an event ends where two
/// windows in a row are back to normal, where the next event comes, or where the trace ends.
#[must_use]
pub fn impacts(with: &Windows, without: &Windows, places: &[usize]) -> Vec<Impact> {
    let mut all = Vec::new();
    for (number, &at) in places.iter().enumerate() {
        let next = places[number + 1..].iter().find(|&&place| place > at);
        let last_of_place = places.get(number + 1) != Some(&at);
        all.push(if last_of_place {
            impact(with, without, at, next.copied())
        } else {
            // Of events at the same place, the last one has the cost of all.
            nothing(with, at)
        });
    }
    all
}

/// The window that begins at a place.
fn window_at(windows: &Windows, at: usize) -> usize {
    (0..windows.ends.len())
        .find(|&window| windows.start(window) >= at)
        .unwrap_or(windows.ends.len())
}

fn nothing(with: &Windows, at: usize) -> Impact {
    let first = window_at(with, at);
    Impact {
        at,
        time: with.times.get(first).copied().unwrap_or(0),
        extra_misses: 0,
        failed: 0,
        requests: 0,
        nanos: 0,
        end: End::NextEvent,
    }
}

fn impact(with: &Windows, without: &Windows, at: usize, next: Option<usize>) -> Impact {
    let first = window_at(with, at);
    let limit = next.map_or(with.ends.len(), |next| window_at(with, next));
    let normal = |window: usize| is_normal(&with.counts[window], &without.counts[window]);
    let recovered = (first..limit)
        .find(|&window| normal(window) && (window + 1 >= limit || normal(window + 1)));
    let last = recovered.unwrap_or(limit);
    let mut cost = nothing(with, at);
    for window in first..last {
        let (with, without) = (&with.counts[window], &without.counts[window]);
        cost.extra_misses += with.misses.cast_signed() - without.misses.cast_signed();
        cost.failed += with.failed;
    }
    cost.requests = if last > first {
        with.ends[last - 1] - at
    } else {
        0
    };
    let end_time = with.times.get(last).copied().unwrap_or(cost.time);
    cost.nanos = end_time.saturating_sub(cost.time);
    cost.end = match (recovered, next) {
        (Some(_), _) => End::Recovered,
        (None, Some(_)) => End::NextEvent,
        (None, None) => End::TraceEnd,
    };
    cost
}

fn is_normal(with: &Counts, without: &Counts) -> bool {
    let noise = 2.0 * libm::sqrt(without.misses.max(1) as f64);
    with.failed == 0 && with.misses.abs_diff(without.misses) as f64 <= noise
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(misses: &[u64]) -> Windows {
        let counts = misses.iter().map(|&misses| Counts {
            requests: 1000,
            misses,
            ..Counts::default()
        });
        Windows {
            ends: (1..=misses.len()).map(|window| window * 1000).collect(),
            from: 0,
            times: (0..=misses.len() as u64)
                .map(|window| window * 10)
                .collect(),
            counts: counts.collect(),
        }
    }

    #[test]
    fn a_cost_lasts_until_two_windows_are_back() {
        let calm = windows(&[100; 8]);
        let broken = windows(&[100, 500, 300, 110, 200, 105, 95, 100]);
        let found = impacts(&broken, &calm, &[1000]);
        let expected = Impact {
            at: 1000,
            time: 10,
            extra_misses: 400 + 200 + 10 + 100,
            failed: 0,
            requests: 4000,
            nanos: 40,
            end: End::Recovered,
        };
        assert_eq!(found, [expected]);
    }

    #[test]
    fn the_next_event_and_the_end_of_the_trace_end_a_cost() {
        let calm = windows(&[100; 4]);
        let mut broken = windows(&[100, 500, 40, 40]);
        broken.counts[1].failed = 7;
        let found = impacts(&broken, &calm, &[1000, 2000]);
        assert_eq!((found[0].extra_misses, found[0].failed), (400, 7));
        assert_eq!((found[0].end, found[0].requests), (End::NextEvent, 1000));
        assert_eq!((found[1].extra_misses, found[1].end), (-120, End::TraceEnd));
        let both = impacts(&broken, &calm, &[1000, 1000]);
        assert_eq!((both[0].requests, both[1].requests), (0, 3000));
        let late = impacts(&broken, &calm, &[4000]);
        assert_eq!((late[0].requests, late[0].time), (0, 40));
    }

    #[test]
    fn what_changes_nothing_costs_nothing() {
        let calm = windows(&[100; 4]);
        let found = impacts(&calm, &calm, &[0, 3000]);
        assert!(
            found
                .iter()
                .all(|it| it.requests == 0 && it.extra_misses == 0)
        );
        assert!(found.iter().all(|it| it.end == End::Recovered));
    }
}
