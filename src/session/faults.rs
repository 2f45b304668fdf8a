//! What breaks and what mends it, and the messages on their way.

use std::time::Duration;

use super::{Session, checks};
use crate::cache::Cache;
use crate::cluster::Status;
use crate::event::Event;
use crate::id::NodeId;
use crate::language::{Command, Error, ErrorKind};
use crate::network::{Envelope, Fault, Link};
use crate::replica::{Message, Restart};
use crate::reply::{Fate, Passage, Reply};
use crate::time::{Compact, Instant, Waited};

impl Session {
    /// Carries out a command that breaks or mends something, or shows what is broken.
    pub(super) fn execute_fault(
        &mut self,
        now: Instant,
        command: Command<'_>,
        on_event: &mut dyn FnMut(&Event),
    ) -> Result<Reply<'static>, Error> {
        Ok(match command {
            Command::Crash { node } => self.crash(now, node)?,
            Command::Restart { node, how } => self.restart(now, node, how)?,
            Command::Pause { node } => self.pause(now, node)?,
            Command::Resume { node } => self.resume(now, node)?,
            Command::Fault { fault } => self.bring(now, &fault)?,
            Command::Release { link } => self.release(now, link)?,
            Command::Skew { node, nanos } => self.skew(now, node, nanos)?,
            Command::Heal => {
                self.cluster.heal(now);
                Reply::Done
            }
            Command::Faults => Reply::Faults(self.faults()),
            Command::Nemesis { nemesis: None } => Reply::Nemesis(self.nemesis()),
            Command::Nemesis {
                nemesis: Some(nemesis),
            } => {
                self.set_nemesis(now, nemesis);
                Reply::Done
            }
            Command::Links => Reply::Links(self.links()),
            Command::Step { count } => self.step(count, on_event)?,
            Command::History { count } => self.history(now, count)?,
            Command::Check => self.check_history(now)?,
            other => unreachable!("{other:?} is no fault"),
        })
    }

    pub(super) fn quorum(
        &mut self,
        now: Instant,
        quorums: Option<(usize, usize)>,
    ) -> Result<Reply<'static>, Error> {
        if let Some((write, read)) = quorums {
            self.cluster.set_quorum(now, write, read)?;
            return Ok(Reply::Done);
        }
        let config = self.cluster.config();
        Ok(Reply::Quorum {
            write: config.write_quorum,
            read: config.read_quorum,
            replicas: config.replicas,
            promise: self.cluster.promise(),
        })
    }

    fn crash(&mut self, now: Instant, node: NodeId) -> Result<Reply<'static>, Error> {
        self.expect_trouble(now, &[node])?;
        self.cluster.crash(now, node)?;
        Ok(Reply::Done)
    }

    fn restart(
        &mut self,
        now: Instant,
        node: NodeId,
        how: Restart,
    ) -> Result<Reply<'static>, Error> {
        self.check_node(Some(node))?;
        self.cluster.restart(now, node, how)?;
        Ok(Reply::Done)
    }

    fn pause(&mut self, now: Instant, node: NodeId) -> Result<Reply<'static>, Error> {
        self.expect_trouble(now, &[node])?;
        self.cluster.pause(now, node)?;
        Ok(Reply::Done)
    }

    fn resume(&mut self, now: Instant, node: NodeId) -> Result<Reply<'static>, Error> {
        self.check_node(Some(node))?;
        self.cluster.resume(now, node)?;
        Ok(Reply::Done)
    }

    fn skew(&mut self, now: Instant, node: NodeId, nanos: i64) -> Result<Reply<'static>, Error> {
        self.expect_trouble(now, &[node])?;
        self.cluster.skew(now, node, nanos)?;
        Ok(Reply::Done)
    }

    fn bring(&mut self, now: Instant, fault: &Fault) -> Result<Reply<'static>, Error> {
        self.expect_trouble(now, &fault.nodes())?;
        self.cluster.network().bring(fault)?;
        Ok(Reply::Done)
    }

    fn release(&mut self, now: Instant, link: Link) -> Result<Reply<'static>, Error> {
        self.check_node(Some(link.low))?;
        self.check_node(Some(link.high))?;
        self.cluster.network().release(now, link.low, link.high)?;
        Ok(Reply::Done)
    }

    /// Checks that there are such nodes. From the first fault on, what clients are told is recorded.
    fn expect_trouble(&mut self, now: Instant, nodes: &[NodeId]) -> Result<(), Error> {
        for &node in nodes {
            self.check_node(Some(node))?;
        }
        self.timed = true;
        self.cluster.begin_history(now, checks::OPERATIONS);
        Ok(())
    }

    /// The faults in force, as commands: those of the network, of nodes, and of clocks.
    fn faults(&mut self) -> Vec<String> {
        let network = self.cluster.network().faults();
        let mut faults: Vec<String> = network.iter().map(ToString::to_string).collect();
        let nodes: Vec<NodeId> = self.cluster.node_ids().collect();
        for node in nodes {
            match self.cluster.status(node) {
                Some(Status::Crashed) => faults.push(format!("CRASH {node}")),
                Some(Status::Paused) => faults.push(format!("PAUSE {node}")),
                _ => {}
            }
        }
        let skews = self.cluster.skews();
        faults.extend(skews.map(|(node, nanos)| {
            let sign = if nanos < 0 { "-" } else { "" };
            let time = Compact(Duration::from_nanos(nanos.unsigned_abs()));
            format!("SKEW {node} {sign}{time}")
        }));
        faults
    }

    /// The messages in flight, then those held, then those that wait for paused nodes.
    fn links(&self) -> Vec<Passage> {
        let flying = self.cluster.in_flight().into_iter().map(|it| {
            let fate = if it.held {
                Fate::Held
            } else {
                Fate::Travels(it.envelope.arrives)
            };
            passage(it.envelope, fate)
        });
        let waiting = self.cluster.kept_waiting();
        let waiting = waiting.map(|it| passage(it, Fate::Waits(it.arrives)));
        flying.chain(waiting).collect()
    }

    /// Delivers messages one by one, each at its instant. What is due before is done before.
    fn step(
        &mut self,
        count: u64,
        on_event: &mut dyn FnMut(&Event),
    ) -> Result<Reply<'static>, Error> {
        let mut delivered = Vec::new();
        while (delivered.len() as u64) < count {
            let Some(at) = self.cluster.network().next_at() else {
                break;
            };
            let next = self.cluster.next_deadline().map_or(at, |next| next.min(at));
            if self.clock.wait_until(next) == Waited::Interrupted {
                return Err(Error::new(ErrorKind::Interrupted, "interrupted"));
            }
            if next < at {
                let now = self.now();
                self.tick(now, &mut *on_event);
            } else if let Some(envelope) = self.cluster.step(at) {
                delivered.push(passage(&envelope, Fate::Delivered(envelope.arrives)));
            }
        }
        Ok(Reply::Delivered(delivered))
    }

    /// Records the messages of the next command.
    pub fn start_trace(&mut self, now: Instant) -> Trace {
        self.cluster.start_trace(now);
        self.cluster.network().watch_losses();
        let before = self.links().iter().map(|it| it.sequence).collect();
        Trace { start: now, before }
    }

    /// The messages since the start of the trace, in the order of what is shown of their times.
    #[must_use]
    pub fn end_trace(&mut self, trace: Trace) -> Reply<'static> {
        let Trace { start, before } = trace;
        let waiting: Vec<u64> = self.cluster.kept_waiting().map(|it| it.sequence).collect();
        let lost = self.cluster.network().losses();
        let lost = lost.iter().map(|it| passage(it, Fate::Lost(it.arrives)));
        let delivered = self.cluster.end_trace();
        let delivered = delivered.iter().map(|it| {
            let waits = waiting.contains(&it.sequence);
            let fate = if waits { Fate::Waits } else { Fate::Delivered };
            passage(it, fate(it.arrives))
        });
        let on_their_way = self.links().into_iter().filter(|it| {
            let new = !before.contains(&it.sequence);
            new && !matches!(it.fate, Fate::Waits(_))
        });
        let mut messages: Vec<Passage> = lost.chain(delivered).chain(on_their_way).collect();
        messages.sort_by_key(|it| (it.at(), it.sequence));
        Reply::Path { start, messages }
    }
}

/// A trace that has begun.
pub struct Trace {
    start: Instant,
    /// The messages that were on their way by then.
    before: Vec<u64>,
}

fn passage(envelope: &Envelope<Message>, fate: Fate) -> Passage {
    Passage {
        from: envelope.from,
        to: envelope.to,
        kind: envelope.message.kind(),
        text: envelope.message.to_string(),
        sent: envelope.sent,
        fate,
        sequence: envelope.sequence,
    }
}
