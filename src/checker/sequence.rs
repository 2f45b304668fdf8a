//! Calls that follow each other: the usual case of [`fold`](super::fold), without a search.

use crate::history::{Call, Content, OldValues, Outcome, Prefix, Start};
use crate::operation::Operation;
use crate::time::Instant;

/// What a key holds.
#[derive(Clone, Copy)]
enum Stored<'a> {
    Absent,
    /// This value until this deadline.
    Value(&'a Content, Option<Instant>),
    /// Any value, or none.
    Any,
}

/// The start that follows from calls that do not overlap, have certain outcomes and answer as a
/// register does. Adds the values that they overwrite to `old`. `None` if a search must decide;
/// what was added by then is what the search adds too.
///
/// Cost: a few steps for each call.
pub(super) fn start_after(prefix: &Prefix<'_>, old: &mut OldValues) -> Option<Start> {
    let mut stored = match prefix.start {
        Start::Absent => Stored::Absent,
        Start::Value { value, deadline } => Stored::Value(value, *deadline),
        Start::Unknown => Stored::Any,
        Start::Past(_) | Start::Unjudged => return None,
    };
    let mut end = 0;
    for call in prefix.calls {
        if call.span.begin < end || call.is_open() || call.is_blurred {
            return None;
        }
        end = call.span.end.filter(|&end| end <= prefix.cut)?;
        if let Effect::Write(written) = effect(stored, call)? {
            match stored {
                Stored::Absent => {}
                Stored::Value(value, _) => old.add(prefix.key, Some(value)),
                Stored::Any => old.add(prefix.key, None),
            }
            stored = written;
        }
    }
    match stored {
        Stored::Absent => Some(Start::Absent),
        Stored::Value(value, deadline) => Some(Start::Value {
            value: value.clone(),
            deadline,
        }),
        Stored::Any => None,
    }
}

/// What a call does to a key.
enum Effect<'a> {
    Nothing,
    Write(Stored<'a>),
}

/// What a call does. `None` if that depends on when it took effect, or its answer is not the one of
/// a register.
fn effect<'a>(stored: Stored<'a>, call: &'a Call) -> Option<Effect<'a>> {
    let is_alive = |deadline: Option<Instant>| deadline.is_none_or(|it| call.earliest() < it);
    match (&call.operation, call.outcome.as_ref()?, stored) {
        (_, Outcome::Refused, _)
        | (Operation::Get, Outcome::Value(None), Stored::Absent)
        | (Operation::Delete, Outcome::Applied(false) | Outcome::Done, Stored::Absent) => {
            Some(Effect::Nothing)
        }
        (Operation::Get, Outcome::Value(Some(read)), Stored::Value(value, deadline))
            if read == value && is_alive(deadline) =>
        {
            Some(Effect::Nothing)
        }
        (Operation::Delete, Outcome::Applied(true) | Outcome::Done, Stored::Value(_, deadline))
            if is_alive(deadline) =>
        {
            Some(Effect::Write(Stored::Absent))
        }
        (Operation::Put { value, deadline }, Outcome::Done, _)
        | (Operation::Add { value, deadline }, Outcome::Applied(true), Stored::Absent) => {
            Some(Effect::Write(Stored::Value(value, *deadline)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::fold::search_fold;
    use crate::history::{History, OpId};
    use crate::rng::Rng;

    /// A history of one key with calls that mostly follow each other and are mostly right.
    fn history(rng: &mut Rng) -> History {
        let mut history = History::new(100, crate::checker::fold);
        let mut now = 0;
        let mut stored: Option<(u64, u64)> = None;
        for _ in 0..rng.below(6) {
            now += rng.below(3);
            let at = Instant::from_millis(now);
            let (n, deadline) = (rng.below(3), now + rng.below(4));
            let value = n.to_string();
            let ends = (deadline > now + 1).then(|| Instant::from_millis(deadline));
            stored = stored.filter(|it| it.1 > now);
            let seen = stored.map(|it| it.0.to_string());
            let seen = seen.as_ref().map(String::as_bytes);
            let until = ends.map_or(u64::MAX, |_| deadline);
            let (operation, outcome) = match rng.below(6) {
                0 => {
                    stored = Some((n, until));
                    (Operation::put(value.as_bytes(), ends), Outcome::Done)
                }
                1 => {
                    let was_absent = stored.is_none();
                    stored = stored.or(Some((n, until)));
                    let add = Operation::add(value.as_bytes(), ends);
                    (add, Outcome::Applied(was_absent))
                }
                2 => (Operation::Delete, Outcome::Applied(stored.take().is_some())),
                3 => {
                    stored = None;
                    (Operation::Delete, Outcome::Done)
                }
                _ => (Operation::Get, Outcome::Value(seen)),
            };
            let outcome = match rng.below(12) {
                0 => Outcome::Refused,
                1 => Outcome::Value(None),
                _ => outcome,
            };
            let id = history.invoke(at, 0, b"key", operation);
            if rng.below(30) > 0 {
                history.complete(id, at, outcome);
            }
        }
        history
    }

    /// The same as the search says, wherever it says anything at all.
    #[test]
    fn a_sequence_leads_to_the_start_that_the_search_finds() {
        let starts = [
            Start::Absent,
            Start::Unknown,
            Start::Value {
                value: b"7"[..].into(),
                deadline: None,
            },
            Start::Value {
                value: b"1"[..].into(),
                deadline: Some(Instant::from_millis(2)),
            },
        ];
        let mut found = 0;
        for seed in 0..30_000 {
            let mut rng = Rng::new(seed);
            let history = history(&mut rng);
            let calls: Vec<&Call> = history.calls().iter().collect();
            let prefix = Prefix {
                key: b"key",
                start: &starts[usize::try_from(rng.below(4)).expect("small")],
                calls: &calls,
                cut: 1_000,
            };
            let (mut old, mut expected_old) = (OldValues::new(10), OldValues::new(10));
            let start = start_after(&prefix, &mut old);
            let expected = search_fold(&prefix, &mut expected_old);
            let Some(start) = start else { continue };
            found += 1;
            assert_eq!(start, expected.start, "seed {seed}: {calls:#?}");
            assert_eq!(expected.settled, Vec::<OpId>::new(), "seed {seed}");
            assert_eq!(
                format!("{old:?}"),
                format!("{expected_old:?}"),
                "seed {seed}"
            );
        }
        assert!(found > 10_000, "{found}");
    }
}
