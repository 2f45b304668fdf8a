//! REPLAY and LOAD: the requests of a trace or a workload, sent by many clients.
//!
//! A get that misses is followed by an ADD of the value (read-through); a set is a PUT, a delete a DEL,
//! a read-modify-write a GET and a CAS of what it has found. Clients have the numbers from
//! [`FIRST_CLIENT`] on. Each has one request in flight at a time; a request is sent when it is due and a
//! client is free. While nothing is disturbed, every answer comes in the instant of its request, so one
//! client sends all.
//!
//! Between two requests the work looks for an interrupt, and lets time pass as in every other command:
//! entries expire at their deadlines, messages arrive, and the fault injector acts.
//!
//! | file | what it has |
//! | --- | --- |
//! | `feed` | requests, read ahead in batches |
//! | `steps` | what a client sends for each of them |
//! | `values` | the values that are written |
//! | `tally` | what was counted |

mod feed;
mod steps;
mod tally;
mod values;

use std::time::Duration;

pub use feed::Feed;
use steps::InFlight;
use tally::{Counting, Tally};
use values::Values;

use super::{Observer, Session, WorldHandle};
use crate::cluster::Place;
use crate::language::{Command, Error, ErrorKind};
use crate::reply::Worked;
use crate::time::{ClockKind, Instant, MAX_DURATION};

/// The number of the first client.
pub const FIRST_CLIENT: u32 = 1001;
/// The most clients.
pub const MAX_CLIENTS: u32 = 1000;
/// Requests between two questions whether to go on.
const STRIDE: u64 = 256;

/// How the requests of a workload are sent.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// The most requests.
    pub count: u64,
    /// The time that it takes: no request is sent after it, and it does not end before it.
    pub time: Option<Duration>,
    /// When requests are sent.
    pub pace: Pace,
    /// How many clients there are, 1 to [`MAX_CLIENTS`].
    pub clients: u32,
    /// The bytes of every value, in place of those of the workload.
    pub size: Option<u64>,
    /// How long every value lives, in place of the TTLs of the workload.
    pub ttl: Option<Duration>,
    /// Faults that are brought about meanwhile, the first first. It does not end before the last.
    pub faults: Vec<(Duration, Command<'static>)>,
}

/// When requests are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// At once, when a client is free.
    Free,
    /// As many a second, at least 1.
    Rate(u64),
    /// At the times of the trace, of which the first is now.
    Recorded,
}

/// Why it ends before the last request.
enum End {
    Interrupted,
    Failed(Error),
}

struct Work<'w> {
    session: &'w mut Session,
    world: &'w mut WorldHandle,
    observer: Counting<'w>,
    plan: &'w Plan,
    feed: &'w mut Feed,
    tally: Tally,
    values: Values,
    /// By client.
    in_flight: Vec<Option<InFlight>>,
    /// The clients without a request, the next one last.
    free: Vec<u32>,
    start: Instant,
    now: Instant,
    /// The time of the first request in the trace.
    first: Option<Duration>,
    /// When the request before was due.
    due: Instant,
    /// Memory for the key of the present request.
    key: Vec<u8>,
    /// The places of the next keys, and how many of them were used.
    places: Vec<Place>,
    place: usize,
    /// How many of the faults were brought about.
    faults: usize,
}

impl Session {
    /// Sends requests of a workload, at most as many as the plan says, until the end of the feed, an
    /// interrupt or an error. What was done by then is in the reply.
    pub fn work(
        &mut self,
        world: &mut WorldHandle,
        plan: &Plan,
        feed: &mut Feed,
        observer: &mut dyn Observer,
    ) -> Worked {
        let (now, first, made) = (world.now(), feed.position(), self.values);
        let clients = plan.clients.clamp(1, MAX_CLIENTS);
        let mut work = Work {
            session: self,
            world,
            observer: Counting {
                inner: observer,
                evicted: 0,
                expired: 0,
            },
            plan,
            feed,
            tally: Tally::default(),
            values: Values::after(made),
            in_flight: (0..clients).map(|_| None).collect(),
            free: (0..clients).rev().collect(),
            start: now,
            now,
            first: None,
            due: now,
            key: Vec::new(),
            places: Vec::new(),
            place: 0,
            faults: 0,
        };
        let end = work.run();
        if end.is_err() {
            work.give_up();
        }
        let (worked, made) = work.finish(first, end);
        self.values = made;
        worked
    }
}

impl Work<'_> {
    fn run(&mut self) -> Result<(), End> {
        loop {
            self.bring_faults()?;
            self.receive();
            let Some(due) = self.next_due()? else {
                if self.is_idle() {
                    return self.wait_for_end();
                }
                self.wait(None)?;
                continue;
            };
            if self.free.is_empty() {
                self.wait(None)?;
            } else if due > self.now {
                self.wait(Some(due))?;
            } else {
                self.due = due;
                self.start();
                self.pause()?;
            }
        }
    }

    /// Lets time pass to the end of the time that it takes, and to the last fault.
    fn wait_for_end(&mut self) -> Result<(), End> {
        while let Some(end) = self.end().filter(|&end| end > self.now) {
            self.wait(Some(end))?;
            self.bring_faults()?;
        }
        while let Some(at) = self.next_fault() {
            self.wait(Some(at))?;
            self.bring_faults()?;
        }
        Ok(())
    }

    /// When the next fault is due.
    #[inline]
    fn next_fault(&self) -> Option<Instant> {
        let fault = self.plan.faults.get(self.faults)?;
        Some(self.start.saturating_add(fault.0))
    }

    /// Brings the faults about that are due.
    #[inline]
    fn bring_faults(&mut self) -> Result<(), End> {
        while self.next_fault().is_some_and(|at| at <= self.now) {
            let command = self.plan.faults[self.faults].1.clone();
            self.faults += 1;
            let Self {
                session,
                world,
                observer,
                ..
            } = self;
            let done = session.execute(world, self.now, command, observer);
            done.map_err(End::Failed)?;
            self.now = self.world.now();
        }
        Ok(())
    }

    fn end(&self) -> Option<Instant> {
        let time = self.plan.time?;
        Some(self.start.saturating_add(time))
    }

    fn is_idle(&self) -> bool {
        self.free.len() == self.in_flight.len()
    }

    /// When the next request is due; `None` if there is none, or none before the end.
    #[inline]
    fn next_due(&mut self) -> Result<Option<Instant>, End> {
        let left = self.plan.count.saturating_sub(self.tally.requests);
        if left == 0 {
            return Ok(None);
        }
        let Some(time) = self.feed.peek(left).map(|job| job.time) else {
            return Ok(None);
        };
        let due = self.due_at(time)?.max(self.due);
        let is_late = self.end().is_some_and(|end| due.max(self.now) >= end);
        Ok((!is_late).then_some(due))
    }

    /// When a request that has this time in the trace is due.
    #[inline]
    fn due_at(&mut self, time: Option<Duration>) -> Result<Instant, End> {
        let after = match (self.plan.pace, time) {
            (Pace::Free, _) | (Pace::Recorded, None) => return Ok(self.due),
            (Pace::Rate(rate), _) => of_rate(self.tally.requests, rate),
            (Pace::Recorded, Some(time)) => {
                let first = *self.first.get_or_insert(time);
                time.saturating_sub(first)
            }
        };
        let due = self.start.checked_add(after);
        due.filter(|_| after <= MAX_DURATION).ok_or_else(too_late)
    }

    /// Lets time pass until something has happened, at most to `until`.
    fn wait(&mut self, until: Option<Instant>) -> Result<(), End> {
        let until = until.into_iter().chain(self.next_fault()).min();
        let passed = self
            .session
            .pass_time(self.world, until, &mut self.observer);
        self.now = self.world.now();
        passed.map_err(|_| End::Interrupted)
    }

    /// Now and then asks whether to go on. On the real clock time has passed.
    #[inline]
    fn pause(&mut self) -> Result<(), End> {
        if !self.tally.requests.is_multiple_of(STRIDE) {
            return Ok(());
        }
        if self.world.clock.kind() == ClockKind::Real {
            self.now = self.world.now();
            self.session.tick(self.world, self.now, &mut self.observer);
        } else {
            self.session.hand_on(self.world, &mut self.observer);
        }
        let Self { tally, plan, .. } = self;
        let status = || status(&plan.name, tally);
        let goes_on = self.observer.progress(&status);
        goes_on.then_some(()).ok_or(End::Interrupted)
    }

    /// Whether an interrupt has ended it, and else the error that did.
    fn how_it_ended(&mut self, end: Result<(), End>) -> (bool, Option<Error>) {
        let broken = self.feed.error().map(ToString::to_string);
        match (end, broken) {
            (Err(End::Interrupted), _) => (true, None),
            (Err(End::Failed(error)), _) => (false, Some(error)),
            (Ok(()), None) => (false, None),
            // Reading a pipe ends with an error at an interrupt.
            (Ok(()), Some(_)) if !self.observer.progress(&String::new) => (true, None),
            (Ok(()), Some(message)) => (false, Some(Error::new(ErrorKind::Io, message))),
        }
    }

    /// What was done, and how many values were made so far.
    fn finish(mut self, first: u64, end: Result<(), End>) -> (Worked, u64) {
        self.session.hand_on(self.world, &mut self.observer);
        let (is_interrupted, error) = self.how_it_ended(end);
        let Tally {
            requests,
            hits,
            misses,
            writes,
            lost_races,
            cut,
            ..
        } = self.tally;
        let skipped = self.feed.trace().skipped().iter();
        let worked = Worked {
            name: self.plan.name.clone(),
            first,
            requests,
            hits,
            misses,
            writes,
            lost_races,
            bytes_hit_ratio: self.tally.bytes_hit_ratio(),
            failed: self.tally.failures(),
            skipped: skipped
                .map(|(reason, count)| (reason.into(), count))
                .collect(),
            cut,
            evicted: self.observer.evicted,
            expired: self.observer.expired,
            nodes: self.tally.nodes(),
            windows: self.tally.windows(),
            took: self.world.now().saturating_duration_since(self.start),
            clock: self.world.clock.kind(),
            is_interrupted,
            is_over: self.feed.has_ended(),
            error,
        };
        (worked, self.values.made)
    }
}

fn of_rate(requests: u64, rate: u64) -> Duration {
    let rate = rate.max(1);
    let nanos = u128::from(requests % rate) * 1_000_000_000 / u128::from(rate);
    Duration::new(requests / rate, u32::try_from(nanos).unwrap_or(0))
}

#[cold]
fn too_late() -> End {
    let message = "the time of the trace leads more than 100 years ahead";
    End::Failed(Error::new(ErrorKind::Refused, message))
}

fn status(name: &str, tally: &Tally) -> String {
    let (hits, gets) = (tally.hits, tally.hits + tally.misses);
    let percent = hits as f64 / gets.max(1) as f64 * 100.0;
    format!("{name}: {} requests, {percent:.1}% hits", tally.requests)
}
