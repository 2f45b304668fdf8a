//! Commands that are carried out directly: reads and writes of strings while nothing is disturbed.
//!
//! They are most commands by far. They are carried out from the bytes that came, and a value is written
//! from where it lies in the store: nothing is copied or allocated for a command. Commands that follow each
//! other are collected first, so that the look-ups of their keys overlap.
//!
//! The law: replies, and what is left behind, are those of the general path (`dispatch::run`). A command
//! that is not certain to be the same there is not carried out here. A test sends random commands both
//! ways.

use std::ops::Range;
use std::time::Duration;

use super::client::{Client, End, Replies};
use super::hub::Hub;
use super::measures::{Counts, DIRECT, Measures};
use super::settings::OUTPUT_PAUSE;
use crate::cluster::{AHEAD, Cluster, Place, Request};
use crate::operation::{CountError, Operation, Outcome, Refusal, number};
use crate::placement::slot_of;
use crate::resp::Args;
use crate::resp::commands::{Hash, is};
use crate::resp::value::{Failure, Value};
use crate::time::Instant;

/// No more commands are collected when they have this many keys.
const KEYS: usize = 2 * AHEAD;
/// A command with more keys is not direct.
const MOST_KEYS: usize = 1024;
/// A TTL with more digits is not direct: it may be out of range.
const TTL_DIGITS: usize = 9;

/// What a direct command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    /// GET.
    Read,
    /// MGET.
    ReadAll,
    /// SET, with a deadline.
    Store(Option<Instant>),
    /// MSET.
    StoreAll,
    /// DEL, UNLINK.
    Remove,
    /// INCR, DECR, INCRBY.
    Add(i64),
}

impl Action {
    /// The action of a request, with the place of the command in [`DIRECT`]. The number of arguments is
    /// right.
    fn of(args: Args<'_>, now: Instant) -> Option<(Self, usize)> {
        let name = args.get(0)?;
        let has = |word: &str| is(name, word);
        Some(match (name.len(), args.len()) {
            (3, 2) if has("get") => (Self::Read, 0),
            (3, 3) if has("set") => (Self::Store(None), 1),
            (3, 5) if has("set") => (Self::Store(Some(deadline(&args[3], &args[4], now)?)), 1),
            (4, 2..) if has("mget") => (Self::ReadAll, 2),
            (4, 3..) if has("mset") && args.len() % 2 == 1 => (Self::StoreAll, 3),
            (3, 2..) if has("del") => (Self::Remove, 4),
            (6, 2..) if has("unlink") => (Self::Remove, 5),
            (4, 2) if has("incr") => (Self::Add(1), 6),
            (4, 2) if has("decr") => (Self::Add(-1), 7),
            (6, 3) if has("incrby") => (Self::Add(number(&args[2])?), 8),
            _ => return None,
        })
    }

    /// The places of the keys: the last one, and from one to the next.
    fn keys(self, args: Args<'_>) -> (usize, usize) {
        match self {
            Self::Read | Self::Store(_) | Self::Add(_) => (1, 1),
            Self::ReadAll | Self::Remove => (args.len() - 1, 1),
            Self::StoreAll => (args.len() - 1, 2),
        }
    }

    /// Whether it is certain that it is carried out for all of its keys, however it ends: owners that
    /// disagree about a key that is read are found when others are changed or counted already.
    fn is_certain(self, cluster: &Cluster, keys: usize) -> bool {
        match self {
            Self::ReadAll => cluster.reads_are_certain(),
            Self::Remove => keys == 1 || cluster.config().replicas == 1,
            Self::Read | Self::Store(_) | Self::StoreAll | Self::Add(_) => true,
        }
    }

    /// Whether a string that it stores would be taken for a hash.
    fn stores_hash(self, args: Args<'_>) -> bool {
        match self {
            Self::Store(_) => Hash::is_hash(&args[2]),
            Self::StoreAll => args.iter().skip(2).step_by(2).any(Hash::is_hash),
            _ => false,
        }
    }
}

/// The deadline that the option EX or PX sets.
fn deadline(unit: &[u8], time: &[u8], now: Instant) -> Option<Instant> {
    let count = number(time).filter(|&count| count > 0 && time.len() <= TTL_DIGITS)?;
    let count = u64::try_from(count).ok()?;
    let ttl = match unit {
        unit if is(unit, "EX") => Duration::from_secs(count),
        unit if is(unit, "PX") => Duration::from_millis(count),
        _ => return None,
    };
    Some(now.saturating_add(ttl))
}

/// Direct commands of one client that follow each other.
#[derive(Default)]
pub(super) struct Run {
    commands: Vec<Command>,
    /// The arguments of all of them, each from the start of its request.
    args: Vec<Range<usize>>,
    /// The places of the keys of all of them.
    places: Vec<Place>,
}

struct Command {
    action: Action,
    /// Its place in [`DIRECT`].
    kind: usize,
    /// Its request, in the bytes of the client.
    request: Range<usize>,
    args: Range<usize>,
    places: Range<usize>,
}

impl Run {
    pub(super) fn clear(&mut self) {
        self.commands.clear();
        self.args.clear();
        self.places.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether it has as many commands as pay off.
    pub(super) fn is_full(&self) -> bool {
        self.places.len() >= KEYS
    }

    /// How many bytes the first `count` commands took.
    pub(super) fn bytes(&self, count: usize) -> usize {
        let last = count.checked_sub(1);
        last.map_or(0, |last| self.commands[last].request.end)
    }
}

impl Hub {
    /// Whether nothing but the reply comes of a command of this client.
    pub(super) fn is_plain(&self, client: &Client) -> bool {
        self.watchers == 0
            && self.monitors == 0
            && self.paused_until.is_none()
            && self.asleep.is_empty()
            && self.tracking.clients == 0
            && !self.measures.times_all()
            && !self.config.notifications.is_on()
            && client.queue.is_none()
            && client.is_authenticated
            && !client.is_looking
            && !client.is_asking
            && client.subscriptions() == 0
            && client.replies == Replies::On
    }

    /// Adds a command to a run, if it is direct; returns whether it is. `ranges` are its arguments, from
    /// the start of its request.
    pub(super) fn collect(
        &self,
        run: &mut Run,
        client: &Client,
        cluster: &Cluster,
        (request, ranges): (Range<usize>, &[Range<usize>]),
        args: Args<'_>,
    ) -> bool {
        let Some((action, kind)) = Action::of(args, cluster.now()) else {
            return false;
        };
        let first = run.places.len();
        if !self.locate(run, client, cluster, action, args) {
            run.places.truncate(first);
            return false;
        }
        let start = run.args.len();
        run.args.extend_from_slice(ranges);
        run.commands.push(Command {
            action,
            kind,
            request,
            args: start..run.args.len(),
            places: first..run.places.len(),
        });
        true
    }

    /// Adds the places of the keys of a command; returns whether it is direct.
    fn locate(
        &self,
        run: &mut Run,
        client: &Client,
        cluster: &Cluster,
        action: Action,
        args: Args<'_>,
    ) -> bool {
        let (last, step) = action.keys(args);
        let count = last.div_ceil(step);
        if count > MOST_KEYS || !action.is_certain(cluster, count) || action.stores_hash(args) {
            return false;
        }
        let mut slot = None;
        (1..=last).step_by(step).all(|at| {
            let place = self.place(client, cluster, &args[at], &mut slot);
            run.places.extend(place);
            place.is_some()
        })
    }

    /// The place of a key, if its node is the one that the client is connected to, or each node answers
    /// for every key. All keys of a command are in one slot.
    #[inline]
    fn place(
        &self,
        client: &Client,
        cluster: &Cluster,
        key: &[u8],
        slot: &mut Option<u16>,
    ) -> Option<Place> {
        if key.len() > cluster.config().max_key {
            return None;
        }
        if !self.settings.is_cluster {
            return Some(cluster.place(key));
        }
        let own = slot_of(key);
        let is_served = slot.replace(own).is_none_or(|other| other == own)
            && self.topology.primary(own) == Some(client.node);
        is_served.then(|| cluster.place_in_slot(own, key))
    }

    /// Carries out the commands of a run in order, until the client is to be waited for, or a command is
    /// not direct after all. Returns how many it did. The path of the cluster must be open, and `input` be
    /// what the requests were found in.
    pub(super) fn run_direct(
        &mut self,
        cluster: &mut Cluster,
        client: &mut Client,
        run: &Run,
        input: &[u8],
    ) -> usize {
        if run.commands.is_empty() {
            return 0;
        }
        let (start, mut counts) = (std::time::Instant::now(), Counts::default());
        let done = self.run_in_order(cluster, client, run, input, &mut counts);
        self.measures.direct(&counts, start.elapsed());
        done
    }

    fn run_in_order(
        &mut self,
        cluster: &mut Cluster,
        client: &mut Client,
        run: &Run,
        input: &[u8],
        counts: &mut Counts,
    ) -> usize {
        let mut ahead = 0;
        for (done, command) in run.commands.iter().enumerate() {
            if client.ending.is_some() || client.output.len() >= OUTPUT_PAUSE {
                return done;
            }
            // A single look-up has no others to overlap with.
            while run.places.len() > 1 && ahead < command.places.end {
                cluster.prefetch(run.places[ahead..].iter().copied());
                ahead += AHEAD;
            }
            let ranges = &run.args[command.args.clone()];
            let mut job = Job {
                cluster: &mut *cluster,
                client: &mut *client,
                measures: &mut self.measures,
                args: Args::new(&input[command.request.clone()], ranges),
                places: &run.places[command.places.clone()],
            };
            job.client.end = End::Called;
            if !job.run(command.action) {
                return done;
            }
            let count = &mut counts[command.kind];
            count.0 += 1;
            count.1 += u64::from(client.end == End::Failed);
            self.totals.commands += 1;
            #[cfg(test)]
            {
                self.direct += 1;
            }
            client.since.1 = cluster.now();
            client.last_command = DIRECT[command.kind];
        }
        run.len()
    }
}

/// A command with all that it needs.
struct Job<'a> {
    cluster: &'a mut Cluster,
    client: &'a mut Client,
    measures: &'a mut Measures,
    args: Args<'a>,
    places: &'a [Place],
}

impl Job<'_> {
    /// Carries a command out, and writes the reply. `false`: owners disagree about the key, and nothing
    /// was done.
    #[inline]
    fn run(&mut self, action: Action) -> bool {
        match action {
            Action::Read => self.read(),
            Action::ReadAll => self.read_all(),
            Action::Store(deadline) => {
                let args = self.args;
                let outcome = self.request(0, 1, Operation::put(&args[2], deadline));
                self.reply(outcome.as_ref())
            }
            Action::StoreAll => {
                let outcome = self.store_all();
                self.reply(outcome.as_ref())
            }
            Action::Remove => {
                let outcome = self.remove_all();
                self.reply(outcome.as_ref())
            }
            Action::Add(delta) => self.add(delta),
        }
    }

    /// A request for the key at a place, which is the argument `at`.
    #[inline]
    fn request(&mut self, place: usize, at: usize, operation: Operation<&[u8]>) -> Option<Outcome> {
        let request = Request::new(&self.args[at], operation).of(self.client.id);
        self.cluster.run_at(self.places[place], &request)
    }

    /// Replies with an outcome. Returns whether there is one.
    #[inline]
    fn reply(&mut self, outcome: Option<&Outcome>) -> bool {
        match outcome {
            None => {}
            Some(Outcome::Done) => self.client.reply(|frames| Value::Ok.write(frames)),
            Some(Outcome::Number(number)) => self.client.reply(|frames| frames.integer(*number)),
            Some(failed) => {
                let failure = Failure::of(failed).unwrap_or(Failure::Unknown);
                self.fail(failure);
            }
        }
        outcome.is_some()
    }

    #[cold]
    fn fail(&mut self, failure: Failure) {
        self.measures.answer_failure(self.client, failure);
    }

    #[inline]
    fn read(&mut self) -> bool {
        let client = &mut *self.client;
        let read = |value: Option<&[u8]>| {
            let is_string = !value.is_some_and(Hash::is_hash);
            if is_string {
                client.reply(|frames| frames.bulk_or_null(value));
            }
            is_string
        };
        let done = self.cluster.read_at(&self.args[1], self.places[0], read);
        if done == Some(false) {
            self.fail(Failure::WRONG_TYPE);
        }
        done.is_some()
    }

    fn read_all(&mut self) -> bool {
        let client = &mut *self.client;
        client.reply(|frames| frames.array(self.places.len()));
        let mut keys = self.args.iter().skip(1).zip(self.places);
        keys.all(|(key, &place)| {
            let done = self.cluster.read_at(key, place, |value| {
                let string = value.filter(|value| !Hash::is_hash(value));
                client.reply(|frames| frames.bulk_or_null(string));
            });
            done.is_some()
        })
    }

    /// Stores all values. Returns that it is done, or the first failure.
    fn store_all(&mut self) -> Option<Outcome> {
        let args = self.args;
        let mut result = Outcome::Done;
        for place in 0..self.places.len() {
            let at = 1 + 2 * place;
            let outcome = self.request(place, at, Operation::put(&args[at + 1], None))?;
            if result.is_certain() && !outcome.is_certain() {
                result = outcome;
            }
        }
        Some(result)
    }

    /// Removes all keys. Returns how many were there, or the first failure.
    fn remove_all(&mut self) -> Option<Outcome> {
        let (mut removed, mut failed) = (0, None);
        for place in 0..self.places.len() {
            let outcome = self.request(place, 1 + place, Operation::Delete)?;
            removed += i64::from(outcome == Outcome::Applied(true));
            if !outcome.is_certain() {
                failed.get_or_insert(outcome);
            }
        }
        Some(failed.unwrap_or(Outcome::Number(removed)))
    }

    fn add(&mut self, delta: i64) -> bool {
        let outcome = self.request(0, 1, Operation::Incr { delta });
        if outcome != Some(Outcome::Refused(Refusal::Count(CountError::NotANumber))) {
            return self.reply(outcome.as_ref());
        }
        // A hash is no number, and has an error of its own.
        let look = |value: Option<&[u8]>| match value {
            Some(value) if Hash::is_hash(value) => Failure::WRONG_TYPE,
            _ => Failure::NOT_AN_INTEGER,
        };
        let failure = self.cluster.look_at(&self.args[1], self.places[0], look);
        let failure = failure.unwrap_or(Failure::NOT_AN_INTEGER);
        self.fail(failure);
        true
    }
}
