//! Requests whose answers may take time: where keys have replicas, or something is broken.
//!
//! A client is told what is true: that a write is acknowledged, that it was refused and never
//! happens, or that nobody knows. All keys of a command are asked for at once, so that they wait
//! together, and each gets its own answer.

use std::time::Duration;

use super::Session;
use crate::cache::Cache;
use crate::event::Event;
use crate::history::Action;
use crate::id::NodeId;
use crate::language::word::{Bytes, Shown};
use crate::language::{Command, Error, ErrorKind, Heard};
use crate::replica::{Answer, Record, Refusal, RequestId, Shortfall};
use crate::reply::{Found, Keyed, Left, Reply};
use crate::time::{Instant, Waited};

/// The prompt's number among the clients in the history.
const PROMPT: u32 = 0;
/// How many keys are asked for at once.
const AT_ONCE: usize = 1000;

type OnEvent<'e> = &'e mut dyn FnMut(&Event);

/// What is asked, for messages: the command, and what then was or was not done. A read does
/// nothing.
#[derive(Clone, Copy)]
struct Errand {
    name: &'static str,
    done: Option<&'static str>,
}

const fn write(name: &'static str, done: &'static str) -> Errand {
    let done = Some(done);
    Errand { name, done }
}

const fn read(name: &'static str) -> Errand {
    Errand { name, done: None }
}

/// An action, or a look that counts as none.
enum Ask {
    Act(Action),
    Look,
}

/// Whether a command asks the owners of keys for something.
pub(super) fn may_wait(command: &Command<'_>) -> bool {
    matches!(
        command,
        Command::Put { .. }
            | Command::Get { .. }
            | Command::Del { .. }
            | Command::MGet { .. }
            | Command::MSet { .. }
            | Command::Add { .. }
            | Command::Cas { .. }
            | Command::Incr { .. }
            | Command::Ttl { .. }
            | Command::Expire { .. }
            | Command::Persist { .. }
            | Command::Exists { .. }
            | Command::Clear
    )
}

impl Session {
    /// Carries out a command that may have to wait for its answer.
    pub(super) fn execute_by_message<'a>(
        &mut self,
        now: Instant,
        command: Command<'a>,
        on_event: OnEvent<'_>,
    ) -> Result<Reply<'a>, Error> {
        match command {
            Command::Put { key, value, ttl } => {
                let action = Action::put(&value, self.deadline(now, ttl)?);
                self.cluster.check(&key, &value)?;
                self.act(now, write("PUT", "stored"), &key, action, on_event)?;
                Ok(Reply::StoredOne(key))
            }
            Command::Get { key } => {
                let (node, answer) = self.act(now, read("GET"), &key, Action::Get, on_event)?;
                let value = value(answer);
                Ok(Reply::Value(Found { key, value, node }))
            }
            Command::Del { keys } => self.del(now, keys, on_event),
            Command::MGet { keys } => self.mget(now, keys, on_event),
            Command::MSet { pairs, ttl } => self.mset(now, pairs, ttl, on_event),
            Command::Add { key, value, ttl } => {
                let action = Action::add(&value, self.deadline(now, ttl)?);
                self.cluster.check(&key, &value)?;
                self.conditional(now, "ADD", key, action, on_event)
            }
            Command::Cas {
                key,
                expected,
                new,
                ttl,
            } => {
                let action = Action::cas(&expected, &new, self.deadline(now, ttl)?);
                self.cluster.check(&key, &new)?;
                self.conditional(now, "CAS", key, action, on_event)
            }
            Command::Incr { key, delta } => self.incr(now, key, delta, on_event),
            Command::Ttl { key } => {
                let left = self.look(now, "TTL", &key, on_event)?;
                Ok(Reply::Ttl { key, left })
            }
            Command::Expire { key, ttl } => {
                let deadline = self.deadline(now, Some(ttl))?;
                self.set_deadline(now, "EXPIRE", key, deadline, on_event)
            }
            Command::Persist { key } => match self.look(now, "PERSIST", &key, on_event)? {
                Left::For(_) => {
                    let now = self.now();
                    self.set_deadline(now, "PERSIST", key, None, on_event)
                }
                Left::Absent | Left::Forever => Ok(Reply::Changed {
                    key,
                    changed: false,
                }),
            },
            Command::Exists { keys } => self.exists(now, &keys, on_event),
            Command::Clear => self.clear(now, on_event),
            other => unreachable!("{other:?} waits for nobody"),
        }
    }

    fn conditional<'a>(
        &mut self,
        now: Instant,
        name: &'static str,
        key: Bytes<'a>,
        action: Action,
        on_event: OnEvent<'_>,
    ) -> Result<Reply<'a>, Error> {
        let (_, answer) = self.act(now, write(name, "stored"), &key, action, on_event)?;
        let stored = answer == Answer::Applied(true);
        Ok(Reply::Conditional { key, stored })
    }

    fn incr<'a>(
        &mut self,
        now: Instant,
        key: Bytes<'a>,
        delta: i64,
        on_event: OnEvent<'_>,
    ) -> Result<Reply<'a>, Error> {
        let errand = write("INCR", "changed");
        let (node, answer) = self.act(now, errand, &key, Action::Incr { delta }, on_event)?;
        let value = match answer {
            Answer::Number(sum) => Some(sum.to_string().into_bytes()),
            _ => None,
        };
        Ok(Reply::Value(Found { key, value, node }))
    }

    fn set_deadline<'a>(
        &mut self,
        now: Instant,
        name: &'static str,
        key: Bytes<'a>,
        deadline: Option<Instant>,
        on_event: OnEvent<'_>,
    ) -> Result<Reply<'a>, Error> {
        let action = Action::SetDeadline { deadline };
        let (_, answer) = self.act(now, write(name, "changed"), &key, action, on_event)?;
        let changed = answer == Answer::Applied(true);
        Ok(Reply::Changed { key, changed })
    }

    /// How long a key has left when that is known.
    fn look(
        &mut self,
        now: Instant,
        name: &'static str,
        key: &[u8],
        on_event: OnEvent<'_>,
    ) -> Result<Left, Error> {
        let (_, answer) = self.one(now, read(name), key, Ask::Look, on_event)?;
        let now = self.now();
        Ok(
            record(answer).map_or(Left::Absent, |record| match record.deadline {
                None => Left::Forever,
                Some(deadline) => Left::For(deadline.since(now)),
            }),
        )
    }

    fn del<'a>(
        &mut self,
        now: Instant,
        keys: Vec<Bytes<'a>>,
        on_event: OnEvent<'_>,
    ) -> Result<Reply<'a>, Error> {
        let errand = write("DEL", "removed");
        let delete = |_| Ask::Act(Action::Delete);
        let answers = self.all(now, errand, keys, delete, on_event)?;
        let mut removed = each(answers, |(_, answer)| answer == Answer::Applied(true));
        match removed.pop() {
            // The only key: the command failed.
            Some((_, Err(error))) if removed.is_empty() => Err(error),
            last => {
                removed.extend(last);
                Ok(Reply::Removed(removed))
            }
        }
    }

    fn mget<'a>(
        &mut self,
        now: Instant,
        keys: Vec<Bytes<'a>>,
        on_event: OnEvent<'_>,
    ) -> Result<Reply<'a>, Error> {
        let get = |_| Ask::Act(Action::Get);
        let answers = self.all(now, read("MGET"), keys, get, on_event)?;
        let found = |(node, answer)| (node, value(answer));
        Ok(Reply::Values(each(answers, found)))
    }

    fn mset<'a>(
        &mut self,
        now: Instant,
        pairs: Vec<(Bytes<'a>, Bytes<'a>)>,
        ttl: Option<Duration>,
        on_event: OnEvent<'_>,
    ) -> Result<Reply<'a>, Error> {
        let deadline = self.deadline(now, ttl)?;
        for (key, value) in &pairs {
            self.cluster.check(key, value)?;
        }
        let (keys, values): (Vec<Bytes<'a>>, Vec<Bytes<'a>>) = pairs.into_iter().unzip();
        let put = |at: usize| Ask::Act(Action::put(&values[at], deadline));
        let answers = self.all(now, write("MSET", "stored"), keys, put, on_event)?;
        Ok(Reply::Stored(each(answers, |_| ())))
    }

    fn exists(
        &mut self,
        now: Instant,
        keys: &[Bytes<'_>],
        on_event: OnEvent<'_>,
    ) -> Result<Reply<'static>, Error> {
        let asked = keys.len() as u64;
        let answers = self.all(now, read("EXISTS"), keys.to_vec(), |_| Ask::Look, on_event)?;
        let mut exists = 0;
        for (_, answer) in answers {
            exists += u64::from(record(answer?.1).is_some());
        }
        Ok(Reply::Existing { exists, asked })
    }

    /// Removes every key that the nodes which are up hold.
    fn clear(&mut self, now: Instant, on_event: OnEvent<'_>) -> Result<Reply<'static>, Error> {
        let keys = self.cluster.keys(now, None, |_| true);
        let keys: Vec<Bytes<'_>> = keys.into_iter().map(Bytes::from).collect();
        let errand = write("CLEAR", "removed");
        let delete = |_| Ask::Act(Action::Delete);
        let mut removed = 0;
        for (_, answer) in self.all(now, errand, keys, delete, on_event)? {
            removed += u64::from(answer?.1 == Answer::Applied(true));
        }
        Ok(Reply::Cleared(removed))
    }

    fn act(
        &mut self,
        now: Instant,
        errand: Errand,
        key: &[u8],
        action: Action,
        on_event: OnEvent<'_>,
    ) -> Result<(NodeId, Answer), Error> {
        self.one(now, errand, key, Ask::Act(action), on_event)
    }

    fn one(
        &mut self,
        now: Instant,
        errand: Errand,
        key: &[u8],
        ask: Ask,
        on_event: OnEvent<'_>,
    ) -> Result<(NodeId, Answer), Error> {
        let id = self.begin(now, key, ask);
        let mut answers = self.wait_for(&[id], on_event);
        let answer = answers.pop().flatten();
        errand.judge(key, answer.ok_or_else(|| errand.interrupted())?)
    }

    /// Asks for all keys at once, as far as that goes, and waits for all of them.
    fn all<'a>(
        &mut self,
        mut now: Instant,
        errand: Errand,
        keys: Vec<Bytes<'a>>,
        ask: impl Fn(usize) -> Ask,
        on_event: OnEvent<'_>,
    ) -> Result<Keyed<'a, (NodeId, Answer)>, Error> {
        let mut answers = Vec::with_capacity(keys.len());
        for (part, some) in keys.chunks(AT_ONCE).enumerate() {
            let places = part * AT_ONCE..;
            let asked = some.iter().zip(places);
            let ids: Vec<RequestId> = asked
                .map(|(key, at)| self.begin(now, key, ask(at)))
                .collect();
            answers.extend(self.wait_for(&ids, on_event));
            now = self.now();
        }
        let answers: Option<Vec<_>> = answers.into_iter().collect();
        let answers = answers.ok_or_else(|| errand.interrupted())?.into_iter();
        let keyed = keys.into_iter().zip(answers).map(|(key, answer)| {
            let answer = errand.judge(&key, answer);
            (key, answer)
        });
        Ok(keyed.collect())
    }

    fn begin(&mut self, now: Instant, key: &[u8], ask: Ask) -> RequestId {
        match ask {
            Ask::Act(action) => self.cluster.ask(now, PROMPT, None, key, action),
            Ask::Look => self.cluster.ask_quietly(now, key),
        }
    }

    /// Lets time pass until all have their answers; `None` for those that Ctrl-C has cut off.
    fn wait_for(
        &mut self,
        ids: &[RequestId],
        on_event: OnEvent<'_>,
    ) -> Vec<Option<(NodeId, Answer)>> {
        let mut answers: Vec<_> = ids.iter().map(|&id| self.cluster.answer(id)).collect();
        while answers.contains(&None) {
            let next = self.cluster.next_deadline();
            // Somebody always gives up at some time.
            let waited = next.map(|next| self.clock.wait_until(next));
            let now = self.now();
            if waited != Some(Waited::Reached) {
                for &id in ids {
                    self.cluster.abandon(now, id);
                }
                return answers;
            }
            self.tick(now, &mut *on_event);
            for (&id, answer) in ids.iter().zip(&mut answers) {
                if answer.is_none() {
                    *answer = self.cluster.answer(id);
                }
            }
        }
        answers
    }
}

impl Errand {
    /// What a client is told.
    fn judge(
        self,
        key: &[u8],
        (node, answer): (NodeId, Answer),
    ) -> Result<(NodeId, Answer), Error> {
        match (answer, self.done) {
            (Answer::Refused(Refusal::Quorum(short)), Some(done)) => {
                let end = format!(": nothing was {done}");
                Err(self.failure(ErrorKind::Refused, key, short, &end))
            }
            (Answer::Unknown(short), Some(done)) => {
                let end = format!(": it may or may not have been {done}");
                Err(self.failure(ErrorKind::Unknown, key, short, &end))
            }
            (Answer::Refused(Refusal::Quorum(short)) | Answer::Unknown(short), None) => {
                let end = ": what it holds is not known";
                Err(self.failure(ErrorKind::Refused, key, short, end))
            }
            (Answer::Refused(refusal), _) => {
                Err(Error::new(ErrorKind::Refused, refusal.to_string()))
            }
            (answer, _) => Ok((node, answer)),
        }
    }

    fn failure(self, kind: ErrorKind, key: &[u8], short: Shortfall, end: &str) -> Error {
        let (name, shown) = (self.name, Shown(key));
        let message = format!("{name} {shown}: {}{end}", who(&short));
        Error::new(kind, message).because_of(Heard {
            answered: short.answered,
            missing: short.missing,
        })
    }

    fn interrupted(self) -> Error {
        let message = match self.done {
            Some(_) => "interrupted: it may or may not have been done",
            None => "interrupted",
        };
        Error::new(ErrorKind::Interrupted, message)
    }
}

/// Who answered, and who did not.
fn who(short: &Shortfall) -> String {
    let owner = if short.before {
        "owner before the move"
    } else {
        "owner"
    };
    let owners = owner.replacen("owner", "owners", 1);
    match (short.answered.len(), short.missing.as_slice()) {
        (0, []) => "its owners did not agree".into(),
        (0, [one]) => format!("its {owner}, server {one}, did not answer"),
        (0, missing) => format!("none of its {owners} answered ({})", servers(missing)),
        (answered, missing) => format!(
            "only {answered} of the {} {owners} needed answered ({}); {} did not",
            short.needed,
            servers(&short.answered),
            servers(missing)
        ),
    }
}

fn servers(nodes: &[NodeId]) -> String {
    let s = if nodes.len() == 1 { "" } else { "s" };
    let nodes: Vec<String> = nodes.iter().map(ToString::to_string).collect();
    format!("server{s} {}", nodes.join(", "))
}

fn each<T>(
    answers: Keyed<'_, (NodeId, Answer)>,
    read: impl Fn((NodeId, Answer)) -> T,
) -> Keyed<'_, T> {
    let answers = answers.into_iter();
    answers
        .map(|(key, answer)| (key, answer.map(&read)))
        .collect()
}

fn record(answer: Answer) -> Option<Record> {
    match answer {
        Answer::Value(record) => record.filter(|record| record.value.is_some()),
        _ => None,
    }
}

fn value(answer: Answer) -> Option<Vec<u8>> {
    Some(record(answer)?.value?.to_vec())
}
