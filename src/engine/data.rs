//! Commands on keys.

use std::time::Duration;

use super::backend::Engine;
use super::client::Failed;
use super::operations::{ask, outcome};
use super::pipeline::{Ask, Asked};
use crate::id::NodeId;
use crate::language::catalog::{self, Verb};
use crate::language::word::{Bytes, Shown};
use crate::language::{Command, Error, ErrorKind};
use crate::operation::{Found, Operation, Outcome, Refusal};
use crate::reply::{Found as FoundReply, Keyed, Left, Reply};
use crate::resp::Answer;
use crate::rng::Rng;
use crate::session::{Filling, Origin};
use crate::time::Instant;

/// How many keys of FILL and CLEAR are handled at once.
const CHUNK: usize = 1000;

/// An operation on a key.
pub(super) type Keyop<'k> = (&'k [u8], Operation<&'k [u8]>);

/// The outcome of an operation at a server, or why there is none.
pub(super) type Done = Result<(NodeId, Outcome), Failed>;

impl Engine {
    /// Carries operations out, recorded as those of a client, and follows their deadlines.
    pub(super) fn carry_out(&mut self, client: u32, operations: &[Keyop<'_>]) -> Vec<Done> {
        let aligned: Vec<Keyop<'_>> = operations
            .iter()
            .map(|(key, operation)| (*key, self.aligned(*operation)))
            .collect();
        let asks = aligned
            .iter()
            .map(|(key, it)| ask(&self.namespace.full(key), it, &self.times, self.dialect));
        let asks: Vec<Ask> = asks.collect();
        let now = self.times.now();
        let calls = aligned
            .iter()
            .map(|(key, it)| self.record.invoke(now, client, key, it));
        let calls: Vec<_> = calls.collect();
        let asked = self.client.run(&asks);
        let now = self.times.now();
        let mut done = Vec::with_capacity(asked.len());
        for (((key, operation), call), asked) in aligned.iter().zip(calls).zip(asked) {
            let result = understood(operation, asked);
            self.record
                .complete(now, call, operation, &as_outcome(&result));
            self.deadlines.note(key, operation, &result);
            done.push(result);
        }
        done
    }

    fn aligned<'k>(&self, mut operation: Operation<&'k [u8]>) -> Operation<&'k [u8]> {
        if let Operation::Put { deadline, .. }
        | Operation::Add { deadline, .. }
        | Operation::Cas { deadline, .. }
        | Operation::SetDeadline { deadline } = &mut operation
        {
            *deadline = deadline.map(|deadline| self.times.aligned(deadline));
        }
        operation
    }

    fn one(&mut self, origin: Origin, key: &[u8], operation: Operation<&[u8]>) -> Done {
        let mut done = self.carry_out(origin.client, &[(key, operation)]);
        done.pop()
            .unwrap_or_else(|| Err(Failed::refused(None, "it was not asked")))
    }

    /// Carries out a command on keys.
    ///
    /// # Errors
    /// If it was not done, or it is not known whether it was.
    pub(super) fn on_keys<'a>(
        &mut self,
        now: Instant,
        origin: Origin,
        command: Command<'a>,
    ) -> Result<Reply<'a>, Error> {
        let after = |ttl: Option<Duration>| ttl.map(|ttl| now.after(ttl)).transpose();
        match command {
            Command::Get { key } => {
                let done = self.one(origin, &key, Operation::Get);
                let (node, outcome) = checked(Verb::Get, &key, done)?;
                let value = value_of(outcome).map(|it| it.value);
                Ok(Reply::Value(FoundReply { key, value, node }))
            }
            Command::Put { key, value, ttl } => {
                let operation = Operation::put(&value, after(ttl)?);
                checked(Verb::Put, &key, self.one(origin, &key, operation))?;
                Ok(Reply::StoredOne(key))
            }
            Command::Add { key, value, ttl } => {
                let operation = Operation::add(&value, after(ttl)?);
                let stored = self.applies(Verb::Add, origin, &key, operation)?;
                Ok(Reply::Conditional { key, stored })
            }
            Command::Cas {
                key,
                expected,
                new,
                ttl,
            } => {
                let operation = Operation::cas(&expected, &new, after(ttl)?);
                let stored = self.applies(Verb::Cas, origin, &key, operation)?;
                Ok(Reply::Conditional { key, stored })
            }
            command => self.on_stored(now, origin, command),
        }
    }

    /// Carries out a command that changes what is stored, or looks at it.
    fn on_stored<'a>(
        &mut self,
        now: Instant,
        origin: Origin,
        command: Command<'a>,
    ) -> Result<Reply<'a>, Error> {
        match command {
            Command::Incr { key, delta } => {
                let done = self.one(origin, &key, Operation::Incr { delta });
                let (node, outcome) = checked(Verb::Incr, &key, done)?;
                let value = match outcome {
                    Outcome::Number(sum) => Some(sum.to_string().into_bytes().into()),
                    _ => None,
                };
                Ok(Reply::Value(FoundReply { key, value, node }))
            }
            Command::Expire { key, ttl } => {
                let deadline = Some(now.after(ttl)?);
                let operation = Operation::SetDeadline { deadline };
                let changed = self.applies(Verb::Expire, origin, &key, operation)?;
                Ok(Reply::Changed { key, changed })
            }
            Command::Persist { key } => {
                let operation = Operation::SetDeadline { deadline: None };
                let changed = self.applies(Verb::Persist, origin, &key, operation)?;
                Ok(Reply::Changed { key, changed })
            }
            Command::Ttl { key } => self.ttl(key),
            Command::Exists { keys } => self.existing(&keys),
            command => self.on_several_keys(now, origin, command),
        }
    }

    /// Carries out an operation on a condition: whether it was done.
    fn applies(
        &mut self,
        verb: Verb,
        origin: Origin,
        key: &[u8],
        operation: Operation<&[u8]>,
    ) -> Result<bool, Error> {
        let done = self.one(origin, key, operation);
        checked(verb, key, done).map(applied)
    }

    fn on_several_keys<'a>(
        &mut self,
        now: Instant,
        origin: Origin,
        command: Command<'a>,
    ) -> Result<Reply<'a>, Error> {
        match command {
            Command::MGet { keys } => {
                let operations = keys.iter().map(|key| (&**key, Operation::Get));
                let done = self.carry_out(origin.client, &operations.collect::<Vec<_>>());
                let read = |(node, outcome)| (node, value_of(outcome).map(|it| it.value));
                Ok(Reply::Values(each(Verb::MGet, keys, done, read)))
            }
            Command::MSet { pairs, ttl } => {
                let deadline = ttl.map(|ttl| now.after(ttl)).transpose()?;
                let operations = pairs
                    .iter()
                    .map(|(key, value)| (&**key, Operation::put(value, deadline)));
                let done = self.carry_out(origin.client, &operations.collect::<Vec<_>>());
                let keys = pairs.into_iter().map(|(key, _)| key).collect();
                Ok(Reply::Stored(each(Verb::MSet, keys, done, |_| ())))
            }
            Command::Del { keys } => {
                let operations = keys.iter().map(|key| (&**key, Operation::Delete));
                let done = self.carry_out(origin.client, &operations.collect::<Vec<_>>());
                removed(each(Verb::Del, keys, done, applied))
            }
            Command::Fill {
                count,
                size,
                ttl,
                prefix,
            } => {
                if let Some((_, longest)) = ttl {
                    now.after(longest)?;
                }
                let rng = Rng::new(now.as_nanos());
                Ok(self.fill(origin, Filling::new(&prefix, size, count, ttl, rng)))
            }
            Command::Clear => self.clear(now),
            other => unreachable!("{other:?} is no command on keys"),
        }
    }

    fn ttl<'a>(&mut self, key: Bytes<'a>) -> Result<Reply<'a>, Error> {
        let answer = self.look(Verb::Ttl, "PTTL", &key)?;
        let left = match answer.integer() {
            Some(-2) => Left::Absent,
            // A server has the key through the last millisecond.
            Some(millis) if millis >= 0 => {
                let millis = u64::try_from(millis).unwrap_or(0).max(1);
                Left::For(Duration::from_millis(millis))
            }
            _ => Left::Forever,
        };
        Ok(Reply::Ttl { key, left })
    }

    fn existing(&mut self, keys: &[Bytes<'_>]) -> Result<Reply<'static>, Error> {
        let asks = keys
            .iter()
            .map(|key| look("EXISTS", &self.namespace.full(key)));
        let asked = self.client.run(&asks.collect::<Vec<_>>());
        let mut exists = 0;
        for (key, asked) in keys.iter().zip(asked) {
            let answer = answered(Verb::Exists, key, asked)?;
            exists += u64::from(answer.integer() == Some(1));
        }
        let asked = keys.len() as u64;
        Ok(Reply::Existing { exists, asked })
    }

    /// Asks for something of a key that no history records.
    fn look(&mut self, verb: Verb, command: &str, key: &[u8]) -> Result<Answer, Error> {
        let asked = self
            .client
            .run(&[look(command, &self.namespace.full(key))])
            .pop();
        let asked = asked.unwrap_or_else(|| Err(Failed::refused(None, "it was not asked")));
        answered(verb, key, asked)
    }

    fn fill(&mut self, origin: Origin, mut filling: Filling) -> Reply<'static> {
        loop {
            let count = filling.next_chunk(self.times.now(), CHUNK);
            if count == 0 || self.is_stopped() {
                break;
            }
            let operations = (0..count).map(|index| {
                let request = filling.request(index);
                (request.key, request.operation)
            });
            let done = self.carry_out(origin.client, &operations.collect::<Vec<_>>());
            let outcomes = done
                .into_iter()
                .enumerate()
                .map(|(index, done)| checked(Verb::Fill, filling.key(index), done).map(|_| ()));
            for outcome in outcomes.collect::<Vec<_>>() {
                filling.note(outcome);
            }
        }
        filling.reply()
    }

    /// Removes every key, on each primary. The count is that of just before.
    fn clear(&mut self, now: Instant) -> Result<Reply<'static>, Error> {
        if !self.namespace.is_whole() {
            return self.clear_namespace(now);
        }
        let primaries = self.primaries();
        let mut removed = 0;
        for (_, size) in self.client.ask_all(&primaries, &["DBSIZE"]) {
            let size = size.ok().and_then(|it| it.integer()).unwrap_or(0);
            removed += u64::try_from(size).unwrap_or(0);
        }
        let cleared = self.client.ask_all(&primaries, &["FLUSHALL"]);
        self.record.restart(now);
        self.deadlines.clear();
        for (node, answer) in cleared {
            answered(Verb::Clear, b"", answer.map(|answer| (node, answer)))?;
        }
        Ok(Reply::Cleared(removed))
    }

    /// Removes the keys of the session, and no others.
    fn clear_namespace(&mut self, now: Instant) -> Result<Reply<'static>, Error> {
        let mut removed = 0;
        for node in self.primaries() {
            let mut keys = Vec::new();
            let listed = self.scan(node, &mut |key| {
                keys.push(key.to_vec());
                true
            });
            listed.map_err(|failed| error(Verb::Clear, b"", &failed))?;
            for chunk in keys.chunks(CHUNK) {
                let asks = chunk.iter().map(|key| {
                    let key = self.namespace.full(key);
                    Ask::new(&key, vec![b"DEL".to_vec(), key.to_vec()], true)
                });
                let asks: Vec<Ask> = asks.collect();
                for (key, asked) in chunk.iter().zip(self.client.run(&asks)) {
                    let answer = answered(Verb::Clear, key, asked)?;
                    removed += u64::from(answer.integer() == Some(1));
                }
            }
        }
        self.record.restart(now);
        self.deadlines.clear();
        Ok(Reply::Cleared(removed))
    }
}

fn look(command: &str, key: &[u8]) -> Ask {
    Ask::new(key, vec![command.into(), key.to_vec()], false)
}

/// The outcome in an answer.
pub(super) fn understood(operation: &Operation<&[u8]>, asked: Asked) -> Done {
    let (node, answer) = asked?;
    let outcome = outcome(operation, answer);
    outcome
        .map(|it| (node, it))
        .map_err(|why| Failed::refused(Some(node), why))
}

/// The outcome that histories and workloads have for it.
pub(super) fn as_outcome(done: &Done) -> Outcome {
    match done {
        Ok((_, outcome)) => outcome.clone(),
        Err(failed) => {
            let short = Box::new(failed.shortfall());
            if failed.is_unknown {
                Outcome::Unknown(short)
            } else {
                Outcome::Refused(Refusal::Quorum(short))
            }
        }
    }
}

/// The outcome, or the error for the user.
fn checked(verb: Verb, key: &[u8], done: Done) -> Result<(NodeId, Outcome), Error> {
    match done {
        Ok((_, Outcome::Refused(refusal))) => {
            Err(Error::new(ErrorKind::Refused, refusal.to_string()))
        }
        Ok(done) => Ok(done),
        Err(failed) => Err(error(verb, key, &failed)),
    }
}

fn answered(verb: Verb, key: &[u8], asked: Asked) -> Result<Answer, Error> {
    match asked {
        Ok((node, Answer::Error(why))) => Err(error(verb, key, &Failed::refused(Some(node), why))),
        Ok((_, answer)) => Ok(answer),
        Err(failed) => Err(error(verb, key, &failed)),
    }
}

/// `PUT apple: node 1 did not answer in time: it may or may not have been stored`.
pub(super) fn error(verb: Verb, key: &[u8], failed: &Failed) -> Error {
    let done = match verb {
        Verb::Put | Verb::MSet | Verb::Fill | Verb::Add | Verb::Cas => Some("stored"),
        Verb::Del | Verb::Clear => Some("removed"),
        Verb::Incr | Verb::Expire | Verb::Persist => Some("changed"),
        _ => None,
    };
    let (kind, end) = match (done, failed.is_unknown) {
        (Some(done), true) => (
            ErrorKind::Unknown,
            format!(": it may or may not have been {done}"),
        ),
        (Some(done), false) => (ErrorKind::Refused, format!(": nothing was {done}")),
        (None, _) => (ErrorKind::Refused, String::new()),
    };
    let name = catalog::name(verb);
    let of_key = if key.is_empty() {
        String::new()
    } else {
        format!(" {}", Shown(key))
    };
    Error::new(kind, format!("{name}{of_key}: {failed}{end}"))
}

fn each<T>(
    verb: Verb,
    keys: Vec<Bytes<'_>>,
    done: Vec<Done>,
    read: impl Fn((NodeId, Outcome)) -> T,
) -> Keyed<'_, T> {
    let keyed = keys.into_iter().zip(done);
    keyed
        .map(|(key, done)| {
            let checked = checked(verb, &key, done);
            (key, checked.map(&read))
        })
        .collect()
}

/// The only key: the command failed.
fn removed(mut removed: Keyed<'_, bool>) -> Result<Reply<'_>, Error> {
    match removed.pop() {
        Some((_, Err(error))) if removed.is_empty() => Err(error),
        last => {
            removed.extend(last);
            Ok(Reply::Removed(removed))
        }
    }
}

fn applied((_, outcome): (NodeId, Outcome)) -> bool {
    outcome == Outcome::Applied(true)
}

fn value_of(outcome: Outcome) -> Option<Found> {
    match outcome {
        Outcome::Value(found) => found,
        _ => None,
    }
}
