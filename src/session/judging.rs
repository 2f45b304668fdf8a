//! What CHECK says of a history.

use crate::checker::{self, Kept, KeyVerdict, Promise, Verdict};
use crate::history::{Call, History, OpId};
use crate::language::{Error, ErrorKind};
use crate::reply::{Judgement, State};

/// Judges what clients were told. `promised` is what the settings promise, and `state` is that of the
/// nodes.
#[must_use]
pub fn judge(history: &History, promised: Promise, state: State) -> Judgement {
    let verdict = checker::check(history, checker::DEFAULT_STEPS);
    let sent_again = checker::sent_again(history, checker::DEFAULT_STEPS);
    Judgement {
        excerpts: excerpts(history, &verdict),
        sent_again: sent_again.iter().map(|ids| calls(history, ids)).collect(),
        broken: None,
        promised,
        verdict,
        state,
    }
}

/// Whether a key has less than `promise_of` it. `source` says where the promise comes from.
#[must_use]
pub fn broken(
    verdict: &Verdict,
    source: &str,
    promise_of: impl Fn(&[u8]) -> Promise,
) -> Option<Error> {
    let (promise, kept) = worst(verdict.keys.iter(), promise_of)?;
    let (kind, message) = if kept == Kept::No {
        let message = format!("the promise {source}, {promise}, was broken");
        (ErrorKind::Broken, message)
    } else {
        let what = format!("whether the promise {source}, {promise}, was kept is not known");
        (ErrorKind::Undecided, format!("undecided: {what}"))
    };
    Some(Error::new(kind, message))
}

/// The calls that break a promise, for each key that does.
fn excerpts(history: &History, verdict: &Verdict) -> Vec<Vec<Call>> {
    let violations = verdict.keys.iter().map(|key| key.violation.as_ref());
    let ids = violations.map(|it| it.map_or(&[][..], |it| &it.excerpt));
    ids.map(|ids| calls(history, ids)).collect()
}

fn calls(history: &History, ids: &[OpId]) -> Vec<Call> {
    let found = ids.iter().filter_map(|&id| history.get(id));
    found.cloned().collect()
}

/// How the worst of some keys has kept the promise that it has.
fn worst<'a>(
    keys: impl Iterator<Item = &'a KeyVerdict>,
    promise_of: impl Fn(&[u8]) -> Promise,
) -> Option<(Promise, Kept)> {
    let kept = keys.map(|key| {
        let promise = promise_of(&key.key);
        (promise, key.kept(promise))
    });
    let is_broken = |it: &(Promise, Kept)| it.1 == Kept::No;
    kept.filter(|it| it.1 != Kept::Yes)
        .min_by_key(|it| (!is_broken(it), it.0))
}
