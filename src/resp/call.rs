//! Commands on keys, as coroutines.
//!
//! A command is an asynchronous function that asks for operations on keys and waits for their
//! outcomes. A [`Call`] runs it: it hands out the operations, and is given the outcomes, at once or
//! much later. So a command is written in the order of its steps, and neither knows the cluster nor
//! blocks.
//!
//! There is no executor and no waker: [`Call::resume`] polls the function.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{self, Poll, Waker};

use super::value::{Failure, Value};
use crate::operation::{Found, Operation, Outcome};
use crate::rng::Rng;
use crate::time::Instant;

/// How often a read-modify-write is tried. With owners that disagree it can fail without an end.
const ATTEMPTS: usize = 64;

/// An operation that a command asks for.
pub struct Ask {
    /// The key.
    pub key: Vec<u8>,
    /// The operation.
    pub operation: Operation<Vec<u8>>,
    /// Whether it is a look: it counts as no access.
    pub is_look: bool,
}

/// The side of a command: it asks, and reads the time.
#[derive(Clone)]
pub struct Context(Rc<Shared>);

struct Shared {
    now: Cell<Instant>,
    /// Milliseconds from 1970 to [`Instant::START`].
    epoch: i64,
    /// The state of the generator of random numbers.
    random: Cell<u64>,
    asks: RefCell<Vec<Ask>>,
    outcomes: RefCell<Option<Vec<Outcome>>>,
    changes: RefCell<Vec<KeyEvent>>,
}

/// A change of a key, as a keyspace notification names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEvent {
    /// The class of the event: `$` strings, `h` hashes, `g` any type.
    pub class: char,
    /// The name of the event.
    pub name: &'static str,
    /// The key.
    pub key: Vec<u8>,
}

impl Context {
    /// The instant of the present step.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.0.now.get()
    }

    /// Milliseconds since 1970 at an instant, rounded down.
    #[must_use]
    pub fn unix_millis(&self, at: Instant) -> i64 {
        let since_start = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
        self.0.epoch.saturating_add(since_start)
    }

    /// The instant so many milliseconds after 1970; [`Instant::START`] for one before the start, and
    /// `None` beyond the axis.
    #[must_use]
    pub fn instant(&self, unix_millis: i64) -> Option<Instant> {
        let millis = unix_millis.saturating_sub(self.0.epoch).max(0);
        let nanos = u64::try_from(millis).ok()?.checked_mul(1_000_000)?;
        Some(Instant::from_nanos(nanos)).filter(|&at| at < Instant::MAX)
    }

    /// Notes that a key has changed.
    pub fn changed(&self, class: char, name: &'static str, key: &[u8]) {
        let key = key.into();
        let mut changes = self.0.changes.borrow_mut();
        changes.push(KeyEvent { class, name, key });
    }

    /// A random number below `bound`; 0 if that is 0.
    #[must_use]
    pub fn random(&self, bound: usize) -> usize {
        let mut rng = Rng::new(self.0.random.get());
        let number = if bound == 0 {
            0
        } else {
            rng.below(bound as u64)
        };
        self.0.random.set(rng.next_u64());
        usize::try_from(number).unwrap_or(0)
    }

    /// Carries operations out, all at the same time, and returns their outcomes in order.
    ///
    /// # Errors
    /// [`Failure`] of the first operation that has no certain outcome.
    pub async fn all(&self, asks: Vec<Ask>) -> Result<Vec<Outcome>, Failure> {
        *self.0.asks.borrow_mut() = asks;
        let outcomes = Asked(&self.0).await;
        match outcomes.iter().find_map(Failure::of) {
            Some(failure) => Err(failure),
            None => Ok(outcomes),
        }
    }

    /// Carries one operation out.
    ///
    /// # Errors
    /// [`Failure`] if it has no certain outcome.
    pub async fn one(&self, key: &[u8], operation: Operation<Vec<u8>>) -> Result<Outcome, Failure> {
        let ask = Ask {
            key: key.into(),
            operation,
            is_look: false,
        };
        let mut outcomes = self.all(vec![ask]).await?;
        outcomes.pop().ok_or(Failure::Unknown)
    }

    /// Reads a key, as an access.
    ///
    /// # Errors
    /// As for [`Context::one`].
    pub async fn read(&self, key: &[u8]) -> Result<Option<Found>, Failure> {
        Ok(found(self.one(key, Operation::Get).await?))
    }

    /// Reads a key without an effect on its use.
    ///
    /// # Errors
    /// As for [`Context::one`].
    pub async fn look(&self, key: &[u8]) -> Result<Option<Found>, Failure> {
        let ask = Ask {
            key: key.into(),
            operation: Operation::Get,
            is_look: true,
        };
        let mut outcomes = self.all(vec![ask]).await?;
        Ok(outcomes.pop().and_then(found))
    }

    /// Changes a key by what is stored there, and again if it has changed in between, at most
    /// 64 times. `change` is called once for each attempt.
    ///
    /// # Errors
    /// As for [`Context::one`], what `change` returns, and TRYAGAIN after the last attempt: nothing has
    /// changed then.
    pub async fn update<T>(
        &self,
        key: &[u8],
        mut change: impl FnMut(Option<&Found>) -> Result<(Change, T), Failure>,
    ) -> Result<T, Failure> {
        for _ in 0..ATTEMPTS {
            let old = self.look(key).await?;
            let (change, result) = change(old.as_ref())?;
            let Some(operation) = change.operation(old.as_ref()) else {
                return Ok(result);
            };
            if let Outcome::Applied(true) = self.one(key, operation).await? {
                return Ok(result);
            }
        }
        Err(Failure::text("TRYAGAIN the key keeps changing"))
    }
}

fn found(outcome: Outcome) -> Option<Found> {
    match outcome {
        Outcome::Value(found) => found,
        _ => None,
    }
}

/// What a read-modify-write does to a key.
pub enum Change {
    /// Nothing.
    Nothing,
    /// It stores a value with a deadline.
    Store(Vec<u8>, Option<Instant>),
    /// It gives the value another deadline.
    Deadline(Option<Instant>),
    /// It removes the key.
    Remove,
}

impl Change {
    /// The operation that does it on the condition that `old` is still there.
    fn operation(self, old: Option<&Found>) -> Option<Operation<Vec<u8>>> {
        let (new, deadline) = match (self, old) {
            (Self::Nothing, _) | (Self::Remove | Self::Deadline(_), None) => return None,
            (Self::Store(value, deadline), None) => {
                return Some(Operation::Add { value, deadline });
            }
            (Self::Store(value, deadline), Some(_)) => (Some(value), deadline),
            (Self::Deadline(deadline), Some(old)) => (Some(old.value.to_vec()), deadline),
            (Self::Remove, Some(_)) => (None, None),
        };
        let old = old?;
        Some(Operation::Swap {
            expected: old.value.to_vec(),
            until: old.deadline,
            new,
            deadline,
        })
    }
}

/// Waits for the outcomes of what was asked.
struct Asked<'a>(&'a Shared);

impl Future for Asked<'_> {
    type Output = Vec<Outcome>;

    fn poll(self: Pin<&mut Self>, _: &mut task::Context<'_>) -> Poll<Vec<Outcome>> {
        match self.0.outcomes.borrow_mut().take() {
            Some(outcomes) => Poll::Ready(outcomes),
            None => Poll::Pending,
        }
    }
}

/// A command that runs.
pub struct Call {
    command: Pin<Box<dyn Future<Output = Result<Value, Failure>>>>,
    context: Context,
}

/// How far a command has come.
pub enum Step {
    /// It waits for the outcomes of these operations.
    Asks(Vec<Ask>),
    /// It is done.
    Done(Result<Value, Failure>),
}

impl Call {
    /// A command that has not begun. `epoch` is how many milliseconds after 1970 [`Instant::START`]
    /// is, and `seed` is for commands that choose at random.
    pub fn new<F>(epoch: i64, seed: u64, command: impl FnOnce(Context) -> F) -> Self
    where
        F: Future<Output = Result<Value, Failure>> + 'static,
    {
        let context = Context(Rc::new(Shared {
            now: Cell::new(Instant::START),
            epoch,
            random: Cell::new(seed),
            asks: RefCell::default(),
            changes: RefCell::default(),
            outcomes: RefCell::default(),
        }));
        Self {
            command: Box::pin(command(context.clone())),
            context,
        }
    }

    /// The changes of keys since the last call.
    #[must_use]
    pub fn take_changes(&self) -> Vec<KeyEvent> {
        self.context.0.changes.take()
    }

    /// Goes on at `now`, with the outcomes of what it asked for last; none at the start.
    pub fn resume(&mut self, now: Instant, outcomes: Vec<Outcome>) -> Step {
        let shared = &self.context.0;
        shared.now.set(now);
        if !outcomes.is_empty() {
            *shared.outcomes.borrow_mut() = Some(outcomes);
        }
        let mut waker = task::Context::from_waker(Waker::noop());
        match self.command.as_mut().poll(&mut waker) {
            Poll::Ready(result) => Step::Done(result),
            Poll::Pending => Step::Asks(shared.asks.take()),
        }
    }
}
