//! Commands on keys. Each becomes requests, one a key; the command waits until all have their
//! outcomes, and each key gets its own.

use std::collections::VecDeque;

use super::backend::{Origin, Progress};
use super::errors::Context;
use super::filling::Filling;
use super::simulated::SimulatedCluster;
use crate::cluster::{Cluster, Request, Started, Ticket, TooManyRequests};
use crate::id::NodeId;
use crate::language::catalog::Verb;
use crate::language::word::Bytes;
use crate::language::{Command, Error, ErrorKind};
use crate::operation::{Found, Operation, Outcome};
use crate::reply::{Found as FoundReply, Keyed, Left, Reply};
use crate::rng::Rng;
use crate::time::Instant;

/// How many requests of a command are in flight at once.
const AT_ONCE: usize = 1000;

/// A command that waits for the outcomes of its requests.
pub struct Waiting<'a> {
    command: Command<'a>,
    origin: Origin,
    deadline: Option<Instant>,
    /// How many requests it takes, and how many were submitted.
    count: usize,
    submitted: usize,
    /// The requests in flight.
    tickets: VecDeque<(usize, Ticket)>,
    outcomes: Vec<Option<(NodeId, Outcome)>>,
    /// The keys that CLEAR removes.
    cleared: Vec<Vec<u8>>,
    /// The keys that FILL stores.
    filling: Option<Box<Filling>>,
    /// Whether PERSIST has seen a deadline, and now takes it away.
    persists: bool,
}

/// Whether a command asks the owners of keys for something.
#[inline]
#[must_use]
pub fn is_on_keys(command: &Command<'_>) -> bool {
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
            | Command::Fill { .. }
            | Command::Clear
    )
}

impl SimulatedCluster {
    /// Starts a command on keys.
    #[inline]
    pub(super) fn begin_on_keys<'a>(
        &mut self,
        now: Instant,
        origin: Origin,
        command: Command<'a>,
    ) -> Result<Progress<'a>, Error> {
        if let Some(node) = origin.via {
            self.check_node(Some(node))?;
        }
        let deadline = self.deadline(now, &command)?;
        if let Some(key) = command.single_key() {
            let request = request(&command, 0, key, deadline, false).of(origin.client);
            return match self.start(now, &request.via(origin.via))? {
                Ok(outcome) if !matches!(command, Command::Persist { .. }) => {
                    self.changes.note(&command, key, &outcome.1);
                    reply_to_one(&self.cluster, now, command, outcome).map(Progress::Done)
                }
                started => self.resume_on_keys(now, Waiting::one(command, origin, started)),
            };
        }
        let mut waiting = Waiting::many(command, origin, deadline);
        if matches!(waiting.command, Command::Clear) {
            if let Some(removed) = self.cluster.clear_at_once(now) {
                return Ok(Progress::Done(Reply::Cleared(removed)));
            }
            waiting.cleared = self.cluster.keys(now, None, |_| true);
            waiting.count = waiting.cleared.len();
        }
        self.check_sizes(&waiting.command)?;
        waiting.filling = self.filling(now, &waiting.command)?;
        self.resume_on_keys(now, waiting)
    }

    /// Submits a request: its outcome if that is known at once, otherwise its ticket.
    #[inline]
    fn start(
        &mut self,
        now: Instant,
        request: &Request<'_>,
    ) -> Result<Result<(NodeId, Outcome), Ticket>, TooManyRequests> {
        Ok(match self.cluster.start_request(now, request)? {
            Started::Completed(node, outcome) => Ok((node, outcome)),
            Started::InFlight(ticket) => self.take(ticket).ok_or(ticket),
        })
    }

    /// MSET stores nothing if one of its pairs is out of bounds.
    fn check_sizes(&self, command: &Command<'_>) -> Result<(), Error> {
        if let Command::MSet { pairs, .. } = command {
            for (key, value) in pairs {
                self.cluster.check(key, value)?;
            }
        }
        Ok(())
    }

    /// The keys that FILL stores. Nothing is stored if no value of this size may be.
    fn filling(
        &mut self,
        now: Instant,
        command: &Command<'_>,
    ) -> Result<Option<Box<Filling>>, Error> {
        let Command::Fill {
            count,
            size,
            ttl,
            prefix,
        } = command
        else {
            return Ok(None);
        };
        if let Some((_, longest)) = ttl {
            now.after(*longest)?;
            self.is_timed = true;
        }
        let rng = Rng::new(self.cluster.config().seed ^ now.as_nanos());
        Ok(Some(Box::new(Filling::new(
            prefix, *size, *count, *ttl, rng,
        ))))
    }

    /// If all keys of a chunk of FILL have their outcomes, makes the next one. Returns whether there is
    /// one.
    fn fill_on(&mut self, now: Instant, waiting: &mut Waiting<'_>) -> bool {
        let is_over = waiting.tickets.is_empty() && waiting.submitted == waiting.count;
        let Some(filling) = waiting.filling.as_mut().filter(|_| is_over) else {
            return false;
        };
        for (index, outcome) in waiting.outcomes.drain(..).flatten().enumerate() {
            let key = filling.key(index);
            self.changes.note(&waiting.command, key, &outcome.1);
            let outcome = Context(Verb::Fill).check(&self.cluster, key, outcome);
            filling.note(outcome.map(|_| ()));
        }
        waiting.count = filling.next_chunk(now, AT_ONCE);
        waiting.submitted = 0;
        waiting.count > 0
    }

    /// Goes on with a command on keys: takes the outcomes that are known, and submits more.
    pub(super) fn resume_on_keys<'a>(
        &mut self,
        now: Instant,
        mut waiting: Waiting<'a>,
    ) -> Result<Progress<'a>, Error> {
        loop {
            self.collect(&mut waiting);
            if waiting.wants_to_persist() {
                waiting.persists = true;
                waiting.submitted = 0;
                waiting.outcomes.clear();
            }
            if self.fill_on(now, &mut waiting) {
                continue;
            }
            if waiting.submitted == waiting.count || waiting.tickets.len() >= AT_ONCE {
                break;
            }
            if !self.submit_some(now, &mut waiting)? {
                break;
            }
        }
        if waiting.tickets.is_empty() && waiting.submitted == waiting.count {
            for (index, outcome) in waiting.outcomes.iter().enumerate() {
                if let Some((_, outcome)) = outcome {
                    self.changes
                        .note(&waiting.command, waiting.key(index), outcome);
                }
            }
            return waiting.reply(&self.cluster, now).map(Progress::Done);
        }
        Ok(Progress::Waiting(Box::new(waiting)))
    }

    /// Submits requests of a command. Returns `false` if there is no room for all of them now.
    ///
    /// # Errors
    /// If there is no room for the first request of the command: nothing was submitted.
    fn submit_some(&mut self, now: Instant, waiting: &mut Waiting<'_>) -> Result<bool, Error> {
        let room = AT_ONCE - waiting.tickets.len();
        let end = waiting.count.min(waiting.submitted + room);
        for index in waiting.submitted..end {
            if index % crate::cluster::AHEAD == 0 {
                let ahead = index..end.min(index + crate::cluster::AHEAD);
                self.cluster
                    .look_ahead(ahead.map(|index| waiting.key(index)));
            }
            let request = waiting
                .request(index)
                .of(waiting.origin.client)
                .via(waiting.origin.via);
            let started = match self.start(now, &request) {
                Ok(started) => started,
                Err(error) if waiting.has_not_begun() => return Err(error.into()),
                Err(TooManyRequests) => return Ok(false),
            };
            waiting.submitted += 1;
            if let Err(ticket) = started {
                waiting.tickets.push_back((index, ticket));
            }
            waiting.outcomes.push(started.ok());
        }
        Ok(true)
    }

    fn collect(&mut self, waiting: &mut Waiting<'_>) {
        if waiting.tickets.is_empty() {
            return;
        }
        let outcomes = &mut waiting.outcomes;
        waiting.tickets.retain(|&(index, ticket)| {
            let outcome = self.take(ticket);
            let is_known = outcome.is_some();
            if is_known {
                outcomes[index] = outcome;
            }
            !is_known
        });
    }

    pub(super) fn abandon_on_keys(&mut self, now: Instant, waiting: &Waiting<'_>) {
        for &(_, ticket) in &waiting.tickets {
            self.cluster.abandon(now, ticket);
        }
    }

    /// The deadline that a command sets. From the first one on the clock stays the same.
    #[inline]
    fn deadline(&mut self, now: Instant, command: &Command<'_>) -> Result<Option<Instant>, Error> {
        let ttl = match command {
            Command::Put { ttl, .. }
            | Command::MSet { ttl, .. }
            | Command::Add { ttl, .. }
            | Command::Cas { ttl, .. } => *ttl,
            Command::Expire { ttl, .. } => Some(*ttl),
            _ => None,
        };
        let Some(ttl) = ttl else {
            return Ok(None);
        };
        let deadline = now.after(ttl)?;
        self.is_timed = true;
        Ok(Some(deadline))
    }
}

/// The request of a command for the key at `index`.
#[inline]
fn request<'c>(
    command: &'c Command<'_>,
    index: usize,
    key: &'c [u8],
    deadline: Option<Instant>,
    persists: bool,
) -> Request<'c> {
    let operation = match command {
        Command::Put { value, .. } => Operation::Put {
            value: &**value,
            deadline,
        },
        Command::MSet { pairs, .. } => Operation::Put {
            value: &*pairs[index].1,
            deadline,
        },
        Command::Add { value, .. } => Operation::Add {
            value: &**value,
            deadline,
        },
        Command::Cas { expected, new, .. } => Operation::Cas {
            expected: &**expected,
            new: &**new,
            deadline,
        },
        Command::Incr { delta, .. } => Operation::Incr { delta: *delta },
        Command::Expire { .. } => Operation::SetDeadline { deadline },
        Command::Persist { .. } if persists => Operation::SetDeadline { deadline: None },
        Command::Del { .. } | Command::Clear => Operation::Delete,
        Command::Ttl { .. } | Command::Persist { .. } | Command::Exists { .. } => {
            return Request::look(key);
        }
        _ => Operation::Get,
    };
    Request::new(key, operation)
}

impl<'a> Waiting<'a> {
    /// Whether the command changes keys, and does not only read them.
    pub(super) fn changes_keys(&self) -> bool {
        !matches!(
            self.command,
            Command::Get { .. }
                | Command::MGet { .. }
                | Command::Ttl { .. }
                | Command::Exists { .. }
        )
    }

    /// A command with one request: its outcome, or its ticket.
    fn one(
        command: Command<'a>,
        origin: Origin,
        request: Result<(NodeId, Outcome), Ticket>,
    ) -> Self {
        let tickets = request.as_ref().err().map(|ticket| (0, *ticket));
        Self {
            command,
            origin,
            deadline: None,
            count: 1,
            submitted: 1,
            tickets: tickets.into_iter().collect(),
            outcomes: vec![request.ok()],
            cleared: Vec::new(),
            filling: None,
            persists: false,
        }
    }

    fn many(command: Command<'a>, origin: Origin, deadline: Option<Instant>) -> Self {
        let count = match &command {
            Command::Del { keys } | Command::MGet { keys } | Command::Exists { keys } => keys.len(),
            Command::MSet { pairs, .. } => pairs.len(),
            _ => 0,
        };
        Self {
            command,
            origin,
            deadline,
            count,
            submitted: 0,
            tickets: VecDeque::new(),
            outcomes: Vec::with_capacity(count),
            cleared: Vec::new(),
            filling: None,
            persists: false,
        }
    }

    /// Whether no request was submitted.
    fn has_not_begun(&self) -> bool {
        let is_later = |it: &Filling| it.stored + it.failed > 0;
        self.submitted == 0 && !self.filling.as_deref().is_some_and(is_later)
    }

    /// The request for the key at `index`.
    fn request(&self, index: usize) -> Request<'_> {
        if let Some(filling) = &self.filling {
            return filling.request(index);
        }
        let key = self.key(index);
        request(&self.command, index, key, self.deadline, self.persists)
    }

    fn key(&self, index: usize) -> &[u8] {
        match &self.command {
            Command::Del { keys } | Command::MGet { keys } | Command::Exists { keys } => {
                &keys[index]
            }
            Command::MSet { pairs, .. } => &pairs[index].0,
            Command::Clear => &self.cleared[index],
            Command::Fill { .. } => self.filling.as_ref().map_or(b"", |it| it.key(index)),
            command => command.single_key().unwrap_or_default(),
        }
    }

    /// Whether PERSIST has found a deadline.
    fn wants_to_persist(&self) -> bool {
        let has_deadline = |outcome: &(NodeId, Outcome)| matches!(&outcome.1, Outcome::Value(Some(found)) if found.deadline.is_some());
        let is_persist = matches!(self.command, Command::Persist { .. }) && !self.persists;
        is_persist && matches!(self.outcomes.as_slice(), [Some(outcome)] if has_deadline(outcome))
    }

    /// The reply, when every request has its outcome.
    fn reply(self, cluster: &Cluster, now: Instant) -> Result<Reply<'a>, Error> {
        let outcomes: Vec<(NodeId, Outcome)> = self.outcomes.into_iter().flatten().collect();
        match self.command {
            Command::Del { keys } => removed(each(
                cluster,
                Context(Verb::Del),
                keys,
                outcomes,
                |_, it| it == Outcome::Applied(true),
            )),
            Command::MGet { keys } => Ok(Reply::Values(each(
                cluster,
                Context(Verb::MGet),
                keys,
                outcomes,
                |node, it| (node, found(it).map(|it| it.value)),
            ))),
            Command::MSet { pairs, .. } => {
                let keys = pairs.into_iter().map(|(key, _)| key).collect();
                Ok(Reply::Stored(each(
                    cluster,
                    Context(Verb::MSet),
                    keys,
                    outcomes,
                    |_, _| (),
                )))
            }
            Command::Exists { keys } => {
                let asked = keys.len() as u64;
                let mut exists = 0;
                for (_, found) in each(cluster, Context(Verb::Exists), keys, outcomes, |_, it| {
                    found(it)
                }) {
                    exists += u64::from(found?.is_some());
                }
                Ok(Reply::Existing { exists, asked })
            }
            Command::Clear => cleared(cluster, self.cleared, outcomes),
            Command::Fill { .. } => Ok(self.filling.map_or(Reply::Done, |it| it.reply())),
            command => {
                let (node, outcome) = outcomes.into_iter().next().ok_or_else(super::interrupted)?;
                let outcome = match (&command, self.persists) {
                    (Command::Persist { .. }, false) if outcome.is_certain() => {
                        Outcome::Applied(false)
                    }
                    _ => outcome,
                };
                reply_to_one(cluster, now, command, (node, outcome))
            }
        }
    }
}

/// The reply to CLEAR. It is refused only if no key was removed; otherwise the error says how many
/// were.
fn cleared(
    cluster: &Cluster,
    keys: Vec<Vec<u8>>,
    outcomes: Vec<(NodeId, Outcome)>,
) -> Result<Reply<'static>, Error> {
    let keys: Vec<Bytes<'_>> = keys.into_iter().map(Bytes::from).collect();
    let all = keys.len();
    let outcomes = each(cluster, Context(Verb::Clear), keys, outcomes, |_, it| {
        it == Outcome::Applied(true)
    });
    let (mut removed, mut errors) = (0, Vec::new());
    for (_, outcome) in outcomes {
        match outcome {
            Ok(was_there) => removed += u64::from(was_there),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        return Ok(Reply::Cleared(removed));
    }
    Err(partly_cleared(removed, all, errors))
}

/// The error of a CLEAR that failed for some keys: that of the first, and how many there are.
fn partly_cleared(removed: u64, all: usize, errors: Vec<Error>) -> Error {
    let is_unknown = errors.iter().any(|it| it.kind == ErrorKind::Unknown);
    let more = match errors.len() - 1 {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let first = errors.into_iter().next();
    let mut error = first.unwrap_or_else(super::interrupted);
    if all > 1 {
        let message = &error.message;
        error.message =
            format!("CLEAR has removed {removed} of {all} keys for certain; {message}{more}");
    }
    if removed > 0 || is_unknown {
        error.kind = ErrorKind::Unknown;
    }
    error
}

fn removed(mut removed: Keyed<'_, bool>) -> Result<Reply<'_>, Error> {
    match removed.pop() {
        // The only key: the command failed.
        Some((_, Err(error))) if removed.is_empty() => Err(error),
        last => {
            removed.extend(last);
            Ok(Reply::Removed(removed))
        }
    }
}

/// The reply to a command on one key.
#[inline]
fn reply_to_one<'a>(
    cluster: &Cluster,
    now: Instant,
    command: Command<'a>,
    (node, outcome): (NodeId, Outcome),
) -> Result<Reply<'a>, Error> {
    let applied = |outcome: &Outcome| *outcome == Outcome::Applied(true);
    Ok(match command {
        Command::Get { key } => {
            let outcome = Context(Verb::Get).check(cluster, &key, (node, outcome))?;
            let value = found(outcome).map(|it| it.value);
            Reply::Value(FoundReply { key, value, node })
        }
        Command::Put { key, .. } => {
            Context(Verb::Put).check(cluster, &key, (node, outcome))?;
            Reply::StoredOne(key)
        }
        Command::Add { key, .. } => {
            let stored = applied(&Context(Verb::Add).check(cluster, &key, (node, outcome))?);
            Reply::Conditional { key, stored }
        }
        Command::Cas { key, .. } => {
            let stored = applied(&Context(Verb::Cas).check(cluster, &key, (node, outcome))?);
            Reply::Conditional { key, stored }
        }
        Command::Incr { key, .. } => {
            let value = match Context(Verb::Incr).check(cluster, &key, (node, outcome))? {
                Outcome::Number(sum) => Some(sum.to_string().into_bytes().into()),
                _ => None,
            };
            Reply::Value(FoundReply { key, value, node })
        }
        Command::Ttl { key } => {
            let found = found(Context(Verb::Ttl).check(cluster, &key, (node, outcome))?);
            let left = found.map_or(Left::Absent, |found| match found.deadline {
                None => Left::Forever,
                Some(deadline) => Left::For(deadline.saturating_duration_since(now)),
            });
            Reply::Ttl { key, left }
        }
        Command::Expire { key, .. } => {
            let changed = applied(&Context(Verb::Expire).check(cluster, &key, (node, outcome))?);
            Reply::Changed { key, changed }
        }
        Command::Persist { key } => {
            let changed = applied(&Context(Verb::Persist).check(cluster, &key, (node, outcome))?);
            Reply::Changed { key, changed }
        }
        other => unreachable!("{other:?} is no command on one key"),
    })
}

/// What became of each key.
fn each<'a, T>(
    cluster: &Cluster,
    context: Context,
    keys: Vec<Bytes<'a>>,
    outcomes: Vec<(NodeId, Outcome)>,
    read: impl Fn(NodeId, Outcome) -> T,
) -> Keyed<'a, T> {
    let keyed = keys.into_iter().zip(outcomes);
    keyed
        .map(|(key, (node, outcome))| {
            let checked = context.check(cluster, &key, (node, outcome));
            (key, checked.map(|outcome| read(node, outcome)))
        })
        .collect()
}

#[inline]
fn found(outcome: Outcome) -> Option<Found> {
    match outcome {
        Outcome::Value(found) => found,
        _ => None,
    }
}
