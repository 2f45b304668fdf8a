//! Scripts that are known by their shape: those of common locks and rate limits.
//!
//! Before a script is compared, comments, white space and semicolons are left out, quotes and the
//! case of command names are made alike, and local variables are numbered. So a script is known
//! whatever its variables are called.

use super::call::{Change, Context};
use super::commands::{Hash, Words};
use super::value::{Failure, Value};
use crate::operation::{Found, Operation, Outcome, number};
use crate::time::Instant;

/// A script that the server can carry out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// Deletes the key if it has the value of the first argument.
    Release,
    /// Gives the key another TTL if it has the value of the first argument; `millis` a unit.
    Extend {
        /// Milliseconds of a unit of the second argument.
        millis: i64,
    },
    /// The same, and a third argument of 0 adds the TTL that is left.
    ExtendBy,
    /// Stores the second argument if the key has the value of the first, with a TTL in milliseconds
    /// if there is a third.
    Swap {
        /// Whether there is a third argument.
        has_ttl: bool,
    },
    /// Counts up, and sets a TTL when the count starts; `millis` a unit.
    Count {
        /// Milliseconds of a unit of the first argument.
        millis: i64,
    },
    /// Counts up within a window of the second argument's milliseconds, which starts anew with each
    /// hit if the first is 1. Returns the count and what is left of the window.
    Window,
    /// Returns the count and what is left of its window.
    ReadWindow,
    /// Stores the first argument under all keys if none is there, with a TTL in milliseconds.
    AcquireAll,
    /// Gives all keys a new TTL if all have the value of the first argument.
    ExtendAll,
    /// Deletes the keys that have the value of the first argument.
    ReleaseAll,
    /// Returns nothing.
    Nothing,
    /// Returns a number, as scripts that look whether there are scripts do.
    Number(i64),
}

/// The shapes, as [`canonical`] writes them.
const SHAPES: &[(Script, &str)] = &[
    (
        Script::Release,
        r#"if redis.call("get" KEYS[1])==ARGV[1] then return redis.call("del" KEYS[1]) else return 0 end"#,
    ),
    (
        Script::Release,
        r#"local $1=redis.call("get" KEYS[1]) if not $1 or $1~=ARGV[1] then return 0 end redis.call("del" KEYS[1]) return 1"#,
    ),
    (
        Script::Extend { millis: 1 },
        r#"if redis.call("get" KEYS[1])==ARGV[1] then return redis.call("pexpire" KEYS[1] ARGV[2]) else return 0 end"#,
    ),
    (
        Script::Extend { millis: 1000 },
        r#"if redis.call("get" KEYS[1])==ARGV[1] then return redis.call("expire" KEYS[1] ARGV[2]) else return 0 end"#,
    ),
    (
        Script::Extend { millis: 1 },
        r#"local $1=redis.call("get" KEYS[1]) if not $1 or $1~=ARGV[1] then return 0 end redis.call("pexpire" KEYS[1] ARGV[2]) return 1"#,
    ),
    (
        Script::ExtendBy,
        r#"local $1=redis.call("get" KEYS[1]) if not $1 or $1~=ARGV[1] then return 0 end local $2=redis.call("pttl" KEYS[1]) if not $2 then $2=0 end if $2<0 then return 0 end local $3=ARGV[2] if ARGV[3]=="0" then $3=ARGV[2]+$2 end redis.call("pexpire" KEYS[1] $3) return 1"#,
    ),
    (
        Script::Swap { has_ttl: false },
        r#"if redis.call("get" KEYS[1])==ARGV[1] then return redis.call("set" KEYS[1] ARGV[2]) else return 0 end"#,
    ),
    (
        Script::Swap { has_ttl: true },
        r#"if redis.call("get" KEYS[1])==ARGV[1] then return redis.call("set" KEYS[1] ARGV[2] "px" ARGV[3]) else return 0 end"#,
    ),
    (
        Script::Count { millis: 1000 },
        r#"local $1=redis.call("incr" KEYS[1]) if $1==1 then redis.call("expire" KEYS[1] ARGV[1]) end return $1"#,
    ),
    (
        Script::Count { millis: 1 },
        r#"local $1=redis.call("incr" KEYS[1]) if $1==1 then redis.call("pexpire" KEYS[1] ARGV[1]) end return $1"#,
    ),
    (
        Script::Window,
        r#"local $1=ARGV[2] local $2=ARGV[1]=="1" local $3=redis.call("pttl" KEYS[1]) if $3<=0 then redis.call("set" KEYS[1] 1 "px" $1) return{1 $1} end local $4=redis.call("incr" KEYS[1]) if $2 then redis.call("pexpire" KEYS[1] $1) $3=$1 end return{$4 $3}"#,
    ),
    (
        Script::ReadWindow,
        r#"local $1=redis.call("get" KEYS[1]) local $2=redis.call("pttl" KEYS[1]) return{$1 $2}"#,
    ),
    (
        Script::AcquireAll,
        r#"for $1 $2 in ipairs(KEYS) do if redis.call("exists" $2)==1 then return 0 end end for $1 $2 in ipairs(KEYS) do redis.call("set" $2 ARGV[1] "px" ARGV[2]) end return#KEYS"#,
    ),
    (
        Script::ExtendAll,
        r#"for $1 $2 in ipairs(KEYS) do if redis.call("get" $2)~=ARGV[1] then return 0 end end for $1 $2 in ipairs(KEYS) do redis.call("set" $2 ARGV[1] "px" ARGV[2]) end return#KEYS"#,
    ),
    (
        Script::ReleaseAll,
        r#"local $1=0 for $2 $3 in ipairs(KEYS) do if redis.call("get" $3)==ARGV[1] then redis.call("del" $3) $1=$1+1 end end return $1"#,
    ),
];

impl Script {
    /// The script that a text is; `None` if it is none of them.
    #[must_use]
    pub fn recognise(text: &[u8]) -> Option<Self> {
        /// A longer text is none of them.
        const MAX_LENGTH: usize = 4096;
        let text = std::str::from_utf8(text).ok()?;
        if text.len() > MAX_LENGTH {
            return None;
        }
        // A first line can name the language.
        let is_named = text.starts_with("#!lua");
        let (_, text) = text
            .split_once('\n')
            .filter(|_| is_named)
            .unwrap_or(("", text));
        let canonical = canonical(text);
        if let Some(constant) = Self::constant(&canonical) {
            return Some(constant);
        }
        let found = SHAPES.iter().find(|(_, shape)| tokens(shape) == canonical);
        found.map(|(script, _)| *script)
    }

    fn constant(tokens: &[String]) -> Option<Self> {
        match tokens {
            [word] if word == "return" => Some(Self::Nothing),
            [word, value] if word == "return" => number(value.as_bytes()).map(Self::Number),
            _ => None,
        }
    }

    /// Checks the numbers of keys and arguments.
    ///
    /// # Errors
    /// If there are too few.
    pub fn check(self, keys: usize, args: usize) -> Result<(), Failure> {
        let (least_keys, least_args) = match self {
            Self::Nothing | Self::Number(_) => (0, 0),
            Self::ReadWindow => (1, 0),
            Self::Release | Self::Count { .. } => (1, 1),
            Self::AcquireAll | Self::ExtendAll => (0, 2),
            Self::ReleaseAll => (0, 1),
            Self::ExtendBy | Self::Swap { has_ttl: true } => (1, 3),
            Self::Extend { .. } | Self::Swap { .. } | Self::Window => (1, 2),
        };
        if keys < least_keys || args < least_args {
            return Err(Failure::text("ERR the script needs more keys or arguments"));
        }
        Ok(())
    }

    /// Whether it can change something.
    #[must_use]
    pub fn writes(self) -> bool {
        !matches!(self, Self::ReadWindow | Self::Nothing | Self::Number(_))
    }
}

/// The keys and arguments of a script.
struct Params<'a> {
    words: &'a Words,
    keys: usize,
}

impl Params<'_> {
    fn key(&self) -> &[u8] {
        &self.words[3]
    }

    fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.words.rest(3).take(self.keys)
    }

    /// An argument, from 1.
    fn arg(&self, index: usize) -> &[u8] {
        self.words.get(2 + self.keys + index).unwrap_or_default()
    }

    fn number(&self, index: usize) -> Result<i64, Failure> {
        number(self.arg(index)).ok_or(Failure::NOT_AN_INTEGER)
    }
}

/// Carries a script out. `words` are those of EVAL, and were checked.
///
/// # Errors
/// [`Failure`] as for the commands in it.
pub async fn run(cx: Context, script: Script, words: Words) -> Result<Value, Failure> {
    let keys = number(&words[2]).and_then(|keys| usize::try_from(keys).ok());
    let params = Params {
        words: &words,
        keys: keys.unwrap_or(0),
    };
    match script {
        Script::Release => release(&cx, params.key(), params.arg(1)).await.map(integer),
        Script::Extend { millis } => {
            let ttl = params.number(2)?.saturating_mul(millis);
            extend(&cx, &params, ttl, false).await.map(integer)
        }
        Script::ExtendBy => {
            let adds = params.arg(3) == b"0";
            extend(&cx, &params, params.number(2)?, adds)
                .await
                .map(integer)
        }
        Script::Swap { has_ttl } => swap(&cx, &params, has_ttl).await,
        Script::Nothing => Ok(Value::Null),
        Script::Number(number) => Ok(Value::Integer(number)),
        Script::Count { millis } => count(&cx, &params, millis).await,
        Script::Window => window(&cx, &params).await,
        Script::ReadWindow => {
            let found = cx.read(params.key()).await?;
            string(found.as_ref())?;
            let deadline = found.as_ref().map(|found| found.deadline);
            let left = deadline.map_or(-2, |it| it.map_or(-1, |at| left(&cx, at)));
            let value = found.map(|found| found.value);
            Ok(Value::Array(vec![value.into(), Value::Integer(left)]))
        }
        Script::AcquireAll | Script::ExtendAll => set_all(&cx, &params, script).await,
        Script::ReleaseAll => {
            let mut count = 0;
            for key in params.keys() {
                count += release(&cx, key, params.arg(1)).await?;
            }
            Ok(Value::Integer(count))
        }
    }
}

fn integer(number: i64) -> Value {
    Value::Integer(number)
}

/// Milliseconds until a deadline.
fn left(cx: &Context, deadline: Instant) -> i64 {
    let left = cx
        .unix_millis(deadline)
        .saturating_sub(cx.unix_millis(cx.now()));
    left.max(0)
}

fn after(cx: &Context, millis: i64) -> Result<Instant, Failure> {
    let at = cx.unix_millis(cx.now()).saturating_add(millis);
    cx.instant(at).ok_or(Failure::NOT_AN_INTEGER)
}

/// What GET finds: a hash is an error.
fn string(found: Option<&Found>) -> Result<Option<&Found>, Failure> {
    match found {
        Some(found) if Hash::is_hash(&found.value) => Err(Failure::WRONG_TYPE),
        found => Ok(found),
    }
}

async fn release(cx: &Context, key: &[u8], value: &[u8]) -> Result<i64, Failure> {
    let removed = cx.update(key, |found| {
        let is_equal = string(found)?.is_some_and(|found| *found.value == *value);
        let change = if is_equal {
            Change::Remove
        } else {
            Change::Nothing
        };
        Ok((change, is_equal))
    });
    let removed = removed.await?;
    if removed {
        cx.changed('g', "del", key);
    }
    Ok(removed.into())
}

async fn extend(cx: &Context, params: &Params<'_>, ttl: i64, adds: bool) -> Result<i64, Failure> {
    let (key, value) = (params.key(), params.arg(1));
    let done = cx.update(key, |found| {
        let Some(found) = string(found)?.filter(|found| *found.value == *value) else {
            return Ok((Change::Nothing, false));
        };
        let left = found.deadline.map(|at| left(cx, at));
        let ttl = match left {
            // Only a key with a TTL can get more of it.
            None if adds => return Ok((Change::Nothing, false)),
            Some(left) if adds => ttl.saturating_add(left),
            _ => ttl,
        };
        let change = match ttl {
            ..=0 => Change::Remove,
            ttl => Change::Deadline(Some(after(cx, ttl)?)),
        };
        Ok((change, true))
    });
    let done = done.await?;
    if done {
        cx.changed('g', "expire", key);
    }
    Ok(done.into())
}

async fn swap(cx: &Context, params: &Params<'_>, has_ttl: bool) -> Result<Value, Failure> {
    let deadline = if has_ttl {
        Some(after(cx, params.number(3)?)?)
    } else {
        None
    };
    let (key, value) = (params.key(), params.arg(1));
    let done = cx.update(key, |found| {
        let is_equal = string(found)?.is_some_and(|found| *found.value == *value);
        let change = if is_equal {
            Change::Store(params.arg(2).to_vec(), deadline)
        } else {
            Change::Nothing
        };
        Ok((change, is_equal))
    });
    if !done.await? {
        return Ok(Value::Integer(0));
    }
    cx.changed('$', "set", key);
    Ok(Value::Ok)
}

async fn incr(cx: &Context, key: &[u8]) -> Result<i64, Failure> {
    let outcome = match cx.one(key, Operation::Incr { delta: 1 }).await {
        Err(error) if error == Failure::NOT_AN_INTEGER => {
            string(cx.look(key).await?.as_ref())?;
            return Err(error);
        }
        outcome => outcome?,
    };
    cx.changed('$', "incrby", key);
    match outcome {
        Outcome::Number(sum) => Ok(sum),
        _ => Err(Failure::Unknown),
    }
}

async fn set_deadline(cx: &Context, key: &[u8], ttl: i64) -> Result<(), Failure> {
    let deadline = Some(after(cx, ttl)?);
    cx.one(key, Operation::SetDeadline { deadline }).await?;
    cx.changed('g', "expire", key);
    Ok(())
}

async fn count(cx: &Context, params: &Params<'_>, millis: i64) -> Result<Value, Failure> {
    let ttl = params.number(1)?.saturating_mul(millis);
    let sum = incr(cx, params.key()).await?;
    if sum == 1 {
        set_deadline(cx, params.key(), ttl).await?;
    }
    Ok(Value::Integer(sum))
}

async fn window(cx: &Context, params: &Params<'_>) -> Result<Value, Failure> {
    let (key, window) = (params.key(), params.number(2)?);
    let found = cx.look(key).await?;
    let deadline = found.and_then(|found| found.deadline);
    let mut left = deadline.map_or(-1, |at| left(cx, at));
    if left <= 0 {
        let put = Operation::Put {
            value: b"1".to_vec(),
            deadline: Some(after(cx, window)?),
        };
        cx.one(key, put).await?;
        cx.changed('$', "set", key);
        return Ok(Value::Array(vec![
            Value::Integer(1),
            Value::Integer(window),
        ]));
    }
    let hits = incr(cx, key).await?;
    if params.arg(1) == b"1" {
        set_deadline(cx, key, window).await?;
        left = window;
    }
    Ok(Value::Array(vec![
        Value::Integer(hits),
        Value::Integer(left),
    ]))
}

async fn set_all(cx: &Context, params: &Params<'_>, script: Script) -> Result<Value, Failure> {
    let deadline = after(cx, params.number(2)?)?;
    for key in params.keys() {
        let found = cx.look(key).await?;
        let fits = match script {
            Script::AcquireAll => found.is_none(),
            _ => string(found.as_ref())?.is_some_and(|found| *found.value == *params.arg(1)),
        };
        if !fits {
            return Ok(Value::Integer(0));
        }
    }
    for key in params.keys() {
        let put = Operation::Put {
            value: params.arg(1).to_vec(),
            deadline: Some(deadline),
        };
        cx.one(key, put).await?;
        cx.changed('$', "set", key);
    }
    Ok(Value::count(params.keys))
}

/// The tokens of a script, with quotes, cases and names made alike.
fn canonical(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut out: Vec<String> = Vec::new();
    let tokens = tokens(text);
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        let before = out.last().map(String::as_str);
        let declares = before == Some("local") || is_loop_name(&out);
        if declares && !names.contains(token) {
            names.push(token.clone());
        }
        let place = names.iter().position(|name| name == token);
        out.push(match place {
            Some(place) => format!("${}", place + 1),
            None if token == "pcall" => "call".into(),
            None => token.clone(),
        });
    }
    without_conversions(out)
}

/// Whether the next name is one of the two of a loop.
fn is_loop_name(out: &[String]) -> bool {
    let last = out.len().checked_sub(1).map(|at| out[at].as_str());
    let before = out.len().checked_sub(2).map(|at| out[at].as_str());
    last == Some("for") || before == Some("for")
}

/// Leaves `tonumber(x)` out around an `x` without parentheses.
fn without_conversions(tokens: Vec<String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut open = false;
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        if token == "tonumber" && tokens.peek().is_some_and(|next| next == "(") {
            tokens.next();
            open = true;
        } else if open && token == ")" {
            open = false;
        } else {
            out.push(token);
        }
    }
    out
}

/// The words, strings and signs of a script. Commas and semicolons only separate.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if matches!(first, '"' | '\'') {
            let end = rest[1..].find(first).map_or(rest.len(), |end| end + 2);
            let inner = rest[1..end].trim_end_matches(first);
            tokens.push(format!("\"{}\"", inner.to_ascii_lowercase()));
            end
        } else if first.is_alphanumeric() || matches!(first, '_' | '$') {
            let is_inside = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
            let end = rest.find(|c| !is_inside(c)).unwrap_or(rest.len());
            tokens.push(rest[..end].into());
            end
        } else if matches!(first, ',' | ';') {
            1
        } else {
            let two = ["==", "~=", "<=", ">="]
                .iter()
                .any(|sign| rest.starts_with(sign));
            let end = if two { 2 } else { first.len_utf8() };
            tokens.push(rest[..end].into());
            end
        };
        rest = rest[length..].trim_start();
    }
    tokens
}

/// The SHA-1 of a script, as EVALSHA names it.
#[must_use]
pub fn sha1_hex(script: &[u8]) -> String {
    sha1_smol::Sha1::from(script).digest().to_string()
}

#[cfg(test)]
mod tests {
    use super::{Script, canonical, sha1_hex, tokens};

    #[test]
    fn a_script_is_known_by_its_shape() {
        let release = "-- release\nif redis.call('GET', KEYS[1]) == ARGV[1] then\n  return redis.call('DEL', KEYS[1]);\nelse\n  return 0\nend\n";
        assert_eq!(Script::recognise(release.as_bytes()), Some(Script::Release));
        let count = "local n = redis.call('INCR', KEYS[1])\nif tonumber(n) == 1 then redis.call('EXPIRE', KEYS[1], tonumber(ARGV[1])) end return n";
        assert_eq!(
            Script::recognise(count.as_bytes()),
            Some(Script::Count { millis: 1000 })
        );
        let all = "local removed = 0\nfor i, k in ipairs(KEYS) do if redis.call(\"get\", k) == ARGV[1] then redis.pcall(\"del\", k) removed = removed + 1 end end return removed";
        assert_eq!(Script::recognise(all.as_bytes()), Some(Script::ReleaseAll));
        for other in [
            "",
            "return KEYS[1]",
            "if redis.call('get', KEYS[1]) == ARGV[1] then return 1 else return 0 end",
            "\"",
            "'",
        ] {
            assert_eq!(Script::recognise(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn every_shape_is_its_own_canonical_form() {
        for (script, shape) in super::SHAPES {
            assert_eq!(canonical(shape), tokens(shape), "{script:?}");
            assert_eq!(Script::recognise(shape.as_bytes()), Some(*script));
        }
    }

    #[test]
    fn scripts_are_named_by_their_sha1() {
        assert_eq!(
            sha1_hex(b"return 1"),
            "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
        );
    }
}
