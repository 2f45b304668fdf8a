//! Commands on strings.

use super::Words;
use super::args::{integer, is, range, wrong_number};
use super::decimal::Decimal;
use super::expiry::{Expiry, Scale, positive};
use super::hash::Hash;
use crate::operation::{Bytes, Found, Operation, Outcome};
use crate::resp::call::{Ask, Change, Context};
use crate::resp::value::{Failure, Value};
use crate::time::Instant;

/// The longest string, in bytes.
const MAX_STRING: usize = 512 << 20;

type Result<T = Value> = std::result::Result<T, Failure>;

/// The string that was found.
///
/// # Errors
/// [`Failure::WRONG_TYPE`] if it is a hash.
fn string(found: Option<&Found>) -> Result<Option<&Bytes>> {
    match found {
        Some(found) if Hash::is_hash(&found.value) => Err(Failure::WRONG_TYPE),
        found => Ok(found.map(|found| &found.value)),
    }
}

fn put(key: &[u8], value: &[u8], deadline: Option<Instant>) -> Result<Ask> {
    if Hash::is_hash(value) {
        return Err(Failure::text(
            "ERR a string cannot start with the bytes that mark a hash",
        ));
    }
    Ok(Ask {
        key: key.into(),
        operation: Operation::Put {
            value: value.into(),
            deadline,
        },
        is_look: false,
    })
}

/// Notes that a string was stored.
fn stored(cx: &Context, key: &[u8], has_deadline: bool) {
    cx.changed('$', "set", key);
    if has_deadline {
        cx.changed('g', "expire", key);
    }
}

pub async fn get(cx: &Context, words: &Words) -> Result {
    let found = cx.read(&words[1]).await?;
    Ok(string(found.as_ref())?.cloned().into())
}

pub async fn strlen(cx: &Context, words: &Words) -> Result {
    let found = cx.read(&words[1]).await?;
    Ok(Value::count(
        string(found.as_ref())?.map_or(0, |it| it.len()),
    ))
}

pub async fn get_range(cx: &Context, words: &Words) -> Result {
    let (start, end) = (integer(words, 2)?, integer(words, 3)?);
    let found = cx.read(&words[1]).await?;
    let value = string(found.as_ref())?;
    let part = value.map(|value| &value[range(start, end, value.len())]);
    Ok(Value::bulk(part.unwrap_or_default()))
}

pub async fn get_del(cx: &Context, words: &Words) -> Result {
    let old = cx.update(&words[1], |found| {
        let value = string(found)?.cloned();
        Ok((Change::Remove, value))
    });
    let old = old.await?;
    if old.is_some() {
        cx.changed('g', "del", &words[1]);
    }
    Ok(old.into())
}

pub async fn get_set(cx: &Context, words: &Words) -> Result {
    put(&words[1], &words[2], None)?;
    let old = cx.update(&words[1], |found| {
        let old = string(found)?.cloned();
        Ok((Change::Store(words[2].to_vec(), None), old))
    });
    let old = old.await?;
    stored(cx, &words[1], false);
    Ok(old.into())
}

pub async fn get_ex(cx: &Context, words: &Words) -> Result {
    let mut expiry = Expiry::Default;
    let mut at = 2;
    while let Some(word) = words.get(at) {
        if expiry != Expiry::Default {
            return Err(Failure::SYNTAX);
        }
        expiry = if is(word, "PERSIST") {
            Expiry::Never
        } else {
            let scale = Scale::of(word).ok_or(Failure::SYNTAX)?;
            at += 1;
            words.get(at).ok_or(Failure::SYNTAX)?;
            Expiry::Written(scale, at)
        };
        at += 1;
    }
    if expiry == Expiry::Default {
        return get(cx, words).await;
    }
    let found = cx.look(&words[1]).await?;
    if string(found.as_ref())?.is_none() {
        return Ok(Value::Null);
    }
    let expiry = expiry.read(cx, words)?;
    let old = cx.update(&words[1], |found| {
        let value = string(found)?.cloned();
        let had_deadline = found.is_some_and(|found| found.deadline.is_some());
        let (change, event) = match expiry {
            _ if found.is_none() => (Change::Nothing, None),
            Expiry::At(at) if at <= cx.now() => (Change::Remove, Some("del")),
            Expiry::At(at) => (Change::Deadline(Some(at)), Some("expire")),
            _ if had_deadline => (Change::Deadline(None), Some("persist")),
            _ => (Change::Nothing, None),
        };
        Ok((change, (value, event)))
    });
    let (old, event) = old.await?;
    if let Some(event) = event {
        cx.changed('g', event, &words[1]);
    }
    Ok(old.into())
}

/// The options of SET and MSETEX.
#[derive(Clone, Copy)]
struct SetOptions<'a> {
    condition: Condition<'a>,
    expiry: Expiry,
    gets: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Condition<'a> {
    Always,
    IfAbsent,
    IfThere,
    IfEqual(&'a [u8]),
}

impl<'a> SetOptions<'a> {
    /// Reads the options from `at` on. SET alone has GET and IFEQ.
    fn parse(cx: &Context, words: &'a Words, mut at: usize, is_set: bool) -> Result<Self> {
        let mut options = Self {
            condition: Condition::Always,
            expiry: Expiry::Default,
            gets: false,
        };
        while let Some(word) = words.get(at) {
            let has_argument = words.get(at + 1).is_some();
            let is_first = options.expiry == Expiry::Default;
            if is(word, "NX") && options.may_be(Condition::IfAbsent) {
                options.condition = Condition::IfAbsent;
            } else if is(word, "XX") && options.may_be(Condition::IfThere) {
                options.condition = Condition::IfThere;
            } else if is(word, "IFEQ")
                && is_set
                && has_argument
                && options.may_be(Condition::Always)
            {
                at += 1;
                options.condition = Condition::IfEqual(&words[at]);
            } else if is(word, "GET") && is_set {
                options.gets = true;
            } else if is(word, "KEEPTTL") && (is_first || options.expiry == Expiry::Keep) {
                options.expiry = Expiry::Keep;
            } else if let Some(scale) = Scale::of(word)
                && has_argument
                && (is_first || matches!(options.expiry, Expiry::Written(it, _) if it == scale))
            {
                at += 1;
                options.expiry = Expiry::Written(scale, at);
            } else {
                return Err(Failure::SYNTAX);
            }
            at += 1;
        }
        options.expiry = options.expiry.read(cx, words)?;
        Ok(options)
    }

    /// Whether a condition does not contradict another one.
    fn may_be(&self, condition: Condition<'_>) -> bool {
        self.condition == Condition::Always || self.condition == condition
    }

    fn deadline(&self, old: Option<&Found>) -> Option<Instant> {
        match self.expiry {
            Expiry::At(at) => Some(at),
            Expiry::Keep => old.and_then(|old| old.deadline),
            _ => None,
        }
    }

    fn is_over(&self, cx: &Context) -> bool {
        matches!(self.expiry, Expiry::At(at) if at <= cx.now())
    }

    fn holds(&self, found: Option<&Found>) -> bool {
        match self.condition {
            Condition::Always => true,
            Condition::IfAbsent => found.is_none(),
            Condition::IfThere => found.is_some(),
            Condition::IfEqual(value) => found.is_some_and(|found| *found.value == *value),
        }
    }
}

pub async fn set(cx: &Context, words: &Words) -> Result {
    let options = SetOptions::parse(cx, words, 3, true)?;
    let ask = put(&words[1], &words[2], options.deadline(None))?;
    let is_plain = options.condition == Condition::Always
        && !options.gets
        && options.expiry != Expiry::Keep
        && !options.is_over(cx);
    if is_plain {
        cx.all(vec![ask]).await?;
        stored(cx, &words[1], options.deadline(None).is_some());
        return Ok(Value::Ok);
    }
    let (was_set, old) = cx
        .update(&words[1], |found| {
            let wants_string = options.gets || matches!(options.condition, Condition::IfEqual(_));
            let old = if wants_string {
                string(found)?.cloned()
            } else {
                None
            };
            let holds = options.holds(found);
            let change = match holds {
                false => Change::Nothing,
                true if options.is_over(cx) => Change::Remove,
                true => Change::Store(words[2].to_vec(), options.deadline(found)),
            };
            Ok((change, (holds, old)))
        })
        .await?;
    if was_set && options.is_over(cx) {
        cx.changed('g', "del", &words[1]);
    } else if was_set {
        stored(cx, &words[1], matches!(options.expiry, Expiry::At(_)));
    }
    Ok(match (options.gets, was_set) {
        (true, _) => old.into(),
        (false, true) => Value::Ok,
        (false, false) => Value::Null,
    })
}

pub async fn set_ex(cx: &Context, words: &Words) -> Result {
    let scale = Scale {
        millis: if words.name() == "setex" { 1000 } else { 1 },
        is_absolute: false,
    };
    let deadline = positive(cx, words, 2, scale)?;
    cx.all(vec![put(&words[1], &words[3], Some(deadline))?])
        .await?;
    stored(cx, &words[1], true);
    Ok(Value::Ok)
}

pub async fn set_nx(cx: &Context, words: &Words) -> Result {
    put(&words[1], &words[2], None)?;
    let add = Operation::Add {
        value: words[2].to_vec(),
        deadline: None,
    };
    let was_set = cx.one(&words[1], add).await? == Outcome::Applied(true);
    if was_set {
        stored(cx, &words[1], false);
    }
    Ok(Value::Integer(was_set.into()))
}

pub async fn del_if_equal(cx: &Context, words: &Words) -> Result {
    let removed = cx.update(&words[1], |found| {
        let is_equal = string(found)?.is_some_and(|value| **value == words[2]);
        let change = if is_equal {
            Change::Remove
        } else {
            Change::Nothing
        };
        Ok((change, is_equal))
    });
    let removed = removed.await?;
    if removed {
        cx.changed('g', "del", &words[1]);
    }
    Ok(Value::Integer(removed.into()))
}

pub async fn mget(cx: &Context, words: &Words) -> Result {
    let asks = words.rest(1).map(|key| Ask {
        key: key.into(),
        operation: Operation::Get,
        is_look: false,
    });
    let outcomes = cx.all(asks.collect()).await?;
    let values = outcomes.into_iter().map(|outcome| match outcome {
        Outcome::Value(Some(found)) if !Hash::is_hash(&found.value) => Value::Bulk(found.value),
        _ => Value::Null,
    });
    Ok(Value::Array(values.collect()))
}

/// Puts of the pairs of a key and a value from `at` on, at most `most`.
fn pairs(words: &Words, at: usize, most: usize, deadline: Option<Instant>) -> Result<Vec<Ask>> {
    let keys = words.rest(at).step_by(2).zip(words.rest(at + 1).step_by(2));
    let asks = keys
        .take(most)
        .map(|(key, value)| put(key, value, deadline));
    asks.collect()
}

pub async fn mset(cx: &Context, words: &Words) -> Result {
    if words.len().is_multiple_of(2) {
        return Err(wrong_number(words));
    }
    let asks = pairs(words, 1, usize::MAX, None)?;
    cx.all(asks).await?;
    words
        .rest(1)
        .step_by(2)
        .for_each(|key| stored(cx, key, false));
    Ok(Value::Ok)
}

/// Whether one of the keys is there, for `condition`.
async fn count_there<'a>(cx: &Context, keys: impl Iterator<Item = &'a [u8]>) -> Result<usize> {
    let looks = keys.map(|key| Ask {
        key: key.into(),
        operation: Operation::Get,
        is_look: true,
    });
    let outcomes = cx.all(looks.collect()).await?;
    let there = outcomes
        .iter()
        .filter(|it| matches!(it, Outcome::Value(Some(_))));
    Ok(there.count())
}

pub async fn mset_nx(cx: &Context, words: &Words) -> Result {
    if words.len().is_multiple_of(2) {
        return Err(wrong_number(words));
    }
    let asks = pairs(words, 1, usize::MAX, None)?;
    if count_there(cx, words.rest(1).step_by(2)).await? > 0 {
        return Ok(Value::Integer(0));
    }
    cx.all(asks).await?;
    words
        .rest(1)
        .step_by(2)
        .for_each(|key| stored(cx, key, false));
    Ok(Value::Integer(1))
}

pub async fn mset_ex(cx: &Context, words: &Words) -> Result {
    let count = integer(words, 1)?;
    let count = usize::try_from(count).ok().filter(|&it| it > 0);
    let count = count.ok_or(Failure::text("ERR invalid numkeys value"))?;
    let options_at = count.checked_mul(2).map(|it| it.saturating_add(2));
    let options_at = options_at.filter(|&at| at <= words.len());
    let options_at = options_at.ok_or_else(|| wrong_number(words))?;
    let options = SetOptions::parse(cx, words, options_at, false)?;
    let keys = || words.rest(2).step_by(2).take(count);
    let there = match options.condition {
        Condition::Always => 0,
        _ => count_there(cx, keys()).await?,
    };
    let holds = match options.condition {
        Condition::IfAbsent => there == 0,
        Condition::IfThere => there == count,
        _ => true,
    };
    if !holds {
        return Ok(Value::Integer(0));
    }
    if options.expiry == Expiry::Keep {
        for (key, value) in keys().zip(words.rest(3).step_by(2)) {
            put(key, value, None)?;
            cx.update(key, |found| {
                let deadline = found.and_then(|found| found.deadline);
                Ok((Change::Store(value.to_vec(), deadline), ()))
            })
            .await?;
        }
    } else {
        cx.all(pairs(words, 2, count, options.deadline(None))?)
            .await?;
    }
    let has_deadline = matches!(options.expiry, Expiry::At(_));
    keys().for_each(|key| stored(cx, key, has_deadline));
    Ok(Value::Integer(1))
}

/// INCR, DECR and INCRBY.
pub async fn count(cx: &Context, words: &Words, delta: Option<i64>) -> Result {
    let delta = delta.map_or_else(|| integer(words, 2), Ok)?;
    add(cx, &words[1], delta).await
}

pub async fn decr_by(cx: &Context, words: &Words) -> Result {
    let delta = integer(words, 2)?;
    let delta = delta
        .checked_neg()
        .ok_or(Failure::text("ERR decrement would overflow"))?;
    add(cx, &words[1], delta).await
}

async fn add(cx: &Context, key: &[u8], delta: i64) -> Result {
    match cx.one(key, Operation::Incr { delta }).await {
        Ok(Outcome::Number(sum)) => {
            cx.changed('$', "incrby", key);
            Ok(Value::Integer(sum))
        }
        Ok(_) => Err(Failure::Unknown),
        // A hash is no number, and has an error of its own.
        Err(error) if error == Failure::NOT_AN_INTEGER => {
            string(cx.look(key).await?.as_ref())?;
            Err(error)
        }
        Err(error) => Err(error),
    }
}

pub async fn incr_by_float(cx: &Context, words: &Words) -> Result {
    let delta = Decimal::parse(&words[2]);
    let sum = cx.update(&words[1], |found| {
        let old = string(found)?.map_or(Ok(Decimal::Exact(0)), |it| Decimal::parse(it))?;
        let sum = old.add(delta.clone()?)?.to_string().into_bytes();
        let deadline = found.and_then(|found| found.deadline);
        Ok((Change::Store(sum.clone(), deadline), sum))
    });
    let sum = sum.await?;
    cx.changed('$', "incrbyfloat", &words[1]);
    Ok(Value::bulk(sum))
}

pub async fn append(cx: &Context, words: &Words) -> Result {
    let length = cx.update(&words[1], |found| {
        let mut value = string(found)?.map_or_else(Vec::new, |it| it.to_vec());
        value.extend_from_slice(&words[2]);
        let length = checked_length(value.len())?;
        let deadline = found.and_then(|found| found.deadline);
        put(&words[1], &value, None)?;
        Ok((Change::Store(value, deadline), length))
    });
    let length = length.await?;
    cx.changed('$', "append", &words[1]);
    Ok(Value::count(length))
}

pub async fn set_range(cx: &Context, words: &Words) -> Result {
    let offset = integer(words, 2)?;
    let offset =
        usize::try_from(offset).map_err(|_| Failure::text("ERR offset is out of range"))?;
    let part = &words[3];
    let length = cx.update(&words[1], |found| {
        let old = string(found)?;
        if part.is_empty() {
            return Ok((Change::Nothing, old.map_or(0, |it| it.len())));
        }
        let end = checked_length(offset.saturating_add(part.len()))?;
        let mut value = old.map_or_else(Vec::new, |it| it.to_vec());
        value.resize(value.len().max(end), 0);
        value[offset..end].copy_from_slice(part);
        let (length, deadline) = (value.len(), found.and_then(|found| found.deadline));
        put(&words[1], &value, None)?;
        Ok((Change::Store(value, deadline), length))
    });
    let length = length.await?;
    if !part.is_empty() {
        cx.changed('$', "setrange", &words[1]);
    }
    Ok(Value::count(length))
}

fn checked_length(length: usize) -> Result<usize> {
    let is_short = length <= MAX_STRING;
    is_short.then_some(length).ok_or(Failure::text(
        "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
    ))
}
