//! The steps of a job: the requests that carry it out, each after the answer to the one before.

use super::feed::{Act, Job};
use super::tally::reason;
use super::values::{LONGEST, USUAL};
use super::{FIRST_CLIENT, Work};
use crate::cluster::{Place, Request, TooManyRequests};
use crate::operation::{Bytes, Operation, Outcome};
use crate::session::backend::{Answer, Sent};
use crate::time::{Instant, MAX_DURATION};

/// How many keys are looked up ahead.
const AHEAD: usize = 32;

/// The request that a client has in flight.
pub(super) struct InFlight {
    job: Job,
    key: Vec<u8>,
    step: Step,
}

/// What a request in flight does for a job.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Read,
    Fill,
    Write,
}

/// A step of a job, and the value that it must find.
type Next = (Step, Option<Bytes>);

impl Work<'_> {
    /// Takes the next job, and sends its first request.
    #[inline]
    pub(super) fn start(&mut self) {
        let (Some(&client), Some(&job)) = (self.free.last(), self.feed.present()) else {
            return;
        };
        let place = self.next_place();
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        key.extend_from_slice(self.feed.key(&job));
        self.feed.take();
        self.tally.requests += 1;
        if let Some(step) = self.first_step(client, &job, &key, place) {
            self.free.pop();
            self.in_flight[client as usize] = Some(InFlight {
                job,
                key: key.clone(),
                step,
            });
        }
        self.key = key;
    }

    /// The place of the key of the next job, if keys have places.
    #[inline]
    fn next_place(&mut self) -> Option<Place> {
        if self.place >= self.places.len() {
            self.places.clear();
            self.place = 0;
            let mut keys = self.feed.next_keys(AHEAD);
            self.world.backend.locate(&mut keys, &mut self.places);
        }
        self.place += 1;
        self.places.get(self.place - 1).copied()
    }

    /// Carries a job out up to the step that has to be waited for; `None` if it is done.
    #[inline]
    fn first_step(
        &mut self,
        client: u32,
        job: &Job,
        key: &[u8],
        place: Option<Place>,
    ) -> Option<Step> {
        let step = match (job.act, place) {
            (Act::Get, Some(place)) => match self.world.backend.touch(self.now, key, place) {
                Some(is_hit) => {
                    let size = self.size(job);
                    self.tally.read(self.now, place.node, size, is_hit);
                    if is_hit || self.fill(job, key, place) {
                        return None;
                    }
                    Step::Fill
                }
                None => Step::Read,
            },
            (Act::Get | Act::Modify, _) => Step::Read,
            (Act::Set | Act::Add | Act::Delete, _) => Step::Write,
        };
        self.go_on(client, job, key, (step, None))
    }

    /// Stores the value of a key that was just missed; `false` if a request has to do that.
    fn fill(&mut self, job: &Job, key: &[u8], place: Place) -> bool {
        let (size, deadline) = (self.size(job), self.deadline(job));
        let value = self.values.next(size);
        let filled = self.world.backend.fill(key, place, value, deadline);
        let Some(outcome) = filled else {
            return false;
        };
        self.tally.cut += u64::from(size > LONGEST);
        if let Some(reason) = reason(&outcome) {
            self.tally.fail(reason);
        }
        self.session.hand_on(self.world, &mut self.observer);
        true
    }

    /// Carries a job out from this step on, up to the one that has to be waited for; `None` if it is
    /// done.
    fn go_on(&mut self, client: u32, job: &Job, key: &[u8], next: Next) -> Option<Step> {
        let mut next = Some(next);
        while let Some((step, found)) = next {
            let sent = self.send(client, job, key, step, found.as_deref());
            if step != Step::Read {
                self.session.hand_on(self.world, &mut self.observer);
            }
            next = match sent {
                Ok(Sent::InFlight) => return Some(step),
                Ok(Sent::Answered(answer)) => self.answered(job, step, answer),
                Err(TooManyRequests) => {
                    self.tally.fail("too many requests are in flight");
                    None
                }
            };
        }
        None
    }

    /// Sends one request. `found` is the value that the key must still have.
    fn send(
        &mut self,
        client: u32,
        job: &Job,
        key: &[u8],
        step: Step,
        found: Option<&[u8]>,
    ) -> Result<Sent, TooManyRequests> {
        let deadline = self.deadline(job);
        let writes = step != Step::Read && job.act != Act::Delete;
        let size = self.size(job);
        self.tally.cut += u64::from(writes && size > LONGEST);
        let value = if writes { self.values.next(size) } else { &[] };
        let operation = match (step, job.act) {
            (Step::Read, _) => Operation::Get,
            (Step::Write, Act::Delete) => Operation::Delete,
            (Step::Fill, _) | (Step::Write, Act::Add) => Operation::Add { value, deadline },
            (Step::Write, Act::Modify) => Operation::Cas {
                expected: found.unwrap_or_default(),
                new: value,
                deadline,
            },
            (Step::Write, _) => Operation::Put { value, deadline },
        };
        let request = Request::new(key, operation).of(FIRST_CLIENT + client);
        self.world.backend.send(self.now, &request)
    }

    /// Bytes of the value of a job, before it is cut.
    #[inline]
    fn size(&self, job: &Job) -> u64 {
        self.plan.size.or(job.size).unwrap_or(USUAL)
    }

    /// When a value that is written now expires. Beyond the end of time it never does.
    fn deadline(&self, job: &Job) -> Option<Instant> {
        let ttl = self.plan.ttl.or(job.ttl)?;
        let deadline = self.now.checked_add(ttl.min(MAX_DURATION));
        deadline.filter(|&deadline| deadline < Instant::MAX)
    }

    /// Counts an answer. Returns the next step of the job, if there is one.
    fn answered(&mut self, job: &Job, step: Step, (node, outcome): Answer) -> Option<Next> {
        let reason = reason(&outcome);
        if let Some(reason) = reason {
            self.tally.fail(reason);
        }
        match (step, outcome) {
            (Step::Read, Outcome::Value(found)) => {
                let size = self.size(job);
                self.tally.read(self.now, node, size, found.is_some());
                return match found {
                    None => Some((Step::Fill, None)),
                    Some(found) if job.act == Act::Modify => Some((Step::Write, Some(found.value))),
                    Some(_) => None,
                };
            }
            (Step::Write, Outcome::Applied(false)) if job.act == Act::Modify => {
                self.tally.lost_races += 1;
            }
            (Step::Write, _) if job.act != Act::Modify => {
                self.tally.ask(node);
                self.tally.writes += u64::from(reason.is_none());
            }
            (Step::Read, _) => drop(self.tally.ask(node)),
            _ => {}
        }
        None
    }

    /// Takes the answers that have come, and goes on with their jobs.
    #[inline]
    pub(super) fn receive(&mut self) {
        if self.is_idle() {
            return;
        }
        while let Some((number, answer)) = self.world.backend.receive() {
            let client = number.saturating_sub(FIRST_CLIENT);
            let waiting = self.in_flight.get_mut(client as usize);
            let Some(InFlight { job, key, step }) = waiting.and_then(Option::take) else {
                continue;
            };
            let next = self.answered(&job, step, answer);
            match next.and_then(|next| self.go_on(client, &job, &key, next)) {
                Some(step) => self.in_flight[client as usize] = Some(InFlight { job, key, step }),
                None => self.free.push(client),
            }
        }
    }

    /// Gives up the requests that are in flight.
    pub(super) fn give_up(&mut self) {
        let clients = (0..).zip(&self.in_flight);
        let waiting = clients.filter_map(|(client, it)| it.is_some().then_some(client));
        for client in waiting.collect::<Vec<u32>>() {
            self.world.backend.give_up(self.now, FIRST_CLIENT + client);
            self.tally.fail("it was given up");
        }
    }
}
