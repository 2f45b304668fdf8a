//! The findings of `CHECK`, and the promise of the quorums.

use serde::Serialize;
use serde_json::{Value, json};

use super::history;
use super::object::{Failure, of};
use super::style::{Paint, Style};
use super::text::{line, sentence, shown, since_start};
use crate::checker::{KeyVerdict, Promise, Verdict, Violation};
use crate::history::{Call, Outcome, Start};
use crate::language::word::Shown;
use crate::reply::{Judgement, State};
use crate::time::Instant;

/// The most findings about the copies that are shown.
const MAX_STATE: usize = 10;

/// One line for all keys, each key that falls short with its excerpt, and the state of the copies.
pub fn judgement(style: Style, judgement: &Judgement, out: &mut Vec<u8>) {
    sentence(style, &summary(&judgement.verdict), 2, out);
    for (key, excerpt) in judgement.verdict.keys.iter().zip(&judgement.excerpts) {
        sentence(style, &shortfall(style, key), 2, out);
        if let Some(start) = start(&key.start) {
            sentence(style, &format!("  at the start: {start}"), 4, out);
        }
        if !excerpt.is_empty() {
            history::grid(excerpt, 0).columns(style, "  ", out);
        }
    }
    for operations in &judgement.sent_again {
        let key = operations.first().map_or(&[][..], |it| &it.key);
        let text = format!("{}: {}", Shown(key), repetition(operations));
        sentence(style, &text, 2, out);
        history::grid(operations, 0).columns(style, "  ", out);
    }
    let (found, omitted) = state(judgement);
    if found.is_empty() {
        let text = match judgement.state {
            State::Copies(_) => "state: the copies agree",
            State::Servers(_) => {
                "state: the servers agree about the slots, and replicas have what was written"
            }
        };
        return sentence(style, text, 2, out);
    }
    for disorder in found {
        sentence(style, &format!("state: {disorder}"), 2, out);
    }
    if omitted > 0 {
        line(&format!("state: and {omitted} more"), out);
    }
}

/// What became of a write that was sent again.
fn repetition(operations: &[Call]) -> String {
    let Some(last) = operations.last() else {
        return String::new();
    };
    let end = match last.outcome {
        Some(Outcome::Applied(false)) => "was refused because of that",
        _ => "took effect twice",
    };
    format!("a write took effect without a reply, was sent again, and {end}")
}

/// The first findings about the nodes, and how many more there are.
fn state(judgement: &Judgement) -> (Vec<String>, usize) {
    let (found, count): (Vec<String>, usize) = match &judgement.state {
        State::Copies(found) => {
            let first = found.iter().take(MAX_STATE);
            (first.map(|it| it.describe(shown)).collect(), found.len())
        }
        State::Servers(found) => {
            let first = found.iter().take(MAX_STATE);
            (first.cloned().collect(), found.len())
        }
    };
    (found, count.saturating_sub(MAX_STATE))
}

fn summary(verdict: &Verdict) -> String {
    let (operations, keys) = (verdict.calls, verdict.checked_keys);
    let s = |count: usize| if count == 1 { "" } else { "s" };
    let forgotten = match verdict.forgotten {
        0 => String::new(),
        count => format!(
            " from {} on; {count} earlier ones are forgotten",
            since_start(verdict.judged_from)
        ),
    };
    format!(
        "{}: {operations} operation{} on {keys} key{}{forgotten}",
        promise(verdict.at_least, verdict.at_most),
        s(operations),
        s(keys)
    )
}

/// What a key may have held at the start; `None` if that was nothing.
fn start(start: &Start) -> Option<String> {
    let Some(values) = start.values() else {
        return Some("anything".into());
    };
    let values = values.iter().map(|(value, deadline)| {
        let value = value.map_or_else(|| "null".into(), history::content);
        match *deadline {
            None => value,
            Some(Instant::MAX) => format!("{value} for a time"),
            Some(at) => format!("{value} until {}", since_start(at)),
        }
    });
    let all = values.collect::<Vec<_>>().join(" or ");
    (all != "null").then_some(all)
}

fn promise(at_least: Promise, at_most: Promise) -> String {
    if at_least == at_most {
        at_least.to_string()
    } else {
        format!("undecided: at least {at_least}, at most {at_most}")
    }
}

fn shortfall(style: Style, key: &KeyVerdict) -> String {
    let name = Shown(&key.key);
    let kept = promise(key.at_least, key.at_most);
    let violation = key.violation.as_ref().map_or_else(String::new, |it| {
        format!("; {}", style.painted(Paint::Error, &it.to_string()))
    });
    format!("{name}: {kept}{violation}")
}

/// The numbers of a quorum and their promise.
pub fn quorum(write: usize, read: usize, replicas: usize, promise: Promise) -> String {
    let s = if replicas == 1 { "" } else { "s" };
    format!("writes {write}, reads {read}, of {replicas} replica{s}: {promise}")
}

/// The fields of `CHECK`, and those of its error if a promise is broken.
#[derive(Serialize)]
pub struct Check<'a> {
    #[serde(flatten)]
    fields: Value,
    #[serde(flatten)]
    broken: Option<Failure<'a>>,
}

pub fn check_object(judgement: &Judgement) -> Check<'_> {
    let verdict = &judgement.verdict;
    let keys = verdict.keys.iter().zip(&judgement.excerpts);
    let violations = keys.filter_map(|(key, excerpt)| {
        let violation = key.violation.as_ref()?;
        Some(of(&key.key, violation_object(key, violation, excerpt)))
    });
    let sent_again = judgement.sent_again.iter().filter_map(|operations| {
        let key = &operations.first()?.key;
        let objects = history::objects(operations);
        Some(of(
            key,
            json!({ "what": repetition(operations), "operations": objects }),
        ))
    });
    let (state, omitted) = state(judgement);
    let fields = json!({
        // Whether the history is linearizable: kept, broken or unknown.
        "verdict": verdict.kept(Promise::Linearizable).to_string(),
        "promise": verdict.at_least.to_string(),
        "promised": judgement.promised.to_string(),
        "keys": verdict.checked_keys,
        "operations": verdict.calls,
        "judged_from_ms": verdict.judged_from.as_millis(),
        "forgotten": verdict.forgotten,
        "decided": verdict.is_decided(),
        "violations": violations.collect::<Vec<_>>(),
        "sent_again": sent_again.collect::<Vec<_>>(),
        "state": state,
        "state_omitted": omitted,
        "ok": judgement.broken.is_none(),
    });
    let broken = judgement.broken.as_ref().map(Failure::from);
    Check { fields, broken }
}

fn violation_object(key: &KeyVerdict, violation: &Violation, excerpt: &[Call]) -> Value {
    json!({
        "promise": key.at_least.to_string(),
        "broken": violation.promise.to_string(),
        "fault": violation.to_string(),
        "start": start(&key.start),
        "operations": history::objects(excerpt),
    })
}
