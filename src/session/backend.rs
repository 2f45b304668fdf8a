//! The backend interface of a session.

use std::time::Duration;

use crate::cluster::{MoveCost, Place, Request, Status, TooManyRequests};
use crate::event::EventLog;
use crate::id::NodeId;
use crate::language::{Behind, Change, Command, Error};
use crate::operation::Outcome;
use crate::reply::{Reply, TracedMessage};
use crate::time::{Clock, Instant};

use super::{SimulatedCluster, Waiting};

/// What a session needs of a sharded cache. The simulated cluster is one.
///
/// Nothing here blocks. Commands come from one client at a time and may be in flight for many.
pub trait DistributedCache: Send {
    /// What it is: [`Behind::refusal`] says what it cannot do. Asked before a command is begun.
    fn behind(&self) -> Behind;

    /// Starts a command at `now`.
    ///
    /// # Errors
    /// What the cache refuses; nothing has changed then.
    fn begin<'a>(
        &mut self,
        now: Instant,
        clock: &mut dyn Clock,
        origin: Origin,
        command: Command<'a>,
    ) -> Result<Progress<'a>, Error>;

    /// Goes on with a command, after time has passed.
    ///
    /// # Errors
    /// As for [`DistributedCache::begin`].
    fn resume<'a>(
        &mut self,
        now: Instant,
        waiting: Box<Waiting<'a>>,
    ) -> Result<Progress<'a>, Error>;

    /// Gives a command up: it may have been carried out, or not.
    fn abandon(&mut self, now: Instant, waiting: Waiting<'_>);

    /// Adds the places of these keys, if keys have places here that [`DistributedCache::touch`] can use.
    /// Requests for them come next, in this order.
    fn locate(&mut self, keys: &mut dyn Iterator<Item = &[u8]>, places: &mut Vec<Place>) {
        let _ = (keys, places);
    }

    /// A get whose value is not wanted, of the key at a place: whether it is a hit. `None` if it has to be
    /// [sent](DistributedCache::send); nothing was done then.
    fn touch(&mut self, now: Instant, key: &[u8], place: Place) -> Option<bool> {
        let _ = (now, key, place);
        None
    }

    /// Stores a value under a key that [`DistributedCache::touch`] has just missed. `None` if it has to be
    /// [sent](DistributedCache::send); nothing was done then.
    fn fill(
        &mut self,
        key: &[u8],
        place: Place,
        value: &[u8],
        deadline: Option<Instant>,
    ) -> Option<Outcome> {
        let _ = (key, place, value, deadline);
        None
    }

    /// Whether a workload may run. Asked before its first request.
    ///
    /// # Errors
    /// Why it may not.
    fn check_work(&self) -> Result<(), Error> {
        Ok(())
    }

    /// How many clients send the requests of a trace at most.
    fn max_clients(&self) -> u32 {
        super::MAX_WORK_CLIENTS
    }

    /// Sends a request of a workload, as a client that has no request in flight.
    ///
    /// # Errors
    /// [`TooManyRequests`]; nothing was sent then.
    fn send(&mut self, now: Instant, request: &Request<'_>) -> Result<Sent, TooManyRequests>;

    /// The next answer to a request that [`Sent::InFlight`] was returned for, with its client. Each is
    /// returned once.
    fn receive(&mut self) -> Option<(u32, Answer)>;

    /// Whether answers come from outside of the world, whatever its time, and some are on their way.
    fn awaits_answers(&self) -> bool {
        false
    }

    /// Waits for such an answer, at most so long.
    fn wait_for_answer(&mut self, most: Duration) {
        let _ = most;
    }

    /// Gives up the request of a workload that a client has in flight, if it has one.
    fn give_up(&mut self, now: Instant, client: u32);

    /// Starts a change of members, placement or replicas. Returns the node that joins or leaves.
    ///
    /// # Errors
    /// What the cache refuses; nothing has changed then.
    fn change(&mut self, now: Instant, change: Change) -> Result<Option<NodeId>, Error>;

    /// Moves some keys. Returns the cost of the change when no more can move.
    ///
    /// # Errors
    /// Why the rest cannot move now.
    fn move_some(&mut self, now: Instant) -> Result<Option<MoveCost>, Error>;

    /// How long the move still takes, if it takes its time: then [`DistributedCache::tick_some`] moves
    /// the keys.
    fn moves_for(&self, now: Instant) -> Option<Duration> {
        let _ = now;
        None
    }

    /// How far the move has come, as a part of 1, and how many keys have moved.
    fn move_progress(&self) -> (f64, u64);

    /// Expires entries, delivers messages and handles timeouts, up to `now`. Stops after `limit`
    /// expiries, and returns whether more are due.
    fn tick_some(&mut self, now: Instant, limit: usize) -> bool;

    /// When something is due next: at or before the earliest deadline.
    fn next_deadline(&mut self) -> Option<Instant>;

    /// The latest events.
    fn events(&self) -> &EventLog;

    /// What a prompt shows. Cost: O(nodes).
    fn overview(&self) -> Overview;

    /// When the next message arrives, if messages can be seen.
    fn next_message(&mut self) -> Option<Instant>;

    /// Delivers the next message, which arrives at `at`.
    fn deliver_message(&mut self, at: Instant) -> Option<TracedMessage>;

    /// Records the messages of the next command.
    fn start_trace(&mut self, now: Instant) -> TraceStart;

    /// This backend, if it is the simulated cluster.
    fn simulated(&mut self) -> Option<&mut SimulatedCluster> {
        None
    }

    /// The messages since the start of the trace.
    fn end_trace(&mut self, start: TraceStart) -> Reply<'static>;
}

/// Where a command comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The client's number.
    pub client: u32,
    /// The node that coordinates; `None`: the first owner of the key.
    pub via: Option<NodeId>,
}

impl Origin {
    /// The client and the coordinator that a line names. Client 0 is the prompt.
    #[must_use]
    pub fn of(request: &crate::language::Request<'_>) -> Self {
        Self {
            client: request.client.unwrap_or(0),
            via: request.via,
        }
    }
}

/// The node that answered a request, or the last one that was asked, and the outcome.
pub type Answer = (NodeId, Outcome);

/// A request of a workload that was sent.
#[derive(Debug)]
pub enum Sent {
    /// Its answer is known.
    Answered(Answer),
    /// Its answer comes by [`DistributedCache::receive`].
    InFlight,
}

/// How far a command has come.
pub enum Progress<'a> {
    /// It has its reply.
    Done(Reply<'a>),
    /// It waits for messages.
    Waiting(Box<Waiting<'a>>),
}

/// A request trace that has started.
pub struct TraceStart {
    /// When.
    pub at: Instant,
    /// The sequence numbers of the messages that were in flight by then.
    pub before: Vec<u64>,
}

/// The state of a cache, for a prompt.
pub struct Overview {
    /// What it is, if it is not the simulated cluster, such as "redis 7.0.15".
    pub source: Option<String>,
    /// The nodes and their states, by ascending number.
    pub nodes: Vec<(NodeId, Status)>,
    /// About how many keys there are, if that is known without asking.
    pub keys: Option<u64>,
    /// Whether keys move.
    pub is_moving: bool,
    /// How many faults of the network are active.
    pub faults: u64,
    /// How keys are placed.
    pub placement: &'static str,
    /// How many owners each key has.
    pub replicas: usize,
    /// Whether some key has a deadline.
    pub has_deadlines: bool,
}
