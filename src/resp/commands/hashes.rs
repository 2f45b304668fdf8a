//! Commands on hashes.

use super::Words;
use super::args::{integer, is, wrong_number};
use super::decimal::Decimal;
use super::hash::Hash;
use crate::language::glob;
use crate::operation::{Found, number};
use crate::resp::call::{Change, Context};
use crate::resp::value::{Failure, Value};

type Result<T = Value> = std::result::Result<T, Failure>;

/// The most fields that HRANDFIELD returns with repetitions.
const MAX_REPEATED: u64 = 1 << 20;

fn hash(found: Option<&Found>) -> Result<Hash<'_>> {
    Hash::parse(found.map(|found| &*found.value))
}

/// Stores a hash with the deadline that it had. A hash without fields is removed.
fn store(hash: &Hash<'_>, found: Option<&Found>) -> Change {
    if hash.is_empty() {
        return Change::Remove;
    }
    let deadline = found.and_then(|found| found.deadline);
    Change::Store(hash.to_value(), deadline)
}

pub async fn get(cx: &Context, words: &Words) -> Result {
    let found = cx.read(&words[1]).await?;
    let value = hash(found.as_ref())?.get(&words[2]);
    Ok(value.map_or(Value::Null, Value::bulk))
}

pub async fn mget(cx: &Context, words: &Words) -> Result {
    let found = cx.read(&words[1]).await?;
    let hash = hash(found.as_ref())?;
    let values = words.rest(2).map(|field| hash.get(field));
    let values = values.map(|value| value.map_or(Value::Null, Value::bulk));
    Ok(Value::Array(values.collect()))
}

/// HGETALL, HKEYS and HVALS.
pub async fn get_all(cx: &Context, words: &Words) -> Result {
    let found = cx.read(&words[1]).await?;
    let hash = hash(found.as_ref())?;
    let pairs = hash
        .iter()
        .map(|(field, value)| (Value::bulk(field), Value::bulk(value)));
    Ok(match words.name().as_str() {
        "hkeys" => Value::Array(pairs.map(|(field, _)| field).collect()),
        "hvals" => Value::Array(pairs.map(|(_, value)| value).collect()),
        _ => Value::Map(pairs.collect()),
    })
}

pub async fn exists(cx: &Context, words: &Words) -> Result {
    let found = cx.read(&words[1]).await?;
    let there = hash(found.as_ref())?.get(&words[2]).is_some();
    Ok(Value::Integer(there.into()))
}

pub async fn len(cx: &Context, words: &Words) -> Result {
    let found = cx.read(&words[1]).await?;
    Ok(Value::count(hash(found.as_ref())?.len()))
}

pub async fn strlen(cx: &Context, words: &Words) -> Result {
    let found = cx.read(&words[1]).await?;
    let value = hash(found.as_ref())?.get(&words[2]);
    Ok(Value::count(value.map_or(0, <[u8]>::len)))
}

/// HSET and HMSET.
pub async fn set(cx: &Context, words: &Words) -> Result {
    if !words.len().is_multiple_of(2) {
        return Err(wrong_number(words));
    }
    let new = cx.update(&words[1], |found| {
        let mut hash = hash(found)?;
        let fields = words.rest(2).step_by(2).zip(words.rest(3).step_by(2));
        let new = fields
            .filter(|(field, value)| hash.set(field, value))
            .count();
        Ok((store(&hash, found), new))
    });
    let new = new.await?;
    cx.changed('h', "hset", &words[1]);
    Ok(match words.name().as_str() {
        "hmset" => Value::Ok,
        _ => Value::count(new),
    })
}

pub async fn set_nx(cx: &Context, words: &Words) -> Result {
    let was_set = cx.update(&words[1], |found| {
        let mut hash = hash(found)?;
        if hash.get(&words[2]).is_some() {
            return Ok((Change::Nothing, false));
        }
        hash.set(&words[2], &words[3]);
        Ok((store(&hash, found), true))
    });
    let was_set = was_set.await?;
    if was_set {
        cx.changed('h', "hset", &words[1]);
    }
    Ok(Value::Integer(was_set.into()))
}

pub async fn del(cx: &Context, words: &Words) -> Result {
    let removed = cx.update(&words[1], |found| {
        let mut hash = hash(found)?;
        let removed = words.rest(2).filter(|field| hash.remove(field)).count();
        let change = match removed {
            0 => Change::Nothing,
            _ => store(&hash, found),
        };
        Ok((change, (removed, hash.is_empty())))
    });
    let (removed, is_empty) = removed.await?;
    if removed > 0 {
        cx.changed('h', "hdel", &words[1]);
    }
    if removed > 0 && is_empty {
        cx.changed('g', "del", &words[1]);
    }
    Ok(Value::count(removed))
}

pub async fn incr_by(cx: &Context, words: &Words) -> Result {
    let delta = integer(words, 3)?;
    let sum = cx.update(&words[1], |found| {
        let old = hash(found)?.get(&words[2]).map_or(Some(0), number);
        let old = old.ok_or(Failure::text("ERR hash value is not an integer"))?;
        let sum = old
            .checked_add(delta)
            .ok_or(Failure::text("ERR increment or decrement would overflow"))?;
        let text = sum.to_string();
        let mut hash = hash(found)?;
        hash.set(&words[2], text.as_bytes());
        Ok((store(&hash, found), sum))
    });
    let sum = sum.await?;
    cx.changed('h', "hincrby", &words[1]);
    Ok(Value::Integer(sum))
}

pub async fn incr_by_float(cx: &Context, words: &Words) -> Result {
    let delta = Decimal::parse(&words[3])?;
    if !delta.is_finite() {
        return Err(Failure::text("ERR value is NaN or Infinity"));
    }
    let sum = cx.update(&words[1], |found| {
        let old = hash(found)?
            .get(&words[2])
            .map_or(Ok(Decimal::Exact(0)), Decimal::parse);
        let old = old.map_err(|_| Failure::text("ERR hash value is not a float"))?;
        let sum = old.add(delta)?.to_string();
        let mut hash = hash(found)?;
        hash.set(&words[2], sum.as_bytes());
        Ok((store(&hash, found), sum.clone()))
    });
    let sum = sum.await?;
    cx.changed('h', "hincrbyfloat", &words[1]);
    Ok(Value::bulk(sum))
}

/// Returns the whole hash in one call, as Redis does with a small one.
pub async fn scan(cx: &Context, words: &Words) -> Result {
    let cursor = std::str::from_utf8(&words[2]).ok();
    let cursor = cursor.and_then(|it| it.parse::<u64>().ok());
    cursor.ok_or(Failure::text("ERR invalid cursor"))?;
    let mut pattern = None;
    let mut options = words.rest(3);
    while let Some(option) = options.next() {
        let value = options.next().ok_or(Failure::SYNTAX)?;
        if is(option, "MATCH") {
            pattern = Some(value);
        } else if is(option, "COUNT") {
            let count = number(value).ok_or(Failure::NOT_AN_INTEGER)?;
            if count < 1 {
                return Err(Failure::SYNTAX);
            }
        } else {
            return Err(Failure::SYNTAX);
        }
    }
    let found = cx.read(&words[1]).await?;
    let hash = hash(found.as_ref())?;
    let fields = hash
        .iter()
        .filter(|(field, _)| pattern.is_none_or(|pattern| glob::matches(pattern, field)));
    let parts = fields.flat_map(|(field, value)| [Value::bulk(field), Value::bulk(value)]);
    Ok(Value::Array(vec![
        Value::bulk(b"0"),
        Value::Array(parts.collect()),
    ]))
}

pub async fn random(cx: &Context, words: &Words) -> Result {
    let count = if words.len() > 2 {
        Some(integer(words, 2)?)
    } else {
        None
    };
    let with_values = match words.get(3) {
        None => false,
        Some(word) if is(word, "WITHVALUES") && words.len() == 4 => true,
        Some(_) => return Err(Failure::SYNTAX),
    };
    let found = cx.read(&words[1]).await?;
    let hash = hash(found.as_ref())?;
    let fields: Vec<(&[u8], &[u8])> = hash.iter().collect();
    let Some(count) = count else {
        let field = fields.get(cx.random(fields.len()));
        return Ok(field.map_or(Value::Null, |(field, _)| Value::bulk(field)));
    };
    if fields.is_empty() {
        return Ok(Value::Array(Vec::new()));
    }
    if count.unsigned_abs() > MAX_REPEATED && count < 0 {
        return Err(Failure::text("ERR value is out of range"));
    }
    let chosen = choose(cx, fields, count);
    let chosen = chosen.into_iter();
    Ok(if with_values {
        let pairs = chosen.map(|(field, value)| (Value::bulk(field), Value::bulk(value)));
        Value::Pairs(pairs.collect())
    } else {
        Value::Array(chosen.map(|(field, _)| Value::bulk(field)).collect())
    })
}

/// `count` different elements, or `-count` with repetitions if it is negative.
fn choose<T: Copy>(cx: &Context, mut from: Vec<T>, count: i64) -> Vec<T> {
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count < 0 {
        return (0..wanted).map(|_| from[cx.random(from.len())]).collect();
    }
    let wanted = wanted.min(from.len());
    for at in 0..wanted {
        let other = at + cx.random(from.len() - at);
        from.swap(at, other);
    }
    from.truncate(wanted);
    from
}
