//! What clients were told, and what that shows.

use serde_json::Value;

use super::json::{Object, keyed, put_bytes, put_error, results};
use super::plain::{line, time_since_start};
use super::style::{Paint, Style};
use super::table::{self, Grid};
use crate::checker::{KeyVerdict, Promise, Violation};
use crate::history::{Action, Operation, Outcome};
use crate::language::word::Shown;
use crate::reply::{Judgement, Reply};
use crate::time::{Compact, Instant};

/// Operations, oldest first.
pub fn history(operations: &[Operation], unrecorded: u64) -> Grid {
    let rows = operations.iter().map(|it| {
        let at = |at: Instant| time_since_start(at.since(Instant::START));
        vec![
            it.client.to_string(),
            at(it.invoked),
            it.returned.map_or_else(|| "-".into(), at),
            command(it),
            outcome(it),
        ]
    });
    let headers = ["client", "invoked", "returned", "command", "outcome"];
    let mut grid = Grid::new(&headers, rows.collect());
    if unrecorded > 0 {
        grid.below = format!("{unrecorded} more were not recorded: the history is full\n");
    }
    grid
}

/// What was asked, as it is typed.
fn command(it: &Operation) -> String {
    let ttl = |deadline: &Option<Instant>| {
        let ttl = deadline.map(|deadline| Compact(deadline.since(it.invoked)));
        ttl.map_or_else(String::new, |ttl| format!(" {ttl}"))
    };
    let words = match &it.action {
        Action::Put { value, deadline } | Action::Add { value, deadline } => {
            format!(" {}{}", Shown(value), ttl(deadline))
        }
        Action::Cas {
            expected,
            new,
            deadline,
        } => format!(" {} {}{}", Shown(expected), Shown(new), ttl(deadline)),
        Action::SetDeadline { deadline } => ttl(deadline),
        Action::Incr { delta: 1 } | Action::Delete | Action::Get => String::new(),
        Action::Incr { delta } => format!(" {delta}"),
    };
    format!("{} {}{words}", it.action.name(), Shown(&it.key))
}

/// What the client was told.
fn outcome(it: &Operation) -> String {
    let condition = matches!(it.action, Action::SetDeadline { .. });
    match &it.outcome {
        Outcome::Pending => "pending".into(),
        Outcome::Unknown => "unknown".into(),
        Outcome::Refused => "refused".into(),
        Outcome::Done => "acknowledged".into(),
        Outcome::Value(Some(value)) => format!("-> {}", Shown(value)),
        Outcome::Value(None) => "-> null".into(),
        Outcome::Applied(true) if condition => "changed".into(),
        Outcome::Applied(false) if condition => "nothing to change".into(),
        Outcome::Applied(true) => "stored".into(),
        Outcome::Applied(false) => "not stored".into(),
    }
}

/// What CHECK has found: one line for all, and each key that falls short with its excerpt.
pub fn judgement(style: Style, judgement: &Judgement, out: &mut Vec<u8>) {
    let verdict = &judgement.verdict;
    let (operations, keys) = (verdict.operations, verdict.checked_keys);
    let s = |count: usize| if count == 1 { "" } else { "s" };
    let mut text = format!(
        "{}: {operations} operation{} on {keys} key{}",
        promise(verdict.at_least, verdict.at_most),
        s(operations),
        s(keys)
    );
    if verdict.unrecorded > 0 {
        text += &format!("; {} more were not recorded", verdict.unrecorded);
    }
    line(&text, out);
    for (key, excerpt) in verdict.keys.iter().zip(&judgement.excerpts) {
        line(&shortfall(style, key), out);
        if !excerpt.is_empty() {
            table::lines(style, &history(excerpt, 0), "  ", out);
        }
    }
    if judgement.state.is_empty() {
        return line("state: the copies agree", out);
    }
    for disorder in &judgement.state {
        line(&format!("state: {disorder}"), out);
    }
}

fn promise(at_least: Promise, at_most: Promise) -> String {
    if at_least == at_most {
        at_least.to_string()
    } else {
        format!("unknown, at least {at_least}, at most {at_most}")
    }
}

fn shortfall(style: Style, key: &KeyVerdict) -> String {
    let name = Shown(&key.key);
    let kept = promise(key.at_least, key.at_most);
    let why = key.violation.as_ref().map_or_else(String::new, |it| {
        format!("; {}", style.painted(Paint::Error, &it.to_string()))
    });
    format!("{name}: {kept}{why}")
}

/// The numbers of a quorum, and what they promise.
pub fn quorum(reply: &Reply<'_>) -> String {
    let Reply::Quorum {
        write,
        read,
        replicas,
        promise,
    } = reply
    else {
        return String::new();
    };
    let s = if *replicas == 1 { "" } else { "s" };
    format!("writes {write}, reads {read}, of {replicas} replica{s}: {promise}")
}

/// The fields of these replies.
pub fn fields(reply: &Reply<'_>, object: &mut Object) {
    let mut set = |name: &str, value: Value| {
        object.insert(name.into(), value);
    };
    match reply {
        Reply::Quorum {
            write,
            read,
            replicas,
            promise,
        } => {
            set("write", (*write).into());
            set("read", (*read).into());
            set("replicas", (*replicas).into());
            set("promise", promise.to_string().into());
        }
        Reply::History {
            operations,
            unrecorded,
        } => {
            set("operations", results(operations.iter().map(operation)));
            set("unrecorded", (*unrecorded).into());
        }
        Reply::Check(judgement) => check(judgement, object),
        _ => {}
    }
}

fn check(judgement: &Judgement, object: &mut Object) {
    let verdict = &judgement.verdict;
    let mut set = |name: &str, value: Value| {
        object.insert(name.into(), value);
    };
    let linearizable = verdict.kept(Promise::Linearizable);
    set("verdict", linearizable.to_string().into());
    set("promise", verdict.at_least.to_string().into());
    set("promised", judgement.promised.to_string().into());
    set("keys", verdict.checked_keys.into());
    set("operations", verdict.operations.into());
    set("unrecorded", verdict.unrecorded.into());
    let keys = verdict.keys.iter().zip(&judgement.excerpts);
    let broken = keys.filter_map(|(key, excerpt)| {
        let violation = key.violation.as_ref()?;
        Some(violation_object(key, violation, excerpt))
    });
    set("violations", results(broken));
    let state = judgement.state.iter().map(|it| it.to_string().into());
    set("state", Value::Array(state.collect()));
    set("ok", judgement.broken.is_none().into());
    if let Some(error) = &judgement.broken {
        put_error(object, error);
    }
}

fn violation_object(key: &KeyVerdict, violation: &Violation, excerpt: &[Operation]) -> Object {
    let mut object = keyed(&key.key);
    object.insert("promise".into(), key.at_least.to_string().into());
    object.insert("broken".into(), violation.promise.to_string().into());
    object.insert("fault".into(), violation.to_string().into());
    object.insert("operations".into(), results(excerpt.iter().map(operation)));
    object
}

fn operation(it: &Operation) -> Object {
    let mut object = Object::new();
    object.insert("client".into(), it.client.into());
    object.insert("invoked_ms".into(), it.invoked.as_millis().into());
    let returned = it.returned.map(Instant::as_millis);
    object.insert("returned_ms".into(), returned.into());
    put_bytes(&mut object, "key", &it.key);
    object.insert("command".into(), command(it).into());
    let kind = match &it.outcome {
        Outcome::Pending => "pending",
        Outcome::Unknown => "unknown",
        Outcome::Refused => "refused",
        Outcome::Done => "acknowledged",
        Outcome::Value(_) => "value",
        Outcome::Applied(_) => "applied",
    };
    object.insert("outcome".into(), kind.into());
    match &it.outcome {
        Outcome::Value(Some(value)) => put_bytes(&mut object, "value", value),
        Outcome::Value(None) => drop(object.insert("value".into(), Value::Null)),
        Outcome::Applied(applied) => drop(object.insert("applied".into(), (*applied).into())),
        _ => {}
    }
    object
}
