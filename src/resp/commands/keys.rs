//! Commands on keys of any type.

use super::Words;
use super::args::{integer, is};
use super::expiry::Scale;
use super::hash::Hash;
use crate::operation::{Found, Operation, Outcome};
use crate::resp::call::{Ask, Change, Context};
use crate::resp::value::{Failure, Value};

type Result<T = Value> = std::result::Result<T, Failure>;

/// Counts the keys that are there.
async fn count(cx: &Context, words: &Words, is_look: bool) -> Result {
    let asks = words.rest(1).map(|key| Ask {
        key: key.into(),
        operation: Operation::Get,
        is_look,
    });
    let outcomes = cx.all(asks.collect()).await?;
    let is_there = |it: &&Outcome| matches!(it, Outcome::Value(Some(_)));
    Ok(Value::count(outcomes.iter().filter(is_there).count()))
}

pub async fn del(cx: &Context, words: &Words) -> Result {
    let asks = words.rest(1).map(|key| Ask {
        key: key.into(),
        operation: Operation::Delete,
        is_look: false,
    });
    let outcomes = cx.all(asks.collect()).await?;
    let keys = words.rest(1).zip(outcomes);
    let removed = keys.filter(|(_, outcome)| *outcome == Outcome::Applied(true));
    let removed = removed.map(|(key, _)| cx.changed('g', "del", key));
    Ok(Value::count(removed.count()))
}

pub async fn exists(cx: &Context, words: &Words) -> Result {
    count(cx, words, true).await
}

pub async fn touch(cx: &Context, words: &Words) -> Result {
    count(cx, words, false).await
}

pub async fn type_of(cx: &Context, words: &Words) -> Result {
    Ok(Value::Simple(match cx.look(&words[1]).await? {
        None => "none",
        Some(found) => type_name(&found),
    }))
}

/// The name of the type of a value.
pub fn type_name(found: &Found) -> &'static str {
    if Hash::is_hash(&found.value) {
        "hash"
    } else {
        "string"
    }
}

/// The conditions of the EXPIRE family.
#[derive(Clone, Copy, Default)]
struct Conditions {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl Conditions {
    fn parse(words: &Words) -> Result<Self> {
        let mut all = Self::default();
        for word in words.rest(3) {
            let flag = match word {
                word if is(word, "NX") => &mut all.nx,
                word if is(word, "XX") => &mut all.xx,
                word if is(word, "GT") => &mut all.gt,
                word if is(word, "LT") => &mut all.lt,
                word => {
                    let word = String::from_utf8_lossy(word);
                    return Err(Failure::new(format!("ERR Unsupported option {word}")));
                }
            };
            *flag = true;
        }
        if all.nx && (all.xx || all.gt || all.lt) {
            return Err(Failure::text(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if all.gt && all.lt {
            return Err(Failure::text(
                "ERR GT and LT options at the same time are not compatible",
            ));
        }
        Ok(all)
    }

    /// Whether they hold for a key with the deadline `old`, which shall get the deadline `new`. Never
    /// is later than every instant.
    fn hold(self, old: Option<crate::time::Instant>, new: crate::time::Instant) -> bool {
        let fails = (self.nx && old.is_some())
            || (self.xx && old.is_none())
            || (self.gt && old.is_none_or(|old| new <= old))
            || (self.lt && old.is_some_and(|old| new >= old));
        !fails
    }
}

pub async fn expire(cx: &Context, words: &Words) -> Result {
    let name = words.name();
    let conditions = Conditions::parse(words)?;
    let number = integer(words, 2)?;
    let deadline = Scale::of_command(&name).instant(cx, number, &name)?;
    let applied = cx.update(&words[1], |found| {
        let applies = found.is_some_and(|it| conditions.hold(it.deadline, deadline));
        let change = match applies {
            false => Change::Nothing,
            true if deadline <= cx.now() => Change::Remove,
            true => Change::Deadline(Some(deadline)),
        };
        Ok((change, applies))
    });
    let applied = applied.await?;
    if applied {
        let event = if deadline <= cx.now() {
            "del"
        } else {
            "expire"
        };
        cx.changed('g', event, &words[1]);
    }
    Ok(Value::Integer(applied.into()))
}

pub async fn persist(cx: &Context, words: &Words) -> Result {
    let applied = cx.update(&words[1], |found| {
        let has_deadline = found.is_some_and(|found| found.deadline.is_some());
        let change = if has_deadline {
            Change::Deadline(None)
        } else {
            Change::Nothing
        };
        Ok((change, has_deadline))
    });
    let applied = applied.await?;
    if applied {
        cx.changed('g', "persist", &words[1]);
    }
    Ok(Value::Integer(applied.into()))
}

/// TTL, PTTL, EXPIRETIME and PEXPIRETIME: -2 for an absent key, -1 without a deadline.
pub async fn ttl(cx: &Context, words: &Words) -> Result {
    let name = words.name();
    let Some(found) = cx.look(&words[1]).await? else {
        return Ok(Value::Integer(-2));
    };
    let Some(deadline) = found.deadline else {
        return Ok(Value::Integer(-1));
    };
    let at = cx.unix_millis(deadline);
    let left = at.saturating_sub(cx.unix_millis(cx.now())).max(0);
    Ok(Value::Integer(match name.as_str() {
        "ttl" => left.saturating_add(500) / 1000,
        "pttl" => left,
        "expiretime" => at.saturating_add(500) / 1000,
        _ => at,
    }))
}

pub async fn rename(cx: &Context, words: &Words) -> Result {
    let Some(found) = cx.look(&words[1]).await? else {
        return Err(Failure::text("ERR no such key"));
    };
    if words[1] != words[2] {
        move_to(cx, words, &found).await?;
    }
    Ok(Value::Ok)
}

pub async fn rename_nx(cx: &Context, words: &Words) -> Result {
    let Some(found) = cx.look(&words[1]).await? else {
        return Err(Failure::text("ERR no such key"));
    };
    if cx.look(&words[2]).await?.is_some() {
        return Ok(Value::Integer(0));
    }
    move_to(cx, words, &found).await?;
    Ok(Value::Integer(1))
}

/// Stores a value under the second key, then removes the first.
async fn move_to(cx: &Context, words: &Words, found: &Found) -> Result<()> {
    cx.one(&words[2], store(found)).await?;
    cx.one(&words[1], Operation::Delete).await?;
    cx.changed('g', "rename_from", &words[1]);
    cx.changed('g', "rename_to", &words[2]);
    Ok(())
}

fn store(found: &Found) -> Operation<Vec<u8>> {
    Operation::Put {
        value: found.value.to_vec(),
        deadline: found.deadline,
    }
}

pub async fn copy(cx: &Context, words: &Words) -> Result {
    let mut replaces = false;
    let mut at = 3;
    while let Some(word) = words.get(at) {
        if is(word, "REPLACE") {
            replaces = true;
        } else if is(word, "DB") && words.get(at + 1).is_some() {
            at += 1;
            if integer(words, at)? != 0 {
                return Err(Failure::text("ERR DB index is out of range"));
            }
        } else {
            return Err(Failure::SYNTAX);
        }
        at += 1;
    }
    if words[1] == words[2] {
        return Err(Failure::text(
            "ERR source and destination objects are the same",
        ));
    }
    let Some(found) = cx.look(&words[1]).await? else {
        return Ok(Value::Integer(0));
    };
    if !replaces && cx.look(&words[2]).await?.is_some() {
        return Ok(Value::Integer(0));
    }
    cx.one(&words[2], store(&found)).await?;
    cx.changed('g', "copy_to", &words[2]);
    Ok(Value::Integer(1))
}
