//! Operations on keys as commands of Redis, and answers as outcomes.

use std::time::{Duration, Instant as RealInstant, SystemTime, UNIX_EPOCH};

use super::pipeline::Ask;
use crate::operation::{CountError, Found, Operation, Outcome, PutError, Refusal};
use crate::resp::Answer;
use crate::time::Instant;

/// Nanoseconds of a millisecond.
const MILLI: i128 = 1_000_000;

/// A compare-and-set for servers that have no `SET … IFEQ`.
const CAS: &[u8] = b"if redis.call('GET',KEYS[1])~=ARGV[1] then return false end \
if ARGV[3] then return redis.call('SET',KEYS[1],ARGV[2],'PXAT',ARGV[3]) end \
return redis.call('SET',KEYS[1],ARGV[2])";

/// The time of a session and that of the servers.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// An instant of the session on the real clock.
    base: (RealInstant, Instant),
    /// When the session started, in nanoseconds since 1970.
    epoch: i128,
}

impl Times {
    /// `now` is the present on the clock of the session.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let nanos = since.unwrap_or_default().as_nanos();
        Self {
            base: (RealInstant::now(), now),
            epoch: i128::try_from(nanos).unwrap_or(i128::MAX) - i128::from(now.as_nanos()),
        }
    }

    /// The same, where the clocks of the servers are ahead by so many nanoseconds.
    #[must_use]
    pub fn ahead(self, nanos: i128) -> Self {
        let epoch = self.epoch.saturating_add(nanos);
        Self { epoch, ..self }
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.at(RealInstant::now())
    }

    /// An instant of the real clock.
    #[must_use]
    pub fn at(&self, real: RealInstant) -> Instant {
        let (base, now) = self.base;
        now.saturating_add(real.saturating_duration_since(base))
    }

    /// The first instant from `deadline` on at which a server can let a key go: they count in
    /// milliseconds.
    #[must_use]
    pub fn aligned(&self, deadline: Instant) -> Instant {
        let since_1970 = self.epoch + i128::from(deadline.as_nanos());
        let over = since_1970.rem_euclid(MILLI);
        let more = if over == 0 { 0 } else { MILLI - over };
        deadline.saturating_add(Duration::from_nanos(u64::try_from(more).unwrap_or(0)))
    }

    /// What PXAT is for an aligned deadline. A server has the key through this millisecond.
    fn pxat(&self, deadline: Instant) -> i128 {
        (self.epoch + i128::from(deadline.as_nanos())) / MILLI - 1
    }
}

/// How to say what not all servers understand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dialect {
    /// Whether SET knows IFEQ (Valkey from 8.1 on, Redis from 8.4 on).
    pub has_ifeq: bool,
}

/// The request for an operation whose deadline is aligned.
#[must_use]
pub fn ask(key: &[u8], operation: &Operation<&[u8]>, times: &Times, dialect: Dialect) -> Ask {
    let at = |deadline: &Option<Instant>| deadline.map(|it| times.pxat(it).to_string());
    let words = match operation {
        // Only the simulated cluster is asked for a swap.
        Operation::Get | Operation::Swap { .. } => words(&[b"GET", key]),
        Operation::Delete => words(&[b"DEL", key]),
        Operation::Put { value, deadline } => set(&[key, value], at(deadline), None),
        Operation::Add { value, deadline } => set(&[key, value], at(deadline), Some(&[b"NX"])),
        Operation::Cas {
            expected,
            new,
            deadline,
        } if dialect.has_ifeq => set(&[key, new], at(deadline), Some(&[b"IFEQ", expected])),
        Operation::Cas {
            expected,
            new,
            deadline,
        } => {
            let mut all = words(&[b"EVAL", CAS, b"1", key, expected, new]);
            all.extend(at(deadline).map(String::into_bytes));
            all
        }
        Operation::SetDeadline {
            deadline: Some(deadline),
        } => words(&[
            b"PEXPIREAT",
            key,
            times.pxat(*deadline).to_string().as_bytes(),
        ]),
        Operation::SetDeadline { deadline: None } => words(&[b"PERSIST", key]),
        Operation::Incr { delta } => words(&[b"INCRBY", key, delta.to_string().as_bytes()]),
    };
    Ask::new(key, words, !operation.is_read())
}

fn words(words: &[&[u8]]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.to_vec()).collect()
}

fn set(pair: &[&[u8]], pxat: Option<String>, condition: Option<&[&[u8]]>) -> Vec<Vec<u8>> {
    let mut all = words(&[b"SET"]);
    all.extend(words(pair));
    all.extend(condition.map(words).unwrap_or_default());
    if let Some(pxat) = pxat {
        all.extend([b"PXAT".to_vec(), pxat.into_bytes()]);
    }
    all
}

/// The outcome of an operation.
///
/// # Errors
/// What the server says, if it refuses the operation for a reason that the simulated cluster does not
/// have.
pub fn outcome(operation: &Operation<&[u8]>, answer: Answer) -> Result<Outcome, String> {
    let number = answer.integer();
    Ok(match (operation, answer) {
        (_, Answer::Error(error)) => return refusal(error).map(Outcome::Refused),
        (Operation::Get, Answer::Bulk(value)) => Outcome::Value(Some(Found {
            value,
            deadline: None,
            version: 1,
        })),
        (Operation::Get, Answer::Nil) => Outcome::Value(None),
        (Operation::Put { .. }, answer) if answer.is_ok() => Outcome::Done,
        (Operation::Add { .. } | Operation::Cas { .. }, Answer::Nil) => Outcome::Applied(false),
        (Operation::Add { .. } | Operation::Cas { .. }, answer) if answer.is_ok() => {
            Outcome::Applied(true)
        }
        (Operation::Incr { .. }, Answer::Integer(sum)) => Outcome::Number(sum),
        (Operation::Delete | Operation::SetDeadline { .. }, Answer::Integer(_)) => {
            Outcome::Applied(number > Some(0))
        }
        (_, answer) => return Err(format!("it answers {answer:?}")),
    })
}

fn refusal(error: String) -> Result<Refusal, String> {
    if error.starts_with("OOM ") {
        return Ok(PutError::Full.into());
    }
    if error.contains("not an integer or out of range") {
        return Ok(CountError::NotANumber.into());
    }
    if error.contains("would overflow") {
        return Ok(CountError::Overflow.into());
    }
    Err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(operation: &Operation<&[u8]>, has_ifeq: bool) -> String {
        let times = Times {
            base: (RealInstant::now(), Instant::START),
            epoch: 1_000_000 * MILLI,
        };
        let ask = ask(b"k", operation, &times, Dialect { has_ifeq });
        let words = ask.words.iter().map(|word| String::from_utf8_lossy(word));
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn operations_are_commands() {
        let deadline = Some(Instant::from_millis(2000));
        assert_eq!(text(&Operation::Get, true), "GET k");
        assert_eq!(text(&Operation::put(b"v", None), true), "SET k v");
        assert_eq!(
            text(&Operation::put(b"v", deadline), true),
            "SET k v PXAT 1001999"
        );
        assert_eq!(
            text(&Operation::add(b"v", deadline), true),
            "SET k v NX PXAT 1001999"
        );
        assert_eq!(
            text(&Operation::cas(b"a", b"b", None), true),
            "SET k b IFEQ a"
        );
        assert!(text(&Operation::cas(b"a", b"b", deadline), false).ends_with(" 1 k a b 1001999"));
        assert_eq!(text(&Operation::Incr { delta: -2 }, true), "INCRBY k -2");
        assert_eq!(
            text(&Operation::SetDeadline { deadline }, true),
            "PEXPIREAT k 1001999"
        );
        assert_eq!(
            text(&Operation::SetDeadline { deadline: None }, true),
            "PERSIST k"
        );
    }

    #[test]
    fn deadlines_are_whole_milliseconds_of_the_server() {
        let times = Times {
            base: (RealInstant::now(), Instant::START),
            epoch: 5 * MILLI + 3,
        };
        let nanos = |at: u64| times.aligned(Instant::from_nanos(at)).as_nanos();
        assert_eq!(
            (nanos(0), nanos(999_997), nanos(999_998)),
            (999_997, 999_997, 1_999_997)
        );
        assert_eq!(times.pxat(Instant::from_nanos(999_997)), 5);
    }

    #[test]
    fn answers_are_outcomes() {
        let error = |text: &str| Answer::Error(text.into());
        let get = Operation::Get;
        assert_eq!(outcome(&get, Answer::Nil), Ok(Outcome::Value(None)));
        let wrong = "WRONGTYPE Operation against a key";
        assert_eq!(outcome(&get, error(wrong)), Err(wrong.into()));
        let incr = Operation::Incr { delta: 1 };
        let not_a_number = error("ERR value is not an integer or out of range");
        let expected = Outcome::Refused(CountError::NotANumber.into());
        assert_eq!(outcome(&incr, not_a_number), Ok(expected));
        let oom = error("OOM command not allowed when used memory > 'maxmemory'.");
        let expected = Outcome::Refused(PutError::Full.into());
        assert_eq!(outcome(&Operation::put(b"v", None), oom), Ok(expected));
        assert_eq!(
            outcome(&Operation::Delete, Answer::Integer(1)),
            Ok(Outcome::Applied(true))
        );
        assert_eq!(
            outcome(&Operation::add(b"v", None), Answer::Nil),
            Ok(Outcome::Applied(false))
        );
    }
}
